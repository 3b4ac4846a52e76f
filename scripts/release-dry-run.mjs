// Does all of a release but the publishing, in a copy of the repository: raises the versions by the changesets that wait, builds,
// and lets npm say of each package what it would publish.
//
//   node scripts/release-dry-run.mjs
import { execFileSync } from "node:child_process"
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const work = mkdtempSync(join(tmpdir(), "effect-apns-release-"))
const run = (command, args, cwd = work, stdout = "inherit") =>
  execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", stdout, "inherit"] })

try {
  const files = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8"
  })
  for (const name of files.split("\0")) {
    if (name === "" || !existsSync(join(root, name))) continue
    mkdirSync(dirname(join(work, name)), { recursive: true })
    cpSync(join(root, name), join(work, name))
  }
  run("git", ["init", "-q", "-b", "main"])
  run("git", ["add", "-A"])
  run("git", ["-c", "user.name=release", "-c", "user.email=release@localhost", "commit", "-q", "-m", "before"])
  // the packages of a workspace link to each other: the copy needs links of its own
  run("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"])
  run("npm", ["run", "--silent", "version-packages"])
  run("npm", ["run", "--silent", "build"])
  const versions = new Set()
  for (const folder of readdirSync(join(work, "packages"))) {
    const cwd = join(work, "packages", folder)
    const manifest = JSON.parse(readFileSync(join(cwd, "package.json"), "utf8"))
    versions.add(manifest.version)
    for (const [name, range] of Object.entries(manifest.dependencies ?? {})) {
      if (/^(@effect-apns\/|effect-apns$)/.test(name) && range !== manifest.version) {
        throw new Error(`${manifest.name} ${manifest.version} depends on ${name} ${range}`)
      }
    }
    const changes = readFileSync(join(cwd, "CHANGELOG.md"), "utf8")
    if (!changes.includes(`## ${manifest.version}`)) {
      throw new Error(`${manifest.name} has no changelog for this version`)
    }
    run("npm", ["publish", "--dry-run", "--ignore-scripts", "--loglevel=error"], cwd)
  }
  if (versions.size !== 1) throw new Error(`the packages have different versions: ${[...versions].join(", ")}`)
  console.log(`a release of ${[...versions][0]} would work: ${readdirSync(join(work, "packages")).length} packages`)
} finally {
  rmSync(work, { recursive: true, force: true })
}
