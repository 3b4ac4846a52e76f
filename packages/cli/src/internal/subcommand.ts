import type * as CliApp from "@effect/cli/CliApp"
import * as Command from "@effect/cli/Command"
import type * as ValidationError from "@effect/cli/ValidationError"
import type * as CommandExecutor from "@effect/platform/CommandExecutor"
import type * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import type * as Types from "effect/Types"
import type { NotAccepted, NotPossible, Unsaid } from "./errors.js"
import type { About } from "./flags.js"
import { about } from "./flags.js"
import type { Help } from "./help.js"
import { version } from "./version.js"

/** What a subcommand may need. */
export type Requirements = CliApp.CliApp.Environment | CommandExecutor.CommandExecutor

/** The errors of a subcommand. */
export type Failure = NotPossible | NotAccepted | Unsaid

/** A subcommand, ready to be run with what was typed after its name. */
export interface Subcommand {
  readonly help: Help
  readonly run: (
    args: ReadonlyArray<string>
  ) => Effect.Effect<void, Failure | ValidationError.ValidationError, Requirements>
  /** Commands below this one, by name. */
  readonly commands: ReadonlyMap<string, Subcommand>
}

const aboutsOf = (config: Command.Command.Config): ReadonlyArray<About> =>
  Object.values(config).flatMap((part) => about(part) ?? [])

/**
 * A subcommand. Its options and arguments are made by `flags.ts`, which also makes their help.
 *
 * `name` is what is typed after `apns`, such as `send` or `channels create`.
 */
export const make = <const Config extends Command.Command.Config>(
  name: string,
  config: Config,
  handler: (options: Types.Simplify<Command.Command.ParseConfig<Config>>) => Effect.Effect<void, Failure, Requirements>,
  help: Omit<Help, "name" | "abouts" | "commands">
): Subcommand => {
  const last = name.split(" ").at(-1) ?? name
  const command = Command.make(last, config, handler).pipe(Command.withDescription(help.what))
  const run = Command.run(command, { name: `apns ${name}`, version })
  return {
    help: { ...help, name: `apns ${name}`, abouts: aboutsOf(config) },
    run: (args) => run(["node", "apns", ...args]),
    commands: new Map()
  }
}

/** A command that only groups those below it. */
export const group = (
  name: string,
  commands: Arr.NonEmptyReadonlyArray<readonly [name: string, summary: string, subcommand: Subcommand]>,
  help: Omit<Help, "name" | "abouts" | "commands">
): Subcommand => ({
  help: {
    ...help,
    name: `apns ${name}`,
    abouts: [],
    commands: commands.map(([name, summary]) => [name, summary])
  },
  run: () => Effect.void,
  commands: new Map(commands.map(([name, , subcommand]) => [name, subcommand]))
})
