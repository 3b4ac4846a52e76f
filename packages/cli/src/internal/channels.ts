import { ChannelId, Topic } from "@effect-apns/models"
import { Channels } from "@effect-apns/pool"
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type { NotPossible } from "./errors.js"
import { check, NotAccepted, notPossible } from "./errors.js"
import { help } from "./help.js"
import { outcomeOf } from "./outcome.js"
import { optionsOf, target } from "./pool.js"
import { json, report } from "./send.js"

const common = {
  bundleId: Options.text("bundle-id").pipe(
    Options.withDescription("The app's bundle ID. Default: APNS_TOPIC"),
    Options.optional
  ),
  ...target,
  json
}

interface Common {
  readonly bundleId: Option.Option<string>
  readonly sandbox: boolean
  readonly endpoint: Option.Option<string>
  readonly ca: Option.Option<string>
  readonly json: boolean
}

const channelId = Args.text({ name: "CHANNEL-ID" }).pipe(Args.withDescription("The channel, as create has printed it"))

/** Asks, and prints the answer: as JSON, or in words. */
const ask = <A extends object>(
  options: Common,
  question: (channels: Channels.Channels) => Effect.Effect<A, Channels.ChannelsError>,
  words: (answer: A) => string
): Effect.Effect<void, NotPossible | NotAccepted, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const given = Option.getOrUndefined(options.bundleId)
    if (given !== undefined) yield* check(Topic.Topic, "--bundle-id", given)
    const pool = yield* optionsOf({ ...options, size: Option.some(1) }, given)
    const bundleId = given ?? pool.topic
    if (bundleId === undefined) return yield* notPossible("Which app? Give --bundle-id, or set APNS_TOPIC")
    const result = yield* Channels.make({ ...pool, bundleId }).pipe(
      Effect.mapError((error) => notPossible(error.message)),
      Effect.flatMap((channels) => Effect.either(question(channels))),
      Effect.scoped
    )
    if (Either.isRight(result)) {
      const answer = result.right
      const text = options.json ? JSON.stringify({ outcome: "accepted", ...answer }) : words(answer)
      // no channels, no lines
      return yield* text === "" ? Effect.void : Console.log(text)
    }
    const outcome = outcomeOf(Either.left(result.left), undefined)
    yield* options.json ? Console.log(JSON.stringify(outcome)) : Console.error(report(outcome))
    return yield* new NotAccepted()
  })

const create = Command.make("create", {
  policy: Options.choiceWithValue("policy", [
    ["most-recent", "most-recent-message-stored" as const],
    ["none", "no-message-stored" as const]
  ]).pipe(
    Options.withDescription(
      "What APNs keeps for devices that are offline: none (default) or the most-recent message. It never changes"
    ),
    Options.withDefault("no-message-stored" as const)
  ),
  ...common
}, (options) =>
  ask(
    options,
    (channels) => channels.create({ messageStoragePolicy: options.policy }),
    ({ channelId }) => channelId
  )).pipe(
    Command.withDescription(help("Makes a channel, and prints its id.", [
      ["apns channels create --bundle-id com.example.app --policy most-recent", "A channel"],
      ["CHANNEL=$(apns channels create)", "For scripts; the app comes from APNS_TOPIC"]
    ]))
  )

const read = Command.make("read", { channelId, ...common }, (options) =>
  Effect.zipRight(
    check(ChannelId.ChannelId, "CHANNEL-ID", options.channelId),
    ask(
      options,
      (channels) => channels.read({ channelId: options.channelId }),
      ({ messageStoragePolicy }) => messageStoragePolicy
    )
  )).pipe(Command.withDescription(help("Prints the storage policy of a channel.", [
    ["apns channels read dHN0LXNyY2gtY2hubA==", "One channel"]
  ])))

const list = Command.make(
  "list",
  common,
  (options) => ask(options, (channels) => channels.list(), ({ channelIds }) => channelIds.join("\n"))
).pipe(
  Command.withDescription(help("Prints the ids of all channels of an app, one a line.", [
    ["apns channels list --sandbox | wc -l", "How many there are in the development environment"]
  ]))
)

const remove = Command.make("delete", { channelId, ...common }, (options) =>
  Effect.zipRight(
    check(ChannelId.ChannelId, "CHANNEL-ID", options.channelId),
    ask(options, (channels) => channels.delete({ channelId: options.channelId }), () => "Deleted.")
  )).pipe(Command.withDescription(help("Deletes a channel.", [
    ["apns channels delete dHN0LXNyY2gtY2hubA==", "One channel"]
  ])))

export const channels = Command.make("channels").pipe(
  Command.withDescription(help(
    "Creates, reads, lists and deletes the broadcast channels of an app.",
    [
      ["apns channels create --bundle-id com.example.app", "Makes a channel, and prints its id"],
      ["apns channels create --help", "Everything about one of them"]
    ],
    "Channels of the development environment (--sandbox) do not exist in production. An app has at most 10,000 in each."
  )),
  Command.withSubcommands([create, read, list, remove])
)
