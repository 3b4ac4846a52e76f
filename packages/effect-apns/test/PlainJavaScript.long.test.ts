import { MockApns } from "@effect-apns/testing"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"

const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href
const program = fileURLToPath(new URL("./fixtures/plainJavaScript.mjs", import.meta.url))

it.scopedLive("plain JavaScript that passes any value to any function -> typed errors, and other callers are not affected", () =>
  Effect.gen(function*() {
    const { ca, credentials: { key, keyId, teamId }, origin } = yield* MockApns.MockApns
    // whatever is written to the working directory is written there, and removed
    const directory = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "plain-"))),
      (directory) => Effect.sync(() => rmSync(directory, { recursive: true }))
    )
    const mock = JSON.stringify({ ca, key, keyId, teamId, origin, topic: MockApns.bundleId })
    const { code, err, out } = yield* Effect.async<
      { readonly code: unknown; readonly out: string; readonly err: string }
    >(
      (resume) => {
        const child = execFile(
          process.execPath,
          ["--conditions=@effect-apns/source", "--import", tsx, program],
          { cwd: directory, env: { ...process.env, MOCK: mock } },
          (error, out, err) => resume(Effect.succeed({ code: error === null ? 0 : error.code, out, err }))
        )
        return Effect.sync(() => child.kill("SIGKILL"))
      }
    )
    const lines = out.trim().split("\n").filter((line) => !line.startsWith("timestamp="))
    const last = lines.pop()
    assert.deepStrictEqual([lines.slice(0, 20), code], [[], 0], err)
    assert.match(last ?? "", /^calls \d+$/)
    assert.isAbove(Number(last?.slice("calls ".length)), 2000)
    // the program runs in a directory of its own, and the one file that it writes there is the one that `keylog` names
    assert.deepStrictEqual(readdirSync(directory), ["boom"])
    assert.strictEqual(statSync(join(directory, "boom")).mode & 0o777, 0o600)
  }).pipe(Effect.provide(MockApns.layer())))
