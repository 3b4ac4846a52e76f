/**
 * A process of `million.ts`: a runner that drains what is waiting, and says how much memory it has.
 *
 * @since 1.0.0
 */
import { OutboxRunner } from "@effect-apns/outbox"
import { ApnsPool } from "@effect-apns/pool"
import * as PgClient from "@effect/sql-pg/PgClient"
import { Effect, Redacted, Schedule } from "effect"
import type { Target } from "./Client.js"
import * as Apns from "./rows/Apns.js"

/**
 * @since 1.0.0
 * @category models
 */
export interface Order {
  readonly target: Target
  readonly url: string
}

/**
 * What it says at its end. Memory is its resident set, read every 250 milliseconds.
 *
 * @since 1.0.0
 * @category models
 */
export interface Drained {
  readonly told: number
  readonly wallSeconds: number
  readonly cpuSeconds: number
  readonly mostRssMb: number
  /** In the middle of the first, second and last third of the time. */
  readonly rssMb: ReadonlyArray<number>
  /** What is in use after a garbage collection, every 2 seconds: what grows there leaks. */
  readonly liveMb: ReadonlyArray<number>
}

const drain = ({ target, url }: Order) =>
  Effect.gen(function*() {
    const runtime = yield* Effect.promise(() => Apns.openPool(target))
    const pool = yield* Effect.promise(() => runtime.runPromise(ApnsPool.ApnsPool))
    const memory: Array<number> = []
    yield* Effect.forkScoped(
      Effect.repeat(Effect.sync(() => memory.push(process.memoryUsage.rss() / 2 ** 20)), Schedule.spaced("250 millis"))
    )
    const live: Array<number> = []
    yield* Effect.forkScoped(
      Effect.repeat(
        Effect.sync(() => {
          globalThis.gc?.()
          live.push(process.memoryUsage().heapUsed / 2 ** 20)
        }),
        Schedule.spaced("2 seconds")
      )
    )
    let told = 0
    const start = performance.now()
    const before = process.cpuUsage()
    const runner = yield* OutboxRunner.make({
      onOutcomes: (outcomes) => Effect.sync(() => void (told += outcomes.length)),
      pool: () => Effect.succeed(pool)
    })
    yield* runner.idle
    const { system, user } = process.cpuUsage(before)
    const at = (part: number) => memory[Math.floor(memory.length * part)] ?? 0
    const drained: Drained = {
      cpuSeconds: (system + user) / 1e6,
      liveMb: live,
      mostRssMb: Math.max(...memory),
      rssMb: [at(1 / 6), at(3 / 6), at(5 / 6)],
      told,
      wallSeconds: (performance.now() - start) / 1000
    }
    return drained
  }).pipe(Effect.scoped, Effect.provide(PgClient.layer({ maxConnections: 5, url: Redacted.make(url) })))

process.once("message", (order: Order) => {
  void Effect.runPromise(drain(order)).then(
    (drained) => process.send?.(drained, () => process.exit(0)),
    (error: unknown) => {
      process.stderr.write(`${String(error)}\n`)
      process.exit(1)
    }
  )
})
process.once("disconnect", () => process.exit())
