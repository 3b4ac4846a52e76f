import { Connection, Credentials, Failure, ProviderToken, Request } from "@effect-apns/core"
import type { Parts } from "@effect-apns/core/unstable/Connection"
import * as Exchange from "@effect-apns/core/unstable/Exchange"
import { ErrorCode, Frame } from "@effect-apns/http2"
import { assert, describe, it } from "@effect/vitest"
import {
  Clock,
  DateTime,
  Duration,
  Effect,
  Either,
  Exit,
  Fiber,
  Logger,
  Option,
  Redacted,
  Schema,
  Scope,
  TestClock
} from "effect"
import * as fixtures from "./fixtures/index.js"
import { Peer, settled } from "./utils/peer.js"

const code = ErrorCode.ErrorCode

const request = (options: Partial<Request.Options> = {}) =>
  Request.make({
    path: "/3/device/4242",
    headers: { "apns-push-type": "alert", "apns-topic": "com.app.your" },
    body: { aps: { alert: "x" } },
    timeout: "10 seconds",
    ...options
  })

const tick = Effect.promise(settled)

type Options = Parameters<typeof Connection.fromTransport>[1]

const connect = (peer: Peer, options: Options = {}, parts: Parts = {}) =>
  Connection.fromTransport(peer.transport, { drainTimeout: "0 seconds", ...options }, parts)

const fork = (connection: Connection.Connection, options: Partial<Request.Options> = {}) =>
  Effect.tap(Effect.fork(Effect.either(connection.post(request(options)))), () => tick)

const join = <A, E>(fiber: Fiber.Fiber<A, E>) => Fiber.join(fiber)

/** What became of a post, in one line. */
const outcome = <R extends { readonly status: number }>(result: Either.Either<R, Failure.RequestError>): string =>
  Either.match(result, {
    onLeft: (error) => `${error._tag} ${error.processed}`,
    onRight: ({ status }) => String(status)
  })

const left = <R>(result: Either.Either<R, Failure.RequestError>): Failure.RequestError => {
  if (Either.isRight(result)) throw new Error("expected a failure")
  return result.left
}

/** An exchange that writes down every outcome it hears of. */
class Recorder extends Exchange.Exchange {
  readonly heard: Array<string> = []
  constructor(made = request()) {
    super(made.path, made.spec)
  }
  onDue(): void {}
  onAnswer(): void {
    this.heard.push(String(this.status))
  }
  onFailure(_connection: Connection.Connection, failure: Failure.Failure): void {
    this.heard.push(`${failure._tag} ${failure.processed}`)
  }
}

/** A clock that is ahead of another one. */
class Jumping implements Clock.Clock {
  readonly [Clock.ClockTypeId]: Clock.ClockTypeId = Clock.ClockTypeId
  millis = 0
  constructor(private readonly clock: Clock.Clock) {}
  readonly unsafeCurrentTimeMillis = () => this.clock.unsafeCurrentTimeMillis() + this.millis
  readonly unsafeCurrentTimeNanos = () => this.clock.unsafeCurrentTimeNanos() + BigInt(this.millis) * 1_000_000n
  readonly currentTimeMillis = Effect.sync(this.unsafeCurrentTimeMillis)
  readonly currentTimeNanos = Effect.sync(this.unsafeCurrentTimeNanos)
  readonly sleep = (duration: Duration.Duration) => this.clock.sleep(duration)
}

describe("Connection", () => {
  describe("requests", () => {
    it.scoped("a new connection is active; a request gets its answer", () =>
      Effect.gen(function*() {
        const peer = new Peer()
        const connection = yield* connect(peer)
        assert.strictEqual(connection.unsafe.state, "active")
        const fiber = yield* fork(connection)
        assert.deepInclude(peer.requests[0]?.headers, {
          ":method": "POST",
          ":path": "/3/device/4242",
          "apns-topic": "com.app.your",
          "apns-push-type": "alert"
        })
        assert.strictEqual(Buffer.from(peer.requests[0]?.body ?? []).toString(), "{\"aps\":{\"alert\":\"x\"}}")
        peer.accept(1)
        const response = Either.getOrThrow(yield* join(fiber))
        assert.deepInclude(response, { status: 200, apnsId: "id-of-1", reason: undefined, attempts: 1 })
        assert.isTrue(connection.unsafe.proven)
      }))

    it.scoped("a rejection -> a response with reason, timestamp and apns-id", () =>
      Effect.gen(function*() {
        const peer = new Peer()
        const connection = yield* connect(peer)
        const fiber = yield* fork(connection)
        peer.send(peer.response(1, 410, { body: "{\"reason\":\"Unregistered\",\"timestamp\":1700000000123}" }))
        assert.deepInclude(Either.getOrThrow(yield* join(fiber)), {
          status: 410,
          reason: "Unregistered",
          timestamp: DateTime.unsafeMake(1700000000123),
          apnsId: "id-of-1"
        })
      }))

    it.scoped("several requests on one connection -> answered in any order", () =>
      Effect.gen(function*() {
        const peer = new Peer()
        const connection = yield* connect(peer)
        const fibers = yield* Effect.forEach([0, 1, 2, 3], () => fork(connection))
        assert.deepStrictEqual(peer.ids, [1, 3, 5, 7])
        peer.accept(7, 1, 5, 3)
        const results = yield* Effect.forEach(fibers, join)
        assert.deepStrictEqual(results.map((result) => Either.getOrThrow(result).apnsId), [
          "id-of-1",
          "id-of-3",
          "id-of-5",
          "id-of-7"
        ])
      }))

    it.scoped("nothing is sent before the server's SETTINGS, and never more streams than they allow", () =>
      Effect.gen(function*() {
        const peer = new Peer([])
        const opening = yield* Effect.fork(connect(peer))
        yield* tick
        assert.isTrue(Option.isNone(yield* Fiber.poll(opening)))
        assert.lengthOf(peer.requests, 0)
        peer.settings([[Frame.SettingId.MAX_CONCURRENT_STREAMS, 2]])
        const connection = yield* join(opening)
        yield* fork(connection)
        yield* fork(connection)
        assert.strictEqual(outcome(yield* join(yield* fork(connection))), "Blocked no")
        assert.deepStrictEqual(peer.ids, [1, 3])
        peer.accept(1, 3)
      }))

    it.scoped("the limit of streams falls and rises -> never more requests than it allows", () =>
      Effect.gen(function*() {
        const peer = new Peer([[Frame.SettingId.MAX_CONCURRENT_STREAMS, 1000]])
        const connection = yield* connect(peer)
        const first = yield* Effect.forEach([0, 1, 2], () => fork(connection))
        peer.settings([[Frame.SettingId.MAX_CONCURRENT_STREAMS, 1]])
        assert.strictEqual(connection.unsafe.available, 0)
        peer.accept(1, 3)
        assert.strictEqual(connection.unsafe.available, 0)
        peer.accept(5)
        assert.strictEqual(connection.unsafe.available, 1)
        const alone = yield* fork(connection)
        assert.strictEqual(outcome(yield* join(yield* fork(connection))), "Blocked no")
        peer.settings([[Frame.SettingId.MAX_CONCURRENT_STREAMS, 1000]])
        assert.strictEqual(connection.unsafe.available, 999)
        peer.accept(7)
        for (const fiber of [...first, alone]) assert.strictEqual(outcome(yield* join(fiber)), "200")
      }))
  })

  describe("deadlines and interruption", () => {
    it.scoped("no answer in time -> the stream is cancelled and free again, the error says unknown", () =>
      Effect.gen(function*() {
        const peer = new Peer()
        const connection = yield* connect(peer)
        const fiber = yield* fork(connection, { timeout: "3 seconds" })
        yield* TestClock.adjust("2999 millis")
        assert.strictEqual(connection.unsafe.inFlight, 1)
        yield* TestClock.adjust("1 millis")
        const error = left(yield* join(fiber))
        assert.deepInclude(error, { _tag: "Timeout", processed: "unknown", limit: "timeout", attempts: 1 })
        assert.strictEqual(connection.unsafe.inFlight, 0)
        yield* tick
        assert.deepStrictEqual(peer.resets, [{ id: 1, code: code.CANCEL }])
        assert.strictEqual(connection.unsafe.state, "active")
        // the answer that crosses the reset on the wire is nobody's
        peer.accept(1)
        const next = yield* fork(connection)
        peer.accept(3)
        assert.strictEqual(outcome(yield* join(next)), "200")
      }))

    it.scoped("a deadline in the past -> nothing is sent", () =>
      Effect.gen(function*() {
        const peer = new Peer()
        const connection = yield* connect(peer)
        yield* TestClock.adjust("10 seconds")
        const late = left(yield* join(yield* fork(connection, { deadline: new Date(9_999) })))
        assert.deepInclude(late, { _tag: "Timeout", processed: "no", limit: "deadline", attempts: 0 })
        const expired = left(yield* join(yield* fork(connection, { headers: { "apns-expiration": "9" } })))
        assert.deepInclude(expired, { _tag: "Timeout", processed: "no", limit: "expiration", attempts: 0 })
        assert.lengthOf(peer.requests, 0)
      }))

    it.scoped("timeout, deadline and expiration -> the earliest one counts, and the error names it", () =>
      Effect.gen(function*() {
        const peer = new Peer()
        const connection = yield* connect(peer)
        const fibers = [
          yield* fork(connection, { timeout: "1 second", deadline: new Date(2000) }),
          yield* fork(connection, { timeout: "5 seconds", deadline: new Date(1000) }),
          yield* fork(connection, { timeout: "5 seconds", headers: { "apns-expiration": "1" } })
        ]
        yield* TestClock.adjust("1 second")
        const limits: Array<string> = []
        for (const fiber of fibers) {
          const error = left(yield* join(fiber))
          limits.push(error._tag === "Timeout" ? error.limit : error._tag)
        }
        assert.deepStrictEqual(limits, ["timeout", "deadline", "expiration"])
      }))

    it.scoped("the headers of the answer came, its body does not -> the answer counts", () =>
      Effect.gen(function*() {
        const peer = new Peer()
        const connection = yield* connect(peer)
        const fiber = yield* fork(connection, { timeout: "3 seconds" })
        peer.send(peer.responseHead(1, 400))
        yield* TestClock.adjust("3 seconds")
        assert.deepInclude(Either.getOrThrow(yield* join(fiber)), { status: 400, apnsId: "id-of-1", reason: undefined })
        yield* tick
        assert.deepStrictEqual(peer.resets, [{ id: 1, code: code.CANCEL }])
      }))

    it.scoped("interruption -> the stream is cancelled and free again", () =>
      Effect.gen(function*() {
        const peer = new Peer([[Frame.SettingId.MAX_CONCURRENT_STREAMS, 1]])
        const connection = yield* connect(peer)
        const fiber = yield* fork(connection)
        assert.strictEqual(connection.unsafe.available, 0)
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(connection.unsafe.available, 1)
        yield* tick
        assert.deepStrictEqual(peer.resets, [{ id: 1, code: code.CANCEL }])
      }))

    it.scoped("five timeouts in a row although PINGs are answered -> the connection is retired, with one warning that says how many", () => {
      const warnings: Array<unknown> = []
      const logger = Logger.make(({ logLevel, message }) => {
        if (logLevel.label === "WARN") warnings.push(message)
      })
      return Effect.gen(function*() {
        const peer = new Peer()
        const connection = yield* connect(peer)
        const run = (n: number) =>
          Effect.gen(function*() {
            const fibers = yield* Effect.forEach(Array.from({ length: n }), () =>
              fork(connection, { timeout: "1 second" }))
            yield* TestClock.adjust("1 second")
            yield* Effect.forEach(fibers, join)
          })
        yield* run(4)
        const answered = yield* fork(connection)
        peer.accept(9)
        yield* join(answered)
        yield* run(4)
        assert.strictEqual(connection.unsafe.state, "active")
        yield* run(1)
        assert.notStrictEqual(connection.unsafe.state, "active")
        const cause = yield* connection.retired
        assert.deepStrictEqual(cause, { _tag: "Retired", timeouts: 5 })
        assert.include(Failure.describeCause(cause), "5 requests in a row got no answer in time")
        // whoever logs or stores the reason has the number
        const stored = yield* Schema.encode(Failure.CloseCause)(cause)
        assert.deepStrictEqual(yield* Schema.decode(Failure.CloseCause)(stored), cause)
        yield* tick
        assert.deepStrictEqual(warnings.flat(), [
          "Connection to APNs retired: the connection was retired: 5 requests in a row got no answer in time"
        ])
      }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
    })
  })

  describe("GOAWAY", () => {
    it.scoped("NO_ERROR -> streams up to the last id are answered, those above were not processed", () =>
      Effect.gen(function*() {
        const peer = new Peer()
        const connection = yield* connect(peer)
        const fibers = yield* Effect.forEach(Array.from({ length: 10 }), () => fork(connection))
        peer.send(Frame.goaway(3, code.NO_ERROR, "{\"reason\":\"Shutdown\"}"))
        assert.strictEqual(connection.unsafe.state, "draining")
        assert.deepInclude(yield* connection.retired, { _tag: "Goaway", lastStreamId: 3, reason: "Shutdown", code: 0 })
        const late = yield* fork(connection)
        assert.deepInclude(left(yield* join(late)), { _tag: "Closed", processed: "no", attempts: 0 })
        peer.accept(3)
        assert.strictEqual(connection.unsafe.state, "draining")
        peer.accept(1)
        assert.strictEqual(connection.unsafe.state, "closed")
        const results = yield* Effect.forEach(fibers, join)
        assert.deepStrictEqual(results.map(outcome), [
          "200",
          "200",
          ...Array.from({ length: 8 }, () => "Closed no")
        ])
        const error = left(results[2] ?? Either.left(new Failure.Blocked({ processed: "no", attempts: 0 })))
        assert.deepInclude(error, { attempts: 1 })
        if (error._tag === "Closed") assert.deepInclude(error.closeCause, { _tag: "Goaway", lastStreamId: 3 })
        yield* tick
        assert.isTrue(peer.test.ended)
      }))

    it.scoped("NO_ERROR, then silence -> the included streams keep their deadlines", () =>
      Effect.gen(function*() {
        const peer = new Peer()
        const connection = yield* connect(peer)
        const fiber = yield* fork(connection, { timeout: "3 seconds" })
        peer.send(Frame.goaway(1, code.NO_ERROR))
        yield* TestClock.adjust("3 seconds")
        assert.strictEqual(outcome(yield* join(fiber)), "Timeout unknown")
        assert.strictEqual(connection.unsafe.state, "closed")
        assert.strictEqual((yield* connection.closed)._tag, "Goaway")
      }))

    it.scoped("an error code -> unknown for streams up to the last id, not processed for those above", () =>
      Effect.gen(function*() {
        const peer = new Peer()
        const connection = yield* connect(peer)
        const fibers = yield* Effect.forEach([0, 1, 2, 3], () => fork(connection))
        peer.send(Frame.goaway(3, code.ENHANCE_YOUR_CALM, "Maximum active streams violated for this endpoint."))
        assert.strictEqual(connection.unsafe.state, "closed")
        const results = yield* Effect.forEach(fibers, join)
        assert.deepStrictEqual(results.map(outcome), [
          "Closed unknown",
          "Closed unknown",
          "Closed no",
          "Closed no"
        ])
        for (const result of results) {
          const error = left(result)
          if (error._tag === "Closed") {
            assert.deepInclude(error.closeCause, {
              _tag: "Goaway",
              codeName: "ENHANCE_YOUR_CALM",
              reason: undefined,
              debugData: "Maximum active streams violated for this endpoint."
            })
          }
          assert.include(error.message, "ENHANCE_YOUR_CALM")
        }
      }))

    it.scoped("two in a row -> the second one lowers the last id that is still answered", () =>
      Effect.gen(function*() {
        const peer = new Peer()
        const connection = yield* connect(peer)
        const fibers = yield* Effect.forEach([0, 1, 2], () => fork(connection))
        peer.send(Frame.goaway(Frame.maxInt31, code.NO_ERROR))
        assert.strictEqual(connection.unsafe.inFlight, 3)
        peer.send(Frame.goaway(3, code.NO_ERROR))
        peer.accept(1, 3)
        assert.deepStrictEqual((yield* Effect.forEach(fibers, join)).map(outcome), ["200", "200", "Closed no"])
      }))

    it.scoped("an answer and GOAWAY in one chunk, in both orders -> the answer counts", () =>
      Effect.gen(function*() {
        for (const answerFirst of [true, false]) {
          const peer = new Peer()
          const connection = yield* connect(peer)
          const fibers = yield* Effect.forEach([0, 1], () => fork(connection))
          const goaway = Frame.goaway(1, code.NO_ERROR)
          const answer = peer.response(1, 200)
          peer.send(...answerFirst ? [answer, goaway] : [goaway, answer])
          assert.deepStrictEqual((yield* Effect.forEach(fibers, join)).map(outcome), ["200", "Closed no"])
          assert.strictEqual(connection.unsafe.state, "closed")
        }
      }))

    it.scoped("a reason about the credentials -> the connection closes, and the listener gets the cause", () =>
      Effect.gen(function*() {
        const peer = new Peer()
        const heard: Array<Failure.CloseCause> = []
        const connection = yield* connect(peer, {}, {
          listener: { onCapacity: () => {}, onRetired: (_connection, cause) => heard.push(cause) }
        })
        const fiber = yield* fork(connection)
        peer.send(Frame.goaway(0, code.NO_ERROR, "{\"reason\":\"BadCertificateEnvironment\"}"))
        assert.strictEqual(outcome(yield* join(fiber)), "Closed no")
        assert.deepInclude(heard[0], { _tag: "Goaway", reason: "BadCertificateEnvironment" })
        assert.lengthOf(heard, 1)
      }))
  })

  describe("RST_STREAM", () => {
    it.scoped("REFUSED_STREAM -> not processed; any other code -> unknown; the connection stays open", () =>
      Effect.gen(function*() {
        const peer = new Peer()
        const connection = yield* connect(peer)
        const refused = yield* fork(connection)
        const cancelled = yield* fork(connection)
        peer.send(Frame.rstStream(1, code.REFUSED_STREAM), Frame.rstStream(3, code.INTERNAL_ERROR))
        assert.deepInclude(left(yield* join(refused)), { _tag: "StreamReset", processed: "no", code: 7 })
        assert.deepInclude(left(yield* join(cancelled)), { _tag: "StreamReset", processed: "unknown", code: 2 })
        const next = yield* fork(connection)
        peer.accept(5)
        assert.strictEqual(outcome(yield* join(next)), "200")
      }))

    it.scoped("a second RST_STREAM for the same stream -> ignored", () =>
      Effect.gen(function*() {
        const peer = new Peer()
        const connection = yield* connect(peer)
        const exchange = new Recorder()
        assert.isTrue(connection.unsafe.exchange(exchange))
        yield* tick
        peer.send(Frame.rstStream(1, code.REFUSED_STREAM), Frame.rstStream(1, code.STREAM_CLOSED))
        assert.deepStrictEqual(exchange.heard, ["StreamReset no"])
        assert.strictEqual(connection.unsafe.state, "active")
      }))

    it.scoped("RST_STREAM after the headers of the answer -> the answer counts", () =>
      Effect.gen(function*() {
        const peer = new Peer()
        const connection = yield* connect(peer)
        const fiber = yield* fork(connection)
        peer.send(peer.responseHead(1, 200), Frame.rstStream(1, code.INTERNAL_ERROR))
        assert.strictEqual(outcome(yield* join(fiber)), "200")
      }))
  })

  describe("the end of the transport", () => {
    it.scoped("written requests -> unknown; requests not written -> not processed", () =>
      Effect.gen(function*() {
        const peer = new Peer()
        const connection = yield* connect(peer)
        yield* tick
        peer.test.autoComplete = false
        const written = yield* fork(connection)
        const waiting = yield* fork(connection)
        assert.deepStrictEqual(peer.ids, [1])
        peer.test.close({ code: "ECONNRESET" })
        const first = left(yield* join(written))
        assert.deepInclude(first, { _tag: "Closed", processed: "unknown" })
        if (first._tag === "Closed") assert.deepInclude(first.closeCause, { _tag: "Dropped", code: "ECONNRESET" })
        assert.deepInclude(left(yield* join(waiting)), { _tag: "Closed", processed: "no" })
        assert.strictEqual((yield* connection.closed)._tag, "Dropped")
      }))

    it.scoped("the end of an answer is cut off -> the answer counts", () =>
      Effect.gen(function*() {
        const peer = new Peer()
        const connection = yield* connect(peer)
        const fiber = yield* fork(connection)
        peer.send(peer.responseHead(1, 400))
        peer.test.close()
        assert.deepInclude(Either.getOrThrow(yield* join(fiber)), { status: 400, reason: undefined })
      }))

    it.scoped("closing -> what was reported as not processed is never written afterwards", () =>
      Effect.gen(function*() {
        for (
          const end of ["close", "goaway", "protocol error", "ping timeout"] as const
        ) {
          const peer = new Peer()
          const connection = yield* connect(peer, { ping: { interval: "1 minute", deadline: "10 seconds" } })
          yield* tick
          peer.test.autoComplete = false
          const written = new Recorder()
          assert.isTrue(connection.unsafe.exchange(written))
          yield* tick
          // the peer does not read: this one stays behind the first
          const waiting = new Recorder()
          assert.isTrue(connection.unsafe.exchange(waiting))
          yield* tick
          switch (end) {
            case "close":
              connection.unsafe.close({ _tag: "ScopeClosed" })
              break
            case "goaway":
              // a server may name an id that it has not seen
              peer.send(Frame.goaway(Frame.maxInt31, code.INTERNAL_ERROR))
              break
            case "protocol error":
              peer.send(Frame.ping(new Uint8Array(8), true).fill(1, 5, 9))
              break
            case "ping timeout":
              yield* TestClock.adjust("70 seconds")
          }
          assert.deepStrictEqual(written.heard, ["Closed unknown"], end)
          assert.deepStrictEqual(waiting.heard, ["Closed no"], end)
          peer.test.autoComplete = true
          peer.test.completeWrite()
          yield* tick
          assert.deepStrictEqual(peer.ids, [1], end)
          if (end !== "ping timeout") assert.lengthOf(peer.goaways, 1, end)
        }
      }))

    it.scoped("a callback that closes, cancels or sends -> every exchange still gets exactly one outcome", () =>
      Effect.gen(function*() {
        const peer = new Peer()
        const connection = yield* connect(peer)
        const second = new Recorder()
        class CancelsAndCloses extends Recorder {
          override onFailure(from: Connection.Connection, failure: Failure.Failure): void {
            super.onFailure(from, failure)
            from.unsafe.cancel(second)
            from.unsafe.close({ _tag: "Retired" })
          }
        }
        const first = new CancelsAndCloses()
        assert.isTrue(connection.unsafe.exchange(first))
        assert.isTrue(connection.unsafe.exchange(second))
        yield* tick
        peer.test.close({ code: "ECONNRESET" })
        assert.deepStrictEqual(first.heard, ["Closed unknown"])
        assert.isAtMost(second.heard.length, 1)
        assert.strictEqual(connection.unsafe.inFlight, 0)
      }))
  })

  describe("malformed answers", () => {
    it.scoped("wrong in one stream only -> the connection stays open", () =>
      Effect.gen(function*() {
        const peer = new Peer()
        const connection = yield* connect(peer, { limits: { maxBodySize: 100, maxHeaderListSize: 500 } })
        const cases: ReadonlyArray<readonly [name: string, bytes: (id: number) => Uint8Array, expected: object]> = [
          ["not JSON", (id) => peer.response(id, 400, { body: "<html>" }), {
            _tag: "MalformedResponse",
            processed: "yes",
            status: 400
          }],
          ["body too large", (id) => peer.response(id, 400, { body: "x".repeat(101) }), {
            _tag: "ResponseTooLarge",
            processed: "yes",
            status: 400
          }],
          ["headers too large", (id) => peer.response(id, 200, { headers: ["x-long", "x".repeat(600)] }), {
            _tag: "ResponseTooLarge",
            processed: "unknown",
            status: 0
          }],
          ["DATA before HEADERS", (id) => Frame.data(id, Buffer.from("{}"), { endStream: true }), {
            _tag: "MalformedResponse",
            processed: "unknown",
            status: 0
          }]
        ]
        let id = 1
        for (const [name, bytes, expected] of cases) {
          const fiber = yield* fork(connection)
          peer.send(bytes(id))
          assert.deepInclude(left(yield* join(fiber)), expected, name)
          id += 2
        }
        const fine = yield* fork(connection)
        peer.accept(id)
        assert.strictEqual(outcome(yield* join(fine)), "200")
        yield* tick
        assert.deepStrictEqual(peer.resets.map(({ id }) => id), [3, 5, 7])
      }))

    it.scoped("status 200, then a malformed body -> still accepted", () =>
      Effect.gen(function*() {
        const peer = new Peer()
        const connection = yield* connect(peer, { limits: { maxBodySize: 100 } })
        const cases: Readonly<Record<string, (id: number) => Uint8Array>> = {
          "an oversized body": (id) => peer.response(id, 200, { body: "x".repeat(101) }),
          "a body of another length": (id) => peer.response(id, 200, { headers: ["content-length", "5"], body: "x" }),
          "a reset": (id) => Frame.concat([peer.responseHead(id, 200), Frame.rstStream(id, code.INTERNAL_ERROR)]),
          "a window update that is none": (id) => Frame.concat([peer.responseHead(id, 200), Frame.windowUpdate(id, 0)])
        }
        let id = 1
        for (const [name, bytes] of Object.entries(cases)) {
          const fiber = yield* fork(connection)
          peer.send(bytes(id))
          assert.deepInclude(Either.getOrThrow(yield* join(fiber)), { status: 200, apnsId: `id-of-${id}` }, name)
          id += 2
        }
        assert.strictEqual(connection.unsafe.state, "active")
      }))

    it.scoped("the error message contains the status", () =>
      Effect.gen(function*() {
        const peer = new Peer()
        const connection = yield* connect(peer, { limits: { maxBodySize: 100 } })
        const fibers = [yield* fork(connection), yield* fork(connection), yield* fork(connection)]
        peer.send(peer.response(1, 411, { body: "<html>Length Required</html>" }))
        peer.send(peer.response(3, 502, { body: "x".repeat(101) }))
        peer.send(Frame.data(5, Buffer.from("{}"), { endStream: true }))
        const messages = (yield* Effect.forEach(fibers, join)).map((result) => left(result).message)
        assert.match(messages[0] ?? "", /\(status 411\).*not JSON/)
        assert.match(messages[1] ?? "", /\(status 502\).*too large/)
        assert.notInclude(messages[2] ?? "", "status 0")
      }))

    it.scoped("the peer breaks the protocol -> GOAWAY with the error code, and the socket is destroyed", () =>
      Effect.gen(function*() {
        const peer = new Peer()
        const connection = yield* connect(peer)
        peer.send(Frame.headers(2, new Uint8Array(0), { endStream: true }))
        yield* tick
        yield* tick
        assert.lengthOf(peer.goaways, 1)
        assert.strictEqual(connection.unsafe.state, "closed")
        assert.isTrue(peer.test.closed)
      }))

    it.scoped("the peer does not close, or does not read -> the socket is destroyed after a second", () =>
      Effect.gen(function*() {
        for (const reads of [true, false]) {
          const peer = new Peer()
          const connection = yield* connect(peer)
          yield* tick
          peer.test.autoComplete = reads
          yield* connection.retire
          yield* tick
          assert.strictEqual(connection.unsafe.state, "closed")
          assert.strictEqual(peer.test.ended, reads)
          assert.isFalse(peer.test.closed)
          yield* TestClock.adjust("1 second")
          assert.isTrue(peer.test.closed)
        }
      }))

    it.scoped("bytes that are not HTTP/2 -> the connection ends with the RFC's error code, unknown for sent requests", () =>
      Effect.gen(function*() {
        const peer = new Peer()
        const connection = yield* connect(peer)
        const fiber = yield* fork(connection)
        peer.send(Frame.headers(1, Uint8Array.of(0xff, 0xff, 0x7f), { endStream: true }))
        const error = left(yield* join(fiber))
        assert.deepInclude(error, { _tag: "Closed", processed: "unknown" })
        if (error._tag === "Closed") {
          assert.deepInclude(error.closeCause, { _tag: "ProtocolError", codeName: "COMPRESSION_ERROR" })
        }
        yield* tick
        assert.deepInclude(peer.goaways[0], { code: code.COMPRESSION_ERROR })
        assert.isTrue(peer.test.ended)
      }))
  })

  describe("keep-alive", () => {
    const ping = { interval: "30 seconds", deadline: "5 seconds" } as const

    it.scoped("idle for a minute -> a PING; its answer -> the connection stays open", () =>
      Effect.gen(function*() {
        const peer = new Peer()
        const connection = yield* connect(peer)
        for (let minutes = 1; minutes <= 30; minutes++) {
          yield* TestClock.adjust("59999 millis")
          yield* tick
          assert.lengthOf(peer.pings, minutes - 1)
          yield* TestClock.adjust("1 millis")
          yield* tick
          assert.lengthOf(peer.pings, minutes)
        }
        assert.strictEqual(connection.unsafe.state, "active")
        const fiber = yield* fork(connection)
        peer.accept(1)
        assert.strictEqual(outcome(yield* join(fiber)), "200")
      }))

    it.scoped("idle -> the interval starts at the last received byte", () =>
      Effect.gen(function*() {
        const peer = new Peer()
        yield* connect(peer, { ping })
        yield* TestClock.adjust("29 seconds")
        peer.settings([])
        yield* TestClock.adjust("29 seconds")
        yield* tick
        assert.lengthOf(peer.pings, 0)
        yield* TestClock.adjust("1 seconds")
        yield* tick
        assert.lengthOf(peer.pings, 1)
      }))

    it.scoped("idle, a PING without an answer -> closed after the deadline", () =>
      Effect.gen(function*() {
        const peer = new Peer()
        peer.answersPings = false
        const connection = yield* connect(peer, { ping })
        yield* TestClock.adjust("30 seconds")
        yield* tick
        assert.lengthOf(peer.pings, 1)
        yield* TestClock.adjust("4999 millis")
        assert.strictEqual(connection.unsafe.state, "active")
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(yield* connection.closed, { _tag: "PingTimeout", after: Duration.millis(5000) })
        assert.isTrue(peer.test.closed)
      }))

    it.scoped("a suspect connection -> the listener is called; a request that may not be held is not taken, and shortens the deadline", () =>
      Effect.gen(function*() {
        const peer = new Peer([[Frame.SettingId.MAX_CONCURRENT_STREAMS, 2]])
        const told: Array<string> = []
        const { unsafe } = yield* connect(peer, { ping: { interval: "30 seconds", busyDeadline: "2 seconds" } }, {
          listener: {
            onCapacity: ({ unsafe }) => told.push(`capacity ${unsafe.available}`),
            onRetired: (_, cause) => told.push(cause._tag),
            onSuspect: ({ unsafe }, paused) => told.push(`suspect ${unsafe.available} ${paused}`)
          }
        })
        told.length = 0
        assert.deepStrictEqual([unsafe.trusted, unsafe.available], [true, 2])
        yield* TestClock.adjust("30 seconds")
        yield* tick
        assert.deepStrictEqual(told, ["suspect 0 false", "capacity 2"])
        told.length = 0
        peer.answersPings = false
        yield* TestClock.adjust("30 seconds")
        assert.deepStrictEqual([unsafe.trusted, unsafe.available], [false, 0])
        const refused = new Recorder()
        assert.isFalse(unsafe.exchange(refused, undefined, false))
        assert.isFalse(unsafe.holds(refused))
        // those that may be held take a stream each
        const held = [new Recorder(), new Recorder(), new Recorder()]
        assert.deepStrictEqual(held.map((exchange) => unsafe.exchange(exchange)), [true, true, false])
        assert.deepStrictEqual([unsafe.inFlight, unsafe.available], [2, 0])
        unsafe.hasten()
        yield* TestClock.adjust("1999 millis")
        assert.deepStrictEqual(told, ["suspect 0 false"])
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(told, ["suspect 0 false", "PingTimeout"])
        assert.deepStrictEqual(held.map(({ heard }) => heard), [["Closed no"], ["Closed no"], []])
        assert.deepStrictEqual(refused.heard, [])
        assert.lengthOf(peer.requests, 0)
      }))

    it.scoped("available = allowed streams - open streams - held requests", () =>
      Effect.gen(function*() {
        const peer = new Peer([[Frame.SettingId.MAX_CONCURRENT_STREAMS, 4]])
        const { unsafe } = yield* connect(peer)
        const exchanges = Array.from({ length: 4 }, () => new Recorder())
        const [first, second, third, fourth] = exchanges
        if (first === undefined || second === undefined || third === undefined || fourth === undefined) return
        assert.strictEqual(unsafe.available, 4)
        unsafe.exchange(first)
        unsafe.exchange(second)
        assert.deepStrictEqual([unsafe.available, unsafe.inFlight], [2, 2])
        peer.answersPings = false
        yield* TestClock.adjust("2 seconds")
        yield* tick
        assert.deepStrictEqual([unsafe.available, unsafe.inFlight], [0, 2])
        assert.isTrue(unsafe.exchange(third))
        assert.isTrue(unsafe.exchange(fourth))
        assert.isFalse(unsafe.exchange(new Recorder()))
        assert.deepStrictEqual([unsafe.available, unsafe.inFlight], [0, 4])
        unsafe.cancel(fourth)
        assert.deepStrictEqual([unsafe.available, unsafe.inFlight], [0, 3])
        peer.accept(1)
        yield* tick
        // any byte is an answer: what was held is sent
        assert.deepStrictEqual([unsafe.available, unsafe.inFlight], [2, 2])
        assert.deepStrictEqual(peer.ids, [1, 3, 5])
        unsafe.retire()
        assert.deepStrictEqual([unsafe.available, unsafe.inFlight], [0, 2])
      }))

    it.scoped("idle, any byte after a PING -> counts as its answer", () =>
      Effect.gen(function*() {
        const peer = new Peer()
        peer.answersPings = false
        const connection = yield* connect(peer, { ping })
        yield* TestClock.adjust("31 seconds")
        peer.settings([])
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual(connection.unsafe.state, "active")
      }))

    it.scoped("default options, the server has stopped answering -> closed 5 seconds after a request", () =>
      Effect.gen(function*() {
        const peer = new Peer()
        peer.answersPings = false
        const connection = yield* connect(peer)
        yield* TestClock.adjust("20 seconds")
        const fiber = yield* fork(connection)
        yield* TestClock.adjust("1999 millis")
        yield* tick
        assert.lengthOf(peer.pings, 0)
        yield* TestClock.adjust("1 millis")
        yield* tick
        assert.lengthOf(peer.pings, 1)
        // what comes now is kept back
        const late = yield* fork(connection)
        assert.deepStrictEqual(peer.ids, [1])
        assert.deepInclude(connection.unsafe, { available: 0, inFlight: 2 })
        yield* TestClock.adjust("2999 millis")
        assert.strictEqual(connection.unsafe.state, "active")
        yield* TestClock.adjust("1 millis")
        const error = left(yield* join(fiber))
        assert.deepInclude(error, { _tag: "Closed", processed: "unknown" })
        if (error._tag === "Closed") {
          assert.deepStrictEqual(error.closeCause, { _tag: "PingTimeout", after: Duration.millis(3000) })
        }
        assert.strictEqual(outcome(yield* join(late)), "Closed no")
        assert.isTrue(peer.test.closed)
      }))

    it.scoped("slow answers, but PINGs answered at once -> the connection stays open", () =>
      Effect.gen(function*() {
        const peer = new Peer()
        const connection = yield* connect(peer)
        const fiber = yield* fork(connection, { timeout: "1 hour" })
        for (let i = 1; i <= 30; i++) {
          yield* TestClock.adjust("2 seconds")
          yield* tick
          assert.lengthOf(peer.pings, i)
        }
        const next = yield* fork(connection)
        assert.deepStrictEqual(peer.ids, [1, 3])
        peer.accept(1, 3)
        assert.strictEqual(outcome(yield* join(fiber)), "200")
        assert.strictEqual(outcome(yield* join(next)), "200")
      }))

    it.scoped("requests are answered -> no PING is sent", () =>
      Effect.gen(function*() {
        const peer = new Peer()
        const connection = yield* connect(peer)
        for (let id = 1; id < 100; id += 2) {
          const fiber = yield* fork(connection)
          yield* TestClock.adjust("1 second")
          peer.accept(id)
          assert.strictEqual(outcome(yield* join(fiber)), "200")
          yield* TestClock.adjust("1 second")
        }
        assert.lengthOf(peer.pings, 0)
      }))

    describe("after a pause of the whole process", () => {
      /** A clock that jumps, as it does for a process that was frozen: no timer of the time between has run. */
      const freeze = (peer: Peer) =>
        Effect.gen(function*() {
          const clock = new Jumping(yield* Effect.clock)
          const connection = yield* Effect.withClock(connect(peer, { ping }), clock)
          return { clock, connection }
        })

      it.scoped("the first request waits for the PONG, then it is sent", () =>
        Effect.gen(function*() {
          const peer = new Peer()
          const { clock, connection } = yield* freeze(peer)
          peer.answersPings = false
          clock.millis += 70_000
          const fibers = [yield* fork(connection), yield* fork(connection)]
          assert.lengthOf(peer.pings, 1)
          assert.lengthOf(peer.requests, 0)
          assert.deepInclude(connection.unsafe, { available: 0, inFlight: 2, state: "active" })
          peer.send(Frame.ping(peer.pings[0] ?? new Uint8Array(8), true))
          yield* tick
          assert.deepStrictEqual(peer.ids, [1, 3])
          peer.accept(1, 3)
          for (const fiber of fibers) assert.strictEqual(outcome(yield* join(fiber)), "200")
        }))

      it.scoped("bytes that were already in the socket -> do not count as an answer to the PING", () =>
        Effect.gen(function*() {
          const peer = new Peer()
          const { clock, connection } = yield* freeze(peer)
          peer.answersPings = false
          clock.millis += 70_000
          const fiber = yield* fork(connection)
          peer.settings([])
          yield* tick
          assert.lengthOf(peer.requests, 0)
          yield* TestClock.adjust("3 seconds")
          assert.deepInclude(left(yield* join(fiber)), {
            _tag: "Closed",
            processed: "no",
            closeCause: { _tag: "PingTimeout", after: Duration.millis(3000) }
          })
          yield* tick
          assert.lengthOf(peer.requests, 0)
        }))

      it.scoped("FIN, RST or GOAWAY was already in the socket -> waiting requests were not processed", () =>
        Effect.gen(function*() {
          for (const end of ["FIN", "RST", "GOAWAY"]) {
            const peer = new Peer()
            const { clock, connection } = yield* freeze(peer)
            peer.answersPings = false
            clock.millis += 70_000
            const fiber = yield* fork(connection)
            if (end === "FIN") peer.test.close()
            else if (end === "RST") peer.test.close({ code: "ECONNRESET" })
            else peer.send(Frame.goaway(0, code.NO_ERROR))
            assert.strictEqual(outcome(yield* join(fiber)), "Closed no", end)
            assert.lengthOf(peer.requests, 0, end)
            assert.strictEqual(connection.unsafe.state, "closed", end)
          }
        }))

      it.scoped("a waiting request is interrupted or times out -> never sent", () =>
        Effect.gen(function*() {
          const peer = new Peer()
          const { clock, connection } = yield* freeze(peer)
          peer.answersPings = false
          clock.millis += 70_000
          const interrupted = yield* fork(connection)
          const late = yield* fork(connection, { timeout: "1 second" })
          yield* Fiber.interrupt(interrupted)
          yield* TestClock.adjust("1 second")
          assert.deepInclude(left(yield* join(late)), { _tag: "Timeout", processed: "no", attempts: 0 })
          assert.strictEqual(connection.unsafe.inFlight, 0)
          peer.send(Frame.ping(peer.pings[0] ?? new Uint8Array(8), true))
          yield* tick
          assert.lengthOf(peer.requests, 0)
          assert.lengthOf(peer.resets, 0)
        }))

      it.scoped("no more requests wait than the server allows streams", () =>
        Effect.gen(function*() {
          const peer = new Peer([[Frame.SettingId.MAX_CONCURRENT_STREAMS, 2]])
          const { clock, connection } = yield* freeze(peer)
          clock.millis += 70_000
          peer.answersPings = false
          yield* fork(connection)
          yield* fork(connection)
          assert.strictEqual(outcome(yield* join(yield* fork(connection))), "Blocked no")
        }))

      it.scoped("the scope is closed -> waiting requests are sent if the PONG comes in time", () =>
        Effect.gen(function*() {
          const peer = new Peer()
          const clock = new Jumping(yield* Effect.clock)
          const scope = yield* Scope.make()
          const connection = yield* Effect.withClock(
            Scope.extend(connect(peer, { ping, drainTimeout: "5 seconds" }), scope),
            clock
          )
          peer.answersPings = false
          clock.millis += 70_000
          const fiber = yield* fork(connection)
          const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
          yield* tick
          assert.strictEqual(connection.unsafe.state, "draining")
          peer.send(Frame.ping(peer.pings[0] ?? new Uint8Array(8), true))
          yield* tick
          peer.accept(1)
          assert.strictEqual(outcome(yield* join(fiber)), "200")
          yield* join(closing)
        }))
    })

    it.scoped("the first answer or PONG -> onProven is called, once", () =>
      Effect.gen(function*() {
        for (const by of ["PONG", "answer"]) {
          const peer = new Peer()
          peer.answersPings = false
          let proven = 0
          const connection = yield* connect(peer, {}, {
            listener: { onCapacity: () => {}, onRetired: () => {}, onProven: () => proven++ }
          })
          yield* tick
          assert.lengthOf(peer.pings, 1, "it asks as soon as the server has spoken")
          assert.isFalse(connection.unsafe.proven)
          const fiber = yield* fork(connection)
          if (by === "PONG") peer.send(Frame.ping(peer.pings[0] ?? new Uint8Array(8), true))
          else peer.accept(1)
          assert.isTrue(connection.unsafe.proven)
          peer.send(Frame.ping(peer.pings[0] ?? new Uint8Array(8), true))
          if (by === "PONG") peer.accept(1)
          assert.strictEqual(outcome(yield* join(fiber)), "200")
          assert.strictEqual(proven, 1)
        }
      }))
  })

  describe("closing", () => {
    it.effect("the scope is closed -> answers that come in time are delivered, the rest fails, GOAWAY is sent", () =>
      Effect.gen(function*() {
        const peer = new Peer()
        const scope = yield* Scope.make()
        const connection = yield* Scope.extend(connect(peer, { drainTimeout: "5 seconds" }), scope)
        const soon = yield* fork(connection)
        const never = yield* fork(connection, { timeout: "1 hour" })
        const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
        yield* tick
        assert.strictEqual(connection.unsafe.state, "draining")
        const late = left(yield* join(yield* fork(connection)))
        assert.deepInclude(late, { _tag: "Closed", processed: "no", closeCause: { _tag: "ScopeClosed" } })
        peer.accept(1)
        assert.strictEqual(outcome(yield* join(soon)), "200")
        yield* TestClock.adjust("5 seconds")
        assert.deepInclude(left(yield* join(never)), {
          _tag: "Closed",
          processed: "unknown",
          closeCause: { _tag: "ScopeClosed" }
        })
        yield* join(closing)
        assert.lengthOf(peer.goaways, 1)
        assert.isTrue(peer.test.ended)
      }))

    it.effect("closing twice -> no effect; a request after it fails at once", () =>
      Effect.gen(function*() {
        const peer = new Peer()
        const scope = yield* Scope.make()
        const connection = yield* Scope.extend(connect(peer), scope)
        yield* connection.retire
        yield* connection.retire
        connection.unsafe.close({ _tag: "Retired" })
        yield* Scope.close(scope, Exit.void)
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual(connection.unsafe.state, "closed")
        assert.deepInclude(left(yield* join(yield* fork(connection))), { _tag: "Closed", processed: "no" })
        yield* tick
        assert.lengthOf(peer.goaways, 1)
      }))

    it.scoped("stream ids are used up -> the connection retires, and requests in flight are answered", () =>
      Effect.gen(function*() {
        const peer = new Peer()
        const heard: Array<string> = []
        const connection = yield* connect(peer, {}, {
          listener: { onCapacity: () => {}, onRetired: (_connection, cause) => heard.push(cause._tag) }
        })
        // 2^30 requests take hours: the session is told that it has sent them
        const session: unknown = Reflect.get(connection.unsafe, "session")
        if (typeof session !== "object" || session === null) throw new Error("no session")
        assert.isTrue(Reflect.set(session, "lastId", Frame.maxInt31 - 4))
        const last = yield* fork(connection)
        assert.strictEqual(connection.unsafe.state, "active")
        const very = yield* fork(connection)
        assert.deepStrictEqual(peer.ids, [Frame.maxInt31 - 2, Frame.maxInt31])
        assert.strictEqual(connection.unsafe.state, "draining")
        assert.deepStrictEqual(heard, ["Retired"])
        assert.strictEqual(outcome(yield* join(yield* fork(connection))), "Closed no")
        peer.accept(Frame.maxInt31 - 2, Frame.maxInt31)
        assert.strictEqual(outcome(yield* join(last)), "200")
        assert.strictEqual(outcome(yield* join(very)), "200")
        assert.strictEqual(connection.unsafe.state, "closed")
      }))

    it.scoped("a request sent again on another connection starts with a full flow-control window", () =>
      Effect.gen(function*() {
        const body = new Uint8Array(100).fill(0x78)
        const first = new Peer()
        const second = new Peer([[Frame.SettingId.INITIAL_WINDOW_SIZE, 50]])
        class Mover extends Recorder {
          override onFailure(from: Connection.Connection, failure: Failure.Failure): void {
            super.onFailure(from, failure)
            this.renew()
            assert.isTrue(two.unsafe.exchange(this))
          }
        }
        const one = yield* connect(first)
        const two = yield* connect(second)
        const mover = new Mover(request({ body }))
        assert.isTrue(one.unsafe.exchange(mover))
        yield* tick
        first.send(Frame.rstStream(1, code.REFUSED_STREAM))
        yield* tick
        assert.strictEqual(second.requests[0]?.body.length, 50)
        second.send(Frame.windowUpdate(1, 50))
        yield* tick
        assert.strictEqual(second.requests[0]?.body.length, 100)
        assert.isTrue(second.requests[0]?.ended)
        second.accept(1)
        assert.deepStrictEqual(mover.heard, ["StreamReset no", "200"])
      }))
  })

  describe("the provider token", () => {
    it.scoped("signed again in time while the connection is open, not after", () =>
      Effect.gen(function*() {
        const credentials = yield* Credentials.token({
          key: Redacted.make(fixtures.text("AuthKey_ABC123DEFG.p8")),
          keyId: "ABC123DEFG",
          teamId: "DEF123GHIJ"
        })
        const signer = yield* ProviderToken.make(credentials)
        const peer = new Peer()
        const connection = yield* connect(peer, { credentials })
        const seen: Array<string | undefined> = []
        const send = Effect.gen(function*() {
          const fiber = yield* fork(connection)
          const request = peer.requests.at(-1)
          seen.push(request?.headers["authorization"])
          peer.accept(request?.id ?? 0)
          yield* join(fiber)
        })
        yield* send
        yield* TestClock.adjust("29 minutes")
        yield* send
        // signing is real work outside of the clock: wait for the new token, by whoever asks for it
        yield* TestClock.adjust("1 minute")
        yield* signer.current
        yield* tick
        yield* send
        assert.match(seen[0] ?? "", /^bearer [\w-]+\.[\w-]+\.[\w-]+$/)
        assert.strictEqual(seen[1], seen[0])
        assert.notStrictEqual(seen[2], seen[0])
        assert.strictEqual(yield* signer.signings, 2)
        assert.strictEqual(seen[2], signer.unsafeCurrent()?.header)
      }))
  })
})
