/**
 * A database that is away for a whole minute, which is longer than a lock: at the start, and in the middle of a campaign.
 * The minutes of these tests pass side by side.
 */
import { LibsqlFile, Outbox } from "@effect-apns/outbox"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, type Queue, Stream } from "effect"
import { rmSync } from "node:fs"
import { join } from "node:path"
import * as Postgres from "./Postgres.js"
import * as T from "./utils.js"

const minute = Effect.sleep("61 seconds")

const went = "The database does not answer, or refuses"
const cameBack = "The database answers again, and the outbox goes on"

/** Each runner says once that it went, and once that it is back. */
const saidOnce = (lines: ReadonlyArray<T.Line>, runners: number) =>
  Effect.gen(function*() {
    const of = (text: string) => lines.filter(({ message }) => message.includes(text)).length
    while (of(cameBack) < runners) yield* Effect.sleep("20 millis")
    assert.strictEqual(of(went), runners)
    assert.strictEqual(of(cameBack), runners)
    assert.strictEqual(of("taken over"), 0)
  })

/** Each outcome once in the database, and told once at least. */
const heardAll = (outbox: Outbox.Outbox, campaign: string, told: ReadonlyArray<Queue.Dequeue<T.Told>>, count: number) =>
  Effect.gen(function*() {
    const heard = new Set<string>()
    yield* Effect.raceAll(told.map((queue) =>
      Effect.gen(function*() {
        while (heard.size < count) {
          for (const { key } of yield* queue.takeBetween(1, 5000)) heard.add(key)
        }
      })
    )).pipe(Effect.timeout("60 seconds"))
    const outcomes = Array.from(yield* Stream.runCollect(outbox.outcomes({ campaign })))
    assert.lengthOf(outcomes, count)
    assert.strictEqual(new Set(outcomes.map(({ key }) => key)).size, count)
  })

describe.concurrent("a database that is away for a minute", () => {
  it.live.skipIf(Postgres.binaries === undefined)(
    "PostgreSQL, when two runners start: they wait, and each token is sent once",
    () =>
      Effect.gen(function*() {
        const server = yield* Postgres.make
        yield* server.createDatabase("away")
        yield* T.listen((lines) =>
          Effect.gen(function*() {
            const outbox = yield* Outbox.Outbox
            const { asked, pool } = yield* T.pool()
            yield* outbox.enqueue({ id: "a", tokens: T.tokens(3000), notification: T.alert })
            yield* server.stop
            const starting = yield* Effect.fork(Effect.all([T.runner(pool), T.runner(pool)], { concurrency: 2 }))
            yield* minute
            assert.lengthOf(asked, 0)
            assert.strictEqual(
              (yield* Effect.flip(outbox.enqueue({ id: "b", tokens: T.tokens(1), notification: T.alert })))._tag,
              "SqlError"
            )
            yield* server.start
            const runners = yield* starting
            yield* heardAll(outbox, "a", runners.map(({ told }) => told), 3000)
            assert.lengthOf(asked, 3000)
            yield* saidOnce(lines, 2)
          })
        ).pipe(
          Effect.scoped,
          Effect.provide(Layer.provideMerge(T.outbox, Postgres.client(server.url("away"), 10)))
        )
      }).pipe(Effect.scoped),
    180_000
  )

  it.live.skipIf(Postgres.binaries === undefined)(
    "PostgreSQL, in the middle of a campaign of two runners: nothing is sent twice, though their locks are over",
    () =>
      Effect.gen(function*() {
        const server = yield* Postgres.make
        yield* server.createDatabase("away")
        yield* T.listen((lines) =>
          Effect.gen(function*() {
            const outbox = yield* Outbox.Outbox
            const { asked, pool } = yield* T.pool()
            yield* outbox.enqueueAll({
              id: "a",
              tokens: Stream.fromIterable(T.tokens(20_000)),
              notification: T.alert,
              batchSize: 1000
            })
            // each runner has connections of its own, as in a process of its own
            const runners = yield* Effect.forEach([1, 2], () =>
              Effect.flatMap(
                Layer.build(Layer.fresh(Postgres.client(server.url("away")))),
                (client) => Effect.provide(T.runner(pool, { concurrency: 100, lock: "10 seconds" }), client)
              ))
            while (asked.length < 2000) yield* Effect.sleep("1 millis")
            yield* server.stop
            for (const { runner } of runners) {
              while (!(yield* runner.stats).databaseAway) yield* Effect.sleep("10 millis")
            }
            const sent = asked.length
            yield* minute
            assert.strictEqual(asked.length, sent)
            for (const { runner } of runners) assert.isAtMost((yield* runner.stats).unsaved, 100)
            yield* server.start
            yield* heardAll(outbox, "a", runners.map(({ told }) => told), 20_000)
            assert.lengthOf(asked, 20_000)
            assert.strictEqual((yield* outbox.progress("a")).accepted, 20_000)
            yield* saidOnce(lines, 2)
          })
        ).pipe(
          Effect.scoped,
          Effect.provide(Layer.provideMerge(T.outbox, Postgres.client(server.url("away"))))
        )
      }).pipe(Effect.scoped),
    180_000
  )

  for (const when of ["at the start", "in the middle of a campaign"]) {
    it.live(
      `a libSQL file on a full disk, ${when}: the runner waits, and each token is sent once`,
      (context) =>
        Effect.gen(function*() {
          const path = yield* T.folder
          if (!(yield* T.smallDisk(path, "24m"))) return context.skip("a small disk needs root and tmpfs")
          yield* T.listen((lines) =>
            Effect.gen(function*() {
              const outbox = yield* Outbox.Outbox
              // rejections take room on the disk
              const { asked, pool } = yield* T.pool(() => T.rejected(400, "DeviceTokenNotForTopic"))
              yield* outbox.enqueue({ id: "a", tokens: T.tokens(20_000), notification: T.alert })
              const ballast = join(path, "ballast")
              if (when === "at the start") T.fillDisk(ballast)
              const starting = yield* Effect.fork(T.runner(pool, { concurrency: 500 }))
              if (when !== "at the start") {
                while (asked.length < 2000) yield* Effect.sleep("1 millis")
                T.fillDisk(ballast)
              }
              assert.match((yield* T.said(lines, "ERROR", went)).message, /full/i)
              const sent = asked.length
              yield* minute
              assert.isAtMost(asked.length, sent + 500)
              yield* Effect.sync(() => rmSync(ballast))
              const { told } = yield* starting
              yield* heardAll(outbox, "a", [told], 20_000)
              assert.lengthOf(asked, 20_000)
              yield* saidOnce(lines, 1)
            })
          ).pipe(
            Effect.scoped,
            Effect.provide(
              Layer.provideMerge(T.outbox, Layer.orDie(LibsqlFile.layer({ file: join(path, "outbox.db") })))
            )
          )
        }).pipe(Effect.scoped),
      180_000
    )
  }
})
