/**
 * What outboxes and runners count, beside the metrics of the pools that they send with (`ApnsMetrics`). No tag holds a
 * device token, a campaign or a tenant.
 *
 * @example
 * ```ts
 * import { OutboxMetrics } from "@effect-apns/outbox"
 * import { Effect, Metric } from "effect"
 *
 * const program = Effect.flatMap(
 *   Metric.value(OutboxMetrics.lag),
 *   ({ value }) => Effect.log(`What is due longest waits for ${value} seconds`)
 * )
 * console.log(Effect.isEffect(program))
 * ```
 *
 * @since 1.0.0
 */
import * as Metric from "effect/Metric"

/**
 * Outcomes that were written, tagged `outcome`: `"Accepted"`, `"Rejected"`, `"Failed"`.
 *
 * @since 1.0.0
 * @category metrics
 */
export const outcomes = Metric.counter("apns_outbox_outcomes_total", {
  description: "Outcomes written to the outbox",
  incremental: true
})

/**
 * Batches, tagged `event`: `"taken"` by a runner, `"finished"`, `"retried"` (put back until later), `"lost"` (another runner
 * has taken it over, or its rows are gone), `"taken over"` (from a runner that died).
 *
 * @since 1.0.0
 * @category metrics
 */
export const batches = Metric.counter("apns_outbox_batches_total", {
  description: "Batches by what happened to them",
  incremental: true
})

/**
 * Campaigns that were stopped because sending on would be of no use.
 *
 * @since 1.0.0
 * @category metrics
 */
export const stopped = Metric.counter("apns_outbox_stopped_total", {
  description: "Campaigns stopped for their credentials or their notification",
  incremental: true
})

/**
 * Failures of the database, and of `onOutcomes`, tagged `of`: `"database"`, `"onOutcomes"`, `"pool"`.
 *
 * @since 1.0.0
 * @category metrics
 */
export const failures = Metric.counter("apns_outbox_failures_total", {
  description: "Failures of what the outbox stands on",
  incremental: true
})

/**
 * Seconds that the batch that is due longest has waited for a runner: what to watch first. Each runner looks every few
 * seconds.
 *
 * @since 1.0.0
 * @category metrics
 */
export const lag = Metric.gauge("apns_outbox_lag_seconds", {
  description: "Seconds that the batch that is due longest has waited"
})

/**
 * Notifications of this process that were sent and whose outcome is not written yet: the most that can be sent twice
 * when it dies now.
 *
 * @since 1.0.0
 * @category metrics
 */
export const unsaved = Metric.gauge("apns_outbox_unsaved", {
  description: "Notifications sent whose outcome is not written yet"
})
