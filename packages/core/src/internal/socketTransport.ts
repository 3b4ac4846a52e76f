import * as Effect from "effect/Effect"
import type * as net from "node:net"
import type * as tls from "node:tls"
import type { Receiver, Transport, TransportClose, TransportInfo } from "../Transport.js"
import { codeOf } from "./connectFailure.js"

/** The step that opening a socket has reached. */
export type Stage = "connecting" | "connected" | "secure" | "closed"

const withPort = (address: string | undefined, port: number | undefined): string | undefined =>
  address === undefined || port === undefined
    ? undefined
    : `${address.includes(":") ? `[${address}]` : address}:${port}`

/**
 * A TLS socket for its whole life: it owns every listener on the socket, so that no event is missed between two
 * owners.
 */
export class SocketTransport implements Transport {
  stage: Stage = "connecting"
  error: Error | undefined = undefined
  ended = false
  /** How long the end of the scope waits for the other side to close, in milliseconds. */
  endWithin = defaultEndWithin
  /** Called when `stage` changes. */
  onStage: (() => void) | undefined = undefined

  readonly #socket: tls.TLSSocket
  readonly #pulled: boolean
  #receiver: Receiver | undefined
  /** Data that arrived before there was a receiver. */
  #early: Array<Uint8Array> = []
  #close: TransportClose | undefined
  #notified = false
  #info: TransportInfo | undefined

  /**
   * With `pulled` the socket's `onread` delivers into {@link SocketTransport.onRead}; otherwise `data` events do.
   */
  constructor(socket: tls.TLSSocket, pulled: boolean, keylog: ((line: Buffer) => void) | undefined) {
    this.#socket = socket
    this.#pulled = pulled
    socket.on("connect", this.#onConnect)
    socket.on("secureConnect", this.#onSecure)
    socket.on("error", this.#onError)
    socket.on("end", this.#onEnd)
    socket.on("close", this.#onClose)
    if (keylog !== undefined) {
      socket.on("keylog", keylog)
    }
  }

  readonly write = (bytes: Uint8Array, done: (error?: Error | null) => void): void => {
    if (this.stage === "closed" || this.ended || this.#socket.destroyed) {
      queueMicrotask(() => done(new Error("The transport is closed")))
    } else {
      this.#socket.write(bytes, done)
    }
  }

  readonly start = (receiver: Receiver): void => {
    queueMicrotask(() => {
      const early = this.#early
      this.#early = []
      this.#receiver = receiver
      for (const bytes of early) {
        receiver.onData(bytes)
      }
      if (this.#close !== undefined) {
        this.#notify(this.#close)
      } else if (this.#pulled) {
        this.#socket.resume()
      } else {
        this.#socket.on("data", this.#onData)
      }
    })
  }

  readonly end = (withinMillis = defaultEndWithin): void => {
    this.ended = true
    this.endWithin = withinMillis
    this.#socket.end()
  }

  readonly destroy = (): void => {
    this.#finish({ kind: "Destroyed", code: undefined, message: undefined })
    this.#socket.destroy()
  }

  get info(): TransportInfo {
    return this.#info ??= {
      alpn: this.#socket.alpnProtocol === false ? "" : this.#socket.alpnProtocol ?? "",
      protocol: this.#socket.getProtocol() ?? undefined,
      cipher: this.#socket.getCipher()?.standardName,
      remoteAddress: withPort(this.#socket.remoteAddress, this.#socket.remotePort),
      localAddress: withPort(this.#socket.localAddress, this.#socket.localPort),
      peerSubject: this.#socket.getPeerX509Certificate()?.subject
    }
  }

  /** Receives from the socket's `onread`; `false` pauses it. */
  readonly onRead = (length: number, buffer: Uint8Array): boolean => {
    const bytes = buffer.subarray(0, length)
    if (this.#receiver === undefined) {
      this.#early.push(bytes.slice())
      return false
    }
    if (this.#close === undefined) {
      this.#receiver.onData(bytes)
    }
    return true
  }

  isOver(socket: net.Socket): boolean {
    return this.#socket === socket
  }

  /** Waits until the socket is closed. */
  readonly closed: Effect.Effect<void> = Effect.async((resume) => {
    if (this.#socket.closed) return resume(Effect.void)
    const onClose = () => resume(Effect.void)
    this.#socket.once("close", onClose)
    return Effect.sync(() => this.#socket.off("close", onClose))
  })

  readonly #onConnect = (): void => {
    this.#socket.setNoDelay(true)
    this.#socket.setKeepAlive(true, keepAliveDelay)
    this.#advance("connected")
  }

  readonly #onSecure = (): void => {
    // Read while the socket is open: a destroyed one no longer has its addresses.
    void this.info
    this.#advance("secure")
  }

  readonly #onError = (error: Error): void => {
    this.error ??= error
  }

  readonly #onData = (bytes: Buffer): void => {
    if (this.#close === undefined) {
      this.#receiver?.onData(bytes)
    }
  }

  // An alert of the peer (RFC 8446 section 6) is an error event, followed by the end of the stream.
  readonly #onEnd = (): void => {
    this.#finish(this.#reason())
    this.#socket.destroy()
  }

  readonly #onClose = (): void => {
    this.#socket.off("connect", this.#onConnect)
    this.#socket.off("secureConnect", this.#onSecure)
    this.#socket.off("error", this.#onError)
    this.#socket.off("end", this.#onEnd)
    this.#socket.off("close", this.#onClose)
    this.#socket.off("data", this.#onData)
    this.#socket.removeAllListeners("keylog")
    this.#finish(this.#reason())
    this.#advance("closed")
  }

  #reason(): TransportClose {
    const error = this.error
    return error === undefined
      ? { kind: "Eof", code: undefined, message: undefined }
      : { kind: "Error", code: codeOf(error), message: error.message }
  }

  #advance(stage: Stage): void {
    this.stage = stage
    this.onStage?.()
  }

  #finish(close: TransportClose): void {
    if (this.#close === undefined) {
      this.#close = close
      // Deferred, so that a receiver is never called from inside its own call to destroy.
      queueMicrotask(() => this.#notify(close))
    }
  }

  #notify(close: TransportClose): void {
    if (this.#receiver !== undefined && !this.#notified) {
      this.#notified = true
      this.#receiver.onClose(close)
    }
  }
}

const defaultEndWithin = 1_000

/** Milliseconds of silence before TCP probes the path: below the 350 seconds after which common NATs forget it. */
const keepAliveDelay = 60_000
