import * as Exchange from "@effect-apns/core/unstable/Exchange"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber } from "effect"

type Resume = (effect: Effect.Effect<number, string>) => void

/** Something that is started, and says whether it was cancelled. */
const scripted = (onStart?: (resume: Resume) => void) => {
  const log: Array<string> = []
  let resume: Resume = () => {}
  const started = Effect.runSync(Deferred.make<void>())
  const effect = Exchange.async<string, number, string>((resumed) => {
    log.push("start")
    resume = resumed
    onStart?.(resumed)
    Effect.runSync(Deferred.succeed(started, undefined))
    return "handle"
  }, (handle) => log.push(`cancel ${handle}`))
  return { effect, log, started, answer: (effect: Effect.Effect<number, string>) => resume(effect) }
}

describe("Exchange.async", () => {
  it.effect("resumed with a success -> succeeds with it, and cancel is not called", () =>
    Effect.gen(function*() {
      const { answer, effect, log, started } = scripted()
      const fiber = yield* Effect.fork(effect)
      yield* Deferred.await(started)
      answer(Effect.succeed(1))
      assert.strictEqual(yield* Fiber.join(fiber), 1)
      assert.deepStrictEqual(log, ["start"])
    }))

  it.effect("resumed before register has returned -> the result counts", () =>
    Effect.gen(function*() {
      const { effect, log } = scripted((resume) => resume(Effect.succeed(2)))
      assert.strictEqual(yield* effect, 2)
      assert.deepStrictEqual(log, ["start"])
    }))

  it.effect("resumed with a failure -> fails with it", () =>
    Effect.gen(function*() {
      const { effect } = scripted((resume) => resume(Effect.fail("no")))
      assert.strictEqual(yield* Effect.flip(effect), "no")
    }))

  it.effect("interrupted -> cancel is called before the fiber ends", () =>
    Effect.gen(function*() {
      const { effect, log, started } = scripted()
      const fiber = yield* Effect.fork(Effect.onExit(effect, () => Effect.sync(() => log.push("exit"))))
      yield* Deferred.await(started)
      const exit = yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause))
      assert.deepStrictEqual(log, ["start", "cancel handle", "exit"])
    }))

  it.effect("an answer after the interruption -> ignored", () =>
    Effect.gen(function*() {
      const { answer, effect, log, started } = scripted()
      const fiber = yield* Effect.fork(effect)
      yield* Deferred.await(started)
      const exit = yield* Fiber.interrupt(fiber)
      answer(Effect.succeed(3))
      assert.isTrue(Exit.isInterrupted(exit))
      assert.deepStrictEqual(log, ["start", "cancel handle"])
    }))

  it.effect("in an uninterruptible region -> not interrupted", () =>
    Effect.gen(function*() {
      const { answer, effect, log, started } = scripted()
      const fiber = yield* Effect.fork(Effect.uninterruptible(Effect.tap(effect, (n) => log.push(`answer ${n}`))))
      yield* Deferred.await(started)
      const interrupting = yield* Effect.fork(Fiber.interrupt(fiber))
      yield* Effect.yieldNow()
      assert.deepStrictEqual(log, ["start"])
      answer(Effect.succeed(4))
      yield* Fiber.join(interrupting)
      assert.deepStrictEqual(log, ["start", "answer 4"])
    }))

  it.effect("loses a race -> cancel is called", () =>
    Effect.gen(function*() {
      const { effect, log, started } = scripted()
      const winner = Effect.as(Deferred.await(started), 5)
      assert.strictEqual(yield* Effect.raceFirst(effect, winner), 5)
      assert.deepStrictEqual(log, ["start", "cancel handle"])
    }))

  it.effect("the fiber is interrupted already -> does not start", () =>
    Effect.gen(function*() {
      const { effect, log } = scripted()
      const fiber = yield* Effect.fork(Effect.uninterruptibleMask((restore) =>
        Effect.zipRight(Effect.zipRight(Effect.yieldNow(), Effect.yieldNow()), restore(effect))
      ))
      const exit = yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.isInterrupted(exit))
      assert.deepStrictEqual(log, [])
    }))
})
