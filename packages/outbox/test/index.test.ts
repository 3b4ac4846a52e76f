import { assert, it } from "@effect/vitest"

it("the package can be imported", async () => {
  assert.strictEqual(typeof await import("../src/index.js"), "object")
})
