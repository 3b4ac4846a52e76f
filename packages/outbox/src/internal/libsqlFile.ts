import * as Reactivity from "@effect/experimental/Reactivity"
import { SqlClient } from "@effect/sql/SqlClient"
import { SqlError } from "@effect/sql/SqlError"
import type { Client, InArgs, InStatement, Transaction, TransactionMode } from "@libsql/client"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Scope from "effect/Scope"
import { fstatSync } from "node:fs"
import { type FileHandle, open as openFile, realpath, stat } from "node:fs/promises"
import { hostname } from "node:os"
import { dirname, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import type * as LibsqlFile from "../LibsqlFile.js"
import type { InvalidOutboxOptions } from "../OutboxError.js"
import { DatabaseFileError, DatabaseFileInUse } from "../OutboxError.js"
import { cut, numberOf, textOf } from "./codec.js"
import { commitFailures, libsqlFiles, OutsideLibsqlFile } from "./database.js"
import * as Options from "./options.js"

export { SqlClient }

const messageOf = (cause: unknown): string => cut(cause instanceof Error ? cause.message : String(cause), 500)

const isBusy = (cause: unknown): boolean =>
  cause instanceof Error && "code" in cause && typeof cause.code === "string" && cause.code.startsWith("SQLITE_BUSY")

const isMissing = (cause: unknown): boolean => cause instanceof Error && "code" in cause && cause.code === "ENOENT"

/**
 * Flushes commits to the disk. SQLite would do it within each commit (`synchronous = FULL`), and block the whole process,
 * since libSQL runs statements on the calling thread. Here the system does it in the background, once for all commits that
 * wait for it.
 */
class Disk {
  private running: Promise<void> = Promise.resolve()
  private next: Promise<void> | undefined = undefined
  private file: FileHandle | undefined = undefined

  constructor(private readonly log: string) {}

  /** Everything that was committed before this was called is on the disk. */
  flush(): Promise<void> {
    return this.next ??= this.running.then(() => {
      this.next = undefined
      const written = this.write()
      this.running = written.catch(() => {})
      return written
    })
  }

  private async write(): Promise<void> {
    // when the last connection is closed, SQLite moves everything from the log into the database, flushes it to the disk, and
    // deletes the log: the next one has the same name
    if (this.file !== undefined && fstatSync(this.file.fd).nlink === 0) await this.close()
    try {
      this.file ??= await openFile(this.log, "r+")
    } catch (cause) {
      if (isMissing(cause)) return
      throw cause
    }
    await this.file.datasync()
  }

  async close(): Promise<void> {
    const { file } = this
    this.file = undefined
    await file?.close()
  }
}

/** Statements that write nothing; all others count as writes. */
const reads = /^\s*(SELECT|PRAGMA|EXPLAIN)\b/i

/**
 * The only connection of a client, used by one fiber at a time: otherwise a statement would fail because of another
 * fiber's transaction, or, on a second connection, block the process until that transaction has ended.
 */
class Turns {
  private last: Promise<void> = Promise.resolve()

  /** Resolves when it is this caller's turn, with the function that ends the turn. */
  take(): Promise<() => void> {
    const before = this.last
    let end: () => void = () => {}
    this.last = new Promise((resolve) => {
      end = resolve
    })
    return before.then(() => end)
  }

  async run<A>(use: () => Promise<A>): Promise<A> {
    const end = await this.take()
    try {
      return await use()
    } finally {
      end()
    }
  }
}

/**
 * The client with one connection, whose writes are on the disk when they are acknowledged. A transaction that cannot
 * begin fails at its first statement: `@effect/sql-libsql` 0.42 never releases its lock if `transaction()` itself fails,
 * and every later statement would wait without end.
 */
const guarded = (client: Client, disk: Disk | undefined): Client => {
  const turns = new Turns()
  const written = async <A>(result: Promise<A>): Promise<A> => {
    const value = await result
    if (disk !== undefined) await disk.flush()
    return value
  }
  return {
    execute: (statement: InStatement | string, args?: InArgs) => {
      const text = typeof statement === "string" ? statement : statement.sql
      const result = turns.run(() =>
        typeof statement === "string" ? client.execute(statement, args) : client.execute(statement)
      )
      return reads.test(text) ? result : written(result)
    },
    batch: (statements, mode) => written(turns.run(() => client.batch(statements, mode))),
    migrate: (statements) => written(turns.run(() => client.migrate(statements))),
    transaction: async (mode?: TransactionMode) => {
      const end = await turns.take()
      try {
        return begun(await client.transaction(mode ?? "write"), end)
      } catch (cause) {
        end()
        return notBegun(cause)
      }
    },
    executeMultiple: (sql) => written(turns.run(() => client.executeMultiple(sql))),
    sync: () => client.sync(),
    reconnect: () => client.reconnect(),
    close: () => client.close(),
    get closed() {
      return client.closed
    },
    get protocol() {
      return client.protocol
    }
  }
}

/** On a full disk SQLite ends the transaction itself: then it is not an error that there is nothing to roll back. */
const begun = (transaction: Transaction, end: () => void): Transaction => ({
  execute: (statement: InStatement) => transaction.execute(statement),
  batch: (statements) => transaction.batch(statements),
  executeMultiple: (sql) => transaction.executeMultiple(sql),
  commit: async () => {
    try {
      await transaction.commit()
    } catch (cause) {
      // @effect/sql does not roll back what could not be committed, and it would stay open
      await transaction.rollback().catch(() => {})
      throw cause
    } finally {
      end()
    }
  },
  rollback: async () => {
    try {
      if (!transaction.closed) await transaction.rollback()
    } finally {
      end()
    }
  },
  close: () => {
    transaction.close()
    end()
  },
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

/** Flushes the directory, so that the names of new files are on the disk too. */
const syncFolder = async (path: string): Promise<void> => {
  const folder = await openFile(path, "r")
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/**
 * A transaction that is on the disk when it succeeds. It releases the connection before it waits for the disk, so that
 * many of them share one flush. A failed commit is a `SqlError` for the caller, while `@effect/sql` makes it a defect.
 */
const durable = (sql: SqlClient, disk: Disk | undefined): SqlClient["withTransaction"] => {
  const { withTransaction } = sql
  const flush = disk === undefined ? Effect.void : Effect.uninterruptible(Effect.tryPromise({
    try: () => disk.flush(),
    catch: (cause) => new SqlError({ cause, message: "Failed to write the transaction to the disk" })
  }))
  return (effect) =>
    Effect.flatMap(OutsideLibsqlFile, (isOutside) => {
      const transaction = commitFailures(withTransaction(Effect.provideService(effect, OutsideLibsqlFile, false)))
      return isOutside ? Effect.zipLeft(transaction, flush) : transaction
    })
}

const isFolder = (path: string): Promise<boolean> => stat(path).then((found) => found.isDirectory(), () => false)

/**
 * The path without symbolic links. SQLite resolves them too, and names its log by the result; and the lock has to be the same
 * one by whatever name the file is opened.
 */
const realPath = (path: string): Promise<string> =>
  realpath(path).catch(async (cause) => {
    if (!isMissing(cause)) throw cause
    // a link may lead to a file that is yet to be made
    const made = await openFile(path, "a").catch((cause) => {
      throw isMissing(cause) ? new Error("its folder does not exist") : cause
    })
    await made.close()
    return realpath(path)
  })

const isPath: Options.Check = (file) =>
  typeof file !== "string"
    ? `it must be the path of a file, not ${Options.show(file)}`
    : file === "" || file.includes("\0")
    ? "it must be the path of a file: not empty, and without NUL characters"
    : /^:memory:|^[a-z][a-z+.-]+:/i.test(file)
    ? `it must be the path of a file, such as "outbox.db", and no URL or ":memory:": what is in memory is lost with the process`
    : undefined

export const make = (
  options: LibsqlFile.Options
): Effect.Effect<SqlClient, DatabaseFileInUse | DatabaseFileError | InvalidOutboxOptions, Scope.Scope> =>
  Effect.gen(function*() {
    const { busyTimeout = "5 seconds", durability, file } = yield* Options.checked(options, {
      file: isPath,
      busyTimeout: Options.optional(Options.span()),
      durability: Options.optional(Options.oneOf("machine", "process"))
    })
    const broken = (cause: unknown): DatabaseFileError => new DatabaseFileError({ file, description: messageOf(cause) })
    const attempt = <A>(run: () => Promise<A>): Effect.Effect<A, DatabaseFileError> =>
      Effect.tryPromise({ try: run, catch: broken })
    const libsql = yield* attempt(() => import("@libsql/client"))
    const { make } = yield* attempt(() => import("@effect/sql-libsql/LibsqlClient"))
    // SQLite takes a 32-bit number
    const timeout = Math.min(2 ** 31 - 1, Math.ceil(yield* Options.positiveMillis("busyTimeout", busyTimeout)))
    if (yield* Effect.promise(() => isFolder(file))) return yield* broken(new Error("it is a folder"))
    const path = yield* attempt(() => realPath(resolve(file)))
    const open = (path: string, timeout: number) =>
      Effect.acquireRelease(
        Effect.try({
          try: () =>
            libsql.createClient({
              url: pathToFileURL(path).href,
              intMode: "number",
              timeout,
              concurrency: 1
            }),
          catch: broken
        }),
        (client) => Effect.sync(() => client.close())
      )

    // the lock is a transaction that stays open: the system ends it with the process, even after a crash
    const lock = yield* open(`${path}-owner`, 50)
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
        // with a client that is closed at once, since one that has read something may block writers
        const found = yield* Effect.either(Effect.scoped(
          Effect.flatMap(
            open(`${path}-owner`, 50),
            (client) => attempt(() => client.execute("SELECT pid, host, since FROM owner"))
          )
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
          catch: (cause) => cause
        }),
        refused
      ),
      (transaction) => Effect.sync(() => transaction.close())
    )

    const client = yield* open(path, timeout)
    yield* attempt(() => client.execute("PRAGMA journal_mode = WAL"))
    yield* attempt(() => client.execute("PRAGMA synchronous = NORMAL"))
    const disk = durability === "process"
      ? undefined
      : yield* Effect.acquireRelease(
        attempt(async () => {
          await syncFolder(dirname(path))
          return new Disk(`${path}-wal`)
        }),
        (disk) => Effect.promise(() => disk.close().catch(() => {}))
      )
    const sql = yield* make({ liveClient: guarded(client, disk) }).pipe(Effect.provide(Reactivity.layer))
    const durableClient = Object.assign(sql, { withTransaction: durable(sql, disk) })
    libsqlFiles.add(durableClient)
    return durableClient
  })
