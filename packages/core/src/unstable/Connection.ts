/**
 * Connections for those who build pools: deadlines shared by many connections, and a listener that is called in the same
 * tick as something happens.
 *
 * Unstable: a minor version may change it.
 *
 * @example
 * ```ts
 * import type { Connection } from "@effect-apns/core"
 * import * as Unstable from "@effect-apns/core/unstable/Connection"
 *
 * declare const options: Connection.Resolved
 *
 * export const connection = Unstable.makeWith(options, {
 *   listener: {
 *     onCapacity: ({ unsafe }) => console.log(unsafe.available),
 *     onRetired: (_, cause) => console.log(cause._tag)
 *   }
 * })
 * ```
 *
 * @since 1.0.0
 */
import type * as Effect from "effect/Effect"
import type * as Either from "effect/Either"
import type * as Scope from "effect/Scope"
import type { ConnectError } from "../ConnectError.js"
import type { Connection, Options, Resolved, State } from "../Connection.js"
import type { Credentials, CredentialsError } from "../Credentials.js"
import type { CloseCause } from "../Failure.js"
import * as internal from "../internal/connection.js"
import * as given from "../internal/given.js"
import * as checking from "../internal/options.js"
import * as transport from "../internal/transport.js"
import type { Proxy } from "../Proxy.js"
import type { Deadlines } from "./Deadlines.js"
import type { Exchange } from "./Exchange.js"

/**
 * A connection at the level of callbacks.
 *
 * @since 1.0.0
 * @category models
 */
export interface Unsafe {
  readonly state: State
  /** Requests that can be sent right now. 0 while the connection is suspect: it has been silent, and a PING is out. */
  readonly available: number
  /** Requests that wait for their answer. */
  readonly inFlight: number
  /** Streams that the server allows (SETTINGS_MAX_CONCURRENT_STREAMS, RFC 9113 section 6.5.2). */
  readonly limit: number
  /** An answer or a PONG has come since the connection was opened, so the server is there. */
  readonly proven: boolean
  /** False while the connection is suspect: it has been silent, a PING is out, and nothing is sent before its answer. */
  readonly trusted: boolean
  /**
   * Sends a request. Returns false, with nothing done, where no stream is free. Exactly one of the exchange's callbacks is
   * called, once.
   *
   * A suspect connection takes the request and keeps it until the server has answered the PING. If it does not, the
   * request fails with `Closed`, `processed: "no"`.
   */
  readonly exchange: (
    exchange: Exchange,
    /** The time, on the scale of `Deadlines.now`. Default: asks for it. */
    nowMillis?: number,
    /** May a suspect connection keep the request? Otherwise it returns false, with nothing done. Default: true. */
    hold?: boolean
  ) => boolean
  /**
   * A request waits for this connection, which is suspect: the answer to the PING may take no longer from now on than
   * with requests in flight (`busyDeadline`).
   */
  readonly hasten: () => void
  /** It keeps this request back until the server has answered a PING: nothing of it has been sent. */
  readonly holds: (exchange: Exchange) => boolean
  /** Cancels a request (RST_STREAM CANCEL) and frees its stream. After this no callback of the exchange is called. */
  readonly cancel: (exchange: Exchange) => void
  /** A request timed out: sends a PING, and retires the connection after several in a row. */
  readonly suspect: () => void
  /** No new requests; closes when the last answer is in. */
  readonly retire: (cause?: CloseCause) => void
  /**
   * Closes now: whatever is in flight fails with `Closed`. The socket stays until the server has closed it, too, but no
   * longer than `withinMillis` milliseconds: at least 100, at most 1000, which is also the default.
   */
  readonly close: (cause: CloseCause, withinMillis?: number) => void
}

/**
 * What a connection calls when something happens to it, in the same tick.
 *
 * @since 1.0.0
 * @category models
 */
export interface Listener {
  /** Streams may have become free, or the server changed its limit. */
  onCapacity(connection: Connection): void
  /** The connection takes no more requests; it may still be answering some. */
  onRetired(connection: Connection, cause: CloseCause): void
  /**
   * The first answer or PONG has come. A connection whose listener has this method asks for a PONG as soon as the
   * server's SETTINGS are here.
   */
  onProven?(connection: Connection): void
  /**
   * The connection is suspect: a PING was sent, and no request is sent before its answer. Then `onCapacity` is called; or
   * `onRetired`, where no answer comes. `paused`: it has been silent for longer than the interval, which means that the
   * process, or its clock, stood still.
   */
  onSuspect?(connection: Connection, paused: boolean): void
}

/**
 * The parts of a connection that a pool brings along.
 *
 * @since 1.0.0
 * @category models
 */
export interface Parts {
  readonly listener?: Listener | undefined
  /** Default: the connection's own. */
  readonly deadlines?: Deadlines | undefined
}

/**
 * `Connection.make`, for pools: one set of deadlines for many connections, and a listener that is called in the same tick.
 *
 * @since 1.0.0
 * @category constructors
 */
export const makeWith = (
  options: Resolved,
  parts: Parts
): Effect.Effect<Connection, ConnectError | CredentialsError, Scope.Scope> => internal.make(options, parts)

/**
 * The credentials and the proxy of {@link Options} as values: what is an Effect is run.
 *
 * @since 1.0.0
 * @category combinators
 */
export const resolve: <CE, CR, PE, PR>(
  options: Pick<Options<CE, CR, PE, PR>, "credentials" | "proxy">
) => Effect.Effect<
  { readonly credentials: Credentials; readonly proxy: Proxy | "env" | undefined },
  CE | PE,
  CR | PR
> = given.resolve

/**
 * An option that is not of its kind.
 *
 * @since 1.0.0
 * @category models
 */
export interface Refusal {
  /** Its name, or `"options"` for all of them. */
  readonly field: string
  /** What to give. */
  readonly description: string
}

/**
 * A plain copy of options that are read once, since their getters may throw or answer differently each time.
 *
 * @since 1.0.0
 * @category combinators
 */
export const copyOptions: <O extends object>(options: O) => Either.Either<O, Refusal> = checking.copy

/**
 * What is found; `undefined` where looking throws, since what is looked at may be a Proxy, or have getters.
 *
 * @since 1.0.0
 * @category combinators
 */
export const peek: <A>(look: () => A) => A | undefined = checking.peek

/**
 * The first option for connecting that is not of its kind. Spans of time are not looked at.
 *
 * @since 1.0.0
 * @category combinators
 */
export const checkOptions = <O extends { readonly [K in keyof Resolved]?: Resolved[K] | undefined }>(
  options: O,
  required: ReadonlyArray<keyof Resolved>
): Either.Either<O, Refusal> => checking.check(options, required)

/**
 * Whether an option `ca` holds certificates in each of its texts, so that connections can trust them.
 *
 * @since 1.0.0
 * @category guards
 */
export const isReadableCa = (ca: string | ReadonlyArray<string>): boolean => {
  const texts = typeof ca === "string" ? [ca] : ca
  return texts.length > 0 && texts.every((text) => transport.authority(text) !== undefined)
}

/**
 * The proxy of `Connection.Options` as a value: an Effect is run.
 *
 * @since 1.0.0
 * @category combinators
 */
export const resolveProxy: <E, R>(
  proxy: Options<never, never, E, R>["proxy"]
) => Effect.Effect<Proxy | "env" | undefined, E, R> = given.resolveProxy
