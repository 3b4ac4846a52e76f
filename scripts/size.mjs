// Prints what each published package weighs, as a Markdown table: the tarball, and what a program loads (minified, and
// compressed as a server would send it to a function that starts).
//
//   npm run build && node scripts/size.mjs
import { build } from "esbuild"
import { execFileSync } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"

const root = fileURLToPath(new URL("..", import.meta.url))
const kB = (bytes) => `${(bytes / 1000).toFixed(1)} kB`

const loaded = async (name) => {
  const { outputFiles: [file] } = await build({
    stdin: { contents: `export * from ${JSON.stringify(name)}`, resolveDir: root, loader: "js" },
    bundle: true,
    // what the library brings itself: its peers and what loads when used are not in it
    external: ["effect", "effect/*", "@effect/*", "jose", "node-forge", "socks", "@noble/*", "@libsql/*", "pg"],
    format: "esm",
    minify: true,
    platform: "node",
    write: false,
    logLevel: "error"
  })
  return file.contents
}

console.log("| package | tarball | unpacked | loaded, minified | and gzip |\n| --- | ---: | ---: | ---: | ---: |")
for (const folder of readdirSync(join(root, "packages"))) {
  const cwd = join(root, "packages", folder)
  const { name } = JSON.parse(readFileSync(join(cwd, "package.json"), "utf8"))
  const [{ size, unpackedSize }] = JSON.parse(
    execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
      cwd,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"]
    })
  )
  const code = await loaded(name)
  console.log(
    `| \`${name}\` | ${kB(size)} | ${kB(unpackedSize)} | ${kB(code.length)} | ${kB(gzipSync(code).length)} |`
  )
}
