import * as Credentials from "@effect-apns/core/Credentials"
import { FileSystem } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { SystemError } from "@effect/platform/Error"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Redacted } from "effect"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as fixtures from "./fixtures/index.js"

const p8 = fixtures.text("AuthKey_ABC123DEFG.p8")
const file = fixtures.path("AuthKey_ABC123DEFG.p8")
const usual = { APNS_KEY_ID: "ABC123DEFG", APNS_TEAM_ID: "DEF123GHIJ" }

const read = (env: Record<string, string>) =>
  Credentials.fromConfig.pipe(
    Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(env)))),
    Effect.provide(NodeContext.layer)
  )

const refusal = (env: Record<string, string>) =>
  Effect.map(
    Effect.flip(read(env)),
    (error) => ({ error, message: String("message" in error ? error.message : error) })
  )

describe("the content of a file in the variable for its path, or the reverse", () => {
  for (
    const written of [
      "AuthKey_ABC123DEFG.p8",
      "./keys/AuthKey_ABC123DEFG.p8",
      "/run/secrets/apns_key",
      "~/keys/AuthKey_ABC123DEFG.p8",
      "../apns",
      "C:\\keys\\apns.p8",
      "file:///etc/apns.p8",
      "@AuthKey_ABC123DEFG.p8",
      "\"/run/secrets/apns_key\"",
      " /run/secrets/apns_key\n"
    ]
  ) {
    it.effect(`APNS_KEY=${JSON.stringify(written)} names APNS_KEY_FILE`, () =>
      Effect.gen(function*() {
        const { message } = yield* refusal({ APNS_KEY: written, ...usual })
        assert.include(message, "APNS_KEY looks like the path of a file: pass it as APNS_KEY_FILE")
      }))
  }

  it.effect("each variable for content -> the hint names the one for the path", () =>
    Effect.gen(function*() {
      assert.include((yield* refusal({ APNS_CERT: "/etc/push.pem" })).message, "pass it as APNS_CERT_FILE")
      assert.include((yield* refusal({ APNS_P12: "push.p12" })).message, "pass it as APNS_P12_FILE")
      assert.include(
        (yield* refusal({ APNS_CERT: fixtures.text("client.pem"), APNS_CERT_KEY: "./push.key" })).message,
        "pass it as APNS_CERT_KEY_FILE"
      )
    }))

  const secrets: Record<string, string> = {
    "the file": p8,
    "one line": p8.replaceAll("\n", "\\n"),
    "its base64 alone": p8.replace(/-----[^-]+-----|\n/g, ""),
    "base64": Buffer.from(p8).toString("base64"),
    "a JSON Web Key": JSON.stringify({ kty: "EC", crv: "P-256", d: "DOGVwrfJP64snM51vs4O3bh8AjfnmzwRIc1DgkGSi2I" }),
    "hexadecimal": Buffer.from(p8).toString("hex"),
    "JSON of a Buffer": JSON.stringify(Buffer.from(p8))
  }
  for (const [name, secret] of Object.entries(secrets)) {
    it.effect(`APNS_KEY_FILE with the key as ${name} names APNS_KEY, and does not repeat it`, () =>
      Effect.gen(function*() {
        const { error, message } = yield* refusal({ APNS_KEY_FILE: secret, ...usual })
        assert.match(message, /What is given as APNS_KEY_FILE .* looks like the key itself: pass it as APNS_KEY$/)
        for (const text of [JSON.stringify(error), String(error), message]) {
          assert.notInclude(text, secret.slice(40, 60))
        }
      }))
  }
})

describe("a file that cannot be read -> an error that says why", () => {
  const temporary = Effect.acquireRelease(
    Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "apns-hints-"))),
    (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true }))
  )

  it.scoped("a folder, a path through a file, a cycle of links, no file", () =>
    Effect.gen(function*() {
      const folder = yield* temporary
      const key = path.join(folder, "key.p8")
      const link = path.join(folder, "link.p8")
      fs.writeFileSync(key, p8)
      fs.symlinkSync(link, link)
      const expected: ReadonlyArray<readonly [string, RegExp]> = [
        [folder, /cannot be read: it is a folder: give the path of a file in it/],
        [path.join(key, "other.p8"), /cannot be read: what stands before the last \/ is a file and no folder/],
        [link, /cannot be read: its symbolic links lead in a circle/],
        [path.join(folder, "none.p8"), /There is no file .*none\.p8: give the path of an existing file/],
        ["~/none.p8", /There is no file ~\/none\.p8: only a shell knows what ~ is, write the path in full/],
        ["file:///none.p8", /There is no file file:\/\/\/none\.p8: give a path, and no URL/]
      ]
      for (const [keyFile, message] of expected) {
        const read = yield* refusal({ APNS_KEY_FILE: keyFile, ...usual })
        assert.match(read.message, message)
        assert.notMatch(read.message, /EISDIR|ENOTDIR|ELOOP|ENOENT|errno/)
      }
    }))

  it.effect("a file that this user may not read", () =>
    Effect.gen(function*() {
      const refused = new SystemError({
        module: "FileSystem",
        method: "readFile",
        reason: "PermissionDenied",
        description: "EACCES: permission denied, open '/etc/apns.p8'"
      })
      const error = yield* Effect.flip(
        Credentials.token({ keyFile: "/etc/apns.p8", keyId: "ABC123DEFG", teamId: "DEF123GHIJ" })
      ).pipe(
        Effect.provide(FileSystem.layerNoop({ readFile: () => refused }))
      )
      assert.strictEqual(error.reason, "FileNotReadable")
      assert.match(
        error.message,
        /^The file \/etc\/apns\.p8 cannot be read: this user may not read it: change its owner or its mode/
      )
      assert.notInclude(error.message, "EACCES")
    }))
})

describe("hints for wrong identifiers", () => {
  const keyIds: ReadonlyArray<readonly [string, string]> = [
    ["AuthKey_ABC123DEFG.p8", "the name of the key's file: give the 10 characters in it, ABC123DEFG"],
    ["/etc/AuthKey_ABC123DEFG.p8", "the name of the key's file: give the 10 characters in it, ABC123DEFG"],
    ["AuthKey_ABC123DEFG", "the name of the key's file: give the 10 characters in it, ABC123DEFG"],
    ["ABC 123 DEFG", "has quotes or white space in it: write ABC123DEFG"],
    ["'\"ABC123DEFG\"'", "has quotes or white space in it: write ABC123DEFG"],
    ["\u200bABC123DEFG", "has quotes or white space in it: write ABC123DEFG"],
    ["abc123defg", "has lower-case letters: Apple writes it as ABC123DEFG"],
    ["ABC123DEF", "is not 10 upper-case letters and digits, it has 9: give the Key ID shown on Apple's developer site"],
    ["ABC123DEFGH", "it has 11"],
    ["com.example.app", "looks like a bundle ID, which is the topic: give the Key ID"],
    [
      "69a6de70-03db-47e3-e053-5b8c7c11a4d1",
      "is an Issuer ID of App Store Connect, which APNs does not use: give the Key ID"
    ]
  ]
  for (const [written, hint] of keyIds) {
    it.effect(`APNS_KEY_ID=${JSON.stringify(written)}: ${hint}`, () =>
      Effect.gen(function*() {
        const { error, message } = yield* refusal({ APNS_KEY_FILE: file, ...usual, APNS_KEY_ID: written })
        assert.match(message, /^APNS_KEY_ID /)
        assert.include(message, hint)
        assert.include(error, { _tag: "CredentialsError", reason: "InvalidKeyId" })
      }))
  }

  const teamIds: ReadonlyArray<readonly [string, string]> = [
    ["DEF123GHIJ.com.example.app", "holds a bundle ID as well: give the 10 characters in front of it, DEF123GHIJ"],
    ["com.example.app", "looks like a bundle ID, which is the topic: give the Team ID"],
    [
      "69a6de70-03db-47e3-e053-5b8c7c11a4d1",
      "is an Issuer ID of App Store Connect, which APNs does not use: give the Team ID"
    ],
    ["AuthKey_ABC123DEFG.p8", "is the name of the key's file, which holds the Key ID: give the Team ID"],
    ["def123ghij", "has lower-case letters: Apple writes it as DEF123GHIJ"],
    [
      "DEF123GHIJ DEF123GHIJ",
      "is not 10 upper-case letters and digits: give the Team ID shown on Apple's developer site"
    ],
    ["1234567890123", "it has 13"]
  ]
  for (const [written, hint] of teamIds) {
    it.effect(`APNS_TEAM_ID=${JSON.stringify(written)}: ${hint}`, () =>
      Effect.gen(function*() {
        const { error, message } = yield* refusal({ APNS_KEY_FILE: file, ...usual, APNS_TEAM_ID: written })
        assert.match(message, /^APNS_TEAM_ID /)
        assert.include(message, hint)
        assert.include(error, { _tag: "CredentialsError", reason: "InvalidTeamId" })
      }))
  }

  it.effect("options given in code -> the hint uses their names", () =>
    Effect.gen(function*() {
      const make = (ids: { readonly keyId: string; readonly teamId: string }, key = p8) =>
        Effect.flip(Credentials.token({ key: Redacted.make(key), ...ids }))
      const ids = { keyId: "ABC123DEFG", teamId: "DEF123GHIJ" }
      assert.match((yield* make({ ...ids, keyId: "abc123defg" })).message, /^The key id "abc123defg" has lower-case/)
      assert.match((yield* make({ ...ids, teamId: "x" })).message, /^The team id "x" is not 10/)
      assert.match((yield* make(ids, "/etc/apns")).message, /pass it as `keyFile`$/)
    }))
})
