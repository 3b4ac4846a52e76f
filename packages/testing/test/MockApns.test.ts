import { MockApns, type Received } from "@effect-apns/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
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

  it.scopedLive("answers as `next` says, in order, then as APNs does", () =>
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

  it.scopedLive("asks `onRequest` about each request when its headers arrived, after `next` and before the script", () => {
    const asked: Array<string> = []
    return Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const client = yield* connect(apns)
      const headers = yield* good(apns)
      yield* apns.script(() => MockApns.reject("Shutdown"))
      yield* apns.next(MockApns.reject("BadDeviceToken"))
      assert.strictEqual((yield* client.send({ ...headers, "apns-collapse-id": "refuse" })).reason, "BadDeviceToken")
      assert.strictEqual((yield* Effect.flip(client.send({ ...headers, "apns-collapse-id": "refuse" }))).code, 7)
      assert.strictEqual((yield* client.send(headers)).reason, "Shutdown")
      assert.deepStrictEqual(asked, ["refuse after Respond", "refuse", "none"])
    }).pipe(withMock({
      onRequest: ({ collapseId, method }, planned) => {
        assert.strictEqual(method, "POST")
        asked.push(`${collapseId ?? "none"}${planned === undefined ? "" : ` after ${planned._tag}`}`)
        return collapseId === "refuse" ? MockApns.refuseStream : undefined
      }
    }))
  })

  it.scopedLive("after GOAWAY it answers the included streams, and processes no other", () =>
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

  it.scopedLive("keeps only the latest requests, or none if set up so", () =>
    Effect.gen(function*() {
      const few = yield* MockApns.make({ maxReceived: 3 })
      const none = yield* MockApns.make({ record: false })
      for (const apns of [few, none]) {
        const client = yield* connect(apns)
        const headers = yield* good(apns)
        yield* Effect.forEach(
          Array.from({ length: 150 }),
          (_, i) => client.send({ ...headers, "apns-collapse-id": `${i}` }),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(yield* apns.receivedCount, 150)
        assert.strictEqual(yield* apns.acceptedCount, 150)
      }
      assert.deepStrictEqual((yield* few.received).map(({ collapseId }) => collapseId), ["147", "148", "149"])
      assert.deepStrictEqual(yield* none.received, [])
    }))

  it.scopedLive("reports each request before its answer is sent", () =>
    Effect.gen(function*() {
      const seen: Array<Received.Received> = []
      const apns = yield* MockApns.make({ onReceived: (received) => seen.push(received) })
      const client = yield* connect(apns)
      const headers = yield* good(apns)
      yield* client.send(headers)
      seen.length = 0
      yield* apns.next(MockApns.stall, MockApns.reject("Forbidden"), MockApns.swallow)
      client.start(headers, "{}")
      assert.strictEqual((yield* client.send(headers)).status, 403)
      client.start(headers, "{}")
      assert.strictEqual((yield* client.send(headers)).status, 200)
      assert.deepStrictEqual(
        seen.map(({ accepted, reason, status, streamId }) => ({ accepted, reason, status, streamId })),
        [
          { accepted: true, reason: undefined, status: undefined, streamId: 3 },
          { accepted: false, reason: "Forbidden", status: 403, streamId: 5 },
          { accepted: true, reason: undefined, status: 200, streamId: 9 }
        ]
      )
    }))

  it.scopedLive("printing it shows what it received", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.make({ auth: "none" })
      const client = yield* connect(apns)
      yield* client.send({ ":path": "/3/device/abcd", "apns-topic": "com.example.app" }, "not json")
      const [received] = yield* apns.received
      const printed: unknown = JSON.parse(JSON.stringify(received))
      assert.deepInclude(printed, {
        method: "POST",
        path: "/3/device/abcd",
        token: "abcd",
        accepted: true,
        status: 200
      })
      assert.isUndefined(received?.payload)
      assert.strictEqual(Buffer.from(received?.body ?? []).toString(), "not json")
      assert.strictEqual(received?.headers["apns-topic"], "com.example.app")
      yield* apns.clear
      assert.deepStrictEqual(yield* apns.received, [])
      assert.strictEqual(yield* apns.receivedCount, 0)
    }))

  it.scopedLive("waits without polling until a condition is true, and can be interrupted", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.make()
      const waiting = yield* Effect.fork(apns.until(({ openConnections }) => openConnections === 1))
      const never = yield* Effect.fork(apns.until(() => false))
      yield* connect(apns)
      yield* Fiber.join(waiting)
      assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(never)))
    }))
})
