import * as Endpoint from "@effect-apns/core/Endpoint"
import * as Proxy from "@effect-apns/core/Proxy"
import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Effect, Either, Option, Redacted } from "effect"
import * as util from "node:util"

const variables = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"].flatMap((_) => [_, _.toLowerCase()])

// Environment variables belong to the process: the tests of this file run one after the other.
const withEnv = <A, E>(env: Record<string, string>, effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const before = variables.map((name) => [name, process.env[name]] as const)
      for (const name of variables) delete process.env[name]
      Object.assign(process.env, env)
      return before
    }),
    () => effect,
    (before) =>
      Effect.sync(() => {
        for (const [name, value] of before) {
          if (value === undefined) delete process.env[name]
          else process.env[name] = value
        }
      })
  )

const usual = (env: Record<string, string>, endpoint = Endpoint.production) =>
  withEnv(env, Effect.map(Proxy.fromEnv(endpoint), Option.match({ onNone: () => "none", onSome: String })))

describe("Proxy", () => {
  it("reads URLs", () => {
    const read = (url: string) => {
      const { credentials, host, port, protocol } = Either.getOrThrow(Proxy.make(url))
      return [
        protocol,
        host,
        port,
        ...(credentials === undefined
          ? []
          : [Redacted.value(credentials.username), Redacted.value(credentials.password)])
      ]
    }
    assert.deepStrictEqual(read("http://proxy:3128"), ["http", "proxy", 3128])
    assert.deepStrictEqual(read("http://proxy"), ["http", "proxy", 80])
    assert.deepStrictEqual(read("http://proxy/"), ["http", "proxy", 80])
    assert.deepStrictEqual(read("socks5://proxy"), ["socks5", "proxy", 1080])
    assert.deepStrictEqual(read("socks5h://[::1]:9050"), ["socks5", "::1", 9050])
    assert.deepStrictEqual(read("http://user:p%40ss:w%2Ford@Proxy.Example:1"), [
      "http",
      "proxy.example",
      1,
      "user",
      "p@ss:w/ord"
    ])
    assert.deepStrictEqual(read("socks5://user@127.0.0.1"), ["socks5", "127.0.0.1", 1080, "user", ""])
  })

  it("not a proxy URL -> refused, with what to write instead", () => {
    for (
      const url of [
        "",
        "proxy",
        "proxy:3128",
        "http://",
        "http://proxy:0",
        "http://proxy:65536",
        "http://proxy/path",
        "http://proxy?x",
        "http://a b",
        "https://proxy:3128",
        "socks4://proxy",
        "ftp://proxy",
        "http://user:%zz@proxy"
      ]
    ) {
      const error = Option.getOrThrow(Either.getLeft(Proxy.make(url)))
      assert.strictEqual(error._tag, "InvalidProxy", url)
      assert.match(error.message, /write it as|use an http|give a|percent-encode/, url)
    }
  })

  it("printing shows neither user nor password", () => {
    const proxy = Either.getOrThrow(Proxy.make(Redacted.make("http://someone:secret@proxy:3128")))
    assert.strictEqual(String(proxy), "http://proxy:3128")
    for (const text of [JSON.stringify(proxy), util.inspect(proxy, { depth: 10, showHidden: true })]) {
      assert.notMatch(text, /someone|secret/)
    }
    for (
      const url of [
        "ftp://someone:secret@proxy",
        "someone:secret@proxy",
        "http://someone:sec@secret:%zz@proxy",
        "http://someone:secret",
        "http://someone:sec#ret@proxy:3128",
        "http://someone:secret/@proxy:3128",
        "http://someone:secret?@proxy:3128",
        "http://proxy:3128/secret",
        "http://proxy:3128?secret",
        "http://proxy secret"
      ]
    ) {
      const error = Option.getOrThrow(Either.getLeft(Proxy.make(url)))
      assert.notMatch(JSON.stringify(error) + error.message + String(error), /someone|secret|sec#ret/, url)
    }
  })

  it.effect("fromEnv reads the usual variables", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* usual({}), "none")
      assert.strictEqual(yield* usual({ HTTPS_PROXY: "http://a:1" }), "http://a:1")
      assert.strictEqual(yield* usual({ https_proxy: "http://b:2", ALL_PROXY: "socks5://c:3" }), "http://b:2")
      assert.strictEqual(yield* usual({ ALL_PROXY: "socks5://c:3" }), "socks5://c:3")
      assert.strictEqual(yield* usual({ HTTP_PROXY: "http://a:1" }), "none")
      assert.strictEqual(yield* usual({ HTTPS_PROXY: "user:secret@d:4" }), "http://d:4")
      assert.strictEqual(yield* usual({ HTTPS_PROXY: "http://a:1", NO_PROXY: "localhost,.apple.com" }), "none")
      assert.strictEqual(yield* usual({ HTTPS_PROXY: "http://a:1", NO_PROXY: "*" }), "none")
      const local = Endpoint.unsafeMake("https://localhost:2197")
      assert.strictEqual(yield* usual({ HTTPS_PROXY: "http://a:1", NO_PROXY: ".apple.com" }, local), "http://a:1")
      assert.strictEqual(yield* usual({ HTTPS_PROXY: "http://a:1", NO_PROXY: "localhost:2197" }, local), "none")
      assert.strictEqual(yield* usual({ HTTPS_PROXY: "http://a:1", NO_PROXY: "apple.com" }), "none")
      assert.strictEqual(yield* usual({ HTTPS_PROXY: "http://a:1", no_proxy: "apple.com", NO_PROXY: "x" }), "none")
      assert.strictEqual(yield* usual({ https_proxy: "http://a:1", HTTPS_PROXY: "http://b:1" }), "http://a:1")
      assert.strictEqual(yield* usual({ https_proxy: "", HTTPS_PROXY: "http://b:1" }), "http://b:1")
      assert.strictEqual(yield* usual({ HTTPS_PROXY: "http://a:1", no_proxy: "", NO_PROXY: "apple.com" }), "none")
      assert.strictEqual(yield* usual({ HTTPS_PROXY: "http://a:1", no_proxy: " ", NO_PROXY: " " }), "http://a:1")
      assert.strictEqual(yield* usual({ HTTPS_PROXY: "\"http://a:1\"", NO_PROXY: "''" }), "http://a:1")
      assert.strictEqual(yield* usual({ HTTPS_PROXY: "", ALL_PROXY: "http://a:1", NO_PROXY: "" }), "http://a:1")
      assert.strictEqual(yield* usual({ https_proxy: "", HTTPS_PROXY: "http://a:1" }), "http://a:1")
      const error = yield* Effect.flip(usual({ HTTPS_PROXY: "https://someone:secret@proxy:1" }))
      assert.notInclude(error.message, "secret")
    }))

  it.effect("reads configuration", () =>
    Effect.gen(function*() {
      const read = (text: string) =>
        Proxy.fromConfig("APNS_PROXY").pipe(
          Effect.withConfigProvider(ConfigProvider.fromMap(new Map([["APNS_PROXY", text]])))
        )
      assert.strictEqual(String(yield* read("http://user:secret@proxy:3128")), "http://proxy:3128")
      const empty = Effect.withConfigProvider(ConfigProvider.fromMap(new Map([["APNS_PROXY", ""], ["ENDPOINT", ""]])))
      assert.isTrue(Option.isNone(yield* empty(Config.option(Proxy.fromConfig("APNS_PROXY")))))
      assert.isTrue(Option.isNone(yield* empty(Config.option(Proxy.fromConfigOrEnv("APNS_PROXY")))))
      assert.isTrue(Option.isNone(yield* empty(Config.option(Endpoint.fromConfig("ENDPOINT")))))
      const error = yield* Effect.flip(read("ftp://user:secret@proxy"))
      assert.notInclude(String(error), "secret")
    }))
})
