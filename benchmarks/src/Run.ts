/**
 * Runs a set of rows in interleaved rounds.
 *
 * @since 0.1.0
 */
import { Effect } from "effect"
import type { BenchmarkError } from "./BenchmarkError.js"
import { type Bench, measure, type Measurement, type Options } from "./Measure.js"
import type { Row } from "./Rows.js"
import { summarize, type Summary } from "./Summary.js"

/**
 * A row that can be measured.
 *
 * @since 0.1.0
 * @category models
 */
export interface Runnable extends Row {
  readonly module: { readonly path: string }
}

/**
 * @since 0.1.0
 * @category guards
 */
export const isRunnable = (row: Row): row is Runnable => "path" in row.module

/**
 * A row with what is particular to it in this set.
 *
 * @since 0.1.0
 * @category models
 */
export interface Case {
  readonly row: Runnable
  /** What it is called in this set. */
  readonly name: string
  readonly options: Options
}

/**
 * Says what is happening, apart from the figures.
 *
 * @since 0.1.0
 * @category accessors
 */
export const progress = (line: string): Effect.Effect<void> => Effect.sync(() => void process.stderr.write(`${line}\n`))

/**
 * @since 0.1.0
 * @category constructors
 */
export const interleave = (
  bench: Bench,
  title: string,
  rounds: number,
  cases: ReadonlyArray<Case>
): Effect.Effect<ReadonlyArray<Summary>, BenchmarkError> =>
  Effect.gen(function*() {
    const results = new Map<Case, Array<Measurement>>()
    for (let round = 1; round <= rounds; round++) {
      // every other round runs backwards, so that what drifts does not favor one row
      for (const one of round % 2 === 1 ? cases : [...cases].reverse()) {
        const measurement = yield* measure(bench, one.row, one.options)
        results.set(one, [...results.get(one) ?? [], measurement])
        yield* progress(
          `${title} ${round}/${rounds}  ${one.name.padEnd(30)}${
            measurement.cpuSecondsPer100k.toFixed(3).padStart(8)
          } CPU-s / 100,000`
        )
      }
    }
    return cases.map((one) =>
      summarize({ name: one.name, summary: one.row.summary }, one.options.count, results.get(one) ?? [])
    )
  })
