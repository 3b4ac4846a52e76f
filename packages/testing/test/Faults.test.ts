import { type Behavior, MockApns } from "@effect-apns/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Logger, LogLevel, Option } from "effect"
import { type Client, connect, good } from "./utils/client.js"
import { connectRaw, frame, type RawFrame, Type } from "./utils/raw.js"

const withMock = (options?: MockApns.Options) => Effect.provide(MockApns.layer(options))

const setup = Effect.gen(function*() {
  const apns = yield* MockApns.MockApns
  const client = yield* connect(apns)
  const headers = yield* good(apns)
  return { apns, client, headers }
})

const rawSetup = Effect.gen(function*() {
  const apns = yield* MockApns.MockApns
  const client = yield* connectRaw(apns)
  const headers = yield* good(apns)
  return { apns, client, headers }
})

const of = (frames: ReadonlyArray<RawFrame>, streamId: number): ReadonlyArray<RawFrame> =>
  frames.filter((each) => each.streamId === streamId)

const shape = (
  frames: ReadonlyArray<RawFrame>
): ReadonlyArray<readonly [type: number, flags: number, length: number]> =>
  frames.map(({ flags, payload, type }) => [type, flags, payload.length])

const stillWorks = (client: Client, headers: Record<string, string>) =>
  Effect.map(client.send(headers), ({ status }) => assert.strictEqual(status, 200))

describe("answers", () => {
  it.scopedLive("accept, acceptWith, respond, and every rejection by name", () =>
    Effect.gen(function*() {
      const { apns, client, headers } = yield* setup
      const bad = { ...headers, "apns-priority": "3" }
      yield* apns.next(
        MockApns.accept,
        MockApns.acceptWith({ apnsId: "an-id", uniqueId: "a-unique-id", headers: { "x-more": "1" } }),
        MockApns.respond({ status: 418, headers: { "x-tea": "1" }, body: "short and stout" })
      )
      assert.strictEqual((yield* client.send(bad)).status, 200)
      const custom = yield* client.send(bad)
      assert.strictEqual(custom.headers["apns-id"], "an-id")
      assert.strictEqual(custom.headers["apns-unique-id"], "a-unique-id")
      assert.strictEqual(custom.headers["x-more"], "1")
      const teapot = yield* client.send(headers)
      assert.strictEqual(teapot.status, 418)
      assert.strictEqual(teapot.body, "short and stout")

      const named = [
        [MockApns.reject("BadDeviceToken"), 400, "BadDeviceToken"],
        [MockApns.reject({ reason: "BrandNewReason", status: 499 }), 499, "BrandNewReason"],
        [MockApns.reject("BrandNewReason"), 400, "BrandNewReason"],
        [MockApns.reject("Service Unavailable"), 503, "Service Unavailable"],
        [MockApns.expiredProviderToken, 403, "ExpiredProviderToken"],
        [MockApns.tooManyProviderTokenUpdates, 429, "TooManyProviderTokenUpdates"],
        [MockApns.tooManyRequests(), 429, "TooManyRequests"],
        [MockApns.unavailable(), 503, "ServiceUnavailable"],
        [MockApns.shutdown, 503, "Shutdown"],
        [MockApns.internalServerError, 500, "InternalServerError"],
        [MockApns.unregistered(1234), 410, "Unregistered"]
      ] as const
      for (const [behavior, status, reason] of named) {
        yield* apns.next(behavior)
        const answer = yield* client.send(headers)
        assert.strictEqual(answer.status, status)
        assert.strictEqual(answer.reason, reason)
        assert.isUndefined(answer.headers["retry-after"])
      }
      yield* apns.next(
        MockApns.unavailable({ retryAfter: "2 seconds" }),
        MockApns.tooManyRequests({ retryAfter: "1500 millis" })
      )
      assert.strictEqual((yield* client.send(headers)).headers["retry-after"], "2")
      assert.strictEqual((yield* client.send(headers)).headers["retry-after"], "2")
      yield* apns.next(MockApns.unavailable({ retryAfter: 30 }))
      assert.strictEqual((yield* client.send(headers)).headers["retry-after"], "30")
      yield* apns.next(MockApns.unregistered(1234))
      assert.strictEqual((yield* client.send(headers)).body, "{\"reason\":\"Unregistered\",\"timestamp\":1234}")
      assert.strictEqual(yield* apns.acceptedCount, 2)
    }).pipe(withMock()))

  it.scopedLive("script decides for each request that `next` does not; with an Effect too", () =>
    Effect.gen(function*() {
      const { apns, client, headers } = yield* setup
      yield* apns.script((request) =>
        request.collapseId === "refuse"
          ? MockApns.refuseStream
          : request.collapseId === "effect"
          ? Effect.succeed(MockApns.reject("Forbidden"))
          : undefined
      )
      assert.strictEqual((yield* client.send({ ...headers, "apns-collapse-id": "effect" })).reason, "Forbidden")
      assert.strictEqual((yield* Effect.flip(client.send({ ...headers, "apns-collapse-id": "refuse" }))).code, 7)
      assert.strictEqual((yield* client.send(headers)).status, 200)
      yield* apns.next(MockApns.accept)
      assert.strictEqual((yield* client.send({ ...headers, "apns-collapse-id": "refuse" })).status, 200)
      yield* apns.script(undefined)
      assert.strictEqual((yield* client.send({ ...headers, "apns-collapse-id": "refuse" })).status, 200)
    }).pipe(withMock()))

  it.scopedLive("a script that fails -> an internal server error, not a request without an answer", () =>
    Effect.gen(function*() {
      const { apns, client, headers } = yield* setup
      yield* apns.script(() => {
        throw new Error("a bug in the test")
      })
      assert.strictEqual((yield* client.send(headers)).reason, "InternalServerError")
      yield* apns.script(() => Effect.die("another"))
      assert.strictEqual((yield* client.send(headers)).reason, "InternalServerError")
    }).pipe(withMock(), Logger.withMinimumLogLevel(LogLevel.None)))

  it.scopedLive("a slow answer does not delay the others, and is processed only at its time", () =>
    Effect.gen(function*() {
      const { apns, client, headers } = yield* setup
      yield* apns.next(MockApns.slow("200 millis", MockApns.reject("Forbidden")), MockApns.slow("1 hour"))
      const slow = yield* Effect.fork(client.send(headers))
      yield* apns.until(({ arrived }) => arrived === 1)
      const forever = client.start(headers, "{}")
      yield* apns.until(({ arrived }) => arrived === 2)
      yield* stillWorks(client, headers)
      assert.strictEqual(yield* apns.receivedCount, 1)
      assert.strictEqual((yield* Fiber.join(slow)).reason, "Forbidden")
      forever.stream.close(8)
      yield* apns.until(({ inFlight, resets }) => inFlight === 0 && resets === 1)
      const [info] = yield* apns.connections
      assert.deepStrictEqual(info?.resets, [{ streamId: 3, code: 8 }])
      assert.strictEqual(yield* apns.receivedCount, 2)
    }).pipe(withMock()))

  it.scopedLive("delays keep their order", () =>
    Effect.gen(function*() {
      const { apns, client, headers } = yield* setup
      yield* apns.delay("30 millis")
      const ids = Array.from({ length: 50 }, (_, i) => `id-${i}`)
      yield* Effect.forEach(ids, (id) => client.send({ ...headers, "apns-collapse-id": id }), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual((yield* apns.received).map(({ collapseId }) => collapseId), ids)
      const [info] = yield* apns.connections
      assert.strictEqual(info?.maxOpenStreams, 50)
      assert.strictEqual(info?.openStreams, 0)
    }).pipe(withMock()))
})

describe("stream faults", () => {
  it.scopedLive("refuseStream is not processed, resetStream is unless told otherwise", () =>
    Effect.gen(function*() {
      const { apns, client, headers } = yield* setup
      yield* apns.next(
        MockApns.refuseStream,
        MockApns.resetStream(2),
        MockApns.resetStream(11, { processed: false }),
        MockApns.resetStream(2, { afterHeaders: true })
      )
      assert.strictEqual((yield* Effect.flip(client.send(headers))).code, 7)
      assert.strictEqual(yield* apns.receivedCount, 0)
      assert.strictEqual((yield* Effect.flip(client.send(headers))).code, 2)
      assert.strictEqual(yield* apns.acceptedCount, 1)
      assert.strictEqual((yield* Effect.flip(client.send(headers))).code, 11)
      assert.strictEqual(yield* apns.acceptedCount, 1)
      const { answer, stream } = client.start(headers, "{}")
      const status = new Promise((resolve) => stream.once("response", (fields) => resolve(fields[":status"])))
      assert.strictEqual((yield* Effect.flip(answer)).code, 2)
      assert.strictEqual(yield* Effect.promise(() => status), 400)
      assert.strictEqual(yield* apns.acceptedCount, 1)
      assert.strictEqual(yield* apns.receivedCount, 2)
      yield* stillWorks(client, headers)
      assert.strictEqual((yield* apns.stats).openConnections, 1)
    }).pipe(withMock()))

  it.scopedLive("several codes are several frames for one stream", () =>
    Effect.gen(function*() {
      const { apns, client, headers } = yield* rawSetup
      yield* apns.next(MockApns.resetStream([7, 5], { processed: false }))
      client.request(1, headers)
      yield* client.until((frames) => of(frames, 1).length === 2)
      assert.deepStrictEqual(of(client.frames, 1).map(({ payload, type }) => [type, payload.readUInt32BE(0)]), [
        [Type.RST_STREAM, 7],
        [Type.RST_STREAM, 5]
      ])
    }).pipe(withMock()))

  it.scopedLive("stall, swallow and stallBody never end the stream, and free it when the client resets it", () =>
    Effect.gen(function*() {
      const { apns, client, headers } = yield* setup
      yield* apns.next(MockApns.stall, MockApns.swallow, MockApns.stallBody)
      const streams = [client.start(headers, "{}"), client.start(headers, "{}"), client.start(headers, "{}")]
      yield* apns.until(({ received, requests }) => requests === 3 && received === 2)
      yield* stillWorks(client, headers)
      // the first token of a connection takes a moment to verify: what needs no check may come before
      assert.sameMembers((yield* apns.received).map(({ streamId }) => streamId), [1, 5, 7])
      assert.strictEqual((yield* apns.stats).inFlight, 3)
      for (const { stream } of streams) stream.close(8)
      yield* apns.until(({ inFlight, resets }) => inFlight === 0 && resets === 3)
    }).pipe(withMock()))
})

describe("connection faults", () => {
  for (const reset of [false, true]) {
    it.scopedLive(`drop before, after and during the answer, with ${reset ? "RST" : "FIN"}`, () =>
      Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        const headers = yield* good(apns)
        const drop = (when: "before" | "after" | "during") =>
          Effect.scoped(Effect.gen(function*() {
            const client = yield* connectRaw(apns)
            yield* client.until((frames) => frames.some(({ type }) => type === Type.SETTINGS))
            yield* apns.next(MockApns.drop({ when, reset }))
            client.request(1, headers)
            return { ended: yield* client.ended, frames: of(client.frames, 1), rest: client.rest() }
          }))
        const before = yield* drop("before")
        assert.strictEqual(yield* apns.receivedCount, 0)
        assert.deepStrictEqual(before.frames, [])
        const after = yield* drop("after")
        assert.deepStrictEqual(after.frames, [])
        assert.strictEqual(yield* apns.acceptedCount, 1)
        assert.strictEqual(before.ended, reset ? "ECONNRESET" : "end")
        assert.strictEqual(after.ended, reset ? "ECONNRESET" : "end")
        const during = yield* drop("during")
        assert.strictEqual(yield* apns.acceptedCount, 1)
        assert.deepInclude((yield* apns.received)[1], { accepted: false, status: 400, reason: "BadDeviceToken" })
        if (!reset) {
          assert.deepStrictEqual(during.frames.map(({ type }) => type), [Type.HEADERS])
          assert.strictEqual(during.rest.readUInt8(3), Type.DATA)
          assert.strictEqual(during.rest.length, 20)
        }
        yield* apns.until(({ openConnections }) => openConnections === 0)
        assert.strictEqual((yield* apns.connections).length, 3)
        assert.isTrue((yield* apns.connections).every(({ closedAt, open }) => !open && closedAt !== undefined))
      }).pipe(withMock()))
  }

  it.scopedLive("dropBefore, dropAfter and dropDuring are those with FIN", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const headers = yield* good(apns)
      for (const behavior of [MockApns.dropBefore, MockApns.dropAfter, MockApns.dropDuring]) {
        yield* apns.next(behavior)
        const client = yield* connect(apns)
        yield* Effect.flip(client.send(headers))
        yield* client.closed
      }
      assert.deepStrictEqual((yield* apns.received).map(({ accepted }) => accepted), [true, false])
    }).pipe(withMock()))

  it.scopedLive("dropConnections drops the given connection, or all", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const headers = yield* good(apns)
      const [one, two, three] = [yield* connect(apns), yield* connect(apns), yield* connect(apns)]
      yield* apns.dropConnections({ connection: 2 })
      yield* two.closed
      yield* stillWorks(one, headers)
      yield* stillWorks(three, headers)
      yield* apns.dropConnections({ reset: true })
      yield* one.closed
      yield* three.closed
    }).pipe(withMock()))

  it.scopedLive("goawayBefore excludes the request, goawayAfter includes it, goawayInstead ends the connection", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const headers = yield* good(apns)

      const before = yield* connect(apns)
      yield* apns.next(MockApns.slow("50 millis"), MockApns.goawayBefore({ code: 2, debug: "Maximum streams" }))
      const kept = yield* Effect.fork(Effect.either(before.send(headers)))
      yield* apns.until(({ arrived }) => arrived === 1)
      const lost = before.start(headers, "{}")
      lost.stream.on("error", () => {})
      yield* Fiber.join(kept)
      yield* before.closed
      assert.deepStrictEqual(before.goaways, [{ code: 2, lastStreamId: 1, debug: "Maximum streams" }])

      yield* apns.clear
      const after = yield* connect(apns)
      yield* apns.next(MockApns.goawayAfter({ reason: "Shutdown" }))
      yield* stillWorks(after, headers)
      yield* after.closed
      assert.deepStrictEqual(after.goaways, [{ code: 0, lastStreamId: 1, debug: "{\"reason\":\"Shutdown\"}" }])
      assert.strictEqual(yield* apns.acceptedCount, 1)

      yield* apns.clear
      const instead = yield* connect(apns)
      yield* apns.next(MockApns.goawayInstead({ reason: "BadCertificateEnvironment" }))
      yield* Effect.flip(instead.send(headers))
      yield* instead.closed
      assert.deepStrictEqual(instead.goaways, [
        { code: 0, lastStreamId: 0, debug: "{\"reason\":\"BadCertificateEnvironment\"}" }
      ])
      assert.strictEqual(yield* apns.receivedCount, 0)

      const error = yield* connect(apns)
      yield* apns.next(MockApns.goawayInstead({ code: 1 }))
      yield* Effect.flip(error.send(headers))
      yield* error.closed
      assert.strictEqual(yield* apns.acceptedCount, 1)
    }).pipe(withMock()))

  it.scopedLive("after a GOAWAY later streams get no answer, and earlier ones get theirs", () =>
    Effect.gen(function*() {
      const { apns, client, headers } = yield* rawSetup
      yield* apns.next(MockApns.stall, MockApns.slow("50 millis"))
      client.request(1, headers)
      client.request(3, headers)
      yield* apns.until(({ arrived }) => arrived === 2)
      yield* apns.goaway({ lastStreamId: 3, code: 0, reason: "IdleTimeout" })
      yield* client.until((frames) => frames.some(({ type }) => type === Type.GOAWAY))
      client.request(5, headers)
      client.request(7, headers)
      yield* client.until((frames) => of(frames, 3).length > 0)
      client.write(frame(Type.PING, 0, 0, Buffer.alloc(8, 1)))
      yield* client.until((frames) => frames.some(({ type }) => type === Type.PING))
      assert.deepStrictEqual(of(client.frames, 5), [])
      assert.deepStrictEqual(of(client.frames, 7), [])
      assert.deepStrictEqual((yield* apns.received).map(({ streamId }) => streamId), [1, 3])
      yield* apns.goaway({ lastStreamId: "none" })
      yield* client.until((frames) => frames.filter(({ type }) => type === Type.GOAWAY).length === 2)
      const ids = client.frames.filter(({ type }) => type === Type.GOAWAY).map(({ payload }) => payload.readUInt32BE(0))
      // stream 3 was processed: no later GOAWAY may say otherwise
      assert.deepStrictEqual(ids, [3, 3])
    }).pipe(withMock()))

  it.scopedLive("a GOAWAY may close the connection at once, and may be sent on one connection only", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const headers = yield* good(apns)
      const [one, two] = [yield* connectRaw(apns), yield* connectRaw(apns)]
      yield* apns.goaway({ connection: 1, lastStreamId: "none", reason: "BadCertificate", close: true })
      assert.strictEqual(yield* one.ended, "end")
      const said = one.frames.filter(({ type }) => type === Type.GOAWAY)
      assert.deepStrictEqual(said.map(({ payload }) => payload.toString("latin1")), [
        "\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000{\"reason\":\"BadCertificate\"}"
      ])
      two.request(1, headers)
      yield* two.until((frames) => of(frames, 1).length > 0)
    }).pipe(withMock()))

  it.scopedLive("PINGs are answered, unless that is turned off", () =>
    Effect.gen(function*() {
      const { apns, client } = yield* rawSetup
      const ping = (n: number) => client.write(frame(Type.PING, 0, 0, Buffer.alloc(8, n)))
      ping(1)
      yield* client.until((frames) => frames.some(({ type }) => type === Type.PING))
      yield* apns.answerPings(false)
      ping(2)
      yield* apns.until(({ pings }) => pings === 2)
      yield* apns.answerPings(true)
      ping(3)
      yield* client.until((frames) => frames.filter(({ type }) => type === Type.PING).length === 2)
      const answers = client.frames.filter(({ type }) => type === Type.PING)
      assert.deepStrictEqual(answers.map(({ flags, payload }) => [flags, payload[0]]), [[1, 1], [1, 3]])
      yield* apns.ping()
      yield* client.until((frames) => frames.filter(({ type }) => type === Type.PING).length === 3)
      const asked = client.frames[client.frames.length - 1]
      client.write(frame(Type.PING, 1, 0, asked?.payload ?? Buffer.alloc(8)))
      yield* apns.until(({ pingAcks }) => pingAcks === 1)
    }).pipe(withMock()))

  it.scopedLive("SETTINGS change while it runs, and excess streams are refused", () =>
    Effect.gen(function*() {
      const { apns, client, headers } = yield* rawSetup
      yield* client.until((frames) => frames.some(({ type }) => type === Type.SETTINGS))
      const settings = (frames: ReadonlyArray<RawFrame>) =>
        frames.filter(({ flags, type }) => type === Type.SETTINGS && flags === 0)
      const first = settings(client.frames)[0]?.payload ?? Buffer.alloc(0)
      const seen = Array.from(
        { length: first.length / 6 },
        (_, i) => [first.readUInt16BE(i * 6), first.readUInt32BE(i * 6 + 2)]
      )
      assert.deepStrictEqual(
        seen.sort(([a = 0], [b = 0]) => a - b),
        [[1, 4096], [3, 1000], [4, 65535], [5, 16384], [6, 8000]]
      )
      client.write(frame(Type.SETTINGS, 1, 0, Buffer.alloc(0)))
      yield* apns.next(MockApns.stall, MockApns.stall)
      yield* apns.settings({ maxConcurrentStreams: 1, initialWindowSize: 10_000 })
      yield* client.until((frames) => settings(frames).length === 2)
      client.request(1, headers)
      client.request(3, headers)
      yield* client.until((frames) => of(frames, 3).length > 0)
      assert.deepStrictEqual(of(client.frames, 3).map(({ payload, type }) => [type, payload.readUInt32BE(0)]), [
        [Type.RST_STREAM, 7]
      ])
      client.write(frame(Type.SETTINGS, 1, 0, Buffer.alloc(0)))
      yield* apns.until(({ settingsAcks }) => settingsAcks === 2)
      const later = yield* connect(apns)
      assert.strictEqual(later.session.remoteSettings.maxConcurrentStreams, 1)
      assert.strictEqual(later.session.remoteSettings.initialWindowSize, 10_000)
      yield* apns.settings({ headerTableSize: 0 })
      const last = yield* connect(apns)
      assert.strictEqual(last.session.remoteSettings.headerTableSize, 0)
      assert.strictEqual(last.session.remoteSettings.maxConcurrentStreams, 1)
    }).pipe(withMock()))

  it.scopedLive("SETTINGS are not acknowledged when that is turned off", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      yield* apns.acknowledgeSettings(false)
      const client = yield* connectRaw(apns)
      client.write(frame(Type.PING, 0, 0, Buffer.alloc(8)))
      yield* client.until((frames) => frames.some(({ type }) => type === Type.PING))
      assert.isFalse(client.frames.some(({ flags, type }) => type === Type.SETTINGS && flags === 1))
      yield* apns.acknowledgeSettings(true)
      const other = yield* connectRaw(apns)
      yield* other.until((frames) => frames.some(({ flags, type }) => type === Type.SETTINGS && flags === 1))
    }).pipe(withMock()))

  it.scopedLive("WINDOW_UPDATEs can be held back and sent later", () =>
    Effect.gen(function*() {
      const { apns, client, headers } = yield* setup
      yield* apns.updateWindows(false)
      const body = "x".repeat(4000)
      const fibers = yield* Effect.forEach(Array.from({ length: 30 }), () => Effect.fork(client.send(headers, body)))
      // sixteen bodies of 4,000 bytes fit into a window of 65,535
      yield* apns.until(({ received }) => received === 16)
      client.session.ping(() => {})
      yield* apns.until(({ pings }) => pings === 1)
      assert.strictEqual(yield* apns.receivedCount, 16)
      yield* apns.updateWindows(true)
      const answers = yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber))
      assert.isTrue(answers.every(({ status }) => status === 200))
    }).pipe(withMock()))

  it.scopedLive("trickle sends a few bytes at a time", () =>
    Effect.gen(function*() {
      const { apns, client, headers } = yield* rawSetup
      yield* client.until((frames) => frames.length >= 2)
      client.chunks.length = 0
      yield* apns.trickle({ bytes: 1, every: "1 millis" })
      yield* apns.next(MockApns.reject("BadDeviceToken"))
      client.request(1, headers)
      yield* client.until((frames) => of(frames, 1).some(({ flags, type }) => type === Type.DATA && (flags & 1) === 1))
      assert.isTrue(client.chunks.every((size) => size === 1))
      assert.isAbove(client.chunks.length, 50)
      yield* apns.trickle(undefined)
      client.request(3, headers)
      yield* client.until((frames) => of(frames, 3).length > 0)
    }).pipe(withMock()))

  it.scopedLive("freeze stops reading and writing; after it both continue where they stopped", () =>
    Effect.gen(function*() {
      const { apns, client, headers } = yield* rawSetup
      const other = yield* connectRaw(apns)
      yield* client.until((frames) => frames.length >= 2)
      yield* apns.freeze(true, { connection: 1 })
      client.request(1, headers)
      yield* apns.write(frame(0xbe, 0, 0, Buffer.from("late")))
      // the other one lives, and its answer shows that the frozen one had time for its own
      other.request(1, headers)
      yield* other.until((frames) => of(frames, 1).length > 0)
      assert.deepStrictEqual(client.frames.filter(({ streamId, type }) => streamId === 1 || type === 0xbe), [])
      yield* apns.freeze(false, { connection: 1 })
      yield* client.until((frames) => frames.some(({ type }) => type === 0xbe) && of(frames, 1).length > 0)
      assert.strictEqual((yield* apns.stats).accepted, 2)
    }).pipe(withMock()))

  it.scopedLive("freeze of everything -> new connections wait, and a frozen connection can be closed", () =>
    Effect.gen(function*() {
      const { apns, client } = yield* rawSetup
      yield* apns.freeze(true)
      const late = yield* Effect.fork(connectRaw(apns))
      yield* apns.until(({ attempts }) => attempts === 2)
      assert.strictEqual((yield* apns.stats).openConnections, 1)
      yield* apns.freeze(false)
      const next = yield* Fiber.join(late)
      yield* next.until((frames) => frames.some(({ type }) => type === Type.SETTINGS))
      yield* apns.freeze(true)
      yield* apns.dropConnections()
      assert.strictEqual(yield* client.ended, "end")
      assert.strictEqual((yield* apns.stats).openConnections, 0)
    }).pipe(withMock()))

  it.scopedLive("write puts bytes between two frames", () =>
    Effect.gen(function*() {
      const { apns, client } = yield* rawSetup
      yield* apns.write(frame(0xbe, 3, 9, Buffer.from("hello")))
      yield* client.until((frames) => frames.some(({ type }) => type === 0xbe))
      const odd = client.frames.find(({ type }) => type === 0xbe)
      assert.strictEqual(odd?.streamId, 9)
      assert.strictEqual(odd?.payload.toString(), "hello")
    }).pipe(withMock()))
})

describe("malformed answers", () => {
  const shapes: ReadonlyArray<readonly [string, Behavior.Behavior, Array<Array<number>>]> = [
    ["splitBody", MockApns.splitBody(), [[Type.HEADERS, 4], [Type.DATA, 0], [Type.DATA, 1]]],
    ["emptyLastData", MockApns.emptyLastData(), [[Type.HEADERS, 4], [Type.DATA, 0], [Type.DATA, 1]]],
    ["noBody", MockApns.noBody(), [[Type.HEADERS, 5]]],
    ["noStatus", MockApns.noStatus, [[Type.HEADERS, 5]]],
    ["badStatus", MockApns.badStatus, [[Type.HEADERS, 5]]],
    ["upperCaseHeader", MockApns.upperCaseHeader, [[Type.HEADERS, 5]]],
    ["informational", MockApns.informational, [[Type.HEADERS, 4], [Type.HEADERS, 5]]],
    ["trailers", MockApns.trailers, [[Type.HEADERS, 4], [Type.HEADERS, 5]]],
    ["dataBeforeHeaders", MockApns.dataBeforeHeaders, [[Type.DATA, 1]]],
    ["garbledHeaders", MockApns.garbledHeaders, [[Type.HEADERS, 5]]],
    ["oversizeFrame", MockApns.oversizeFrame, [[Type.DATA, 0]]],
    ["pushPromise", MockApns.pushPromise, [[Type.PUSH_PROMISE, 4]]],
    ["unknownFrame", MockApns.unknownFrame, [[0xfe, 0xff], [Type.HEADERS, 5]]]
  ]
  for (const [name, behavior, expected] of shapes) {
    it.scopedLive(name, () =>
      Effect.gen(function*() {
        const { apns, client, headers } = yield* rawSetup
        yield* apns.next(behavior)
        client.request(1, headers)
        yield* client.until((frames) => of(frames, 1).length === expected.length)
        assert.deepStrictEqual(of(client.frames, 1).map(({ flags, type }) => [type, flags]), expected)
        // another request on the same connection shows that the mock itself keeps its ground
        client.request(3, headers)
        yield* client.until((frames) => of(frames, 3).length > 0)
        assert.strictEqual(of(client.frames, 1).length, expected.length)
        assert.strictEqual(yield* apns.receivedCount, 2)
      }).pipe(withMock()))
  }

  it.scopedLive("answers that a lenient client may accept -> an independent client accepts them", () =>
    Effect.gen(function*() {
      const { apns, client, headers } = yield* setup
      yield* apns.next(
        MockApns.splitBody("Unregistered"),
        MockApns.emptyLastData("BadTopic"),
        MockApns.noBody(),
        MockApns.notJson(),
        MockApns.informational,
        MockApns.trailers,
        MockApns.bodyTooLarge(100_000),
        MockApns.unknownFrame
      )
      const split = yield* client.send(headers)
      assert.strictEqual(split.status, 410)
      assert.strictEqual(split.reason, "Unregistered")
      assert.strictEqual((yield* client.send(headers)).reason, "BadTopic")
      const none = yield* client.send(headers)
      assert.strictEqual(none.status, 400)
      assert.strictEqual(none.body, "")
      const page = yield* client.send(headers)
      assert.strictEqual(page.status, 502)
      assert.match(page.body, /^<html>/)
      assert.strictEqual((yield* client.send(headers)).status, 200)
      assert.strictEqual((yield* client.send(headers)).status, 200)
      assert.strictEqual((yield* client.send(headers)).body.length, 100_000)
      assert.strictEqual((yield* client.send(headers)).status, 200)
      yield* stillWorks(client, headers)
    }).pipe(withMock()))

  const fatal = [
    ["garbage", MockApns.garbage, 6],
    ["garbledHeaders", MockApns.garbledHeaders, 9],
    ["oversizeFrame", MockApns.oversizeFrame, 6],
    ["pushPromise", MockApns.pushPromise, 1],
    ["windowOverflow", MockApns.windowOverflow, 3]
  ] as const
  // before Node 24, node:http2 destroys some sessions with INTERNAL_ERROR before the code of nghttp2 leaves
  const INTERNAL_ERROR = 2
  for (const [name, behavior, code] of fatal) {
    it.scopedLive(`${name} makes an independent client end the connection`, () =>
      Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        const headers = yield* good(apns)
        const client = yield* connect(apns, { settings: { enablePush: false } })
        yield* apns.next(behavior)
        client.start(headers, "{}")
        yield* apns.until(({ goaways, openConnections }) => goaways === 1 && openConnections === 0)
        const [info] = yield* apns.connections
        assert.lengthOf(info?.goaways ?? [], 1)
        assert.include([code, INTERNAL_ERROR], info?.goaways[0]?.code)
        assert.strictEqual(yield* apns.acceptedCount, 1)
      }).pipe(withMock()))
  }

  it.scopedLive("continuationFlood never ends its header block", () =>
    Effect.gen(function*() {
      const { apns, client, headers } = yield* rawSetup
      yield* apns.next(MockApns.continuationFlood(1000))
      client.request(1, headers)
      yield* client.until((frames) => of(frames, 1).length === 1001)
      assert.isTrue(of(client.frames, 1).every(({ flags }) => (flags & 4) === 0))
    }).pipe(withMock()))

  it.scopedLive("headersTooLarge takes CONTINUATION frames", () =>
    Effect.gen(function*() {
      const { apns, client, headers } = yield* rawSetup
      yield* apns.next(MockApns.headersTooLarge(40_000))
      client.request(1, headers)
      yield* client.until((frames) => of(frames, 1).some(({ flags }) => (flags & 4) === 4))
      assert.deepStrictEqual(of(client.frames, 1).map(({ flags, type }) => [type, flags]), [
        [Type.HEADERS, 1],
        [Type.CONTINUATION, 0],
        [Type.CONTINUATION, 4]
      ])
    }).pipe(withMock()))

  it.scopedLive("floods have the given length", () =>
    Effect.gen(function*() {
      const { apns, client, headers } = yield* rawSetup
      yield* apns.next(MockApns.pingFlood(500), MockApns.settingsFlood(400), MockApns.emptyDataFlood(300))
      client.request(1, headers)
      client.request(3, headers)
      client.request(5, headers)
      yield* client.until((frames) => of(frames, 5).length === 301)
      assert.strictEqual(client.frames.filter(({ type }) => type === Type.PING).length, 500)
      assert.strictEqual(client.frames.filter(({ flags, type }) => type === Type.SETTINGS && flags === 0).length, 401)
      assert.deepStrictEqual(shape(of(client.frames, 5)).slice(1, 3), [[Type.DATA, 0, 0], [Type.DATA, 0, 0]])
    }).pipe(withMock()))

  it.scopedLive("any other bytes can be sent", () =>
    Effect.gen(function*() {
      const { apns, client, headers } = yield* rawSetup
      yield* apns.next(
        MockApns.bytes((streamId) => frame(0xaa, 0, streamId, Buffer.from("mine")), { processed: false })
      )
      client.request(1, headers)
      yield* client.until((frames) => of(frames, 1).length === 1)
      assert.strictEqual(of(client.frames, 1)[0]?.type, 0xaa)
      assert.strictEqual(yield* apns.receivedCount, 0)
    }).pipe(withMock()))
})

describe("a client that strains the server", () => {
  it.scopedLive("may reset thousands of streams without losing its connection", () =>
    Effect.gen(function*() {
      const { apns, client, headers } = yield* setup
      yield* apns.script(() => MockApns.stall)
      for (let round = 0; round < 5; round++) {
        const streams = Array.from({ length: 500 }, () => client.start(headers, "{}"))
        yield* apns.until(({ inFlight, received }) => inFlight === 500 && received === (round + 1) * 500)
        for (const { stream } of streams) stream.close(8)
        yield* apns.until(({ inFlight, resets }) => inFlight === 0 && resets === (round + 1) * 500)
      }
      yield* apns.script(undefined)
      yield* stillWorks(client, headers)
      assert.strictEqual((yield* apns.stats).openConnections, 1)
    }).pipe(withMock()))

  it.scopedLive("that breaks the protocol gets GOAWAY with the error", () =>
    Effect.gen(function*() {
      const { client } = yield* rawSetup
      client.write(frame(Type.DATA, 1, 0, Buffer.from("no stream")))
      assert.strictEqual(yield* client.ended, "end")
      const last = client.frames[client.frames.length - 1]
      assert.strictEqual(last?.type, Type.GOAWAY)
      assert.strictEqual(last?.payload.readUInt32BE(4), 1)
    }).pipe(withMock()))

  it.scopedLive("that sends no HTTP/2 -> its connection is closed", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const client = yield* connectRaw(apns, { preface: false })
      client.write(Buffer.from("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(10)))
      const ended = yield* Effect.timeoutOption(client.ended, "10 seconds")
      assert.isTrue(Option.isSome(ended))
    }).pipe(withMock()))
})
