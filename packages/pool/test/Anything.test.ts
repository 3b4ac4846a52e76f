/**
 * Anything at all through each function that takes what a caller passes: a typed error, or a defect of that caller, or
 * what was asked for; and another caller's `send` on the same pool succeeds. What is left unhandled fails the test run.
 */
import { Credentials, Endpoint, Request, Response } from "@effect-apns/core"
import { Notification } from "@effect-apns/models"
import { ApnsPool, ApnsPoolMap, Broadcast, Channels, send, sendAll, sendEach } from "@effect-apns/pool"
import { ProviderKey } from "@effect-apns/testing"
import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  Effect,
  Exit,
  FastCheck as fc,
  Layer,
  Logger,
  LogLevel,
  Predicate,
  Redacted,
  type Scope,
  Stream
} from "effect"

const anything = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withNullPrototype: true,
  withObjectString: true,
  withSet: true,
  withSparseArray: true,
  withTypedArray: true
})

/** A text would be the name of a file to write to: here that file cannot be created. */
const valueOf = (field: string): fc.Arbitrary<unknown> =>
  field === "keylog"
    ? anything.map((value) => typeof value === "string" ? `no-such-directory/${value}` : value)
    : anything

/** All of the options are something else, or one of them is. */
const spoiled = (options: object, fields: ReadonlyArray<string>): fc.Arbitrary<unknown> =>
  fc.oneof(anything, ...fields.map((field) => valueOf(field).map((value) => ({ ...options, [field]: value }))))

type Untyped = Effect.Effect<unknown, unknown, Scope.Scope | ApnsPool.ApnsPool>

const isEffect = (u: unknown): u is Untyped => Effect.isEffect(u)
const isStream = (u: unknown): u is Stream.Stream<unknown, unknown, ApnsPool.ApnsPool> =>
  Predicate.hasProperty(u, Stream.StreamTypeId)

/** Calls as a program without types does. */
const call = (f: unknown, ...args: ReadonlyArray<unknown>): Untyped =>
  Effect.suspend(() => {
    const result: unknown = typeof f === "function" ? Reflect.apply(f, undefined, args) : undefined
    return isEffect(result) ? result : isStream(result) ? Stream.runDrain(result) : Effect.succeed(result)
  })

const check = (exit: Exit.Exit<unknown, unknown>, defects: "may die" | "never dies"): void => {
  if (Exit.isSuccess(exit)) return
  const { cause } = exit
  if (cause._tag === "Fail") return assert.isTrue(Predicate.hasProperty(cause.error, "_tag"), Cause.pretty(cause))
  assert.isTrue(cause._tag === "Die" && defects === "may die", Cause.pretty(cause))
}

const numRuns = 50

/** Each of them is called on one pool; afterwards somebody else's notification is accepted. */
const every = (
  arbitrary: fc.Arbitrary<unknown>,
  defects: "may die" | "never dies",
  calls: (value: unknown) => ReadonlyArray<Untyped>
) =>
  Effect.gen(function*() {
    const pool = yield* ApnsPool.ApnsPool
    const run = (effect: Untyped) =>
      Effect.runPromiseExit(
        Effect.scoped(effect).pipe(
          Effect.provideService(ApnsPool.ApnsPool, pool),
          Effect.provide(Logger.minimumLogLevel(LogLevel.None))
        )
      )
    yield* Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(arbitrary, async (value) => {
          for (const one of calls(value)) check(await run(one), defects)
        }),
        { numRuns, seed: 42 }
      )
    )
    assert.strictEqual((yield* send(good)).attempts, 1)
  })

const topic = "com.example.app"
const good = { token: "0123456789abcdef".repeat(4), topic, notification: Notification.alert({ alert: "Hello" }) }
const sending = [
  "token",
  "notification",
  "topic",
  "priority",
  "expiration",
  "collapseId",
  "apnsId",
  "timeout",
  "deadline",
  "retransmit"
]
const broadcast = {
  bundleId: topic,
  channelId: "dHN0LXNyY2gtY2hubA==",
  notification: Notification.liveActivity.update({ contentState: {}, timestamp: 1 })
}
const request = Request.make({ path: "/3/device/42", body: { aps: {} } })

const accepted = Layer.provide(
  ApnsPool.layerTest(() => Effect.succeed(Response.make()), { drainTimeout: "1 millis" }),
  Logger.minimumLogLevel(LogLevel.None)
)

describe("anything, on a pool that others use", () => {
  it.live("send, sendAll and sendEach -> typed errors", () =>
    every(
      spoiled(good, [...sending, "concurrency"]),
      "never dies",
      (value) => [call(send, value), call(sendEach, Stream.make(value)), call(sendAll, Stream.make(good.token), value)]
    ).pipe(Effect.provide(accepted)))

  it.live("as a token among others of sendAll -> its own typed error", () =>
    every(anything, "never dies", (value) => [call(sendAll, Stream.make(good.token, value, good.token), good)]).pipe(
      Effect.provide(accepted)
    ))

  it.live("a notification's payload -> typed errors", () =>
    every(
      anything.map((value) => ({ ...good, notification: { ...good.notification, payload: value } })),
      "never dies",
      (value) => [call(send, value)]
    ).pipe(Effect.provide(accepted)))

  it.live("Broadcast.send -> typed errors", () =>
    every(
      spoiled(broadcast, [...Object.keys(broadcast), "expiration", "timeout"]),
      "never dies",
      (value) => [call(Broadcast.send, value)]
    ).pipe(Effect.provide(accepted)))

  it.live("Channels -> typed errors", () =>
    Effect.flatMap(ApnsPool.ApnsPool, (pool) => {
      const { create, list, read, ...others } = Channels.fromPool(pool, topic)
      return every(
        spoiled({ channelId: broadcast.channelId }, [
          "channelId",
          "messageStorage",
          "requestId",
          "timeout",
          "bundleId"
        ]),
        "never dies",
        (value) => [create, read, list, others.delete].map((method) => call(method, value))
      )
    }).pipe(Effect.provide(accepted)))

  it.live("post, resize, submit and cancel -> typed errors, or a defect of that caller", () =>
    Effect.flatMap(
      ApnsPool.ApnsPool,
      (pool) =>
        every(spoiled(request, ["path", "method", "spec"]), "may die", (value) => [
          Effect.timeout(call(pool.post, value), "2 seconds"),
          call(() => Reflect.apply(pool.unsafe.submit, pool.unsafe, [value])),
          call(() => Reflect.apply(pool.unsafe.cancel, pool.unsafe, [value]))
        ])
    ).pipe(Effect.provide(accepted)))
})

const connecting = ["ca", "proxy", "connectTimeout", "keylog", "lookup", "ping", "limits", "drainTimeout"]
const pooling = [
  "topic",
  "name",
  "retransmit",
  "maxRetransmits",
  "maxQueued",
  "retrySchedule",
  "backoffSchedule",
  "reconnectSchedule",
  "spans"
]

describe("anything, as options of pools", () => {
  // nothing listens at port 1
  const base = Effect.gen(function*() {
    const { key, keyId, teamId } = yield* ProviderKey.make()
    return {
      endpoint: Endpoint.unsafeMake("https://127.0.0.1:1"),
      credentials: yield* Credentials.token({ key: Redacted.make(key), keyId, teamId }),
      size: 1,
      drainTimeout: "1 millis"
    }
  })

  it.live("ApnsPool.make -> a pool, or a typed error", () =>
    Effect.flatMap(base, (base) =>
      every(
        spoiled(base, ["endpoint", "credentials", "size", ...connecting, ...pooling]),
        "never dies",
        (value) => [call(ApnsPool.make, value)]
      )).pipe(Effect.provide(accepted)))

  it.live("Channels.make -> channels, or a typed error", () =>
    Effect.flatMap(base, (base) =>
      every(
        spoiled(base, ["endpoint", "credentials", "size", "bundleId", ...connecting]),
        "never dies",
        (value) => [call(Channels.make, value)]
      )).pipe(Effect.provide(accepted)))

  it.effect("options that cannot be read -> a typed error of each constructor, nothing is thrown", () =>
    Effect.gen(function*() {
      const boom = () => {
        throw new Error("boom")
      }
      const getter = Object.defineProperty({}, "endpoint", { get: boom, enumerable: true })
      for (const options of [undefined, null, 5, getter, new Proxy({}, { get: boom, has: boom, ownKeys: boom })]) {
        for (const make of [ApnsPool.make, Channels.make, Channels.layerFromEnv, ApnsPool.layer, Channels.layer]) {
          // the call itself must not throw
          const made: unknown = Reflect.apply(make, undefined, [options])
          if (!isEffect(made)) continue
          const exit = yield* Effect.exit(Effect.scoped(made))
          check(exit, "never dies")
          assert.isTrue(Exit.isFailure(exit))
        }
      }
    }).pipe(Effect.provide(accepted)))

  it.live("ApnsPoolMap.make, get and invalidate -> a pool, or a typed error", () =>
    Effect.flatMap(base, ({ credentials, endpoint }) =>
      every(
        fc.oneof(
          spoiled({ drainTimeout: "1 millis" }, [...connecting, ...pooling, "maxConnections", "idleTimeToLive"]),
          spoiled({ endpoint, credentials }, ["endpoint", "credentials", "topic", "name"])
        ),
        "never dies",
        (value) => [
          call(ApnsPoolMap.make, value),
          Effect.flatMap(
            ApnsPoolMap.make({ drainTimeout: "1 millis" }),
            (pools) => Effect.zipRight(call(pools.invalidate, value), call(pools.get, value))
          )
        ]
      )).pipe(Effect.provide(accepted)))
})
