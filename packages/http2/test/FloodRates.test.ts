/** Floods are rates: these play a week, so they are no part of the mutation tests of the session. */
import { ErrorCode, Frame, Hpack } from "@effect-apns/http2"
import { assert, describe, it } from "@effect/vitest"
import type { Driver } from "./utils.js"
import { greeted, hex, noBody } from "./utils.js"

const { ErrorCode: Code } = ErrorCode
const { FrameType } = Frame

const ok = hex("88")
const block = (...fields: ReadonlyArray<string>): Uint8Array => new Hpack.Encoder().encode(fields)

const week = 7 * 24 * 3_600_000

describe("the rate of frames that are of no use (RFC 9113 section 10.5)", () => {
  const nuisances: ReadonlyArray<readonly [name: string, frame: Uint8Array]> = [
    ["PING", Frame.ping(1)],
    ["an answer to a PING that we never sent", Frame.ping(1, true)],
    ["SETTINGS", Frame.settings()],
    ["an acknowledgment of SETTINGS", Frame.settingsAck()],
    ["PRIORITY", Frame.frame(FrameType.PRIORITY, 0, 1, new Uint8Array(5))],
    ["an unknown frame", Frame.frame(0x42, 0, 0, noBody)],
    ["GOAWAY", Frame.goaway(0x7fff_ffff, 0)],
    ["RST_STREAM of a closed stream", Frame.rstStream(1, 0)],
    ["DATA of a stream that we reset", Frame.data(1, noBody)],
    ["HEADERS of a stream that we reset", Frame.headers(1, ok)],
    ["WINDOW_UPDATE of a closed stream", Frame.windowUpdate(1, 1)],
    ["an interim response", Frame.headers(3, block(":status", "103"))]
  ]
  const idle = (): Driver => {
    const { driver } = greeted()
    driver.request()
    driver.request()
    driver.calls.slice(0, 1).forEach((call) => {
      call.settled++
      driver.session.reset(call, Code.CANCEL)
    })
    driver.frames()
    return driver
  }

  for (const [name, frame] of nuisances) {
    it(`${name} every 30 seconds for a week, or every 5 milliseconds for a minute -> not a flood`, () => {
      for (const [every, during] of [[30_000, week], [5, 60_000]] as const) {
        const driver = idle()
        for (let now = 0; now < during && !driver.session.closing; now += every) {
          driver.session.receive(frame, now)
          driver.session.takeOutput()
        }
        assert.isFalse(driver.heard().some((event) => event.startsWith("protocol error")))
      }
    })

    it(`${name} four times a millisecond -> a flood, also without a clock`, () => {
      for (const clock of [true, false]) {
        const driver = idle()
        let sent = 0
        while (sent < 3_000 && !driver.heard().some((event) => event.startsWith("protocol error 11 "))) {
          driver.session.receive(frame, clock ? Math.floor(sent / 4) : undefined)
          driver.session.takeOutput()
          sent++
        }
        assert.isAbove(sent, 1_000)
        assert.isBelow(sent, clock ? 1_400 : 1_020)
      }
    })
  }
})
