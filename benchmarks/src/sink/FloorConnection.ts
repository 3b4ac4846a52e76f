/**
 * The other end of the TLS floor: the bytes of requests in, the bytes of answers out, and nothing in between.
 *
 * @since 0.1.0
 */
import type { TLSSocket } from "node:tls"
import type { Ledger } from "./Ledger.js"
import type { Behavior } from "./Protocol.js"

/**
 * The ALPN protocol by which a client asks for this.
 *
 * @since 0.1.0
 * @category constants
 */
export const protocol = "floor"

/**
 * The first byte of every request; the sink looks for it to know that none was lost or torn.
 *
 * @since 0.1.0
 * @category constants
 */
export const marker = 0xa5

/** Answers in one write, at most. */
const batch = 4_096

/**
 * @since 0.1.0
 * @category constructors
 */
export const serve = (socket: TLSSocket, ledger: Ledger, behavior: Behavior): void => {
  const answers = Buffer.alloc(behavior.floorAnswerBytes * batch)
  let within = 0
  socket.on("data", (chunk: Buffer) => {
    ledger.bytesIn += chunk.length
    let at = within === 0 ? 0 : behavior.floorRequestBytes - within
    for (; at < chunk.length; at += behavior.floorRequestBytes) {
      if (chunk[at] !== marker) ledger.violation("a request that does not start where it should")
    }
    const bytes = within + chunk.length
    let complete = Math.floor(bytes / behavior.floorRequestBytes)
    within = bytes % behavior.floorRequestBytes
    ledger.requests += complete
    ledger.bodyBytes += complete * behavior.floorRequestBytes
    ledger.bytesOut += complete * behavior.floorAnswerBytes
    while (complete > 0) {
      const next = Math.min(complete, batch)
      socket.write(answers.subarray(0, next * behavior.floorAnswerBytes))
      complete -= next
    }
  })
}
