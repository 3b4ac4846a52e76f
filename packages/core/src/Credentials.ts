/**
 * Who is sending: a token signing key (`.p8`), or a client certificate as PEM or PKCS#12.
 *
 * Everything that can be wrong with them is found here, before a connection is opened, and reported as a
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
import * as Printable from "@effect-apns/models/Printable"
import type { TeamId } from "@effect-apns/models/TeamId"
import * as Schemas from "@effect-apns/models/unstable/Schemas"
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as internal from "./internal/credentials.js"
import * as paths from "./internal/paths.js"
import { unquoted } from "./internal/quotes.js"

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
  /** The private key as PEM, in regular lines and no longer encrypted. */
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
  /** How its provider tokens are made; see `ProviderToken`. Default `"processes"`. */
  readonly sharing?: Sharing | undefined
}

/**
 * How provider tokens are made (see `ProviderToken`):
 *
 * - `"processes"`: every process that has the key makes the same tokens, without talking to the others
 * - `"none"`: each process signs its own
 *
 * @since 1.0.0
 * @category models
 */
export type Sharing = "processes" | "none"

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
  /**
   * The certificate, then its chain, and the key, as PEM: where the archive is encrypted in the way of Keychain Access
   * (RC2 and 3DES), which OpenSSL 3 cannot open. `undefined` for others.
   */
  readonly pem?: { readonly cert: string; readonly key: Redacted.Redacted<string> } | undefined
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
  /** The encryption is one that cannot be opened here; the message says how to convert it. */
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
  /** The key is valid, but signing failed. */
  | "SigningFailed"

const reasons = [
  "FileNotReadable",
  "NotPem",
  "NotPkcs12",
  "NoKey",
  "NoCertificate",
  "PassphraseMissing",
  "WrongPassphrase",
  "UnsupportedEncryption",
  "InvalidKey",
  "NotEcP256",
  "InvalidCertificate",
  "Mismatch",
  "Expired",
  "InvalidKeyId",
  "InvalidTeamId",
  "InvalidRefreshAge",
  "SigningFailed"
] as const satisfies ReadonlyArray<Reason>

/**
 * Credentials that cannot work. `expiredAt` is when the certificate expired, with reason `"Expired"` alone. `source` says which file or option they came from; `message` says what to change.
 *
 * @since 0.1.0
 * @category errors
 */
export class CredentialsError extends Schemas.taggedError<CredentialsError>()("CredentialsError", () => ({
  reason: Schema.Literal(...reasons),
  source: Schema.String,
  message: Schema.String,
  expiredAt: Schema.optional(Schema.DateTimeUtc),
  cause: Schema.optional(Schema.Defect)
})) {}

/**
 * A key that is in memory already.
 *
 * @since 0.1.0
 * @category options
 */
export interface TokenOptions {
  /**
   * The content of the `.p8` file, in any shape that an environment variable, YAML, JSON, a mail or a secret manager leaves
   * it in: with spaces, signs, nothing or escapes for line ends, in quotes, indented, without its first or last line, as
   * base64 or hexadecimal, inside JSON, as a JSON Web Key.
   */
  readonly key: Redacted.Redacted<string>
  readonly keyId: string
  readonly teamId: string
  /** The passphrase of an encrypted key. Apple's keys are not encrypted. */
  readonly passphrase?: Redacted.Redacted<string> | undefined
  /** How provider tokens are made. Default `"processes"`. */
  readonly sharing?: Sharing | undefined
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
  /** The passphrase of an encrypted key. Apple's keys are not encrypted. */
  readonly passphrase?: Redacted.Redacted<string> | undefined
  /** How provider tokens are made. Default `"processes"`. */
  readonly sharing?: Sharing | undefined
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
  /** The bytes of the archive, or base64 of them. */
  readonly data: Uint8Array | Redacted.Redacted<Uint8Array> | Redacted.Redacted<string>
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

/** The names that messages use for the option with the path of a file, and for the one with its content. */
interface Names {
  readonly file: string
  readonly content: string
  /** What the content is called where it was given, and not read from a file. */
  readonly given: string
}

interface TokenNames extends Names, internal.TokenNames {}

const keyNames: TokenNames = { ...internal.optionNames, content: "`key`", given: "the key given" }
const certNames: Names = { file: "`certFile`", content: "`cert`", given: "the certificate given" }
const pkcs12Names: Names = { file: "`file`", content: "`data`", given: "the PKCS#12 data given" }

const certificateNames: internal.CertificateNames = { certFile: "`certFile`", keyFile: "`keyFile`" }

const named = (file: string, content: string): Names => ({ file, content, given: content })

/** The code of the operating system, which the platform keeps in its cause. */
const codeOf = (error: PlatformError): string =>
  Predicate.hasProperty(error.cause, "code") && typeof error.cause.code === "string" ? error.cause.code : ""

const whyUnreadable = (path: string, error: PlatformError): string => {
  const shown = Printable.text(path)
  const reason = error._tag === "SystemError" ? error.reason : ""
  if (reason === "NotFound") {
    return `There is no file ${shown}: ${
      /^~/.test(path)
        ? "only a shell knows what ~ is, write the path in full"
        : /^file:/i.test(path)
        ? "give a path, and no URL"
        : path.trim() === ""
        ? "the path is empty"
        : /^["']|["']$|^\s|\s$/.test(path)
        ? "remove the quotes or the white space around its path"
        : "give the path of an existing file, absolute or from the working directory"
    }`
  }
  return `The file ${shown} cannot be read: ${paths.unreadable(codeOf(error), reason) ?? Printable.text(error.message)}`
}

const unreadable = (path: string, { content, file }: Names) => (error: PlatformError): CredentialsError =>
  paths.mayBeSecret(path)
    ? new CredentialsError({
      reason: "FileNotReadable",
      source: file,
      message:
        `What is given as ${file} (${path.length} characters, not shown) is the path of no file and looks like ` +
        `${/cert|CA/i.test(content) ? "the certificate" : "the key"} itself: pass it as ${content}`
    })
    : new CredentialsError({
      reason: "FileNotReadable",
      source: path,
      message: whyUnreadable(path, error),
      cause: error
    })

const readBytes = (
  path: string,
  names: Names
): Effect.Effect<Uint8Array, CredentialsError, FileSystem.FileSystem> =>
  typeof path === "string"
    ? Effect.flatMap(FileSystem.FileSystem, (fs) => Effect.mapError(fs.readFile(path), unreadable(path, names)))
    : Effect.fail(
      new CredentialsError({
        reason: "FileNotReadable",
        source: names.file,
        message: `${names.file} is not the path of a file: give the path as text, or the content as ${names.content}`
      })
    )

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
 * Fails with `FileNotReadable`, `NotPem`, `NoKey`, `PassphraseMissing` (Apple's keys are not encrypted), `WrongPassphrase`,
 * `UnsupportedEncryption`, `InvalidKey`, `NotEcP256` (ES256 signs with P-256, RFC 7518 section 3.4), `InvalidKeyId` or
 * `InvalidTeamId`.
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
  return tokenOf(options, keyNames)
}

const tokenOf = (
  options: TokenOptions | TokenFileOptions,
  names: TokenNames
): Effect.Effect<Token, CredentialsError, FileSystem.FileSystem> => {
  const build = (source: string, text: string | Uint8Array): Either.Either<Token, CredentialsError> =>
    Either.mapBoth(internal.tokenKey(text, options.keyId, options.teamId, source, secret(options.passphrase), names), {
      onLeft: failed,
      onRight: ({ identity, keyId, pem, teamId }): Token => ({
        [TypeId]: TypeId,
        _tag: "Token",
        key: Redacted.make(pem),
        keyId,
        teamId,
        identity,
        ...(options.sharing === undefined ? undefined : { sharing: options.sharing })
      })
    })
  if (!isOptions(options)) return notOptions("token")
  return "key" in options
    ? Effect.suspend(() => Either.flatMap(contentOf(options.key, names.given), (text) => build(names.given, text)))
    : Effect.flatMap(readBytes(options.keyFile, names), (bytes) => build(options.keyFile, bytes))
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
  if (!isOptions(options)) return notOptions("certificate")
  return "cert" in options
    ? Effect.gen(function*() {
      const { cert, key, passphrase } = options
      return yield* certificateOf(
        { source: certNames.given, text: yield* contentOf(cert, certNames.given) },
        key === undefined ? undefined : { source: keyNames.given, text: yield* contentOf(key, keyNames.given) },
        passphrase,
        certificateNames
      )
    })
    : Effect.gen(function*() {
      const { certFile, keyFile } = options
      return yield* certificateOf(
        { source: certFile, text: yield* readBytes(certFile, certNames) },
        keyFile === undefined ? undefined : { source: keyFile, text: yield* readBytes(keyFile, keyNames) },
        options.passphrase,
        certificateNames
      )
    })
}

const certificateOf = (
  cert: internal.Text,
  key: internal.Text | undefined,
  passphrase: Redacted.Redacted<string> | undefined,
  names: internal.CertificateNames
): Effect.Effect<Certificate, CredentialsError> =>
  Either.mapBoth(internal.certificate(cert, key, secret(passphrase), names), {
    onLeft: failed,
    onRight: ({ keyPem, ...rest }): Certificate => ({
      [TypeId]: TypeId,
      _tag: "Certificate",
      key: Redacted.make(keyPem),
      ...rest
    })
  }).pipe(Effect.flatMap(checkExpiry(cert.source)))

/**
 * Credentials from a PKCS#12 archive, as Keychain Access exports them.
 *
 * Archives with the ciphers of Keychain Access (RC2 and 3DES) are opened by a library that is loaded for them alone.
 *
 * Fails with `FileNotReadable`, `NotPkcs12`, `PassphraseMissing`, `WrongPassphrase`, `UnsupportedEncryption` (the message
 * says how to convert such an archive), `NoKey`, `NoCertificate`, `Mismatch`, or `Expired` by Effect's Clock.
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
  return pkcs12Of(options, pkcs12Names)
}

const pkcs12Of = (
  options: Pkcs12Options | Pkcs12FileOptions,
  names: Names
): Effect.Effect<Pkcs12, CredentialsError, FileSystem.FileSystem> => {
  const build = (source: string, content: string | Uint8Array): Effect.Effect<Pkcs12, CredentialsError> =>
    Effect.promise(() => internal.pkcs12(content, secret(options.passphrase), source, names.file)).pipe(
      Effect.flatMap(Either.mapBoth({
        onLeft: failed,
        onRight: ({ data, info, opened, passphrase }): Pkcs12 => ({
          [TypeId]: TypeId,
          _tag: "Pkcs12",
          data: Redacted.make(data),
          passphrase: passphrase === undefined || passphrase === secret(options.passphrase)
            ? options.passphrase
            : Redacted.make(passphrase),
          ...info,
          ...(opened === undefined
            ? undefined
            : { pem: { cert: opened.cert, key: Redacted.make(opened.keyPem) } })
        })
      })),
      Effect.flatMap(checkExpiry(source))
    )
  if (!isOptions(options)) return notOptions("pkcs12")
  if ("data" in options) {
    const { data } = options
    return Effect.flatMap(contentOf(data, names.given), (content) => build(names.given, content))
  }
  return Effect.flatMap(readBytes(options.file, names), (data) => build(options.file, data))
}

const contentOf = (given: unknown, source: string): Either.Either<string | Uint8Array, CredentialsError> =>
  Either.fromNullable(internal.contentOf(given), () => failed(internal.noContent(source)))

const isOptions = (options: unknown): boolean => typeof options === "object" && options !== null

const notOptions = (constructor: string): Effect.Effect<never, CredentialsError> =>
  Effect.fail(failed(internal.noContent(`What is given to Credentials.${constructor}`)))

const secret = (redacted: unknown): string | undefined => {
  const text = internal.contentOf(redacted)
  return typeof text === "string" ? text : undefined
}

/** A variable, redacted before anything else is done with it; one that is set to nothing counts as unset. */
const optional = (name: string): Config.Config<Option.Option<Redacted.Redacted<string>>> =>
  Config.map(Config.option(Config.redacted(name)), Option.filter((value) => Redacted.value(value).trim() !== ""))

const optionalText = (name: string): Config.Config<string | undefined> =>
  Config.map(optional(name), (value) =>
    Option.match(value, {
      onNone: () => undefined,
      onSome: (text) => unquoted(Redacted.value(text).trim()) || undefined
    }))

const optionalSecret = (name: string): Config.Config<Redacted.Redacted<string> | undefined> =>
  Config.map(optional(name), Option.getOrUndefined)

const environment = () =>
  Config.all({
    key: optionalSecret("APNS_KEY"),
    keyFile: optionalText("APNS_KEY_FILE"),
    keyId: optionalText("APNS_KEY_ID"),
    teamId: optionalText("APNS_TEAM_ID"),
    keyPassphrase: optionalSecret("APNS_KEY_PASSPHRASE"),
    cert: optionalSecret("APNS_CERT"),
    certFile: optionalText("APNS_CERT_FILE"),
    certKey: optionalSecret("APNS_CERT_KEY"),
    certKeyFile: optionalText("APNS_CERT_KEY_FILE"),
    pkcs12: optionalSecret("APNS_P12"),
    pkcs12File: optionalText("APNS_P12_FILE"),
    passphrase: optionalSecret("APNS_CERT_PASSPHRASE")
  })

type Environment = Config.Config.Success<ReturnType<typeof environment>>

/** The variables that say who is sending: one of them, and no more. */
const sources = (found: Environment): ReadonlyArray<string> =>
  Object.entries({
    APNS_KEY: found.key,
    APNS_KEY_FILE: found.keyFile,
    APNS_CERT: found.cert,
    APNS_CERT_FILE: found.certFile,
    APNS_P12: found.pkcs12,
    APNS_P12_FILE: found.pkcs12File
  }).flatMap(([name, value]) => value === undefined ? [] : [name])

const onlyOne = (found: Environment): Effect.Effect<void, ConfigError.ConfigError> => {
  const [first, second, ...others] = sources(found)
  if (first === undefined) {
    return Effect.fail(ConfigError.MissingData(
      ["APNS_KEY_FILE"],
      "No credentials: set APNS_KEY_FILE (or APNS_KEY), APNS_KEY_ID and APNS_TEAM_ID, or set APNS_CERT_FILE or APNS_P12_FILE"
    ))
  }
  if (second === undefined) return Effect.void
  return Effect.fail(ConfigError.InvalidData(
    [second],
    others.length === 0 && second === `${first}_FILE`
      ? `Both ${first} and ${second} are set: remove one of them`
      : first.startsWith("APNS_KEY") && second.startsWith("APNS_CERT")
      ? `Both a key and a certificate are set: keep one of ${[first, second, ...others].join(", ")}`
      : `Several credentials are set: keep one of ${[first, second, ...others].join(", ")}`
  ))
}

/**
 * Credentials from the environment. A variable that is empty counts as one that is not set.
 *
 * - a signing key: `APNS_KEY_FILE`, or `APNS_KEY` (its content, in any shape that {@link TokenOptions} takes), with
 *   `APNS_KEY_ID` and `APNS_TEAM_ID`; `APNS_KEY_PASSPHRASE` where somebody encrypted it
 * - or a certificate: `APNS_CERT_FILE` (PKCS#12 where its name ends in `.p12` or `.pfx`, else PEM) or `APNS_CERT` (PEM), with
 *   `APNS_CERT_KEY_FILE` or `APNS_CERT_KEY`, and `APNS_CERT_PASSPHRASE` where needed
 * - or PKCS#12: `APNS_P12_FILE`, or `APNS_P12` (base64), with `APNS_CERT_PASSPHRASE`
 *
 * Two of them at once are refused. Fails with a `ConfigError` that names the variable, or a {@link CredentialsError}.
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
  yield* onlyOne(found)
  const { cert, certFile, key, keyFile, passphrase, pkcs12File } = found
  if (found.pkcs12 !== undefined) {
    return yield* pkcs12Of({ data: found.pkcs12, passphrase }, named("APNS_P12_FILE", "APNS_P12"))
  }
  if (pkcs12File !== undefined) {
    return yield* pkcs12Of({ file: pkcs12File, passphrase }, named("APNS_P12_FILE", "APNS_P12 (base64)"))
  }
  if (cert === undefined && certFile !== undefined && /\.(p12|pfx)$/i.test(certFile)) {
    return yield* pkcs12Of({ file: certFile, passphrase }, named("APNS_CERT_FILE", "APNS_P12 (base64)"))
  }
  if (cert !== undefined || certFile !== undefined) {
    const certSource = cert !== undefined
      ? { source: "APNS_CERT", text: Redacted.value(cert) }
      : { source: certFile ?? "", text: yield* readBytes(certFile ?? "", named("APNS_CERT_FILE", "APNS_CERT")) }
    const keySource = found.certKey !== undefined
      ? { source: "APNS_CERT_KEY", text: Redacted.value(found.certKey) }
      : found.certKeyFile !== undefined
      ? {
        source: found.certKeyFile,
        text: yield* readBytes(found.certKeyFile, { ...named("APNS_CERT_KEY_FILE", "APNS_CERT_KEY") })
      }
      : undefined
    return yield* certificateOf(certSource, keySource, passphrase, {
      certFile: "APNS_CERT_FILE",
      keyFile: "APNS_CERT_KEY_FILE"
    })
  }
  const missing = (name: string) =>
    ConfigError.MissingData([name], `Set ${name}: 10 upper-case letters and digits, shown on Apple's developer site`)
  const { keyId, teamId } = found
  if (keyId === undefined) return yield* Effect.fail(missing("APNS_KEY_ID"))
  if (teamId === undefined) return yield* Effect.fail(missing("APNS_TEAM_ID"))
  const ids = { keyId, teamId, passphrase: found.keyPassphrase }
  const names = { ...named("APNS_KEY_FILE", "APNS_KEY"), keyId: "APNS_KEY_ID", teamId: "APNS_TEAM_ID" }
  return key !== undefined
    ? yield* tokenOf({ key, ...ids }, names)
    : yield* tokenOf({ keyFile: keyFile ?? "", ...ids }, names)
})

/**
 * The authorities to trust from the environment: `APNS_CA` (PEM, in any shape) or the file that `APNS_CA_FILE` names, PEM
 * or DER; as PEM. `undefined` where neither is set.
 *
 * Fails with a `ConfigError` that names the variable, or a {@link CredentialsError} whose reason is `FileNotReadable`,
 * `NotPem` or `NoCertificate`.
 *
 * @since 1.0.0
 * @category config
 */
export const authoritiesFromConfig: Effect.Effect<
  string | undefined,
  CredentialsError | ConfigError.ConfigError,
  FileSystem.FileSystem
> = Effect.gen(function*() {
  const { file, text } = yield* Config.all({ file: optionalText("APNS_CA_FILE"), text: optionalSecret("APNS_CA") })
  if (file !== undefined && text !== undefined) {
    return yield* Effect.fail(
      ConfigError.InvalidData(["APNS_CA"], "Both APNS_CA and APNS_CA_FILE are set: remove one of them")
    )
  }
  if (text !== undefined) {
    return yield* Either.mapLeft(internal.authorities({ source: "APNS_CA", text: Redacted.value(text) }), failed)
  }
  if (file === undefined) return undefined
  const bytes = yield* readBytes(file, named("APNS_CA_FILE", "APNS_CA"))
  return yield* Either.mapLeft(internal.authorities({ source: file, text: bytes }), failed)
})
