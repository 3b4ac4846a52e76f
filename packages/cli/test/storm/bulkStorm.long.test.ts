import { NodeContext } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { source } from "../utils/process.js"
import { isGood, storm } from "./BulkStorm.js"

describe("apns bulk, killed and cut off at random", () => {
  it.live(
    "every token has one final outcome, and only requests in flight are seen twice, with the same ids",
    () =>
      storm({
        tokens: 8000,
        kills: 2,
        outages: 2,
        concurrency: 300,
        seed: "1",
        command: source,
        say: () => Effect.void
      }).pipe(
        Effect.map((report) => {
          assert.isTrue(isGood(report), JSON.stringify(report))
          // with this many events something is always under way
          assert.isAbove(report.repeated, 0)
        }),
        Effect.provide(NodeContext.layer)
      ),
    300_000
  )
})
