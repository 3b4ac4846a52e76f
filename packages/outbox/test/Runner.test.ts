import { Failure } from "@effect-apns/core"
import { Outbox } from "@effect-apns/outbox"
import { ApnsPool } from "@effect-apns/pool"
import * as Send from "@effect-apns/pool/Send"
import { SqlClient } from "@effect/sql"
import { assert, describe, it } from "@effect/vitest"
import { Context, DateTime, Effect, Exit, Fiber, Layer, Queue, Scope, Stream } from "effect"
import * as T from "./utils.js"

T.onEachDatabase((name, database) => {
  const live = Layer.provideMerge(T.outbox, database)
  const still = Layer.provideMerge(T.outbox, Layer.provideMerge(T.stillTime, T.still(database)))

  describe(`a runner on ${name}`, () => {
    it.live("each token is sent once, with an apns-id made from campaign and index; its outcome is reported", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const { asked, pool } = yield* T.pool(({ token }) =>
          token === T.token(3)
            ? T.rejected(410, "Unregistered", { timestamp: 1_700_000_000_000 })
            : token === T.token(4)
            ? T.rejected(400, "DeviceTokenNotForTopic")
            : T.accepted
        )
        yield* outbox.enqueueAll({
          id: "a",
          tokens: Stream.fromIterable(T.tokens(25)),
          notification: T.alert,
          batchSize: 10
        })
        const { runner, told } = yield* T.runner(pool)
        const outcomes = yield* T.hear(told, 25)
        yield* runner.idle
        assert.deepStrictEqual(asked.map(({ token }) => token).sort(), T.tokens(25))
        assert.strictEqual(new Set(asked.map(({ apnsId }) => apnsId)).size, 25)
        for (const { apnsId, collapseId } of asked) assert.strictEqual(collapseId, apnsId)
        for (const outcome of outcomes) {
          assert.strictEqual(outcome.token, T.token(outcome.index))
          assert.strictEqual(outcome.key, `a/${outcome.index}`)
          assert.strictEqual(outcome.apnsId, asked.find(({ token }) => token === outcome.token)?.apnsId)
        }
        const dead = outcomes.find(({ index }) => index === 3)
        assert.isTrue(dead?._tag === "Rejected" && dead.isTokenDead)
        assert.deepStrictEqual(
          dead?._tag === "Rejected" ? dead.timestamp : undefined,
          DateTime.unsafeMake(1_700_000_000_000)
        )
        const { accepted, failed, left, rejected, state } = yield* outbox.progress("a")
        assert.deepStrictEqual([state, accepted, rejected, failed, left], ["done", 23, 2, 0, 0])
        // the stream says the same
        const read = Array.from(yield* Stream.runCollect(outbox.outcomes()))
        assert.deepStrictEqual(read.map(({ key }) => key).sort(), outcomes.map(({ key }) => key).sort())
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("sends hundreds of campaigns of one token each", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const { asked, pool } = yield* T.pool()
        yield* Effect.forEach(
          Array.from({ length: 400 }, (_, i) => i),
          (i) => outbox.enqueue({ id: `order-${i}`, tokens: [T.token(i)], notification: T.alert }),
          { concurrency: 100 }
        )
        const { told } = yield* T.runner(pool)
        const outcomes = yield* T.hear(told, 400)
        assert.strictEqual(new Set(outcomes.map(({ key }) => key)).size, 400)
        assert.lengthOf(asked, 400)
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("a scheduled campaign -> sent at its time by the database's clock, not earlier", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const { asked, pool } = yield* T.pool()
        yield* outbox.enqueue({
          id: "later",
          tokens: T.tokens(1),
          notification: T.alert,
          at: DateTime.unsafeMake(2_000_000_000_000 + 3_600_000)
        })
        yield* outbox.enqueue({ id: "now", tokens: T.tokens(1, 1), notification: T.alert })
        const { runner, told } = yield* T.runner(pool)
        yield* T.hear(told, 1)
        yield* runner.idle
        assert.strictEqual((yield* outbox.progress("later")).state, "scheduled")
        assert.lengthOf(asked, 1)
        yield* T.moveTime(3_600_000)
        assert.strictEqual((yield* T.hear(told, 1))[0]?.campaign, "later")
      }).pipe(Effect.scoped, Effect.provide(still)))

    for (
      const [status, reason, minutes] of [
        [429, "TooManyRequests", 1],
        [500, "InternalServerError", 15],
        [503, "ServiceUnavailable", 15]
      ] as const
    ) {
      it.live(`${status} -> sent again after ${minutes} minutes by the database's clock`, () =>
        Effect.gen(function*() {
          const outbox = yield* Outbox.Outbox
          let refuses = true
          const { asked, pool } = yield* T.pool(({ token }) =>
            refuses && token === T.token(1) ? T.rejected(status, reason) : T.accepted
          )
          yield* outbox.enqueue({ id: "a", tokens: T.tokens(3), notification: T.alert, timeout: "10 millis" })
          const { runner, told } = yield* T.runner(pool)
          yield* T.hear(told, 2)
          yield* runner.idle
          const waiting = yield* outbox.progress("a")
          assert.deepStrictEqual([waiting.state, waiting.accepted, waiting.retrying, waiting.left], [
            "sending",
            2,
            1,
            1
          ])
          assert.include(waiting.reason, reason)
          refuses = false
          // with jitter, not earlier than after 80 % of the time, and not later than after 120 %
          yield* T.moveTime(minutes * 60_000 * 0.79)
          yield* runner.idle
          assert.lengthOf(new Set(asked.map(({ token }) => token)), 3)
          assert.strictEqual((yield* outbox.progress("a")).left, 1)
          yield* T.moveTime(minutes * 60_000 * 0.42)
          assert.strictEqual((yield* T.hear(told, 1))[0]?.token, T.token(1))
          const ids = new Set(asked.filter(({ token }) => token === T.token(1)).map(({ apnsId }) => apnsId))
          assert.strictEqual(ids.size, 1)
        }).pipe(Effect.scoped, Effect.provide(still)))
    }

    it.live("the campaign expires -> the rest gets its outcome, and can be sent again from the dead letters", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        let refuses = true
        const { pool } = yield* T.pool(({ token }) =>
          refuses && token === T.token(1) ? T.rejected(503, "ServiceUnavailable") : T.accepted
        )
        yield* outbox.enqueue({
          id: "a",
          tokens: T.tokens(3),
          notification: T.alert,
          timeout: "10 millis",
          expiresAt: DateTime.unsafeMake(2_000_000_000_000 + 600_000)
        })
        const { told } = yield* T.runner(pool)
        yield* T.hear(told, 2)
        yield* T.moveTime(600_000)
        const [outcome] = yield* T.hear(told, 1)
        assert.strictEqual(outcome?._tag === "Failed" ? outcome.reason : undefined, "Expired")
        const ended = yield* outbox.progress("a")
        assert.deepStrictEqual([ended.state, ended.accepted, ended.failed, ended.left], ["done", 2, 1, 0])
        const dead = Array.from(yield* Stream.runCollect(outbox.deadLetters("a")))
        assert.deepStrictEqual(dead.map(({ key }) => key), ["a/1"])
        refuses = false
        assert.strictEqual(yield* outbox.sendAgain("a"), 1)
        const [again] = yield* T.hear(told, 1)
        assert.deepStrictEqual([again?._tag, again?.key, again?.token], ["Accepted", "a/1/1", T.token(1)])
        const done = yield* outbox.progress("a")
        assert.deepStrictEqual([done.state, done.accepted, done.failed, done.left], ["done", 3, 0, 0])
        assert.strictEqual(yield* Stream.runCount(outbox.deadLetters("a")), 0)
      }).pipe(Effect.scoped, Effect.provide(still)))

    it.live("the notification is refused for all tokens -> the campaign is stopped, with the reason", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        let refuses = true
        const { asked, pool } = yield* T.pool(() => refuses ? T.rejected(400, "TopicDisallowed") : T.accepted)
        yield* outbox.enqueue({ id: "a", tokens: T.tokens(6000), notification: T.alert })
        const { runner, told } = yield* T.runner(pool, { concurrency: 200 })
        yield* runner.idle
        const stopped = yield* outbox.progress("a")
        assert.strictEqual(stopped.state, "stopped")
        assert.include(stopped.reason, "TopicDisallowed")
        assert.isBelow(asked.length, 1500)
        assert.strictEqual(stopped.rejected, asked.length)
        refuses = false
        yield* outbox.resume("a")
        yield* T.hear(told, 6000)
        assert.strictEqual((yield* outbox.progress("a")).accepted, 6000 - stopped.rejected)
        // those that were refused are dead letters
        assert.strictEqual(yield* outbox.sendAgain("a"), stopped.rejected)
        yield* T.hear(told, stopped.rejected)
        assert.strictEqual((yield* outbox.progress("a")).accepted, 6000)
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("the same with many small batches -> stopped too", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const { asked, pool } = yield* T.pool(() => T.rejected(400, "TopicDisallowed"))
        yield* outbox.enqueueAll({
          id: "a",
          tokens: Stream.fromIterable(T.tokens(2000)),
          notification: T.alert,
          batchSize: 10
        })
        const { runner } = yield* T.runner(pool, { concurrency: 50 })
        yield* runner.idle
        const { left, reason, rejected, state } = yield* outbox.progress("a")
        assert.strictEqual(state, "stopped")
        assert.include(reason, "TopicDisallowed")
        assert.isAtLeast(rejected, 100)
        assert.strictEqual(rejected + left, 2000)
        assert.isBelow(asked.length, 1000)
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("the same with few refusals for each of several runners -> stopped too", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        let answers = 60
        const { pool } = yield* T.pool(() => answers-- > 0 ? T.rejected(400, "TopicDisallowed") : Effect.never)
        yield* outbox.enqueue({ id: "a", tokens: T.tokens(1000), notification: T.alert })
        const scope = yield* Scope.make()
        const first = yield* Scope.extend(T.runner(pool, { concurrency: 60, drainTimeout: "50 millis" }), scope)
        yield* T.hear(first.told, 60)
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual((yield* outbox.progress("a")).rejected, 60)
        answers = 60
        yield* T.runner(pool, { concurrency: 60, drainTimeout: "50 millis" })
        while ((yield* outbox.progress("a")).state !== "stopped") yield* Effect.sleep("10 millis")
        assert.strictEqual((yield* outbox.progress("a")).rejected, 120)
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("one token was accepted, or the tokens are at fault -> the campaign continues", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const { pool } = yield* T.pool(({ token }) =>
          token === T.token(0)
            ? T.accepted
            : token < T.token(1000)
            ? T.rejected(400, "TopicDisallowed")
            : T.rejected(400, "BadDeviceToken")
        )
        yield* outbox.enqueue({ id: "one", tokens: T.tokens(200), notification: T.alert })
        yield* outbox.enqueue({ id: "tokens", tokens: T.tokens(200, 1000), notification: T.alert })
        const { runner, told } = yield* T.runner(pool, { concurrency: 20 })
        yield* T.hear(told, 400)
        yield* runner.idle
        const one = yield* outbox.progress("one")
        assert.deepStrictEqual([one.state, one.accepted, one.rejected], ["done", 1, 199])
        const tokens = yield* outbox.progress("tokens")
        assert.deepStrictEqual([tokens.state, tokens.rejected], ["done", 200])
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("headers that no connection accepts -> final failures, and the campaign is stopped", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const { pool } = yield* T.pool()
        const refusing: ApnsPool.ApnsPool = {
          ...pool,
          unsafe: {
            ...pool.unsafe,
            submit: (delivery) => delivery.onFailed(Failure.closed("no", { _tag: "HeadersRefused" }))
          }
        }
        yield* outbox.enqueue({ id: "few", tokens: T.tokens(3), notification: T.alert })
        yield* outbox.enqueue({ id: "many", tokens: T.tokens(1000), notification: T.alert })
        const { runner, told } = yield* T.runner(refusing, { concurrency: 50 })
        yield* T.hear(told, 103)
        yield* runner.idle
        const few = yield* outbox.progress("few")
        assert.deepStrictEqual([few.state, few.failed, few.retrying], ["done", 3, 0])
        const many = yield* outbox.progress("many")
        assert.deepStrictEqual([many.state, many.retrying], ["stopped", 0])
        assert.include(many.reason, "headers")
        const [dead] = Array.from(yield* Stream.runCollect(Stream.take(outbox.deadLetters("few"), 1)))
        assert.strictEqual(dead?._tag === "Failed" ? dead.reason : dead?._tag, "Unsendable")
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("the credentials are refused -> the campaign is stopped, and nothing is lost", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const { pool } = yield* T.pool(() => T.rejected(403, "InvalidProviderToken"))
        yield* outbox.enqueue({ id: "a", tokens: T.tokens(50), notification: T.alert })
        const { runner } = yield* T.runner(pool)
        yield* runner.idle
        const stopped = yield* outbox.progress("a")
        assert.deepStrictEqual([stopped.state, stopped.left], ["stopped", 50])
        assert.include(stopped.reason, "InvalidProviderToken")
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("pauses, resumes and cancels while it sends", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const gate = yield* Queue.unbounded<void>()
        const { asked, pool } = yield* T.pool(() => Effect.as(Queue.take(gate), T.accepted))
        yield* outbox.enqueue({ id: "a", tokens: T.tokens(1000), notification: T.alert })
        const { runner, told } = yield* T.runner(pool, { concurrency: 10, lock: "1 second" })
        yield* Queue.offerAll(gate, Array.from({ length: 20 }, () => undefined))
        yield* T.hear(told, 20)
        assert.strictEqual((yield* outbox.pause("a")).state, "paused")
        // the runner hears of it within a second; those in flight are answered
        while ((yield* runner.stats).batches > 0) {
          yield* Queue.offer(gate, undefined)
          yield* Effect.sleep("20 millis")
        }
        const paused = yield* outbox.progress("a")
        assert.deepStrictEqual([paused.state, paused.accepted], ["paused", asked.length])
        assert.isBelow(asked.length, 1000)
        yield* outbox.resume("a")
        yield* Queue.offerAll(gate, Array.from({ length: 15 }, () => undefined))
        yield* T.hear(told, 15)
        yield* outbox.cancel("a")
        // slowly: it hears of this within a second, too
        while ((yield* runner.stats).batches > 0) {
          yield* Queue.offer(gate, undefined)
          yield* Effect.sleep("20 millis")
        }
        yield* runner.idle
        const done = yield* outbox.progress("a")
        assert.strictEqual(done.state, "cancelled")
        assert.strictEqual(done.accepted + done.cancelled, 1000)
        assert.isAbove(done.cancelled, 0)
        const all = Array.from(yield* Stream.runCollect(outbox.outcomes()))
        assert.strictEqual(new Set(all.map(({ key }) => key)).size, 1000)
        assert.lengthOf(all, 1000)
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("tenants are served in turn, no matter how much one of them has waiting", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const { asked, pool } = yield* T.pool()
        yield* outbox.enqueueAll({
          id: "large",
          tenant: "a-large",
          tokens: Stream.fromIterable(T.tokens(20_000)),
          notification: T.alert
        })
        yield* outbox.enqueue({ id: "small", tenant: "small", tokens: [T.token(99_999)], notification: T.alert })
        const { told } = yield* T.runner(pool)
        yield* T.hear(told, 20_001)
        assert.isBelow(asked.findIndex(({ token }) => token === T.token(99_999)), 18_000)
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("more campaigns of one tenant are due than are looked at together -> the others are served in turn", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const { asked, pool } = yield* T.pool()
        const large = T.tokens(1200).map((token, i) => ({ id: `l${i}`, tenant: "a-large", token }))
        const small = ["b", "A", "é"].map((tenant, i) => ({ id: tenant, tenant, token: T.token(99_990 + i) }))
        yield* Effect.forEach(
          large,
          ({ id, tenant, token }) => outbox.enqueue({ id, tenant, tokens: [token], notification: T.alert }),
          { concurrency: "unbounded" }
        )
        yield* Effect.forEach(
          small,
          ({ id, tenant, token }) => outbox.enqueue({ id, tenant, tokens: [token], notification: T.alert })
        )
        const { told } = yield* T.runner(pool)
        yield* T.hear(told, 1203)
        for (const { token } of small) assert.isBelow(asked.findIndex((device) => device.token === token), 1100)
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("a pool with a short queue -> what waits is not refused, and single notifications do not wait behind it", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const sql = yield* SqlClient.SqlClient
        const gate = yield* Queue.unbounded<void>()
        const asked: Array<string> = []
        const context = yield* Layer.build(ApnsPool.layerTest(
          (request) =>
            Effect.suspend(() => {
              asked.push(T.deviceOf(request).token)
              return Effect.as(Queue.take(gate), T.accepted)
            }),
          { topic: "com.example.app", streams: 2, maxQueued: 1 }
        ))
        const { runner, told } = yield* T.runner(Context.get(context, ApnsPool.ApnsPool))
        yield* outbox.enqueue({ id: "a", tokens: T.tokens(100), notification: T.alert })
        while ((yield* runner.stats).inFlight < 100) yield* Effect.sleep("5 millis")
        const single = yield* Effect.fork(
          Effect.provide(Send.send({ token: T.token(99_999), notification: T.alert }), context)
        )
        yield* Effect.yieldNow()
        for (let i = 0; i < 4; i++) yield* Queue.offer(gate, undefined)
        while (asked.length < 6) yield* Effect.sleep("5 millis")
        assert.include(asked, T.token(99_999))
        yield* Queue.offerAll(gate, Array.from({ length: 97 }, () => undefined))
        yield* Fiber.join(single)
        yield* T.hear(told, 100)
        assert.lengthOf(yield* sql`SELECT id FROM apns_outbox_batches WHERE passes > 0`, 0)
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("the rate of a tenant is not exceeded", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const { pool } = yield* T.pool()
        yield* outbox.enqueue({ id: "a", tokens: T.tokens(30), notification: T.alert })
        const { runner } = yield* T.runner(pool, { rate: () => ({ limit: 10, window: "1 hour" }) })
        // what the bucket held is sent; the rest waits for most of an hour
        while ((yield* outbox.progress("a")).accepted < 10) yield* Effect.sleep("10 millis")
        yield* Effect.sleep("200 millis")
        assert.strictEqual((yield* outbox.progress("a")).accepted, 10)
        assert.strictEqual((yield* runner.stats).inFlight, 0)
      }).pipe(Effect.scoped, Effect.provide(live)))
  })
})
