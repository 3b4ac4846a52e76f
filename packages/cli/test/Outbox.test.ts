import { ExitCode } from "@effect-apns/cli"
import { MockApns } from "@effect-apns/testing"
import { FileSystem } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { apns, directory, environmentOf, token } from "./utils/harness.js"

describe("apns outbox", () => {
  it.scopedLive("enqueues, sends, shows the progress, cancels, and sends dead letters again", () =>
    Effect.gen(function*() {
      const mock = yield* MockApns.make()
      const dir = yield* directory
      const environment = yield* environmentOf(mock, dir)
      const fs = yield* FileSystem.FileSystem
      yield* fs.writeFileString(`${dir}/tokens`, `${token(1)}\n# a comment\n${token(2)}\nnope\n`)
      const outbox = (...args: ReadonlyArray<string>) =>
        apns(["outbox", ...args, "--database", `${dir}/outbox.db`, "--json"], environment)
      const enqueue = (id: string, ...more: ReadonlyArray<string>) =>
        outbox("enqueue", `${dir}/tokens`, "--id", id, "--title", "News", ...more)

      const first = yield* enqueue("news")
      assert.deepStrictEqual(JSON.parse(first.out), { id: "news", created: true, total: 3 })
      assert.isFalse(JSON.parse((yield* enqueue("news")).out).created)
      yield* enqueue("later", "--at", "2 hours")

      const run = yield* outbox("run", "--until-idle")
      assert.strictEqual(run.code, ExitCode.notAccepted)
      const outcomes = run.out.trim().split("\n").map((line): { token: string; _tag: string } => JSON.parse(line))
      assert.sameDeepMembers(outcomes.map(({ _tag, token }) => [token, _tag]), [
        [token(1), "Accepted"],
        [token(2), "Accepted"],
        ["nope", "Rejected"]
      ])
      assert.strictEqual(yield* mock.acceptedCount, 2)
      assert.deepInclude(JSON.parse((yield* outbox("status", "news")).out), { state: "done", accepted: 2, rejected: 1 })
      assert.deepInclude(JSON.parse((yield* outbox("status", "later")).out), { state: "scheduled", left: 3 })
      assert.deepInclude(JSON.parse((yield* outbox("cancel", "later")).out), { state: "cancelled", cancelled: 3 })
      assert.strictEqual((yield* outbox("retry", "news")).code, ExitCode.accepted)

      const missing = yield* outbox("status", "nothing")
      assert.strictEqual(missing.code, ExitCode.notPossible)
      assert.include(missing.out + missing.err, "There is no campaign")
      const unnamed = yield* outbox("enqueue", `${dir}/tokens`, "--title", "News")
      assert.strictEqual(unnamed.code, ExitCode.notPossible)
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("a campaign that was cancelled -> run counts it as cancelled, and not as failed", () =>
    Effect.gen(function*() {
      const mock = yield* MockApns.make()
      const dir = yield* directory
      const environment = yield* environmentOf(mock, dir)
      const fs = yield* FileSystem.FileSystem
      yield* fs.writeFileString(`${dir}/tokens`, `${token(1)}\n${token(2)}\n`)
      const outbox = (...args: ReadonlyArray<string>) =>
        apns(["outbox", ...args, "--database", `${dir}/outbox.db`], environment)
      yield* outbox("enqueue", `${dir}/tokens`, "--id", "later", "--title", "News", "--at", "2 hours")
      yield* outbox("cancel", "later")
      const run = yield* outbox("run", "--until-idle")
      assert.strictEqual(run.code, ExitCode.accepted, run.err)
      assert.include(run.out, "0 accepted, 0 rejected, 0 failed, 2 cancelled\n")
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("refuses other tokens under an id that is taken, and names the lines that hold no device token", () =>
    Effect.gen(function*() {
      const dir = yield* directory
      const fs = yield* FileSystem.FileSystem
      yield* fs.writeFileString(`${dir}/tokens`, `${token(1)}\nnope\n`)
      yield* fs.writeFileString(`${dir}/other`, `${token(3)}\n`)
      const enqueue = (file: string) =>
        apns(["outbox", "enqueue", `${dir}/${file}`, "--id", "a", "--title", "A", "--database", `${dir}/outbox.db`], {})
      const first = yield* enqueue("tokens")
      assert.strictEqual(first.code, ExitCode.accepted)
      assert.include(first.err, "No device token is in 1 of the lines (2)")
      const other = yield* enqueue("other")
      assert.strictEqual(other.code, ExitCode.notPossible, other.out)
      assert.include(other.err, "its tokens are not the same")
      assert.include((yield* enqueue("tokens")).out, "already, with 2 devices")
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("run: the credentials are refused -> 2, and the campaign is resumed by retry without its old reason", () =>
    Effect.gen(function*() {
      const mock = yield* MockApns.make()
      const dir = yield* directory
      const environment = { ...(yield* environmentOf(mock, dir)), APNS_KEY_ID: "ZZZZZZZZZZ" }
      const fs = yield* FileSystem.FileSystem
      yield* fs.writeFileString(`${dir}/tokens`, `${token(1)}\n${token(2)}\nno token\n`)
      const outbox = (...args: ReadonlyArray<string>) =>
        apns(["outbox", ...args, "--database", `${dir}/outbox.db`], environment)
      yield* outbox("enqueue", `${dir}/tokens`, "--id", "a", "--title", "A")
      const run = yield* outbox("run", "--until-idle")
      assert.strictEqual(run.code, ExitCode.notPossible, run.out + run.err)
      assert.include(run.err, "1 campaign was stopped")
      assert.include((yield* outbox("status", "a")).out, "a: stopped (")
      const retried = yield* outbox("retry", "a")
      assert.include(retried.out, "a was stopped, and is resumed")
      assert.notInclude(retried.out, "0 dead letters")
      assert.include(retried.out, "a: sending\n")
    }).pipe(Effect.provide(NodeContext.layer)))

  for (
    const [what, args, says] of [
      ["an empty list", ["enqueue", "/dev/null", "--id", "a", "--title", "A"], "at least one device token"],
      [
        "a time that is over",
        ["enqueue", "DIR/tokens", "--id", "a", "--title", "A", "--at", "2020-01-01"],
        "has ended"
      ],
      ["a word for a time", ["enqueue", "DIR/tokens", "--id", "a", "--title", "A", "--at", "yesterday"], "ISO date"],
      ["a database of another kind", ["status", "a", "--database", "mysql://root:secret@localhost/shop"], "mysql:"],
      ["a URL of the web", ["run", "--until-idle", "--database", "https://localhost/shop"], "https:"],
      ["memory", ["enqueue", "tokens", "--id", "a", "--title", "A", "--database", ":memory:"], "path of a file"],
      ["no name", ["status", "a", "--database", ""], "empty"],
      ["a folder", ["enqueue", "DIR/tokens", "--id", "a", "--title", "A", "--database", "DIR"], "it is a folder"],
      ["a file that is not there, for status", ["status", "a", "--database", "DIR/typo.db"], "There is no file"],
      ["a file that is not there, for cancel", ["cancel", "a", "--database", "DIR/typo.db"], "There is no file"],
      ["a file that is not there, for retry", ["retry", "a", "--database", "DIR/typo.db"], "There is no file"],
      [
        "a file that is no database",
        ["enqueue", "DIR/tokens", "--id", "a", "--title", "A", "--database", "DIR/text"],
        "libSQL"
      ],
      ["a time that is none", ["enqueue", "DIR/tokens", "--id", "a", "--title", "A", "--at", "yesterday"], "--at"],
      ["a date that is none", ["enqueue", "DIR/tokens", "--id", "a", "--title", "A", "--at", "2026-13-45"], "--at"],
      ["an end before its beginning", [
        "enqueue",
        "DIR/tokens",
        "--id",
        "a",
        "--title",
        "A",
        "--at",
        "2 hours",
        "--expires",
        "1 hour"
      ], "later than"],
      ["an id of 3,000 characters", ["enqueue", "DIR/tokens", "--id", "x".repeat(3000), "--title", "A"], "id"],
      ["tokens that are not there", ["enqueue", "DIR/nothing", "--id", "a", "--title", "A"], "cannot be read"]
    ] as const
  ) {
    it.scopedLive(`refuses ${what}, in one line without secrets, and makes no file`, () =>
      Effect.gen(function*() {
        const mock = yield* MockApns.make()
        const dir = yield* directory
        const environment = yield* environmentOf(mock, dir)
        const fs = yield* FileSystem.FileSystem
        yield* fs.writeFileString(`${dir}/tokens`, `${token(1)}\n`)
        yield* fs.writeFileString(`${dir}/text`, "this is no database, and long enough to be looked at\n".repeat(100))
        const given = args.map((arg) => arg.replace("DIR", dir))
        const hasDatabase = args.some((arg) => arg === "--database")
        const { code, err, out } = yield* apns(
          ["outbox", ...given, ...(hasDatabase ? [] : ["--database", `${dir}/outbox.db`])],
          environment
        )
        assert.strictEqual(code, ExitCode.notPossible, out + err)
        assert.include(err, says)
        assert.notInclude(err, "secret")
        assert.isFalse(yield* fs.exists(`${dir}/typo.db`))
        assert.notInclude(err, "    at ")
      }).pipe(Effect.provide(NodeContext.layer)))
  }
})
