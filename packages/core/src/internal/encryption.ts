import { encryptionOf, oid } from "./der.js"
import type { PemBlock } from "./pem.js"

// Algorithms of encrypted keys that OpenSSL 3 leaves to its legacy provider (OSSL_PROVIDER-legacy(7)), by RFC 8018
// appendix A.3, RFC 7292 appendix C and RFC 8018 appendix B.2.
const retired: ReadonlyArray<readonly [dotted: string, name: string]> = [
  ["1.2.840.113549.1.5.1", "PBE-MD2-DES"],
  ["1.2.840.113549.1.5.3", "PBE-MD5-DES"],
  ["1.2.840.113549.1.5.4", "PBE-MD2-RC2"],
  ["1.2.840.113549.1.5.6", "PBE-MD5-RC2"],
  ["1.2.840.113549.1.5.10", "PBE-SHA1-DES"],
  ["1.2.840.113549.1.5.11", "PBE-SHA1-RC2"],
  ["1.2.840.113549.1.12.1.1", "PBE-SHA1-RC4-128"],
  ["1.2.840.113549.1.12.1.2", "PBE-SHA1-RC4-40"],
  ["1.2.840.113549.1.12.1.5", "PBE-SHA1-RC2-128"],
  ["1.2.840.113549.1.12.1.6", "PBE-SHA1-RC2-40"],
  ["1.3.14.3.2.7", "DES-CBC"],
  ["1.2.840.113549.3.2", "RC2-CBC"],
  ["1.2.840.113549.3.4", "RC4"],
  ["1.2.840.113549.3.9", "RC5-CBC"],
  ["1.3.6.1.4.1.188.7.1.1.2", "IDEA-CBC"],
  ["1.2.840.113533.7.66.10", "CAST5-CBC"],
  ["1.2.410.200004.1.4", "SEED-CBC"]
]

const retiredInPem = /^(?:DES-(?:CBC|CFB|OFB|ECB)|DESX|RC2|RC4|RC5|IDEA|BF|CAST5?|SEED)(?:-|$)/

/** The name of the cipher that encrypts this key, where it is one that OpenSSL 3 has retired. */
export const retiredCipher = ({ cipher, der }: PemBlock): string | undefined => {
  if (cipher !== undefined) return retiredInPem.test(cipher) ? cipher : undefined
  const used = encryptionOf(der)
  return retired.find(([dotted]) => used.includes(oid(dotted)))?.[1]
}
