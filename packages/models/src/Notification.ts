/**
 * Notifications: what to say, as plain data, and how it becomes the bytes of a payload.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type * as AlertContent from "./Alert.js"
import { defined } from "./internal/defined.js"
import * as envelope from "./internal/envelope.js"
import * as fast from "./internal/fast.js"
import { lazy } from "./internal/lazy.js"
import * as linting from "./internal/lint.js"
import * as problems from "./internal/problems.js"
import { guarded, Unreadable } from "./internal/unreadable.js"
import * as utf8 from "./internal/utf8.js"
import type * as InterruptionLevel from "./InterruptionLevel.js"
import * as Json from "./Json.js"
import type * as Lint from "./Lint.js"
import * as LiveActivities from "./LiveActivity.js"
import * as Localized from "./Localized.js"
import * as Payload from "./Payload.js"
import * as Printable from "./Printable.js"
import type * as Priority from "./Priority.js"
import * as PushType from "./PushType.js"
import * as Rejection from "./Rejection.js"
import type * as Sound from "./Sound.js"
import { Memo } from "./unstable/Memo.js"

/**
 * What `aps` and the keys beside it may hold.
 *
 * Source: Apple, "Generating a remote notification".
 *
 * @since 0.1.0
 * @category models
 */
export interface Content {
  /** The words: a string is the body. */
  readonly alert?: string | AlertContent.Alert | undefined
  /** The number on the app's icon; 0 clears it. */
  readonly badge?: number | undefined
  readonly sound?: Sound.Sound | undefined
  /** What to group by. */
  readonly threadId?: string | undefined
  /** The identifier of a category that the app registered. */
  readonly category?: string | undefined
  /** Wake the app as well. */
  readonly contentAvailable?: true | undefined
  /** Let the app's notification service extension change the notification first. */
  readonly mutableContent?: true | undefined
  /** The window to bring forward. */
  readonly targetContentId?: string | undefined
  readonly interruptionLevel?: InterruptionLevel.InterruptionLevel | undefined
  /** From 0 to 1: the highest stands out in a summary. */
  readonly relevanceScore?: number | undefined
  /** What the Focus filter of the app goes by. */
  readonly filterCriteria?: string | undefined
  /** Only for Safari website pushes (legacy): what fills the placeholders of the website's URL. */
  readonly urlArgs?: ReadonlyArray<string> | undefined
  /** The app's own keys, beside `aps`; none may be named `aps`. */
  readonly custom?: Json.JsonObject | undefined
}

/**
 * What {@link alert} and its like take: as {@link Content}, with plain booleans for flags.
 *
 * @since 0.1.0
 * @category models
 */
export interface ContentOptions extends Omit<Content, "contentAvailable" | "mutableContent"> {
  /** Wake the app as well. */
  readonly contentAvailable?: boolean | undefined
  /** Let the app's notification service extension change the notification first. */
  readonly mutableContent?: boolean | undefined
}

interface WithCustom {
  /** The app's own keys, beside `aps`; none may be named `aps`. */
  readonly custom?: Json.JsonObject | undefined
}

/**
 * Shows something, plays a sound or sets the badge.
 *
 * @since 0.1.0
 * @category models
 */
export interface Alert extends Content {
  readonly pushType: "alert"
}

/**
 * Wakes the app silently.
 *
 * @since 0.1.0
 * @category models
 */
export interface Background extends WithCustom {
  readonly pushType: "background"
}

/**
 * Updates a watchOS complication.
 *
 * @since 0.1.0
 * @category models
 */
export interface Complication extends Content {
  readonly pushType: "complication"
}

/**
 * Reloads a control.
 *
 * @since 0.1.0
 * @category models
 */
export interface Controls extends WithCustom {
  readonly pushType: "controls"
}

/**
 * Tells a File Provider extension that a container changed.
 *
 * @since 0.1.0
 * @category models
 */
export interface FileProvider {
  readonly pushType: "fileprovider"
  /** What changed; `NSFileProviderWorkingSetContainerItemIdentifier` for a replicated extension. */
  readonly containerIdentifier: string
  /** The identifier of the domain. */
  readonly domain: string
}

/**
 * How a payload spells a {@link FileProvider}.
 *
 * @since 0.1.0
 * @category models
 */
export interface FileProviderEncoded {
  readonly "container-identifier": string
  readonly domain: string
}

/**
 * Starts, updates or ends a Live Activity.
 *
 * @since 0.1.0
 * @category models
 */
export type LiveActivity = LiveActivities.LiveActivity

/**
 * Asks a location push service extension where the device is.
 *
 * @since 0.1.0
 * @category models
 */
export interface Location extends Content {
  readonly pushType: "location"
}

/**
 * Tells a managed device to contact its MDM server.
 *
 * @since 0.1.0
 * @category models
 */
export interface Mdm {
  readonly pushType: "mdm"
  /** The `PushMagic` that the device sent when it enrolled. */
  readonly pushMagic: string
}

/**
 * How a payload spells an {@link Mdm}.
 *
 * @since 0.1.0
 * @category models
 */
export interface MdmEncoded {
  readonly mdm: string
}

/**
 * Announces a speaker in a Push to Talk channel.
 *
 * @since 0.1.0
 * @category models
 */
export interface PushToTalk extends Content {
  readonly pushType: "pushtotalk"
}

/**
 * Announces a call.
 *
 * @since 0.1.0
 * @category models
 */
export interface Voip extends Content {
  readonly pushType: "voip"
}

/**
 * Reloads widgets.
 *
 * @since 0.1.0
 * @category models
 */
export interface Widgets extends WithCustom {
  readonly pushType: "widgets"
}

/**
 * A payload made elsewhere: JSON, JSON text, or UTF-8 bytes. Only its size is checked. Its push type is one of
 * `PushType.table`, or any other token (RFC 9110 section 5.6.2): Apple adds push types from time to time.
 *
 * @since 0.1.0
 * @category models
 */
export interface Raw<P extends string = PushType.PushType | (string & {})> {
  readonly pushType: P
  /** An object is written compactly with sorted keys; text and bytes are sent as they are. */
  readonly payload: Json.JsonObject | string | Uint8Array
  /**
   * What the topic ends in, after the bundle ID, for example `.push-type.newtype`. Default: what Apple asks for with this
   * push type, and nothing for a push type that is not in `PushType.table`. A broadcast has none.
   */
  readonly topicSuffix?: string | undefined
}

/**
 * Any notification: immutable plain data, distinguished by `pushType` (and `payload` in a {@link Raw}).
 *
 * @since 0.1.0
 * @category models
 */
export type Notification =
  | Alert
  | Background
  | Complication
  | Controls
  | FileProvider
  | LiveActivity
  | Location
  | Mdm
  | PushToTalk
  | Raw
  | Voip
  | Widgets

const hasNoFalse = (options: ContentOptions): options is Content =>
  options.contentAvailable !== false && options.mutableContent !== false

// For Apple a flag is always 1: `false` is encoded by leaving it out.
const content = <const P extends PushType.PushType>(options: ContentOptions, pushType: P): Content & Typed<P> =>
  guarded(pushType, () => contentOf(options, pushType))

const contentOf = <const P extends PushType.PushType>(options: ContentOptions, pushType: P): Content & Typed<P> => {
  if (hasNoFalse(options)) return copy(options, pushType)
  const { contentAvailable, mutableContent, ...rest } = options
  return copy(
    defined({
      ...rest,
      contentAvailable: contentAvailable === true ? contentAvailable : undefined,
      mutableContent: mutableContent === true ? mutableContent : undefined
    }),
    pushType
  )
}

interface Typed<P> {
  readonly pushType: P
}

const typed = <const P extends PushType.PushType, O extends object>(options: O, pushType: P): O & Typed<P> =>
  guarded(pushType, () => copy(options, pushType))

// The tag comes first because V8 is ten times faster if an object literal does not begin with a spread.
const copy = <const P extends PushType.PushType, O extends object>(options: O, pushType: P): O & Typed<P> => {
  const notification = { pushType, ...options }
  return notification.pushType === pushType ? notification : { ...options, pushType }
}

/**
 * Shows something, plays a sound or sets the badge.
 *
 * Constructors never throw: their input is checked by {@link prepare}.
 *
 * @example
 * ```ts
 * import { Notification } from "@effect-apns/models"
 * import { Either } from "effect"
 *
 * const lunch = Notification.alert({
 *   alert: { title: "Lunch", body: Notification.localized("LUNCH_INVITE", ["Jenna", "Frank"]) },
 *   badge: 0,
 *   interruptionLevel: "time-sensitive",
 *   custom: { orderId: 7 }
 * })
 *
 * const { body } = Either.getOrThrow(Notification.prepare(lunch))
 * console.log(new TextDecoder().decode(body))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const alert = (options: ContentOptions): Alert => content(options, "alert")

/**
 * Wakes the app silently, two or three times an hour at most. Always of priority 5.
 *
 * Source: Apple, "Pushing background updates to your App".
 *
 * @since 0.1.0
 * @category constructors
 */
export const background = (options: WithCustom = {}): Background => typed(options, "background")

/**
 * Updates a watchOS complication.
 *
 * @since 0.1.0
 * @category constructors
 */
export const complication = (options: ContentOptions = {}): Complication => content(options, "complication")

/**
 * Reloads a control; Apple's sample sends it with priority 10 and expiration `"none"`.
 *
 * Source: Apple, "Updating controls locally and remotely".
 *
 * @since 0.1.0
 * @category constructors
 */
export const controls = (options: WithCustom = {}): Controls => typed(options, "controls")

/**
 * Tells a File Provider extension that a container changed.
 *
 * Source: Apple, "Using push notifications to signal changes".
 *
 * @since 0.1.0
 * @category constructors
 */
export const fileProvider = (options: Omit<FileProvider, "pushType">): FileProvider => typed(options, "fileprovider")

/**
 * Starts, updates or ends a Live Activity whose attributes and state are plain JSON. For typed ones see
 * `LiveActivity.define`.
 *
 * Source: Apple, "Starting and updating Live Activities with ActivityKit push notifications".
 *
 * @since 0.1.0
 * @category constructors
 */
export const liveActivity: {
  readonly start: typeof LiveActivities.start
  readonly update: typeof LiveActivities.update
  readonly end: typeof LiveActivities.end
} = { start: LiveActivities.start, update: LiveActivities.update, end: LiveActivities.end }

/**
 * Asks a location push service extension where the device is.
 *
 * Source: Apple, "Creating a location push service extension".
 *
 * @since 0.1.0
 * @category constructors
 */
export const location = (options: ContentOptions = {}): Location => content(options, "location")

/**
 * Tells a managed device to contact its MDM server.
 *
 * Source: Apple, "Sending MDM Commands to a Device".
 *
 * @since 0.1.0
 * @category constructors
 */
export const mdm = (options: Omit<Mdm, "pushType">): Mdm => typed(options, "mdm")

/**
 * Announces a speaker in a Push to Talk channel; send it with priority 10 and expiration `"none"`.
 *
 * Source: Apple, "Creating a Push to Talk app".
 *
 * @since 0.1.0
 * @category constructors
 */
export const pushToTalk = (options: ContentOptions = {}): PushToTalk => content(options, "pushtotalk")

/**
 * Announces a call; send it with expiration `"none"` or a few seconds. Up to 5120 bytes.
 *
 * Source: Apple, "Responding to VoIP Notifications from PushKit".
 *
 * @since 0.1.0
 * @category constructors
 */
export const voip = (options: ContentOptions = {}): Voip => content(options, "voip")

/**
 * Reloads widgets.
 *
 * Source: Apple, "Updating widgets with WidgetKit push notifications".
 *
 * @since 0.1.0
 * @category constructors
 */
export const widgets = (options: WithCustom = {}): Widgets => typed(options, "widgets")

/**
 * A payload made elsewhere, for what this library does not know yet, a new push type too. Only its size is checked.
 *
 * @example
 * ```ts
 * import { Notification } from "@effect-apns/models"
 *
 * export const news = Notification.raw({
 *   pushType: "newtype",
 *   topicSuffix: ".push-type.newtype",
 *   payload: { aps: { alert: "Hello" } }
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const raw = <const P extends PushType.PushType | (string & {})>(options: Raw<P>): Raw<P> => options

/**
 * Text that the device looks up in the app's strings, with what fills its placeholders.
 *
 * @since 0.1.0
 * @category constructors
 */
export const localized: (key: string, args?: ReadonlyArray<string>) => Localized.Localized = Localized.make

/**
 * A notification ready to be sent: its bytes, and what the request must say about them.
 *
 * @since 0.1.0
 * @category models
 */
export interface Prepared {
  /** The value of the `apns-push-type` header. */
  readonly pushType: string
  /** Compact UTF-8 JSON with sorted keys. It is shared by all sends: do not write to it. */
  readonly body: Uint8Array
  /** The largest body that APNs takes, in bytes. */
  readonly maxBytes: number
  /** The priority to send where the caller names none; `undefined` leaves the header out. */
  readonly defaultPriority: Priority.Priority | undefined
  /** What the topic ends in; empty for none, and always for a broadcast. */
  readonly topicSuffix: string
}

/**
 * What preparing a notification comes to.
 *
 * @since 0.1.0
 * @category models
 */
export type Result = Either.Either<Prepared, ParseResult.ParseError | Rejection.PayloadTooLarge>

const prepared = new Memo<Notification, Result>()

const broadcasts = new Memo<Broadcast, Result>()

/**
 * Judges a notification and encodes it, once: the same notification gives the same bytes at the cost of a lookup,
 * however many devices it goes to. So a notification must not be changed after it was first prepared.
 *
 * Fails with a `ParseError` that points at the field APNs would refuse or ignore, and with `PayloadTooLarge`
 * (`processed: "no"`) for a body over the limit of its push type: 4096 bytes, or 5120 for `voip`.
 *
 * @since 0.1.0
 * @category encoding
 */
export const prepare = (notification: Notification): Result => {
  const known = prepared.get(notification)
  if (known !== undefined) return known
  const result = build(notification, undefined)
  prepared.set(notification, result)
  return result
}

/**
 * Says what is wrong with a notification, or worth knowing, most serious first: what {@link prepare} refuses, and what
 * APNs would accept and the device then ignore. `Lint.lint` does the same for a payload that was made elsewhere.
 *
 * @example
 * ```ts
 * import { Notification } from "@effect-apns/models"
 *
 * const findings = Notification.lint(Notification.alert({ alert: { title: "Lunch" }, contentAvailable: true }), {
 *   headers: { "apns-topic": "com.example.app.voip" }
 * })
 * console.log(findings.map(({ rule, severity }) => `${severity}: ${rule}`))
 * // ["error: topic-suffix", "info: alert-and-content-available"]
 * ```
 *
 * @since 1.0.0
 * @category linting
 */
export const lint = (notification: Notification, request: LintOptions = {}): ReadonlyArray<Lint.Finding> => {
  const broadcast = request.path?.startsWith("/4/broadcasts/") === true
  const result = broadcast ? build(notification, PushType.broadcastMaxPayloadBytes) : prepare(notification)
  if (Either.isLeft(result)) {
    return result.left._tag === "ParseError"
      ? linting.refused(ParseResult.ArrayFormatter.formatErrorSync(result.left))
      : linting.oversize(result.left.size ?? 0, result.left.limit ?? 0)
  }
  const { body, defaultPriority, pushType } = result.right
  const priority = defaultPriority === undefined ? undefined : { "apns-priority": String(defaultPriority) }
  return linting.check({
    ...request,
    payload: body,
    pushType,
    headers: request.headers === undefined ? undefined : { "apns-push-type": pushType, ...priority, ...request.headers }
  })
}

/**
 * How a notification is going to be sent, as far as it is known.
 *
 * @since 1.0.0
 * @category models
 */
export interface LintOptions extends Omit<Lint.Input, "payload" | "pushType"> {
  /**
   * The request headers, names in lower case; the push type and its usual priority are known from the notification.
   * Where they are left out only the payload is looked at.
   */
  readonly headers?: Lint.Input["headers"]
}

/**
 * What can go to a channel: an update or the end of a Live Activity (a broadcast cannot start one), or a raw payload.
 *
 * Source: Apple, "Sending broadcast push notification requests to APNs".
 *
 * @since 0.1.0
 * @category models
 */
export type Broadcast = LiveActivities.Update | LiveActivities.End | Raw<"liveactivity">

/**
 * As {@link prepare}, for a broadcast: up to 5120 bytes, and no suffix for the topic.
 *
 * @since 0.1.0
 * @category encoding
 */
export const prepareBroadcast = (notification: Broadcast): Result => {
  const known = broadcasts.get(notification)
  if (known !== undefined) return known
  const result = notBroadcast(notification) ?? build(notification, PushType.broadcastMaxPayloadBytes)
  broadcasts.set(notification, result)
  return result
}

const notBroadcast = (notification: Notification): Result | undefined => {
  const message = notification?.pushType !== "liveactivity"
    ? "Only Live Activities can be broadcast: send an update or an end."
    : "event" in notification && notification.event === "start"
    ? "A broadcast cannot start a Live Activity: send the start to each device."
    : undefined
  return message === undefined ? undefined : refuse(notification, message)
}

const refuse = (actual: unknown, message: string): Result =>
  Either.left(ParseResult.parseError(new ParseResult.Type(Schema.Unknown.ast, actual, message)))

// Getters and Schemas are the caller's code: if they throw, that is an error like any other.
const build = (notification: Notification, limit: number | undefined): Result => {
  try {
    return encodeChecked(notification, limit)
  } catch (cause) {
    return refuse(notification, unreadable(Printable.thrown(cause)))
  }
}

const encodeChecked = (notification: Notification, limit: number | undefined): Result => {
  const pushType: unknown = notification?.pushType
  const isRaw = typeof notification === "object" && notification !== null && "payload" in notification
  if (typeof notification === "object" && notification !== null && Unreadable in notification) {
    return refuse(notification, unreadable(notification[Unreadable]))
  }
  if (!PushType.isToken(pushType) || !(isRaw || PushType.is(pushType))) {
    return refuse(
      notification,
      isRaw && pushType !== undefined
        ? "The push type of a raw notification is a token: letters, digits and dashes, without spaces."
        : `A notification has one of the push types ${Object.keys(PushType.table).join(", ")}.`
    )
  }
  const suffix: unknown = isRaw ? notification.topicSuffix : undefined
  if (suffix !== undefined && (typeof suffix !== "string" || !topicSuffix.test(suffix))) {
    return Either.left(ParseResult.parseError(
      new ParseResult.Pointer(
        "topicSuffix",
        notification,
        new ParseResult.Type(
          Schema.Unknown.ast,
          suffix,
          "A topic suffix begins with \".\", and holds letters, digits, \".\", \"-\" and \"_\" only."
        )
      )
    ))
  }
  return Either.flatMap(encode(notification), (body) => {
    const info = PushType.info(pushType)
    const maxBytes = limit ?? info.maxPayloadBytes
    return body.length > maxBytes
      ? Either.left(tooLarge(body.length, maxBytes))
      : Either.right({
        pushType,
        body,
        maxBytes,
        defaultPriority: info.defaultPriority,
        topicSuffix: limit === undefined ? suffix ?? info.topicSuffix : ""
      })
  })
}

const unreadable = (why: unknown): string => `The options of this notification could not be read (${String(why)}).`

const topicSuffix = /^(?:\.[A-Za-z0-9._-]{1,254})?$/

const tooLarge = (size: number, limit: number): Rejection.PayloadTooLarge =>
  new Rejection.PayloadTooLarge({
    status: 413,
    reason: "PayloadTooLarge",
    origin: "local",
    processed: "no",
    attempts: 0,
    size,
    limit
  })

const encode = (notification: Notification): Either.Either<Uint8Array, ParseResult.ParseError> => {
  if ("payload" in notification) return encodeRaw(notification)
  const text = fast.encode(notification)
  return text !== undefined
    ? Either.right(utf8.encode(text))
    : Either.map(encodeJson(notification), (json) => utf8.encode(Json.write(json)))
}

const encodeRaw = ({ payload, pushType }: Raw): Either.Either<Uint8Array, ParseResult.ParseError> => {
  const body = isBytes(payload)
    // a copy, since the caller may continue to use its buffer
    ? Either.right(payload.slice())
    : typeof payload === "string"
    ? Either.right(utf8.encode(payload))
    : Either.map(Either.flatMap(decodeObject()(payload), Json.stringify), (text) => utf8.encode(text))
  return Either.flatMap(body, (bytes) =>
    bytes.length > 0
      ? Either.right(bytes)
      : Either.left(ParseResult.parseError(
        new ParseResult.Type(
          Schema.Unknown.ast,
          payload,
          `The payload of this ${pushType} push is empty: send at least "{}".`
        )
      )))
}

// By its tag, not its class: test runners run each file in its own realm, which has its own classes.
const isBytes = (payload: unknown): payload is Uint8Array =>
  Object.prototype.toString.call(payload) === "[object Uint8Array]"

const decodeObject = lazy(() => Schema.decodeUnknownEither(Json.JsonObject))

/**
 * The payload of a notification as a JSON object. Fails as {@link prepare} does, except for the size.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encodeJson = (
  notification: Exclude<Notification, Raw>
): Either.Either<Json.JsonObject, ParseResult.ParseError> =>
  notification.pushType === "liveactivity"
    ? (notification[LiveActivities.DefinitionId] ?? LiveActivities.plain).encode(notification)
    : encoders[notification.pushType](notification)

const encoder = <P extends Exclude<PushType.PushType, "liveactivity">>(pushType: P) => {
  const schema: Schema.Schema<Payload.ByPushType[P], Json.JsonObject> = Payload.table[pushType]
  const encode = lazy(() => Schema.encodeUnknownEither(schema, envelope.strict))
  const ast = lazy(() => Schema.typeSchema(schema).ast)
  return (input: unknown) => Either.mapLeft(encode()(input), problems.simplify(ast(), input, envelope.hint(pushType)))
}

const encoders: {
  readonly [P in Exclude<PushType.PushType, "liveactivity">]: (
    input: unknown
  ) => Either.Either<Json.JsonObject, ParseResult.ParseError>
} = {
  alert: encoder("alert"),
  background: encoder("background"),
  complication: encoder("complication"),
  controls: encoder("controls"),
  fileprovider: encoder("fileprovider"),
  location: encoder("location"),
  mdm: encoder("mdm"),
  pushtotalk: encoder("pushtotalk"),
  voip: encoder("voip"),
  widgets: encoder("widgets")
}

/**
 * Reads a notification back from the payload of its push type; errors point at the key. See `Payload` for text, Schemas
 * and JSON Schema.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decode: typeof Payload.decode = Payload.decode

/**
 * The JSON Schema of a push type's payload.
 *
 * @since 0.1.0
 * @category decoding
 */
export const jsonSchema: typeof Payload.jsonSchema = Payload.jsonSchema

/**
 * Whether the notification is a {@link Raw} payload.
 *
 * @since 0.1.0
 * @category guards
 */
export const isRaw = (notification: Notification): notification is Raw => "payload" in notification

/**
 * The notification with an alert whose body is cut so that the payload fits its limit, between characters as people see
 * them, and ends in an ellipsis. A notification that fits, whose body is localized or absent, or that would not fit with
 * an empty body, comes back as it is.
 *
 * @since 0.1.0
 * @category combinators
 */
export const truncate = <N extends Alert | Complication | Location | PushToTalk | Voip>(
  notification: N,
  options: { readonly ellipsis?: string | undefined } = {}
): N => {
  const content = notification.alert
  const body = typeof content === "string" ? content : content?.body
  if (typeof body !== "string") return notification
  const result = prepare(notification)
  if (Either.isRight(result) || result.left._tag !== "PayloadTooLarge") return notification
  const { limit = 0, size = 0 } = result.left
  const cut = shorten(body, jsonBytes(body) - (size - limit), options.ellipsis ?? "…")
  return cut === undefined
    ? notification
    : { ...notification, alert: typeof content === "string" ? cut : defined({ ...content, body: cut }) }
}

const jsonBytes = (text: string): number => utf8.byteLength(JSON.stringify(text)) - 2

// The longest prefix of whole graphemes that fits with the ellipsis into this many bytes of JSON text.
const shorten = (text: string, budget: number, ellipsis: string): string | undefined => {
  let left = budget - jsonBytes(ellipsis)
  if (left < 0) return budget < 0 ? undefined : ""
  let end = 0
  for (const { index, segment } of new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(text)) {
    left -= jsonBytes(segment)
    if (left < 0) break
    end = index + segment.length
  }
  return text.slice(0, end).trimEnd() + ellipsis
}
