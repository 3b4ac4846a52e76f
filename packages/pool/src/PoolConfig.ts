/**
 * A pool from the environment. A variable that is empty counts as one that is not set.
 *
 * | variable | meaning |
 * | --- | --- |
 * | `APNS_ENDPOINT` | `production` (default), `development`, or `https://host[:port]` |
 * | `APNS_KEY_FILE` or `APNS_KEY` | the token signing key: the path of the `.p8` file, or its content |
 * | `APNS_KEY_ID`, `APNS_TEAM_ID` | the 10 characters of the key, and of the team that owns it |
 * | `APNS_KEY_PASSPHRASE` | what opens an encrypted signing key |
 * | `APNS_CERT_FILE` or `APNS_CERT` | instead of a key: a client certificate as PEM, by its path or its content |
 * | `APNS_CERT_KEY_FILE` or `APNS_CERT_KEY` | the certificate's key, where it is not in the same file |
 * | `APNS_P12_FILE` or `APNS_P12` | instead of both: a client certificate and its key as PKCS#12, by the path of the file or its content as base64 |
 * | `APNS_CERT_PASSPHRASE` | what opens an encrypted certificate key or PKCS#12 file |
 * | `APNS_CA_FILE` or `APNS_CA` | authorities (PEM) to trust instead of those that Node brings along: the path of a file, or its content |
 * | `APNS_TOPIC` | the topic of notifications that do not name one |
 * | `APNS_PROXY` | `http://[user:password@]host:port`, `socks5://...`, or `env` for the usual variables (`HTTPS_PROXY`, `NO_PROXY`, ...) |
 * | `APNS_POOL_SIZE` | connections, default 10 |
 * | `APNS_CONNECT_TIMEOUT` | how long opening a connection may take, such as `10 seconds` (default) |
 * | `APNS_PING_INTERVAL`, `APNS_PING_DEADLINE` | keep-alive: how long a connection may be silent before a PING, and how long to wait for its answer |
 * | `APNS_DRAIN_TIMEOUT` | how long closing waits for outcomes |
 * | `APNS_RETRANSMIT` | what is sent again when it is not known whether APNs has processed it: `collapsible` (default), `always` or `never` |
 * | `APNS_MAX_RETRANSMITS` | how many times that is done at most, default 2 |
 * | `APNS_MAX_QUEUED` | how many requests may wait in the pool; the next one fails with `QueueFull`; default: no bound |
 * | `APNS_SPANS` | `true` for a span of each send; default `false` |
 * | `APNS_MAX_CONNECTIONS` | `ApnsPoolMap` alone: connections for all tenants together, default 1000 |
 * | `APNS_IDLE_TIME_TO_LIVE` | `ApnsPoolMap` alone: how long an unused pool stays open, default `1 hour` |
 *
 * A span of time is a number and its unit: `500 millis`, `10 seconds`, `5 minutes`.
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
 * }).pipe(Effect.provide(ApnsPool.layerFromEnv()), Effect.provide(NodeContext.layer))
 * console.log(Effect.isEffect(program))
 * ```
 *
 * @since 0.1.0
 */
import type { Request } from "@effect-apns/core"
import { Credentials, Endpoint, Proxy } from "@effect-apns/core"
import { TimeSpan } from "@effect-apns/models"
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as ApnsPool from "./ApnsPool.js"
import type * as ApnsPoolMap from "./ApnsPoolMap.js"

/**
 * What the environment says of a pool, beside its credentials and the authorities to trust: those are read by
 * `Credentials.fromConfig` and `Credentials.authoritiesFromConfig`.
 *
 * @since 0.1.0
 * @category models
 */
export interface PoolConfig {
  readonly endpoint: Option.Option<Endpoint.Endpoint>
  readonly topic: Option.Option<string>
  readonly proxy: Option.Option<Proxy.Proxy | "env">
  readonly size: Option.Option<number>
  readonly connectTimeout: Option.Option<Duration.Duration>
  readonly pingInterval: Option.Option<Duration.Duration>
  readonly pingDeadline: Option.Option<Duration.Duration>
  readonly drainTimeout: Option.Option<Duration.Duration>
  readonly retransmit: Option.Option<Request.Retransmit>
  readonly maxRetransmits: Option.Option<number>
  readonly maxQueued: Option.Option<number>
  readonly spans: Option.Option<boolean>
  readonly maxConnections: Option.Option<number>
  readonly idleTimeToLive: Option.Option<Duration.Duration>
}

/**
 * A variable that may be missing or empty, and is made a value by `parse`, or refused with what it should be. What was written
 * is redacted until then, and without quotes around it: `docker run --env-file` leaves them there.
 */
const variable = <A>(
  name: string,
  description: string,
  parse: (text: string) => Either.Either<A, string>
): Config.Config<Option.Option<A>> =>
  Config.redacted().pipe(
    Config.mapOrFail((written) => {
      const trimmed = Redacted.value(written).trim()
      const text = /^(["'])(.*)\1$/.exec(trimmed)?.[2]?.trim() ?? trimmed
      return text === ""
        ? Either.left(ConfigError.MissingData([], description))
        : Either.mapLeft(parse(text), (expected) => ConfigError.InvalidData([], expected))
    }),
    // a name that is given to `redacted` is missing in the errors of `mapOrFail`
    Config.nested(name),
    Config.option,
    Config.withDescription(description)
  )

const text = (name: string, description: string) => variable(name, description, Either.right)

const whole = (name: string, description: string, least = 1) =>
  variable(name, description, (text) => {
    const value = /^[0-9]+$/.test(text) ? Number(text) : -1
    return Number.isSafeInteger(value) && value >= least
      ? Either.right(value)
      : Either.left(`Give a whole number, at least ${least}`)
  })

const duration = (name: string, description: string) =>
  variable(
    name,
    description,
    (text) => Either.mapLeft(TimeSpan.decode(text), () => "Give a number and its unit, such as \"10 seconds\"")
  )

/** A span of time that must not be 0: no connection could be opened then. */
const time = (name: string, description: string) =>
  variable(name, description, (text) =>
    Either.filterOrLeft(
      Either.mapLeft(TimeSpan.decode(text), () => "Give a number and its unit, such as \"10 seconds\""),
      (span) => Duration.toMillis(span) > 0,
      () => "Give a time longer than 0, such as \"10 seconds\""
    ))

const oneOf = <A>(name: string, description: string, values: ReadonlyMap<string, A>) =>
  variable(name, description, (text) =>
    Either.fromNullable(
      values.get(text),
      () => `Give ${[...values.keys()].join(" or ")}`
    ))

const retransmits: ReadonlyArray<Request.Retransmit> = ["collapsible", "always", "never"]

/**
 * The variables of a pool, each with its description. Fails with a `ConfigError` that names the variable and says what
 * to change.
 *
 * @since 0.1.0
 * @category config
 */
export const config: Config.Config<PoolConfig> = Config.all({
  endpoint: variable(
    "APNS_ENDPOINT",
    "production, development or https://host[:port]",
    (text) => Either.mapLeft(Endpoint.parse(text), ({ message }) => message)
  ),
  topic: text("APNS_TOPIC", "the topic of notifications that do not name one: the app's bundle ID"),
  proxy: Config.option(Proxy.fromConfigOrEnv("APNS_PROXY")),
  size: whole("APNS_POOL_SIZE", "a whole number of connections, at least 1"),
  connectTimeout: time("APNS_CONNECT_TIMEOUT", "how long opening a connection may take, such as \"10 seconds\""),
  pingInterval: time(
    "APNS_PING_INTERVAL",
    "how long a connection may be silent before a PING, such as \"1 minute\""
  ),
  pingDeadline: time("APNS_PING_DEADLINE", "how long to wait for the answer to a PING, such as \"10 seconds\""),
  drainTimeout: duration("APNS_DRAIN_TIMEOUT", "how long closing waits for outcomes, such as \"5 seconds\""),
  retransmit: oneOf(
    "APNS_RETRANSMIT",
    "collapsible, always or never",
    new Map(retransmits.map((name) => [name, name]))
  ),
  maxRetransmits: whole("APNS_MAX_RETRANSMITS", "how many times to send again what APNs may have processed", 0),
  maxQueued: whole("APNS_MAX_QUEUED", "how many requests may wait in the pool", 0),
  spans: oneOf("APNS_SPANS", "true or false", new Map([["true", true], ["false", false]])),
  maxConnections: whole("APNS_MAX_CONNECTIONS", "a whole number of connections, at least 1"),
  idleTimeToLive: duration("APNS_IDLE_TIME_TO_LIVE", "how long an unused pool stays open, such as \"1 hour\"")
})

/** The common options of a pool and a map of pools; those that are not set are left out. */
const common = (found: PoolConfig, ca: string | undefined) => {
  const ping = {
    interval: Option.getOrUndefined(found.pingInterval),
    deadline: Option.getOrUndefined(found.pingDeadline)
  }
  return {
    size: Option.getOrUndefined(found.size),
    topic: Option.getOrUndefined(found.topic),
    proxy: Option.getOrUndefined(found.proxy),
    ca,
    connectTimeout: Option.getOrUndefined(found.connectTimeout),
    ping: ping.interval === undefined && ping.deadline === undefined ? undefined : ping,
    drainTimeout: Option.getOrUndefined(found.drainTimeout),
    retransmit: Option.getOrUndefined(found.retransmit),
    maxRetransmits: Option.getOrUndefined(found.maxRetransmits),
    maxQueued: Option.getOrUndefined(found.maxQueued),
    spans: Option.getOrUndefined(found.spans)
  }
}

const caOf = (given: ApnsPool.Resolved["ca"]) =>
  given === undefined ? Credentials.authoritiesFromConfig : Effect.succeed(undefined)

/** Options given in code are used instead of those of the environment; `undefined` counts as not given. */
const override = <A extends object, B extends object>(found: A, given: B): A & B => {
  const entries = Object.entries(given).filter(([, value]) => value !== undefined)
  return Object.assign({}, found, given, found, Object.fromEntries(entries))
}

/**
 * The options of a pool, with every file read and every secret checked. What `given` holds takes the place of the
 * variable.
 *
 * Fails with a `ConfigError` that names the variable, or a `CredentialsError` that names the file.
 *
 * @since 1.0.0
 * @category config
 */
export const options = (
  given: Partial<ApnsPool.Resolved> = {}
): Effect.Effect<
  ApnsPool.Resolved,
  ConfigError.ConfigError | Credentials.CredentialsError,
  FileSystem.FileSystem
> =>
  Effect.gen(function*() {
    const found = yield* config
    const ca = yield* caOf(given.ca)
    return {
      ...override(common(found, ca), given),
      endpoint: given.endpoint ?? Option.getOrElse(found.endpoint, () => Endpoint.production),
      credentials: given.credentials ?? (yield* Credentials.fromConfig)
    }
  })

/**
 * The options of an `ApnsPoolMap`. What `given` holds takes the place of the variable.
 *
 * Fails with a `ConfigError` that names the variable, or a `CredentialsError` that names the file.
 *
 * @since 1.0.0
 * @category config
 */
export const mapOptions = <A extends ApnsPoolMap.Options>(
  given: A
): Effect.Effect<
  A & ApnsPoolMap.Options,
  ConfigError.ConfigError | Credentials.CredentialsError,
  FileSystem.FileSystem
> =>
  Effect.gen(function*() {
    const found = yield* config
    const ca = yield* caOf(given.ca)
    return override({
      ...common(found, ca),
      maxConnections: Option.getOrUndefined(found.maxConnections),
      idleTimeToLive: Option.getOrUndefined(found.idleTimeToLive)
    }, given)
  })
