// Runs the mutation tests of each file in turn, prints a row of docs/mutation.md for each, and fails where less than 85 %
// of the changes are noticed.
//
//   npm run mutation                                                  all files that hold the promise: hours
//   MUTATE=packages/pool/src/internal/verdict.ts npm run mutation     one file, or several with commas between them
//
// With MUTATION_MINUTES no file is begun after so many minutes: the next run goes on, since results are kept.
import { spawnSync } from "node:child_process"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { performance } from "node:perf_hooks"
import { nameOf, wanted } from "./mutation-areas.mjs"

const least = 85
const until = performance.now() + Number(process.env["MUTATION_MINUTES"] ?? Infinity) * 60_000

/**
 * Forgets which changes to the top of a module have survived. Stryker notes no tests for them, so it would keep these results
 * whatever tests are written.
 */
const forgetTop = (file) => {
  const kept = `reports/mutation/incremental-${nameOf(file)}.json`
  if (!existsSync(kept)) return
  const report = JSON.parse(readFileSync(kept, "utf8"))
  for (const each of Object.values(report.files)) {
    each.mutants = each.mutants.filter((mutant) => mutant.static !== true || mutant.status !== "Survived")
  }
  writeFileSync(kept, JSON.stringify(report))
}

const rows = []
const poor = []
const left = []
for (const file of wanted) {
  if (performance.now() > until) {
    left.push(file)
    continue
  }
  forgetTop(file)
  const { status } = spawnSync("npx", ["stryker", "run"], { stdio: "inherit", env: { ...process.env, MUTATE: file } })
  if (status !== 0) {
    poor.push(`${file}: the run failed`)
    continue
  }
  const { files } = JSON.parse(readFileSync(`reports/mutation/${nameOf(file)}.json`, "utf8"))
  const count = (...statuses) => files[file].mutants.filter(({ status }) => statuses.includes(status)).length
  const [killed, timeout, survived] = [count("Killed"), count("Timeout"), count("Survived", "NoCoverage")]
  const all = killed + timeout + survived
  const score = 100 * (killed + timeout) / all
  const date = new Date().toISOString().slice(0, 10)
  rows.push(`| \`${file}\` | ${all} | ${killed} | ${timeout} | ${survived} | ${score.toFixed(1)} % | ${date} |`)
  if (score < least) poor.push(`${file}: ${score.toFixed(1)} %`)
}

console.log(
  "\n| file | changes | noticed | endless | survived | score | date |\n| --- | --- | --- | --- | --- | --- | --- |"
)
console.log(rows.join("\n"))
if (left.length > 0) console.log(`\nNot run, since the time was over:\n${left.join("\n")}`)
if (poor.length > 0) {
  console.error(`\nLess than ${least} % of the changes are noticed:\n${poor.join("\n")}`)
  process.exitCode = 1
}
