/**
 * @since 0.1.0
 */
const encoder = new TextEncoder()

// Small bodies are slices of one larger buffer, because a separate buffer for each would cost more than its content.
// A slice is never written to again, so bodies never change as long as they are used.
const slabBytes = 16_384

let slab = new Uint8Array(slabBytes)
let used = 0

/**
 * The UTF-8 bytes of a text. They must not be written to.
 *
 * @internal
 */
export const encode = (text: string): Uint8Array => {
  const most = text.length * 3
  if (most > slabBytes) return encoder.encode(text)
  if (used + most > slabBytes) {
    slab = new Uint8Array(slabBytes)
    used = 0
  }
  const start = used
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code > 0x7f) {
      used = start + encoder.encodeInto(text, slab.subarray(start)).written
      return slab.subarray(start, used)
    }
    slab[start + i] = code
  }
  used = start + text.length
  return slab.subarray(start, used)
}

/**
 * How many bytes a text takes in UTF-8.
 *
 * @internal
 */
export const byteLength = (text: string): number => {
  let bytes = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : 3
    // the second half of a surrogate pair adds one to the three of the first
    if (code >= 0xd800 && code < 0xdc00 && i + 1 < text.length && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      bytes += 1
      i++
    }
  }
  return bytes
}
