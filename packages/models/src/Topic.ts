/**
 * Who a notification is for: the app's bundle ID, with the suffix that its push type asks for.
 *
 * @since 0.1.0
 */
import type * as Brand from "effect/Brand"
import type * as Schema from "effect/Schema"
import * as identifier from "./internal/identifier.js"
import * as PushType from "./PushType.js"

/**
 * The value of the `apns-topic` header: letters, digits, `.`, `-` and `_`, beginning with a letter or a digit, at most
 * 255 characters (so it can break neither a header nor a path).
 *
 * @since 0.1.0
 * @category models
 */
export type Topic = string & Brand.Brand<"Topic">

const pattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$/

const refuse = (input: string): string | undefined => {
  if (pattern.test(input)) return undefined
  if (input.length === 0) return "The topic is empty: pass the bundle ID of the app, for example \"com.example.app\"."
  if (input.length > 255) {
    return `A topic of ${input.length} characters is too long: pass the bundle ID of the app alone.`
  }
  const found = identifier.offender(input, /^[A-Za-z0-9._-]$/)
  return found === undefined
    ? `A topic begins with a letter or a digit, not with ${JSON.stringify(input[0])}: pass the bundle ID of the app.`
    : `A topic holds letters, digits, ".", "-" and "_" only, but has ${found}: pass the bundle ID of the app.`
}

/**
 * The Schema of {@link Topic}.
 *
 * @example
 * ```ts
 * import { Topic } from "@effect-apns/models"
 *
 * const app = Topic.Topic.make("com.example.app")
 *
 * console.log(Topic.forPushType(app, "voip")) // com.example.app.voip
 * console.log(Topic.forPushType(app, "alert")) // com.example.app
 * ```
 *
 * @since 0.1.0
 * @category schemas
 */
export const Topic: Schema.brand<Schema.filter<typeof Schema.String>, "Topic"> = identifier.make({
  name: "Topic",
  description: "A bundle ID, with or without the suffix of a push type",
  pattern: pattern.source,
  examples: ["com.example.app"],
  arbitrary: () => (fc) => fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,40}$/),
  refuse
})

/**
 * Whether the input is a topic.
 *
 * @since 0.1.0
 * @category guards
 */
export const is = (input: unknown): input is Topic => typeof input === "string" && pattern.test(input)

/**
 * The topic with the suffix that Apple asks for with this push type, added unless it is there already. `mdm` has no
 * suffix: its topic is the UID of the MDM push certificate's subject.
 *
 * A bundle ID that itself ends in the suffix of the push type cannot be told from a whole topic: for the app
 * `com.example.voip` write the whole topic, `com.example.voip.voip`.
 *
 * Source: Apple, "Sending notification requests to APNs".
 *
 * @since 0.1.0
 * @category combinators
 */
export const forPushType = <T extends string>(topic: T, pushType: PushType.PushType): T =>
  withSuffix(topic, PushType.table[pushType].topicSuffix)

/**
 * The topic with this suffix, added unless it is there already.
 *
 * @since 1.0.0
 * @category combinators
 */
export const withSuffix = <T extends string>(topic: T, suffix: string): T =>
  suffix === "" || topic.endsWith(suffix) ? topic : (topic + suffix) as T
