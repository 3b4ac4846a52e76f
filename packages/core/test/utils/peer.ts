import { Transport } from "@effect-apns/core"
import { Frame, Hpack } from "@effect-apns/http2"

export interface PeerRequest {
  readonly id: number
  readonly headers: Record<string, string>
  body: Uint8Array
  ended: boolean
}

const usual = [[Frame.SettingId.MAX_CONCURRENT_STREAMS, 1000]] as const

/**
 * The far end of a connection in memory: it speaks only when told to, and writes down what it hears, so that a test
 * decides every order.
 */
export class Peer {
  readonly test = Transport.makeTest()
  readonly requests: Array<PeerRequest> = []
  readonly resets: Array<{ readonly id: number; readonly code: number }> = []
  readonly goaways: Array<{ readonly code: number; readonly debug: string }> = []
  readonly pings: Array<Uint8Array> = []
  settingsAcks = 0
  answersPings = true
  onRequest: ((request: PeerRequest) => void) | undefined = undefined

  private readonly encoder = new Hpack.Encoder()
  private readonly decoder = new Hpack.Decoder()
  private readonly reader: Frame.Reader

  /** `settings` are its first ones; none at all are not sent yet. */
  constructor(settings: ReadonlyArray<readonly [id: number, value: number]> = usual) {
    this.reader = new Frame.Reader((type, flags, id, payload) => this.onFrame(type, flags, id, payload), 24)
    this.test.onWrite = (bytes) => this.reader.push(bytes)
    if (settings.length > 0) this.settings(settings)
  }

  get transport(): Transport.Transport {
    return this.test.transport
  }

  /** Sends these frames in one chunk. */
  send(...frames: ReadonlyArray<Uint8Array>): void {
    this.test.receive(Frame.concat(frames))
  }

  settings(entries: ReadonlyArray<readonly [id: number, value: number]>): void {
    this.send(Frame.settings(entries))
  }

  response(
    id: number,
    status: number,
    options: { readonly body?: string; readonly headers?: ReadonlyArray<string> } = {}
  ): Uint8Array {
    const block = this.encoder.encode([":status", String(status), "apns-id", `id-of-${id}`, ...options.headers ?? []])
    return options.body === undefined
      ? Frame.headers(id, block, { endStream: true })
      : Frame.concat([Frame.headers(id, block), Frame.data(id, Buffer.from(options.body), { endStream: true })])
  }

  /** The headers of a response whose end is still to come. */
  responseHead(id: number, status: number): Uint8Array {
    return Frame.headers(id, this.encoder.encode([":status", String(status), "apns-id", `id-of-${id}`]))
  }

  accept(...ids: ReadonlyArray<number>): void {
    this.send(...ids.map((id) => this.response(id, 200)))
  }

  get ids(): ReadonlyArray<number> {
    return this.requests.map(({ id }) => id)
  }

  private onFrame(type: number, flags: number, id: number, payload: Uint8Array): void {
    const bytes = Buffer.from(payload)
    switch (type) {
      case Frame.FrameType.HEADERS: {
        const fields = this.decoder.decode(bytes)
        const headers: Record<string, string> = {}
        for (let i = 0; i + 1 < fields.length; i += 2) headers[fields[i] ?? ""] = fields[i + 1] ?? ""
        const request = { id, headers, body: new Uint8Array(), ended: (flags & Frame.Flag.END_STREAM) !== 0 }
        this.requests.push(request)
        if (request.ended) this.onRequest?.(request)
        return
      }
      case Frame.FrameType.DATA: {
        const request = this.requests.find((known) => known.id === id)
        if (request === undefined) return
        request.body = Buffer.concat([request.body, bytes])
        request.ended = (flags & Frame.Flag.END_STREAM) !== 0
        if (request.ended) this.onRequest?.(request)
        return
      }
      case Frame.FrameType.RST_STREAM:
        this.resets.push({ id, code: bytes.readUInt32BE(0) })
        return
      case Frame.FrameType.GOAWAY:
        this.goaways.push({ code: bytes.readUInt32BE(4), debug: bytes.toString("utf8", 8) })
        return
      case Frame.FrameType.PING:
        if ((flags & Frame.Flag.ACK) !== 0) return
        this.pings.push(bytes)
        if (this.answersPings) this.send(Frame.ping(bytes, true))
        return
      case Frame.FrameType.SETTINGS:
        if ((flags & Frame.Flag.ACK) !== 0) this.settingsAcks++
    }
  }
}

/** Lets everything that is due in this tick and the next happen, the socket's flush included. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
