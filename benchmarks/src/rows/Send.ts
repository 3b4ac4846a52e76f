/**
 * `send` of `@effect-apns/pool`, as its users write it: one notification, an object of options for each token.
 *
 * @since 0.1.0
 */
import { Notification } from "@effect-apns/models"
import { send } from "@effect-apns/pool"
import { Effect } from "effect"
import type { Client, Target } from "../Client.js"
import * as Workload from "../Workload.js"
import * as Apns from "./Apns.js"
import * as Workers from "./Workers.js"

/**
 * The notification of every row, made with this project's constructor.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeNotification = () =>
  Notification.alert({
    alert: { ...Workload.payload.aps.alert },
    custom: { order: Workload.payload.order },
    sound: Workload.payload.aps.sound
  })

/**
 * @since 0.1.0
 * @category constructors
 */
export const open = async (target: Target): Promise<Client> => {
  const runtime = await Apns.openPool(target)
  const tokens = Workload.tokens()
  const notification = makeNotification()
  // starting a hundred thousand fibers blocks the event loop for seconds, which is no fault of the answers
  const timeout = target.waiting > 10_000 ? "2 minutes" : "10 seconds"
  return {
    run: (first, count, ids) => {
      const sendOne = (index: number) =>
        Effect.map(
          send({
            notification,
            priority: 10,
            timeout,
            token: tokens[index % Workload.distinctTokens] ?? "",
            topic: Workload.topic
          }),
          ({ apnsId }) => {
            if (ids !== undefined && apnsId !== undefined) ids.push(apnsId)
          }
        )
      return runtime.runPromise(Workers.run(target.inFlight + target.waiting, first, count, sendOne))
    },
    close: () => runtime.dispose()
  }
}
