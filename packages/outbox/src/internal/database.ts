/**
 * One interface for the two dialects: statements are written once, with `$1` for parameters; the names of tables and the
 * current time are filled in.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import { SqlError } from "@effect/sql/SqlError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

export type Parameter = string | number | null | Uint8Array

export type Row = Readonly<Record<string, unknown>>

export interface Database {
  readonly sql: SqlClient.SqlClient
  readonly dialect: "pg" | "sqlite"
  readonly prefix: string
  /** The time of the database, in milliseconds since the UNIX epoch: the clocks of machines may differ. */
  readonly now: string
  /** Runs a statement; rows come with the names of their columns. */
  readonly run: (text: string, parameters?: ReadonlyArray<Parameter>) => Effect.Effect<ReadonlyArray<Row>, SqlError>
  readonly transaction: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | SqlError, R>
  /** A libSQL file, which no other process can have open. */
  readonly isOfThisProcess: boolean
  /** Whether the fiber is known to be in no transaction. */
  readonly isOutside: Effect.Effect<boolean>
}

/** Whether a fiber is in no transaction of a `LibsqlFile`. */
export class OutsideLibsqlFile extends Context.Reference<OutsideLibsqlFile>()(
  "@effect-apns/outbox/OutsideLibsqlFile",
  { defaultValue: () => true }
) {}

/** Clients that keep {@link OutsideLibsqlFile}. */
export const libsqlFiles = new WeakSet<SqlClient.SqlClient>()

/**
 * The expression for the time in statements, instead of the database's own: for tests that cannot wait.
 */
export class DatabaseTime extends Context.Reference<DatabaseTime>()("@effect-apns/outbox/DatabaseTime", {
  defaultValue: (): string | undefined => undefined
}) {}

const pgNow = "(extract(epoch from clock_timestamp()) * 1000)::bigint"
const sqliteNow = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"

/** With @effect/sql a failed commit, for example on a full disk, is a defect: here it is a `SqlError`. */
export const commitFailures = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | SqlError, R> =>
  Effect.catchSomeDefect(
    effect,
    (defect) => defect instanceof SqlError ? Option.some(Effect.fail(defect)) : Option.none()
  )

export const withTransaction = <A, E, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E | SqlError, R | SqlClient.SqlClient> =>
  Effect.flatMap(SqlClient.SqlClient, (client) => commitFailures(client.withTransaction(effect)))

export const make = (prefix: string): Effect.Effect<Database, never, SqlClient.SqlClient> =>
  Effect.gen(function*() {
    const client = yield* SqlClient.SqlClient
    const sql = client.withoutTransforms()
    const time = yield* DatabaseTime
    const dialect = sql.onDialectOrElse({ pg: () => "pg" as const, orElse: () => "sqlite" as const })
    const now = time ?? (dialect === "pg" ? pgNow : sqliteNow)
    const known = new Map<string, string>()
    const compile = (text: string): string => {
      let compiled = known.get(text)
      if (compiled === undefined) {
        compiled = text.replaceAll("@now", now).replaceAll("@", prefix)
        if (dialect === "sqlite") compiled = compiled.replace(/\$(\d+)/g, "?$1").replace(/::\w+/g, "")
        // statements for lists differ by the length of the list: few of them are used again
        if (known.size > 500) known.clear()
        known.set(text, compiled)
      }
      return compiled
    }
    return {
      sql,
      dialect,
      prefix,
      now,
      run: (text, parameters = []) => sql.unsafe<Record<string, unknown>>(compile(text), parameters),
      transaction: (effect) => commitFailures(client.withTransaction(effect)),
      isOfThisProcess: libsqlFiles.has(client),
      isOutside: dialect === "pg"
        ? Effect.map(Effect.serviceOption(SqlClient.TransactionConnection), Option.isNone)
        : libsqlFiles.has(client)
        ? OutsideLibsqlFile
        : Effect.succeed(false)
    }
  })

/** `$from, $from+1, ...` */
export const places = (count: number, from = 1): string => {
  let out = ""
  for (let i = 0; i < count; i++) out += (i === 0 ? "$" : ", $") + String(from + i)
  return out
}

/** `($1::type, $2, ...), ($n, ...)`: PostgreSQL takes the types of parameters from the first row. */
export const rows = (count: number, types: ReadonlyArray<string>, from = 1): string => {
  let out = ""
  let place = from
  for (let i = 0; i < count; i++) {
    out += i === 0 ? "(" : ", ("
    for (let k = 0; k < types.length; k++) {
      out += (k === 0 ? "$" : ", $") + String(place++)
      if (i === 0) out += `::${types[k]}`
    }
    out += ")"
  }
  return out
}
