import type { Request } from "@effect-apns/core"
import { Response } from "@effect-apns/core"
import { Notification } from "@effect-apns/models"
import type { Outcome } from "@effect-apns/outbox"
import { LibsqlFile, Outbox, OutboxRunner } from "@effect-apns/outbox"
import { ApnsPool } from "@effect-apns/pool"
import { SqlClient } from "@effect/sql"
import { Cause, Effect, Exit, HashMap, Layer, Logger, Queue, Scope } from "effect"
import { execFileSync } from "node:child_process"
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe } from "vitest"
import { DatabaseTime } from "../src/internal/database.js"
import * as Postgres from "./Postgres.js"

export const alert = Notification.alert({ alert: "Hello" })

export const token = (i: number): string => i.toString(16).padStart(64, "0")

export const tokens = (count: number, from = 0): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, i) => token(from + i))

/** A folder that is gone at the end of the scope. */
export const folder: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "apns-outbox-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/**
 * A file of its own for each test. No test takes the power away: waiting for the disk at each commit would be most of the
 * time that they take. The tests of `LibsqlFile` and the crash storm keep to the default.
 */
const libsql: Layer.Layer<SqlClient.SqlClient> = Layer.unwrapScoped(
  Effect.map(
    folder,
    (path) => Layer.orDie(LibsqlFile.layer({ file: join(path, "outbox.db"), durability: "process" }))
  )
)

let databases = 0

/** A database of its own for each test, on a server that a file of tests has started. */
export const postgres = (server: () => Postgres.Postgres): Layer.Layer<SqlClient.SqlClient> =>
  Layer.unwrapEffect(Effect.suspend(() => {
    const name = `test_${process.pid}_${databases++}`
    return Effect.as(server().createDatabase(name), Postgres.client(server().url(name)))
  }))

/** Both databases, PostgreSQL where this machine has one. */
export const onEachDatabase = (
  define: (name: string, database: Layer.Layer<SqlClient.SqlClient>) => void
): void => {
  define("libSQL", libsql)
  const isHere = Postgres.binaries !== undefined
  describe.skipIf(!isHere)(isHere ? "" : "PostgreSQL is not installed here: skipped", () => {
    let server: Postgres.Postgres | undefined
    const scope = Effect.runSync(Scope.make())
    beforeAll(async () => {
      server = await Effect.runPromise(Scope.extend(Postgres.make, scope))
    }, 60_000)
    afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)), 60_000)
    const get = (): Postgres.Postgres => {
      if (server === undefined) throw new Error("the server has not been started")
      return server
    }
    define("PostgreSQL", postgres(get))
  })
}

/** A database whose time stands still until `moveTime` moves it. */
export const still = (database: Layer.Layer<SqlClient.SqlClient>): Layer.Layer<SqlClient.SqlClient> =>
  Layer.tap(database, (context) =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TABLE clock (ms BIGINT NOT NULL)`
      yield* sql`INSERT INTO clock VALUES (2000000000000)`
    }).pipe(Effect.provide(context), Effect.orDie))

export const stillTime = Layer.succeed(DatabaseTime, "(SELECT ms FROM clock)")

export const moveTime = (millis: number) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) => Effect.orDie(sql`UPDATE clock SET ms = ms + ${millis}`))

export interface Device {
  readonly token: string
  readonly apnsId: string
  readonly collapseId: string | undefined
}

/** What a request said. */
export const deviceOf = (request: Request.Request): Device => {
  const { extra } = request.spec
  const value = (name: string) => {
    const at = extra === undefined ? -1 : extra.indexOf(name)
    return at < 0 ? undefined : extra?.[at + 1]
  }
  return { token: request.path.slice(-64), apnsId: value("apns-id") ?? "", collapseId: value("apns-collapse-id") }
}

export const accepted = Response.make({ apnsId: "00000000-0000-0000-0000-000000000000" })

export const rejected = (status: number, reason: string, more: object = {}) =>
  Response.make({ status, body: { reason, ...more } })

/** A pool whose answers a function gives, and what it was asked. */
export const pool = (
  answer: (device: Device) => Response.Response | Effect.Effect<Response.Response> = () => accepted
) =>
  Effect.gen(function*() {
    const asked: Array<Device> = []
    const context = yield* Layer.build(ApnsPool.layerTest((request) =>
      Effect.suspend(() => {
        const device = deviceOf(request)
        asked.push(device)
        const response = answer(device)
        return Effect.isEffect(response) ? response : Effect.succeed(response)
      }), { topic: "com.example.app", streams: 2000, drainTimeout: "1 second" }))
    return { pool: yield* Effect.provide(ApnsPool.ApnsPool, context), asked }
  })

export type Told = Outcome.Outcome

/** A runner, and a queue of what it told. */
export const runner = (
  pool: ApnsPool.ApnsPool,
  options: Partial<OutboxRunner.Options<never, never, never, never>> = {}
) =>
  Effect.gen(function*() {
    const told = yield* Queue.unbounded<Told>()
    const runner = yield* OutboxRunner.make({
      pool: () => Effect.succeed(pool),
      onOutcomes: (outcomes) => Queue.offerAll(told, outcomes),
      pollInterval: "10 millis",
      lock: "2 seconds",
      ...options
    })
    return { runner, told }
  })

/** Waits for so many outcomes. */
export const hear = (told: Queue.Dequeue<Told>, count: number): Effect.Effect<ReadonlyArray<Told>> =>
  Effect.map(Effect.timeout(Queue.takeN(told, count), "30 seconds"), (chunk) => Array.from(chunk)).pipe(Effect.orDie)

export const outbox = Outbox.layer()

/** A line of the log. */
export interface Line {
  readonly level: string
  readonly message: string
  readonly annotations: Readonly<Record<string, unknown>>
}

/** Runs with a logger that keeps the lines of INFO and above. */
export const listen = <A, E, R>(use: (lines: ReadonlyArray<Line>) => Effect.Effect<A, E, R>) => {
  const lines: Array<Line> = []
  const logger = Logger.make<unknown, void>(({ annotations, cause, logLevel, message }) => {
    if (logLevel.ordinal < 20_000) return
    lines.push({
      level: logLevel.label,
      message: `${(Array.isArray(message) ? message : [message]).map(String).join(" ")} ${
        Cause.isEmpty(cause) ? "" : Cause.pretty(cause)
      }`,
      annotations: Object.fromEntries(HashMap.toEntries(annotations))
    })
  })
  return Effect.provide(use(lines), Logger.replace(Logger.defaultLogger, logger))
}

export const said = (lines: ReadonlyArray<Line>, level: string, text: string) =>
  Effect.gen(function*() {
    while (true) {
      const line = lines.find((line) => line.level === level && line.message.includes(text))
      if (line !== undefined) return line
      yield* Effect.sleep("10 millis")
    }
  }).pipe(
    Effect.timeoutFail({
      duration: "20 seconds",
      onTimeout: () => new Error(`no ${level} with ${JSON.stringify(text)} among ${JSON.stringify(lines)}`)
    }),
    Effect.orDie
  )

/** A file system of so many bytes, where this process may make one. */
export const smallDisk = (path: string, size: string) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.option(
        Effect.try(() =>
          execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", path], { stdio: "ignore" })
        )
      ),
      (mounted) => mounted._tag === "Some"
        ? Effect.sync(() => execFileSync("umount", ["-l", path], { stdio: "ignore" }))
        : Effect.void
    ),
    (mounted) => mounted._tag === "Some"
  )

/** Writes until nothing more can be written. */
export const fillDisk = (file: string): void => {
  const descriptor = openSync(file, "w")
  try {
    for (let size = 65_536; size >= 1; size = size / 16) {
      try {
        while (true) writeSync(descriptor, Buffer.alloc(size))
      } catch {
        // full, for pieces of this size
      }
    }
  } finally {
    closeSync(descriptor)
  }
}
