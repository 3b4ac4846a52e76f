/**
 * Whether APNs can have acted on a request.
 *
 * @since 1.0.0
 */
import * as Schema from "effect/Schema"

/**
 * - `"no"`: provably not. It was never written, or the server said so (RFC 9113 sections 6.8 and 8.7). Safe to repeat.
 * - `"unknown"`: it left, and no answer came. Repeating it may show the notification twice.
 * - `"yes"`: an answer came, whatever its status.
 *
 * @since 1.0.0
 * @category models
 */
export type Processed = "no" | "unknown" | "yes"

/**
 * The Schema of {@link Processed}.
 *
 * @example
 * ```ts
 * import { Processed } from "@effect-apns/models"
 * import { Schema } from "effect"
 *
 * console.log(Schema.is(Processed.Processed)("unknown")) // true
 * ```
 *
 * @since 1.0.0
 * @category schemas
 */
export const Processed: Schema.Literal<["no", "unknown", "yes"]> = Schema.Literal("no", "unknown", "yes")
