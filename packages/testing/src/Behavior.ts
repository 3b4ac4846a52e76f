/**
 * What the mock does with one request, by name: answers, rejections, and every fault of a network or a
 * server. Hand them to `MockApns.next` (for the next requests, in order) or return them from `MockApns.script`.
 *
 * Each says whether the mock *processes* the notification, that is: checks it and, where the checks pass, counts it
 * among those that it accepted. Where a status is sent, whole or half, the mock did what that status says, without
 * further checks: 200 accepts, everything else rejects. So `MockApns.received` shows what
 * really happened, to compare with what a client reports.
 *
 * @example
 * ```ts
 * import { Behavior, MockApns } from "@effect-apns/testing"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const apns = yield* MockApns.MockApns
 *   // the next three requests: refused, answered late, and lost after it was processed
 *   yield* apns.next(Behavior.refuseStream, Behavior.slow("2 seconds"), Behavior.dropAfter)
 *   // and from then on every tenth device is gone
 *   yield* apns.script(({ token }) => token?.endsWith("0") === true ? Behavior.unregistered(1700000000000) : undefined)
 * })
 * console.log(Effect.isEffect(program))
 * ```
 *
 * @since 0.1.0
 */
import { ErrorCode } from "@effect-apns/http2/ErrorCode"
import * as Frame from "@effect-apns/http2/Frame"
import type * as TimeSpan from "@effect-apns/models/TimeSpan"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import { constant } from "effect/Function"
import * as frames from "./internal/frames.js"
import * as reasons from "./internal/reasons.js"
import { spanOf } from "./internal/spanOf.js"

/**
 * One way to treat a request. Use the constructors of this module; the fields are for reading.
 *
 * @since 0.1.0
 * @category models
 */
export type Behavior = Accept | Respond | Reset | Stall | Drop | GoAway | Slow | Written

/**
 * Answers 200 without any check.
 *
 * @since 0.1.0
 * @category models
 */
export interface Accept {
  readonly _tag: "Accept"
  readonly apnsId: string | undefined
  readonly uniqueId: string | undefined
  readonly headers: Readonly<Record<string, string>>
}

/**
 * Answers as told. `body: undefined` ends the stream with the headers.
 *
 * @since 0.1.0
 * @category models
 */
export interface Respond {
  readonly _tag: "Respond"
  readonly status: number
  readonly reason: string | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array | undefined
}

/**
 * Ends the stream with RST_STREAM.
 *
 * @since 0.1.0
 * @category models
 */
export interface Reset {
  readonly _tag: "Reset"
  readonly codes: ReadonlyArray<number>
  readonly afterHeaders: boolean
  readonly processed: boolean
}

/**
 * Never ends the stream.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stall {
  readonly _tag: "Stall"
  readonly afterHeaders: boolean
  readonly processed: boolean
}

/**
 * Ends the TCP connection.
 *
 * @since 0.1.0
 * @category models
 */
export interface Drop {
  readonly _tag: "Drop"
  readonly when: "before" | "after" | "during"
  readonly reset: boolean
}

/**
 * Sends GOAWAY.
 *
 * @since 0.1.0
 * @category models
 */
export interface GoAway {
  readonly _tag: "GoAway"
  readonly when: "before" | "after" | "instead"
  readonly lastStreamId: number | undefined
  readonly code: number
  readonly reason: string | undefined
  readonly debug: string | undefined
}

/**
 * Does something else, later.
 *
 * @since 0.1.0
 * @category models
 */
export interface Slow {
  readonly _tag: "Slow"
  readonly delay: Duration.Duration
  readonly then: Behavior | undefined
}

/**
 * Writes bytes of its own in place of an answer.
 *
 * @since 0.1.0
 * @category models
 */
export interface Written {
  readonly _tag: "Written"
  readonly name: string
  readonly processed: boolean
  readonly status: number | undefined
  readonly reason: string | undefined
  readonly bytes: (streamId: number, apnsId: string) => Uint8Array
}

/**
 * Answers 200, whatever the checks would say.
 *
 * @since 0.1.0
 * @category answers
 */
export const accept: Behavior = { _tag: "Accept", apnsId: undefined, uniqueId: undefined, headers: {} }

/**
 * Answers 200 with these ids and headers.
 *
 * @since 0.1.0
 * @category answers
 */
export const acceptWith = (options: {
  readonly apnsId?: string | undefined
  readonly uniqueId?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
}): Behavior => ({
  _tag: "Accept",
  apnsId: options.apnsId,
  uniqueId: options.uniqueId,
  headers: options.headers ?? {}
})

/**
 * How long an answer asks to wait: a Duration such as `"30 seconds"`, or a number of seconds, as the header `retry-after` has
 * it (RFC 9110 section 10.2.3).
 *
 * @since 1.0.0
 * @category models
 */
export type RetryAfter = TimeSpan.TimeSpan | number

const secondsOf = (retryAfter: RetryAfter): number =>
  Math.ceil(typeof retryAfter === "number" ? retryAfter : Duration.toSeconds(spanOf("retryAfter", retryAfter)))

/**
 * A rejection in full.
 *
 * @since 0.1.0
 * @category models
 */
export interface RejectOptions {
  /** The reason string, one of Apple's or any other. */
  readonly reason: string
  /** The status. Defaults to the one that Apple documents for the reason, and to 400 for a reason that it does not know. */
  readonly status?: number | undefined
  /** When the token was found dead; APNs sends it with 410, in milliseconds. */
  readonly timestamp?: DateTime.DateTime | number | undefined
  /** Sent as `retry-after`: a Duration, or a number of seconds as in the header. */
  readonly retryAfter?: RetryAfter | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/**
 * Rejects the request for this reason, with the status that belongs to it (Apple: "Handling notification responses
 * from APNs").
 *
 * @since 0.1.0
 * @category answers
 */
export const reject = (rejection: string | RejectOptions): Behavior => {
  const { headers, reason, retryAfter, status, timestamp }: RejectOptions = typeof rejection === "string"
    ? { reason: rejection }
    : rejection
  const millis = timestamp === undefined || typeof timestamp === "number"
    ? timestamp
    : DateTime.toEpochMillis(timestamp)
  return {
    _tag: "Respond",
    status: status ?? reasons.statusOf(reason),
    reason,
    headers: retryAfter === undefined
      ? headers ?? {}
      : { ...headers, "retry-after": String(secondsOf(retryAfter)) },
    body: JSON.stringify(millis === undefined ? { reason } : { reason, timestamp: millis })
  }
}

/**
 * Answers exactly this.
 *
 * @since 0.1.0
 * @category answers
 */
export const respond = (options: {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: string | Uint8Array | undefined
}): Behavior => ({
  _tag: "Respond",
  status: options.status,
  reason: undefined,
  headers: options.headers ?? {},
  body: options.body
})

/**
 * 403 `ExpiredProviderToken`. The mock then takes a newer token on that connection without complaint.
 *
 * @since 0.1.0
 * @category answers
 */
export const expiredProviderToken: Behavior = reject("ExpiredProviderToken")

/**
 * 429 `TooManyProviderTokenUpdates`.
 *
 * @since 0.1.0
 * @category answers
 */
export const tooManyProviderTokenUpdates: Behavior = reject("TooManyProviderTokenUpdates")

/**
 * 429 `TooManyRequests`, with `retry-after` where given.
 *
 * @since 0.1.0
 * @category answers
 */
export const tooManyRequests = (options?: { readonly retryAfter?: RetryAfter | undefined }): Behavior =>
  reject({ reason: "TooManyRequests", ...options })

/**
 * 503 `ServiceUnavailable`, with `retry-after` where given.
 *
 * @since 0.1.0
 * @category answers
 */
export const unavailable = (options?: { readonly retryAfter?: RetryAfter | undefined }): Behavior =>
  reject({ reason: "ServiceUnavailable", ...options })

/**
 * 503 `Shutdown`.
 *
 * @since 0.1.0
 * @category answers
 */
export const shutdown: Behavior = reject("Shutdown")

/**
 * 500 `InternalServerError`.
 *
 * @since 0.1.0
 * @category answers
 */
export const internalServerError: Behavior = reject("InternalServerError")

/**
 * 410 `Unregistered` with the time since when the token is dead.
 *
 * @since 0.1.0
 * @category answers
 */
export const unregistered = (timestamp: DateTime.DateTime | number): Behavior =>
  reject({ reason: "Unregistered", timestamp })

/**
 * Answers as APNs does, this much later. The notification is processed when the delay is over.
 *
 * @since 0.1.0
 * @category answers
 */
export const slow = (delay: TimeSpan.TimeSpan, then?: Behavior): Behavior => ({
  _tag: "Slow",
  delay: spanOf("The delay of MockApns.slow", delay),
  then
})

/**
 * RST_STREAM with REFUSED_STREAM as soon as the request headers arrive: provably not processed (RFC 9113 section 8.7).
 *
 * @since 0.1.0
 * @category stream faults
 */
export const refuseStream: Behavior = {
  _tag: "Reset",
  codes: [ErrorCode.REFUSED_STREAM],
  afterHeaders: false,
  processed: false
}

/**
 * RST_STREAM with this code in place of an answer. Several codes send several frames for the same stream.
 *
 * @since 0.1.0
 * @category stream faults
 */
export const resetStream = (
  code: number | ReadonlyArray<number>,
  options?: {
    /** Process the notification first. Defaults to `true`. */
    readonly processed?: boolean | undefined
    /**
     * Reject the notification (400 BadDeviceToken) and send the response headers, but not the body, before the reset.
     * Defaults to `false`.
     */
    readonly afterHeaders?: boolean | undefined
  }
): Behavior => ({
  _tag: "Reset",
  codes: typeof code === "number" ? [code] : code,
  afterHeaders: options?.afterHeaders ?? false,
  processed: options?.processed ?? true
})

/**
 * Processes the notification and never answers.
 *
 * @since 0.1.0
 * @category stream faults
 */
export const stall: Behavior = { _tag: "Stall", afterHeaders: false, processed: true }

/**
 * Loses the request before it is processed, and never answers.
 *
 * @since 0.1.0
 * @category stream faults
 */
export const swallow: Behavior = { _tag: "Stall", afterHeaders: false, processed: false }

/**
 * Rejects the notification (400 BadDeviceToken), sends the response headers, and never the body that they promise.
 *
 * @since 0.1.0
 * @category stream faults
 */
export const stallBody: Behavior = { _tag: "Stall", afterHeaders: true, processed: true }

/**
 * Drops the TCP connection as soon as the request headers arrive; the notification is not processed. `reset: true`
 * ends it with a TCP RST in place of FIN.
 *
 * @since 0.1.0
 * @category connection faults
 */
export const dropBefore: Behavior = { _tag: "Drop", when: "before", reset: false }

/**
 * Processes the notification, then drops the TCP connection without an answer.
 *
 * @since 0.1.0
 * @category connection faults
 */
export const dropAfter: Behavior = { _tag: "Drop", when: "after", reset: false }

/**
 * Rejects the notification (400 BadDeviceToken), and drops the TCP connection in the middle of the answer: after its
 * headers and half of a DATA frame.
 *
 * @since 0.1.0
 * @category connection faults
 */
export const dropDuring: Behavior = { _tag: "Drop", when: "during", reset: false }

/**
 * Drops the TCP connection at this point, with FIN or (`reset: true`) with RST.
 *
 * @since 0.1.0
 * @category connection faults
 */
export const drop = (options: {
  readonly when: "before" | "after" | "during"
  readonly reset?: boolean | undefined
}): Behavior => ({ _tag: "Drop", when: options.when, reset: options.reset ?? false })

/**
 * What a GOAWAY says.
 *
 * @since 0.1.0
 * @category models
 */
export interface GoAwayOptions {
  /** The error code (RFC 9113 section 7). Defaults to 0, NO_ERROR. */
  readonly code?: number | undefined
  /** Sent as APNs does, as JSON `{"reason": "..."}` in the debug data. */
  readonly reason?: string | undefined
  /** Sent as debug data as it is, in place of `reason`. */
  readonly debug?: string | undefined
  /** The last stream id, raised to the highest stream that was processed. Each constructor says what it defaults to. */
  readonly lastStreamId?: number | undefined
}

const goaway = (when: GoAway["when"], options: GoAwayOptions | undefined): Behavior => ({
  _tag: "GoAway",
  when,
  code: options?.code ?? ErrorCode.NO_ERROR,
  reason: options?.reason,
  debug: options?.debug,
  lastStreamId: options?.lastStreamId
})

/**
 * Sends GOAWAY that leaves this request out (last-stream-id defaults to the stream before it), does not process it, and
 * goes on answering the earlier ones.
 *
 * @since 0.1.0
 * @category connection faults
 */
export const goawayBefore = (options?: GoAwayOptions): Behavior => goaway("before", options)

/**
 * Sends GOAWAY that includes this request (last-stream-id defaults to its stream), then processes and answers it.
 *
 * @since 0.1.0
 * @category connection faults
 */
export const goawayAfter = (options?: GoAwayOptions): Behavior => goaway("after", options)

/**
 * Sends GOAWAY in place of an answer and closes the connection. Nothing is processed where `lastStreamId` is below this
 * stream. Defaults to 0 with a `reason`, as APNs does it for bad certificates, and to this stream without.
 *
 * @since 0.1.0
 * @category connection faults
 */
export const goawayInstead = (options?: GoAwayOptions): Behavior => goaway("instead", options)

const text = (value: string): Uint8Array => Buffer.from(value, "utf8")

const written = (
  name: string,
  bytes: (streamId: number, apnsId: string) => Uint8Array,
  answer?: { readonly status?: number; readonly reason?: string }
): Behavior => ({ _tag: "Written", name, processed: true, status: answer?.status, reason: answer?.reason, bytes })

const rejectionHeaders = (status: number, apnsId: string): Uint8Array =>
  frames.headerBlock([[":status", String(status)], ["apns-id", apnsId], ["content-type", "application/json"]])

/**
 * Writes these bytes to the connection in place of an answer, between two frames. For faults that have no name here.
 *
 * @since 0.1.0
 * @category malformed answers
 */
export const bytes = (
  make: (streamId: number, apnsId: string) => Uint8Array,
  options?: { readonly processed?: boolean | undefined }
): Behavior => ({
  _tag: "Written",
  name: "bytes",
  processed: options?.processed ?? true,
  status: undefined,
  reason: undefined,
  bytes: make
})

/**
 * A rejection whose body arrives in two DATA frames.
 *
 * @since 0.1.0
 * @category malformed answers
 */
export const splitBody = (reason = "BadDeviceToken"): Behavior => {
  const status = reasons.statusOf(reason)
  const body = text(JSON.stringify({ reason }))
  return written("splitBody", (streamId, apnsId) =>
    Buffer.concat([
      frames.headers(streamId, rejectionHeaders(status, apnsId), false),
      Frame.data(streamId, body.subarray(0, 7)),
      Frame.data(streamId, body.subarray(7), { endStream: true })
    ]), { status, reason })
}

/**
 * A rejection whose last DATA frame is empty.
 *
 * @since 0.1.0
 * @category malformed answers
 */
export const emptyLastData = (reason = "BadDeviceToken"): Behavior => {
  const status = reasons.statusOf(reason)
  return written("emptyLastData", (streamId, apnsId) =>
    Buffer.concat([
      frames.headers(streamId, rejectionHeaders(status, apnsId), false),
      Frame.data(streamId, text(JSON.stringify({ reason }))),
      Frame.data(streamId, new Uint8Array(), { endStream: true })
    ]), { status, reason })
}

/**
 * A status with no body at all. Defaults to 400.
 *
 * @since 0.1.0
 * @category malformed answers
 */
export const noBody = (status = 400): Behavior => respond({ status })

/**
 * A status whose body is not JSON. Defaults to 502, as a proxy on the way would send.
 *
 * @since 0.1.0
 * @category malformed answers
 */
export const notJson = (status = 502): Behavior =>
  respond({ status, headers: { "content-type": "text/html" }, body: "<html><body>Bad Gateway</body></html>" })

/**
 * A 400 whose body has this many bytes (JSON, with a very long reason).
 *
 * @since 0.1.0
 * @category malformed answers
 */
export const bodyTooLarge = (size = 1024 * 1024): Behavior =>
  respond({
    status: 400,
    headers: { "content-type": "application/json" },
    body: `{"reason":"${"x".repeat(Math.max(0, size - 13))}"}`
  })

/**
 * A 200 whose headers take this many bytes: HEADERS and as many CONTINUATION frames as that needs.
 *
 * @since 0.1.0
 * @category malformed answers
 */
export const headersTooLarge = (size = 64 * 1024): Behavior =>
  written("headersTooLarge", (streamId, apnsId) => {
    const fields: Array<readonly [string, string]> = [[":status", "200"], ["apns-id", apnsId]]
    for (let left = size, n = 0; left > 0; left -= 4000, n++) {
      fields.push([`x-filler-${n}`, "x".repeat(Math.min(left, 4000))])
    }
    return frames.headers(streamId, frames.headerBlock(fields), true)
  }, { status: 200 })

/**
 * Response headers without `:status` (malformed: RFC 9113 section 8.3.2).
 *
 * @since 0.1.0
 * @category malformed answers
 */
export const noStatus: Behavior = written(
  "noStatus",
  (streamId, apnsId) => frames.headers(streamId, frames.headerBlock([["apns-id", apnsId]]), true)
)

/**
 * A `:status` that is no number (malformed: RFC 9113 section 8.3.2).
 *
 * @since 0.1.0
 * @category malformed answers
 */
export const badStatus: Behavior = written(
  "badStatus",
  (streamId, apnsId) => frames.headers(streamId, frames.headerBlock([[":status", "okay"], ["apns-id", apnsId]]), true)
)

/**
 * An upper-case header name (malformed: RFC 9113 section 8.2.1).
 *
 * @since 0.1.0
 * @category malformed answers
 */
export const upperCaseHeader: Behavior = written(
  "upperCaseHeader",
  (streamId, apnsId) => frames.headers(streamId, frames.headerBlock([[":status", "200"], ["Apns-Id", apnsId]]), true)
)

/**
 * A 100 (Continue) before the 200 (allowed: RFC 9113 section 8.1).
 *
 * @since 0.1.0
 * @category malformed answers
 */
export const informational: Behavior = written("informational", (streamId, apnsId) =>
  Buffer.concat([
    frames.headers(streamId, frames.headerBlock([[":status", "100"]]), false),
    frames.headers(streamId, frames.headerBlock([[":status", "200"], ["apns-id", apnsId]]), true)
  ]), { status: 200 })

/**
 * A 200 with trailers after an empty body (allowed: RFC 9113 section 8.1).
 *
 * @since 0.1.0
 * @category malformed answers
 */
export const trailers: Behavior = written("trailers", (streamId, apnsId) =>
  Buffer.concat([
    frames.headers(streamId, frames.headerBlock([[":status", "200"], ["apns-id", apnsId]]), false),
    frames.headers(streamId, frames.headerBlock([["x-trailer", "1"]]), true)
  ]), { status: 200 })

/**
 * DATA before any HEADERS (malformed: RFC 9113 section 8.1).
 *
 * @since 0.1.0
 * @category malformed answers
 */
export const dataBeforeHeaders: Behavior = written(
  "dataBeforeHeaders",
  (streamId) => Frame.data(streamId, text("{}"), { endStream: true })
)

/**
 * A header block that points past the end of the dynamic table: a connection error, COMPRESSION_ERROR (RFC 7541
 * section 2.3.3, RFC 9113 section 4.3).
 *
 * @since 0.1.0
 * @category malformed answers
 */
export const garbledHeaders: Behavior = written(
  "garbledHeaders",
  (streamId) => frames.headers(streamId, Uint8Array.of(0xff, 0xff, 0x7f), true)
)

/**
 * A frame that claims to be larger than the client allows: a connection error, FRAME_SIZE_ERROR (RFC 9113 section 4.2).
 *
 * @since 0.1.0
 * @category malformed answers
 */
export const oversizeFrame: Behavior = written(
  "oversizeFrame",
  (streamId) => Frame.data(streamId, new Uint8Array(Frame.minMaxFrameSize + 1))
)

/**
 * Bytes that are no HTTP/2 at all.
 *
 * @since 0.1.0
 * @category malformed answers
 */
export const garbage: Behavior = written(
  "garbage",
  constant(text("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"))
)

const okay = (streamId: number, apnsId: string): Uint8Array =>
  frames.headers(streamId, frames.headerBlock([[":status", "200"], ["apns-id", apnsId]]), true)

const flood = (name: string, one: (streamId: number) => Uint8Array, count: number): Behavior =>
  written(name, (streamId, apnsId) => {
    const frame = one(streamId)
    return Buffer.concat([...Array.from({ length: count }, () => frame), okay(streamId, apnsId)])
  }, { status: 200 })

/**
 * A 200 after a frame of a type that RFC 9113 does not define (allowed, to be ignored: section 4.1).
 *
 * @since 0.1.0
 * @category malformed answers
 */
export const unknownFrame: Behavior = written(
  "unknownFrame",
  (streamId, apnsId) => Buffer.concat([Frame.frame(0xfe, 0xff, streamId, text("?")), okay(streamId, apnsId)]),
  { status: 200 }
)

/**
 * A PUSH_PROMISE, which the client forbids: a connection error, PROTOCOL_ERROR (RFC 9113 section 8.4).
 *
 * @since 0.1.0
 * @category malformed answers
 */
export const pushPromise: Behavior = written("pushPromise", (streamId) =>
  Frame.frame(
    Frame.FrameType.PUSH_PROMISE,
    Frame.Flag.END_HEADERS,
    streamId,
    Buffer.concat([Uint8Array.of(0, 0, 0, 2), frames.headerBlock([[":method", "GET"], [":path", "/"]])])
  ))

/**
 * A WINDOW_UPDATE that lifts the window of the connection above 2^31-1: a connection error, FLOW_CONTROL_ERROR (RFC
 * 9113 section 6.9.1).
 *
 * @since 0.1.0
 * @category malformed answers
 */
export const windowOverflow: Behavior = written("windowOverflow", () => Frame.windowUpdate(0, Frame.maxInt31))

/**
 * A header block in this many CONTINUATION frames, which never ends.
 *
 * @since 0.1.0
 * @category malformed answers
 */
export const continuationFlood = (count = 10_000): Behavior =>
  written("continuationFlood", (streamId) =>
    Buffer.concat([
      Frame.headers(streamId, new Uint8Array(), { endHeaders: false }),
      ...Array.from({ length: count }, () => Frame.continuation(streamId, new Uint8Array(), false))
    ]))

/**
 * This many PINGs, then a 200.
 *
 * @since 0.1.0
 * @category malformed answers
 */
export const pingFlood = (count = 10_000): Behavior => flood("pingFlood", () => Frame.ping(1), count)

/**
 * This many SETTINGS frames, then a 200.
 *
 * @since 0.1.0
 * @category malformed answers
 */
export const settingsFlood = (count = 10_000): Behavior => flood("settingsFlood", () => Frame.settings(), count)

/**
 * The headers of a rejection and this many empty DATA frames, then nothing.
 *
 * @since 0.1.0
 * @category malformed answers
 */
export const emptyDataFlood = (count = 10_000): Behavior =>
  written("emptyDataFlood", (streamId, apnsId) =>
    Buffer.concat([
      frames.headers(streamId, rejectionHeaders(400, apnsId), false),
      ...Array.from({ length: count }, () => Frame.data(streamId, new Uint8Array()))
    ]), { status: 400, reason: "BadDeviceToken" })
