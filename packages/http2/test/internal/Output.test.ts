import { assert, describe, it } from "@effect/vitest"
import { Output } from "../../src/internal/output.js"

/** Writes `count` bytes of value `value`. */
const write = (output: Output, count: number, value: number): void => {
  const bytes = output.reserve(count)
  bytes.fill(value, output.length, output.length + count)
  output.length += count
}

const take = (output: Output): Uint8Array => output.take() ?? new Uint8Array(0)

describe("Output", () => {
  it("take at first -> undefined; nothing is taken twice", () => {
    const output = new Output()
    assert.isUndefined(output.take())
    write(output, 3, 7)
    assert.deepStrictEqual([...take(output)], [7, 7, 7])
    assert.strictEqual(output.length, 0)
    assert.isUndefined(output.take())
  })

  it("starts with 16 KiB, and keeps what was written when it has to grow", () => {
    const output = new Output()
    assert.strictEqual(output.reserve(1).length, 16_384)
    assert.strictEqual(output.reserve(16_384).length, 16_384)
    write(output, 10, 1)
    assert.strictEqual(output.reserve(16_374).length, 16_384)
    assert.strictEqual(output.reserve(16_375).length, 32_768)
    write(output, 70_000, 2)
    const bytes = take(output)
    assert.strictEqual(bytes.length, 70_010)
    assert.isTrue(bytes.every((byte, i) => byte === (i < 10 ? 1 : 2)))
  })

  it("uses memory again once it was released, not before", () => {
    const output = new Output()
    write(output, 1, 1)
    const first = take(output)
    write(output, 1, 2)
    const second = take(output)
    assert.notStrictEqual(first.buffer, second.buffer)
    assert.deepStrictEqual([...first], [1])
    output.release(first)
    write(output, 1, 3)
    assert.strictEqual(take(output).buffer, first.buffer)
  })

  it("ignores memory that it did not hand out, or that was released before", () => {
    const output = new Output()
    output.release(new Uint8Array(4))
    write(output, 1, 1)
    const bytes = take(output)
    output.release(new Uint8Array(4))
    output.release(bytes)
    output.release(bytes)
    write(output, 1, 2)
    const again = take(output)
    assert.strictEqual(again.buffer, bytes.buffer)
    // given back twice, it is there once
    write(output, 1, 3)
    assert.notStrictEqual(take(output).buffer, bytes.buffer)
  })

  it("keeps two pieces of memory at most", () => {
    const output = new Output()
    const all = [1, 2, 3].map((value) => {
      write(output, 1, value)
      return take(output)
    })
    for (const bytes of all) output.release(bytes)
    const again = [1, 2, 3].map((value) => {
      write(output, 1, value)
      return take(output).buffer
    })
    const known = all.map(({ buffer }) => buffer)
    assert.deepStrictEqual(again.map((buffer) => known.indexOf(buffer)), [1, 0, -1])
  })

  it("keeps up to 1 MiB, not more, and starts as large as the largest output was", () => {
    for (const [size, kept] of [[1_048_576, true], [1_048_577, false]] as const) {
      const output = new Output()
      write(output, size, 1)
      const bytes = take(output)
      output.release(bytes)
      const next = output.reserve(1)
      assert.strictEqual(next.buffer === bytes.buffer, kept)
      assert.strictEqual(next.length, 1_048_576)
    }
    const output = new Output()
    write(output, 20_000, 1)
    take(output)
    assert.strictEqual(output.reserve(1).length, 32_768)
  })

  it("allocates new memory if the released memory is too small", () => {
    const output = new Output()
    write(output, 1, 1)
    const small = take(output)
    output.release(small)
    assert.strictEqual(output.reserve(16_385).length, 32_768)
  })

  it("keeps the same memory while there is room in it, to the last byte", () => {
    const output = new Output()
    const first = output.reserve(1)
    assert.strictEqual(output.reserve(16_384).buffer, first.buffer)
    write(output, 384, 1)
    assert.strictEqual(output.reserve(16_000).buffer, first.buffer)
    output.release(take(output))
    // memory that came back is used for exactly as much as it holds
    assert.strictEqual(output.reserve(16_384).buffer, first.buffer)
  })

  it("memory of others is given back while ours is out -> ours is not written to", () => {
    const output = new Output()
    write(output, 1, 1)
    const bytes = take(output)
    output.release(new Uint8Array(4))
    write(output, 1, 2)
    assert.notStrictEqual(take(output).buffer, bytes.buffer)
  })

  it("much was reserved but little written -> the next memory is no larger", () => {
    const output = new Output()
    output.reserve(100_000)
    write(output, 1, 1)
    take(output)
    assert.strictEqual(output.reserve(1).length, 16_384)
  })
})
