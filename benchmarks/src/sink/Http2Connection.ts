/**
 * The server side of HTTP/2 as far as a push client meets it: frames in, verdicts into the ledger, answers out in one
 * write for each chunk received.
 *
 * @since 0.1.0
 */
import type { TLSSocket } from "node:tls"
import { markerLength } from "../Workload.js"
import * as Answer from "./Answer.js"
import { HeaderReader } from "./HeaderReader.js"
import type { Ledger } from "./Ledger.js"
import type { Behavior } from "./Protocol.js"

const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1")

const FrameType = {
  Data: 0,
  Headers: 1,
  Priority: 2,
  Reset: 3,
  Settings: 4,
  Ping: 6,
  Goaway: 7,
  WindowUpdate: 8
} as const
const Flag = { EndStream: 0x1, Ack: 0x1, EndHeaders: 0x4, Padded: 0x8, Priority: 0x20 } as const

/** RFC 9113 section 6.5.2: the largest frame a peer may send before it is told otherwise. */
const maxFrameSize = 16_384
const maxHeaderListSize = 8_000

/** The connection's receive window; what was received is given back whenever half of it is used. */
const connectionWindow = 16 * 1024 * 1024

const frame = (type: number, flags: number, streamId: number, payload: Uint8Array): Buffer => {
  const bytes = Buffer.alloc(9 + payload.length)
  bytes.writeUIntBE(payload.length, 0, 3)
  bytes[3] = type
  bytes[4] = flags
  bytes.writeUInt32BE(streamId, 5)
  bytes.set(payload, 9)
  return bytes
}

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

const settings = (entries: ReadonlyArray<readonly [id: number, value: number]>): Buffer => {
  const bytes = Buffer.alloc(entries.length * 6)
  entries.forEach(([id, value], index) => {
    bytes.writeUInt16BE(id, index * 6)
    bytes.writeUInt32BE(value, index * 6 + 2)
  })
  return bytes
}

/**
 * Answers that wait for their time; one queue and one timer for all connections.
 *
 * @since 0.1.0
 * @category models
 */
export class DelayQueue {
  private waiting: Array<{ connection: Http2Connection; streamId: number; since: number }> = []
  private from = 0
  private timer: NodeJS.Timeout | undefined

  constructor(readonly delayMs: number, private readonly ledger: Ledger) {}

  add(connection: Http2Connection, streamId: number): void {
    this.waiting.push({ connection, streamId, since: performance.now() })
    this.arm()
  }

  private arm(): void {
    const next = this.waiting[this.from]
    if (this.timer !== undefined || next === undefined) return
    this.timer = setTimeout(() => this.run(), Math.max(0, next.since + this.delayMs - performance.now()))
  }

  private run(): void {
    this.timer = undefined
    const touched = new Set<Http2Connection>()
    const now = performance.now()
    for (;;) {
      const next = this.waiting[this.from]
      if (next === undefined || next.since + this.delayMs > now) break
      this.from++
      if (!next.connection.answer(next.streamId)) continue
      this.ledger.delayed(now - next.since)
      touched.add(next.connection)
    }
    for (const connection of touched) connection.flush()
    if (this.from === this.waiting.length) {
      this.waiting = []
      this.from = 0
    }
    this.arm()
  }
}

/**
 * @since 0.1.0
 * @category models
 */
export class Http2Connection {
  private readonly headers: HeaderReader
  private readonly answers: Answer.AnswerWriter
  private rest: Buffer | undefined
  private started = false
  private acknowledged = false
  private closed = false
  private lastStreamId = 0
  /** Streams that were opened and not answered. */
  private active = 0
  /** Streams whose body is not complete, with what came of it. */
  private readonly open = new Map<number, Array<Buffer>>()
  /** The stream opened last, while nothing of its body came: most clients send the body right after the headers. */
  private latest = 0
  private readonly canceled = new Set<number>()
  /** Streams that are to be answered with 503. */
  private readonly refused = new Set<number>()
  /** The first body, which the payload was compared with. */
  private body: Buffer | undefined
  private consumed = 0
  private answered = 0
  /** Where the markers stand in a body, when every notification has its own. */
  private markers: ReadonlyArray<number> = []
  private out: Buffer = Buffer.allocUnsafe(0)
  private outLength = 0

  constructor(
    private readonly socket: TLSSocket,
    index: number,
    private readonly ledger: Ledger,
    private readonly behavior: Behavior,
    private readonly delays: DelayQueue
  ) {
    this.headers = new HeaderReader(ledger)
    this.answers = new Answer.AnswerWriter(index)
    socket.on("data", (chunk: Buffer) => this.receive(chunk))
    socket.on("close", () => {
      this.closed = true
    })
    this.control(FrameType.Settings, 0, 0, settings([[0x3, behavior.maxStreams], [0x6, maxHeaderListSize]]))
    this.control(FrameType.WindowUpdate, 0, 0, uint32(connectionWindow - 65_535))
    this.flush()
  }

  private control(type: number, flags: number, streamId: number, payload: Uint8Array): void {
    this.flush()
    if (!this.closed) this.socket.write(frame(type, flags, streamId, payload))
  }

  private fail(message: string, code = 0x1): void {
    if (this.closed) return
    this.ledger.violation(message)
    this.control(FrameType.Goaway, 0, 0, Buffer.concat([uint32(this.lastStreamId), uint32(code)]))
    this.closed = true
    this.socket.end()
  }

  private receive(chunk: Buffer): void {
    if (this.closed) return
    this.ledger.bytesIn += chunk.length
    const bytes = this.rest === undefined ? chunk : Buffer.concat([this.rest, chunk])
    this.rest = undefined
    let at = 0
    if (!this.started) {
      if (bytes.length < preface.length) {
        this.rest = bytes
        return
      }
      if (bytes.compare(preface, 0, preface.length, 0, preface.length) !== 0) return this.fail("no HTTP/2 preface")
      this.started = true
      at = preface.length
    }
    while (at + 9 <= bytes.length) {
      const length = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0)
      if (length > maxFrameSize) return this.fail(`a frame of ${length} bytes`, 0x6)
      const end = at + 9 + length
      if (end > bytes.length) break
      const streamId = (((bytes[at + 5] ?? 0) & 0x7f) << 24) | ((bytes[at + 6] ?? 0) << 16) |
        ((bytes[at + 7] ?? 0) << 8) | (bytes[at + 8] ?? 0)
      this.frame(bytes[at + 3] ?? 0, bytes[at + 4] ?? 0, streamId, bytes, at + 9, end)
      if (this.closed) return
      at = end
    }
    if (at < bytes.length) this.rest = at === 0 ? bytes : bytes.subarray(at)
    this.flush()
  }

  private frame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    switch (type) {
      case FrameType.Data:
        return this.onData(flags, streamId, bytes, start, end)
      case FrameType.Headers:
        return this.onHeaders(flags, streamId, bytes, start, end)
      case FrameType.Settings:
        return this.onSettings(flags, bytes, start, end)
      case FrameType.Ping:
        if ((flags & Flag.Ack) === 0) this.control(FrameType.Ping, Flag.Ack, 0, bytes.subarray(start, end))
        return
      case FrameType.Reset:
        if (this.open.delete(streamId)) this.active--
        else if (this.latest === streamId) {
          this.latest = 0
          this.active--
        } else this.canceled.add(streamId)
        this.ledger.violation("a request that its sender gave up")
        return
      case FrameType.Priority:
      case FrameType.Goaway:
      case FrameType.WindowUpdate:
        return
      default:
        return this.fail(`a frame of type ${type}`)
    }
  }

  private onSettings(flags: number, bytes: Buffer, start: number, end: number): void {
    if ((flags & Flag.Ack) !== 0) {
      this.acknowledged = true
      return
    }
    for (let at = start; at + 6 <= end; at += 6) {
      if (bytes.readUInt16BE(at) === 0x1) this.answers.tableSize = bytes.readUInt32BE(at + 2)
    }
    this.control(FrameType.Settings, Flag.Ack, 0, Buffer.alloc(0))
  }

  private onHeaders(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (streamId <= this.lastStreamId || (streamId & 1) === 0) {
      return this.fail(`stream ${streamId} after ${this.lastStreamId}`)
    }
    this.lastStreamId = streamId
    if ((flags & Flag.EndHeaders) === 0) return this.fail("a header block in several frames")
    if ((flags & Flag.Padded) !== 0) end -= bytes[start++] ?? 0
    if ((flags & Flag.Priority) !== 0) start += 5
    if (!this.headers.read(bytes, start, end)) return this.fail("a header block that cannot be decoded", 0x9)
    if (this.active >= this.behavior.maxStreams) {
      // before it acknowledged the limit, a client cannot know it (RFC 9113 section 6.5.3)
      if (this.acknowledged) this.ledger.violation("more streams than allowed")
      return this.control(FrameType.Reset, 0, streamId, uint32(0x7))
    }
    if (this.behavior.refuseFirst && this.ledger.firstOfToken) this.refused.add(streamId)
    this.active++
    if (this.active > this.ledger.peakStreams) this.ledger.peakStreams = this.active
    if ((flags & Flag.EndStream) !== 0) {
      this.ledger.violation("a request without a body")
      return this.complete(streamId)
    }
    if (this.latest !== 0) this.open.set(this.latest, [])
    this.latest = streamId
  }

  private onData(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    this.consumed += end - start
    if (this.consumed >= connectionWindow / 2) {
      this.control(FrameType.WindowUpdate, 0, 0, uint32(this.consumed))
      this.consumed = 0
    }
    if ((flags & Flag.Padded) !== 0) end -= bytes[start++] ?? 0
    const ended = (flags & Flag.EndStream) !== 0
    if (streamId === this.latest) {
      this.latest = 0
      if (ended) {
        this.onBody(bytes, start, end)
        return this.complete(streamId)
      }
      this.open.set(streamId, [])
    }
    const parts = this.open.get(streamId)
    if (parts === undefined) return this.ledger.violation("DATA on a stream that is not open")
    if (ended && parts.length === 0) {
      this.onBody(bytes, start, end)
    } else {
      parts.push(Buffer.from(bytes.subarray(start, end)))
      if (!ended) return
      const body = Buffer.concat(parts)
      this.onBody(body, 0, body.length)
    }
    this.open.delete(streamId)
    this.complete(streamId)
  }

  private onBody(bytes: Buffer, start: number, end: number): void {
    this.ledger.bodyBytes += end - start
    if (this.behavior.bodies === "each") return this.onBodyOfItsOwn(bytes, start, end)
    if (this.body === undefined) {
      const body = Buffer.from(bytes.subarray(start, end))
      if (this.ledger.isPayload(body)) this.body = body
      else this.ledger.violation("a body that is not the payload")
    } else if (bytes.compare(this.body, 0, this.body.length, start, end) !== 0) {
      this.ledger.violation("a body that is not the payload")
    }
  }

  /** The first body is read as JSON and shows where the marker stands; later ones must be the same but for it. */
  private onBodyOfItsOwn(bytes: Buffer, start: number, end: number): void {
    if (this.body === undefined) {
      const body = Buffer.from(bytes.subarray(start, end))
      const marker = this.ledger.markerOf(body)
      if (marker === undefined) return this.ledger.violation("a body that is not the payload")
      const places: Array<number> = []
      for (let at = body.indexOf(marker); at >= 0; at = body.indexOf(marker, at + markerLength)) places.push(at)
      this.markers = places
      this.body = body
      this.ledger.mark(marker)
      return
    }
    const { body, markers } = this
    let from = 0
    let marker: string | undefined
    let ok = end - start === body.length
    for (const at of markers) {
      ok = ok && bytes.compare(body, from, at, start + from, start + at) === 0
      const found = bytes.toString("latin1", start + at, start + at + markerLength)
      ok = ok && (marker === undefined || marker === found)
      marker = found
      from = at + markerLength
    }
    ok = ok && bytes.compare(body, from, body.length, start + from, end) === 0
    if (!ok || marker === undefined) return this.ledger.violation("a body that is not the payload")
    this.ledger.mark(marker)
  }

  private complete(streamId: number): void {
    this.ledger.requests++
    if (this.behavior.delayMs === 0) this.answer(streamId)
    else this.delays.add(this, streamId)
  }

  /** Writes the answer to a request, and {@link flush} sends it; false when nobody waits for it any more. */
  answer(streamId: number): boolean {
    if (this.closed || this.canceled.delete(streamId)) return false
    this.active--
    if (this.outLength + Answer.maxRejectionBytes > this.out.length) {
      this.flush()
      this.out = Buffer.allocUnsafe(4_000)
    }
    const sum = this.answers.idSum
    const { refuseFirst, rejectEvery } = this.behavior
    const refused = refuseFirst && this.refused.delete(streamId)
    if (refused || (rejectEvery > 0 && ++this.answered % rejectEvery === 0)) {
      this.ledger.rejected++
      this.outLength = this.answers.reject(this.out, this.outLength, streamId, refused ? 503 : 410)
    } else this.outLength = this.answers.write(this.out, this.outLength, streamId)
    this.ledger.idSum = (this.ledger.idSum + this.answers.idSum - sum) >>> 0
    return true
  }

  flush(): void {
    if (this.outLength === 0) return
    this.ledger.bytesOut += this.outLength
    if (!this.closed) this.socket.write(this.out.subarray(0, this.outLength))
    this.out = this.out.subarray(this.outLength)
    this.outLength = 0
  }
}
