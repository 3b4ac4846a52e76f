/**
 * `npm run bench-million`: 1,000,000 notifications wait in an outbox on PostgreSQL, and two processes drain it. Their memory
 * has to stay flat and below 350 MB each. `npm run bench-million -- 200000` is the same with fewer.
 *
 * @since 1.0.0
 */
import { Outbox } from "@effect-apns/outbox"
import * as Certificates from "@effect-apns/testing/Certificates"
import { NodeRuntime } from "@effect/platform-node"
import * as PgClient from "@effect/sql-pg/PgClient"
import { Console, Effect, Redacted } from "effect"
import * as Crypto from "node:crypto"
import { BenchmarkError } from "./BenchmarkError.js"
import type { Target } from "./Client.js"
import type { Drained, Order } from "./drainer.js"
import * as Postgres from "./Postgres.js"
import * as Processes from "./Processes.js"
import { makeNotification } from "./rows/Send.js"
import { tokenStream } from "./rows/SendAll.js"
import * as Sink from "./Sink.js"
import { defaultBehavior } from "./sink/Protocol.js"
import * as Workload from "./Workload.js"

const mostRssMb = 350

const count = Number(process.argv[2] ?? 1_000_000)

const program = Effect.gen(function*() {
  const authority = yield* Certificates.makeAuthority({ commonName: "effect-apns benchmark" })
  const { privateKey } = Crypto.generateKeyPairSync("ec", { namedCurve: "P-256" })
  const sink = yield* Sink.make(authority.server())
  const server = yield* Effect.acquireRelease(
    Effect.promise(() => Postgres.start()),
    ({ stop }) => Effect.promise(stop)
  )
  const tokens = Workload.tokens()
  yield* Effect.flatMap(Outbox.make(), (outbox) =>
    outbox.enqueueAll({
      id: "million",
      notification: makeNotification(),
      priority: 10,
      tokens: tokenStream(0, count, (index) => tokens[index % Workload.distinctTokens] ?? ""),
      topic: Workload.topic
    })).pipe(Effect.provide(PgClient.layer({ url: Redacted.make(server.url) })))
  yield* Console.log(`${count.toLocaleString("en-US")} notifications wait; two runners begin`)

  yield* sink.reset()
  const target: Target = {
    ca: authority.ca,
    connections: 1,
    floorAnswerBytes: defaultBehavior.floorAnswerBytes,
    floorRequestBytes: defaultBehavior.floorRequestBytes,
    inFlight: Workload.inFlight,
    port: sink.port,
    signingKey: privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
    waiting: 0
  }
  const drained = yield* Effect.forEach(["first", "second"], (name) =>
    Effect.flatMap(
      Processes.start<Order, Drained>({ name: `the ${name} runner`, nodeFlags: ["--expose-gc"], path: "./drainer.js" }),
      (runner) => runner.ask({ target, url: server.url }, "10 minutes")
    ), { concurrency: "unbounded" })
  yield* sink.verify("the two runners", { count, distinct: Workload.distinctTokens, first: 0, floor: false })

  for (const [index, { cpuSeconds, liveMb, mostRssMb, rssMb, told, wallSeconds }] of drained.entries()) {
    yield* Console.log(
      `runner ${index + 1}: ${told.toLocaleString("en-US")} outcomes in ${wallSeconds.toFixed(1)} s, ` +
        `${cpuSeconds.toFixed(1)} s of CPU; RSS ${rssMb.map((mb) => mb.toFixed(0)).join(", ")} MB, ` +
        `at most ${mostRssMb.toFixed(0)} MB; in use after a garbage collection ` +
        `${Math.min(...liveMb.slice(1)).toFixed(1)} to ${Math.max(...liveMb.slice(1)).toFixed(1)} MB`
    )
  }
  const told = drained.reduce((sum, one) => sum + one.told, 0)
  const seconds = Math.max(...drained.map(({ wallSeconds }) => wallSeconds))
  yield* Console.log(JSON.stringify({ count, perSecond: Math.round(told / seconds), runners: drained, told }))
  const problem = told !== count
    ? `${told} outcomes were told for ${count} notifications`
    : drained.some((one) => one.mostRssMb > mostRssMb)
    ? `a runner took more than ${mostRssMb} MB`
    : undefined
  if (problem !== undefined) return yield* new BenchmarkError({ reason: problem, where: "bench-million" })
})

NodeRuntime.runMain(Effect.tapError(Effect.scoped(program), (error) => Console.error(String(error))), {
  disableErrorReporting: true
})
