/**
 * What a notification says.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { defined } from "./internal/defined.js"
import { schema } from "./internal/lazy.js"
import * as Localized from "./Localized.js"

/**
 * Literal text, or text that the device looks up in the app's strings.
 *
 * @since 0.1.0
 * @category models
 */
export type Text = string | Localized.Localized

/**
 * The words of a notification.
 *
 * Source: Apple, "Generating a remote notification"; the fields marked as legacy are no longer in Apple's table.
 *
 * @since 0.1.0
 * @category models
 */
export interface Alert {
  readonly title?: Text | undefined
  readonly subtitle?: Text | undefined
  readonly body?: Text | undefined
  /** The name of the launch image or storyboard to show. */
  readonly launchImage?: string | undefined
  /** Legacy: the label of the button of a Safari website push. */
  readonly action?: string | undefined
  /** Legacy: the key of the label of the button. */
  readonly actionLocKey?: string | undefined
  /** Legacy: what the summary of a group says, iOS 12 to 14. */
  readonly summaryArg?: string | undefined
  /** Legacy: how many items the notification counts for in a summary, iOS 12 to 14. */
  readonly summaryArgCount?: number | undefined
}

const Args = Schema.Array(Schema.String)

const Wire = schema(() =>
  Schema.Struct({
    title: Schema.optional(Schema.String),
    "title-loc-key": Schema.optional(Schema.String),
    "title-loc-args": Schema.optional(Args),
    subtitle: Schema.optional(Schema.String),
    "subtitle-loc-key": Schema.optional(Schema.String),
    "subtitle-loc-args": Schema.optional(Args),
    body: Schema.optional(Schema.String),
    "loc-key": Schema.optional(Schema.String),
    "loc-args": Schema.optional(Args),
    "launch-image": Schema.optional(Schema.String),
    action: Schema.optional(Schema.String),
    "action-loc-key": Schema.optional(Schema.String),
    "summary-arg": Schema.optional(Schema.String),
    "summary-arg-count": Schema.optional(Schema.NonNegativeInt)
  })
)

/**
 * How a payload spells an alert.
 *
 * @since 0.1.0
 * @category models
 */
export interface Encoded extends Schema.Struct.Encoded<typeof Wire["fields"]> {}

const Text = schema(() =>
  Schema.Union(
    Schema.String,
    Schema.typeSchema(Localized.Localized).annotations({ identifier: "Localized" })
  )
)

const Model = schema(() =>
  Schema.Struct({
    title: Schema.optional(Text),
    subtitle: Schema.optional(Text),
    body: Schema.optional(Text),
    launchImage: Schema.optional(Schema.String),
    action: Schema.optional(Schema.String),
    actionLocKey: Schema.optional(Schema.String),
    summaryArg: Schema.optional(Schema.String),
    summaryArgCount: Schema.optional(Schema.NonNegativeInt)
  })
)

type Part = { readonly literal: "title" | "subtitle" | "body"; readonly key: Key; readonly args: ArgsKey }
type Key = "title-loc-key" | "subtitle-loc-key" | "loc-key"
type ArgsKey = "title-loc-args" | "subtitle-loc-args" | "loc-args"

const parts: ReadonlyArray<Part> = [
  { literal: "title", key: "title-loc-key", args: "title-loc-args" },
  { literal: "subtitle", key: "subtitle-loc-key", args: "subtitle-loc-args" },
  { literal: "body", key: "loc-key", args: "loc-args" }
]

const decodeText = (wire: Encoded, { args, key, literal }: Part): Text | undefined => {
  const found = wire[key]
  return found === undefined ? wire[literal] : Localized.make(found, wire[args])
}

// Keys that the model does not have are refused, so that nothing of a payload is lost when it is sent.
const contradiction = (wire: Encoded): readonly [string, string] | undefined => {
  for (const { args, key, literal } of parts) {
    if (wire[key] !== undefined && wire[literal] !== undefined) {
      return [literal, `"${key}" takes the place of "${literal}": keep one of the two.`]
    }
    if (wire[args] !== undefined && wire[key] === undefined) {
      return [args, `"${args}" fills the placeholders of "${key}", which is missing.`]
    }
  }
  return undefined
}

const literal = (text: Text | undefined): string | undefined => typeof text === "string" ? text : undefined

const localized = (text: Text | undefined): Localized.Localized | undefined =>
  typeof text === "string" ? undefined : text

const Content = schema(() =>
  Schema.transformOrFail(Wire, Model, {
    strict: true,
    decode: (wire, _, ast) => {
      const found = contradiction(wire)
      return found !== undefined
        ? Either.left(new ParseResult.Pointer(found[0], wire, new ParseResult.Type(ast, wire, found[1])))
        : Either.right(defined({
          title: decodeText(wire, parts[0] as Part),
          subtitle: decodeText(wire, parts[1] as Part),
          body: decodeText(wire, parts[2] as Part),
          launchImage: wire["launch-image"],
          action: wire.action,
          actionLocKey: wire["action-loc-key"],
          summaryArg: wire["summary-arg"],
          summaryArgCount: wire["summary-arg-count"]
        }))
    },
    encode: (alert) =>
      Either.right(defined({
        title: literal(alert.title),
        "title-loc-key": localized(alert.title)?.key,
        "title-loc-args": localized(alert.title)?.args,
        subtitle: literal(alert.subtitle),
        "subtitle-loc-key": localized(alert.subtitle)?.key,
        "subtitle-loc-args": localized(alert.subtitle)?.args,
        body: literal(alert.body),
        "loc-key": localized(alert.body)?.key,
        "loc-args": localized(alert.body)?.args,
        "launch-image": alert.launchImage,
        action: alert.action,
        "action-loc-key": alert.actionLocKey,
        "summary-arg": alert.summaryArg,
        "summary-arg-count": alert.summaryArgCount
      }))
  }).annotations({ identifier: "Alert" })
)

/**
 * The Schema of an alert: a string, which is its body, or an {@link Alert}.
 *
 * @example
 * ```ts
 * import { Alert, Localized } from "@effect-apns/models"
 * import { Schema } from "effect"
 *
 * const alert: Alert.Alert = { title: "Lunch", body: Localized.make("LUNCH_INVITE", ["Jenna"]) }
 *
 * console.log(Schema.encodeSync(Alert.Alert)(alert))
 * // { title: 'Lunch', 'loc-key': 'LUNCH_INVITE', 'loc-args': [ 'Jenna' ] }
 * ```
 *
 * @since 0.1.0
 * @category schemas
 */
export const Alert: Schema.Schema<string | Alert, string | Encoded> = schema(() => Schema.Union(Schema.String, Content))
