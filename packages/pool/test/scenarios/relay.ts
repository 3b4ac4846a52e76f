import { Effect, type Scope } from "effect"
import * as net from "node:net"

/** What a middlebox can do to the flows that go through it. Flows that are opened later are not concerned. */
export type Fault =
  /** Nothing passes any more, and nobody is told. */
  | "silence"
  /** The client is told that the other side has ended. */
  | "FIN"
  /** The client is told that there is no such connection. */
  | "RST"

export interface Relay {
  readonly port: number
  /** Forgets every flow that is open. */
  readonly forget: (fault: Fault) => void
}

/** A middlebox between a client and a server on loopback. */
export const relayTo = (port: number): Effect.Effect<Relay, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<{ readonly relay: Relay; readonly close: () => void }>((resume) => {
      const sockets = new Set<net.Socket>()
      const flows = new Set<readonly [client: net.Socket, upstream: net.Socket]>()
      const keep = (socket: net.Socket) => {
        sockets.add(socket)
        socket.on("error", () => {})
        socket.on("close", () => sockets.delete(socket))
      }
      const server = net.createServer({ noDelay: true }, (client) => {
        const upstream = net.connect({ port, host: "127.0.0.1", noDelay: true })
        keep(client)
        keep(upstream)
        client.pipe(upstream)
        upstream.pipe(client)
        const flow = [client, upstream] as const
        flows.add(flow)
        client.on("close", () => {
          if (flows.delete(flow)) upstream.destroy()
        })
        upstream.on("close", () => {
          if (flows.delete(flow)) client.destroy()
        })
      })
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        const forget = (fault: Fault) => {
          for (const flow of flows) {
            const [client, upstream] = flow
            flows.delete(flow)
            client.unpipe(upstream)
            upstream.unpipe(client)
            client.pause()
            upstream.pause()
            if (fault === "FIN") client.end()
            else if (fault === "RST") client.resetAndDestroy()
          }
        }
        resume(Effect.succeed({
          relay: { port: typeof address === "object" && address !== null ? address.port : 0, forget },
          close: () => {
            server.close()
            for (const socket of sockets) socket.destroy()
          }
        }))
      })
    }),
    ({ close }) => Effect.sync(close)
  ).pipe(Effect.map(({ relay }) => relay))
