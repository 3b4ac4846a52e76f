/**
 * A sans-IO HTTP/2 client session for push: bytes in, events out.
 *
 * The session owns the protocol and nothing else: no socket, no timer, no clock. Its driver hands received bytes to
 * {@link Session.receive}, writes what {@link Session.takeOutput} returns, and hears of everything through a
 * {@link Handler}. RFC 9113 and RFC 7541 are the specification.
 *
 * @since 0.1.0
 */

/**
 * What a request says before its path and body: method and headers that many requests share. Make one for each
 * combination and reuse it: the session encodes it once per connection (names and values enter the HPACK dynamic
 * table, later requests spend one byte on each).
 *
 * @since 0.1.0
 * @category models
 */
export class Head {
  constructor(
    readonly method: "GET" | "POST" | "DELETE",
    /** Regular headers, lower-case names. */
    readonly headers: ReadonlyArray<readonly [name: string, value: string]>
  ) {}
}

/**
 * One exchange: a request and its response. Drivers subclass it to carry their own state, so that a request costs one
 * object. The session fills the response fields in; the fields under "session" are its own.
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
  /** SETTINGS, PING and other frames that cost work and carry nothing, between two responses. Default 1000. */
  readonly maxControlFrames: number
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The `:authority` of every request, e.g. `api.push.apple.com`. */
  readonly authority: string
  readonly limits?: Partial<Limits> | undefined
}

/**
 * The client side of one HTTP/2 connection.
 *
 * @since 0.1.0
 * @category models
 */
export declare class Session<S extends Stream> {
  constructor(options: Options, handler: Handler<S>)
  /** What the peer allows at the moment. */
  readonly settings: PeerSettings
  /** The peer's first SETTINGS arrived. Until then the stream limit is unknown and {@link available} is 0. */
  readonly ready: boolean
  /** Streams open now. */
  readonly active: number
  /** Requests that can be opened now; 0 before the first SETTINGS, after GOAWAY, when the connection's send window is exhausted, or when stream identifiers ran out. */
  get available(): number
  /** No request can ever be opened again: GOAWAY sent or received, identifiers exhausted, or a protocol error. */
  readonly closing: boolean
  /** The GOAWAY that the peer sent last. */
  readonly goaway: Goaway | undefined

  /** Headers that every request carries after its pseudo-headers (`authorization`). A change re-encodes the heads. */
  setCommonHeaders(headers: ReadonlyArray<readonly [name: string, value: string]>): void
  /**
   * Opens a stream: HEADERS and as much of DATA as the send windows allow (the rest follows by itself).
   * `extra` are headers of this one request, flat (name, value, ...), never put into the dynamic table.
   * Returns false, with nothing changed, when {@link available} is 0, or the header list is larger than the peer accepts.
   */
  request(stream: S, head: Head, path: string, extra: ReadonlyArray<string> | undefined, body: Uint8Array): boolean
  /** Sends RST_STREAM and frees the slot; the handler hears nothing of this stream any more. A no-op for a closed stream. */
  reset(stream: S, code: number): void
  /** Sends PING with `payload` (0 to 2^53-1, as 8 bytes big-endian). */
  ping(payload: number): void
  /** Sends GOAWAY (last-stream-id 0: the peer opens none); open streams go on. */
  sendGoaway(code: number, debugData?: string): void
  /** Hands received bytes to the session. It keeps no reference to them. Never throws. */
  receive(bytes: Uint8Array): void
  /**
   * The bytes to write now, or `undefined`. The caller owns them until it calls {@link releaseOutput} with them,
   * which lets the session use the memory again: only after the write has completed.
   */
  takeOutput(): Uint8Array | undefined
  releaseOutput(bytes: Uint8Array): void
  /** True when a byte of `stream`'s HEADERS has been taken by {@link takeOutput}: from then on the peer may have seen it. */
  wasTaken(stream: S): boolean
  /** The open streams, oldest first. */
  streams(): Array<S>
  /** Forgets every open stream without an event, and returns them, oldest first: for a driver whose socket is gone. */
  abandon(): Array<S>
}
