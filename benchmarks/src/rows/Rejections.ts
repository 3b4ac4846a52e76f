/**
 * `sendAll` where every tenth token is dead: 410 Unregistered, with its reason and the time.
 *
 * @since 1.0.0
 */
import { sendAll } from "@effect-apns/pool"
import { Effect, Either, Stream } from "effect"
import type { Client, Target } from "../Client.js"
import * as Workload from "../Workload.js"
import * as Apns from "./Apns.js"
import { makeNotification } from "./Send.js"
import { tokenStream } from "./SendAll.js"

/**
 * @since 1.0.0
 * @category constructors
 */
export const open = async (target: Target): Promise<Client> => {
  const runtime = await Apns.openPool(target)
  const tokens = Workload.tokens()
  const notification = makeNotification()
  return {
    run: (first, count, ids) => {
      let accepted = 0
      let dead = 0
      const outcomes = sendAll(tokenStream(first, count, (index) => tokens[index % Workload.distinctTokens] ?? ""), {
        concurrency: 4 * target.inFlight,
        notification,
        priority: 10,
        topic: Workload.topic
      })
      const program = Stream.runForEachChunk(outcomes, (chunk) =>
        Effect.sync(() => {
          for (const { result } of chunk) {
            if (Either.isLeft(result)) {
              const error = result.left
              if (error._tag !== "Unregistered" || error.apnsId === undefined) throw error
              dead++
              if (ids !== undefined) ids.push(error.apnsId)
              continue
            }
            accepted++
            if (ids !== undefined && result.right.apnsId !== undefined) ids.push(result.right.apnsId)
          }
        }))
      return runtime.runPromise(program).then(() => {
        if (accepted + dead !== count || Math.abs(dead - count / 10) > 1) {
          throw new Error(`${accepted} were accepted and ${dead} dead, of ${count} notifications.`)
        }
      })
    },
    close: () => runtime.dispose()
  }
}
