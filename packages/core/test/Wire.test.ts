/**
 * A connection over a transport, at its edges: callbacks that throw, a transport that fails or does not complete a write,
 * and everything that happens after the end.
 */
import { Connection, Credentials, type Failure, ProviderToken, Request, type Transport } from "@effect-apns/core"
import type { Parts } from "@effect-apns/core/unstable/Connection"
import * as Exchange from "@effect-apns/core/unstable/Exchange"
import { ErrorCode, Frame } from "@effect-apns/http2"
import { assert, describe, it, vi } from "@effect/vitest"
import { Effect, Exit, Fiber, Logger, LogLevel, Redacted, Scope, TestClock } from "effect"
import nodeCrypto from "node:crypto"
import { syncBuiltinESMExports } from "node:module"
import * as fixtures from "./fixtures/index.js"
import { Peer, settled } from "./utils/peer.js"
import { until } from "./utils/until.js"

const code = ErrorCode.ErrorCode

const tick = Effect.promise(settled)

type Options = Parameters<typeof Connection.fromTransport>[1]

const connect = (peer: Peer, options: Options = {}, parts: Parts = {}, transport = peer.transport) =>
  Connection.fromTransport(transport, { drainTimeout: "0 seconds", ...options }, parts)

const { path, spec } = Request.make({ path: "/3/device/42", body: { aps: { alert: "x" } } })

/** An exchange that writes down what it is told. */
class Recorder extends Exchange.Exchange {
  readonly told: Array<string> = []
  failure: Failure.Failure | undefined = undefined
  constructor(path_ = path) {
    super(path_, spec)
  }
  onDue(): void {}
  onAnswer(): void {
    this.told.push(`${this.status}${this.truncated ? " truncated" : ""}`)
  }
  onFailure(_connection: Connection.Connection, failure: Failure.Failure): void {
    this.failure = failure
    this.told.push(`${failure._tag} ${failure.processed}`)
  }
}

/** An exchange whose callback throws. */
class Thrower extends Recorder {
  override onAnswer(): void {
    super.onAnswer()
    throw new Error("a bug of the caller")
  }
}

/** An exchange whose callbacks are async, and reject. */
class Rejecter extends Recorder {
  override onAnswer: () => void = () => Promise.reject(new Error("a bug of the caller"))
  override onFailure: () => void = () => Promise.reject(new Error("a bug of the caller"))
}

/** Sends this on the connection, and lets it be written. */
const send = <E extends Exchange.Exchange>(connection: Connection.Connection, exchange: E): Effect.Effect<E> => {
  assert.isTrue(connection.unsafe.exchange(exchange))
  return Effect.as(tick, exchange)
}

/** What signs in place of node:crypto; `undefined`: that itself. */
const setSign = (sign: (() => never) | undefined): void => {
  if (sign === undefined) vi.restoreAllMocks()
  else vi.spyOn(nodeCrypto, "sign").mockImplementation(sign)
  syncBuiltinESMExports()
}

/** Runs the program, and says what was logged. */
const logs = <A, E, R>(program: Effect.Effect<A, E, R>): Effect.Effect<ReadonlyArray<string>, E, R> => {
  const messages: Array<string> = []
  const logger = Logger.make(({ message }) => void messages.push(String(message)))
  return Effect.as(Effect.provide(program, Logger.replace(Logger.defaultLogger, logger)), messages)
}

describe("the debug data of GOAWAY", () => {
  it.scoped("JSON with a text as reason -> the reason; anything else -> none", () =>
    Effect.gen(function*() {
      const rows: ReadonlyArray<readonly [debug: string, reason: string | undefined]> = [
        ["{\"reason\":\"Shutdown\"}", "Shutdown"],
        ["{\"reason\":\"\",\"x\":1}", ""],
        ["{\"reason\":1}", undefined],
        ["{\"reason\":null}", undefined],
        ["{}", undefined],
        ["[]", undefined],
        ["1", undefined],
        ["null", undefined],
        ["\"reason\"", undefined],
        ["Shutdown", undefined],
        ["", undefined]
      ]
      for (const [debug, reason] of rows) {
        const peer = new Peer()
        const connection = yield* connect(peer)
        peer.send(Frame.goaway(0, code.NO_ERROR, debug))
        assert.deepStrictEqual(yield* connection.retired, {
          _tag: "Goaway",
          code: 0,
          codeName: "NO_ERROR",
          lastStreamId: 0,
          reason,
          debugData: debug
        })
      }
    }))

  it.scoped("NO_ERROR with a reason about the credentials -> closed, though requests are included; with another, or none -> they are answered", () =>
    Effect.gen(function*() {
      for (const debug of ["{\"reason\":\"BadCertificate\"}", "{\"reason\":\"Shutdown\"}", ""]) {
        const peer = new Peer()
        const connection = yield* connect(peer)
        const exchange = yield* send(connection, new Recorder())
        peer.send(Frame.goaway(1, code.NO_ERROR, debug))
        const closes = debug.includes("BadCertificate")
        assert.strictEqual(connection.unsafe.state, closes ? "closed" : "draining")
        peer.accept(1)
        assert.deepStrictEqual(exchange.told, [closes ? "Closed unknown" : "200"])
      }
    }))
})

describe("a callback is async and rejects", () => {
  it.scoped("at an answer and at a failure -> each is logged, and the connection goes on", () =>
    Effect.gen(function*() {
      const lines = yield* logs(Effect.gen(function*() {
        const peer = new Peer()
        const connection = yield* connect(peer)
        for (let i = 0; i < 2; i++) yield* send(connection, new Rejecter())
        peer.accept(1)
        peer.send(Frame.rstStream(3, code.REFUSED_STREAM))
        yield* tick
        const next = yield* send(connection, new Recorder())
        peer.accept(5)
        assert.deepStrictEqual(next.told, ["200"])
        yield* tick
      }))
      assert.deepStrictEqual(lines, ["A callback has thrown", "A callback has thrown"])
    }))
})

describe("a callback throws", () => {
  it.scoped("on each of several answers in one chunk -> the others get theirs, and each error is logged", () =>
    Effect.gen(function*() {
      const exchanges = [new Thrower(), new Recorder(), new Thrower(), new Thrower(), new Recorder()]
      const messages = yield* logs(Effect.gen(function*() {
        const peer = new Peer()
        const connection = yield* connect(peer)
        for (const exchange of exchanges) yield* send(connection, exchange)
        peer.accept(1, 3, 5, 7, 9)
        yield* tick
        assert.deepStrictEqual([connection.unsafe.inFlight, connection.unsafe.state], [0, "active"])
      }))
      assert.deepStrictEqual(exchanges.map(({ told }) => told), exchanges.map(() => ["200"]))
      assert.deepStrictEqual(messages, ["A callback has thrown", "A callback has thrown", "A callback has thrown"])
    }))

  it.scoped("when a held request is sent -> it is told of the defect, and the next one is sent", () =>
    Effect.gen(function*() {
      const peer = new Peer()
      const connection = yield* connect(peer, { ping: { interval: "30 seconds" } })
      peer.answersPings = false
      yield* TestClock.adjust("30 seconds")
      yield* tick
      const [bad, worse, good] = [new Recorder(), new Recorder(), new Recorder()]
      const held = [bad, worse, good]
      assert.deepStrictEqual(held.map((exchange) => connection.unsafe.exchange(exchange)), [true, true, true])
      const thrower = {
        get: () => {
          throw new Error("a bug of the caller")
        }
      }
      Object.defineProperty(bad, "path", thrower)
      worse.spec = Object.defineProperty({ ...worse.spec }, "head", thrower)
      peer.send(Frame.ping(Buffer.from(peer.pings[0] ?? []), true))
      yield* tick
      assert.deepStrictEqual(held.map(({ told }) => told), [["Closed unknown"], ["Closed unknown"], []])
      assert.deepStrictEqual(peer.ids, [1])
      peer.accept(1)
      assert.deepStrictEqual(good.told, ["200"])
    }))

  it.scoped("the path may not be sent -> the request is not taken, and nothing of it is written", () =>
    Effect.gen(function*() {
      const peer = new Peer()
      const connection = yield* connect(peer)
      const bad = new Recorder("/3/device/\n")
      assert.isFalse(connection.unsafe.exchange(bad))
      yield* send(connection, new Recorder())
      assert.deepStrictEqual([bad.told, bad.connection, peer.ids], [[], undefined, [1]])
    }))
})

describe("answers that are cut off", () => {
  it.scoped("by the end of the connection or a malformed body -> marked as truncated", () =>
    Effect.gen(function*() {
      const peer = new Peer()
      const connection = yield* connect(peer, { limits: { maxBodySize: 100 } })
      const [whole, malformed, cut] = [new Recorder(), new Recorder(), new Recorder()]
      for (const exchange of [whole, malformed, cut]) yield* send(connection, exchange)
      peer.send(peer.response(1, 200, { body: "{}" }), peer.response(3, 200, { body: "x".repeat(101) }))
      peer.send(peer.responseHead(5, 200))
      peer.test.close()
      assert.deepStrictEqual([whole, malformed, cut].map(({ told }) => told), [["200"], ["200 truncated"], [
        "200 truncated"
      ]])
    }))

  it.scoped("status 199 < 200 and 300 and above with a malformed body -> malformed, and processed", () =>
    Effect.gen(function*() {
      const peer = new Peer()
      const connection = yield* connect(peer, { limits: { maxBodySize: 100 } })
      let id = 1
      for (const [status, told] of [[299, "299 truncated"], [300, "ResponseTooLarge yes"]] as const) {
        const exchange = yield* send(connection, new Recorder())
        peer.send(peer.response(id, status, { body: "x".repeat(101) }))
        assert.deepStrictEqual(exchange.told, [told])
        id += 2
      }
    }))
})

describe("SETTINGS", () => {
  it.scoped("again and again -> one PING for a listener, none without; the limit of streams is the newest", () =>
    Effect.gen(function*() {
      for (const listens of [true, false]) {
        const peer = new Peer()
        const told: Array<string> = []
        const onProven = { onProven: () => void told.push("proven") }
        const messages = yield* logs(Effect.gen(function*() {
          const { unsafe } = yield* connect(peer, {}, {
            listener: { onCapacity: () => {}, onRetired: () => {}, ...listens ? onProven : {} }
          })
          yield* tick
          for (const limit of [7, 9]) {
            peer.settings([[Frame.SettingId.MAX_CONCURRENT_STREAMS, limit]])
            yield* tick
            assert.deepStrictEqual([unsafe.limit, unsafe.available], [limit, limit])
          }
        }))
        assert.deepStrictEqual([peer.pings.length, told], listens ? [1, ["proven"]] : [0, []])
        assert.deepStrictEqual(messages, [])
      }
    }))

  it.scoped("the connection ends before they come -> connecting ends, too", () =>
    Effect.gen(function*() {
      const broken = new Peer([])
      broken.send(Frame.ping(new Uint8Array(8)))
      assert.strictEqual((yield* connect(broken)).unsafe.state, "closed")
      // while the transport starts
      const started = new Peer([])
      const transport = {
        ...started.transport,
        start: (receiver: Parameters<typeof started.transport.start>[0]) => {
          receiver.onClose({ kind: "Eof", code: undefined, message: undefined })
        }
      }
      assert.strictEqual((yield* connect(started, {}, {}, transport)).unsafe.state, "closed")
      const closing = new Peer([])
      const fiber = yield* Effect.fork(connect(closing))
      yield* tick
      closing.test.close()
      assert.strictEqual((yield* Fiber.join(fiber)).unsafe.state, "closed")
    }))
})

describe("after the end", () => {
  const ping = {
    interval: "30 seconds",
    deadline: "10 seconds",
    busyDeadline: "500 millis",
    busyInterval: "2 seconds"
  } as const

  it.scoped("what the peer still sends, and every call -> nothing is read, and nothing is written", () =>
    Effect.gen(function*() {
      const peer = new Peer()
      const told: Array<string> = []
      const connection = yield* connect(peer, {}, {
        listener: { onCapacity: () => void told.push("capacity"), onRetired: (_, { _tag }) => void told.push(_tag) }
      })
      const { unsafe } = connection
      const exchange = yield* send(connection, new Recorder())
      unsafe.close({ _tag: "Retired" })
      yield* tick
      const { length } = peer.test.written
      told.length = 0
      peer.settings([[Frame.SettingId.MAX_CONCURRENT_STREAMS, 7]])
      peer.send(Frame.ping(new Uint8Array(8)))
      peer.accept(1)
      for (let i = 0; i < 5; i++) unsafe.suspect()
      unsafe.hasten()
      unsafe.close({ _tag: "ScopeClosed" })
      assert.isFalse(unsafe.exchange(new Recorder()))
      yield* tick
      assert.deepStrictEqual([peer.test.written.length, told, exchange.told], [length, [], ["Closed unknown"]])
      assert.deepStrictEqual([unsafe.limit, unsafe.available, unsafe.trusted], [1000, 0, true])
      assert.deepStrictEqual(yield* connection.closed, { _tag: "Retired" })
      assert.lengthOf(peer.goaways, 1)
    }))

  it.scoped("while a PING waits for its answer -> the peer has one second to close, whatever comes", () =>
    Effect.gen(function*() {
      const ends: Readonly<Record<string, (peer: Peer, connection: Connection.Connection) => void>> = {
        "GOAWAY with an error": (peer) => peer.send(Frame.goaway(0, code.INTERNAL_ERROR)),
        "closed, then asked to make haste": (_peer, { unsafe }) => {
          unsafe.close({ _tag: "Retired" })
          unsafe.hasten()
        }
      }
      for (const [name, end] of Object.entries(ends)) {
        const peer = new Peer()
        const connection = yield* connect(peer, { ping })
        yield* tick
        peer.answersPings = false
        yield* TestClock.adjust("30 seconds")
        yield* tick
        assert.lengthOf(peer.pings, 1)
        end(peer, connection)
        yield* tick
        assert.deepStrictEqual([connection.unsafe.state, peer.test.closed], ["closed", false], name)
        yield* TestClock.adjust("999 millis")
        assert.isFalse(peer.test.closed, name)
        yield* TestClock.adjust("1 millis")
        assert.isTrue(peer.test.closed, name)
      }
    }))

  it.scoped("of a peer that broke the protocol -> one GOAWAY, with the error", () =>
    Effect.gen(function*() {
      const peer = new Peer()
      yield* connect(peer)
      peer.send(Frame.windowUpdate(0, 0))
      yield* tick
      assert.deepStrictEqual(peer.goaways.map((goaway) => goaway.code), [code.PROTOCOL_ERROR])
    }))
})

describe("making haste", () => {
  it.scoped("the PING that is out must be answered within the shorter time; without one nothing changes", () =>
    Effect.gen(function*() {
      const peer = new Peer()
      const connection = yield* connect(peer, {
        ping: { interval: "30 seconds", deadline: "10 seconds", busyDeadline: "2 seconds" }
      })
      const { unsafe } = connection
      unsafe.hasten()
      peer.answersPings = false
      yield* TestClock.adjust("30 seconds")
      yield* tick
      assert.deepStrictEqual([unsafe.state, unsafe.trusted, peer.pings.length], ["active", false, 1])
      unsafe.hasten()
      yield* TestClock.adjust("1999 millis")
      assert.strictEqual(unsafe.state, "active")
      yield* TestClock.adjust("1 millis")
      assert.strictEqual((yield* connection.closed)._tag, "PingTimeout")
    }))
})

describe("requests that are held until the PONG", () => {
  it.scoped("an answer comes in the same chunk as the PONG -> by then they count as if they had a stream", () =>
    Effect.gen(function*() {
      const peer = new Peer([[Frame.SettingId.MAX_CONCURRENT_STREAMS, 5]])
      const connection = yield* connect(peer, { ping: { interval: "30 seconds" } })
      const seen: Array<number> = []
      class Watching extends Recorder {
        override onAnswer(): void {
          seen.push(connection.unsafe.available, connection.unsafe.inFlight)
        }
      }
      yield* send(connection, new Watching())
      peer.answersPings = false
      for (let i = 0; i < 30 && connection.unsafe.trusted; i++) yield* TestClock.adjust("1 second")
      yield* tick
      for (let i = 0; i < 2; i++) assert.isTrue(connection.unsafe.exchange(new Recorder()))
      peer.send(Frame.ping(Buffer.from(peer.pings[0] ?? []), true), peer.response(1, 200))
      assert.deepStrictEqual(seen, [3, 2])
      assert.strictEqual(connection.unsafe.available, 3)
    }))
})

describe("a held request when the connection begins to end", () => {
  it.scoped("by GOAWAY with NO_ERROR -> not processed, with the GOAWAY as cause", () =>
    Effect.gen(function*() {
      const peer = new Peer()
      const connection = yield* connect(peer, { ping: { interval: "30 seconds" } })
      peer.answersPings = false
      yield* TestClock.adjust("30 seconds")
      const held = new Recorder()
      assert.isTrue(connection.unsafe.exchange(held))
      peer.send(Frame.goaway(0, code.NO_ERROR, "later"))
      assert.deepStrictEqual(held.told, ["Closed no"])
      assert.deepInclude(held.failure, { _tag: "Closed" })
      if (held.failure?._tag === "Closed") {
        assert.deepInclude(held.failure.closeCause, { _tag: "Goaway", debugData: "later" })
      }
      assert.lengthOf(peer.requests, 0)
    }))
})

describe("the transport", () => {
  /** The transport of the peer, with writes that end as the test says. */
  const withWrites = (peer: Peer, ends: (done: (error?: Error | null) => void) => void) => ({
    ...peer.transport,
    write: (bytes: Uint8Array, done: (error?: Error | null) => void) => peer.transport.write(bytes, () => ends(done))
  })

  it.scoped("says after each write that there was no error, by null -> the connection goes on", () =>
    Effect.gen(function*() {
      const peer = new Peer()
      const connection = yield* connect(peer, {}, {}, withWrites(peer, (done) => done(null)))
      for (const id of [1, 3]) {
        const exchange = yield* send(connection, new Recorder())
        assert.strictEqual(peer.ids.at(-1), id)
        peer.accept(id)
        assert.deepStrictEqual(exchange.told, ["200"])
      }
    }))

  const failures: ReadonlyArray<readonly [how: string, fail: () => void]> = [
    ["throws", () => {
      throw new Error("boom")
    }],
    ["is async and rejects", () => Promise.reject(new Error("boom"))]
  ]
  for (
    const [method, [how, fail]] of (["write", "end"] as const).flatMap((method) =>
      failures.map((f) => [method, f] as const)
    )
  ) {
    it.effect(`its ${method} ${how} -> the connection is lost, every request is told, and closing does not wait`, () =>
      Effect.gen(function*() {
        const peer = new Peer()
        const scope = yield* Scope.make()
        let breaks = false
        let destroyed = 0
        const { transport } = peer
        const broken: Transport.Transport = {
          ...transport,
          write: (bytes, done) => {
            if (breaks && method === "write") return fail()
            transport.write(bytes, done)
          },
          end: () => breaks ? fail() : transport.end(),
          destroy: () => {
            destroyed++
            return fail()
          }
        }
        const connection = yield* Scope.extend(connect(peer, {}, {}, broken), scope)
        yield* tick
        const before = yield* send(connection, new Recorder())
        breaks = true
        if (method === "write") {
          const after = new Recorder()
          assert.isTrue(connection.unsafe.exchange(after))
          yield* tick
          for (const { failure } of [before, after]) {
            assert.deepInclude(failure, { _tag: "Closed", closeCause: { _tag: "Dropped", code: undefined } })
          }
          assert.strictEqual(connection.unsafe.state, "closed")
        }
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual(connection.unsafe.state, "closed")
        assert.strictEqual(before.told.length, 1)
        assert.strictEqual(destroyed, 1)
      }).pipe(Effect.provide(Logger.minimumLogLevel(LogLevel.None))))
  }

  it.scoped("its start is async and rejects -> the connection is lost", () =>
    Effect.gen(function*() {
      const { transport } = new Peer()
      const start = (): void => {}
      const broken = { ...transport, start: Object.assign(() => Promise.reject(new Error("boom")), start) }
      const connection = yield* connect(new Peer(), {}, {}, broken)
      assert.deepStrictEqual(yield* connection.closed, { _tag: "Dropped", code: undefined })
    }).pipe(Effect.provide(Logger.minimumLogLevel(LogLevel.None))))

  it.effect("a write has failed -> nothing more is written, and closing does not wait", () =>
    Effect.gen(function*() {
      const peer = new Peer()
      const scope = yield* Scope.make()
      let fails = false
      const transport = withWrites(peer, (done) => done(fails ? new Error("EPIPE") : undefined))
      const connection = yield* Scope.extend(connect(peer, {}, {}, transport), scope)
      yield* tick
      fails = true
      yield* send(connection, new Recorder())
      const { length } = peer.test.written
      yield* send(connection, new Recorder())
      assert.strictEqual(peer.test.written.length, length)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(peer.test.written.length, length)
    }))

  it.effect("has not completed a write -> closing waits for it for the rest of drainTimeout, within 0.1 and 1 second", () =>
    Effect.gen(function*() {
      const quiet = { interval: "10 hours", busyInterval: "10 hours" } as const
      for (
        const [drainTimeout, drained, rest] of [
          ["10 seconds", 0, 1000],
          ["10 seconds", 9400, 600],
          ["300 millis", 0, 300],
          ["300 millis", 250, 100],
          ["0 seconds", 0, 100]
        ] as const
      ) {
        for (const completes of [true, false]) {
          const peer = new Peer()
          const scope = yield* Scope.make()
          const { unsafe } = yield* Scope.extend(connect(peer, { drainTimeout, ping: quiet }), scope)
          yield* tick
          if (drained > 0) assert.isTrue(unsafe.exchange(new Recorder()))
          yield* tick
          peer.test.autoComplete = false
          const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
          yield* tick
          if (drained > 0) {
            yield* TestClock.adjust(drained)
            peer.accept(1)
            yield* tick
          }
          yield* TestClock.adjust(rest - 1)
          yield* tick
          assert.isNull(closing.unsafePoll(), `${drainTimeout} ${drained}`)
          if (completes) peer.test.completeWrite()
          else yield* TestClock.adjust("1 millis")
          yield* tick
          assert.isNotNull(closing.unsafePoll(), `${drainTimeout} ${drained}`)
          assert.strictEqual(peer.test.ended, completes)
        }
      }
    }))
})

describe("the provider token", () => {
  const minute = 60_000
  /** The beginning of a window of 30 minutes. */
  const start = 944_445 * 30 * minute
  const credentials = Credentials.token({
    key: Redacted.make(fixtures.text("AuthKey_ABC123DEFG.p8")),
    keyId: "ABC123DEFG",
    teamId: "DEF123GHIJ"
  })

  /** A connection opened in minute 29, and what sends a request and says whether it has the newest token of the signer. */
  const opened = Effect.gen(function*() {
    yield* TestClock.setTime(start + 29 * minute)
    const peer = new Peer()
    const signer = yield* ProviderToken.make(yield* credentials)
    const connection = yield* connect(peer, { credentials: yield* credentials })
    const isNewest = Effect.gen(function*() {
      const newest = yield* signer.current
      yield* tick
      yield* send(connection, new Recorder())
      const request = peer.requests.at(-1)
      peer.accept(request?.id ?? 0)
      return request?.headers["authorization"] === newest.header
    })
    return { connection, isNewest, signer }
  })

  it.scoped("a newer one is there -> taken 20 minutes after the connection was opened, and not before", () =>
    Effect.gen(function*() {
      const { isNewest } = yield* opened
      const seen: Array<boolean> = []
      for (const at of [29, 31, 48, 49]) {
        yield* TestClock.setTime(start + at * minute)
        seen.push(yield* isNewest)
      }
      assert.deepStrictEqual(seen, [true, false, false, true])
    }))

  it.scoped("APNs has refused it -> the newest is taken with the next request", () =>
    Effect.gen(function*() {
      const { isNewest, signer } = yield* opened
      assert.isTrue(yield* isNewest)
      yield* signer.expired(yield* signer.current)
      assert.strictEqual(yield* signer.signings, 2)
      assert.isTrue(yield* isNewest)
    }))

  it.scoped("a newer one is due but may not be signed yet -> asked for each minute, and taken as soon as it may", () =>
    Effect.gen(function*() {
      const { connection, signer } = yield* opened
      const old = yield* signer.current
      const current = Effect.gen(function*() {
        yield* tick
        return (yield* send(connection, new Recorder())).token
      })
      yield* TestClock.setTime(start + 31 * minute)
      yield* signer.tooManyUpdates(old)
      for (const at of [49, 50]) {
        yield* TestClock.setTime(start + at * minute)
        assert.strictEqual(yield* current, old)
      }
      yield* TestClock.setTime(start + 51 * minute)
      yield* until(() => Effect.runSync(signer.signings) > 1)
      assert.notStrictEqual(yield* current, old)
      assert.strictEqual(yield* signer.signings, 2)
    }))

  it.scoped("a newer one cannot be signed -> a warning, and requests have the old one, until it can be signed some minutes later", () =>
    Effect.gen(function*() {
      const messages = yield* logs(Effect.gen(function*() {
        yield* TestClock.setTime(start)
        const peer = new Peer()
        const unsigned = { ...(yield* credentials), sharing: "none" } as const
        const signer = yield* ProviderToken.make(unsigned)
        const connection = yield* connect(peer, { credentials: unsigned })
        const { token } = yield* send(connection, new Recorder())
        yield* Effect.addFinalizer(() => Effect.sync(() => setSign(undefined)))
        let failures = 0
        setSign(() => {
          failures++
          throw new Error("the key store is gone")
        })
        peer.accept(1)
        yield* TestClock.setTime(start + 50 * minute)
        yield* until(() => failures === 1)
        assert.strictEqual((yield* send(connection, new Recorder())).token, token)
        // it fails a second time: no second warning
        yield* TestClock.setTime(start + 51 * minute)
        yield* until(() => failures === 2)
        yield* tick
        setSign(undefined)
        peer.accept(3)
        yield* TestClock.setTime(start + 52 * minute)
        yield* until(() => Effect.runSync(signer.signings) > 1)
        assert.notStrictEqual((yield* send(connection, new Recorder())).token, token)
      }))
      assert.deepStrictEqual(messages, ["The provider token could not be refreshed"])
    }))

  it.scoped("one cannot be signed, and the logger throws when it is told -> it is taken when it can be signed", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(start)
      const peer = new Peer()
      const connection = yield* connect(peer, { credentials: { ...(yield* credentials), sharing: "none" } })
      const { token } = yield* send(connection, new Recorder())
      peer.accept(1)
      yield* Effect.addFinalizer(() => Effect.sync(() => setSign(undefined)))
      setSign(() => {
        throw new Error("the key store is gone")
      })
      yield* TestClock.setTime(start + 50 * minute)
      yield* tick
      setSign(undefined)
      yield* TestClock.setTime(start + 51 * minute)
      yield* tick
      assert.notStrictEqual((yield* send(connection, new Recorder())).token, token)
    }).pipe(Effect.provide(Logger.replace(
      Logger.defaultLogger,
      Logger.make(() => {
        throw new Error("a bug in a logger")
      })
    ))))

  it.scoped("the connection is closed -> none is signed for it any more", () =>
    Effect.gen(function*() {
      const { connection, signer } = yield* opened
      connection.unsafe.close({ _tag: "Retired" })
      for (let i = 0; i < 4; i++) {
        yield* TestClock.adjust("30 minutes")
        yield* tick
        yield* tick
      }
      assert.isAtMost(yield* signer.signings, 2)
    }))
})
