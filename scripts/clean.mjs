import { readdirSync, rmSync } from "node:fs"
import { fileURLToPath } from "node:url"

const root = new URL("../", import.meta.url)
const places = [...readdirSync(new URL("packages", root)).map((name) => `packages/${name}`), "examples", "benchmarks"]
for (const place of places) {
  for (const built of ["dist", "build"]) {
    rmSync(fileURLToPath(new URL(`${place}/${built}`, root)), { recursive: true, force: true })
  }
}
