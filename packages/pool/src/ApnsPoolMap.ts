/**
 * Many tenants: a pool for each endpoint and credentials, opened when it is first needed, closed when it was idle for
 * long enough, all of them within one budget of connections.
 *
 * APNs ties a connection to the first team and key that it sees on it (Apple, "Establishing a token-based connection to
 * APNs"), so two teams never share one: pools are keyed by the endpoint's origin and the credentials' `identity`.
 *
 * **The budget.** A pool gets up to `size` connections, and at least one. Where the budget is spent, a tenant that needs
 * a pool gets its connection from unused pools (the longest unused one is closed), else from the pool that has the
 * most, else from the one that has had its only connection longest, and for a second at least: so tenants that wait get
 * their turn, first come first served, from those that never stop sending. What is sent meanwhile waits in the pool, and
 * its timeout and deadline count. Never are more than `maxConnections` open, not even while old ones drain.
 *
 * @example
 * ```ts
 * import { Endpoint } from "@effect-apns/core"
 * import type { Credentials } from "@effect-apns/core"
 * import { Notification } from "@effect-apns/models"
 * import { ApnsPoolMap, send } from "@effect-apns/pool"
 * import { Effect } from "effect"
 *
 * declare const credentialsOf: (customer: string) => Effect.Effect<Credentials.Token, Credentials.CredentialsError>
 *
 * const notify = (customer: string, topic: string, token: string) =>
 *   send({ token, notification: Notification.alert({ alert: "Hello" }) }).pipe(
 *     ApnsPoolMap.provide({ endpoint: Endpoint.production, credentials: credentialsOf(customer), topic })
 *   )
 *
 * const program = notify("acme", "com.acme.app", "0123456789abcdef").pipe(
 *   Effect.provide(ApnsPoolMap.layer({ maxConnections: 200, idleTimeToLive: "10 minutes" }))
 * )
 * console.log(Effect.isEffect(program))
 * ```
 *
 * @since 0.1.0
 */
import type { Credentials, Endpoint, Failure, Request, Response } from "@effect-apns/core"
import { Connection } from "@effect-apns/core"
import { resolve as resolveOptions, resolveProxy } from "@effect-apns/core/unstable/Connection"
import type { TimeSpan } from "@effect-apns/models"
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as ApnsPool from "./ApnsPool.js"
import * as pools from "./internal/apnsPool.js"
import * as internal from "./internal/apnsPoolMap.js"
import * as PoolConfig from "./PoolConfig.js"

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: TypeId = "~@effect-apns/pool/ApnsPoolMap"

/**
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = "~@effect-apns/pool/ApnsPoolMap"

/**
 * On whose behalf to send, and where to. The same endpoint and the same credentials are the same pool.
 *
 * @since 0.1.0
 * @category models
 */
export interface Tenant<out E = never, out R = never> extends Omit<ResolvedTenant, "credentials"> {
  /**
   * Who is sending. An Effect is run at every use, since only its result says which pool that is: one that reads a file
   * or asks a database is better cached (`Effect.cached`, `Cache`).
   */
  readonly credentials: Credentials.Credentials | Effect.Effect<Credentials.Credentials, E, R>
}

/**
 * A {@link Tenant} whose credentials are a value.
 *
 * @since 1.0.0
 * @category models
 */
export interface ResolvedTenant {
  readonly endpoint: Endpoint.Endpoint
  readonly credentials: Credentials.Credentials
  /** The topic of notifications that do not name one. Tenants that differ in it alone share a pool. Default: the pools' topic. */
  readonly topic?: string | undefined
  /**
   * What the tenant is called in metrics (tag `tenant`) and log lines. Each name makes time series that stay for as long as
   * the process lives: leave it out where there are thousands. Where tenants share a pool, the name of the first one is used.
   * Default: the pools' `name`.
   */
  readonly name?: string | undefined
}

/**
 * Why a pool cannot be opened.
 *
 * @since 0.1.0
 * @category errors
 */
export type OpenError = ApnsPool.InvalidPoolOptions | Credentials.CredentialsError

/**
 * What the pools are doing.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats {
  /** Pools that are open or being opened. */
  readonly pools: number
  /** Those of them that are not used at the moment. */
  readonly idle: number
  /** Tenants that wait for a connection of the budget. */
  readonly waiting: number
  /** Connections, from the first packet to the last. */
  readonly connections: number
  /** The budget. */
  readonly maxConnections: number
  /** Total of pools that were opened. */
  readonly poolsOpened: number
  /** Total of pools that were closed. */
  readonly poolsClosed: number
}

/**
 * @since 0.1.0
 * @category models
 */
export interface ApnsPoolMap {
  readonly [TypeId]: TypeId

  /**
   * The tenant's pool, kept open until the scope is closed and `idleTimeToLive` has passed without another use.
   * Where the budget is spent it has no connection yet: what is sent waits for one, as long as its timeout and deadline
   * allow.
   */
  readonly get: <E = never, R = never>(
    tenant: Tenant<E, R>
  ) => Effect.Effect<ApnsPool.ApnsPool, OpenError | E, Scope.Scope | R>

  /** Runs an effect in the tenant's pool. */
  readonly provide: <TE = never, TR = never>(
    tenant: Tenant<TE, TR>
  ) => <A, E, R>(
    self: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | OpenError | TE, Exclude<R, ApnsPool.ApnsPool> | TR>

  /**
   * Closes the tenant's pool, as closing a scope does, and forgets it: the next use opens a new one. For credentials that
   * APNs refused before, and accepts now.
   */
  readonly invalidate: <E = never, R = never>(tenant: Tenant<E, R>) => Effect.Effect<void, E, R>

  readonly stats: Effect.Effect<Stats>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface PoolMapOptions extends Omit<ApnsPool.PoolOptions, "size"> {
  /** Connections for each tenant, where the budget allows. Default 1. */
  readonly size?: number | undefined
  /** Connections for all tenants together. Default 1000. */
  readonly maxConnections?: number | undefined
  /** How long an unused pool stays open. Default 1 hour: Apple asks to keep connections open. */
  readonly idleTimeToLive?: TimeSpan.TimeSpan | undefined
}

/**
 * How pools are set up: everything that one pool takes, except the endpoint and the credentials.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<out E = never, out R = never>
  extends PoolMapOptions, Omit<ApnsPool.Options<never, never, E, R>, "size" | "endpoint" | "credentials">
{}

/**
 * @since 0.1.0
 * @category tags
 */
export const ApnsPoolMap: Context.Tag<ApnsPoolMap, ApnsPoolMap> = Context.GenericTag<ApnsPoolMap>(
  "@effect-apns/pool/ApnsPoolMap"
)

const defaultSize = 1
const defaultMaxConnections = 1000
const defaultIdleTimeToLive = Duration.hours(1)

const whole = (field: "size" | "maxConnections", value: number, what: string) =>
  Number.isSafeInteger(value) && value >= 1
    ? Effect.succeed(value)
    : Effect.fail(
      new ApnsPool.InvalidPoolOptions({
        field,
        description: `${what} a whole number of connections, at least 1, not ${pools.shown(value)}`
      })
    )

type Checked = Either.Either<ResolvedTenant, ApnsPool.InvalidPoolOptions>

/** The error for a value that is not a tenant. */
const check = <E, R>(tenant: Tenant<E, R>): Effect.Effect<Checked, E, R> =>
  Effect.flatMap(Effect.either(pools.copyOptions(tenant)), (copied) => {
    if (Either.isLeft(copied)) return Effect.succeed<Checked>(Either.left(copied.left))
    const { credentials, endpoint, name, topic } = copied.right
    return Effect.flatMap(resolveOptions<E, R, never, never>({ credentials }), ({ credentials }) =>
      Effect.map(
        Effect.either(
          Effect.zipLeft(
            pools.checkOptions({ credentials, endpoint }, ["endpoint", "credentials"]),
            pools.checkTopic(topic)
          )
        ),
        Either.map((checked): ResolvedTenant => ({ ...checked, topic, name }))
      ))
  })

const resolve = <E, R>(tenant: Tenant<E, R>): Effect.Effect<ResolvedTenant, E | ApnsPool.InvalidPoolOptions, R> =>
  Effect.flatMap(check(tenant), Either.match({ onLeft: Effect.fail, onRight: Effect.succeed }))

/** @internal */
export const build = (
  open: internal.Open,
  options: PoolMapOptions
): Effect.Effect<ApnsPoolMap, ApnsPool.InvalidPoolOptions, Scope.Scope> =>
  Effect.gen(function*() {
    const tenants = yield* internal.make(open, {
      size: yield* whole("size", options.size === undefined ? defaultSize : options.size, "a pool has"),
      maxConnections: yield* whole(
        "maxConnections",
        options.maxConnections === undefined ? defaultMaxConnections : options.maxConnections,
        "a budget is"
      ),
      idleMillis: Duration.toMillis(
        yield* pools.checkDuration("idleTimeToLive", options.idleTimeToLive, defaultIdleTimeToLive)
      )
    })
    return {
      [TypeId]: TypeId,
      get: (tenant) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.flatMap(restore(resolve(tenant)), (tenant) =>
            Effect.flatMap(tenants.acquire(tenant), (entry) =>
              Effect.zipRight(
                Effect.addFinalizer(() =>
                  tenants.release(entry)
                ),
                restore(tenants.pool(entry, tenant))
              )))
        ),
      provide: (tenant) => (self) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.flatMap(restore(resolve(tenant)), (tenant) =>
            Effect.flatMap(tenants.acquire(tenant), (entry) =>
              Effect.onExit(
                restore(
                  Effect.flatMap(
                    tenants.pool(entry, tenant),
                    (pool) =>
                      Effect.provideService(self, ApnsPool.ApnsPool, pool)
                  )
                ),
                () =>
                  tenants.release(entry)
              )))
        ),
      invalidate: (tenant) =>
        Effect.flatMap(check(tenant), (tenant) =>
          // a value that is not a tenant has no pool
          Either.isLeft(tenant) ? Effect.void : tenants.invalidate(tenant.right)),
      stats: Effect.sync(() =>
        tenants.stats
      )
    }
  })

/**
 * Pools that live as long as the scope. Closing it closes them all at the same time, and waits for their outcomes.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <E = never, R = never>(
  options: Options<E, R> = {}
): Effect.Effect<ApnsPoolMap, ApnsPool.InvalidPoolOptions | E, Scope.Scope | R> =>
  Effect.gen(function*() {
    const copied = yield* pools.copyOptions(options)
    const proxy = yield* resolveProxy(copied.proxy)
    const shared = yield* pools.checkOptions({ ...copied, proxy }, [])
    yield* pools.checkConnecting(shared)
    return yield* build(
      ({ credentials, endpoint, name }, around) =>
        pools.makeShared({ ...shared, endpoint, credentials, name: name ?? shared.name }, around),
      shared
    )
  })

/**
 * The tenant's pool: see {@link ApnsPoolMap}.
 *
 * @since 0.1.0
 * @category accessors
 */
export const get = <E = never, R = never>(
  tenant: Tenant<E, R>
): Effect.Effect<ApnsPool.ApnsPool, OpenError | E, ApnsPoolMap | Scope.Scope | R> =>
  Effect.flatMap(ApnsPoolMap, (pools) => pools.get(tenant))

/**
 * Runs an effect, such as `send`, in the tenant's pool. For a stream, such as `sendAll`, provide {@link layerTenant}.
 *
 * @since 0.1.0
 * @category combinators
 */
export const provide: {
  <TE = never, TR = never>(
    tenant: Tenant<TE, TR>
  ): <A, E, R>(
    self: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | OpenError | TE, ApnsPoolMap | Exclude<R, ApnsPool.ApnsPool> | TR>
  <A, E, R, TE = never, TR = never>(
    self: Effect.Effect<A, E, R>,
    tenant: Tenant<TE, TR>
  ): Effect.Effect<A, E | OpenError | TE, ApnsPoolMap | Exclude<R, ApnsPool.ApnsPool> | TR>
} = dual(
  2,
  <A, E, R, TE, TR>(
    self: Effect.Effect<A, E, R>,
    tenant: Tenant<TE, TR>
  ): Effect.Effect<A, E | OpenError | TE, ApnsPoolMap | Exclude<R, ApnsPool.ApnsPool> | TR> =>
    Effect.flatMap(ApnsPoolMap, (pools) => pools.provide(tenant)(self))
)

/**
 * {@link make} as a Layer.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <E = never, R = never>(
  options: Options<E, R> = {}
): Layer.Layer<ApnsPoolMap, ApnsPool.InvalidPoolOptions | E, R> => Layer.scoped(ApnsPoolMap, make(options))

/**
 * {@link layer} whose options come from configuration values, each from where you keep it. For the variables that this
 * library names itself see {@link layerFromEnv}.
 *
 * @since 1.0.0
 * @category layers
 */
export const layerConfig = <E = never, R = never>(
  config: Config.Config.Wrap<Options<E, R>>
): Layer.Layer<ApnsPoolMap, ApnsPool.InvalidPoolOptions | E | ConfigError.ConfigError, R> =>
  Layer.scoped(ApnsPoolMap, Effect.flatMap(Config.unwrap(config), (options) => make(options)))

/**
 * The pools that the environment describes: the variables that `PoolConfig` lists, but those that say who is sending
 * and where to, which is what a tenant says; and `APNS_MAX_CONNECTIONS`, `APNS_IDLE_TIME_TO_LIVE`. What `options` holds
 * takes the place of the variable.
 *
 * @since 1.0.0
 * @category layers
 */
export const layerFromEnv = (
  options: PoolMapOptions & Partial<Omit<ApnsPool.Resolved, "size" | "endpoint" | "credentials">> = {}
): Layer.Layer<ApnsPoolMap, ConfigError.ConfigError | OpenError, FileSystem.FileSystem> =>
  Layer.scoped(ApnsPoolMap, Effect.flatMap(PoolConfig.mapOptions(options), (options) => make(options)))

/**
 * The tenant's pool as a Layer, for everything that takes one: `Stream.provideSomeLayer(outcomes, layerTenant(tenant))`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerTenant = <E = never, R = never>(
  tenant: Tenant<E, R>
): Layer.Layer<ApnsPool.ApnsPool, OpenError | E, ApnsPoolMap | R> => Layer.scoped(ApnsPool.ApnsPool, get(tenant))

/**
 * Pools without a socket: `handler` answers each tenant's requests, as with `ApnsPool.layerTest`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerTest = (
  handler: (tenant: ResolvedTenant, request: Request.Request) => Effect.Effect<Response.Response, Failure.RequestError>,
  options: PoolMapOptions = {}
): Layer.Layer<ApnsPoolMap> =>
  Layer.scoped(
    ApnsPoolMap,
    Effect.orDie(build(
      (tenant, around) =>
        pools.makeSharedWith(
          (parts) => around(Connection.fromHandler((request) => handler(tenant, request), {}, parts)),
          { drainTimeout: Duration.zero, ...options }
        ),
      options
    ))
  )
