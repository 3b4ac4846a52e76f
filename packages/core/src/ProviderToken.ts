/**
 * The JWT that tells APNs who is sending (Apple, "Establishing a token-based connection to APNs").
 *
 * APNs wants a token that is at most 60 minutes old and refuses one that changes more often than every 20 minutes. So
 * there is **one signer for each key in a process** (more exactly: for each key, key id, team id and Effect Clock),
 * however often {@link make} is called, and all connections and pools of that key share its token.
 *
 * **When it signs.** `age` is the time since the last signing, by Effect's Clock.
 *
 * | event | age | last signing | answer |
 * |---|---|---|---|
 * | `current` | no token yet | - | sign |
 * | `current` | below `refreshAfter` (50 minutes) | any | the token in hand |
 * | `current` | `refreshAfter` or more | any | sign, unless held back |
 * | `expired(token)` | any | `token` is not the last one | the last token: somebody else was faster |
 * | `expired(token)` | 20 minutes or more | any | sign, unless held back |
 * | `expired(token)` | below 20 minutes | regular | sign once: the clock may have been set, or the token was old in a queue |
 * | `expired(token)` | below 20 minutes | itself caused by `expired` | {@link TokenRefreshRefused}: the clock is wrong |
 * | `tooManyUpdates(token)` | any | any | held back: no signing for 20 minutes from now |
 *
 * While it is held back `current` hands out the token in hand, even beyond 60 minutes, and `expired` fails. Signing is
 * single flight: whoever asks meanwhile waits for the same token.
 *
 * @example
 * ```ts
 * import * as Credentials from "@effect-apns/core/Credentials"
 * import * as ProviderToken from "@effect-apns/core/ProviderToken"
 * import * as Effect from "effect/Effect"
 *
 * export const program = Effect.gen(function*() {
 *   const credentials = yield* Credentials.token({ keyFile: "key.p8", keyId: "ABC123DEFG", teamId: "DEF123GHIJ" })
 *   const signer = yield* ProviderToken.make(credentials)
 *   const token = yield* signer.current // token.header goes into "authorization"
 *   return new Date(token.expiresAt)
 * })
 * ```
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type { CredentialsError } from "./Credentials.js"
import * as internal from "./internal/providerToken.js"

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: TypeId = "~@effect-apns/core/ProviderToken"

/**
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = "~@effect-apns/core/ProviderToken"

/**
 * One signed token. Times are milliseconds since the epoch by Effect's Clock. A new signing makes a new object; the same
 * object is the same token.
 *
 * @since 0.1.0
 * @category models
 */
export interface Token {
  readonly jwt: Redacted.Redacted<string>
  /** The value of the `authorization` header, `bearer <jwt>`: a secret that JSON and inspection of the token do not show. */
  readonly header: string
  readonly issuedAt: number
  /** From now on `current` signs anew. */
  readonly refreshAt: number
  /** From now on APNs answers `ExpiredProviderToken`: one hour after `issuedAt`. */
  readonly expiresAt: number
}

/**
 * The signer of one key.
 *
 * @since 0.1.0
 * @category models
 */
export interface ProviderToken {
  readonly [TypeId]: TypeId
  readonly keyId: string
  readonly teamId: string
  /** The token to send, signed when there is none or it is due for refresh. */
  readonly current: Effect.Effect<Token, CredentialsError>
  /** The last token signed, without a look at the clock; `undefined` before the first. */
  readonly unsafeCurrent: () => Token | undefined
  /**
   * APNs answered `ExpiredProviderToken` to `token`: the token to try again with. However many callers report the same
   * token there is one signing.
   */
  readonly expired: (token: Token) => Effect.Effect<Token, TokenRefreshRefused>
  /** APNs answered `TooManyProviderTokenUpdates`: no signing for 20 minutes from now. */
  readonly tooManyUpdates: (token: Token) => Effect.Effect<void>
  /** How many tokens this signer has signed. */
  readonly signings: Effect.Effect<number>
}

/**
 * @since 0.1.0
 * @category tags
 */
export const ProviderToken: Context.Tag<ProviderToken, ProviderToken> = Context.GenericTag<ProviderToken>(
  "@effect-apns/core/ProviderToken"
)

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

/**
 * What a signer needs. A `Credentials.Token` will do.
 *
 * @since 0.1.0
 * @category options
 */
export interface Options {
  /** The content of the `.p8` file: PEM, an elliptic curve key on P-256. */
  readonly key: Redacted.Redacted<string>
  /** The 10 characters that Apple gave to the key. */
  readonly keyId: string
  /** The 10 characters of the team that owns the key. */
  readonly teamId: string
  /**
   * The age at which a token is replaced, from 20 to 60 minutes. Default 50 minutes. Where callers that share a signer
   * ask for different ages, the smallest holds.
   */
  readonly refreshAfter?: Duration.DurationInput | undefined
}

/**
 * The signer of this key: a new one, or the one that this process already has for the same key and Clock.
 *
 * Fails as `Credentials.token` does, and with `InvalidRefreshAge`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): Effect.Effect<ProviderToken, CredentialsError> => internal.make(options)

/**
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<ProviderToken, CredentialsError> =>
  Layer.effect(ProviderToken, make(options))

/**
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: Config.Config.Wrap<Options>
): Layer.Layer<ProviderToken, CredentialsError | ConfigError.ConfigError> =>
  Layer.effect(ProviderToken, Effect.flatMap(Config.unwrap(options), make))
