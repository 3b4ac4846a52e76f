/**
 * `sendAll` with everything under way at once, where APNs refuses each notification once: what backing off and sending
 * again costs, and how long it keeps the event loop from anything else.
 *
 * @since 1.0.0
 */
import { sendAll } from "@effect-apns/pool"
import { monitorEventLoopDelay } from "node:perf_hooks"
import type { Client, Target } from "../Client.js"
import * as Workload from "../Workload.js"
import * as Apns from "./Apns.js"
import { bulkOptions, runOutcomes, tokenStream } from "./SendAll.js"

/**
 * @since 1.0.0
 * @category constructors
 */
export const open = async (target: Target): Promise<Client> => {
  const runtime = await Apns.openPool(target)
  let stallMs = 0
  return {
    run: async (first, count, ids) => {
      const options = { ...bulkOptions(target), concurrency: count, timeout: "2 minutes" } as const
      // fine enough for 200 ms; a resolution of 1 ms costs half a second of CPU itself, since its timer wakes the process
      const delays = monitorEventLoopDelay({ resolution: 10 })
      delays.enable()
      await runOutcomes(runtime, sendAll(tokenStream(first, count, Workload.token), options), count, ids)
      delays.disable()
      stallMs = delays.max / 1e6
    },
    close: () => runtime.dispose(),
    details: () => ({ stallMs })
  }
}
