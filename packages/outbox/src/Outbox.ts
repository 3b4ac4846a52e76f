/**
 * Notifications that are written down first, in the same transaction as the data they belong to, and sent afterwards by
 * an `OutboxRunner`, on whatever machine is alive: nothing is lost when a process dies, nothing is sent that was rolled
 * back.
 *
 * @example
 * ```ts
 * import { Notification } from "@effect-apns/models"
 * import { Outbox } from "@effect-apns/outbox"
 * import { SqlClient } from "@effect/sql"
 * import { Effect } from "effect"
 *
 * export const ship = (order: string, token: string) =>
 *   Outbox.withTransaction(Effect.gen(function*() {
 *     const sql = yield* SqlClient.SqlClient
 *     const outbox = yield* Outbox.Outbox
 *     yield* sql`UPDATE orders SET shipped = 1 WHERE id = ${order}`
 *     yield* outbox.enqueue({
 *       id: `shipped-${order}`,
 *       tokens: [token],
 *       notification: Notification.alert({ alert: "Your order is on its way" })
 *     })
 *   }))
 * ```
 *
 * @since 1.0.0
 */
import type { Request } from "@effect-apns/core"
import type { Expiration, Notification, Priority, TimeSpan } from "@effect-apns/models"
import type * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Context from "effect/Context"
import type * as DateTime from "effect/DateTime"
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Stream from "effect/Stream"
import * as internal from "./internal/outbox.js"
import type {
  CampaignBusy,
  CampaignConflict,
  CampaignNotFound,
  InvalidCampaign,
  InvalidOutboxOptions,
  SchemaMismatch
} from "./OutboxError.js"
import type * as Outcome from "./Outcome.js"

/**
 * @since 1.0.0
 * @category type ids
 */
export const TypeId: TypeId = "~@effect-apns/outbox/Outbox"

/**
 * @since 1.0.0
 * @category type ids
 */
export type TypeId = "~@effect-apns/outbox/Outbox"

/**
 * When a notification is sent again that APNs did not take for now (429, 500, 503), or that could not be sent at all.
 * A `Retry-After` of APNs that is longer is kept to.
 *
 * @since 1.0.0
 * @category models
 */
export interface RetryOptions {
  /**
   * Before the first repetition. Default: 15 minutes after 500 and 503 (Apple: "Handling notification responses from
   * APNs"), 1 minute after 429, 10 seconds while APNs cannot be reached.
   */
  readonly delay?: TimeSpan.TimeSpan | undefined
  /** By how much each delay is longer than the one before. Default 2. */
  readonly factor?: number | undefined
  /** The longest delay. Default: 1 hour after 500 and 503, 15 minutes after 429, 5 minutes while APNs cannot be reached. */
  readonly maxDelay?: TimeSpan.TimeSpan | undefined
  /** How often a notification is tried at most, each time with the pool's own repetitions. Default: no limit. */
  readonly attempts?: number | undefined
}

/**
 * One notification for any number of devices.
 *
 * @since 1.0.0
 * @category models
 */
export interface CampaignOptions<N extends Notification.Notification = Notification.Notification> {
  /**
   * Names the campaign, in all of the outbox: what is enqueued twice under one id is one campaign, sent once. At most 1024
   * characters. The `apns-id` of every notification is made from it.
   */
  readonly id: string
  /** Whose campaign it is: decides which pool sends it, and what it shares a rate with. Default `"default"`. */
  readonly tenant?: string | undefined
  readonly notification: N
  /** The app's bundle ID; the push type's suffix is added where Apple wants one. Default: the topic of the runner's pool. */
  readonly topic?: string | undefined
  /** `apns-priority`. Default: what Apple prescribes for the push type, else none is sent and APNs takes 10. */
  readonly priority?: Priority.For<N["pushType"]> | undefined
  /** `apns-expiration`: how long APNs may store it. Default: `expiresAt` where that is given, else APNs decides. */
  readonly expiration?: Expiration.Expiration | undefined
  /** `apns-collapse-id` of all its notifications. Default: for alerts, each notification has its own, made from campaign and index. */
  readonly collapseId?: string | undefined
  /** How long one attempt waits for APNs's answer. Default 10 seconds. */
  readonly timeout?: TimeSpan.TimeSpan | undefined
  /** Whether to send again when nobody knows if APNs has processed it. Default: as the pool is set up. */
  readonly retransmit?: Request.Retransmit | undefined
  /** When to send it. Default: at once. */
  readonly at?: DateTime.DateTime | Date | undefined
  /** When it ends: what has no outcome by then gets `Expired`. Default: 24 hours after `at`. */
  readonly expiresAt?: DateTime.DateTime | Date | undefined
  readonly retry?: RetryOptions | undefined
}

/**
 * A campaign with its tokens at hand.
 *
 * @since 1.0.0
 * @category models
 */
export interface EnqueueOptions<N extends Notification.Notification = Notification.Notification>
  extends CampaignOptions<N>
{
  /** Device tokens, in hexadecimal: at least one. */
  readonly tokens: ReadonlyArray<string>
  /**
   * What becomes of a text that is no device token: `"refuse"` (default) fails, and nothing is written; `"report"` takes
   * it, and its outcome is a rejection with `BadDeviceToken`, as APNs would give.
   */
  readonly invalidTokens?: "refuse" | "report" | undefined
}

/**
 * A campaign whose tokens come as a stream, however many.
 *
 * @since 1.0.0
 * @category models
 */
export interface EnqueueAllOptions<E, R, N extends Notification.Notification = Notification.Notification>
  extends CampaignOptions<N>
{
  /**
   * At least one. Where the id is in the outbox already, they are read to the end and compared: other tokens fail with
   * `CampaignConflict`.
   */
  readonly tokens: Stream.Stream<string, E, R>
  /** As in {@link EnqueueOptions}, and by default `"report"`: one bad row does not hold up a million others. */
  readonly invalidTokens?: "refuse" | "report" | undefined
  /** Tokens in a row of the database, from 1 to 50,000. Default 5000. */
  readonly batchSize?: number | undefined
}

/**
 * The result of enqueueing.
 *
 * @since 1.0.0
 * @category models
 */
export interface Enqueued {
  readonly id: string
  /** `false`: the campaign was there already, and nothing was changed. */
  readonly created: boolean
  /** Tokens of the campaign. */
  readonly total: number
}

/**
 * The state of a campaign, and how many of its tokens have which outcome.
 *
 * - `"filling"`: `enqueueAll` is at work on it, or died; nothing is sent
 * - `"scheduled"`: its time has not come
 * - `"sending"`: it is being sent, or waits for a runner or for the next repetition
 * - `"done"`: every token has its outcome
 * - `"paused"`, `"cancelled"`: as it was told
 * - `"stopped"`: sending more of it would fail as well; `reason` says why
 *
 * @since 1.0.0
 * @category models
 */
export interface Progress {
  readonly id: string
  readonly tenant: string
  readonly state: "filling" | "scheduled" | "sending" | "done" | "paused" | "stopped" | "cancelled"
  /** Tokens; while it is being filled, those written so far. */
  readonly total: number
  readonly accepted: number
  readonly rejected: number
  readonly failed: number
  readonly cancelled: number
  /** Tokens without an outcome that were tried and wait to be sent again. Part of `left`. */
  readonly retrying: number
  /** Tokens without an outcome. */
  readonly left: number
  /** Why it is stopped, or what last kept it from being sent. */
  readonly reason: string | undefined
  readonly at: DateTime.Utc
  readonly expiresAt: DateTime.Utc
}

/**
 * Which outcomes to read.
 *
 * @since 1.0.0
 * @category models
 */
export interface OutcomesOptions {
  /** The cursor of the last outcome that was read; what came later follows. Default: from the first that is kept. */
  readonly since?: string | undefined
  /** Only of this campaign. */
  readonly campaign?: string | undefined
  /** Only of this tenant. */
  readonly tenant?: string | undefined
  /** Wait for more when all that there are have been read, and look again so often. Default: end then. */
  readonly follow?: TimeSpan.TimeSpan | undefined
}

/**
 * @since 1.0.0
 * @category models
 */
export interface Outbox {
  readonly [TypeId]: TypeId

  /**
   * Writes a campaign, inside the transaction that the caller is in: it is sent when that commits, and was never there
   * when it is rolled back. A campaign with this id and the same content is left as it is.
   */
  readonly enqueue: <const N extends Notification.Notification>(
    options: EnqueueOptions<N>
  ) => Effect.Effect<Enqueued, InvalidCampaign | CampaignConflict | CampaignBusy | SqlError>

  /**
   * Writes a campaign from a stream, in constant memory and many transactions; nothing of it is sent before all of it is
   * there. When the stream fails or is interrupted, the same call with the same id goes on: it reads the stream from its
   * beginning, keeps what is written already where it is the same, and writes the rest. When the process was killed, it
   * fails with `CampaignBusy` for 30 seconds before that.
   */
  readonly enqueueAll: <E, R, const N extends Notification.Notification>(
    options: EnqueueAllOptions<E, R, N>
  ) => Effect.Effect<Enqueued, E | InvalidCampaign | CampaignConflict | CampaignBusy | SqlError, R>

  readonly progress: (id: string) => Effect.Effect<Progress, CampaignNotFound | SqlError>

  /**
   * Gives up what has not been sent: its outcome is `Cancelled`. A runner waits for the answers of what is in flight. A
   * campaign that is still being filled is deleted.
   */
  readonly cancel: (id: string) => Effect.Effect<Progress, CampaignNotFound | SqlError>

  /** Runners stop sending it within a second, until {@link Outbox.resume}. Its `expiresAt` stays as it is. */
  readonly pause: (id: string) => Effect.Effect<Progress, CampaignNotFound | SqlError>

  /** Continues a campaign that is paused or stopped. */
  readonly resume: (id: string) => Effect.Effect<Progress, CampaignNotFound | SqlError>

  /**
   * Outcomes in the order in which they were written, each exactly once; the cursor of the last one is where to go on.
   * Each has its place before it can be seen, whichever runner wrote it.
   */
  readonly outcomes: (options?: OutcomesOptions) => Stream.Stream<Outcome.Outcome, InvalidCampaign | SqlError>

  /**
   * Tokens of a campaign that were not reached through no fault of their own: those without an answer, and those whose
   * notification, topic or credentials APNs refused. Dead tokens and cancelled notifications are not among them.
   */
  readonly deadLetters: (id: string) => Stream.Stream<Outcome.Outcome, CampaignNotFound | SqlError>

  /**
   * Sends the dead letters of a campaign again, under the same `apns-id` and collapse id; their outcomes are of the next
   * round. Where the campaign has ended, it lives for as long again as it did. Returns how many there are.
   */
  readonly sendAgain: (id: string) => Effect.Effect<number, CampaignNotFound | SqlError>
}

/**
 * @since 1.0.0
 * @category tags
 */
export const Outbox: Context.Tag<Outbox, Outbox> = Context.GenericTag<Outbox>("@effect-apns/outbox/Outbox")

/**
 * @since 1.0.0
 * @category models
 */
export interface Options {
  /**
   * What the names of all tables begin with: lower-case letters, digits and underscores. Writers and runners that belong
   * together share it. Default `"apns_outbox_"`.
   */
  readonly prefix?: string | undefined
  /** How long a campaign lives that names no end. Default 24 hours. */
  readonly lifetime?: TimeSpan.TimeSpan | undefined
}

/**
 * The outbox in the database of the `SqlClient`: libSQL (and SQLite) or PostgreSQL. Makes its tables where they are
 * missing or older.
 *
 * @since 1.0.0
 * @category constructors
 */
export const make = (
  options: Options = {}
): Effect.Effect<Outbox, InvalidOutboxOptions | SchemaMismatch | SqlError, SqlClient.SqlClient> =>
  internal.make(options)

/**
 * {@link make} as a Layer. It sends nothing: that is what `OutboxRunner` does, in the same process or in others.
 *
 * @since 1.0.0
 * @category layers
 */
export const layer = (
  options: Options = {}
): Layer.Layer<Outbox, InvalidOutboxOptions | SchemaMismatch | SqlError, SqlClient.SqlClient> =>
  Layer.effect(Outbox, make(options))

/**
 * `withTransaction` of the `SqlClient`, where a COMMIT that fails (a full disk, a deferred constraint, a database that
 * went away) is a `SqlError` that the caller can handle: @effect/sql makes it a defect. The client of `LibsqlFile` does
 * this by itself.
 *
 * @example
 * ```ts
 * import { Notification } from "@effect-apns/models"
 * import { Outbox } from "@effect-apns/outbox"
 * import { SqlClient } from "@effect/sql"
 * import { Effect } from "effect"
 *
 * export const ship = (order: string, token: string) =>
 *   Outbox.withTransaction(Effect.gen(function*() {
 *     const sql = yield* SqlClient.SqlClient
 *     const outbox = yield* Outbox.Outbox
 *     yield* sql`UPDATE orders SET shipped = 1 WHERE id = ${order}`
 *     yield* outbox.enqueue({
 *       id: `shipped-${order}`,
 *       tokens: [token],
 *       notification: Notification.alert({ alert: "Your order is on its way" })
 *     })
 *   })).pipe(
 *     Effect.catchTag("SqlError", (error) => Effect.logError("Nothing was written, and nothing is sent", error))
 *   )
 * ```
 *
 * @since 1.0.0
 * @category combinators
 */
export const withTransaction = <A, E, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E | SqlError, R | SqlClient.SqlClient> => internal.withTransaction(effect)
