import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import type { ChildProcess } from "node:child_process"
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { pushServer } from "./fixtures/push.js"
import { until } from "./utils/until.js"

describe("the process ends", () => {
  const program = fileURLToPath(new URL("./fixtures/endingProgram.ts", import.meta.url))

  interface Program {
    readonly child: ChildProcess
    /** Every line that it has printed. */
    readonly lines: ReadonlyArray<string>
    readonly exit: Effect.Effect<{ readonly code: number | null; readonly err: string }>
  }

  const start = (mode: string, port: number): Effect.Effect<Program, never, Scope.Scope> =>
    Effect.acquireRelease(
      Effect.sync(() => {
        const child = spawn(
          process.execPath,
          ["--conditions=@effect-apns/source", "--import", "tsx", program, mode, String(port)],
          { stdio: ["ignore", "pipe", "pipe"] }
        )
        const texts = { out: "", err: "" }
        child.stdout.setEncoding("utf8").on("data", (text: string) => texts.out += text)
        child.stderr.setEncoding("utf8").on("data", (text: string) => texts.err += text)
        const closed = new Promise<number | null>((resolve) => child.on("close", resolve))
        return {
          child,
          get lines() {
            return texts.out.split("\n").filter((line) => line !== "")
          },
          exit: Effect.map(Effect.promise(() => closed), (code) => ({ code, err: texts.err }))
        }
      }),
      ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
    )

  for (
    const [mode, signal] of [
      ["runMain", "SIGTERM"],
      ["runMain", "SIGINT"],
      ["interrupt", "SIGUSR2"],
      ["timeout", "SIGUSR2"],
      ["dispose", "SIGUSR2"]
    ] as const
  ) {
    it.scopedLive(`20 requests in flight (${mode}, ${signal}) -> 20 outcomes, and the process ends by itself`, () =>
      Effect.gen(function*() {
        const server = yield* pushServer
        const program = yield* start(mode, server.port)
        const lines = () => program.lines
        yield* until(() => server.waiting.length === 20 && lines().includes("ready"))
        program.child.kill(signal)
        yield* until(() => lines().includes("draining"))
        for (let i = 0; i < 19; i++) server.accept(`/${i}`)
        const ended = yield* program.exit
        const outcomes = lines().filter((line) => line.startsWith("outcome ")).sort()
        assert.deepStrictEqual(
          outcomes,
          [...Array.from({ length: 19 }, (_, i) => `outcome /${i} 200`), "outcome /19 Closed unknown"].sort(),
          ended.err
        )
        assert.include(lines(), "left: ", ended.err)
        assert.strictEqual(ended.code, 0, ended.err)
        yield* until(() => server.connections === 0)
      }))
  }
})
