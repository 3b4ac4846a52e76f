/**
 * A PostgreSQL of one's own on loopback, from the binaries of the system, in a temporary folder: for the tests and the
 * benchmark of the outbox.
 */
import { execFileSync, spawn } from "node:child_process"
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout } from "node:timers/promises"

const versions = "/usr/lib/postgresql"

export const binaries = (existsSync(versions) ? readdirSync(versions) : [])
  .sort((a, b) => Number(b) - Number(a))
  .map((version) => join(versions, version, "bin"))
  .find((path) => existsSync(join(path, "postgres")))

/** PostgreSQL refuses to run as root. */
const account = () => {
  if (process.getuid?.() !== 0) return {}
  const id = (flag, name) =>
    Number(execFileSync("id", [flag, name], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }))
  const of = (name) => ({ gid: id("-g", name), uid: id("-u", name) })
  try {
    return of("postgres")
  } catch {
    return of("nobody")
  }
}

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer()
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })

export const make = async (settings = {}) => {
  if (binaries === undefined) {
    throw new Error("There is no PostgreSQL on this machine (Debian: apt-get install postgresql).")
  }
  const program = (name) => join(binaries, name)
  const owner = account()
  const folder = mkdtempSync(join(tmpdir(), "apns-postgres-"))
  if (owner.uid !== undefined) chownSync(folder, owner.uid, owner.gid)
  const options = { ...owner, cwd: folder, env: { LC_ALL: "C", PATH: process.env.PATH ?? "" }, stdio: "ignore" }
  const data = join(folder, "data")
  const port = String(await freePort())
  execFileSync(program("initdb"), ["-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync"], options)
  const flags = Object.entries({
    listen_addresses: "127.0.0.1",
    port,
    unix_socket_directories: folder,
    ...settings
  }).flatMap(([name, value]) => ["-c", `${name}=${value}`])
  const url = (database) => `postgres://postgres@127.0.0.1:${port}/${database}`
  let server
  const isReady = () =>
    new Promise((resolve) => {
      spawn(program("pg_isready"), ["-q", "-h", "127.0.0.1", "-p", port], options).once("exit", (code) =>
        resolve(code === 0))
    })
  const start = async () => {
    server = spawn(program("postgres"), ["-D", data, ...flags], options)
    while (!(await isReady())) {
      if (server.exitCode !== null) throw new Error(`PostgreSQL ended with ${server.exitCode} instead of starting.`)
      await setTimeout(50)
    }
  }
  const stop = () =>
    new Promise((resolve) => {
      if (server === undefined || server.exitCode !== null || server.signalCode !== null) return resolve()
      server.once("exit", () => resolve())
      // fast shutdown: connections are cut
      server.kill("SIGINT")
    })
  return {
    url,
    start,
    stop,
    createDatabase: (name) => {
      execFileSync(program("psql"), ["-q", "-c", `CREATE DATABASE "${name}"`, url("postgres")], options)
    },
    remove: async () => {
      await stop()
      rmSync(folder, { force: true, recursive: true })
    }
  }
}
