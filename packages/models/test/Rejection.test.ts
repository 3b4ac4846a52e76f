import { Reason, Rejection } from "@effect-apns/models"
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, DateTime, Duration, Effect, Equal, FastCheck, Option, Schema } from "effect"

const since = DateTime.unsafeMake(1704067200123)

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

  it("isTokenDead is true only for 410", () => {
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

  it("an unknown reason -> classified by its status", () => {
    assert.strictEqual(Reason.info("Whatever", 400).retry, "after-fix")
    assert.strictEqual(Reason.info("Whatever", 410).token, "dead")
    assert.strictEqual(Reason.info("Whatever", 429).retry, "delay")
    assert.isTrue(Equal.equals(Reason.info("Whatever", 502).retryDelay, Duration.minutes(15)))
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
        Rejection.make({ status: 410, reason: "Unregistered", timestamp: since, attempts: 2 })
      ).pipe(
        Effect.catchTag("Unregistered", ({ attempts, timestamp }) => Effect.succeed({ attempts, timestamp })),
        Effect.catchAll(() => Effect.succeed(undefined))
      )
      assert.deepStrictEqual(gone, { attempts: 2, timestamp: since })
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
        retryAfter: Duration.seconds(1.5),
        timestamp: since,
        problem: "It is empty.",
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
      FastCheck.property(Arbitrary.make(Rejection.Rejection), (error) => {
        // stored in milliseconds
        FastCheck.pre(
          Equal.equals(error.retryAfter, error.retryAfter && Duration.millis(Duration.toMillis(error.retryAfter)))
        )
        return Equal.equals(decode(encode(error)), error)
      })
    )
  })

  it("isRejection is false for everything else", () => {
    for (const other of [undefined, null, 7, new Error("x"), { _tag: "Unregistered" }, { _tag: "toString" }]) {
      assert.isFalse(Rejection.isRejection(other))
      assert.isFalse(Rejection.isTokenDead(other))
      assert.isFalse(Rejection.isTokenSuspect(other))
      assert.isFalse(Rejection.isRetryable(other))
      assert.isFalse(Rejection.isCredentialsProblem(other))
      assert.isTrue(Option.isNone(Rejection.retry(other)))
      assert.isTrue(Option.isNone(Rejection.fixCredentials(other)))
    }
  })

  it("the guards agree with the table for every reason", () => {
    for (const reason of reasons) {
      const error = Rejection.make({ reason })
      const { credentials, retry, token } = Reason.table[reason]
      assert.strictEqual(Rejection.isTokenDead(error), token === "dead", reason)
      assert.strictEqual(Rejection.isTokenSuspect(error), token === "suspect", reason)
      assert.strictEqual(Rejection.isRetryable(error), !["never", "after-fix"].includes(retry), reason)
      assert.strictEqual(Rejection.isRetryable(error), Option.isSome(Rejection.retry(error)), reason)
      assert.strictEqual(
        Rejection.isCredentialsProblem(error),
        ["fatal", "not-entitled", "suspect"].includes(credentials) || reason === "FeatureNotEnabled",
        reason
      )
    }
    assert.isTrue(Rejection.isTokenDead(Rejection.make({ reason: "Whatever", status: 410 })))
    assert.isTrue(Rejection.isRetryable(Rejection.make({ reason: "Whatever", status: 503 })))
  })

  it.effect("catchIf with a guard -> the timestamp is typed, other errors are not caught", () =>
    Effect.gen(function*() {
      const handled = (reason: string) =>
        Effect.fail(Rejection.make({ reason, timestamp: since })).pipe(
          Effect.catchIf(Rejection.isTokenDead, ({ timestamp }) => Effect.succeed(timestamp)),
          Effect.catchAll(({ _tag }) => Effect.succeed(_tag))
        )
      assert.strictEqual(yield* handled("ExpiredToken"), since)
      assert.strictEqual(yield* handled("BadTopic"), "BadTopic")
    }))

  const of = (operation: Reason.Operation) => reasons.filter((reason) => Reason.isOf(reason, operation))

  it("knows which reasons a notification, a broadcast and channel management can get", () => {
    assert.includeMembers(of("device"), ["Unregistered", "BadDeviceToken", "PayloadTooLarge", "InvalidProviderToken"])
    assert.notIncludeMembers(of("device"), ["ChannelNotRegistered", "CannotCreateChannelConfig", "TopicMismatch"])
    assert.includeMembers(of("broadcast"), ["ChannelNotRegistered", "PayloadTooLarge", "TopicMismatch"])
    assert.notIncludeMembers(of("broadcast"), ["Unregistered", "CannotCreateChannelConfig"])
    assert.includeMembers(of("channels"), ["ChannelNotRegistered", "CannotCreateChannelConfig", "TopicMismatch"])
    assert.notIncludeMembers(of("channels"), ["Unregistered", "BadDeviceToken", "IdleTimeout"])
    assert.strictEqual(new Set([...of("device"), ...of("channels")]).size, reasons.length)
  })

  it("a reason that the operation cannot get -> UnknownReason with the original reason", () => {
    for (const operation of ["device", "broadcast", "channels"] as const) {
      for (const reason of reasons) {
        const error = Rejection.makeOf(operation)({ reason, attempts: 2, apnsId: "a", timestamp: since })
        assert.strictEqual(error._tag, Reason.isOf(reason, operation) ? Reason.canonical(reason) : "UnknownReason")
        assert.deepInclude(error, {
          reason,
          status: Reason.table[reason].status,
          attempts: 2,
          apnsId: "a",
          timestamp: since
        })
        assert.isTrue(Rejection.isRejection(error))
        assert.isTrue(Schema.is(Rejection.of(operation))(error))
        assert.strictEqual(
          Schema.is(Rejection.of(operation))(Rejection.make({ reason })),
          Reason.isOf(reason, operation)
        )
      }
    }
  })

  it("isCredentialReason is true for the reasons about the credentials", () => {
    assert.isTrue(Reason.isCredentialReason("BadCertificate"))
    assert.isTrue(Reason.isCredentialReason("BadEnvironmentKeyInToken"))
    for (const raw of ["Shutdown", "ExpiredProviderToken", "toString", ""]) {
      assert.isFalse(Reason.isCredentialReason(raw), raw)
    }
  })

  it("a bad token found before sending -> the message says what is wrong with it, without mentioning an answer of APNs", () => {
    const error = Rejection.make({
      reason: "BadDeviceToken",
      origin: "local",
      processed: "no",
      attempts: 0,
      problem: "The device token is empty."
    })
    assert.strictEqual(error.message, "BadDeviceToken: The device token is empty. Nothing was sent.")
  })

  it("when to retry: Retry-After first, then the table", () => {
    assert.deepStrictEqual(
      Rejection.retry(Rejection.make({ reason: "InternalServerError" })),
      Option.some({ how: "delay", delay: Option.some(Duration.minutes(15)) })
    )
    assert.deepStrictEqual(
      Rejection.retry(Rejection.make({ reason: "TooManyRequests", retryAfter: Duration.seconds(3) })),
      Option.some({ how: "delay", delay: Option.some(Duration.seconds(3)) })
    )
    assert.deepStrictEqual(
      Rejection.retry(Rejection.make({ reason: "Shutdown" })),
      Option.some({ how: "new-connection", delay: Option.none() })
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
