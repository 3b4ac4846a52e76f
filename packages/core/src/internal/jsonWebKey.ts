import * as crypto from "node:crypto"
import { bytesOf } from "./digits.js"

/** What a JSON Web Key (RFC 7517) is: DER of a private key (PKCS #8) or a public one, or why it is neither. */
export type JsonWebKey =
  | { readonly _tag: "Private" | "Public"; readonly der: Uint8Array }
  | { readonly _tag: "Damaged"; readonly why: string }

const damaged = (why: string): JsonWebKey => ({ _tag: "Damaged", why })

const values = (text: string, name: string): ReadonlyArray<string> =>
  Array.from(
    text.matchAll(new RegExp(`(?<![\\w-])["']?${name}["']?\\s*[:=]\\s*["']?([A-Za-z0-9+/_-]+)`, "g")),
    ([, value = ""]) => value
  )

const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url")

/** How many bytes a coordinate and the secret of P-256 have (RFC 7518 section 6.2). */
const size = 32

/** A number of P-256, with leading zeros added or removed as needed; `undefined` if it is too long. */
const scalar = (digits: string): Uint8Array | undefined => {
  const bytes = bytesOf(digits)
  const first = bytes.findIndex((byte) => byte !== 0)
  const significant = first < 0 ? bytes.subarray(0, 0) : bytes.subarray(first)
  if (significant.length > size) return undefined
  const padded = new Uint8Array(size)
  padded.set(significant, size - significant.length)
  return padded
}

const same = (digits: string | undefined, coordinate: Uint8Array): boolean => {
  const given = digits === undefined ? coordinate : scalar(digits)
  return given !== undefined && Buffer.compare(given, coordinate) === 0
}

const p256 = (d: string, x: string | undefined, y: string | undefined): JsonWebKey => {
  const secret = scalar(d)
  const length = bytesOf(d).length
  // a secret that is too short may lack leading zeros: accepted if the public key confirms it
  if (secret === undefined || x === undefined && y === undefined && length !== size) {
    return damaged(`its "d" has ${length} bytes, and ${size} belong there`)
  }
  const pair = crypto.createECDH("prime256v1")
  try {
    pair.setPrivateKey(secret)
  } catch {
    return damaged("its \"d\" is no private key of P-256")
  }
  const point = pair.getPublicKey()
  const [ownX, ownY] = [point.subarray(1, 1 + size), point.subarray(1 + size)]
  if (!same(x, ownX) || !same(y, ownY)) {
    return damaged("its \"x\" and \"y\" are not the public key that belongs to its \"d\"")
  }
  return ofPrivate({ kty: "EC", crv: "P-256", d: base64url(secret), x: base64url(ownX), y: base64url(ownY) })
}

const ofPrivate = (key: crypto.JsonWebKey): JsonWebKey => {
  try {
    const der = crypto.createPrivateKey({ key, format: "jwk" }).export({ type: "pkcs8", format: "der" })
    return { _tag: "Private", der: new Uint8Array(der) }
  } catch {
    return damaged("its numbers are no key")
  }
}

const ofPublic = (key: crypto.JsonWebKey): JsonWebKey => {
  try {
    const der = crypto.createPublicKey({ key, format: "jwk" }).export({ type: "spki", format: "der" })
    return { _tag: "Public", der: new Uint8Array(der) }
  } catch {
    return damaged("its numbers are no key")
  }
}

/** The shortest text that is accepted as the secret: other JSON has fields called "d" too. */
const shortest = 16

const one = (text: string): JsonWebKey | undefined => {
  const field = (name: string): string | undefined => values(text, name)[0]
  const crv = field("crv")
  const kty = field("kty") ?? (crv === "P-256" ? "EC" : undefined)
  if (kty === undefined || !["EC", "RSA", "OKP"].includes(kty) || kty !== "RSA" && crv === undefined) return undefined
  const d = values(text, "d").find(({ length }) => length >= shortest)
  const key: Record<string, string> = { kty }
  for (const name of kty === "RSA" ? ["n", "e", "p", "q", "dp", "dq", "qi"] : ["crv", "x", "y"]) {
    const value = field(name)
    if (value !== undefined) key[name] = value
  }
  if (d === undefined) return key["x"] === undefined && key["n"] === undefined ? undefined : ofPublic(key)
  return crv === "P-256" ? p256(d, key["x"], key["y"]) : ofPrivate({ ...key, d })
}

/** At most so many objects of a text are tried. */
const most = 24

/**
 * The JSON Web Keys in a text: in an object of their own, in a set, or without braces. A key on P-256 may come without its
 * public key.
 */
export const jsonWebKeys = (text: string): ReadonlyArray<JsonWebKey> => {
  const objects = (text.match(/\{[^{}]*\}/g) ?? []).slice(0, most).flatMap((object) => one(object) ?? [])
  return objects.length > 0 ? objects : [one(text)].flatMap((key) => key ?? [])
}
