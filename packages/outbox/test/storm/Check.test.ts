import { assert, describe, it } from "@effect/vitest"
import type { Facts, Seen } from "./Check.js"
import { check, isBad } from "./Check.js"

const seen = (token: string, time: number, more: Partial<Seen> = {}): Seen => ({
  token,
  time,
  apnsId: `id of ${token}`,
  collapseId: `id of ${token}`,
  accepted: true,
  ...more
})

const good: Facts = {
  committed: [{ id: "a", tokens: ["t0", "t1"] }],
  acknowledged: new Set(["a"]),
  outcomes: [{ key: "a/0", token: "t0" }, { key: "a/1", token: "t1" }],
  told: new Set(["a/0", "a/1"]),
  seen: [seen("t0", 10_000), seen("t1", 10_001)],
  disturbances: []
}

const verdict = (facts: Partial<Facts>) => check({ ...good, ...facts })

describe("the check of the crash storm", () => {
  it("finds nothing where nothing is wrong", () => {
    assert.isFalse(isBad(check(good)))
    assert.deepInclude(check(good), { campaigns: 1, tokens: 2, outcomes: 2, repeatedAtServer: 0 })
  })
  it("finds a token without an outcome", () => {
    assert.strictEqual(verdict({ outcomes: good.outcomes.slice(1) }).lost, 1)
  })
  it("finds an outcome that was not told", () => {
    assert.strictEqual(verdict({ told: new Set(["a/0"]) }).lost, 1)
  })
  it("finds a campaign that was acknowledged and is not there", () => {
    assert.strictEqual(verdict({ acknowledged: new Set(["a", "b"]) }).lost, 1)
  })
  it("finds a token with two outcomes, and an outcome for another token", () => {
    assert.strictEqual(verdict({ outcomes: [...good.outcomes, { key: "a/0", token: "t0" }] }).doubledOutcomes, 1)
    assert.strictEqual(
      verdict({ outcomes: [{ key: "a/0", token: "t1" }, { key: "a/1", token: "t1" }] }).doubledOutcomes,
      1
    )
  })
  it("finds what was sent although it was rolled back", () => {
    assert.strictEqual(verdict({ seen: [...good.seen, seen("other", 1)] }).rolledBackButSent, 1)
  })
  it("allows a repetition at a disturbance, as many as were in flight, and no more", () => {
    const again = [...good.seen, seen("t0", 11_000), seen("t1", 11_001)]
    const disturbance = { time: 10_500, kind: "kill" }
    assert.deepInclude(verdict({ seen: again, disturbances: [{ ...disturbance, most: 2 }] }), {
      repeatedAtServer: 2,
      repeatedBeyondInFlight: 0
    })
    assert.strictEqual(
      verdict({ seen: again, disturbances: [{ ...disturbance, most: 1 }] }).repeatedBeyondInFlight,
      1
    )
    assert.strictEqual(verdict({ seen: again }).repeatedBeyondInFlight, 2)
    // a disturbance long before, or long after
    for (const time of [5000, 20_000]) {
      assert.strictEqual(
        verdict({ seen: again, disturbances: [{ time, kind: "kill", most: 2 }] }).repeatedBeyondInFlight,
        2
      )
    }
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
