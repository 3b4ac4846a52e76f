import type { KeyId, TeamId } from "@effect-apns/models"
import * as KeyIds from "@effect-apns/models/KeyId"
import * as Printable from "@effect-apns/models/Printable"
import * as TeamIds from "@effect-apns/models/TeamId"
import * as DateTime from "effect/DateTime"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as crypto from "node:crypto"
import * as net from "node:net"
import * as tls from "node:tls"
import type { CertificateInfo, Reason } from "../Credentials.js"
import { certificateTopics, kindOf, lengthOf, withoutTail } from "./der.js"
import { isConsistent } from "./digits.js"
import { retiredCipher } from "./encryption.js"
import type { IdNames } from "./ids.js"
import { idProblem } from "./ids.js"
import * as paths from "./paths.js"
import type { PemBlock } from "./pem.js"
import { decodeText, hasBegin, isCertificate, isEncrypted, isPrivateKey, pemBlocks } from "./pem.js"
import { convinces } from "./proof.js"

/** The fields of a `CredentialsError`. */
export interface Problem {
  readonly reason: Reason
  readonly source: string
  readonly message: string
  readonly cause?: unknown
}

/** Text or bytes, and where they came from. */
export interface Text {
  readonly source: string
  readonly text: string | Uint8Array
}

const problem = (reason: Reason, source: string, message: string, cause?: unknown): Either.Either<never, Problem> =>
  Either.left({ reason, source, message, ...(cause === undefined ? {} : { cause }) })

const sha256 = (bytes: Uint8Array): string => crypto.createHash("sha256").update(bytes).digest("hex")

const codeOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "code" in error && typeof error.code === "string" ? error.code : ""

/** The error of OpenSSL without parts of its input, which may be secret. */
const causeOf = (error: unknown): Error => {
  const cause = new Error(error instanceof Error ? Printable.text(error.message) : "unknown")
  return Object.assign(cause, { code: codeOf(error) })
}

/**
 * The content of a key, a certificate or an archive as it was given: redacted or not, text or bytes (programs without
 * types pass all of these). `undefined` for anything else.
 */
export const contentOf = (given: unknown): string | Uint8Array | undefined => {
  const content: unknown = Redacted.isRedacted(given) ? Redacted.value(given) : given
  return typeof content === "string" || isBytes(content) ? content : undefined
}

// By its tag, not its class: test runners run each file in its own realm, which has its own classes.
const isBytes = (content: unknown): content is Uint8Array =>
  Object.prototype.toString.call(content) === "[object Uint8Array]"

export const noContent = (source: string): Problem => ({
  reason: "NotPem",
  source,
  message: `${source} is neither text nor bytes: give the content of the file, as Redacted.make(text)`
})

const isText = (text: string | Uint8Array): text is string => typeof text === "string"

/** The names of the blocks; what is not PEM is marked: `CERTIFICATE (DER)`. */
const describe = (blocks: ReadonlyArray<PemBlock>): string =>
  Array.from(new Set(blocks.map(({ from, label }) => from === "PEM" ? label : `${label} (${from})`))).join(", ")

/** How many bytes are missing at the end of a DER file by its own length; `undefined` if none are, or if it is not DER. */
const cutOff = (source: string, text: string | Uint8Array): string | undefined => {
  const bytes = isText(text) ? Buffer.from(text.replace(/\s/g, ""), "base64") : text
  const whole = lengthOf(bytes)
  // other files may begin with the same byte: keys and certificates have about this size
  return whole !== undefined && bytes.length >= 32 && bytes.length < whole && whole < 100_000
    ? `${source} is cut off: ${whole - bytes.length} of its ${whole} bytes are missing. Give the whole file`
    : undefined
}

/** Why a text without a block has none. */
const notPem = ({ source, text }: Text, wanted: string, isPath: string): Either.Either<never, Problem> => {
  const plain = isText(text) ? text : decodeText(text)
  if (plain.trim() === "") {
    return problem("NotPem", source, `${source} is empty: give text with "-----BEGIN ${wanted}-----"`)
  }
  if (hasBegin(plain)) {
    return problem(
      "NotPem",
      source,
      `${source} is cut off: it begins with "-----BEGIN ...-----" and has no "-----END ...-----" of the same kind. Give the whole text`
    )
  }
  if (paths.looksLikePath(plain)) {
    return problem("NotPem", source, `${source} looks like the path of a file: ${isPath}`)
  }
  const missing = cutOff(source, text)
  return missing !== undefined
    ? problem("NotPem", source, missing)
    : problem("NotPem", source, `There is no PEM block in ${source}: give text with "-----BEGIN ${wanted}-----"`)
}

/** All private keys of a text, each once; at least one. If some cannot be opened, the others. */
const privateKeys = (
  from: Text,
  passphrase: string | undefined,
  ifPath: string,
  whereElse: string,
  encrypted: string
): Either.Either<readonly [crypto.KeyObject, ...ReadonlyArray<crypto.KeyObject>], Problem> => {
  const { source, text } = from
  const blocks = pemBlocks(text)
  if (blocks.length === 0) {
    return notPem(from, "PRIVATE KEY", ifPath)
  }
  const [first, ...others] = blocks.filter(isPrivateKey)
  if (first === undefined) {
    return blocks.some(({ label }) => label === "PKCS12")
      ? problem(
        "NotPem",
        source,
        `${source} is a PKCS#12 archive (.p12), and not PEM: read it with Credentials.pkcs12, or give text with "-----BEGIN PRIVATE KEY-----"`
      )
      : problem("NoKey", source, `There is no private key in ${source}, only ${describe(blocks)}: ${whereElse}`)
  }
  const open = (block: PemBlock) => openKey(block, source, passphrase, encrypted)
  const opened = [first, ...others].flatMap((block) =>
    Either.match(open(block), { onLeft: () => [], onRight: (_) => [_] })
  )
  const [key, ...more] = opened.filter((key, i) => !opened.slice(0, i).some((before) => before.equals(key)))
  return key === undefined ? Either.map(open(first), (key) => [key]) : Either.right([key, ...more])
}

/**
 * A passphrase as it is, and composed and decomposed (Unicode normalization): systems differ in how they write ä, and the
 * same letters must open the same file.
 */
const spellings = (passphrase: string | undefined): readonly [string | undefined, ...ReadonlyArray<string>] =>
  passphrase === undefined
    ? [undefined]
    : [passphrase, ...["NFC", "NFD"].map((form) => passphrase.normalize(form)).filter((_) => _ !== passphrase)]

const isWrongPassphrase = (result: Either.Either<unknown, Problem>): boolean =>
  Either.isLeft(result) && result.left.reason === "WrongPassphrase"

const openKey = (
  block: PemBlock,
  source: string,
  passphrase: string | undefined,
  encrypted: string
): Either.Either<crypto.KeyObject, Problem> => {
  const [first, ...others] = spellings(passphrase)
  const result = openKeyWith(block, source, first, encrypted)
  if (!isWrongPassphrase(result)) return result
  return others.map((other) => openKeyWith(block, source, other, encrypted)).find(Either.isRight) ?? result
}

const openKeyWith = (
  block: PemBlock,
  source: string,
  passphrase: string | undefined,
  encrypted: string
): Either.Either<crypto.KeyObject, Problem> => {
  if (block.damage !== undefined) {
    return problem(
      "InvalidKey",
      source,
      `The JSON Web Key in ${source} is damaged, ${block.damage}: compare it with the original`
    )
  }
  if (isEncrypted(block) && passphrase === undefined) {
    return problem("PassphraseMissing", source, `The private key in ${source} is encrypted: ${encrypted}`)
  }
  try {
    const key = crypto.createPrivateKey(
      passphrase === undefined ? { key: block.text } : { key: block.text, passphrase }
    )
    return isConsistent(key) ? Either.right(key) : problem(
      "InvalidKey",
      source,
      `The private key in ${source} is damaged, ${
        key.asymmetricKeyType === "rsa"
          ? "its numbers do not belong together"
          : "it does not fit the public key beside it"
      }: compare it with the original file, at least one character has changed`
    )
  } catch (error) {
    return keyProblem(block, source, error)
  }
}

/** A wrong passphrase and a damaged file look the same. */
const orDamaged = ". If it is right, the file is damaged: compare it with the original"

const damaged = ({ der }: PemBlock, source: string, error: unknown): Either.Either<never, Problem> => {
  // the first bytes contain the length of the file
  const whole = lengthOf(der)
  const missing = whole !== undefined && der.length < whole
    ? `: ${whole - der.length} of its ${whole} bytes are missing`
    : ""
  return problem(
    "InvalidKey",
    source,
    `The private key in ${source} is damaged${missing}. Compare it with the original file, it must be complete and unchanged`,
    causeOf(error)
  )
}

const keyProblem = (block: PemBlock, source: string, error: unknown): Either.Either<never, Problem> => {
  const isWhole = block.cipher === undefined
    ? block.label === "ENCRYPTED PRIVATE KEY" && kindOf(block.der) === "ENCRYPTED PRIVATE KEY"
    : block.der.length > 0
  if (!isWhole) return damaged(block, source, error)
  const wrong = problem(
    "WrongPassphrase",
    source,
    `The passphrase does not open the private key in ${source}: correct it${orDamaged}`,
    causeOf(error)
  )
  if (codeOf(error).includes("BAD_DECRYPT")) return wrong
  const retired = retiredCipher(block)
  // With a wrong passphrase, the decrypted bytes are random, and about once in 200 times they end with valid padding. The
  // error that OpenSSL then has about these bytes means nothing.
  return retired === undefined ? wrong : problem(
    "UnsupportedEncryption",
    source,
    `The private key in ${source} is encrypted with ${retired}, which OpenSSL 3 has retired: convert it with ` +
      "\"openssl pkcs8 -topk8 -provider legacy -provider default -in old.key -out new.key\" and use the new file",
    causeOf(error)
  )
}

const isP256 = ({ asymmetricKeyDetails, asymmetricKeyType }: crypto.KeyObject): boolean =>
  asymmetricKeyType === "ec" && asymmetricKeyDetails?.namedCurve === "prime256v1"

const pkcs8 = (key: crypto.KeyObject): string => key.export({ type: "pkcs8", format: "pem" }).toString()

export interface SigningKey {
  readonly key: crypto.KeyObject
  readonly pem: string
  readonly keyId: KeyId.KeyId
  readonly teamId: TeamId.TeamId
  readonly identity: string
}

// A text much longer than an id may be the key itself, in the wrong place: it is not shown.
/** The names that messages use for the parts of a token. */
export interface TokenNames extends IdNames {
  /** The option that takes the path of the key's file. */
  readonly file: string
}

/** As the options of the library. */
export const optionNames: TokenNames = { file: "`keyFile`", keyId: "The key id", teamId: "The team id" }

export const tokenKey = (
  text: string | Uint8Array,
  keyId: string,
  teamId: string,
  source: string,
  passphrase?: string,
  names: TokenNames = optionNames
): Either.Either<SigningKey, Problem> => {
  if (!KeyIds.is(keyId)) return problem("InvalidKeyId", "keyId", idProblem("Key ID", names.keyId, keyId))
  if (!TeamIds.is(teamId)) return problem("InvalidTeamId", "teamId", idProblem("Team ID", names.teamId, teamId))
  return Either.flatMap(
    privateKeys(
      { source, text },
      passphrase,
      `pass it as ${names.file}`,
      "give the .p8 file that Apple's developer site gave for the key",
      "Apple's .p8 files are not, so somebody encrypted this one. Give its passphrase, or decrypt it with " +
        "\"openssl pkey -in encrypted.p8 -out AuthKey.p8\""
    ),
    (keys) => {
      const [key, another] = keys.filter(isP256)
      if (key === undefined) {
        const [{ asymmetricKeyDetails, asymmetricKeyType }] = keys
        const kind = asymmetricKeyDetails?.namedCurve ?? asymmetricKeyType ?? "unknown"
        return problem(
          "NotEcP256",
          source,
          `The key in ${source} is of kind ${kind}, and tokens are signed with P-256: give the .p8 file of an APNs key`
        )
      }
      if (another !== undefined) {
        return problem(
          "InvalidKey",
          source,
          `There are several signing keys in ${source}: give the one whose key ID is ${keyId}, alone`
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

/** The names that messages use for the options with paths of files. */
export interface CertificateNames {
  readonly certFile: string
  readonly keyFile: string
}

export const certificate = (
  cert: Text,
  key: Text | undefined,
  passphrase: string | undefined,
  names: CertificateNames
): Either.Either<CertificateInfo & { readonly cert: string; readonly keyPem: string }, Problem> => {
  const blocks = pemBlocks(cert.text)
  if (blocks.length === 0) {
    return notPem(cert, "CERTIFICATE", `pass it as ${names.certFile}`)
  }
  if (blocks.some(({ label }) => label === "PKCS12")) {
    return problem(
      "NotPem",
      cert.source,
      `${cert.source} is a PKCS#12 archive (.p12), and not PEM: read it with Credentials.pkcs12, or give text with "-----BEGIN CERTIFICATE-----"`
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
        `A certificate in ${cert.source} is damaged: compare it with the original file, or download the certificate again`,
        causeOf(error)
      )
    }
  }
  if (certificates.length === 0) {
    return problem(
      "NoCertificate",
      cert.source,
      `There is no certificate in ${cert.source}, only ${
        describe(blocks)
      }: give the certificate that belongs to the key`
    )
  }
  const from = key ?? cert
  return Either.flatMap(
    privateKeys(
      from,
      passphrase,
      `pass it as ${names.keyFile}`,
      "put the key into the same file, or name the file that holds it (Keychain Access exports both together, as .p12)",
      "give its passphrase"
    ),
    (keys) => {
      const [pair] = keys.flatMap((key) => {
        const leaf = certificates.find(([, certificate]) => certificate.checkPrivateKey(key))
        return leaf === undefined ? [] : [{ key, leaf }]
      })
      if (pair === undefined) {
        return problem(
          "Mismatch",
          from.source,
          `The private key in ${from.source} does not belong to the certificate in ${cert.source}: give the key that the certificate was made for`
        )
      }
      const { key, leaf } = pair
      return Either.right({
        ...info(leaf[1]),
        cert: [leaf, ...certificates.filter((_) => _ !== leaf)].map(([block]) => block.text).join(""),
        keyPem: pkcs8(key)
      })
    }
  )
}

/** The certificates of authorities, as PEM. */
export const authorities = (from: Text): Either.Either<string, Problem> => {
  const blocks = pemBlocks(from.text)
  if (blocks.length === 0) return notPem(from, "CERTIFICATE", "pass it as APNS_CA_FILE")
  const certificates = blocks.filter(isCertificate)
  for (const { text } of certificates) {
    try {
      new crypto.X509Certificate(text)
    } catch (error) {
      return problem(
        "InvalidCertificate",
        from.source,
        `A certificate in ${from.source} is damaged: compare it with the original file`,
        causeOf(error)
      )
    }
  }
  return certificates.length === 0
    ? problem(
      "NoCertificate",
      from.source,
      `There is no certificate in ${from.source}, only ${describe(blocks)}: give the certificates of the authorities`
    )
    : Either.right(certificates.map(({ text }) => text).join(""))
}

/** The contents of an archive that OpenSSL did not open itself. */
export interface Opened {
  readonly cert: string
  readonly keyPem: string
}

export interface Archive {
  /** The passphrase that opened it. */
  readonly passphrase: string | undefined
  readonly info: CertificateInfo
  readonly data: Uint8Array
  readonly opened: Opened | undefined
}

/** The bytes of an archive: as they are, or from base64 in any form that is accepted for keys; `undefined` if it is not one. */
const archiveBytes = (text: string | Uint8Array): Uint8Array | undefined =>
  !isText(text) && kindOf(text) === "PKCS12" ? text : pemBlocks(text).find(({ label }) => label === "PKCS12")?.der

export const pkcs12 = async (
  text: string | Uint8Array,
  passphrase: string | undefined,
  source: string,
  file: string
): Promise<Either.Either<Archive, Problem>> => {
  const [first, ...others] = spellings(passphrase)
  const result = await archive(text, first, source, file)
  if (!isWrongPassphrase(result)) return result
  for (const other of others) {
    const opened = await archive(text, other, source, file)
    if (Either.isRight(opened)) return opened
  }
  return result
}

const archive = async (
  text: string | Uint8Array,
  passphrase: string | undefined,
  source: string,
  file: string
): Promise<Either.Either<Archive, Problem>> => {
  const bytes = archiveBytes(text)
  if (bytes === undefined || kindOf(bytes) !== "PKCS12") return notPkcs12(text, source, file)
  const data = withoutTail(bytes)
  const native = openNative(data, passphrase)
  if (!(native instanceof Error)) {
    const { leaf, secureContext } = native
    if (leaf === undefined) return noCertificate(source)
    return await convinces(secureContext)
      ? Either.right({ info: info(leaf), data, opened: undefined, passphrase })
      : inconsistentArchive(source)
  }
  // OpenSSL checks the passphrase first, and knows the algorithms in use today: another reader would find the same.
  if (/mac verify failure/i.test(native.message)) return wrongPassphrase(passphrase, source, native)
  const { open } = await import("./pkcs12.js")
  let contents: Awaited<ReturnType<typeof open>>
  try {
    contents = await open(data, passphrase)
  } catch (error) {
    return problem(
      "UnsupportedEncryption",
      source,
      `The archive ${source} needs the package node-forge, which could not be loaded: install it beside the program and ` +
        "leave it out of bundles (esbuild --external:node-forge), or convert the archive with " +
        "\"openssl pkcs12 -legacy -in old.p12 -nodes -out push.pem\" and use the PEM file",
      causeOf(error)
    )
  }
  if (contents === "WrongPassphrase") return wrongPassphrase(passphrase, source, native)
  if (contents === "UnsupportedEncryption") {
    return problem(
      "UnsupportedEncryption",
      source,
      `The archive ${source} is encrypted in a way that neither OpenSSL 3 nor this library opens: convert it with ` +
        "\"openssl pkcs12 -legacy -in old.p12 -nodes -out push.pem\" and use the PEM file",
      causeOf(native)
    )
  }
  if (contents.keys.length === 0) return noKey(source)
  if (!contents.keys.some(isConsistent)) return inconsistentArchive(source)
  if (contents.certificates.length === 0) return noCertificate(source)
  for (const key of contents.keys.filter(isConsistent)) {
    const leaf = contents.certificates.find((certificate) => certificate.checkPrivateKey(key))
    if (leaf !== undefined) {
      const chain = [leaf, ...contents.certificates.filter((_) => _ !== leaf)]
      return Either.right({
        info: info(leaf),
        data,
        passphrase,
        opened: { cert: chain.map(String).join(""), keyPem: pkcs8(key) }
      })
    }
  }
  return problem(
    "Mismatch",
    source,
    `No private key in ${source} belongs to a certificate in it: export the certificate together with the key below it`
  )
}

interface Native {
  readonly secureContext: tls.SecureContext
  /** The certificate that TLS would present. */
  readonly leaf: crypto.X509Certificate | undefined
}

/** The archive as OpenSSL opens it, or the error of OpenSSL. */
const openNative = (data: Uint8Array, passphrase: string | undefined): Native | Error => {
  try {
    const secureContext = tls.createSecureContext({
      pfx: Buffer.from(data),
      ...(passphrase === undefined ? {} : { passphrase })
    })
    // The only public way to read the certificate of an archive: a TLS socket has the one that it would present.
    const socket = new tls.TLSSocket(new net.Socket(), { secureContext, isServer: true })
    const leaf = socket.getX509Certificate()
    socket.destroy()
    return { secureContext, leaf }
  } catch (error) {
    return causeOf(error)
  }
}

const notPkcs12 = (text: string | Uint8Array, source: string, file: string): Either.Either<never, Problem> => {
  const blocks = pemBlocks(text)
  if (isText(text) && paths.looksLikePath(text)) {
    return problem("NotPkcs12", source, `${source} looks like the path of a file: pass it as ${file}`)
  }
  const missing = cutOff(source, text)
  if (missing !== undefined && blocks.length === 0) return problem("NotPkcs12", source, missing)
  return blocks.length === 0
    ? problem("NotPkcs12", source, `${source} is not a PKCS#12 archive: give a .p12 file, or read it as PEM`)
    : problem(
      "NotPkcs12",
      source,
      `${source} is not a PKCS#12 archive, it holds ${describe(blocks)}: read it as PEM with Credentials.${
        blocks.some(isCertificate) ? "certificate" : "token"
      }, or give a .p12 file`
    )
}

const wrongPassphrase = (
  passphrase: string | undefined,
  source: string,
  cause: Error
): Either.Either<never, Problem> =>
  passphrase === undefined
    ? problem("PassphraseMissing", source, `The archive ${source} is encrypted: give its passphrase`, cause)
    : problem("WrongPassphrase", source, `The passphrase does not open ${source}: correct it${orDamaged}`, cause)

const inconsistentArchive = (source: string): Either.Either<never, Problem> =>
  problem(
    "InvalidKey",
    source,
    `The private key in ${source} is damaged, it does not fit the public key beside it: export certificate and key once more ` +
      "from where both are"
  )

const together = "export certificate and key together"

const noKey = (source: string): Either.Either<never, Problem> =>
  problem("NoKey", source, `There is no private key in ${source}: ${together}`)

const noCertificate = (source: string): Either.Either<never, Problem> =>
  problem("NoCertificate", source, `There is no certificate in ${source}: ${together}`)
