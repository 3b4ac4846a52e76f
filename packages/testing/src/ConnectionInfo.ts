/**
 * What the mock knows of a connection.
 *
 * @example
 * ```ts
 * import { MockApns } from "@effect-apns/testing"
 * import { Effect } from "effect"
 *
 * // how many connections a client holds open, and how busy the busiest of them was
 * export const load = Effect.gen(function*() {
 *   const apns = yield* MockApns.MockApns
 *   const connections = yield* apns.connections
 *   return {
 *     open: connections.filter(({ open }) => open).length,
 *     busiest: Math.max(...connections.map(({ maxOpenStreams }) => maxOpenStreams))
 *   }
 * })
 * ```
 *
 * @since 0.1.0
 */

/**
 * A snapshot of one connection, open or closed.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConnectionInfo {
  /** 1 for the first connection that reached TLS, 2 for the next, ... */
  readonly id: number
  readonly open: boolean
  /** In milliseconds since the epoch, by the mock's clock. */
  readonly openedAt: number
  readonly closedAt: number | undefined
  /** The ALPN protocol that was agreed on. */
  readonly alpn: string | undefined
  /** `TLSv1.2`, `TLSv1.3`. */
  readonly tls: string | undefined
  /** The name that the client asked for (SNI). */
  readonly serverName: string | undefined
  /** The client certificate, where one was shown. */
  readonly clientCertificate: {
    readonly trusted: boolean
    /** The UID of its subject: the bundle ID. */
    readonly bundleId: string | undefined
    readonly topics: ReadonlyArray<string> | undefined
  } | undefined
  /** The team whose provider token came first. */
  readonly teamId: string | undefined
  /** Requests that arrived and are neither answered nor given up. */
  readonly openStreams: number
  /** The most that were open at the same time. */
  readonly maxOpenStreams: number
  /** Request headers that arrived. */
  readonly requests: number
  /** The highest stream id seen. */
  readonly lastStreamId: number
  /** PINGs from the client, answered or not. */
  readonly pings: number
  /** Answers to the mock's own PINGs. */
  readonly pingAcks: number
  /** Acknowledgements of the mock's SETTINGS. */
  readonly settingsAcks: number
  /** RST_STREAM frames from the client, the latest 10,000. */
  readonly resets: ReadonlyArray<{ readonly streamId: number; readonly code: number }>
  /** GOAWAY frames from the client. */
  readonly goaways: ReadonlyArray<{ readonly lastStreamId: number; readonly code: number; readonly debug: string }>
  readonly bytesIn: number
  readonly bytesOut: number
}
