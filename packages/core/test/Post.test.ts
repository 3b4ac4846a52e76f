/** One request of one caller, over a connection and deadlines that do only what the test says. */
import type { Connection } from "@effect-apns/core"
import { ConnectError, Endpoint, type Failure, Request, type Response } from "@effect-apns/core"
import type { Unsafe } from "@effect-apns/core/unstable/Connection"
import type { Deadlines, Entry } from "@effect-apns/core/unstable/Deadlines"
import type { Exchange } from "@effect-apns/core/unstable/Exchange"
import { assert, describe, it } from "@effect/vitest"
import { Cause, DateTime, Duration, Effect, Exit, Fiber, Option } from "effect"
import { makePost } from "../src/internal/post.js"

const encoder = new TextEncoder()

/** A connection that takes one request, and deadlines at a point in time. */
class Fake implements Unsafe, Deadlines {
  state: Connection.State = "active"
  available = 1
  inFlight = 0
  limit = 1
  proven = true
  trusted = true
  cause: Failure.CloseCause | undefined = undefined
  takes = true
  held = false
  ahead = 0
  at: number | undefined = undefined
  sentAt: number | undefined = undefined
  sent: Exchange | undefined = undefined
  readonly calls: Array<string> = []
  readonly connection: Connection.Connection = {
    "~@effect-apns/core/Connection": "~@effect-apns/core/Connection",
    post: () => Effect.never,
    retired: Effect.never,
    closed: Effect.never,
    retire: Effect.void,
    unsafe: this
  }
  readonly post = makePost(this, this)

  readonly now = (): number => 1_000_000 + this.ahead
  readonly set = (_entry: Entry, at: number): void => {
    this.at = at
  }
  readonly remove = (_entry: Entry): void => {
    this.calls.push("remove")
  }
  readonly report = (): void => {}
  readonly exchange = (exchange: Exchange, now?: number): boolean => {
    if (!this.takes) return false
    this.sentAt = now
    this.sent = exchange
    exchange.connection = this.connection
    return true
  }
  readonly hasten = (): void => {}
  readonly holds = (): boolean => this.held
  readonly cancel = (): void => {
    this.calls.push("cancel")
  }
  readonly suspect = (): void => {
    this.calls.push("suspect")
  }
  readonly retire = (): void => {}
  readonly close = (): void => {}
}

const request = (options: Partial<Parameters<typeof Request.make>[0]> = {}) =>
  Request.make({ path: "/3/device/42", body: {}, timeout: "5 seconds", ...options })

/**
 * Posts; then what the test does with the exchange; then the outcome. Where nothing can interrupt it, nothing is cleaned up
 * behind it either.
 */
const post = (
  fake: Fake,
  act: (exchange: Exchange) => void = () => {},
  asked = request()
): Effect.Effect<Exit.Exit<Response.Response, Failure.RequestError>> =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkDaemon(Effect.uninterruptible(fake.post(asked)))
    yield* Effect.yieldNow()
    if (fake.sent !== undefined) act(fake.sent)
    for (let i = 0; i < 10; i++) yield* Effect.yieldNow()
    return Option.getOrElse(yield* Fiber.poll(fiber), () => assert.fail("the caller heard nothing"))
  })

const errorOf = (exit: Exit.Exit<Response.Response, Failure.RequestError>): Failure.RequestError =>
  Exit.match(exit, {
    onSuccess: () => assert.fail("it succeeded"),
    onFailure: (cause) => Option.getOrElse(Cause.failureOption(cause), () => assert.fail("it died"))
  })

const answer = (exchange: Exchange, status: number, headers: Array<string>, body?: string) => {
  exchange.status = status
  exchange.headers = headers
  exchange.body = body === undefined ? undefined : encoder.encode(body)
}

describe("a request on a connection", () => {
  it.effect("2xx -> the response with one attempt; the deadline is removed", () =>
    Effect.gen(function*() {
      for (const status of [200, 299]) {
        const fake = new Fake()
        const exit = yield* post(fake, (exchange) => {
          // what is not JSON does not matter
          answer(exchange, status, ["apns-unique-id", "u"], "<html>")
          exchange.onAnswer(fake.connection, 1_000_500)
        })
        assert.isTrue(Exit.isSuccess(exit))
        if (Exit.isSuccess(exit)) assert.deepInclude(exit.value, { status, uniqueId: "u", attempts: 1 })
        assert.deepStrictEqual(fake.calls, ["remove"])
      }
    }))

  it.effect("an outcome that cannot be read -> the caller gets the defect instead of waiting for ever", () =>
    Effect.gen(function*() {
      const unreadable: unknown = new Proxy({}, {
        get: () => {
          throw new Error("boom")
        }
      })
      const fake = new Fake()
      const failed = yield* post(fake, (exchange) => {
        try {
          Reflect.apply(exchange.onFailure.bind(exchange), undefined, [fake.connection, unreadable])
        } catch {
          // a connection logs it
        }
      })
      assert.deepStrictEqual(failed, Exit.die(new Error("boom")))
      const answered = yield* post(new Fake(), (exchange) => {
        Object.defineProperty(exchange, "headers", { get: () => Reflect.get(Object(unreadable), "any") })
        exchange.status = 400
        try {
          exchange.onAnswer(fake.connection, 1_000_000)
        } catch {
          // a connection logs it
        }
      })
      assert.deepStrictEqual(answered, Exit.die(new Error("boom")))
    }))

  it.effect("another status -> the reason is read, and Retry-After dates are compared with the wall clock", () =>
    Effect.gen(function*() {
      const fake = new Fake()
      fake.ahead = 3_600_000
      const exit = yield* post(fake, (exchange) => {
        const date = new Date(1_060_000).toUTCString()
        answer(exchange, 503, ["retry-after", date], `{"reason":"ServiceUnavailable"}`)
        exchange.onAnswer(fake.connection, 1_000_000 + fake.ahead)
      })
      if (Exit.isFailure(exit)) return assert.fail("an answer is no failure of the request")
      assert.deepInclude(exit.value, { status: 503, reason: "ServiceUnavailable", attempts: 1 })
      assert.strictEqual(Duration.toMillis(exit.value.retryAfter ?? 0), 60_000)
    }))

  it.effect("199 and 300 -> read as rejections, not as 2xx", () =>
    Effect.gen(function*() {
      for (const status of [199, 300]) {
        const fake = new Fake()
        const exit = yield* post(fake, (exchange) => {
          answer(exchange, status, [], "<html>")
          exchange.onAnswer(fake.connection, 1_000_000)
        })
        const error = errorOf(exit)
        assert.deepInclude(error, { _tag: "MalformedResponse", status, processed: "yes", attempts: 1 })
      }
    }))

  it.effect("the connection fails the request -> the caller gets the error after one attempt; the deadline is removed", () =>
    Effect.gen(function*() {
      const fake = new Fake()
      const exit = yield* post(fake, (exchange) => {
        exchange.onFailure(fake.connection, { _tag: "StreamReset", processed: "no", code: 7 })
      })
      assert.deepInclude(errorOf(exit), { _tag: "StreamReset", processed: "no", attempts: 1 })
      assert.deepStrictEqual(fake.calls, ["remove"])
    }))

  it.effect("the handler of a test fails with a defect -> the caller gets it; the deadline is removed", () =>
    Effect.gen(function*() {
      const fake = new Fake()
      const exit = yield* post(fake, (exchange) => exchange.onDefect(fake.connection, Cause.die("a bug")))
      assert.isTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause))
      assert.deepStrictEqual(fake.calls, ["remove"])
    }))

  it.effect("interrupted -> the request is cancelled and the deadline is removed", () =>
    Effect.gen(function*() {
      const fake = new Fake()
      const fiber = yield* Effect.fork(fake.post(request()))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(fake.calls, ["remove", "cancel"])
    }))

  const limits: ReadonlyArray<
    readonly [Partial<Parameters<typeof Request.make>[0]>, ahead: number, at: number, limit: Failure.TimeLimit]
  > = [
    [{}, 0, 1_005_000, "timeout"],
    [{}, 7_000, 1_012_000, "timeout"],
    [{ deadline: DateTime.unsafeMake(1_004_000) }, 0, 1_004_000, "deadline"],
    [{ deadline: DateTime.unsafeMake(1_004_000) }, 7_000, 1_011_000, "deadline"],
    [{ deadline: DateTime.unsafeMake(1_005_000) }, 0, 1_005_000, "timeout"],
    [{ deadline: DateTime.unsafeMake(1_006_000) }, 7_000, 1_012_000, "timeout"],
    [{ headers: { "apns-expiration": "1003" } }, 0, 1_003_000, "expiration"],
    [{ headers: { "apns-expiration": "1003" } }, 7_000, 1_010_000, "expiration"],
    [{ headers: { "apns-expiration": "1005" } }, 0, 1_005_000, "timeout"],
    [{ headers: { "apns-expiration": "1006" } }, 7_000, 1_012_000, "timeout"],
    [{ headers: { "apns-expiration": "1004" }, deadline: DateTime.unsafeMake(1_004_000) }, 0, 1_004_000, "deadline"],
    [{ headers: { "apns-expiration": "1002" }, deadline: DateTime.unsafeMake(1_004_000) }, 0, 1_002_000, "expiration"]
  ]
  for (const [options, ahead, at, limit] of limits) {
    it.effect(`the earliest limit counts: ${JSON.stringify(options)}, ${ahead} ms ahead -> ${limit}`, () =>
      Effect.gen(function*() {
        for (
          const [held, processed, attempts, calls] of [
            [false, "unknown", 1, ["cancel", "suspect"]],
            [true, "no", 0, ["cancel"]]
          ] as const
        ) {
          const fake = new Fake()
          fake.ahead = ahead
          fake.held = held
          const exit = yield* post(fake, (exchange) => exchange.onDue(at), request(options))
          assert.strictEqual(fake.at, at)
          assert.strictEqual(fake.sentAt, 1_000_000 + ahead)
          assert.deepInclude(errorOf(exit), { _tag: "Timeout", limit, processed, attempts })
          assert.deepStrictEqual(fake.calls, [...calls])
        }
      }))
  }

  it.effect("a limit in the past -> nothing is sent", () =>
    Effect.gen(function*() {
      for (const at of [1_000_000, 999_999]) {
        const fake = new Fake()
        const exit = yield* post(fake, () => {}, request({ deadline: DateTime.unsafeMake(at) }))
        assert.deepInclude(errorOf(exit), { _tag: "Timeout", limit: "deadline", processed: "no", attempts: 0 })
        assert.isUndefined(fake.sent)
        assert.isUndefined(fake.at)
      }
    }))

  it.effect("the timeout passes after the headers but before the whole body -> the answer counts", () =>
    Effect.gen(function*() {
      const fake = new Fake()
      const exit = yield* post(fake, (exchange) => {
        answer(exchange, 410, [], `{"reason":"Unreg`)
        exchange.onDue(1_005_000)
        assert.isTrue(exchange.truncated)
      })
      if (Exit.isFailure(exit)) return assert.fail("an answer is no failure of the request")
      assert.deepInclude(exit.value, { status: 410, reason: undefined, attempts: 1 })
      assert.deepStrictEqual(fake.calls, ["cancel", "remove"])
    }))

  it.effect("a deadline passes when the request is on no connection -> ignored", () =>
    Effect.gen(function*() {
      const fake = new Fake()
      const exit = yield* post(fake, (exchange) => {
        exchange.connection = undefined
        exchange.onDue(1_005_000)
        exchange.onFailure(fake.connection, { _tag: "Blocked", processed: "no" })
      })
      assert.strictEqual(errorOf(exit)._tag, "Blocked")
      assert.deepStrictEqual(fake.calls, ["remove"])
    }))

  it.effect("the connection does not take the request -> an error that says why: closed, no free stream, or headers refused", () =>
    Effect.gen(function*() {
      const refusing = (prepare: (fake: Fake) => void) =>
        Effect.gen(function*() {
          const fake = new Fake()
          fake.takes = false
          prepare(fake)
          const error = errorOf(yield* post(fake))
          assert.isUndefined(fake.at)
          assert.deepInclude(error, { processed: "no", attempts: 0 })
          return [error._tag, "closeCause" in error ? error.closeCause?._tag : undefined]
        })
      const error = new ConnectError.ConnectError({
        reason: "Refused",
        phase: "tcp",
        endpoint: Endpoint.development,
        message: "Nothing listens"
      })
      assert.deepStrictEqual(
        yield* refusing((fake) => {
          fake.cause = { _tag: "ConnectFailed", error }
        }),
        ["Closed", "ConnectFailed"]
      )
      assert.deepStrictEqual(
        yield* refusing((fake) => {
          fake.available = 0
        }),
        ["Blocked", undefined]
      )
      assert.deepStrictEqual(yield* refusing(() => {}), ["Closed", "HeadersRefused"])
    }))
})
