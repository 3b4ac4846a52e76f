import { SqlClient } from "@effect/sql"
import { Effect } from "effect"

/** Batches that are not done, and rows of outcomes that were not told. */
export const left = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ left: unknown }>`
    SELECT (SELECT COUNT(*) FROM apns_outbox_batches b JOIN apns_outbox_campaigns c ON c.id = b.campaign
        WHERE b.state < 2 AND c.status <> 'filling')
      + (SELECT COUNT(*) FROM apns_outbox_outcomes WHERE told = 0) AS left`
  return Number(row?.left ?? 1)
})
