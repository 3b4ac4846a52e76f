import { fileURLToPath } from "node:url"
import { configDefaults, defineConfig } from "vitest/config"
import shared from "./vitest.shared.js"

/**
 * `npm run test:long`: storms, fuzzing, the model of the pool, faults of databases, real signals, real browsers. They take
 * minutes and are part of the CI; `npm test` is everything else.
 */
export default defineConfig({
  test: {
    projects: [{
      ...shared,
      test: {
        ...shared.test,
        name: "long",
        include: ["{packages/*,website}/test/**/*.long.test.ts"],
        exclude: configDefaults.exclude,
        globalSetup: [fileURLToPath(new URL("./packages/inbox/test/utils/buildPage.ts", import.meta.url))],
        // a storm counts what is left open in its process
        isolate: true
      }
    }],
    maxWorkers: 3,
    minWorkers: 1
  }
})
