/**
 * The eleven kinds of push that Apple documents, and what it says about each.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * What a push type is like.
 *
 * @since 0.1.0
 * @category models
 */
export interface Info {
  /** The value of the `apns-push-type` header. */
  readonly value: string
  /** What the topic ends in, after the bundle ID; empty for none. */
  readonly topicSuffix: string
  /** Priorities that APNs takes. */
  readonly allowedPriorities: ReadonlyArray<10 | 5 | 1>
  /** Priorities that Apple recommends; empty where it says nothing. */
  readonly recommendedPriorities: ReadonlyArray<10 | 5 | 1>
  /** The priority to send when the caller names none; `undefined` leaves the header out, which means 10. */
  readonly defaultPriority: 10 | 5 | 1 | undefined
  /** The largest body, in bytes. */
  readonly maxPayloadBytes: number
  /** How the provider may authenticate. */
  readonly auth: "token" | "certificate" | "either"
  /** What else a sender must know. */
  readonly notes: string
}

/**
 * Every push type and its rules.
 *
 * Sources: Apple, "Sending notification requests to APNs", and the page that each note names.
 *
 * @example
 * ```ts
 * import { PushType } from "@effect-apns/models"
 *
 * console.log(PushType.table.voip.maxPayloadBytes) // 5120
 * console.log(PushType.table.liveactivity.topicSuffix) // .push-type.liveactivity
 * ```
 *
 * @since 0.1.0
 * @category constants
 */
export const table = {
  alert: {
    value: "alert",
    topicSuffix: "",
    allowedPriorities: [10, 5, 1],
    recommendedPriorities: [10, 5],
    defaultPriority: undefined,
    maxPayloadBytes: 4096,
    auth: "either",
    notes: "Shows something, plays a sound or sets the badge. 10 if the user must act now, else 5."
  },
  background: {
    value: "background",
    topicSuffix: "",
    allowedPriorities: [5],
    recommendedPriorities: [5],
    defaultPriority: 5,
    maxPayloadBytes: 4096,
    auth: "either",
    notes: "Wakes the app silently, two or three times an hour at most; 10 is an error " +
      "(Apple: Pushing background updates to your App)."
  },
  complication: {
    value: "complication",
    topicSuffix: ".complication",
    allowedPriorities: [10, 5, 1],
    recommendedPriorities: [],
    defaultPriority: undefined,
    maxPayloadBytes: 4096,
    auth: "either",
    notes: "Updates a watchOS complication; a certificate must list the topic."
  },
  controls: {
    value: "controls",
    topicSuffix: ".push-type.controls",
    allowedPriorities: [10, 5, 1],
    recommendedPriorities: [10],
    defaultPriority: undefined,
    maxPayloadBytes: 4096,
    auth: "token",
    notes: "Reloads a control; Apple's sample sends priority 10 and expiration 0 " +
      "(Apple: Updating controls locally and remotely)."
  },
  fileprovider: {
    value: "fileprovider",
    topicSuffix: ".pushkit.fileprovider",
    allowedPriorities: [10, 5, 1],
    recommendedPriorities: [],
    defaultPriority: undefined,
    maxPayloadBytes: 4096,
    auth: "token",
    notes: "Tells a File Provider extension that a container changed; no certificates " +
      "(Apple: Using push notifications to signal changes)."
  },
  liveactivity: {
    value: "liveactivity",
    topicSuffix: ".push-type.liveactivity",
    allowedPriorities: [10, 5],
    recommendedPriorities: [5, 10],
    defaultPriority: undefined,
    maxPayloadBytes: 4096,
    auth: "token",
    notes: "Starts, updates or ends a Live Activity; 10 counts against an hourly budget, 5 does not " +
      "(Apple: Starting and updating Live Activities with ActivityKit push notifications)."
  },
  location: {
    value: "location",
    topicSuffix: ".location-query",
    allowedPriorities: [10, 5],
    recommendedPriorities: [10, 5],
    defaultPriority: undefined,
    maxPayloadBytes: 4096,
    auth: "token",
    notes: "Asks a location push service extension where the device is; 10 if needed at once, else 5 " +
      "(Apple: Creating a location push service extension)."
  },
  mdm: {
    value: "mdm",
    topicSuffix: "",
    allowedPriorities: [10, 5, 1],
    recommendedPriorities: [],
    defaultPriority: undefined,
    maxPayloadBytes: 4096,
    auth: "certificate",
    notes: "Tells a managed device to contact its MDM server; the topic is the UID of the certificate's subject " +
      "(Apple: Sending MDM Commands to a Device)."
  },
  pushtotalk: {
    value: "pushtotalk",
    topicSuffix: ".voip-ptt",
    allowedPriorities: [10, 5, 1],
    recommendedPriorities: [10],
    defaultPriority: undefined,
    maxPayloadBytes: 4096,
    auth: "either",
    notes: "Announces a speaker in a Push to Talk channel; send priority 10 and expiration 0 " +
      "(Apple: Creating a Push to Talk app)."
  },
  voip: {
    value: "voip",
    topicSuffix: ".voip",
    allowedPriorities: [10, 5, 1],
    recommendedPriorities: [10],
    defaultPriority: undefined,
    maxPayloadBytes: 5120,
    auth: "either",
    notes: "Announces a call; send expiration 0 or a few seconds, a certificate must list the topic " +
      "(Apple: Responding to VoIP Notifications from PushKit)."
  },
  widgets: {
    value: "widgets",
    topicSuffix: ".push-type.widgets",
    allowedPriorities: [10, 5, 1],
    recommendedPriorities: [],
    defaultPriority: undefined,
    maxPayloadBytes: 4096,
    auth: "token",
    notes: "Reloads widgets within the system's budget " +
      "(Apple: Updating widgets with WidgetKit push notifications)."
  }
} as const satisfies Record<string, Info>

/**
 * The value of the `apns-push-type` header.
 *
 * @since 0.1.0
 * @category models
 */
export type PushType = keyof typeof table

/**
 * The largest body of a broadcast, in bytes, whatever its push type.
 *
 * Source: Apple, "Sending broadcast push notification requests to APNs".
 *
 * @since 0.1.0
 * @category constants
 */
export const broadcastMaxPayloadBytes = 5120

/**
 * The Schema of {@link PushType}.
 *
 * @since 0.1.0
 * @category schemas
 */
export const PushType: Schema.Schema<PushType> = Schema.Literal(
  "alert",
  "background",
  "complication",
  "controls",
  "fileprovider",
  "liveactivity",
  "location",
  "mdm",
  "pushtotalk",
  "voip",
  "widgets"
).annotations({ identifier: "PushType" })

/**
 * Whether the input is a push type.
 *
 * @since 0.1.0
 * @category guards
 */
export const is = (input: unknown): input is PushType => typeof input === "string" && Object.hasOwn(table, input)

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/**
 * Whether the input can be the value of the `apns-push-type` header: a token as of RFC 9110 section 5.6.2. Apple adds push
 * types from time to time; `Notification.raw` sends those that {@link table} does not know yet.
 *
 * @since 1.0.0
 * @category guards
 */
export const isToken = (input: unknown): input is string => typeof input === "string" && token.test(input)

/**
 * What is known of a push type: its entry in {@link table}, or for another one that nothing is known (any priority, no
 * suffix, 4096 bytes).
 *
 * @since 1.0.0
 * @category accessors
 */
export const info = (pushType: string): Info => {
  if (is(pushType)) return table[pushType]
  return {
    ...table.alert,
    value: pushType,
    recommendedPriorities: [],
    notes: "A push type that this library does not know."
  }
}
