import { Response } from "@effect-apns/core"
import { Session } from "@effect-apns/http2"
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Duration, Either } from "effect"

const stream = (status: number, options: { body?: string; headers?: Array<string>; truncated?: boolean } = {}) => {
  const made = new Session.Stream()
  made.status = status
  made.apnsId = "123e4567-e89b-12d3-a456-42661417400a"
  made.headers = options.headers
  made.truncated = options.truncated ?? false
  if (options.body !== undefined) made.body = new TextEncoder().encode(options.body)
  return made
}

const read = (made: Session.Stream) => Response.fromStream(made, 1, 10_000)

describe("Response", () => {
  it("status 200 with any body -> accepted", () => {
    for (const body of [undefined, "", "{}", "<html>", "{\"reason\":\"BadDeviceToken\"}"]) {
      const response = Either.getOrThrow(read(stream(200, body === undefined ? {} : { body })))
      assert.deepInclude(response, { status: 200, reason: undefined, attempts: 1 })
      assert.strictEqual(response.apnsId, "123e4567-e89b-12d3-a456-42661417400a")
    }
  })

  it("a rejection -> its reason, and a valid timestamp to the millisecond", () => {
    const gone = Either.getOrThrow(
      read(stream(410, { body: "{\"reason\":\"Unregistered\",\"timestamp\":1700000000123}" }))
    )
    assert.deepInclude(gone, { reason: "Unregistered", timestamp: DateTime.unsafeMake(1_700_000_000_123) })
    for (const timestamp of ["\"1700\"", "null", "{}", "1e999", "8.64e16", "1e300"]) {
      const odd = Either.getOrThrow(read(stream(410, { body: `{"reason":"Unregistered","timestamp":${timestamp}}` })))
      assert.deepInclude(odd, { reason: "Unregistered", timestamp: undefined }, timestamp)
    }
  })

  it("a rejection without body or reason -> its status; a body that is not a JSON object -> malformed", () => {
    assert.deepInclude(Either.getOrThrow(read(stream(400))), { status: 400, reason: undefined })
    assert.deepInclude(Either.getOrThrow(read(stream(400, { body: "{\"reason\":7}" }))), { reason: undefined })
    for (const body of ["<html>", "null", "7", "\"BadDeviceToken\"", "{\"reason\":", "\u0000"]) {
      assert.isTrue(Either.isLeft(read(stream(400, { body }))), body)
    }
    const invalidUtf8 = stream(400)
    invalidUtf8.body = Uint8Array.of(0x22, 0xff, 0x22)
    assert.isTrue(Either.isLeft(read(invalidUtf8)))
  })

  it("a response that was cut off -> read by its status", () => {
    assert.deepInclude(Either.getOrThrow(read(stream(400, { body: "{\"rea", truncated: true }))), {
      status: 400,
      reason: undefined
    })
  })

  it("Retry-After as seconds or as a date -> a Duration; anything else -> undefined", () => {
    const retryAfter = (value: string) =>
      Either.getOrThrow(read(stream(503, { headers: ["retry-after", value] }))).retryAfter
    assert.deepStrictEqual(retryAfter("2"), Duration.seconds(2))
    assert.deepStrictEqual(retryAfter("0"), Duration.zero)
    assert.deepStrictEqual(retryAfter(new Date(70_000).toUTCString()), Duration.minutes(1))
    assert.deepStrictEqual(retryAfter(new Date(0).toUTCString()), Duration.zero)
    assert.isUndefined(retryAfter("soon"))
    assert.isUndefined(retryAfter("1.5"))
    assert.isUndefined(retryAfter("-1"))
  })

  it("the unique id of the development environment and all other headers are kept", () => {
    const headers = ["apns-unique-id", "u", "x-other", "1"]
    const response = Either.getOrThrow(read(stream(200, { headers })))
    assert.strictEqual(response.uniqueId, "u")
    assert.strictEqual(Response.header(response.headers, "x-other"), "1")
    assert.isUndefined(Either.getOrThrow(read(stream(200))).uniqueId)
  })
})
