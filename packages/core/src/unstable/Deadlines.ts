/**
 * Many points in time, one sleeping fiber: how connections and pools keep every request's deadline without a timer
 * for each.
 *
 * Entries of one millisecond share a bucket (a linked list through the entries themselves), the buckets stand in a
 * heap, and one fiber sleeps on Effect's Clock until the earliest bucket that still has an entry. Adding and removing
 * an entry allocates nothing.
 *
 * Unstable: a minor version may change it.
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
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { setImmediate } from "node:timers"

/**
 * Something that is due at a point in time. The fields belong to {@link Deadlines}.
 *
 * @since 0.1.0
 * @category models
 */
export interface Entry {
  /** @internal */
  dueBucket: Bucket | undefined
  /** @internal */
  duePrevious: Entry | undefined
  /** @internal */
  dueNext: Entry | undefined
  /** Called when the time has come; the entry has been removed by then. */
  onDue(nowMillis: number): void
}

/**
 * @internal
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
  /** Adds `entry`, or moves it, to `atMillis` (milliseconds since the UNIX epoch; `Infinity` only removes it). */
  readonly set: (entry: Entry, atMillis: number) => void
  readonly remove: (entry: Entry) => void
  /** The clock's time, in milliseconds since the UNIX epoch. */
  readonly now: () => number
  /** What {@link Deadlines.now} said last: the time of the tick, where something looks at the clock in each. */
  readonly last: number
}

/** Timers are 32-bit: whatever is due later than this is looked at again then. */
const maxSleepMillis = 2_147_483_647

/**
 * An event loop that was blocked runs overdue timers before it reads its sockets. An answer that has arrived by then is
 * an answer in time, so a sweep that comes this late lets the sockets be read first.
 */
const lateMillis = 20

const socketsRead = Effect.async<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

class Wheel implements Deadlines {
  private readonly buckets = new Map<number, Bucket>()
  private readonly heap: Array<Bucket> = []
  private latest: Bucket | undefined = undefined
  last = 0
  private sleepingUntil = -Infinity
  private wake: (() => void) | undefined = undefined
  /** Something earlier came after the sleep was computed and before it began. */
  private stale = false

  constructor(private readonly clock: Clock.Clock) {}

  readonly now = (): number => this.last = this.clock.unsafeCurrentTimeMillis()

  readonly set = (entry: Entry, atMillis: number): void => {
    if (entry.dueBucket !== undefined) this.remove(entry)
    if (atMillis === Infinity) return
    const at = Math.ceil(atMillis)
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

  /** The earliest time that something is due at; empty buckets before it are dropped. */
  private next(): number {
    for (;;) {
      const bucket = this.heap[0]
      if (bucket === undefined) return Infinity
      if (bucket.first !== undefined) return bucket.at
      this.pop()
    }
  }

  private sweep(): void {
    const now = this.now()
    for (;;) {
      const bucket = this.heap[0]
      if (bucket === undefined || bucket.at > now) return
      const entry = bucket.first
      if (entry === undefined) {
        this.pop()
        continue
      }
      this.remove(entry)
      entry.onDue(now)
    }
  }

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

  /** Sleeps, wakes, sweeps, for ever. */
  readonly run: Effect.Effect<never> = Effect.suspend(() => {
    const next = this.next()
    this.sleepingUntil = next
    this.wake = undefined
    this.stale = false
    const woken = Effect.async<void>((resume) => {
      if (this.stale) resume(Effect.void)
      else this.wake = () => resume(Effect.void)
    })
    const millis = next === Infinity ? Infinity : Math.min(maxSleepMillis, Math.max(0, next - this.now()))
    const before = performance.now()
    const wait = millis === Infinity
      ? woken
      : Effect.raceFirst(this.clock.sleep(Duration.millis(millis)), woken)
    return Effect.zipRight(
      wait,
      Effect.suspend(() => {
        const sweep = Effect.sync(() => this.sweep())
        return performance.now() - before - millis > lateMillis ? Effect.zipRight(socketsRead, sweep) : sweep
      })
    )
  }).pipe(Effect.forever)
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
