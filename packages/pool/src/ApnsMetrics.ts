/**
 * What a pool counts. Every metric is an Effect `Metric`: read them with `Metric.value`, or export them with
 * `@effect/opentelemetry`.
 *
 * @example
 * ```ts
 * import { ApnsMetrics } from "@effect-apns/pool"
 * import { Effect, Metric } from "effect"
 *
 * const accepted = Metric.value(Metric.tagged(ApnsMetrics.outcomes, "outcome", "200"))
 * const program = Effect.flatMap(accepted, ({ count }) => Effect.log(`${count} notifications were accepted`))
 * console.log(Effect.isEffect(program))
 * ```
 *
 * @since 0.1.0
 */
import * as Metric from "effect/Metric"
import * as MetricBoundaries from "effect/MetricBoundaries"

/**
 * Outcomes, tagged `outcome`: the status of the answer (`"200"`, `"410"`, ...) or the tag of the failure
 * (`"Timeout"`, ...).
 *
 * @since 0.1.0
 * @category metrics
 */
export const outcomes = Metric.counter("apns_outcomes_total", {
  description: "Requests by outcome",
  incremental: true
})

/**
 * Milliseconds from sending a request to its answer.
 *
 * @since 0.1.0
 * @category metrics
 */
export const latency = Metric.histogram(
  "apns_latency_milliseconds",
  MetricBoundaries.fromIterable([1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000]),
  "Milliseconds from sending a request to its answer"
)

/**
 * Connections, tagged `event`: `opened`, `failed` (with the error), `closed` (with the cause).
 *
 * @since 0.1.0
 * @category metrics
 */
export const connections = Metric.counter("apns_connections_total", {
  description: "Connections opened, failed and closed",
  incremental: true
})

const accepted = Metric.tagged(outcomes, "outcome", "200")
const byOutcome = new Map<string, Metric.Metric.Counter<number>>()
const byEvent = new Map<string, Metric.Metric.Counter<number>>()

const count = (key: string): void => {
  let metric = byOutcome.get(key)
  if (metric === undefined) byOutcome.set(key, metric = Metric.tagged(outcomes, "outcome", key))
  metric.unsafeUpdate(1, [])
}

const event = (name: string, detail: string): void => {
  const key = `${name} ${detail}`
  let metric = byEvent.get(key)
  if (metric === undefined) {
    metric = Metric.tagged(Metric.tagged(connections, "event", name), "cause", detail)
    byEvent.set(key, metric)
  }
  metric.unsafeUpdate(1, [])
}

/** @internal */
export const answered = (status: number, millis: number): void => {
  if (status === 200) accepted.unsafeUpdate(1, [])
  else count(String(status))
  latency.unsafeUpdate(millis, [])
}

/** @internal */
export const failed = (tag: string): void => count(tag)

/** @internal */
export const connectionOpened = (): void => event("opened", "")

/** @internal */
export const connectionFailed = (tag: string): void => event("failed", tag)

/** @internal */
export const connectionClosed = (cause: string): void => event("closed", cause)
