// Mutation testing: changes the sources one small piece at a time and looks whether a test fails. What it found is in
// docs/mutation.md.
//
// scripts/mutation.mjs runs it for one file after the other. Results are kept in reports/mutation/, so that a later run
// only tries what has changed.
import { nameOf, wanted } from "./scripts/mutation-areas.mjs"

const name = wanted.length === 1 ? nameOf(wanted[0]) : "all"

export default {
  packageManager: "npm",
  testRunner: "vitest",
  plugins: ["@stryker-mutator/vitest-runner"],
  vitest: { configFile: "vitest.mutation.config.ts", related: false },
  mutate: wanted,
  coverageAnalysis: "perTest",
  incremental: true,
  incrementalFile: `reports/mutation/incremental-${name}.json`,
  reporters: ["clear-text", "json", "html", "progress-append-only"],
  jsonReporter: { fileName: `reports/mutation/${name}.json` },
  htmlReporter: { fileName: `reports/mutation/${name}.html` },
  clearTextReporter: { allowColor: false, reportTests: false, logTests: false },
  thresholds: { high: 90, low: 85, break: null },
  // without the list of projects vitest runs this one alone
  ignorePatterns: [
    "vitest.workspace.ts",
    "vitest.config.ts",
    "dist",
    "build",
    "reports",
    "docs",
    ".git",
    "website/pages",
    "website/.vitepress"
  ],
  // A mutant that loops for ever counts as noticed: after this, and half as long again as its tests took unchanged
  timeoutMS: 5_000,
  concurrency: Number(process.env.MUTATION_WORKERS ?? 2),
  tempDirName: "build/stryker",
  allowEmpty: false,
  disableTypeChecks: false
}
