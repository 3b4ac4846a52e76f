import { ApnsPool } from "@effect-apns/pool"
import { MockApns } from "@effect-apns/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Either } from "effect"
import { live, opened, tokens, ways } from "./utils.js"

// A pool that counted the time in the queue against the answer's would lose most of these.
for (const way of ways) {
  describe(`a server that takes 250 ms for each answer: ${way.name}`, () => {
    it.scopedLive("2,000 at once on 2 connections -> all accepted", () =>
      Effect.gen(function*() {
        const results = yield* way.run(tokens(2000))
        assert.strictEqual(results.filter(Either.isRight).length, 2000)
        const apns = yield* MockApns.MockApns
        assert.strictEqual(yield* apns.acceptedCount, 2000)
      }).pipe(Effect.provide(live({ mock: { delay: "250 millis", record: false }, pool: { size: 2 } }))))
  })
}

describe("a server that allows 100 streams", () => {
  it.scopedLive(
    "20,000 at once -> all delivered, none twice, none refused",
    () =>
      Effect.gen(function*() {
        // waiting for the first connection would count
        yield* opened(1)
        const [way] = ways
        const results = yield* way?.run(tokens(20_000), { timeout: "10 seconds" }) ?? Effect.succeed([])
        assert.strictEqual(results.filter(Either.isRight).length, 20_000)
        const apns = yield* MockApns.MockApns
        const { accepted, requests } = yield* apns.stats
        assert.deepStrictEqual({ accepted, requests }, { accepted: 20_000, requests: 20_000 })
        for (const { maxOpenStreams } of yield* apns.connections) assert.isAtMost(maxOpenStreams, 100)
        const pool = yield* ApnsPool.ApnsPool
        assert.deepInclude(yield* pool.stats, { completed: 20_000, failed: 0, queued: 0, inFlight: 0 })
      }).pipe(
        Effect.provide(
          live({ mock: { delay: "250 millis", maxConcurrentStreams: 100, record: false }, pool: { size: 20 } })
        )
      ),
    60_000
  )
})
