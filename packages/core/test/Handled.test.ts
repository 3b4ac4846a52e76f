/** What a handler without types may fail with. */
import { Connection, Failure, Request } from "@effect-apns/core"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Either, Exit } from "effect"
import { hostile } from "./utils/hostile.js"

const request = Request.make({ path: "/3/device/42", timeout: "5 seconds" })

/** A value as plain JavaScript passes it: without a type. */
const untyped = (value: unknown, key: string = "value") => Reflect.get({ value }, key)

// Effect.fail itself looks at the failure, and would throw with some
const posted = (failure: unknown) =>
  Effect.scoped(Effect.gen(function*() {
    const connection = yield* Connection.fromHandler(() => Effect.failCause(Cause.fail(untyped(failure))))
    const exit = yield* Effect.exit(connection.post(request))
    assert.strictEqual(connection.unsafe.inFlight, 0)
    return exit
  }))

describe("a handler that fails with no RequestError -> a defect that says what to give", () => {
  const dropped = { _tag: "Dropped", code: undefined }
  const failures: Readonly<Record<string, () => unknown>> = {
    ...hostile,
    "undefined": () => undefined,
    "an Error": () => new Error("boom"),
    ...Object.fromEntries(
      ["Blocked", "Closed", "Timeout", "StreamReset", "MalformedResponse", "ResponseTooLarge", "QueueFull"].map(
        (tag) => [`${tag} without fields`, () => ({ _tag: tag })]
      )
    ),
    "Closed whose fate is no fate": () => ({ _tag: "Closed", processed: "yes", closeCause: dropped }),
    "Closed with an unknown cause": () => ({ _tag: "Closed", processed: "no", closeCause: { _tag: "Lunch" } }),
    "Closed with a cause that throws": () => ({
      _tag: "Closed",
      processed: "no",
      closeCause: hostile["a Proxy that throws"]?.()
    }),
    "a StreamReset whose code is a text": () => ({ _tag: "StreamReset", processed: "no", code: "7" })
  }
  for (const [name, failure] of Object.entries(failures)) {
    it.effect(name, () =>
      Effect.gen(function*() {
        const exit = yield* posted(failure())
        const defects = Exit.isFailure(exit) ? Array.from(Cause.defects(exit.cause)) : []
        assert.lengthOf(defects, 1)
        assert.match(
          String(defects[0]),
          /^TypeError: What the handler has failed with is no RequestError: give an error of the module Failure/
        )
        if (name === "an Error") assert.match(String(defects[0]), /It was: boom$/)
      }))
  }
})

it.effect("a handler that returns a promise, which rejects -> a defect that says what to give, and nothing else", () =>
  Effect.scoped(Effect.gen(function*() {
    const handler = () => untyped(Promise.reject(new Error("boom")))
    const connection = yield* Connection.fromHandler(handler)
    const exit = yield* Effect.exit(connection.post(request))
    assert.include(
      Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "",
      "TypeError: The handler returned no Effect: wrap what is async in Effect.promise"
    )
    // the turn in which Node would end the process
    yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
  })))

describe("a handler that fails with a RequestError", () => {
  const closeCause: Failure.CloseCause = { _tag: "PingTimeout", after: Duration.seconds(3) }
  const errors: ReadonlyArray<Failure.RequestError> = [
    new Failure.Blocked({ processed: "no", attempts: 1 }),
    new Failure.Closed({ processed: "unknown", attempts: 1, closeCause }),
    new Failure.Timeout({ processed: "no", attempts: 1, limit: "deadline", closeCause: undefined }),
    new Failure.Timeout({ processed: "unknown", attempts: 1, limit: "timeout", closeCause }),
    new Failure.StreamReset({ processed: "unknown", attempts: 1, code: 2 }),
    new Failure.MalformedResponse({ processed: "yes", attempts: 1, status: 400, description: "no JSON" }),
    new Failure.ResponseTooLarge({ processed: "unknown", attempts: 1, status: 0, description: "1 MB" })
  ]
  for (const error of errors) {
    it.effect(`${error._tag} (${error.message}) -> the caller gets an equal one`, () =>
      Effect.gen(function*() {
        const exit = yield* posted(error)
        assert.deepStrictEqual(exit, Exit.fail(error))
        // of another copy of this library: all fields, another class
        const copied = yield* posted({ ...error })
        assert.deepStrictEqual(copied, Exit.fail(error))
        const either = yield* Effect.either(copied)
        assert.strictEqual(Either.isLeft(either) ? either.left.message : "no failure", error.message)
      }))
  }
})
