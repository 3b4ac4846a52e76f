/**
 * The figures that this project set out to reach, and what a run reached.
 *
 * @since 0.1.0
 */
import { ratio } from "./Report.js"
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

/** What a row costs above the fibers that it needs, in microseconds of CPU for one notification. */
const above = (rows: ReadonlyArray<Summary>, row: string): number | undefined => {
  const cost = (name: string) => rows.find((candidate) => candidate.name === name)?.cpuSecondsPer100k
  const [own, floor] = [cost(row), cost("effect-floor")]
  return own === undefined || floor === undefined ? undefined : (own - floor) * 10
}

const wideSuffix = " (both with a 64 MB semi-space)"

/**
 * @since 0.1.0
 * @category constructors
 */
export const figures = ({ rows, wide }: Sources): ReadonlyArray<Figure> => {
  const sendAll = rows.find((row) => row.name === "send-all")
  return [
    atMost("session", "at most 3 x the TLS floor", ratio(rows, "session", "tls-floor"), 3, " x"),
    ...["connection-post", "pool-post"].flatMap((row) => [
      atMost(row, "at most 3 µs above the Effect floor", above(rows, row), 3, " µs"),
      cheaper(rows, row, "node-http2", 4),
      cheaper(wide, row, "node-http2", 6, wideSuffix)
    ]),
    atMost("send", "at most 6 µs above the Effect floor", above(rows, "send"), 6, " µs"),
    cheaper(rows, "send", "node-apn", 5),
    cheaper(wide, "send", "node-apn", 8, wideSuffix),
    cheaper(rows, "send-all", "node-apn", 50),
    cheaper(rows, "send-all", "node-http2", 25),
    sendAll === undefined
      ? { goal: "at least 250,000 a second", path: "send-all", ...unknown }
      : {
        goal: "at least 250,000 a second",
        met: sendAll.perSecond >= 250_000,
        path: "send-all",
        reached: `${Math.round(sendAll.perSecond).toLocaleString("en-US")} a second`
      }
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
