/**
 * What sends the campaigns of an `Outbox`: in the same process or in others, as many as you like.
 *
 * @example
 * ```ts
 * import { OutboxRunner } from "@effect-apns/outbox"
 * import { ApnsPool } from "@effect-apns/pool"
 * import { Effect } from "effect"
 *
 * export const RunnerLive = OutboxRunner.layer({
 *   pool: () => ApnsPool.ApnsPool,
 *   onOutcomes: (outcomes) =>
 *     Effect.forEach(
 *       outcomes,
 *       (outcome) =>
 *         outcome._tag === "Rejected" && outcome.isTokenDead
 *           ? Effect.log("delete this token, unless it registered later", outcome.token, outcome.timestamp)
 *           : Effect.void,
 *       { discard: true }
 *     )
 * })
 * ```
 *
 * @since 1.0.0
 */
import type { TimeSpan } from "@effect-apns/models"
import type { ApnsPool } from "@effect-apns/pool/ApnsPool"
import type * as SqlClient from "@effect/sql/SqlClient"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as internal from "./internal/runner.js"
import type { InvalidOutboxOptions, SchemaMismatch } from "./OutboxError.js"
import type { Outcome } from "./Outcome.js"

/**
 * @since 1.0.0
 * @category type ids
 */
export const TypeId: TypeId = "~@effect-apns/outbox/OutboxRunner"

/**
 * @since 1.0.0
 * @category type ids
 */
export type TypeId = "~@effect-apns/outbox/OutboxRunner"

/**
 * What a runner is doing. The totals are since it was started.
 *
 * @since 1.0.0
 * @category models
 */
export interface Stats {
  readonly state: "running" | "stopping" | "outdated"
  /** Batches that it holds. */
  readonly batches: number
  /** Notifications that wait for their answer. */
  readonly inFlight: number
  /** Notifications that were sent and whose outcome is not written yet, those in flight included. */
  readonly unsaved: number
  /** Total of outcomes that it wrote. */
  readonly written: number
  /** Total of batches that it lost to other runners. */
  readonly lost: number
  /** Whether the database answers. */
  readonly databaseAway: boolean
}

/**
 * A runner.
 *
 * @since 1.0.0
 * @category models
 */
export interface OutboxRunner {
  readonly [TypeId]: TypeId

  readonly stats: Effect.Effect<Stats>

  /**
   * Waits until nothing is due, in all of the outbox, and all outcomes of this runner are told. What is scheduled for
   * later, or waits to be tried again, is not due.
   */
  readonly idle: Effect.Effect<void>
}

/**
 * So many notifications in each window.
 *
 * @since 1.0.0
 * @category models
 */
export interface Rate {
  readonly limit: number
  readonly window: TimeSpan.TimeSpan
}

/**
 * @since 1.0.0
 * @category models
 */
export interface Options<PE = never, PR = never, OE = never, OR = never> {
  /**
   * The pool that sends for a tenant, kept as long as the scope is open: one pool for all, or
   * `ApnsPoolMap.get`. When it fails with a `CredentialsError` or `InvalidPoolOptions`, the tenant's campaigns are
   * stopped; for any other error they are tried again later.
   */
  readonly pool: (tenant: string) => Effect.Effect<ApnsPool, PE, PR>

  /**
   * What became of tokens, in batches of at most some thousands, dead tokens first. Each outcome is told at least once:
   * again when this fails, dies or takes too long, and after a crash. Its `key` tells whether it was handled before.
   */
  readonly onOutcomes?: ((outcomes: ReadonlyArray<Outcome>) => Effect.Effect<unknown, OE, OR>) | undefined
  /** How long `onOutcomes` may take before it is interrupted and tried again. Default 1 minute. */
  readonly onOutcomesTimeout?: TimeSpan.TimeSpan | undefined

  /** What the names of the tables begin with, as in `Outbox.layer`. Default `"apns_outbox_"`. */
  readonly prefix?: string | undefined
  /**
   * Notifications at most that were sent and whose outcome is not written yet: what is sent again, under the same
   * `apns-id` and collapse id, when this process dies. Default 4000.
   */
  readonly concurrency?: number | undefined
  /**
   * How many notifications a tenant may send, by all runners together. Default: no limit. Where it throws, or gives a
   * limit below 1 or a window that does not end, nothing of the tenant is sent, the log says so, and it is asked again
   * later.
   */
  readonly rate?: ((tenant: string) => Rate | undefined) | undefined
  /** How often outcomes are written. Default 25 milliseconds. */
  readonly checkpointInterval?: TimeSpan.TimeSpan | undefined
  /** How often to look for something to send, while there is nothing. Default 250 milliseconds. */
  readonly pollInterval?: TimeSpan.TimeSpan | undefined
  /** How long after its last sign of life a runner is taken for dead, and others go on with its batches. Default 10 seconds, at least 1. */
  readonly lock?: TimeSpan.TimeSpan | undefined
  /** How often runners may die with a batch, without one outcome in between, before it is given up. Default 5. */
  readonly maxDeaths?: number | undefined
  /** How long closing waits for answers, and for `onOutcomes`. Default 10 seconds. */
  readonly drainTimeout?: TimeSpan.TimeSpan | undefined
  readonly retention?: Retention | undefined
}

/**
 * How long what is done is kept.
 *
 * @since 1.0.0
 * @category models
 */
export interface Retention {
  /**
   * Tokens and outcomes of campaigns that have ended; their counts stay. Counts from the end of the campaign, too, for what
   * `enqueueAll` has written of one that it never completed. Default 7 days.
   */
  readonly details?: TimeSpan.TimeSpan | undefined
  /** The campaigns themselves: after that their ids are forgotten, and can be used again. Default 30 days. */
  readonly campaigns?: TimeSpan.TimeSpan | undefined
}

/**
 * @since 1.0.0
 * @category tags
 */
export const OutboxRunner: Context.Tag<OutboxRunner, OutboxRunner> = Context.GenericTag<OutboxRunner>(
  "@effect-apns/outbox/OutboxRunner"
)

/**
 * A runner that sends for as long as the scope is open. Where the database cannot be reached, it waits for it, and logs
 * that it does. Closing the scope sends nothing more, waits for the answers of what is in flight, writes the outcomes
 * and gives back what it holds, so that other runners go on at once.
 *
 * @since 1.0.0
 * @category constructors
 */
export const make = <PE = never, PR = never, OE = never, OR = never>(
  options: Options<PE, PR, OE, OR>
): Effect.Effect<
  OutboxRunner,
  InvalidOutboxOptions | SchemaMismatch,
  SqlClient.SqlClient | Scope.Scope | Exclude<PR, Scope.Scope> | OR
> => internal.make(options)

/**
 * {@link make} as a Layer.
 *
 * @since 1.0.0
 * @category layers
 */
export const layer = <PE = never, PR = never, OE = never, OR = never>(
  options: Options<PE, PR, OE, OR>
): Layer.Layer<
  OutboxRunner,
  InvalidOutboxOptions | SchemaMismatch,
  SqlClient.SqlClient | Exclude<PR | OR, Scope.Scope>
> => Layer.scoped(OutboxRunner, make(options))
