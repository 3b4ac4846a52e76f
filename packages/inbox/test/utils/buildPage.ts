import { execFileSync } from "node:child_process"
import { createRequire } from "node:module"
import { fileURLToPath } from "node:url"

/** The page is served as the compiler makes it: whatever is tested here is tested as it would be shipped. */
export const setup = (): void => {
  const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc")
  execFileSync(process.execPath, [tsc, "-b", fileURLToPath(new URL("../../tsconfig.page.json", import.meta.url))], {
    stdio: "inherit"
  })
}
