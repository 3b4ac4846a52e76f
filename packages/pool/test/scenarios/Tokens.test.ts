import type { Failure, Request } from "@effect-apns/core"
import { Credentials, ProviderToken, Response } from "@effect-apns/core"
import { ApnsPool, send } from "@effect-apns/pool"
import { MockApns } from "@effect-apns/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Either, Redacted, Schedule } from "effect"
import {
  brief,
  credentialsOf,
  errorOf,
  live,
  maxDeliveries,
  notification,
  one,
  opened,
  poolAt,
  receiptOf,
  stats,
  token,
  tokens,
  topic,
  ways
} from "./utils.js"

/** The provider tokens that the server has seen. */
const jwts = Effect.map(
  Effect.flatMap(MockApns.MockApns, (apns) => apns.received),
  (received) => new Set(received.map(({ headers }) => headers["authorization"]))
)

const signings = Effect.gen(function*() {
  const apns = yield* MockApns.MockApns
  const signer = yield* ProviderToken.make(yield* credentialsOf(apns.credentials))
  return yield* signer.signings
})

const fast = { backoffSchedule: Schedule.spaced("1 millis") } as const

for (const way of ways) {
  describe(`the provider token: ${way.name}`, () => {
    it.scopedLive("ExpiredProviderToken for 100 at once -> one new signature, at most two attempts each, connections replaced", () =>
      Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        yield* opened(2)
        yield* apns.next(...Array.from({ length: 100 }, () => MockApns.expiredProviderToken))
        const results = yield* way.run(tokens(100))
        for (const result of results) assert.strictEqual(receiptOf(result).attempts, 2)
        assert.strictEqual(yield* signings, 2)
        assert.strictEqual((yield* jwts).size, 2)
        assert.strictEqual(yield* maxDeliveries, 1)
        const [first, second] = yield* apns.connections
        assert.isFalse(first?.open)
        assert.isFalse(second?.open)
        // a connection that has not heard of it yet changes to the new token at once, before it is replaced in its turn
        const received = yield* apns.received
        const old = received[0]?.headers["authorization"]
        assert.isTrue(received.every(({ accepted, headers }) => !accepted || headers["authorization"] !== old))
      }).pipe(Effect.provide(live({ pool: { size: 2 } }))))

    it.scopedLive("expired again within 20 minutes -> an error that says to check the clock, no third signature", () =>
      Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        yield* apns.script(() => MockApns.expiredProviderToken)
        for (const result of yield* way.run(tokens(20))) {
          const error = errorOf(result)
          assert.deepInclude(error, { _tag: "ExpiredProviderToken", status: 403, processed: "yes" })
          if (error._tag === "ExpiredProviderToken") assert.isAtMost(error.attempts, 2)
          assert.include(error.message, "clock")
        }
        for (let i = 0; i < 5; i++) assert.strictEqual(errorOf(yield* one(way))._tag, "ExpiredProviderToken")
        assert.strictEqual(yield* signings, 2)
        assert.strictEqual((yield* jwts).size, 2)
      }).pipe(Effect.provide(live({ pool: { size: 2 } }))))

    it.scopedLive("TooManyProviderTokenUpdates -> sent again with the current token, no new signature", () =>
      Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        yield* apns.next(MockApns.tooManyProviderTokenUpdates)
        assert.strictEqual(receiptOf(yield* one(way)).attempts, 2)
        yield* apns.script(() => MockApns.tooManyProviderTokenUpdates)
        assert.deepInclude(errorOf(yield* one(way)), { _tag: "TooManyProviderTokenUpdates", status: 429, attempts: 2 })
        // now an expired one may not be replaced either
        yield* apns.script(() => MockApns.expiredProviderToken)
        assert.deepInclude(errorOf(yield* one(way)), { _tag: "ExpiredProviderToken", attempts: 1 })
        assert.strictEqual(yield* signings, 1)
        assert.strictEqual((yield* jwts).size, 1)
      }).pipe(Effect.provide(live({ pool: fast }))))

    it.scopedLive("a limit of one stream until the first request is accepted -> the first alone, then all at once", () =>
      Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        yield* opened(1)
        const seen: Array<number> = []
        yield* apns.script(() =>
          Effect.map(apns.stats, ({ inFlight }) => {
            seen.push(inFlight)
            return undefined
          })
        )
        const results = yield* way.run(tokens(50))
        for (const result of results) assert.strictEqual(receiptOf(result).attempts, 1)
        assert.strictEqual(seen[0], 1)
        assert.isAbove(Math.max(...seen), 10)
        assert.strictEqual((yield* apns.stats).requests, 50)
      }).pipe(Effect.provide(live({ mock: { oneStreamUntilAuthenticated: true } }))))

    it.scopedLive("a limit of one stream, and the first request is rejected -> the next one goes alone, and nothing hangs", () =>
      Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        yield* apns.next(MockApns.reject("BadDeviceToken"), MockApns.refuseStream, MockApns.reject("BadTopic"))
        const results = yield* way.run(tokens(20))
        assert.deepStrictEqual(results.map(brief).filter((line) => line !== "ok").sort(), [
          "BadDeviceToken yes",
          "BadTopic yes"
        ])
        assert.deepInclude(yield* stats, { inFlight: 0, queued: 0, completed: 20 })
      }).pipe(Effect.provide(live({ mock: { oneStreamUntilAuthenticated: true } }))))

    it.scopedLive("a revoked key -> each request fails with its typed error, and the pool does not reconnect", () =>
      Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        yield* opened(1)
        yield* apns.revokeKey(apns.credentials.keyId)
        for (let i = 0; i < 5; i++) {
          for (const result of yield* way.run(tokens(5))) {
            assert.deepInclude(errorOf(result), { _tag: "InvalidProviderToken", attempts: 1 })
          }
        }
        assert.strictEqual((yield* apns.stats).attempts, 1)
      }).pipe(Effect.provide(live())))
  })
}

describe("credentials and connections", () => {
  it.scopedLive("two teams in one process -> no shared connection and no shared token", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const other = yield* apns.issueKey()
      const [ours, theirs] = [yield* poolAt(apns, { size: 2 }), yield* poolAt(apns, { size: 2 }, other)]
      const results = yield* Effect.forEach(
        tokens(200),
        (to, i) =>
          Effect.either(send({ token: to, notification })).pipe(
            Effect.provideService(ApnsPool.ApnsPool, i % 2 === 0 ? ours : theirs)
          ),
        { concurrency: "unbounded" }
      )
      results.forEach(receiptOf)
      const teams = new Map<number, Set<string | undefined>>()
      for (const { connection, headers } of yield* apns.received) {
        teams.set(connection, (teams.get(connection) ?? new Set()).add(headers["authorization"]))
      }
      assert.isTrue([...teams.values()].every((tokens) => tokens.size === 1))
      const known = (yield* apns.connections).flatMap(({ teamId }) => teamId === undefined ? [] : [teamId])
      assert.deepStrictEqual(new Set(known), new Set([apns.credentials.teamId, other.teamId]))
    }).pipe(Effect.provide(MockApns.layer())))

  it.scopedLive("several pools with one key -> one signature, for any number of connections", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const pools = [yield* poolAt(apns, { size: 3 }), yield* poolAt(apns, { size: 3 })]
      for (const pool of pools) {
        yield* Effect.provideService(
          Effect.forEach(tokens(30), (to) => send({ token: to, notification }), { concurrency: "unbounded" }),
          ApnsPool.ApnsPool,
          pool
        )
      }
      assert.strictEqual((yield* jwts).size, 1)
      assert.strictEqual(yield* signings, 1)
    }).pipe(Effect.provide(MockApns.layer())))

  it.scopedLive("a client certificate -> sent without a token", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const { cert, key } = apns.clientCertificate
      const credentials = yield* Credentials.certificate({ cert, key: Redacted.make(key) })
      const pool = yield* ApnsPool.make({ endpoint: apns.endpoint, ca: apns.ca, credentials, size: 1 })
      const receipt = yield* Effect.provideService(
        send({ token: token(1), topic, notification }),
        ApnsPool.ApnsPool,
        pool
      )
      assert.strictEqual(receipt.attempts, 1)
      const [received] = yield* apns.received
      assert.notProperty(received?.headers, "authorization")
    }).pipe(Effect.provide(MockApns.layer({ auth: "certificate" }))))

  it.scopedLive("a pool made from the caller's own connections -> ExpiredProviderToken is returned to the caller", () =>
    Effect.gen(function*() {
      const answer: (request: Request.Request) => Effect.Effect<Response.Response, Failure.RequestError> = () =>
        Effect.succeed(Response.make({ status: 403, body: { reason: "ExpiredProviderToken" } }))
      const result = yield* Effect.either(send({ token: token(1), topic, notification })).pipe(
        Effect.provide(ApnsPool.layerTest(answer))
      )
      assert.strictEqual(brief(result), "ExpiredProviderToken yes")
      assert.isTrue(Either.isLeft(result))
    }))
})
