import { Memo } from "@effect-apns/models/unstable/Memo"
import { assert, describe, it } from "@effect/vitest"

describe("Memo", () => {
  it("get -> the value that was set for the same object, and for no other", () => {
    const memo = new Memo<object, string>()
    const a = {}
    assert.strictEqual(memo.get(a), undefined)
    memo.set(a, "a")
    assert.strictEqual(memo.get(a), "a")
    assert.strictEqual(memo.get({}), undefined)
    assert.strictEqual(memo.get(a), "a")
  })

  it("set several times -> the newest value", () => {
    const memo = new Memo<object, number>()
    const key = {}
    const other = {}
    for (let value = 1; value <= 3; value++) {
      memo.set(key, value)
      memo.set(other, -value)
      assert.strictEqual(memo.get(key), value)
      assert.strictEqual(memo.get(other), -value)
    }
  })

  it("remembers at least the last 128 objects, and all that were looked up", () => {
    const memo = new Memo<object, number>()
    const keys = Array.from({ length: 10_000 }, () => ({}))
    const used = keys[0] ?? {}
    keys.forEach((key, index) => {
      memo.set(key, index)
      const before = keys[index - 127]
      if (index % 100 === 0 && before !== undefined) assert.strictEqual(memo.get(before), index - 127)
      assert.strictEqual(memo.get(used), 0)
    })
    const forgotten = keys.filter((key) => memo.get(key) === undefined).length
    assert.isAtLeast(forgotten, 9_000)
  })

  it("not an object -> nothing is remembered", () => {
    const memo = new Memo<unknown, string>()
    for (const key of [undefined, null, 1, "a", Symbol.iterator]) {
      memo.set(key, "x")
      assert.strictEqual(memo.get(key), undefined)
    }
  })
})
