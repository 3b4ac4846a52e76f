/**
 * The name of a broadcast channel, as APNs gave it when the channel was created.
 *
 * @since 0.1.0
 */
import type * as Brand from "effect/Brand"
import type * as Schema from "effect/Schema"
import * as identifier from "./internal/identifier.js"

/**
 * The value of the `apns-channel-id` header: base64. Apple asks not to assume a size, so 1 to 1024 characters pass.
 * Channels belong to one environment: a channel of the sandbox does not exist in production.
 *
 * Source: Apple, "Sending channel management requests to APNs".
 *
 * @since 0.1.0
 * @category models
 */
export type ChannelId = string & Brand.Brand<"ChannelId">

const pattern = /^[A-Za-z0-9+/_-]{1,1024}={0,2}$/

const refuse = (input: string): string | undefined => {
  if (pattern.test(input)) return undefined
  if (input.length === 0) return "The channel id is empty: pass the id that APNs returned when the channel was created."
  const found = identifier.offender(input, /^[A-Za-z0-9+/_=-]$/)
  return found === undefined
    ? "A channel id is 1 to 1024 characters of base64 with \"=\" at the end only: pass the id that APNs returned."
    : `A channel id is base64, but has ${found}: pass the id that APNs returned when the channel was created.`
}

/**
 * The Schema of {@link ChannelId}.
 *
 * @example
 * ```ts
 * import { ChannelId } from "@effect-apns/models"
 *
 * console.log(ChannelId.is("dHN0LXNyY2gtY2hubA==")) // true
 * ```
 *
 * @since 0.1.0
 * @category schemas
 */
export const ChannelId: Schema.brand<Schema.filter<typeof Schema.String>, "ChannelId"> = identifier.make({
  name: "ChannelId",
  description: "A broadcast channel id in base64",
  pattern: pattern.source,
  examples: ["dHN0LXNyY2gtY2hubA=="],
  arbitrary: () => (fc) => fc.stringMatching(/^(?:[A-Za-z0-9+/]{4}){1,10}$/),
  refuse
})

/**
 * Whether the input is a channel id.
 *
 * @since 0.1.0
 * @category guards
 */
export const is = (input: unknown): input is ChannelId => typeof input === "string" && pattern.test(input)
