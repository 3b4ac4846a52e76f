/**
 * Text that the device looks up in the app's own strings.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { defined } from "./internal/defined.js"
import { schema } from "./internal/lazy.js"

/**
 * A key of the app's `Localizable.strings`, and what takes the place of its `%@` and `%n$@`.
 *
 * Source: Apple, "Generating a remote notification".
 *
 * @since 0.1.0
 * @category models
 */
export interface Localized {
  readonly key: string
  readonly args?: ReadonlyArray<string> | undefined
}

/**
 * How a Live Activity's alert spells a {@link Localized}.
 *
 * @since 0.1.0
 * @category models
 */
export interface Encoded {
  readonly "loc-key": string
  readonly "loc-args"?: ReadonlyArray<string> | undefined
}

/**
 * The Schema of {@link Localized}.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Localized: Schema.Schema<Localized, Encoded> = schema(() =>
  Schema.Struct({
    key: Schema.propertySignature(Schema.String).pipe(Schema.fromKey("loc-key")),
    args: Schema.optional(Schema.Array(Schema.String)).pipe(Schema.fromKey("loc-args"))
  }).annotations({ identifier: "Localized" })
)

/**
 * Text by key, with its arguments in the order of the key's placeholders.
 *
 * @example
 * ```ts
 * import { Localized } from "@effect-apns/models"
 *
 * const body = Localized.make("LUNCH_INVITE", ["Jenna", "Frank"])
 *
 * console.log(body.key, body.args)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (key: string, args?: ReadonlyArray<string>): Localized => defined({ key, args })
