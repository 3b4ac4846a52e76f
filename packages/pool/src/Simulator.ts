/**
 * The iOS Simulator as a target: an `ApnsPool` that hands notifications to `xcrun simctl push` instead of APNs, so that
 * the same program runs against a Simulator on a developer's Mac.
 *
 * The device token of a notification is not looked at: every notification goes to the one Simulator.
 *
 * @example
 * ```ts
 * import { NodeContext } from "@effect/platform-node"
 * import { Notification } from "@effect-apns/models"
 * import { send, Simulator } from "@effect-apns/pool"
 * import { Effect, Layer } from "effect"
 *
 * const program = send({
 *   token: "00",
 *   topic: "com.example.app",
 *   notification: Notification.alert({ alert: "Hello, Simulator" })
 * }).pipe(Effect.provide(Layer.provide(Simulator.layer({ device: "booted" }), NodeContext.layer)))
 * console.log(Effect.isEffect(program))
 * ```
 *
 * @since 0.1.0
 */
import type { Request } from "@effect-apns/core"
import { Connection, Response } from "@effect-apns/core"
import { PushType } from "@effect-apns/models"
import * as Schemas from "@effect-apns/models/unstable/Schemas"
import * as Command from "@effect/platform/Command"
import * as CommandExecutor from "@effect/platform/CommandExecutor"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as ApnsPool from "./ApnsPool.js"
import * as UnstableApnsPool from "./unstable/ApnsPool.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The Simulator's UDID (`xcrun simctl list devices`). Default `"booted"`: the one that is running. */
  readonly device?: string | undefined
  /** The app's bundle ID. Default: the notification's topic, without the suffix of its push type. */
  readonly bundleId?: string | undefined
  /** The topic of notifications that do not name one. */
  readonly topic?: string | undefined
}

/**
 * The Simulator cannot be reached; `message` says what to change.
 *
 * @since 0.1.0
 * @category errors
 */
export class SimulatorError extends Schemas.taggedError<SimulatorError>()("SimulatorError", () => ({
  reason: Schema.Literal("XcrunMissing", "SimctlFailed"),
  description: Schema.String,
  cause: Schema.optional(Schema.Defect)
})) {
  override get message(): string {
    return this.reason === "XcrunMissing"
      ? `xcrun was not found (${this.description}): the Simulator needs a Mac with Xcode and its command line tools (xcode-select --install)`
      : `xcrun simctl does not work: ${this.description}`
  }
}

const text = (stream: Stream.Stream<Uint8Array, unknown>): Effect.Effect<string> =>
  stream.pipe(
    Stream.decodeText(),
    Stream.runFold("", (all, part) => all + part),
    Effect.orElseSucceed(() => "")
  )

const simctl = (
  args: ReadonlyArray<string>,
  input: string
): Effect.Effect<
  { readonly code: number; readonly stderr: string },
  SimulatorError,
  CommandExecutor.CommandExecutor
> =>
  Effect.scoped(
    Effect.gen(function*() {
      const running = yield* Command.start(Command.feed(Command.make("xcrun", "simctl", ...args), input))
      const [code, stderr] = yield* Effect.all([running.exitCode, text(running.stderr), text(running.stdout)], {
        concurrency: "unbounded"
      })
      return { code, stderr: stderr.trim() }
    })
  ).pipe(
    Effect.mapError((cause) => new SimulatorError({ reason: "XcrunMissing", description: cause.message, cause }))
  )

/** The bundle ID of a topic: without the suffix of the push type. An app's own bundle ID may end like another suffix. */
const bundleIdOf = (topic: string | undefined, pushType: string | undefined): string | undefined => {
  const suffix = pushType === undefined ? "" : PushType.info(pushType).topicSuffix
  return topic !== undefined && suffix !== "" && topic.endsWith(suffix) ? topic.slice(0, -suffix.length) : topic
}

const uuid: Effect.Effect<string> = Effect.map(
  Effect.suspend(() => Effect.replicateEffect(Random.nextIntBetween(0, 0x10000), 8)),
  (parts) => {
    const hex = parts.map((part) => part.toString(16).padStart(4, "0")).join("")
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`
  }
)

const rejected = (status: number, reason: string): Response.Response => Response.make({ status, body: { reason } })

const push =
  (options: Options) =>
  (request: Request.Request): Effect.Effect<Response.Response, never, CommandExecutor.CommandExecutor> =>
    Effect.gen(function*() {
      const header = (wanted: string) => request.spec.head.headers.find(([name]) => name === wanted)?.[1]
      const bundleId = options.bundleId ?? bundleIdOf(header("apns-topic"), header("apns-push-type"))
      if (bundleId === undefined) return rejected(400, "MissingTopic")
      const { code, stderr } = yield* simctl(
        ["push", options.device ?? "booted", bundleId, "-"],
        new TextDecoder().decode(request.spec.body)
      )
      return code === 0
        ? Response.make({ apnsId: yield* uuid })
        : rejected(400, stderr === "" ? `simctl ended with code ${code}` : stderr)
    }).pipe(Effect.catchAll((error) => Effect.succeed(rejected(503, error.message))))

/**
 * A pool that hands every notification to one Simulator. Fails at once where there is no `xcrun`. What `simctl`
 * refuses is an `UnknownReason` with the text that `simctl` printed.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options = {}
): Effect.Effect<ApnsPool.ApnsPool, SimulatorError, CommandExecutor.CommandExecutor | Scope.Scope> =>
  Effect.gen(function*() {
    const executor = yield* CommandExecutor.CommandExecutor
    const { code, stderr } = yield* simctl(["help"], "")
    if (code !== 0) return yield* new SimulatorError({ reason: "SimctlFailed", description: stderr })
    const handler = push(options)
    return yield* Effect.orDie(
      UnstableApnsPool.makeWith(
        (parts) =>
          Connection.fromHandler(
            (request) => Effect.provideService(handler(request), CommandExecutor.CommandExecutor, executor),
            { limit: 4 },
            parts
          ),
        { size: 1, topic: options.topic }
      )
    )
  })

/**
 * {@link make} as a Layer.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options: Options = {}
): Layer.Layer<ApnsPool.ApnsPool, SimulatorError, CommandExecutor.CommandExecutor> =>
  Layer.scoped(ApnsPool.ApnsPool, make(options))
