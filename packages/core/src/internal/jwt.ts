import * as crypto from "node:crypto"

// Loaded with the first signature: it would be most of the cost of importing this package.
const curves = () => import("@noble/curves/p256")

export interface Claims {
  readonly keyId: string
  readonly teamId: string
  /** Seconds since the epoch. */
  readonly issuedAt: number
}

const segment = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url")

/** What is signed (RFC 7515 section 5.1), always the same bytes for the same claims. */
const signingInput = ({ issuedAt, keyId, teamId }: Claims): string =>
  `${segment({ alg: "ES256", kid: keyId })}.${segment({ iss: teamId, iat: issuedAt })}`

const bytesOf = (base64url: string | undefined): Uint8Array => new Uint8Array(Buffer.from(base64url ?? "", "base64url"))

/**
 * Signs deterministically (RFC 6979): all processes with the key make the same token from the same claims. `node:crypto`
 * would use a random number for each signature.
 */
export const deterministic = async (key: crypto.KeyObject, claims: Claims): Promise<string> => {
  const { p256 } = await curves()
  const input = signingInput(claims)
  const digest = new Uint8Array(crypto.createHash("sha256").update(input).digest())
  // The library's default table of multiples is only worth its cost after dozens of signatures, and here are two an hour:
  // a small one saves three quarters of the time to the first token. Other users of the library get the default table.
  p256.Point.BASE.precompute(4, false)
  const signature = p256.sign(digest, bytesOf(key.export({ format: "jwk" }).d), { lowS: false, prehash: false })
  p256.Point.BASE.precompute(8)
  return `${input}.${Buffer.from(signature.toCompactRawBytes()).toString("base64url")}`
}

/** Signs with a random number, as r and s in 32 bytes each (RFC 7518 section 3.4). */
export const randomized = (key: crypto.KeyObject, claims: Claims): Promise<string> =>
  new Promise((resolve, reject) => {
    const input = signingInput(claims)
    crypto.sign("sha256", Buffer.from(input), { key, dsaEncoding: "ieee-p1363" }, (error, signature) => {
      if (error === null) resolve(`${input}.${signature.toString("base64url")}`)
      else reject(error)
    })
  })
