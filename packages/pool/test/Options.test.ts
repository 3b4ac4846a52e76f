import { Response } from "@effect-apns/core"
import { DeviceToken, Notification, Rejection } from "@effect-apns/models"
import { ApnsPool, Broadcast, Channels, send, type SendAll, sendAll, sendEach } from "@effect-apns/pool"
import { assert, describe, it } from "@effect/vitest"
import { Chunk, Effect, Either, Logger, LogLevel, ParseResult, Stream } from "effect"

const token = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
const notification = Notification.alert({ alert: "Hello" })
const good = { token, notification, topic: "com.example.app" }

/** What a program in JavaScript may pass for the options of `send`; `option` is the one that is at fault. */
const strange: ReadonlyArray<{ readonly option: string; readonly given: () => unknown }> = [
  ...[5, 0, -1, 5n, "5", "30s", "soon", "", null, Number.NaN, {}, [1, 2], "0 seconds"].map((timeout) => ({
    option: "timeout",
    given: () => ({ ...good, timeout })
  })),
  ...["2020-01-01", 1704067200000, null, new Date(Number.NaN), {}, true].map((deadline) => ({
    option: "deadline",
    given: () => ({ ...good, deadline })
  })),
  ...["sometimes", null, true, 1].map((retransmit) => ({
    option: "retransmit",
    given: () => ({ ...good, retransmit })
  })),
  ...[null, "soon", 1.5, -1, 1704067200000, new Date(Number.NaN), {}, true].map((expiration) => ({
    option: "expiration",
    given: () => ({ ...good, expiration })
  })),
  ...[null, "10", 7, {}].map((priority) => ({ option: "priority", given: () => ({ ...good, priority }) })),
  ...[null, "", "com example", 7].map((topic) => ({ option: "topic", given: () => ({ ...good, topic }) })),
  ...[null, "x".repeat(65), 7].map((collapseId) => ({ option: "collapseId", given: () => ({ ...good, collapseId }) })),
  ...[null, "42", 7].map((apnsId) => ({ option: "apnsId", given: () => ({ ...good, apnsId }) })),
  ...[undefined, null, "Hello", 7, {}, { pushType: "" }].map((notification) => ({
    option: "notification",
    given: () => ({ ...good, notification })
  })),
  ...["token", "notification", "topic", "priority", "expiration", "collapseId", "apnsId", "timeout", "deadline"].map(
    (option) => ({
      option,
      given: () =>
        Object.defineProperty({ ...good }, option, {
          get: () => {
            throw new Error("boom")
          }
        })
    })
  )
]

const pathsOf = (error: unknown): ReadonlyArray<string> =>
  ParseResult.isParseError(error)
    ? ParseResult.ArrayFormatter.formatErrorSync(error).map(({ path }) => String(path[0]))
    : []

/** Calls with whatever a program without types would pass. */
const untyped = <A>(f: (options: typeof good) => A): (given: unknown) => A => (given) =>
  Reflect.apply(f, undefined, [given])

const eachOf: (items: Stream.Stream<unknown>) => Stream.Stream<SendAll.ItemOutcome, never, ApnsPool.ApnsPool> = (
  items
) => Reflect.apply(sendEach, undefined, [items])

const accepted = ApnsPool.layerTest(() => Effect.succeed(Response.make()))

describe("options of the wrong type", () => {
  for (const [index, { given, option }] of strange.entries()) {
    it.effect(`send: wrong ${option} -> an error that names it (${index})`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(untyped(send)(given()))
        assert.strictEqual(error._tag, "ParseError")
        assert.deepStrictEqual([...new Set(pathsOf(error))], [option])
        assert.include(error.message, option)
      }).pipe(Effect.provide(accepted)))
  }

  it.effect("sendEach: items with wrong options -> that error for each, the others are sent", () =>
    Effect.gen(function*() {
      const items = strange.flatMap(({ given }) => [good, given()])
      const outcomes = yield* Stream.runCollect(eachOf(Stream.fromIterable(items)))
      assert.strictEqual(Chunk.size(outcomes), items.length)
      const results = Chunk.toReadonlyArray(outcomes)
      assert.strictEqual(results.filter(({ result }) => Either.isRight(result)).length, strange.length)
      const refused = results.flatMap(({ result }) => Either.isLeft(result) ? [result.left] : [])
      assert.isTrue(refused.every((error) => error._tag === "ParseError"))
      assert.sameMembers(refused.flatMap((error) => [...new Set(pathsOf(error))]), strange.map(({ option }) => option))
    }).pipe(Effect.provide(accepted)))

  it.effect("sendAll: wrong options -> the same error for each token", () =>
    Effect.forEach(strange.filter(({ option }) => option !== "token"), ({ given, option }) =>
      Effect.gen(function*() {
        const outcomes = yield* Stream.runCollect(
          untyped((options) => sendAll(Stream.make(token, token), options))(given())
        )
        for (const { result } of outcomes) {
          const error = Either.getOrElse(Either.flip(result), () => undefined)
          assert.deepStrictEqual([...new Set(pathsOf(error))], [option])
        }
        assert.strictEqual(Chunk.size(outcomes), 2)
      })).pipe(Effect.provide(accepted)))

  it.effect.each([null, undefined, 7, "text"])(
    "%j in place of the options -> ParseError",
    (given) =>
      Effect.gen(function*() {
        assert.strictEqual((yield* Effect.flip(untyped(send)(given)))._tag, "ParseError")
        const [each] = Chunk.toReadonlyArray(yield* Stream.runCollect(eachOf(Stream.make(given, good))))
        assert.strictEqual(each?.token, "")
        assert.strictEqual(each !== undefined && Either.isLeft(each.result) && each.result.left._tag, "ParseError")
        const broadcast = yield* Effect.flip(
          Reflect.apply(Broadcast.send, undefined, [given]) as ReturnType<typeof Broadcast.send>
        )
        assert.strictEqual(broadcast._tag, "ParseError")
      }).pipe(Effect.provide(accepted))
  )

  it.effect.each([
    { option: "timeout", given: { timeout: 5 } },
    { option: "timeout", given: { timeout: "30s" } },
    { option: "bundleId", given: { bundleId: null } },
    { option: "requestId", given: { requestId: "42" } }
  ])("channel management refuses $option and names it", ({ given, option }) =>
    Effect.gen(function*() {
      const channels = Channels.fromPool(yield* ApnsPool.ApnsPool, "com.example.app")
      const ask: (options: unknown) => ReturnType<typeof channels.list> = (options) =>
        Reflect.apply(channels.list, undefined, [options])
      const error = yield* Effect.flip(ask(given))
      assert.deepStrictEqual([...new Set(pathsOf(error))], [option])
    }).pipe(Effect.provide(accepted)))
})

describe("a token that is not valid", () => {
  const bad = ["../4242", "", "xyz", "42 42", "abc", null, undefined, 42, {}]

  it.effect("send and sendEach -> BadDeviceToken with origin local, nothing is sent", () =>
    Effect.forEach(bad, (token) =>
      Effect.gen(function*() {
        const given = { ...good, token }
        const one = yield* Effect.flip(untyped(send)(given))
        const [each] = Chunk.toReadonlyArray(yield* Stream.runCollect(eachOf(Stream.make(given))))
        assert.isTrue(each !== undefined && Either.isLeft(each.result))
        for (const error of [one, ...(each === undefined || Either.isRight(each.result) ? [] : [each.result.left])]) {
          assert.strictEqual(error._tag, "BadDeviceToken")
          assert.isTrue(Rejection.isTokenSuspect(error) && error.origin === "local" && error.processed === "no")
          assert.match(error.message, /Nothing was sent\.$/)
          if (typeof token === "string" && token.length > 3) assert.notInclude(error.message, token)
        }
      })).pipe(Effect.provide(accepted)))

  it.effect("sendAll -> BadDeviceToken in the place of that token, the others are sent", () =>
    Effect.gen(function*() {
      const outcomes = Chunk.toReadonlyArray(
        yield* Stream.runCollect(
          Stream.make(token, "xyz", token).pipe(sendAll({ notification, topic: "com.example.app" }))
        )
      )
      assert.deepStrictEqual(outcomes.map(({ token }) => token).sort(), [token, "xyz", token].sort())
      assert.strictEqual(outcomes.filter(({ result }) => Either.isRight(result)).length, 2)
    }).pipe(Effect.provide(accepted)))
})

describe("reasons of another kind of request", () => {
  const answers = (reason: string) =>
    ApnsPool.layerTest(() => Effect.succeed(Response.make({ status: 400, body: { reason } })))

  it.effect("a reason of channels for a device push, or the reverse -> UnknownReason", () =>
    Effect.gen(function*() {
      const device = yield* Effect.flip(Effect.provide(send(good), answers("ChannelNotRegistered")))
      assert.deepInclude(device, { _tag: "UnknownReason", reason: "ChannelNotRegistered", status: 400 })
      const list = yield* Effect.flatMap(
        ApnsPool.ApnsPool,
        (pool) => Effect.flip(Channels.fromPool(pool, "com.example.app").list())
      ).pipe(Effect.provide(answers("Unregistered")))
      assert.deepInclude(list, { _tag: "UnknownReason", reason: "Unregistered", status: 400 })
    }))
})

describe("sendAll and sendEach", () => {
  it.effect("a concurrency that is none, and a logger that throws when it is told -> the default all the same", () =>
    Effect.gen(function*() {
      const given = { notification, topic: "com.example.app", concurrency: 0 }
      assert.strictEqual(yield* Stream.runCount(sendAll(Stream.make(token, token), given)), 2)
    }).pipe(
      Effect.provide(accepted),
      Effect.provide(Logger.replace(
        Logger.defaultLogger,
        Logger.make(() => {
          throw new Error("a bug in a logger")
        })
      ))
    ))

  it.effect.each([Number.NaN, 0, -1, "many", null, {}])(
    "concurrency %j, which is not a positive number -> the default",
    (concurrency) =>
      Effect.gen(function*() {
        const given = { notification, topic: "com.example.app", concurrency }
        const all: Stream.Stream<SendAll.Outcome, never, ApnsPool.ApnsPool> = Reflect.apply(sendAll, undefined, [
          Stream.make(token, token),
          given
        ])
        const each: Stream.Stream<SendAll.ItemOutcome, never, ApnsPool.ApnsPool> = Reflect.apply(sendEach, undefined, [
          Stream.make(good),
          { concurrency }
        ])
        assert.strictEqual(yield* Stream.runCount(all), 2)
        assert.strictEqual(yield* Stream.runCount(each), 1)
        const none: Stream.Stream<SendAll.ItemOutcome, never, ApnsPool.ApnsPool> = Reflect.apply(sendEach, undefined, [
          Stream.make(good),
          null
        ])
        assert.strictEqual(yield* Stream.runCount(none), 1)
      }).pipe(Effect.provide(accepted), Logger.withMinimumLogLevel(LogLevel.None))
  )

  it.effect("work in a pipe, with options and without", () =>
    Effect.gen(function*() {
      const tokens = Stream.make(DeviceToken.DeviceToken.make(token))
      const all = yield* tokens.pipe(sendAll({ notification, topic: "com.example.app" }), Stream.runCollect)
      const each = yield* Stream.make(good).pipe(sendEach(), Stream.runCollect)
      const bounded = yield* Stream.make(good).pipe(sendEach({ concurrency: 1 }), Stream.runCollect)
      assert.deepStrictEqual(Chunk.toReadonlyArray(all).map(({ token }) => token), [token])
      assert.deepStrictEqual(Chunk.toReadonlyArray(each).map(({ token }) => token), [token])
      assert.deepStrictEqual(Chunk.toReadonlyArray(bounded).map(({ item }) => item), [good])
    }).pipe(Effect.provide(accepted)))
})
