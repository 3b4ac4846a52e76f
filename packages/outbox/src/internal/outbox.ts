import type * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Chunk from "effect/Chunk"
import * as DateTime from "effect/DateTime"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type * as Outbox from "../Outbox.js"
import type { InvalidOutboxOptions, SchemaMismatch } from "../OutboxError.js"
import { CampaignBusy, CampaignConflict, CampaignNotFound, InvalidCampaign } from "../OutboxError.js"
import type * as Outcome from "../Outcome.js"
import * as Campaigns from "./campaign.js"
import type { Campaign } from "./campaign.js"
import * as codec from "./codec.js"
import { numberOf, optionalText, textOf } from "./codec.js"
import type { Database, Row } from "./database.js"
import * as Databases from "./database.js"
import { rows } from "./database.js"
import * as History from "./history.js"
import * as ids from "./ids.js"
import * as Options from "./options.js"
import * as Schemas from "./schema.js"
import * as typeIds from "./typeIds.js"

export { withTransaction } from "./database.js"

const defaultPrefix = "apns_outbox_"
const defaultLifetime = Duration.hours(24)
const defaultBatchSize = 5000

/** Tokens of up to this many bytes are stored in the batch itself: one row less for a small campaign. */
const inlineBytes = 600

/** A writer that has written nothing for this long counts as dead. */
const writerMillis = 30_000

export const database = (prefix: string = defaultPrefix): Effect.Effect<Database, never, SqlClient.SqlClient> =>
  Databases.make(prefix)

export const make = (
  options: Outbox.Options
): Effect.Effect<Outbox.Outbox, InvalidOutboxOptions | SchemaMismatch | SqlError, SqlClient.SqlClient> =>
  Effect.gen(function*() {
    const { lifetime = defaultLifetime, prefix } = yield* Options.checked(options, {
      prefix: Options.optional(Options.prefix),
      lifetime: Options.optional(Options.span())
    })
    const db = yield* database(prefix)
    const lifetimeMillis = yield* Options.positiveMillis("lifetime", lifetime)
    yield* Schemas.migrate(db)
    return new Writer(db, lifetimeMillis)
  })

/** Not yielded directly, since an Either is not an Effect in Effect 4. */
const eitherOf = <A, E>(either: Either.Either<A, E>): Effect.Effect<A, E> =>
  Either.isRight(either) ? Effect.succeed(either.right) : Effect.fail(either.left)

const isStream = (input: unknown): boolean =>
  Either.getOrElse(
    Options.guarded(() => typeof input === "object" && input !== null && Stream.StreamTypeId in input),
    () => false
  )

/** A valid id of a campaign, which may exist or not. */
const possible = (id: unknown): Effect.Effect<string, CampaignNotFound> =>
  typeof id === "string" && Campaigns.isId(id)
    ? Effect.succeed(id)
    : Effect.fail(new CampaignNotFound({ id: typeof id === "string" ? id : Options.show(id) }))

const noTokens = (): InvalidCampaign => Campaigns.invalid(["tokens"], "there must be at least one device token")

const isInvalid = Schema.is(InvalidCampaign)

/** Milliseconds as the parameter of a statement. */
const whole = (millis: number): number => Math.trunc(millis)

/** A campaign whose tokens are stored in its batch. */
interface Small {
  readonly campaign: Campaign
  readonly fingerprint: string
  readonly count: number
  readonly encoded: Uint8Array
}

interface Waiting {
  readonly small: Small
  readonly created: Deferred.Deferred<boolean, SqlError>
}

/** Small campaigns of one transaction. */
const smallAtOnce = 256

const smallColumns = [
  "id",
  "tenant",
  "status",
  "request",
  "fingerprint",
  "total",
  "send_at",
  "expires_at",
  "retry",
  "tokens"
]
const smallTypes = ["text", "text", "text", "text", "text", "int8", "int8", "int8", "text", "bytea"]

class Writer implements Outbox.Outbox {
  readonly [typeIds.outbox] = typeIds.outbox

  constructor(private readonly db: Database, private readonly lifetime: number) {}

  readonly enqueue = (
    options: Outbox.EnqueueOptions
  ): Effect.Effect<Outbox.Enqueued, InvalidCampaign | CampaignConflict | CampaignBusy | SqlError> =>
    Effect.gen(this, function*() {
      const campaign = yield* eitherOf(Campaigns.make(options))
      const tokens = yield* eitherOf(Campaigns.tokens(options.tokens))
      const bad = options.invalidTokens === "report" ? undefined : Campaigns.invalidToken(tokens)
      if (bad !== undefined) return yield* bad
      if (tokens.length === 0) return yield* noTokens()
      yield* this.checkEnd(campaign)
      return yield* this.write(campaign, tokens)
    })

  /** A campaign that ends before now would send nothing. One that is in the outbox already may be enqueued again at any time. */
  private checkEnd(campaign: Campaign): Effect.Effect<void, InvalidCampaign | SqlError> {
    const { atMillis, expiresAtMillis, id } = campaign
    const end = expiresAtMillis ?? (atMillis === undefined ? undefined : atMillis + this.lifetime)
    if (end === undefined) return Effect.void
    return Effect.flatMap(
      this.db.run(`SELECT @now AS now, (SELECT status FROM @campaigns WHERE id = $1) AS status`, [id]),
      ([row]) => {
        const status = optionalText(row?.["status"])
        return end > numberOf(row?.["now"]) || (status !== undefined && status !== "filling")
          ? Effect.void
          : Effect.fail(
            Campaigns.invalid(
              [expiresAtMillis === undefined ? "at" : "expiresAt"],
              "the campaign has ended before it was enqueued"
            )
          )
      }
    )
  }

  private write(
    campaign: Campaign,
    tokens: ReadonlyArray<string>
  ): Effect.Effect<Outbox.Enqueued, CampaignConflict | CampaignBusy | SqlError> {
    const { db } = this
    const { id } = campaign
    const fingerprint = `${campaign.fingerprint} ${new ids.ListHash().add(tokens).digest()}`
    if (tokens.length <= defaultBatchSize) {
      const encoded = codec.encodeTokens(tokens)
      if (encoded.length <= inlineBytes) {
        // the usual campaign: a token or a few
        const small: Small = { campaign, fingerprint, count: tokens.length, encoded }
        return Effect.flatMap(
          this.insertTogether(small),
          (created) =>
            created ? Effect.succeed({ id, created, total: tokens.length }) : this.known(campaign, fingerprint)
        )
      }
    }
    return db.transaction(Effect.gen(this, function*() {
      if (!(yield* this.insertCampaign(campaign, "active", fingerprint, tokens.length))) {
        return yield* this.known(campaign, fingerprint)
      }
      for (let from = 0, number = 0; from < tokens.length; from += defaultBatchSize, number++) {
        const part = tokens.slice(from, from + defaultBatchSize)
        yield* this.insertBatch(campaign, number, from, part.length, codec.encodeTokens(part), "", 1)
      }
      return { id, created: true, total: tokens.length }
    }))
  }

  /** Small campaigns that wait for the statement of others to end. */
  private readonly waiting: Array<Waiting> = []
  private isWriting = false

  /**
   * Writes a small campaign; returns whether it is new. Concurrent callers outside of transactions share one transaction,
   * since each commit waits for the disk, no matter how much it writes.
   */
  private insertTogether(small: Small): Effect.Effect<boolean, SqlError> {
    return Effect.flatMap(this.db.isOutside, (isOutside) => {
      if (!isOutside) return Effect.map(this.insertSmall([small]), (created) => created.has(small.campaign.id))
      return Effect.gen(this, function*() {
        const created = yield* Deferred.make<boolean, SqlError>()
        this.waiting.push({ small, created })
        if (!this.isWriting) {
          this.isWriting = true
          // a daemon: when the caller that began is interrupted, the others still wait for it
          yield* Effect.forkDaemon(this.writeWaiting)
        }
        return yield* Deferred.await(created)
      })
    })
  }

  private readonly writeWaiting: Effect.Effect<void> = Effect.gen(this, function*() {
    while (this.waiting.length > 0) {
      const group: Array<Waiting> = []
      const ids = new Set<string>()
      for (const waiting of this.waiting) {
        const { id } = waiting.small.campaign
        // the same id twice: the second one waits, and finds the campaign of the first one
        if (ids.has(id) || group.length >= smallAtOnce) break
        ids.add(id)
        group.push(waiting)
      }
      this.waiting.splice(0, group.length)
      const exit = yield* Effect.exit(this.insertSmall(group.map(({ small }) => small)))
      for (const { created, small } of group) {
        if (Exit.isSuccess(exit)) yield* Deferred.succeed(created, exit.value.has(small.campaign.id))
        else if (group.length === 1) yield* Deferred.failCause(created, exit.cause)
        else {
          // an error of one of them must not fail the others
          yield* Deferred.complete(
            created,
            Effect.map(this.insertSmall([small]), (inserted) => inserted.has(small.campaign.id))
          )
        }
      }
    }
    // in the same step as the check for waiting campaigns: so none can be added in between and be missed
    this.isWriting = false
  }).pipe(Effect.ensuring(Effect.sync(() => {
    this.isWriting = false
  })))

  /** Writes small campaigns, and returns which of them are new. */
  private insertSmall(group: ReadonlyArray<Small>): Effect.Effect<ReadonlySet<string>, SqlError> {
    const { db } = this
    const values = `WITH v(${smallColumns.join(", ")}) AS (VALUES ${rows(group.length, smallTypes)})`
    const parameters = group.flatMap(({ campaign, count, encoded, fingerprint }) => [
      ...this.campaignRow(campaign, "active", fingerprint, count),
      encoded
    ])
    const campaigns = `INSERT INTO @campaigns
        (id, tenant, status, request, fingerprint, total, send_at, expires_at, retry, created_at)
      SELECT id, tenant, status, request, fingerprint, total, COALESCE(send_at, @now),
        CASE WHEN expires_at < 0 THEN COALESCE(send_at, @now) - expires_at ELSE expires_at END, retry, @now
      FROM v WHERE true ON CONFLICT (id) DO NOTHING`
    const batches = (from: string) =>
      `INSERT INTO @batches (campaign, number, tenant, first_index, size, tokens, fingerprint, state, due_at)
       SELECT c.id, 0, c.tenant, 0, c.total, v.tokens, '', CASE WHEN c.total = 0 THEN 2 ELSE 1 END, c.send_at
       FROM ${from}`
    if (db.dialect === "pg") {
      return Effect.map(
        db.run(
          `${values}, c AS (${campaigns} RETURNING id, tenant, total, send_at)
           ${batches("c JOIN v ON v.id = c.id")} RETURNING campaign`,
          parameters
        ),
        (rows) => new Set(rows.map((row) => textOf(row["campaign"])))
      )
    }
    return db.transaction(Effect.gen(function*() {
      const inserted = yield* db.run(`${values} ${campaigns} RETURNING id`, parameters)
      const created = new Set(inserted.map((row) => textOf(row["id"])))
      const fresh = group.filter(({ campaign }) => created.has(campaign.id))
      if (fresh.length > 0) {
        yield* db.run(
          `WITH v(id, tokens) AS (VALUES ${rows(fresh.length, ["text", "bytea"])})
           ${batches("v JOIN @campaigns c ON c.id = v.id")}`,
          fresh.flatMap(({ campaign, encoded }) => [campaign.id, encoded])
        )
      }
      return created
    }))
  }

  private campaignRow(campaign: Campaign, status: string, fingerprint: string, total: number) {
    return [
      campaign.id,
      campaign.tenant,
      status,
      campaign.request,
      fingerprint,
      total,
      campaign.atMillis === undefined ? null : whole(campaign.atMillis),
      campaign.expiresAtMillis === undefined ? whole(-this.lifetime) : whole(campaign.expiresAtMillis),
      campaign.retry
    ]
  }

  private insertCampaign(
    campaign: Campaign,
    status: string,
    fingerprint: string,
    total: number
  ): Effect.Effect<boolean, SqlError> {
    return Effect.map(
      this.db.run(
        `${insertCampaign} RETURNING id`,
        this.campaignRow(campaign, status, fingerprint, total)
      ),
      (rows) => rows.length > 0
    )
  }

  private insertBatch(
    campaign: Campaign,
    number: number,
    first: number,
    size: number,
    encoded: Uint8Array,
    fingerprint: string,
    state: number
  ): Effect.Effect<void, SqlError> {
    const { db } = this
    const inline = encoded.length <= inlineBytes
    return db.run(
      `INSERT INTO @batches (campaign, number, tenant, first_index, size, tokens, fingerprint, state, due_at)
       SELECT $1, $2, $3, $4, $5, $6, $7, $8, send_at FROM @campaigns WHERE id = $1 RETURNING id`,
      [campaign.id, number, campaign.tenant, first, size, inline ? encoded : null, fingerprint, state]
    ).pipe(
      Effect.flatMap(([row]) =>
        inline
          ? Effect.void
          : db.run(`INSERT INTO @tokens (batch, tokens) VALUES ($1, $2)`, [numberOf(row?.["id"]), encoded])
      ),
      Effect.asVoid
    )
  }

  /** The id is taken: by the same campaign, or by another one. */
  private known(
    campaign: Campaign,
    fingerprint: string
  ): Effect.Effect<Outbox.Enqueued, CampaignConflict | CampaignBusy | SqlError> {
    const { id } = campaign
    return Effect.gen(this, function*() {
      const [row] = yield* this.db.run(`SELECT tenant, status, fingerprint, total FROM @campaigns WHERE id = $1`, [id])
      if (row === undefined || row["status"] === "filling") return yield* new CampaignBusy({ id })
      if (row["tenant"] !== campaign.tenant) return yield* new CampaignConflict({ id, differs: "tenant" })
      const [request, tokens] = textOf(row["fingerprint"]).split(" ")
      const [ours, ourTokens] = fingerprint.split(" ")
      if (request !== ours) return yield* new CampaignConflict({ id, differs: "notification" })
      if (ourTokens !== undefined && tokens !== undefined && tokens !== ourTokens) {
        return yield* new CampaignConflict({ id, differs: "tokens" })
      }
      return { id, created: false, total: numberOf(row["total"]) }
    })
  }

  readonly enqueueAll = <E, R>(
    options: Outbox.EnqueueAllOptions<E, R>
  ): Effect.Effect<Outbox.Enqueued, E | InvalidCampaign | CampaignConflict | CampaignBusy | SqlError, R> =>
    Effect.gen(this, function*() {
      const campaign = yield* eitherOf(Campaigns.make(options))
      const { batchSize = defaultBatchSize, invalidTokens = "report", tokens } = options
      if (!isStream(tokens)) {
        return yield* Campaigns.invalid(
          ["tokens"],
          `they must be a Stream, as Stream.fromIterable makes one, not ${Options.show(tokens)}`
        )
      }
      yield* this.checkEnd(campaign)
      const writer = ids.unique()
      const list = new ids.ListHash()
      let number = 0
      let total = 0
      let began = false
      let known: Outbox.Enqueued | undefined
      const filling = tokens.pipe(
        Stream.rechunk(batchSize),
        Stream.runForEachChunk((chunk) =>
          Effect.gen(this, function*() {
            const part = Chunk.toReadonlyArray(chunk)
            if (part.length === 0) return
            const bad = part.findIndex((token) => Campaigns.tokenProblem(token) !== undefined)
            if (bad >= 0) {
              return yield* Campaigns.invalid(["tokens", total + bad], Campaigns.tokenProblem(part[bad]) ?? "")
            }
            const problem = invalidTokens === "refuse" ? Campaigns.invalidToken(part) : undefined
            if (problem !== undefined) {
              return yield* Campaigns.invalid(["tokens", total + Number(problem.path[1])], problem.description)
            }
            // not before the first tokens are there: an empty stream must not take the id
            if (!began) {
              known = yield* this.beginFilling(campaign, writer)
              began = true
            }
            list.add(part)
            if (known === undefined) yield* this.fill(campaign, writer, number, total, part)
            number++
            total += part.length
            if (known !== undefined && total > known.total) {
              return yield* new CampaignConflict({ id: campaign.id, differs: "tokens" })
            }
          })
        )
      )
      return yield* Effect.gen(this, function*() {
        yield* Effect.tapError(
          filling,
          (error) => began && known === undefined && isInvalid(error) ? this.abandon(campaign.id, writer) : Effect.void
        )
        if (total === 0) return yield* noTokens()
        const fingerprint = `${campaign.fingerprint} ${list.digest()}`
        if (known !== undefined) {
          return yield* total === known.total
            ? this.known(campaign, fingerprint)
            : new CampaignConflict({ id: campaign.id, differs: "tokens" })
        }
        yield* this.endFilling(campaign, writer, number, total, fingerprint)
        return { id: campaign.id, created: true, total }
      }).pipe(
        Effect.onError(() => began && known === undefined ? this.stopWriting(campaign.id, writer) : Effect.void)
      )
    })

  /** Lets another writer go on at once. Where the database does not take that, it goes on when this one counts as dead. */
  private stopWriting(id: string, writer: string): Effect.Effect<void> {
    return Effect.ignore(Effect.timeout(
      Effect.disconnect(Effect.interruptible(this.db.run(
        `UPDATE @campaigns SET writer = NULL, writer_at = NULL WHERE id = $1 AND writer = $2 AND status = 'filling'`,
        [id, writer]
      ))),
      "2 seconds"
    ))
  }

  /** Deletes what this writer has written of a campaign that turned out to be invalid. */
  private abandon(id: string, writer: string): Effect.Effect<void, CampaignBusy | SqlError> {
    const { db } = this
    return db.transaction(Effect.gen(this, function*() {
      yield* this.stillWriting(id, writer)
      yield* db.run(`DELETE FROM @tokens WHERE batch IN (SELECT id FROM @batches WHERE campaign = $1)`, [id])
      yield* db.run(`DELETE FROM @batches WHERE campaign = $1`, [id])
      yield* db.run(`DELETE FROM @campaigns WHERE id = $1`, [id])
    }))
  }

  /** Makes the campaign, or takes over one whose writer died. */
  private beginFilling(
    campaign: Campaign,
    writer: string
  ): Effect.Effect<Outbox.Enqueued | undefined, CampaignConflict | CampaignBusy | SqlError> {
    const { db } = this
    const { id } = campaign
    return db.transaction(Effect.gen(this, function*() {
      const created = yield* this.insertCampaign(campaign, "filling", campaign.fingerprint, 0)
      if (!created) {
        const [row] = yield* db.run(`SELECT status FROM @campaigns WHERE id = $1`, [id])
        if (row?.["status"] !== "filling") return yield* this.known(campaign, campaign.fingerprint)
      }
      // the options of this call replace those of the incomplete campaign, times included
      const taken = yield* db.run(
        `UPDATE @campaigns SET writer = $2, writer_at = @now, tenant = $3, request = $4, fingerprint = $5, retry = $6,
           send_at = COALESCE($7::bigint, @now),
           expires_at = CASE WHEN $8::bigint < 0 THEN COALESCE($7::bigint, @now) - $8::bigint ELSE $8::bigint END
         WHERE id = $1 AND status = 'filling' AND (writer IS NULL OR writer_at < @now - ${writerMillis}) RETURNING id`,
        [
          id,
          writer,
          campaign.tenant,
          campaign.request,
          campaign.fingerprint,
          campaign.retry,
          campaign.atMillis === undefined ? null : whole(campaign.atMillis),
          campaign.expiresAtMillis === undefined ? whole(-this.lifetime) : whole(campaign.expiresAtMillis)
        ]
      )
      return taken.length > 0 ? undefined : yield* new CampaignBusy({ id })
    }))
  }

  private fill(
    campaign: Campaign,
    writer: string,
    number: number,
    first: number,
    tokens: ReadonlyArray<string>
  ): Effect.Effect<void, CampaignBusy | SqlError> {
    const { db } = this
    const { id } = campaign
    const encoded = codec.encodeTokens(tokens)
    const fingerprint = ids.sha256(campaign.tenant, encoded)
    return db.transaction(Effect.gen(this, function*() {
      yield* this.stillWriting(id, writer)
      const [row] = yield* db.run(`SELECT id, fingerprint FROM @batches WHERE campaign = $1 AND number = $2`, [
        id,
        number
      ])
      if (row !== undefined) {
        if (row["fingerprint"] === fingerprint) return
        yield* this.deleteBatch(numberOf(row["id"]))
      }
      yield* this.insertBatch(campaign, number, first, tokens.length, encoded, fingerprint, 0)
    }))
  }

  private deleteBatch(batch: number): Effect.Effect<void, SqlError> {
    return Effect.asVoid(Effect.zipRight(
      this.db.run(`DELETE FROM @tokens WHERE batch = $1`, [batch]),
      this.db.run(`DELETE FROM @batches WHERE id = $1`, [batch])
    ))
  }

  /** Shows that the writer is alive; fails if another one has taken over, or the campaign was cancelled. */
  private stillWriting(id: string, writer: string): Effect.Effect<void, CampaignBusy | SqlError> {
    return Effect.flatMap(
      this.db.run(
        `UPDATE @campaigns SET writer_at = @now WHERE id = $1 AND writer = $2 AND status = 'filling' RETURNING id`,
        [id, writer]
      ),
      (rows) => rows.length > 0 ? Effect.void : Effect.fail(new CampaignBusy({ id }))
    )
  }

  private endFilling(
    campaign: Campaign,
    writer: string,
    batches: number,
    total: number,
    fingerprint: string
  ): Effect.Effect<void, CampaignBusy | SqlError> {
    const { db } = this
    const { id } = campaign
    return db.transaction(Effect.gen(this, function*() {
      yield* this.stillWriting(id, writer)
      const surplus = yield* db.run(`SELECT id FROM @batches WHERE campaign = $1 AND number >= $2`, [id, batches])
      for (const row of surplus) yield* this.deleteBatch(numberOf(row["id"]))
      yield* db.run(
        `UPDATE @campaigns SET status = 'active', total = $2, fingerprint = $3, writer = NULL, writer_at = NULL
         WHERE id = $1`,
        [id, total, fingerprint]
      )
      yield* db.run(
        `UPDATE @batches SET state = 1, tenant = $2, due_at = (SELECT send_at FROM @campaigns WHERE id = $1)
         WHERE campaign = $1`,
        [id, campaign.tenant]
      )
    }))
  }

  readonly progress = (id: string): Effect.Effect<Outbox.Progress, CampaignNotFound | SqlError> =>
    Effect.flatMap(possible(id), (id) => this.progressOf(id))

  private progressOf(id: string): Effect.Effect<Outbox.Progress, CampaignNotFound | SqlError> {
    return Effect.flatMap(
      this.db.run(
        `SELECT c.id, c.tenant, c.status, c.reason, c.total, c.send_at, c.expires_at, c.finished_at, @now AS now,
           CASE WHEN c.finished_at IS NULL THEN b.accepted ELSE c.accepted END AS accepted,
           CASE WHEN c.finished_at IS NULL THEN b.rejected ELSE c.rejected END AS rejected,
           CASE WHEN c.finished_at IS NULL THEN b.failed ELSE c.failed END AS failed,
           CASE WHEN c.finished_at IS NULL THEN b.cancelled ELSE c.cancelled END AS cancelled,
           b.size, b.acquired, b.retrying, b.last_error
         FROM @campaigns c LEFT JOIN (
           SELECT campaign, SUM(size) AS size, SUM(accepted) AS accepted, SUM(rejected) AS rejected,
             SUM(failed) AS failed, SUM(cancelled) AS cancelled, COUNT(acquired_by) AS acquired,
             SUM(CASE WHEN passes > 0 AND state < 2 AND acquired_by IS NULL
               THEN size - accepted - rejected - failed - cancelled ELSE 0 END) AS retrying,
             MAX(CASE WHEN state < 2 THEN last_error END) AS last_error
           FROM @batches WHERE campaign = $1 GROUP BY campaign
         ) b ON b.campaign = c.id
         WHERE c.id = $1`,
        [id]
      ),
      ([row]) => row === undefined ? Effect.fail(new CampaignNotFound({ id })) : Effect.succeed(progressOf(row))
    )
  }

  readonly cancel = (id: string): Effect.Effect<Outbox.Progress, CampaignNotFound | SqlError> =>
    this.changed(
      id,
      Effect.gen(this, function*() {
        const { db } = this
        const [filling] = yield* db.run(
          `DELETE FROM @campaigns WHERE id = $1 AND status = 'filling'
           RETURNING id, tenant, 'cancelled' AS status, reason, 0 AS total, send_at, expires_at, @now AS now`,
          [id]
        )
        if (filling !== undefined) {
          yield* db.run(`DELETE FROM @tokens WHERE batch IN (SELECT id FROM @batches WHERE campaign = $1)`, [id])
          yield* db.run(`DELETE FROM @batches WHERE campaign = $1`, [id])
          return progressOf(filling)
        }
        yield* db.run(
          // it ends now: batches held by a runner get their outcomes as soon as they are released
          `UPDATE @campaigns SET status = 'cancelled', expires_at = CASE WHEN expires_at < @now THEN expires_at ELSE @now END
           WHERE id = $1 AND finished_at IS NULL`,
          [id]
        )
        yield* History.giveUp(db, id, "Cancelled")
        yield* History.finish(db, [id])
        return undefined
      })
    )

  readonly pause = (id: string): Effect.Effect<Outbox.Progress, CampaignNotFound | SqlError> =>
    this.changed(
      id,
      Effect.gen(this, function*() {
        const { db } = this
        const rows = yield* db.run(
          `UPDATE @campaigns SET status = 'paused', reason = NULL
           WHERE id = $1 AND status = 'active' AND finished_at IS NULL RETURNING id`,
          [id]
        )
        if (rows.length > 0) yield* db.run(`UPDATE @batches SET state = 0 WHERE campaign = $1 AND state = 1`, [id])
      })
    )

  readonly resume = (id: string): Effect.Effect<Outbox.Progress, CampaignNotFound | SqlError> =>
    this.changed(
      id,
      Effect.gen(this, function*() {
        const { db } = this
        const rows = yield* db.run(
          `UPDATE @campaigns SET status = 'active', reason = NULL
           WHERE id = $1 AND status IN ('paused', 'stopped') RETURNING id`,
          [id]
        )
        if (rows.length > 0) {
          yield* db.run(`UPDATE @batches SET state = 1, last_error = NULL WHERE campaign = $1 AND state = 0`, [id])
        }
      })
    )

  private changed(
    id: string,
    change: Effect.Effect<Outbox.Progress | void, SqlError>
  ): Effect.Effect<Outbox.Progress, CampaignNotFound | SqlError> {
    return Effect.zipRight(
      possible(id),
      this.db.transaction(
        Effect.flatMap(change, (progress) => progress === undefined ? this.progress(id) : Effect.succeed(progress))
      )
    )
  }

  readonly outcomes = (
    options: Outbox.OutcomesOptions = {}
  ): Stream.Stream<Outcome.Outcome, InvalidCampaign | SqlError> => History.outcomes(this.db, options)

  readonly deadLetters = (id: string): Stream.Stream<Outcome.Outcome, CampaignNotFound | SqlError> =>
    Stream.unwrap(Effect.as(this.progress(id), History.deadLetters(this.db, id)))

  readonly sendAgain = (id: string): Effect.Effect<number, CampaignNotFound | SqlError> =>
    Effect.zipRight(this.progress(id), History.sendAgain(this.db, id))
}

const insertCampaign =
  `INSERT INTO @campaigns (id, tenant, status, request, fingerprint, total, send_at, expires_at, retry, created_at)
   VALUES ($1, $2, $3, $4, $5, $6, COALESCE($7::bigint, @now),
     CASE WHEN $8::bigint < 0 THEN COALESCE($7::bigint, @now) - $8::bigint ELSE $8::bigint END, $9, @now)
   ON CONFLICT (id) DO NOTHING`

const stateOf = (row: Row, left: number): Outbox.Progress["state"] => {
  switch (row["status"]) {
    case "filling":
    case "cancelled":
      return row["status"]
    case "paused":
    case "stopped":
      return left === 0 ? "done" : row["status"]
    default:
      return left === 0
        ? "done"
        : numberOf(row["send_at"]) > numberOf(row["now"]) && numberOf(row["acquired"]) === 0
        ? "scheduled"
        : "sending"
  }
}

const progressOf = (row: Row): Outbox.Progress => {
  const total = row["status"] === "filling" ? numberOf(row["size"]) : numberOf(row["total"])
  const accepted = numberOf(row["accepted"])
  const rejected = numberOf(row["rejected"])
  const failed = numberOf(row["failed"])
  const cancelled = numberOf(row["cancelled"])
  const left = total - accepted - rejected - failed - cancelled
  return {
    id: textOf(row["id"]),
    tenant: textOf(row["tenant"]),
    state: stateOf(row, left),
    total,
    accepted,
    rejected,
    failed,
    cancelled,
    retrying: numberOf(row["retrying"]),
    left,
    reason: optionalText(row["reason"]) ?? optionalText(row["last_error"]),
    at: instantOf(row["send_at"]),
    expiresAt: instantOf(row["expires_at"])
  }
}

/** The last instant of a `Date`: a campaign that is sent just before it ends after it. */
const lastMillis = 8.64e15

const instantOf = (value: unknown): DateTime.Utc => DateTime.unsafeMake(Math.min(lastMillis, numberOf(value)))
