/**
 * Who is sending: a token signing key (`.p8`), or a client certificate as PEM or PKCS#12.
 *
 * Everything that can be wrong with them is found here, before a connection is tried, and reported as a
 * {@link CredentialsError} that says what to change. Secrets are held as `Redacted`: they do not show up in logs,
 * errors or JSON.
 *
 * @example
 * ```ts
 * import * as Credentials from "@effect-apns/core/Credentials"
 * import * as Effect from "effect/Effect"
 * import * as Redacted from "effect/Redacted"
 *
 * const token = Credentials.token({ keyFile: "AuthKey_ABC123DEFG.p8", keyId: "ABC123DEFG", teamId: "DEF123GHIJ" })
 *
 * const certificate = Credentials.pkcs12({ file: "push.p12", passphrase: Redacted.make("…") })
 *
 * // A key that is not in a file needs no file system.
 * export const fromSecret = (key: Redacted.Redacted<string>): Effect.Effect<Credentials.Token, Credentials.CredentialsError> =>
 *   Credentials.token({ key, keyId: "ABC123DEFG", teamId: "DEF123GHIJ" })
 *
 * export const either = Effect.orElse(token, () => certificate)
 * ```
 *
 * @since 0.1.0
 */
import type { KeyId } from "@effect-apns/models/KeyId"
import type { TeamId } from "@effect-apns/models/TeamId"
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Data from "effect/Data"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as internal from "./internal/credentials.js"

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: TypeId = "~@effect-apns/core/Credentials"

/**
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = "~@effect-apns/core/Credentials"

/**
 * Who is sending.
 *
 * @since 0.1.0
 * @category models
 */
export type Credentials = Token | Certificate | Pkcs12

/**
 * A token signing key (Apple, "Establishing a token-based connection to APNs"). Connections carry JWTs signed with it:
 * see `ProviderToken`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Token {
  readonly [TypeId]: TypeId
  readonly _tag: "Token"
  /** The private key as PEM. */
  readonly key: Redacted.Redacted<string>
  /** The 10 characters that Apple gave to the key. */
  readonly keyId: KeyId
  /** The 10 characters of the team that owns the key. */
  readonly teamId: TeamId
  /**
   * The same text for the same team and key, and never for another: one APNs connection serves one team and one key,
   * so key pools by it. Holds no secret.
   */
  readonly identity: string
}

/**
 * What is known of a client certificate (Apple, "Establishing a certificate-based connection to APNs").
 *
 * @since 0.1.0
 * @category models
 */
export interface CertificateInfo {
  /** The subject, one attribute a line, as Node prints it. */
  readonly subject: string
  /** The topics that the certificate may send to, where it lists them (extension 1.2.840.113635.100.6.3.6). */
  readonly topics: ReadonlyArray<string>
  /** The end of its validity. */
  readonly expiresAt: DateTime.Utc
  /** The same text for the same certificate, in PEM or PKCS#12, and never for another: key pools by it. */
  readonly identity: string
}

/**
 * A client certificate and its private key, from PEM.
 *
 * @since 0.1.0
 * @category models
 */
export interface Certificate extends CertificateInfo {
  readonly [TypeId]: TypeId
  readonly _tag: "Certificate"
  /** The certificate, then its chain, as PEM. */
  readonly cert: string
  /** The private key as PEM, no longer encrypted. */
  readonly key: Redacted.Redacted<string>
}

/**
 * A client certificate and its private key, from a PKCS#12 file (`.p12`, `.pfx`).
 *
 * @since 0.1.0
 * @category models
 */
export interface Pkcs12 extends CertificateInfo {
  readonly [TypeId]: TypeId
  readonly _tag: "Pkcs12"
  readonly data: Redacted.Redacted<Uint8Array>
  readonly passphrase: Redacted.Redacted<string> | undefined
}

/**
 * Whether `u` is a {@link Credentials}.
 *
 * @since 0.1.0
 * @category guards
 */
export const isCredentials = (u: unknown): u is Credentials => Predicate.hasProperty(u, TypeId)

/**
 * What can be wrong with credentials.
 *
 * @since 0.1.0
 * @category errors
 */
export type Reason =
  /** A file is missing or may not be read. */
  | "FileNotReadable"
  /** The text holds no PEM block. */
  | "NotPem"
  /** The data is not PKCS#12. */
  | "NotPkcs12"
  /** There is no private key. */
  | "NoKey"
  /** There is no certificate. */
  | "NoCertificate"
  /** The private key is encrypted and no passphrase was given. */
  | "PassphraseMissing"
  /** The passphrase does not open the key or the PKCS#12 file. */
  | "WrongPassphrase"
  /** The encryption is one that OpenSSL 3 has retired. */
  | "UnsupportedEncryption"
  /** The private key is damaged. */
  | "InvalidKey"
  /** A token signing key must be an elliptic curve key on P-256. */
  | "NotEcP256"
  /** The certificate is damaged. */
  | "InvalidCertificate"
  /** The key does not belong to the certificate. */
  | "Mismatch"
  /** The certificate is no longer valid. */
  | "Expired"
  /** A key id is 10 upper-case letters and digits. */
  | "InvalidKeyId"
  /** A team id is 10 upper-case letters and digits. */
  | "InvalidTeamId"
  /** Tokens are refreshed at an age between 20 and 60 minutes. */
  | "InvalidRefreshAge"
  /** The key was fine, yet signing failed. */
  | "SigningFailed"

/**
 * Credentials that cannot work. `source` says which file or option they came from; `message` says what to change.
 *
 * @since 0.1.0
 * @category errors
 */
export class CredentialsError extends Data.TaggedError("CredentialsError")<{
  readonly reason: Reason
  readonly source: string
  readonly message: string
  /** When the certificate expired; with reason `"Expired"` alone. */
  readonly expiredAt?: DateTime.Utc | undefined
  readonly cause?: unknown
}> {}

/**
 * A key that is in memory already.
 *
 * @since 0.1.0
 * @category options
 */
export interface TokenOptions {
  /** The content of the `.p8` file. */
  readonly key: Redacted.Redacted<string>
  readonly keyId: string
  readonly teamId: string
}

/**
 * A key in a file.
 *
 * @since 0.1.0
 * @category options
 */
export interface TokenFileOptions {
  /** The path of the `.p8` file that Apple's developer site gave. */
  readonly keyFile: string
  readonly keyId: string
  readonly teamId: string
}

/**
 * A certificate that is in memory already.
 *
 * @since 0.1.0
 * @category options
 */
export interface CertificateOptions {
  /** The certificate as PEM, with its chain where there is one; may hold the key too. */
  readonly cert: string | Redacted.Redacted<string>
  /** The private key as PEM. Default: the key in `cert`. */
  readonly key?: Redacted.Redacted<string> | undefined
  /** Opens an encrypted private key. */
  readonly passphrase?: Redacted.Redacted<string> | undefined
}

/**
 * A certificate in one file or two.
 *
 * @since 0.1.0
 * @category options
 */
export interface CertificateFileOptions {
  /** The path of a PEM file: the certificate, its chain where there is one; may hold the key too. */
  readonly certFile: string
  /** The path of a PEM file with the private key. Default: the key in `certFile`. */
  readonly keyFile?: string | undefined
  /** Opens an encrypted private key. */
  readonly passphrase?: Redacted.Redacted<string> | undefined
}

/**
 * A PKCS#12 archive that is in memory already.
 *
 * @since 0.1.0
 * @category options
 */
export interface Pkcs12Options {
  readonly data: Uint8Array | Redacted.Redacted<Uint8Array>
  readonly passphrase?: Redacted.Redacted<string> | undefined
}

/**
 * A PKCS#12 archive in a file.
 *
 * @since 0.1.0
 * @category options
 */
export interface Pkcs12FileOptions {
  /** The path of the `.p12` or `.pfx` file. */
  readonly file: string
  readonly passphrase?: Redacted.Redacted<string> | undefined
}

const failed = (problem: internal.Problem): CredentialsError => new CredentialsError(problem)

const unreadable = (file: string) => (error: PlatformError): CredentialsError =>
  new CredentialsError({
    reason: "FileNotReadable",
    source: file,
    message: error._tag === "SystemError" && error.reason === "NotFound"
      ? `There is no file ${file}: give the path of an existing file, absolute or from the working directory`
      : `The file ${file} cannot be read: ${error.message}`,
    cause: error
  })

const readText = (file: string): Effect.Effect<string, CredentialsError, FileSystem.FileSystem> =>
  Effect.flatMap(FileSystem.FileSystem, (fs) => Effect.mapError(fs.readFileString(file), unreadable(file)))

const readBytes = (file: string): Effect.Effect<Uint8Array, CredentialsError, FileSystem.FileSystem> =>
  Effect.flatMap(FileSystem.FileSystem, (fs) => Effect.mapError(fs.readFile(file), unreadable(file)))

const checkExpiry =
  <A extends CertificateInfo>(source: string) => (credentials: A): Effect.Effect<A, CredentialsError> =>
    Effect.flatMap(
      Clock.currentTimeMillis,
      (now) =>
        now < credentials.expiresAt.epochMillis ? Effect.succeed(credentials) : Effect.fail(
          new CredentialsError({
            reason: "Expired",
            source,
            message: `The client certificate in ${source} expired on ${
              DateTime.formatIso(credentials.expiresAt)
            }: create a new one on Apple's developer site, or check the clock of this machine`,
            expiredAt: credentials.expiresAt
          })
        )
    )

/**
 * Credentials from a token signing key.
 *
 * Fails with `FileNotReadable`, `NotPem`, `NoKey`, `PassphraseMissing` (Apple's keys are not encrypted), `InvalidKey`,
 * `NotEcP256` (ES256 signs with P-256, RFC 7518 section 3.4), `InvalidKeyId` or `InvalidTeamId`.
 *
 * @since 0.1.0
 * @category constructors
 */
export function token(options: TokenOptions): Effect.Effect<Token, CredentialsError>
export function token(options: TokenFileOptions): Effect.Effect<Token, CredentialsError, FileSystem.FileSystem>
export function token(
  options: TokenOptions | TokenFileOptions
): Effect.Effect<Token, CredentialsError, FileSystem.FileSystem>
export function token(
  options: TokenOptions | TokenFileOptions
): Effect.Effect<Token, CredentialsError, FileSystem.FileSystem> {
  const build = (source: string, pem: string): Either.Either<Token, CredentialsError> =>
    Either.mapBoth(internal.tokenKey(pem, options.keyId, options.teamId, source), {
      onLeft: failed,
      onRight: ({ identity, keyId, pem, teamId }): Token => ({
        [TypeId]: TypeId,
        _tag: "Token",
        key: Redacted.make(pem),
        keyId,
        teamId,
        identity
      })
    })
  return "key" in options
    ? Effect.suspend(() => build("the key given", Redacted.value(options.key)))
    : Effect.flatMap(readText(options.keyFile), (pem) => build(options.keyFile, pem))
}

/**
 * Credentials from a client certificate as PEM: one file or text with certificate and key, or two.
 *
 * Fails with `FileNotReadable`, `NotPem`, `NoCertificate`, `InvalidCertificate`, `NoKey`, `PassphraseMissing`,
 * `WrongPassphrase`, `InvalidKey`, `Mismatch`, or `Expired` by Effect's Clock.
 *
 * @since 0.1.0
 * @category constructors
 */
export function certificate(options: CertificateOptions): Effect.Effect<Certificate, CredentialsError>
export function certificate(
  options: CertificateFileOptions
): Effect.Effect<Certificate, CredentialsError, FileSystem.FileSystem>
export function certificate(
  options: CertificateOptions | CertificateFileOptions
): Effect.Effect<Certificate, CredentialsError, FileSystem.FileSystem>
export function certificate(
  options: CertificateOptions | CertificateFileOptions
): Effect.Effect<Certificate, CredentialsError, FileSystem.FileSystem> {
  const build = (
    cert: internal.Text,
    key: internal.Text | undefined
  ): Effect.Effect<Certificate, CredentialsError> =>
    Either.mapBoth(internal.certificate(cert, key, secret(options.passphrase)), {
      onLeft: failed,
      onRight: ({ keyPem, ...rest }): Certificate => ({
        [TypeId]: TypeId,
        _tag: "Certificate",
        key: Redacted.make(keyPem),
        ...rest
      })
    }).pipe(Effect.flatMap(checkExpiry(cert.source)))
  if ("cert" in options) {
    const { cert, key } = options
    return Effect.suspend(() =>
      build(
        { source: "the certificate given", text: Redacted.isRedacted(cert) ? Redacted.value(cert) : cert },
        key === undefined ? undefined : { source: "the key given", text: Redacted.value(key) }
      )
    )
  }
  const { certFile, keyFile } = options
  return Effect.gen(function*() {
    const cert = { source: certFile, text: yield* readText(certFile) }
    return yield* build(cert, keyFile === undefined ? undefined : { source: keyFile, text: yield* readText(keyFile) })
  })
}

/**
 * Credentials from a PKCS#12 archive, as Keychain Access exports them.
 *
 * Fails with `FileNotReadable`, `NotPkcs12`, `WrongPassphrase`, `UnsupportedEncryption` (archives made before 2021 use
 * ciphers that OpenSSL 3 refuses; the message says how to convert one), `NoKey`, `NoCertificate`, or `Expired` by
 * Effect's Clock.
 *
 * @since 0.1.0
 * @category constructors
 */
export function pkcs12(options: Pkcs12Options): Effect.Effect<Pkcs12, CredentialsError>
export function pkcs12(options: Pkcs12FileOptions): Effect.Effect<Pkcs12, CredentialsError, FileSystem.FileSystem>
export function pkcs12(
  options: Pkcs12Options | Pkcs12FileOptions
): Effect.Effect<Pkcs12, CredentialsError, FileSystem.FileSystem>
export function pkcs12(
  options: Pkcs12Options | Pkcs12FileOptions
): Effect.Effect<Pkcs12, CredentialsError, FileSystem.FileSystem> {
  const build = (source: string, data: Uint8Array): Effect.Effect<Pkcs12, CredentialsError> =>
    Either.mapBoth(internal.pkcs12(data, secret(options.passphrase), source), {
      onLeft: failed,
      onRight: (info): Pkcs12 => ({
        [TypeId]: TypeId,
        _tag: "Pkcs12",
        data: Redacted.make(data),
        passphrase: options.passphrase,
        ...info
      })
    }).pipe(Effect.flatMap(checkExpiry(source)))
  if ("data" in options) {
    const { data } = options
    return Effect.suspend(() =>
      build("the PKCS#12 data given", Redacted.isRedacted(data) ? Redacted.value(data) : data)
    )
  }
  return Effect.flatMap(readBytes(options.file), (data) => build(options.file, data))
}

const secret = (redacted: Redacted.Redacted<string> | undefined): string | undefined =>
  redacted === undefined ? undefined : Redacted.value(redacted)

const environment = () =>
  Config.all({
    key: Config.option(Config.redacted("APNS_KEY")),
    keyFile: Config.option(Config.nonEmptyString("APNS_KEY_FILE")),
    keyId: Config.option(Config.nonEmptyString("APNS_KEY_ID")),
    teamId: Config.option(Config.nonEmptyString("APNS_TEAM_ID")),
    certFile: Config.option(Config.nonEmptyString("APNS_CERT_FILE")),
    certKeyFile: Config.option(Config.nonEmptyString("APNS_CERT_KEY_FILE")),
    passphrase: Config.option(Config.redacted("APNS_CERT_PASSPHRASE"))
  })

/**
 * Credentials from the environment: `APNS_KEY_FILE` or `APNS_KEY` (its content; line ends may be written `\n`) with
 * `APNS_KEY_ID` and `APNS_TEAM_ID`; or `APNS_CERT_FILE` (PKCS#12 where its name ends in `.p12` or `.pfx`, else PEM) with
 * `APNS_CERT_KEY_FILE` and `APNS_CERT_PASSPHRASE` where needed. A key and a certificate at once are refused.
 *
 * @since 0.1.0
 * @category config
 */
export const fromConfig: Effect.Effect<
  Credentials,
  CredentialsError | ConfigError.ConfigError,
  FileSystem.FileSystem
> = Effect.gen(function*() {
  const found = yield* environment()
  const passphrase = Option.getOrUndefined(found.passphrase)
  const hasKey = Option.isSome(found.key) || Option.isSome(found.keyFile)
  if (Option.isSome(found.certFile)) {
    if (hasKey) {
      return yield* Effect.fail(ConfigError.InvalidData(
        ["APNS_CERT_FILE"],
        "Both a key and a certificate are set: remove APNS_CERT_FILE, or APNS_KEY and APNS_KEY_FILE"
      ))
    }
    const file = found.certFile.value
    return /\.(p12|pfx)$/i.test(file)
      ? yield* pkcs12({ file, passphrase })
      : yield* certificate({ certFile: file, keyFile: Option.getOrUndefined(found.certKeyFile), passphrase })
  }
  if (Option.isSome(found.key) && Option.isSome(found.keyFile)) {
    return yield* Effect.fail(
      ConfigError.InvalidData(["APNS_KEY"], "Both APNS_KEY and APNS_KEY_FILE are set: remove one of them")
    )
  }
  if (!hasKey) {
    return yield* Effect.fail(ConfigError.MissingData(
      ["APNS_KEY_FILE"],
      "No credentials: set APNS_KEY_FILE (or APNS_KEY), APNS_KEY_ID and APNS_TEAM_ID, or set APNS_CERT_FILE"
    ))
  }
  const missing = (name: string) => () =>
    ConfigError.MissingData([name], `Set ${name}: 10 upper-case letters and digits, shown on Apple's developer site`)
  const keyId = yield* Effect.mapError(found.keyId, missing("APNS_KEY_ID"))
  const teamId = yield* Effect.mapError(found.teamId, missing("APNS_TEAM_ID"))
  return Option.isSome(found.key)
    ? yield* token({ key: found.key.value, keyId, teamId })
    : yield* token({ keyFile: Option.getOrElse(found.keyFile, () => ""), keyId, teamId })
})
