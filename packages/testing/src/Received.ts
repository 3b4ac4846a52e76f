/**
 * What the mock remembers of a request.
 *
 * @example
 * ```ts
 * import { MockApns } from "@effect-apns/testing"
 * import { Effect } from "effect"
 *
 * // the payloads that one device was sent, oldest first
 * export const payloadsFor = (token: string) =>
 *   Effect.gen(function*() {
 *     const apns = yield* MockApns.MockApns
 *     const received = yield* apns.received
 *     return received.filter((request) => request.accepted && request.token === token).map(({ payload }) => payload)
 *   })
 * ```
 *
 * @since 0.1.0
 */

/**
 * A request that the mock has read and, unless a fault forbade it, processed.
 *
 * @since 0.1.0
 * @category models
 */
export interface Received {
  /** The number of the connection it came on: `ConnectionInfo.id`. */
  readonly connection: number
  readonly streamId: number
  /** When it was read, in milliseconds since the epoch by the mock's clock. */
  readonly time: number
  readonly method: string
  readonly path: string
  /** All request headers, pseudo-headers included; repeated ones as `node:http2` joins them. */
  readonly headers: Readonly<Record<string, string>>
  /** The device token of the path, `undefined` for any other path. */
  readonly token: string | undefined
  /** `apns-topic`. */
  readonly topic: string | undefined
  /** `apns-push-type`. */
  readonly pushType: string | undefined
  /** `apns-priority`. */
  readonly priority: number | undefined
  /** `apns-expiration`, in seconds since the epoch; 0 means "do not store". */
  readonly expiration: number | undefined
  /** `apns-collapse-id`. */
  readonly collapseId: string | undefined
  /** `apns-channel-id`. */
  readonly channelId: string | undefined
  /** The id of the answer: the request's `apns-id` (or `apns-request-id`), or the one that the mock made up. */
  readonly apnsId: string
  /** The body as it came. */
  readonly body: Uint8Array
  /** The body parsed as JSON; `undefined` where it is none. */
  readonly payload: unknown
  /** True when the notification passed every check and was not rejected, whether or not the client got to know. */
  readonly accepted: boolean
  /** The status it was answered with; `undefined` where a fault kept the answer away. */
  readonly status: number | undefined
  /** The reason it was rejected for. */
  readonly reason: string | undefined
}
