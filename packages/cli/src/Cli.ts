/**
 * The `apns` command as a value: everything but the process around it.
 *
 * @example
 * ```ts
 * import { Cli } from "@effect-apns/cli"
 * import { NodeContext } from "@effect/platform-node"
 * import { Effect } from "effect"
 *
 * const program = Cli.run(["send", "0123456789abcdef", "--topic", "com.example.app", "--body", "Hello"]).pipe(
 *   Effect.provide(NodeContext.layer)
 * )
 * console.log(Effect.isEffect(program))
 * ```
 *
 * @since 0.1.0
 */
import type * as CliApp from "@effect/cli/CliApp"
import * as CliConfig from "@effect/cli/CliConfig"
import * as ValidationError from "@effect/cli/ValidationError"
import type * as CommandExecutor from "@effect/platform/CommandExecutor"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as ExitCode from "./ExitCode.js"
import { nearest, normalize } from "./internal/arguments.js"
import { commands } from "./internal/commands.js"
import type { NotPossible } from "./internal/errors.js"
import { notPossible } from "./internal/errors.js"
import * as Help from "./internal/help.js"
import { environmentHelp, rootHelp } from "./internal/rootHelp.js"
import { Screen } from "./internal/screen.js"
import type { Failure, Requirements, Subcommand } from "./internal/subcommand.js"
import { version } from "./internal/version.js"

/** `There is no command apns sned: did you mean apns send?` */
const noCommand = (parent: string, word: string, names: ReadonlyArray<string>): NotPossible => {
  const near = nearest(word, names)
  return notPossible(
    `There is no command ${parent} ${word}${
      near === undefined ? `. See ${parent} --help.` : `: did you mean ${parent} ${near}?`
    }`
  )
}

const load = (name: string): Effect.Effect<Subcommand, NotPossible> => {
  const entry = commands.find((entry) => entry.name === name)
  return entry === undefined
    ? noCommand("apns", name, commands.map(({ name }) => name))
    : Effect.promise(entry.load)
}

/** Follows the words to the command that they name; what is left is for that one. */
const find = (
  words: ReadonlyArray<string>
): Effect.Effect<readonly [Subcommand, ReadonlyArray<string>], NotPossible> =>
  Effect.gen(function*() {
    const [first = "", ...others] = words
    let found = yield* load(first)
    let rest = others
    for (;;) {
      const [next, ...beyond] = rest
      const below = next === undefined ? undefined : found.commands.get(next)
      if (below === undefined) return [found, rest] as const
      found = below
      rest = beyond
    }
  })

const printHelp = (part: Help.Part): Effect.Effect<void> =>
  Effect.flatMap(
    Screen,
    (terminal) => Console.log(Help.render(part, terminal.resultColumns()))
  )

const isHelp = (word: string): boolean => word === "--help" || word === "-h" || word === "--help-all"

const dispatch = (
  args: ReadonlyArray<string>
): Effect.Effect<void, Failure | ValidationError.ValidationError, Requirements> =>
  Effect.gen(function*() {
    const [first, ...rest] = args
    if (first === undefined || isHelp(first) || (first === "help" && rest.length === 0)) {
      return yield* printHelp(rootHelp)
    }
    if (first === "--version") return yield* Console.log(version)
    if (first === "--completions" || first.startsWith("--completions=")) {
      return yield* completions(first.includes("=") ? first.slice(first.indexOf("=") + 1) : rest[0])
    }
    if (first === "help") {
      if (rest[0] === "environment") return yield* printHelp(environmentHelp)
      const [{ help }] = yield* find(rest)
      return yield* printHelp(Help.document(help, true))
    }
    if (first.startsWith("-")) {
      return yield* notPossible(
        `The name of a command comes first, then its options, such as apns send ... See apns --help.`
      )
    }
    const [subcommand, words] = yield* find(args)
    const { help } = subcommand
    const options = words.includes("--") ? words.slice(0, words.indexOf("--")) : words
    const asked = options.find(isHelp)
    if (asked !== undefined) {
      return yield* printHelp(Help.document(help, asked === "--help-all"))
    }
    if (subcommand.commands.size > 0) {
      const names = Array.from(subcommand.commands.keys())
      return yield* words[0] === undefined
        ? notPossible(`${help.name}: which command? ${names.join(", ")}. See ${help.name} --help.`)
        : noCommand(help.name, words[0], names)
    }
    return yield* subcommand.run(yield* normalize(help.name, help.abouts, words))
  })

const completions = (shell: string | undefined): Effect.Effect<void, NotPossible> =>
  Effect.gen(function*() {
    const { script, shells } = yield* Effect.promise(() => import("./internal/completions.js"))
    const known = shells.find((name) => name === shell)
    if (known === undefined) {
      return yield* notPossible(
        `--completions: ${
          shell === undefined ? "the value is missing" : `'${shell}' is none of them`
        }: bash, zsh or fish`
      )
    }
    const all = yield* Effect.forEach(
      commands,
      ({ load, name, summary }) =>
        Effect.map(Effect.promise(load), (subcommand) => [name, summary, subcommand] as const)
    )
    yield* Console.log(script(known, all))
  })

const levels = new Map(LogLevel.allLevels.map((level) => [level._tag.toLowerCase(), level]))

/** Takes `--log-level LEVEL` out: it is for every command. */
const logLevelOf = (
  args: ReadonlyArray<string>
): Effect.Effect<
  { readonly args: ReadonlyArray<string>; readonly level: LogLevel.LogLevel | undefined },
  NotPossible
> => {
  const end = args.indexOf("--")
  const at = args.findIndex((arg, i) =>
    (end === -1 || i < end) && (arg === "--log-level" || arg.startsWith("--log-level="))
  )
  if (at === -1) return Effect.succeed({ args, level: undefined })
  const arg = args[at] ?? ""
  const apart = arg === "--log-level"
  const value = apart ? args[at + 1] : arg.slice(arg.indexOf("=") + 1)
  const level = levels.get((value ?? "").toLowerCase())
  return level === undefined
    ? notPossible(
      `--log-level: ${value === undefined ? "the value is missing" : `'${value}' is none of them`}: ${
        Array.from(levels.keys()).join(", ")
      }`
    )
    : Effect.succeed({ args: [...args.slice(0, at), ...args.slice(at + (apart ? 2 : 1))], level })
}

/**
 * Runs the command with these arguments (those after the program's name), prints what it has to say, and succeeds with
 * the code to exit with, whatever happens. Interruption is Ctrl-C.
 *
 * @since 0.1.0
 * @category running
 */
export const run = (
  args: ReadonlyArray<string>
): Effect.Effect<ExitCode.ExitCode, never, CliApp.CliApp.Environment | CommandExecutor.CommandExecutor> =>
  Effect.gen(function*() {
    const { args: words, level } = yield* logLevelOf(args)
    const program = dispatch(words)
    yield* level === undefined ? program : Logger.withMinimumLogLevel(program, level)
  }).pipe(
    Effect.as<ExitCode.ExitCode>(ExitCode.accepted),
    Effect.catchAll((error): Effect.Effect<ExitCode.ExitCode> => {
      if (ValidationError.isValidationError(error)) return Effect.succeed(ExitCode.notPossible)
      switch (error._tag) {
        case "NotAccepted":
          return Effect.succeed(ExitCode.notAccepted)
        case "Unsaid":
          return Effect.succeed(ExitCode.notPossible)
        case "NotPossible":
          return Effect.as(
            args.includes("--json")
              ? Console.log(JSON.stringify({ outcome: "impossible", error: error._tag, message: error.message }))
              : Console.error(error.message),
            ExitCode.notPossible
          )
      }
    }),
    Effect.provide(CliConfig.layer({ autoCorrectLimit: 0 }))
  )
