import { Connection, Request } from "@effect-apns/core"
import { ErrorCode, Frame } from "@effect-apns/http2"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, TestClock } from "effect"
import { Peer, settled } from "./utils/peer.js"

const connect = (peer: Peer) => Connection.fromTransport(peer.transport, { drainTimeout: "0 seconds" })

describe("a server that sends many small frames", () => {
  it.scoped("a PING every 5 milliseconds for eight seconds -> allowed, the limit is a rate", () =>
    Effect.gen(function*() {
      const peer = new Peer()
      const connection = yield* connect(peer)
      for (let i = 0; i < 1_600; i++) {
        peer.send(Frame.ping(i))
        yield* TestClock.adjust("5 millis")
      }
      yield* Effect.promise(settled)
      assert.strictEqual(connection.unsafe.state, "active")
      assert.deepStrictEqual(peer.goaways, [])
    }))

  const floods: ReadonlyArray<readonly [name: string, frame: Uint8Array]> = [
    ["PING", Frame.ping(1)],
    ["SETTINGS", Frame.settings()],
    ["WINDOW_UPDATE", Frame.windowUpdate(0, 1)]
  ]
  for (const [name, frame] of floods) {
    it.scoped(`2,000 ${name} at once -> the connection ends with ENHANCE_YOUR_CALM`, () =>
      Effect.gen(function*() {
        const peer = new Peer()
        const connection = yield* connect(peer)
        peer.send(...new Array<Uint8Array>(2_000).fill(frame))
        yield* Effect.promise(settled)
        assert.strictEqual(connection.unsafe.state, "closed")
        assert.strictEqual(peer.goaways[0]?.code, ErrorCode.ErrorCode.ENHANCE_YOUR_CALM)
      }))
  }

  it.scoped("content-length is the length of each body (RFC 9110 section 8.6)", () =>
    Effect.gen(function*() {
      const peer = new Peer()
      const connection = yield* connect(peer)
      for (const text of ["x", "y", "z", "longer"]) {
        const fiber = yield* Effect.fork(connection.post(Request.make({
          path: "/3/device/4242",
          body: { aps: { alert: text } }
        })))
        yield* Effect.promise(settled)
        const sent = peer.requests.at(-1)
        assert.strictEqual(sent?.headers["content-length"], String(sent?.body.length))
        peer.accept(sent?.id ?? 0)
        yield* Fiber.join(fiber)
      }
    }))
})
