import { MockApns } from "@effect-apns/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { bearer, connect } from "./utils/client.js"

const requestId = "7f0a1e2c-3b4d-4e5f-8a9b-0c1d2e3f4a5b"
const channels = "/1/apps/com.example.app/channels"
const all = "/1/apps/com.example.app/all-channels"
const broadcasts = "/4/broadcasts/apps/com.example.app"

const setup = Effect.gen(function*() {
  const apns = yield* MockApns.MockApns
  const client = yield* connect(apns)
  const authorization = yield* bearer(apns)
  const call = (method: string, path: string, headers: Record<string, string> = {}, body?: string) =>
    client.start({ ":method": method, ":path": path, authorization, ...headers }, body).answer
  const create = (body: unknown, path = channels) => call("POST", path, {}, JSON.stringify(body))
  return { apns, call, create }
})

describe("channels", () => {
  for (const policy of [0, 1]) {
    it.scopedLive(`are created, read, listed and deleted, storage policy ${policy}`, () =>
      Effect.gen(function*() {
        const { call } = yield* setup
        const body = { "message-storage-policy": policy, "push-type": "LiveActivity" }
        const created = yield* call("POST", channels, { "apns-request-id": requestId }, JSON.stringify(body))
        assert.strictEqual(created.status, 201)
        assert.strictEqual(created.body, "")
        assert.strictEqual(created.headers["apns-request-id"], requestId)
        assert.isUndefined(created.headers["apns-id"])
        const id = created.headers["apns-channel-id"] ?? ""
        assert.match(id, /^[A-Za-z0-9+/]+=*$/)
        const read = yield* call("GET", channels, { "apns-channel-id": id })
        assert.strictEqual(read.status, 200)
        assert.deepStrictEqual(JSON.parse(read.body), body)
        assert.match(read.headers["apns-request-id"] ?? "", /^[0-9a-f-]{36}$/)
        const listed = yield* call("GET", all)
        assert.strictEqual(listed.status, 200)
        assert.deepStrictEqual(JSON.parse(listed.body), { channels: [id] })
        const deleted = yield* call("DELETE", channels, { "apns-channel-id": id })
        assert.strictEqual(deleted.status, 204)
        assert.strictEqual((yield* call("GET", channels, { "apns-channel-id": id })).reason, "ChannelNotRegistered")
        assert.strictEqual((yield* call("DELETE", channels, { "apns-channel-id": id })).reason, "ChannelNotRegistered")
        assert.deepStrictEqual(JSON.parse((yield* call("GET", all)).body), { channels: [] })
      }).pipe(Effect.provide(MockApns.layer())))
  }

  it.scopedLive("refuse what Apple refuses", () =>
    Effect.gen(function*() {
      const { call, create } = yield* setup
      const good = { "message-storage-policy": 0, "push-type": "LiveActivity" }
      const refused: ReadonlyArray<
        readonly [Effect.Effect<{ status: number; reason: string | undefined }, unknown>, number, string]
      > = [
        [create({ ...good, color: "red" }), 400, "BadRequestParams"],
        [create({ ...good, "message-storage-policy": 2 }), 400, "BadRequestParams"],
        [create({ "message-storage-policy": 0 }), 400, "MissingPushType"],
        [create({ "push-type": "LiveActivity" }), 400, "MissingChannelQueueSize"],
        [create({ ...good, "push-type": "alert" }), 400, "InvalidPushType"],
        [create([]), 400, "BadRequestPayload"],
        [call("POST", channels, {}, "{"), 400, "BadRequestPayload"],
        [call("POST", channels, {}, ""), 400, "PayloadEmpty"],
        [create(good, "/1/apps/com.example.app.push-type.liveactivity/channels"), 400, "TopicDisallowed"],
        [create(good, "/1/apps/com.other.app/channels"), 403, "TopicMismatch"],
        [create(good, "/1/apps/com.disabled.app/channels"), 400, "FeatureNotEnabled"],
        [call("GET", channels), 400, "MissingChannelId"],
        [call("GET", channels, { "apns-channel-id": "no channel!" }), 400, "BadChannelId"],
        [call("GET", channels, { "apns-channel-id": "x".repeat(200) }), 400, "BadChannelId"],
        [call("PUT", channels, {}, "{}"), 405, "MethodNotAllowed"],
        [call("POST", all, {}, "{}"), 405, "MethodNotAllowed"],
        [call("GET", "/1/apps/com.example.app/channel"), 404, "BadPath"],
        [call("GET", all, { "apns-request-id": "x" }), 400, "BadMessageId"],
        [call("GET", all, { authorization: "" }), 403, "MissingProviderToken"]
      ]
      for (const [request, status, reason] of refused) {
        const answer = yield* request
        assert.strictEqual(answer.reason, reason)
        assert.strictEqual(answer.status, status)
      }
      assert.strictEqual((yield* create(good)).status, 201)
      assert.strictEqual((yield* create(good)).status, 201)
      assert.strictEqual((yield* create(good)).reason, "CannotCreateChannelConfig")
    }).pipe(Effect.provide(MockApns.layer({
      maxChannels: 2,
      topics: ["com.example.app", "com.disabled.app"],
      broadcastEnabled: ["com.example.app"]
    }))))
})

describe("broadcasts", () => {
  it.scopedLive("reach a channel", () =>
    Effect.gen(function*() {
      const { apns, call } = yield* setup
      const stored = yield* apns.createChannel("com.example.app", 1)
      const answer = yield* call("POST", broadcasts, {
        "apns-channel-id": stored,
        "apns-push-type": "liveactivity",
        "apns-priority": "10",
        "apns-expiration": "1893456000",
        "apns-request-id": requestId
      }, "{\"aps\":{\"event\":\"update\"}}")
      assert.strictEqual(answer.status, 200)
      assert.strictEqual(answer.headers["apns-request-id"], requestId)
      assert.match(answer.headers["apns-unique-id"] ?? "", /./)
      const [received] = yield* apns.received
      assert.strictEqual(received?.channelId, stored)
      assert.isUndefined(received?.token)
    }).pipe(Effect.provide(MockApns.layer())))

  it.scopedLive("are refused as Apple refuses them", () =>
    Effect.gen(function*() {
      const { apns, call } = yield* setup
      const stored = yield* apns.createChannel("com.example.app", 1)
      const unstored = yield* apns.createChannel("com.example.app", 0)
      const foreign = yield* apns.createChannel("com.other.app", 0)
      const good: Record<string, string> = {
        "apns-channel-id": stored,
        "apns-push-type": "liveactivity",
        "apns-priority": "5",
        "apns-expiration": "0"
      }
      const without = (name: string) => Object.fromEntries(Object.entries(good).filter(([key]) => key !== name))
      const refused: ReadonlyArray<readonly [Record<string, string>, string, string?, string?]> = [
        [without("apns-channel-id"), "MissingChannelId"],
        [{ ...good, "apns-channel-id": "AAAA" }, "ChannelNotRegistered"],
        [{ ...good, "apns-channel-id": foreign }, "ChannelNotRegistered"],
        [{ ...good, "apns-channel-id": "?" }, "BadChannelId"],
        [without("apns-push-type"), "MissingPushType"],
        [{ ...good, "apns-push-type": "alert" }, "InvalidPushType"],
        [without("apns-priority"), "BadPriority"],
        [without("apns-expiration"), "BadExpirationDate"],
        [{ ...good, "apns-channel-id": unstored, "apns-expiration": "1893456000" }, "BadExpirationDate"],
        [good, "PayloadEmpty", ""],
        [good, "PayloadTooLarge", "x".repeat(5121)],
        [good, "TopicDisallowed", "{}", `${broadcasts}.push-type.liveactivity`]
      ]
      for (const [headers, reason, body, path] of refused) {
        const answer = yield* call("POST", path ?? broadcasts, headers, body ?? "{\"aps\":{}}")
        assert.strictEqual(answer.reason, reason)
      }
      assert.strictEqual((yield* call("POST", broadcasts, good, "x".repeat(5120))).status, 200)
      assert.strictEqual((yield* call("GET", broadcasts, good)).reason, "MethodNotAllowed")
    }).pipe(Effect.provide(MockApns.layer())))
})
