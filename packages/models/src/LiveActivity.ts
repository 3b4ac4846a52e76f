/**
 * Live Activities: start, update and end them, with attributes and content state of the caller's own types.
 *
 * @since 0.1.0
 */
import * as DateTime from "effect/DateTime"
import * as Either from "effect/Either"
import type * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type * as Alert from "./Alert.js"
import * as ChannelId from "./ChannelId.js"
import { defined } from "./internal/defined.js"
import * as envelope from "./internal/envelope.js"
import { lazy, schema as lazySchema } from "./internal/lazy.js"
import * as problems from "./internal/problems.js"
import { guarded } from "./internal/unreadable.js"
import * as Json from "./Json.js"
import * as Localized from "./Localized.js"
import * as UnixTime from "./UnixTime.js"

/**
 * What a Live Activity tells the user aloud; its sound stands inside the alert.
 *
 * Source: Apple, "Starting and updating Live Activities with ActivityKit push notifications".
 *
 * @since 0.1.0
 * @category models
 */
export interface LiveActivityAlert {
  readonly title?: Alert.Text | undefined
  readonly body?: Alert.Text | undefined
  /** The name of a sound file in the app, or `"default"`. */
  readonly sound?: string | undefined
}

/**
 * The key under which a notification made by a {@link Definition} remembers it, so that it is encoded by the caller's
 * own Schemas.
 *
 * @since 0.1.0
 * @category symbols
 */
export const DefinitionId: unique symbol = Symbol.for("@effect-apns/models/LiveActivity/Definition")

/**
 * The key under which a notification made by a {@link Definition} remembers it.
 *
 * @since 0.1.0
 * @category symbols
 */
export type DefinitionId = typeof DefinitionId

interface Common {
  readonly pushType: "liveactivity"
  /** When this state was true, in Unix seconds: the newest wins. */
  readonly timestamp: number
  /** When the content is out of date, in Unix seconds. */
  readonly staleDate?: number | undefined
  /** Which activity stands first in the Dynamic Island and highest on the Lock Screen: any number, larger first. */
  readonly relevanceScore?: number | undefined
  /** Keys beside `aps`. */
  readonly custom?: Json.JsonObject | undefined
  readonly [DefinitionId]?: Encoder | undefined
}

/**
 * What prepares a notification that was made by a {@link Definition}.
 *
 * @since 0.1.0
 * @category models
 */
export interface Encoder {
  readonly encode: (notification: LiveActivity) => Either.Either<Json.JsonObject, ParseResult.ParseError>
}

/**
 * Starts a Live Activity on a device, by its push-to-start token.
 *
 * @since 0.1.0
 * @category models
 */
export interface Start<Attributes = unknown, State = unknown> extends Common {
  readonly event: "start"
  /** The name of the Swift type of the attributes. */
  readonly attributesType: string
  readonly attributes: Attributes
  readonly contentState: State
  readonly alert: LiveActivityAlert
  /** Ask for a token for updates (iOS 18 and later). */
  readonly inputPushToken?: true | undefined
  /** The channel whose broadcasts update the activity (iOS 18 and later). */
  readonly inputPushChannel?: string | undefined
}

/**
 * Updates a Live Activity.
 *
 * @since 0.1.0
 * @category models
 */
export interface Update<State = unknown> extends Common {
  readonly event: "update"
  readonly contentState: State
  readonly alert?: LiveActivityAlert | undefined
}

/**
 * Ends a Live Activity.
 *
 * @since 0.1.0
 * @category models
 */
export interface End<State = unknown> extends Common {
  readonly event: "end"
  /** The last state to show. */
  readonly contentState?: State | undefined
  /** When to leave the Lock Screen, in Unix seconds: at once if past, after 4 hours at the latest. */
  readonly dismissalDate?: number | undefined
  readonly alert?: LiveActivityAlert | undefined
}

/**
 * Any push to a Live Activity.
 *
 * @since 0.1.0
 * @category models
 */
export type LiveActivity<Attributes = unknown, State = unknown> = Start<Attributes, State> | Update<State> | End<State>

type Times = "pushType" | "event" | "timestamp" | "staleDate" | "dismissalDate" | "inputPushToken" | DefinitionId

interface Instants {
  /** When this state was true. Required: only the caller knows. */
  readonly timestamp: UnixTime.Input
  /** When the content is out of date. */
  readonly staleDate?: UnixTime.Input | undefined
}

/**
 * What {@link start} takes.
 *
 * @since 0.1.0
 * @category models
 */
export interface StartOptions<Attributes, State> extends Omit<Start<Attributes, State>, Times>, Instants {
  /** Ask for a token for updates (iOS 18 and later). */
  readonly inputPushToken?: boolean | undefined
}

/**
 * What {@link update} takes.
 *
 * @since 0.1.0
 * @category models
 */
export interface UpdateOptions<State> extends Omit<Update<State>, Times>, Instants {}

/**
 * What {@link end} takes.
 *
 * @since 0.1.0
 * @category models
 */
export interface EndOptions<State> extends Omit<End<State>, Times>, Instants {
  /** When to leave the Lock Screen: at once if past, after 4 hours at the latest. */
  readonly dismissalDate?: UnixTime.Input | undefined
}

const instant = (input: UnixTime.Input | undefined): number | undefined =>
  input === undefined ? undefined : UnixTime.fromInput(input)

/**
 * Starts a Live Activity whose attributes and state are plain JSON.
 *
 * @since 0.1.0
 * @category constructors
 */
export const start = <Attributes extends Json.JsonObject, State extends Json.JsonObject>(
  options: StartOptions<Attributes, State>
): Start<Attributes, State> => makeStart(options)

const makeStart = <Attributes, State>(options: StartOptions<Attributes, State>): Start<Attributes, State> =>
  guarded("liveactivity", () =>
    defined({
      ...options,
      pushType: "liveactivity",
      event: "start",
      timestamp: UnixTime.fromInput(options.timestamp),
      staleDate: instant(options.staleDate),
      inputPushToken: options.inputPushToken === false ? undefined : options.inputPushToken
    }))

/**
 * Updates a Live Activity whose state is plain JSON.
 *
 * @since 0.1.0
 * @category constructors
 */
export const update = <State extends Json.JsonObject>(options: UpdateOptions<State>): Update<State> =>
  makeUpdate(options)

const makeUpdate = <State>(options: UpdateOptions<State>): Update<State> =>
  guarded("liveactivity", () =>
    defined({
      ...options,
      pushType: "liveactivity",
      event: "update",
      timestamp: UnixTime.fromInput(options.timestamp),
      staleDate: instant(options.staleDate)
    }))

/**
 * Ends a Live Activity whose state is plain JSON.
 *
 * @since 0.1.0
 * @category constructors
 */
export const end = <State extends Json.JsonObject = never>(options: EndOptions<State>): End<State> => makeEnd(options)

const makeEnd = <State>(options: EndOptions<State>): End<State> =>
  guarded("liveactivity", () =>
    defined({
      ...options,
      pushType: "liveactivity",
      event: "end",
      timestamp: UnixTime.fromInput(options.timestamp),
      staleDate: instant(options.staleDate),
      dismissalDate: instant(options.dismissalDate)
    }))

/**
 * One kind of Live Activity: its Swift type and the Schemas of what it holds.
 *
 * @since 0.1.0
 * @category models
 */
export interface Definition<Attributes, State> {
  readonly attributesType: string
  /** The Schema between the notification and its payload. */
  readonly payload: Schema.Schema<LiveActivity<Attributes, State>, Json.JsonObject>
  readonly start: (options: Omit<StartOptions<Attributes, State>, "attributesType">) => Start<Attributes, State>
  readonly update: (options: UpdateOptions<State>) => Update<State>
  readonly end: (options: EndOptions<State>) => End<State>
}

/**
 * Declares a kind of Live Activity once; its notifications are typed and encoded by the given Schemas.
 *
 * ActivityKit decodes with Swift's default JSON strategies, so a Swift `Date` travels as {@link SwiftDate}.
 *
 * @example
 * ```ts
 * import { LiveActivity, Notification } from "@effect-apns/models"
 * import { DateTime, Either, Schema } from "effect"
 *
 * const Adventure = LiveActivity.define({
 *   attributesType: "AdventureAttributes",
 *   attributes: Schema.Struct({ hero: Schema.String }),
 *   contentState: Schema.Struct({ health: Schema.Number, until: LiveActivity.SwiftDate })
 * })
 *
 * const update = Adventure.update({
 *   timestamp: DateTime.unsafeMake("2024-01-01T00:00:00Z"),
 *   contentState: { health: 0.9, until: DateTime.unsafeMake("2024-01-01T00:10:00Z") }
 * })
 *
 * console.log(Either.isRight(Notification.prepare(update))) // true
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const define = <Attributes, AttributesEncoded, State, StateEncoded>(options: {
  readonly attributesType: string
  readonly attributes: Schema.Schema<Attributes, AttributesEncoded>
  readonly contentState: Schema.Schema<State, StateEncoded>
}): Definition<Attributes, State> => {
  const schemas = { ...options, attributesType: Schema.Literal(options.attributesType) }
  const own = { [DefinitionId]: encoder(schemas) }
  return {
    attributesType: options.attributesType,
    payload: schema(schemas),
    start: (start) => ({
      ...guarded("liveactivity", () => makeStart({ ...start, attributesType: options.attributesType })),
      ...own
    }),
    update: (update) => ({ ...makeUpdate(update), ...own }),
    end: (end) => ({ ...makeEnd(end), ...own })
  }
}

const epoch2001 = 978_307_200_000

/**
 * The Schema between an instant and the number that Swift's `JSONDecoder` expects of a `Date` by default: seconds since
 * 2001-01-01T00:00:00Z, with a fraction of whole milliseconds.
 *
 * Source: Apple, "JSONDecoder.DateDecodingStrategy.deferredToDate".
 *
 * @since 0.1.0
 * @category schemas
 */
export const SwiftDate: Schema.Schema<DateTime.Utc, number> = lazySchema(() =>
  Schema.transform(
    Schema.Number.pipe(Schema.between(-978_307_200, 252_423_993_599)),
    Schema.DateTimeUtcFromSelf,
    {
      strict: true,
      decode: (seconds) => DateTime.unsafeMake(Math.round(seconds * 1000) + epoch2001),
      encode: (instant) => (instant.epochMillis - epoch2001) / 1000
    }
  ).annotations({ identifier: "SwiftDate" })
)

const AlertText = lazySchema(() => Schema.Union(Schema.String, Localized.Localized))

const AlertSchema = lazySchema(() =>
  Schema.Struct({
    title: Schema.optional(AlertText),
    body: Schema.optional(AlertText),
    sound: Schema.optional(Schema.String)
  }).annotations({ identifier: "LiveActivityAlert" })
)

const common = {
  timestamp: UnixTime.UnixTime,
  staleDate: Schema.optional(UnixTime.UnixTime).pipe(Schema.fromKey("stale-date")),
  relevanceScore: Schema.optional(Schema.JsonNumber).pipe(Schema.fromKey("relevance-score"))
}

interface Schemas<Attributes, AttributesEncoded, State, StateEncoded> {
  readonly attributesType: Schema.Schema<string>
  readonly attributes: Schema.Schema<Attributes, AttributesEncoded>
  readonly contentState: Schema.Schema<State, StateEncoded>
}

const apsOfStart = <Attributes, AttributesEncoded, State, StateEncoded>(
  options: Schemas<Attributes, AttributesEncoded, State, StateEncoded>
) =>
  Schema.Struct({
    event: Schema.Literal("start"),
    ...common,
    attributesType: Schema.propertySignature(options.attributesType).pipe(Schema.fromKey("attributes-type")),
    attributes: options.attributes,
    contentState: Schema.propertySignature(options.contentState).pipe(Schema.fromKey("content-state")),
    alert: AlertSchema,
    inputPushToken: Schema.optional(envelope.Flag).pipe(Schema.fromKey("input-push-token")),
    inputPushChannel: Schema.optional(
      Schema.String.pipe(
        Schema.filter((id) => ChannelId.is(id) ? true : "A channel id is base64, as APNs returned it.")
      )
    ).pipe(Schema.fromKey("input-push-channel"))
  })

const apsOfUpdate = <State, StateEncoded>(contentState: Schema.Schema<State, StateEncoded>) =>
  Schema.Struct({
    event: Schema.Literal("update"),
    ...common,
    contentState: Schema.propertySignature(contentState).pipe(Schema.fromKey("content-state")),
    alert: Schema.optional(AlertSchema)
  })

const apsOfEnd = <State, StateEncoded>(contentState: Schema.Schema<State, StateEncoded>) =>
  Schema.Struct({
    event: Schema.Literal("end"),
    ...common,
    contentState: Schema.optional(contentState).pipe(Schema.fromKey("content-state")),
    dismissalDate: Schema.optional(UnixTime.UnixTime).pipe(Schema.fromKey("dismissal-date")),
    alert: Schema.optional(AlertSchema)
  })

const wrap = <A extends object, I>(aps: Schema.Schema<A, I>) =>
  envelope.make({ pushType: "liveactivity", identifier: "LiveActivity", aps, omitEmptyAps: false })

const schema = <Attributes, AttributesEncoded, State, StateEncoded>(
  options: Schemas<Attributes, AttributesEncoded, State, StateEncoded>
): Schema.Schema<LiveActivity<Attributes, State>, Json.JsonObject> => Schema.suspend(lazy(() => wrap(aps(options))))

/**
 * The Schema of `aps` of a Live Activity, for the Schemas of what it holds.
 *
 * @internal
 */
export const aps = <Attributes, AttributesEncoded, State, StateEncoded>(
  options: Schemas<Attributes, AttributesEncoded, State, StateEncoded>
) => Schema.Union(apsOfStart(options), apsOfUpdate(options.contentState), apsOfEnd(options.contentState))

// One Schema for each event, so that an error is about the event that was meant.
const encoder = <Attributes, AttributesEncoded, State, StateEncoded>(
  options: Schemas<Attributes, AttributesEncoded, State, StateEncoded>
): Encoder => {
  const start = lazy(() => encodeWith(wrap(apsOfStart(options))))
  const update = lazy(() => encodeWith(wrap(apsOfUpdate(options.contentState))))
  const end = lazy(() => encodeWith(wrap(apsOfEnd(options.contentState))))
  return {
    encode: ({ [DefinitionId]: _, ...plain }) =>
      (plain.event === "start" ? start() : plain.event === "update" ? update() : end())(plain)
  }
}

const encodeWith = <A>(schema: Schema.Schema<A, Json.JsonObject>) => {
  const encode = Schema.encodeUnknownEither(schema, envelope.strict)
  return (input: unknown) => Either.mapLeft(encode(input), problems.simplify(Schema.typeSchema(schema).ast, input))
}

/**
 * The Schemas of attributes and state that are plain JSON.
 *
 * @internal
 */
export const json: Schemas<Json.JsonObject, Json.JsonObject, Json.JsonObject, Json.JsonObject> = {
  attributesType: Schema.String,
  attributes: Json.JsonObject,
  contentState: Json.JsonObject
}

/**
 * What encodes a notification whose attributes and state are plain JSON.
 *
 * @internal
 */
export const plain: Encoder = encoder(json)

/**
 * The Schema of a Live Activity whose attributes and state are plain JSON.
 *
 * @internal
 */
export const Plain: Schema.Schema<LiveActivity<Json.JsonObject, Json.JsonObject>, Json.JsonObject> = schema(json)
