import { Endpoint, Transport } from "@effect-apns/core"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { generateKeyPairSync } from "node:crypto"
import { readdir } from "node:fs/promises"

it.scopedLive("a key in place of the path of the key log -> refused, and no such file is created", () =>
  Effect.gen(function*() {
    const key = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "pem", type: "pkcs8" })
      .toString().split("\n").filter((line) => !line.startsWith("-----")).join("")
    const pem = `-----BEGIN PRIVATE KEY----- ${key} -----END PRIVATE KEY-----`.replaceAll("/", "+")
    const error = yield* Effect.flip(
      Transport.connect({ endpoint: Endpoint.unsafeMake("https://127.0.0.1:1"), keylog: pem })
    )
    assert.strictEqual(error.reason, "KeyLog")
    assert.notInclude(error.message, key.slice(0, 20))
    const files = yield* Effect.promise(() => readdir(process.cwd()))
    assert.deepStrictEqual(files.filter((name) => name.includes("PRIVATE KEY")), [])
  }))
