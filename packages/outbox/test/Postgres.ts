/**
 * A PostgreSQL of one's own for the tests, as effects.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import type { SqlClient } from "@effect/sql/SqlClient"
import { Effect, Layer, Redacted, type Scope } from "effect"
import * as Server from "../../../scripts/postgres.mjs"

export { binaries } from "../../../scripts/postgres.mjs"

export interface Postgres {
  readonly url: (database: string) => string
  /** Stops it, cutting all connections, and starts it again. */
  readonly restart: Effect.Effect<void>
  readonly stop: Effect.Effect<void>
  readonly start: Effect.Effect<void>
  readonly createDatabase: (name: string) => Effect.Effect<void>
}

export const make: Effect.Effect<Postgres, never, Scope.Scope> = Effect.gen(function*() {
  const server = yield* Effect.acquireRelease(
    // no test takes the power away, and what was committed survives a restart of the server without fsync
    Effect.promise(() => Server.make({ max_connections: "200", fsync: "off" })),
    (server) => Effect.promise(server.remove)
  )
  const start = Effect.promise(server.start)
  const stop = Effect.promise(server.stop)
  yield* start
  return {
    url: server.url,
    start,
    stop,
    restart: Effect.zipRight(stop, start),
    createDatabase: (name) => Effect.sync(() => server.createDatabase(name))
  }
})

/** A client for one of its databases. */
export const client = (url: string, maxConnections = 5): Layer.Layer<SqlClient> =>
  Layer.orDie(PgClient.layer({ url: Redacted.make(url), maxConnections, connectTimeout: "10 seconds" }))
