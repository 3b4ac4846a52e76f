import { ApnsPool, send } from "@effect-apns/pool"
import { MockApns } from "@effect-apns/testing"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Scope, TestClock } from "effect"
import { exits, hangs, kinds } from "./endings.js"
import { brief, notification, opened, tick, token, tokens, topic } from "./utils.js"

for (const [kind, make] of Object.entries(kinds)) {
  describe(`the owner of ${kind} ends`, () => {
    it.scoped("connections are being opened, and the server sends no SETTINGS -> closed a tenth of a second after drainTimeout", () =>
      Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        yield* apns.failTls("silentHttp2")
        const scope = yield* Scope.make()
        const pool = yield* Scope.extend(make(apns, 3, "5 seconds"), scope)
        const sending = yield* Effect.fork(Effect.provideService(
          Effect.either(send({ token: token(1), topic, notification })),
          ApnsPool.ApnsPool,
          pool
        ))
        yield* apns.until(({ attempts }) => attempts === 3)
        // TLS and the client's first bytes
        yield* Effect.repeatN(tick, 500)
        const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
        yield* tick
        yield* TestClock.adjust("5 seconds")
        assert.strictEqual(brief(yield* Fiber.join(sending)), "Closed no")
        yield* Effect.repeatN(tick, 5)
        yield* TestClock.adjust("100 millis")
        yield* Fiber.join(closing)
      }).pipe(Effect.provide(MockApns.layer())))

    for (const exit of exits) {
      const [name, run, delay = "100 millis"] = exit
      if (name === "interruption") {
        it.scoped(
          `${name}, 3 connections, 20 requests and a server that hangs -> closed a tenth of a second after drainTimeout`,
          () => hangs(make, exit, { size: 3, count: 20 })
        )
      }

      it.scopedLive(
        `${name} -> requests in flight are answered, then nothing is left open and nothing reconnects`,
        () =>
          Effect.gen(function*() {
            const apns = yield* MockApns.MockApns
            yield* apns.delay(delay)
            const built = yield* Deferred.make<ApnsPool.ApnsPool>()
            const layer = Layer.scoped(
              ApnsPool.ApnsPool,
              Effect.tap(make(apns, 2), (pool) => Deferred.succeed(built, pool))
            )
            const owner = yield* Effect.forkDaemon(run(
              Layer.orDie(layer),
              Effect.gen(function*() {
                const pool = yield* Deferred.await(built)
                yield* opened(2)
                // daemons: their outcomes are no concern of the fiber that owns the pool
                for (const to of tokens(20)) {
                  yield* Effect.forkDaemon(
                    send({ token: to, topic, notification }).pipe(
                      Effect.provideService(ApnsPool.ApnsPool, pool),
                      Effect.either,
                      Effect.tap((result) => Effect.sync(() => outcomes.push(brief(result))))
                    )
                  )
                }
                yield* apns.until(({ arrived }) => arrived === 20)
              }).pipe(Effect.provideService(MockApns.MockApns, apns))
            ))
            const outcomes: Array<string> = []
            yield* Fiber.join(owner)
            yield* tick
            assert.deepStrictEqual(outcomes, Array.from({ length: 20 }, () => "ok"))
            const pool = yield* Deferred.await(built)
            assert.deepInclude(yield* pool.stats, {
              state: "closed",
              active: 0,
              connecting: 0,
              draining: 0,
              queued: 0,
              inFlight: 0
            })
            yield* apns.until(({ openConnections }) => openConnections === 0)
            assert.strictEqual((yield* apns.connections).length, 2)
            assert.strictEqual(yield* apns.acceptedCount, 20)
            const late = yield* Effect.either(
              Effect.provideService(send({ token: token(99), topic, notification }), ApnsPool.ApnsPool, pool)
            )
            assert.strictEqual(brief(late), "Closed no")
          }).pipe(Effect.provide(MockApns.layer())),
        10_000
      )
    }
  })
}
