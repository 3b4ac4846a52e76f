import { Credentials, Endpoint, Response } from "@effect-apns/core"
import { Notification } from "@effect-apns/models"
import { ApnsPool, Broadcast, Channels } from "@effect-apns/pool"
import { MockApns } from "@effect-apns/testing"
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Effect, Either, Fiber, Layer, Redacted, TestClock } from "effect"

const bundleId = MockApns.bundleId
const requestId = "7f0a1e2c-3b4d-4e5f-8a9b-0c1d2e3f4a5b"

const update = Notification.liveActivity.update({
  timestamp: 1704067200,
  contentState: { home: 1, away: 0 }
})

const goal = (channelId: string, options: Partial<Broadcast.Options> = {}) =>
  Broadcast.send({ channelId, notification: update, priority: 5, expiration: "none", ...options })

describe("Broadcast.send", () => {
  it.scopedLive("a broadcast reaches its channel with every header that Apple requires", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const channelId = yield* apns.createChannel(bundleId, 1)
      const receipt = yield* goal(channelId, {
        requestId,
        priority: 1,
        expiration: DateTime.unsafeMake("2030-01-01T00:00:00Z")
      })
      assert.strictEqual(receipt.requestId, requestId)
      assert.match(receipt.uniqueId ?? "", /./)
      assert.strictEqual(receipt.attempts, 1)
      const [received] = yield* apns.received
      assert.strictEqual(received?.method, "POST")
      assert.strictEqual(received?.path, `/4/broadcasts/apps/${bundleId}`)
      assert.deepInclude(received?.headers, {
        "apns-channel-id": channelId,
        "apns-push-type": "liveactivity",
        "apns-priority": "1",
        "apns-expiration": "1893456000",
        "apns-request-id": requestId
      })
      assert.notProperty(received?.headers, "apns-topic")
      assert.notProperty(received?.headers, "apns-id")
      assert.deepStrictEqual(received?.payload, {
        aps: { "content-state": { away: 0, home: 1 }, event: "update", timestamp: 1704067200 }
      })
    }).pipe(Effect.provide(MockApns.layerPool({ size: 1 }))))

  it.scopedLive("no expiration and priority given -> \"none\" and 10 are sent; the receipt has the id that APNs made", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const channelId = yield* apns.createChannel(bundleId)
      const receipt = yield* Broadcast.send({ bundleId, channelId, notification: update, expiration: "none" })
      assert.match(receipt.requestId, /^[0-9a-f-]{36}$/)
      const [received] = yield* apns.received
      assert.deepInclude(received?.headers, { "apns-priority": "10", "apns-expiration": "0" })
    }).pipe(Effect.provide(MockApns.layerPool({ size: 1 }))))

  it.scopedLive("each reason -> its error", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const unstored = yield* apns.createChannel(bundleId, 0)
      const foreign = yield* apns.createChannel("com.other.app", 0)
      const stored = yield* Effect.flip(goal(unstored, { requestId, expiration: new Date("2030-01-01") }))
      assert.deepInclude(stored, { _tag: "BadExpirationDate", status: 400, processed: "yes", requestId })
      assert.include(stored.message, requestId)
      assert.strictEqual((yield* Effect.flip(goal(foreign)))._tag, "ChannelNotRegistered")
      assert.strictEqual(
        (yield* Effect.flip(goal(foreign, { bundleId: "com.disabled.app" })))._tag,
        "FeatureNotEnabled"
      )
      assert.strictEqual((yield* Effect.flip(goal(unstored, { bundleId: "com.foreign.app" })))._tag, "TopicMismatch")
      yield* apns.next(MockApns.tooManyRequests({ retryAfter: "1 hour" }))
      assert.strictEqual((yield* Effect.flip(goal(unstored)))._tag, "TooManyRequests")
    }).pipe(Effect.provide(MockApns.layerPool({
      size: 1,
      mock: {
        topics: [bundleId, "com.other.app", "com.disabled.app"],
        broadcastEnabled: [bundleId, "com.other.app"]
      }
    }))))

  it.scopedLive("input that APNs would refuse -> an error, and nothing is sent", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const wrong: ReadonlyArray<readonly [Partial<Broadcast.Options>, string]> = [
        [{ bundleId: "com.example/../x" }, "ParseError"],
        [{ channelId: "no channel!" }, "ParseError"],
        [{ requestId: "not-a-uuid" }, "ParseError"],
        [{ timeout: "0 seconds" }, "ParseError"],
        [{ deadline: new Date(Number.NaN) }, "ParseError"],
        [{ expiration: 1.5 }, "ParseError"],
        [{ notification: Notification.raw({ pushType: "liveactivity", payload: "x".repeat(5121) }) }, "PayloadTooLarge"]
      ]
      for (const [options, tag] of wrong) {
        assert.strictEqual((yield* Effect.flip(goal("AAAA", options)))._tag, tag)
      }
      assert.strictEqual(yield* apns.receivedCount, 0)
    }).pipe(Effect.provide(MockApns.layerPool({ size: 1 }))))

  it.scopedLive("a body of 5120 bytes, more than a device push may have -> accepted", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const channelId = yield* apns.createChannel(bundleId)
      const notification = Notification.raw({ pushType: "liveactivity", payload: "x".repeat(5120) })
      yield* goal(channelId, { notification })
      assert.strictEqual((yield* apns.received)[0]?.body.length, 5120)
    }).pipe(Effect.provide(MockApns.layerPool({ size: 1 }))))

  it.scopedLive("not processed -> sent again; possibly processed -> not sent again", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const channelId = yield* apns.createChannel(bundleId)
      yield* apns.next(MockApns.refuseStream)
      assert.strictEqual((yield* goal(channelId)).attempts, 2)
      yield* apns.clear
      yield* apns.next(MockApns.resetStream(2))
      const error = yield* Effect.flip(goal(channelId))
      assert.deepInclude(error, { _tag: "StreamReset", processed: "unknown", attempts: 1 })
    }).pipe(Effect.provide(MockApns.layerPool({ size: 2 }))))
})

const service = (mock: MockApns.Options = {}) =>
  Layer.provideMerge(
    Layer.unwrapEffect(Effect.gen(function*() {
      const { ca, credentials: { key, keyId, teamId }, endpoint } = yield* MockApns.MockApns
      const credentials = yield* Credentials.token({ key: Redacted.make(key), keyId, teamId })
      return Channels.layer({ endpoint, ca, credentials, bundleId })
    })),
    MockApns.layer(mock)
  )

describe("Channels", () => {
  it.effect("a message storage policy that is none -> an error that says what to give", () =>
    Effect.gen(function*() {
      const channels = Channels.fromPool(yield* ApnsPool.ApnsPool, "com.example.app")
      for (const given of [{}, { messageStoragePolicy: 1 }, { messageStoragePolicy: null }]) {
        const creating: Effect.Effect<unknown, Channels.ChannelsError> = Reflect.apply(channels.create, channels, [
          given
        ])
        const error = yield* Effect.flip(creating)
        assert.strictEqual(error._tag, "ParseError")
        for (const word of ["[\"messageStoragePolicy\"]", "\"most-recent-message-stored\""]) {
          assert.include(error.message, word)
        }
        for (const word of ["Expected", "transformation"]) {
          assert.notInclude(error.message, word)
        }
      }
    }).pipe(Effect.provide(ApnsPool.layerTest(() => Effect.succeed(Response.make())))))

  for (const messageStoragePolicy of ["no-message-stored", "most-recent-message-stored"] as const) {
    it.scopedLive(`a channel is created, read, listed and deleted: ${messageStoragePolicy}`, () =>
      Effect.gen(function*() {
        const channels = yield* Channels.Channels
        const created = yield* channels.create({ messageStoragePolicy, requestId })
        assert.strictEqual(created.requestId, requestId)
        const { channelId } = created
        const found = yield* channels.read({ channelId, requestId })
        assert.deepStrictEqual(found, { messageStoragePolicy, requestId })
        const listed = yield* channels.list({ requestId })
        assert.deepStrictEqual(listed, { channelIds: [channelId], requestId })
        assert.deepStrictEqual(yield* channels.delete({ channelId, requestId }), { requestId })
        assert.deepStrictEqual((yield* channels.list()).channelIds, [])
        const gone = yield* Effect.flip(channels.read({ channelId, requestId }))
        assert.deepInclude(gone, { _tag: "ChannelNotRegistered", status: 400, requestId })
        assert.strictEqual((yield* Effect.flip(channels.delete({ channelId })))._tag, "ChannelNotRegistered")
        const apns = yield* MockApns.MockApns
        const [create, read, list] = yield* apns.received
        assert.deepInclude(create, { method: "POST", path: `/1/apps/${bundleId}/channels` })
        assert.deepStrictEqual(create?.payload, {
          "message-storage-policy": messageStoragePolicy === "no-message-stored" ? 0 : 1,
          "push-type": "LiveActivity"
        })
        assert.deepInclude(read, { method: "GET", path: `/1/apps/${bundleId}/channels`, channelId })
        assert.deepInclude(list, { method: "GET", path: `/1/apps/${bundleId}/all-channels` })
      }).pipe(Effect.provide(service())))
  }

  it.scopedLive("lists 10,000 channels", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const ids = yield* Effect.replicateEffect(apns.createChannel(bundleId), 10_000)
      const { channelIds } = yield* Effect.flatMap(Channels.Channels, (channels) => channels.list())
      assert.deepStrictEqual([...channelIds].sort(), ids.sort())
    }).pipe(Effect.provide(service())))

  it.scopedLive("each reason -> its error; input that APNs would refuse -> an error, and nothing is sent", () =>
    Effect.gen(function*() {
      const channels = yield* Channels.Channels
      const messageStoragePolicy = "no-message-stored"
      yield* channels.create({ messageStoragePolicy })
      const full = yield* Effect.flip(channels.create({ messageStoragePolicy }))
      assert.strictEqual(full._tag, "CannotCreateChannelConfig")
      const other = yield* Effect.flip(channels.list({ bundleId: "com.disabled.app" }))
      assert.strictEqual(other._tag, "FeatureNotEnabled")
      assert.strictEqual((yield* Effect.flip(channels.list({ bundleId: "a/b" })))._tag, "ParseError")
      assert.strictEqual((yield* Effect.flip(channels.list({ requestId: "x" })))._tag, "ParseError")
      assert.strictEqual((yield* Effect.flip(channels.read({ channelId: "?" })))._tag, "ParseError")
      assert.strictEqual((yield* Effect.flip(channels.delete({ channelId: "" })))._tag, "ParseError")
    }).pipe(Effect.provide(service({ maxChannels: 1, broadcastEnabled: [bundleId] }))))

  it.scopedLive("an answer that cannot be parsed -> MalformedResponse with its status", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const channels = yield* Channels.Channels
      const answers: ReadonlyArray<readonly [string, Effect.Effect<unknown, Channels.ChannelsError>]> = [
        ["{\"channels\":[7]}", channels.list()],
        ["{\"channels\":", channels.list()],
        ["", channels.list()],
        ["{\"message-storage-policy\":2,\"push-type\":\"LiveActivity\"}", channels.read({ channelId: "AAAA" })],
        ["{\"message-storage-policy\":1,\"push-type\":\"alert\"}", channels.read({ channelId: "AAAA" })]
      ]
      for (const [body, ask] of answers) {
        yield* apns.next(MockApns.respond({ status: 200, body }))
        const error = yield* Effect.flip(ask)
        assert.deepInclude(error, { _tag: "MalformedResponse", status: 200, processed: "yes" })
      }
      yield* apns.next(MockApns.respond({ status: 201 }))
      const nameless = yield* Effect.flip(channels.create({ messageStoragePolicy: "no-message-stored" }))
      assert.deepInclude(nameless, { _tag: "MalformedResponse", status: 201 })
    }).pipe(Effect.provide(service())))

  it.scopedLive("unknown fate -> create is not repeated, read is", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const channels = yield* Channels.Channels
      yield* apns.next(MockApns.resetStream(2))
      const error = yield* Effect.flip(channels.create({ messageStoragePolicy: "no-message-stored" }))
      assert.deepInclude(error, { _tag: "StreamReset", processed: "unknown" })
      yield* apns.next(MockApns.resetStream(2))
      const { channelIds } = yield* channels.list()
      assert.strictEqual(channelIds.length, 1)
      assert.deepStrictEqual((yield* apns.received).map(({ method }) => method), ["POST", "GET", "GET"])
    }).pipe(Effect.provide(service())))

  it.scopedLive("channel management on a pool that also sends notifications works", () =>
    Effect.gen(function*() {
      const channels = yield* Channels.Channels
      const { channelId } = yield* channels.create({ messageStoragePolicy: "no-message-stored" })
      assert.strictEqual((yield* goal(channelId)).attempts, 1)
      const apns = yield* MockApns.MockApns
      assert.strictEqual((yield* apns.stats).openConnections, 1)
    }).pipe(Effect.provide(Layer.provideMerge(Channels.layerWithoutPool, MockApns.layerPool({ size: 1 })))))

  it("Apple's endpoints -> Apple's ports for channel management; any other endpoint -> used as given", () => {
    const own = Endpoint.unsafeMake("https://localhost:2197")
    assert.strictEqual(
      Channels.endpointOf(Endpoint.production).origin,
      "https://api-manage-broadcast.push.apple.com:2196"
    )
    assert.strictEqual(Channels.endpointOf(Endpoint.productionAltPort), Endpoint.manageProduction)
    assert.strictEqual(
      Channels.endpointOf(Endpoint.development).origin,
      "https://api-manage-broadcast.sandbox.push.apple.com:2195"
    )
    assert.strictEqual(Channels.endpointOf(Either.getOrThrow(Endpoint.parse("sandbox"))), Endpoint.manageDevelopment)
    assert.strictEqual(Channels.endpointOf(Endpoint.manageDevelopment), Endpoint.manageDevelopment)
    assert.strictEqual(Channels.endpointOf(own), own)
  })

  it.effect("a failure of the pool -> the same error from channel management", () =>
    Effect.gen(function*() {
      const channels = yield* Channels.Channels
      const fiber = yield* Effect.fork(Effect.flip(channels.list({ bundleId, timeout: "3 seconds" })))
      yield* TestClock.adjust("3 seconds")
      const error = yield* Fiber.join(fiber)
      assert.strictEqual(error._tag, "Timeout")
    }).pipe(Effect.provide(Layer.provide(Channels.layerWithoutPool, ApnsPool.layerTest(() => Effect.never)))))
})
