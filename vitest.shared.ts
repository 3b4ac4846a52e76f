import { fileURLToPath } from "node:url"
import { configDefaults, defineConfig } from "vitest/config"

const conditions = ["@effect-apns/source"]

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    // `npm run test:long` runs those
    exclude: [...configDefaults.exclude, "**/*.long.test.ts"],
    setupFiles: [fileURLToPath(new URL("./vitest.setup.ts", import.meta.url))],
    // tests of one file share a mock server, so they run in order; files run side by side
    fakeTimers: { toFake: [] },
    // files of one package share what they import: a third of the time is loading effect otherwise
    isolate: false,
    testTimeout: 90_000,
    hookTimeout: 30_000
  }
})
