/** The program of a process of the storm as one file: it starts in a fraction of a second, however often it is killed. */
import { Effect } from "effect"
import { build } from "esbuild"
import { mkdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../../../", import.meta.url))

const bundle = async (): Promise<string> => {
  // beside node_modules, where what is not bundled is found
  const folder = join(root, "build", "storm")
  mkdirSync(folder, { recursive: true })
  const outfile = join(folder, `${process.pid}.mjs`)
  process.once("exit", () => rmSync(outfile, { force: true }))
  await build({
    entryPoints: [fileURLToPath(new URL("./child.ts", import.meta.url))],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    sourcemap: "inline",
    conditions: ["@effect-apns/source"],
    external: ["@libsql/client", "pg", "pg-*"],
    logLevel: "error",
    banner: {
      js: `import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);`
    }
  })
  return outfile
}

let made: Promise<string> | undefined

/** Where the file is, until this process ends. */
export const make: Effect.Effect<string> = Effect.promise(() => made ??= bundle())
