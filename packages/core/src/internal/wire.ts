import { ErrorCode, Frame, Session } from "@effect-apns/http2"
import { Reason } from "@effect-apns/models"
import * as Cause from "effect/Cause"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as LogLevel from "effect/LogLevel"
import * as Failure from "../Failure.js"
import type * as ProviderToken from "../ProviderToken.js"
import type * as Transport from "../Transport.js"
import type { Listener } from "../unstable/Connection.js"
import type * as Deadlines from "../unstable/Deadlines.js"
import type * as Exchange from "../unstable/Exchange.js"
import { catchRejection } from "./callbacks.js"
import type { Times } from "./keepAlive.js"
import { KeepAlive } from "./keepAlive.js"
import { Lifecycle } from "./lifecycle.js"
import { waitAtMost } from "./timing.js"

/** Timeouts in a row, with no answer between them, after which a connection that still answers PINGs is retired. */
const maxTimeoutsInARow = 5

const noBytes = new Uint8Array(0)

const heldBackRetry = Duration.minutes(1)

/**
 * How long closing waits for the last bytes to leave, and for the other side to close, in milliseconds: what is left of
 * `drainTimeout`, within these bounds. There is a lower one because the last bytes are often written when that time is over.
 */
const goodbyeMillis = { least: 100, most: 1_000 }

/** The payload of the first PING, which no keep-alive uses. */
const firstPing = 0

export interface Settings {
  readonly authority: string
  readonly token: ProviderToken.ProviderToken | undefined
  readonly ping: Times
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

/** An HTTP/2 session over a transport. Its own deadline is that of the keep-alive, and later that of closing. */
export class Wire extends Lifecycle implements Session.Handler<Exchange.Exchange>, Deadlines.Entry {
  /** @internal */
  dueBucket: Deadlines.Bucket | undefined = undefined
  /** @internal */
  dueAt = 0
  /** @internal */
  duePrevious: Deadlines.Entry | undefined = undefined
  /** @internal */
  dueNext: Deadlines.Entry | undefined = undefined

  private readonly session: Session.Session<Exchange.Exchange>
  private token: ProviderToken.Token | undefined = undefined
  private tokenSince = 0

  private writing = false
  private flushScheduled = false
  private ending = false
  private gone = false
  /** When closing is to be done. */
  private closedBy = Infinity
  private goodbye = goodbyeMillis.most
  private onFlushed: (() => void) | undefined = undefined

  private readonly keepAlive: KeepAlive
  /** The time that `onDue` is set to; the keep-alive may be due later by now. */
  private armedAt = Infinity
  /** Requests that wait until the connection is no longer suspect. Nothing of them has been written. */
  private held: Array<Exchange.Exchange> = []
  /** When the bytes that are being read arrived. */
  private readAt = 0
  private timeouts = 0
  private onReady: (() => void) | undefined = undefined
  private settingsReceived = false

  constructor(
    private readonly transport: Transport.Transport,
    private readonly settings: Settings,
    listener: Listener,
    deadlines: Deadlines.Deadlines
  ) {
    super(listener, deadlines)
    this.session = new Session.Session<Exchange.Exchange>(
      { authority: settings.authority, limits: settings.limits },
      this
    )
    this.keepAlive = new KeepAlive(settings.ping, deadlines.now())
    this.useToken()
    const started: unknown = transport.start({
      onData: (bytes) => this.onData(bytes),
      onClose: (close) => {
        this.gone = true
        this.finish({ _tag: "Dropped", code: close.code })
        this.deadlines.remove(this)
        this.onFlushed?.()
      }
    })
    catchRejection(started, this.broken)
    this.scheduleFlush()
    this.arm()
  }

  get available(): number {
    if (this.state !== "active" || this.keepAlive.suspect) return 0
    // requests that are held until the PONG count as if they had a stream
    return this.session.available - this.held.length
  }

  get inFlight(): number {
    return this.session.active + this.held.length
  }

  get trusted(): boolean {
    return !this.keepAlive.suspect
  }

  private get isClosed(): boolean {
    return this.state === "closed"
  }

  get limit(): number {
    return this.session.settings.maxConcurrentStreams
  }

  exchange(exchange: Exchange.Exchange, nowMillis: number = this.deadlines.now(), hold = true): boolean {
    if (this.state !== "active") return false
    const { keepAlive, session } = this
    const admitted = keepAlive.admits(nowMillis, session.active)
    if (keepAlive.due < this.armedAt) this.arm()
    if (admitted === "yes") return this.send(exchange)
    if (admitted === "ping") this.ask()
    if (!hold || session.available - this.held.length <= 0) return false
    exchange.connection = this.connection
    this.held.push(exchange)
    return true
  }

  private send(exchange: Exchange.Exchange): boolean {
    if (this.token?.isRefused === true) this.useToken()
    const { path, spec } = exchange
    try {
      if (!this.session.request(exchange, spec.head, path, spec.extra, spec.body)) return false
    } catch (thrown) {
      // a path or header that may not be sent, from a request that was not validated: nothing was sent
      if (thrown instanceof Session.InvalidHeader) return false
      throw thrown
    }
    exchange.connection = this.connection
    exchange.token = this.token
    // stream identifiers end at 2^31-1 (RFC 9113 section 5.1.1): that was the last request
    if (this.session.closing) this.retire()
    return true
  }

  holds(exchange: Exchange.Exchange): boolean {
    return this.held.includes(exchange)
  }

  cancel(exchange: Exchange.Exchange): void {
    if (this.holds(exchange)) this.held = this.held.filter((held) => held !== exchange)
    else this.session.reset(exchange, ErrorCode.ErrorCode.CANCEL)
    exchange.connection = undefined
    this.settle()
    this.tellCapacity()
  }

  suspect(): void {
    if (this.state === "closed") return
    this.act(this.keepAlive.doubt(this.deadlines.now()))
    if (++this.timeouts >= maxTimeoutsInARow) this.retire({ _tag: "Retired", timeouts: this.timeouts })
  }

  close(cause: Failure.CloseCause, withinMillis = Infinity): void {
    this.closedBy = this.deadlines.now() + withinMillis
    this.finish(cause)
  }

  /** Ends the connection: sends GOAWAY, reads no more, and fails the requests that still wait. */
  private finish(cause: Failure.CloseCause, code: number = ErrorCode.ErrorCode.NO_ERROR): void {
    if (this.state === "closed") return
    this.end(cause)
    const open = this.session.streams()
    const written = open.map((exchange) => this.session.wasTaken(exchange))
    this.session.abandon()
    if (!this.gone && cause._tag !== "ProtocolError") this.session.sendGoaway(code)
    const held = this.held
    this.held = []
    this.ending = true
    const now = this.deadlines.now()
    this.goodbye = Math.max(goodbyeMillis.least, Math.min(goodbyeMillis.most, this.closedBy - now))
    // a peer that does not read, or does not close, must not keep the socket open
    if (!this.gone) this.deadlines.set(this, now + this.goodbye)
    this.flush()
    const unknown = Failure.closed("unknown", cause)
    const no = Failure.closed("no", cause)
    open.forEach((exchange, i) => {
      if (exchange.status === 0) return this.fail(exchange, written[i] === true ? unknown : no)
      exchange.truncated = true
      this.guarded(() => exchange.onAnswer(this.connection, now))
    })
    for (const exchange of held) this.fail(exchange, no)
    this.onReady?.()
    this.tellClosed(cause)
  }

  // --- Session.Handler ---

  onResponse(exchange: Exchange.Exchange): void {
    this.timeouts = 0
    if (!this.proven) this.prove()
    const returned: unknown = exchange.onAnswer(this.connection, this.readAt)
    if (returned !== undefined) catchRejection(returned, this.deadlines.report)
  }

  onStreamFailure(exchange: Exchange.Exchange, failure: Session.StreamFailure): void {
    catchRejection(this.tellFailure(exchange, failure), this.deadlines.report)
  }

  private tellFailure(exchange: Exchange.Exchange, failure: Session.StreamFailure): unknown {
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
      case "too-large": {
        if (exchange.status >= 200 && exchange.status < 300) {
          // status 200: APNs has accepted it, even if the rest of the answer is malformed
          exchange.truncated = true
          return this.onResponse(exchange)
        }
        return exchange.onFailure(this.connection, {
          _tag: failure.kind === "malformed" ? "MalformedResponse" : "ResponseTooLarge",
          processed: exchange.status === 0 ? "unknown" : "yes",
          status: exchange.status,
          description: failure.message
        })
      }
    }
  }

  onSettings(): void {
    // its answer shows in one round trip that the server is there: a pool waits for it before it sends many requests
    if (!this.settingsReceived && this.listener.onProven !== undefined) this.session.ping(firstPing)
    this.settingsReceived = true
    this.onReady?.()
  }

  onGoaway(goaway: Session.Goaway): void {
    const cause = goawayCause(goaway)
    if (goaway.code !== ErrorCode.ErrorCode.NO_ERROR) this.finish(cause)
    else if (cause._tag === "Goaway" && cause.reason !== undefined && Reason.isCredentialReason(cause.reason)) {
      this.finish(cause)
    } else this.retire(cause)
  }

  onPong(payload: number): void {
    this.keepAlive.pong(payload)
    if (!this.proven) this.prove()
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
    this.readAt = this.deadlines.now()
    this.keepAlive.read(this.readAt)
    this.receive(bytes)
    if (this.keepAlive.due < this.armedAt && !this.isClosed) this.arm()
    if (this.held.length > 0) this.release()
    this.settle()
    this.tellCapacity()
  }

  private receive(bytes: Uint8Array): void {
    // the callback of each answer may throw: the bytes after that answer are still read
    for (let rest = bytes, left = bytes.length; left >= 0; rest = noBytes, left -= Frame.headerLength) {
      try {
        return this.session.receive(rest, this.readAt)
      } catch (defect) {
        this.deadlines.report(defect)
      }
    }
  }

  /** The server is there: sends the requests that were held, or fails those that can no longer be sent. */
  private release(): void {
    if (this.keepAlive.suspect && !this.session.closing) return
    const held = this.held
    this.held = []
    for (const exchange of held) {
      try {
        if (!this.send(exchange)) this.fail(exchange, Failure.closed("no", this.cause ?? { _tag: "Retired" }))
      } catch (defect) {
        this.guarded(() => exchange.onDefect(this.connection, Cause.die(defect)))
      }
    }
  }

  /** A connection that takes no more requests ends with its last stream. */
  protected settle(): void {
    if (this.state !== "draining" || this.session.active + this.held.length > 0) return
    this.finish(this.cause ?? { _tag: "Retired" })
  }

  /**
   * Takes the signer's token: when the connection opens, when it has had its token for long enough, and when APNs has
   * refused the token. Not whenever there is a newer one, since APNs refuses tokens that change often.
   */
  private useToken(): void {
    const token = this.settings.token?.unsafeCurrent()
    if (token === this.token || token === undefined) return
    this.token = token
    this.tokenSince = this.deadlines.now()
    this.session.setCommonHeaders([["authorization", token.header]])
  }

  private scheduleFlush(): void {
    if (this.flushScheduled || this.writing) return
    this.flushScheduled = true
    // after the microtasks of this tick: everything that fibers send in it goes into one write
    process.nextTick(this.flushTick)
  }

  private readonly flushTick = (): void => {
    this.flushScheduled = false
    this.flush()
  }

  private flush(): void {
    if (this.writing || this.gone) return
    try {
      this.write()
    } catch (defect) {
      this.broken(defect)
    }
  }

  /** A transport of the caller's own has failed where it must not. */
  private readonly broken = (defect: unknown): void => {
    this.gone = true
    this.deadlines.report(defect)
    this.finish({ _tag: "Dropped", code: undefined })
    this.deadlines.remove(this)
    this.guarded(() => this.transport.destroy())
    this.onFlushed?.()
  }

  private write(): void {
    const bytes = this.session.takeOutput()
    if (bytes === undefined) {
      if (this.ending) {
        this.ending = false
        catchRejection(this.transport.end(this.goodbye), this.broken)
        // a peer that broke the protocol may still be sending: that is not read
        if (this.cause?._tag === "ProtocolError") this.transport.destroy()
        this.onFlushed?.()
      }
      return
    }
    this.writing = true
    const returned: unknown = this.transport.write(bytes, (error) => {
      this.writing = false
      this.session.releaseOutput(bytes)
      // nothing can be sent any more: output that was not written yet is dropped
      if (error !== undefined && error !== null) this.gone = true
      else this.flush()
    })
    if (returned !== undefined) catchRejection(returned, this.broken)
  }

  // --- keep-alive ---

  private arm(): void {
    this.armedAt = this.keepAlive.due
    this.deadlines.set(this, this.armedAt)
  }

  /** The keep-alive is due; after the end: the other side has not closed in time. */
  onDue(nowMillis: number): void {
    if (this.state === "closed") return this.transport.destroy()
    this.act(this.keepAlive.look(nowMillis, this.inFlight))
  }

  private act(step: "wait" | "ping" | "close"): void {
    if (step === "close") {
      this.finish({ _tag: "PingTimeout", after: Duration.millis(this.keepAlive.answerTime) })
      this.transport.destroy()
      return
    }
    if (step === "ping") this.ask()
    this.arm()
  }

  private ask(): void {
    const { keepAlive, listener } = this
    this.session.ping(keepAlive.payload)
    if (listener.onSuspect !== undefined) {
      this.guarded(() => listener.onSuspect?.(this.connection, keepAlive.paused))
    }
  }

  hasten(): void {
    this.keepAlive.hasten(this.deadlines.now())
    if (this.keepAlive.due < this.armedAt && !this.isClosed) this.arm()
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

  private readonly flushedAll: Effect.Effect<void> = Effect.async((resume) => {
    if (this.gone || (!this.writing && !this.ending)) return resume(Effect.void)
    this.onFlushed = () => resume(Effect.void)
  })

  /** Closes after the answers that arrive within `drainTimeout`. */
  shutdown(drainTimeout: Duration.Duration): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.closedBy = this.deadlines.now() + Duration.toMillis(drainTimeout)
      this.retire({ _tag: "ScopeClosed" })
      return Effect.flatMap(waitAtMost(this.drained, drainTimeout), () => {
        this.finish({ _tag: "ScopeClosed" })
        return waitAtMost(this.flushedAll, Duration.millis(this.goodbye))
      })
    })
  }

  /** Changes the provider token in time: see `ProviderToken`. */
  keepToken(signer: ProviderToken.ProviderToken): Effect.Effect<void> {
    return Effect.gen(this, function*() {
      const clock = yield* Effect.clock
      let failing = false
      while (this.state !== "closed") {
        const left = this.token === undefined
          ? 0
          : this.token.changeAt(DateTime.unsafeMake(this.tokenSince)).epochMillis - clock.unsafeCurrentTimeMillis()
        if (left > 0) {
          yield* Effect.sleep(Duration.millis(left))
          continue
        }
        const before = this.token
        const exit = yield* Effect.exit(signer.current)
        if (Exit.isFailure(exit)) {
          // one warning, not one each minute
          const level = failing ? LogLevel.Debug : LogLevel.Warning
          const warning = Effect.logWithLevel(level, "The provider token could not be refreshed", exit.cause)
          // a logger is code of the program and may throw: that must not be the end of new tokens
          yield* Effect.catchAllCause(warning, () => Effect.void)
        }
        failing = Exit.isFailure(exit)
        this.useToken()
        // a new token is due, but may not be signed yet, or cannot be: try again later
        if (this.token === before) yield* Effect.sleep(heldBackRetry)
      }
    })
  }
}
