/**
 * Whatever a caller without types passes: it throws for that caller, and the session goes on for everybody else.
 */
import { Frame, Session } from "@effect-apns/http2"
import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import { Call, Driver, noBody, post } from "./utils.js"

const boom = (): never => {
  throw new Error("boom")
}

/** A value that is not looked at when it is shown in a report: that may throw. */
class Shy {
  constructor(readonly value: unknown, private readonly name: string) {}
  [fc.toStringMethod](): string {
    return this.name
  }
}

/** Values that throw when they are looked at, or that pretend to be something else. */
const strange: ReadonlyArray<unknown> = [
  Symbol("boom"),
  boom,
  new Proxy({}, { get: boom, has: boom, ownKeys: boom, getPrototypeOf: boom }),
  new Proxy([], { get: boom }),
  { toString: boom, valueOf: boom, [Symbol.toPrimitive]: boom },
  { length: 1e9 },
  { length: -1 },
  { length: Number.NaN },
  { length: "3" },
  Object.defineProperty({}, "length", { get: boom })
]

const hostile = fc.oneof(
  fc.anything({ withBigInt: true, withDate: true, withTypedArray: true, withNullPrototype: true, withMap: true })
    .map((value) => new Shy(value, fc.stringify(value))),
  fc.constantFrom(...strange.map((value, i) => new Shy(value, `strange[${i}]`)))
)

const opened = (): Driver => {
  const driver = new Driver()
  driver.session.receive(Frame.settings([[Frame.SettingId.MAX_CONCURRENT_STREAMS, 100]]))
  driver.take()
  return driver
}

const body = Buffer.from("{\"aps\":{}}")

/** A request of somebody else's arrives whole, and its answer comes back. */
const works = (driver: Driver): void => {
  const call = new Call()
  assert.isTrue(driver.session.request(call, post, "/3/device/4242", ["apns-id", "x"], body))
  driver.take()
  const headers = driver.requestHeaders.get(call.id) ?? []
  assert.strictEqual(headers[headers.indexOf(":path") + 1], "/3/device/4242")
  assert.strictEqual(headers[headers.indexOf("apns-id") + 1], "x")
  assert.strictEqual(headers[headers.indexOf("content-length") + 1], String(body.length))
  assert.deepStrictEqual(Buffer.from(driver.requestBodies.get(call.id) ?? noBody), body)
  driver.session.reset(call, 8)
}

type Attempt = (session: Session.Session<Call>, values: ReadonlyArray<unknown>) => void

const call = (target: object, name: string, values: ReadonlyArray<unknown>): void => {
  const method: unknown = Reflect.get(target, name)
  if (typeof method === "function") Reflect.apply(method, target, values)
}

const attempts: Readonly<Record<string, Attempt>> = {
  "request: the path": (session, [a]) => call(session, "request", [new Call(), post, a, undefined, body]),
  "request: the body": (session, [a]) => call(session, "request", [new Call(), post, "/x", undefined, a]),
  "request: the extra headers": (session, [a]) => call(session, "request", [new Call(), post, "/x", a, body]),
  "request: an extra name and value": (session, [a, b]) =>
    call(session, "request", [new Call(), post, "/x", [a, b], body]),
  "request: an extra value": (session, [a]) => call(session, "request", [new Call(), post, "/x", ["x", a], body]),
  "request: the head": (session, [a]) => call(session, "request", [new Call(), a, "/x", undefined, body]),
  "request: the stream": (session, [a]) => call(session, "request", [a, post, "/x", undefined, body]),
  "request: all": (session, values) => call(session, "request", values),
  "setCommonHeaders": (session, [a]) => call(session, "setCommonHeaders", [a]),
  "setCommonHeaders: a name and a value": (session, [a, b]) => call(session, "setCommonHeaders", [[[a, b]]]),
  "reset": (session, [a, b]) => call(session, "reset", [a, b]),
  "releaseOutput": (session, [a]) => call(session, "releaseOutput", [a]),
  "wasTaken": (session, [a]) => call(session, "wasTaken", [a]),
  "receive": (session, [a]) => {
    if (!(ArrayBuffer.isView(a))) call(session, "receive", [a])
  },
  "receive: the time": (session, [a]) => call(session, "receive", [noBody, a]),
  "a head": (_, [a, b, c]) => Reflect.construct(Session.Head, [a, b, c])
}

describe("invalid arguments of any kind", () => {
  for (const [name, attempt] of Object.entries(attempts)) {
    it(`${name} -> the session continues for other requests`, () => {
      fc.assert(fc.property(fc.array(hostile, { minLength: 5, maxLength: 5 }), (shy) => {
        const values = shy.map(({ value }) => value)
        const driver = opened()
        works(driver)
        try {
          attempt(driver.session, values)
        } catch {
          // the caller's own
        }
        driver.take()
        works(driver)
        works(driver)
        assert.notInclude(driver.events.join(), "protocol error")
      }))
    })
  }

  for (const { name, value } of strange.map((value, i) => ({ name: `strange[${i}]`, value }))) {
    it(`a header whose value is no string, ${name} -> refused at once, and other requests are sent`, () => {
      const driver = opened()
      assert.throws(() => attempts["setCommonHeaders: a name and a value"]?.(driver.session, ["x", value]))
      assert.throws(() => attempts["request: an extra value"]?.(driver.session, [value]))
      works(driver)
    })
  }
})
