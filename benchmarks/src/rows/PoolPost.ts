/**
 * `ApnsPool.post` of `@effect-apns/pool`.
 *
 * @since 0.1.0
 */
import * as ApnsPool from "@effect-apns/pool/ApnsPool"
import { Effect } from "effect"
import type { Client, Target } from "../Client.js"
import * as Workload from "../Workload.js"
import * as Apns from "./Apns.js"
import * as Workers from "./Workers.js"

/**
 * @since 0.1.0
 * @category constructors
 */
export const open = async (target: Target): Promise<Client> => {
  const runtime = await Apns.openPool(target)
  const pool = await runtime.runPromise(ApnsPool.ApnsPool)
  const requests = Apns.requests()
  return {
    run: (first, count, ids) => {
      const post = (index: number) => {
        const request = requests[index % Workload.distinctTokens]
        return request === undefined
          ? Effect.void
          : Effect.map(pool.post(request), (response) => Apns.accept(response, ids))
      }
      return runtime.runPromise(Workers.run(target.inFlight + target.waiting, first, count, post))
    },
    close: () => runtime.dispose()
  }
}
