/**
 * Durable and scheduled delivery of Apple push notifications on SQL.
 *
 * @since 1.0.0
 */

/**
 * @since 1.0.0
 */
export * as LibsqlFile from "./LibsqlFile.js"

/**
 * @since 1.0.0
 */
export * as Outbox from "./Outbox.js"

/**
 * @since 1.0.0
 */
export * as OutboxError from "./OutboxError.js"

/**
 * @since 1.0.0
 */
export * as OutboxMetrics from "./OutboxMetrics.js"

/**
 * @since 1.0.0
 */
export * as OutboxRunner from "./OutboxRunner.js"

/**
 * @since 1.0.0
 */
export * as Outcome from "./Outcome.js"
