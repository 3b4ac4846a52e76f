import { MockApns, ProviderKey } from "@effect-apns/testing"
import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, TestClock, TestContext } from "effect"
import { bearer, connect, good, token } from "./utils/client.js"

type Headers = Record<string, string | Array<string> | undefined>

interface Case {
  readonly name: string
  readonly headers?: Headers
  readonly body?: string
  readonly status: number
  readonly reason?: string
}

const alert = (bytes: number): string => {
  const shell = "{\"aps\":{\"alert\":\"\"}}"
  return shell.replace("\"\"", `"${"x".repeat(bytes - shell.length)}"`)
}

const device = (suffix: string): Headers => ({ ":path": `/3/device/${suffix}` })

const cases: ReadonlyArray<Case> = [
  { name: "a plain alert", status: 200 },
  { name: "method GET", headers: { ":method": "GET" }, status: 405, reason: "MethodNotAllowed" },
  { name: "method PUT", headers: { ":method": "PUT" }, status: 405, reason: "MethodNotAllowed" },
  { name: "method DELETE", headers: { ":method": "DELETE" }, status: 405, reason: "MethodNotAllowed" },
  { name: "another path", headers: { ":path": "/3/devices/abcd" }, status: 404, reason: "BadPath" },
  { name: "the root", headers: { ":path": "/" }, status: 404, reason: "BadPath" },
  { name: "no device token", headers: device(""), status: 400, reason: "MissingDeviceToken" },
  { name: "a device token that is not hexadecimal", headers: device("xyz0"), status: 400, reason: "BadDeviceToken" },
  { name: "a device token of odd length", headers: device("abc"), status: 400, reason: "BadDeviceToken" },
  { name: "a device token with a slash", headers: device("ab/cd"), status: 400, reason: "BadDeviceToken" },
  { name: "a device token with a query", headers: device("abcd?x=1"), status: 400, reason: "BadDeviceToken" },
  { name: "a device token of 4,096 digits", headers: device("ab".repeat(2048)), status: 200 },
  { name: "a device token of 4,098 digits", headers: device("ab".repeat(2049)), status: 400, reason: "BadDeviceToken" },
  { name: "an upper-case device token", headers: device("ABCD"), status: 200 },
  { name: "an apns-id that is no UUID", headers: { "apns-id": "not-a-uuid" }, status: 400, reason: "BadMessageId" },
  { name: "no topic", headers: { "apns-topic": undefined }, status: 400, reason: "MissingTopic" },
  { name: "an empty topic", headers: { "apns-topic": "" }, status: 400, reason: "MissingTopic" },
  { name: "a topic with a space", headers: { "apns-topic": "com example" }, status: 400, reason: "BadTopic" },
  {
    name: "a topic without the push type's suffix",
    headers: { "apns-push-type": "voip", "apns-topic": "com.example.app" },
    status: 400,
    reason: "BadTopic"
  },
  {
    name: "an alert to the voip topic of an allowed app",
    headers: { "apns-topic": "com.example.app.voip" },
    status: 400,
    reason: "TopicDisallowed"
  },
  {
    name: "an alert to an app whose bundle ID ends in a suffix",
    headers: { "apns-topic": "com.example.voip" },
    status: 200
  },
  {
    name: "a call to an app whose bundle ID ends in a suffix",
    headers: { "apns-push-type": "voip", "apns-topic": "com.example.voip.voip" },
    status: 200
  },
  { name: "a voip topic", headers: { "apns-push-type": "voip", "apns-topic": "com.example.app.voip" }, status: 200 },
  {
    name: "a topic that is not allowed",
    headers: { "apns-topic": "com.other" },
    status: 400,
    reason: "TopicDisallowed"
  },
  { name: "an unknown push type", headers: { "apns-push-type": "smoke" }, status: 400, reason: "InvalidPushType" },
  { name: "no push type", headers: { "apns-push-type": undefined }, status: 200 },
  ...["10", "5", "1"].map((priority) => ({
    name: `priority ${priority}`,
    headers: { "apns-priority": priority },
    status: 200
  })),
  ...["0", "7", "11", "05", "high", "-1", "1.0"].map((priority) => ({
    name: `priority ${priority}`,
    headers: { "apns-priority": priority },
    status: 400,
    reason: "BadPriority"
  })),
  {
    name: "a background push with priority 10",
    headers: { "apns-push-type": "background", "apns-priority": "10" },
    status: 400,
    reason: "BadPriority"
  },
  {
    name: "a background push with priority 5",
    headers: { "apns-push-type": "background", "apns-priority": "5" },
    status: 200
  },
  { name: "expiration 0", headers: { "apns-expiration": "0" }, status: 200 },
  { name: "expiration in seconds", headers: { "apns-expiration": "1893456000" }, status: 200 },
  ...["1.5", "soon", "-1", "1e9", ""].map((expiration) => ({
    name: `expiration "${expiration}"`,
    headers: { "apns-expiration": expiration },
    status: 400,
    reason: "BadExpirationDate"
  })),
  { name: "a collapse id of 64 bytes", headers: { "apns-collapse-id": "x".repeat(64) }, status: 200 },
  {
    name: "a collapse id of 65 bytes",
    headers: { "apns-collapse-id": "x".repeat(65) },
    status: 400,
    reason: "BadCollapseId"
  },
  { name: "a repeated header", headers: { "apns-tag": ["a", "b"] }, status: 400, reason: "DuplicateHeaders" },
  { name: "an empty payload", body: "", status: 400, reason: "PayloadEmpty" },
  { name: "a payload of 4096 bytes", body: alert(4096), status: 200 },
  { name: "a payload of 4097 bytes", body: alert(4097), status: 413, reason: "PayloadTooLarge" },
  { name: "a payload of a megabyte", body: alert(1_000_000), status: 413, reason: "PayloadTooLarge" },
  {
    name: "a voip payload of 5120 bytes",
    headers: { "apns-push-type": "voip", "apns-topic": "com.example.app.voip" },
    body: alert(5120),
    status: 200
  },
  {
    name: "a voip payload of 5121 bytes",
    headers: { "apns-push-type": "voip", "apns-topic": "com.example.app.voip" },
    body: alert(5121),
    status: 413,
    reason: "PayloadTooLarge"
  },
  { name: "no authorization", headers: { authorization: undefined }, status: 403, reason: "MissingProviderToken" },
  { name: "an empty authorization", headers: { authorization: "" }, status: 403, reason: "MissingProviderToken" },
  {
    name: "an authorization of another kind",
    headers: { authorization: "basic Zm9vOmJhcg==" },
    status: 403,
    reason: "MissingProviderToken"
  },
  {
    name: "a malformed provider token",
    headers: { authorization: "bearer not.a.jwt" },
    status: 403,
    reason: "InvalidProviderToken"
  }
]

layer(MockApns.layer({ topics: ["com.example.app", "com.example.voip"] }), { excludeTestServices: true })(
  "the checks of APNs",
  (it) => {
    it.scoped.each(cases)("$name: $status $reason", ({ body, headers, reason, status }) =>
      Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        const client = yield* connect(apns)
        const base = yield* good(apns)
        const before = yield* apns.acceptedCount
        const answer = yield* client.send({ ...base, ...headers }, body ?? "{\"aps\":{}}")
        assert.strictEqual(answer.status, status)
        assert.strictEqual(answer.reason, reason)
        assert.match(answer.headers["apns-id"] ?? "", /./)
        assert.strictEqual(yield* apns.acceptedCount, status === 200 ? before + 1 : before)
      }))
  }
)

describe("provider tokens", () => {
  it.scopedLive("of a key that the mock does not know, or of another team's name, are invalid", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const client = yield* connect(apns)
      const headers = yield* good(apns)
      const stranger = yield* ProviderKey.make()
      const impostor = yield* ProviderKey.make({ keyId: apns.credentials.keyId, teamId: apns.credentials.teamId })
      const wrongTeam = { ...apns.credentials, teamId: "OTHERTEAM1" }
      for (const key of [stranger, impostor, wrongTeam]) {
        const answer = yield* client.send({ ...headers, authorization: yield* bearer(apns, { key }) })
        assert.strictEqual(answer.status, 403)
        assert.strictEqual(answer.reason, "InvalidProviderToken")
      }
      assert.strictEqual((yield* client.send(headers)).status, 200)
      yield* apns.revokeKey(apns.credentials.keyId)
      assert.strictEqual((yield* client.send(headers)).reason, "InvalidProviderToken")
    }).pipe(Effect.provide(MockApns.layer())))

  it.scopedLive("older than an hour are expired", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const client = yield* connect(apns)
      const headers = yield* good(apns)
      const old = yield* client.send({ ...headers, authorization: yield* bearer(apns, { age: 3605 }) })
      assert.strictEqual(old.status, 403)
      assert.strictEqual(old.reason, "ExpiredProviderToken")
      const young = yield* client.send({ ...headers, authorization: yield* bearer(apns, { age: 3500 }) })
      assert.strictEqual(young.status, 200)
    }).pipe(Effect.provide(MockApns.layer())))

  it.scopedLive("from the future are invalid, except for a small difference of clocks", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const client = yield* connect(apns)
      const headers = yield* good(apns)
      const ahead = yield* client.send({ ...headers, authorization: yield* bearer(apns, { age: -7200 }) })
      assert.deepStrictEqual([ahead.status, ahead.reason], [403, "InvalidProviderToken"])
      const little = yield* client.send({ ...headers, authorization: yield* bearer(apns, { age: -60 }) })
      assert.strictEqual(little.status, 200)
    }).pipe(Effect.provide(MockApns.layer())))

  it.scopedLive("their age is measured with the given clock", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.make({ clock: "current" })
      const client = yield* connect(apns)
      const jwt = yield* ProviderKey.sign(apns.credentials, { issuedAt: 0 })
      const headers = { ...(yield* good(apns)), authorization: `bearer ${jwt}` }
      assert.strictEqual((yield* client.send(headers)).status, 200)
      yield* TestClock.adjust("60 minutes")
      assert.strictEqual((yield* client.send(headers)).status, 200)
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* client.send(headers)).reason, "ExpiredProviderToken")
    }).pipe(Effect.provide(TestContext.TestContext)))

  it.scopedLive("may change every 20 minutes on a connection, and at once after one was called expired", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.make({ clock: "current" })
      const client = yield* connect(apns)
      const base = yield* good(apns)
      const at = (issuedAt: number) =>
        Effect.map(ProviderKey.sign(apns.credentials, { issuedAt }), (jwt) => ({
          ...base,
          authorization: `bearer ${jwt}`
        }))
      assert.strictEqual((yield* client.send(yield* at(0))).status, 200)
      const early = yield* client.send(yield* at(1))
      assert.strictEqual(early.status, 429)
      assert.strictEqual(early.reason, "TooManyProviderTokenUpdates")
      assert.strictEqual((yield* client.send(yield* at(0))).reason, "TooManyProviderTokenUpdates")
      yield* TestClock.adjust("20 minutes")
      const second = yield* at(1200)
      assert.strictEqual((yield* client.send(second)).status, 200)
      yield* apns.next(MockApns.expiredProviderToken)
      assert.strictEqual((yield* client.send(second)).reason, "ExpiredProviderToken")
      assert.strictEqual((yield* client.send(yield* at(1201))).status, 200)
      const other = yield* connect(apns)
      assert.strictEqual((yield* other.send(yield* at(1202))).status, 200)
    }).pipe(Effect.provide(TestContext.TestContext)))

  it.scopedLive("of two teams do not share a connection; keys know their topics", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const other = yield* apns.issueKey({ topics: ["com.other.app"] })
      const headers = yield* good(apns)
      const authorization = yield* bearer(apns, { key: other })
      const first = yield* connect(apns)
      assert.strictEqual((yield* first.send(headers)).status, 200)
      const mixed = yield* first.send({ ...headers, authorization, "apns-topic": "com.other.app" })
      assert.strictEqual(mixed.status, 403)
      assert.strictEqual(mixed.reason, "UnrelatedKeyIdInToken")
      const second = yield* connect(apns)
      assert.strictEqual((yield* second.send({ ...headers, authorization, "apns-topic": "com.other.app" })).status, 200)
      assert.strictEqual((yield* second.send({ ...headers, authorization })).reason, "TopicDisallowed")
      const [one, two] = yield* apns.connections
      assert.strictEqual(one?.teamId, apns.credentials.teamId)
      assert.strictEqual(two?.teamId, other.teamId)
    }).pipe(Effect.provide(MockApns.layer())))

  it.scopedLive("allow more than one stream, if the mock is set up so", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const client = yield* connect(apns)
      const headers = yield* good(apns)
      assert.strictEqual(client.session.remoteSettings.maxConcurrentStreams, 1)
      const changed = new Promise<number | undefined>((resolve) =>
        client.session.once("remoteSettings", ({ maxConcurrentStreams }) => resolve(maxConcurrentStreams))
      )
      assert.strictEqual((yield* client.send({ ...headers, "apns-priority": "3" })).status, 400)
      assert.strictEqual(client.session.remoteSettings.maxConcurrentStreams, 1)
      assert.strictEqual((yield* client.send(headers)).status, 200)
      assert.strictEqual(yield* Effect.promise(() => changed), 500)
    }).pipe(Effect.provide(MockApns.layer({ oneStreamUntilAuthenticated: true, maxConcurrentStreams: 500 }))))
})

describe("client certificates", () => {
  it.scopedLive("replace provider tokens, and list the topics", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const headers = { ":path": `/3/device/${token}`, "apns-push-type": "alert" }
      const client = yield* connect(apns, apns.clientCertificate)
      assert.strictEqual((yield* client.send({ ...headers, "apns-topic": MockApns.bundleId })).status, 200)
      assert.strictEqual((yield* client.send({ ...headers, "apns-topic": "com.other" })).reason, "TopicDisallowed")
      assert.strictEqual((yield* client.send(headers)).reason, "MissingTopic")
      const single = yield* connect(apns, apns.authority.client({ bundleId: "com.single.app" }))
      assert.strictEqual((yield* single.send(headers)).status, 200)
      const [info] = yield* apns.connections
      assert.deepStrictEqual(info?.clientCertificate, {
        trusted: true,
        bundleId: MockApns.bundleId,
        topics: [MockApns.bundleId, `${MockApns.bundleId}.voip`, `${MockApns.bundleId}.complication`]
      })
    }).pipe(Effect.provide(MockApns.layer({ auth: "certificate" }))))

  it.scopedLive("are refused when expired, untrusted, or for the other environment", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const headers = { ":path": `/3/device/${token}`, "apns-topic": "com.example.app" }
      const stranger = yield* MockApns.make()
      const bad: ReadonlyArray<readonly [MockApns.MockApns["clientCertificate"], string]> = [
        [apns.authority.client({ bundleId: "com.example.app", validity: "expired" }), "BadCertificate"],
        [apns.authority.client({ bundleId: "com.example.app", validity: "future" }), "BadCertificate"],
        [stranger.clientCertificate, "BadCertificate"],
        [
          apns.authority.client({ bundleId: "com.example.app", environments: ["development"] }),
          "BadCertificateEnvironment"
        ]
      ]
      for (const [certificate, reason] of bad) {
        const client = yield* connect(apns, certificate)
        const answer = yield* client.send(headers)
        assert.strictEqual(answer.status, 403)
        assert.strictEqual(answer.reason, reason)
      }
      const bare = yield* connect(apns)
      assert.strictEqual((yield* bare.send(headers)).reason, "MissingProviderToken")
    }).pipe(Effect.provide(MockApns.layer({ auth: "certificate", environment: "production" }))))
})

describe("device tokens", () => {
  it.scopedLive("that are unregistered get 410 and the time in milliseconds", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const client = yield* connect(apns)
      const headers = yield* good(apns)
      yield* apns.unregister(token.toUpperCase(), { at: 1_700_000_000_123 })
      const gone = yield* client.send(headers)
      assert.strictEqual(gone.status, 410)
      assert.strictEqual(gone.body, "{\"reason\":\"Unregistered\",\"timestamp\":1700000000123}")
      yield* apns.unregister("abcd", { reason: "ExpiredToken" })
      assert.strictEqual((yield* client.send({ ...headers, ":path": "/3/device/abcd" })).reason, "ExpiredToken")
      yield* apns.rejectToken("beef")
      assert.strictEqual((yield* client.send({ ...headers, ":path": "/3/device/beef" })).reason, "BadDeviceToken")
      yield* apns.bindToken("cafe", "com.other.app")
      assert.strictEqual(
        (yield* client.send({ ...headers, ":path": "/3/device/cafe" })).reason,
        "DeviceTokenNotForTopic"
      )
      assert.strictEqual(
        (yield* client.send({ ...headers, ":path": "/3/device/cafe", "apns-topic": "com.other.app" })).status,
        200
      )
    }).pipe(Effect.provide(MockApns.layer())))

  it.scopedLive("production answers carry no apns-unique-id", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const client = yield* connect(apns)
      const answer = yield* client.send(yield* good(apns))
      assert.strictEqual(answer.status, 200)
      assert.isUndefined(answer.headers["apns-unique-id"])
    }).pipe(Effect.provide(MockApns.layer({ environment: "production" }))))
})
