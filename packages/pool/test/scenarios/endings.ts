import type { TimeSpan } from "@effect-apns/models"
import { ApnsPool, ApnsPoolMap, send } from "@effect-apns/pool"
import { MockApns } from "@effect-apns/testing"
import { assert } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, ManagedRuntime, Scope, TestClock } from "effect"
import { brief, credentialsOf, notification, poolAt, tick, tokens, topic } from "./utils.js"

type Run = (
  pool: Layer.Layer<ApnsPool.ApnsPool>,
  /** Succeeds when it is time to end. */
  ending: Effect.Effect<void>
) => Effect.Effect<unknown>

/** Every way in which the owner of a pool can end. Each gets a program that never ends by itself, and ends it. */
export const exits: ReadonlyArray<
  readonly [
    name: string,
    run: Run,
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

/** Events of sockets, which no clock moves. */
const ticks = Effect.repeatN(tick, 4)

/** A pool of its own, or the pool of a tenant, whose owner owns the pools of all tenants. */
export const kinds = {
  "a pool": (apns: MockApns.MockApns, size: number, drainTimeout?: TimeSpan.TimeSpan) =>
    poolAt(apns, { size, drainTimeout }),
  "pools by tenant": (apns: MockApns.MockApns, size: number, drainTimeout?: TimeSpan.TimeSpan) =>
    Effect.gen(function*() {
      const pools = yield* ApnsPoolMap.make({ ca: apns.ca, size, drainTimeout })
      return yield* pools.get({ endpoint: apns.endpoint, credentials: yield* credentialsOf(apns.credentials) })
    })
}

/** The owner ends in this way while the server reads nothing, writes nothing and does not close. */
export const hangs = (
  make: (typeof kinds)[keyof typeof kinds],
  [name, run]: (typeof exits)[number],
  { count, size }: { readonly size: number; readonly count: number }
) =>
  Effect.gen(function*() {
    const apns = yield* MockApns.MockApns
    const built = yield* Deferred.make<ApnsPool.ApnsPool>()
    // less than PINGs need to find out; a runtime of its own has the real clock
    const drainTimeout = name === "ManagedRuntime.dispose" ? "50 millis" : "1 second"
    const layer = Layer.scoped(
      ApnsPool.ApnsPool,
      Effect.tap(make(apns, size, drainTimeout), (pool) => Deferred.succeed(built, pool))
    )
    const ending = yield* Deferred.make<void>()
    const owner = yield* Effect.forkDaemon(run(Layer.orDie(layer), Deferred.await(ending)))
    const pool = yield* Deferred.await(built)
    yield* apns.until(({ settingsAcks }) => settingsAcks >= size)
    yield* apns.script(() => MockApns.stall)
    const results = yield* Effect.forEach(tokens(count), (to) =>
      Effect.forkDaemon(
        Effect.provideService(
          Effect.either(send({ token: to, topic, notification })),
          ApnsPool.ApnsPool,
          pool
        )
      ))
    yield* apns.until(({ arrived }) => arrived === count)
    yield* apns.freeze(true)
    yield* Deferred.succeed(ending, void 0)
    if (name === "Effect.timeout") yield* TestClock.adjust("1 second")
    yield* ticks
    yield* TestClock.adjust(count === 0 ? 0 : drainTimeout)
    yield* ticks
    for (const result of results) assert.strictEqual(brief(yield* Fiber.join(result)), "Closed unknown")
    // with nothing in flight there is time for the server to close, too
    yield* TestClock.adjust(count === 0 ? "1 second" : "100 millis")
    yield* Fiber.join(owner)
    assert.deepInclude(yield* pool.stats, {
      state: "closed",
      active: 0,
      connecting: 0,
      draining: 0,
      inFlight: 0
    })
    yield* apns.freeze(false)
    yield* apns.until(({ openConnections }) => openConnections === 0)
    assert.strictEqual((yield* apns.connections).length, size)
  }).pipe(Effect.provide(MockApns.layer()))
