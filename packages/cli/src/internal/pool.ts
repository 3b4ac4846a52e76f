import { Topic } from "@effect-apns/models"
import { ApnsPool, PoolConfig } from "@effect-apns/pool"
import type * as FileSystem from "@effect/platform/FileSystem"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { check, describeConfigError, notPossible } from "./errors.js"
import type { NotPossible } from "./errors.js"
import * as Flags from "./flags.js"

/** Where to send; each option is used instead of the environment variable with the same meaning. */
export const target = {
  sandbox: Flags.toggle("sandbox", "send to the development environment: builds from Xcode"),
  endpoint: Flags.text(
    "endpoint",
    "URL",
    "production, development or https://host[:port]. Default: APNS_ENDPOINT, else production",
    { rare: true }
  ),
  ca: Flags.file(
    "ca",
    "a PEM file: the authorities to trust, for a server that is not Apple's. Default: APNS_CA_FILE",
    { rare: true }
  )
}

export const size = Flags.whole("size", "connections. Default: APNS_POOL_SIZE, else 10", 1, { rare: true })

export interface Target {
  readonly sandbox: boolean
  readonly endpoint: Option.Option<string>
  readonly ca: Option.Option<string>
  readonly size: Option.Option<number>
}

const overridden = (target: Target): Effect.Effect<ConfigProvider.ConfigProvider, NotPossible> => {
  if (target.sandbox && Option.isSome(target.endpoint)) {
    return notPossible("--sandbox and --endpoint say the same thing: give one of them")
  }
  const given = new Map<string, string>()
  if (target.sandbox) given.set("APNS_ENDPOINT", "development")
  if (Option.isSome(target.endpoint)) given.set("APNS_ENDPOINT", target.endpoint.value)
  if (Option.isSome(target.ca)) {
    given.set("APNS_CA_FILE", target.ca.value)
    // the option is used instead of both variables, and an empty one counts as unset
    given.set("APNS_CA", "")
  }
  if (Option.isSome(target.size)) given.set("APNS_POOL_SIZE", String(target.size.value))
  return Effect.configProviderWith((environment) =>
    Effect.succeed(ConfigProvider.orElse(ConfigProvider.fromMap(given), () => environment))
  )
}

/** Errors name an option as it was typed, not the variable with the same meaning. */
const asTyped = (target: Target, message: string): string => {
  let text = message
  if (Option.isSome(target.endpoint)) text = text.replaceAll("APNS_ENDPOINT", "--endpoint")
  if (Option.isSome(target.size)) text = text.replaceAll("APNS_POOL_SIZE", "--size")
  if (Option.isSome(target.ca)) {
    text = text.replaceAll("APNS_CA_FILE", "--ca").replace(
      /: pass it as APNS_CA$/,
      ": set APNS_CA to it, or name its file"
    )
  }
  return text
}

/** The options of the pool, from the command line and the environment. */
export const optionsOf = (
  target: Target,
  topic: string | undefined
): Effect.Effect<ApnsPool.Resolved, NotPossible, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const provider = yield* overridden(target)
    const options = yield* Effect.withConfigProvider(PoolConfig.options(), provider).pipe(
      Effect.catchTag("CredentialsError", ({ message }) => notPossible(asTyped(target, message))),
      Effect.catchAll((error) =>
        error._tag === "NotPossible" ? error : notPossible(asTyped(target, describeConfigError(error)))
      )
    )
    if (options.topic !== undefined) yield* check(Topic.Topic, "APNS_TOPIC", options.topic)
    if (topic === undefined && options.topic === undefined && options.credentials._tag === "Token") {
      return yield* notPossible(
        "Which app? Give --topic with its bundle ID, such as com.example.app, or set APNS_TOPIC"
      )
    }
    return options
  })

/** Runs with the pool; closing it waits for requests in flight. */
export const withPool = <A, E, R>(
  options: ApnsPool.Resolved,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E | NotPossible, Exclude<R, ApnsPool.ApnsPool>> =>
  Effect.provide(
    effect,
    Layer.scoped(ApnsPool.ApnsPool, Effect.mapError(ApnsPool.make(options), (error) => notPossible(error.message)))
  )
