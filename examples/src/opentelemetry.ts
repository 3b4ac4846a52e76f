/**
 * Spans and metrics by OpenTelemetry. The exporters here keep them in memory; yours will send them to a collector.
 */
import { MockApns } from "@effect-apns/testing"
import { NodeSdk } from "@effect/opentelemetry"
import { NodeRuntime } from "@effect/platform-node"
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  PeriodicExportingMetricReader
} from "@opentelemetry/sdk-metrics"
import { InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base"
import { Console, Effect, Stream } from "effect"
import { Notification, send, sendAll } from "effect-apns"

const spans = new InMemorySpanExporter()
const metrics = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
const reader = new PeriodicExportingMetricReader({ exporter: metrics })

const TelemetryLive = NodeSdk.layer(() => ({
  resource: { serviceName: "orders" },
  spanProcessor: new SimpleSpanProcessor(spans),
  metricReader: reader
}))

const shipped = (order: string, token: string) =>
  send({ token, notification: Notification.alert({ alert: `Order ${order} is on its way` }) }).pipe(
    Effect.withSpan("order shipped", { attributes: { "app.order": order }, captureStackTrace: false })
  )

const program = Effect.gen(function*() {
  const apns = yield* MockApns.MockApns
  yield* apns.unregister("dead02")
  yield* shipped("1", "cafe01")
  yield* Effect.ignore(shipped("2", "dead02"))
  // one span for all of them
  yield* sendAll(Stream.range(1, 1000).pipe(Stream.map((n) => n.toString(16).padStart(8, "0"))), {
    notification: Notification.alert({ alert: "We are back" })
  }).pipe(Stream.runDrain)
}).pipe(
  Effect.provide(MockApns.layerPool({ size: 2, spans: true })),
  Effect.zipRight(Effect.promise(() => reader.forceFlush())),
  Effect.zipRight(Effect.suspend(() => Effect.forEach(report(), (line) => Console.log(line)))),
  Effect.provide(TelemetryLive)
)

const report = (): ReadonlyArray<string> => [
  "Spans:",
  ...spans.getFinishedSpans().map(({ attributes, name, status }) =>
    `  ${name} ${JSON.stringify(attributes)}${status.message === undefined ? "" : ` ${status.message}`}`
  ),
  "Metrics:",
  ...(metrics.getMetrics().at(-1)?.scopeMetrics ?? []).flatMap((scope) =>
    scope.metrics.filter(({ descriptor }) => descriptor.name.startsWith("apns_")).flatMap((
      { dataPoints, descriptor }
    ) =>
      dataPoints.map(({ attributes, value }) =>
        `  ${descriptor.name} ${JSON.stringify(attributes)} ${
          typeof value === "number" ? value : `count ${value.count}`
        }`
      )
    )
  )
]

NodeRuntime.runMain(program)
