/**
 * The name of the Apple developer team that sends.
 *
 * @since 0.1.0
 */
import type * as Brand from "effect/Brand"
import type * as Schema from "effect/Schema"
import * as identifier from "./internal/identifier.js"

/**
 * The identifier of a developer team: 10 uppercase letters and digits, the `iss` of a provider token.
 *
 * Source: Apple, "Establishing a token-based connection to APNs".
 *
 * @since 0.1.0
 * @category models
 */
export type TeamId = string & Brand.Brand<"TeamId">

const pattern = /^[A-Z0-9]{10}$/

const refuse = (input: string): string | undefined => {
  if (pattern.test(input)) return undefined
  const found = identifier.offender(input, /^[A-Z0-9]$/)
  return found === undefined
    ? `A team id has 10 characters, but this one has ${input.length}: copy it from your Apple developer account.`
    : `A team id holds uppercase letters and digits only, but has ${found}: copy it from your Apple developer account.`
}

/**
 * The Schema of {@link TeamId}.
 *
 * @example
 * ```ts
 * import { TeamId } from "@effect-apns/models"
 *
 * console.log(TeamId.is("DEF123GHIJ"), TeamId.is("def123ghij")) // true false
 * ```
 *
 * @since 0.1.0
 * @category schemas
 */
export const TeamId: Schema.brand<Schema.filter<typeof Schema.String>, "TeamId"> = identifier.make({
  name: "TeamId",
  description: "A team id: 10 uppercase letters and digits",
  pattern: pattern.source,
  examples: ["DEF123GHIJ"],
  arbitrary: () => (fc) => fc.stringMatching(pattern),
  refuse
})

/**
 * Whether the input is a team id.
 *
 * @since 0.1.0
 * @category guards
 */
export const is = (input: unknown): input is TeamId => typeof input === "string" && pattern.test(input)
