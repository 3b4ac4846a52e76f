/**
 * `@parse/node-apn` with a notification of its own for each token: its own text, custom key and collapse id.
 *
 * @since 1.0.0
 */
import * as Apn from "@parse/node-apn"
import type { Client, Target } from "../Client.js"
import * as Workload from "../Workload.js"
import { makeNotification, options } from "./NodeApn.js"
import { loops } from "./Pump.js"

/**
 * @since 1.0.0
 * @category constructors
 */
export const open = async (target: Target): Promise<Client> => {
  const provider = new Apn.default.Provider(options(target))
  const tokens = Workload.tokens()

  return {
    run: (first, count, ids) =>
      loops(target.inFlight, first, count, async (index) => {
        const marker = Workload.marker(index)
        const { aps, ...custom } = Workload.marked(marker)
        const notification = makeNotification()
        notification.alert = aps.alert
        notification.payload = custom
        notification.collapseId = marker
        const { failed, sent } = await provider.send(notification, tokens[index % Workload.distinctTokens] ?? "")
        const failure = failed[0]
        if (failure !== undefined) throw new Error(`Not sent: ${String(failure.error ?? failure.response?.reason)}`)
        const accepted: { readonly "apns-id"?: string; readonly device: string } | undefined = sent[0]
        const id = accepted?.["apns-id"]
        if (ids !== undefined && id !== undefined) ids.push(id)
      }),
    close: () => provider.shutdown()
  }
}
