/**
 * A provider token as Apple's page "Establishing a token-based connection to APNs" describes it, signed once, for the
 * rows whose clients do not sign themselves.
 *
 * @since 0.1.0
 */
import * as Crypto from "node:crypto"

/**
 * Apple's identifiers of the key and of the team: ten characters each.
 *
 * @since 0.1.0
 * @category constants
 */
export const keyId = "ABC123DEFG"

/**
 * @since 0.1.0
 * @category constants
 */
export const teamId = "DEF123GHIJ"

const encode = (part: Record<string, string | number>): string =>
  Buffer.from(JSON.stringify(part)).toString("base64url")

/**
 * The value of an `authorization` header.
 *
 * @since 0.1.0
 * @category constructors
 */
export const bearer = (signingKey: string): string => {
  const signed = `${encode({ alg: "ES256", kid: keyId })}.${
    encode({ iss: teamId, iat: Math.floor(Date.now() / 1000) })
  }`
  const signature = Crypto.sign("sha256", Buffer.from(signed), { dsaEncoding: "ieee-p1363", key: signingKey })
  return `bearer ${signed}.${signature.toString("base64url")}`
}
