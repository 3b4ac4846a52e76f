/**
 * A request without its path, prepared for sending: what many requests share is encoded and converted once. For those who
 * build on `Exchange` and `Delivery`; programs give `Request.Options`.
 *
 * All times are numbers here, in milliseconds, because they are read for every notification that is sent.
 *
 * Unstable: a minor version may change it.
 *
 * @example
 * ```ts
 * import { Request } from "@effect-apns/core"
 * import type { RequestSpec } from "@effect-apns/core/unstable/RequestSpec"
 *
 * const { spec } = Request.make({ path: "/3/device/4242", timeout: "5 seconds" })
 * export const patient: RequestSpec = { ...spec, timeoutMillis: 60_000 }
 * console.log(spec.timeoutMillis) // 5000
 * ```
 *
 * @since 1.0.0
 */
import type { Session } from "@effect-apns/http2"
import type { Retransmit } from "../Request.js"

/**
 * Everything about a request but its path. One notification for many tokens shares one.
 *
 * @since 1.0.0
 * @category models
 */
export interface RequestSpec {
  /** Method and the headers that many requests share; encoded once per connection. */
  readonly head: Session.Head
  /** Headers of this request alone, flat: name, value, name, value. */
  readonly extra: ReadonlyArray<string> | undefined
  readonly body: Uint8Array
  /** Milliseconds to wait for the answer; waiting for a free stream behind other requests does not count. */
  readonly timeoutMillis: number
  /** Milliseconds since the UNIX epoch, `Infinity` for none. */
  readonly deadlineMillis: number
  /** `apns-expiration` in milliseconds since the UNIX epoch, `Infinity` where it sets no limit. */
  readonly expirationMillis: number
  /** Has an `apns-collapse-id`. */
  readonly collapsible: boolean
  /** `undefined`: as the pool is set up. */
  readonly retransmit: Retransmit | undefined
}
