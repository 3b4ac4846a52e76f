/**
 * The figures as a picture: one bar for each row, on a logarithmic scale, because the rows are three orders of
 * magnitude apart.
 *
 * @since 0.1.0
 */
import * as ECharts from "echarts"
import type { Conditions } from "./Conditions.js"
import type { Summary } from "./Summary.js"

const colors = { limit: "#9aa5b1", ours: "#0b7285", peer: "#e8590c" }

const colorOf = (name: string): string =>
  name.endsWith("-floor")
    ? colors.limit
    : ["node-http2", "node-apn", "node-apn-each", "apns2"].includes(name)
    ? colors.peer
    : colors.ours

const labels: Readonly<Record<string, string>> = {
  apns2: "apns2",
  bulk: "apns bulk, with its files",
  "connection-post": "effect-apns Connection.post",
  "effect-floor": "floor: Effect alone, nothing sent",
  "node-apn": "@parse/node-apn",
  "node-apn-each": "@parse/node-apn, each its own text",
  "node-http2": "bare node:http2",
  "outbox-libsql": "effect-apns outbox, libSQL",
  "outbox-postgres": "effect-apns outbox, PostgreSQL",
  "pool-post": "effect-apns ApnsPool.post",
  rejections: "effect-apns sendAll, every 10th token dead",
  send: "effect-apns send",
  "send-all": "effect-apns sendAll",
  "send-each": "effect-apns sendEach, each its own text",
  session: "effect-apns http2 session",
  "tls-floor": "floor: the bytes through node:tls"
}

/** 0.41, 1.7, 16, 212. */
const microseconds = (value: number): string =>
  value < 1 ? value.toFixed(2) : value < 10 ? value.toFixed(1) : value.toFixed(0)

/**
 * An SVG document.
 *
 * @since 0.1.0
 * @category formatting
 */
export const draw = (
  all: ReadonlyArray<Pick<Summary, "name" | "cpuSecondsPer100k">>,
  conditions: Conditions
): string => {
  // a transaction for each notification waits for the disk, not for APNs
  const rows = all.filter(({ name }) => !name.startsWith("outbox-enqueue"))
  const chart = ECharts.init(null, null, { height: 130 + rows.length * 34, renderer: "svg", ssr: true, width: 940 })
  chart.setOption({
    animation: false,
    backgroundColor: "#ffffff",
    grid: { bottom: 56, containLabel: false, left: 310, right: 70, top: 70 },
    series: [
      {
        barWidth: 20,
        data: rows.map((row) => {
          // a second for 100,000 is 10 microseconds for one
          const value = row.cpuSecondsPer100k * 10
          return {
            itemStyle: { borderRadius: [0, 3, 3, 0], color: colorOf(row.name) },
            label: { formatter: microseconds(value) },
            value
          }
        }),
        label: { color: "#212529", fontSize: 13, fontWeight: "bold", position: "right", show: true },
        type: "bar"
      }
    ],
    textStyle: { fontFamily: "system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif" },
    title: {
      left: 16,
      subtext:
        `median of ${conditions.rounds} interleaved rounds; ${conditions.cpu}, node ${conditions.node}; lower is better, each line is ten times the one before`,
      subtextStyle: { color: "#495057", fontSize: 12 },
      text: "CPU for one notification, microseconds",
      textStyle: { color: "#212529", fontSize: 17 },
      top: 12
    },
    xAxis: {
      axisLabel: { color: "#495057", formatter: (value: number) => `${value} µs` },
      max: 1_000,
      min: 0.1,
      splitLine: { lineStyle: { color: "#e9ecef" } },
      // bars on a logarithmic axis would start at 1 and run to the left below it
      startValue: 0.1,
      type: "log"
    },
    yAxis: {
      axisLabel: { color: "#212529", fontSize: 13 },
      axisLine: { lineStyle: { color: "#adb5bd" } },
      axisTick: { show: false },
      data: rows.map((row) => labels[row.name] ?? row.name),
      inverse: true,
      type: "category"
    }
  })
  const svg = chart.renderToSVGString()
  chart.dispose()
  return `${svg}\n`
}
