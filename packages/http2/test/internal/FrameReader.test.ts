import { Frame } from "@effect-apns/http2"
import { assert, describe, it } from "@effect/vitest"
import { FrameReader } from "../../src/internal/frameReader.js"
import { Random } from "../utils.js"

interface Seen {
  readonly type: number
  readonly flags: number
  readonly payload: string
}

class Listener {
  readonly headers: Array<string> = []
  readonly seen: Array<Seen> = []
  admitsAll = true
  onFrame: () => void = () => {}
  readonly reader = new FrameReader(this)

  admits(length: number, type: number, flags: number): boolean {
    this.headers.push(`${length} ${type} ${flags}`)
    return this.admitsAll
  }

  frame(bytes: Buffer, offset: number, end: number): void {
    const header = Frame.readHeader(bytes, offset)
    assert.strictEqual(end - offset, Frame.headerLength + (header?.length ?? -1))
    this.seen.push({
      type: header?.type ?? -1,
      flags: header?.flags ?? -1,
      payload: bytes.toString("hex", offset + Frame.headerLength, end)
    })
    this.onFrame()
  }

  push(bytes: Uint8Array): void {
    this.reader.push(Buffer.from(bytes))
  }
}

const frames = [
  Frame.frame(6, 1, 0, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)),
  Frame.frame(0, 3, 1, new Uint8Array(0)),
  Frame.frame(0, 0, 3, new Uint8Array(16_384).fill(9)),
  Frame.frame(1, 255, 3, Uint8Array.of(5)),
  Frame.frame(0x42, 0, 0, new Uint8Array(300).fill(4))
]
const all = Frame.concat(frames)
const whole = (): ReadonlyArray<Seen> => {
  const listener = new Listener()
  listener.push(all)
  return listener.seen
}

describe("FrameReader", () => {
  it("passes on each frame, and checks its header before", () => {
    const listener = new Listener()
    listener.push(all)
    assert.deepStrictEqual(listener.seen.map(({ flags, payload, type }) => [type, flags, payload.length / 2]), [
      [6, 1, 8],
      [0, 3, 0],
      [0, 0, 16_384],
      [1, 255, 1],
      [0x42, 0, 300]
    ])
    assert.deepStrictEqual(listener.headers, ["8 6 1", "0 0 3", "16384 0 0", "1 1 255", "300 66 0"])
  })

  it("in chunks of any size", () => {
    const expected = whole()
    for (const size of [1, 2, 3, 8, 9, 10, 17, 18, 19, 100, 16_393, 16_394]) {
      const listener = new Listener()
      for (let at = 0; at < all.length; at += size) listener.push(all.subarray(at, at + size))
      assert.deepStrictEqual(listener.seen, expected, `${size}`)
      // no header is judged before all of it is there
      assert.deepStrictEqual([...new Set(listener.headers)], ["8 6 1", "0 0 3", "16384 0 0", "1 1 255", "300 66 0"])
    }
    const random = new Random(3)
    for (let round = 0; round < 200; round++) {
      const listener = new Listener()
      for (let at = 0; at < all.length;) {
        const size = random.below(4) === 0 ? random.below(12) : random.below(9_000)
        const chunk = Buffer.from(all.subarray(at, at + size))
        listener.reader.push(chunk)
        // it keeps no reference to the chunk
        chunk.fill(0xee)
        at += size
      }
      assert.deepStrictEqual(listener.seen, expected)
    }
  })

  it("checks a header as soon as it is complete, and stops reading if it is refused", () => {
    for (const cut of [9, 12, 16]) {
      const listener = new Listener()
      listener.admitsAll = false
      listener.push(all.subarray(0, 5))
      assert.deepStrictEqual(listener.headers, [])
      listener.push(all.subarray(5, cut))
      assert.deepStrictEqual(listener.headers, ["8 6 1"])
      listener.reader.stop()
      listener.push(all.subarray(cut))
      assert.deepStrictEqual([listener.headers.length, listener.seen.length], [1, 0])
    }
    const listener = new Listener()
    listener.admitsAll = false
    listener.push(all)
    assert.deepStrictEqual([listener.headers.length, listener.seen.length], [1, 0])
  })

  it("stops in the middle of a chunk when it is told to", () => {
    const listener = new Listener()
    listener.onFrame = () => listener.reader.stop()
    listener.push(all)
    listener.push(all)
    assert.lengthOf(listener.seen, 1)
    assert.lengthOf(listener.headers, 1)
    const inPieces = new Listener()
    inPieces.onFrame = () => inPieces.reader.stop()
    inPieces.push(all.subarray(0, 11))
    inPieces.push(all.subarray(11))
    assert.lengthOf(inPieces.seen, 1)
  })

  it("reads a chunk that its handler pushes after the current one", () => {
    const listener = new Listener()
    let pushed = false
    listener.onFrame = () => {
      if (pushed) return
      pushed = true
      listener.push(frames[1] ?? all)
      listener.push(frames[3] ?? all)
    }
    listener.push(all)
    assert.deepStrictEqual(listener.seen.map(({ type }) => type), [6, 0, 0, 1, 0x42, 0, 1])
    // and where it is told to stop, nothing of it
    const stopped = new Listener()
    stopped.onFrame = () => {
      stopped.push(all)
      stopped.reader.stop()
    }
    stopped.push(all)
    assert.lengthOf(stopped.seen, 1)
  })

  it("loses nothing if its handler throws, at any frame and in any pieces", () => {
    const expected = whole()
    for (const size of [all.length, 1, 10, 5_000]) {
      for (let bad = 0; bad < frames.length; bad++) {
        const listener = new Listener()
        let count = 0
        let thrown = 0
        listener.onFrame = () => {
          if (count++ === bad) throw new Error("the handler's")
        }
        const push = (bytes: Uint8Array): void => {
          try {
            listener.push(bytes)
          } catch (error) {
            assert.strictEqual(error instanceof Error ? error.message : "", "the handler's")
            thrown++
          }
        }
        for (let at = 0; at < all.length; at += size) push(all.subarray(at, at + size))
        push(new Uint8Array(0))
        assert.deepStrictEqual(listener.seen, expected, `${size} ${bad}`)
        assert.strictEqual(thrown, 1)
      }
    }
  })

  it("reads nothing more if its handler stops it and throws", () => {
    const listener = new Listener()
    listener.onFrame = () => {
      listener.reader.stop()
      throw new Error("the handler's")
    }
    assert.throws(() => listener.push(all), "the handler's")
    listener.push(all)
    assert.lengthOf(listener.seen, 1)
  })

  it("a frame without a payload at the end of a chunk -> handed out at once, not with the next chunk", () => {
    const listener = new Listener()
    listener.push(frames[1] ?? all)
    assert.lengthOf(listener.seen, 1)
    listener.push(Frame.concat([frames[3] ?? all, frames[1] ?? all]))
    assert.lengthOf(listener.seen, 3)
  })

  it("the rest of a header comes in a chunk that is larger than any frame -> every frame is handed out", () => {
    const expected = [...whole(), ...whole(), ...whole()]
    for (let cut = 1; cut < 20; cut++) {
      const listener = new Listener()
      listener.push(all.subarray(0, cut))
      listener.push(Frame.concat([all.subarray(cut), all, all]))
      assert.deepStrictEqual(listener.seen, expected, `${cut}`)
    }
  })
})
