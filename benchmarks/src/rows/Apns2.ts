/**
 * `apns2` as it comes: a pool of 32 connections with one request at a time on each. It has neither a port nor a CA
 * option, so its pool is replaced by one with the same options, another origin and a certificate to trust.
 *
 * @since 0.1.0
 */
import { ApnsClient, Notification } from "apns2"
import { keyId, teamId } from "../Bearer.js"
import type { Client, Target } from "../Client.js"
import * as Workload from "../Workload.js"
import { loops } from "./Pump.js"

/** What `ApnsClient` builds its pool with, in version 12.2.0. */
const stock = { allowH2: true, connections: 32, maxConcurrentStreams: 100, pipelining: 1 }

const openWith = async (target: Target, options: typeof stock): Promise<Client> => {
  const apns = new ApnsClient({
    defaultTopic: Workload.topic,
    host: "localhost",
    keyId,
    signingKey: target.signingKey,
    team: teamId
  })
  const Pool = apns.client.constructor as new(origin: string, options: object) => typeof apns.client
  Object.defineProperty(apns, "client", {
    value: new Pool(`https://localhost:${target.port}`, { ...options, connect: { ca: target.ca } })
  })
  const tokens = Workload.tokens()
  const { aps, order } = Workload.payload
  return {
    run: (first, count) =>
      loops(target.inFlight, first, count, async (index) => {
        await apns.send(
          new Notification(tokens[index % Workload.distinctTokens] ?? "", {
            alert: { ...aps.alert },
            data: { order },
            sound: aps.sound
          })
        )
      }),
    close: () => apns.destroy()
  }
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const open = (target: Target): Promise<Client> => openWith(target, stock)
