/**
 * Splits the bytes that a session receives into frames (RFC 9113 section 4.1), in chunks of any size.
 */
import { headerLength, minMaxFrameSize } from "../Frame.js"

/** What is done with the frames. */
export interface FrameHandler {
  /** Checks the header of a frame, before its payload has arrived; false when the connection is over. */
  admits(length: number, type: number, flags: number): boolean
  /** Takes the complete frame `bytes[offset, end)`. What it throws is thrown by {@link FrameReader.push}. */
  frame(bytes: Buffer, offset: number, end: number): void
}

const noBytes: Buffer = Buffer.alloc(0)

export class FrameReader {
  private stopped = false
  private busy = false
  /** The frame that earlier chunks began: `partialLength` bytes of it. */
  private partial: Buffer = noBytes
  private partialLength = 0
  /** Copies of chunks that could not be read at once: the handler called {@link push}, or threw. */
  private readonly backlog: Array<Buffer> = []
  private resumeAt = 0

  constructor(private readonly handler: FrameHandler) {}

  /**
   * Reads the next chunk, and keeps no reference to it. If the handler throws, the bytes after its frame are read with
   * the next chunk; if it calls this method, that chunk is read after the current one.
   */
  push(chunk: Buffer): void {
    if (this.stopped) return
    if (this.busy) {
      this.backlog.push(Buffer.from(chunk))
      return
    }
    this.busy = true
    try {
      if (this.backlog.length > 0) this.backlog.push(Buffer.from(chunk))
      else this.read(chunk)
      while (this.backlog.length > 0) {
        const next = this.backlog.shift()
        if (next !== undefined) this.read(next)
      }
    } finally {
      this.busy = false
    }
  }

  /** Nothing is read from now on. */
  stop(): void {
    this.stopped = true
    this.partial = noBytes
    this.partialLength = 0
    this.backlog.length = 0
  }

  private read(chunk: Buffer): void {
    this.resumeAt = 0
    try {
      let offset = this.partialLength > 0 ? this.completePartial(chunk) : 0
      const end = chunk.length
      while (end - offset >= headerLength && !this.stopped) {
        const length = (chunk[offset] as number) << 16 | (chunk[offset + 1] as number) << 8 |
          (chunk[offset + 2] as number)
        if (!this.handler.admits(length, chunk[offset + 3] as number, chunk[offset + 4] as number)) return
        const next = offset + headerLength + length
        if (next > end) break
        this.resumeAt = next
        this.handler.frame(chunk, offset, next)
        offset = next
      }
      if (offset < end && !this.stopped) this.keep(chunk, offset, end)
    } catch (thrown) {
      if (!this.stopped && this.resumeAt < chunk.length) {
        this.backlog.unshift(Buffer.from(chunk.subarray(this.resumeAt)))
      }
      throw thrown
    }
  }

  private keep(chunk: Buffer, offset: number, end: number): void {
    if (this.partial.length === 0) this.partial = Buffer.allocUnsafeSlow(headerLength + minMaxFrameSize)
    this.partial.set(chunk.subarray(offset, end), this.partialLength)
    this.partialLength += end - offset
    this.resumeAt = end
  }

  /** Adds to the frame that earlier chunks began, handles it when it is complete, and returns the offset behind it. */
  private completePartial(chunk: Buffer): number {
    const partial = this.partial
    const end = chunk.length
    let offset = 0
    if (this.partialLength < headerLength) {
      offset = Math.min(headerLength - this.partialLength, end)
      this.keep(chunk, 0, offset)
      if (this.partialLength < headerLength) return end
    }
    const length = (partial[0] as number) << 16 | (partial[1] as number) << 8 | (partial[2] as number)
    if (!this.handler.admits(length, partial[3] as number, partial[4] as number)) return end
    const total = headerLength + length
    const stop = Math.min(offset + total - this.partialLength, end)
    this.keep(chunk, offset, stop)
    if (this.partialLength === total) {
      this.partialLength = 0
      this.handler.frame(partial, 0, total)
    }
    return stop
  }
}
