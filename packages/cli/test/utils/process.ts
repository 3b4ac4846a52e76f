import { Effect } from "effect"
import type { Scope } from "effect"
import type { ChildProcess } from "node:child_process"
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

/** The command in a process of its own. */
export interface Running {
  readonly child: ChildProcess
  readonly kill: (signal: NodeJS.Signals) => Effect.Effect<void>
  /** Waits until its standard error has this text. */
  readonly says: (text: string) => Effect.Effect<void>
  readonly exit: Effect.Effect<{
    readonly code: number | null
    readonly signal: NodeJS.Signals | null
    readonly out: string
    readonly err: string
  }>
}

/** What the command is started by. */
export type Command = ReadonlyArray<string>

const fileOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** The sources: as the set-up of the tests has bundled them (`command.ts`), else compiled at each start. */
export const source: Command = process.env["APNS_TEST_COMMAND"] === undefined
  ? ["--conditions=@effect-apns/source", "--import", "tsx", fileOf("../../src/bin.ts")]
  : [process.env["APNS_TEST_COMMAND"]]

/** What is published. */
export const built: Command = [fileOf("../../build/command/bin.js")]

/** Starts the command, which ends with the scope at the latest. */
export const start = (
  args: ReadonlyArray<string>,
  environment: Readonly<Record<string, string>> = {},
  input = "",
  command: Command = source
): Effect.Effect<Running, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(process.execPath, [...command, ...args], {
        env: { PATH: process.env["PATH"], HOME: process.env["HOME"], ...environment },
        stdio: ["pipe", "pipe", "pipe"]
      })
      const texts = { out: "", err: "" }
      const listeners = new Set<() => void>()
      child.stdout.setEncoding("utf8").on("data", (text: string) => texts.out += text)
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        texts.err += text
        for (const listener of listeners) listener()
      })
      child.stdin.on("error", () => {})
      child.stdin.end(input)
      const closed = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) =>
        child.on("close", (code, signal) => resolve({ code, signal }))
      )
      const running: Running = {
        child,
        kill: (signal) => Effect.sync(() => child.kill(signal)),
        says: (text) =>
          Effect.async<void>((resume) => {
            const look = () => {
              if (!texts.err.includes(text)) return
              listeners.delete(look)
              resume(Effect.void)
            }
            listeners.add(look)
            look()
          }),
        exit: Effect.map(Effect.promise(() => closed), (status) => ({ ...status, ...texts }))
      }
      return running
    }),
    ({ child }) =>
      Effect.async<void>((resume) => {
        if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
        child.once("close", () => resume(Effect.void))
        child.kill("SIGKILL")
      })
  )
