/**
 * A sans-IO HTTP/2 client session for push: bytes in, events out.
 *
 * The session owns the protocol and nothing else: no socket, no timer, no clock. Its driver hands received bytes to
 * {@link Session.receive}, writes what {@link Session.takeOutput} returns, and gets every event through a
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
  headerLength,
  initialWindowSize,
  maxInt31,
  minMaxFrameSize,
  preface,
  SettingId
} from "./Frame.js"
import { Allowance } from "./internal/allowance.js"
import { checkName, checkValue, InvalidHeader } from "./internal/fields.js"
import { FrameReader } from "./internal/frameReader.js"
import { HeaderBlock } from "./internal/headerBlock.js"
import { entryOverhead, HpackDecoder } from "./internal/hpackDecoder.js"
import { HpackEncoder, writeInteger } from "./internal/hpackEncoder.js"
import { Output, writeHeader } from "./internal/output.js"
import { Resets } from "./internal/resets.js"
import { SettingsUpdate } from "./internal/settings.js"
import { StreamTable } from "./internal/streamTable.js"
import * as Text from "./internal/text.js"
import { Flow, Uploads } from "./internal/uploads.js"

export {
  /**
   * @since 1.0.0
   * @category errors
   */
  InvalidHeader
}

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
   * Throws an {@link InvalidHeader} that names the header when a name or value may not be sent (RFC 9113 section 8.2).
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
    throw new InvalidHeader(
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
 * The events of a session, for its driver. Every method is called synchronously from
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
   * last such body was sent. (Other free slots are reported by the other methods.)
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
   * Frames that cause work without use (PING, SETTINGS, PRIORITY, empty DATA, frames of closed streams and of unknown
   * types): so many at once, and as many more in each second that {@link Session.receive} gets the time of. A response makes
   * up for 100 of them, an answer to our own PING for all. WINDOW_UPDATE has the same limit for itself, and two more for
   * each DATA frame that was sent. Also the number of answers (acknowledgments, RST_STREAM) that wait to be taken.
   * Default 1000.
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
 * The options of a {@link Session}.
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

const maxTemplates = 256
/** In bytes: a head whose header list is larger stays in memory only until the next one is encoded. */
const maxTemplateSize = 8_192
/** In characters: longer names of headers are checked each time. */
const maxKnownName = 256
const maxDebugData = 1_024
const maxOpenPings = 64

/** Late frames that each of our own RST_STREAM may cross on the wire without counting against the peer. */
const resetCredit = 8

/** Control frames that one response makes up for. */
const responseCredit = 100

/** Response DATA below this size, in bytes, is counted like empty DATA, unless it ends the stream. */
const smallData = 16

/** What `content-length` takes in a block at most, in bytes. */
const maxLengthField = 16

const noBytes = new Uint8Array(0)

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
  private readonly limits: Limits
  private peer: PeerSettings = {
    headerTableSize: tableSize,
    maxConcurrentStreams: unlimited,
    initialWindowSize,
    maxFrameSize: minMaxFrameSize,
    maxHeaderListSize: unlimited
  }
  private settingsReceived = false
  private shut = false
  private over = false
  private lastGoaway: Goaway | undefined = undefined
  /** The protocol error that ended the session. */
  private farewell: ProtocolError | undefined = undefined

  // --- streams

  private readonly open = new StreamTable<S>()
  /** Streams the peer accepts, capped to a small integer. */
  private openLimit = 0
  private lastId = -1
  private readonly resets = new Resets()

  // --- sending

  private readonly output = new Output()
  private outputUntold = false
  /** The last identifier whose HEADERS have been taken. */
  private takenId = 0
  private unflushedAnswers = 0
  private readonly uploads = new Uploads(this.output)
  private readonly encoder = new HpackEncoder(false, true, tableSize)
  private readonly templates = new Map<Head, Template>()
  private lastHead: Head | undefined = undefined
  private lastTemplate: Template | undefined = undefined
  private common: ReadonlyArray<readonly [name: string, value: string]> = []
  private commonListSize = 0
  private readonly fixedListSize: number
  private readonly knownNames = new Set<string>()
  /** The length of the last body. */
  private lastLength = -1
  /** How `content-length` is written for the length that repeats, while the dynamic table stays at `lengthVersion`. */
  private repeatedLength = -1
  private lengthField: Uint8Array = noBytes
  private lengthVersion = -1
  private openPings: Array<number> = []

  // --- receiving

  private readonly reader = new FrameReader(this)
  private readonly block = new HeaderBlock()
  private readonly decoder: HpackDecoder
  private readonly streamReceiveWindow: number
  private consumed = 0
  private receiving = false
  private readonly controls: Allowance
  private readonly windowUpdates: Allowance
  private now = -1

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
    this.controls = new Allowance(this.limits.maxControlFrames)
    this.windowUpdates = new Allowance(this.limits.maxControlFrames)
    this.fixedListSize = 4 * entryOverhead + ":method:schemehttps:authority:path".length + options.authority.length
    // a response within the limits never has to wait for a WINDOW_UPDATE of its stream
    this.streamReceiveWindow = Math.min(Math.max(initialWindowSize, this.limits.maxBodySize), maxInt31)
    this.sendPreface()
  }

  /** What the peer allows at the moment. */
  get settings(): PeerSettings {
    return this.peer
  }

  /** The peer's first SETTINGS arrived. Until then the stream limit is unknown and {@link available} is 0. */
  get ready(): boolean {
    return this.settingsReceived
  }

  /** Streams open now. */
  get active(): number {
    return this.open.size
  }

  /**
   * Requests that can be opened now; 0 before the first SETTINGS, when {@link closing}, and while a body waits for the
   * connection's send window.
   */
  get available(): number {
    if (!this.settingsReceived || this.shut || this.uploads.waiting) return 0
    const free = this.openLimit - this.open.size
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

  /** The open streams, oldest first. */
  streams(): Array<S> {
    return this.open.list()
  }

  // ------------------------------------------------------------------------- requests (RFC 9113 sections 8.1 and 8.3)

  /**
   * Headers that every request carries after its pseudo-headers (`authorization`). A change re-encodes the heads.
   * Throws an {@link InvalidHeader} when a name or value may not be sent.
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
   * Opens a stream: HEADERS and as much of DATA as the send windows allow (the rest follows by itself, so `body` must not
   * change until the stream has ended). `path` is added to the head's {@link Head.pathPrefix}.
   * `extra` are headers of this one request, flat (name, value, ...), never put into the dynamic table.
   * A body's `content-length` is sent by the session (RFC 9110 section 8.6).
   * Returns false, with nothing changed, when no stream is free, or the header list is larger than the peer accepts. Where
   * {@link available} is 0 only because bodies wait for the connection's send window, the body waits behind them.
   * Throws, with nothing changed, an {@link InvalidHeader} when the path or an extra header may not be sent, and another
   * `TypeError` when the body is not bytes, or the stream was used before.
   */
  request(stream: S, head: Head, path: string, extra: ReadonlyArray<string> | undefined, body: Uint8Array): boolean {
    if (!this.settingsReceived || this.shut || this.open.size >= this.openLimit) return false
    if (!ArrayBuffer.isView(body) || body.BYTES_PER_ELEMENT !== 1) throw new TypeError("The body has to be bytes")
    if (stream.id !== 0) throw new TypeError("The stream was used for a request before: renew it, or make a new one")
    const { output, peer } = this
    const bodyLength = body.length
    const pathLength = head.pathPrefix.length + path.length
    let listSize = this.fixedListSize + this.commonListSize + head.listSize + path.length
    if (bodyLength > 0) listSize += lengthListSize(bodyLength)
    let room = 2 * headerLength + 8 + pathLength + maxLengthField
    if (extra !== undefined) {
      const size = this.checkExtraNames(extra)
      listSize += size
      // encoded, a field takes fewer bytes than it counts in the header list
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
    const sendsAll = bodyLength === 0 || !this.uploads.waiting && bodyLength <= this.uploads.window &&
        bodyLength <= peer.initialWindowSize && bodyLength <= peer.maxFrameSize
    room += prefix.length + suffix.length + (sendsAll ? bodyLength : 0)

    const wasEmpty = output.length === 0
    let slab = output.reserve(room)
    const start = output.length
    let offset = start + headerLength
    for (let i = 0; i < prefix.length; i++) slab[offset++] = prefix[i] as number
    if (pathLength < 0x7f) slab[offset++] = pathLength
    else offset = writeInteger(slab, offset, 0x00, 0x7f, pathLength)
    const pathOffset = offset
    for (let i = 0; i < pathStart.length; i++) slab[offset++] = pathStart[i] as number
    const pathIsAscii = Text.writeAscii(output.memory, path, offset, 0x21)
    offset += path.length
    if (!pathIsAscii || pathLength === 0 || slab[pathOffset] !== 0x2f) checkPath(head.pathPrefix + path)
    for (let i = 0; i < suffix.length; i++) slab[offset++] = suffix[i] as number
    if (extra !== undefined) {
      for (let i = 0; i < extra.length; i += 2) {
        const name = extra[i] as string
        slab[offset++] = 0x00
        offset = writeName(slab, offset, name)
        offset = writeValue(output.memory, offset, name, extra[i + 1] as string)
      }
    }
    // nothing throws after this point: content-length may be inserted into the table
    if (bodyLength > 0) {
      const known = bodyLength === this.repeatedLength && this.lengthVersion === this.encoder.version
      if (known || bodyLength === this.lastLength) {
        if (!known) this.encodeLength(bodyLength)
        const field = this.lengthField
        for (let i = 0; i < field.length; i++) slab[offset++] = field[i] as number
      } else {
        offset = writeLength(slab, offset, bodyLength)
        this.lastLength = bodyLength
      }
    }

    const id = this.lastId + 2
    const length = offset - start - headerLength
    const endsStream = bodyLength === 0 ? Flag.END_STREAM : 0
    if (length <= peer.maxFrameSize) {
      writeHeader(output.memory, start, length, FrameType.HEADERS, Flag.END_HEADERS | endsStream, id)
    } else {
      const block = new Uint8Array(slab.subarray(start + headerLength, offset))
      const frames = Math.ceil(length / peer.maxFrameSize)
      slab = output.reserve(frames * headerLength + length + headerLength + bodyLength)
      offset = writeBlock(output.memory, start, block, peer.maxFrameSize, endsStream, id)
    }

    this.lastId = id
    if (id === maxInt31) this.shut = true
    stream.id = id
    this.open.add(stream)

    if (sendsAll) {
      if (bodyLength > 0) {
        writeHeader(output.memory, offset, bodyLength, FrameType.DATA, Flag.END_STREAM, id)
        slab.set(body, offset + headerLength)
        offset += headerLength + bodyLength
        this.uploads.window -= bodyLength
        this.windowUpdates.grant(2)
      }
      stream._sent = bodyLength
      output.length = offset
    } else {
      output.length = offset
      stream._sent = 0
      const flow = this.flowOf(stream)
      flow.upload = body
      this.uploads.enqueue(flow)
      this.windowUpdates.grant(2 * this.uploads.pump())
    }
    if (wasEmpty) this.tellOutput()
    return true
  }

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
    // a block that changes the table is used once; the next one only refers to the table
    if (lasting && encoder.version === before) {
      if (head.listSize <= maxTemplateSize) {
        if (this.templates.size >= maxTemplates) this.templates.clear()
        this.templates.set(head, template)
      }
      this.lastHead = head
      this.lastTemplate = template
    }
    return template
  }

  /** Encodes the `content-length` of a body as long as the one before: from its third use on it takes one byte. */
  private encodeLength(bodyLength: number): void {
    const encoder = this.encoder
    const before = encoder.version
    encoder.begin()
    encoder.field("content-length", String(bodyLength), "index")
    this.lengthField = encoder.copy()
    this.repeatedLength = bodyLength
    // inserting the field gives the table a new version: then it is encoded once more, as an index
    this.lengthVersion = before
  }

  /** Checks the names of the extra headers and returns the size that they add to the header list. */
  private checkExtraNames(extra: ReadonlyArray<string>): number {
    if (extra.length % 2 !== 0) throw new InvalidHeader("The extra headers have to be pairs of a name and a value")
    let size = 0
    for (let i = 0; i < extra.length; i += 2) {
      const name = extra[i] as string
      if (!this.knownNames.has(name)) {
        checkName(name)
        if (this.knownNames.size < maxTemplates && name.length <= maxKnownName) this.knownNames.add(name)
      }
      const value: unknown = extra[i + 1]
      if (typeof value !== "string") throw new InvalidHeader(`The value of the header "${name}" is no text`)
      size += name.length + value.length + entryOverhead
    }
    return size
  }

  // ------------------------------------------------------------------------------------------------ input and output

  /**
   * Hands received bytes to the session. It keeps no reference to them. `now` is the time in milliseconds on any clock
   * that does not go backwards: with it, {@link Limits.maxControlFrames} is a rate. Without it, no time passes.
   * Never throws, except what a handler throws: the bytes after that event are kept for the next call.
   */
  receive(bytes: Uint8Array, now?: number): void {
    if (this.over) return
    if (now !== undefined) this.pass(now)
    if (this.receiving) return this.reader.push(Text.asBuffer(bytes))
    this.receiving = true
    try {
      this.reader.push(Text.asBuffer(bytes))
    } finally {
      this.receiving = false
      if (this.outputUntold) {
        this.outputUntold = false
        if (this.output.length > 0) this.handler.onOutput()
      }
    }
  }

  /**
   * The bytes to write now, or `undefined`. The caller owns them until it calls {@link releaseOutput} with them,
   * which lets the session use the memory again: only after the write has completed.
   */
  takeOutput(): Uint8Array | undefined {
    const bytes = this.output.take()
    if (bytes === undefined) return undefined
    this.takenId = this.lastId
    this.unflushedAnswers = 0
    return bytes
  }

  /** Gives bytes that {@link takeOutput} returned back to the session. Bytes from elsewhere are ignored. */
  releaseOutput(bytes: Uint8Array): void {
    this.output.release(bytes)
  }

  /**
   * True when {@link takeOutput} has returned a byte of `stream`'s HEADERS: after that the peer may have received it. Ask
   * before {@link abandon}: the output that is taken later counts as that of all streams before it.
   */
  wasTaken(stream: S): boolean {
    return stream.id !== 0 && stream.id <= this.takenId
  }

  /**
   * Forgets every open stream without an event, and returns them, oldest first: for a driver that ends the connection.
   * Those for which {@link wasTaken} is false are never sent: if there is one, the output that was not taken is dropped,
   * except the GOAWAY of a protocol error.
   */
  abandon(): Array<S> {
    const all = this.open.list()
    if (all.some((stream) => !this.wasTaken(stream))) {
      this.output.length = 0
      const farewell = this.farewell
      if (farewell !== undefined) this.writeGoaway(farewell.code, farewell.message)
    }
    for (const stream of all) this.remove(stream)
    this.resets.addAll(this.lastId)
    return all
  }

  private tellOutput(): void {
    if (this.receiving) this.outputUntold = true
    else this.handler.onOutput()
  }

  // -------------------------------------------------------------------------- the client's preface (RFC 9113 section 3.4)

  private sendPreface(): void {
    const { output } = this
    const entries = [
      [SettingId.HEADER_TABLE_SIZE, tableSize],
      [SettingId.ENABLE_PUSH, 0],
      [SettingId.INITIAL_WINDOW_SIZE, this.streamReceiveWindow],
      [SettingId.MAX_HEADER_LIST_SIZE, this.limits.maxHeaderListSize]
    ] as const
    const hello = preface()
    const slab = output.reserve(hello.length + headerLength + entries.length * 6 + headerLength + 4)
    slab.set(hello, 0)
    let offset = writeHeader(output.memory, hello.length, entries.length * 6, FrameType.SETTINGS, 0, 0)
    for (const [id, value] of entries) {
      slab.writeUInt16BE(id, offset)
      slab.writeUInt32BE(value, offset + 2)
      offset += 6
    }
    offset = writeHeader(output.memory, offset, 4, FrameType.WINDOW_UPDATE, 0, 0)
    output.length = slab.writeUInt32BE(receiveWindow - initialWindowSize, offset)
  }

  // -------------------------------------------------------------------------------------- frames (RFC 9113 section 4)

  /** Checks the header of a frame, before its payload has arrived. @internal */
  admits(length: number, type: number, flags: number): boolean {
    if (!this.settingsReceived && (type !== FrameType.SETTINGS || (flags & Flag.ACK) !== 0)) {
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

  /** One complete frame: `bytes[offset, end)`. @internal */
  frame(bytes: Buffer, offset: number, end: number): void {
    const type = bytes[offset + 3] as number
    const flags = bytes[offset + 4] as number
    const id = ((bytes[offset + 5] as number) & 0x7f) << 24 | (bytes[offset + 6] as number) << 16 |
      (bytes[offset + 7] as number) << 8 | (bytes[offset + 8] as number)
    const start = offset + headerLength
    if (this.block.id !== 0 && (type !== FrameType.CONTINUATION || id !== this.block.id)) {
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
        return this.pushPromiseFrame()
      default:
        // RFC 9113 section 5.5: unknown frames are ignored
        this.countControl()
    }
  }

  // ------------------------------------------------------------------------------------- streams (RFC 9113 section 5)

  /** Whether the peer may send a frame for stream `id`: one that we opened, now or earlier. */
  private isOurs(id: number, what: string): boolean {
    if ((id & 1) === 1 && id <= this.lastId) return true
    this.connectionError(
      ErrorCode.PROTOCOL_ERROR,
      id === 0 ? `The peer sent ${what} without a stream` : `The peer sent ${what} for stream ${id}, which is not open`
    )
    return false
  }

  /**
   * DATA or HEADERS on a closed stream (RFC 9113 section 5.1). What the peer sent before it received our RST_STREAM, or
   * for a stream above the last id of its GOAWAY, is ignored; after its own END_STREAM or RST_STREAM it is an error.
   */
  private closedStream(id: number): void {
    if (!this.countControl() || this.resets.has(id)) return
    if (this.lastGoaway !== undefined && id > this.lastGoaway.lastStreamId) return
    if (this.countAnswer()) this.writeReset(id, ErrorCode.STREAM_CLOSED)
  }

  private remove(stream: S): void {
    this.open.remove(stream)
    const flow = stream._flow
    if (flow === undefined) return
    stream._flow = undefined
    if (flow.received > 0) {
      stream.body = flow.received === flow.buffer.length ? flow.buffer : flow.buffer.slice(0, flow.received)
    }
    this.uploads.end(flow)
  }

  private flowOf(stream: S): Flow {
    const flow = stream._flow
    if (flow !== undefined) return flow
    return stream._flow = new Flow(stream)
  }

  // ----------------------------------------------------------------------------- errors (RFC 9113 sections 5.4 and 7)

  private connectionError(code: number, message: string): void {
    if (this.over) return
    this.over = true
    this.shut = true
    this.reader.stop()
    this.block.drop()
    this.farewell = { code, message }
    this.writeGoaway(code, message)
    this.handler.onProtocolError({ code, message: `${message} (${codeName(code)})` })
  }

  private failStream(stream: S, kind: "malformed" | "too-large", code: number, message: string): void {
    this.remove(stream)
    this.controls.grant(resetCredit)
    this.writeReset(stream.id, code)
    this.handler.onStreamFailure(stream, { kind, code, message })
  }

  private shortFrame(what: string): void {
    this.connectionError(ErrorCode.FRAME_SIZE_ERROR, `The peer sent ${what} of an invalid length`)
  }

  // ---------------------------------------------------------------------------------------- DATA (RFC 9113 section 6.1)

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
    // Bodies are taken at once, so both windows are opened again as soon as they are half used: the peer is never
    // delayed by them. Memory is bounded by the size of a body.
    this.consumed += length
    if (this.consumed >= receiveWindow / 2) {
      this.writeWindowUpdate(0, this.consumed)
      this.consumed = 0
    }
    const stream = this.open.find(id)
    if (stream === undefined) return this.closedStream(id)
    if (stream.status === 0) return this.malformed(stream, "The response has DATA before its headers")
    const size = end - start
    const endsStream = (flags & Flag.END_STREAM) !== 0
    if (size < smallData && !endsStream && !this.countControl()) return
    const flow = this.flowOf(stream)
    if (flow.received + size > this.limits.maxBodySize) {
      return this.failStream(stream, "too-large", ErrorCode.CANCEL, "The response's body is larger than allowed")
    }
    if (size > 0) {
      const total = flow.received + size
      if (total > flow.buffer.length) {
        // usually the first piece is the only one
        const larger = new Uint8Array(Math.max(total, flow.buffer.length * 2))
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

  // -------------------------------------------------------------------------------------- HEADERS (RFC 9113 section 6.2)

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
    this.block.begin(id, endsStream)
    this.block.add(bytes, start, end)
  }

  // ------------------------------------------------------------------------------------- PRIORITY (RFC 9113 section 6.3)

  private priorityFrame(length: number, id: number): void {
    if (id === 0) return this.connectionError(ErrorCode.PROTOCOL_ERROR, "The peer sent PRIORITY without a stream")
    if (length === 5) {
      this.countControl()
      return
    }
    const stream = this.open.find(id)
    if (stream === undefined) return this.shortFrame("PRIORITY")
    this.failStream(stream, "malformed", ErrorCode.FRAME_SIZE_ERROR, "The peer sent PRIORITY of an invalid length")
  }

  // ----------------------------------------------------------------------------------- RST_STREAM (RFC 9113 section 6.4)

  /**
   * Sends RST_STREAM and frees the slot; no method of the handler is called with this stream any more. A no-op for a closed stream.
   */
  reset(stream: S, code: number): void {
    if (stream.id === 0 || this.open.find(stream.id) !== stream) return
    this.remove(stream)
    this.controls.grant(resetCredit)
    this.writeReset(stream.id, code)
  }

  private writeReset(id: number, code: number): void {
    this.resets.add(id)
    if (!this.over) this.writeNumbers(FrameType.RST_STREAM, 0, id, code)
  }

  private resetFrame(bytes: Buffer, start: number, end: number, id: number): void {
    if (!this.isOurs(id, "RST_STREAM")) return
    if (end - start !== 4) return this.shortFrame("RST_STREAM")
    const code = bytes.readUInt32BE(start)
    const stream = this.open.find(id)
    if (stream === undefined) {
      this.countControl()
      return
    }
    // servers have been seen to reset a stream twice (REFUSED_STREAM, then STREAM_CLOSED): the second one is not counted
    this.controls.reduce(responseCredit)
    this.controls.grant(2)
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

  // ------------------------------------------------------------------------------------- SETTINGS (RFC 9113 section 6.5)

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
    const { encoder, uploads } = this
    const before = this.peer
    const update = new SettingsUpdate(before)
    const wrong = update.read(bytes, start, end)
    if (wrong !== undefined) return this.connectionError(wrong.code, wrong.message)
    const peer = update.result()
    this.peer = peer
    this.openLimit = Math.min(peer.maxConcurrentStreams, maxInt31 >> 1)
    this.settingsReceived = true
    encoder.setCapacity(Math.min(update.smallestTableSize, tableSize))
    encoder.setCapacity(Math.min(peer.headerTableSize, tableSize))
    uploads.streamWindow = peer.initialWindowSize
    uploads.maxFrameSize = peer.maxFrameSize
    if (peer.initialWindowSize > before.initialWindowSize) {
      for (const stream of this.open.list()) {
        if (uploads.windowOf(stream) > maxInt31) {
          return this.connectionError(
            ErrorCode.FLOW_CONTROL_ERROR,
            "The peer raised a stream's window above 2^31-1 with INITIAL_WINDOW_SIZE"
          )
        }
        if (stream._flow !== undefined) uploads.enqueue(stream._flow)
      }
    } else if (peer.initialWindowSize < before.initialWindowSize) {
      uploads.requeue()
    }
    this.writeSettingsAck()
    this.pump()
    this.handler.onSettings(peer)
  }

  private writeSettingsAck(): void {
    const { output } = this
    const wasEmpty = output.length === 0
    output.reserve(headerLength)
    output.length = writeHeader(output.memory, output.length, 0, FrameType.SETTINGS, Flag.ACK, 0)
    if (wasEmpty) this.tellOutput()
  }

  // --------------------------------------------------------------------------------- PUSH_PROMISE (RFC 9113 section 6.6)

  private pushPromiseFrame(): void {
    this.connectionError(ErrorCode.PROTOCOL_ERROR, "The peer sent PUSH_PROMISE, which we did not enable")
  }

  // ----------------------------------------------------------------------------------------- PING (RFC 9113 section 6.7)

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

  private writePing(flags: number, high: number, low: number): void {
    this.writeNumbers(FrameType.PING, flags, 0, high, low)
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
    this.controls.reduce(Infinity)
    this.handler.onPong(payload)
  }

  // --------------------------------------------------------------------------------------- GOAWAY (RFC 9113 section 6.8)

  /** Sends GOAWAY (last-stream-id 0: the peer opens none); open streams continue. `debugData` is sent as UTF-8. */
  sendGoaway(code: number, debugData = ""): void {
    if (this.over) return
    this.shut = true
    this.writeGoaway(code, debugData)
  }

  private writeGoaway(code: number, debugData: string): void {
    this.writeNumbers(FrameType.GOAWAY, 0, 0, 0, code, Buffer.from(debugData, "utf8").subarray(0, minMaxFrameSize - 8))
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
    const refused = this.open.list().filter((stream) => stream.id > lastStreamId)
    for (const stream of refused) this.remove(stream)
    const failure: StreamFailure = {
      kind: "goaway",
      code,
      message: "The peer is going away (GOAWAY) and did not process the request"
    }
    for (const stream of refused) {
      // GOAWAY does not change that the peer has answered this one
      if (stream.status !== 0) {
        stream.truncated = true
        this.handler.onResponse(stream)
      } else this.handler.onStreamFailure(stream, failure)
    }
    this.handler.onGoaway(goaway)
  }

  // -------------------------------------------------------------------------------- WINDOW_UPDATE (RFC 9113 section 6.9)

  private writeWindowUpdate(id: number, increment: number): void {
    this.writeNumbers(FrameType.WINDOW_UPDATE, 0, id, increment)
  }

  private windowUpdateFrame(bytes: Buffer, start: number, end: number, id: number): void {
    if (end - start !== 4) return this.shortFrame("WINDOW_UPDATE")
    const increment = bytes.readUInt32BE(start) & maxInt31
    const { uploads } = this
    if (id === 0) {
      if (increment === 0) {
        return this.connectionError(ErrorCode.PROTOCOL_ERROR, "The peer sent WINDOW_UPDATE with an increment of 0")
      }
      if (uploads.window + increment > maxInt31) {
        return this.connectionError(
          ErrorCode.FLOW_CONTROL_ERROR,
          "The peer raised the connection's window above 2^31-1"
        )
      }
      if (!this.countWindowUpdate()) return
      uploads.window += increment
      this.pumpAndTell()
      return
    }
    if (!this.isOurs(id, "WINDOW_UPDATE") || !this.countWindowUpdate()) return
    const stream = this.open.find(id)
    if (stream === undefined) return
    if (increment === 0) {
      return this.failStream(
        stream,
        "malformed",
        ErrorCode.PROTOCOL_ERROR,
        "The peer sent WINDOW_UPDATE with an increment of 0"
      )
    }
    if (uploads.windowOf(stream) + increment > maxInt31) {
      return this.failStream(
        stream,
        "malformed",
        ErrorCode.FLOW_CONTROL_ERROR,
        "The peer raised the stream's window above 2^31-1"
      )
    }
    stream._sent -= increment
    if (stream._flow === undefined) return
    uploads.enqueue(stream._flow)
    this.pumpAndTell()
  }

  /** Sends as much of the waiting bodies as the windows allow. */
  private pump(): void {
    if (!this.uploads.waiting) return
    const wasEmpty = this.output.length === 0
    this.windowUpdates.grant(2 * this.uploads.pump())
    if (wasEmpty) this.tellOutput()
  }

  private pumpAndTell(): void {
    if (!this.uploads.waiting) return
    this.pump()
    if (!this.uploads.waiting && this.available > 0) this.handler.onAvailable?.()
  }

  // -------------------------------------------------------------------------------- CONTINUATION (RFC 9113 section 6.10)

  private continuationFrame(bytes: Buffer, start: number, end: number, flags: number, id: number): void {
    const { block } = this
    if (block.id === 0) {
      return this.connectionError(ErrorCode.PROTOCOL_ERROR, "The peer sent CONTINUATION outside of a header block")
    }
    if (++block.continuations > this.limits.maxContinuations) {
      return this.connectionError(
        ErrorCode.ENHANCE_YOUR_CALM,
        "The peer sent a header block in too many CONTINUATION frames"
      )
    }
    block.add(bytes, start, end)
    if ((flags & Flag.END_HEADERS) === 0) return
    block.id = 0
    this.headerBlock(block.bytes, 0, block.length, id, block.endsStream)
  }

  // ---------------------------------------------------------------------------------- responses (RFC 9113 section 8.1)

  private headerBlock(bytes: Buffer, start: number, end: number, id: number, endsStream: boolean): void {
    const decoder = this.decoder
    // blocks of ignored streams are decoded too: they change the table (RFC 9113 section 4.3)
    if (!decoder.decode(bytes, start, end)) {
      return this.connectionError(ErrorCode.COMPRESSION_ERROR, `The peer sent a header block with ${decoder.error}`)
    }
    const stream = this.open.find(id)
    if (stream === undefined) return this.closedStream(id)
    if (decoder.tooLarge) {
      return this.failStream(stream, "too-large", ErrorCode.CANCEL, "The response's header list is larger than allowed")
    }
    if (decoder.malformed !== "") {
      return this.malformed(stream, `The response has ${decoder.malformed}`)
    }
    const status = decoder.status
    if (stream.status !== 0) {
      // trailers
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

  /** The response is complete, or cut off after its headers. */
  private settle(stream: S): void {
    const uploading = stream._flow !== undefined && stream._flow.upload !== undefined
    this.remove(stream)
    this.controls.reduce(responseCredit)
    this.windowUpdates.reduce(responseCredit)
    // an answer before the end of the request: the rest of the body is not needed
    if (uploading && !stream.truncated) this.writeReset(stream.id, ErrorCode.CANCEL)
    this.handler.onResponse(stream)
  }

  // ------------------------------------------------------------------------ denial of service (RFC 9113 section 10.5)

  private pass(now: number): void {
    const before = this.now
    this.now = now
    if (before < 0 || now <= before) return
    this.controls.pass(now - before)
    this.windowUpdates.pass(now - before)
  }

  /** Counts a frame that causes work without use. False when that was one too many. */
  private countControl(): boolean {
    if (this.controls.spend()) return true
    this.connectionError(ErrorCode.ENHANCE_YOUR_CALM, "The peer floods us with frames that carry nothing")
    return false
  }

  private countWindowUpdate(): boolean {
    if (this.windowUpdates.spend()) return true
    this.connectionError(ErrorCode.ENHANCE_YOUR_CALM, "The peer floods us with WINDOW_UPDATE")
    return false
  }

  /** An answer that the peer can ask for; false when it asks for more than it reads. */
  private countAnswer(): boolean {
    if (++this.unflushedAnswers <= this.limits.maxControlFrames) return true
    this.connectionError(ErrorCode.ENHANCE_YOUR_CALM, "The peer asks for more answers than it reads")
    return false
  }

  // --------------------------------------------------------------------------------------------------------- writing

  /** A frame whose payload is one or two 32-bit numbers and maybe a text. */
  private writeNumbers(type: number, flags: number, id: number, first: number, second?: number, text?: Buffer): void {
    const { output } = this
    const wasEmpty = output.length === 0
    const length = (second === undefined ? 4 : 8) + (text === undefined ? 0 : text.length)
    const slab = output.reserve(headerLength + length)
    let offset = writeHeader(output.memory, output.length, length, type, flags, id)
    offset = slab.writeUInt32BE(first >>> 0, offset)
    if (second !== undefined) offset = slab.writeUInt32BE(second >>> 0, offset)
    if (text !== undefined) {
      slab.set(text, offset)
      offset += text.length
    }
    output.length = offset
    if (wasEmpty) this.tellOutput()
  }
}

/** Writes `content-length` as a literal without indexing, with the name of static entry 28 (RFC 7541 section 6.2.2). */
const writeLength = (slab: Uint8Array, offset: number, bodyLength: number): number => {
  const digits = digitsOf(bodyLength)
  slab[offset] = 0x0f
  slab[offset + 1] = 0x0d
  slab[offset + 2] = digits
  const end = offset + 3 + digits
  let rest = bodyLength
  for (let at = end - 1; at > offset + 2; at--) {
    const next = Math.floor(rest / 10)
    slab[at] = 0x30 + rest - next * 10
    rest = next
  }
  return end
}

/** The number of decimal digits of a length. */
const digitsOf = (length: number): number => {
  let digits = 1
  for (let limit = 10; length >= limit; limit *= 10) digits++
  return digits
}

/** What `content-length` adds to the size of a header list (RFC 9113 section 6.5.2). */
const lengthListSize = (bodyLength: number): number => entryOverhead + "content-length".length + digitsOf(bodyLength)

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

/** A header block in as many frames as the peer's frame size requires (RFC 9113 section 4.3). */
const writeBlock = (
  memory: Text.Memory,
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
      ? writeHeader(memory, offset, part.length, FrameType.HEADERS, ends | endsStream, id)
      : writeHeader(memory, offset, part.length, FrameType.CONTINUATION, ends, id)
    memory.bytes.set(part, offset)
    offset += part.length
  }
  return offset
}
