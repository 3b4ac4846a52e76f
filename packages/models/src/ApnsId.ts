/**
 * The name of one notification, chosen by the sender or by APNs, that every answer repeats.
 *
 * @since 0.1.0
 */
import type * as Brand from "effect/Brand"
import * as Equivalence_ from "effect/Equivalence"
import type * as Schema from "effect/Schema"
import * as identifier from "./internal/identifier.js"

/**
 * The value of the `apns-id` (and of the `apns-request-id`) header: a UUID in canonical form, 32 hexadecimal digits in
 * the groups 8-4-4-4-12. APNs answers in either case, so either is taken; it is sent in lower case, and {@link Equivalence}
 * compares without case.
 *
 * Source: Apple, "Sending notification requests to APNs".
 *
 * @since 0.1.0
 * @category models
 */
export type ApnsId = string & Brand.Brand<"ApnsId">

const pattern = /^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$/

const refuse = (input: string): string | undefined =>
  pattern.test(input)
    ? undefined
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
  description: "A UUID in canonical form",
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

/**
 * The same id in lower case: how it is sent.
 *
 * @since 1.0.0
 * @category conversions
 */
export const toLowerCase = (id: ApnsId): ApnsId => ApnsId.make(id.toLowerCase())

/**
 * Whether two ids name the same notification: UUIDs compare without case (RFC 9562 section 4).
 *
 * @since 1.0.0
 * @category equivalence
 */
export const Equivalence: Equivalence_.Equivalence<string> = Equivalence_.mapInput(
  Equivalence_.string,
  (id: string) => id.toLowerCase()
)
