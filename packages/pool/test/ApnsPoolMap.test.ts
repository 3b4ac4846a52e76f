import { Connection, Credentials, Endpoint, Response } from "@effect-apns/core"
import { Notification } from "@effect-apns/models"
import type { ApnsPool } from "@effect-apns/pool"
import { ApnsPoolMap, send, sendAll } from "@effect-apns/pool"
import * as UnstableApnsPoolMap from "@effect-apns/pool/unstable/ApnsPoolMap"
import { MockApns, ProviderKey } from "@effect-apns/testing"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Either, Exit, Fiber, Layer, Redacted, Scope, Stream, TestClock } from "effect"
import { VirtualClock } from "./scenarios/VirtualClock.js"

const token = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
const notification = Notification.alert({ alert: "Hello" })
const hello = send({ token, notification, topic: "com.example.app" })

/** Waiting for the budget counts. */
const patient = send({ token, notification, topic: "com.example.app", timeout: "1 minute" })

/** Tenants with a key each. */
const tenantsOf = (count: number): Effect.Effect<ReadonlyArray<ApnsPoolMap.ResolvedTenant>> =>
  Effect.gen(function*() {
    const { key } = yield* ProviderKey.make()
    return yield* Effect.forEach(Array.from({ length: count }), (_, i) =>
      Effect.map(
        Credentials.token({
          key: Redacted.make(key),
          keyId: `KEY${String(i).padStart(7, "0")}`,
          teamId: `TEAM${String(i).padStart(6, "0")}`
        }),
        (credentials) => ({ endpoint: Endpoint.production, credentials })
      ))
  }).pipe(Effect.orDie)

const tenantAt = (tenants: ReadonlyArray<ApnsPoolMap.ResolvedTenant>, i: number): ApnsPoolMap.ResolvedTenant => {
  const tenant = tenants[i]
  if (tenant === undefined) throw new Error(`there is no tenant ${i}`)
  return tenant
}

/** Counts the connections of each tenant, and the most that there ever were of all. */
const counted = (options: ApnsPoolMap.PoolMapOptions, answer: Effect.Effect<void> = Effect.void) => {
  const open = new Map<string, number>()
  const seen = { now: 0, most: 0, ever: 0, open }
  const add = (tenant: ApnsPoolMap.ResolvedTenant, n: number): void => {
    seen.now += n
    if (n > 0) seen.ever += n
    seen.most = Math.max(seen.most, seen.now)
    const key = tenant.credentials.identity
    open.set(key, (open.get(key) ?? 0) + n)
  }
  const layer = Layer.scoped(
    ApnsPoolMap.ApnsPoolMap,
    UnstableApnsPoolMap.makeWith((tenant, parts) =>
      Effect.zipRight(
        Effect.acquireRelease(Effect.sync(() => add(tenant, 1)), () => Effect.sync(() => add(tenant, -1))),
        Connection.fromHandler(() => Effect.as(answer, Response.make()), {}, parts)
      ), options)
  )
  return { layer, seen }
}

const stats = Effect.flatMap(ApnsPoolMap.ApnsPoolMap, (pools) => pools.stats)

/** Lets everything that can happen without the clock happen. */
const settle = TestClock.adjust(0)

describe("ApnsPoolMap", () => {
  it.effect("a pool is opened on first use, kept while used, and closed after the idle time", () => {
    const { layer, seen } = counted({ idleTimeToLive: "5 minutes" })
    return Effect.gen(function*() {
      const tenant = tenantAt(yield* tenantsOf(1), 0)
      assert.deepInclude(yield* stats, { pools: 0, connections: 0 })
      const scope = yield* Scope.make()
      yield* Scope.extend(ApnsPoolMap.get(tenant), scope)
      yield* settle
      assert.strictEqual(seen.now, 1)
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(seen.now, 1)
      yield* Scope.close(scope, Exit.void)
      assert.deepInclude(yield* stats, { pools: 1, idle: 1 })
      yield* TestClock.adjust("4 minutes")
      // used once more: its time starts again
      yield* hello.pipe(ApnsPoolMap.provide(tenant))
      yield* TestClock.adjust("4 minutes")
      assert.deepInclude(yield* stats, { pools: 1, connections: 1, poolsOpened: 1 })
      yield* TestClock.adjust("1 minute")
      assert.deepInclude(yield* stats, { pools: 0, connections: 0, poolsOpened: 1, poolsClosed: 1 })
      assert.strictEqual(seen.now, 0)
      yield* hello.pipe(ApnsPoolMap.provide(tenant))
      assert.deepInclude(yield* stats, { pools: 1, poolsOpened: 2 })
      assert.strictEqual(seen.ever, 2)
    }).pipe(Effect.provide(layer))
  })

  it.effect("each idle pool has its own idle timer", () => {
    const { layer, seen } = counted({ idleTimeToLive: "10 seconds" })
    return Effect.gen(function*() {
      const tenants = yield* tenantsOf(3)
      for (const tenant of tenants) {
        yield* hello.pipe(ApnsPoolMap.provide(tenant))
        yield* TestClock.adjust("3 seconds")
      }
      assert.strictEqual(seen.now, 3)
      for (const left of [2, 1, 0]) {
        yield* TestClock.adjust(left === 2 ? "1 seconds" : "3 seconds")
        assert.strictEqual(seen.now, left)
      }
    }).pipe(Effect.provide(layer))
  })

  it.effect("\"for ever\" is a time too", () => {
    const { layer, seen } = counted({ idleTimeToLive: Duration.infinity })
    return Effect.gen(function*() {
      const tenant = tenantAt(yield* tenantsOf(1), 0)
      yield* hello.pipe(ApnsPoolMap.provide(tenant))
      yield* TestClock.adjust("1000 days")
      assert.strictEqual(seen.now, 1)
    }).pipe(Effect.provide(layer))
  })

  it.effect("the same endpoint and credentials -> the same pool, also with another topic", () => {
    const { layer, seen } = counted({ topic: "com.example.default" })
    return Effect.gen(function*() {
      const [first, second] = yield* tenantsOf(2)
      if (first === undefined || second === undefined) return assert.fail("no tenants")
      const again = { ...first, topic: "com.example.other" }
      const sandbox = { ...first, endpoint: Endpoint.development }
      const pools = yield* Effect.forEach([first, first, again, second, sandbox], ApnsPoolMap.get)
      assert.strictEqual(pools[0], pools[1])
      assert.strictEqual(pools[0]?.unsafe, pools[2]?.unsafe)
      assert.strictEqual(pools[0]?.topic, "com.example.default")
      assert.strictEqual(pools[2]?.topic, "com.example.other")
      assert.strictEqual(new Set(pools.map((pool) => pool.unsafe)).size, 3)
      yield* settle
      assert.strictEqual(seen.now, 3)
    }).pipe(Effect.scoped, Effect.provide(layer))
  })

  it.effect("300 tenants -> never more connections than maxConnections; all are served, the one that waits longest first", () => {
    const { layer, seen } = counted({ size: 3, maxConnections: 20 }, Effect.sleep("1 second"))
    return Effect.gen(function*() {
      const tenants = yield* tenantsOf(300)
      const order: Array<number> = []
      const fibers = yield* Effect.forEach(
        tenants,
        (tenant, i) => Effect.fork(Effect.tap(patient.pipe(ApnsPoolMap.provide(tenant)), () => order.push(i)))
      )
      yield* settle
      assert.deepInclude(yield* stats, { waiting: 280, connections: 20 })
      // each takes a second, twenty at a time
      for (let second = 1; second <= 15; second++) {
        yield* TestClock.adjust("1 second")
        yield* settle
        assert.isAtMost(seen.now, 20)
      }
      yield* Fiber.joinAll(fibers)
      assert.strictEqual(order.length, 300)
      assert.strictEqual(seen.most, 20)
      for (let wave = 0; wave < 15; wave++) {
        const served = order.slice(wave * 20, wave * 20 + 20).sort((a, b) => a - b)
        assert.deepStrictEqual(served, Array.from({ length: 20 }, (_, i) => wave * 20 + i))
      }
      assert.deepInclude(yield* stats, { waiting: 0, poolsOpened: 300 })
    }).pipe(Effect.provide(layer))
  })

  it.effect("a new tenant and no free connection -> one is taken from the largest pool, and given back when it is free", () => {
    const { layer, seen } = counted({ size: 4, maxConnections: 5, idleTimeToLive: "1 minute" })
    return Effect.gen(function*() {
      const [first, second, third] = yield* tenantsOf(3)
      if (first === undefined || second === undefined || third === undefined) return assert.fail("no tenants")
      const scope = yield* Scope.make()
      const sizeOf = (pool: ApnsPool.ApnsPool) => Effect.map(pool.stats, ({ size }) => size)
      const a = yield* ApnsPoolMap.get(first)
      assert.strictEqual(yield* sizeOf(a), 4)
      const b = yield* Scope.extend(ApnsPoolMap.get(second), scope)
      assert.strictEqual(yield* sizeOf(b), 1)
      const c = yield* Scope.extend(ApnsPoolMap.get(third), scope)
      assert.strictEqual(yield* sizeOf(c), 1)
      assert.strictEqual(yield* sizeOf(a), 3)
      yield* settle
      assert.strictEqual(seen.most, 5)
      yield* Scope.close(scope, Exit.void)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* sizeOf(a), 4)
      yield* settle
      assert.strictEqual(seen.now, 4)
      assert.strictEqual(seen.most, 5)
    }).pipe(Effect.scoped, Effect.provide(layer))
  })

  it.effect("no free connection -> the pool that was idle longest is closed, not one that is used", () => {
    const { layer, seen } = counted({ maxConnections: 3 })
    return Effect.gen(function*() {
      const tenants = yield* tenantsOf(4)
      yield* ApnsPoolMap.get(tenantAt(tenants, 0))
      for (const i of [1, 2]) {
        yield* hello.pipe(ApnsPoolMap.provide(tenantAt(tenants, i)))
        yield* TestClock.adjust("1 second")
      }
      yield* hello.pipe(ApnsPoolMap.provide(tenantAt(tenants, 3)))
      const left = tenants.map(({ credentials }) => seen.open.get(credentials.identity) ?? 0)
      assert.deepStrictEqual(left, [1, 0, 1, 1])
    }).pipe(Effect.scoped, Effect.provide(layer))
  })

  it.effect("a tenant stops waiting -> it holds no connection", () => {
    const { layer, seen } = counted({ maxConnections: 1 })
    return Effect.gen(function*() {
      const tenants = yield* tenantsOf(3)
      const scope = yield* Scope.make()
      yield* Scope.extend(ApnsPoolMap.get(tenantAt(tenants, 0)), scope)
      const second = yield* Effect.fork(hello.pipe(ApnsPoolMap.provide(tenantAt(tenants, 1))))
      const third = yield* Effect.fork(hello.pipe(ApnsPoolMap.provide(tenantAt(tenants, 2))))
      yield* settle
      assert.deepInclude(yield* stats, { waiting: 2 })
      yield* Fiber.interrupt(second)
      yield* settle
      assert.deepInclude(yield* stats, { waiting: 1, pools: 2 })
      yield* Scope.close(scope, Exit.void)
      yield* Fiber.join(third)
      assert.strictEqual(seen.open.get(tenantAt(tenants, 1).credentials.identity), undefined)
      assert.strictEqual(seen.most, 1)
    }).pipe(Effect.provide(layer))
  })

  it.effect("a connection is granted at the moment of an interruption -> the next tenant gets it", () => {
    const { layer } = counted({ maxConnections: 1 })
    return Effect.gen(function*() {
      const tenants = yield* tenantsOf(3)
      const scope = yield* Scope.make()
      yield* Scope.extend(ApnsPoolMap.get(tenantAt(tenants, 0)), scope)
      const second = yield* Effect.fork(hello.pipe(ApnsPoolMap.provide(tenantAt(tenants, 1))))
      yield* settle
      // both at once: the pool is handed over to one who leaves in the same tick
      yield* Effect.zipRight(Scope.close(scope, Exit.void), Fiber.interruptFork(second))
      yield* settle
      assert.strictEqual((yield* hello.pipe(ApnsPoolMap.provide(tenantAt(tenants, 2)))).attempts, 1)
    }).pipe(Effect.provide(layer))
  })

  it.effect("one of several users of a pool is interrupted -> the others keep the pool", () => {
    const { layer, seen } = counted({ maxConnections: 1 }, Effect.sleep("1 second"))
    return Effect.gen(function*() {
      const tenant = tenantAt(yield* tenantsOf(1), 0)
      const first = yield* Effect.fork(hello.pipe(ApnsPoolMap.provide(tenant)))
      const second = yield* Effect.fork(hello.pipe(ApnsPoolMap.provide(tenant)))
      yield* settle
      yield* Fiber.interrupt(first)
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(second)).attempts, 1)
      assert.strictEqual(seen.ever, 1)
    }).pipe(Effect.provide(layer))
  })

  it.effect("invalidate -> the pool is closed, and the next use opens a new one", () => {
    const { layer, seen } = counted({})
    return Effect.gen(function*() {
      const tenant = tenantAt(yield* tenantsOf(1), 0)
      yield* hello.pipe(ApnsPoolMap.provide(tenant))
      yield* Effect.flatMap(ApnsPoolMap.ApnsPoolMap, (pools) => pools.invalidate(tenant))
      yield* settle
      assert.strictEqual(seen.now, 0)
      yield* hello.pipe(ApnsPoolMap.provide(tenant))
      assert.deepInclude(yield* stats, { pools: 1, poolsOpened: 2, poolsClosed: 1 })
    }).pipe(Effect.provide(layer))
  })

  it.effect("the scope is closed -> every pool is closed; requests that wait for a connection fail, not processed", () => {
    const { layer, seen } = counted({ maxConnections: 2, drainTimeout: "1 second" }, Effect.sleep("1 hour"))
    return Effect.gen(function*() {
      const scope = yield* Scope.make()
      const pools = yield* Effect.provide(ApnsPoolMap.ApnsPoolMap, yield* Layer.buildWithScope(layer, scope))
      const tenants = yield* tenantsOf(3)
      yield* pools.get(tenantAt(tenants, 0))
      yield* pools.get(tenantAt(tenants, 1))
      const waiting = yield* Effect.fork(Effect.flip(patient.pipe(pools.provide(tenantAt(tenants, 2)))))
      yield* settle
      assert.strictEqual(seen.now, 2)
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(closing)
      assert.strictEqual(seen.now, 0)
      assert.deepInclude(yield* Fiber.join(waiting), { _tag: "Closed", processed: "no", attempts: 0 })
      // for those who come later, whether the tenant was there before or not
      for (const tenant of tenants) {
        const late = yield* Effect.flip(patient.pipe(pools.provide(tenant)))
        assert.deepInclude(late, { _tag: "Closed", processed: "no", attempts: 0 })
        assert.deepInclude(yield* (yield* pools.get(tenant)).stats, { state: "closed", active: 0, connecting: 0 })
      }
      assert.deepInclude(yield* pools.stats, { waiting: 0, connections: 0 })
    }).pipe(Effect.scoped)
  })

  it.effect("the scope is closed while tenants are first used -> sent, or Closed and not processed", () =>
    Effect.gen(function*() {
      for (let turns = 0; turns < 8; turns++) {
        const scope = yield* Scope.make()
        const { layer } = counted({})
        const pools = yield* Effect.provide(ApnsPoolMap.ApnsPoolMap, yield* Layer.buildWithScope(layer, scope))
        const sending = yield* Effect.forEach(
          yield* tenantsOf(3),
          (tenant) => Effect.fork(Effect.either(patient.pipe(pools.provide(tenant))))
        )
        for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow()
        yield* Scope.close(scope, Exit.void)
        for (const fiber of sending) {
          const result = yield* Fiber.join(fiber)
          if (Either.isLeft(result)) {
            assert.deepInclude(result.left, { _tag: "Closed", processed: "no" }, `${turns} turns`)
          }
        }
      }
    }))

  for (const [maxConnections, timeout] of [[1, "10 seconds"], [3, "1 hour"]] as const) {
    it.effect(`requests of some tenants hang for ${timeout}, ${maxConnections} connections -> the others are served all the same`, () =>
      Effect.gen(function*() {
        const tenants = yield* tenantsOf(maxConnections + 1)
        const good = tenantAt(tenants, maxConnections)
        for (const tenant of tenants) {
          if (tenant === good) continue
          const hanging = send({ token, notification, topic: "com.example.app", timeout }).pipe(
            ApnsPoolMap.provide(tenant)
          )
          yield* Effect.fork(Effect.forever(Effect.zipRight(Effect.fork(hanging), Effect.sleep("100 millis"))))
        }
        yield* TestClock.adjust("1500 millis")
        for (let round = 0; round < 3; round++) {
          const sending = yield* Effect.fork(Effect.either(
            send({ token, notification, topic: "com.example.app", timeout: "3 seconds" }).pipe(
              ApnsPoolMap.provide(good)
            )
          ))
          yield* Effect.repeatN(TestClock.adjust("100 millis"), 30)
          const result = yield* Fiber.join(sending)
          assert.isTrue(Either.isRight(result), Either.isLeft(result) ? result.left.message : "")
        }
      }).pipe(
        Effect.provide(
          ApnsPoolMap.layerTest(
            ({ credentials }) =>
              credentials.identity.includes(`KEY${String(maxConnections).padStart(7, "0")}`)
                ? Effect.succeed(Response.make())
                : Effect.never,
            { maxConnections, size: 2 }
          )
        )
      ))
  }

  it.effect("two tenants that never stop sending, and a third with a timeout of two seconds -> all are served", () => {
    const { layer, seen } = counted({ maxConnections: 2, drainTimeout: "0 seconds" }, Effect.sleep("100 millis"))
    return Effect.gen(function*() {
      const tenants = yield* tenantsOf(4)
      const sent = [0, 0, 0, 0]
      // overlapping: there is no moment in which nobody uses the pool
      for (const i of [0, 0, 1, 1]) {
        yield* Effect.fork(Effect.forever(
          Effect.tap(hello.pipe(ApnsPoolMap.provide(tenantAt(tenants, i))), () => sent[i] = (sent[i] ?? 0) + 1)
        ))
        yield* TestClock.adjust("50 millis")
      }
      const soon = send({ token, notification, topic: "com.example.app", timeout: "2 seconds" })
      for (let round = 0; round < 3; round++) {
        const third = yield* Effect.fork(soon.pipe(ApnsPoolMap.provide(tenantAt(tenants, 2))))
        yield* Effect.repeatN(TestClock.adjust("100 millis"), 19)
        assert.strictEqual((yield* Fiber.join(third)).attempts, 1)
      }
      const before = [...sent]
      yield* Effect.repeatN(TestClock.adjust("100 millis"), 49)
      for (const i of [0, 1]) assert.isAbove(sent[i] ?? 0, before[i] ?? 0)
      assert.isAtMost(seen.most, 2)
    }).pipe(Effect.provide(layer))
  })

  for (const [count, maxConnections, opening] of [[15, 1, 100], [36, 2, 50]] as const) {
    it.scopedLive(`${count} tenants that never stop sending share maxConnections: ${maxConnections}, each opened in ${opening} ms -> all are served within the default timeout`, () =>
      Effect.gen(function*() {
        const tenants = yield* tenantsOf(count)
        const clock = new VirtualClock(1_800_000_000_000)
        const pools = yield* Effect.withClock(
          UnstableApnsPoolMap.makeWith((_, parts) =>
            Effect.zipRight(
              Effect.sleep(opening),
              Connection.fromHandler(() => Effect.as(Effect.sleep("50 millis"), Response.make()), {}, parts)
            ), { maxConnections, drainTimeout: "0 seconds" }),
          clock
        )
        const heard = tenants.map(() => ({ accepted: 0, failed: 0 }))
        // two at a time: there is no moment in which nobody uses the pool
        for (const i of tenants.flatMap((_, i) => [i, i])) {
          const outcome = Effect.either(hello.pipe(ApnsPoolMap.provide(tenantAt(tenants, i))))
          const loop = Effect.forever(Effect.tap(outcome, (result) =>
            Effect.sync(() => {
              const counts = heard[i]
              if (counts !== undefined) counts[Either.isRight(result) ? "accepted" : "failed"]++
            })))
          yield* Effect.forkScoped(loop.pipe(
            Effect.provideService(ApnsPoolMap.ApnsPoolMap, pools),
            Effect.withClock(clock)
          ))
        }
        yield* Effect.promise(() => clock.advance(30_000))
        for (const { accepted, failed } of heard) {
          assert.strictEqual(failed, 0)
          // at least two turns
          assert.isAtLeast(accepted, 4)
        }
      }))
  }

  it.effect("the timeout or the deadline passes while waiting for a free connection -> Timeout, not processed", () => {
    const { layer } = counted({ maxConnections: 1, drainTimeout: "0 seconds" }, Effect.sleep("1 hour"))
    return Effect.gen(function*() {
      const [first, second] = yield* tenantsOf(2)
      if (first === undefined || second === undefined) return assert.fail("no tenants")
      yield* Effect.fork(
        send({ token, notification, topic: "com.example.app", timeout: "1 day" }).pipe(ApnsPoolMap.provide(first))
      )
      yield* settle
      const limits = [
        [{ timeout: "500 millis" }, "timeout"],
        [{ deadline: new Date(800) }, "deadline"]
      ] as const
      for (const [settings, limit] of limits) {
        const waiting = yield* Effect.fork(Effect.flip(
          send({ token, notification, topic: "com.example.app", ...settings }).pipe(ApnsPoolMap.provide(second))
        ))
        yield* TestClock.adjust("500 millis")
        assert.deepInclude(yield* Fiber.join(waiting), { _tag: "Timeout", processed: "no", attempts: 0, limit })
      }
    }).pipe(Effect.provide(layer))
  })

  it.effect("a pool is invalidated while requests wait in it -> they are still served", () => {
    const { layer } = counted({ maxConnections: 1 }, Effect.sleep("500 millis"))
    return Effect.gen(function*() {
      const [first, second] = yield* tenantsOf(2)
      if (first === undefined || second === undefined) return assert.fail("no tenants")
      yield* Effect.fork(hello.pipe(ApnsPoolMap.provide(first)))
      yield* settle
      const waiting = yield* Effect.fork(hello.pipe(ApnsPoolMap.provide(second)))
      yield* settle
      yield* Effect.flatMap(ApnsPoolMap.ApnsPoolMap, (pools) => pools.invalidate(second))
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual((yield* Fiber.join(waiting)).attempts, 1)
    }).pipe(Effect.provide(layer))
  })

  it.effect("invalid options -> an error that names the option", () =>
    Effect.gen(function*() {
      const none = yield* Effect.flip(Effect.scoped(ApnsPoolMap.make({ maxConnections: 0 })))
      assert.deepInclude(none, { _tag: "InvalidPoolOptions", field: "maxConnections" })
      const half = yield* Effect.flip(Effect.scoped(ApnsPoolMap.make({ size: 0.5 })))
      assert.deepInclude(half, { _tag: "InvalidPoolOptions", field: "size" })
    }))

  it.effect("a pool cannot be opened -> the tenant gets the error, and no connection is held", () =>
    Effect.gen(function*() {
      const good = tenantAt(yield* tenantsOf(1), 0)
      const { credentials } = good
      if (credentials._tag !== "Token") return assert.fail("not a token")
      const bad = { ...good, credentials: { ...credentials, key: Redacted.make("no key"), identity: "bad" } }
      for (let i = 0; i < 3; i++) {
        const error = yield* Effect.flip(Effect.scoped(ApnsPoolMap.get(bad)))
        assert.strictEqual(error._tag, "CredentialsError")
      }
      assert.deepInclude(yield* stats, { pools: 0, waiting: 0, poolsOpened: 0 })
      yield* Effect.scoped(ApnsPoolMap.get(good))
    }).pipe(Effect.provide(ApnsPoolMap.layer({ maxConnections: 1 }))))
})

describe("ApnsPoolMap over the network", () => {
  const team = (keyId: string, teamId: string) =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const { key } = yield* apns.issueKey({ keyId, teamId })
      const credentials = yield* Credentials.token({ key: Redacted.make(key), keyId, teamId })
      return { endpoint: apns.endpoint, credentials, topic: "com.example.app" }
    })

  const pools = (options: ApnsPoolMap.Options = {}) =>
    Layer.provideMerge(
      Layer.unwrapEffect(
        Effect.map(MockApns.MockApns, ({ ca }) => ApnsPoolMap.layer({ ca, ...options }))
      ),
      MockApns.layer()
    )

  it.scopedLive("two teams -> never one connection", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const tenants = yield* Effect.all([
        team("AAAAAAAAAA", "TEAMAAAAAA"),
        team("BBBBBBBBBB", "TEAMBBBBBB"),
        // another key of the first team: APNs ties a connection to a key, too
        team("CCCCCCCCCC", "TEAMAAAAAA")
      ])
      const receipts = yield* Effect.forEach(
        Array.from({ length: 120 }, (_, i) => tenantAt(tenants, i % 3)),
        (tenant) => send({ token, notification }).pipe(ApnsPoolMap.provide(tenant)),
        { concurrency: 30 }
      )
      assert.isTrue(receipts.every(({ attempts }) => attempts === 1))
      const keysOn = new Map<number, Set<string>>()
      for (const { connection, headers } of yield* apns.received) {
        const [header] = (headers["authorization"] ?? "").replace(/^bearer /, "").split(".")
        const { kid }: { readonly kid: string } = JSON.parse(Buffer.from(header ?? "", "base64url").toString())
        keysOn.set(connection, (keysOn.get(connection) ?? new Set()).add(kid))
      }
      assert.isAtLeast(keysOn.size, 3)
      assert.isTrue([...keysOn.values()].every((keys) => keys.size === 1))
      assert.deepInclude(yield* stats, { pools: 3 })
    }).pipe(Effect.provide(pools({ size: 2 }))))

  it.scopedLive("sendAll for several tenants in turn -> never more connections than maxConnections", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const tenants = yield* Effect.all([team("AAAAAAAAAA", "TEAMAAAAAA"), team("BBBBBBBBBB", "TEAMBBBBBB")])
      for (let round = 0; round < 3; round++) {
        for (const tenant of tenants) {
          const outcomes = yield* sendAll(Stream.fromIterable(Array.from({ length: 50 }, () => token)), {
            notification
          }).pipe(
            Stream.provideSomeLayer(ApnsPoolMap.layerTenant(tenant)),
            Stream.runCollect
          )
          assert.deepStrictEqual(
            [...outcomes].filter(({ result }) => Either.isLeft(result)).map(({ result }) => String(result)),
            []
          )
        }
      }
      const infos = yield* apns.connections
      assert.strictEqual(infos.length, 6)
      // each was closed before the next one was opened
      const sorted = [...infos].sort((a, b) => a.id - b.id)
      assert.deepStrictEqual(
        sorted.map(({ teamId }) => teamId),
        ["TEAMAAAAAA", "TEAMBBBBBB", "TEAMAAAAAA", "TEAMBBBBBB", "TEAMAAAAAA", "TEAMBBBBBB"]
      )
      assert.deepInclude(yield* stats, { connections: 1, pools: 1 })
    }).pipe(Effect.provide(pools({ maxConnections: 1 }))))
})
