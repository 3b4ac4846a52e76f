import * as crypto from "node:crypto"
import type { DerKind } from "./der.js"
import { kindOf, lengthOf } from "./der.js"

/**
 * Finds the bytes of a key or a certificate in base64 whose line ends were replaced, doubled or lost, or whose lines have
 * something in front. Each guess is checked: by the lengths at the beginning of DER (ITU-T X.690), and a private key must
 * open and match the public key inside it. So a wrong guess cannot yield another key.
 */

const base64 = "A-Za-z0-9+/_-"
const run = new RegExp(`[${base64}]+`, "g")
const lastOfLine = new RegExp(`[${base64}]+(?==*[^=${base64}]*$)`, "gm")
const others = new RegExp(`[^${base64}]+`, "g")

/** Usual lengths of lines; 64 in PEM (RFC 7468), 76 in mails (RFC 2045). */
const widths = [64, 76, 48, 60, 65, 70, 72, 75, 80, 32, 40, 100, 120, 128]

/** The longest text that is accepted as a line end. */
const longestSeparator = 16

/** The lines of a text whose lines of `width` digits are all separated by the same `length` characters. */
const separated = (text: string, width: number, length: number): string | undefined => {
  const separator = text.slice(width, width + length)
  let digits = text.slice(0, width)
  for (let at = width; text.startsWith(separator, at);) {
    at += length
    const line = text.slice(at, at + width)
    const end = line.search(other)
    if (end >= 0) return digits + line.slice(0, end)
    digits += line
    if (line.length < width) return digits
    at += width
  }
  return undefined
}

const other = new RegExp(`[^${base64}]`)

/** Possible readings of the base64, the most likely first. */
function* readings(text: string): Generator<string> {
  yield text.replace(others, "")
  for (const width of widths) {
    if (text.length <= width || other.test(text.slice(0, width))) continue
    for (let length = 1; length <= longestSeparator; length++) {
      const digits = separated(text, width, length)
      if (digits !== undefined) yield digits
    }
  }
  // after line numbers, times or names; between the operators of a program
  yield (text.match(lastOfLine) ?? []).join("")
  for (const shortest of [3, 6, 16]) {
    yield (text.match(run) ?? []).filter(({ length }) => length >= shortest).join("")
  }
}

/** The bytes of base64 or base64url. */
export const bytesOf = (digits: string): Uint8Array =>
  new Uint8Array(Buffer.from(digits.replaceAll("-", "+").replaceAll("_", "/"), "base64"))

type Test = (bytes: Uint8Array) => boolean

/** The one file at the start of these digits, if it is all there. */
const fileOf = (digits: string, isFile: Test): Uint8Array | undefined => {
  const length = lengthOf(bytesOf(digits.slice(0, 8)))
  if (length === undefined) return undefined
  const needed = Math.ceil(length * 4 / 3)
  if (digits.length < needed) return undefined
  const bytes = bytesOf(digits.slice(0, needed)).subarray(0, length)
  return isFile(bytes) ? bytes : undefined
}

const probe = Buffer.from("effect-apns")

const number = (digits: string | undefined): bigint =>
  BigInt(`0x0${Buffer.from(digits ?? "", "base64url").toString("hex")}`)

/** RFC 8017 section 3.2: the relations between the eight numbers of an RSA key. OpenSSL does not check all of them. */
const isConsistentRsa = (key: crypto.KeyObject): boolean => {
  const { d, dp, dq, e, n, p, q, qi } = key.export({ format: "jwk" })
  const [firstPrime, secondPrime, exponent] = [number(p), number(q), number(d)]
  return firstPrime > 1n && secondPrime > 1n && firstPrime * secondPrime === number(n) &&
    number(dp) === exponent % (firstPrime - 1n) && number(dq) === exponent % (secondPrime - 1n) &&
    (number(e) * exponent) % (firstPrime - 1n) === 1n && (number(e) * exponent) % (secondPrime - 1n) === 1n &&
    (number(qi) * secondPrime) % firstPrime === 1n
}

/**
 * Whether a private key matches the public key that it contains. OpenSSL opens keys that do not match, and Apple would
 * refuse every token signed with such a key. `true` for kinds of keys that contain no public key.
 */
export const isConsistent = (key: crypto.KeyObject): boolean => {
  switch (key.asymmetricKeyType) {
    case "ec":
      return crypto.verify("sha256", probe, crypto.createPublicKey(key), crypto.sign("sha256", probe, key))
    case "rsa":
      return isConsistentRsa(key)
    default:
      return true
  }
}

const privateKeyOf = (bytes: Uint8Array, kind: DerKind): crypto.KeyObject | undefined => {
  const type = kind === "PRIVATE KEY" ? "pkcs8" : kind === "EC PRIVATE KEY" ? "sec1" : "pkcs1"
  try {
    return crypto.createPrivateKey({ key: Buffer.from(bytes), format: "der", type })
  } catch {
    return undefined
  }
}

const isPlainKey = (kind: DerKind | undefined): kind is DerKind =>
  kind === "PRIVATE KEY" || kind === "EC PRIVATE KEY" || kind === "RSA PRIVATE KEY"

/** These bytes are one complete key, certificate or the like. */
export const isWhole = (bytes: Uint8Array): boolean => {
  const kind = kindOf(bytes)
  if (!isPlainKey(kind)) return kind !== undefined
  const key = privateKeyOf(bytes, kind)
  return key !== undefined && isConsistent(key)
}

/** These bytes are a private key that opens but does not match its public key. */
const isInconsistent = (bytes: Uint8Array): boolean => {
  const kind = kindOf(bytes)
  const key = isPlainKey(kind) ? privateKeyOf(bytes, kind) : undefined
  return key !== undefined && !isConsistent(key)
}

// A sequence in DER begins with 0x30: an M in base64.
const start = /M(?=[A-Z])/g
// The first bytes of private keys (PKCS #8 with elliptic curves and RSA, SEC 1, PKCS #1), searched for anywhere in a text.
const keys =
  /M(?:[A-Z][A-Za-z0-9+/]{0,3}AgEAM[BA]|I[A-Za-z0-9+/]{4}IBADAN|[A-Z][A-Za-z0-9+/]?CAQEEI|[A-Z][A-Za-z0-9+/]{0,4}I?BAA?K)/g
const starts = new RegExp(`(?<![${base64}])M[A-Z]`, "g")

/** At most so many places are tried. */
const most = 24

const from = (text: string, isFile: Test = isWhole): Uint8Array | undefined => {
  for (const digits of readings(text)) {
    const found = fileOf(digits, isFile)
    if (found !== undefined) return found
  }
  return undefined
}

/** The file whose base64 is between two labels: the text between the first label and it is a line end. */
export const fileBetween = (text: string): Uint8Array | undefined => {
  for (const { index } of text.slice(0, 2 * longestSeparator).matchAll(start)) {
    const file = from(text.slice(index))
    if (file !== undefined) return file
  }
  return from(text)
}

/** At most so much text after a beginning is read: keys and certificates are shorter. */
const longest = 40_000

const allFrom = (text: string, places: RegExp, isFile: Test = isWhole): ReadonlyArray<Uint8Array> => {
  const found: Array<Uint8Array> = []
  const seen = new Set<string>()
  for (const { index } of Array.from(text.matchAll(places)).slice(0, most)) {
    // the hyphens of a label are none of base64url: they would fill up what is missing before them
    const [digits = ""] = text.slice(index, index + longest).split(/-{4,}/, 1)
    const file = from(digits, isFile)
    if (file === undefined) continue
    const name = Buffer.from(file).toString("base64")
    if (!seen.has(name)) found.push(file)
    seen.add(name)
  }
  return found
}

/** The private keys whose base64 begins anywhere in a text. */
export const keysAnywhere = (text: string): ReadonlyArray<Uint8Array> => allFrom(text, keys)

/** The files whose base64 begins anywhere in a text. */
export const filesAnywhere = (text: string): ReadonlyArray<Uint8Array> => {
  const found = keysAnywhere(text)
  return found.length > 0 ? found : allFrom(text, starts)
}

/** Private keys that are complete but do not match their public keys. Only used if nothing else was found. */
export const inconsistentKeysAnywhere = (text: string): ReadonlyArray<Uint8Array> => allFrom(text, keys, isInconsistent)
