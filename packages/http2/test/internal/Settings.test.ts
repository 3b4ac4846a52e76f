import { ErrorCode, Frame, type Session } from "@effect-apns/http2"
import { assert, describe, it } from "@effect/vitest"
import { SettingsUpdate } from "../../src/internal/settings.js"

const { SettingId } = Frame
const { ErrorCode: Code } = ErrorCode

const before: Session.PeerSettings = {
  headerTableSize: 4_096,
  maxConcurrentStreams: 100,
  initialWindowSize: 65_535,
  maxFrameSize: 16_384,
  maxHeaderListSize: 8_000
}

const read = (...entries: ReadonlyArray<readonly [id: number, value: number]>) => {
  const bytes = Buffer.from(Frame.settings(entries))
  const update = new SettingsUpdate(before)
  const wrong = update.read(bytes, Frame.headerLength, bytes.length)
  return {
    code: wrong?.code,
    message: wrong?.message ?? "",
    result: update.result(),
    smallest: update.smallestTableSize
  }
}

describe("SettingsUpdate", () => {
  it("without entries changes nothing", () => {
    assert.deepStrictEqual(read(), { code: undefined, message: "", result: before, smallest: 4_096 })
  })

  const taken: ReadonlyArray<readonly [field: keyof Session.PeerSettings, id: number, values: ReadonlyArray<number>]> =
    [
      ["headerTableSize", SettingId.HEADER_TABLE_SIZE, [0, 4_096, 0xffff_ffff]],
      ["maxConcurrentStreams", SettingId.MAX_CONCURRENT_STREAMS, [0, 1, 0xffff_ffff]],
      ["initialWindowSize", SettingId.INITIAL_WINDOW_SIZE, [0, 1, 0x7fff_ffff]],
      ["maxFrameSize", SettingId.MAX_FRAME_SIZE, [16_384, 16_385, 0xff_ffff]],
      ["maxHeaderListSize", SettingId.MAX_HEADER_LIST_SIZE, [0, 1, 0xffff_ffff]]
    ]
  for (const [field, id, values] of taken) {
    it(`accepts ${field} in its whole range`, () => {
      for (const value of values) {
        const { code, result } = read([id, value])
        assert.isUndefined(code)
        assert.deepStrictEqual(result, { ...before, [field]: value })
      }
    })
  }

  it("refuses values out of range, with the reason (RFC 9113 section 6.5.2)", () => {
    const wrong = [
      [SettingId.ENABLE_PUSH, 1, Code.PROTOCOL_ERROR, /ENABLE_PUSH/],
      [SettingId.ENABLE_PUSH, 2, Code.PROTOCOL_ERROR, /ENABLE_PUSH/],
      [SettingId.INITIAL_WINDOW_SIZE, 0x8000_0000, Code.FLOW_CONTROL_ERROR, /INITIAL_WINDOW_SIZE/],
      [SettingId.MAX_FRAME_SIZE, 16_383, Code.PROTOCOL_ERROR, /MAX_FRAME_SIZE/],
      [SettingId.MAX_FRAME_SIZE, 0x100_0000, Code.PROTOCOL_ERROR, /MAX_FRAME_SIZE/]
    ] as const
    for (const [id, value, code, message] of wrong) {
      const said = read([SettingId.MAX_CONCURRENT_STREAMS, 7], [id, value], [SettingId.MAX_CONCURRENT_STREAMS, 8])
      assert.strictEqual(said.code, code)
      assert.match(said.message, message)
      assert.strictEqual(said.result.maxConcurrentStreams, 7)
    }
  })

  it("accepts ENABLE_PUSH 0 and ignores unknown settings", () => {
    assert.deepStrictEqual(read([SettingId.ENABLE_PUSH, 0], [0x8, 1], [0, 5], [0xffff, 0xffff_ffff]).result, before)
  })

  it("the last of several counts, and the smallest table on the way is remembered (RFC 7541 section 4.2)", () => {
    const id = SettingId.HEADER_TABLE_SIZE
    assert.deepInclude(read([id, 100], [id, 200]), { smallest: 100, result: { ...before, headerTableSize: 200 } })
    assert.deepInclude(read([id, 200], [id, 100]), { smallest: 100, result: { ...before, headerTableSize: 100 } })
    assert.deepInclude(read([id, 9_000]), { smallest: 4_096, result: { ...before, headerTableSize: 9_000 } })
  })

  it("ENABLE_PUSH 0 is allowed and changes nothing (RFC 9113 section 6.5.2)", () => {
    const { code, result } = read([SettingId.ENABLE_PUSH, 0])
    assert.isUndefined(code)
    assert.deepStrictEqual(result, before)
  })
})
