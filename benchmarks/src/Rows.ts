/**
 * The rows of the benchmark.
 *
 * @since 0.1.0
 */

import type { Behavior } from "./sink/Protocol.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Row {
  readonly name: string
  readonly summary: string
  /** The module that opens the client; a row without one says why it is left out. */
  readonly module: { readonly path: string } | { readonly leftOut: string }
  /** Notifications sent in one round, and before it to warm up. */
  readonly count: number
  readonly warmUp: number
  /** What is on the other end: the verifying sink, the sink counting bytes, or nothing at all. */
  readonly against: "sink" | "floor" | "nothing"
  /** The client returns the `apns-id` of what it sent, so that what it read can be verified too. */
  readonly ids: boolean
  readonly priority: "required" | "optional"
  /** How the sink treats this row, where it is not as usual. */
  readonly behavior?: Partial<Behavior> | undefined
  /** Connections, where there is more than one. */
  readonly connections?: number | undefined
  /** Requests for each notification, where there is more than one: then each notification has a token of its own. */
  readonly attempts?: number | undefined
  /** Measured with a 64 MB semi-space too: what costs fibers or objects that outlive a tick costs garbage collection. */
  readonly wide: boolean
}

const sending = { against: "sink", ids: true, priority: "required", wide: false } as const

/**
 * @since 0.1.0
 * @category constants
 */
export const rows: ReadonlyArray<Row> = [
  {
    ...sending,
    name: "tls-floor",
    summary: "as many bytes through node:tls, no HTTP/2",
    module: { path: "./rows/TlsFloor.js" },
    against: "floor",
    ids: false,
    count: 1_000_000,
    warmUp: 500_000
  },
  {
    ...sending,
    name: "session",
    summary: "@effect-apns/http2 Session over node:tls, callbacks",
    module: { path: "./rows/Session.js" },
    count: 1_000_000,
    warmUp: 500_000
  },
  {
    ...sending,
    name: "effect-floor",
    summary: "1,000 fibers over one bare Effect.async with a canceler, nothing sent",
    module: { path: "./rows/EffectFloor.js" },
    against: "nothing",
    ids: false,
    wide: true,
    count: 100_000,
    warmUp: 50_000
  },
  {
    ...sending,
    name: "connection-post",
    summary: "Connection.post, 1,000 fibers",
    module: { path: "./rows/ConnectionPost.js" },
    wide: true,
    count: 80_000,
    warmUp: 40_000
  },
  {
    ...sending,
    name: "pool-post",
    summary: "ApnsPool.post, 1,000 fibers",
    module: { path: "./rows/PoolPost.js" },
    wide: true,
    count: 80_000,
    warmUp: 40_000
  },
  {
    ...sending,
    name: "send",
    summary: "send, 1,000 fibers",
    module: { path: "./rows/Send.js" },
    wide: true,
    count: 80_000,
    warmUp: 40_000
  },
  {
    ...sending,
    name: "send-all",
    summary: "sendAll over a Stream of tokens",
    module: { path: "./rows/SendAll.js" },
    count: 1_000_000,
    warmUp: 500_000
  },
  {
    ...sending,
    name: "rejections",
    summary: "sendAll where every tenth is answered 410",
    module: { path: "./rows/Rejections.js" },
    behavior: { rejectEvery: 10 },
    count: 600_000,
    warmUp: 300_000
  },
  {
    ...sending,
    name: "requeue",
    summary: "sendAll of all at once, each answered 503 once",
    module: { path: "./rows/Requeue.js" },
    behavior: { delayMs: 100, maxStreams: 250, refuseFirst: true },
    connections: 4,
    attempts: 2,
    ids: false,
    count: 80_000,
    warmUp: 0
  },
  {
    ...sending,
    name: "send-each",
    summary: "sendEach, every notification different",
    module: { path: "./rows/SendEach.js" },
    behavior: { bodies: "each" },
    count: 300_000,
    warmUp: 150_000
  },
  {
    ...sending,
    name: "bulk",
    summary: "apns bulk: a file of tokens in, a file of outcomes out",
    module: { path: "./rows/Bulk.js" },
    ids: false,
    count: 400_000,
    warmUp: 200_000
  },
  {
    ...sending,
    name: "outbox-libsql",
    summary: "outbox on a libSQL file: enqueueAll, then a runner",
    module: { path: "./rows/OutboxLibsql.js" },
    ids: false,
    count: 300_000,
    warmUp: 60_000
  },
  {
    ...sending,
    name: "outbox-postgres",
    summary: "outbox on PostgreSQL: enqueueAll, then a runner",
    module: { path: "./rows/OutboxPostgres.js" },
    ids: false,
    count: 300_000,
    warmUp: 60_000
  },
  {
    ...sending,
    name: "outbox-enqueue-libsql",
    summary: "outbox on a libSQL file: enqueue, a token each",
    module: { path: "./rows/OutboxEnqueueLibsql.js" },
    against: "nothing",
    ids: false,
    count: 1_000,
    warmUp: 100
  },
  {
    ...sending,
    name: "outbox-enqueue-libsql-process",
    summary: "the same, durable against the death of the process alone",
    module: { path: "./rows/OutboxEnqueueLibsqlProcess.js" },
    against: "nothing",
    ids: false,
    count: 1_000,
    warmUp: 100
  },
  {
    ...sending,
    name: "outbox-enqueue-postgres",
    summary: "outbox on PostgreSQL: enqueue, a token each",
    module: { path: "./rows/OutboxEnqueuePostgres.js" },
    against: "nothing",
    ids: false,
    count: 1_000,
    warmUp: 100
  },
  {
    ...sending,
    name: "node-http2",
    summary: "bare node:http2 loop",
    module: { path: "./rows/NodeHttp2.js" },
    wide: true,
    count: 15_000,
    warmUp: 8_000
  },
  {
    ...sending,
    name: "node-apn",
    summary: "@parse/node-apn Provider.send",
    module: { path: "./rows/NodeApn.js" },
    wide: true,
    count: 10_000,
    warmUp: 5_000
  },
  {
    ...sending,
    name: "node-apn-each",
    summary: "@parse/node-apn Provider.send, every notification different",
    module: { path: "./rows/NodeApnEach.js" },
    behavior: { bodies: "each" },
    count: 10_000,
    warmUp: 5_000
  },
  {
    ...sending,
    name: "apns2",
    summary: "apns2 ApnsClient.send, its own 32 connections",
    module: { path: "./rows/Apns2.js" },
    ids: false,
    priority: "optional",
    count: 4_000,
    warmUp: 2_000
  }
]
