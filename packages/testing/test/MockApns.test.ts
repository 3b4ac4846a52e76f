import { MockApns } from "@effect-apns/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { connect, good, token } from "./utils/client.js"

const withMock = (options?: MockApns.Options) => Effect.provide(MockApns.layer(options))

describe("MockApns", () => {
  it.scopedLive("accepts a notification and remembers it", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const client = yield* connect(apns)
      const headers = yield* good(apns)
      const answer = yield* client.send({
        ...headers,
        "apns-id": "123e4567-e89b-12d3-a456-42661417400a",
        "apns-priority": "5",
        "apns-expiration": "0",
        "apns-collapse-id": "lunch"
      }, "{\"aps\":{\"badge\":0}}")
      assert.strictEqual(answer.status, 200)
      assert.strictEqual(answer.body, "")
      assert.strictEqual(answer.headers["apns-id"], "123e4567-e89b-12d3-a456-42661417400a")
      assert.match(answer.headers["apns-unique-id"] ?? "", /^[0-9a-f-]{36}$/)
      const [received, ...more] = yield* apns.received
      assert.lengthOf(more, 0)
      assert.strictEqual(received?.token, token)
      assert.strictEqual(received?.topic, "com.example.app")
      assert.strictEqual(received?.pushType, "alert")
      assert.strictEqual(received?.priority, 5)
      assert.strictEqual(received?.expiration, 0)
      assert.strictEqual(received?.collapseId, "lunch")
      assert.deepStrictEqual(received?.payload, { aps: { badge: 0 } })
      assert.isTrue(received?.accepted)
      assert.strictEqual(received?.connection, 1)
      assert.strictEqual(received?.streamId, 1)
    }).pipe(withMock()))

  it.scopedLive("does as `next` says, in order, then as APNs does", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const client = yield* connect(apns)
      const headers = yield* good(apns)
      yield* apns.next(MockApns.refuseStream, MockApns.reject("BadDeviceToken"), MockApns.refuseStream)
      const refused = yield* Effect.flip(client.send(headers))
      assert.strictEqual(refused.code, 7)
      const rejected = yield* client.send(headers)
      assert.strictEqual(rejected.status, 400)
      assert.strictEqual(rejected.reason, "BadDeviceToken")
      assert.strictEqual((yield* Effect.flip(client.send(headers))).code, 7)
      assert.strictEqual((yield* client.send(headers)).status, 200)
      assert.strictEqual(yield* apns.receivedCount, 2)
      assert.strictEqual(yield* apns.acceptedCount, 1)
    }).pipe(withMock()))

  it.scopedLive("goes on answering the streams that its GOAWAY includes, and processes no other", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const client = yield* connect(apns)
      const headers = yield* good(apns)
      yield* apns.delay("100 millis")
      const fibers = yield* Effect.forEach([1, 2, 3, 4, 5], () => Effect.fork(Effect.either(client.send(headers))))
      yield* apns.until(({ arrived }) => arrived === 5)
      yield* apns.goaway({ lastStreamId: 3, reason: "Shutdown" })
      const results = yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber))
      assert.deepStrictEqual(results.map(({ _tag }) => _tag), ["Right", "Right", "Left", "Left", "Left"])
      assert.deepStrictEqual(client.goaways, [{ code: 0, lastStreamId: 3, debug: "{\"reason\":\"Shutdown\"}" }])
      assert.deepStrictEqual((yield* apns.received).map(({ streamId }) => streamId), [1, 3])
    }).pipe(withMock()))

  it.scopedLive("drops connections before and after a request is processed", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const headers = yield* good(apns)
      yield* apns.next(MockApns.dropBefore)
      const first = yield* connect(apns)
      yield* Effect.flip(first.send(headers))
      yield* first.closed
      assert.strictEqual(yield* apns.receivedCount, 0)
      yield* apns.next(MockApns.dropAfter)
      const second = yield* connect(apns)
      yield* Effect.flip(second.send(headers))
      yield* second.closed
      assert.strictEqual(yield* apns.acceptedCount, 1)
    }).pipe(withMock()))
})
