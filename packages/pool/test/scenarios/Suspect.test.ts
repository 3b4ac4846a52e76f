/**
 * The first notifications after a pause, by the clock: they wait for a PONG or for another connection, whichever is there
 * first, and for nothing else.
 */
import { Connection, Transport } from "@effect-apns/core"
import { Frame, Hpack } from "@effect-apns/http2"
import { ApnsPool, send } from "@effect-apns/pool"
import * as UnstableApnsPool from "@effect-apns/pool/unstable/ApnsPool"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Logger, LogLevel } from "effect"
import { brief, notification, type Result, type SendSettings, token, topic } from "./utils.js"
import { VirtualClock } from "./VirtualClock.js"

/** One way through the network, in milliseconds. */
const oneWay = 50
const roundTrip = 2 * oneWay
/** TCP, TLS and the server's SETTINGS on a new connection. */
const connectMillis = 3 * roundTrip

/** A server on the other side of a network that may forget it. */
class Server {
  readonly test = Transport.makeTest()
  requests = 0
  forgotten = false
  private readonly encoder = new Hpack.Encoder()

  constructor(private readonly later: (what: () => void) => void) {
    const reader = new Frame.Reader((type, flags, id, payload) => this.onFrame(type, flags, id, payload), 24)
    this.test.onWrite = (bytes) => {
      if (!this.forgotten) later(() => reader.push(bytes))
    }
    this.send(Frame.settings([[Frame.SettingId.MAX_CONCURRENT_STREAMS, 100]]))
  }

  private send(bytes: Uint8Array): void {
    this.later(() => {
      if (!this.forgotten) this.test.receive(bytes)
    })
  }

  private onFrame(type: number, flags: number, id: number, payload: Uint8Array): void {
    if (type === Frame.FrameType.PING && (flags & Frame.Flag.ACK) === 0) {
      this.send(Frame.ping(Buffer.from(payload), true))
    } else if (type === Frame.FrameType.DATA) {
      this.requests++
      const block = this.encoder.encode([":status", "200", "apns-id", `id-of-${id}`])
      this.send(Frame.headers(id, block, { endStream: true }))
    }
  }
}

const make = (size: number) =>
  Effect.gen(function*() {
    const clock = new VirtualClock(1_800_000_000_000)
    const servers: Array<Server> = []
    const connecting = { begun: 0, hangs: false }
    const later = (what: () => void) => {
      Effect.runFork(Effect.withClock(Effect.zipRight(Effect.sleep(oneWay), Effect.sync(what)), clock))
    }
    const pool = yield* Effect.withClock(
      UnstableApnsPool.makeWith((parts) =>
        Effect.suspend(() => {
          connecting.begun++
          if (connecting.hangs) return Effect.never
          return Effect.flatMap(Effect.sleep(connectMillis - oneWay), () => {
            const server = new Server(later)
            servers.push(server)
            return Effect.orDie(Connection.fromTransport(server.test.transport, {}, parts))
          })
        }), { size, drainTimeout: "0 millis" }),
      clock
    )
    const pass = (millis: number) => Effect.promise(() => clock.advance(millis))
    /** Sends so many at once; says what becomes of each, and after how many milliseconds. */
    const push = (count: number, settings?: SendSettings) => {
      const from = clock.unsafeCurrentTimeMillis()
      const outcomes: Array<readonly [outcome: string, afterMillis: number]> = []
      for (let i = 0; i < count; i++) {
        Effect.runFork(
          send({ token: token(i + 1), topic, notification, ...settings }).pipe(
            Effect.provideService(ApnsPool.ApnsPool, pool),
            Effect.either,
            Effect.map((result: Result) => {
              outcomes.push([brief(result), clock.unsafeCurrentTimeMillis() - from])
            }),
            Effect.withClock(clock)
          )
        )
      }
      return outcomes
    }
    // each connection has brought an answer
    yield* pass(connectMillis + roundTrip)
    const first = push(size)
    yield* pass(roundTrip)
    assert.lengthOf(first, size)
    assert.lengthOf(servers, size)
    return { clock, servers, pool, pass, push, connecting }
  })

const requests = (servers: ReadonlyArray<Server>): number => servers.reduce((sum, { requests }) => sum + requests, 0)

const timeouts = ["1 second", "4 seconds", "20 seconds"] as const

const quiet = Effect.provide(Logger.minimumLogLevel(LogLevel.None))

for (const size of [1, 2, 10]) {
  for (const first of ["the notifications", "the timers"] as const) {
    describe(`after a pause longer than the PING interval, a pool of ${size}, ${first} first`, () => {
      const thawed = Effect.gen(function*() {
        const made = yield* make(size)
        made.clock.jump(70_000)
        if (first === "the timers") yield* made.pass(0)
        return made
      })

      it.scopedLive("the network dropped the connections -> requests wait only for a new connection, and are processed once", () =>
        Effect.gen(function*() {
          const { connecting, pass, pool, push, servers } = yield* thawed
          for (const server of servers) server.forgotten = true
          const outcomes = push(5)
          yield* pass(60_000)
          assert.deepStrictEqual(outcomes, Array.from({ length: 5 }, () => ["ok", connectMillis + roundTrip]))
          assert.strictEqual(requests(servers), size + 5)
          assert.deepInclude(yield* pool.stats, { size, active: size, connecting: 0, draining: 0, failed: 0 })
          assert.deepInclude(yield* pool.stats, { completed: size + 5, attempts: size + 5, connectionsLost: size })
          assert.strictEqual(connecting.begun, 2 * size)
        }).pipe(quiet))

      it.scopedLive("the connections still work -> requests wait for one round trip, and the connections stay", () =>
        Effect.gen(function*() {
          const { connecting, pass, pool, push, servers } = yield* thawed
          const outcomes = push(5)
          yield* pass(60_000)
          assert.deepStrictEqual(outcomes, Array.from({ length: 5 }, () => ["ok", 2 * roundTrip]))
          assert.lengthOf(servers, size)
          assert.isAtMost(connecting.begun, size + 1)
          assert.deepInclude(yield* pool.stats, {
            active: size,
            connecting: 0,
            connectionsOpened: size,
            connectionsLost: 0,
            attempts: size + 5
          })
        }).pipe(quiet))

      it.scopedLive("nothing can be reached -> each request fails after its own timeout, not processed", () =>
        Effect.gen(function*() {
          const { connecting, pass, pool, push, servers } = yield* thawed
          for (const server of servers) server.forgotten = true
          connecting.hangs = true
          const outcomes = [...timeouts.map((timeout) => push(1, { timeout }))]
          yield* pass(60_000)
          assert.deepStrictEqual(
            outcomes,
            timeouts.map((timeout) => [["Timeout no", Duration.toMillis(timeout)]])
          )
          assert.deepInclude(yield* pool.stats, { size, queued: 0, inFlight: 0, failed: 3, attempts: size })
        }).pipe(quiet))
    })
  }
}

describe("without a pause", () => {
  for (const size of [1, 10]) {
    it.scopedLive(`the network dropped ${size} connections, no PING is answered -> requests wait for a new connection`, () =>
      Effect.gen(function*() {
        const { pass, push, servers } = yield* make(size)
        for (const server of servers) server.forgotten = true
        // the PINGs went out a while ago
        yield* pass(60_500)
        const outcomes = push(3)
        yield* pass(60_000)
        assert.deepStrictEqual(outcomes, Array.from({ length: 3 }, () => ["ok", connectMillis + roundTrip]))
        assert.strictEqual(requests(servers), size + 3)
      }).pipe(quiet))

    it.scopedLive(`requests on ${size} idle connections with a PING in flight, repeatedly -> no new connection`, () =>
      Effect.gen(function*() {
        const { connecting, pass, push, servers } = yield* make(size)
        let sent = size
        for (let minute = 0; minute < 10; minute++) {
          // the first PINGs go out in the course of this second
          yield* pass(59_000)
          for (let i = 0; i < 20; i++) {
            push(1)
            sent++
            yield* pass(oneWay)
          }
        }
        yield* pass(1_000)
        assert.strictEqual(connecting.begun, size)
        assert.strictEqual(requests(servers), sent)
      }).pipe(quiet))
  }
})
