import type { Failure } from "@effect-apns/core"
import { ConnectError, Connection, Credentials, Endpoint, Request, Response } from "@effect-apns/core"
import type { TimeSpan } from "@effect-apns/models"
import { ApnsPool, send } from "@effect-apns/pool"
import * as UnstableApnsPool from "@effect-apns/pool/unstable/ApnsPool"
import { MockApns } from "@effect-apns/testing"
import { FileSystem } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Either, Exit, Fiber, Layer, Redacted, Ref, Schedule, Scope, TestClock } from "effect"
import {
  brief,
  connectFailed,
  credentialsOf,
  errorOf,
  live,
  notification,
  one,
  opened,
  poolAt,
  receiptOf,
  stats,
  token,
  tokens,
  topic,
  ways
} from "./utils.js"

const [way] = ways
if (way === undefined) throw new Error("no way to send")

const request = Request.make({
  path: "/3/device/4242",
  headers: { "apns-push-type": "alert", "apns-topic": topic },
  body: { aps: { alert: "x" } }
})

const refused = new ConnectError.ConnectError({
  reason: "Refused",
  phase: "tcp",
  endpoint: Endpoint.development,
  code: "ECONNREFUSED",
  message: "Nothing listens"
})

const credentialsRefused: Failure.CloseCause & { readonly _tag: "Goaway" } = {
  _tag: "Goaway",
  code: 0,
  codeName: "NO_ERROR",
  lastStreamId: 0,
  reason: "BadCertificate",
  debugData: ""
}

type Answer = () => Effect.Effect<Response.Response, Failure.RequestError>

const accept: Answer = () => Effect.succeed(Response.make())

describe("invalid options -> an error that says what to change", () => {
  it("an origin that is not just https://host:port", () => {
    for (
      const origin of [
        "api.push.apple.com",
        "http://api.push.apple.com",
        "https://user@api.push.apple.com",
        "https://user:pass@api.push.apple.com",
        "https://api.push.apple.com/path",
        "https://api.push.apple.com?query",
        "https://api.push.apple.com;params",
        "https://api.push.apple.com#fragment",
        ""
      ]
    ) {
      const made = Endpoint.make(origin)
      assert.isTrue(Either.isLeft(made), origin)
      if (Either.isLeft(made)) assert.isNotEmpty(made.left.message)
    }
  })

  it.scoped("an invalid number of connections", () =>
    Effect.gen(function*() {
      const apns = { endpoint: Endpoint.development }
      const key = yield* Credentials.token({
        key: Redacted.make("not a key"),
        keyId: "ABC123DEFG",
        teamId: "DEF123GHIJ"
      }).pipe(Effect.flip)
      assert.strictEqual(key._tag, "CredentialsError")
      for (const size of [0, -1, 1.5, NaN]) {
        const error = yield* Effect.flip(
          UnstableApnsPool.makeWith((parts) => Connection.fromHandler(accept, {}, parts), { size, ...apns })
        )
        assert.deepInclude(error, { _tag: "InvalidPoolOptions", field: "size" })
        assert.include(error.message, "at least 1")
      }
    }))

  it.effect("a missing key file -> an error with its path", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(
        Credentials.token({ keyFile: "AuthKey_MISSING.p8", keyId: "ABC123DEFG", teamId: "DEF123GHIJ" })
      )
      assert.strictEqual(error._tag, "CredentialsError")
      assert.include(error.message, "AuthKey_MISSING.p8")
    }).pipe(Effect.provide(FileSystem.layerNoop({}))))
})

describe("servers that are not APNs, or not working", () => {
  const cases = [
    ["untrusted", "UntrustedServer"],
    ["wrongHost", "HostnameMismatch"],
    ["expired", "UntrustedServer"],
    ["oldVersion", "Tls"],
    ["noAlpn", "NoH2"],
    ["otherAlpn", "NoH2"],
    ["garbage", "Tls"],
    ["closeInHandshake", "Reset"],
    ["reset", "Reset"],
    ["garbageHttp2", "Http2"],
    ["http1", "Http2"]
  ] as const

  it.scopedLive("sends fail with the cause; the server recovers -> the pool recovers", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      for (const [fault, reason] of cases) {
        yield* apns.failTls(fault)
        const scope = yield* Scope.make()
        const pool = yield* Scope.extend(poolAt(apns), scope)
        yield* connectFailed(pool)
        const failed = yield* one(way, { timeout: "20 millis" }).pipe(
          Effect.provideService(ApnsPool.ApnsPool, pool)
        )
        const error = errorOf(failed)
        assert.deepInclude(error, { _tag: "Timeout", processed: "no", attempts: 0 }, fault)
        if (error._tag !== "Timeout" || error.closeCause?._tag !== "ConnectFailed") {
          assert.fail(`${fault}: ${error.message}`)
        }
        const cause = error.closeCause.error
        assert.strictEqual(cause._tag === "ConnectError" ? cause.reason : cause._tag, reason, fault)
        assert.include(error.message, cause.message)
        yield* apns.failTls(undefined)
        const later = yield* Effect.provideService(one(way), ApnsPool.ApnsPool, pool)
        assert.strictEqual(brief(later), "ok", fault)
        yield* Scope.close(scope, Exit.void)
      }
    }).pipe(Effect.provide(MockApns.layer())))

  it.scopedLive("the server accepts and sends nothing -> the connect timeout ends the attempt", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const credentials = yield* credentialsOf(apns.credentials)
      for (const fault of ["silent", "silentHttp2"] as const) {
        yield* apns.failTls(fault)
        const error = yield* Effect.flip(
          Effect.scoped(
            Connection.make({ endpoint: apns.endpoint, ca: apns.ca, credentials, connectTimeout: "50 millis" })
          )
        )
        assert.deepInclude(error, { _tag: "ConnectError", reason: "Timeout" }, fault)
      }
      yield* apns.until(({ openConnections }) => openConnections === 0)
    }).pipe(Effect.provide(MockApns.layer())))

  it.scopedLive("the server is down -> each send fails; it is up again -> sends succeed", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      yield* apns.refuseConnections(true)
      const pool = yield* poolAt(apns)
      yield* connectFailed(pool)
      const attempt = (timeout: TimeSpan.TimeSpan) =>
        Effect.provideService(one(way, { timeout }), ApnsPool.ApnsPool, pool)
      for (let i = 0; i < 3; i++) {
        const error = errorOf(yield* attempt("30 millis"))
        assert.deepInclude(error, { _tag: "Timeout", processed: "no" })
        if (error._tag === "Timeout") assert.strictEqual(error.closeCause?._tag, "ConnectFailed")
      }
      yield* apns.refuseConnections(false)
      assert.strictEqual(brief(yield* attempt("10 seconds")), "ok")
      assert.deepInclude(yield* pool.stats, { active: 1, failed: 3, completed: 1 })
    }).pipe(Effect.provide(MockApns.layer())))

  it.scopedLive("the server closes each connection at its first request -> each send fails or arrives, none twice", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      yield* opened(1)
      yield* apns.next(MockApns.goawayInstead({ code: 1 }), MockApns.goawayInstead({ code: 1 }))
      assert.strictEqual(brief(yield* one(way)), "Closed unknown")
      assert.strictEqual(brief(yield* one(way)), "Closed unknown")
      assert.strictEqual(brief(yield* one(way)), "ok")
      assert.strictEqual((yield* apns.connections).length, 3)
    }).pipe(Effect.provide(live())))
})

/** Runs the clock in small steps, so that everything that is due on the way happens in its time. */
const run = (seconds: number) => Effect.repeatN(TestClock.adjust("1 second"), seconds - 1)

describe("connecting: attempts over time", () => {
  it.scoped("every connection is refused -> few attempts, at growing intervals, never two at once", () =>
    Effect.gen(function*() {
      let attempts = 0
      let open = 0
      let most = 0
      const pool = yield* UnstableApnsPool.makeWith(
        () =>
          Effect.gen(function*() {
            attempts++
            most = Math.max(most, ++open)
            yield* Effect.sleep("200 millis")
            open--
            return yield* refused
          }),
        { size: 10 }
      )
      yield* run(2)
      const atStart = attempts
      assert.isAtMost(atStart, 20)
      assert.isAtLeast(atStart, 10)
      most = 0
      yield* run(58)
      assert.isAtMost(attempts, 30)
      const inFirstMinute = attempts
      yield* run(240)
      // at most one each 24 seconds: 30, less the jitter
      assert.isAtMost(attempts - inFirstMinute, 10)
      assert.isAtLeast(attempts - inFirstMinute, 6)
      assert.isAtMost(most, 1)
      const error = yield* Effect.flip(
        pool.post(Request.make({ path: "/", timeout: "1 millis" })).pipe(
          Effect.zipLeft(Effect.void),
          Effect.raceFirst(Effect.zipRight(TestClock.adjust("1 second"), Effect.never))
        )
      )
      assert.deepInclude(error, { _tag: "Timeout", processed: "no", attempts: 0 })
    }))

  it.scoped("every connection is dropped right after it was accepted -> the same growing intervals", () =>
    Effect.gen(function*() {
      let attempts = 0
      const pool = yield* UnstableApnsPool.makeWith(
        (parts) =>
          Effect.gen(function*() {
            attempts++
            const connection = yield* Connection.fromHandler(accept, {}, parts)
            yield* Effect.forkScoped(Effect.zipRight(
              Effect.sleep("10 millis"),
              Effect.sync(() => connection.unsafe.close({ _tag: "Dropped", code: "ECONNRESET" }))
            ))
            return connection
          }),
        { size: 1 }
      )
      yield* run(180)
      assert.isAtMost(attempts, 20)
      assert.isAtLeast(attempts, 8)
      assert.strictEqual((yield* pool.stats).connectionsOpened, attempts)
    }))

  it.scoped("many answers in a row that ask for a new connection -> few connections", () =>
    Effect.gen(function*() {
      let attempts = 0
      const pool = yield* UnstableApnsPool.makeWith(
        (parts) => {
          attempts++
          return Connection.fromHandler(
            () => Effect.succeed(Response.make({ status: 403, body: { reason: "ExpiredProviderToken" } })),
            {},
            parts
          )
        },
        { size: 1 }
      )
      const sender = yield* Effect.fork(Effect.forever(Effect.either(pool.post(request))))
      yield* run(180)
      yield* Fiber.interrupt(sender)
      assert.isAtMost(attempts, 20)
      assert.isAtLeast(attempts, 5)
    }))

  it.scoped("a drop -> the first attempt at once; after a good answer the waits start short again", () =>
    Effect.gen(function*() {
      const times: Array<number> = []
      const broken = yield* Ref.make(true)
      const pool = yield* UnstableApnsPool.makeWith(
        (parts) =>
          Effect.gen(function*() {
            times.push(yield* Effect.map(Effect.clock, (clock) => clock.unsafeCurrentTimeMillis()))
            return yield* (yield* Ref.get(broken)) ? refused : Connection.fromHandler(accept, {}, parts)
          }),
        { size: 1 }
      )
      yield* run(90)
      yield* Ref.set(broken, false)
      yield* run(40)
      assert.strictEqual((yield* pool.post(request)).status, 200)
      const before = times.length
      yield* Ref.set(broken, true)
      yield* pool.resize(2)
      yield* run(2)
      // the wait began anew with 100 ms
      assert.isAtLeast(times.length - before, 3)
    }))

  it.scoped("no connection can be opened -> the timeout runs while queued, and the error has the cause", () =>
    Effect.gen(function*() {
      const pool = yield* UnstableApnsPool.makeWith(() => refused, { size: 2 })
      const fiber = yield* Effect.fork(Effect.flip(pool.post(request)))
      yield* run(10)
      const error = yield* Fiber.join(fiber)
      assert.deepInclude(error, { _tag: "Timeout", processed: "no", limit: "timeout", attempts: 0 })
      if (error._tag === "Timeout") {
        assert.deepStrictEqual(error.closeCause, { _tag: "ConnectFailed", error: refused })
      }
      assert.include(error.message, "Nothing listens")
    }))

  it.scoped("the reconnect schedule ends -> the pool closes, with the cause", () =>
    Effect.gen(function*() {
      const pool = yield* UnstableApnsPool.makeWith(() => refused, { size: 1, reconnectSchedule: Schedule.recurs(2) })
      const waiting = yield* Effect.fork(Effect.flip(pool.post(request)))
      yield* run(2)
      assert.deepInclude(yield* Fiber.join(waiting), {
        _tag: "Closed",
        processed: "no",
        closeCause: { _tag: "ConnectFailed", error: refused }
      })
      assert.strictEqual((yield* pool.stats).state, "closed")
    }))

  it.scoped("one connection fails to open -> queued requests go to the next one", () =>
    Effect.gen(function*() {
      let n = 0
      const pool = yield* UnstableApnsPool.makeWith(
        (parts) => n++ === 0 ? refused : Connection.fromHandler(accept, {}, parts),
        { size: 2 }
      )
      const fibers = yield* Effect.forEach([1, 2, 3], () => Effect.fork(pool.post(request)))
      yield* run(1)
      for (const fiber of fibers) assert.strictEqual((yield* Fiber.join(fiber)).status, 200)
      assert.deepInclude(yield* pool.stats, { active: 2, connectionsFailed: 1, queued: 0 })
    }))

  it.effect("the pool closes while a connection is being opened -> both end, and queued requests fail", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      let closed = 0
      const pool = yield* Scope.extend(
        UnstableApnsPool.makeWith(
          () => Effect.zipRight(Effect.addFinalizer(() => Effect.sync(() => closed++)), Effect.never),
          { size: 3, drainTimeout: "1 second" }
        ),
        scope
      )
      const waiting = yield* Effect.fork(Effect.flip(pool.post(request)))
      yield* TestClock.adjust(0)
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(closing)
      assert.deepInclude(yield* Fiber.join(waiting), {
        _tag: "Closed",
        processed: "no",
        closeCause: { _tag: "ScopeClosed" }
      })
      assert.strictEqual(closed, 3)
      assert.deepInclude(yield* pool.stats, { state: "closed", active: 0, queued: 0 })
    }))

  it.scoped("resize to fewer while connections are being opened -> no extra connection stays open", () =>
    Effect.gen(function*() {
      let opened = 0
      let closed = 0
      const gate = yield* Deferred.make<void>()
      const pool = yield* UnstableApnsPool.makeWith(
        (parts) =>
          Effect.gen(function*() {
            yield* Deferred.await(gate)
            opened++
            yield* Effect.addFinalizer(() => Effect.sync(() => closed++))
            return yield* Connection.fromHandler(accept, {}, parts)
          }),
        { size: 5 }
      )
      yield* TestClock.adjust(0)
      // both orders: the connections come, and in the same moment nobody wants four of them
      yield* Deferred.succeed(gate, undefined)
      yield* pool.resize(1)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(opened - closed, 1)
      assert.deepInclude(yield* pool.stats, { size: 1, active: 1, draining: 0 })
      yield* pool.resize(5)
      yield* TestClock.adjust(0)
      yield* pool.resize(2)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(opened - closed, 2)
      assert.strictEqual((yield* pool.post(request)).status, 200)
    }))

  it.scoped("credentials refused before the first request, or before the connection is ready -> the pool closes", () =>
    Effect.forEach([true, false], (ready) =>
      Effect.gen(function*() {
        let attempts = 0
        const pool = yield* UnstableApnsPool.makeWith(
          (parts) =>
            Effect.gen(function*() {
              attempts++
              const connection = yield* Connection.fromHandler(accept, {}, parts)
              connection.unsafe.close(credentialsRefused)
              return ready ? connection : yield* refused
            }),
          { size: 1 }
        )
        const waiting = yield* Effect.fork(Effect.flip(pool.post(request)))
        yield* run(60)
        assert.deepInclude(yield* Fiber.join(waiting), {
          _tag: "Closed",
          processed: "no",
          closeCause: { _tag: "CredentialsRefused", reason: "BadCertificate" }
        })
        assert.strictEqual(attempts, 1)
        const sent = yield* Effect.either(send({ token: token(1), topic, notification })).pipe(
          Effect.provide(Layer.succeed(ApnsPool.ApnsPool, pool))
        )
        assert.strictEqual(brief(sent), "BadCertificate no")
      })))

  it.scoped("credentials refused by a second GOAWAY, after one with NO_ERROR -> the pool closes", () =>
    Effect.gen(function*() {
      const made: Array<Connection.Connection> = []
      const pool = yield* UnstableApnsPool.makeWith(
        (parts) =>
          Effect.tap(
            Connection.fromHandler(() => Effect.never, {}, parts),
            (connection) => Effect.sync(() => made.push(connection))
          ),
        { size: 1 }
      )
      const sent = yield* Effect.fork(Effect.flip(pool.post(request)))
      yield* TestClock.adjust(0)
      made[0]?.unsafe.retire({ ...credentialsRefused, reason: undefined })
      yield* TestClock.adjust(0)
      assert.strictEqual((yield* pool.stats).state, "open")
      made[0]?.unsafe.close(credentialsRefused)
      yield* TestClock.adjust(0)
      assert.strictEqual((yield* Fiber.join(sent))._tag, "Closed")
      assert.strictEqual((yield* pool.stats).state, "closed")
    }))
})

describe("bursts while connecting", () => {
  it.scopedLive("a burst before the first connection is open -> waits for it", () =>
    Effect.gen(function*() {
      for (const result of yield* way.run(tokens(500))) assert.strictEqual(receiptOf(result).attempts, 1)
      assert.deepInclude(yield* stats, { completed: 500, failed: 0 })
    }).pipe(Effect.provide(live({ pool: { size: 3 } }))))
})
