/**
 * A process of the storm: a writer, a runner, or (on a libSQL file, which one process owns) both.
 */
import { Notification } from "@effect-apns/models"
import { LibsqlFile, Outbox, OutboxRunner } from "@effect-apns/outbox"
import { ApnsPool } from "@effect-apns/pool"
import { NodeContext } from "@effect/platform-node"
import { SqlClient } from "@effect/sql"
import { DateTime, Duration, Effect, Layer, Logger, LogLevel, Random, Schema, Stream } from "effect"
import { client } from "../Postgres.js"
import { left } from "./left.js"
import { tokenOf } from "./tokens.js"

const Orders = Schema.Struct({
  role: Schema.Literal("writer", "runner", "both"),
  /** A libSQL file or the URL of a PostgreSQL. */
  database: Schema.String,
  /** Of this writer: its campaigns are numbered from `writer` million on. */
  writer: Schema.Number,
  seed: Schema.Number,
  concurrency: Schema.Number,
  /** Milliseconds for which it writes. */
  writes: Schema.Number,
  /** Milliseconds: what is scheduled is due so much later at most. */
  latest: Schema.Number,
  broken: Schema.Boolean
})

const orders = Schema.decodeSync(Schema.parseJson(Orders))(process.argv[2] ?? "")

const say = (line: object) => Effect.sync(() => void process.stdout.write(JSON.stringify(line) + "\n"))

const notification = Notification.alert({ alert: "Storm" })

const writer = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const outbox = yield* Outbox.Outbox
  const until = DateTime.addDuration(yield* DateTime.now, Duration.millis(orders.writes))
  let number = orders.writer * 1_000_000
  if (orders.role === "writer") yield* say({ ready: true })
  while (DateTime.lessThan(yield* DateTime.now, until)) {
    const campaign = ++number
    const id = `campaign-${campaign}`
    const now = yield* DateTime.now
    const scheduled = (yield* Random.next) < 0.3
    const at = scheduled ? DateTime.add(now, { millis: yield* Random.nextIntBetween(500, orders.latest) }) : undefined
    const retry = { delay: "1 second", maxDelay: "2 seconds" } as const
    const tenant = `tenant-${campaign % 3}`
    const kind = yield* Random.next
    const rollsBack = kind < 0.2
    const count = kind < 0.8 ? yield* Random.nextIntBetween(1, 4) : yield* Random.nextIntBetween(200, 1200)
    const tokens = Array.from({ length: count }, (_, index) => tokenOf(campaign, index))
    const note = sql`INSERT INTO storm_committed (id, number, tokens) VALUES (${id}, ${campaign}, ${count})`
    const common = { id, tenant, notification, retry, at, timeout: "20 seconds" } as const
    const written = kind > 0.95
      // many transactions: the campaign is there when the last of them is
      ? outbox.enqueueAll({ ...common, tokens: Stream.fromIterable(tokens), batchSize: 500 }).pipe(
        Effect.zipRight(note)
      )
      : sql.withTransaction(Effect.gen(function*() {
        yield* note
        yield* outbox.enqueue({ ...common, tokens })
        if (rollsBack) return yield* Effect.fail("rolled back" as const)
      }))
    const result = yield* Effect.either(written)
    if (result._tag === "Right") yield* say({ committed: id })
    else if (!rollsBack) yield* Effect.sleep("100 millis")
    yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(5, 150)))
  }
  yield* say({ written: true })
})

const runner = OutboxRunner.layer({
  pool: () => ApnsPool.ApnsPool,
  concurrency: orders.broken ? 1_000_000 : orders.concurrency,
  checkpointInterval: orders.broken ? "1 hour" : "25 millis",
  pollInterval: "50 millis",
  lock: "3 seconds",
  maxDeaths: 1000,
  onOutcomes: (outcomes) =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      for (let from = 0; from < outcomes.length; from += 500) {
        const keys = outcomes.slice(from, from + 500).map(({ key }) => ({ key }))
        yield* sql`INSERT INTO storm_told ${sql.insert(keys)} ON CONFLICT (key) DO NOTHING`
      }
      // now and then it fails, after it has done its work: it is told again
      if ((yield* Random.next) < 0.01) return yield* Effect.fail("onOutcomes fails on purpose")
    })
})

const watch = Effect.gen(function*() {
  const runner = yield* OutboxRunner.OutboxRunner
  yield* say({ ready: true })
  let lost = 0
  let rounds = 0
  while (true) {
    yield* Effect.sleep("20 millis")
    const stats = yield* runner.stats
    if (stats.lost > lost) yield* say({ lost: stats.lost - lost })
    lost = stats.lost
    if (process.env["STORM_LOG"] !== undefined && ++rounds % 150 === 0) {
      const pool = yield* Effect.flatMap(ApnsPool.ApnsPool, (pool) => pool.stats)
      yield* Effect.logWarning(JSON.stringify({ stats, pool }))
    }
  }
})

/** The file belongs to this process: nobody else can see how far it is. */
const untilDrained = Effect.gen(function*() {
  while ((yield* left) > 0) yield* Effect.sleep("200 millis")
  yield* say({ drained: true })
})

const database = /^postgres/.test(orders.database)
  ? client(orders.database, 4)
  : Layer.orDie(LibsqlFile.layer({ file: orders.database }))

const program = Effect.gen(function*() {
  const write = Effect.withRandom(writer, Random.make(`${orders.seed} writer ${orders.writer}`))
  const send = Effect.withRandom(Effect.provide(watch, runner), Random.make(`${orders.seed} runner ${orders.writer}`))
  if (orders.role === "writer") yield* write
  else if (orders.role === "runner") yield* send
  else yield* Effect.all([Effect.zipRight(write, untilDrained), send], { concurrency: "unbounded" })
}).pipe(
  Effect.provide(Outbox.layer()),
  Effect.provide(database),
  Effect.provide(Layer.orDie(ApnsPool.layerFromEnv()).pipe(Layer.provideMerge(NodeContext.layer))),
  Effect.provide(Logger.minimumLogLevel(process.env["STORM_LOG"] === undefined ? LogLevel.None : LogLevel.Warning)),
  // what it says on standard output is for the storm
  Effect.provide(Logger.replace(Logger.defaultLogger, Logger.withConsoleError(Logger.logfmtLogger)))
)

void Effect.runPromise(program).then(() => process.exit(0), (error: unknown) => {
  process.stderr.write(String(error).slice(0, 500) + "\n")
  process.exit(1)
})
process.on("SIGTERM", () => process.exit(0))
