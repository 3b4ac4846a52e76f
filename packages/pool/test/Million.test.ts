/**
 * Very many requests that wait for a stream: by default 50,000; a million where MILLION=1 is set in the environment.
 */
import { Connection, type Failure, Request, Response } from "@effect-apns/core"
import * as UnstableApnsPool from "@effect-apns/pool/unstable/ApnsPool"
import * as Delivery from "@effect-apns/pool/unstable/Delivery"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect } from "effect"
import { VirtualClock } from "./scenarios/VirtualClock.js"

const count = process.env["MILLION"] === undefined ? 50_000 : 1_000_000

const request = Request.make({ path: "/3/device/4242", body: { aps: { alert: "x" } }, timeout: "10 seconds" })

const outcomes = () => new Map<string, number>()

class Push extends Delivery.Delivery {
  constructor(private readonly heard: Map<string, number>) {
    super(request.path, request.spec)
  }
  private hear(what: string): void {
    this.heard.set(what, (this.heard.get(what) ?? 0) + 1)
  }
  onAnswered(): void {
    this.hear(`${this.status}`)
  }
  onFailed(failure: Failure.PoolFailure): void {
    this.hear(`${failure._tag} ${failure.processed}`)
  }
}

const make = (options: { readonly maxQueued?: number; readonly reachable: boolean }) =>
  Effect.gen(function*() {
    const clock = new VirtualClock(1_800_000_000_000)
    const gate = yield* Deferred.make<void>()
    const pool = yield* Effect.withClock(
      UnstableApnsPool.makeWith(
        (parts) =>
          options.reachable
            ? Connection.fromHandler(() => Effect.as(Deferred.await(gate), Response.make()), { limit: 100 }, parts)
            : Effect.never,
        {
          size: 1,
          drainTimeout: Duration.zero,
          ...(options.maxQueued === undefined ? undefined : { maxQueued: options.maxQueued })
        }
      ),
      clock
    )
    const pass = (millis: number) => Effect.promise(() => clock.advance(millis))
    yield* pass(0)
    return { clock, gate, pool, pass }
  })

describe(`${count.toLocaleString("en-US")} requests at once`, () => {
  it.scopedLive("with maxQueued -> that many wait and are served, all others fail at once, not processed", () =>
    Effect.gen(function*() {
      const { gate, pass, pool } = yield* make({ maxQueued: 2_000, reachable: true })
      const heard = outcomes()
      for (let i = 0; i < count; i++) pool.unsafe.submit(new Push(heard))
      assert.deepStrictEqual([...heard], [["QueueFull no", count - 2_100]])
      assert.deepInclude(yield* pool.stats, { queued: 2_000, inFlight: 100 })
      yield* Deferred.succeed(gate, undefined)
      yield* pass(1)
      while ((yield* pool.stats).completed < 2_100) yield* pass(1)
      assert.strictEqual(heard.get("200"), 2_100)
      assert.deepInclude(yield* pool.stats, { queued: 0, inFlight: 0 })
    }))

  it.scopedLive("without maxQueued and without a connection -> all fail after their timeout, not processed", () =>
    Effect.gen(function*() {
      const { pass, pool } = yield* make({ reachable: false })
      const heard = outcomes()
      for (let i = 0; i < count; i++) pool.unsafe.submit(new Push(heard))
      yield* pass(9_999)
      assert.deepStrictEqual([...heard], [])
      assert.deepInclude(yield* pool.stats, { queued: count })
      yield* pass(1)
      // all in this millisecond of the clock, though not in one turn of the event loop
      while ((yield* pool.stats).queued > 0) yield* pass(0)
      assert.deepStrictEqual([...heard], [["Timeout no", count]])
      assert.deepInclude(yield* pool.stats, { queued: 0, failed: count })
    }))

  it.scopedLive("without maxQueued -> less than 1 kB each while waiting, and only requests in flight time out", () =>
    Effect.gen(function*() {
      const { pass, pool } = yield* make({ reachable: true })
      const heard = outcomes()
      const before = process.memoryUsage().heapUsed
      for (let i = 0; i < count; i++) pool.unsafe.submit(new Push(heard))
      assert.isBelow(process.memoryUsage().heapUsed - before, count * 1024)
      assert.deepInclude(yield* pool.stats, { queued: count - 100, inFlight: 100 })
      // the others wait for as long as it takes
      yield* pass(10_000)
      assert.strictEqual(heard.get("Timeout unknown"), 100)
      assert.deepInclude(yield* pool.stats, { queued: count - 200, inFlight: 100 })
    }))
})
