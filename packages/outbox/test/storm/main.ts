/**
 * `npm run crash-storm -- --seconds 120 --seed 7`
 *
 * Half of the time on PostgreSQL (where this machine has one), half on a libSQL file. Its last line is one JSON object; it
 * exits with 1 when any of lost, doubledOutcomes, repeatedBeyondInFlight and rolledBackButSent is not 0.
 */
import { Cause, Console, Effect, Exit, Fiber } from "effect"
import { parseArgs } from "node:util"
import * as Postgres from "../Postgres.js"
import { isBad } from "./Check.js"
import * as Storm from "./Storm.js"

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "120" },
    seed: { type: "string" },
    database: { type: "string", default: "both" },
    runners: { type: "string", default: "3" },
    broken: { type: "boolean", default: false }
  }
})

const whole = (name: string, value: string, least: number): number => {
  const number = Number(value)
  if (Number.isSafeInteger(number) && number >= least) return number
  console.error(`--${name} has to be a whole number from ${least}, not ${value}`)
  process.exit(2)
}

const databases = (): ReadonlyArray<"libsql" | "postgres"> => {
  switch (values.database) {
    case "libsql":
    case "postgres":
      return [values.database]
    case "both":
      if (Postgres.binaries !== undefined) return ["postgres", "libsql"]
      console.log("There is no PostgreSQL on this machine (Debian: apt-get install postgresql): libSQL alone")
      return ["libsql"]
    default:
      console.error(`--database has to be libsql, postgres or both, not ${values.database}`)
      process.exit(2)
  }
}

const program = Effect.gen(function*() {
  const seconds = whole("seconds", values.seconds, 5)
  const seed = whole("seed", values.seed ?? String(Date.now() % 1_000_000), 0)
  const runners = whole("runners", values.runners, 1)
  const all = databases()
  const sum = {
    campaigns: 0,
    tokens: 0,
    outcomes: 0,
    kills: 0,
    databaseRestarts: 0,
    lost: 0,
    doubledOutcomes: 0,
    repeatedAtServer: 0,
    repeatedBeyondInFlight: 0,
    rolledBackButSent: 0,
    tokensSigned: 0
  }
  let bad = false
  for (const database of all) {
    yield* Console.log(`A crash storm on ${database}, ${seconds / all.length} s, seed ${seed}`)
    const { drained, examples, ...report } = yield* Storm.run({
      database,
      seconds: seconds / all.length,
      seed,
      runners,
      broken: values.broken,
      onProgress: (line) => console.log(`  ${line}`)
    })
    for (const line of examples) yield* Console.log(`VIOLATION  ${line}`)
    if (!drained) yield* Console.log("VIOLATION  not everything was sent and told in time")
    if (report.outcomes === 0) yield* Console.log("VIOLATION  nothing was sent: the storm has shown nothing")
    bad = bad || !drained || report.outcomes === 0 || isBad({ ...report, examples })
    yield* Console.log(`  ${JSON.stringify(report)}\n`)
    for (const [key, value] of Object.entries(report)) {
      if (key in sum && typeof value === "number") Reflect.set(sum, key, Number(Reflect.get(sum, key)) + value)
    }
  }
  yield* Console.log(
    bad ? "The storm found violations." : "Nothing lost, nothing doubled, nothing sent that was rolled back."
  )
  yield* Console.log(JSON.stringify({ ...sum, seed }))
  process.exit(bad ? 1 : 0)
})

const running = Effect.runFork(program)
// its processes and its database end with it
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => {
    void Effect.runPromise(Fiber.interrupt(running)).then(() => process.exit(1))
  })
}
running.addObserver((exit) => {
  if (Exit.isSuccess(exit) || Cause.isInterruptedOnly(exit.cause)) return
  console.error(Cause.pretty(exit.cause))
  process.exit(1)
})
