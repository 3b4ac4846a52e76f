import type { Failure } from "@effect-apns/core"
import { ConnectError, Connection, Credentials, Endpoint, Request, Response } from "@effect-apns/core"
import type { Parts } from "@effect-apns/core/unstable/Connection"
import { Notification } from "@effect-apns/models"
import { ApnsPool, ApnsPoolMap, Channels, send, sendAll } from "@effect-apns/pool"
import * as UnstableApnsPool from "@effect-apns/pool/unstable/ApnsPool"
import * as Delivery from "@effect-apns/pool/unstable/Delivery"
import { Certificates, ProviderKey } from "@effect-apns/testing"
import { assert, describe, it } from "@effect/vitest"
import {
  Deferred,
  Duration,
  Effect,
  Either,
  Exit,
  FastCheck,
  Fiber,
  Logger,
  LogLevel,
  Redacted,
  Schedule,
  Stream,
  TestClock
} from "effect"
import { VirtualClock } from "./scenarios/VirtualClock.js"

const token = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
const notification = Notification.alert({ alert: "Hello" })
const hello = send({ token, notification, topic: "com.example.app" })
const request = Request.make({ path: "/3/device/4242", body: { aps: { alert: "x" } } })
const collapsible = Request.make({ path: "/3/device/4242", headers: { "apns-collapse-id": "x" }, body: {} })

const silent = Logger.minimumLogLevel(LogLevel.None)

const tokenOf = ({ key, keyId, teamId }: ProviderKey.ProviderKey) =>
  Credentials.token({ key: Redacted.make(key), keyId, teamId })

const dropped: Failure.CloseCause = { _tag: "Dropped", code: "ECONNRESET" }

describe("maxQueued and the other options of an engine", () => {
  it.effect("the queue is full -> the next request fails at once, not processed; there is room again when one is served", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const program = Effect.gen(function*() {
        const pool = yield* ApnsPool.ApnsPool
        yield* TestClock.adjust(0)
        const served = yield* Effect.forEach(Array.from({ length: 7 }), () => Effect.fork(hello))
        yield* TestClock.adjust(0)
        assert.deepInclude(yield* pool.stats, { inFlight: 2, queued: 5 })
        const refused = yield* Effect.flip(hello)
        assert.deepInclude(refused, { _tag: "QueueFull", processed: "no", attempts: 0, maxQueued: 5 })
        assert.include(refused.message, "maxQueued")
        // a bulk has a bound of its own
        const bulk = yield* Effect.fork(Stream.runCollect(
          sendAll(Stream.make(token, token, token), { notification, topic: "com.example.app" })
        ))
        yield* TestClock.adjust(0)
        yield* Deferred.succeed(gate, undefined)
        for (const fiber of served) yield* Fiber.join(fiber)
        for (const { result } of yield* Fiber.join(bulk)) assert.isTrue(Either.isRight(result))
        yield* hello
        assert.deepInclude(yield* pool.stats, { completed: 11, failed: 1, queued: 0 })
      })
      yield* Effect.provide(
        program,
        ApnsPool.layerTest(() => Effect.as(Deferred.await(gate), Response.make()), { streams: 2, maxQueued: 5 })
      )
    }))

  it.scoped("an option that is not a number of requests, a duration or a schedule -> refused, with its name", () =>
    Effect.gen(function*() {
      const wrong: ReadonlyArray<readonly [string, ReadonlyArray<unknown>]> = [
        ["size", [NaN, 0, -1, 1.5, "4", null, {}, Infinity]],
        ["maxQueued", [NaN, -1, 1.5, "4", null, {}]],
        ["maxRetransmits", [NaN, -1, 1.5, "4", null, {}]],
        ["drainTimeout", [NaN, 5, 5n, Infinity, "soon", null, {}, "10 parsecs"]],
        ["topic", ["", " ", "com example", "com.example.app\n", 7, null, {}]],
        ["retransmit", ["sometimes", 1, null]],
        ["retrySchedule", ["1 second", null, 5, {}]],
        ["backoffSchedule", ["1 second", null, 5, {}]],
        ["reconnectSchedule", ["1 second", null, 5, {}]]
      ]
      for (const [field, values] of wrong) {
        for (const value of values) {
          const options: ApnsPool.PoolOptions = Object.assign({}, { [field]: value })
          const exit = yield* Effect.exit(
            UnstableApnsPool.makeWith((parts) => Connection.fromHandler(() => Effect.never, {}, parts), options)
          )
          const found = Exit.match(exit, {
            onFailure: (cause) => cause._tag === "Fail" ? `${cause.error._tag} ${cause.error.field}` : cause._tag,
            onSuccess: () => "a pool"
          })
          assert.strictEqual(found, `InvalidPoolOptions ${field}`, String(value))
        }
      }
    }))

  it.scoped("authorities that cannot be read -> refused, before anything connects", () =>
    Effect.gen(function*() {
      const credentials = yield* tokenOf(yield* ProviderKey.make())
      const { ca } = yield* Certificates.makeAuthority()
      for (const wrong of ["", "ca.pem", "/etc/ssl/ca.pem", Redacted.value(credentials.key), [], ["", ca]]) {
        const given = { lookup: () => Effect.die("it connects"), ca: wrong }
        const error = yield* Effect.flip(ApnsPool.make({ endpoint: Endpoint.development, credentials, ...given }))
        assert.deepInclude(error, { _tag: "InvalidPoolOptions", field: "ca" })
        assert.deepInclude(yield* Effect.flip(ApnsPoolMap.make(given)), { _tag: "InvalidPoolOptions", field: "ca" })
        assert.deepInclude(
          yield* Effect.flip(Channels.make({ ...given, endpoint: Endpoint.development, credentials })),
          {
            _tag: "InvalidPoolOptions",
            field: "ca"
          }
        )
      }
    }))

  it.scoped("an invalid span of time -> refused with the option's name, before anything connects", () =>
    Effect.gen(function*() {
      const credentials = yield* tokenOf(yield* ProviderKey.make())
      for (const name of ["connectTimeout", "drainTimeout", "ping.interval", "ping.deadline", "ping.busyDeadline"]) {
        const wrong = [5, NaN, 5n, "soon", null, {}, "-5 seconds"]
        for (const value of name === "drainTimeout" ? wrong : [...wrong, "0 seconds", Duration.zero]) {
          const [first = "", second] = name.split(".")
          const option: object = { [first]: second === undefined ? value : { [second]: value } }
          const given = { lookup: () => Effect.die("it connects"), ...option }
          const error = yield* Effect.flip(ApnsPool.make({ endpoint: Endpoint.development, credentials, ...given }))
          assert.strictEqual(`${error._tag} ${"field" in error ? error.field : ""}`, `InvalidPoolOptions ${name}`)
          if (name === "drainTimeout") continue
          const ofMap = yield* Effect.flip(ApnsPoolMap.make(given))
          assert.strictEqual(ofMap.field, name)
        }
      }
      const idle: object = { idleTimeToLive: 5 }
      const ofMap = yield* Effect.flip(ApnsPoolMap.make(idle))
      assert.strictEqual(ofMap.field, "idleTimeToLive")
    }))

  it.live("any options -> a pool or one typed error", () =>
    Effect.promise(() =>
      FastCheck.assert(
        FastCheck.asyncProperty(
          FastCheck.dictionary(
            FastCheck.constantFrom(
              "size",
              "topic",
              "maxQueued",
              "maxRetransmits",
              "drainTimeout",
              "retransmit",
              "retrySchedule",
              "backoffSchedule",
              "reconnectSchedule",
              "spans"
            ),
            FastCheck.anything()
          ),
          (given) =>
            Effect.gen(function*() {
              const options: ApnsPool.PoolOptions = Object.assign({}, given, { size: 1 })
              const exit = yield* Effect.exit(Effect.scoped(
                UnstableApnsPool.makeWith((parts) => Connection.fromHandler(() => Effect.never, {}, parts), options)
              ))
              if (Exit.isFailure(exit)) assert.strictEqual(exit.cause._tag, "Fail")
            }).pipe(Effect.provide(silent), Effect.runPromise)
        ),
        { numRuns: 100 }
      )
    ), 60_000)
})

describe("a request that may have been processed", () => {
  const losing = (count: { attempts: number }) => (parts: Parts) =>
    Effect.gen(function*() {
      let connection: Connection.Connection | undefined = undefined
      const made: Connection.Connection = yield* Connection.fromHandler(
        () =>
          Effect.suspend(() => {
            count.attempts++
            connection?.unsafe.close(dropped)
            return Effect.never
          }),
        {},
        parts
      )
      connection = made
      return made
    })

  for (
    const [what, maxRetransmits, attempts] of [["by default", undefined, 3], ["as the option says", 4, 5], [
      "never",
      0,
      1
    ]] as const
  ) {
    it.scoped(`maxRetransmits ${what} -> ${attempts} attempts in all, then an error with processed: unknown`, () =>
      Effect.gen(function*() {
        const count = { attempts: 0 }
        const pool = yield* UnstableApnsPool.makeWith(losing(count), {
          size: 10,
          maxRetransmits,
          reconnectSchedule: Schedule.spaced("1 millis"),
          drainTimeout: "0 seconds"
        })
        const sent = yield* Effect.fork(Effect.flip(pool.post(collapsible)))
        yield* Effect.repeatN(TestClock.adjust("500 millis"), 18)
        const error = yield* Fiber.join(sent)
        assert.deepInclude(error, { processed: "unknown", attempts })
        assert.strictEqual(count.attempts, attempts)
      }).pipe(Effect.provide(silent)))
  }
})

describe("callers' code that throws", () => {
  class Bad extends Delivery.Delivery {
    onAnswered(): void {
      throw new Error("a bug in onAnswered")
    }
    onFailed(): void {
      throw new Error("a bug in onFailed")
    }
  }

  it.effect("a callback throws -> logged; the pool and its deadlines keep working", () => {
    const lines: Array<unknown> = []
    const logger = Logger.make(({ message }) => {
      lines.push(message)
    })
    return Effect.gen(function*() {
      const pool = yield* ApnsPool.ApnsPool
      yield* TestClock.adjust(0)
      // one that is answered, one whose time is over in flight, one whose time is over at once
      pool.unsafe.submit(new Bad("/answered", request.spec))
      pool.unsafe.submit(new Bad("/never", { ...request.spec, timeoutMillis: 1000 }))
      pool.unsafe.submit(new Bad("/late", { ...request.spec, deadlineMillis: -1 }))
      const next = yield* Effect.fork(Effect.flip(pool.post(Request.make({ path: "/never", timeout: "2 seconds" }))))
      yield* TestClock.adjust("2 seconds")
      assert.deepInclude(yield* Fiber.join(next), { _tag: "Timeout", processed: "unknown" })
      assert.strictEqual((yield* pool.post(request)).status, 200)
      assert.deepInclude(yield* pool.stats, { inFlight: 0, queued: 0, completed: 2, failed: 3 })
      assert.strictEqual(lines.flat().filter((text) => String(text).includes("callback of a delivery")).length, 3)
    }).pipe(
      Effect.provide(
        ApnsPool.layerTest(({ path }) => path === "/never" ? Effect.never : Effect.succeed(Response.make()))
      ),
      Effect.provide(Logger.replace(Logger.defaultLogger, logger))
    )
  })

  const schedules: Record<string, Schedule.Schedule<unknown>> = {
    "dies": Schedule.mapEffect(Schedule.forever, () => Effect.die("a bug in a schedule")),
    "throws": Schedule.map(Schedule.forever, () => {
      throw new Error("a bug in a schedule")
    }),
    "throws at once": Object.assign(Object.create(Schedule.forever), {
      step: () => {
        throw new Error("a bug in a schedule")
      }
    })
  }
  for (const [what, schedule] of Object.entries(schedules)) {
    it.effect(`a backoff schedule that ${what} -> the last answer is the result, and the pool keeps working`, () => {
      let busy = true
      return Effect.gen(function*() {
        const pool = yield* ApnsPool.ApnsPool
        const first = yield* Effect.fork(pool.post(request))
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* Fiber.join(first)).status, 503)
        busy = false
        assert.strictEqual((yield* pool.post(request)).status, 200)
      }).pipe(
        Effect.provide(ApnsPool.layerTest(
          () => Effect.sync(() => Response.make(busy ? { status: 503, body: { reason: "ServiceUnavailable" } } : {})),
          { backoffSchedule: schedule }
        )),
        Effect.provide(silent)
      )
    })

    it.scoped(`a reconnect schedule that ${what} -> the pool connects again after a wait`, () =>
      Effect.gen(function*() {
        let attempts = 0
        const pool = yield* UnstableApnsPool.makeWith(
          (parts) =>
            Effect.suspend(() =>
              ++attempts === 1
                ? Effect.fail(
                  new ConnectError.ConnectError({
                    reason: "Refused",
                    phase: "tcp",
                    endpoint: Endpoint.production,
                    message: "no"
                  })
                )
                : Connection.fromHandler(() => Effect.succeed(Response.make()), {}, parts)
            ),
          { size: 1, reconnectSchedule: schedule }
        )
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(attempts, 2)
        assert.strictEqual((yield* pool.post(request)).status, 200)
      }).pipe(Effect.provide(silent)))
  }

  for (
    const [what, handler] of [
      ["throws", () => {
        throw new Error("a bug in a handler")
      }],
      ["dies", () => Effect.die(new Error("a bug in a handler"))]
    ] as const
  ) {
    it.effect(`a handler of layerTest that ${what} -> its caller gets the defect, the others their answers`, () => {
      let bad = true
      return Effect.gen(function*() {
        const exit = yield* Effect.exit(hello)
        assert.strictEqual(
          Exit.isFailure(exit) && exit.cause._tag === "Die" ? String(exit.cause.defect) : undefined,
          "Error: a bug in a handler"
        )
        bad = false
        assert.strictEqual((yield* hello).attempts, 1)
      }).pipe(Effect.provide(ApnsPool.layerTest(() => bad ? handler() : Effect.succeed(Response.make()))))
    })
  }

  it.scoped("opening a connection throws -> another attempt follows", () =>
    Effect.gen(function*() {
      let attempts = 0
      const pool = yield* UnstableApnsPool.makeWith((parts) => {
        if (++attempts === 1) throw new Error("a bug in connect")
        return Connection.fromHandler(() => Effect.succeed(Response.make()), {}, parts)
      }, { size: 1 })
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* pool.post(request)).status, 200)
    }).pipe(Effect.provide(silent)))

  it.scoped("a logger throws -> the pool still connects", () =>
    Effect.gen(function*() {
      let attempts = 0
      const pool = yield* UnstableApnsPool.makeWith((parts) => {
        if (++attempts <= 2) throw new Error("a bug in connect")
        return Connection.fromHandler(() => Effect.succeed(Response.make()), {}, parts)
      }, { size: 1 })
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* pool.post(request)).status, 200)
    }).pipe(Effect.provide(Logger.replace(
      Logger.defaultLogger,
      Logger.make(() => {
        throw new Error("a bug in a logger")
      })
    ))))
})

describe("servers that rotate connections by GOAWAY", () => {
  for (const answered of [true, false]) {
    it.live(`every 100 requests, GOAWAY that includes them, ${answered ? "answered" : "not yet answered"}: nobody waits`, () =>
      Effect.gen(function*() {
        const clock = new VirtualClock(1_800_000_000_000)
        const answers: Array<string> = []
        let opened = 0
        class Push extends Delivery.Delivery {
          onAnswered(): void {
            answers.push("ok")
          }
          onFailed(failure: Failure.PoolFailure): void {
            answers.push(failure._tag)
          }
        }
        const pool = yield* Effect.withClock(
          UnstableApnsPool.makeWith((parts) =>
            Effect.gen(function*() {
              let connection: Connection.Connection | undefined = undefined
              let requests = 0
              opened++
              const made: Connection.Connection = yield* Connection.fromHandler(
                () =>
                  Effect.suspend(() => {
                    if (++requests === 100) {
                      connection?.unsafe.retire({
                        _tag: "Goaway",
                        code: 0,
                        codeName: "NO_ERROR",
                        lastStreamId: 199,
                        reason: undefined,
                        debugData: ""
                      })
                    }
                    return answered && requests < 100
                      ? Effect.succeed(Response.make())
                      : Effect.as(Effect.sleep("20 millis"), Response.make())
                  }),
                { limit: 100 },
                parts
              )
              connection = made
              return made
            }), { size: 1, drainTimeout: "0 seconds" }),
          clock
        )
        for (let i = 0; i < 2000; i++) pool.unsafe.submit(new Push(request.path, request.spec))
        // ten connections' worth of 20 milliseconds, twice: what is more would be waiting
        for (let passed = 0; passed < 1000 && answers.length < 2000; passed += 20) {
          yield* Effect.promise(() => clock.advance(20))
        }
        assert.lengthOf(answers, 2000)
        assert.isTrue(answers.every((answer) => answer === "ok"))
        assert.isAtMost(opened, 21)
        assert.isAtMost(clock.unsafeCurrentTimeMillis() - 1_800_000_000_000, 460)
      }).pipe(Effect.scoped, Effect.provide(silent)))
  }
})

/** A connection whose server answers when it is told to; it has shown nothing of itself. */
const held = (parts: Parts) =>
  Effect.gen(function*() {
    const waiting: Array<() => void> = []
    const made = yield* Connection.fromHandler(
      () =>
        Effect.async<Response.Response>((resume) => {
          waiting.push(() => resume(Effect.succeed(Response.make())))
        }),
      { limit: 100 },
      parts
    )
    return { made, waiting }
  })

describe("a connection that is not proven yet", () => {
  for (const proof of ["an answer", "a PONG", "ten seconds of life"] as const) {
    it.scoped(`at most 8 requests in flight before ${proof}, then as many as the server allows`, () =>
      Effect.gen(function*() {
        let answer = (): void => {}
        let pong = (): void => {}
        const pool = yield* UnstableApnsPool.makeWith(
          (parts) =>
            Effect.map(held(parts), ({ made, waiting }) => {
              answer = () => waiting.shift()?.()
              pong = () => parts.listener?.onProven?.(made)
              // one without a socket would have nothing to show
              return { ...made, unsafe: Object.create(made.unsafe, { proven: { value: false } }) }
            }),
          { size: 1, drainTimeout: "0 seconds" }
        )
        yield* TestClock.adjust(0)
        const patient = Request.make({ path: "/3/device/4242", body: {}, timeout: "1 hour" })
        yield* Effect.replicateEffect(Effect.fork(pool.post(patient)), 50, { discard: true })
        yield* TestClock.adjust("1 second")
        assert.deepInclude(yield* pool.stats, { inFlight: 8, queued: 42 })
        if (proof === "an answer") answer()
        else if (proof === "a PONG") pong()
        else yield* TestClock.adjust("10 seconds")
        yield* TestClock.adjust(0)
        assert.deepInclude(yield* pool.stats, { queued: 0, inFlight: proof === "an answer" ? 49 : 50 })
      }))
  }
})

describe("a single send and two bulks on one pool", () => {
  it.scoped("the single send gets one of the next three free streams; the bulks share the others evenly", () =>
    Effect.gen(function*() {
      let serve: ReadonlyArray<() => void> = []
      const pool = yield* UnstableApnsPool.makeWith(
        (parts) =>
          Effect.map(held(parts), ({ made, waiting }) => {
            serve = [() => waiting.shift()?.()]
            return made
          }),
        { size: 1, drainTimeout: "0 seconds" }
      )
      yield* TestClock.adjust(0)
      const counts = [0, 0]
      const bulk = (i: number) =>
        Stream.runForEach(
          sendAll(Stream.repeatValue(token), {
            notification,
            topic: "com.example.app",
            timeout: "1 hour",
            concurrency: i === 0 ? 4000 : 400
          }),
          () => Effect.sync(() => counts[i] = (counts[i] ?? 0) + 1)
        )
      for (const i of [0, 1]) {
        yield* Effect.fork(Effect.provideService(bulk(i), ApnsPool.ApnsPool, pool))
        yield* TestClock.adjust(0)
      }
      const single = yield* Effect.fork(Effect.provideService(hello, ApnsPool.ApnsPool, pool))
      yield* TestClock.adjust(0)
      const serveOne = Effect.zipRight(Effect.sync(() => serve[0]?.()), TestClock.adjust(0))
      // the hundred that had streams before, and three
      yield* Effect.repeatN(serveOne, 102)
      assert.strictEqual((yield* Fiber.join(single)).attempts, 1)
      const before = [...counts]
      yield* Effect.repeatN(serveOne, 199)
      const [a = 0, b = 0] = counts.map((count, i) => count - (before[i] ?? 0))
      assert.isAtMost(Math.abs(a - b), 4)
    }))
})
