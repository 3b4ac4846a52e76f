// Builds the website: the guides of docs/, and the API reference made from the docstrings, as one static site with a
// search that works offline.
//
//   npm run site                 writes website/.vitepress/dist
//   npm run site -- --serve      builds, then serves it on http://127.0.0.1:4173
//   npm run site -- --no-api     leaves out the reference, which takes most of the time
import { spawnSync } from "node:child_process"
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { build, serve } from "vitepress"

const website = fileURLToPath(new URL(".", import.meta.url))
const root = resolve(website, "..")
const docs = join(root, "docs")
const pages = join(website, "pages")
const repository = "https://github.com/effect-apns/effect-apns/blob/main"

/** A link of a guide to a file outside of docs/ leads to the repository: the site does not have that file. */
const rewriteLinks = (text, file) =>
  text.replace(/\]\((\.{1,2}\/[^)\s]+)\)/g, (whole, target) => {
    const [path, anchor] = target.split("#")
    const to = resolve(dirname(file), path)
    if (!relative(docs, to).startsWith("..")) return whole
    return `](${repository}/${relative(root, to)}${anchor === undefined ? "" : `#${anchor}`})`
  })

/** Vue reads `{{` and tags of its own in Markdown: in text from docstrings both are plain characters. */
const escapeVue = (text) => {
  let fenced = false
  return text.split("\n").map((line) => {
    if (/^\s*```/.test(line)) fenced = !fenced
    return fenced ? line : line.replaceAll("{{", "&#123;&#123;")
  }).join("\n")
}

const copyGuides = () => {
  for (const name of readdirSync(docs, { recursive: true })) {
    const from = join(docs, name)
    if (statSync(from).isDirectory() || name.startsWith("api")) continue
    const to = join(pages, name)
    mkdirSync(dirname(to), { recursive: true })
    if (name.endsWith(".md")) writeFileSync(to, rewriteLinks(escapeVue(readFileSync(from, "utf8")), from))
    else cpSync(from, to)
  }
}

const writeReference = () => {
  const { status } = spawnSync(process.execPath, [join(root, "scripts/api-reference.mjs"), join(pages, "reference")], {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"]
  })
  if (status !== 0) throw new Error("the API reference could not be made")
  const folder = join(pages, "reference")
  for (const name of readdirSync(folder, { recursive: true })) {
    const file = join(folder, name)
    if (!name.endsWith(".md")) continue
    const text = escapeVue(readFileSync(file, "utf8"))
    rmSync(file)
    writeFileSync(file.replace(/README\.md$/, "index.md"), text.replaceAll("README.md", "index.md"))
  }
}

rmSync(pages, { recursive: true, force: true })
mkdirSync(pages, { recursive: true })
copyGuides()
cpSync(join(website, "index.md"), join(pages, "index.md"))
// what is linked to or shown under its own name, and not by a page that the builder reads
const publish = (from, name) => cpSync(join(root, from), join(pages, "public", name), { recursive: true })
publish("docs/benchmark.svg", "benchmark.svg")
publish("docs/telemetry", "telemetry")
publish("packages/inbox/page/icon.svg", "icon.svg")
if (process.argv.includes("--no-api")) {
  mkdirSync(join(pages, "reference"), { recursive: true })
  writeFileSync(join(pages, "reference", "index.md"), "# API reference\n\nLeft out of this build.\n")
} else writeReference()

// a dead link fails the build
await build(website)
console.log("the site is in website/.vitepress/dist")
if (process.argv.includes("--serve")) await serve({ root: website, port: 4173 })
