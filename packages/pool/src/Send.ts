/**
 * Sending one notification.
 *
 * @example
 * ```ts
 * import { Notification } from "@effect-apns/models"
 * import { send } from "@effect-apns/pool"
 * import { Console, Effect } from "effect"
 *
 * const program = send({
 *   token: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
 *   topic: "com.example.app",
 *   notification: Notification.alert({ alert: { title: "Lunch", body: "At noon?" }, badge: 0 }),
 *   collapseId: "lunch"
 * }).pipe(
 *   Effect.tap(({ apnsId, attempts }) => Console.log(`sent ${apnsId} in ${attempts}`)),
 *   Effect.catchTag("Unregistered", ({ timestamp }) => Console.log("delete the token, gone since", timestamp))
 * )
 * console.log(Effect.isEffect(program))
 * ```
 *
 * @since 0.1.0
 */
import { Failure, Request } from "@effect-apns/core"
import * as Exchange from "@effect-apns/core/unstable/Exchange"
import type { RequestSpec } from "@effect-apns/core/unstable/RequestSpec"
import type { Expiration, Priority, TimeSpan } from "@effect-apns/models"
import {
  ApnsId,
  CollapseId,
  DeviceToken,
  Notification,
  Priority as Priorities,
  PushType,
  Rejection,
  Topic
} from "@effect-apns/models"
import { Memo } from "@effect-apns/models/unstable/Memo"
import * as Schemas from "@effect-apns/models/unstable/Schemas"
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as FiberRef from "effect/FiberRef"
import * as ParseResult from "effect/ParseResult"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as ApnsPool from "./ApnsPool.js"
import * as errors from "./internal/errors.js"
import * as options from "./internal/options.js"
import type { Receipt } from "./Receipt.js"
import * as Receipts from "./Receipt.js"
import * as Tracing from "./Tracing.js"
import type { Unsafe } from "./unstable/ApnsPool.js"
import { Delivery } from "./unstable/Delivery.js"

/**
 * What to send, and to which device.
 *
 * @since 0.1.0
 * @category models
 */
export interface SendOptions<N extends Notification.Notification = Notification.Notification> {
  /** The device token: hexadecimal, as the app got it from the system. */
  readonly token: string
  readonly notification: N
  /** The app's bundle ID; the push type's suffix is added where Apple wants one. Default: the pool's topic. */
  readonly topic?: string | undefined
  /** `apns-priority`. Default: what Apple prescribes for the push type, else none is sent and APNs takes 10. */
  readonly priority?: Priority.For<N["pushType"]> | undefined
  /** `apns-expiration`: `"none"` for one attempt by APNs, or until when it may store the notification, which is a deadline for the request too. Default: none is sent, and APNs decides how long to store it. */
  readonly expiration?: Expiration.Expiration | undefined
  /** `apns-collapse-id`, at most 64 bytes: the device shows the newest of those that share it. */
  readonly collapseId?: string | undefined
  /** `apns-id`, a UUID. Default: APNs makes one. */
  readonly apnsId?: string | undefined
  /** How long to wait for the answer. Waiting for a free stream does not count. Default 10 seconds. */
  readonly timeout?: TimeSpan.TimeSpan | undefined
  /** Absolute time after which it fails with `Timeout`, whether queued, retrying or in flight. Default: none. */
  readonly deadline?: DateTime.DateTime | Date | undefined
  /** Whether to send again when it is not known whether APNs has processed it. Default: as the pool is set up. */
  readonly retransmit?: Request.Retransmit | undefined
}

/** What many tokens can share. */
type Shared = Omit<SendOptions, "token">

/**
 * Everything that can go wrong with a notification:
 *
 * - one tagged error for each reason that APNs gives a notification to a device (`Unregistered`, `TopicDisallowed`,
 *   ...), `UnknownReason` for reasons that APNs adds later;
 * - `BadDeviceToken` and `PayloadTooLarge`, which are also found before anything is sent (`origin: "local"`,
 *   `processed: "no"`);
 * - `Closed`, `Timeout`, `StreamReset`, `MalformedResponse`, `ResponseTooLarge`: no answer, or one that cannot be understood;
 *   `processed` says whether APNs can have processed the notification;
 * - `ParseError`: the notification or an option, whose path it names, is not valid. Nothing was sent.
 *
 * @since 0.1.0
 * @category errors
 */
export type SendError = Failure.PoolError | Rejection.Of<"device"> | ParseResult.ParseError

/**
 * The Schema of {@link SendError}: the error of a send that is the result of an Rpc, an Activity or a job in a queue.
 *
 * @example
 * ```ts
 * import { Receipt, Send } from "@effect-apns/pool"
 * import { Schema } from "effect"
 *
 * // What crosses a wire: the outcome of a send, whatever it was.
 * export const Outcome = Schema.Exit({ success: Receipt.Receipt, failure: Send.SendError, defect: Schema.Defect })
 * ```
 *
 * @since 1.0.0
 * @category schemas
 */
export const SendError: Schema.Schema<SendError, SendErrorEncoded> = Schema.suspend(() =>
  Schema.Union(Failure.PoolError, Rejection.of("device"), Schemas.ParseError)
)

/**
 * How a {@link SendError} is stored.
 *
 * @since 1.0.0
 * @category models
 */
export type SendErrorEncoded =
  | Schema.Schema.Encoded<typeof Failure.PoolError>
  | Rejection.Encoded
  | Schemas.ParseErrorEncoded

const reject = Rejection.makeOf("device")

/** @internal */
export const errorOfAnswer = (delivery: Delivery): SendError => errors.ofAnswer(delivery, reject)

/** @internal */
export const errorOfFailure = (failure: Failure.PoolFailure, attempts: number): SendError =>
  errors.ofFailure(failure, attempts, reject)

class Sending extends Delivery {
  constructor(
    path: string,
    spec: RequestSpec,
    readonly pool: Unsafe,
    private readonly resume: (effect: Effect.Effect<Receipt, SendError>) => void
  ) {
    super(path, spec)
  }

  onAnswered(): void {
    this.resume(
      this.status === 200
        ? Exit.succeed(Receipts.fromStream(this, this.attempts))
        : Exit.fail(errorOfAnswer(this))
    )
  }

  override onDied(cause: Cause.Cause<never>): void {
    this.resume(Exit.failCause(cause))
  }

  onFailed(failure: Failure.PoolFailure): void {
    this.resume(Exit.fail(errorOfFailure(failure, this.attempts)))
  }
}

const decodeToken = ParseResult.decodeUnknownEither(DeviceToken.DeviceToken)
const decodeTopic = options.decoder("topic", () => Topic.Topic)
const decodeCollapseId = options.decoder("collapseId", () => CollapseId.CollapseId)
const decodeApnsId = options.decoder("apnsId", () => ApnsId.ApnsId)
const decodePriority = options.decoder("priority", () => Priorities.Priority)

/** The error for an invalid device token; `undefined` for a valid one. @internal */
export const tokenError = (token: unknown): SendError | undefined => {
  if (DeviceToken.is(token)) return undefined
  const decoded = decodeToken(token)
  return reject({
    reason: "BadDeviceToken",
    origin: "local",
    processed: "no",
    attempts: 0,
    problem: Either.isLeft(decoded) ? ParseResult.TreeFormatter.formatIssueSync(decoded.left) : undefined
  })
}

/** The path of a notification, before its device token (Apple: "Sending notification requests to APNs"). */
const pathPrefix = "/3/device/"

interface Known {
  readonly defaultTopic: string | undefined
  readonly options: Shared
  readonly spec: Either.Either<RequestSpec, SendError>
  /** What notifications share that differ in nothing but their ids. */
  readonly base: RequestSpec | undefined
}

const known = new Memo<Notification.Notification, Known>()

const sameButIds = (a: Shared, b: Shared): boolean =>
  a.topic === b.topic && a.priority === b.priority && a.expiration === b.expiration && a.timeout === b.timeout &&
  a.deadline === b.deadline && a.retransmit === b.retransmit

/** `undefined` if an id is not valid: then {@link makeSpec} makes the error. */
const withIds = (base: RequestSpec, apnsId: unknown, collapseId: unknown): RequestSpec | undefined => {
  const extra = base.extra === undefined ? [] : base.extra.slice()
  if (collapseId !== undefined) {
    if (!CollapseId.is(collapseId)) return undefined
    extra.push("apns-collapse-id", collapseId)
  }
  if (apnsId !== undefined) {
    if (!ApnsId.is(apnsId)) return undefined
    extra.push("apns-id", apnsId.toLowerCase())
  }
  return {
    head: base.head,
    extra: extra.length === 0 ? undefined : extra,
    body: base.body,
    timeoutMillis: base.timeoutMillis,
    deadlineMillis: base.deadlineMillis,
    expirationMillis: base.expirationMillis,
    collapsible: collapseId !== undefined,
    retransmit: base.retransmit
  }
}

const baseOf = (spec: Either.Either<RequestSpec, SendError>, given: Shared): RequestSpec | undefined =>
  Either.isLeft(spec)
    ? undefined
    : {
      ...spec.right,
      extra: given.expiration === undefined ? undefined : spec.right.extra?.slice(0, 2),
      collapsible: false
    }

/**
 * Everything but the token, validated and encoded. One notification object with the same options is done once,
 * however many tokens it goes to; where only the ids differ, only they are looked at.
 *
 * @internal
 */
export const specOf = (
  given: Shared,
  defaultTopic: string | undefined
): Either.Either<RequestSpec, SendError> => {
  const hit = known.get(given.notification)
  if (hit !== undefined && hit.defaultTopic === defaultTopic && sameButIds(hit.options, given)) {
    const { apnsId, collapseId } = given
    if (hit.options.collapseId === collapseId && hit.options.apnsId === apnsId) return hit.spec
    const spec = hit.base === undefined ? undefined : withIds(hit.base, apnsId, collapseId)
    if (spec !== undefined) return Either.right(spec)
  }
  const spec = makeSpec(given, defaultTopic)
  known.set(given.notification, { defaultTopic, options: given, spec, base: baseOf(spec, given) })
  return spec
}

/** The names of the options, to find the one that cannot be read. */
const names = [
  "token",
  "notification",
  "topic",
  "priority",
  "expiration",
  "collapseId",
  "apnsId",
  "timeout",
  "deadline",
  "retransmit"
]

/** The error if reading the options threw. @internal */
export const unreadable = (given: unknown): SendError => options.unreadable(given, names)

/** {@link specOf} for options that may throw when they are read. @internal */
export const specOrRefusal = (
  given: Shared,
  defaultTopic: string | undefined
): Either.Either<RequestSpec, SendError> => options.reading(given, names, () => specOf(given, defaultTopic))

const makeSpec = (
  given: Shared,
  defaultTopic: string | undefined
): Either.Either<RequestSpec, SendError> => {
  const preparation = Notification.prepare(given.notification)
  if (Either.isLeft(preparation)) {
    const error = preparation.left
    return Either.left(error._tag === "ParseError" ? options.under("notification", given.notification)(error) : error)
  }
  const prepared = preparation.right
  const topic = given.topic === undefined ? defaultTopic : given.topic
  const head = headOf(topic, prepared, given.priority === undefined ? prepared.defaultPriority : given.priority)
  if (Either.isLeft(head)) return Either.left(head.left)
  const extra: Array<string> = []
  let expirationMillis = Infinity
  if (given.expiration !== undefined) {
    const seconds = options.expirationSeconds(given.expiration)
    if (Either.isLeft(seconds)) return Either.left(seconds.left)
    extra.push("apns-expiration", String(seconds.right))
    if (seconds.right > 0) expirationMillis = seconds.right * 1000
  }
  if (given.collapseId !== undefined) {
    const collapseId = decodeCollapseId(given.collapseId)
    if (Either.isLeft(collapseId)) return Either.left(collapseId.left)
    extra.push("apns-collapse-id", collapseId.right)
  }
  if (given.apnsId !== undefined) {
    const apnsId = decodeApnsId(given.apnsId)
    if (Either.isLeft(apnsId)) return Either.left(apnsId.left)
    extra.push("apns-id", apnsId.right.toLowerCase())
  }
  const timeoutMillis = options.timeoutMillis(given.timeout)
  if (Either.isLeft(timeoutMillis)) return Either.left(timeoutMillis.left)
  const deadlineMillis = options.deadlineMillis(given.deadline)
  if (Either.isLeft(deadlineMillis)) return Either.left(deadlineMillis.left)
  const retransmit = options.retransmit(given.retransmit)
  if (Either.isLeft(retransmit)) return Either.left(retransmit.left)
  return Either.right({
    head: head.right,
    extra: extra.length === 0 ? undefined : extra,
    body: prepared.body,
    timeoutMillis: timeoutMillis.right,
    deadlineMillis: deadlineMillis.right,
    expirationMillis,
    collapsible: given.collapseId !== undefined,
    retransmit: retransmit.right
  })
}

type Head = Either.Either<RequestSpec["head"], SendError>

/** The last head and the values it was made of: most notifications have the same ones. */
let latest:
  | {
    readonly topic: unknown
    readonly pushType: string
    readonly topicSuffix: string
    readonly priority: unknown
    readonly head: Head
  }
  | undefined

const headOf = (topic: unknown, { pushType, topicSuffix }: Notification.Prepared, priority: unknown): Head => {
  if (
    latest !== undefined && latest.topic === topic && latest.pushType === pushType &&
    latest.topicSuffix === topicSuffix && latest.priority === priority
  ) return latest.head
  const head = makeHead(topic, pushType, topicSuffix, priority)
  latest = { topic, pushType, topicSuffix, priority, head }
  return head
}

const makeHead = (topic: unknown, pushType: string, topicSuffix: string, priority: unknown): Head =>
  Either.gen(function*() {
    const headers: Array<readonly [string, string]> = []
    if (topic !== undefined) {
      headers.push(["apns-topic", yield* decodeTopic(Topic.withSuffix(yield* decodeTopic(topic), topicSuffix))])
    }
    headers.push(["apns-push-type", pushType])
    if (priority !== undefined) {
      const valid = yield* decodePriority(priority)
      const allowed: ReadonlyArray<Priority.Priority> = PushType.info(pushType).allowedPriorities
      if (!allowed.includes(valid)) {
        return yield* options.refuse(
          "priority",
          valid,
          `priority ${valid} is not allowed for ${pushType}: use ${allowed.join(" or ")}`
        )
      }
      headers.push(["apns-priority", String(valid)])
    }
    return Request.head("POST", headers, pathPrefix)
  })

/**
 * Sends one notification through the pool and waits for its outcome. Interrupting it cancels the notification where that
 * is still possible: by taking it out of the queue, or by RST_STREAM.
 *
 * @since 0.1.0
 * @category sending
 */
export const send = <const N extends Notification.Notification>(
  options: SendOptions<N>
): Effect.Effect<Receipt, SendError, ApnsPool.ApnsPool> =>
  Effect.withFiberRuntime((fiber) => {
    const pool = Context.unsafeGet(fiber.getFiberRef(FiberRef.currentContext), ApnsPool.ApnsPool)
    let token: string
    let spec: Either.Either<RequestSpec, SendError>
    try {
      token = options.token
      const invalidToken = tokenError(token)
      if (invalidToken !== undefined) {
        return Effect.fail(Predicate.isObject(options) ? invalidToken : unreadable(options))
      }
      spec = specOf(options, pool.topic)
    } catch {
      // getters are the caller's code and may throw, and callers in JavaScript may pass any value
      return Effect.fail(unreadable(options))
    }
    if (Either.isLeft(spec)) return Effect.fail(spec.left)
    return (pool.spans ? deliverWithSpan : deliver)(pool, token, spec.right)
  })

const deliver = (
  pool: ApnsPool.ApnsPool,
  path: string,
  spec: RequestSpec
): Effect.Effect<Receipt, SendError> =>
  Exchange.async((resume: (effect: Effect.Effect<Receipt, SendError>) => void) => {
    const sending = new Sending(path, spec, pool.unsafe, resume)
    pool.unsafe.submit(sending)
    return sending
  }, cancel)

const deliverWithSpan: typeof deliver = (pool, path, spec) => Tracing.send(pool, spec, deliver(pool, path, spec))

const cancel = (sending: Sending): void => sending.pool.cancel(sending)
