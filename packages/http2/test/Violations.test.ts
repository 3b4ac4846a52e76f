import { ErrorCode, Frame, Hpack } from "@effect-apns/http2"
import { assert, describe, it } from "@effect/vitest"
import type { Driver } from "./utils.js"
import { bytesOf, Driver as makeDriver, greeted, hex, noBody } from "./utils.js"

const { ErrorCode: Code } = ErrorCode
const { Flag, FrameType, SettingId } = Frame

const ok = hex("88")
const block = (...fields: ReadonlyArray<string>): Uint8Array => new Hpack.Encoder().encode(fields)

/** Streams 1, 3 and 5 are open; 3 has its response headers already. */
const start = (): Driver => {
  const { driver } = greeted()
  for (let i = 0; i < 3; i++) driver.request()
  driver.receive(Frame.headers(3, ok))
  driver.frames()
  return driver
}

const times = (count: number, frame: Uint8Array): Uint8Array => Frame.concat(new Array<Uint8Array>(count).fill(frame))

const connectionErrors: ReadonlyArray<
  readonly [name: string, source: string, code: number, frames: ReadonlyArray<Uint8Array>]
> = [
  // frames as such
  ["a frame above our MAX_FRAME_SIZE", "RFC 9113 section 4.2", Code.FRAME_SIZE_ERROR, [
    Frame.frame(FrameType.DATA, 0, 3, new Uint8Array(16_385))
  ]],
  ["an unknown frame above our MAX_FRAME_SIZE", "RFC 9113 section 4.2", Code.FRAME_SIZE_ERROR, [
    Frame.frame(0x42, 0, 3, new Uint8Array(16_385))
  ]],
  ["an unknown frame inside a header block", "RFC 9113 section 5.5", Code.PROTOCOL_ERROR, [
    Frame.headers(1, ok, { endHeaders: false }),
    Frame.frame(0x42, 0, 1, noBody)
  ]],
  ["a flood of unknown frames", "RFC 9113 section 10.5", Code.ENHANCE_YOUR_CALM, [
    times(1_001, Frame.frame(0x42, 0, 0, noBody))
  ]],
  // DATA
  ["DATA on stream 0", "RFC 9113 section 6.1", Code.PROTOCOL_ERROR, [Frame.data(0, noBody)]],
  ["DATA on an idle stream", "RFC 9113 section 5.1", Code.PROTOCOL_ERROR, [Frame.data(7, noBody)]],
  ["DATA on a stream of the server's", "RFC 9113 section 5.1", Code.PROTOCOL_ERROR, [Frame.data(2, noBody)]],
  ["DATA whose padding is its payload", "RFC 9113 section 6.1", Code.PROTOCOL_ERROR, [
    Frame.frame(FrameType.DATA, Flag.PADDED, 3, Uint8Array.of(1))
  ]],
  ["DATA with more padding than payload", "RFC 9113 section 6.1", Code.PROTOCOL_ERROR, [
    Frame.frame(FrameType.DATA, Flag.PADDED, 3, Uint8Array.of(255, 0, 0))
  ]],
  ["padded DATA without a padding length", "RFC 9113 section 4.2", Code.FRAME_SIZE_ERROR, [
    Frame.frame(FrameType.DATA, Flag.PADDED, 3, noBody)
  ]],
  ["a flood of empty DATA", "RFC 9113 section 10.5", Code.ENHANCE_YOUR_CALM, [times(1_001, Frame.data(3, noBody))]],
  ["a flood of DATA that is padding alone", "RFC 9113 section 10.5", Code.ENHANCE_YOUR_CALM, [
    times(1_001, Frame.data(3, noBody, { padding: 10 }))
  ]],
  // HEADERS and CONTINUATION
  ["HEADERS on stream 0", "RFC 9113 section 6.2", Code.PROTOCOL_ERROR, [Frame.headers(0, ok)]],
  ["HEADERS on an idle stream", "RFC 9113 section 5.1", Code.PROTOCOL_ERROR, [Frame.headers(7, ok)]],
  ["HEADERS on a stream of the server's", "RFC 9113 section 5.1.1", Code.PROTOCOL_ERROR, [Frame.headers(2, ok)]],
  ["HEADERS with more padding than payload", "RFC 9113 section 6.2", Code.PROTOCOL_ERROR, [
    Frame.frame(FrameType.HEADERS, Flag.PADDED | Flag.END_HEADERS, 1, Uint8Array.of(2, 0x88))
  ]],
  ["padded HEADERS without a padding length", "RFC 9113 section 4.2", Code.FRAME_SIZE_ERROR, [
    Frame.frame(FrameType.HEADERS, Flag.PADDED | Flag.END_HEADERS, 1, noBody)
  ]],
  ["HEADERS too short for its priority", "RFC 9113 section 4.2", Code.FRAME_SIZE_ERROR, [
    Frame.frame(FrameType.HEADERS, Flag.PRIORITY | Flag.END_HEADERS, 1, Uint8Array.of(0, 0, 0, 1))
  ]],
  ["a header block that HPACK cannot decode", "RFC 9113 section 4.3", Code.COMPRESSION_ERROR, [
    Frame.headers(1, hex("80"))
  ]],
  ["the same for a stream that is long closed", "RFC 9113 section 4.3", Code.COMPRESSION_ERROR, [
    Frame.headers(1, ok, { endStream: true }),
    Frame.headers(1, hex("80"))
  ]],
  ["CONTINUATION outside of a header block", "RFC 9113 section 6.10", Code.PROTOCOL_ERROR, [
    Frame.continuation(1, ok)
  ]],
  ["CONTINUATION of another stream", "RFC 9113 section 6.10", Code.PROTOCOL_ERROR, [
    Frame.headers(1, ok, { endHeaders: false }),
    Frame.continuation(3, noBody)
  ]],
  ["CONTINUATION on stream 0", "RFC 9113 section 6.10", Code.PROTOCOL_ERROR, [
    Frame.headers(1, ok, { endHeaders: false }),
    Frame.continuation(0, noBody)
  ]],
  ["another frame inside a header block", "RFC 9113 section 6.2", Code.PROTOCOL_ERROR, [
    Frame.headers(1, ok, { endHeaders: false }),
    Frame.ping(1)
  ]],
  ["another frame between CONTINUATION frames", "RFC 9113 section 6.10", Code.PROTOCOL_ERROR, [
    Frame.headers(1, ok, { endHeaders: false }),
    Frame.continuation(1, noBody, false),
    Frame.settings()
  ]],
  ["a flood of CONTINUATION", "RFC 9113 section 10.5.1", Code.ENHANCE_YOUR_CALM, [
    Frame.headers(1, ok, { endHeaders: false }),
    times(9, Frame.continuation(1, noBody, false))
  ]],
  ["a flood of interim responses", "RFC 9113 section 10.5", Code.ENHANCE_YOUR_CALM, [
    times(1_001, Frame.headers(1, block(":status", "103")))
  ]],
  // PRIORITY
  ["PRIORITY on stream 0", "RFC 9113 section 6.3", Code.PROTOCOL_ERROR, [
    Frame.frame(FrameType.PRIORITY, 0, 0, new Uint8Array(5))
  ]],
  ["PRIORITY of a wrong length on a stream that is not open", "RFC 9113 section 6.3", Code.FRAME_SIZE_ERROR, [
    Frame.frame(FrameType.PRIORITY, 0, 9, new Uint8Array(4))
  ]],
  ["a flood of PRIORITY", "RFC 9113 section 10.5", Code.ENHANCE_YOUR_CALM, [
    times(1_001, Frame.frame(FrameType.PRIORITY, 0, 1, new Uint8Array(5)))
  ]],
  // RST_STREAM
  ["RST_STREAM on stream 0", "RFC 9113 section 6.4", Code.PROTOCOL_ERROR, [Frame.rstStream(0, 0)]],
  ["RST_STREAM on an idle stream", "RFC 9113 section 6.4", Code.PROTOCOL_ERROR, [Frame.rstStream(7, 0)]],
  ["RST_STREAM on a stream of the server's", "RFC 9113 section 6.4", Code.PROTOCOL_ERROR, [Frame.rstStream(2, 0)]],
  ["RST_STREAM of a wrong length", "RFC 9113 section 6.4", Code.FRAME_SIZE_ERROR, [
    Frame.frame(FrameType.RST_STREAM, 0, 1, new Uint8Array(5))
  ]],
  ["a flood of RST_STREAM on a closed stream", "RFC 9113 section 10.5", Code.ENHANCE_YOUR_CALM, [
    times(1_005, Frame.rstStream(1, 0))
  ]],
  // SETTINGS
  ["SETTINGS on a stream", "RFC 9113 section 6.5", Code.PROTOCOL_ERROR, [
    Frame.frame(FrameType.SETTINGS, 0, 1, noBody)
  ]],
  ["SETTINGS whose length is no multiple of 6", "RFC 9113 section 6.5", Code.FRAME_SIZE_ERROR, [
    Frame.frame(FrameType.SETTINGS, 0, 0, new Uint8Array(7))
  ]],
  ["an acknowledgment of SETTINGS with a payload", "RFC 9113 section 6.5", Code.FRAME_SIZE_ERROR, [
    Frame.frame(FrameType.SETTINGS, Flag.ACK, 0, new Uint8Array(6))
  ]],
  ["ENABLE_PUSH 1 from a server", "RFC 9113 section 6.5.2", Code.PROTOCOL_ERROR, [
    Frame.settings([[SettingId.ENABLE_PUSH, 1]])
  ]],
  ["ENABLE_PUSH 2", "RFC 9113 section 6.5.2", Code.PROTOCOL_ERROR, [Frame.settings([[SettingId.ENABLE_PUSH, 2]])]],
  ["INITIAL_WINDOW_SIZE 2^31", "RFC 9113 section 6.5.2", Code.FLOW_CONTROL_ERROR, [
    Frame.settings([[SettingId.INITIAL_WINDOW_SIZE, 0x8000_0000]])
  ]],
  ["MAX_FRAME_SIZE below 2^14", "RFC 9113 section 6.5.2", Code.PROTOCOL_ERROR, [
    Frame.settings([[SettingId.MAX_FRAME_SIZE, 16_383]])
  ]],
  ["MAX_FRAME_SIZE above 2^24-1", "RFC 9113 section 6.5.2", Code.PROTOCOL_ERROR, [
    Frame.settings([[SettingId.MAX_FRAME_SIZE, 0x100_0000]])
  ]],
  ["INITIAL_WINDOW_SIZE that overflows a stream's window", "RFC 9113 section 6.9.2", Code.FLOW_CONTROL_ERROR, [
    Frame.windowUpdate(1, 100_000),
    Frame.settings([[SettingId.INITIAL_WINDOW_SIZE, 0x7fff_ffff]])
  ]],
  ["a flood of SETTINGS", "RFC 9113 section 10.5", Code.ENHANCE_YOUR_CALM, [times(1_001, Frame.settings())]],
  ["a flood of acknowledgments of SETTINGS", "RFC 9113 section 10.5", Code.ENHANCE_YOUR_CALM, [
    times(1_001, Frame.settingsAck())
  ]],
  // PUSH_PROMISE
  ["PUSH_PROMISE, which we disabled", "RFC 9113 section 6.6", Code.PROTOCOL_ERROR, [
    Frame.frame(FrameType.PUSH_PROMISE, Flag.END_HEADERS, 1, Uint8Array.of(0, 0, 0, 2, 0x82))
  ]],
  // PING
  ["PING on a stream", "RFC 9113 section 6.7", Code.PROTOCOL_ERROR, [
    Frame.frame(FrameType.PING, 0, 1, new Uint8Array(8))
  ]],
  ["PING of a wrong length", "RFC 9113 section 6.7", Code.FRAME_SIZE_ERROR, [
    Frame.frame(FrameType.PING, 0, 0, new Uint8Array(7))
  ]],
  ["a flood of PING", "RFC 9113 section 10.5", Code.ENHANCE_YOUR_CALM, [times(1_001, Frame.ping(1))]],
  ["a flood of answers to PING that we did not send", "RFC 9113 section 10.5", Code.ENHANCE_YOUR_CALM, [
    times(1_001, Frame.ping(1, true))
  ]],
  // GOAWAY
  ["GOAWAY on a stream", "RFC 9113 section 6.8", Code.PROTOCOL_ERROR, [
    Frame.frame(FrameType.GOAWAY, 0, 1, new Uint8Array(8))
  ]],
  ["GOAWAY that is too short", "RFC 9113 section 4.2", Code.FRAME_SIZE_ERROR, [
    Frame.frame(FrameType.GOAWAY, 0, 0, new Uint8Array(7))
  ]],
  ["a second GOAWAY that raises the last-stream-id", "RFC 9113 section 6.8", Code.PROTOCOL_ERROR, [
    Frame.goaway(3, 0),
    Frame.goaway(5, 0)
  ]],
  ["a flood of GOAWAY", "RFC 9113 section 10.5", Code.ENHANCE_YOUR_CALM, [times(1_001, Frame.goaway(9, 0))]],
  // WINDOW_UPDATE
  ["WINDOW_UPDATE of 0 for the connection", "RFC 9113 section 6.9", Code.PROTOCOL_ERROR, [Frame.windowUpdate(0, 0)]],
  ["WINDOW_UPDATE of a wrong length", "RFC 9113 section 6.9", Code.FRAME_SIZE_ERROR, [
    Frame.frame(FrameType.WINDOW_UPDATE, 0, 0, new Uint8Array(3))
  ]],
  ["WINDOW_UPDATE on an idle stream", "RFC 9113 section 5.1", Code.PROTOCOL_ERROR, [Frame.windowUpdate(7, 1)]],
  ["WINDOW_UPDATE that overflows the connection's window", "RFC 9113 section 6.9.1", Code.FLOW_CONTROL_ERROR, [
    Frame.windowUpdate(0, 0x7fff_ffff)
  ]]
]

const streamErrors: ReadonlyArray<
  readonly [
    name: string,
    source: string,
    kind: "malformed" | "too-large",
    code: number,
    streamId: number,
    frames: ReadonlyArray<Uint8Array>
  ]
> = [
  ["DATA before the headers", "RFC 9113 section 8.1", "malformed", Code.PROTOCOL_ERROR, 1, [
    Frame.data(1, bytesOf("x"), { endStream: true })
  ]],
  ["no :status", "RFC 9113 section 8.3.2", "malformed", Code.PROTOCOL_ERROR, 1, [
    Frame.headers(1, block("apns-id", "x"))
  ]],
  ["an empty header list", "RFC 9113 section 8.3.2", "malformed", Code.PROTOCOL_ERROR, 1, [Frame.headers(1, noBody)]],
  ["two :status", "RFC 9113 section 8.3", "malformed", Code.PROTOCOL_ERROR, 1, [Frame.headers(1, hex("8888"))]],
  ["a :status of two digits", "RFC 9113 section 8.3.2", "malformed", Code.PROTOCOL_ERROR, 1, [
    Frame.headers(1, block(":status", "20"))
  ]],
  ["a :status that is no number", "RFC 9113 section 8.3.2", "malformed", Code.PROTOCOL_ERROR, 1, [
    Frame.headers(1, block(":status", "2x0"))
  ]],
  ["a :status of 99", "RFC 9110 section 15", "malformed", Code.PROTOCOL_ERROR, 1, [
    Frame.headers(1, block(":status", "099"))
  ]],
  ["a :status behind a field", "RFC 9113 section 8.3", "malformed", Code.PROTOCOL_ERROR, 1, [
    Frame.headers(1, block("apns-id", "x", ":status", "200"))
  ]],
  ["a pseudo-header of requests", "RFC 9113 section 8.3", "malformed", Code.PROTOCOL_ERROR, 1, [
    Frame.headers(1, block(":status", "200", ":path", "/"))
  ]],
  ["an unknown pseudo-header", "RFC 9113 section 8.3", "malformed", Code.PROTOCOL_ERROR, 1, [
    Frame.headers(1, block(":status", "200", ":foo", "bar"))
  ]],
  ["an upper-case name", "RFC 9113 section 8.2.1", "malformed", Code.PROTOCOL_ERROR, 1, [
    Frame.headers(1, block(":status", "200", "Apns-Id", "x"))
  ]],
  ["an empty name", "RFC 9113 section 8.2.1", "malformed", Code.PROTOCOL_ERROR, 1, [
    Frame.headers(1, block(":status", "200", "", "x"))
  ]],
  ["a name with a space", "RFC 9113 section 8.2.1", "malformed", Code.PROTOCOL_ERROR, 1, [
    Frame.headers(1, block(":status", "200", "a b", "x"))
  ]],
  ["a connection-specific field", "RFC 9113 section 8.2.2", "malformed", Code.PROTOCOL_ERROR, 1, [
    Frame.headers(1, block(":status", "200", "connection", "close"))
  ]],
  ["transfer-encoding", "RFC 9113 section 8.2.2", "malformed", Code.PROTOCOL_ERROR, 1, [
    Frame.headers(1, block(":status", "200", "transfer-encoding", "chunked"))
  ]],
  ...["a\r", "a\nb", "\0", " a", "a ", "\ta"].map((value) =>
    [
      `the value ${JSON.stringify(value)}`,
      "RFC 9113 section 8.2.1",
      "malformed",
      Code.PROTOCOL_ERROR,
      1,
      [Frame.headers(1, block(":status", "200", "x", value))]
    ] as const
  ),
  ["the same value, not Huffman-coded", "RFC 9113 section 8.2.1", "malformed", Code.PROTOCOL_ERROR, 1, [
    Frame.headers(1, new Hpack.Encoder({ huffman: false }).encode([":status", "200", "x", "a\nb"]))
  ]],
  ["the same value, out of the dynamic table", "RFC 9113 section 8.2.1", "malformed", Code.PROTOCOL_ERROR, 5, [
    Frame.headers(1, new Hpack.Encoder().encode([":status", "200", "x", "a\nb"])),
    Frame.headers(5, hex("88be"))
  ]],
  ["status 101", "RFC 9113 section 8.6", "malformed", Code.PROTOCOL_ERROR, 1, [
    Frame.headers(1, block(":status", "101"))
  ]],
  ["an interim response that ends the stream", "RFC 9113 section 8.1", "malformed", Code.PROTOCOL_ERROR, 1, [
    Frame.headers(1, block(":status", "100"), { endStream: true })
  ]],
  ["trailers that do not end the stream", "RFC 9113 section 8.1", "malformed", Code.PROTOCOL_ERROR, 3, [
    Frame.headers(3, block("x", "y"))
  ]],
  ["a pseudo-header in trailers", "RFC 9113 section 8.1", "malformed", Code.PROTOCOL_ERROR, 3, [
    Frame.headers(3, ok, { endStream: true })
  ]],
  ["a body shorter than content-length", "RFC 9113 section 8.1.1", "malformed", Code.PROTOCOL_ERROR, 1, [
    Frame.headers(1, block(":status", "400", "content-length", "5")),
    Frame.data(1, bytesOf("1234"), { endStream: true })
  ]],
  ["a body longer than content-length", "RFC 9113 section 8.1.1", "malformed", Code.PROTOCOL_ERROR, 1, [
    Frame.headers(1, block(":status", "400", "content-length", "5")),
    Frame.data(1, bytesOf("123456"), { endStream: true })
  ]],
  ["no body for a content-length", "RFC 9113 section 8.1.1", "malformed", Code.PROTOCOL_ERROR, 1, [
    Frame.headers(1, block(":status", "400", "content-length", "5"), { endStream: true })
  ]],
  ["two lengths", "RFC 9110 section 8.6", "malformed", Code.PROTOCOL_ERROR, 1, [
    Frame.headers(1, block(":status", "400", "content-length", "5", "content-length", "6"))
  ]],
  ["a content-length that is no number", "RFC 9110 section 8.6", "malformed", Code.PROTOCOL_ERROR, 1, [
    Frame.headers(1, block(":status", "400", "content-length", "-5"))
  ]],
  ["a header list above our limit", "RFC 9113 section 10.5.1", "too-large", Code.CANCEL, 1, [
    Frame.headers(1, block(":status", "200", "x", "y".repeat(16_400)))
  ]],
  ["more fields than our limit", "RFC 9113 section 10.5.1", "too-large", Code.CANCEL, 1, [
    Frame.headers(1, hex("88" + "5400".repeat(100)))
  ]],
  ["a body above our limit", "RFC 9113 section 10.5", "too-large", Code.CANCEL, 3, [
    ...new Array<Uint8Array>(4).fill(Frame.data(3, new Uint8Array(16_384))),
    Frame.data(3, Uint8Array.of(1), { endStream: true })
  ]],
  ["WINDOW_UPDATE of 0 for a stream", "RFC 9113 section 6.9", "malformed", Code.PROTOCOL_ERROR, 1, [
    Frame.windowUpdate(1, 0)
  ]],
  [
    "WINDOW_UPDATE that overflows a stream's window",
    "RFC 9113 section 6.9.1",
    "malformed",
    Code.FLOW_CONTROL_ERROR,
    1,
    [
      Frame.windowUpdate(1, 0x7fff_ffff)
    ]
  ],
  ["PRIORITY of a wrong length on an open stream", "RFC 9113 section 6.3", "malformed", Code.FRAME_SIZE_ERROR, 1, [
    Frame.frame(FrameType.PRIORITY, 0, 1, new Uint8Array(4))
  ]]
]

describe("connection errors", () => {
  for (const [name, source, code, frames] of connectionErrors) {
    it(`${name}: ${ErrorCode.name(code)} (${source})`, () => {
      const driver = start()
      driver.receive(...frames)
      const heard = driver.heard()
      const errors = heard.filter((event) => event.startsWith("protocol error"))
      assert.lengthOf(errors, 1, heard.join("\n"))
      assert.match(
        errors[0] ?? "",
        new RegExp(`^protocol error ${code} (The peer|A frame other than) .{10,} \\(${ErrorCode.name(code)}\\)$`)
      )
      const last = driver.frames().at(-1)
      assert.strictEqual(last?.type, FrameType.GOAWAY)
      assert.strictEqual(Buffer.from(last?.payload ?? noBody).readUInt32BE(4), code)
      assert.isTrue(driver.session.closing)
      assert.strictEqual(driver.session.available, 0)
      // streams stay for the driver to settle, and nothing else is heard or said
      assert.deepStrictEqual(driver.problems(), [])
      driver.receive(Frame.settings(), Frame.headers(5, ok, { endStream: true }))
      assert.deepStrictEqual(driver.heard(), [])
      assert.deepStrictEqual(driver.frames(), [])
    })
  }

  const firsts: ReadonlyArray<readonly [string, Uint8Array]> = [
    ["an acknowledgment of SETTINGS", Frame.settingsAck()],
    ["PING", Frame.ping(1)],
    ["GOAWAY", Frame.goaway(0, 0)],
    ["an unknown frame", Frame.frame(0x42, 0, 0, noBody)],
    ["HTTP/1.1", bytesOf("HTTP/1.1 400 Bad Request\r\n\r\n")]
  ]
  for (const [name, bytes] of firsts) {
    it(`${name} as the first frame: PROTOCOL_ERROR (RFC 9113 section 3.4)`, () => {
      const driver = new makeDriver()
      driver.receive(bytes)
      assert.match(driver.heard().join("\n"), /^protocol error 1 The peer does not speak HTTP\/2/)
    })
  }

  it("a frame that is too large is refused before its payload arrives (RFC 9113 section 4.2)", () => {
    const driver = start()
    driver.receive(Uint8Array.of(0, 0x40, 1, 0, 0, 0, 0, 0, 3))
    assert.match(driver.heard().join("\n"), /^protocol error 6 /)
  })
})

describe("stream errors", () => {
  for (const [name, source, kind, code, streamId, frames] of streamErrors) {
    it(`${name}: ${kind}, ${ErrorCode.name(code)} (${source})`, () => {
      const driver = start()
      driver.receive(...frames)
      const heard = driver.heard().filter((event) => event.startsWith(`failure ${streamId} `))
      assert.lengthOf(heard, 1)
      assert.match(heard[0] ?? "", new RegExp(`^failure ${streamId} ${kind} ${code} The (response|peer)('s)? .{8,}`))
      const resets = driver.frames().filter((sent) => sent.type === FrameType.RST_STREAM && sent.streamId === streamId)
      assert.lengthOf(resets, 1)
      assert.strictEqual(Buffer.from(resets[0]?.payload ?? noBody).readUInt32BE(0), code)
      assert.deepStrictEqual(driver.problems(), [])
      // the connection lives
      assert.isFalse(driver.session.closing)
      const other = driver.request()
      driver.receive(Frame.headers(other.id, ok, { endStream: true }))
      assert.strictEqual(other.status, 200)
    })
  }
})

// -----------------------------------------------------------------------------
// frames on closed streams
// -----------------------------------------------------------------------------

/** How stream 3 of {@link start} came to its end, and whether the peer may send more for it. */
const endings: ReadonlyArray<readonly [name: string, forbidden: boolean, end: (driver: Driver) => void]> = [
  ["the peer's END_STREAM in DATA", true, (driver) => driver.receive(Frame.data(3, noBody, { endStream: true }))],
  ["the peer's trailers", true, (driver) => driver.receive(Frame.headers(3, block("x", "y"), { endStream: true }))],
  ["the peer's RST_STREAM", true, (driver) => driver.receive(Frame.rstStream(3, Code.REFUSED_STREAM))],
  ["our reset", false, (driver) =>
    driver.calls.slice(1, 2).forEach((call) => {
      call.settled++
      driver.session.reset(call, Code.CANCEL)
    })],
  ["a malformed response", false, (driver) => driver.receive(Frame.headers(3, block("x", "y")))],
  [
    "a body that is too large",
    false,
    (driver) => driver.receive(...new Array<Uint8Array>(5).fill(Frame.data(3, new Uint8Array(16_384))))
  ],
  ["a GOAWAY that disowned it", false, (driver) => driver.receive(Frame.goaway(1, 0))],
  ["the driver's abandoning everything", false, (driver) => driver.session.abandon().forEach((call) => call.settled++)]
]

const forbidden: ReadonlyArray<readonly [name: string, frames: ReadonlyArray<Uint8Array>]> = [
  ["DATA", [Frame.data(3, bytesOf("x"))]],
  ["DATA with END_STREAM", [Frame.data(3, noBody, { endStream: true })]],
  ["padded DATA", [Frame.data(3, bytesOf("x"), { padding: 3 })]],
  ["HEADERS", [Frame.headers(3, ok)]],
  ["HEADERS with END_STREAM", [Frame.headers(3, ok, { endStream: true })]],
  ["HEADERS and CONTINUATION", [Frame.headers(3, noBody, { endHeaders: false }), Frame.continuation(3, ok)]]
]

const tolerated: ReadonlyArray<readonly [name: string, frames: ReadonlyArray<Uint8Array>]> = [
  ["RST_STREAM", [Frame.rstStream(3, Code.STREAM_CLOSED)]],
  ["WINDOW_UPDATE", [Frame.windowUpdate(3, 1)]],
  ["WINDOW_UPDATE of 0", [Frame.windowUpdate(3, 0)]],
  ["PRIORITY", [Frame.frame(FrameType.PRIORITY, 0, 3, new Uint8Array(5))]]
]

describe("closed streams", () => {
  for (const [ending, isForbidden, end] of endings) {
    for (const [name, frames] of [...forbidden, ...tolerated]) {
      const wrong = isForbidden && forbidden.some(([other]) => other === name)
      it(`${name} after ${ending}: ${wrong ? "RST_STREAM with STREAM_CLOSED, once" : "nothing"} (RFC 9113 sections 5.1 and 6.1)`, () => {
        const driver = start()
        end(driver)
        driver.frames()
        driver.heard()
        for (let i = 0; i < 3; i++) driver.receive(...frames)
        assert.deepStrictEqual(driver.heard(), [])
        assert.deepStrictEqual(
          driver.frames().map(({ payload, streamId, type }) => [type, streamId, Buffer.from(payload).readUInt32BE(0)]),
          wrong ? [[FrameType.RST_STREAM, 3, Code.STREAM_CLOSED]] : []
        )
        assert.deepStrictEqual(driver.problems(), [])
      })
    }
  }

  it("their header blocks keep HPACK in sync (RFC 9113 section 4.3)", () => {
    const { driver, encoder } = greeted()
    driver.request()
    driver.request()
    driver.receive(Frame.headers(1, ok, { endStream: true }))
    driver.receive(Frame.headers(1, encoder.encode([":status", "200", "x", "late"])))
    driver.receive(Frame.headers(3, encoder.encode([":status", "200", "x", "late"]), { endStream: true }))
    assert.deepStrictEqual(driver.calls[1]?.headers, ["x", "late"])
  })

  it("their DATA counts towards the connection's window (RFC 9113 section 5.1)", () => {
    const driver = start()
    driver.receive(Frame.data(3, noBody, { endStream: true }))
    driver.frames()
    for (let i = 0; i < 32; i++) driver.receive(Frame.data(3, new Uint8Array(16_384)))
    assert.deepStrictEqual(
      driver.frames().map(({ payload, streamId, type }) => [type, streamId, Buffer.from(payload).readUInt32BE(0)]),
      [[FrameType.RST_STREAM, 3, Code.STREAM_CLOSED], [FrameType.WINDOW_UPDATE, 0, 32 * 16_384]]
    )
  })

  it("a stream that ends before its own body was sent -> reset, and later frames are ignored", () => {
    const { driver } = greeted()
    driver.request("/", new Uint8Array(70_000))
    driver.frames()
    driver.receive(Frame.headers(1, ok, { endStream: true }))
    assert.deepStrictEqual(driver.frames().map(({ streamId, type }) => [type, streamId]), [[FrameType.RST_STREAM, 1]])
    driver.receive(Frame.data(1, bytesOf("x")))
    assert.deepStrictEqual(driver.frames(), [])
  })

  it("more of our own resets than are remembered -> their late frames are still no error", () => {
    const { driver } = greeted([[SettingId.MAX_CONCURRENT_STREAMS, 10_000]])
    for (let i = 0; i < 5_000; i++) driver.request()
    for (const call of driver.calls.slice(10)) {
      call.settled++
      driver.session.reset(call, Code.CANCEL)
    }
    driver.frames()
    for (const call of driver.calls.slice(10)) driver.receive(Frame.headers(call.id, ok), Frame.data(call.id, noBody))
    assert.deepStrictEqual(driver.frames(), [])
    assert.isFalse(driver.session.closing)
    // and those that are remembered do not hide the others
    const { driver: other } = greeted([[SettingId.MAX_CONCURRENT_STREAMS, 10_000]])
    for (let i = 0; i < 4_100; i++) other.request()
    for (const call of other.calls.slice(0, 4_096)) other.session.reset(call, Code.CANCEL)
    other.frames()
    other.receive(Frame.headers(8_193, ok, { endStream: true }), Frame.data(8_193, noBody))
    assert.deepStrictEqual(other.frames().map(({ streamId }) => streamId), [8_193])
  })

  it("our answers to them count as frames that the peer has to read (RFC 9113 section 10.5)", () => {
    const { driver } = greeted([[SettingId.MAX_CONCURRENT_STREAMS, 2_000]])
    for (let i = 0; i < 1_500; i++) driver.request()
    driver.frames()
    for (const { id } of driver.calls) {
      driver.receive(Frame.headers(id, ok, { endStream: true }), Frame.data(id, noBody))
    }
    assert.match(driver.heard().at(-1) ?? "", /^protocol error 11 .*more answers than it reads/)
  })
})

// -----------------------------------------------------------------------------
// floods are rates
// -----------------------------------------------------------------------------

describe("floods (RFC 9113 section 10.5)", () => {
  it("many WINDOW_UPDATEs on an idle connection -> a flood", () => {
    const { driver } = greeted()
    for (let i = 0; i < 1_001; i++) driver.receive(Frame.windowUpdate(0, 1))
    assert.deepStrictEqual(driver.heard(), [
      "protocol error 11 The peer floods us with WINDOW_UPDATE (ENHANCE_YOUR_CALM)"
    ])
  })

  it("WINDOW_UPDATEs for what was sent, with any number of requests in flight -> not a flood", () => {
    const { driver } = greeted([[SettingId.MAX_CONCURRENT_STREAMS, 20_000]])
    for (let i = 0; i < 6_000; i++) driver.request("/", new Uint8Array(10))
    for (const { id } of driver.calls) driver.receive(Frame.windowUpdate(0, 10), Frame.windowUpdate(id, 10))
    assert.deepStrictEqual(driver.heard(), [])
  })

  it("WINDOW_UPDATEs of one byte for a waiting body -> not a flood, since each is useful", () => {
    const { driver } = greeted([[SettingId.INITIAL_WINDOW_SIZE, 0]])
    driver.request("/", new Uint8Array(5_000))
    driver.frames()
    for (let i = 0; i < 5_000; i++) {
      driver.receive(Frame.windowUpdate(1, 1))
      driver.frames()
    }
    assert.isFalse(driver.session.closing)
    assert.strictEqual(driver.requestBodies.get(1)?.length, 5_000)
  })

  it("a response in pieces of one byte -> a flood; in pieces of 16 bytes -> not a flood", () => {
    for (const [size, flood] of [[1, true], [15, true], [16, false]] as const) {
      const driver = start()
      for (let i = 0; i < 1_100; i++) driver.receive(Frame.data(3, new Uint8Array(size)))
      assert.strictEqual(driver.session.closing, flood, `${size}`)
    }
  })

  it("a response reduces the count by 100 frames, an answer to our own PING to 0", () => {
    const driver = start()
    // one is spent on the SETTINGS of the start
    driver.receive(times(999, Frame.ping(1)))
    driver.frames()
    driver.receive(Frame.headers(1, ok, { endStream: true }), times(100, Frame.settingsAck()))
    assert.deepStrictEqual(driver.heard().filter((event) => event.startsWith("protocol error")), [])
    driver.session.ping(5)
    driver.receive(Frame.ping(5, true), times(1_000, Frame.settingsAck()))
    assert.deepStrictEqual(driver.heard(), ["pong 5"])
    driver.receive(Frame.settingsAck())
    assert.match(driver.heard().join(), /^protocol error 11 /)
  })

  it("each open stream allows more frames, but never more than 16,384", () => {
    const { driver } = greeted([[SettingId.MAX_CONCURRENT_STREAMS, 1]])
    for (let i = 0; i < 10_000; i++) {
      const call = driver.request()
      call.settled++
      driver.session.reset(call, Code.CANCEL)
      driver.session.takeOutput()
    }
    driver.receive(times(17_384, Frame.rstStream(1, 0)))
    assert.deepStrictEqual(driver.heard(), [])
    driver.receive(Frame.rstStream(1, 0))
    assert.match(driver.heard().join(), /^protocol error 11 /)
  })

  it("the clock is set back -> no time passes, and it continues from there", () => {
    const { driver } = greeted()
    driver.session.receive(times(999, Frame.settingsAck()), 10_000)
    driver.session.receive(noBody, 9_000)
    driver.session.receive(times(1, Frame.settingsAck()), 9_001)
    assert.deepStrictEqual(driver.heard(), [])
    driver.session.receive(times(1, Frame.settingsAck()), 9_001)
    assert.match(driver.heard().join(), /^protocol error 11 /)
  })

  it("the limit can be set", () => {
    const { driver } = greeted(undefined, { limits: { maxControlFrames: 10 } })
    driver.session.receive(times(9, Frame.settingsAck()), 0)
    driver.session.receive(times(1, Frame.settingsAck()), 100)
    assert.deepStrictEqual(driver.heard(), [])
    driver.session.receive(times(3, Frame.settingsAck()), 100)
    assert.match(driver.heard().join(), /^protocol error 11 /)
  })
})
