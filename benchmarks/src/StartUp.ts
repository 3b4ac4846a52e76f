/**
 * What it costs to have the library at all: time to import it, bytes in a bundle, packages to install.
 *
 * @since 0.1.0
 */
import { Effect } from "effect"
import { build } from "esbuild"
import { execFile } from "node:child_process"
import { readFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"
import { keyId, teamId } from "./Bearer.js"
import { BenchmarkError } from "./BenchmarkError.js"
import type { Bench } from "./Measure.js"
import type { ImportTime } from "./probes/importTime.js"
import * as Processes from "./Processes.js"
import { median } from "./Summary.js"
import * as Workload from "./Workload.js"

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
  /** Milliseconds from the start of the process to its end, and for `send` a pushed notification. */
  readonly helpMs: number
  readonly sendMs: number
  /** Packages that come with `@effect-apns/pool`, peers not counted. */
  readonly dependencies: ReadonlyArray<string>
}

const importTime = Effect.scoped(
  Effect.flatMap(
    Processes.start<object, ImportTime>({ name: "start-up", path: "./probes/importTime.js" }),
    (child) => child.listen
  )
)

const bin = fileURLToPath(new URL("../../packages/cli/build/command/bin.js", import.meta.url))

const message = ["--title", "Lunch", "--body", "At noon?", "--priority", "10"]

/** Runs the command to its end, and says how many milliseconds it took. */
const command = (bench: Bench, args: ReadonlyArray<string>): Effect.Effect<number, BenchmarkError> =>
  Effect.async((resume) => {
    const started = process.hrtime.bigint()
    const env = {
      ...process.env,
      APNS_CA: bench.ca,
      APNS_ENDPOINT: `https://localhost:${bench.sink.port}`,
      APNS_KEY: bench.signingKey,
      APNS_KEY_ID: keyId,
      APNS_TEAM_ID: teamId,
      APNS_TOPIC: Workload.topic
    }
    const child = execFile(process.execPath, [bin, ...args], { env }, (error, _stdout, stderr) => {
      const took = Number(process.hrtime.bigint() - started) / 1e6
      resume(
        error === null
          ? Effect.succeed(took)
          : Effect.fail(new BenchmarkError({ reason: `${error.message}\n${stderr}`, where: `apns ${args[0]}` }))
      )
    })
    return Effect.sync(() => child.kill())
  })

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
export const startUp = (bench: Bench, rounds: number): Effect.Effect<StartUp, BenchmarkError> =>
  Effect.gen(function*() {
    yield* bench.sink.reset()
    const help = yield* Effect.all(Array.from({ length: rounds }, () => command(bench, ["--help"])))
    const sent = yield* Effect.all(
      Array.from({ length: rounds }, (_, index) => command(bench, ["send", Workload.token(index), ...message]))
    )
    const { requests } = yield* bench.sink.inspect({ count: rounds, distinct: rounds, first: 0, floor: false })
    if (requests !== rounds) {
      return yield* new BenchmarkError({ reason: `${requests} of ${rounds} pushes arrived`, where: "apns send" })
    }
    const times = yield* Effect.all(Array.from({ length: rounds }, () => importTime))
    const bytes = yield* bundle
    return {
      bundleGzipKb: gzipSync(bytes).length / 1024,
      bundleKb: bytes.length / 1024,
      dependencies: yield* dependencies,
      helpMs: median(help),
      sendMs: median(sent),
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
  ["apns --help, the whole process", `${startUp.helpMs.toFixed(0)} ms`],
  ["apns send, the whole process, to a server on this machine", `${startUp.sendMs.toFixed(0)} ms`],
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
