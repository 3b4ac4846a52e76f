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

/** What a roster tells whoever sends on its connections; all of it in the tick in which it happens. */
export interface Owner {
  /** Requests wait for a free stream. */
  readonly someWait: boolean
  /** Streams may be free. */
  pump(): void
  /** From now on no connection can take a request, or one can. */
  updateAvailability(down: boolean): void
  /** No connection will be opened any more: the owner has to end, and to call {@link Roster.end}. */
  close(cause: Failure.CloseCause): void
}

/** What is counted of connections. */
export interface Counts {
  connectionOpened(): void
  connectionFailed(reason: string): void
  connectionClosed(cause: string): void
}

/** A connection that ends this soon, without an answer that shows that it was of use, counts as a failed attempt. */
export const shortLifeMillis = 10_000

/** What a connection carries at most before it has shown that somebody is there. */
export const unprovenLimit = 8

/** Connections that are opened at the same time in place of others, while none fails. */
const doorWidth = 4

/**
 * How long a PING may be out, where the process did not stand still, before another connection is opened for those who
 * wait: longer than a round trip takes on most networks, so that a server that is there sees no connection that is not
 * needed.
 */
const roundTripMillis = 250

/** Trouble this long after the last one is new trouble: waiting begins anew. */
const settledMillis = 60_000

/** Connections that are lost one after the other are worth one warning in so much time. */
const quietMillis = 60_000

/** The wait where the reconnect schedule itself fails. */
const brokenScheduleMillis = 30_000

/** One connection of a pool, from the attempt to open it until it is closed. */
export class Member implements UnstableConnection.Listener, Deadlines.Entry {
  dueBucket: Deadlines.Bucket | undefined = undefined
  dueAt = 0
  duePrevious: Deadlines.Entry | undefined = undefined
  dueNext: Deadlines.Entry | undefined = undefined
  /** The connection, once it is open. */
  unsafe: UnstableConnection.Unsafe | undefined = undefined
  /** Requests that it may carry: few until it has shown that somebody is there. */
  most = unprovenLimit
  /** It has carried a request. */
  used = false
  /** It has brought an answer that shows that it was of use. */
  answered = false
  /** It has been looked at whether it was of use. */
  judged = false
  /** When it was opened. */
  since = 0
  /** When its PING went out that has to be answered first; `-Infinity` where the process stood still before. */
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

  /** It has lived for as long as shows that it can be kept. */
  onDue(): void {
    this.roster.onSurvived(this)
  }
}

/** Keeps one connection open: whenever it ends, the next one is opened. */
class Slot {
  member: Member | undefined = undefined
  fiber: Fiber.RuntimeFiber<void> | undefined = undefined
  wanted = true
  connecting = false
}

/** Since when nothing is connected, and why. */
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
 * **Backing off.** The pool is failing from the moment in which an attempt to connect fails, or a connection ends that was
 * of no use: it brought no answer that one could use, and ended within {@link shortLifeMillis}, or it carried requests, or
 * it never answered a PING.
 * While it is failing, connections are opened one at a time, each after the wait that the reconnect schedule says. It ends
 * when a connection proves itself: by its first answer, or by a PONG and living through {@link shortLifeMillis}; not by being
 * opened, since many a broken server accepts connections. The first answer of a connection also makes the next trouble begin
 * with the shortest wait.
 *
 * **The ceiling.** A server can answer once and close, again and again. Whatever it is that ends connections, they are
 * replaced no more often than each {@link Roster.ceilingMillis}, after as many as the pool has. Except by GOAWAY in good order
 * that includes requests: that is how servers are meant to ask for another connection, and its replacement waits for
 * nothing.
 *
 * **The spare.** After a pause the network may have forgotten a connection, and nobody is told: its PING has to be given up
 * first, which takes seconds. So where requests wait and every connection is suspect, one more connection is opened beside
 * them, and requests go to whichever can take them first. If a PONG comes, the spare is closed; if a suspect
 * connection ends, the spare takes its place.
 */
export class Roster {
  /** On average a connection is opened in place of another no more often than this. (A test takes it away, to see a storm.) */
  static ceilingMillis = 500

  private readonly rotation: Array<Member> = []
  private readonly draining = new Set<Member>()
  private slots: Array<Slot> = []
  private spare: Slot | undefined = undefined
  /** Since the last change it has been looked at whether a spare is needed. */
  private asked = false
  private next = 0

  /** No connection can take a request. */
  down = true
  private ended: Failure.CloseCause | undefined = undefined

  private opened = 0
  private failures = 0
  private lost = 0

  private failing = false
  /** Why connecting failed last, or the last connection was of no use. */
  failure: Failure.CloseCause | undefined = undefined
  private place: Place | undefined = undefined
  private calmSince = -Infinity
  /** Who waits for the reconnect schedule: woken when it need not be waited for any more. */
  private readonly waits = new Set<() => void>()
  /** Through which connections are opened in place of others. */
  private readonly door = new Budget(doorWidth)
  /** Until when the ceiling is used up. */
  private ceiling = -Infinity

  private unreachable: Unreachable | undefined = undefined
  private warned: "no" | "one" | "all" = "no"
  /** Of each cause: until when another connection that it ends is worth no warning, and how many there were. */
  private readonly quiet = new Map<string, { until: number; others: number }>()

  constructor(
    private readonly owner: Owner,
    private readonly connect: Connect,
    private readonly schedule: Schedule.Schedule<unknown, Failure.CloseCause>,
    private readonly deadlines: Deadlines.Deadlines,
    private readonly runtime: Runtime.Runtime<never>,
    private readonly scope: Scope.CloseableScope,
    /** What every log line says. */
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

  /** The connection with the fewest requests among those that can take one; `avoid` where there is no other. */
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

  // --- what connections tell ---

  onCapacity(member: Member): void {
    if (this.down || this.spare !== undefined || member.unsafe?.limit === 0) this.updateDown()
    this.owner.pump()
  }

  onRetired(member: Member, cause: Failure.CloseCause): void {
    // also of a connection that has not joined yet: it may be told with the server's first bytes
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

  /** An answer shows that the connection is of use: called for its first. */
  onUseful(member: Member): void {
    member.answered = true
    member.most = Infinity
    this.deadlines.remove(member)
    this.place = undefined
    this.calm()
  }

  onSurvived(member: Member): void {
    if (member.unsafe?.state !== "active") return
    member.most = Infinity
    // one that has not even answered the PING that followed its SETTINGS is open, and no more than that
    if (member.unsafe.proven) this.calm()
    this.owner.pump()
  }

  /** Credentials that APNs refuses will not do on another connection either: the pool closes, and says why. */
  private closeOnCredentialReason(cause: Failure.CloseCause): void {
    if (cause._tag === "Goaway" && cause.reason !== undefined && Reason.isCredentialReason(cause.reason)) {
      this.owner.close({ _tag: "CredentialsRefused", reason: cause.reason })
    }
  }

  /** Looks whether there is a connection that could take a request, as soon as it has a free stream. */
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

  /** Somebody waits, and no connection takes a request at the moment. */
  onWaiting(): void {
    if (this.asked || this.ended !== undefined) return
    this.asked = true
    // without any connection, its slots are opening some already
    if (this.rotation.length === 0) return
    let since = -Infinity
    for (const { suspectSince, unsafe } of this.rotation) {
      if (unsafe?.trusted !== false) return
      unsafe.hasten()
      since = Math.max(since, suspectSince)
    }
    // where a slot has none, or has just lost it, one is being opened
    if (this.spare !== undefined || this.slots.some(({ member }) => member?.unsafe?.state !== "active")) return
    const slot = new Slot()
    this.spare = slot
    const patience = Effect.sleep(Duration.millis(Math.max(0, since + roundTripMillis - this.deadlines.now())))
    run(this.runtime, this.fill(slot, Effect.zipRight(patience, this.occupy(slot, "ended"))))
  }

  /** A connection that was suspect takes requests again. */
  private dismissSpare(): void {
    const { spare } = this
    if (spare === undefined) return
    this.spare = undefined
    this.vacate(spare)
    // that the spare could not be opened is no reason any more to wait before the next one, where the server is of use
    if (this.slots.every(({ connecting }) => !connecting) && this.rotation.some(({ answered }) => answered)) this.calm()
  }

  /** The spare takes the place of a slot whose connection has ended, where there is one and it has got somewhere. */
  private succeed(slot: Slot): boolean {
    const { spare } = this
    if (spare === undefined || spare === slot || (!spare.connecting && spare.member === undefined)) return false
    const i = this.slots.indexOf(slot)
    if (i < 0) return false
    this.spare = undefined
    this.slots[i] = spare
    return true
  }

  // --- the back-off state machine ---

  /** An attempt to connect failed, or a connection was of no use. */
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

  /** A connection has proved itself. */
  private calm(): void {
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
   * Waits for as long as a new connection must not be opened.
   *
   * @param last how the last one ended that it is to replace: `undefined` where none was opened
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

  /** One warning when a pool cannot connect, and one more when nothing at all is connected any more. */
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

  resize(size: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.ended !== undefined) return Effect.void
      if (size >= this.slots.length) return this.start(size - this.slots.length)
      // those that carry nothing go first
      const surplus = [...this.slots]
        .sort((a, b) => (a.member?.unsafe?.inFlight ?? -1) - (b.member?.unsafe?.inFlight ?? -1))
        .slice(0, this.slots.length - size)
      this.slots = this.slots.filter((slot) => !surplus.includes(slot))
      for (const slot of surplus) this.vacate(slot)
      if (size === 0) this.dismissSpare()
      return Effect.void
    })
  }

  /** Opens no connection any more, and takes those that there are out of use; closes them where the scope is closed. */
  end(cause: Failure.CloseCause): void {
    this.ended = cause
    for (const slot of this.slots) this.vacate(slot)
    this.dismissSpare()
    if (cause._tag !== "ScopeClosed") return
    for (const member of [...this.rotation, ...this.draining]) member.unsafe?.close(cause)
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
      // that it goes is our own wish
      member.judged = true
      member.unsafe?.retire()
    }
    slot.fiber?.unsafeInterruptAsFork(FiberId.none)
  }

  /**
   * One slot: opens a connection, waits until it is out of use, opens the next.
   *
   * @param before how the connection ended that the first one is to replace: `undefined` where there was none
   */
  private occupy(slot: Slot, before: "ended" | undefined): Effect.Effect<void> {
    // interrupted only while it waits: a connection that was just opened is never left to nobody
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
            // first what callers want to know: what is left of the connection may take its time to end
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
              // the pool may be closing too: what was begun is done to its end
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
   * The connection takes no more requests: judges whether it was of use, where that can be told by now. Says whether it
   * asked for another one in good order.
   */
  private onConnectionRetired(member: Member, cause: Failure.CloseCause): "rotated" | "ended" {
    this.metrics.connectionClosed(cause._tag)
    if (cause._tag === "ScopeClosed") return "ended"
    this.lost++
    this.deadlines.remove(member)
    if (member.used && isRotation(cause)) return "rotated"
    this.judge(member, cause)
    return "ended"
  }

  private onConnectionClosed(member: Member, cause: Failure.CloseCause): void {
    this.draining.delete(member)
    this.deadlines.remove(member)
    this.closeOnCredentialReason(cause)
    // what it had promised to answer when it asked for another connection has not been answered
    if (this.ended === undefined && cause._tag !== "ScopeClosed") this.judge(member, cause)
  }

  /** A connection that was of no use makes the next one wait. */
  private judge(member: Member, cause: Failure.CloseCause): void {
    if (member.answered || member.judged) return
    member.judged = true
    const mute = cause._tag === "PingTimeout" && member.unsafe?.proven === false
    if (member.used || mute || this.deadlines.now() - member.since < shortLifeMillis) this.fail(cause)
  }

  /** What is usual is for those who debug; what is not is a warning, but not one for each of many connections. */
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
    const others = last === undefined || last.others === 0 ? "" : `; and ${last.others} others since the last warning`
    return log(annotate(Effect.logWarning(message + others)))
  }
}

const retired: Failure.CloseCause = { _tag: "Retired" }

/** The server asks in good order to go elsewhere, and has taken requests. */
const isRotation = (cause: Failure.CloseCause): boolean =>
  cause._tag === "Goaway" && cause.codeName === "NO_ERROR" && cause.lastStreamId > 0

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
