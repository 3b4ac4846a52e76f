import { ChannelId, Topic } from "@effect-apns/models"
import { Channels } from "@effect-apns/pool"
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type { NotPossible } from "./errors.js"
import { check, NotAccepted, notPossible, Unsaid } from "./errors.js"
import * as Flags from "./flags.js"
import { jsonLine } from "./json.js"
import { isObstructed, outcomeOf } from "./outcome.js"
import { optionsOf, target } from "./pool.js"
import { json, report } from "./send.js"
import * as Subcommand from "./subcommand.js"

const common = {
  bundleId: Flags.text("bundle-id", "ID", "the app's bundle ID. Default: APNS_TOPIC"),
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

const channelId = Flags.argument("CHANNEL-ID", "the channel, as create has printed it")

/** Asks, and prints the answer: as JSON, or in words. */
const ask = <A extends object>(
  options: Common,
  question: (channels: Channels.Channels) => Effect.Effect<A, Channels.ChannelsError>,
  words: (answer: A) => string
): Effect.Effect<void, NotPossible | NotAccepted | Unsaid, FileSystem.FileSystem> =>
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
      const text = options.json ? jsonLine({ outcome: "accepted", ...answer }) : words(answer)
      // no channels, no lines
      return yield* text === "" ? Effect.void : Console.log(text)
    }
    const outcome = outcomeOf(Either.left(result.left), undefined)
    yield* options.json ? Console.log(jsonLine(outcome)) : Console.error(report(outcome))
    return yield* isObstructed(result) ? new Unsaid() : new NotAccepted()
  })

const create = Subcommand.make("channels create", {
  policy: Flags.choice(
    "policy",
    "POLICY",
    "what APNs keeps for devices that are offline: none (default) or most-recent, the latest message. It never changes",
    [["most-recent", "most-recent-message-stored"], ["none", "no-message-stored"]]
  ),
  ...common
}, (options) =>
  ask(
    options,
    (channels) =>
      channels.create({ messageStoragePolicy: Option.getOrElse(options.policy, () => "no-message-stored" as const) }),
    ({ channelId }) => channelId
  ), {
  what: "Makes a channel, and prints its id.",
  examples: [
    ["apns channels create --bundle-id com.example.app --policy most-recent", "a channel"],
    ["CHANNEL=$(apns channels create)", "for scripts; the app comes from APNS_TOPIC"]
  ]
})

const read = Subcommand.make("channels read", { channelId, ...common }, (options) =>
  Effect.zipRight(
    check(ChannelId.ChannelId, "CHANNEL-ID", options.channelId),
    ask(
      options,
      (channels) => channels.read({ channelId: options.channelId }),
      ({ messageStoragePolicy }) => messageStoragePolicy
    )
  ), {
  what: "Prints the storage policy of a channel.",
  examples: [["apns channels read dHN0LXNyY2gtY2hubA==", "one channel"]]
})

const list = Subcommand.make(
  "channels list",
  common,
  (options) => ask(options, (channels) => channels.list(), ({ channelIds }) => channelIds.join("\n")),
  {
    what: "Prints the ids of all channels of an app, one a line.",
    examples: [["apns channels list --sandbox | wc -l", "how many there are in the development environment"]]
  }
)

const remove = Subcommand.make("channels delete", { channelId, ...common }, (options) =>
  Effect.zipRight(
    check(ChannelId.ChannelId, "CHANNEL-ID", options.channelId),
    ask(options, (channels) => channels.delete({ channelId: options.channelId }), () => "Deleted.")
  ), {
  what: "Deletes a channel.",
  examples: [["apns channels delete dHN0LXNyY2gtY2hubA==", "one channel"]]
})

export const channels = Subcommand.group("channels", [
  ["create", "makes a channel, and prints its id", create],
  ["read", "prints the storage policy of a channel", read],
  ["list", "prints the ids of all channels of an app", list],
  ["delete", "deletes a channel", remove]
], {
  what:
    "Creates, reads, lists and deletes the broadcast channels of an app. Channels of the development environment (--sandbox) do not exist in production. An app has at most 10,000 in each.",
  examples: [
    ["apns channels create --bundle-id com.example.app", "makes a channel, and prints its id"],
    ["apns channels create --help", "the options of one of them"]
  ]
})
