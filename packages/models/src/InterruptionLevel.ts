/**
 * How much a notification may disturb.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * `passive` adds to the list silently; `active` lights up the screen and may sound (what the system assumes);
 * `time-sensitive` breaks through Focus; `critical` breaks through everything, and needs an entitlement from Apple.
 *
 * Source: Apple, "Generating a remote notification".
 *
 * @since 0.1.0
 * @category models
 */
export type InterruptionLevel = "passive" | "active" | "time-sensitive" | "critical"

/**
 * The Schema of {@link InterruptionLevel}.
 *
 * @example
 * ```ts
 * import { InterruptionLevel } from "@effect-apns/models"
 * import { Schema } from "effect"
 *
 * console.log(Schema.is(InterruptionLevel.InterruptionLevel)("time-sensitive")) // true
 * ```
 *
 * @since 0.1.0
 * @category schemas
 */
export const InterruptionLevel: Schema.Schema<InterruptionLevel> = Schema.Literal(
  "passive",
  "active",
  "time-sensitive",
  "critical"
).annotations({
  identifier: "InterruptionLevel",
  // instead of one line for each literal
  message: () => ({
    message: "An interruption level is \"passive\", \"active\", \"time-sensitive\" or \"critical\".",
    override: true
  })
})

/**
 * Whether the input is an interruption level.
 *
 * @since 0.1.0
 * @category guards
 */
export const is = (input: unknown): input is InterruptionLevel =>
  input === "passive" || input === "active" || input === "time-sensitive" || input === "critical"
