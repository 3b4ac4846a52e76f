/**
 * Broadcast channels: create, read, list and delete those of an app.
 *
 * Channel management has its own hosts and ports (Apple, "Sending channel management requests to APNs"); they are
 * derived from the endpoint, see {@link endpointOf}. Channels belong to one environment: those of the sandbox do not exist in
 * production. An app has at most 10,000 in each.
 *
 * @example
 * ```ts
 * import { NodeContext } from "@effect/platform-node"
 * import { Credentials, Endpoint } from "@effect-apns/core"
 * import { Channels } from "@effect-apns/pool"
 * import { Effect } from "effect"
 *
 * const ChannelsLive = Channels.layer({
 *   endpoint: Endpoint.development,
 *   credentials: Credentials.token({ keyFile: "AuthKey_ABC123DEFG.p8", keyId: "ABC123DEFG", teamId: "DEF123GHIJ" }),
 *   bundleId: "com.example.app"
 * })
 *
 * const program = Effect.gen(function*() {
 *   const channels = yield* Channels.Channels
 *   const { channelId } = yield* channels.create({ messageStoragePolicy: "most-recent-message-stored" })
 *   const { messageStoragePolicy } = yield* channels.read({ channelId })
 *   const { channelIds } = yield* channels.list()
 *   yield* channels.delete({ channelId })
 *   return { channelIds, messageStoragePolicy }
 * }).pipe(Effect.provide(ChannelsLive), Effect.provide(NodeContext.layer))
 * console.log(Effect.isEffect(program))
 * ```
 *
 * @since 0.1.0
 */
import type { Credentials } from "@effect-apns/core"
import { Endpoint, Failure, Request, Response } from "@effect-apns/core"
import * as UnstableConnection from "@effect-apns/core/unstable/Connection"
import type { TimeSpan } from "@effect-apns/models"
import { Channel, ChannelId, MessageStoragePolicy, Rejection, Topic } from "@effect-apns/models"
import * as Schemas from "@effect-apns/models/unstable/Schemas"
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Equal from "effect/Equal"
import * as Layer from "effect/Layer"
import type * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as ApnsPool from "./ApnsPool.js"
import { copyOptions } from "./internal/apnsPool.js"
import * as calls from "./internal/call.js"
import * as checks from "./internal/options.js"
import * as PoolConfig from "./PoolConfig.js"

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: TypeId = "~@effect-apns/pool/Channels"

/**
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = "~@effect-apns/pool/Channels"

/**
 * What every request to channel management can say.
 *
 * @since 0.1.0
 * @category models
 */
export interface RequestOptions {
  /** The app's bundle ID, without the suffix of a push type. Default: the service's. */
  readonly bundleId?: string | undefined
  /** `apns-request-id`, a UUID. Default: APNs makes one. */
  readonly requestId?: string | undefined
  /** How long to wait for the answer. Default 10 seconds. */
  readonly timeout?: TimeSpan.TimeSpan | undefined
}

/**
 * A request about one channel.
 *
 * @since 0.1.0
 * @category models
 */
export interface ChannelOptions extends RequestOptions {
  readonly channelId: string
}

/**
 * A request for a new channel.
 *
 * @since 0.1.0
 * @category models
 */
export interface CreateOptions extends RequestOptions {
  /** Whether APNs keeps the last message for devices that are offline. It never changes. */
  readonly messageStoragePolicy: MessageStoragePolicy.MessageStoragePolicy
}

/**
 * What every answer of channel management says.
 *
 * @since 0.1.0
 * @category models
 */
export interface Answer {
  /** `apns-request-id`: the one that was sent, or the one that APNs made. Apple's support asks for it. */
  readonly requestId: string
}

/**
 * A channel that was just created.
 *
 * @since 0.1.0
 * @category models
 */
export interface Created extends Answer {
  readonly channelId: ChannelId.ChannelId
}

/**
 * What APNs says of a channel.
 *
 * @since 0.1.0
 * @category models
 */
export interface Found extends Answer, Channel.Channel {}

/**
 * The channels of an app.
 *
 * @since 0.1.0
 * @category models
 */
export interface Listed extends Answer {
  readonly channelIds: ReadonlyArray<ChannelId.ChannelId>
}

/**
 * Everything that can go wrong with channel management: one tagged error for each reason that APNs gives
 * (`CannotCreateChannelConfig`, `ChannelNotRegistered`, `FeatureNotEnabled`, ...), the failures of a pool, and
 * `ParseError` for an option, whose path it names, that APNs does not take.
 *
 * @since 0.1.0
 * @category errors
 */
export type ChannelsError = Failure.PoolError | Rejection.Of<"channels"> | ParseResult.ParseError

/**
 * The Schema of {@link ChannelsError}.
 *
 * @since 1.0.0
 * @category schemas
 */
export const ChannelsError: Schema.Schema<
  ChannelsError,
  Schema.Schema.Encoded<typeof Failure.PoolError> | Rejection.Encoded | Schemas.ParseErrorEncoded
> = Schema.suspend(() => Schema.Union(Failure.PoolError, Rejection.of("channels"), Schemas.ParseError))

const reject = Rejection.makeOf("channels")

/**
 * @since 0.1.0
 * @category models
 */
export interface Channels {
  readonly [TypeId]: TypeId

  /**
   * Makes a channel. The request is never repeated where APNs may have processed the first one: look for the channel with
   * `list` after a failure with `processed: "unknown"`.
   */
  readonly create: (options: CreateOptions) => Effect.Effect<Created, ChannelsError>

  /** What APNs knows of a channel. Fails with `ChannelNotRegistered` where there is none in this environment. */
  readonly read: (options: ChannelOptions) => Effect.Effect<Found, ChannelsError>

  /** All channels of an app, at most 10,000. */
  readonly list: (options?: RequestOptions) => Effect.Effect<Listed, ChannelsError>

  /** Deletes a channel. Fails with `ChannelNotRegistered` where there is none in this environment. */
  readonly delete: (options: ChannelOptions) => Effect.Effect<Answer, ChannelsError>
}

/**
 * How channel management is reached: everything that a pool takes. `size` defaults to 1 connection.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<out CE = never, out CR = never, out PE = never, out PR = never>
  extends Omit<ApnsPool.Options<CE, CR, PE, PR>, "topic">
{
  /** The app's bundle ID, for requests that do not name one. */
  readonly bundleId?: string | undefined
}

/**
 * @since 0.1.0
 * @category tags
 */
export const Channels: Context.Tag<Channels, Channels> = Context.GenericTag<Channels>("@effect-apns/pool/Channels")

/**
 * The largest list of channels that is read, in bytes: 10,000 ids of 400 characters.
 *
 * @since 0.1.0
 * @category constants
 */
export const maxBodySize = 4_194_304

const managementOf: ReadonlyArray<readonly [Endpoint.Endpoint, Endpoint.Endpoint]> = [
  [Endpoint.production, Endpoint.manageProduction],
  [Endpoint.productionAltPort, Endpoint.manageProduction],
  [Endpoint.broadcastProduction, Endpoint.manageProduction],
  [Endpoint.development, Endpoint.manageDevelopment],
  [Endpoint.developmentAltPort, Endpoint.manageDevelopment],
  [Endpoint.broadcastDevelopment, Endpoint.manageDevelopment]
]

/**
 * Where the channels of an endpoint are managed: `Endpoint.manageProduction` for Apple's production hosts,
 * `Endpoint.manageDevelopment` for those of the sandbox, the endpoint itself for any other, such as a mock.
 *
 * Source: Apple, "Sending channel management requests to APNs".
 *
 * @since 0.1.0
 * @category accessors
 */
export const endpointOf = (endpoint: Endpoint.Endpoint): Endpoint.Endpoint =>
  managementOf.find(([from]) => Equal.equals(from, endpoint))?.[1] ?? endpoint

const decodeBundleId = checks.decoder("bundleId", () => Topic.Topic)
const decodeChannelId = checks.decoder("channelId", () => ChannelId.ChannelId)
const decodePolicy = checks.decoder(
  "messageStoragePolicy",
  () => Schema.typeSchema(MessageStoragePolicy.MessageStoragePolicy)
)
const names = ["bundleId", "channelId", "messageStoragePolicy", "requestId", "timeout"]

const bodyOf = (
  messageStoragePolicy: MessageStoragePolicy.MessageStoragePolicy
): Either.Either<Uint8Array, ParseResult.ParseError> =>
  Either.map(
    decodePolicy(messageStoragePolicy),
    (messageStoragePolicy) =>
      encoder.encode(JSON.stringify(Schema.encodeSync(Channel.Channel)({ messageStoragePolicy })))
  )

interface Asking {
  readonly operation: "create channel" | "read channel" | "list channels" | "delete channel"
  readonly method: "GET" | "POST" | "DELETE"
  readonly resource: "channels" | "all-channels"
  readonly retransmit: Request.Retransmit
  readonly options: RequestOptions & { readonly channelId?: string | undefined }
  readonly messageStoragePolicy?: (() => MessageStoragePolicy.MessageStoragePolicy) | undefined
}

const noBody = new Uint8Array(0)
const encoder = new TextEncoder()

const requestOf = (
  asking: Asking,
  defaultBundleId: string | undefined
): Either.Either<Request.Request, ParseResult.ParseError> =>
  Either.gen(function*() {
    const { options } = asking
    const bundleId = yield* decodeBundleId(options.bundleId === undefined ? defaultBundleId : options.bundleId)
    const extra: Array<string> = []
    if (asking.operation === "read channel" || asking.operation === "delete channel") {
      extra.push("apns-channel-id", yield* decodeChannelId(options.channelId))
    }
    yield* calls.pushRequestId(extra, options.requestId)
    return Request.fromSpec(`/1/apps/${bundleId}/${asking.resource}`, {
      head: Request.head(asking.method, []),
      extra: extra.length === 0 ? undefined : extra,
      body: asking.messageStoragePolicy === undefined ? noBody : yield* bodyOf(asking.messageStoragePolicy()),
      timeoutMillis: yield* checks.timeoutMillis(options.timeout),
      deadlineMillis: Infinity,
      expirationMillis: Infinity,
      collapsible: false,
      retransmit: asking.retransmit
    })
  })

const decodeChannel = (text: string) => Schema.decodeUnknownEither(Schema.parseJson(Channel.Channel))(text)
const decodeList = (text: string) => Schema.decodeUnknownEither(Schema.parseJson(Channel.List))(text)
const utf8 = new TextDecoder("utf-8", { fatal: true })

const read = <A>(
  response: Response.Response,
  decode: (text: string) => Either.Either<A, ParseResult.ParseError>
): Effect.Effect<A, ChannelsError> => {
  let text: string
  try {
    text = utf8.decode(response.body ?? noBody)
  } catch {
    return Effect.fail(calls.malformed(response, "its body is not UTF-8"))
  }
  const decoded = decode(text)
  return Either.isRight(decoded)
    ? Effect.succeed(decoded.right)
    : Effect.fail(calls.malformed(response, decoded.left.message))
}

/**
 * Channel management over a pool of your own, for example one that is connected to a mock.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromPool = (
  pool: ApnsPool.ApnsPool,
  /** Default: the pool's topic. */
  bundleId: string | undefined = pool.topic
): Channels => {
  const ask = (asking: Asking): Effect.Effect<Response.Response, ChannelsError> =>
    Effect.suspend((): Effect.Effect<Response.Response, ChannelsError> => {
      const request = checks.reading(asking.options, names, () => requestOf(asking, bundleId))
      return Either.isLeft(request)
        ? Effect.fail(request.left)
        : calls.call(pool, asking.operation, asking.options.bundleId ?? bundleId ?? "", request.right, reject)
    })
  const answer = (response: Response.Response): Answer => ({ requestId: calls.requestIdOf(response) ?? "" })
  return {
    [TypeId]: TypeId,
    create: (options) =>
      Effect.flatMap(
        ask({
          operation: "create channel",
          method: "POST",
          resource: "channels",
          retransmit: "never",
          options,
          messageStoragePolicy: () => options.messageStoragePolicy
        }),
        (response): Effect.Effect<Created, ChannelsError> => {
          const id = Response.header(response.headers, "apns-channel-id")
          return ChannelId.is(id)
            ? Effect.succeed({ channelId: id, ...answer(response) })
            : Effect.fail(calls.malformed(response, "it created a channel and does not say which"))
        }
      ),
    read: (options) =>
      Effect.flatMap(
        ask({
          operation: "read channel",
          method: "GET",
          resource: "channels",
          retransmit: "always",
          options
        }),
        (response) => Effect.map(read(response, decodeChannel), (channel) => ({ ...channel, ...answer(response) }))
      ),
    list: (options = {}) =>
      Effect.flatMap(
        ask({ operation: "list channels", method: "GET", resource: "all-channels", retransmit: "always", options }),
        (response) =>
          Effect.map(read(response, decodeList), ({ channels }) => ({ channelIds: channels, ...answer(response) }))
      ),
    delete: (options) =>
      Effect.map(
        ask({
          operation: "delete channel",
          method: "DELETE",
          resource: "channels",
          retransmit: "never",
          options
        }),
        answer
      )
  }
}

/**
 * Channel management over its own connections, which are open as long as the scope. The endpoint may be the one that
 * notifications go to: see {@link endpointOf}.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <CE = never, CR = never, PE = never, PR = never>(
  options: Options<CE, CR, PE, PR>
): Effect.Effect<
  Channels,
  ApnsPool.InvalidPoolOptions | Credentials.CredentialsError | CE | PE,
  Scope.Scope | CR | PR
> =>
  Effect.flatMap(copyOptions(options), (copied) =>
    Effect.map(
      ApnsPool.make({
        ...copied,
        // what is no endpoint is refused there
        endpoint: UnstableConnection.peek(() => Endpoint.isEndpoint(copied.endpoint)) === true
          ? endpointOf(copied.endpoint)
          : copied.endpoint,
        size: copied.size ?? 1,
        // limits that are no object, or cannot be read, are refused there
        limits: Either.match(UnstableConnection.copyOptions(copied.limits ?? {}), {
          onLeft: () => copied.limits,
          onRight: (limits) => ({ maxBodySize, ...limits })
        })
      }),
      (pool) => fromPool(pool, copied.bundleId)
    ))

/**
 * {@link make} as a Layer.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <CE = never, CR = never, PE = never, PR = never>(
  options: Options<CE, CR, PE, PR>
): Layer.Layer<Channels, ApnsPool.InvalidPoolOptions | Credentials.CredentialsError | CE | PE, CR | PR> =>
  Layer.scoped(Channels, make(options))

/**
 * {@link layer} whose options come from configuration values, each from where you keep it. For the variables that this
 * library names itself see {@link layerFromEnv}.
 *
 * @since 1.0.0
 * @category layers
 */
export const layerConfig = <CE = never, CR = never, PE = never, PR = never>(
  config: Config.Config.Wrap<Options<CE, CR, PE, PR>>
): Layer.Layer<
  Channels,
  ApnsPool.InvalidPoolOptions | Credentials.CredentialsError | CE | PE | ConfigError.ConfigError,
  CR | PR
> => Layer.scoped(Channels, Effect.flatMap(Config.unwrap(config), (options) => make(options)))

/**
 * Channel management as the environment describes it, by the variables that `PoolConfig` lists; `APNS_TOPIC` is the
 * bundle ID. `APNS_POOL_SIZE` is for pools: channel management opens one connection unless `options` says otherwise.
 * What `options` holds takes the place of the variable.
 *
 * @since 1.0.0
 * @category layers
 */
export const layerFromEnv = (
  options: Partial<Omit<ApnsPool.Resolved, "topic">> & Pick<Options, "bundleId"> = {}
): Layer.Layer<
  Channels,
  ConfigError.ConfigError | Credentials.CredentialsError | ApnsPool.InvalidPoolOptions,
  FileSystem.FileSystem
> =>
  Layer.scoped(
    Channels,
    Effect.flatMap(
      copyOptions(options),
      ({ bundleId, ...copied }) =>
        Effect.flatMap(
          PoolConfig.options({ size: 1, ...copied }),
          ({ topic, ...found }) => make({ ...found, bundleId: bundleId ?? topic })
        )
    )
  )

/**
 * Channel management over the `ApnsPool` of the context: {@link fromPool} as a Layer.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerWithoutPool: Layer.Layer<Channels, never, ApnsPool.ApnsPool> = Layer.effect(
  Channels,
  Effect.map(ApnsPool.ApnsPool, (pool) => fromPool(pool))
)
