/**
 * What a field name or value means to an HTTP/2 client (RFC 9113 section 8).
 */

/** Classes of response field names. */
export const Kind = {
  other: 0,
  status: 1,
  apnsId: 2,
  contentLength: 3,
  /** Not allowed in a response: invalid or upper-case names, other pseudo-headers, connection-specific fields. */
  malformed: 4
} as const

/** Added to a kind when the value itself is not allowed. */
export const badValue = 8

/** A token of RFC 9110 section 5.6.2 without upper-case letters (RFC 9113 section 8.2.1). */
const validName = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/

const connectionSpecific: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
  "te"
])

export interface Name {
  readonly text: string
  readonly kind: number
}

const classify = (name: string): number => {
  if (name === ":status") return Kind.status
  if (name === "apns-id") return Kind.apnsId
  if (name === "content-length") return Kind.contentLength
  return !validName.test(name) || connectionSpecific.has(name) ? Kind.malformed : Kind.other
}

/** Names that are worth one shared string: those that servers answer with. */
const known = new Map<string, Name>(
  [":status", "apns-id", "apns-unique-id", "apns-request-id", "apns-channel-id", "content-length", "retry-after"].map(
    (text) => [text, { text, kind: classify(text) }]
  )
)

export const nameOf = (text: string): Name => known.get(text) ?? { text, kind: classify(text) }

/**
 * Whether a received value breaks RFC 9113 section 8.2.1: NUL, LF, CR, or white space around it.
 */
export const isBadValue = (value: string): boolean => {
  const length = value.length
  if (length === 0) return false
  for (let i = 0; i < length; i++) {
    const code = value.charCodeAt(i)
    if (code <= 13 && (code === 13 || code === 10 || code === 0)) return true
  }
  return isSpace(value.charCodeAt(0)) || isSpace(value.charCodeAt(length - 1))
}

export const isSpace = (code: number): boolean => code === 32 || code === 9

const quote = (text: string): string => JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)

/**
 * A header, or a path, that may not be sent in a request (RFC 9113 section 8.2): `message` says which, and why.
 *
 * @since 1.0.0
 * @category errors
 */
export class InvalidHeader extends TypeError {
  override readonly name = "InvalidHeader"
}

/**
 * Throws unless `name` may be sent in a request.
 */
export const checkName = (name: string): void => {
  if (name.startsWith(":")) {
    throw new InvalidHeader(`The header name ${quote(name)} is a pseudo-header: the session sets them`)
  }
  if (!validName.test(name)) {
    throw new InvalidHeader(
      name === name.toLowerCase()
        ? `The header name ${quote(name)} has characters that HTTP does not allow in a name`
        : `The header name ${quote(name)} must be in lower case`
    )
  }
  if (name === "content-length") {
    throw new InvalidHeader(
      "The header \"content-length\" is not for callers to set: the session sends the body's length"
    )
  }
  if (connectionSpecific.has(name)) throw new InvalidHeader(`The header ${quote(name)} does not exist in HTTP/2`)
}

/**
 * Throws unless `value` may be sent. The message does not repeat the value, which may be a secret.
 */
export const checkValue = (name: string, value: string): void => {
  // callers without types pass anything: what has no length would pass the checks below, and fail a later request
  if (typeof value !== "string") throw new InvalidHeader(`The value of the header ${quote(name)} has to be a string`)
  const length = value.length
  for (let i = 0; i < length; i++) {
    const code = value.charCodeAt(i)
    if (code < 32 ? code !== 9 : code === 127 || code > 255) {
      throw new InvalidHeader(
        `The value of the header ${quote(name)} has a character that HTTP does not allow: U+${
          code.toString(16).toUpperCase().padStart(4, "0")
        } at index ${i}`
      )
    }
  }
  if (length > 0 && (isSpace(value.charCodeAt(0)) || isSpace(value.charCodeAt(length - 1)))) {
    throw new InvalidHeader(`The value of the header ${quote(name)} starts or ends with white space`)
  }
}
