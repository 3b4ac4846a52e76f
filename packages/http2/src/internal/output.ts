/**
 * The bytes that a session has written and its driver has not taken yet, in one piece of memory that is used again once
 * the driver has released it.
 */
import * as Text from "./text.js"

const minSlab = 16_384
const maxKeptSlab = 1_048_576
const maxKeptSlabs = 2

const noSlab = Text.allocate(0)

/** Writes a frame header (RFC 9113 section 4.1), as `Frame.writeHeader` does, with three stores for nine. */
export const writeHeader = (
  memory: Text.Memory,
  offset: number,
  length: number,
  type: number,
  flags: number,
  streamId: number
): number => {
  memory.view.setUint32(offset, length << 8 | type)
  memory.bytes[offset + 4] = flags
  memory.view.setUint32(offset + 5, streamId)
  return offset + 9
}

export class Output {
  /** The memory being written to; its first {@link length} bytes are the output. */
  memory: Text.Memory = noSlab
  length = 0
  private slabSize = minSlab
  private readonly free: Array<Text.Memory> = []
  private readonly taken: Array<Text.Memory> = []

  /** The bytes to write to, with room for `count` more behind {@link length}. */
  reserve(count: number): Buffer {
    const needed = this.length + count
    const before = this.memory
    if (needed <= before.bytes.length) return before.bytes
    let slab = this.free.pop()
    if (slab === undefined || slab.bytes.length < needed) {
      let size = this.slabSize
      while (size < needed) size *= 2
      slab = Text.allocate(size)
    }
    if (this.length > 0) slab.bytes.set(before.bytes.subarray(0, this.length))
    this.memory = slab
    return slab.bytes
  }

  /** Hands the output over, or `undefined` when there is none. Its memory is not written to until {@link release}. */
  take(): Uint8Array | undefined {
    if (this.length === 0) return undefined
    const slab = this.memory
    const bytes = slab.bytes.subarray(0, this.length)
    if (this.length > this.slabSize) this.slabSize = Math.min(slab.bytes.length, maxKeptSlab)
    this.taken.push(slab)
    this.memory = noSlab
    this.length = 0
    return bytes
  }

  /** Takes the memory of `bytes` back when {@link take} handed it out, and ignores any other. */
  release(bytes: Uint8Array): void {
    const taken = this.taken
    for (let i = 0; i < taken.length; i++) {
      const slab = taken[i] as Text.Memory
      if (slab.bytes.buffer !== bytes.buffer) continue
      taken.splice(i, 1)
      if (slab.bytes.length <= maxKeptSlab && this.free.length < maxKeptSlabs) this.free.push(slab)
      return
    }
  }
}
