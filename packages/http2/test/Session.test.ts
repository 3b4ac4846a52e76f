import { ErrorCode, Frame, Hpack, Session } from "@effect-apns/http2"
import { assert, describe, it } from "@effect/vitest"
import { bytesOf, Call, Driver, greeted, hex, noBody, post, Random, toHex } from "./utils.js"

const { ErrorCode: Code } = ErrorCode
const { Flag, FrameType, SettingId } = Frame

const ok = hex("88")
const answer = (id: number): Uint8Array => Frame.headers(id, ok, { endStream: true })
const typesOf = (sent: ReadonlyArray<{ readonly type: number; readonly streamId: number }>): Array<string> =>
  sent.map(({ streamId, type }) => `${Frame.typeName(type)} ${streamId}`)
const lengthsOf = (sent: ReadonlyArray<{ readonly payload: Uint8Array }>): Array<number> =>
  sent.map(({ payload }) => payload.length)
const fieldsOf = (fields: ReadonlyArray<string> | undefined, wanted: string): Array<string> => {
  const values: Array<string> = []
  for (let i = 0; fields !== undefined && i < fields.length; i += 2) {
    if (fields[i] === wanted) values.push(fields[i + 1] ?? "")
  }
  return values
}

describe("the start", () => {
  it("writes preface, SETTINGS and WINDOW_UPDATE first, without a call of onOutput (RFC 9113 section 3.4)", () => {
    const driver = new Driver()
    assert.strictEqual(driver.outputCalls, 0)
    const output = driver.take()
    assert.strictEqual(Buffer.from(output.subarray(0, 24)).toString("latin1"), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert.deepStrictEqual(typesOf(driver.sent), ["SETTINGS 0", "WINDOW_UPDATE 0"])
    assert.strictEqual(
      toHex(driver.sent[0]?.payload ?? noBody),
      "000100001000" + "000200000000" + "000400010000" + "000600004000"
    )
  })

  it("accepts no request before the peer's SETTINGS", () => {
    const driver = new Driver()
    assert.isFalse(driver.session.ready)
    assert.strictEqual(driver.session.available, 0)
    assert.isFalse(driver.session.request(new Call(), post, "/", undefined, noBody))
    driver.receive(Frame.settings([[SettingId.MAX_CONCURRENT_STREAMS, 2]]))
    assert.isTrue(driver.session.ready)
    assert.strictEqual(driver.session.available, 2)
    assert.lengthOf(driver.heard(), 1)
    assert.deepStrictEqual(typesOf(driver.frames()), ["SETTINGS 0", "WINDOW_UPDATE 0", "SETTINGS 0"])
  })

  it("uses the RFC's initial values until the peer's SETTINGS", () => {
    const driver = new Driver()
    assert.deepStrictEqual(driver.session.settings, {
      headerTableSize: 4096,
      maxConcurrentStreams: 0xffff_ffff,
      initialWindowSize: 65_535,
      maxFrameSize: 16_384,
      maxHeaderListSize: 0xffff_ffff
    })
    driver.receive(Frame.settings([[SettingId.MAX_FRAME_SIZE, 20_000], [0x99, 1], [SettingId.ENABLE_PUSH, 0]]))
    assert.strictEqual(driver.session.settings.maxFrameSize, 20_000)
    assert.isAbove(driver.session.available, 1_000_000)
  })

  it("refuses an invalid authority", () => {
    assert.throws(() => new Driver({ authority: "a b" }), /authority/)
    assert.throws(() => new Driver({ authority: "" }), /authority/)
  })
})

describe("requests", () => {
  it("have pseudo-headers first, then common headers, those of the head and the extra ones", () => {
    const { driver } = greeted()
    driver.session.setCommonHeaders([["authorization", "bearer t"]])
    const call = driver.request("/3/device/0a", bytesOf("{}"), post, ["apns-collapse-id", "lunch"])
    const sent = driver.frames()
    assert.deepStrictEqual(typesOf(sent), ["HEADERS 1", "DATA 1"])
    assert.strictEqual(sent[0]?.flags, Flag.END_HEADERS)
    assert.strictEqual(sent[1]?.flags, Flag.END_STREAM)
    assert.strictEqual(call.id, 1)
    assert.deepStrictEqual(driver.requestHeaders.get(1), [
      ...[":method", "POST", ":scheme", "https", ":authority", "api.push.apple.com", ":path", "/3/device/0a"],
      ...["authorization", "bearer t", "apns-topic", "com.example.app", "apns-push-type", "alert"],
      ...["apns-collapse-id", "lunch", "content-length", "2"]
    ])
    assert.deepStrictEqual(driver.requestBodies.get(1), bytesOf("{}"))
  })

  it("without a body end with their HEADERS", () => {
    const { driver } = greeted()
    driver.request("/", noBody, new Session.Head("GET", []))
    const sent = driver.frames()
    assert.deepStrictEqual(typesOf(sent), ["HEADERS 1"])
    assert.strictEqual(sent[0]?.flags, Flag.END_HEADERS | Flag.END_STREAM)
  })

  it("of one tick are written together, with one call of onOutput", () => {
    const { driver } = greeted()
    const before = driver.outputCalls
    for (let i = 0; i < 1000; i++) driver.request(`/3/device/${i}`, new Uint8Array(65))
    assert.strictEqual(driver.outputCalls, before + 1)
    const bytes = driver.session.takeOutput()
    assert.isDefined(bytes)
    assert.isUndefined(driver.session.takeOutput())
    assert.strictEqual(driver.session.available, 0)
    assert.isFalse(driver.session.request(new Call(), post, "/", undefined, noBody))
  })

  it("take one byte for each shared header from the second request on", () => {
    const { driver } = greeted()
    driver.session.setCommonHeaders([["authorization", `bearer ${"x".repeat(200)}`]])
    const sizes = [1, 2, 3, 4].map(() => {
      driver.request("/3/device/00")
      return driver.frames()[0]?.payload.length ?? 0
    })
    // :method, :scheme, :authority, :path with its 12 characters, and three headers
    assert.deepStrictEqual(sizes.slice(1), [20, 20, 20])
    assert.isAbove(sizes[0] ?? 0, 200)
  })

  it("encode the length of their body in one byte from its third use on (RFC 9110 section 8.6)", () => {
    const { driver } = greeted()
    /** What a body of `length` adds to the header block of a request without one, in bytes. */
    const cost = (length: number): number => {
      driver.request("/")
      const without = driver.frames()[0]?.payload.length ?? 0
      const { id } = driver.request("/", new Uint8Array(length))
      const [headers] = driver.frames()
      assert.deepStrictEqual(fieldsOf(driver.requestHeaders.get(id), "content-length"), [String(length)])
      assert.deepStrictEqual(fieldsOf(driver.requestHeaders.get(id - 2), "content-length"), [])
      return (headers?.payload.length ?? 0) - without
    }
    for (let i = 0; i < 2; i++) driver.request("/")
    driver.frames()
    // a literal with a static name, a literal that enters the table, the entry
    assert.deepStrictEqual([250, 250, 250, 250].map(cost), [6, 5, 1, 1])
    // another length does not disturb the one that repeats
    assert.deepStrictEqual([7, 250, 9, 250, 12_345, 250].map(cost), [4, 1, 4, 1, 8, 1])
    // two that take turns in pairs are both in the table
    assert.deepStrictEqual([300, 300, 250, 250, 300, 300, 250, 250].map(cost), [6, 5, 6, 1, 6, 1, 6, 1])
    // a new provider token moves everything in the table
    driver.session.setCommonHeaders([["authorization", "bearer t"]])
    for (let i = 0; i < 2; i++) driver.request("/")
    driver.frames()
    assert.deepStrictEqual([250, 250].map(cost), [1, 1])
  })

  it("always have the right content-length, after any other requests", () => {
    const { driver } = greeted([[SettingId.INITIAL_WINDOW_SIZE, 0x7fff_ffff], [
      SettingId.MAX_CONCURRENT_STREAMS,
      100_000
    ]])
    driver.receive(Frame.windowUpdate(0, 0x7fff_ffff - 65_535))
    driver.frames()
    const random = new Random(5)
    for (let i = 0; i < 3_000; i++) {
      if (i % 100 === 0) driver.session.setCommonHeaders([["authorization", `bearer ${i}`]])
      if (i % 700 === 0) driver.receive(Frame.settings([[SettingId.HEADER_TABLE_SIZE, random.below(300)]]))
      const length =
        [0, 1, 9, 10, 99, 100, 126, 127, 999, 1_000, 4_096, 10_000, random.below(5_000)][random.below(13)] ?? 0
      const { id } = driver.request("/", new Uint8Array(length))
      driver.frames()
      assert.deepStrictEqual(
        fieldsOf(driver.requestHeaders.get(id), "content-length"),
        length === 0 ? [] : [String(length)]
      )
      driver.receive(Frame.rstStream(id, 7))
    }
  })

  it("must not set content-length themselves", () => {
    const { driver } = greeted()
    assert.throws(() => new Session.Head("POST", [["content-length", "2"]]), /content-length.*the session sends/)
    assert.throws(() => driver.session.setCommonHeaders([["content-length", "2"]]), /content-length/)
    assert.throws(() => driver.request("/", bytesOf("{}"), post, ["content-length", "2"]), /content-length/)
  })

  it("count the length of their body as part of the header list (RFC 9113 section 6.5.2)", () => {
    for (const length of [1, 9, 10, 99, 100, 999, 1_000, 9_999, 10_000]) {
      const { driver } = greeted()
      const { id } = driver.request("/", new Uint8Array(length))
      driver.frames()
      const list = driver.requestHeaders.get(id) ?? []
      const size = list.reduce((sum, text) => sum + text.length, 32 * list.length / 2)
      for (const [limit, taken] of [[size, true], [size - 1, false]] as const) {
        driver.receive(Frame.settings([[SettingId.MAX_HEADER_LIST_SIZE, limit]]))
        assert.strictEqual(
          driver.session.request(new Call(), post, "/", undefined, new Uint8Array(length)),
          taken,
          `${length} ${limit}`
        )
      }
    }
  })

  it("are written in HEADERS and CONTINUATION when the block is larger than a frame (RFC 9113 section 6.10)", () => {
    const { driver } = greeted(undefined, {}, { maxHeaderListSize: 1_000_000 })
    const path = `/${"x".repeat(40_000)}`
    driver.request(path, bytesOf("body"))
    const sent = driver.frames()
    assert.deepStrictEqual(typesOf(sent), ["HEADERS 1", "CONTINUATION 1", "CONTINUATION 1", "DATA 1"])
    assert.deepStrictEqual(sent.map(({ flags }) => flags), [0, 0, Flag.END_HEADERS, Flag.END_STREAM])
    assert.deepStrictEqual(fieldsOf(driver.requestHeaders.get(1), ":path"), [path])
    assert.strictEqual(Buffer.from(driver.requestBodies.get(1) ?? noBody).toString(), "body")
  })

  it("larger than the peer's MAX_HEADER_LIST_SIZE are refused (RFC 9113 section 6.5.2)", () => {
    const { driver } = greeted([[SettingId.MAX_HEADER_LIST_SIZE, 400]])
    const call = new Call()
    assert.isFalse(driver.session.request(call, post, `/${"x".repeat(400)}`, undefined, noBody))
    assert.strictEqual(call.id, 0)
    assert.deepStrictEqual(driver.frames(), [])
    driver.request("/")
    const list = driver.frames() && (driver.requestHeaders.get(1) ?? [])
    const size = list.reduce((sum, text) => sum + text.length, 0) + 16 * list.length
    // the limit is exact
    driver.receive(Frame.settings([[SettingId.MAX_HEADER_LIST_SIZE, size + 4]]))
    driver.request("/1234")
    assert.isFalse(driver.session.request(new Call(), post, "/12345", undefined, noBody))
    assert.isFalse(driver.session.request(new Call(), post, "/", ["a", "b"], noBody))
  })

  const refused: ReadonlyArray<readonly [name: string, path: string, extra: ReadonlyArray<string>, error: RegExp]> = [
    ["a path without a slash", "3/device", [], /path/],
    ["an empty path", "", [], /path/],
    ["a path with a space", "/3/device/a b", [], /path/],
    ["a path with CR LF", "/3/device/a\r\nx: y", [], /path/],
    ["a path with a NUL", "/\0", [], /path/],
    ["a path that is not ASCII", "/ü", [], /path/],
    ["an extra pseudo-header", "/", [":path", "/"], /pseudo-header/],
    ["an extra header in upper case", "/", ["Apns-Id", "x"], /lower case/],
    ["an extra header with LF in its value", "/", ["apns-id", "a\nb"], /U\+000A/],
    ["an extra header with a NUL in its value", "/", ["apns-id", "\0"], /U\+0000/],
    ["an extra header that is not Latin-1", "/", ["apns-id", "\u0100"], /U\+0100/],
    ["an extra header with a space at its end", "/", ["apns-id", "a "], /white space/],
    ["an extra header without a value", "/", ["apns-id"], /pairs/]
  ]
  for (const [name, path, extra, error] of refused) {
    it(`refuse ${name}, with nothing changed`, () => {
      const { driver } = greeted()
      // once before the head is encoded, once after
      for (let round = 0; round < 2; round++) {
        const call = new Call()
        assert.throws(() => driver.session.request(call, post, path, extra, noBody), error)
        assert.strictEqual(call.id, 0)
        assert.deepStrictEqual(driver.frames(), [])
        driver.request("/3/device/00")
        driver.request("/3/device/00")
        assert.lengthOf(driver.frames(), 2)
      }
    })
  }

  it("refuse a stream that was used before", () => {
    const { driver } = greeted()
    const call = driver.request()
    assert.throws(() => driver.session.request(call, post, "/", undefined, noBody), /used/)
  })

  it("refuse heads and common headers that may not be sent", () => {
    const { driver } = greeted()
    const bad: ReadonlyArray<readonly [string, string]> = [
      ["Apns-Topic", "x"],
      [":path", "/"],
      ["a b", "x"],
      ["", "x"],
      ["connection", "close"],
      ["apns-topic", "a\r\nb: c"]
    ]
    for (const header of bad) {
      assert.throws(() => new Session.Head("POST", [header]), TypeError)
      assert.throws(() => driver.session.setCommonHeaders([header]), TypeError)
    }
    assert.notInclude(
      String(assert.throws(() => driver.session.setCommonHeaders([["authorization", "bearer secret\n"]]), /U\+000A/)),
      "secret"
    )
  })

  it("may reuse a stream that has ended and was renewed, also on another session, with new windows", () => {
    const first = greeted([[SettingId.INITIAL_WINDOW_SIZE, 100]]).driver
    const call = first.request("/", new Uint8Array(150))
    first.receive(Frame.headers(1, ok), Frame.data(1, bytesOf("x")), Frame.rstStream(1, Code.INTERNAL_ERROR))
    call.renew()
    assert.deepStrictEqual([call.id, call.status, call.body, call.truncated], [0, 0, undefined, false])
    const second = greeted([[SettingId.INITIAL_WINDOW_SIZE, 100]]).driver
    second.request()
    assert.isTrue(second.session.request(call, post, "/", undefined, new Uint8Array(150)))
    assert.strictEqual(call.id, 3)
    second.frames()
    assert.strictEqual(second.requestBodies.get(3)?.length, 100)
    second.receive(Frame.windowUpdate(3, 50), answer(3))
    second.frames()
    assert.strictEqual(second.requestBodies.get(3)?.length, 150)
    assert.strictEqual(call.status, 200)
  })

  it("end with stream 2^31-1 (RFC 9113 section 5.1.1)", () => {
    const { driver } = greeted()
    Reflect.set(driver.session, "lastId", 0x7fff_fffb)
    assert.strictEqual(driver.session.available, 2)
    assert.strictEqual(driver.request().id, 0x7fff_fffd)
    assert.isFalse(driver.session.closing)
    assert.strictEqual(driver.session.available, 1)
    assert.strictEqual(driver.request().id, 0x7fff_ffff)
    assert.isTrue(driver.session.closing)
    assert.strictEqual(driver.session.available, 0)
    assert.isFalse(driver.session.request(new Call(), post, "/", undefined, noBody))
    assert.deepStrictEqual(driver.frames().map(({ streamId }) => streamId), [0x7fff_fffd, 0x7fff_ffff])
    driver.receive(answer(0x7fff_ffff), answer(0x7fff_fffd))
    assert.lengthOf(driver.heard(), 2)
    assert.deepStrictEqual(driver.problems(), [])
  })
})

describe("responses", () => {
  it("have a status, an apns-id, other headers and a body", () => {
    const { driver, encoder } = greeted()
    const [accepted, rejected] = [driver.request(), driver.request()]
    driver.receive(
      Frame.headers(3, encoder.encode([":status", "410", "apns-id", "B", "apns-unique-id", "U", "x-a", "1"])),
      Frame.headers(1, encoder.encode([":status", "200", "apns-id", "A"]), { endStream: true }),
      Frame.data(3, bytesOf("{\"reason\":")),
      Frame.data(3, bytesOf("\"Unregistered\"}"), { padding: 9 }),
      Frame.data(3, noBody, { endStream: true })
    )
    assert.deepStrictEqual([accepted.status, accepted.apnsId, accepted.headers, accepted.body], [
      200,
      "A",
      undefined,
      undefined
    ])
    assert.deepStrictEqual([rejected.status, rejected.apnsId, rejected.headers], [
      410,
      "B",
      ["apns-unique-id", "U", "x-a", "1"]
    ])
    assert.strictEqual(Buffer.from(rejected.body ?? noBody).toString(), "{\"reason\":\"Unregistered\"}")
    assert.strictEqual(driver.session.active, 0)
    assert.deepStrictEqual(driver.problems(), [])
  })

  it("with priority, padding, CONTINUATION, interim responses and trailers", () => {
    const { driver, encoder } = greeted()
    const call = driver.request()
    driver.receive(Frame.headers(1, encoder.encode([":status", "103", "link", "x"]), { padding: 0 }))
    const block = encoder.encode([":status", "200", "apns-id", "A", "x", "1"])
    driver.receive(
      Frame.headers(1, block.subarray(0, 3), {
        endHeaders: false,
        padding: 255,
        priority: { dependency: 3, weight: 256, exclusive: true }
      }),
      Frame.continuation(1, block.subarray(3, 4), false),
      Frame.continuation(1, noBody, false),
      Frame.continuation(1, block.subarray(4))
    )
    assert.strictEqual(call.status, 200)
    driver.receive(Frame.headers(1, encoder.encode(["y", "2"]), { endStream: true }))
    assert.deepStrictEqual(call.headers, ["x", "1", "y", "2"])
    assert.strictEqual(call.apnsId, "A")
    assert.strictEqual(call.settled, 1)
  })

  it("may be empty with status 204 or 304 and a content-length (RFC 9110 section 8.6)", () => {
    const { driver, encoder } = greeted()
    driver.request()
    driver.receive(Frame.headers(1, encoder.encode([":status", "304", "content-length", "7"]), { endStream: true }))
    assert.match(driver.heard().join(), /^response .*"status":304/)
  })

  it("of the largest allowed size are accepted in any pieces, with one WINDOW_UPDATE for each half window", () => {
    const { driver } = greeted()
    const call = driver.request()
    driver.frames()
    driver.receive(Frame.headers(1, ok))
    const body = new Uint8Array(65_536).map((_, i) => i)
    for (let at = 0; at < body.length; at += 4096) driver.receive(Frame.data(1, body.subarray(at, at + 4096)))
    driver.receive(Frame.data(1, noBody, { endStream: true }))
    assert.deepStrictEqual(call.body, body)
    assert.deepStrictEqual(typesOf(driver.frames()), ["WINDOW_UPDATE 1", "WINDOW_UPDATE 1"])
  })

  it("open the connection's window again, DATA of streams that are long reset included (RFC 9113 section 5.1)", () => {
    const { driver } = greeted()
    const call = driver.request()
    driver.session.reset(call, Code.CANCEL)
    driver.frames()
    for (let i = 0; i < 64; i++) driver.receive(Frame.data(1, new Uint8Array(16_384)))
    const updates = driver.frames().filter(({ type }) => type === FrameType.WINDOW_UPDATE)
    const given = updates.reduce((sum, { payload }) => sum + Buffer.from(payload).readUInt32BE(0), 0)
    assert.strictEqual(given, 64 * 16_384)
    assert.isFalse(driver.session.closing)
  })

  it("before the end of the request complete it; the rest of the request is not sent (RFC 9113 section 8.1)", () => {
    const { driver } = greeted([[SettingId.INITIAL_WINDOW_SIZE, 10]])
    const call = driver.request("/", new Uint8Array(100))
    driver.frames()
    driver.receive(Frame.headers(1, hex("8c"), { endStream: true }))
    assert.strictEqual(call.status, 400)
    assert.deepStrictEqual(typesOf(driver.frames()), ["RST_STREAM 1"])
    driver.receive(Frame.rstStream(1, Code.NO_ERROR), Frame.windowUpdate(1, 100))
    assert.deepStrictEqual(driver.frames(), [])
    assert.deepStrictEqual(driver.problems(), [])
  })
})

describe("resets", () => {
  it("by the peer before a status are failures, with their code", () => {
    const { driver } = greeted()
    driver.request()
    driver.request()
    driver.receive(Frame.rstStream(1, Code.REFUSED_STREAM), Frame.rstStream(3, Code.INTERNAL_ERROR))
    const heard = driver.heard()
    assert.match(heard[0] ?? "", /^failure 1 reset 7 .*not processed/)
    assert.match(heard[1] ?? "", /^failure 3 reset 2 .*INTERNAL_ERROR/)
    assert.deepStrictEqual(driver.problems(), [])
  })

  it("REFUSED_STREAM and then STREAM_CLOSED on one stream is one failure, a thousand times over", () => {
    const { driver } = greeted()
    for (let i = 0; i < 1000; i++) driver.request()
    for (const call of driver.calls) {
      driver.receive(Frame.rstStream(call.id, Code.REFUSED_STREAM), Frame.rstStream(call.id, Code.STREAM_CLOSED))
    }
    assert.lengthOf(driver.heard().filter((event) => / reset 7 /.test(event)), 1000)
    assert.isFalse(driver.session.closing)
    assert.deepStrictEqual(driver.problems(), [])
  })

  it("by the peer after a status give the truncated response", () => {
    const { driver, encoder } = greeted()
    const call = driver.request()
    driver.receive(
      Frame.headers(1, encoder.encode([":status", "200", "apns-id", "A"])),
      Frame.data(1, bytesOf("{\"rea")),
      Frame.rstStream(1, Code.INTERNAL_ERROR)
    )
    assert.isTrue(call.truncated)
    assert.deepStrictEqual([call.status, call.apnsId, Buffer.from(call.body ?? noBody).toString()], [
      200,
      "A",
      "{\"rea"
    ])
    assert.match(driver.heard().join(), /^response /)
  })

  it("by us free the stream; late frames of the peer are ignored, and HPACK stays in sync", () => {
    const { driver, encoder } = greeted([[SettingId.MAX_CONCURRENT_STREAMS, 1]])
    const call = driver.request()
    assert.strictEqual(driver.session.available, 0)
    driver.session.reset(call, Code.CANCEL)
    driver.session.reset(call, Code.CANCEL)
    assert.strictEqual(driver.session.available, 1)
    const sent = driver.frames()
    assert.deepStrictEqual(typesOf(sent), ["HEADERS 1", "RST_STREAM 1"])
    const second = driver.request()
    driver.receive(
      Frame.headers(1, encoder.encode([":status", "200", "apns-id", "old"])),
      Frame.data(1, bytesOf("late")),
      Frame.windowUpdate(1, 5),
      Frame.rstStream(1, Code.CANCEL),
      Frame.headers(3, encoder.encode([":status", "200", "apns-id", "old"]), { endStream: true })
    )
    assert.strictEqual(second.apnsId, "old")
    assert.strictEqual(call.status, 0)
    assert.lengthOf(driver.heard(), 1)
  })

  it("by us, a thousand at once with answers already in flight, do not count as a flood", () => {
    const { driver } = greeted()
    for (let i = 0; i < 1000; i++) driver.request()
    for (const call of driver.calls) driver.session.reset(call, Code.CANCEL)
    for (const call of driver.calls) {
      driver.receive(Frame.headers(call.id, ok), Frame.data(call.id, bytesOf("x")), Frame.data(call.id, noBody))
    }
    assert.isFalse(driver.session.closing)
  })

  it("of a stream of another session do nothing", () => {
    const one = greeted().driver
    const two = greeted().driver
    const call = one.request()
    two.request()
    two.frames()
    two.session.reset(call, Code.CANCEL)
    two.session.reset(new Call(), Code.CANCEL)
    assert.deepStrictEqual(two.frames(), [])
    assert.strictEqual(two.session.active, 1)
  })
})

describe("GOAWAY", () => {
  it("below a stream whose status has arrived -> the answer still counts", () => {
    const { driver } = greeted()
    const answered = driver.request()
    const waiting = driver.request()
    driver.receive(Frame.headers(answered.id, ok, { endStream: false }), Frame.goaway(0, Code.NO_ERROR, ""))
    assert.deepStrictEqual([answered.settled, answered.status, answered.truncated], [1, 200, true])
    assert.deepStrictEqual([waiting.settled, waiting.status], [1, 0])
    assert.match(driver.heard().join(), /response .*failure 3 goaway/)
  })

  it("fails the streams above its id, the others continue; onGoaway is called after that", () => {
    const { driver } = greeted()
    for (let i = 0; i < 4; i++) driver.request()
    driver.receive(Frame.goaway(3, Code.NO_ERROR, "{\"reason\":\"Shutdown\"}"))
    assert.deepStrictEqual(driver.heard().map((event) => event.slice(0, 16)), [
      "failure 5 goaway",
      "failure 7 goaway",
      "goaway {\"lastStr"
    ])
    assert.deepStrictEqual(driver.session.goaway, {
      lastStreamId: 3,
      code: 0,
      debugData: "{\"reason\":\"Shutdown\"}"
    })
    assert.isTrue(driver.session.closing)
    assert.strictEqual(driver.session.available, 0)
    assert.isFalse(driver.session.request(new Call(), post, "/", undefined, noBody))
    driver.receive(answer(1))
    assert.strictEqual(driver.session.active, 1)
    assert.deepStrictEqual(driver.problems(), [])
  })

  it("may come again with a lower id", () => {
    const { driver } = greeted()
    for (let i = 0; i < 3; i++) driver.request()
    driver.receive(Frame.goaway(0x7fff_ffff, 0), Frame.goaway(3, 0), Frame.goaway(1, 2), Frame.goaway(1, 2))
    assert.deepStrictEqual(driver.heard().map((event) => event.slice(0, 9)), [
      "goaway {\"",
      "failure 5",
      "goaway {\"",
      "failure 3",
      "goaway {\"",
      "goaway {\""
    ])
    assert.deepStrictEqual(driver.session.streams().map(({ id }) => id), [1])
  })

  it("has at most 1,024 bytes of debug data", () => {
    const { driver } = greeted()
    driver.receive(Frame.goaway(0, 0, "x".repeat(5_000)))
    assert.strictEqual(driver.session.goaway?.debugData, "x".repeat(1_024))
  })

  it("from us only stops new requests", () => {
    const { driver } = greeted()
    const call = driver.request()
    driver.frames()
    driver.session.sendGoaway(Code.NO_ERROR, "bye")
    const sent = driver.frames()
    assert.deepStrictEqual(typesOf(sent), ["GOAWAY 0"])
    assert.strictEqual(toHex(sent[0]?.payload ?? noBody), "0000000000000000" + toHex(bytesOf("bye")))
    assert.isTrue(driver.session.closing)
    assert.strictEqual(driver.session.available, 0)
    driver.receive(answer(1))
    assert.strictEqual(call.status, 200)
  })
})

describe("PING", () => {
  it("is answered with the same payload", () => {
    const { driver } = greeted()
    driver.receive(Frame.ping(hex("0102030405060708")))
    const sent = driver.frames()
    assert.deepStrictEqual(sent.map(({ flags, payload, type }) => [type, flags, toHex(payload)]), [
      [FrameType.PING, Flag.ACK, "0102030405060708"]
    ])
  })

  it("of ours: onPong is called when it is answered, and only then", () => {
    const { driver } = greeted()
    driver.session.ping(Number.MAX_SAFE_INTEGER)
    assert.strictEqual(toHex(driver.frames()[0]?.payload ?? noBody), "001fffffffffffff")
    driver.receive(Frame.ping(7, true), Frame.ping(Number.MAX_SAFE_INTEGER, true), Frame.ping(7, true))
    assert.deepStrictEqual(driver.heard(), [`pong ${Number.MAX_SAFE_INTEGER}`])
    assert.throws(() => driver.session.ping(-1), RangeError)
    assert.throws(() => driver.session.ping(0.5), RangeError)
  })

  it("of an idle peer is allowed without limit as long as it answers ours", () => {
    const { driver } = greeted()
    for (let i = 0; i < 100; i++) {
      for (let j = 0; j < 500; j++) {
        driver.receive(Frame.ping(j))
        driver.frames()
      }
      driver.session.ping(i)
      driver.receive(Frame.ping(i, true))
    }
    assert.isFalse(driver.session.closing)
  })

  it("frames whose answers are not read are a flood, even between responses", () => {
    const { driver } = greeted()
    for (let i = 0; i < 20 && !driver.session.closing; i++) {
      driver.request()
      for (let j = 0; j < 100; j++) driver.receive(Frame.ping(j))
      driver.receive(answer(driver.calls.at(-1)?.id ?? 0))
    }
    assert.match(driver.heard().at(-1) ?? "", /^protocol error 11 .*more answers than it reads/)
    assert.isBelow(driver.take().length, 100_000)
  })
})

describe("SETTINGS that change", () => {
  it("MAX_CONCURRENT_STREAMS: available follows and is never negative", () => {
    const { driver } = greeted([[SettingId.MAX_CONCURRENT_STREAMS, 3]])
    for (let i = 0; i < 3; i++) driver.request()
    assert.strictEqual(driver.session.available, 0)
    driver.receive(Frame.settings([[SettingId.MAX_CONCURRENT_STREAMS, 1]]))
    assert.strictEqual(driver.session.available, 0)
    driver.receive(answer(1), answer(3))
    assert.strictEqual(driver.session.available, 0)
    driver.receive(answer(5))
    assert.strictEqual(driver.session.available, 1)
    driver.receive(Frame.settings([[SettingId.MAX_CONCURRENT_STREAMS, 1000]]))
    assert.strictEqual(driver.session.available, 1000)
  })

  it("HEADER_TABLE_SIZE: the encoder sends a size update, and heads are encoded again (RFC 7541 section 4.2)", () => {
    const { driver } = greeted()
    driver.session.setCommonHeaders([["authorization", "bearer t"]])
    const expected = (): Array<string> => driver.requestHeaders.get(driver.calls.at(-1)?.id ?? 0) ?? []
    driver.request("/a")
    driver.request("/a")
    driver.take()
    const list = expected()
    for (const sizes of [[0], [4096], [100], [50, 200], [0, 4096], [100_000], [4096]]) {
      driver.receive(
        Frame.settings(sizes.map((size): readonly [number, number] => [SettingId.HEADER_TABLE_SIZE, size]))
      )
      for (let i = 0; i < 3; i++) {
        driver.request("/a")
        driver.take()
        assert.deepStrictEqual(expected(), list, `${sizes.join()} ${i}`)
      }
    }
    const first = (size: number): string => {
      driver.receive(Frame.settings([[SettingId.HEADER_TABLE_SIZE, size]]))
      driver.frames()
      driver.request("/a")
      return toHex(driver.frames()[0]?.payload.subarray(0, 1) ?? noBody)
    }
    assert.strictEqual(first(0), "20")
  })

  it("MAX_FRAME_SIZE: DATA is cut accordingly", () => {
    const { driver } = greeted([[SettingId.MAX_FRAME_SIZE, 20_000]])
    driver.request("/", new Uint8Array(30_000))
    assert.deepStrictEqual(lengthsOf(driver.frames()).slice(1), [20_000, 10_000])
    driver.receive(Frame.settings([[SettingId.MAX_FRAME_SIZE, 16_384]]))
    driver.frames()
    driver.request("/", new Uint8Array(20_000))
    assert.deepStrictEqual(lengthsOf(driver.frames()).slice(1), [16_384, 3_616])
  })

  it("INITIAL_WINDOW_SIZE: a lower one may make windows negative, a higher one lets waiting bodies continue (RFC 9113 section 6.9.2)", () => {
    const { driver } = greeted([[SettingId.INITIAL_WINDOW_SIZE, 100]])
    driver.request("/", new Uint8Array(150))
    driver.request("/", new Uint8Array(150))
    assert.deepStrictEqual(lengthsOf(driver.frames().filter(({ type }) => type === FrameType.DATA)), [100, 100])
    driver.receive(Frame.settings([[SettingId.INITIAL_WINDOW_SIZE, 30]]))
    // 70 are owed now
    driver.receive(Frame.windowUpdate(1, 80))
    assert.deepStrictEqual(lengthsOf(driver.frames().filter(({ type }) => type === FrameType.DATA)), [10])
    driver.receive(Frame.settings([[SettingId.INITIAL_WINDOW_SIZE, 120]]))
    const data = driver.frames().filter(({ type }) => type === FrameType.DATA)
    assert.deepStrictEqual(data.map(({ flags, payload, streamId }) => [streamId, payload.length, flags]), [
      [1, 40, Flag.END_STREAM],
      [3, 20, 0]
    ])
    driver.receive(Frame.windowUpdate(3, 1_000))
    assert.deepStrictEqual(driver.frames().map(({ payload, streamId }) => [streamId, payload.length]), [[3, 30]])
  })

  it("are acknowledged, each of them", () => {
    const { driver } = greeted()
    driver.receive(Frame.settings(), Frame.settings())
    assert.deepStrictEqual(driver.frames().map(({ flags, type }) => [type, flags]), [
      [FrameType.SETTINGS, Flag.ACK],
      [FrameType.SETTINGS, Flag.ACK]
    ])
  })
})

describe("send windows", () => {
  it("the connection's: a new body is queued behind those that wait for it", () => {
    const { driver } = greeted([[SettingId.INITIAL_WINDOW_SIZE, 1_000_000], [SettingId.MAX_CONCURRENT_STREAMS, 1000]])
    driver.request("/", new Uint8Array(70_000))
    assert.strictEqual(driver.session.available, 0)
    assert.isTrue(driver.request("/", new Uint8Array(10)).id > 0)
    driver.frames()
    assert.isUndefined(driver.requestBodies.get(3))
    driver.receive(Frame.windowUpdate(0, 4_470))
    driver.frames()
    assert.strictEqual(driver.requestBodies.get(1)?.length, 70_000)
    assert.strictEqual(driver.requestBodies.get(3)?.length, 5)
    driver.receive(Frame.windowUpdate(0, 100))
    driver.frames()
    assert.strictEqual(driver.requestBodies.get(3)?.length, 10)
  })

  it("the connection's: a request without a body does not wait, and delays no other", () => {
    const { driver } = greeted([[SettingId.INITIAL_WINDOW_SIZE, 1_000_000]])
    driver.request("/", new Uint8Array(70_000))
    driver.request("/", noBody)
    driver.request("/", bytesOf("x"))
    assert.strictEqual(
      driver.frames().find(({ streamId }) => streamId === 3)?.flags,
      Flag.END_HEADERS | Flag.END_STREAM
    )
    driver.receive(Frame.windowUpdate(0, 100_000))
    driver.frames()
    assert.deepStrictEqual([1, 3, 5].map((id) => driver.requestBodies.get(id)?.length), [70_000, undefined, 1])
    assert.isAbove(driver.session.available, 0)
  })

  it("the connection's: any number of bodies that are reset while they wait are skipped", () => {
    const { driver } = greeted([[SettingId.MAX_CONCURRENT_STREAMS, 1_000_000]])
    driver.request("/", new Uint8Array(65_535))
    const waiting = Array.from({ length: 100_000 }, () => driver.request("/", bytesOf("x")))
    for (const [i, call] of waiting.entries()) {
      if (i % 1000 !== 0) driver.session.reset(call, Code.CANCEL)
    }
    assert.strictEqual(driver.session.available, 0)
    driver.session.takeOutput()
    driver.receive(Frame.windowUpdate(0, 99))
    const bytes = driver.session.takeOutput()
    assert.strictEqual(bytes?.length, 99 * 10)
    assert.strictEqual(driver.session.available, 0)
    driver.receive(Frame.windowUpdate(0, 1))
    assert.deepStrictEqual(driver.heard(), ["available"])
    assert.strictEqual(driver.session.available, 1_000_000 - 101)
    assert.lengthOf(driver.session.abandon(), 101)
  })

  it("the connection's: bodies wait in order, and available is 0 meanwhile", () => {
    const { driver } = greeted([[SettingId.INITIAL_WINDOW_SIZE, 1_000_000], [SettingId.MAX_CONCURRENT_STREAMS, 1000]])
    const body = new Uint8Array(30_000).map((_, i) => i)
    driver.request("/", body)
    driver.request("/", body)
    assert.isAbove(driver.session.available, 0)
    driver.request("/", body)
    assert.strictEqual(driver.session.available, 0)
    driver.frames()
    assert.strictEqual(driver.requestBodies.get(5)?.length, 5_535)
    driver.receive(Frame.windowUpdate(0, 4_465))
    assert.strictEqual(driver.session.available, 0)
    assert.deepStrictEqual(driver.heard(), [])
    driver.receive(Frame.windowUpdate(0, 20_000))
    driver.frames()
    assert.deepStrictEqual(driver.heard(), ["available"])
    assert.strictEqual(driver.session.available, 997)
    for (const id of [1, 3, 5]) assert.deepStrictEqual(driver.requestBodies.get(id), body)
    // exactly used up: the next body waits at its start
    const last = driver.request("/", body)
    assert.deepStrictEqual(typesOf(driver.frames()), ["HEADERS 7"])
    assert.strictEqual(driver.session.available, 0)
    driver.session.reset(last, Code.CANCEL)
    assert.strictEqual(driver.session.available, 997)
  })

  it("a stream's: its body waits, others are sent", () => {
    const { driver } = greeted([[SettingId.INITIAL_WINDOW_SIZE, 10]])
    driver.request("/", new Uint8Array(25))
    driver.request("/", new Uint8Array(5))
    driver.request("/", new Uint8Array(12))
    const data = driver.frames().filter(({ type }) => type === FrameType.DATA)
    assert.deepStrictEqual(data.map(({ flags, payload, streamId }) => [streamId, payload.length, flags]), [
      [1, 10, 0],
      [3, 5, Flag.END_STREAM],
      [5, 10, 0]
    ])
    assert.isAbove(driver.session.available, 0)
    driver.receive(Frame.windowUpdate(5, 2), Frame.windowUpdate(1, 10), Frame.windowUpdate(1, 10))
    assert.deepStrictEqual(
      driver.frames().map(({ flags, payload, streamId }) => [streamId, payload.length, flags]),
      [[5, 2, Flag.END_STREAM], [1, 10, 0], [1, 5, Flag.END_STREAM]]
    )
  })

  it("a window of 0: HEADERS are sent at once, DATA later", () => {
    const { driver } = greeted([[SettingId.INITIAL_WINDOW_SIZE, 0]])
    driver.request("/", bytesOf("hello"))
    driver.request("/", noBody)
    assert.deepStrictEqual(typesOf(driver.frames()), ["HEADERS 1", "HEADERS 3"])
    driver.receive(Frame.windowUpdate(1, 5))
    assert.deepStrictEqual(typesOf(driver.frames()), ["DATA 1"])
    assert.strictEqual(Buffer.from(driver.requestBodies.get(1) ?? noBody).toString(), "hello")
  })

  it("a body that waits for the connection and loses its stream's window -> no longer delays the others", () => {
    const { driver } = greeted([[SettingId.INITIAL_WINDOW_SIZE, 100_000], [SettingId.MAX_CONCURRENT_STREAMS, 1000]])
    driver.request("/", new Uint8Array(70_000))
    assert.strictEqual(driver.session.available, 0)
    driver.receive(Frame.settings([[SettingId.INITIAL_WINDOW_SIZE, 100]]))
    assert.strictEqual(driver.session.available, 999)
    driver.receive(Frame.windowUpdate(0, 1_000))
    driver.frames()
    driver.request("/", bytesOf("x"))
    assert.deepStrictEqual(typesOf(driver.frames()), ["HEADERS 3", "DATA 3"])
    assert.deepStrictEqual(driver.problems(), [])
  })

  it("the peer resets the body that waits -> requests are accepted again", () => {
    const { driver } = greeted([[SettingId.INITIAL_WINDOW_SIZE, 100_000], [SettingId.MAX_CONCURRENT_STREAMS, 1000]])
    driver.request("/", new Uint8Array(70_000))
    driver.receive(Frame.rstStream(1, Code.REFUSED_STREAM))
    assert.strictEqual(driver.session.available, 1000)
  })
})

describe("heads", () => {
  const table = (driver: Driver): number => Number(Reflect.get(Reflect.get(driver.session, "encoder"), "tableSize"))

  it("used in turn are encoded from the table", () => {
    const { driver } = greeted()
    const heads = Array.from(
      { length: 8 },
      (_, i) => new Session.Head("POST", [["apns-topic", `com.example.app${i}`], ["apns-push-type", "alert"]])
    )
    for (let round = 0; round < 3; round++) {
      for (const head of heads) driver.request("/", noBody, head)
    }
    const sizes = lengthsOf(driver.frames())
    assert.deepStrictEqual(new Set(sizes.slice(8)), new Set([8]))
    for (const [id, list] of driver.requestHeaders) {
      assert.deepStrictEqual(fieldsOf(list, "apns-topic"), [`com.example.app${(id - 1) / 2 % 8}`])
    }
  })

  it("more than the table holds: entries in the table stay there", () => {
    const { driver } = greeted([[SettingId.MAX_CONCURRENT_STREAMS, 100_000]])
    driver.session.setCommonHeaders([["authorization", "bearer t"]])
    const heads = Array.from(
      { length: 500 },
      (_, i) => new Session.Head("POST", [["apns-topic", `com.example.app${i}`]])
    )
    for (const head of heads) driver.request("/", noBody, head)
    const full = table(driver)
    driver.frames()
    const version: unknown = Reflect.get(Reflect.get(driver.session, "encoder"), "version")
    for (let round = 0; round < 2; round++) {
      for (const head of heads) driver.request("/", noBody, head)
    }
    assert.strictEqual(Reflect.get(Reflect.get(driver.session, "encoder"), "version"), version)
    assert.strictEqual(table(driver), full)
    assert.isAtMost(full, 4096)
    const sizes = lengthsOf(driver.frames())
    // :authority and authorization are an index for all of them, of two bytes in so full a table; for many so is the topic
    assert.isAbove(sizes.filter((size) => size <= 11).length, 100)
    assert.isAtMost(Math.max(...sizes), 30)
    for (const [id, list] of driver.requestHeaders) {
      assert.deepStrictEqual(fieldsOf(list, "apns-topic"), [`com.example.app${(id - 1) / 2 % 500}`])
    }
  })

  it("are encoded again each time the common headers change, then take one byte for each header", () => {
    const { driver } = greeted([[SettingId.MAX_CONCURRENT_STREAMS, 100_000]])
    const heads = Array.from({ length: 5 }, (_, i) => new Session.Head("POST", [["apns-topic", `com.example.app${i}`]]))
    for (let token = 0; token < 100; token++) {
      const authorization = `bearer ${token} ${"x".repeat(200)}`
      driver.session.setCommonHeaders([["authorization", authorization]])
      for (let round = 0; round < 4; round++) {
        driver.frames()
        for (const head of heads) {
          const call = driver.request("/", noBody, head)
          driver.take()
          assert.deepStrictEqual(fieldsOf(driver.requestHeaders.get(call.id), "authorization"), [authorization])
        }
      }
      assert.deepStrictEqual(lengthsOf(driver.frames()), [8, 8, 8, 8, 8], `token ${token}`)
    }
    assert.isAtMost(table(driver), 4096)
  })

  it("that are made for each request (not recommended) do not accumulate", () => {
    const { driver } = greeted([[SettingId.MAX_CONCURRENT_STREAMS, 100_000]])
    for (let i = 0; i < 3_000; i++) driver.request("/", noBody, new Session.Head("POST", [["apns-id", `${i}`]]))
    const templates: unknown = Reflect.get(driver.session, "templates")
    assert.instanceOf(templates, Map)
    assert.isAtMost(templates.size, 256)
    driver.take()
    for (const [id, list] of driver.requestHeaders) {
      assert.deepStrictEqual(fieldsOf(list, "apns-id"), [`${(id - 1) / 2}`])
    }
  })

  it("with DELETE, and common headers that did not change", () => {
    const { driver } = greeted()
    driver.session.setCommonHeaders([["authorization", "a"]])
    const head = new Session.Head("DELETE", [])
    for (let i = 0; i < 3; i++) {
      driver.session.setCommonHeaders([["authorization", "a"]])
      driver.request("/", noBody, head)
    }
    assert.deepStrictEqual(lengthsOf(driver.frames()).slice(1), [7, 7])
    assert.deepStrictEqual(fieldsOf(driver.requestHeaders.get(5), ":method"), ["DELETE"])
  })
})

describe("output", () => {
  it("is taken and released; memory that is not ours is ignored", () => {
    const { driver } = greeted()
    driver.request()
    const first = driver.session.takeOutput()
    driver.request()
    const second = driver.session.takeOutput()
    assert.isDefined(first)
    assert.isDefined(second)
    if (first === undefined || second === undefined) return
    assert.notStrictEqual(first.buffer, second.buffer)
    const kept = first.slice()
    driver.session.releaseOutput(new Uint8Array(first.length))
    driver.request()
    assert.deepStrictEqual(new Uint8Array(first), new Uint8Array(kept))
    driver.session.releaseOutput(second)
    driver.session.releaseOutput(second)
    const third = driver.session.takeOutput()
    driver.request()
    const fourth = driver.session.takeOutput()
    driver.request()
    const fifth = driver.session.takeOutput()
    // second's memory is used once, although it was released twice
    assert.lengthOf([third, fourth, fifth].filter((bytes) => bytes?.buffer === second.buffer), 1)
  })

  it("reports how much of a stream was taken", () => {
    const { driver } = greeted()
    const unused = new Call()
    assert.isFalse(driver.session.wasTaken(unused))
    const call = driver.request()
    assert.isFalse(driver.session.wasTaken(call))
    driver.take()
    const next = driver.request()
    assert.isTrue(driver.session.wasTaken(call))
    assert.isFalse(driver.session.wasTaken(next))
    driver.receive(answer(1))
    assert.isTrue(driver.session.wasTaken(call))
  })

  it("onOutput is called once, when output begins", () => {
    const { driver } = greeted()
    const before = driver.outputCalls
    driver.session.ping(1)
    driver.session.ping(2)
    driver.request()
    assert.strictEqual(driver.outputCalls, before + 1)
    driver.take()
    driver.receive(Frame.ping(1), Frame.ping(2), Frame.settings())
    assert.strictEqual(driver.outputCalls, before + 2)
    driver.take()
    driver.receive(Frame.ping(3, true))
    assert.strictEqual(driver.outputCalls, before + 2)
  })
})

describe("streams", () => {
  it("are listed oldest first at any distance, and abandoned without a callback", () => {
    const { driver } = greeted([[SettingId.MAX_CONCURRENT_STREAMS, 1_000_000]])
    const old = driver.request()
    for (let i = 0; i < 3_000; i++) {
      driver.request()
      if (i % 3 !== 0) driver.receive(answer(3 + 2 * i))
    }
    driver.heard()
    const ids = driver.session.streams().map(({ id }) => id)
    assert.deepStrictEqual(ids, [1, ...Array.from({ length: 1000 }, (_, i) => 3 + 6 * i)])
    assert.deepStrictEqual(driver.problems(), [])
    driver.receive(answer(1))
    assert.strictEqual(old.settled, 1)
    assert.strictEqual(driver.session.active, 1000)
    assert.lengthOf(driver.session.abandon(), 1000)
    assert.strictEqual(driver.session.active, 0)
    assert.deepStrictEqual(driver.session.streams(), [])
    assert.lengthOf(driver.heard(), 1)
  })

  it("one that stays open while 300,000 others come and go is found", () => {
    const { driver } = greeted()
    const old = driver.request()
    for (let i = 0; i < 300_000; i++) {
      const call = new Call()
      driver.session.request(call, post, "/", undefined, noBody)
      driver.session.receive(answer(call.id))
      if (i % 1000 === 0) {
        driver.session.takeOutput()
        driver.heard()
      }
    }
    driver.heard()
    driver.receive(answer(1))
    assert.strictEqual(old.settled, 1)
    assert.strictEqual(driver.session.active, 0)
  })
})

describe("handlers that call back", () => {
  it("request, reset, ping and abandon from any event", () => {
    const { driver } = greeted([[SettingId.MAX_CONCURRENT_STREAMS, 4]])
    const calls = [driver.request(), driver.request(), driver.request(), driver.request()]
    let asked = 0
    driver.onResponse = () => {
      if (asked++ < 50) driver.request("/", bytesOf("again"))
      const victim = calls.pop()
      if (victim !== undefined) driver.session.reset(victim, Code.CANCEL)
    }
    let refused = 0
    driver.onStreamFailure = () => {
      if (!driver.session.request(new Call(), post, "/", undefined, noBody)) refused++
    }
    driver.receive(answer(1), answer(3), Frame.rstStream(9, 7), answer(11), Frame.ping(9), Frame.goaway(11, 0))
    // those that we reset ourselves are closed without a word
    assert.deepStrictEqual(driver.problems().filter((problem) => !problem.includes("without a word")), [])
    driver.frames()
    assert.isAbove(asked, 2)
    assert.isAbove(refused, 0)
    assert.strictEqual(driver.session.available, 0)
  })

  it("receive from within receive is taken in order", () => {
    const { driver } = greeted()
    driver.request()
    driver.request()
    driver.request()
    let nested = false
    driver.onResponse = () => {
      if (!nested) {
        nested = true
        driver.session.receive(answer(5))
      }
    }
    driver.receive(answer(1), answer(3))
    assert.deepStrictEqual(
      driver.heard().map((event) => event.slice(0, 15)),
      [
        "response {\"id\":1",
        "response {\"id\":3",
        "response {\"id\":5"
      ].map((event) => event.slice(0, 15))
    )
  })

  it("one that throws: no event is lost", () => {
    const { driver } = greeted()
    for (let i = 0; i < 4; i++) driver.request()
    let thrown = 0
    driver.onResponse = () => {
      thrown++
      throw new Error("boom")
    }
    const bytes = Frame.concat([answer(1), answer(3), answer(5), answer(7)])
    assert.throws(() => driver.session.receive(bytes.subarray(0, 25)), /boom/)
    assert.throws(() => driver.session.receive(bytes.subarray(25)), /boom/)
    assert.throws(() => driver.session.receive(noBody), /boom/)
    assert.throws(() => driver.session.receive(noBody), /boom/)
    assert.strictEqual(thrown, 4)
    assert.strictEqual(driver.session.active, 0)
  })

  it("a request sent from onSettings is written after the acknowledgment", () => {
    const driver = new Driver()
    driver.onSettings = () => {
      driver.request()
    }
    driver.receive(Frame.settings())
    assert.deepStrictEqual(typesOf(driver.frames()), [
      "SETTINGS 0",
      "WINDOW_UPDATE 0",
      "SETTINGS 0",
      "HEADERS 1"
    ])
  })
})

describe("constants", () => {
  it("have names", () => {
    assert.strictEqual(ErrorCode.name(11), "ENHANCE_YOUR_CALM")
    assert.strictEqual(ErrorCode.name(99), "UNKNOWN(0x63)")
    assert.strictEqual(Frame.typeName(9), "CONTINUATION")
    assert.strictEqual(Frame.typeName(0x42), "UNKNOWN(0x42)")
    assert.deepStrictEqual(Frame.readHeader(Frame.windowUpdate(0x7fff_ffff, 5)), {
      length: 4,
      type: 8,
      flags: 0,
      streamId: 0x7fff_ffff
    })
    assert.isUndefined(Frame.readHeader(new Uint8Array(8)))
    assert.strictEqual(Session.defaultLimits.maxHeaderListSize, 16_384)
    assert.strictEqual(Hpack.defaultTableSize, 4096)
  })
})
