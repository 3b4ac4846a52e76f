import { Notification } from "@effect-apns/models"
import { Outbox, OutboxError } from "@effect-apns/outbox"
import { SqlClient } from "@effect/sql"
import { assert, describe, it } from "@effect/vitest"
import { Cause, DateTime, Effect, Either, Exit, Fiber, Layer, Schedule, Stream } from "effect"
import * as T from "./utils.js"

T.onEachDatabase((name, database) => {
  const live = Layer.provideMerge(T.outbox, database)

  describe(`enqueue on ${name}`, () => {
    it.live("commits and rolls back with the transaction of the caller", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const sql = yield* SqlClient.SqlClient
        yield* sql`CREATE TABLE orders (id TEXT)`
        const ship = (id: string, fails: boolean) =>
          sql.withTransaction(Effect.gen(function*() {
            yield* sql`INSERT INTO orders VALUES (${id})`
            yield* outbox.enqueue({ id: `shipped-${id}`, tokens: [T.token(1)], notification: T.alert })
            if (fails) return yield* Effect.fail("rolled back" as const)
          }))
        yield* ship("a", false)
        assert.isTrue(Exit.isFailure(yield* Effect.exit(ship("b", true))))
        assert.strictEqual((yield* outbox.progress("shipped-a")).total, 1)
        const missing = yield* Effect.flip(outbox.progress("shipped-b"))
        assert.strictEqual(missing._tag, "CampaignNotFound")
        assert.lengthOf(yield* sql`SELECT * FROM orders`, 1)
        assert.lengthOf(yield* sql`SELECT * FROM apns_outbox_batches`, 1)
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("concurrent callers -> each gets its own result, and there is one campaign for each id", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        yield* outbox.enqueue({ id: "order-7", tokens: [T.token(99)], notification: T.alert })
        const results = yield* Effect.forEach(
          Array.from({ length: 90 }, (_, i) => i % 60),
          (i) => Effect.either(outbox.enqueue({ id: `order-${i}`, tokens: [T.token(i)], notification: T.alert })),
          { concurrency: "unbounded" }
        )
        for (const [i, result] of results.entries()) {
          if (i % 60 === 7) assert.isTrue(Either.isLeft(result) && result.left._tag === "CampaignConflict")
          else assert.deepStrictEqual(result, Either.right({ id: `order-${i % 60}`, created: i < 60, total: 1 }))
        }
        const sql = yield* SqlClient.SqlClient
        assert.lengthOf(yield* sql`SELECT * FROM apns_outbox_campaigns`, 60)
        assert.lengthOf(yield* sql`SELECT * FROM apns_outbox_batches`, 60)
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("a caller that enqueues for others is interrupted -> the others are still enqueued", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const enqueue = (i: number) => outbox.enqueue({ id: `order-${i}`, tokens: [T.token(i)], notification: T.alert })
        const first = yield* Effect.fork(enqueue(0))
        const others = yield* Effect.fork(Effect.forEach([1, 2, 3], enqueue, { concurrency: "unbounded" }))
        yield* Effect.yieldNow()
        yield* Fiber.interrupt(first)
        assert.deepStrictEqual((yield* others).map(({ created }) => created), [true, true, true])
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("COMMIT fails -> the caller gets SqlError, and the connection can be used again", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const sql = yield* SqlClient.SqlClient
        if (name === "libSQL") yield* sql`PRAGMA foreign_keys = ON`
        yield* sql`CREATE TABLE customers (id INTEGER PRIMARY KEY)`
        yield* sql`CREATE TABLE orders (customer INTEGER REFERENCES customers (id) DEFERRABLE INITIALLY DEFERRED)`
        const ship = Effect.gen(function*() {
          yield* sql`INSERT INTO orders VALUES (1)`
          yield* outbox.enqueue({ id: "shipped", tokens: [T.token(1)], notification: T.alert })
        })
        for (const withTransaction of [Outbox.withTransaction, ...(name === "libSQL" ? [sql.withTransaction] : [])]) {
          const error = yield* Effect.flip(withTransaction(ship))
          assert.strictEqual(error._tag, "SqlError")
          assert.strictEqual((yield* Effect.flip(outbox.progress("shipped")))._tag, "CampaignNotFound")
          assert.lengthOf(yield* sql`SELECT * FROM orders`, 0)
        }
        yield* sql`INSERT INTO customers VALUES (1)`
        yield* Outbox.withTransaction(ship)
        assert.strictEqual((yield* outbox.progress("shipped")).total, 1)
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("the same id with the same content twice -> one campaign", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        for (const count of [1, 20, 12_000]) {
          const campaign = { id: `campaign of ${count}`, tokens: T.tokens(count), notification: T.alert }
          assert.deepStrictEqual(yield* outbox.enqueue(campaign), { id: campaign.id, created: true, total: count })
          assert.deepStrictEqual(yield* outbox.enqueue(campaign), { id: campaign.id, created: false, total: count })
          assert.strictEqual((yield* outbox.progress(campaign.id)).left, count)
        }
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("the same id with another tenant, notification or other tokens -> refused", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const campaign = { id: "a", tokens: T.tokens(2), notification: T.alert }
        yield* outbox.enqueue(campaign)
        const differs = (other: Partial<Outbox.EnqueueOptions>) =>
          Effect.map(
            Effect.flip(outbox.enqueue({ ...campaign, ...other })),
            (error) => error._tag === "CampaignConflict" ? error.differs : error._tag
          )
        assert.strictEqual(yield* differs({ tenant: "other" }), "tenant")
        assert.strictEqual(yield* differs({ notification: Notification.alert({ alert: "Other" }) }), "notification")
        assert.strictEqual(yield* differs({ tokens: T.tokens(3) }), "tokens")
        // times may be reckoned anew
        const again = yield* outbox.enqueue({ ...campaign, at: DateTime.unsafeMake("2030-01-01") })
        assert.isFalse(again.created)
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("ids of 1024 characters -> accepted; tokens are kept unchanged", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const id = `orders/${"x".repeat(1017)}`
        const given = ["AB".repeat(32), "cd".repeat(16), "0123456789abcdef".repeat(4)]
        yield* outbox.enqueue({ id, tokens: given, notification: T.alert })
        yield* outbox.cancel(id)
        const outcomes = yield* Stream.runCollect(outbox.outcomes())
        assert.deepStrictEqual(Array.from(outcomes, ({ token }) => token), given)
      }).pipe(Effect.scoped, Effect.provide(live)))

    const refusals: ReadonlyArray<readonly [name: string, options: object, path: string]> = [
      ["an empty id", { id: "" }, "id"],
      ["an id of 1025 characters", { id: "x".repeat(1025) }, "id"],
      ["a field that there is none of", { expireAt: new Date() }, "expireAt"],
      ["a token that is no token", { tokens: [T.token(1), "nope"] }, "tokens[1]"],
      ["tokens that are no array", { tokens: T.token(1) }, "tokens"],
      [
        "a notification with a field that there is none of",
        { notification: { pushType: "alert", titel: "x" } },
        "notification"
      ],
      ["a priority that the push type does not take", {
        notification: Notification.background(),
        priority: 10
      }, "priority"],
      ["a collapse id of 65 bytes", { collapseId: "x".repeat(65) }, "collapseId"],
      ["a topic with a space", { topic: "com.example app" }, "topic"],
      ["an end before its beginning", { at: new Date(2000), expiresAt: new Date(1000) }, "expiresAt"],
      ["a time that is none", { at: new Date(NaN) }, "at"],
      ["a retry that shrinks", { retry: { factor: 0.5 } }, "retry.factor"],
      ["a delay of nothing", { retry: { delay: 0 } }, "retry.delay"],
      ["half an attempt", { retry: { attempts: 0.5 } }, "retry.attempts"]
    ]
    // what is refused before a statement is made needs no second database
    for (const [what, options, path] of name === "libSQL" ? refusals : []) {
      it.live(`${what} -> refused, and nothing is written`, () =>
        Effect.gen(function*() {
          const outbox = yield* Outbox.Outbox
          const sql = yield* SqlClient.SqlClient
          const campaign: Outbox.EnqueueOptions = Object.assign(
            { id: "a", tokens: T.tokens(1), notification: T.alert },
            options
          )
          const error = yield* Effect.flip(outbox.enqueue(campaign))
          assert.instanceOf(error, OutboxError.InvalidCampaign)
          assert.include(error.message.slice(0, path.length + 30), path)
          assert.lengthOf(yield* sql`SELECT * FROM apns_outbox_campaigns`, 0)
        }).pipe(Effect.scoped, Effect.provide(live)))
    }
  })

  describe(`enqueueAll on ${name}`, () => {
    it.live("nothing is sent before the stream has ended; after a writer died the next one continues", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const sql = yield* SqlClient.SqlClient
        const campaign = { id: "news", notification: T.alert, batchSize: 10 }
        const stands = Stream.concat(Stream.fromIterable(T.tokens(20)), Stream.never)
        yield* Effect.forkScoped(outbox.enqueueAll({ ...campaign, tokens: stands }))
        const half = yield* outbox.progress("news").pipe(
          Effect.retry(Schedule.spaced("5 millis")),
          Effect.repeat({ until: ({ total }) => total === 20 })
        )
        assert.strictEqual(half.state, "filling")
        assert.lengthOf(yield* sql`SELECT * FROM apns_outbox_batches WHERE state <> 0`, 0)

        // the writer may still live: another one waits
        const tokens = Stream.fromIterable([...T.tokens(12), ...T.tokens(20, 100)])
        assert.strictEqual((yield* Effect.flip(outbox.enqueueAll({ ...campaign, tokens })))._tag, "CampaignBusy")
        yield* sql`UPDATE apns_outbox_campaigns SET writer_at = writer_at - 31000`

        // a stream that is not the same any more replaces what differs
        assert.deepStrictEqual(yield* outbox.enqueueAll({ ...campaign, tokens }), {
          id: "news",
          created: true,
          total: 32
        })
        assert.strictEqual((yield* outbox.progress("news")).total, 32)
        yield* outbox.cancel("news")
        const outcomes = yield* Stream.runCollect(outbox.outcomes())
        assert.deepStrictEqual(Array.from(outcomes, ({ token }) => token), [...T.tokens(12), ...T.tokens(20, 100)])
        assert.isFalse((yield* outbox.enqueueAll({ ...campaign, tokens })).created)
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("the stream fails, dies or is interrupted -> the next writer continues at once", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const sql = yield* SqlClient.SqlClient
        const campaign = { id: "news", notification: T.alert, batchSize: 10 }
        const before = Stream.fromIterable(T.tokens(25))
        const written = (count: number) =>
          outbox.progress("news").pipe(
            Effect.retry(Schedule.spaced("5 millis")),
            Effect.repeat({ until: ({ total }) => total === count })
          )
        const fails = Stream.concat(before, Stream.fail("lost the cursor" as const))
        assert.strictEqual(yield* Effect.flip(outbox.enqueueAll({ ...campaign, tokens: fails })), "lost the cursor")
        yield* written(25)
        const first = yield* sql`SELECT id FROM apns_outbox_batches ORDER BY number`
        const dies = Stream.concat(before, Stream.die("a defect"))
        const died = yield* Effect.exit(outbox.enqueueAll({ ...campaign, tokens: dies }))
        assert.isTrue(Exit.isFailure(died) && Cause.isDie(died.cause))
        const stands = yield* Effect.fork(
          outbox.enqueueAll({ ...campaign, tokens: Stream.concat(Stream.fromIterable(T.tokens(30)), Stream.never) })
        )
        yield* written(30)
        yield* Fiber.interrupt(stands)
        const all = outbox.enqueueAll({ ...campaign, tokens: Stream.fromIterable(T.tokens(40)) })
        assert.deepStrictEqual(yield* all, { id: "news", created: true, total: 40 })
        const last = yield* sql`SELECT id FROM apns_outbox_batches ORDER BY number`
        assert.deepStrictEqual(last.slice(0, 2), first.slice(0, 2))
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("a time near the last one that a Date can express -> its progress can be read", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const at = new Date(8.64e15)
        yield* outbox.enqueue({ id: "late", tokens: T.tokens(1), notification: T.alert, at })
        const progress = yield* outbox.progress("late")
        assert.strictEqual(progress.state, "scheduled")
        assert.strictEqual(DateTime.toEpochMillis(progress.at), at.getTime())
        assert.strictEqual(DateTime.toEpochMillis(progress.expiresAt), at.getTime())
        assert.strictEqual((yield* outbox.cancel("late")).state, "cancelled")
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("the same id with other tokens -> CampaignConflict, however the first ones were enqueued", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const all = (id: string, tokens: ReadonlyArray<string>) =>
          outbox.enqueueAll({ id, notification: T.alert, batchSize: 10, tokens: Stream.fromIterable(tokens) })
        yield* all("a", T.tokens(25))
        yield* outbox.enqueue({ id: "b", notification: T.alert, tokens: T.tokens(25) })
        for (const id of ["a", "b"]) {
          assert.deepStrictEqual(yield* all(id, T.tokens(25)), { id, created: false, total: 25 })
          assert.isFalse((yield* outbox.enqueue({ id, notification: T.alert, tokens: T.tokens(25) })).created)
          for (
            const others of [T.tokens(24), T.tokens(26), T.tokens(100), T.tokens(25, 1), [...T.tokens(25)].reverse()]
          ) {
            const error = yield* Effect.flip(all(id, others))
            assert.strictEqual(error._tag, "CampaignConflict")
            assert.include(error.message, "its tokens are not the same")
            const small = yield* Effect.flip(outbox.enqueue({ id, notification: T.alert, tokens: others }))
            assert.strictEqual(small._tag, "CampaignConflict")
          }
          assert.strictEqual((yield* outbox.progress(id)).total, 25)
        }
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("no token, a broken one after many, or a life that is over -> refused, and the id stays free", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const campaign = { id: "a", notification: T.alert }
        const many = Stream.fromIterable([...T.tokens(25), "nope"])
        const one = T.tokens(1)
        const past = new Date(Date.UTC(2020, 0))
        const refused = [
          [outbox.enqueue({ ...campaign, tokens: [] }), "tokens: there must be at least one device token"],
          [outbox.enqueueAll({ ...campaign, tokens: Stream.empty }), "tokens: there must be at least one device token"],
          [outbox.enqueueAll({ ...campaign, tokens: many, batchSize: 10, invalidTokens: "refuse" }), "tokens[25]"],
          [outbox.enqueue({ ...campaign, tokens: one, at: past }), "at: the campaign has ended before"],
          [outbox.enqueueAll({ ...campaign, tokens: Stream.make(T.token(1)), at: past }), "at: the campaign has ended"],
          [outbox.enqueue({ ...campaign, tokens: one, expiresAt: past }), "expiresAt: the campaign has ended before"]
        ] as const
        for (const [enqueued, says] of refused) {
          const error = yield* Effect.flip(enqueued)
          assert.strictEqual(error._tag, "InvalidCampaign")
          assert.include(error.message, says)
          assert.strictEqual((yield* Effect.flip(outbox.progress("a")))._tag, "CampaignNotFound")
        }
        assert.isTrue((yield* outbox.enqueue({ ...campaign, tokens: one })).created)
        // a handler that runs again after the end of its campaign finds it
        assert.isFalse((yield* outbox.enqueue({ ...campaign, tokens: one, at: past })).created)
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("an invalid token -> reported, or the campaign is refused", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const tokens = Stream.make(T.token(1), "nope")
        const refused = yield* Effect.flip(
          outbox.enqueueAll({ id: "a", notification: T.alert, tokens, invalidTokens: "refuse" })
        )
        assert.include(String(refused), "tokens[1]")
        const { asked, pool } = yield* T.pool()
        yield* outbox.enqueueAll({ id: "b", notification: T.alert, tokens })
        const { told } = yield* T.runner(pool)
        const outcomes = yield* T.hear(told, 2)
        assert.deepStrictEqual(
          outcomes.map((outcome) => [outcome.token, outcome._tag === "Rejected" ? outcome.reason : outcome._tag])
            .sort(),
          [[T.token(1), "Accepted"], ["nope", "BadDeviceToken"]]
        )
        assert.lengthOf(asked, 1)
      }).pipe(Effect.scoped, Effect.provide(live)))
  })

  describe(`outcomes on ${name}`, () => {
    it.live("are read from any cursor on, each exactly once", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        for (const id of ["a", "b", "c"]) {
          yield* outbox.enqueue({ id, tenant: id, tokens: T.tokens(7), notification: T.alert })
          yield* outbox.cancel(id)
        }
        const all = Array.from(yield* Stream.runCollect(outbox.outcomes()))
        assert.lengthOf(all, 21)
        assert.strictEqual(new Set(all.map(({ key }) => key)).size, 21)
        for (let i = 0; i < all.length; i++) {
          const rest = yield* Stream.runCollect(outbox.outcomes({ since: all[i]?.cursor }))
          assert.deepStrictEqual(Array.from(rest, ({ key }) => key), all.slice(i + 1).map(({ key }) => key))
        }
        assert.strictEqual(yield* Stream.runCount(outbox.outcomes({ tenant: "b" })), 7)
        assert.strictEqual(yield* Stream.runCount(outbox.outcomes({ campaign: "c" })), 7)
        const refused = yield* Effect.flip(Stream.runDrain(outbox.outcomes({ since: "yesterday" })))
        assert.strictEqual(refused._tag, "InvalidCampaign")
      }).pipe(Effect.scoped, Effect.provide(live)))
  })
})
