import { Failure } from "@effect-apns/core"
import { Reason, Rejection } from "@effect-apns/models"
import { Behavior } from "@effect-apns/testing"
import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../..", import.meta.url))

const run = (script: string, ...files: ReadonlyArray<string>) =>
  new Promise<{ readonly code: number; readonly output: string }>((resolve) => {
    const child = execFile(process.execPath, [join("scripts", script), ...files], { cwd: root }, (_, out, err) => {
      resolve({ code: child.exitCode ?? -1, output: err + out })
    })
  })

const withFile = async <A>(name: string, content: string, use: (file: string) => Promise<A>): Promise<A> => {
  const folder = await mkdtemp(join(tmpdir(), "effect-apns-docs-"))
  try {
    const file = join(folder, name)
    await writeFile(file, content)
    return await use(file)
  } finally {
    await rm(folder, { recursive: true })
  }
}

// a whole program is compiled, beside all the other tests
const timeout = 180_000

describe("documentation", () => {
  it("all code blocks compile, and all links have a target", async () => {
    const { code, output } = await run("compile-snippets.mjs")
    assert.strictEqual(code, 0, output)
    assert.match(output, /^\d{2,} code blocks in \d{2,} files, 0 problems$/m)
  }, timeout)

  it("a code block that does not compile -> an error with its line", async () => {
    const page =
      "# Page\n\n```ts\nconst right: number = 1\nconst wrong: number = \"1\"\n```\n\nSee [there](./nowhere.md).\n"
    const { code, output } = await withFile("page.md", page, (file) => run("compile-snippets.mjs", file))
    assert.strictEqual(code, 1)
    assert.match(output, /page\.md:5 - TS2322/)
    assert.match(output, /page\.md:8 - the link \.\/nowhere\.md leads nowhere/)
    assert.match(output, /1 code blocks in 1 files, 2 problems/)
  }, timeout)

  it("covers every export of every public module", async () => {
    const { code, output } = await run("check-docstrings.mjs")
    assert.strictEqual(code, 0, output)
    assert.match(output, /^\d{2,} modules, 0 problems$/m)
  }, timeout)

  it("an export without documentation -> an error", async () => {
    const source = "/**\n * A module.\n *\n * @since 0.1.0\n */\n\n/** Said. @since 0.1.0 */\nexport const half = 1\n"
    const { code, output } = await withFile("Half.ts", source, (file) => run("check-docstrings.mjs", file))
    assert.strictEqual(code, 1)
    assert.match(output, /Half\.ts:1 - the module has no @example/)
    assert.match(output, /Half\.ts:8 - half has no @category/)
  }, timeout)

  it("explains each reason of APNs, and what to do", async () => {
    const page = await readFile(join(root, "docs/outcomes.md"), "utf8")
    const rows = Object.keys(Reason.table).filter((reason) => Reason.canonical(reason) === reason).map((reason) => {
      const { meaning, status } = Reason.info(reason, 0)
      return `| \`${reason}\` | ${status} | ${meaning} | \`${Rejection.action(Rejection.make({ reason }))}\` |`
    })
    assert.isAbove(rows.length, 30)
    for (const row of rows) assert.include(page, row)
  })

  it("names each metric, each variable of the environment and each command", async () => {
    const page = (name: string) => readFile(join(root, name), "utf8")
    const sources = await page("packages/pool/src/ApnsMetrics.ts")
    const metrics = new Set([...sources.matchAll(/"(apns_[a-z_]+)"/g)].map(([, name]) => name ?? ""))
    assert.isAtLeast(metrics.size, 4)
    const observability = await page("docs/observability.md")
    for (const name of metrics) assert.include(observability, `\`${name}\``)
    const configs = await page("packages/pool/src/PoolConfig.ts") + await page("packages/core/src/Credentials.ts")
    const variables = new Set([...configs.matchAll(/"(APNS_[A-Z0-9_]+)"/g)].map(([, name]) => name ?? ""))
    assert.isAtLeast(variables.size, 10)
    const credentials = await page("docs/credentials.md")
    for (const name of variables) assert.include(credentials, `\`${name}\``)
    const commands = [...(await page("packages/cli/src/internal/commands.ts")).matchAll(/name: "([a-z]+)"/g)]
    assert.isAtLeast(commands.length, 5)
    const cli = await page("docs/cli.md")
    for (const [, name] of commands) assert.include(cli, `\`apns ${name ?? ""}\``)
  })

  it("names each failure of a connection, and each fault of the mock", async () => {
    const outcomes = await readFile(join(root, "docs/outcomes.md"), "utf8")
    const failures = Object.entries(Failure).flatMap(([name, value]) =>
      typeof value === "function" && value.prototype instanceof Error ? [name] : []
    )
    assert.isAtLeast(failures.length, 6)
    for (const name of failures) assert.include(outcomes, `\`${name}\``)
    const testing = await readFile(join(root, "docs/testing.md"), "utf8")
    const faults = Object.keys(Behavior)
    assert.isAbove(faults.length, 40)
    for (const name of faults) assert.match(testing, new RegExp(`\`${name}[\`(]`), name)
  })
})
