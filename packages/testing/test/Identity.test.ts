import { Certificates, Identity } from "@effect-apns/testing"
import { FileSystem } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"

describe("Identity.keep", () => {
  const directory = Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped({ prefix: "identity-" }))

  it.scopedLive("is the same at the next start, and only its owner can read it", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const dir = `${yield* directory}/new/directory`
      const first = yield* Identity.keep(dir)
      assert.deepStrictEqual(yield* Identity.keep(dir), first)
      assert.strictEqual((yield* fs.stat(`${dir}/${Identity.fileName}`)).mode & 0o777, 0o600)
      assert.deepStrictEqual(yield* fs.readDirectory(dir), [Identity.fileName])
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("the certificate expires -> the key is kept; the file is damaged -> a new identity", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const dir = yield* directory
      const first = yield* Identity.keep(dir)
      const authority = yield* Certificates.makeAuthority()
      const tls = { ...authority.server({ validity: "expired" }), ca: authority.ca }
      yield* fs.writeFileString(`${dir}/${Identity.fileName}`, JSON.stringify({ key: first.key, tls }))
      const second = yield* Identity.keep(dir)
      assert.deepStrictEqual(second.key, first.key)
      assert.notStrictEqual(second.tls.cert, tls.cert)
      for (const broken of ["", "{", "[]", "{\"key\":{}}"]) {
        yield* fs.writeFileString(`${dir}/${Identity.fileName}`, broken)
        const third = yield* Identity.keep(dir)
        assert.notStrictEqual(third.key.key, first.key.key)
        assert.deepStrictEqual(yield* Identity.keep(dir), third)
      }
    }).pipe(Effect.provide(NodeContext.layer)))
})
