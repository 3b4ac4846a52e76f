/**
 * `@parse/node-apn` with a notification of its own for each token: its own text, custom key and collapse id.
 *
 * @since 1.0.0
 */
import type { Client, Target } from "../Client.js"
import * as Workload from "../Workload.js"
import { makeNotification, openWith } from "./NodeApn.js"

/**
 * @since 1.0.0
 * @category constructors
 */
export const open = async (target: Target): Promise<Client> =>
  openWith(target, (index) => {
    const marker = Workload.marker(index)
    const { aps, ...custom } = Workload.marked(marker)
    const notification = makeNotification()
    notification.alert = aps.alert
    notification.payload = custom
    notification.collapseId = marker
    return notification
  })
