/** How schedules are asked, and what it costs when many requests are refused at once: in fibers and timers, never in time. */
import { Connection, ProviderToken, Request, Response } from "@effect-apns/core"
import * as Deadlines from "@effect-apns/core/unstable/Deadlines"
import { ApnsPool } from "@effect-apns/pool"
import * as UnstableApnsPool from "@effect-apns/pool/unstable/ApnsPool"
import { Delivery } from "@effect-apns/pool/unstable/Delivery"
import { assert, describe, it } from "@effect/vitest"
import {
  Clock,
  type Context,
  DateTime,
  Duration,
  Effect,
  ExecutionStrategy,
  Exit,
  FastCheck,
  Fiber,
  Logger,
  LogLevel,
  type Option,
  Random,
  Redacted,
  Schedule,
  ScheduleDecision,
  ScheduleInterval,
  Scope,
  Supervisor,
  TestClock,
  Utils
} from "effect"
import type { Place } from "../src/internal/effects.js"
import { step } from "../src/internal/effects.js"
import { Engine } from "../src/internal/engine.js"
import { endOfWait, type Growth, Schedules } from "../src/internal/schedules.js"

const silent = Logger.minimumLogLevel(LogLevel.None)

/** Counts the fibers that are started. */
class Fibers extends Supervisor.AbstractSupervisor<number> {
  started = 0
  get value() {
    return Effect.sync(() => this.started)
  }
  override onStart<A, E, R>(
    _context: Context.Context<R>,
    _effect: Effect.Effect<A, E, R>,
    _parent: Option.Option<Fiber.RuntimeFiber<unknown, unknown>>
  ): void {
    this.started++
  }
}

class Sent extends Delivery {
  onAnswered(): void {}
  onFailed(): void {}
}

const { path, spec } = Request.make({ path: "/3/device/4242", timeout: "1 hour", body: { aps: { alert: "x" } } })

/** What it costs that `count` requests are refused once, all of them at the same time: beyond the handler's own fibers. */
const cost = (count: number, answer: Parameters<typeof Response.make>[0], options: ApnsPool.PoolOptions) =>
  Effect.scoped(Effect.gen(function*() {
    const clock = yield* Effect.clock
    const fibers = new Fibers()
    let sleeps = 0
    let handled = 0
    const counting: Clock.Clock = {
      [Clock.ClockTypeId]: Clock.ClockTypeId,
      unsafeCurrentTimeMillis: () => clock.unsafeCurrentTimeMillis(),
      unsafeCurrentTimeNanos: () => clock.unsafeCurrentTimeNanos(),
      currentTimeMillis: clock.currentTimeMillis,
      currentTimeNanos: clock.currentTimeNanos,
      sleep: (duration) => {
        sleeps++
        return clock.sleep(duration)
      }
    }
    const pool = yield* UnstableApnsPool.makeWith(
      (parts) =>
        Connection.fromHandler(
          () => Effect.sync(() => handled++ < count ? Response.make(answer) : Response.make()),
          { limit: 10_000 },
          parts
        ),
      { size: 1, ...options }
    ).pipe(Effect.supervised(fibers), Effect.withClock(counting))
    yield* TestClock.adjust(0)
    const before = { fibers: fibers.started, sleeps }
    for (let i = 0; i < count; i++) pool.unsafe.submit(new Sent(path, spec))
    yield* TestClock.adjust(0)
    assert.deepInclude(yield* pool.stats, { attempts: count, retrying: count })
    yield* TestClock.adjust("2 seconds")
    assert.deepInclude(yield* pool.stats, { attempts: 2 * count, completed: count, failed: 0, retrying: 0 })
    return { fibers: fibers.started - before.fibers - handled, sleeps: sleeps - before.sleeps }
  }))

const busy = { status: 503, body: { reason: "ServiceUnavailable" } } as const

describe("many requests refused at once", () => {
  const ways: Readonly<Record<string, ApnsPool.PoolOptions>> = {
    "the default schedule": {},
    "the default schedule, given as an option": { backoffSchedule: ApnsPool.backoffSchedule },
    "a schedule of the caller's": { backoffSchedule: Schedule.spaced("1 second") }
  }
  for (const [name, options] of Object.entries(ways)) {
    it.effect(`${name} -> no fiber or timer for each request`, () =>
      Effect.gen(function*() {
        const few = yield* cost(100, busy, options)
        const many = yield* cost(800, busy, options)
        // a fiber gives way to others after some 50 steps, and a timer ends up to 64 ms of waiting
        assert.isAtMost(many.fibers - few.fibers, 800 / 20)
        assert.isAtMost(many.sleeps - few.sleeps, 30)
      }))
  }

  it.effect("a server that sends Retry-After -> no fiber or timer for each request", () =>
    Effect.gen(function*() {
      const answer = { ...busy, headers: { "retry-after": "1" } }
      const few = yield* cost(100, answer, {})
      const many = yield* cost(800, answer, {})
      assert.isAtMost(many.fibers - few.fibers, 20)
      assert.isAtMost(many.sleeps - few.sleeps, 5)
    }))
})

// --- the provider token ---

const at = DateTime.unsafeMake("2026-01-01T00:00:00Z")
const tokenOf = (name: string): ProviderToken.Token => ({
  jwt: Redacted.make(name),
  header: `bearer ${name}`,
  issuedAt: at,
  refreshAt: at,
  expiresAt: at,
  changeAt: () => at,
  isRefused: false
})

class Signed extends Sent {
  override token: ProviderToken.Token | undefined
  constructor(token: ProviderToken.Token) {
    super(path, spec)
    this.token = token
  }
}

/** An engine over a handler, with a signer that counts how often it is asked. */
const signing = (answer: Parameters<typeof Response.make>[0], count: number) =>
  Effect.gen(function*() {
    const asked = { expired: 0, tooManyUpdates: 0 }
    const signer: ProviderToken.ProviderToken = {
      [ProviderToken.TypeId]: ProviderToken.TypeId,
      keyId: "ABC123DEFG",
      teamId: "DEF123GHIJ",
      current: Effect.succeed(tokenOf("new")),
      unsafeCurrent: () => tokenOf("new"),
      // signing takes its time
      expired: () => Effect.delay(Effect.sync(() => (asked.expired++, tokenOf("new"))), "10 millis"),
      tooManyUpdates: () => Effect.sync(() => void asked.tooManyUpdates++),
      signings: Effect.succeed(1)
    }
    let handled = 0
    const deadlines = yield* Deadlines.make
    const engine = new Engine(
      (parts) =>
        Connection.fromHandler(
          () => Effect.sync(() => handled++ < count ? Response.make(answer) : Response.make()),
          { limit: 10_000 },
          parts
        ),
      {
        retransmit: "collapsible",
        maxRetransmits: 2,
        maxQueued: Infinity,
        retrySchedule: ApnsPool.retrySchedule,
        backoffSchedule: ApnsPool.backoffSchedule,
        reconnectSchedule: ApnsPool.reconnectSchedule,
        drainTimeout: Duration.zero,
        annotations: {},
        metrics: {
          answered: () => {},
          rejected: () => {},
          failed: () => {},
          connectionOpened: () => {},
          connectionFailed: () => {},
          connectionClosed: () => {}
        }
      },
      deadlines,
      signer,
      yield* Effect.runtime(),
      yield* Scope.make(ExecutionStrategy.parallel),
      1
    )
    yield* Effect.addFinalizer(() => engine.shutdown)
    yield* engine.start(1)
    yield* TestClock.adjust(0)
    const token = tokenOf("old")
    for (let i = 0; i < count; i++) engine.submit(new Signed(token))
    yield* TestClock.adjust("2 seconds")
    assert.deepInclude(engine.stats, { attempts: 2 * count, completed: count, failed: 0 })
    return asked
  })

describe("a provider token refused for many requests at once", () => {
  it.scoped("expired -> the signer is called once, and each request is sent again", () =>
    Effect.map(signing({ status: 403, body: { reason: "ExpiredProviderToken" } }, 800), (asked) => {
      assert.deepStrictEqual(asked, { expired: 1, tooManyUpdates: 0 })
    }))

  it.scoped("too many updates -> the signer is called once, and each request is sent again", () =>
    Effect.map(signing({ status: 429, body: { reason: "TooManyProviderTokenUpdates" } }, 800), (asked) => {
      assert.deepStrictEqual(asked, { expired: 0, tooManyUpdates: 1 })
    }))
})

// --- the schedules themselves ---

const growths: Readonly<Record<string, readonly [Growth, Schedule.Schedule<unknown>]>> = {
  retrySchedule: [{ firstMillis: 1, factor: Math.sqrt(10), maxMillis: 1_000 }, ApnsPool.retrySchedule],
  backoffSchedule: [{ firstMillis: 1_000, factor: 2, maxMillis: 60_000 }, ApnsPool.backoffSchedule],
  reconnectSchedule: [{ firstMillis: 100, factor: 2, maxMillis: 30_000 }, ApnsPool.reconnectSchedule]
}

describe("the pool's own schedules, computed", () => {
  for (const [name, [growth, schedule]] of Object.entries(growths)) {
    it.effect(`${name} -> the wait of the schedule, rounded to 64 ms, within its jitter`, () =>
      Effect.promise(() =>
        FastCheck.assert(
          FastCheck.asyncProperty(
            FastCheck.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
            FastCheck.nat(4_000_000_000_000),
            async (random, now) => {
              const asked = Effect.withRandom(Random.fixed([random]))
              let place: Place | undefined = undefined
              for (let steps = 0; steps < 20; steps++) {
                place = await Effect.runPromise(asked(step(schedule, now, undefined, place)))
                const wait = endOfWait(growth, steps, now, random) - now
                const base = Math.min(growth.firstMillis * growth.factor ** steps, growth.maxMillis)
                assert.isAtLeast(wait, 0.8 * base - 0.001)
                assert.isAtMost(wait, 1.2 * base + 0.001)
                assert.isAtMost(Math.abs(wait - ((place.at ?? Number.NaN) - now)), 64)
              }
            }
          ),
          { numRuns: 20, seed: 1 }
        )
      ))
  }

  it.effect("a similar schedule of the caller -> run, not computed", () =>
    Effect.gen(function*() {
      const schedules = new Schedules(yield* Effect.runtime(), new Utils.PCGRandom(1))
      assert.isDefined(schedules.compute(ApnsPool.backoffSchedule, 5, undefined))
      assert.isUndefined(schedules.compute(Schedule.jittered(ApnsPool.backoffSchedule), 5, undefined))
    }))
})

describe("schedules of the caller", () => {
  const turn = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

  const odd: Readonly<Record<string, { readonly schedule: Schedule.Schedule<unknown>; readonly answer: string }>> = {
    "waits for ever": { schedule: Schedule.mapEffect(Schedule.forever, () => Effect.never), answer: "none" },
    "takes an hour": { schedule: Schedule.mapEffect(Schedule.forever, () => Effect.sleep("1 hour")), answer: "none" },
    "dies": { schedule: Schedule.mapEffect(Schedule.forever, () => Effect.die("boom")), answer: "Failure" },
    "throws": {
      schedule: Schedule.map(Schedule.forever, () => {
        throw new Error("boom")
      }),
      answer: "Failure"
    },
    "interrupts": { schedule: Schedule.mapEffect(Schedule.forever, () => Effect.interrupt), answer: "Failure" },
    "interrupts the fiber that asks": {
      schedule: Schedule.mapEffect(
        Schedule.forever,
        () => Effect.withFiberRuntime<void>((fiber) => Fiber.interruptFork(fiber).pipe(Effect.zipRight(Effect.never)))
      ),
      answer: "Failure"
    },
    "answers with an interval that begins at NaN": {
      schedule: Schedule.makeWithState(
        0,
        () => Effect.succeed([0, 0, ScheduleDecision.continueWith(ScheduleInterval.after(NaN))])
      ),
      answer: "Failure"
    },
    "gives way to others": {
      schedule: Schedule.mapEffect(Schedule.forever, () => Effect.yieldNow()),
      answer: "Success"
    }
  }
  for (const [what, { answer, schedule }] of Object.entries(odd)) {
    it.live(`one that ${what} -> only its own request is affected, the others are answered in the same turn`, () =>
      Effect.gen(function*() {
        const schedules = new Schedules(yield* Effect.runtime(), new Utils.PCGRandom(1))
        const good: Array<number | undefined> = []
        const bad: Array<string> = []
        for (let i = 0; i < 300; i++) {
          const answerTo = (exit: Exit.Exit<Place>) => {
            if (i % 3 === 0) bad.push(exit._tag)
            else good.push(Exit.isSuccess(exit) ? exit.value.at : undefined)
          }
          schedules.ask(i % 3 === 0 ? schedule : Schedule.spaced("1 second"), i, undefined, undefined, answerTo)
        }
        assert.deepStrictEqual([good, bad], [[], []])
        yield* turn
        yield* turn
        // a fiber may have given way to others in the middle of a question
        good.sort((a = 0, b = 0) => a - b)
        assert.deepStrictEqual(good, Array.from({ length: 300 }, (_, i) => i + 1_000).filter((_, i) => i % 3 !== 0))
        assert.deepStrictEqual(bad, answer === "none" ? [] : Array.from({ length: 100 }, () => answer))
      }).pipe(Effect.provide(silent)))
  }

  it.live("thousands of steps -> other work of the event loop runs in between", () =>
    Effect.gen(function*() {
      const schedules = new Schedules(yield* Effect.runtime(), new Utils.PCGRandom(1))
      let answered = 0
      for (let i = 0; i < 2_000; i++) {
        schedules.ask(Schedule.spaced("1 second"), i, undefined, undefined, () => answered++)
      }
      const seen: Array<number> = []
      for (let i = 0; i < 6; i++) {
        yield* turn
        seen.push(answered)
      }
      assert.strictEqual(seen.at(-1), 2_000)
      assert.isAtLeast(new Set(seen).size, 3)
    }))
})
