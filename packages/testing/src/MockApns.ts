/**
 * An APNs of your own: a real HTTP/2 server over TLS on a free loopback port, with a throw-away authority. It checks
 * what APNs checks, answers with APNs's statuses and reasons, remembers what it received, and fails in every way that a
 * server or a network can, on demand.
 *
 * @example
 * ```ts
 * import { MockApns } from "@effect-apns/testing"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const apns = yield* MockApns.MockApns
 *   yield* apns.next(MockApns.refuseStream, MockApns.reject("BadDeviceToken"))
 *   // ... point a client at apns.origin, with apns.ca as its only trusted authority ...
 *   return yield* apns.received
 * }).pipe(Effect.provide(MockApns.layer({ maxConcurrentStreams: 100 })))
 * ```
 *
 * @since 0.1.0
 */
import * as Credentials from "@effect-apns/core/Credentials"
import * as Endpoint from "@effect-apns/core/Endpoint"
import { ErrorCode } from "@effect-apns/http2/ErrorCode"
import type * as TimeSpan from "@effect-apns/models/TimeSpan"
import * as Schemas from "@effect-apns/models/unstable/Schemas"
import * as ApnsPool from "@effect-apns/pool/ApnsPool"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { type Behavior, internalServerError } from "./Behavior.js"
import * as Certificates from "./Certificates.js"
import type { ConnectionInfo } from "./ConnectionInfo.js"
import { Authority } from "./internal/authority.js"
import { behaviorOf } from "./internal/callbacks.js"
import { Channels } from "./internal/channels.js"
import type { DeadToken } from "./internal/checks.js"
import * as inboxes from "./internal/inbox.js"
import { MockServer } from "./internal/mockServer.js"
import { spanOf } from "./internal/spanOf.js"
import { Timeline } from "./internal/timeline.js"
import * as ProviderKey from "./ProviderKey.js"
import type { Received } from "./Received.js"

export {
  /**
   * @since 0.1.0
   * @category behaviors
   */
  accept,
  acceptWith,
  badStatus,
  bodyTooLarge,
  bytes,
  continuationFlood,
  dataBeforeHeaders,
  drop,
  dropAfter,
  dropBefore,
  dropDuring,
  emptyDataFlood,
  emptyLastData,
  expiredProviderToken,
  garbage,
  garbledHeaders,
  goawayAfter,
  goawayBefore,
  goawayInstead,
  headersTooLarge,
  informational,
  internalServerError,
  noBody,
  noStatus,
  notJson,
  oversizeFrame,
  pingFlood,
  pushPromise,
  refuseStream,
  reject,
  resetStream,
  respond,
  settingsFlood,
  shutdown,
  slow,
  splitBody,
  stall,
  stallBody,
  swallow,
  tooManyProviderTokenUpdates,
  tooManyRequests,
  trailers,
  unavailable,
  unknownFrame,
  unregistered,
  upperCaseHeader,
  windowOverflow
} from "./Behavior.js"

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: TypeId = "~@effect-apns/testing/MockApns"

/**
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = "~@effect-apns/testing/MockApns"

/**
 * How connections fail before HTTP/2 is spoken:
 *
 * - `"close"`, `"reset"`: accepted, then closed or reset at once
 * - `"silent"`: accepted, then never a byte
 * - `"garbage"`: answers the ClientHello with something that is not TLS
 * - `"closeInHandshake"`: closes after the ClientHello
 * - `"untrusted"`: a certificate that another authority signed
 * - `"wrongHost"`: a certificate for another name
 * - `"expired"`: a certificate that ended yesterday
 * - `"oldVersion"`: at most TLS 1.1
 * - `"noAlpn"`: TLS without ALPN
 * - `"otherAlpn"`: TLS that knows `http/1.1` only (fatal alert no_application_protocol, RFC 7301 section 3.2)
 * - `"silentHttp2"`: TLS with ALPN h2, then never a byte
 * - `"garbageHttp2"`: TLS with ALPN h2, then bytes that are not HTTP/2
 * - `"http1"`: TLS with ALPN h2, then an HTTP/1.1 answer
 * - `"closeAfterTls"`: TLS with ALPN h2, then closed
 * - `"closeAfterSettings"`: HTTP/2, closed once the client has acknowledged the first SETTINGS
 *
 * @since 0.1.0
 * @category models
 */
export type TlsFault =
  | "close"
  | "reset"
  | "silent"
  | "garbage"
  | "closeInHandshake"
  | "untrusted"
  | "wrongHost"
  | "expired"
  | "oldVersion"
  | "noAlpn"
  | "otherAlpn"
  | "silentHttp2"
  | "garbageHttp2"
  | "http1"
  | "closeAfterTls"
  | "closeAfterSettings"

/**
 * Running totals since the mock started (the request counts since the last `clear`).
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats {
  /** TCP connections accepted, whatever became of them. */
  readonly attempts: number
  /** Connections that speak HTTP/2 right now. */
  readonly openConnections: number
  /** Requests whose headers arrived. */
  readonly requests: number
  /** Requests read to their end, processed or not yet. */
  readonly arrived: number
  /** Requests processed: accepted or rejected. */
  readonly received: number
  /** Requests processed and accepted. */
  readonly accepted: number
  /** Requests that arrived and are neither answered nor given up. */
  readonly inFlight: number
  /** PINGs from clients. */
  readonly pings: number
  /** Answers to the mock's PINGs. */
  readonly pingAcks: number
  /** Acknowledgements of the mock's SETTINGS. */
  readonly settingsAcks: number
  /** RST_STREAM frames from clients. */
  readonly resets: number
  /** GOAWAY frames from clients. */
  readonly goaways: number
}

/**
 * What the mock may change in its SETTINGS (RFC 9113 section 6.5.2).
 *
 * @since 0.1.0
 * @category models
 */
export interface Settings {
  readonly headerTableSize?: number | undefined
  readonly maxConcurrentStreams?: number | undefined
  /** Bytes. */
  readonly initialWindowSize?: number | undefined
  /** Bytes, 16,384 to 16,777,215. */
  readonly maxFrameSize?: number | undefined
  /** Bytes. */
  readonly maxHeaderListSize?: number | undefined
}

/**
 * A mock APNs. Where a method takes `connection`, it is a `ConnectionInfo.id`, and none means all open connections.
 *
 * @since 0.1.0
 * @category models
 */
export interface MockApns {
  readonly [TypeId]: TypeId
  /** Where it listens, by the name `localhost`. */
  readonly endpoint: Endpoint.Endpoint
  /** `https://localhost:PORT`. */
  readonly origin: string
  /** `127.0.0.1`, or the `host` option. */
  readonly host: string
  readonly port: number
  /** The PEM of the throw-away authority that signed its certificate (for `localhost`, `127.0.0.1` and `::1`). */
  readonly ca: string
  /** A key whose provider tokens the mock accepts. */
  readonly credentials: ProviderKey.ProviderKey
  /** A client certificate that the mock accepts, for the bundle ID `com.example.app` and its VoIP and complication topics. */
  readonly clientCertificate: Certificates.Certificate
  /** The throw-away authority: issues more client certificates. */
  readonly authority: Certificates.Authority
  /**
   * The page that shows what is received, where the `inbox` option asked for one; `InboxClient` of `@effect-apns/inbox`
   * takes its `url`.
   *
   * @since 1.0.0
   */
  readonly inbox: { readonly url: string; readonly port: number } | undefined

  /** Makes another key that the mock accepts. */
  readonly issueKey: (options?: {
    readonly keyId?: string | undefined
    readonly teamId?: string | undefined
    /** The topics it is good for. Defaults to all. */
    readonly topics?: ReadonlyArray<string> | undefined
  }) => Effect.Effect<ProviderKey.ProviderKey>
  /** Forgets a key: tokens signed with it get `InvalidProviderToken` from now on. */
  readonly revokeKey: (keyId: string) => Effect.Effect<void>
  /** The device token is dead: 410 with this reason and the time (now, unless given). */
  readonly unregister: (token: string, options?: {
    readonly at?: DateTime.DateTime | number | undefined
    readonly reason?: "Unregistered" | "ExpiredToken" | undefined
  }) => Effect.Effect<void>
  /** The device token is unknown here: 400 BadDeviceToken. */
  readonly rejectToken: (token: string) => Effect.Effect<void>
  /** The device token belongs to this bundle ID or topic: others get 400 DeviceTokenNotForTopic. */
  readonly bindToken: (token: string, topic: string) => Effect.Effect<void>
  /** Makes a broadcast channel; its id. */
  readonly createChannel: (bundleId: string, storagePolicy?: 0 | 1) => Effect.Effect<string>

  /** What was processed, oldest first: accepted and rejected (at most `maxReceived`, the latest). */
  readonly received: Effect.Effect<ReadonlyArray<Received>>
  readonly receivedCount: Effect.Effect<number>
  readonly acceptedCount: Effect.Effect<number>
  readonly stats: Effect.Effect<Stats>
  readonly connections: Effect.Effect<ReadonlyArray<ConnectionInfo>>
  /** Forgets what was received, and starts counting requests from zero. */
  readonly clear: Effect.Effect<void>
  /** Waits until this holds; looked at after each event, without polling. Dies if `ready` throws. */
  readonly until: (ready: (stats: Stats) => boolean) => Effect.Effect<void>

  /**
   * The next requests are treated so, one each, in the order their headers arrive; then it behaves as APNs does. A behavior of
   * your own making that cannot be done is logged, and the request gets `InternalServerError`.
   */
  readonly next: (...behaviors: ReadonlyArray<Behavior>) => Effect.Effect<void>
  /**
   * Decides for each request that `next` says nothing about; `undefined` is "as APNs does". A script that throws, dies or
   * returns no behavior is logged, and the request gets `InternalServerError`.
   */
  readonly script: (
    decide: ((request: Received) => Behavior | undefined | Effect.Effect<Behavior | undefined>) | undefined
  ) => Effect.Effect<void>
  /** From now on every request is processed and answered this much later. */
  readonly delay: (duration: TimeSpan.TimeSpan) => Effect.Effect<void>

  /**
   * Sends GOAWAY; requests above `lastStreamId` are not processed anymore, those up to it are answered as usual. The
   * mock stays consistent: the id is at least that of the highest stream that was processed before.
   */
  readonly goaway: (options?: {
    /** `"current"` (the default) is the highest stream id seen, `"none"` is 0. */
    readonly lastStreamId?: number | "current" | "none" | undefined
    /** Defaults to NO_ERROR. */
    readonly code?: number | undefined
    /** Sent as `{"reason": "..."}` in the debug data, as APNs does. */
    readonly reason?: string | undefined
    /** Sent as debug data as it is. */
    readonly debug?: string | undefined
    readonly connection?: number | undefined
    /** Close the connection right after. Defaults to `false`: the client closes it. */
    readonly close?: boolean | undefined
  }) => Effect.Effect<void>
  /** Closes the TCP connection, with FIN or (`reset: true`) with RST. */
  readonly dropConnections: (options?: {
    readonly connection?: number | undefined
    readonly reset?: boolean | undefined
  }) => Effect.Effect<void>
  /** Sends SETTINGS now; without `connection` for later connections too. */
  readonly settings: (settings: Settings, options?: { readonly connection?: number | undefined }) => Effect.Effect<void>
  /** Sends a PING; `stats.pingAcks` counts the answers. */
  readonly ping: (options?: { readonly connection?: number | undefined }) => Effect.Effect<void>
  /** Whether PINGs are answered, now and on later connections. They are until told otherwise. */
  readonly answerPings: (on: boolean) => Effect.Effect<void>
  /** Whether WINDOW_UPDATE frames are sent. Those kept back are sent when it is turned on again. */
  readonly updateWindows: (on: boolean) => Effect.Effect<void>
  /** Whether the SETTINGS of later connections are acknowledged. They are until told otherwise. */
  readonly acknowledgeSettings: (on: boolean) => Effect.Effect<void>
  /** Hands out everything in pieces of so many bytes, one each `every` (default: none); `undefined` ends it. */
  readonly trickle: (
    pace: { readonly bytes: number; readonly every?: TimeSpan.TimeSpan | undefined } | undefined
  ) => Effect.Effect<void>
  /**
   * `true` stops reading and writing, as a process that is stopped or a network that loses every packet does: TCP stays
   * open and nothing comes. `false` goes on where it stopped. Without `connection` for later connections too, whose
   * handshakes wait.
   *
   * @since 1.0.0
   */
  readonly freeze: (on: boolean, options?: { readonly connection?: number | undefined }) => Effect.Effect<void>
  /** Writes bytes between two frames: what no other method does. */
  readonly write: (bytes: Uint8Array, options?: { readonly connection?: number | undefined }) => Effect.Effect<void>
  /** Stops listening, so that connecting fails with ECONNREFUSED, or listens again. Open connections stay. */
  readonly refuseConnections: (on: boolean) => Effect.Effect<void, MockApnsError>
  /** How new connections fail, the next `times` ones (default: all); `undefined` ends it. */
  readonly failTls: (
    fault: TlsFault | undefined,
    options?: { readonly times?: number | undefined }
  ) => Effect.Effect<void>
}

/**
 * @since 0.1.0
 * @category tags
 */
export const MockApns: Context.Tag<MockApns, MockApns> = Context.GenericTag<MockApns>("@effect-apns/testing/MockApns")

/**
 * The mock could not listen, or its inbox not be shown.
 *
 * @since 0.1.0
 * @category errors
 */
export class MockApnsError extends Schemas.taggedError<MockApnsError>()("MockApnsError", () => ({
  host: Schema.String,
  port: Schema.Int,
  cause: Schema.optional(Schema.Defect),
  /** What failed, where it was not the listening. */
  description: Schema.optional(Schema.String)
})) {
  override get message(): string {
    if (this.description !== undefined) return this.description
    const why = this.cause instanceof Error ? this.cause.message : String(this.cause)
    return `The mock APNs cannot listen on ${this.host}, port ${this.port}: ${why}; leave out \`port\` to get a free one`
  }
}

/**
 * How the mock is set up. Every field may be left out.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Defaults to a free port. */
  readonly port?: number | undefined
  /** Defaults to loopback: `127.0.0.1`, and `::1` where there is one. */
  readonly host?: string | undefined
  /**
   * The certificate to show and the authority that signed it, PEM. Defaults to throw-away ones. The key is PKCS #8 or
   * SEC 1.
   */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca: string } | undefined

  /** What it wants to see: a provider token, a client certificate, either (the default), or nothing at all. */
  readonly auth?: "token" | "certificate" | "any" | "none" | undefined
  /** `"development"` (the default) adds `apns-unique-id` to answers. */
  readonly environment?: "development" | "production" | undefined
  /** The key of `credentials`. Defaults to a fresh one. */
  readonly key?: ProviderKey.ProviderKey | undefined
  /** The bundle IDs or topics that may be sent to; others get TopicDisallowed. Defaults to all. */
  readonly topics?: ReadonlyArray<string> | undefined
  /**
   * The least time between two provider tokens on one connection, less gets TooManyProviderTokenUpdates. Defaults to 20
   * minutes (Apple: "Establishing a token-based connection to APNs"). A token that the mock itself called expired does
   * not count.
   */
  readonly tokenUpdateInterval?: TimeSpan.TimeSpan | undefined
  /** The greatest age of a provider token, more gets ExpiredProviderToken. Defaults to 60 minutes (same page). */
  readonly tokenLifetime?: TimeSpan.TimeSpan | undefined
  /** Which clock tells the age of tokens and measures delays: the wall's (the default) or the current `Clock`. */
  readonly clock?: "live" | "current" | undefined
  /** Broadcast channels for each bundle ID. Defaults to 10,000 (Apple: "Handling error responses from APNs"). */
  readonly maxChannels?: number | undefined
  /** The bundle IDs with the broadcast capability; others get FeatureNotEnabled. Defaults to all. */
  readonly broadcastEnabled?: ReadonlyArray<string> | undefined

  /** SETTINGS_MAX_CONCURRENT_STREAMS. Defaults to 1000, as APNs was seen to send. */
  readonly maxConcurrentStreams?: number | undefined
  /** The rest of the first SETTINGS. Defaults to what APNs was seen to send: 4096, 65,535, 16,384 and 8,000. */
  readonly settings?: Settings | undefined
  /** Allow one stream until a request with a valid provider token was accepted, as Apple documents. Defaults to `false`. */
  readonly oneStreamUntilAuthenticated?: boolean | undefined
  /** Process and answer each request this much later. Defaults to at once. */
  readonly delay?: TimeSpan.TimeSpan | undefined

  /** `false` counts requests without keeping them. Defaults to `true`. */
  readonly record?: boolean | undefined
  /** How many requests are kept. Defaults to 100,000, the latest. */
  readonly maxReceived?: number | undefined
  /** Called with each request when it was processed, before its answer leaves; it must be quick. What it throws is logged. */
  readonly onReceived?: ((received: Received) => void) | undefined
  /**
   * Called with each request as soon as its headers arrived, with the behavior that `next` planned for it; the request's
   * body, outcome and `time` come later, in the same object. It must be quick. What it returns
   * decides where `next` planned nothing; `undefined` leaves the decision to `script`. If it throws, that is logged, and the
   * request gets `InternalServerError`.
   *
   * @since 1.0.0
   */
  readonly onRequest?: ((request: Received, planned: Behavior | undefined) => Behavior | undefined) | undefined
  /**
   * Called with each request whose stream ended before the request was processed: the client cancelled it, the connection
   * is gone, or a fault took it. It must be quick. What it throws is logged.
   *
   * @since 1.0.0
   */
  readonly onLost?: ((request: Received) => void) | undefined
  /**
   * Show what is received on a page in the browser, as `apns inbox` does: `MockApns.inbox` says where. Needs
   * `@effect-apns/inbox`, `@effect/platform` and `@effect/platform-node` installed, which are loaded only then.
   * `port` defaults to a free one, `keep` to the newest 10,000 pushes, `topic` (what the page proposes to send to) to
   * {@link bundleId}. Defaults to `false`.
   *
   * @since 1.0.0
   */
  readonly inbox?:
    | boolean
    | {
      readonly port?: number | undefined
      readonly keep?: number | undefined
      readonly topic?: string | undefined
    }
    | undefined
}

/**
 * The bundle ID of the mock's ready-made client certificate.
 *
 * @since 0.1.0
 * @category constants
 */
export const bundleId = "com.example.app"

const present = (settings: Settings): Record<string, number> => {
  const given: Record<string, number> = {}
  for (const [name, value] of Object.entries(settings)) if (typeof value === "number") given[name] = value
  return given
}

const millisOfSpan = (option: string, given: TimeSpan.TimeSpan): number =>
  Duration.toMillis(spanOf(`The option \`${option}\` of MockApns`, given))

const millisOf = (at: DateTime.DateTime | number): number => typeof at === "number" ? at : DateTime.toEpochMillis(at)

/**
 * Starts a mock that stops with the scope, and leaves nothing open.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): Effect.Effect<MockApns, MockApnsError, Scope.Scope> =>
  Effect.gen(function*() {
    const runtime = yield* Effect.runtime<never>()
    const clock = options.clock === "current" ? yield* Effect.clock : Clock.make()
    const timeline = new Timeline(clock)
    // a logger may throw
    const report = (message: string, cause: Cause.Cause<unknown>): void => {
      Runtime.runFork(runtime)(Effect.catchAllCause(Effect.logError(message, cause), () => Effect.void))
    }
    const authority = yield* Certificates.makeAuthority()
    const untrusted = yield* Certificates.makeAuthority({ commonName: "an authority that nobody trusts" })
    const credentials = options.key ?? (yield* ProviderKey.make())
    const keys = new Authority()
    keys.trust(credentials, undefined)
    const channels = new Channels(
      options.maxChannels ?? 10_000,
      options.broadcastEnabled === undefined ? undefined : new Set(options.broadcastEnabled)
    )
    const dead = new Map<string, DeadToken>()
    const tokenTopics = new Map<string, string>()
    const usual = options.tls ?? authority.server()
    const maxConcurrentStreams = options.maxConcurrentStreams ?? options.settings?.maxConcurrentStreams ?? 1000
    const settings = {
      headerTableSize: 4096,
      initialWindowSize: 65_535,
      maxFrameSize: 16_384,
      maxHeaderListSize: 8000,
      ...present(options.settings ?? {}),
      maxConcurrentStreams: options.oneStreamUntilAuthenticated === true ? 1 : maxConcurrentStreams
    }
    const host = options.host ?? "127.0.0.1"
    const noInbox = (description: string): MockApnsError =>
      new MockApnsError({ host, port: options.port ?? 0, cause: undefined, description })
    const attached = options.inbox === undefined || options.inbox === false
      ? undefined
      : yield* Effect.mapError(inboxes.attach(options.inbox === true ? {} : options.inbox), noInbox)
    const server = new MockServer({
      rules: {
        auth: options.auth ?? "any",
        environment: options.environment ?? "development",
        authority: keys,
        channels,
        topics: options.topics === undefined ? undefined : new Set(options.topics),
        tokenUpdateMillis: millisOfSpan("tokenUpdateInterval", options.tokenUpdateInterval ?? "20 minutes"),
        tokenLifetimeMillis: millisOfSpan("tokenLifetime", options.tokenLifetime ?? "60 minutes"),
        dead,
        tokenTopics,
        expiredTokens: new Set(),
        now: () => timeline.now()
      },
      settings,
      maxConcurrentStreams,
      oneStreamUntilAuthenticated: options.oneStreamUntilAuthenticated ?? false,
      maxRecorded: options.record === false ? 0 : options.maxReceived ?? 100_000,
      onReceived: attached === undefined ? options.onReceived : (received) => {
        options.onReceived?.(received)
        attached.onReceived(received)
      },
      onLost: attached === undefined ? options.onLost : (request) => {
        options.onLost?.(request)
        attached.onLost(request)
      },
      onRequest: attached === undefined ? options.onRequest : (request, planned) => {
        const decided = planned ?? options.onRequest?.(request, planned)
        return attached.onRequest(request, decided) ?? decided
      },
      clientCa: authority.ca,
      certificateFor: (fault) => {
        switch (fault) {
          case "untrusted":
            return untrusted.server()
          case "wrongHost":
            return authority.server({ hosts: ["elsewhere.example.com"] })
          case "expired":
            return authority.server({ validity: "expired" })
          default:
            return { cert: usual.cert, key: usual.key }
        }
      },
      timeline,
      report: (message, defect) => report(message, Cause.die(defect))
    })
    server.delayMillis = millisOfSpan("delay", options.delay ?? Duration.zero)
    const listen = (port: number): Effect.Effect<void, MockApnsError> =>
      Effect.tryPromise({
        try: () => server.listen(port, options.host),
        catch: (cause) => new MockApnsError({ host, port, cause })
      })
    yield* Effect.addFinalizer(() => Effect.promise(() => server.close()))
    yield* listen(options.port ?? 0)
    const { port } = server
    const origin = `https://localhost:${port}`
    const endpoint = Either.getOrThrow(Endpoint.make(origin))

    const mock: MockApns = {
      [TypeId]: TypeId,
      endpoint,
      origin,
      host,
      port,
      ca: options.tls?.ca ?? authority.ca,
      credentials,
      clientCertificate: authority.client({
        bundleId,
        topics: [bundleId, `${bundleId}.voip`, `${bundleId}.complication`]
      }),
      authority,
      inbox: undefined,
      issueKey: (issue) =>
        Effect.tap(ProviderKey.make(issue), (key) => Effect.sync(() => keys.trust(key, issue?.topics))),
      revokeKey: (keyId) => Effect.sync(() => keys.revoke(keyId)),
      unregister: (token, gone) =>
        Effect.sync(() => {
          dead.set(token.toLowerCase(), {
            reason: gone?.reason ?? "Unregistered",
            timestamp: gone?.at === undefined ? timeline.now() : millisOf(gone.at)
          })
        }),
      rejectToken: (token) =>
        Effect.sync(() => {
          dead.set(token.toLowerCase(), { reason: "BadDeviceToken", timestamp: undefined })
        }),
      bindToken: (token, topic) =>
        Effect.sync(() => {
          tokenTopics.set(token.toLowerCase(), topic)
        }),
      createChannel: (bundle, storagePolicy) => Effect.sync(() => channels.create(bundle, storagePolicy ?? 0).id),
      received: Effect.sync(() => server.received.slice(-(options.maxReceived ?? 100_000))),
      receivedCount: Effect.sync(() => server.totals().received),
      acceptedCount: Effect.sync(() => server.totals().accepted),
      stats: Effect.sync(() => server.totals()),
      connections: Effect.sync(() => server.infos()),
      clear: Effect.sync(() => server.clear()),
      until: (ready) =>
        Effect.async<void>((resume) => {
          const giveUp = server.wait(ready, () => resume(Effect.void), (defect) => resume(Effect.die(defect)))
          return Effect.sync(giveUp)
        }),
      next: (...behaviors) =>
        Effect.sync(() => {
          for (const behavior of behaviors) behaviorOf(behavior, "What MockApns.next was given")
          server.queue.push(...behaviors)
        }),
      script: (decide) =>
        Effect.sync(() => {
          server.script = decide === undefined ? undefined : (request, decided) => {
            Runtime.runCallback(runtime)(
              Effect.suspend(() => {
                const decision = decide(request)
                return Effect.isEffect(decision) ? decision : Effect.succeed(decision)
              }).pipe(Effect.map((decision) => behaviorOf(decision, "What the script has returned"))),
              {
                onExit: (exit) => {
                  if (Exit.isSuccess(exit)) return decided(exit.value)
                  report("The script of the mock APNs failed", exit.cause)
                  decided(internalServerError)
                }
              }
            )
          }
        }),
      delay: (duration) =>
        Effect.sync(() => {
          server.delayMillis = millisOfSpan("delay", duration)
        }),
      goaway: (goaway) =>
        Effect.sync(() => {
          const debug = goaway?.debug ??
            (goaway?.reason === undefined ? "" : JSON.stringify({ reason: goaway.reason }))
          for (const connection of server.select(goaway?.connection)) {
            const last = goaway?.lastStreamId === undefined || goaway.lastStreamId === "current"
              ? connection.lastStreamId
              : goaway.lastStreamId === "none"
              ? 0
              : goaway.lastStreamId
            connection.goaway(
              last,
              goaway?.code ?? ErrorCode.NO_ERROR,
              debug,
              goaway?.close === true ? () => connection.duplex.cut(false) : undefined
            )
          }
        }),
      dropConnections: (drop) =>
        Effect.sync(() => {
          for (const connection of server.select(drop?.connection)) connection.duplex.cut(drop?.reset ?? false)
        }),
      settings: (changed, where) => Effect.sync(() => server.updateSettings(present(changed), where?.connection)),
      ping: (where) =>
        Effect.sync(() => {
          for (const connection of server.select(where?.connection)) {
            if (connection.session?.destroyed === false) connection.session.ping(() => {})
          }
        }),
      answerPings: (on) =>
        Effect.sync(() => {
          server.muffled = !on
          for (const connection of server.select(undefined)) connection.duplex.muffled = !on
        }),
      updateWindows: (on) =>
        Effect.sync(() => {
          server.windowsHeld = !on
          for (const connection of server.select(undefined)) {
            connection.duplex.setWindowsHeld(!on)
          }
        }),
      acknowledgeSettings: (on) =>
        Effect.sync(() => {
          server.settingsAckHeld = !on
        }),
      trickle: (pace) =>
        Effect.sync(() => {
          server.pace = pace === undefined
            ? undefined
            : {
              bytes: Math.max(1, Math.floor(pace.bytes)),
              everyMillis: millisOfSpan("every", pace.every ?? Duration.zero)
            }
          for (const connection of server.select(undefined)) connection.duplex.pace = server.pace
        }),
      freeze: (on, where) => Effect.sync(() => server.freeze(on, where?.connection)),
      write: (bytes, where) =>
        Effect.sync(() => {
          for (const connection of server.select(where?.connection)) connection.duplex.inject(bytes)
        }),
      refuseConnections: (on) =>
        Effect.suspend(() =>
          on
            ? Effect.sync(() => server.stopListening())
            : server.listening
            ? Effect.void
            : listen(port)
        ),
      failTls: (fault, how) => Effect.sync(() => server.failTls(fault, how?.times ?? Infinity))
    }
    if (attached === undefined) return mock
    const { port: pagePort, url } = yield* Effect.mapError(attached.start(mock), ({ message }) => noInbox(message))
    return { ...mock, inbox: { url, port: pagePort } }
  })

/**
 * A mock as a layer: it starts with the layer and stops with its scope.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options?: Options): Layer.Layer<MockApns, MockApnsError> => Layer.scoped(MockApns, make(options))

/**
 * How {@link layerPool} is set up: everything that a pool takes but where it connects to, and the mock's own options
 * under `mock`.
 *
 * @since 0.1.0
 * @category models
 */
export interface PoolOptions extends Omit<ApnsPool.Resolved, "endpoint" | "credentials" | "ca"> {
  /** Defaults to the mock's `credentials`. */
  readonly credentials?: ApnsPool.Resolved["credentials"] | undefined
  readonly mock?: Options | undefined
}

/**
 * A mock and a pool of connections to it: what a test of code that sends needs. `topic` defaults to {@link bundleId}.
 *
 * Provide it to tests on the live clock (`it.scopedLive`): a real server does not know `TestClock`. For a pool without
 * a socket there is `ApnsPool.layerTest`.
 *
 * @example
 * ```ts
 * import { Notification } from "@effect-apns/models"
 * import { send } from "@effect-apns/pool"
 * import { MockApns } from "@effect-apns/testing"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const apns = yield* MockApns.MockApns
 *   yield* apns.next(MockApns.refuseStream)
 *   const receipt = yield* send({
 *     token: "0123456789abcdef",
 *     notification: Notification.alert({ alert: { title: "Lunch" } })
 *   })
 *   const received = yield* apns.received
 *   return { attempts: receipt.attempts, received: received.length } // 2 and 1
 * }).pipe(Effect.provide(MockApns.layerPool({ size: 2 })))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerPool = (
  options: PoolOptions = {}
): Layer.Layer<
  MockApns | ApnsPool.ApnsPool,
  MockApnsError | ApnsPool.InvalidPoolOptions | Credentials.CredentialsError
> => {
  const { mock, ...pool } = options
  return Layer.provideMerge(
    Layer.unwrapEffect(Effect.gen(function*() {
      const apns = yield* MockApns
      const { key, keyId, teamId } = apns.credentials
      const credentials = pool.credentials ??
        (yield* Credentials.token({ key: Redacted.make(key), keyId, teamId }))
      return ApnsPool.layer({ topic: bundleId, ...pool, endpoint: apns.endpoint, ca: apns.ca, credentials })
    })),
    layer(mock)
  )
}
