/** The part of DER (ITU-T X.690) that is needed to tell what a file is, and to read what Node does not expose. */

interface Element {
  readonly tag: number
  readonly content: Uint8Array
}

const elements = (der: Uint8Array): ReadonlyArray<Element> => {
  const found: Array<Element> = []
  let at = 0
  while (at + 2 <= der.length) {
    const tag = der[at] ?? 0
    let length = der[at + 1] ?? 0
    at += 2
    if (length >= 0x80) {
      const bytes = length & 0x7f
      length = 0
      for (let i = 0; i < bytes; i++) {
        length = length * 256 + (der[at++] ?? 0)
      }
    }
    if (at + length > der.length) {
      return found
    }
    found.push({ tag, content: der.subarray(at, at + length) })
    at += length
  }
  return found
}

const SEQUENCE = 0x30
const OCTET_STRING = 0x04
const UTF8_STRING = 0x0c
const EXTENSIONS = 0xa3

const children = (element: Element | undefined): ReadonlyArray<Element> =>
  element === undefined ? [] : elements(element.content)

/** An object identifier as its content in hexadecimal. */
export const oid = (dotted: string): string => {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number)
  const bytes = [first * 40 + second]
  for (const arc of rest) {
    const group = [arc & 0x7f]
    for (let value = Math.floor(arc / 128); value > 0; value = Math.floor(value / 128)) {
      group.unshift((value & 0x7f) | 0x80)
    }
    bytes.push(...group)
  }
  return Buffer.from(bytes).toString("hex")
}

// Apple, "Establishing a certificate-based connection to APNs": the extension that lists the topics.
const topicsExtension = () => oid("1.2.840.113635.100.6.3.6")

/** The topics in Apple's extension 1.2.840.113635.100.6.3.6: strings, each followed by a sequence of its kinds. */
export const certificateTopics = (certificate: Uint8Array): ReadonlyArray<string> => {
  const wanted = topicsExtension()
  const [body] = children(elements(certificate)[0])
  const extensions = children(children(children(body).find((_) => _.tag === EXTENSIONS))[0])
  const extension = extensions.map(children).find(([id]) =>
    id !== undefined && Buffer.from(id.content).toString("hex") === wanted
  )
  const value = extension?.find((_) => _.tag === OCTET_STRING)
  const list = children(value).find((_) => _.tag === SEQUENCE)
  return children(list).filter((_) => _.tag === UTF8_STRING).map((_) => Buffer.from(_.content).toString("utf8"))
}

const INTEGER = 0x02
const BIT_STRING = 0x03
const OBJECT_IDENTIFIER = 0x06

/** What a DER file is: the label of its PEM form. `PKCS12` has none in RFC 7468. */
export type DerKind =
  | "PRIVATE KEY"
  | "ENCRYPTED PRIVATE KEY"
  | "EC PRIVATE KEY"
  | "RSA PRIVATE KEY"
  | "PUBLIC KEY"
  | "CERTIFICATE"
  | "CERTIFICATE REQUEST"
  | "PKCS7"
  | "PKCS12"

const isPkcs7 = (type: Element | undefined): boolean =>
  type !== undefined && Buffer.from(type.content).toString("hex").startsWith(oid("1.2.840.113549.1.7"))

/** By the tags of the outermost elements (RFC 5208, 5915, 8017, 5280, 2986, 2315, 7292); `undefined` if it is not DER. */
export const kindOf = (bytes: Uint8Array): DerKind | undefined => {
  if (bytes[0] !== SEQUENCE || bytes.length < 16) return undefined
  // BER of indefinite length, which only PKCS#12 and PKCS#7 files come in
  if (bytes[1] === 0x80) return bytes[2] === INTEGER ? "PKCS12" : bytes[2] === OBJECT_IDENTIFIER ? "PKCS7" : undefined
  const inside = children(elements(bytes)[0])
  const tags = inside.map(({ tag }) => tag)
  const [first, second] = inside
  switch (tags[0]) {
    case INTEGER:
      if (first?.content[0] === 3 && tags[1] === SEQUENCE) return "PKCS12"
      if (tags[1] === SEQUENCE && tags[2] === OCTET_STRING) return "PRIVATE KEY"
      if (tags[1] === OCTET_STRING) return "EC PRIVATE KEY"
      return tags.length >= 9 && tags.every((tag) => tag === INTEGER) ? "RSA PRIVATE KEY" : undefined
    case OBJECT_IDENTIFIER:
      return isPkcs7(first) ? "PKCS7" : undefined
    case SEQUENCE: {
      if (tags[1] === BIT_STRING && tags.length === 2) return "PUBLIC KEY"
      if (tags[1] === OCTET_STRING && tags.length === 2) return "ENCRYPTED PRIVATE KEY"
      if (tags[1] !== SEQUENCE || tags[2] !== BIT_STRING || second === undefined) return undefined
      // a request: version, subject, key; a certificate: version, serial number, algorithm, ...
      const body = children(first).map(({ tag }) => tag)
      return body[0] === INTEGER && body[1] === SEQUENCE && body[2] === SEQUENCE && body[3] !== SEQUENCE
        ? "CERTIFICATE REQUEST"
        : "CERTIFICATE"
    }
    default:
      return undefined
  }
}

/** The algorithms of an encrypted key (RFC 5208): its own, and those inside its parameters (PBES2, RFC 8018). */
export const encryptionOf = (encryptedKey: Uint8Array): ReadonlyArray<string> => {
  const [algorithm] = children(elements(encryptedKey)[0])
  const oids = (element: Element): ReadonlyArray<string> =>
    element.tag === OBJECT_IDENTIFIER
      ? [Buffer.from(element.content).toString("hex")]
      : element.tag === SEQUENCE
      ? children(element).flatMap(oids)
      : []
  return algorithm === undefined ? [] : oids(algorithm)
}

/** The length in bytes of the element at this place, with its tag and length; `undefined` if it is not a DER sequence. */
export const lengthOf = (bytes: Uint8Array): number | undefined => {
  const [tag, first] = bytes
  if (tag !== SEQUENCE || first === undefined || first === 0x80 || first > 0x83) return undefined
  if (first < 0x80) return 2 + first
  const more = first & 0x7f
  let length = 0
  for (let i = 0; i < more; i++) {
    const byte = bytes[2 + i]
    if (byte === undefined) return undefined
    length = length * 256 + byte
  }
  return 2 + more + length
}

/** Only the first element: files may have a line end or other bytes after it. */
export const withoutTail = (der: Uint8Array): Uint8Array => {
  const [first] = der[1] === 0x80 ? [] : elements(der)
  return first === undefined ? der : der.subarray(0, first.content.byteOffset + first.content.length - der.byteOffset)
}
