/**
 * Spans, for those who ask for them.
 *
 * A span costs more than the notification it describes, so pools make none unless they are told to, by the pool's option
 * `spans: true` or, for one effect, by {@link withSpans}; without them there is no cost. With spans, `send`
 * and `Broadcast.send` have one each (kind `"producer"`), a stream of `sendAll` or `sendEach` has one for all its
 * notifications (kind `"producer"`, one for each notification would be too many to be useful), and each request of
 * `Channels` has one (kind `"client"`). A failure ends its span as an error.
 *
 * The attributes are those of OpenTelemetry's semantic conventions for messaging, and a few of APNs's own. **No attribute
 * holds a device token**, and neither does an error: to find a device in a trace, annotate the span around the send
 * with an attribute that you choose (`Effect.annotateCurrentSpan`).
 *
 * @example
 * ```ts
 * import { Notification } from "@effect-apns/models"
 * import { send, Tracing } from "@effect-apns/pool"
 * import { Effect } from "effect"
 *
 * const program = send({
 *   token: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
 *   topic: "com.example.app",
 *   notification: Notification.alert({ alert: "Your order is on its way" })
 * }).pipe(Tracing.withSpans, Effect.withSpan("order shipped"))
 * console.log(Effect.isEffect(program))
 * ```
 *
 * @since 0.1.0
 */
import type { Failure, Response } from "@effect-apns/core"
import type { RequestSpec } from "@effect-apns/core/unstable/RequestSpec"
import type { Rejection } from "@effect-apns/models"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Scope from "effect/Scope"
import type * as Tracer from "effect/Tracer"
import * as ApnsPool from "./ApnsPool.js"
import type { Receipt } from "./Receipt.js"
import type { SendError } from "./Send.js"

/**
 * Always `"apns"` (OpenTelemetry: "Semantic conventions for messaging spans", as all whose name starts with
 * `messaging.`).
 *
 * @since 0.1.0
 * @category attributes
 */
export const ATTR_MESSAGING_SYSTEM = "messaging.system"

/**
 * `"send"`, `"send bulk"`, `"broadcast"`; with channels `"create channel"`, `"read channel"`, `"list channels"`, `"delete
 * channel"`.
 *
 * @since 0.1.0
 * @category attributes
 */
export const ATTR_MESSAGING_OPERATION_NAME = "messaging.operation.name"

/**
 * `"send"`; not with channels.
 *
 * @since 0.1.0
 * @category attributes
 */
export const ATTR_MESSAGING_OPERATION_TYPE = "messaging.operation.type"

/**
 * The topic of a notification; the bundle ID of a broadcast and of channels.
 *
 * @since 0.1.0
 * @category attributes
 */
export const ATTR_MESSAGING_DESTINATION_NAME = "messaging.destination.name"

/**
 * The `apns-id` of a notification, the `apns-request-id` of everything else.
 *
 * @since 0.1.0
 * @category attributes
 */
export const ATTR_MESSAGING_MESSAGE_ID = "messaging.message.id"

/**
 * The size of the payload, in bytes.
 *
 * @since 0.1.0
 * @category attributes
 */
export const ATTR_MESSAGING_MESSAGE_BODY_SIZE = "messaging.message.body.size"

/**
 * How many notifications of a bulk had an outcome.
 *
 * @since 0.1.0
 * @category attributes
 */
export const ATTR_MESSAGING_BATCH_MESSAGE_COUNT = "messaging.batch.message_count"

/**
 * The host that the pool connects to (OpenTelemetry: "Server, client and shared network attributes").
 *
 * @since 0.1.0
 * @category attributes
 */
export const ATTR_SERVER_ADDRESS = "server.address"

/**
 * The port that the pool connects to (OpenTelemetry: "Server, client and shared network attributes").
 *
 * @since 0.1.0
 * @category attributes
 */
export const ATTR_SERVER_PORT = "server.port"

/**
 * The tag of the failure: `"Unregistered"`, `"Timeout"`, ... (OpenTelemetry: "Error attributes").
 *
 * @since 0.1.0
 * @category attributes
 */
export const ATTR_ERROR_TYPE = "error.type"

/**
 * `apns-push-type`.
 *
 * @since 0.1.0
 * @category attributes
 */
export const ATTR_APNS_PUSH_TYPE = "apns.push_type"

/**
 * How many times the request was sent.
 *
 * @since 0.1.0
 * @category attributes
 */
export const ATTR_APNS_ATTEMPTS = "apns.attempts"

/**
 * `apns-unique-id`, where APNs sent one.
 *
 * @since 0.1.0
 * @category attributes
 */
export const ATTR_APNS_UNIQUE_ID = "apns.unique_id"

/**
 * With a failure: whether APNs processed the request, `"no"`, `"unknown"` or `"yes"`.
 *
 * @since 0.1.0
 * @category attributes
 */
export const ATTR_APNS_PROCESSED = "apns.processed"

/**
 * How many notifications of a bulk APNs accepted.
 *
 * @since 0.1.0
 * @category attributes
 */
export const ATTR_APNS_BATCH_ACCEPTED = "apns.batch.accepted"

const withSpansOf = (spans: boolean) =>
<A, E, R>(
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R | ApnsPool.ApnsPool> =>
  Effect.mapInputContext(self, (context: Context.Context<R | ApnsPool.ApnsPool>) => {
    const pool = Context.unsafeGet(context, ApnsPool.ApnsPool)
    return pool.spans === spans ? context : Context.add(context, ApnsPool.ApnsPool, { ...pool, spans })
  })

/**
 * Makes spans for what the effect sends, whatever its pool is set up for.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withSpans: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R | ApnsPool.ApnsPool> =
  withSpansOf(true)

/**
 * Makes no spans for what the effect sends, whatever its pool is set up for.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withoutSpans: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R | ApnsPool.ApnsPool> =
  withSpansOf(false)

const attributesOf = (
  pool: ApnsPool.ApnsPool,
  operation: string,
  isSend: boolean,
  destination: string | undefined
): Record<string, unknown> => ({
  [ATTR_MESSAGING_SYSTEM]: "apns",
  [ATTR_MESSAGING_OPERATION_NAME]: operation,
  ...(isSend ? { [ATTR_MESSAGING_OPERATION_TYPE]: "send" } : undefined),
  ...(destination === undefined ? undefined : { [ATTR_MESSAGING_DESTINATION_NAME]: destination }),
  ...(pool.endpoint === undefined
    ? undefined
    : { [ATTR_SERVER_ADDRESS]: pool.endpoint.host, [ATTR_SERVER_PORT]: pool.endpoint.port })
})

const nameOf = (operation: string, destination: string | undefined): string =>
  destination === undefined ? operation : `${operation} ${destination}`

const headerOf = (spec: RequestSpec, name: string): string | undefined =>
  spec.head.headers.find(([known]) => known === name)?.[1]

const describeFailure = (span: Tracer.Span, error: SendError | Rejection.Rejection): void => {
  span.attribute(ATTR_ERROR_TYPE, error._tag)
  if ("processed" in error) {
    span.attribute(ATTR_APNS_PROCESSED, error.processed)
    span.attribute(ATTR_APNS_ATTEMPTS, error.attempts)
  }
  if ("apnsId" in error && error.apnsId !== undefined) span.attribute(ATTR_MESSAGING_MESSAGE_ID, error.apnsId)
  if ("requestId" in error && error.requestId !== undefined) span.attribute(ATTR_MESSAGING_MESSAGE_ID, error.requestId)
}

const describeSuccess = (
  span: Tracer.Span,
  id: string | undefined,
  uniqueId: string | undefined,
  attempts: number
): void => {
  if (id !== undefined) span.attribute(ATTR_MESSAGING_MESSAGE_ID, id)
  if (uniqueId !== undefined) span.attribute(ATTR_APNS_UNIQUE_ID, uniqueId)
  span.attribute(ATTR_APNS_ATTEMPTS, attempts)
}

/** The span of one notification. @internal */
export const send = (
  pool: ApnsPool.ApnsPool,
  spec: RequestSpec,
  sending: Effect.Effect<Receipt, SendError>
): Effect.Effect<Receipt, SendError> => {
  const topic = headerOf(spec, "apns-topic")
  const attributes = attributesOf(pool, "send", true, topic)
  attributes[ATTR_MESSAGING_MESSAGE_BODY_SIZE] = spec.body.length
  attributes[ATTR_APNS_PUSH_TYPE] = headerOf(spec, "apns-push-type")
  return Effect.useSpan(
    nameOf("send", topic),
    { kind: "producer", captureStackTrace: false, attributes },
    (span) =>
      Effect.tapBoth(sending, {
        onFailure: (error) => Effect.sync(() => describeFailure(span, error)),
        onSuccess: ({ apnsId, attempts, uniqueId }) =>
          Effect.sync(() => describeSuccess(span, apnsId, uniqueId, attempts))
      })
  )
}

/** The span of a broadcast, or of a request to channel management. @internal */
export const call = <E extends Failure.PoolError | Rejection.Rejection>(
  pool: ApnsPool.ApnsPool,
  operation: string,
  bundleId: string,
  spec: RequestSpec,
  requestIdOf: (response: Response.Response) => string | undefined,
  calling: Effect.Effect<Response.Response, E>
): Effect.Effect<Response.Response, E> => {
  const isSend = operation === "broadcast"
  const attributes = attributesOf(pool, operation, isSend, bundleId)
  if (isSend) {
    attributes[ATTR_MESSAGING_MESSAGE_BODY_SIZE] = spec.body.length
    attributes[ATTR_APNS_PUSH_TYPE] = headerOf(spec, "apns-push-type")
  }
  return Effect.useSpan(
    nameOf(operation, bundleId),
    { kind: isSend ? "producer" : "client", captureStackTrace: false, attributes },
    (span) =>
      Effect.tapBoth(calling, {
        onFailure: (error) => Effect.sync(() => describeFailure(span, error)),
        onSuccess: (response) =>
          Effect.sync(() => describeSuccess(span, requestIdOf(response), response.uniqueId, response.attempts))
      })
  )
}

interface Source<In, Out> {
  readonly outcomeOf: (item: In, token: string, result: Either.Either<Receipt, SendError>) => Out
}

/** The span of a bulk, which ends with the scope; counts outcomes as they come. @internal */
export const bulk = <In, Out, S extends Source<In, Out>>(
  pool: ApnsPool.ApnsPool,
  source: S & Source<In, Out>
): Effect.Effect<S, never, Scope.Scope> =>
  Effect.gen(function*() {
    const span = yield* Effect.makeSpanScoped("send bulk", {
      kind: "producer",
      captureStackTrace: false,
      attributes: attributesOf(pool, "send bulk", true, undefined)
    })
    let count = 0
    let accepted = 0
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        span.attribute(ATTR_MESSAGING_BATCH_MESSAGE_COUNT, count)
        span.attribute(ATTR_APNS_BATCH_ACCEPTED, accepted)
      })
    )
    return {
      ...source,
      outcomeOf: (item: In, token: string, result: Either.Either<Receipt, SendError>) => {
        count++
        if (Either.isRight(result)) accepted++
        return source.outcomeOf(item, token, result)
      }
    }
  })
