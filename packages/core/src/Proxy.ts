/**
 * A proxy between this machine and APNs: HTTP CONNECT (RFC 9110 section 9.3.6) or SOCKS5 (RFC 1928). TLS runs end to end
 * through either: the proxy sees host and port, never a notification, and client certificates and custom authorities
 * work as without it. The proxy resolves APNs' name.
 *
 * @example
 * ```ts
 * import * as Endpoint from "@effect-apns/core/Endpoint"
 * import * as Proxy from "@effect-apns/core/Proxy"
 * import * as Effect from "effect/Effect"
 *
 * export const corporate = Proxy.make("http://user:password@proxy.example:3128")
 * export const socks = Proxy.make("socks5://127.0.0.1:1080")
 *
 * // HTTPS_PROXY, ALL_PROXY and NO_PROXY as everywhere else; None where they name no proxy for this host.
 * export const usual = Proxy.fromEnv(Endpoint.production)
 *
 * export const description = Effect.map(corporate, String) // "http://proxy.example:3128": no user, no password
 * ```
 *
 * @since 0.1.0
 */
import * as Schemas from "@effect-apns/models/unstable/Schemas"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { Endpoint } from "./Endpoint.js"
import * as internal from "./internal/proxyFromEnv.js"
import { unquoted } from "./internal/quotes.js"

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: TypeId = "~@effect-apns/core/Proxy"

/**
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = "~@effect-apns/core/Proxy"

/**
 * Where a proxy listens and how to sign in there. As text it is `protocol://host:port`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Proxy {
  readonly [TypeId]: TypeId
  readonly protocol: "http" | "socks5"
  /** A name, an IPv4 or an IPv6 address without brackets. */
  readonly host: string
  readonly port: number
  readonly credentials: ProxyCredentials | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface ProxyCredentials {
  readonly username: Redacted.Redacted<string>
  readonly password: Redacted.Redacted<string>
}

/**
 * Whether `u` is a {@link Proxy}.
 *
 * @since 0.1.0
 * @category guards
 */
export const isProxy = (u: unknown): u is Proxy => Predicate.hasProperty(u, TypeId)

/**
 * Text that names no usable proxy. `input` is the text with any user name and password taken out.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidProxy extends Schemas.taggedError<InvalidProxy>()("InvalidProxy", () => ({
  input: Schema.String,
  message: Schema.String
})) {}

class ProxyImpl implements Proxy {
  readonly [TypeId]: TypeId = TypeId
  constructor(
    readonly protocol: "http" | "socks5",
    readonly host: string,
    readonly port: number,
    readonly credentials: ProxyCredentials | undefined
  ) {}
  toString(): string {
    return `${this.protocol}://${this.host.includes(":") ? `[${this.host}]` : this.host}:${this.port}`
  }
}

// If a password is not percent-encoded, or is in the place of host and port, any part of the text may be secret: only
// what is certainly a host is shown.
const isPlain = (input: string): boolean =>
  input.length <= 100 && /[:.]/.test(input) &&
  /^(?:(?:https?|socks[45]?[ah]?|ftp):\/\/)?(?:[a-z0-9-]+\.)*[a-z0-9-]+(?::[0-9]{1,5})?\/?$/i.test(input)

const invalid = (input: string, advice: string): Either.Either<never, InvalidProxy> => {
  const shown = isPlain(input) ? input : `${/^(?:https?|socks[45]?[ah]?|ftp):\/\//i.exec(input)?.[0] ?? ""}***`
  return Either.left(new InvalidProxy({ input: shown, message: `Not a usable proxy: "${shown}": ${advice}` }))
}

const decode = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/**
 * A proxy from its URL: `http://[user:password@]host[:port]` (port 80 where none is given) or
 * `socks5://[user:password@]host[:port]` (1080; `socks5h` and `socks` mean the same). Special characters in user name
 * and password are percent-encoded.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (url: string | Redacted.Redacted<string>): Either.Either<Proxy, InvalidProxy> => {
  const input: unknown = Redacted.isRedacted(url) ? Redacted.value(url) : url
  if (typeof input !== "string") return invalid("", "give its URL as text")
  const match = /^([a-z0-9+.-]+):\/\/(?:([^/?#]*)@)?(\[[^\]]*\]|[^/?#:@[\]]*)(?::([0-9]{1,5}))?\/?$/i.exec(input)
  if (match === null) {
    return invalid(input, "write it as http://host:port or socks5://user:password@host:port")
  }
  const [, scheme = "", userInfo, name = "", digits] = match
  const protocol = protocols.get(scheme.toLowerCase())
  if (protocol === undefined) {
    return invalid(input, "use an http: (CONNECT) or a socks5: proxy, the two that are supported")
  }
  // An http: URL, whatever the proxy's protocol: for other schemes URL does not check and normalize the host.
  if (name === "" || !URL.canParse(`http://${name}`)) {
    return invalid(input, "give a host name, an IPv4 address or an IPv6 address in brackets")
  }
  const hostname = new URL(`http://${name}`).hostname
  const port = digits === undefined ? (protocol === "http" ? 80 : 1080) : Number(digits)
  if (port < 1 || port > 65535) {
    return invalid(input, "give a port from 1 to 65535")
  }
  const host = hostname.startsWith("[") ? hostname.slice(1, -1) : hostname
  if (userInfo === undefined || userInfo === "") {
    return Either.right(new ProxyImpl(protocol, host, port, undefined))
  }
  const colon = userInfo.indexOf(":")
  const username = decode(colon < 0 ? userInfo : userInfo.slice(0, colon))
  const password = decode(colon < 0 ? "" : userInfo.slice(colon + 1))
  if (username === undefined || password === undefined) {
    return invalid(input, "percent-encode the user name and the password (% itself is %25)")
  }
  return Either.right(
    new ProxyImpl(protocol, host, port, { username: Redacted.make(username), password: Redacted.make(password) })
  )
}

const protocols: ReadonlyMap<string, Proxy["protocol"]> = new Map([
  ["http", "http"],
  ["socks", "socks5"],
  ["socks5", "socks5"],
  ["socks5h", "socks5"]
])

/**
 * The proxy that the environment names for `endpoint`: `HTTPS_PROXY`, else `ALL_PROXY`, unless `NO_PROXY` excludes the
 * host; each in lower case, else in upper case, and unset where it is empty. Read from the process at every call. A value
 * without a scheme is an HTTP proxy.
 *
 * `NO_PROXY` is read as curl reads it: names, with or without a dot in front, each with its sub-domains; addresses and
 * networks such as `10.0.0.0/8` and `fd00::/8`; `*` for every host; in any case, separated by commas or spaces. What other
 * tools understand is understood, too: semicolons, `*` inside a name, a whole URL, and `:port` behind an entry, which
 * restricts it to that port.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromEnv = (endpoint: Endpoint): Effect.Effect<Option.Option<Proxy>, InvalidProxy> =>
  Effect.flatMap(
    Effect.sync(() => internal.proxyFor(endpoint.host, endpoint.port)),
    (url) => url === undefined ? Effect.succeedNone : Effect.asSome(make(url))
  )

const textOf = (url: Redacted.Redacted<string>): string => unquoted(Redacted.value(url).trim())

const parse = (url: Redacted.Redacted<string>): Either.Either<Proxy, ConfigError.ConfigError> =>
  textOf(url) === ""
    ? Either.left(ConfigError.MissingData([], "it is empty"))
    : Either.mapLeft(make(textOf(url)), (error) => ConfigError.InvalidData([], error.message))

/** A name that is given to `Config.redacted` is missing in the errors of `mapOrFail`. */
const secretOf = <A>(
  name: string,
  parse: (url: Redacted.Redacted<string>) => Either.Either<A, ConfigError.ConfigError>
): Config.Config<A> => Config.nested(Config.mapOrFail(Config.redacted(), parse), name)

/**
 * The proxy that the configuration value `name` holds, as in {@link make}, or `"env"` for the one that {@link fromEnv}
 * finds. The value is a secret: no error shows it. An empty one counts as missing.
 *
 * @since 1.0.0
 * @category config
 */
export const fromConfigOrEnv = (name: string): Config.Config<Proxy | "env"> =>
  secretOf(
    name,
    (url): Either.Either<Proxy | "env", ConfigError.ConfigError> =>
      textOf(url).toLowerCase() === "env" ? Either.right("env") : parse(url)
  ).pipe(Config.withDescription("http://[user:password@]host:port, socks5://[user:password@]host:port, or env"))

/**
 * The proxy that the configuration value `name` holds, as in {@link make}. The value is a secret: no error shows it.
 * An empty one counts as missing.
 *
 * @since 0.1.0
 * @category config
 */
export const fromConfig = (name: string): Config.Config<Proxy> =>
  secretOf(name, parse).pipe(
    Config.withDescription("http://[user:password@]host:port or socks5://[user:password@]host:port")
  )
