import type { Endpoint, Request } from "@effect-apns/core"
import { Connection, Failure, ProviderToken, Response } from "@effect-apns/core"
import * as UnstableConnection from "@effect-apns/core/unstable/Connection"
import * as Deadlines from "@effect-apns/core/unstable/Deadlines"
import * as Exchange from "@effect-apns/core/unstable/Exchange"
import { TimeSpan, Topic } from "@effect-apns/models"
import type * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import { NodeInspectSymbol } from "effect/Inspectable"
import * as ParseResult from "effect/ParseResult"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as ApnsMetrics from "../ApnsMetrics.js"
import type * as ApnsPool from "../ApnsPool.js"
import { Delivery } from "../unstable/Delivery.js"
import type { Around, Shared } from "./apnsPoolMap.js"
import type { Policy } from "./engine.js"
import { Engine } from "./engine.js"
import * as poolOptions from "./poolOptions.js"
import type { Connect } from "./roster.js"

const defaultSize = 10
const defaultMaxRetransmits = 2
/** As long as the default timeout of a request, so that requests in flight when a program ends have all of it. */
const defaultDrainTimeout = Duration.seconds(10)

type Resume = (effect: Effect.Effect<Response.Response, Failure.PoolError>) => void

class Posting extends Delivery {
  constructor(
    request: Request.Request,
    private readonly resume: Resume
  ) {
    super(request.path, request.spec)
  }

  onAnswered(): void {
    if (this.status >= 200 && this.status < 300) {
      return this.resume(Exit.succeed(Response.fromAccepted(this, this.attempts)))
    }
    const response = this.answer ?? Response.fromStream(this, this.attempts, this.engineNow())
    this.resume(
      Either.isRight(response)
        ? Exit.succeed(response.right)
        : Exit.fail(Failure.toError(Failure.malformed(this.status, response.left), this.attempts))
    )
  }

  onFailed(failure: Failure.PoolFailure): void {
    this.resume(Exit.fail(Failure.toError(failure, this.attempts)))
  }

  override onDied(cause: Cause.Cause<never>): void {
    this.resume(Exit.failCause(cause))
  }
}

type Field = ApnsPool.InvalidPoolOptions["field"]

const invalid = (field: Field, description: string): Effect.Effect<never, ApnsPool.InvalidPoolOptions> =>
  Effect.fail(new poolOptions.InvalidPoolOptions({ field, description }))

/** The value of an option for a message, shortened. */
export const shown = (value: unknown): string => {
  const text = typeof value === "string" ? JSON.stringify(value) : typeof value === "number" ? `${value}` : typeof value
  return text.length > 40 ? `${text.slice(0, 40)}...` : text
}

const checkSize = (size: number): Effect.Effect<number, ApnsPool.InvalidPoolOptions> =>
  Number.isSafeInteger(size) && size >= 1
    ? Effect.succeed(size)
    : invalid("size", `a pool has a whole number of connections, at least 1, not ${shown(size)}`)

const checkCount = (
  field: Field,
  value: number | undefined,
  otherwise: number,
  what: string
): Effect.Effect<number, ApnsPool.InvalidPoolOptions> =>
  value === undefined
    ? Effect.succeed(otherwise)
    : value === Infinity || (Number.isSafeInteger(value) && value >= 0)
    ? Effect.succeed(value)
    : invalid(field, `${what} is a whole number, at least 0, or Infinity, not ${shown(value)}`)

/** Refuses values that are not a span of time. */
export const checkDuration = (
  field: Field,
  value: TimeSpan.TimeSpan | undefined,
  otherwise: Duration.Duration
): Effect.Effect<Duration.Duration, ApnsPool.InvalidPoolOptions> =>
  value === undefined ? Effect.succeed(otherwise) : Either.match(TimeSpan.decode(value), {
    onLeft: (advice) => invalid(field, `${advice}, not ${shown(value)}`),
    onRight: Effect.succeed
  })

/** No time at all would make every connection fail. */
const checkTime = (
  field: Field,
  value: TimeSpan.TimeSpan | undefined
): Effect.Effect<void, ApnsPool.InvalidPoolOptions> =>
  value === undefined
    ? Effect.void
    : Effect.flatMap(checkDuration(field, value, Duration.zero), (time) =>
      Duration.toMillis(time) > 0
        ? Effect.void
        : invalid(field, "give a time longer than 0"))

/** Reads each option once: getters may throw. */
export const copyOptions = <O extends object>(options: O): Effect.Effect<O, ApnsPool.InvalidPoolOptions> =>
  Effect.suspend(() =>
    Either.match(UnstableConnection.copyOptions(options), {
      onLeft: (refusal) => Effect.fail(poolOptions.refused(refusal)),
      onRight: Effect.succeed
    })
  )

type Connecting = { readonly [K in keyof Connection.Resolved]?: Connection.Resolved[K] | undefined }

export const checkOptions = <O extends Connecting>(
  options: O,
  required: ReadonlyArray<keyof Connection.Resolved>
): Effect.Effect<O, ApnsPool.InvalidPoolOptions> =>
  Either.match(UnstableConnection.checkOptions(options, required), {
    onLeft: (refusal) => Effect.fail(poolOptions.refused(refusal)),
    onRight: Effect.succeed
  })

/** Checks what would make every connection of the pool fail. */
export const checkConnecting = (
  { ca, connectTimeout, ping }: Pick<ApnsPool.Resolved, "ca" | "connectTimeout" | "ping">
): Effect.Effect<void, ApnsPool.InvalidPoolOptions> =>
  Effect.all([
    ca === undefined || UnstableConnection.isReadableCa(ca)
      ? Effect.void
      : invalid("ca", "it holds no readable certificate: give PEM text, not the name of a file"),
    checkTime("connectTimeout", connectTimeout),
    checkTime("ping.interval", ping?.interval),
    checkTime("ping.deadline", ping?.deadline),
    checkTime("ping.busyInterval", ping?.busyInterval),
    checkTime("ping.busyDeadline", ping?.busyDeadline)
  ], { discard: true })

const checkSchedule = <In>(
  field: Field,
  value: Schedule.Schedule<unknown, In> | undefined,
  otherwise: Schedule.Schedule<unknown, In>
): Effect.Effect<Schedule.Schedule<unknown, In>, ApnsPool.InvalidPoolOptions> =>
  value === undefined
    ? Effect.succeed(otherwise)
    : UnstableConnection.peek(() => Schedule.isSchedule(value)) === true
    ? Effect.succeed(value)
    : invalid(field, `it is a Schedule, not ${shown(value)}`)

const retransmits: ReadonlyArray<unknown> = ["collapsible", "always", "never"] satisfies Array<Request.Retransmit>

/** A default topic that is none would make every notification fail that names no other. */
export const checkTopic = (topic: unknown): Effect.Effect<void, ApnsPool.InvalidPoolOptions> =>
  topic === undefined || Topic.is(topic)
    ? Effect.void
    : typeof topic !== "string"
    ? invalid("topic", `it is a text, not ${shown(topic)}`)
    : Either.match(ParseResult.decodeUnknownEither(Topic.Topic)(topic), {
      onLeft: (issue) => invalid("topic", ParseResult.TreeFormatter.formatIssueSync(issue)),
      onRight: () => Effect.void
    })

const checkPolicy = (
  options: ApnsPool.PoolOptions,
  endpoint: Endpoint.Endpoint | undefined
): Effect.Effect<Policy & { readonly metrics: ApnsMetrics.PoolMetrics }, ApnsPool.InvalidPoolOptions> =>
  Effect.gen(function*() {
    const retransmit = options.retransmit === undefined ? "collapsible" : options.retransmit
    if (!retransmits.includes(retransmit)) {
      return yield* invalid("retransmit", `it is "collapsible", "always" or "never", not ${shown(retransmit)}`)
    }
    if (options.spans !== undefined && typeof options.spans !== "boolean") {
      return yield* invalid("spans", `it is true or false, not ${shown(options.spans)}`)
    }
    yield* checkTopic(options.topic)
    if (options.name !== undefined && typeof options.name !== "string") {
      return yield* invalid("name", `it is a text, not ${shown(options.name)}`)
    }
    return {
      retransmit,
      maxRetransmits: yield* checkCount(
        "maxRetransmits",
        options.maxRetransmits,
        defaultMaxRetransmits,
        "the number of times to send again"
      ),
      maxQueued: yield* checkCount("maxQueued", options.maxQueued, Infinity, "the number of requests that may wait"),
      retrySchedule: yield* checkSchedule("retrySchedule", options.retrySchedule, poolOptions.retrySchedule),
      backoffSchedule: yield* checkSchedule("backoffSchedule", options.backoffSchedule, poolOptions.backoffSchedule),
      reconnectSchedule: yield* checkSchedule(
        "reconnectSchedule",
        options.reconnectSchedule,
        poolOptions.reconnectSchedule
      ),
      drainTimeout: yield* checkDuration("drainTimeout", options.drainTimeout, defaultDrainTimeout),
      annotations: {
        package: "@effect-apns/pool",
        module: "ApnsPool",
        ...(endpoint === undefined ? undefined : { endpoint: endpoint.origin }),
        ...(options.name === undefined ? undefined : { tenant: options.name })
      },
      metrics: ApnsMetrics.forPool({ endpoint: endpoint?.origin ?? "", tenant: options.name ?? "" })
    }
  })

/** A pool without connections, and the engine that opens them. */
const buildEmpty = (
  connect: Connect,
  options: ApnsPool.PoolOptions,
  token: ProviderToken.ProviderToken | undefined,
  endpoint: Endpoint.Endpoint | undefined
): Effect.Effect<
  { readonly pool: ApnsPool.ApnsPool; readonly engine: Engine },
  ApnsPool.InvalidPoolOptions,
  Scope.Scope
> =>
  Effect.gen(function*() {
    const policy = yield* checkPolicy(options, endpoint)
    const deadlines = yield* Deadlines.make
    const scope = yield* Scope.make(ExecutionStrategy.parallel)
    const seed = yield* Random.nextInt
    const engine = new Engine(connect, policy, deadlines, token, yield* Effect.runtime(), scope, seed)
    yield* Effect.addFinalizer((exit) =>
      Effect.uninterruptible(Effect.zipRight(engine.shutdown, Scope.close(scope, exit)))
    )
    yield* ApnsMetrics.observed(policy.metrics, engine)
    const cancel = (posting: Posting): void => engine.cancel(posting)
    const pool = {
      [poolOptions.TypeId]: poolOptions.TypeId,
      post: (request: Request.Request) =>
        Exchange.async((resume: Resume) => {
          const posting = new Posting(Exchange.checkRequest(request), resume)
          engine.submit(posting)
          return posting
        }, cancel),
      resize: (size: number) => Effect.flatMap(checkSize(size), (size) => engine.resize(size)),
      stats: Effect.sync(() => engine.stats),
      topic: options.topic,
      endpoint,
      spans: options.spans ?? false,
      unsafe: engine,
      toJSON: () => engine.toJSON(),
      [NodeInspectSymbol]: () => engine.toJSON()
    }
    return { pool, engine }
  })

const build = (
  connect: Connect,
  options: ApnsPool.PoolOptions,
  token: ProviderToken.ProviderToken | undefined,
  endpoint: Endpoint.Endpoint | undefined
): Effect.Effect<ApnsPool.ApnsPool, ApnsPool.InvalidPoolOptions, Scope.Scope> =>
  Effect.gen(function*() {
    const copied = yield* copyOptions(options)
    const size = yield* checkSize(copied.size === undefined ? defaultSize : copied.size)
    const { engine, pool } = yield* buildEmpty(connect, copied, token, endpoint)
    yield* engine.resize(size)
    return pool
  })

const share = ({ engine, pool }: { readonly pool: ApnsPool.ApnsPool; readonly engine: Engine }): Shared => ({
  pool,
  resize: (size, drainWithin) => engine.resize(size, drainWithin),
  isClosed: () => engine.state === "closed"
})

const tokenOf = ({ credentials }: ApnsPool.Resolved) =>
  credentials._tag === "Token" ? ProviderToken.make(credentials) : Effect.succeed(undefined)

/** The pool itself waits for answers: a connection that it closes, or gives up while it opens it, need not. */
const connectTo = (options: ApnsPool.Resolved): Connect => (parts) =>
  UnstableConnection.makeWith({ ...options, drainTimeout: Duration.zero }, parts)

export const make = (given: ApnsPool.Resolved) =>
  Effect.gen(function*() {
    const options = yield* checkOptions(given, ["endpoint", "credentials"])
    yield* checkConnecting(options)
    const token = yield* tokenOf(options)
    return yield* build(connectTo(options), options, token, options.endpoint)
  })

export const makeWith = (connect: Connect, options: ApnsPool.PoolOptions) =>
  build(connect, options, undefined, undefined)

/** A pool whose number of connections its user decides. */
export const makeShared = (options: ApnsPool.Resolved, around: Around) =>
  Effect.flatMap(tokenOf(options), (token) =>
    Effect.map(
      buildEmpty(
        (parts) => around(connectTo(options)(parts)),
        options,
        token,
        options.endpoint
      ),
      share
    ))

export const makeSharedWith = (connect: Connect, options: ApnsPool.PoolOptions) =>
  Effect.map(buildEmpty(connect, options, undefined, undefined), share)

export const makeTest = (
  handler: (request: Request.Request) => Effect.Effect<Response.Response, Failure.RequestError>,
  options: ApnsPool.PoolOptions & { readonly streams?: number | undefined }
) =>
  Effect.orDie(
    build(
      (parts) => Connection.fromHandler(handler, { limit: options.streams }, parts),
      { size: 1, drainTimeout: Duration.zero, ...options },
      undefined,
      undefined
    )
  )
