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
import { Reason } from "@effect-apns/models"
import * as DateTime from "effect/DateTime"
import type { Entry, FailedReason } from "./internal/codec.js"
import * as ids from "./internal/ids.js"

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
  /** What was last heard of it, for people. */
  readonly description: string
}

/**
 * @since 1.0.0
 * @category models
 */
export type Outcome = Accepted | Rejected | Failed

/** One object for each outcome, its texts made when they are read. */
abstract class Base implements Common {
  constructor(
    readonly campaign: string,
    readonly tenant: string,
    readonly index: number,
    readonly token: string,
    readonly round: number,
    private readonly seq: number,
    private readonly place: number
  ) {}

  get cursor(): string {
    return `${this.seq}.${this.place}`
  }

  get key(): string {
    return this.round === 0 ? `${this.campaign}/${this.index}` : `${this.campaign}/${this.index}/${this.round}`
  }

  get apnsId(): string {
    return ids.apnsIds(this.campaign)(this.index)
  }

  protected common(): Common {
    const { apnsId, campaign, cursor, index, key, round, tenant, token } = this
    return { key, campaign, tenant, index, token, round, cursor, apnsId }
  }
}

class AcceptedOutcome extends Base implements Accepted {
  readonly _tag = "Accepted"
  constructor(
    campaign: string,
    tenant: string,
    index: number,
    token: string,
    round: number,
    seq: number,
    place: number,
    readonly uniqueId: string | undefined
  ) {
    super(campaign, tenant, index, token, round, seq, place)
  }

  toJSON(): unknown {
    return { _tag: this._tag, ...this.common(), uniqueId: this.uniqueId }
  }
}

class RejectedOutcome extends Base implements Rejected {
  readonly _tag = "Rejected"
  constructor(
    campaign: string,
    tenant: string,
    index: number,
    token: string,
    round: number,
    seq: number,
    place: number,
    readonly status: number,
    readonly reason: string,
    private readonly timestampMillis: number | null
  ) {
    super(campaign, tenant, index, token, round, seq, place)
  }

  get timestamp(): DateTime.Utc | undefined {
    return this.timestampMillis === null ? undefined : DateTime.unsafeMake(this.timestampMillis)
  }

  get isTokenDead(): boolean {
    return Reason.info(this.reason, this.status).token === "dead"
  }

  toJSON(): unknown {
    const { isTokenDead, reason, status, timestamp } = this
    return { _tag: this._tag, ...this.common(), status, reason, timestamp, isTokenDead }
  }
}

class FailedOutcome extends Base implements Failed {
  readonly _tag = "Failed"
  constructor(
    campaign: string,
    tenant: string,
    index: number,
    token: string,
    round: number,
    seq: number,
    place: number,
    readonly reason: FailedReason,
    readonly processed: "no" | "unknown",
    readonly description: string
  ) {
    super(campaign, tenant, index, token, round, seq, place)
  }

  toJSON(): unknown {
    const { description, processed, reason } = this
    return { _tag: this._tag, ...this.common(), reason, processed, description }
  }
}

/** @internal */
export interface Chunk {
  readonly campaign: string
  readonly tenant: string
  readonly round: number
  readonly seq: number
  /** The index of the batch's first token. */
  readonly first: number
  readonly tokens: ReadonlyArray<string>
}

/** @internal */
export const accepted = (chunk: Chunk, index: number, place: number, uniqueId?: string): Outcome =>
  new AcceptedOutcome(
    chunk.campaign,
    chunk.tenant,
    chunk.first + index,
    chunk.tokens[index] ?? "",
    chunk.round,
    chunk.seq,
    place,
    uniqueId
  )

/** @internal */
export const fromEntry = (chunk: Chunk, entry: Entry, place: number): Outcome => {
  const { campaign, first, round, seq, tenant, tokens } = chunk
  const index = first + entry[0]
  const token = tokens[entry[0]] ?? ""
  switch (entry[1]) {
    case "A":
      return new AcceptedOutcome(campaign, tenant, index, token, round, seq, place, entry[2])
    case "R":
      return new RejectedOutcome(campaign, tenant, index, token, round, seq, place, entry[2], entry[3], entry[4])
    case "F":
      return new FailedOutcome(campaign, tenant, index, token, round, seq, place, entry[2], entry[3], entry[4])
  }
}
