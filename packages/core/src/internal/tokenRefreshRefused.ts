import * as Data from "effect/Data"

/**
 * A new token was wanted and must not be signed yet.
 *
 * - `"SignedRecently"`: APNs called a token expired that was itself signed because of that, less than 20 minutes ago.
 *   The clock of this machine is wrong.
 * - `"TooManyUpdates"`: APNs asked for fewer new tokens.
 * - `"SigningFailed"`: the key could not be used.
 *
 * @since 0.1.0
 * @category errors
 */
export class TokenRefreshRefused extends Data.TaggedError("TokenRefreshRefused")<{
  readonly reason: "SignedRecently" | "TooManyUpdates" | "SigningFailed"
  readonly keyId: string
  readonly teamId: string
  /** When the token in hand was signed: milliseconds since the epoch, by Effect's Clock. */
  readonly issuedAt: number
  /** From when on signing is allowed again: milliseconds since the epoch, by Effect's Clock. */
  readonly retryAt: number
  readonly message: string
  readonly cause?: unknown
}> {}
