import { Frame } from "@effect-apns/http2"
import { assert, describe, it } from "@effect/vitest"
import { Clock, FastCheck as fc } from "effect"
import * as http2 from "node:http2"
import * as net from "node:net"
import { setImmediate as turn } from "node:timers/promises"
import * as tls from "node:tls"
import { FaultDuplex } from "../../src/internal/faultDuplex.js"
import { headerBlock } from "../../src/internal/frames.js"
import { Timeline } from "../../src/internal/timeline.js"

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
    onSettingsAck: () => {},
    onGone: () => {}
  })
  return { duplex, raw, socket, written: () => Buffer.concat(written) }
}

/** A session of `node:http2` with two open streams, on a socket whose writes complete when the test says so. */
const serve = async () => {
  const raw = new net.Socket()
  const socket = new tls.TLSSocket(raw)
  const waiting: Array<() => void> = []
  socket._write = (_chunk: Buffer, _encoding, callback) => {
    waiting.push(callback)
  }
  const completeWrites = (): void => {
    for (const complete of waiting.splice(0)) complete()
  }
  const state = { gone: 0, sessionClosed: false, duplexClosed: false }
  const sessions: Array<http2.ServerHttp2Session> = []
  const streams: Array<http2.ServerHttp2Stream> = []
  const duplex = new FaultDuplex(socket, raw, new Timeline(Clock.make()), {
    onPing: () => {},
    onRstStream: () => {},
    onGoaway: () => {},
    onSettingsAck: () => {},
    onGone: () => {
      state.gone++
      setImmediate(() => sessions.forEach((session) => session.destroy()))
    }
  })
  duplex.once("close", () => (state.duplexClosed = true))
  const server = http2.createServer()
  server.on("session", (session) => {
    sessions.push(session)
    session.on("error", () => {})
    session.once("close", () => (state.sessionClosed = true))
  })
  server.on("sessionError", () => {})
  server.on("stream", (stream) => {
    stream.on("error", () => {})
    streams.push(stream)
  })
  server.emit("connection", duplex)
  const block = headerBlock([[":method", "POST"], [":scheme", "https"], [":authority", "localhost"], [":path", "/"]])
  socket.emit(
    "data",
    Buffer.concat([
      Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
      Frame.settings(),
      Frame.headers(1, block, { endStream: true }),
      Frame.headers(3, block, { endStream: true })
    ])
  )
  for (let i = 0; i < 3; i++) await turn()
  assert.lengthOf(streams, 2)
  return { duplex, socket, sessions, streams, completeWrites, state, waiting }
}

type Served = Awaited<ReturnType<typeof serve>>

/** What can happen to a connection, in any order. */
const steps = {
  "an answer": ({ streams }: Served) => {
    const stream = streams.find((each) => !each.headersSent && !each.destroyed && !each.closed)
    stream?.respond({ ":status": 200 })
    stream?.end("x".repeat(100))
  },
  "a stream is closed": ({ duplex, streams }: Served) => {
    const stream = streams.find((each) => !each.destroyed && !each.closed)
    if (stream?.id !== undefined) duplex.detach(stream.id)
    stream?.close(http2.constants.NGHTTP2_CANCEL)
  },
  "frames by hand": ({ duplex }: Served) => duplex.inject(Frame.goaway(0, 0)),
  "SETTINGS": ({ sessions }: Served) => {
    for (const session of sessions) if (!session.destroyed) session.settings({ maxConcurrentStreams: 7 })
  },
  "the client breaks the protocol": ({ socket }: Served) =>
    socket.emit("data", Buffer.from(Frame.data(0, Uint8Array.of(1)))),
  "the client says FIN": ({ socket }: Served) => socket.emit("end"),
  "the client says RST": ({ socket }: Served) => socket.destroy(new Error("ECONNRESET")),
  "the connection is cut": ({ duplex }: Served) => duplex.cut(false),
  "the session is destroyed": ({ sessions }: Served) => sessions.forEach((session) => session.destroy()),
  "writes complete": ({ completeWrites }: Served) => completeWrites(),
  "a turn": () => turn()
} as const

type Step = keyof typeof steps

/** Plays `script`, ends the connection if nothing else did, and gives back what has come to its end. */
const play = async (script: ReadonlyArray<Step>) => {
  const served = await serve()
  for (const step of script) await steps[step](served)
  served.duplex.cut(false)
  for (let i = 0; i < 20 && !(served.state.sessionClosed && served.state.duplexClosed); i++) await turn()
  served.completeWrites()
  return served.state
}

const everythingEnded = { gone: 1, sessionClosed: true, duplexClosed: true }

describe("FaultDuplex under a session of node:http2", () => {
  const scripts: ReadonlyArray<ReadonlyArray<Step>> = [
    // the order that broke the process: the stream's end began while the session had something left to write
    ["an answer", "the client says FIN", "a turn", "writes complete", "a turn", "a stream is closed", "a turn"],
    ["the client says FIN", "a turn", "writes complete", "a turn", "an answer", "a turn", "a turn"],
    ["an answer", "the client says RST", "a stream is closed", "a turn", "an answer"],
    ["an answer", "a turn", "the connection is cut", "a stream is closed", "writes complete", "a turn", "an answer"],
    ["the session is destroyed", "the client says FIN", "writes complete"],
    ["the client breaks the protocol", "a turn", "the client says FIN", "writes complete"]
  ]
  for (const script of scripts) {
    it(`the session always ends: ${script.join(", ")}`, async () => {
      assert.deepStrictEqual(await play(script), everythingEnded)
    })
  }

  it("the session always ends, with random events in any order", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(...Object.keys(steps) as Array<Step>), { maxLength: 12 }),
        async (script) => assert.deepStrictEqual(await play(script), everythingEnded)
      ),
      { numRuns: 300, seed: 7 }
    ))
})

describe("FaultDuplex", () => {
  it("header blocks of a stream with a custom answer are passed on, since the compression of others depends on them", () => {
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

  it("drops any number of pieces at once when the socket is closed", () => {
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
