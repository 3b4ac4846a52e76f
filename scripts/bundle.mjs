/**
 * Makes `build/bundle/` of each library package from its `dist/`: all modules of the package in one file, and for each public
 * module a file that hands out its part. Importing a package then reads 2 files where it read 30, and resolves each
 * module of `effect` once where every file resolved it again: that was two thirds of what importing cost. There is still
 * one instance of everything, whichever way it is imported, and source maps lead to the TypeScript sources.
 *
 * Run it after `tsc -b`: `node scripts/bundle.mjs`.
 */
import { readdir, readFile, rm } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { rollup } from "rollup"
import ts from "typescript"

const packages = ["http2", "models", "core", "pool", "effect-apns"]

/**
 * The name of the one file that imports `effect`. With Effect 4 installed, its imports cannot be resolved: an error that
 * comes before any code of ours runs, and of whose words this name is the only one that is ours. It says what to do.
 */
const needsEffect3 = "needs-effect-3--run--npm-install-effect@3"

/** The public modules: those in `dist`, and those in `dist/unstable`. */
const modulesOf = async (dist) =>
  (await readdir(dist, { recursive: true })).filter((file) => /^(unstable\/)?[^/]+\.js$/.test(file))

/** A file that only hands out the module of the rest of its name: then that module is never an entry by itself. */
const front = "front of "

/** The output of the compiler with its source map, and without its comments: those are read in `src` and `*.d.ts`. */
const compiled = {
  name: "compiled",
  resolveId: (id) => id.startsWith(front) ? id : undefined,
  async load(id) {
    if (id.startsWith(front)) return `export * from ${JSON.stringify(id.slice(front.length))}`
    const [code, map] = await Promise.all([readFile(id, "utf8"), readFile(`${id}.map`, "utf8")])
    return { code, map: JSON.parse(map) }
  },
  transform(code, id) {
    if (id.startsWith(front)) return undefined
    const { outputText, sourceMapText } = ts.transpileModule(code, {
      compilerOptions: {
        module: ts.ModuleKind.ESNext,
        removeComments: true,
        sourceMap: true,
        target: ts.ScriptTarget.ESNext
      },
      fileName: id
    })
    return { code: outputText.replace(/\n\/\/# sourceMappingURL=.*\s*$/, "\n"), map: JSON.parse(sourceMapText) }
  }
}

const bundle = async (name) => {
  const root = fileURLToPath(new URL(`../packages/${name}/`, import.meta.url))
  const files = await modulesOf(`${root}dist`)
  const build = await rollup({
    external: (id) => !/^[./]/.test(id) && !id.startsWith(front),
    input: Object.fromEntries(files.map((file) => [file.slice(0, -3), `${front}${root}dist/${file}`])),
    onLog: (level, log, handle) => {
      // modules that import each other are meant to, and some have types alone
      if (log.code !== "CIRCULAR_DEPENDENCY" && log.code !== "EMPTY_BUNDLE") {
        handle(level === "warn" ? "error" : level, log)
      }
    },
    plugins: [compiled],
    preserveEntrySignatures: "strict",
    treeshake: { moduleSideEffects: "no-external" }
  })
  await rm(`${root}build/bundle`, { force: true, recursive: true })
  const { output } = await build.write({
    chunkFileNames: "internal/[name].js",
    dir: `${root}build/bundle`,
    format: "es",
    hoistTransitiveImports: false,
    // what is loaded on demand stays on its own, and so does what hands out other packages
    manualChunks: (id, { getModuleInfo }) =>
      getModuleInfo(id)?.importers.length === 0 || id === `${root}dist/index.js`
        ? undefined
        : name === "http2"
        ? "modules"
        : needsEffect3,
    sourcemap: true
  })
  await build.close()
  for (const chunk of output) {
    if (chunk.type !== "chunk" || !chunk.isEntry) continue
    const { default: _, ...before } = await import(`${root}dist/${chunk.fileName}`)
    const after = await import(`${root}build/bundle/${chunk.fileName}`)
    const missing = Object.keys(before).filter((key) => !(key in after))
    if (missing.length > 0) throw new Error(`${name}/${chunk.fileName} lost ${missing.join(", ")}`)
  }
  return `${name}: ${files.length} modules, ${
    Math.round(output.reduce((sum, chunk) => sum + ("code" in chunk ? chunk.code.length : 0), 0) / 1024)
  } kB`
}

for (const name of packages) console.log(await bundle(name))
