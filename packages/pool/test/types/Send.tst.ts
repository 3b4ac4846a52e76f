import type { Failure } from "@effect-apns/core"
import type { Rejection } from "@effect-apns/models"
import { Notification } from "@effect-apns/models"
import type { ApnsPool, Receipt, SendAll } from "@effect-apns/pool"
import { send, sendAll } from "@effect-apns/pool"
import type { ParseResult, Stream } from "effect"
import { Effect } from "effect"
import { describe, expect, test } from "tstyche"

declare const tokens: Stream.Stream<string, "broken", "Db">
const token = "4242"
const topic = "com.example.app"
const alert = Notification.alert({ alert: "Hello" })

describe("send", () => {
  test("needs the pool and says how it can fail", () => {
    expect(send({ token, topic, notification: alert })).type.toBe<
      Effect.Effect<
        Receipt.Receipt,
        Failure.PoolError | Rejection.Of<"device"> | ParseResult.ParseError,
        ApnsPool.ApnsPool
      >
    >()
  })

  test("every reason can be caught by its name, with its fields", () => {
    Effect.catchTags(send({ token, topic, notification: alert }), {
      Unregistered: ({ timestamp }) => Effect.succeed(timestamp?.epochMillis),
      Timeout: ({ limit, processed }) => Effect.succeed(`${processed} ${limit}`),
      Closed: ({ closeCause }) => Effect.succeed(closeCause._tag),
      PayloadTooLarge: ({ limit, size }) => Effect.succeed([size, limit])
    })
  })

  test("a pool never says Blocked", () => {
    const _failure = Effect.flip(send({ token, topic, notification: alert }))
    expect<Extract<Effect.Effect.Success<typeof _failure>["_tag"], "Blocked">>().type.toBe<never>()
  })

  test("priorities that Apple forbids do not compile", () => {
    expect(send).type.toBeCallableWith({ token, topic, notification: Notification.background(), priority: 5 })
    expect(send).type.not.toBeCallableWith({ token, topic, notification: Notification.background(), priority: 10 })
    expect(send).type.not.toBeCallableWith({ token, topic, notification: Notification.location(), priority: 1 })
    expect(send).type.not.toBeCallableWith({ token, topic, notification: alert, priority: 7 })
  })

  test("a notification is not to be left out, nor a token", () => {
    expect(send).type.not.toBeCallableWith({ token, topic })
    expect(send).type.not.toBeCallableWith({ topic, notification: alert })
  })
})

describe("sendAll", () => {
  test("keeps the errors and needs of its stream apart from the outcomes", () => {
    expect(sendAll(tokens, { topic, notification: alert })).type.toBe<
      Stream.Stream<SendAll.Outcome<string>, "broken", "Db" | ApnsPool.ApnsPool>
    >()
  })

  test("priorities that Apple forbids do not compile", () => {
    expect(sendAll).type.not.toBeCallableWith(tokens, { topic, notification: Notification.background(), priority: 10 })
  })
})
