/**
 * Testing your own code with the mock, here with Node's own test runner: any other will do.
 */
import { MockApns } from "@effect-apns/testing"
import { Effect, Fiber, Ref, TestClock, TestContext } from "effect"
import { ApnsPool, Notification, Rejection, Response, send } from "effect-apns"
import assert from "node:assert/strict"
import { test } from "node:test"

// --- your program

const remind = (tokens: Ref.Ref<ReadonlyArray<string>>) =>
  Effect.gen(function*() {
    for (const token of yield* Ref.get(tokens)) {
      yield* send({
        token,
        topic: "com.example.app",
        notification: Notification.alert({ alert: "Do not forget" }),
        collapseId: "reminder"
      }).pipe(
        Effect.catchIf(
          Rejection.isTokenDead,
          () => Ref.update(tokens, (all) => all.filter((other) => other !== token))
        )
      )
    }
  })

// --- its tests

void test("dead tokens are forgotten, the others reminded", () =>
  Effect.gen(function*() {
    const apns = yield* MockApns.MockApns
    yield* apns.unregister("dead02")
    const tokens = yield* Ref.make<ReadonlyArray<string>>(["cafe01", "dead02", "cafe03"])
    yield* remind(tokens)
    assert.deepEqual(yield* Ref.get(tokens), ["cafe01", "cafe03"])
    const reminded = (yield* apns.received).filter(({ accepted }) => accepted)
    assert.deepEqual(reminded.map(({ collapseId, token }) => [token, collapseId]), [
      ["cafe01", "reminder"],
      ["cafe03", "reminder"]
    ])
  }).pipe(Effect.provide(MockApns.layerPool({ size: 1 })), Effect.runPromise))

void test("a connection that drops in between is not noticed: reminders are collapsible", () =>
  Effect.gen(function*() {
    const apns = yield* MockApns.MockApns
    yield* apns.next(MockApns.dropAfter)
    yield* remind(yield* Ref.make<ReadonlyArray<string>>(["cafe01"]))
    assert.equal(yield* apns.receivedCount, 2)
  }).pipe(Effect.provide(MockApns.layerPool({ size: 2 })), Effect.runPromise))

void test("without an answer it gives up after 10 seconds, which take no time here", () =>
  Effect.gen(function*() {
    const reminding = yield* Effect.fork(Effect.flip(remind(yield* Ref.make<ReadonlyArray<string>>(["cafe01"]))))
    yield* TestClock.adjust("10 seconds")
    assert.equal((yield* Fiber.join(reminding))._tag, "Timeout")
  }).pipe(
    Effect.provide(ApnsPool.layerTest(() => Effect.never)),
    Effect.provide(TestContext.TestContext),
    Effect.runPromise
  ))

void test("a rejection is whatever the handler says", () =>
  Effect.gen(function*() {
    const error = yield* Effect.flip(remind(yield* Ref.make<ReadonlyArray<string>>(["cafe01"])))
    assert.equal(error._tag, "TopicDisallowed")
  }).pipe(
    Effect.provide(
      ApnsPool.layerTest(() => Effect.succeed(Response.make({ status: 400, body: { reason: "TopicDisallowed" } })))
    ),
    Effect.runPromise
  ))
