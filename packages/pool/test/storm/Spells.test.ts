import { assert, describe, it } from "@effect/vitest"
import { allowedConnects, type Moment, reconnectStorms, type Spell } from "./Weather.js"

const moments: ReadonlyArray<Moment> = [
  "close",
  "closeAfterTls",
  "closeAfterSettings",
  "soon",
  "unanswered",
  "onRequest"
]

/** A spell of 8 seconds over pools of these sizes, in which the server was connected to so often. */
const spell = (moment: Moment, sizes: ReadonlyArray<number>, connects: number, rotations = 0): Spell => {
  const seen = { moment, sizes, seconds: 8, connects, rotations }
  return { ...seen, allowed: allowedConnects(seen) }
}

describe("how often a pool may connect to a server that accepts and closes", () => {
  for (const moment of moments) {
    for (const size of [1, 2, 4, 10, 50]) {
      it(`${moment}, ${size} connections: once for each of them, then eight short waits, then one a second`, () => {
        assert.deepStrictEqual(reconnectStorms([spell(moment, [size], size + 8 + 8)]), [])
        assert.deepStrictEqual(reconnectStorms([spell(moment, [size], size + 8 + 8 + 5, 5)]), [])
      })

      it(`${moment}, ${size} connections: 200 a second, 20 a second, and twice the bound are storms`, () => {
        const { allowed } = spell(moment, [size], 0)
        for (const connects of [200 * 8, size + 20 * 8, 2 * allowed, allowed + 1]) {
          const found = reconnectStorms([spell(moment, [size], 0), spell(moment, [size], connects)])
          assert.lengthOf(found, 1)
          assert.include(found[0], `connected ${connects} times`)
        }
      })
    }
  }

  it("a pool that ends in the middle and the next one: the bounds of both", () => {
    assert.deepStrictEqual(reconnectStorms([spell("closeAfterSettings", [2, 50], 2 + 50 + 2 * 8 + 8)]), [])
    assert.lengthOf(reconnectStorms([spell("closeAfterSettings", [2, 50], 100 * 8)]), 1)
  })
})
