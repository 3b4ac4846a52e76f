/**
 * One connection to APNs: a raw HTTP/2 connection over TLS that carries as many requests at once as the server allows.
 *
 * A connection does not queue, retry or reconnect: that is what a pool is for. It has exactly one outcome for each
 * request, and the outcome says whether APNs can have processed it.
 *
 * @example
 * ```ts
 * import { Connection, Credentials, Endpoint, Request } from "@effect-apns/core"
 * import { Effect } from "effect"
 *
 * const credentials = Credentials.token({ keyFile: "AuthKey_ABC123DEFG.p8", keyId: "ABC123DEFG", teamId: "DEF123GHIJ" })
 *
 * const program = Effect.gen(function*() {
 *   const connection = yield* Connection.make({ endpoint: Endpoint.development, credentials })
 *   const response = yield* connection.post(Request.make({
 *     path: "/3/device/4242",
 *     headers: { "apns-push-type": "alert", "apns-topic": "com.app.your" },
 *     body: { aps: { alert: "Wakey-wakey" } }
 *   }))
 *   yield* Effect.log(response.status, response.reason)
 * }).pipe(
 *   Effect.catchTag("Blocked", () => Effect.log("every stream is in use")),
 *   Effect.scoped
 * )
 * console.log(Effect.isEffect(program))
 * ```
 *
 * @since 0.1.0
 */
import type { Session } from "@effect-apns/http2"
import type { TimeSpan } from "@effect-apns/models"
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { ConnectError } from "./ConnectError.js"
import type { Credentials, CredentialsError } from "./Credentials.js"
import type { CloseCause, RequestError } from "./Failure.js"
import * as internal from "./internal/connection.js"
import { resolve } from "./internal/given.js"
import { copy } from "./internal/options.js"
import { invalidOptions } from "./internal/transport.js"
import type { Proxy } from "./Proxy.js"
import type { Request } from "./Request.js"
import type { Response } from "./Response.js"
import type { ConnectOptions, Transport } from "./Transport.js"
import type { Parts, Unsafe } from "./unstable/Connection.js"

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: TypeId = "~@effect-apns/core/Connection"

/**
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = "~@effect-apns/core/Connection"

/**
 * - `"active"`: takes requests.
 * - `"draining"`: takes no more, and closes when the last answer is in.
 * - `"closed"`.
 *
 * @since 0.1.0
 * @category models
 */
export type State = "active" | "draining" | "closed"

/**
 * @since 0.1.0
 * @category models
 */
export interface Connection {
  readonly [TypeId]: TypeId

  /**
   * Sends a request and waits for its answer, whatever its status. Interrupting it resets the stream (RST_STREAM
   * CANCEL) and frees its slot.
   *
   * Fails with `Blocked` where no stream is free at the moment.
   */
  readonly post: (request: Request) => Effect.Effect<Response, RequestError>

  /** Waits until the connection takes no more requests, and says why. */
  readonly retired: Effect.Effect<CloseCause>

  /** Waits until the connection is closed, and says why. */
  readonly closed: Effect.Effect<CloseCause>

  /** Takes the connection out of use: no new requests; it closes when the last answer is in. */
  readonly retire: Effect.Effect<void>

  /** For those who build pools: callbacks instead of effects. See `unstable/Connection`. */
  readonly unsafe: Unsafe
}

interface Common extends Omit<ConnectOptions, "credentials" | "connectTimeout" | "proxy"> {
  /** For DNS, TCP, proxy, TLS and the server's SETTINGS together. Default 10 seconds. */
  readonly connectTimeout?: TimeSpan.TimeSpan | undefined

  /**
   * Keep-alive by PING (RFC 9113 section 6.7). Silence is counted from the last byte that the server sent. A connection
   * whose PING is not answered in time is closed.
   */
  readonly ping?: {
    /** Without a request in flight: a PING is sent after this long without a byte from the server. Default 1 minute. */
    readonly interval?: TimeSpan.TimeSpan | undefined
    /** Without a request in flight: how long the server may take for the answer. Default 10 seconds. */
    readonly deadline?: TimeSpan.TimeSpan | undefined
    /** With requests in flight: a PING is sent after this long without a byte from the server. Default 2 seconds, at most `interval`. */
    readonly busyInterval?: TimeSpan.TimeSpan | undefined
    /** With requests in flight, or waiting: how long the server may take for the answer. Default 3 seconds, at most `deadline`. */
    readonly busyDeadline?: TimeSpan.TimeSpan | undefined
  } | undefined
  /** How long closing waits for answers. Default 10 seconds, as long as the default timeout of a request. */
  readonly drainTimeout?: TimeSpan.TimeSpan | undefined

  /** Limits against a hostile server. */
  readonly limits?: Partial<Session.Limits> | undefined
}

/**
 * How to connect, and how the connection is kept alive and closed. Credentials and proxy are values, or Effects that are run
 * when the connection or pool is made: `CE` and `CR` are what the credentials' Effect fails with and needs, `PE` and
 * `PR` the same for the proxy.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<out CE = never, out CR = never, out PE = never, out PR = never> extends Common {
  /** Who is sending. An Effect, such as `Credentials.token({ keyFile, ... })`, is run once. */
  readonly credentials: Credentials | Effect.Effect<Credentials, CE, CR>
  /**
   * The proxy to go through, or `"env"` for the one in the usual environment variables. An Effect, such as
   * `Proxy.make("http://...")` or `Proxy.fromEnv(endpoint)`, is run once. Default: none.
   */
  readonly proxy?: Proxy | "env" | Effect.Effect<Proxy | Option.Option<Proxy>, PE, PR> | undefined
}

/**
 * {@link Options} whose credentials and proxy are values.
 *
 * @since 1.0.0
 * @category models
 */
export interface Resolved extends Common {
  readonly credentials: Credentials
  readonly proxy?: Proxy | "env" | undefined
}

/**
 * @since 0.1.0
 * @category tags
 */
export const Connection: Context.Tag<Connection, Connection> = Context.GenericTag<Connection>(
  "@effect-apns/core/Connection"
)

/**
 * Opens a connection, which lives as long as the scope. It is ready when the server's SETTINGS have arrived. Closing
 * the scope waits for answers (up to `drainTimeout`), sends GOAWAY and closes the socket.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <CE = never, CR = never, PE = never, PR = never>(
  options: Options<CE, CR, PE, PR>
): Effect.Effect<Connection, ConnectError | CredentialsError | CE | PE, Scope.Scope | CR | PR> =>
  Effect.suspend(() =>
    Either.match(copy(options), {
      onLeft: (refusal) => Effect.fail(invalidOptions(undefined, refusal)),
      onRight: (options) => Effect.flatMap(resolve(options), (given) => internal.make({ ...options, ...given }))
    })
  )

/**
 * A connection over a transport of your own: it writes and reads bytes. For tests.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromTransport = (
  transport: Transport,
  options: Omit<Resolved, "endpoint" | "credentials"> & {
    readonly authority?: string | undefined
    readonly credentials?: Credentials | undefined
  } = {},
  parts: Parts = {}
): Effect.Effect<Connection, ConnectError | CredentialsError, Scope.Scope> =>
  internal.fromTransport(transport, options, parts)

/**
 * A connection without a socket: `handler` answers each request. Deadlines, interruption and everything that a pool
 * does work as with a real connection. For tests, and for targets that are not APNs.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromHandler = (
  handler: (request: Request) => Effect.Effect<Response, RequestError>,
  options: {
    /** Requests at once. Default 1000. */
    readonly limit?: number | undefined
    /** How long closing waits for answers. Default 0. */
    readonly drainTimeout?: TimeSpan.TimeSpan | undefined
  } = {},
  parts: Parts = {}
): Effect.Effect<Connection, never, Scope.Scope> => internal.fromHandler(handler, options, parts)

/**
 * {@link make} as a Layer.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <CE = never, CR = never, PE = never, PR = never>(
  options: Options<CE, CR, PE, PR>
): Layer.Layer<Connection, ConnectError | CredentialsError | CE | PE, CR | PR> =>
  Layer.scoped(Connection, make(options))

/**
 * {@link layer} whose options come from configuration values.
 *
 * @since 1.0.0
 * @category layers
 */
export const layerConfig = <CE = never, CR = never, PE = never, PR = never>(
  config: Config.Config.Wrap<Options<CE, CR, PE, PR>>
): Layer.Layer<
  Connection,
  ConnectError | CredentialsError | CE | PE | ConfigError.ConfigError,
  CR | PR
> => Layer.scoped(Connection, Effect.flatMap(Config.unwrap(config), (options) => make(options)))
