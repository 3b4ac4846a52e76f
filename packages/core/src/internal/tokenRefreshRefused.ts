import * as Schemas from "@effect-apns/models/unstable/Schemas"
import * as Schema from "effect/Schema"

/**
 * A new token is needed but must not be signed yet.
 *
 * - `"SignedRecently"`: APNs called a token expired that was itself signed because of that, less than 20 minutes ago.
 *   The clock of this machine is wrong.
 * - `"TooManyUpdates"`: APNs asked for fewer new tokens.
 * - `"SigningFailed"`: the key could not be used.
 *
 * @since 0.1.0
 * @category errors
 */
export class TokenRefreshRefused extends Schemas.taggedError<TokenRefreshRefused>()("TokenRefreshRefused", () => ({
  reason: Schema.Literal("SignedRecently", "TooManyUpdates", "SigningFailed"),
  keyId: Schema.String,
  teamId: Schema.String,
  /** When the current token was signed, by Effect's Clock. */
  issuedAt: Schema.DateTimeUtc,
  /** When signing is allowed again, by Effect's Clock. */
  retryAt: Schema.DateTimeUtc,
  message: Schema.String,
  cause: Schema.optional(Schema.Defect)
})) {}
