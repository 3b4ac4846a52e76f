/**
 * A steady 5,000 sends a second, and how long each takes.
 *
 * @since 0.1.0
 */
import { send } from "@effect-apns/pool"
import { Exit } from "effect"
import type { Client, Target } from "../Client.js"
import * as Workload from "../Workload.js"
import * as Apns from "./Apns.js"
import { makeNotification } from "./Send.js"

/**
 * @since 0.1.0
 * @category constants
 */
export const perSecond = 5_000

/**
 * @since 0.1.0
 * @category constructors
 */
export const open = async (target: Target): Promise<Client> => {
  const runtime = await Apns.openPool(target)
  const tokens = Workload.tokens()
  const notification = makeNotification()
  let latencies = new Float64Array(0)
  return {
    run: (first, count) =>
      new Promise((resolve, reject) => {
        latencies = new Float64Array(count)
        const start = performance.now()
        let sent = 0
        let answered = 0
        const timer = setInterval(() => {
          const due = Math.min(count, Math.floor((performance.now() - start) / 1000 * perSecond))
          while (sent < due) {
            const index = sent++
            const token = tokens[(first + index) % Workload.distinctTokens] ?? ""
            const began = performance.now()
            const fiber = runtime.runFork(send({ notification, priority: 10, token, topic: Workload.topic }))
            fiber.addObserver((exit) => {
              if (Exit.isFailure(exit)) {
                clearInterval(timer)
                return reject(new Error(String(exit.cause)))
              }
              latencies[index] = performance.now() - began
              if (++answered === count) resolve()
            })
          }
          if (sent === count) clearInterval(timer)
        }, 1)
      }),
    close: () => runtime.dispose(),
    details: () => {
      const sorted = Float64Array.from(latencies).sort()
      const quantile = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0
      return { max: quantile(1), p50: quantile(0.5), p99: quantile(0.99) }
    }
  }
}
