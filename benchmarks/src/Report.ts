/**
 * The figures as a table for people.
 *
 * @since 0.1.0
 */
import type { Conditions } from "./Conditions.js"
import type { Summary } from "./Summary.js"

const number = (value: number, digits: number): string =>
  value.toLocaleString("en-US", { maximumFractionDigits: digits, minimumFractionDigits: digits })

/** Three significant digits or all before the point: 0.0412, 1.73, 16.4, 212. */
const figure = (value: number): string => number(value, value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3)

const times = (value: number | undefined): string => value === undefined ? "" : `${figure(value)} x`

/**
 * The ratio of two rows' cost, where both were measured.
 *
 * @since 0.1.0
 * @category accessors
 */
export const ratio = (rows: ReadonlyArray<Summary>, of: string, to: string): number | undefined => {
  const cost = (name: string) => rows.find((row) => row.name === name)?.cpuSecondsPer100k
  const [a, b] = [cost(of), cost(to)]
  return a === undefined || b === undefined ? undefined : a / b
}

/**
 * Cells laid out in columns: words to the left, and figures to the right but for the first column.
 *
 * @since 0.1.0
 * @category formatting
 */
export const layOut = (lines: ReadonlyArray<ReadonlyArray<string>>, kind: "figures" | "words"): string => {
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)))
  return lines.map((line) =>
    line.map((cell, column) =>
      column === 0 || kind === "words" ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)
    )
      .join("  ")
      .trimEnd()
  ).join("\n")
}

const head = [
  "row",
  "CPU-s / 100,000",
  "(min to max)",
  "per second",
  "RSS MB",
  "x tls-floor",
  "node-http2 costs",
  "node-apn costs",
  "apns2 costs",
  "bytes/request",
  "sink CPU-s"
] as const

/**
 * The table, a line for each row.
 *
 * @since 0.1.0
 * @category formatting
 */
export const table = (rows: ReadonlyArray<Summary>): ReadonlyArray<ReadonlyArray<string>> => [
  head,
  ...rows.map((row) => [
    row.name,
    figure(row.cpuSecondsPer100k),
    `(${figure(row.cpuMin)} to ${figure(row.cpuMax)})`,
    number(row.perSecond, 0),
    number(row.rssMb, 0),
    row.requestBytes === undefined ? "" : times(ratio(rows, row.name, "tls-floor")),
    times(ratio(rows, "node-http2", row.name)),
    times(ratio(rows, "node-apn", row.name)),
    times(ratio(rows, "apns2", row.name)),
    row.requestBytes === undefined ? "" : number(row.requestBytes, 0),
    row.sinkCpuSecondsPer100k === undefined ? "" : figure(row.sinkCpuSecondsPer100k)
  ])
]

/**
 * What it costs that every notification is refused once, for all of them together.
 *
 * @since 1.0.0
 * @category formatting
 */
export const requeueTable = (rows: ReadonlyArray<Summary>): ReadonlyArray<ReadonlyArray<string>> => [
  ["row", "notifications", "CPU-s for all", "longest stall ms"],
  ...rows.filter(({ name }) => name === "requeue").map(({ count, cpuSecondsPer100k, details, name }) => [
    name,
    number(count, 0),
    figure(cpuSecondsPer100k * count / 100_000),
    number(details["stallMs"] ?? Number.NaN, 0)
  ])
]

/**
 * The conditions in prose.
 *
 * @since 0.1.0
 * @category formatting
 */
export const describe = (conditions: Conditions): string =>
  [
    `${conditions.cpu}, ${conditions.cores} cores, ${conditions.memoryGb} GB, ${conditions.system}; ` +
    `load ${number(conditions.loadBefore, 1)} before and ${number(conditions.loadAfter, 1)} after`,
    `node ${conditions.node}${conditions.nodeFlags.length === 0 ? "" : ` ${conditions.nodeFlags.join(" ")}`}; ` +
    Object.entries(conditions.versions).map(([name, version]) => `${name} ${version}`).join(", "),
    `${number(conditions.inFlight, 0)} in flight, ${conditions.rounds} interleaved rounds, ${
      number(conditions.seconds, 0)
    } seconds in all, ${conditions.date}`,
    ...conditions.notes,
    ...conditions.leftOut.map(({ name, reason }) => `Left out: ${name} (${reason})`)
  ].join("\n")
