import { carried } from "./carried.js"
import type { DerKind } from "./der.js"
import { kindOf, withoutTail } from "./der.js"
import { bytesOf, fileBetween, filesAnywhere, inconsistentKeysAnywhere, isWhole, keysAnywhere } from "./digits.js"
import { jsonWebKeys } from "./jsonWebKey.js"
import { readings, unescaped } from "./unescape.js"

/** A key, a certificate or the like: one block of a PEM text (RFC 7468), or a whole DER file. */
export interface PemBlock {
  readonly label: string
  /** As PEM with regular lines, no matter what it was read from. */
  readonly text: string
  readonly der: Uint8Array
  /** The cipher of a traditional encrypted key (RFC 1421), such as `DES-CBC`. */
  readonly cipher: string | undefined
  readonly from: "PEM" | "DER" | "JWK"
  /** Why it is damaged, if that can be told without opening it. */
  readonly damage?: string
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
const dash = "[-\\u2010-\\u2015\\u2212\\ufe63\\uff0d]"
const dashes = `(?<!${dash})${dash}+`
// Forms in web pages replace a space by a plus sign, and names of variables by an underscore.
const gap = "[\\s+_]*"
const marker = new RegExp(`${dashes}${gap}(BEGIN|END)${gap}([A-Z0-9\\s+_]{1,60}?)${gap}(?=${dash})`, "gi")
const leadingDashes = new RegExp(`^${dash}+`)

/** The characters that may be between those of base64 without being part of it. */
// eslint-disable-next-line no-control-regex
const noise = /[\s"'`,;|>\u0000-\u001f\u007f\u00a0\u00ad\u200b-\u200f\u2028-\u202e\u2060\ufeff]/g

/** The bytes of base64 or base64url, with or without padding; `undefined` if it is neither. */
const fromBase64 = (text: string): Uint8Array | undefined => {
  const digits = text.replace(noise, "").replace(/=+$/, "")
  if (digits === "" || !/^[A-Za-z0-9+/_-]+$/.test(digits) || digits.length % 4 === 1) return undefined
  return bytesOf(digits)
}

const pemOf = (label: string, der: Uint8Array, headers = ""): string => {
  const lines = Buffer.from(der).toString("base64").match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${headers}${lines.map((line) => `${line}\n`).join("")}-----END ${label}-----\n`
}

const ofDer = (bytes: Uint8Array, kind: DerKind): PemBlock => {
  const der = withoutTail(bytes)
  return { label: kind, text: pemOf(kind, der), der, cipher: undefined, from: "DER" }
}

/** The length of a cipher's initialization vector in hexadecimal digits, which shows its end if line ends are lost. */
const vectorLength = (cipher: string): number => /AES|CAMELLIA|ARIA|SEED|SM4/.test(cipher) ? 32 : 16

/** One block from the text between its labels; without bytes if that is not base64. */
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
  // other headers (RFC 1421 section 4.4) are not needed here
  const body = inside.replace(/^[\w-]+: .*$/gm, "")
  const file = fileBetween(body) ?? fileBetween(inside)
  if (file !== undefined) return ofFile(file, label)
  const der = fromBase64(body) ?? new Uint8Array(0)
  return { label, text: pemOf(label, der), der, cipher: undefined, from: "PEM" }
}

/** A complete file between labels. Its content decides what it is, not the labels, which may be wrong. */
const ofFile = (der: Uint8Array, written: string): PemBlock => {
  const label = kindOf(der) ?? written
  return { label, text: pemOf(label, der), der, cipher: undefined, from: "PEM" }
}

/** How often a file may be packed: base64 of base64, and so on. */
const deepest = 8

/** At most so many candidates inside others are tried. */
const most = 64

/** Longer texts are only searched for labels: no key is that long, even if it was encoded several times. */
const longest = 400_000

/**
 * The blocks of a PEM text, in any form that environment variables, YAML, JSON, mails or secret managers make of it: with
 * spaces, signs or nothing for line ends, with line ends and other characters escaped any number of times, in quotes,
 * indented, with something in front of each line, with a byte order mark, with damaged labels or without any, as base64 of
 * the file; or DER, as bytes or as base64; or a JSON Web Key.
 */
export const pemBlocks = (input: string | Uint8Array): ReadonlyArray<PemBlock> => {
  let left = most
  const look = (input: string | Uint8Array, depth: number): ReadonlyArray<PemBlock> => {
    left--
    if (typeof input !== "string") {
      const kind = kindOf(input)
      return kind === undefined ? look(decodeText(input), depth) : [ofDer(input, kind)]
    }
    const texts = readings(input)
    let broken: ReadonlyArray<PemBlock> = []
    for (const text of texts) {
      const blocks = labeled(text)
      if (blocks.some(isComplete)) return blocks.some(isPrivateKey) ? blocks : [...blocks, ...bareKeys(text)]
      if (broken.length === 0) broken = blocks
    }
    if (input.length > longest) return broken
    for (const text of texts) {
      const bare = filesAnywhere(text).flatMap(ofBare)
      if (bare.length > 0) return bare
      const webKeys = ofJsonWebKeys(text)
      if (webKeys.some(isComplete)) return webKeys
      if (broken.length === 0) broken = webKeys
    }
    if (depth < deepest) {
      for (const bytes of [input, ...texts].flatMap(carried)) {
        if (left <= 0) break
        const blocks = look(bytes, depth + 1)
        if (blocks.some(isComplete)) return blocks
        if (broken.length === 0) broken = blocks
      }
    }
    return broken.length > 0 ? broken : texts.flatMap(inconsistentKeysAnywhere).flatMap(ofBare)
  }
  return look(input, 0)
}

/** The blocks between a BEGIN and the END after it. */
const labeled = (text: string): ReadonlyArray<PemBlock> => {
  const markers = Array.from(
    text.matchAll(marker),
    ({ 0: { length }, 1: which = "", 2: label = "", index }) => ({
      isBegin: /BEGIN/i.test(which),
      label: labelOf(label),
      index,
      end: index + length
    })
  )
  return markers.flatMap((begin, i) => {
    const end = markers[i + 1]
    if (!begin.isBegin || end === undefined || end.isBegin) return []
    const found = ofPem(begin.label, text.slice(begin.end, end.index).replace(leadingDashes, ""))
    return begin.label === end.label || isComplete(found) ? [found] : []
  })
}

const isComplete = ({ cipher, der }: PemBlock): boolean => cipher === undefined ? isWhole(der) : der.length > 0

const ofJsonWebKeys = (text: string): ReadonlyArray<PemBlock> =>
  jsonWebKeys(text).map((key) =>
    key._tag === "Damaged"
      ? { label: "PRIVATE KEY", text: "", der: new Uint8Array(0), cipher: undefined, from: "JWK", damage: key.why }
      : { ...ofDer(key.der, key._tag === "Private" ? "PRIVATE KEY" : "PUBLIC KEY"), from: "JWK" }
  )

const ofBare = (der: Uint8Array): ReadonlyArray<PemBlock> => {
  const kind = kindOf(der)
  return kind === undefined ? [] : [ofDer(der, kind)]
}

const bareKeys = (text: string): ReadonlyArray<PemBlock> => keysAnywhere(text).flatMap(ofBare)

const labelOf = (written: string): string =>
  withoutSpaces.get(written.replace(/[\s+_]+/g, "").toUpperCase()) ?? written.replace(/\s+/g, " ").trim()

/** A block begins in this text. */
export const hasBegin = (text: string): boolean =>
  Array.from(unescaped(text).matchAll(marker)).some(([, which = ""]) => /BEGIN/i.test(which))

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

/** A key that OpenSSL reads, unlike keys of OpenSSH. */
export const isPrivateKey = ({ label }: PemBlock): boolean =>
  label.endsWith("PRIVATE KEY") && !label.startsWith("OPENSSH")

export const isEncrypted = (block: PemBlock): boolean =>
  block.label === "ENCRYPTED PRIVATE KEY" || block.cipher !== undefined

export const isCertificate = (block: PemBlock): boolean => block.label.endsWith("CERTIFICATE")
