/**
 * One typed error for each reason that APNs gives, and for the reasons it may give one day.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type * as AST from "effect/SchemaAST"
import type * as Types from "effect/Types"
import * as Printable from "./Printable.js"
import * as Processed from "./Processed.js"
import * as Reason from "./Reason.js"

/**
 * The fields that every rejection has.
 *
 * - `status`: the HTTP status of the answer (of the documented answer, when the reason came otherwise)
 * - `reason`: the reason exactly as it came
 * - `origin`: an answer to this request, the GOAWAY that closed its connection, or a check before anything was sent
 * - `processed`: whether APNs can have acted on the notification
 * - `attempts`: how often the notification was handed to a connection
 * - `apnsId`, `uniqueId`: the `apns-id` and `apns-unique-id` of the answer
 * - `requestId`: its `apns-request-id`, which broadcasts and channel management have instead of an `apns-id`
 * - `retryAfter`: how long the answer's `Retry-After` asked to wait; in milliseconds where it is stored
 * - `timestamp`: when APNs confirmed that the device token was no longer valid (status 410)
 *
 * @since 0.1.0
 * @category schemas
 */
export const fields = {
  status: Schema.Int,
  reason: Schema.String,
  origin: Schema.Literal("response", "goaway", "local"),
  processed: Processed.Processed,
  attempts: Schema.NonNegativeInt,
  apnsId: Schema.optional(Schema.String),
  uniqueId: Schema.optional(Schema.String),
  requestId: Schema.optional(Schema.String),
  retryAfter: Schema.optional(Schema.DurationFromMillis),
  timestamp: Schema.optional(Schema.DateTimeUtc)
}

/**
 * The fields that every rejection has.
 *
 * @since 0.1.0
 * @category models
 */
export interface Fields extends Schema.Struct.Type<typeof fields> {}

/**
 * The class of one rejection: an error with its own tag, which is also its Schema.
 *
 * @since 0.1.0
 * @category models
 */
export interface RejectionClass<Self, Tag extends string, Extra extends Schema.Struct.Fields> extends
  Schema.Schema<
    Self,
    Types.Simplify<{ readonly _tag: Tag } & Schema.Struct.Encoded<typeof fields & Extra>>
  >
{
  new(
    props: Types.Simplify<Schema.Struct.Type<typeof fields & Extra>>
  ): Schema.Struct.Type<typeof fields & Extra> & { readonly _tag: Tag } & Cause.YieldableError
}

interface Details {
  readonly size?: number
  readonly limit?: number
  readonly problem?: string
}

// The common form of all rejections. The overload has the precise class of each; the body builds it once. Its Schema is
// built when it is first used: with `Schema.TaggedError`, these classes were half of the cost of importing.
function define<Self>(): {
  <const Tag extends string>(tag: Tag): RejectionClass<Self, Tag, {}>
  <const Tag extends string, Extra extends Schema.Struct.Fields>(
    tag: Tag,
    extra: Extra
  ): RejectionClass<Self, Tag, Extra>
}
function define(): object {
  return (tag: string, extra: Schema.Struct.Fields = {}) => {
    class Rejected extends Data.TaggedError(tag)<Fields & Details> {
      static readonly [Schema.TypeId] = Schema.String[Schema.TypeId]
      static readonly pipe = Schema.String.pipe
      static get ast(): AST.AST {
        const known = asts.get(this)
        if (known !== undefined) return known
        const { ast } = schemaOf(tag, this, extra)
        asts.set(this, ast)
        return ast
      }
      static annotations(annotations: Schema.Annotations.GenericSchema<unknown>) {
        return Schema.make(this.ast).annotations(annotations)
      }
      override get message(): string {
        return explain(this)
      }
      /** As its Schema encodes it. */
      override toJSON() {
        const { retryAfter, ...rest } = { ...this }
        return retryAfter === undefined ? rest : { ...rest, retryAfter: Duration.toMillis(retryAfter) }
      }
    }
    return Rejected
  }
}

const asts = new WeakMap<object, AST.AST>()

const schemaOf = (tag: string, self: new(props: Fields) => Fields, extra: Schema.Struct.Fields): Schema.Schema.All => {
  const stored = Schema.Struct({ _tag: Schema.Literal(tag), ...fields, ...extra })
  const check = (input: unknown, ast: AST.AST): Either.Either<Fields, ParseResult.ParseIssue> =>
    input instanceof self ? Either.right(input) : Either.left(new ParseResult.Type(ast, input))
  const instance = Schema.declare(
    [Schema.typeSchema(stored)],
    {
      decode: () => (input, _, ast) => check(input, ast),
      encode: () => (input, _, ast) => check(input, ast)
    },
    {
      identifier: tag,
      pretty: () => (error) => `${tag}(${JSON.stringify(error)})`,
      arbitrary: (props) => (fc) => props(fc).map(({ _tag: _, ...rest }) => new self(rest))
    }
  )
  return Schema.transform(stored, instance, {
    strict: false,
    decode: ({ _tag: _, ...props }: Fields & { readonly _tag: string }) => new self(props),
    encode: (error: Fields) => ({ ...error })
  })
}

const explain = (error: Fields & Details): string => {
  const info = Reason.info(error.reason, error.status)
  const since = error.timestamp === undefined ? "" : ` (since ${DateTime.formatIso(error.timestamp)})`
  const size = error.size === undefined || error.limit === undefined
    ? ""
    : ` (${error.size} bytes, limit ${error.limit})`
  const where = error.origin === "goaway"
    ? "; APNs closed the connection with this reason"
    : error.origin === "local"
    ? "; found before anything was sent"
    : ""
  const later = error.retryAfter === undefined ? "" : `; APNs asks to wait ${Duration.format(error.retryAfter)}`
  const id = error.apnsId !== undefined
    ? ` [apns-id ${Printable.text(error.apnsId)}]`
    : error.requestId !== undefined
    ? ` [apns-request-id ${Printable.text(error.requestId)}]`
    : ""
  if (error.problem !== undefined) return `${error.reason}: ${error.problem} Nothing was sent.`
  return `${
    Printable.text(error.reason) || "No reason"
  } (${error.status}): ${info.meaning}${since}${size}${where}; ${info.advice}${later}${id}.`
}

/**
 * Status 403: The client certificate is not valid for APNs.
 *
 * @since 0.1.0
 * @category errors
 */
export class BadCertificate extends define<BadCertificate>()("BadCertificate") {}

/**
 * Status 403: The client certificate belongs to the other environment.
 *
 * @since 0.1.0
 * @category errors
 */
export class BadCertificateEnvironment extends define<BadCertificateEnvironment>()("BadCertificateEnvironment") {}

/**
 * Status 400: The channel id is badly encoded or too long.
 *
 * @since 0.1.0
 * @category errors
 */
export class BadChannelId extends define<BadChannelId>()("BadChannelId") {}

/**
 * Status 400: The collapse id is longer than 64 bytes.
 *
 * @since 0.1.0
 * @category errors
 */
export class BadCollapseId extends define<BadCollapseId>()("BadCollapseId") {}

/**
 * Status 400: The device token is malformed or belongs to the other environment.
 * Found locally before a byte leaves (`origin: "local"`, `processed: "no"`, with the `problem` in words), or said by
 * APNs.
 *
 * @since 0.1.0
 * @category errors
 */
export class BadDeviceToken extends define<BadDeviceToken>()("BadDeviceToken", {
  problem: Schema.optional(Schema.String)
}) {}

/**
 * Status 403: The signing key belongs to the other environment.
 * APNs also spells it `BadEnvironmentKeyInToken`; `reason` keeps the spelling that came.
 *
 * @since 0.1.0
 * @category errors
 */
export class BadEnvironmentKeyIdInToken extends define<BadEnvironmentKeyIdInToken>()("BadEnvironmentKeyIdInToken") {}

/**
 * Status 400: The expiration is not one that APNs takes.
 *
 * @since 0.1.0
 * @category errors
 */
export class BadExpirationDate extends define<BadExpirationDate>()("BadExpirationDate") {}

/**
 * Status 400: The apns-id is not a valid UUID.
 *
 * @since 0.1.0
 * @category errors
 */
export class BadMessageId extends define<BadMessageId>()("BadMessageId") {}

/**
 * Status 404: The request path is wrong.
 *
 * @since 0.1.0
 * @category errors
 */
export class BadPath extends define<BadPath>()("BadPath") {}

/**
 * Status 400: The priority is not one that APNs takes for this push type.
 *
 * @since 0.1.0
 * @category errors
 */
export class BadPriority extends define<BadPriority>()("BadPriority") {}

/**
 * Status 400: The channel request has an attribute that APNs does not know.
 *
 * @since 0.1.0
 * @category errors
 */
export class BadRequestParams extends define<BadRequestParams>()("BadRequestParams") {}

/**
 * Status 400: The channel request is not readable JSON.
 *
 * @since 0.1.0
 * @category errors
 */
export class BadRequestPayload extends define<BadRequestPayload>()("BadRequestPayload") {}

/**
 * Status 400: The topic is not valid.
 *
 * @since 0.1.0
 * @category errors
 */
export class BadTopic extends define<BadTopic>()("BadTopic") {}

/**
 * Status 400: The app has all the channels it may have in this environment (10,000).
 *
 * @since 0.1.0
 * @category errors
 */
export class CannotCreateChannelConfig extends define<CannotCreateChannelConfig>()("CannotCreateChannelConfig") {}

/**
 * Status 400: The channel does not exist in this environment.
 *
 * @since 0.1.0
 * @category errors
 */
export class ChannelNotRegistered extends define<ChannelNotRegistered>()("ChannelNotRegistered") {}

/**
 * Status 400: The device token belongs to another app than the topic names.
 *
 * @since 0.1.0
 * @category errors
 */
export class DeviceTokenNotForTopic extends define<DeviceTokenNotForTopic>()("DeviceTokenNotForTopic") {}

/**
 * Status 400: A header was sent twice.
 *
 * @since 0.1.0
 * @category errors
 */
export class DuplicateHeaders extends define<DuplicateHeaders>()("DuplicateHeaders") {}

/**
 * Status 403: The provider token is older than an hour.
 *
 * @since 0.1.0
 * @category errors
 */
export class ExpiredProviderToken extends define<ExpiredProviderToken>()("ExpiredProviderToken") {}

/**
 * Status 410: The device token has expired.
 *
 * @since 0.1.0
 * @category errors
 */
export class ExpiredToken extends define<ExpiredToken>()("ExpiredToken") {}

/**
 * Status 400: The app has no broadcast capability.
 *
 * @since 0.1.0
 * @category errors
 */
export class FeatureNotEnabled extends define<FeatureNotEnabled>()("FeatureNotEnabled") {}

/**
 * Status 403: APNs does not allow this action.
 *
 * @since 0.1.0
 * @category errors
 */
export class Forbidden extends define<Forbidden>()("Forbidden") {}

/**
 * Status 400: APNs closed the connection because it was idle too long.
 *
 * @since 0.1.0
 * @category errors
 */
export class IdleTimeout extends define<IdleTimeout>()("IdleTimeout") {}

/**
 * Status 500: APNs had an internal error.
 *
 * @since 0.1.0
 * @category errors
 */
export class InternalServerError extends define<InternalServerError>()("InternalServerError") {}

/**
 * Status 403: APNs cannot verify the provider token.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidProviderToken extends define<InvalidProviderToken>()("InvalidProviderToken") {}

/**
 * Status 400: The push type is not one that APNs takes here.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidPushType extends define<InvalidPushType>()("InvalidPushType") {}

/**
 * Status 405: The HTTP method is not allowed on this path.
 *
 * @since 0.1.0
 * @category errors
 */
export class MethodNotAllowed extends define<MethodNotAllowed>()("MethodNotAllowed") {}

/**
 * Status 400: The channel id is missing.
 *
 * @since 0.1.0
 * @category errors
 */
export class MissingChannelId extends define<MissingChannelId>()("MissingChannelId") {}

/**
 * Status 400: The request to create a channel does not say whether the channel stores a message.
 *
 * @since 1.0.0
 * @category errors
 */
export class MissingChannelQueueSize extends define<MissingChannelQueueSize>()("MissingChannelQueueSize") {}

/**
 * Status 400: The path has no device token.
 *
 * @since 0.1.0
 * @category errors
 */
export class MissingDeviceToken extends define<MissingDeviceToken>()("MissingDeviceToken") {}

/**
 * Status 403: The request carried neither a provider token nor a client certificate.
 *
 * @since 0.1.0
 * @category errors
 */
export class MissingProviderToken extends define<MissingProviderToken>()("MissingProviderToken") {}

/**
 * Status 400: The push type is missing.
 *
 * @since 0.1.0
 * @category errors
 */
export class MissingPushType extends define<MissingPushType>()("MissingPushType") {}

/**
 * Status 400: The topic is missing, and these credentials serve more than one.
 *
 * @since 0.1.0
 * @category errors
 */
export class MissingTopic extends define<MissingTopic>()("MissingTopic") {}

/**
 * Status 400: The body is empty.
 *
 * @since 0.1.0
 * @category errors
 */
export class PayloadEmpty extends define<PayloadEmpty>()("PayloadEmpty") {}

/**
 * Status 413: The payload is larger than APNs takes.
 * Found locally before a byte leaves (`processed: "no"`, with the `size` and the `limit` in bytes), or said by APNs.
 *
 * @since 0.1.0
 * @category errors
 */
export class PayloadTooLarge extends define<PayloadTooLarge>()("PayloadTooLarge", {
  size: Schema.optional(Schema.NonNegativeInt),
  limit: Schema.optional(Schema.NonNegativeInt)
}) {}

/**
 * Status 503: APNs is unavailable.
 *
 * @since 0.1.0
 * @category errors
 */
export class ServiceUnavailable extends define<ServiceUnavailable>()("ServiceUnavailable") {}

/**
 * Status 503: This APNs server is shutting down.
 *
 * @since 0.1.0
 * @category errors
 */
export class Shutdown extends define<Shutdown>()("Shutdown") {}

/**
 * Status 429: The provider token changed more than once in 20 minutes.
 *
 * @since 0.1.0
 * @category errors
 */
export class TooManyProviderTokenUpdates extends define<TooManyProviderTokenUpdates>()("TooManyProviderTokenUpdates") {}

/**
 * Status 429: Too many notifications went to the same device token or channel in a row.
 *
 * @since 0.1.0
 * @category errors
 */
export class TooManyRequests extends define<TooManyRequests>()("TooManyRequests") {}

/**
 * Status 400: These credentials may not send to this topic.
 *
 * @since 0.1.0
 * @category errors
 */
export class TopicDisallowed extends define<TopicDisallowed>()("TopicDisallowed") {}

/**
 * Status 403: The bundle ID in the path is not covered by the credentials.
 *
 * @since 0.1.0
 * @category errors
 */
export class TopicMismatch extends define<TopicMismatch>()("TopicMismatch") {}

/**
 * Status 410: The device token is no longer active for the topic, for example because the app was removed.
 *
 * @since 0.1.0
 * @category errors
 */
export class Unregistered extends define<Unregistered>()("Unregistered") {}

/**
 * Status 403: The signing key is not related to the key that this connection began with.
 *
 * @since 0.1.0
 * @category errors
 */
export class UnrelatedKeyIdInToken extends define<UnrelatedKeyIdInToken>()("UnrelatedKeyIdInToken") {}

/**
 * A reason that this library does not know, or an answer without one: `reason` and `status` keep what came.
 *
 * @since 0.1.0
 * @category errors
 */
export class UnknownReason extends define<UnknownReason>()("UnknownReason") {}

const classes = {
  BadCertificate,
  BadCertificateEnvironment,
  BadChannelId,
  BadCollapseId,
  BadDeviceToken,
  BadEnvironmentKeyIdInToken,
  BadExpirationDate,
  BadMessageId,
  BadPath,
  BadPriority,
  BadRequestParams,
  BadRequestPayload,
  BadTopic,
  CannotCreateChannelConfig,
  ChannelNotRegistered,
  DeviceTokenNotForTopic,
  DuplicateHeaders,
  ExpiredProviderToken,
  ExpiredToken,
  FeatureNotEnabled,
  Forbidden,
  IdleTimeout,
  InternalServerError,
  InvalidProviderToken,
  InvalidPushType,
  MethodNotAllowed,
  MissingChannelId,
  MissingChannelQueueSize,
  MissingDeviceToken,
  MissingProviderToken,
  MissingPushType,
  MissingTopic,
  PayloadEmpty,
  PayloadTooLarge,
  ServiceUnavailable,
  Shutdown,
  TooManyProviderTokenUpdates,
  TooManyRequests,
  TopicDisallowed,
  TopicMismatch,
  Unregistered,
  UnrelatedKeyIdInToken,
  UnknownReason
} satisfies Record<Reason.Canonical | "UnknownReason", object>

/**
 * Any rejection: an instance of one of the classes of this module.
 *
 * @since 0.1.0
 * @category errors
 */
export type Rejection = InstanceType<(typeof classes)[keyof typeof classes]>

/**
 * The rejections that an operation can get: one for each reason that Apple lists for it, and {@link UnknownReason}.
 *
 * @since 1.0.0
 * @category errors
 */
export type Of<O extends Reason.Operation> = Tagged<Reason.Of<O>>

type Tagged<Tag extends keyof typeof classes> = Extract<Rejection, { readonly _tag: Tag | "UnknownReason" }>

/**
 * The Schema of any rejection: it survives being stored, queued or sent to another process.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Rejection: Schema.Schema<Rejection, Encoded> = Schema.suspend(() => union(Object.values(classes)))

/**
 * Whether an operation can get a rejection.
 *
 * @since 1.0.0
 * @category guards
 */
export const isOf = <O extends Reason.Operation>(operation: O) => (rejection: Rejection): rejection is Of<O> => {
  const { _tag } = rejection
  return _tag === "UnknownReason" || Reason.isOf(_tag, operation)
}

/**
 * The Schema of the rejections that an operation can get.
 *
 * @since 1.0.0
 * @category schemas
 */
export const of = <O extends Reason.Operation>(operation: O): Schema.Schema<Of<O>, Encoded> =>
  Rejection.pipe(Schema.filter(isOf(operation)))

const union = <S extends Schema.Schema.AnyNoContext>(members: ReadonlyArray<S>) => Schema.Union(...members)

/**
 * How a rejection is stored: its fields, with the timestamp as an ISO 8601 string.
 *
 * @since 0.1.0
 * @category models
 */
export type Encoded = {
  readonly [K in keyof typeof classes]: Schema.Schema.Encoded<(typeof classes)[K]>
}[keyof typeof classes]

/**
 * What an answer said, and what the sender knows beside it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The HTTP status; the documented one of the reason when left out. */
  readonly status?: number | undefined
  /** The reason as it came; empty when the answer had none. */
  readonly reason: string
  /** Where the reason came from; `"response"` when left out. */
  readonly origin?: Fields["origin"] | undefined
  /** Whether APNs can have acted on the notification; `"yes"` when left out, since an answer came. */
  readonly processed?: Processed.Processed | undefined
  /** How often the notification was handed to a connection; 1 when left out. */
  readonly attempts?: number | undefined
  readonly apnsId?: string | undefined
  readonly uniqueId?: string | undefined
  readonly requestId?: string | undefined
  /** How long `Retry-After` asks to wait. */
  readonly retryAfter?: Duration.Duration | undefined
  /** The answer's `timestamp`. */
  readonly timestamp?: DateTime.Utc | undefined
  /** Only with `BadDeviceToken`: what is wrong with the token. */
  readonly problem?: string | undefined
  /** Only with `PayloadTooLarge`: the size of the payload, in bytes. */
  readonly size?: number | undefined
  /** Only with `PayloadTooLarge`: the limit, in bytes. */
  readonly limit?: number | undefined
}

/**
 * The typed error for an answer. An unknown reason gives {@link UnknownReason} and loses nothing.
 *
 * @example
 * ```ts
 * import { Rejection } from "@effect-apns/models"
 * import { DateTime, Effect } from "effect"
 *
 * const program = Effect.fail(Rejection.make({ status: 410, reason: "Unregistered", timestamp: DateTime.unsafeMake(1704067200000) }))
 *
 * Effect.runSync(program.pipe(
 *   Effect.catchTag("Unregistered", ({ timestamp }) => Effect.log("delete the token, gone since", timestamp)),
 *   Effect.catchAll(({ message }) => Effect.log(message))
 * ))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): Rejection => build(Reason.canonical(options.reason), options)

/**
 * {@link make} for an operation: a reason that Apple does not list for it gives {@link UnknownReason}, which keeps the
 * reason and the status.
 *
 * @since 1.0.0
 * @category constructors
 */
export const makeOf = <O extends Reason.Operation>(operation: O) => {
  const fits = isOf(operation)
  return (options: Options): Of<O> | UnknownReason => {
    const rejection = make(options)
    return fits(rejection) ? rejection : new UnknownReason(rejection)
  }
}

const build = (tag: Reason.Canonical | undefined, options: Options): Rejection => {
  const props = {
    status: options.status ?? Reason.info(options.reason, 0).status,
    reason: options.reason,
    origin: options.origin ?? "response",
    processed: options.processed ?? "yes",
    attempts: options.attempts ?? 1,
    ...(options.apnsId === undefined ? undefined : { apnsId: options.apnsId }),
    ...(options.uniqueId === undefined ? undefined : { uniqueId: options.uniqueId }),
    ...(options.requestId === undefined ? undefined : { requestId: options.requestId }),
    ...(options.retryAfter === undefined ? undefined : { retryAfter: options.retryAfter }),
    ...(options.timestamp === undefined ? undefined : { timestamp: options.timestamp })
  }
  // A rejection is made in a callback of the connection: its stack is useless, and would cost more than everything
  // else.
  const stackTraceLimit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    switch (tag) {
      case "PayloadTooLarge":
        return new PayloadTooLarge({
          ...props,
          ...(options.size === undefined ? undefined : { size: options.size }),
          ...(options.limit === undefined ? undefined : { limit: options.limit })
        })
      case "BadDeviceToken":
        return new BadDeviceToken({
          ...props,
          ...(options.problem === undefined ? undefined : { problem: options.problem })
        })
      default:
        return new classes[tag ?? "UnknownReason"](props)
    }
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

/**
 * Whether the input is a rejection, whatever its reason.
 *
 * @since 0.1.0
 * @category guards
 */
export const isRejection = (input: unknown): input is Rejection => {
  if (typeof input !== "object" || input === null || !("_tag" in input) || typeof input._tag !== "string") return false
  return Object.hasOwn(classes, input._tag) && input instanceof classes[input._tag as keyof typeof classes]
}

/**
 * The rejections after which a device token is dead: delete it.
 *
 * @since 1.0.0
 * @category advice
 */
export type TokenDead = Tagged<With<"token", "dead">>

/**
 * The rejections that make a device token suspect: it is malformed, or belongs to the other environment.
 *
 * @since 1.0.0
 * @category advice
 */
export type TokenSuspect = Tagged<With<"token", "suspect">>

/**
 * The rejections after which the same notification may be sent again, at once or later.
 *
 * @since 1.0.0
 * @category advice
 */
export type Retryable = Tagged<
  With<"retry", Exclude<Reason.Retry, "never" | "after-fix">>
>

/**
 * The rejections that end when a person changes the key, the certificate or what it may do.
 *
 * @since 1.0.0
 * @category advice
 */
export type CredentialsProblem = Tagged<
  With<"class", "credential-fatal" | "entitlement"> | With<"credentials", "suspect">
>

/** The reasons whose entry in the table has one of these values under this key. */
type With<Key extends keyof Reason.Info, Value> = {
  readonly [R in Reason.Canonical]: (typeof Reason.table)[R][Key] extends Value ? R : never
}[Reason.Canonical]

const infoOf = (error: unknown): Reason.Info | undefined =>
  isRejection(error) ? Reason.info(error.reason, error.status) : undefined

/**
 * Whether the device token is gone for good; `timestamp` says since when, as far as APNs did. Delete the token unless the
 * app registered it again after that instant. Takes any error and any value: use it in `Effect.catchIf`.
 *
 * @example
 * ```ts
 * import { Rejection } from "@effect-apns/models"
 * import { Effect } from "effect"
 *
 * declare const sending: Effect.Effect<void, Rejection.Rejection>
 *
 * export const program = sending.pipe(
 *   Effect.catchIf(Rejection.isTokenDead, ({ timestamp }) => Effect.log("delete the token, gone since", timestamp))
 * )
 * ```
 *
 * @since 1.0.0
 * @category advice
 */
export const isTokenDead = <E>(error: E): error is E & TokenDead => infoOf(error)?.token === "dead"

/**
 * Whether the device token is malformed or belongs to the other environment: set it aside.
 *
 * @since 1.0.0
 * @category advice
 */
export const isTokenSuspect = <E>(error: E): error is E & TokenSuspect => infoOf(error)?.token === "suspect"

/**
 * Whether the same notification may be sent again, as {@link retry} says in detail.
 *
 * @since 1.0.0
 * @category advice
 */
export const isRetryable = <E>(error: E): error is E & Retryable => {
  const info = infoOf(error)
  return info !== undefined && info.retry !== "never" && info.retry !== "after-fix"
}

/**
 * Whether a person must change the key, the certificate or what it may do before anything can be delivered;
 * {@link fixCredentials} says what.
 *
 * @since 1.0.0
 * @category advice
 */
export const isCredentialsProblem = <E>(error: E): error is E & CredentialsProblem => {
  const info = infoOf(error)
  return info !== undefined &&
    (info.class === "credential-fatal" || info.class === "entitlement" || info.credentials === "suspect")
}

/**
 * When and how the notification may be sent again: `how` as {@link Reason.Retry} explains, `delay` what APNs asked for
 * in `Retry-After`, else what Apple documents. `None` where it may not, or not before something was fixed.
 *
 * @since 0.1.0
 * @category advice
 */
export const retry = (
  error: unknown
): Option.Option<{
  readonly how: Exclude<Reason.Retry, "never" | "after-fix">
  readonly delay: Option.Option<Duration.Duration>
}> => {
  if (!isRejection(error)) return Option.none()
  const info = Reason.info(error.reason, error.status)
  return info.retry === "never" || info.retry === "after-fix"
    ? Option.none()
    : Option.some({ how: info.retry, delay: Option.fromNullable(error.retryAfter ?? info.retryDelay) })
}

/**
 * What a person must change about the key, certificate or entitlement before anything can be delivered. `None` when the
 * credentials are not at fault.
 *
 * @since 0.1.0
 * @category advice
 */
export const fixCredentials = (error: unknown): Option.Option<string> => {
  const info = infoOf(error)
  return info !== undefined && isCredentialsProblem(error) ? Option.some(info.advice) : Option.none()
}

/**
 * The one thing to do about a rejection.
 *
 * @since 0.1.0
 * @category models
 */
export type Action =
  | "delete-token"
  | "quarantine-token"
  | "retry"
  | "fix-request"
  | "fix-credentials"
  | "fix-channel"
  | "free-quota"

/**
 * What to do about a rejection, in one word.
 *
 * @since 0.1.0
 * @category advice
 */
export const action = (error: Rejection): Action => {
  const info = Reason.info(error.reason, error.status)
  switch (info.class) {
    case "token-dead":
      return "delete-token"
    case "token-suspect":
      return "quarantine-token"
    case "credential-fatal":
    case "entitlement":
      return "fix-credentials"
    case "credential-refresh":
    case "credential-throttle":
    case "connection":
    case "throttle":
    case "server":
      return "retry"
    case "channel":
      return "fix-channel"
    case "quota":
      return "free-quota"
    case "request":
      return info.credentials === "suspect" ? "fix-credentials" : "fix-request"
  }
}
