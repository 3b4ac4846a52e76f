import {
  ConnectError,
  Connection,
  Credentials,
  Endpoint,
  ProviderToken,
  Proxy,
  Request,
  Response
} from "@effect-apns/core"
import { Notification } from "@effect-apns/models"
import { ApnsMetrics, ApnsPool, ApnsPoolMap, Broadcast, Channels, send, sendAll, Tracing } from "@effect-apns/pool"
import * as UnstableApnsPool from "@effect-apns/pool/unstable/ApnsPool"
import { MockApns } from "@effect-apns/testing"
import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  Effect,
  Either,
  Exit,
  Fiber,
  Layer,
  Logger,
  LogLevel,
  Metric,
  MetricState,
  Redacted,
  Stream,
  TestClock,
  Tracer
} from "effect"
import { createPrivateKey } from "node:crypto"
import { inspect } from "node:util"
import { VirtualClock } from "./scenarios/VirtualClock.js"

const token = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
const dead = "deadbeefdeadbeefdeadbeefdeadbeefdeadbeefdeadbeefdeadbeefdeadbeef"
const notification = Notification.alert({ alert: "Hello" })
const hello = (to = token) => send({ token: to, notification })

/** Keeps every span that is made. */
const tracing = () => {
  const spans: Array<Tracer.Span> = []
  const native = Tracer.make({
    context: (f) => f(),
    span: (name, parent, context, links, startTime, kind) => {
      const attributes = new Map<string, unknown>()
      const events: Array<unknown> = []
      const span: Tracer.Span = {
        _tag: "Span",
        name,
        spanId: String(spans.length),
        traceId: "trace",
        parent,
        context,
        status: { _tag: "Started", startTime },
        attributes,
        links,
        sampled: true,
        kind,
        end(endTime, exit) {
          Object.assign(span, { status: { _tag: "Ended", startTime, endTime, exit } })
        },
        attribute(key, value) {
          attributes.set(key, value)
        },
        event(name, startTime, attributes) {
          events.push({ name, startTime, attributes })
        },
        addLinks() {}
      }
      spans.push(span)
      return span
    }
  })
  return { spans, layer: Layer.setTracer(native) }
}

interface Line {
  readonly level: string
  readonly text: string
  readonly annotations: Record<string, unknown>
}

/** Keeps every line that is logged, at any level. */
const logging = () => {
  const lines: Array<Line> = []
  const logger = Logger.make<unknown, void>(({ annotations, cause, logLevel, message }) => {
    lines.push({
      level: logLevel.label,
      text: `${Array.isArray(message) ? message.map(String).join(" ") : String(message)} ${Cause.pretty(cause)}`,
      annotations: Object.fromEntries(annotations)
    })
  })
  return {
    lines,
    layer: Layer.merge(Logger.replace(Logger.defaultLogger, logger), Logger.minimumLogLevel(LogLevel.All))
  }
}

const countOf = (reason: string) => ApnsMetrics.total(ApnsMetrics.rejections, { reason })

const gaugeOf = (gauge: Metric.Metric.Gauge<number>, state: string) => ApnsMetrics.total(gauge, { state })

describe("metrics", () => {
  it.scopedLive("rejections are counted by reason; reasons that Apple does not document get one common tag", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      yield* apns.unregister(dead)
      const reasons = ["Unregistered", "BadDeviceToken", "UnknownReason"]
      const counts = Effect.forEach(reasons, (reason) => countOf(reason))
      const before = yield* counts
      yield* Effect.flip(hello(dead))
      yield* apns.next(MockApns.reject("BadDeviceToken"), MockApns.reject("BadDeviceToken"))
      yield* Effect.flip(hello())
      yield* Effect.flip(hello())
      yield* apns.next(MockApns.reject({ status: 400, reason: `Mischief${token}` }))
      yield* Effect.flip(hello())
      const after = yield* counts
      assert.deepStrictEqual(after.map((count, i) => count - (before[i] ?? 0)), [1, 2, 1])
    }).pipe(Effect.provide(MockApns.layerPool({ size: 1 }))))

  it.effect("gauges are computed when read, sum all pools, and leave out closed ones", () =>
    Effect.gen(function*() {
      const gauges = Effect.all({
        queued: gaugeOf(ApnsMetrics.poolRequests, "queued"),
        inFlight: gaugeOf(ApnsMetrics.poolRequests, "inFlight"),
        retrying: gaugeOf(ApnsMetrics.poolRequests, "retrying"),
        active: gaugeOf(ApnsMetrics.poolConnections, "active"),
        connecting: gaugeOf(ApnsMetrics.poolConnections, "connecting"),
        draining: gaugeOf(ApnsMetrics.poolConnections, "draining")
      })
      const none = { queued: 0, inFlight: 0, retrying: 0, active: 0, connecting: 0, draining: 0 }
      const fill = (count: number) =>
        Effect.gen(function*() {
          const pool = yield* ApnsPool.ApnsPool
          const request = Request.make({ path: "/3/device/42", timeout: "1 hour" })
          return yield* Effect.replicateEffect(Effect.fork(pool.post(request)), count)
        })
      const layer = ApnsPool.layerTest(() => Effect.never, { size: 2, streams: 3 })
      assert.deepStrictEqual(yield* gauges, none)
      yield* Effect.scoped(Effect.gen(function*() {
        const one = yield* Layer.build(Layer.fresh(layer))
        const two = yield* Layer.build(Layer.fresh(layer))
        yield* TestClock.adjust(0)
        yield* Effect.provide(fill(8), one)
        yield* Effect.provide(fill(1), two)
        yield* TestClock.adjust(0)
        assert.deepStrictEqual(yield* gauges, { ...none, queued: 2, inFlight: 7, active: 4 })
        const snapshot = Metric.unsafeSnapshot().filter(({ metricKey }) => metricKey.name === "apns_pool_requests")
        assert.strictEqual(new Set(snapshot.map(({ metricKey }) => metricKey)).size, snapshot.length)
      }))
      assert.deepStrictEqual(yield* gauges, none)
    }))

  it.scopedLive("tags distinguish pools by endpoint and name; latency is in seconds", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const endpoint = apns.endpoint.origin
      yield* hello()
      yield* hello()
      assert.strictEqual(
        yield* ApnsMetrics.total(ApnsMetrics.outcomes, { endpoint, tenant: "acme", outcome: "200" }),
        2
      )
      assert.strictEqual(yield* ApnsMetrics.total(ApnsMetrics.outcomes, { endpoint, tenant: "another" }), 0)
      assert.strictEqual(yield* ApnsMetrics.total(ApnsMetrics.poolConnections, { endpoint, state: "active" }), 1)
      const latency = Metric.unsafeSnapshot().filter(({ metricKey }) =>
        metricKey.name === "apns_latency_seconds" &&
        metricKey.tags.some(({ key, value }) => key === "endpoint" && value === endpoint)
      )
      assert.strictEqual(latency.length, 1)
      const state = latency[0]?.metricState
      if (state === undefined || !MetricState.isHistogramState(state)) return assert.fail("there is no histogram")
      assert.strictEqual(state.count, 2)
      // two answers from loopback: milliseconds would be counted as many seconds
      assert.isBelow(state.sum, 20)
    }).pipe(Effect.provide(MockApns.layerPool({ size: 1, name: "acme" }))))

  it.scopedLive("every opened connection is counted as closed, whatever ended it", () =>
    Effect.gen(function*() {
      const count = (event: string) => ApnsMetrics.total(ApnsMetrics.connections, { event })
      const before = [yield* count("opened"), yield* count("closed")] as const
      yield* Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        const pool = yield* ApnsPool.ApnsPool
        const active = (count: number) =>
          Effect.repeat(Effect.zipRight(Effect.yieldNow(), pool.stats), { until: ({ active }) => active === count })
        yield* active(3)
        yield* hello()
        yield* apns.goaway({ connection: 1 })
        yield* active(2)
        yield* active(3)
        yield* pool.resize(1)
        yield* apns.until(({ openConnections }) => openConnections === 1)
        yield* hello()
      }).pipe(Effect.provide(MockApns.layerPool({ size: 3 })))
      const opened = (yield* count("opened")) - before[0]
      assert.isAtLeast(opened, 4)
      assert.strictEqual((yield* count("closed")) - before[1], opened)
    }))
})

describe("logs", () => {
  it.scopedLive("connection events are logged, each at its level; nothing about notifications is logged", () => {
    const { layer, lines } = logging()
    return Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      yield* Effect.replicateEffect(hello(), 20)
      yield* apns.goaway()
      yield* apns.until(({ attempts }) => attempts === 2)
      yield* hello()
      yield* apns.goaway({ code: 11 })
      yield* apns.until(({ attempts }) => attempts === 3)
      yield* hello()
      yield* apns.failTls("close", { times: 1 })
      yield* apns.dropConnections({ reset: true })
      yield* apns.until(({ attempts }) => attempts === 5)
      yield* hello()
      const seen = lines.map(({ annotations, level, text }) => [level, annotations["cause"], text] as const)
      const opened = seen.filter(([, , text]) => text.startsWith("Connection to APNs opened"))
      assert.isAtLeast(opened.length, 3)
      assert.isTrue(opened.every(([level]) => level === "DEBUG"))
      const goaways = seen.filter(([, cause]) => cause === "Goaway")
      assert.deepStrictEqual(goaways.map(([level]) => level), ["INFO", "WARN"])
      assert.include(goaways[1]?.[2], "ENHANCE_YOUR_CALM")
      assert.deepStrictEqual(seen.filter(([, cause]) => cause === "Dropped").map(([level]) => level), ["INFO"])
      // one warning for one trouble
      const lost = seen.filter(([level], i) =>
        level === "WARN" && i > seen.findIndex(([, cause]) => cause === "Dropped")
      )
      assert.deepStrictEqual(lost.map(([, , text]) => text.slice(0, 21)), ["No connection to APNs"])
      for (const { annotations } of lines) {
        assert.deepInclude(annotations, {
          package: "@effect-apns/pool",
          module: "ApnsPool",
          endpoint: apns.endpoint.origin
        })
      }
      // four connections at most two lines each, one that failed, that it was tried again, and that it is back: none for the
      // 23 notifications
      assert.isAtMost(lines.length, 12)
    }).pipe(Effect.provide(MockApns.layerPool({ size: 1 })), Effect.provide(layer))
  })

  it.scopedLive("unanswered requests retire a connection -> one warning with their number", () => {
    const { layer, lines } = logging()
    return Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      yield* hello()
      yield* apns.script(() => MockApns.stall)
      const impatient = send({ token, notification, timeout: "20 millis" })
      for (let i = 0; i < 5; i++) {
        assert.deepInclude(yield* Effect.flip(impatient), { _tag: "Timeout", processed: "unknown" })
      }
      yield* apns.until(({ attempts }) => attempts === 2)
      yield* Effect.repeat(Effect.yieldNow(), {
        until: () => lines.some(({ level, text }) => level === "WARN" && text.includes("5 requests in a row"))
      })
      assert.strictEqual(
        lines.filter(({ text }) => text.includes("requests in a row") && text.includes("retired:")).length,
        1
      )
    }).pipe(Effect.provide(MockApns.layerPool({ size: 1 })), Effect.provide(layer))
  })

  it.live("ten connections repeatedly fail to open -> one warning; the pool recovers -> one line", () => {
    const { layer, lines } = logging()
    return Effect.gen(function*() {
      const clock = new VirtualClock(1_800_000_000_000)
      let refusing = true
      const pool = yield* Effect.withClock(
        UnstableApnsPool.makeWith(
          (parts) =>
            Effect.suspend(() =>
              refusing
                ? Effect.fail(
                  new ConnectError.ConnectError({
                    reason: "Refused",
                    phase: "tcp",
                    endpoint: Endpoint.production,
                    message: "Nothing listens"
                  })
                )
                : Connection.fromHandler(() => Effect.succeed(Response.make()), {}, parts)
            ),
          { size: 10 }
        ),
        clock
      )
      yield* Effect.promise(() => clock.advance(300_000))
      const unreachable = (yield* pool.stats).unreachable
      assert.strictEqual(unreachable?.cause._tag, "ConnectFailed")
      assert.strictEqual(unreachable?.since.epochMillis, 1_800_000_000_000)
      refusing = false
      yield* Effect.promise(() => clock.advance(60_000))
      assert.deepInclude(yield* pool.stats, { active: 10, unreachable: undefined })
      const loud = lines.filter(({ level }) => level !== "DEBUG")
      assert.deepStrictEqual(loud.map(({ level }) => level), ["WARN", "INFO"])
      assert.include(loud[0]?.text, "Nothing listens")
      assert.include(loud[0]?.text, "next attempt in")
    }).pipe(Effect.scoped, Effect.provide(layer))
  })

  it.scopedLive("APNs refuses the credentials -> an error in the log", () => {
    const { layer, lines } = logging()
    return Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      yield* hello()
      yield* apns.goaway({ reason: "BadCertificateEnvironment" })
      const error = yield* Effect.flip(Effect.repeat(hello(), { until: () => false }))
      assert.strictEqual(error._tag, "BadCertificateEnvironment")
      yield* Effect.repeat(Effect.yieldNow(), { until: () => lines.some(({ level }) => level === "ERROR") })
      assert.include(lines.find(({ level }) => level === "ERROR")?.text, "BadCertificateEnvironment")
    }).pipe(Effect.provide(MockApns.layerPool({ size: 1 })), Effect.provide(layer))
  })
})

describe("spans", () => {
  it.scopedLive("a send -> a span with the notification, the connection and the outcome", () => {
    const { layer, spans } = tracing()
    return Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      yield* apns.unregister(dead)
      const { apnsId, uniqueId } = yield* Effect.withSpan(hello(), "parent")
      const error = yield* Effect.flip(hello(dead))
      assert.strictEqual(error._tag, "Unregistered")
      const [parent, good, bad] = spans
      assert.strictEqual(spans.length, 3)
      assert.deepInclude(good, { name: "send com.example.app", kind: "producer" })
      assert.isTrue(good?.parent._tag === "Some" && good.parent.value === parent)
      const shared = {
        "messaging.system": "apns",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": "com.example.app",
        "messaging.message.body.size": 25,
        "server.address": "localhost",
        "server.port": apns.port,
        "apns.push_type": "alert",
        "apns.attempts": 1
      }
      assert.deepStrictEqual(Object.fromEntries(good?.attributes ?? []), {
        ...shared,
        "messaging.message.id": apnsId,
        "apns.unique_id": uniqueId
      })
      assert.deepStrictEqual(Object.fromEntries(bad?.attributes ?? []), {
        ...shared,
        "error.type": "Unregistered",
        "apns.processed": "yes",
        "messaging.message.id": "apnsId" in error ? error.apnsId : undefined
      })
      const ended = [good, bad].map((span) => span?.status)
      assert.isTrue(ended[0]?._tag === "Ended" && Exit.isSuccess(ended[0].exit))
      assert.isTrue(ended[1]?._tag === "Ended" && Exit.isFailure(ended[1].exit))
    }).pipe(Effect.provide(MockApns.layerPool({ size: 1, spans: true })), Effect.provide(layer))
  })

  it.scopedLive("a bulk -> one span, with the counts", () => {
    const { layer, spans } = tracing()
    return Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      yield* apns.unregister(dead)
      yield* sendAll(Stream.fromIterable([token, dead, token, "no token"]), { notification }).pipe(Stream.runDrain)
      assert.strictEqual(spans.length, 1)
      assert.deepInclude(spans[0], { name: "send bulk", kind: "producer" })
      assert.deepInclude(Object.fromEntries(spans[0]?.attributes ?? []), {
        "messaging.system": "apns",
        "messaging.batch.message_count": 4,
        "apns.batch.accepted": 2
      })
      assert.strictEqual(spans[0]?.status._tag, "Ended")
    }).pipe(Effect.provide(MockApns.layerPool({ size: 1, spans: true })), Effect.provide(layer))
  })

  it.scopedLive("broadcasts and channel requests -> spans", () => {
    const { layer, spans } = tracing()
    return Effect.gen(function*() {
      const channels = yield* Channels.Channels
      const { channelId } = yield* channels.create({ messageStoragePolicy: "no-message-stored" })
      const update = Notification.liveActivity.update({ timestamp: 1704067200, contentState: {} })
      const { requestId } = yield* Broadcast.send({ channelId, notification: update, expiration: "none" })
      yield* channels.list()
      yield* channels.delete({ channelId })
      yield* Effect.flip(channels.read({ channelId }))
      assert.deepStrictEqual(spans.map(({ kind, name }) => [kind, name]), [
        ["client", "create channel com.example.app"],
        ["producer", "broadcast com.example.app"],
        ["client", "list channels com.example.app"],
        ["client", "delete channel com.example.app"],
        ["client", "read channel com.example.app"]
      ])
      assert.strictEqual(spans[1]?.attributes.get(Tracing.ATTR_MESSAGING_MESSAGE_ID), requestId)
      assert.strictEqual(spans[4]?.attributes.get(Tracing.ATTR_ERROR_TYPE), "ChannelNotRegistered")
    }).pipe(
      Effect.provide(Layer.provideMerge(Channels.layerWithoutPool, MockApns.layerPool({ size: 1, spans: true }))),
      Effect.provide(layer)
    )
  })

  it.effect("spans only if turned on, for the pool or for one effect", () => {
    const { layer, spans } = tracing()
    const answer = ApnsPool.layerTest(() => Effect.succeed(Response.make()))
    const asked = ApnsPool.layerTest(() => Effect.succeed(Response.make()), { spans: true })
    return Effect.gen(function*() {
      const bulk = Stream.runDrain(sendAll(Stream.make(token), { notification }))
      yield* Effect.zipRight(hello(), bulk).pipe(Effect.provide(answer))
      assert.strictEqual(spans.length, 0)
      yield* hello().pipe(Tracing.withoutSpans, Effect.provide(asked))
      assert.strictEqual(spans.length, 0)
      yield* hello().pipe(Tracing.withSpans, Effect.provide(answer))
      assert.deepStrictEqual(spans.map(({ name }) => name), ["send"])
      yield* Effect.zipRight(hello(), bulk).pipe(Effect.provide(asked))
      assert.deepStrictEqual(spans.map(({ name }) => name), ["send", "send", "send bulk"])
      yield* hello().pipe(Effect.withTracerEnabled(false), Effect.provide(asked))
      assert.strictEqual(spans.length, 3)
    }).pipe(Effect.provide(layer))
  })
})

describe("redaction", () => {
  it.scopedLive("no log, error, span or metric contains a device token, key, JWT, passphrase or password", () => {
    const traced = tracing()
    const logged = logging()
    const shown: Array<readonly [what: string, text: string]> = []
    /** Everything that a program does to a value in order to print it. */
    const show = (what: string, value: unknown): void => {
      shown.push([
        `${what}, inspected`,
        inspect(value, { depth: 20, showHidden: true, maxStringLength: null, maxArrayLength: null })
      ])
      shown.push([`${what}, as text`, String(value)])
      let json: string
      try {
        json = JSON.stringify(value) ?? ""
      } catch (error) {
        json = String(error)
      }
      shown.push([`${what}, as JSON`, json])
      if (value instanceof Error) {
        shown.push([`${what}, its stack`, `${value.message}\n${value.stack}\n${Cause.pretty(Cause.fail(value))}`])
      }
    }
    const passphrase = "correct-horse-battery"
    const wrong = "wrong-horse-battery"
    const password = "proxy-password-4711"
    const short = { timeout: "100 millis" } as const

    return Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const pool = yield* ApnsPool.ApnsPool
      const { key, keyId, teamId } = apns.credentials
      const encrypted = createPrivateKey(apns.clientCertificate.key)
        .export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase }).toString()
      const { cert } = apns.clientCertificate
      const credentials = yield* Credentials.token({ key: Redacted.make(key), keyId, teamId })
      const certificate = yield* Credentials.certificate({
        cert,
        key: Redacted.make(encrypted),
        passphrase: Redacted.make(passphrase)
      })
      const signer = yield* ProviderToken.make(credentials)
      const jwt = (yield* signer.current).header.slice("bearer ".length)
      const proxy = Either.getOrThrow(Proxy.make(Redacted.make(`http://user:${password}@127.0.0.1:9`)))
      const options = { endpoint: apns.endpoint, ca: apns.ca, credentials, proxy }
      const fails = <A, E, R>(what: string, effect: Effect.Effect<A, E, R>) =>
        Effect.map(Effect.flip(effect), (error) => show(what, error))

      // errors
      yield* apns.unregister(dead)
      yield* fails("Unregistered", hello(dead))
      yield* fails("BadDeviceToken", Effect.zipRight(apns.next(MockApns.reject("BadDeviceToken")), hello()))
      yield* fails("StreamReset", Effect.zipRight(apns.next(MockApns.resetStream(2)), hello()))
      yield* fails("Closed", Effect.zipRight(apns.next(MockApns.dropAfter), hello()))
      yield* fails("MalformedResponse", Effect.zipRight(apns.next(MockApns.notJson()), hello()))
      yield* fails("ResponseTooLarge", Effect.zipRight(apns.next(MockApns.bodyTooLarge()), hello()))
      yield* fails("Timeout", Effect.zipRight(apns.next(MockApns.stall), send({ token, notification, ...short })))
      yield* fails("ParseError of a token", hello(`${token}zz`))
      yield* fails("ParseError of a collapse id", send({ token, notification, collapseId: "x".repeat(65) }))
      yield* fails(
        "a certificate that does not open",
        Credentials.certificate({
          cert,
          key: Redacted.make(encrypted),
          passphrase: Redacted.make(wrong)
        })
      )
      yield* fails(
        "PKCS#12 that is none",
        Credentials.pkcs12({
          data: new TextEncoder().encode(key),
          passphrase: Redacted.make(wrong)
        })
      )
      yield* fails("a key that is none", Credentials.token({ key: Redacted.make(key.slice(0, 90)), keyId, teamId }))
      yield* fails("a key id that is a key", Credentials.token({ key: Redacted.make(key), keyId: key, teamId }))
      yield* fails("a proxy that is not there", Effect.scoped(Connection.make(options)))
      const behindProxy = yield* ApnsPool.make({ ...options, size: 1, topic: "com.example.app" })
      yield* fails(
        "Timeout behind a proxy",
        Effect.provideService(
          send({ token, notification, timeout: "300 millis" }),
          ApnsPool.ApnsPool,
          behindProxy
        )
      )
      yield* fails("an endpoint with a password", Endpoint.make(`https://user:${password}@localhost`))
      yield* fails("a proxy with too much", Proxy.make(`ftp://user:${password}@localhost`))
      const current = yield* signer.current
      const anew = yield* signer.expired(current)
      yield* fails("TokenRefreshRefused", signer.expired(anew))

      // bulk, and a request that is under way while its pool is looked at
      yield* Stream.runDrain(sendAll(Stream.make(token, dead), { notification }))
      yield* apns.next(MockApns.stall)
      const waiting = yield* Effect.fork(hello())
      yield* apns.until(({ inFlight }) => inFlight >= 1)
      show("a pool", pool)
      show("a pool's engine", pool.unsafe)
      show("a pool's numbers", yield* pool.stats)
      yield* Fiber.interrupt(waiting)

      // objects
      const connection = yield* Connection.make({ endpoint: apns.endpoint, ca: apns.ca, credentials })
      yield* apns.next(MockApns.stall)
      const posting = yield* Effect.fork(connection.post(Request.make({
        path: `/3/device/${token}`,
        headers: { "apns-topic": "com.example.app" },
        body: { aps: {} }
      })))
      yield* apns.until(({ inFlight }) => inFlight >= 1)
      show("a connection", connection)
      show("a connection's inside", connection.unsafe)
      yield* Fiber.interrupt(posting)
      show("token credentials", credentials)
      show("a certificate", certificate)
      show("a signer", signer)
      show("a provider token", current)
      show("a proxy", proxy)
      show("options", options)
      const tenants = yield* ApnsPoolMap.make({ ca: apns.ca })
      yield* Effect.scoped(tenants.get({ endpoint: apns.endpoint, credentials }))
      show("pools of tenants", tenants)

      // what the library says by itself
      for (const line of logged.lines) shown.push(["a log line", inspect(line, { depth: 20 })])
      for (const span of traced.spans) {
        shown.push(["a span", inspect([span.name, [...span.attributes], span.status], { depth: 20 })])
        if (span.status._tag === "Ended" && Exit.isFailure(span.status.exit)) {
          shown.push(["a span's end", Cause.pretty(span.status.exit.cause, { renderErrorCause: true })])
        }
      }
      shown.push(["metrics", inspect(Metric.unsafeSnapshot(), { depth: 20, maxArrayLength: null })])

      const pem = (text: string) => text.split("\n").filter((line) => line.length > 20 && !line.startsWith("-----"))
      const jwts = new Set((yield* apns.received).map(({ headers }) => headers["authorization"]?.slice(7) ?? jwt))
      const secrets = [
        token,
        dead,
        passphrase,
        wrong,
        password,
        ...pem(key),
        ...pem(apns.clientCertificate.key),
        ...pem(encrypted),
        ...[jwt, current.header.slice(7), anew.header.slice(7), ...jwts].flatMap((jwt) => jwt.split(".").slice(1))
      ]
      const leaks = shown.flatMap(([what, text]) =>
        secrets.filter((secret) => text.includes(secret)).map((secret) => `${what}: ${secret}`)
      )
      assert.deepStrictEqual([...new Set(leaks)], [])

      // the net holds what it is meant to catch, and there was something in it
      const planted = inspect({ header: `bearer ${jwt}`, path: `/3/device/${token}` })
      assert.isTrue(secrets.some((secret) => planted.includes(secret)))
      for (const what of ["a log line", "a span", "a span's end", "metrics", "a pool, as JSON"]) {
        assert.isTrue(shown.some(([name, text]) => name === what && text.length > 10), what)
      }
      const text = shown.map(([, text]) => text).join("\n")
      for (const expected of ["Unregistered", "apns_outcomes_total", keyId, "send com.example.app"]) {
        assert.include(text, expected)
      }
    }).pipe(
      Effect.provide(MockApns.layerPool({ size: 1, spans: true, connectTimeout: "5 seconds" })),
      Effect.provide(traced.layer),
      Effect.provide(logged.layer)
    )
  })
})
