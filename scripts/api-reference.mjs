// Writes the API reference to docs/api, from the docstrings: a page for each public module.
//
//   node scripts/api-reference.mjs [FOLDER]
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Application, Comment } from "typedoc"

const root = fileURLToPath(new URL("..", import.meta.url))
const order = ["pool", "models", "core", "testing", "cli", "http2"]

const entryPoints = order.flatMap((name) => {
  const src = join(root, "packages", name, "src")
  return readdirSync(src, { recursive: true })
    .filter((file) => /^(unstable\/)?[^/]+\.ts$/.test(file) && file !== "index.ts" && file !== "bin.ts")
    .map((file) => join(src, file))
})

/** What a module says of itself: its first docstring, which stands before the imports, where typedoc does not look. */
const headOf = (name) => {
  const source = readFileSync(join(root, "packages", `${name.replace("/", "/src/")}.ts`), "utf8")
  const text = /^\/\*\*\n([^]*?)\n \*\//.exec(source)?.[1] ?? ""
  return text.replace(/^ \* ?/gm, "")
    .replace(/^@since .*$/m, "")
    .replace(/^@example$/m, "**Example**\n")
    .replace(/\{@link ([^}]+)\}/g, "`$1`")
}

const app = await Application.bootstrapWithPlugins({
  name: "effect-apns",
  entryPoints,
  basePath: join(root, "packages"),
  displayBasePath: join(root, "packages"),
  tsconfig: join(root, "scripts", "tsconfig.api.json"),
  plugin: ["typedoc-plugin-markdown"],
  out: process.argv[2] ?? join(root, "docs", "api"),
  readme: "none",
  excludeInternal: true,
  excludePrivate: true,
  excludeExternals: true,
  sort: ["source-order"],
  categorizeByGroup: false,
  blockTags: ["@since", "@category", "@example", "@param", "@returns"],
  disableSources: true,
  treatWarningsAsErrors: false,
  // the markdown plugin
  outputFileStrategy: "modules",
  entryFileName: "README.md",
  hideBreadcrumbs: true,
  hidePageHeader: true,
  parametersFormat: "table",
  interfacePropertiesFormat: "table",
  classPropertiesFormat: "table",
  typeDeclarationFormat: "table"
})
const project = await app.convert()
if (project === undefined) process.exitCode = 1
else {
  for (const module of project.children ?? []) {
    module.name = module.name.replace("/src/", "/")
    module.comment = new Comment([{ kind: "text", text: headOf(module.name) }])
  }
  await app.generateOutputs(project)
  if (app.logger.hasErrors()) process.exitCode = 1
}
