import { ErrorCode, Frame } from "@effect-apns/http2"
import { assert, describe, it } from "@effect/vitest"
import { Call, Driver, hex, noBody, post, Random } from "./utils.js"

const { ErrorCode: Code } = ErrorCode
const { FrameType, SettingId } = Frame

/** One connection as its peer sees it: what may be sent, what was sent, and what should have been. */
class Peer {
  readonly driver = new Driver()
  /** The body of each stream that was opened here. */
  readonly bodies = new Map<number, Uint8Array>()
  readonly received = new Map<number, Array<Uint8Array>>()
  readonly windows = new Map<number, number>()
  connectionWindow = 65_535

  constructor(private initialWindow: number) {
    this.settings(initialWindow)
  }

  settings(initialWindow: number): void {
    for (const [id, window] of this.windows) this.windows.set(id, window + initialWindow - this.initialWindow)
    this.initialWindow = initialWindow
    this.driver.receive(Frame.settings([
      [SettingId.INITIAL_WINDOW_SIZE, initialWindow],
      [SettingId.MAX_CONCURRENT_STREAMS, 1000]
    ]))
    this.look()
  }

  open(call: Call, body: Uint8Array): boolean {
    if (!this.driver.session.request(call, post, "/", undefined, body)) return false
    this.bodies.set(call.id, body)
    this.received.set(call.id, [])
    this.windows.set(call.id, this.initialWindow)
    this.look()
    return true
  }

  widen(id: number, increment: number): void {
    if (id === 0) this.connectionWindow += increment
    else this.windows.set(id, (this.windows.get(id) ?? 0) + increment)
    this.driver.receive(Frame.windowUpdate(id, increment))
    this.look()
  }

  end(id: number, frame: Uint8Array): void {
    this.bodies.delete(id)
    this.driver.receive(frame)
    this.look()
  }

  /** Whatever was said has to be of this connection. */
  look(): void {
    for (const { payload, streamId, type } of this.driver.frames()) {
      if (type === FrameType.RST_STREAM) this.bodies.delete(streamId)
      if (type !== FrameType.DATA) continue
      const body = this.bodies.get(streamId)
      assert.isDefined(body, `DATA for stream ${streamId}, which is not open here`)
      const pieces = this.received.get(streamId) ?? []
      const before = pieces.reduce((sum, { length }) => sum + length, 0)
      assert.deepStrictEqual(payload, body?.subarray(before, before + payload.length), `the body of stream ${streamId}`)
      pieces.push(payload)
      this.connectionWindow -= payload.length
      const window = (this.windows.get(streamId) ?? 0) - payload.length
      this.windows.set(streamId, window)
      assert.isAtLeast(this.connectionWindow, 0, "the connection's window")
      assert.isAtLeast(window, 0, `the window of stream ${streamId}`)
    }
  }

  /** Streams whose body has arrived whole. */
  whole(id: number): boolean {
    const length = (this.received.get(id) ?? []).reduce((sum, piece) => sum + piece.length, 0)
    return length === this.bodies.get(id)?.length
  }
}

describe("two sessions that share stream objects", () => {
  it("a stream is refused on one session while its body waits -> the body is not sent on the other (RFC 9113 section 8.7)", () => {
    const a = new Peer(100)
    const b = new Peer(100)
    const [moved, ...others] = [new Call(), new Call(), new Call()] as const
    // the connection's window of A is spent, so bodies wait in its queue
    a.settings(65_535)
    a.open(new Call(), new Uint8Array(65_535).fill(1))
    a.settings(100)
    for (const call of [moved, ...others]) a.open(call, new Uint8Array(150).fill(2))
    a.end(moved.id, Frame.rstStream(moved.id, Code.REFUSED_STREAM))
    moved.renew()
    // on B it waits for its stream's window
    b.open(moved, new Uint8Array(150).fill(3))
    a.widen(0, 1_000)
    b.widen(moved.id, 50)
    assert.isTrue(b.whole(moved.id))
  })

  for (let seed = 1; seed <= 40; seed++) {
    it(`random events -> each body is sent whole, on its own session and within the windows: seed ${seed}`, () => {
      const random = new Random(seed)
      const windowSize = (): number => random.below(random.below(2) === 0 ? 400 : 30_000)
      const peers = [new Peer(windowSize()), new Peer(windowSize())]
      const peer = (): Peer => peers[random.below(2)] ?? peers[0] as Peer
      const idle: Array<Call> = []
      const bodyOf = (n: number): Uint8Array =>
        new Uint8Array(1 + random.below(random.below(2) === 0 ? 30_000 : 600)).fill(n)
      for (const each of peers) {
        const again = (call: Call): void => {
          call.renew()
          call.settled = 0
          idle.push(call)
        }
        each.driver.onStreamFailure = again
        each.driver.onResponse = again
      }
      const openOn = ({ bodies }: Peer): number => [...bodies.keys()][random.below(Math.max(1, bodies.size))] ?? 0
      for (let step = 0; step < 400; step++) {
        const at = peer()
        const id = openOn(at)
        switch (random.below(8)) {
          case 0:
          case 1:
          case 2: {
            const call = idle.length > 0 && random.below(4) > 0
              ? idle.splice(random.below(idle.length), 1)[0]
              : undefined
            const sent = call ?? new Call()
            if (!at.open(sent, bodyOf(step))) idle.push(sent)
            break
          }
          case 3: {
            if (id > 0) at.end(id, Frame.rstStream(id, Code.REFUSED_STREAM))
            break
          }
          case 4: {
            if (id > 0) at.end(id, Frame.headers(id, hex("88"), { endStream: true }))
            break
          }
          case 5: {
            at.widen(0, 1 + random.below(2_000))
            break
          }
          case 6: {
            if (id > 0) at.widen(id, 1 + random.below(4_000))
            break
          }
          default: {
            at.settings(windowSize())
          }
        }
      }
      for (const each of peers) {
        for (const id of each.bodies.keys()) each.widen(id, 100_000)
        for (let i = 0; i < 200; i++) each.widen(0, 100_000)
        for (const id of each.bodies.keys()) assert.isTrue(each.whole(id), `stream ${id} was not sent to its end`)
        assert.isFalse(each.driver.session.closing)
        assert.isTrue(each.driver.session.request(new Call(), post, "/", undefined, noBody))
      }
    })
  }
})
