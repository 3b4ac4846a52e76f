import { assert, describe, it } from "@effect/vitest"
import { Resets } from "../../src/internal/resets.js"

describe("Resets", () => {
  it("knows the streams that were added", () => {
    const resets = new Resets()
    assert.isFalse(resets.has(1))
    resets.add(3)
    assert.deepStrictEqual([1, 3, 5].map((id) => resets.has(id)), [false, true, false])
  })

  it("remembers 4,096 streams; all streams up to a forgotten one count as reset", () => {
    const resets = new Resets()
    for (let i = 0; i < 4_096; i++) resets.add(101 + 4 * i)
    assert.deepStrictEqual([1, 99, 101, 103].map((id) => resets.has(id)), [false, false, true, false])
    resets.add(100_001)
    assert.deepStrictEqual([1, 99, 101, 103, 105].map((id) => resets.has(id)), [true, true, true, false, true])
    // an older one that is forgotten later changes nothing
    const other = new Resets()
    other.add(201)
    other.add(3)
    for (let i = 0; i < 4_096; i++) other.add(1_001 + 2 * i)
    assert.deepStrictEqual([1, 201, 203, 999].map((id) => other.has(id)), [true, true, false, false])
    const size: unknown = Reflect.get(other, "ids")
    assert.strictEqual(size instanceof Set ? size.size : 0, 4_096)
  })

  it("everything up to a given stream can be marked as reset", () => {
    const resets = new Resets()
    resets.add(9)
    resets.addAll(5)
    assert.deepStrictEqual([1, 5, 7, 9].map((id) => resets.has(id)), [true, true, false, false])
  })
})
