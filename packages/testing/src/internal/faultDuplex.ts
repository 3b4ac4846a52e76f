/**
 * A byte stream between a TLS socket and a `node:http2` session that watches the frames of both directions, keeps some
 * of them back, writes frames of its own between others, and hands bytes out in small pieces when told to.
 *
 * A session of `node:http2` on a stream that is no socket breaks the process (`ERR_INTERNAL_ASSERTION` in
 * `JSStreamSocket`) when that stream ends or closes while the session may still write. So this stream never ends and
 * never closes by itself: when the client is gone it swallows what is written from then on, as if it had arrived, and
 * tells its listener, whose task is to destroy the session. The session then ends this stream in its own order.
 *
 * @internal
 */
import { Flag, FrameType, windowUpdate } from "@effect-apns/http2/Frame"
import type { Socket } from "node:net"
import { Duplex } from "node:stream"
import type { TLSSocket } from "node:tls"
import { FrameScanner } from "./frames.js"
import type { Timeline } from "./timeline.js"

export interface FrameListener {
  readonly onPing: (ack: boolean) => void
  /** The session does not see it: `node:http2` ends a connection that resets more than some streams a second. */
  readonly onRstStream: (streamId: number, code: number) => void
  readonly onGoaway: (lastStreamId: number, code: number, debug: string) => void
  readonly onSettingsAck: () => void
  /** Once: the connection has ended, whoever ended it. Nothing that is written arrives any more. */
  readonly onGone: () => void
}

/** Hand out `bytes` at a time, waiting `everyMillis` between two pieces. */
export interface Pace {
  readonly bytes: number
  readonly everyMillis: number
}

/** How many stream ids are remembered as answered by hand: late frames for older ones cannot be pending anymore. */
const maxDetached = 20_000

export class FaultDuplex extends Duplex {
  /** Swallow the client's PINGs, so that they stay without an answer. */
  muffled = false
  /** Keep WINDOW_UPDATE frames back; they are sent when this turns false through `setWindowsHeld`. */
  private windowsHeld = false
  private readonly heldWindows: Array<readonly [streamId: number, increment: number]> = []
  /** A GOAWAY was written by hand: another from the session could only raise its last-stream-id (RFC 9113 section 6.8). */
  goawaySent = false
  /** Keep the acknowledgements of SETTINGS back. */
  settingsAckHeld = false
  pace: Pace | undefined = undefined
  /** Nothing is read from the socket and nothing is written to it. */
  private frozen = false
  bytesIn = 0
  bytesOut = 0

  /** The session found a connection error and said so: `node:http2` would now wait for the client to close. */
  private broken = false
  private gone = false
  /** What the session waits for: its write, or the end of its stream. */
  private finishWriting: (() => void) | undefined = undefined
  private highest = 0
  private readonly detached = new Set<number>()
  private readonly injected: Array<{ readonly bytes: Uint8Array; readonly done: (() => void) | undefined }> = []
  private readonly injectedDone: Array<() => void> = []
  private readonly paced: Array<{ readonly bytes: Uint8Array; readonly done: (() => void) | undefined }> = []
  private pacing = false
  private readonly inbound: FrameScanner
  private readonly outbound: FrameScanner
  private readonly emitInbound = (piece: Buffer): void => {
    if (!this.push(piece)) this.socket.pause()
  }
  private outgoing: Array<Buffer> = []
  private readonly emitOutbound = (piece: Buffer): void => {
    this.outgoing.push(piece)
    if (this.injected.length > 0) this.outgoing.push(...this.takeInjected())
  }

  constructor(
    readonly socket: TLSSocket,
    private readonly raw: Socket,
    private readonly timeline: Timeline,
    private readonly listener: FrameListener
  ) {
    super({ decodeStrings: true, allowHalfOpen: true })
    this.inbound = new FrameScanner({
      passes: (type, flags, streamId) => {
        if (type === FrameType.HEADERS && streamId > this.highest) this.highest = streamId
        else if (type === FrameType.RST_STREAM) return streamId > this.highest
        else if (type === FrameType.PING) return !this.muffled
        if (type === FrameType.SETTINGS && (flags & Flag.ACK) !== 0) listener.onSettingsAck()
        return true
      },
      control: (type, flags, streamId, payload) => {
        if (type === FrameType.PING) listener.onPing((flags & Flag.ACK) !== 0)
        else if (type === FrameType.RST_STREAM && payload.length >= 4) {
          listener.onRstStream(streamId, payload.readUInt32BE(0))
        } else if (type === FrameType.GOAWAY && payload.length >= 8) {
          listener.onGoaway(payload.readUInt32BE(0), payload.readUInt32BE(4), payload.toString("utf8", 8))
        }
      },
      heldWindowUpdate: () => {}
    }, true)
    this.outbound = new FrameScanner({
      passes: (type, flags, streamId) => {
        if (type === FrameType.WINDOW_UPDATE && this.windowsHeld) return false
        if (type === FrameType.GOAWAY && this.goawaySent) return false
        if (type === FrameType.SETTINGS && this.settingsAckHeld && (flags & Flag.ACK) !== 0) return false
        // header blocks change the compression state of the connection, whatever became of their stream
        if (type === FrameType.HEADERS || type === FrameType.CONTINUATION) return true
        return streamId === 0 || this.detached.size === 0 || !this.detached.has(streamId)
      },
      control: (type, _flags, _streamId, payload) => {
        if (type === FrameType.GOAWAY && payload.length >= 8 && payload.readUInt32BE(4) !== 0) this.broken = true
      },
      heldWindowUpdate: (streamId, increment) => {
        if (this.windowsHeld) this.heldWindows.push([streamId, increment])
      }
    }, false)
    socket.on("data", this.onData)
    socket.on("end", this.hungUp)
    socket.on("error", this.hungUp)
    socket.once("close", this.hungUp)
  }

  /** From now on nothing but header blocks that the session writes for this stream leaves: its answer was written by hand. */
  detach(streamId: number): void {
    this.detached.add(streamId)
    if (this.detached.size > maxDetached) {
      for (const oldest of this.detached) {
        this.detached.delete(oldest)
        break
      }
    }
  }

  /** Writes whole frames between those of the session, at once where no frame is half written. */
  inject(bytes: Uint8Array, done?: () => void): void {
    if (this.gone || this.socket.destroyed) {
      done?.()
      return
    }
    if (this.outbound.atBoundary) this.send(bytes, done)
    else this.injected.push({ bytes, done })
  }

  setWindowsHeld(held: boolean): void {
    this.windowsHeld = held
    if (held) return
    for (const [streamId, increment] of this.heldWindows.splice(0)) this.inject(windowUpdate(streamId, increment))
  }

  /** Stops reading and writing, or goes on with both. The client's TCP sees a peer that lives. */
  setFrozen(frozen: boolean): void {
    if (this.frozen === frozen || this.gone) return
    this.frozen = frozen
    if (frozen) this.socket.pause()
    else {
      this.socket.resume()
      this.sendPaced()
    }
  }

  /** Ends the TCP connection: with FIN when `reset` is false, with RST when it is true. */
  cut(reset: boolean): void {
    // Node cannot reset a socket that is being shut down: it would keep the handle, and never say that it is closed
    if (reset && !this.socket.writableEnded) this.raw.resetAndDestroy()
    this.socket.destroy()
    this.hangUp()
  }

  override _read(): void {
    if (!this.frozen) this.socket.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.outbound.scan(chunk, this.emitOutbound)
    this.flush(callback)
  }

  override _writev(
    chunks: Array<{ chunk: Buffer; encoding: BufferEncoding }>,
    callback: (error?: Error | null) => void
  ): void {
    for (const { chunk } of chunks) this.outbound.scan(chunk, this.emitOutbound)
    this.flush(callback)
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.finishWriting = () => callback()
    if (this.gone) this.written()
    else this.socket.end(() => this.written())
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.hangUp()
    callback(error)
  }

  /** The connection is over: what is written from now on goes nowhere. */
  private hangUp(): void {
    if (this.gone) return
    this.gone = true
    this.socket.off("data", this.onData)
    this.socket.off("end", this.hungUp)
    // what comes now is dropped, but it has to be read for the socket to close
    this.socket.resume()
    // what the session has written last, such as its GOAWAY, leaves before the socket closes
    if (!this.socket.destroyed) this.socket.end(() => this.socket.destroy())
    for (const { done } of this.paced.splice(0)) done?.()
    for (const { done } of this.injected.splice(0)) done?.()
    this.written()
    this.listener.onGone()
  }

  private written(): void {
    const finish = this.finishWriting
    this.finishWriting = undefined
    finish?.()
  }

  private takeInjected(): Array<Buffer> {
    if (!this.outbound.atBoundary) return []
    return this.injected.splice(0).map(({ bytes, done }) => {
      if (done !== undefined) this.injectedDone.push(done)
      return Buffer.from(bytes)
    })
  }

  private flush(callback: (error?: Error | null) => void): void {
    if (this.injected.length > 0) this.outgoing.push(...this.takeInjected())
    const pieces = this.outgoing
    const [first] = pieces
    if (first === undefined || this.gone) {
      this.outgoing = []
      callback()
      return
    }
    this.outgoing = []
    const done = this.injectedDone.splice(0)
    this.finishWriting = () => {
      for (const finished of done) finished()
      callback()
      if (this.broken) this.hangUp()
    }
    this.send(pieces.length === 1 ? first : Buffer.concat(pieces), () => this.written())
  }

  private send(bytes: Uint8Array, done: (() => void) | undefined): void {
    this.bytesOut += bytes.length
    if (this.pace === undefined && this.paced.length === 0 && !this.frozen) {
      if (this.socket.writable) this.socket.write(bytes, () => done?.())
      else done?.()
      return
    }
    const step = this.pace?.bytes ?? bytes.length
    for (let at = 0; at < bytes.length; at += step) {
      this.paced.push({ bytes: bytes.subarray(at, at + step), done: at + step >= bytes.length ? done : undefined })
    }
    this.sendPaced()
  }

  private sendPaced(): void {
    while (!this.pacing && !this.frozen) {
      const next = this.paced.shift()
      if (next === undefined) return
      if (!this.socket.writable) {
        next.done?.()
        continue
      }
      this.pacing = true
      const goOn = (): void => {
        this.pacing = false
        next.done?.()
        this.sendPaced()
      }
      this.socket.write(next.bytes, () => {
        const wait = this.pace?.everyMillis ?? 0
        if (wait > 0) this.timeline.schedule(wait, goOn)
        else goOn()
      })
    }
  }

  private readonly onData = (chunk: Buffer): void => {
    this.bytesIn += chunk.length
    this.inbound.scan(chunk, this.emitInbound)
  }

  private readonly hungUp = (): void => {
    this.hangUp()
  }
}
