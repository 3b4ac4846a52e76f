/**
 * What the inbox tells about a push, and what it is told: plain data with Schemas, the same in the process, over HTTP and
 * in the page.
 *
 * @example
 * ```ts
 * import { Model } from "@effect-apns/inbox"
 * import { Schema } from "effect"
 *
 * const busy: Model.AnswerOptions = { reason: "TooManyRequests", retryAfter: 30, times: 3 }
 * console.log(Schema.is(Model.AnswerOptions)(busy)) // true
 * ```
 *
 * @since 1.0.0
 */
import * as Schema from "effect/Schema"

/**
 * What became of a push:
 *
 * - `accepted`: processed and answered 200
 * - `rejected`: processed and answered with a reason
 * - `unanswered`: processed, and a fault kept the answer away, so that the sender cannot know
 * - `lost`: a fault took it before it was processed
 * - `waiting`: not processed yet
 *
 * @since 1.0.0
 * @category models
 */
export const Outcome = Schema.Literal("accepted", "rejected", "unanswered", "lost", "waiting").annotations({
  identifier: "Outcome"
})

/**
 * @since 1.0.0
 * @category models
 */
export type Outcome = typeof Outcome.Type

/**
 * How a push is shown: its push type, or that it is a broadcast or the management of a channel.
 *
 * @since 1.0.0
 * @category models
 */
export const Kind = Schema.Literal(
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
  "widgets",
  "channel",
  "other"
).annotations({ identifier: "Kind" })

/**
 * @since 1.0.0
 * @category models
 */
export type Kind = typeof Kind.Type

const optional = <A, I, R>(schema: Schema.Schema<A, I, R>) => Schema.optional(schema)

/**
 * One value of a Live Activity that is not what it was in the push before.
 *
 * @since 1.0.0
 * @category models
 */
export const Change = Schema.Struct({
  /** Such as `score.home`. */
  path: Schema.String,
  /** JSON text; left out where there was nothing. */
  from: optional(Schema.String),
  /** JSON text; left out where there is nothing any more. */
  to: optional(Schema.String)
}).annotations({ identifier: "Change" })

/**
 * @since 1.0.0
 * @category models
 */
export interface Change extends Schema.Schema.Type<typeof Change> {}

/**
 * The state of a Live Activity after a push.
 *
 * @since 1.0.0
 * @category models
 */
export const Activity = Schema.Struct({
  event: Schema.String,
  /** The Swift type of the attributes, from the start of the activity where the inbox saw it. */
  attributesType: optional(Schema.String),
  /** Path and value of everything in the state, the first 50. */
  state: Schema.Array(Schema.Struct({ path: Schema.String, value: Schema.String })),
  /** What is new against the push before, the first 50; all of it where there was none. */
  changes: Schema.Array(Change),
  /** The push before, of the same activity. */
  previous: optional(Schema.Number),
  /** Unix seconds. */
  staleDate: optional(Schema.Number),
  /** Unix seconds. */
  dismissalDate: optional(Schema.Number)
}).annotations({ identifier: "Activity" })

/**
 * @since 1.0.0
 * @category models
 */
export interface Activity extends Schema.Schema.Type<typeof Activity> {}

/**
 * A push as the list shows it.
 *
 * @since 1.0.0
 * @category models
 */
export const Push = Schema.Struct({
  /** 1 for the first push, 2 for the next, ...; never used twice while the inbox runs. */
  id: Schema.Number,
  /** When its headers arrived, in milliseconds since the epoch. */
  time: Schema.Number,
  kind: Kind,
  broadcast: Schema.Boolean,
  method: Schema.String,
  path: Schema.String,
  /** The device token. */
  token: optional(Schema.String),
  topic: optional(Schema.String),
  pushType: optional(Schema.String),
  priority: optional(Schema.Number),
  collapseId: optional(Schema.String),
  channelId: optional(Schema.String),
  apnsId: Schema.String,
  /** A name for the app, made from the topic. */
  app: Schema.String,
  outcome: Outcome,
  status: optional(Schema.Number),
  reason: optional(Schema.String),
  /** Bytes of the body. */
  size: Schema.Number,
  /** The largest body that APNs takes for this push. */
  limit: Schema.Number,
  /** The words, localized ones filled in where the strings are known. */
  title: optional(Schema.String),
  subtitle: optional(Schema.String),
  body: optional(Schema.String),
  /** The keys of localized words whose strings are not known: they are shown as they are. */
  unresolved: Schema.Array(Schema.String),
  badge: optional(Schema.Number),
  sound: optional(Schema.String),
  /** A critical alert: it sounds even when the device is muted. */
  critical: Schema.Boolean,
  level: optional(Schema.String),
  threadId: optional(Schema.String),
  category: optional(Schema.String),
  activity: optional(Activity),
  /** The push with the same collapse id that this one replaces on the device. */
  replaces: optional(Schema.Number),
  /** The push with the same collapse id that replaced this one. */
  replacedBy: optional(Schema.Number),
  /** How many findings of each severity `Lint` has. */
  errors: Schema.Number,
  warnings: Schema.Number
}).annotations({ identifier: "Push" })

/**
 * @since 1.0.0
 * @category models
 */
export interface Push extends Schema.Schema.Type<typeof Push> {}

/**
 * What is wrong with a push: see `Lint` of `@effect-apns/models`.
 *
 * @since 1.0.0
 * @category models
 */
export const Finding = Schema.Struct({
  rule: Schema.String,
  severity: Schema.Literal("error", "warning", "info"),
  key: Schema.String,
  what: Schema.String,
  why: Schema.String,
  page: Schema.String,
  url: Schema.String
}).annotations({ identifier: "Finding" })

/**
 * @since 1.0.0
 * @category models
 */
export interface Finding extends Schema.Schema.Type<typeof Finding> {}

/**
 * Everything that the inbox knows of a push.
 *
 * @since 1.0.0
 * @category models
 */
export const PushDetail = Schema.Struct({
  ...Push.fields,
  /** Request headers, pseudo-headers included; of `authorization` the scheme alone. */
  headers: Schema.Array(Schema.Struct({ name: Schema.String, value: Schema.String })),
  /** The body as text. */
  text: Schema.String,
  /** The body as JSON; left out where it is none. */
  payload: optional(Schema.Unknown),
  findings: Schema.Array(Finding),
  /** The provider token without its signature; left out where there was none. */
  jwt: optional(Schema.Struct({
    header: Schema.Record({ key: Schema.String, value: Schema.Unknown }),
    claims: Schema.Record({ key: Schema.String, value: Schema.Unknown }),
    /** Seconds from `iat` to the arrival of the push. */
    age: optional(Schema.Number),
    /** Why it cannot be read. */
    problem: optional(Schema.String)
  })),
  connection: Schema.Struct({
    id: Schema.Number,
    streamId: Schema.Number,
    tls: optional(Schema.String),
    serverName: optional(Schema.String),
    openedAt: optional(Schema.Number),
    requests: optional(Schema.Number),
    open: optional(Schema.Boolean),
    clientCertificate: optional(Schema.String)
  }),
  timing: Schema.Struct({
    /** Milliseconds since the epoch. */
    arrived: Schema.Number,
    /** When it was processed, in milliseconds since the epoch. */
    processed: optional(Schema.Number),
    /** Milliseconds from the one to the other. */
    took: optional(Schema.Number)
  }),
  /** What the inbox was told to do with it. */
  told: optional(Schema.String)
}).annotations({ identifier: "PushDetail" })

/**
 * @since 1.0.0
 * @category models
 */
export interface PushDetail extends Schema.Schema.Type<typeof PushDetail> {}

/**
 * How many pushes there were since the inbox started or was cleared, exactly, and how many are kept.
 *
 * @since 1.0.0
 * @category models
 */
export const Counts = Schema.Struct({
  total: Schema.Number,
  accepted: Schema.Number,
  rejected: Schema.Number,
  unanswered: Schema.Number,
  lost: Schema.Number,
  waiting: Schema.Number,
  /** How many can be looked at: the newest. */
  kept: Schema.Number
}).annotations({ identifier: "Counts" })

/**
 * @since 1.0.0
 * @category models
 */
export interface Counts extends Schema.Schema.Type<typeof Counts> {}

/**
 * Which pushes: all that match every field that is given.
 *
 * @since 1.0.0
 * @category models
 */
export const Filter = Schema.Struct({
  /** Found in the payload, the words shown, the topic, the token, the ids or the reason, whatever the case. */
  text: optional(Schema.String),
  /** The topic, or the bundle ID without the suffix of a push type. */
  topic: optional(Schema.String),
  /** The device token, or the channel id of a broadcast; the beginning is enough from 6 characters on. */
  token: optional(Schema.String),
  pushType: optional(Schema.String),
  outcome: optional(Outcome),
  collapseId: optional(Schema.String),
  apnsId: optional(Schema.String)
}).annotations({ identifier: "Filter" })

/**
 * @since 1.0.0
 * @category models
 */
export interface Filter extends Schema.Schema.Type<typeof Filter> {}

/**
 * A fault: what happens in place of an answer.
 *
 * - `goaway`: GOAWAY that leaves the push out; it is not processed
 * - `goaway-after`: GOAWAY that includes the push; it is processed and answered
 * - `reset`: RST_STREAM with INTERNAL_ERROR; it was processed
 * - `refuse`: RST_STREAM with REFUSED_STREAM; it is not processed
 * - `drop`: the TCP connection ends; it is not processed
 * - `drop-after`: it is processed, then the TCP connection ends without an answer
 * - `black-hole`: it is read and never answered
 *
 * @since 1.0.0
 * @category models
 */
export const Fault = Schema.Literal("goaway", "goaway-after", "reset", "refuse", "drop", "drop-after", "black-hole")
  .annotations({ identifier: "Fault" })

/**
 * @since 1.0.0
 * @category models
 */
export type Fault = typeof Fault.Type

const Text = Schema.String.pipe(Schema.minLength(1), Schema.maxLength(8192))

const Whole = Schema.Int.pipe(Schema.nonNegative())

/**
 * How the inbox is to answer: a reason of APNs's or a fault, at once or later, to some pushes or to all.
 *
 * @since 1.0.0
 * @category models
 */
export const AnswerOptions = Schema.Struct({
  /** A device token, or the id of a channel. Defaults to any. */
  token: optional(Text),
  /** A topic, or a bundle ID for all of its topics. Defaults to any. */
  topic: optional(Text),
  pushType: optional(Text),
  /** How many pushes it is for. Defaults to all until it is removed. */
  times: optional(Schema.Int.pipe(Schema.positive())),
  /** A reason of APNs's, such as `Unregistered`, or any other. */
  reason: optional(Text),
  /** Defaults to the one that Apple documents for the reason, and to 400 for others. */
  status: optional(Schema.Int.pipe(Schema.between(200, 599))),
  /** `retry-after`, in seconds. */
  retryAfter: optional(Whole),
  /** When the token was found dead, in milliseconds since the epoch. Defaults to now for `Unregistered` and `ExpiredToken`. */
  timestamp: optional(Whole),
  /** Milliseconds, at most an hour. Without `reason` and `fault` the push is answered as usual, only later. */
  delay: optional(Whole.pipe(Schema.lessThanOrEqualTo(3_600_000))),
  fault: optional(Fault)
}).pipe(
  Schema.filter((options) =>
    options.reason !== undefined && options.fault !== undefined
      ? "Give a reason or a fault, not both."
      : options.reason === undefined && options.fault === undefined && options.delay === undefined
      ? "Give a reason, a fault or a delay."
      : true
  ),
  // with a misspelt `times`, every later push would get this answer
  Schema.annotations({ identifier: "AnswerOptions", parseOptions: { onExcessProperty: "error" } })
)

/**
 * @since 1.0.0
 * @category models
 */
export type AnswerOptions = typeof AnswerOptions.Type

/**
 * An answer that is in force.
 *
 * @since 1.0.0
 * @category models
 */
export const Answer = Schema.Struct({
  id: Schema.Number,
  options: AnswerOptions,
  /** How many pushes it was given to. */
  used: Schema.Number
}).annotations({ identifier: "Answer" })

/**
 * @since 1.0.0
 * @category models
 */
export interface Answer extends Schema.Schema.Type<typeof Answer> {}

/**
 * What to send from the inbox.
 *
 * @since 1.0.0
 * @category models
 */
export const SendOptions = Schema.Struct({
  /** Defaults to the inbox itself. */
  to: optional(Schema.Literal("inbox", "sandbox")),
  /** A push type of APNs's, or `broadcast`. */
  pushType: Schema.String,
  /** The device token; for a broadcast the channel id, where nothing makes a channel in the inbox. */
  token: optional(Schema.String),
  /** The bundle ID; the push type's suffix is added. */
  topic: Schema.String,
  payload: Schema.Record({ key: Schema.String, value: Schema.Unknown }),
  priority: optional(Schema.Literal(10, 5, 1)),
  /** Unix seconds; 0 for one attempt. */
  expiration: optional(Schema.Number),
  collapseId: optional(Schema.String)
}).annotations({ identifier: "SendOptions" })

/**
 * @since 1.0.0
 * @category models
 */
export interface SendOptions extends Schema.Schema.Type<typeof SendOptions> {}

/**
 * What became of a push that was sent from the inbox, as the library told it.
 *
 * @since 1.0.0
 * @category models
 */
export const Sent = Schema.Struct({
  outcome: Schema.Literal("accepted", "rejected", "failed"),
  apnsId: optional(Schema.String),
  /** The tag of the error: `Unregistered`, `Timeout`, ... */
  error: optional(Schema.String),
  message: optional(Schema.String),
  /** Whether APNs can have processed it. */
  processed: optional(Schema.String),
  attempts: optional(Schema.Number)
}).annotations({ identifier: "Sent" })

/**
 * @since 1.0.0
 * @category models
 */
export interface Sent extends Schema.Schema.Type<typeof Sent> {}

/**
 * What the inbox is and how to reach it.
 *
 * @since 1.0.0
 * @category models
 */
export const Info = Schema.Struct({
  version: Schema.String,
  /** Another one after each start. */
  session: Schema.String,
  /** Where the mock APNs listens: `https://localhost:PORT`. */
  origin: Schema.String,
  /** The variables of the environment that point a client at it, as `apns mock` prints them. */
  variables: Schema.Record({ key: Schema.String, value: Schema.String }),
  /** The topic that the page proposes. */
  topic: Schema.String,
  /** Whether the page can send to Apple's sandbox. */
  sandbox: Schema.Boolean,
  /** How many pushes are kept at most. */
  keep: Schema.Number,
  /** The reasons that APNs gives, with their statuses: what pushes can be answered with. */
  reasons: Schema.Array(Schema.Struct({ reason: Schema.String, status: Schema.Number }))
}).annotations({ identifier: "Info" })

/**
 * @since 1.0.0
 * @category models
 */
export interface Info extends Schema.Schema.Type<typeof Info> {}

/**
 * A list of pushes, newest first.
 *
 * @since 1.0.0
 * @category models
 */
export const PushList = Schema.Struct({
  pushes: Schema.Array(Push),
  counts: Counts,
  /** Whether there are older ones that match. */
  more: Schema.Boolean
}).annotations({ identifier: "PushList" })

/**
 * @since 1.0.0
 * @category models
 */
export interface PushList extends Schema.Schema.Type<typeof PushList> {}

/**
 * What `/api/events` sends, as the data of an event of the same name: `hello` first, with the newest pushes that match,
 * then `pushes` for what is new or has changed (oldest first), `answers` when those in force change, and `cleared`.
 *
 * @since 1.0.0
 * @category models
 */
export const Event = Schema.Union(
  Schema.Struct({
    _tag: Schema.Literal("hello"),
    info: Info,
    counts: Counts,
    pushes: Schema.Array(Push),
    answers: Schema.Array(Answer)
  }),
  Schema.Struct({
    _tag: Schema.Literal("pushes"),
    counts: Counts,
    pushes: Schema.Array(Push),
    /** How many more came than are told here: only the newest are. */
    skipped: Schema.Number,
    /** The ids of those that no longer match: with the filter `outcome=waiting`, of those that wait no longer. */
    gone: Schema.Array(Schema.Number)
  }),
  Schema.Struct({ _tag: Schema.Literal("answers"), answers: Schema.Array(Answer) }),
  Schema.Struct({ _tag: Schema.Literal("cleared"), counts: Counts })
).annotations({ identifier: "Event" })

/**
 * @since 1.0.0
 * @category models
 */
export type Event = typeof Event.Type
