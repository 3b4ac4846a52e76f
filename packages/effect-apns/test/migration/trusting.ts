import type { ApnsClient } from "apns2"
import type { Setting } from "./Setting.js"

/** `apns2` has neither an option for the port nor one for a CA: its pool is replaced by one of the same kind that has. */
export const trusting = (client: ApnsClient, { ca, host, port }: Setting["apns"]): ApnsClient => {
  const pool: unknown = Reflect.construct(client.client.constructor, [`https://${host}:${port}`, {
    allowH2: true,
    connections: 1,
    pipelining: 1,
    connect: { ca }
  }])
  Object.defineProperty(client, "client", { value: pool })
  return client
}
