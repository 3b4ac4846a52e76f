/**
 * The tables, made and changed by the Migrator of @effect/sql.
 */
import * as Migrator from "@effect/sql/Migrator"
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import { SchemaMismatch } from "../OutboxError.js"
import { numberOf } from "./codec.js"
import type { Database } from "./database.js"

/** One statement each: libSQL runs only one at a time. */
const initial = (database: Database): ReadonlyArray<string> => {
  const pg = database.dialect === "pg"
  const identity = pg ? "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY" : "INTEGER PRIMARY KEY AUTOINCREMENT"
  const bytes = pg ? "BYTEA" : "BLOB"
  return [
    `CREATE TABLE @campaigns (
      id TEXT NOT NULL PRIMARY KEY,
      tenant TEXT NOT NULL,
      status TEXT NOT NULL,
      reason TEXT,
      request TEXT NOT NULL,
      fingerprint TEXT NOT NULL,
      total BIGINT NOT NULL,
      send_at BIGINT NOT NULL,
      expires_at BIGINT NOT NULL,
      retry TEXT NOT NULL,
      created_at BIGINT NOT NULL,
      writer TEXT,
      writer_at BIGINT,
      finished_at BIGINT,
      accepted BIGINT NOT NULL DEFAULT 0,
      rejected BIGINT NOT NULL DEFAULT 0,
      failed BIGINT NOT NULL DEFAULT 0,
      cancelled BIGINT NOT NULL DEFAULT 0,
      pruned SMALLINT NOT NULL DEFAULT 0
    )`,
    // what a runner looks for every second: campaigns that have reached their end, and those that can be deleted
    `CREATE INDEX @campaigns_expires ON @campaigns (expires_at) WHERE finished_at IS NULL`,
    `CREATE INDEX @campaigns_finished ON @campaigns (finished_at) WHERE finished_at IS NOT NULL`,
    `CREATE TABLE @batches (
      id ${identity},
      campaign TEXT NOT NULL,
      number INTEGER NOT NULL,
      tenant TEXT NOT NULL,
      first_index BIGINT NOT NULL,
      size INTEGER NOT NULL,
      tokens ${bytes},
      fingerprint TEXT NOT NULL,
      state SMALLINT NOT NULL,
      due_at BIGINT NOT NULL,
      acquired_by TEXT,
      started INTEGER NOT NULL DEFAULT 0,
      passes INTEGER NOT NULL DEFAULT 0,
      round INTEGER NOT NULL DEFAULT 0,
      chunks INTEGER NOT NULL DEFAULT 0,
      done ${bytes},
      dead ${bytes},
      rest TEXT,
      rest_count INTEGER NOT NULL DEFAULT 0,
      last_error TEXT,
      accepted INTEGER NOT NULL DEFAULT 0,
      rejected INTEGER NOT NULL DEFAULT 0,
      failed INTEGER NOT NULL DEFAULT 0,
      cancelled INTEGER NOT NULL DEFAULT 0,
      UNIQUE (campaign, number)
    )`,
    `CREATE INDEX @batches_due ON @batches (tenant, due_at, id) WHERE state = 1 AND acquired_by IS NULL`,
    `CREATE INDEX @batches_oldest ON @batches (due_at) WHERE state = 1 AND acquired_by IS NULL`,
    `CREATE INDEX @batches_owner ON @batches (acquired_by) WHERE acquired_by IS NOT NULL`,
    // tokens have their own table, since SQLite rewrites a whole row at each checkpoint
    `CREATE TABLE @tokens (batch BIGINT NOT NULL PRIMARY KEY, tokens ${bytes} NOT NULL)`,
    `CREATE TABLE @outcomes (
      seq ${identity},
      batch BIGINT NOT NULL,
      chunk INTEGER NOT NULL,
      campaign TEXT NOT NULL,
      tenant TEXT NOT NULL,
      round INTEGER NOT NULL,
      accepted ${bytes},
      entries TEXT,
      rest TEXT,
      told SMALLINT NOT NULL,
      teller TEXT,
      created_at BIGINT NOT NULL,
      UNIQUE (batch, chunk)
    )`,
    `CREATE INDEX @outcomes_untold ON @outcomes (seq) WHERE told = 0`,
    `CREATE INDEX @outcomes_campaign ON @outcomes (campaign, seq)`,
    `CREATE TABLE @runners (
      id TEXT NOT NULL PRIMARY KEY,
      host TEXT NOT NULL,
      pid INTEGER NOT NULL,
      started_at BIGINT NOT NULL,
      beat_at BIGINT NOT NULL,
      lock_millis BIGINT NOT NULL
    )`,
    `CREATE TABLE @rates (name TEXT NOT NULL PRIMARY KEY, tokens DOUBLE PRECISION NOT NULL, at BIGINT NOT NULL)`
  ]
}

/** How many refusals a campaign has had that are not the fault of a token, and for which reason. */
const refusals = (): ReadonlyArray<string> => [
  `ALTER TABLE @campaigns ADD COLUMN refusals BIGINT NOT NULL DEFAULT 0`,
  `ALTER TABLE @campaigns ADD COLUMN refusal TEXT`
]

interface Migration {
  readonly name: string
  readonly statements: (database: Database) => ReadonlyArray<string>
}

/** One for each version, oldest first: a published one must not be changed. */
const migrations: ReadonlyArray<Migration> = [
  { name: "initial", statements: initial },
  { name: "refusals", statements: refusals }
]

/** The version of the tables that this code reads and writes. */
export const version = migrations.length

/** The lock for making tables: without it, two first starts at the same time would fail each other. */
const lockKey = "hashtext('@migrations')"

/** The version of the tables; 0 if there are none. */
export const currentVersion = (database: Database): Effect.Effect<number, SqlError> =>
  Effect.gen(function*() {
    const found = database.dialect === "pg"
      ? yield* database.run(`SELECT to_regclass('@migrations') AS name`)
      : yield* database.run(`SELECT name FROM sqlite_master WHERE type = 'table' AND name = '@migrations'`)
    if (typeof found[0]?.["name"] !== "string") return 0
    const [row] = yield* database.run(`SELECT max(migration_id) AS version FROM @migrations`)
    return numberOf(row?.["version"])
  })

const refuseNewer = (found: number): Effect.Effect<void, SchemaMismatch> =>
  found > version ? Effect.fail(new SchemaMismatch({ found, known: version })) : Effect.void

/**
 * Migrates the tables to the version that this code knows. Newer tables are refused, since this code could write wrong
 * data.
 */
export const migrate = (database: Database, to = version): Effect.Effect<void, SqlError | SchemaMismatch> =>
  Effect.gen(function*() {
    const found = yield* currentVersion(database)
    yield* refuseNewer(found)
    if (found >= to) return
    yield* database.transaction(
      Effect.gen(function*() {
        if (database.dialect === "pg") {
          yield* database.run(`SELECT pg_advisory_xact_lock(${lockKey})`)
          // the first step of the Migrator, done here, where a failure does not break the transaction
          yield* database.run(`CREATE TABLE IF NOT EXISTS @migrations (
            migration_id integer primary key,
            created_at timestamp with time zone not null default now(),
            name text not null
          )`)
        }
        yield* refuseNewer(yield* currentVersion(database))
        yield* Migrator.make({})({
          table: `${database.prefix}migrations`,
          loader: Effect.succeed(
            migrations.slice(0, to).map(({ name, statements }, i) =>
              [
                i + 1,
                name,
                Effect.succeed(Effect.forEach(statements(database), (text) => database.run(text), { discard: true }))
              ] as const
            )
          )
        }).pipe(
          Effect.provideService(SqlClient.SqlClient, database.sql),
          Effect.catchTag("MigrationError", (error) => Effect.die(error))
        )
      })
    )
  })
