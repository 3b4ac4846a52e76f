import { Connection, Failure, Request, Response } from "@effect-apns/core"
import { Notification } from "@effect-apns/models"
import { ApnsPool, send, sendAll } from "@effect-apns/pool"
import * as UnstableApnsPool from "@effect-apns/pool/unstable/ApnsPool"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Effect, Either, Exit, Fiber, Option, Schedule, Stream, TestClock } from "effect"

const request = (options: Partial<Request.Options> = {}) =>
  Request.make({
    path: "/3/device/4242",
    headers: { "apns-push-type": "alert", "apns-topic": "com.app.your" },
    body: { aps: { alert: "x" } },
    timeout: "10 seconds",
    ...options
  })

const post = (options: Partial<Request.Options> = {}) =>
  Effect.flatMap(ApnsPool.ApnsPool, (pool) => pool.post(request(options)))

const stats = Effect.flatMap(ApnsPool.ApnsPool, (pool) => pool.stats)

/** Answers with what the list says, in order, then with 200. */
const scripted = (...answers: ReadonlyArray<Effect.Effect<Response.Response, Failure.RequestError>>) => {
  const seen: Array<number> = []
  const handler = () =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      seen.push(now)
      return answers[seen.length - 1] ?? Effect.succeed(Response.make())
    })
  return { handler, seen }
}

const refused = Effect.fail(Failure.toError(Failure.streamReset(7), 1))
const dropped = Effect.fail(Failure.toError(Failure.closed("unknown", { _tag: "Dropped", code: "ECONNRESET" }), 1))
const answer = (status: number, reason?: string, headers?: Record<string, string>) =>
  Effect.succeed(Response.make({ status, headers, ...(reason === undefined ? {} : { body: { reason } }) }))

describe("ApnsPool without a socket", () => {
  it.effect("a request is answered -> the response", () =>
    Effect.gen(function*() {
      const response = yield* post()
      assert.strictEqual(response.status, 200)
      assert.strictEqual(response.attempts, 1)
      const { completed, failed, inFlight, queued, state } = yield* stats
      assert.deepStrictEqual({ completed, failed, inFlight, queued, state }, {
        completed: 1,
        failed: 0,
        inFlight: 0,
        queued: 0,
        state: "open"
      })
    }).pipe(Effect.provide(ApnsPool.layerTest(() => Effect.succeed(Response.make())))))

  it.effect("no answer comes -> Timeout, and the stream is free again", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(Effect.either(post()))
      yield* TestClock.adjust("9999 millis")
      assert.strictEqual((yield* stats).inFlight, 1)
      yield* TestClock.adjust("1 millis")
      const result = yield* Fiber.join(fiber)
      assert.isTrue(Either.isLeft(result))
      if (Either.isLeft(result)) {
        assert.strictEqual(result.left._tag, "Timeout")
        assert.strictEqual(result.left.processed, "unknown")
      }
      assert.strictEqual((yield* stats).inFlight, 0)
    }).pipe(Effect.provide(ApnsPool.layerTest(() => Effect.never))))

  it.effect("the time spent waiting for a free stream does not count against the timeout", () =>
    Effect.gen(function*() {
      const first = yield* Effect.fork(Effect.either(post({ timeout: "10 seconds" })))
      const second = yield* Effect.fork(Effect.either(post({ timeout: "10 seconds" })))
      yield* TestClock.adjust("8 seconds")
      assert.deepInclude(yield* stats, { inFlight: 1, queued: 1 })
      yield* TestClock.adjust("8 seconds")
      assert.isTrue(Either.isRight(yield* Fiber.join(first)))
      yield* TestClock.adjust("2 seconds")
      assert.isTrue(Either.isRight(yield* Fiber.join(second)))
    }).pipe(
      Effect.provide(
        ApnsPool.layerTest(() => Effect.as(Effect.sleep("9 seconds"), Response.make()), { size: 1, streams: 1 })
      )
    ))

  it.effect("the deadline passes in the queue -> Timeout, not processed", () =>
    Effect.gen(function*() {
      yield* Effect.fork(post({ timeout: "1 hour" }))
      yield* TestClock.adjust(0)
      const fiber = yield* Effect.fork(Effect.flip(post({ deadline: new Date(5000) })))
      yield* TestClock.adjust("5 seconds")
      const error = yield* Fiber.join(fiber)
      assert.deepInclude(error, { _tag: "Timeout", processed: "no", limit: "deadline", attempts: 0 })
    }).pipe(Effect.provide(ApnsPool.layerTest(() => Effect.never, { streams: 1 }))))

  it.effect("apns-expiration passes -> Timeout, as with a deadline", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(
        Effect.flip(post({ headers: { "apns-expiration": "3" }, timeout: "10 seconds" }))
      )
      yield* TestClock.adjust("3 seconds")
      assert.deepInclude(yield* Fiber.join(fiber), { _tag: "Timeout", processed: "unknown", limit: "expiration" })
    }).pipe(Effect.provide(ApnsPool.layerTest(() => Effect.never))))

  it.effect("apns-expiration 0 is not a deadline", () =>
    Effect.gen(function*() {
      const response = yield* post({ headers: { "apns-expiration": "0" } })
      assert.strictEqual(response.status, 200)
    }).pipe(Effect.provide(ApnsPool.layerTest(() => Effect.succeed(Response.make())))))

  it.effect("queued requests are sent in the order of submission", () =>
    Effect.gen(function*() {
      const order: Array<number> = []
      const fibers = yield* Effect.forEach([1, 2, 3, 4, 5], (n) =>
        Effect.fork(Effect.tap(post({ path: `/3/device/0${n}` }), () => order.push(n))))
      yield* TestClock.adjust("1 minute")
      yield* Fiber.joinAll(fibers)
      assert.deepStrictEqual(order, [1, 2, 3, 4, 5])
    }).pipe(
      Effect.provide(
        ApnsPool.layerTest(() =>
          Effect.as(Effect.sleep("1 second"), Response.make()), { streams: 1 })
      )
    ))

  it.effect("REFUSED_STREAM -> sent again, first at once and then by the schedule, and counted", () => {
    const { handler, seen } = scripted(refused, refused, refused, refused)
    return Effect.gen(function*() {
      const fiber = yield* Effect.fork(post())
      yield* TestClock.adjust("1 second")
      const response = yield* Fiber.join(fiber)
      assert.strictEqual(response.attempts, 5)
      assert.deepStrictEqual(seen.slice(0, 3), [0, 0, 0])
      assert.isAbove(seen[3] ?? 0, 0)
    }).pipe(Effect.provide(ApnsPool.layerTest(handler)))
  })

  it.effect("retrySchedule: Schedule.stop -> no retry after the two immediate ones", () => {
    const { handler, seen } = scripted(refused, refused, refused, refused)
    return Effect.gen(function*() {
      const error = yield* Effect.flip(post())
      assert.deepInclude(error, { _tag: "StreamReset", processed: "no", code: 7, attempts: 3 })
      assert.lengthOf(seen, 3)
    }).pipe(Effect.provide(ApnsPool.layerTest(handler, { retrySchedule: Schedule.stop })))
  })

  it.effect("an unknown fate -> sent again only if the policy allows it", () => {
    const one = scripted(dropped)
    const two = scripted(dropped)
    const three = scripted(dropped)
    const layer = (handler: typeof one.handler) => Effect.provide(ApnsPool.layerTest(handler))
    return Effect.gen(function*() {
      const error = yield* Effect.flip(layer(one.handler)(post()))
      assert.deepInclude(error, { _tag: "Closed", processed: "unknown", attempts: 1 })
      assert.lengthOf(one.seen, 1)

      const collapsible = yield* Effect.fork(layer(two.handler)(post({ headers: { "apns-collapse-id": "a" } })))
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(collapsible)).attempts, 2)

      const always = yield* Effect.fork(layer(three.handler)(post({ retransmit: "always" })))
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(always)).attempts, 2)
    })
  })

  it.effect("an attempt with unknown fate, then another failure -> the error says that it may have been processed", () => {
    const { handler } = scripted(dropped, refused, refused, refused, refused)
    return Effect.gen(function*() {
      const fiber = yield* Effect.fork(Effect.flip(post({ retransmit: "always" })))
      yield* TestClock.adjust("1 second")
      assert.deepInclude(yield* Fiber.join(fiber), { _tag: "StreamReset", processed: "unknown" })
    }).pipe(
      Effect.provide(ApnsPool.layerTest(handler, {
        retrySchedule: Schedule.recurs(1)
      }))
    )
  })

  it.effect("503 with Retry-After waits that long", () => {
    const { handler, seen } = scripted(answer(503, "ServiceUnavailable", { "retry-after": "2" }))
    return Effect.gen(function*() {
      const fiber = yield* Effect.fork(post())
      yield* TestClock.adjust("1999 millis")
      assert.deepInclude(yield* stats, { retrying: 1 })
      yield* TestClock.adjust("1 millis")
      const response = yield* Fiber.join(fiber)
      assert.strictEqual(response.attempts, 2)
      assert.deepStrictEqual(seen, [0, 2000])
    }).pipe(Effect.provide(ApnsPool.layerTest(handler)))
  })

  it.effect("503 with a Retry-After beyond the deadline -> fails with the 503 at once", () => {
    const { handler, seen } = scripted(answer(503, "ServiceUnavailable", { "retry-after": "60" }))
    return Effect.gen(function*() {
      const response = yield* post()
      assert.deepInclude(response, { status: 503, reason: "ServiceUnavailable", attempts: 1 })
      assert.lengthOf(seen, 1)
    }).pipe(Effect.provide(ApnsPool.layerTest(handler)))
  })

  it.effect("503, then 400 -> the 400, after two attempts", () => {
    const { handler } = scripted(
      answer(503, "ServiceUnavailable", { "retry-after": "1" }),
      answer(400, "BadDeviceToken")
    )
    return Effect.gen(function*() {
      const fiber = yield* Effect.fork(post())
      yield* TestClock.adjust("1 second")
      assert.deepInclude(yield* Fiber.join(fiber), { status: 400, reason: "BadDeviceToken", attempts: 2 })
    }).pipe(Effect.provide(ApnsPool.layerTest(handler)))
  })

  it.effect("429 TooManyRequests -> only that request is delayed", () => {
    const { handler } = scripted(answer(429, "TooManyRequests"))
    return Effect.gen(function*() {
      const throttled = yield* Effect.fork(post())
      yield* TestClock.adjust(0)
      assert.strictEqual((yield* post()).status, 200)
      assert.deepInclude(yield* stats, { retrying: 1 })
      yield* TestClock.adjust("3 seconds")
      assert.deepInclude(yield* Fiber.join(throttled), { status: 200, attempts: 2 })
    }).pipe(Effect.provide(ApnsPool.layerTest(handler)))
  })

  describe("an error has the last answer, not an earlier one", () => {
    const notification = Notification.alert({ alert: "Lunch" })
    const token = "0123456789abcdef"
    const topic = "com.example.app"
    const ways = {
      send: Effect.flip(send({ token, notification, topic })),
      sendAll: Stream.runHead(sendAll(Stream.make(token), { notification, topic })).pipe(
        Effect.flatMap(Option.map(({ result }) => Either.flip(result))),
        Effect.flatMap((error) => error)
      )
    }
    const firsts = [
      answer(429, "TooManyRequests"),
      answer(503, "ServiceUnavailable"),
      answer(500, "InternalServerError")
    ]
    const lasts = [
      [answer(204), 204, ""],
      [answer(410, "Unregistered"), 410, "Unregistered"]
    ] as const
    for (const [name, way] of Object.entries(ways)) {
      for (const [last, status, reason] of lasts) {
        it.effect(`${name}: other answers, then ${status}`, () =>
          Effect.forEach(firsts, (first) =>
            Effect.gen(function*() {
              const fiber = yield* Effect.fork(way)
              yield* TestClock.adjust("1 minute")
              assert.deepInclude(yield* Fiber.join(fiber), { status, reason, attempts: 2 })
            }).pipe(Effect.provide(ApnsPool.layerTest(scripted(first, last).handler)))))
      }
    }
  })

  it.effect("a reason that Apple says not to retry -> not retried", () => {
    const { handler, seen } = scripted(answer(410, "Unregistered"))
    return Effect.gen(function*() {
      assert.deepInclude(yield* post(), { status: 410, attempts: 1 })
      assert.lengthOf(seen, 1)
    }).pipe(Effect.provide(ApnsPool.layerTest(handler)))
  })

  it.effect("an error body that is not JSON -> MalformedResponse", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(post())
      assert.deepInclude(error, { _tag: "MalformedResponse", processed: "yes", status: 400 })
    }).pipe(
      Effect.provide(ApnsPool.layerTest(() =>
        Effect.succeed({ ...Response.make({ status: 400 }), body: new TextEncoder().encode("<html>") })
      ))
    ))

  it.effect("interruption in the queue or in flight -> the request is removed or cancelled, and the counters are exact", () =>
    Effect.gen(function*() {
      const sent = yield* Effect.fork(post())
      const waiting = yield* Effect.fork(post())
      yield* TestClock.adjust(0)
      assert.deepInclude(yield* stats, { inFlight: 1, queued: 1 })
      yield* Fiber.interrupt(waiting)
      assert.deepInclude(yield* stats, { inFlight: 1, queued: 0, interrupted: 1 })
      yield* Fiber.interrupt(sent)
      assert.deepInclude(yield* stats, { inFlight: 0, queued: 0, retrying: 0, interrupted: 2, completed: 0, failed: 0 })
    }).pipe(Effect.provide(ApnsPool.layerTest(() => Effect.never, { streams: 1 }))))

  it.effect("the scope is closed -> requests in flight get their answers until the drain timeout, then the rest fails", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const context = yield* Effect.scope.pipe(
        Effect.zipRight(Effect.fork(
          Effect.gen(function*() {
            const inside = yield* Effect.forkDaemon(Effect.either(post({ path: "/3/device/00" })))
            const stuck = yield* Effect.forkDaemon(Effect.either(post({ path: "/3/device/01", timeout: "1 hour" })))
            const behind = yield* Effect.forkDaemon(Effect.either(post({ path: "/3/device/02", timeout: "1 hour" })))
            yield* Deferred.await(gate)
            return { inside, stuck, behind }
          }).pipe(
            Effect.provide(ApnsPool.layerTest((request) =>
              request.path === "/3/device/00"
                ? Effect.as(Effect.sleep("2 seconds"), Response.make())
                : Effect.never, { streams: 2, drainTimeout: "5 seconds" })),
            Effect.scoped
          )
        ))
      )
      yield* TestClock.adjust("1 second")
      yield* Deferred.succeed(gate, undefined)
      yield* TestClock.adjust("10 seconds")
      const { behind, inside, stuck } = yield* Fiber.join(context)
      assert.isTrue(Either.isRight(yield* Fiber.join(inside)))
      const lost = yield* Fiber.join(stuck)
      assert.isTrue(Either.isLeft(lost))
      if (Either.isLeft(lost)) assert.deepInclude(lost.left, { _tag: "Closed", processed: "unknown" })
      const last = yield* Fiber.join(behind)
      assert.isTrue(Either.isLeft(last))
    }).pipe(Effect.scoped))

  it.effect("a request after the scope has ended -> Closed", () =>
    Effect.gen(function*() {
      const pool = yield* ApnsPool.ApnsPool.pipe(
        Effect.provide(ApnsPool.layerTest(() => Effect.succeed(Response.make())))
      )
      const error = yield* Effect.flip(pool.post(request()))
      assert.deepInclude(error, { _tag: "Closed", processed: "no", attempts: 0, closeCause: { _tag: "ScopeClosed" } })
      assert.strictEqual((yield* pool.stats).state, "closed")
    }))

  it.effect("a size that is not a whole number of at least 1 -> refused", () =>
    Effect.gen(function*() {
      for (const size of [0, -1, 1.5, NaN, Infinity]) {
        const exit = yield* Effect.exit(
          Effect.scoped(
            UnstableApnsPool.makeWith((parts) => Connection.fromHandler(() => Effect.never, {}, parts), { size })
          )
        )
        assert.isTrue(Exit.isFailure(exit), String(size))
      }
      const pool = yield* UnstableApnsPool.makeWith((parts) => Connection.fromHandler(() => Effect.never, {}, parts))
      assert.strictEqual((yield* Effect.flip(pool.resize(0)))._tag, "InvalidPoolOptions")
    }).pipe(Effect.scoped))

  it.effect("resize opens and closes connections", () =>
    Effect.gen(function*() {
      const pool = yield* UnstableApnsPool.makeWith(
        (parts) => Connection.fromHandler(() => Effect.succeed(Response.make()), {}, parts),
        { size: 2 }
      )
      yield* TestClock.adjust(0)
      assert.deepInclude(yield* pool.stats, { size: 2, active: 2 })
      yield* pool.resize(4)
      yield* TestClock.adjust(0)
      assert.deepInclude(yield* pool.stats, { size: 4, active: 4 })
      yield* pool.resize(1)
      yield* TestClock.adjust(0)
      assert.deepInclude(yield* pool.stats, { size: 1, active: 1, draining: 0 })
      assert.strictEqual((yield* pool.post(request())).status, 200)
    }).pipe(Effect.scoped))
})
