/**
 * A request to APNs: path, headers, body, and how long to wait for its answer.
 *
 * @example
 * ```ts
 * import { Request } from "@effect-apns/core"
 *
 * const request = Request.make({
 *   path: "/3/device/4242",
 *   headers: { "apns-push-type": "alert", "apns-topic": "com.app.your" },
 *   body: { aps: { alert: { body: "Wakey-wakey, ham and bakey!" } } },
 *   timeout: "10 seconds"
 * })
 * console.log(request.method, request.path)
 * ```
 *
 * @since 0.1.0
 */
import { Session } from "@effect-apns/http2"
import { TimeSpan, UnixTime } from "@effect-apns/models"
import * as Printable from "@effect-apns/models/Printable"
import * as Schemas from "@effect-apns/models/unstable/Schemas"
import type * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import { isAnyArrayBuffer, isUint8Array } from "node:util/types"
import type { RequestSpec } from "./unstable/RequestSpec.js"

/**
 * When a request whose fate is unknown may be sent again:
 *
 * - `"collapsible"`: only with an `apns-collapse-id`, so that the user sees one notification.
 * - `"always"`: the user may see it twice.
 * - `"never"`.
 *
 * @since 0.1.0
 * @category models
 */
export type Retransmit = "collapsible" | "always" | "never"

/**
 * Whether the input is a {@link Retransmit}, or `undefined`, which stands for what the pool is set up for.
 *
 * @since 1.0.0
 * @category guards
 */
export const isRetransmit = (input: unknown): input is Retransmit | undefined =>
  input === undefined || input === "collapsible" || input === "always" || input === "never"

/**
 * @since 0.1.0
 * @category models
 */
export interface Request {
  readonly path: string
  readonly method: "GET" | "POST" | "DELETE"
  /** Everything but the path, prepared for sending. Unstable: see `unstable/RequestSpec`. */
  readonly spec: RequestSpec
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** `/3/device/<token>` for a notification. */
  readonly path: string
  /** Default `POST`. */
  readonly method?: "GET" | "POST" | "DELETE" | undefined
  /**
   * Lower-case names. `authorization` comes from the credentials and `content-length` from the body; those that belong to
   * a connection (RFC 9113 section 8.2.2) are refused.
   */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Bytes and strings are sent as they are, anything else as JSON. Default: no body. */
  readonly body?: unknown
  /** How long to wait for the answer. Waiting for a free stream does not count. Default 10 seconds. */
  readonly timeout?: TimeSpan.TimeSpan | undefined
  /** Absolute time after which it fails with `Timeout`, whether queued, retrying or in flight. Default: none. */
  readonly deadline?: DateTime.DateTime | Date | undefined
  /** Default: as the pool is set up. */
  readonly retransmit?: Retransmit | undefined
}

/**
 * A request that cannot be sent; `message` says what to change.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidRequest extends Schemas.taggedError<InvalidRequest>()("InvalidRequest", () => ({
  field: Schema.Literal("path", "method", "headers", "body", "timeout", "deadline", "retransmit"),
  description: Schema.String
})) {
  override get message(): string {
    return `Invalid ${this.field}: ${this.description}`
  }
}

/**
 * The default `timeout`: 10 seconds.
 *
 * @since 1.0.0
 * @category constants
 */
export const defaultTimeout: Duration.Duration = Duration.seconds(10)

/**
 * Headers whose values differ from request to request: Apple asks to keep them out of the HPACK dynamic table (Apple:
 * "Sending notification requests to APNs").
 */
const volatile = new Set([
  "apns-id",
  "apns-expiration",
  "apns-collapse-id",
  "apns-request-id",
  "apns-channel-id",
  "content-length"
])

const noBody = new Uint8Array(0)
const encoder = new TextEncoder()
const validPath = /^\/[\x21-\x7e]*$/
const validName = /^[a-z0-9!#$%&'*+.^_`|~-]+$/
// RFC 9113 section 8.2.1: no CR, LF or NUL, no white space at either end; APNs values are visible ASCII
const validValue = /^(?:[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?$/

const connectionHeader = "it belongs to HTTP/1.1 connections, and HTTP/2 does not allow it (RFC 9113 section 8.2.2)"

/** Headers that a caller must not set, and why. */
const ownedHeaders: ReadonlyMap<string, string> = new Map([
  ["authorization", "it comes from the credentials"],
  ["content-length", "it is the length of the body"],
  ["host", "the endpoint names the host"],
  ["connection", connectionHeader],
  ["keep-alive", connectionHeader],
  ["proxy-connection", connectionHeader],
  ["te", connectionHeader],
  ["transfer-encoding", connectionHeader],
  ["upgrade", connectionHeader]
])

const heads = new Map<string, Session.Head>()
const maxHeads = 256
/** In characters. APNs takes header lists of up to 8,000 bytes; longer ones must not stay in memory. */
const maxHeadKey = 4096

/**
 * The shared {@link Session.Head} for these headers: requests that say the same share one, so that a connection
 * encodes it once.
 *
 * @since 0.1.0
 * @category constructors
 */
export const head = (
  method: "GET" | "POST" | "DELETE",
  headers: ReadonlyArray<readonly [name: string, value: string]>,
  /** What all paths begin with, where it is the same for many. */
  pathPrefix = ""
): Session.Head => {
  let key = `${method}\n${pathPrefix}`
  for (const [name, value] of headers) key += `\n${name}\n${value}`
  const known = heads.get(key)
  if (known !== undefined) return known
  const made = new Session.Head(method, headers, pathPrefix)
  if (key.length > maxHeadKey) return made
  if (heads.size >= maxHeads) heads.clear()
  heads.set(key, made)
  return made
}

/**
 * A request, or what is wrong with it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const validate = (options: Options): Either.Either<Request, InvalidRequest> => {
  const at: { field: InvalidRequest["field"] } = { field: "path" }
  // getters and `toJSON` are the caller's code and may throw
  try {
    return checked(options, at)
  } catch (error) {
    return Either.left(
      new InvalidRequest({ field: at.field, description: `it could not be read (${Printable.thrown(error)})` })
    )
  }
}

const checked = (options: Options, at: { field: InvalidRequest["field"] }): Either.Either<Request, InvalidRequest> => {
  const path: unknown = options?.path
  if (typeof path !== "string" || !validPath.test(path)) {
    return Either.left(
      new InvalidRequest({ field: "path", description: "it must start with / and hold visible ASCII characters only" })
    )
  }
  at.field = "headers"
  const stable: Array<readonly [string, string]> = []
  const extra: Array<string> = []
  let collapsible = false
  let expirationMillis = Infinity
  const headers: unknown = options.headers ?? {}
  // the entries of a Map, of an array or of the Headers of fetch are not its properties
  if (!Predicate.isRecord(headers) || Predicate.isIterable(headers)) {
    return Either.left(
      new InvalidRequest({
        field: "headers",
        description: "give a plain object, such as { \"apns-push-type\": \"alert\" }"
      })
    )
  }
  for (const [name, value] of Object.entries(headers)) {
    if (!validName.test(name)) {
      return Either.left(
        new InvalidRequest({
          field: "headers",
          description: `${
            Printable.text(JSON.stringify(name))
          } is not a header name: use lower-case letters, digits and dashes`
        })
      )
    }
    const owner = ownedHeaders.get(name)
    if (owner !== undefined) {
      return Either.left(
        new InvalidRequest({ field: "headers", description: `leave ${name} out: ${owner}` })
      )
    }
    if (typeof value !== "string" || !validValue.test(value)) {
      return Either.left(
        new InvalidRequest({
          field: "headers",
          description: `the value of ${name} must be printable ASCII without spaces at its ends`
        })
      )
    }
    if (volatile.has(name)) extra.push(name, value)
    else stable.push([name, value])
    if (name === "apns-collapse-id") collapsible = true
    if (name === "apns-expiration" && /^[1-9][0-9]{0,14}$/.test(value)) expirationMillis = Number(value) * 1000
  }
  at.field = "body"
  let body: Uint8Array
  if (options.body === undefined) body = noBody
  // not instanceof: bytes may be of another realm, as in Jest, and JSON would make an object of their indexes
  else if (isUint8Array(options.body)) body = options.body
  else if (ArrayBuffer.isView(options.body)) body = bytesOf(options.body)
  else if (isAnyArrayBuffer(options.body)) body = new Uint8Array(options.body)
  else if (typeof options.body === "string") body = encoder.encode(options.body)
  else {
    let json: string | undefined
    try {
      json = JSON.stringify(options.body)
    } catch (error) {
      return Either.left(
        new InvalidRequest({ field: "body", description: `it is not JSON (${Printable.thrown(error)})` })
      )
    }
    if (json === undefined) {
      return Either.left(new InvalidRequest({ field: "body", description: "it is not JSON" }))
    }
    body = encoder.encode(json)
  }
  at.field = "timeout"
  const timeout = options.timeout === undefined ? Either.right(defaultTimeout) : TimeSpan.decode(options.timeout)
  if (Either.isLeft(timeout)) return Either.left(new InvalidRequest({ field: "timeout", description: timeout.left }))
  const timeoutMillis = Duration.toMillis(timeout.right)
  if (!(timeoutMillis > 0)) {
    return Either.left(new InvalidRequest({ field: "timeout", description: "it must be longer than 0" }))
  }
  at.field = "deadline"
  const deadlineMillis = options.deadline === undefined ? Infinity : UnixTime.toMillis(options.deadline)
  if (deadlineMillis === undefined) {
    return Either.left(new InvalidRequest({ field: "deadline", description: "give a DateTime or a valid Date" }))
  }
  at.field = "retransmit"
  if (!isRetransmit(options.retransmit)) {
    return Either.left(
      new InvalidRequest({ field: "retransmit", description: "give \"collapsible\", \"always\" or \"never\"" })
    )
  }
  at.field = "method"
  const method: unknown = options.method ?? "POST"
  if (method !== "POST" && method !== "GET" && method !== "DELETE") {
    return Either.left(new InvalidRequest({ field: "method", description: "give \"POST\", \"GET\" or \"DELETE\"" }))
  }
  return Either.right(
    fromSpec(path, {
      head: head(method, stable),
      extra: extra.length === 0 ? undefined : extra,
      body,
      timeoutMillis,
      deadlineMillis,
      expirationMillis,
      collapsible,
      retransmit: options.retransmit
    })
  )
}

const bytesOf = ({ buffer, byteLength, byteOffset }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength)

/**
 * A request. Throws {@link InvalidRequest} where an option is invalid, as Schema constructors do; {@link validate}
 * returns it instead.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): Request => Either.getOrThrowWith(validate(options), (error) => error)

/**
 * Whether something was made by {@link make}, {@link validate} or {@link fromSpec}. What only looks like a request, as the
 * options of {@link make} do, is none.
 *
 * @since 1.0.0
 * @category guards
 */
export const isRequest = (input: unknown): input is Request => {
  // reading what is no request may throw
  try {
    // by operators alone, since this runs for every post
    if (typeof input !== "object" || input === null || !("path" in input) || !("spec" in input)) return false
    const { path, spec } = input
    return typeof path === "string" && typeof spec === "object" && spec !== null &&
      "head" in spec && spec.head instanceof Session.Head &&
      "timeoutMillis" in spec && typeof spec.timeoutMillis === "number"
  } catch {
    return false
  }
}

/**
 * A request for a path that is known to be valid.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromSpec = (path: string, spec: RequestSpec): Request => ({ path, method: spec.head.method, spec })

/**
 * The request of an exchange, with its path in full.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromExchange = ({ path, spec }: { readonly path: string; readonly spec: RequestSpec }): Request => {
  const { headers, method, pathPrefix } = spec.head
  return pathPrefix === ""
    ? fromSpec(path, spec)
    : fromSpec(pathPrefix + path, { ...spec, head: head(method, headers) })
}
