/**
 * Callbacks in the future, by Effect's clock: one sleeping fiber for all of them.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"

interface Entry {
  readonly due: number
  readonly order: number
  readonly run: () => void
}

const before = (a: Entry, b: Entry): boolean => a.due < b.due || a.due === b.due && a.order < b.order

export class Timeline {
  private readonly heap: Array<Entry> = []
  private order = 0
  private sleeper: Fiber.RuntimeFiber<void> | undefined = undefined
  /** Counts the sleeps, so that one that was given up wakes nobody. */
  private arming = 0
  private planned = false
  private wakesAt = Infinity
  private closed = false

  constructor(private readonly clock: Clock.Clock) {}

  now(): number {
    return this.clock.unsafeCurrentTimeMillis()
  }

  /** Runs `run` after `millis`; entries for the same time run in the order in which they were added. */
  schedule(millis: number, run: () => void): void {
    if (this.closed) return
    const entry: Entry = { due: this.now() + millis, order: this.order++, run }
    let at = this.heap.length
    this.heap.push(entry)
    while (at > 0) {
      const up = (at - 1) >> 1
      const parent = this.heap[up]
      if (parent === undefined || !before(entry, parent)) break
      this.heap[at] = parent
      at = up
    }
    this.heap[at] = entry
    if (entry.due < this.wakesAt) this.arm(entry.due)
  }

  close(): void {
    this.closed = true
    this.heap.length = 0
    this.wakeNoMore()
  }

  /**
   * Ends the sleeping fiber, after it had a turn to fall asleep: before Effect 3.20 a fiber that is interrupted while it
   * waits for a `Semaphore`, as the test clock has one, can keep it for itself.
   */
  private wakeNoMore(): void {
    const { sleeper } = this
    this.sleeper = undefined
    this.arming++
    if (sleeper !== undefined) Effect.runFork(Effect.zipRight(Effect.yieldNow(), Fiber.interruptFork(sleeper)))
  }

  private arm(due: number): void {
    this.wakeNoMore()
    this.wakesAt = due
    if (this.planned) return
    this.planned = true
    // one fiber for whatever is scheduled at the same time
    queueMicrotask(() => {
      this.planned = false
      if (!this.closed) this.sleep()
    })
  }

  private sleep(): void {
    const { arming } = this
    this.sleeper = Effect.runFork(
      this.clock.sleep(Duration.millis(Math.max(0, this.wakesAt - this.now()))).pipe(
        Effect.andThen(Effect.sync(() => {
          if (this.arming === arming) this.wake()
        }))
      )
    )
  }

  private wake(): void {
    this.sleeper = undefined
    this.wakesAt = Infinity
    const now = this.now()
    for (let first = this.heap[0]; first !== undefined && first.due <= now; first = this.heap[0]) {
      this.pop()
      first.run()
    }
    const next = this.heap[0]
    if (next !== undefined && !this.closed && next.due < this.wakesAt) this.arm(next.due)
  }

  private pop(): void {
    const last = this.heap.pop()
    if (last === undefined || this.heap.length === 0) return
    const { heap } = this
    let at = 0
    for (;;) {
      const left = heap[2 * at + 1]
      if (left === undefined) break
      const right = heap[2 * at + 2]
      const child = right !== undefined && before(right, left) ? 2 * at + 2 : 2 * at + 1
      const smaller = heap[child]
      if (smaller === undefined || !before(smaller, last)) break
      heap[at] = smaller
      at = child
    }
    heap[at] = last
  }
}
