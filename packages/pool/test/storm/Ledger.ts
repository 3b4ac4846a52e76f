/**
 * The storm's book-keeping: what the caller was told of each notification, and what the server did with it.
 *
 * The ledger knows nothing of pools and connections. It hears of events, one notification number each, and says at
 * the end (or, where that is possible, at once) which of them contradict each other. A few bytes a notification.
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
const most = 255

export class Ledger {
  /** Total of outcomes so far. */
  settledCount = 0
  /** Outcomes so far, by kind. */
  readonly byOutcome = [0, 0, 0, 0, 0, 0]
  private readonly outcomes: Uint8Array
  private readonly extra: Uint8Array
  private readonly lies: Uint8Array
  private readonly twice: Uint8Array
  private readonly permits: Uint8Array
  private readonly doubts: Uint8Array
  private readonly acceptances: Uint8Array
  private readonly rejections: Uint8Array
  private readonly examples: Array<string> = []
  private closed = false

  constructor(readonly notifications: number) {
    const column = (): Uint8Array => new Uint8Array(notifications)
    this.outcomes = column()
    this.extra = column()
    this.lies = column()
    this.twice = column()
    this.permits = column()
    this.doubts = column()
    this.acceptances = column()
    this.rejections = column()
  }

  /** The caller hands notification `n` over; `mayRepeat` where its policy allows to send it again from an unknown fate. */
  handed(n: number, mayRepeat: boolean): void {
    this.permits[n] = mayRepeat ? 1 : 0
  }

  /** One attempt to send `n` ended, and nobody knows whether the server has processed it. */
  doubted(n: number): void {
    bump(this.doubts, n)
  }

  /** The server has processed `n` and accepted it. */
  acceptedByServer(n: number): void {
    bump(this.acceptances, n)
    const times = this.acceptances[n] ?? 0
    const allowed = 1 + (this.permits[n] === 1 ? this.doubts[n] ?? 0 : 0)
    if (times <= allowed) return
    this.twice[n] = 1
    this.example(n, `accepted by the server ${times} times, where ${allowed} could be right`)
  }

  /** The server has processed `n` and rejected it. */
  rejectedByServer(n: number): void {
    bump(this.rejections, n)
  }

  /** The caller got to know what became of `n`. */
  settled(n: number, outcome: Outcome): void {
    if (this.closed) return
    this.settledCount++
    const before = this.outcomes[n] ?? 0
    if (before !== 0) {
      this.extra[n] = 1
      this.example(n, `settled twice: ${names[before]}, then ${names[outcome]}`)
      return
    }
    this.outcomes[n] = outcome
    this.byOutcome[outcome] = (this.byOutcome[outcome] ?? 0) + 1
  }

  /** The outcome of `n` says something that is not so, in words. */
  lied(n: number, what: string): void {
    this.lies[n] = 1
    this.example(n, what)
  }

  isSettled(n: number): boolean {
    return this.outcomes[n] !== 0
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
      const outcome = this.outcomes[n] ?? 0
      const acceptances = this.acceptances[n] ?? 0
      const answers = acceptances + (this.rejections[n] ?? 0)
      if (acceptances > 0) serverAccepted++
      if (this.twice[n] === 1) doubled++
      else if (acceptances > 1) repeated++
      if (outcome === 0 || this.extra[n] === 1) {
        lost++
        if (outcome === 0) this.example(n, "no outcome")
      }
      const lie = outcome === Outcome.accepted && acceptances === 0
        ? "a receipt for what the server never accepted"
        : outcome === Outcome.answered && answers === 0
        ? "an answer that the server never gave"
        : outcome === Outcome.unprocessed && acceptances > 0
        ? "\"not processed\", and the server has accepted it"
        : undefined
      if (lie !== undefined) this.lied(n, lie)
      if (this.lies[n] === 1) contradicted++
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

const bump = (column: Uint8Array, n: number): void => {
  const count = column[n] ?? 0
  if (count < most) column[n] = count + 1
}
