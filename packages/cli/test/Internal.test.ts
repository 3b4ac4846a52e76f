import { assert, describe, it } from "@effect/vitest"
import { Chunk, Console, Effect, Either, FastCheck, Layer, Stream, TestClock } from "effect"
import { Fingerprints } from "../src/internal/fingerprints.js"
import { apnsIdOf, requestOf } from "../src/internal/journal.js"
import { LineSplitter, maxLineBytes, tokens } from "../src/internal/lines.js"
import * as Progress from "../src/internal/progress.js"

const bytes = (text: string) => new TextEncoder().encode(text)

const read = (parts: ReadonlyArray<Uint8Array>) =>
  Stream.runCollect(tokens(Stream.fromIterable(parts), (line) => line, () => {})).pipe(
    Effect.map(Chunk.toReadonlyArray)
  )

describe("tokens", () => {
  it.prop("are the same however the bytes are cut", [
    FastCheck.array(
      FastCheck.oneof(
        FastCheck.constantFrom("", "# é", " 00ff ", "00ff\r"),
        FastCheck.stringMatching(/^[0-9a-f]{1,80}$/)
      )
    ),
    FastCheck.array(FastCheck.nat(50)),
    FastCheck.boolean()
  ], ([lines, cuts, ended]) => {
    const whole = bytes(lines.join("\n") + (ended ? "\n" : ""))
    const parts: Array<Uint8Array> = []
    let at = 0
    for (const cut of cuts) parts.push(whole.subarray(at, at += cut))
    parts.push(whole.subarray(at))
    const expected = lines.map((text, i) => ({ line: i + 1, token: text.trim() }))
      .filter(({ token }) => token !== "" && !token.startsWith("#"))
    assert.deepStrictEqual(Effect.runSync(read(parts)), expected)
  })

  it.effect("a line that never ends is refused before it fills the memory", () =>
    Effect.gen(function*() {
      const endless = Stream.repeatValue(bytes("0".repeat(65_536)))
      const result = yield* Effect.either(Stream.runDrain(tokens(endless, (line) => line, () => {})))
      assert.deepStrictEqual(result, Either.left(1))
      assert.isBelow(maxLineBytes, 2 ** 24)
    }))
})

describe("LineSplitter", () => {
  it("knows how many bytes are whole lines, and what is torn", () => {
    const splitter = new LineSplitter()
    assert.deepStrictEqual(splitter.push(bytes("é\nb")), ["é"])
    assert.deepStrictEqual(splitter.push(bytes("c\nd")), ["bc"])
    assert.strictEqual(splitter.complete, bytes("é\nbc\n").length)
    assert.strictEqual(splitter.torn, "d")
  })
})

describe("Fingerprints", () => {
  it.prop("knows each line that was added, with its token, and no other", [
    FastCheck.uniqueArray(FastCheck.tuple(FastCheck.integer({ min: 1, max: 100_000 }), FastCheck.hexaString()), {
      selector: ([line]) => line
    })
  ], ([added]) => {
    const done = new Fingerprints()
    for (const [line, token] of added) done.add(line, token)
    const lines = new Set(added.map(([line]) => line))
    for (const [line, token] of added) {
      assert.isTrue(done.matches(line, token))
      assert.isFalse(done.matches(line, `${token}0`))
      assert.strictEqual(done.has(line + 1), lines.has(line + 1))
    }
  })
})

describe("apnsIdOf", () => {
  it("is the version 5 UUID of the line in the run", () => {
    const idOf = apnsIdOf("4dd58a81-9328-45c6-a587-4bd76aed1d84")
    assert.strictEqual(idOf(1), "7d9d514f-f179-5e67-bae7-9da99f989d5e")
    assert.strictEqual(idOf(1_000_000), "b35d65c8-eaa5-5e1f-a74a-d78d4de1522a")
  })
})

describe("requestOf", () => {
  it("tells apart what only looks the same when joined", () => {
    const requests = [["ab", "c"], ["a", "bc"], ["abc", undefined], [undefined, "abc"], ["ab", bytes("c")]]
    assert.strictEqual(new Set(requests.map(requestOf)).size, 4)
  })
})

describe("Progress", () => {
  const state: Progress.State = { accepted: 1_500, rejected: 2, failed: 0, settled: 1_000, fraction: 0.5 }

  it("shows how far, how fast, what became of them, and how long it takes", () => {
    assert.strictEqual(
      Progress.draw(state, 10, 0.25, 200),
      "████████████░░░░░░░░░░░░  50 %  0:20 left  1,502 done  100/s  1,500 accepted  2 rejected"
    )
    assert.strictEqual(
      Progress.draw({ ...state, fraction: undefined, failed: 3 }, 10, 0, 200),
      "1,505 done  100/s  1,500 accepted  2 rejected  3 failed"
    )
    assert.strictEqual(Progress.draw(state, 10, 0.25, 20).length, 19)
    assert.include(Progress.draw({ ...state, fraction: 0.001 }, 10, 0, 200), "2:46:30 left")
  })

  const screen = (isTerminal: boolean) => {
    const texts: Array<string> = []
    const layer = Layer.succeed(Progress.Screen, { isTerminal, columns: () => 200, write: (text) => texts.push(text) })
    return { texts, layer }
  }

  it.effect("redraws one line on a terminal, and leaves none behind", () => {
    const { layer, texts } = screen(true)
    return Effect.gen(function*() {
      yield* Effect.scoped(Effect.gen(function*() {
        const say = yield* Progress.show(() => state)
        yield* TestClock.adjust("1 second")
        yield* say("Hello").pipe(Console.withConsole({
          ...yield* Effect.console,
          error: (text) => Effect.sync(() => texts.push(text))
        }))
      }))
      assert.strictEqual(texts.length, 5 + 2)
      for (const text of texts) assert.match(text, /^\r/)
      assert.strictEqual(texts[5]?.slice(4), "Hello")
      assert.strictEqual(texts[6]?.slice(4), "")
    }).pipe(Effect.provide(layer))
  })

  it.effect("writes a plain line now and then elsewhere", () => {
    const { layer, texts } = screen(false)
    return Effect.gen(function*() {
      yield* Effect.scoped(Effect.gen(function*() {
        yield* Progress.show(() => state)
        yield* TestClock.adjust("25 seconds")
      }))
      assert.strictEqual(texts.length, 2)
      assert.match(texts[1] ?? "", /1,502 done {2}50\/s .* accepted.*\n$/)
    }).pipe(Effect.provide(layer))
  })
})
