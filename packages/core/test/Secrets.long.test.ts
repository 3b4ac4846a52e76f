import * as Connection from "@effect-apns/core/Connection"
import * as Credentials from "@effect-apns/core/Credentials"
import * as Endpoint from "@effect-apns/core/Endpoint"
import * as ProviderToken from "@effect-apns/core/ProviderToken"
import * as Proxy from "@effect-apns/core/Proxy"
import type { FileSystem } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import type { Console } from "effect"
import { Cause, ConfigProvider, Effect, Exit, FastCheck, Logger, Redacted } from "effect"
import * as crypto from "node:crypto"
import * as util from "node:util"
import * as fixtures from "./fixtures/index.js"

/** Every form in which a secret may be repeated: pieces of it, as it is, encoded, escaped. */
const forms = (secret: string): ReadonlyArray<string> => {
  const bytes = Buffer.from(secret)
  // what is in the middle shows up in whatever is cut at its ends, and in each of the three alignments of base64
  const characters = Array.from(secret)
  const middle = characters.slice(Math.floor(characters.length / 4), Math.floor(characters.length / 4) + 24).join("")
  const base64 = [0, 1, 2].map((shift) => bytes.subarray(shift).toString("base64").slice(4, 24))
  const lines = secret.split(/\s+|\\n/).filter((line) => line.length >= 12)
  return [
    secret,
    middle,
    ...lines,
    ...base64,
    ...base64.map((text) => text.replaceAll("+", "-").replaceAll("/", "_")),
    encodeURIComponent(middle),
    JSON.stringify(middle).slice(1, -1),
    bytes.toString("hex").slice(8, 40)
  ].filter((form) => form.length >= 8)
}

/** Everything that a program may do with a value to look at it. */
const renderings = (value: unknown): ReadonlyArray<string> => [
  String(value),
  util.inspect(value, { depth: Infinity, showHidden: true, maxStringLength: Infinity, maxArrayLength: Infinity }),
  util.format("%s %o %O %j", value, value, value, value),
  JSON.stringify(value) ?? "",
  JSON.stringify(
    value,
    (_, inner: unknown) =>
      inner instanceof Error ? { ...inner, message: inner.message, stack: inner.stack, cause: inner.cause } : inner
  ) ?? "",
  ...(value instanceof Error
    ? [value.message, String(value.stack), String(value.cause), ...renderings(value.cause)]
    : [])
]

/** What each logger makes of a value: as message, as annotation, as cause. */
const logged = (value: unknown, cause: Cause.Cause<unknown>): Effect.Effect<ReadonlyArray<string>> =>
  Effect.gen(function*() {
    const lines: Array<string> = []
    const keep = (line: unknown): void => {
      lines.push(typeof line === "string" ? line : util.inspect(line, { depth: Infinity, maxStringLength: Infinity }))
    }
    const log = Effect.logError("failed", value, cause).pipe(Effect.annotateLogs({ value }))
    const loggers: ReadonlyArray<Logger.Logger<unknown, unknown>> = [
      Logger.stringLogger,
      Logger.logfmtLogger,
      Logger.structuredLogger,
      Logger.jsonLogger,
      Logger.prettyLogger({ colors: false, mode: "tty" }),
      Logger.prettyLogger({ colors: false, mode: "browser" })
    ]
    const console = yield* Effect.console
    const write = (...args: ReadonlyArray<unknown>): void => keep(util.format(...args))
    const captured: Console.Console = {
      ...console,
      unsafe: {
        ...console.unsafe,
        error: write,
        group: write,
        groupCollapsed: write,
        info: write,
        log: write,
        warn: write
      }
    }
    for (const logger of loggers) {
      yield* log.pipe(
        Effect.provide(Logger.replace(Logger.defaultLogger, Logger.map(logger, keep))),
        Effect.withConsole(captured)
      )
    }
    assert.isAtLeast(lines.length, loggers.length)
    return lines
  })

/** Those of the secrets that can be seen in what an Effect came to. */
const exposed = <A, E>(
  secrets: ReadonlyArray<string>,
  effect: Effect.Effect<A, E>
): Effect.Effect<ReadonlyArray<string>> =>
  Effect.gen(function*() {
    const exit = yield* Effect.exit(effect)
    const cause = Exit.isSuccess(exit) ? Cause.empty : exit.cause
    const values = Exit.isSuccess(exit)
      ? [exit.value]
      : [cause, Cause.squash(cause), ...Cause.failures(cause), ...Cause.defects(cause)]
    const texts = [
      ...values.flatMap(renderings),
      ...renderings(exit),
      Cause.pretty(cause),
      Cause.pretty(cause, { renderErrorCause: true }),
      ...(yield* Effect.forEach(values, (value) => logged(value, cause))).flat()
    ]
    return secrets.filter((secret) => {
      const wanted = forms(secret)
      return texts.some((text) => wanted.some((form) => text.includes(form)))
    })
  })

const ids = { keyId: "ABC123DEFG", teamId: "DEF123GHIJ" }
const p8 = fixtures.text("AuthKey_ABC123DEFG.p8")
const shapes: ReadonlyArray<(text: string) => string> = [
  (text) => text,
  (text) => text.replaceAll("\n", "\\n"),
  (text) => text.replaceAll("\n", " "),
  (text) => text.replaceAll("\n", ""),
  (text) => Buffer.from(text).toString("base64"),
  (text) => Buffer.from(text).toString("base64url"),
  (text) => text.replace(/-----[^-]+-----/g, "").replace(/\n/g, ""),
  (text) => text.slice(0, 150),
  (text) => text.slice(40),
  (text) => `${text}\0`,
  (text) => text.replace(/(?<=-----\n)[^\n]{6}/, "!!")
]

const withFiles = <A, E>(effect: Effect.Effect<A, E, FileSystem.FileSystem>) =>
  Effect.provide(effect, NodeContext.layer)

const fresh = (): string =>
  crypto.generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" })
    .toString()

const password = () => `pw-${crypto.randomBytes(12).toString("hex")}`

describe("a secret in the wrong place", () => {
  it("this test's own search finds it", () =>
    Effect.runPromise(Effect.gen(function*() {
      const secret = fresh()
      for (const leak of [secret, secret.replaceAll("\n", "\\n"), Buffer.from(`x${secret}`).toString("base64")]) {
        for (
          const effect of [
            Effect.fail(new Error("x", { cause: { inner: { deep: [leak] } } })),
            Effect.fail(new Error(leak)),
            Effect.die(leak),
            Effect.succeed({ a: { b: [leak] } })
          ]
        ) assert.deepStrictEqual(yield* exposed([secret], effect), [secret])
      }
      assert.deepStrictEqual(
        yield* exposed([secret], Effect.fail(new Error("x", { cause: Redacted.make(secret) }))),
        []
      )
    })))

  const places: Record<string, (secret: string) => Effect.Effect<unknown, unknown>> = {
    "token key": (secret) => Credentials.token({ key: Redacted.make(secret), ...ids }),
    "token keyFile": (secret) => withFiles(Credentials.token({ keyFile: secret, ...ids })),
    "token keyId": (secret) => Credentials.token({ key: Redacted.make(p8), ...ids, keyId: secret }),
    "token teamId": (secret) => Credentials.token({ key: Redacted.make(p8), ...ids, teamId: secret }),
    "token passphrase": (secret) =>
      Credentials.token({
        key: Redacted.make(fixtures.text("encrypted.p8")),
        ...ids,
        passphrase: Redacted.make(secret)
      }),
    "certificate cert": (secret) => Credentials.certificate({ cert: Redacted.make(secret) }),
    "certificate cert, not redacted": (secret) => Credentials.certificate({ cert: secret }),
    "certificate key": (secret) =>
      Credentials.certificate({ cert: fixtures.text("client.pem"), key: Redacted.make(secret) }),
    "certificate certFile": (secret) => withFiles(Credentials.certificate({ certFile: secret })),
    "certificate keyFile": (secret) =>
      withFiles(Credentials.certificate({ certFile: fixtures.path("client.pem"), keyFile: secret })),
    "certificate passphrase": (secret) =>
      Credentials.certificate({
        cert: fixtures.text("client.pem"),
        key: Redacted.make(fixtures.text("client-encrypted.key.pem")),
        passphrase: Redacted.make(secret)
      }),
    "pkcs12 data": (secret) => Credentials.pkcs12({ data: Redacted.make(secret) }),
    "pkcs12 bytes": (secret) => Credentials.pkcs12({ data: Buffer.from(secret) }),
    "pkcs12 file": (secret) => withFiles(Credentials.pkcs12({ file: secret })),
    "pkcs12 passphrase": (secret) =>
      Credentials.pkcs12({ data: fixtures.bytes("client.p12"), passphrase: Redacted.make(secret) }),
    "pkcs12 passphrase, retired ciphers": (secret) =>
      Credentials.pkcs12({ data: fixtures.bytes("client-legacy.p12"), passphrase: Redacted.make(secret) }),
    "signer key": (secret) => ProviderToken.make({ key: Redacted.make(secret), ...ids }),
    "connection ca": (secret) =>
      Effect.scoped(Connection.make({
        endpoint: Endpoint.unsafeMake("https://localhost:1"),
        credentials: Effect.runSync(Credentials.token({ key: Redacted.make(p8), ...ids })),
        ca: secret
      })),
    "proxy url": (secret) => Proxy.make(secret.replace(/\s/g, "")),
    "proxy url with spaces": (secret) => Proxy.make(Redacted.make(`http://${secret}`)),
    "endpoint user": (secret) => Endpoint.make(`https://${encodeURIComponent(secret)}@host`)
  }
  for (const name of ["APNS_KEY", "APNS_KEY_FILE", "APNS_KEY_ID", "APNS_TEAM_ID", "APNS_KEY_PASSPHRASE"]) {
    places[name] = (secret) =>
      environment({ APNS_KEY: p8, APNS_KEY_ID: ids.keyId, APNS_TEAM_ID: ids.teamId }, name, secret)
  }
  for (const name of ["APNS_CERT", "APNS_CERT_FILE", "APNS_CERT_KEY", "APNS_CERT_KEY_FILE", "APNS_CERT_PASSPHRASE"]) {
    places[name] = (secret) =>
      environment(
        { APNS_CERT: fixtures.text("client.pem"), APNS_CERT_KEY: fixtures.text("client-encrypted.key.pem") },
        name,
        secret
      )
  }
  for (const name of ["APNS_P12", "APNS_P12_FILE"]) places[name] = (secret) => environment({}, name, secret)
  places["APNS_CA_FILE"] = (secret) =>
    configured(withFiles(Credentials.authoritiesFromConfig), { APNS_CA_FILE: secret })
  places["APNS_CA"] = (secret) => configured(withFiles(Credentials.authoritiesFromConfig), { APNS_CA: secret })
  places["APNS_PROXY"] = (secret) => configured(Proxy.fromConfigOrEnv("APNS_PROXY"), { APNS_PROXY: secret })

  for (const [name, use] of Object.entries(places)) {
    it.live(`not in any error, log or printed value: ${name}`, () =>
      Effect.gen(function*() {
        for (const shape of shapes) {
          const secret = fresh()
          assert.deepStrictEqual(yield* exposed([secret], use(shape(secret))), [], shape(secret))
        }
      }))
  }

  it.live("not in any error, log or printed value: passwords of proxies, in valid and invalid URLs", () =>
    Effect.gen(function*() {
      const written = (user: string, secret: string): ReadonlyArray<string> => [
        `http://${user}:${secret}@proxy:3128`,
        `http://${user}:${secret}`,
        `http://${user}:${secret}/`,
        `${user}:${secret}@proxy`,
        `http://${user}:${secret}#1@proxy:3128`,
        `http://${user}:#${secret}@proxy:3128`,
        `http://${user}:?${secret}@proxy:3128`,
        `http://${user}:/${secret}@proxy:3128`,
        `http://${user}:%${secret}@proxy:3128`,
        `http://${user}@${secret}:proxy`,
        `https://${user}:${secret}@proxy:3128`,
        `socks4://${user}:${secret}@proxy`,
        `http://${user}:${secret}@proxy:99999`,
        `http://${user}:${secret}@pro xy`,
        `http://${user}: ${secret}@proxy`
      ]
      for (let i = 0; i < written("", "").length; i++) {
        const [user, secret] = [password(), password()]
        const url = written(user, secret)[i] ?? assert.fail()
        const uses: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
          Proxy.make(url),
          Proxy.make(Redacted.make(url)),
          configured(Proxy.fromConfig("APNS_PROXY"), { APNS_PROXY: url }),
          configured(Proxy.fromConfigOrEnv("APNS_PROXY"), { APNS_PROXY: url })
        ]
        for (const use of uses) assert.deepStrictEqual(yield* exposed([user, secret], use), [], url)
      }
    }))

  it.live("not in any error, log or printed value: a passphrase of any characters", () =>
    Effect.promise(() =>
      FastCheck.assert(
        FastCheck.asyncProperty(FastCheck.string({ unit: "grapheme", minLength: 12, maxLength: 40 }), (noise) =>
          Effect.runPromise(Effect.gen(function*() {
            const secret = `${password()}${noise}`
            for (const name of ["token passphrase", "certificate passphrase", "pkcs12 passphrase"]) {
              const use = places[name] ?? assert.fail(name)
              assert.deepStrictEqual(yield* exposed([secret], use(secret)), [], name)
            }
          }))),
        { numRuns: 20 }
      )
    ))
})

function configured<A, E>(effect: Effect.Effect<A, E>, env: Record<string, string>): Effect.Effect<A, E> {
  return Effect.withConfigProvider(effect, ConfigProvider.fromMap(new Map(Object.entries(env))))
}

/** Credentials from the environment, with the secret in one of the variables and no content where a file is named. */
function environment(env: Record<string, string>, name: string, secret: string) {
  const without = name.endsWith("_FILE") ? { ...env, [name.replace(/_FILE$/, "")]: "" } : env
  return configured(withFiles(Credentials.fromConfig), { ...without, [name]: secret })
}
