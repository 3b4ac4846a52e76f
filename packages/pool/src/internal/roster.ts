import type { ConnectError, Connection, Credentials } from "@effect-apns/core"
import { Failure } from "@effect-apns/core"
import type * as UnstableConnection from "@effect-apns/core/unstable/Connection"
import type * as Deadlines from "@effect-apns/core/unstable/Deadlines"
import { Reason } from "@effect-apns/models"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import type * as Runtime from "effect/Runtime"
import type * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { Budget } from "./budget.js"
import { log, type Place, run, step } from "./effects.js"

/** Opens one connection. */
export type Connect = (
  parts: UnstableConnection.Parts
) => Effect.Effect<Connection.Connection, ConnectError.ConnectError | Credentials.CredentialsError, Scope.Scope>

/** What a roster calls when something happens to its connections, in the same tick. */
export interface Owner {
  /** Requests wait for a free stream. */
  readonly someWait: boolean
  /** Streams may be free. */
  pump(): void
  /** No connection can take a request any more, or one can again. */
  updateAvailability(down: boolean): void
  /** No more connections are opened: the owner must end, and call {@link Roster.end}. */
  close(cause: Failure.CloseCause): void
}

/** The counters of connections. */
export interface Counts {
  connectionOpened(): void
  connectionFailed(reason: string): void
  connectionClosed(cause: string): void
}

/** A connection that ends sooner than this, without a useful answer, counts as a failed attempt. */
export const shortLifeMillis = 10_000

/** How many requests may be in flight on a connection before the server has shown that it is there. */
export const unprovenLimit = 8

/** How many connections are opened at the same time to replace others, while none fails. */
const doorWidth = 4

/**
 * How many connections in a row, beside as many as the pool has, may ask for another one by GOAWAY although they carry few
 * requests, and before a useful answer comes: it may come later.
 */
const rotationsAhead = 20

/**
 * If the process did not stand still: how long a PING may wait for its answer before another connection is opened for
 * waiting requests. Longer than a round trip on most networks, so that no connection is opened without need.
 */
const roundTripMillis = 250

/** A failure this long after the last one starts a new back-off, with the shortest wait. */
const settledMillis = 60_000

/** At most one warning about lost connections in this time. */
const quietMillis = 60_000

/** The wait if the reconnect schedule itself fails. */
const brokenScheduleMillis = 30_000

/** One connection of a pool, from the attempt to open it until it is closed. */
export class Member implements UnstableConnection.Listener, Deadlines.Entry {
  dueBucket: Deadlines.Bucket | undefined = undefined
  dueAt = 0
  duePrevious: Deadlines.Entry | undefined = undefined
  dueNext: Deadlines.Entry | undefined = undefined
  /** The connection, once it is open. */
  unsafe: UnstableConnection.Unsafe | undefined = undefined
  /** How many requests may be in flight on it: few until the server has shown that it is there. */
  most = unprovenLimit
  /** A request was sent on it. */
  used = false
  /** An answer came on it that shows that it is useful. */
  answered = false
  /** Errors of the server came on it as answers: they show that the server is there, and no more. */
  troubled = false
  /** Whether it was useful has been decided. */
  decided = false
  /** When it was opened. */
  since = 0
  /** When the PING was sent that must be answered first; `-Infinity` if the process stood still before that. */
  suspectSince = 0
  /** Its number among all connections of the pool. */
  number = 0

  constructor(private readonly roster: Roster) {}

  onCapacity(): void {
    this.roster.onCapacity(this)
  }

  onRetired(_connection: Connection.Connection, cause: Failure.CloseCause): void {
    this.roster.onRetired(this, cause)
  }

  /** The first answer, whatever it says, or the first PONG. */
  onProven(): void {
    this.roster.onProven(this)
  }

  onSuspect(_connection: Connection.Connection, paused: boolean): void {
    this.roster.onSuspect(this, paused)
  }

  /** It has been open for {@link shortLifeMillis}. */
  onDue(): void {
    this.roster.onSurvived(this)
  }
}

/** Keeps one connection open: when it ends, the next one is opened. */
class Slot {
  member: Member | undefined = undefined
  fiber: Fiber.RuntimeFiber<void> | undefined = undefined
  wanted = true
  connecting = false
}

/** Since when there is no connection, and why. */
export interface Unreachable {
  readonly sinceMillis: number
  readonly cause: Failure.CloseCause
}

export interface Counters {
  readonly size: number
  readonly active: number
  readonly connecting: number
  readonly draining: number
  readonly connectionsOpened: number
  readonly connectionsFailed: number
  readonly connectionsLost: number
  readonly unreachable: Unreachable | undefined
}

/**
 * The connections of a pool: which there are, which take requests, which one takes the next, and when another one is
 * opened.
 *
 * **Back-off.** The pool is failing as soon as an attempt to connect fails, or a connection ends that was not useful: no
 * useful answer came on it, and it ended within {@link shortLifeMillis}, or requests were sent on it, or it never answered
 * a PING.
 * While it is failing, connections are opened one at a time, each after the wait of the reconnect schedule. It ends when a
 * connection is proven: by its first useful answer, or by a PONG and by staying open for {@link shortLifeMillis}, if every
 * request that was sent on it was answered at least with an error. Being opened is no proof, since many broken servers accept
 * connections; nor is a PONG, if requests get no answer. After the first useful answer of a connection the next failure also
 * starts with the shortest wait. An error of the server (5xx) is an answer, and not a useful one.
 *
 * **The ceiling.** A server may answer once and close, again and again. So after as many replacements as the pool has
 * connections, there is at most one for each {@link Roster.ceilingMillis}, for any cause. Only after GOAWAY with NO_ERROR
 * that includes requests is the connection replaced at once: that is how servers should ask for another connection. But a
 * server that does it again and again after a few requests, and gives no useful answer, is failing too.
 *
 * **The spare.** After a pause the network may have dropped a connection silently: that is only known when its PING has no
 * answer, which takes seconds. So if requests wait and every connection is suspect, one more connection is opened, and
 * requests are sent on the first that can take them. If a PONG comes, the spare is closed; if a suspect connection ends,
 * the spare takes its place.
 */
export class Roster {
  /** The average time between replacements is at least this. (A test sets it to 0, to see too many connections.) */
  static ceilingMillis = 500

  private readonly rotation: Array<Member> = []
  private readonly draining = new Set<Member>()
  private slots: Array<Slot> = []
  private spare: Slot | undefined = undefined
  /** Whether a spare is needed was checked since the last change. */
  private asked = false
  private next = 0

  /** No connection can take a request. */
  down = true
  private ended: Failure.CloseCause | undefined = undefined

  private opened = 0
  private failures = 0
  private lost = 0

  private failing = false
  /** Why the last attempt to connect failed, or why the last connection was not useful. */
  failure: Failure.CloseCause | undefined = undefined
  private place: Place | undefined = undefined
  private calmSince = -Infinity
  /** Completed when nothing needs to wait for the reconnect schedule any more. */
  private readonly waits = new Set<() => void>()
  /** Limits how many connections are opened at the same time to replace others. */
  private readonly door = new Budget(doorWidth)
  /** Until when the ceiling is reached. */
  private ceiling = -Infinity
  /** Since the last connection's first useful answer: how many have asked for another one by GOAWAY with few requests on them. */
  private rotations = 0

  private unreachable: Unreachable | undefined = undefined
  private warned: "no" | "one" | "all" = "no"
  /** For each cause: until when more connections that end by it are only counted, and how many there were. */
  private readonly quiet = new Map<string, { until: number; others: number }>()

  constructor(
    private readonly owner: Owner,
    private readonly connect: Connect,
    private readonly schedule: Schedule.Schedule<unknown, Failure.CloseCause>,
    private readonly deadlines: Deadlines.Deadlines,
    private readonly runtime: Runtime.Runtime<never>,
    private readonly scope: Scope.CloseableScope,
    /** Annotations of every log line. */
    private readonly annotations: Readonly<Record<string, string>>,
    private readonly metrics: Counts
  ) {}

  get counters(): Counters {
    return {
      size: this.slots.length,
      active: this.rotation.length,
      connecting: this.slots.filter(({ connecting }) => connecting).length + (this.spare?.connecting === true ? 1 : 0),
      draining: this.draining.size,
      connectionsOpened: this.opened,
      connectionsFailed: this.failures,
      connectionsLost: this.lost,
      unreachable: this.unreachable
    }
  }

  // --- which connection takes the next request ---

  /** The connection with the fewest requests among those that can take one; `avoid` only if there is no other. */
  pick(avoid: Member | undefined): Member | undefined {
    const { rotation } = this
    const n = rotation.length
    let best: Member | undefined = undefined
    let fewest = Infinity
    let fallback: Member | undefined = undefined
    let i = this.next
    for (let k = 0; k < n; k++) {
      if (++i >= n) i = 0
      const member = rotation[i]
      if (member === undefined) continue
      const { unsafe } = member
      if (unsafe === undefined) continue
      const { inFlight } = unsafe
      if (inFlight < fewest && inFlight < member.most && unsafe.available > 0) {
        if (member === avoid) fallback = member
        else {
          fewest = inFlight
          best = member
          this.next = i
        }
      }
    }
    return best ?? fallback
  }

  // --- events of connections ---

  onCapacity(member: Member): void {
    if (this.down || this.spare !== undefined || member.unsafe?.limit === 0) this.updateDown()
    this.owner.pump()
  }

  onRetired(member: Member, cause: Failure.CloseCause): void {
    // also for a connection that was not added yet: this may happen with the first bytes of the server
    this.closeOnCredentialReason(cause)
    const i = this.rotation.indexOf(member)
    if (i < 0) return
    this.rotation.splice(i, 1)
    this.next = 0
    this.draining.add(member)
    this.noteReach()
    this.updateDown()
  }

  onSuspect(member: Member, paused: boolean): void {
    if (!this.rotation.includes(member)) return
    member.suspectSince = paused ? -Infinity : this.deadlines.now()
    this.asked = false
    this.updateDown()
    if (this.down && this.owner.someWait) this.onWaiting()
  }

  onProven(member: Member): void {
    if (member.most === Infinity) return
    member.most = Infinity
    this.owner.pump()
  }

  /** The first answer shows that the connection is useful. */
  onUseful(member: Member): void {
    member.answered = true
    member.most = Infinity
    this.rotations = 0
    this.deadlines.remove(member)
    this.place = undefined
    this.endBackOff()
  }

  /** The server has answered with an error: it is there, which is enough for a connection that stays open. */
  onTrouble(member: Member): void {
    member.troubled = true
    if (this.failing && this.deadlines.now() - member.since >= shortLifeMillis) this.proveOpen(member)
  }

  onSurvived(member: Member): void {
    if (member.unsafe?.state !== "active") return
    member.most = Infinity
    this.proveOpen(member)
    this.owner.pump()
  }

  /** It has been open for {@link shortLifeMillis}. */
  private proveOpen(member: Member): void {
    // if not even the PING after SETTINGS was answered, or no request at all, being open proves nothing
    if (member.unsafe?.state !== "active" || !member.unsafe.proven) return
    if (!member.used || member.troubled) this.endBackOff()
  }

  /** Credentials that APNs refuses will be refused on every connection: the pool closes, with the reason. */
  private closeOnCredentialReason(cause: Failure.CloseCause): void {
    if (cause._tag === "Goaway" && cause.reason !== undefined && Reason.isCredentialReason(cause.reason)) {
      this.owner.close({ _tag: "CredentialsRefused", reason: cause.reason })
    }
  }

  /** Checks whether any connection could take a request as soon as it has a free stream. */
  private updateDown(): void {
    let down = true
    let needsSpare = true
    for (const { unsafe } of this.rotation) {
      if (unsafe === undefined || unsafe.limit === 0 || !unsafe.trusted) continue
      down = false
      if (unsafe !== this.spare?.member?.unsafe) needsSpare = false
    }
    if (!needsSpare) this.dismissSpare()
    if (down === this.down) return
    this.down = down
    this.asked = false
    this.owner.updateAvailability(down)
  }

  // --- the spare ---

  /** Requests wait, and no connection can take one at the moment. */
  onWaiting(): void {
    if (this.asked || this.ended !== undefined) return
    this.asked = true
    // without any connection, the slots are opening some already
    if (this.rotation.length === 0) return
    let since = -Infinity
    for (const { suspectSince, unsafe } of this.rotation) {
      if (unsafe?.trusted !== false) return
      unsafe.hasten()
      since = Math.max(since, suspectSince)
    }
    // a slot without a connection is opening one already
    if (this.spare !== undefined || this.slots.some(({ member }) => member?.unsafe?.state !== "active")) return
    const slot = new Slot()
    this.spare = slot
    const graceTime = Effect.sleep(Duration.millis(Math.max(0, since + roundTripMillis - this.deadlines.now())))
    run(this.runtime, this.fill(slot, Effect.zipRight(graceTime, this.occupy(slot, "ended"))))
  }

  /** A connection that was suspect takes requests again. */
  private dismissSpare(): void {
    const { spare } = this
    if (spare === undefined) return
    this.spare = undefined
    this.vacate(spare)
    // the server works: that the spare could not be opened is no reason to delay the next connection
    if (this.slots.every(({ connecting }) => !connecting) && this.rotation.some(({ answered }) => answered)) {
      this.endBackOff()
    }
  }

  /** The spare takes the place of a slot whose connection has ended, if there is a spare that is open or being opened. */
  private succeed(slot: Slot): boolean {
    const { spare } = this
    if (spare === undefined || (!spare.connecting && spare.member === undefined)) return false
    // the spare itself is none of the slots
    const i = this.slots.indexOf(slot)
    if (i < 0) return false
    this.spare = undefined
    this.slots[i] = spare
    return true
  }

  // --- the back-off state machine ---

  /** An attempt to connect failed, or a connection was not useful. */
  private fail(cause: Failure.CloseCause): void {
    this.failure = cause
    if (!this.failing) {
      this.failing = true
      this.door.resize(1)
      if (this.deadlines.now() - this.calmSince >= settledMillis) this.place = undefined
    }
    this.noteReach()
  }

  private noteReach(): void {
    if (!this.failing || this.rotation.length > 0 || this.unreachable !== undefined) return
    this.unreachable = {
      sinceMillis: this.deadlines.now() - this.deadlines.ahead,
      cause: this.failure ?? retired
    }
  }

  /** A connection is proven. */
  private endBackOff(): void {
    if (!this.failing) return
    this.failing = false
    this.calmSince = this.deadlines.now()
    this.unreachable = undefined
    for (const wake of this.waits) wake()
    this.door.resize(doorWidth)
    if (this.warned === "no") return
    this.warned = "no"
    this.say(Effect.logInfo("Connected to APNs again"))
  }

  private say(message: Effect.Effect<void>): void {
    run(this.runtime, log(Effect.annotateLogs(message, this.annotations)))
  }

  /**
   * Waits until a new connection may be opened.
   *
   * @param last how the connection ended that it replaces: `undefined` if none was opened
   */
  private readonly turn = (last: "rotated" | "ended" | undefined): Effect.Effect<void, Exhausted> =>
    Effect.suspend(() => {
      const below = last === "ended" ? this.belowCeiling : Effect.void
      return this.failing ? Effect.zipRight(this.waitForSchedule, below) : below
    })

  private readonly belowCeiling: Effect.Effect<void> = Effect.suspend(() => {
    const now = this.deadlines.now()
    const { ceilingMillis } = Roster
    this.ceiling = Math.max(this.ceiling, now - ceilingMillis * this.slots.length) + ceilingMillis
    return this.ceiling > now ? Effect.sleep(Duration.millis(this.ceiling - now)) : Effect.void
  })

  private readonly waitForSchedule: Effect.Effect<void, Exhausted> = Effect.suspend(() => {
    const cause = this.failure ?? retired
    const now = this.deadlines.now()
    return step(this.schedule, now, cause, this.place).pipe(
      Effect.catchAllCause((defect) =>
        Effect.as(
          log(Effect.logError("The reconnect schedule has failed", defect)),
          { state: this.place?.state ?? this.schedule.initial, at: now + brokenScheduleMillis }
        )
      ),
      Effect.flatMap((place) => {
        this.place = place
        const { at } = place
        if (at === undefined) return Effect.fail(new Exhausted())
        const wait = Math.max(0, at - now)
        return Effect.zipRight(
          this.warn(cause, wait),
          Effect.raceFirst(
            Effect.sleep(Duration.millis(wait)),
            Effect.async<void>((resume) => {
              const wake = () => {
                this.waits.delete(wake)
                resume(Effect.void)
              }
              if (this.failing) this.waits.add(wake)
              else resume(Effect.void)
              return Effect.sync(() => this.waits.delete(wake))
            })
          )
        )
      })
    )
  })

  /** One warning when a pool cannot connect, and one more when no connection is left. */
  private warn(cause: Failure.CloseCause, wait: number): Effect.Effect<void> {
    const state = this.rotation.length === 0 ? "all" : "one"
    const again = `next attempt in ${Duration.format(Duration.millis(Math.ceil(wait)))}`
    const why = Failure.describeCause(cause)
    const annotate = Effect.annotateLogs("cause", cause._tag)
    if (this.warned === "all" || this.warned === state) {
      return log(annotate(Effect.logDebug(`Still not connected to APNs as it should be: ${why}; ${again}`)))
    }
    this.warned = state
    return log(annotate(Effect.logWarning(
      state === "all"
        ? `No connection to APNs: ${why}; ${again}`
        : `A connection to APNs cannot be replaced: ${why}; ${again}; ${this.rotation.length} of ${this.slots.length} are left`
    )))
  }

  // --- slots ---

  /** Opens `size` connections side by side and keeps that many. */
  start(size: number): Effect.Effect<void> {
    return Effect.forEach(Array.from({ length: size }), () => this.addSlot(), { discard: true })
  }

  /** Connections that are too many close when their requests are answered, or at the end of `drainWithin`. */
  resize(size: number, drainWithin?: Duration.Duration): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.ended !== undefined) return Effect.void
      if (size >= this.slots.length) return this.start(size - this.slots.length)
      // idle ones are closed first
      const surplus = [...this.slots]
        .sort((a, b) => (a.member?.unsafe?.inFlight ?? -1) - (b.member?.unsafe?.inFlight ?? -1))
        .slice(0, this.slots.length - size)
      this.slots = this.slots.filter((slot) => !surplus.includes(slot))
      const connections = surplus.flatMap(({ member }) => member?.unsafe ?? [])
      for (const slot of surplus) this.vacate(slot)
      if (size === 0) this.dismissSpare()
      if (drainWithin === undefined || connections.every(({ inFlight }) => inFlight === 0)) return Effect.void
      return Effect.forkIn(
        Effect.interruptible(
          Effect.sleep(drainWithin).pipe(
            Effect.zipRight(Effect.sync(() => {
              for (const connection of connections) connection.close(retired)
            }))
          )
        ),
        this.scope
      )
    })
  }

  /** Opens no more connections, and retires the others; if the scope is closed, closes them within that time. */
  end(cause: Failure.CloseCause, withinMillis?: number): void {
    this.ended = cause
    if (cause._tag === "ScopeClosed") {
      for (const member of [...this.rotation, ...this.draining]) member.unsafe?.close(cause, withinMillis)
    }
    for (const slot of this.slots) this.vacate(slot)
    this.dismissSpare()
  }

  private addSlot(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const slot = new Slot()
      this.slots.push(slot)
      return this.fill(slot, this.occupy(slot, undefined))
    })
  }

  private fill(slot: Slot, occupied: Effect.Effect<void>): Effect.Effect<void> {
    const annotated = Effect.annotateLogs(occupied, this.annotations)
    return Effect.map(Effect.forkIn(Effect.interruptible(annotated), this.scope), (fiber) => {
      slot.fiber = fiber
    })
  }

  private vacate(slot: Slot): void {
    slot.wanted = false
    slot.connecting = false
    const { member } = slot
    if (member !== undefined) {
      // we closed it ourselves: not a failure
      member.decided = true
      member.unsafe?.retire()
    }
    slot.fiber?.unsafeInterruptAsFork(FiberId.none)
  }

  /**
   * One slot: opens a connection, waits until it is out of use, opens the next.
   *
   * @param before how the connection ended that the first one replaces: `undefined` if there was none
   */
  private occupy(slot: Slot, before: "ended" | undefined): Effect.Effect<void> {
    // interrupted only while it waits: so a connection that was just opened is always closed
    return Effect.uninterruptibleMask((restore) =>
      Effect.gen(this, function*() {
        let replacing = before !== undefined
        let last: "rotated" | "ended" | undefined = before
        while (slot.wanted && this.ended === undefined) {
          slot.connecting = true
          const member = new Member(this)
          const scope = yield* Scope.fork(this.scope, ExecutionStrategy.sequential)
          const opening = Effect.suspend(() =>
            Scope.extend(this.connect({ listener: member, deadlines: this.deadlines }), scope)
          )
          const exit = yield* Effect.exit(
            replacing || this.failing
              ? this.door.with(restore, Effect.zipRight(this.turn(last), opening))
              : restore(opening)
          )
          replacing = true
          last = undefined
          slot.connecting = false
          if (Exit.isFailure(exit)) {
            // callers get their errors first: closing the rest of the connection may take time
            if (slot.wanted && this.ended === undefined) yield* this.connectFailed(exit.cause)
            yield* Scope.close(scope, exit)
            continue
          }
          if (!slot.wanted || this.ended !== undefined) {
            yield* Scope.close(scope, Exit.void)
            continue
          }
          const connection = exit.value
          slot.member = member
          this.join(member, connection)
          yield* Effect.forkIn(
            Effect.interruptible(Effect.flatMap(connection.closed, (cause) => {
              this.onConnectionClosed(member, cause)
              // the pool may be closing too: this must still run to its end
              return Effect.uninterruptible(Scope.close(scope, Exit.void))
            })),
            this.scope
          )
          yield* log(Effect.annotateLogs(Effect.logDebug("Connection to APNs opened"), "connection", member.number))
          const cause = yield* Effect.onInterrupt(restore(connection.retired), () => {
            const cause = this.ended ?? retired
            this.metrics.connectionClosed(cause._tag)
            return this.logRetired(member, cause)
          })
          slot.member = undefined
          last = this.onConnectionRetired(member, cause)
          yield* this.logRetired(member, cause)
          if (this.succeed(slot)) return
        }
      })
    )
  }

  private join(member: Member, connection: Connection.Connection): void {
    const { unsafe } = connection
    member.unsafe = unsafe
    member.since = this.deadlines.now()
    member.number = ++this.opened
    if (unsafe.proven) member.most = Infinity
    this.metrics.connectionOpened()
    if (unsafe.state !== "active") return
    this.deadlines.set(member, member.since + shortLifeMillis)
    this.rotation.push(member)
    this.updateDown()
    this.owner.pump()
  }

  private connectFailed(
    cause: Cause.Cause<ConnectError.ConnectError | Credentials.CredentialsError | Exhausted>
  ): Effect.Effect<void> {
    const error = Option.getOrUndefined(Cause.failureOption(cause))
    if (error instanceof Exhausted) return Effect.sync(() => this.owner.close(this.failure ?? retired))
    this.failures++
    this.fail(error === undefined ? { _tag: "Dropped", code: undefined } : { _tag: "ConnectFailed", error })
    this.metrics.connectionFailed(error === undefined ? "Defect" : error._tag)
    return log(
      error === undefined
        ? Effect.logError("Opening a connection to APNs has died", cause)
        : Effect.annotateLogs(
          Effect.logDebug("An attempt to connect to APNs has failed", cause),
          "reason",
          error.reason
        )
    )
  }

  /**
   * The connection takes no more requests: decides whether it was useful, if that is known by now. Returns whether it
   * asked for another one by GOAWAY with NO_ERROR.
   */
  private onConnectionRetired(member: Member, cause: Failure.CloseCause): "rotated" | "ended" {
    this.metrics.connectionClosed(cause._tag)
    if (cause._tag === "ScopeClosed") return "ended"
    this.lost++
    this.deadlines.remove(member)
    if (member.used && isRotation(cause)) {
      // one with many requests is worth a connection, and uses up those that wait
      const many = (member.unsafe?.inFlight ?? 0) > unprovenLimit
      if (member.answered || many || ++this.rotations <= this.slots.length + rotationsAhead) return "rotated"
    }
    this.decideUsefulness(member, cause)
    return "ended"
  }

  private onConnectionClosed(member: Member, cause: Failure.CloseCause): void {
    this.draining.delete(member)
    this.deadlines.remove(member)
    this.closeOnCredentialReason(cause)
    // its GOAWAY included requests that it has not answered
    if (this.ended === undefined && cause._tag !== "ScopeClosed") this.decideUsefulness(member, cause)
  }

  /** After a connection that was not useful the next one waits. */
  private decideUsefulness(member: Member, cause: Failure.CloseCause): void {
    if (member.answered || member.decided) return
    member.decided = true
    const neverAnsweredPing = cause._tag === "PingTimeout" && member.unsafe?.proven === false
    if (member.used || neverAnsweredPing || this.deadlines.now() - member.since < shortLifeMillis) this.fail(cause)
  }

  /**
   * Usual ends are logged as debug or info, others as warning, but not one for each of many connections. A loss is no warning:
   * if the connection cannot be replaced, that is one.
   */
  private logRetired(member: Member, cause: Failure.CloseCause): Effect.Effect<void> {
    const message = `Connection to APNs retired: ${Failure.describeCause(cause)}`
    const annotate = Effect.annotateLogs({ connection: member.number, cause: cause._tag })
    if (!isUnusual(cause)) {
      return log(annotate(cause._tag === "Goaway" ? Effect.logInfo(message) : Effect.logDebug(message)))
    }
    const now = this.deadlines.now()
    const last = this.quiet.get(cause._tag)
    if (last !== undefined && now < last.until) {
      last.others++
      return log(annotate(Effect.logDebug(message)))
    }
    this.quiet.set(cause._tag, { until: now + quietMillis, others: 0 })
    const others = last === undefined || last.others === 0
      ? ""
      : `; and ${last.others} others since this was last logged`
    return log(annotate(isLoss(cause) ? Effect.logInfo(message + others) : Effect.logWarning(message + others)))
  }
}

const retired: Failure.CloseCause = { _tag: "Retired" }

/** The server asks for another connection by GOAWAY with NO_ERROR, and has processed requests. */
const isRotation = (cause: Failure.CloseCause): boolean =>
  cause._tag === "Goaway" && cause.codeName === "NO_ERROR" && cause.lastStreamId > 0

/** The network or the server has gone away, without a word. */
const isLoss = (cause: Failure.CloseCause): boolean => cause._tag === "Dropped" || cause._tag === "PingTimeout"

const isUnusual = (cause: Failure.CloseCause): boolean => {
  switch (cause._tag) {
    case "Goaway":
      return cause.codeName !== "NO_ERROR"
    case "Dropped":
      return cause.code !== undefined
    case "PingTimeout":
    case "ProtocolError":
      return true
    case "Retired":
      return cause.timeouts !== undefined
    default:
      return false
  }
}

/** The reconnect schedule is done. */
class Exhausted {
  readonly _tag = "Exhausted"
}
