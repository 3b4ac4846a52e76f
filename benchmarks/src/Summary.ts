/**
 * What the rounds of a row come to.
 *
 * @since 0.1.0
 */
import type { Measurement } from "./Measure.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Summary {
  readonly name: string
  readonly summary: string
  /** Medians over the rounds. */
  readonly cpuSecondsPer100k: number
  readonly perSecond: number
  /** The most of any round. */
  readonly rssMb: number
  readonly cpuMin: number
  readonly cpuMax: number
  readonly rounds: number
  readonly count: number
  readonly connections: number
  readonly requestBytes: number | undefined
  readonly sinkCpuSecondsPer100k: number | undefined
  /** Medians of what else the row has found, by name. */
  readonly details: Readonly<Record<string, number>>
}

/**
 * The middle value; the mean of the two in the middle where their number is even.
 *
 * @since 0.1.0
 * @category accessors
 */
export const median = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

const medianOf = (values: ReadonlyArray<number | undefined>): number | undefined => {
  const known = values.filter((value) => value !== undefined)
  return known.length === 0 ? undefined : median(known)
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const summarize = (
  row: { readonly name: string; readonly summary: string },
  count: number,
  measurements: ReadonlyArray<Measurement>
): Summary => {
  const cpu = measurements.map((measurement) => measurement.cpuSecondsPer100k)
  return {
    name: row.name,
    summary: row.summary,
    connections: Math.max(...measurements.map((measurement) => measurement.connections)),
    count,
    details: Object.fromEntries(
      Object.keys(measurements[0]?.details ?? {}).map((name) =>
        [name, median(measurements.map(({ details }) => details[name] ?? Number.NaN))] as const
      )
    ),
    cpuMax: Math.max(...cpu),
    cpuMin: Math.min(...cpu),
    cpuSecondsPer100k: median(cpu),
    perSecond: median(measurements.map((measurement) => measurement.perSecond)),
    requestBytes: medianOf(measurements.map((measurement) => measurement.requestBytes)),
    rounds: measurements.length,
    rssMb: Math.max(...measurements.map((measurement) => measurement.rssMb)),
    sinkCpuSecondsPer100k: medianOf(measurements.map((measurement) => measurement.sinkCpuSecondsPer100k))
  }
}
