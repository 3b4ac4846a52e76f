import * as Endpoint from "@effect-apns/core/Endpoint"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Either, Equal, HashMap, Option, Schema } from "effect"

const reasonOf = (input: string) =>
  Either.match(Endpoint.make(input), { onLeft: (error) => error.reason, onRight: (endpoint) => endpoint.origin })

describe("Endpoint", () => {
  it("Apple's hosts and ports", () => {
    assert.deepStrictEqual(
      [
        Endpoint.production,
        Endpoint.productionAltPort,
        Endpoint.development,
        Endpoint.developmentAltPort,
        Endpoint.broadcastProduction,
        Endpoint.broadcastDevelopment,
        Endpoint.manageProduction,
        Endpoint.manageDevelopment
      ].map((_) => [_.origin, _.host, _.port, _.authority, _.isSandbox]),
      [
        ["https://api.push.apple.com", "api.push.apple.com", 443, "api.push.apple.com", false],
        ["https://api.push.apple.com:2197", "api.push.apple.com", 2197, "api.push.apple.com:2197", false],
        ["https://api.sandbox.push.apple.com", "api.sandbox.push.apple.com", 443, "api.sandbox.push.apple.com", true],
        [
          "https://api.sandbox.push.apple.com:2197",
          "api.sandbox.push.apple.com",
          2197,
          "api.sandbox.push.apple.com:2197",
          true
        ],
        [
          "https://api-broadcast.push.apple.com",
          "api-broadcast.push.apple.com",
          443,
          "api-broadcast.push.apple.com",
          false
        ],
        [
          "https://api-broadcast.sandbox.push.apple.com",
          "api-broadcast.sandbox.push.apple.com",
          443,
          "api-broadcast.sandbox.push.apple.com",
          true
        ],
        [
          "https://api-manage-broadcast.push.apple.com:2196",
          "api-manage-broadcast.push.apple.com",
          2196,
          "api-manage-broadcast.push.apple.com:2196",
          false
        ],
        [
          "https://api-manage-broadcast.sandbox.push.apple.com:2195",
          "api-manage-broadcast.sandbox.push.apple.com",
          2195,
          "api-manage-broadcast.sandbox.push.apple.com:2195",
          true
        ]
      ]
    )
  })

  it("https://host[:port] with a name, IPv4, IPv6 or an internationalized name -> accepted", () => {
    assert.strictEqual(reasonOf("https://localhost"), "https://localhost")
    assert.strictEqual(reasonOf("https://localhost:443"), "https://localhost")
    assert.strictEqual(reasonOf("HTTPS://LocalHost:2197"), "https://localhost:2197")
    assert.strictEqual(reasonOf("https://127.0.0.1:8443"), "https://127.0.0.1:8443")
    assert.strictEqual(reasonOf("https://bücher.example:1"), "https://xn--bcher-kva.example:1")
    const v6 = Endpoint.unsafeMake("https://[0:0::1]:65535")
    assert.deepStrictEqual([v6.host, v6.port, v6.authority, v6.origin], [
      "::1",
      65535,
      "[::1]:65535",
      "https://[::1]:65535"
    ])
    assert.strictEqual(Either.getOrThrow(Endpoint.fromHostPort("::1", 2197)).authority, "[::1]:2197")
  })

  it("a word or a host in a configuration -> the message says what to write", () => {
    const hints = {
      Production: "write production, development or https://host[:port]",
      prod: "write production, development or https://host[:port]",
      "": "write production, development or https://host[:port]",
      "api.push.apple.com": "write it as https://api.push.apple.com",
      "api.push.apple.com:2197": "write it as https://api.push.apple.com:2197",
      "https:api.push.apple.com": "write it as https://api.push.apple.com",
      "//api.push.apple.com": "write it as https://api.push.apple.com",
      "http://localhost": "write it as https://host[:port]"
    }
    for (const [text, hint] of Object.entries(hints)) {
      const { message, reason } = Either.getOrThrow(Either.flip(Endpoint.parse(text)))
      assert.strictEqual(reason, "Scheme")
      assert.isTrue(message.endsWith(`: ${hint}`), message)
    }
  })

  it("anything that is not just an origin -> refused, with the part that is wrong", () => {
    const refused: ReadonlyArray<readonly [string, Endpoint.InvalidEndpoint["reason"]]> = [
      ["", "Scheme"],
      ["api.push.apple.com", "Scheme"],
      ["api.push.apple.com:443", "Scheme"],
      ["//api.push.apple.com", "Scheme"],
      ["http://api.push.apple.com", "Scheme"],
      ["https:api.push.apple.com", "Scheme"],
      ["https://user@host", "Credentials"],
      ["https://user:pass@host:2197", "Credentials"],
      ["https://@host", "Credentials"],
      ["https://host/", "Path"],
      ["https://host/3/device", "Path"],
      ["https://host;v=1", "Parameters"],
      ["https://host?", "Query"],
      ["https://host?a=b", "Query"],
      ["https://host#", "Fragment"],
      ["https://host#top", "Fragment"],
      ["https://", "Host"],
      ["https://:443", "Host"],
      ["https://host.", "Host"],
      ["https://::1", "Host"],
      ["https://[::1", "Host"],
      ["https://[::1%25eth0]", "Host"],
      ["https://[host]", "Host"],
      ["https://127.1", "Host"],
      ["https://0x7f.0.0.1", "Host"],
      ["https://ho%73t", "Host"],
      ["https://*.apple.com", "Host"],
      ["https://host:", "Port"],
      ["https://host:0", "Port"],
      ["https://host:65536", "Port"],
      ["https://host:-1", "Port"],
      ["https://host:4 43", "Characters"],
      ["https://ho\tst", "Characters"],
      ["https://host\n", "Characters"],
      [" https://host", "Characters"],
      ["https://host\\path", "Characters"],
      ["https://host\u0000", "Characters"]
    ]
    for (const [input, reason] of refused) {
      assert.strictEqual(reasonOf(input), reason, JSON.stringify(input))
    }
  })

  it("the error contains no password", () => {
    for (
      const input of [
        "https://user:secret@host",
        "http://user:secret@host",
        "user:secret@host",
        "https://user:se#secret@host",
        "https://user:se/secret@host",
        "https://user:se?secret@host",
        "https://user:se secret@host"
      ]
    ) {
      const error = Option.getOrThrow(Either.getLeft(Endpoint.make(input)))
      assert.notInclude(JSON.stringify(error) + String(error) + error.message, "secret", input)
    }
  })

  it("unsafeMake, invalid input -> throws the typed error", () => {
    assert.throws(() => Endpoint.unsafeMake("http://host"), /write it as https:\/\/host/)
  })

  it("equal origins -> equal and with the same hash", () => {
    const a = Endpoint.unsafeMake("https://api.push.apple.com:443")
    assert.isTrue(Equal.equals(a, Endpoint.production))
    assert.isFalse(Equal.equals(a, Endpoint.productionAltPort))
    assert.deepStrictEqual(HashMap.get(HashMap.make([Endpoint.production, 1]), a), Option.some(1))
    assert.strictEqual(`${a}`, "https://api.push.apple.com")
  })

  it.effect("reads configuration", () =>
    Effect.gen(function*() {
      const read = (text: string) =>
        Endpoint.fromConfig("APNS_ENDPOINT").pipe(
          Effect.withConfigProvider(ConfigProvider.fromMap(new Map([["APNS_ENDPOINT", text]])))
        )
      assert.strictEqual(yield* read("production"), Endpoint.production)
      assert.strictEqual(yield* read("development"), Endpoint.development)
      assert.strictEqual(yield* read("sandbox"), Endpoint.development)
      assert.strictEqual((yield* read("https://localhost:2197")).port, 2197)
      assert.include(String(yield* Effect.flip(read("staging"))), "https://host[:port]")
    }))

  it("decodes and encodes through Schema", () => {
    assert.strictEqual(Schema.decodeSync(Endpoint.FromString)("sandbox"), Endpoint.development)
    assert.strictEqual(
      Schema.encodeSync(Endpoint.FromString)(Endpoint.productionAltPort),
      "https://api.push.apple.com:2197"
    )
    assert.throws(() => Schema.decodeSync(Endpoint.FromString)("https://host/x"), /requests carry their own path/)
  })
})
