/**
 * The physical limit in Node: as many bytes as the requests have, through `node:tls`, with no HTTP/2 at all.
 *
 * @since 0.1.0
 */
import type { Client, Target } from "../Client.js"
import { marker } from "../sink/FloorConnection.js"
import { Pump } from "./Pump.js"
import * as Tls from "./Tls.js"

/**
 * @since 0.1.0
 * @category constructors
 */
export const open = async (target: Target): Promise<Client> => {
  const { floorAnswerBytes, floorRequestBytes, inFlight } = target
  const requests = Buffer.alloc(floorRequestBytes * inFlight, 0x61)
  for (let at = 0; at < requests.length; at += floorRequestBytes) requests[at] = marker
  const pump = new Pump()
  let within = 0

  const send = (count: number): void => {
    let sent = 0
    while (sent < count && pump.more) {
      pump.next()
      sent++
    }
    if (sent > 0) socket.write(requests.subarray(0, sent * floorRequestBytes))
  }

  const socket = await Tls.connect(target, "floor", (bytes) => {
    const received = within + bytes.length
    const answered = Math.floor(received / floorAnswerBytes)
    within = received % floorAnswerBytes
    for (let i = 0; i < answered; i++) pump.done(undefined)
    send(answered)
  })
  socket.on("error", (error) => pump.fail(error))

  return {
    run: (first, count, ids) => {
      const finished = pump.start(first, count, ids)
      send(inFlight)
      return finished
    },
    close: async () => {
      socket.destroy()
    }
  }
}
