/**
 * Where APNs listens: an origin, `https://host[:port]`, and nothing else.
 *
 * @example
 * ```ts
 * import * as Endpoint from "@effect-apns/core/Endpoint"
 * import * as Either from "effect/Either"
 *
 * Endpoint.production.authority // "api.push.apple.com"
 * Either.map(Endpoint.make("https://localhost:2197"), (endpoint) => endpoint.port) // Right(2197)
 * Either.isLeft(Endpoint.make("https://localhost/3/device")) // true: a path is not part of an endpoint
 * ```
 *
 * @since 0.1.0
 */
import * as Printable from "@effect-apns/models/Printable"
import * as Schemas from "@effect-apns/models/unstable/Schemas"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Data from "effect/Data"
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as net from "node:net"
import { mayBeSecret } from "./internal/paths.js"

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: TypeId = "~@effect-apns/core/Endpoint"

/**
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = "~@effect-apns/core/Endpoint"

/**
 * An origin that speaks APNs. Two endpoints of the same origin are equal (`Equal.equals`), so they can key a map.
 *
 * @since 0.1.0
 * @category models
 */
export interface Endpoint {
  readonly [TypeId]: TypeId
  /** The name or address to connect to: lower case, ASCII (internationalized names as `xn--`), IPv6 without brackets. */
  readonly host: string
  /** The TCP port, 1 to 65535. */
  readonly port: number
  /** `https://host[:port]`, without the port where it is 443 (RFC 6454 section 6.2). */
  readonly origin: string
  /** What goes into `:authority`: host and port, without the port where it is 443 (RFC 9113 section 8.3.1). */
  readonly authority: string
  /** Whether this is one of Apple's development hosts. `false` for every host that is not Apple's. */
  readonly isSandbox: boolean
}

/**
 * Whether `u` is an {@link Endpoint}.
 *
 * @since 0.1.0
 * @category guards
 */
export const isEndpoint = (u: unknown): u is Endpoint => Predicate.hasProperty(u, TypeId)

/**
 * Text that is not `https://host[:port]`. `reason` names the part that must change, `input` is the text with any user
 * name and password taken out.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidEndpoint extends Schemas.taggedError<InvalidEndpoint>()("InvalidEndpoint", () => ({
  reason: Schema.Literal(
    "Scheme",
    "Credentials",
    "Host",
    "Port",
    "Path",
    "Parameters",
    "Query",
    "Fragment",
    "Characters"
  ),
  input: Schema.String,
  message: Schema.String
})) {}

class EndpointImpl extends Data.Class<Omit<Endpoint, TypeId>> implements Endpoint {
  readonly [TypeId]: TypeId = TypeId
  override toString(): string {
    return this.origin
  }
}

// Everything up to the last "@": a password may contain any character.
const withoutUserInfo = (input: string): string =>
  mayBeSecret(input)
    ? `(${input.length} characters, not shown)`
    : Printable.text(input.replace(/^([a-z0-9+.-]*:?\/\/)?[^]*@/i, "$1***@"))

/** A query or a path may contain secrets too: its beginning is enough to find it. */
const shown = (tail: string): string => Printable.text(withoutUserInfo(tail), 40)

const invalid = (
  reason: InvalidEndpoint["reason"],
  input: string,
  advice: string
): Either.Either<never, InvalidEndpoint> => {
  const shown = withoutUserInfo(input)
  const message = `Not an APNs endpoint: "${shown}": ${advice}`
  return Either.left(new InvalidEndpoint({ reason, input: shown, message }))
}

// A list of allowed characters: a URL parser would drop tabs and newlines silently.
const printable = /^[!-[\]-~\u00a1-\u{10ffff}]*$/u

/**
 * An endpoint from its origin, `https://host[:port]` (port 443 where none is given). Anything else is refused:
 * another scheme, a bare host, a user name, a path (a lone `/` too), `;parameters`, a query, a fragment. Host names
 * may be internationalized, addresses IPv4 or `[IPv6]`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (input: string): Either.Either<Endpoint, InvalidEndpoint> => {
  if (typeof input !== "string") {
    return invalid("Scheme", "", "give text, https://host[:port]")
  }
  if (!printable.test(input)) {
    return invalid("Characters", input, "remove spaces, backslashes and control characters")
  }
  const scheme = /^https:\/\//i.exec(input)
  if (scheme === null) {
    return invalid("Scheme", input, "write it as https://host[:port]")
  }
  const rest = input.slice(scheme[0].length)
  const end = rest.search(/[/;?#]/)
  const authority = end < 0 ? rest : rest.slice(0, end)
  if (authority.includes("@")) {
    return invalid("Credentials", input, "remove the user name and password; APNs is told who you are by credentials")
  }
  if (end >= 0) {
    const tail = rest.slice(end)
    switch (tail[0]) {
      case "/":
        return invalid("Path", input, `remove "${shown(tail)}"; requests carry their own path`)
      case ";":
        return invalid("Parameters", input, `remove "${shown(tail)}"`)
      case "?":
        return invalid("Query", input, `remove "${shown(tail)}"`)
      default:
        return invalid("Fragment", input, `remove "${shown(tail)}"`)
    }
  }
  const parts = /^(\[[^\]]*\]|[^:[\]]*)(?::(.*))?$/.exec(authority)
  const name = parts?.[1] ?? ""
  if (name === "" || name.endsWith(".") || /[%*]/.test(name) || !URL.canParse(`https://${name}`)) {
    return invalid(
      "Host",
      input,
      "give a host name, an IPv4 address or an IPv6 address in brackets, without a final dot"
    )
  }
  const hostname = new URL(`https://${name}`).hostname
  if (/^[!-~]*$/.test(name) && !name.startsWith("[") && hostname !== name.toLowerCase()) {
    return invalid("Host", input, `write the host as "${hostname}"`)
  }
  const digits = parts?.[2]
  const port = digits === undefined ? 443 : /^[0-9]{1,5}$/.test(digits) ? Number(digits) : 0
  if (port < 1 || port > 65535) {
    return invalid("Port", input, "give a port from 1 to 65535 after the colon, or remove the colon")
  }
  return Either.right(fromParts(hostname, port))
}

const sandboxHosts = new Set([
  "api.sandbox.push.apple.com",
  "api.development.push.apple.com",
  "api-broadcast.sandbox.push.apple.com",
  "api-manage-broadcast.sandbox.push.apple.com"
])

const fromParts = (hostname: string, port: number): Endpoint => {
  const authority = port === 443 ? hostname : `${hostname}:${port}`
  return new EndpointImpl({
    host: hostname.startsWith("[") ? hostname.slice(1, -1) : hostname,
    port,
    origin: `https://${authority}`,
    authority,
    isSandbox: sandboxHosts.has(hostname)
  })
}

/**
 * As {@link make}, throwing {@link InvalidEndpoint}: for literals in a program.
 *
 * @since 0.1.0
 * @category constructors
 */
export const unsafeMake = (input: string): Endpoint => Either.getOrThrowWith(make(input), (error) => error)

/**
 * An endpoint from a host (a name, an IPv4 or an IPv6 address without brackets) and a port: for a server whose
 * address is known only at run time.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromHostPort = (host: string, port: number): Either.Either<Endpoint, InvalidEndpoint> =>
  make(`https://${net.isIPv6(host) ? `[${host}]` : host}:${port}`)

/**
 * `api.push.apple.com:443`: devices that run an app from the App Store, TestFlight or an enterprise (Apple, "Sending
 * notification requests to APNs").
 *
 * @since 0.1.0
 * @category endpoints
 */
export const production: Endpoint = fromParts("api.push.apple.com", 443)

/**
 * `api.push.apple.com:2197`: production for networks that let APNs through but no other HTTPS (Apple, "Sending
 * notification requests to APNs").
 *
 * @since 0.1.0
 * @category endpoints
 */
export const productionAltPort: Endpoint = fromParts("api.push.apple.com", 2197)

/**
 * `api.sandbox.push.apple.com:443`: devices that run an app built for development (Apple, "Sending notification requests
 * to APNs").
 *
 * @since 0.1.0
 * @category endpoints
 */
export const development: Endpoint = fromParts("api.sandbox.push.apple.com", 443)

/**
 * `api.sandbox.push.apple.com:2197`: development for networks that let APNs through but no other HTTPS (Apple, "Sending
 * notification requests to APNs").
 *
 * @since 0.1.0
 * @category endpoints
 */
export const developmentAltPort: Endpoint = fromParts("api.sandbox.push.apple.com", 2197)

/**
 * `api-broadcast.push.apple.com:443`: the host in the code samples of Apple, "Sending broadcast push notification
 * requests to APNs". The prose of the same page names {@link production}; both are offered since Apple does not say
 * which one is right.
 *
 * @since 0.1.0
 * @category endpoints
 */
export const broadcastProduction: Endpoint = fromParts("api-broadcast.push.apple.com", 443)

/**
 * `api-broadcast.sandbox.push.apple.com:443`: as {@link broadcastProduction}, for development.
 *
 * @since 0.1.0
 * @category endpoints
 */
export const broadcastDevelopment: Endpoint = fromParts("api-broadcast.sandbox.push.apple.com", 443)

/**
 * `api-manage-broadcast.push.apple.com:2196`: creates, reads, lists and deletes broadcast channels (Apple, "Sending
 * channel management requests to APNs").
 *
 * @since 0.1.0
 * @category endpoints
 */
export const manageProduction: Endpoint = fromParts("api-manage-broadcast.push.apple.com", 2196)

/**
 * `api-manage-broadcast.sandbox.push.apple.com:2195`: as {@link manageProduction}, for development.
 *
 * @since 0.1.0
 * @category endpoints
 */
export const manageDevelopment: Endpoint = fromParts("api-manage-broadcast.sandbox.push.apple.com", 2195)

const named: ReadonlyMap<string, Endpoint> = new Map([
  ["production", production],
  ["development", development],
  ["sandbox", development]
])

/**
 * An endpoint from what a person writes into a configuration: `production`, `development`, `sandbox` (the same as
 * `development`) or an origin as in {@link make}.
 *
 * @since 0.1.0
 * @category constructors
 */
export const parse = (text: string): Either.Either<Endpoint, InvalidEndpoint> => {
  const word = text.trim()
  const found = named.get(word)
  if (found !== undefined) return Either.right(found)
  return !printable.test(word) || word.includes("://")
    ? make(word)
    : invalid(
      "Scheme",
      word,
      word.includes(".")
        ? `write it as https://${withoutUserInfo(word.replace(/^(?:https?:)?\/*/i, ""))}`
        : "write production, development or https://host[:port]"
    )
}

/**
 * The endpoint that the configuration value `name` holds, in the forms of {@link parse}. An empty one counts as missing.
 *
 * @since 0.1.0
 * @category config
 */
export const fromConfig = (name: string): Config.Config<Endpoint> =>
  Config.mapOrFail(
    Config.string(name),
    (text) =>
      text.trim() === ""
        ? Either.left(ConfigError.MissingData([], "it is empty"))
        : Either.mapLeft(parse(text), (error) => ConfigError.InvalidData([], error.message))
  ).pipe(Config.withDescription("production, development or https://host[:port]"))

/**
 * An {@link Endpoint} as it is.
 *
 * @since 0.1.0
 * @category schemas
 */
export const EndpointFromSelf: Schema.Schema<Endpoint> = Schema.declare(isEndpoint, {
  identifier: "Endpoint",
  arbitrary: () => (fc) =>
    fc.oneof(
      fc.constantFrom(production, development, productionAltPort, developmentAltPort),
      fc.domain().map((host) => Either.getOrElse(make(`https://${host}`), () => production))
    )
})

/**
 * An {@link Endpoint} from text in the forms of {@link parse}; encoded as its origin.
 *
 * @since 0.1.0
 * @category schemas
 */
export const FromString: Schema.Schema<Endpoint, string> = Schema.transformOrFail(Schema.String, EndpointFromSelf, {
  strict: true,
  decode: (text, _, ast) => Either.mapLeft(parse(text), (error) => new ParseResult.Type(ast, text, error.message)),
  encode: (endpoint) => ParseResult.succeed(endpoint.origin)
})
