import { Endpoint } from "@effect-apns/core"
import { assert, describe, it } from "@effect/vitest"
import { runInNewContext } from "node:vm"
import { fromError } from "../src/internal/connectFailure.js"

describe("an error of another realm, as in Jest and vmThreads", () => {
  it.each([
    { code: "ECONNREFUSED", reason: "Refused" },
    { code: "ENOTFOUND", reason: "Dns" },
    { code: "ECONNRESET", reason: "Reset" }
  ])("is known by its code: $code", ({ code, reason }) => {
    const error: unknown = runInNewContext(`Object.assign(new Error("boom"), { code: "${code}" })`)
    assert.isFalse(error instanceof Error)
    const failure = fromError(Endpoint.production, "tcp", error)
    assert.strictEqual(failure.reason, reason)
    assert.strictEqual(failure.code, code)
  })

  it("an error without a code -> its message is shown", () => {
    const failure = fromError(Endpoint.production, "tcp", runInNewContext("new Error(\"boom\")"))
    assert.include(failure.message, "boom")
  })
})
