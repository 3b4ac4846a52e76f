/**
 * The JWT that tells APNs who is sending (Apple, "Establishing a token-based connection to APNs").
 *
 * APNs wants a token that is at most 60 minutes old and refuses one that changes more often than every 20 minutes. What
 * exactly it counts is not published. So no connection, no process and no group of processes changes its token more
 * often than necessary.
 *
 * **All processes make the same token.** Time is cut into windows of 30 minutes, counted from the epoch. A token is issued
 * at the beginning of a window, and signed deterministically (RFC 6979): every process that has the key makes the same
 * token, without talking to the others. Clocks that differ by seconds do no harm. A connection keeps the token that it
 * began with for at least 20 minutes and changes to that of a newer window then: opened when the token is 29 minutes old,
 * it changes when it is 49. No token in use is older than 55 minutes.
 *
 * With `sharing: "none"` each process signs its own token, issued when it is signed and replaced at the age
 * `refreshAfter`, for all connections at once.
 *
 * In a process there is **one signer for each key** (more exactly: for each key, key id, team id, kind of sharing and
 * Effect Clock), however often {@link make} is called.
 *
 * **When it signs.** `due` is the beginning of the next window, or with `sharing: "none"` the age `refreshAfter` (50
 * minutes), by Effect's Clock.
 *
 * | event | when | answer |
 * |---|---|---|
 * | `current` | no token yet | sign |
 * | `current` | before `due` | the token that it has |
 * | `current` | after `due` | sign, unless held back |
 * | `expired(token)` | `token` is not the last one | the last token: another caller has reported it already |
 * | `expired(token)` | `token` is of an older window | sign the token of this window |
 * | `expired(token)` | `token` is of this window, or was signed by this process alone | sign a token for this process alone, issued now: the clock may have been set |
 * | `expired(token)` | a second time within 20 minutes | {@link TokenRefreshRefused}: the clock is wrong |
 * | `tooManyUpdates(token)` | any | held back: no signing for 20 minutes from now |
 *
 * While it is held back `current` returns the token that it has, even after 60 minutes, and `expired` fails. Signing is
 * done once at a time: callers that ask meanwhile wait for the same token.
 *
 * @example
 * ```ts
 * import * as Credentials from "@effect-apns/core/Credentials"
 * import * as ProviderToken from "@effect-apns/core/ProviderToken"
 * import * as DateTime from "effect/DateTime"
 * import * as Effect from "effect/Effect"
 *
 * export const program = Effect.gen(function*() {
 *   const credentials = yield* Credentials.token({ keyFile: "key.p8", keyId: "ABC123DEFG", teamId: "DEF123GHIJ" })
 *   const signer = yield* ProviderToken.make(credentials)
 *   const token = yield* signer.current // token.header goes into "authorization"
 *   return DateTime.formatIso(token.expiresAt)
 * })
 * ```
 *
 * @since 0.1.0
 */
import type { TimeSpan } from "@effect-apns/models"
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Context from "effect/Context"
import type * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type { CredentialsError, Sharing } from "./Credentials.js"
import * as internal from "./internal/providerToken.js"
import type { TokenRefreshRefused } from "./internal/tokenRefreshRefused.js"

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
 * One signed token. Its times are by Effect's Clock. A new signing makes a new object; the same object is the same token.
 *
 * @since 0.1.0
 * @category models
 */
export interface Token {
  readonly jwt: Redacted.Redacted<string>
  /** The value of the `authorization` header, `bearer <jwt>`: a secret that JSON and inspection of the token do not show. */
  readonly header: string
  /** What the token says of when it was issued: with shared tokens, the beginning of the window. */
  readonly issuedAt: DateTime.Utc
  /** From now on `current` signs anew. */
  readonly refreshAt: DateTime.Utc
  /** From now on APNs answers `ExpiredProviderToken`: one hour after `issuedAt`. */
  readonly expiresAt: DateTime.Utc
  /**
   * When a connection that has sent this token since `since` should change to `current`: not before it has kept it for 20
   * minutes, and not after its 55th minute. With `sharing: "none"` this is `refreshAt`.
   *
   * @since 1.0.0
   */
  readonly changeAt: (since: DateTime.Utc) => DateTime.Utc
  /**
   * APNs called it expired, and there is another one: connections change to `current` at once.
   *
   * @since 1.0.0
   */
  readonly isRefused: boolean
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
  /**
   * APNs answered `TooManyProviderTokenUpdates`: no signing for 20 minutes from now. Where it says so again of the same
   * token, the next one is put off only until that token is 55 minutes old.
   */
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

export {
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
  TokenRefreshRefused
} from "./internal/tokenRefreshRefused.js"

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
   * Whether all processes that have the key make the same tokens. Default `"processes"`, and `"none"` where `refreshAfter`
   * is given.
   *
   * @since 1.0.0
   */
  readonly sharing?: Sharing | undefined
  /**
   * With `sharing: "none"`, the age at which a token is replaced, from 20 to 60 minutes. Default 50 minutes. Where callers
   * that share a signer ask for different ages, the smallest holds.
   */
  readonly refreshAfter?: TimeSpan.TimeSpan | undefined
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
