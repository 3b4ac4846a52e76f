/**
 * The sink server as the benchmark sees it.
 *
 * @since 0.1.0
 */
import { Effect, type Scope } from "effect"
import { BenchmarkError } from "./BenchmarkError.js"
import * as Processes from "./Processes.js"
import {
  type Behavior,
  type Command,
  defaultBehavior,
  type Expectation,
  type Message,
  type Report
} from "./sink/Protocol.js"
import * as Workload from "./Workload.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Sink {
  readonly port: number
  /** Starts over: how to behave towards the connections to come, and what to insist on. */
  readonly reset: (
    behavior?: Partial<Behavior>,
    priority?: "required" | "optional"
  ) => Effect.Effect<void, BenchmarkError>
  readonly clear: Effect.Effect<void, BenchmarkError>
  /** What was received, whatever it is. */
  readonly inspect: (expectation: Expectation) => Effect.Effect<Report, BenchmarkError>
  /** What was received; fails unless it is to the byte what was expected. */
  readonly verify: (where: string, expectation: Expectation) => Effect.Effect<Report, BenchmarkError>
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  certificate: { readonly cert: string; readonly key: string }
): Effect.Effect<Sink, BenchmarkError, Scope.Scope> =>
  Effect.gen(function*() {
    const child = yield* Processes.start<Command, Message>({
      env: { SINK_CERTIFICATE: certificate.cert, SINK_KEY: certificate.key },
      name: "sink",
      path: "./sink/main.js"
    })
    const unexpected = (message: Message) =>
      new BenchmarkError({ reason: `it answered ${JSON.stringify(message)}`, where: "sink" })
    const listening = yield* child.listen
    if (listening.type !== "listening") return yield* unexpected(listening)
    const order = (command: Command): Effect.Effect<void, BenchmarkError> =>
      Effect.flatMap(child.ask(command), (message) => message.type === "done" ? Effect.void : unexpected(message))
    const inspect = (expectation: Expectation): Effect.Effect<Report, BenchmarkError> =>
      Effect.flatMap(
        child.ask({ type: "report", expectation }),
        (message) => message.type === "report" ? Effect.succeed(message) : unexpected(message)
      )
    return {
      port: listening.port,
      reset: (behavior, priority = "required") =>
        order({
          type: "reset",
          behavior: { ...defaultBehavior, ...behavior },
          payload: JSON.stringify(Workload.payload),
          priority,
          topic: Workload.topic
        }),
      clear: order({ type: "clear" }),
      inspect,
      verify: (where, expectation) =>
        Effect.filterOrFail(
          inspect(expectation),
          (report) => report.violations.length === 0,
          (report) => new BenchmarkError({ reason: `the sink received ${report.violations.join("; ")}`, where })
        )
    }
  })
