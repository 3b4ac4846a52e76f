import { MockApns } from "@effect-apns/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { readFile } from "node:fs/promises"
import { run as apns2 } from "./migration/apns2.js"
import { run as apns2Translated } from "./migration/apns2Translated.js"
import { run as nodeApn } from "./migration/nodeApn.js"
import { run as nodeApnTranslated } from "./migration/nodeApnTranslated.js"
import type { Setting } from "./migration/Setting.js"

const tokens = ["aa", "bb", "cc"].map((start) => start.repeat(32))
const [, dead = ""] = tokens

/** Runs a program against a mock that knows one token as dead; says what it sent and which tokens it removed. */
const observe = async (program: (setting: Setting) => Promise<void>) => {
  const scope = Effect.runSync(Scope.make())
  try {
    const mock = await Effect.runPromise(Scope.extend(MockApns.make(), scope))
    await Effect.runPromise(mock.unregister(dead, { at: 1704067200000 }))
    const removed: Array<string> = []
    const { ca, credentials, origin } = mock
    await program({
      apns: { ca, ...credentials, host: "localhost", port: Number(new URL(origin).port), topic: MockApns.bundleId },
      tokens,
      remove: (token) => removed.push(token)
    })
    const received = await Effect.runPromise(mock.received)
    return {
      removed,
      sent: received.map(({ collapseId, path, payload, pushType, topic }) => ({
        collapseId,
        path,
        payload,
        pushType,
        topic
      }))
        .sort((a, b) => a.path < b.path ? -1 : 1)
    }
  } finally {
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

/** The statements and lines of a program, without its imports. */
const linesOf = async (name: string): Promise<number> => {
  const text = await readFile(new URL(`./migration/${name}.ts`, import.meta.url), "utf8")
  return text.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("import ")).length
}

describe.each([
  { name: "@parse/node-apn", before: nodeApn, after: nodeApnTranslated, files: ["nodeApn", "nodeApnTranslated"] },
  { name: "apns2", before: apns2, after: apns2Translated, files: ["apns2", "apns2Translated"] }
])("a program of $name and its translation to the client", ({ after, before, files }) => {
  it("send the same and remove the same tokens", async () => {
    const old = await observe(before)
    const now = await observe(after)
    assert.deepStrictEqual(now, old)
    assert.deepStrictEqual(now.removed, [dead])
    assert.strictEqual(now.sent.length, tokens.length)
  })

  it("are of the same length", async () => {
    const [old = 0, now = 0] = await Promise.all(files.map(linesOf))
    assert.isAtMost(now, old)
  })
})
