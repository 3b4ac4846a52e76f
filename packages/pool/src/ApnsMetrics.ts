/**
 * What pools count. Every metric is an Effect `Metric`: read them with `Metric.value`, or export them with
 * `@effect/opentelemetry`. They are of all pools of the process together, and no tag holds a device token, a topic or
 * anything else that a sender chooses.
 *
 * Counters and the histogram are written as things happen, for nanoseconds each; gauges are computed when they are read,
 * and cost nothing until then.
 *
 * @example
 * ```ts
 * import { ApnsMetrics } from "@effect-apns/pool"
 * import { Effect, Metric } from "effect"
 *
 * const queued = Metric.value(Metric.tagged(ApnsMetrics.poolRequests, "state", "queued"))
 * const program = Effect.tap(queued, ({ value }) => Effect.log(`${value} notifications wait for a stream`))
 * console.log(Effect.isEffect(program))
 * ```
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
import { Response } from "@effect-apns/core"
import { Reason } from "@effect-apns/models"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { globalValue } from "effect/GlobalValue"
import * as Metric from "effect/Metric"
import * as MetricBoundaries from "effect/MetricBoundaries"
import * as MetricKey from "effect/MetricKey"
import * as MetricLabel from "effect/MetricLabel"
import * as MetricState from "effect/MetricState"
import type * as Scope from "effect/Scope"
import type { Stats } from "./ApnsPool.js"

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
 * Answers that reject, tagged `reason`: as APNs spells it, `"UnknownReason"` for one that Apple does not document, `""`
 * where none was given.
 *
 * @since 0.1.0
 * @category metrics
 */
export const rejections = Metric.counter("apns_rejections_total", {
  description: "Rejected requests by reason",
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

/**
 * Requests that are under way, tagged `state`: `"queued"` (waits for a free stream), `"inFlight"` (waits for its answer),
 * `"retrying"` (waits to be sent again). Computed when it is read.
 *
 * @since 0.1.0
 * @category metrics
 */
export const poolRequests = Metric.gauge("apns_pool_requests", { description: "Requests under way" })

/**
 * Connections that there are, tagged `state`: `"active"`, `"connecting"`, `"draining"`. Computed when it is read.
 *
 * @since 0.1.0
 * @category metrics
 */
export const poolConnections = Metric.gauge("apns_pool_connections", { description: "Connections by what they do" })

/** Updated for every answer: an array for each would be garbage. */
const noTags: ReadonlyArray<MetricLabel.MetricLabel> = []

const accepted = Metric.tagged(outcomes, "outcome", "200")
const byOutcome = new Map<string, Metric.Metric.Counter<number>>()
const byReason = new Map<string, Metric.Metric.Counter<number>>()
const byEvent = new Map<string, Metric.Metric.Counter<number>>()

const count = (key: string): void => {
  let metric = byOutcome.get(key)
  if (metric === undefined) byOutcome.set(key, metric = Metric.tagged(outcomes, "outcome", key))
  metric.unsafeUpdate(1, noTags)
}

const event = (name: string, detail: string): void => {
  const key = `${name} ${detail}`
  let metric = byEvent.get(key)
  if (metric === undefined) {
    metric = Metric.tagged(Metric.tagged(connections, "event", name), "cause", detail)
    byEvent.set(key, metric)
  }
  metric.unsafeUpdate(1, noTags)
}

/** @internal */
export const answered = (status: number, millis: number): void => {
  if (status === 200) accepted.unsafeUpdate(1, noTags)
  else count(String(status))
  latency.unsafeUpdate(millis, noTags)
}

/** @internal */
export const rejected = (body: Uint8Array | undefined): void => {
  const reason = Either.getOrUndefined(Response.rejection(body))?.reason
  const tag = reason === undefined ? "" : Reason.known(reason) ?? "UnknownReason"
  let metric = byReason.get(tag)
  if (metric === undefined) byReason.set(tag, metric = Metric.tagged(rejections, "reason", tag))
  metric.unsafeUpdate(1, noTags)
}

/** @internal */
export const failed = (tag: string): void => count(tag)

/** @internal */
export const connectionOpened = (): void => event("opened", "")

/** @internal */
export const connectionFailed = (tag: string): void => event("failed", tag)

/** @internal */
export const connectionClosed = (cause: string): void => event("closed", cause)

interface Observed {
  readonly stats: Stats
}

const gauges: ReadonlyArray<readonly [name: string, description: string, states: ReadonlyArray<keyof Stats>]> = [
  ["apns_pool_requests", "Requests under way", ["queued", "inFlight", "retrying"]],
  ["apns_pool_connections", "Connections by what they do", ["active", "connecting", "draining"]]
]

// The registry asks a gauge for its value when somebody reads it: here it is then counted, instead of kept up to date.
const pools = () =>
  globalValue("@effect-apns/pool/ApnsMetrics/pools", () => {
    const pools = new Set<Observed>()
    for (const [name, description, states] of gauges) {
      for (const state of states) {
        const key = MetricKey.taggedWithLabels(MetricKey.gauge(name, { description }), [
          MetricLabel.make("state", state)
        ])
        const hook = Metric.globalMetricRegistry.get(key)
        hook.get = () => {
          let sum = 0
          for (const { stats } of pools) sum += Number(stats[state])
          return MetricState.gauge(sum)
        }
      }
    }
    return pools
  })

/** Lets the gauges count a pool for as long as the scope is open. @internal */
export const observed = (pool: Observed): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      pools().add(pool)
    }),
    () =>
      Effect.sync(() => {
        pools().delete(pool)
      })
  )
