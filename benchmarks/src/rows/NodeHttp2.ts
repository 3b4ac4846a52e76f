/**
 * A bare `node:http2` loop: the least that a program can do with it, with the headers prepared and the body encoded.
 *
 * @since 0.1.0
 */
import * as Http2 from "node:http2"
import { bearer } from "../Bearer.js"
import type { Client, Target } from "../Client.js"
import * as Workload from "../Workload.js"
import { Pump } from "./Pump.js"

const connect = (target: Target): Promise<Http2.ClientHttp2Session> =>
  new Promise((resolve, reject) => {
    const session = Http2.connect(`https://localhost:${target.port}`, { ca: target.ca })
    session.on("error", reject)
    session.once("remoteSettings", () => resolve(session))
  })

/**
 * @since 0.1.0
 * @category constructors
 */
export const open = async (target: Target): Promise<Client> => {
  const sessions: Array<Http2.ClientHttp2Session> = []
  for (let i = 0; i < target.connections; i++) sessions.push(await connect(target))
  const paths = Workload.tokens().map((token) => `/3/device/${token}`)
  const headers = {
    ":method": "POST",
    ":scheme": "https",
    "apns-priority": "10",
    "apns-push-type": "alert",
    "apns-topic": Workload.topic,
    authorization: bearer(target.signingKey)
  }
  const pump = new Pump()

  const send = (session: Http2.ClientHttp2Session): void => {
    if (!pump.more) return
    const request = session.request({ ...headers, ":path": paths[pump.next() % Workload.distinctTokens] })
    let status = 0
    let id: string | undefined
    request.on("response", (answer) => {
      status = answer[":status"] ?? 0
      id = String(answer["apns-id"])
    })
    request.on("data", () => {})
    request.on("end", () => {
      if (status !== 200) return pump.fail(new Error(`Answered ${status}.`))
      pump.done(id)
      send(session)
    })
    request.on("error", (error) => pump.fail(error))
    request.end(Workload.body)
  }

  return {
    run: (first, count, ids) => {
      const finished = pump.start(first, count, ids)
      for (let i = 0; i < target.inFlight; i++) {
        const session = sessions[i % sessions.length]
        if (session !== undefined) send(session)
      }
      return finished
    },
    close: async () => {
      for (const session of sessions) session.destroy()
    }
  }
}
