import { Hpack } from "@effect-apns/http2"
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { writeInteger } from "../src/internal/hpackEncoder.js"
import * as Huffman from "../src/internal/huffman.js"
import { bytesOf, hex, toHex } from "./utils.js"

interface Example {
  readonly section: string
  readonly block: string
  readonly fields: ReadonlyArray<string>
  readonly table: ReadonlyArray<string>
  readonly tableSize: number
}

const request1 = [":method", "GET", ":scheme", "http", ":path", "/", ":authority", "www.example.com"]
const request2 = [...request1, "cache-control", "no-cache"]
const request3 = [
  ":method",
  "GET",
  ":scheme",
  "https",
  ":path",
  "/index.html",
  ":authority",
  "www.example.com",
  "custom-key",
  "custom-value"
]
const table1 = [":authority", "www.example.com"]
const table2 = ["cache-control", "no-cache", ...table1]
const table3 = ["custom-key", "custom-value", ...table2]

const date1 = "Mon, 21 Oct 2013 20:13:21 GMT"
const date2 = "Mon, 21 Oct 2013 20:13:22 GMT"
const site = "https://www.example.com"
const cookie = "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"
const response1 = [":status", "302", "cache-control", "private", "date", date1, "location", site]
const response2 = [":status", "307", "cache-control", "private", "date", date1, "location", site]
const response3 = [
  ":status",
  "200",
  "cache-control",
  "private",
  "date",
  date2,
  "location",
  site,
  "content-encoding",
  "gzip",
  "set-cookie",
  cookie
]
const answers1 = ["location", site, "date", date1, "cache-control", "private", ":status", "302"]
const answers2 = [":status", "307", "location", site, "date", date1, "cache-control", "private"]
const answers3 = ["set-cookie", cookie, "content-encoding", "gzip", "date", date2]

const series: ReadonlyArray<
  { readonly huffman: boolean; readonly maxTableSize: number; readonly examples: ReadonlyArray<Example> }
> = [
  {
    huffman: false,
    maxTableSize: 4096,
    examples: [
      {
        section: "C.3.1",
        block: "828684410f7777772e6578616d706c652e636f6d",
        fields: request1,
        table: table1,
        tableSize: 57
      },
      { section: "C.3.2", block: "828684be58086e6f2d6361636865", fields: request2, table: table2, tableSize: 110 },
      {
        section: "C.3.3",
        block: "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
        fields: request3,
        table: table3,
        tableSize: 164
      }
    ]
  },
  {
    huffman: true,
    maxTableSize: 4096,
    examples: [
      { section: "C.4.1", block: "828684418cf1e3c2e5f23a6ba0ab90f4ff", fields: request1, table: table1, tableSize: 57 },
      { section: "C.4.2", block: "828684be5886a8eb10649cbf", fields: request2, table: table2, tableSize: 110 },
      {
        section: "C.4.3",
        block: "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
        fields: request3,
        table: table3,
        tableSize: 164
      }
    ]
  },
  {
    huffman: false,
    maxTableSize: 256,
    examples: [
      {
        section: "C.5.1",
        block: "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54" +
          "6e1768747470733a2f2f7777772e6578616d706c652e636f6d",
        fields: response1,
        table: answers1,
        tableSize: 222
      },
      { section: "C.5.2", block: "4803333037c1c0bf", fields: response2, table: answers2, tableSize: 222 },
      {
        section: "C.5.3",
        block: "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d" +
          "4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b207665" +
          "7273696f6e3d31",
        fields: response3,
        table: answers3,
        tableSize: 215
      }
    ]
  },
  {
    huffman: true,
    maxTableSize: 256,
    examples: [
      {
        section: "C.6.1",
        block: "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b" +
          "97c8e9ae82ae43d3",
        fields: response1,
        table: answers1,
        tableSize: 222
      },
      { section: "C.6.2", block: "4883640effc1c0bf", fields: response2, table: answers2, tableSize: 222 },
      {
        section: "C.6.3",
        block: "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdf" +
          "cd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
        fields: response3,
        table: answers3,
        tableSize: 215
      }
    ]
  }
]

describe("RFC 7541 appendix C", () => {
  for (const [value, prefix, expected] of [[10, 0x1f, "0a"], [1337, 0x1f, "1f9a0a"], [42, 0xff, "2a"]] as const) {
    it(`C.1: the integer ${value} in a prefix of ${Math.log2(prefix + 1)} bits`, () => {
      const target = new Uint8Array(8)
      assert.strictEqual(toHex(target.subarray(0, writeInteger(target, 0, 0, prefix, value))), expected)
    })
  }

  const literals: ReadonlyArray<readonly [string, string, ReadonlyArray<string>, Hpack.EncoderOptions, number]> = [
    ["C.2.1", "400a637573746f6d2d6b65790d637573746f6d2d686561646572", ["custom-key", "custom-header"], {}, 55],
    ["C.2.2", "040c2f73616d706c652f70617468", [":path", "/sample/path"], { unindexed: [":path"] }, 0],
    ["C.2.3", "100870617373776f726406736563726574", ["password", "secret"], { sensitive: ["password"] }, 0],
    ["C.2.4", "82", [":method", "GET"], {}, 0]
  ]
  for (const [section, block, fields, options, tableSize] of literals) {
    it(`${section}: both ways`, () => {
      const decoder = new Hpack.Decoder()
      const encoder = new Hpack.Encoder({ huffman: false, ...options })
      assert.deepStrictEqual(decoder.decode(hex(block)), [...fields])
      assert.strictEqual(decoder.tableSize, tableSize)
      assert.strictEqual(toHex(encoder.encode(fields)), block)
      assert.strictEqual(encoder.tableSize, tableSize)
    })
  }

  for (const { examples, huffman, maxTableSize } of series) {
    it(`${examples.map((example) => example.section).join(", ")}: both ways, one after the other`, () => {
      const decoder = new Hpack.Decoder({ maxTableSize })
      const encoder = new Hpack.Encoder({ huffman, maxTableSize })
      for (const { block, fields, section, table, tableSize } of examples) {
        assert.deepStrictEqual(decoder.decode(hex(block)), [...fields], section)
        assert.deepStrictEqual(decoder.table, [...table], section)
        assert.strictEqual(decoder.tableSize, tableSize, section)
        assert.strictEqual(toHex(encoder.encode(fields)), block, section)
        assert.strictEqual(encoder.tableSize, tableSize, section)
      }
    })
  }
})

describe("blocks that a decoder must refuse", () => {
  const insert = "400161" + "0162"
  const cases: ReadonlyArray<readonly [name: string, section: string, blocks: ReadonlyArray<string>, error: RegExp]> = [
    ["index 0", "RFC 7541 section 6.1", ["80"], /index 0/],
    ["an index behind the static table while the dynamic one is empty", "RFC 7541 section 2.3.3", ["be"], /beyond/],
    ["an index one beyond the dynamic table", "RFC 7541 section 2.3.3", [insert, "bf"], /beyond/],
    ["a name index beyond the table", "RFC 7541 section 2.3.3", ["7f000161"], /beyond/],
    ["an entry that was evicted", "RFC 7541 section 4.3", [insert, "20be"], /beyond/],
    ["an integer of too many bytes", "RFC 7541 section 5.1", ["ff8080808001"], /too large/],
    ["an integer that is zero in too many bytes", "RFC 7541 section 5.1", ["ff8080808000"], /too large/],
    ["an integer above 2^31", "RFC 7541 section 5.1", ["ffffffffff7f"], /too large/],
    ["an integer that is cut off", "RFC 7541 section 5.1", ["ff80"], /cuts off/],
    ["a length that is cut off", "RFC 7541 section 5.2", ["00"], /cuts off/],
    ["a string longer than the block", "RFC 7541 section 5.2", ["00036162"], /cuts off/],
    ["a value that is missing", "RFC 7541 section 5.2", ["000161"], /cuts off/],
    ["a string length near 2^28", "RFC 7541 section 5.2", ["007fffffff7f"], /cuts off/],
    ["EOS in a string", "RFC 7541 section 5.2", ["000161" + "84ffffffff"], /Huffman/],
    ["padding of 8 bits", "RFC 7541 section 5.2", ["000161" + "821fff"], /Huffman/],
    ["padding of zeros", "RFC 7541 section 5.2", ["000161" + "8118"], /Huffman/],
    ["padding that is not the start of EOS", "RFC 7541 section 5.2", ["000161" + "811e"], /Huffman/],
    ["a Huffman string of padding alone, a whole byte", "RFC 7541 section 5.2", ["000161" + "81ff"], /Huffman/],
    ["a code word that is cut off", "RFC 7541 section 5.2", ["000161" + "82fffe"], /Huffman/],
    ["a size update above what was allowed", "RFC 7541 section 6.3", ["3fe21f"], /above the size/],
    ["a size update behind a field", "RFC 7541 section 4.2", ["8820"], /behind a field/]
  ]
  for (const [name, section, blocks, error] of cases) {
    it(`${name} (${section})`, () => {
      const decoder = new Hpack.Decoder()
      for (const block of blocks.slice(0, -1)) decoder.decode(hex(block))
      assert.throws(() => decoder.decode(hex(blocks.at(-1) ?? "")), error)
    })
  }

  it("the largest allowed size update -> accepted (RFC 7541 section 6.3)", () => {
    assert.deepStrictEqual(new Hpack.Decoder().decode(hex("3fe11f88")), [":status", "200"])
  })

  it("a list above the limits -> refused, but the table stays in sync", () => {
    const decoder = new Hpack.Decoder({ maxHeaderListSize: 100 })
    const encoder = new Hpack.Encoder()
    const big = ["a", "1".repeat(50), "b", "2".repeat(50)]
    assert.throws(() => decoder.decode(encoder.encode(big)), /larger than the limits/)
    assert.deepStrictEqual(decoder.decode(encoder.encode(["b", "2".repeat(50)])), ["b", "2".repeat(50)])
    const few = new Hpack.Decoder({ maxHeaderCount: 2 })
    assert.throws(() => few.decode(hex("888888")), /larger than the limits/)
    assert.deepStrictEqual(few.decode(hex("8888")), [":status", "200", ":status", "200"])
  })

  it("the limits are 65,536 bytes, 1,000 fields and a table of 4,096 bytes unless others are given", () => {
    const list = (options: Hpack.DecoderOptions, ...lengths: ReadonlyArray<number>): string => {
      const decoder = new Hpack.Decoder(options)
      // each field counts 1 + 32 more
      const fields = lengths.flatMap((length) => ["a", "v".repeat(length - 33)])
      try {
        return `${decoder.decode(new Hpack.Encoder({ unindexed: ["a"] }).encode(fields)).length / 2}`
      } catch (error) {
        return error instanceof Hpack.HpackError ? `${error.name}: ${error.kind}: ${error.message}` : "?"
      }
    }
    const tooLarge = "HpackError: too-large: The header list is larger than the limits allow"
    assert.deepStrictEqual([list({}, 65_536), list({}, 65_537)], ["1", tooLarge])
    const thousand = new Array<number>(1_000).fill(33)
    assert.deepStrictEqual([list({}, ...thousand), list({}, ...thousand, 33)], ["1000", tooLarge])
    const lists = [
      list({ maxHeaderListSize: 33 }, 33),
      list({ maxHeaderListSize: 32 }, 33),
      list({ maxHeaderCount: 0 }, 33)
    ]
    assert.deepStrictEqual(lists, ["1", tooLarge, tooLarge])
    const [decoder, encoder] = [new Hpack.Decoder(), new Hpack.Encoder()]
    decoder.decode(encoder.encode(["a", "v".repeat(4_096 - 33)]))
    assert.deepStrictEqual([decoder.tableSize, encoder.tableSize], [4_096, 4_096])
    decoder.decode(encoder.encode(["b", "v".repeat(4_096 - 32)]))
    assert.deepStrictEqual([decoder.tableSize, encoder.tableSize], [0, 0])
  })

  it("the error has the reason and its kind", () => {
    try {
      new Hpack.Decoder().decode(hex("80"))
      assert.fail("it was decoded")
    } catch (error) {
      assert.instanceOf(error, Hpack.HpackError)
      if (!(error instanceof Hpack.HpackError)) return
      assert.deepStrictEqual(
        [error.name, error.kind, error.message],
        ["HpackError", "malformed", "The header block holds an indexed field with index 0"]
      )
    }
  })

  it("an entry larger than the table empties it (RFC 7541 section 4.4)", () => {
    const decoder = new Hpack.Decoder({ maxTableSize: 64 })
    const encoder = new Hpack.Encoder({ maxTableSize: 64 })
    decoder.decode(encoder.encode(["a", "b"]))
    assert.strictEqual(decoder.tableSize, 34)
    decoder.decode(encoder.encode(["a", "b".repeat(64)]))
    assert.strictEqual(decoder.tableSize, 0)
    assert.strictEqual(encoder.tableSize, 0)
  })
})

describe("an encoder", () => {
  it("encodes with Huffman codes by default, and leaves out a name without a value", () => {
    assert.strictEqual(toHex(new Hpack.Encoder().encode([":path", "/aaaa"])), "4484606318ff")
    assert.strictEqual(toHex(new Hpack.Encoder().encode([":method", "GET", "a"])), "82")
  })

  it("inserts nothing that is named as sensitive or as unindexed; sensitive fields are never to be indexed", () => {
    const encoder = new Hpack.Encoder({ huffman: false, sensitive: ["x"], unindexed: ["x", "y"] })
    assert.strictEqual(
      toHex(encoder.encode(["x", "1", "y", "2", "z", "3"])),
      "1001780131" + "0001790132" + "40017a0133"
    )
    assert.strictEqual(encoder.tableSize, 34)
  })
})

describe("size updates of the encoder (RFC 7541 section 4.2)", () => {
  it("several changes -> the smallest and the last are sent", () => {
    const encoder = new Hpack.Encoder()
    const decoder = new Hpack.Decoder()
    decoder.decode(encoder.encode(["a", "b"]))
    encoder.setMaxTableSize(0)
    encoder.setMaxTableSize(100)
    const block = encoder.encode(["a", "b"])
    assert.strictEqual(toHex(block.subarray(0, 3)), "203f45")
    assert.deepStrictEqual(decoder.decode(block), ["a", "b"])
    assert.deepStrictEqual(decoder.table, ["a", "b"])
  })

  it("a character above 255 -> refused, and nothing is changed", () => {
    const encoder = new Hpack.Encoder()
    assert.throws(() => encoder.encode(["a", "b", "c", "\u0100"]), TypeError, "above U+00FF at index 0")
    assert.throws(() => encoder.encode(["a", "b", "c", "xy\u20ac"]), TypeError, "above U+00FF at index 2")
    assert.strictEqual(toHex(new Hpack.Encoder({ huffman: false }).encode([":path", "\u00ff"])), "4401ff")
    assert.strictEqual(encoder.tableSize, 0)
  })
})

const text = fc.oneof(
  fc.string({ maxLength: 80 }),
  fc.constantFrom("", "200", "apns-id", "eabeae54-14a8-11e5-b60b-1697f925ec7b", "a".repeat(200)),
  fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 40 }).map((codes) => String.fromCharCode(...codes))
).map((value) => value.replace(/[^\0-\u00ff]/g, "?"))

describe("properties", () => {
  it("Huffman: encoded text is decoded again, and has the computed length", () => {
    fc.assert(
      fc.property(text, (value) => {
        const target = new Uint8Array(value.length * 4 + 8)
        const end = Huffman.encode(value, target, 0)
        assert.strictEqual(end, Huffman.encodedLength(value))
        const decoded = Buffer.alloc(end * 2 + 2)
        const length = Huffman.decode(target, 0, end, decoded)
        assert.strictEqual(decoded.toString("latin1", 0, Math.max(length, 0)), value)
      }),
      { numRuns: 2000 }
    )
  })

  it("Huffman: every pair of symbols", () => {
    const target = new Uint8Array(16)
    const decoded = Buffer.alloc(32)
    for (let first = 0; first < 256; first++) {
      for (let second = 0; second < 256; second++) {
        const value = String.fromCharCode(first, second)
        const length = Huffman.decode(target, 0, Huffman.encode(value, target, 0), decoded)
        if (length !== 2 || decoded[0] !== first || decoded[1] !== second) assert.fail(`${first} ${second}`)
      }
    }
  })

  it("any sequence of lists and table sizes -> decoded to what was encoded", () => {
    const list = fc.array(text, { maxLength: 12 }).map((all) => all.length % 2 === 0 ? all : all.slice(1))
    const step = fc.oneof(
      { weight: 4, arbitrary: list },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 4096 }) }
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), fc.boolean(), (steps, huffman) => {
        const encoder = new Hpack.Encoder({ huffman, sensitive: ["apns-id"], unindexed: ["200"] })
        const decoder = new Hpack.Decoder()
        for (const value of steps) {
          if (typeof value === "number") {
            encoder.setMaxTableSize(value)
          } else {
            assert.deepStrictEqual(decoder.decode(encoder.encode(value)), value)
            assert.strictEqual(decoder.tableSize, encoder.tableSize)
          }
        }
      }),
      { numRuns: 1000 }
    )
  })

  it("any bytes -> the decoder only throws its own error", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 5 }), (blocks) => {
        const decoder = new Hpack.Decoder()
        for (const block of blocks) {
          try {
            decoder.decode(block)
          } catch (error) {
            if (!(error instanceof Hpack.HpackError)) throw error
            if (error.kind === "malformed") return
          }
          assert.isAtMost(decoder.tableSize, 4096)
        }
      }),
      { numRuns: 5000 }
    )
  })

  it("a slice of a larger array is decoded as well", () => {
    assert.deepStrictEqual(new Hpack.Decoder().decode(hex("ffff88ff"), 2, 3), [":status", "200"])
    assert.deepStrictEqual(new Hpack.Decoder().decode(bytesOf("\x88")), [":status", "200"])
  })
})
