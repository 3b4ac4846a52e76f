import type { ProviderToken } from "@effect-apns/core"
import { Failure, Response } from "@effect-apns/core"
import type * as Deadlines from "@effect-apns/core/unstable/Deadlines"
import { Reason } from "@effect-apns/models"
import * as Cause from "effect/Cause"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { NodeInspectSymbol } from "effect/Inspectable"
import type * as Runtime from "effect/Runtime"
import type * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Utils from "effect/Utils"
import { isPromise } from "node:util/types"
import type { Stats } from "../ApnsPool.js"
import type { Delivery } from "../unstable/Delivery.js"
import { log, run } from "./effects.js"
import { type Connect, type Counts, type Member, type Owner, Roster } from "./roster.js"
import { Schedules } from "./schedules.js"
import * as Verdict from "./verdict.js"
import { Waiting } from "./waiting.js"

/** The counters of requests and connections. */
export interface Metrics extends Counts {
  answered(status: number, millis: number): void
  rejected(reason: string | undefined): void
  failed(tag: string): void
}

export interface Policy {
  readonly retransmit: "collapsible" | "always" | "never"
  /** How often a request that may have been processed is sent again. */
  readonly maxRetransmits: number
  /** How many requests of callers that send one at a time may wait. */
  readonly maxQueued: number
  readonly retrySchedule: Schedule.Schedule<unknown, Failure.Failure>
  readonly backoffSchedule: Schedule.Schedule<unknown, Response.Response>
  readonly reconnectSchedule: Schedule.Schedule<unknown, Failure.CloseCause>
  readonly drainTimeout: Duration.Duration
  /** Annotations of every log line of the pool. */
  readonly annotations: Readonly<Record<string, string>>
  readonly metrics: Metrics
}

/** A request whose provider token was refused. */
interface Refused {
  readonly delivery: Delivery
  /** Settles it with the answer that it has. */
  readonly settle: () => void
}

const reasonOf = (answer: Delivery["answer"]): string | undefined =>
  answer === undefined || Either.isLeft(answer) ? undefined : answer.right.reason

/**
 * The pool without its Effect API: plain state and callbacks. It keeps each delivery until it is settled: those that wait,
 * those in flight, and those to be sent again at some time. The roster keeps the connections, {@link Waiting} the order of
 * those that wait, and `verdict.ts` decides what an answer or a failure leads to.
 */
export class Engine implements Owner {
  state: "open" | "closing" | "closed" = "open"
  private closeCause: Failure.CloseCause | undefined = undefined

  private readonly roster: Roster
  private readonly waiting = new Waiting()
  private readonly parked = new Set<Delivery>()
  /** How many of the parked were sent one at a time. */
  private parkedSingles = 0
  private readonly schedules: Schedules
  /** Requests whose provider token was refused, while a new one is being signed; by the refused token. */
  private readonly resigning = new Map<ProviderToken.Token, Array<Refused>>()
  /** When APNs last asked for fewer provider tokens. */
  private keptAt = -Infinity
  private inFlight = 0
  private completed = 0
  private failedCount = 0
  private interrupted = 0
  private attempts = 0

  private onSettledAll: (() => void) | undefined = undefined
  /** Waiting deliveries are sent at the end of this tick, not now. */
  private pumpHeld = false
  /** Numbers deliveries, so that one that is put back keeps its place in the queue. */
  private sequence = 0

  constructor(
    connect: Connect,
    private readonly policy: Policy,
    private readonly deadlines: Deadlines.Deadlines,
    private readonly token: ProviderToken.ProviderToken | undefined,
    private readonly runtime: Runtime.Runtime<never>,
    scope: Scope.CloseableScope,
    seed: number
  ) {
    this.schedules = new Schedules(runtime, new Utils.PCGRandom(seed))
    this.roster = new Roster(
      this,
      connect,
      policy.reconnectSchedule,
      deadlines,
      runtime,
      scope,
      policy.annotations,
      policy.metrics
    )
  }

  // --- new deliveries ---

  submit(delivery: Delivery, now = this.deadlines.now()): void {
    delivery.engine = this
    delivery.order = this.sequence++
    if (this.state !== "open") {
      return this.settleFailed(delivery, Failure.closed("no", this.closeCause ?? scopeClosed))
    }
    const spec = delivery.spec
    const outside = now - this.deadlines.ahead
    if (spec.deadlineMillis <= outside || spec.expirationMillis <= outside) {
      return this.settleFailed(
        delivery,
        Failure.timeout("no", spec.deadlineMillis <= spec.expirationMillis ? "deadline" : "expiration")
      )
    }
    if (this.waiting.size === 0 && this.trySend(delivery, now)) return
    // bulks have their own bounds
    if (delivery.lane === undefined && this.waiting.singles + this.parkedSingles >= this.policy.maxQueued) {
      return this.settleFailed(delivery, Failure.queueFull(this.policy.maxQueued))
    }
    this.enqueue(delivery, now, false)
  }

  /** Removes a delivery without an outcome: its caller was interrupted. */
  cancel(delivery: Delivery): void {
    if (delivery.engine !== this) return
    const phase = delivery.phase
    if (phase === "new" || phase === "settled") return
    this.dequeue(delivery)
    delivery.phase = "settled"
    this.interrupted++
    if (phase === "inFlight") {
      // callers are often interrupted in groups: do not send the next of them on the stream that became free
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

  // --- the outcome of an attempt ---

  answered(delivery: Delivery, now: number): void {
    if (delivery.phase !== "inFlight") return
    if (delivery.status >= 200 && delivery.status < 300) {
      const { member } = delivery
      if (member !== undefined && !member.answered) this.roster.onUseful(member)
      this.settleAnswered(delivery, now)
    } else this.rejected(delivery, now)
  }

  private rejected(delivery: Delivery, now: number): void {
    const parsed = Response.fromStream(delivery, delivery.attempts, now - this.deadlines.ahead)
    delivery.answer = parsed
    if (Either.isLeft(parsed)) {
      return this.settleFailed(delivery, Failure.malformed(delivery.status, parsed.left))
    }
    const response = parsed.right
    const info = Reason.info(response.reason ?? "", response.status)
    const { member } = delivery
    // if a new connection cannot repair the credentials, the caller must: replacing connections would not help
    if (info.connection === "recycle") member?.unsafe?.retire()
    else if (member !== undefined && !member.answered) {
      if (response.status >= 500) this.roster.onTrouble(member)
      else this.roster.onUseful(member)
    }
    if (this.state === "closed") return this.settleAnswered(delivery, now)
    // after an error inside APNs it is unknown how much was processed
    if (response.status === 500) delivery.inTrouble().doubtful = true
    const signed = this.token !== undefined && delivery.token !== undefined
    const settle = () => this.settleAnswered(delivery, this.deadlines.now())
    switch (Verdict.ofAnswer(info, delivery.trouble ?? Verdict.noHistory, signed)) {
      case "resign":
        return this.resign(delivery, settle)
      case "keepToken":
        delivery.inTrouble().resigned = true
        if (delivery.token !== undefined) this.keepToken(delivery.token, now)
        return this.backoff(delivery, response, settle)
      case "repeat":
        return this.repeat(delivery)
      case "backoff":
      case "retry":
        return this.backoff(delivery, response, settle)
      case "settle":
        return this.settleAnswered(delivery, now)
    }
  }

  failed(delivery: Delivery, failure: Failure.Failure): void {
    if (delivery.phase !== "inFlight") return
    // a stream was free: only a custom connection can report that there was none
    if (failure._tag === "Blocked") return this.failed(delivery, Failure.closed("no", { _tag: "Retired" }))
    if (this.state === "closed") return this.settleFailed(delivery, failure)
    const verdict = Verdict.ofFailure(failure, delivery.trouble ?? Verdict.noHistory, {
      retransmit: this.mayRetransmit(delivery),
      maxRetransmits: this.policy.maxRetransmits
    })
    switch (verdict) {
      case "repeat":
        return this.repeat(delivery)
      case "retry": {
        const trouble = delivery.inTrouble()
        if (failure.processed === "unknown") {
          trouble.doubtful = true
          trouble.copies++
        }
        return this.ask("retry", delivery, this.policy.retrySchedule, failure, (at) => {
          if (at === undefined) this.settleFailed(delivery, failure)
          else this.park(delivery, at)
        })
      }
      default:
        return this.settleFailed(delivery, failure)
    }
  }

  /** The handler in place of APNs has died, or what was submitted is not a request. */
  died(delivery: Delivery, cause: Cause.Cause<never>, processed: "unknown" | "no" = "unknown"): void {
    if (delivery.phase !== "inFlight") return
    if (delivery.onDied === undefined) {
      this.report("The handler of a request has died, or the request is none", cause)
      return this.settleFailed(delivery, Failure.closed(processed, { _tag: "Dropped", code: undefined }))
    }
    this.dequeue(delivery)
    delivery.phase = "settled"
    this.failedCount++
    this.policy.metrics.failed("Defect")
    try {
      this.watchPromise(delivery.onDied(cause))
    } catch (defect) {
      this.callbackThrew(defect)
    }
    this.checkSettledAll()
  }

  due(delivery: Delivery, now: number): void {
    switch (delivery.phase) {
      case "queued":
        return this.settleFailed(
          delivery,
          Failure.timeout("no", delivery.limit, this.roster.down ? this.roster.failure : undefined)
        )
      case "inFlight": {
        const connection = delivery.connection
        if (delivery.status !== 0) {
          // the headers of the answer have arrived: APNs has processed the request, with any body
          connection?.unsafe.cancel(delivery)
          delivery.truncated = true
          return this.answered(delivery, now)
        }
        this.settleFailed(delivery, Failure.timeout("unknown", delivery.limit))
        connection?.unsafe.cancel(delivery)
        connection?.unsafe.suspect()
        return
      }
      case "retrying": {
        // it is due at the earlier one of its limit and the end of its wait
        if (this.limitOf(delivery) <= now) {
          return this.settleFailed(delivery, Failure.timeout("no", delivery.limit))
        }
        this.dequeue(delivery)
        delivery.prepareRetry()
        if (this.waiting.size > 0 || !this.trySend(delivery, now)) this.enqueue(delivery, now, true)
        return
      }
      case "new":
      case "settled":
        return
    }
  }

  // --- applying a verdict ---

  /** Exactly one new signature for all requests that failed with the old token; each of them is sent once more. */
  private resign(delivery: Delivery, settle: () => void): void {
    const { token } = delivery
    const signer = this.token
    if (signer === undefined || token === undefined) return settle()
    delivery.inTrouble().resigned = true
    this.park(delivery, Infinity)
    const others = this.resigning.get(token)
    if (others !== undefined) return void others.push({ delivery, settle })
    const refused = [{ delivery, settle }]
    this.resigning.set(token, refused)
    // many are refused in one tick: one new signature for all of them
    process.nextTick(() =>
      run(this.runtime, signer.expired(token), (exit) => {
        this.resigning.delete(token)
        for (const { delivery, settle } of refused) {
          if (delivery.phase !== "retrying") continue
          if (Exit.isFailure(exit)) settle()
          else this.requeue(delivery)
        }
      })
    )
  }

  /** Stops signing of new tokens for a while; at most once a millisecond, for any number of answers. */
  private keepToken(token: ProviderToken.Token, now: number): void {
    if (this.token === undefined || this.keptAt === now) return
    this.keptAt = now
    run(this.runtime, this.token.tooManyUpdates(token))
  }

  /** Sends it again at once, if possible on another connection. */
  private repeat(delivery: Delivery): void {
    delivery.inTrouble().moves++
    this.requeue(delivery)
  }

  /** Sends it again after `Retry-After`, or the wait of the back-off schedule, if there is time. */
  private backoff(delivery: Delivery, response: Response.Response, settle: () => void): void {
    this.ask("backoff", delivery, this.policy.backoffSchedule, response, (scheduled) => {
      if (scheduled === undefined) return settle()
      const retryAfter = response.retryAfter === undefined ? 0 : Duration.toMillis(response.retryAfter)
      // never send again at once to a server that is too busy
      const at = retryAfter <= 0 ? scheduled : this.deadlines.now() + retryAfter
      if (at >= this.limitOf(delivery)) settle()
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
    const trouble = delivery.inTrouble()
    const before = trouble.schedule?.kind === kind ? trouble.schedule.place : undefined
    const place = this.schedules.compute(schedule, now, before)
    if (place !== undefined) {
      trouble.schedule = { kind, place }
      return then(place.at)
    }
    // a schedule of the caller may be slow: the delivery keeps its deadline, and is found when the pool closes
    this.park(delivery, Infinity)
    this.schedules.ask(schedule, now, input, before, (exit) => {
      if (delivery.phase !== "retrying") return
      if (Exit.isFailure(exit)) {
        this.report(`The ${kind} schedule has failed`, exit.cause)
        return then(undefined)
      }
      trouble.schedule = { kind, place: exit.value }
      then(exit.value.at)
    })
  }

  private mayRetransmit(delivery: Delivery): boolean {
    const policy = delivery.spec.retransmit ?? this.policy.retransmit
    return policy === "always" || (policy === "collapsible" && delivery.spec.collapsible)
  }

  /** When the delivery fails, no matter what it waits for; records which limit that is. */
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
    const member = this.roster.pick(delivery.trouble?.avoid)
    if (member === undefined) return false
    this.dispatch(delivery, member, now)
    return true
  }

  private dispatch(delivery: Delivery, member: Member, now: number): void {
    if (delivery.answerBy === Infinity) delivery.answerBy = now + delivery.budget
    const at = this.limitOf(delivery)
    if (at <= now) {
      // its deadline is in this millisecond: too late to send
      return this.settleFailed(delivery, Failure.timeout("no", delivery.limit))
    }
    delivery.phase = "inFlight"
    delivery.member = member
    delivery.sentAt = now
    delivery.answer = undefined
    delivery.attempts++
    this.inFlight++
    this.attempts++
    let taken
    try {
      taken = member.unsafe?.exchange(delivery, now, false) === true
    } catch (defect) {
      // what was submitted is not a request: its caller gets the defect
      delivery.attempts--
      this.attempts--
      return this.died(delivery, Cause.die(defect), "no")
    }
    if (taken) member.used = true
    else {
      delivery.attempts--
      this.attempts--
      // the connection sends a PING first
      if (member.unsafe?.trusted === false) {
        this.dequeue(delivery)
        if (!this.trySend(delivery, now)) this.enqueue(delivery, now, true)
        return
      }
      // there was a free stream, so this request itself cannot be sent, unless another connection takes it
      if ((delivery.trouble?.moves ?? 0) < Verdict.maxMoves) return this.repeat(delivery)
      return this.settleFailed(delivery, Failure.closed("no", { _tag: "HeadersRefused" }))
    }
    this.deadlines.set(delivery, at)
  }

  private enqueue(delivery: Delivery, now: number, returned: boolean): void {
    if (delivery.answerBy !== Infinity) {
      delivery.budget = Math.max(0, delivery.answerBy - now)
      delivery.answerBy = Infinity
    }
    delivery.phase = "queued"
    if (returned) this.waiting.addReturned(delivery)
    else this.waiting.add(delivery)
    this.watch(delivery, now)
    if (this.roster.down) this.roster.onWaiting()
  }

  /** The timeout of a queued delivery runs while no connection could take it. */
  private watch(delivery: Delivery, now: number): void {
    delivery.answerBy = this.roster.down ? now + delivery.budget : Infinity
    this.deadlines.set(delivery, this.limitOf(delivery))
  }

  /** Sends a delivery again, if possible on another connection than the last time. */
  private requeue(delivery: Delivery): void {
    this.dequeue(delivery)
    delivery.prepareRetry()
    delivery.inTrouble().avoid = delivery.member
    const now = this.deadlines.now()
    if (this.state === "closed") {
      return this.settleFailed(delivery, Failure.closed("no", this.closeCause ?? scopeClosed))
    }
    if (!this.trySend(delivery, now)) this.enqueue(delivery, now, true)
  }

  private park(delivery: Delivery, at: number): void {
    this.dequeue(delivery)
    delivery.phase = "retrying"
    const trouble = delivery.inTrouble()
    trouble.retryAt = at
    trouble.avoid = delivery.member
    this.parked.add(delivery)
    if (delivery.lane === undefined) this.parkedSingles++
    this.deadlines.set(delivery, Math.min(at, this.limitOf(delivery)))
  }

  /** Removes a delivery from the place where it is. */
  private dequeue(delivery: Delivery): void {
    this.deadlines.remove(delivery)
    const { phase } = delivery
    delivery.phase = "new"
    switch (phase) {
      case "queued":
        return this.waiting.remove(delivery)
      case "inFlight":
        this.inFlight--
        return
      case "retrying":
        this.parked.delete(delivery)
        if (delivery.lane === undefined) this.parkedSingles--
        return
      case "new":
      case "settled":
        return
    }
  }

  private settleAnswered(delivery: Delivery, now: number): void {
    this.dequeue(delivery)
    delivery.phase = "settled"
    this.completed++
    if (delivery.status >= 300) this.policy.metrics.rejected(reasonOf(delivery.answer))
    this.policy.metrics.answered(delivery.status, now - delivery.sentAt)
    try {
      const returned: unknown = delivery.onAnswered(now)
      if (returned !== undefined) this.watchPromise(returned)
    } catch (defect) {
      this.callbackThrew(defect)
    }
    if (this.onSettledAll !== undefined) this.checkSettledAll()
  }

  private settleFailed(delivery: Delivery, failure: Failure.PoolFailure): void {
    this.dequeue(delivery)
    delivery.phase = "settled"
    this.failedCount++
    this.policy.metrics.failed(failure._tag)
    try {
      const returned: unknown = delivery.onFailed(
        delivery.trouble?.doubtful === true && failure.processed === "no" && failure._tag !== "QueueFull"
          ? { ...failure, processed: "unknown" }
          : failure
      )
      if (returned !== undefined) this.watchPromise(returned)
    } catch (defect) {
      this.callbackThrew(defect)
    }
    this.checkSettledAll()
  }

  /** A callback of the caller has thrown: logged, and other deliveries are not affected. */
  private callbackThrew(defect: unknown): void {
    this.report("A callback of a delivery has thrown", Cause.die(defect))
  }

  /** A callback may be an async function, too, as far as the types say: nothing waits for it, but its rejection is logged. */
  private watchPromise(returned: unknown): void {
    if (isPromise(returned)) {
      void Promise.prototype.then.call(returned, undefined, (defect) => this.callbackThrew(defect))
    }
  }

  private report(message: string, cause: Cause.Cause<unknown>): void {
    run(this.runtime, log(Effect.annotateLogs(Effect.logError(message, cause), this.policy.annotations)))
  }

  // --- Owner ---

  get someWait(): boolean {
    return this.waiting.size > 0
  }

  /** Sends waiting deliveries on free streams. */
  pump(): void {
    const { roster, waiting } = this
    if (waiting.size === 0 || this.pumpHeld) return
    const now = this.deadlines.now()
    for (let delivery = waiting.first; delivery !== undefined; delivery = waiting.first) {
      const member = roster.pick(delivery.trouble?.avoid)
      if (member === undefined) return
      waiting.shift()
      this.deadlines.remove(delivery)
      delivery.phase = "new"
      this.dispatch(delivery, member, now)
    }
  }

  updateAvailability(): void {
    const now = this.deadlines.now()
    this.waiting.forEach((delivery) => {
      // deliveries whose time is over are due in this millisecond
      if (delivery.answerBy <= now) return
      if (delivery.answerBy !== Infinity) delivery.budget = delivery.answerBy - now
      this.watch(delivery, now)
    })
  }

  /** Ends the pool now: waiting deliveries fail, and no more connections are opened. */
  close(cause: Failure.CloseCause, withinMillis?: number): void {
    if (this.state === "closed") return
    this.state = "closed"
    this.closeCause = cause
    if (cause._tag !== "ScopeClosed") {
      run(
        this.runtime,
        log(Effect.annotateLogs(
          Effect.logError(`The pool is closed: ${Failure.describeCause(cause)}`),
          this.policy.annotations
        ))
      )
    }
    this.roster.end(cause, withinMillis)
    const failure = Failure.closed("no", cause)
    for (let delivery = this.waiting.first; delivery !== undefined; delivery = this.waiting.first) {
      this.settleFailed(delivery, failure)
    }
    for (const delivery of this.parked) this.settleFailed(delivery, failure)
  }

  // --- the pool's own life ---

  /** Opens `size` connections side by side and keeps that many. */
  start(size: number): Effect.Effect<void> {
    return this.roster.start(size)
  }

  resize(size: number, drainWithin?: Duration.Duration): Effect.Effect<void> {
    return Effect.suspend(() => this.state === "open" ? this.roster.resize(size, drainWithin) : Effect.void)
  }

  /**
   * Drains for at most `drainTimeout`, then ends what is left. It cannot be interrupted, and also works in a fiber that was
   * interrupted: the part with the time limit runs in its own fiber, since in an interrupted fiber everything interruptible
   * ends at once.
   */
  readonly shutdown: Effect.Effect<void> = Effect.suspend(() => {
    if (this.state === "open") {
      this.state = "closing"
      this.closeCause = scopeClosed
    }
    const drained = Effect.async<void>((resume) => {
      this.onSettledAll = () => resume(Effect.void)
      this.checkSettledAll()
    })
    const closedBy = this.deadlines.now() + Duration.toMillis(this.policy.drainTimeout)
    return Effect.forkDaemon(Effect.interruptible(Effect.timeoutOption(drained, this.policy.drainTimeout))).pipe(
      Effect.flatMap(Fiber.await),
      Effect.zipRight(Effect.sync(() => this.close(scopeClosed, closedBy - this.deadlines.now())))
    )
  }).pipe(Effect.uninterruptible)

  private checkSettledAll(): void {
    if (this.onSettledAll !== undefined && this.waiting.size + this.inFlight + this.parked.size === 0) {
      this.onSettledAll()
    }
  }

  /** The wall-clock time. */
  get now(): number {
    return this.deadlines.now() - this.deadlines.ahead
  }

  get stats(): Stats {
    const { unreachable, ...connections } = this.roster.counters
    return {
      state: this.state,
      ...connections,
      queued: this.waiting.size,
      inFlight: this.inFlight,
      retrying: this.parked.size,
      completed: this.completed,
      failed: this.failedCount,
      interrupted: this.interrupted,
      attempts: this.attempts,
      unreachable: unreachable === undefined
        ? undefined
        : { since: DateTime.unsafeMake(unreachable.sinceMillis), cause: unreachable.cause }
    }
  }

  /** What printing a pool shows: no tokens and no requests. */
  toJSON(): unknown {
    return { _id: "@effect-apns/pool/ApnsPool", ...this.stats }
  }

  [NodeInspectSymbol](): unknown {
    return this.toJSON()
  }
}

const scopeClosed: Failure.CloseCause = { _tag: "ScopeClosed" }
