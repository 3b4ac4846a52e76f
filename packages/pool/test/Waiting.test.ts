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

describe("those who wait for a stream", () => {
  it("are served in the order in which they came", () => {
    const waiting = new Waiting()
    for (let i = 0; i < 5; i++) waiting.add(new Item(`${i}`, i))
    assert.deepStrictEqual(drain(waiting), ["0", "1", "2", "3", "4"])
    assert.strictEqual(waiting.size, 0)
  })

  it("take turns: a single one is next but one behind a bulk of thousands, and bulks get the same share", () => {
    const waiting = new Waiting()
    const [a, b] = [new Lane(), new Lane()]
    for (let i = 0; i < 4000; i++) waiting.add(new Item("a", i, a))
    waiting.add(new Item("b1", 4000, b))
    waiting.add(new Item("b2", 4001, b))
    waiting.add(new Item("single", 4002))
    assert.deepStrictEqual(drain(waiting).slice(0, 6), ["a", "b1", "single", "a", "b2", "a"])
  })

  it("deliveries that come back keep their place, in whatever order they come back", () => {
    const waiting = new Waiting()
    for (let i = 10; i < 13; i++) waiting.add(new Item(`${i}`, i))
    for (const i of [7, 3, 9, 1]) waiting.addReturned(new Item(`${i}`, i))
    assert.deepStrictEqual(drain(waiting), ["1", "3", "7", "9", "10", "11", "12"])
  })

  it("whatever comes, comes back and leaves: each is served once, in its order, and no lane waits while others are served", () => {
    const command = fc.record({
      what: fc.constantFrom("add", "add", "add", "shift", "return", "remove"),
      lane: fc.nat(2),
      which: fc.nat(50)
    })
    fc.assert(fc.property(fc.array(command, { maxLength: 200 }), (commands) => {
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

  it("20,000 that come back in any order: a few steps for each, not a walk through the queue", () => {
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
