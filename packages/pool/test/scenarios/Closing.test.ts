import { ApnsPool } from "@effect-apns/pool"
import { MockApns } from "@effect-apns/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { brief, errorOf, one, opened, poolAt, tick, token, tokens, ways } from "./utils.js"

/** What keeps a process alive and can be ours: sockets, servers, name lookups, and timers more than the runner's own. */
const resources = (): { readonly sockets: ReadonlyArray<string>; readonly timers: number } => {
  const all = process.getActiveResourcesInfo()
  return {
    sockets: all.filter((kind) => /TCP|TLS|GetAddrInfo/.test(kind)),
    timers: all.filter((kind) => kind === "Timeout").length
  }
}

for (const way of ways) {
  describe(`closing a pool: ${way.name}`, () => {
    it.scopedLive("50 in flight -> all delivered, GOAWAY is sent, nothing is left open", () =>
      Effect.gen(function*() {
        yield* tick
        const before = resources()
        yield* Effect.scoped(Effect.gen(function*() {
          const apns = yield* MockApns.make()
          const scope = yield* Scope.make()
          const pool = yield* Scope.extend(poolAt(apns, { size: 2 }), scope)
          const open = Effect.provideService(opened(2), MockApns.MockApns, apns)
          yield* open
          yield* apns.delay("100 millis")
          const sending = yield* Effect.fork(Effect.provideService(way.run(tokens(50)), ApnsPool.ApnsPool, pool))
          yield* apns.until(({ arrived }) => arrived === 50)
          const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
          yield* tick
          assert.strictEqual((yield* pool.stats).state, "closing")
          const late = errorOf(yield* Effect.provideService(one(way, {}, token(99)), ApnsPool.ApnsPool, pool))
          assert.deepInclude(late, { _tag: "Closed", processed: "no", attempts: 0 })
          const results = yield* Fiber.join(sending)
          assert.deepStrictEqual(results.map(brief), Array.from({ length: 50 }, () => "ok"))
          yield* Fiber.join(closing)
          assert.deepInclude(yield* pool.stats, { state: "closed", active: 0, draining: 0, inFlight: 0, completed: 50 })
          yield* apns.until(({ goaways, openConnections }) => goaways === 2 && openConnections === 0)
          assert.strictEqual(yield* apns.acceptedCount, 50)
          // once more: nothing happens
          yield* Scope.close(scope, Exit.void)
        }))
        yield* tick
        yield* tick
        const after = resources()
        assert.deepStrictEqual(after.sockets, [])
        assert.isAtMost(after.timers, Math.max(1, before.timers))
      }))

    it.scopedLive("a silent server -> closing takes no longer than the drain timeout", () =>
      Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        const scope = yield* Scope.make()
        const pool = yield* Scope.extend(poolAt(apns, { drainTimeout: "50 millis" }), scope)
        yield* opened(1)
        yield* apns.script(({ token: to }) => to === token(1) ? undefined : MockApns.stall)
        const sending = yield* Effect.fork(Effect.provideService(way.run(tokens(10)), ApnsPool.ApnsPool, pool))
        yield* apns.until(({ arrived }) => arrived === 10)
        // the answer to the first one, which the server has sent, has arrived too
        yield* Effect.repeat(Effect.zipRight(tick, pool.stats), { until: ({ completed }) => completed === 1 })
        yield* Scope.close(scope, Exit.void)
        const results = (yield* Fiber.join(sending)).map(brief)
        assert.deepStrictEqual(results, ["ok", ...Array.from({ length: 9 }, () => "Closed unknown")])
        yield* apns.until(({ openConnections }) => openConnections === 0)
      }).pipe(Effect.provide(MockApns.layer())))

    it.scopedLive("still in the queue when the drain timeout passes -> Closed, not processed", () =>
      Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        const scope = yield* Scope.make()
        const pool = yield* Scope.extend(poolAt(apns, { drainTimeout: "50 millis" }), scope)
        yield* opened(1)
        yield* apns.script(() => MockApns.stall)
        const sending = yield* Effect.fork(Effect.provideService(way.run(tokens(5)), ApnsPool.ApnsPool, pool))
        yield* apns.until(({ arrived }) => arrived === 2)
        yield* Scope.close(scope, Exit.void)
        const results = (yield* Fiber.join(sending)).map(brief).sort()
        assert.deepStrictEqual(results, ["Closed no", "Closed no", "Closed no", "Closed unknown", "Closed unknown"])
        yield* apns.until(({ openConnections }) => openConnections === 0)
        assert.strictEqual((yield* apns.stats).requests, 2)
      }).pipe(Effect.provide(MockApns.layer({ maxConcurrentStreams: 2 }))))

    it.scopedLive("a peer that neither reads nor closes its side -> the socket is still closed", () =>
      Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        const scope = yield* Scope.make()
        yield* apns.failTls("silentHttp2")
        const pool = yield* Scope.extend(poolAt(apns, { drainTimeout: "0 seconds" }), scope)
        yield* apns.until(({ attempts }) => attempts === 1)
        const sending = yield* Effect.fork(Effect.provideService(one(way), ApnsPool.ApnsPool, pool))
        yield* tick
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual(brief(yield* Fiber.join(sending)), "Closed no")
      }).pipe(Effect.provide(MockApns.layer())))
  })
}
