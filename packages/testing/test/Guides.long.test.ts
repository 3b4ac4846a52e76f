import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll } from "vitest"
import { codeBlocks } from "../../../scripts/code-blocks.mjs"

const root = fileURLToPath(new URL("../../..", import.meta.url))

// below the root, so that its packages are found
mkdirSync(join(root, "build"), { recursive: true })
const folder = mkdtempSync(join(root, "build", "guides-tests-"))
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

describe("the guides", () => {
  it("programs and shell commands of the guides run unchanged, and print what the guides say", async () => {
    const { code, output } = await new Promise<{ readonly code: number | null; readonly output: string }>((resolve) => {
      const child = execFile(
        process.execPath,
        ["--conditions=@effect-apns/source", "--import", "tsx", "scripts/run-guides.mjs"],
        { cwd: root, maxBuffer: 1 << 26 },
        (_, out, err) => {
          resolve({ code: child.exitCode, output: out + err })
        }
      )
    })
    assert.strictEqual(code, 0, output)
    assert.match(output, /^[6-9]\d blocks ran, \d+ cannot run, 3 are tests, \d{2} versions compared, 0 problems$/m)
    // those that cannot run are in the log with the reason
    console.log(output.split("\n").filter((line) => line.startsWith("not run")).join("\n"))
  }, 600_000)
})

// blocks that are tests themselves: importing them defines them here
const tests = ["docs/testing.md", "packages/testing/README.md"].flatMap((page) =>
  codeBlocks(join(root, page)).filter(({ text }) => text.includes("from \"@effect/vitest\"")).map(({ line, text }) => ({
    name: `${page}, line ${line}`,
    text
  }))
)
for (const [index, { name, text }] of tests.entries()) {
  const file = join(folder, `test-${index}.ts`)
  writeFileSync(file, text)
  describe(`the test in ${name}`, async () => {
    await import(file)
  })
}
