import { assert, describe, it } from "@effect/vitest"
import type { Disturbance, Facts, Seen } from "./Check.js"
import { check, isBad } from "./Check.js"

const seen = (token: string, time: number, more: Partial<Seen> = {}): Seen => ({
  token,
  time,
  apnsId: `id of ${token}`,
  collapseId: `id of ${token}`,
  accepted: true,
  sender: "first",
  connection: 1,
  ...more
})

const good: Facts = {
  committed: [{ id: "a", tokens: ["t0", "t1"] }],
  acknowledged: new Set(["a"]),
  outcomes: [{ key: "a/0", token: "t0", time: 12_000 }, { key: "a/1", token: "t1", time: 12_000 }],
  told: new Set(["a/0", "a/1"]),
  seen: [seen("t0", 10_000), seen("t1", 10_001)],
  disturbances: [],
  window: 2
}

const verdict = (facts: Partial<Facts>) => check({ ...good, ...facts })

/** Both notifications again, from another process on another connection. */
const again = (sender: string): ReadonlyArray<Seen> => [
  ...good.seen,
  seen("t0", 11_000, { sender, connection: 2 }),
  seen("t1", 11_001, { sender, connection: 2 })
]

const beyond = (facts: Partial<Facts>): number => verdict(facts).repeatedBeyondInFlight

const kill = (sender: string, time: number): Disturbance => ({ kind: "kill", sender, time })
const cut = (connection: number, time: number): Disturbance => ({
  kind: "cut",
  connections: new Set([connection]),
  time
})

describe("the check of the crash storm", () => {
  it("no errors -> no findings", () => {
    assert.isFalse(isBad(check(good)))
    assert.deepInclude(check(good), { campaigns: 1, tokens: 2, outcomes: 2, repeatedAtServer: 0 })
  })
  it("finds a token without an outcome", () => {
    assert.strictEqual(verdict({ outcomes: good.outcomes.slice(1) }).lost, 1)
  })
  it("finds an outcome that was not reported", () => {
    assert.strictEqual(verdict({ told: new Set(["a/0"]) }).lost, 1)
  })
  it("finds a campaign that was acknowledged but is missing", () => {
    assert.strictEqual(verdict({ acknowledged: new Set(["a", "b"]) }).lost, 1)
  })
  it("finds a token with two outcomes, and an outcome for another token", () => {
    assert.strictEqual(
      verdict({ outcomes: [...good.outcomes, { key: "a/0", token: "t0", time: 12_000 }] }).doubledOutcomes,
      1
    )
    assert.strictEqual(
      verdict({ outcomes: [{ key: "a/0", token: "t1", time: 12_000 }, { key: "a/1", token: "t1", time: 12_000 }] })
        .doubledOutcomes,
      1
    )
  })
  it("finds what was sent although it was rolled back", () => {
    assert.strictEqual(verdict({ seen: [...good.seen, seen("other", 1)] }).rolledBackButSent, 1)
  })
  it("finds a repetition without a disturbance", () => {
    assert.strictEqual(beyond({ seen: again("first") }), 2)
    assert.strictEqual(beyond({ seen: again("second") }), 2)
  })
  it("allows another process to repeat what a killed one had in flight, up to its window", () => {
    const facts = { seen: again("second"), disturbances: [kill("first", 10_500)] }
    assert.deepInclude(verdict(facts), { repeatedAtServer: 2, repeatedBeyondInFlight: 0 })
    assert.strictEqual(beyond({ ...facts, window: 1 }), 1)
  })
  it("finds what a killed process had not sent, what was repeated before its death, and what it repeated itself", () => {
    assert.strictEqual(beyond({ seen: again("second"), disturbances: [kill("third", 10_500)] }), 2)
    assert.strictEqual(beyond({ seen: again("second"), disturbances: [kill("first", 11_001)] }), 1)
    assert.strictEqual(beyond({ seen: again("first"), disturbances: [kill("first", 10_500)] }), 2)
  })
  it("finds a repetition of what was written down before", () => {
    const outcomes = good.outcomes.map((outcome) => ({ ...outcome, time: 10_400 }))
    assert.strictEqual(beyond({ outcomes, seen: again("second"), disturbances: [kill("first", 10_500)] }), 2)
    assert.strictEqual(beyond({ outcomes, seen: again("first"), disturbances: [cut(1, 10_500)] }), 2)
  })
  it("allows to repeat what was on a connection that the server has cut, and nothing else", () => {
    assert.strictEqual(beyond({ seen: again("first"), disturbances: [cut(1, 10_500)] }), 0)
    assert.strictEqual(beyond({ seen: again("first"), disturbances: [cut(1, 10_500)], window: 1 }), 1)
    assert.strictEqual(beyond({ seen: again("first"), disturbances: [cut(3, 10_500)] }), 2)
    // cut before it was sent, or after it was sent again
    assert.strictEqual(beyond({ seen: again("first"), disturbances: [cut(1, 9999)] }), 2)
    assert.strictEqual(beyond({ seen: again("first"), disturbances: [cut(1, 11_500)] }), 2)
  })
  it("allows to repeat what a process has lost to another one, and no more", () => {
    const lost: Disturbance = { kind: "lost", sender: "first", time: 11_500 }
    assert.strictEqual(beyond({ seen: again("second"), disturbances: [lost] }), 0)
    assert.strictEqual(beyond({ seen: again("second"), disturbances: [lost], window: 1 }), 1)
    assert.strictEqual(beyond({ seen: again("second"), disturbances: [{ ...lost, sender: "third" }] }), 2)
    assert.strictEqual(beyond({ seen: again("second"), disturbances: [{ ...lost, time: 9999 }] }), 2)
  })
  it("finds a repetition under another id, and allows one after a refusal", () => {
    const other = [seen("t0", 9000, { accepted: false }), ...good.seen]
    assert.isFalse(isBad(verdict({ seen: other })))
    assert.strictEqual(
      verdict({ seen: [seen("t0", 9000, { accepted: false, apnsId: "other" }), ...good.seen] }).repeatedBeyondInFlight,
      1
    )
  })
})
