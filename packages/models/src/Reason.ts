/**
 * Every reason that APNs gives for a refusal, as data: what it means and what a sender should do.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"

/**
 * What kind of trouble a reason is.
 *
 * - `request`: this request is wrong and would be wrong again
 * - `token-suspect`: the device token is malformed or belongs to the other environment
 * - `token-dead`: the device token is gone for good
 * - `credential-fatal`: the key or certificate is wrong until a person changes it
 * - `credential-refresh`: the provider token is too old
 * - `credential-throttle`: the provider token changes too often
 * - `entitlement`: the credentials are good, but not for this topic
 * - `connection`: this connection is done, another one will do
 * - `throttle`: too much, too fast
 * - `server`: APNs has an internal problem
 * - `channel`: the broadcast channel does not exist or its id is wrong
 * - `quota`: a limit of the account is reached
 *
 * @since 0.1.0
 * @category models
 */
export type Class =
  | "request"
  | "token-suspect"
  | "token-dead"
  | "credential-fatal"
  | "credential-refresh"
  | "credential-throttle"
  | "entitlement"
  | "connection"
  | "throttle"
  | "server"
  | "channel"
  | "quota"

/**
 * Whether and how the same notification may be sent again.
 *
 * - `never`: Apple says not to
 * - `after-fix`: only once the cause has been fixed
 * - `new-connection`: at once, on another connection
 * - `fresh-token`: once, with a newly signed provider token
 * - `same-token`: with the provider token in hand, never a newer one
 * - `delay`: after a while
 *
 * @since 0.1.0
 * @category models
 */
export type Retry = "never" | "after-fix" | "new-connection" | "fresh-token" | "same-token" | "delay"

/**
 * Which requests can get a reason, by the pages of Apple that list it.
 *
 * - `device`: notifications to a device
 * - `broadcast`: broadcasts, and channel management
 * - `channels`: channel management alone
 * - `all`: each of them
 *
 * @since 1.0.0
 * @category models
 */
export type Scope = "device" | "broadcast" | "channels" | "all"

/**
 * What is being done: a notification to a device, a broadcast to a channel, or channel management.
 *
 * @since 1.0.0
 * @category models
 */
export type Operation = "device" | "broadcast" | "channels"

/**
 * What a sender should know about a reason.
 *
 * @since 0.1.0
 * @category models
 */
export interface Info {
  /** The HTTP status that Apple documents for it. */
  readonly status: number
  /** What kind of trouble it is. */
  readonly class: Class
  /** Which requests can get it. */
  readonly scope: Scope
  /** Whether and how to send again. */
  readonly retry: Retry
  /** How long to wait before sending again; `undefined` where Apple names no time. */
  readonly retryDelay: Duration.Duration | undefined
  /** What becomes of the device token. */
  readonly token: "keep" | "suspect" | "dead"
  /** What becomes of the connection. */
  readonly connection: "keep" | "recycle" | "recycle-if-stuck" | "close" | "close-pool"
  /** What it says about the credentials. */
  readonly credentials: "ok" | "suspect" | "refresh" | "hold" | "fatal" | "not-entitled"
  /** What happened, to follow "Reason (status): ". */
  readonly meaning: string
  /** What to do, to follow the meaning. */
  readonly advice: string
  /** Another spelling of this documented reason. */
  readonly aliasOf: string | undefined
}

const request = {
  class: "request",
  scope: "all",
  retry: "after-fix",
  retryDelay: undefined,
  token: "keep",
  connection: "keep",
  credentials: "ok",
  aliasOf: undefined
} as const

const credential = { ...request, class: "credential-fatal", connection: "close", credentials: "fatal" } as const

const entitlement = { ...request, class: "entitlement", credentials: "not-entitled" } as const

const server = { ...request, class: "server", retry: "delay", retryDelay: Duration.minutes(15) } as const

const dead = { ...request, class: "token-dead", scope: "device", retry: "never", token: "dead" } as const

const wrongEnvironmentKey = {
  ...credential,
  status: 403,
  scope: "device",
  meaning: "the signing key belongs to the other environment",
  advice: "use a key of this environment, or send to the host of the key's environment"
} as const

/**
 * Every known reason. Sources: Apple, "Handling notification responses from APNs" and "Handling error responses from
 * Apple Push Notification service"; `BadEnvironmentKeyInToken` is what senders see on the wire where Apple documents
 * `BadEnvironmentKeyIdInToken`, and `MissingChannelQueueSize` what they see where it documents nothing.
 *
 * @example
 * ```ts
 * import { Reason } from "@effect-apns/models"
 *
 * console.log(Reason.table.Unregistered.token) // dead
 * console.log(Reason.known("Service Unavailable")) // ServiceUnavailable
 * ```
 *
 * @since 0.1.0
 * @category constants
 */
export const table = {
  BadCertificate: {
    ...credential,
    status: 403,
    meaning: "the client certificate is not valid for APNs",
    advice: "replace the certificate and connect again"
  },
  BadCertificateEnvironment: {
    ...credential,
    status: 403,
    meaning: "the client certificate belongs to the other environment",
    advice: "use a certificate of this environment, or send to the host of the certificate's environment"
  },
  BadChannelId: {
    ...request,
    status: 400,
    class: "channel",
    scope: "broadcast",
    meaning: "the channel id is badly encoded or too long",
    advice: "send the id exactly as APNs returned it when the channel was created"
  },
  BadCollapseId: {
    ...request,
    status: 400,
    scope: "device",
    meaning: "the collapse id is longer than 64 bytes",
    advice: "shorten or hash it"
  },
  BadDeviceToken: {
    ...request,
    status: 400,
    class: "token-suspect",
    scope: "device",
    retry: "never",
    token: "suspect",
    meaning: "the device token is malformed or belongs to the other environment",
    advice: "check that the token's app build matches this host, and set the token aside if it does"
  },
  BadEnvironmentKeyIdInToken: wrongEnvironmentKey,
  BadEnvironmentKeyInToken: { ...wrongEnvironmentKey, aliasOf: "BadEnvironmentKeyIdInToken" },
  BadExpirationDate: {
    ...request,
    status: 400,
    meaning: "the expiration is not one that APNs takes",
    advice: "send whole Unix seconds or \"none\", and \"none\" always to a channel that stores no message"
  },
  BadMessageId: {
    ...request,
    status: 400,
    meaning: "the apns-id is not a valid UUID",
    advice: "send a lowercase UUID or none"
  },
  BadPath: {
    ...request,
    status: 404,
    meaning: "the request path is wrong",
    advice: "check the device token or bundle ID in the path"
  },
  BadPriority: {
    ...request,
    status: 400,
    meaning: "the priority is not one that APNs takes for this push type",
    advice: "send 10, 5 or 1 as the push type allows"
  },
  BadRequestParams: {
    ...request,
    status: 400,
    scope: "channels",
    meaning: "the channel request has an attribute that APNs does not know",
    advice: "send the message storage policy and the push type alone"
  },
  BadRequestPayload: {
    ...request,
    status: 400,
    scope: "channels",
    meaning: "the channel request is not readable JSON",
    advice: "send a JSON object"
  },
  BadTopic: {
    ...request,
    status: 400,
    scope: "device",
    meaning: "the topic is not valid",
    advice: "send the app's bundle ID with the suffix of the push type"
  },
  CannotCreateChannelConfig: {
    ...request,
    status: 400,
    class: "quota",
    scope: "channels",
    meaning: "the app has all the channels it may have in this environment (10,000)",
    advice: "delete channels that are no longer used, then create again"
  },
  ChannelNotRegistered: {
    ...request,
    status: 400,
    class: "channel",
    scope: "broadcast",
    meaning: "the channel does not exist in this environment",
    advice: "forget this channel id and create a channel in this environment"
  },
  DeviceTokenNotForTopic: {
    ...request,
    status: 400,
    scope: "device",
    retry: "never",
    meaning: "the device token belongs to another app than the topic names",
    advice: "correct the topic stored with this token"
  },
  DuplicateHeaders: {
    ...request,
    status: 400,
    scope: "device",
    meaning: "a header was sent twice",
    advice: "send each header once"
  },
  ExpiredProviderToken: {
    ...request,
    status: 403,
    class: "credential-refresh",
    retry: "fresh-token",
    connection: "recycle",
    credentials: "refresh",
    meaning: "the provider token is older than an hour",
    advice: "sign a new one and send once more, and check this machine's clock if it happens again"
  },
  ExpiredToken: {
    ...dead,
    status: 410,
    meaning: "the device token has expired",
    advice: "delete the device token unless it registered again after that"
  },
  FeatureNotEnabled: {
    ...entitlement,
    status: 400,
    scope: "broadcast",
    credentials: "ok",
    meaning: "the app has no broadcast capability",
    advice: "enable broadcast for this bundle ID in the developer account"
  },
  Forbidden: {
    ...request,
    status: 403,
    scope: "device",
    retry: "never",
    credentials: "suspect",
    meaning: "APNs does not allow this action",
    advice: "check that the key or certificate may send to this topic"
  },
  IdleTimeout: {
    ...request,
    status: 400,
    class: "connection",
    scope: "device",
    retry: "new-connection",
    connection: "recycle",
    meaning: "APNs closed the connection because it was idle too long",
    advice: "send again on a new connection"
  },
  InternalServerError: {
    ...server,
    status: 500,
    meaning: "APNs had an internal error",
    advice: "send again after 15 minutes, then ever more slowly"
  },
  InvalidProviderToken: {
    ...credential,
    status: 403,
    connection: "close-pool",
    meaning: "APNs cannot verify the provider token",
    advice:
      "check the key, its key id and the team id, that the key was not revoked, and that the clock of this machine is right"
  },
  InvalidPushType: {
    ...request,
    status: 400,
    meaning: "the push type is not one that APNs takes here",
    advice: "send a documented push type, and only Live Activities to a channel"
  },
  MethodNotAllowed: {
    ...request,
    status: 405,
    meaning: "the HTTP method is not allowed on this path",
    advice: "send notifications by POST"
  },
  MissingChannelId: {
    ...request,
    status: 400,
    scope: "broadcast",
    meaning: "the channel id is missing",
    advice: "name the channel in the apns-channel-id header"
  },
  MissingChannelQueueSize: {
    ...request,
    status: 400,
    scope: "channels",
    meaning: "the request does not say whether the new channel stores a message",
    advice: "name the message-storage-policy of the channel: 0 or 1"
  },
  MissingDeviceToken: {
    ...request,
    status: 400,
    scope: "device",
    meaning: "the path has no device token",
    advice: "put the device token into the path"
  },
  MissingProviderToken: {
    ...credential,
    status: 403,
    connection: "keep",
    meaning: "the request carried neither a provider token nor a client certificate",
    advice: "configure a signing key or a certificate"
  },
  MissingPushType: {
    ...request,
    status: 400,
    scope: "broadcast",
    meaning: "the push type is missing",
    advice: "name the push type"
  },
  MissingTopic: {
    ...request,
    status: 400,
    scope: "device",
    meaning: "the topic is missing, and these credentials serve more than one",
    advice: "name the topic"
  },
  PayloadEmpty: {
    ...request,
    status: 400,
    meaning: "the body is empty",
    advice: "send a payload"
  },
  PayloadTooLarge: {
    ...request,
    status: 413,
    retry: "never",
    meaning: "the payload is larger than APNs takes",
    advice: "shorten it, for example with Notification.truncate"
  },
  ServiceUnavailable: {
    ...server,
    status: 503,
    meaning: "APNs is unavailable",
    advice: "send again after 15 minutes, then ever more slowly"
  },
  Shutdown: {
    ...request,
    status: 503,
    class: "connection",
    retry: "new-connection",
    connection: "recycle",
    meaning: "this APNs server is shutting down",
    advice: "send again on a new connection"
  },
  TooManyProviderTokenUpdates: {
    ...request,
    status: 429,
    class: "credential-throttle",
    retry: "same-token",
    retryDelay: Duration.minutes(20),
    connection: "recycle-if-stuck",
    credentials: "hold",
    meaning: "the provider token changed more than once in 20 minutes",
    advice: "keep the token in hand, sign no other for 20 minutes, and share one signer for each key"
  },
  TooManyRequests: {
    ...request,
    status: 429,
    class: "throttle",
    retry: "delay",
    meaning: "too many notifications went to the same device token or channel in a row",
    advice: "slow down for this target and send again later"
  },
  TopicDisallowed: {
    ...entitlement,
    status: 400,
    meaning: "these credentials may not send to this topic",
    advice: "use a key or certificate that covers it, and the bare bundle ID for a broadcast"
  },
  TopicMismatch: {
    ...entitlement,
    status: 403,
    scope: "broadcast",
    meaning: "the bundle ID in the path is not covered by the credentials",
    advice: "use a key or certificate that covers it"
  },
  Unregistered: {
    ...dead,
    status: 410,
    meaning: "the device token is no longer active for the topic, for example because the app was removed",
    advice: "delete the device token unless it registered again after that"
  },
  UnrelatedKeyIdInToken: {
    ...request,
    status: 403,
    class: "connection",
    scope: "device",
    retry: "new-connection",
    connection: "recycle",
    meaning: "the signing key is not related to the key that this connection began with",
    advice: "send with this key on a connection of its own"
  }
} as const satisfies Record<string, Info>

/**
 * A known reason, as APNs spells it.
 *
 * @since 0.1.0
 * @category models
 */
export type Reason = keyof typeof table

/**
 * A known reason in the spelling that Apple documents: the tag of its error.
 *
 * @since 0.1.0
 * @category models
 */
export type Canonical = { readonly [R in Reason]: (typeof table)[R]["aliasOf"] extends string ? never : R }[Reason]

/**
 * The known reason for a string that APNs sent, or `undefined`. `"Service Unavailable"`, as one of Apple's pages spells
 * it, is `ServiceUnavailable`.
 *
 * @since 0.1.0
 * @category accessors
 */
export const known = (raw: string): Reason | undefined => {
  const reason = raw === "Service Unavailable" ? "ServiceUnavailable" : raw
  return isReason(reason) ? reason : undefined
}

/**
 * The known reason for a string that APNs sent, in the documented spelling, or `undefined`.
 *
 * @since 0.1.0
 * @category accessors
 */
export const canonical = (raw: string): Canonical | undefined => {
  const reason = known(raw)
  return reason === "BadEnvironmentKeyInToken" ? "BadEnvironmentKeyIdInToken" : reason
}

/**
 * The scopes whose reasons an operation can get.
 *
 * @since 1.0.0
 * @category models
 */
export type ScopeOf<O extends Operation> =
  | "all"
  | { readonly device: "device"; readonly broadcast: "broadcast"; readonly channels: "broadcast" | "channels" }[O]

/**
 * The known reasons that an operation can get, in the spelling that Apple documents.
 *
 * @since 1.0.0
 * @category models
 */
export type Of<O extends Operation> = {
  readonly [R in Canonical]: (typeof table)[R]["scope"] extends ScopeOf<O> ? R : never
}[Canonical]

const scopes: Readonly<Record<Operation, ReadonlySet<Scope>>> = {
  device: new Set<Scope>(["all", "device"]),
  broadcast: new Set<Scope>(["all", "broadcast"]),
  channels: new Set<Scope>(["all", "broadcast", "channels"])
}

/**
 * Whether an operation can get a reason.
 *
 * @since 1.0.0
 * @category guards
 */
export const isOf = (reason: Reason, operation: Operation): boolean => scopes[operation].has(table[reason].scope)

/**
 * Whether a reason that APNs sent says that the key or certificate is wrong until a person changes it.
 *
 * @since 1.0.0
 * @category guards
 */
export const isCredentialReason = (raw: string): boolean => {
  const reason = known(raw)
  return reason !== undefined && table[reason].class === "credential-fatal"
}

/**
 * Whether the input is a known reason, exactly as in {@link table}.
 *
 * @since 0.1.0
 * @category guards
 */
export const isReason = (input: string): input is Reason => Object.hasOwn(table, input)

/**
 * What a sender should know about a reason, known or not: an unknown one is classified by its status.
 *
 * @since 0.1.0
 * @category accessors
 */
export const info = (raw: string, status: number): Info => {
  const reason = known(raw)
  if (reason !== undefined) return table[reason]
  const words = {
    status,
    meaning: raw === "" ? "the answer named none" : "APNs gave a reason that this library does not know"
  }
  if (status === 410) {
    return { ...dead, ...words, advice: "treat the device token as gone, as the status says" }
  }
  if (status === 429) {
    return { ...table.TooManyRequests, ...words, advice: "slow down and send again later" }
  }
  if (status >= 500) {
    return { ...server, ...words, advice: "send again after 15 minutes, then ever more slowly" }
  }
  return { ...request, ...words, advice: "look the reason up in Apple's documentation before sending again" }
}
