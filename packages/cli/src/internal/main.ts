import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import { format } from "node:util"
import * as Cli from "../Cli.js"
import * as ExitCode from "../ExitCode.js"
import { standard } from "./terminal.js"

const words = (message: unknown): string =>
  Array.isArray(message) ? message.map(words).join(" ") : message instanceof Error ? message.message : String(message)

// one line each, on standard error: standard output is for results
const logging = Layer.merge(
  Logger.replace(
    Logger.defaultLogger,
    Logger.make(({ cause, logLevel, message }) =>
      standard.print(
        [`${logLevel.label}: ${words(message)}`, ...Cause.prettyErrors(cause).map((error) => error.message)].join(": ")
      )
    )
  ),
  Logger.minimumLogLevel(LogLevel.Warning)
)

const printing = Layer.unwrapEffect(Effect.map(Effect.console, (console) =>
  Console.setConsole({
    ...console,
    log: (...parts) => Effect.sync(() => standard.result(format(...parts))),
    error: (...parts) => Effect.sync(() => standard.print(format(...parts)))
  })))

// the terminal was closed: treated like a request to end
process.on("SIGHUP", () => process.emit("SIGTERM", "SIGTERM"))

Cli.run(process.argv.slice(2)).pipe(
  Effect.catchAllDefect((defect) =>
    Effect.as(Console.error("A fault of the apns command, please report it:", defect), ExitCode.fault)
  ),
  Effect.provide([NodeContext.layer, logging, printing]),
  (program) =>
    NodeRuntime.runMain(program, {
      disableErrorReporting: true,
      disablePrettyLogger: true,
      teardown: (exit: Exit.Exit<unknown, unknown>, onExit) =>
        onExit(
          Exit.isFailure(exit)
            ? Cause.isInterruptedOnly(exit.cause) ? ExitCode.interrupted : ExitCode.fault
            : typeof exit.value === "number"
            ? exit.value
            : ExitCode.accepted
        )
    })
)
