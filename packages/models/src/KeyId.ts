/**
 * The name of the key that signs provider tokens.
 *
 * @since 0.1.0
 */
import type * as Brand from "effect/Brand"
import type * as Schema from "effect/Schema"
import * as identifier from "./internal/identifier.js"

/**
 * The identifier of a signing key: 10 uppercase letters and digits, the `kid` of a provider token.
 *
 * Source: Apple, "Establishing a token-based connection to APNs".
 *
 * @since 0.1.0
 * @category models
 */
export type KeyId = string & Brand.Brand<"KeyId">

const pattern = /^[A-Z0-9]{10}$/

const refuse = (input: string): string | undefined => {
  if (pattern.test(input)) return undefined
  const found = identifier.offender(input, /^[A-Z0-9]$/)
  return found === undefined
    ? `A key id has 10 characters, but this one has ${input.length}: copy it from your Apple developer account.`
    : `A key id holds uppercase letters and digits only, but has ${found}: copy it from your Apple developer account.`
}

/**
 * The Schema of {@link KeyId}.
 *
 * @example
 * ```ts
 * import { KeyId } from "@effect-apns/models"
 *
 * console.log(KeyId.is("ABC123DEFG"), KeyId.is("abc123defg")) // true false
 * ```
 *
 * @since 0.1.0
 * @category schemas
 */
export const KeyId: Schema.brand<Schema.filter<typeof Schema.String>, "KeyId"> = identifier.make({
  name: "KeyId",
  description: "A key id: 10 uppercase letters and digits",
  pattern: pattern.source,
  examples: ["ABC123DEFG"],
  arbitrary: () => (fc) => fc.stringMatching(pattern),
  refuse
})

/**
 * Whether the input is a key id.
 *
 * @since 0.1.0
 * @category guards
 */
export const is = (input: unknown): input is KeyId => typeof input === "string" && pattern.test(input)
