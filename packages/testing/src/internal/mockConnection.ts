/**
 * One connection of the mock.
 *
 * @internal
 */
import { ErrorCode } from "@effect-apns/http2/ErrorCode"
import * as Frame from "@effect-apns/http2/Frame"
import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from "node:http2"
import type { Socket } from "node:net"
import { setImmediate } from "node:timers"
import type { TLSSocket } from "node:tls"
import type { Behavior } from "../Behavior.js"
import type { ConnectionInfo } from "../ConnectionInfo.js"
import type { Principal } from "./checks.js"
import { FaultDuplex } from "./faultDuplex.js"
import { ReceivedRequest } from "./receivedRequest.js"
import type { Timeline } from "./timeline.js"
import { readPushCertificate } from "./x509.js"

const maxRemembered = 10_000

/** A request between its arrival and its end. */
/** @internal */
export class Exchange {
  /** Ended, or above the last id of a GOAWAY: it must not be processed or answered any more. */
  gone = false
  arrived = false
  /** Processed, whether it was answered or not. */
  processed = false
  duplicates = false
  pieces: Array<Buffer> = []
  size = 0

  constructor(
    readonly connection: MockConnection,
    readonly stream: ServerHttp2Stream,
    readonly request: ReceivedRequest,
    public behavior: Behavior | undefined
  ) {}
}

/** @internal */
export interface ConnectionHooks {
  /** The headers of a request have arrived. */
  readonly onHeaders: (exchange: Exchange, rawHeaders: ReadonlyArray<string>) => void
  /** The stream of a request is over, and the request was never processed. */
  readonly onLost: (exchange: Exchange) => void
  /** Something changed that a caller may be waiting for. */
  readonly onChange: () => void
  readonly onClose: () => void
  /** The session has begun or ended. */
  readonly onSession: (on: boolean) => void
}

const readCertificate = (socket: TLSSocket): Principal["certificate"] => {
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined) return undefined
  const uid = /^UID=(.*)$/m.exec(certificate.subject)
  return { ...readPushCertificate(certificate.raw), trusted: socket.authorized, userId: uid?.[1] }
}

/** @internal */
export class MockConnection {
  readonly duplex: FaultDuplex
  readonly principal: Principal
  readonly exchanges = new Map<number, Exchange>()
  private readonly streams = new Map<number, ServerHttp2Stream>()
  private readonly resetEarly = new Set<number>()
  session: ServerHttp2Session | undefined = undefined
  authenticated = false
  lastStreamId = 0
  /** The highest stream that was processed. */
  processedUpTo = 0
  /** Streams above are not processed: a GOAWAY said so. */
  goawayAt = Infinity
  open = true
  /** Close as soon as the client has acknowledged our SETTINGS. */
  closeAfterSettings = false
  private closedAt: number | undefined = undefined
  private requests = 0
  private maxOpenStreams = 0
  private pings = 0
  private pingAcks = 0
  private settingsAcks = 0
  private readonly resets: Array<{ readonly streamId: number; readonly code: number }> = []
  private readonly goaways: Array<{ readonly lastStreamId: number; readonly code: number; readonly debug: string }> = []
  private readonly openedAt: number
  private readonly tls: string | undefined

  constructor(
    readonly id: number,
    private readonly socket: TLSSocket,
    readonly raw: Socket,
    timeline: Timeline,
    private readonly hooks: ConnectionHooks
  ) {
    this.openedAt = timeline.now()
    this.tls = socket.getProtocol() ?? undefined
    this.principal = {
      certificate: readCertificate(socket),
      teamId: undefined,
      keyId: undefined,
      lastToken: undefined,
      lastTokenAt: 0
    }
    this.duplex = new FaultDuplex(socket, raw, timeline, {
      onPing: (ack) => {
        if (ack) this.pingAcks++
        else this.pings++
        hooks.onChange()
      },
      onRstStream: (streamId, code) => {
        if (this.resets.length >= maxRemembered) this.resets.shift()
        this.resets.push({ streamId, code })
        this.onReset(streamId)
        hooks.onChange()
      },
      onGoaway: (lastStreamId, code, debug) => {
        this.goaways.push({ lastStreamId, code, debug })
        hooks.onChange()
      },
      onSettingsAck: () => {
        this.settingsAcks++
        if (this.closeAfterSettings) setImmediate(() => this.duplex.cut(false))
        hooks.onChange()
      },
      onGone: () => {
        this.open = false
        this.closedAt = timeline.now()
        for (const exchange of this.exchanges.values()) exchange.gone = true
        this.exchanges.clear()
        // later, since this may have been called from inside the session
        setImmediate(() => this.session?.destroy())
        hooks.onClose()
      }
    })
    this.duplex.on("error", () => {})
  }

  attach(session: ServerHttp2Session): void {
    this.session = session
    this.hooks.onSession(true)
    session.on("error", () => {})
    session.once("close", () => this.hooks.onSession(false))
    session.on(
      "stream",
      (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, _flags: number, rawHeaders: ReadonlyArray<string>) =>
        this.onStream(stream, headers, rawHeaders)
    )
  }

  private onStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, rawHeaders: ReadonlyArray<string>): void {
    const id = stream.id ?? 0
    stream.on("error", () => {})
    if (id > this.lastStreamId) this.lastStreamId = id
    this.streams.set(id, stream)
    stream.once("close", () => this.streams.delete(id))
    if (!this.open || id > this.goawayAt || this.resetEarly.delete(id)) {
      this.forget(stream)
      return
    }
    this.requests++
    const exchange = new Exchange(this, stream, new ReceivedRequest(this.id, id, headers), undefined)
    this.exchanges.set(id, exchange)
    if (this.exchanges.size > this.maxOpenStreams) this.maxOpenStreams = this.exchanges.size
    stream.once("close", () => {
      exchange.gone = true
      if (!exchange.processed) this.hooks.onLost(exchange)
      if (this.exchanges.delete(id)) this.hooks.onChange()
    })
    this.hooks.onHeaders(exchange, rawHeaders)
  }

  private onReset(streamId: number): void {
    const stream = this.streams.get(streamId)
    if (stream === undefined) {
      // the session may not have read its headers yet; a stream that is over causes no more events
      if (streamId > this.lastStreamId) this.resetEarly.add(streamId)
      return
    }
    const exchange = this.exchanges.get(streamId)
    if (exchange !== undefined) exchange.gone = true
    this.exchanges.delete(streamId)
    this.forget(stream)
  }

  /** Makes the session forget a stream without sending anything to the client. */
  forget(stream: ServerHttp2Stream): void {
    const id = stream.id ?? 0
    this.duplex.detach(id)
    stream.resume()
    stream.close(ErrorCode.CANCEL)
  }

  /** Ends an exchange with custom frames. */
  finish(exchange: Exchange, bytes: Uint8Array, done?: () => void): void {
    exchange.gone = true
    this.duplex.inject(bytes, done)
    this.forget(exchange.stream)
  }

  /** Sends GOAWAY; streams above its id are not processed after this. The id includes every processed stream. */
  goaway(wanted: number, code: number, debug: string, done?: () => void): void {
    const lastStreamId = Math.max(wanted, this.processedUpTo)
    this.goawayAt = Math.min(this.goawayAt, lastStreamId)
    for (const [id, exchange] of this.exchanges) {
      if (id <= lastStreamId) continue
      exchange.gone = true
      this.exchanges.delete(id)
      this.forget(exchange.stream)
    }
    this.duplex.goawaySent = true
    this.duplex.inject(Frame.goaway(lastStreamId, code, debug), done)
    this.hooks.onChange()
  }

  info(): ConnectionInfo {
    const { certificate, teamId } = this.principal
    return {
      id: this.id,
      open: this.open,
      openedAt: this.openedAt,
      closedAt: this.closedAt,
      alpn: this.socket.alpnProtocol === false || this.socket.alpnProtocol === null
        ? undefined
        : this.socket.alpnProtocol,
      tls: this.tls,
      serverName: serverName(this.socket),
      clientCertificate: certificate === undefined
        ? undefined
        : { trusted: certificate.trusted, bundleId: certificate.userId, topics: certificate.topics },
      teamId,
      openStreams: this.exchanges.size,
      maxOpenStreams: this.maxOpenStreams,
      requests: this.requests,
      lastStreamId: this.lastStreamId,
      pings: this.pings,
      pingAcks: this.pingAcks,
      settingsAcks: this.settingsAcks,
      resets: this.resets.slice(),
      goaways: this.goaways.slice(),
      bytesIn: this.duplex.bytesIn,
      bytesOut: this.duplex.bytesOut
    }
  }

  get counts(): {
    readonly pings: number
    readonly pingAcks: number
    readonly settingsAcks: number
    readonly resets: number
    readonly goaways: number
  } {
    return {
      pings: this.pings,
      pingAcks: this.pingAcks,
      settingsAcks: this.settingsAcks,
      resets: this.resets.length,
      goaways: this.goaways.length
    }
  }
}

const serverName = (socket: TLSSocket): string | undefined => {
  const name: unknown = Reflect.get(socket, "servername")
  return typeof name === "string" ? name : undefined
}
