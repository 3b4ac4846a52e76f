import { ErrorCode, Session } from "@effect-apns/http2"
import { Reason } from "@effect-apns/models"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import { NodeInspectSymbol } from "effect/Inspectable"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import { ConnectError } from "../ConnectError.js"
import type * as Connection from "../Connection.js"
import type { Credentials, CredentialsError } from "../Credentials.js"
import type { Endpoint } from "../Endpoint.js"
import * as Failure from "../Failure.js"
import * as ProviderToken from "../ProviderToken.js"
import * as Request from "../Request.js"
import * as Response from "../Response.js"
import * as Transport from "../Transport.js"
import * as Deadlines from "../unstable/Deadlines.js"
import * as Exchange from "../unstable/Exchange.js"
import { fromCode } from "./connectFailure.js"
import { timeoutFail, waitAtMost } from "./timing.js"

const TypeId: Connection.TypeId = "~@effect-apns/core/Connection"

const noListener: Connection.Listener = { onCapacity() {}, onRetired() {} }

/** Timeouts in a row, with no answer between them, after which a connection that still answers PINGs is retired. */
const maxTimeoutsInARow = 5

const heldBackRetry = Duration.minutes(1)

/** How long closing waits for the last bytes to leave. */
const flushTimeout = Duration.seconds(1)

/** What printing a connection shows: neither its provider token nor the requests that it carries. */
const describe = (connection: Connection.Unsafe): object => ({
  _id: "@effect-apns/core/Connection",
  state: connection.state,
  inFlight: connection.inFlight,
  limit: connection.limit
})

const printable = (connection: Connection.Unsafe) => ({
  toJSON: () => describe(connection),
  [NodeInspectSymbol]: () => describe(connection)
})

// -----------------------------------------------------------------------------
// post
// -----------------------------------------------------------------------------

class Post extends Exchange.Exchange {
  constructor(
    request: Request.Request,
    private readonly deadlines: Deadlines.Deadlines,
    private readonly limit: Failure.TimeLimit,
    private readonly resume: (effect: Effect.Effect<Response.Response, Failure.RequestError>) => void
  ) {
    super(request.path, request.spec)
  }

  onAnswer(_connection: Connection.Connection, nowMillis: number): void {
    this.deadlines.remove(this)
    if (this.status >= 200 && this.status < 300) return this.resume(Exit.succeed(Response.fromAccepted(this, 1)))
    const response = Response.fromStream(this, 1, nowMillis - this.deadlines.ahead)
    this.resume(
      Either.isRight(response) ? Exit.succeed(response.right) : Exit.fail(
        Failure.toError({
          _tag: "MalformedResponse",
          processed: "yes",
          status: this.status,
          description: response.left
        }, 1)
      )
    )
  }

  onFailure(_connection: Connection.Connection, failure: Failure.Failure): void {
    this.deadlines.remove(this)
    this.resume(Exit.fail(Failure.toError(failure, 1)))
  }

  override onDefect(_connection: Connection.Connection, cause: Cause.Cause<never>): void {
    this.deadlines.remove(this)
    this.resume(Exit.failCause(cause))
  }

  onDue(nowMillis: number): void {
    const connection = this.connection
    if (connection === undefined) return
    if (this.status !== 0) {
      // the answer's headers are here: whatever its body would have said, APNs has processed the request
      connection.unsafe.cancel(this)
      this.truncated = true
      this.onAnswer(connection, nowMillis)
      return
    }
    connection.unsafe.cancel(this)
    connection.unsafe.suspect()
    this.resume(Exit.fail(Failure.toError(Failure.timeout("unknown", this.limit), 1)))
  }
}

const headersRefused: Failure.CloseCause = { _tag: "HeadersRefused" }

const makePost = (
  connection: Connection.Unsafe & { readonly cause: Failure.CloseCause | undefined },
  deadlines: Deadlines.Deadlines
) => {
  const cancel = (post: Post): void => {
    deadlines.remove(post)
    connection.cancel(post)
  }
  return (request: Request.Request): Effect.Effect<Response.Response, Failure.RequestError> =>
    Exchange.async((resume: (effect: Effect.Effect<Response.Response, Failure.RequestError>) => void) => {
      const spec = request.spec
      const now = deadlines.now()
      let at = now + spec.timeoutMillis
      let limit: Failure.TimeLimit = "timeout"
      if (spec.deadlineMillis + deadlines.ahead < at) {
        at = spec.deadlineMillis + deadlines.ahead
        limit = "deadline"
      }
      if (spec.expirationMillis + deadlines.ahead < at) {
        at = spec.expirationMillis + deadlines.ahead
        limit = "expiration"
      }
      if (at <= now) {
        resume(Exit.fail(Failure.toError(Failure.timeout("no", limit), 0)))
        return undefined
      }
      const post = new Post(request, deadlines, limit, resume)
      if (!connection.exchange(post)) {
        const cause = connection.cause ?? (connection.available > 0 ? headersRefused : undefined)
        resume(Exit.fail(Failure.toError(cause === undefined ? Failure.blocked : Failure.closed("no", cause), 0)))
        return undefined
      }
      deadlines.set(post, at)
      return post
    }, cancel)
}

/** What callers see of a connection, with or without a socket. */
const connectionOf = (
  unsafe: Connection.Unsafe & {
    readonly cause: Failure.CloseCause | undefined
    readonly retired: Deferred.Deferred<Failure.CloseCause>
    readonly closed: Deferred.Deferred<Failure.CloseCause>
  },
  deadlines: Deadlines.Deadlines
): Connection.Connection => ({
  ...printable(unsafe),
  [TypeId]: TypeId,
  post: makePost(unsafe, deadlines),
  retired: Deferred.await(unsafe.retired),
  closed: Deferred.await(unsafe.closed),
  retire: Effect.sync(() => unsafe.retire()),
  unsafe
})

// -----------------------------------------------------------------------------
// over a transport
// -----------------------------------------------------------------------------

interface Settings {
  readonly authority: string
  readonly token: ProviderToken.ProviderToken | undefined
  readonly pingInterval: Duration.Duration
  readonly pingDeadline: Duration.Duration
  readonly limits: Partial<Session.Limits> | undefined
}

const goawayCause = (goaway: Session.Goaway): Failure.CloseCause => ({
  _tag: "Goaway",
  code: goaway.code,
  codeName: ErrorCode.name(goaway.code),
  lastStreamId: goaway.lastStreamId,
  reason: goawayReason(goaway.debugData),
  debugData: goaway.debugData
})

/** APNs puts `{"reason":"..."}` into the debug data (Apple: "Handling notification responses from APNs"); it has also been seen to send plain text. */
const goawayReason = (debugData: string): string | undefined => {
  try {
    const json: unknown = JSON.parse(debugData)
    return typeof json === "object" && json !== null && "reason" in json && typeof json.reason === "string"
      ? json.reason
      : undefined
  } catch {
    return undefined
  }
}

class Wire implements Connection.Unsafe, Session.Handler<Exchange.Exchange> {
  readonly connection: Connection.Connection
  readonly retired = Deferred.unsafeMake<Failure.CloseCause>(FiberId.none)
  readonly closed = Deferred.unsafeMake<Failure.CloseCause>(FiberId.none)

  state: Connection.State = "active"
  proven = false
  cause: Failure.CloseCause | undefined = undefined

  private readonly session: Session.Session<Exchange.Exchange>
  private token: ProviderToken.Token | undefined = undefined

  private writing = false
  private flushScheduled = false
  private ending = false
  private gone = false
  private onFlushed: (() => void) | undefined = undefined

  /** When the chunk came that is being read. */
  private chunkAt = 0
  /** Counts chunks from the server: a sign of life without a look at the clock. */
  private chunks = 0
  private timeouts = 0
  private wakePing: (() => void) | undefined = undefined
  private onReady: (() => void) | undefined = undefined
  /** The first PING has been sent. */
  private asked = false
  private onIdle: (() => void) | undefined = undefined

  constructor(
    private readonly transport: Transport.Transport,
    private readonly settings: Settings,
    private readonly listener: Connection.Listener,
    private readonly deadlines: Deadlines.Deadlines
  ) {
    this.connection = connectionOf(this, deadlines)
    this.session = new Session.Session<Exchange.Exchange>(
      { authority: settings.authority, limits: settings.limits },
      this
    )
    this.useToken()
    transport.start({
      onData: (bytes) => this.onData(bytes),
      onClose: (close) => {
        this.gone = true
        this.finish({ _tag: "Dropped", code: close.code })
        this.onFlushed?.()
      }
    })
    this.scheduleFlush()
  }

  toJSON(): object {
    return describe(this)
  }

  [NodeInspectSymbol](): object {
    return describe(this)
  }

  get available(): number {
    return this.state === "active" ? this.session.available : 0
  }

  get inFlight(): number {
    return this.session.active
  }

  get isReady(): boolean {
    return this.session.ready
  }

  get limit(): number {
    return this.session.settings.maxConcurrentStreams
  }

  exchange(exchange: Exchange.Exchange): boolean {
    if (this.state !== "active") return false
    if (this.settings.token !== undefined) this.useToken()
    const spec = exchange.spec
    try {
      if (!this.session.request(exchange, spec.head, exchange.path, spec.extra, spec.body)) return false
    } catch {
      // a path or header that may not be sent, from a request that was not validated: nothing has left
      return false
    }
    exchange.connection = this.connection
    exchange.token = this.token
    // identifiers are used up at 2^31-1 (RFC 9113 section 5.1.1): that was the last request
    if (this.session.closing) this.retire()
    return true
  }

  cancel(exchange: Exchange.Exchange): void {
    this.session.reset(exchange, ErrorCode.ErrorCode.CANCEL)
    exchange.connection = undefined
    this.settle()
    if (this.state === "active") this.listener.onCapacity(this.connection)
  }

  suspect(): void {
    if (++this.timeouts >= maxTimeoutsInARow) this.retire()
    this.wakePing?.()
  }

  retire(cause: Failure.CloseCause = { _tag: "Retired" }): void {
    if (this.state !== "active") return
    this.state = "draining"
    this.cause = cause
    Deferred.unsafeDone(this.retired, Exit.succeed(cause))
    this.listener.onRetired(this.connection, cause)
    this.settle()
  }

  close(cause: Failure.CloseCause): void {
    this.finish(cause)
  }

  /** Ends the connection: GOAWAY, no more input, and a failure for whoever still waits. */
  finish(cause: Failure.CloseCause, code: number = ErrorCode.ErrorCode.NO_ERROR): void {
    if (this.state === "closed") return
    if (this.state === "active") {
      this.state = "closed"
      this.cause = cause
      Deferred.unsafeDone(this.retired, Exit.succeed(cause))
      this.listener.onRetired(this.connection, cause)
    } else {
      this.state = "closed"
      if (this.cause?._tag === "Retired") this.cause = cause
    }
    const open = this.session.streams()
    const written = open.map((exchange) => this.session.wasTaken(exchange))
    this.session.abandon()
    if (!this.gone && cause._tag !== "ProtocolError") this.session.sendGoaway(code)
    this.ending = true
    this.flush()
    const unknown = Failure.closed("unknown", cause)
    const no = Failure.closed("no", cause)
    const now = this.deadlines.now()
    open.forEach((exchange, i) => {
      if (exchange.status !== 0) {
        exchange.truncated = true
        exchange.onAnswer(this.connection, now)
      } else exchange.onFailure(this.connection, written[i] === true ? unknown : no)
    })
    this.onReady?.()
    this.onIdle?.()
    this.wakePing?.()
    Deferred.unsafeDone(this.closed, Exit.succeed(cause))
  }

  // --- Session.Handler ---

  onResponse(exchange: Exchange.Exchange): void {
    this.timeouts = 0
    if (!this.proven) this.prove()
    exchange.onAnswer(this.connection, this.chunkAt)
  }

  onStreamFailure(exchange: Exchange.Exchange, failure: Session.StreamFailure): void {
    switch (failure.kind) {
      case "reset":
        return exchange.onFailure(this.connection, Failure.streamReset(failure.code))
      case "goaway": {
        const goaway = this.session.goaway
        return exchange.onFailure(
          this.connection,
          Failure.closed("no", goaway === undefined ? { _tag: "Retired" } : goawayCause(goaway))
        )
      }
      case "malformed":
      case "too-large":
        return exchange.onFailure(this.connection, {
          _tag: failure.kind === "malformed" ? "MalformedResponse" : "ResponseTooLarge",
          processed: exchange.status === 0 ? "unknown" : "yes",
          status: exchange.status,
          description: failure.message
        })
    }
  }

  onSettings(): void {
    // its answer shows, in one round trip, that somebody is there: a pool waits for it before it fills the connection
    if (!this.asked && this.listener.onProven !== undefined) {
      this.asked = true
      this.session.ping(0)
    }
    this.onReady?.()
  }

  onGoaway(goaway: Session.Goaway): void {
    const cause = goawayCause(goaway)
    if (goaway.code !== ErrorCode.ErrorCode.NO_ERROR) this.finish(cause)
    else if (cause._tag === "Goaway" && cause.reason !== undefined && isCredentialReason(cause.reason)) {
      this.finish(cause)
    } else this.retire(cause)
  }

  onPong(): void {
    if (!this.proven) this.prove()
  }

  private prove(): void {
    this.proven = true
    this.listener.onProven?.(this.connection)
  }

  onProtocolError(error: Session.ProtocolError): void {
    this.finish({
      _tag: "ProtocolError",
      code: error.code,
      codeName: ErrorCode.name(error.code),
      description: error.message
    })
  }

  onOutput(): void {
    this.scheduleFlush()
  }

  // --- the transport ---

  private onData(bytes: Uint8Array): void {
    if (this.state === "closed") return
    this.chunks++
    this.chunkAt = this.deadlines.now()
    this.session.receive(bytes, this.chunkAt)
    this.settle()
    if (this.state === "active") this.listener.onCapacity(this.connection)
  }

  /** A connection that takes no more requests ends with its last stream. */
  private settle(): void {
    if (this.state !== "draining" || this.session.active > 0) return
    this.finish(this.cause ?? { _tag: "Retired" })
  }

  private useToken(): void {
    const token = this.settings.token?.unsafeCurrent()
    if (token === this.token || token === undefined) return
    this.token = token
    this.session.setCommonHeaders([["authorization", token.header]])
  }

  private scheduleFlush(): void {
    if (this.flushScheduled || this.writing) return
    this.flushScheduled = true
    // after the microtasks of this tick: what every fiber sends in it leaves in one write
    process.nextTick(this.flushTick)
  }

  private readonly flushTick = (): void => {
    this.flushScheduled = false
    this.flush()
  }

  private flush(): void {
    if (this.writing || this.gone) return
    const bytes = this.session.takeOutput()
    if (bytes === undefined) {
      if (this.ending) {
        this.ending = false
        this.transport.end()
        this.onFlushed?.()
      }
      return
    }
    this.writing = true
    this.transport.write(bytes, (error) => {
      this.writing = false
      this.session.releaseOutput(bytes)
      // nothing can leave any more: what was not taken until now never will be
      if (error !== undefined && error !== null) this.gone = true
      else this.flush()
    })
  }

  // --- effects for the connection's lifetime ---

  /** The server's first SETTINGS are here, or the connection is over. */
  readonly ready: Effect.Effect<void> = Effect.async((resume) => {
    if (this.session.ready || this.state === "closed") return resume(Effect.void)
    this.onReady = () => {
      this.onReady = undefined
      resume(Effect.void)
    }
  })

  private readonly idle: Effect.Effect<void> = Effect.async((resume) => {
    if (this.state === "closed" || this.session.active === 0) return resume(Effect.void)
    this.onIdle = () => resume(Effect.void)
  })

  private readonly flushedAll: Effect.Effect<void> = Effect.async((resume) => {
    if (this.gone || (!this.writing && !this.ending)) return resume(Effect.void)
    this.onFlushed = () => resume(Effect.void)
  })

  /** Closes in good order: answers that come within `drainTimeout` are delivered. */
  shutdown(drainTimeout: Duration.Duration): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.retire({ _tag: "ScopeClosed" })
      return waitAtMost(this.idle, drainTimeout)
    }).pipe(
      Effect.zipRight(Effect.sync(() => this.finish({ _tag: "ScopeClosed" }))),
      Effect.zipRight(waitAtMost(this.flushedAll, flushTimeout))
    )
  }

  /** Keep-alive (RFC 9113 section 6.7): silence, then a PING, then silence again means that nobody is there. */
  readonly keepAlive: Effect.Effect<void> = Effect.suspend(() => {
    const before = this.chunks
    return Effect.zipRight(
      Effect.raceFirst(
        Effect.sleep(this.settings.pingInterval),
        Effect.async<void>((resume) => {
          this.wakePing = () => {
            this.wakePing = undefined
            resume(Effect.void)
          }
        })
      ),
      Effect.suspend(() => {
        const asked = this.wakePing === undefined
        this.wakePing = undefined
        if (this.state === "closed" || (this.chunks !== before && !asked)) return Effect.void
        const sent = this.chunks
        this.session.ping(sent)
        return Effect.zipRight(
          Effect.sleep(this.settings.pingDeadline),
          Effect.sync(() => {
            if (this.chunks !== sent) return
            this.finish({ _tag: "PingTimeout", afterMillis: Duration.toMillis(this.settings.pingDeadline) })
            this.transport.destroy()
          })
        )
      })
    )
  }).pipe(Effect.repeat({ while: () => this.state !== "closed" }), Effect.asVoid)

  /** Signs in time: a connection that is open keeps its provider token fresh. */
  keepToken(token: ProviderToken.ProviderToken): Effect.Effect<void> {
    return Effect.gen(this, function*() {
      const clock = yield* Effect.clock
      while (this.state !== "closed") {
        const current = yield* token.current
        this.useToken()
        const left = current.refreshAt - clock.unsafeCurrentTimeMillis()
        // a token that is due and was not replaced is held back: look again in a while
        yield* Effect.sleep(left > 0 ? Duration.millis(left) : heldBackRetry)
      }
    }).pipe(
      Effect.tapErrorCause((cause) => Effect.logWarning("The provider token could not be refreshed", cause)),
      Effect.ignore
    )
  }
}

/**
 * Reasons in a GOAWAY that no new connection will cure.
 */
const isCredentialReason = (raw: string): boolean => {
  const reason = Reason.known(raw)
  return reason !== undefined && Reason.table[reason].class === "credential-fatal"
}

interface TransportOptions extends Omit<Connection.Resolved, "endpoint" | "credentials"> {
  readonly authority?: string | undefined
  readonly credentials?: Credentials | undefined
}

const defaultConnectTimeout = Duration.seconds(10)

const noSettings = (endpoint: Endpoint, timeout: Duration.Duration): ConnectError =>
  new ConnectError({
    reason: "Timeout",
    phase: "http2",
    endpoint,
    message: `${endpoint.origin}: the server sent no HTTP/2 SETTINGS within ${Duration.format(timeout)}`
  })

const unusable = (endpoint: Endpoint, cause: Failure.CloseCause | undefined): ConnectError =>
  cause?._tag === "Dropped"
    // under TLS 1.3 a server refuses a client certificate only after the handshake
    ? fromCode(endpoint, "http2", cause.code, undefined)
    : new ConnectError({
      reason: "Http2",
      phase: "http2",
      endpoint,
      message: `${endpoint.origin}: ${
        cause === undefined ? "the connection ended" : Failure.describeCause(cause)
      } before it was usable`,
      cause
    })

export const make = (
  options: Connection.Resolved,
  parts: Connection.Parts = {}
): Effect.Effect<Connection.Connection, ConnectError | CredentialsError, Scope.Scope> =>
  Effect.gen(function*() {
    const timeout = Duration.decode(options.connectTimeout ?? defaultConnectTimeout)
    const started = yield* Clock.currentTimeMillis
    const transport = yield* Transport.connect({ ...options, connectTimeout: timeout })
    const spent = (yield* Clock.currentTimeMillis) - started
    const wire = yield* open(
      transport,
      { ...options, authority: options.endpoint.authority },
      parts
    )
    const left = Duration.millis(Math.max(1, Duration.toMillis(timeout) - spent))
    yield* timeoutFail(wire.ready, { duration: left, onTimeout: () => noSettings(options.endpoint, timeout) }).pipe(
      Effect.zipRight(
        Effect.suspend(() => wire.state === "closed" ? unusable(options.endpoint, wire.cause) : Effect.void)
      ),
      // not at the end of the scope, which may be far away
      Effect.onError(() => Effect.zipRight(wire.shutdown(Duration.zero), Effect.sync(() => transport.destroy())))
    )
    return wire.connection
  })

export const fromTransport = (
  transport: Transport.Transport,
  options: TransportOptions,
  parts: Connection.Parts
): Effect.Effect<Connection.Connection, CredentialsError, Scope.Scope> =>
  Effect.gen(function*() {
    const wire = yield* open(transport, options, parts)
    yield* wire.ready
    return wire.connection
  })

const open = (
  transport: Transport.Transport,
  options: TransportOptions,
  parts: Connection.Parts
): Effect.Effect<Wire, CredentialsError, Scope.Scope> =>
  Effect.gen(function*() {
    const deadlines = parts.deadlines ?? (yield* Deadlines.make)
    const token = options.credentials?._tag === "Token" ? yield* ProviderToken.make(options.credentials) : undefined
    if (token !== undefined) yield* token.current
    const wire = new Wire(
      transport,
      {
        authority: options.authority ?? "localhost",
        token,
        pingInterval: Duration.decode(options.ping?.interval ?? defaultPingInterval),
        pingDeadline: Duration.decode(options.ping?.deadline ?? defaultPingDeadline),
        limits: options.limits
      },
      parts.listener ?? noListener,
      deadlines
    )
    yield* Effect.addFinalizer(() => wire.shutdown(Duration.decode(options.drainTimeout ?? defaultDrainTimeout)))
    yield* Effect.forkScoped(Effect.interruptible(wire.keepAlive))
    if (token !== undefined) yield* Effect.forkScoped(Effect.interruptible(wire.keepToken(token)))
    return wire
  })

const defaultPingInterval = Duration.minutes(1)
const defaultPingDeadline = Duration.seconds(10)
/** As long as the default timeout of a request: whatever is in flight can still be answered. */
const defaultDrainTimeout = Duration.millis(Request.defaultTimeoutMillis)

// -----------------------------------------------------------------------------
// without a socket
// -----------------------------------------------------------------------------

class Handled implements Connection.Unsafe {
  readonly connection: Connection.Connection
  readonly retired = Deferred.unsafeMake<Failure.CloseCause>(FiberId.none)
  readonly closed = Deferred.unsafeMake<Failure.CloseCause>(FiberId.none)
  state: Connection.State = "active"
  /** There is no server that could be gone. */
  readonly proven = true
  cause: Failure.CloseCause | undefined = undefined

  private readonly fibers = new Map<Exchange.Exchange, Fiber.RuntimeFiber<unknown, Failure.RequestError>>()
  private onIdle: (() => void) | undefined = undefined

  constructor(
    private readonly handler: (request: Request.Request) => Effect.Effect<Response.Response, Failure.RequestError>,
    readonly limit: number,
    private readonly runtime: Runtime.Runtime<never>,
    private readonly listener: Connection.Listener,
    private readonly deadlines: Deadlines.Deadlines
  ) {
    this.connection = connectionOf(this, deadlines)
  }

  toJSON(): object {
    return describe(this)
  }

  [NodeInspectSymbol](): object {
    return describe(this)
  }

  get available(): number {
    return this.state === "active" ? this.limit - this.fibers.size : 0
  }

  get inFlight(): number {
    return this.fibers.size
  }

  exchange(exchange: Exchange.Exchange): boolean {
    if (this.available <= 0) return false
    const request = Request.fromExchange(exchange)
    // what is no response is a defect of the handler, like what it throws
    const answer = Effect.map(Effect.suspend(() => this.handler(request)), ({ apnsId, body, headers, status }) => ({
      apnsId,
      body,
      headers: [...headers],
      status
    }))
    const fiber = Runtime.runFork(this.runtime)(answer, { immediate: false })
    exchange.connection = this.connection
    this.fibers.set(exchange, fiber)
    fiber.addObserver((exit) => {
      if (this.fibers.get(exchange) !== fiber) return
      this.fibers.delete(exchange)
      if (Exit.isSuccess(exit)) {
        const { apnsId, body, headers, status } = exit.value
        exchange.status = status
        exchange.apnsId = apnsId
        exchange.headers = headers
        exchange.body = body
        exchange.onAnswer(this.connection, this.deadlines.now())
      } else {
        const failure = Cause.failureOption(exit.cause)
        const defect = Cause.keepDefects(exit.cause)
        if (Option.isSome(failure)) exchange.onFailure(this.connection, failure.value)
        else if (Option.isSome(defect)) exchange.onDefect(this.connection, defect.value)
        else exchange.onFailure(this.connection, Failure.closed("unknown", { _tag: "Dropped", code: undefined }))
      }
      this.settle()
      if (this.state === "active") this.listener.onCapacity(this.connection)
    })
    return true
  }

  cancel(exchange: Exchange.Exchange): void {
    const fiber = this.fibers.get(exchange)
    if (fiber === undefined) return
    this.fibers.delete(exchange)
    fiber.unsafeInterruptAsFork(FiberId.none)
    this.settle()
    if (this.state === "active") this.listener.onCapacity(this.connection)
  }

  suspect(): void {}

  retire(cause: Failure.CloseCause = { _tag: "Retired" }): void {
    if (this.state !== "active") return
    this.state = "draining"
    this.cause = cause
    Deferred.unsafeDone(this.retired, Exit.succeed(cause))
    this.listener.onRetired(this.connection, cause)
    this.settle()
  }

  close(cause: Failure.CloseCause): void {
    this.retire(cause)
    if (this.state === "draining") this.cause = cause
    const unknown = Failure.closed("unknown", cause)
    for (const [exchange, fiber] of [...this.fibers]) {
      this.fibers.delete(exchange)
      fiber.unsafeInterruptAsFork(FiberId.none)
      exchange.onFailure(this.connection, unknown)
    }
    this.settle()
  }

  private settle(): void {
    if (this.state !== "draining" || this.fibers.size > 0) return
    this.state = "closed"
    this.onIdle?.()
    Deferred.unsafeDone(this.closed, Exit.succeed(this.cause ?? { _tag: "Retired" }))
  }

  private readonly idle: Effect.Effect<void> = Effect.async((resume) => {
    if (this.state === "closed") return resume(Effect.void)
    this.onIdle = () => resume(Effect.void)
  })

  shutdown(drainTimeout: Duration.Duration): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.retire({ _tag: "ScopeClosed" })
      return waitAtMost(this.idle, drainTimeout)
    }).pipe(Effect.zipRight(Effect.sync(() => this.close({ _tag: "ScopeClosed" }))))
  }
}

const defaultHandledLimit = 1000

export const fromHandler = (
  handler: (request: Request.Request) => Effect.Effect<Response.Response, Failure.RequestError>,
  options: { readonly limit?: number | undefined; readonly drainTimeout?: Duration.DurationInput | undefined },
  parts: Connection.Parts
): Effect.Effect<Connection.Connection, never, Scope.Scope> =>
  Effect.gen(function*() {
    const deadlines = parts.deadlines ?? (yield* Deadlines.make)
    const handled = new Handled(
      handler,
      options.limit ?? defaultHandledLimit,
      yield* Effect.runtime(),
      parts.listener ?? noListener,
      deadlines
    )
    yield* Effect.addFinalizer(() => handled.shutdown(Duration.decode(options.drainTimeout ?? 0)))
    return handled.connection
  })
