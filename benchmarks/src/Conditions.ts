/**
 * Where and how the figures came about: without this they mean nothing.
 *
 * @since 0.1.0
 */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import * as Os from "node:os"

/**
 * @since 0.1.0
 * @category models
 */
export interface Conditions {
  readonly date: string
  readonly cpu: string
  readonly cores: number
  readonly memoryGb: number
  readonly system: string
  readonly loadBefore: number
  readonly loadAfter: number
  readonly node: string
  readonly nodeFlags: ReadonlyArray<string>
  readonly versions: Readonly<Record<string, string>>
  readonly inFlight: number
  readonly rounds: number
  readonly seconds: number
  readonly quick: boolean
  /** Rows that were not measured, and why. */
  readonly leftOut: ReadonlyArray<{ readonly name: string; readonly reason: string }>
  readonly notes: ReadonlyArray<string>
}

const require = createRequire(import.meta.url)

/** The version of a package as installed, found beside its entry, for not every package exports its `package.json`. */
const versionOf = (name: string): string => {
  const roots = require.resolve.paths(name) ?? []
  for (const root of roots) {
    try {
      const { version } = JSON.parse(readFileSync(`${root}/${name}/package.json`, "utf8")) as {
        readonly version: string
      }
      return version
    } catch {
      continue
    }
  }
  return "?"
}

/**
 * @since 0.1.0
 * @category constants
 */
export const notes: ReadonlyArray<string> = [
  "CPU is user and system time of the client process, all threads, after a warm-up; the sink runs in a process of its own on the same machine.",
  "One connection, TLS 1.3, loopback; a fresh client process for each row and round; rounds interleaved; medians.",
  "apns2 has neither a port nor a CA option: its pool is replaced by one with the same options, another origin and a certificate to trust. It opens 32 connections and sends one request at a time on each.",
  "The sink answers 200 with an apns-id of its own to each request, allows 1,000 streams and opens its connection window to 16 MiB."
]

/** Processes that want a core, beyond which one of them is not this benchmark. */
const busyLoad = 1

const busy =
  "The machine was busy with other work: its load says how much. CPU and the ratios still mean something, rates, " +
  "latencies and import times next to nothing."

/**
 * @since 0.1.0
 * @category constructors
 */
export const gather = (
  run: Pick<Conditions, "inFlight" | "leftOut" | "loadBefore" | "quick" | "rounds" | "seconds">
): Conditions => ({
  ...run,
  cores: Os.cpus().length,
  cpu: Os.cpus()[0]?.model.trim() ?? "unknown",
  date: new Date().toISOString().slice(0, 10),
  loadAfter: Os.loadavg()[0] ?? 0,
  memoryGb: Math.round(Os.totalmem() / 2 ** 30),
  node: process.version,
  nodeFlags: process.execArgv,
  notes: run.loadBefore > busyLoad ? [...notes, busy] : notes,
  system: `${Os.type()} ${Os.release()} ${Os.arch()}`,
  versions: {
    openssl: process.versions.openssl ?? "?",
    ...Object.fromEntries(["effect", "@parse/node-apn", "apns2", "undici"].map((name) => [name, versionOf(name)]))
  }
})
