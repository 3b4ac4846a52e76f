/**
 * A shop whose order and push commit together: the notification is sent when the order is shipped, and never when
 * shipping was rolled back. Everything in one process, on a libSQL file, against the mock APNs.
 */
import { LibsqlFile, Outbox, OutboxRunner } from "@effect-apns/outbox"
import { MockApns } from "@effect-apns/testing"
import { NodeRuntime } from "@effect/platform-node"
import { SqlClient } from "@effect/sql"
import { Console, DateTime, Effect, Layer, Redacted, Stream } from "effect"
import { ApnsPool, Credentials, Notification } from "effect-apns"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const token = (n: number) => n.toString(16).padStart(64, "0")

/** Ships an order and says so, or neither. */
const ship = (order: number, options: { readonly outOfStock?: boolean } = {}) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const outbox = yield* Outbox.Outbox
    // as sql.withTransaction, but a COMMIT that fails is an error that can be handled
    yield* Outbox.withTransaction(Effect.gen(function*() {
      const [row] = yield* sql<{ device: string }>`UPDATE orders SET shipped = 1 WHERE id = ${order} RETURNING device`
      if (row === undefined) return yield* Effect.fail("no such order")
      yield* outbox.enqueue({
        // the same order twice is one notification
        id: `shipped-${order}`,
        tokens: [row.device],
        notification: Notification.alert({ alert: { title: "On its way", body: `Order ${order} has left us` } })
      })
      if (options.outOfStock === true) return yield* Effect.fail("out of stock")
    }))
    return `order ${order}: shipped`
  }).pipe(Effect.catchAll((problem) => Effect.succeed(`order ${order}: not shipped (${String(problem)})`)))

/** Dead tokens are deleted, whenever and by whichever runner they are found. */
const RunnerLive = OutboxRunner.layer({
  pool: () => ApnsPool.ApnsPool,
  onOutcomes: (outcomes) =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      for (const outcome of outcomes) {
        if (outcome._tag === "Rejected" && outcome.isTokenDead) {
          yield* sql`UPDATE orders SET device = NULL WHERE device = ${outcome.token}`
        }
        const what = outcome._tag === "Accepted" ? "accepted" : outcome.reason
        yield* Console.log(`  outcome of ${outcome.key}: ${what}`)
      }
    })
})

const program = Effect.gen(function*() {
  const apns = yield* MockApns.MockApns
  const sql = yield* SqlClient.SqlClient
  const outbox = yield* Outbox.Outbox
  yield* apns.unregister(token(3))
  yield* sql`CREATE TABLE orders (id INTEGER PRIMARY KEY, device TEXT, shipped INTEGER NOT NULL DEFAULT 0)`
  for (const id of [1, 2, 3]) yield* sql`INSERT INTO orders (id, device) VALUES (${id}, ${token(id)})`

  yield* Console.log("No runner is there yet: what is enqueued waits in the database.")
  yield* Console.log(`  ${yield* ship(1)}`)
  yield* Console.log(`  ${yield* ship(2, { outOfStock: true })}`)
  yield* Console.log(`  ${yield* ship(3)}`)
  yield* Console.log(`  ${yield* ship(1)} (a second time)`)
  const now = yield* DateTime.now
  yield* outbox.enqueue({
    id: "review-1",
    tokens: [token(1)],
    notification: Notification.alert({ alert: "How was your order?" }),
    at: DateTime.add(now, { seconds: 1 }),
    expiresAt: DateTime.add(now, { hours: 2 })
  })

  yield* Console.log("\nA runner starts:")
  yield* Effect.gen(function*() {
    const runner = yield* OutboxRunner.OutboxRunner
    yield* runner.idle
    yield* Console.log(`  review-1 is ${(yield* outbox.progress("review-1")).state}, and due in a second`)
    while ((yield* outbox.progress("review-1")).left > 0) yield* Effect.sleep("100 millis")
    yield* runner.idle
  }).pipe(Effect.provide(RunnerLive))

  const outcomes = yield* Stream.runCollect(outbox.outcomes())
  yield* Console.log(`\n${outcomes.length} outcomes in all; the server has accepted ${yield* apns.acceptedCount}.`)
  const orders = yield* sql<{ id: number; shipped: number; device: string | null }>`SELECT * FROM orders`
  for (const { device, id, shipped } of orders) {
    yield* Console.log(
      `  order ${id}: ${shipped === 1 ? "shipped" : "not shipped"}${device === null ? ", its device is gone" : ""}`
    )
  }
})

const folder = mkdtempSync(join(tmpdir(), "shop-"))

const PoolLive = Layer.unwrapEffect(Effect.map(MockApns.MockApns, (apns) =>
  ApnsPool.layer({
    endpoint: apns.endpoint,
    ca: apns.ca,
    topic: "com.example.app",
    credentials: Credentials.token({
      key: Redacted.make(apns.credentials.key),
      keyId: apns.credentials.keyId,
      teamId: apns.credentials.teamId
    })
  })))

program.pipe(
  Effect.provide(Outbox.layer()),
  Effect.provide(LibsqlFile.layer({ file: join(folder, "shop.db") })),
  Effect.provide(Layer.provideMerge(PoolLive, MockApns.layer())),
  Effect.ensuring(Effect.sync(() => rmSync(folder, { recursive: true, force: true }))),
  NodeRuntime.runMain
)
