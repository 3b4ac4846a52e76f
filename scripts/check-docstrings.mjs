// Every public module says what it is and since when, and shows how it is used; every export of one has a docstring with
// @since and @category. Public is what the package.json of a package exports.
//
//   node scripts/check-docstrings.mjs [FILE...]
import { readdirSync } from "node:fs"
import { join, relative, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import ts from "typescript"

const root = fileURLToPath(new URL("..", import.meta.url))

// programs and lists of modules: nothing is imported from them
const withoutExample = new Set(["index.ts", "bin.ts"])

const modules = () =>
  readdirSync(join(root, "packages")).flatMap((name) => {
    const src = join(root, "packages", name, "src")
    return readdirSync(src, { recursive: true }).filter((file) => /^(unstable\/)?[^/]+\.ts$/.test(file))
      .map((file) => join(src, file))
  })

const tagsOf = (text) => new Set([...text.matchAll(/\s@(since|category|internal)\b/g)].map(([, tag]) => tag))

/** The docstrings in front of a node, the nearest last. */
const docsOf = (node, source) =>
  (ts.getLeadingCommentRanges(source.text, node.getFullStart()) ?? [])
    .map(({ end, pos }) => source.text.slice(pos, end))
    .filter((text) => text.startsWith("/**"))

const isExported = (statement) =>
  ts.isExportDeclaration(statement) || ts.isExportAssignment(statement) ||
  (ts.canHaveModifiers(statement) &&
    (ts.getModifiers(statement) ?? []).some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword))

const namesOf = (statement) => {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.map(({ name }) => name.getText())
  }
  return [statement.name?.getText() ?? statement.exportClause?.name?.getText() ?? "export"]
}

const problemsOf = (file) => {
  const source = ts.createSourceFile(file, ts.sys.readFile(file) ?? "", ts.ScriptTarget.ES2022, true)
  const problems = []
  const report = (node, text) => {
    const { line } = source.getLineAndCharacterOfPosition(node.getStart())
    problems.push(`${relative(root, file)}:${line + 1} - ${text}`)
  }
  const name = file.slice(file.lastIndexOf("/") + 1)
  const [first] = source.statements
  const head = first === undefined ? undefined : docsOf(first, source)[0]
  if (head === undefined || !tagsOf(head).has("since")) {
    problems.push(`${relative(root, file)}:1 - the module has no docstring with @since`)
  }
  // a docstring that the first statement has to itself is not the module's
  if (name !== "index.ts" && first !== undefined && isExported(first) && docsOf(first, source).length < 2) {
    problems.push(`${relative(root, file)}:1 - the first docstring must be the module's own`)
  }
  if (!withoutExample.has(name) && !/^ \* @example\n \* ```ts$/m.test(source.text)) {
    problems.push(`${relative(root, file)}:1 - the module has no @example`)
  }
  const documented = new Set()
  for (const statement of source.statements) {
    if (!isExported(statement)) continue
    const docs = docsOf(statement, source)
    if (ts.isExportDeclaration(statement)) {
      // `export {}` makes a file a module and exports nothing
      if (
        statement.exportClause !== undefined && ts.isNamedExports(statement.exportClause) &&
        statement.exportClause.elements.length === 0
      ) continue
      // what is exported again has its docstring where it stands; an entry of its own needs a date
      const inner = statement.exportClause !== undefined && ts.isNamedExports(statement.exportClause)
        ? statement.exportClause.elements.flatMap((element) => docsOf(element, source))
        : docs
      if (!inner.some((text) => tagsOf(text).has("since"))) report(statement, "what is exported again has no @since")
      continue
    }
    const tags = tagsOf(docs.at(-1) ?? "")
    if (tags.has("internal")) continue
    for (const name of namesOf(statement)) {
      // overloads and their implementation share the first docstring
      if (documented.has(name) && ts.isFunctionDeclaration(statement)) continue
      documented.add(name)
      for (const tag of ["since", "category"]) if (!tags.has(tag)) report(statement, `${name} has no @${tag}`)
    }
  }
  return problems
}

const files = process.argv.length > 2 ? process.argv.slice(2).map((file) => resolve(file)) : modules()
const problems = files.flatMap(problemsOf)
for (const problem of problems) console.error(problem)
console.log(`${files.length} modules, ${problems.length} problems`)
if (problems.length > 0) process.exitCode = 1
