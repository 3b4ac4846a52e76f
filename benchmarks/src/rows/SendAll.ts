/**
 * `sendAll` of `@effect-apns/pool`: one notification, a `Stream` of tokens in, a `Stream` of outcomes out.
 *
 * @since 0.1.0
 */
import { sendAll } from "@effect-apns/pool"
import { Chunk, Effect, Either, Option, Stream } from "effect"
import type { Client, Target } from "../Client.js"
import * as Workload from "../Workload.js"
import * as Apns from "./Apns.js"
import { makeNotification } from "./Send.js"

/** Tokens in one chunk of the stream. */
const chunkSize = 1_000

/**
 * The tokens of the notifications `first` to `first + count - 1`, in chunks.
 *
 * @since 0.1.0
 * @category constructors
 */
export const tokenStream = (
  first: number,
  count: number,
  tokenOf: (index: number) => string
): Stream.Stream<string> =>
  Stream.unfoldChunk(first, (from) => {
    const size = Math.min(chunkSize, first + count - from)
    return size <= 0
      ? Option.none()
      : Option.some([Chunk.unsafeFromArray(Array.from({ length: size }, (_, i) => tokenOf(from + i))), from + size])
  })

/**
 * @since 0.1.0
 * @category constructors
 */
export const open = async (target: Target): Promise<Client> => {
  const runtime = await Apns.openPool(target)
  const tokens = Workload.tokens()
  const notification = makeNotification()
  return {
    run: (first, count, ids) => {
      let accepted = 0
      const outcomes = sendAll(tokenStream(first, count, (index) => tokens[index % Workload.distinctTokens] ?? ""), {
        // more than are in flight, so that the next are at hand when a stream frees
        concurrency: target.waiting > 0 ? target.inFlight + target.waiting : 4 * target.inFlight,
        notification,
        priority: 10,
        topic: Workload.topic
      })
      const program = Stream.runForEachChunk(outcomes, (chunk) =>
        Effect.sync(() => {
          for (const { result } of chunk) {
            if (Either.isLeft(result)) throw result.left
            accepted++
            if (ids !== undefined && result.right.apnsId !== undefined) ids.push(result.right.apnsId)
          }
        }))
      return runtime.runPromise(program).then(() => {
        if (accepted !== count) throw new Error(`${accepted} outcomes for ${count} notifications.`)
      })
    },
    close: () => runtime.dispose()
  }
}
