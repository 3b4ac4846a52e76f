/**
 * Makes `packages/cli/build/command/`: the command and everything that it needs in a few files, so that it starts in a
 * quarter of the time that resolving and reading hundreds of modules took. What only one subcommand needs, and what is
 * rare, is in files of its own, which are loaded when they are used. The licenses of what is bundled are put beside it.
 *
 * Run it after `tsc -b` and `scripts/bundle.mjs`: `node scripts/bundle-command.mjs`.
 */
import { build } from "esbuild"
import { chmod, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../", import.meta.url))
const cli = `${root}packages/cli/`
const out = `${cli}build/command/`

/** Packages with binaries for one platform: they are dependencies of the package, and installed with it. */
const native = ["libsql", "@libsql/*"]

await rm(out, { force: true, recursive: true })
const { metafile } = await build({
  absWorkingDir: root,
  // packages in CommonJS call require for what Node brings
  banner: {
    js:
      "import { createRequire as createRequireOfCommand } from \"node:module\"; const require = createRequireOfCommand(import.meta.url);"
  },
  bundle: true,
  chunkNames: "[name]-[hash]",
  entryPoints: [`${cli}dist/bin.js`],
  external: native,
  format: "esm",
  legalComments: "none",
  logLevel: "warning",
  metafile: true,
  minifySyntax: true,
  minifyWhitespace: true,
  outdir: out,
  platform: "node",
  splitting: true,
  target: "node20"
})
await chmod(`${out}bin.js`, 0o755)

const inside = new Map()
for (const file of Object.keys(metafile.inputs)) {
  const [, before, name] = /^(.*node_modules\/)((?:@[^/]+\/)?[^/]+)\//.exec(file) ?? []
  if (name !== undefined) inside.set(`${before}${name}`, name)
}
const notices = []
for (const place of [...inside.keys()].sort()) {
  const { license, name, version } = JSON.parse(await readFile(`${root}${place}/package.json`, "utf8"))
  const texts = (await readdir(`${root}${place}`)).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file))
  const text = (await Promise.all(texts.map((file) => readFile(`${root}${place}/${file}`, "utf8")))).join("\n")
  notices.push(`${name} ${version} (${license})\n\n${text.trim()}\n`)
}
await writeFile(
  `${out}THIRD-PARTY-LICENSES.txt`,
  `The apns command holds code of these packages.\n\n${notices.join(`\n${"-".repeat(80)}\n\n`)}`
)

const files = Object.values(metafile.outputs)
console.log(
  `command: ${files.length} files, ${
    Math.round(files.reduce((sum, { bytes }) => sum + bytes, 0) / 1024)
  } kB, ${inside.size} packages`
)
