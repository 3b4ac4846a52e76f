import { ConnectError, Endpoint, Failure } from "@effect-apns/core"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"

const dropped: Failure.CloseCause = { _tag: "Dropped", code: "ECONNRESET" }

const causes: ReadonlyArray<Failure.CloseCause> = [
  dropped,
  { _tag: "Dropped", code: undefined },
  { _tag: "Goaway", code: 0, codeName: "NO_ERROR", lastStreamId: 3, reason: "Shutdown", debugData: "" },
  { _tag: "PingTimeout", after: Duration.millis(5000) },
  { _tag: "ProtocolError", code: 1, codeName: "PROTOCOL_ERROR", description: "no" },
  { _tag: "Retired" },
  { _tag: "ScopeClosed" },
  {
    _tag: "ConnectFailed",
    error: new ConnectError.ConnectError({
      reason: "Refused",
      phase: "tcp",
      endpoint: Endpoint.development,
      message: "Nothing listens at api.sandbox.push.apple.com:443"
    })
  },
  { _tag: "CredentialsRefused", reason: "BadCertificate" }
]

const failures: ReadonlyArray<Failure.Failure> = [
  Failure.blocked,
  ...causes.map((cause) => Failure.closed("unknown", cause)),
  Failure.closed("no", dropped),
  Failure.timeout("no", "deadline", dropped),
  Failure.timeout("unknown", "timeout"),
  Failure.streamReset(7),
  Failure.streamReset(2),
  { _tag: "MalformedResponse", processed: "yes", status: 400, description: "its body is not JSON" },
  { _tag: "ResponseTooLarge", processed: "unknown", status: 0, description: "its headers" }
]

describe("Failure", () => {
  it("toError -> an error with every field and the attempts", () => {
    for (const failure of failures) assert.deepInclude(Failure.toError(failure, 3), { ...failure, attempts: 3 })
  })

  it("to JSON and back -> equal", () => {
    for (const failure of failures) {
      const json: unknown = JSON.parse(JSON.stringify(Failure.toError(failure, 1)))
      assert.deepInclude(json, { _tag: failure._tag, processed: failure.processed, attempts: 1 })
    }
  })

  it("each failure -> a message that says what happened to the notification", () => {
    for (const failure of failures) {
      const { message } = Failure.toError(failure, 1)
      assert.match(message, /^[A-Z].*\.$/s)
      assert.include(
        message,
        failure.processed === "no" ? "did not process" : failure.processed === "unknown" ? "may have" : "answered"
      )
    }
    const messages = causes.map(Failure.describeCause)
    assert.strictEqual(new Set(messages).size, messages.length)
    assert.isTrue(messages.every((message) => message !== "" && !message.includes("undefined")))
  })

  it("of all reset codes only REFUSED_STREAM means not processed", () => {
    for (let code = 0; code <= 13; code++) {
      assert.strictEqual(Failure.streamReset(code).processed, code === 7 ? "no" : "unknown")
    }
  })

  it.effect("catchTag catches it", () =>
    Effect.gen(function*() {
      const caught = yield* Effect.fail(Failure.toError(Failure.closed("no", dropped), 2)).pipe(
        Effect.catchTag("Closed", ({ attempts, closeCause }) => Effect.succeed([attempts, closeCause._tag] as const))
      )
      assert.deepStrictEqual(caught, [2, "Dropped"])
    }))
})
