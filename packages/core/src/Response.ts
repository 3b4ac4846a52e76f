/**
 * What APNs answered (Apple: "Handling notification responses from APNs").
 *
 * @example
 * ```ts
 * import { Response } from "@effect-apns/core"
 *
 * const gone = Response.make({ status: 410, body: { reason: "Unregistered", timestamp: 1700000000000 } })
 * console.log(gone.reason, gone.timestamp?.toJSON()) // Unregistered 2023-11-14T22:13:20.000Z
 * ```
 *
 * @since 0.1.0
 */
import type { Session } from "@effect-apns/http2"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import * as Option from "effect/Option"

/**
 * A rejection is a response too, whatever its status.
 *
 * @since 0.1.0
 * @category models
 */
export interface Response {
  readonly status: number
  /** `apns-id`: the one that was sent, or the one that APNs made. */
  readonly apnsId: string | undefined
  /** `apns-unique-id`: the key to the Delivery Log of Apple's Push Notifications Console (development only). */
  readonly uniqueId: string | undefined
  /** Why APNs rejected the request: the `reason` of the body. `undefined` when it accepted it, or gave none. */
  readonly reason: string | undefined
  /** Status 410: since when the device token is dead, to the millisecond. */
  readonly timestamp: DateTime.Utc | undefined
  /** How long the server asks to wait: its `retry-after` (RFC 9110 section 10.2.3), where it sent one. */
  readonly retryAfter: Duration.Duration | undefined
  /** Every other header, flat: name, value, name, value. */
  readonly headers: ReadonlyArray<string>
  readonly body: Uint8Array | undefined
  /** How many times the request was sent. */
  readonly attempts: number
}

/**
 * The value of a header in a flat list.
 *
 * @since 0.1.0
 * @category accessors
 */
export const header = (headers: ReadonlyArray<string> | undefined, name: string): string | undefined => {
  if (headers === undefined) return undefined
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] === name) return headers[i + 1]
  }
  return undefined
}

const decoder = new TextDecoder("utf-8", { fatal: true })

/**
 * The body of a rejection, or why it cannot be read. A missing body is not malformed: the status is enough.
 *
 * @since 0.1.0
 * @category accessors
 */
export const rejection = (
  body: Uint8Array | undefined
): Either.Either<{ readonly reason: string | undefined; readonly timestamp: DateTime.Utc | undefined }, string> => {
  if (body === undefined || body.length === 0) return Either.right({ reason: undefined, timestamp: undefined })
  let json: unknown
  try {
    json = JSON.parse(decoder.decode(body))
  } catch {
    return Either.left("its body is not JSON")
  }
  if (typeof json !== "object" || json === null) return Either.left("its body is not a JSON object")
  const reason = "reason" in json && typeof json.reason === "string" ? json.reason : undefined
  // a number that is not a valid point in time is left out: the rejection is still useful without it
  const timestamp = "timestamp" in json && typeof json.timestamp === "number"
    ? Option.getOrUndefined(DateTime.make(json.timestamp))
    : undefined
  return Either.right({ reason, timestamp })
}

const retryAfter = (
  headers: ReadonlyArray<string> | undefined,
  nowMillis: number
): Duration.Duration | undefined => {
  const value = header(headers, "retry-after")
  if (value === undefined) return undefined
  if (/^[0-9]{1,9}$/.test(value)) return Duration.seconds(Number(value))
  // RFC 9110 section 10.2.3: seconds, or a date in GMT. Date.parse alone takes "1.5" for a day in 2001.
  const date = /^[A-Z][a-z]{2,8}, .* GMT$/.test(value) ? Date.parse(value) : NaN
  return Number.isNaN(date) ? undefined : Duration.millis(date - nowMillis)
}

/**
 * The response that a stream received, or why it is not a valid one.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromStream = (
  stream: Session.Stream,
  attempts: number,
  nowMillis: number
): Either.Either<Response, string> => {
  if (stream.status >= 200 && stream.status < 300) return Either.right(fromAccepted(stream, attempts))
  const parsed = rejection(stream.body)
  if (Either.isLeft(parsed) && !stream.truncated) return Either.left(parsed.left)
  const { reason, timestamp } = Either.getOrElse(parsed, () => noRejection)
  return Either.right({
    status: stream.status,
    apnsId: stream.apnsId,
    uniqueId: header(stream.headers, "apns-unique-id"),
    reason,
    timestamp,
    retryAfter: retryAfter(stream.headers, nowMillis),
    headers: stream.headers ?? noHeaders,
    body: stream.body,
    attempts
  })
}

/**
 * The response of a stream whose status is 2xx: its body is not looked at.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromAccepted = (stream: Session.Stream, attempts: number): Response => ({
  status: stream.status,
  apnsId: stream.apnsId,
  uniqueId: header(stream.headers, "apns-unique-id"),
  reason: undefined,
  timestamp: undefined,
  retryAfter: undefined,
  headers: stream.headers ?? noHeaders,
  body: stream.body,
  attempts
})

const noHeaders: ReadonlyArray<string> = []
const noRejection = { reason: undefined, timestamp: undefined }
const encoder = new TextEncoder()

/**
 * A response, for tests and for pools that do not talk to APNs. Default: accepted.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: {
  /** Default 200. */
  readonly status?: number | undefined
  readonly apnsId?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Sent as JSON. */
  readonly body?: unknown
} = {}): Response => {
  const headers = Object.entries(options.headers ?? {}).flat()
  const body = options.body === undefined ? undefined : encoder.encode(JSON.stringify(options.body))
  const { reason, timestamp } = Either.getOrElse(rejection(body), () => noRejection)
  return {
    status: options.status ?? 200,
    apnsId: options.apnsId ?? header(headers, "apns-id"),
    uniqueId: header(headers, "apns-unique-id"),
    reason,
    timestamp,
    retryAfter: retryAfter(headers, 0),
    headers,
    body,
    attempts: 1
  }
}
