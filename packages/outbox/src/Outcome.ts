/**
 * What became of each token of a campaign.
 *
 * @example
 * ```ts
 * import { Outcome } from "@effect-apns/outbox"
 *
 * export const describe = (outcome: Outcome.Outcome): string =>
 *   outcome._tag === "Accepted"
 *     ? `${outcome.key}: accepted as ${outcome.apnsId}`
 *     : outcome._tag === "Rejected"
 *     ? `${outcome.key}: ${outcome.status} ${outcome.reason}`
 *     : `${outcome.key}: ${outcome.reason}, processed: ${outcome.processed}`
 * ```
 *
 * @since 1.0.0
 */
import type * as DateTime from "effect/DateTime"
import type { FailedReason } from "./internal/codec.js"

/**
 * What all outcomes say.
 *
 * @since 1.0.0
 * @category models
 */
export interface Common {
  /** The campaign's id. */
  readonly campaign: string
  readonly tenant: string
  /** The place of the token in its campaign, from 0. */
  readonly index: number
  /** The device token, as it was enqueued. */
  readonly token: string
  /** How often the token was sent anew from the dead letters. */
  readonly round: number
  /** Where it stands in the stream of outcomes: see `Outbox.outcomes`. */
  readonly cursor: string
  /**
   * The same whenever this outcome is told, and of no other: what tells whether it was handled before. Campaign, index
   * and, after it was sent again from the dead letters, the round.
   */
  readonly key: string
  /** The `apns-id` that the notification carries each time it is sent. */
  readonly apnsId: string
}

/**
 * APNs has accepted the notification.
 *
 * @since 1.0.0
 * @category models
 */
export interface Accepted extends Common {
  readonly _tag: "Accepted"
  /** `apns-unique-id`, which only the development environment gives: the key to Apple's Push Notifications Console. */
  readonly uniqueId: string | undefined
}

/**
 * APNs has answered with a reason, and sending again would not change it. A text that is no device token is never sent,
 * and rejected as APNs would do it: 400 `BadDeviceToken`.
 *
 * @since 1.0.0
 * @category models
 */
export interface Rejected extends Common {
  readonly _tag: "Rejected"
  readonly status: number
  /** As APNs spells it; `""` where it gave none. */
  readonly reason: string
  /** Since when the token is dead, for status 410. */
  readonly timestamp: DateTime.Utc | undefined
  /** The token is to be deleted, unless it registered again after `timestamp`. */
  readonly isTokenDead: boolean
}

/**
 * There is no answer of APNs, and there will be none:
 *
 * - `"Expired"`: the campaign ended first
 * - `"Cancelled"`: the campaign was cancelled first
 * - `"RetriesExhausted"`: it was tried as often as the campaign allows
 * - `"Unanswered"`: it left, no answer came, and it may not be sent twice
 * - `"Unsendable"`: its headers (topic, collapse id) are larger than the server takes, so it never left
 * - `"Abandoned"`: the runners that tried it died, again and again
 *
 * @since 1.0.0
 * @category models
 */
export interface Failed extends Common {
  readonly _tag: "Failed"
  readonly reason: FailedReason
  /** Whether APNs can have processed it. */
  readonly processed: "no" | "unknown"
  /** What happened last, in words. */
  readonly description: string
}

/**
 * @since 1.0.0
 * @category models
 */
export type Outcome = Accepted | Rejected | Failed
