import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Cause, FastCheck, Schema } from "effect"
import { existsSync } from "node:fs"
import { readdir } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"

const packages = fileURLToPath(new URL("../..", import.meta.url))
// the last two are left out where the others are tested with older peers
const names = ["models", "core", "pool", "effect-apns", "testing", "inbox", "outbox"].filter((name) =>
  existsSync(join(packages, name))
)

type ErrorClass = new(...args: ReadonlyArray<never>) => Cause.YieldableError

const isErrorClass = (value: unknown): value is ErrorClass =>
  typeof value === "function" && value.prototype instanceof Cause.YieldableError

const isSchema = (value: unknown): value is Schema.Schema<Cause.YieldableError, unknown> => Schema.isSchema(value)

/** Every error class that a public module exports, under the name `package/Module.Class`. */
const exported = async (): Promise<ReadonlyMap<string, ErrorClass>> => {
  const found = new Map<string, ErrorClass>()
  for (const name of names) {
    const source = join(packages, name, "src")
    const files = await Promise.all(
      ["", "unstable"].map(async (folder) => {
        const entries = await readdir(join(source, folder)).catch(() => [])
        return entries.filter((file) => file.endsWith(".ts")).map((file) => join(folder, file))
      })
    )
    for (const file of files.flat()) {
      const module: object = await import(pathToFileURL(join(source, file)).href)
      for (const [key, value] of Object.entries(module)) {
        if (isErrorClass(value) && ![...found.values()].includes(value)) {
          found.set(`${name}/${file.slice(0, -3)}.${key}`, value)
        }
      }
    }
  }
  return found
}

const isFinite = (value: unknown): boolean =>
  typeof value === "number"
    ? Number.isFinite(value)
    : typeof value !== "object" || value === null || Object.values(value).every(isFinite)

const errors = [...await exported()]

describe("every error of a public module is its own Schema, and is equal after JSON and back", () => {
  it("there are errors of each package", () => {
    for (const name of names) assert.isTrue(errors.some(([path]) => path.startsWith(`${name}/`)), name)
    assert.isAbove(errors.length, 55)
  })

  it.each(errors)("%s", (path, error) => {
    assert.isTrue(isSchema(error), `${path} has no Schema`)
    if (!isSchema(error)) return
    FastCheck.assert(
      FastCheck.property(Arbitrary.make(Schema.typeSchema(error)), (instance) => {
        const encoded = Schema.encodeSync(error)(instance)
        // neither numbers that JSON does not have, nor what nobody throws, are in the errors that this library makes
        FastCheck.pre(isFinite(encoded) && (instance.cause === undefined || instance.cause instanceof Error))
        const stored = JSON.stringify(encoded)
        const back = Schema.decodeUnknownSync(error)(JSON.parse(stored))
        assert.strictEqual(back.constructor, error)
        assert.instanceOf(back, Error)
        assert.strictEqual(Reflect.get(back, "_tag"), Reflect.get(instance, "_tag"))
        // a span of time is stored in milliseconds, and what is generated here has nanoseconds
        if (!/"(retryAfter|after|timeout)":/.test(stored)) assert.strictEqual(back.message, instance.message)
        assert.strictEqual(JSON.stringify(Schema.encodeSync(error)(back)), stored)
      }),
      { numRuns: 10 }
    )
  })
})
