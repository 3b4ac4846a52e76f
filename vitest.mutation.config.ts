import { defineConfig, mergeConfig } from "vitest/config"
import shared from "./vitest.shared.js"

/** The tests of the areas that are mutated, as one project: a mutation run cannot use several. */
const areas = ["http2", "core", "pool", "cli"]
const wanted = process.env["MUTATE"]?.split(",")
const folders = areas.filter((name) =>
  wanted === undefined || wanted.some((file) => file.includes(`packages/${name}/`))
)

export default mergeConfig(
  shared,
  defineConfig({
    test: {
      include: folders.map((name) => `packages/${name}/test/**/*.test.ts`),
      exclude: [
        "**/Snippets.test.ts",
        "**/StartUp.test.ts",
        "**/storm/**",
        "**/fuzz/**",
        "**/interop/**",
        "**/Interop.test.ts"
      ]
    }
  })
)
