/**
 * Writes what a run found into the documentation: the chart, and the tables between the markers of `benchmarks.md`.
 *
 * @since 0.1.0
 */
import { Effect } from "effect"
import { readFile, writeFile } from "node:fs/promises"
import { BenchmarkError } from "./BenchmarkError.js"
import * as Chart from "./Chart.js"
import type { Conditions } from "./Conditions.js"
import * as Report from "./Report.js"
import type { Summary } from "./Summary.js"

const docs = new URL("../../docs/", import.meta.url)
const start = "<!-- measured: written by `npm run bench -- --chart` -->"
const end = "<!-- measured: end -->"

const markdownTable = ({ kind, table: [head = [], ...lines] }: Section): string => {
  const line = (cells: ReadonlyArray<string>) => `| ${cells.join(" | ")} |`
  return [
    line(head),
    line(head.map((_, column) => column === 0 || kind === "words" ? "---" : "---:")),
    ...lines.map(line)
  ].join("\n")
}

/**
 * @since 0.1.0
 * @category formatting
 */
export interface Section {
  readonly title: string
  readonly kind: "figures" | "words"
  readonly table: ReadonlyArray<ReadonlyArray<string>>
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const write = (
  rows: ReadonlyArray<Summary>,
  sections: ReadonlyArray<Section>,
  conditions: Conditions,
  command: string
): Effect.Effect<void, BenchmarkError> =>
  Effect.tryPromise({
    try: async () => {
      const page = new URL("benchmarks.md", docs)
      const text = await readFile(page, "utf8")
      const [before, after] = [text.indexOf(start), text.indexOf(end)]
      if (before < 0 || after < before) throw new Error(`${page.pathname} has lost its markers`)
      const measured = [
        start,
        `Measured by \`${command}\`:`,
        ...sections.flatMap((section) => [`### ${section.title}`, markdownTable(section)]),
        "### Conditions",
        Report.describe(conditions).split("\n").map((line) => `- ${line}`).join("\n"),
        ""
      ].join("\n\n")
      await writeFile(page, text.slice(0, before) + measured + text.slice(after))
      await writeFile(new URL("benchmark.svg", docs), Chart.draw(rows, conditions))
    },
    catch: (error) => new BenchmarkError({ reason: String(error), where: "--chart" })
  })
