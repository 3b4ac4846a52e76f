/**
 * Outcomes in the database: written without an answer of APNs, read, and removed.
 */
import type { SqlError } from "@effect/sql/SqlError"
import * as Chunk from "effect/Chunk"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { OutcomesOptions } from "../Outbox.js"
import type { InvalidCampaign } from "../OutboxError.js"
import type * as Outcome from "../Outcome.js"
import * as Campaigns from "./campaign.js"
import type { FailedReason } from "./codec.js"
import * as codec from "./codec.js"
import { bytesOf, numberOf, optionalText, textOf } from "./codec.js"
import type { Database, Row } from "./database.js"
import { places } from "./database.js"
import * as Options from "./options.js"
import * as Outcomes from "./outcome.js"

/**
 * Writers of outcomes share this lock, from before their rows get their numbers until they are committed; a reader that
 * takes it exclusively knows that it can see all numbers below the highest.
 */
const orderKey = "hashtext('@outcomes order')"

export const beforeOutcomes = (db: Database): Effect.Effect<void, SqlError> =>
  db.dialect === "pg" ? Effect.asVoid(db.run(`SELECT pg_advisory_xact_lock_shared(${orderKey})`)) : Effect.void

const horizon = (db: Database): Effect.Effect<number, SqlError> => {
  const highest = Effect.map(
    db.run(`SELECT COALESCE(MAX(seq), 0) AS seq FROM @outcomes`),
    ([row]) => numberOf(row?.["seq"])
  )
  return db.dialect === "pg"
    ? db.transaction(Effect.zipRight(db.run(`SELECT pg_advisory_xact_lock(${orderKey})`), highest))
    : highest
}

const left = "size - accepted - rejected - failed - cancelled"

const parts = <A>(items: ReadonlyArray<A>, size: number): ReadonlyArray<ReadonlyArray<A>> => {
  const out: Array<ReadonlyArray<A>> = []
  for (let i = 0; i < items.length; i += size) out.push(items.slice(i, i + size))
  return out
}

/**
 * Keeps others from changing these campaigns until the transaction ends: before their batches, as everybody does, since in
 * the other order there would be a deadlock. On SQLite a transaction that writes is the only one.
 */
export const lockCampaigns = (db: Database, campaigns: ReadonlyArray<string>): Effect.Effect<void, SqlError> =>
  db.dialect === "pg"
    ? Effect.asVoid(
      db.run(`SELECT id FROM @campaigns WHERE id IN (${places(campaigns.length)}) ORDER BY id FOR UPDATE`, campaigns)
    )
    : Effect.void

/** Writes the final outcome of the part of a campaign that no runner holds. Within a transaction. */
export const giveUp = (
  db: Database,
  campaign: string,
  rest: "Expired" | "Cancelled"
): Effect.Effect<number, SqlError> =>
  Effect.gen(function*() {
    const column = rest === "Expired" ? "failed" : "cancelled"
    const found = yield* db.run(
      `UPDATE @batches SET state = 2, rest = $2, rest_count = ${left}, chunks = chunks + 1, ${column} = ${column} + ${left}
       WHERE campaign = $1 AND state < 2 AND acquired_by IS NULL RETURNING id, rest_count`,
      [campaign, rest]
    )
    const batches = found.map((row) => numberOf(row["id"]))
    for (const part of parts(batches, 500)) {
      yield* beforeOutcomes(db)
      yield* db.run(
        `INSERT INTO @outcomes (batch, chunk, campaign, tenant, round, accepted, rest, told, created_at)
         SELECT id, chunks - 1, campaign, tenant, round, done, rest, 0, @now FROM @batches
         WHERE id IN (${places(part.length)}) AND rest_count > 0`,
        part
      )
    }
    return found.reduce((sum, row) => sum + numberOf(row["rest_count"]), 0)
  })

/** Marks those of these campaigns that have ended. */
export const finish = (db: Database, campaigns: ReadonlyArray<string>): Effect.Effect<void, SqlError> =>
  Effect.forEach(parts(campaigns, 500), (part) => {
    const update = db.run(
      `UPDATE @campaigns AS c SET finished_at = @now,
         accepted = s.accepted, rejected = s.rejected, failed = s.failed, cancelled = s.cancelled
       FROM (
         SELECT campaign, SUM(accepted) AS accepted, SUM(rejected) AS rejected, SUM(failed) AS failed,
           SUM(cancelled) AS cancelled
         FROM @batches WHERE campaign IN (${places(part.length)})
         GROUP BY campaign HAVING MIN(state) = 2
       ) AS s
       WHERE c.id = s.campaign AND c.finished_at IS NULL AND c.status <> 'filling'`,
      part
    )
    // PostgreSQL would wait for a transaction that sends dead letters again, and then count the batches as they were before
    return db.dialect === "pg" ? db.transaction(Effect.zipRight(lockCampaigns(db, part), update)) : update
  }, { discard: true })

/** The tokens of the batches that were read last: chunks of one batch come one after the other. */
export class TokenCache {
  private readonly known = new Map<number, ReadonlyArray<string>>()

  constructor(private readonly db: Database, private readonly size = 8) {}

  get(batch: number): Effect.Effect<ReadonlyArray<string>, SqlError> {
    const known = this.known.get(batch)
    if (known !== undefined) return Effect.succeed(known)
    return Effect.map(
      this.db.run(
        `SELECT COALESCE(b.tokens, t.tokens) AS tokens FROM @batches b LEFT JOIN @tokens t ON t.batch = b.id
         WHERE b.id = $1`,
        [batch]
      ),
      ([row]) => {
        const bytes = bytesOf(row?.["tokens"])
        const tokens = bytes === undefined ? [] : codec.decodeTokens(bytes)
        for (const oldest of this.known.keys()) {
          if (this.known.size < this.size) break
          this.known.delete(oldest)
        }
        this.known.set(batch, tokens)
        return tokens
      }
    )
  }
}

export const chunkColumns = `o.seq, o.batch, o.campaign, o.tenant, o.round, o.accepted, o.entries, o.rest,
  b.first_index, b.size`

/** The outcomes of a row, in the order of their places. */
export const outcomesOf = (row: Row, tokens: ReadonlyArray<string>): ReadonlyArray<Outcome.Outcome> => {
  const chunk: Outcomes.Chunk = {
    campaign: textOf(row["campaign"]),
    tenant: textOf(row["tenant"]),
    round: numberOf(row["round"]),
    seq: numberOf(row["seq"]),
    first: numberOf(row["first_index"]),
    tokens
  }
  const size = numberOf(row["size"])
  const bits = codec.Bits.from(bytesOf(row["accepted"]), size)
  const rest = restOf(row["rest"])
  const out: Array<Outcome.Outcome> = []
  if (rest !== undefined) {
    for (let i = 0; i < size; i++) {
      if (!bits.has(i)) out.push(Outcomes.fromEntry(chunk, [i, "F", rest, "no", describeRest(rest)], out.length))
    }
    return out
  }
  for (const entry of codec.decodeEntries(optionalText(row["entries"]) ?? null)) {
    out.push(Outcomes.fromEntry(chunk, entry, out.length))
  }
  if (row["accepted"] !== null && row["accepted"] !== undefined) {
    for (let i = 0; i < size; i++) {
      if (bits.has(i)) out.push(Outcomes.accepted(chunk, i, out.length))
    }
  }
  return out
}

const restOf = (value: unknown): FailedReason | undefined =>
  value === "Expired" || value === "Cancelled" ? value : undefined

const describeRest = (rest: FailedReason): string =>
  rest === "Cancelled" ? "The campaign was cancelled before it was sent" : "The campaign ended before it was sent"

const isText: Options.Check = (value) =>
  typeof value !== "string"
    ? `it must be a string, not ${Options.show(value)}`
    : Campaigns.isId(value)
    ? undefined
    : "there can be none of this name"

const checks: Readonly<Record<keyof OutcomesOptions, Options.Check>> = {
  since: Options.optional((value) =>
    typeof value === "string" && cursorPattern.test(value)
      ? undefined
      : "it must be the cursor of an outcome, as this stream gave it"
  ),
  campaign: Options.optional(isText),
  tenant: Options.optional(isText),
  follow: Options.optional(Options.span())
}

const cursorPattern = /^(\d{1,15})\.(\d{1,9})$/

const rowsAtOnce = 16

export const outcomes = (
  db: Database,
  options: OutcomesOptions
): Stream.Stream<Outcome.Outcome, InvalidCampaign | SqlError> =>
  Stream.suspend((): Stream.Stream<Outcome.Outcome, InvalidCampaign | SqlError> => {
    const problem = Options.problemOf(options, checks)
    if (problem !== undefined) {
      return Stream.fail(
        Campaigns.invalid(problem.field === "options" ? [] : [problem.field], problem.description)
      )
    }
    let seq = 0
    let place = -1
    if (options.since !== undefined) {
      const match = cursorPattern.exec(options.since)
      seq = Number(match?.[1])
      place = Number(match?.[2])
    }
    const cache = new TokenCache(db)
    const { campaign, follow, tenant } = options
    const filters: Array<string> = []
    const values: Array<string> = []
    if (campaign !== undefined) {
      values.push(campaign)
      filters.push(` AND o.campaign = $${values.length + 2}`)
    }
    if (tenant !== undefined) {
      values.push(tenant)
      filters.push(` AND o.tenant = $${values.length + 2}`)
    }
    let until = 0
    const page: Effect.Effect<Option.Option<Chunk.Chunk<Outcome.Outcome>>, SqlError> = Effect.gen(function*() {
      if (until <= seq) until = yield* horizon(db)
      const rows = yield* db.run(
        `SELECT ${chunkColumns} FROM @outcomes o JOIN @batches b ON b.id = o.batch
         WHERE o.seq >= $1 AND o.seq <= $2${filters.join("")} ORDER BY o.seq LIMIT ${rowsAtOnce}`,
        [seq, until, ...values]
      )
      const out: Array<Outcome.Outcome> = []
      for (const row of rows) {
        const all = outcomesOf(row, yield* cache.get(numberOf(row["batch"])))
        const first = numberOf(row["seq"]) === seq ? place + 1 : 0
        for (let i = first; i < all.length; i++) {
          const outcome = all[i]
          if (outcome !== undefined) out.push(outcome)
        }
        seq = numberOf(row["seq"])
        place = all.length - 1
      }
      const last = rows.length < rowsAtOnce
      if (last && until > seq) {
        seq = until
        place = Number.MAX_SAFE_INTEGER
      }
      return last && out.length === 0 ? Option.none() : Option.some(Chunk.unsafeFromArray(out))
    })
    const pages = Stream.repeatEffectOption(
      Effect.flatMap(Effect.mapError(page, Option.some), (found) =>
        Option.isSome(found)
          ? Effect.succeed(found.value)
          : follow === undefined
          ? Effect.fail(Option.none())
          : Effect.as(Effect.sleep(Duration.decode(follow)), Chunk.empty<Outcome.Outcome>()))
    )
    return Stream.flattenChunks(pages)
  })

interface Dead {
  readonly batch: number
  readonly row: Row
  readonly outcomes: ReadonlyArray<Outcome.Outcome>
  /** Indexes within the batch. */
  readonly indexes: ReadonlyArray<number>
}

/** The dead letters of the next batch that has some. */
const nextDead = (
  db: Database,
  cache: TokenCache,
  campaign: string,
  after: number
): Effect.Effect<Option.Option<Dead>, SqlError> =>
  Effect.gen(function*() {
    const [row] = yield* db.run(
      `SELECT id, number, size, first_index, round, dead, done, rest, rest_count, acquired_by FROM @batches
       WHERE campaign = $1 AND number > $2 AND (dead IS NOT NULL OR (rest = 'Expired' AND rest_count > 0))
       ORDER BY number LIMIT 1`,
      [campaign, after]
    )
    if (row === undefined) return Option.none()
    const batch = numberOf(row["id"])
    const first = numberOf(row["first_index"])
    const dead = codec.Bits.from(bytesOf(row["dead"]), numberOf(row["size"]))
    const tokens = yield* cache.get(batch)
    const chunks = yield* db.run(
      `SELECT ${chunkColumns} FROM @outcomes o JOIN @batches b ON b.id = o.batch
       WHERE o.batch = $1 AND o.round = $2 AND (o.entries IS NOT NULL OR o.rest = 'Expired') ORDER BY o.chunk`,
      [batch, numberOf(row["round"])]
    )
    const byIndex = new Map<number, Outcome.Outcome>()
    for (const chunk of chunks) {
      const isRest = chunk["rest"] === "Expired"
      for (const outcome of outcomesOf(chunk, tokens)) {
        const index = outcome.index - first
        if (outcome._tag !== "Accepted" && (isRest || dead.has(index))) byIndex.set(index, outcome)
      }
    }
    const indexes = Array.from(byIndex.keys()).sort((a, b) => a - b)
    return Option.some({
      batch,
      row,
      indexes,
      outcomes: indexes.flatMap((index) => {
        const outcome = byIndex.get(index)
        return outcome === undefined ? [] : [outcome]
      })
    })
  })

export const deadLetters = (db: Database, campaign: string): Stream.Stream<Outcome.Outcome, SqlError> =>
  Stream.suspend(() => {
    const cache = new TokenCache(db, 1)
    return Stream.flattenChunks(Stream.unfoldEffect(-1, (after) =>
      Effect.map(
        nextDead(db, cache, campaign, after),
        Option.map(({ outcomes, row }) => [Chunk.unsafeFromArray([...outcomes]), numberOf(row["number"])] as const)
      )))
  })

/** Makes the dead letters of a campaign ready to be sent again, one batch in each transaction, except those that a runner holds. */
export const sendAgain = (db: Database, campaign: string): Effect.Effect<number, SqlError> =>
  Effect.gen(function*() {
    const cache = new TokenCache(db, 1)
    let after = -1
    let sent = 0
    while (true) {
      const next = yield* db.transaction(Effect.gen(function*() {
        // a second call at the same time waits here, and finds what this one has left
        yield* lockCampaigns(db, [campaign])
        const found = yield* nextDead(db, cache, campaign, after)
        if (Option.isNone(found)) return undefined
        const { batch, indexes, outcomes, row } = found.value
        const number = numberOf(row["number"])
        if (row["acquired_by"] !== null) return { number, count: 0 }
        const size = numberOf(row["size"])
        const done = codec.Bits.from(bytesOf(row["done"]), size)
        if (row["rest"] === "Cancelled") { for (let i = 0; i < size; i++) done.add(i) }
        const again = codec.Bits.empty(size)
        for (const index of indexes) again.add(index)
        done.removeAll(again)
        const rejected = outcomes.filter((outcome) => outcome._tag === "Rejected").length
        const taken = yield* db.run(
          `UPDATE @batches SET state = 1, due_at = @now, done = $2, dead = NULL, rest = NULL, rest_count = 0,
             round = round + 1, passes = 0, started = 0, last_error = NULL, failed = failed - $3, rejected = rejected - $4
           WHERE id = $1 AND acquired_by IS NULL RETURNING id`,
          [batch, done.bytes, indexes.length - rejected, rejected]
        )
        if (taken.length === 0) return { number, count: 0 }
        if (sent === 0) yield* revive(db, campaign)
        return { number, count: indexes.length }
      }))
      if (next === undefined) return sent
      after = next.number
      sent += next.count
    }
  })

/** The campaign gets the same lifetime again, and so does the storage at APNs. */
const revive = (db: Database, campaign: string): Effect.Effect<void, SqlError> =>
  Effect.gen(function*() {
    const [row] = yield* db.run(
      `UPDATE @campaigns SET status = 'active', reason = NULL, finished_at = NULL, refusals = 0, refusal = NULL,
         expires_at = CASE WHEN expires_at > @now AND status <> 'cancelled' THEN expires_at
           ELSE @now + CASE WHEN expires_at > send_at THEN expires_at - send_at ELSE 3600000 END END
       WHERE id = $1 RETURNING request, expires_at, @now AS now`,
      [campaign]
    )
    if (row === undefined) return
    const request = Campaigns.withExpiration(
      textOf(row["request"]),
      numberOf(row["now"]),
      numberOf(row["expires_at"])
    )
    if (request !== undefined) yield* db.run(`UPDATE @campaigns SET request = $2 WHERE id = $1`, [campaign, request])
    yield* db.run(`UPDATE @batches SET state = 1 WHERE campaign = $1 AND state = 0`, [campaign])
  })
