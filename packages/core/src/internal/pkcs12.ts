import * as crypto from "node:crypto"

/** What an archive holds: DER of private keys (PKCS #8 or PKCS #1) and of certificates. */
export interface Contents {
  readonly keys: ReadonlyArray<crypto.KeyObject>
  readonly certificates: ReadonlyArray<crypto.X509Certificate>
}

/** Why an archive cannot be opened. */
export type Failure = "WrongPassphrase" | "UnsupportedEncryption"

// Loaded for the archives that OpenSSL 3 does not open: with the ciphers that Keychain Access uses (RC2 and 3DES).
const load = async () => (await import("node-forge")).default

/** The forms of a passphrase for the ciphers: none and an empty one differ (RFC 7292 appendix B.1). */
const shapes = (passphrase: string | undefined): ReadonlyArray<string | undefined> => {
  if (passphrase === undefined || passphrase === "") return [undefined, ""]
  const utf8 = Buffer.from(passphrase, "utf8").toString("latin1")
  return utf8 === passphrase ? [passphrase] : [passphrase, utf8]
}

/** Opens an archive that uses old ciphers. */
export const open = async (data: Uint8Array, passphrase: string | undefined): Promise<Contents | Failure> => {
  const { asn1, pkcs12, pki } = await load()
  const der = (element: Parameters<typeof asn1.toDer>[0]): Buffer =>
    Buffer.from(asn1.toDer(element).getBytes(), "latin1")
  const attempt = (shape: string | undefined): Contents => {
    const root = asn1.fromDer(Buffer.from(data).toString("latin1"), false)
    const bags = (shape === undefined ? pkcs12.pkcs12FromAsn1(root, false) : pkcs12.pkcs12FromAsn1(root, false, shape))
      .safeContents.flatMap(({ safeBags }) => safeBags)
    const keys: Array<crypto.KeyObject> = []
    const certificates: Array<crypto.X509Certificate> = []
    for (const bag of bags) {
      if (bag.type === pki.oids["certBag"]) {
        // the library only knows RSA: for other keys it returns the certificate as it is
        certificates.push(new crypto.X509Certificate(der(bag.cert ? pki.certificateToAsn1(bag.cert) : bag.asn1)))
      } else if (bag.type === pki.oids["pkcs8ShroudedKeyBag"] || bag.type === pki.oids["keyBag"]) {
        keys.push(
          bag.key
            ? crypto.createPrivateKey({ key: der(pki.privateKeyToAsn1(bag.key)), format: "der", type: "pkcs1" })
            : crypto.createPrivateKey({ key: der(bag.asn1), format: "der", type: "pkcs8" })
        )
      }
    }
    return { keys, certificates }
  }
  let failure: Failure = "WrongPassphrase"
  for (const shape of shapes(passphrase)) {
    try {
      return attempt(shape)
    } catch (error) {
      // The errors of the library are not passed on: they may contain bytes decrypted with a wrong passphrase.
      if (error instanceof Error && /unsupported/i.test(error.message)) failure = "UnsupportedEncryption"
    }
  }
  return failure
}
