import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import { KeepAlive } from "../src/internal/keepAlive.js"

const times = { interval: 60_000, deadline: 10_000, busyInterval: 2_000, busyDeadline: 3_000 }

/** What happens to a connection, and what it is expected to do; times in milliseconds since it was opened. */
type Event =
  /** The time that was due, or a later one; what it decides. */
  | readonly [at: number, "look", inFlight: number, expected: "wait" | "ping" | "close"]
  | readonly [at: number, "read"]
  | readonly [at: number, "pong", which?: "older"]
  | readonly [at: number, "request", inFlight: number, expected: "yes" | "no" | "ping"]
  | readonly [at: number, "timeout", expected: "wait" | "ping"]
  /** A request waits that was given to no connection. */
  | readonly [at: number, "hasten"]
  /** When it wants to be looked at, and whether it is suspect. */
  | readonly [at: number, "then", due: number, suspect: boolean]

const rows: Readonly<Record<string, ReadonlyArray<Event>>> = {
  "idle: a PING after the interval, counted from the opening": [
    [0, "then", 60_000, false],
    [60_000, "look", 0, "ping"],
    [60_000, "then", 70_000, true]
  ],
  "idle: the interval is counted from the last byte, not from the last look": [
    [50_000, "read"],
    [50_000, "then", 60_000, false],
    [60_000, "look", 0, "wait"],
    [60_000, "then", 110_000, false],
    [110_000, "look", 0, "ping"]
  ],
  "idle: no answer within the deadline is the end": [
    [60_000, "look", 0, "ping"],
    [69_999, "look", 0, "wait"],
    [70_000, "look", 0, "close"]
  ],
  "idle: any byte is an answer, and the interval begins anew": [
    [60_000, "look", 0, "ping"],
    [65_000, "read"],
    [65_000, "then", 67_000, false],
    [67_000, "look", 0, "wait"],
    [67_000, "then", 125_000, false]
  ],
  "idle: a request while the PING is out waits, and shortens the deadline": [
    [60_000, "look", 0, "ping"],
    [61_000, "request", 0, "no"],
    [61_000, "then", 64_000, true],
    [63_000, "request", 1, "no"],
    [63_000, "then", 64_000, true],
    [64_000, "look", 2, "close"]
  ],
  "idle: a request late in the deadline does not lengthen it": [
    [60_000, "look", 0, "ping"],
    [69_000, "request", 0, "no"],
    [69_000, "then", 70_000, true]
  ],
  "idle: a request that waits elsewhere for the answer shortens the deadline too; without a PING it changes nothing": [
    [59_000, "hasten"],
    [59_000, "then", 60_000, false],
    [60_000, "look", 0, "ping"],
    [61_000, "hasten"],
    [61_000, "then", 64_000, true],
    [64_000, "look", 0, "close"]
  ],
  "busy: a PING after two silent seconds, and the end after three more": [
    [30_000, "request", 0, "yes"],
    [30_000, "then", 32_000, false],
    [32_000, "look", 1, "ping"],
    [34_999, "look", 1, "wait"],
    [35_000, "look", 1, "close"]
  ],
  "busy: silence is counted from the first request where the connection was idle before": [
    [30_000, "request", 0, "yes"],
    [31_999, "look", 1, "wait"],
    [31_999, "then", 32_000, false]
  ],
  "busy: silence is counted from the last byte where that is later": [
    [30_000, "request", 0, "yes"],
    [31_000, "read"],
    [32_000, "look", 1, "wait"],
    [33_000, "look", 1, "ping"]
  ],
  "busy: an answered PING lets requests through again, and the next one follows two seconds later": [
    [30_000, "request", 0, "yes"],
    [32_000, "look", 1, "ping"],
    [32_000, "request", 1, "no"],
    [32_050, "read"],
    [32_050, "pong"],
    [32_050, "request", 1, "yes"],
    [32_050, "then", 34_050, false],
    [34_050, "look", 2, "ping"]
  ],
  "busy, then idle: the interval again": [
    [30_000, "request", 0, "yes"],
    [30_100, "read"],
    [32_000, "look", 0, "wait"],
    [32_000, "then", 90_100, false]
  ],
  "busy: a loop that was blocked for long asks first, and then waits": [
    [30_000, "request", 0, "yes"],
    [37_000, "look", 1, "ping"],
    [37_000, "then", 40_000, true],
    [40_000, "look", 1, "close"]
  ],
  "busy: a process that was frozen while the PING was out asks once more, and only the PONG counts": [
    [30_000, "request", 0, "yes"],
    [32_000, "look", 1, "ping"],
    [105_000, "look", 1, "ping"],
    [105_000, "read"],
    [105_000, "pong", "older"],
    [105_000, "then", 108_000, true],
    [105_000, "request", 1, "no"],
    [105_050, "read"],
    [105_050, "pong"],
    [105_050, "request", 1, "yes"]
  ],
  "busy: frozen while the PING was out, and nobody is there": [
    [30_000, "request", 0, "yes"],
    [32_000, "look", 1, "ping"],
    [105_000, "look", 1, "ping"],
    [108_000, "look", 1, "close"]
  ],
  "frozen: the first request waits for a PONG": [
    [30_000, "read"],
    [100_000, "request", 0, "ping"],
    [100_000, "then", 103_000, true],
    [100_001, "request", 1, "no"],
    [100_050, "read"],
    [100_050, "pong"],
    [100_050, "request", 2, "yes"]
  ],
  "frozen: bytes that had waited in the socket are no answer, the PONG is": [
    [100_000, "request", 0, "ping"],
    [100_001, "read"],
    [100_001, "request", 1, "no"],
    [100_001, "then", 103_000, true],
    [100_050, "read"],
    [100_050, "pong"],
    [100_050, "then", 102_050, false]
  ],
  "frozen: the timer comes first": [
    [100_000, "look", 0, "ping"],
    [100_001, "read"],
    [100_001, "then", 110_000, true],
    [100_002, "request", 0, "no"],
    [100_002, "then", 103_002, true],
    [103_002, "look", 1, "close"]
  ],
  "idle: a PONG that nobody asked for changes nothing": [
    [100, "pong"],
    [100, "then", 60_000, false]
  ],
  "idle: a look that comes up to a second late is no pause, any byte is an answer": [
    [61_000, "look", 0, "ping"],
    [61_001, "read"],
    [61_001, "then", 63_001, false]
  ],
  "idle: a deadline that is looked at up to a second late is the end, later it asks once more": [
    [60_000, "look", 0, "ping"],
    [71_000, "look", 0, "close"],
    [71_001, "look", 0, "ping"]
  ],
  "busy: silence is counted from the first request that is in flight, not from those after it": [
    [30_000, "request", 0, "yes"],
    [31_500, "request", 1, "yes"],
    [32_000, "look", 2, "ping"]
  ],
  "busy: after silence for as long as the interval any byte is an answer": [
    [30_000, "read"],
    [30_000, "request", 0, "yes"],
    [90_000, "look", 1, "ping"],
    [90_001, "read"],
    [90_001, "then", 92_001, false]
  ],
  "busy: after silence for longer than the interval only the PONG is an answer": [
    [30_000, "read"],
    [30_000, "request", 0, "yes"],
    [90_001, "look", 1, "ping"],
    [90_002, "read"],
    [90_002, "then", 93_001, true],
    [90_003, "pong"],
    [90_003, "then", 92_002, false]
  ],
  "busy: long after the opening any byte is an answer": [
    [50_000, "read"],
    [50_000, "request", 0, "yes"],
    [52_000, "look", 1, "ping"],
    [52_001, "read"],
    [52_001, "then", 54_001, false]
  ],
  "a request that times out long after the opening: any byte is an answer": [
    [50_000, "read"],
    [60_000, "timeout", "ping"],
    [60_001, "read"],
    [60_001, "then", 62_001, false]
  ],
  "a request that times out after silence for as long as the interval: any byte is an answer": [
    [60_000, "timeout", "ping"],
    [60_001, "read"],
    [60_001, "then", 62_001, false]
  ],
  "a request that times out after silence for longer than the interval: only the PONG is an answer": [
    [60_001, "timeout", "ping"],
    [60_002, "read"],
    [60_002, "then", 63_001, true]
  ],
  "a request that times out asks at once, and once": [
    [10_000, "request", 0, "yes"],
    [11_000, "timeout", "ping"],
    [11_000, "then", 14_000, true],
    [11_500, "timeout", "wait"],
    [11_500, "then", 14_000, true]
  ],
  "a request within the interval is not held up": [
    [60_000, "request", 0, "yes"],
    [60_000, "look", 1, "wait"]
  ]
}

const play = (events: ReadonlyArray<Event>): void => {
  const state = new KeepAlive(times, 0)
  for (const event of events) {
    const [at, what] = event
    const where = `${what} at ${at}`
    switch (event[1]) {
      case "look":
        assert.strictEqual(state.look(at, event[2]), event[3], where)
        break
      case "read":
        state.read(at)
        break
      case "pong":
        state.pong(event[2] === "older" ? state.payload - 1 : state.payload)
        break
      case "request":
        assert.strictEqual(state.admits(at, event[2]), event[3], where)
        break
      case "timeout":
        assert.strictEqual(state.doubt(at), event[2], where)
        break
      case "hasten":
        state.hasten(at)
        break
      case "then":
        assert.deepStrictEqual([state.due, state.suspect], [event[2], event[3]], where)
    }
  }
}

describe("KeepAlive", () => {
  for (const [name, events] of Object.entries(rows)) {
    it(name, () => play(events))
  }

  it("the payload of each PING is its number, from 1", () => {
    const state = new KeepAlive(times, 0)
    const payloads = [60_000, 120_000].map((at) => {
      state.look(at, 0)
      state.pong(state.payload)
      state.read(at)
      return state.payload
    })
    assert.deepStrictEqual(payloads, [1, 2])
  })

  it("the time for the answer is the deadline, or less if a request waits", () => {
    const state = new KeepAlive(times, 0)
    state.look(60_000, 0)
    assert.strictEqual(state.answerTime, 10_000)
    state.hasten(61_000)
    assert.strictEqual(state.answerTime, 4_000)
  })

  it("paused is true only while the PING that was sent because of the pause has no answer", () => {
    const state = new KeepAlive(times, 0)
    assert.isFalse(state.paused)
    state.admits(60_001, 0)
    assert.isTrue(state.paused)
    state.pong(state.payload)
    assert.isFalse(state.paused)
  })

  it("an infinite interval -> PINGs only while requests are in flight, or after one has timed out", () => {
    const state = new KeepAlive({ ...times, interval: Infinity }, 0)
    assert.strictEqual(state.due, Infinity)
    assert.strictEqual(state.admits(1e12, 0), "yes")
    assert.strictEqual(state.look(1e12 + 2_000, 1), "ping")
    state.read(1e12 + 2_001)
    assert.strictEqual(state.look(1e12 + 5_000, 0), "wait")
    assert.strictEqual(state.due, Infinity)
    assert.strictEqual(state.doubt(1e12 + 5_001), "ping")
  })

  it("a server that is gone -> closed within five seconds of a request; a server that answers -> never closed", () => {
    const event = fc.record({
      wait: fc.integer({ min: 0, max: 100_000 }),
      what: fc.constantFrom("request", "answer", "timeout")
    })
    fc.assert(fc.property(fc.array(event, { maxLength: 40 }), fc.boolean(), (events, answers) => {
      const state = new KeepAlive(times, 0)
      let now = 0
      let inFlight = 0
      let firstAt: number | undefined
      const step = (decision: "wait" | "ping" | "close" | "yes" | "no"): boolean => {
        if (decision === "ping" && answers) {
          state.read(now)
          state.pong(state.payload)
        }
        assert.isTrue(!answers || decision !== "close")
        return decision === "close"
      }
      for (const { wait, what } of events) {
        const until = now + wait
        // a running process looks whenever it is due
        while (state.due <= until) {
          now = Math.max(now, state.due)
          if (step(state.look(now, inFlight))) {
            if (firstAt !== undefined) assert.isAtMost(now - firstAt, 5_000)
            return
          }
        }
        now = until
        if (what === "request") {
          const admitted = state.admits(now, inFlight)
          step(admitted)
          if (firstAt === undefined && !answers) firstAt = now
          inFlight++
        } else if (what === "timeout") step(state.doubt(now))
        else if (answers) {
          state.read(now)
          inFlight = Math.max(0, inFlight - 1)
        }
      }
    }))
  })
})
