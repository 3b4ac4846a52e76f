/**
 * `npm run bench`: what a notification costs, side by side with what a user would pick instead.
 *
 * @since 0.1.0
 */
import * as Certificates from "@effect-apns/testing/Certificates"
import { NodeRuntime } from "@effect/platform-node"
import { Clock, Console, Effect } from "effect"
import * as Crypto from "node:crypto"
import * as Os from "node:os"
import * as CommandLine from "./CommandLine.js"
import * as Conditions from "./Conditions.js"
import * as Documents from "./Documents.js"
import * as Durable from "./Durable.js"
import * as Figures from "./Figures.js"
import { type Bench, measure } from "./Measure.js"
import * as Report from "./Report.js"
import { type Row, rows } from "./Rows.js"
import * as Run from "./Run.js"
import * as Scenarios from "./Scenarios.js"
import { selfCheck } from "./SelfCheck.js"
import * as Sink from "./Sink.js"
import { type Behavior, defaultBehavior } from "./sink/Protocol.js"
import * as StartUp from "./StartUp.js"
import * as Workload from "./Workload.js"

const makeBench = Effect.gen(function*() {
  const authority = yield* Certificates.makeAuthority({ commonName: "effect-apns benchmark" })
  const { privateKey } = Crypto.generateKeyPairSync("ec", { namedCurve: "P-256" })
  const bench: Bench = {
    ca: authority.ca,
    signingKey: privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
    sink: yield* Sink.make(authority.server())
  }
  return bench
})

/** The floor sends what the session sends, so the session says first how much that is. */
const floorBytes = (bench: Bench) =>
  Effect.gen(function*() {
    const session = rows.filter(Run.isRunnable).find((row) => row.name === "session")
    if (session === undefined) return defaultBehavior
    const { answerBytes, requestBytes } = yield* measure(bench, session, { count: 4_000, warmUp: 1_000 })
    const behavior: Behavior = {
      ...defaultBehavior,
      floorAnswerBytes: Math.round(answerBytes ?? defaultBehavior.floorAnswerBytes),
      floorRequestBytes: Math.round(requestBytes ?? defaultBehavior.floorRequestBytes)
    }
    return behavior
  })

const wideFlags = ["--max-semi-space-size=64"]

const program = Effect.gen(function*() {
  const options = yield* CommandLine.parse
  if (options === undefined) return
  const started = yield* Clock.currentTimeMillis
  const loadBefore = Os.loadavg()[0] ?? 0

  const chosen = rows.filter((row) => options.rows === undefined || options.rows.includes(row.name))
  const runnable = chosen.filter(Run.isRunnable)
  const leftOut = chosen.flatMap((row) =>
    "leftOut" in row.module ? [{ name: row.name, reason: row.module.leftOut }] : []
  )

  const bench = yield* makeBench
  yield* Run.progress(`The sink found out all ${yield* selfCheck(bench)} lies that it was told.`)
  const behavior = yield* floorBytes(bench)

  const scale = options.quick ? 0.2 : 1
  const caseOf = (row: Run.Runnable, nodeFlags: ReadonlyArray<string>): Run.Case => {
    const count = Math.round(row.count * scale)
    return {
      name: row.name,
      options: {
        attempts: row.attempts,
        behavior: { ...behavior, ...row.behavior },
        connections: row.connections,
        count,
        distinct: row.attempts === undefined ? undefined : count,
        nodeFlags,
        warmUp: Math.round(row.warmUp * scale)
      },
      row
    }
  }
  const wideRow = (row: Row) => row.wide && !options.quick

  const plain = yield* Run.interleave(bench, "round", options.rounds, runnable.map((row) => caseOf(row, [])))
  const wide = yield* Run.interleave(
    bench,
    "64 MB semi-space",
    Math.min(options.rounds, 3),
    runnable.filter(wideRow).map((row) => caseOf(row, wideFlags))
  )
  const whole = options.rows === undefined && !options.quick
  const scenarios = whole
    ? yield* Scenarios.scenarios(bench, options.full, Math.min(options.rounds, 3))
    : undefined
  const startUp = options.rows === undefined ? yield* StartUp.startUp(bench, options.quick ? 1 : 7) : undefined
  const figures = Figures.figures({ rows: plain, scenarios, startUp, wide })

  const sections: Array<Documents.Section> = [{
    kind: "figures",
    title: "One notification",
    table: Report.table(plain)
  }]
  const durable = Durable.table(plain)
  if (durable.length > 1) sections.push({ kind: "figures", title: "Durable delivery", table: durable })
  const requeued = Report.requeueTable(plain)
  if (requeued.length > 1) sections.push({ kind: "figures", title: "Refused once", table: requeued })
  if (wide.length > 0) {
    sections.push({ kind: "figures", title: "The same with node --max-semi-space-size=64", table: Report.table(wide) })
  }
  if (scenarios !== undefined) {
    sections.push({
      kind: "figures",
      title: "Growth",
      table: Scenarios.costTable([...scenarios.growth, ...scenarios.waiting])
    })
    sections.push({ kind: "words", title: "Under load", table: Scenarios.table(scenarios) })
  }
  if (startUp !== undefined) sections.push({ kind: "words", title: "Start-up and size", table: StartUp.table(startUp) })
  sections.push({ kind: "words", title: "Figures to reach", table: Figures.table(figures) })

  const conditions = Conditions.gather({
    inFlight: Workload.inFlight,
    leftOut,
    loadBefore,
    quick: options.quick,
    rounds: options.rounds,
    seconds: ((yield* Clock.currentTimeMillis) - started) / 1000
  })
  for (const { kind, table, title } of sections) {
    yield* Console.log(`\n${title}\n\n${Report.layOut(table, kind)}`)
  }
  yield* Console.log(`\n${Report.describe(conditions)}`)
  if (options.chart) yield* Documents.write(plain, sections, conditions, options.command)
  if (options.json) yield* Console.log(JSON.stringify({ rows: plain, wide, scenarios, startUp, figures, conditions }))
})

NodeRuntime.runMain(Effect.tapError(Effect.scoped(program), (error) => Console.error(`\n${error.message}`)), {
  disableErrorReporting: true
})
