import { Json, Payload } from "@effect-apns/models"
import { assert, describe, it } from "@effect/vitest"
import { Either, FastCheck } from "effect"

const refusal = (text: string): string =>
  Either.match(Json.parse(text), {
    onLeft: (error) => error.message,
    onRight: (value) => assert.fail(`${text} was read as ${JSON.stringify(value)}`)
  })

describe("Json.parse", () => {
  it("reads what JSON.parse reads", () => {
    FastCheck.assert(FastCheck.property(FastCheck.jsonValue(), FastCheck.nat(4), (value, space) => {
      const text = JSON.stringify(value, null, space)
      // a double beyond 2^53 is written as an integer up to 1e21: it looks like an id, and is refused
      if (/(?<![\d.eE+-])-?\d{16,}(?![\d.eE])/.test(text)) return
      assert.deepStrictEqual(Either.getOrThrow(Json.parse(text)), JSON.parse(text))
    }))
  })

  it("an integer beyond 2^53 -> refused, with the key and advice", () => {
    const message = refusal("{\"aps\":{\"alert\":\"x\"},\"orderId\":653247040368672769}")
    assert.include(message, "[\"orderId\"]")
    assert.include(message, "653247040368672769")
    assert.include(message, "write it as a string")
    assert.include(message, "Notification.raw")
  })

  it("such an integer at any depth, in arrays, after strings that look like JSON, under keys with escapes -> found", () => {
    const nested = "{ \"a\": [1, {\"b\\\"}\": [\"653247040368672769 }{,\", -9007199254740993]}], \"c\": 1 }"
    assert.include(refusal(nested), "[\"a\"][1][\"b\\\"}\"][1]")
    assert.include(refusal("9007199254740993"), "9007199254740993")
    assert.include(refusal("[[],{},[1,2,18446744073709551615]]"), "[2][2]")
    assert.include(refusal("{\"a\":{\"b\":{}},\"c\":[{}],\"d\":12345678901234567890}"), "[\"d\"]")
  })

  it("2^53 -> accepted; larger integers -> refused", () => {
    for (const text of ["9007199254740992", "-9007199254740992", "0", "-0"]) {
      assert.strictEqual(Either.getOrThrow(Json.parse(text)), Number(text))
    }
    for (
      const text of [
        "9007199254740993",
        "-9007199254740993",
        "9007199254740994",
        "1e999",
        "9007199254740993.0",
        "90071992547409930e-1"
      ]
    ) {
      assert.include(refusal(text), "write it as a string")
    }
  })

  it("large numbers that keep their value -> accepted", () => {
    for (const text of ["1e20", "1.5e300", "6.02214076e23", "-1.0E+21", "0.1234567890123456789", "123456789.5"]) {
      assert.strictEqual(Either.getOrThrow(Json.parse(text)), Number(text))
    }
  })

  it("invalid JSON -> an error with the position, on one line", () => {
    const message = refusal("{\"a\":\u001b\r\n}")
    assert.include(message, "is not JSON")
    // eslint-disable-next-line no-control-regex
    assert.notMatch(message, /[\u001b\r\n]/)
  })

  it("payloads are read with it", () => {
    const read = Payload.decodeText("alert")("{\"aps\":{\"alert\":\"x\"},\"orderId\":653247040368672769}")
    assert.isTrue(Either.isLeft(read) && read.left.message.includes("[\"orderId\"]"))
  })

  it("advises a string for a bigint", () => {
    const written: ReturnType<typeof Json.stringify> = Reflect.apply(Json.stringify, undefined, [{ id: BigInt(1) }])
    assert.isTrue(Either.isLeft(written) && written.left.message.includes("write it as a string"))
  })
})
