/**
 * The part of DER (ITU-T X.690) that a throw-away certificate needs: a writer, and a reader that walks elements.
 *
 * @internal
 */

/** @internal */
export const Tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31
} as const

const lengthBytes = (length: number): Array<number> => {
  if (length < 0x80) return [length]
  const bytes: Array<number> = []
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest & 0xff)
  return [0x80 | bytes.length, ...bytes]
}

/** @internal */
export const element = (tag: number, ...parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  return Buffer.concat([Uint8Array.from([tag, ...lengthBytes(length)]), ...parts])
}

/** @internal */
export const sequence = (...parts: ReadonlyArray<Uint8Array>): Uint8Array => element(Tag.sequence, ...parts)

/** @internal */
export const set = (...parts: ReadonlyArray<Uint8Array>): Uint8Array => element(Tag.set, ...parts)

/** A context-specific, constructed element: `[n]` in ASN.1. */
/** @internal */
export const context = (n: number, ...parts: ReadonlyArray<Uint8Array>): Uint8Array => element(0xa0 | n, ...parts)

/** A context-specific, primitive element: `[n] IMPLICIT` of a primitive type. */
/** @internal */
export const contextPrimitive = (n: number, value: Uint8Array): Uint8Array => element(0x80 | n, value)

/** @internal */
export const utf8 = (text: string): Uint8Array => element(Tag.utf8, Buffer.from(text, "utf8"))

/** @internal */
export const octetString = (value: Uint8Array): Uint8Array => element(Tag.octetString, value)

/** @internal */
export const bitString = (value: Uint8Array, unusedBits = 0): Uint8Array =>
  element(Tag.bitString, Uint8Array.of(unusedBits), value)

/** @internal */
export const boolean = (value: boolean): Uint8Array => element(Tag.boolean, Uint8Array.of(value ? 0xff : 0))

/** A non-negative INTEGER from its big-endian bytes. */
/** @internal */
export const integer = (bytes: Uint8Array): Uint8Array => {
  let start = 0
  while (start < bytes.length - 1 && bytes[start] === 0) start++
  const value = bytes.subarray(start)
  return (value[0] ?? 0) >= 0x80 ? element(Tag.integer, Uint8Array.of(0), value) : element(Tag.integer, value)
}

/** @internal */
export const oid = (dotted: string): Uint8Array => {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number)
  const bytes: Array<number> = []
  for (const arc of [first * 40 + second, ...rest]) {
    const groups = [arc & 0x7f]
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) groups.unshift(0x80 | (left & 0x7f))
    bytes.push(...groups)
  }
  return element(Tag.oid, Uint8Array.from(bytes))
}

/** Time by RFC 5280 section 4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050 on. */
/** @internal */
export const time = (millis: number): Uint8Array => {
  const digits = new Date(millis).toISOString().replace(/[-:T]|\.\d+/g, "")
  return digits < "2050"
    ? element(Tag.utcTime, Buffer.from(digits.slice(2), "latin1"))
    : element(Tag.generalizedTime, Buffer.from(digits, "latin1"))
}

/** @internal */
export interface Element {
  readonly tag: number
  readonly value: Uint8Array
}

/** The consecutive elements in `bytes`; stops at the first that does not fit. */
/** @internal */
export const elements = (bytes: Uint8Array): Array<Element> => {
  const found: Array<Element> = []
  let at = 0
  while (at + 2 <= bytes.length) {
    const tag = bytes[at] ?? 0
    let length = bytes[at + 1] ?? 0
    at += 2
    if (length >= 0x80) {
      const count = length & 0x7f
      length = 0
      for (let i = 0; i < count; i++) length = length * 256 + (bytes[at++] ?? 0)
    }
    if (at + length > bytes.length) break
    found.push({ tag, value: bytes.subarray(at, at + length) })
    at += length
  }
  return found
}
