import { Frame, Hpack, Session } from "@effect-apns/http2"

/** A request that remembers how often it was settled. */
export class Call extends Session.Stream {
  settled = 0
}

export const post = new Session.Head("POST", [["apns-topic", "com.example.app"], ["apns-push-type", "alert"]])

export const noBody = new Uint8Array(0)

export const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"))

export const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.replace(/\s/g, ""), "hex"))

export const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

export interface Sent {
  readonly type: number
  readonly flags: number
  readonly streamId: number
  readonly payload: Uint8Array
}

const describe = (stream: Session.Stream): string =>
  JSON.stringify({
    id: stream.id,
    status: stream.status,
    apnsId: stream.apnsId,
    headers: stream.headers,
    body: stream.body === undefined ? undefined : Buffer.from(stream.body).toString("latin1"),
    truncated: stream.truncated
  })

/** A session with a driver that writes everything down. */
export class Driver {
  readonly events: Array<string> = []
  readonly calls: Array<Call> = []
  readonly sent: Array<Sent> = []
  readonly session: Session.Session<Call>
  readonly requestHeaders = new Map<number, Array<string>>()
  readonly requestBodies = new Map<number, Uint8Array>()
  outputCalls = 0
  private readonly reader = new Frame.Reader((type, flags, streamId, payload) => {
    this.sent.push({ type, flags, streamId, payload: payload.slice() })
    this.understand(type, flags, streamId, payload)
  }, 24)
  private readonly decoder: Hpack.Decoder
  private block: Array<Uint8Array> = []
  onResponse: (call: Call) => void = () => {}
  onStreamFailure: (call: Call) => void = () => {}
  onSettings: () => void = () => {}
  onAvailable: () => void = () => {}

  constructor(
    options: Partial<Session.Options> = {},
    decoder: Hpack.DecoderOptions = {}
  ) {
    this.decoder = new Hpack.Decoder(decoder)
    this.session = new Session.Session<Call>({ authority: "api.push.apple.com", ...options }, {
      onResponse: (call) => {
        call.settled++
        this.events.push(`response ${describe(call)}`)
        this.onResponse(call)
      },
      onStreamFailure: (call, failure) => {
        call.settled++
        this.events.push(`failure ${call.id} ${failure.kind} ${failure.code} ${failure.message}`)
        this.onStreamFailure(call)
      },
      onSettings: (settings) => {
        this.events.push(`settings ${JSON.stringify(settings)}`)
        this.onSettings()
      },
      onGoaway: (goaway) => this.events.push(`goaway ${JSON.stringify(goaway)}`),
      onPong: (payload) => this.events.push(`pong ${payload}`),
      onProtocolError: (error) => this.events.push(`protocol error ${error.code} ${error.message}`),
      onOutput: () => this.outputCalls++,
      onAvailable: () => {
        this.events.push("available")
        this.onAvailable()
      }
    })
  }

  private understand(type: number, flags: number, streamId: number, payload: Uint8Array): void {
    if (type === Frame.FrameType.HEADERS || type === Frame.FrameType.CONTINUATION) {
      this.block.push(payload.slice())
      if ((flags & Frame.Flag.END_HEADERS) !== 0) {
        this.requestHeaders.set(streamId, this.decoder.decode(Frame.concat(this.block)))
        this.block = []
      }
    } else if (type === Frame.FrameType.DATA) {
      this.requestBodies.set(streamId, Frame.concat([this.requestBodies.get(streamId) ?? noBody, payload]))
    }
  }

  /** The bytes of the output since the last time. */
  take(): Uint8Array {
    const parts: Array<Uint8Array> = []
    for (let bytes = this.session.takeOutput(); bytes !== undefined; bytes = this.session.takeOutput()) {
      parts.push(bytes.slice())
      this.session.releaseOutput(bytes)
    }
    const all = Frame.concat(parts)
    this.reader.push(all)
    return all
  }

  /** The frames of the output since the last time. */
  frames(): Array<Sent> {
    this.take()
    return this.sent.splice(0)
  }

  /** Hands frames over, and the session's answers to nobody. */
  receive(...frames: ReadonlyArray<Uint8Array>): void {
    this.session.receive(Frame.concat(frames))
  }

  request(
    path = "/3/device/00",
    body: Uint8Array = noBody,
    head: Session.Head = post,
    extra?: ReadonlyArray<string>
  ): Call {
    const call = new Call()
    if (!this.session.request(call, head, path, extra, body)) throw new Error("the session took no request")
    this.calls.push(call)
    return call
  }

  /** The events since the last time. */
  heard(): Array<string> {
    return this.events.splice(0)
  }

  /** What of {@link invariants} does not hold. */
  problems(): Array<string> {
    return invariants(this.session, this.calls)
  }
}

/** What has to be true at any time, whatever the peer did: says what is not. */
export const invariants = (session: Session.Session<Call>, calls: ReadonlyArray<Call>): Array<string> => {
  const found: Array<string> = []
  const open = new Set(session.streams())
  if (open.size !== session.active) found.push(`${open.size} streams, but active is ${session.active}`)
  for (const call of calls) {
    if (call.settled > 1) found.push(`stream ${call.id} was settled ${call.settled} times`)
    if (open.has(call) !== (call.settled === 0)) {
      found.push(`stream ${call.id} is ${open.has(call) ? "open and settled" : "closed without a word"}`)
    }
  }
  if (session.available < 0) found.push("available is negative")
  if (session.closing && session.available > 0) found.push("available although closing")
  return found
}

/** A driver whose peer has greeted, and the peer's encoder. */
export const greeted = (
  settings: ReadonlyArray<readonly [number, number]> = [[Frame.SettingId.MAX_CONCURRENT_STREAMS, 1000]],
  options: Partial<Session.Options> = {},
  decoder: Hpack.DecoderOptions = {}
): { driver: Driver; encoder: Hpack.Encoder } => {
  const driver = new Driver(options, decoder)
  driver.receive(Frame.settings(settings))
  driver.frames()
  driver.heard()
  return { driver, encoder: new Hpack.Encoder() }
}

/** A small generator of pseudo-random numbers (xorshift32), the same everywhere for the same seed. */
export class Random {
  private state: number
  constructor(seed: number) {
    this.state = (seed | 0) === 0 ? 0x9e3779b9 | 0 : seed | 0
  }
  next(): number {
    let x = this.state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.state = x
    return x >>> 0
  }
  below(limit: number): number {
    return this.next() % limit
  }
  bytes(length: number): Uint8Array {
    const all = new Uint8Array(length)
    for (let i = 0; i < length; i++) all[i] = this.next()
    return all
  }
}
