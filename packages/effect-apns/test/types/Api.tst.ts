import type { FileSystem } from "@effect/platform"
import type { ConfigError, DateTime, Duration, Either, Layer, Stream } from "effect"
import { Config, Effect, Schema } from "effect"
import type { Broadcast, DeviceToken, Processed, Send, SendAll } from "effect-apns"
import {
  ApnsPool,
  ApnsPoolMap,
  Channels,
  Credentials,
  Endpoint,
  LiveActivity,
  Notification,
  Proxy,
  Receipt,
  Rejection,
  Request,
  send,
  sendAll,
  sendEach
} from "effect-apns"
import * as EffectApns from "effect-apns"
import { describe, expect, test } from "tstyche"

declare const value: Credentials.Credentials
declare const tokens: Stream.Stream<DeviceToken.DeviceToken>
declare const texts: Stream.Stream<`token-${string}`>
const endpoint = Endpoint.production
const file = { keyFile: "AuthKey_ABC123DEFG.p8", keyId: "ABC123DEFG", teamId: "DEF123GHIJ" }
const notification = Notification.alert({ alert: "Hello" })

describe("one package has everything", () => {
  test("the names that the guides use", () => {
    expect(LiveActivity).type.toHaveProperty("define")
    expect(Receipt).type.toHaveProperty("Receipt")
    expect(EffectApns).type.toHaveProperty("Connection")
    expect(EffectApns).type.toHaveProperty("Simulator")
    expect(EffectApns).type.not.toHaveProperty("Delivery")
    expect(EffectApns).type.not.toHaveProperty("Exchange")
    expect(EffectApns).type.not.toHaveProperty("ApnsPools")
  })
})

describe("credentials are a value or an Effect, in each layer", () => {
  test("an Effect needs what it needs, a value nothing", () => {
    type Failed = Credentials.CredentialsError | ApnsPool.InvalidPoolOptions
    const fromFile = Credentials.token(file)
    expect(ApnsPool.layer({ endpoint, credentials: value })).type.toBe<Layer.Layer<ApnsPool.ApnsPool, Failed>>()
    expect(ApnsPool.layer({ endpoint, credentials: fromFile })).type.toBe<
      Layer.Layer<ApnsPool.ApnsPool, Failed, FileSystem.FileSystem>
    >()
    expect(Channels.layer({ endpoint, credentials: value })).type.toBe<Layer.Layer<Channels.Channels, Failed>>()
    expect(Channels.layer({ endpoint, credentials: fromFile })).type.toBe<
      Layer.Layer<Channels.Channels, Failed, FileSystem.FileSystem>
    >()
    expect(Effect.scoped(ApnsPoolMap.get({ endpoint, credentials: value }))).type.toBe<
      Effect.Effect<ApnsPool.ApnsPool, ApnsPoolMap.OpenError, ApnsPoolMap.ApnsPoolMap>
    >()
    expect(Effect.scoped(ApnsPoolMap.get({ endpoint, credentials: fromFile }))).type.toBe<
      Effect.Effect<
        ApnsPool.ApnsPool,
        ApnsPoolMap.OpenError | Credentials.CredentialsError,
        ApnsPoolMap.ApnsPoolMap | FileSystem.FileSystem
      >
    >()
  })

  test("a proxy too", () => {
    expect(ApnsPool.layer({ endpoint, credentials: value, proxy: Proxy.make("http://proxy.example:3128") })).type.toBe<
      Layer.Layer<
        ApnsPool.ApnsPool,
        Credentials.CredentialsError | ApnsPool.InvalidPoolOptions | Proxy.InvalidProxy
      >
    >()
  })

  test("options from configuration: layerConfig and layerFromEnv", () => {
    expect(ApnsPool.layerConfig({ endpoint: Config.succeed(endpoint), credentials: Config.succeed(value) })).type.toBe<
      Layer.Layer<
        ApnsPool.ApnsPool,
        Credentials.CredentialsError | ApnsPool.InvalidPoolOptions | ConfigError.ConfigError
      >
    >()
    expect(ApnsPool.layerFromEnv()).type.toBeAssignableTo<
      Layer.Layer<
        ApnsPool.ApnsPool,
        Credentials.CredentialsError | ApnsPool.InvalidPoolOptions | ConfigError.ConfigError,
        FileSystem.FileSystem
      >
    >()
    expect(Channels).type.toHaveProperty("layerConfig")
    expect(Channels).type.toHaveProperty("layerFromEnv")
    expect(ApnsPoolMap).type.toHaveProperty("layerConfig")
    expect(ApnsPoolMap).type.toHaveProperty("layerFromEnv")
  })
})

describe("make and unsafeMake", () => {
  test("make gives an Either or an Effect, unsafeMake the value", () => {
    expect(Endpoint.make("https://localhost")).type.toBe<Either.Either<Endpoint.Endpoint, Endpoint.InvalidEndpoint>>()
    expect(Endpoint.unsafeMake("https://localhost")).type.toBe<Endpoint.Endpoint>()
    expect(Proxy.make("http://localhost")).type.toBe<Either.Either<Proxy.Proxy, Proxy.InvalidProxy>>()
    expect(Request.validate({ path: "/" })).type.toBe<Either.Either<Request.Request, Request.InvalidRequest>>()
  })
})

describe("errors", () => {
  test("each has processed, but a ParseError", () => {
    expect<Exclude<Send.SendError, { readonly _tag: "ParseError" }>["processed"]>().type.toBe<Processed.Processed>()
    expect<Exclude<Broadcast.BroadcastError, { readonly _tag: "ParseError" }>["processed"]>().type.toBe<
      Processed.Processed
    >()
  })

  test("refinements narrow inside catchIf and if", () => {
    const sending = send({ token: "", notification })
    const _handled = sending.pipe(
      Effect.catchIf(Rejection.isTokenDead, ({ timestamp }) => Effect.succeed(timestamp)),
      Effect.catchIf(Rejection.isRetryable, ({ retryAfter }) => Effect.succeed(retryAfter))
    )
    expect<Effect.Effect.Success<typeof _handled>>().type.toBe<
      Receipt.Receipt | DateTime.Utc | Duration.Duration | undefined
    >()
  })

  test("are Schemas, and so is a receipt", () => {
    expect(Schema.encodeSync(Receipt.Receipt)).type.toBeCallableWith(new Receipt.Receipt("", undefined, 1))
    expect<Schema.Schema.Type<typeof Send.SendError>>().type.toBe<Send.SendError>()
    expect<Schema.Schema.Type<typeof Request.InvalidRequest>>().type.toBe<Request.InvalidRequest>()
    expect<Schema.Schema.Type<typeof Endpoint.InvalidEndpoint>>().type.toBe<Endpoint.InvalidEndpoint>()
    expect<Schema.Schema.Type<typeof Proxy.InvalidProxy>>().type.toBe<Proxy.InvalidProxy>()
  })
})

describe("sendAll and sendEach keep the type of the token", () => {
  test("whatever subtype of string it is", () => {
    expect(tokens.pipe(sendAll({ notification }))).type.toBe<
      Stream.Stream<SendAll.Outcome<DeviceToken.DeviceToken>, never, ApnsPool.ApnsPool>
    >()
    expect(sendAll(texts, { notification })).type.toBe<
      Stream.Stream<SendAll.Outcome<`token-${string}`>, never, ApnsPool.ApnsPool>
    >()
    expect(sendEach).type.not.toBeCallableWith(tokens)
  })

  test("take no bare number as a time", () => {
    expect(sendAll).type.not.toBeCallableWith(tokens, { notification, timeout: 5 })
    expect(sendAll).type.toBeCallableWith(tokens, { notification, timeout: "5 seconds" })
  })
})
