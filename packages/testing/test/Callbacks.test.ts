/**
 * Callbacks and behaviors of the program's own making that throw, reject or return something else, as plain JavaScript can: the
 * mock says so in the log, answers, and goes on. (An exception that nobody catches fails every test file.)
 */
import { type Behavior, MockApns } from "@effect-apns/testing"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Fiber, Logger } from "effect"
import { connect, good } from "./utils/client.js"

const boom = new Error("boom")

/** What a program without types passes. */
const untyped: (value: unknown) => asserts value is never = () => {}
const given = (value: unknown): never => {
  untyped(value)
  return value
}

const throwing = (): never => {
  throw boom
}
const rejecting = given(async () => {
  await Promise.resolve()
  throw boom
})

/** Sends a request to a mock, and collects what is logged. */
const answered = (
  options: MockApns.Options,
  prepare: (apns: MockApns.MockApns) => Effect.Effect<void> = () => Effect.void
) => {
  const logged: Array<string> = []
  return Effect.gen(function*() {
    const apns = yield* MockApns.MockApns
    const client = yield* connect(apns)
    const headers = yield* good(apns)
    yield* prepare(apns)
    const answer = yield* client.send(headers)
    yield* apns.script(undefined)
    // it goes on
    yield* client.send(headers)
    assert.strictEqual(yield* apns.receivedCount, 2)
    return { answer, logged }
  }).pipe(
    Effect.provide(MockApns.layer(options)),
    Effect.provide(Logger.replace(
      Logger.defaultLogger,
      Logger.make(({ cause, message }) => {
        logged.push(`${String(message)}: ${Cause.pretty(cause).split("\n")[0]}`)
      })
    ))
  )
}

describe("a callback of the mock fails", () => {
  for (
    const [how, callback, cause] of [
      ["throws", throwing, "Error: boom"],
      ["rejects", rejecting, "Error: boom"]
    ] as const
  ) {
    it.scopedLive(`onReceived ${how} -> logged, and the answer is not affected`, () =>
      Effect.gen(function*() {
        const { answer, logged } = yield* answered({ onReceived: callback })
        assert.strictEqual(answer.status, 200)
        yield* Effect.yieldNow()
        const line = `The callback onReceived of the mock APNs has failed: ${cause}`
        assert.deepStrictEqual(logged, [line, line])
      }))

    it.scopedLive(`onLost ${how} -> logged, and the next request is answered`, () =>
      Effect.gen(function*() {
        const logged: Array<string> = []
        yield* Effect.gen(function*() {
          const apns = yield* MockApns.MockApns
          const client = yield* connect(apns)
          const headers = yield* good(apns)
          yield* apns.next(MockApns.dropBefore)
          yield* Effect.flip(client.send(headers))
          const again = yield* connect(apns)
          assert.strictEqual((yield* again.send(headers)).status, 200)
        }).pipe(
          Effect.provide(MockApns.layer({ onLost: callback })),
          Effect.provide(Logger.replace(
            Logger.defaultLogger,
            Logger.make(({ cause, message }) => {
              logged.push(`${String(message)}: ${Cause.pretty(cause).split("\n")[0]}`)
            })
          ))
        )
        assert.deepStrictEqual(logged, [`The callback onLost of the mock APNs has failed: ${cause}`])
      }))
  }

  for (
    const [how, callback, cause] of [
      ["throws", throwing, "Error: boom"],
      ["rejects", rejecting, "wrap what is async in Effect.promise"],
      ["returns something else", given(() => "BadDeviceToken"), "make it with MockApns.reject and the like"]
    ] as const
  ) {
    for (const name of ["onRequest", "script"] as const) {
      it.scopedLive(`${name} ${how} -> logged, and InternalServerError`, () =>
        Effect.gen(function*() {
          const { answer, logged } = yield* name === "script"
            ? answered({}, (apns) => apns.script(callback))
            : answered({ onRequest: callback })
          assert.deepStrictEqual([answer.status, answer.body], [500, "{\"reason\":\"InternalServerError\"}"])
          assert.include(logged[0], cause)
        }))
    }
  }
})

describe("a behavior that cannot be done", () => {
  const behaviors: ReadonlyArray<readonly [name: string, behavior: Behavior.Behavior]> = [
    ["bytes that throw", MockApns.bytes(throwing)],
    ["bytes that reject", MockApns.bytes(rejecting)],
    ["bytes that are a text", MockApns.bytes(given(() => "no bytes"))],
    ["bytes that throw, and are not processed", MockApns.bytes(throwing, { processed: false })],
    ["a status that does not exist", MockApns.respond({ status: 42 })],
    ["a header name with a space", MockApns.respond({ status: 200, headers: { "not a name": "x" } })],
    ["a delay that is none", { _tag: "Slow", delay: given("a while"), then: undefined }],
    [
      "a delay, and then a status that does not exist",
      MockApns.slow(Duration.millis(1), MockApns.respond({ status: 42 }))
    ]
  ]
  for (const [name, behavior] of behaviors) {
    it.scopedLive(`${name} -> logged, and InternalServerError`, () =>
      Effect.gen(function*() {
        const { answer, logged } = yield* answered({}, (apns) => apns.next(behavior))
        assert.deepStrictEqual([answer.status, answer.body], [500, "{\"reason\":\"InternalServerError\"}"])
        assert.lengthOf(logged, 1)
        assert.include(logged[0], "A behavior of the mock APNs is not valid")
      }))
  }

  it.scopedLive("next is given what is no behavior -> it dies, and plans nothing", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const exit = yield* Effect.exit(apns.next(MockApns.stall, given("BadDeviceToken")))
      assert.include(
        Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "",
        "What MockApns.next was given is no behavior"
      )
      const client = yield* connect(apns)
      assert.strictEqual((yield* client.send(yield* good(apns))).status, 200)
    }).pipe(Effect.provide(MockApns.layer())))
})

describe("until", () => {
  for (const when of ["at once", "later"] as const) {
    for (const [how, condition] of [["throws", throwing], ["rejects", rejecting]] as const) {
      it.scopedLive(`its condition ${how} ${when} -> it dies, and others wait on`, () =>
        Effect.gen(function*() {
          const apns = yield* MockApns.MockApns
          const other = yield* Effect.fork(apns.until(({ accepted }) => accepted === 1))
          const waiting = yield* Effect.fork(
            Effect.exit(apns.until((stats) => (when === "later" && stats.requests === 0 ? false : condition())))
          )
          yield* Effect.yieldNow()
          const client = yield* connect(apns)
          assert.strictEqual((yield* client.send(yield* good(apns))).status, 200)
          const exit = yield* Fiber.join(waiting)
          assert.isTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause))
          yield* Fiber.join(other)
        }).pipe(Effect.provide(MockApns.layer())))
    }
  }
})
