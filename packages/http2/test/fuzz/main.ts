/**
 * Fuzzes the session for a while: `npm run fuzz -- --seconds 60 --seed 7`. New inputs that lead to something never met are
 * kept in `corpus` beside this file when `--keep` is given; failures are always written there.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { Random } from "../utils.js"
import { loadCorpus, nameOf } from "./corpus.js"
import { fuzz } from "./fuzz.js"

const { values } = parseArgs({
  options: {
    keep: { type: "boolean", default: false },
    seconds: { type: "string", default: "60" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) }
  }
})
const seconds = Number(values.seconds)
const seed = Number(values.seed)
if (!(seconds > 0) || !Number.isInteger(seed)) {
  console.error("usage: npm run fuzz -- [--seconds N] [--seed S] [--keep]")
  process.exit(2)
}

const directory = fileURLToPath(new URL("./corpus/", import.meta.url))
const corpus = loadCorpus()
const start = performance.now()
const heapStart = process.memoryUsage().heapUsed
let last = start

console.log(`fuzzing for ${seconds} s with seed ${seed}, starting from ${corpus.length} inputs`)
const report = fuzz(
  new Random(seed),
  corpus,
  ({ inputs, kept }) => {
    if (inputs % 256 !== 0) return true
    const now = performance.now()
    if (now - last > 5_000) {
      last = now
      console.log(
        `${Math.round((now - start) / 1000)} s: ${inputs} inputs, ${kept} kept, ${corpus.length} in the corpus`
      )
    }
    return now - start < seconds * 1000
  },
  (input, kind) => {
    if (values.keep && input.length <= 4_000) fs.writeFileSync(path.join(directory, nameOf(kind)), input)
  }
)
for (const { input, problems } of report.failures) {
  const file = path.join(directory, `failure-${nameOf(problems.join())}`)
  fs.writeFileSync(file, input)
  console.error(`${path.basename(file)}: ${problems.join("; ")}`)
}
console.log(JSON.stringify({
  inputs: report.inputs,
  kept: report.kept,
  failures: report.failures.length,
  seed,
  heapGrowthMb: Math.round((process.memoryUsage().heapUsed - heapStart) / 1e5) / 10
}))
process.exitCode = report.failures.length > 0 ? 1 : 0
