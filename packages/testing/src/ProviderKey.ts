/**
 * Throw-away keys for provider tokens (Apple: "Establishing a token-based connection to APNs").
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { importPKCS8, SignJWT } from "jose"
import { generateKeyPairSync, randomBytes } from "node:crypto"

/**
 * A signing key as Apple hands it out: a `.p8` file's text, its key id and the team that it belongs to.
 *
 * @since 0.1.0
 * @category models
 */
export interface ProviderKey {
  /** The EC P-256 private key, PKCS #8 PEM. */
  readonly key: string
  /** Ten characters: the `kid` of the tokens. */
  readonly keyId: string
  /** Ten characters: the `iss` of the tokens. */
  readonly teamId: string
}

const alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"

const identifier = (): string => Array.from(randomBytes(10), (byte) => alphabet[byte & 31] ?? "A").join("")

/**
 * Makes a fresh key, with a random key id and team unless given.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options?: { readonly keyId?: string | undefined; readonly teamId?: string | undefined }
): Effect.Effect<ProviderKey> =>
  Effect.sync(() => ({
    key: generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" })
      .toString(),
    keyId: options?.keyId ?? identifier(),
    teamId: options?.teamId ?? identifier()
  }))

/**
 * Signs a provider token. `issuedAt` is in seconds since the epoch.
 *
 * @example
 * ```ts
 * import { ProviderKey } from "@effect-apns/testing"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const key = yield* ProviderKey.make()
 *   const jwt = yield* ProviderKey.sign(key, { issuedAt: 1_700_000_000 })
 *   return `bearer ${jwt}`
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const sign = (key: ProviderKey, options: { readonly issuedAt: number }): Effect.Effect<string> =>
  Effect.promise(async () =>
    new SignJWT({ iss: key.teamId, iat: options.issuedAt })
      .setProtectedHeader({ alg: "ES256", kid: key.keyId })
      .sign(await importPKCS8(key.key, "ES256"))
  )
