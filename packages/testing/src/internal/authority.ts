/**
 * Who may send: provider tokens and client certificates.
 *
 * @internal
 */
import { compactVerify, type CryptoKey, decodeJwt, decodeProtectedHeader, importSPKI } from "jose"
import { createPublicKey } from "node:crypto"
import type { ProviderKey } from "../ProviderKey.js"

/** @internal */
export interface Verified {
  readonly keyId: string
  readonly teamId: string
  readonly issuedAt: number
  readonly topics: ReadonlyArray<string> | undefined
}

interface Known {
  readonly teamId: string
  readonly publicKey: Promise<CryptoKey>
  readonly topics: ReadonlyArray<string> | undefined
}

const invalid = "InvalidProviderToken"

const maxCached = 10_000

/** @internal */
export class Authority {
  private readonly keys = new Map<string, Known>()
  private readonly cache = new Map<string, Verified | string | Promise<Verified | string>>()

  trust(key: ProviderKey, topics: ReadonlyArray<string> | undefined): void {
    const spki = createPublicKey(key.key).export({ type: "spki", format: "pem" }).toString()
    this.keys.set(key.keyId, { teamId: key.teamId, topics, publicKey: importSPKI(spki, "ES256") })
    this.cache.clear()
  }

  revoke(keyId: string): void {
    this.keys.delete(keyId)
    this.cache.clear()
  }

  /** The team and key of the token, or the reason to reject it; a promise the first time a token is seen. */
  verify(token: string): Verified | string | Promise<Verified | string> {
    const known = this.cache.get(token)
    if (known !== undefined) return known
    if (this.cache.size >= maxCached) this.cache.clear()
    const pending = this.check(token).then((result) => {
      if (this.cache.get(token) === pending) this.cache.set(token, result)
      return result
    })
    this.cache.set(token, pending)
    return pending
  }

  private async check(token: string): Promise<Verified | string> {
    try {
      const header = decodeProtectedHeader(token)
      const claims = decodeJwt(token)
      const key = header.kid === undefined ? undefined : this.keys.get(header.kid)
      if (header.kid === undefined || key === undefined || header.alg !== "ES256") return invalid
      if (claims.iss !== key.teamId || typeof claims.iat !== "number") return invalid
      await compactVerify(token, await key.publicKey, { algorithms: ["ES256"] })
      return { keyId: header.kid, teamId: key.teamId, issuedAt: claims.iat, topics: key.topics }
    } catch {
      return invalid
    }
  }
}
