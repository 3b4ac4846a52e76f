import { ErrorCode, Frame, Session } from "@effect-apns/http2"
import { assert, describe, it } from "@effect/vitest"
import { bytesOf, Call, Driver, greeted, hex, noBody, post, toHex } from "./utils.js"

const { ErrorCode: Code } = ErrorCode
const { Flag, FrameType, SettingId } = Frame

const ok = hex("88")
const answer = (id: number): Uint8Array => Frame.headers(id, ok, { endStream: true })
const numbers = (payload: Uint8Array): ReadonlyArray<number> =>
  Array.from({ length: payload.length >> 2 }, (_, i) => Buffer.from(payload).readUInt32BE(4 * i))

/** The same frame with the reserved bit in front of its stream identifier set. */
const reserved = (frame: Uint8Array): Uint8Array => {
  const bytes = frame.slice()
  bytes[5] = (bytes[5] ?? 0) | 0x80
  return bytes
}

describe("limits and edge cases of the session", () => {
  it("the reserved bit of a stream identifier is ignored (RFC 9113 section 4.1)", () => {
    const { driver } = greeted()
    driver.request()
    driver.receive(reserved(Frame.ping(3)), reserved(Frame.settings()), reserved(answer(1)))
    assert.deepStrictEqual(driver.heard().map((event) => event.slice(0, 8)), ["settings", "response"])
  })

  it("the reserved bits of WINDOW_UPDATE and GOAWAY are ignored (RFC 9113 sections 6.8 and 6.9)", () => {
    const { driver } = greeted()
    driver.request("/", new Uint8Array(65_540))
    driver.frames()
    driver.receive(Frame.windowUpdate(1, 0x8000_0005), Frame.windowUpdate(0, 0x8000_0005))
    assert.deepStrictEqual(
      driver.frames().map(({ flags, payload, type }) => [type, flags, payload.length]),
      [[FrameType.DATA, Flag.END_STREAM, 5]]
    )
    driver.receive(Frame.goaway(0x8000_0001, 0))
    assert.strictEqual(driver.session.goaway?.lastStreamId, 1)
    assert.deepStrictEqual(driver.session.streams(), driver.calls)
  })

  it("a GOAWAY of 8 bytes -> valid; of 7 bytes -> an error (RFC 9113 section 6.8)", () => {
    const { driver } = greeted()
    driver.receive(Frame.frame(FrameType.GOAWAY, 0, 0, new Uint8Array(8)))
    assert.deepStrictEqual(driver.session.goaway, { lastStreamId: 0, code: 0, debugData: "" })
    driver.receive(Frame.frame(FrameType.GOAWAY, 0, 0, new Uint8Array(7)))
    assert.match(driver.heard().at(-1) ?? "", /^protocol error 6 /)
  })

  it("up to 64 of our PINGs wait for an answer; with more, the oldest are forgotten", () => {
    const { driver } = greeted()
    for (let i = 0; i < 65; i++) driver.session.ping(1_000 + i)
    driver.receive(Frame.ping(1_000, true), Frame.ping(1_001, true), Frame.ping(1_064, true))
    assert.deepStrictEqual(driver.heard(), ["pong 1001", "pong 1064"])
  })

  it("our GOAWAY has as much debug data as fits in one frame", () => {
    const { driver } = greeted()
    driver.session.sendGoaway(Code.NO_ERROR, "x".repeat(20_000))
    assert.deepStrictEqual(driver.frames().map(({ payload, type }) => [type, payload.length]), [
      [FrameType.GOAWAY, 16_384]
    ])
    assert.isFalse(driver.session.request(new Call(), post, "/", undefined, noBody))
  })

  it("after a protocol error nothing is written and no request is taken", () => {
    const { driver } = greeted()
    const call = driver.request()
    driver.receive(Frame.ping(1), Frame.frame(FrameType.PING, 0, 0, noBody))
    driver.frames()
    driver.heard()
    driver.session.ping(1)
    driver.session.sendGoaway(Code.NO_ERROR)
    call.settled++
    driver.session.reset(call, Code.CANCEL)
    assert.deepStrictEqual(driver.frames(), [])
    assert.strictEqual(driver.session.active, 0)
    assert.isTrue(driver.session.closing)
  })

  it("the stream window is the largest body, at least the RFC's default, at most the RFC's maximum", () => {
    const window = (maxBodySize: number): number => {
      const driver = new Driver({ limits: { maxBodySize } })
      const settings = driver.frames()[0]?.payload ?? noBody
      for (let at = 0; at < settings.length; at += 6) {
        const entry = Buffer.from(settings.subarray(at, at + 6))
        if (entry.readUInt16BE(0) === SettingId.INITIAL_WINDOW_SIZE) return entry.readUInt32BE(2)
      }
      return -1
    }
    assert.deepStrictEqual([0, 65_535, 65_536, 1_000_000, 3_000_000_000].map(window), [
      65_535,
      65_535,
      65_536,
      1_000_000,
      0x7fff_ffff
    ])
  })

  it("the bytes of the preface, settings and window (RFC 9113 section 3.4)", () => {
    const driver = new Driver()
    assert.strictEqual(
      toHex(driver.take()),
      "505249202a20485454502f322e300d0a0d0a534d0d0a0d0a" +
        "000018040000000000" + "000100001000" + "000200000000" + "000400010000" + "000600004000" +
        "000004080000000000" + "000f0001"
    )
  })

  it("available is what the peer and the remaining identifiers allow", () => {
    const { driver } = greeted([])
    assert.strictEqual(driver.session.available, 0x3fff_ffff)
    driver.receive(Frame.settings([[SettingId.MAX_CONCURRENT_STREAMS, 0]]))
    assert.strictEqual(driver.session.available, 0)
    assert.isFalse(driver.session.request(new Call(), post, "/", undefined, noBody))
    driver.receive(Frame.settings([[SettingId.MAX_CONCURRENT_STREAMS, 2]]))
    driver.request()
    assert.strictEqual(driver.session.available, 1)
    driver.request()
    assert.strictEqual(driver.session.available, 0)
    assert.isFalse(driver.session.request(new Call(), post, "/", undefined, noBody))
  })

  it("a body of exactly the size of the window, the frame or the stream's window -> sent at once", () => {
    for (
      const [settings, length, waits] of [
        [[], 65_535, false],
        [[[SettingId.INITIAL_WINDOW_SIZE, 100_000]], 65_536, true],
        [[[SettingId.INITIAL_WINDOW_SIZE, 100]], 100, false],
        [[[SettingId.INITIAL_WINDOW_SIZE, 100]], 101, true]
      ] as const
    ) {
      const { driver } = greeted(settings)
      driver.request("/", new Uint8Array(length))
      const data = driver.frames().filter(({ type }) => type === FrameType.DATA)
      const ends = data.some(({ flags }) => flags === Flag.END_STREAM)
      assert.strictEqual(ends, !waits, `${length}`)
      assert.isTrue(data.every(({ payload }) => payload.length <= 16_384))
    }
    const { driver } = greeted()
    driver.request("/", new Uint8Array(16_384))
    driver.request("/", new Uint8Array(16_385))
    assert.deepStrictEqual(
      driver.frames().filter(({ type }) => type === FrameType.DATA).map(({ payload }) => payload.length),
      [16_384, 16_384, 1]
    )
  })

  it("a header block of exactly the size of a frame -> one frame (RFC 9113 section 6.10)", () => {
    const { driver } = greeted(undefined, {}, { maxHeaderListSize: 1_000_000 })
    const get = new Session.Head("GET", [])
    driver.request("/", noBody, get)
    driver.request("/", noBody, get)
    driver.frames()
    // :method, :scheme, :authority, the name of :path and three bytes for the length of the path
    for (
      const [length, frames] of [[16_384 - 3 - 1 - 4, 1], [16_384 - 3 - 1 - 3, 1], [16_384 - 3 - 1 - 2, 2]] as const
    ) {
      driver.request(`/${"x".repeat(length - 1)}`, noBody, get)
      const sent = driver.frames()
      assert.strictEqual(sent.length, frames, `${length} ${sent.map(({ payload }) => payload.length).join()}`)
      assert.deepStrictEqual(
        sent.map(({ flags }) => flags),
        frames === 1
          ? [Flag.END_HEADERS | Flag.END_STREAM]
          : [Flag.END_STREAM, Flag.END_HEADERS]
      )
    }
  })

  it("names and values of extra headers may have any length", () => {
    const { driver } = greeted()
    for (const length of [1, 126, 127, 128, 254, 255, 300]) {
      const name = "n".repeat(length)
      const value = "v".repeat(length)
      const { id } = driver.request("/", noBody, post, [name, value, "empty", "", "last", "ü"])
      driver.frames()
      assert.deepStrictEqual(driver.requestHeaders.get(id)?.slice(-6), [name, value, "empty", "", "last", "ü"])
    }
    for (const length of [1, 126, 127, 128, 300]) {
      const path = `/${"p".repeat(length - 1)}`
      const { id } = driver.request(path)
      driver.frames()
      assert.include(driver.requestHeaders.get(id) ?? [], path)
    }
  })

  it("the path is the prefix of the head and the rest, which may be empty", () => {
    const { driver } = greeted()
    const head = new Session.Head("GET", [], "/3/device/")
    for (const rest of ["", "00", "a/b"]) {
      const { id } = driver.request(rest, noBody, head)
      driver.frames()
      assert.include(driver.requestHeaders.get(id) ?? [], `/3/device/${rest}`)
    }
    assert.throws(() => new Session.Head("GET", [], "3/device/"), /path has to start with a slash/)
    assert.throws(() => driver.request("a b", noBody, head), /path has to start with a slash/)
  })

  it("a response body of any size, in one piece or several -> passed on unchanged", () => {
    for (const pieces of [["x"], ["x".repeat(20), "y".repeat(30)], ["a".repeat(16), "b".repeat(16), "c", ""]]) {
      const { driver } = greeted()
      const call = driver.request()
      driver.receive(Frame.headers(1, ok))
      for (const [i, piece] of pieces.entries()) {
        driver.receive(Frame.data(1, bytesOf(piece), { endStream: i === pieces.length - 1, padding: i }))
      }
      assert.deepStrictEqual(call.body, bytesOf(pieces.join("")))
      assert.strictEqual(call.status, 200)
      assert.isFalse(call.truncated)
    }
  })

  it("a stream reset after its headers -> keeps the part of the body that arrived", () => {
    const { driver } = greeted()
    const call = driver.request()
    driver.frames()
    driver.receive(Frame.headers(1, ok), Frame.data(1, bytesOf("0123456789abcdef")), Frame.rstStream(1, Code.CANCEL))
    assert.deepStrictEqual([call.truncated, call.body, call.status], [true, bytesOf("0123456789abcdef"), 200])
    assert.lengthOf(driver.heard(), 1)
    assert.deepStrictEqual(driver.frames(), [])
  })

  it("WINDOW_UPDATE is sent when half of a window is used, for connection and stream each (RFC 9113 section 6.9)", () => {
    const { driver } = greeted(undefined, { limits: { maxBodySize: 70_000 } })
    driver.request()
    driver.frames()
    driver.receive(Frame.headers(1, ok), Frame.data(1, new Uint8Array(16_384)), Frame.data(1, new Uint8Array(16_384)))
    assert.deepStrictEqual(driver.frames(), [])
    driver.receive(Frame.data(1, new Uint8Array(2_231)))
    assert.deepStrictEqual(driver.frames(), [])
    driver.receive(Frame.data(1, new Uint8Array(1), { padding: 15 }))
    assert.deepStrictEqual(
      driver.frames().map(({ payload, streamId, type }) => [type, streamId, ...numbers(payload)]),
      [
        [FrameType.WINDOW_UPDATE, 1, 35_016]
      ]
    )
  })

  it("long header names are checked once and then remembered, for any number of them", () => {
    const { driver } = greeted()
    for (let i = 0; i < 600; i++) {
      driver.request("/", noBody, post, [`x-${i}`, "1"])
      driver.receive(answer(driver.calls.at(-1)?.id ?? 0))
    }
    driver.frames()
    for (const name of ["x-0", "x-599"]) driver.request("/", noBody, post, [name, "1"])
    for (const name of ["X-0", "x 0", ":x", "te", "content-length", ""]) {
      assert.throws(() => driver.request("/", noBody, post, [name, "1"]), TypeError, undefined, name)
    }
  })
})
