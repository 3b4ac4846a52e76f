/**
 * A PostgreSQL on loopback for the rows of the outbox: that of `APNS_BENCH_POSTGRES` (a URL), else one started from the
 * binaries of the system in a temporary folder, with the settings that its packages have.
 *
 * @since 1.0.0
 */
import { execFileSync, spawn } from "node:child_process"
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

const versions = "/usr/lib/postgresql"

/**
 * The folder of the newest PostgreSQL of this machine, `undefined` where there is none.
 *
 * @since 1.0.0
 * @category accessors
 */
export const binaries = (): string | undefined =>
  (existsSync(versions) ? readdirSync(versions) : [])
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => join(versions, version, "bin"))
    .find((path) => existsSync(join(path, "postgres")))

/**
 * @since 1.0.0
 * @category models
 */
export interface Server {
  readonly url: string
  readonly stop: () => Promise<void>
}

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer()
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
    })
  })

/** PostgreSQL refuses to run as root. */
const account = (): { readonly uid: number; readonly gid: number } | undefined => {
  if (process.getuid?.() !== 0) return undefined
  const id = (flag: string) => Number(execFileSync("id", [flag, "nobody"], { encoding: "utf8" }))
  return { gid: id("-g"), uid: id("-u") }
}

/**
 * @since 1.0.0
 * @category constructors
 */
export const start = async (): Promise<Server> => {
  const given = process.env["APNS_BENCH_POSTGRES"]
  if (given !== undefined && given !== "") return { stop: () => Promise.resolve(), url: given }
  const bin = binaries()
  if (bin === undefined) throw new Error("There is no PostgreSQL on this machine (Debian: apt-get install postgresql).")
  const folder = mkdtempSync(join(tmpdir(), "apns-bench-postgres-"))
  const port = await freePort()
  const owner = account()
  if (owner !== undefined) chownSync(folder, owner.uid, owner.gid)
  const options = { ...owner, cwd: folder, stdio: "ignore" } as const
  const data = join(folder, "data")
  execFileSync(join(bin, "initdb"), ["-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8"], options)
  const server = spawn(
    join(bin, "postgres"),
    ["-D", data, "-p", String(port), "-c", "listen_addresses=127.0.0.1", "-c", `unix_socket_directories=${folder}`],
    options
  )
  const isReady = (): boolean => {
    try {
      execFileSync(join(bin, "pg_isready"), ["-q", "-h", "127.0.0.1", "-p", String(port)], options)
      return true
    } catch {
      return false
    }
  }
  while (!isReady()) await new Promise((resolve) => setTimeout(resolve, 50))
  return {
    stop: () =>
      new Promise((resolve) => {
        server.once("exit", () => {
          rmSync(folder, { force: true, recursive: true })
          resolve()
        })
        server.kill("SIGINT")
      }),
    url: `postgres://postgres@127.0.0.1:${port}/postgres`
  }
}
