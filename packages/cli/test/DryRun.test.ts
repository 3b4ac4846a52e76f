import { ExitCode } from "@effect-apns/cli"
import { NodeContext } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import { apns, directory, token } from "./utils/harness.js"

// nothing answers there, and there are no credentials: whatever was sent would fail
const environment = { APNS_ENDPOINT: "https://localhost:1", APNS_TOPIC: "com.example.lunch" }

describe("apns send --dry-run", () => {
  it.scopedLive("shows headers, payload and size, without credentials or a connection", () =>
    Effect.gen(function*() {
      const args = ["--title", "Lunch", "--collapse-id", "lunch", "--expiration", "none", "--dry-run"]
      const { code, err, out } = yield* apns(["send", token(1), ...args], environment)
      assert.strictEqual(code, ExitCode.accepted, err)
      assert.include(out, "Nothing was sent")
      for (
        const line of [
          `POST /3/device/${token(1)}`,
          "apns-topic: com.example.lunch",
          "apns-push-type: alert",
          "apns-expiration: 0",
          "apns-collapse-id: lunch",
          "{\"aps\":{\"alert\":{\"title\":\"Lunch\"}}}",
          "35 bytes"
        ]
      ) assert.include(out.split("\n"), line)
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive.each([
    { payload: { aps: { alert: "Hi", bagde: 1 } }, key: "aps.bagde", type: "alert", code: ExitCode.notPossible },
    { payload: { aps: { alert: "Hi", badge: "1" } }, key: "aps.badge", type: "alert", code: ExitCode.notPossible },
    {
      payload: { aps: { alert: "Hi" } },
      key: "aps.content-available",
      type: "background",
      code: ExitCode.notPossible
    },
    {
      payload: { aps: { alert: "Hi", "content-available": 1 } },
      key: "aps.content-available",
      type: "alert",
      code: ExitCode.accepted
    }
  ])("prints what is wrong with $payload as $type", ({ code, key, payload, type }) =>
    Effect.gen(function*() {
      const file = `${yield* directory}/payload.json`
      writeFileSync(file, JSON.stringify(payload))
      const args = ["send", token(1), "--payload", file, "--push-type", type, "--dry-run"]
      const told = yield* apns(args, environment)
      assert.match(told.out, new RegExp(`^(error|warning|info): ${key}: .+\\n {2}https://developer.apple.com/`, "m"))
      assert.strictEqual(told.code, code)
      const { code: same, out } = yield* apns([...args, "--json"], environment)
      assert.strictEqual(same, told.code)
      const [line] = out.split("\n")
      assert.include(line, "\"outcome\":\"dry-run\"")
      assert.include(line, `"key":"${key}"`)
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("says that the topic is missing where nothing names one", () =>
    Effect.gen(function*() {
      const { code, out } = yield* apns(["send", token(1), "--body", "Hi", "--dry-run"], { APNS_TOPIC: "" })
      assert.match(out, /: apns-topic: /)
      assert.notInclude(out, "Nothing known is wrong")
      assert.strictEqual(code, /^error: /m.test(out) ? ExitCode.notAccepted : ExitCode.accepted)
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("shows control characters of a raw payload escaped", () =>
    Effect.gen(function*() {
      const file = `${yield* directory}/payload.json`
      const escape = String.fromCharCode(27)
      writeFileSync(file, `{"aps":{"alert":"${escape}[2J\u202e"}}`)
      const { code, out } = yield* apns(["send", token(1), "--payload", file, "--raw", "--dry-run"], environment)
      assert.notInclude(out, escape)
      assert.notInclude(out, "\u202e")
      assert.strictEqual(code, ExitCode.notAccepted)
    }).pipe(Effect.provide(NodeContext.layer)))
})
