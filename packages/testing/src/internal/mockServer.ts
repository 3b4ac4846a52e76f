/**
 * The server: sockets, sessions, and the handling of each request. Plain callbacks; `MockApns` makes Effects of them.
 *
 * @internal
 */
import * as Frame from "@effect-apns/http2/Frame"
import * as Duration from "effect/Duration"
import { randomUUID } from "node:crypto"
import * as http2 from "node:http2"
import * as net from "node:net"
import { setImmediate as nextTurn } from "node:timers/promises"
import * as tls from "node:tls"
import { type Behavior, internalServerError } from "../Behavior.js"
import type { ConnectionInfo } from "../ConnectionInfo.js"
import type { Received } from "../Received.js"
import { behaviorOf, bytesOf, guarded, holds, type Report } from "./callbacks.js"
import { check, hasDuplicates, type Rules, type Verdict } from "./checks.js"
import type { Pace } from "./faultDuplex.js"
import * as frames from "./frames.js"
import type { Exchange } from "./mockConnection.js"
import { MockConnection } from "./mockConnection.js"
import type { ReceivedRequest } from "./receivedRequest.js"
import type { Timeline } from "./timeline.js"

/** @internal */
export type TlsFault =
  | "close"
  | "reset"
  | "silent"
  | "garbage"
  | "closeInHandshake"
  | "untrusted"
  | "wrongHost"
  | "expired"
  | "oldVersion"
  | "noAlpn"
  | "otherAlpn"
  | "silentHttp2"
  | "garbageHttp2"
  | "http1"
  | "closeAfterTls"
  | "closeAfterSettings"

/** @internal */
export interface ServerOptions {
  readonly rules: Rules
  /** The first SETTINGS of a connection. */
  readonly settings: http2.Settings
  /** What a connection is allowed once it is authenticated. */
  readonly maxConcurrentStreams: number
  readonly oneStreamUntilAuthenticated: boolean
  readonly maxRecorded: number
  readonly onReceived: ((received: Received) => void) | undefined
  readonly onLost: ((request: Received) => void) | undefined
  readonly onRequest: ((request: Received, planned: Behavior | undefined) => Behavior | undefined) | undefined
  readonly certificateFor: (fault: TlsFault | undefined) => { readonly cert: string; readonly key: string }
  readonly clientCa: string
  readonly timeline: Timeline
  /** Says that a callback of the program has failed. */
  readonly report: Report
}

/** @internal */
export interface Totals {
  readonly attempts: number
  readonly openConnections: number
  readonly requests: number
  readonly arrived: number
  readonly received: number
  readonly accepted: number
  readonly inFlight: number
  readonly pings: number
  readonly pingAcks: number
  readonly settingsAcks: number
  readonly resets: number
  readonly goaways: number
}

/** The ways in which a script returns its decision. */
/** @internal */
export type Script = (request: Received, decided: (behavior: Behavior | undefined) => void) => void

interface Waiter {
  readonly ready: (totals: Totals) => boolean
  readonly resume: () => void
  readonly fail: (defect: unknown) => void
}

const maxClosedRemembered = 1000

const maxInterned = 1000

/** The reason of rejections whose body is never sent. */
const cutOffReason = "BadDeviceToken"

const immediate = (behavior: Behavior): boolean =>
  behavior._tag === "Reset" && !behavior.processed || behavior._tag === "Stall" && !behavior.processed ||
  behavior._tag === "Drop" && behavior.when === "before" || behavior._tag === "GoAway" && behavior.when === "before"

/** Channel management and broadcasts have request ids, devices have notification ids. */
const idOf = (request: ReceivedRequest, id = request.apnsId): Readonly<Record<string, string>> => {
  const { path } = request
  return path.startsWith("/1/") || path.startsWith("/4/") ? { "apns-request-id": id } : { "apns-id": id }
}

/** @internal */
export class MockServer {
  readonly queue: Array<Behavior> = []
  script: Script | undefined = undefined
  delayMillis = 0
  pace: Pace | undefined = undefined
  muffled = false
  windowsHeld = false
  settingsAckHeld = false
  private frozen = false
  /** Sockets that were accepted while everything was frozen. */
  private readonly unserved: Array<net.Socket> = []
  port = 0
  received: Array<ReceivedRequest> = []
  private tlsFault: TlsFault | undefined = undefined
  private tlsFaultsLeft = Infinity
  private attempts = 0
  private requests = 0
  private arrived = 0
  private receivedCount = 0
  private acceptedCount = 0
  private nextConnection = 1
  private gone = { pings: 0, pingAcks: 0, settingsAcks: 0, resets: 0, goaways: 0 }
  /** Open connections. */
  private readonly connections = new Set<MockConnection>()
  private readonly closed: Array<ConnectionInfo> = []
  /** Sessions that have not ended. */
  private sessions = 0
  private readonly sockets = new Set<net.Socket>()
  private readonly listeners: Array<net.Server> = []
  private readonly closing: Array<Promise<void>> = []
  private readonly tlsServers = new Map<TlsFault | undefined, tls.Server>()
  private readonly waiters = new Set<Waiter>()
  private readonly http: http2.Http2Server
  private adopting: MockConnection | undefined = undefined
  private maxStreams: number
  private settings: http2.Settings

  constructor(private readonly options: ServerOptions) {
    this.maxStreams = options.maxConcurrentStreams
    this.settings = options.settings
    // tests do things that node:http2 treats as abuse: these must not end a connection
    const lenient = {
      settings: options.settings,
      maxSessionMemory: 100_000,
      maxSessionRejectedStreams: 0x7fffffff,
      maxSessionInvalidFrames: 0x7fffffff,
      maxOutstandingSettings: 1000,
      maxOutstandingPings: 1000,
      maxSendHeaderBlockLength: 1024 * 1024,
      streamResetBurst: 1_000_000_000,
      streamResetRate: 1_000_000_000
    }
    this.http = http2.createServer(lenient)
    this.http.on("session", (session) => this.adopting?.attach(session))
    this.http.on("sessionError", () => {})
  }

  // ------------------------------------------------------------------------------------------------------- sockets

  async listen(port: number, host: string | undefined): Promise<void> {
    if (host !== undefined) {
      this.port = await this.open(port, host)
      return
    }
    this.port = await this.open(port, "127.0.0.1")
    // "localhost" may mean ::1; on a machine without IPv6 this is skipped
    await this.open(this.port, "::1").catch(() => {})
  }

  private open(port: number, host: string): Promise<number> {
    return new Promise((resolve, reject) => {
      const server = net.createServer({ noDelay: true }, (socket) => this.onSocket(socket))
      server.once("error", reject)
      server.listen({ port, host, backlog: 1024 }, () => {
        server.off("error", reject)
        server.on("error", () => {})
        this.listeners.push(server)
        const address = server.address()
        resolve(typeof address === "object" && address !== null ? address.port : port)
      })
    })
  }

  get listening(): boolean {
    return this.listeners.length > 0
  }

  /** Connecting is refused from now on; the listening sockets are closed once `closing` has settled. */
  stopListening(): void {
    for (const server of this.listeners.splice(0)) {
      this.closing.push(new Promise((resolve) => server.close(() => resolve())))
    }
  }

  failTls(fault: TlsFault | undefined, times: number): void {
    this.tlsFault = fault
    this.tlsFaultsLeft = times
  }

  private takeFault(): TlsFault | undefined {
    if (this.tlsFault === undefined || this.tlsFaultsLeft <= 0) return undefined
    this.tlsFaultsLeft--
    return this.tlsFault
  }

  private onSocket(socket: net.Socket): void {
    this.attempts++
    this.sockets.add(socket)
    socket.on("error", () => {})
    socket.once("close", () => {
      this.sockets.delete(socket)
      this.changed()
    })
    this.changed()
    if (this.frozen) this.unserved.push(socket)
    else this.welcome(socket)
  }

  private welcome(socket: net.Socket): void {
    const fault = this.takeFault()
    switch (fault) {
      case "close":
        socket.destroy()
        return
      case "reset":
        socket.resetAndDestroy()
        return
      case "silent":
        socket.resume()
        return
      case "closeInHandshake":
        socket.once("data", () => socket.destroy())
        return
      case "garbage":
        socket.once("data", () => socket.end("220 mail.example.com ESMTP\r\n"))
        return
      default: {
        const client = `${socket.remoteAddress}:${socket.remotePort}`
        this.rawOf.set(client, socket)
        socket.once("close", () => this.rawOf.delete(client))
        this.tlsServer(fault).emit("connection", socket)
      }
    }
  }

  private tlsServer(fault: TlsFault | undefined): tls.Server {
    const known = this.tlsServers.get(fault)
    if (known !== undefined) return known
    const server = tls.createServer({
      ...this.options.certificateFor(fault),
      ca: this.options.clientCa,
      requestCert: true,
      rejectUnauthorized: false,
      ...(fault === "oldVersion"
        ? { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" }
        : { minVersion: "TLSv1.2" }),
      ...(fault === "noAlpn" ? {} : { ALPNProtocols: [fault === "otherAlpn" ? "http/1.1" : "h2"] })
    })
    server.on("tlsClientError", () => {})
    server.on("secureConnection", (socket) => this.onSecure(socket, fault))
    this.tlsServers.set(fault, server)
    return server
  }

  /** Sockets in their TLS handshake, by the client's address, since a TLS socket does not expose the socket that it wraps. */
  private readonly rawOf = new Map<string, net.Socket>()

  private onSecure(socket: tls.TLSSocket, fault: TlsFault | undefined): void {
    const raw = this.rawOf.get(`${socket.remoteAddress}:${socket.remotePort}`)
    socket.on("error", () => {})
    if (raw === undefined) {
      socket.destroy()
      return
    }
    switch (fault) {
      case "silentHttp2":
        socket.resume()
        return
      case "garbageHttp2":
        socket.write("\u0000\u0001\u0002 this is not HTTP/2 \u0003\u0004\u0005\r\n\r\n")
        socket.resume()
        return
      case "http1":
        socket.end("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        socket.resume()
        return
      case "closeAfterTls":
        socket.end()
        socket.resume()
        return
      default:
        this.serve(socket, raw, fault === "closeAfterSettings")
    }
  }

  private serve(socket: tls.TLSSocket, raw: net.Socket, closeAfterSettings: boolean): void {
    const connection = new MockConnection(this.nextConnection++, socket, raw, this.options.timeline, {
      onHeaders: (exchange, rawHeaders) => this.onHeaders(exchange, rawHeaders),
      onLost: (exchange) => {
        const { onLost, report } = this.options
        if (onLost !== undefined) guarded("onLost", report, () => onLost(exchange.request))
      },
      onChange: () => this.changed(),
      onClose: () => this.onClosed(connection),
      onSession: (on) => (this.sessions += on ? 1 : -1)
    })
    this.connections.add(connection)
    connection.closeAfterSettings = closeAfterSettings
    connection.duplex.muffled = this.muffled
    connection.duplex.settingsAckHeld = this.settingsAckHeld
    connection.duplex.pace = this.pace
    if (this.windowsHeld) connection.duplex.setWindowsHeld(true)
    this.adopting = connection
    this.http.emit("connection", connection.duplex)
    this.adopting = undefined
    this.changed()
  }

  /** Stops or continues reading and writing, on one connection, or on all and on later ones. */
  freeze(on: boolean, id: number | undefined): void {
    if (id === undefined) this.frozen = on
    for (const connection of this.select(id)) connection.duplex.setFrozen(on)
    if (on) return
    for (const socket of this.unserved.splice(0)) if (!socket.destroyed) this.welcome(socket)
  }

  /** Of an ended connection only the data for `connections` is kept, so that its sockets and session can be collected. */
  private onClosed(connection: MockConnection): void {
    this.connections.delete(connection)
    const { counts } = connection
    this.gone = {
      pings: this.gone.pings + counts.pings,
      pingAcks: this.gone.pingAcks + counts.pingAcks,
      settingsAcks: this.gone.settingsAcks + counts.settingsAcks,
      resets: this.gone.resets + counts.resets,
      goaways: this.gone.goaways + counts.goaways
    }
    this.closed.push(connection.info())
    if (this.closed.length > maxClosedRemembered) this.closed.shift()
    this.changed()
  }

  select(id: number | undefined): ReadonlyArray<MockConnection> {
    return [...this.connections].filter((connection) => id === undefined || connection.id === id)
  }

  /** All connections, the oldest first; of those that have ended the latest. */
  infos(): ReadonlyArray<ConnectionInfo> {
    return [...this.closed, ...[...this.connections].map((connection) => connection.info())].sort((a, b) => a.id - b.id)
  }

  updateSettings(settings: http2.Settings, id: number | undefined): void {
    if (id === undefined) {
      this.settings = { ...this.settings, ...settings }
      this.http.updateSettings(this.settings)
      if (settings.maxConcurrentStreams !== undefined) this.maxStreams = settings.maxConcurrentStreams
    }
    for (const connection of this.select(id)) {
      if (connection.session?.destroyed === false) connection.session.settings(settings)
    }
  }

  /** Ends everything at once, and settles when the last socket is closed. */
  async close(): Promise<void> {
    this.stopListening()
    this.options.timeline.close()
    for (const connection of this.connections) connection.session?.destroy()
    this.http.close()
    for (const server of this.tlsServers.values()) server.removeAllListeners("secureConnection")
    await new Promise<void>((resolve) => {
      if (this.sockets.size === 0) return resolve()
      let left = this.sockets.size
      for (const socket of this.sockets) {
        socket.once("close", () => {
          left--
          if (left === 0) resolve()
        })
        socket.destroySoon()
        socket.destroy()
      }
    })
    await Promise.all(this.closing)
    // a session ends by itself a few turns after its socket
    for (let turn = 0; turn < 100 && this.sessions > 0; turn++) await nextTurn()
    // a handle that was closed is gone a turn later
    await nextTurn()
    this.waiters.clear()
  }

  // ------------------------------------------------------------------------------------------------------ requests

  private onHeaders(exchange: Exchange, rawHeaders: ReadonlyArray<string>): void {
    this.requests++
    exchange.duplicates = hasDuplicates(rawHeaders)
    exchange.behavior = this.queue.shift()
    const { onRequest } = this.options
    if (onRequest !== undefined) {
      const decided = this.decidedBy(onRequest, exchange)
      exchange.behavior ??= decided
    }
    if (exchange.behavior !== undefined && immediate(exchange.behavior)) {
      this.perform(exchange, exchange.behavior)
      return
    }
    const { stream } = exchange
    stream.on("data", (piece: Buffer) => {
      // a body far above every limit is not kept: it is too large anyway
      if (exchange.size < 65_536) exchange.pieces.push(piece)
      exchange.size += piece.length
    })
    stream.once("end", () => this.onBody(exchange))
  }

  private decidedBy(onRequest: NonNullable<ServerOptions["onRequest"]>, exchange: Exchange): Behavior | undefined {
    try {
      return behaviorOf(onRequest(exchange.request, exchange.behavior), "What onRequest has returned")
    } catch (defect) {
      this.options.report("The callback onRequest of the mock APNs has failed", defect)
      return internalServerError
    }
  }

  private onBody(exchange: Exchange): void {
    if (exchange.gone) return
    const { behavior, pieces, request } = exchange
    // Node gives views of a large buffer: without a copy, a small body would keep all of it in memory
    request.body = pieces.length === 0
      ? request.body
      : Uint8Array.from(pieces.length === 1 ? pieces[0] ?? [] : Buffer.concat(pieces))
    exchange.pieces = []
    exchange.arrived = true
    request.time = this.options.timeline.now()
    request.apnsId = request.header("apns-id") ?? request.header("apns-request-id") ?? randomUUID()
    this.arrived++
    if (behavior !== undefined || this.script === undefined) this.later(exchange, behavior)
    else this.script(request, (decided) => this.later(exchange, decided))
    this.changed()
  }

  private later(exchange: Exchange, behavior: Behavior | undefined): void {
    this.attempt(exchange, () => {
      const slow = behavior?._tag === "Slow" ? behavior : undefined
      const wait = slow === undefined ? this.delayMillis : Duration.toMillis(slow.delay)
      const next = slow === undefined ? behavior : slow.then
      if (wait > 0) this.options.timeline.schedule(wait, () => this.perform(exchange, next))
      else this.perform(exchange, next)
    })
  }

  private perform(exchange: Exchange, behavior: Behavior | undefined): void {
    if (!exchange.gone) this.attempt(exchange, () => this.behave(exchange, behavior))
  }

  /** A behavior may be of the program's own making: a request for which it cannot be done gets InternalServerError. */
  private attempt(exchange: Exchange, act: () => void): void {
    try {
      act()
    } catch (defect) {
      this.options.report("A behavior of the mock APNs is not valid", defect)
      const { connection, request, stream } = exchange
      if (!exchange.processed) this.record(exchange, 500, "InternalServerError", false)
      exchange.gone = true
      connection.exchanges.delete(request.streamId)
      if (!stream.headersSent && !stream.destroyed && !stream.closed) {
        stream.respond({ ":status": 500, ...idOf(request), "content-type": "application/json" })
        stream.end(JSON.stringify({ reason: "InternalServerError" }))
      }
      this.changed()
    }
  }

  private behave(exchange: Exchange, behavior: Behavior | undefined): void {
    const { connection, request } = exchange
    if (behavior === undefined) return this.decide(exchange, (verdict) => this.answer(exchange, verdict))
    switch (behavior._tag) {
      case "Slow":
        return this.later(exchange, behavior)
      case "Accept":
        this.record(exchange, 200, undefined, true)
        return this.reply(exchange, 200, {
          ...idOf(request, behavior.apnsId),
          ...(behavior.uniqueId === undefined ? {} : { "apns-unique-id": behavior.uniqueId }),
          ...behavior.headers
        }, undefined)
      case "Respond": {
        if (behavior.reason === "ExpiredProviderToken") this.markTokenExpired(exchange)
        this.record(exchange, behavior.status, behavior.reason, behavior.status === 200)
        return this.reply(exchange, behavior.status, {
          ...idOf(request),
          ...(behavior.reason === undefined ? {} : { "content-type": "application/json" }),
          ...behavior.headers
        }, behavior.body)
      }
      case "Reset": {
        const rst = Buffer.concat(behavior.codes.map((code) => Frame.rstStream(request.streamId, code)))
        if (behavior.afterHeaders) return connection.finish(exchange, Buffer.concat([this.promise(exchange), rst]))
        const reset = (): void => connection.finish(exchange, rst)
        return behavior.processed ? this.process(exchange, reset) : reset()
      }
      case "Stall":
        if (behavior.afterHeaders) return connection.duplex.inject(this.promise(exchange))
        if (behavior.processed) return this.process(exchange, () => {})
        exchange.stream.resume()
        return
      case "Drop": {
        if (behavior.when === "before") return connection.duplex.cut(behavior.reset)
        if (behavior.when === "after") return this.process(exchange, () => connection.duplex.cut(behavior.reset))
        const body = Frame.data(request.streamId, Buffer.from(JSON.stringify({ reason: cutOffReason })), {
          endStream: true
        })
        const half = Buffer.concat([this.promise(exchange), body.subarray(0, 20)])
        return connection.finish(exchange, half, () => connection.duplex.cut(behavior.reset))
      }
      case "GoAway": {
        const debug = behavior.debug ??
          (behavior.reason === undefined ? "" : JSON.stringify({ reason: behavior.reason }))
        if (behavior.when === "before") {
          const before = Math.max(0, request.streamId - 2)
          return connection.goaway(Math.min(behavior.lastStreamId ?? before, before), behavior.code, debug)
        }
        if (behavior.when === "after") {
          connection.goaway(behavior.lastStreamId ?? request.streamId, behavior.code, debug)
          return this.perform(exchange, undefined)
        }
        const last = behavior.lastStreamId ?? (behavior.reason === undefined ? request.streamId : 0)
        const leave = (): void => connection.goaway(last, behavior.code, debug, () => connection.duplex.cut(false))
        return last >= request.streamId ? this.process(exchange, leave) : leave()
      }
      case "Written": {
        const write = (): void => connection.finish(exchange, bytesOf(behavior.bytes(request.streamId, request.apnsId)))
        if (behavior.status !== undefined) {
          this.record(exchange, behavior.status, behavior.reason, behavior.reason === undefined)
          return write()
        }
        return behavior.processed ? this.process(exchange, write) : write()
      }
    }
  }

  /** Rejects the notification with the headers of an answer, and never sends its body. */
  private promise(exchange: Exchange): Uint8Array {
    const { request } = exchange
    this.record(exchange, 400, cutOffReason, false)
    const block = frames.headerBlock([
      [":status", "400"],
      ["apns-id", request.apnsId],
      ["content-type", "application/json"]
    ])
    return frames.headers(request.streamId, block, false)
  }

  private decide(exchange: Exchange, then: (verdict: Verdict) => void): void {
    const verdict = check(this.options.rules, exchange.connection.principal, exchange.request, exchange.duplicates)
    if (!(verdict instanceof Promise)) return then(verdict)
    void verdict.then((settled) => {
      if (!exchange.gone) this.attempt(exchange, () => then(settled))
    })
  }

  /** Processes the notification as APNs does, without an answer. */
  private process(exchange: Exchange, then: () => void): void {
    this.decide(exchange, (verdict) => {
      this.record(exchange, undefined, verdict.reason, verdict.reason === undefined)
      then()
    })
  }

  private answer(exchange: Exchange, verdict: Verdict): void {
    const { connection, request } = exchange
    this.record(exchange, verdict.status, verdict.reason, verdict.reason === undefined)
    const ids = idOf(request)
    if (verdict.reason !== undefined) {
      if (verdict.reason === "ExpiredProviderToken") this.markTokenExpired(exchange)
      const body = verdict.timestamp === undefined
        ? { reason: verdict.reason }
        : { reason: verdict.reason, timestamp: verdict.timestamp }
      return this.reply(exchange, verdict.status, { ...ids, "content-type": "application/json" }, JSON.stringify(body))
    }
    if (this.options.oneStreamUntilAuthenticated && !connection.authenticated) {
      connection.authenticated = true
      connection.session?.settings({ maxConcurrentStreams: this.maxStreams })
    }
    const unique = this.options.rules.environment === "development" && verdict.status === 200 &&
      verdict.body === undefined
    this.reply(exchange, verdict.status, {
      ...ids,
      ...(unique ? { "apns-unique-id": randomUUID() } : {}),
      ...(verdict.body === undefined ? {} : { "content-type": "application/json" }),
      ...verdict.headers
    }, verdict.body)
  }

  private reply(
    exchange: Exchange,
    status: number,
    headers: Readonly<Record<string, string>>,
    body: string | Uint8Array | undefined
  ): void {
    const { connection, request, stream } = exchange
    exchange.gone = true
    connection.exchanges.delete(request.streamId)
    if (!stream.destroyed && !stream.closed) {
      stream.respond({ ":status": status, ...headers }, { endStream: body === undefined })
      if (body !== undefined) stream.end(body)
    }
    this.changed()
  }

  /** The mock answered that this token is expired: a new one on the connection is accepted at any time. */
  private markTokenExpired(exchange: Exchange): void {
    const header = exchange.request.header("authorization")
    if (header !== undefined) this.options.rules.expiredTokens.add(header.slice(7).trim())
  }

  private record(exchange: Exchange, status: number | undefined, reason: string | undefined, accepted: boolean): void {
    const { connection, request } = exchange
    exchange.processed = true
    if (request.streamId > connection.processedUpTo) connection.processedUpTo = request.streamId
    request.status = status
    request.reason = reason
    request.accepted = accepted
    this.receivedCount++
    if (accepted) this.acceptedCount++
    const { maxRecorded, onReceived, report } = this.options
    if (maxRecorded > 0) {
      request.settle(this.intern)
      this.received.push(request)
      // dropped in blocks, so that it costs almost nothing for each request
      if (this.received.length > maxRecorded + (maxRecorded >> 2) + 100) {
        this.received = this.received.slice(-maxRecorded)
      }
    }
    if (onReceived !== undefined) guarded("onReceived", report, () => onReceived(request))
    this.changed()
  }

  private readonly interned = new Map<string, string>()

  private readonly intern = (value: string): string => {
    const known = this.interned.get(value)
    if (known !== undefined) return known
    if (this.interned.size >= maxInterned) this.interned.clear()
    // a copy: the original may be a view of a header block
    const copy = Buffer.from(value, "latin1").toString("latin1")
    this.interned.set(copy, copy)
    return copy
  }

  // ------------------------------------------------------------------------------------------------------- waiting

  totals(): Totals {
    const sum = { ...this.gone }
    let inFlight = 0
    for (const connection of this.connections) {
      const { counts } = connection
      sum.pings += counts.pings
      sum.pingAcks += counts.pingAcks
      sum.settingsAcks += counts.settingsAcks
      sum.resets += counts.resets
      sum.goaways += counts.goaways
      inFlight += connection.exchanges.size
    }
    return {
      attempts: this.attempts,
      openConnections: this.connections.size,
      requests: this.requests,
      arrived: this.arrived,
      received: this.receivedCount,
      accepted: this.acceptedCount,
      inFlight,
      ...sum
    }
  }

  clear(): void {
    this.received = []
    this.receivedCount = 0
    this.acceptedCount = 0
    this.arrived = 0
    this.requests = 0
  }

  /** Calls `resume` as soon as `ready` returns true, or `fail` with what it throws; the result stops waiting. */
  wait(ready: (totals: Totals) => boolean, resume: () => void, fail: (defect: unknown) => void): () => void {
    if (holds(ready(this.totals()))) {
      resume()
      return () => {}
    }
    const waiter: Waiter = { ready, resume, fail }
    this.waiters.add(waiter)
    return () => this.waiters.delete(waiter)
  }

  private changed(): void {
    if (this.waiters.size === 0) return
    const totals = this.totals()
    for (const waiter of this.waiters) {
      try {
        if (!holds(waiter.ready(totals))) continue
        this.waiters.delete(waiter)
        waiter.resume()
      } catch (defect) {
        this.waiters.delete(waiter)
        waiter.fail(defect)
      }
    }
  }
}
