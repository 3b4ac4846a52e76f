/**
 * Whatever is passed for the options of a connection: one typed error that names the option, or a connection like any
 * other. Neither a defect, nor anything outside of the fiber that asked.
 */
import { Connection, Credentials, Endpoint, Transport } from "@effect-apns/core"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Redacted } from "effect"
import * as fixtures from "./fixtures/index.js"
import { hostile, spoiled } from "./utils/hostile.js"

const untyped = (f: unknown, ...args: ReadonlyArray<unknown>): Effect.Effect<unknown, unknown> =>
  Effect.scoped(
    Effect.suspend((): Effect.Effect<unknown, unknown> =>
      typeof f === "function" ? Reflect.apply(f, undefined, args) : Effect.dieMessage("no function")
    )
  )

const errorOf = (exit: Exit.Exit<unknown, unknown>, where: string): unknown => {
  if (Exit.isSuccess(exit)) return undefined
  assert.strictEqual(exit.cause._tag, "Fail", `${where}: ${Cause.pretty(exit.cause)}`)
  return exit.cause._tag === "Fail" ? exit.cause.error : undefined
}

const fields = [
  "endpoint",
  "ca",
  "proxy",
  "connectTimeout",
  "keylog",
  "dangerouslyTrustAnyServer",
  "lookup"
]

// nothing listens at port 1
const base = Effect.map(
  Credentials.token({
    key: Redacted.make(fixtures.text("AuthKey_ABC123DEFG.p8")),
    keyId: "ABC123DEFG",
    teamId: "DEF123GHIJ"
  }),
  (credentials) => ({ endpoint: Endpoint.unsafeMake("https://127.0.0.1:1"), credentials })
)

const makers: Readonly<Record<string, { readonly make: unknown; readonly fields: ReadonlyArray<string> }>> = {
  "Connection.make": { make: Connection.make, fields: [...fields, "credentials", "ping", "limits", "drainTimeout"] },
  "Transport.connect": { make: Transport.connect, fields: [...fields, "credentials"] }
}

describe("values of any kind", () => {
  for (const [name, { fields, make }] of Object.entries(makers)) {
    it.live(`${name} with any value as the options -> one typed error`, () =>
      Effect.forEach(
        Object.entries(hostile),
        ([what, value]) =>
          Effect.map(Effect.exit(untyped(make, value())), (exit) => {
            const error = errorOf(exit, what)
            assert.include(error, { _tag: "ConnectError", reason: "InvalidOptions", phase: "setup" }, what)
          }),
        { discard: true }
      ))

    for (const field of fields) {
      it.live(`${name} with any value for ${field} -> a typed error, which names the field if that is what is wrong`, () =>
        Effect.flatMap(
          base,
          (base) =>
            Effect.forEach(
              spoiled(base, [field]),
              ([what, , options]) =>
                Effect.map(Effect.exit(untyped(make, options)), (exit) => {
                  const error = errorOf(exit, what)
                  assert.include(error, { _tag: "ConnectError" }, what)
                  if (error instanceof Error && Reflect.get(error, "reason") === "InvalidOptions") {
                    assert.include(error.message, `\`${field}`, what)
                  }
                }),
              { discard: true, concurrency: 8 }
            )
        ))
    }
  }

  for (const field of ["credentials", "ping", "limits", "drainTimeout", "connectTimeout", "authority"]) {
    it.live(`Connection.fromTransport with any value for ${field} -> a typed error or a connection`, () =>
      Effect.flatMap(
        base,
        (base) =>
          Effect.forEach(spoiled(base, [field]), ([what, , options]) =>
            Effect.suspend(() => {
              const test = Transport.makeTest()
              test.close()
              return Effect.map(Effect.exit(untyped(Connection.fromTransport, test.transport, options)), (exit) => {
                errorOf(exit, what)
              })
            }), { discard: true })
      ))
  }
})
