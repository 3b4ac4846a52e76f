import { MockApns } from "@effect-apns/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { token } from "./utils.js"

const program = fileURLToPath(new URL("../fixtures/endingProgram.ts", import.meta.url))

/** A file that is gone with the scope. */
const file = (content: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const directory = mkdtempSync(join(tmpdir(), "effect-apns-"))
      const path = join(directory, "ca.pem")
      writeFileSync(path, content)
      return { directory, path }
    }),
    ({ directory }) => Effect.sync(() => rmSync(directory, { recursive: true }))
  )

describe("a process ended by a signal, with 20 notifications in flight", () => {
  for (const mode of ["pool", "map"] as const) {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      it.scopedLive(`${mode}, ${signal} -> 20 outcomes, and the process ends by itself`, () =>
        Effect.gen(function*() {
          const apns = yield* MockApns.MockApns
          const ca = yield* file(apns.ca)
          // the last one is never answered: what is left when the drain timeout is over is told too
          yield* apns.script(({ token: to }) => to === token(19) ? MockApns.stall : undefined)
          yield* apns.delay("300 millis")
          const { key, keyId, teamId } = apns.credentials
          const child = yield* Effect.acquireRelease(
            Effect.sync(() =>
              spawn(
                process.execPath,
                [
                  "--conditions=@effect-apns/source",
                  "--import",
                  "tsx",
                  program,
                  mode,
                  apns.endpoint.origin,
                  ca.path,
                  keyId,
                  teamId
                ],
                { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, KEY: key } }
              )
            ),
            (child) => Effect.sync(() => child.kill("SIGKILL"))
          )
          let out = ""
          let err = ""
          child.stdout.setEncoding("utf8").on("data", (text: string) => out += text)
          child.stderr.setEncoding("utf8").on("data", (text: string) => err += text)
          const ended = new Promise<number | null>((resolve) => child.on("close", resolve))
          yield* apns.until(({ arrived }) => arrived === 20)
          child.kill(signal)
          const code = yield* Effect.promise(() => ended)
          const outcomes = out.split("\n").filter((line) => line.startsWith("outcome ")).sort()
          const expected = Array.from({ length: 20 }, (_, i) =>
            i === 19 ? "outcome 19 Closed unknown" : `outcome ${i} ok`)
          assert.deepStrictEqual(outcomes, expected.sort(), out + err)
          assert.strictEqual(code, 0, out + err)
          yield* apns.until(({ openConnections }) =>
            openConnections === 0
          )
          assert.isAtMost((yield* apns.connections).length, 2)
        }).pipe(Effect.provide(MockApns.layer())), 60_000)
    }
  }
})
