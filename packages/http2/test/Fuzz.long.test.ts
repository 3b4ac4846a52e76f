import { Frame, Hpack } from "@effect-apns/http2"
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { loadCorpus } from "./fuzz/corpus.js"
import { fuzz, generate, mutate, probe, run } from "./fuzz/fuzz.js"
import { greeted, hex, noBody, Random } from "./utils.js"

const seed = 20_260_101

describe("hostile input", () => {
  it("the corpus in pieces of any size -> the same events, no broken invariant", () => {
    const corpus = loadCorpus()
    assert.isAbove(corpus.length, 50)
    for (const input of corpus) {
      const whole = run(input, () => input.length)
      assert.deepStrictEqual(whole.problems, [])
      for (const size of [1, 2, 3, 7, 9, 10, 100]) assert.strictEqual(run(input, () => size).story, whole.story)
    }
  })

  it("random input in pieces of any size -> the same events", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
        (start, sizes) => {
          const random = new Random(start)
          const well = generate(random)
          const input = random.below(2) === 0 ? well : mutate(random, well, generate(random))
          let at = 0
          const whole = run(input, () => input.length)
          assert.deepStrictEqual(whole.problems, [])
          assert.strictEqual(run(input, () => sizes[at++ % sizes.length] ?? 1).story, whole.story)
        }
      ),
      { numRuns: 1_000, seed }
    )
  })

  it("200,000 times: no exception, no stream settled twice or lost, no growth", () => {
    const random = new Random(seed)
    const corpus = loadCorpus()
    const pick = (): Uint8Array => corpus[random.below(corpus.length)] ?? noBody
    const pieces = (): number => random.below(4) === 0 ? 1 + random.below(20) : 5_000
    for (let i = 0; i < 200_000; i++) {
      // as it comes, changed, or noise behind a proper greeting
      const input = i % 4 === 0
        ? generate(random)
        : i % 4 === 1
        ? Frame.concat([Frame.settings(), random.bytes(random.below(100))])
        : mutate(random, pick(), pick())
      const problems = probe(input, pieces)
      if (problems.length > 0) assert.fail(`${problems.join("; ")} for ${Buffer.from(input).toString("hex")}`)
      // what is new becomes material, up to a bound
      if (i % 50 === 0 && corpus.length < 1_000 && input.length < 2_000) corpus.push(input)
    }
  })

  it("the search finds new kinds of answers without a corpus", () => {
    const kinds: Array<string> = []
    const report = fuzz(new Random(seed), [], ({ inputs }) => inputs < 3_000, (_input, kind) => kinds.push(kind))
    assert.deepStrictEqual(report.failures, [])
    assert.isAbove(kinds.length, 40)
  })

  it("a stream settled twice, lost, or settled while open -> the invariants find it", () => {
    const { driver } = greeted()
    const [twice, lost, open] = [driver.request(), driver.request(), driver.request()]
    driver.receive(Frame.headers(1, hex("88"), { endStream: true }))
    assert.deepStrictEqual(driver.problems(), [])
    twice.settled++
    driver.session.reset(lost, 8)
    open.settled++
    assert.deepStrictEqual(driver.problems(), [
      "stream 1 was settled 2 times",
      "stream 3 is closed without a word",
      "stream 5 is open and settled"
    ])
    // and the same bytes in other pieces are compared by all that was heard and said
    const input = Frame.concat([Frame.settings([[3, 8]]), Frame.ping(7)])
    const whole = run(input, () => input.length)
    assert.notStrictEqual(run(input.subarray(0, input.length - 1), () => input.length).story, whole.story)
  })

  it("100,000 header blocks, one after the other on one decoder", () => {
    const random = new Random(seed)
    const blocks = Array.from(
      { length: 20 },
      (_, i) =>
        new Hpack.Encoder({ huffman: i % 2 === 0 }).encode([":status", "200", "apns-id", `${i}`.repeat(i), "x", "y"])
    )
    let decoder = new Hpack.Decoder()
    let malformed = 0
    for (let i = 0; i < 100_000; i++) {
      const block = i % 3 === 0
        ? random.bytes(random.below(30))
        : mutate(random, blocks[random.below(20)] ?? noBody, blocks[random.below(20)] ?? noBody)
      try {
        decoder.decode(block)
      } catch (error) {
        if (!(error instanceof Hpack.HpackError)) throw error
        if (error.kind === "malformed") {
          malformed++
          decoder = new Hpack.Decoder()
        }
      }
      if (decoder.tableSize > 4096) assert.fail("the table has grown")
    }
    assert.isAbove(malformed, 1_000)
    assert.isBelow(malformed, 99_000)
  })
})
