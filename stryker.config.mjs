// Mutation testing: changes the sources one small piece at a time and looks whether a test fails.
//
//   npm run mutation                                  all files that hold the promise: hours
//   MUTATE=packages/http2/src/Hpack.ts npm run mutation     one file: minutes, or seconds when nothing has changed
//
// Results are kept in reports/mutation/, so that a later run only tries what has changed.

/** The files that hold the promise of exactly one true outcome, and the tests that are to notice when they break. */
const areas = {
  http2: [
    "packages/http2/src/Session.ts",
    "packages/http2/src/Hpack.ts",
    "packages/http2/src/internal/!(huffmanTable|staticTable).ts"
  ],
  core: [
    "packages/core/src/internal/{post,wire,keepAlive,providerToken}.ts",
    "packages/core/src/unstable/Deadlines.ts"
  ],
  pool: ["packages/pool/src/internal/{roster,waiting,verdict,engine}.ts"],
  cli: ["packages/cli/src/internal/journal.ts"]
}

const wanted = process.env.MUTATE?.split(",") ?? Object.values(areas).flat()
const folders = Object.keys(areas).filter((name) => wanted.some((file) => file.startsWith(`packages/${name}/`)))

export default {
  packageManager: "npm",
  testRunner: "vitest",
  plugins: ["@stryker-mutator/vitest-runner"],
  vitest: { configFile: "vitest.mutation.config.ts" },
  mutate: wanted,
  coverageAnalysis: "perTest",
  incremental: true,
  incrementalFile: `reports/mutation/incremental-${folders.join("-")}.json`,
  reporters: ["clear-text", "json", "html", "progress-append-only"],
  jsonReporter: { fileName: "reports/mutation/mutation.json" },
  htmlReporter: { fileName: "reports/mutation/mutation.html" },
  clearTextReporter: { allowColor: false, reportTests: false, logTests: false },
  thresholds: { high: 90, low: 85, break: process.env.MUTATE === undefined ? 85 : null },
  ignorePatterns: ["dist", "build", "reports", "docs", ".git", "website/pages", "website/.vitepress"],
  // a mutant that loops for ever counts as noticed
  timeoutMS: 20_000,
  concurrency: 2,
  tempDirName: "build/stryker",
  allowEmpty: false,
  disableTypeChecks: false
}
