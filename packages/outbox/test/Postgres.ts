/**
 * A PostgreSQL of one's own on loopback, from the binaries of the system, in a folder that is gone afterwards.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import type { SqlClient } from "@effect/sql/SqlClient"
import { Effect, Layer, Redacted, type Scope } from "effect"
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

const root = "/usr/lib/postgresql"

/** Where the newest PostgreSQL of this machine is; `undefined` where there is none. */
export const binaries: string | undefined = existsSync(root)
  ? readdirSync(root)
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => join(root, version, "bin"))
    .find((path) => existsSync(join(path, "postgres")))
  : undefined

/** PostgreSQL refuses to run as root. */
const user = (): { readonly uid: number; readonly gid: number } | undefined => {
  if (process.getuid?.() !== 0) return undefined
  const id = (flag: string, name: string) =>
    Number(execFileSync("id", [flag, name], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim())
  try {
    return { uid: id("-u", "postgres"), gid: id("-g", "postgres") }
  } catch {
    return { uid: id("-u", "nobody"), gid: id("-g", "nobody") }
  }
}

const freePort = Effect.async<number>((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    server.close(() => resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0)))
  })
})

export interface Postgres {
  readonly url: (database: string) => string
  /** Stops it, cutting all connections, and starts it again. */
  readonly restart: Effect.Effect<void>
  readonly stop: Effect.Effect<void>
  readonly start: Effect.Effect<void>
  readonly createDatabase: (name: string) => Effect.Effect<void>
}

export const make: Effect.Effect<Postgres, never, Scope.Scope> = Effect.gen(function*() {
  const bin = binaries
  if (bin === undefined) return yield* Effect.dieMessage("there is no PostgreSQL on this machine")
  const owner = user()
  const path = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "apns-postgres-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  const port = yield* freePort
  const data = join(path, "data")
  const options = { ...owner, env: { PATH: process.env["PATH"] ?? "", LC_ALL: "C" }, cwd: path } as const
  if (owner !== undefined) chownSync(path, owner.uid, owner.gid)
  yield* Effect.sync(() =>
    execFileSync(join(bin, "initdb"), ["-D", data, "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8"], {
      ...options,
      stdio: "ignore"
    })
  )
  let child: ChildProcess | undefined
  const ready = Effect.async<boolean>((resume) => {
    const probe = spawn(join(bin, "pg_isready"), ["-q", "-h", "127.0.0.1", "-p", String(port)], options)
    probe.once("exit", (code) => resume(Effect.succeed(code === 0)))
  })
  const start = Effect.gen(function*() {
    child = spawn(join(bin, "postgres"), [
      "-D",
      data,
      "-p",
      String(port),
      "-c",
      "listen_addresses=127.0.0.1",
      "-c",
      `unix_socket_directories=${path}`,
      "-c",
      "max_connections=200",
      // no test takes the power away, and what was committed survives a restart of the server without it
      "-c",
      "fsync=off"
    ], { ...options, stdio: "ignore" })
    while (!(yield* ready)) yield* Effect.sleep("50 millis")
  })
  const stop = Effect.async<void>((resume) => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    // fast shutdown: connections are cut
    child.kill("SIGINT")
  })
  yield* Effect.acquireRelease(start, () => stop)
  const url = (database: string) => `postgres://postgres@127.0.0.1:${port}/${database}`
  return {
    url,
    start,
    stop,
    restart: Effect.zipRight(stop, start),
    createDatabase: (name) =>
      Effect.sync(() => {
        execFileSync(join(bin, "psql"), ["-q", "-c", `CREATE DATABASE "${name}"`, url("postgres")], {
          ...options,
          stdio: "ignore"
        })
      })
  }
})

/** A client for one of its databases. */
export const client = (url: string, maxConnections = 5): Layer.Layer<SqlClient> =>
  Layer.orDie(PgClient.layer({ url: Redacted.make(url), maxConnections, connectTimeout: "10 seconds" }))
