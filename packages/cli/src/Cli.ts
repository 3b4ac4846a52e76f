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
import * as Command from "@effect/cli/Command"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as ValidationError from "@effect/cli/ValidationError"
import type * as CommandExecutor from "@effect/platform/CommandExecutor"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as ExitCode from "./ExitCode.js"
import { bulk, standardInput } from "./internal/bulk.js"
import { channels } from "./internal/channels.js"
import { mock } from "./internal/mock.js"
import { rootHelp } from "./internal/rootHelp.js"
import { send } from "./internal/send.js"
import { simulator } from "./internal/simulator.js"

const version = "0.1.0"

const apns = Command.make("apns").pipe(
  Command.withDescription("Sends Apple push notifications"),
  Command.withSubcommands([send, bulk, simulator, mock, channels])
)

const command = Command.run(apns, { name: "apns", version })

/**
 * Runs the command with these arguments (those after the program's name), prints what it has to say, and succeeds with
 * the code to exit with, whatever happens. Interruption is Ctrl-C.
 *
 * @since 0.1.0
 * @category running
 */
export const run = (
  args: ReadonlyArray<string>
): Effect.Effect<ExitCode.ExitCode, never, CliApp.CliApp.Environment | CommandExecutor.CommandExecutor> => {
  const complain = (error: { readonly _tag: string; readonly message: string }): Effect.Effect<ExitCode.ExitCode> =>
    Effect.as(
      args.includes("--json")
        ? Console.log(JSON.stringify({ outcome: "impossible", error: error._tag, message: error.message }))
        : Console.error(error.message),
      ExitCode.notPossible
    )
  if (args.length === 0 || (args.length === 1 && ["--help", "-h", "help"].includes(args[0] ?? ""))) {
    return Effect.as(Console.log(HelpDoc.toAnsiText(rootHelp(version))), ExitCode.accepted)
  }
  return command(["node", "apns", ...args.map((arg) => arg === "-" ? standardInput : arg)]).pipe(
    Effect.as<ExitCode.ExitCode>(ExitCode.accepted),
    Effect.catchAll((error): Effect.Effect<ExitCode.ExitCode> => {
      if (ValidationError.isValidationError(error)) return Effect.succeed(ExitCode.notPossible)
      switch (error._tag) {
        case "NotAccepted":
          return Effect.succeed(ExitCode.notAccepted)
        case "Unsaid":
          return Effect.succeed(ExitCode.notPossible)
        default:
          return complain(error)
      }
    }),
    Effect.provide(CliConfig.layer({ showBuiltIns: false }))
  )
}
