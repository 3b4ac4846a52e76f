import { Notification } from "@effect-apns/models"
import { send, Simulator } from "@effect-apns/pool"
import type { Command } from "@effect/platform"
import { CommandExecutor, Error as PlatformError } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Inspectable, Layer, Sink, Stream } from "effect"

interface Call {
  readonly args: ReadonlyArray<string>
  readonly input: string
}

/** An executor that writes down what it is asked to run, and ends with the code given. */
const fake = (calls: Array<Call>, code: (args: ReadonlyArray<string>) => number, stderr = "") =>
  Layer.succeed(
    CommandExecutor.CommandExecutor,
    CommandExecutor.makeExecutor((command) =>
      Effect.gen(function*() {
        const standard = command as Command.StandardCommand
        const input = standard.stdin
        calls.push({
          args: [standard.command, ...standard.args],
          input: typeof input === "string"
            ? ""
            : yield* Stream.runFold(Stream.decodeText(input), "", (all, part) => all + part)
        })
        return {
          [CommandExecutor.ProcessTypeId]: CommandExecutor.ProcessTypeId,
          pid: CommandExecutor.ProcessId(1),
          exitCode: Effect.succeed(CommandExecutor.ExitCode(code(standard.args))),
          isRunning: Effect.succeed(false),
          kill: () => Effect.void,
          stdin: Sink.drain,
          stdout: Stream.empty,
          stderr: Stream.encodeText(Stream.make(stderr)),
          toJSON: () => ({}),
          [Inspectable.NodeInspectSymbol]: () => "fake"
        }
      })
    )
  )

const hello = (topic?: string) => send({ token: "00", topic, notification: Notification.alert({ alert: "Hello" }) })

describe("Simulator", () => {
  it.effect("gives the payload to simctl push on standard input", () => {
    const calls: Array<Call> = []
    return Effect.gen(function*() {
      const receipt = yield* hello("com.example.app")
      assert.match(receipt.apnsId, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/)
      assert.deepStrictEqual(calls[1], {
        args: ["xcrun", "simctl", "push", "booted", "com.example.app", "-"],
        input: "{\"aps\":{\"alert\":\"Hello\"}}"
      })
    }).pipe(Effect.provide(Layer.provide(Simulator.layer(), fake(calls, () => 0))))
  })

  it.effect("a topic with a suffix -> the bundle ID without it", () => {
    const calls: Array<Call> = []
    return Effect.gen(function*() {
      yield* send({ token: "00", topic: "com.example.app", notification: Notification.voip() })
      assert.strictEqual(calls[1]?.args[4], "com.example.app")
      assert.strictEqual(calls[1]?.args[3], "AAAA-BBBB")
    }).pipe(Effect.provide(Layer.provide(Simulator.layer({ device: "AAAA-BBBB" }), fake(calls, () => 0))))
  })

  it.effect("a bundle ID that ends with the suffix of another push type is not shortened", () => {
    const calls: Array<Call> = []
    return Effect.gen(function*() {
      yield* hello("com.example.voip")
      assert.strictEqual(calls[1]?.args[4], "com.example.voip")
    }).pipe(Effect.provide(Layer.provide(Simulator.layer(), fake(calls, () => 0))))
  })

  it.effect("simctl refuses -> a typed error with simctl's message", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(hello("com.example.app"))
      assert.strictEqual(error._tag, "UnknownReason")
      assert.include(error.message, "No devices are booted.")
    }).pipe(
      Effect.provide(
        Layer.provide(Simulator.layer(), fake([], (args) => args[1] === "push" ? 149 : 0, "No devices are booted."))
      )
    ))

  it.effect("neither topic nor bundle ID -> an error that asks for one", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* Effect.flip(hello()))._tag, "MissingTopic")
    }).pipe(Effect.provide(Layer.provide(Simulator.layer(), fake([], () => 0)))))

  it.effect("xcrun is missing -> an error that says what to install", () =>
    Effect.gen(function*() {
      const missing = Layer.succeed(
        CommandExecutor.CommandExecutor,
        CommandExecutor.makeExecutor(() =>
          Effect.fail(
            new PlatformError.SystemError({
              reason: "NotFound",
              module: "Command",
              method: "spawn",
              pathOrDescriptor: "xcrun",
              description: "spawn xcrun ENOENT"
            })
          )
        )
      )
      const error = yield* Effect.flip(
        Effect.provide(hello("com.example.app"), Layer.provide(Simulator.layer(), missing))
      )
      assert.strictEqual(error._tag, "SimulatorError")
      assert.include(error.message, "Xcode")
    }))
})
