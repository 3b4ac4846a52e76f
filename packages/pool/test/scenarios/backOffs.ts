/**
 * Tests of how often a pool connects, by the clock, to servers that are broken in every way: each pool size, idle and busy, in the
 * first minute and in the tenth.
 */
import type { Failure } from "@effect-apns/core"
import { ConnectError, Connection, Endpoint, Request, Response, Transport } from "@effect-apns/core"
import type { Parts } from "@effect-apns/core/unstable/Connection"
import { Frame } from "@effect-apns/http2"
import * as UnstableApnsPool from "@effect-apns/pool/unstable/ApnsPool"
import * as Delivery from "@effect-apns/pool/unstable/Delivery"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, LogLevel, type Scope } from "effect"
import { topic } from "./utils.js"
import { VirtualClock } from "./VirtualClock.js"

const request = Request.make({
  path: "/3/device/4242",
  headers: { "apns-push-type": "alert", "apns-topic": topic },
  body: { aps: { alert: "x" } }
})

const failed = (reason: ConnectError.ConnectError["reason"]) =>
  new ConnectError.ConnectError({ reason, phase: "tcp", endpoint: Endpoint.development, message: "no connection" })

const dropped: Failure.CloseCause = { _tag: "Dropped", code: undefined }

const goaway = (code: number, lastStreamId: number): Failure.CloseCause => ({
  _tag: "Goaway",
  code,
  codeName: code === 0 ? "NO_ERROR" : "ENHANCE_YOUR_CALM",
  lastStreamId,
  reason: undefined,
  debugData: ""
})

type Server = (
  parts: Parts
) => Effect.Effect<Connection.Connection, ConnectError.ConnectError, Scope.Scope>

/** A server over whose connections something happens after they are open. */
const then = (
  parts: Parts,
  what: (connection: Connection.Connection) => Effect.Effect<void>,
  handler: () => Effect.Effect<Response.Response> = () => Effect.never
) =>
  Effect.tap(
    Connection.fromHandler(handler, {}, parts),
    (connection) => Effect.forkScoped(what(connection))
  )

/** A server that does something to the connection at each request, perhaps before it answers. */
const atRequest = (
  parts: Parts,
  what: (connection: Connection.Connection) => Effect.Effect<Response.Response>
) =>
  Effect.gen(function*() {
    let connection: Connection.Connection | undefined = undefined
    const made = yield* Connection.fromHandler(
      () => Effect.suspend(() => connection === undefined ? Effect.never : what(connection)),
      {},
      parts
    )
    connection = made
    return made
  })

const close = (cause: Failure.CloseCause) => (connection: Connection.Connection) =>
  Effect.sync(() => connection.unsafe.close(cause))

const rejecting = (status: number, reason: string): Server => (parts) =>
  Connection.fromHandler(() => Effect.succeed(Response.make({ status, body: { reason } })), {}, parts)

const servers: Record<string, Server> = {
  "refuses": () => failed("Refused"),
  "hangs until the connect timeout": () => Effect.zipRight(Effect.sleep("10 seconds"), failed("Timeout")),
  "closes after TLS": () => Effect.zipRight(Effect.sleep("20 millis"), failed("Http2")),
  "closes after its SETTINGS, at once": (parts) => then(parts, close(dropped)),
  "closes after its SETTINGS, after 50 ms": (parts) =>
    then(parts, (connection) => Effect.zipRight(Effect.sleep("50 millis"), close(dropped)(connection))),
  "closes at the first request": (parts) =>
    atRequest(parts, (connection) => Effect.zipRight(close(dropped)(connection), Effect.never)),
  "sends GOAWAY at once": (parts) => then(parts, close(goaway(0, 0))),
  "sends GOAWAY at once, as if in good order": (parts) => then(parts, close(goaway(0, 2 ** 31 - 1))),
  "sends GOAWAY with an error at once": (parts) => then(parts, close(goaway(11, 0))),
  "sends GOAWAY with an error at the first request": (parts) =>
    atRequest(parts, (connection) => Effect.zipRight(close(goaway(11, 1))(connection), Effect.never)),
  "sends GOAWAY that includes the first request, and closes": (parts) =>
    atRequest(parts, (connection) =>
      Effect.zipRight(
        Effect.sync(() => {
          connection.unsafe.retire(goaway(0, 1))
          connection.unsafe.close(dropped)
        }),
        Effect.never
      )),
  "answers each request with an error and a GOAWAY that includes it": (parts) =>
    atRequest(parts, (connection) =>
      Effect.sync(() => {
        connection.unsafe.retire(goaway(0, 1))
        return Response.make({ status: 503, body: { reason: "ServiceUnavailable" } })
      })),
  "answers each request with an error and closes": (parts) =>
    atRequest(parts, (connection) =>
      Effect.as(
        Effect.forkDaemon(Effect.zipRight(Effect.yieldNow(), close(dropped)(connection))),
        Response.make({ status: 500, body: { reason: "InternalServerError" } })
      )),
  "answers PINGs, and no request": (parts) =>
    Effect.suspend(() => {
      const test = Transport.makeTest()
      const pongs = new Frame.Reader((type, flags, _id, payload) => {
        if (type !== Frame.FrameType.PING || (flags & Frame.Flag.ACK) !== 0) return
        const pong = Frame.ping(payload.slice(), true)
        setImmediate(() => test.receive(pong))
      }, Frame.preface().length)
      test.onWrite = (bytes) => pongs.push(bytes)
      test.receive(Frame.settings([[Frame.SettingId.MAX_CONCURRENT_STREAMS, 1000]]))
      return Effect.orDie(Connection.fromTransport(test.transport, {}, parts))
    }),
  "sends its SETTINGS, and then nothing, to PINGs neither": (parts) =>
    Effect.suspend(() => {
      const test = Transport.makeTest()
      test.receive(Frame.settings([[Frame.SettingId.MAX_CONCURRENT_STREAMS, 1000]]))
      return Effect.orDie(Connection.fromTransport(test.transport, {}, parts))
    }),
  "always answers Shutdown": rejecting(503, "Shutdown"),
  "always answers ExpiredProviderToken": rejecting(403, "ExpiredProviderToken")
}

class Push extends Delivery.Delivery {
  onAnswered(): void {}
  onFailed(): void {}
}

/** Counts the connections that are opened while the clock runs and, where `busy`, requests come at 48 a second. */
const observe = (server: Server, size: number, busy: boolean) =>
  Effect.gen(function*() {
    const clock = new VirtualClock(1_800_000_000_000)
    let attempts = 0
    const pool = yield* Effect.withClock(
      UnstableApnsPool.makeWith(
        (parts) =>
          Effect.suspend(() => {
            attempts++
            return server(parts)
          }),
        { size, drainTimeout: "0 seconds" }
      ),
      clock
    )
    const run = (seconds: number, step: number) =>
      Effect.promise(async () => {
        for (let passed = 0; passed < seconds; passed += step) {
          if (busy) { for (let i = 0; i < step * 48; i++) pool.unsafe.submit(new Push(request.path, request.spec)) }
          await clock.advance(step * 1000)
        }
      })
    yield* run(60, 0.5)
    const first = attempts
    yield* run(480, 20)
    const before = attempts
    yield* run(60, 0.5)
    const tenth = attempts - before
    const { completed, failed, queued } = yield* pool.stats
    if (busy) assert.isAbove(completed + failed + queued, 1000)
    return { first, tenth }
  }).pipe(Effect.scoped)

const quiet = Logger.minimumLogLevel(LogLevel.None)

/** The tests of a pool of a size. */
export const describeBackOff = (size: number): void => {
  describe(`a pool of ${size}`, () => {
    for (const [name, server] of Object.entries(servers)) {
      for (const busy of [false, true]) {
        it.live(`${busy ? "busy" : "idle"}, a server that ${name} -> few connections`, () =>
          Effect.gen(function*() {
            const { first, tenth } = yield* observe(server, size, busy)
            assert.isAtLeast(first, Math.min(size, 5))
            assert.isAtMost(first, size + 20)
            assert.isAtMost(tenth, 4)
          }).pipe(Effect.provide(quiet)), 60_000)
      }
    }

    it.live(
      "busy, a server that sends GOAWAY that includes the first request, and answers nothing -> not one connection for each request",
      () =>
        Effect.gen(function*() {
          const { first, tenth } = yield* observe(
            (parts) =>
              atRequest(parts, (connection) =>
                Effect.zipRight(
                  Effect.sync(() => connection.unsafe.retire(goaway(0, 2 ** 31 - 1))),
                  Effect.never
                )),
            size,
            true
          )
          // at first it is as if the server rotates connections before it answers: as many as the pool is large and 20 with few
          // requests, one each half second with many until these time out, then those of the back-off
          assert.isAtMost(first, 2 * size + 20 + 20 + 20)
          assert.isAtMost(tenth, 4)
        }).pipe(Effect.provide(quiet)),
      60_000
    )

    it.live(
      "busy, a server that closes after each answer -> about 2 connections a second",
      () =>
        Effect.gen(function*() {
          const { first, tenth } = yield* observe(
            (parts) =>
              atRequest(parts, (connection) =>
                Effect.as(
                  Effect.forkDaemon(Effect.zipRight(Effect.yieldNow(), close(dropped)(connection))),
                  Response.make()
                )),
            size,
            true
          )
          assert.isAtMost(first, 2 * size + 130)
          assert.isAtMost(tenth, 130)
          assert.isAtLeast(tenth, 60)
        }).pipe(Effect.provide(quiet)),
      60_000
    )
  })
}
