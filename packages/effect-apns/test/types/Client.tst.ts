import type { DateTime } from "effect"
import type { DeviceToken, Processed } from "effect-apns"
import { Credentials, Endpoint } from "effect-apns"
import type { Client, SendError } from "effect-apns/client"
import { createClient, Either, Notification, Rejection } from "effect-apns/client"
import { describe, expect, test } from "tstyche"

declare const client: Client
declare const tokens: AsyncIterable<DeviceToken.DeviceToken>
declare const credentials: Credentials.Credentials
const notification = Notification.alert({ alert: "Hello" })
const key = { keyFile: "AuthKey_ABC123DEFG.p8", keyId: "ABC123DEFG", teamId: "DEF123GHIJ" }

describe("createClient", () => {
  test("takes one way to say who is sending, and text where the library has values", () => {
    expect(createClient).type.toBeCallableWith({ ...key, endpoint: "production", topic: "com.example.app" })
    expect(createClient).type.toBeCallableWith({ credentials, endpoint: Endpoint.development, proxy: "env" })
    expect(createClient).type.toBeCallableWith({ pkcs12: new Uint8Array(), passphrase: "secret" })
    expect(createClient).type.not.toBeCallableWith({ topic: "com.example.app" })
    expect(createClient).type.not.toBeCallableWith({ keyFile: "AuthKey_ABC123DEFG.p8" })
    expect(createClient).type.not.toBeCallableWith({ credentials: Credentials.token(key) })
  })

  test("takes no bare number as a time", () => {
    expect(createClient).type.not.toBeCallableWith({ ...key, drainTimeout: 5 })
    expect(createClient).type.not.toBeCallableWith({ ...key, connectTimeout: 5 })
    expect(createClient).type.toBeCallableWith({ ...key, drainTimeout: "5 seconds" })
    expect(client.send).type.not.toBeCallableWith({ token: "", notification, timeout: 5 })
    expect(client.send).type.toBeCallableWith({ token: "", notification, signal: AbortSignal.timeout(5) })
  })
})

describe("outcomes", () => {
  test("keep the type of the token, over arrays and async iterables", () => {
    for (const outcomes of [client.sendAll(tokens, { notification })]) {
      expect(outcomes.next().then(({ value }) => value)).type.toBeAssignableTo<Promise<unknown>>()
    }
    async function each() {
      for await (const { result, token } of client.sendAll(tokens, { notification })) {
        expect(token).type.toBe<DeviceToken.DeviceToken>()
        if (Either.isRight(result)) expect(result.right.apnsId).type.toBe<string>()
        else expect(result.left).type.toBe<SendError>()
      }
      for await (const { item } of client.sendEach([{ token: "aa", notification, line: 1 }])) {
        expect(item.line).type.toBe<number>()
      }
    }
    expect(each).type.toBe<() => Promise<void>>()
  })

  test("each error says whether APNs can have processed the notification, a ParseError too", () => {
    expect<SendError["processed"]>().type.toBe<Processed.Processed>()
    expect<Extract<SendError, { readonly _tag: "ParseError" }>["processed"]>().type.toBe<"no">()
    const error: unknown = undefined
    if (Rejection.isTokenDead(error)) expect(error.timestamp).type.toBe<DateTime.Utc | undefined>()
  })
})
