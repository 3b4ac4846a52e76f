import * as Reactivity from "@effect/experimental/Reactivity"
import { SqlClient } from "@effect/sql/SqlClient"
import type { Client, InArgs, InStatement, Transaction, TransactionMode } from "@libsql/client"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Scope from "effect/Scope"
import { hostname } from "node:os"
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"
import type { Options } from "../LibsqlFile.js"
import { DatabaseFileError, DatabaseFileInUse } from "../OutboxError.js"
import { cut, numberOf, textOf } from "./codec.js"

export { SqlClient }

const messageOf = (cause: unknown): string => cut(cause instanceof Error ? cause.message : String(cause), 500)

const isBusy = (cause: unknown): boolean =>
  cause instanceof Error && "code" in cause && typeof cause.code === "string" && cause.code.startsWith("SQLITE_BUSY")

/**
 * A transaction that cannot begin fails at its first statement instead: `@effect/sql-libsql` 0.42 never lets go of its
 * turn where `transaction()` itself fails, and every later statement would wait for ever.
 */
const guarded = (client: Client): Client => ({
  execute: (statement: InStatement | string, args?: InArgs) =>
    typeof statement === "string" ? client.execute(statement, args) : client.execute(statement),
  batch: (statements, mode) => client.batch(statements, mode),
  migrate: (statements) => client.migrate(statements),
  transaction: (mode?: TransactionMode) => client.transaction(mode ?? "write").then(ended, notBegun),
  executeMultiple: (sql) => client.executeMultiple(sql),
  sync: () => client.sync(),
  reconnect: () => client.reconnect(),
  close: () => client.close(),
  get closed() {
    return client.closed
  },
  get protocol() {
    return client.protocol
  }
})

/** A full disk ends a transaction by itself: that there is nothing left to roll back is no error then. */
const ended = (transaction: Transaction): Transaction => ({
  execute: (statement: InStatement) => transaction.execute(statement),
  batch: (statements) => transaction.batch(statements),
  executeMultiple: (sql) => transaction.executeMultiple(sql),
  commit: () => transaction.commit(),
  rollback: () => transaction.closed ? Promise.resolve() : transaction.rollback(),
  close: () => transaction.close(),
  get closed() {
    return transaction.closed
  }
})

const notBegun = (cause: unknown): Transaction => ({
  execute: () => Promise.reject(cause),
  batch: () => Promise.reject(cause),
  executeMultiple: () => Promise.reject(cause),
  commit: () => Promise.reject(cause),
  rollback: () => Promise.resolve(),
  close: () => {},
  closed: true
})

export const make = (
  options: Options
): Effect.Effect<SqlClient, DatabaseFileInUse | DatabaseFileError, Scope.Scope> =>
  Effect.gen(function*() {
    const { file } = options
    const broken = (cause: unknown): DatabaseFileError => new DatabaseFileError({ file, description: messageOf(cause) })
    const attempt = <A>(run: () => Promise<A>): Effect.Effect<A, DatabaseFileError> =>
      Effect.tryPromise({ try: run, catch: broken })
    const libsql = yield* attempt(() => import("@libsql/client"))
    const { make } = yield* attempt(() => import("@effect/sql-libsql/LibsqlClient"))
    const timeout = Math.max(1, Math.round(Duration.toMillis(options.busyTimeout ?? "5 seconds")))
    const open = (path: string, timeout: number) =>
      Effect.acquireRelease(
        Effect.try({
          try: () => libsql.createClient({ url: pathToFileURL(resolve(path)).href, intMode: "number", timeout }),
          catch: broken
        }),
        (client) => Effect.sync(() => client.close())
      )

    // the lock is a transaction that stays open: the system ends it with the process, however that dies
    const lock = yield* open(`${file}-owner`, 50)
    const now = yield* DateTime.now
    const takeLock = async () => {
      const writing = await lock.transaction("write")
      await writing.execute("CREATE TABLE IF NOT EXISTS owner (pid INTEGER, host TEXT, since TEXT)")
      await writing.execute("DELETE FROM owner")
      await writing.execute({
        sql: "INSERT INTO owner VALUES (?, ?, ?)",
        args: [process.pid, hostname(), DateTime.formatIso(now)]
      })
      await writing.commit()
      return await lock.transaction("write")
    }
    const refused = (cause: unknown): Effect.Effect<never, DatabaseFileInUse | DatabaseFileError> =>
      Effect.gen(function*() {
        if (!isBusy(cause)) return yield* broken(cause)
        // by a client that is closed at once: one that has read something may keep others from writing
        const found = yield* Effect.either(Effect.scoped(
          Effect.flatMap(open(`${file}-owner`, 50), (client) =>
            attempt(() => client.execute("SELECT pid, host, since FROM owner")))
        ))
        const row = Either.isRight(found) ? found.right.rows[0] : undefined
        if (row === undefined) {
          return yield* new DatabaseFileInUse({ file })
        }
        const owner = { pid: numberOf(row["pid"]), host: textOf(row["host"]), since: textOf(row["since"]) }
        return yield* new DatabaseFileInUse({ file, owner })
      })
    yield* Effect.acquireRelease(
      Effect.catchAll(
        Effect.tryPromise({
          try: takeLock,
          catch: (cause) =>
            cause
        }),
        refused
      ),
      (transaction) => Effect.sync(() => transaction.close())
    )

    const client = yield* open(file, timeout)
    yield* attempt(() => client.execute("PRAGMA journal_mode = WAL"))
    return yield* make({ liveClient: guarded(client) }).pipe(Effect.provide(Reactivity.layer))
  })
