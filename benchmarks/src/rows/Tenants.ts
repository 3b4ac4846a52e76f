/**
 * Many tenants: for each a pool that is opened, used once and closed to make room for the next, within a budget of 100
 * connections.
 *
 * @since 1.0.0
 */
import * as Credentials from "@effect-apns/core/Credentials"
import * as Endpoint from "@effect-apns/core/Endpoint"
import { ApnsPoolMap, send } from "@effect-apns/pool"
import { Effect, ManagedRuntime, Redacted } from "effect"
import { keyId } from "../Bearer.js"
import type { Client, Target } from "../Client.js"
import * as Workload from "../Workload.js"
import { makeNotification } from "./Send.js"

/** How many tenants make one step of what is reported. */
const step = 1_000

/**
 * @since 1.0.0
 * @category constructors
 */
export const open = async (target: Target): Promise<Client> => {
  const runtime = ManagedRuntime.make(ApnsPoolMap.layer({ ca: target.ca, maxConnections: 100, size: 1 }))
  const tokens = Workload.tokens()
  const notification = makeNotification()
  const endpoint = Endpoint.unsafeMake(`https://localhost:${target.port}`)
  const details: Record<string, number> = {}
  const sendAs = (index: number) =>
    Credentials.token({
      key: Redacted.make(target.signingKey),
      keyId,
      teamId: index.toString(36).toUpperCase().padStart(10, "T")
    }).pipe(
      Effect.flatMap((credentials) =>
        send({
          notification,
          priority: 10,
          timeout: "30 seconds",
          token: tokens[index % Workload.distinctTokens] ?? "",
          topic: Workload.topic
        }).pipe(ApnsPoolMap.provide({ credentials, endpoint, topic: Workload.topic }))
      )
    )
  const millisNow = (): number => Number(process.hrtime.bigint() / 1_000_000n)
  return {
    run: async (first, count) => {
      for (let from = first; from < first + count; from += step) {
        const size = Math.min(step, first + count - from)
        const started = millisNow()
        await runtime.runPromise(
          Effect.forEach(Array.from({ length: size }, (_, i) => from + i), sendAs, { concurrency: 16, discard: true })
        )
        const took = millisNow() - started
        const rssMb = process.memoryUsage().rss / 1024 / 1024
        if (from === first) Object.assign(details, { firstMs: took, firstRssMb: rssMb })
        Object.assign(details, { lastMs: took, lastRssMb: rssMb })
      }
      const stats = await runtime.runPromise(Effect.flatMap(ApnsPoolMap.ApnsPoolMap, (pools) => pools.stats))
      Object.assign(details, { closed: stats.poolsClosed, opened: stats.poolsOpened })
    },
    close: () => runtime.dispose(),
    details: () => details
  }
}
