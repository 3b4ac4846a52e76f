import { Request } from "@effect-apns/core"
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Duration, Either, FastCheck } from "effect"
import { runInNewContext } from "node:vm"

const invalid = (options: Request.Options): Request.InvalidRequest => {
  const made = Request.validate(options)
  if (Either.isRight(made)) throw new Error("expected the request to be refused")
  return made.left
}

const path = "/3/device/4242"

describe("Request", () => {
  it("a path with spaces, line breaks or other characters that are not visible ASCII -> refused", () => {
    for (const bad of ["", "3/device/4242", "/3/device/42 42", "/3/device/42\r\nx: y", "/3/device/é", "/\0"]) {
      const error = invalid({ path: bad })
      assert.strictEqual(error.field, "path", JSON.stringify(bad))
      assert.isNotEmpty(error.message)
    }
    assert.isTrue(Either.isRight(Request.validate({ path })))
  })

  it("header values with line breaks, and pseudo-headers -> refused", () => {
    for (const name of ["Apns-Topic", ":path", "apns topic", "", "x\n"]) {
      assert.strictEqual(invalid({ path, headers: { [name]: "x" } }).field, "headers", JSON.stringify(name))
    }
    for (const value of ["a\r\nb: c", " a", "a ", "é", "\0", "\t"]) {
      assert.strictEqual(invalid({ path, headers: { "apns-topic": value } }).field, "headers", JSON.stringify(value))
    }
  })

  it("headers that the library sets -> refused, with the reason", () => {
    const owned = ["connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade", "host"]
    for (const name of [...owned, "authorization", "content-length"]) {
      const error = invalid({ path, headers: { [name]: "x" } })
      assert.strictEqual(error.field, "headers")
      assert.include(error.message, `leave ${name} out`)
      assert.throws(() => Request.make({ path, headers: { [name]: "x" } }), /leave/)
    }
  })

  it("any input -> InvalidRequest, never a throw", () => {
    FastCheck.assert(FastCheck.property(
      FastCheck.oneof(
        FastCheck.anything(),
        FastCheck.record({
          path: FastCheck.constant(path),
          method: FastCheck.anything(),
          headers: FastCheck.oneof(
            FastCheck.anything(),
            FastCheck.dictionary(FastCheck.string(), FastCheck.anything())
          ),
          body: FastCheck.anything({ withBigInt: true }),
          timeout: FastCheck.anything(),
          deadline: FastCheck.anything()
        }, { requiredKeys: ["path"] })
      ),
      (options) => {
        const made: ReturnType<typeof Request.validate> = Reflect.apply(Request.validate, undefined, [options])
        if (Either.isLeft(made)) assert.strictEqual(made.left._tag, "InvalidRequest")
      }
    ))
    const hostile = {
      path,
      get body(): string {
        throw new Error("boom")
      }
    }
    assert.include(invalid(hostile).message, "could not be read (boom)")
  })

  it("header values that differ from request to request are not in the shared head", () => {
    const make = (id: string) =>
      Request.make({
        path,
        headers: { "apns-topic": "com.app.your", "apns-id": id, "apns-expiration": "0", "apns-collapse-id": id }
      })
    const [one, two] = [make("a"), make("b")]
    assert.strictEqual(one.spec.head, two.spec.head)
    assert.deepStrictEqual(one.spec.extra, ["apns-id", "a", "apns-expiration", "0", "apns-collapse-id", "a"])
    assert.isTrue(one.spec.collapsible)
    assert.isFalse(Request.make({ path }).spec.collapsible)
  })

  it("the same headers -> one head, except where they are so long that they would fill the memory", () => {
    const headOf = (length: number) =>
      Request.make({ path: "/", headers: { "apns-topic": "com.app.your", "x-long": "x".repeat(length) } }).spec.head
    assert.strictEqual(headOf(4000), headOf(4000))
    for (const length of [4097, 100_000]) {
      assert.notStrictEqual(headOf(length), headOf(length))
      assert.deepStrictEqual(headOf(length), headOf(length))
    }
    // the long ones have not removed the others
    assert.strictEqual(headOf(4000), headOf(4000))
  })

  it("bytes of any kind, also of another realm -> sent as they are", () => {
    const bytes = Buffer.from("{\"aps\":{}}")
    const foreign: unknown = runInNewContext("new Uint8Array(bytes)", { bytes: [...bytes] })
    assert.isFalse(foreign instanceof Uint8Array)
    const buffer = new Uint8Array(bytes).buffer
    for (
      const body of [
        bytes,
        new Uint8Array(bytes),
        foreign,
        buffer,
        new DataView(buffer),
        Buffer.concat([bytes, bytes]).subarray(10)
      ]
    ) {
      assert.deepStrictEqual(Buffer.from(Request.make({ path, body }).spec.body).toString(), bytes.toString())
    }
  })

  it("headers that are no plain object -> refused, so that none of them is left out in silence", () => {
    const headers = [["apns-topic", "com.example.app"]] as const
    for (
      const given of [
        new Map(headers),
        new Headers([["apns-topic", "com.example.app"]]),
        headers,
        "apns-topic",
        5,
        () => {}
      ]
    ) {
      const error = invalid({ path, ...Object.fromEntries([["headers", given]]) })
      assert.include(error.message, "headers: give a plain object")
    }
    assert.isTrue(Request.isRequest(Request.make({ path, headers: Object.create(null) })))
  })

  it("timeout: 10 seconds by default; 0 and NaN are refused", () => {
    assert.strictEqual(Request.make({ path }).spec.timeoutMillis, 10_000)
    assert.strictEqual(Request.make({ path, timeout: "3 seconds" }).spec.timeoutMillis, 3000)
    for (const timeout of [Duration.zero, Duration.millis(-1), Duration.millis(NaN), "0 seconds"] as const) {
      assert.strictEqual(invalid({ path, timeout }).field, "timeout", String(timeout))
    }
    const strange = { path, method: "POST" as const, headers: {} }
    for (const timeout of [5, "30s", null, {}]) {
      assert.strictEqual(invalid({ ...strange, ...Object.fromEntries([["timeout", timeout]]) }).field, "timeout")
    }
    for (const deadline of ["2020-01-01", 1704067200000, null, {}]) {
      assert.strictEqual(invalid({ ...strange, ...Object.fromEntries([["deadline", deadline]]) }).field, "deadline")
    }
    for (const retransmit of ["sometimes", null, true]) {
      assert.strictEqual(
        invalid({ ...strange, ...Object.fromEntries([["retransmit", retransmit]]) }).field,
        "retransmit"
      )
    }
    assert.strictEqual(invalid({ path, deadline: new Date(NaN) }).field, "deadline")
    assert.strictEqual(Request.make({ path, deadline: new Date(5) }).spec.deadlineMillis, 5)
    assert.strictEqual(Request.make({ path, deadline: DateTime.unsafeMake(6) }).spec.deadlineMillis, 6)
  })

  it("apns-expiration -> a time limit; 0 -> none", () => {
    const expiration = (value: string) =>
      Request.make({ path, headers: { "apns-expiration": value } }).spec.expirationMillis
    assert.strictEqual(expiration("1700000000"), 1_700_000_000_000)
    assert.strictEqual(expiration("4294967296"), 4_294_967_296_000)
    assert.strictEqual(expiration("0"), Infinity)
    assert.strictEqual(expiration("soon"), Infinity)
  })

  it("bytes and strings are sent as they are, anything else as compact JSON", () => {
    const text = (body: unknown) => new TextDecoder().decode(Request.make({ path, body }).spec.body)
    assert.strictEqual(text({ aps: { badge: 0, alert: "ü" } }), "{\"aps\":{\"badge\":0,\"alert\":\"ü\"}}")
    assert.strictEqual(text("plain"), "plain")
    assert.strictEqual(text(undefined), "")
    assert.strictEqual(text(null), "null")
    const bytes = Uint8Array.of(1, 2)
    assert.strictEqual(Request.make({ path, body: bytes }).spec.body, bytes)
    const circular: Record<string, unknown> = {}
    circular["self"] = circular
    for (const body of [circular, 1n, () => 1]) assert.strictEqual(invalid({ path, body }).field, "body")
  })

  it("make throws what validate returns", () => {
    assert.throws(() => Request.make({ path: "x" }), /Invalid path/)
  })
})
