/**
 * What a row's cost alone does not tell: how it grows, and what happens when everything comes at once.
 *
 * @since 0.1.0
 */
import { Effect } from "effect"
import type { BenchmarkError } from "./BenchmarkError.js"
import { type Bench, measure, type Measurement } from "./Measure.js"
import { type Row, rows } from "./Rows.js"
import { perSecond } from "./rows/Latency.js"
import * as Run from "./Run.js"
import type { Summary } from "./Summary.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Scenarios {
  readonly growth: ReadonlyArray<Summary>
  /** With `--full` alone. */
  readonly waiting: ReadonlyArray<Summary>
  readonly burst: Measurement
  readonly burstNodeApn: Measurement | undefined
  readonly latency: Measurement
  readonly memory: Measurement
  /** With `--full` alone. */
  readonly tenants: Measurement | undefined
}

/** A row that is a scenario and no line of the table. */
const scenario = (name: string, path: string): Run.Runnable => ({
  against: "sink",
  count: 0,
  ids: false,
  module: { path },
  name,
  priority: "required",
  summary: name,
  warmUp: 0,
  wide: false
})

const named = (name: string): ReadonlyArray<Run.Runnable> =>
  rows.filter((row): row is Row & Run.Runnable => row.name === name && Run.isRunnable(row))

const half = (row: Row) => ({ count: row.count / 2, warmUp: row.warmUp })

/**
 * How cost is named when `inFlight` notifications are under way on `connections`.
 *
 * @since 0.1.0
 * @category accessors
 */
export const growthName = (row: string, inFlight: number, connections: number): string =>
  `${row}, ${inFlight.toLocaleString("en-US")} in flight, ${connections} connection${connections === 1 ? "" : "s"}`

/**
 * @since 0.1.0
 * @category accessors
 */
export const waitingName = (row: string, waiting: number): string =>
  `${row}, 1,000 in flight, ${waiting.toLocaleString("en-US")} waiting`

/**
 * The rows whose growth is measured: `effect-floor` among them, because fibers cost more the more there are, whatever
 * they do.
 *
 * @since 0.1.0
 * @category constants
 */
export const growing = ["session", "send-all", "send", "effect-floor"] as const

/**
 * @since 0.1.0
 * @category constants
 */
export const inFlights = [100, 1_000, 10_000] as const

/**
 * @since 0.1.0
 * @category constants
 */
export const connectionCounts = [1, 4, 16] as const

/**
 * @since 0.1.0
 * @category constants
 */
export const waitings = [1_000, 100_000] as const

const growthCases: ReadonlyArray<Run.Case> = growing.flatMap(named).flatMap((row) => {
  const one = (inFlight: number, connections: number): Run.Case => ({
    name: growthName(row.name, inFlight, connections),
    options: {
      ...half(row),
      behavior: { maxStreams: Math.ceil(inFlight / connections) },
      connections,
      inFlight
    },
    row
  })
  return [
    ...inFlights.map((inFlight) => one(inFlight, 1)),
    ...(row.against === "nothing" ? [] : connectionCounts.slice(1).map((connections) => one(1_000, connections)))
  ]
})

const waitingCases: ReadonlyArray<Run.Case> = ["send-all", "send", "effect-floor"].flatMap(named).flatMap((row) =>
  waitings.map((waiting): Run.Case => ({
    name: waitingName(row.name, waiting),
    options: { count: 300_000, waiting, warmUp: 100_000 },
    row
  }))
)

/**
 * @since 0.1.0
 * @category constructors
 */
export const scenarios = (bench: Bench, full: boolean, rounds: number): Effect.Effect<Scenarios, BenchmarkError> =>
  Effect.gen(function*() {
    const growth = yield* Run.interleave(bench, "growth", rounds, growthCases)
    const waiting = full ? yield* Run.interleave(bench, "waiting", rounds, waitingCases) : []
    const burstOptions = {
      behavior: { delayMs: 250, maxStreams: 100 },
      connections: 4,
      count: 20_000,
      warmUp: 0,
      within: "2 minutes"
    } as const
    yield* Run.progress("20,000 sends at once, 4 connections with 100 streams each, answers after 250 ms")
    const burst = yield* measure(bench, scenario("burst", "./rows/Burst.js"), { ...burstOptions, losses: true })
    if (full) yield* Run.progress("the same through @parse/node-apn")
    const burstNodeApn = full
      ? yield* measure(bench, scenario("burst-node-apn", "./rows/BurstNodeApn.js"), { ...burstOptions, losses: true })
      : undefined
    yield* Run.progress(`${perSecond} sends a second, answers after 50 ms`)
    const latency = yield* measure(bench, scenario("latency", "./rows/Latency.js"), {
      behavior: { delayMs: 50 },
      count: perSecond * 4,
      warmUp: perSecond * 2
    })
    yield* Run.progress("sendAll over 5,000,000 different tokens")
    const memory = yield* measure(bench, scenario("memory", "./rows/Memory.js"), {
      count: 5_000_000,
      distinct: 5_000_000,
      warmUp: 0,
      within: "5 minutes"
    })
    if (full) yield* Run.progress("10,000 tenants, each with a pool of its own")
    const tenants = full
      ? yield* measure(bench, scenario("tenants", "./rows/Tenants.js"), {
        count: 10_000,
        warmUp: 0,
        within: "5 minutes"
      })
      : undefined
    return { burst, burstNodeApn, growth, latency, memory, tenants, waiting }
  })

/**
 * @since 0.1.0
 * @category formatting
 */
export const table = (
  { burst, burstNodeApn, latency, memory, tenants }: Scenarios
): ReadonlyArray<ReadonlyArray<string>> => {
  const detail = (measurement: Measurement, name: string) => measurement.details[name] ?? 0
  const delivered = (measurement: Measurement) =>
    `${detail(measurement, "delivered").toLocaleString("en-US")} delivered`
  return [
    ["what", "how it went"],
    [
      "20,000 sends at once, 4 x 100 streams, answers after 250 ms",
      `${delivered(burst)}, ${detail(burst, "timeouts")} timeouts, ${detail(burst, "failed")} failed otherwise; RSS ${
        burst.rssMb.toFixed(0)
      } MB`
    ],
    ...(burstNodeApn === undefined ? [] : [[
      "the same, @parse/node-apn MultiProvider",
      `${delivered(burstNodeApn)}, ${detail(burstNodeApn, "failed")} failed; RSS ${burstNodeApn.rssMb.toFixed(0)} MB`
    ]]),
    [
      `${perSecond.toLocaleString("en-US")} sends a second, answers after 50 ms`,
      `p50 ${detail(latency, "p50").toFixed(1)} ms, p99 ${detail(latency, "p99").toFixed(1)} ms, max ${
        detail(latency, "max").toFixed(1)
      } ms (the server's own: p50 ${latency.delay?.p50.toFixed(1) ?? "?"}, p99 ${latency.delay?.p99.toFixed(1) ?? "?"})`
    ],
    [
      "sendAll over 5,000,000 different tokens",
      `RSS ${detail(memory, "rssMbAt1M").toFixed(0)} MB at 1,000,000, ${
        detail(memory, "rssMbAtEnd").toFixed(0)
      } MB at the end, ${memory.rssMb.toFixed(0)} MB at most; ${
        Math.round(memory.perSecond).toLocaleString("en-US")
      } a second`
    ],
    ...(tenants === undefined ? [] : [[
      "10,000 tenants: each opens a pool, sends once, and makes room for the next (100 connections)",
      `first 1,000 in ${(detail(tenants, "firstMs") / 1000).toFixed(1)} s, last 1,000 in ${
        (detail(tenants, "lastMs") / 1000).toFixed(1)
      } s; RSS ${detail(tenants, "firstRssMb").toFixed(0)} MB after the first, ${
        detail(tenants, "lastRssMb").toFixed(0)
      } MB after the last`
    ]])
  ]
}

/**
 * @since 0.1.0
 * @category formatting
 */
export const costTable = (summaries: ReadonlyArray<Summary>): ReadonlyArray<ReadonlyArray<string>> => [
  ["row", "CPU-s / 100,000", "(min to max)", "RSS MB"],
  ...summaries.map((summary) => [
    summary.name,
    summary.cpuSecondsPer100k.toFixed(3),
    `(${summary.cpuMin.toFixed(3)} to ${summary.cpuMax.toFixed(3)})`,
    summary.rssMb.toFixed(0)
  ])
]
