import {
  CollapseId,
  Expiration,
  Notification,
  Payload,
  Printable,
  Priority,
  PushType,
  Topic
} from "@effect-apns/models"
import type * as Options from "@effect/cli/Options"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import { check, notPossible } from "./errors.js"
import type { NotPossible } from "./errors.js"
import { fileReason } from "./files.js"
import * as Flags from "./flags.js"

const keysOf = <K extends string>(record: { readonly [P in K]: unknown }): Array<K> => Object.keys(record) as Array<K>

const pushTypes = keysOf(PushType.table).map((type) => [type, type] as const)

/** What the notification says. */
export const message = {
  title: Flags.text("title", "TEXT", "the first, bold line", { mayBeEmpty: true }),
  subtitle: Flags.text("subtitle", "TEXT", "the line below the title", { rare: true, mayBeEmpty: true }),
  body: Flags.text("body", "TEXT", "the words", { mayBeEmpty: true }),
  badge: Flags.whole("badge", "the number on the app's icon; 0 removes it", 0),
  sound: Flags.text("sound", "NAME", "a sound file of the app, or default"),
  category: Flags.text("category", "ID", "a category that the app registered: its identifier", { rare: true }),
  threadId: Flags.text("thread-id", "ID", "the device groups notifications by it", { rare: true }),
  interruptionLevel: Flags.choice("interruption-level", "LEVEL", "how much it may disturb", [
    ["passive", "passive"],
    ["active", "active"],
    ["time-sensitive", "time-sensitive"],
    ["critical", "critical"]
  ], { rare: true }),
  payload: Flags.file("payload", "instead of these: a JSON file with the whole payload"),
  raw: Flags.toggle("raw", "send the file of --payload as it is: only its size is checked", { rare: true }),
  pushType: Flags.choice(
    "push-type",
    "TYPE",
    "alert (default), background, voip, liveactivity, ...",
    pushTypes
  )
}

/** How it is sent. */
export const delivery = {
  topic: Flags.text("topic", "ID", "the app's bundle ID. Default: APNS_TOPIC"),
  priority: Flags.choice(
    "priority",
    "N",
    "10 at once, 5 with regard to the battery, 1 never wakes the device. Default: what Apple prescribes for the push type",
    [["10", 10], ["5", 5], ["1", 1]],
    { rare: true }
  ),
  expiration: Flags.text(
    "expiration",
    "TIME",
    "until when APNs keeps trying: none (one attempt), a duration (\"2 hours\"), an ISO date, or UNIX seconds. Default: as APNs sees fit",
    { rare: true }
  ),
  timeout: Flags.text("timeout", "DURATION", "how long to wait for an answer, such as \"30 seconds\"", { rare: true }),
  retransmit: Flags.choice(
    "retransmit",
    "WHEN",
    "whether to send again when nobody knows if APNs has processed it. Default: collapsible, only with a collapse id",
    [["collapsible", "collapsible"], ["always", "always"], ["never", "never"]],
    { rare: true }
  )
}

export const collapseId = Flags.text(
  "collapse-id",
  "ID",
  "the device shows only the newest of those that share it"
)

type Parsed<O> = { readonly [K in keyof O]: O[K] extends Options.Options<infer A> ? A : never }

const some = Option.getOrUndefined

const words = (options: Parsed<typeof message>): Notification.ContentOptions => {
  const { badge, body, category, interruptionLevel, sound, subtitle, threadId, title } = options
  const alert = { title: some(title), subtitle: some(subtitle), body: some(body) }
  return {
    alert: Object.values(alert).every((part) => part === undefined) ? undefined : alert,
    badge: some(badge),
    sound: some(sound),
    category: some(category),
    threadId: some(threadId),
    interruptionLevel: some(interruptionLevel)
  }
}

const built = (
  pushType: PushType.PushType,
  content: Notification.ContentOptions
): Either.Either<Notification.Notification, NotPossible> => {
  const empty = Object.values(content).every((part) => part === undefined)
  const silent = (notification: Notification.Notification): Either.Either<Notification.Notification, NotPossible> =>
    empty
      ? Either.right(notification)
      : Either.left(
        notPossible(`A ${pushType} push shows nothing: leave out --title, --body and the like, or use --payload`)
      )
  switch (pushType) {
    case "alert":
      return empty
        ? Either.left(notPossible("Nothing to say: give --title, --body, --badge or --sound, or --payload FILE"))
        : Either.right(Notification.alert(content))
    case "complication":
      return Either.right(Notification.complication(content))
    case "location":
      return Either.right(Notification.location(content))
    case "pushtotalk":
      return Either.right(Notification.pushToTalk(content))
    case "voip":
      return Either.right(Notification.voip(content))
    case "background":
      return silent(Notification.background())
    case "controls":
      return silent(Notification.controls())
    case "widgets":
      return silent(Notification.widgets())
    case "fileprovider":
    case "liveactivity":
    case "mdm":
      return Either.left(notPossible(`A ${pushType} push is written as JSON: give --payload FILE`))
  }
}

const fromFile = (
  file: string,
  raw: boolean,
  pushType: PushType.PushType
): Effect.Effect<Notification.Notification, NotPossible, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const bytes = yield* Effect.mapError(
      fs.readFile(file),
      (error) => notPossible(`--payload: ${file} cannot be read: ${fileReason(error)}`)
    )
    if (raw) return Notification.raw({ pushType, payload: bytes })
    return yield* Either.mapLeft(
      Payload.decodeText(pushType)(bytes),
      (error) =>
        notPossible(
          `${file} is no payload of a push of type ${pushType}: ${
            // this command does that with an option, which is named behind
            formatted(error).replace(
              ", or send the text as it is with Notification.raw",
              ""
            )} (--push-type names another type, --raw sends the file as it is)`
        )
    )
  })

/** Where something is wrong in a payload: a deep one has a long way there. */
const placeOf = (path: ReadonlyArray<string>): string =>
  Printable.text((path.length > 20 ? [...path.slice(0, 10), "...", ...path.slice(-5)] : path).join("."))

const formatted = (error: ParseResult.ParseError): string =>
  ParseResult.ArrayFormatter.formatErrorSync(error)
    .map(({ message, path }) => path.length === 0 ? message : `${placeOf(path.map(String))}: ${message}`)
    .join("; ")

/** What `--push-type` says. */
export const pushTypeOf = (options: Parsed<typeof message>): PushType.PushType =>
  Option.getOrElse(options.pushType, () => "alert" as const)

/** The notification, checked and known to fit. */
export const notificationOf = (
  options: Parsed<typeof message>
): Effect.Effect<Notification.Notification, NotPossible, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const content = words(options)
    const { payload, raw } = options
    const pushType = pushTypeOf(options)
    if (Option.isNone(payload)) {
      if (raw) return yield* notPossible("--raw goes with --payload FILE")
      return yield* built(pushType, content)
    }
    if (Object.values(content).some((part) => part !== undefined)) {
      return yield* notPossible("--payload is the whole notification: leave out --title, --body and the like")
    }
    return yield* fromFile(payload.value, raw, pushType)
  }).pipe(
    Effect.tap((notification) =>
      Either.mapLeft(
        Notification.prepare(notification),
        (error) => notPossible(error._tag === "ParseError" ? formatted(error) : error.message)
      )
    )
  )

export interface Sending {
  readonly topic: string | undefined
  readonly priority: Priority.Priority | undefined
  readonly expiration: Expiration.Expiration | undefined
  readonly timeout: Duration.Duration | undefined
  readonly retransmit: "collapsible" | "always" | "never" | undefined
  readonly collapseId: string | undefined
}

const isDuration = (input: string): input is `${number} seconds` =>
  /^\d+(\.\d+)? (millis|seconds?|minutes?|hours?|days?|weeks?)$/.test(input)

export const durationOf = (option: string, input: string): Either.Either<Duration.Duration, NotPossible> =>
  isDuration(input)
    ? Either.right(Duration.decode(input))
    : Either.left(
      notPossible(`${option}: "${input}" is no duration: write it as "30 seconds", "10 minutes" or "2 hours"`)
    )

/** What is over would be given up at once, as if there had been no time to send it. */
const toCome = <A extends number | DateTime.DateTime>(input: string, at: A): Effect.Effect<A, NotPossible> =>
  Effect.gen(function*() {
    const seconds = yield* Either.mapLeft(
      Expiration.toSeconds(at),
      (error) => notPossible(`--expiration: ${formatted(error)}`)
    )
    const now = yield* Clock.currentTimeMillis
    return seconds * 1000 > now || seconds === 0
      ? at
      : yield* notPossible(
        `--expiration: ${Printable.text(input, 60)} is over: give a time to come, or none for one attempt`
      )
  })

const expirationOf = (input: string): Effect.Effect<Expiration.Expiration, NotPossible> =>
  Effect.gen(function*() {
    if (input === "none") return input
    if (/^\d+$/.test(input)) return yield* toCome(input, Number(input))
    if (isDuration(input)) {
      const now = yield* Clock.currentTimeMillis
      return DateTime.unsafeMake(now + Duration.toMillis(Duration.decode(input)))
    }
    return yield* Option.match(/^\d{4}-/.test(input) ? DateTime.make(input) : Option.none(), {
      onNone: () =>
        notPossible(`--expiration: "${input}" is not none, a duration such as "2 hours", an ISO date or UNIX seconds`),
      onSome: (at) => toCome(input, at)
    })
  })

const timeoutOf = (input: string): Either.Either<Duration.Duration, NotPossible> =>
  Either.filterOrLeft(
    durationOf("--timeout", input),
    (timeout) => Duration.toMillis(timeout) > 0,
    () => notPossible("--timeout: there is no time in 0: give a longer one, such as \"10 seconds\"")
  )

/** How it is sent, checked for the push type. */
export const sendingOf = (
  options: Parsed<typeof delivery> & { readonly collapseId: Option.Option<string> },
  pushType: string
): Effect.Effect<Sending, NotPossible> =>
  Effect.gen(function*() {
    const { collapseId, expiration, priority, retransmit, timeout, topic } = options
    if (Option.isSome(topic)) yield* check(Topic.Topic, "--topic", topic.value)
    if (Option.isSome(collapseId)) yield* check(CollapseId.CollapseId, "--collapse-id", collapseId.value)
    if (Option.isSome(priority)) {
      yield* Either.mapLeft(
        Priority.forPushType(priority.value, pushType),
        (error) => notPossible(`--priority: ${formatted(error)}`)
      )
    }
    return {
      topic: some(topic),
      priority: some(priority),
      retransmit: some(retransmit),
      collapseId: some(collapseId),
      expiration: Option.isSome(expiration) ? yield* expirationOf(expiration.value) : undefined,
      timeout: Option.isSome(timeout) ? yield* timeoutOf(timeout.value) : undefined
    }
  })
