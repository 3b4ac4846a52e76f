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
import { type Bench, measure, type Measurement } from "./Measure.js"
import * as Report from "./Report.js"
import { type Row, rows } from "./Rows.js"
import { selfCheck } from "./SelfCheck.js"
import * as Sink from "./Sink.js"
import { defaultBehavior } from "./sink/Protocol.js"
import { summarize, type Summary } from "./Summary.js"
import * as Workload from "./Workload.js"

type Measured = Row & { readonly path: string }

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
const floorBytes = (bench: Bench, session: Measured | undefined) =>
  session === undefined ? Effect.succeed(defaultBehavior) : Effect.map(
    measure(bench, session, session.path, { count: 4_000, warmUp: 1_000 }),
    ({ answerBytes, requestBytes }) => ({
      floorAnswerBytes: Math.round(answerBytes ?? defaultBehavior.floorAnswerBytes),
      floorRequestBytes: Math.round(requestBytes ?? defaultBehavior.floorRequestBytes)
    })
  )

const program = Effect.gen(function*() {
  const options = yield* CommandLine.parse
  const started = yield* Clock.currentTimeMillis
  const loadBefore = Os.loadavg()[0] ?? 0
  const progress = (line: string) => Effect.sync(() => void process.stderr.write(`${line}\n`))

  const chosen = rows.filter((row) => options.rows === undefined || options.rows.includes(row.name))
  const leftOut = chosen.flatMap((row) =>
    "leftOut" in row.module ? [{ name: row.name, reason: row.module.leftOut }] : []
  )
  const measured = chosen.flatMap((row): Array<Measured> =>
    "path" in row.module ? [{ ...row, path: row.module.path }] : []
  )
  const scale = options.quick ? 0.2 : 1
  const count = (row: Row) => Math.round(row.count * scale)

  const bench = yield* makeBench
  yield* progress(`The sink found out all ${yield* selfCheck(bench)} lies that it was told.`)
  const behavior = yield* floorBytes(bench, measured.find((row) => row.name === "session"))

  const results = new Map<string, Array<Measurement>>()
  for (let round = 1; round <= options.rounds; round++) {
    // every other round runs backwards, so that what drifts does not favor one row
    for (const row of round % 2 === 1 ? measured : [...measured].reverse()) {
      const measurement = yield* measure(bench, row, row.path, {
        behavior,
        count: count(row),
        warmUp: Math.round(row.warmUp * scale)
      })
      results.set(row.name, [...results.get(row.name) ?? [], measurement])
      yield* progress(
        `round ${round}/${options.rounds}  ${row.name.padEnd(16)}${
          measurement.cpuSecondsPer100k.toFixed(3).padStart(8)
        } CPU-s / 100,000`
      )
    }
  }
  const summaries = measured.map((row): Summary => summarize(row, count(row), results.get(row.name) ?? []))
  const conditions = Conditions.gather({
    inFlight: Workload.inFlight,
    leftOut,
    loadBefore,
    quick: options.quick,
    rounds: options.rounds,
    seconds: ((yield* Clock.currentTimeMillis) - started) / 1000
  })
  yield* Console.log(`\n${Report.layOut(Report.table(summaries))}\n\n${Report.describe(conditions)}`)
  if (options.json) yield* Console.log(JSON.stringify({ rows: summaries, conditions }))
})

NodeRuntime.runMain(Effect.scoped(program))
