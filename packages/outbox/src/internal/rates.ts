/**
 * A token bucket for each name, in the database: all runners take from it, by the database's time.
 */
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import { numberOf } from "./codec.js"
import type { Database } from "./database.js"

/**
 * Takes from the bucket, which holds at most `limit` and is filled by as many in `windowMillis`. Returns how many
 * milliseconds to wait before using what was taken.
 */
export const draw = (
  db: Database,
  name: string,
  count: number,
  limit: number,
  windowMillis: number
): Effect.Effect<number, SqlError> => {
  const least = db.dialect === "pg" ? "LEAST" : "MIN"
  const millisEach = windowMillis / limit
  return Effect.map(
    db.run(
      `INSERT INTO @rates AS r (name, tokens, at) VALUES ($1, $2::float8 - $3::float8, @now)
       ON CONFLICT (name) DO UPDATE SET
         tokens = ${least}($2::float8, r.tokens + (@now - r.at) / $4::float8) - $3::float8, at = @now
       RETURNING tokens`,
      [name, limit, count, millisEach]
    ),
    ([row]) => Math.max(0, Math.ceil(-numberOf(row?.["tokens"]) * millisEach))
  )
}
