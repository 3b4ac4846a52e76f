/**
 * Bundles the command from its sources, once for all tests: a process that has to compile each module first takes ten times
 * as long to start.
 */
import { build } from "esbuild"
import { fileURLToPath } from "node:url"

const fileOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** The bundle; `libsql` is found from there. */
const outdir = fileOf("../../build/test-command")

export default async (): Promise<void> => {
  await build({
    absWorkingDir: fileOf("../../../../"),
    banner: {
      js:
        "import { createRequire as createRequireOfCommand } from \"node:module\"; const require = createRequireOfCommand(import.meta.url);"
    },
    bundle: true,
    conditions: ["@effect-apns/source"],
    entryPoints: [fileOf("../../src/bin.ts")],
    external: ["libsql", "@libsql/*"],
    format: "esm",
    logLevel: "warning",
    outdir,
    platform: "node",
    splitting: true,
    target: "node20"
  })
  process.env["APNS_TEST_COMMAND"] = `${outdir}/bin.js`
}
