/**
 * What it costs to have the library at all: time to import it, bytes in a bundle, packages to install.
 *
 * @since 0.1.0
 */
import { Effect } from "effect"
import { build } from "esbuild"
import { readFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"
import { BenchmarkError } from "./BenchmarkError.js"
import type { ImportTime } from "./probes/importTime.js"
import * as Processes from "./Processes.js"
import { median } from "./Summary.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface StartUp {
  /** Milliseconds to import `effect` and `@effect/platform`, and what `@effect-apns/pool` adds to it. */
  readonly importEffectMs: number
  readonly importAddsMs: number
  /** `@effect-apns/pool` with everything it needs but `effect` and `@effect/platform`, minified. */
  readonly bundleKb: number
  readonly bundleGzipKb: number
  /** Packages that come with `@effect-apns/pool`, peers not counted. */
  readonly dependencies: ReadonlyArray<string>
}

const importTime = Effect.scoped(
  Effect.flatMap(
    Processes.start<object, ImportTime>({ name: "start-up", path: "./probes/importTime.js" }),
    (child) => child.listen
  )
)

const bundle = Effect.tryPromise({
  try: async () => {
    const { outputFiles } = await build({
      bundle: true,
      external: ["effect", "effect/*", "@effect/platform", "@effect/platform/*"],
      format: "esm",
      logLevel: "silent",
      minify: true,
      platform: "node",
      stdin: {
        contents: `export * from "@effect-apns/pool"`,
        resolveDir: fileURLToPath(new URL(".", import.meta.url))
      },
      write: false
    })
    return outputFiles[0]?.contents ?? new Uint8Array()
  },
  catch: (error) => new BenchmarkError({ reason: String(error), where: "bundle size" })
})

const modules = new URL("../../node_modules/", import.meta.url)

/** Walks `dependencies` from package to package. */
const dependencies = Effect.tryPromise({
  try: async () => {
    const found = new Set<string>()
    const visit = async (name: string): Promise<void> => {
      const manifest = JSON.parse(await readFile(new URL(`${name}/package.json`, modules), "utf8")) as {
        readonly dependencies?: Readonly<Record<string, string>>
      }
      for (const dependency of Object.keys(manifest.dependencies ?? {})) {
        if (found.has(dependency)) continue
        found.add(dependency)
        await visit(dependency)
      }
    }
    await visit("@effect-apns/pool")
    return [...found].sort()
  },
  catch: (error) => new BenchmarkError({ reason: String(error), where: "dependency count" })
})

/**
 * @since 0.1.0
 * @category constructors
 */
export const startUp = (rounds: number): Effect.Effect<StartUp, BenchmarkError> =>
  Effect.gen(function*() {
    const times = yield* Effect.all(Array.from({ length: rounds }, () => importTime))
    const bytes = yield* bundle
    return {
      bundleGzipKb: gzipSync(bytes).length / 1024,
      bundleKb: bytes.length / 1024,
      dependencies: yield* dependencies,
      importAddsMs: median(times.map((time) => time.pool)),
      importEffectMs: median(times.map((time) => time.effect))
    }
  })

/**
 * @since 0.1.0
 * @category formatting
 */
export const table = (startUp: StartUp): ReadonlyArray<ReadonlyArray<string>> => [
  ["what", "how much"],
  ["import effect and @effect/platform", `${startUp.importEffectMs.toFixed(0)} ms`],
  ["import @effect-apns/pool after them", `${startUp.importAddsMs.toFixed(0)} ms`],
  [
    "bundle of @effect-apns/pool without them, minified",
    `${startUp.bundleKb.toFixed(0)} kB, ${startUp.bundleGzipKb.toFixed(0)} kB gzipped`
  ],
  [
    "packages that come with it",
    `${startUp.dependencies.length}${startUp.dependencies.length === 0 ? "" : `: ${startUp.dependencies.join(", ")}`}`
  ]
]
