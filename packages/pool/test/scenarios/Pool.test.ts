import { Request } from "@effect-apns/core"
import { ApnsMetrics, ApnsPool, send } from "@effect-apns/pool"
import { MockApns } from "@effect-apns/testing"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Either, Fiber, Schedule } from "effect"
import {
  brief,
  deliveries,
  errorOf,
  live,
  maxDeliveries,
  notification,
  one,
  opened,
  poolAt,
  receiptOf,
  stats,
  tick,
  token,
  tokens,
  topic,
  ways
} from "./utils.js"

const [way] = ways
if (way === undefined) throw new Error("no way to send")

const request = (n: number, options: Partial<Request.Options> = {}) =>
  Request.make({
    path: `/3/device/${token(n)}`,
    headers: { "apns-push-type": "alert", "apns-topic": topic },
    body: { aps: { alert: "x" } },
    ...options
  })

const post = (n: number, options: Partial<Request.Options> = {}) =>
  Effect.flatMap(ApnsPool.ApnsPool, (pool) => pool.post(request(n, options)))

describe("a pool over TLS and HTTP/2", () => {
  it.scopedLive("one after the other and in parallel -> each request is answered with its own apns-id", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const ids = (n: number) => `00000000-0000-0000-0000-${String(n).padStart(12, "0")}`
      const withId = (n: number) =>
        post(n, { headers: { "apns-push-type": "alert", "apns-topic": topic, "apns-id": ids(n) } })
      for (const n of [1, 2, 3, 4]) assert.strictEqual((yield* withId(n)).apnsId, ids(n))
      // all four have arrived before one is answered: they share the connections
      const gate = yield* Deferred.make<void>()
      yield* apns.script(() => Effect.as(Deferred.await(gate), undefined))
      const fibers = yield* Effect.forEach([5, 6, 7, 8], (n) => Effect.fork(withId(n)))
      yield* apns.until(({ arrived }) => arrived === 8)
      yield* Deferred.succeed(gate, undefined)
      const responses = yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber))
      assert.deepStrictEqual(responses.map(({ apnsId }) => apnsId), [5, 6, 7, 8].map(ids))
      assert.deepStrictEqual(responses.map(({ status }) => status), [200, 200, 200, 200])
    }).pipe(Effect.provide(live({ pool: { size: 2 } }))))

  it.scopedLive("a rejection -> a response with its apns-id and reason", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      yield* apns.rejectToken(token(1))
      const response = yield* post(1)
      assert.deepInclude(response, { status: 400, reason: "BadDeviceToken", attempts: 1 })
      assert.match(response.apnsId ?? "", /^[0-9a-f-]{36}$/)
    }).pipe(Effect.provide(live())))

  it.scopedLive("the counters after one post", () =>
    Effect.gen(function*() {
      yield* post(1)
      assert.deepInclude(yield* stats, {
        state: "open",
        size: 1,
        active: 1,
        connecting: 0,
        draining: 0,
        queued: 0,
        inFlight: 0,
        retrying: 0,
        completed: 1,
        failed: 0,
        interrupted: 0,
        attempts: 1,
        connectionsOpened: 1,
        connectionsFailed: 0,
        connectionsLost: 0
      })
    }).pipe(Effect.provide(live())))

  it.scopedLive("resize 2 to 4 to 2 while sending -> every connection is used, and nothing is lost", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const pool = yield* ApnsPool.ApnsPool
      yield* opened(2)
      yield* apns.delay("20 millis")
      const first = yield* Effect.fork(way.run(tokens(100)))
      yield* apns.until(({ arrived }) => arrived === 100)
      yield* pool.resize(4)
      yield* opened(4)
      const second = yield* Effect.fork(way.run(tokens(100, 101)))
      yield* apns.until(({ arrived }) => arrived === 200)
      yield* pool.resize(2)
      assert.strictEqual((yield* pool.stats).size, 2)
      for (const fiber of [first, second]) {
        for (const result of yield* Fiber.join(fiber)) receiptOf(result)
      }
      yield* apns.until(({ openConnections }) => openConnections === 2)
      assert.strictEqual(brief(yield* one(way)), "ok")
      assert.isTrue((yield* apns.connections).every(({ requests }) => requests > 0))
      const invalid = yield* Effect.flip(pool.resize(0))
      assert.strictEqual(invalid._tag, "InvalidPoolOptions")
      assert.include(invalid.message, "at least 1")
    }).pipe(Effect.provide(live({ pool: { size: 2 } }))))

  it.scopedLive("many requests -> spread evenly over the connections", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      yield* opened(4)
      yield* apns.delay("50 millis")
      // each of them has answered: now it may carry any number
      yield* way.run(tokens(20))
      yield* way.run(tokens(100, 21))
      const requests = (yield* apns.connections).map(({ requests }) => requests)
      assert.strictEqual(requests.reduce((a, b) => a + b, 0), 120)
      assert.isAtMost(Math.max(...requests) - Math.min(...requests), 1)
    }).pipe(Effect.provide(live({ pool: { size: 4 } }))))

  it.scopedLive("one notification object 1,000 times, and 1,000 distinct ones -> each arrives", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const same = yield* Effect.forEach(
        tokens(1000, 1),
        () => Effect.either(send({ token: token(7), notification })),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(same.filter(Either.isRight).length, 1000)
      const distinct = yield* way.run(tokens(1000, 10_000))
      assert.strictEqual(distinct.filter(Either.isRight).length, 1000)
      const counts = yield* deliveries
      assert.strictEqual(counts.get(token(7)), 1000)
      assert.strictEqual(counts.size, 1001)
      assert.strictEqual(yield* apns.acceptedCount, 2000)
    }).pipe(Effect.provide(live({ pool: { size: 2 } }))))

  it.scopedLive("the limit of streams falls from 1000 to 1 and rises again -> everything arrives, nothing is refused", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const gate = yield* Deferred.make<void>()
      yield* apns.script(() => Effect.as(Deferred.await(gate), undefined))
      const first = yield* Effect.fork(way.run(tokens(50)))
      yield* apns.until(({ arrived }) => arrived === 50)
      yield* apns.settings({ maxConcurrentStreams: 1 })
      yield* apns.until(({ settingsAcks }) => settingsAcks === 2)
      const second = yield* Effect.fork(way.run(tokens(50, 51)))
      yield* tick
      assert.deepInclude(yield* stats, { inFlight: 50, queued: 50 })
      // now one at a time, until the limit rises
      let open = 0
      const together: Array<number> = []
      yield* apns.script(() =>
        Effect.gen(function*() {
          open++
          yield* Effect.sleep("1 millis")
          together.push(open--)
          if (together.length === 5) yield* apns.settings({ maxConcurrentStreams: 1000 })
          return undefined
        })
      )
      yield* Deferred.succeed(gate, undefined)
      for (const fiber of [first, second]) {
        for (const result of yield* Fiber.join(fiber)) assert.strictEqual(receiptOf(result).attempts, 1)
      }
      assert.strictEqual((yield* apns.stats).requests, 100)
      assert.strictEqual((yield* apns.connections)[0]?.maxOpenStreams, 50)
      assert.lengthOf(together, 50)
      assert.deepStrictEqual(together.slice(0, 5), [1, 1, 1, 1, 1])
      assert.isAbove(Math.max(...together), 1)
    }).pipe(Effect.provide(live())))

  it.scopedLive("the limit falls with requests on the way -> those the server refuses are sent again", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      yield* apns.next(...Array.from({ length: 50 }, () => MockApns.refuseStream))
      const sending = yield* Effect.fork(way.run(tokens(50)))
      yield* apns.until(({ requests }) => requests >= 50)
      for (const result of yield* Fiber.join(sending)) assert.strictEqual(receiptOf(result).attempts, 2)
      assert.strictEqual(yield* maxDeliveries, 1)
      assert.strictEqual((yield* apns.stats).requests, 100)
    }).pipe(Effect.provide(live({ pool: { size: 1 } }))))

  it.scopedLive("one connection limited to one stream -> most requests take the other one", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      yield* opened(2)
      yield* apns.settings({ maxConcurrentStreams: 1 }, { connection: 1 })
      yield* opened(3)
      yield* apns.delay("20 millis")
      for (const result of yield* way.run(tokens(200))) receiptOf(result)
      const [choked, free] = yield* apns.connections
      assert.isAtMost(choked?.maxOpenStreams ?? 99, 1)
      assert.isAtLeast(free?.requests ?? 0, 190)
    }).pipe(Effect.provide(live({ pool: { size: 2 } }))))

  it.scopedLive("a closed flow-control window delays only its own connection, which continues when the window opens", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      yield* opened(1)
      yield* apns.updateWindows(false)
      const large = request(0, { body: { aps: { alert: "x".repeat(4000) } } })
      const pool = yield* ApnsPool.ApnsPool
      // 16 bodies fill the window of 64 KiB, the rest waits for the server
      const sending = yield* Effect.fork(Effect.forEach(
        tokens(40),
        (to) => pool.post(Request.fromSpec(`/3/device/${to}`, large.spec)),
        { concurrency: "unbounded" }
      ))
      yield* apns.until(({ received }) => received >= 15)
      assert.isUndefined(sending.unsafePoll() ?? undefined)
      const other = yield* poolAt(apns)
      assert.strictEqual((yield* other.post(request(1000))).status, 200)
      yield* apns.updateWindows(true)
      const responses = yield* Fiber.join(sending)
      assert.isTrue(responses.every(({ attempts, status }) => status === 200 && attempts === 1))
      assert.strictEqual((yield* apns.stats).openConnections, 2)
    }).pipe(Effect.provide(live())))

  it.scopedLive("a window that opens a few bytes at a time, and frames in pieces -> every body arrives whole", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      yield* apns.trickle({ bytes: 3 })
      for (const result of yield* way.run(tokens(100))) receiptOf(result)
    }).pipe(Effect.provide(live({ mock: { settings: { initialWindowSize: 16 } } }))))

  it.scopedLive("four requests on a silent server -> all time out; later ones succeed", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      assert.strictEqual(brief(yield* one(way)), "ok")
      yield* apns.script(() => MockApns.stall)
      const silent = yield* way.run(tokens(4), { timeout: "50 millis" })
      assert.deepStrictEqual(silent.map(brief), Array.from({ length: 4 }, () => "Timeout unknown"))
      yield* apns.script(undefined)
      assert.strictEqual(brief(yield* one(way)), "ok")
    }).pipe(Effect.provide(live())))

  it.scopedLive("a server that stops and does not come back -> Timeout with the cause", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      assert.strictEqual(brief(yield* one(way)), "ok")
      yield* apns.refuseConnections(true)
      yield* apns.dropConnections()
      yield* apns.until(({ openConnections }) => openConnections === 0)
      const error = errorOf(yield* one(way, { timeout: "200 millis" }))
      if (error._tag !== "Timeout" && error._tag !== "Closed") return assert.fail(error._tag)
      // it may have been written to the connection that was just ending
      if (error._tag === "Timeout") {
        assert.strictEqual(error.processed, "no")
        assert.strictEqual(error.closeCause?._tag, "ConnectFailed")
        assert.include(error.message, "Nothing listens")
      }
    }).pipe(Effect.provide(live())))

  it.scopedLive("metrics count outcomes, and connections opened, failed and closed", () =>
    Effect.gen(function*() {
      const count = (outcome: string) => ApnsMetrics.total(ApnsMetrics.outcomes, { outcome })
      const event = (name: string, cause: string) => ApnsMetrics.total(ApnsMetrics.connections, { event: name, cause })
      const before = {
        accepted: yield* count("200"),
        unregistered: yield* count("410"),
        closed: yield* count("Closed"),
        opened: yield* event("opened", ""),
        dropped: yield* event("closed", "Dropped"),
        failed: yield* event("failed", "ConnectError")
      }
      const apns = yield* MockApns.MockApns
      yield* apns.unregister(token(9))
      yield* one(way)
      yield* one(way, {}, token(9))
      yield* apns.failTls("close", { times: 2 })
      yield* apns.next(MockApns.dropAfter)
      yield* one(way)
      assert.strictEqual(brief(yield* one(way)), "ok")
      assert.strictEqual((yield* count("200")) - before.accepted, 2)
      assert.strictEqual((yield* count("410")) - before.unregistered, 1)
      assert.strictEqual((yield* count("Closed")) - before.closed, 1)
      assert.strictEqual((yield* event("opened", "")) - before.opened, 2)
      assert.strictEqual((yield* event("closed", "Dropped")) - before.dropped, 1)
      assert.strictEqual((yield* event("failed", "ConnectError")) - before.failed, 2)
    }).pipe(Effect.provide(live())))

  it.scopedLive("429 TooManyRequests -> only its own request is delayed", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      yield* apns.script(({ token: to }) =>
        to === token(1) ? MockApns.tooManyRequests({ retryAfter: "1 hour" }) : undefined
      )
      const results = yield* way.run(tokens(20))
      assert.deepStrictEqual(results.map(brief), ["TooManyRequests yes", ...Array.from({ length: 19 }, () => "ok")])
      assert.strictEqual((yield* apns.connections).length, 1)
    }).pipe(Effect.provide(live())))

  it.scopedLive("one request waits for its back-off -> another is sent meanwhile", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      yield* apns.next(MockApns.unavailable())
      const slow = yield* Effect.fork(one(way, { timeout: "2 minutes" }))
      yield* apns.until(({ received }) => received === 1)
      assert.strictEqual(brief(yield* one(way, {}, token(2))), "ok")
      assert.strictEqual((yield* stats).retrying, 1)
      yield* Fiber.interrupt(slow)
      assert.deepInclude(yield* stats, { retrying: 0, interrupted: 1, completed: 1 })
    }).pipe(Effect.provide(live({ pool: { backoffSchedule: Schedule.spaced("1 minute") } }))))
})
