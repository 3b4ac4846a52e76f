import { Connection, Credentials, Endpoint, Transport } from "@effect-apns/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Redacted } from "effect"
import * as fixtures from "./fixtures/index.js"
import { Peer } from "./utils/peer.js"

const credentials = Credentials.token({
  key: Redacted.make(fixtures.text("AuthKey_ABC123DEFG.p8")),
  keyId: "ABC123DEFG",
  teamId: "DEF123GHIJ"
})
const endpoint = Endpoint.development

/** What a program without types can pass where a span of time belongs. */
const wrong: ReadonlyArray<unknown> = [5, 0, NaN, Infinity, 5n, "soon", "30s", "10 parsecs", null, {}, [1, 2]]

/** Options with one that has a name such as `ping.interval`. */
const withOption = (name: string, value: unknown): object => {
  const [first = "", second] = name.split(".")
  return { [first]: second === undefined ? value : { [second]: value } }
}

const names = [
  "connectTimeout",
  "drainTimeout",
  "ping.interval",
  "ping.deadline",
  "ping.busyInterval",
  "ping.busyDeadline"
]

describe("an invalid span of time -> refused before anything is opened, with the option's name", () => {
  for (const name of names) {
    for (const value of wrong) {
      const shown = typeof value === "bigint" ? `${value}n` : JSON.stringify(value) ?? String(value)
      it.scoped(`${name}: ${shown}`, () =>
        Effect.gen(function*() {
          let asked = 0
          const lookup = () => Effect.sync(() => (asked++, []))
          const made = [
            Connection.make(Object.assign({ endpoint, credentials, lookup }, withOption(name, value))),
            Connection.fromTransport(new Peer().transport, Object.assign({}, withOption(name, value)))
          ]
          for (const make of made) {
            const error = yield* Effect.flip(make)
            assert.strictEqual(error.reason, "InvalidOptions")
            assert.include(error.message, `\`${name}\``)
            assert.include(error.message, "\"10 seconds\"")
          }
          assert.strictEqual(asked, 0)
        }))
    }
  }

  it.scoped("connectTimeout of a transport alone", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Transport.connect(Object.assign({ endpoint }, withOption("connectTimeout", 5))))
      assert.strictEqual(error.reason, "InvalidOptions")
    }))

  it.effect("drainTimeout of a connection without a socket -> a defect, since only tests make one", () =>
    Effect.gen(function*() {
      const made = Connection.fromHandler(() => Effect.never, withOption("drainTimeout", 5))
      const exit = yield* Effect.exit(Effect.scoped(made))
      assert.isTrue(Exit.isFailure(exit) && String(exit.cause).includes("`drainTimeout`"))
    }))
})
