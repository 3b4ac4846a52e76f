/**
 * HTTP/2 frames (RFC 9113 sections 4 and 6): their constants, a reader of frame headers and frame streams, and writers
 * for clients and servers.
 *
 * The writers check nothing beyond what the wire format needs, so that a test server can also write frames that no
 * well-behaved peer would send.
 *
 * @example
 * ```ts
 * import * as Frame from "@effect-apns/http2/Frame"
 *
 * const reader = new Frame.Reader((type, flags, streamId, payload) => {
 *   console.log(Frame.typeName(type), flags, streamId, payload.length)
 * })
 * reader.push(Frame.settings([[Frame.SettingId.MAX_CONCURRENT_STREAMS, 100]]))
 * reader.push(Frame.goaway(1, 0, "{\"reason\":\"Shutdown\"}"))
 * ```
 *
 * @since 0.1.0
 */

/**
 * The frame types of RFC 9113 section 6.
 *
 * @since 0.1.0
 * @category constants
 */
export const FrameType = {
  DATA: 0x0,
  HEADERS: 0x1,
  PRIORITY: 0x2,
  RST_STREAM: 0x3,
  SETTINGS: 0x4,
  PUSH_PROMISE: 0x5,
  PING: 0x6,
  GOAWAY: 0x7,
  WINDOW_UPDATE: 0x8,
  CONTINUATION: 0x9
} as const

/**
 * The frame flags of RFC 9113 section 6.
 *
 * @since 0.1.0
 * @category constants
 */
export const Flag = {
  /** SETTINGS and PING. */
  ACK: 0x1,
  /** DATA and HEADERS. */
  END_STREAM: 0x1,
  /** HEADERS, PUSH_PROMISE and CONTINUATION. */
  END_HEADERS: 0x4,
  /** DATA, HEADERS and PUSH_PROMISE. */
  PADDED: 0x8,
  /** HEADERS. */
  PRIORITY: 0x20
} as const

/**
 * The settings of RFC 9113 section 6.5.2.
 *
 * @since 0.1.0
 * @category constants
 */
export const SettingId = {
  HEADER_TABLE_SIZE: 0x1,
  ENABLE_PUSH: 0x2,
  MAX_CONCURRENT_STREAMS: 0x3,
  INITIAL_WINDOW_SIZE: 0x4,
  MAX_FRAME_SIZE: 0x5,
  MAX_HEADER_LIST_SIZE: 0x6
} as const

/**
 * The length of a frame header in bytes (RFC 9113 section 4.1).
 *
 * @since 0.1.0
 * @category constants
 */
export const headerLength = 9

/**
 * The largest payload that every peer accepts, in bytes, and the initial value of SETTINGS_MAX_FRAME_SIZE (RFC 9113
 * section 4.2).
 *
 * @since 0.1.0
 * @category constants
 */
export const minMaxFrameSize = 16_384

/**
 * The initial flow-control window of a connection and of its streams, in bytes (RFC 9113 section 6.9.2).
 *
 * @since 0.1.0
 * @category constants
 */
export const initialWindowSize = 65_535

/**
 * The largest flow-control window, and the largest stream identifier (RFC 9113 sections 5.1.1 and 6.9.1).
 *
 * @since 0.1.0
 * @category constants
 */
export const maxInt31 = 0x7fff_ffff

/**
 * What a client sends before its first frame (RFC 9113 section 3.4). A fresh copy each time.
 *
 * @since 0.1.0
 * @category constructors
 */
export const preface = (): Uint8Array => new Uint8Array(Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1"))

/**
 * The name of a frame type; types that RFC 9113 does not define are printed as `UNKNOWN(0x…)`.
 *
 * @since 0.1.0
 * @category accessors
 */
export const typeName = (type: number): string => {
  for (const [key, value] of Object.entries(FrameType)) {
    if (value === type) return key
  }
  return `UNKNOWN(0x${type.toString(16)})`
}

/**
 * A frame header (RFC 9113 section 4.1).
 *
 * @since 0.1.0
 * @category models
 */
export interface FrameHeader {
  /** Length of the payload in bytes. */
  readonly length: number
  readonly type: number
  readonly flags: number
  readonly streamId: number
}

/**
 * The frame header at `offset`, or `undefined` when fewer than 9 bytes are there.
 *
 * @since 0.1.0
 * @category accessors
 */
export const readHeader = (bytes: Uint8Array, offset = 0): FrameHeader | undefined => {
  if (offset < 0 || bytes.length - offset < headerLength) return undefined
  const at = (i: number): number => bytes[offset + i] as number
  return {
    length: at(0) << 16 | at(1) << 8 | at(2),
    type: at(3),
    flags: at(4),
    streamId: (at(5) & 0x7f) << 24 | at(6) << 16 | at(7) << 8 | at(8)
  }
}

/**
 * Writes a frame header into `target` at `offset` and returns the offset behind it.
 *
 * @since 0.1.0
 * @category writers
 */
export const writeHeader = (
  target: Uint8Array,
  offset: number,
  length: number,
  type: number,
  flags: number,
  streamId: number
): number => {
  target[offset] = length >>> 16
  target[offset + 1] = length >>> 8
  target[offset + 2] = length
  target[offset + 3] = type
  target[offset + 4] = flags
  writeUint32(target, offset + 5, streamId)
  return offset + headerLength
}

const writeUint32 = (target: Uint8Array, offset: number, value: number): void => {
  target[offset] = value >>> 24
  target[offset + 1] = value >>> 16
  target[offset + 2] = value >>> 8
  target[offset + 3] = value
}

/**
 * Any frame, known or not.
 *
 * @since 0.1.0
 * @category writers
 */
export const frame = (type: number, flags: number, streamId: number, payload: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(headerLength + payload.length)
  writeHeader(bytes, 0, payload.length, type, flags, streamId)
  bytes.set(payload, headerLength)
  return bytes
}

/**
 * SETTINGS (RFC 9113 section 6.5).
 *
 * @since 0.1.0
 * @category writers
 */
export const settings = (entries: ReadonlyArray<readonly [id: number, value: number]> = []): Uint8Array => {
  const bytes = new Uint8Array(headerLength + entries.length * 6)
  let offset = writeHeader(bytes, 0, entries.length * 6, FrameType.SETTINGS, 0, 0)
  for (const [id, value] of entries) {
    bytes[offset] = id >>> 8
    bytes[offset + 1] = id
    writeUint32(bytes, offset + 2, value)
    offset += 6
  }
  return bytes
}

/**
 * The acknowledgment of SETTINGS (RFC 9113 section 6.5.3).
 *
 * @since 0.1.0
 * @category writers
 */
export const settingsAck = (): Uint8Array => frame(FrameType.SETTINGS, Flag.ACK, 0, new Uint8Array(0))

const padded = (payload: Uint8Array, padding: number | undefined, before?: Uint8Array): Uint8Array => {
  const lead = before === undefined ? 0 : before.length
  const pad = padding === undefined ? 0 : 1
  const bytes = new Uint8Array(pad + lead + payload.length + (padding ?? 0))
  if (padding !== undefined) bytes[0] = padding
  if (before !== undefined) bytes.set(before, pad)
  bytes.set(payload, pad + lead)
  return bytes
}

/**
 * What {@link headers} sets beside the block.
 *
 * @since 0.1.0
 * @category models
 */
export interface HeadersOptions {
  /** The stream ends with this header block. Default false. */
  readonly endStream?: boolean | undefined
  /** No CONTINUATION follows. Default true. */
  readonly endHeaders?: boolean | undefined
  /** Bytes of padding, 0 to 255. Default: the PADDED flag is not set. */
  readonly padding?: number | undefined
  /** The deprecated priority fields; the PRIORITY flag is set when given. */
  readonly priority?: {
    readonly exclusive?: boolean | undefined
    readonly dependency: number
    /** 1 to 256. */
    readonly weight: number
  } | undefined
}

/**
 * HEADERS (RFC 9113 section 6.2) with a header block that an HPACK encoder made.
 *
 * @since 0.1.0
 * @category writers
 */
export const headers = (streamId: number, block: Uint8Array, options: HeadersOptions = {}): Uint8Array => {
  let flags = 0
  if (options.endStream === true) flags |= Flag.END_STREAM
  if (options.endHeaders !== false) flags |= Flag.END_HEADERS
  if (options.padding !== undefined) flags |= Flag.PADDED
  let before: Uint8Array | undefined = undefined
  if (options.priority !== undefined) {
    flags |= Flag.PRIORITY
    before = new Uint8Array(5)
    writeUint32(before, 0, options.priority.dependency)
    if (options.priority.exclusive === true) before[0] = (before[0] as number) | 0x80
    before[4] = options.priority.weight - 1
  }
  return frame(FrameType.HEADERS, flags, streamId, padded(block, options.padding, before))
}

/**
 * CONTINUATION (RFC 9113 section 6.10).
 *
 * @since 0.1.0
 * @category writers
 */
export const continuation = (streamId: number, block: Uint8Array, endHeaders = true): Uint8Array =>
  frame(FrameType.CONTINUATION, endHeaders ? Flag.END_HEADERS : 0, streamId, block)

/**
 * What {@link data} sets beside the bytes.
 *
 * @since 0.1.0
 * @category models
 */
export interface DataOptions {
  /** The stream ends with this frame. Default false. */
  readonly endStream?: boolean | undefined
  /** Bytes of padding, 0 to 255. Default: the PADDED flag is not set. */
  readonly padding?: number | undefined
}

/**
 * DATA (RFC 9113 section 6.1).
 *
 * @since 0.1.0
 * @category writers
 */
export const data = (streamId: number, bytes: Uint8Array, options: DataOptions = {}): Uint8Array =>
  frame(
    FrameType.DATA,
    (options.endStream === true ? Flag.END_STREAM : 0) | (options.padding === undefined ? 0 : Flag.PADDED),
    streamId,
    padded(bytes, options.padding)
  )

const uint32Frame = (type: number, streamId: number, value: number): Uint8Array => {
  const bytes = new Uint8Array(headerLength + 4)
  writeUint32(bytes, writeHeader(bytes, 0, 4, type, 0, streamId), value)
  return bytes
}

/**
 * RST_STREAM (RFC 9113 section 6.4).
 *
 * @since 0.1.0
 * @category writers
 */
export const rstStream = (streamId: number, code: number): Uint8Array =>
  uint32Frame(FrameType.RST_STREAM, streamId, code)

/**
 * WINDOW_UPDATE (RFC 9113 section 6.9); stream 0 is the connection. `increment` is in bytes.
 *
 * @since 0.1.0
 * @category writers
 */
export const windowUpdate = (streamId: number, increment: number): Uint8Array =>
  uint32Frame(FrameType.WINDOW_UPDATE, streamId, increment)

/**
 * PING (RFC 9113 section 6.7). The payload is 8 bytes, or a number from 0 to 2^53-1 written big-endian.
 *
 * @since 0.1.0
 * @category writers
 */
export const ping = (payload: Uint8Array | number, ack = false): Uint8Array => {
  const bytes = new Uint8Array(headerLength + 8)
  const offset = writeHeader(bytes, 0, 8, FrameType.PING, ack ? Flag.ACK : 0, 0)
  if (typeof payload === "number") {
    writeUint32(bytes, offset, Math.floor(payload / 0x1_0000_0000))
    writeUint32(bytes, offset + 4, payload)
  } else {
    bytes.set(payload.subarray(0, 8), offset)
  }
  return bytes
}

/**
 * GOAWAY (RFC 9113 section 6.8). A string as debug data is sent as UTF-8.
 *
 * @since 0.1.0
 * @category writers
 */
export const goaway = (lastStreamId: number, code: number, debugData: Uint8Array | string = ""): Uint8Array => {
  const debug = typeof debugData === "string" ? Buffer.from(debugData, "utf8") : debugData
  const bytes = new Uint8Array(headerLength + 8 + debug.length)
  const offset = writeHeader(bytes, 0, 8 + debug.length, FrameType.GOAWAY, 0, 0)
  writeUint32(bytes, offset, lastStreamId)
  writeUint32(bytes, offset + 4, code)
  bytes.set(debug, offset + 8)
  return bytes
}

/**
 * Several frames as one piece.
 *
 * @since 0.1.0
 * @category writers
 */
export const concat = (frames: ReadonlyArray<Uint8Array>): Uint8Array => {
  let length = 0
  for (const bytes of frames) length += bytes.length
  const all = new Uint8Array(length)
  let offset = 0
  for (const bytes of frames) {
    all.set(bytes, offset)
    offset += bytes.length
  }
  return all
}

/**
 * Cuts a byte stream into frames, however it was chunked. It checks nothing: frames are passed on as they are. Its memory is
 * bounded by the largest frame that the peer starts, at most 16 MiB.
 *
 * @since 0.1.0
 * @category models
 */
export class Reader {
  private rest = new Uint8Array(0)
  private readonly onFrame: (type: number, flags: number, streamId: number, payload: Uint8Array) => void

  /**
   * `onFrame` is called with each frame; its `payload` is valid during the call alone. `skip` bytes are dropped first (a
   * server skips the 24 bytes of the preface).
   */
  constructor(
    onFrame: (type: number, flags: number, streamId: number, payload: Uint8Array) => void,
    private skip = 0
  ) {
    this.onFrame = onFrame
  }

  /** Takes the next chunk. */
  push(chunk: Uint8Array): void {
    if (this.skip > 0) {
      const dropped = Math.min(this.skip, chunk.length)
      this.skip -= dropped
      chunk = chunk.subarray(dropped)
    }
    const bytes = this.rest.length === 0 ? chunk : concat([this.rest, chunk])
    let offset = 0
    while (bytes.length - offset >= headerLength) {
      const length = (bytes[offset] as number) << 16 | (bytes[offset + 1] as number) << 8 |
        (bytes[offset + 2] as number)
      const end = offset + headerLength + length
      if (end > bytes.length) break
      const id = ((bytes[offset + 5] as number) & 0x7f) << 24 | (bytes[offset + 6] as number) << 16 |
        (bytes[offset + 7] as number) << 8 | (bytes[offset + 8] as number)
      this.onFrame(
        bytes[offset + 3] as number,
        bytes[offset + 4] as number,
        id,
        bytes.subarray(offset + headerLength, end)
      )
      offset = end
    }
    this.rest = bytes.slice(offset)
  }
}
