/**
 * The same burst through `@parse/node-apn`: its `MultiProvider`, which spreads over several connections.
 *
 * @since 0.1.0
 */
import * as Apn from "@parse/node-apn"
import type { Client, Target } from "../Client.js"
import * as Workload from "../Workload.js"
import * as NodeApn from "./NodeApn.js"

/**
 * @since 0.1.0
 * @category constructors
 */
export const open = async (target: Target): Promise<Client> => {
  const provider = new Apn.default.MultiProvider({ ...NodeApn.options(target), clientCount: target.connections })
  const tokens = Workload.tokens()
  const notification = NodeApn.makeNotification()
  const details = { delivered: 0, failed: 0 }
  return {
    run: async (first, count) => {
      const recipients = Array.from({ length: count }, (_, i) => tokens[(first + i) % Workload.distinctTokens] ?? "")
      const { failed, sent } = await provider.send(notification, recipients)
      details.delivered += sent.length
      details.failed += failed.length
    },
    close: () => provider.shutdown(),
    details: () => details
  }
}
