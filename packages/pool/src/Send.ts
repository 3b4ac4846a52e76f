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
import { Failure, Request, Response } from "@effect-apns/core"
import * as Exchange from "@effect-apns/core/unstable/Exchange"
import type { Expiration, Priority } from "@effect-apns/models"
import {
  ApnsId,
  CollapseId,
  DeviceToken,
  Expiration as Expirations,
  Notification,
  Priority as Priorities,
  PushType,
  Reason,
  Rejection,
  Topic
} from "@effect-apns/models"
import * as Context from "effect/Context"
import type * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as FiberRef from "effect/FiberRef"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as ApnsPool from "./ApnsPool.js"
import type { Receipt } from "./Receipt.js"
import * as Receipts from "./Receipt.js"
import * as Tracing from "./Tracing.js"
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
  /** `apns-expiration`: `"none"` for one attempt by APNs, or until when it may store the notification, which is a deadline for the request too. Default: none is sent, and APNs stores it as it sees fit. */
  readonly expiration?: Expiration.Expiration | undefined
  /** `apns-collapse-id`, at most 64 bytes: the device shows the newest of those that share it. */
  readonly collapseId?: string | undefined
  /** `apns-id`, a UUID. Default: APNs makes one. */
  readonly apnsId?: string | undefined
  /** How long to wait for the answer. Waiting for a free stream does not count. Default 10 seconds. */
  readonly timeout?: Duration.DurationInput | undefined
  /** When the send fails wherever it is. Default: none. */
  readonly deadline?: DateTime.DateTime | Date | undefined
  /** Whether to send again when nobody knows if APNs has processed it. Default: as the pool is set up. */
  readonly retransmit?: Request.Retransmit | undefined
}

/** What many tokens can share. */
type Shared = Omit<SendOptions, "token">

/**
 * Everything that can go wrong with a notification:
 *
 * - one tagged error for each reason that APNs gives (`Unregistered`, `BadDeviceToken`, ...), `UnknownReason` for
 *   those it invents later, and `PayloadTooLarge` found before a byte leaves;
 * - `Closed`, `Timeout`, `StreamReset`, `MalformedResponse`, `ResponseTooLarge`: no answer, or none that makes sense;
 *   `processed` says whether APNs can have processed the notification;
 * - `ParseError`: the input is not what APNs takes, and nothing was sent.
 *
 * @since 0.1.0
 * @category errors
 */
export type SendError = Failure.PoolError | Rejection.Rejection | ParseResult.ParseError

/** @internal */
export const errorOfAnswer = (delivery: Delivery): SendError => {
  const parsed = Response.fromStream(delivery, delivery.attempts, delivery.engineNow())
  if (Either.isLeft(parsed)) {
    return Failure.toError({
      _tag: "MalformedResponse",
      processed: "yes",
      status: delivery.status,
      description: parsed.left
    }, delivery.attempts)
  }
  const { apnsId, headers, reason, retryAfterMillis, status, timestamp, uniqueId } = parsed.right
  const requestId = Response.header(headers, "apns-request-id")
  return Rejection.make({
    status,
    reason: reason ?? "",
    processed: "yes",
    attempts: delivery.attempts,
    ...(apnsId === undefined ? undefined : { apnsId }),
    ...(uniqueId === undefined ? undefined : { uniqueId }),
    ...(requestId === undefined ? undefined : { requestId }),
    ...(timestamp === undefined ? undefined : { timestampMillis: timestamp }),
    ...(retryAfterMillis === undefined ? undefined : { retryAfterSeconds: Math.ceil(retryAfterMillis / 1000) })
  })
}

/** A GOAWAY that names what is wrong with the credentials says more than "closed". @internal */
export const errorOfFailure = (failure: Failure.PoolFailure, attempts: number): SendError => {
  if (failure._tag === "Closed") {
    const { closeCause, processed } = failure
    const reason = closeCause._tag === "CredentialsRefused" || closeCause._tag === "Goaway"
      ? closeCause.reason
      : undefined
    const known = reason === undefined ? undefined : Reason.known(reason)
    if (reason !== undefined && known !== undefined && Reason.table[known].class === "credential-fatal") {
      return Rejection.make({
        status: Reason.table[known].status,
        reason,
        processed,
        attempts,
        origin: "goaway"
      })
    }
  }
  return Failure.toError(failure, attempts)
}

class Sending extends Delivery {
  constructor(
    path: string,
    spec: Request.Spec,
    readonly pool: ApnsPool.Unsafe,
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

  onFailed(failure: Failure.PoolFailure): void {
    this.resume(Exit.fail(errorOfFailure(failure, this.attempts)))
  }
}

const decodeToken = ParseResult.decodeUnknownEither(DeviceToken.DeviceToken)
const decodeTopic = ParseResult.decodeUnknownEither(Topic.Topic)
const decodeCollapseId = ParseResult.decodeUnknownEither(CollapseId.CollapseId)
const decodeApnsId = ParseResult.decodeUnknownEither(ApnsId.ApnsId)
const decodePriority = ParseResult.decodeUnknownEither(Priorities.Priority)

const invalid = (
  schema: Schema.Schema.All,
  actual: unknown,
  message: string
): Either.Either<never, ParseResult.ParseError> =>
  Either.left(ParseResult.parseError(new ParseResult.Type(schema.ast, actual, message)))

/** What is wrong with a device token; nothing, for almost all. @internal */
export const tokenError = (token: string): ParseResult.ParseError | undefined => {
  if (DeviceToken.is(token)) return undefined
  const decoded = decodeToken(token)
  return Either.isLeft(decoded) ? ParseResult.parseError(decoded.left) : undefined
}

/** The path of a notification, before its device token (Apple: "Sending notification requests to APNs"). */
const pathPrefix = "/3/device/"

interface Known {
  readonly defaultTopic: string | undefined
  readonly options: Shared
  readonly spec: Either.Either<Request.Spec, SendError>
}

const known = new WeakMap<Notification.Notification, Known>()

const same = (a: Shared, b: Shared): boolean =>
  a.topic === b.topic && a.priority === b.priority && a.expiration === b.expiration &&
  a.collapseId === b.collapseId && a.apnsId === b.apnsId && a.timeout === b.timeout && a.deadline === b.deadline &&
  a.retransmit === b.retransmit

/**
 * Everything but the token, validated and encoded. One notification object with the same options is done once,
 * however many tokens it goes to.
 *
 * @internal
 */
export const specOf = (
  options: Shared,
  defaultTopic: string | undefined
): Either.Either<Request.Spec, SendError> => {
  const hit = known.get(options.notification)
  if (hit !== undefined && hit.defaultTopic === defaultTopic && same(hit.options, options)) return hit.spec
  const spec = makeSpec(options, defaultTopic)
  known.set(options.notification, { defaultTopic, options, spec })
  return spec
}

const makeSpec = (
  options: Shared,
  defaultTopic: string | undefined
): Either.Either<Request.Spec, SendError> =>
  Either.gen(function*() {
    const prepared = yield* Notification.prepare(options.notification)
    const headers: Array<readonly [string, string]> = []
    const extra: Array<string> = []
    const topic = options.topic ?? defaultTopic
    if (topic !== undefined) {
      const valid = yield* Either.mapLeft(decodeTopic(topic), ParseResult.parseError)
      headers.push([
        "apns-topic",
        yield* Either.mapLeft(decodeTopic(Topic.withSuffix(valid, prepared.topicSuffix)), ParseResult.parseError)
      ])
    }
    headers.push(["apns-push-type", prepared.pushType])
    const priority = options.priority ?? prepared.defaultPriority
    if (priority !== undefined) {
      const valid = yield* Either.mapLeft(decodePriority(priority), ParseResult.parseError)
      const allowed: ReadonlyArray<Priority.Priority> = PushType.info(prepared.pushType).allowedPriorities
      if (!allowed.includes(valid)) {
        return yield* invalid(
          Priorities.Priority,
          valid,
          `priority ${valid} is not allowed for ${prepared.pushType}: use ${allowed.join(" or ")}`
        )
      }
      headers.push(["apns-priority", String(valid)])
    }
    let expirationMillis = Infinity
    if (options.expiration !== undefined) {
      const seconds = yield* Expirations.toSeconds(options.expiration)
      extra.push("apns-expiration", String(seconds))
      if (seconds > 0) expirationMillis = seconds * 1000
    }
    if (options.collapseId !== undefined) {
      extra.push(
        "apns-collapse-id",
        yield* Either.mapLeft(decodeCollapseId(options.collapseId), ParseResult.parseError)
      )
    }
    if (options.apnsId !== undefined) {
      extra.push("apns-id", (yield* Either.mapLeft(decodeApnsId(options.apnsId), ParseResult.parseError)).toLowerCase())
    }
    const timeoutMillis = options.timeout === undefined
      ? Request.defaultTimeoutMillis
      : Duration.toMillis(options.timeout)
    if (!(timeoutMillis > 0)) {
      return yield* invalid(Schema.Number, timeoutMillis, "timeout must be longer than 0")
    }
    const { deadline } = options
    const deadlineMillis = deadline === undefined
      ? Infinity
      : deadline instanceof Date
      ? deadline.getTime()
      : deadline.epochMillis
    if (Number.isNaN(deadlineMillis)) return yield* invalid(Schema.DateFromSelf, deadline, "deadline is not a date")
    return {
      head: Request.head("POST", headers, pathPrefix),
      extra: extra.length === 0 ? undefined : extra,
      body: prepared.body,
      timeoutMillis,
      deadlineMillis,
      expirationMillis,
      collapsible: options.collapseId !== undefined,
      retransmit: options.retransmit
    }
  })

/**
 * Sends one notification through the pool and waits for what becomes of it. Interrupting it takes the notification
 * back where that is still possible: out of the queue, or by RST_STREAM.
 *
 * @since 0.1.0
 * @category sending
 */
export const send = <const N extends Notification.Notification>(
  options: SendOptions<N>
): Effect.Effect<Receipt, SendError, ApnsPool.ApnsPool> =>
  Effect.withFiberRuntime((fiber) => {
    const pool = Context.unsafeGet(fiber.getFiberRef(FiberRef.currentContext), ApnsPool.ApnsPool)
    const invalidToken = tokenError(options.token)
    if (invalidToken !== undefined) return Effect.fail(invalidToken)
    const spec = specOf(options, pool.topic)
    if (Either.isLeft(spec)) return Effect.fail(spec.left)
    return (pool.spans ? deliverWithSpan : deliver)(pool, options.token, spec.right)
  })

const deliver = (
  pool: ApnsPool.ApnsPool,
  path: string,
  spec: Request.Spec
): Effect.Effect<Receipt, SendError> =>
  Exchange.async((resume: (effect: Effect.Effect<Receipt, SendError>) => void) => {
    const sending = new Sending(path, spec, pool.unsafe, resume)
    pool.unsafe.submit(sending)
    return sending
  }, cancel)

const deliverWithSpan: typeof deliver = (pool, path, spec) => Tracing.send(pool, spec, deliver(pool, path, spec))

const cancel = (sending: Sending): void => sending.pool.cancel(sending)
