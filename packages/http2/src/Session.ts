/**
 * A sans-IO HTTP/2 client session for push: bytes in, events out.
 *
 * The session owns the protocol and nothing else: no socket, no timer, no clock. Its driver hands received bytes to
 * {@link Session.receive}, writes what {@link Session.takeOutput} returns, and hears of everything through a
 * {@link Handler}. RFC 9113 and RFC 7541 are the specification.
 *
 * @example
 * ```ts
 * import { Head, Session, Stream } from "@effect-apns/http2/Session"
 * import * as net from "node:net"
 *
 * const socket = net.connect(8080, "127.0.0.1")
 * const alert = new Head("POST", [["apns-topic", "com.example.app"], ["apns-push-type", "alert"]])
 * const flush = () => {
 *   const bytes = session.takeOutput()
 *   if (bytes !== undefined) socket.write(bytes, () => session.releaseOutput(bytes))
 * }
 * const session = new Session({ authority: "127.0.0.1:8080" }, {
 *   onSettings: () => {
 *     session.request(new Stream(), alert, "/3/device/00fc13adff785122", undefined, Buffer.from("{\"aps\":{}}"))
 *   },
 *   onResponse: (stream) => console.log(stream.status, stream.apnsId),
 *   onStreamFailure: (stream, failure) => console.log(stream.id, failure.message),
 *   onGoaway: (goaway) => console.log(goaway.debugData),
 *   onPong: () => {},
 *   onProtocolError: (error) => console.log(error.message),
 *   onOutput: () => queueMicrotask(flush)
 * })
 * socket.on("connect", flush)
 * socket.on("data", (bytes) => session.receive(bytes))
 * ```
 *
 * @since 0.1.0
 */
import { ErrorCode, name as codeName } from "./ErrorCode.js"
import {
  Flag,
  FrameType,
  initialWindowSize,
  maxInt31,
  minMaxFrameSize,
  preface,
  SettingId,
  writeHeader
} from "./Frame.js"
import { checkName, checkValue } from "./internal/fields.js"
import { entryOverhead, HpackDecoder } from "./internal/hpackDecoder.js"
import { HpackEncoder, writeInteger } from "./internal/hpackEncoder.js"
import * as Text from "./internal/text.js"

/**
 * What a request says before its path and body: method and headers that many requests share. Make one for each
 * combination and reuse it: the session encodes it once per connection (names and values enter the HPACK dynamic
 * table, later requests spend one byte on each).
 *
 * @since 0.1.0
 * @category models
 */
export class Head {
  /** What the method and the headers add to the size of a header list, in bytes (RFC 9113 section 6.5.2). */
  readonly listSize: number

  /**
   * Throws a `TypeError` that names the header when a name or value may not be sent (RFC 9113 section 8.2).
   */
  constructor(
    readonly method: "GET" | "POST" | "DELETE",
    /** Regular headers, lower-case names. */
    readonly headers: ReadonlyArray<readonly [name: string, value: string]>,
    /**
     * What the paths of all requests with this head start with, e.g. `/3/device/`: a request gives the rest alone, which
     * is cheaper than a path that was put together. Default: nothing, a request gives its whole path.
     */
    readonly pathPrefix: string = ""
  ) {
    if (pathPrefix !== "") checkPath(pathPrefix)
    this.listSize = checkHeaders(headers) + method.length + pathPrefix.length
  }
}

const checkPath = (path: string): void => {
  if (!/^\/[!-~]*$/.test(path)) {
    throw new TypeError(
      "The path has to start with a slash and may not contain spaces, control or non-ASCII characters"
    )
  }
}

/** Checks every header and returns the size that they add to the header list (RFC 9113 section 6.5.2). */
const checkHeaders = (headers: ReadonlyArray<readonly [name: string, value: string]>): number => {
  let size = 0
  for (const [name, value] of headers) {
    checkName(name)
    checkValue(name, value)
    size += name.length + value.length + entryOverhead
  }
  return size
}

/**
 * One exchange: a request and its response. Drivers subclass it to carry their own state, so that a request costs one
 * object. The session fills the response fields in; those that start with an underscore are its own.
 *
 * @since 0.1.0
 * @category models
 */
export class Stream {
  /** The stream identifier; 0 until the request was opened. */
  id = 0
  /** The `:status` of the response; 0 until the response headers arrived. */
  status = 0
  /** The `apns-id` response header. */
  apnsId: string | undefined = undefined
  /** Every other response header, flat: name, value, name, value. `undefined` when there was none. */
  headers: Array<string> | undefined = undefined
  /** The response body; `undefined` when it was empty. */
  body: Uint8Array | undefined = undefined
  /** The response was cut off (reset, or the connection ended) after its headers had arrived. */
  truncated = false
  /** Bytes of DATA sent less what WINDOW_UPDATE gave back: the send window is the peer's initial one less this. @internal */
  _sent = 0
  /** What only streams need that wait for a window or receive a body in parts. @internal */
  _flow: Flow | undefined = undefined

  /**
   * Forgets the response, so that the same object can be used for another request, on this session or another one. For a
   * stream that has ended only: after an event, {@link Session.reset} or {@link Session.abandon}.
   */
  renew(): void {
    this.id = 0
    this.status = 0
    this.apnsId = undefined
    this.headers = undefined
    this.body = undefined
    this.truncated = false
    this._sent = 0
    this._flow = undefined
  }
}

/** @internal */
class Flow {
  /** The request body that is not sent to its end yet, and how much of it is. */
  upload: Uint8Array | undefined = undefined
  uploaded = 0
  /** Whether the stream waits in the session's queue for the connection's send window. */
  queued = false
  /** The response body so far: its first `received` bytes. */
  buffer = emptyBytes
  received = 0
  /** Bytes received that no WINDOW_UPDATE of this stream has given back. */
  consumed = 0
  /** -1 without `content-length`. */
  contentLength = -1
}

const emptyBytes = new Uint8Array(0)

/**
 * Why a stream ended without a response.
 *
 * - `"reset"`: the peer sent RST_STREAM; `code` says why. REFUSED_STREAM means "provably not processed" (RFC 9113 section 8.7).
 * - `"goaway"`: the peer sent GOAWAY with a lower last-stream-id: provably not processed (RFC 9113 section 6.8).
 * - `"malformed"`: the response breaks RFC 9113 section 8 (no status, bad pseudo-headers, ...); the session sent RST_STREAM.
 * - `"too-large"`: the response is larger than the limits allow; the session sent RST_STREAM.
 *
 * @since 0.1.0
 * @category models
 */
export interface StreamFailure {
  readonly kind: "reset" | "goaway" | "malformed" | "too-large"
  readonly code: number
  readonly message: string
}

/**
 * A GOAWAY that the peer sent (RFC 9113 section 6.8).
 *
 * @since 0.1.0
 * @category models
 */
export interface Goaway {
  readonly lastStreamId: number
  readonly code: number
  /** The additional debug data, at most 1,024 bytes of it, as UTF-8. */
  readonly debugData: string
}

/**
 * A violation of RFC 9113 or RFC 7541 by the peer that ends the connection: the session has queued a GOAWAY with
 * `code` and accepts no more input. Streams that were open stay in {@link Session.streams} for the driver to settle.
 *
 * @since 0.1.0
 * @category models
 */
export interface ProtocolError {
  readonly code: number
  readonly message: string
}

/**
 * What the peer allows (its SETTINGS, RFC 9113 section 6.5.2), with the RFC's initial values until it says otherwise.
 *
 * @since 0.1.0
 * @category models
 */
export interface PeerSettings {
  readonly headerTableSize: number
  readonly maxConcurrentStreams: number
  readonly initialWindowSize: number
  readonly maxFrameSize: number
  readonly maxHeaderListSize: number
}

/**
 * How the session tells its driver what happened. Every method is called synchronously from
 * {@link Session.receive} (or from the call named); a handler may call back into the session at any time.
 *
 * @since 0.1.0
 * @category models
 */
export interface Handler<in S extends Stream> {
  /** The response of `stream` is complete and its slot is free. */
  onResponse(stream: S): void
  /** `stream` ended without a response and its slot is free. */
  onStreamFailure(stream: S, failure: StreamFailure): void
  /** The peer's SETTINGS arrived and are in force (and acknowledged). */
  onSettings(settings: PeerSettings): void
  /**
   * The peer sent GOAWAY: no new requests. Called after the streams above `lastStreamId` were handed to
   * `onStreamFailure`; those at or below it go on.
   */
  onGoaway(goaway: Goaway): void
  /** The peer answered a PING; `payload` is the 8 bytes that were sent, as a number. */
  onPong(payload: number): void
  /** The peer broke the protocol; the session is over. */
  onProtocolError(error: ProtocolError): void
  /** There is output where there was none: take it before this tick ends. */
  onOutput(): void
  /**
   * {@link Session.available} is no longer 0 for the reason that a body waited for the connection's send window: the
   * last such body was sent. (Free slots are told of by the other methods.)
   */
  onAvailable?(): void
}

/**
 * Limits against hostile peers. Sizes are in bytes.
 *
 * @since 0.1.0
 * @category models
 */
export interface Limits {
  /** Uncompressed size of one header list (RFC 9113 section 6.5.2, SETTINGS_MAX_HEADER_LIST_SIZE). Default 16384. */
  readonly maxHeaderListSize: number
  /** Number of fields in one header list. Default 100. */
  readonly maxHeaderCount: number
  /** CONTINUATION frames in one header block. Default 8. */
  readonly maxContinuations: number
  /** Body of one response. Default 65536. */
  readonly maxBodySize: number
  /**
   * SETTINGS, PING and other frames that cost work and carry nothing, between two responses or answers to our own PING.
   * Also the number of answers (acknowledgments, RST_STREAM) that wait to be taken. Default 1000.
   */
  readonly maxControlFrames: number
}

/**
 * The default {@link Limits}.
 *
 * @since 0.1.0
 * @category constants
 */
export const defaultLimits: Limits = {
  maxHeaderListSize: 16_384,
  maxHeaderCount: 100,
  maxContinuations: 8,
  maxBodySize: 65_536,
  maxControlFrames: 1_000
}

/**
 * What a {@link Session} is told when it is made.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The `:authority` of every request, e.g. `api.push.apple.com`. */
  readonly authority: string
  /** Default {@link defaultLimits}. */
  readonly limits?: Partial<Limits> | undefined
}

/** A setting without a limit: the largest value that SETTINGS can carry. */
const unlimited = 0xffff_ffff

/** What we let the peer send on the whole connection before a WINDOW_UPDATE, in bytes. */
const receiveWindow = 1_048_576

/** What our HPACK encoder and decoder use at most, in bytes: the initial value of SETTINGS_HEADER_TABLE_SIZE. */
const tableSize = 4_096

const frameHeader = 9
const minSlab = 16_384
const maxKeptSlab = 1_048_576
const maxKeptSlabs = 2
const maxRing = 65_536
const maxTemplates = 256
const maxDebugData = 1_024
const maxOpenPings = 64

/** Late frames that each of our own RST_STREAM may cross on the wire without counting against the peer. */
const resetCredit = 8

const noBytes: Buffer = Buffer.alloc(0)
const noSlab = Text.allocate(0)

/** What one head looks like on the wire while the dynamic table stays as it is. */
interface Template {
  readonly version: number
  /** The pseudo-headers before `:path`, and the first byte of that. */
  readonly prefix: Uint8Array
  /** The start of every path. */
  readonly path: Uint8Array
  /** Common headers and the head's own. */
  readonly suffix: Uint8Array
}

/**
 * The client side of one HTTP/2 connection.
 *
 * The client's preface is in the output from the start (without a call of `onOutput`): take it once the transport is
 * connected.
 *
 * @since 0.1.0
 * @category models
 */
export class Session<S extends Stream> {
  private peer: PeerSettings = {
    headerTableSize: tableSize,
    maxConcurrentStreams: unlimited,
    initialWindowSize,
    maxFrameSize: minMaxFrameSize,
    maxHeaderListSize: unlimited
  }
  private greeted = false
  private shut = false
  private over = false
  private lastGoaway: Goaway | undefined = undefined
  /** The protocol error that ended the session. */
  private farewell: ProtocolError | undefined = undefined

  // --- streams: those open, by identifier; a younger stream displaces an older one from its place in the ring

  private ring: Array<S | undefined> = new Array<S | undefined>(256).fill(undefined)
  private ringMask = 255
  private readonly displaced = new Map<number, S>()
  private openCount = 0
  /** Streams the peer accepts, capped to a small integer. */
  private openLimit = 0
  private lastId = -1

  // --- sending

  private readonly encoder = new HpackEncoder(false, true, tableSize)
  private readonly templates = new Map<Head, Template>()
  private lastHead: Head | undefined = undefined
  private lastTemplate: Template | undefined = undefined
  private common: ReadonlyArray<readonly [name: string, value: string]> = []
  private commonListSize = 0
  private readonly fixedListSize: number
  private readonly knownNames = new Set<string>()
  private sendWindow = initialWindowSize
  /** Streams whose bodies wait for the connection's send window, first come, first served; closed ones are skipped. */
  private queue: Array<S> = []
  private closedInQueue = 0
  private memory: Text.Memory = noSlab
  private length = 0
  private slabSize = minSlab
  /** The last identifier whose HEADERS have been taken. */
  private takenId = 0
  private unflushedAnswers = 0
  private readonly freeSlabs: Array<Text.Memory> = []
  private readonly takenSlabs: Array<Text.Memory> = []
  private openPings: Array<number> = []

  // --- receiving

  private readonly decoder: HpackDecoder
  private readonly limits: Limits
  private readonly streamReceiveWindow: number
  private consumed = 0
  private controlFrames = 0
  private receiving = false
  private outputUntold = false
  /** The frame that earlier chunks began: `partialLength` bytes of it. */
  private partial: Buffer = noBytes
  private partialLength = 0
  /** The header block that HEADERS began and CONTINUATION has to end; `blockId` 0 when there is none. */
  private block: Buffer = noBytes
  private blockLength = 0
  private blockId = 0
  private blockEndsStream = false
  private continuations = 0
  /** Copies of chunks that could not be consumed at once: a handler called `receive`, or threw. */
  private readonly backlog: Array<Buffer> = []
  private resumeAt = 0

  /** Throws a `TypeError` when the authority may not be sent. */
  constructor(private readonly options: Options, private readonly handler: Handler<S>) {
    if (!/^[!-~]+$/.test(options.authority)) {
      throw new TypeError("The authority has to be a host name with an optional port, like api.push.apple.com:443")
    }
    this.limits = {
      maxHeaderListSize: options.limits?.maxHeaderListSize ?? defaultLimits.maxHeaderListSize,
      maxHeaderCount: options.limits?.maxHeaderCount ?? defaultLimits.maxHeaderCount,
      maxContinuations: options.limits?.maxContinuations ?? defaultLimits.maxContinuations,
      maxBodySize: options.limits?.maxBodySize ?? defaultLimits.maxBodySize,
      maxControlFrames: options.limits?.maxControlFrames ?? defaultLimits.maxControlFrames
    }
    this.decoder = new HpackDecoder({ maxTableSize: tableSize, ...this.limits }, false)
    this.fixedListSize = 4 * entryOverhead + ":method:schemehttps:authority:path".length + options.authority.length
    // a response within the limits never has to wait for a WINDOW_UPDATE of its stream
    this.streamReceiveWindow = Math.min(Math.max(initialWindowSize, this.limits.maxBodySize), maxInt31)
    this.greet()
  }

  /** What the peer allows at the moment. */
  get settings(): PeerSettings {
    return this.peer
  }

  /** The peer's first SETTINGS arrived. Until then the stream limit is unknown and {@link available} is 0. */
  get ready(): boolean {
    return this.greeted
  }

  /** Streams open now. */
  get active(): number {
    return this.openCount
  }

  /**
   * Requests that can be opened now; 0 before the first SETTINGS, when {@link closing}, and while a body waits for the
   * connection's send window.
   */
  get available(): number {
    if (!this.greeted || this.shut || this.queue.length > 0) return 0
    const free = this.openLimit - this.openCount
    if (free <= 0) return 0
    const identifiers = maxInt31 - this.lastId >>> 1
    return free < identifiers ? free : identifiers
  }

  /** No request can ever be opened again: GOAWAY sent or received, identifiers exhausted, or a protocol error. */
  get closing(): boolean {
    return this.shut
  }

  /** The GOAWAY that the peer sent last. */
  get goaway(): Goaway | undefined {
    return this.lastGoaway
  }

  /**
   * Headers that every request carries after its pseudo-headers (`authorization`). A change re-encodes the heads.
   * Throws a `TypeError` when a name or value may not be sent.
   */
  setCommonHeaders(headers: ReadonlyArray<readonly [name: string, value: string]>): void {
    const size = checkHeaders(headers)
    const before = this.common
    if (
      before.length === headers.length &&
      headers.every(([name, value], i) => before[i]?.[0] === name && before[i]?.[1] === value)
    ) return
    this.common = headers.map(([name, value]): readonly [string, string] => [name, value])
    this.commonListSize = size
    this.encoder.nextGeneration()
  }

  /**
   * Opens a stream: HEADERS and as much of DATA as the send windows allow (the rest follows by itself, so `body` may not
   * change until the stream has ended). `path` goes behind the head's {@link Head.pathPrefix}.
   * `extra` are headers of this one request, flat (name, value, ...), never put into the dynamic table.
   * Returns false, with nothing changed, when no stream is free, or the header list is larger than the peer accepts. Where
   * {@link available} is 0 only because bodies wait for the connection's send window, the body waits behind them.
   * Throws a `TypeError`, with nothing changed, when the path or an extra header may not be sent, or the stream was
   * used before.
   */
  request(stream: S, head: Head, path: string, extra: ReadonlyArray<string> | undefined, body: Uint8Array): boolean {
    if (!this.greeted || this.shut || this.openCount >= this.openLimit) return false
    if (stream.id !== 0) throw new TypeError("The stream was used for a request before: renew it, or make a new one")
    const peer = this.peer
    const pathLength = head.pathPrefix.length + path.length
    let listSize = this.fixedListSize + this.commonListSize + head.listSize + path.length
    let room = 2 * frameHeader + 8 + pathLength
    if (extra !== undefined) {
      const size = this.checkExtraNames(extra)
      listSize += size
      // on the wire a field takes less than in the list
      room += size
    }
    if (listSize > peer.maxHeaderListSize) return false
    let template = head === this.lastHead ? this.lastTemplate : this.templates.get(head)
    if (template === undefined || template.version !== this.encoder.version) {
      // Encoding a head may change the table, and that cannot be taken back. Otherwise the checks are done while writing.
      checkPath(head.pathPrefix + path)
      for (let i = 0; extra !== undefined && i < extra.length; i += 2) {
        checkValue(extra[i] as string, extra[i + 1] as string)
      }
      template = this.encodeHead(head)
    }
    const prefix = template.prefix
    const pathStart = template.path
    const suffix = template.suffix
    const bodyLength = body.length
    const sendsAll = bodyLength === 0 || this.queue.length === 0 && bodyLength <= this.sendWindow &&
        bodyLength <= peer.initialWindowSize && bodyLength <= peer.maxFrameSize
    room += prefix.length + suffix.length + (sendsAll ? bodyLength : 0)

    const wasEmpty = this.length === 0
    let slab = this.reserve(room)
    const start = this.length
    let offset = start + frameHeader
    for (let i = 0; i < prefix.length; i++) slab[offset++] = prefix[i] as number
    if (pathLength < 0x7f) slab[offset++] = pathLength
    else offset = writeInteger(slab, offset, 0x00, 0x7f, pathLength)
    const pathOffset = offset
    for (let i = 0; i < pathStart.length; i++) slab[offset++] = pathStart[i] as number
    const pathIsAscii = Text.writeAscii(this.memory, path, offset, 0x21)
    offset += path.length
    if (!pathIsAscii || pathLength === 0 || slab[pathOffset] !== 0x2f) checkPath(head.pathPrefix + path)
    for (let i = 0; i < suffix.length; i++) slab[offset++] = suffix[i] as number
    if (extra !== undefined) {
      for (let i = 0; i < extra.length; i += 2) {
        const name = extra[i] as string
        slab[offset++] = 0x00
        offset = writeName(slab, offset, name)
        offset = writeValue(this.memory, offset, name, extra[i + 1] as string)
      }
    }

    const id = this.lastId + 2
    const length = offset - start - frameHeader
    const endsStream = bodyLength === 0 ? Flag.END_STREAM : 0
    if (length <= peer.maxFrameSize) {
      writeHeader(slab, start, length, FrameType.HEADERS, Flag.END_HEADERS | endsStream, id)
    } else {
      const block = new Uint8Array(slab.subarray(start + frameHeader, offset))
      const frames = Math.ceil(length / peer.maxFrameSize)
      slab = this.reserve(frames * frameHeader + length + frameHeader + bodyLength)
      offset = writeBlock(slab, start, block, peer.maxFrameSize, endsStream, id)
    }

    this.lastId = id
    if (id === maxInt31) this.shut = true
    stream.id = id
    const slot = id >>> 1 & this.ringMask
    const old = this.ring[slot]
    if (old !== undefined) this.displace(old)
    this.ring[id >>> 1 & this.ringMask] = stream
    this.openCount++

    if (sendsAll) {
      if (bodyLength > 0) {
        writeHeader(slab, offset, bodyLength, FrameType.DATA, Flag.END_STREAM, id)
        slab.set(body, offset + frameHeader)
        offset += frameHeader + bodyLength
        this.sendWindow -= bodyLength
      }
      stream._sent = bodyLength
      this.length = offset
    } else {
      this.length = offset
      stream._sent = 0
      const flow = new Flow()
      stream._flow = flow
      flow.upload = body
      if (peer.initialWindowSize > 0) {
        flow.queued = true
        this.queue.push(stream)
        this.pump()
      }
    }
    if (wasEmpty) this.tellOutput()
    return true
  }

  /**
   * Sends RST_STREAM and frees the slot; the handler hears nothing of this stream any more. A no-op for a closed stream.
   */
  reset(stream: S, code: number): void {
    if (stream.id === 0 || this.find(stream.id) !== stream) return
    this.remove(stream)
    this.controlFrames -= resetCredit
    this.writeReset(stream.id, code)
  }

  /** Sends PING with `payload` (0 to 2^53-1, as 8 bytes big-endian). */
  ping(payload: number): void {
    if (!Number.isSafeInteger(payload) || payload < 0) {
      throw new RangeError("The payload of a PING has to be an integer from 0 to 2^53-1")
    }
    if (this.over) return
    if (this.openPings.length >= maxOpenPings) this.openPings.shift()
    this.openPings.push(payload)
    this.writePing(0, Math.floor(payload / 0x1_0000_0000), payload >>> 0)
  }

  /** Sends GOAWAY (last-stream-id 0: the peer opens none); open streams go on. `debugData` is sent as UTF-8. */
  sendGoaway(code: number, debugData = ""): void {
    if (this.over) return
    this.shut = true
    this.writeGoaway(code, debugData)
  }

  /**
   * Hands received bytes to the session. It keeps no reference to them. Never throws, except what a handler throws: the
   * bytes behind that event are kept for the next call.
   */
  receive(bytes: Uint8Array): void {
    if (this.over) return
    if (this.receiving) {
      this.backlog.push(Buffer.from(bytes))
      return
    }
    this.receiving = true
    try {
      if (this.backlog.length > 0) this.backlog.push(Buffer.from(bytes))
      else this.consume(Text.asBuffer(bytes))
      while (this.backlog.length > 0 && !this.over) {
        const chunk = this.backlog.shift()
        if (chunk !== undefined) this.consume(chunk)
      }
    } finally {
      this.receiving = false
      if (this.outputUntold) {
        this.outputUntold = false
        if (this.length > 0) this.handler.onOutput()
      }
    }
  }

  /**
   * The bytes to write now, or `undefined`. The caller owns them until it calls {@link releaseOutput} with them,
   * which lets the session use the memory again: only after the write has completed.
   */
  takeOutput(): Uint8Array | undefined {
    if (this.length === 0) return undefined
    const slab = this.memory
    const bytes = slab.bytes.subarray(0, this.length)
    if (this.length > this.slabSize) this.slabSize = Math.min(slab.bytes.length, maxKeptSlab)
    this.takenSlabs.push(slab)
    this.memory = noSlab
    this.length = 0
    this.takenId = this.lastId
    this.unflushedAnswers = 0
    return bytes
  }

  /** Gives bytes that {@link takeOutput} returned back to the session. Bytes from elsewhere are ignored. */
  releaseOutput(bytes: Uint8Array): void {
    const taken = this.takenSlabs
    for (let i = 0; i < taken.length; i++) {
      const slab = taken[i] as Text.Memory
      if (slab.bytes.buffer !== bytes.buffer) continue
      taken.splice(i, 1)
      if (slab.bytes.length <= maxKeptSlab && this.freeSlabs.length < maxKeptSlabs) this.freeSlabs.push(slab)
      return
    }
  }

  /** True when a byte of `stream`'s HEADERS has been taken by {@link takeOutput}: from then on the peer may have seen it. */
  wasTaken(stream: S): boolean {
    return stream.id !== 0 && stream.id <= this.takenId
  }

  /** The open streams, oldest first. */
  streams(): Array<S> {
    const all: Array<S> = []
    for (const stream of this.ring) {
      if (stream !== undefined) all.push(stream)
    }
    for (const stream of this.displaced.values()) all.push(stream)
    return all.sort((a, b) => a.id - b.id)
  }

  /**
   * Forgets every open stream without an event, and returns them, oldest first: for a driver that ends the connection.
   * Those that {@link wasTaken} denies never leave: where there is one, the output that was not taken is dropped, all
   * but the GOAWAY of a protocol error.
   */
  abandon(): Array<S> {
    const all = this.streams()
    if (all.some((stream) => !this.wasTaken(stream))) {
      this.length = 0
      const farewell = this.farewell
      if (farewell !== undefined) this.writeGoaway(farewell.code, farewell.message)
    }
    for (const stream of all) this.remove(stream)
    return all
  }

  // ---------------------------------------------------------------------------------------------- streams

  private find(id: number): S | undefined {
    const stream = this.ring[id >>> 1 & this.ringMask]
    if (stream !== undefined && stream.id === id) return stream
    return this.displaced.size > 0 ? this.displaced.get(id) : undefined
  }

  /** Makes room for a younger stream in the place of `old`. */
  private displace(old: S): void {
    if (this.openCount * 2 < this.ring.length || this.ring.length >= maxRing) {
      this.displaced.set(old.id, old)
      return
    }
    const all = this.streams()
    const size = this.ring.length * 2
    this.ring = new Array<S | undefined>(size).fill(undefined)
    this.ringMask = size - 1
    this.displaced.clear()
    for (const stream of all) {
      const slot = stream.id >>> 1 & this.ringMask
      const older = this.ring[slot]
      if (older !== undefined) this.displaced.set(older.id, older)
      this.ring[slot] = stream
    }
    // the caller is about to take its slot, which is another one now
    const slot = this.lastId >>> 1 & this.ringMask
    const older = this.ring[slot]
    if (older !== undefined) this.displaced.set(older.id, older)
  }

  private remove(stream: S): void {
    const slot = stream.id >>> 1 & this.ringMask
    if (this.ring[slot] === stream) this.ring[slot] = undefined
    else this.displaced.delete(stream.id)
    this.openCount--
    const flow = stream._flow
    if (flow === undefined) return
    stream._flow = undefined
    if (flow.received > 0) {
      stream.body = flow.received === flow.buffer.length ? flow.buffer : flow.buffer.slice(0, flow.received)
    }
    // at least half of the queue is open streams, so it is empty when none waits
    if (flow.queued && ++this.closedInQueue * 2 > this.queue.length) this.sweepQueue()
  }

  private sweepQueue(): void {
    this.queue = this.queue.filter((stream) => stream._flow !== undefined && stream._flow.queued)
    this.closedInQueue = 0
  }

  private flowOf(stream: S): Flow {
    const flow = stream._flow
    if (flow !== undefined) return flow
    return stream._flow = new Flow()
  }

  /** The response is complete, or cut off behind its headers. */
  private settle(stream: S): void {
    const uploading = stream._flow !== undefined && stream._flow.upload !== undefined
    this.remove(stream)
    if (this.controlFrames > 0) this.controlFrames = 0
    // an answer before the request's end: the rest of the body is of no use to anyone (RFC 9113 section 8.1)
    if (uploading && !stream.truncated) this.writeReset(stream.id, ErrorCode.CANCEL)
    this.handler.onResponse(stream)
  }

  private failStream(stream: S, kind: "malformed" | "too-large", code: number, message: string): void {
    this.remove(stream)
    this.controlFrames -= resetCredit
    this.writeReset(stream.id, code)
    this.handler.onStreamFailure(stream, { kind, code, message })
  }

  private connectionError(code: number, message: string): void {
    if (this.over) return
    this.over = true
    this.shut = true
    this.partial = noBytes
    this.partialLength = 0
    this.block = noBytes
    this.blockId = 0
    this.backlog.length = 0
    this.farewell = { code, message }
    this.writeGoaway(code, message)
    this.handler.onProtocolError({ code, message: `${message} (${codeName(code)})` })
  }

  /** Counts a frame that costs work and carries nothing. False when that was one too many. */
  private countControl(): boolean {
    if (++this.controlFrames <= this.limits.maxControlFrames) return true
    this.connectionError(ErrorCode.ENHANCE_YOUR_CALM, "The peer floods us with frames that carry nothing")
    return false
  }

  // ---------------------------------------------------------------------------------------------- output

  private tellOutput(): void {
    if (this.receiving) this.outputUntold = true
    else this.handler.onOutput()
  }

  /** The slab, with room for `count` bytes behind `length`. */
  private reserve(count: number): Buffer {
    const needed = this.length + count
    const before = this.memory
    if (needed <= before.bytes.length) return before.bytes
    let slab = this.freeSlabs.pop()
    if (slab === undefined || slab.bytes.length < needed) {
      let size = this.slabSize
      while (size < needed) size *= 2
      slab = Text.allocate(size)
    }
    if (this.length > 0) slab.bytes.set(before.bytes.subarray(0, this.length))
    this.memory = slab
    return slab.bytes
  }

  private greet(): void {
    const entries = [
      [SettingId.HEADER_TABLE_SIZE, tableSize],
      [SettingId.ENABLE_PUSH, 0],
      [SettingId.INITIAL_WINDOW_SIZE, this.streamReceiveWindow],
      [SettingId.MAX_HEADER_LIST_SIZE, this.limits.maxHeaderListSize]
    ] as const
    const hello = preface()
    const slab = this.reserve(hello.length + frameHeader + entries.length * 6 + frameHeader + 4)
    slab.set(hello, 0)
    let offset = writeHeader(slab, hello.length, entries.length * 6, FrameType.SETTINGS, 0, 0)
    for (const [id, value] of entries) {
      slab.writeUInt16BE(id, offset)
      slab.writeUInt32BE(value, offset + 2)
      offset += 6
    }
    offset = writeHeader(slab, offset, 4, FrameType.WINDOW_UPDATE, 0, 0)
    this.length = slab.writeUInt32BE(receiveWindow - initialWindowSize, offset)
  }

  /** A frame whose payload is one or two 32-bit numbers and maybe a text. */
  private writeNumbers(type: number, flags: number, id: number, first: number, second?: number, text?: Buffer): void {
    const wasEmpty = this.length === 0
    const length = (second === undefined ? 4 : 8) + (text === undefined ? 0 : text.length)
    const slab = this.reserve(frameHeader + length)
    let offset = writeHeader(slab, this.length, length, type, flags, id)
    offset = slab.writeUInt32BE(first >>> 0, offset)
    if (second !== undefined) offset = slab.writeUInt32BE(second >>> 0, offset)
    if (text !== undefined) {
      slab.set(text, offset)
      offset += text.length
    }
    this.length = offset
    if (wasEmpty) this.tellOutput()
  }

  private writeReset(id: number, code: number): void {
    if (!this.over) this.writeNumbers(FrameType.RST_STREAM, 0, id, code)
  }

  private writePing(flags: number, high: number, low: number): void {
    this.writeNumbers(FrameType.PING, flags, 0, high, low)
  }

  private writeGoaway(code: number, debugData: string): void {
    this.writeNumbers(FrameType.GOAWAY, 0, 0, 0, code, Buffer.from(debugData, "utf8").subarray(0, minMaxFrameSize - 8))
  }

  private writeWindowUpdate(id: number, increment: number): void {
    this.writeNumbers(FrameType.WINDOW_UPDATE, 0, id, increment)
  }

  /** An answer that the peer can ask for; false when it asks for more than it reads. */
  private countAnswer(): boolean {
    if (++this.unflushedAnswers <= this.limits.maxControlFrames) return true
    this.connectionError(ErrorCode.ENHANCE_YOUR_CALM, "The peer asks for more answers than it reads")
    return false
  }

  // ---------------------------------------------------------------------------------------------- requests

  private encodeHead(head: Head): Template {
    const encoder = this.encoder
    const before = encoder.version
    const lasting = !encoder.hasSizeUpdate
    encoder.begin()
    encoder.field(":method", head.method, "index")
    encoder.field(":scheme", "https", "index")
    encoder.field(":authority", this.options.authority, "index")
    // :path, a literal without indexing with the name of static entry 4
    const prefix = Uint8Array.of(...encoder.copy(), 0x04)
    const end = encoder.length
    for (const [name, value] of this.common) encoder.field(name, value, "index")
    for (const [name, value] of head.headers) encoder.field(name, value, "index")
    const template: Template = {
      version: encoder.version,
      prefix,
      path: new Uint8Array(Buffer.from(head.pathPrefix, "latin1")),
      suffix: encoder.copy(end)
    }
    // a block that changes the table is said once; the next one finds everything in its place
    if (lasting && encoder.version === before) {
      if (this.templates.size >= maxTemplates) this.templates.clear()
      this.templates.set(head, template)
      this.lastHead = head
      this.lastTemplate = template
    }
    return template
  }

  /** Checks the names of the extra headers and returns the size that they add to the header list. */
  private checkExtraNames(extra: ReadonlyArray<string>): number {
    if (extra.length % 2 !== 0) throw new TypeError("The extra headers have to be pairs of a name and a value")
    let size = 0
    for (let i = 0; i < extra.length; i += 2) {
      const name = extra[i] as string
      if (!this.knownNames.has(name)) {
        checkName(name)
        if (this.knownNames.size < maxTemplates) this.knownNames.add(name)
      }
      size += name.length + (extra[i + 1] as string).length + entryOverhead
    }
    return size
  }

  /** Sends of the waiting bodies what the windows allow, in order. */
  private pump(): void {
    while (this.queue.length > 0 && this.sendWindow > 0) {
      const stream = this.queue[0] as S
      const flow = stream._flow
      if (flow !== undefined) {
        this.upload(stream, flow)
        if (flow.upload !== undefined && this.streamWindow(stream) > 0) return
        flow.queued = false
      } else {
        this.closedInQueue--
      }
      this.queue.shift()
    }
    if (this.closedInQueue * 2 > this.queue.length) this.sweepQueue()
  }

  private streamWindow(stream: S): number {
    return this.peer.initialWindowSize - stream._sent
  }

  /** Sends of one body what the windows allow. */
  private upload(stream: S, flow: Flow): void {
    const body = flow.upload
    if (body === undefined) return
    const wasEmpty = this.length === 0
    for (;;) {
      const left = body.length - flow.uploaded
      const count = Math.min(left, this.sendWindow, this.streamWindow(stream), this.peer.maxFrameSize)
      if (count <= 0) break
      const slab = this.reserve(frameHeader + count)
      const offset = writeHeader(
        slab,
        this.length,
        count,
        FrameType.DATA,
        count === left ? Flag.END_STREAM : 0,
        stream.id
      )
      slab.set(body.subarray(flow.uploaded, flow.uploaded + count), offset)
      this.length = offset + count
      flow.uploaded += count
      stream._sent += count
      this.sendWindow -= count
      if (count === left) {
        flow.upload = undefined
        break
      }
    }
    if (wasEmpty && this.length > 0) this.tellOutput()
  }

  // ---------------------------------------------------------------------------------------------- input

  private consume(chunk: Buffer): void {
    this.resumeAt = 0
    try {
      let offset = this.partialLength > 0 ? this.completePartial(chunk) : 0
      const end = chunk.length
      while (end - offset >= frameHeader && !this.over) {
        const length = (chunk[offset] as number) << 16 | (chunk[offset + 1] as number) << 8 |
          (chunk[offset + 2] as number)
        if (!this.admits(length, chunk[offset + 3] as number, chunk[offset + 4] as number)) return
        const next = offset + frameHeader + length
        if (next > end) break
        this.resumeAt = next
        this.frame(chunk, offset, next)
        offset = next
      }
      if (offset < end && !this.over) {
        this.keepPartial(chunk, offset, end)
      }
    } catch (thrown) {
      // only a handler throws: what is behind its event is not lost
      if (!this.over && this.resumeAt < chunk.length) this.backlog.unshift(Buffer.from(chunk.subarray(this.resumeAt)))
      throw thrown
    }
  }

  private keepPartial(chunk: Buffer, offset: number, end: number): void {
    if (this.partial.length === 0) this.partial = Buffer.allocUnsafeSlow(frameHeader + minMaxFrameSize)
    this.partial.set(chunk.subarray(offset, end), this.partialLength)
    this.partialLength += end - offset
    this.resumeAt = end
  }

  /** Adds to the frame that earlier chunks began, handles it when it is complete, and returns the offset behind it. */
  private completePartial(chunk: Buffer): number {
    const partial = this.partial
    const end = chunk.length
    let offset = 0
    if (this.partialLength < frameHeader) {
      offset = Math.min(frameHeader - this.partialLength, end)
      this.keepPartial(chunk, 0, offset)
      if (this.partialLength < frameHeader) return end
    }
    const length = (partial[0] as number) << 16 | (partial[1] as number) << 8 | (partial[2] as number)
    if (!this.admits(length, partial[3] as number, partial[4] as number)) return end
    const total = frameHeader + length
    const stop = Math.min(offset + total - this.partialLength, end)
    this.keepPartial(chunk, offset, stop)
    if (this.partialLength === total) {
      this.partialLength = 0
      this.frame(partial, 0, total)
    }
    return stop
  }

  /** Judges a frame by its header, before its payload has arrived. */
  private admits(length: number, type: number, flags: number): boolean {
    if (!this.greeted && (type !== FrameType.SETTINGS || (flags & Flag.ACK) !== 0)) {
      this.connectionError(
        ErrorCode.PROTOCOL_ERROR,
        "The peer does not speak HTTP/2: its first frame is not SETTINGS"
      )
      return false
    }
    if (length > minMaxFrameSize) {
      this.connectionError(ErrorCode.FRAME_SIZE_ERROR, `The peer sent a frame of ${length} bytes; 16384 are allowed`)
      return false
    }
    return true
  }

  /** One complete frame: `bytes[offset, end)`. */
  private frame(bytes: Buffer, offset: number, end: number): void {
    const type = bytes[offset + 3] as number
    const flags = bytes[offset + 4] as number
    const id = ((bytes[offset + 5] as number) & 0x7f) << 24 | (bytes[offset + 6] as number) << 16 |
      (bytes[offset + 7] as number) << 8 | (bytes[offset + 8] as number)
    const start = offset + frameHeader
    if (this.blockId !== 0 && (type !== FrameType.CONTINUATION || id !== this.blockId)) {
      return this.connectionError(ErrorCode.PROTOCOL_ERROR, "A frame other than CONTINUATION interrupts a header block")
    }
    switch (type) {
      case FrameType.HEADERS:
        return this.headersFrame(bytes, start, end, flags, id)
      case FrameType.DATA:
        return this.dataFrame(bytes, start, end, flags, id)
      case FrameType.WINDOW_UPDATE:
        return this.windowUpdateFrame(bytes, start, end, id)
      case FrameType.RST_STREAM:
        return this.resetFrame(bytes, start, end, id)
      case FrameType.CONTINUATION:
        return this.continuationFrame(bytes, start, end, flags, id)
      case FrameType.SETTINGS:
        return this.settingsFrame(bytes, start, end, flags, id)
      case FrameType.PING:
        return this.pingFrame(bytes, start, end, flags, id)
      case FrameType.GOAWAY:
        return this.goawayFrame(bytes, start, end, id)
      case FrameType.PRIORITY:
        return this.priorityFrame(end - start, id)
      case FrameType.PUSH_PROMISE:
        return this.connectionError(ErrorCode.PROTOCOL_ERROR, "The peer sent PUSH_PROMISE, which we did not enable")
      default:
        // RFC 9113 section 5.5: unknown frames are ignored
        this.countControl()
    }
  }

  /** Whether the peer may send a frame for stream `id`: one that we opened, now or earlier. */
  private isOurs(id: number, what: string): boolean {
    if ((id & 1) === 1 && id <= this.lastId) return true
    this.connectionError(
      ErrorCode.PROTOCOL_ERROR,
      id === 0 ? `The peer sent ${what} without a stream` : `The peer sent ${what} for stream ${id}, which is not open`
    )
    return false
  }

  private shortFrame(what: string): void {
    this.connectionError(ErrorCode.FRAME_SIZE_ERROR, `The peer sent ${what} of an invalid length`)
  }

  private headersFrame(bytes: Buffer, start: number, end: number, flags: number, id: number): void {
    if (!this.isOurs(id, "HEADERS")) return
    if ((flags & (Flag.PADDED | Flag.PRIORITY)) !== 0) {
      let padding = 0
      if ((flags & Flag.PADDED) !== 0) {
        if (start >= end) return this.shortFrame("HEADERS")
        padding = bytes[start++] as number
      }
      if ((flags & Flag.PRIORITY) !== 0) {
        start += 5
        if (start > end) return this.shortFrame("HEADERS")
      }
      end -= padding
      if (start > end) {
        return this.connectionError(ErrorCode.PROTOCOL_ERROR, "The peer sent HEADERS with more padding than payload")
      }
    }
    const endsStream = (flags & Flag.END_STREAM) !== 0
    if ((flags & Flag.END_HEADERS) !== 0) return this.headerBlock(bytes, start, end, id, endsStream)
    this.blockId = id
    this.blockEndsStream = endsStream
    this.blockLength = 0
    this.continuations = 0
    this.keepBlock(bytes, start, end)
  }

  private continuationFrame(bytes: Buffer, start: number, end: number, flags: number, id: number): void {
    if (this.blockId === 0) {
      return this.connectionError(ErrorCode.PROTOCOL_ERROR, "The peer sent CONTINUATION outside of a header block")
    }
    if (++this.continuations > this.limits.maxContinuations) {
      return this.connectionError(
        ErrorCode.ENHANCE_YOUR_CALM,
        "The peer sent a header block in too many CONTINUATION frames"
      )
    }
    this.keepBlock(bytes, start, end)
    if ((flags & Flag.END_HEADERS) === 0) return
    this.blockId = 0
    this.headerBlock(this.block, 0, this.blockLength, id, this.blockEndsStream)
  }

  private keepBlock(bytes: Buffer, start: number, end: number): void {
    const length = this.blockLength + end - start
    if (length > this.block.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(length, this.block.length * 2))
      larger.set(this.block.subarray(0, this.blockLength))
      this.block = larger
    }
    this.block.set(bytes.subarray(start, end), this.blockLength)
    this.blockLength = length
  }

  private headerBlock(bytes: Buffer, start: number, end: number, id: number, endsStream: boolean): void {
    const decoder = this.decoder
    // blocks of streams that we do not care about are decoded too: they change the table (RFC 9113 section 4.3)
    if (!decoder.decode(bytes, start, end)) {
      return this.connectionError(ErrorCode.COMPRESSION_ERROR, `The peer sent a header block with ${decoder.error}`)
    }
    const stream = this.find(id)
    if (stream === undefined) {
      this.countControl()
      return
    }
    if (decoder.tooLarge) {
      return this.failStream(stream, "too-large", ErrorCode.CANCEL, "The response's header list is larger than allowed")
    }
    if (decoder.malformed !== "") {
      return this.malformed(stream, `The response has ${decoder.malformed}`)
    }
    const status = decoder.status
    if (stream.status !== 0) {
      // trailers (RFC 9113 section 8.1)
      if (status !== 0) return this.malformed(stream, "The response has :status in its trailers")
      if (!endsStream) return this.malformed(stream, "The response goes on behind its trailers")
      if (stream.apnsId === undefined) stream.apnsId = decoder.apnsId
      if (decoder.fields !== undefined) {
        stream.headers = stream.headers === undefined ? decoder.fields : stream.headers.concat(decoder.fields)
      }
      return this.finish(stream)
    }
    if (status < 200) {
      if (status === 0) return this.malformed(stream, "The response has no :status")
      if (status === 101) return this.malformed(stream, "The response has status 101, which HTTP/2 does not have")
      if (endsStream) return this.malformed(stream, "The response ends with an interim status")
      this.countControl()
      return
    }
    stream.status = status
    stream.apnsId = decoder.apnsId
    stream.headers = decoder.fields
    if (decoder.contentLength >= 0) this.flowOf(stream).contentLength = decoder.contentLength
    if (endsStream) this.finish(stream)
  }

  private malformed(stream: S, message: string): void {
    this.failStream(stream, "malformed", ErrorCode.PROTOCOL_ERROR, message)
  }

  /** The peer has ended its side of the stream. */
  private finish(stream: S): void {
    const flow = stream._flow
    if (
      flow !== undefined && flow.contentLength >= 0 && flow.contentLength !== flow.received &&
      stream.status !== 204 && stream.status !== 304
    ) return this.malformed(stream, "The response's content-length is not the length of its body")
    this.settle(stream)
  }

  private dataFrame(bytes: Buffer, start: number, end: number, flags: number, id: number): void {
    if (!this.isOurs(id, "DATA")) return
    const length = end - start
    if ((flags & Flag.PADDED) !== 0) {
      if (length === 0) return this.shortFrame("DATA")
      const padding = bytes[start++] as number
      end -= padding
      if (start > end) {
        return this.connectionError(ErrorCode.PROTOCOL_ERROR, "The peer sent DATA with more padding than payload")
      }
    }
    // Bodies are taken over at once, so both windows are opened again as soon as they are half used: a peer cannot use
    // more of them than there is. Memory is bounded by the size of a body.
    this.consumed += length
    if (this.consumed >= receiveWindow / 2) {
      this.writeWindowUpdate(0, this.consumed)
      this.consumed = 0
    }
    const stream = this.find(id)
    if (stream === undefined) {
      this.countControl()
      return
    }
    if (stream.status === 0) return this.malformed(stream, "The response has DATA before its headers")
    const size = end - start
    const endsStream = (flags & Flag.END_STREAM) !== 0
    if (size === 0 && !endsStream && !this.countControl()) return
    const flow = this.flowOf(stream)
    if (flow.received + size > this.limits.maxBodySize) {
      return this.failStream(stream, "too-large", ErrorCode.CANCEL, "The response's body is larger than allowed")
    }
    if (size > 0) {
      const total = flow.received + size
      if (total > flow.buffer.length) {
        // the first piece is mostly the only one
        const larger = new Uint8Array(flow.received === 0 ? size : Math.max(total, flow.buffer.length * 2))
        larger.set(flow.buffer.subarray(0, flow.received))
        flow.buffer = larger
      }
      flow.buffer.set(bytes.subarray(start, end), flow.received)
      flow.received = total
    }
    if (endsStream) return this.finish(stream)
    flow.consumed += length
    if (flow.consumed >= this.streamReceiveWindow / 2) {
      this.writeWindowUpdate(id, flow.consumed)
      flow.consumed = 0
    }
  }

  private resetFrame(bytes: Buffer, start: number, end: number, id: number): void {
    if (!this.isOurs(id, "RST_STREAM")) return
    if (end - start !== 4) return this.shortFrame("RST_STREAM")
    const code = bytes.readUInt32BE(start)
    const stream = this.find(id)
    if (stream === undefined) {
      this.countControl()
      return
    }
    // a peer may reset a stream twice (REFUSED_STREAM, then STREAM_CLOSED was seen): the second one is not held against it
    this.controlFrames = Math.min(this.controlFrames, 0) - 2
    if (stream.status !== 0) {
      stream.truncated = true
      return this.settle(stream)
    }
    this.remove(stream)
    this.handler.onStreamFailure(stream, {
      kind: "reset",
      code,
      message: code === ErrorCode.REFUSED_STREAM
        ? "The peer refused the request (REFUSED_STREAM): it was not processed"
        : `The peer reset the stream with ${codeName(code)}`
    })
  }

  private windowUpdateFrame(bytes: Buffer, start: number, end: number, id: number): void {
    if (end - start !== 4) return this.shortFrame("WINDOW_UPDATE")
    const increment = bytes.readUInt32BE(start) & maxInt31
    if (id === 0) {
      if (increment === 0) {
        return this.connectionError(ErrorCode.PROTOCOL_ERROR, "The peer sent WINDOW_UPDATE with an increment of 0")
      }
      if (this.sendWindow + increment > maxInt31) {
        return this.connectionError(
          ErrorCode.FLOW_CONTROL_ERROR,
          "The peer raised the connection's window above 2^31-1"
        )
      }
      this.sendWindow += increment
      this.pumpAndTell()
      return
    }
    if (!this.isOurs(id, "WINDOW_UPDATE")) return
    const stream = this.find(id)
    if (stream === undefined) return
    if (increment === 0) {
      return this.failStream(
        stream,
        "malformed",
        ErrorCode.PROTOCOL_ERROR,
        "The peer sent WINDOW_UPDATE with an increment of 0"
      )
    }
    if (this.streamWindow(stream) + increment > maxInt31) {
      return this.failStream(
        stream,
        "malformed",
        ErrorCode.FLOW_CONTROL_ERROR,
        "The peer raised the stream's window above 2^31-1"
      )
    }
    stream._sent -= increment
    this.wake(stream)
    this.pumpAndTell()
  }

  /** Puts a body that waited for its stream's window behind those that wait for the connection's. */
  private wake(stream: S): void {
    const flow = stream._flow
    if (flow === undefined || flow.upload === undefined || flow.queued || this.streamWindow(stream) <= 0) return
    flow.queued = true
    this.queue.push(stream)
  }

  private pumpAndTell(): void {
    if (this.queue.length === 0) return
    this.pump()
    if (this.queue.length === 0 && this.available > 0) this.handler.onAvailable?.()
  }

  private settingsFrame(bytes: Buffer, start: number, end: number, flags: number, id: number): void {
    if (id !== 0) {
      return this.connectionError(ErrorCode.PROTOCOL_ERROR, "The peer sent SETTINGS on a stream")
    }
    if ((flags & Flag.ACK) !== 0) {
      if (start !== end) return this.shortFrame("an acknowledgment of SETTINGS")
      this.countControl()
      return
    }
    if ((end - start) % 6 !== 0) return this.shortFrame("SETTINGS")
    if (!this.countControl() || !this.countAnswer()) return
    const before = this.peer
    let headerTableSize = before.headerTableSize
    let smallestTableSize = headerTableSize
    let maxConcurrentStreams = before.maxConcurrentStreams
    let initialWindow = before.initialWindowSize
    let maxFrameSize = before.maxFrameSize
    let maxHeaderListSize = before.maxHeaderListSize
    for (let at = start; at < end; at += 6) {
      const value = bytes.readUInt32BE(at + 2)
      switch (bytes.readUInt16BE(at)) {
        case SettingId.HEADER_TABLE_SIZE: {
          headerTableSize = value
          smallestTableSize = Math.min(smallestTableSize, value)
          break
        }
        case SettingId.ENABLE_PUSH: {
          if (value !== 0) {
            return this.connectionError(ErrorCode.PROTOCOL_ERROR, "The peer set ENABLE_PUSH, which a server may not")
          }
          break
        }
        case SettingId.MAX_CONCURRENT_STREAMS: {
          maxConcurrentStreams = value
          break
        }
        case SettingId.INITIAL_WINDOW_SIZE: {
          if (value > maxInt31) {
            return this.connectionError(ErrorCode.FLOW_CONTROL_ERROR, "The peer set INITIAL_WINDOW_SIZE above 2^31-1")
          }
          initialWindow = value
          break
        }
        case SettingId.MAX_FRAME_SIZE: {
          if (value < minMaxFrameSize || value > 0xff_ffff) {
            return this.connectionError(
              ErrorCode.PROTOCOL_ERROR,
              "The peer set MAX_FRAME_SIZE outside of 16384 to 16777215"
            )
          }
          maxFrameSize = value
          break
        }
        case SettingId.MAX_HEADER_LIST_SIZE: {
          maxHeaderListSize = value
          break
        }
        default:
          // RFC 9113 section 6.5.2: unknown settings are ignored
      }
    }
    this.peer = {
      headerTableSize,
      maxConcurrentStreams,
      initialWindowSize: initialWindow,
      maxFrameSize,
      maxHeaderListSize
    }
    this.openLimit = Math.min(maxConcurrentStreams, maxInt31 >> 1)
    this.greeted = true
    this.encoder.setCapacity(Math.min(smallestTableSize, tableSize))
    this.encoder.setCapacity(Math.min(headerTableSize, tableSize))
    if (initialWindow > before.initialWindowSize) {
      for (const stream of this.streams()) {
        if (this.streamWindow(stream) > maxInt31) {
          return this.connectionError(
            ErrorCode.FLOW_CONTROL_ERROR,
            "The peer raised a stream's window above 2^31-1 with INITIAL_WINDOW_SIZE"
          )
        }
        this.wake(stream)
      }
    } else if (initialWindow < before.initialWindowSize) {
      // who waits for its own window now does not hold up the others
      for (const stream of this.queue) {
        if (stream._flow !== undefined && this.streamWindow(stream) <= 0) stream._flow.queued = false
      }
      this.sweepQueue()
    }
    this.writeSettingsAck()
    this.pump()
    this.handler.onSettings(this.peer)
  }

  private writeSettingsAck(): void {
    const wasEmpty = this.length === 0
    this.length = writeHeader(this.reserve(frameHeader), this.length, 0, FrameType.SETTINGS, Flag.ACK, 0)
    if (wasEmpty) this.tellOutput()
  }

  private pingFrame(bytes: Buffer, start: number, end: number, flags: number, id: number): void {
    if (id !== 0) return this.connectionError(ErrorCode.PROTOCOL_ERROR, "The peer sent PING on a stream")
    if (end - start !== 8) return this.shortFrame("PING")
    const high = bytes.readUInt32BE(start)
    const low = bytes.readUInt32BE(start + 4)
    if ((flags & Flag.ACK) === 0) {
      if (this.countControl() && this.countAnswer()) this.writePing(Flag.ACK, high, low)
      return
    }
    const payload = high * 0x1_0000_0000 + low
    const at = this.openPings.indexOf(payload)
    if (at < 0) {
      this.countControl()
      return
    }
    this.openPings.splice(at, 1)
    if (this.controlFrames > 0) this.controlFrames = 0
    this.handler.onPong(payload)
  }

  private goawayFrame(bytes: Buffer, start: number, end: number, id: number): void {
    if (id !== 0) return this.connectionError(ErrorCode.PROTOCOL_ERROR, "The peer sent GOAWAY on a stream")
    if (end - start < 8) return this.shortFrame("GOAWAY")
    const lastStreamId = bytes.readUInt32BE(start) & maxInt31
    const before = this.lastGoaway
    if (before !== undefined && lastStreamId > before.lastStreamId) {
      return this.connectionError(ErrorCode.PROTOCOL_ERROR, "The peer raised the last-stream-id of its GOAWAY")
    }
    if (!this.countControl()) return
    const code = bytes.readUInt32BE(start + 4)
    const goaway: Goaway = {
      lastStreamId,
      code,
      debugData: bytes.toString("utf8", start + 8, Math.min(end, start + 8 + maxDebugData))
    }
    this.lastGoaway = goaway
    this.shut = true
    const refused = this.streams().filter((stream) => stream.id > lastStreamId)
    for (const stream of refused) this.remove(stream)
    const failure: StreamFailure = {
      kind: "goaway",
      code,
      message: "The peer is going away (GOAWAY) and did not process the request"
    }
    for (const stream of refused) {
      // whatever the peer disowns now, it has answered this one
      if (stream.status !== 0) {
        stream.truncated = true
        this.handler.onResponse(stream)
      } else this.handler.onStreamFailure(stream, failure)
    }
    this.handler.onGoaway(goaway)
  }

  private priorityFrame(length: number, id: number): void {
    if (id === 0) return this.connectionError(ErrorCode.PROTOCOL_ERROR, "The peer sent PRIORITY without a stream")
    if (length === 5) {
      this.countControl()
      return
    }
    const stream = this.find(id)
    if (stream === undefined) return this.shortFrame("PRIORITY")
    this.failStream(stream, "malformed", ErrorCode.FRAME_SIZE_ERROR, "The peer sent PRIORITY of an invalid length")
  }
}

/** Writes a string (RFC 7541 section 5.2) that was checked. */
const writeName = (slab: Uint8Array, offset: number, text: string): number => {
  const length = text.length
  if (length < 0x7f) slab[offset++] = length
  else offset = writeInteger(slab, offset, 0x00, 0x7f, length)
  for (let i = 0; i < length; i++) slab[offset++] = text.charCodeAt(i)
  return offset
}

/** Writes the value of an extra header, or throws when it may not be sent. */
const writeValue = (memory: Text.Memory, offset: number, name: string, value: string): number => {
  const slab = memory.bytes
  const length = value.length
  if (length < 0x7f) slab[offset++] = length
  else offset = writeInteger(slab, offset, 0x00, 0x7f, length)
  if (length === 0) return offset
  if (!Text.writeAscii(memory, value, offset, 0x20) || slab[offset] === 0x20 || slab[offset + length - 1] === 0x20) {
    checkValue(name, value)
    Text.write(slab, value, offset)
  }
  return offset + length
}

/** A header block in as many frames as the peer wants (RFC 9113 section 4.3). */
const writeBlock = (
  slab: Uint8Array,
  offset: number,
  block: Uint8Array,
  maxFrameSize: number,
  endsStream: number,
  id: number
): number => {
  for (let at = 0; at < block.length; at += maxFrameSize) {
    const part = block.subarray(at, at + maxFrameSize)
    const ends = at + maxFrameSize >= block.length ? Flag.END_HEADERS : 0
    offset = at === 0
      ? writeHeader(slab, offset, part.length, FrameType.HEADERS, ends | endsStream, id)
      : writeHeader(slab, offset, part.length, FrameType.CONTINUATION, ends, id)
    slab.set(part, offset)
    offset += part.length
  }
  return offset
}
