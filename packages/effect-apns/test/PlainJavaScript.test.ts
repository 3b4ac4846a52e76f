import { MockApns } from "@effect-apns/testing"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"

const program = fileURLToPath(new URL("./fixtures/plainJavaScript.mjs", import.meta.url))

it.scopedLive("a program in plain JavaScript that passes anything to everything: typed errors for it, and nobody else is concerned", () =>
  Effect.gen(function*() {
    const { ca, credentials: { key, keyId, teamId }, origin } = yield* MockApns.MockApns
    const mock = JSON.stringify({ ca, key, keyId, teamId, origin, topic: MockApns.bundleId })
    const { code, err, out } = yield* Effect.async<
      { readonly code: unknown; readonly out: string; readonly err: string }
    >(
      (resume) => {
        const child = execFile(
          process.execPath,
          ["--conditions=@effect-apns/source", "--import", "tsx", program],
          { env: { ...process.env, MOCK: mock } },
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
  }).pipe(Effect.provide(MockApns.layer())))
