/**
 * The sink server: a process of its own that receives pushes on loopback, verifies them and answers.
 *
 * @since 0.1.0
 */
import type { AddressInfo } from "node:net"
import * as Tls from "node:tls"
import * as FloorConnection from "./FloorConnection.js"
import { DelayQueue, Http2Connection } from "./Http2Connection.js"
import { Ledger } from "./Ledger.js"
import { type Behavior, type Command, defaultBehavior, type Message } from "./Protocol.js"

const { SINK_CERTIFICATE: cert, SINK_KEY: key } = process.env
if (cert === undefined || key === undefined || process.send === undefined) {
  throw new Error("The sink is started by the benchmark, not by hand: run `npm run bench`.")
}

const say = (message: Message): void => {
  process.send?.(message)
}

const ledger = new Ledger()
let behavior: Behavior = defaultBehavior
let delays = new DelayQueue(0, ledger)
let connections = 0

const server = Tls.createServer(
  { ALPNProtocols: ["h2", FloorConnection.protocol], cert, key, minVersion: "TLSv1.2", noDelay: true },
  (socket) => {
    // a client that exits resets its connections; what it did before is in the ledger
    socket.on("error", () => socket.destroy())
    ledger.connections++
    if (socket.alpnProtocol === FloorConnection.protocol) FloorConnection.serve(socket, ledger, behavior)
    else new Http2Connection(socket, connections++, ledger, behavior, delays)
  }
)
server.on("tlsClientError", () => {})

process.on("message", (command: Command) => {
  switch (command.type) {
    case "reset":
      behavior = command.behavior
      delays = new DelayQueue(behavior.delayMs, ledger)
      ledger.expect(command.topic, command.payload, command.priority, behavior.bodies)
      return say({ type: "done" })
    case "clear":
      ledger.clear()
      return say({ type: "done" })
    case "report":
      return say(ledger.report(command.expectation))
  }
})
process.on("disconnect", () => process.exit())

server.listen(0, "127.0.0.1", () => say({ type: "listening", port: (server.address() as AddressInfo).port }))
