// Checks how the sources import each other:
//
// 1. No circle of value imports: a module that imports another one, directly or by way of others, is not imported by it.
//    Types may refer to each other, since they are gone at run time.
// 2. A package imports only the packages below it (the table `below`), and only what its package.json declares.
// 3. Nobody imports `internal/` of another package.
//
//   node scripts/check-structure.mjs [FOLDER]     the folder that holds packages/, by default this repository
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { builtinModules } from "node:module"
import { dirname, join, relative, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import ts from "typescript"

const root = resolve(process.argv[2] ?? fileURLToPath(new URL("..", import.meta.url)))

/** The packages that each package may import: the arrows of docs/architecture.md. */
const below = {
  "http2": [],
  "models": [],
  "core": ["http2", "models"],
  "pool": ["core", "models"],
  "effect-apns": ["pool", "core", "models"],
  "outbox": ["pool", "core", "models"],
  "testing": ["pool", "core", "models", "http2"],
  "inbox": ["testing", "pool", "core", "models", "http2"],
  "cli": ["inbox", "outbox", "testing", "pool", "core", "models"]
}

const packageName = (folder) => (folder === "effect-apns" ? folder : `@effect-apns/${folder}`)
const folders = readdirSync(join(root, "packages")).filter((name) => existsSync(join(root, "packages", name, "src")))
const folderOf = new Map(folders.map((folder) => [packageName(folder), folder]))

const sourcesIn = (folder) => {
  const src = join(root, "packages", folder, "src")
  return readdirSync(src, { recursive: true })
    .filter((name) => /\.tsx?$/.test(name) && !name.endsWith(".d.ts"))
    .map((name) => join(src, name))
}

/** What a module imports: the specifier, whether anything of it is left at run time, and whether it loads at once. */
const importsOf = (file) => {
  const source = ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.ESNext, true)
  const found = []
  const add = (node, specifier, value, eager) =>
    found.push({
      specifier,
      value,
      eager,
      line: source.getLineAndCharacterOfPosition(node.getStart()).line + 1
    })
  const visit = (node) => {
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
      const clause = node.importClause
      const named = clause?.namedBindings
      const onlyTypes = clause !== undefined && (clause.isTypeOnly || (
        clause.name === undefined && named !== undefined && ts.isNamedImports(named) &&
        named.elements.length > 0 && named.elements.every((element) => element.isTypeOnly)
      ))
      add(node, node.moduleSpecifier.text, !onlyTypes, true)
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined) {
      add(node, node.moduleSpecifier.text, !node.isTypeOnly, true)
    } else if (
      ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword &&
      node.arguments[0] !== undefined && ts.isStringLiteral(node.arguments[0])
    ) add(node, node.arguments[0].text, true, false)
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

const fileOf = (from, specifier) => {
  const path = resolve(dirname(from), specifier)
  return [path.replace(/\.js$/, ".ts"), path.replace(/\.js$/, ".tsx"), `${path}.ts`].find((name) => existsSync(name))
}

const problems = []
const graph = new Map()
for (const folder of folders) {
  const manifest = JSON.parse(readFileSync(join(root, "packages", folder, "package.json"), "utf8"))
  const declared = new Set(
    Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies, ...manifest.optionalDependencies })
  )
  if (below[folder] === undefined) problems.push(`packages/${folder} has no row in the table of arrows`)
  for (const file of sourcesIn(folder)) {
    const values = []
    for (const { eager, line, specifier, value } of importsOf(file)) {
      const where = `${relative(root, file)}:${line}`
      if (specifier.startsWith(".")) {
        const target = fileOf(file, specifier)
        if (target !== undefined && value && eager) values.push(target)
        continue
      }
      if (specifier.startsWith("node:") || builtinModules.includes(specifier)) continue
      const name = specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/")
      const to = folderOf.get(name)
      if (name !== packageName(folder) && !declared.has(name)) {
        problems.push(`${where} imports ${name}, which packages/${folder}/package.json does not declare`)
      }
      if (to === undefined || to === folder) continue
      if (!(below[folder] ?? []).includes(to)) problems.push(`${where}: ${folder} must not import ${to}`)
      if (specifier.includes("/internal/")) problems.push(`${where} imports what is internal to ${to}`)
    }
    graph.set(file, values)
  }
}

// Circles: a depth-first search that says the whole way round
const done = new Set()
const path = []
const search = (file) => {
  if (done.has(file)) return
  const at = path.indexOf(file)
  if (at >= 0) {
    problems.push(
      `a circle of value imports: ${[...path.slice(at), file].map((name) => relative(root, name)).join(" -> ")}`
    )
    return
  }
  path.push(file)
  for (const target of graph.get(file) ?? []) search(target)
  path.pop()
  done.add(file)
}
for (const file of graph.keys()) search(file)

for (const problem of problems) console.error(problem)
console.log(`${graph.size} modules in ${folders.length} packages, ${problems.length} problems`)
if (problems.length > 0) process.exitCode = 1
