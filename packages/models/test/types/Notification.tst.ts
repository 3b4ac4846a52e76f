import type { Json, Priority, PushType, Reason } from "@effect-apns/models"
import { Lint, LiveActivity, Notification, Rejection } from "@effect-apns/models"
import { DateTime, Effect, Schema } from "effect"
import { describe, expect, test } from "tstyche"

describe("wrong combinations do not compile", () => {
  test("a background push shows nothing", () => {
    expect(Notification.background).type.toBeCallableWith({ custom: { a: 1 } })
    expect(Notification.background).type.not.toBeCallableWith({ alert: "x" })
    expect(Notification.background).type.not.toBeCallableWith({ badge: 1 })
    expect(Notification.background).type.not.toBeCallableWith({ sound: "default" })
  })

  test("fixed payloads have no other keys", () => {
    expect(Notification.mdm).type.not.toBeCallableWith({ pushMagic: "m", custom: {} })
    expect(Notification.mdm).type.not.toBeCallableWith({})
    expect(Notification.fileProvider).type.not.toBeCallableWith({ domain: "d" })
    expect(Notification.widgets).type.not.toBeCallableWith({ alert: "x" })
    expect(Notification.controls).type.not.toBeCallableWith({ badge: 1 })
  })

  test("priorities are those of the push type", () => {
    expect<Priority.For<"background">>().type.toBe<5>()
    expect<Priority.For<"location">>().type.toBe<10 | 5>()
    expect<Priority.For<"liveactivity">>().type.toBe<10 | 5>()
    expect<Priority.For<"alert">>().type.toBe<10 | 5 | 1>()
    expect<Priority.For<"background">>().type.not.toBeAssignableFrom<10>()
    expect<Priority.Priority>().type.not.toBeAssignableFrom<7>()
  })

  test("alerts take what Apple names", () => {
    expect(Notification.alert).type.toBeCallableWith({ alert: "x" })
    expect(Notification.alert).type.toBeCallableWith({
      alert: { title: Notification.localized("K", ["a"]), body: undefined },
      contentAvailable: false,
      badge: undefined
    })
    expect(Notification.alert).type.not.toBeCallableWith({ alert: 1 })
    expect(Notification.alert).type.not.toBeCallableWith({ alert: { titel: "x" } })
    expect(Notification.alert).type.not.toBeCallableWith({ treadId: "x" })
    expect(Notification.alert).type.not.toBeCallableWith({ interruptionLevel: "loud" })
    expect(Notification.alert).type.not.toBeCallableWith({ sound: { volume: "loud" } })
    expect(Notification.localized).type.not.toBeCallableWith("K", [1])
    expect(Notification.localized).type.not.toBeCallableWith("K", "Jenna")
  })

  test("custom keys are JSON", () => {
    expect<Json.JsonObject>().type.toBeAssignableFrom<{ a: number; b?: string | undefined; c: Array<null> }>()
    expect<Json.JsonObject>().type.toBeAssignableFrom<Record<string, Json.Json>>()
    expect<Json.JsonObject>().type.not.toBeAssignableFrom<{ at: Date }>()
    expect<Json.JsonObject>().type.not.toBeAssignableFrom<{ n: bigint }>()
    expect<Json.JsonObject>().type.not.toBeAssignableFrom<{ f: () => void }>()
  })

  test("raw payloads keep their push type", () => {
    const raw = Notification.raw({ pushType: "location", payload: "{}" })
    expect(raw).type.toBe<Notification.Raw<"location">>()
    expect(Notification.raw({ pushType: "newtype", payload: "{}" })).type.toBe<Notification.Raw<"newtype">>()
    expect(Notification.raw).type.not.toBeCallableWith({ pushType: 7, payload: "{}" })
  })
})

describe("Live Activities", () => {
  const Adventure = LiveActivity.define({
    attributesType: "AdventureAttributes",
    attributes: Schema.Struct({ hero: Schema.String }),
    contentState: Schema.Struct({ health: Schema.NumberFromString })
  })

  test("are typed by the caller's Schemas", () => {
    expect(Adventure.update).type.toBeCallableWith({ timestamp: 1, contentState: { health: 1 } })
    expect(Adventure.update).type.toBeCallableWith({
      timestamp: DateTime.unsafeMake(0),
      staleDate: new Date(0),
      contentState: { health: 1 }
    })
    expect(Adventure.update).type.not.toBeCallableWith({ timestamp: 1, contentState: { health: "1" } })
    expect(Adventure.update).type.not.toBeCallableWith({ timestamp: 1, contentState: {} })
    expect(Adventure.update).type.not.toBeCallableWith({ contentState: { health: 1 } })
    expect(Adventure.update).type.not.toBeCallableWith({ timestamp: 1 })
    expect(Adventure.end).type.toBeCallableWith({ timestamp: 1 })
    expect(Adventure.start).type.not.toBeCallableWith({
      timestamp: 1,
      attributes: { hero: "x" },
      contentState: { health: 1 }
    })
    expect(Adventure.start).type.toBeCallableWith({
      timestamp: 1,
      attributes: { hero: "x" },
      contentState: { health: 1 },
      alert: { title: "t" }
    })
  })

  test("only an end is dismissed, only a start has attributes", () => {
    expect(Adventure.update).type.not.toBeCallableWith({
      timestamp: 1,
      contentState: { health: 1 },
      dismissalDate: 1
    })
    expect(Adventure.update).type.not.toBeCallableWith({
      timestamp: 1,
      contentState: { health: 1 },
      attributes: { hero: "x" }
    })
  })

  test("are notifications, and a start cannot be broadcast", () => {
    expect<Notification.Notification>().type.toBeAssignableFrom<
      LiveActivity.Start<{ hero: string }, { health: number }>
    >()
    expect<Notification.Broadcast>().type.toBeAssignableFrom<LiveActivity.Update<{ health: number }>>()
    expect<Notification.Broadcast>().type.not.toBeAssignableFrom<LiveActivity.Start>()
    expect<Notification.Broadcast>().type.not.toBeAssignableFrom<Notification.Alert>()
  })
})

describe("rejections", () => {
  test("have a tag for each reason", () => {
    expect<Rejection.Rejection["_tag"]>().type.toBe<Reason.Canonical | "UnknownReason">()
    expect<Reason.Canonical>().type.not.toBeAssignableFrom<"BadEnvironmentKeyInToken">()
    expect<Reason.Reason>().type.toBeAssignableFrom<"BadEnvironmentKeyInToken">()
  })

  test("leave the error channel when they are caught", () => {
    const caught = Effect.fail(Rejection.make({ reason: "Unregistered" })).pipe(
      Effect.catchTag("Unregistered", ({ timestamp }) => {
        expect(timestamp).type.toBe<DateTime.Utc | undefined>()
        return Effect.void
      })
    )
    expect(caught).type.toBe<Effect.Effect<void, Exclude<Rejection.Rejection, Rejection.Unregistered>>>()
  })

  test("are told apart", () => {
    expect<Rejection.Unregistered>().type.not.toBeAssignableTo<Rejection.ExpiredToken>()
    expect<Rejection.PayloadTooLarge["size"]>().type.toBe<number | undefined>()
  })
})

test("push types are the eleven, and what a raw payload names", () => {
  expect<Exclude<Notification.Notification, Notification.Raw>["pushType"]>().type.toBe<PushType.PushType>()
  expect<PushType.PushType>().type.toBeAssignableTo<Notification.Notification["pushType"]>()
})

test("the current time of a lint is a DateTime or a Date, not a number", () => {
  expect(Lint.lint).type.toBeCallableWith({ payload: "", now: DateTime.unsafeNow() })
  expect(Lint.lint).type.toBeCallableWith({ payload: "", now: new Date() })
  expect(Lint.lint).type.not.toBeCallableWith({ payload: "", now: 1_700_000_000_000 })
})
