import { Reason, Rejection } from "@effect-apns/models"
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, DateTime, Effect, Equal, FastCheck, Option, Schema } from "effect"

const reasons = Object.keys(Reason.table).filter(Reason.isReason)

// Status by reason, as Apple's two tables say ("Handling notification responses from APNs", "Handling error responses
// from Apple Push Notification service"), with the second spelling of the environment's key.
const documented: Record<number, ReadonlyArray<string>> = {
  400: [
    "BadChannelId",
    "BadCollapseId",
    "BadDeviceToken",
    "BadExpirationDate",
    "BadMessageId",
    "BadPriority",
    "BadRequestParams",
    "BadRequestPayload",
    "BadTopic",
    "CannotCreateChannelConfig",
    "ChannelNotRegistered",
    "DeviceTokenNotForTopic",
    "DuplicateHeaders",
    "FeatureNotEnabled",
    "IdleTimeout",
    "InvalidPushType",
    "MissingChannelId",
    "MissingChannelQueueSize",
    "MissingDeviceToken",
    "MissingPushType",
    "MissingTopic",
    "PayloadEmpty",
    "TopicDisallowed"
  ],
  403: [
    "BadCertificate",
    "BadCertificateEnvironment",
    "BadEnvironmentKeyIdInToken",
    "BadEnvironmentKeyInToken",
    "ExpiredProviderToken",
    "Forbidden",
    "InvalidProviderToken",
    "MissingProviderToken",
    "TopicMismatch",
    "UnrelatedKeyIdInToken"
  ],
  404: ["BadPath"],
  405: ["MethodNotAllowed"],
  410: ["ExpiredToken", "Unregistered"],
  413: ["PayloadTooLarge"],
  429: ["TooManyProviderTokenUpdates", "TooManyRequests"],
  500: ["InternalServerError"],
  503: ["ServiceUnavailable", "Shutdown"]
}

describe("Reason", () => {
  it("knows every documented reason with its status", () => {
    const expected = Object.entries(documented).flatMap(([status, names]) =>
      names.map((name) => [name, Number(status)])
    )
    assert.sameDeepMembers(Object.entries(Reason.table).map(([name, { status }]) => [name, status]), expected)
    assert.strictEqual(expected.length, 43)
  })

  it("never retries what Apple says not to", () => {
    const never = [
      "BadDeviceToken",
      "DeviceTokenNotForTopic",
      "ExpiredToken",
      "Forbidden",
      "PayloadTooLarge",
      "Unregistered"
    ]
    assert.sameMembers(reasons.filter((reason) => Reason.table[reason].retry === "never"), never)
  })

  it("retries by itself only what can succeed unchanged", () => {
    assert.sameMembers(
      reasons.filter((reason) => !["never", "after-fix"].includes(Reason.table[reason].retry)),
      [
        "ExpiredProviderToken",
        "IdleTimeout",
        "InternalServerError",
        "ServiceUnavailable",
        "Shutdown",
        "TooManyProviderTokenUpdates",
        "TooManyRequests",
        "UnrelatedKeyIdInToken"
      ]
    )
  })

  it("calls a token dead only for 410", () => {
    for (const reason of reasons) {
      assert.strictEqual(Reason.table[reason].token === "dead", Reason.table[reason].status === 410, reason)
    }
  })

  it("knows other spellings, and nothing of Object.prototype", () => {
    assert.strictEqual(Reason.known("Service Unavailable"), "ServiceUnavailable")
    assert.strictEqual(Reason.canonical("BadEnvironmentKeyInToken"), "BadEnvironmentKeyIdInToken")
    for (const raw of ["constructor", "toString", "__proto__", "unregistered", ""]) {
      assert.isUndefined(Reason.known(raw))
    }
  })

  it("judges an unknown reason by its status", () => {
    assert.strictEqual(Reason.info("Whatever", 400).retry, "after-fix")
    assert.strictEqual(Reason.info("Whatever", 410).token, "dead")
    assert.strictEqual(Reason.info("Whatever", 429).retry, "delay")
    assert.strictEqual(Reason.info("Whatever", 502).retryDelaySeconds, 900)
  })
})

describe("Rejection", () => {
  it("has one class for each reason, found by its tag", () => {
    for (const reason of reasons) {
      const error = Rejection.make({ reason })
      assert.strictEqual(error._tag, Reason.canonical(reason))
      assert.strictEqual(error.reason, reason)
      assert.strictEqual(error.status, Reason.table[reason].status)
      assert.strictEqual(error.name, error._tag)
      assert.instanceOf(error, Error)
      assert.isTrue(Rejection.isRejection(error))
    }
    assert.strictEqual(new Set(reasons.map((reason) => Rejection.make({ reason })._tag)).size, 42)
  })

  it("has a message of one sentence that names the reason and what to do", () => {
    for (const reason of reasons) {
      const { message } = Rejection.make({ reason, apnsId: "123e4567-e89b-12d3-a456-426655440000" })
      assert.include(message, reason)
      assert.include(message, Reason.table[reason].advice)
      assert.include(message, "123e4567-e89b-12d3-a456-426655440000")
      assert.match(message, /^[^\n]+\.$/)
    }
  })

  it.effect("is caught by its tag, with its fields", () =>
    Effect.gen(function*() {
      const gone = yield* Effect.fail(
        Rejection.make({ status: 410, reason: "Unregistered", timestampMillis: 1704067200123, attempts: 2 })
      ).pipe(
        Effect.catchTag("Unregistered", ({ attempts, timestamp }) => Effect.succeed({ attempts, timestamp })),
        Effect.catchAll(() => Effect.succeed(undefined))
      )
      assert.deepStrictEqual(gone, { attempts: 2, timestamp: DateTime.unsafeMake(1704067200123) })
    }))

  it("keeps an unknown reason as it came", () => {
    const error = Rejection.make({ status: 418, reason: "ShortAndStout" })
    assert.strictEqual(error._tag, "UnknownReason")
    assert.strictEqual(error.reason, "ShortAndStout")
    assert.strictEqual(error.status, 418)
    assert.include(error.message, "ShortAndStout (418)")
  })

  it("says so when the answer named no reason", () => {
    const error = Rejection.make({ status: 502, reason: "" })
    assert.strictEqual(error._tag, "UnknownReason")
    assert.include(error.message, "No reason (502): the answer named none; send again after 15 minutes")
  })

  it("survives a timestamp that is none", () => {
    assert.isUndefined(Rejection.make({ reason: "Unregistered", timestampMillis: NaN }).timestamp)
    assert.isUndefined(Rejection.make({ reason: "Unregistered", timestampMillis: 1e300 }).timestamp)
  })

  it("survives JSON.stringify, and comes back", () => {
    const decode = Schema.decodeUnknownSync(Rejection.Rejection)
    for (const reason of [...reasons, "ShortAndStout"]) {
      const error = Rejection.make({
        status: 410,
        reason,
        origin: "goaway",
        processed: "unknown",
        attempts: 3,
        apnsId: "123e4567-e89b-12d3-a456-426655440000",
        uniqueId: "u",
        retryAfterSeconds: 1.5,
        timestampMillis: 1704067200123,
        size: 5000,
        limit: 4096
      })
      const back = decode(JSON.parse(JSON.stringify(error)))
      assert.isTrue(Equal.equals(back, error), reason)
      assert.strictEqual(back.message, error.message)
    }
  })

  it("round-trips through its Schema, whatever its fields", () => {
    const decode = Schema.decodeUnknownSync(Rejection.Rejection)
    const encode = Schema.encodeSync(Rejection.Rejection)
    FastCheck.assert(
      FastCheck.property(Arbitrary.make(Rejection.Rejection), (error) => Equal.equals(decode(encode(error)), error))
    )
  })

  it("is told from all else", () => {
    for (const other of [undefined, null, 7, new Error("x"), { _tag: "Unregistered" }, { _tag: "toString" }]) {
      assert.isFalse(Rejection.isRejection(other))
      assert.isTrue(Option.isNone(Rejection.tokenIsDead(other)))
      assert.isTrue(Option.isNone(Rejection.retry(other)))
      assert.isTrue(Option.isNone(Rejection.fixCredentials(other)))
    }
  })

  it("says whether the token is dead, and since when", () => {
    const since = DateTime.unsafeMake(1704067200123)
    assert.deepStrictEqual(
      Rejection.tokenIsDead(Rejection.make({ reason: "ExpiredToken", timestampMillis: 1704067200123 })),
      Option.some({ since: Option.some(since) })
    )
    assert.deepStrictEqual(
      Rejection.tokenIsDead(Rejection.make({ reason: "Unregistered" })),
      Option.some({ since: Option.none() })
    )
    assert.isTrue(Option.isNone(Rejection.tokenIsDead(Rejection.make({ reason: "BadDeviceToken" }))))
  })

  it("says when to retry, and lets Retry-After decide", () => {
    assert.deepStrictEqual(
      Rejection.retry(Rejection.make({ reason: "InternalServerError" })),
      Option.some({ how: "delay", delaySeconds: Option.some(900) })
    )
    assert.deepStrictEqual(
      Rejection.retry(Rejection.make({ reason: "TooManyRequests", retryAfterSeconds: 3 })),
      Option.some({ how: "delay", delaySeconds: Option.some(3) })
    )
    assert.deepStrictEqual(
      Rejection.retry(Rejection.make({ reason: "Shutdown" })),
      Option.some({ how: "new-connection", delaySeconds: Option.none() })
    )
    assert.isTrue(Option.isNone(Rejection.retry(Rejection.make({ reason: "BadTopic" }))))
    assert.isTrue(Option.isNone(Rejection.retry(Rejection.make({ reason: "Unregistered" }))))
  })

  it("says what to do", () => {
    const action = (reason: string) => Rejection.action(Rejection.make({ reason }))
    assert.strictEqual(action("Unregistered"), "delete-token")
    assert.strictEqual(action("BadDeviceToken"), "quarantine-token")
    assert.strictEqual(action("InvalidProviderToken"), "fix-credentials")
    assert.strictEqual(action("TopicDisallowed"), "fix-credentials")
    assert.strictEqual(action("BadPriority"), "fix-request")
    assert.strictEqual(action("Shutdown"), "retry")
    assert.strictEqual(action("ChannelNotRegistered"), "fix-channel")
    assert.strictEqual(action("CannotCreateChannelConfig"), "free-quota")
    assert.isTrue(Option.isSome(Rejection.fixCredentials(Rejection.make({ reason: "BadEnvironmentKeyInToken" }))))
    assert.isTrue(Option.isNone(Rejection.fixCredentials(Rejection.make({ reason: "ExpiredProviderToken" }))))
  })
})
