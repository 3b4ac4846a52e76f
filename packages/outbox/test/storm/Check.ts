/**
 * What the storm compares at its end: what was enqueued, what the outbox says, what was told, and what the server saw.
 */

/** A notification that the server processed. */
export interface Seen {
  readonly token: string
  readonly apnsId: string
  readonly collapseId: string | undefined
  readonly accepted: boolean
  /** Milliseconds. */
  readonly time: number
}

/** Something that may send again what was in flight: at most so many notifications. */
export interface Disturbance {
  readonly time: number
  readonly kind: string
  readonly most: number
}

export interface Campaign {
  readonly id: string
  readonly tokens: ReadonlyArray<string>
}

export interface Facts {
  /** What was committed, by a table of the storm's own that is written in the same transaction. */
  readonly committed: ReadonlyArray<Campaign>
  /** Campaigns whose commit was acknowledged to a writer. */
  readonly acknowledged: ReadonlySet<string>
  /** The outcomes in the outbox. */
  readonly outcomes: ReadonlyArray<{ readonly key: string; readonly token: string }>
  /** The keys that `onOutcomes` was told. */
  readonly told: ReadonlySet<string>
  readonly seen: ReadonlyArray<Seen>
  readonly disturbances: ReadonlyArray<Disturbance>
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

/** Clocks of processes are read at different moments: a disturbance is noted a little before or after it had effect. */
const slackMillis = 3000

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
  for (const { key, token } of facts.outcomes) {
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
  const disturbances = [...facts.disturbances].sort((a, b) => a.time - b.time)
  const used = disturbances.map(() => 0)
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
      const from = before.time - slackMillis
      const until = seen.time + slackMillis
      let at = -1
      for (let i = 0; i < disturbances.length; i++) {
        const disturbance = disturbances[i]
        if (disturbance === undefined || disturbance.time < from || disturbance.time > until) continue
        if ((used[i] ?? 0) < disturbance.most) {
          at = i
          break
        }
      }
      if (at < 0) {
        repeatedBeyondInFlight++
        example(
          `${seen.token} was accepted twice, ${
            seen.time - before.time
          } ms apart, and was not in flight at any disturbance`
        )
      } else used[at] = (used[at] ?? 0) + 1
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

export const isBad = (verdict: Verdict): boolean =>
  verdict.lost + verdict.doubledOutcomes + verdict.repeatedBeyondInFlight + verdict.rolledBackButSent > 0
