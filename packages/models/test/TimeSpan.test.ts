import { TimeSpan } from "@effect-apns/models"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Either } from "effect"

describe("TimeSpan", () => {
  it("takes a Duration, and text with a unit", () => {
    for (const input of ["10 seconds", Duration.seconds(10), "10000 millis", "1 second", "2.5 hours", "1 nano"]) {
      const decoded = TimeSpan.decode(input)
      assert.isTrue(Either.isRight(decoded), String(input))
    }
    assert.deepStrictEqual(TimeSpan.decode("10 seconds"), Either.right(Duration.seconds(10)))
    assert.deepStrictEqual(TimeSpan.decode(Duration.infinity), Either.right(Duration.infinity))
  })

  it("refuses a bare number, text without a unit, and everything else", () => {
    for (
      const input of [
        5,
        0,
        5n,
        "5",
        "30s",
        "soon",
        "",
        "-5 seconds",
        "-0.5 millis",
        null,
        undefined,
        {},
        [1, 2],
        Number.NaN,
        new Date(),
        () => 5
      ]
    ) {
      const decoded = TimeSpan.decode(input)
      assert.isTrue(Either.isLeft(decoded), String(input))
      assert.include(Either.getOrElse(Either.flip(decoded), String), "10 seconds")
    }
  })
})
