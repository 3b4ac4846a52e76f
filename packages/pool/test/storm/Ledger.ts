/**
 * The storm's book-keeping: what the caller was told of each notification, and what the server did with it.
 *
 * The ledger knows nothing of pools and connections. It hears of events, one notification number each, and says at
 * the end (or, where that is possible, at once) which of them contradict each other. It takes two bytes for each
 * notification, all of them from the start, so that what else grows in a storm can be seen.
 */

/** What the caller got to know. The numbers are what the ledger stores. */
export const Outcome = {
  /** A receipt. */
  accepted: 1,
  /** A rejection, or another answer: `processed: "yes"`. */
  answered: 2,
  /** `processed: "unknown"`. */
  unknown: 3,
  /** `processed: "no"`. */
  unprocessed: 4,
  /** The caller took it back. */
  interrupted: 5
} as const

export type Outcome = typeof Outcome[keyof typeof Outcome]

const names = ["none", "accepted", "answered", "unknown", "unprocessed", "interrupted"] as const

/** Violations, each counted by notification. */
export interface Verdict {
  /** Outcomes at the caller, those of interrupted callers among them. */
  readonly outcomes: number
  readonly accepted: number
  readonly answered: number
  readonly unknown: number
  readonly unprocessed: number
  readonly interrupted: number
  /** Notifications that the server accepted at least once. */
  readonly serverAccepted: number
  /** Notifications that the server accepted more than once, with the permission of their policy. */
  readonly repeated: number
  /** Notifications without exactly one outcome. */
  readonly lost: number
  /** Outcomes that are not true. */
  readonly contradicted: number
  /** Notifications that the server accepted more often than their policy and their fates allowed. */
  readonly doubled: number
  /** The first of them in words. */
  readonly examples: ReadonlyArray<string>
}

const maxExamples = 20

// the first byte: the outcome in its lowest three bits, and one bit each for
const outcomeBits = 7
const settledTwice = 8
const isLie = 16
const isDoubled = 32
const mayRepeat = 64
const isRejected = 128

/** The second byte holds two counts up to this one: acceptances, and above them doubts. */
const most = 15

export class Ledger {
  /** Total of outcomes so far. */
  settledCount = 0
  /** Outcomes so far, by kind. */
  readonly byOutcome = [0, 0, 0, 0, 0, 0]
  private readonly marks: Uint8Array
  private readonly counts: Uint8Array
  private readonly examples: Array<string> = []
  private closed = false

  constructor(readonly notifications: number) {
    // written to, so that the memory is there from the start
    this.marks = new Uint8Array(notifications).fill(0)
    this.counts = new Uint8Array(notifications).fill(0)
  }

  /** The memory that it takes, in bytes. */
  get bytes(): number {
    return this.marks.length + this.counts.length
  }

  private has(n: number, mark: number): boolean {
    return ((this.marks[n] ?? 0) & mark) !== 0
  }

  private mark(n: number, mark: number): void {
    this.marks[n] = (this.marks[n] ?? 0) | mark
  }

  private outcomeOf(n: number): number {
    return (this.marks[n] ?? 0) & outcomeBits
  }

  private acceptances(n: number): number {
    return (this.counts[n] ?? 0) & most
  }

  private doubts(n: number): number {
    return (this.counts[n] ?? 0) >>> 4
  }

  /** The caller hands notification `n` over; `repeatable` where its policy allows to send it again from an unknown fate. */
  handed(n: number, repeatable: boolean): void {
    if (repeatable) this.mark(n, mayRepeat)
    else this.marks[n] = (this.marks[n] ?? 0) & ~mayRepeat
  }

  /** One attempt to send `n` ended, and nobody knows whether the server has processed it. */
  doubted(n: number): void {
    if (this.doubts(n) < most) this.counts[n] = (this.counts[n] ?? 0) + 16
  }

  /** The server has processed `n` and accepted it. */
  acceptedByServer(n: number): void {
    if (this.acceptances(n) < most) this.counts[n] = (this.counts[n] ?? 0) + 1
    const times = this.acceptances(n)
    const allowed = 1 + (this.has(n, mayRepeat) ? this.doubts(n) : 0)
    if (times <= allowed) return
    this.mark(n, isDoubled)
    this.example(n, `accepted by the server ${times} times, where ${allowed} could be right`)
  }

  /** The server has processed `n` and rejected it. */
  rejectedByServer(n: number): void {
    this.mark(n, isRejected)
  }

  /** The caller got to know what became of `n`. */
  settled(n: number, outcome: Outcome): void {
    if (this.closed) return
    this.settledCount++
    const before = this.outcomeOf(n)
    if (before !== 0) {
      this.mark(n, settledTwice)
      this.example(n, `settled twice: ${names[before] ?? ""}, then ${names[outcome]}`)
      return
    }
    this.mark(n, outcome)
    this.byOutcome[outcome] = (this.byOutcome[outcome] ?? 0) + 1
  }

  /** The outcome of `n` says something that is not so, in words. */
  lied(n: number, what: string): void {
    this.mark(n, isLie)
    this.example(n, what)
  }

  isSettled(n: number): boolean {
    return this.outcomeOf(n) !== 0
  }

  /** No outcome counts any more: whoever still waits has been given up. */
  close(): void {
    this.closed = true
  }

  /** Compares both sides; to be called when the server has nothing left to do. */
  verdict(): Verdict {
    let lost = 0
    let contradicted = 0
    let doubled = 0
    let serverAccepted = 0
    let repeated = 0
    for (let n = 0; n < this.notifications; n++) {
      const outcome = this.outcomeOf(n)
      const acceptances = this.acceptances(n)
      if (acceptances > 0) serverAccepted++
      if (this.has(n, isDoubled)) doubled++
      else if (acceptances > 1) repeated++
      if (outcome === 0 || this.has(n, settledTwice)) {
        lost++
        if (outcome === 0) this.example(n, "no outcome")
      }
      const lie = outcome === Outcome.accepted && acceptances === 0
        ? "a receipt for what the server never accepted"
        : outcome === Outcome.answered && acceptances === 0 && !this.has(n, isRejected)
        ? "an answer that the server never gave"
        : outcome === Outcome.unprocessed && acceptances > 0
        ? "\"not processed\", and the server has accepted it"
        : undefined
      if (lie !== undefined) this.lied(n, lie)
      if (this.has(n, isLie)) contradicted++
    }
    const of = (outcome: Outcome): number => this.byOutcome[outcome] ?? 0
    return {
      outcomes: this.settledCount,
      accepted: of(Outcome.accepted),
      answered: of(Outcome.answered),
      unknown: of(Outcome.unknown),
      unprocessed: of(Outcome.unprocessed),
      interrupted: of(Outcome.interrupted),
      serverAccepted,
      repeated,
      lost,
      contradicted,
      doubled,
      examples: this.examples
    }
  }

  private example(n: number, what: string): void {
    if (this.examples.length < maxExamples) this.examples.push(`notification ${n}: ${what}`)
  }
}
