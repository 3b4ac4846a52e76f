/**
 * The figures that this project set out to reach, and what a run reached.
 *
 * @since 0.1.0
 */
import { ratio } from "./Report.js"
import * as Scenarios from "./Scenarios.js"
import type { StartUp } from "./StartUp.js"
import type { Summary } from "./Summary.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Figure {
  readonly path: string
  readonly goal: string
  readonly reached: string
  /** `undefined` when a row that it takes was not measured. */
  readonly met: boolean | undefined
}

interface Sources {
  readonly rows: ReadonlyArray<Summary>
  /** The same rows with a 64 MB semi-space. */
  readonly wide: ReadonlyArray<Summary>
  readonly scenarios: Scenarios.Scenarios | undefined
  readonly startUp: StartUp | undefined
}

const unknown = { met: undefined, reached: "not measured" } as const

const atMost = (
  path: string,
  goal: string,
  value: number | undefined,
  limit: number,
  unit: string,
  digits = 2
): Figure =>
  value === undefined
    ? { goal, path, ...unknown }
    : { goal, met: value <= limit, path, reached: `${value.toFixed(digits)}${unit}` }

const cheaper = (rows: ReadonlyArray<Summary>, row: string, peer: string, by: number, suffix = ""): Figure => {
  const goal = `at most 1/${by} of ${peer}${suffix}`
  const value = ratio(rows, peer, row)
  return value === undefined
    ? { goal, path: row, ...unknown }
    : { goal, met: value >= by, path: row, reached: `1/${value.toFixed(1)}` }
}

const fastEnough = (rows: ReadonlyArray<Summary>, name: string, perSecond: number): Figure => {
  const row = rows.find((candidate) => candidate.name === name)
  const goal = `at least ${perSecond.toLocaleString("en-US")} a second`
  return row === undefined ? { goal, path: name, ...unknown } : {
    goal,
    met: row.perSecond >= perSecond,
    path: name,
    reached: `${Math.round(row.perSecond).toLocaleString("en-US")} a second`
  }
}

/** What a row costs above the fibers that it needs, in microseconds of CPU for one notification. */
const above = (rows: ReadonlyArray<Summary>, row: string): number | undefined => {
  const cost = (name: string) => rows.find((candidate) => candidate.name === name)?.cpuSecondsPer100k
  const [own, floor] = [cost(row), cost("effect-floor")]
  return own === undefined || floor === undefined ? undefined : (own - floor) * 10
}

/** How far the costs of these are apart: 1.15 is 15 %. */
const spread = (summaries: ReadonlyArray<Summary>, names: ReadonlyArray<string>): number | undefined => {
  const costs = summaries.filter((one) => names.includes(one.name)).map((one) => one.cpuSecondsPer100k)
  return costs.length < names.length ? undefined : Math.max(...costs) / Math.min(...costs)
}

/** The same for what a row costs beside the Effect floor with as many fibers: they cost more the more there are. */
const spreadOverFloor = (
  summaries: ReadonlyArray<Summary>,
  row: string,
  nameOf: (row: string) => ReadonlyArray<string>
): number | undefined => {
  const cost = (name: string | undefined) => summaries.find((one) => one.name === name)?.cpuSecondsPer100k ?? Number.NaN
  const floors = nameOf("effect-floor")
  const ratios = nameOf(row).map((name, index) => cost(name) / cost(floors[index]))
  const result = Math.max(...ratios) / Math.min(...ratios)
  return Number.isNaN(result) ? undefined : result
}

const requeueFigures = (rows: ReadonlyArray<Summary>): ReadonlyArray<Figure> => {
  const row = rows.find(({ name }) => name === "requeue")
  // a quick run sends fewer, which says nothing about this goal
  const cpuSeconds = row?.count === 80_000 ? row.cpuSecondsPer100k * row.count / 100_000 : undefined
  return [
    atMost("requeue", "at most 3 s of CPU for 80,000, each refused once", cpuSeconds, 3, " s"),
    atMost("requeue", "no stall over 200 ms", row?.details["stallMs"], 200, " ms", 0)
  ]
}

const tenantsFigure = (details: Readonly<Record<string, number>> | undefined): Figure => {
  const goal = "the last 1,000 take at most 1.5 x the time and 1.2 x the memory of the first"
  if (details === undefined) return { goal, path: "10,000 tenants", ...unknown }
  const { firstMs = 0, firstRssMb = 0, lastMs = 0, lastRssMb = 0 } = details
  return {
    goal,
    met: lastMs <= 1.5 * firstMs && lastRssMb <= 1.2 * firstRssMb,
    path: "10,000 tenants",
    reached: `${(lastMs / firstMs).toFixed(2)} x the time, ${(lastRssMb / firstRssMb).toFixed(2)} x the memory`
  }
}

const scenarioFigures = (scenarios: Scenarios.Scenarios): ReadonlyArray<Figure> => {
  const { burst, growth, latency, memory, tenants, waiting } = scenarios
  const { delivered = 0, timeouts = 0 } = burst.details
  const { rssMbAt1M = 0, rssMbAtEnd = 0 } = memory.details
  return [
    ...Scenarios.growing.filter((row) => row !== "effect-floor").map((row) =>
      atMost(
        row,
        "the same within 15 % at 100, 1,000, 10,000 in flight",
        spread(growth, Scenarios.inFlights.map((inFlight) => Scenarios.growthName(row, inFlight, 1))),
        1.15,
        " x"
      )
    ),
    ...Scenarios.growing.filter((row) => row !== "effect-floor").map((row) =>
      atMost(
        row,
        "the same within 15 % at 1, 4, 16 connections",
        spread(growth, Scenarios.connectionCounts.map((count) => Scenarios.growthName(row, 1_000, count))),
        1.15,
        " x"
      )
    ),
    atMost(
      "send",
      "the same beside the Effect floor at 100, 1,000, 10,000 in flight, within 15 %",
      spreadOverFloor(growth, "send", (row) => Scenarios.inFlights.map((each) => Scenarios.growthName(row, each, 1))),
      1.15,
      " x"
    ),
    atMost(
      "send",
      "the same beside the Effect floor with 1,000 and 100,000 waiting, within 20 %",
      spreadOverFloor(waiting, "send", (row) => Scenarios.waitings.map((each) => Scenarios.waitingName(row, each))),
      1.2,
      " x"
    ),
    ...["send-all", "send"].map((row) =>
      atMost(
        row,
        "the same within 20 % with 1,000 and 100,000 waiting",
        spread(waiting, Scenarios.waitings.map((count) => Scenarios.waitingName(row, count))),
        1.2,
        " x"
      )
    ),
    {
      goal: "20,000 delivered, 0 timeouts",
      met: delivered === 20_000 && timeouts === 0,
      path: "20,000 sends at once",
      reached: `${delivered.toLocaleString("en-US")} delivered, ${timeouts} timeouts`
    },
    atMost("latency at 5,000 a second", "p99 at most 5 ms above 50 ms", latency.details["p99"], 55, " ms", 1),
    {
      goal: "RSS at the end within 10 % of that at 1,000,000, under 250 MB",
      met: rssMbAtEnd <= rssMbAt1M * 1.1 && memory.rssMb < 250,
      path: "sendAll over 5,000,000",
      reached: `${rssMbAt1M.toFixed(0)} MB, then ${rssMbAtEnd.toFixed(0)} MB, at most ${memory.rssMb.toFixed(0)} MB`
    },
    tenantsFigure(tenants?.details)
  ]
}

const wideSuffix = " (both with a 64 MB semi-space)"

/**
 * @since 0.1.0
 * @category constructors
 */
export const figures = ({ rows, scenarios, startUp, wide }: Sources): ReadonlyArray<Figure> => {
  return [
    atMost("session", "at most 3.2 x the TLS floor", ratio(rows, "session", "tls-floor"), 3.2, " x"),
    atMost("send-all", "at most 1.75 x the session", ratio(rows, "send-all", "session"), 1.75, " x"),
    atMost("send-each", "at most 3 x send-all", ratio(rows, "send-each", "send-all"), 3, " x"),
    cheaper(rows, "send-each", "node-apn-each", 10),
    atMost("rejections", "at most 1.3 x send-all", ratio(rows, "rejections", "send-all"), 1.3, " x"),
    ...requeueFigures(rows),
    ...["connection-post", "pool-post"].flatMap((row) => [
      atMost(row, "at most 3 µs above the Effect floor", above(rows, row), 3, " µs"),
      cheaper(rows, row, "node-http2", 4),
      cheaper(wide, row, "node-http2", 6, wideSuffix)
    ]),
    atMost("send", "at most 1.5 µs above the Effect floor", above(rows, "send"), 1.5, " µs"),
    cheaper(rows, "send", "node-apn", 5),
    cheaper(wide, "send", "node-apn", 8, wideSuffix),
    cheaper(rows, "send-all", "node-apn", 50),
    cheaper(rows, "send-all", "node-http2", 25),
    fastEnough(rows, "send-all", 250_000),
    fastEnough(rows, "bulk", 200_000),
    ...(scenarios === undefined ? [] : scenarioFigures(scenarios)),
    atMost("import @effect-apns/pool", "at most 25 ms after its peers", startUp?.importAddsMs, 25, " ms", 0),
    atMost("apns --help", "at most 250 ms", startUp?.helpMs, 250, " ms", 0),
    atMost("apns send", "at most 400 ms", startUp?.sendMs, 400, " ms", 0)
  ]
}

/**
 * @since 0.1.0
 * @category formatting
 */
export const table = (figures: ReadonlyArray<Figure>): ReadonlyArray<ReadonlyArray<string>> => [
  ["figure", "goal", "reached", ""],
  ...figures.map(({ goal, met, path, reached }) => [
    path,
    goal,
    reached,
    met === undefined ? "" : met ? "met" : "NOT MET"
  ])
]
