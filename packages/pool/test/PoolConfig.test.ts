import { Notification } from "@effect-apns/models"
import { ApnsPool, PoolConfig, send } from "@effect-apns/pool"
import { MockApns } from "@effect-apns/testing"
import { FileSystem } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Inspectable, Layer, Option } from "effect"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { inspect } from "node:util"

const p12 = readFileSync(fileURLToPath(new URL("../../core/test/fixtures/client.p12", import.meta.url)))

const passphrase = "secret"

const files = (contents: Readonly<Record<string, string | Uint8Array>>) => {
  const read = (path: string) => {
    const content = contents[path]
    return content === undefined ? Effect.die(`no file ${path}`) : Effect.succeed(content)
  }
  return FileSystem.layerNoop({
    readFile: (path) =>
      Effect.map(read(path), (content) => typeof content === "string" ? Buffer.from(content) : content),
    readFileString: (path) => Effect.map(read(path), (content) => content.toString())
  })
}

const environment = (variables: Readonly<Record<string, string>>) =>
  Layer.setConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(variables))))

const tokenOf = (mock: MockApns.MockApns) => ({
  APNS_ENDPOINT: mock.origin,
  APNS_CA_FILE: "ca.pem",
  APNS_KEY_FILE: "key.p8",
  APNS_KEY_ID: mock.credentials.keyId,
  APNS_TEAM_ID: mock.credentials.teamId
})

const hello = send({ token: "00", notification: Notification.alert({ alert: "Hello" }) })

describe("PoolConfig", () => {
  it.scopedLive("a pool made from the environment sends", () =>
    Effect.gen(function*() {
      const mock = yield* MockApns.make()
      const program = Effect.gen(function*() {
        yield* hello
        const pool = yield* ApnsPool.ApnsPool
        const { size } = yield* pool.stats
        assert.strictEqual(size, 3)
        assert.strictEqual(pool.topic, "com.example.app")
      })
      yield* program.pipe(
        Effect.provide(ApnsPool.layerFromEnv()),
        Effect.provide(environment({ ...tokenOf(mock), APNS_TOPIC: "com.example.app", APNS_POOL_SIZE: "3" })),
        Effect.provide(files({ "ca.pem": mock.ca, "key.p8": mock.credentials.key }))
      )
      assert.strictEqual(yield* mock.acceptedCount, 1)
    }))

  it.scopedLive("a client certificate, or a key in a variable instead of a file -> it sends", () =>
    Effect.gen(function*() {
      const mock = yield* MockApns.make()
      const { APNS_KEY_FILE: _, ...token } = tokenOf(mock)
      const common = { APNS_ENDPOINT: mock.origin, APNS_CA_FILE: "ca.pem", APNS_TOPIC: "com.example.app" }
      const { cert, key } = mock.clientCertificate
      for (
        const variables of [
          { ...common, ...token, APNS_KEY: mock.credentials.key },
          { ...common, APNS_CERT_FILE: "cert.pem", APNS_CERT_KEY_FILE: "cert.key" }
        ]
      ) {
        yield* hello.pipe(
          Effect.provide(ApnsPool.layerFromEnv()),
          Effect.provide(environment(variables)),
          Effect.provide(files({ "ca.pem": mock.ca, "cert.pem": cert, "cert.key": key }))
        )
      }
      assert.strictEqual(yield* mock.acceptedCount, 2)
    }))

  const optionsOf = (variables: Readonly<Record<string, string>>) =>
    PoolConfig.options().pipe(
      Effect.provide(environment(variables)),
      Effect.provide(files({ "client.p12": p12 }))
    )

  it.effect("a PKCS#12 file with its passphrase -> credentials; the default endpoint is production; no secret is printed", () =>
    Effect.gen(function*() {
      const options = yield* optionsOf({ APNS_P12_FILE: "client.p12", APNS_CERT_PASSPHRASE: passphrase })
      assert.strictEqual(options.credentials._tag, "Pkcs12")
      assert.strictEqual(options.endpoint.origin, "https://api.push.apple.com")
      assert.isUndefined(options.size)
      assert.isUndefined(options.topic)
      assert.isUndefined(options.proxy)
      assert.isUndefined(options.ca)
      assert.notInclude(Inspectable.toStringUnknown(options.credentials), passphrase)
    }))

  it.effect("APNS_PROXY with a URL -> that proxy; with env -> the one of the usual proxy variables", () =>
    Effect.gen(function*() {
      const p12 = { APNS_P12_FILE: "client.p12", APNS_CERT_PASSPHRASE: passphrase }
      assert.strictEqual((yield* optionsOf({ ...p12, APNS_PROXY: "env" })).proxy, "env")
      const { proxy } = yield* optionsOf({ ...p12, APNS_PROXY: "socks5://user:secret@localhost:1080" })
      assert.strictEqual(String(proxy), "socks5://localhost:1080")
    }))

  it.effect.each([
    { variables: {}, hint: "APNS_KEY_FILE" },
    { variables: { APNS_ENDPOINT: "http://localhost" }, hint: "https://host[:port]" },
    { variables: { APNS_POOL_SIZE: "0" }, hint: "at least 1" },
    { variables: { APNS_POOL_SIZE: "many" }, hint: "APNS_POOL_SIZE" },
    { variables: { APNS_PROXY: "ftp://localhost" }, hint: "http: (CONNECT) or a socks5: proxy" },
    { variables: { APNS_P12_FILE: "client.p12", APNS_KEY_FILE: "key.p8" }, hint: "keep one of" }
  ])("$variables fails and says what to change", ({ hint, variables }) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(optionsOf(variables))
      assert.include(String(error), hint)
    }))

  const secrets: ReadonlyArray<readonly [string, string]> = [
    ["APNS_PROXY", "http://svc:hunt#er2@proxy.example:3128"],
    ["APNS_PROXY", "http://svc:hunter2@proxy.example:70000"],
    ["APNS_PROXY", "\"http://svc:hunter2@proxy example:3128\""],
    ["APNS_PROXY", "ftp://svc:hunter2@proxy.example:21"],
    ["APNS_PROXY", "svc:hunter2@proxy.example:3128"],
    ["APNS_PROXY", "http://svc:hunter2"],
    ["APNS_PROXY", "http://svc:hunt%er2@proxy.example:3128"],
    ["APNS_ENDPOINT", "https://svc:hunter2@api.push.apple.com/x"],
    ["APNS_POOL_SIZE", "hunter2"],
    ["APNS_SPANS", "hunter2"],
    ["APNS_RETRANSMIT", "hunter2"],
    ["APNS_CONNECT_TIMEOUT", "hunter2"],
    ["APNS_MAX_QUEUED", "hunter2"]
  ]
  for (const [name, value] of secrets) {
    it.effect(`${name}=${value} -> refused, with the name of the variable and without any secret`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(PoolConfig.config).pipe(
          Effect.withConfigProvider(ConfigProvider.fromMap(new Map([[name, value]])))
        )
        for (
          const text of [String(error), JSON.stringify(error), inspect(error, { depth: Infinity, showHidden: true })]
        ) {
          assert.include(text, name)
          assert.notMatch(text, /hunter2|hunt#er2|hunt%er2|er2/)
        }
      }))
  }

  for (const name of ["APNS_CONNECT_TIMEOUT", "APNS_PING_INTERVAL", "APNS_PING_DEADLINE"]) {
    it.effect(`${name} of no time at all, or less -> refused, with the name of the variable`, () =>
      Effect.gen(function*() {
        for (
          const [value, hint] of [["0 seconds", "longer than 0"], ["-5 seconds", "a number and its unit"]] as const
        ) {
          const error = yield* Effect.flip(PoolConfig.config).pipe(
            Effect.withConfigProvider(ConfigProvider.fromMap(new Map([[name, value]])))
          )
          assert.include(String(error), name)
          assert.include(String(error), hint)
        }
      }))
  }

  it.effect("values in the quotes that docker --env-file keeps -> read without the quotes", () =>
    Effect.gen(function*() {
      const found = yield* PoolConfig.config.pipe(
        Effect.withConfigProvider(ConfigProvider.fromMap(
          new Map([["APNS_PROXY", "\"http://proxy.example:3128\""], ["APNS_POOL_SIZE", "'3'"], ["APNS_TOPIC", "\"\""]])
        ))
      )
      assert.strictEqual(String(Option.getOrUndefined(found.proxy)), "http://proxy.example:3128")
      assert.deepStrictEqual(found.size, Option.some(3))
      assert.isTrue(Option.isNone(found.topic))
    }))
})
