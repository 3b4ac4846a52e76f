/**
 * Node's Buffer has methods for each encoding that skip the look-up of the encoding's name; they are not part of its
 * types, and other runtimes may not have them.
 */

type Slice = (this: Buffer, start: number, end: number) => string
type Write = (this: Buffer, text: string, offset: number, length: number) => number

const isSlice = (value: unknown): value is Slice => typeof value === "function"
const isWrite = (value: unknown): value is Write => typeof value === "function"

const nativeSlice: unknown = Reflect.get(Buffer.prototype, "latin1Slice")
const nativeWrite: unknown = Reflect.get(Buffer.prototype, "latin1Write")

const slice: Slice = isSlice(nativeSlice) ? nativeSlice : function(start, end) {
  return this.toString("latin1", start, end)
}

const write: Write = isWrite(nativeWrite) ? nativeWrite : function(text, offset, length) {
  return this.write(text, offset, length, "latin1")
}

export const read = (bytes: Buffer, start: number, end: number): string => slice.call(bytes, start, end)

/** Returns the number of bytes written. */
export const put = (bytes: Buffer, text: string, offset: number): number => write.call(bytes, text, offset, text.length)

export const asBuffer = (bytes: Uint8Array): Buffer =>
  bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
