/**
 * The far end of a connection in memory, for the model test: it answers only when told to, and knows which requests
 * wait for it.
 */
import { type Connection, Transport } from "@effect-apns/core"
import { Frame, Hpack } from "@effect-apns/http2"

export class Peer {
  readonly test = Transport.makeTest()
  /** Open streams by identifier, and the delivery that each carries. */
  readonly open = new Map<number, number>()
  /** Set when the pool has it. */
  connection: Connection.Connection | undefined = undefined
  /** Every delivery that ever came here, in order. */
  readonly received: Array<number> = []
  private goawayAt = Frame.maxInt31
  private lost = false
  private readonly encoder = new Hpack.Encoder()
  private readonly decoder = new Hpack.Decoder()

  constructor(readonly id: number, public limit: number) {
    const reader = new Frame.Reader((type, flags, id, payload) => this.onFrame(type, flags, id, payload), 24)
    this.test.onWrite = (bytes) => reader.push(bytes)
    this.setLimit(limit)
  }

  /** Takes requests, as far as it knows. */
  get active(): boolean {
    return this.connection !== undefined && this.connection.unsafe.state === "active"
  }

  get gone(): boolean {
    return this.lost || this.connection?.unsafe.state === "closed"
  }

  private send(...frames: ReadonlyArray<Uint8Array>): void {
    if (!this.lost) this.test.receive(Frame.concat(frames))
  }

  setLimit(limit: number): void {
    this.limit = limit
    this.send(Frame.settings([[Frame.SettingId.MAX_CONCURRENT_STREAMS, limit]]))
  }

  answer(stream: number, status: number, body?: string, retryAfter?: number): void {
    this.open.delete(stream)
    const block = this.encoder.encode([
      ":status",
      String(status),
      "apns-id",
      `id-of-${stream}`,
      ...retryAfter === undefined ? [] : ["retry-after", String(retryAfter)]
    ])
    this.send(
      ...body === undefined
        ? [Frame.headers(stream, block, { endStream: true })]
        : [Frame.headers(stream, block), Frame.data(stream, Buffer.from(body), { endStream: true })]
    )
  }

  /** The headers of an answer whose end does not come. */
  head(stream: number, status: number): void {
    this.send(Frame.headers(stream, this.encoder.encode([":status", String(status), "apns-id", `id-of-${stream}`])))
  }

  reset(stream: number, code: number): void {
    this.open.delete(stream)
    this.send(Frame.rstStream(stream, code))
  }

  goaway(lastStreamId: number, code: number): void {
    this.goawayAt = Math.min(this.goawayAt, lastStreamId)
    for (const stream of [...this.open.keys()]) if (code !== 0 || stream > lastStreamId) this.open.delete(stream)
    this.send(Frame.goaway(this.goawayAt, code))
  }

  drop(): void {
    this.lost = true
    this.open.clear()
    this.test.close({ code: "ECONNRESET" })
  }

  private onFrame(type: number, flags: number, id: number, payload: Uint8Array): void {
    switch (type) {
      case Frame.FrameType.HEADERS: {
        const fields = this.decoder.decode(Buffer.from(payload))
        const path = fields[fields.indexOf(":path") + 1] ?? ""
        const delivery = Number.parseInt(path.slice("/3/device/".length), 16)
        this.received.push(delivery)
        if (id <= this.goawayAt) this.open.set(id, delivery)
        return
      }
      case Frame.FrameType.RST_STREAM:
        this.open.delete(id)
        return
      case Frame.FrameType.GOAWAY:
        this.open.clear()
        return
      case Frame.FrameType.PING:
        if ((flags & Frame.Flag.ACK) === 0) this.send(Frame.ping(Buffer.from(payload), true))
    }
  }
}
