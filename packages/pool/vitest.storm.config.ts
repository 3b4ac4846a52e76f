import { defineProject, mergeConfig } from "vitest/config"
import shared from "../../vitest.shared.js"

export default mergeConfig(
  shared,
  defineProject({
    test: {
      name: "pool-storm",
      include: ["test/storm/**/*.test.ts"],
      // the storm counts what is left open in its process
      isolate: true
    }
  })
)
