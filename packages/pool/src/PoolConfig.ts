/**
 * A pool from the environment.
 *
 * | variable | meaning |
 * | --- | --- |
 * | `APNS_ENDPOINT` | `production` (default), `development`, or `https://host[:port]` |
 * | `APNS_KEY_FILE` or `APNS_KEY` | the token signing key: the path of the `.p8` file, or its content |
 * | `APNS_KEY_ID`, `APNS_TEAM_ID` | the 10 characters of the key, and of the team that owns it |
 * | `APNS_CERT_FILE`, `APNS_CERT_KEY_FILE` | instead of a key: a client certificate as PEM, and its key where that is in a file of its own |
 * | `APNS_P12_FILE` | instead of both: a client certificate and its key as PKCS#12 |
 * | `APNS_CERT_PASSPHRASE` | what opens an encrypted certificate key or PKCS#12 file |
 * | `APNS_CA_FILE` | authorities (PEM) to trust instead of those that Node brings along |
 * | `APNS_TOPIC` | the topic of notifications that name none |
 * | `APNS_POOL_SIZE` | connections, default 10 |
 * | `APNS_PROXY` | `http://[user:password@]host:port`, `socks5://...`, or `env` for the usual variables (`HTTPS_PROXY`, `NO_PROXY`, ...) |
 *
 * @example
 * ```ts
 * import { NodeContext } from "@effect/platform-node"
 * import { Notification } from "@effect-apns/models"
 * import { ApnsPool, send } from "@effect-apns/pool"
 * import { Effect } from "effect"
 *
 * const program = send({
 *   token: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
 *   notification: Notification.alert({ alert: "Hello" })
 * }).pipe(Effect.provide(ApnsPool.layerConfig), Effect.provide(NodeContext.layer))
 * console.log(Effect.isEffect(program))
 * ```
 *
 * @since 0.1.0
 */
import { Credentials, Endpoint, Proxy } from "@effect-apns/core"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import type * as ApnsPool from "./ApnsPool.js"

/**
 * What the environment says of a pool, beside a signing key or a PEM certificate: those are read by
 * `Credentials.fromConfig`.
 *
 * @since 0.1.0
 * @category models
 */
export interface PoolConfig {
  readonly endpoint: Endpoint.Endpoint
  readonly size: Option.Option<number>
  readonly topic: Option.Option<string>
  readonly proxy: Option.Option<Proxy.Proxy | "env">
  /** The path of a PEM file. */
  readonly caFile: Option.Option<string>
  /** The path of a PKCS#12 file. */
  readonly p12File: Option.Option<string>
  /** Opens the PKCS#12 file. */
  readonly passphrase: Option.Option<Redacted.Redacted<string>>
}

const proxy: Config.Config<Proxy.Proxy | "env"> = Config.literal("env")("APNS_PROXY").pipe(
  Config.orElse(() => Proxy.fromConfig("APNS_PROXY"))
)

/**
 * The variables of a pool, each with its description. Fails with a `ConfigError` that names the variable and says what
 * to change.
 *
 * @since 0.1.0
 * @category config
 */
export const config: Config.Config<PoolConfig> = Config.all({
  endpoint: Endpoint.fromConfig("APNS_ENDPOINT").pipe(Config.withDefault(Endpoint.production)),
  size: Config.integer("APNS_POOL_SIZE").pipe(
    Config.validate({
      message: "a pool has a whole number of connections, at least 1",
      validation: (size) => size >= 1
    }),
    Config.option,
    Config.withDescription("connections, default 10")
  ),
  topic: Config.option(Config.nonEmptyString("APNS_TOPIC")).pipe(
    Config.withDescription("the topic of notifications that name none: the app's bundle ID")
  ),
  proxy: Config.option(proxy).pipe(
    Config.withDescription("http://[user:password@]host:port, socks5://[user:password@]host:port, or env")
  ),
  caFile: Config.option(Config.nonEmptyString("APNS_CA_FILE")).pipe(
    Config.withDescription("a PEM file: the authorities to trust instead of those that Node brings along")
  ),
  p12File: Config.option(Config.nonEmptyString("APNS_P12_FILE")).pipe(
    Config.withDescription("a PKCS#12 file: client certificate and key")
  ),
  passphrase: Config.option(Config.redacted("APNS_CERT_PASSPHRASE")).pipe(
    Config.withDescription("opens an encrypted certificate key or PKCS#12 file")
  )
})

const otherCredentials = () =>
  Config.all(
    ["APNS_KEY", "APNS_KEY_FILE", "APNS_CERT_FILE"].map((name) => Config.option(Config.nonEmptyString(name)))
  )

const credentials = (
  { p12File, passphrase }: PoolConfig
): Effect.Effect<
  Credentials.Credentials,
  ConfigError.ConfigError | Credentials.CredentialsError,
  FileSystem.FileSystem
> =>
  Option.match(p12File, {
    onNone: () => Credentials.fromConfig,
    onSome: (file) =>
      Effect.gen(function*() {
        if ((yield* otherCredentials()).some(Option.isSome)) {
          return yield* Effect.fail(ConfigError.InvalidData(
            ["APNS_P12_FILE"],
            "Several credentials are set: remove APNS_P12_FILE, or APNS_KEY, APNS_KEY_FILE and APNS_CERT_FILE"
          ))
        }
        return yield* Credentials.pkcs12({ file, passphrase: Option.getOrUndefined(passphrase) })
      })
  })

const readCa = (file: string): Effect.Effect<string, ConfigError.ConfigError, FileSystem.FileSystem> =>
  Effect.flatMap(
    FileSystem.FileSystem,
    (fs) =>
      Effect.mapError(fs.readFileString(file), (error) =>
        ConfigError.InvalidData(["APNS_CA_FILE"], `The file ${file} cannot be read: ${error.message}`))
  )

/**
 * The options of a pool, with every file read and every secret checked.
 *
 * Fails with a `ConfigError` that names the variable, or a `CredentialsError` that names the file.
 *
 * @since 0.1.0
 * @category config
 */
export const options: Effect.Effect<
  ApnsPool.Options,
  ConfigError.ConfigError | Credentials.CredentialsError,
  FileSystem.FileSystem
> = Effect.gen(function*() {
  const found = yield* config
  return {
    endpoint: found.endpoint,
    credentials: yield* credentials(found),
    size: Option.getOrUndefined(found.size),
    topic: Option.getOrUndefined(found.topic),
    proxy: Option.getOrUndefined(found.proxy),
    ca: Option.getOrUndefined(yield* Effect.transposeOption(Option.map(found.caFile, readCa)))
  }
})
