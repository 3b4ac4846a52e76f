import { fileURLToPath } from "node:url"
import { defineConfig, mergeConfig } from "vitest/config"
import { tests } from "./scripts/mutation-areas.mjs"
import shared from "./vitest.shared.js"

const packages = fileURLToPath(new URL("./packages/", import.meta.url))

/** The tests of the files that are mutated, as one project: a mutation run cannot use several. */
export default mergeConfig(
  shared,
  defineConfig({
    // The changed files are in a copy of the repository whose `node_modules` leads back to the original: without
    // this, tests that import a package by its name would run the unchanged files
    resolve: {
      alias: [
        { find: /^@effect-apns\/([^/]+)$/, replacement: `${packages}$1/src/index.ts` },
        { find: /^@effect-apns\/([^/]+)\/([^.]+)$/, replacement: `${packages}$1/src/$2.ts` }
      ]
    },
    test: {
      include: [...tests],
      setupFiles: [fileURLToPath(new URL("./scripts/mutation-setup.mjs", import.meta.url))],
      // where a change makes a test wait for ever, it has noticed the change
      testTimeout: 5_000
    }
  })
)
