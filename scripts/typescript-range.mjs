// Compiles a program against the packed packages, with library checks on for our own types, by each TypeScript that the
// support table names.
//
//   npm run build && node scripts/typescript-range.mjs [VERSION...]
import { execFileSync, spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const versions = process.argv.length > 2 ? process.argv.slice(2) : ["5.4", "5.5", "5.6", "5.7", "5.8", "5.9", "6.0"]
const pinned = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
const work = mkdtempSync(join(tmpdir(), "effect-apns-typescript-"))

const program = `import { NodeContext } from "@effect/platform-node"
import { ApnsPool, Credentials, Endpoint, Notification, Rejection, send, sendAll } from "effect-apns"
import { createClient } from "effect-apns/client"
import { Effect, Stream } from "effect"

const ApnsLive = ApnsPool.layer({
  endpoint: Endpoint.production,
  topic: "com.example.app",
  credentials: Credentials.token({ keyFile: "AuthKey.p8", keyId: "ABC123DEFG", teamId: "DEF123GHIJ" })
})
export const one = send({ token: "4242", notification: Notification.alert({ alert: "Hello" }) }).pipe(
  Effect.catchIf(Rejection.isTokenDead, ({ timestamp }) => Effect.log(timestamp)),
  Effect.catchTags({ Timeout: ({ processed }) => Effect.log(processed) }),
  Effect.provide(ApnsLive),
  Effect.provide(NodeContext.layer)
)
export const many = Stream.make("4242").pipe(
  sendAll({ notification: Notification.alert({ alert: "Hello" }) }),
  Stream.runDrain,
  Effect.provide(ApnsLive),
  Effect.provide(NodeContext.layer)
)
export const client = createClient
`

try {
  const tarballs = {}
  for (const name of readdirSync(join(root, "packages"))) {
    const cwd = join(root, "packages", name)
    const [{ filename, name: published }] = JSON.parse(
      execFileSync("npm", ["pack", "--json", "--pack-destination", work], {
        cwd,
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"]
      })
    )
    tarballs[published] = `file:${join(work, filename)}`
  }
  const project = join(work, "project")
  mkdirSync(project)
  writeFileSync(
    join(project, "package.json"),
    JSON.stringify({
      name: "range",
      private: true,
      type: "module",
      dependencies: {
        ...Object.fromEntries(
          ["effect-apns", "@effect-apns/models", "@effect-apns/core", "@effect-apns/pool", "@effect-apns/http2"].map((
            name
          ) => [name, tarballs[name]])
        ),
        "effect": pinned.devDependencies.effect,
        "@effect/platform": pinned.devDependencies["@effect/platform"],
        "@effect/platform-node": pinned.devDependencies["@effect/platform-node"],
        "@types/node": pinned.devDependencies["@types/node"]
      },
      overrides: {
        ...pinned.overrides,
        ...Object.fromEntries(Object.entries(tarballs))
      }
    })
  )
  writeFileSync(join(project, "program.ts"), program)
  execFileSync("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"], {
    cwd: project,
    stdio: "inherit"
  })
  let failed = 0
  for (const version of versions) {
    execFileSync("npm", [
      "install",
      "--no-save",
      "--no-audit",
      "--no-fund",
      "--ignore-scripts",
      "--loglevel=error",
      `typescript@~${version}.0`
    ], { cwd: project, stdio: ["ignore", "ignore", "inherit"] })
    for (const [module, moduleResolution] of [["NodeNext", "NodeNext"], ["ESNext", "Bundler"]]) {
      writeFileSync(
        join(project, "tsconfig.json"),
        JSON.stringify({
          compilerOptions: {
            target: "ES2022",
            module,
            moduleResolution,
            strict: true,
            exactOptionalPropertyTypes: true,
            noEmit: true,
            // effect's own types are not ours to check
            skipLibCheck: true,
            types: ["node"]
          },
          files: ["program.ts"]
        })
      )
      const { status, stdout } = spawnSync(
        process.execPath,
        [join(project, "node_modules/typescript/bin/tsc"), "-p", "."],
        { cwd: project, encoding: "utf8" }
      )
      console.log(`TypeScript ${version}, ${moduleResolution}: ${status === 0 ? "compiles" : `FAILS\n${stdout}`}`)
      if (status !== 0) failed++
    }
  }
  process.exitCode = failed > 0 ? 1 : 0
} finally {
  rmSync(work, { recursive: true, force: true })
}
