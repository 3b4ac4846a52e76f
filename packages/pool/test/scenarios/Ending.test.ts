import type { TimeSpan } from "@effect-apns/models"
import { ApnsPool, ApnsPoolMap, send } from "@effect-apns/pool"
import { MockApns } from "@effect-apns/testing"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, ManagedRuntime, Scope } from "effect"
import { brief, credentialsOf, notification, opened, poolAt, tick, token, tokens, topic } from "./utils.js"

/** Every way in which the owner of a pool can end. Each gets a program that never ends by itself, and ends it. */
const exits: ReadonlyArray<
  readonly [
    name: string,
    run: (
      pool: Layer.Layer<ApnsPool.ApnsPool>,
      /** Succeeds when it is time to end. */
      ending: Effect.Effect<void>
    ) => Effect.Effect<unknown>,
    /** How long the server takes for an answer, where it is not 100 milliseconds. */
    delay?: TimeSpan.TimeSpan
  ]
> = [
  ["success", (pool, ending) => Effect.exit(Effect.provide(ending, pool))],
  ["failure", (pool, ending) => Effect.exit(Effect.provide(Effect.zipRight(ending, Effect.fail("no")), pool))],
  ["defect", (pool, ending) => Effect.exit(Effect.provide(Effect.zipRight(ending, Effect.die("boom")), pool))],
  [
    "interruption",
    (pool, ending) =>
      Effect.gen(function*() {
        const fiber = yield* Effect.forkDaemon(Effect.provide(Effect.never, pool))
        yield* ending
        yield* Fiber.interrupt(fiber)
      })
  ],
  [
    "interruption, and another one while it drains",
    (pool, ending) =>
      Effect.gen(function*() {
        const fiber = yield* Effect.forkDaemon(Effect.provide(Effect.never, pool))
        yield* ending
        yield* Fiber.interruptFork(fiber)
        yield* Effect.yieldNow()
        yield* Fiber.interrupt(fiber)
      })
  ],
  [
    "interruption by a race",
    (pool, ending) => Effect.raceFirst(Effect.provide(Effect.never, pool), ending)
  ],
  [
    "Effect.timeout",
    (pool, ending) =>
      Effect.all([Effect.exit(Effect.timeout(Effect.provide(Effect.never, pool), "1 second")), ending], {
        concurrency: "unbounded"
      }),
    "2 seconds"
  ],
  [
    "a parent scope that is closed by a failure",
    (pool, ending) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        yield* Layer.buildWithScope(pool, scope)
        yield* ending
        yield* Scope.close(scope, Exit.fail("no"))
      })
  ],
  [
    "a parent scope that is closed by an interrupted fiber",
    (pool, ending) =>
      Effect.gen(function*() {
        const fiber = yield* Effect.forkDaemon(
          Effect.scoped(Effect.zipRight(Layer.build(pool), Effect.never))
        )
        yield* ending
        yield* Fiber.interrupt(fiber)
      })
  ],
  [
    "ManagedRuntime.dispose",
    (pool, ending) =>
      Effect.gen(function*() {
        const runtime = ManagedRuntime.make(pool)
        yield* Effect.promise(() => runtime.runPromise(Effect.void))
        yield* ending
        yield* Effect.promise(() => runtime.dispose())
      })
  ]
]

/** A pool of its own, or the pool of a tenant, whose owner owns the pools of all tenants. */
const kinds = {
  "a pool": (apns: MockApns.MockApns) => poolAt(apns, { size: 2 }),
  "pools by tenant": (apns: MockApns.MockApns) =>
    Effect.gen(function*() {
      const pools = yield* ApnsPoolMap.make({ ca: apns.ca, size: 2 })
      return yield* pools.get({ endpoint: apns.endpoint, credentials: yield* credentialsOf(apns.credentials) })
    })
}

for (const [kind, make] of Object.entries(kinds)) {
  describe(`the owner of ${kind} ends`, () => {
    for (const [name, run, delay = "100 millis"] of exits) {
      it.scopedLive(
        `${name} -> requests in flight are answered, then nothing is left open and nothing reconnects`,
        () =>
          Effect.gen(function*() {
            const apns = yield* MockApns.MockApns
            yield* apns.delay(delay)
            const built = yield* Deferred.make<ApnsPool.ApnsPool>()
            const layer = Layer.scoped(
              ApnsPool.ApnsPool,
              Effect.tap(make(apns), (pool) => Deferred.succeed(built, pool))
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
