/**
 * Every notification at once: a fiber for each, all started before the first answer.
 *
 * @since 0.1.0
 */
import { send } from "@effect-apns/pool"
import { Effect, Either } from "effect"
import type { Client, Target } from "../Client.js"
import * as Workload from "../Workload.js"
import * as Apns from "./Apns.js"
import { makeNotification } from "./Send.js"

/**
 * @since 0.1.0
 * @category constructors
 */
export const open = async (target: Target): Promise<Client> => {
  const runtime = await Apns.openPool(target)
  const tokens = Workload.tokens()
  const notification = makeNotification()
  const details = { delivered: 0, failed: 0, timeouts: 0 }
  return {
    run: async (first, count) => {
      const indices = Array.from({ length: count }, (_, i) => first + i)
      const sendOne = (index: number) =>
        Effect.either(
          send({
            notification,
            priority: 10,
            token: tokens[index % Workload.distinctTokens] ?? "",
            topic: Workload.topic
          })
        )
      const results = await runtime.runPromise(Effect.forEach(indices, sendOne, { concurrency: "unbounded" }))
      for (const result of results) {
        if (Either.isRight(result)) details.delivered++
        else if (result.left._tag === "Timeout") details.timeouts++
        else details.failed++
      }
    },
    close: () => runtime.dispose(),
    details: () => details
  }
}
