/**
 * What pools count. Every metric is an Effect `Metric`: export them with `@effect/opentelemetry`, or read them with
 * {@link total}.
 *
 * Each has the tags `endpoint` (the origin that the pool connects to) and `tenant` (the pool's `name`, `""` where it has
 * none), beside its own. No tag holds a device token, a topic or anything else that comes with a notification.
 *
 * Counters and the histogram are updated when something happens, which costs nanoseconds; gauges are computed when they
 * are read, and cost nothing until then.
 *
 * @example
 * ```ts
 * import { ApnsMetrics } from "@effect-apns/pool"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const accepted = yield* ApnsMetrics.total(ApnsMetrics.outcomes, { outcome: "200" })
 *   const queued = yield* ApnsMetrics.total(ApnsMetrics.poolRequests, { state: "queued", tenant: "acme" })
 *   yield* Effect.log(`${accepted} notifications were accepted, ${queued} of acme wait for a stream`)
 * })
 * console.log(Effect.isEffect(program))
 * ```
 *
 * @since 0.1.0
 */
import { Reason } from "@effect-apns/models"
import * as Effect from "effect/Effect"
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
 * Seconds from sending a request, the last time that it was sent, to its answer.
 *
 * @since 0.1.0
 * @category metrics
 */
export const latency = Metric.histogram(
  "apns_latency_seconds",
  MetricBoundaries.fromIterable([0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10]),
  "Seconds from sending a request to its answer"
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
 * Requests in progress, tagged `state`: `"queued"` (waits for a free stream), `"inFlight"` (waits for its answer),
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

const names = new Map<object, string>([
  [outcomes, "apns_outcomes_total"],
  [rejections, "apns_rejections_total"],
  [connections, "apns_connections_total"],
  [poolRequests, "apns_pool_requests"],
  [poolConnections, "apns_pool_connections"]
])

/**
 * The sum of one of these counters or gauges over all its series that have the given tags, in this process; 0 where there
 * is none.
 *
 * @since 1.0.0
 * @category accessors
 */
export const total = (
  metric: Metric.Metric.Counter<number> | Metric.Metric.Gauge<number>,
  tags: Readonly<Record<string, string>> = {}
): Effect.Effect<number> =>
  Effect.sync(() => {
    const name = names.get(metric)
    const wanted = Object.entries(tags)
    let sum = 0
    for (const { metricKey, metricState } of Metric.unsafeSnapshot()) {
      if (metricKey.name !== name) continue
      if (!wanted.every(([key, value]) => metricKey.tags.some((tag) => tag.key === key && tag.value === value))) {
        continue
      }
      if (MetricState.isCounterState(metricState)) sum += Number(metricState.count)
      else if (MetricState.isGaugeState(metricState)) sum += Number(metricState.value)
    }
    return sum
  })

/** The labels of every series of a pool. */
interface Labels {
  readonly endpoint: string
  readonly tenant: string
}

/**
 * The metrics of one pool. Tags are kept as the arrays by which Effect finds a series, so that an update allocates no
 * array.
 *
 * @internal
 */
export class PoolMetrics {
  private readonly base: ReadonlyArray<MetricLabel.MetricLabel>
  private readonly accepted: ReadonlyArray<MetricLabel.MetricLabel>
  private readonly byOutcome = new Map<string, ReadonlyArray<MetricLabel.MetricLabel>>()
  private readonly byReason = new Map<string, ReadonlyArray<MetricLabel.MetricLabel>>()
  private readonly byEvent = new Map<string, ReadonlyArray<MetricLabel.MetricLabel>>()

  constructor(readonly labels: Labels) {
    this.base = [MetricLabel.make("endpoint", labels.endpoint), MetricLabel.make("tenant", labels.tenant)]
    this.accepted = [...this.base, MetricLabel.make("outcome", "200")]
  }

  answered(status: number, millis: number): void {
    if (status === 200) outcomes.unsafeUpdate(1, this.accepted)
    else this.count(String(status))
    latency.unsafeUpdate(millis / 1000, this.base)
  }

  rejected(reason: string | undefined): void {
    const tag = reason === undefined ? "" : Reason.known(reason) ?? "UnknownReason"
    let tags = this.byReason.get(tag)
    if (tags === undefined) this.byReason.set(tag, tags = [...this.base, MetricLabel.make("reason", tag)])
    rejections.unsafeUpdate(1, tags)
  }

  failed(tag: string): void {
    this.count(tag)
  }

  connectionOpened(): void {
    this.event("opened", "")
  }

  connectionFailed(tag: string): void {
    this.event("failed", tag)
  }

  connectionClosed(cause: string): void {
    this.event("closed", cause)
  }

  private count(outcome: string): void {
    let tags = this.byOutcome.get(outcome)
    if (tags === undefined) this.byOutcome.set(outcome, tags = [...this.base, MetricLabel.make("outcome", outcome)])
    outcomes.unsafeUpdate(1, tags)
  }

  private event(name: string, cause: string): void {
    const key = `${name} ${cause}`
    let tags = this.byEvent.get(key)
    if (tags === undefined) {
      tags = [...this.base, MetricLabel.make("event", name), MetricLabel.make("cause", cause)]
      this.byEvent.set(key, tags)
    }
    connections.unsafeUpdate(1, tags)
  }
}

/**
 * What pools of the same endpoint and name share, so that a pool that is opened again finds its series.
 *
 * @internal
 */
export const forPool = (labels: Labels): PoolMetrics => {
  const key = `${labels.endpoint} ${labels.tenant}`
  const metrics = shared()
  let found = metrics.get(key)
  if (found === undefined) metrics.set(key, found = new PoolMetrics(labels))
  return found
}

const shared = () => globalValue("@effect-apns/pool/ApnsMetrics/shared", () => new Map<string, PoolMetrics>())

interface Observed {
  readonly stats: Stats
}

const gauges: ReadonlyArray<readonly [name: string, description: string, states: ReadonlyArray<keyof Stats>]> = [
  ["apns_pool_requests", "Requests under way", ["queued", "inFlight", "retrying"]],
  ["apns_pool_connections", "Connections by what they do", ["active", "connecting", "draining"]]
]

const observedPools = () =>
  globalValue("@effect-apns/pool/ApnsMetrics/pools", () => new Map<PoolMetrics, Set<Observed>>())

// The registry asks a gauge for its value when it is read: it is computed then, instead of being kept up to date.
const poolsOf = (metrics: PoolMetrics): Set<Observed> => {
  const known = observedPools().get(metrics)
  if (known !== undefined) return known
  const pools = new Set<Observed>()
  observedPools().set(metrics, pools)
  for (const [name, description, states] of gauges) {
    for (const state of states) {
      const key = MetricKey.taggedWithLabels(MetricKey.gauge(name, { description }), [
        MetricLabel.make("endpoint", metrics.labels.endpoint),
        MetricLabel.make("tenant", metrics.labels.tenant),
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
}

/** Lets the gauges count a pool for as long as the scope is open. @internal */
export const observed = (metrics: PoolMetrics, pool: Observed): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      poolsOf(metrics).add(pool)
    }),
    () =>
      Effect.sync(() => {
        poolsOf(metrics).delete(pool)
      })
  )
