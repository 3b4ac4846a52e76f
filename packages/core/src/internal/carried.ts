import { bytesOf } from "./digits.js"

/** A file inside a text that is neither PEM nor plain base64 of DER: base64 of base64, hexadecimal, numbers. */

/** The shortest text that may be a file: keys and certificates are longer. */
const shortest = 60

/** At most so many candidates are tried. */
const most = 16

const digits = new RegExp(`[A-Za-z0-9+/_-]{${shortest},}={0,2}`, "g")
const hexadecimal = new RegExp(`(?:(?:0x|\\\\{1,8}x)?[0-9a-f]{2}[\\s,:]*){${shortest},}`, "gi")
const indexed = new RegExp(`(?:"?[0-9]{1,6}"?\\s*:\\s*[0-9]{1,3}[\\s,]*){${shortest},}`, "g")
const decimal = new RegExp(`(?:-?[0-9]{1,3}[\\s,;]+){${shortest - 1},}-?[0-9]{1,3}`, "g")

const matches = (text: string, pattern: RegExp): ReadonlyArray<string> => (text.match(pattern) ?? []).slice(0, most)

const ofHexadecimal = (text: string): Uint8Array =>
  new Uint8Array(Buffer.from(text.replace(/0x|\\+x|[^0-9a-f]/gi, ""), "hex"))

/** Numbers of bytes, as `JSON.stringify` writes a Buffer, and other languages an array; signed ones as well. */
const ofNumbers = (text: string): Uint8Array =>
  Uint8Array.from(text.match(/-?[0-9]+/g) ?? [], (digits) => Number(digits))

/** As `JSON.stringify` writes a Uint8Array: each number with its index. */
const ofIndexed = (text: string): Uint8Array =>
  Uint8Array.from(text.matchAll(/:\s*([0-9]+)/g), ([, digits]) => Number(digits))

/** The parts of this text that may be a file, in the order to try them. */
export const carried = (text: string): ReadonlyArray<Uint8Array> => {
  // the text between lines of base64 that is not part of it
  const joined = text.replace(/!!binary|data:[^,]*,|base64:/gi, " ").replace(/[\s"'`,;|>]+/g, "")
  return [
    ...matches(text, hexadecimal).map(ofHexadecimal),
    ...matches(text, decimal).map(ofNumbers),
    ...matches(text, indexed).map(ofIndexed),
    ...Array.from(new Set([...matches(joined, digits), ...matches(text, digits)])).map(bytesOf)
  ]
}
