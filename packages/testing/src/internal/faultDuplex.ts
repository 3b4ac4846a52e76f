/**
 * A byte stream between a TLS socket and a `node:http2` session that reads the frames of both directions, holds some of
 * them back, writes its own frames between others, and can send bytes in small pieces.
 *
 * A session of `node:http2` on a stream that is not a socket crashes the process (`ERR_INTERNAL_ASSERTION` in
 * `JSStreamSocket`) if that stream ends or closes while the session may still write. So this stream never ends or closes
 * by itself: when the client is gone, it drops everything that is written after that, as if it had arrived, and calls its
 * listener, which must destroy the session. The session then ends this stream.
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
  /** Called once, when the connection has ended on either side. Nothing that is written arrives any more. */
  readonly onGone: () => void
}

/** Send `bytes` at a time, with a wait of `everyMillis` between two pieces. */
export interface Pace {
  readonly bytes: number
  readonly everyMillis: number
}

/** How many streams with custom answers are remembered: for older ones there are no late frames any more. */
const maxDetached = 20_000

export class FaultDuplex extends Duplex {
  /** Drop the client's PINGs, so that they get no answer. */
  muffled = false
  /** Hold WINDOW_UPDATE frames back; they are sent when `setWindowsHeld` turns this off. */
  private windowsHeld = false
  private readonly heldWindows: Array<readonly [streamId: number, increment: number]> = []
  /** A custom GOAWAY was written: another one from the session could only raise its last-stream-id (RFC 9113 section 6.8). */
  goawaySent = false
  /** Hold the acknowledgements of SETTINGS back. */
  settingsAckHeld = false
  pace: Pace | undefined = undefined
  /** Nothing is read from the socket and nothing is written to it. */
  private frozen = false
  bytesIn = 0
  bytesOut = 0

  /** The session has sent GOAWAY with an error: `node:http2` would now wait for the client to close. */
  private broken = false
  private gone = false
  /** The callback that the session waits for: of its write, or of the end of its stream. */
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
        // header blocks change the compression state of the connection, even if their stream has ended
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

  /** The stream got a custom answer: from now on only header blocks of the session are sent for it. */
  detach(streamId: number): void {
    this.detached.add(streamId)
    if (this.detached.size > maxDetached) {
      for (const oldest of this.detached) {
        this.detached.delete(oldest)
        break
      }
    }
  }

  /** Writes whole frames between those of the session: at once, or when the current frame is complete. */
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

  /** Stops reading and writing, or continues both. The client's TCP still sees a connected peer. */
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
    // Node cannot reset a socket that is being shut down: it would keep the handle, and never emit `close`
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

  /** The connection is over: what is written after this is dropped. */
  private hangUp(): void {
    if (this.gone) return
    this.gone = true
    this.socket.off("data", this.onData)
    this.socket.off("end", this.hungUp)
    // input is dropped now, but it must be read so that the socket closes
    this.socket.resume()
    // the last bytes that the session has written, such as its GOAWAY, are sent before the socket closes
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
