import type { ConnectError, Connection, Credentials, ProviderToken } from "@effect-apns/core"
import { Failure, Response } from "@effect-apns/core"
import type * as Deadlines from "@effect-apns/core/unstable/Deadlines"
import { Reason } from "@effect-apns/models"
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import { NodeInspectSymbol } from "effect/Inspectable"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import type * as Schedule from "effect/Schedule"
import * as ScheduleDecision from "effect/ScheduleDecision"
import * as ScheduleIntervals from "effect/ScheduleIntervals"
import * as Scope from "effect/Scope"
import * as ApnsMetrics from "../ApnsMetrics.js"
import type { Stats } from "../ApnsPool.js"
import type { Delivery } from "../unstable/Delivery.js"

/** Opens one connection. */
export type Connect = (
  parts: Connection.Parts
) => Effect.Effect<Connection.Connection, ConnectError.ConnectError | Credentials.CredentialsError, Scope.Scope>

export interface Policy {
  readonly retransmit: "collapsible" | "always" | "never"
  readonly retrySchedule: Schedule.Schedule<unknown, Failure.Failure>
  readonly backoffSchedule: Schedule.Schedule<unknown, Response.Response>
  readonly drainTimeout: Duration.Duration
  /** What every log line of the pool says. */
  readonly annotations: Readonly<Record<string, string>>
}

/** Times that a request which cost nothing (refused, or never looked at) is moved at once before a schedule decides. */
const movesAtOnce = 2

/** A connection that ends this soon without one answer counts as a failed attempt to connect. */
const shortLifeMillis = 10_000

/** Connections that are replaced at the same time, while none fails. */
export const gateWidth = 4

class Slot {
  connection: Connection.Connection | undefined = undefined
  fiber: Fiber.RuntimeFiber<void> | undefined = undefined
  wanted = true
  connecting = false
}

/**
 * The pool without its Effect face: plain state and callbacks. Effects run where a connection is opened, a schedule is
 * asked, or a token is signed.
 */
export class Engine implements Connection.Listener {
  state: "open" | "closing" | "closed" = "open"
  closeCause: Failure.CloseCause | undefined = undefined

  private readonly rotation: Array<Connection.Connection> = []
  private readonly draining = new Set<Connection.Connection>()
  private slots: Array<Slot> = []
  private next = 0

  private head: Delivery | undefined = undefined
  private tail: Delivery | undefined = undefined
  private queued = 0
  private inFlight = 0
  private completed = 0
  private failedCount = 0
  private interrupted = 0
  private attempts = 0
  private opened = 0
  private connectFailures = 0
  private lost = 0

  /** No connection can take anything: waiting counts against the time for the answer. */
  private down = true
  /** The last attempt to connect failed, or led to a connection that died without an answer. */
  private failing = false
  /** The reconnect schedule has been asked since a connection last proved itself. */
  private backedOff = false
  private lastConnectFailure: Failure.CloseCause | undefined = undefined
  private readonly parked = new Set<Delivery>()
  private onSettledAll: (() => void) | undefined = undefined
  /** Those who wait are not served before the end of this tick. */
  private pumpHeld = false
  /** Numbers deliveries, so that one that is sent back keeps its place in the queue. */
  private sequence = 0

  constructor(
    private readonly connect: Connect,
    private readonly policy: Policy,
    private readonly deadlines: Deadlines.Deadlines,
    private readonly token: ProviderToken.ProviderToken | undefined,
    private readonly runtime: Runtime.Runtime<never>,
    private readonly scope: Scope.CloseableScope,
    private readonly gate: Effect.Semaphore,
    private readonly reconnect: Schedule.ScheduleDriver<unknown, Failure.CloseCause>
  ) {}

  // ---------------------------------------------------------------------------
  // deliveries
  // ---------------------------------------------------------------------------

  submit(delivery: Delivery, now = this.deadlines.now()): void {
    delivery.engine = this
    delivery.order = this.sequence++
    if (this.state !== "open") {
      this.settleFailed(delivery, Failure.closed("no", this.closeCause ?? { _tag: "ScopeClosed" }))
      return
    }
    const spec = delivery.spec
    const outside = now - this.deadlines.ahead
    if (spec.deadlineMillis <= outside || spec.expirationMillis <= outside) {
      this.settleFailed(
        delivery,
        Failure.timeout("no", spec.deadlineMillis <= spec.expirationMillis ? "deadline" : "expiration")
      )
      return
    }
    if (this.head !== undefined || !this.trySend(delivery, now)) this.enqueue(delivery, now, false)
  }

  /** Gives a delivery up without an outcome: its caller was interrupted. */
  cancel(delivery: Delivery): void {
    if (delivery.engine !== this) return
    const phase = delivery.phase
    if (phase === "new" || phase === "settled") return
    this.leave(delivery)
    delivery.phase = "settled"
    this.interrupted++
    if (phase === "inFlight") {
      // callers are interrupted in groups: nobody is sent on the stream that another one of them leaves
      if (!this.pumpHeld) {
        this.pumpHeld = true
        process.nextTick(this.resumePump)
      }
      delivery.connection?.unsafe.cancel(delivery)
    }
    this.checkSettledAll()
  }

  private readonly resumePump = (): void => {
    this.pumpHeld = false
    this.pump()
  }

  answered(delivery: Delivery, connection: Connection.Connection, now: number): void {
    if (delivery.phase !== "inFlight") return
    if (delivery.status >= 200 && delivery.status < 300) {
      this.steady()
      this.settleAnswered(delivery, now)
    } else this.rejected(delivery, connection, now)
  }

  failed(delivery: Delivery, connection: Connection.Connection, failure: Failure.Failure): void {
    if (delivery.phase !== "inFlight") return
    if (failure._tag === "Blocked") {
      // a stream was free: only a connection of the caller's own making says so
      return this.failed(delivery, connection, Failure.closed("no", { _tag: "Retired" }))
    }
    if (this.state === "closed") return this.settleFailed(delivery, failure)
    if (failure._tag === "Closed" && this.closeCause?._tag === "CredentialsRefused") {
      return this.settleFailed(delivery, failure)
    }
    if (failure.processed === "no") {
      const trouble = delivery.inTrouble()
      if (trouble.moves < movesAtOnce) {
        trouble.moves++
        return this.repeat(delivery, connection)
      }
      return this.retry(delivery, connection, failure)
    }
    if (failure.processed === "unknown" && this.mayRetransmit(delivery) && failure._tag !== "Timeout") {
      delivery.inTrouble().doubtful = true
      return this.retry(delivery, connection, failure)
    }
    this.settleFailed(delivery, failure)
  }

  due(delivery: Delivery, now: number): void {
    switch (delivery.phase) {
      case "queued":
        return this.settleFailed(
          delivery,
          Failure.timeout("no", delivery.limit, this.down ? this.lastConnectFailure : undefined)
        )
      case "inFlight": {
        const connection = delivery.connection
        if (delivery.status !== 0) {
          // the headers of the answer are here: APNs has processed the request, whatever the body would have said
          connection?.unsafe.cancel(delivery)
          delivery.truncated = true
          if (connection !== undefined) this.answered(delivery, connection, now)
          return
        }
        this.settleFailed(delivery, Failure.timeout("unknown", delivery.limit))
        connection?.unsafe.cancel(delivery)
        connection?.unsafe.suspect()
        return
      }
      case "retrying": {
        if ((delivery.trouble?.retryAt ?? Infinity) <= now && this.limitOf(delivery) > now) {
          delivery.again()
          this.leave(delivery)
          if (this.head !== undefined || !this.trySend(delivery, now)) this.enqueue(delivery, now, true)
          return
        }
        return this.settleFailed(delivery, Failure.timeout("no", delivery.limit))
      }
      case "new":
      case "settled":
        return
    }
  }

  // --- what an answer or a failure leads to ---

  private rejected(delivery: Delivery, connection: Connection.Connection, now: number): void {
    const parsed = Response.fromStream(delivery, delivery.attempts, now - this.deadlines.ahead)
    if (Either.isLeft(parsed)) {
      return this.settleFailed(delivery, {
        _tag: "MalformedResponse",
        processed: "yes",
        status: delivery.status,
        description: parsed.left
      })
    }
    const response = parsed.right
    const info = Reason.info(response.reason ?? "", response.status)
    // credentials that a new connection would not cure are the caller's to repair: replacing it would only be a storm
    if (info.connection === "recycle") connection.unsafe.retire()
    else this.steady()
    if (this.state === "closed") return this.settleAnswered(delivery, this.deadlines.now())
    // an error inside APNs says nothing of how far it had come
    if (response.status === 500) delivery.inTrouble().doubtful = true
    switch (info.retry) {
      case "fresh-token":
        return this.resign(delivery, connection)
      case "same-token": {
        const token = delivery.token
        if (this.token === undefined || token === undefined) return this.settleAnswered(delivery, this.deadlines.now())
        this.run(this.token.tooManyUpdates(token))
        const trouble = delivery.inTrouble()
        if (trouble.resigned) return this.settleAnswered(delivery, this.deadlines.now())
        trouble.resigned = true
        return this.backoff(delivery, connection, response)
      }
      case "new-connection":
        if (info.class === "server") return this.backoff(delivery, connection, response)
        if (delivery.inTrouble().moves >= movesAtOnce) return this.settleAnswered(delivery, this.deadlines.now())
        delivery.inTrouble().moves++
        return this.repeat(delivery, connection)
      case "delay":
        return this.backoff(delivery, connection, response)
      case "never":
      case "after-fix":
        return this.settleAnswered(delivery, this.deadlines.now())
    }
  }

  /** Exactly one new signature however many requests the old one failed; each of them is sent once more. */
  private resign(delivery: Delivery, connection: Connection.Connection): void {
    const { token } = delivery
    if (this.token === undefined || token === undefined || delivery.inTrouble().resigned) {
      return this.settleAnswered(delivery, this.deadlines.now())
    }
    delivery.inTrouble().resigned = true
    this.park(delivery, Infinity)
    this.run(this.token.expired(token), (exit) => {
      if (delivery.phase !== "retrying") return
      if (Exit.isFailure(exit)) return this.settleAnswered(delivery, this.deadlines.now())
      this.leave(delivery)
      delivery.again()
      delivery.inTrouble().avoid = connection
      this.requeue(delivery)
    })
  }

  /** Sends it again at once, elsewhere if it can. */
  private repeat(delivery: Delivery, connection: Connection.Connection): void {
    this.leave(delivery)
    delivery.again()
    delivery.inTrouble().avoid = connection
    this.requeue(delivery)
  }

  /** Sends it again when the retry schedule says so. */
  private retry(delivery: Delivery, connection: Connection.Connection, failure: Failure.PoolFailure): void {
    delivery.inTrouble().avoid = connection
    this.ask("retry", delivery, this.policy.retrySchedule, failure, (at) => {
      if (at === undefined) this.settleFailed(delivery, failure)
      else this.park(delivery, at)
    })
  }

  /** Sends it again when the server says so, or the back-off schedule, if there is time. */
  private backoff(delivery: Delivery, connection: Connection.Connection, response: Response.Response): void {
    delivery.inTrouble().avoid = connection
    this.ask("backoff", delivery, this.policy.backoffSchedule, response, (scheduled) => {
      if (scheduled === undefined) return this.settleAnswered(delivery, this.deadlines.now())
      const { retryAfterMillis } = response
      // "at once" is no answer to a server that is too busy
      const at = retryAfterMillis === undefined || retryAfterMillis <= 0
        ? scheduled
        : this.deadlines.now() + retryAfterMillis
      if (at >= this.limitOf(delivery)) this.settleAnswered(delivery, this.deadlines.now())
      else this.park(delivery, at)
    })
  }

  /** One step of a schedule, which keeps its state in the delivery. */
  private ask<In>(
    kind: "retry" | "backoff",
    delivery: Delivery,
    schedule: Schedule.Schedule<unknown, In>,
    input: In,
    then: (at: number | undefined) => void
  ): void {
    const now = this.deadlines.now()
    const known = delivery.trouble?.schedule
    const state = known?.kind === kind ? known.state : schedule.initial
    // a schedule of the caller's may take its time: the delivery keeps its deadline, and a pool that closes finds it
    this.park(delivery, Infinity)
    this.run(schedule.step(now, input, state), (exit) => {
      if (delivery.phase !== "retrying") return
      if (Exit.isFailure(exit)) return then(undefined)
      const [next, , decision] = exit.value
      delivery.inTrouble().schedule = { kind, state: next }
      then(
        ScheduleDecision.isDone(decision)
          ? undefined
          : Math.max(now, ScheduleIntervals.start(decision.intervals))
      )
    })
  }

  private run<A, E>(effect: Effect.Effect<A, E>, then?: (exit: Exit.Exit<A, E>) => void): void {
    Runtime.runCallback(this.runtime)(effect, then === undefined ? undefined : { onExit: then })
  }

  private mayRetransmit(delivery: Delivery): boolean {
    const policy = delivery.spec.retransmit ?? this.policy.retransmit
    return policy === "always" || (policy === "collapsible" && delivery.spec.collapsible)
  }

  /** When the delivery fails, whatever it is waiting for; notes which limit that is. */
  private limitOf(delivery: Delivery): number {
    const { ahead } = this.deadlines
    const deadlineMillis = delivery.spec.deadlineMillis + ahead
    const expirationMillis = delivery.spec.expirationMillis + ahead
    let at = delivery.answerBy
    delivery.limit = "timeout"
    if (deadlineMillis < at) {
      at = deadlineMillis
      delivery.limit = "deadline"
    }
    if (expirationMillis < at) {
      at = expirationMillis
      delivery.limit = "expiration"
    }
    return at
  }

  // --- the places a delivery can be in ---

  private trySend(delivery: Delivery, now: number): boolean {
    const connection = this.pick(delivery.trouble?.avoid)
    if (connection === undefined) return false
    this.dispatch(delivery, connection, now)
    return true
  }

  private dispatch(delivery: Delivery, connection: Connection.Connection, now: number): void {
    if (delivery.answerBy === Infinity) delivery.answerBy = now + delivery.budget
    const at = this.limitOf(delivery)
    if (at <= now) {
      // a deadline and a free stream, or the time of a retry, in the same millisecond: too late to send
      return this.settleFailed(delivery, Failure.timeout("no", delivery.limit))
    }
    delivery.phase = "inFlight"
    delivery.sentAt = now
    delivery.attempts++
    this.inFlight++
    this.attempts++
    if (!connection.unsafe.exchange(delivery)) {
      // there was a free stream, so what cannot be sent is this request
      delivery.attempts--
      this.attempts--
      return this.settleFailed(delivery, Failure.closed("no", { _tag: "HeadersRefused" }))
    }
    this.deadlines.set(delivery, at)
  }

  /** The connection with the fewest requests among those that can take one. */
  private pick(avoid: Connection.Connection | undefined): Connection.Connection | undefined {
    const rotation = this.rotation
    const n = rotation.length
    let best: Connection.Connection | undefined = undefined
    let fewest = Infinity
    let fallback: Connection.Connection | undefined = undefined
    let i = this.next
    for (let k = 0; k < n; k++) {
      if (++i >= n) i = 0
      const connection = rotation[i]
      if (connection === undefined) continue
      const { unsafe } = connection
      const { inFlight } = unsafe
      if (inFlight < fewest && unsafe.available > 0) {
        if (connection === avoid) fallback = connection
        else {
          fewest = inFlight
          best = connection
          this.next = i
        }
      }
    }
    return best ?? fallback
  }

  private enqueue(delivery: Delivery, now: number, first: boolean): void {
    if (delivery.answerBy !== Infinity) {
      delivery.budget = Math.max(0, delivery.answerBy - now)
      delivery.answerBy = Infinity
    }
    delivery.phase = "queued"
    this.queued++
    if (this.head === undefined || this.tail === undefined) {
      this.head = delivery
      this.tail = delivery
    } else if (first && delivery.order < this.tail.order) {
      let behind = this.head
      while (behind.order < delivery.order && behind.behind !== undefined) behind = behind.behind
      delivery.behind = behind
      delivery.ahead = behind.ahead
      if (behind.ahead === undefined) this.head = delivery
      else behind.ahead.behind = delivery
      behind.ahead = delivery
    } else {
      delivery.ahead = this.tail
      this.tail.behind = delivery
      this.tail = delivery
    }
    this.watch(delivery, now)
  }

  /** A queued delivery's time runs while nothing is there that could take it. */
  private watch(delivery: Delivery, now: number): void {
    delivery.answerBy = this.down ? now + delivery.budget : Infinity
    this.deadlines.set(delivery, this.limitOf(delivery))
  }

  private requeue(delivery: Delivery): void {
    const now = this.deadlines.now()
    if (this.state === "closed") {
      return this.settleFailed(delivery, Failure.closed("no", this.closeCause ?? { _tag: "ScopeClosed" }))
    }
    if (!this.trySend(delivery, now)) this.enqueue(delivery, now, true)
  }

  private park(delivery: Delivery, at: number): void {
    this.leave(delivery)
    delivery.phase = "retrying"
    delivery.inTrouble().retryAt = at
    this.parked.add(delivery)
    this.deadlines.set(delivery, Math.min(at, this.limitOf(delivery)))
  }

  /** Takes a delivery out of whatever place it is in. */
  private leave(delivery: Delivery): void {
    this.deadlines.remove(delivery)
    const { phase } = delivery
    delivery.phase = "new"
    switch (phase) {
      case "queued": {
        this.queued--
        const { ahead, behind } = delivery
        if (ahead === undefined) this.head = behind
        else ahead.behind = behind
        if (behind === undefined) this.tail = ahead
        else behind.ahead = ahead
        delivery.ahead = undefined
        delivery.behind = undefined
        return
      }
      case "inFlight":
        this.inFlight--
        return
      case "retrying":
        this.parked.delete(delivery)
        return
      case "new":
      case "settled":
        return
    }
  }

  private settleAnswered(delivery: Delivery, now: number): void {
    this.leave(delivery)
    delivery.phase = "settled"
    this.completed++
    if (delivery.status >= 300) ApnsMetrics.rejected(delivery.body)
    ApnsMetrics.answered(delivery.status, now - delivery.sentAt)
    delivery.onAnswered(now)
    this.checkSettledAll()
  }

  private settleFailed(delivery: Delivery, failure: Failure.PoolFailure): void {
    this.leave(delivery)
    delivery.phase = "settled"
    this.failedCount++
    ApnsMetrics.failed(failure._tag)
    delivery.onFailed(
      delivery.trouble?.doubtful === true && failure.processed === "no"
        ? { ...failure, processed: "unknown" }
        : failure
    )
    this.checkSettledAll()
  }

  /** Hands free streams to those who wait, first come first served. */
  private pump(): void {
    if (this.head === undefined || this.pumpHeld) return
    const now = this.deadlines.now()
    for (;;) {
      const delivery = this.head
      if (delivery === undefined) return
      const connection = this.pick(delivery.trouble?.avoid)
      if (connection === undefined) return
      this.leave(delivery)
      this.dispatch(delivery, connection, now)
    }
  }

  // ---------------------------------------------------------------------------
  // connections
  // ---------------------------------------------------------------------------

  onCapacity(connection: Connection.Connection): void {
    if (this.down || connection.unsafe.limit === 0) this.weigh()
    if (this.head !== undefined) this.pump()
  }

  /** APNs talks to this pool as it should: the next trouble starts with the shortest wait. */
  private steady(): void {
    if (!this.backedOff) return
    this.backedOff = false
    this.run(this.reconnect.reset)
  }

  onRetired(connection: Connection.Connection, cause: Failure.CloseCause): void {
    // also of a connection that has not joined yet: it may be told with the server's first bytes
    this.heed(cause)
    const i = this.rotation.indexOf(connection)
    if (i < 0) return
    this.rotation.splice(i, 1)
    this.next = 0
    this.draining.add(connection)
    this.weigh()
  }

  /** Credentials that APNs refuses will not do on another connection either: the pool closes, and says why. */
  private heed(cause: Failure.CloseCause): void {
    if (cause._tag === "Goaway" && cause.reason !== undefined && isCredentialReason(cause.reason)) {
      this.close({ _tag: "CredentialsRefused", reason: cause.reason })
    }
  }

  /** Is there a connection that could take a request, now or later? */
  private weigh(): void {
    let down = true
    for (const connection of this.rotation) {
      if (connection.unsafe.limit > 0) down = false
    }
    if (down === this.down) return
    this.down = down
    const now = this.deadlines.now()
    for (let delivery = this.head; delivery !== undefined; delivery = delivery.behind) {
      // whose time is over is due in this very millisecond
      if (delivery.answerBy <= now) continue
      if (delivery.answerBy !== Infinity) delivery.budget = delivery.answerBy - now
      this.watch(delivery, now)
    }
  }

  /** Opens `size` connections side by side and keeps that many. */
  start(size: number): Effect.Effect<void> {
    return Effect.forEach(Array.from({ length: size }), () => this.addSlot(), { discard: true })
  }

  resize(size: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.state !== "open") return Effect.void
      if (size >= this.slots.length) return this.start(size - this.slots.length)
      // those that carry nothing go first
      const surplus = [...this.slots]
        .sort((a, b) => (a.connection?.unsafe.inFlight ?? -1) - (b.connection?.unsafe.inFlight ?? -1))
        .slice(0, this.slots.length - size)
      this.slots = this.slots.filter((slot) => !surplus.includes(slot))
      for (const slot of surplus) this.vacate(slot)
      return Effect.void
    })
  }

  /** The time of the world outside. */
  get now(): number {
    return this.deadlines.now() - this.deadlines.ahead
  }

  private get isClosed(): boolean {
    return this.state === "closed"
  }

  get stats(): Stats {
    return {
      state: this.state,
      size: this.slots.length,
      active: this.rotation.length,
      connecting: this.slots.filter((slot) => slot.connecting).length,
      draining: this.draining.size,
      queued: this.queued,
      inFlight: this.inFlight,
      retrying: this.parked.size,
      completed: this.completed,
      failed: this.failedCount,
      interrupted: this.interrupted,
      attempts: this.attempts,
      connectionsOpened: this.opened,
      connectionsFailed: this.connectFailures,
      connectionsLost: this.lost
    }
  }

  /** What printing a pool shows: neither tokens nor requests. */
  toJSON(): unknown {
    return { _id: "@effect-apns/pool/ApnsPool", ...this.stats }
  }

  [NodeInspectSymbol](): unknown {
    return this.toJSON()
  }

  /**
   * Drains for as long as the policy says, then ends whatever is left. It cannot be interrupted, and it works in a fiber
   * that was: what may be ended by the time limit runs in a fiber of its own, since in an interrupted fiber everything
   * interruptible ends at once.
   */
  readonly shutdown: Effect.Effect<void> = Effect.suspend(() => {
    if (this.state === "open") {
      this.state = "closing"
      this.closeCause = { _tag: "ScopeClosed" }
    }
    const drained = Effect.async<void>((resume) => {
      this.onSettledAll = () => resume(Effect.void)
      this.checkSettledAll()
    })
    return Effect.forkDaemon(Effect.interruptible(Effect.timeoutOption(drained, this.policy.drainTimeout))).pipe(
      Effect.flatMap(Fiber.await),
      Effect.zipRight(Effect.sync(() => this.close({ _tag: "ScopeClosed" })))
    )
  }).pipe(Effect.uninterruptible)

  private checkSettledAll(): void {
    if (this.onSettledAll !== undefined && this.queued + this.inFlight + this.parked.size === 0) this.onSettledAll()
  }

  /** Ends the pool now: whoever waits fails, and no connection is opened any more. */
  private close(cause: Failure.CloseCause): void {
    if (this.state === "closed") return
    this.state = "closed"
    this.closeCause = cause
    if (cause._tag === "CredentialsRefused") {
      this.run(Effect.annotateLogs(
        Effect.logError(`The pool is closed: ${Failure.describeCause(cause)}`),
        this.policy.annotations
      ))
    }
    for (const slot of this.slots) this.vacate(slot)
    for (const connection of [...this.rotation, ...this.draining]) {
      if (cause._tag === "ScopeClosed") connection.unsafe.close(cause)
    }
    const failure = Failure.closed("no", cause)
    for (let delivery = this.head; delivery !== undefined; delivery = this.head) this.settleFailed(delivery, failure)
    for (const delivery of this.parked) this.settleFailed(delivery, failure)
  }

  private addSlot(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const slot = new Slot()
      this.slots.push(slot)
      const occupied = Effect.annotateLogs(this.occupy(slot), this.policy.annotations)
      return Effect.map(Effect.forkIn(Effect.interruptible(occupied), this.scope), (fiber) => {
        slot.fiber = fiber
      })
    })
  }

  private vacate(slot: Slot): void {
    slot.wanted = false
    slot.connecting = false
    slot.connection?.unsafe.retire()
    slot.fiber?.unsafeInterruptAsFork(FiberId.none)
  }

  /** One slot: opens a connection, waits until it is out of use, opens the next. */
  private occupy(slot: Slot): Effect.Effect<void> {
    // interrupted only while it waits: a connection that was just opened is never left to nobody
    return Effect.uninterruptibleMask((restore) =>
      Effect.gen(this, function*() {
        let replacing = false
        while (slot.wanted && !this.isClosed) {
          slot.connecting = true
          const scope = yield* Scope.fork(this.scope, ExecutionStrategy.sequential)
          const opening = Scope.extend(this.connect({ listener: this, deadlines: this.deadlines }), scope)
          const exit = yield* Effect.exit(restore(replacing || this.failing ? this.throttle(opening) : opening))
          replacing = true
          slot.connecting = false
          if (Exit.isFailure(exit)) {
            // first what callers want to know: what is left of the connection may take its time to end
            if (slot.wanted && !this.isClosed) yield* this.connectFailed(exit.cause)
            yield* Scope.close(scope, exit)
            continue
          }
          if (!slot.wanted || this.isClosed) {
            yield* Scope.close(scope, Exit.void)
            continue
          }
          const connection = exit.value
          yield* Effect.forkIn(
            Effect.interruptible(Effect.flatMap(connection.closed, (cause) => {
              this.draining.delete(connection)
              this.heed(cause)
              // the pool may be closing too: what was begun is done to its end
              return Effect.uninterruptible(Scope.close(scope, Exit.void))
            })),
            this.scope
          )
          slot.connection = connection
          const since = this.joined(connection)
          const number = this.opened
          yield* Effect.annotateLogs(Effect.logDebug("Connection to APNs opened"), "connection", number)
          const cause = yield* Effect.onInterrupt(restore(connection.retired), () => {
            const cause = this.closeCause ?? retired
            ApnsMetrics.connectionClosed(cause._tag)
            return logRetired(cause, number)
          })
          slot.connection = undefined
          this.left(connection, cause, since)
          yield* logRetired(cause, number)
        }
      })
    )
  }

  /**
   * A few at a time, so that one server that hangs in its handshake does not hold up the others; after a failure one at
   * a time, and as slowly as the schedule says: never a storm.
   */
  private throttle<A, E>(opening: Effect.Effect<A, E>): Effect.Effect<A, E | Exhausted> {
    return Effect.suspend(() =>
      this.gate.withPermits(this.failing ? gateWidth : 1)(Effect.suspend(() => {
        if (!this.failing) return opening
        this.backedOff = true
        const wait = this.reconnect.next(this.lastConnectFailure ?? { _tag: "Retired" })
        return Effect.zipRight(Effect.mapError(wait, () => new Exhausted()), opening)
      }))
    )
  }

  private connectFailed(
    cause: Cause.Cause<ConnectError.ConnectError | Credentials.CredentialsError | Exhausted>
  ): Effect.Effect<void> {
    const error = Option.getOrUndefined(Cause.failureOption(cause))
    if (error instanceof Exhausted) {
      return Effect.sync(() => this.close(this.lastConnectFailure ?? { _tag: "Retired" }))
    }
    this.failing = true
    this.connectFailures++
    this.lastConnectFailure = error === undefined
      ? { _tag: "Dropped", code: undefined }
      : { _tag: "ConnectFailed", error }
    ApnsMetrics.connectionFailed(error === undefined ? "Defect" : error._tag)
    // what went wrong is one sentence; the whole of it is for those who debug
    return error === undefined
      ? Effect.logWarning("No connection to APNs could be opened", cause)
      : Effect.zipRight(
        Effect.annotateLogs(
          Effect.logWarning(`No connection to APNs could be opened: ${error.message}`),
          "reason",
          error.reason
        ),
        Effect.logDebug("Why no connection to APNs could be opened", cause)
      )
  }

  private joined(connection: Connection.Connection): number {
    this.opened++
    this.failing = false
    ApnsMetrics.connectionOpened()
    if (connection.unsafe.state === "active") {
      this.rotation.push(connection)
      this.weigh()
      this.pump()
    }
    return this.deadlines.now()
  }

  private left(connection: Connection.Connection, cause: Failure.CloseCause, since: number): void {
    ApnsMetrics.connectionClosed(cause._tag)
    if (cause._tag === "ScopeClosed") return
    this.lost++
    // "Retired": what it was told of itself, with its first answers, was not to be used any longer
    const useless = !connection.unsafe.proven || cause._tag === "Retired"
    if (useless && this.deadlines.now() - since < shortLifeMillis) {
      this.failing = true
      this.lastConnectFailure = cause
    }
  }
}

const retired: Failure.CloseCause = { _tag: "Retired" }

/** What is usual (APNs asks to go elsewhere) is for information, what is not is a warning. */
const logRetired = (cause: Failure.CloseCause, connection: number): Effect.Effect<void> => {
  const message = `Connection to APNs retired: ${Failure.describeCause(cause)}`
  const log = cause._tag === "Goaway"
    ? cause.codeName === "NO_ERROR" ? Effect.logInfo(message) : Effect.logWarning(message)
    : cause._tag === "Dropped"
    ? cause.code === undefined ? Effect.logInfo(message) : Effect.logWarning(message)
    : cause._tag === "PingTimeout" || cause._tag === "ProtocolError"
    ? Effect.logWarning(message)
    : Effect.logDebug(message)
  return Effect.annotateLogs(log, { connection, cause: cause._tag })
}

class Exhausted {
  readonly _tag = "Exhausted"
}

const isCredentialReason = (raw: string): boolean => {
  const reason = Reason.known(raw)
  return reason !== undefined && Reason.table[reason].class === "credential-fatal"
}
