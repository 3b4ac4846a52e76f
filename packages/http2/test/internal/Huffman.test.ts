/**
 * The Huffman code alone: each character, each way a text can end, and what is said of characters that a field value may
 * not have.
 */
import { assert, describe, it, vi } from "@effect/vitest"
import * as Huffman from "../../src/internal/huffman.js"
import { bytesOf, toHex } from "../utils.js"

const encode = (text: string): Uint8Array => {
  const target = new Uint8Array(text.length * 4 + 8)
  return target.subarray(0, Huffman.encode(text, target, 0))
}

/** The text, or -1. */
const decode = (bytes: Uint8Array): string | -1 => {
  const target = Buffer.alloc(bytes.length * 2 + 2)
  const length = Huffman.decode(bytes, 0, bytes.length, target)
  return length < 0 ? -1 : target.toString("latin1", 0, length)
}

const characters = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code))

describe("the Huffman code (RFC 7541 appendix B)", () => {
  it("each character, alone, twice and between others -> decoded again, with the computed length", () => {
    for (const character of characters) {
      for (const text of [character, character + character, `a${character}b`, `0${character}`, `${character}~z`]) {
        const bytes = encode(text)
        assert.strictEqual(bytes.length, Huffman.encodedLength(text), JSON.stringify(text))
        assert.strictEqual(decode(bytes), text)
      }
    }
    const all = characters.join("")
    assert.strictEqual(decode(encode(all)), all)
  })

  it("code words of each length are those of the appendix", () => {
    const rows: Readonly<Record<string, string>> = {
      "0": "07",
      " ": "53",
      ":": "b9",
      "&": "f8",
      "X": "fc",
      "!": "fe3f",
      "\"": "fe7f",
      "|": "ff9f",
      "#": "ffaf",
      "\0": "ffc7",
      "^": "fff3",
      "<": "fff9",
      "\\": "fffe1f",
      "\n": "fffffff3",
      "\r": "fffffff7",
      "\u0016": "fffffffb"
    }
    for (const [text, expected] of Object.entries(rows)) {
      assert.strictEqual(toHex(encode(text)), expected, JSON.stringify(text))
    }
  })

  it("NUL, LF and CR -> said to be forbidden (RFC 9113 section 8.2.1), and of no other character, until the next text", () => {
    for (const [code, character] of characters.entries()) {
      decode(encode(`a${character}a`))
      assert.strictEqual(Huffman.forbidden, code === 0 || code === 10 || code === 13, `${code}`)
      decode(encode("a"))
      assert.isFalse(Huffman.forbidden)
    }
  })

  it("a text that is cut off, or has EOS in it -> invalid", () => {
    for (const text of ["\n", "\u00d0", "a\u0001"]) {
      const bytes = encode(text)
      assert.strictEqual(decode(bytes.subarray(0, -1)), -1)
    }
    assert.strictEqual(decode(bytesOf("\xff\xff\xff\xff")), -1)
    assert.strictEqual(decode(bytesOf("\xff\xff\xff\xfc")), -1)
    assert.strictEqual(decode(new Uint8Array(0)), "")
  })

  it("whichever function is called first -> the tables are there", async () => {
    const load = (): Promise<typeof Huffman> => {
      vi.resetModules()
      return import("../../src/internal/huffman.js")
    }
    assert.strictEqual((await load()).encodedLength("\n\n"), 8)
    const target = new Uint8Array(4)
    assert.strictEqual((await load()).encode("\n", target, 0), 4)
    assert.strictEqual(toHex(target), "fffffff3")
    assert.strictEqual((await load()).decode(target, 0, 4, new Uint8Array(8)), 1)
  })
})
