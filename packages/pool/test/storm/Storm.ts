/**
 * The storm: many notifications, a few connections, a server that fails in every way it can, and a ledger that hears of
 * both ends.
 */
import { Credentials, Request } from "@effect-apns/core"
import { Notification } from "@effect-apns/models"
import { ApnsPool, send, sendAll, sendEach } from "@effect-apns/pool"
import type { Send, SendAll } from "@effect-apns/pool"
import * as Delivery from "@effect-apns/pool/unstable/Delivery"
import { MockApns } from "@effect-apns/testing"
import type { FileSystem } from "@effect/platform"
import {
  Clock,
  Deferred,
  Duration,
  Effect,
  Either,
  Exit,
  Fiber,
  Logger,
  LogLevel,
  Metric,
  Option,
  Redacted,
  Schedule,
  Scope,
  Stream,
  Utils
} from "effect"
import * as v8 from "node:v8"
import * as vm from "node:vm"
import { Ledger, Outcome, type Verdict } from "./Ledger.js"
import { type Moment, reconnectStorms, type Spell, Weather } from "./Weather.js"

export interface Options {
  readonly notifications: number
  /** The size of the pool, or several: its lives take turns. */
  readonly connections: number | readonly [number, ...Array<number>]
  readonly seed: number
  /**
   * How many pools live and end, one after the other, all but the last in the middle of their traffic. Default one for
   * each 100,000 notifications, at least 3 and at most 100, and one where `eventEvery` is `Infinity`.
   */
  readonly lives?: number | undefined
  /** Which part of the requests meets a fault of its own: 0 to 1. Default 0.06. */
  readonly faultRate?: number | undefined
  /** Requests between two events that hit connections, on average. Default 250; `Infinity` for none. */
  readonly eventEvery?: number | undefined
  /** How long the server accepts and closes, once in the life of a pool and at most 20 times. Default 8 seconds. */
  readonly spellSeconds?: number | undefined
  /** When it closes, in all of these. Default: the moments take turns. */
  readonly moment?: Moment | undefined
  /** How long nothing may have an outcome before the rest counts as lost. Default 30 seconds. */
  readonly patience?: Duration.DurationInput | undefined
  /** What the pools are told beside what every storm tells them. */
  readonly pool?: Partial<Pick<ApnsPool.PoolOptions, "reconnectSchedule">> | undefined
  /** Called once a second. */
  readonly onProgress?: ((progress: Progress) => void) | undefined
  /** Puts something else in the place of the pool: a broken one, to test the checker. */
  readonly meddle?: ((pool: ApnsPool.ApnsPool) => ApnsPool.ApnsPool) | undefined
}

export interface Progress {
  readonly seconds: number
  readonly settled: number
  readonly byOutcome: ReadonlyArray<number>
  readonly stats: ApnsPool.Stats
  readonly faults: number
  readonly rssMb: number
}

export interface Report extends Verdict {
  readonly notifications: number
  readonly seed: number
  /** What was left behind, in words. */
  readonly leaked: ReadonlyArray<string>
  readonly leaks: number
  readonly rssStartMb: number
  readonly rssEndMb: number
  /** Live heap after a collection, when a tenth was done and at the end. */
  readonly heapStartMb: number
  readonly heapEndMb: number
  /** What of that memory is the storm's own: the ledger, all of it from the start. */
  readonly ledgerMb: number
  /** Pools that were ended in the middle of their traffic. */
  readonly ended: number
  /** The most connections that a pool opened to a server that accepts and closes, by the minute. */
  readonly connectsPerMinute: number
  /** Times that it was more often than a pool may that backs off, in words. */
  readonly reconnectStorms: ReadonlyArray<string>
  /** What each pool did while the server accepted and closed. */
  readonly spells: ReadonlyArray<Spell>
  readonly seconds: number
  readonly stats: ApnsPool.Stats
  readonly faults: ReadonlyMap<string, number>
}

const topic = MockApns.bundleId
const blockSize = 500
const blocksAtOnce = 40
/** Live heap may grow by this much, in megabytes, between the first tenth and the end. */
const heapTolerance = 32

const token = (n: number): string => n.toString(16).padStart(64, "0")
const apnsIdOf = (n: number): string => `00000000-0000-4000-8000-${n.toString(16).padStart(12, "0")}`
const numberOf = (path: string): number => Number.parseInt(path.slice(-12), 16)

v8.setFlagsFromString("--expose-gc")
const collect: unknown = vm.runInNewContext("gc")
const megabytes = (bytes: number): number => Math.round(bytes / 104_857.6) / 10

const liveHeapMb = (): number => {
  if (typeof collect === "function") {
    collect()
    collect()
  }
  return megabytes(process.memoryUsage().heapUsed)
}

/** Fibers that are running, by Effect's own count. */
const activeFibers = Effect.map(Metric.value(Metric.counter("effect_fiber_active")), ({ count }) => Number(count))

const resources = (): Map<string, number> => {
  const counts = new Map<string, number>()
  for (const name of process.getActiveResourcesInfo()) counts.set(name, (counts.get(name) ?? 0) + 1)
  return counts
}

/** Tells the ledger of each attempt whose fate is unknown, wherever in the pool it ends. */
const watchAttempts = (ledger: Ledger): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const { prototype } = Delivery.Delivery
      const onFailure = prototype.onFailure
      prototype.onFailure = function(connection, failure) {
        if (failure.processed === "unknown") ledger.doubted(numberOf(this.path))
        onFailure.call(this, connection, failure)
      }
      return onFailure
    }),
    (onFailure) =>
      Effect.sync(() => {
        Delivery.Delivery.prototype.onFailure = onFailure
      })
  ).pipe(Effect.asVoid)

// -----------------------------------------------------------------------------
// traffic
// -----------------------------------------------------------------------------

const retransmits = [undefined, "collapsible", "always", "never"] as const
const longTimeout = "4 seconds"

const alerts = [
  Notification.alert({ alert: "A drop" }),
  Notification.alert({ alert: { title: "Rain", body: "Bring an umbrella" }, badge: 0 }),
  Notification.alert({ alert: { title: "Hail", body: "x".repeat(1500) } }),
  Notification.background({ custom: { weather: "storm" } })
] as const

class Traffic {
  constructor(
    private readonly ledger: Ledger,
    private readonly random: Utils.PCGRandom
  ) {}

  private chance(part: number): boolean {
    return this.random.number() < part
  }

  private optionsOf(n: number, shared: boolean): SendAll.BulkOptions {
    const retransmit = retransmits[this.random.integer(4)]
    const collapsible = this.chance(0.3)
    const timeout = this.chance(0.05) ? Duration.millis(1 + this.random.integer(60)) : longTimeout
    return {
      topic,
      notification: alerts[this.chance(0.02) ? 2 : this.random.integer(2)] ?? alerts[0],
      timeout,
      ...(retransmit === undefined ? {} : { retransmit }),
      ...(collapsible ? { collapseId: shared ? "everyone" : `c${n}` } : {}),
      ...(shared ? {} : { apnsId: apnsIdOf(n) })
    }
  }

  private hand(n: number, options: Pick<Send.SendOptions, "retransmit" | "collapseId">): void {
    this.ledger.handed(
      n,
      options.retransmit === "always" || options.retransmit !== "never" && options.collapseId !== undefined
    )
  }

  private settle(
    n: number,
    result: Either.Either<{ readonly apnsId: string | undefined }, Send.SendError>,
    id: boolean
  ) {
    if (Either.isRight(result)) {
      this.ledger.settled(n, Outcome.accepted)
      if (id && result.right.apnsId !== apnsIdOf(n)) {
        this.ledger.lied(n, `the receipt of another notification: ${result.right.apnsId}`)
      }
      return
    }
    const error = result.left
    if (error._tag === "ParseError") return this.ledger.lied(n, `refused as invalid: ${error.message}`)
    this.ledger.settled(
      n,
      error.processed === "yes" ? Outcome.answered : error.processed === "no" ? Outcome.unprocessed : Outcome.unknown
    )
  }

  /** Runs `sending`, or takes it back after a while. */
  private one<A, R>(
    n: number,
    sending: Effect.Effect<A, never, R>,
    heard: (result: A) => void
  ): Effect.Effect<void, never, R> {
    if (!this.chance(0.05)) return Effect.map(sending, heard)
    return Effect.gen(this, function*() {
      const fiber = yield* Effect.fork(sending)
      yield* this.chance(0.3) ? Effect.yieldNow() : Effect.sleep(this.random.integer(40))
      const exit = yield* Fiber.interrupt(fiber)
      if (Exit.isSuccess(exit)) heard(exit.value)
      else this.ledger.settled(n, Outcome.interrupted)
    })
  }

  private sends(numbers: ReadonlyArray<number>): Effect.Effect<void, never, ApnsPool.ApnsPool> {
    return Effect.forEach(numbers, (n) => {
      const options = this.optionsOf(n, false)
      this.hand(n, options)
      return this.one(n, Effect.either(send({ token: token(n), ...options })), (result) => this.settle(n, result, true))
    }, { concurrency: 100, discard: true })
  }

  private posts(numbers: ReadonlyArray<number>): Effect.Effect<void, never, ApnsPool.ApnsPool> {
    return Effect.flatMap(ApnsPool.ApnsPool, (pool) =>
      Effect.forEach(numbers, (n) => {
        const { collapseId, retransmit, timeout } = this.optionsOf(n, false)
        this.hand(n, { collapseId, retransmit })
        const request = Request.make({
          path: `/3/device/${token(n)}`,
          headers: {
            "apns-topic": topic,
            "apns-push-type": "alert",
            "apns-id": apnsIdOf(n),
            ...(collapseId === undefined ? {} : { "apns-collapse-id": collapseId })
          },
          body: { aps: { alert: "Posted" } },
          timeout,
          retransmit
        })
        return this.one(n, Effect.either(pool.post(request)), (result) => {
          if (Either.isRight(result) && result.right.status !== 200) this.ledger.settled(n, Outcome.answered)
          else this.settle(n, result, true)
        })
      }, { concurrency: 100, discard: true }))
  }

  /** A stream of outcomes to its end, or interrupted on the way: then whatever was pulled and not told of is taken back. */
  private bulk(
    numbers: ReadonlyArray<number>,
    ids: boolean,
    make: (pulled: (n: number) => void) => Stream.Stream<SendAll.Outcome, never, ApnsPool.ApnsPool>
  ): Effect.Effect<void, never, ApnsPool.ApnsPool> {
    return Effect.gen(this, function*() {
      const pulled = new Set<number>()
      const outcomes = Stream.runForEachChunk(
        make((n) => pulled.add(n)),
        (chunk) =>
          Effect.sync(() => {
            for (const { result, token } of chunk) {
              const n = numberOf(token)
              pulled.delete(n)
              this.settle(n, result, ids)
            }
          })
      )
      if (!this.chance(0.15)) return yield* outcomes
      const fiber = yield* Effect.fork(outcomes)
      yield* Effect.sleep(this.random.integer(400))
      const exit = yield* Fiber.interrupt(fiber)
      if (Exit.isSuccess(exit)) return
      for (const n of numbers) if (!this.ledger.isSettled(n)) this.ledger.settled(n, Outcome.interrupted)
    })
  }

  private sendAll(numbers: ReadonlyArray<number>): Effect.Effect<void, never, ApnsPool.ApnsPool> {
    const options = this.optionsOf(numbers[0] ?? 0, true)
    for (const n of numbers) this.hand(n, options)
    const concurrency = 1 + this.random.integer(blockSize)
    return this.bulk(numbers, false, (pulled) =>
      sendAll(
        Stream.fromIterable(numbers).pipe(
          Stream.rechunk(1 + this.random.integer(200)),
          Stream.map((n) => {
            pulled(n)
            return token(n)
          })
        ),
        { ...options, concurrency }
      ))
  }

  private sendEach(numbers: ReadonlyArray<number>): Effect.Effect<void, never, ApnsPool.ApnsPool> {
    const concurrency = 1 + this.random.integer(blockSize)
    return this.bulk(numbers, true, (pulled) =>
      sendEach(
        Stream.fromIterable(numbers).pipe(
          Stream.rechunk(1 + this.random.integer(200)),
          Stream.map((n) => {
            pulled(n)
            const options = this.optionsOf(n, false)
            this.hand(n, options)
            return { token: token(n), ...options }
          })
        ),
        { concurrency }
      ))
  }

  private block(first: number, until: number): Effect.Effect<void, never, ApnsPool.ApnsPool> {
    const count = Math.min(blockSize, until - first)
    const numbers = Array.from({ length: count }, (_, i) => first + i)
    const kind = this.random.number()
    if (kind < 0.35) return this.sendAll(numbers)
    if (kind < 0.6) return this.sendEach(numbers)
    return kind < 0.9 ? this.sends(numbers) : this.posts(numbers)
  }

  /** The notifications `from` to `until - 1`. */
  all(from: number, until: number): Effect.Effect<void, never, ApnsPool.ApnsPool> {
    return Effect.suspend(() =>
      Effect.forEach(
        Array.from({ length: Math.ceil((until - from) / blockSize) }, (_, i) => from + i * blockSize),
        (first) => Effect.suspend(() => this.block(first, until)),
        { concurrency: blocksAtOnce, discard: true }
      )
    )
  }
}

// -----------------------------------------------------------------------------
// the whole
// -----------------------------------------------------------------------------

const poolOptions = {
  topic,
  connectTimeout: "3 seconds",
  // long enough for a busy machine, on which client and server share one process
  ping: { interval: "500 millis", deadline: "2 seconds" },
  drainTimeout: "2 seconds",
  retrySchedule: Schedule.exponential("1 millis", 2).pipe(
    Schedule.union(Schedule.spaced("50 millis")),
    Schedule.jittered,
    Schedule.intersect(Schedule.recurs(20))
  ),
  backoffSchedule: Schedule.spaced("20 millis").pipe(Schedule.jittered, Schedule.intersect(Schedule.recurs(4))),
  reconnectSchedule: Schedule.exponential("20 millis", 2).pipe(
    Schedule.union(Schedule.spaced("1 second")),
    Schedule.jittered
  )
} as const

/** How the life of a pool ends. */
const endings = [
  "its scope closes",
  "its owner is interrupted",
  "its owner fails",
  "its owner runs out of time",
  "its owner dies"
] as const

type Ending = typeof endings[number]

/** A pool with an owner: a fiber that has it in its scope, until {@link Life.end}. */
interface Life {
  readonly pool: ApnsPool.ApnsPool
  /** Ends the owner, and waits for it. */
  readonly end: Effect.Effect<void>
}

const live = <E>(
  ending: Ending,
  make: Effect.Effect<ApnsPool.ApnsPool, E, Scope.Scope>
): Effect.Effect<Life, E> =>
  Effect.gen(function*() {
    const ready = yield* Deferred.make<ApnsPool.ApnsPool, E>()
    const over = yield* Deferred.make<void, "failed">()
    const timeUp = yield* Deferred.make<void>()
    const owner = Effect.scoped(
      Effect.zipRight(Effect.intoDeferred(make, ready), Deferred.await(over))
    )
    const fiber = yield* Effect.forkDaemon(Effect.raceFirst(owner, Deferred.await(timeUp)))
    const pool = yield* Deferred.await(ready)
    const endIt = Effect.suspend((): Effect.Effect<unknown> => {
      switch (ending) {
        case "its scope closes":
          return Deferred.succeed(over, undefined)
        case "its owner is interrupted":
          return Fiber.interruptFork(fiber)
        case "its owner fails":
          return Deferred.fail(over, "failed")
        case "its owner runs out of time":
          return Deferred.succeed(timeUp, undefined)
        case "its owner dies":
          return Deferred.die(over, new Error("a defect of the owner"))
      }
    })
    return { pool, end: Effect.zipRight(endIt, Effect.asVoid(Fiber.await(fiber))) }
  })

/** The sum of what several pools did; of what they are, the last one's. */
const addStats = (before: ApnsPool.Stats | undefined, now: ApnsPool.Stats): ApnsPool.Stats =>
  before === undefined ? now : {
    ...now,
    completed: before.completed + now.completed,
    failed: before.failed + now.failed,
    interrupted: before.interrupted + now.interrupted,
    attempts: before.attempts + now.attempts,
    connectionsOpened: before.connectionsOpened + now.connectionsOpened,
    connectionsFailed: before.connectionsFailed + now.connectionsFailed,
    connectionsLost: before.connectionsLost + now.connectionsLost
  }

/** Once more and once more, for as long as there is something to say; what it was in the end. */
const settleDown = (
  look: Effect.Effect<ReadonlyArray<string>>,
  within: Duration.DurationInput
): Effect.Effect<ReadonlyArray<string>> =>
  Effect.gen(function*() {
    const until = (yield* Clock.currentTimeMillis) + Duration.toMillis(within)
    for (;;) {
      const found = yield* look
      if (found.length === 0 || (yield* Clock.currentTimeMillis) >= until) return found
      yield* Effect.sleep("20 millis")
    }
  })

/** What has to end by itself, and soon. */
const endsSoon = (what: string, effect: Effect.Effect<void>): Effect.Effect<ReadonlyArray<string>> =>
  Effect.map(
    Effect.timeoutOption(Effect.disconnect(effect), "20 seconds"),
    (result) => Option.isSome(result) ? [] : [`${what} does not end`]
  )

const nonZero = (what: string, counts: Readonly<Record<string, number>>): ReadonlyArray<string> =>
  Object.entries(counts).filter(([, count]) => count !== 0).map(([name, count]) => `${what}: ${count} ${name}`)

export const run = (options: Options): Effect.Effect<Report, unknown, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const { notifications, seed } = options
    const sizes = typeof options.connections === "number" ? [options.connections] : options.connections
    const eventEvery = options.eventEvery ?? 250
    const lives = options.lives ?? (eventEvery === Infinity
      ? 1
      : Math.max(sizes.length, 3, Math.min(100, Math.round(notifications / 100_000))))
    const started = yield* Clock.currentTimeMillis
    const fibersBefore = yield* activeFibers
    const resourcesBefore = resources()
    const ledger = new Ledger(notifications)
    const leaked: Array<string> = []
    let rssStartMb = 0
    let heapStartMb = 0
    let ended = 0
    let stats: ApnsPool.Stats | undefined = undefined
    const random = new Utils.PCGRandom(seed, 3)
    const weather = new Weather({
      random: new Utils.PCGRandom(seed, 1),
      faultRate: options.faultRate ?? 0.06,
      eventEvery,
      spellSeconds: options.spellSeconds ?? 8,
      moment: options.moment
    })

    yield* Effect.scoped(Effect.gen(function*() {
      yield* watchAttempts(ledger)
      const apnsScope = yield* Scope.make()
      yield* Effect.addFinalizer((exit) => Scope.close(apnsScope, exit))
      const apns = yield* MockApns.make({
        record: false,
        onReceived: (received) => {
          weather.processed(received.connection, received.streamId)
          const n = numberOf(received.path)
          if (received.accepted) ledger.acceptedByServer(n)
          else ledger.rejectedByServer(n)
        }
      }).pipe(Scope.extend(apnsScope))
      const credentials = yield* Credentials.token({
        key: Redacted.make(apns.credentials.key),
        keyId: apns.credentials.keyId,
        teamId: apns.credentials.teamId
      })
      const traffic = new Traffic(ledger, new Utils.PCGRandom(seed, 2))
      const untilSettled = (count: number): Effect.Effect<void> =>
        Effect.repeat(Effect.sleep("10 millis"), { until: () => ledger.settledCount >= count })

      const weatherScope = yield* Scope.make()
      for (let life = 0; life < lives && ledger.settledCount < notifications; life++) {
        const last = life === lives - 1
        const from = Math.floor(notifications * life / lives)
        const until = Math.floor(notifications * (life + 1) / lives)
        const size = sizes[life % sizes.length] ?? 1
        const ending = last ? endings[0] : endings[life % endings.length] ?? endings[0]
        weather.size = size
        const { end, pool: real } = yield* live(
          ending,
          ApnsPool.make({ ...poolOptions, ...options.pool, endpoint: apns.endpoint, ca: apns.ca, credentials, size })
        )
        const pool = options.meddle?.(real) ?? real
        yield* settleDown(
          Effect.map(real.stats, ({ active }) => active > 0 ? [] : ["not connected"]),
          "30 seconds"
        )
        if (life === 0) {
          yield* apns.script(weather.decide)
          if (eventEvery !== Infinity) {
            yield* Effect.forkIn(Scope.extend(weather.blow(apns), weatherScope), weatherScope)
          }
        }
        if (eventEvery !== Infinity && life % Math.ceil(lives / 20) === 0) {
          const due = from + random.number() * 0.4 * (until - from)
          yield* Effect.forkIn(Effect.zipRight(untilSettled(due), weather.acceptAndClose(apns)), weatherScope)
        }

        const before = stats
        const watch = Effect.gen(function*() {
          const patience = Duration.toMillis(options.patience ?? "30 seconds")
          let settled = -1
          let since = yield* Clock.currentTimeMillis
          for (;;) {
            yield* Effect.sleep("1 second")
            const now = yield* Clock.currentTimeMillis
            if (rssStartMb === 0 && ledger.settledCount >= notifications / 10) {
              heapStartMb = liveHeapMb()
              rssStartMb = megabytes(process.memoryUsage.rss())
            }
            options.onProgress?.({
              seconds: (now - started) / 1000,
              settled: ledger.settledCount,
              byOutcome: ledger.byOutcome,
              stats: addStats(before, yield* real.stats),
              faults: weather.total,
              rssMb: megabytes(process.memoryUsage.rss())
            })
            if (ledger.settledCount !== settled) {
              settled = ledger.settledCount
              since = now
            } else if (now - since >= patience) return ledger.close()
          }
        })
        const sending = Effect.provideService(traffic.all(from, until), ApnsPool.ApnsPool, pool)
        if (last) yield* Effect.raceFirst(sending, watch)
        else {
          // what is sent after the end gets its outcome all the same
          const middle = from + (0.4 + 0.5 * random.number()) * (until - from)
          const ends = Effect.zipRight(untilSettled(middle), endsSoon(`ending a pool when ${ending}`, end))
          yield* Effect.raceFirst(
            Effect.map(Effect.all([sending, ends], { concurrency: "unbounded" }), ([, found]) => {
              leaked.push(...found)
            }),
            watch
          )
          ended++
        }
        if (last) {
          ledger.close()
          yield* Scope.close(weatherScope, Exit.void)
          yield* weather.clear(apns)
        }
        leaked.push(
          ...yield* settleDown(
            Effect.map(
              real.stats,
              ({ inFlight, queued, retrying }) => nonZero("the pool", { inFlight, queued, retrying })
            ),
            "3 seconds"
          )
        )
        if (last) {
          leaked.push(
            ...yield* settleDown(
              Effect.map(apns.stats, ({ inFlight }) => nonZero("the server", { "open streams": inFlight })),
              "3 seconds"
            ),
            ...yield* endsSoon("closing the pool", end)
          )
        }
        const after = yield* real.stats
        stats = addStats(before, after)
        leaked.push(
          ...nonZero(`a pool that has ended when ${ending}`, {
            active: after.active,
            connecting: after.connecting,
            draining: after.draining
          }),
          ...yield* settleDown(
            Effect.map(
              apns.stats,
              ({ openConnections }) =>
                nonZero("the server of a pool that has ended", { "open connections": openConnections })
            ),
            "5 seconds"
          )
        )
        // nobody connects any more, once the server has taken what came before
        yield* Effect.sleep("100 millis")
        const connects = (yield* apns.stats).attempts
        yield* Effect.sleep("300 millis")
        leaked.push(
          ...nonZero(`after a pool has ended when ${ending}`, { connects: (yield* apns.stats).attempts - connects })
        )
      }
      leaked.push(...yield* endsSoon("closing the server", Scope.close(apnsScope, Exit.void)))
    }))

    leaked.push(
      ...yield* settleDown(
        Effect.sync(() => {
          const left: Record<string, number> = {}
          for (const [name, count] of resources()) left[name] = Math.max(0, count - (resourcesBefore.get(name) ?? 0))
          return nonZero("the process", left)
        }),
        "3 seconds"
      ),
      ...yield* settleDown(
        Effect.map(activeFibers, (fibers) => nonZero("the runtime", { fibers: Math.max(0, fibers - fibersBefore) })),
        "3 seconds"
      )
    )
    const heapEndMb = liveHeapMb()
    const rssEndMb = megabytes(process.memoryUsage.rss())
    if (rssStartMb === 0) {
      heapStartMb = heapEndMb
      rssStartMb = rssEndMb
    }
    if (heapEndMb - heapStartMb > heapTolerance) {
      leaked.push(`the heap: ${heapStartMb} MB after a tenth, ${heapEndMb} MB at the end`)
    }
    if (stats === undefined) return yield* Effect.dieMessage("the pool was never built")
    return {
      ...ledger.verdict(),
      notifications,
      seed,
      leaked,
      leaks: leaked.length,
      rssStartMb,
      rssEndMb,
      heapStartMb,
      heapEndMb,
      ledgerMb: megabytes(ledger.bytes),
      ended,
      connectsPerMinute: Math.round(
        Math.max(0, ...weather.spells.map(({ connects, seconds }) => 60 * connects / seconds))
      ),
      reconnectStorms: reconnectStorms(weather.spells),
      spells: weather.spells,
      seconds: ((yield* Clock.currentTimeMillis) - started) / 1000,
      stats,
      faults: weather.counts
    }
  }).pipe(
    // each connection that cannot be opened is worth a warning, and there are hundreds of them here
    Effect.provide(Logger.minimumLogLevel(LogLevel.Error))
  )
