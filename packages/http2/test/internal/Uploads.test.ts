import { Frame } from "@effect-apns/http2"
import { assert, describe, it } from "@effect/vitest"
import { HeaderBlock } from "../../src/internal/headerBlock.js"
import { Output } from "../../src/internal/output.js"
import { Flow, Uploads } from "../../src/internal/uploads.js"

const setup = () => {
  const output = new Output()
  const uploads = new Uploads(output)
  const sent: Array<string> = []
  const reader = new Frame.Reader((type, flags, streamId, payload) => {
    assert.strictEqual(type, Frame.FrameType.DATA)
    sent.push(`${streamId}: ${payload.length}${flags === Frame.Flag.END_STREAM ? " end" : ""}`)
  })
  return {
    uploads,
    flow: (id: number, length: number) => {
      const flow = new Flow({ id, _sent: 0 })
      flow.upload = new Uint8Array(length)
      return flow
    },
    /** What a pump writes. */
    pump: (): ReadonlyArray<string> => {
      const frames = uploads.pump()
      const bytes = output.take()
      if (bytes !== undefined) reader.push(bytes)
      assert.strictEqual(sent.length, frames)
      return sent.splice(0)
    }
  }
}

describe("Uploads", () => {
  it("starts with the windows of the RFC (RFC 9113 sections 4.2 and 6.9.2)", () => {
    const { pump, uploads } = setup()
    assert.deepStrictEqual([uploads.window, uploads.streamWindow, uploads.maxFrameSize], [65_535, 65_535, 16_384])
    assert.isFalse(uploads.waiting)
    assert.deepStrictEqual(pump(), [])
  })

  it("sends bodies in order, in frames that the peer takes, and says where they end", () => {
    const { flow, pump, uploads } = setup()
    uploads.maxFrameSize = 100
    uploads.enqueue(flow(1, 250))
    uploads.enqueue(flow(3, 100))
    assert.isTrue(uploads.waiting)
    assert.deepStrictEqual(pump(), ["1: 100", "1: 100", "1: 50 end", "3: 100 end"])
    assert.isFalse(uploads.waiting)
    assert.strictEqual(uploads.window, 65_535 - 350)
  })

  it("stops at the end of the connection's window, and continues from there", () => {
    const { flow, pump, uploads } = setup()
    uploads.window = 120
    uploads.enqueue(flow(1, 100))
    uploads.enqueue(flow(3, 100))
    uploads.enqueue(flow(5, 100))
    assert.deepStrictEqual(pump(), ["1: 100 end", "3: 20"])
    assert.isTrue(uploads.waiting)
    assert.strictEqual(uploads.window, 0)
    assert.deepStrictEqual(pump(), [])
    uploads.window = 1
    assert.deepStrictEqual(pump(), ["3: 1"])
    uploads.window = 500
    assert.deepStrictEqual(pump(), ["3: 79 end", "5: 100 end"])
    assert.isFalse(uploads.waiting)
  })

  it("a body that waits for its stream's window delays no other, and is queued behind them", () => {
    const { flow, pump, uploads } = setup()
    uploads.streamWindow = 60
    const first = flow(1, 100)
    uploads.enqueue(first)
    uploads.enqueue(flow(3, 50))
    assert.deepStrictEqual(pump(), ["1: 60", "3: 50 end"])
    assert.isFalse(uploads.waiting)
    assert.strictEqual(uploads.windowOf(first.stream), 0)
    // nothing to send yet
    uploads.enqueue(first)
    assert.isFalse(uploads.waiting)
    first.stream._sent -= 10
    uploads.enqueue(flow(5, 5))
    uploads.enqueue(first)
    // being in line twice makes no difference
    uploads.enqueue(first)
    assert.deepStrictEqual(pump(), ["5: 5 end", "1: 10"])
    first.stream._sent -= 1_000
    uploads.enqueue(first)
    assert.deepStrictEqual(pump(), ["1: 30 end"])
    // sent to its end, it is never in line again
    uploads.enqueue(first)
    assert.isFalse(uploads.waiting)
  })

  it("smaller stream windows -> bodies leave the queue, and keep their order", () => {
    const { flow, pump, uploads } = setup()
    uploads.window = 10
    const bodies = [1, 3, 5].map((id) => flow(id, 100))
    for (const body of bodies) uploads.enqueue(body)
    assert.deepStrictEqual(pump(), ["1: 10"])
    uploads.streamWindow = 10
    uploads.requeue()
    uploads.window = 1_000
    assert.deepStrictEqual(pump(), ["3: 10", "5: 10"])
    assert.isFalse(uploads.waiting)
    uploads.streamWindow = 0
    uploads.requeue()
    uploads.streamWindow = 50
    for (const body of bodies) uploads.enqueue(body)
    assert.deepStrictEqual(pump(), ["1: 40", "3: 40", "5: 40"])
  })

  it("a body that has ended is not sent, at any place of the queue", () => {
    for (const gone of [[1], [3], [5], [1, 3], [1, 5], [3, 5], [1, 3, 5]]) {
      const { flow, pump, uploads } = setup()
      uploads.window = 0
      const bodies = [1, 3, 5].map((id) => flow(id, 10))
      for (const body of bodies) uploads.enqueue(body)
      for (const body of bodies) if (gone.includes(body.stream.id)) uploads.end(body)
      assert.strictEqual(uploads.waiting, gone.length < 3)
      assert.deepStrictEqual(bodies.map(({ open }) => open), [1, 3, 5].map((id) => !gone.includes(id)))
      uploads.window = 1_000
      assert.deepStrictEqual(pump(), [1, 3, 5].filter((id) => !gone.includes(id)).map((id) => `${id}: 10 end`))
      assert.isFalse(uploads.waiting)
    }
  })

  it("is empty as soon as no body waits, however many have ended: then a request may be sent at once", () => {
    const { flow, pump, uploads } = setup()
    uploads.window = 0
    const bodies = Array.from({ length: 100 }, (_, i) => flow(1 + 2 * i, 10))
    for (const body of bodies) uploads.enqueue(body)
    const queueLength = (): number => {
      const queue: unknown = Reflect.get(uploads, "queue")
      return Array.isArray(queue) ? queue.length : -1
    }
    for (const body of bodies.slice(0, 50)) uploads.end(body)
    assert.strictEqual(queueLength(), 100)
    for (const [i, body] of bodies.slice(50, 99).entries()) {
      uploads.end(body)
      // those that have ended are never more than half
      assert.isAtMost(queueLength(), 2 * (49 - i))
    }
    assert.isTrue(uploads.waiting)
    uploads.window = 10
    assert.deepStrictEqual(pump(), ["199: 10 end"])
    assert.strictEqual(queueLength(), 0)
    // one that does not wait has no place in line to give up
    uploads.window = 0
    uploads.enqueue(flow(301, 10))
    uploads.end(flow(303, 10))
    uploads.end(flow(305, 10))
    assert.isTrue(uploads.waiting)
    uploads.window = 10
    assert.deepStrictEqual(pump(), ["301: 10 end"])
  })

  it("removes ended bodies from the queue, so that they do not accumulate", () => {
    const { flow, pump, uploads } = setup()
    uploads.window = 0
    const bodies = Array.from({ length: 6 }, (_, i) => flow(1 + 2 * i, 10))
    for (const body of bodies) uploads.enqueue(body)
    for (const body of bodies.slice(3)) uploads.end(body)
    uploads.window = 30
    assert.deepStrictEqual(pump(), ["1: 10 end", "3: 10 end", "5: 10 end"])
    assert.isFalse(uploads.waiting)
  })

  it("a body is sent with the bytes it has, in as many frames as the windows and the frame size ask for", () => {
    const body = Uint8Array.from({ length: 1_000 }, (_, i) => i % 251)
    for (
      const [window, streamWindow, maxFrameSize] of [[65_535, 65_535, 16_384], [65_535, 65_535, 300], [
        400,
        300,
        100
      ]] as const
    ) {
      const output = new Output()
      const uploads = new Uploads(output)
      uploads.maxFrameSize = maxFrameSize
      uploads.streamWindow = streamWindow
      uploads.window = window
      const flow = new Flow({ id: 1, _sent: 0 })
      flow.upload = body
      const received: Array<number> = []
      const reader = new Frame.Reader((_type, _flags, _streamId, payload) => received.push(...payload))
      for (let round = 0; round < 10; round++) {
        uploads.enqueue(flow)
        uploads.pump()
        const bytes = output.take()
        if (bytes !== undefined) reader.push(bytes)
        uploads.window += window
        uploads.streamWindow += streamWindow
      }
      assert.deepStrictEqual(received, [...body])
    }
  })

  it("the stream windows shrink to nothing -> the bodies no longer wait for the connection's window, until theirs opens", () => {
    const { flow, pump, uploads } = setup()
    uploads.window = 0
    const [first, second] = [flow(1, 10), flow(3, 20)]
    uploads.streamWindow = 20
    uploads.enqueue(first)
    uploads.enqueue(second)
    uploads.streamWindow = 0
    uploads.requeue()
    assert.isFalse(uploads.waiting)
    uploads.window = 100
    assert.deepStrictEqual(pump(), [])
    uploads.streamWindow = 15
    for (const body of [second, first]) uploads.enqueue(body)
    assert.deepStrictEqual(pump(), ["3: 15", "1: 10 end"])
  })

  it("a stream starts without a content-length", () => {
    assert.strictEqual(new Flow({ id: 1, _sent: 0 }).contentLength, -1)
  })
})

describe("HeaderBlock", () => {
  it("collects the parts of a block, and can begin again", () => {
    const block = new HeaderBlock()
    assert.deepStrictEqual([block.id, block.length], [0, 0])
    for (const [id, endsStream] of [[3, true], [5, false]] as const) {
      block.begin(id, endsStream)
      assert.deepStrictEqual([block.id, block.endsStream, block.continuations, block.length], [id, endsStream, 0, 0])
      const bytes = Buffer.from([1, 2, 3, 4, 5, 6])
      block.add(bytes, 1, 3)
      block.add(bytes, 3, 3)
      block.add(bytes, 0, 6)
      bytes.fill(0)
      assert.deepStrictEqual([...block.bytes.subarray(0, block.length)], [2, 3, 1, 2, 3, 4, 5, 6])
      block.continuations = 2
    }
    const before = block.bytes.length
    const memory = block.bytes
    block.begin(7, false)
    // the memory is kept while a block fits, to the last byte
    block.add(Buffer.alloc(before - 1, 7), 0, before - 1)
    block.add(Buffer.alloc(1, 7), 0, 1)
    assert.strictEqual(block.bytes, memory)
    block.begin(7, false)
    block.add(Buffer.alloc(before + 1, 9), 0, before + 1)
    assert.strictEqual(block.bytes.length, 2 * before)
    block.add(Buffer.alloc(10 * before, 8), 0, 10 * before)
    assert.strictEqual(block.bytes.length, 11 * before + 1)
    assert.deepStrictEqual([block.bytes[0], block.bytes[before], block.bytes[before + 1]], [9, 9, 8])
    block.drop()
    assert.deepStrictEqual([block.id, block.length, block.bytes.length], [0, 0, 0])
  })
})
