import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { FrameScanner } from "../../src/internal/frames.js"
import { frame, Type } from "../utils/raw.js"

interface Event {
  readonly type: number
  readonly flags: number
  readonly streamId: number
  readonly payload: string
}

const frames = fc.array(
  fc.record({
    type: fc.oneof(
      fc.integer({ min: 0, max: 9 }),
      fc.constantFrom(Type.PING, Type.RST_STREAM, Type.WINDOW_UPDATE, 0xfe)
    ),
    flags: fc.integer({ min: 0, max: 255 }),
    streamId: fc.integer({ min: 0, max: 9 }),
    payload: fc.uint8Array({ maxLength: 40 })
  }),
  { maxLength: 20 }
)

const cut = (bytes: Buffer, cuts: ReadonlyArray<number>): Array<Buffer> => {
  const points = [...new Set(cuts.map((each) => each % (bytes.length + 1)))].sort((a, b) => a - b)
  return [0, ...points].map((from, i) => bytes.subarray(from, points[i] ?? bytes.length))
}

describe("FrameScanner", () => {
  it("passes on the frames byte for byte, in chunks of any size", () => {
    fc.assert(
      fc.property(frames, fc.array(fc.nat(2000)), fc.boolean(), (given, cuts, preface) => {
        const passes = (streamId: number): boolean => streamId % 3 !== 1
        const head = preface ? [Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")] : []
        const bytes = given.map(({ flags, payload, streamId, type }) => frame(type, flags, streamId, payload))
        const expected = Buffer.concat([...head, ...bytes.filter((_, i) => passes(given[i]?.streamId ?? 0))])
        const seen: Array<number> = []
        const control: Array<Event> = []
        const held: Array<readonly [number, number]> = []
        const scanner = new FrameScanner({
          passes: (_type, _flags, streamId, length) => {
            seen.push(length)
            return passes(streamId)
          },
          control: (type, flags, streamId, payload) =>
            control.push({ type, flags, streamId, payload: payload.toString("hex") }),
          heldWindowUpdate: (streamId, increment) => held.push([streamId, increment])
        }, preface)
        const out: Array<Buffer> = []
        for (const chunk of cut(Buffer.concat([...head, ...bytes]), cuts)) {
          scanner.scan(chunk, (piece) => out.push(Buffer.from(piece)))
        }
        assert.strictEqual(Buffer.concat(out).toString("hex"), expected.toString("hex"))
        assert.deepStrictEqual(seen, given.map(({ payload }) => payload.length))
        assert.deepStrictEqual(
          control,
          given
            .filter(({ type }) => type === Type.PING || type === Type.RST_STREAM || type === Type.GOAWAY)
            .map((each) => ({ ...each, payload: Buffer.from(each.payload).toString("hex") }))
        )
        assert.deepStrictEqual(
          held,
          given
            .filter(({ payload, streamId, type }) =>
              type === Type.WINDOW_UPDATE && !passes(streamId) && payload.length === 4
            )
            .map(({ payload, streamId }) => [streamId, Buffer.from(payload).readUInt32BE(0) & 0x7fffffff])
        )
      }),
      { numRuns: 500 }
    )
  })

  it("knows where another frame may be inserted: not inside a frame or a header block", () => {
    const scanner = new FrameScanner(
      { passes: () => true, control: () => {}, heldWindowUpdate: () => {} },
      false
    )
    const at = (bytes: Buffer): boolean => {
      scanner.scan(bytes, () => {})
      return scanner.atBoundary
    }
    const data = frame(Type.DATA, 0, 1, Buffer.alloc(10))
    assert.isTrue(scanner.atBoundary)
    assert.isFalse(at(data.subarray(0, 4)))
    assert.isFalse(at(data.subarray(4, 12)))
    assert.isTrue(at(data.subarray(12)))
    assert.isFalse(at(frame(Type.HEADERS, 0, 1, Buffer.alloc(3))))
    assert.isFalse(at(frame(Type.CONTINUATION, 0, 1, Buffer.alloc(3))))
    assert.isTrue(at(frame(Type.CONTINUATION, 4, 1, Buffer.alloc(0))))
    assert.isTrue(at(frame(Type.PING, 0, 0, Buffer.alloc(8))))
  })
})
