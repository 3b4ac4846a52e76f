// Runs every example as a user would: each ends by itself, against the mock that it starts.
import { execFileSync } from "node:child_process"
import { readdirSync } from "node:fs"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
for (const file of readdirSync(`${root}/examples/src`).filter((name) => name.endsWith(".ts")).sort()) {
  console.log(`--- examples/src/${file}`)
  execFileSync(
    process.execPath,
    ["--conditions=@effect-apns/source", "--import", "tsx", `examples/src/${file}`],
    { cwd: root, stdio: ["ignore", "inherit", "inherit"], timeout: 60_000 }
  )
}
