import { assert, describe, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import * as fc from "fast-check"
import { Timeline } from "../../src/internal/timeline.js"

const make = Effect.acquireRelease(
  Effect.map(Effect.clock, (clock) => new Timeline(clock)),
  (timeline) => Effect.sync(() => timeline.close())
)

describe("Timeline", () => {
  it.scoped("runs callbacks that are due, the earliest first, ties in the order of adding", () =>
    Effect.gen(function*() {
      const timeline = yield* make
      const ran: Array<string> = []
      timeline.schedule(30, () => ran.push("c"))
      timeline.schedule(10, () => ran.push("a"))
      timeline.schedule(20, () => ran.push("b1"))
      timeline.schedule(20, () => ran.push("b2"))
      yield* TestClock.adjust("9 millis")
      assert.deepStrictEqual(ran, [])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(ran, ["a"])
      yield* TestClock.adjust("10 millis")
      assert.deepStrictEqual(ran, ["a", "b1", "b2"])
      timeline.schedule(1, () => ran.push("d"))
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(ran, ["a", "b1", "b2", "d", "c"])
    }))

  it.scoped("runs what a callback schedules", () =>
    Effect.gen(function*() {
      const timeline = yield* make
      let count = 0
      const again = (): void => {
        count++
        timeline.schedule(10, again)
      }
      timeline.schedule(10, again)
      for (let i = 0; i < 5; i++) yield* TestClock.adjust("10 millis")
      assert.strictEqual(count, 5)
    }))

  it.effect("runs nothing after it was closed", () =>
    Effect.gen(function*() {
      const timeline = new Timeline(yield* Effect.clock)
      let ran = false
      timeline.schedule(10, () => (ran = true))
      timeline.close()
      timeline.schedule(5, () => (ran = true))
      yield* TestClock.adjust("1 minute")
      assert.isFalse(ran)
    }))

  it.effect.prop(
    "is a stable sort by time",
    [fc.array(fc.nat(20), { maxLength: 60 })],
    ([waits]) =>
      Effect.scoped(Effect.gen(function*() {
        const timeline = yield* make
        const ran: Array<readonly [number, number]> = []
        waits.forEach((wait, order) => timeline.schedule(wait, () => ran.push([wait, order])))
        yield* TestClock.adjust("1 second")
        const expected = waits.map((wait, order) => [wait, order] as const).sort(([a, x], [b, y]) => a - b || x - y)
        assert.deepStrictEqual(ran, expected)
      })),
    { fastCheck: { numRuns: 25 } }
  )
})
