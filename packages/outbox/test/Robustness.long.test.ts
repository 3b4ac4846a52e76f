import { LibsqlFile, Outbox, OutboxRunner } from "@effect-apns/outbox"
import { SqlClient } from "@effect/sql"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Effect, Exit, Fiber, Layer, Queue, Scope, Stream } from "effect"
import { rmSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import * as codec from "../src/internal/codec.js"
import * as Databases from "../src/internal/database.js"
import * as Schemas from "../src/internal/schema.js"
import * as Postgres from "./Postgres.js"
import * as T from "./utils.js"

const count = (table: string, where = "1 = 1") =>
  Effect.flatMap(SqlClient.SqlClient, (sql) =>
    Effect.map(
      sql.unsafe<{ n: unknown }>(`SELECT COUNT(*) AS n FROM apns_outbox_${table} WHERE ${where}`),
      ([row]) => Number(row?.n)
    ))

T.onEachDatabase((name, database) => {
  const live = Layer.provideMerge(T.outbox, database)
  const still = Layer.provideMerge(T.outbox, Layer.provideMerge(T.stillTime, T.still(database)))

  describe(`the outbox on ${name}`, () => {
    it.live("a writer or a runner first, or both at once -> the tables are made", () =>
      Effect.gen(function*() {
        const { pool } = yield* T.pool()
        const writers = Effect.forEach([1, 2, 3], () => Outbox.make({ prefix: "first_" }), { concurrency: "unbounded" })
        const sender = OutboxRunner.make({ prefix: "first_", pool: () => Effect.succeed(pool) })
        yield* Effect.all([writers, sender], { concurrency: "unbounded" })
        const { runner } = yield* T.runner(pool, { prefix: "second_" })
        yield* runner.idle
        const outbox = yield* Outbox.make({ prefix: "second_" })
        yield* outbox.enqueue({ id: "a", tokens: T.tokens(1), notification: T.alert })
        yield* runner.idle
        assert.strictEqual((yield* outbox.progress("a")).state, "done")
      }).pipe(Effect.scoped, Effect.provide(database)))

    it.live("older tables with waiting campaigns -> migrated, and the campaigns are sent", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* Schemas.migrate(yield* Databases.make("apns_outbox_"), 1)
        yield* sql`INSERT INTO apns_outbox_campaigns
          (id, tenant, status, request, fingerprint, total, send_at, expires_at, retry, created_at) VALUES
          ('old', 'default', 'active', '{"pushType":"alert","body":"{}","encoding":"utf8"}', 'x', 1, 0, 9999999999999, '{}', 0)`
        yield* sql`INSERT INTO apns_outbox_batches
          (campaign, number, tenant, first_index, size, tokens, fingerprint, state, due_at) VALUES
          ('old', 0, 'default', 0, 1, ${codec.encodeTokens([T.token(1)])}, '', 1, 0)`
        const { asked, pool } = yield* T.pool()
        const { told } = yield* T.runner(pool)
        yield* T.hear(told, 1)
        assert.deepStrictEqual(asked.map(({ token }) => token), [T.token(1)])
        const outbox = yield* Outbox.make()
        assert.strictEqual((yield* outbox.progress("old")).accepted, 1)
        assert.strictEqual(yield* Schemas.currentVersion(yield* Databases.make("apns_outbox_")), Schemas.version)
      }).pipe(Effect.scoped, Effect.provide(database)))

    it.live("a writer without a runner, then a runner -> sent; a runner waits for a writer", () =>
      Effect.gen(function*() {
        const { asked, pool } = yield* T.pool()
        const outbox = yield* Outbox.Outbox
        yield* outbox.enqueue({ id: "a", tokens: T.tokens(3), notification: T.alert })
        assert.strictEqual((yield* outbox.progress("a")).left, 3)
        const { runner, told } = yield* T.runner(pool)
        yield* T.hear(told, 3)
        yield* runner.idle
        assert.lengthOf(asked, 3)
        yield* outbox.enqueue({ id: "b", tokens: T.tokens(3), notification: T.alert })
        yield* T.hear(told, 3)
        assert.lengthOf(asked, 6)
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("newer tables -> refused by writer and runner", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const { pool } = yield* T.pool()
        const { runner } = yield* T.runner(pool)
        yield* sql`INSERT INTO apns_outbox_migrations (migration_id, name) VALUES (99, 'later')`
        const refused = yield* Effect.flip(Outbox.make())
        assert.include(refused.message, "version 99")
        const refusedRunner = yield* Effect.flip(OutboxRunner.make({ pool: () => Effect.succeed(pool) }))
        assert.strictEqual(refusedRunner._tag, "SchemaMismatch")
        // one that runs notices it, and sends nothing more
        while ((yield* runner.stats).state !== "outdated") yield* Effect.sleep("50 millis")
        const outbox = yield* Outbox.Outbox
        yield* outbox.enqueue({ id: "a", tokens: T.tokens(1), notification: T.alert })
        yield* Effect.sleep("300 millis")
        assert.strictEqual((yield* outbox.progress("a")).left, 1)
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("the clock of a runner is a minute off -> its batches are not taken over", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const { asked, pool } = yield* T.pool(() => Effect.delay(Effect.succeed(T.accepted), "1500 millis"))
        const clock = yield* Effect.clock
        const off: Clock.Clock = {
          [Clock.ClockTypeId]: Clock.ClockTypeId,
          unsafeCurrentTimeMillis: () => clock.unsafeCurrentTimeMillis() - 60_000,
          unsafeCurrentTimeNanos: () => clock.unsafeCurrentTimeNanos() - 60_000_000_000n,
          currentTimeMillis: Effect.map(clock.currentTimeMillis, (millis) => millis - 60_000),
          currentTimeNanos: Effect.map(clock.currentTimeNanos, (nanos) => nanos - 60_000_000_000n),
          sleep: (duration) => clock.sleep(duration)
        }
        yield* outbox.enqueueAll({
          id: "a",
          tokens: Stream.fromIterable(T.tokens(100)),
          notification: T.alert,
          batchSize: 10
        })
        const first = yield* T.runner(pool, { lock: "1 second" })
        const second = yield* Effect.withClock(T.runner(pool, { lock: "1 second" }), off)
        yield* first.runner.idle
        assert.lengthOf(asked, 100)
        assert.strictEqual((yield* first.runner.stats).lost + (yield* second.runner.stats).lost, 0)
        assert.strictEqual((yield* outbox.progress("a")).accepted, 100)
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("onOutcomes hangs and cannot be interrupted -> called again, and the runner ends in time", () =>
      T.listen((lines) =>
        Effect.gen(function*() {
          const outbox = yield* Outbox.Outbox
          const { pool } = yield* T.pool()
          let calls = 0
          yield* outbox.enqueue({ id: "a", tokens: T.tokens(3), notification: T.alert })
          const runner = yield* OutboxRunner.make({
            pool: () => Effect.succeed(pool),
            onOutcomesTimeout: "100 millis",
            onOutcomes: () => Effect.suspend(() => ++calls < 2 ? Effect.uninterruptible(Effect.never) : Effect.void)
          })
          yield* runner.idle
          yield* T.said(lines, "ERROR", "it took longer than 100ms")
          assert.strictEqual(calls, 2)
        }).pipe(Effect.scoped, Effect.provide(live))
      ))

    it.live("onOutcomes dies, fails or hangs -> called again with the same outcomes", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const { pool } = yield* T.pool()
        let calls = 0
        const heard: Array<ReadonlyArray<string>> = []
        const interrupted = yield* Deferred.make<void>()
        yield* outbox.enqueue({ id: "a", tokens: T.tokens(3), notification: T.alert })
        const runner = yield* OutboxRunner.make({
          pool: () => Effect.succeed(pool),
          onOutcomesTimeout: "100 millis",
          onOutcomes: (outcomes) =>
            Effect.suspend(() => {
              heard.push(outcomes.map(({ key }) => key))
              calls++
              if (calls === 1) throw new Error("thrown on purpose")
              if (calls === 2) {
                return Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined))
              }
              return calls === 3 ? Effect.fail("failed on purpose") : Effect.void
            })
        })
        yield* Deferred.await(interrupted)
        yield* runner.idle
        assert.strictEqual(calls, 4)
        for (const keys of heard) assert.deepStrictEqual([...keys].sort(), ["a/0", "a/1", "a/2"])
        assert.strictEqual(yield* count("outcomes", "told = 0"), 0)
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("a runner died before it called onOutcomes -> another one does", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const sql = yield* SqlClient.SqlClient
        const { pool } = yield* T.pool()
        yield* outbox.enqueue({ id: "a", tokens: T.tokens(5), notification: T.alert })
        const scope = yield* Scope.make()
        const first = yield* Scope.extend(T.runner(pool), scope)
        yield* T.hear(first.told, 5)
        yield* first.runner.idle
        yield* Scope.close(scope, Exit.void)
        yield* sql`UPDATE apns_outbox_outcomes SET told = 0, teller = 'a runner that died'`
        const second = yield* T.runner(pool)
        assert.lengthOf(yield* T.hear(second.told, 5), 5)
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("a runner ends -> it waits for answers, and releases what it has not sent at once", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const gate = yield* Queue.unbounded<void>()
        const { asked, pool } = yield* T.pool(() => Effect.as(Queue.take(gate), T.accepted))
        yield* outbox.enqueue({ id: "a", tokens: T.tokens(50), notification: T.alert })
        const scope = yield* Scope.make()
        const first = yield* Scope.extend(T.runner(pool, { concurrency: 10, lock: "1 hour" }), scope)
        while (asked.length < 10) yield* Effect.sleep("10 millis")
        const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
        while ((yield* first.runner.stats).state !== "stopping") yield* Effect.sleep("5 millis")
        yield* Queue.offerAll(gate, Array.from({ length: 100 }, () => undefined))
        yield* closing.await
        assert.lengthOf(asked, 10)
        assert.strictEqual((yield* outbox.progress("a")).accepted, 10)
        assert.strictEqual(yield* count("batches", "acquired_by IS NOT NULL"), 0)
        assert.strictEqual(yield* count("runners"), 0)
        const second = yield* T.runner(pool)
        yield* T.hear(second.told, 40)
        assert.lengthOf(asked, 50)
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("a runner ends while the database is away -> its pools are released", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const sql = yield* SqlClient.SqlClient
        const { asked, pool } = yield* T.pool(() => Effect.never)
        const open = yield* Deferred.make<void>()
        const opening = yield* Deferred.make<void>()
        const released: Array<string> = []
        const scope = yield* Scope.make()
        const runner = yield* Scope.extend(
          OutboxRunner.make({
            pool: (tenant) =>
              Effect.acquireRelease(
                Effect.as(
                  tenant === "slow"
                    ? Effect.interruptible(Effect.zipRight(Deferred.succeed(opening, undefined), Deferred.await(open)))
                    : Effect.void,
                  pool
                ),
                () => Effect.sync(() => released.push(tenant))
              ).pipe(Effect.onInterrupt(() => Effect.sync(() => released.push(`${tenant}, not open yet`)))),
            pollInterval: "10 millis",
            drainTimeout: "50 millis"
          }),
          scope
        )
        for (const tenant of ["fast", "slow"]) {
          yield* outbox.enqueue({ id: tenant, tenant, tokens: T.tokens(1), notification: T.alert })
        }
        while (asked.length < 1) yield* Effect.sleep("5 millis")
        yield* Deferred.await(opening)
        yield* sql`ALTER TABLE apns_outbox_batches RENAME TO elsewhere`
        while (!(yield* runner.stats).databaseAway) yield* Effect.sleep("5 millis")
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual(released.sort(), ["fast", "slow, not open yet"])
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("another runner has taken over a batch -> nothing more is written of it", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const sql = yield* SqlClient.SqlClient
        const gate = yield* Queue.unbounded<void>()
        const { asked, pool } = yield* T.pool(() => Effect.as(Queue.take(gate), T.accepted))
        yield* outbox.enqueue({ id: "a", tokens: T.tokens(20), notification: T.alert })
        const { runner, told } = yield* T.runner(pool, { concurrency: 5 })
        while (asked.length < 5) yield* Effect.sleep("10 millis")
        yield* sql`INSERT INTO apns_outbox_runners (id, host, pid, started_at, beat_at, lock_millis)
          SELECT 'other', host, pid, started_at, beat_at + 3600000, lock_millis FROM apns_outbox_runners`
        yield* sql`UPDATE apns_outbox_batches SET acquired_by = 'other'`
        yield* Queue.offerAll(gate, Array.from({ length: 5 }, () => undefined))
        while ((yield* runner.stats).lost === 0) yield* Effect.sleep("10 millis")
        assert.strictEqual(yield* count("outcomes"), 0)
        assert.strictEqual((yield* outbox.progress("a")).accepted, 0)
        assert.strictEqual((yield* runner.stats).unsaved, 0)
        // the other one dies
        yield* sql`DELETE FROM apns_outbox_runners WHERE id = 'other'`
        yield* Queue.offerAll(gate, Array.from({ length: 100 }, () => undefined))
        // each is told once at least: it does not know whether what it lost was written, and looks for it
        const heard = new Set<string>()
        while (heard.size < 20) for (const { key } of yield* T.hear(told, 1)) heard.add(key)
        // what was in flight went out again, under the ids that it had
        for (const { apnsId, token } of asked) {
          assert.strictEqual(apnsId, asked.find((other) => other.token === token)?.apnsId)
        }
        assert.isAtMost(asked.length, 25)
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("a runner whose batches were taken over -> starts again", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const sql = yield* SqlClient.SqlClient
        const { pool } = yield* T.pool()
        const { told } = yield* T.runner(pool)
        yield* sql`DELETE FROM apns_outbox_runners`
        yield* outbox.enqueue({ id: "a", tokens: T.tokens(3), notification: T.alert })
        yield* T.hear(told, 3)
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("runners die with a batch again and again -> it becomes dead letters", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const sql = yield* SqlClient.SqlClient
        const { asked, pool } = yield* T.pool()
        yield* outbox.enqueue({ id: "poison", tokens: T.tokens(2), notification: T.alert })
        yield* outbox.enqueue({ id: "good", tokens: T.tokens(2, 10), notification: T.alert })
        yield* sql`UPDATE apns_outbox_batches SET started = 3 WHERE campaign = 'poison'`
        const { told } = yield* T.runner(pool, { maxDeaths: 3 })
        const outcomes = yield* T.hear(told, 4)
        assert.sameDeepMembers(
          outcomes.map((outcome) => [
            outcome.key,
            outcome._tag === "Failed" ? outcome.reason : outcome._tag
          ]),
          [["poison/0", "Abandoned"], ["poison/1", "Abandoned"], ["good/0", "Accepted"], ["good/1", "Accepted"]]
        )
        assert.lengthOf(asked, 2)
        assert.strictEqual(yield* outbox.sendAgain("poison"), 2)
        yield* T.hear(told, 2)
        assert.strictEqual((yield* outbox.progress("poison")).accepted, 2)
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("retries as often as the campaign allows -> the last error is kept", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const { asked, pool } = yield* T.pool(() => T.rejected(503, "ServiceUnavailable"))
        yield* outbox.enqueue({
          id: "a",
          tokens: T.tokens(1),
          notification: T.alert,
          timeout: "10 millis",
          retry: { attempts: 2, delay: "1 second", factor: 1 }
        })
        const { runner, told } = yield* T.runner(pool)
        while ((yield* outbox.progress("a")).retrying === 0) yield* Effect.sleep("10 millis")
        yield* runner.idle
        yield* T.moveTime(1200)
        const [outcome] = yield* T.hear(told, 1)
        assert.isTrue(outcome?._tag === "Failed" && outcome.reason === "RetriesExhausted")
        assert.include(outcome?._tag === "Failed" ? outcome.description : "", "ServiceUnavailable")
        assert.strictEqual(asked.length, 2)
      }).pipe(Effect.scoped, Effect.provide(still)))

    it.live("deletes what a writer has left of a campaign that it never completed, when it was kept long enough", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const { pool } = yield* T.pool()
        const tokens = Stream.concat(Stream.fromIterable(T.tokens(60)), Stream.fail("lost the cursor"))
        const retention = { details: "1 day" } as const
        for (const id of ["old", "young"]) {
          yield* Effect.ignore(outbox.enqueueAll({ id, tokens, notification: T.alert, batchSize: 50 }))
          // each lives for a day
          if (id === "old") yield* T.moveTime(30 * 3_600_000)
        }
        yield* T.moveTime(20 * 3_600_000)
        yield* T.runner(pool, { retention })
        while ((yield* count("campaigns")) > 1) yield* Effect.sleep("20 millis")
        assert.strictEqual((yield* outbox.progress("young")).total, 60)
        assert.strictEqual(yield* count("batches"), 2)
        assert.strictEqual(yield* count("tokens"), 1)
      }).pipe(Effect.scoped, Effect.provide(still)))

    it.live("dead letters are sent again by several callers at once -> each of them once", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const answers = { accept: false }
        const { asked, pool } = yield* T.pool(() => answers.accept ? T.accepted : T.rejected(403, "Forbidden"))
        yield* outbox.enqueueAll({
          id: "a",
          tokens: Stream.fromIterable(T.tokens(60)),
          notification: T.alert,
          batchSize: 10
        })
        const scope = yield* Scope.make()
        yield* Scope.extend(T.runner(pool), scope)
        while ((yield* outbox.progress("a")).rejected < 60) yield* Effect.sleep("10 millis")
        yield* Scope.close(scope, Exit.void)
        asked.length = 0
        answers.accept = true
        const counts = yield* Effect.all(Array.from({ length: 5 }, () => outbox.sendAgain("a")), {
          concurrency: "unbounded"
        })
        assert.strictEqual(counts.reduce((sum, count) => sum + count, 0), 60)
        const { left, rejected } = yield* outbox.progress("a")
        assert.deepStrictEqual([left, rejected], [60, 0])
        const { told } = yield* T.runner(pool)
        while ((yield* outbox.progress("a")).accepted < 60) yield* Effect.sleep("10 millis")
        assert.lengthOf(asked, 60)
        assert.strictEqual((yield* outbox.progress("a")).state, "done")
        yield* Queue.takeAll(told)
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("dead letters are sent again while the last batch ends -> the campaign is not taken for done", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const sql = yield* SqlClient.SqlClient
        const gate = yield* Deferred.make<void>()
        const answers = { accept: false }
        const { pool } = yield* T.pool(({ token }) =>
          token === T.token(9)
            ? Effect.as(Deferred.await(gate), T.accepted)
            : answers.accept
            ? T.accepted
            : T.rejected(403, "Forbidden")
        )
        yield* outbox.enqueueAll({
          id: "a",
          tokens: Stream.fromIterable(T.tokens(10)),
          notification: T.alert,
          batchSize: 9
        })
        const { runner } = yield* T.runner(pool)
        while ((yield* outbox.progress("a")).rejected < 9) yield* Effect.sleep("10 millis")
        answers.accept = true
        const ended = sql`SELECT id FROM apns_outbox_batches WHERE number = 1 AND state = 2`
        yield* sql.withTransaction(Effect.gen(function*() {
          assert.strictEqual(yield* outbox.sendAgain("a"), 9)
          yield* Deferred.succeed(gate, undefined)
          if (name !== "PostgreSQL") return
          // the last batch has ended, and the runner waits for this transaction
          while ((yield* ended).length === 0) yield* Effect.sleep("10 millis")
          while ((yield* sql`SELECT pid FROM pg_locks WHERE NOT granted`).length === 0) yield* Effect.sleep("10 millis")
        }))
        while ((yield* outbox.progress("a")).left > 0) yield* Effect.sleep("10 millis")
        yield* runner.idle
        const { accepted, rejected, state } = yield* outbox.progress("a")
        assert.deepStrictEqual([state, accepted, rejected], ["done", 10, 0])
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("dead letters are sent again while a runner deletes what was kept long enough -> they are sent", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const sql = yield* SqlClient.SqlClient
        const answers = { accept: false }
        const { pool } = yield* T.pool(() => answers.accept ? T.accepted : T.rejected(403, "Forbidden"))
        yield* outbox.enqueue({ id: "a", tokens: T.tokens(3), notification: T.alert })
        const scope = yield* Scope.make()
        const first = yield* Scope.extend(T.runner(pool), scope)
        yield* T.hear(first.told, 3)
        yield* first.runner.idle
        yield* Scope.close(scope, Exit.void)
        answers.accept = true
        yield* T.moveTime(25 * 3_600_000)
        const again = yield* Deferred.make<void>()
        const commit = yield* Deferred.make<void>()
        const sending = yield* Effect.fork(sql.withTransaction(Effect.gen(function*() {
          assert.strictEqual(yield* outbox.sendAgain("a"), 3)
          yield* Deferred.succeed(again, undefined)
          yield* Deferred.await(commit)
        })))
        yield* Deferred.await(again)
        const starting = yield* Effect.forkScoped(T.runner(pool, { retention: { details: "1 day" } }))
        if (name === "PostgreSQL") {
          // the runner has found the campaign, and waits for the transaction
          while ((yield* sql`SELECT pid FROM pg_locks WHERE NOT granted`).length === 0) yield* Effect.sleep("10 millis")
        }
        yield* Deferred.succeed(commit, undefined)
        yield* Fiber.join(sending)
        yield* Fiber.join(starting)
        while ((yield* outbox.progress("a")).accepted < 3) yield* Effect.sleep("10 millis")
        assert.strictEqual((yield* outbox.progress("a")).state, "done")
      }).pipe(Effect.scoped, Effect.provide(still)))

    it.live("deletes what is done when it was kept long enough, and then the campaign", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const { pool } = yield* T.pool()
        yield* outbox.enqueue({ id: "a", tokens: T.tokens(3), notification: T.alert })
        const scope = yield* Scope.make()
        const first = yield* Scope.extend(T.runner(pool), scope)
        yield* T.hear(first.told, 3)
        yield* first.runner.idle
        yield* Scope.close(scope, Exit.void)
        const retention = { details: "1 day", campaigns: "2 days" } as const
        yield* T.moveTime(25 * 3_600_000)
        const second = yield* T.runner(pool, { retention })
        while ((yield* count("batches")) > 0) yield* Effect.sleep("20 millis")
        assert.strictEqual(yield* count("outcomes"), 0)
        const { accepted, state } = yield* outbox.progress("a")
        assert.deepStrictEqual([state, accepted], ["done", 3])
        assert.strictEqual((yield* second.runner.stats).state, "running")
        yield* T.moveTime(24 * 3_600_000)
        yield* T.runner(pool, { retention })
        while ((yield* count("campaigns")) > 0) yield* Effect.sleep("20 millis")
      }).pipe(Effect.scoped, Effect.provide(still)))
  })
})

describe("a libSQL file", () => {
  it.live("opened by two processes -> the second gets an error that names the first", () =>
    Effect.gen(function*() {
      const file = join(yield* T.folder, "outbox.db")
      const scope = yield* Scope.make()
      yield* Scope.extend(LibsqlFile.make({ file }), scope)
      const refused = yield* Effect.flip(LibsqlFile.make({ file }))
      assert.isTrue(refused._tag === "DatabaseFileInUse" && refused.owner?.pid === process.pid)
      assert.include(refused.message, String(process.pid))
      yield* Scope.close(scope, Exit.void)
      yield* LibsqlFile.make({ file })
    }).pipe(Effect.scoped))

  for (const [what, missing] of [["", false], [" before it exists", true]] as const) {
    it.live(`opened by the name of a symbolic link${what} -> one file, one owner`, () =>
      Effect.gen(function*() {
        const folder = yield* T.folder
        const file = join(folder, "outbox.db")
        const folderLink = join(folder, "by folder")
        const fileLink = join(folder, "by name.db")
        symlinkSync(folder, folderLink)
        symlinkSync(file, fileLink)
        const names = [fileLink, join(folderLink, "outbox.db"), file]
        if (!missing) yield* Effect.scoped(LibsqlFile.make({ file }))
        for (const name of names) {
          yield* Effect.scoped(Effect.gen(function*() {
            const sql = yield* LibsqlFile.make({ file: name })
            yield* sql`CREATE TABLE IF NOT EXISTS t (a INTEGER)`
            for (const other of names) {
              const refused = yield* Effect.flip(LibsqlFile.make({ file: other }))
              assert.isTrue(refused._tag === "DatabaseFileInUse" && refused.owner?.pid === process.pid)
            }
          }))
          if (missing && name === fileLink) rmSync(file)
        }
      }).pipe(Effect.scoped))
  }

  it.live("a runner starts while another one of its process looks for dead ones -> it is not taken for dead", () =>
    T.listen((lines) =>
      Effect.gen(function*() {
        const sql = yield* LibsqlFile.make({ file: join(yield* T.folder, "outbox.db") })
        const { pool } = yield* T.pool()
        const runner = Effect.provideService(T.runner(pool, { lock: "1 second" }), SqlClient.SqlClient, sql)
        yield* runner
        // the statements of both go in turns: first one of the new runner, then one of the other, which looks for dead ones
        const held = yield* Deferred.make<void>()
        const holding = yield* Effect.fork(
          sql.withTransaction(Effect.zipRight(Deferred.succeed(held, undefined), Effect.sleep("500 millis")))
        )
        yield* Deferred.await(held)
        yield* runner
        yield* Fiber.join(holding)
        const ids = sql`SELECT id FROM apns_outbox_runners`
        const before = yield* ids
        assert.lengthOf(before, 2)
        yield* Effect.sleep("500 millis")
        assert.deepStrictEqual(yield* ids, before)
        assert.deepStrictEqual(lines.filter(({ level }) => level === "WARN"), [])
      }).pipe(Effect.scoped)
    ))

  it.live("that cannot be opened is a typed error", () =>
    Effect.gen(function*() {
      const refused = yield* Effect.flip(LibsqlFile.make({ file: join(yield* T.folder, "missing", "outbox.db") }))
      assert.strictEqual(refused._tag, "DatabaseFileError")
    }).pipe(Effect.scoped))

  it.live("the disk is full -> nothing is lost, and it continues when there is space", (context) =>
    Effect.gen(function*() {
      const path = yield* T.folder
      const mounted = yield* T.smallDisk(path, "24m")
      if (!mounted) return context.skip("a small disk needs root and tmpfs")
      yield* T.listen((lines) =>
        Effect.gen(function*() {
          const outbox = yield* Outbox.Outbox
          const { asked, pool } = yield* T.pool(() => T.rejected(400, "DeviceTokenNotForTopic"))
          yield* outbox.enqueue({ id: "a", tokens: T.tokens(6000), notification: T.alert })
          const ballast = join(path, "ballast")
          T.fillDisk(ballast)
          const refused = yield* Effect.flip(
            outbox.enqueue({ id: "b", tokens: T.tokens(20_000), notification: T.alert })
          )
          assert.strictEqual(refused._tag, "SqlError")
          // it waits with its very first row
          const starting = yield* Effect.fork(T.runner(pool, { concurrency: 2000 }))
          const line = yield* T.said(lines, "ERROR", "The database does not answer, or refuses")
          assert.match(line.message, /full/i)
          assert.isAtMost(asked.length, 2000)
          yield* Effect.sync(() => rmSync(ballast))
          const { told } = yield* starting
          yield* T.hear(told, 6000)
          assert.strictEqual(asked.length, 6000)
          assert.strictEqual((yield* outbox.progress("a")).rejected, 6000)
          yield* outbox.enqueue({ id: "b", tokens: T.tokens(20_000), notification: T.alert })
        })
      ).pipe(
        Effect.scoped,
        Effect.provide(Layer.provideMerge(T.outbox, Layer.orDie(LibsqlFile.layer({ file: join(path, "outbox.db") }))))
      )
    }).pipe(Effect.scoped))
})

describe.skipIf(Postgres.binaries === undefined)("a PostgreSQL that is down", () => {
  it.live("at the start or later -> the runner waits, and nothing is sent twice", () =>
    Effect.gen(function*() {
      const server = yield* Postgres.make
      yield* server.createDatabase("away")
      yield* T.listen((lines) =>
        Effect.gen(function*() {
          const outbox = yield* Outbox.Outbox
          const { asked, pool } = yield* T.pool()
          yield* outbox.enqueue({ id: "a", tokens: T.tokens(10), notification: T.alert })
          yield* server.stop
          const refused = yield* Effect.flip(outbox.enqueue({ id: "b", tokens: T.tokens(1), notification: T.alert }))
          assert.strictEqual(refused._tag, "SqlError")
          // the runner starts without its database, and waits
          const starting = yield* Effect.fork(T.runner(pool, { concurrency: 100 }))
          const line = yield* T.said(
            lines,
            "ERROR",
            "at most 100 notifications are sent until it is back, and nothing is lost"
          )
          assert.match(line.message, /ECONNREFUSED|terminat|refused/i)
          assert.lengthOf(asked, 0)
          yield* server.start
          const { runner, told } = yield* starting
          yield* T.hear(told, 10)
          yield* runner.idle

          yield* outbox.enqueueAll({
            id: "c",
            tokens: Stream.fromIterable(T.tokens(20_000, 1000)),
            notification: T.alert
          })
          while (asked.length < 1000) yield* Effect.sleep("1 millis")
          yield* server.stop
          while (!(yield* runner.stats).databaseAway) yield* Effect.sleep("20 millis")
          const before = asked.length
          assert.isAtMost((yield* runner.stats).unsaved, 100)
          yield* Effect.sleep("200 millis")
          assert.strictEqual(asked.length, before)
          yield* server.start
          // what was being told when the server went may be told again
          const heard = new Set<string>()
          while (heard.size < 20_000) for (const { key } of yield* T.hear(told, 1)) heard.add(key)
          assert.strictEqual((yield* outbox.progress("c")).accepted, 20_000)
          // the lock of its runner was longer than that: nothing was sent again
          assert.lengthOf(asked, 20_010)
          // one line for each time that it went, however often it was asked meanwhile, and one for each time that it came back
          const of = (text: string) => lines.filter(({ message }) => message.includes(text)).length
          assert.isAtMost(of("The database does not answer, or refuses"), 3)
          yield* T.said(lines, "INFO", "The database answers again, and the outbox goes on")
        })
      ).pipe(
        Effect.scoped,
        Effect.provide(Layer.provideMerge(T.outbox, Postgres.client(server.url("away"))))
      )
    }).pipe(Effect.scoped), 180_000)
})
