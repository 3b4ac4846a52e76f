import { Request } from "@effect-apns/core"
import * as Deadlines from "@effect-apns/core/unstable/Deadlines"
import * as Exchange from "@effect-apns/core/unstable/Exchange"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Exit, FastCheck, Logger, Scope, TestClock } from "effect"
import { spawn } from "node:child_process"

const { path, spec } = Request.make({ path: "/" })

/** How many points in time the deadlines hold, seen from outside by what they cost: private, but what memory is bounded by. */
const bucketsOf = (deadlines: Deadlines.Deadlines): number => {
  const buckets: unknown = "buckets" in deadlines ? deadlines.buckets : undefined
  if (!(buckets instanceof Map)) throw new Error("the deadlines keep their buckets elsewhere")
  return buckets.size
}

class Entry extends Exchange.Exchange {
  readonly due: Array<number> = []
  then: ((now: number) => void) | undefined = undefined
  constructor(readonly name = 0, private readonly order: Array<number> = []) {
    super(path, spec)
  }
  onAnswer(): void {}
  onFailure(): void {}
  onDue(now: number): void {
    this.due.push(now)
    this.order.push(this.name)
    this.then?.(now)
  }
}

/**
 * A clock for one sleeper that is moved by hand. `TestClock` looks at every fiber to find out that all of them wait, which
 * takes seconds for thousands of steps.
 */
class HandClock implements Clock.Clock {
  readonly [Clock.ClockTypeId]: Clock.ClockTypeId = Clock.ClockTypeId
  private sleeper: { readonly at: number; readonly wake: () => void } | undefined = undefined
  /** How long each sleep was to be. */
  readonly sleeps: Array<number> = []
  onSleep: () => void = () => {}
  millis = 0

  unsafeCurrentTimeMillis(): number {
    return this.millis
  }
  unsafeCurrentTimeNanos(): bigint {
    return BigInt(this.millis) * 1_000_000n
  }
  readonly currentTimeMillis = Effect.sync(() => this.unsafeCurrentTimeMillis())
  readonly currentTimeNanos = Effect.sync(() => this.unsafeCurrentTimeNanos())

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    this.sleeps.push(Duration.toMillis(duration))
    this.onSleep()
    return Effect.async<void>((resume) => {
      const sleeper = { at: this.millis + Duration.toMillis(duration), wake: () => resume(Effect.void) }
      this.sleeper = sleeper
      return Effect.sync(() => {
        if (this.sleeper === sleeper) this.sleeper = undefined
      })
    })
  }

  /** The sleep ends, whatever the time is. */
  wake(): void {
    const { sleeper } = this
    this.sleeper = undefined
    sleeper?.wake()
  }

  /** Lets `millis` pass, and whoever sleeps wake up. */
  advance(millis: number): Effect.Effect<void> {
    return Effect.promise(async () => {
      const end = this.millis + millis
      for (;;) {
        for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
        const { sleeper } = this
        if (sleeper === undefined || sleeper.at > end) break
        this.sleeper = undefined
        this.millis = Math.max(this.millis, sleeper.at)
        sleeper.wake()
      }
      this.millis = end
    })
  }
}

describe("Deadlines", () => {
  it.scopedLive("the event loop was blocked -> data that has arrived is read before any deadline is called", () =>
    Effect.gen(function*() {
      const deadlines = yield* Deadlines.make
      const events: Array<string> = []
      const overdue = new Entry()
      yield* Effect.async<void>((resume) => {
        overdue.then = () => {
          events.push("due")
          resume(Effect.void)
        }
        const child = spawn("sh", ["-c", "echo answer"])
        child.stdout.on("data", () => events.push("answer"))
        // the child is running: nothing of it can be read until this function returns
        child.once("spawn", () => {
          deadlines.set(overdue, deadlines.now() + 50)
          // let the sweeper go to sleep first
          setImmediate(() => {
            const until = performance.now() + 400
            while (performance.now() < until);
          })
        })
      })
      assert.deepStrictEqual(events, ["answer", "due"])
    }))

  it.scoped("each entry is called once, at its time and not earlier", () =>
    Effect.gen(function*() {
      const deadlines = yield* Deadlines.make
      const [a, b] = [new Entry(), new Entry()]
      deadlines.set(a, 1000)
      deadlines.set(b, 2000)
      yield* TestClock.adjust("999 millis")
      assert.deepStrictEqual(a.due, [])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual([a.due, b.due], [[1000], []])
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(a.due, [1000])
      assert.lengthOf(b.due, 1)
    }))

  it.scoped("an earlier entry is set during the sleep for a later one -> called at its own time", () =>
    Effect.gen(function*() {
      const deadlines = yield* Deadlines.make
      const [late, early] = [new Entry(), new Entry()]
      deadlines.set(late, 10_000)
      yield* TestClock.adjust("1 second")
      deadlines.set(early, 1500)
      yield* TestClock.adjust("500 millis")
      assert.deepStrictEqual([early.due, late.due], [[1500], []])
      // that a sleep was broken off says nothing of the clock
      assert.strictEqual(deadlines.ahead, 0)
      yield* TestClock.adjust("8500 millis")
      assert.deepStrictEqual(late.due, [10_000])
    }))

  it.scoped("a removed or moved entry -> not called at its old time", () =>
    Effect.gen(function*() {
      const deadlines = yield* Deadlines.make
      const [removed, later, sooner, never] = [new Entry(), new Entry(), new Entry(), new Entry()]
      for (const entry of [removed, later, sooner, never]) deadlines.set(entry, 1000)
      deadlines.remove(removed)
      deadlines.remove(removed)
      deadlines.set(later, 2000)
      deadlines.set(sooner, 500)
      deadlines.set(never, Infinity)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual([removed.due.length, later.due.length, sooner.due.length, never.due.length], [0, 0, 1, 0])
      yield* TestClock.adjust("1 second")
      assert.lengthOf(later.due, 1)
    }))

  it.scoped("a time in the past -> called at once; a fraction of a millisecond is kept", () =>
    Effect.gen(function*() {
      const deadlines = yield* Deadlines.make
      yield* TestClock.adjust("5 seconds")
      const [past, fraction] = [new Entry(), new Entry()]
      deadlines.set(past, 1000)
      deadlines.set(fraction, 6000.5)
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(past.due, [5000])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(fraction.due, [])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(fraction.due, [6001])
    }))

  it.scoped("a callback may add, move and remove other entries and its own", () =>
    Effect.gen(function*() {
      const deadlines = yield* Deadlines.make
      const [first, victim, again] = [new Entry(), new Entry(), new Entry()]
      first.then = () => {
        deadlines.remove(victim)
        deadlines.set(again, 1000)
      }
      let left = 3
      again.then = (now) => {
        if (--left > 0) deadlines.set(again, now + 100)
      }
      deadlines.set(victim, 1000)
      deadlines.set(first, 1000)
      yield* TestClock.adjust("1 second")
      assert.lengthOf(victim.due, 0)
      yield* TestClock.adjust("1 second")
      assert.lengthOf(again.due, 3)
    }))

  it.scoped("a time beyond 2^31 milliseconds -> called at its time", () =>
    Effect.gen(function*() {
      const deadlines = yield* Deadlines.make
      const far = new Entry()
      const at = 40 * 24 * 3600 * 1000
      deadlines.set(far, at)
      yield* TestClock.adjust("39 days")
      assert.lengthOf(far.due, 0)
      yield* TestClock.adjust("1 day")
      assert.deepStrictEqual(far.due, [at])
    }))

  it.scoped("many far deadlines, nearly all removed before they are due -> few buckets, each entry called in its millisecond", () =>
    Effect.gen(function*() {
      let sleeps = 0
      const clock = yield* Effect.clock
      const deadlines = yield* Effect.withClock(Deadlines.make, {
        ...clock,
        [Clock.ClockTypeId]: Clock.ClockTypeId,
        unsafeCurrentTimeMillis: () => clock.unsafeCurrentTimeMillis(),
        unsafeCurrentTimeNanos: () => clock.unsafeCurrentTimeNanos(),
        sleep: (duration) => {
          sleeps++
          return clock.sleep(duration)
        }
      })
      // a notification each millisecond, each with an hour for its answer, which comes at once
      for (let second = 0; second < 60; second++) {
        for (let i = 0; i < 1000; i++) {
          const entry = new Entry()
          deadlines.set(entry, deadlines.now() + 3_600_000 + i)
          if (i > 0) deadlines.remove(entry)
        }
        yield* TestClock.adjust("1 second")
      }
      assert.isBelow(bucketsOf(deadlines), 100)
      const exact = new Entry()
      deadlines.set(exact, deadlines.now() + 1_234_567)
      yield* TestClock.adjust(1_234_566)
      assert.lengthOf(exact.due, 0)
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(exact.due, [60_000 + 1_234_567])
      assert.isBelow(sleeps, 200)
    }))

  it.scoped("the clock stands at a fraction of a millisecond -> no busy loop", () =>
    Effect.gen(function*() {
      const sleeps: Array<number> = []
      const clock = yield* Effect.clock
      const deadlines = yield* Effect.withClock(Deadlines.make, {
        ...clock,
        [Clock.ClockTypeId]: Clock.ClockTypeId,
        unsafeCurrentTimeMillis: () => clock.unsafeCurrentTimeMillis() + 0.4,
        unsafeCurrentTimeNanos: () => clock.unsafeCurrentTimeNanos(),
        sleep: (duration) => {
          sleeps.push(Duration.toMillis(duration))
          return clock.sleep(duration)
        }
      })
      const entry = new Entry()
      deadlines.set(entry, 1000)
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(entry.due.length, 1)
      assert.isTrue(sleeps.every(Number.isInteger), sleeps.join())
      assert.isAtMost(sleeps.length, 3)
    }))

  it.scoped("the wall clock is set back an hour -> a deadline in a second is still called in a second", () =>
    Effect.gen(function*() {
      let back = 0
      const clock = yield* Effect.clock
      const deadlines = yield* Effect.withClock(Deadlines.make, {
        ...clock,
        [Clock.ClockTypeId]: Clock.ClockTypeId,
        unsafeCurrentTimeMillis: () => clock.unsafeCurrentTimeMillis() - back,
        unsafeCurrentTimeNanos: () => clock.unsafeCurrentTimeNanos(),
        sleep: (duration) => clock.sleep(duration)
      })
      yield* TestClock.adjust("2 hours")
      const [before, asleep, later] = [new Entry(), new Entry(), new Entry()]
      deadlines.set(before, deadlines.now() + 1000)
      deadlines.set(asleep, deadlines.now() + 2000)
      yield* TestClock.adjust("500 millis")
      back = 3_600_000
      yield* TestClock.adjust("500 millis")
      assert.lengthOf(before.due, 1)
      assert.strictEqual(deadlines.ahead, 3_600_000)
      deadlines.set(later, deadlines.now() + 5000)
      yield* TestClock.adjust("1 second")
      assert.lengthOf(asleep.due, 1)
      yield* TestClock.adjust("3999 millis")
      assert.lengthOf(later.due, 0)
      yield* TestClock.adjust("1 millis")
      assert.lengthOf(later.due, 1)
    }))

  it.scoped("a callback throws -> logged, and the other entries are still called", () =>
    Effect.gen(function*() {
      const messages: Array<unknown> = []
      const logger = Logger.make(({ message }) => {
        messages.push(message)
        throw new Error("a logger that throws, too")
      })
      const deadlines = yield* Effect.provide(Deadlines.make, Logger.replace(Logger.defaultLogger, logger))
      const [bad, same, later] = [new Entry(), new Entry(), new Entry()]
      bad.then = () => {
        throw new Error("a bug of the caller")
      }
      deadlines.set(same, 1000)
      deadlines.set(bad, 1000)
      deadlines.set(later, 2000)
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual([same.due, later.due.length], [[1000], 1])
      assert.deepStrictEqual(messages, [["A callback has thrown"]])
    }))

  it.effect("the scope has ended -> nothing is called", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const deadlines = yield* Scope.extend(Deadlines.make, scope)
      const entry = new Entry()
      deadlines.set(entry, 1000)
      yield* Scope.close(scope, Exit.void)
      yield* TestClock.adjust("1 hour")
      assert.lengthOf(entry.due, 0)
    }))

  it.scoped("a bucket is a millisecond wide up to a second away, then at most 1/512 of the distance, and at least half of that", () =>
    Effect.gen(function*() {
      const deadlines = yield* Effect.withClock(Deadlines.make, new HandClock())
      const widths = [
        1,
        512,
        1023,
        1024,
        1025,
        2047,
        2048,
        4095,
        2 ** 20 + 1,
        2 ** 30 - 1,
        2 ** 30,
        2 ** 31,
        2 ** 32 + 1,
        2 ** 40 + 1
      ]
        .map((distance) => {
          const entry = new Entry()
          deadlines.set(entry, distance)
          const width = distance < 1024 ? 1 : 2 ** (Math.floor(Math.log2(distance)) - 9)
          assert.strictEqual(entry.dueBucket?.at, Math.floor(distance / width) * width, `${distance}`)
          // the next point in time in the same bucket shares it, the first behind it does not
          const [last, next] = [new Entry(), new Entry()]
          const at = entry.dueBucket?.at ?? NaN
          deadlines.set(last, at + width - 1)
          deadlines.set(next, at + width)
          if (distance >= 2048) assert.strictEqual(last.dueBucket, entry.dueBucket)
          assert.notStrictEqual(next.dueBucket, entry.dueBucket)
          return width
        })
      assert.deepStrictEqual(widths.slice(0, 6), [1, 1, 1, 2, 2, 2])
    }))

  it.scoped("no entries -> no sleep; many entries for one time -> one sleep, of at most 24 days", () =>
    Effect.gen(function*() {
      const clock = new HandClock()
      const deadlines = yield* Effect.withClock(Deadlines.make, clock)
      yield* clock.advance(0)
      assert.deepStrictEqual(clock.sleeps, [])
      const far = new Entry()
      deadlines.set(far, Infinity)
      deadlines.set(far, NaN)
      yield* clock.advance(0)
      assert.deepStrictEqual(clock.sleeps, [])
      for (let i = 0; i < 10; i++) {
        deadlines.set(new Entry(), 500)
        yield* clock.advance(0)
      }
      assert.deepStrictEqual(clock.sleeps, [500])
      deadlines.set(far, 2 ** 40)
      yield* clock.advance(500)
      assert.strictEqual(clock.sleeps.at(-1), 2 ** 31 - 1)
      assert.strictEqual(bucketsOf(deadlines), 1)
    }))

  it.scoped("an entry set, or a defect reported, just before a sleep begins -> not delayed by the sleep", () =>
    Effect.gen(function*() {
      const messages: Array<unknown> = []
      const logger = Logger.make(({ message }) => void messages.push(message))
      const clock = new HandClock()
      const deadlines = yield* Effect.withClock(
        Effect.provide(Deadlines.make, Logger.replace(Logger.defaultLogger, logger)),
        clock
      )
      const [late, early] = [new Entry(), new Entry()]
      clock.onSleep = () => {
        clock.onSleep = () => {}
        deadlines.set(early, 100)
      }
      deadlines.set(late, 1000)
      yield* clock.advance(100)
      assert.deepStrictEqual([early.due, late.due], [[100], []])
      clock.onSleep = () => {
        clock.onSleep = () => {}
        deadlines.report("a bug")
      }
      deadlines.set(early, 200)
      yield* clock.advance(0)
      assert.lengthOf(messages, 1)
      yield* clock.advance(900)
      assert.deepStrictEqual([early.due, late.due], [[100, 200], [1000]])
    }))

  it.scoped("a reported defect -> logged at once, no matter what is due", () =>
    Effect.gen(function*() {
      const messages: Array<unknown> = []
      const logger = Logger.make(({ message }) => void messages.push(message))
      const clock = new HandClock()
      const deadlines = yield* Effect.withClock(
        Effect.provide(Deadlines.make, Logger.replace(Logger.defaultLogger, logger)),
        clock
      )
      const entry = new Entry()
      yield* clock.advance(0)
      deadlines.report("one")
      yield* clock.advance(0)
      assert.lengthOf(messages, 1)
      deadlines.set(entry, 1000)
      yield* clock.advance(0)
      deadlines.report("two")
      yield* clock.advance(0)
      assert.lengthOf(messages, 2)
      yield* clock.advance(1000)
      assert.lengthOf(messages, 2)
      assert.deepStrictEqual(entry.due, [1000])
    }))

  it.scoped("a sleep continues more than 20 ms after its time -> ended when the clock is next read", () =>
    Effect.gen(function*() {
      const clock = new HandClock()
      const deadlines = yield* Effect.withClock(Deadlines.make, clock)
      const entry = new Entry()
      deadlines.set(entry, 1000)
      yield* clock.advance(0)
      clock.millis = 1020
      deadlines.now()
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(() => setImmediate(resolve))))
      assert.deepStrictEqual(entry.due, [])
      clock.millis = 1021
      deadlines.now()
      // the sockets are read first: not before the next turn of the event loop
      for (let i = 0; i < 100; i++) yield* Effect.promise(() => Promise.resolve())
      assert.deepStrictEqual(entry.due, [])
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(() => setImmediate(resolve))))
      assert.deepStrictEqual(entry.due, [1021])
    }))

  it.scoped("a sleep ends up to 50 ms early -> no change of the clock; earlier than that -> the clock was set back", () =>
    Effect.gen(function*() {
      for (const [early, ahead] of [[50, 0], [51, 51]] as const) {
        const clock = new HandClock()
        const deadlines = yield* Effect.withClock(Deadlines.make, clock)
        const entry = new Entry()
        deadlines.set(entry, 1000)
        yield* clock.advance(0)
        clock.millis = 1000 - early
        clock.wake()
        yield* clock.advance(0)
        assert.strictEqual(deadlines.ahead, ahead)
        assert.deepStrictEqual(entry.due, ahead === 0 ? [] : [1000])
      }
    }))

  it.scoped("hundreds of entries set in any order, half removed -> the others are called in the order of time", () =>
    Effect.gen(function*() {
      // without a divisor in common with 500, each time from 1 to 500 is set once: nearly in order, in none, and from the last
      for (const stride of [7, 193, 499]) {
        const clock = new HandClock()
        const deadlines = yield* Effect.withClock(Deadlines.make, clock)
        const order: Array<number> = []
        const times = Array.from({ length: 500 }, (_, i) => 1 + (i * stride) % 500)
        const entries = times.map((at) => new Entry(at, order))
        for (const entry of entries) deadlines.set(entry, entry.name)
        for (const entry of entries) if (entry.name % 2 === 0) deadlines.remove(entry)
        yield* clock.advance(500)
        assert.deepStrictEqual(order, times.filter((at) => at % 2 === 1).sort((a, b) => a - b))
        assert.deepStrictEqual(entries.flatMap(({ due }) => due).length, 250)
        assert.isTrue(entries.every(({ due, name }) => due.every((at) => at === name)))
        assert.strictEqual(bucketsOf(deadlines), 0)
      }
    }))

  it.scoped("the only entry for a time is removed, and another one is set for the same time -> called, after one sleep", () =>
    Effect.gen(function*() {
      const clock = new HandClock()
      const deadlines = yield* Effect.withClock(Deadlines.make, clock)
      const [removed, same, later] = [new Entry(), new Entry(), new Entry()]
      deadlines.set(removed, 500)
      deadlines.remove(removed)
      deadlines.set(later, 1000)
      deadlines.set(removed, 400)
      deadlines.remove(removed)
      yield* clock.advance(0)
      assert.deepStrictEqual(clock.sleeps, [1000])
      deadlines.set(same, 400)
      yield* clock.advance(1000)
      assert.deepStrictEqual([removed.due, same.due, later.due], [[], [400], [1000]])
    }))

  it.scoped("entries set for two times in turn -> two points in time, however many there are", () =>
    Effect.gen(function*() {
      const deadlines = yield* Effect.withClock(Deadlines.make, new HandClock())
      for (let i = 0; i < 100; i++) deadlines.set(new Entry(), i % 2 === 0 ? 500 : 600)
      const heap: unknown = "heap" in deadlines ? deadlines.heap : undefined
      assert.isTrue(Array.isArray(heap))
      assert.deepStrictEqual([Array.isArray(heap) ? heap.length : NaN, bucketsOf(deadlines)], [2, 2])
    }))

  for (const times of [1, 100]) {
    it.scopedLive(`2,000 entries that take long, of ${times} points in time, are due at once -> each is called once, in order, and the event loop does other work in between`, () =>
      Effect.gen(function*() {
        const clock = new HandClock()
        const deadlines = yield* Effect.withClock(Deadlines.make, clock)
        const order: Array<number> = []
        const count = 2_000
        let turns = 0
        const turn = () => {
          if (order.length === count) return
          turns++
          setImmediate(turn)
        }
        for (let i = 0; i < count; i++) {
          const entry = new Entry(i % times, order)
          entry.then = () => {
            if (order.length === 1) setImmediate(turn)
            // all together 400 milliseconds
            const start = performance.now()
            while (performance.now() - start < 0.2);
          }
          deadlines.set(entry, 500 + i % times)
        }
        yield* clock.advance(0)
        clock.millis = 1_000
        clock.wake()
        while (order.length < count) yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
        yield* clock.advance(0)
        assert.lengthOf(order, count)
        assert.deepStrictEqual(order, [...order].sort((a, b) => a - b))
        assert.isAbove(turns, 1)
      }))
  }

  it.scoped("the clock is set back while nothing is due -> the time goes on from the latest that was seen", () =>
    Effect.gen(function*() {
      const clock = new HandClock()
      const deadlines = yield* Effect.withClock(Deadlines.make, clock)
      clock.millis = 10_000
      assert.strictEqual(deadlines.now(), 10_000)
      clock.millis = 4_000
      assert.deepStrictEqual([deadlines.now(), deadlines.ahead], [10_000, 6_000])
      const entry = new Entry()
      deadlines.set(entry, deadlines.now() + 1000)
      yield* clock.advance(999)
      assert.deepStrictEqual(entry.due, [])
      yield* clock.advance(1)
      assert.deepStrictEqual(entry.due, [11_000])
    }))

  it.effect("random setting, moving and removing -> each entry is called once, in the order of time", () =>
    Effect.promise(() =>
      FastCheck.assert(
        FastCheck.asyncProperty(
          FastCheck.array(
            FastCheck.record({
              entry: FastCheck.nat(9),
              at: FastCheck.option(FastCheck.nat(50), { nil: undefined }),
              step: FastCheck.nat(10)
            }),
            { maxLength: 40, size: "max" }
          ),
          (actions) =>
            Effect.gen(function*() {
              const clock = new HandClock()
              const deadlines = yield* Effect.withClock(Deadlines.make, clock)
              const order: Array<number> = []
              const entries = Array.from({ length: 10 }, (_, name) => new Entry(name, order))
              const model = new Map<Entry, number>()
              const expected: Array<readonly [at: number, name: number]> = []
              const adjust = (millis: number) =>
                Effect.gen(function*() {
                  const now = deadlines.now() + millis
                  const due = [...model].filter(([, at]) => at <= now).sort((a, b) => a[1] - b[1])
                  for (const [entry, at] of due) {
                    model.delete(entry)
                    expected.push([at, entry.name])
                  }
                  const before = order.length
                  yield* clock.advance(millis)
                  const called = order.slice(before)
                  assert.deepStrictEqual([...called].sort(), due.map(([entry]) => entry.name).sort())
                  const times = called.map((name) => expected.findLast(([, other]) => other === name)?.[0] ?? NaN)
                  assert.deepStrictEqual(times, [...times].sort((a, b) => a - b))
                })
              for (const { at, entry: index, step } of actions) {
                const entry = entries[index]
                if (entry === undefined) continue
                if (at === undefined) {
                  deadlines.remove(entry)
                  model.delete(entry)
                } else {
                  const time = deadlines.now() + at
                  deadlines.set(entry, time)
                  model.set(entry, time)
                }
                yield* adjust(step)
              }
              yield* adjust(100)
            }).pipe(Effect.scoped, Effect.runPromise)
        ),
        { numRuns: 50 }
      )
    ))
})
