/**
 * The process in which one row runs: opens its client, runs what it is told, and says what that cost.
 *
 * @since 0.1.0
 */
import { readFileSync } from "node:fs"
import type { Client, Open, Target } from "./Client.js"
import { addId } from "./sink/Answer.js"

/**
 * @since 0.1.0
 * @category models
 */
export type Order =
  | { readonly type: "open"; readonly module: string; readonly target: Target }
  | { readonly type: "run"; readonly first: number; readonly count: number; readonly collectIds: boolean }
  | { readonly type: "close" }

/**
 * @since 0.1.0
 * @category models
 */
export interface Ran {
  readonly type: "ran"
  /** User and system time of the whole process, all threads. */
  readonly cpuSeconds: number
  readonly wallSeconds: number
  /** The most memory that the process has had so far. */
  readonly rssMb: number
  /** What came back: how many ids, how many different ones, and their sum. */
  readonly details: Readonly<Record<string, number>>
  readonly ids: { readonly count: number; readonly distinct: number; readonly sum: number } | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export type Reply = Ran | { readonly type: "opened" } | { readonly type: "closed" } | {
  readonly type: "failed"
  readonly reason: string
}

/**
 * Linux counts what the parent had before the program started into `maxRSS`; its own high-water mark stands in `/proc`.
 */
const peakRssMb = (): number => {
  try {
    const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]
    if (peak !== undefined) return Number(peak) / 1024
  } catch {
    // not Linux
  }
  return process.resourceUsage().maxRSS / 1024
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

const run = async (client: Client, first: number, count: number, collectIds: boolean): Promise<Ran> => {
  const ids = collectIds ? new Array<string>() : undefined
  const before = process.cpuUsage()
  const start = performance.now()
  await client.run(first, count, ids)
  const wallSeconds = (performance.now() - start) / 1000
  const { system, user } = process.cpuUsage(before)
  const strange = ids?.find((id) => !uuid.test(id))
  if (strange !== undefined) throw new Error(`The apns-id ${JSON.stringify(strange)} was never sent.`)
  return {
    type: "ran",
    cpuSeconds: (user + system) / 1e6,
    details: client.details?.() ?? {},
    ids: ids === undefined ? undefined : { count: ids.length, distinct: new Set(ids).size, sum: ids.reduce(addId, 0) },
    rssMb: peakRssMb(),
    wallSeconds
  }
}

let client: Client | undefined

const obey = async (order: Order): Promise<Reply> => {
  switch (order.type) {
    case "open": {
      const { open } = (await import(order.module)) as { readonly open: Open }
      client = await open(order.target)
      return { type: "opened" }
    }
    case "run":
      if (client === undefined) throw new Error("run before open")
      return run(client, order.first, order.count, order.collectIds)
    case "close":
      await client?.close()
      return { type: "closed" }
  }
}

process.on("message", (order: Order) => {
  obey(order)
    .catch((error: unknown): Reply => ({
      type: "failed",
      reason: error instanceof Error ? error.message : String(error)
    }))
    .then((reply) => process.send?.(reply))
})
process.on("disconnect", () => process.exit())
