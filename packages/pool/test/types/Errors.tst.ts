import type { Credentials, Endpoint } from "@effect-apns/core"
import type { DeviceToken } from "@effect-apns/models"
import { Notification, Rejection } from "@effect-apns/models"
import type { Channels, Receipt, SendAll } from "@effect-apns/pool"
import { ApnsPool, ApnsPoolMap, Broadcast, send, sendAll, sendEach } from "@effect-apns/pool"
import type { DateTime, Stream } from "effect"
import { Duration, Effect } from "effect"
import { describe, expect, test } from "tstyche"

declare const endpoint: Endpoint.Endpoint
declare const credentials: Credentials.Credentials
declare const channels: Channels.Channels
declare const tokens: Stream.Stream<DeviceToken.DeviceToken, "broken", "Db">
interface Item {
  readonly token: DeviceToken.DeviceToken
  readonly notification: Notification.Alert
  readonly line: number
}
declare const items: Stream.Stream<Item>
declare const update: Notification.Broadcast
const notification = Notification.alert({ alert: "Hello" })
const sending = send({ token: "4242", notification })

type TagOf<T> = T extends Effect.Effect<infer _A, infer E extends { readonly _tag: string }, infer _R> ? E["_tag"]
  : never

describe("errors by what is being done", () => {
  test("channel management knows nothing of device tokens", () => {
    // @ts-expect-error Argument of type '"Unregistered"' is not assignable
    channels.list().pipe(Effect.catchTag("Unregistered", () => Effect.void))
    channels.list().pipe(Effect.catchTag("CannotCreateChannelConfig", () => Effect.void))
    channels.delete({ channelId: "" }).pipe(Effect.catchTag("ChannelNotRegistered", () => Effect.void))
    expect<Extract<TagOf<ReturnType<typeof channels.list>>, "Unregistered" | "BadDeviceToken">>().type.toBe<never>()
  })

  test("a send knows nothing of channels, a broadcast nothing of device tokens and of channel management", () => {
    expect<Extract<TagOf<typeof sending>, "ChannelNotRegistered" | "CannotCreateChannelConfig">>().type.toBe<never>()
    expect<Extract<TagOf<typeof sending>, "Unregistered" | "BadDeviceToken">>().type.toBe<
      "Unregistered" | "BadDeviceToken"
    >()
    expect<Extract<TagOf<ReturnType<typeof Broadcast.send>>, "Unregistered" | "CannotCreateChannelConfig">>().type.toBe<
      never
    >()
    expect<Extract<TagOf<ReturnType<typeof Broadcast.send>>, "ChannelNotRegistered">>().type.toBe<
      "ChannelNotRegistered"
    >()
  })
})

describe("guards narrow", () => {
  test("in catchIf, with the timestamp, and take the error away", () => {
    const _handled = sending.pipe(
      Effect.catchIf(Rejection.isTokenDead, (error) => {
        expect(error).type.toBe<Rejection.Unregistered | Rejection.ExpiredToken | Rejection.UnknownReason>()
        return Effect.succeed(error.timestamp)
      })
    )
    expect<Effect.Effect.Success<typeof _handled>>().type.toBe<Receipt.Receipt | DateTime.Utc | undefined>()
    expect<Extract<TagOf<typeof _handled>, "Unregistered" | "ExpiredToken">>().type.toBe<never>()
    expect<Extract<TagOf<typeof _handled>, "Timeout">>().type.toBe<"Timeout">()
  })

  test("in an if, from unknown", () => {
    const error: unknown = undefined
    if (Rejection.isRetryable(error)) expect(error).type.toBe<Rejection.Retryable>()
    if (Rejection.isCredentialsProblem(error)) expect(error.reason).type.toBe<string>()
    if (Rejection.isTokenSuspect(error)) expect(error).type.toBe<Rejection.BadDeviceToken | Rejection.UnknownReason>()
  })

  test("for channel management too", () => {
    channels.list().pipe(Effect.catchIf(Rejection.isRetryable, ({ retryAfter }) => Effect.succeed(retryAfter)))
    channels.list().pipe(Effect.catchIf(Rejection.isCredentialsProblem, ({ reason }) => Effect.succeed(reason)))
  })
})

describe("sendAll and sendEach", () => {
  test("keep the token's type, called and piped", () => {
    expect(tokens.pipe(sendAll({ notification }))).type.toBe<
      Stream.Stream<SendAll.Outcome<DeviceToken.DeviceToken>, "broken", "Db" | ApnsPool.ApnsPool>
    >()
    expect(sendAll(tokens, { notification })).type.toBe<
      Stream.Stream<SendAll.Outcome<DeviceToken.DeviceToken>, "broken", "Db" | ApnsPool.ApnsPool>
    >()
  })

  test("keep the item's type, called and piped", () => {
    expect(sendEach(items)).type.toBe<Stream.Stream<SendAll.ItemOutcome<Item>, never, ApnsPool.ApnsPool>>()
    expect(items.pipe(sendEach())).type.toBe<Stream.Stream<SendAll.ItemOutcome<Item>, never, ApnsPool.ApnsPool>>()
    expect(items.pipe(sendEach({ concurrency: 1 }))).type.toBe<
      Stream.Stream<SendAll.ItemOutcome<Item>, never, ApnsPool.ApnsPool>
    >()
    expect<SendAll.ItemOutcome<Item>["token"]>().type.toBe<DeviceToken.DeviceToken>()
  })
})

describe("spans of time", () => {
  test("a bare number is refused, text with a unit and a Duration are taken", () => {
    const given = { token: "4242", notification }
    expect(send).type.not.toBeCallableWith({ ...given, timeout: 5 })
    expect(send).type.not.toBeCallableWith({ ...given, timeout: 5n })
    expect(send).type.not.toBeCallableWith({ ...given, timeout: "30s" })
    expect(send).type.toBeCallableWith({ ...given, timeout: "5 seconds" })
    expect(send).type.toBeCallableWith({ ...given, timeout: Duration.millis(5) })
    expect(channels.list).type.not.toBeCallableWith({ timeout: 5 })
    expect(ApnsPool.layer).type.not.toBeCallableWith({ endpoint, credentials, drainTimeout: 5 })
    expect(ApnsPool.layer).type.toBeCallableWith({ endpoint, credentials, drainTimeout: "5 seconds" })
    expect(ApnsPoolMap.layer).type.not.toBeCallableWith({ idleTimeToLive: 5 })
    expect(ApnsPoolMap.layer).type.toBeCallableWith({ idleTimeToLive: Duration.hours(1) })
    expect(Broadcast.send).type.not.toBeCallableWith({
      channelId: "",
      expiration: "none",
      notification: update,
      timeout: 5
    })
  })
})
