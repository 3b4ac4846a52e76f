// Packs every package, checks the tarballs as publint and attw see them, then installs them in an empty project outside
// the repository, compiles a program against them under strict settings, and runs it.
import { execFileSync, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const work = mkdtempSync(join(tmpdir(), "effect-apns-pack-"))
const run = (command, args, cwd, options = {}) =>
  execFileSync(command, args, { cwd, stdio: ["ignore", "inherit", "inherit"], ...options })

/** Sends to the mock, both of them the installed command. */
const useCommand = async (cwd) => {
  const command = join(cwd, "node_modules", ".bin", "apns")
  const mock = spawn(command, ["mock", "--json"], { cwd, stdio: ["ignore", "pipe", "inherit"] })
  try {
    const [line] = await once(createInterface({ input: mock.stdout }), "line")
    const { variables } = JSON.parse(line)
    run(command, ["send", "0123456789abcdef", "--title", "Lunch"], cwd, { env: { ...process.env, ...variables } })
  } finally {
    mock.kill()
  }
}

const versions = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).devDependencies

const nameOf = (folder) => JSON.parse(readFileSync(join(root, "packages", folder, "package.json"), "utf8")).name

/** The programs of scripts/packages, as people build and run them. */
const useAsPeopleDo = (project) => {
  for (const name of readdirSync(join(root, "scripts/packages"))) {
    writeFileSync(join(project, name), readFileSync(join(root, "scripts/packages", name)))
  }
  const settings = ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--skipLibCheck", "--types", "node"]
  for (const [module, resolution] of [["nodenext", "nodenext"], ["node16", "node16"], ["esnext", "bundler"]]) {
    const mode = ["--target", "es2022", "--module", module, "--moduleResolution", resolution]
    run("npx", ["tsc", ...settings, ...mode, "types.ts"], project)
  }
  run("node", ["client.mjs"], project)
  // require of an ES module, which Node 20.19 and 22.12 have
  if (process.features.require_module) run("node", ["client.cjs"], project)
  for (const [from, format, to] of [["client.mjs", "esm", "esm.mjs"], ["client.cjs", "cjs", "cjs.cjs"]]) {
    run("npx", ["esbuild", from, "--bundle", "--platform=node", `--format=${format}`, `--outfile=${to}`], project)
    run("node", [to], project)
  }
  run(
    "npx",
    ["webpack", "./client.cjs", "--mode", "production", "--target", "node", "--output-filename", "main.cjs"],
    project
  )
  run("node", ["dist/main.cjs"], project)
  run("npx", ["vitest", "run", "--globals", "--pool=vmThreads", "runner.test.mjs"], project)
  run("npx", ["jest", "--rootDir", project, "--testMatch", "**/runner.test.mjs"], project, {
    env: { ...process.env, NODE_OPTIONS: "--experimental-vm-modules" }
  })
}

/** What a command that must fail writes. */
const failureOf = (command, args, cwd) => {
  const { status, stderr, stdout } = spawnSync(command, args, { cwd, encoding: "utf8" })
  if (status === 0) throw new Error(`${command} ${args.join(" ")} should fail, and says: ${stdout}`)
  return stdout + stderr
}

/** With Effect 4 in the place of Effect 3, installing says which version is needed, and so does every import. */
const refuseEffect4 = (project) => {
  const effect4 = join(work, "effect-4")
  mkdirSync(effect4)
  // of the modules that Effect 3 has, 4 has renamed or dropped many
  const modules = [
    "Effect",
    "Layer",
    "Context",
    "Stream",
    "Schema",
    "Duration",
    "DateTime",
    "Option",
    "Data",
    "Cause",
    "Exit"
  ]
  writeFileSync(
    join(effect4, "package.json"),
    JSON.stringify({
      name: "effect",
      version: "4.1.0",
      type: "module",
      exports: {
        "./package.json": "./package.json",
        ".": "./index.js",
        ...Object.fromEntries(modules.map((name) => [`./${name}`, "./index.js"]))
      }
    })
  )
  writeFileSync(join(effect4, "index.js"), "export {}\n")
  const expected = (output, words) => {
    if (!words.every((word) => output.includes(word))) throw new Error(`"${words.join(", ")}" is not in: ${output}`)
  }
  const installing = failureOf("npm", ["install", "--dry-run", "--save", `file:${effect4}`], project)
  expected(installing, ["ERESOLVE", "peer effect@\"^3."])
  rmSync(join(project, "node_modules", "effect"), { recursive: true })
  cpSync(effect4, join(project, "node_modules", "effect"), { recursive: true })
  const words = ["effect", "needs-effect-3", "npm-install-effect@3"]
  for (
    const name of ["effect-apns", "effect-apns/client", "@effect-apns/models", "@effect-apns/core", "@effect-apns/pool"]
  ) {
    expected(failureOf("node", ["--input-type=module", "--eval", `await import("${name}")`], project), words)
    if (process.features.require_module) expected(failureOf("node", ["--eval", `require("${name}")`], project), words)
  }
}

try {
  const packages = readdirSync(join(root, "packages"))
  const tarballs = join(work, "tarballs")
  mkdirSync(tarballs)
  const files = {}
  for (const name of packages) {
    const cwd = join(root, "packages", name)
    const [{ filename }] = JSON.parse(
      execFileSync("npm", ["pack", "--json", "--pack-destination", tarballs], { cwd, encoding: "utf8" })
    )
    files[name] = join(tarballs, filename)
    run("npx", ["publint", "--strict", files[name]], root)
    // ESM only, as every package says: CommonJS callers use import() or Node's require(esm)
    run("npx", ["attw", "--profile", "esm-only", files[name]], root)
  }

  const project = join(work, "project")
  mkdirSync(project)
  writeFileSync(
    join(project, "package.json"),
    JSON.stringify(
      {
        name: "scratch",
        private: true,
        type: "module",
        dependencies: {
          ...Object.fromEntries(packages.map((name) => [nameOf(name), `file:${files[name]}`])),
          "effect": versions.effect,
          "@effect/platform": versions["@effect/platform"],
          "@effect/platform-node": versions["@effect/platform-node"]
        },
        devDependencies: {
          "typescript": versions.typescript,
          "@types/node": versions["@types/node"],
          "esbuild": "0.28.2",
          "jest": "30.5.2",
          "vitest": versions.vitest,
          "webpack": "5.113.0",
          "webpack-cli": "6.0.1"
        },
        overrides: JSON.parse(readFileSync(join(root, "package.json"), "utf8")).overrides
      },
      undefined,
      2
    )
  )
  writeFileSync(
    join(project, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: {
        target: "ES2022",
        module: "NodeNext",
        strict: true,
        exactOptionalPropertyTypes: true,
        skipLibCheck: true,
        types: ["node"]
      },
      files: ["quickstart.ts"]
    })
  )
  writeFileSync(join(project, "quickstart.ts"), readFileSync(join(root, "examples/src/quickstart.ts")))
  run("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"], project)
  run("npx", ["tsc", "-p", "."], project)
  run("node", ["quickstart.js"], project)
  run("npx", ["apns", "--help"], project, { stdio: ["ignore", "ignore", "inherit"] })
  await useCommand(project)
  useAsPeopleDo(project)
  refuseEffect4(project)
  console.log(`${packages.length} packages packed, checked, installed and used`)
} finally {
  rmSync(work, { recursive: true, force: true })
}
