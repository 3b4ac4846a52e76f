import { Printable, Rejection } from "@effect-apns/models"
import { assert, describe, it } from "@effect/vitest"
import { FastCheck } from "effect"
import { runInNewContext } from "node:vm"

// eslint-disable-next-line no-control-regex
const unsafe = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/

describe("Printable", () => {
  it("leaves ordinary text as it is", () => {
    for (const text of ["", "BadDeviceToken", "Grüße, 世界 😀", "a \\ b"]) {
      assert.strictEqual(Printable.text(text), text)
    }
  })

  it("thrown: the message of an error, else the value as a text; `it threw` where reading it throws", () => {
    const boom = () => {
      throw new Error("boom")
    }
    assert.strictEqual(Printable.thrown(new Error("a\nb")), "a\\nb")
    assert.strictEqual(Printable.thrown(runInNewContext("new TypeError(\"foreign\")")), "foreign")
    assert.strictEqual(Printable.thrown("text"), "text")
    assert.strictEqual(Printable.thrown(undefined), "undefined")
    assert.strictEqual(Printable.thrown({ message: 5 }), "[object Object]")
    assert.strictEqual(Printable.thrown(new Error("x".repeat(20)), 3), "xxx... (20 characters)")
    for (const hostile of [Object.create(null), { toString: boom }, new Proxy({}, { get: boom, has: boom })]) {
      assert.strictEqual(Printable.thrown(hostile), "it threw")
    }
  })

  it("escapes line breaks, terminal commands, C1 and marks that turn the direction of writing", () => {
    assert.strictEqual(
      Printable.text("a\r\nb\tc\u001b[2J\u0007\u009b31m\u202ed\u2028\u{e0041}\ud800"),
      "a\\r\\nb\\tc\\u001b[2J\\u0007\\u009b31m\\u202ed\\u2028\\u{e0041}\\ud800"
    )
  })

  it("cuts long text and says how long it was", () => {
    assert.strictEqual(Printable.text("x".repeat(256)), "x".repeat(256))
    assert.strictEqual(Printable.text("x".repeat(61_440)), `${"x".repeat(256)}... (61440 characters)`)
    assert.strictEqual(Printable.text("abcdef", 3), "abc... (6 characters)")
  })

  it("cuts what grows by escaping", () => {
    assert.strictEqual(Printable.text("\u001b".repeat(256)), `${"\\u001b".repeat(42)}... (256 characters)`)
  })

  it("any text -> one short line without control characters", () => {
    FastCheck.assert(FastCheck.property(
      FastCheck.oneof(
        FastCheck.string({ unit: "binary", maxLength: 600 }),
        FastCheck.string({ unit: FastCheck.constantFrom("\u001b", "\u202e", "\r", "\u0085", "a"), maxLength: 600 })
      ),
      (text) => {
        const shown = Printable.text(text)
        assert.notMatch(shown, unsafe)
        assert.isAtMost(shown.length, 256 + 30)
      }
    ))
  })

  it("is used by rejections for a reason and an id of a server", () => {
    const error = new Rejection.UnknownReason({
      status: 400,
      reason: `Bad\r\n\u001b[2J${"x".repeat(60_000)}`,
      origin: "response",
      processed: "yes",
      attempts: 1,
      apnsId: "\u202eid\u0007"
    })
    assert.notMatch(error.message, unsafe)
    assert.isBelow(error.message.length, 700)
    assert.include(error.message, "Bad\\r\\n\\u001b[2Jxxx")
    assert.include(error.message, "[apns-id \\u202eid\\u0007]")
  })
})
