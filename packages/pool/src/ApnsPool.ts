/**
 * Many connections to APNs: a fixed number, kept open and replaced when they are lost, with a queue for requests that wait.
 *
 * @example
 * ```ts
 * import { NodeContext } from "@effect/platform-node"
 * import { Credentials, Endpoint, Request } from "@effect-apns/core"
 * import { ApnsPool } from "@effect-apns/pool"
 * import { Effect } from "effect"
 *
 * const ApnsLive = ApnsPool.layer({
 *   endpoint: Endpoint.production,
 *   credentials: Credentials.token({ keyFile: "AuthKey_ABC123DEFG.p8", keyId: "ABC123DEFG", teamId: "DEF123GHIJ" })
 * })
 *
 * const program = Effect.gen(function*() {
 *   const pool = yield* ApnsPool.ApnsPool
 *   const response = yield* pool.post(Request.make({
 *     path: "/3/device/4242",
 *     headers: { "apns-push-type": "alert", "apns-topic": "com.app.your" },
 *     body: { aps: { alert: { body: "Wakey-wakey, ham and bakey!" } } }
 *   }))
 *   return response.status
 * }).pipe(Effect.provide(ApnsLive), Effect.provide(NodeContext.layer))
 * console.log(Effect.isEffect(program))
 * ```
 *
 * @since 0.1.0
 */
import type { Connection } from "@effect-apns/core"
import { type Credentials, type Endpoint, type Failure, type Request, type Response } from "@effect-apns/core"
import { resolve } from "@effect-apns/core/unstable/Connection"
import type { TimeSpan } from "@effect-apns/models"
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Context from "effect/Context"
import type * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as internal from "./internal/apnsPool.js"
import type { InvalidPoolOptions } from "./internal/poolOptions.js"
import * as poolOptions from "./internal/poolOptions.js"
import * as PoolConfig from "./PoolConfig.js"
import type { Unsafe } from "./unstable/ApnsPool.js"

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: TypeId = poolOptions.TypeId

/**
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = "~@effect-apns/pool/ApnsPool"

/**
 * @since 0.1.0
 * @category models
 */
export interface ApnsPool {
  readonly [TypeId]: TypeId

  /**
   * Sends a request and waits for its answer, whatever its status. The pool queues it until a stream is free, sends
   * it again where that is safe (see {@link Options.retransmit}), and backs off where APNs asks for it, all within the
   * request's `timeout` and `deadline`.
   */
  readonly post: (request: Request.Request) => Effect.Effect<Response.Response, Failure.PoolError>

  /** Changes the number of connections; connections that are no longer needed close when their requests are answered. Fails unless it is a whole number from 1. */
  readonly resize: (size: number) => Effect.Effect<void, InvalidPoolOptions>

  readonly stats: Effect.Effect<Stats>

  /** The topic of notifications that do not name one. */
  readonly topic: string | undefined

  /** Where the pool connects to; `undefined` where its connections are of the caller's own making. */
  readonly endpoint: Endpoint.Endpoint | undefined

  /** Whether `send`, `sendAll` and `sendEach` make spans: see `Tracing`. */
  readonly spans: boolean

  /** What `post`, `send` and `sendAll` are built on: callbacks instead of effects. See `unstable/ApnsPool`. */
  readonly unsafe: Unsafe
}

/**
 * What a pool is doing. Counts of deliveries and connections; the totals are since it was built.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats {
  readonly state: "open" | "closing" | "closed"
  /** Connections that there should be. */
  readonly size: number
  /**
   * Connections that take requests. For a moment it may be one more than `size`: where requests wait and every connection
   * has to answer a PING first, another one is opened meanwhile.
   */
  readonly active: number
  /** Connections being opened, or waiting for their turn to be. */
  readonly connecting: number
  /** Connections that take no more requests and still answer some. */
  readonly draining: number
  /** Requests that wait for a free stream. */
  readonly queued: number
  /** Requests that wait for their answer. */
  readonly inFlight: number
  /** Requests that wait to be sent again. */
  readonly retrying: number
  /** Total of requests that were answered, whatever the status. */
  readonly completed: number
  /** Total of requests that failed without an answer. */
  readonly failed: number
  /** Total of requests whose caller was interrupted. */
  readonly interrupted: number
  /** Total of times a request was sent. */
  readonly attempts: number
  readonly connectionsOpened: number
  readonly connectionsFailed: number
  readonly connectionsLost: number
  /** Since when there is no connection to APNs, and why; `undefined` while there is one, or none has failed yet. */
  readonly unreachable: Unreachable | undefined
}

/**
 * There is no connection to APNs.
 *
 * @since 1.0.0
 * @category models
 */
export interface Unreachable {
  readonly since: DateTime.Utc
  /** Why connecting failed when it began. */
  readonly cause: Failure.CloseCause
}

/**
 * @since 0.1.0
 * @category models
 */
export interface PoolOptions {
  /** Connections. Default 10. */
  readonly size?: number | undefined
  /** The topic of notifications that do not name one. */
  readonly topic?: string | undefined
  /**
   * What the pool is called in metrics (tag `tenant`) and log lines: a word of yours, such as a customer's name. Each name
   * makes time series that stay for as long as the process lives. Default: none.
   */
  readonly name?: string | undefined

  /**
   * When a request whose fate is unknown is sent again: `"collapsible"` (default) only with an `apns-collapse-id`,
   * `"always"`, or `"never"`. One request can override it.
   */
  readonly retransmit?: Request.Retransmit | undefined
  /**
   * How many times a request whose fate is unknown is sent again, where `retransmit` allows it at all; then it fails with
   * `processed: "unknown"`. Default 2: a device gets no more than three copies.
   */
  readonly maxRetransmits?: number | undefined
  /**
   * How many requests may wait in the pool, for a free stream or to be sent again; the next one fails at once with
   * `QueueFull`, `processed: "no"`. Those of `sendAll` and `sendEach` do not count: their `concurrency` bounds them.
   * Default: no bound.
   */
  readonly maxQueued?: number | undefined
  /** When a request that APNs did not process, or may be sent again, is sent again. Default {@link retrySchedule}. */
  readonly retrySchedule?: Schedule.Schedule<unknown, Failure.Failure> | undefined
  /** When a request that APNs was too busy for is sent again, unless it says so itself. Default {@link backoffSchedule}. */
  readonly backoffSchedule?: Schedule.Schedule<unknown, Response.Response> | undefined
  /** When a connection that could not be opened is tried again; when it is done, the pool closes. Default {@link reconnectSchedule}. */
  readonly reconnectSchedule?: Schedule.Schedule<unknown, Failure.CloseCause> | undefined

  /**
   * A span for each `send`, and for each stream of `sendAll` and `sendEach`: see `Tracing`. Default false, which costs
   * nothing.
   */
  readonly spans?: boolean | undefined

  /** How long closing waits for outcomes, also after an interruption or a signal. Default 10 seconds. */
  readonly drainTimeout?: TimeSpan.TimeSpan | undefined
}

/**
 * Everything that a pool takes. Credentials and proxy are values, or Effects that are run once, when the pool is made.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<out CE = never, out CR = never, out PE = never, out PR = never>
  extends PoolOptions, Connection.Options<CE, CR, PE, PR>
{}

/**
 * {@link Options} whose credentials and proxy are values.
 *
 * @since 1.0.0
 * @category models
 */
export interface Resolved extends PoolOptions, Connection.Resolved {}

export {
  /**
   * Options that are not valid; `message` says what to change.
   *
   * @since 0.1.0
   * @category errors
   */
  InvalidPoolOptions
} from "./internal/poolOptions.js"

/**
 * From 1 millisecond, times √10 each time, with jitter, at most 1 second.
 *
 * @since 0.1.0
 * @category schedules
 */
export const retrySchedule: Schedule.Schedule<unknown> = poolOptions.retrySchedule

/**
 * From 1 second, doubled each time, with jitter, at most 1 minute. (Apple advises 15 minutes after a 5xx: give the request the time,
 * or try again later yourself.)
 *
 * @since 0.1.0
 * @category schedules
 */
export const backoffSchedule: Schedule.Schedule<unknown> = poolOptions.backoffSchedule

/**
 * From 100 milliseconds, doubled each time, with jitter, at most 30 seconds; without end.
 *
 * @since 0.1.0
 * @category schedules
 */
export const reconnectSchedule: Schedule.Schedule<unknown> = poolOptions.reconnectSchedule

/**
 * @since 0.1.0
 * @category tags
 */
export const ApnsPool: Context.Tag<ApnsPool, ApnsPool> = Context.GenericTag<ApnsPool>("@effect-apns/pool/ApnsPool")

/**
 * A pool that lives as long as the scope. It opens its connections in the background: requests wait in
 * the queue until one is open, and fail with the cause when none could be opened in time. Closing the scope waits for outcomes (up
 * to `drainTimeout`), then fails the rest with `Closed`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <CE = never, CR = never, PE = never, PR = never>(
  options: Options<CE, CR, PE, PR>
): Effect.Effect<ApnsPool, InvalidPoolOptions | Credentials.CredentialsError | CE | PE, Scope.Scope | CR | PR> =>
  Effect.flatMap(
    internal.copyOptions(options),
    (options) => Effect.flatMap(resolve(options), (given) => internal.make({ ...options, ...given }))
  )

/**
 * {@link make} as a Layer.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <CE = never, CR = never, PE = never, PR = never>(
  options: Options<CE, CR, PE, PR>
): Layer.Layer<ApnsPool, InvalidPoolOptions | Credentials.CredentialsError | CE | PE, CR | PR> =>
  Layer.scoped(ApnsPool, make(options))

/**
 * {@link layer} whose options come from configuration values, each from where you keep it. For the variables that this
 * library names itself see {@link layerFromEnv}.
 *
 * @example
 * ```ts
 * import { Credentials, Endpoint } from "@effect-apns/core"
 * import { ApnsPool } from "@effect-apns/pool"
 * import { Config } from "effect"
 *
 * export const ApnsLive = ApnsPool.layerConfig({
 *   endpoint: Endpoint.fromConfig("PUSH_HOST"),
 *   credentials: Config.all({
 *     key: Config.redacted("PUSH_KEY"),
 *     keyId: Config.string("PUSH_KEY_ID"),
 *     teamId: Config.string("PUSH_TEAM_ID")
 *   }).pipe(Config.map((options) => Credentials.token(options))),
 *   size: Config.withDefault(Config.integer("PUSH_CONNECTIONS"), 10)
 * })
 * ```
 *
 * @since 1.0.0
 * @category layers
 */
export const layerConfig = <CE = never, CR = never, PE = never, PR = never>(
  config: Config.Config.Wrap<Options<CE, CR, PE, PR>>
): Layer.Layer<
  ApnsPool,
  InvalidPoolOptions | Credentials.CredentialsError | CE | PE | ConfigError.ConfigError,
  CR | PR
> => Layer.scoped(ApnsPool, Effect.flatMap(Config.unwrap(config), (options) => make(options)))

/**
 * The pool that the environment describes, as the current `ConfigProvider` gives it: `APNS_ENDPOINT`, `APNS_KEY_FILE` or
 * `APNS_KEY`, `APNS_KEY_ID`, `APNS_TEAM_ID`, `APNS_CERT_FILE`, `APNS_POOL_SIZE`, ...; `PoolConfig` lists them all.
 * What `options` holds takes the place of the variable.
 *
 * @since 1.0.0
 * @category layers
 */
export const layerFromEnv = (
  options: Partial<Resolved> = {}
): Layer.Layer<
  ApnsPool,
  ConfigError.ConfigError | Credentials.CredentialsError | InvalidPoolOptions,
  FileSystem.FileSystem
> => Layer.scoped(ApnsPool, Effect.flatMap(PoolConfig.options(options), make))

/**
 * A pool without a socket: `handler` answers each request. Deadlines, retries, interruption and counters work as in
 * the real one, on whatever Clock there is: so it works with `TestClock`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerTest = (
  handler: (request: Request.Request) => Effect.Effect<Response.Response, Failure.RequestError>,
  options: PoolOptions & {
    /** Requests at once on each connection. Default 1000. */
    readonly streams?: number | undefined
  } = {}
): Layer.Layer<ApnsPool> => Layer.scoped(ApnsPool, internal.makeTest(handler, options))
