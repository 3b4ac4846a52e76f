/**
 * `@parse/node-apn` as its README shows it: one provider, one notification, `send` for each token.
 *
 * @since 0.1.0
 */
import * as Apn from "@parse/node-apn"
import { keyId, teamId } from "../Bearer.js"
import type { Client, Target } from "../Client.js"
import * as Workload from "../Workload.js"
import { loops } from "./Pump.js"

/**
 * What a provider needs to know.
 *
 * @since 0.1.0
 * @category constructors
 */
export const options = (target: Target): Apn.ProviderOptions => ({
  address: "localhost",
  ca: [target.ca],
  port: target.port,
  token: { key: target.signingKey, keyId, teamId }
})

/**
 * The notification of every row, made with its constructor and setters.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeNotification = (): Apn.Notification => {
  const notification = new Apn.default.Notification()
  notification.topic = Workload.topic
  notification.pushType = "alert"
  notification.priority = 10
  notification.alert = { ...Workload.payload.aps.alert }
  notification.sound = Workload.payload.aps.sound
  notification.payload = { order: Workload.payload.order }
  return notification
}

/**
 * Sends each notification with a call of its own, as many side by side as are in flight.
 *
 * @since 1.0.0
 * @category constructors
 */
export const openWith = (target: Target, notificationOf: (index: number) => Apn.Notification): Client => {
  const provider = new Apn.default.Provider(options(target))
  const tokens = Workload.tokens()

  return {
    run: (first, count, ids) =>
      loops(target.inFlight, first, count, async (index) => {
        const { failed, sent } = await provider.send(
          notificationOf(index),
          tokens[index % Workload.distinctTokens] ?? ""
        )
        const failure = failed[0]
        if (failure !== undefined) throw new Error(`Not sent: ${String(failure.error ?? failure.response?.reason)}`)
        // its types do not know the id that it returns
        const accepted: { readonly "apns-id"?: string; readonly device: string } | undefined = sent[0]
        const id = accepted?.["apns-id"]
        if (ids !== undefined && id !== undefined) ids.push(id)
      }),
    close: () => provider.shutdown()
  }
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const open = async (target: Target): Promise<Client> => {
  const notification = makeNotification()
  return openWith(target, () => notification)
}
