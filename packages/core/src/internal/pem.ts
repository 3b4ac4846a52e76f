import type { DerKind } from "./der.js"
import { kindOf, withoutTail } from "./der.js"

/** A key, a certificate or the like: one block of a PEM text (RFC 7468), or a whole DER file. */
export interface PemBlock {
  readonly label: string
  /** As PEM with regular lines, whatever it was read from. */
  readonly text: string
  readonly der: Uint8Array
  /** The cipher of a traditional encrypted key (RFC 1421), such as `DES-CBC`. */
  readonly cipher: string | undefined
  readonly from: "PEM" | "DER"
}

const labels = [
  "PRIVATE KEY",
  "ENCRYPTED PRIVATE KEY",
  "EC PRIVATE KEY",
  "RSA PRIVATE KEY",
  "DSA PRIVATE KEY",
  "OPENSSH PRIVATE KEY",
  "PUBLIC KEY",
  "RSA PUBLIC KEY",
  "CERTIFICATE",
  "TRUSTED CERTIFICATE",
  "X509 CERTIFICATE",
  "CERTIFICATE REQUEST",
  "NEW CERTIFICATE REQUEST",
  "EC PARAMETERS",
  "PKCS7"
]

const withoutSpaces: ReadonlyMap<string, string> = new Map(labels.map((label) => [label.replaceAll(" ", ""), label]))

// Word processors turn two hyphens into one dash.
const dashes = "[-\\u2010-\\u2015\\u2212\\ufe63\\uff0d]+"
// Forms in web pages write a plus sign for a space, and names of variables an underscore.
const gap = "[\\s+_]*"
const label = "[A-Z0-9\\s+_]+?"
const begin = new RegExp(`${dashes}${gap}BEGIN${gap}${label}${gap}${dashes}`, "i")
const block = new RegExp(
  `${dashes}${gap}BEGIN${gap}(${label})${gap}${dashes}([^]*?)${dashes}${gap}END${gap}(${label})${gap}(?=${dashes})`,
  "gi"
)

/**
 * Undoes what carried the text here: JSON, YAML, shells and secret managers escape line ends and other characters, some of
 * them several times over. No backslash, ampersand or percent sign belongs into PEM.
 */
const unescaped = (text: string): string =>
  text
    .replaceAll("\0", "")
    .replace(/\\+\r?\n/g, "\n")
    .replace(/\\+(?:u00|x)([0-9a-f]{2})/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
    .replace(/\\+(?:[nr]|01[25])/gi, "\n")
    .replace(/\\+t/g, "\t")
    .replaceAll("\\", "")
    .replace(/&#(?:x0*([0-9a-f]{1,2})|0*([0-9]{1,3}));/gi, (_, hex: string | undefined, decimal: string) =>
      String.fromCharCode(hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)))
    .replace(/%(?:25)*([0-7][0-9a-f])/gi, (_, code: string) =>
      String.fromCharCode(Number.parseInt(code, 16)))

/** What may stand between the characters of base64 without being part of it. */
// eslint-disable-next-line no-control-regex
const noise = /[\s"'`,;|>\u0000-\u001f\u007f\u00a0\u00ad\u200b-\u200f\u2028-\u202e\u2060\ufeff]/g

/** The bytes of base64 or base64url, with or without padding; `undefined` where it is neither. */
const fromBase64 = (text: string): Uint8Array | undefined => {
  const digits = text.replace(noise, "").replace(/=+$/, "")
  if (digits === "" || !/^[A-Za-z0-9+/_-]+$/.test(digits) || digits.length % 4 === 1) return undefined
  return new Uint8Array(Buffer.from(digits.replaceAll("-", "+").replaceAll("_", "/"), "base64"))
}

const pemOf = (label: string, der: Uint8Array, headers = ""): string => {
  const lines = Buffer.from(der).toString("base64").match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${headers}${lines.map((line) => `${line}\n`).join("")}-----END ${label}-----\n`
}

const ofDer = (bytes: Uint8Array, kind: DerKind): PemBlock => {
  const der = withoutTail(bytes)
  return { label: kind, text: pemOf(kind, der), der, cipher: undefined, from: "DER" }
}

/** The length of a cipher's initialization vector in hexadecimal digits: what ends it where line ends are lost. */
const vectorLength = (cipher: string): number => /AES|CAMELLIA|ARIA|SEED|SM4/.test(cipher) ? 32 : 16

/** One block from what stands between its lines; without bytes where that is no base64. */
const ofPem = (label: string, inside: string): PemBlock => {
  const procType = /Proc-Type:\s*4\s*,\s*ENCRYPTED/i.exec(inside)
  const info = /DEK-Info:\s*([A-Z0-9-]+)\s*,\s*([0-9A-F]+)/i.exec(inside)
  if (procType !== null && info !== null) {
    const [, cipher = "", vector = ""] = info
    const iv = vector.slice(0, vectorLength(cipher))
    const der = fromBase64(inside.slice(info.index + info[0].length - (vector.length - iv.length))) ?? new Uint8Array(0)
    return {
      label,
      text: pemOf(label, der, `Proc-Type: 4,ENCRYPTED\nDEK-Info: ${cipher},${iv}\n\n`),
      der,
      cipher,
      from: "PEM"
    }
  }
  // other headers (RFC 1421 section 4.4) say nothing that is needed here
  const body = inside.replace(/^[\w-]+: .*$/gm, "")
  const der = [body, withoutLetters(body), ...[3, 6, 16].map((shortest) => runs(body, shortest))].map(fromBase64)
    .find((bytes) => bytes !== undefined && isWhole(bytes)) ?? fromBase64(body) ?? new Uint8Array(0)
  return { label, text: pemOf(label, der), der, cipher: undefined, from: "PEM" }
}

const isWhole = (bytes: Uint8Array): boolean => kindOf(bytes) !== undefined

/**
 * The long runs of base64 alone, without what stands between them: typographic quotes, the operators of a program that joins
 * lines, line numbers, tags of HTML.
 */
const runs = (body: string, shortest: number): string =>
  (body.match(/[A-Za-z0-9+/]+/g) ?? []).filter(({ length }) => length >= shortest).join("")

/** Where the backslashes of `\n` got lost, an `n` stands before each line. */
const withoutLetters = (body: string): string => {
  const digits = body.replace(noise, "")
  if (!/^r?n/.test(digits)) return body
  return Array.from(digits.matchAll(/r?n(.{1,64})/g), ([, line = ""]) => line).join("").replace(/r?n$/, "")
}

/**
 * The blocks of a PEM text, in whatever shape an environment variable, YAML, JSON or a secret manager left it: with spaces
 * or nothing for line ends, with line ends and other characters escaped any number of times, in quotes, indented, with a
 * byte order mark, as base64 of the file; or DER, as bytes or as base64.
 */
export const pemBlocks = (input: string | Uint8Array, depth = 0): ReadonlyArray<PemBlock> => {
  if (typeof input !== "string") {
    const kind = kindOf(input)
    return kind === undefined ? pemBlocks(decodeText(input), depth) : [ofDer(input, kind)]
  }
  const text = unescaped(input)
  const blocks = Array.from(
    text.matchAll(block),
    ([, label = "", inside = "", end = ""]) => labelOf(label) === labelOf(end) ? [ofPem(labelOf(label), inside)] : []
  ).flat()
  if (blocks.length > 0 || depth >= 3) return blocks
  const bytes = encodedBytes(text)
  return bytes === undefined ? [] : pemBlocks(bytes, depth + 1)
}

const labelOf = (written: string): string =>
  withoutSpaces.get(written.replace(/[\s+_]+/g, "").toUpperCase()) ?? written.replace(/\s+/g, " ").trim()

/** The shortest base64 that is taken for a file: no key and no certificate is shorter. */
const shortestFile = 60

const encodedBytes = (text: string): Uint8Array | undefined => {
  const digits = text.replace(/^\s*data:[^,]*;base64,/i, "").replace(/^\s*(?:base64:|!!binary)/i, "").replace(noise, "")
  if (digits.length < shortestFile) return undefined
  const hex = digits.replace(/^0x/i, "").replaceAll(":", "")
  if (/^(?:30|2d2d|efbbbf|fffe|feff)(?:[0-9a-f]{2})+$/i.test(hex)) return new Uint8Array(Buffer.from(hex, "hex"))
  // else what stands beside a name: a line of a file of variables, a field of JSON or YAML
  return fromBase64(digits) ?? fromBase64(namedValue.exec(digits)?.[0] ?? "")
}

const namedValue = new RegExp(`[A-Za-z0-9+/_-]{${shortestFile},}`)

/** A block begins in this text. */
export const hasBegin = (text: string): boolean => begin.test(unescaped(text))

/** The text of a file: UTF-8, or UTF-16 as some editors and shells of Windows write it. */
export const decodeText = (bytes: Uint8Array): string => {
  const [a, b, c] = bytes
  const encoding = a === 0xff && b === 0xfe || a !== 0 && b === 0 && c !== 0
    ? "utf-16le"
    : a === 0xfe && b === 0xff || a === 0 && b !== 0
    ? "utf-16be"
    : "utf-8"
  return new TextDecoder(encoding).decode(bytes)
}

/** A key that OpenSSL reads: those of OpenSSH are none. */
export const isPrivateKey = ({ label }: PemBlock): boolean =>
  label.endsWith("PRIVATE KEY") && !label.startsWith("OPENSSH")

export const isEncrypted = (block: PemBlock): boolean =>
  block.label === "ENCRYPTED PRIVATE KEY" || block.cipher !== undefined

export const isCertificate = (block: PemBlock): boolean => block.label.endsWith("CERTIFICATE")
