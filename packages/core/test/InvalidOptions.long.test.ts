import * as Credentials from "@effect-apns/core/Credentials"
import * as Endpoint from "@effect-apns/core/Endpoint"
import * as ProviderToken from "@effect-apns/core/ProviderToken"
import * as Proxy from "@effect-apns/core/Proxy"
import { NodeContext } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Either, Exit, FastCheck, Redacted } from "effect"
import * as fixtures from "./fixtures/index.js"

type Maker = (...args: ReadonlyArray<never>) => unknown

const ids = { keyId: "ABC123DEFG", teamId: "DEF123GHIJ" }

/** What a program without types may pass: anything, alone or as one of the options. */
const anything = (names: ReadonlyArray<string>): FastCheck.Arbitrary<unknown> =>
  FastCheck.oneof(
    FastCheck.anything(),
    FastCheck.record(
      Object.fromEntries(
        names.map((name) => [
          name,
          FastCheck.oneof(FastCheck.anything(), FastCheck.anything().map((value) => Redacted.make(value)))
        ])
      ),
      { requiredKeys: [] }
    ),
    FastCheck.record(
      Object.fromEntries(names.map((name) => [name, FastCheck.anything()])),
      { requiredKeys: [] }
    ).map((options) => ({ key: Redacted.make(fixtures.text("AuthKey_ABC123DEFG.p8")), ...ids, ...options }))
  )

const fails = (make: Maker, input: unknown): Effect.Effect<void> =>
  Effect.suspend((): Effect.Effect<unknown, unknown> => Reflect.apply(make, undefined, [input])).pipe(
    Effect.provide(NodeContext.layer),
    Effect.exit,
    Effect.map((exit) => {
      if (Exit.isSuccess(exit)) return
      assert.isTrue(Cause.isFailType(exit.cause), Cause.pretty(exit.cause))
    })
  )

describe("anything in place of the options -> a typed error, never a defect", () => {
  const makers: Record<string, readonly [Maker, ReadonlyArray<string>]> = {
    "Credentials.token": [Credentials.token, ["key", "keyFile", "keyId", "teamId", "passphrase", "sharing"]],
    "Credentials.certificate": [Credentials.certificate, ["cert", "certFile", "key", "keyFile", "passphrase"]],
    "Credentials.pkcs12": [Credentials.pkcs12, ["data", "file", "passphrase"]],
    "ProviderToken.make": [ProviderToken.make, ["key", "keyId", "teamId", "refreshAfter", "sharing"]]
  }
  for (const [name, [make, names]] of Object.entries(makers)) {
    it(name, () =>
      FastCheck.assert(
        FastCheck.asyncProperty(anything(names), (input) => Effect.runPromise(fails(make, input))),
        { numRuns: 500 }
      ), 60_000)
  }

  for (const [name, make] of Object.entries<Maker>({ "Proxy.make": Proxy.make, "Endpoint.make": Endpoint.make })) {
    it(name, () => {
      FastCheck.assert(FastCheck.property(FastCheck.anything(), (input) => {
        const result: unknown = Reflect.apply(make, undefined, [input])
        assert.isTrue(Either.isEither(result))
      }))
    })
  }

  it("text and bytes that are not redacted, as plain JavaScript passes them -> accepted", () =>
    Effect.runPromise(Effect.gen(function*() {
      const key = fixtures.text("AuthKey_ABC123DEFG.p8")
      const usual = yield* Credentials.token({ key: Redacted.make(key), ...ids })
      for (const content of [key, Buffer.from(key), new Uint8Array(Buffer.from(key))]) {
        const made: Effect.Effect<Credentials.Token, unknown> = Reflect.apply(Credentials.token, undefined, [
          { key: content, ...ids }
        ])
        assert.strictEqual((yield* made).identity, usual.identity)
      }
    })))
})
