import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Text from "../src/internal/text.js"

describe("writeAscii", () => {
  it("finds each character out of range, at each place and alignment", () => {
    const memory = Text.allocate(256)
    for (const lowest of [0x20, 0x21]) {
      for (const length of [1, 5, 19, 20, 21, 22, 23, 24, 64, 75]) {
        for (let offset = 0; offset < 5; offset++) {
          const good = "!~aZ09".repeat(20).slice(0, length)
          memory.bytes.fill(0)
          assert.isTrue(Text.writeAscii(memory, good, offset, lowest))
          assert.strictEqual(memory.bytes.toString("latin1", offset, offset + length), good)
          for (let at = 0; at < length; at++) {
            for (
              const bad of ["\0", "\n", "\x1f", lowest === 0x21 ? " " : "\t", "\x7f", "\x80", "\xff", "\u0130", "😀"]
            ) {
              const text = good.slice(0, at) + bad + good.slice(at + 1)
              if (Text.writeAscii(memory, text, offset, lowest)) assert.fail(JSON.stringify({ text, offset }))
            }
          }
        }
      }
    }
  })

  it("agrees with a regular expression", () => {
    const memory = Text.allocate(1024)
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ maxLength: 200 }), fc.string({ unit: "binary", maxLength: 100 })),
        fc.nat(7),
        (text, offset) => {
          const valid = /^[!-~]*$/.test(text)
          assert.strictEqual(Text.writeAscii(memory, text, offset, 0x21), valid)
          if (valid) assert.strictEqual(memory.bytes.toString("latin1", offset, offset + text.length), text)
        }
      ),
      { numRuns: 500 }
    )
  })

  it("does not write past the length of the text", () => {
    const memory = Text.allocate(64)
    memory.bytes.fill(1)
    assert.isFalse(Text.writeAscii(memory, "ü".repeat(30), 0, 0x21))
    assert.isTrue(memory.bytes.subarray(30).every((byte) => byte === 1))
  })
})
