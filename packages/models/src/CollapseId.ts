/**
 * The name under which several notifications show as one.
 *
 * @since 0.1.0
 */
import type * as Brand from "effect/Brand"
import type * as Schema from "effect/Schema"
import * as identifier from "./internal/identifier.js"

/**
 * The value of the `apns-collapse-id` header: 1 to 64 bytes. A header holds printable ASCII (RFC 9110, section 5.5), so
 * a byte is a character here; spaces may stand inside, not at the ends.
 *
 * Source: Apple, "Sending notification requests to APNs".
 *
 * @since 0.1.0
 * @category models
 */
export type CollapseId = string & Brand.Brand<"CollapseId">

/**
 * The longest collapse id that APNs takes, in bytes.
 *
 * @since 0.1.0
 * @category constants
 */
export const maxBytes = 64

const pattern = /^[!-~](?:[ -~]{0,62}[!-~])?$/

const refuse = (input: string): string | undefined => {
  if (pattern.test(input)) return undefined
  if (input.length === 0) return "The collapse id is empty: leave it out or give it 1 to 64 characters."
  const found = identifier.offender(input, /^[ -~]$/)
  if (found !== undefined) {
    return `A collapse id holds printable ASCII only, but has ${found}: encode or hash it, for example as hexadecimal.`
  }
  return input.length > maxBytes
    ? `A collapse id has at most ${maxBytes} bytes, but this one has ${input.length}: shorten or hash it.`
    : "A collapse id neither begins nor ends with a space: trim it."
}

/**
 * The Schema of {@link CollapseId}.
 *
 * @example
 * ```ts
 * import { CollapseId } from "@effect-apns/models"
 *
 * console.log(CollapseId.is("score:" + "7".repeat(58))) // true: 64 bytes
 * console.log(CollapseId.is("score:" + "7".repeat(59))) // false: 65 bytes
 * ```
 *
 * @since 0.1.0
 * @category schemas
 */
export const CollapseId: Schema.brand<Schema.filter<typeof Schema.String>, "CollapseId"> = identifier.make({
  name: "CollapseId",
  description: "A collapse id: 1 to 64 bytes of printable ASCII",
  pattern: pattern.source,
  examples: ["lunch"],
  arbitrary: () => (fc) => fc.stringMatching(pattern),
  refuse
})

/**
 * Whether the input is a collapse id.
 *
 * @since 0.1.0
 * @category guards
 */
export const is = (input: unknown): input is CollapseId => typeof input === "string" && pattern.test(input)
