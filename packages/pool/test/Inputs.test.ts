import { Request, Response } from "@effect-apns/core"
import { Notification } from "@effect-apns/models"
import { ApnsPool, send, sendAll, sendEach } from "@effect-apns/pool"
import { MockApns } from "@effect-apns/testing"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Either, Exit, Stream } from "effect"

const recorded = (requests: Array<Request.Request>) =>
  ApnsPool.layerTest((request) => {
    requests.push(request)
    return Effect.succeed(Response.make({ apnsId: "123E4567-E89B-12D3-A456-426655440000" }))
  })

const boom = () => {
  throw new Error("boom")
}

describe("what a program without types passes", () => {
  const notification = Notification.alert({ alert: "Hello" })
  const values = {
    undefined,
    "null": null,
    "an array": ["00"],
    "a text": "00",
    "a promise": Promise.resolve(),
    "an object": { path: "/3/device/00" },
    "a Proxy that throws": new Proxy({}, { get: boom, has: boom, ownKeys: boom, getPrototypeOf: boom })
  }
  const defectOf = (effect: Effect.Effect<unknown, unknown, ApnsPool.ApnsPool>) =>
    Effect.map(Effect.exit(effect), (exit) => Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "no failure")

  for (const [name, value] of Object.entries(values)) {
    it.effect(`${name} to post, sendAll or sendEach -> a defect that says what to give`, () =>
      Effect.gen(function*() {
        const { post } = yield* ApnsPool.ApnsPool
        const posted = yield* defectOf(Effect.suspend(() => Reflect.apply(post, undefined, [value])))
        assert.include(posted, "What was posted is no request: give what Request.make or Request.validate returns")
        for (const [send, options] of [[sendAll, { notification }], [sendEach, {}]] as const) {
          const sent = yield* defectOf(Stream.runDrain(Reflect.apply(send, undefined, [value, options])))
          assert.include(sent, "What is to be sent is no Stream: give one, such as Stream.fromIterable(tokens)")
        }
        const { apnsId } = yield* send({ token: "00", topic: "com.example.app", notification })
        assert.isNotEmpty(apnsId)
      }).pipe(Effect.provide(recorded([]))))
  }

  it.effect("an array to sendEach, and nothing else -> a defect that says what to give", () =>
    Effect.gen(function*() {
      const sent = yield* defectOf(Stream.runDrain(Reflect.apply(sendEach, undefined, [[]])))
      assert.include(sent, "What is to be sent is no Stream")
    }).pipe(Effect.provide(recorded([]))))
})

describe("options with a getter", () => {
  const notification = Notification.alert({ alert: "Hello" })
  const options = { token: "00", topic: "com.example.app", notification }
  const thrown = {
    "an error": new Error("boom"),
    "a text": "boom",
    "nothing": undefined,
    "an object without a prototype": Object.create(null),
    "a Proxy that throws": new Proxy({}, { get: boom, has: boom, ownKeys: boom, getPrototypeOf: boom })
  }
  for (const [name, value] of Object.entries(thrown)) {
    it.effect(`that throws ${name} -> a typed error`, () =>
      Effect.gen(function*() {
        const get = () => {
          throw value
        }
        for (const field of [...Object.keys(options), "priority", "expiration", "collapseId", "apnsId", "timeout"]) {
          const given = Object.defineProperty({ ...options }, field, { get, enumerable: true })
          const failed = yield* Effect.flip(Effect.exit(send(given)).pipe(Effect.flatten))
          assert.match(failed.message, /read|BadDeviceToken/, `${field}: ${failed.message}`)
        }
        const body = Request.validate({ path: "/3/device/00", body: { toJSON: get } })
        assert.match(Either.isLeft(body) ? body.left.message : "", /body: it is not JSON \((boom|it threw|undefined)\)/)
      }).pipe(Effect.provide(recorded([]))))
  }
})

const headersOf = ({ spec }: Request.Request): Record<string, string> => {
  const { extra = [], head } = spec
  const pairs = extra.flatMap((name, i) => i % 2 === 0 ? [[name, extra[i + 1] ?? ""] as const] : [])
  return Object.fromEntries([...head.headers, ...pairs])
}

describe("send", () => {
  it.effect("an apns-id in upper or lower case -> sent in lower case", () => {
    const requests: Array<Request.Request> = []
    return Effect.gen(function*() {
      const options = { token: "00", topic: "com.example.app", notification: Notification.alert({ alert: "Hello" }) }
      const { apnsId } = yield* send(options)
      yield* send({ ...options, apnsId })
      assert.deepStrictEqual(requests.map((request) => headersOf(request)["apns-id"]), [
        undefined,
        "123e4567-e89b-12d3-a456-426655440000"
      ])
    }).pipe(Effect.provide(recorded(requests)))
  })

  it.effect("a device token of 4,096 digits -> accepted", () => {
    const requests: Array<Request.Request> = []
    return Effect.gen(function*() {
      const token = "ab".repeat(2048)
      yield* send({ token, topic: "com.example.app", notification: Notification.alert({ alert: "Hello" }) })
      assert.strictEqual(requests[0]?.path, `/3/device/${token}`)
    }).pipe(Effect.provide(recorded(requests)))
  })

  it.scopedLive("a device token of 4,096 digits -> reaches the server", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const token = "0123456789abcdef".repeat(256)
      yield* send({ token, notification: Notification.alert({ alert: "Hello" }) })
      assert.deepStrictEqual((yield* apns.received).map((request) => request.token), [token])
    }).pipe(Effect.provide(MockApns.layerPool({ size: 1 }))))

  it.effect("a raw notification with an unknown push type and its own topic suffix -> sent", () => {
    const requests: Array<Request.Request> = []
    return Effect.gen(function*() {
      const notification = Notification.raw({
        pushType: "newtype",
        topicSuffix: ".push-type.newtype",
        payload: { a: 1 }
      })
      yield* send({ token: "00", topic: "com.example.app", notification, priority: 1 })
      yield* send({ token: "00", topic: "com.example.app.push-type.newtype", notification })
      const headers = requests.map(headersOf)
      assert.deepStrictEqual(headers, [
        {
          "apns-topic": "com.example.app.push-type.newtype",
          "apns-push-type": "newtype",
          "apns-priority": "1"
        },
        { "apns-topic": "com.example.app.push-type.newtype", "apns-push-type": "newtype" }
      ])
    }).pipe(Effect.provide(recorded(requests)))
  })

  it.effect("a topic that is too long with its suffix -> refused", () =>
    Effect.gen(function*() {
      const notification = Notification.raw({
        pushType: "newtype",
        topicSuffix: `.${"x".repeat(250)}`,
        payload: { a: 1 }
      })
      const error = yield* Effect.flip(send({ token: "00", topic: "com.example.app", notification }))
      assert.strictEqual(error._tag, "ParseError")
    }).pipe(Effect.provide(recorded([]))))
})
