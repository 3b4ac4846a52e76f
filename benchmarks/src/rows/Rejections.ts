/**
 * `sendAll` where every tenth token is dead: 410 Unregistered, with its reason and the time.
 *
 * @since 1.0.0
 */
import { sendAll } from "@effect-apns/pool"
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
  const tokens = Workload.tokens()
  const options = bulkOptions(target)
  return {
    run: async (first, count, ids) => {
      let dead = 0
      const stream = tokenStream(first, count, (index) => tokens[index % Workload.distinctTokens] ?? "")
      await runOutcomes(runtime, sendAll(stream, options), count, ids, (error) => {
        if (error._tag !== "Unregistered" || error.apnsId === undefined) throw error
        dead++
        return error.apnsId
      })
      if (Math.abs(dead - count / 10) > 1) throw new Error(`${dead} of ${count} notifications were rejected.`)
    },
    close: () => runtime.dispose()
  }
}
