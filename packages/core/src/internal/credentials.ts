import { KeyId, TeamId } from "@effect-apns/models"
import * as DateTime from "effect/DateTime"
import * as Either from "effect/Either"
import * as crypto from "node:crypto"
import * as net from "node:net"
import * as tls from "node:tls"
import type { CertificateInfo, Reason } from "../Credentials.js"
import { certificateTopics } from "./der.js"
import type { PemBlock } from "./pem.js"
import { isCertificate, isEncrypted, isPrivateKey, pemBlocks } from "./pem.js"

/** The fields of a `CredentialsError`. */
export interface Problem {
  readonly reason: Reason
  readonly source: string
  readonly message: string
  readonly cause?: unknown
}

export interface Text {
  readonly source: string
  readonly text: string
}

const problem = (reason: Reason, source: string, message: string, cause?: unknown): Either.Either<never, Problem> =>
  Either.left({ reason, source, message, ...(cause === undefined ? {} : { cause }) })

const sha256 = (bytes: Uint8Array): string => crypto.createHash("sha256").update(bytes).digest("hex")

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : ""

const privateKey = (
  { source, text }: Text,
  passphrase: string | undefined,
  whereElse: string
): Either.Either<crypto.KeyObject, Problem> => {
  const blocks = pemBlocks(text)
  const block = blocks.find(isPrivateKey)
  if (blocks.length === 0) {
    return problem("NotPem", source, `There is no PEM block in ${source}: give text with "-----BEGIN PRIVATE KEY-----"`)
  }
  if (block === undefined) {
    const labels = blocks.map((_) => _.label).join(", ")
    return problem("NoKey", source, `There is no private key in ${source}, only ${labels}: ${whereElse}`)
  }
  return openKey(block, source, passphrase)
}

const openKey = (
  block: PemBlock,
  source: string,
  passphrase: string | undefined
): Either.Either<crypto.KeyObject, Problem> => {
  if (isEncrypted(block) && passphrase === undefined) {
    return problem("PassphraseMissing", source, `The private key in ${source} is encrypted: give its passphrase`)
  }
  try {
    return Either.right(
      crypto.createPrivateKey(
        passphrase === undefined ? { key: block.text } : { key: block.text, passphrase }
      )
    )
  } catch (error) {
    return isEncrypted(block) && codeOf(error).includes("BAD_DECRYPT")
      ? problem(
        "WrongPassphrase",
        source,
        `The passphrase does not open the private key in ${source}: correct it`,
        error
      )
      : problem("InvalidKey", source, `The private key in ${source} is damaged: download or export it again`, error)
  }
}

const pkcs8 = (key: crypto.KeyObject): string => key.export({ type: "pkcs8", format: "pem" }).toString()

export interface SigningKey {
  readonly key: crypto.KeyObject
  readonly pem: string
  readonly keyId: KeyId.KeyId
  readonly teamId: TeamId.TeamId
  readonly identity: string
}

// What is much longer than an id may be the key itself, in the wrong place: it is not shown.
const shown = (id: string): string => id.length > 20 ? `(${id.length} characters, not shown)` : JSON.stringify(id)

export const tokenKey = (
  pem: string,
  keyId: string,
  teamId: string,
  source: string
): Either.Either<SigningKey, Problem> => {
  const whose = "shown on Apple's developer site"
  if (!KeyId.is(keyId)) {
    return problem(
      "InvalidKeyId",
      "keyId",
      `The key id ${shown(keyId)} is not 10 upper-case letters and digits: give the Key ID ${whose}`
    )
  }
  if (!TeamId.is(teamId)) {
    return problem(
      "InvalidTeamId",
      "teamId",
      `The team id ${shown(teamId)} is not 10 upper-case letters and digits: give the Team ID ${whose}`
    )
  }
  return Either.flatMap(
    privateKey({ source, text: pem }, undefined, "give the .p8 file that Apple's developer site gave for the key"),
    (key) => {
      if (key.asymmetricKeyType !== "ec" || key.asymmetricKeyDetails?.namedCurve !== "prime256v1") {
        const kind = key.asymmetricKeyDetails?.namedCurve ?? key.asymmetricKeyType ?? "unknown"
        return problem(
          "NotEcP256",
          source,
          `The key in ${source} is of kind ${kind}, and tokens are signed with P-256: give the .p8 file of an APNs key`
        )
      }
      const fingerprint = sha256(crypto.createPublicKey(key).export({ type: "spki", format: "der" }))
      return Either.right({ key, pem: pkcs8(key), keyId, teamId, identity: `token:${teamId}:${keyId}:${fingerprint}` })
    }
  )
}

const info = (leaf: crypto.X509Certificate): CertificateInfo => ({
  subject: leaf.subject,
  topics: topics(leaf),
  expiresAt: DateTime.unsafeMake(Date.parse(leaf.validTo)),
  identity: `certificate:${sha256(leaf.raw)}`
})

// The UID of the subject is the topic of a certificate for one topic (Apple, "Establishing a certificate-based
// connection to APNs").
const topics = (leaf: crypto.X509Certificate): ReadonlyArray<string> => {
  const uid = leaf.subject.split("\n").find((_) => _.startsWith("UID="))?.slice(4)
  return Array.from(new Set([...(uid === undefined ? [] : [uid]), ...certificateTopics(leaf.raw)]))
}

export const certificate = (
  cert: Text,
  key: Text | undefined,
  passphrase: string | undefined
): Either.Either<CertificateInfo & { readonly cert: string; readonly keyPem: string }, Problem> => {
  const blocks = pemBlocks(cert.text)
  if (blocks.length === 0) {
    return problem(
      "NotPem",
      cert.source,
      `There is no PEM block in ${cert.source}: give text with "-----BEGIN CERTIFICATE-----", or read it as PKCS#12`
    )
  }
  const certificates: Array<readonly [PemBlock, crypto.X509Certificate]> = []
  for (const block of blocks.filter(isCertificate)) {
    try {
      certificates.push([block, new crypto.X509Certificate(block.text)])
    } catch (error) {
      return problem(
        "InvalidCertificate",
        cert.source,
        `A certificate in ${cert.source} is damaged: download or export it again`,
        error
      )
    }
  }
  if (certificates.length === 0) {
    const labels = blocks.map((_) => _.label).join(", ")
    return problem(
      "NoCertificate",
      cert.source,
      `There is no certificate in ${cert.source}, only ${labels}: give the certificate that belongs to the key`
    )
  }
  const from = key ?? cert
  return Either.flatMap(
    privateKey(from, passphrase, "put the key into the same file, or name the file that holds it"),
    (privateKey) => {
      const leaf = certificates.find(([, certificate]) => certificate.checkPrivateKey(privateKey))
      if (leaf === undefined) {
        return problem(
          "Mismatch",
          from.source,
          `The private key in ${from.source} does not belong to the certificate in ${cert.source}: export the pair again`
        )
      }
      return Either.right({
        ...info(leaf[1]),
        cert: [leaf, ...certificates.filter((_) => _ !== leaf)].map(([block]) => block.text).join(""),
        keyPem: pkcs8(privateKey)
      })
    }
  )
}

export const pkcs12 = (
  data: Uint8Array,
  passphrase: string | undefined,
  source: string
): Either.Either<CertificateInfo, Problem> => {
  let leaf: crypto.X509Certificate | undefined
  try {
    const secureContext = tls.createSecureContext({
      pfx: Buffer.from(data),
      ...(passphrase === undefined ? {} : { passphrase })
    })
    // The only public way from an archive to its certificate: a TLS socket knows the one it would present.
    const socket = new tls.TLSSocket(new net.Socket(), { secureContext, isServer: true })
    leaf = socket.getX509Certificate()
    socket.destroy()
  } catch (error) {
    return pkcs12Problem(error, passphrase, source)
  }
  return leaf === undefined
    ? problem("NoCertificate", source, `There is no certificate in ${source}: export certificate and key together`)
    : Either.right(info(leaf))
}

const pkcs12Problem = (
  error: unknown,
  passphrase: string | undefined,
  source: string
): Either.Either<never, Problem> => {
  const text = error instanceof Error ? error.message : String(error)
  if (/mac verify failure|bad decrypt/i.test(text)) {
    return passphrase === undefined
      ? problem("PassphraseMissing", source, `The archive ${source} is encrypted: give its passphrase`, error)
      : problem("WrongPassphrase", source, `The passphrase does not open ${source}: correct it`, error)
  }
  if (/unsupported/i.test(text)) {
    return problem(
      "UnsupportedEncryption",
      source,
      `The archive ${source} is encrypted with a cipher that OpenSSL 3 has retired: convert it with ` +
        "\"openssl pkcs12 -legacy -in old.p12 -nodes -out push.pem\" and use the PEM file, or export it anew",
      error
    )
  }
  if (/private key/i.test(text)) {
    return problem("NoKey", source, `There is no private key in ${source}: export certificate and key together`, error)
  }
  if (/certificate/i.test(text)) {
    return problem(
      "NoCertificate",
      source,
      `There is no certificate in ${source}: export certificate and key together`,
      error
    )
  }
  return problem("NotPkcs12", source, `${source} is not a PKCS#12 archive: give a .p12 file, or read it as PEM`, error)
}
