import { assert, describe, it } from "@effect/vitest"
import { HpackEncoder, type Indexing, writeInteger } from "../../src/internal/hpackEncoder.js"
import { toHex } from "../utils.js"

/** What a block with one field looks like. */
const block = (encoder: HpackEncoder, name: string, value: string, indexing: Indexing = "index"): string => {
  encoder.begin()
  encoder.field(name, value, indexing)
  return toHex(encoder.copy())
}

/** What the beginning of a block looks like. */
const start = (encoder: HpackEncoder): string => {
  encoder.begin()
  return toHex(encoder.copy())
}

// of "x" and "1", an entry is 34 bytes: two fit into 68
const inserted = (name: string, value: string) => `4001${toHex(Buffer.from(name))}01${toHex(Buffer.from(value))}`
const literal = (name: string, value: string) => inserted(name, value).replace(/^4/, "0")

describe("integers", () => {
  it("are one byte below the prefix, and seven bits a byte from there (RFC 7541 section 5.1)", () => {
    const rows: ReadonlyArray<readonly [value: number, prefix: number, pattern: number, expected: string]> = [
      [0, 0x7f, 0x80, "80"],
      [0x7e, 0x7f, 0x80, "fe"],
      [0x7f, 0x7f, 0x80, "ff00"],
      [0x80, 0x7f, 0x80, "ff01"],
      [0x7f + 0x7f, 0x7f, 0, "7f7f"],
      [0x7f + 0x80, 0x7f, 0, "7f8001"],
      [0x7f + 0x3fff, 0x7f, 0, "7fff7f"],
      [0x7f + 0x4000, 0x7f, 0, "7f808001"],
      [2 ** 31 - 1, 0x0f, 0x10, "1ff0ffffff07"]
    ]
    for (const [value, prefix, pattern, expected] of rows) {
      const target = new Uint8Array(10).fill(0xee)
      const end = writeInteger(target, 2, pattern, prefix, value)
      assert.strictEqual(toHex(target.subarray(2, end)), expected, `${value}`)
      assert.deepStrictEqual([target[1], target[end]], [0xee, 0xee])
    }
  })
})

describe("how a field is represented (RFC 7541 section 6)", () => {
  it("by the static table, by the dynamic one, by its name there, or by neither; indexed, not indexed, or never", () => {
    const encoder = new HpackEncoder(false, true, 4096)
    assert.strictEqual(block(encoder, ":method", "GET"), "82")
    assert.strictEqual(block(encoder, ":method", "GET", "literal"), "0203474554")
    assert.strictEqual(block(encoder, ":method", "GET", "never"), "1203474554")
    assert.strictEqual(block(encoder, "x", "1", "literal"), literal("x", "1"))
    assert.strictEqual(block(encoder, "x", "1", "never"), literal("x", "1").replace(/^0/, "1"))
    assert.strictEqual(encoder.tableSize, 0)
    assert.strictEqual(block(encoder, "x", "1"), inserted("x", "1"))
    assert.strictEqual(block(encoder, "x", "1"), "be")
    assert.strictEqual(block(encoder, "x", "2"), "7e0132")
    assert.deepStrictEqual(["2", "1"].map((value) => block(encoder, "x", value)), ["be", "bf"])
    assert.strictEqual(block(encoder, "x", "1", "literal"), "0f2f0131")
    assert.strictEqual(encoder.tableSize, 68)
    assert.strictEqual(encoder.tableCapacity, 4096)
  })

  it("with Huffman codes if they are not longer", () => {
    const encoder = new HpackEncoder(true, true, 4096)
    // 5 bits for each "a", 6 for the "/", and ones up to the end of the byte
    assert.strictEqual(block(encoder, ":path", "/aaaa", "literal"), "0484606318ff")
    // a code of 28 bits for each is longer than the character
    assert.strictEqual(block(encoder, ":path", "\u0002", "literal"), "040102")
    assert.strictEqual(block(encoder, ":path", "", "literal"), "0400")
    // 8 bits for 8: as long
    assert.strictEqual(block(encoder, ":path", "&", "literal"), "0481f8")
  })

  it("in blocks of any length", () => {
    const encoder = new HpackEncoder(false, true, 4096)
    const values = [1000, 1500, 40_000].map((length) => "v".repeat(length))
    encoder.begin()
    for (const value of values) encoder.field(":path", value, "literal")
    const expected = values.map((value) => {
      const target = new Uint8Array(8)
      return Buffer.concat([
        Buffer.of(4),
        target.subarray(0, writeInteger(target, 0, 0, 0x7f, value.length)),
        Buffer.from(value)
      ])
    })
    assert.strictEqual(toHex(encoder.copy()), toHex(Buffer.concat(expected)))
    assert.strictEqual(toHex(encoder.copy(1003)), toHex(Buffer.concat(expected).subarray(1003)))
  })
})

describe("size updates (RFC 7541 section 4.2)", () => {
  it("come first in the next block: the smallest where it is smaller than the last, and the last", () => {
    const encoder = new HpackEncoder(false, true, 4096)
    assert.isFalse(encoder.hasSizeUpdate)
    encoder.setCapacity(4096)
    assert.isFalse(encoder.hasSizeUpdate)
    assert.strictEqual(start(encoder), "")
    const rows: ReadonlyArray<readonly [changes: ReadonlyArray<number>, expected: string]> = [
      [[100], "3f45"],
      [[50], "3f13"],
      [[100, 50], "3f13"],
      [[0, 100], "203f45"],
      [[30, 0, 20], "2034"],
      [[0], "20"]
    ]
    for (const [changes, expected] of rows) {
      for (const change of changes) encoder.setCapacity(change)
      assert.isTrue(encoder.hasSizeUpdate)
      assert.strictEqual(start(encoder), expected)
      assert.isFalse(encoder.hasSizeUpdate)
      assert.strictEqual(start(encoder), "")
    }
  })

  it("evict entries that no longer fit, oldest first", () => {
    const encoder = new HpackEncoder(false, false, 102)
    for (const name of ["x", "y", "z"]) block(encoder, name, "1")
    assert.strictEqual(encoder.tableSize, 102)
    encoder.setCapacity(101)
    assert.strictEqual(encoder.tableSize, 68)
    start(encoder)
    assert.deepStrictEqual(["z", "y"].map((name) => block(encoder, name, "1")), ["be", "bf"])
    encoder.setCapacity(68)
    assert.strictEqual(encoder.tableSize, 68)
    encoder.setCapacity(0)
    assert.strictEqual(encoder.tableSize, 0)
  })
})

describe("the version", () => {
  it("changes whenever an index may have changed its meaning, and not otherwise", () => {
    const encoder = new HpackEncoder(false, true, 68)
    const changes = (act: () => void): boolean => {
      const before = encoder.version
      act()
      assert.isAtLeast(encoder.version, before)
      return encoder.version !== before
    }
    assert.isTrue(changes(() => block(encoder, "x", "1")))
    assert.isFalse(changes(() => block(encoder, "x", "1")))
    assert.isFalse(changes(() => block(encoder, "x", "2", "literal")))
    assert.isFalse(changes(() => block(encoder, ":method", "GET")))
    assert.isTrue(changes(() => encoder.nextGeneration()))
    assert.isFalse(changes(() => encoder.setCapacity(68)))
    assert.isTrue(changes(() => encoder.setCapacity(34)))
    assert.isFalse(changes(() => encoder.begin()))
    // what was inserted is the newest, and takes the place of an older one
    assert.isTrue(changes(() => block(encoder, "y", "1")))
    assert.isFalse(changes(() => block(encoder, "z", "1")))
    assert.isTrue(changes(() => encoder.setCapacity(0)))
  })
})

describe("entries in use stay in the table", () => {
  it("a field that fits only in place of one in use is not inserted, and one that just fits is", () => {
    const encoder = new HpackEncoder(false, true, 102)
    for (const name of ["x", "y", "z"]) assert.strictEqual(block(encoder, name, "1"), inserted(name, "1"))
    assert.strictEqual(block(encoder, "w", "1"), literal("w", "1"))
    assert.strictEqual(encoder.tableSize, 102)
    assert.deepStrictEqual(["z", "y", "x"].map((name) => block(encoder, name, "1")), ["be", "bf", "c0"])
  })

  it("in a new generation the oldest are evicted first, and entries used again are protected", () => {
    const encoder = new HpackEncoder(false, true, 100)
    for (const name of ["x", "y"]) block(encoder, name, "1")
    encoder.nextGeneration()
    assert.strictEqual(block(encoder, "y", "1"), "be")
    assert.strictEqual(block(encoder, "y", "1"), "be")
    // x is not in use any more
    assert.strictEqual(block(encoder, "z", "1"), inserted("z", "1"))
    assert.deepStrictEqual(["z", "y"].map((name) => block(encoder, name, "1")), ["be", "bf"])
    assert.strictEqual(block(encoder, "w", "1"), literal("w", "1"))
  })

  it("in a new generation all entries are used again -> all are protected, as in the one before", () => {
    const encoder = new HpackEncoder(false, true, 102)
    for (const name of ["x", "y", "z"]) block(encoder, name, "1")
    for (let generation = 0; generation < 3; generation++) {
      encoder.nextGeneration()
      // using one twice counts once
      assert.deepStrictEqual(["x", "y", "z", "z"].map((name) => block(encoder, name, "1")), ["c0", "bf", "be", "be"])
      assert.strictEqual(block(encoder, "w", "1"), literal("w", "1"))
    }
  })

  it("an entry in use that is evicted with the oldest -> inserted again at its next use", () => {
    const encoder = new HpackEncoder(false, true, 100)
    for (const name of ["x", "y"]) block(encoder, name, "1")
    encoder.nextGeneration()
    assert.strictEqual(block(encoder, "x", "1"), "bf")
    // y is not in use, but x is older
    assert.strictEqual(block(encoder, "z", "1"), inserted("z", "1"))
    assert.strictEqual(block(encoder, "x", "1"), inserted("x", "1"))
    assert.deepStrictEqual(["x", "z"].map((name) => block(encoder, name, "1")), ["be", "bf"])
    assert.strictEqual(block(encoder, "w", "1"), literal("w", "1"))
  })

  it("without keepLive -> each field is inserted", () => {
    const encoder = new HpackEncoder(false, false, 68)
    for (const name of ["x", "y", "z"]) assert.strictEqual(block(encoder, name, "1"), inserted(name, "1"))
    assert.strictEqual(block(encoder, "x", "1"), inserted("x", "1"))
    assert.deepStrictEqual(["x", "z"].map((name) => block(encoder, name, "1")), ["be", "bf"])
    // one that is larger than the table empties it (RFC 7541 section 4.4)
    assert.isTrue(block(encoder, "x", "1".repeat(36)).startsWith("7e24"))
    assert.strictEqual(encoder.tableSize, 0)
    assert.strictEqual(block(encoder, "x", "1".repeat(35)).slice(0, 2), "40")
    assert.strictEqual(encoder.tableSize, 68)
  })

  it("a name is found at its newest place after an older one has left", () => {
    const encoder = new HpackEncoder(false, false, 68)
    for (const value of ["1", "2", "3"]) block(encoder, "x", value)
    assert.strictEqual(block(encoder, "x", "4", "literal"), "0f2f0134")
    block(encoder, "y", "1")
    assert.strictEqual(block(encoder, "x", "4", "literal"), "0f300134")
    block(encoder, "z", "1")
    assert.strictEqual(block(encoder, "x", "4", "literal"), literal("x", "4"))
  })
})
