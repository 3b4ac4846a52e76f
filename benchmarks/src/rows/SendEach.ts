/**
 * `sendEach` of `@effect-apns/pool`: a notification of its own for each token, with its own text, custom key and collapse
 * id.
 *
 * @since 1.0.0
 */
import { Notification } from "@effect-apns/models"
import { sendEach } from "@effect-apns/pool"
import { Chunk, Option, Stream } from "effect"
import type { Client, Target } from "../Client.js"
import * as Workload from "../Workload.js"
import * as Apns from "./Apns.js"
import { runOutcomes } from "./SendAll.js"

const chunkSize = 1_000

const message = (token: string, marker: string) => ({
  collapseId: marker,
  notification: Notification.alert({
    alert: {
      title: Workload.payload.aps.alert.title,
      body: `Wakey-wakey, ham and bakey! Your table ${marker} is booked for you.`
    },
    custom: { order: `8c1f3e5a-${marker}` },
    sound: Workload.payload.aps.sound
  }),
  priority: 10 as const,
  token,
  topic: Workload.topic
})

/**
 * @since 1.0.0
 * @category constructors
 */
export const open = async (target: Target): Promise<Client> => {
  const runtime = await Apns.openPool(target)
  const tokens = Workload.tokens()
  const messages = (first: number, count: number) =>
    Stream.unfoldChunk(first, (from) => {
      const size = Math.min(chunkSize, first + count - from)
      return size <= 0 ? Option.none() : Option.some([
        Chunk.unsafeFromArray(
          Array.from(
            { length: size },
            (_, i) => message(tokens[(from + i) % Workload.distinctTokens] ?? "", Workload.marker(from + i))
          )
        ),
        from + size
      ])
    })
  return {
    run: (first, count, ids) =>
      runOutcomes(runtime, sendEach(messages(first, count), { concurrency: 4 * target.inFlight }), count, ids),
    close: () => runtime.dispose()
  }
}
