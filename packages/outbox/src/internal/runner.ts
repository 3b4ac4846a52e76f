import type { RequestSpec } from "@effect-apns/core/unstable/RequestSpec"
import { TimeSpan } from "@effect-apns/models"
import { type ApnsPool, TypeId as PoolTypeId } from "@effect-apns/pool/ApnsPool"
import { type Lane, makeLane } from "@effect-apns/pool/unstable/Delivery"
import * as Parts from "@effect-apns/pool/unstable/Send"
import type * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import { globalValue } from "effect/GlobalValue"
import * as Metric from "effect/Metric"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { hostname } from "node:os"
import type { InvalidOutboxOptions } from "../OutboxError.js"
import { SchemaMismatch } from "../OutboxError.js"
import * as OutboxMetrics from "../OutboxMetrics.js"
import type * as Runner from "../OutboxRunner.js"
import type { Outcome } from "../Outcome.js"
import type * as Batches from "./batch.js"
import { Batch } from "./batch.js"
import * as Campaigns from "./campaign.js"
import * as codec from "./codec.js"
import { bytesOf, cut, numberOf, textOf } from "./codec.js"
import type { Database, Parameter, Row } from "./database.js"
import { places, rows } from "./database.js"
import * as History from "./history.js"
import * as ids from "./ids.js"
import * as Options from "./options.js"
import { database } from "./outbox.js"
import * as Rates from "./rates.js"
import * as Schemas from "./schema.js"
import { Teller } from "./teller.js"
import * as typeIds from "./typeIds.js"
import * as Verdict from "./verdict.js"
import { Window } from "./window.js"

/** Tokens of one tenant that are taken together. */
const unitTokens = 5000
/** Batches of one tenant that are taken together: there may be thousands of campaigns with one token each. */
const unitBatches = 256
/** When to try a batch again that cannot be sent as it is in the database. */
const unreadableMillis = 15 * 60_000
/** Of so many due batches at most the tenants are read one by one. */
const dueAtOnce = 1000
/** How many units are held at once, of all tenants and of one. */
const maxUnits = 64
const maxUnitsOfTenant = 3

const event = {
  taken: Metric.tagged(OutboxMetrics.batches, "event", "taken"),
  finished: Metric.tagged(OutboxMetrics.batches, "event", "finished"),
  retried: Metric.tagged(OutboxMetrics.batches, "event", "retried"),
  lost: Metric.tagged(OutboxMetrics.batches, "event", "lost"),
  takenOver: Metric.tagged(OutboxMetrics.batches, "event", "taken over")
}
const outcome = {
  accepted: Metric.tagged(OutboxMetrics.outcomes, "outcome", "Accepted"),
  rejected: Metric.tagged(OutboxMetrics.outcomes, "outcome", "Rejected"),
  failed: Metric.tagged(OutboxMetrics.outcomes, "outcome", "Failed")
}
const failure = {
  database: Metric.tagged(OutboxMetrics.failures, "of", "database"),
  pool: Metric.tagged(OutboxMetrics.failures, "of", "pool")
}
const noTags: ReadonlyArray<never> = []

/** The ids of all runners of this process, on any database. */
const runnersOfThisProcess = globalValue("@effect-apns/outbox/runners", () => new Set<string>())

/** On a libSQL file: a runner that is about to register must not be forgotten by another one of this process. */
const registering = globalValue("@effect-apns/outbox/registering", () => Effect.unsafeMakeSemaphore(1))

const batchOf = ({ batch }: Batches.Snapshot): Batch => batch

interface Settings {
  readonly concurrency: number
  readonly checkpointMillis: number
  readonly pollMillis: number
  readonly lockMillis: number
  readonly maxDeaths: number
  readonly drainMillis: number
  readonly detailsMillis: number
  readonly campaignsMillis: number
}

/** Batches of one tenant that are being sent. */
class Unit {
  private pool: ApnsPool | undefined = undefined
  private lane: Lane | undefined = undefined
  private current = 0
  /** How many may be sent by the tenant's rate. */
  allowance = Infinity
  readonly completed = Deferred.unsafeMake<void>(FiberId.none)

  constructor(readonly tenant: string, readonly batches: ReadonlyArray<Batch>) {}

  /**
   * As for a bulk, its notifications wait in a lane of their own: they do not count for the pool's limit of single
   * notifications, nor do these wait behind them. Units of one tenant share the lane: if they took turns, each checkpoint
   * would write rows for all of them.
   */
  opened(pool: ApnsPool, others: Iterable<Unit>): void {
    this.pool = pool
    for (const other of others) {
      if (other.tenant === this.tenant && other.pool === pool) this.lane = other.lane
    }
    this.lane ??= makeLane()
  }

  get sendsOn(): ApnsPool | undefined {
    return this.pool
  }

  pump(most: number): number {
    const { lane, pool } = this
    if (pool === undefined || lane === undefined) return 0
    let sent = 0
    while (sent < most && this.allowance > 0 && this.current < this.batches.length) {
      const batch = this.batches[this.current]
      if (batch === undefined || !batch.hungry) {
        this.current++
        continue
      }
      const now = batch.pump(pool, lane, Math.min(most - sent, this.allowance))
      this.allowance -= now
      sent += now
    }
    return sent
  }

  /** How many could be sent now, without the limits of window and rate. */
  get waiting(): number {
    let count = 0
    for (let i = this.current; i < this.batches.length; i++) {
      const batch = this.batches[i]
      if (batch !== undefined && batch.hungry) count += batch.left - batch.underWay
    }
    return count
  }

  get closed(): boolean {
    return this.batches.every((batch) => batch.closed)
  }
}

interface Taken {
  readonly row: Batches.Row
  readonly started: number
}

/** What is needed to send a batch. */
interface Loaded {
  readonly taken: Taken
  readonly tokens: ReadonlyArray<string>
  readonly uniform: boolean
  readonly request: string
  readonly retry: string
  /** Why it is not sent at all. */
  readonly halt: Batches.Halt | undefined
}

interface Written {
  readonly kept: ReadonlySet<number>
  readonly seqs: ReadonlyMap<number, number>
  /** Campaigns that APNs refuses as a whole, and why. */
  readonly toStop: ReadonlyMap<string, string>
}

/** A campaign is stopped if its first answers are this many refusals for one reason that is not the fault of a token. */
const refusalsAreEnough = 100

class Engine {
  id = ids.unique()
  state: Runner.Stats["state"] = "running"
  readonly window: Window
  readonly units = new Set<Unit>()
  readonly owner: Batches.Owner
  written = 0
  lostCount = 0
  private readonly unitOf = new Map<Batch, Unit>()
  /** Ids of the batches that this runner knows to hold in the database, including those that are being loaded. */
  private readonly claims = new Set<number>()
  /** Held while batches are claimed, and while claims are compared with the database. */
  private readonly claiming = Effect.unsafeMakeSemaphore(1)
  /** A statement failed, or its answer was lost: the database may have claims that this runner does not know of. */
  private isUncertain = false
  /** Until when no other runner can have taken over its batches, by the clock of this machine. */
  private leaseEnd = 0
  /** Since when the database was reachable, without a gap as long as the lock. */
  private reachableSince = 0
  /** How far the clock of the database is ahead of the one of this machine, in milliseconds, at most. */
  private databaseAhead = 0
  private readonly dirty = new Set<Batch>()
  private onDirty: (() => void) | undefined = undefined
  private onUnitEnd: (() => void) | undefined = undefined
  private pumping = false
  private pumpAgain = false
  /** Campaigns that are to be stopped, and why, until that is written. */
  private readonly stops = new Map<string, string>()
  private lastTenant = ""
  private beating = 0
  readonly teller: Teller

  constructor(
    readonly db: Database,
    readonly settings: Settings,
    private readonly clock: Clock.Clock,
    private readonly poolOf: (tenant: string) => Effect.Effect<ApnsPool, PoolProblem, Scope.Scope>,
    private readonly rateOf: (tenant: string) => Runner.Rate | undefined,
    teller: (engine: Engine) => Teller
  ) {
    this.window = new Window(settings.concurrency)
    this.window.onRoom = () => this.pump()
    this.owner = {
      window: this.window,
      now: () => this.clock.unsafeCurrentTimeMillis(),
      changed: (batch) => this.changed(batch),
      stop: (batch, reason) => this.stops.set(batch.row.campaign, reason)
    }
    this.teller = teller(this)
  }

  // -------------------------------------------------------------------------
  // sending: callbacks
  // -------------------------------------------------------------------------

  /** Fills the window, evenly from all units. */
  pump(): void {
    // other runners may have its batches: nothing more is sent before the lock was renewed in the database. A clock that was
    // set back does not tell how long ago that was
    const now = this.clock.unsafeCurrentTimeMillis()
    if (now > this.leaseEnd || now < this.leaseEnd - this.settings.lockMillis) return
    // an outcome that comes while submitting must not call this again from inside
    this.pumpAgain = true
    if (this.pumping) return
    this.pumping = true
    while (this.pumpAgain) {
      this.pumpAgain = false
      let sent = 1
      while (sent > 0 && this.window.free > 0) {
        sent = 0
        const share = Math.max(1, Math.ceil(this.window.free / Math.max(1, this.units.size)))
        for (const unit of this.units) {
          const room = Math.min(share, this.window.free)
          if (room <= 0) break
          sent += unit.pump(room)
        }
      }
    }
    this.pumping = false
  }

  private changed(batch: Batch): void {
    if (this.dirty.has(batch) || !batch.dirty) return
    this.dirty.add(batch)
    this.onDirty?.()
  }

  private ended(batch: Batch): void {
    const unit = this.unitOf.get(batch)
    this.unitOf.delete(batch)
    this.claims.delete(batch.row.id)
    if (unit !== undefined && unit.closed && this.units.delete(unit)) {
      Deferred.unsafeDone(unit.completed, Exit.void)
      this.onUnitEnd?.()
    }
  }

  private lose(batch: Batch): void {
    batch.lose(this.unitOf.get(batch)?.sendsOn)
    this.lostCount++
    event.lost.unsafeUpdate(1, noTags)
    this.ended(batch)
  }

  get batchCount(): number {
    return this.unitOf.size
  }

  get underWay(): number {
    let count = 0
    for (const batch of this.unitOf.keys()) count += batch.underWay
    return count
  }

  // -------------------------------------------------------------------------
  // the database, which may be down
  // -------------------------------------------------------------------------

  /** How many of its loops have failed more than once in a row. */
  private failing = 0

  /** Whether the database does not answer, or refuses. */
  get away(): boolean {
    return this.failing > 0
  }

  /**
   * Retries for as long as the database is down. One log line when the first loop fails, one when all of them work again:
   * while a disk is full, those that only read never fail.
   */
  resilient<A>(effect: Effect.Effect<A, SqlError>): Effect.Effect<A> {
    return Effect.suspend(() => {
      let isFailing = false
      return Effect.gen(this, function*() {
        for (let attempt = 0;; attempt++) {
          const exit = yield* Effect.exit(effect)
          if (Exit.isSuccess(exit)) {
            if (isFailing) {
              isFailing = false
              if (--this.failing === 0) yield* Effect.logInfo("The database answers again, and the outbox goes on")
            }
            return exit.value
          }
          if (Cause.isInterrupted(exit.cause)) return yield* Effect.interrupt
          failure.database.unsafeUpdate(1, noTags)
          this.isUncertain = true
          // a single failure may just be a conflict with another transaction
          if (!isFailing && attempt >= 1) {
            isFailing = true
            if (++this.failing === 1) {
              yield* Effect.logError(
                `The database does not answer, or refuses: at most ${this.settings.concurrency} notifications are sent until it is back, and nothing is lost. ${
                  describe(exit.cause)
                }`
              )
            }
          }
          yield* Effect.sleep(Duration.millis(Math.min(2000, 50 * Math.pow(2, attempt))))
        }
      }).pipe(Effect.ensuring(Effect.sync(() => {
        if (isFailing) this.failing--
      })))
    })
  }

  // -------------------------------------------------------------------------
  // checkpoints
  // -------------------------------------------------------------------------

  readonly ledger: Effect.Effect<void> = Effect.gen(this, function*() {
    while (true) {
      yield* this.untilDirty
      yield* this.save
      yield* Effect.sleep(Duration.millis(this.settings.checkpointMillis))
    }
  })

  private readonly untilDirty = Effect.async<void>((resume) => {
    if (this.dirty.size > 0) return resume(Effect.void)
    this.onDirty = () => {
      this.onDirty = undefined
      resume(Effect.void)
    }
  })

  /** Writes what has happened, and releases finished batches. */
  readonly save: Effect.Effect<void> = Effect.gen(this, function*() {
    for (const [campaign, reason] of this.stops) {
      yield* this.resilient(this.stopCampaign(campaign, reason))
      this.stops.delete(campaign)
    }
    const snapshots: Array<Batches.Snapshot> = []
    for (const batch of this.dirty) {
      if (snapshots.length >= 500) break
      this.dirty.delete(batch)
      if (batch.dirty) snapshots.push(batch.snapshot(yield* Random.nextRange(0.8, 1.2)))
    }
    if (snapshots.length === 0) return
    const tells = this.teller.active && this.teller.hasRoom
    const { kept, seqs, toStop } = yield* this.resilient(this.write(snapshots, tells))
    // before there is room again: nothing more may be sent of the other lost batches either
    if (kept.size < snapshots.length) yield* this.resilient(this.loseWhatOthersHave(new Set(snapshots.map(batchOf))))
    for (const [campaign, reason] of toStop) {
      yield* this.resilient(this.stopCampaign(campaign, `APNs refuses every notification of it: ${reason}`))
    }
    const finished = new Set<string>()
    const ended = new Set<string>()
    let gone = 0
    for (const snapshot of snapshots) {
      const { batch } = snapshot
      if (!kept.has(batch.row.id)) {
        gone++
        // a commit whose answer was lost may have written everything
        this.teller.doubt = true
        if (snapshot.release?.finished === true) finished.add(batch.row.campaign)
        this.lose(batch)
        continue
      }
      this.written += snapshot.settled
      outcome.accepted.unsafeUpdate(
        snapshot.settled - snapshot.entries.filter((entry) => entry[1] !== "A").length,
        noTags
      )
      for (const entry of snapshot.entries) {
        if (entry[1] === "R") outcome.rejected.unsafeUpdate(1, noTags)
        else if (entry[1] === "F") outcome.failed.unsafeUpdate(1, noTags)
      }
      const seq = seqs.get(batch.row.id)
      if (tells && snapshot.settled > 0 && seq === undefined) this.teller.doubt = true
      if (tells && seq !== undefined) {
        this.teller.offer(seq, snapshot.settled, () => History.outcomesOf(chunkOf(snapshot, seq), batch.tokens))
      }
      if (snapshot.release !== undefined) {
        if (snapshot.release.finished) {
          finished.add(batch.row.campaign)
          event.finished.unsafeUpdate(1, noTags)
        } else if (snapshot.release.dueInMillis !== undefined) event.retried.unsafeUpdate(1, noTags)
        if (batch.halted === "ended") ended.add(batch.row.campaign)
      }
      batch.saved()
      if (batch.closed) this.ended(batch)
      else this.changed(batch)
    }
    OutboxMetrics.unsaved.unsafeUpdate(this.window.taken, noTags)
    this.pump()
    if (gone > 0) {
      yield* Effect.logWarning(
        `${
          counted(gone, "batch of this runner was", "batches of this runner were")
        } taken over by other runners, because this one could not renew its lock in time. What it had in flight is sent again, under the same apns-id`
      )
    }
    if (finished.size > 0) yield* this.resilient(History.finish(this.db, Array.from(finished)))
    if (ended.size > 0) yield* this.resilient(this.expire)
  })

  /** Removes the batches that this runner no longer has, except those that are being written. */
  private loseWhatOthersHave(writing: ReadonlySet<Batch>): Effect.Effect<void, SqlError> {
    const held = Array.from(this.unitOf.keys()).filter((batch) => !writing.has(batch))
    if (held.length === 0) return Effect.void
    return Effect.map(this.db.run(`SELECT id FROM @batches WHERE acquired_by = $1`, [this.id]), (rows) => {
      const mine = new Set(rows.map((row) => numberOf(row["id"])))
      for (const batch of held) {
        if (!mine.has(batch.row.id) && this.unitOf.has(batch)) this.lose(batch)
      }
    })
  }

  private write(
    snapshots: ReadonlyArray<Batches.Snapshot>,
    tells: boolean
  ): Effect.Effect<Written, SqlError> {
    const { db } = this
    const me = this.id
    const parameters: Array<Parameter> = [me]
    for (const snapshot of snapshots) {
      const { release } = snapshot
      parameters.push(
        snapshot.batch.row.id,
        snapshot.done,
        snapshot.dead ?? null,
        snapshot.accepted,
        snapshot.rejected,
        snapshot.failed,
        snapshot.chunks,
        release === undefined ? 0 : 1,
        release?.finished === true ? 1 : 0,
        release?.dueInMillis ?? null,
        snapshot.lastError ?? null
      )
    }
    const update = db.run(
      `WITH v(id, done, dead, accepted, rejected, failed, chunks, released, finished, due_in, last_error) AS (VALUES ${
        rows(snapshots.length, [
          "int8",
          "bytea",
          "bytea",
          "int4",
          "int4",
          "int4",
          "int4",
          "int4",
          "int4",
          "int8",
          "text"
        ], 2)
      }) UPDATE @batches AS b SET done = v.done, dead = v.dead, accepted = v.accepted, rejected = v.rejected,
         failed = v.failed,
         started = CASE WHEN v.released = 1 OR v.chunks > b.chunks THEN 0 ELSE b.started END,
         chunks = v.chunks,
         state = CASE WHEN v.finished = 1 THEN 2 ELSE b.state END,
         acquired_by = CASE WHEN v.released = 1 THEN NULL ELSE b.acquired_by END,
         due_at = CASE WHEN v.due_in IS NULL THEN b.due_at ELSE @now + v.due_in END,
         passes = CASE WHEN v.due_in IS NULL THEN b.passes ELSE b.passes + 1 END,
         last_error = COALESCE(v.last_error, b.last_error)
       FROM v WHERE b.id = v.id AND b.acquired_by = $1 RETURNING ${db.dialect === "pg" ? "b.id" : "id"}`,
      parameters
    )
    const refused = Array.from(
      new Set(snapshots.filter(({ refusals }) => refusals !== undefined).map(({ batch }) => batch.row.campaign))
    )
    return db.transaction(Effect.gen(function*() {
      if (refused.length > 0) yield* History.lockCampaigns(db, refused)
      const kept = new Set((yield* update).map((row) => numberOf(row["id"])))
      const seqs = new Map<number, number>()
      const toStop = new Map<string, string>()
      const chunks = snapshots.filter(({ batch, settled }) => settled > 0 && kept.has(batch.row.id))
      if (chunks.length === 0) return { kept, seqs, toStop }
      yield* History.beforeOutcomes(db)
      const parameters: Array<Parameter> = [tells ? me : null]
      for (const { acceptedNow, batch, chunk, entries } of chunks) {
        const { campaign, id, round, tenant } = batch.row
        parameters.push(
          id,
          chunk,
          campaign,
          tenant,
          round,
          acceptedNow ?? null,
          entries.length === 0 ? null : JSON.stringify(entries)
        )
      }
      // where the answer to a commit was lost and it is done again, the rows are there already
      const inserted = yield* db.run(
        `WITH v(batch, chunk, campaign, tenant, round, accepted, entries) AS (VALUES ${
          rows(chunks.length, ["int8", "int4", "text", "text", "int4", "bytea", "text"], 2)
        }) INSERT INTO @outcomes (batch, chunk, campaign, tenant, round, accepted, entries, told, teller, created_at)
         SELECT batch, chunk, campaign, tenant, round, accepted, entries, 0, $1::text, @now FROM v WHERE true
         ON CONFLICT (batch, chunk) DO NOTHING RETURNING seq, batch`,
        parameters
      )
      for (const row of inserted) seqs.set(numberOf(row["batch"]), numberOf(row["seq"]))
      for (const { batch: { row: { campaign, id } }, refusals } of chunks) {
        if (refusals !== undefined && seqs.has(id) && (yield* isRefusedAsWhole(db, campaign, refusals))) {
          toStop.set(campaign, refusals.reason)
        }
      }
      return { kept, seqs, toStop }
    }))
  }

  private stopCampaign(campaign: string, reason: string): Effect.Effect<void, SqlError> {
    const { db } = this
    for (const batch of this.unitOf.keys()) {
      if (batch.row.campaign === campaign) batch.stopSending("refused")
    }
    return db.transaction(Effect.gen(function*() {
      const stopped = yield* db.run(
        `UPDATE @campaigns SET status = 'stopped', reason = $2 WHERE id = $1 AND status = 'active' RETURNING id`,
        [campaign, cut(reason, 1000)]
      )
      if (stopped.length === 0) return
      yield* db.run(`UPDATE @batches SET state = 0 WHERE campaign = $1 AND state = 1`, [campaign])
      OutboxMetrics.stopped.unsafeUpdate(1, noTags)
      yield* Effect.annotateLogs(
        Effect.logError(`Campaign stopped, to be resumed when it is mended: ${cut(reason, 1000)}`),
        { campaign }
      )
    }))
  }

  // -------------------------------------------------------------------------
  // taking
  // -------------------------------------------------------------------------

  readonly take: Effect.Effect<void> = Effect.gen(this, function*() {
    while (this.state === "running") {
      const room = this.room
      const found = room > 0 ? yield* this.resilient(this.dueTenants(Math.min(room, 16))) : []
      let took = false
      for (const tenant of found) {
        if (this.state !== "running" || this.room <= 0) break
        if (this.unitsOf(tenant) >= (this.rateOf(tenant) === undefined ? maxUnitsOfTenant : 1)) continue
        const taken = yield* this.resilient(this.claim(tenant))
        this.lastTenant = tenant
        if (taken.length === 0) continue
        took = true
        event.taken.unsafeUpdate(taken.length, noTags)
        this.startUnit(yield* Effect.forkDaemon(this.runUnit(tenant, taken)))
        this.starting.set(tenant, (this.starting.get(tenant) ?? 0) + 1)
      }
      if (!took) yield* this.pause
    }
  })

  private readonly fibers = new Set<Fiber.RuntimeFiber<void>>()

  private startUnit(fiber: Fiber.RuntimeFiber<void>): void {
    this.fibers.add(fiber)
    fiber.addObserver(() => this.fibers.delete(fiber))
  }

  /** Releases the pools of units that could not be finished, since the database is away. */
  readonly endUnits: Effect.Effect<void> = Effect.suspend(() => Fiber.interruptAll(this.fibers))

  /** Units whose pool is being opened. */
  private readonly starting = new Map<string, number>()

  private get room(): number {
    let starting = 0
    for (const count of this.starting.values()) starting += count
    return maxUnits - this.units.size - starting
  }

  private unitsOf(tenant: string): number {
    let count = this.starting.get(tenant) ?? 0
    for (const unit of this.units) {
      if (unit.tenant === tenant) count++
    }
    return count
  }

  private readonly pause = Effect.suspend(() =>
    Effect.timeoutOption(
      Effect.async<void>((resume) => {
        this.onUnitEnd = () => {
          this.onUnitEnd = undefined
          resume(Effect.void)
        }
      }),
      Duration.millis(this.settings.pollMillis)
    )
  )

  /** Tenants for whom something is due, in turn. */
  private dueTenants(most: number): Effect.Effect<ReadonlyArray<string>, SqlError> {
    const { lastTenant } = this
    return Effect.flatMap(
      // whatever is scheduled for later costs nothing here
      this.db.run(
        `SELECT tenant, COUNT(*) AS due FROM (
           SELECT tenant FROM @batches WHERE state = 1 AND acquired_by IS NULL AND due_at <= (SELECT @now)
           ORDER BY due_at LIMIT ${dueAtOnce}
         ) AS due GROUP BY tenant`
      ),
      (found) => {
        if (found.reduce((sum, row) => sum + numberOf(row["due"]), 0) >= dueAtOnce) return this.dueTenantsOfMany(most)
        // not in the order of the database, whose collation may be any
        const tenants = found.map((row) => textOf(row["tenant"])).sort()
        const later = tenants.filter((tenant) => tenant > lastTenant)
        const others = tenants.filter((tenant) => tenant <= lastTenant)
        return Effect.succeed([...later, ...others].slice(0, most))
      }
    )
  }

  /** The same where so much is due that it may all be of a few tenants. */
  private dueTenantsOfMany(most: number): Effect.Effect<ReadonlyArray<string>, SqlError> {
    const { db, lastTenant } = this
    const after = (tenant: string) =>
      Effect.map(
        // goes from tenant to tenant by the index, no matter how many batches one has
        db.run(
          `WITH RECURSIVE t(tenant) AS (
             SELECT MIN(tenant) FROM @batches WHERE state = 1 AND acquired_by IS NULL AND tenant > $1
             UNION ALL
             SELECT (SELECT MIN(b.tenant) FROM @batches b
               WHERE b.state = 1 AND b.acquired_by IS NULL AND b.tenant > t.tenant)
             FROM t WHERE t.tenant IS NOT NULL
           )
           SELECT tenant FROM t WHERE tenant IS NOT NULL AND
             (SELECT MIN(b.due_at) FROM @batches b
               WHERE b.state = 1 AND b.acquired_by IS NULL AND b.tenant = t.tenant) <= @now
           LIMIT ${most}`,
          [tenant]
        ),
        (found) => found.map((row) => textOf(row["tenant"]))
      )
    return Effect.flatMap(after(lastTenant), (later) =>
      lastTenant === "" || later.length >= most
        ? Effect.succeed(later)
        : Effect.map(after(""), (all) => Array.from(new Set([...later, ...all])).slice(0, most)))
  }

  private claim(tenant: string): Effect.Effect<ReadonlyArray<Taken>, SqlError> {
    return this.claiming.withPermits(1)(
      Effect.tap(this.acquire(tenant), (taken) =>
        Effect.sync(() => {
          for (const { row } of taken) this.claims.add(row.id)
        }))
    )
  }

  private acquire(tenant: string): Effect.Effect<ReadonlyArray<Taken>, SqlError> {
    const { db } = this
    const column = db.dialect === "pg" ? "b." : ""
    const columns = [
      "id",
      "campaign",
      "tenant",
      "first_index",
      "size",
      "round",
      "chunks",
      "passes",
      "started",
      "done",
      "dead",
      "accepted",
      "rejected",
      "failed",
      "cancelled"
    ]
    return Effect.map(
      db.run(
        `WITH picked AS MATERIALIZED (
           SELECT id FROM (
             SELECT id, started, SUM(size) OVER w - size AS ahead, ROW_NUMBER() OVER w AS place,
               FIRST_VALUE(started) OVER w AS first_started
             FROM (
               SELECT id, size, due_at, started FROM @batches
               WHERE state = 1 AND acquired_by IS NULL AND tenant = $2 AND due_at <= (SELECT @now)
               ORDER BY due_at, id LIMIT ${unitBatches} ${db.dialect === "pg" ? "FOR UPDATE SKIP LOCKED" : ""}
             ) AS due WINDOW w AS (ORDER BY due_at, id ROWS UNBOUNDED PRECEDING)
           ) AS placed
           WHERE ahead < ${unitTokens} AND (place = 1 OR (started < 2 AND first_started < 2))
         )
         UPDATE @batches AS b SET acquired_by = $1, started = started + 1
         FROM picked
         WHERE b.id = picked.id AND b.acquired_by IS NULL AND b.state = 1
           AND EXISTS (SELECT 1 FROM @runners WHERE id = $1)
         RETURNING ${columns.map((name) => column + name).join(", ")}`,
        [this.id, tenant]
      ),
      (found) => found.map(takenOf).sort((a, b) => a.row.id - b.row.id)
    )
  }

  /** The content of the batches, and their campaigns. */
  private load(taken: ReadonlyArray<Taken>): Effect.Effect<ReadonlyArray<Loaded>, SqlError> {
    return Effect.map(
      this.db.run(
        `SELECT b.id, COALESCE(b.tokens, t.tokens) AS tokens, c.request, c.retry, c.status,
           CASE WHEN c.expires_at <= @now THEN 1 ELSE 0 END AS expired
         FROM @batches b JOIN @campaigns c ON c.id = b.campaign LEFT JOIN @tokens t ON t.batch = b.id
         WHERE b.id IN (${places(taken.length)})`,
        taken.map(({ row }) => row.id)
      ),
      (found) => {
        const byId = new Map(found.map((row) => [numberOf(row["id"]), row] as const))
        return taken.map((taken): Loaded => {
          const row = byId.get(taken.row.id)
          const bytes = bytesOf(row?.["tokens"])
          const tokens = bytes === undefined ? undefined : codec.decodeTokens(bytes)
          return {
            taken,
            tokens: tokens ?? [],
            uniform: bytes !== undefined && codec.isUniform(bytes),
            request: textOf(row?.["request"]),
            retry: textOf(row?.["retry"]),
            halt: row === undefined || tokens?.length !== taken.row.size
              ? "lost"
              : numberOf(row["expired"]) === 1 || row["status"] === "cancelled"
              ? "ended"
              : row["status"] !== "active"
              ? "campaign"
              : undefined
          }
        })
      }
    )
  }

  private runUnit(tenant: string, taken: ReadonlyArray<Taken>): Effect.Effect<void> {
    let isStarting = true
    const started = () => {
      if (!isStarting) return
      isStarting = false
      const count = (this.starting.get(tenant) ?? 1) - 1
      if (count <= 0) this.starting.delete(tenant)
      else this.starting.set(tenant, count)
    }
    return Effect.scoped(Effect.gen(this, function*() {
      const loaded = yield* this.resilient(this.load(taken))
      const pool = yield* Effect.either(
        this.poolOf(tenant).pipe(
          Effect.timeoutFail({
            duration: "30 seconds",
            onTimeout: (): PoolProblem => ({ isPermanent: false, description: "it was not open within 30 seconds" })
          })
        )
      )
      const specs = new Map<string, Prepared>()
      const batches: Array<Batch> = []
      for (const { halt, request, retry, taken, tokens, uniform } of loaded) {
        const { campaign } = taken.row
        let prepared = specs.get(request)
        if (prepared === undefined) {
          prepared = prepare(request, Either.isRight(pool) ? pool.right.topic : undefined, this.databaseAhead)
          specs.set(request, prepared)
        }
        const batch = new Batch(
          taken.row,
          tokens,
          uniform,
          Campaigns.decodeRetry(retry),
          prepared.spec,
          prepared.collapsesAlone,
          this.owner
        )
        batches.push(batch)
        if (halt === "lost") {
          const problem = "The tokens of a batch are missing in the database, or cannot be read"
          this.stops.set(campaign, problem)
          // if the campaign itself is missing there is nothing to stop: try again much later
          batch.stopSending(halt, problem, unreadableMillis)
        } else if (halt !== undefined) batch.stopSending(halt)
        else if (taken.started > this.settings.maxDeaths) {
          yield* Effect.annotateLogs(
            Effect.logError(
              `Runners died ${taken.started - 1} times while they held a batch of ${
                counted(batch.left, "notification", "notifications")
              }: it is given up, and stands in the dead letters`
            ),
            { campaign }
          )
          batch.failRest("Abandoned", "unknown", `Runners died ${taken.started - 1} times while they sent it`)
        } else if (prepared.problem !== undefined) {
          this.stops.set(campaign, prepared.problem)
          batch.stopSending("refused", prepared.problem)
        } else if (Either.isLeft(pool)) {
          const { description, isPermanent } = pool.left
          failure.pool.unsafeUpdate(1, noTags)
          const problem = `The pool of tenant ${JSON.stringify(tenant)} cannot be opened: ${description}`
          if (isPermanent) {
            this.stops.set(campaign, problem)
            batch.stopSending("credentials", problem)
          } else {
            batch.stopSending("pool", problem, Verdict.delayMillis("unreachable", taken.row.passes, batch.retry))
          }
        }
      }
      if (Either.isLeft(pool)) {
        yield* Effect.logError(
          `The pool of tenant ${JSON.stringify(tenant)} cannot be opened: ${pool.left.description}${
            pool.left.isPermanent ? ". Its campaigns are stopped" : ", and is tried again later"
          }`
        )
      }
      const unit = new Unit(tenant, batches)
      if (Either.isRight(pool)) unit.opened(pool.right, this.units)
      for (const batch of batches) {
        this.unitOf.set(batch, unit)
        if (this.state !== "running") batch.stopSending("stopping")
      }
      const rate = this.rateOf(tenant)
      if (rate !== undefined) unit.allowance = 0
      this.units.add(unit)
      started()
      // those that have nothing to send are finished at once
      for (const batch of batches) this.changed(batch)
      this.pump()
      if (rate !== undefined) yield* this.pace(unit, rate)
      yield* Deferred.await(unit.completed)
    })).pipe(
      Effect.onExit((exit) => {
        if (Exit.isSuccess(exit)) return Effect.void
        started()
        // only when the runner ends
        if (Cause.isInterruptedOnly(exit.cause)) return Effect.void
        return Effect.zipRight(
          Effect.logError(
            "A defect in the outbox's runner: what it was about to send is tried again in a minute",
            exit.cause
          ),
          this.resilient(this.giveBack(taken))
        )
      }),
      Effect.catchAllCause(() => Effect.void),
      Effect.withSpan("apns.outbox.unit", {
        captureStackTrace: false,
        attributes: { batches: taken.length, notifications: taken.reduce((sum, { row }) => sum + row.size, 0) }
      })
    )
  }

  /** Batches that never became a unit are sent later. */
  private giveBack(taken: ReadonlyArray<Taken>): Effect.Effect<void, SqlError> {
    const known = new Set(Array.from(this.unitOf.keys(), ({ row }) => row.id))
    const left = taken.map(({ row }) => row.id).filter((id) => !known.has(id))
    if (left.length === 0) return Effect.void
    return Effect.map(
      this.db.run(
        `UPDATE @batches SET acquired_by = NULL, due_at = @now + 60000
         WHERE acquired_by = $1 AND id IN (${places(left.length, 2)})`,
        [this.id, ...left]
      ),
      () => {
        for (const id of left) this.claims.delete(id)
      }
    )
  }

  /** Lets a unit send as its tenant's rate allows. */
  private pace(unit: Unit, rate: Runner.Rate): Effect.Effect<void> {
    const windowMillis = Duration.toMillis(rate.window)
    const limit = Math.max(1, Math.floor(rate.limit))
    const step = Math.max(1, Math.min(1000, Math.floor(limit / 10)))
    const since = this.clock.unsafeCurrentTimeMillis()
    return Effect.gen(this, function*() {
      while (!unit.closed) {
        const count = Math.min(step, unit.waiting)
        if (count === 0) return
        const delay = yield* this.resilient(Rates.draw(this.db, unit.tenant, count, limit, windowMillis))
        if (delay > 0) {
          yield* Effect.timeoutOption(Deferred.await(unit.completed), Duration.millis(delay))
        }
        unit.allowance += count
        this.pump()
        // a slow tenant must not keep a place that others wait for
        if (this.room <= 0 && this.clock.unsafeCurrentTimeMillis() - since > 5000) {
          for (const batch of unit.batches) batch.stopSending("pool")
        }
      }
    })
  }

  // -------------------------------------------------------------------------
  // signs of life, and housekeeping
  // -------------------------------------------------------------------------

  readonly register: Effect.Effect<void, SqlError> = Effect.suspend(() => {
    const { db } = this
    const now = this.clock.unsafeCurrentTimeMillis()
    runnersOfThisProcess.add(this.id)
    const insert = db.run(
      `INSERT INTO @runners (id, host, pid, started_at, beat_at, lock_millis) VALUES ($1, $2, $3, @now, @now, $4)
       ON CONFLICT (id) DO NOTHING RETURNING beat_at AS now`,
      [this.id, cut(hostname(), 200), process.pid, this.settings.lockMillis]
    )
    return Effect.map(
      db.isOfThisProcess ? registering.withPermits(1)(insert) : insert,
      ([row]) => this.renewed(now, row?.["now"])
    )
  })

  readonly beats: Effect.Effect<void> = Effect.gen(this, function*() {
    const every = Duration.millis(Math.min(1000, this.settings.lockMillis / 3))
    while (true) {
      yield* this.resilient(this.beat)
      yield* Effect.sleep(every)
    }
  })

  /** The database has taken a sign of life that was sent at this time, and what its own clock says. */
  private renewed(millis: number, databaseNow: unknown): void {
    const { lockMillis } = this.settings
    const ahead = databaseNow === undefined
      ? this.databaseAhead
      : numberOf(databaseNow) - this.clock.unsafeCurrentTimeMillis()
    // a gap: the database was away, or this process or its machine stood still, or a clock was set, here or there
    if (
      millis > this.leaseEnd || millis < this.leaseEnd - lockMillis || ahead - this.databaseAhead > lockMillis / 2
    ) this.reachableSince = millis
    this.databaseAhead = ahead
    this.leaseEnd = millis + lockMillis
    this.pump()
  }

  private readonly beat: Effect.Effect<void, SqlError> = Effect.gen(this, function*() {
    const { db } = this
    const now = this.clock.unsafeCurrentTimeMillis()
    const alive = yield* db.run(`UPDATE @runners SET beat_at = @now WHERE id = $1 RETURNING beat_at AS now`, [
      this.id
    ])
    if (alive.length === 0) {
      // other runners treat it as dead: its batches belong to them now
      for (const batch of Array.from(this.unitOf.keys())) this.lose(batch)
      yield* Effect.logWarning(
        "This runner could not renew its lock in time, and other runners took over its batches. It starts again under a new id"
      )
      runnersOfThisProcess.delete(this.id)
      this.id = ids.unique()
      yield* this.register
    } else this.renewed(now, alive[0]?.["now"])
    yield* this.forgetDead
    if (this.isUncertain || this.beating % 30 === 29) yield* this.compare
    yield* this.refresh
    if (++this.beating % 10 === 0) {
      const found = yield* Schemas.currentVersion(db)
      if (found > Schemas.version && this.state === "running") {
        this.state = "outdated"
        for (const batch of this.unitOf.keys()) batch.stopSending("stopping")
        yield* Effect.logError(
          `${new SchemaMismatch({ found, known: Schemas.version }).message}. This runner sends nothing more`
        )
      }
    }
  })

  /**
   * Takes over the batches of dead runners. A runner is dead when it was silent for as long as its lock, and this one
   * could have seen its signs of life all that time: after the database was away for longer, all are silent, and none is dead. On a
   * libSQL file all runners of other processes are dead, since this process owns the file.
   */
  private readonly forgetDead: Effect.Effect<void, SqlError> = Effect.suspend(() => {
    const { db } = this
    const reachableMillis = Math.max(0, Math.floor(this.clock.unsafeCurrentTimeMillis() - this.reachableSince))
    const forget = db.run(`DELETE FROM @runners WHERE beat_at < @now - lock_millis AND lock_millis <= $1`, [
      reachableMillis
    ])
    const forgetOthers = registering.withPermits(1)(Effect.suspend(() => {
      const here = Array.from(runnersOfThisProcess)
      return here.length < 1000
        ? Effect.asVoid(db.run(`DELETE FROM @runners WHERE id NOT IN (${places(here.length)})`, here))
        : Effect.void
    }))
    return Effect.zipRight(db.isOfThisProcess ? Effect.zipRight(forget, forgetOthers) : forget, this.takeOver)
  })

  private readonly takeOver: Effect.Effect<void, SqlError> = Effect.gen(this, function*() {
    const { db } = this
    const takenOver = yield* db.run(
      `UPDATE @batches SET acquired_by = NULL
       WHERE acquired_by IS NOT NULL AND acquired_by NOT IN (SELECT id FROM @runners) RETURNING id`
    )
    if (takenOver.length === 0) return
    event.takenOver.unsafeUpdate(takenOver.length, noTags)
    yield* Effect.logWarning(
      `A runner died, or could not renew its lock in time: ${
        counted(takenOver.length, "batch of it is", "batches of it are")
      } taken over`
    )
  })

  /**
   * Releases batches that this runner has claimed without knowing it, since the answer to its claim was lost with the
   * connection. No other runner would take them as long as this one is alive.
   */
  private readonly compare: Effect.Effect<void, SqlError> = Effect.suspend(() => {
    this.isUncertain = false
    return this.claiming.withPermits(1)(Effect.gen(this, function*() {
      const { db } = this
      const mine = yield* db.run(`SELECT id FROM @batches WHERE acquired_by = $1`, [this.id])
      const strays = mine.map((row) => numberOf(row["id"])).filter((id) => !this.claims.has(id)).slice(0, 1000)
      if (strays.length === 0) return
      yield* db.run(
        `UPDATE @batches SET acquired_by = NULL, started = CASE WHEN started > 0 THEN started - 1 ELSE 0 END
         WHERE acquired_by = $1 AND id IN (${places(strays.length, 2)})`,
        [this.id, ...strays]
      )
      yield* Effect.logWarning(
        `${
          counted(strays.length, "batch was", "batches were")
        } claimed by a statement whose answer was lost, and can be taken again`
      )
    }))
  })

  /** Looks for campaigns that were paused, cancelled or stopped by others, or that have ended. */
  private readonly refresh: Effect.Effect<void, SqlError> = Effect.gen(this, function*() {
    const held = Array.from(new Set(Array.from(this.unitOf.keys(), ({ row }) => row.campaign))).slice(0, 1000)
    if (held.length === 0) return
    const found = yield* this.db.run(
      `SELECT id, status, CASE WHEN expires_at <= @now THEN 1 ELSE 0 END AS expired FROM @campaigns
       WHERE id IN (${places(held.length)}) AND (status <> 'active' OR expires_at <= @now)`,
      held
    )
    for (const row of found) {
      for (const batch of this.unitOf.keys()) {
        if (batch.row.campaign !== row["id"]) continue
        batch.stopSending(numberOf(row["expired"]) === 1 || row["status"] === "cancelled" ? "ended" : "campaign")
      }
    }
  })

  /** Gives what is left of campaigns that have ended its outcome. */
  private readonly expire: Effect.Effect<void, SqlError> = Effect.gen(this, function*() {
    const { db } = this
    const over = yield* db.run(
      `SELECT id, status FROM @campaigns
       WHERE finished_at IS NULL AND expires_at <= (SELECT @now) AND status <> 'filling' ORDER BY expires_at LIMIT 100`
    )
    for (const row of over) {
      const id = textOf(row["id"])
      const rest = row["status"] === "cancelled" ? "Cancelled" : "Expired"
      const count = yield* db.transaction(
        History.lockCampaigns(db, [id]).pipe(
          Effect.zipRight(History.giveUp(db, id, rest)),
          Effect.zipLeft(History.finish(db, [id]))
        )
      )
      if (count > 0 && rest === "Expired") {
        yield* Effect.annotateLogs(
          Effect.logWarning(
            `The campaign has ended before ${
              counted(count, "of its notifications was", "of its notifications were")
            } sent`
          ),
          { campaign: id }
        )
      }
    }
  })

  readonly house: Effect.Effect<void> = Effect.gen(this, function*() {
    for (let round = 0;; round++) {
      yield* this.resilient(this.expire)
      if (round % 5 === 0) yield* this.resilient(this.measure)
      if (round % 60 === 0) yield* this.resilient(this.prune)
      yield* Effect.sleep("1 second")
    }
  })

  private readonly measure: Effect.Effect<void, SqlError> = Effect.gen(this, function*() {
    const [row] = yield* this.db.run(
      `SELECT MIN(due_at) AS due, @now AS now FROM @batches WHERE state = 1 AND acquired_by IS NULL`
    )
    const due = row?.["due"]
    const millis = due === null || due === undefined ? 0 : Math.max(0, numberOf(row?.["now"]) - numberOf(due))
    OutboxMetrics.lag.unsafeUpdate(millis / 1000, noTags)
  })

  /** Deletes data that was kept long enough, in small parts. */
  private readonly prune: Effect.Effect<void, SqlError> = Effect.gen(this, function*() {
    const { db, settings } = this
    const untold = this.teller.active
      ? " AND NOT EXISTS (SELECT 1 FROM @outcomes o WHERE o.campaign = c.id AND o.told = 0)"
      : ""
    while (true) {
      const old = yield* db.run(
        `SELECT id FROM @campaigns c WHERE finished_at < (SELECT @now) - $1::bigint AND pruned = 0${untold} LIMIT 100`,
        [settings.detailsMillis]
      )
      const found = old.map((row) => textOf(row["id"]))
      if (found.length === 0) break
      yield* db.transaction(Effect.gen(function*() {
        // those that were revived in the meantime are not over any more; the others cannot be revived from here on
        const pruned = (yield* db.run(
          `UPDATE @campaigns SET pruned = 1
           WHERE id IN (${places(found.length, 2)}) AND finished_at < @now - $1::bigint AND pruned = 0 RETURNING id`,
          [settings.detailsMillis, ...found]
        )).map((row) => textOf(row["id"]))
        if (pruned.length === 0) return
        const list = places(pruned.length)
        yield* db.run(`DELETE FROM @outcomes WHERE campaign IN (${list})`, pruned)
        yield* db.run(
          `DELETE FROM @tokens WHERE batch IN (SELECT id FROM @batches WHERE campaign IN (${list}))`,
          pruned
        )
        yield* db.run(`DELETE FROM @batches WHERE campaign IN (${list})`, pruned)
      }))
    }
    yield* this.pruneUnfilled
    yield* db.run(
      `DELETE FROM @campaigns WHERE finished_at < (SELECT @now) - $1::bigint AND pruned = 1`,
      [settings.campaignsMillis]
    )
  })

  /** Deletes what writers have left behind of campaigns that they never completed, and whose end is long over. */
  private readonly pruneUnfilled: Effect.Effect<void, SqlError> = Effect.suspend(() => {
    const { db, settings: { detailsMillis } } = this
    const left = `finished_at IS NULL AND status = 'filling' AND expires_at < (SELECT @now) - $1::bigint
      AND (writer_at IS NULL OR writer_at < (SELECT @now) - $1::bigint)`
    return db.transaction(Effect.gen(function*() {
      const deleted = (yield* db.run(
        `DELETE FROM @campaigns WHERE id IN (SELECT id FROM @campaigns WHERE ${left} LIMIT 100) AND ${left} RETURNING id`,
        [detailsMillis]
      )).map((row) => textOf(row["id"]))
      if (deleted.length === 0) return
      const list = places(deleted.length)
      yield* db.run(
        `DELETE FROM @tokens WHERE batch IN (SELECT id FROM @batches WHERE campaign IN (${list}))`,
        deleted
      )
      yield* db.run(`DELETE FROM @batches WHERE campaign IN (${list})`, deleted)
    }))
  })

  // -------------------------------------------------------------------------
  // the end
  // -------------------------------------------------------------------------

  /** Nothing is due, no runner holds anything, and all outcomes are reported. */
  readonly isIdle: Effect.Effect<boolean, SqlError> = Effect.gen(this, function*() {
    if (this.unitOf.size > 0 || this.starting.size > 0 || this.teller.busy) return false
    const [row] = yield* this.db.run(
      `SELECT CASE WHEN EXISTS (SELECT 1 FROM @batches WHERE acquired_by IS NOT NULL)
         OR (SELECT MIN(due_at) FROM @batches WHERE state = 1 AND acquired_by IS NULL) <= @now
         ${this.teller.active ? "OR EXISTS (SELECT 1 FROM @outcomes WHERE told = 0)" : ""}
         THEN 1 ELSE 0 END AS busy`
    )
    return numberOf(row?.["busy"]) === 0
  })

  /** Sends nothing more, waits for what is in flight, and writes it. */
  readonly drain: Effect.Effect<void> = Effect.gen(this, function*() {
    this.state = "stopping"
    for (const batch of this.unitOf.keys()) batch.stopSending("stopping")
    yield* this.untilUnitsEnd(this.settings.drainMillis)
    if (this.unitOf.size === 0) return
    const { underWay } = this
    yield* Effect.logWarning(
      `${underWay} notifications had no answer within the time to drain: they are sent again by another runner, under the same apns-id`
    )
    for (const [batch, unit] of this.unitOf) {
      batch.abandon(unit.sendsOn)
      this.changed(batch)
    }
    yield* this.untilUnitsEnd(2000)
  })

  private untilUnitsEnd(millis: number): Effect.Effect<void> {
    const wait = Effect.gen(this, function*() {
      while (this.unitOf.size > 0 || this.starting.size > 0) yield* Effect.sleep("10 millis")
    })
    return Effect.asVoid(Effect.timeoutOption(wait, Duration.millis(millis)))
  }

  /** So that others need not wait until this runner counts as dead. */
  readonly unregister: Effect.Effect<void, SqlError> = Effect.gen(this, function*() {
    const { db } = this
    yield* db.run(`DELETE FROM @runners WHERE id = $1`, [this.id])
    yield* db.run(`UPDATE @batches SET acquired_by = NULL WHERE acquired_by = $1`, [this.id])
    runnersOfThisProcess.delete(this.id)
  })
}

/**
 * Counts the refusals of a campaign, of all its batches and runners; returns whether there were enough of them and nothing
 * else so far. Within the transaction that writes their outcomes.
 */
const isRefusedAsWhole = (
  db: Database,
  campaign: string,
  refusals: Batches.Refusals
): Effect.Effect<boolean, SqlError> =>
  Effect.gen(function*() {
    const [counted] = yield* db.run(
      `UPDATE @campaigns SET refusal = COALESCE(refusal, $2),
         refusals = CASE WHEN $4 = 0 AND COALESCE(refusal, $2) = $2 THEN refusals + $3 ELSE -1 END
       WHERE id = $1 AND refusals >= 0 RETURNING refusals`,
      [campaign, refusals.reason, refusals.count, refusals.isMixed ? 1 : 0]
    )
    const count = numberOf(counted?.["refusals"])
    if (count < refusalsAreEnough) return false
    const [answers] = yield* db.run(
      `SELECT SUM(accepted) AS accepted, SUM(rejected) AS rejected FROM @batches WHERE campaign = $1`,
      [campaign]
    )
    return numberOf(answers?.["accepted"]) === 0 && numberOf(answers?.["rejected"]) <= count
  })

interface Prepared {
  readonly spec: RequestSpec | undefined
  readonly collapsesAlone: boolean
  readonly problem: string | undefined
}

/** The request of a campaign for a pool, which looks at the clock of this machine to see whether it has expired. */
const prepare = (request: string, topic: string | undefined, databaseAhead: number): Prepared => {
  const content = Campaigns.content(request)
  if (content === undefined) {
    return { spec: undefined, collapsesAlone: false, problem: "The notification in the database cannot be read" }
  }
  const { collapsesAlone, ...options } = content
  const spec = Parts.specOf({ ...options, retransmit: options.retransmit ?? "collapsible" }, topic)
  return Either.isRight(spec)
    ? {
      spec: { ...spec.right, expirationMillis: spec.right.expirationMillis - databaseAhead },
      collapsesAlone,
      problem: undefined
    }
    : { spec: undefined, collapsesAlone, problem: spec.left.message }
}

const takenOf = (row: Row): Taken => ({
  started: numberOf(row["started"]),
  row: {
    id: numberOf(row["id"]),
    campaign: textOf(row["campaign"]),
    tenant: textOf(row["tenant"]),
    first: numberOf(row["first_index"]),
    size: numberOf(row["size"]),
    round: numberOf(row["round"]),
    chunks: numberOf(row["chunks"]),
    passes: numberOf(row["passes"]),
    done: bytesOf(row["done"]),
    dead: bytesOf(row["dead"]),
    accepted: numberOf(row["accepted"]),
    rejected: numberOf(row["rejected"]),
    failed: numberOf(row["failed"]),
    cancelled: numberOf(row["cancelled"])
  }
})

/** A snapshot and the row that was written for it. */
const chunkOf = ({ acceptedNow, batch, entries }: Batches.Snapshot, seq: number): Row => ({
  seq,
  campaign: batch.row.campaign,
  tenant: batch.row.tenant,
  round: batch.row.round,
  first_index: batch.row.first,
  size: batch.row.size,
  accepted: acceptedNow ?? null,
  entries: entries.length === 0 ? null : JSON.stringify(entries),
  rest: null
})

const counted = (count: number, one: string, many: string): string => `${count} ${count === 1 ? one : many}`

const describe = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  const inner = error instanceof Error && error.cause instanceof Error
    ? `${error.message}: ${error.cause.message}`
    : String(error)
  return cut(inner, 500)
}

interface PoolProblem {
  /** Waiting does not repair it. */
  readonly isPermanent: boolean
  readonly description: string
}

const problemOf = (cause: Cause.Cause<unknown>): PoolProblem => {
  const description = textOfError(Cause.squash(cause))
  const tag = Options.guarded(() => {
    const error = Cause.squash(cause)
    return typeof error === "object" && error !== null && "_tag" in error ? error._tag : undefined
  })
  return {
    isPermanent: Either.isRight(tag) && (tag.right === "CredentialsError" || tag.right === "InvalidPoolOptions"),
    description
  }
}

/** A thrown value, which may be anything. */
const textOfError = (error: unknown): string =>
  Either.getOrElse(
    Options.guarded(() => cut(error instanceof Error ? error.message : String(error), 500)),
    () => "an error that throws when it is read"
  )

const textOfCause = (cause: Cause.Cause<unknown>): string =>
  Either.getOrElse(Options.guarded(() => cut(Cause.pretty(cause), 1000)), () => textOfError(Cause.squash(cause)))

/** The result of a function of the caller, which may be a promise in programs without types. */
const effectOf = <A, E, R>(name: string, make: () => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    try {
      const effect = make()
      return Effect.isEffect(effect) ? effect : Effect.dieMessage(`\`${name}\` must return an Effect`)
    } catch (cause) {
      // Effect itself reads the thrown value, and would hang if that throws
      return Effect.die(Options.guarded(() => cause instanceof Error)._tag === "Right" ? cause : textOfError(cause))
    }
  })

const isPool = (pool: unknown): boolean =>
  Either.getOrElse(
    Options.guarded(() => typeof pool === "object" && pool !== null && PoolTypeId in pool),
    () => false
  )

/** The caller's `rate`: if it throws or returns an invalid one, nothing of that tenant is sent. */
class Rated {
  constructor(private readonly rate: ((tenant: string) => Runner.Rate | undefined) | undefined) {}

  of(tenant: string): Runner.Rate | undefined {
    const rate = this.read(tenant)
    return typeof rate === "string" ? undefined : rate
  }

  problem(tenant: string): Effect.Effect<never, PoolProblem> | undefined {
    const rate = this.read(tenant)
    return typeof rate === "string"
      ? Effect.fail({ isPermanent: false, description: `its rate cannot be kept to: ${rate}` })
      : undefined
  }

  private read(tenant: string): Runner.Rate | undefined | string {
    try {
      const rate = this.rate?.(tenant)
      if (rate === undefined) return undefined
      if (typeof rate !== "object" || rate === null) return `it must be an object, not ${Options.show(rate)}`
      if (!(Number.isFinite(rate.limit) && rate.limit >= 1)) {
        return `limit must be 1 at least, not ${Options.show(rate.limit)}`
      }
      const window = TimeSpan.decode(rate.window)
      if (Either.isLeft(window)) return `window: ${window.left}`
      const millis = Duration.toMillis(window.right)
      return millis > 0 && Number.isFinite(millis) ? rate : "window must be longer than 0, and end"
    } catch (cause) {
      return textOfError(cause)
    }
  }
}

const checks: { readonly [K in keyof Runner.Options]-?: Options.Check } = {
  pool: Options.callable,
  onOutcomes: Options.optional(Options.callable),
  onOutcomesTimeout: Options.optional(Options.span()),
  prefix: Options.optional(Options.prefix),
  concurrency: Options.optional(Options.whole),
  rate: Options.optional(Options.callable),
  checkpointInterval: Options.optional(Options.span()),
  pollInterval: Options.optional(Options.span()),
  lock: Options.optional(Options.span(1000)),
  maxDeaths: Options.optional(Options.whole),
  drainTimeout: Options.optional(Options.span()),
  retention: Options.optional(
    Options.record({ details: Options.optional(Options.span()), campaigns: Options.optional(Options.span()) })
  )
}

/** Also waits in an interrupted fiber, since the waiting is done by another fiber. */
const apart = <A>(effect: Effect.Effect<A>): Effect.Effect<void> =>
  Effect.uninterruptible(
    Effect.flatMap(Effect.forkDaemon(Effect.interruptible(effect)), (fiber) => Effect.asVoid(Fiber.await(fiber)))
  )

export const make = <PE, PR, OE, OR>(
  options: Runner.Options<PE, PR, OE, OR>
): Effect.Effect<
  Runner.OutboxRunner,
  InvalidOutboxOptions | SchemaMismatch,
  SqlClient.SqlClient | Scope.Scope | Exclude<PR, Scope.Scope> | OR
> =>
  Effect.gen(function*() {
    yield* Options.checked(options, checks)
    const { retention } = options
    const millis = Options.positiveMillis
    const db = yield* database(options.prefix)
    const settings: Settings = {
      concurrency: options.concurrency ?? 4000,
      maxDeaths: options.maxDeaths ?? 5,
      checkpointMillis: yield* millis("checkpointInterval", options.checkpointInterval ?? "25 millis"),
      pollMillis: yield* millis("pollInterval", options.pollInterval ?? "250 millis"),
      lockMillis: Math.ceil(yield* millis("lock", options.lock ?? "10 seconds")),
      drainMillis: yield* millis("drainTimeout", options.drainTimeout ?? "10 seconds"),
      detailsMillis: Math.ceil(yield* millis("retention", retention?.details ?? "7 days")),
      campaignsMillis: Math.ceil(yield* millis("retention", retention?.campaigns ?? "30 days"))
    }
    const timeout = Duration.millis(yield* millis("onOutcomesTimeout", options.onOutcomesTimeout ?? "1 minute"))
    const pools = yield* Effect.context<Exclude<PR, Scope.Scope>>()
    const tellers = yield* Effect.context<OR>()
    const { onOutcomes } = options
    const tell = onOutcomes === undefined
      ? undefined
      : (outcomes: ReadonlyArray<Outcome>) =>
        effectOf("onOutcomes", () => onOutcomes(outcomes)).pipe(
          Effect.asVoid,
          Effect.catchAllCause((cause) =>
            Cause.isInterruptedOnly(cause) ? Effect.interrupt : Effect.fail(textOfCause(cause))
          ),
          Effect.provide(tellers)
        )
    const rates = new Rated(options.rate)
    const engine = new Engine(
      db,
      settings,
      yield* Effect.clock,
      (tenant) =>
        rates.problem(tenant) ?? Effect.flatMap(Effect.scope, (scope) =>
          Scope.extend(effectOf("pool", () => options.pool(tenant)), scope).pipe(
            Effect.filterOrDieMessage(isPool, "`pool` must give an ApnsPool, and gave something else"),
            Effect.mapInputContext((_: Context.Context<never>) => pools),
            Effect.catchAllCause((cause) => Effect.fail(problemOf(cause)))
          )),
      (tenant) => rates.of(tenant),
      (engine) => new Teller(db, tell, timeout, () => engine.id, (effect) => engine.resilient(effect))
    )
    const annotate = Effect.annotateLogs({ package: "@effect-apns/outbox", runner: engine.id.slice(0, 8) })
    const refused = yield* engine.resilient(
      Schemas.migrate(db).pipe(Effect.catchTag("SchemaMismatch", (error) => Effect.succeed(error)))
    ).pipe(annotate)
    if (refused !== undefined) return yield* refused
    yield* engine.resilient(engine.register).pipe(annotate)
    /** Continues after every error: a runner that does nothing would be the worst result. */
    const forever = (loop: Effect.Effect<void>) =>
      loop.pipe(
        Effect.catchAllCause((cause) =>
          Cause.isInterrupted(cause)
            ? Effect.interrupt
            : Effect.zipRight(
              Effect.logError("A defect in the outbox's runner, which goes on in a second", cause),
              Effect.sleep("1 second")
            )
        ),
        Effect.repeat(Schedule.recurWhile(() => engine.state === "running")),
        annotate,
        Effect.interruptible,
        Effect.forkDaemon
      )
    yield* Effect.uninterruptible(Effect.gen(function*() {
      const loops = yield* Effect.all([
        forever(engine.ledger),
        forever(engine.beats),
        forever(engine.house),
        forever(engine.teller.run)
      ])
      const take = yield* forever(engine.take)
      yield* Effect.addFinalizer(() =>
        apart(
          Effect.gen(function*() {
            yield* Fiber.interrupt(take)
            yield* engine.drain
            yield* Effect.timeoutOption(
              Effect.repeat(Effect.sleep("10 millis"), { while: () => engine.teller.busy }),
              Duration.millis(settings.drainMillis)
            )
            yield* Fiber.interruptAll(loops)
            yield* Effect.timeoutOption(engine.resilient(engine.unregister), "2 seconds")
            yield* engine.endUnits
          }).pipe(annotate)
        )
      )
    }))
    return {
      [typeIds.runner]: typeIds.runner,
      stats: Effect.sync((): Runner.Stats => ({
        state: engine.state,
        batches: engine.batchCount,
        inFlight: engine.underWay,
        unsaved: engine.window.taken,
        written: engine.written,
        lost: engine.lostCount,
        databaseAway: engine.away
      })),
      idle: Effect.gen(function*() {
        while (!(yield* engine.resilient(engine.isIdle))) yield* Effect.sleep(Duration.millis(settings.pollMillis))
      }).pipe(annotate)
    }
  })
