/**
 * The name of one notification, chosen by the sender or by APNs, that every answer repeats.
 *
 * @since 0.1.0
 */
import type * as Brand from "effect/Brand"
import type * as Schema from "effect/Schema"
import * as identifier from "./internal/identifier.js"

/**
 * The value of the `apns-id` (and of the `apns-request-id`) header: a UUID in canonical form, 32 lowercase hexadecimal
 * digits in the groups 8-4-4-4-12.
 *
 * Source: Apple, "Sending notification requests to APNs".
 *
 * @since 0.1.0
 * @category models
 */
export type ApnsId = string & Brand.Brand<"ApnsId">

const pattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

const refuse = (input: string): string | undefined =>
  pattern.test(input)
    ? undefined
    : pattern.test(input.toLowerCase())
    ? "An apns-id is a UUID in lowercase: turn it to lowercase."
    : "An apns-id is a UUID in the canonical form 8-4-4-4-12, for example " +
      "\"123e4567-e89b-12d3-a456-426655440000\": pass such a UUID or leave it out and APNs makes one."

/**
 * The Schema of {@link ApnsId}.
 *
 * @example
 * ```ts
 * import { ApnsId } from "@effect-apns/models"
 *
 * const id = ApnsId.ApnsId.make("123e4567-e89b-12d3-a456-426655440000")
 *
 * console.log(id, ApnsId.is("not-a-uuid")) // 123e4567-e89b-12d3-a456-426655440000 false
 * ```
 *
 * @since 0.1.0
 * @category schemas
 */
export const ApnsId: Schema.brand<Schema.filter<typeof Schema.String>, "ApnsId"> = identifier.make({
  name: "ApnsId",
  description: "A lowercase UUID in canonical form",
  pattern: pattern.source,
  examples: ["123e4567-e89b-12d3-a456-426655440000"],
  arbitrary: () => (fc) => fc.uuid(),
  refuse
})

/**
 * Whether the input is an apns-id.
 *
 * @since 0.1.0
 * @category guards
 */
export const is = (input: unknown): input is ApnsId => typeof input === "string" && pattern.test(input)
