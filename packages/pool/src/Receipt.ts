/**
 * APNs has accepted a notification.
 *
 * @example
 * ```ts
 * import type { Receipt } from "@effect-apns/pool"
 *
 * export const describe = ({ apnsId, attempts }: Receipt.Receipt): string =>
 *   attempts === 1 ? `accepted as ${apnsId}` : `accepted as ${apnsId} at attempt ${attempts}`
 * ```
 *
 * @since 0.1.0
 */
import { Response } from "@effect-apns/core"
import type * as Exchange from "@effect-apns/core/unstable/Exchange"

/**
 * What APNs says of a notification that it accepted (Apple: "Handling notification responses from APNs").
 *
 * @since 0.1.0
 * @category models
 */
export class Receipt {
  constructor(
    /** `apns-id`: the one that was sent, or the one that APNs made. */
    readonly apnsId: string,
    /** `apns-unique-id`: the key to the Delivery Log of Apple's Push Notifications Console (development only). */
    readonly uniqueId: string | undefined,
    /** How many times the request was sent. 1 unless the pool had to repeat it. */
    readonly attempts: number
  ) {}
}

/**
 * @internal
 */
export const fromStream = (stream: Exchange.Exchange, attempts: number): Receipt =>
  new Receipt(
    stream.apnsId ?? "",
    stream.headers === undefined ? undefined : Response.header(stream.headers, "apns-unique-id"),
    attempts
  )
