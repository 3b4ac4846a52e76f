import { ExitCode } from "@effect-apns/cli"
import { InboxClient } from "@effect-apns/inbox"
import { NodeContext } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { statSync, writeFileSync } from "node:fs"
import { directory, token } from "./utils/harness.js"
import type { Running } from "./utils/process.js"
import { start } from "./utils/process.js"

const Listening = Schema.parseJson(Schema.Struct({
  event: Schema.Literal("listening"),
  url: Schema.String,
  origin: Schema.String,
  env: Schema.String,
  variables: Schema.Record({ key: Schema.String, value: Schema.String })
}))

/** What an inbox says when it has started. */
const listening = ({ child }: Running) =>
  Effect.async<string>((resume) => {
    let text = ""
    child.stdout?.on("data", (piece: string) => {
      text += piece
      const [line, ...more] = text.split("\n")
      if (more.length > 0) resume(Effect.succeed(line ?? ""))
    })
  }).pipe(Effect.flatMap(Schema.decode(Listening)))

describe("apns inbox", { concurrent: true, timeout: 120_000 }, () => {
  it.scopedLive("shows pushes sent with the variables that it prints; the same at the next start", () =>
    Effect.gen(function*() {
      const dir = yield* directory
      const strings = `${dir}/Localizable.strings`
      writeFileSync(strings, "\"INVITE\" = \"%@ invites you\";")
      const args = ["--port", "0", "--mock-port", "0", "--dir", `${dir}/kept`, "--topic", "com.example.lunch", "--json"]
      const first = yield* start(["inbox", ...args, "--strings", strings])
      const { env, url, variables } = yield* listening(first)
      assert.deepStrictEqual(Object.keys(variables), [
        "APNS_ENDPOINT",
        "APNS_CA_FILE",
        "APNS_KEY_FILE",
        "APNS_KEY_ID",
        "APNS_TEAM_ID",
        "APNS_TOPIC"
      ])
      assert.strictEqual(env, `${dir}/kept/env.sh`)
      assert.strictEqual(statSync(variables["APNS_KEY_FILE"] ?? "").mode & 0o777, 0o600)
      const payload = `${dir}/payload.json`
      writeFileSync(payload, JSON.stringify({ aps: { alert: { "loc-key": "INVITE", "loc-args": ["Jenna"] } } }))
      const sent = yield* Effect.flatMap(start(["send", token(1), "--payload", payload], variables), ({ exit }) => exit)
      assert.strictEqual(sent.code, ExitCode.accepted, sent.err)
      const client = yield* InboxClient.make({ url })
      const push = yield* client.waitFor()
      assert.strictEqual(push.body, "Jenna invites you")
      assert.strictEqual(push.token, token(1))
      assert.strictEqual(push.topic, "com.example.lunch")
      yield* first.kill("SIGINT")
      const { code, out } = yield* first.exit
      assert.strictEqual(code, ExitCode.interrupted)
      assert.strictEqual(JSON.parse(out.trim().split("\n").at(-1) ?? "").accepted, 1)

      const { APNS_ENDPOINT: _, ...kept } = variables
      const again = yield* Effect.flatMap(start(["inbox", ...args]), listening)
      const { APNS_ENDPOINT: __, ...same } = again.variables
      assert.deepStrictEqual(same, kept)
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("invalid use -> an error in one sentence", () =>
    Effect.gen(function*() {
      const dir = yield* directory
      const free = ["--port", "0", "--mock-port", "0", "--dir", dir]
      const cases = [
        [["--host", "0.0.0.0"], "token"],
        [["--strings", `${dir}/nothing.strings`], "nothing.strings"],
        [["--sandbox"], "--sandbox needs your credentials"]
      ] as const
      for (const [args, says] of cases) {
        const { code, err } = yield* Effect.flatMap(start(["inbox", ...free, ...args]), ({ exit }) => exit)
        assert.strictEqual(code, ExitCode.notPossible)
        assert.include(err, says)
      }
      const taken = yield* Effect.flatMap(start(["inbox", ...free, "--json"]), listening)
      for (
        const [args, says] of [
          [["--mock-port", new URL(taken.origin).port, "--port", "0"], "--mock-port"],
          [["--port", new URL(taken.url).port, "--mock-port", "0"], "another port"]
        ] as const
      ) {
        const { code, err } = yield* Effect.flatMap(start(["inbox", "--dir", dir, ...args]), ({ exit }) => exit)
        assert.strictEqual(code, ExitCode.notPossible)
        assert.include(err, says)
      }
    }).pipe(Effect.provide(NodeContext.layer)))
})
