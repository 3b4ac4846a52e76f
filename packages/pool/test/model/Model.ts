/**
 * What a pool has promised, as plain data: each delivery, where it is, when its time is over, and what its outcome has
 * to be. It does not know how the pool chooses connections; which stream a delivery is on it reads from the peers.
 */

export const tick = 50
export const retryDelay = 50
export const retries = 2
export const backoffDelay = 200
export const backoffs = 2
export const reconnectDelay = 100
const movesAtOnce = 2

export type Expected =
  | { readonly _tag: "Answered"; readonly status: number; readonly attempts: number }
  | {
    readonly _tag: "Closed" | "Timeout" | "StreamReset"
    readonly processed: "no" | "unknown"
    readonly attempts: number
  }

export interface Place {
  readonly peer: number
  readonly stream: number
}

export class Item {
  phase: "waiting" | "flying" | "retrying" | "settled" | "interrupted" = "waiting"
  place: Place | undefined = undefined
  expected: Expected | undefined = undefined
  attempts = 0
  budget: number
  answerBy = Infinity
  retryAt = Infinity
  moves = 0
  doubtful = false
  /** The status of an answer whose end has not come. */
  head = 0
  private kind: "retry" | "backoff" | undefined = undefined
  private steps = 0

  constructor(
    readonly index: number,
    timeout: number,
    readonly deadline: number,
    readonly mayRepeat: boolean
  ) {
    this.budget = timeout
  }

  get open(): boolean {
    return this.phase === "waiting" || this.phase === "flying" || this.phase === "retrying"
  }

  get limit(): number {
    return Math.min(this.answerBy, this.deadline)
  }

  private settle(expected: Expected): void {
    this.phase = "settled"
    this.place = undefined
    this.expected = expected
  }

  answered(status: number): void {
    this.settle({ _tag: "Answered", status, attempts: this.attempts })
  }

  failed(tag: "Closed" | "Timeout" | "StreamReset", processed: "no" | "unknown"): void {
    this.settle({
      _tag: tag,
      processed: this.doubtful ? "unknown" : processed,
      attempts: this.attempts
    })
  }

  interrupt(): void {
    this.phase = "interrupted"
    this.place = undefined
  }

  /** The time of the next attempt by the schedule, if there is one. */
  private step(kind: "retry" | "backoff", now: number): number | undefined {
    if (this.kind !== kind) {
      this.kind = kind
      this.steps = 0
    }
    if (this.steps >= (kind === "retry" ? retries : backoffs)) return undefined
    this.steps++
    return now + (kind === "retry" ? retryDelay : backoffDelay)
  }

  private park(at: number): void {
    this.phase = "retrying"
    this.place = undefined
    this.retryAt = at
    this.head = 0
  }

  /** 429, 500 or 503. */
  tooBusy(status: number, now: number, retryAfter: number | undefined): void {
    if (status === 500) this.doubtful = true
    const scheduled = this.step("backoff", now)
    if (scheduled === undefined) return this.answered(status)
    const at = retryAfter === undefined ? scheduled : now + retryAfter * 1000
    if (at >= this.limit) return this.answered(status)
    this.park(at)
  }

  private retry(tag: "Closed" | "StreamReset", processed: "no" | "unknown", now: number): void {
    const at = this.step("retry", now)
    if (at === undefined) return this.failed(tag, processed)
    this.park(at)
  }

  /** The server has not processed it. */
  untouched(tag: "Closed" | "StreamReset", now: number): void {
    if (this.moves >= movesAtOnce) return this.retry(tag, "no", now)
    this.moves++
    this.phase = "waiting"
    this.place = undefined
  }

  /** Nobody knows whether the server has processed it. */
  lost(tag: "Closed" | "StreamReset", now: number): void {
    if (this.head !== 0) return this.answered(this.head)
    if (!this.mayRepeat) return this.failed(tag, "unknown")
    this.doubtful = true
    this.retry(tag, "unknown", now)
  }

  /** The clock has come to `now`. */
  elapsed(now: number): void {
    if (!this.open) return
    if (this.limit <= now) {
      if (this.head !== 0) this.answered(this.head)
      else this.failed("Timeout", this.phase === "flying" ? "unknown" : "no")
    } else if (this.phase === "retrying" && this.retryAt <= now) this.phase = "waiting"
  }

  /** A peer has it. */
  sent(place: Place, now: number): void {
    this.phase = "flying"
    this.place = place
    this.attempts++
    if (this.answerBy === Infinity) this.answerBy = now + this.budget
  }

  /** It waits: its time runs where no connection could ever take it. */
  waits(down: boolean, now: number): void {
    if (down) {
      if (this.answerBy === Infinity) this.answerBy = now + this.budget
    } else if (this.answerBy !== Infinity) {
      this.budget = this.answerBy - now
      this.answerBy = Infinity
    }
  }
}

export class Model {
  readonly items: Array<Item> = []
  size: number
  now = 0
  closed = false

  constructor(size: number) {
    this.size = size
  }

  count(phase: Item["phase"]): number {
    return this.items.reduce((sum, item) => item.phase === phase ? sum + 1 : sum, 0)
  }

  get open(): ReadonlyArray<Item> {
    return this.items.filter((item) => item.open)
  }

  get flying(): ReadonlyArray<Item> {
    return this.items.filter((item) => item.phase === "flying")
  }

  at(place: Place): Item | undefined {
    return this.items.find((item) => item.place?.peer === place.peer && item.place.stream === place.stream)
  }
}
