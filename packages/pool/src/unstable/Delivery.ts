/**
 * One request on its way through a pool, at the level of callbacks: queued, sent, perhaps sent again, and settled
 * exactly once. `ApnsPool.post`, `send` and `sendAll` are built on it.
 *
 * Unstable: a minor version may change it.
 *
 * @example
 * ```ts
 * import type { Failure, Request } from "@effect-apns/core"
 * import type { ApnsPool } from "@effect-apns/pool"
 * import * as Delivery from "@effect-apns/pool/unstable/Delivery"
 *
 * class Counted extends Delivery.Delivery {
 *   static accepted = 0
 *   onAnswered(): void {
 *     if (this.status === 200) Counted.accepted++
 *   }
 *   onFailed(failure: Failure.PoolFailure): void {
 *     console.log(failure._tag, failure.processed, this.attempts)
 *   }
 * }
 *
 * export const submit = (pool: ApnsPool.ApnsPool, { path, spec }: Request.Request): void =>
 *   pool.unsafe.submit(new Counted(path, spec))
 * ```
 *
 * @since 0.1.0
 */
import type { Connection, Failure, Response } from "@effect-apns/core"
import * as Exchange from "@effect-apns/core/unstable/Exchange"
import type { RequestSpec } from "@effect-apns/core/unstable/RequestSpec"
import type * as Cause from "effect/Cause"
import type * as Either from "effect/Either"
import type { Place } from "../internal/effects.js"
import type { Engine } from "../internal/engine.js"
import type { Member } from "../internal/roster.js"
import * as internal from "../internal/waiting.js"

/**
 * Whose turn a delivery takes while it waits for a free stream: set it before the delivery is submitted.
 *
 * Deliveries without a lane, such as those of `send`, share one, and at most `maxQueued` of them wait: more are refused
 * with `QueueFull`. Those of a lane of their own, such as those of a `sendAll`, are not counted: whoever submits them
 * limits how many there are. Lanes take turns, one delivery each. A lane belongs to one pool.
 *
 * @since 1.0.0
 * @category models
 */
export type Lane = internal.Lane

/**
 * @since 1.0.0
 * @category constructors
 */
export const makeLane = (): Lane => new internal.Lane()

/**
 * Where a delivery is.
 *
 * @since 0.1.0
 * @category models
 */
export type Phase = "new" | "queued" | "inFlight" | "retrying" | "settled"

/**
 * What the pool remembers of a delivery that did not succeed at once.
 *
 * @since 1.0.0
 * @category models
 */
export class Trouble {
  /** When it is sent again, while it is `"retrying"`. */
  retryAt = Infinity
  /** An earlier attempt may have been processed. */
  doubtful = false
  /** The connection that sent it back. */
  avoid: Member | undefined = undefined
  /** Attempts that ended without cost, and were repeated at once. */
  moves = 0
  /** Times that it was sent again although an earlier attempt may have been processed. */
  copies = 0
  /** A refused provider token was replaced for it. */
  resigned = false
  /** What the schedules remember of it. */
  schedule: { readonly kind: "retry" | "backoff"; readonly place: Place } | undefined = undefined
}

/**
 * A request, its way through the pool, and its outcome: exactly one call of {@link Delivery.onAnswered} or
 * {@link Delivery.onFailed}, unless it is cancelled first.
 *
 * @since 0.1.0
 * @category models
 */
export abstract class Delivery extends Exchange.Exchange {
  /** How many times the request was sent. */
  attempts = 0
  phase: Phase = "new"

  // The state that the pool keeps here. A subclass must not have fields with these names.

  /** The pool that it was submitted to. */
  engine: Engine | undefined = undefined
  /** Whose turn it takes while it waits; `undefined`: of all who send one at a time. */
  lane: Lane | undefined = undefined
  /** The connection that it was sent on last. */
  member: Member | undefined = undefined
  /** The neighbors in the queue. */
  ahead: Delivery | undefined = undefined
  behind: Delivery | undefined = undefined
  /** Its place among those that came back, or -1. */
  heapIndex = -1
  /** Its place in the order of submission. */
  order = 0
  /** Milliseconds left for the answer, while the time does not run. */
  budget: number
  /** When it was sent last. */
  sentAt = 0
  /** When the time for the answer is over; `Infinity` while it does not run. */
  answerBy = Infinity
  /** Which limit the deadline that is set stands for. */
  limit: Failure.TimeLimit = "timeout"
  /** What the present attempt was answered with, where it was not 2xx, or what is wrong with that: it is read once. */
  answer: Either.Either<Response.Response, string> | undefined = undefined
  /** What went wrong so far: nothing, for almost all. */
  trouble: Trouble | undefined = undefined

  constructor(path: string, spec: RequestSpec) {
    super(path, spec)
    this.budget = spec.timeoutMillis
  }

  /**
   * APNs has answered; the answer is in the fields of the exchange. `nowMillis` is when: what is submitted in the course of
   * this call may be given it, which saves a look at the clock.
   */
  abstract onAnswered(nowMillis: number): void

  /** There is no answer and there will be none. */
  abstract onFailed(failure: Failure.PoolFailure): void

  /**
   * The program that stands in for APNs in a test has died. Where a subclass has this method, it is called instead of
   * {@link Delivery.onFailed}.
   */
  onDied?(cause: Cause.Cause<never>): void

  onAnswer(_connection: Connection.Connection, nowMillis: number): void {
    this.engine?.answered(this, nowMillis)
  }

  onFailure(_connection: Connection.Connection, failure: Failure.Failure): void {
    this.engine?.failed(this, failure)
  }

  override onDefect(_connection: Connection.Connection, cause: Cause.Cause<never>): void {
    this.engine?.died(this, cause)
  }

  onDue(nowMillis: number): void {
    this.engine?.due(this, nowMillis)
  }

  /** @internal */
  inTrouble(): Trouble {
    return this.trouble ??= new Trouble()
  }

  /** Forgets the answer of the last attempt. @internal */
  prepareRetry(): void {
    this.renew()
  }

  /**
   * Makes a delivery that was answered at its first attempt a new one: nobody else knows of it any more.
   *
   * @internal
   */
  reuse(path: string, spec: RequestSpec): void {
    this.renew()
    this.path = path
    this.spec = spec
    this.attempts = 0
    this.phase = "new"
    this.budget = spec.timeoutMillis
    this.answerBy = Infinity
    this.connection = undefined
    this.member = undefined
    this.token = undefined
  }

  /** The time on the pool's clock, in milliseconds since the UNIX epoch. @internal */
  engineNow(): number {
    return this.engine?.now ?? 0
  }
}
