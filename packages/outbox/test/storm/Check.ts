/**
 * What the storm compares at its end: what was enqueued, what the outbox says, what was told, and what the server saw.
 */

/** A notification that the server processed. */
export interface Seen {
  readonly token: string
  readonly apnsId: string
  readonly collapseId: string | undefined
  readonly accepted: boolean
  /** The process that sent it: each sends under a topic of its own. */
  readonly sender: string
  /** The connection that it came on. */
  readonly connection: number
  /** Milliseconds. */
  readonly time: number
}

/**
 * What may send again what was in flight:
 *
 * - `"kill"` of a process: what it had sent and not written down
 * - `"cut"` of a connection by the server: what it had sent on that connection and had no answer for
 * - `"lost"`: batches that a process lost to another one because it could not renew its lock in time, as while
 *   the database is restarted
 */
export type Disturbance =
  | { readonly kind: "kill"; readonly sender: string; readonly time: number }
  | { readonly kind: "cut"; readonly connections: ReadonlySet<number>; readonly time: number }
  | { readonly kind: "lost"; readonly sender: string; readonly time: number }

export interface Campaign {
  readonly id: string
  readonly tokens: ReadonlyArray<string>
}

export interface Facts {
  /** What was committed, by a table of the storm's own that is written in the same transaction. */
  readonly committed: ReadonlyArray<Campaign>
  /** Campaigns whose commit was acknowledged to a writer. */
  readonly acknowledged: ReadonlySet<string>
  /** The outcomes in the outbox, and when they were written. */
  readonly outcomes: ReadonlyArray<{ readonly key: string; readonly token: string; readonly time: number }>
  /** The keys that `onOutcomes` was told. */
  readonly told: ReadonlySet<string>
  readonly seen: ReadonlyArray<Seen>
  readonly disturbances: ReadonlyArray<Disturbance>
  /** How many notifications one process may have sent and not written down: its `concurrency`. */
  readonly window: number
}

export interface Verdict {
  readonly campaigns: number
  readonly tokens: number
  readonly outcomes: number
  /** Tokens that have no outcome, or whose outcome was not told, or whose campaign is not there although its commit was acknowledged. */
  readonly lost: number
  readonly doubledOutcomes: number
  /** Notifications that the server accepted more than once. */
  readonly repeatedAtServer: number
  /** Those of them that were not in flight at a disturbance, or came under another id. */
  readonly repeatedBeyondInFlight: number
  readonly rolledBackButSent: number
  /** What was found, in words; the first few. */
  readonly examples: ReadonlyArray<string>
}

export const check = (facts: Facts): Verdict => {
  const examples: Array<string> = []
  const example = (text: string): void => {
    if (examples.length < 20) examples.push(text)
  }
  const expected = new Map<string, string>()
  const campaignOf = new Map<string, string>()
  for (const { id, tokens } of facts.committed) {
    tokens.forEach((token, index) => {
      expected.set(`${id}/${index}`, token)
      campaignOf.set(token, id)
    })
  }
  let lost = 0
  let doubledOutcomes = 0
  const known = new Set<string>()
  const writtenAt = new Map<string, number>()
  for (const { key, time, token } of facts.outcomes) {
    writtenAt.set(token, time)
    if (known.has(key)) {
      doubledOutcomes++
      example(`${key} has two outcomes`)
    }
    known.add(key)
    if (expected.get(key) !== token) {
      doubledOutcomes++
      example(`${key} has an outcome for a token that it does not have`)
    }
  }
  for (const key of expected.keys()) {
    if (!known.has(key)) {
      lost++
      example(`${key} has no outcome`)
    } else if (!facts.told.has(key)) {
      lost++
      example(`${key} was not told to onOutcomes`)
    }
  }
  const committed = new Set(facts.committed.map(({ id }) => id))
  for (const id of facts.acknowledged) {
    if (!committed.has(id)) {
      lost++
      example(`${id} was acknowledged, and is not there`)
    }
  }

  let rolledBackButSent = 0
  let repeatedAtServer = 0
  let repeatedBeyondInFlight = 0
  const last = new Map<string, Seen>()
  const budget = new Budget(facts.disturbances, facts.window)
  for (const seen of facts.seen) {
    if (!campaignOf.has(seen.token)) {
      rolledBackButSent++
      example(`${seen.token} was sent, and its campaign was rolled back`)
      continue
    }
    const before = last.get(seen.token)
    if (before !== undefined && (before.apnsId !== seen.apnsId || before.collapseId !== seen.collapseId)) {
      repeatedBeyondInFlight++
      example(`${seen.token} was sent again under another apns-id or collapse id`)
    }
    if (!seen.accepted) {
      // what was accepted once does not come a second time because of a refusal
      if (before === undefined) last.set(seen.token, seen)
      continue
    }
    if (before !== undefined && before.accepted) {
      repeatedAtServer++
      const excuse = budget.take(before, seen)
      const problem = excuse === undefined
        ? "and was in flight at no disturbance, or more were sent again than can have been in flight"
        // who has lost a batch may have sent of it what its new owner has sent and written down
        : excuse !== "lost" && (writtenAt.get(seen.token) ?? Infinity) < seen.time
        ? "although its outcome was written down before"
        : undefined
      if (problem !== undefined) {
        repeatedBeyondInFlight++
        example(
          `${seen.token} was accepted from process ${before.sender} on connection ${before.connection} at ${before.time}, ` +
            `and again from ${seen.sender} on ${seen.connection} ${seen.time - before.time} ms later, ${problem}`
        )
      }
    }
    last.set(seen.token, seen)
  }
  return {
    campaigns: facts.committed.length,
    tokens: expected.size,
    outcomes: known.size,
    lost,
    doubledOutcomes,
    repeatedAtServer,
    repeatedBeyondInFlight,
    rolledBackButSent,
    examples
  }
}

/** What each disturbance may have sent again, and has. */
class Budget {
  private readonly used = new Map<string, number>()

  constructor(private readonly disturbances: ReadonlyArray<Disturbance>, private readonly window: number) {}

  /** Charges a repetition to the disturbance that explains it; `undefined` where there is none, or it is used up. */
  take(before: Seen, seen: Seen): Disturbance["kind"] | undefined {
    for (const [place, disturbance] of this.disturbances.entries()) {
      if (!explains(disturbance, before, seen)) continue
      const who = disturbance.kind === "cut" ? before.sender : disturbance.sender
      const account = `${place} ${who}`
      const used = this.used.get(account) ?? 0
      if (used >= this.window) continue
      this.used.set(account, used + 1)
      return disturbance.kind
    }
    return undefined
  }
}

const explains = (disturbance: Disturbance, before: Seen, seen: Seen): boolean => {
  switch (disturbance.kind) {
    case "kill":
      // what its sockets still held is read after its death
      return before.sender === disturbance.sender && seen.sender !== before.sender && disturbance.time <= seen.time
    case "cut":
      return disturbance.connections.has(before.connection) && before.time <= disturbance.time &&
        disturbance.time <= seen.time
    case "lost":
      // the process that lost it hears of that later than the one that took it
      return before.time <= disturbance.time &&
        (before.sender === disturbance.sender || seen.sender === disturbance.sender)
  }
}

export const isBad = (verdict: Verdict): boolean =>
  verdict.lost + verdict.doubledOutcomes + verdict.repeatedBeyondInFlight + verdict.rolledBackButSent > 0
