/**
 * A TLS connection with the cheapest way that Node has to read from it: into one buffer, again and again.
 *
 * @since 0.1.0
 */
import type { OnReadOpts } from "node:net"
import * as NodeTls from "node:tls"
import type { Target } from "../Client.js"

/**
 * @since 0.1.0
 * @category constructors
 */
export const connect = (
  target: Target,
  protocol: string,
  onBytes: (bytes: Uint8Array) => void
): Promise<NodeTls.TLSSocket> =>
  new Promise((resolve, reject) => {
    const options: NodeTls.ConnectionOptions & { readonly onread: OnReadOpts } = {
      ALPNProtocols: [protocol],
      ca: target.ca,
      host: "localhost",
      onread: {
        buffer: new Uint8Array(64 * 1024),
        callback: (length, buffer) => {
          onBytes(buffer.subarray(0, length))
          return true
        }
      },
      port: target.port,
      servername: "localhost"
    }
    const socket = NodeTls.connect(options, () => {
      if (socket.alpnProtocol === protocol) resolve(socket)
      else reject(new Error(`The server chose ${String(socket.alpnProtocol)} instead of ${protocol}.`))
    })
    socket.setNoDelay(true)
    socket.on("error", reject)
  })
