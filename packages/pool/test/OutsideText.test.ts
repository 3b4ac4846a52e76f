import type { Request } from "@effect-apns/core"
import { Failure, Response } from "@effect-apns/core"
import { Notification, Rejection } from "@effect-apns/models"
import { ApnsPool, send } from "@effect-apns/pool"
import { MockApns } from "@effect-apns/testing"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Logger, LogLevel } from "effect"

/** Line breaks, commands of a terminal, C1, and marks that turn the direction of writing. */
// eslint-disable-next-line no-control-regex
const unsafe = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/

const hostile = [
  "Bad\r\nlevel=ERROR message=forged",
  "\u001b]0;title\u0007\u001b[2J",
  "\u009b31m\u0090",
  "\u202egnp.exe",
  "\u2028second line",
  "x".repeat(60_000)
]

const notification = Notification.alert({ alert: "x" })
const sent = send({ token: "00", topic: "com.example.app", notification, timeout: "200 millis" })

const check = (error: Error, cause: Cause.Cause<unknown>): void => {
  assert.notMatch(error.message, unsafe)
  assert.notInclude(error.message, "\n")
  assert.isBelow(error.message.length, 1_000)
  assert.notMatch(Cause.pretty(cause), unsafe)
  assert.isBelow(Cause.pretty(cause).length, 10_000)
}

const failed = (handler: (request: Request.Request) => Effect.Effect<Response.Response, Failure.RequestError>) =>
  Effect.gen(function*() {
    const cause = yield* Effect.flip(Effect.sandbox(sent))
    const error = Cause.squash(cause)
    if (!(error instanceof Error)) return assert.fail("no error")
    check(error, cause)
    return error
  }).pipe(Effect.provide(ApnsPool.layerTest(handler)))

describe("untrusted text from servers", () => {
  for (const text of hostile) {
    const name = JSON.stringify(text.slice(0, 20))

    it.live(`reason and apns-id ${name} -> one short line in the message`, () =>
      Effect.gen(function*() {
        const error = yield* failed(() =>
          Effect.succeed(Response.make({ status: 400, body: { reason: text }, apnsId: text }))
        )
        assert.isTrue(Rejection.isRejection(error))
      }))

    it.live(`GOAWAY debug data ${name} -> one short line in the message`, () =>
      failed(() =>
        Effect.fail(Failure.toError(
          Failure.closed("unknown", {
            _tag: "Goaway",
            code: 2,
            codeName: "INTERNAL_ERROR",
            lastStreamId: 1,
            reason: text,
            debugData: text
          }),
          1
        ))
      ))

    it.live(`a malformed answer ${name} -> one short line in the message`, () =>
      failed(() =>
        Effect.fail(
          Failure.toError({ _tag: "MalformedResponse", processed: "yes", status: 400, description: text }, 1)
        )
      ))
  }

  it.scopedLive("text of a real server -> short lines in messages and logs", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const keep = Logger.make((entry) => {
        lines.push(Logger.stringLogger.log(entry))
      })
      yield* Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        for (const text of hostile) {
          yield* apns.next(MockApns.reject(text.slice(0, 3_000)))
          const error = yield* Effect.flip(sent)
          assert.notMatch(error.message, unsafe)
          assert.isBelow(error.message.length, 1_000)
        }
      }).pipe(
        Effect.provide(MockApns.layerPool({ size: 1 })),
        Effect.provide(Logger.replace(Logger.defaultLogger, keep)),
        Logger.withMinimumLogLevel(LogLevel.All)
      )
      for (const line of lines) assert.notMatch(line, unsafe)
    }))
})
