/**
 * Node's Buffer has methods for each encoding that skip the look-up of the encoding's name; they are not part of its
 * types, and other runtimes may not have them.
 */

type Slice = (this: Buffer, start: number, end: number) => string
type Write = (this: Buffer, text: string, offset: number, length: number) => number

const isSlice = (value: unknown): value is Slice => typeof value === "function"
const isWrite = (value: unknown): value is Write => typeof value === "function"

const nativeSlice: unknown = Reflect.get(Buffer.prototype, "latin1Slice")
const nativeLatin1Write: unknown = Reflect.get(Buffer.prototype, "latin1Write")
const nativeUtf8Write: unknown = Reflect.get(Buffer.prototype, "utf8Write")

const slice: Slice = isSlice(nativeSlice) ? nativeSlice : function(start, end) {
  return this.toString("latin1", start, end)
}

const latin1Write: Write = isWrite(nativeLatin1Write) ? nativeLatin1Write : function(text, offset, length) {
  return this.write(text, offset, length, "latin1")
}

const utf8Write: Write = isWrite(nativeUtf8Write) ? nativeUtf8Write : function(text, offset, length) {
  return this.write(text, offset, length, "utf8")
}

/** One character for each byte. */
export const read = (bytes: Buffer, start: number, end: number): string => slice.call(bytes, start, end)

/** Writes one byte for each character (code units up to 255). */
export const write = (bytes: Buffer, text: string, offset: number): number =>
  latin1Write.call(bytes, text, offset, text.length)

/** Memory to write to: the same bytes, and several of them at once. */
export interface Memory {
  readonly bytes: Buffer
  readonly view: DataView
}

/** The memory is never from Node's shared pool. */
export const allocate = (size: number): Memory => {
  const bytes = Buffer.allocUnsafeSlow(size)
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, size) }
}

/** Below this length a loop is faster than a call of native code. */
const shortText = 20

const highBits = 0x8080_8080 | 0

/**
 * Writes `text` when all of it is ASCII from `lowest` to `~`, and returns whether it was. Room for one byte for each
 * code unit is all it uses.
 */
export const writeAscii = (memory: Memory, text: string, offset: number, lowest: number): boolean => {
  const bytes = memory.bytes
  const length = text.length
  // Each test leaves the highest bit of a byte set that is out of range: above 0x7f, 0x7f itself, below `lowest`.
  let outside = 0
  if (length < shortText) {
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i)
      outside |= code - lowest | 0x7e - code
      bytes[offset + i] = code
    }
    return outside >= 0
  }
  // as UTF-8, because Latin-1 would cut the upper byte off and hide what is not ASCII
  if (utf8Write.call(bytes, text, offset, length) !== length) return false
  const end = offset + length
  const view = memory.view
  const lowestOfFour = lowest * 0x0101_0101
  for (; offset + 4 <= end; offset += 4) {
    const four = view.getInt32(offset)
    outside |= four | four + 0x0101_0101 | ~((four | highBits) - lowestOfFour)
  }
  outside &= highBits
  for (; offset < end; offset++) {
    const code = bytes[offset] as number
    outside |= (code | code + 1 | ~((code | 0x80) - lowest)) & 0x80
  }
  return outside === 0
}

/** The same memory as a Buffer. */
export const asBuffer = (bytes: Uint8Array): Buffer =>
  bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
