/**
 * What the rows of the outbox say beside their cost.
 *
 * @since 1.0.0
 */
import type { Summary } from "./Summary.js"

const number = (value: number | undefined, digits = 0): string =>
  value === undefined
    ? ""
    : value.toLocaleString("en-US", { maximumFractionDigits: digits, minimumFractionDigits: digits })

/**
 * The table, a line for each row of the outbox: `drain` is the runner alone, without writing the campaign.
 *
 * @since 1.0.0
 * @category formatting
 */
export const table = (rows: ReadonlyArray<Summary>): ReadonlyArray<ReadonlyArray<string>> => {
  const sendAll = rows.find(({ name }) => name === "send-all")
  return [
    [
      "row",
      "µs above send-all",
      "enqueued a second",
      "drained a second",
      "µs of the drain",
      "one by one",
      "64 callers"
    ],
    ...rows.filter(({ name }) => name.startsWith("outbox-")).map(({ cpuSecondsPer100k, details, name }) => [
      name,
      details["drainedPerSecond"] === undefined || sendAll === undefined
        ? ""
        : number((cpuSecondsPer100k - sendAll.cpuSecondsPer100k) * 10, 2),
      number(details["enqueuedPerSecond"]),
      number(details["drainedPerSecond"]),
      number(details["drainCpuMicros"], 2),
      number(details["oneByOnePerSecond"]),
      number(details["concurrentPerSecond"])
    ])
  ]
}
