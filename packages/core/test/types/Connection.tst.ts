import type { ConnectError, Failure, Response } from "@effect-apns/core"
import { Connection, Credentials, Endpoint, ProviderToken, Proxy, Request } from "@effect-apns/core"
import type * as Unstable from "@effect-apns/core/unstable/Connection"
import type { RequestSpec } from "@effect-apns/core/unstable/RequestSpec"
import type { FileSystem } from "@effect/platform"
import type { ConfigError, DateTime, Layer, Scope } from "effect"
import { Config, Context, Data, Duration, Effect, Redacted } from "effect"
import { describe, expect, test } from "tstyche"

declare const credentials: Credentials.Credentials
const endpoint = Endpoint.development
const fromFile = Credentials.token({ keyFile: "AuthKey_ABC123DEFG.p8", keyId: "ABC123DEFG", teamId: "DEF123GHIJ" })

class SecretError extends Data.TaggedError("SecretError")<{}> {}
class Secrets extends Context.Tag("Secrets")<Secrets, Effect.Effect<Credentials.Token, SecretError>>() {}

type Failed = ConnectError.ConnectError | Credentials.CredentialsError

describe("credentials and proxy", () => {
  test("values need nothing", () => {
    expect(Connection.make({ endpoint, credentials })).type.toBe<
      Effect.Effect<Connection.Connection, Failed, Scope.Scope>
    >()
    expect(Connection.layer({ endpoint, credentials, proxy: "env" })).type.toBe<
      Layer.Layer<Connection.Connection, Failed>
    >()
  })

  test("an Effect of credentials brings what it needs", () => {
    expect(Connection.layer({ endpoint, credentials: fromFile })).type.toBe<
      Layer.Layer<Connection.Connection, Failed, FileSystem.FileSystem>
    >()
  })

  test("an Effect with its own errors and services -> in the type too", () => {
    expect(Connection.layer({ endpoint, credentials: Effect.flatten(Secrets) })).type.toBe<
      Layer.Layer<Connection.Connection, Failed | SecretError, Secrets>
    >()
  })

  test("a proxy may be an Effect with its own errors", () => {
    expect(Connection.layer({ endpoint, credentials: fromFile, proxy: Proxy.make("http://proxy.example:3128") })).type
      .toBe<
        Layer.Layer<Connection.Connection, Failed | Proxy.InvalidProxy, FileSystem.FileSystem>
      >()
    expect(Connection.layer({ endpoint, credentials, proxy: Proxy.fromEnv(endpoint) })).type.toBe<
      Layer.Layer<Connection.Connection, Failed | Proxy.InvalidProxy>
    >()
  })

  test("credentials of another kind do not compile", () => {
    expect(Connection.layer).type.not.toBeCallableWith({ endpoint, credentials: "AuthKey_ABC123DEFG.p8" })
    expect(Connection.layer).type.not.toBeCallableWith({
      endpoint,
      credentials: Effect.succeed("AuthKey_ABC123DEFG.p8")
    })
    expect(Connection.layer).type.not.toBeCallableWith({ endpoint })
  })
})

describe("spans of time", () => {
  test("a bare number is refused, text with a unit and a Duration are taken", () => {
    const given = { endpoint, credentials }
    expect<Connection.Resolved["connectTimeout"]>().type.not.toBeAssignableFrom<bigint>()
    expect(Connection.make).type.not.toBeCallableWith({ ...given, connectTimeout: 5 })
    expect(Connection.make).type.not.toBeCallableWith({ ...given, drainTimeout: 5 })
    expect(Connection.make).type.not.toBeCallableWith({ ...given, ping: { interval: 5 } })
    expect(Connection.make).type.not.toBeCallableWith({ ...given, ping: { deadline: 5 } })
    expect(Connection.make).type.not.toBeCallableWith({ ...given, connectTimeout: "5s" })
    expect(Connection.make).type.toBeCallableWith({ ...given, connectTimeout: "5 seconds" })
    expect(Connection.make).type.toBeCallableWith({ ...given, ping: { interval: Duration.minutes(2) } })
    expect(Request.make).type.not.toBeCallableWith({ path: "/", timeout: 5 })
    expect(Request.make).type.not.toBeCallableWith({ path: "/", deadline: 5 })
    expect(Request.make).type.toBeCallableWith({ path: "/", timeout: "5 seconds" })
    expect(Request.make).type.toBeCallableWith({ path: "/", timeout: Duration.seconds(5) })
    expect(Request.defaultTimeout).type.toBe<Duration.Duration>()
    const key = { key: Redacted.make(""), keyId: "", teamId: "" }
    expect(ProviderToken.make).type.not.toBeCallableWith({ ...key, refreshAfter: 5 })
    expect(ProviderToken.make).type.toBeCallableWith({ ...key, refreshAfter: "30 minutes" })
  })
})

describe("times of answers and tokens", () => {
  test("instants are DateTimes, spans are Durations", () => {
    expect<Response.Response["timestamp"]>().type.toBe<DateTime.Utc | undefined>()
    expect<Response.Response["retryAfter"]>().type.toBe<Duration.Duration | undefined>()
    expect<ProviderToken.Token["issuedAt"]>().type.toBe<DateTime.Utc>()
    expect<ProviderToken.Token["expiresAt"]>().type.toBe<DateTime.Utc>()
    expect<ProviderToken.TokenRefreshRefused["retryAt"]>().type.toBe<DateTime.Utc>()
    expect<Extract<Failure.CloseCause, { readonly _tag: "PingTimeout" }>["after"]>().type.toBe<Duration.Duration>()
  })
})

describe("the callback API is under unstable", () => {
  test("Connection does not export it", () => {
    expect<typeof Connection>().type.not.toHaveProperty("makeWith")
    expect<typeof Unstable>().type.toHaveProperty("makeWith")
    // @ts-expect-error Namespace
    expect((given: Connection.Unsafe) => given).type.not.toBe<string>()
    // @ts-expect-error Namespace
    expect((given: Connection.Listener) => given).type.not.toBe<string>()
    // @ts-expect-error Namespace
    expect((given: Connection.Parts) => given).type.not.toBe<string>()
    expect<Connection.Connection["unsafe"]>().type.toBe<Unstable.Unsafe>()
    // @ts-expect-error Namespace
    expect((given: Request.Spec) => given).type.not.toBe<string>()
    expect<Request.Request["spec"]>().type.toBe<RequestSpec>()
  })
})

describe("layerConfig", () => {
  test("takes configuration values, and Effects in them", () => {
    expect(Connection.layerConfig({
      endpoint: Config.succeed(endpoint),
      credentials: Config.map(
        Config.all({ key: Config.redacted("KEY"), keyId: Config.string("KEY_ID"), teamId: Config.string("TEAM_ID") }),
        (options) => Credentials.token(options)
      ),
      drainTimeout: Config.duration("DRAIN_TIMEOUT")
    })).type.toBe<Layer.Layer<Connection.Connection, Failed | ConfigError.ConfigError>>()
    expect(Connection.layerConfig({
      endpoint: Config.succeed(endpoint),
      credentials: Config.map(
        Config.string("KEY_FILE"),
        (keyFile) => Credentials.token({ keyFile, keyId: "", teamId: "" })
      )
    })).type.toBe<Layer.Layer<Connection.Connection, Failed | ConfigError.ConfigError, FileSystem.FileSystem>>()
    expect(Connection.layerConfig({
      endpoint: Config.succeed(endpoint),
      credentials: Config.succeed(credentials)
    })).type.toBe<Layer.Layer<Connection.Connection, Failed | ConfigError.ConfigError>>()
  })
})
