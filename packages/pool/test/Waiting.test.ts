import { Request } from "@effect-apns/core"
import * as Delivery from "@effect-apns/pool/unstable/Delivery"
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { Lane, Waiting } from "../src/internal/waiting.js"

const { path, spec } = Request.make({ path: "/" })

class Item extends Delivery.Delivery {
  constructor(readonly name: string, readonly at: number, readonly of?: Lane) {
    super(path, spec)
    // what the engine writes down
    Object.assign(this, { order: at, lane: of })
  }
  onAnswered(): void {}
  onFailed(): void {}
}

const drain = (waiting: Waiting): ReadonlyArray<string> => {
  const names: Array<string> = []
  for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) {
    names.push(item instanceof Item ? item.name : "?")
  }
  return names
}

describe("the queue for a free stream", () => {
  it("serves deliveries in the order of submission", () => {
    const waiting = new Waiting()
    for (let i = 0; i < 5; i++) waiting.add(new Item(`${i}`, i))
    assert.deepStrictEqual(drain(waiting), ["0", "1", "2", "3", "4"])
    assert.strictEqual(waiting.size, 0)
  })

  it("lanes take turns: a single send is second behind a bulk of thousands, and bulks get equal shares", () => {
    const waiting = new Waiting()
    const [a, b] = [new Lane(), new Lane()]
    for (let i = 0; i < 4000; i++) waiting.add(new Item("a", i, a))
    waiting.add(new Item("b1", 4000, b))
    waiting.add(new Item("b2", 4001, b))
    waiting.add(new Item("single", 4002))
    assert.deepStrictEqual(drain(waiting).slice(0, 6), ["a", "b1", "single", "a", "b2", "a"])
  })

  it("deliveries that are put back, in any order, keep their place", () => {
    const waiting = new Waiting()
    for (let i = 10; i < 13; i++) waiting.add(new Item(`${i}`, i))
    for (const i of [7, 3, 9, 1]) waiting.addReturned(new Item(`${i}`, i))
    assert.deepStrictEqual(drain(waiting), ["1", "3", "7", "9", "10", "11", "12"])
  })

  it("random adding, putting back and removing: each delivery is served once and in order, and no lane is skipped", () => {
    const command = fc.record({
      what: fc.constantFrom("add", "add", "add", "shift", "shift", "return", "return", "remove"),
      lane: fc.nat(2),
      which: fc.nat(50)
    })
    fc.assert(fc.property(fc.array(command, { maxLength: 200, size: "max" }), (commands) => {
      const waiting = new Waiting()
      const lanes = [undefined, new Lane(), new Lane()]
      const inside = new Set<Item>()
      const outside: Array<Item> = []
      let order = 0
      for (const { lane, what, which } of commands) {
        if (what === "add") {
          const item = new Item("x", order++, lanes[lane])
          waiting.add(item)
          inside.add(item)
        } else if (what === "shift") {
          const oldest = (of: Lane | undefined) => Math.min(...[...inside].filter((i) => i.of === of).map((i) => i.at))
          const item = waiting.shift()
          if (item === undefined) assert.strictEqual(inside.size, 0)
          else if (item instanceof Item) {
            assert.isTrue(inside.has(item))
            assert.strictEqual(item.at, oldest(item.of))
            inside.delete(item)
            outside.push(item)
          }
        } else if (what === "return") {
          const [item] = outside.splice(which % Math.max(1, outside.length), 1)
          if (item !== undefined) {
            waiting.addReturned(item)
            inside.add(item)
          }
        } else {
          const item = [...inside][which % Math.max(1, inside.size)]
          if (item !== undefined) {
            waiting.remove(item)
            inside.delete(item)
          }
        }
        assert.strictEqual(waiting.size, inside.size)
        assert.strictEqual(waiting.first === undefined, inside.size === 0)
        let visited = 0
        waiting.forEach(() => visited++)
        assert.strictEqual(visited, inside.size)
      }
      // round robin: between two of one lane, each other lane that has somebody is served once
      while (inside.size > 0) {
        const present = new Set([...inside].map((i) => i.of))
        const served = new Set<Lane | undefined>()
        for (let i = 0; i < present.size; i++) {
          const item = waiting.shift()
          if (!(item instanceof Item)) return assert.fail("somebody is left")
          served.add(item.of)
          inside.delete(item)
        }
        assert.strictEqual(served.size, present.size)
      }
    }))
  })

  it("first is the next delivery, which stays in the queue; undefined if the queue is empty", () => {
    const waiting = new Waiting()
    assert.isUndefined(waiting.first)
    const [never, back] = [new Item("never sent", 1), new Item("came back", 0)]
    waiting.add(never)
    assert.strictEqual(waiting.first, never)
    waiting.addReturned(back)
    assert.strictEqual(waiting.first, back)
    assert.strictEqual(waiting.shift(), back)
    assert.strictEqual(waiting.first, never)
    assert.strictEqual(waiting.shift(), never)
    assert.isUndefined(waiting.first)
    assert.isUndefined(waiting.shift())
  })

  it("removing the last delivery of a lane that is not next does not change whose turn it is", () => {
    const waiting = new Waiting()
    const [a, b, c] = [new Item("a", 0, new Lane()), new Item("b", 1, new Lane()), new Item("c", 2, new Lane())]
    for (const item of [a, b, c]) waiting.add(item)
    waiting.remove(b)
    assert.deepStrictEqual(drain(waiting), ["a", "c"])
  })

  it("a delivery that was put back and served can be added again as new, and be removed", () => {
    const waiting = new Waiting()
    const [first, again, last] = [new Item("first", 0), new Item("again", 1), new Item("last", 2)]
    waiting.addReturned(again)
    assert.strictEqual(waiting.shift(), again)
    for (const item of [first, again, last]) waiting.add(item)
    waiting.remove(again)
    assert.strictEqual(waiting.size, 2)
    assert.deepStrictEqual(drain(waiting), ["first", "last"])
  })

  it("hundreds put back in any order, every third removed -> the others are served in the order of submission", () => {
    const waiting = new Waiting()
    // 37 has no divisor in common with 300: each order once
    const items = Array.from({ length: 300 }, (_, i) => new Item(`${(i * 37) % 300}`, (i * 37) % 300))
    for (const item of items) waiting.addReturned(item)
    for (const [i, item] of items.entries()) if (i % 3 === 0) waiting.remove(item)
    const left = items.filter((_, i) => i % 3 !== 0).sort((a, b) => a.at - b.at)
    assert.deepStrictEqual(drain(waiting), left.map(({ name }) => name))
  })

  it("20,000 put back in any order -> a few steps for each, not a search through the queue", () => {
    const waiting = new Waiting()
    const count = 20_000
    let steps = 0
    for (let i = 0; i < count; i++) {
      const order = (i * 7919) % count
      const item = new Item("", order)
      Object.defineProperty(item, "order", {
        get: () => {
          steps++
          return order
        }
      })
      waiting.addReturned(item)
    }
    assert.lengthOf(drain(waiting), count)
    assert.isBelow(steps, count * 100)
  })
})
