import { Cli, ExitCode } from "@effect-apns/cli"
import type { MockApns } from "@effect-apns/testing"
import { FileSystem } from "@effect/platform"
import { ConfigProvider, Console, Effect, Logger, LogLevel } from "effect"
import type { Scope } from "effect"

/** What a command has printed, and the code that it ended with. */
export interface Ran {
  readonly code: ExitCode.ExitCode
  readonly out: string
  readonly err: string
}

const escape = String.fromCharCode(27)

const text = (parts: ReadonlyArray<unknown>): string =>
  parts.map(String).join(" ").replaceAll(new RegExp(`${escape}\\[[0-9;]*m`, "g"), "") + "\n"

export interface Printed {
  out: string
  err: string
  /** Called after each line. */
  onPrinted?: (() => void) | undefined
}

/** Waits until the command has printed this to standard error. */
export const says = (printed: Printed, text: string): Effect.Effect<void> =>
  Effect.async((resume) => {
    const look = (): void => {
      if (!printed.err.includes(text)) return
      printed.onPrinted = undefined
      resume(Effect.void)
    }
    printed.onPrinted = look
    look()
  })

/** Runs a command in this process, with these variables as its whole environment. */
export const apns = (
  args: ReadonlyArray<string>,
  environment: Readonly<Record<string, string>> = {},
  printed: Printed = { out: "", err: "" }
) =>
  Effect.gen(function*() {
    const base = yield* Effect.console
    const code = yield* Cli.run(args).pipe(
      Console.withConsole({
        ...base,
        log: (...parts) =>
          Effect.sync(() => {
            printed.out += text(parts)
            printed.onPrinted?.()
          }),
        error: (...parts) =>
          Effect.sync(() => {
            printed.err += text(parts)
            printed.onPrinted?.()
          })
      }),
      Logger.withMinimumLogLevel(LogLevel.None),
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(environment))))
    )
    return { code, out: printed.out, err: printed.err }
  })

export const directory: Effect.Effect<string, never, FileSystem.FileSystem | Scope.Scope> = Effect.orDie(
  Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped({ prefix: "apns-cli-" }))
)

/** The variables that lead to a mock. */
export const environmentOf = (
  mock: MockApns.MockApns,
  dir: string
): Effect.Effect<Record<string, string>, never, FileSystem.FileSystem> =>
  Effect.orDie(Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    yield* fs.writeFileString(`${dir}/ca.pem`, mock.ca)
    yield* fs.writeFileString(`${dir}/key.p8`, mock.credentials.key)
    return {
      APNS_ENDPOINT: mock.origin,
      APNS_CA_FILE: `${dir}/ca.pem`,
      APNS_KEY_FILE: `${dir}/key.p8`,
      APNS_KEY_ID: mock.credentials.keyId,
      APNS_TEAM_ID: mock.credentials.teamId,
      APNS_TOPIC: "com.example.app",
      APNS_POOL_SIZE: "2"
    }
  }))

export const token = (n: number): string => n.toString(16).padStart(64, "0")

/** A line of the output of `apns bulk`. */
export interface Line {
  readonly line: number
  readonly token: string
  readonly outcome: string
  readonly apnsId: string
  readonly reason?: string
  readonly error?: string
  readonly processed?: string
}

/** The header and the lines of an output; every line must be complete. */
export const readOutput = (
  file: string
): Effect.Effect<{ readonly run: string; readonly lines: ReadonlyArray<Line> }, never, FileSystem.FileSystem> =>
  Effect.orDie(Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const texts = (yield* fs.readFileString(file)).split("\n")
    const last = texts.pop()
    if (last !== "") return yield* Effect.dieMessage(`the output ends in a torn line: ${last}`)
    const [header, ...lines] = texts.map((line) => JSON.parse(line))
    return { run: header.run, lines }
  }))

export const writeTokens = (
  file: string,
  tokens: Iterable<string>
): Effect.Effect<void, never, FileSystem.FileSystem> =>
  Effect.orDie(
    Effect.flatMap(FileSystem.FileSystem, (fs) =>
      fs.writeFileString(
        file,
        Array.from(tokens, (token) => `${token}\n`).join("")
      ))
  )

export { ExitCode }
