/**
 * What the rows of `@effect-apns/outbox` have in common: a database, a pool, and a campaign that is written and then
 * drained, outcomes and all.
 *
 * @since 1.0.0
 */
import { LibsqlFile, Outbox, OutboxRunner } from "@effect-apns/outbox"
import { ApnsPool } from "@effect-apns/pool"
import * as PgClient from "@effect/sql-pg/PgClient"
import type { SqlClient } from "@effect/sql/SqlClient"
import { Effect, Layer, ManagedRuntime, Redacted } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Client, Target } from "../Client.js"
import * as Postgres from "../Postgres.js"
import * as Workload from "../Workload.js"
import * as Apns from "./Apns.js"
import { makeNotification } from "./Send.js"
import { tokenStream } from "./SendAll.js"

/**
 * A database and what ends it.
 *
 * @since 1.0.0
 * @category models
 */
export interface Database {
  readonly layer: Layer.Layer<SqlClient, unknown>
  readonly close: () => Promise<void>
}

/**
 * A libSQL file in a temporary folder.
 *
 * @since 1.0.0
 * @category constructors
 */
export const libsql = (durability?: LibsqlFile.Options["durability"]): Promise<Database> => {
  const folder = mkdtempSync(join(tmpdir(), "apns-bench-outbox-"))
  return Promise.resolve({
    close: () => Promise.resolve(rmSync(folder, { force: true, recursive: true })),
    layer: LibsqlFile.layer({ durability, file: join(folder, "outbox.db") })
  })
}

/**
 * A PostgreSQL on loopback.
 *
 * @since 1.0.0
 * @category constructors
 */
export const postgres = async (): Promise<Database> => {
  const server = await Postgres.start()
  return {
    close: server.stop,
    layer: PgClient.layer({ maxConnections: 10, url: Redacted.make(server.url) })
  }
}

/**
 * Writes a campaign with `enqueueAll`, and drains it by a runner with default options that tells its outcomes: both
 * together are what the row costs; how long each took stands in the details.
 *
 * @since 1.0.0
 * @category constructors
 */
export const drain = async (target: Target, database: Database): Promise<Client> => {
  const pool = await Apns.openPool(target)
  const runtime = ManagedRuntime.make(Layer.provideMerge(Outbox.layer(), database.layer))
  const tokens = Workload.tokens()
  const notification = makeNotification()
  const sender = await pool.runPromise(ApnsPool.ApnsPool)
  let campaigns = 0
  let details: Readonly<Record<string, number>> = {}
  return {
    close: async () => {
      await runtime.dispose()
      await pool.dispose()
      await database.close()
    },
    details: () => details,
    run: (first, count) => {
      const id = `campaign-${++campaigns}`
      let accepted = 0
      const program = Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const start = performance.now()
        yield* outbox.enqueueAll({
          id,
          notification,
          priority: 10,
          tokens: tokenStream(first, count, (index) => tokens[index % Workload.distinctTokens] ?? ""),
          topic: Workload.topic
        })
        const enqueued = performance.now()
        const before = process.cpuUsage()
        yield* Effect.scoped(Effect.gen(function*() {
          const runner = yield* OutboxRunner.make({
            onOutcomes: (outcomes) =>
              Effect.sync(() => {
                for (const outcome of outcomes) if (outcome._tag === "Accepted") accepted++
              }),
            pool: () => Effect.succeed(sender)
          })
          yield* runner.idle
        }))
        const { system, user } = process.cpuUsage(before)
        details = {
          drainCpuMicros: (system + user) / count,
          drainedPerSecond: count / (performance.now() - enqueued) * 1000,
          enqueuedPerSecond: count / (enqueued - start) * 1000
        }
      })
      return runtime.runPromise(program).then(() => {
        if (accepted !== count) throw new Error(`${accepted} outcomes for ${count} notifications.`)
      })
    }
  }
}

/**
 * Enqueues notifications for one device each, half of them one after the other and half of them from 64 callers; how many
 * a second stands in the details. Nothing is sent.
 *
 * @since 1.0.0
 * @category constructors
 */
export const enqueue = (database: Database): Promise<Client> => {
  const runtime = ManagedRuntime.make(Layer.provideMerge(Outbox.layer(), database.layer))
  const tokens = Workload.tokens()
  const notification = makeNotification()
  let details: Readonly<Record<string, number>> = {}
  return Promise.resolve({
    close: async () => {
      await runtime.dispose()
      await database.close()
    },
    details: () => details,
    run: (first, count) => {
      const half = count >> 1
      const program = Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const one = (index: number) =>
          outbox.enqueue({
            id: `order-${first + index}`,
            notification,
            tokens: [tokens[index % Workload.distinctTokens] ?? ""],
            topic: Workload.topic
          })
        const start = performance.now()
        yield* Effect.forEach(Array.from({ length: half }, (_, index) => index), one, { discard: true })
        const middle = performance.now()
        yield* Effect.forEach(Array.from({ length: count - half }, (_, index) => half + index), one, {
          concurrency: 64,
          discard: true
        })
        details = {
          concurrentPerSecond: (count - half) / (performance.now() - middle) * 1000,
          oneByOnePerSecond: half / (middle - start) * 1000
        }
      })
      return runtime.runPromise(program)
    }
  })
}
