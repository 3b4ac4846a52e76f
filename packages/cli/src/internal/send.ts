import { ApnsId, DeviceToken } from "@effect-apns/models"
import { send as sendOne } from "@effect-apns/pool"
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { check, NotAccepted } from "./errors.js"
import { help } from "./help.js"
import { collapseId, delivery, message, notificationOf, sendingOf } from "./notification.js"
import type { Outcome } from "./outcome.js"
import { outcomeOf } from "./outcome.js"
import { optionsOf, target, withPool } from "./pool.js"

export const json = Options.boolean("json").pipe(Options.withDescription("Print JSON, for scripts"))

export const report = (outcome: Outcome): string => {
  switch (outcome.outcome) {
    case "accepted": {
      const { apnsId, attempts, uniqueId } = outcome
      return `Accepted: apns-id ${apnsId}` + (uniqueId === undefined ? "" : `, apns-unique-id ${uniqueId}`) +
        (attempts === 1 ? "" : `, sent ${attempts} times`)
    }
    case "rejected":
      return `Rejected: ${outcome.message}`
    case "failed":
      return `Failed: ${outcome.error}: ${outcome.message}`
  }
}

export const send = Command.make("send", {
  token: Args.text({ name: "TOKEN" }).pipe(Args.withDescription("The device token: hexadecimal, as the app got it")),
  ...message,
  ...delivery,
  collapseId,
  apnsId: Options.text("apns-id").pipe(
    Options.withDescription("A UUID that names the notification. Default: APNs makes one"),
    Options.optional
  ),
  ...target,
  json
}, (options) =>
  Effect.gen(function*() {
    const apnsId = Option.getOrUndefined(options.apnsId)
    yield* check(DeviceToken.DeviceToken, "TOKEN", options.token)
    if (apnsId !== undefined) yield* check(ApnsId.ApnsId, "--apns-id", apnsId)
    const notification = yield* notificationOf(options)
    const sending = yield* sendingOf(options, notification.pushType)
    const pool = yield* optionsOf({ size: Option.some(1), ...options }, sending.topic)
    const result = yield* withPool(
      pool,
      Effect.either(sendOne({ ...sending, token: options.token, notification, apnsId }))
    )
    const outcome = outcomeOf(result, apnsId)
    if (options.json) yield* Console.log(JSON.stringify({ token: options.token, ...outcome }))
    else if (outcome.outcome === "accepted") yield* Console.log(report(outcome))
    else yield* Console.error(report(outcome))
    if (outcome.outcome !== "accepted") return yield* new NotAccepted()
  })).pipe(
    Command.withDescription(help("Sends one notification and says what became of it.", [
      [
        "apns send 0123...cdef --topic com.example.app --title Lunch --body \"At noon?\" --sandbox",
        "An alert, to a build from Xcode"
      ],
      ["apns send 0123...cdef --push-type background", "Wakes the app; the topic comes from APNS_TOPIC"],
      [
        "apns send 0123...cdef --payload lunch.json --collapse-id lunch --expiration \"2 hours\"",
        "A payload from a file"
      ],
      ["apns send 0123...cdef --body Hi --json | jq -r .reason", "For scripts"]
    ]))
  )
