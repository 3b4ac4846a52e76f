// Writes the API reference to docs/api, from the docstrings: a page for each public module.
//
//   node scripts/api-reference.mjs [FOLDER]
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Application, Comment } from "typedoc"

const root = fileURLToPath(new URL("..", import.meta.url))
const out = process.argv[2] ?? join(root, "docs", "api")

/** The packages, and how a program imports their modules. */
const order = {
  "effect-apns": "`import { createClient } from \"effect-apns/client\"`: the client for programs without Effect.",
  pool: "`import { ApnsPool, send } from \"effect-apns\"`, or from `@effect-apns/pool`.",
  models: "`import { Notification } from \"effect-apns\"`, or from `@effect-apns/models`.",
  core: "`import { Credentials } from \"effect-apns\"`, or from `@effect-apns/core`.",
  testing: "`import { MockApns } from \"@effect-apns/testing\"`.",
  outbox: "`import { Outbox } from \"@effect-apns/outbox\"`.",
  inbox: "`import { Inbox } from \"@effect-apns/inbox\"`.",
  cli: "The command: `npx apns --help`.",
  http2: "`import { Session } from \"@effect-apns/http2\"`."
}

const entryPoints = Object.keys(order).flatMap((name) => {
  const src = join(root, "packages", name, "src")
  return readdirSync(src, { recursive: true })
    .filter((file) => /^(unstable\/)?[^/]+\.ts$/.test(file) && file !== "index.ts" && file !== "bin.ts")
    .map((file) => join(src, file))
})

const sourceOf = (name) => readFileSync(join(root, "packages", `${name.replace("/", "/src/")}.ts`), "utf8")

/** The first sentence that a module says of itself. */
const sentenceOf = (name) => (/^[^]*?\.(?=\s|$)/.exec(headOf(name).trim())?.[0] ?? "").replaceAll("\n", " ")

/** A module that exports other modules has a folder. */
const pageOf = (module) => existsSync(join(out, `${module}.md`)) ? `./${module}.md` : `./${module}/README.md`

/** The front page: each package, what it is for, how to import it, and its modules. */
const indexOf = (names) =>
  [
    "# API reference",
    "",
    "Every public module, made from the docstrings. A program needs the package `effect-apns` alone to send: it has all that",
    "is in `pool`, `models` and `core`.",
    ...Object.entries(order).flatMap(([name, how]) => {
      const { description, name: npm } = JSON.parse(readFileSync(join(root, "packages", name, "package.json"), "utf8"))
      const modules = names.filter((module) => module.startsWith(`${name}/`))
      return [
        "",
        `## ${npm}`,
        "",
        `${description}.`.replace(/\.\.$/, "."),
        "",
        how,
        "",
        "| module | |",
        "| --- | --- |",
        ...modules.map((module) =>
          `| [${module.slice(name.length + 1)}](${pageOf(module)}) | ${sentenceOf(module).replaceAll("|", "\\|")} |`
        )
      ]
    }),
    ""
  ].join("\n")

/** What a module says of itself: its first docstring, which stands before the imports, where typedoc does not look. */
const headOf = (name) => {
  const text = /^\/\*\*\n([^]*?)\n \*\//.exec(sourceOf(name))?.[1] ?? ""
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
  out,
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
  writeFileSync(join(out, "README.md"), indexOf((project.children ?? []).map((module) => module.name)))
  if (app.logger.hasErrors()) process.exitCode = 1
}
