/** What a session does to the byte, to the frame, and to the event: each limit, and one less or more. */
import { ErrorCode, Frame, Hpack, Session } from "@effect-apns/http2"
import { assert, describe, it } from "@effect/vitest"
import { bytesOf, Call, Driver, greeted, hex, noBody, post, toHex } from "./utils.js"

const { ErrorCode: Code } = ErrorCode
const { Flag, FrameType, SettingId } = Frame

const ok = hex("88")
const answer = (id: number): Uint8Array => Frame.headers(id, ok, { endStream: true })
const block = (...fields: ReadonlyArray<string>): Uint8Array => new Hpack.Encoder().encode(fields)
const times = (count: number, frame: Uint8Array): Uint8Array => Frame.concat(new Array<Uint8Array>(count).fill(frame))
const get = (path = ""): Session.Head => new Session.Head("GET", [], path)

/** Types, streams and payload lengths of what was sent. */
const sent = (driver: Driver): Array<string> =>
  driver.frames().map(({ payload, streamId, type }) => `${Frame.typeName(type)} ${streamId} ${payload.length}`)

const state = (driver: Driver, ...path: ReadonlyArray<string>): unknown =>
  path.reduce<unknown>(
    (value, key) => typeof value === "object" && value !== null ? Reflect.get(value, key) : value,
    driver.session
  )

describe("onOutput", () => {
  it("bytes arrive while the preface waits to be taken -> it is not called for the preface", () => {
    const driver = new Driver()
    driver.receive(noBody)
    assert.strictEqual(driver.outputCalls, 0)
  })

  it("called for the first frame of the output, not for those behind it", () => {
    const { driver } = greeted()
    const outputs: ReadonlyArray<() => void> = [
      () => driver.session.ping(1),
      () => driver.session.sendGoaway(Code.NO_ERROR),
      () => driver.receive(Frame.ping(1)),
      () => driver.receive(Frame.settings())
    ]
    for (const output of outputs) {
      driver.take()
      const before = driver.outputCalls
      output()
      assert.strictEqual(driver.outputCalls, before + 1)
      output()
      driver.receive(noBody)
      assert.strictEqual(driver.outputCalls, before + 1)
    }
  })

  it("called after the events of the bytes that were received, once", () => {
    const { driver } = greeted()
    driver.request()
    driver.take()
    const before = driver.outputCalls
    let during = -1
    driver.onResponse = () => {
      // also where the handler hands over more bytes itself
      driver.receive(Frame.ping(2))
      during = driver.outputCalls
    }
    driver.receive(Frame.ping(1), answer(1))
    assert.deepStrictEqual([during, driver.outputCalls], [before, before + 1])
  })

  it("a handler takes the output itself -> not called for it", () => {
    const { driver } = greeted()
    driver.request()
    driver.take()
    const before = driver.outputCalls
    driver.onResponse = () => driver.take()
    driver.receive(Frame.ping(1), answer(1))
    assert.strictEqual(driver.outputCalls, before)
  })

  it("WINDOW_UPDATE lets a body go on -> called if there was no output, and only then", () => {
    const { driver } = greeted([[SettingId.INITIAL_WINDOW_SIZE, 0]])
    driver.request("/", new Uint8Array(10))
    driver.frames()
    const before = driver.outputCalls
    driver.receive(Frame.windowUpdate(1, 4))
    assert.strictEqual(driver.outputCalls, before + 1)
    driver.receive(Frame.windowUpdate(1, 4))
    assert.strictEqual(driver.outputCalls, before + 1)
    assert.deepStrictEqual(sent(driver), ["DATA 1 4", "DATA 1 4"])
  })
})

describe("onAvailable", () => {
  it("the last waiting body was sent, but no stream is free -> not called", () => {
    const { driver } = greeted([[SettingId.INITIAL_WINDOW_SIZE, 100_000], [SettingId.MAX_CONCURRENT_STREAMS, 1]])
    driver.request("/", new Uint8Array(70_000))
    driver.receive(Frame.windowUpdate(0, 70_000))
    assert.deepStrictEqual(driver.heard(), [])
    driver.receive(answer(1))
    assert.strictEqual(driver.session.available, 1)
  })

  it("a handler without it -> the body is sent all the same", () => {
    const errors: Array<string> = []
    const session = new Session.Session<Call>({ authority: "api.push.apple.com" }, {
      onResponse: () => {},
      onStreamFailure: () => {},
      onSettings: () => {},
      onGoaway: () => {},
      onPong: () => {},
      onProtocolError: (error) => errors.push(error.message),
      onOutput: () => {}
    })
    session.receive(Frame.settings([[SettingId.INITIAL_WINDOW_SIZE, 100_000]]))
    session.request(new Call(), post, "/", undefined, new Uint8Array(70_000))
    assert.strictEqual(session.available, 0)
    session.receive(Frame.windowUpdate(0, 70_000))
    assert.isAbove(session.available, 0)
    assert.deepStrictEqual(errors, [])
  })
})

describe("abandon", () => {
  it("all HEADERS were taken -> the output that waits is kept", () => {
    const { driver } = greeted()
    driver.request()
    driver.take()
    driver.frames()
    driver.session.ping(1)
    assert.lengthOf(driver.session.abandon(), 1)
    assert.deepStrictEqual(sent(driver), ["PING 0 8"])
  })

  it("some or all HEADERS were not taken -> they are never sent", () => {
    for (const taken of [0, 1]) {
      const { driver } = greeted()
      for (let i = 0; i < taken; i++) driver.request()
      driver.take()
      driver.frames()
      const last = driver.request()
      assert.lengthOf(driver.session.abandon(), taken + 1)
      assert.isUndefined(driver.session.takeOutput())
      assert.isFalse(driver.session.wasTaken(last))
      assert.isFalse(driver.session.wasTaken(new Call()))
    }
  })

  it("after a protocol error, with HEADERS that were not taken -> the GOAWAY with its reason is still sent", () => {
    const { driver } = greeted()
    driver.request()
    driver.receive(Frame.frame(FrameType.PUSH_PROMISE, 0, 1, noBody))
    driver.session.abandon()
    const frames = driver.frames()
    assert.deepStrictEqual(
      frames.map((
        { payload, type }
      ) => [type, toHex(payload.subarray(0, 8)), Buffer.from(payload.subarray(8)).toString()]),
      [[FrameType.GOAWAY, "0000000000000001", "The peer sent PUSH_PROMISE, which we did not enable"]]
    )
  })
})

describe("request", () => {
  it("a body that is not bytes -> a TypeError that says so, and nothing is written", () => {
    const { driver } = greeted()
    const request: unknown = Reflect.get(driver.session, "request")
    for (
      const body of [undefined, null, "{}", [1], {}, new Uint16Array(2), new DataView(new ArrayBuffer(2)), {
        length: 2
      }]
    ) {
      assert.throws(
        () =>
          typeof request === "function" &&
          Reflect.apply(request, driver.session, [new Call(), post, "/", undefined, body]),
        TypeError,
        "The body has to be bytes"
      )
    }
    assert.deepStrictEqual(driver.frames(), [])
    assert.isTrue(driver.session.request(new Call(), post, "/", undefined, Buffer.from("{}")))
  })

  it("an extra header whose value is no text -> an error that names it, and nothing is written", () => {
    const { driver } = greeted()
    driver.request()
    driver.frames()
    const request: unknown = Reflect.get(driver.session, "request")
    for (const value of [undefined, null, 5, ["x"], new String("x")]) {
      assert.throws(
        () =>
          typeof request === "function" &&
          Reflect.apply(request, driver.session, [new Call(), post, "/", ["apns-id", value], noBody]),
        Session.InvalidHeader,
        "The value of the header \"apns-id\" is no text"
      )
    }
    assert.deepStrictEqual(driver.frames(), [])
  })

  it("an extra header that starts with a space -> refused, also once its head is known", () => {
    const { driver } = greeted()
    for (let round = 0; round < 3; round++) {
      assert.throws(() => driver.request("/", noBody, post, ["apns-id", " a"]), /white space/)
      driver.request()
    }
  })

  it("an empty path where the memory still holds the path of another request -> refused", () => {
    const { driver } = greeted()
    const head = get()
    for (let i = 0; i < 4; i++) {
      driver.request("/", noBody, head)
      driver.take()
    }
    assert.throws(() => driver.request("", noBody, head), /path has to start with a slash/)
  })

  it("its header list has exactly the size that the peer allows -> sent; one more -> not (RFC 9113 section 6.5.2)", () => {
    const heads = [get(), get("/3/device/"), new Session.Head("POST", [["apns-topic", "app"]], "/x")]
    const extras = [undefined, ["apns-id", "1234"], ["a", "", "apns-collapse-id", "lunch time"]]
    const commons = [[], [["authorization", "bearer t"], ["x", ""]]] as const
    for (const common of commons) {
      for (const head of heads) {
        for (const extra of extras) {
          const { driver } = greeted()
          driver.session.setCommonHeaders(common)
          const { id } = driver.request("/ab", bytesOf("{}"), head, extra)
          driver.frames()
          const list = driver.requestHeaders.get(id) ?? []
          const size = list.reduce((sum, text) => sum + text.length, 32 * list.length / 2)
          for (const [limit, taken] of [[size, true], [size - 1, false]] as const) {
            driver.receive(Frame.settings([[SettingId.MAX_HEADER_LIST_SIZE, limit]]))
            assert.strictEqual(
              driver.session.request(new Call(), head, "/ab", extra, bytesOf("{}")),
              taken,
              list.join()
            )
          }
        }
      }
    }
  })

  it("the first body of one byte -> its length is a literal that is not put into the table", () => {
    const { driver } = greeted()
    driver.request("/", bytesOf("x"))
    assert.match(toHex(driver.frames()[0]?.payload ?? noBody), /0f0d0131$/)
  })

  it("it fills the memory to the last byte, or one byte more -> written whole", () => {
    const { driver } = greeted([], {}, { maxHeaderListSize: 1_000_000 })
    const head = get()
    const rest = `/${"p".repeat(299)}`
    /** The length of the output of a request with a path of `path` characters, then one with a body. */
    const both = (path: number, body: number): number => {
      const filler = `/${"f".repeat(path - 1)}`
      const first = driver.request(filler, noBody, head).id
      const second = driver.request(rest, new Uint8Array(body).fill(7), head).id
      const { length } = driver.take()
      assert.include(driver.requestHeaders.get(first) ?? [], filler)
      assert.deepStrictEqual(driver.requestHeaders.get(second)?.slice(-4), [":path", rest, "content-length", `${body}`])
      assert.deepStrictEqual(driver.requestBodies.get(second), new Uint8Array(body).fill(7))
      driver.receive(answer(first), answer(second), Frame.windowUpdate(0, body))
      return length
    }
    both(2_000, 10_000)
    const over = both(2_000, 10_001) - 16_384
    // each body has another length, so that the length is written in full
    for (let i = -40; i <= 40; i++) both(2_000 - over + i, 10_050 + i)
  })

  it("in many frames, it fills the memory to the last byte, or a few bytes more -> written whole", () => {
    const write = (path: number): number => {
      const { driver } = greeted([], {}, { maxHeaderListSize: 1_000_000 })
      const text = `/${"p".repeat(path - 1)}`
      const { id } = driver.request(text, bytesOf("0123456789"), get())
      const { length } = driver.take()
      assert.include(driver.requestHeaders.get(id) ?? [], text)
      assert.deepStrictEqual(driver.requestBodies.get(id), bytesOf("0123456789"))
      return length
    }
    const over = write(130_000) - 131_072
    for (let i = -8; i <= 56; i += 4) write(130_000 - over + i)
  })

  it("a header block of exactly two frames -> HEADERS and one CONTINUATION (RFC 9113 section 6.10)", () => {
    const { driver } = greeted([], {}, { maxHeaderListSize: 1_000_000 })
    const head = get()
    for (let i = 0; i < 2; i++) driver.request("/", noBody, head)
    driver.frames()
    // :method, :scheme, :authority, the name of :path and four bytes for the length of the path
    driver.request(`/${"x".repeat(2 * 16_384 - 9)}`, noBody, head)
    assert.deepStrictEqual(
      driver.frames().map(({ flags, payload, type }) => [type, flags, payload.length]),
      [
        [FrameType.HEADERS, Flag.END_STREAM, 16_384],
        [FrameType.CONTINUATION, Flag.END_HEADERS, 16_384]
      ]
    )
  })
})

describe("what is remembered of requests", () => {
  it("at most 256 names of extra headers", () => {
    const { driver } = greeted()
    const known = (): unknown => state(driver, "knownNames", "size")
    const take = (name: string): void => {
      driver.request("/", noBody, post, [name, "1"])
      driver.receive(answer(driver.calls.at(-1)?.id ?? 0))
    }
    for (let i = 0; i < 255; i++) take(`x-${i}`)
    assert.strictEqual(known(), 255)
    for (let i = 0; i < 300; i++) take(`y-${i}`)
    assert.strictEqual(known(), 256)
  })

  it("how up to 256 heads are written, until there are more", () => {
    const { driver } = greeted()
    const known = (): unknown => state(driver, "templates", "size")
    driver.request("/", noBody, get())
    assert.strictEqual(known(), 0)
    const first = get()
    for (let i = 0; i < 3; i++) driver.request("/", noBody, first)
    assert.strictEqual(known(), 1)
    for (let i = 1; i < 256; i++) driver.request("/", noBody, get())
    assert.strictEqual(known(), 256)
    driver.request("/", noBody, get())
    assert.strictEqual(known(), 1)
  })

  it("heads and names of extra headers that are very long are not kept", () => {
    const { driver } = greeted()
    const long = (n: number) => new Session.Head("GET", [["x-long", "x".repeat(n)]])
    driver.request("/", noBody, get())
    driver.request("/", noBody, long(10_000))
    assert.strictEqual(state(driver, "templates", "size"), 0)
    const [small, large] = [long(5_000), long(10_000)]
    for (const head of [small, large, small, large]) driver.request("/", noBody, head)
    assert.strictEqual(state(driver, "templates", "size"), 1)
    driver.request("/", noBody, post, ["x".repeat(256), "1", "x".repeat(257), "1"])
    assert.strictEqual(state(driver, "knownNames", "size"), 1)
  })

  it("a head whose block began with a table size update is not kept: the update is sent once (RFC 7541 section 4.2)", () => {
    const { driver } = greeted()
    driver.receive(Frame.settings([[SettingId.HEADER_TABLE_SIZE, 0]]))
    driver.frames()
    const head = get()
    const first = [1, 2, 3].map(() => {
      driver.request("/", noBody, head)
      return toHex(driver.frames()[0]?.payload.subarray(0, 2) ?? noBody)
    })
    assert.deepStrictEqual(first, ["2082", "8287", "8287"])
  })

  it("the table becomes smaller and larger in one SETTINGS -> both sizes are told (RFC 7541 section 4.2)", () => {
    const { driver } = greeted()
    driver.receive(Frame.settings([[SettingId.HEADER_TABLE_SIZE, 0], [SettingId.HEADER_TABLE_SIZE, 4_096]]))
    driver.frames()
    driver.request()
    assert.match(toHex(driver.frames()[0]?.payload ?? noBody), /^203fe11f83/)
  })

  it("common headers that are the same again -> heads are not encoded again", () => {
    const { driver } = greeted()
    const version = (): unknown => state(driver, "encoder", "version")
    driver.session.setCommonHeaders([["authorization", "a"], ["x", "1"]])
    const before = version()
    driver.session.setCommonHeaders([["authorization", "a"], ["x", "1"]])
    assert.strictEqual(version(), before)
  })

  it("common headers of which one name or value changes, or that become more or fewer -> sent as they are now", () => {
    const { driver } = greeted()
    for (
      const headers of [
        [["authorization", "a"]],
        [["authorization", "b"]],
        [["x", "b"]],
        [["x", "b"], ["y", "1"]],
        [["x", "b"], ["y", "2"]],
        [["z", "b"], ["y", "2"]],
        [["z", "b"]],
        []
      ] as const
    ) {
      driver.session.setCommonHeaders(headers)
      const { id } = driver.request("/", noBody, get())
      driver.frames()
      assert.deepStrictEqual(driver.requestHeaders.get(id)?.slice(8), headers.flat())
    }
  })
})

describe("messages", () => {
  const connectionErrors: ReadonlyArray<readonly [message: string, frame: Uint8Array]> = [
    ["The peer sent DATA without a stream", Frame.data(0, noBody)],
    ["The peer sent DATA for stream 7, which is not open", Frame.data(7, noBody)],
    ["The peer sent DATA of an invalid length", Frame.frame(FrameType.DATA, Flag.PADDED, 1, noBody)],
    ["The peer sent HEADERS without a stream", Frame.headers(0, ok)],
    ["The peer sent HEADERS for stream 2, which is not open", Frame.headers(2, ok)],
    ["The peer sent HEADERS of an invalid length", Frame.frame(FrameType.HEADERS, Flag.PADDED, 1, noBody)],
    ["The peer sent HEADERS of an invalid length", Frame.frame(FrameType.HEADERS, Flag.PRIORITY, 1, new Uint8Array(4))],
    ["The peer sent PRIORITY of an invalid length", Frame.frame(FrameType.PRIORITY, 0, 9, new Uint8Array(4))],
    ["The peer sent RST_STREAM for stream 9, which is not open", Frame.rstStream(9, 0)],
    ["The peer sent RST_STREAM of an invalid length", Frame.frame(FrameType.RST_STREAM, 0, 1, new Uint8Array(5))],
    [
      "The peer sent an acknowledgment of SETTINGS of an invalid length",
      Frame.frame(4, Flag.ACK, 0, new Uint8Array(6))
    ],
    ["The peer sent SETTINGS of an invalid length", Frame.frame(FrameType.SETTINGS, 0, 0, new Uint8Array(7))],
    ["The peer sent PING of an invalid length", Frame.frame(FrameType.PING, 0, 0, new Uint8Array(7))],
    ["The peer sent GOAWAY of an invalid length", Frame.frame(FrameType.GOAWAY, 0, 0, new Uint8Array(7))],
    ["The peer sent WINDOW_UPDATE for stream 9, which is not open", Frame.windowUpdate(9, 1)],
    ["The peer sent WINDOW_UPDATE of an invalid length", Frame.frame(FrameType.WINDOW_UPDATE, 0, 0, new Uint8Array(3))]
  ]
  for (const [message, frame] of connectionErrors) {
    it(`${message} (${Frame.readHeader(frame)?.length} bytes) -> said to the driver and in the GOAWAY`, () => {
      const { driver } = greeted()
      driver.request()
      driver.frames()
      driver.receive(frame)
      assert.include(driver.heard()[0] ?? "", ` ${message} (`)
      assert.strictEqual(Buffer.from(driver.frames()[0]?.payload.subarray(8) ?? noBody).toString(), message)
    })
  }

  it("GOAWAY -> its code, and that the requests above its id were not processed", () => {
    const { driver } = greeted()
    driver.request()
    driver.receive(Frame.goaway(0, Code.ENHANCE_YOUR_CALM, "ü"))
    assert.deepStrictEqual(driver.heard(), [
      "failure 1 goaway 11 The peer is going away (GOAWAY) and did not process the request",
      "goaway {\"lastStreamId\":0,\"code\":11,\"debugData\":\"ü\"}"
    ])
  })

  it("a PING whose payload is no integer up to 2^53-1 -> a RangeError that says so", () => {
    const { driver } = greeted()
    for (const payload of [-1, 0.5, Number.NaN, 2 ** 53]) {
      assert.throws(
        () => driver.session.ping(payload),
        RangeError,
        "The payload of a PING has to be an integer from 0 to 2^53-1"
      )
    }
  })

  it("our GOAWAY without debug data -> 8 bytes; with debug data -> that in UTF-8", () => {
    const { driver } = greeted()
    driver.session.sendGoaway(Code.NO_ERROR)
    driver.session.sendGoaway(Code.CANCEL, "ü")
    assert.deepStrictEqual(driver.frames().map(({ payload }) => toHex(payload)), [
      "0000000000000000",
      "0000000000000008" + "c3bc"
    ])
  })
})

describe("after a connection error nothing more is done or said", () => {
  it("DATA for a stream that is not open, with half of the connection's window used -> GOAWAY alone", () => {
    const { driver } = greeted()
    driver.session.reset(driver.request(), Code.CANCEL)
    driver.frames()
    driver.receive(times(31, Frame.data(1, new Uint8Array(16_384))), Frame.data(5, new Uint8Array(16_384)))
    assert.deepStrictEqual(driver.frames().map(({ type }) => type), [FrameType.GOAWAY])
  })

  it("the PING that is one too many, because of its number or since answers are not read -> not answered", () => {
    for (const read of [true, false]) {
      const { driver } = greeted()
      for (let i = 0; i < 20 && !driver.session.closing; i++) {
        // a response makes up for 100 frames
        const call = driver.request()
        driver.receive(times(read ? 200 : 90, Frame.ping(1)))
        if (read) driver.take()
        driver.receive(answer(call.id))
      }
      const types = driver.frames().map(({ type }) => type)
      assert.strictEqual(types.indexOf(FrameType.GOAWAY), types.length - 1, `${read}`)
    }
  })

  it("the WINDOW_UPDATE of 0 that is one too many -> no stream fails", () => {
    const { driver } = greeted()
    driver.request()
    driver.receive(times(1_000, Frame.windowUpdate(0, 1)))
    assert.deepStrictEqual(driver.heard(), [])
    driver.receive(Frame.windowUpdate(1, 0))
    assert.deepStrictEqual(driver.heard(), [
      "protocol error 11 The peer floods us with WINDOW_UPDATE (ENHANCE_YOUR_CALM)"
    ])
  })
})

describe("exact limits", () => {
  it("two WINDOW_UPDATEs more for each DATA frame that was sent at once, later, or not yet", () => {
    for (
      const [window, first, allowed] of [
        [65_535, noBody, 1_000 + 6],
        [0, Frame.windowUpdate(1, 40_000), 1_000 + 6 - 1],
        [0, noBody, 1_000]
      ] as const
    ) {
      const { driver } = greeted([[SettingId.INITIAL_WINDOW_SIZE, window]])
      // three frames
      driver.request("/", new Uint8Array(40_000))
      driver.receive(first, times(allowed, Frame.windowUpdate(0, 1)))
      assert.isFalse(driver.session.closing, `${allowed}`)
      driver.receive(Frame.windowUpdate(0, 1))
      assert.isTrue(driver.session.closing, `${allowed}`)
    }
  })

  it("WINDOW_UPDATEs: as many more as time has passed, to the millisecond", () => {
    const { driver } = greeted()
    driver.session.receive(times(1_000, Frame.windowUpdate(0, 1)), 10_000)
    driver.session.receive(Frame.windowUpdate(0, 1), 10_001)
    assert.isFalse(driver.session.closing)
    driver.session.receive(Frame.windowUpdate(0, 1), 10_001)
    assert.isTrue(driver.session.closing)
  })

  it("as many answers as allowed wait to be taken -> no error; one more -> an error", () => {
    const { driver } = greeted(undefined, { limits: { maxControlFrames: 10 } })
    driver.request()
    // an answer to our own PING sets the count of frames to 0, but not that of answers
    driver.session.ping(1)
    driver.receive(Frame.ping(1, true))
    driver.frames()
    driver.receive(times(5, Frame.ping(1)))
    driver.session.ping(2)
    driver.receive(Frame.ping(2, true), times(5, Frame.ping(1)))
    assert.isFalse(driver.session.closing)
    driver.receive(Frame.ping(1))
    assert.include(driver.heard().at(-1) ?? "", "more answers than it reads")
  })

  it("as many CONTINUATION frames as allowed -> the response is read; one more -> an error", () => {
    for (const [count, closing] of [[2, false], [3, true]] as const) {
      const { driver } = greeted(undefined, { limits: { maxContinuations: 2 } })
      const call = driver.request()
      driver.receive(
        Frame.headers(1, ok, { endHeaders: false }),
        ...Array.from({ length: count }, (_, i) => Frame.continuation(1, noBody, i === count - 1))
      )
      assert.deepStrictEqual([call.status, driver.session.closing], [closing ? 0 : 200, closing])
    }
  })

  it("a window of exactly 2^31-1 -> allowed, by SETTINGS and by WINDOW_UPDATE (RFC 9113 section 6.9.1)", () => {
    const { driver } = greeted()
    driver.request()
    driver.receive(Frame.windowUpdate(1, 0x7fff_ffff - 65_535))
    assert.deepStrictEqual(driver.heard(), [])
    driver.receive(Frame.windowUpdate(1, 1))
    assert.match(driver.heard().join(), /^failure 1 malformed 3 /)
    const { driver: other } = greeted()
    other.request()
    other.receive(Frame.settings([[SettingId.INITIAL_WINDOW_SIZE, 0x7fff_ffff]]))
    assert.isFalse(other.session.closing)
  })
})

describe("frames with fields that are there or not", () => {
  const responses: ReadonlyArray<readonly [name: string, frames: ReadonlyArray<Uint8Array>]> = [
    ["HEADERS with a priority and no padding", [
      Frame.headers(1, ok, { endStream: true, priority: { dependency: 0, weight: 200, exclusive: false } })
    ]],
    ["HEADERS with a priority alone, then CONTINUATION", [
      Frame.headers(1, noBody, {
        endHeaders: false,
        endStream: true,
        priority: { dependency: 0, weight: 200, exclusive: false }
      }),
      Frame.continuation(1, ok)
    ]],
    ["HEADERS with padding alone, then CONTINUATION", [
      Frame.headers(1, noBody, { endHeaders: false, endStream: true, padding: 7 }),
      Frame.continuation(1, ok)
    ]]
  ]
  for (const [name, frames] of responses) {
    it(`${name} -> the response is read (RFC 9113 section 6.2)`, () => {
      const { driver } = greeted()
      const call = driver.request()
      driver.receive(...frames)
      assert.deepStrictEqual([call.status, call.settled, call.headers, call.body], [200, 1, undefined, undefined])
    })
  }

  it("trailers: apns-id is taken from them if it was not there before; no other fields -> headers stay", () => {
    for (
      const [first, last, apnsId, headers] of [
        [["x", "1"], ["apns-id", "B"], "B", ["x", "1"]],
        [["apns-id", "A", "x", "1"], ["apns-id", "B"], "A", ["x", "1"]],
        [["apns-id", "A"], ["y", "2"], "A", ["y", "2"]],
        [[], [], undefined, undefined]
      ] as const
    ) {
      const { driver } = greeted()
      const call = driver.request()
      driver.receive(
        Frame.headers(1, block(":status", "200", ...first)),
        Frame.headers(1, block(...last), { endStream: true })
      )
      assert.deepStrictEqual([call.settled, call.apnsId, call.headers], [1, apnsId, headers])
    }
  })

  it("content-length is the length of the body, also 0, except with status 204 and 304 (RFC 9110 section 8.6)", () => {
    for (
      const [status, length, body, valid] of [
        ["400", "5", "12345", true],
        ["400", "5", "1234", false],
        ["400", "0", "", true],
        ["400", "0", "x", false],
        ["204", "5", "", true],
        ["304", "5", "", true],
        ["200", "5", "", false]
      ] as const
    ) {
      for (const inHeaders of body === "" ? [true, false] : [false]) {
        const { driver } = greeted()
        const call = driver.request()
        driver.receive(
          Frame.headers(1, block(":status", status, "content-length", length), { endStream: inHeaders }),
          ...(inHeaders ? [] : [Frame.data(1, bytesOf(body), { endStream: true })])
        )
        assert.match(
          driver.heard().join(),
          valid ? /^response / : /^failure 1 malformed .*content-length/,
          `${status} ${length}`
        )
        assert.deepStrictEqual(call.body, valid && body !== "" ? bytesOf(body) : call.body)
        if (body === "") assert.isUndefined(call.body)
      }
    }
  })
})

describe("closed streams below the id of a GOAWAY", () => {
  it("the peer ended them, and sends DATA for them -> an error like without GOAWAY (RFC 9113 section 5.1)", () => {
    const { driver } = greeted()
    for (let i = 0; i < 3; i++) driver.request()
    driver.receive(answer(1), answer(3), Frame.goaway(3, Code.NO_ERROR))
    driver.frames()
    driver.receive(...[1, 3, 5].map((id) => Frame.data(id, noBody)))
    assert.deepStrictEqual(driver.frames().map(({ streamId, type }) => [type, streamId]), [
      [FrameType.RST_STREAM, 1],
      [FrameType.RST_STREAM, 3]
    ])
  })
})
