import { ApnsId, DeviceToken } from "@effect-apns/models"
import { send as sendOne } from "@effect-apns/pool"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { dryRun } from "./dryRun.js"
import { check, NotAccepted, Unsaid } from "./errors.js"
import * as Flags from "./flags.js"
import { jsonLine } from "./json.js"
import { collapseId, delivery, message, notificationOf, pushTypeOf, sendingOf } from "./notification.js"
import type { Outcome } from "./outcome.js"
import { isObstructed, outcomeOf } from "./outcome.js"
import { optionsOf, target, withPool } from "./pool.js"
import { Screen } from "./screen.js"
import * as Subcommand from "./subcommand.js"

export const json = Flags.toggle("json", "print JSON, for scripts")

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

export const send = Subcommand.make("send", {
  token: Flags.argument("TOKEN", "the device token: hexadecimal, as the app got it"),
  ...message,
  ...delivery,
  collapseId,
  apnsId: Flags.text("apns-id", "UUID", "names the notification. Default: APNs makes one", { rare: true }),
  ...target,
  dryRun: Flags.toggle("dry-run", "send nothing: show the push, and what is wrong with it", { rare: true }),
  json
}, (options) =>
  Effect.gen(function*() {
    const apnsId = Option.getOrUndefined(options.apnsId)
    yield* check(DeviceToken.DeviceToken, "TOKEN", options.token)
    if (apnsId !== undefined) yield* check(ApnsId.ApnsId, "--apns-id", apnsId)
    if (options.dryRun) {
      const { json, token } = options
      const payload = Option.getOrUndefined(options.payload)
      const pushType = pushTypeOf(options)
      const sending = yield* sendingOf(options, pushType)
      const notification = yield* Effect.either(notificationOf(options))
      return yield* dryRun({ token, apnsId, notification, pushType, sending, payload, json })
    }
    const notification = yield* notificationOf(options)
    const sending = yield* sendingOf(options, notification.pushType)
    const pool = yield* optionsOf({ size: Option.some(1), ...options }, sending.topic)
    const result = yield* withPool(
      pool,
      Effect.either(sendOne({ ...sending, token: options.token, notification, apnsId }))
    )
    const outcome = outcomeOf(result, apnsId)
    if (options.json) yield* Console.log(jsonLine({ token: options.token, ...outcome }))
    else if (outcome.outcome === "accepted") yield* Console.log((yield* Screen).fit(report(outcome)))
    else yield* Console.error(report(outcome))
    if (outcome.outcome === "accepted") return
    return yield* isObstructed(result) ? new Unsaid() : new NotAccepted()
  }), {
  what: "Sends one notification and says what became of it.",
  examples: [
    ["apns send 0123...cdef --title Lunch --body \"At noon?\" --sandbox", "an alert, to a build from Xcode"],
    ["apns send 0123...cdef --payload lunch.json --dry-run", "sends nothing, and says what is wrong with it"],
    ["apns send 0123...cdef --push-type background", "wakes the app; the topic comes from APNS_TOPIC"],
    ["apns send 0123...cdef --payload lunch.json --expiration \"2 hours\"", "a payload from a file"],
    ["apns send 0123...cdef --body Hi --json | jq -r .reason", "for scripts"]
  ]
})
