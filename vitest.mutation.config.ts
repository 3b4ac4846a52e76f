import { fileURLToPath } from "node:url"
import { Tinypool } from "tinypool"
import { defineConfig, mergeConfig } from "vitest/config"
import { tests, wanted } from "./scripts/mutation-areas.mjs"
import shared from "./vitest.shared.js"

const fromHere = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

// The changed files are in a copy of the repository whose `node_modules` leads back to the original: without this, tests
// that import a package by its name would run the unchanged files
const alias = [
  { find: /^@effect-apns\/([^/]+)$/, replacement: fromHere("./packages/$1/src/index.ts") },
  { find: /^@effect-apns\/([^/]+)\/([^.]+)$/, replacement: fromHere("./packages/$1/src/$2.ts") }
]

// The tests of http2 need no Effect, and loading it for each change is half of what a change costs
const plain = wanted.every((file) => file.startsWith("packages/http2/"))

// Vitest starts a thread for each change, and loading Effect there is most of what a change costs. So a thread is kept for
// some changes; scripts/mutation-setup.mjs takes care that our own modules are loaded anew for each.
const recycle = Tinypool.prototype.recycleWorkers
let runs = 0
Tinypool.prototype.recycleWorkers = function(options): Promise<void> {
  runs++
  return runs % 20 === 0 ? recycle.call(this, options) : Promise.resolve()
}

/** The tests of the files that are mutated, as one project: a mutation run cannot use several. */
export default mergeConfig(
  { ...shared, test: { ...shared.test, setupFiles: plain ? [] : [fromHere("./vitest.setup.ts")] } },
  defineConfig({
    resolve: { alias: plain ? [...alias, { find: "@effect/vitest", replacement: "vitest" }] : alias },
    test: {
      include: [...tests],
      setupFiles: [fromHere("./scripts/mutation-setup.mjs")],
      // where a change makes a test wait for ever, it has noticed the change
      testTimeout: 20_000
    }
  })
)
