/**
 * The Schemas between notifications and the JSON that APNs receives, one for each push type.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as JSONSchema from "effect/JSONSchema"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type { ParseOptions } from "effect/SchemaAST"
import * as AlertContent from "./Alert.js"
import * as envelope from "./internal/envelope.js"
import { lazy, schema } from "./internal/lazy.js"
import * as problems from "./internal/problems.js"
import * as InterruptionLevel from "./InterruptionLevel.js"
import * as Json from "./Json.js"
import * as LiveActivities from "./LiveActivity.js"
import type * as Notification from "./Notification.js"
import type * as PushType from "./PushType.js"
import * as Sound from "./Sound.js"

const Aps = schema(() =>
  Schema.Struct({
    alert: Schema.optional(AlertContent.Alert),
    badge: Schema.optional(Schema.NonNegativeInt.annotations({
      message: () => "A badge is a whole number from 0 (which clears it)."
    })),
    sound: Schema.optional(Sound.Sound),
    threadId: Schema.optional(Schema.String).pipe(Schema.fromKey("thread-id")),
    category: Schema.optional(Schema.String),
    contentAvailable: Schema.optional(envelope.Flag).pipe(Schema.fromKey("content-available")),
    mutableContent: Schema.optional(envelope.Flag).pipe(Schema.fromKey("mutable-content")),
    targetContentId: Schema.optional(Schema.String).pipe(Schema.fromKey("target-content-id")),
    interruptionLevel: Schema.optional(InterruptionLevel.InterruptionLevel).pipe(Schema.fromKey("interruption-level")),
    relevanceScore: Schema.optional(Schema.Number.pipe(Schema.between(0, 1, {
      message: () => "A relevance score is a number from 0 to 1."
    }))).pipe(Schema.fromKey("relevance-score")),
    filterCriteria: Schema.optional(Schema.String).pipe(Schema.fromKey("filter-criteria")),
    urlArgs: Schema.optional(Schema.Array(Schema.String)).pipe(Schema.fromKey("url-args"))
  })
)

const constant = <I>(wire: Schema.Schema<I>, value: NoInfer<I>): Schema.Schema<{}, I> =>
  Schema.transform(wire, Schema.Struct({}), { strict: true, decode: () => ({}), encode: () => value })

const Silent = schema(() =>
  constant(Schema.Struct({ "content-available": Schema.Literal(1) }), { "content-available": 1 })
)

const Changed = schema(() =>
  constant(Schema.Struct({ "content-changed": Schema.Literal(true) }), { "content-changed": true })
)

/**
 * The Schema of an `alert` payload.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Alert: Schema.Schema<Notification.Alert, Json.JsonObject> = envelope.make({
  pushType: "alert",
  identifier: "AlertNotification",
  aps: Aps,
  omitEmptyAps: false
})

/**
 * The Schema of a `background` payload.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Background: Schema.Schema<Notification.Background, Json.JsonObject> = envelope.make({
  pushType: "background",
  identifier: "BackgroundNotification",
  aps: Silent,
  omitEmptyAps: false
})

/**
 * The Schema of a `complication` payload.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Complication: Schema.Schema<Notification.Complication, Json.JsonObject> = envelope.make({
  pushType: "complication",
  identifier: "ComplicationNotification",
  aps: Aps,
  omitEmptyAps: true
})

/**
 * The Schema of a `controls` payload.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Controls: Schema.Schema<Notification.Controls, Json.JsonObject> = envelope.make({
  pushType: "controls",
  identifier: "ControlsNotification",
  aps: Changed,
  omitEmptyAps: false
})

/**
 * The Schema of a `fileprovider` payload.
 *
 * @since 0.1.0
 * @category schemas
 */
export const FileProvider: Schema.Schema<Notification.FileProvider, Notification.FileProviderEncoded> = schema(() =>
  Schema.Struct({
    containerIdentifier: Schema.propertySignature(Schema.String).pipe(Schema.fromKey("container-identifier")),
    domain: Schema.String
  }).pipe(
    Schema.attachPropertySignature("pushType", "fileprovider"),
    Schema.annotations({ identifier: "FileProviderNotification" })
  )
)

/**
 * The Schema of a `liveactivity` payload whose attributes and content state are plain JSON. For typed ones use
 * `LiveActivity.define`, whose `payload` is the Schema.
 *
 * @since 0.1.0
 * @category schemas
 */
export const LiveActivity: Schema.Schema<
  LiveActivities.LiveActivity<Json.JsonObject, Json.JsonObject>,
  Json.JsonObject
> = LiveActivities.Plain

/**
 * The Schema of a `location` payload.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Location: Schema.Schema<Notification.Location, Json.JsonObject> = envelope.make({
  pushType: "location",
  identifier: "LocationNotification",
  aps: Aps,
  omitEmptyAps: true
})

/**
 * The Schema of an `mdm` payload.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Mdm: Schema.Schema<Notification.Mdm, Notification.MdmEncoded> = schema(() =>
  Schema.Struct({
    pushMagic: Schema.propertySignature(Schema.NonEmptyString).pipe(Schema.fromKey("mdm"))
  }).pipe(Schema.attachPropertySignature("pushType", "mdm"), Schema.annotations({ identifier: "MdmNotification" }))
)

/**
 * The Schema of a `pushtotalk` payload.
 *
 * @since 0.1.0
 * @category schemas
 */
export const PushToTalk: Schema.Schema<Notification.PushToTalk, Json.JsonObject> = envelope.make({
  pushType: "pushtotalk",
  identifier: "PushToTalkNotification",
  aps: Aps,
  omitEmptyAps: true
})

/**
 * The Schema of a `voip` payload.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Voip: Schema.Schema<Notification.Voip, Json.JsonObject> = envelope.make({
  pushType: "voip",
  identifier: "VoipNotification",
  aps: Aps,
  omitEmptyAps: true
})

/**
 * The Schema of a `widgets` payload.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Widgets: Schema.Schema<Notification.Widgets, Json.JsonObject> = envelope.make({
  pushType: "widgets",
  identifier: "WidgetsNotification",
  aps: Changed,
  omitEmptyAps: false
})

/**
 * The notification of each push type, as far as its payload says.
 *
 * @since 0.1.0
 * @category models
 */
export interface ByPushType {
  readonly alert: Notification.Alert
  readonly background: Notification.Background
  readonly complication: Notification.Complication
  readonly controls: Notification.Controls
  readonly fileprovider: Notification.FileProvider
  readonly liveactivity: LiveActivities.LiveActivity<Json.JsonObject, Json.JsonObject>
  readonly location: Notification.Location
  readonly mdm: Notification.Mdm
  readonly pushtotalk: Notification.PushToTalk
  readonly voip: Notification.Voip
  readonly widgets: Notification.Widgets
}

/**
 * The Schema of each push type's payload.
 *
 * @since 0.1.0
 * @category schemas
 */
export const table: {
  readonly [P in PushType.PushType]: Schema.Schema<ByPushType[P], Json.JsonObject>
} = {
  alert: Alert,
  background: Background,
  complication: Complication,
  controls: Controls,
  fileprovider: envelope.closed(FileProvider),
  liveactivity: LiveActivity,
  location: Location,
  mdm: envelope.closed(Mdm),
  pushtotalk: PushToTalk,
  voip: Voip,
  widgets: Widgets
}

/**
 * Reads the payload of a push type. Unknown keys of `aps` are errors that point at the key, since APNs would ignore
 * them; pass `{ onExcessProperty: "ignore" }` to drop them instead.
 *
 * @example
 * ```ts
 * import { Payload } from "@effect-apns/models"
 * import { Either } from "effect"
 *
 * const parse = Payload.decode("alert")
 *
 * console.log(parse({ aps: { alert: "Lunch", badge: 0 }, orderId: 7 }))
 * // right({ pushType: "alert", alert: "Lunch", badge: 0, custom: { orderId: 7 } })
 * console.log(Either.isLeft(parse({ aps: { treadId: "lunch" } }))) // true: the key is misspelt
 * ```
 *
 * @since 0.1.0
 * @category decoding
 */
export const decode = <P extends PushType.PushType>(
  pushType: P,
  options?: ParseOptions
): (payload: unknown) => Either.Either<ByPushType[P], ParseResult.ParseError> => {
  const schema: Schema.Schema<ByPushType[P], Json.JsonObject> = table[pushType]
  const parse = lazy(() => Schema.decodeUnknownEither(schema, { ...envelope.strict, ...options }))
  return (payload) => Either.mapLeft(parse()(payload), problems.simplify(schema.ast, payload, envelope.hint(pushType)))
}

/**
 * Reads the payload of a push type from JSON text, or from its UTF-8 bytes.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decodeText = <P extends PushType.PushType>(
  pushType: P,
  options?: ParseOptions
): (text: string | Uint8Array) => Either.Either<ByPushType[P], ParseResult.ParseError> => {
  const fromJson = decode(pushType, options)
  return (text) => Either.flatMap(parse(text), fromJson)
}

const parse = (text: string | Uint8Array): Either.Either<unknown, ParseResult.ParseError> => {
  if (typeof text === "string") return Json.parse(text)
  try {
    return Json.parse(utf8.decode(text))
  } catch {
    return Either.left(
      ParseResult.parseError(new ParseResult.Type(Schema.Unknown.ast, text, "The payload is not UTF-8."))
    )
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true })

/**
 * The JSON Schema (draft 7) of a push type's payload, for other languages and for editors.
 *
 * @since 0.1.0
 * @category decoding
 */
export const jsonSchema = (pushType: PushType.PushType): JSONSchema.JsonSchema7Root => {
  switch (pushType) {
    case "fileprovider":
      return JSONSchema.make(Schema.encodedSchema(FileProvider))
    case "mdm":
      return JSONSchema.make(Schema.encodedSchema(Mdm))
    case "background":
      return open(Schema.Struct({ aps: Silent }))
    case "controls":
    case "widgets":
      return open(Schema.Struct({ aps: Changed }))
    case "liveactivity":
      return open(Schema.Struct({ aps: LiveActivities.aps(LiveActivities.json) }))
    case "alert":
      return open(Schema.Struct({ aps: Aps }))
    default:
      return open(Schema.Struct({ aps: Schema.optional(Aps) }))
  }
}

// JSON Schema must say that custom keys are allowed beside `aps`.
const open = <A, I>(schema: Schema.Schema<A, I>): JSONSchema.JsonSchema7Root => {
  const closed = JSONSchema.make(schema)
  return "properties" in closed ? { ...closed, additionalProperties: true } : closed
}
