import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Postgres from "../Postgres.js"
import { isBad } from "./Check.js"
import * as Storm from "./Storm.js"

/** Seconds of each storm: `npm run crash-storm` is the same for minutes. */
const seconds = Number(process.env["CRASH_STORM_SECONDS"] ?? 2)

describe("a short crash storm", () => {
  it.live(
    "on a libSQL file loses nothing, doubles nothing, and sends nothing that was rolled back",
    () =>
      Effect.gen(function*() {
        const report = yield* Storm.run({ database: "libsql", seconds, seed: 7 })
        assert.isFalse(isBad(report), report.examples.join("\n"))
        assert.isTrue(report.drained)
        assert.isAbove(report.kills, 0)
        assert.isAbove(report.outcomes, 0)
      }),
    300_000
  )

  it.live("finds a runner that writes no checkpoints and keeps to no window", () =>
    Effect.gen(function*() {
      const report = yield* Storm.run({
        database: "libsql",
        seconds,
        seed: 7,
        concurrency: 20,
        broken: true
      })
      assert.isAbove(report.lost, 0)
      assert.isAbove(report.repeatedBeyondInFlight, 0)
    }), 300_000)

  it.live.skipIf(Postgres.binaries === undefined)(
    "on PostgreSQL with two runners is no different",
    () =>
      Effect.gen(function*() {
        const report = yield* Storm.run({ database: "postgres", seconds, seed: 7 })
        assert.isFalse(isBad(report), report.examples.join("\n"))
        assert.isTrue(report.drained)
        assert.isAbove(report.kills, 0)
        assert.isAbove(report.outcomes, 0)
      }),
    300_000
  )
})
