// What the compiler does not see: an Effect that nobody runs, a generator without yield*, a service that leaks, ... Found by the
// language service of Effect in the sources of each package.
//
//   node scripts/effect-diagnostics.mjs [PACKAGE...]
import { spawnSync } from "node:child_process"
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const wanted = process.argv.slice(2)
const folders = readdirSync(join(root, "packages")).filter((name) =>
  (wanted.length === 0 || wanted.includes(name)) && existsSync(join(root, "packages", name, "tsconfig.src.json"))
)
for (const name of folders) {
  const { status, stderr, stdout } = spawnSync(
    process.execPath,
    ["node_modules/.bin/effect-language-service", "diagnostics", "--project", `packages/${name}/tsconfig.src.json`],
    { cwd: root, encoding: "utf8" }
  )
  const checked = /Checked (\d+) files? out of/.exec(stdout)?.[1]
  if (status !== 0 || checked === undefined || checked === "0") {
    process.exitCode = 1
    console.error(`${name}:\n${stdout}${stderr}`)
  } else console.log(`${name}: ${checked} files checked`)
}
