/**
 * Header blocks that the mock writes itself, and a scanner that follows a byte stream frame by frame (RFC 9113 section 4).
 */

import * as Frame from "@effect-apns/http2/Frame"

export const prefaceLength = 24

const { headerLength } = Frame

const prefixedInteger = (value: number, bits: number): Array<number> => {
  const limit = (1 << bits) - 1
  if (value < limit) return [value]
  const bytes = [limit]
  let rest = value - limit
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest & 0x7f) | 0x80)
  bytes.push(rest)
  return bytes
}

/**
 * A header block that does not change the dynamic table (RFC 7541 section 6.2.2, literals with new names), so that it can
 * be written between those of another encoder on the same connection.
 */
export const headerBlock = (headers: ReadonlyArray<readonly [name: string, value: string]>): Uint8Array => {
  const parts: Array<Uint8Array> = []
  for (const [name, value] of headers) {
    const nameBytes = Buffer.from(name, "latin1")
    const valueBytes = Buffer.from(value, "latin1")
    parts.push(
      Uint8Array.of(0x00, ...prefixedInteger(nameBytes.length, 7)),
      nameBytes,
      Uint8Array.from(prefixedInteger(valueBytes.length, 7)),
      valueBytes
    )
  }
  return Buffer.concat(parts)
}

/** HEADERS, and as many CONTINUATION frames as `maxFrameSize` requires (RFC 9113 section 6.10). */
export const headers = (
  streamId: number,
  block: Uint8Array,
  endStream: boolean,
  maxFrameSize = Frame.minMaxFrameSize
): Uint8Array => {
  const frames = [
    Frame.headers(streamId, block.subarray(0, maxFrameSize), { endStream, endHeaders: block.length <= maxFrameSize })
  ]
  for (let at = maxFrameSize; at < block.length; at += maxFrameSize) {
    frames.push(Frame.continuation(streamId, block.subarray(at, at + maxFrameSize), at + maxFrameSize >= block.length))
  }
  return Buffer.concat(frames)
}

/** What a scanner asks about each frame. */
export interface FrameFilter {
  /** Called when a frame's header is complete; `false` drops the frame. */
  readonly passes: (type: number, flags: number, streamId: number, length: number) => boolean
  /** Called with the payload of RST_STREAM, PING and GOAWAY frames, also of dropped ones. */
  readonly control: (type: number, flags: number, streamId: number, payload: Buffer) => void
  /** Called with the payload of each WINDOW_UPDATE that was held back. */
  readonly heldWindowUpdate: (streamId: number, increment: number) => void
}

const maxControlPayload = 4096

/**
 * Finds the frames in a byte stream that arrives in pieces of any size. A piece without dropped frames is passed on
 * without a copy.
 */
export class FrameScanner {
  private prefaceLeft: number
  private readonly header = Buffer.alloc(headerLength)
  private headerFill = 0
  private payloadLeft = 0
  private passing = true
  private type = 0
  private flags = 0
  private streamId = 0
  private capture: Buffer | undefined = undefined
  private captureFill = 0
  private openBlock = false

  constructor(private readonly filter: FrameFilter, preface: boolean) {
    this.prefaceLeft = preface ? prefaceLength : 0
  }

  /** True if another frame may be written here: not inside a frame or a header block. */
  get atBoundary(): boolean {
    return this.payloadLeft === 0 && this.headerFill === 0 && this.prefaceLeft === 0 && !this.openBlock
  }

  /** Takes the next piece and passes on the frames that are not dropped, in order. */
  scan(chunk: Buffer, emit: (piece: Buffer) => void): void {
    let at = 0
    let from = 0
    if (this.prefaceLeft > 0) {
      at = Math.min(this.prefaceLeft, chunk.length)
      this.prefaceLeft -= at
    }
    while (at < chunk.length) {
      if (this.payloadLeft > 0) {
        const take = Math.min(this.payloadLeft, chunk.length - at)
        if (this.capture !== undefined) {
          this.captureFill += chunk.copy(this.capture, this.captureFill, at, at + take)
        }
        this.payloadLeft -= take
        at += take
        if (!this.passing) from = at
        if (this.payloadLeft === 0) this.frameEnded()
        continue
      }
      if (this.headerFill === 0 && chunk.length - at >= headerLength) {
        const start = at
        at += headerLength
        this.headerComplete(chunk, start)
        if (!this.passing) {
          if (start > from) emit(chunk.subarray(from, start))
          from = at
        }
      } else {
        // an incomplete header is kept here until it is known whether its frame is dropped
        const start = at
        const take = Math.min(headerLength - this.headerFill, chunk.length - at)
        this.headerFill += chunk.copy(this.header, this.headerFill, at, at + take)
        at += take
        if (start > from) emit(chunk.subarray(from, start))
        from = at
        if (this.headerFill < headerLength) continue
        this.headerFill = 0
        this.headerComplete(this.header, 0)
        if (this.passing) emit(Buffer.from(this.header))
      }
      if (this.payloadLeft === 0) this.frameEnded()
    }
    if (from < chunk.length) emit(from === 0 ? chunk : chunk.subarray(from))
  }

  private headerComplete(bytes: Buffer, at: number): void {
    this.payloadLeft = bytes.readUIntBE(at, 3)
    this.type = bytes[at + 3] ?? 0
    this.flags = bytes[at + 4] ?? 0
    this.streamId = bytes.readUInt32BE(at + 5) & 0x7fffffff
    this.passing = this.filter.passes(this.type, this.flags, this.streamId, this.payloadLeft)
    this.captureFill = 0
    this.capture = this.type === Frame.FrameType.RST_STREAM || this.type === Frame.FrameType.PING ||
        this.type === Frame.FrameType.GOAWAY ||
        this.type === Frame.FrameType.WINDOW_UPDATE && !this.passing
      ? Buffer.alloc(Math.min(this.payloadLeft, maxControlPayload))
      : undefined
    if (this.type === Frame.FrameType.HEADERS || this.type === Frame.FrameType.CONTINUATION) {
      this.openBlock = (this.flags & Frame.Flag.END_HEADERS) === 0
    }
  }

  private frameEnded(): void {
    const payload = this.capture
    if (payload === undefined) return
    this.capture = undefined
    if (this.type === Frame.FrameType.WINDOW_UPDATE) {
      if (payload.length === 4) this.filter.heldWindowUpdate(this.streamId, payload.readUInt32BE(0) & 0x7fffffff)
    } else this.filter.control(this.type, this.flags, this.streamId, payload)
  }
}
