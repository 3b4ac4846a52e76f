/**
 * `sendAll` of `@effect-apns/pool`: one notification, a `Stream` of tokens in, a `Stream` of outcomes out.
 *
 * @since 0.1.0
 */
import type { Receipt, Send } from "@effect-apns/pool"
import { sendAll } from "@effect-apns/pool"
import { Chunk, Effect, Either, type ManagedRuntime, Option, Stream } from "effect"
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
 * Options of `sendAll` for every token.
 *
 * @since 1.0.0
 * @category constructors
 */
export const bulkOptions = (target: Target) => ({
  // more than are in flight, so that the next are at hand when a stream frees
  concurrency: target.waiting > 0 ? target.inFlight + target.waiting : 4 * target.inFlight,
  notification: makeNotification(),
  priority: 10 as const,
  topic: Workload.topic
})

/**
 * Runs a stream of outcomes to its end, and fails unless there are `count`. An error is thrown unless `dead` takes it.
 *
 * @since 1.0.0
 * @category accessors
 */
export const runOutcomes = <R>(
  runtime: ManagedRuntime.ManagedRuntime<R, unknown>,
  outcomes: Stream.Stream<{ readonly result: Either.Either<Receipt.Receipt, Send.SendError> }, never, R>,
  count: number,
  ids: Array<string> | undefined,
  dead: (error: Send.SendError) => string = (error) => {
    throw error
  }
): Promise<void> => {
  let seen = 0
  const program = Stream.runForEachChunk(outcomes, (chunk) =>
    Effect.sync(() => {
      for (const { result } of chunk) {
        const id = Either.isLeft(result) ? dead(result.left) : result.right.apnsId
        seen++
        if (ids !== undefined && id !== undefined) ids.push(id)
      }
    }))
  return runtime.runPromise(program).then(() => {
    if (seen !== count) throw new Error(`${seen} outcomes for ${count} notifications.`)
  })
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const open = async (target: Target): Promise<Client> => {
  const runtime = await Apns.openPool(target)
  const tokens = Workload.tokens()
  const options = bulkOptions(target)
  return {
    run: (first, count, ids) => {
      const stream = tokenStream(first, count, (index) => tokens[index % Workload.distinctTokens] ?? "")
      return runOutcomes(runtime, sendAll(stream, options), count, ids)
    },
    close: () => runtime.dispose()
  }
}
