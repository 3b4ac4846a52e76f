/**
 * X.509 v3 certificates (RFC 5280) for tests: EC P-256 keys, ECDSA with SHA-256.
 *
 * @internal
 */
import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto"
import * as Der from "./der.js"

const Oid = {
  ecdsaWithSha256: Der.oid("1.2.840.10045.4.3.2"),
  commonName: Der.oid("2.5.4.3"),
  userId: Der.oid("0.9.2342.19200300.100.1.1"),
  basicConstraints: Der.oid("2.5.29.19"),
  keyUsage: Der.oid("2.5.29.15"),
  extendedKeyUsage: Der.oid("2.5.29.37"),
  subjectKeyIdentifier: Der.oid("2.5.29.14"),
  authorityKeyIdentifier: Der.oid("2.5.29.35"),
  subjectAlternativeName: Der.oid("2.5.29.17"),
  serverAuth: Der.oid("1.3.6.1.5.5.7.3.1"),
  clientAuth: Der.oid("1.3.6.1.5.5.7.3.2"),
  appleDevelopment: Der.oid("1.2.840.113635.100.6.3.1"),
  appleProduction: Der.oid("1.2.840.113635.100.6.3.2"),
  appleTopics: Der.oid("1.2.840.113635.100.6.3.6")
}

const signatureAlgorithm = Der.sequence(Oid.ecdsaWithSha256)

/** @internal */
export interface Issuer {
  readonly name: Uint8Array
  readonly key: KeyObject
  readonly keyId: Uint8Array
}

/** @internal */
export interface Subject {
  readonly commonName: string
  readonly userId?: string | undefined
  readonly notBefore: number
  readonly notAfter: number
  readonly ca?: boolean | undefined
  readonly hosts?: ReadonlyArray<string> | undefined
  readonly server?: boolean | undefined
  readonly topics?: ReadonlyArray<string> | undefined
  readonly environments?: ReadonlyArray<"development" | "production"> | undefined
}

/** @internal */
export interface Issued {
  readonly cert: string
  readonly key: string
  readonly issuer: Issuer
}

const pem = (der: Uint8Array): string =>
  `-----BEGIN CERTIFICATE-----\n${
    (Buffer.from(der).toString("base64").match(/.{1,64}/g) ?? []).join("\n")
  }\n-----END CERTIFICATE-----\n`

const extension = (id: Uint8Array, value: Uint8Array, critical = false): Uint8Array =>
  critical ? Der.sequence(id, Der.boolean(true), Der.octetString(value)) : Der.sequence(id, Der.octetString(value))

const attribute = (id: Uint8Array, value: string): Uint8Array => Der.set(Der.sequence(id, Der.utf8(value)))

const address = (host: string): Uint8Array | undefined => {
  if (/^\d+(\.\d+){3}$/.test(host)) return Uint8Array.from(host.split(".").map(Number))
  if (host === "::1") return Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
  return undefined
}

const generalName = (host: string): Uint8Array => {
  const ip = address(host)
  return ip === undefined ? Der.contextPrimitive(2, Buffer.from(host, "latin1")) : Der.contextPrimitive(7, ip)
}

/** Issues a certificate for a new key; without an issuer it is self-signed. */
/** @internal */
export const issue = (subject: Subject, issuer?: Issuer): Issued => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
  const spki = createPublicKey(privateKey).export({ type: "spki", format: "der" })
  const keyId = createHash("sha1").update(spki.subarray(-65)).digest()
  const name = Der.sequence(
    ...(subject.userId === undefined ? [] : [attribute(Oid.userId, subject.userId)]),
    attribute(Oid.commonName, subject.commonName)
  )
  const self: Issuer = { name, key: privateKey, keyId }
  const signer = issuer ?? self
  const extensions = [
    extension(Oid.basicConstraints, subject.ca === true ? Der.sequence(Der.boolean(true)) : Der.sequence(), true),
    // keyCertSign and cRLSign for an authority, digitalSignature for others (RFC 5280 section 4.2.1.3)
    extension(
      Oid.keyUsage,
      subject.ca === true ? Der.bitString(Uint8Array.of(0x06), 1) : Der.bitString(Uint8Array.of(0x80), 7),
      true
    ),
    extension(Oid.subjectKeyIdentifier, Der.octetString(keyId)),
    extension(Oid.authorityKeyIdentifier, Der.sequence(Der.contextPrimitive(0, signer.keyId)))
  ]
  if (subject.ca !== true) {
    extensions.push(
      extension(Oid.extendedKeyUsage, Der.sequence(subject.server === true ? Oid.serverAuth : Oid.clientAuth))
    )
  }
  if (subject.hosts !== undefined) {
    extensions.push(extension(Oid.subjectAlternativeName, Der.sequence(...subject.hosts.map(generalName))))
  }
  const nothing = Uint8Array.of(0x05, 0x00)
  if (subject.environments?.includes("development") === true) extensions.push(extension(Oid.appleDevelopment, nothing))
  if (subject.environments?.includes("production") === true) extensions.push(extension(Oid.appleProduction, nothing))
  if (subject.topics !== undefined) {
    const topics = subject.topics.flatMap((topic) => [Der.utf8(topic), Der.sequence(Der.utf8("app"))])
    extensions.push(extension(Oid.appleTopics, Der.sequence(...topics)))
  }
  const serial = randomBytes(16)
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40
  const body = Der.sequence(
    Der.context(0, Der.integer(Uint8Array.of(2))),
    Der.integer(serial),
    signatureAlgorithm,
    signer.name,
    Der.sequence(Der.time(subject.notBefore), Der.time(subject.notAfter)),
    name,
    spki,
    Der.context(3, Der.sequence(...extensions))
  )
  const signature = sign("sha256", body, signer.key)
  return {
    cert: pem(Der.sequence(body, signatureAlgorithm, Der.bitString(signature))),
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    issuer: self
  }
}

/** @internal */
export interface PushCertificate {
  readonly topics: ReadonlyArray<string> | undefined
  readonly development: boolean
  readonly production: boolean
}

const hasOid = (parts: ReadonlyArray<Der.Element>, id: Uint8Array): boolean =>
  parts[0]?.tag === Der.Tag.oid && Buffer.compare(parts[0].value, id.subarray(2)) === 0

/** The topics and environments of an Apple push certificate, from its DER bytes. */
/** @internal */
export const readPushCertificate = (der: Uint8Array): PushCertificate => {
  const result: { topics: ReadonlyArray<string> | undefined; development: boolean; production: boolean } = {
    topics: undefined,
    development: false,
    production: false
  }
  const certificate = Der.elements(der)[0]
  const body = certificate === undefined ? undefined : Der.elements(certificate.value)[0]
  const wrapped = body === undefined ? undefined : Der.elements(body.value).find((part) => part.tag === 0xa3)
  const list = wrapped === undefined ? undefined : Der.elements(wrapped.value)[0]
  for (const item of list === undefined ? [] : Der.elements(list.value)) {
    const parts = Der.elements(item.value)
    if (hasOid(parts, Oid.appleDevelopment)) result.development = true
    else if (hasOid(parts, Oid.appleProduction)) result.production = true
    else if (hasOid(parts, Oid.appleTopics)) {
      const value = Der.elements(parts[parts.length - 1]?.value ?? new Uint8Array())[0]
      result.topics = value === undefined
        ? []
        : Der.elements(value.value).filter((part) => part.tag === Der.Tag.utf8).map((part) =>
          Buffer.from(part.value).toString("utf8")
        )
    }
  }
  return result
}
