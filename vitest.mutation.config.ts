import { defineConfig, mergeConfig } from "vitest/config"
import { tests } from "./scripts/mutation-areas.mjs"
import shared from "./vitest.shared.js"

/** The tests of the files that are mutated, as one project: a mutation run cannot use several. */
export default mergeConfig(shared, defineConfig({ test: { include: [...tests] } }))
