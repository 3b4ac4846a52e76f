/**
 * Anything at all through each function that takes what a caller passes: a typed error, or a defect of that caller, or
 * what was asked for. Nobody else is concerned, and nothing is left unhandled (which would fail the test run).
 */
import {
  Connection,
  Credentials,
  Endpoint,
  ProviderToken,
  Proxy,
  Request,
  Response,
  Transport
} from "@effect-apns/core"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, FastCheck as fc, Predicate, Redacted, type Scope } from "effect"
import * as fixtures from "./fixtures/index.js"

const anything = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withNullPrototype: true,
  withObjectString: true,
  withSet: true,
  withSparseArray: true,
  withTypedArray: true
})

/** A text would be the name of a file to write to: here that file cannot be created. */
const valueOf = (field: string): fc.Arbitrary<unknown> =>
  field === "keylog"
    ? anything.map((value) => typeof value === "string" ? `no-such-directory/${value}` : value)
    : anything

/** All of the options are something else, or one of them is. */
const spoiled = (options: object, fields: ReadonlyArray<string>): fc.Arbitrary<unknown> =>
  fc.oneof(
    anything,
    ...fields.map((field) => valueOf(field).map((value) => ({ ...options, [field]: value })))
  )

/** Calls as a program without types does, and says how it ended. */
const call = (f: unknown, ...args: ReadonlyArray<unknown>): Promise<Exit.Exit<unknown, unknown>> =>
  Effect.runPromiseExit(Effect.scoped(Effect.suspend(() => effectOf(f, args))))

const effectOf = (f: unknown, args: ReadonlyArray<unknown>): Effect.Effect<unknown, unknown, Scope.Scope> => {
  const result = typeof f === "function" ? Reflect.apply(f, undefined, args) : undefined
  const isEffect = (u: unknown): u is Effect.Effect<unknown, unknown, Scope.Scope> => Effect.isEffect(u)
  return isEffect(result) ? result : Effect.succeed(result)
}

/** One error with a tag; a defect only where the caller has no error for it. */
const check = (exit: Exit.Exit<unknown, unknown>, defects: "may die" | "never dies"): void => {
  if (Exit.isSuccess(exit)) return
  const { cause } = exit
  if (cause._tag === "Fail") return assert.isTrue(Predicate.hasProperty(cause.error, "_tag"), Cause.pretty(cause))
  assert.isTrue(cause._tag === "Die" && defects === "may die", Cause.pretty(cause))
}

const every = (
  arbitrary: fc.Arbitrary<unknown>,
  property: (value: unknown) => Promise<void>,
  numRuns = 100
): Effect.Effect<void> => Effect.promise(() => fc.assert(fc.asyncProperty(arbitrary, property), { numRuns, seed: 42 }))

const secret = {
  key: Redacted.make(fixtures.text("AuthKey_ABC123DEFG.p8")),
  keyId: "ABC123DEFG",
  teamId: "DEF123GHIJ"
}
// nothing listens at port 1
const base = Effect.map(
  Credentials.token(secret),
  (credentials) => ({ endpoint: Endpoint.unsafeMake("https://127.0.0.1:1"), credentials })
)
const transportFields = [
  "endpoint",
  "ca",
  "proxy",
  "connectTimeout",
  "keylog",
  "dangerouslyTrustAnyServer",
  "lookup",
  "credentials"
]

describe("anything, passed as options", () => {
  it.live("to Connection.make: a typed error", () =>
    Effect.flatMap(base, (base) =>
      every(
        spoiled(base, [...transportFields, "ping", "limits", "drainTimeout"]),
        (options) => call(Connection.make, options).then((exit) => check(exit, "never dies"))
      )))

  it.live("to Transport.connect: a typed error", () =>
    Effect.flatMap(base, (base) =>
      every(
        spoiled(base, transportFields),
        (options) => call(Transport.connect, options).then((exit) => check(exit, "never dies"))
      )))

  it.live("to Connection.fromTransport: a typed error, or a connection", () =>
    Effect.flatMap(
      base,
      (base) =>
        every(spoiled(base, ["credentials", "ping", "limits", "drainTimeout", "authority"]), async (options) => {
          const test = Transport.makeTest()
          test.close()
          check(await call(Connection.fromTransport, test.transport, options), "never dies")
        })
    ))

  it.live("to Credentials.token and certificate, and to ProviderToken.make: a typed error, or what was asked for", () =>
    every(
      spoiled(secret, ["key", "keyId", "teamId", "keyFile", "passphrase", "sharing"]),
      async (options) => {
        for (const f of [Credentials.token, Credentials.certificate, ProviderToken.make]) {
          check(await call(f, options), "may die")
        }
      },
      100
    ))

  it.live("to Endpoint.make, Proxy.make and Request.make: an Either, a request, or what they throw is the caller's", () =>
    every(anything, async (value) => {
      for (const f of [Endpoint.make, Proxy.make, Request.make]) check(await call(f, value), "may die")
    }))
})

describe("anything, on a connection that others use", () => {
  const request = Request.make({ path: "/3/device/42", body: { aps: {} } })

  const boom = () => {
    throw new Error("boom")
  }

  it.scoped.each([
    ["undefined", undefined],
    ["null", null],
    ["a text", "/3/device/42"],
    ["the options of Request.make", { path: "/3/device/42", body: { aps: {} } }],
    ["a request whose spec is made by hand", { ...request, spec: { ...request.spec, head: { method: "POST" } } }],
    ["a request with a getter that throws", Object.defineProperty({ ...request }, "spec", { get: boom })],
    ["a Proxy that throws", new globalThis.Proxy({}, { get: boom, has: boom, getPrototypeOf: boom })]
  ])(
    "%s as a request -> a defect that says what to give, and others are answered",
    ([, value]) =>
      Effect.gen(function*() {
        const connection = yield* Connection.fromHandler(() => Effect.succeed(Response.make()), {})
        assert.isFalse(Request.isRequest(value))
        const exit = yield* Effect.promise(() => call(connection.post, value))
        assert.match(
          Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "",
          /TypeError: What was posted is no request: give what Request\.make/
        )
        assert.strictEqual((yield* connection.post(request)).status, 200)
      })
  )

  it.scoped("as a request: a typed error or a defect of that caller, and the next request of another is answered", () =>
    Effect.gen(function*() {
      const connection = yield* Connection.fromHandler(() => Effect.succeed(Response.make()), {})
      yield* every(
        spoiled({ ...request }, ["path", "method", "spec"]),
        async (request) => {
          check(await call(connection.post, request), "may die")
        }
      )
      assert.strictEqual((yield* connection.post(request)).status, 200)
    }))

  it.scoped("as the answer of a handler: a typed error or a defect of that caller, and the next request of another is answered", () =>
    Effect.gen(function*() {
      let answer: unknown = undefined
      const handler = () => Effect.sync(() => answer)
      const made = yield* effectOf(Connection.fromHandler, [handler, {}])
      assert.isTrue(Predicate.hasProperty(made, "post"))
      const post: unknown = Predicate.hasProperty(made, "post") ? made.post : undefined
      yield* every(
        spoiled(Response.make(), ["status", "apnsId", "headers", "body"]),
        async (value) => {
          answer = value
          check(await call(post, request), "may die")
        }
      )
      answer = Response.make()
      const exit = yield* Effect.promise(() => call(post, request))
      assert.isTrue(Exit.isSuccess(exit), String(exit))
    }))
})
