/**
 * Broadcasts: one request updates the Live Activities of every device that listens to a channel.
 *
 * Channels are made, and deleted, by `Channels`. Broadcasts go to the same hosts as notifications (Apple's page also
 * shows separate hosts: `Endpoint.broadcastProduction`, `Endpoint.broadcastDevelopment`), so the pool that sends
 * notifications sends broadcasts too.
 *
 * @example
 * ```ts
 * import { Notification } from "@effect-apns/models"
 * import { Broadcast } from "@effect-apns/pool"
 * import { Console, Effect } from "effect"
 *
 * const goal = Broadcast.send({
 *   bundleId: "com.example.app",
 *   channelId: "dHN0LXNyY2gtY2hubA==",
 *   notification: Notification.liveActivity.update({
 *     timestamp: 1704067200,
 *     contentState: { home: 1, away: 0 }
 *   }),
 *   priority: 10,
 *   expiration: "none"
 * }).pipe(
 *   Effect.tap(({ requestId }) => Console.log(`broadcast ${requestId}`)),
 *   Effect.catchTag("ChannelNotRegistered", () => Console.log("forget the channel, it is gone"))
 * )
 * console.log(Effect.isEffect(goal))
 * ```
 *
 * @since 0.1.0
 */
import { Failure, Request } from "@effect-apns/core"
import type { Expiration, TimeSpan } from "@effect-apns/models"
import { ChannelId, Notification, Priority, Rejection, Topic } from "@effect-apns/models"
import * as Schemas from "@effect-apns/models/unstable/Schemas"
import type * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { identity } from "effect/Function"
import type * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type * as AST from "effect/SchemaAST"
import * as ApnsPool from "./ApnsPool.js"
import * as calls from "./internal/call.js"
import * as checks from "./internal/options.js"

/**
 * What to broadcast, and on which channel (Apple: "Sending broadcast push notification requests to APNs").
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The app's bundle ID, without the suffix of a push type. Default: the pool's topic. */
  readonly bundleId?: string | undefined
  /** The channel, by the id that APNs gave it. */
  readonly channelId: string
  /** An update or the end of a Live Activity, at most 5120 bytes: a broadcast cannot start one. */
  readonly notification: Notification.Broadcast
  /** `apns-priority`, which APNs requires here. Default 10, as for other notifications. */
  readonly priority?: Priority.Priority | undefined
  /**
   * `apns-expiration`, which APNs requires here: `"none"`, the only value for a channel that stores no
   * message, or until when APNs may keep the message for devices that are offline.
   */
  readonly expiration: Expiration.Expiration
  /** `apns-request-id`, a UUID. Default: APNs makes one. */
  readonly requestId?: string | undefined
  /** How long to wait for the answer. Waiting for a free stream does not count. Default 10 seconds. */
  readonly timeout?: TimeSpan.TimeSpan | undefined
  /** Absolute time after which it fails with `Timeout`, whether queued, retrying or in flight. Default: none. */
  readonly deadline?: DateTime.DateTime | Date | undefined
  /**
   * Whether to send again when it is not known whether APNs has processed it. Default: as the pool is set up; `"collapsible"`
   * does not, since broadcasts have no `apns-collapse-id`.
   */
  readonly retransmit?: Request.Retransmit | undefined
}

/**
 * How a {@link Receipt} is stored.
 *
 * @since 1.0.0
 * @category models
 */
export interface Encoded {
  readonly requestId: string
  readonly uniqueId: string | undefined
  readonly attempts: number
}

const variance: Schema.Schema.Variance<Receipt, Encoded, never>[typeof Schema.TypeId] = {
  _A: identity,
  _I: identity,
  _R: identity
}

/**
 * What APNs says of a broadcast that it accepted (Apple: "Sending broadcast push notification requests to APNs").
 *
 * @since 0.1.0
 * @category models
 */
export class Receipt {
  constructor(
    /** `apns-request-id`: the one that was sent, or the one that APNs made. */
    readonly requestId: string,
    /** `apns-unique-id`: the key to the Delivery Log of Apple's Push Notifications Console. */
    readonly uniqueId: string | undefined,
    /** How many times the request was sent. 1 unless the pool had to repeat it. */
    readonly attempts: number
  ) {}

  /** The class is also its Schema: a receipt can be stored as JSON and comes back as a `Receipt`. */
  static readonly [Schema.TypeId] = variance
  declare static readonly Type: Receipt
  declare static readonly Encoded: Encoded
  declare static readonly Context: never
  static readonly pipe = Schema.String.pipe
  static get ast(): AST.AST {
    return Schemas.astOf(
      this,
      "Receipt",
      () =>
        Schema.Struct({
          requestId: Schema.String,
          uniqueId: Schema.UndefinedOr(Schema.String),
          attempts: Schema.Number
        }),
      (input) => input instanceof this,
      ({ attempts, requestId, uniqueId }: Encoded) => new this(requestId, uniqueId, attempts)
    )
  }
  static annotations(annotations: Schema.Annotations.GenericSchema<Receipt>): Schema.Schema<Receipt, Encoded> {
    return Schema.make<Receipt, Encoded>(this.ast).annotations(annotations)
  }
}

/**
 * Everything that can go wrong with a broadcast: as `SendError`, with the reasons that APNs gives a broadcast
 * (`ChannelNotRegistered`, `FeatureNotEnabled`, ...) in place of those for a device.
 *
 * @since 1.0.0
 * @category errors
 */
export type BroadcastError = Failure.PoolError | Rejection.Of<"broadcast"> | ParseResult.ParseError

/**
 * The Schema of {@link BroadcastError}.
 *
 * @since 1.0.0
 * @category schemas
 */
export const BroadcastError: Schema.Schema<
  BroadcastError,
  Schema.Schema.Encoded<typeof Failure.PoolError> | Rejection.Encoded | Schemas.ParseErrorEncoded
> = Schema.suspend(() => Schema.Union(Failure.PoolError, Rejection.of("broadcast"), Schemas.ParseError))

const reject = Rejection.makeOf("broadcast")
const decodeBundleId = checks.decoder("bundleId", () => Topic.Topic)
const decodeChannelId = checks.decoder("channelId", () => ChannelId.ChannelId)
const decodePriority = checks.decoder("priority", () => Priority.Priority)
const names = [
  "bundleId",
  "channelId",
  "notification",
  "priority",
  "expiration",
  "requestId",
  "timeout",
  "deadline",
  "retransmit"
]

const requestOf = (
  options: Options,
  defaultBundleId: string | undefined
): Either.Either<Request.Request, BroadcastError> =>
  Either.gen(function*() {
    const bundleId = yield* decodeBundleId(options.bundleId === undefined ? defaultBundleId : options.bundleId)
    const prepared = yield* Either.mapLeft(
      Notification.prepareBroadcast(options.notification),
      (error) => error._tag === "ParseError" ? checks.under("notification", options.notification)(error) : error
    )
    const priority = yield* decodePriority(options.priority === undefined ? 10 : options.priority)
    const seconds = yield* checks.expirationSeconds(options.expiration)
    const extra = [
      "apns-channel-id",
      yield* decodeChannelId(options.channelId),
      "apns-expiration",
      String(seconds)
    ]
    yield* calls.pushRequestId(extra, options.requestId)
    return Request.fromSpec(`/4/broadcasts/apps/${bundleId}`, {
      head: Request.head("POST", [["apns-push-type", prepared.pushType], ["apns-priority", String(priority)]]),
      extra,
      body: prepared.body,
      timeoutMillis: yield* checks.timeoutMillis(options.timeout),
      deadlineMillis: yield* checks.deadlineMillis(options.deadline),
      expirationMillis: seconds === 0 ? Infinity : seconds * 1000,
      collapsible: false,
      retransmit: yield* checks.retransmit(options.retransmit)
    })
  })

/**
 * Sends one broadcast through the pool and waits until APNs has accepted or refused it. APNs does not
 * say which devices it reaches.
 *
 * Fails as `send` does; further reasons are `BadChannelId`, `ChannelNotRegistered`, `FeatureNotEnabled`,
 * `MissingChannelId`, `TopicMismatch`, and `BadExpirationDate` for an expiration on a channel that stores no message.
 *
 * @since 0.1.0
 * @category sending
 */
export const send = (options: Options): Effect.Effect<Receipt, BroadcastError, ApnsPool.ApnsPool> =>
  Effect.flatMap(ApnsPool.ApnsPool, (pool): Effect.Effect<Receipt, BroadcastError> => {
    const request = checks.reading(options, names, () => requestOf(options, pool.topic))
    return Either.isLeft(request)
      ? Effect.fail(request.left)
      : Effect.map(
        calls.call(pool, "broadcast", options.bundleId ?? pool.topic ?? "", request.right, reject),
        (response) => new Receipt(calls.requestIdOf(response) ?? "", response.uniqueId, response.attempts)
      )
  })
