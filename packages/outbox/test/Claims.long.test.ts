import { Outbox } from "@effect-apns/outbox"
import { SqlClient } from "@effect/sql"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Exit, Layer, Queue, Scope } from "effect"
import * as T from "./utils.js"

/** A clock that a test can move, and that runs on its own beside. */
const movable = Effect.map(Effect.clock, (clock) => {
  let millis = 0
  const nanos = () => BigInt(millis) * 1_000_000n
  const moved: Clock.Clock = {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: () => clock.unsafeCurrentTimeMillis() + millis,
    unsafeCurrentTimeNanos: () => clock.unsafeCurrentTimeNanos() + nanos(),
    currentTimeMillis: Effect.map(clock.currentTimeMillis, (now) => now + millis),
    currentTimeNanos: Effect.map(clock.currentTimeNanos, (now) => now + nanos()),
    sleep: (duration) => clock.sleep(duration)
  }
  return {
    clock: moved,
    move: (by: number) => {
      millis += by
    }
  }
})

/** A runner of another process, as it stands in the database. */
const otherRunner = (id: string, silentMillis: number) =>
  Effect.flatMap(
    SqlClient.SqlClient,
    (sql) =>
      sql`INSERT INTO apns_outbox_runners (id, host, pid, started_at, beat_at, lock_millis)
          SELECT ${id}, 'host', 1, 0, (SELECT MAX(send_at) FROM apns_outbox_campaigns) - ${silentMillis}, 3600000`
  )

/** The next sign of life of the runner that has just been started. */
const nextBeat = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const read = Effect.map(
    sql<{ beat: unknown }>`SELECT MAX(beat_at) AS beat FROM apns_outbox_runners WHERE host <> 'host'`,
    ([row]) => Number(row?.beat)
  )
  const before = yield* read
  while ((yield* read) <= before) yield* Effect.sleep("20 millis")
})

T.onEachDatabase((name, database) => {
  const live = Layer.provideMerge(T.outbox, database)
  const still = Layer.provideMerge(T.outbox, Layer.provideMerge(T.stillTime, T.still(database)))

  describe(`batches held by a runner on ${name}`, () => {
    it.live("the answer to the claim is lost with the connection -> the batch is still sent", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const sql = yield* SqlClient.SqlClient
        const { asked, pool } = yield* T.pool()
        const { runner, told } = yield* T.runner(pool)
        yield* outbox.enqueue({ id: "a", tokens: T.tokens(1), notification: T.alert })
        yield* T.hear(told, 1)
        // a statement of the runner that was done, and of which the runner knows nothing
        yield* outbox.enqueue({
          id: "b",
          tokens: T.tokens(2, 10),
          notification: T.alert,
          at: new Date(Date.UTC(2100, 0))
        })
        yield* sql`UPDATE apns_outbox_batches SET due_at = 0, started = 1,
          acquired_by = (SELECT id FROM apns_outbox_runners) WHERE campaign = 'b'`
        // and a failure of the database, as the loss of a connection is
        yield* sql`ALTER TABLE apns_outbox_campaigns RENAME TO elsewhere`
        while (!(yield* runner.stats).databaseAway) yield* Effect.sleep("10 millis")
        yield* sql`ALTER TABLE elsewhere RENAME TO apns_outbox_campaigns`
        yield* T.hear(told, 2)
        yield* runner.idle
        assert.lengthOf(asked, 3)
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("the answer to the claim of outcomes is lost, or the next statement fails -> onOutcomes still gets them", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const sql = yield* SqlClient.SqlClient
        const { pool } = yield* T.pool()
        yield* outbox.enqueue({ id: "a", tokens: T.tokens(3), notification: T.alert })
        const scope = yield* Scope.make()
        const first = yield* Scope.extend(T.runner(pool), scope)
        yield* T.hear(first.told, 3)
        yield* first.runner.idle
        yield* Scope.close(scope, Exit.void)
        yield* sql`UPDATE apns_outbox_outcomes SET told = 0, teller = NULL`
        // the claim succeeds, and what is read after it fails
        yield* sql`ALTER TABLE apns_outbox_batches RENAME COLUMN first_index TO elsewhere`
        const { runner, told } = yield* T.runner(pool)
        while ((yield* sql`SELECT seq FROM apns_outbox_outcomes WHERE teller IS NOT NULL`).length === 0) {
          yield* Effect.sleep("5 millis")
        }
        while (!(yield* runner.stats).databaseAway) yield* Effect.sleep("5 millis")
        yield* sql`ALTER TABLE apns_outbox_batches RENAME COLUMN elsewhere TO first_index`
        const keys = (yield* T.hear(told, 3)).map(({ key }) => key)
        assert.deepStrictEqual([...keys].sort(), ["a/0", "a/1", "a/2"])
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("the database is down for longer than the lock -> the batch is not taken over", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const sql = yield* SqlClient.SqlClient
        const gate = yield* Queue.unbounded<void>()
        const { asked, pool } = yield* T.pool(() => Effect.as(Queue.take(gate), T.accepted))
        yield* outbox.enqueue({ id: "a", tokens: T.tokens(20), notification: T.alert })
        const first = yield* T.runner(pool, { concurrency: 5 })
        while (asked.length < 5) yield* Effect.sleep("5 millis")
        const second = yield* T.runner(pool)
        // a minute of the database's time in which nobody was heard of; whoever comes first must not bury the other
        yield* T.moveTime(60_000)
        while ((yield* sql`SELECT id FROM apns_outbox_runners WHERE beat_at < (SELECT ms FROM clock)`).length > 0) {
          yield* Effect.sleep("5 millis")
        }
        assert.lengthOf(asked, 5)
        assert.lengthOf(yield* sql`SELECT id FROM apns_outbox_runners`, 2)
        yield* Queue.offerAll(gate, Array.from({ length: 20 }, () => undefined))
        yield* T.hear(first.told, 20)
        assert.lengthOf(asked, 20)
        assert.strictEqual((yield* first.runner.stats).lost + (yield* second.runner.stats).lost, 0)
      }).pipe(Effect.scoped, Effect.provide(still)))

    for (
      const [what, millis] of [["its machine stood still", 60_000], ["its clock was set back", -3_600_000]] as const
    ) {
      it.live(`the lock may have expired, since ${what} -> nothing more is sent`, () =>
        Effect.gen(function*() {
          const outbox = yield* Outbox.Outbox
          const sql = yield* SqlClient.SqlClient
          const { clock, move } = yield* movable
          const gate = yield* Queue.unbounded<void>()
          const { asked, pool } = yield* T.pool(() => Effect.as(Queue.take(gate), T.accepted))
          yield* outbox.enqueue({ id: "a", tokens: T.tokens(100), notification: T.alert })
          const { runner } = yield* Effect.withClock(T.runner(pool, { concurrency: 10 }), clock)
          while (asked.length < 10) yield* Effect.sleep("5 millis")
          // signs of life cannot be written, checkpoints can
          yield* sql`ALTER TABLE apns_outbox_runners RENAME TO elsewhere`
          while (!(yield* runner.stats).databaseAway) yield* Effect.sleep("5 millis")
          move(millis)
          yield* Queue.offerAll(gate, Array.from({ length: 10 }, () => undefined))
          while ((yield* outbox.progress("a")).accepted < 10) yield* Effect.sleep("5 millis")
          while ((yield* runner.stats).unsaved > 0) yield* Effect.sleep("5 millis")
          assert.lengthOf(asked, 10)
          yield* sql`ALTER TABLE elsewhere RENAME TO apns_outbox_runners`
          yield* Queue.offerAll(gate, Array.from({ length: 90 }, () => undefined))
          yield* runner.idle
          assert.lengthOf(asked, 100)
          assert.strictEqual((yield* outbox.progress("a")).accepted, 100)
        }).pipe(Effect.scoped, Effect.provide(live)))
    }

    for (const minutes of [-60, 60]) {
      it.live(`the clock of the machine is ${minutes} minutes ahead -> a campaign lives as long by the database's`, () =>
        Effect.gen(function*() {
          const outbox = yield* Outbox.Outbox
          const { clock, move } = yield* movable
          move(minutes * 60_000)
          const { pool } = yield* Effect.withClock(T.pool(), clock)
          const now = yield* Clock.currentTimeMillis
          yield* outbox.enqueue({
            id: "a",
            tokens: T.tokens(3),
            notification: T.alert,
            expiresAt: new Date(now + 10 * 60_000)
          })
          const { told } = yield* Effect.withClock(T.runner(pool), clock)
          const outcomes = yield* T.hear(told, 3)
          assert.deepStrictEqual(outcomes.map(({ _tag }) => _tag), ["Accepted", "Accepted", "Accepted"])
        }).pipe(Effect.scoped, Effect.provide(live)))
    }

    it.live("the clock of the database is set forward by an hour -> no runner is taken for dead", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const sql = yield* SqlClient.SqlClient
        const gate = yield* Queue.unbounded<void>()
        const { asked, pool } = yield* T.pool(() => Effect.as(Queue.take(gate), T.accepted))
        yield* outbox.enqueue({ id: "a", tokens: T.tokens(20), notification: T.alert })
        const first = yield* T.runner(pool, { concurrency: 5, lock: "1 second" })
        const second = yield* T.runner(pool, { concurrency: 5, lock: "1 second" })
        while (asked.length < 5) yield* Effect.sleep("5 millis")
        // each has heard of the other for longer than the lock
        yield* Effect.sleep("1500 millis")
        const ids = sql`SELECT id FROM apns_outbox_runners ORDER BY id`
        const before = yield* ids
        yield* T.moveTime(3_600_000)
        while ((yield* sql`SELECT id FROM apns_outbox_runners WHERE beat_at < (SELECT ms FROM clock)`).length > 0) {
          yield* Effect.sleep("5 millis")
        }
        assert.deepStrictEqual(yield* ids, before)
        yield* Queue.offerAll(gate, Array.from({ length: 20 }, () => undefined))
        while ((yield* outbox.progress("a")).accepted < 20) yield* Effect.sleep("5 millis")
        assert.lengthOf(asked, 20)
        assert.strictEqual((yield* first.runner.stats).lost + (yield* second.runner.stats).lost, 0)
      }).pipe(Effect.scoped, Effect.provide(still)))

    it.live("the batches are lost to another runner -> no more is sent than was in flight", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const sql = yield* SqlClient.SqlClient
        const gate = yield* Queue.unbounded<void>()
        const { asked, pool } = yield* T.pool(() => Effect.as(Queue.take(gate), T.accepted))
        yield* outbox.enqueue({ id: "a", tenant: "a", tokens: T.tokens(50), notification: T.alert })
        yield* outbox.enqueue({ id: "b", tenant: "b", tokens: T.tokens(50, 100), notification: T.alert })
        const { runner } = yield* T.runner(pool, { concurrency: 10 })
        while (asked.length < 10) yield* Effect.sleep("5 millis")
        while ((yield* runner.stats).batches < 2) yield* Effect.sleep("5 millis")
        yield* otherRunner("other", -3_600_000)
        yield* sql`UPDATE apns_outbox_batches SET acquired_by = 'other'`
        // one answer is enough to hear of it
        yield* Queue.offer(gate, undefined)
        while ((yield* runner.stats).batches > 0) yield* Effect.sleep("5 millis")
        assert.lengthOf(asked, 10)
        assert.deepInclude(yield* runner.stats, { unsaved: 0, inFlight: 0, lost: 2 })
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("the answer to the commit of the last checkpoint is lost -> the campaign still ends", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const sql = yield* SqlClient.SqlClient
        const gate = yield* Queue.unbounded<void>()
        const { asked, pool } = yield* T.pool(() => Effect.as(Queue.take(gate), T.accepted))
        yield* outbox.enqueue({ id: "a", tokens: T.tokens(1), notification: T.alert })
        const { runner } = yield* T.runner(pool)
        while (asked.length < 1) yield* Effect.sleep("5 millis")
        // what that commit has written
        yield* sql`UPDATE apns_outbox_batches SET state = 2, acquired_by = NULL, accepted = 1, chunks = 1`
        yield* Queue.offer(gate, undefined)
        while ((yield* runner.stats).batches > 0) yield* Effect.sleep("5 millis")
        while ((yield* sql`SELECT id FROM apns_outbox_campaigns WHERE finished_at IS NULL`).length > 0) {
          yield* Effect.sleep("5 millis")
        }
        assert.strictEqual((yield* outbox.progress("a")).state, "done")
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("tokens that cannot be read -> the campaign is stopped, the others continue", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const sql = yield* SqlClient.SqlClient
        const { asked, pool } = yield* T.pool()
        for (const [id, tokens] of [["short", "0100400a"], ["no-json", "007b"], ["none", ""]] as const) {
          yield* outbox.enqueue({ id, tokens: T.tokens(2), notification: T.alert })
          yield* sql`UPDATE apns_outbox_batches SET tokens = ${Buffer.from(tokens, "hex")} WHERE campaign = ${id}`
        }
        yield* outbox.enqueue({ id: "good", tokens: T.tokens(2, 10), notification: T.alert })
        const { runner, told } = yield* T.runner(pool)
        yield* T.hear(told, 2)
        yield* runner.idle
        assert.lengthOf(asked, 2)
        for (const id of ["short", "no-json", "none"]) {
          const { reason, state } = yield* outbox.progress(id)
          assert.strictEqual(state, "stopped")
          assert.include(reason, "cannot be read")
        }
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live(
      name === "libSQL"
        ? "is taken over from a runner of another process at once: that one cannot have the file open any more"
        : "is taken over from a silent runner only when this one could have heard it for a whole lock",
      () =>
        Effect.gen(function*() {
          const outbox = yield* Outbox.Outbox
          const sql = yield* SqlClient.SqlClient
          const { asked, pool } = yield* T.pool()
          yield* outbox.enqueue({ id: "a", tokens: T.tokens(1), notification: T.alert })
          yield* otherRunner("silent", name === "libSQL" ? 0 : 7_200_000)
          yield* sql`UPDATE apns_outbox_batches SET acquired_by = 'silent'`
          const { told } = yield* T.runner(pool)
          if (name !== "libSQL") {
            yield* nextBeat
            yield* nextBeat
            assert.lengthOf(asked, 0)
            yield* sql`UPDATE apns_outbox_runners SET lock_millis = 1 WHERE id = 'silent'`
          }
          yield* T.hear(told, 1)
        }).pipe(Effect.scoped, Effect.provide(live))
    )
  })
})
