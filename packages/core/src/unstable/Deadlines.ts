/**
 * Many points in time, one sleeping fiber: how connections and pools keep every request's deadline without a timer
 * for each.
 *
 * Entries that are due at about the same time share a bucket (a linked list through the entries themselves), the buckets
 * stand in a heap, and one fiber sleeps on Effect's Clock until the earliest bucket that still has an entry. A bucket is
 * one millisecond wide for what is due soon, and the wider the farther away it is (never more than 1/512 of the
 * distance): when its time comes, what is left in it moves to narrower ones. So the number of buckets is bounded however
 * far away deadlines are, and every entry is called in its own millisecond. Adding and removing an entry allocates
 * nothing.
 *
 * @example
 * ```ts
 * import * as Deadlines from "@effect-apns/core/unstable/Deadlines"
 * import { Effect } from "effect"
 *
 * declare const entry: Deadlines.Entry
 *
 * const program = Effect.scoped(Effect.gen(function*() {
 *   const deadlines = yield* Deadlines.make
 *   deadlines.set(entry, deadlines.now() + 50)
 *   yield* Effect.sleep("100 millis") // by now entry.onDue was called
 * }))
 * console.log(Effect.isEffect(program))
 * ```
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { setImmediate } from "node:timers"
import { catchRejection } from "../internal/callbacks.js"

/**
 * Something that is due at a point in time. The fields belong to {@link Deadlines}.
 *
 * @since 0.1.0
 * @category models
 */
export interface Entry {
  /** Where the deadlines keep the entry: theirs to write. `undefined` at first. */
  dueBucket: Bucket | undefined
  /** When it is due, in milliseconds on the clock of the deadlines: theirs to write. */
  dueAt: number
  /** The entry before it: theirs to write. `undefined` at first. */
  duePrevious: Entry | undefined
  /** The entry behind it: theirs to write. `undefined` at first. */
  dueNext: Entry | undefined
  /** Called when the time has come; the entry has been removed by then. What it throws is logged, and harms no other entry. */
  onDue(nowMillis: number): void
}

/**
 * Entries that are due in the same span of time: the deadlines' own.
 *
 * @since 1.0.0
 * @category models
 */
export interface Bucket {
  readonly at: number
  first: Entry | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Deadlines {
  /** Adds `entry`, or moves it, to `atMillis`, on the scale of {@link Deadlines.now}; `Infinity` only removes it. */
  readonly set: (entry: Entry, atMillis: number) => void
  readonly remove: (entry: Entry) => void
  /**
   * Milliseconds since the UNIX epoch as the clock says, except that it never goes back: where the system's clock is set
   * back, it goes on from the latest time that was seen, so that what is a second away stays a second away.
   */
  readonly now: () => number
  /** Logs what a callback has thrown that was called because of something else than a deadline. */
  readonly report: (defect: unknown) => void
  /** What {@link Deadlines.now} is ahead of the clock, in milliseconds: 0 unless the clock was set back. Add it to a point in time of the world outside. */
  readonly ahead: number
}

/** Timers are 32-bit: entries that are due later than this are checked again at that time. */
const maxSleepMillis = 2_147_483_647

/**
 * An event loop that was blocked runs overdue timers before it reads its sockets. An answer that has arrived by then is in
 * time, so a sweep that is this late lets the sockets be read first.
 */
const lateMillis = 20

/**
 * Very many entries may be due at once, and each may do much: after this time the event loop goes on with other work before the
 * rest of them. The time is looked at after each {@link entriesPerLook}.
 */
const turnMillis = 100
const entriesPerLook = 256

/** Timers may end a little early: how far the clock may be before the end of a sleep. */
const earlyMillis = 50

/** Up to this distance each millisecond has its own bucket. */
const nearMillis = 1024

/** The width of a bucket, a power of two, for entries that are due in so many milliseconds. */
const widthOf = (distance: number): number =>
  distance < 0x4000_0000 ? 1 << (22 - Math.clz32(distance)) : 2 ** (Math.floor(Math.log2(distance)) - 9)

const socketsRead = Effect.async<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

class Wheel implements Deadlines {
  private readonly buckets = new Map<number, Bucket>()
  private readonly heap: Array<Bucket> = []
  private latest: Bucket | undefined = undefined
  private last = 0
  ahead = 0
  private sleepingUntil = -Infinity
  private wake: (() => void) | undefined = undefined
  /** An earlier entry was added after the sleep was computed and before it began. */
  private stale = false
  /** The clock is past the end of a sleep that has not ended: it was set forward, or stood still together with the timer. */
  private late = false
  /** Errors that callbacks have thrown. */
  private defects: Array<unknown> = []

  constructor(private readonly clock: Clock.Clock) {}

  readonly now = (): number => {
    const now = this.clock.unsafeCurrentTimeMillis() + this.ahead
    if (now >= this.last) {
      if (now > this.sleepingUntil + lateMillis) this.overslept()
      return this.last = now
    }
    this.ahead += this.last - now
    return this.last
  }

  readonly set = (entry: Entry, atMillis: number): void => {
    if (entry.dueBucket !== undefined) this.remove(entry)
    if (!(atMillis < Infinity)) return
    const due = Math.ceil(atMillis)
    const distance = due - this.last
    let at = due
    if (distance >= nearMillis) {
      const width = widthOf(distance)
      at = Math.floor(due / width) * width
    }
    entry.dueAt = due
    let bucket = this.latest
    if (bucket === undefined || bucket.at !== at) {
      bucket = this.buckets.get(at)
      if (bucket === undefined) {
        bucket = { at, first: undefined }
        this.buckets.set(at, bucket)
        this.push(bucket)
      }
      this.latest = bucket
    }
    const first = bucket.first
    entry.dueBucket = bucket
    entry.dueNext = first
    if (first !== undefined) first.duePrevious = entry
    bucket.first = entry
    if (at < this.sleepingUntil) {
      this.sleepingUntil = at
      if (this.wake === undefined) this.stale = true
      else {
        const wake = this.wake
        this.wake = undefined
        wake()
      }
    }
  }

  readonly remove = (entry: Entry): void => {
    const bucket = entry.dueBucket
    if (bucket === undefined) return
    const { dueNext: next, duePrevious: previous } = entry
    if (previous === undefined) bucket.first = next
    else previous.dueNext = next
    if (next !== undefined) next.duePrevious = previous
    entry.dueBucket = undefined
    entry.duePrevious = undefined
    entry.dueNext = undefined
  }

  readonly report = (defect: unknown): void => {
    this.defects.push(defect)
    this.wakeUp()
  }

  private overslept(): void {
    this.late = true
    this.wakeUp()
  }

  private wakeUp(): void {
    this.sleepingUntil = Infinity
    const wake = this.wake
    this.wake = undefined
    if (wake === undefined) this.stale = true
    else wake()
  }

  /** The earliest time that something is due at; empty buckets before it are dropped. */
  private next(): number {
    for (;;) {
      const bucket = this.heap[0]
      if (bucket === undefined) return Infinity
      if (bucket.first !== undefined) return bucket.at
      this.pop()
    }
  }

  /** Calls what is due. Returns `true` if it took long, and there may be more. */
  private sweep(): boolean {
    const now = this.now()
    const before = performance.now()
    let called = 0
    for (;;) {
      const bucket = this.heap[0]
      if (bucket === undefined || bucket.at > now) return false
      const entry = bucket.first
      if (entry === undefined) {
        this.pop()
        continue
      }
      this.remove(entry)
      if (entry.dueAt > now) this.set(entry, entry.dueAt)
      else {
        try {
          catchRejection(entry.onDue(now), this.report)
        } catch (defect) {
          this.defects.push(defect)
        }
        if (++called % entriesPerLook === 0 && performance.now() - before > turnMillis) return true
      }
    }
  }

  private readonly logDefects: Effect.Effect<void> = Effect.suspend(() => {
    const defects = this.defects
    this.defects = []
    return Effect.forEach(
      defects,
      (defect) => Effect.logError("A callback has thrown", Cause.die(defect)),
      { discard: true }
    )
  })

  private push(bucket: Bucket): void {
    const heap = this.heap
    let i = heap.length
    heap.push(bucket)
    while (i > 0) {
      const parentIndex = (i - 1) >>> 1
      const parent = heap[parentIndex]
      if (parent === undefined || parent.at <= bucket.at) break
      heap[i] = parent
      heap[parentIndex] = bucket
      i = parentIndex
    }
  }

  private pop(): void {
    const heap = this.heap
    const top = heap[0]
    const tail = heap.pop()
    if (top === undefined || tail === undefined) return
    this.buckets.delete(top.at)
    if (this.latest === top) this.latest = undefined
    if (tail === top) return
    let i = 0
    heap[0] = tail
    for (;;) {
      let childIndex = 2 * i + 1
      let child = heap[childIndex]
      if (child === undefined) return
      const right = heap[childIndex + 1]
      if (right !== undefined && right.at < child.at) {
        child = right
        childIndex++
      }
      if (child.at >= tail.at) return
      heap[i] = child
      heap[childIndex] = tail
      i = childIndex
    }
  }

  /** Sleeps until the next deadline and sweeps, in an endless loop. */
  readonly run: Effect.Effect<never> = Effect.suspend(() => {
    const next = this.next()
    this.sleepingUntil = next
    this.wake = undefined
    this.stale = false
    this.late = false
    const woken = Effect.async<void>((resume) => {
      if (this.stale) resume(Effect.void)
      else this.wake = () => resume(Effect.void)
    })
    // a fraction of a millisecond is rounded up: a timer that is too short would be repeated in a loop
    const from = this.now()
    const millis = next === Infinity ? Infinity : Math.min(maxSleepMillis, Math.max(0, Math.ceil(next - from)))
    const before = performance.now()
    const wait = millis === Infinity ? Effect.as(woken, false) : Effect.raceFirst(
      Effect.as(this.clock.sleep(Duration.millis(millis)), true),
      Effect.as(woken, false)
    )
    return Effect.flatMap(wait, (slept) => {
      if (slept) this.passed(from + millis)
      const sweep: Effect.Effect<void> = Effect.suspend(() => {
        const more = this.sweep()
        // a logger is code of the program and may throw
        const logged = this.defects.length === 0
          ? Effect.void
          : Effect.catchAllCause(this.logDefects, () => Effect.void)
        return more ? Effect.zipRight(logged, Effect.zipRight(socketsRead, sweep)) : logged
      })
      return this.late || performance.now() - before - millis > lateMillis ? Effect.zipRight(socketsRead, sweep) : sweep
    })
  }).pipe(Effect.forever)

  /** A sleep until `at` has ended: if the clock shows a much earlier time, it was set back in between. */
  private passed(at: number): void {
    const now = this.now()
    if (at - now > earlyMillis) this.ahead += at - now
  }
}

/**
 * Deadlines on the clock of the fiber that makes them; the sweeping fiber ends with the scope.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<Deadlines, never, Scope.Scope> = Effect.gen(function*() {
  const wheel = new Wheel(yield* Effect.clock)
  yield* Effect.forkScoped(Effect.interruptible(wheel.run))
  return wheel
})
