/** Just enough DER (ITU-T X.690) to read one extension of an X.509 certificate, which Node does not expose. */

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

const oid = (dotted: string): string => {
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
