import { assert, describe, it } from "@effect/vitest"
import { Allowance } from "../../src/internal/allowance.js"

/** How many more frames it takes. */
const left = (allowance: Allowance): number => {
  let count = 0
  while (count < 100_000 && allowance.spend()) count++
  return count
}

const spent = (count: number): Allowance => {
  const allowance = new Allowance(10)
  for (let i = 0; i < count; i++) assert.isTrue(allowance.spend())
  return allowance
}

describe("Allowance", () => {
  it("takes as many frames as the limit says", () => {
    assert.strictEqual(left(new Allowance(10)), 10)
    assert.strictEqual(left(spent(4)), 6)
    assert.isFalse(new Allowance(0).spend())
  })

  it("after a second the count is lower by the limit, but not below 0", () => {
    for (const [millis, more] of [[0, 0], [99, 0], [100, 1], [500, 5], [1_000, 10], [1_000_000, 10]] as const) {
      const allowance = spent(10)
      allowance.pass(millis)
      assert.strictEqual(left(allowance), more, `${millis}`)
    }
    // in any pieces
    const allowance = spent(10)
    for (let i = 0; i < 350; i++) allowance.pass(1)
    assert.strictEqual(left(allowance), 3)
  })

  it("reduce lowers the count, but not below 0", () => {
    for (const [frames, more] of [[0, 0], [1, 1], [10, 10], [11, 10], [Infinity, 10]] as const) {
      const allowance = spent(10)
      allowance.reduce(frames)
      assert.strictEqual(left(allowance), more, `${frames}`)
    }
  })

  it("granted frames are kept for later, up to 16,384", () => {
    for (const [frames, more] of [[0, 10], [5, 15], [16_384, 16_394], [16_385, 16_394], [50_000, 16_394]] as const) {
      const allowance = new Allowance(10)
      allowance.grant(frames)
      assert.strictEqual(left(allowance), more, `${frames}`)
    }
    // neither time nor use take it away, or add to it
    const allowance = new Allowance(10)
    allowance.grant(5)
    allowance.pass(10_000)
    allowance.reduce(1_000)
    assert.strictEqual(left(allowance), 15)
    const both = spent(10)
    both.grant(3)
    assert.strictEqual(left(both), 3)
  })
})
