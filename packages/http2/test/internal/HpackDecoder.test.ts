import { Hpack } from "@effect-apns/http2"
import { assert, describe, it } from "@effect/vitest"
import { type DecoderLimits, HpackDecoder } from "../../src/internal/hpackDecoder.js"
import { bytesOf, hex } from "../utils.js"

const noLimits: DecoderLimits = { maxTableSize: 4096, maxHeaderListSize: Infinity, maxHeaderCount: Infinity }

const decoderOf = (limits: Partial<DecoderLimits> = {}, raw = false) =>
  new HpackDecoder({ ...noLimits, ...limits }, raw)

const decode = (decoder: HpackDecoder, block: string | Uint8Array): boolean => {
  const bytes = Buffer.from(typeof block === "string" ? hex(block) : block)
  return decoder.decode(bytes, 0, bytes.length)
}

/** A block of these fields, flat. */
const encode = (fields: ReadonlyArray<string>, options: Hpack.EncoderOptions = {}): Uint8Array =>
  new Hpack.Encoder({ huffman: false, ...options }).encode(fields)

/** What a decoder says of a block of these fields. */
const read = (fields: ReadonlyArray<string>, huffman = false) => {
  const decoder = decoderOf()
  assert.isTrue(decode(decoder, encode(fields, { huffman })))
  const { apnsId, contentLength, malformed, status, tooLarge } = decoder
  assert.isFalse(tooLarge)
  return { apnsId, contentLength, malformed, status, fields: decoder.fields }
}

describe("the fields of a response", () => {
  it("are sorted: the status, apns-id, content-length, and the others in their order", () => {
    for (const huffman of [false, true]) {
      assert.deepStrictEqual(
        read([":status", "410", "apns-id", "id", "content-length", "12", "x", "1", "y", ""], huffman),
        {
          status: 410,
          apnsId: "id",
          contentLength: 12,
          malformed: "",
          fields: ["content-length", "12", "x", "1", "y", ""]
        }
      )
    }
    const nothing = { status: 0, apnsId: undefined, contentLength: -1, malformed: "", fields: undefined }
    assert.deepStrictEqual(read([]), nothing)
    assert.deepStrictEqual(read([":status", "200"]), { ...nothing, status: 200 })
    // the first apns-id counts, others are fields like any other
    assert.deepStrictEqual(read(["apns-id", "a", "apns-id", "b", "apns-id", "c"]), {
      ...nothing,
      apnsId: "a",
      fields: ["apns-id", "b", "apns-id", "c"]
    })
    assert.deepStrictEqual(read(["content-length", "7", "content-length", "7"]).malformed, "")
  })

  it("are reset by the next block", () => {
    const decoder = decoderOf({ maxHeaderCount: 4 })
    decode(decoder, encode([":status", "200", "apns-id", "id", "content-length", "1", "x", "1", "TE", ""]))
    assert.isTrue(decoder.tooLarge)
    decode(decoder, encode(["x", "1", ":status", "200"], { unindexed: ["x"] }))
    assert.notStrictEqual(decoder.malformed, "")
    decode(decoder, encode([":status", "204"]))
    const { apnsId, contentLength, fields, malformed, status, tooLarge } = decoder
    assert.deepStrictEqual([status, apnsId, contentLength, fields, malformed, tooLarge], [
      204,
      undefined,
      -1,
      undefined,
      "",
      false
    ])
  })

  const wrong: ReadonlyArray<readonly [fields: ReadonlyArray<string>, malformed: string]> = [
    [["x", "1", ":status", "200"], "a pseudo-header behind a regular field"],
    [["apns-id", "1", ":status", "200"], "a pseudo-header behind a regular field"],
    [["content-length", "1", ":status", "200"], "a pseudo-header behind a regular field"],
    [[":status", "200", ":status", "200"], "two :status fields"],
    [[":status", "404", ":status", "200"], "two :status fields"],
    ...["", "20", "2000", "099", "2 0", "abc", "20a", "a20", "x200", "200x"].map((status) =>
      [[":status", status], "a :status that is not a number of three digits"] as const
    ),
    ...["", "1a", "a1", "-1", "1.5", "1".repeat(16)].map((length) =>
      [["content-length", length], "a content-length that is not a number"] as const
    ),
    [["content-length", "1", "content-length", "2"], "two different content-length fields"],
    [["content-length", "0", "content-length", "1"], "two different content-length fields"],
    [["x", "a\nb"], "a field value with a character that is not allowed"],
    [["x", " a"], "a field value with a character that is not allowed"],
    [[":status", "200 "], "a field value with a character that is not allowed"],
    [["apns-id", "a\t"], "a field value with a character that is not allowed"],
    [[":path", "/"], "a pseudo-header that responses do not have"],
    [["TE", "x"], "a field name that HTTP/2 does not allow"],
    [["te", "x"], "a field name that HTTP/2 does not allow"]
  ]
  for (const [fields, malformed] of wrong) {
    it(`${JSON.stringify(fields)}: ${malformed}`, () => {
      for (const huffman of [false, true]) assert.strictEqual(read(fields, huffman).malformed, malformed)
    })
  }

  it("100 and 999 are a status, 15 digits are a length", () => {
    assert.deepStrictEqual(["100", "999"].map((status) => read([":status", status]).status), [100, 999])
    assert.strictEqual(read(["content-length", "9".repeat(15)]).contentLength, 999_999_999_999_999)
    assert.strictEqual(read([":status", "20x"]).status, 0)
  })

  it("a value that is not allowed is so, too, where it comes from the table, and its name is good with another value", () => {
    const decoder = decoderOf()
    // inserts x: "a\n", then refers to the entry, then to its name
    assert.isTrue(decode(decoder, "400178" + "02610a"))
    assert.notStrictEqual(decoder.malformed, "")
    assert.isTrue(decode(decoder, "be"))
    assert.notStrictEqual(decoder.malformed, "")
    assert.isTrue(decode(decoder, "7e" + "0162"))
    assert.strictEqual(decoder.malformed, "")
    assert.deepStrictEqual(decoder.fields, ["x", "b"])
    // and an empty value behind it is good, coded or not
    for (const empty of ["00", "80"]) {
      const other = decoderOf()
      assert.isTrue(decode(other, "400178" + "02610a"))
      assert.isTrue(decode(other, "0f2f" + empty))
      assert.strictEqual(other.malformed, "")
      assert.deepStrictEqual(other.fields, ["x", ""])
    }
  })
})

describe("limits", () => {
  it("the size of the list counts 32 for each field; what is above is not kept, and the table stays in step", () => {
    for (
      const [maxHeaderListSize, kept, tooLarge] of [[68, 2, false], [67, 1, true], [34, 1, true], [
        33,
        0,
        true
      ]] as const
    ) {
      const decoder = decoderOf({ maxHeaderListSize })
      assert.isTrue(decode(decoder, encode(["x", "1", "y", "2"])))
      assert.strictEqual((decoder.fields ?? []).length, 2 * kept)
      assert.strictEqual(decoder.tooLarge, tooLarge)
      assert.deepStrictEqual(decoder.table(), ["y", "2", "x", "1"])
    }
  })

  it("the number of fields is limited in the same way", () => {
    for (const raw of [false, true]) {
      for (const [maxHeaderCount, kept, tooLarge] of [[2, 2, false], [1, 1, true], [0, 0, true]] as const) {
        const decoder = decoderOf({ maxHeaderCount }, raw)
        assert.isTrue(decode(decoder, encode(["x", "1", "y", "2"])))
        assert.strictEqual((decoder.fields ?? []).length, 2 * kept)
        assert.strictEqual(decoder.tooLarge, tooLarge)
      }
    }
  })
})

describe("the dynamic table", () => {
  it("contains the newest entries that fit, for any number of insertions and any table size", () => {
    for (const maxTableSize of [0, 31, 32, 33, 34, 64, 68, 100, 102, 128, 4096]) {
      const decoder = decoderOf({ maxTableSize }, true)
      const most = Math.floor(maxTableSize / 34)
      for (let i = 0; i < 300; i++) {
        const value = String.fromCharCode(48 + i % 70)
        assert.isTrue(decode(decoder, encode(["x", value], { maxTableSize: 4096 })))
        assert.deepStrictEqual(decoder.fields, ["x", value])
        const count = Math.min(i + 1, most)
        assert.strictEqual(decoder.tableSize, 34 * count)
        const values = Array.from({ length: count }, (_, back) => String.fromCharCode(48 + (i - back) % 70))
        assert.deepStrictEqual(decoder.table(), values.flatMap((value) => ["x", value]))
      }
    }
  })

  it("the first index behind the static table is the newest entry; the last one the oldest; the next one an error", () => {
    for (const raw of [false, true]) {
      const decoder = decoderOf({}, raw)
      decode(decoder, encode(["x", "1", "y", "2"]))
      assert.isTrue(decode(decoder, "bebf"))
      assert.deepStrictEqual(decoder.fields, ["y", "2", "x", "1"])
      assert.isFalse(decode(decoder, "c0"))
      assert.strictEqual(decoder.error, "an index beyond the dynamic table")
    }
  })

  it("its names can be referred to as well, with any way of indexing", () => {
    const decoder = decoderOf()
    decode(decoder, encode(["x", "1", "y", "2"]))
    // literal without indexing, never indexed, with indexing: of the newest, of the oldest
    assert.isTrue(decode(decoder, "0f2f0133" + "1f300134" + "7f000135"))
    assert.deepStrictEqual(decoder.fields, ["y", "3", "x", "4", "x", "5"])
    assert.deepStrictEqual(decoder.table(), ["x", "5", "y", "2", "x", "1"])
    assert.isFalse(decode(decoder, "0f320133"))
    assert.strictEqual(decoder.error, "a name index beyond the dynamic table")
    // the last name of the static table
    assert.isTrue(decode(decoder, "0f2e0131"))
    assert.deepStrictEqual(decoder.fields, ["www-authenticate", "1"])
    assert.isTrue(decode(decoder, "bd"))
    assert.deepStrictEqual(decoder.fields, ["www-authenticate", ""])
  })

  it("a size update evicts the oldest at once, also several of them before the first field, up to the size allowed", () => {
    const decoder = decoderOf()
    decode(decoder, encode(["x", "1", "y", "2"]))
    assert.isTrue(decode(decoder, "3f25"))
    assert.deepStrictEqual([decoder.tableSize, decoder.table()], [68, ["y", "2", "x", "1"]])
    assert.isTrue(decode(decoder, "3f24" + "3fe11f"))
    assert.deepStrictEqual(decoder.table(), ["y", "2"])
    assert.isTrue(decode(decoder, "20" + "3f03" + "400178" + "0131"))
    assert.deepStrictEqual(decoder.table(), ["x", "1"])
    assert.isFalse(decode(decoder, "400178" + "0131" + "20"))
    assert.strictEqual(decoder.error, "a table size update behind a field")
    for (
      const [update, error] of [["3fe21f", "a table size update above the size that was allowed"], [
        "3f",
        "an integer that the block cuts off"
      ]] as const
    ) {
      const other = decoderOf()
      assert.isFalse(decode(other, update))
      assert.strictEqual(other.error, error)
    }
  })
})

describe("strings", () => {
  it("of any length, coded or not -> decoded, up to the last byte of the block", () => {
    for (const length of [0, 1, 126, 127, 128, 254, 255, 500, 512, 513, 514, 600, 5_000]) {
      for (const huffman of [false, true]) {
        const decoder = decoderOf({}, true)
        for (const character of ["a", "0", "~"]) {
          const value = character.repeat(length)
          const block = encode(["x", value], { huffman })
          assert.isTrue(decode(decoder, block), decoder.error)
          assert.deepStrictEqual(decoder.fields, ["x", value])
          assert.isFalse(decode(decoder, block.subarray(0, -1)))
          assert.include(decoder.error, "that the block cuts off")
        }
      }
    }
  })

  it("that are cut off or coded wrongly -> an error with its reason", () => {
    const rows = {
      "00": "a string that the block cuts off",
      "000161": "a string that the block cuts off",
      "0001610261": "a string that the block cuts off",
      "007f": "an integer that the block cuts off",
      "0f": "an integer that the block cuts off",
      "ff": "an integer that the block cuts off",
      "ff80808080": "an integer that is too large",
      "7f80808080": "an integer that is too large",
      "000161ff80808080": "an integer that is too large",
      "000161821fff": "a string with an invalid Huffman code or padding",
      "80": "an indexed field with index 0"
    }
    for (const [block, error] of Object.entries(rows)) {
      const decoder = decoderOf()
      assert.isFalse(decode(decoder, block), block)
      assert.strictEqual(decoder.error, error, block)
    }
  })

  it("in a part of a larger buffer -> nothing else of it is read", () => {
    const decoder = decoderOf({}, true)
    const bytes = Buffer.from(bytesOf("\x80\x00\x01a\x01b\x80"))
    assert.isTrue(decoder.decode(bytes, 1, 6))
    assert.deepStrictEqual(decoder.fields, ["a", "b"])
    assert.isFalse(decoder.decode(bytes, 1, 5))
    assert.isTrue(decoder.decode(bytes, 1, 1))
    assert.isUndefined(decoder.fields)
  })

  it("in a part of a larger buffer, with an integer that its end cuts off -> nothing behind it is read", () => {
    // a size update, an index, a name index, and the length of a value
    for (const block of ["3f00", "ff00", "7f00", "0001617f00"]) {
      const decoder = decoderOf()
      const bytes = Buffer.from(hex(block))
      assert.isFalse(decoder.decode(bytes, 0, bytes.length - 1), block)
      assert.strictEqual(decoder.error, "an integer that the block cuts off", block)
    }
  })

  it("of no characters, coded, after one that began with a space -> allowed as a value", () => {
    const decoder = decoderOf()
    assert.isTrue(decode(decoder, encode(["x", " a"], { huffman: true })))
    assert.notStrictEqual(decoder.malformed, "")
    assert.isTrue(decode(decoder, "000179" + "80"))
    assert.deepStrictEqual([decoder.malformed, decoder.fields], ["", ["y", ""]])
  })
})

describe("an index of more than one byte", () => {
  it("the first of them, and the last in the table -> the field; one beyond -> refused", () => {
    const decoder = decoderOf()
    const names = Array.from({ length: 70 }, (_, i) => `n${i}`)
    assert.isTrue(decode(decoder, encode(names.flatMap((name) => [name, "1"]))))
    // 61 are static, and the newest of the others is the first
    assert.isTrue(decode(decoder, "fe" + "ff00" + "ff04"))
    assert.deepStrictEqual(decoder.fields, ["n5", "1", "n4", "1", "n0", "1"])
    assert.isFalse(decode(decoder, "ff05"))
    assert.strictEqual(decoder.error, "an index beyond the dynamic table")
  })
})
