// Compares this checkout with another revision by the benchmark, in turns (A B A B ...), and prints the ratio of each row as a
// Markdown table. It decides nothing: machines that are shared are noisy.
//
//   node scripts/bench-compare.mjs REVISION [--rows send-all,send] [--rounds 3]
import { execFileSync, spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

const root = fileURLToPath(new URL("..", import.meta.url))
const { positionals: [revision], values } = parseArgs({
  allowPositionals: true,
  options: {
    rows: { type: "string", default: "session,connection-post,pool-post,send,send-all" },
    rounds: { type: "string", default: "3" }
  }
})
if (revision === undefined) {
  console.error("usage: node scripts/bench-compare.mjs REVISION [--rows ROW,ROW] [--rounds N]")
  process.exit(2)
}
const rounds = Number(values.rounds)
const base = mkdtempSync(join(tmpdir(), "effect-apns-base-"))
const quiet = { stdio: ["ignore", "ignore", "inherit"] }

const bench = (cwd) => {
  const { status, stdout } = spawnSync(
    process.execPath,
    ["benchmarks/dist/main.js", "--rows", values.rows, "--rounds", "1", "--json"],
    { cwd, encoding: "utf8", maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "inherit"] }
  )
  if (status !== 0) throw new Error(`the benchmark failed in ${cwd}`)
  const line = stdout.trimEnd().split("\n").findLast((text) => text.startsWith("{"))
  return new Map(JSON.parse(line).rows.map((row) => [row.name, row]))
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor((numbers.length - 1) / 2)]

try {
  execFileSync("git", ["worktree", "add", "--detach", base, revision], { cwd: root, ...quiet })
  execFileSync("npm", ["ci", "--no-audit", "--no-fund"], { cwd: base, ...quiet })
  for (const cwd of [base, root]) {
    for (const step of [["npx", "tsc", "-b", "tsconfig.build.json", "benchmarks"], ["node", "scripts/bundle.mjs"]]) {
      execFileSync(step[0], step.slice(1), { cwd, ...quiet })
    }
  }
  const before = new Map()
  const after = new Map()
  for (let round = 0; round < rounds; round++) {
    for (const [cwd, into] of round % 2 === 0 ? [[base, before], [root, after]] : [[root, after], [base, before]]) {
      for (const [name, row] of bench(cwd)) into.set(name, [...into.get(name) ?? [], row.cpuSecondsPer100k])
    }
  }
  console.log(`CPU seconds for 100,000 notifications, medians of ${rounds} rounds in turns\n`)
  console.log(`| row | ${revision} | this | ratio |\n| --- | ---: | ---: | ---: |`)
  for (const [name, figures] of after) {
    const was = median(before.get(name) ?? [])
    const is = median(figures)
    console.log(`| ${name} | ${was?.toFixed(3) ?? "-"} | ${is.toFixed(3)} | ${was ? (is / was).toFixed(2) : "-"} |`)
  }
} finally {
  if (existsSync(join(base, ".git"))) {
    execFileSync("git", ["worktree", "remove", "--force", base], { cwd: root, stdio: "ignore" })
  }
  rmSync(base, { recursive: true, force: true })
}
