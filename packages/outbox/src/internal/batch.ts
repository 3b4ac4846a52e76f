/**
 * A batch while a runner holds it: plain state and callbacks, as in the pool's engine, without effects.
 */
import { Response } from "@effect-apns/core"
import type { Failure } from "@effect-apns/core"
import type { RequestSpec } from "@effect-apns/core/unstable/RequestSpec"
import { DeviceToken } from "@effect-apns/models"
import type { ApnsPool } from "@effect-apns/pool/ApnsPool"
import { Delivery, type Lane } from "@effect-apns/pool/unstable/Delivery"
import * as Either from "effect/Either"
import type { Retry } from "./campaign.js"
import { Bits, cut } from "./codec.js"
import type { Entry, FailedReason } from "./codec.js"
import * as ids from "./ids.js"
import * as Options from "./options.js"
import * as Verdict from "./verdict.js"
import type { Window } from "./window.js"

/** A row of the database. */
export interface Row {
  readonly id: number
  readonly campaign: string
  readonly tenant: string
  readonly first: number
  readonly size: number
  readonly round: number
  readonly chunks: number
  readonly passes: number
  readonly done: Uint8Array | undefined
  readonly dead: Uint8Array | undefined
  readonly accepted: number
  readonly rejected: number
  readonly failed: number
  readonly cancelled: number
}

/** Why no more of a batch is sent for now. */
export type Halt = "stopping" | "campaign" | "ended" | "lost" | "credentials" | "refused" | "pool"

/** What a unit calls of its runner. */
export interface Owner {
  readonly window: Window
  readonly now: () => number
  /** Something is to be written. */
  readonly changed: (batch: Batch) => void
  /** The campaign cannot be sent as it is. */
  readonly stop: (batch: Batch, reason: string) => void
}

/** The longest wait that a server can ask for: longer than any campaign must wait, and the database can store it. */
const maxDelayMillis = 366 * 86_400_000

class Part extends Delivery {
  /** Its index in the list of its batch's deliveries in flight. */
  inBatch = 0

  constructor(token: string, spec: RequestSpec, lane: Lane, readonly batch: Batch, readonly index: number) {
    super(token, spec)
    this.lane = lane
  }

  onAnswered(): void {
    if (this.status === 200) this.batch.onAccepted(this)
    else this.batch.onVerdict(this, Verdict.ofAnswer(this, this.batch.owner.now()))
  }

  onFailed(failure: Failure.PoolFailure): void {
    const { collapsible, retransmit } = this.spec
    const mayRepeat = retransmit === "always" || (retransmit !== "never" && collapsible)
    this.batch.onVerdict(this, Verdict.ofFailure(failure, mayRepeat))
  }
}

/** A pool that throws, for example since it is not a pool, cannot send: that must not delay others. */
const submit = (pool: ApnsPool, part: Part): void => {
  try {
    pool.unsafe.submit(part)
  } catch (cause) {
    part.batch.onThrown(part, cause)
  }
}

/** The data of a batch that one checkpoint writes. */
export interface Snapshot {
  readonly batch: Batch
  readonly chunk: number
  readonly done: Uint8Array
  readonly dead: Uint8Array | undefined
  /** Indexes accepted since the last checkpoint. */
  readonly acceptedNow: Uint8Array | undefined
  readonly entries: ReadonlyArray<Entry>
  readonly settled: number
  readonly accepted: number
  readonly rejected: number
  readonly failed: number
  readonly chunks: number
  /** Set when the batch is released. */
  readonly release: { readonly finished: boolean; readonly dueInMillis: number | undefined } | undefined
  readonly lastError: string | undefined
  /** Refusals since the last checkpoint that are not the fault of a token. */
  readonly refusals: Refusals | undefined
}

export interface Refusals {
  readonly reason: string
  readonly count: number
  /** There were refusals for another reason, too. */
  readonly isMixed: boolean
}

export class Batch {
  readonly done: Bits
  private dead: Bits | undefined
  private acceptedNow: Bits
  private anyAccepted = false
  private entries: Array<Entry> = []
  private accepted: number
  private rejected: number
  private failed: number
  private chunks: number
  /** Settled, and not in a snapshot yet. */
  private settled = 0
  /** In a snapshot that is being written. */
  private saving = 0
  private readonly inFlight: Array<Part> = []
  private next = 0
  private retried = 0
  private retryMillis = 0
  private refusals: Refusals | undefined = undefined
  private lastError: string | undefined = undefined
  private halt: Halt | undefined = undefined
  /** Its last snapshot was taken. */
  private closing = false
  closed = false
  private readonly allValid: boolean
  private readonly apnsIdOf: (index: number) => string

  constructor(
    readonly row: Row,
    readonly tokens: ReadonlyArray<string>,
    /** Whether all tokens are valid if the first one is. */
    uniform: boolean,
    readonly retry: Retry,
    /** The common part of all its notifications; `undefined` if nothing can be sent. */
    private readonly spec: RequestSpec | undefined,
    private readonly collapsesAlone: boolean,
    readonly owner: Owner
  ) {
    this.done = Bits.from(row.done, row.size)
    this.dead = row.dead === undefined ? undefined : Bits.from(row.dead, row.size)
    this.acceptedNow = Bits.empty(row.size)
    this.accepted = row.accepted
    this.rejected = row.rejected
    this.failed = row.failed
    this.chunks = row.chunks
    this.apnsIdOf = ids.apnsIds(row.campaign)
    this.allValid = uniform && DeviceToken.is(tokens[0])
  }

  get underWay(): number {
    return this.inFlight.length
  }

  get halted(): Halt | undefined {
    return this.halt
  }

  /** Tokens without an outcome. */
  get left(): number {
    return this.row.size - this.accepted - this.rejected - this.failed - this.row.cancelled
  }

  /** Whether something is left to send in this pass. */
  get hungry(): boolean {
    return this.halt === undefined && this.spec !== undefined && this.seek()
  }

  private seek(): boolean {
    const { done, row } = this
    while (this.next < row.size && done.has(this.next)) this.next++
    return this.next < row.size
  }

  /** Sends at most so many; returns how many were sent. What waits in the pool takes the turns of this lane. */
  pump(pool: ApnsPool, lane: Lane, most: number): number {
    let sent = 0
    const { owner, spec } = this
    while (sent < most && spec !== undefined && this.halt === undefined && this.seek()) {
      const index = this.next++
      sent++
      owner.window.take()
      const token = this.tokens[index] ?? ""
      if (!this.allValid && !DeviceToken.is(token)) {
        this.settle(index, [index, "R", 400, "BadDeviceToken", null], false)
        continue
      }
      const apnsId = this.apnsIdOf(this.row.first + index)
      // an array that grows would take five times the memory
      const extra = this.collapsesAlone ? ["apns-id", apnsId, "apns-collapse-id", apnsId] : ["apns-id", apnsId]
      if (spec.extra !== undefined) { for (const text of spec.extra) extra.push(text) }
      const part = new Part(
        token,
        {
          head: spec.head,
          extra,
          body: spec.body,
          timeoutMillis: spec.timeoutMillis,
          deadlineMillis: spec.deadlineMillis,
          expirationMillis: spec.expirationMillis,
          collapsible: spec.collapsible || this.collapsesAlone,
          retransmit: spec.retransmit
        },
        lane,
        this,
        index
      )
      part.inBatch = this.inFlight.length
      this.inFlight.push(part)
      submit(pool, part)
    }
    return sent
  }

  private landed(part: Part): void {
    const last = this.inFlight.pop()
    if (last !== undefined && last !== part) {
      this.inFlight[part.inBatch] = last
      last.inBatch = part.inBatch
    }
  }

  onAccepted(part: Part): void {
    this.landed(part)
    const uniqueId = part.headers === undefined ? undefined : Response.header(part.headers, "apns-unique-id")
    this.accepted++
    this.settled++
    this.done.add(part.index)
    if (uniqueId === undefined) {
      this.acceptedNow.add(part.index)
      this.anyAccepted = true
    } else this.entries.push([part.index, "A", cut(uniqueId, 100)])
    this.owner.changed(this)
  }

  onVerdict(part: Part, verdict: Verdict.Verdict): void {
    this.landed(part)
    const { index } = part
    switch (verdict._tag) {
      case "Rejected": {
        const { isDead, ofCampaign, reason, status, timestampMillis } = verdict
        this.settle(index, [index, "R", status, reason, timestampMillis], isDead)
        if (ofCampaign) this.refused(`${reason} (${status})`)
        return
      }
      case "Unsendable":
        this.fail(index, "Unsendable", "no", verdict.description)
        this.refused(verdict.description)
        return
      case "Retry": {
        const delay = Verdict.delayMillis(verdict.obstacle, this.row.passes, this.retry)
        this.retryMillis = Math.max(this.retryMillis, delay, verdict.retryAfterMillis)
        this.lastError = verdict.description
        this.retried++
        if (this.retry.attempts !== undefined && this.row.passes + 1 >= this.retry.attempts) {
          this.fail(index, "RetriesExhausted", "no", verdict.description)
        } else this.putBack()
        return
      }
      case "Unanswered":
        this.fail(index, "Unanswered", "unknown", verdict.description)
        return
      case "Expired":
        this.fail(index, "Expired", "no", verdict.description)
        return
      case "CredentialsRefused":
        this.lastError = verdict.description
        this.putBack()
        if (this.halt !== "credentials") {
          this.stopSending("credentials")
          this.owner.stop(this, verdict.description)
        }
        return
      case "Closing":
        this.putBack()
        this.stopSending("pool")
        return
    }
  }

  /** Submitting it threw. */
  onThrown(part: Part, cause: unknown): void {
    if (this.inFlight[part.inBatch] !== part) return
    const text = Options.guarded(() => cut(String(cause)))
    this.onVerdict(part, {
      _tag: "Retry",
      obstacle: "unreachable",
      retryAfterMillis: 0,
      description: `the pool threw: ${Either.isRight(text) ? text.right : "an error that throws when it is read"}`
    })
    this.stopSending("pool")
  }

  private refused(reason: string): void {
    this.lastError = reason
    const { refusals } = this
    this.refusals = {
      reason: refusals?.reason ?? reason,
      count: (refusals?.count ?? 0) + 1,
      isMixed: refusals !== undefined && (refusals.isMixed || refusals.reason !== reason)
    }
  }

  /** Its token is sent again later. */
  private putBack(): void {
    this.owner.window.give(1)
    this.owner.changed(this)
  }

  private fail(index: number, reason: FailedReason, processed: "no" | "unknown", description: string): void {
    this.settle(index, [index, "F", reason, processed, description], true)
  }

  private settle(index: number, entry: Entry, isDead: boolean): void {
    this.done.add(index)
    this.entries.push(entry)
    this.settled++
    if (entry[1] === "R") this.rejected++
    else this.failed++
    if (isDead) (this.dead ??= Bits.empty(this.row.size)).add(index)
    this.owner.changed(this)
  }

  /** Gives up everything that is left. */
  failRest(reason: FailedReason, processed: "no" | "unknown", description: string): void {
    this.halt ??= "ended"
    for (let index = 0; index < this.row.size; index++) {
      if (this.done.has(index)) continue
      this.owner.window.take()
      this.fail(index, reason, processed, description)
    }
    this.owner.changed(this)
  }

  /** Sends nothing more; what is in flight is waited for. */
  stopSending(halt: Halt, description?: string, retryMillis?: number): void {
    if (this.halt === undefined || halt === "lost") this.halt = halt
    if (description !== undefined) this.lastError = description
    if (retryMillis !== undefined) {
      this.retryMillis = Math.max(this.retryMillis, retryMillis)
      this.retried++
    }
    this.owner.changed(this)
  }

  /** Drops the deliveries in flight without an outcome. */
  abandon(pool: ApnsPool | undefined): void {
    const parts = this.inFlight.splice(0)
    if (pool !== undefined) { for (const part of parts) pool.unsafe.cancel(part) }
    this.owner.window.give(parts.length)
  }

  /** Another runner has it, or its rows are deleted: this runner must not write what it has not written yet. */
  lose(pool: ApnsPool | undefined): void {
    this.stopSending("lost")
    this.abandon(pool)
    this.owner.window.give(this.settled + this.saving)
    this.settled = 0
    this.saving = 0
    this.closed = true
  }

  /** There are no more outcomes to come in this pass. */
  private get over(): boolean {
    return this.inFlight.length === 0 && !this.hungry
  }

  get dirty(): boolean {
    return !this.closed && !this.closing && (this.settled > 0 || this.over)
  }

  /** The data to write now. Later changes belong to the next snapshot. */
  snapshot(jitter: number): Snapshot {
    const { acceptedNow, anyAccepted, dead, entries, refusals, settled } = this
    const over = this.over
    const finished = this.left === 0
    const chunk = this.chunks
    if (settled > 0) this.chunks++
    this.settled = 0
    this.saving = settled
    this.entries = []
    this.refusals = undefined
    this.anyAccepted = false
    if (anyAccepted) this.acceptedNow = Bits.empty(this.row.size)
    this.closing = over
    return {
      batch: this,
      chunk,
      done: this.done.copy(),
      dead: dead?.copy(),
      acceptedNow: anyAccepted ? acceptedNow.bytes : undefined,
      entries,
      settled,
      accepted: this.accepted,
      rejected: this.rejected,
      failed: this.failed,
      chunks: this.chunks,
      release: over
        ? {
          finished,
          dueInMillis: this.retried > 0 ? Math.min(maxDelayMillis, Math.ceil(this.retryMillis * jitter)) : undefined
        }
        : undefined,
      lastError: this.lastError,
      refusals
    }
  }

  /** The snapshot is in the database. */
  saved(): void {
    const { saving } = this
    this.saving = 0
    if (this.closing) this.closed = true
    this.owner.window.give(saving)
  }
}
