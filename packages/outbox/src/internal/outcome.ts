import { Reason } from "@effect-apns/models"
import * as DateTime from "effect/DateTime"
import type { Accepted, Common, Failed, Outcome, Rejected } from "../Outcome.js"
import type { Entry, FailedReason } from "./codec.js"
import * as ids from "./ids.js"

/** The common values of the outcomes of one row. */
export interface Chunk {
  readonly campaign: string
  readonly tenant: string
  readonly round: number
  readonly seq: number
  /** The index of the batch's first token. */
  readonly first: number
  readonly tokens: ReadonlyArray<string>
}

/** One object for each outcome, whose texts are made when they are read. */
abstract class Base implements Common {
  readonly campaign: string
  readonly tenant: string
  readonly index: number
  readonly token: string
  readonly round: number
  private readonly seq: number

  /** `offset`: the place of its token in the batch. `place`: its own among the outcomes of the row. */
  constructor(chunk: Chunk, offset: number, private readonly place: number) {
    this.campaign = chunk.campaign
    this.tenant = chunk.tenant
    this.index = chunk.first + offset
    this.token = chunk.tokens[offset] ?? ""
    this.round = chunk.round
    this.seq = chunk.seq
  }

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

  constructor(chunk: Chunk, offset: number, place: number, readonly uniqueId: string | undefined) {
    super(chunk, offset, place)
  }

  toJSON(): unknown {
    return { _tag: this._tag, ...this.common(), uniqueId: this.uniqueId }
  }
}

class RejectedOutcome extends Base implements Rejected {
  readonly _tag = "Rejected"

  constructor(
    chunk: Chunk,
    offset: number,
    place: number,
    readonly status: number,
    readonly reason: string,
    private readonly timestampMillis: number | null
  ) {
    super(chunk, offset, place)
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
    chunk: Chunk,
    offset: number,
    place: number,
    readonly reason: FailedReason,
    readonly processed: "no" | "unknown",
    readonly description: string
  ) {
    super(chunk, offset, place)
  }

  toJSON(): unknown {
    const { description, processed, reason } = this
    return { _tag: this._tag, ...this.common(), reason, processed, description }
  }
}

export const accepted = (chunk: Chunk, offset: number, place: number, uniqueId?: string): Outcome =>
  new AcceptedOutcome(chunk, offset, place, uniqueId)

export const fromEntry = (chunk: Chunk, entry: Entry, place: number): Outcome => {
  const [offset] = entry
  switch (entry[1]) {
    case "A":
      return accepted(chunk, offset, place, entry[2])
    case "R":
      return new RejectedOutcome(chunk, offset, place, entry[2], entry[3], entry[4])
    case "F":
      return new FailedOutcome(chunk, offset, place, entry[2], entry[3], entry[4])
  }
}
