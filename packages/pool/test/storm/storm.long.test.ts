import { Failure } from "@effect-apns/core"
import type { ApnsPool } from "@effect-apns/pool"
import type { Unsafe } from "@effect-apns/pool/unstable/ApnsPool"
import * as Delivery from "@effect-apns/pool/unstable/Delivery"
import { NodeContext } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schedule } from "effect"
import * as net from "node:net"
import { Roster } from "../../src/internal/roster.js"
import * as Storm from "./Storm.js"

const timeout = { timeout: 400_000 }

const run = (options: Partial<Storm.Options>) =>
  Effect.provide(
    Storm.run({ notifications: 5000, connections: 8, seed: 7, spellSeconds: 3, ...options }),
    NodeContext.layer
  )

describe("storm", () => {
  const sizes = [[1, 8], [2, 4, 8], [2, 50, 10, 1]] as const
  for (const [i, connections] of sizes.entries()) {
    it.live(
      `5,000 notifications, pools of ${
        connections.join(", ")
      } -> one true outcome each, and no fiber, timer or socket is left`,
      () =>
        Effect.gen(function*() {
          const report = yield* run({ connections, seed: i + 1 })
          const { accepted, contradicted, doubled, ended, examples, faults, leaked, lost, outcomes, stats } = report
          assert.deepStrictEqual([...examples, ...leaked, ...report.reconnectStorms], [])
          assert.deepStrictEqual({ contradicted, doubled, lost, outcomes }, {
            contradicted: 0,
            doubled: 0,
            lost: 0,
            outcomes: 5000
          })
          // it was one
          assert.isAbove(accepted, 0)
          assert.isAbove(stats.connectionsLost, 0)
          assert.isAbove(faults.size, 10)
          assert.strictEqual(ended, Math.max(3, connections.length) - 1)
          assert.isAbove(report.connectsPerMinute, 0)
        }),
      timeout
    )
  }
})

// -----------------------------------------------------------------------------
// clients that break their promises
// -----------------------------------------------------------------------------

/** Nobody waits for it. */
class Ghost extends Delivery.Delivery {
  onAnswered(): void {}
  onFailed(): void {}
}

/** Hears of no answer, so that the pool counts it as under way for ever. */
class Deaf extends Ghost {
  override onAnswer(): void {}
  override onFailure(): void {}
  override onDue(): void {}
}

/** A pool that treats every 20th delivery in its own way. */
const meddle = (how: (delivery: Delivery.Delivery, pool: Unsafe) => void) => (pool: ApnsPool.ApnsPool) => {
  let count = 0
  return {
    ...pool,
    unsafe: {
      submit: (delivery: Delivery.Delivery) => {
        if (++count % 20 === 0) how(delivery, pool.unsafe)
        else pool.unsafe.submit(delivery)
      },
      cancel: pool.unsafe.cancel
    }
  }
}

/** Good weather, so that whatever is wrong is the client's fault. */
const calm = (
  how: (delivery: Delivery.Delivery, pool: Unsafe) => void,
  options: Partial<Storm.Options> = {}
) =>
  run({
    notifications: 1000,
    connections: 2,
    faultRate: 0,
    eventEvery: Infinity,
    meddle: meddle(how),
    ...options
  })

/** A private method of the roster, which must be there under this name: else a test breaks less than it says. */
const method = (name: string) => {
  const value: unknown = Reflect.get(Roster.prototype, name)
  if (typeof value !== "function") throw new Error(`Roster has no method ${name}`)
  return value
}

const faultless = { contradicted: 0, doubled: 0, lost: 0, leaks: 0 }

const found = ({ contradicted, doubled, leaks, lost }: Storm.Report) => ({ contradicted, doubled, leaks, lost })

/**
 * One pool and one long spell in which connections are opened and of no use. Where the machine is so busy that it connects
 * less often, one of the next seeds has to show it.
 */
const expectReconnectStorm = (options: Partial<Storm.Options>) =>
  Effect.gen(function*() {
    let storms = 0
    for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
      const report = yield* run({
        notifications: 30_000,
        lives: 1,
        seed,
        spellSeconds: 6,
        moment: "unanswered",
        ...options
      })
      assert.deepStrictEqual(found(report), faultless)
      storms += report.reconnectStorms.length
      if (storms > 0) break
    }
    assert.isAbove(storms, 0)
  })

describe("the storm's checker", () => {
  it.live("a server without faults -> no finding", () =>
    Effect.gen(function*() {
      const report = yield* calm((delivery, pool) => pool.submit(delivery))
      assert.deepStrictEqual(found(report), faultless)
      assert.isAbove(report.accepted, 700)
    }), timeout)

  it.live("a client that loses an outcome -> found", () =>
    Effect.gen(function*() {
      const report = yield* calm((delivery, pool) => {
        pool.submit(delivery)
        pool.cancel(delivery)
      }, { patience: "2 seconds" })
      assert.isAbove(report.lost, 0)
      assert.deepStrictEqual(found(report), { ...faultless, lost: report.lost })
    }), timeout)

  it.live("a client that says \"not processed\" of what APNs has accepted -> found", () =>
    Effect.gen(function*() {
      const report = yield* calm((delivery, pool) => {
        Object.assign(delivery, {
          onAnswered: () => delivery.onFailed(Failure.closed("no", { _tag: "Retired" }))
        })
        pool.submit(delivery)
      })
      assert.isAbove(report.contradicted, 0)
      assert.deepStrictEqual(found(report), { ...faultless, contradicted: report.contradicted })
    }), timeout)

  it.live("a client that invents receipts -> found", () =>
    Effect.gen(function*() {
      const report = yield* calm((delivery) => {
        delivery.status = 200
        delivery.apnsId = delivery.spec.extra?.[delivery.spec.extra.indexOf("apns-id") + 1]
        delivery.onAnswered(0)
      })
      assert.isAbove(report.contradicted, 0)
      assert.deepStrictEqual(found(report), { ...faultless, contradicted: report.contradicted })
    }), timeout)

  it.live("a client that mixes up receipts -> found", () =>
    Effect.gen(function*() {
      const report = yield* calm((delivery, pool) => {
        const onAnswered = delivery.onAnswered.bind(delivery)
        Object.assign(delivery, {
          onAnswered: (now: number) => {
            delivery.apnsId = "00000000-0000-4000-8000-ffffffffffff"
            onAnswered(now)
          }
        })
        pool.submit(delivery)
      })
      assert.isAbove(report.contradicted, 0)
      assert.deepStrictEqual(found(report), { ...faultless, contradicted: report.contradicted })
    }), timeout)

  it.live("a client that sends twice -> found", () =>
    Effect.gen(function*() {
      const report = yield* calm((delivery, pool) => {
        pool.submit(delivery)
        pool.submit(new Ghost(delivery.path, delivery.spec))
      })
      assert.isAbove(report.doubled, 0)
      assert.deepStrictEqual(found(report), { ...faultless, doubled: report.doubled })
    }), timeout)

  it.live("a pool that does not back off -> found", () =>
    Effect.gen(function*() {
      const { ceilingMillis } = Roster
      Roster.ceilingMillis = 0
      yield* Effect.ensuring(
        expectReconnectStorm({
          connections: 4,
          faultRate: 0,
          pool: { reconnectSchedule: Schedule.spaced("1 millis") }
        }),
        Effect.sync(() => {
          Roster.ceilingMillis = ceilingMillis
        })
      )
    }), timeout)

  for (
    const [size, forgets] of [
      [2, ["back-off", "place in the schedule"]],
      [10, ["back-off", "place in the schedule"]],
      [10, ["back-off"]]
    ] as const
  ) {
    it.live(
      `a pool of ${size} that forgets its ${forgets.join(" and its ")} with each connection that is opened -> found`,
      () =>
        Effect.gen(function*() {
          const join = method("join")
          const endBackOff = method("endBackOff")
          const forgetful = function(this: Roster, ...args: ReadonlyArray<unknown>): void {
            Reflect.apply(join, this, args)
            Reflect.apply(endBackOff, this, [])
            if (forgets.length === 2) Reflect.set(this, "place", undefined)
          }
          Reflect.set(Roster.prototype, "join", forgetful)
          yield* Effect.ensuring(
            expectReconnectStorm({ connections: size }),
            Effect.sync(() => Reflect.set(Roster.prototype, "join", join))
          )
        }),
      timeout
    )
  }

  it.live("a client that leaves requests behind -> found", () =>
    Effect.gen(function*() {
      const { leaked } = yield* calm((delivery, pool) => {
        pool.submit(delivery)
        pool.submit(new Deaf(delivery.path, delivery.spec))
      })
      assert.isTrue(leaked.some((what) => what.startsWith("the pool: ")), leaked.join())
    }), timeout)

  const fibers: Array<Fiber.RuntimeFiber<never>> = []
  const timers: Array<NodeJS.Timeout> = []
  const servers: Array<net.Server> = []
  const stop = Effect.suspend(() => {
    timers.forEach((timer) => clearTimeout(timer))
    servers.forEach((server) => server.close())
    return Fiber.interruptAll(fibers)
  })
  it.live("a client that leaves fibers, timers and sockets behind -> found", () =>
    Effect.gen(function*() {
      const report = yield* calm((delivery, pool) => {
        fibers.push(Effect.runFork(Effect.never))
        timers.push(setTimeout(() => {}, 3_600_000))
        servers.push(net.createServer().listen(0, "127.0.0.1"))
        pool.submit(delivery)
      })
      assert.deepStrictEqual(found(report), { ...faultless, leaks: report.leaks })
      for (const kind of [/Timeout$/, /TCP.*$/, /fibers$/]) assert.isTrue(report.leaked.some((what) => kind.test(what)))
    }).pipe(Effect.ensuring(stop)), timeout)
})
