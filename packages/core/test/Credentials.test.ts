import * as Credentials from "@effect-apns/core/Credentials"
import type { FileSystem } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, DateTime, Effect, Redacted, TestClock } from "effect"
import * as util from "node:util"
import * as fixtures from "./fixtures/index.js"

const secret = Redacted.make("secret")
const ids = { keyId: "ABC123DEFG", teamId: "DEF123GHIJ" }
const key = Redacted.make(fixtures.text("AuthKey_ABC123DEFG.p8"))

const withFiles = <A, E>(effect: Effect.Effect<A, E, FileSystem.FileSystem>): Effect.Effect<A, E> =>
  Effect.provide(effect, NodeContext.layer)

/** Every text in which a value may show up. */
const shown = (u: unknown): string =>
  [util.inspect(u, { depth: 10, showHidden: true }), JSON.stringify(u), String(u)].join("\n")

/** The lines of base64 in a PEM text. */
const secretLines = (pem: string): ReadonlyArray<string> =>
  pem.split("\n").filter((line) => line.length > 40 && !line.includes("-"))

describe("Credentials", () => {
  describe("token", () => {
    it.effect("a key from a file or as text -> read", () =>
      Effect.gen(function*() {
        const one = yield* withFiles(Credentials.token({ keyFile: fixtures.path("AuthKey_ABC123DEFG.p8"), ...ids }))
        const two = yield* Credentials.token({ key, ...ids })
        assert.strictEqual(one._tag, "Token")
        assert.deepStrictEqual([one.keyId, one.teamId], [ids.keyId, ids.teamId] as Array<string>)
        assert.strictEqual(Redacted.value(one.key), Redacted.value(two.key))
        assert.strictEqual(one.identity, two.identity)
        assert.isTrue(Credentials.isCredentials(one))
      }))

    it.effect("line ends written as \\n, as in environment variables, or as on Windows -> read", () =>
      Effect.gen(function*() {
        const text = Redacted.value(key)
        const { identity } = yield* Credentials.token({ key, ...ids })
        for (const variant of [text.replaceAll("\n", "\\n"), text.replaceAll("\n", "\r\n"), `\uFEFF${text}`]) {
          assert.strictEqual((yield* Credentials.token({ key: Redacted.make(variant), ...ids })).identity, identity)
        }
      }))

    it.effect("each team and key -> its own identity", () =>
      Effect.gen(function*() {
        const identityOf = (options: Partial<Credentials.TokenOptions>) =>
          Effect.map(Credentials.token({ key, ...ids, ...options }), (_) => _.identity)
        const identities = yield* Effect.all([
          identityOf({}),
          identityOf({ teamId: "OTHERTEAM1" }),
          identityOf({ keyId: "OTHERKEY12" }),
          identityOf({ key: Redacted.make(fixtures.text("client.key.pem")) })
        ])
        assert.strictEqual(new Set(identities).size, 4)
      }))

    const wrong: ReadonlyArray<readonly [string, string, Credentials.Reason, RegExp]> = [
      ["client.pem", "a certificate alone", "NoKey", /only CERTIFICATE: give the \.p8 file/],
      ["public.pem", "a public key", "NoKey", /only PUBLIC KEY/],
      ["encrypted.p8", "an encrypted key", "PassphraseMissing", /is encrypted/],
      ["p384.p8", "another curve", "NotEcP256", /secp384r1/],
      ["rsa.p8", "an RSA key", "NotEcP256", /rsa/],
      ["ed25519.p8", "an Ed25519 key", "NotEcP256", /ed25519/],
      ["client.p12", "an archive", "NotPem", /BEGIN PRIVATE KEY/],
      ["generate.sh", "text of another kind", "NotPem", /BEGIN PRIVATE KEY/],
      ["missing.p8", "a missing file", "FileNotReadable", /There is no file .*missing\.p8: give the path/],
      [".", "a folder", "FileNotReadable", /cannot be read/]
    ]
    for (const [file, name, reason, message] of wrong) {
      it.effect(`${name} -> ${reason}`, () =>
        Effect.gen(function*() {
          const path = fixtures.path(file)
          const error = yield* Effect.flip(withFiles(Credentials.token({ keyFile: path, ...ids })))
          assert.strictEqual(error._tag, "CredentialsError")
          assert.strictEqual(error.reason, reason)
          assert.strictEqual(error.source, path)
          assert.include(error.message, path)
          assert.match(error.message, message)
        }))
    }

    it.effect("damaged keys -> refused, without the key in the error", () =>
      Effect.gen(function*() {
        const damaged = Redacted.value(key).replace(/\n(.{8})/, "\nAAAAAAAA")
        for (const text of [damaged, "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----"]) {
          const error = yield* Effect.flip(Credentials.token({ key: Redacted.make(text), ...ids }))
          assert.strictEqual(error.reason, "InvalidKey")
          assert.isFalse(secretLines(text).some((line) => shown(error).includes(line)))
        }
        const empty = yield* Effect.flip(Credentials.token({ key: Redacted.make(""), ...ids }))
        assert.strictEqual(empty.reason, "NotPem")
      }))

    it.effect("key and team ids with a wrong length or wrong characters -> refused", () =>
      Effect.gen(function*() {
        for (const id of ["", "abc123defg", "ABC123DEF", "ABC123DEFGH", "ABC123DEF ", "ABC123DE\r\n"]) {
          const keyId = yield* Effect.flip(Credentials.token({ key, ...ids, keyId: id }))
          assert.strictEqual(keyId.reason, "InvalidKeyId")
          assert.include(keyId.message, JSON.stringify(id))
          const teamId = yield* Effect.flip(Credentials.token({ key, ...ids, teamId: id }))
          assert.strictEqual(teamId.reason, "InvalidTeamId")
        }
      }))
  })

  describe("certificate", () => {
    it.effect("two files, one file, or text, blocks in any order -> read", () =>
      Effect.gen(function*() {
        const made = yield* Effect.all([
          withFiles(
            Credentials.certificate({ certFile: fixtures.path("client.pem"), keyFile: fixtures.path("client.key.pem") })
          ),
          withFiles(Credentials.certificate({ certFile: fixtures.path("client-both.pem") })),
          withFiles(Credentials.certificate({ certFile: fixtures.path("client-odd-order.pem") })),
          Credentials.certificate({
            cert: fixtures.text("client.pem"),
            key: Redacted.make(fixtures.text("client.key.pem"))
          }),
          Credentials.certificate({ cert: Redacted.make(fixtures.text("client-both.pem")) }),
          Credentials.certificate({
            cert: fixtures.text("client.pem"),
            key: Redacted.make(fixtures.text("client-encrypted.key.pem")),
            passphrase: secret
          }),
          Credentials.certificate({
            cert: fixtures.text("client.pem"),
            key: Redacted.make(fixtures.text("client-traditional.key.pem")),
            passphrase: secret
          })
        ])
        for (const { cert, identity, key } of made) {
          assert.strictEqual(identity, made[0].identity)
          assert.strictEqual(Redacted.value(key), Redacted.value(made[0].key))
          assert.notInclude(cert, "PRIVATE KEY")
          assert.isTrue(cert.startsWith(fixtures.text("client.pem").trim()), "the certificate comes before its chain")
        }
      }))

    it.effect("subject, expiry and topics are read", () =>
      Effect.gen(function*() {
        const { expiresAt, subject, topics } = yield* withFiles(
          Credentials.certificate({ certFile: fixtures.path("client-both.pem") })
        )
        assert.include(subject, "CN=Apple Push Services: com.example.app")
        assert.deepStrictEqual(topics, ["com.example.app", "com.example.app.voip", "com.example.app.complication"])
        assert.isAbove(expiresAt.epochMillis, Date.UTC(2100))
        const other = yield* Credentials.certificate({
          cert: fixtures.text("other.pem"),
          key: Redacted.make(fixtures.text("other.key.pem"))
        })
        assert.deepStrictEqual(other.topics, ["com.example.other"])
      }))

    const wrong: ReadonlyArray<readonly [string, Credentials.CertificateOptions, Credentials.Reason, RegExp]> = [
      ["no PEM", { cert: "hello" }, "NotPem", /BEGIN CERTIFICATE/],
      ["no key", { cert: fixtures.text("client.pem") }, "NoKey", /name the file that holds it/],
      ["no certificate", { cert: fixtures.text("client.key.pem") }, "NoCertificate", /only PRIVATE KEY/],
      [
        "another's key",
        { cert: fixtures.text("client.pem"), key: Redacted.make(fixtures.text("other.key.pem")) },
        "Mismatch",
        /does not belong to/
      ],
      [
        "an encrypted key without passphrase",
        { cert: fixtures.text("client.pem"), key: Redacted.make(fixtures.text("client-encrypted.key.pem")) },
        "PassphraseMissing",
        /give its passphrase/
      ],
      [
        "an encrypted key with a wrong passphrase",
        {
          cert: fixtures.text("client.pem"),
          key: Redacted.make(fixtures.text("client-encrypted.key.pem")),
          passphrase: Redacted.make("hunter2")
        },
        "WrongPassphrase",
        /correct it/
      ],
      [
        "an encrypted key of the older form with a wrong passphrase",
        {
          cert: fixtures.text("client.pem"),
          key: Redacted.make(fixtures.text("client-traditional.key.pem")),
          passphrase: Redacted.make("hunter2")
        },
        "WrongPassphrase",
        /correct it/
      ],
      [
        "a damaged certificate",
        { cert: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" },
        "InvalidCertificate",
        /damaged/
      ],
      [
        "a key that is no PEM",
        { cert: fixtures.text("client.pem"), key: Redacted.make("x") },
        "NotPem",
        /the key given/
      ]
    ]
    for (const [name, options, reason, message] of wrong) {
      it.effect(`${name} -> ${reason}`, () =>
        Effect.gen(function*() {
          const error = yield* Effect.flip(Credentials.certificate(options))
          assert.strictEqual(error.reason, reason)
          assert.match(error.message, message)
          assert.notInclude(shown(error), "hunter2")
        }))
    }

    it.effect("missing files -> refused, each with its path", () =>
      Effect.gen(function*() {
        const cert = yield* Effect.flip(withFiles(Credentials.certificate({ certFile: "/no/cert.pem" })))
        assert.deepStrictEqual([cert.reason, cert.source], ["FileNotReadable", "/no/cert.pem"])
        const key = yield* Effect.flip(
          withFiles(Credentials.certificate({ certFile: fixtures.path("client.pem"), keyFile: "/no/key.pem" }))
        )
        assert.deepStrictEqual([key.reason, key.source], ["FileNotReadable", "/no/key.pem"])
      }))

    it.effect("a path with quotes or white space around it, or none -> the message says so", () =>
      Effect.gen(function*() {
        for (
          const [certFile, hint] of [
            ["\"/no/cert.pem\"", "remove the quotes"],
            ["'/no/cert.pem'", "remove the quotes"],
            ["/no/cert.pem ", "white space"],
            ["", "empty"]
          ] as const
        ) {
          const { message } = yield* Effect.flip(withFiles(Credentials.certificate({ certFile })))
          assert.include(message, hint)
          assert.notInclude(message, "looks like")
        }
      }))
  })

  describe("pkcs12", () => {
    it.effect("a file or bytes, with and without passphrase -> the same fields as from PEM", () =>
      Effect.gen(function*() {
        const pem = yield* withFiles(Credentials.certificate({ certFile: fixtures.path("client-both.pem") }))
        const made = yield* Effect.all([
          withFiles(Credentials.pkcs12({ file: fixtures.path("client.p12"), passphrase: secret })),
          Credentials.pkcs12({ data: fixtures.bytes("client.p12"), passphrase: secret }),
          Credentials.pkcs12({ data: Redacted.make<Uint8Array>(fixtures.bytes("client-open.p12")) }),
          Credentials.pkcs12({ data: fixtures.bytes("client-legacy.p12"), passphrase: secret })
        ])
        for (const { _tag, expiresAt, identity, subject, topics } of made) {
          assert.deepStrictEqual(
            { _tag, subject, topics, identity, expiresAt },
            {
              _tag: "Pkcs12",
              subject: pem.subject,
              topics: pem.topics,
              identity: pem.identity,
              expiresAt: pem.expiresAt
            }
          )
        }
      }))

    const wrong: ReadonlyArray<readonly [string, string, string | undefined, Credentials.Reason, RegExp]> = [
      ["a wrong passphrase", "client.p12", "hunter2", "WrongPassphrase", /correct it/],
      ["no passphrase", "client.p12", undefined, "PassphraseMissing", /give its passphrase/],
      ["no key", "client-nokey.p12", "secret", "NoKey", /export certificate and key together/],
      ["no certificate", "client-nocert.p12", "secret", "NoCertificate", /export certificate and key together/],
      ["PEM", "client-both.pem", "secret", "NotPkcs12", /read it as PEM/],
      ["a missing file", "missing.p12", "secret", "FileNotReadable", /There is no file/]
    ]
    for (const [name, file, passphrase, reason, message] of wrong) {
      it.effect(`${name} -> ${reason}`, () =>
        Effect.gen(function*() {
          const error = yield* Effect.flip(withFiles(Credentials.pkcs12({
            file: fixtures.path(file),
            passphrase: passphrase === undefined ? undefined : Redacted.make(passphrase)
          })))
          assert.strictEqual(error.reason, reason)
          assert.match(error.message, message)
          assert.notInclude(shown(error), "hunter2")
        }))
    }
  })

  describe("expiry", () => {
    type Load = Effect.Effect<Credentials.Certificate | Credentials.Pkcs12, Credentials.CredentialsError>
    const expired: Record<string, Load> = {
      PEM: Credentials.certificate({
        cert: fixtures.text("expired.pem"),
        key: Redacted.make(fixtures.text("expired.key.pem"))
      }),
      "PKCS#12": Credentials.pkcs12({ data: fixtures.bytes("expired.p12"), passphrase: secret })
    }
    for (const [name, load] of Object.entries(expired)) {
      it.effect(`an expired certificate from ${name} -> refused with its date; the time is Effect's Clock`, () =>
        Effect.gen(function*() {
          const end = Date.UTC(2021, 0, 2, 3, 4, 5)
          yield* TestClock.setTime(end - 1)
          assert.strictEqual((yield* load).expiresAt.epochMillis, end)
          yield* TestClock.adjust("1 millis")
          const error = yield* Effect.flip(load)
          assert.strictEqual(error.reason, "Expired")
          assert.deepStrictEqual(error.expiredAt, DateTime.unsafeMake(end))
          assert.include(error.message, "2021-01-02T03:04:05")
        }))
    }
  })

  it.effect("inspection, JSON and text of credentials contain no secret", () =>
    Effect.gen(function*() {
      const made = yield* Effect.all([
        Credentials.token({ key, ...ids }),
        Credentials.certificate({ cert: Redacted.make(fixtures.text("client-both.pem")) }),
        Credentials.pkcs12({ data: fixtures.bytes("client.p12"), passphrase: Redacted.make("secret") })
      ])
      const text = shown(made)
      const secrets = [
        ...secretLines(Redacted.value(key)),
        ...secretLines(fixtures.text("client.key.pem")),
        fixtures.bytes("client.p12").toString("base64").slice(0, 40),
        "\"secret\"",
        "'secret'"
      ]
      assert.isAbove(secrets.length, 4)
      for (const value of secrets) {
        assert.notInclude(text, value)
      }
      assert.notMatch(text, /<Buffer|Uint8Array\(/)
    }))

  describe("fromConfig", () => {
    const archive = fixtures.bytes("client-legacy.p12").toString("base64")
    const archives: Record<string, string> = {
      "\\n in it": archive.replace(/.{76}/g, "$&\\n"),
      "its name before it": `APNS_P12=${archive}`,
      "percent encoding": encodeURIComponent(archive),
      "base64 of base64": Buffer.from(archive).toString("base64"),
      "a data URL": `data:application/x-pkcs12;base64,${archive}`,
      "a PEM label": `-----BEGIN PKCS12-----\n${archive}\n-----END PKCS12-----`
    }
    for (const [name, text] of Object.entries(archives)) {
      it.effect(`an archive in APNS_P12 with ${name} -> read`, () =>
        Effect.gen(function*() {
          const found = yield* withFiles(Credentials.fromConfig).pipe(
            Effect.withConfigProvider(
              ConfigProvider.fromMap(new Map([["APNS_P12", text], ["APNS_CERT_PASSPHRASE", "secret"]]))
            )
          )
          const usual = yield* withFiles(
            Credentials.pkcs12({ file: fixtures.path("client-legacy.p12"), passphrase: Redacted.make("secret") })
          )
          assert.strictEqual(found.identity, usual.identity)
        }))
    }

    it.effect("ids and paths in the quotes that docker --env-file keeps -> read without the quotes", () =>
      Effect.gen(function*() {
        const found = yield* withFiles(Credentials.fromConfig).pipe(
          Effect.withConfigProvider(ConfigProvider.fromMap(
            new Map([
              ["APNS_KEY_FILE", `"${fixtures.path("AuthKey_ABC123DEFG.p8")}"`],
              ["APNS_KEY_ID", "\"ABC123DEFG\""],
              ["APNS_TEAM_ID", "'DEF123GHIJ'\r"],
              ["APNS_CERT_FILE", "\"\""]
            ])
          ))
        )
        assert.strictEqual(found._tag, "Token")
      }))

    const read = (env: Record<string, string>) =>
      withFiles(Credentials.fromConfig).pipe(
        Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(env))))
      )
    const idsEnv = { APNS_KEY_ID: ids.keyId, APNS_TEAM_ID: ids.teamId }

    it.effect("reads each kind", () =>
      Effect.gen(function*() {
        const file = yield* read({ APNS_KEY_FILE: fixtures.path("AuthKey_ABC123DEFG.p8"), ...idsEnv })
        const text = yield* read({ APNS_KEY: Redacted.value(key).replaceAll("\n", "\\n"), ...idsEnv })
        assert.deepStrictEqual([file._tag, text._tag], ["Token", "Token"])
        assert.strictEqual(file.identity, text.identity)
        const one = yield* read({ APNS_CERT_FILE: fixtures.path("client-both.pem") })
        const two = yield* read({
          APNS_CERT_FILE: fixtures.path("client.pem"),
          APNS_CERT_KEY_FILE: fixtures.path("client-encrypted.key.pem"),
          APNS_CERT_PASSPHRASE: "secret"
        })
        const p12 = yield* read({ APNS_CERT_FILE: fixtures.path("client.p12"), APNS_CERT_PASSPHRASE: "secret" })
        assert.deepStrictEqual([one._tag, two._tag, p12._tag], ["Certificate", "Certificate", "Pkcs12"])
      }))

    it.effect("reads contents from variables as well as from files", () =>
      Effect.gen(function*() {
        const passphrase = { APNS_CERT_PASSPHRASE: "secret" }
        const found = yield* Effect.all([
          read({ APNS_CERT: fixtures.text("client-both.pem").replaceAll("\n", " ") }),
          read({
            APNS_CERT: fixtures.text("client.pem"),
            APNS_CERT_KEY: fixtures.text("client-encrypted.key.pem").replaceAll("\n", "\\n"),
            ...passphrase
          }),
          read({ APNS_P12: fixtures.bytes("client.p12").toString("base64"), ...passphrase }),
          read({ APNS_P12: fixtures.bytes("client-legacy.p12").toString("base64url"), ...passphrase }),
          read({ APNS_P12_FILE: fixtures.path("client-legacy.p12"), ...passphrase })
        ])
        assert.strictEqual(new Set(found.map(({ identity }) => identity)).size, 1)
        const encrypted = yield* read({
          APNS_KEY: fixtures.text("encrypted.p8"),
          APNS_KEY_PASSPHRASE: "secret",
          ...idsEnv
        })
        assert.strictEqual(encrypted._tag, "Token")
      }))

    it.effect("an empty variable -> treated as not set", () =>
      Effect.gen(function*() {
        const empty = Object.fromEntries(
          ["KEY", "KEY_FILE", "KEY_PASSPHRASE", "CERT", "CERT_FILE", "CERT_KEY", "CERT_KEY_FILE", "P12", "P12_FILE"]
            .concat(
              ["CERT_PASSPHRASE", "KEY_ID", "TEAM_ID"]
            ).flatMap((name) => [[`APNS_${name}`, ""]])
        )
        assert.match(String(yield* Effect.flip(read(empty))), /No credentials: set APNS_KEY_FILE/)
        const key = yield* read({ ...empty, APNS_KEY_FILE: fixtures.path("AuthKey_ABC123DEFG.p8"), ...idsEnv })
        assert.strictEqual(key._tag, "Token")
        const p12 = yield* read({ ...empty, APNS_CERT_FILE: fixtures.path("client-open.p12") })
        assert.strictEqual(p12._tag, "Pkcs12")
      }))

    it.effect("authorities as PEM in any shape or as DER -> read", () =>
      Effect.gen(function*() {
        const readCa = (env: Record<string, string>) =>
          withFiles(Credentials.authoritiesFromConfig).pipe(
            Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(env))))
          )
        const pem = fixtures.text("ca.pem")
        const found = yield* Effect.all([
          readCa({ APNS_CA_FILE: fixtures.path("ca.pem") }),
          readCa({ APNS_CA: pem.replaceAll("\n", "\\n") }),
          readCa({ APNS_CA: Buffer.from(pem).toString("base64"), APNS_CA_FILE: "" })
        ])
        for (const authority of found) assert.strictEqual(authority, pem)
        assert.isUndefined(yield* readCa({ APNS_CA: "", APNS_CA_FILE: "" }))
        const broken = pem.replace(/\n[^\n]+(?=\n-----END)/, "")
        assert.match(
          String(yield* Effect.flip(readCa({ APNS_CA: broken }))),
          /A certificate in APNS_CA is damaged: compare it with the original file/
        )
        assert.match(String(yield* Effect.flip(readCa({ APNS_CA: pem, APNS_CA_FILE: "x" }))), /remove one of them/)
        const wrong = yield* Effect.flip(readCa({ APNS_CA_FILE: fixtures.path("server.key.pem") }))
        assert.include(wrong.message, "only PRIVATE KEY")
        const misplaced = yield* Effect.flip(readCa({ APNS_CA_FILE: pem }))
        assert.include(misplaced.message, "pass it as APNS_CA")
      }))

    it.effect("too few or too many variables -> an error that says which", () =>
      Effect.gen(function*() {
        const keyFile = { APNS_KEY_FILE: fixtures.path("AuthKey_ABC123DEFG.p8") }
        const complaints: ReadonlyArray<readonly [Record<string, string>, RegExp]> = [
          [{}, /set APNS_KEY_FILE \(or APNS_KEY\)/],
          [{ ...keyFile, APNS_TEAM_ID: ids.teamId }, /Set APNS_KEY_ID/],
          [{ ...keyFile, APNS_KEY_ID: ids.keyId }, /Set APNS_TEAM_ID/],
          [{ ...keyFile, ...idsEnv, APNS_KEY: "x" }, /remove one of them/],
          [{ ...keyFile, ...idsEnv, APNS_CERT_FILE: "x" }, /Both a key and a certificate/]
        ]
        for (const [env, complaint] of complaints) {
          assert.match(String(yield* Effect.flip(read(env))), complaint)
        }
      }))
  })
})
