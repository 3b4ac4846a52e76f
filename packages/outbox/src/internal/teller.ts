import type { SqlError } from "@effect/sql/SqlError"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Metric from "effect/Metric"
import * as OutboxMetrics from "../OutboxMetrics.js"
import type { Outcome } from "../Outcome.js"
import { cut, numberOf } from "./codec.js"
import type { Database } from "./database.js"
import { places } from "./database.js"
import * as History from "./history.js"

/** How many outcomes may wait in memory; more of them wait in the database. */
const maxWaiting = 50_000
/** How many outcomes one call gets at most, unless a single row has more. */
const atOnce = 5000

const failures = Metric.tagged(OutboxMetrics.failures, "of", "onOutcomes")

interface Waiting {
  readonly seq: number
  readonly count: number
  readonly outcomes: () => ReadonlyArray<Outcome>
}

const isDead = (outcome: Outcome): boolean => outcome._tag === "Rejected" && outcome.isTokenDead

/** Calls `onOutcomes`: with the outcomes that this runner has written, from memory, and with those left by dead runners. */
export class Teller {
  private waiting: Array<Waiting> = []
  private waitingCount = 0
  private telling = 0
  private onWork: (() => void) | undefined = undefined
  /** The database may have rows claimed by this runner that it does not know of: it searches for them. */
  doubt = false
  /** It has claimed rows, and has not called `onOutcomes` for all of them. */
  private unsure = false

  constructor(
    private readonly db: Database,
    private readonly tell: ((outcomes: ReadonlyArray<Outcome>) => Effect.Effect<void, string>) | undefined,
    private readonly timeout: Duration.Duration,
    private readonly owner: () => string,
    private readonly resilient: <A>(effect: Effect.Effect<A, SqlError>) => Effect.Effect<A>
  ) {}

  get active(): boolean {
    return this.tell !== undefined
  }

  /** Whether there is room in memory for the outcomes that are being written. */
  get hasRoom(): boolean {
    return this.waitingCount < maxWaiting
  }

  get busy(): boolean {
    return this.waiting.length > 0 || this.telling > 0
  }

  offer(seq: number, count: number, outcomes: () => ReadonlyArray<Outcome>): void {
    this.waiting.push({ seq, count, outcomes })
    this.waitingCount += count
    this.onWork?.()
  }

  /** Calls `onOutcomes` for what waits; when nothing does, searches every second for outcomes that no runner has reported. */
  readonly run: Effect.Effect<void> = Effect.gen(this, function*() {
    const cache = new History.TokenCache(this.db)
    while (true) {
      if (this.waiting.length > 0) yield* this.tellWaiting
      else if (!(yield* this.resilient(this.tellLeft(cache)))) yield* this.rest
    }
  })

  private readonly rest = Effect.timeoutOption(
    Effect.async<void>((resume) => {
      if (this.waiting.length > 0) return resume(Effect.void)
      this.onWork = () => {
        this.onWork = undefined
        resume(Effect.void)
      }
    }),
    "1 second"
  )

  private readonly tellWaiting: Effect.Effect<void> = Effect.suspend(() => {
    const now: Array<Waiting> = []
    let count = 0
    while (this.waiting.length > 0 && (count === 0 || count + (this.waiting[0]?.count ?? 0) <= atOnce)) {
      const next = this.waiting.shift()
      if (next === undefined) break
      now.push(next)
      count += next.count
    }
    this.telling = count
    this.waitingCount -= count
    return Effect.zipRight(
      this.insist(() => now.flatMap(({ outcomes }) => outcomes())),
      this.resilient(this.told(now.map(({ seq }) => seq)))
    ).pipe(
      Effect.onError(() =>
        Effect.sync(() => {
          this.doubt = true
        })
      ),
      Effect.ensuring(Effect.sync(() => {
        this.telling = 0
      }))
    )
  })

  /** Handles outcomes whose runner died, or that had no room in memory. Returns whether there were some. */
  private readonly tellLeft = (cache: History.TokenCache): Effect.Effect<boolean, SqlError> =>
    Effect.gen(this, function*() {
      const { db } = this
      if (!this.active) return false
      if (this.doubt || this.unsure) {
        this.doubt = false
        this.unsure = true
        yield* db.run(`UPDATE @outcomes SET teller = NULL WHERE told = 0 AND teller = $1`, [this.owner()])
      }
      // until they are reported: if a statement fails or its answer is lost, they are claimed without this runner knowing
      this.unsure = true
      const claimed = yield* db.run(
        `WITH picked AS MATERIALIZED (
           SELECT seq FROM @outcomes WHERE told = 0 AND
             (teller IS NULL OR teller NOT IN (SELECT id FROM @runners))
           ORDER BY seq LIMIT 8 ${db.dialect === "pg" ? "FOR UPDATE SKIP LOCKED" : ""}
         ) UPDATE @outcomes AS o SET teller = $1 FROM picked WHERE o.seq = picked.seq RETURNING ${
          db.dialect === "pg" ? "o.seq" : "seq"
        }`,
        [this.owner()]
      )
      if (claimed.length === 0) {
        this.unsure = false
        return false
      }
      const seqs = claimed.map((row) => numberOf(row["seq"]))
      const chunks = yield* db.run(
        `SELECT ${History.chunkColumns} FROM @outcomes o JOIN @batches b ON b.id = o.batch
         WHERE o.seq IN (${places(seqs.length)}) ORDER BY o.seq`,
        seqs
      )
      this.telling = chunks.length
      const outcomes: Array<Outcome> = []
      for (const chunk of chunks) {
        for (const outcome of History.outcomesOf(chunk, yield* cache.get(numberOf(chunk["batch"])))) {
          outcomes.push(outcome)
        }
      }
      yield* this.insist(() => outcomes)
      yield* this.told(seqs)
      this.unsure = false
      return true
    }).pipe(Effect.ensuring(Effect.sync(() => {
      this.telling = 0
    })))

  private told(seqs: ReadonlyArray<number>): Effect.Effect<void, SqlError> {
    return seqs.length === 0
      ? Effect.void
      : Effect.asVoid(this.db.run(`UPDATE @outcomes SET told = 1 WHERE seq IN (${places(seqs.length)})`, seqs))
  }

  /** Calls `onOutcomes` until it has succeeded. */
  private insist(build: () => ReadonlyArray<Outcome>): Effect.Effect<void> {
    const { tell, timeout } = this
    if (tell === undefined) return Effect.void
    return Effect.gen(function*() {
      const all = build()
      if (all.length === 0) return
      const dead = all.filter(isDead)
      const outcomes = dead.length === 0 ? all : [...dead, ...all.filter((outcome) => !isDead(outcome))]
      for (let attempt = 0;; attempt++) {
        const result = yield* tell(outcomes).pipe(
          // one that cannot be interrupted is not waited for either
          Effect.disconnect,
          Effect.timeoutFail({
            duration: timeout,
            onTimeout: () => `it took longer than ${Duration.format(timeout)}, and is interrupted`
          }),
          Effect.exit
        )
        if (Exit.isSuccess(result)) return
        const problem = cut(String(Cause.squash(result.cause)), 1000)
        const seconds = Math.min(60, Math.pow(2, attempt))
        failures.unsafeUpdate(1, [])
        yield* Effect.logError(
          `onOutcomes failed for ${outcomes.length} outcomes, which stay in the outbox and are told again in ${seconds} s: ${problem}`
        )
        yield* Effect.sleep(Duration.seconds(seconds))
      }
    })
  }
}
