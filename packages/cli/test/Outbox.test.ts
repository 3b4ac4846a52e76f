import { ExitCode } from "@effect-apns/cli"
import { MockApns } from "@effect-apns/testing"
import { FileSystem } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { apns, directory, environmentOf, token } from "./utils/harness.js"

describe("apns outbox", () => {
  it.scopedLive("enqueues, sends, says how far it is, cancels, and sends dead letters again", () =>
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
})
