import { Connection, Credentials, Endpoint, Proxy, Request } from "@effect-apns/core"
import { Notification } from "@effect-apns/models"
import { ApnsPool, ApnsPoolMap, Channels, PoolConfig, send } from "@effect-apns/pool"
import { MockApns } from "@effect-apns/testing"
import { FileSystem } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import {
  Config,
  ConfigProvider,
  Context,
  Data,
  Duration,
  Effect,
  Layer,
  Logger,
  LogLevel,
  Option,
  Redacted
} from "effect"

const topic = "com.example.app"
const token = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
const hello = send({ token, topic, notification: Notification.alert({ alert: "Hello" }) })
const request = Request.make({
  path: `/3/device/${token}`,
  headers: { "apns-push-type": "alert", "apns-topic": topic },
  body: { aps: { alert: "Hello" } }
})

const environment = (variables: Readonly<Record<string, string>>) =>
  Layer.setConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(variables))))

const files = (contents: Readonly<Record<string, string>>) =>
  FileSystem.layerNoop({
    readFile: (path) => {
      const content = contents[path]
      return content === undefined ? Effect.die(`no file ${path}`) : Effect.succeed(Buffer.from(content))
    }
  })

const tagOfFailure = <E extends { readonly _tag: string }, R>(effect: Effect.Effect<unknown, E, R>) =>
  Effect.map(Effect.flip(effect), ({ _tag }) => _tag)

class NoSecret extends Data.TaggedError("NoSecret")<{}> {}

class Secrets extends Context.Tag("test/Secrets")<Secrets, Effect.Effect<string, NoSecret>>() {}

/** Credentials that a service holds, and how often it was asked for them. */
const secrets = ({ credentials: { key, keyId, teamId } }: MockApns.MockApns) => {
  const asked = { times: 0 }
  return {
    asked,
    credentials: Effect.flatMap(
      Effect.flatten(Secrets),
      (key) => Credentials.token({ key: Redacted.make(key), keyId, teamId })
    ),
    live: Layer.succeed(
      Secrets,
      Effect.sync(() => {
        asked.times++
        return key
      })
    ),
    gone: Layer.succeed(Secrets, Effect.fail(new NoSecret()))
  }
}

describe("credentials as an Effect", () => {
  it.scopedLive("a pool runs it once for all its connections", () =>
    Effect.gen(function*() {
      const { ca, endpoint, ...mock } = yield* MockApns.make()
      const { asked, credentials, live } = secrets({ ca, endpoint, ...mock })
      yield* Effect.repeatN(hello, 4).pipe(
        Effect.provide(ApnsPool.layer({ endpoint, ca, credentials, size: 3 })),
        Effect.provide(live)
      )
      assert.strictEqual(asked.times, 1)
      assert.strictEqual(yield* mock.acceptedCount, 5)
    }))

  it.scopedLive("Connection, Channels and ApnsPoolMap take it too", () =>
    Effect.gen(function*() {
      const mock = yield* MockApns.make()
      const { ca, endpoint } = mock
      const { asked, credentials, live } = secrets(mock)
      const posted = Effect.flatMap(Connection.Connection, (connection) => connection.post(request)).pipe(
        Effect.provide(Connection.layer({ endpoint, ca, credentials }))
      )
      const listed = Effect.flatMap(Channels.Channels, (channels) => channels.list()).pipe(
        Effect.provide(Channels.layer({ endpoint, ca, credentials, bundleId: topic }))
      )
      const sent = hello.pipe(ApnsPoolMap.provide({ endpoint, credentials }))
      const all = Effect.gen(function*() {
        assert.strictEqual((yield* posted).status, 200)
        assert.deepStrictEqual((yield* listed).channelIds, [])
        assert.strictEqual((yield* sent).attempts, 1)
        assert.strictEqual((yield* ApnsPoolMap.provide(hello, { endpoint, credentials })).attempts, 1)
        const pools = yield* ApnsPoolMap.ApnsPoolMap
        assert.strictEqual((yield* pools.stats).poolsOpened, 1)
      })
      yield* all.pipe(Effect.provide(ApnsPoolMap.layer({ ca })), Effect.provide(live))
      assert.strictEqual(asked.times, 4, "once for each layer, and once for each use of a tenant")
    }))

  it.scopedLive("it fails -> the layer, or the use of the tenant, fails with the same error", () =>
    Effect.gen(function*() {
      const mock = yield* MockApns.make()
      const { endpoint } = mock
      const { credentials, gone } = secrets(mock)
      const failures = Effect.gen(function*() {
        const layers = [
          tagOfFailure(Layer.build(ApnsPool.layer({ endpoint, credentials }))),
          tagOfFailure(Layer.build(Connection.layer({ endpoint, credentials }))),
          tagOfFailure(Layer.build(Channels.layer({ endpoint, credentials }))),
          tagOfFailure(ApnsPoolMap.provide(hello, { endpoint, credentials })),
          tagOfFailure(Effect.flatMap(ApnsPoolMap.ApnsPoolMap, (pools) => pools.invalidate({ endpoint, credentials })))
        ]
        return yield* Effect.all(layers)
      })
      assert.deepStrictEqual(
        yield* failures.pipe(Effect.provide(ApnsPoolMap.layer()), Effect.provide(gone)),
        ["NoSecret", "NoSecret", "NoSecret", "NoSecret", "NoSecret"]
      )
    }))
})

describe("a proxy as an Effect", () => {
  it.scopedLive("it fails -> the layer fails; it gives Option.none -> no proxy", () =>
    Effect.gen(function*() {
      const mock = yield* MockApns.make()
      const { ca, endpoint } = mock
      const credentials = Effect.provide(secrets(mock).credentials, secrets(mock).live)
      const broken = Proxy.make("ftp://localhost")
      const layers = [
        tagOfFailure(Layer.build(ApnsPool.layer({ endpoint, credentials, proxy: broken }))),
        tagOfFailure(Layer.build(Connection.layer({ endpoint, credentials, proxy: broken }))),
        tagOfFailure(Layer.build(Channels.layer({ endpoint, credentials, proxy: broken }))),
        tagOfFailure(Layer.build(ApnsPoolMap.layer({ proxy: broken })))
      ]
      assert.deepStrictEqual(
        yield* Effect.all(layers),
        ["InvalidProxy", "InvalidProxy", "InvalidProxy", "InvalidProxy"]
      )
      yield* Effect.provide(
        hello,
        ApnsPool.layer({ endpoint, ca, credentials, proxy: Effect.succeed(Option.none<Proxy.Proxy>()) })
      )
    }))

  it.scopedLive("it gives a proxy -> the pool connects through it", () =>
    Effect.gen(function*() {
      const mock = yield* MockApns.make()
      const { ca, endpoint } = mock
      const credentials = Effect.provide(secrets(mock).credentials, secrets(mock).live)
      // nothing listens on port 1: what fails is the proxy
      const error = yield* hello.pipe(
        Effect.provide(ApnsPool.layer({
          endpoint,
          ca,
          credentials,
          proxy: Effect.map(Proxy.make("http://127.0.0.1:1"), Option.some),
          reconnectSchedule: undefined
        })),
        Effect.timeoutFail({ duration: "300 millis", onTimeout: () => "waits for a connection" as const }),
        Effect.flip,
        Logger.withMinimumLogLevel(LogLevel.None)
      )
      assert.strictEqual(error, "waits for a connection")
      const direct = yield* Effect.flip(Effect.scoped(Connection.make({
        endpoint,
        ca,
        credentials,
        proxy: Proxy.make("http://127.0.0.1:1")
      })))
      assert.strictEqual(direct._tag === "ConnectError" && direct.reason, "Proxy")
    }))
})

describe("layerConfig", () => {
  it.scopedLive("each option can be a Config of its own", () =>
    Effect.gen(function*() {
      const mock = yield* MockApns.make()
      const { credentials: { key, keyId, teamId } } = mock
      const own = {
        endpoint: Endpoint.fromConfig("PUSH_HOST"),
        ca: Config.string("PUSH_CA"),
        credentials: Config.map(
          Config.all({
            key: Config.redacted("PUSH_KEY"),
            keyId: Config.string("PUSH_KEY_ID"),
            teamId: Config.string("PUSH_TEAM_ID")
          }),
          (options) => Credentials.token(options)
        )
      }
      const sized = Effect.gen(function*() {
        yield* hello
        const pool = yield* ApnsPool.ApnsPool
        return (yield* pool.stats).size
      }).pipe(Effect.provide(ApnsPool.layerConfig({ ...own, size: Config.integer("PUSH_SIZE") })))
      const listed = Effect.flatMap(Channels.Channels, (channels) => channels.list()).pipe(
        Effect.provide(Channels.layerConfig({ ...own, bundleId: Config.succeed(topic) }))
      )
      const { credentials: _, endpoint: __, ...shared } = own
      const budget = Effect.flatMap(ApnsPoolMap.ApnsPoolMap, (pools) => pools.stats).pipe(
        Effect.provide(ApnsPoolMap.layerConfig({ ...shared, maxConnections: Config.integer("PUSH_SIZE") }))
      )
      const variables = environment({
        PUSH_HOST: mock.origin,
        PUSH_CA: mock.ca,
        PUSH_KEY: key,
        PUSH_KEY_ID: keyId,
        PUSH_TEAM_ID: teamId,
        PUSH_SIZE: "3"
      })
      assert.strictEqual(yield* Effect.provide(sized, variables), 3)
      assert.deepStrictEqual((yield* Effect.provide(listed, variables)).channelIds, [])
      assert.strictEqual((yield* Effect.provide(budget, variables)).maxConnections, 3)
      const missing = yield* Effect.flip(Effect.provide(sized, environment({ PUSH_HOST: mock.origin })))
      assert.include(String(missing), "PUSH_CA")
    }))
})

describe("layerFromEnv", () => {
  const variablesOf = (mock: MockApns.MockApns) => ({
    APNS_ENDPOINT: mock.origin,
    APNS_CA_FILE: "ca.pem",
    APNS_KEY: mock.credentials.key,
    APNS_KEY_ID: mock.credentials.keyId,
    APNS_TEAM_ID: mock.credentials.teamId,
    APNS_TOPIC: topic
  })

  it.scopedLive("Channels and ApnsPoolMap read the same variables as a pool", () =>
    Effect.gen(function*() {
      const mock = yield* MockApns.make()
      const { endpoint } = mock
      const credentials = Effect.provide(secrets(mock).credentials, secrets(mock).live)
      const program = Effect.gen(function*() {
        const channels = yield* Channels.Channels
        assert.deepStrictEqual((yield* channels.list()).channelIds, [])
        const pools = yield* ApnsPoolMap.ApnsPoolMap
        yield* send({ token, notification: Notification.alert({ alert: "Hello" }) }).pipe(
          pools.provide({ endpoint, credentials })
        )
        return yield* pools.stats
      })
      const { connections, maxConnections } = yield* program.pipe(
        Effect.provide(Layer.merge(Channels.layerFromEnv(), ApnsPoolMap.layerFromEnv())),
        Effect.provide(environment({ ...variablesOf(mock), APNS_POOL_SIZE: "2", APNS_MAX_CONNECTIONS: "7" })),
        Effect.provide(files({ "ca.pem": mock.ca }))
      )
      assert.strictEqual(maxConnections, 7)
      assert.strictEqual(connections, 2)
    }))

  it.scopedLive("an option in code replaces the variable; undefined does not", () =>
    Effect.gen(function*() {
      const mock = yield* MockApns.make()
      const credentials = yield* Effect.provide(secrets(mock).credentials, secrets(mock).live)
      const program = Effect.gen(function*() {
        yield* send({ token, notification: Notification.alert({ alert: "Hello" }) })
        const pool = yield* ApnsPool.ApnsPool
        return { size: (yield* pool.stats).size, topic: pool.topic }
      })
      const { APNS_CA_FILE: _, APNS_ENDPOINT: __, ...variables } = variablesOf(mock)
      const { size, topic: found } = yield* program.pipe(
        Effect.provide(ApnsPool.layerFromEnv({
          endpoint: mock.endpoint,
          ca: mock.ca,
          credentials,
          size: 2,
          topic: undefined
        })),
        Effect.provide(environment({ ...variables, APNS_KEY: "no key", APNS_POOL_SIZE: "5" })),
        Effect.provide(files({}))
      )
      assert.strictEqual(size, 2)
      assert.strictEqual(found, topic)
    }))

  const names = [
    "APNS_ENDPOINT",
    "APNS_TOPIC",
    "APNS_PROXY",
    "APNS_CA_FILE",
    "APNS_POOL_SIZE",
    "APNS_CONNECT_TIMEOUT",
    "APNS_PING_INTERVAL",
    "APNS_PING_DEADLINE",
    "APNS_DRAIN_TIMEOUT",
    "APNS_RETRANSMIT",
    "APNS_MAX_RETRANSMITS",
    "APNS_MAX_QUEUED",
    "APNS_SPANS",
    "APNS_MAX_CONNECTIONS",
    "APNS_IDLE_TIME_TO_LIVE"
  ]

  const optionsOf = (variables: Readonly<Record<string, string>>) =>
    Effect.gen(function*() {
      const mock = yield* MockApns.make()
      const credentials = yield* Effect.provide(secrets(mock).credentials, secrets(mock).live)
      return {
        pool: yield* PoolConfig.options({ credentials }),
        pools: yield* PoolConfig.mapOptions({})
      }
    }).pipe(Effect.scoped, Effect.provide(environment(variables)), Effect.provide(files({})))

  it.live.each(["", "  "])("a variable that is %j -> treated as not set", (empty) =>
    Effect.gen(function*() {
      const unset = yield* optionsOf({})
      const { pool, pools } = yield* optionsOf(Object.fromEntries(names.map((name) => [name, empty])))
      assert.deepStrictEqual(pools, unset.pools)
      const { credentials: _, ...rest } = pool
      const { credentials: __, ...nothing } = unset.pool
      assert.deepStrictEqual(rest, nothing)
      assert.strictEqual(pool.endpoint, Endpoint.production)
    }))

  it.live("every variable is read", () =>
    Effect.gen(function*() {
      const { pool, pools } = yield* optionsOf({
        APNS_ENDPOINT: "development",
        APNS_TOPIC: topic,
        APNS_PROXY: "env",
        APNS_POOL_SIZE: "3",
        APNS_CONNECT_TIMEOUT: "3 seconds",
        APNS_PING_INTERVAL: "30 seconds",
        APNS_PING_DEADLINE: "2 seconds",
        APNS_DRAIN_TIMEOUT: "500 millis",
        APNS_RETRANSMIT: "always",
        APNS_MAX_RETRANSMITS: "0",
        APNS_MAX_QUEUED: "5000",
        APNS_SPANS: "true",
        APNS_MAX_CONNECTIONS: "50",
        APNS_IDLE_TIME_TO_LIVE: "5 minutes"
      })
      assert.strictEqual(pool.endpoint, Endpoint.development)
      assert.strictEqual(pool.topic, topic)
      assert.strictEqual(pool.proxy, "env")
      assert.strictEqual(pool.size, 3)
      assert.deepStrictEqual(pool.connectTimeout, Duration.seconds(3))
      assert.deepStrictEqual(pool.ping, { interval: Duration.seconds(30), deadline: Duration.seconds(2) })
      assert.deepStrictEqual(pool.drainTimeout, Duration.millis(500))
      assert.strictEqual(pool.retransmit, "always")
      assert.strictEqual(pool.maxRetransmits, 0)
      assert.strictEqual(pool.maxQueued, 5000)
      assert.strictEqual(pool.spans, true)
      assert.strictEqual(pools.maxConnections, 50)
      assert.deepStrictEqual(pools.idleTimeToLive, Duration.minutes(5))
    }))

  it.live.each([
    { variables: { APNS_ENDPOINT: "http://localhost" }, hint: "https://host[:port]" },
    { variables: { APNS_POOL_SIZE: "0" }, hint: "at least 1" },
    { variables: { APNS_POOL_SIZE: "2.5" }, hint: "APNS_POOL_SIZE" },
    { variables: { APNS_DRAIN_TIMEOUT: "5" }, hint: "10 seconds" },
    { variables: { APNS_PING_INTERVAL: "soon" }, hint: "APNS_PING_INTERVAL" },
    { variables: { APNS_RETRANSMIT: "sometimes" }, hint: "collapsible or always or never" },
    { variables: { APNS_SPANS: "perhaps" }, hint: "true or false" },
    { variables: { APNS_MAX_CONNECTIONS: "-1" }, hint: "APNS_MAX_CONNECTIONS" }
  ])("$variables fails and says what to change", ({ hint, variables }) =>
    Effect.gen(function*() {
      assert.include(String(yield* Effect.flip(optionsOf(variables))), hint)
    }))
})
