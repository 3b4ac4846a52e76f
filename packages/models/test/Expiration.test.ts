import { Expiration, UnixTime } from "@effect-apns/models"
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Either } from "effect"

describe("Expiration", () => {
  it("\"none\" -> 0, which is sent", () => {
    assert.deepStrictEqual(Expiration.toSeconds("none"), Either.right(0))
    assert.deepStrictEqual(Expiration.toHeader("none"), Either.right("0"))
    assert.deepStrictEqual(Expiration.toSeconds(0), Either.right(0))
  })

  it("an instant -> whole Unix seconds, rounded down", () => {
    assert.deepStrictEqual(
      Expiration.toHeader(DateTime.unsafeMake("2024-01-01T00:00:00.999Z")),
      Either.right("1704067200")
    )
    assert.deepStrictEqual(Expiration.toSeconds(new Date(1704067200999)), Either.right(1704067200))
    assert.deepStrictEqual(
      Expiration.toSeconds(DateTime.unsafeMakeZoned("2024-01-01T00:00:00Z", { timeZone: "Asia/Tokyo" })),
      Either.right(1704067200)
    )
  })

  it("not an instant -> refused, with advice", () => {
    for (const bad of [1.5, -1, NaN, Infinity, new Date(NaN)]) {
      assert.isTrue(Either.isLeft(Expiration.toSeconds(bad)), String(bad))
      assert.isTrue(Either.isLeft(Expiration.toHeader(bad)), String(bad))
    }
    const millis = Expiration.toSeconds(1704067200000)
    assert.include(Either.isLeft(millis) ? millis.left.message : "", "divide it by 1000")
  })

  it("an instant never becomes \"none\"", () => {
    const early = Expiration.toSeconds(new Date(999))
    assert.include(Either.isLeft(early) ? early.left.message : "", "would mean \"none\"")
  })
})

describe("UnixTime", () => {
  it("rounds down, also before 1970; the Schema decides what is valid", () => {
    assert.strictEqual(UnixTime.fromInput(new Date(-1)), -1)
    assert.isFalse(UnixTime.is(-1))
    assert.isTrue(UnixTime.is(0))
    assert.isTrue(UnixTime.is(253_402_300_799))
    assert.isFalse(UnixTime.is(253_402_300_800))
  })
})
