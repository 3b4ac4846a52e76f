/**
 * The flags of `npm run bench`.
 *
 * @since 0.1.0
 */
import { Console, Effect } from "effect"
import { parseArgs } from "node:util"
import { BenchmarkError } from "./BenchmarkError.js"
import { rows } from "./Rows.js"

const help = `npm run bench -- [flags]

  --quick       smaller and fewer rounds, under a minute; the figures are rough and the scenarios left out, the verification is the same
  --full        also what takes minutes more: 100,000 senders waiting, a burst through node-apn
  --rows a,b    only these rows (${rows.map((row) => row.name).join(", ")})
  --rounds n    interleaved rounds (default 5; 2 with --quick)
  --json        one line of JSON at the end
  --chart       writes docs/benchmark.svg and the tables of docs/benchmarks.md
  --help        this text`

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly chart: boolean
  /** The command that was given, for whoever wants to repeat it. */
  readonly command: string
  readonly full: boolean
  readonly json: boolean
  readonly quick: boolean
  readonly rounds: number
  readonly rows: ReadonlyArray<string> | undefined
}

const fail = (reason: string) => Effect.fail(new BenchmarkError({ reason, where: "npm run bench" }))

/**
 * Reads the flags of this process; `undefined` when all they asked for was the help, which is printed then.
 *
 * @since 0.1.0
 * @category constructors
 */
export const parse: Effect.Effect<Options | undefined, BenchmarkError> = Effect.gen(function*() {
  const { values } = yield* Effect.try({
    try: () =>
      parseArgs({
        options: {
          chart: { type: "boolean", default: false },
          full: { type: "boolean", default: false },
          help: { type: "boolean", default: false },
          json: { type: "boolean", default: false },
          quick: { type: "boolean", default: false },
          rounds: { type: "string" },
          rows: { type: "string" }
        }
      }),
    catch: (error) => new BenchmarkError({ reason: `${String(error)}\n\n${help}`, where: "npm run bench" })
  })
  if (values.help) {
    yield* Console.log(help)
    return undefined
  }
  const rounds = values.rounds === undefined ? (values.quick ? 2 : 5) : Number(values.rounds)
  if (!Number.isInteger(rounds) || rounds < 1) {
    return yield* fail(`--rounds takes a whole number from 1 up, not ${String(values.rounds)}`)
  }
  const chosen = values.rows?.split(",")
  const unknown = chosen?.find((name) => !rows.some((row) => row.name === name))
  if (unknown !== undefined) {
    return yield* fail(`there is no row ${unknown}; there are ${rows.map((row) => row.name).join(", ")}`)
  }
  if (values.chart && (values.quick || chosen !== undefined)) {
    return yield* fail("--chart publishes a whole run: leave --quick and --rows out")
  }
  return {
    chart: values.chart,
    command: ["npm run bench", ...(process.argv.length > 2 ? ["--", ...process.argv.slice(2)] : [])].join(" "),
    full: values.full,
    json: values.json,
    quick: values.quick,
    rounds,
    rows: chosen
  }
})
