// Runs the tests with the lowest versions of the peers that the packages allow, in a copy of the repository.
//
//   node scripts/lowest-versions.mjs [--keep] [VITEST ARGUMENT...]
//
// The outbox, the inbox and the command need newer ones (they say which in their package.json), and are left out.
import { execFileSync } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const packages = ["http2", "models", "core", "pool", "testing", "effect-apns"]
const keep = process.argv.includes("--keep")
const rest = process.argv.slice(2).filter((argument) => argument !== "--keep")

/** The lowest versions that go together; the first two are what the packages declare. */
const lowest = {
  "effect": "3.17.14",
  "@effect/platform": "0.90.1",
  "@effect/platform-node": "0.95.0",
  "@effect/vitest": "0.25.1",
  "@effect/cluster": "0.47.0",
  "@effect/rpc": "0.68.3",
  "@effect/sql": "0.44.1",
  "@effect/experimental": "0.54.4",
  "@effect/workflow": "0.8.3"
}

const read = (file) => JSON.parse(readFileSync(file, "utf8"))
const write = (file, json) => writeFileSync(file, `${JSON.stringify(json, undefined, 2)}\n`)

for (const name of packages) {
  const { peerDependencies = {} } = read(join(root, "packages", name, "package.json"))
  for (const peer of ["effect", "@effect/platform"]) {
    const range = peerDependencies[peer]
    const from = range === undefined ? undefined : /\d+\.\d+\.\d+/.exec(range)?.[0]
    if (from !== undefined && from !== lowest[peer]) {
      console.error(`packages/${name} allows ${peer} from ${from}, and this script tests ${lowest[peer]}`)
      process.exitCode = 1
    }
  }
}

const work = mkdtempSync(join(tmpdir(), "effect-apns-lowest-"))
try {
  const files = execFileSync("git", ["ls-files", "-z"], { cwd: root, encoding: "utf8" }).split("\0").filter((name) =>
    name !== "" && name !== "package-lock.json" &&
    (!name.startsWith("packages/") || packages.includes(name.split("/")[1] ?? "")) &&
    !/^(examples|benchmarks|website)\//.test(name)
  )
  for (const name of files) {
    mkdirSync(dirname(join(work, name)), { recursive: true })
    cpSync(join(root, name), join(work, name))
  }
  const manifest = read(join(work, "package.json"))
  manifest.workspaces = ["packages/*"]
  const { devDependencies: others } = read(join(root, "benchmarks", "package.json"))
  const wanted = /^(effect|@effect\/(platform|vitest)|@types\/|fast-check|typescript|tsx|vitest|tstyche|rollup|esbuild)/
  manifest.devDependencies = {
    ...Object.fromEntries(Object.entries(manifest.devDependencies).filter(([name]) => wanted.test(name))),
    // the programs of other clients that ours are compared with
    ...Object.fromEntries(["@parse/node-apn", "apns2"].map((name) => [name, others[name]])),
    ...lowest
  }
  write(join(work, "package.json"), manifest)
  writeFileSync(join(work, "vitest.workspace.ts"), "export default [\"packages/*/vitest*.config.ts\"]\n")
  write(join(work, "tsconfig.json"), {
    files: [],
    references: packages.map((name) => ({ path: `packages/${name}/tsconfig.src.json` }))
  })
  for (
    const [command, ...args] of [
      ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"],
      ["npx", "tsc", "-b"],
      // what reads the whole repository is not about versions
      ["npx", "vitest", "run", ...rest]
    ]
  ) {
    console.log(`> ${[command, ...args].join(" ")}`)
    execFileSync(command, args, { cwd: work, stdio: "inherit" })
  }
  const installed = Object.keys(lowest).slice(0, 3).map((name) =>
    `${name} ${read(join(work, "node_modules", name, "package.json")).version}`
  )
  console.log(`the tests pass with ${installed.join(", ")}`)
} finally {
  if (keep) console.log(`kept: ${work}`)
  else rmSync(work, { recursive: true, force: true })
}
