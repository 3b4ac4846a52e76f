import { Outbox, OutboxMetrics, OutboxRunner } from "@effect-apns/outbox"
import { SqlClient } from "@effect/sql"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Metric, Stream, Tracer } from "effect"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as T from "./utils.js"

/** The sum of a counter over its tags, as far as these are given. */
const total = (name: string, tags: Readonly<Record<string, string>> = {}) =>
  Effect.map(Metric.snapshot, (pairs) =>
    pairs.reduce((sum, { metricKey, metricState }) => {
      const has = metricKey.name === name &&
        Object.entries(tags).every(([key, value]) =>
          metricKey.tags.some((tag) => tag.key === key && tag.value === value)
        )
      return has && "count" in metricState ? sum + Number(metricState.count) : sum
    }, 0))

T.onEachDatabase((name, database) => {
  const live = Layer.provideMerge(T.outbox, database)

  describe(`logs, metrics and spans of a runner on ${name}`, () => {
    it.live("outcomes and batches are counted; each group of batches has a span", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const { pool } = yield* T.pool(({ token }) =>
          token === T.token(1) ? T.rejected(400, "BadDeviceToken") : T.accepted
        )
        const spans: Array<Tracer.Span> = []
        const inner = yield* Effect.tracer
        const tracer = Tracer.make({
          context: (f, fiber) => inner.context(f, fiber),
          span: (...args) => {
            const span = inner.span(...args)
            if (span.name.startsWith("apns.")) spans.push(span)
            return span
          }
        })
        const counts = Effect.all({
          accepted: total("apns_outbox_outcomes_total", { outcome: "Accepted" }),
          rejected: total("apns_outbox_outcomes_total", { outcome: "Rejected" }),
          taken: total("apns_outbox_batches_total", { event: "taken" }),
          finished: total("apns_outbox_batches_total", { event: "finished" })
        })
        const before = yield* counts
        yield* outbox.enqueueAll({
          id: "a",
          tokens: Stream.fromIterable(T.tokens(30)),
          notification: T.alert,
          batchSize: 10
        })
        yield* Effect.withTracer(
          Effect.gen(function*() {
            const { runner, told } = yield* T.runner(pool)
            yield* T.hear(told, 30)
            yield* runner.idle
          }),
          tracer
        )
        const after = yield* counts
        assert.deepStrictEqual(
          [
            after.accepted - before.accepted,
            after.rejected - before.rejected,
            after.taken - before.taken,
            after.finished - before.finished
          ],
          [29, 1, 3, 3]
        )
        const unit = spans.find((span) => span.name === "apns.outbox.unit")
        assert.deepStrictEqual([unit?.attributes.get("batches"), unit?.attributes.get("notifications")], [3, 30])
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("the gauge shows how long the oldest due batch has waited", () =>
      Effect.gen(function*() {
        const outbox = yield* Outbox.Outbox
        const sql = yield* SqlClient.SqlClient
        const { pool } = yield* T.pool(() => Effect.never)
        // more than a runner takes at once
        yield* outbox.enqueue({ id: "a", tokens: T.tokens(25_000), notification: T.alert })
        yield* sql`UPDATE apns_outbox_batches SET due_at = due_at - 60000`
        yield* T.runner(pool, { concurrency: 10, drainTimeout: "10 millis" })
        while ((yield* Metric.value(OutboxMetrics.lag)).value < 60) yield* Effect.sleep("10 millis")
        while ((yield* Metric.value(OutboxMetrics.unsaved)).value > 10) yield* Effect.sleep("10 millis")
      }).pipe(Effect.scoped, Effect.provide(live)))

    it.live("logs a stopped campaign with its id and reason, and counts it", () =>
      T.listen((lines) =>
        Effect.gen(function*() {
          const outbox = yield* Outbox.Outbox
          const { pool } = yield* T.pool(() => T.rejected(403, "InvalidProviderToken"))
          const before = yield* total("apns_outbox_stopped_total")
          yield* outbox.enqueue({ id: "news", tokens: T.tokens(3), notification: T.alert })
          yield* T.runner(pool)
          const line = yield* T.said(lines, "ERROR", "Campaign stopped, to be resumed when it is mended")
          assert.include(line.message, "InvalidProviderToken")
          assert.strictEqual(line.annotations["campaign"], "news")
          assert.strictEqual(line.annotations["package"], "@effect-apns/outbox")
          assert.strictEqual(yield* total("apns_outbox_stopped_total"), before + 1)
        })
      ).pipe(Effect.scoped, Effect.provide(live)))

    it.live("logs each failure of onOutcomes with its cause, and counts it", () =>
      T.listen((lines) =>
        Effect.gen(function*() {
          const outbox = yield* Outbox.Outbox
          const { pool } = yield* T.pool()
          const before = yield* total("apns_outbox_failures_total", { of: "onOutcomes" })
          let calls = 0
          yield* outbox.enqueue({ id: "a", tokens: T.tokens(3), notification: T.alert })
          yield* T.runner(pool, {
            onOutcomesTimeout: "50 millis",
            onOutcomes: () =>
              Effect.suspend(() => {
                if (++calls === 1) throw new Error("the webhook is down")
                return calls === 2 ? Effect.never : Effect.void
              })
          })
          const failed = yield* T.said(lines, "ERROR", "the webhook is down")
          assert.include(failed.message, "3 outcomes, which stay in the outbox and are told again in 1 s")
          yield* T.said(lines, "ERROR", "it took longer than 50ms, and is interrupted")
          assert.strictEqual(yield* total("apns_outbox_failures_total", { of: "onOutcomes" }), before + 2)
        })
      ).pipe(Effect.scoped, Effect.provide(live)))

    it.live("logs a pool that cannot be opened, and tries again later", () =>
      T.listen((lines) =>
        Effect.gen(function*() {
          const outbox = yield* Outbox.Outbox
          yield* outbox.enqueue({ id: "a", tenant: "acme", tokens: T.tokens(1), notification: T.alert })
          yield* OutboxRunner.make({ pool: () => Effect.fail(new Error("no such secret")), pollInterval: "10 millis" })
          const line = yield* T.said(lines, "ERROR", "no such secret")
          assert.include(line.message, "acme")
          while ((yield* outbox.progress("a")).retrying === 0) yield* Effect.sleep("10 millis")
          assert.strictEqual((yield* outbox.progress("a")).state, "sending")
        })
      ).pipe(Effect.scoped, Effect.provide(live)))

    it.live("a rate that throws or is invalid -> logged, and the other tenants are served", () =>
      T.listen((lines) =>
        Effect.gen(function*() {
          const outbox = yield* Outbox.Outbox
          const { asked, pool } = yield* T.pool()
          for (const tenant of ["throws", "zero", "good"]) {
            yield* outbox.enqueue({ id: tenant, tenant, tokens: T.tokens(1), notification: T.alert })
          }
          const { told } = yield* T.runner(pool, {
            rate: (tenant) => {
              if (tenant === "throws") throw new Error("no such plan")
              return { limit: tenant === "zero" ? 0 : 10, window: "1 second" }
            }
          })
          assert.strictEqual((yield* T.hear(told, 1))[0]?.campaign, "good")
          yield* T.said(lines, "ERROR", "no such plan")
          yield* T.said(lines, "ERROR", "limit must be 1 at least, not 0")
          assert.lengthOf(asked, 1)
        })
      ).pipe(Effect.scoped, Effect.provide(live)))

    it.live("batches taken over from a dead runner -> logged", () =>
      T.listen((lines) =>
        Effect.gen(function*() {
          const outbox = yield* Outbox.Outbox
          const sql = yield* SqlClient.SqlClient
          const { pool } = yield* T.pool()
          yield* outbox.enqueue({ id: "a", tokens: T.tokens(1), notification: T.alert })
          yield* sql`UPDATE apns_outbox_batches SET acquired_by = 'dead'`
          const { told } = yield* T.runner(pool)
          yield* T.hear(told, 1)
          yield* T.said(lines, "WARN", "1 batch of it is taken over")
        })
      ).pipe(Effect.scoped, Effect.provide(live)))
  })
})

const read = (file: string): string => readFileSync(fileURLToPath(new URL(`../../../${file}`, import.meta.url)), "utf8")

/** The names of metrics in a text, without what Prometheus adds to those of a histogram. */
const names = (text: string): ReadonlySet<string> =>
  new Set(Array.from(text.matchAll(/\bapns_[a-z_]+/g), ([name]) => name.replace(/_(bucket|sum|count)$/, "")))

describe("the dashboard, the alerts and the guide", () => {
  const known = names(
    Array.from(
      (read("packages/outbox/src/OutboxMetrics.ts") + read("packages/pool/src/ApnsMetrics.ts")).matchAll(/"apns_\w+"/g)
    ).join(" ")
  )
  for (
    const file of [
      "docs/telemetry/grafana.json",
      "docs/telemetry/alerts.yml",
      "docs/observability.md",
      "docs/outbox.md"
    ]
  ) {
    it(`names only metrics that exist: ${file}`, () => {
      for (const name of names(read(file))) {
        // tables are named alike
        if (/^apns_outbox_(campaigns|batches|tokens|outcomes|runners)?$/.test(name)) continue
        assert.isTrue(known.has(name), `there is no metric ${name}`)
      }
    })
  }
  it("shows every metric of the outbox on the dashboard, and in the table of the guide", () => {
    for (const name of known) {
      if (!name.startsWith("apns_outbox_")) continue
      assert.isTrue(names(read("docs/telemetry/grafana.json")).has(name), name)
      assert.isTrue(names(read("docs/observability.md")).has(name), name)
    }
  })
})
