import { Frame } from "@effect-apns/http2"
import { assert, describe, it } from "@effect/vitest"
import { Clock } from "effect"
import * as net from "node:net"
import * as tls from "node:tls"
import { FaultDuplex } from "../../src/internal/FaultDuplex.js"
import { Timeline } from "../../src/internal/Timeline.js"

/** A duplex whose socket goes nowhere, and what was written to that socket. */
const make = () => {
  const raw = new net.Socket()
  const socket = new tls.TLSSocket(raw)
  const written: Array<Buffer> = []
  socket._write = (chunk: Buffer, _encoding, callback) => {
    written.push(chunk)
    callback()
  }
  const duplex = new FaultDuplex(socket, raw, new Timeline(Clock.make()), {
    onPing: () => {},
    onRstStream: () => {},
    onGoaway: () => {},
    onSettingsAck: () => {}
  })
  return { duplex, raw, socket, written: () => Buffer.concat(written) }
}

describe("FaultDuplex", () => {
  it("lets the header blocks of a stream pass that was answered by hand: the others' compression depends on them", () => {
    const { duplex, written } = make()
    const block = Frame.headers(1, Uint8Array.of(0x88), { endHeaders: false })
    const rest = Frame.continuation(1, Uint8Array.of(0x88), true)
    const other = Frame.data(3, Uint8Array.of(1), { endStream: true })
    duplex.detach(1)
    duplex.write(Buffer.concat([
      block,
      rest,
      Frame.data(1, Uint8Array.of(1, 2, 3), { endStream: true }),
      Frame.rstStream(1, 8),
      other
    ]))
    assert.deepStrictEqual(written(), Buffer.concat([block, rest, other]))
    duplex.destroy()
  })

  it("gives up any number of pieces at once when the socket is gone", () => {
    const { duplex, socket, written } = make()
    duplex.pace = { bytes: 1, everyMillis: 0 }
    socket.destroy()
    let done = 0
    duplex.write(Buffer.alloc(30_000), () => done++)
    assert.deepStrictEqual([written().length, done], [0, 0])
    duplex.destroy()
  })

  it("does not reset a socket that is being shut down", () => {
    let resets = 0
    for (const ended of [false, true]) {
      const { duplex, raw, socket } = make()
      raw.resetAndDestroy = () => {
        resets++
        return raw
      }
      if (ended) socket.end()
      duplex.cut(true)
      assert.isTrue(socket.destroyed)
    }
    assert.strictEqual(resets, 1)
  })
})
