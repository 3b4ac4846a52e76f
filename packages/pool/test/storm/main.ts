/**
 * `npm run storm -- --notifications 500000 --connections 8 --seed 7`
 *
 * `--connections 1,8,50` gives several sizes, which take turns: without it there are six. Its last line is one JSON
 * object; it exits with 1 when any of lost, contradicted, doubled, leaks or reconnectStorms is not 0.
 */
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { parseArgs } from "node:util"
import * as Storm from "./Storm.js"

const { values } = parseArgs({
  options: {
    notifications: { type: "string", default: "500000" },
    connections: { type: "string", default: "8,1,4,2,50,10" },
    lives: { type: "string" },
    seed: { type: "string" },
    "fault-rate": { type: "string" },
    "event-every": { type: "string" }
  }
})

const whole = (name: string, value: string, least: number): number => {
  const number = Number(value)
  if (Number.isSafeInteger(number) && number >= least) return number
  console.error(`--${name} has to be a whole number from ${least}, not ${value}`)
  process.exit(2)
}

const figure = (n: number): string => n.toLocaleString("en-US")
const column = (text: string | number, width: number): string => String(text).padStart(width)

const progress = ({ byOutcome, faults, rssMb, seconds, settled, stats }: Storm.Progress): void => {
  const [, accepted = 0, answered = 0, unknown = 0, unprocessed = 0, interrupted = 0] = byOutcome
  console.log([
    column(`${seconds.toFixed(0)} s`, 6),
    column(figure(settled), 9),
    column(figure(Math.round(settled / seconds)), 7),
    column(figure(accepted), 9),
    column(figure(answered), 8),
    column(figure(unknown), 8),
    column(figure(unprocessed), 8),
    column(figure(interrupted), 8),
    column(`${stats.active}/${stats.size}`, 6),
    column(stats.queued, 7),
    column(stats.inFlight, 7),
    column(stats.retrying, 6),
    column(stats.connectionsLost, 6),
    column(figure(faults), 8),
    column(rssMb, 7)
  ].join(" "))
}

const heading = [
  column("time", 6),
  column("outcomes", 9),
  column("per s", 7),
  column("accepted", 9),
  column("answered", 8),
  column("unknown", 8),
  column("no", 8),
  column("taken b.", 8),
  column("conns", 6),
  column("queued", 7),
  column("flying", 7),
  column("retry", 6),
  column("lost c", 6),
  column("faults", 8),
  column("RSS MB", 7)
].join(" ")

const program = Effect.gen(function*() {
  const notifications = whole("notifications", values.notifications, 1)
  const [first = "", ...others] = values.connections.split(",")
  const connections = [
    whole("connections", first, 1),
    ...others.map((size) => whole("connections", size, 1))
  ] as const satisfies Storm.Options["connections"]
  const seed = whole("seed", values.seed ?? String(Date.now() % 1_000_000), 0)
  yield* Console.log(
    `A storm over ${figure(notifications)} notifications and pools of ${
      connections.join(", ")
    } connections, seed ${seed}\n\n${heading}`
  )
  let lines = 0
  const report = yield* Storm.run({
    notifications,
    connections,
    seed,
    ...(values.lives === undefined ? {} : { lives: whole("lives", values.lives, 1) }),
    ...(values["fault-rate"] === undefined ? {} : { faultRate: Number(values["fault-rate"]) }),
    ...(values["event-every"] === undefined ? {} : { eventEvery: Number(values["event-every"]) }),
    onProgress: (now) => {
      if (++lines % 30 === 0) console.log(`\n${heading}`)
      progress(now)
    }
  })
  const { examples, faults, leaked, stats } = report
  yield* Console.log("\nFaults:")
  for (const [name, count] of [...faults].sort(([, a], [, b]) => b - a)) {
    yield* Console.log(`${column(figure(count), 9)}  ${name}`)
  }
  yield* Console.log(
    `\nThe pool sent ${figure(stats.attempts)} requests over ${figure(stats.connectionsOpened)} connections (` +
      `${figure(stats.connectionsLost)} lost, ${figure(stats.connectionsFailed)} not opened) in ` +
      `${report.seconds.toFixed(0)} s. ${
        figure(report.repeated)
      } notifications were accepted more than once, as their ` +
      `policy allows. ${report.ended} pools were ended in the middle. To a server that accepts and closes a pool connected ` +
      `at most ${
        figure(report.connectsPerMinute)
      } times a minute. Live heap: ${report.heapStartMb} MB after a tenth, ` +
      `${report.heapEndMb} MB at the end; beside it the ledger takes ${report.ledgerMb} MB from start to end.`
  )
  for (const { allowed, connects, moment, rotations, seconds, sizes } of report.spells) {
    yield* Console.log(
      `${moment}: ${connects} connects in ${seconds.toFixed(1)} s by pools of ${
        sizes.join(", then ")
      }; ${allowed} are ` +
        `allowed, ${rotations} GOAWAYs among them`
    )
  }
  for (const line of [...examples, ...leaked, ...report.reconnectStorms]) yield* Console.log(`VIOLATION  ${line}`)
  const { accepted, contradicted, doubled, leaks, lost, outcomes, rssEndMb, rssStartMb, serverAccepted } = report
  const reconnectStorms = report.reconnectStorms.length
  const failed = lost + contradicted + doubled + leaks + reconnectStorms > 0
  yield* Console.log(
    failed ? "\nThe storm found violations." : "\nNothing lost, nothing contradicted, nothing doubled."
  )
  yield* Console.log(JSON.stringify({
    notifications,
    outcomes,
    accepted,
    serverAccepted,
    lost,
    contradicted,
    doubled,
    leaks,
    rssStartMb,
    rssEndMb,
    heapStartMb: report.heapStartMb,
    heapEndMb: report.heapEndMb,
    ledgerMb: report.ledgerMb,
    ended: report.ended,
    connectsPerMinute: report.connectsPerMinute,
    reconnectStorms,
    seed
  }))
  // whatever was left open must not keep the verdict from those who wait for it
  if (failed) yield* Effect.sync(() => process.exit(1))
})

program.pipe(Effect.provide(NodeContext.layer), NodeRuntime.runMain)
