/**
 * How a request can fail, and whether APNs can have processed it.
 *
 * Inside the library a failure is plain data ({@link Failure}), shared by every request that one event hit; what a
 * caller sees is one of the tagged errors, made from it by {@link toError}.
 *
 * @example
 * ```ts
 * import { Failure } from "@effect-apns/core"
 *
 * const advise = (error: Failure.RequestError): string =>
 *   error.processed === "no" ? "safe to send again" : "the device may have got it already"
 *
 * const dropped = Failure.toError(Failure.closed("unknown", { _tag: "Dropped", code: "ECONNRESET" }), 1)
 * console.log(dropped.message, advise(dropped))
 * ```
 *
 * @since 0.1.0
 */
import { ErrorCode } from "@effect-apns/http2"
import * as Printable from "@effect-apns/models/Printable"
import type * as Processed from "@effect-apns/models/Processed"
import * as Schemas from "@effect-apns/models/unstable/Schemas"
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import { ConnectError } from "./ConnectError.js"
import { CredentialsError } from "./Credentials.js"

/**
 * Why a connection or a pool took no more requests, or lost those it had.
 *
 * @since 0.1.0
 * @category models
 */
export type CloseCause =
  /** The server sent GOAWAY. `reason` is what APNs put into its debug data (Apple: "Handling notification responses from APNs"). */
  | {
    readonly _tag: "Goaway"
    readonly code: number
    readonly codeName: string
    readonly lastStreamId: number
    readonly reason: string | undefined
    readonly debugData: string
  }
  /** TCP or TLS ended; `code` is the socket's error code, `undefined` when the server closed the connection normally. */
  | { readonly _tag: "Dropped"; readonly code: string | undefined }
  /** The server did not answer a PING in time. */
  | { readonly _tag: "PingTimeout"; readonly after: Duration.Duration }
  /** The server broke HTTP/2 (RFC 9113) or HPACK (RFC 7541). */
  | { readonly _tag: "ProtocolError"; readonly code: number; readonly codeName: string; readonly description: string }
  /** The connection was taken out of use: it was replaced, the pool got smaller, or too many requests in a row got no answer (`timeouts`: how many). */
  | { readonly _tag: "Retired"; readonly timeouts?: number | undefined }
  /** The request's headers are larger than the server takes (SETTINGS_MAX_HEADER_LIST_SIZE, RFC 9113 section 6.5.2), or may not be sent at all. */
  | { readonly _tag: "HeadersRefused" }
  /** The scope that owned the connection or pool was closed. */
  | { readonly _tag: "ScopeClosed" }
  /** No connection could be opened. */
  | { readonly _tag: "ConnectFailed"; readonly error: ConnectError | CredentialsError }
  /** APNs refuses the credentials; the pool stays closed until it is built again with good ones. */
  | { readonly _tag: "CredentialsRefused"; readonly reason: string }

/**
 * How a {@link CloseCause} is stored.
 *
 * @since 1.0.0
 * @category models
 */
export type CloseCauseEncoded =
  | Exclude<CloseCause, { readonly _tag: "ConnectFailed" | "PingTimeout" }>
  /** `after` is in milliseconds. */
  | { readonly _tag: "PingTimeout"; readonly after: number }
  | {
    readonly _tag: "ConnectFailed"
    readonly error: Schema.Schema.Encoded<typeof ConnectError> | Schema.Schema.Encoded<typeof CredentialsError>
  }

/**
 * The Schema of {@link CloseCause}.
 *
 * @since 1.0.0
 * @category schemas
 */
export const CloseCause: Schema.Schema<CloseCause, CloseCauseEncoded> = Schema.suspend(() => {
  const text = Schema.UndefinedOr(Schema.String)
  return Schema.Union(
    Schema.Struct({
      _tag: Schema.Literal("Goaway"),
      code: Schema.Number,
      codeName: Schema.String,
      lastStreamId: Schema.Number,
      reason: text,
      debugData: Schema.String
    }),
    Schema.Struct({ _tag: Schema.Literal("Dropped"), code: text }),
    Schema.Struct({ _tag: Schema.Literal("PingTimeout"), after: Schema.DurationFromMillis }),
    Schema.Struct({
      _tag: Schema.Literal("ProtocolError"),
      code: Schema.Number,
      codeName: Schema.String,
      description: Schema.String
    }),
    Schema.Struct({ _tag: Schema.Literal("Retired"), timeouts: Schema.optional(Schema.Number) }),
    Schema.Struct({ _tag: Schema.Literal("HeadersRefused") }),
    Schema.Struct({ _tag: Schema.Literal("ScopeClosed") }),
    Schema.Struct({ _tag: Schema.Literal("ConnectFailed"), error: Schema.Union(ConnectError, CredentialsError) }),
    Schema.Struct({ _tag: Schema.Literal("CredentialsRefused"), reason: Schema.String })
  )
})

/**
 * The limit that a request ran into: `timeout` (time for the answer), `deadline` (the caller's point in time), or
 * `expiration` (the notification's own `apns-expiration`).
 *
 * @since 0.1.0
 * @category models
 */
export type TimeLimit = "timeout" | "deadline" | "expiration"

/**
 * A failure as data.
 *
 * @since 0.1.0
 * @category models
 */
export type Failure =
  | { readonly _tag: "Blocked"; readonly processed: "no" }
  | { readonly _tag: "Closed"; readonly processed: "no" | "unknown"; readonly closeCause: CloseCause }
  | {
    readonly _tag: "Timeout"
    readonly processed: "no" | "unknown"
    readonly limit: TimeLimit
    readonly closeCause: CloseCause | undefined
  }
  | { readonly _tag: "StreamReset"; readonly processed: "no" | "unknown"; readonly code: number }
  | {
    readonly _tag: "MalformedResponse"
    readonly processed: "unknown" | "yes"
    readonly status: number
    readonly description: string
  }
  | {
    readonly _tag: "ResponseTooLarge"
    readonly processed: "unknown" | "yes"
    readonly status: number
    readonly description: string
  }

/**
 * A failure that a pool can report: where a connection fails with {@link Blocked} a pool queues, and its queue may be full.
 *
 * @since 0.1.0
 * @category models
 */
export type PoolFailure =
  | Exclude<Failure, { readonly _tag: "Blocked" }>
  | { readonly _tag: "QueueFull"; readonly processed: "no"; readonly maxQueued: number }

const fate = (processed: Processed.Processed): string =>
  processed === "no"
    ? "APNs did not process the notification; sending it again is safe."
    : processed === "unknown"
    ? "APNs may have processed the notification; sending it again may show it twice."
    : "APNs answered."

const statusOf = ({ status }: { readonly status: number }): string => status === 0 ? "" : ` (status ${status})`

/**
 * One sentence about a {@link CloseCause}.
 *
 * @since 0.1.0
 * @category accessors
 */
export const describeCause = (cause: CloseCause): string => {
  switch (cause._tag) {
    case "Goaway":
      return `the server sent GOAWAY ${cause.codeName}${
        cause.reason === undefined ? "" : ` (${Printable.text(cause.reason)})`
      }, last-stream-id ${cause.lastStreamId}`
    case "Dropped":
      return cause.code === undefined ? "the server closed the connection" : `the connection was lost (${cause.code})`
    case "PingTimeout":
      return `the server did not answer a PING within ${Duration.format(cause.after)}`
    case "ProtocolError":
      return `the server broke the HTTP/2 protocol (${cause.codeName}: ${Printable.text(cause.description)})`
    case "Retired":
      return cause.timeouts === undefined
        ? "the connection was retired"
        : `the connection was retired: ${cause.timeouts} requests in a row got no answer in time`
    case "HeadersRefused":
      return "the request's headers are larger than the server takes, or hold characters that may not be sent"
    case "ScopeClosed":
      return "its scope was closed"
    case "ConnectFailed":
      return `no connection could be opened: ${cause.error.message}`
    case "CredentialsRefused":
      return `APNs refuses the credentials (${Printable.text(cause.reason)}); fix them and build the pool again`
  }
}

/**
 * The connection has no free stream at the moment: wait for an answer, or use a pool, which queues.
 *
 * @since 0.1.0
 * @category errors
 */
export class Blocked extends Schemas.taggedError<Blocked>()("Blocked", () => ({
  processed: Schema.Literal("no"),
  attempts: Schema.NonNegativeInt
})) {
  override get message(): string {
    return `The connection has no free stream; wait for an answer, or use ApnsPool. ${fate(this.processed)}`
  }
}

/**
 * As many requests wait in the pool as its option `maxQueued` allows: this one was not taken. Send fewer at a time
 * (`Effect.forEach` with a `concurrency`, or `sendAll`), or send it again later.
 *
 * @since 1.0.0
 * @category errors
 */
export class QueueFull extends Schemas.taggedError<QueueFull>()("QueueFull", () => ({
  processed: Schema.Literal("no"),
  attempts: Schema.NonNegativeInt,
  maxQueued: Schema.Number
})) {
  override get message(): string {
    return `${this.maxQueued} requests wait in the pool already, and maxQueued allows no more. ${fate(this.processed)}`
  }
}

/**
 * The connection or pool is closed, or was lost before the answer came.
 *
 * @since 0.1.0
 * @category errors
 */
export class Closed extends Schemas.taggedError<Closed>()("Closed", () => ({
  processed: Schema.Literal("no", "unknown"),
  attempts: Schema.NonNegativeInt,
  closeCause: CloseCause
})) {
  override get message(): string {
    return `Closed: ${describeCause(this.closeCause)}. ${fate(this.processed)}`
  }
}

/**
 * No answer in time. `limit` says which limit was reached; `closeCause` is what kept the pool from connecting, if
 * that is why.
 *
 * @since 0.1.0
 * @category errors
 */
export class Timeout extends Schemas.taggedError<Timeout>()("Timeout", () => ({
  processed: Schema.Literal("no", "unknown"),
  attempts: Schema.NonNegativeInt,
  limit: Schema.Literal("timeout", "deadline", "expiration"),
  closeCause: Schema.UndefinedOr(CloseCause)
})) {
  override get message(): string {
    const why = this.closeCause === undefined ? "" : ` (${describeCause(this.closeCause)})`
    return `No answer before the ${this.limit}${why}. ${fate(this.processed)}`
  }
}

/**
 * The server reset the stream. `code` is the HTTP/2 error code (RFC 9113 section 7).
 *
 * @since 0.1.0
 * @category errors
 */
export class StreamReset extends Schemas.taggedError<StreamReset>()("StreamReset", () => ({
  processed: Schema.Literal("no", "unknown"),
  attempts: Schema.NonNegativeInt,
  code: Schema.Number
})) {
  override get message(): string {
    return `The server reset the stream (${ErrorCode.name(this.code)}). ${fate(this.processed)}`
  }
}

/**
 * An answer that is not what APNs sends: no status, or an error whose body is not JSON.
 *
 * @since 0.1.0
 * @category errors
 */
export class MalformedResponse extends Schemas.taggedError<MalformedResponse>()("MalformedResponse", () => ({
  processed: Schema.Literal("unknown", "yes"),
  attempts: Schema.NonNegativeInt,
  status: Schema.Int,
  description: Schema.String
})) {
  override get message(): string {
    return `The server's answer${statusOf(this)} cannot be understood: ${Printable.text(this.description)}. ${
      fate(this.processed)
    }`
  }
}

/**
 * An answer larger than the limits allow; the stream was reset, and the connection stays open.
 *
 * @since 0.1.0
 * @category errors
 */
export class ResponseTooLarge extends Schemas.taggedError<ResponseTooLarge>()("ResponseTooLarge", () => ({
  processed: Schema.Literal("unknown", "yes"),
  attempts: Schema.NonNegativeInt,
  status: Schema.Int,
  description: Schema.String
})) {
  override get message(): string {
    return `The server's answer${statusOf(this)} is too large: ${Printable.text(this.description)}. ${
      fate(this.processed)
    }`
  }
}

/**
 * What `Connection.post` can fail with.
 *
 * @since 0.1.0
 * @category errors
 */
export type RequestError = Blocked | Closed | Timeout | StreamReset | MalformedResponse | ResponseTooLarge

/**
 * What `ApnsPool.post` can fail with: a pool queues instead of failing with {@link Blocked}.
 *
 * @since 0.1.0
 * @category errors
 */
export type PoolError = Exclude<RequestError, Blocked> | QueueFull

type Answerless =
  | typeof Closed
  | typeof Timeout
  | typeof StreamReset
  | typeof MalformedResponse
  | typeof ResponseTooLarge

/**
 * The Schema of {@link PoolError}.
 *
 * @since 1.0.0
 * @category schemas
 */
export const PoolError: Schema.Schema<PoolError, Schema.Schema.Encoded<Answerless | typeof QueueFull>> = Schema.suspend(
  () => Schema.Union(QueueFull, Closed, Timeout, StreamReset, MalformedResponse, ResponseTooLarge)
)

/**
 * The Schema of {@link RequestError}.
 *
 * @since 1.0.0
 * @category schemas
 */
export const RequestError: Schema.Schema<RequestError, Schema.Schema.Encoded<Answerless | typeof Blocked>> = Schema
  .suspend(() => Schema.Union(Blocked, Closed, Timeout, StreamReset, MalformedResponse, ResponseTooLarge))

/**
 * The tagged error for a failure, with the number of attempts that were made.
 *
 * @since 0.1.0
 * @category constructors
 */
export function toError(
  failure: Exclude<Failure, { readonly _tag: "Blocked" }>,
  attempts: number
): Exclude<RequestError, Blocked>
export function toError(failure: PoolFailure, attempts: number): PoolError
export function toError(failure: Failure, attempts: number): RequestError
export function toError(failure: Failure | PoolFailure, attempts: number): RequestError | PoolError {
  switch (failure._tag) {
    case "QueueFull":
      return new QueueFull({ processed: failure.processed, attempts, maxQueued: failure.maxQueued })
    case "Blocked":
      return new Blocked({ processed: failure.processed, attempts })
    case "Closed":
      return new Closed({ processed: failure.processed, attempts, closeCause: failure.closeCause })
    case "Timeout":
      return new Timeout({
        processed: failure.processed,
        attempts,
        limit: failure.limit,
        closeCause: failure.closeCause
      })
    case "StreamReset":
      return new StreamReset({ processed: failure.processed, attempts, code: failure.code })
    case "MalformedResponse":
      return new MalformedResponse({
        processed: failure.processed,
        attempts,
        status: failure.status,
        description: failure.description
      })
    case "ResponseTooLarge":
      return new ResponseTooLarge({
        processed: failure.processed,
        attempts,
        status: failure.status,
        description: failure.description
      })
  }
}

/**
 * @since 1.0.0
 * @category constructors
 */
export const queueFull = (maxQueued: number): PoolFailure & { readonly _tag: "QueueFull" } => ({
  _tag: "QueueFull",
  processed: "no",
  maxQueued
})

/**
 * @since 0.1.0
 * @category constructors
 */
export const blocked: Failure & { readonly _tag: "Blocked" } = { _tag: "Blocked", processed: "no" }

/**
 * @since 0.1.0
 * @category constructors
 */
export const closed = (
  processed: "no" | "unknown",
  closeCause: CloseCause
): Failure & { readonly _tag: "Closed" } => ({ _tag: "Closed", processed, closeCause })

/**
 * @since 0.1.0
 * @category constructors
 */
export const timeout = (
  processed: "no" | "unknown",
  limit: TimeLimit,
  closeCause?: CloseCause
): Failure & { readonly _tag: "Timeout" } => ({ _tag: "Timeout", processed, limit, closeCause })

/**
 * An answer that cannot be understood, although it has a status.
 *
 * @since 1.0.0
 * @category constructors
 */
export const malformed = (
  status: number,
  description: string
): Failure & { readonly _tag: "MalformedResponse" } => ({
  _tag: "MalformedResponse",
  processed: "yes",
  status,
  description
})

/**
 * REFUSED_STREAM means that the server did no work for the stream (RFC 9113 section 8.7); any other code does not say whether it did.
 *
 * @since 0.1.0
 * @category constructors
 */
export const streamReset = (code: number): Failure & { readonly _tag: "StreamReset" } => ({
  _tag: "StreamReset",
  processed: code === ErrorCode.ErrorCode.REFUSED_STREAM ? "no" : "unknown",
  code
})
