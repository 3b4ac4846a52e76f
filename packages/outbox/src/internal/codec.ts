/**
 * How tokens, sets of indexes and outcomes are written into the database.
 */
import { isAnyArrayBuffer, isUint8Array } from "node:util/types"

/** Tokens of one length in lower-case hexadecimal: one byte for two digits. */
const packed = 1
/** Any other tokens: JSON. */
const json = 0

const encoder = new TextEncoder()
const decoder = new TextDecoder()
/** 32 bytes for a usual token, instead of 64; any other token is decoded exactly as it was given. */
export const encodeTokens = (tokens: ReadonlyArray<string>): Uint8Array => {
  const length = tokens[0]?.length ?? 0
  if (length > 0 && length < 0x10000 && length % 2 === 0 && tokens.every((token) => token.length === length)) {
    const text = tokens.join("")
    const digits = Buffer.from(text, "hex")
    // decoding would stop at a character that is not hexadecimal, and return capitals as small letters
    if (digits.length * 2 === text.length && digits.toString("hex") === text) {
      const bytes = new Uint8Array(3 + digits.length)
      bytes[0] = packed
      bytes[1] = length >>> 8
      bytes[2] = length & 0xff
      bytes.set(digits, 3)
      return bytes
    }
  }
  const text = encoder.encode(JSON.stringify(tokens))
  const bytes = new Uint8Array(1 + text.length)
  bytes[0] = json
  bytes.set(text, 1)
  return bytes
}

/** `undefined` for data that was not written by this package. */
const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const parseStrings = (text: string): ReadonlyArray<string> => {
  const parsed = parse(text)
  return Array.isArray(parsed) ? parsed.map(String) : []
}

/** All tokens are hexadecimal and of one length: if one is valid, all are. */
export const isUniform = (bytes: Uint8Array): boolean => bytes[0] === packed

export const decodeTokens = (bytes: Uint8Array): ReadonlyArray<string> => {
  if (bytes[0] !== packed) return parseStrings(decoder.decode(bytes.subarray(1)))
  const length = ((bytes[1] ?? 0) << 8) | (bytes[2] ?? 0)
  if (length === 0 || (bytes.length - 3) * 2 % length !== 0) return []
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + 3, bytes.byteLength - 3).toString("hex")
  const tokens = new Array<string>(text.length / length)
  for (let i = 0; i < tokens.length; i++) tokens[i] = text.slice(i * length, (i + 1) * length)
  return tokens
}

/** A set of indexes below a known size: one bit each. */
export class Bits {
  constructor(readonly bytes: Uint8Array) {}

  static empty(size: number): Bits {
    return new Bits(new Uint8Array((size + 7) >>> 3))
  }

  /** A copy, since the memory of the database driver must not be changed. */
  static from(bytes: Uint8Array | undefined, size: number): Bits {
    const bits = Bits.empty(size)
    if (bytes !== undefined) bits.bytes.set(bytes.subarray(0, bits.bytes.length))
    return bits
  }

  has(index: number): boolean {
    return ((this.bytes[index >>> 3] ?? 0) & (1 << (index & 7))) !== 0
  }

  add(index: number): void {
    const at = index >>> 3
    this.bytes[at] = (this.bytes[at] ?? 0) | (1 << (index & 7))
  }

  removeAll(other: Bits): void {
    const { bytes } = this
    for (let i = 0; i < bytes.length; i++) bytes[i] = (bytes[i] ?? 0) & ~(other.bytes[i] ?? 0)
  }

  clear(): void {
    this.bytes.fill(0)
  }

  get count(): number {
    let count = 0
    for (let byte of this.bytes) {
      for (; byte !== 0; byte &= byte - 1) count++
    }
    return count
  }

  copy(): Uint8Array {
    return this.bytes.slice()
  }
}

/** The outcome of one token, in the JSON of a row. The first element is its index within the batch. */
export type Entry =
  /** Accepted, with the `apns-unique-id` of APNs's development environment. */
  | readonly [index: number, kind: "A", uniqueId: string]
  | readonly [index: number, kind: "R", status: number, reason: string, timestampMillis: number | null]
  | readonly [
    index: number,
    kind: "F",
    reason: FailedReason,
    processed: "no" | "unknown",
    description: string
  ]

/** Why a token will never get an answer of APNs. */
export type FailedReason = "Expired" | "Cancelled" | "RetriesExhausted" | "Unanswered" | "Unsendable" | "Abandoned"

const isEntry = (input: unknown): input is Entry =>
  Array.isArray(input) && typeof input[0] === "number" && (input[1] === "A" || input[1] === "R" || input[1] === "F")

export const decodeEntries = (text: string | null): ReadonlyArray<Entry> => {
  if (text === null) return []
  const parsed = parse(text)
  return Array.isArray(parsed) ? parsed.filter(isEntry) : []
}

/** Drivers give `Buffer` (PostgreSQL) or `ArrayBuffer` (libSQL); in Jest of another realm, which `instanceof` does not know. */
export const bytesOf = (value: unknown): Uint8Array | undefined =>
  isUint8Array(value) ? value : isAnyArrayBuffer(value) ? new Uint8Array(value) : undefined

/** Drivers give 64-bit integers and sums as text (PostgreSQL) or numbers (libSQL). */
export const numberOf = (value: unknown): number => {
  const number = typeof value === "number" ? value : Number(value ?? 0)
  return Number.isFinite(number) ? number : 0
}

export const textOf = (value: unknown): string => typeof value === "string" ? value : ""

export const optionalText = (value: unknown): string | undefined => typeof value === "string" ? value : undefined

/** Untrusted text for a log line or a column. */
export const cut = (text: string, max = 300): string => {
  // eslint-disable-next-line no-control-regex
  const clean = text.replace(/[\u0000-\u001f\u007f-\u009f]/g, " ")
  return clean.length <= max ? clean : clean.slice(0, max - 1) + "…"
}
