import { Duplex } from "node:stream"
import * as tls from "node:tls"

/** Two ends of a connection in memory. */
const ends = (): readonly [Duplex, Duplex] => {
  const end = (other: () => Duplex): Duplex =>
    new Duplex({
      read: () => {},
      write: (chunk: Buffer, _, done) => {
        other().push(chunk)
        done()
      }
    })
  const left: Duplex = end(() => right)
  const right: Duplex = end(() => left)
  return [left, right]
}

/**
 * Whether the private key matches the certificate. Tested by a TLS handshake in memory, since Node does not expose the key
 * of an archive, and OpenSSL compares only the public part of a key and does not test what it signs.
 */
export const convinces = (secureContext: tls.SecureContext): Promise<boolean> =>
  new Promise((resolve) => {
    const [left, right] = ends()
    const server = new tls.TLSSocket(left, { secureContext, isServer: true })
    const client = tls.connect({ socket: right, rejectUnauthorized: false })
    const end = (convinced: boolean) => {
      resolve(convinced)
      server.destroy()
      client.destroy()
    }
    // another error of the handshake says nothing about the key
    const failed = (error: Error) => {
      end(!("code" in error && error.code === "ERR_SSL_BAD_SIGNATURE"))
    }
    client.on("secureConnect", () => {
      end(true)
    })
    client.on("error", failed)
    server.on("error", () => {})
    client.on("close", () => {
      end(true)
    })
  })
