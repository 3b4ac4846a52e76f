import { Topic } from "@effect-apns/models"
import { send, Simulator } from "@effect-apns/pool"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { check, NotAccepted, notPossible } from "./errors.js"
import * as Flags from "./flags.js"
import { jsonLine } from "./json.js"
import { message, notificationOf } from "./notification.js"
import { outcomeOf } from "./outcome.js"
import { json, report } from "./send.js"
import * as Subcommand from "./subcommand.js"

export const simulator = Subcommand.make("simulator", {
  device: Flags.argument("UDID", "the Simulator, from xcrun simctl list devices; booted: the one that is running"),
  bundleId: Flags.argument("BUNDLE-ID", "the app, such as com.example.app"),
  ...message,
  json
}, ({ bundleId, device, json, ...options }) =>
  Effect.gen(function*() {
    const topic = yield* check(Topic.Topic, "BUNDLE-ID", bundleId)
    const notification = yield* notificationOf(options)
    const result = yield* Effect.either(send({ token: "00", topic, notification })).pipe(
      Effect.provide(Simulator.layer({ device, bundleId })),
      Effect.catchTag("SimulatorError", (error) => notPossible(error.message))
    )
    const outcome = outcomeOf(result, undefined)
    if (json) yield* Console.log(jsonLine({ device, bundleId, ...outcome }))
    else if (outcome.outcome === "accepted") yield* Console.log(`Handed to the Simulator ${device}.`)
    else yield* Console.error(report(outcome))
    if (outcome.outcome !== "accepted") return yield* new NotAccepted()
  }), {
  what: "Sends a notification to an iOS Simulator on this Mac, by xcrun simctl push. No credentials are needed.",
  examples: [
    ["apns simulator booted com.example.app --title Lunch --body \"At noon?\"", "to the Simulator that is running"],
    ["apns simulator booted com.example.app --payload lunch.json", "a payload from a file"]
  ]
})
