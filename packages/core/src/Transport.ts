/**
 * The bytes of one connection: a TLS socket that speaks `h2`, or in tests anything with the same interface.
 *
 * The interface is callbacks rather than effects, since it is crossed once for each chunk of bytes. What opens and
 * closes a transport is an Effect with a Scope.
 *
 * @example
 * ```ts
 * import * as Endpoint from "@effect-apns/core/Endpoint"
 * import * as Transport from "@effect-apns/core/Transport"
 * import * as Effect from "effect/Effect"
 *
 * export const program = Effect.scoped(Effect.gen(function*() {
 *   const transport = yield* Transport.connect({ endpoint: Endpoint.development, connectTimeout: "3 seconds" })
 *   return [transport.info.protocol, transport.info.remoteAddress] // ["TLSv1.3", "17.188.143.34:443"]
 * }))
 * ```
 *
 * @since 0.1.0
 */
import type { TimeSpan } from "@effect-apns/models"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ConnectError } from "./ConnectError.js"
import type { Credentials } from "./Credentials.js"
import type { Endpoint } from "./Endpoint.js"
import * as memory from "./internal/memoryTransport.js"
import * as internal from "./internal/transport.js"
import type { Proxy } from "./Proxy.js"

/**
 * A byte duplex.
 *
 * @since 0.1.0
 * @category models
 */
export interface Transport {
  /**
   * Writes. One write at a time: the next one after `done`, which is called once, never before `write` returned, when
   * the kernel has the bytes or, with an error, the transport is gone. The bytes must not change until then.
   */
  readonly write: (bytes: Uint8Array, done: (error?: Error | null) => void) => void
  /** Opens the flow of received bytes to `receiver`; never calls it before `start` returned. To be called once. */
  readonly start: (receiver: Receiver) => void
  /**
   * Half-closes: what was written is sent, then the end of the stream. Writes after it are dropped. The end of the scope
   * waits for the other side to close, too: `withinMillis` milliseconds, 1000 unless given.
   */
  readonly end: (withinMillis?: number) => void
  /** Closes at once; what the kernel does not have yet is lost. */
  readonly destroy: () => void
  readonly info: TransportInfo
}

/**
 * What a transport calls when bytes arrive and when it closes.
 *
 * @since 0.1.0
 * @category models
 */
export interface Receiver {
  /** Bytes arrived. They are valid during the call alone: copy what must last. */
  onData(bytes: Uint8Array): void
  /** Nothing more will arrive and nothing more can be written. Called exactly once, as the last call. */
  onClose(close: TransportClose): void
}

/**
 * Why a transport closed.
 *
 * - `"Eof"`: the peer closed the connection normally
 * - `"Error"`: the socket failed; `code` is its error code, such as `ECONNRESET`
 * - `"Destroyed"`: this side called `destroy`, or the scope closed
 *
 * @since 0.1.0
 * @category models
 */
export interface TransportClose {
  readonly kind: "Eof" | "Error" | "Destroyed"
  readonly code: string | undefined
  readonly message: string | undefined
}

/**
 * What is known of a transport; for logs and stats.
 *
 * @since 0.1.0
 * @category models
 */
export interface TransportInfo {
  /** The protocol agreed upon by ALPN (RFC 7301). */
  readonly alpn: string
  /** Such as `TLSv1.3`. */
  readonly protocol: string | undefined
  /** The name of the cipher suite (RFC 8446 appendix B.4). */
  readonly cipher: string | undefined
  /** `address:port` of the peer: the proxy where there is one. */
  readonly remoteAddress: string | undefined
  /** `address:port` of this side. */
  readonly localAddress: string | undefined
  /** The subject of the server's certificate, one attribute a line. */
  readonly peerSubject: string | undefined
}

/**
 * An address of a host.
 *
 * @since 0.1.0
 * @category models
 */
export interface Address {
  readonly address: string
  readonly family: 4 | 6
}

/**
 * How to connect.
 *
 * @since 0.1.0
 * @category options
 */
export interface ConnectOptions {
  readonly endpoint: Endpoint
  /** A certificate is presented to the server; a token signing key is not used here. */
  readonly credentials?: Credentials | undefined

  /** Authorities (PEM) to trust instead of those that Node brings along. */
  readonly ca?: string | ReadonlyArray<string> | undefined
  /** The proxy to go through, or `"env"` for the one in the usual environment variables. Default: none. */
  readonly proxy?: Proxy | "env" | undefined
  /** For DNS, TCP, proxy and TLS together, by Effect's Clock. Default {@link defaultConnectTimeout}. */
  readonly connectTimeout?: TimeSpan.TimeSpan | undefined

  /**
   * Where to log the TLS secrets, with which anyone can read the traffic: a function, a file to append to, or `true` for
   * the file that the environment variable SSLKEYLOGFILE names. Default: nowhere, whatever the environment says.
   */
  readonly keylog?: ((line: string) => void) | string | true | undefined
  /** Skips every check of the server's certificate: anyone on the path can then read and change what is sent. */
  readonly dangerouslyTrustAnyServer?: boolean | undefined
  /** Resolves the endpoint's host, for each connection anew. Default: the operating system's resolver, uncached. */
  readonly lookup?: ((host: string) => Effect.Effect<ReadonlyArray<Address>, Error>) | undefined
}

/**
 * How long connecting may take unless `connectTimeout` says otherwise: 10 seconds, which leaves room for two lost SYN
 * packets (sent again after 1 and 3 seconds, RFC 6298).
 *
 * @since 0.1.0
 * @category options
 */
export const defaultConnectTimeout: Duration.Duration = internal.defaultConnectTimeout

/**
 * Opens a TLS connection that speaks HTTP/2, closed with the scope.
 *
 * - DNS is asked for each connection, and the addresses are tried in random order, IPv4 and IPv6 in turn, the next one
 *   when the last one failed or did not answer within 250 ms (RFC 8305). Apple: "Sending notification requests to APNs"
 *   and its forums ask for fresh lookups and spread connections.
 * - TLS 1.2 or later (Apple, "Setting up a remote notification server"), the server's name and certificate checked, ALPN
 *   `h2` demanded (RFC 9113 section 3.3).
 * - Interruption and failure leave no socket behind. The scope's end destroys the socket; after `end()` it first waits
 *   until the server has closed its side too, at most one second.
 *
 * @since 0.1.0
 * @category constructors
 */
export const connect = (options: ConnectOptions): Effect.Effect<Transport, ConnectError, Scope.Scope> =>
  internal.connect(options)

/**
 * A transport in memory, and its other end, which the test controls.
 *
 * @since 0.1.0
 * @category testing
 */
export interface TestTransport {
  readonly transport: Transport
  /** Every write so far, copied. */
  readonly written: ReadonlyArray<Uint8Array>
  /** Called after each write, with the bytes. */
  onWrite: ((bytes: Uint8Array) => void) | undefined
  /** `true` once `end` was called. */
  readonly ended: boolean
  /** `true` once `destroy` was called, or the transport closed. */
  readonly closed: boolean
  /**
   * Whether writes complete by themselves (default), in a microtask. When `false` they wait for {@link completeWrite}:
   * a peer that does not read.
   */
  autoComplete: boolean
  /** Completes the write that waits. */
  readonly completeWrite: () => void
  /** The peer sends bytes: handed to the receiver at once, or kept until `start`. */
  readonly receive: (bytes: Uint8Array) => void
  /** The peer closes, or the connection breaks. Default: `Eof`. */
  readonly close: (close?: Partial<TransportClose>) => void
}

/**
 * A transport in memory: no socket, no time. `receive` and `close` act synchronously, so a test decides every order.
 *
 * @since 0.1.0
 * @category testing
 */
export const makeTest = (info?: Partial<TransportInfo>): TestTransport => memory.make(info)
