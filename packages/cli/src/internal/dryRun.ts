import { Expiration, Lint, Notification, Printable, PushType, Topic } from "@effect-apns/models"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type * as ParseResult from "effect/ParseResult"
import { check, NotAccepted, notPossible } from "./errors.js"
import type { NotPossible } from "./errors.js"
import { jsonLine } from "./json.js"
import type { Sending } from "./notification.js"

const topicOf = (given: string | undefined): Effect.Effect<string | undefined, NotPossible> =>
  given !== undefined
    ? Effect.succeed(given)
    : Effect.gen(function*() {
      const set = yield* Effect.orElseSucceed(Config.option(Config.string("APNS_TOPIC")), () => Option.none())
      // an empty variable counts as unset
      const topic = Option.getOrElse(set, () => "")
      return topic === "" ? undefined : yield* check(Topic.Topic, "APNS_TOPIC", topic)
    })

const described = ({ key, severity, url, what, why }: Lint.Finding): string =>
  `${severity}: ${key}: ${what} ${why}\n  ${url}`

const readable = (error: ParseResult.ParseError): NotPossible => notPossible(error.message)

export interface DryRun {
  readonly token: string
  readonly apnsId: string | undefined
  readonly notification: Either.Either<Notification.Notification, NotPossible>
  readonly pushType: PushType.PushType
  readonly sending: Sending
  readonly payload: string | undefined
  readonly json: boolean
}

/** What would be sent, what is wrong with it, and how to say so. */
export interface Examined {
  /** Something known is wrong: APNs would refuse it, or no device show it. */
  readonly wrong: boolean
  readonly words: string
  readonly json: object
}

/** Looks at what would be sent. It needs no credentials, and opens no connection. */
export const examine = (
  { apnsId, notification, payload, pushType, sending, token }: Omit<DryRun, "json">
): Effect.Effect<Examined, NotPossible, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const now = yield* DateTime.now
    const topic = yield* topicOf(sending.topic)
    const prepared = Option.getOrUndefined(
      Option.flatMap(Either.getRight(notification), (given) => Either.getRight(Notification.prepare(given)))
    )
    const info = PushType.info(pushType)
    const priority = sending.priority ?? prepared?.defaultPriority ?? info.defaultPriority
    const optional: Record<string, string | undefined> = {
      "apns-topic": topic === undefined
        ? undefined
        : Topic.withSuffix(topic, prepared === undefined ? info.topicSuffix : prepared.topicSuffix),
      "apns-push-type": pushType,
      "apns-priority": priority === undefined ? undefined : String(priority),
      "apns-expiration": sending.expiration === undefined
        ? undefined
        : yield* Either.mapLeft(Expiration.toHeader(sending.expiration), readable),
      "apns-collapse-id": sending.collapseId,
      "apns-id": apnsId?.toLowerCase()
    }
    const headers: Record<string, string> = {}
    for (const [name, value] of Object.entries(optional)) if (value !== undefined) headers[name] = value
    const path = `/3/device/${token}`
    // the file as it is written: what is refused there has more to say than the first thing that is wrong
    const body = payload === undefined ? prepared?.body : yield* Effect.option(fs.readFile(payload)).pipe(
      Effect.map(Option.getOrUndefined)
    )
    const findings = body === undefined ? [] : Lint.lint({ payload: body, headers, path, now })
    const wrong = Lint.hasErrors(findings) || Either.isLeft(notification)
    const sent = prepared === undefined ? undefined : new TextDecoder().decode(prepared.body)
    const shown = prepared === undefined || sent === undefined ? [] : [
      `POST ${path}`,
      ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
      "",
      `${Printable.text(sent, sent.length)}`,
      "",
      `${prepared.body.length} bytes`
    ]
    const said = findings.length > 0
      ? ["", ...findings.map(described)]
      : wrong
      ? []
      : ["Nothing known is wrong with it."]
    return {
      wrong,
      words: [...shown, ...said].join("\n"),
      json: { headers, payload: sent, bytes: prepared?.body.length, findings }
    }
  })

/** Says what would be sent, and what is wrong with it. */
export const dryRun = (
  options: DryRun
): Effect.Effect<void, NotPossible | NotAccepted, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const { json, notification, token } = options
    const examined = yield* examine(options)
    if (json) yield* Console.log(jsonLine({ outcome: "dry-run", token, ...examined.json }))
    else if (Either.isRight(notification)) {
      yield* Console.log(`Nothing was sent. It would be:\n\n${examined.words}`)
    } else if (examined.words !== "") yield* Console.log(examined.words)
    if (Either.isLeft(notification)) return yield* notification.left
    if (examined.wrong) return yield* new NotAccepted()
  })
