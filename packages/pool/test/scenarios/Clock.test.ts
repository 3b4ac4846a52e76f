import { Failure, Response } from "@effect-apns/core"
import { Notification } from "@effect-apns/models"
import { ApnsPool, send } from "@effect-apns/pool"
import { assert, describe, it } from "@effect/vitest"
import { Clock, DateTime, Duration, Effect, Fiber, Schedule, TestClock } from "effect"
import { brief, errorOf, one, receiptOf, stats, token, tokens, topic, ways } from "./utils.js"

type Answer = Effect.Effect<Response.Response, Failure.RequestError>

/** Answers with these, in order, then with 200; and when it was asked. */
const scripted = (...answers: ReadonlyArray<Answer>) => {
  const asked: Array<number> = []
  const handler = () =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      asked.push(now)
      return answers[asked.length - 1] ?? Effect.succeed(Response.make())
    })
  return { asked, handler }
}

const failing = (failure: Failure.Failure): Answer => Effect.fail(Failure.toError(failure, 1))

const answer = (status: number, reason: string, headers: Record<string, string> = {}): Answer =>
  Effect.succeed(Response.make({ status, headers, body: { reason } }))

const refused = failing(Failure.streamReset(7))
const unwritten = failing(Failure.closed("no", { _tag: "Dropped", code: "ECONNRESET" }))
const dropped = failing(Failure.closed("unknown", { _tag: "Dropped", code: "ECONNRESET" }))

for (const way of ways) {
  describe(`time limits and waits: ${way.name}`, () => {
    const sending = (settings: Parameters<typeof one>[1] = {}) => Effect.fork(one(way, { topic, ...settings }))

    it.effect("503 with Retry-After: 2 -> sent again after 2 seconds, not earlier", () => {
      const { asked, handler } = scripted(answer(503, "ServiceUnavailable", { "retry-after": "2" }))
      return Effect.gen(function*() {
        const fiber = yield* sending()
        yield* TestClock.adjust("1999 millis")
        assert.deepInclude(yield* stats, { retrying: 1, inFlight: 0 })
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(receiptOf(yield* Fiber.join(fiber)).attempts, 2)
        assert.deepStrictEqual(asked, [0, 2000])
      }).pipe(Effect.provide(ApnsPool.layerTest(handler)))
    })

    it.effect("a Retry-After longer than the time that is left -> fails with that answer at once", () => {
      const { asked, handler } = scripted(answer(429, "TooManyRequests", { "retry-after": "60" }))
      return Effect.gen(function*() {
        const error = errorOf(yield* one(way, { topic, timeout: "59 seconds" }))
        assert.deepInclude(error, { _tag: "TooManyRequests", processed: "yes", attempts: 1 })
        assert.strictEqual("retryAfter" in error && error.retryAfter && Duration.toSeconds(error.retryAfter), 60)
        assert.deepStrictEqual(asked, [0])
      }).pipe(Effect.provide(ApnsPool.layerTest(handler)))
    })

    it.effect("Retry-After: 0 -> still waits before sending again", () => {
      const { asked, handler } = scripted(
        ...Array.from({ length: 1000 }, () => answer(503, "ServiceUnavailable", { "retry-after": "0" }))
      )
      return Effect.gen(function*() {
        const fiber = yield* sending()
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual(errorOf(yield* Fiber.join(fiber))._tag, "ServiceUnavailable")
        assert.isBelow(asked.length, 6)
      }).pipe(Effect.provide(ApnsPool.layerTest(handler)))
    })

    it.effect("503, then 400 -> the 400, after two attempts", () => {
      const { handler } = scripted(answer(503, "ServiceUnavailable"), answer(400, "BadDeviceToken"))
      return Effect.gen(function*() {
        const fiber = yield* sending()
        yield* TestClock.adjust("2 seconds")
        assert.deepInclude(errorOf(yield* Fiber.join(fiber)), { _tag: "BadDeviceToken", attempts: 2 })
      }).pipe(Effect.provide(ApnsPool.layerTest(handler)))
    })

    it.effect("the connection drops before the request was written -> sent again at once", () => {
      const { asked, handler } = scripted(unwritten)
      return Effect.gen(function*() {
        assert.strictEqual(receiptOf(yield* one(way, { topic })).attempts, 2)
        assert.deepStrictEqual(asked, [0, 0])
      }).pipe(Effect.provide(ApnsPool.layerTest(handler)))
    })

    it.effect("possibly processed once, then another failure -> the error says that it may have been processed", () => {
      const cases: ReadonlyArray<readonly [first: Answer, settings: Parameters<typeof one>[1], expected: string]> = [
        [dropped, { retransmit: "always" }, "StreamReset unknown"],
        [dropped, { collapseId: "x" }, "StreamReset unknown"],
        [answer(500, "InternalServerError"), {}, "StreamReset unknown"],
        [answer(503, "ServiceUnavailable"), {}, "StreamReset no"],
        [refused, {}, "StreamReset no"]
      ]
      return Effect.forEach(cases, ([first, settings, expected]) => {
        const { handler } = scripted(first, ...Array.from({ length: 9 }, () => refused))
        return Effect.gen(function*() {
          const fiber = yield* sending(settings)
          yield* TestClock.adjust("5 seconds")
          assert.strictEqual(brief(yield* Fiber.join(fiber)), expected)
        }).pipe(Effect.provide(ApnsPool.layerTest(handler, { retrySchedule: Schedule.recurs(1) })))
      }, { discard: true })
    })

    it.effect("time in the queue does not count against the timeout, but against the deadline", () =>
      Effect.gen(function*() {
        const fibers = yield* Effect.forEach(
          tokens(3),
          (to) => Effect.fork(one(way, { topic, timeout: "10 seconds" }, to))
        )
        yield* TestClock.adjust(0)
        const impatient = yield* sending({ timeout: "10 seconds", deadline: new Date(20_000) })
        yield* TestClock.adjust("20 seconds")
        assert.deepInclude(errorOf(yield* Fiber.join(impatient)), {
          _tag: "Timeout",
          limit: "deadline",
          processed: "no",
          attempts: 0
        })
        yield* TestClock.adjust("20 seconds")
        for (const fiber of fibers) assert.strictEqual(receiptOf(yield* Fiber.join(fiber)).attempts, 1)
      }).pipe(
        Effect.provide(
          ApnsPool.layerTest(() => Effect.as(Effect.sleep("9 seconds"), Response.make()), { streams: 1 })
        )
      ))

    it.effect("apns-expiration passes between two attempts -> Timeout", () => {
      const { asked, handler } = scripted(...Array.from({ length: 100 }, () => refused))
      return Effect.gen(function*() {
        const fiber = yield* sending({ expiration: DateTime.unsafeMake(5000), timeout: "1 hour" })
        yield* TestClock.adjust("5 seconds")
        assert.deepInclude(errorOf(yield* Fiber.join(fiber)), { _tag: "Timeout", limit: "expiration", processed: "no" })
        assert.isAbove(asked.length, 2)
        const late = errorOf(yield* one(way, { topic, expiration: DateTime.unsafeMake(4000) }))
        assert.deepInclude(late, { _tag: "Timeout", limit: "expiration", processed: "no", attempts: 0 })
        assert.strictEqual(
          brief(
            yield* Effect.provide(
              one(way, { topic, expiration: "none" }),
              ApnsPool.layerTest(() => Effect.succeed(Response.make()))
            )
          ),
          "ok"
        )
      }).pipe(Effect.provide(ApnsPool.layerTest(handler)))
    })

    it.effect("a slow retry schedule -> the deadline and the end of the pool still end the send", () => {
      const slow = Schedule.forever.pipe(Schedule.tapInput(() => Effect.sleep("1 hour")))
      const { handler } = scripted(refused, refused, refused, refused, refused, refused)
      return Effect.gen(function*() {
        const closing = yield* Effect.gen(function*() {
          const due = yield* sending({ timeout: "3 seconds" })
          yield* TestClock.adjust("3 seconds")
          assert.deepInclude(errorOf(yield* Fiber.join(due)), { _tag: "Timeout", processed: "no", attempts: 3 })
          const left = yield* Effect.forkDaemon(one(way, { topic, timeout: "3 hours" }))
          yield* TestClock.adjust(0)
          assert.deepInclude(yield* stats, { retrying: 1, inFlight: 0 })
          return left
        }).pipe(Effect.provide(ApnsPool.layerTest(handler, { retrySchedule: slow })))
        assert.deepInclude(errorOf(yield* Fiber.join(closing)), { _tag: "Closed", processed: "no", attempts: 3 })
      })
    })
  })
}

describe("body sizes", () => {
  it.effect("4,096 bytes -> sent; 4,097 bytes -> refused before anything is sent", () => {
    const { asked, handler } = scripted()
    return Effect.gen(function*() {
      const overhead = Buffer.byteLength(JSON.stringify({ aps: { alert: "" } }))
      const sized = (bytes: number) =>
        Effect.either(
          send({ token: token(1), topic, notification: Notification.alert({ alert: "x".repeat(bytes - overhead) }) })
        )
      assert.strictEqual(brief(yield* sized(4096)), "ok")
      assert.deepInclude(errorOf(yield* sized(4097)), {
        _tag: "PayloadTooLarge",
        origin: "local",
        processed: "no",
        attempts: 0
      })
      assert.lengthOf(asked, 1)
    }).pipe(Effect.provide(ApnsPool.layerTest(handler)))
  })
})
