import { Topic } from "@effect-apns/models"
import { send, Simulator } from "@effect-apns/pool"
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { check, NotAccepted, notPossible } from "./errors.js"
import { help } from "./help.js"
import { message, notificationOf } from "./notification.js"
import { outcomeOf } from "./outcome.js"
import { json, report } from "./send.js"

export const simulator = Command.make("simulator", {
  device: Args.text({ name: "UDID" }).pipe(
    Args.withDescription("The Simulator, as xcrun simctl list devices shows it, or booted: the one that is running")
  ),
  bundleId: Args.text({ name: "BUNDLE-ID" }).pipe(Args.withDescription("The app, such as com.example.app")),
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
    if (json) yield* Console.log(JSON.stringify({ device, bundleId, ...outcome }))
    else if (outcome.outcome === "accepted") yield* Console.log(`Handed to the Simulator ${device}.`)
    else yield* Console.error(report(outcome))
    if (outcome.outcome !== "accepted") return yield* new NotAccepted()
  })).pipe(
    Command.withDescription(help(
      "Sends a notification to an iOS Simulator on this Mac, by xcrun simctl push. No credentials are needed.",
      [
        ["apns simulator booted com.example.app --title Lunch --body \"At noon?\"", "To the Simulator that is running"],
        ["apns simulator booted com.example.app --payload lunch.json", "A payload from a file"]
      ]
    ))
  )
