import { assert, describe, it } from "@effect/vitest"
import { StreamTable } from "../../src/internal/streamTable.js"
import { Random } from "../utils.js"

interface Thing {
  readonly id: number
}

describe("StreamTable", () => {
  it("finds what was added, by identifier, and nothing else", () => {
    const table = new StreamTable<Thing>()
    assert.isUndefined(table.find(1))
    assert.isUndefined(table.find(0))
    const one = { id: 1 }
    table.add(one)
    assert.strictEqual(table.find(1), one)
    // these share its place
    assert.isUndefined(table.find(1 + 512))
    assert.isUndefined(table.find(3))
    assert.strictEqual(table.size, 1)
    table.remove(one)
    assert.isUndefined(table.find(1))
    assert.strictEqual(table.size, 0)
  })

  it("an old stream that gave its place to a younger one is still found", () => {
    const table = new StreamTable<Thing>()
    const old = { id: 1 }
    const young = { id: 513 }
    const younger = { id: 1025 }
    for (const thing of [old, young, younger]) table.add(thing)
    assert.deepStrictEqual([1, 513, 1025].map((id) => table.find(id)), [old, young, younger])
    assert.deepStrictEqual(table.list(), [old, young, younger])
    table.remove(young)
    assert.deepStrictEqual([1, 513, 1025].map((id) => table.find(id)), [old, undefined, younger])
    table.remove(younger)
    assert.deepStrictEqual([1, 513, 1025].map((id) => table.find(id)), [old, undefined, undefined])
    table.remove(old)
    assert.deepStrictEqual(table.list(), [])
  })

  for (
    const [seed, most, gap] of [[1, 10, 2], [2, 300, 2], [3, 3_000, 2], [4, 300, 100], [5, 40, 5_000], [
      6,
      5_000,
      6
    ]] as const
  ) {
    it(`agrees with a map: up to ${most} streams, ${gap} apart, seed ${seed}`, () => {
      const random = new Random(seed)
      const table = new StreamTable<Thing>()
      const model = new Map<number, Thing>()
      let id = 1
      for (let step = 0; step < 12_000; step++) {
        if (model.size < most && random.below(5) > 1) {
          id += 2 * (1 + random.below(gap / 2))
          const thing = { id }
          table.add(thing)
          model.set(id, thing)
        } else if (model.size > 0) {
          // mostly the oldest, now and then any
          const keys = random.below(10) === 0 ? [...model.keys()] : undefined
          const key = keys === undefined ? model.keys().next().value : keys[random.below(keys.length)]
          const thing = key === undefined ? undefined : model.get(key)
          if (key !== undefined && thing !== undefined) {
            // an assertion for each step would take longer than all the rest
            if (table.find(key) !== thing) assert.fail(`step ${step}: ${key} is not found`)
            table.remove(thing)
            model.delete(key)
            if (table.find(key) !== undefined) assert.fail(`step ${step}: ${key} is still found`)
          }
        }
        if (table.size !== model.size) assert.fail(`step ${step}: ${table.size} instead of ${model.size}`)
      }
      assert.deepStrictEqual(table.list(), [...model.values()])
      for (const [key, thing] of model) assert.strictEqual(table.find(key), thing)
    })
  }

  it("grows with the number of streams, not with the distance between them", () => {
    const ringOf = (table: StreamTable<Thing>): number => {
      const ring: unknown = Reflect.get(table, "ring")
      return Array.isArray(ring) ? ring.length : 0
    }
    const sparse = new StreamTable<Thing>()
    for (let i = 0; i < 100; i++) sparse.add({ id: 1 + i * 512 })
    assert.strictEqual(ringOf(sparse), 256)
    // half of the places taken, and a place wanted twice: it doubles
    const dense = new StreamTable<Thing>()
    for (let i = 0; i < 256; i++) dense.add({ id: 1 + 2 * i })
    assert.strictEqual(ringOf(dense), 256)
    dense.add({ id: 513 })
    assert.strictEqual(ringOf(dense), 512)
    const half = new StreamTable<Thing>()
    for (let i = 0; i < 127; i++) half.add({ id: 1 + 2 * i })
    half.add({ id: 513 })
    assert.strictEqual(ringOf(half), 256)
    half.add({ id: 515 })
    assert.strictEqual(ringOf(half), 512)
    // but not without end
    const many = new StreamTable<Thing>()
    for (let i = 0; i < 70_000; i++) many.add({ id: 1 + 2 * i })
    assert.strictEqual(ringOf(many), 65_536)
    assert.strictEqual(many.list().length, 70_000)
    assert.strictEqual(many.find(1)?.id, 1)
    assert.strictEqual(many.find(139_999)?.id, 139_999)
  })
})
