/**
 * `npm run bulk-storm -- --tokens 200000 --kills 20 --outages 5 --seed 7`, after a build.
 *
 * Its last line is one JSON object; it exits with 1 when a token was lost, doubled, renamed or left without an outcome.
 */
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { parseArgs } from "node:util"
import { built } from "../utils/process.js"
import { isGood, storm } from "./BulkStorm.js"

const { values } = parseArgs({
  options: {
    tokens: { type: "string", default: "200000" },
    kills: { type: "string", default: "20" },
    outages: { type: "string", default: "5" },
    concurrency: { type: "string", default: "1000" },
    seed: { type: "string", default: "1" }
  }
})

const program = storm({
  tokens: Number(values.tokens),
  kills: Number(values.kills),
  outages: Number(values.outages),
  concurrency: Number(values.concurrency),
  seed: values.seed,
  command: built,
  say: Console.log
}).pipe(
  Effect.tap((report) => Console.log(JSON.stringify(report))),
  Effect.tap((report) =>
    Effect.sync(() => {
      process.exitCode = isGood(report) ? 0 : 1
    })
  ),
  Effect.provide(NodeContext.layer)
)

NodeRuntime.runMain(program)
