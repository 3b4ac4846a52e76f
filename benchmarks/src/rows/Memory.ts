/**
 * `sendAll` over a stream of millions of different tokens, watching the memory of the process.
 *
 * @since 0.1.0
 */
import { sendAll } from "@effect-apns/pool"
import { Effect, Either, Stream } from "effect"
import type { Client, Target } from "../Client.js"
import * as Workload from "../Workload.js"
import * as Apns from "./Apns.js"
import { makeNotification } from "./Send.js"
import { tokenStream } from "./SendAll.js"

/** Notifications between two looks. */
const step = 1_000_000

/**
 * @since 0.1.0
 * @category constructors
 */
export const open = async (target: Target): Promise<Client> => {
  const runtime = await Apns.openPool(target)
  const notification = makeNotification()
  const details: Record<string, number> = {}
  return {
    run: async (first, count) => {
      let accepted = 0
      const outcomes = sendAll(tokenStream(first, count, Workload.token), {
        notification,
        priority: 10,
        topic: Workload.topic
      })
      await runtime.runPromise(Stream.runForEachChunk(outcomes, (chunk) =>
        Effect.sync(() => {
          for (const { result } of chunk) {
            if (Either.isLeft(result)) throw result.left
            if (++accepted % step === 0) details[`rssMbAt${accepted / step}M`] = process.memoryUsage.rss() / 2 ** 20
          }
        })))
      if (accepted !== count) throw new Error(`${accepted} outcomes for ${count} notifications.`)
      details["rssMbAtEnd"] = process.memoryUsage.rss() / 2 ** 20
    },
    close: () => runtime.dispose(),
    details: () => details
  }
}
