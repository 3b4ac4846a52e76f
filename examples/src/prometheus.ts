/**
 * Metrics for Prometheus: an exporter of OpenTelemetry serves them, and this program reads them once, as Prometheus would.
 */
import { MockApns } from "@effect-apns/testing"
import { NodeSdk } from "@effect/opentelemetry"
import { NodeRuntime } from "@effect/platform-node"
import { PrometheusExporter } from "@opentelemetry/exporter-prometheus"
import { Console, Effect, Stream } from "effect"
import { Notification, sendAll } from "effect-apns"

const exporter = new PrometheusExporter({ host: "127.0.0.1", port: 9464 })

const TelemetryLive = NodeSdk.layer(() => ({ resource: { serviceName: "orders" }, metricReader: exporter }))

const program = Effect.gen(function*() {
  const apns = yield* MockApns.MockApns
  yield* apns.unregister("00000007")
  yield* Stream.range(1, 100).pipe(
    Stream.map((n) => n.toString(16).padStart(8, "0")),
    sendAll({ notification: Notification.alert({ alert: "We are back" }) }),
    Stream.runDrain
  )
  const page = yield* Effect.promise(async () => (await fetch("http://127.0.0.1:9464/metrics")).text())
  yield* Console.log(page.split("\n").filter((line) => line.startsWith("apns_")).join("\n"))
}).pipe(
  Effect.provide(MockApns.layerPool({ size: 2, name: "acme" })),
  Effect.provide(TelemetryLive)
)

NodeRuntime.runMain(program)
