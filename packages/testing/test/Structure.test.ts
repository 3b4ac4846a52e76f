import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../..", import.meta.url))

/** What the check says of a repository with these files. */
const check = async (files: Readonly<Record<string, string>>) => {
  const folder = await mkdtemp(join(tmpdir(), "effect-apns-structure-"))
  try {
    for (const [name, content] of Object.entries(files)) {
      await mkdir(dirname(join(folder, name)), { recursive: true })
      await writeFile(join(folder, name), content)
    }
    return await new Promise<{ readonly code: number; readonly output: string }>((resolve) => {
      const child = execFile(process.execPath, [join(root, "scripts/check-structure.mjs"), folder], (_, out, err) => {
        resolve({ code: child.exitCode ?? -1, output: err + out })
      })
    })
  } finally {
    await rm(folder, { recursive: true })
  }
}

const manifest = JSON.stringify({ dependencies: { "@effect-apns/core": "1.0.0", "@effect-apns/models": "1.0.0" } })

describe("the structure check", () => {
  it("imports of lower packages, and types in both directions -> allowed", async () => {
    const { code, output } = await check({
      "packages/models/package.json": "{}",
      "packages/models/src/A.ts":
        "import type { B } from \"./B.js\"\nexport interface A { readonly b: B }\nexport const a = 1\n",
      "packages/models/src/B.ts":
        "import { a } from \"./A.js\"\nexport interface B { readonly a: number }\nexport const b = a\n",
      "packages/core/package.json": manifest,
      "packages/core/src/C.ts": "export { a } from \"@effect-apns/models/A\"\n"
    })
    assert.strictEqual(code, 0, output)
  })

  it("a circle of value imports -> refused, with the path", async () => {
    const { code, output } = await check({
      "packages/models/package.json": "{}",
      "packages/models/src/A.ts": "import { b } from \"./B.js\"\nexport const a = () => b\n",
      "packages/models/src/B.ts": "export { a } from \"./C.js\"\nexport const b = 1\n",
      "packages/models/src/C.ts": "import { a } from \"./A.js\"\nexport { a }\n"
    })
    assert.strictEqual(code, 1)
    assert.match(output, /A\.ts -> .*B\.ts -> .*C\.ts -> .*A\.ts/)
  })

  it("an import of a higher package, of another package's internals, or one that is not declared -> refused", async () => {
    const { code, output } = await check({
      "packages/models/package.json": manifest,
      "packages/models/src/A.ts":
        "import { c } from \"@effect-apns/core\"\nimport { debounce } from \"lodash\"\nexport const a = [c, debounce]\n",
      "packages/core/package.json": manifest,
      "packages/core/src/index.ts":
        "import { secret } from \"@effect-apns/models/internal/secret\"\nexport const c = secret\n"
    })
    assert.strictEqual(code, 1)
    assert.include(output, "models must not import core")
    assert.include(output, "imports lodash")
    assert.include(output, "internal to models")
    assert.include(output, "3 problems")
  })
})
