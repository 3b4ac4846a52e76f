// Compiles every ```ts block of the README files and of docs/, and every @example of the sources, as strictly as the
// sources themselves, and checks that relative links lead somewhere. Each block is a module of its own, kept in memory
// at the line where it stands, so that an error names the file and line to open.
//
//   node scripts/compile-snippets.mjs [FILE...]
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import ts from "typescript"
import { codeBlocks } from "./code-blocks.mjs"

const root = fileURLToPath(new URL("..", import.meta.url))

const filesIn = (folder, extension) => {
  const path = join(root, folder)
  return existsSync(path)
    ? readdirSync(path, { recursive: true }).map((name) => join(path, name))
      .filter((file) => file.endsWith(extension) && !file.includes(join("docs", "api")))
    : []
}

const everything = () => {
  const packages = readdirSync(join(root, "packages"))
  return [
    join(root, "README.md"),
    join(root, "CONTRIBUTING.md"),
    ...packages.map((name) => join(root, "packages", name, "README.md")),
    ...filesIn("docs", ".md"),
    ...packages.flatMap((name) => filesIn(join("packages", name, "src"), ".ts"))
  ].filter((file) => existsSync(file)).sort()
}

/** The TypeScript of a file, each block as text that has its lines where the file has them. */
const blocksOf = (file) =>
  codeBlocks(file).filter(({ language, problem }) => language === "ts" || problem !== undefined)
    .map((block) => ({ ...block, text: "\n".repeat(block.line) + block.text }))

/** Relative links and images of a page that lead nowhere. */
const brokenLinksOf = (file) => {
  const problems = []
  let fenced = false
  readFileSync(file, "utf8").split("\n").forEach((text, index) => {
    if (/^\s*```/.test(text)) fenced = !fenced
    if (fenced) return
    for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/i.test(target)) continue
      const [path, anchor] = target.split("#")
      const page = path === "" ? file : resolve(dirname(file), path)
      if (!existsSync(page)) problems.push(`${relative(root, file)}:${index + 1} - the link ${target} leads nowhere`)
      else if (anchor !== undefined && page.endsWith(".md") && !anchorsOf(page).has(anchor)) {
        problems.push(`${relative(root, file)}:${index + 1} - ${relative(root, page)} has no heading #${anchor}`)
      }
    }
  })
  return problems
}

const anchors = new Map()
const anchorsOf = (page) => {
  const known = anchors.get(page)
  if (known !== undefined) return known
  const found = new Set(
    [...readFileSync(page, "utf8").matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
      heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-")
    )
  )
  anchors.set(page, found)
  return found
}

const compile = (blocks) => {
  const { config } = ts.readConfigFile(join(root, "tsconfig.base.json"), ts.sys.readFile)
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root)
  const compilerOptions = {
    ...options,
    composite: false,
    incremental: false,
    declaration: false,
    declarationMap: false,
    sourceMap: false,
    noEmit: true,
    // a block shows one thing: what it defines may be used in the reader's own program
    noUnusedLocals: false
  }
  const modules = new Map()
  for (const block of blocks) {
    modules.set(
      join(root, "build", "snippets", `${relative(root, block.file).replace(/[^a-z0-9]+/gi, "-")}-${block.line}.ts`),
      block
    )
  }
  const host = ts.createCompilerHost(compilerOptions)
  const { fileExists, getSourceFile, readFile } = host
  host.fileExists = (name) => modules.has(name) || fileExists(name)
  host.readFile = (name) => modules.get(name)?.text ?? readFile(name)
  host.getSourceFile = (name, languageVersion, ...rest) => {
    const block = modules.get(name)
    return block === undefined
      ? getSourceFile(name, languageVersion, ...rest)
      : ts.createSourceFile(name, block.text, languageVersion, true)
  }
  const program = ts.createProgram([...modules.keys()], compilerOptions, host)
  const global = program.getOptionsDiagnostics().concat(program.getGlobalDiagnostics())
  return [
    ...global.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n")),
    ...[...modules].flatMap(([name, { file }]) => {
      const source = program.getSourceFile(name)
      return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(
        ({ code, messageText, start }) =>
          `${relative(root, file)}:${source.getLineAndCharacterOfPosition(start).line + 1} - TS${code}: ${
            ts.flattenDiagnosticMessageText(messageText, "\n")
          }`
      )
    })
  ]
}

const files = process.argv.length > 2 ? process.argv.slice(2).map((file) => resolve(file)) : everything()
const blocks = files.flatMap(blocksOf)
const problems = [
  ...blocks.filter(({ problem }) => problem !== undefined)
    .map(({ file, line, problem }) => `${relative(root, file)}:${line} - ${problem}`),
  ...files.filter((file) => file.endsWith(".md")).flatMap(brokenLinksOf),
  ...compile(blocks.filter(({ problem }) => problem === undefined))
]
for (const problem of problems) console.error(problem)
console.log(`${blocks.length} code blocks in ${files.length} files, ${problems.length} problems`)
if (problems.length > 0) process.exitCode = 1
