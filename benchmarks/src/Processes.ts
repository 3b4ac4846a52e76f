/**
 * Child processes that answer questions, and that never outlive the scope that started them.
 *
 * @since 0.1.0
 */
import { Duration, Effect, type Scope } from "effect"
import { type ChildProcess, fork } from "node:child_process"
import { BenchmarkError } from "./BenchmarkError.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Process<in Question, out Answer> {
  /** Waits for the process to say something unasked. */
  readonly listen: Effect.Effect<Answer, BenchmarkError>
  /** Sends a question and waits for the answer; one question at a time. */
  readonly ask: (question: Question, within?: Duration.DurationInput) => Effect.Effect<Answer, BenchmarkError>
  /** Waits until the process has ended by itself, or ends it. */
  readonly end: Effect.Effect<void>
}

const exited = (child: ChildProcess): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
  })

/** Asks it to leave by closing the channel, and kills it when it does not. */
const end = (child: ChildProcess): Effect.Effect<void> =>
  Effect.sync(() => {
    if (child.connected) child.disconnect()
  }).pipe(
    Effect.zipRight(
      Effect.timeoutTo(exited(child), {
        duration: "2 seconds",
        onSuccess: () => true,
        onTimeout: () => false
      })
    ),
    Effect.flatMap((gone) => {
      if (gone) return Effect.void
      child.kill("SIGKILL")
      return exited(child)
    })
  )

/**
 * Starts the module at `path` (relative to this one) in a process of its own.
 *
 * @since 0.1.0
 * @category constructors
 */
export const start = <Question extends object, Answer>(options: {
  readonly name: string
  readonly path: string
  readonly nodeFlags?: ReadonlyArray<string> | undefined
  readonly env?: Readonly<Record<string, string>> | undefined
}): Effect.Effect<Process<Question, Answer>, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() =>
        fork(new URL(options.path, import.meta.url), {
          env: { ...process.env, ...options.env },
          execArgv: [...process.execArgv, ...options.nodeFlags ?? []],
          // its standard output would stand between the figures
          stdio: ["ignore", "ignore", "inherit", "ipc"]
        })
      ),
      end
    ),
    (child) => {
      const fail = (reason: string) => new BenchmarkError({ reason, where: options.name })
      const listen = Effect.async<Answer, BenchmarkError>((resume) => {
        const onMessage = (answer: unknown) => settle(Effect.succeed(answer as Answer))
        const onExit = (code: number | null, signal: string | null) =>
          settle(Effect.fail(fail(`the process ended with ${code ?? signal} instead of an answer`)))
        const onError = (error: Error) => settle(Effect.fail(fail(error.message)))
        const stop = () => {
          child.off("message", onMessage)
          child.off("exit", onExit)
          child.off("error", onError)
        }
        const settle = (result: Effect.Effect<Answer, BenchmarkError>) => {
          stop()
          resume(result)
        }
        if (child.exitCode !== null || child.signalCode !== null) return onExit(child.exitCode, child.signalCode)
        child.on("message", onMessage)
        child.on("exit", onExit)
        child.on("error", onError)
        return Effect.sync(stop)
      })
      return {
        listen,
        ask: (question, within = "60 seconds") =>
          Effect.sync(() => {
            child.send(question)
          }).pipe(
            Effect.zipRight(listen),
            Effect.timeoutFail({
              duration: within,
              onTimeout: () => fail(`no answer within ${Duration.format(Duration.decode(within))}`)
            })
          ),
        end: end(child)
      }
    }
  )
