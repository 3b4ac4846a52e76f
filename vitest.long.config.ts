import { configDefaults, defineConfig } from "vitest/config"
import shared from "./vitest.shared.js"

/** `npm run test:long`: the storms, which take minutes and are part of the CI. `npm test` is everything else. */
export default defineConfig({
  test: {
    projects: [{
      ...shared,
      test: {
        ...shared.test,
        name: "long",
        include: ["packages/*/test/**/*.long.test.ts"],
        exclude: configDefaults.exclude,
        // a storm counts what is left open in its process
        isolate: true
      }
    }],
    maxWorkers: 2,
    minWorkers: 1
  }
})
