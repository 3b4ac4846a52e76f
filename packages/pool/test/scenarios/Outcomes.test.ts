import { Rejection } from "@effect-apns/models"
import { ApnsPool } from "@effect-apns/pool"
import { MockApns } from "@effect-apns/testing"
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Duration, Effect, Either, Fiber, Schedule } from "effect"
import { brief, deliveries, errorOf, live, maxDeliveries, one, receiptOf, stats, token, tokens, ways } from "./utils.js"

const apnsId = "123e4567-e89b-12d3-a456-42661417400a"

// Every row of what can happen to a notification, for each way to send one.
for (const way of ways) {
  describe(`outcomes of a notification: ${way.name}`, () => {
    // --- answers

    it.scopedLive("accepted -> a receipt with apns-id and unique id", () =>
      Effect.gen(function*() {
        const receipt = receiptOf(yield* one(way, { apnsId }))
        assert.strictEqual(receipt.apnsId, apnsId)
        assert.match(receipt.uniqueId ?? "", /^[0-9a-f-]{36}$/)
        assert.strictEqual(receipt.attempts, 1)
      }).pipe(Effect.provide(live())))

    it.scopedLive("a 410 with a timestamp -> Unregistered with the time to the millisecond, not retried", () =>
      Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        yield* apns.unregister(token(1), { at: 1_700_000_000_123 })
        const error = errorOf(yield* one(way, { apnsId }))
        assert.deepInclude(error, { _tag: "Unregistered", processed: "yes", attempts: 1, status: 410, apnsId })
        if (error._tag === "Unregistered" && error.timestamp !== undefined) {
          assert.strictEqual(DateTime.toEpochMillis(error.timestamp), 1_700_000_000_123)
        } else assert.fail("no timestamp")
        assert.strictEqual(yield* apns.receivedCount, 1)
      }).pipe(Effect.provide(live())))

    it.scopedLive("a reason that Apple does not document -> UnknownReason with that reason and status", () =>
      Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        yield* apns.next(MockApns.reject({ reason: "BrandNewReason", status: 400 }))
        const error = errorOf(yield* one(way))
        assert.deepInclude(error, { _tag: "UnknownReason", reason: "BrandNewReason", status: 400, processed: "yes" })
        assert.include(error.message, "BrandNewReason")
      }).pipe(Effect.provide(live())))

    it.scopedLive("an error body in two frames, or with an empty last frame -> its reason; no body -> its status", () =>
      Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        yield* apns.next(
          MockApns.splitBody(),
          MockApns.emptyLastData(),
          MockApns.noBody(),
          MockApns.informational,
          MockApns.trailers,
          MockApns.unknownFrame
        )
        assert.deepInclude(errorOf(yield* one(way)), { _tag: "BadDeviceToken", status: 400 })
        assert.deepInclude(errorOf(yield* one(way)), { _tag: "BadDeviceToken", status: 400 })
        assert.deepInclude(errorOf(yield* one(way)), { _tag: "UnknownReason", status: 400, reason: "" })
        for (let i = 0; i < 3; i++) assert.strictEqual(brief(yield* one(way)), "ok")
        assert.strictEqual((yield* apns.connections).length, 1)
      }).pipe(Effect.provide(live())))

    it.scopedLive("an answer that cannot be parsed or is too large -> a typed error, and the connection stays open", () =>
      Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        const cases = [
          [MockApns.notJson(), "MalformedResponse yes"],
          [MockApns.bodyTooLarge(), "ResponseTooLarge yes"],
          [MockApns.headersTooLarge(20_000), "ResponseTooLarge unknown"],
          [MockApns.noStatus, "MalformedResponse unknown"],
          [MockApns.badStatus, "MalformedResponse unknown"],
          [MockApns.upperCaseHeader, "MalformedResponse unknown"],
          [MockApns.dataBeforeHeaders, "MalformedResponse unknown"]
        ] as const
        for (const [behavior, expected] of cases) {
          yield* apns.next(behavior)
          assert.strictEqual(brief(yield* one(way)), expected)
        }
        assert.strictEqual(brief(yield* one(way)), "ok")
        assert.strictEqual((yield* apns.connections).length, 1)
      }).pipe(Effect.provide(live())))

    it.scopedLive("503 and 429 with Retry-After -> sent again; a reason that Apple says not to retry -> final", () =>
      Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        yield* apns.next(MockApns.unavailable(), MockApns.tooManyRequests(), MockApns.reject("BadDeviceToken"))
        assert.deepInclude(errorOf(yield* one(way)), { _tag: "BadDeviceToken", attempts: 3 })
        yield* apns.next(MockApns.internalServerError, MockApns.internalServerError)
        assert.strictEqual(receiptOf(yield* one(way)).attempts, 3)
        yield* apns.next(MockApns.unavailable({ retryAfter: "1 hour" }))
        const error = errorOf(yield* one(way))
        assert.deepInclude(error, { _tag: "ServiceUnavailable", attempts: 1 })
        assert.strictEqual("retryAfter" in error && error.retryAfter && Duration.toHours(error.retryAfter), 1)
      }).pipe(Effect.provide(live({ pool: { backoffSchedule: Schedule.spaced("1 millis") } }))))

    it.scopedLive("Shutdown or IdleTimeout -> sent again at once, on a new connection", () =>
      Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        yield* apns.next(MockApns.shutdown, MockApns.reject("IdleTimeout"))
        const receipt = receiptOf(yield* one(way))
        assert.strictEqual(receipt.attempts, 3)
        assert.deepStrictEqual((yield* apns.received).map(({ connection }) => connection), [1, 2, 3])
      }).pipe(Effect.provide(live())))

    // --- the input

    it.scopedLive("input that APNs would refuse -> fails before anything is sent", () =>
      Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        for (const bad of ["../4242", "42/42", "", "xyz", "42 42", "42\r\nx: y"]) {
          const error = errorOf(yield* one(way, {}, bad))
          assert.deepInclude(error, { _tag: "BadDeviceToken", origin: "local", processed: "no", attempts: 0 }, bad)
          assert.isTrue(Rejection.isTokenSuspect(error))
          assert.match(error.message, /^BadDeviceToken: [^\n]+ Nothing was sent\.$/)
        }
        const cases: ReadonlyArray<Parameters<typeof way.run>[1]> = [
          { topic: "com example" },
          { collapseId: "x".repeat(65) },
          { apnsId: "42" },
          { timeout: "0 seconds" },
          { deadline: new Date(NaN) }
        ]
        for (const settings of cases) {
          assert.strictEqual(errorOf(yield* one(way, settings))._tag, "ParseError", JSON.stringify(settings))
        }
        assert.strictEqual(brief(yield* one(way, { collapseId: "x".repeat(64) })), "ok")
        assert.strictEqual((yield* apns.stats).requests, 1)
      }).pipe(Effect.provide(live())))

    // --- GOAWAY

    it.scopedLive("GOAWAY with NO_ERROR -> included requests are answered, the others sent again, none twice", () =>
      Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        yield* apns.delay("100 millis")
        const sending = yield* Effect.fork(way.run(tokens(10)))
        yield* apns.until(({ arrived }) => arrived === 10)
        yield* apns.goaway({ lastStreamId: 3 })
        const results = yield* Fiber.join(sending)
        const attempts = results.map((result) => receiptOf(result).attempts)
        assert.deepStrictEqual(attempts.filter((n) => n === 1).length, 2)
        assert.deepStrictEqual(attempts.filter((n) => n === 2).length, 8)
        assert.strictEqual((yield* deliveries).size, 10)
        assert.strictEqual(yield* maxDeliveries, 1)
        // the connection ends with its last answer; the server hears of it a little later
        const [, second] = yield* Effect.repeat(Effect.tap(apns.connections, () => Effect.yieldNow()), {
          until: ([first]) => first?.open === false
        })
        assert.strictEqual(second?.requests, 8)
        assert.deepInclude(yield* stats, { completed: 10, failed: 0, inFlight: 0, queued: 0, attempts: 18 })
      }).pipe(Effect.provide(live())))

    it.scopedLive("GOAWAY with last-stream-id 0 on every connection but the last -> no send fails", () =>
      Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        yield* apns.next(MockApns.goawayBefore(), MockApns.goawayBefore(), MockApns.goawayBefore())
        assert.strictEqual(receiptOf(yield* one(way)).attempts, 4)
        assert.strictEqual(yield* maxDeliveries, 1)
      }).pipe(Effect.provide(live())))

    it.scopedLive("GOAWAY with an error code -> unknown for included requests, the others are sent again", () =>
      Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        yield* apns.delay("100 millis")
        const sending = yield* Effect.fork(way.run(tokens(10)))
        yield* apns.until(({ arrived }) => arrived === 10)
        yield* apns.goaway({ lastStreamId: 3, code: 2, debug: "oops" })
        const results = yield* Fiber.join(sending)
        assert.lengthOf(results.filter((result) => brief(result) === "Closed unknown"), 2)
        assert.lengthOf(results.filter(Either.isRight), 8)
        for (const result of results) {
          if (Either.isRight(result) || result.left._tag !== "Closed") continue
          assert.deepInclude(result.left.closeCause, { _tag: "Goaway", codeName: "INTERNAL_ERROR", debugData: "oops" })
          assert.strictEqual(result.left.attempts, 1)
        }
        assert.strictEqual(yield* maxDeliveries, 1)
      }).pipe(Effect.provide(live())))

    it.scopedLive("GOAWAY with a reason about the credentials -> the pool closes with that reason, nothing reconnects", () =>
      Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        yield* apns.script(() => MockApns.goawayInstead({ reason: "BadCertificateEnvironment" }))
        const results = yield* way.run(tokens(5))
        for (const result of results) {
          assert.deepInclude(errorOf(result), {
            _tag: "BadCertificateEnvironment",
            origin: "goaway",
            processed: "no"
          })
        }
        const { attempts } = yield* apns.stats
        const later = errorOf(yield* one(way))
        assert.deepInclude(later, { _tag: "BadCertificateEnvironment", processed: "no", attempts: 0 })
        assert.deepInclude(yield* stats, { state: "closed", active: 0, connecting: 0, inFlight: 0, queued: 0 })
        assert.strictEqual((yield* apns.stats).attempts, attempts)
      }).pipe(Effect.provide(live({ pool: { size: 2 } }))))

    // --- RST_STREAM

    it.scopedLive("REFUSED_STREAM -> sent again until it is accepted, each refusal counted once", () =>
      Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        // 7 and then 5 for the same stream was seen: it is one refusal
        yield* apns.next(
          MockApns.refuseStream,
          MockApns.resetStream([7, 5], { processed: false }),
          MockApns.refuseStream,
          MockApns.refuseStream
        )
        assert.strictEqual(receiptOf(yield* one(way)).attempts, 5)
        assert.strictEqual((yield* apns.stats).requests, 5)
        assert.strictEqual(yield* maxDeliveries, 1)
        assert.strictEqual((yield* apns.connections).length, 1)
      }).pipe(Effect.provide(live())))

    it.scopedLive("REFUSED_STREAM again and again -> Timeout at the deadline, after a bounded number of attempts", () =>
      Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        yield* apns.script(() => MockApns.resetStream(7, { processed: false }))
        const error = errorOf(yield* one(way, { timeout: "200 millis" }))
        assert.strictEqual(error._tag, "Timeout")
        assert.strictEqual(yield* apns.receivedCount, 0)
        assert.isBelow((yield* apns.stats).requests, 20)
      }).pipe(Effect.provide(live())))

    it.scopedLive("another RST_STREAM code -> unknown, sent again only if it is collapsible", () =>
      Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        yield* apns.next(MockApns.resetStream(2))
        assert.deepInclude(errorOf(yield* one(way)), {
          _tag: "StreamReset",
          processed: "unknown",
          code: 2,
          attempts: 1
        })
        yield* apns.next(MockApns.resetStream(2))
        assert.strictEqual(receiptOf(yield* one(way, { collapseId: "lunch" })).attempts, 2)
      }).pipe(Effect.provide(live())))

    // --- drops

    it.scopedLive("the connection drops after the request was sent -> unknown, not sent again by default", () =>
      Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        for (
          const behavior of [MockApns.dropAfter, MockApns.dropBefore, MockApns.drop({ when: "after", reset: true })]
        ) {
          yield* apns.next(behavior)
          const error = errorOf(yield* one(way))
          assert.deepInclude(error, { _tag: "Closed", processed: "unknown", attempts: 1 })
          if (error._tag === "Closed") assert.strictEqual(error.closeCause._tag, "Dropped")
        }
        assert.strictEqual(yield* apns.acceptedCount, 2)
        assert.strictEqual(brief(yield* one(way)), "ok")
      }).pipe(Effect.provide(live())))

    it.scopedLive("the connection drops, and retransmit is \"always\" -> sent again", () =>
      Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        const attempt = (settings: Parameters<typeof way.run>[1]) =>
          Effect.zipRight(apns.next(MockApns.dropAfter), one(way, settings))
        assert.strictEqual(receiptOf(yield* attempt({ collapseId: "a" })).attempts, 2)
        assert.strictEqual(receiptOf(yield* attempt({ retransmit: "always" })).attempts, 2)
        assert.strictEqual(brief(yield* attempt({ retransmit: "never", collapseId: "a" })), "Closed unknown")
        assert.strictEqual(brief(yield* attempt({ retransmit: "collapsible" })), "Closed unknown")
      }).pipe(Effect.provide(live())))

    it.scopedLive("the connection drops in the middle of the answer -> the answer counts", () =>
      Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        yield* apns.next(MockApns.dropDuring)
        assert.deepInclude(errorOf(yield* one(way)), { processed: "yes", status: 400 })
      }).pipe(Effect.provide(live())))

    it.scopedLive("bytes that are not HTTP/2 -> unknown, and the next send succeeds on a new connection", () =>
      Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        const cases = [
          [MockApns.garbage, "FRAME_SIZE_ERROR"],
          [MockApns.garbledHeaders, "COMPRESSION_ERROR"],
          [MockApns.oversizeFrame, "FRAME_SIZE_ERROR"],
          [MockApns.pushPromise, "PROTOCOL_ERROR"],
          [MockApns.windowOverflow, "FLOW_CONTROL_ERROR"],
          [MockApns.continuationFlood(), "ENHANCE_YOUR_CALM"]
        ] as const
        for (const [behavior, codeName] of cases) {
          yield* apns.next(behavior)
          const error = errorOf(yield* one(way))
          assert.deepInclude(error, { _tag: "Closed", processed: "unknown" }, codeName)
          if (error._tag === "Closed") assert.deepInclude(error.closeCause, { _tag: "ProtocolError", codeName })
          assert.strictEqual(brief(yield* one(way)), "ok")
        }
        const goaways = (yield* apns.connections).flatMap(({ goaways }) => goaways.map(({ code }) => code))
        assert.isAtLeast(goaways.filter((code) => code !== 0).length, cases.length - 1)
        // here the answer's headers came first
        yield* apns.next(MockApns.emptyDataFlood())
        assert.deepInclude(errorOf(yield* one(way)), { processed: "yes", status: 400 })
      }).pipe(Effect.provide(live())))

    // --- silence

    it.scopedLive("no answer on one stream -> that request times out and is cancelled, the others succeed", () =>
      Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        assert.strictEqual(brief(yield* one(way)), "ok")
        yield* apns.next(MockApns.stall)
        assert.deepInclude(errorOf(yield* one(way, { timeout: "50 millis" })), {
          _tag: "Timeout",
          processed: "unknown",
          limit: "timeout",
          attempts: 1
        })
        assert.strictEqual(brief(yield* one(way)), "ok")
        yield* apns.until(({ resets }) => resets === 1)
        const [connection] = yield* apns.connections
        assert.deepStrictEqual(connection?.resets, [{ streamId: 3, code: 8 }])
        assert.strictEqual((yield* apns.connections).length, 1)
        assert.deepInclude(yield* stats, { inFlight: 0, completed: 2, failed: 1 })
      }).pipe(Effect.provide(live())))

    it.scopedLive("no body after the headers of the answer -> the answer counts", () =>
      Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        assert.strictEqual(brief(yield* one(way)), "ok")
        yield* apns.next(MockApns.stallBody)
        assert.deepInclude(errorOf(yield* one(way, { timeout: "50 millis" })), { processed: "yes", status: 400 })
      }).pipe(Effect.provide(live())))

    it.scopedLive("the caller is interrupted -> RST_STREAM CANCEL is sent, the stream is free, counters are exact", () =>
      Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        yield* apns.script(() => MockApns.stall)
        const sending = yield* Effect.fork(way.run(tokens(3)))
        yield* apns.until(({ arrived }) => arrived === 2)
        assert.deepInclude(yield* stats, { inFlight: 2, queued: 1 })
        yield* Fiber.interrupt(sending)
        yield* apns.until(({ inFlight, resets }) => resets === 2 && inFlight === 0)
        assert.deepInclude(yield* stats, {
          inFlight: 0,
          queued: 0,
          retrying: 0,
          interrupted: 3,
          completed: 0,
          failed: 0
        })
        const [connection] = yield* apns.connections
        assert.deepStrictEqual(connection?.resets.map(({ code }) => code), [8, 8])
        assert.strictEqual((yield* apns.stats).requests, 2)
        yield* apns.script(undefined)
        assert.strictEqual(brief(yield* one(way)), "ok")
      }).pipe(Effect.provide(live({ mock: { maxConcurrentStreams: 2 } }))))

    it.scopedLive("no answer to a PING -> the connection is replaced; unknown for its requests, later ones succeed", () =>
      Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        yield* apns.answerPings(false)
        yield* apns.next(MockApns.stall)
        const error = errorOf(yield* one(way))
        assert.deepInclude(error, { _tag: "Closed", processed: "unknown" })
        if (error._tag === "Closed") {
          assert.deepStrictEqual(error.closeCause, { _tag: "PingTimeout", after: Duration.millis(30) })
        }
        yield* apns.answerPings(true)
        assert.strictEqual(brief(yield* one(way)), "ok")
      }).pipe(Effect.provide(live({ pool: { ping: { interval: "30 millis", deadline: "30 millis" } } }))))

    // --- the pool itself

    it.scopedLive("a send after the pool's scope has ended -> Closed at once", () =>
      Effect.gen(function*() {
        const pool = yield* Effect.provide(ApnsPool.ApnsPool, live())
        const error = errorOf(yield* Effect.provideService(one(way), ApnsPool.ApnsPool, pool))
        assert.deepInclude(error, { _tag: "Closed", processed: "no", attempts: 0 })
        if (error._tag === "Closed") assert.strictEqual(error.closeCause._tag, "ScopeClosed")
      }))

    it.scopedLive("errors to JSON and back -> equal; each message is one sentence", () =>
      Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        yield* apns.next(MockApns.dropAfter)
        const error = errorOf(yield* one(way))
        const json: unknown = JSON.parse(JSON.stringify(error))
        assert.deepNestedInclude(json, { _tag: "Closed", processed: "unknown", attempts: 1 })
        assert.match(error.message, /may have processed/)
      }).pipe(Effect.provide(live())))
  })
}
