import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as aborts from "./aborts.js"
import { Thrown } from "./failures.js"

type Next<A, E> = Effect.Effect<Chunk.Chunk<A>, Option.Option<E | Thrown>>

/** What ends a source from outside, with `error`. */
export interface Stop<E> {
  /** Nothing more is read. */
  readonly signal: AbortSignal
  /** An item that was asked for is not waited for any longer. */
  readonly giveUp: AbortSignal
  readonly error: () => E
}

/** What an iterator threw when it was closed: a stream ignores what finalizers throw, and its reader does not. */
export class Closing {
  thrown: Thrown | undefined

  readonly failed = (cause: unknown): void => {
    this.thrown ??= new Thrown(cause)
  }
}

const end = Effect.fail(Option.none())

const thrown = (value: unknown): Effect.Effect<never, Option.Option<Thrown>> =>
  Effect.fail(Option.some(new Thrown(value)))

/** The items of an iterable, which is closed when the stream ends before it does. */
export const fromIterable = <A, E>(
  items: Iterable<A>,
  size: number,
  { error, signal }: Stop<E>,
  closing: Closing
): Stream.Stream<A, E | Thrown> =>
  Stream.fromPull(Effect.suspend(() => {
    let ended = false
    let iterator: Iterator<A> | undefined
    const next: Next<A, E> = Effect.suspend((): Next<A, E> => {
      if (signal.aborted) return Effect.fail(Option.some(error()))
      if (ended) return end
      const chunk: Array<A> = []
      try {
        iterator ??= items[Symbol.iterator]()
        while (chunk.length < size) {
          const result = iterator.next()
          if (result.done === true) {
            ended = true
            break
          }
          chunk.push(result.value)
        }
      } catch (cause) {
        ended = true
        return thrown(cause)
      }
      return chunk.length === 0 ? end : Effect.succeed(Chunk.unsafeFromArray(chunk))
    })
    return Effect.as(
      Effect.addFinalizer(() =>
        Effect.sync(() => {
          try {
            if (!ended) iterator?.return?.()
          } catch (cause) {
            closing.failed(cause)
          }
        })
      ),
      next
    )
  }))

/**
 * The items of an async iterable, one at a time. It is closed when the stream ends before it does; where its next item is
 * still being waited for then, without waiting until that is there.
 */
export const fromAsyncIterable = <A, E>(
  items: AsyncIterable<A>,
  { error, giveUp, signal }: Stop<E>,
  closing: Closing
): Stream.Stream<A, E | Thrown> =>
  Stream.fromPull(Effect.suspend(() => {
    let ended = false
    let isWaiting = false
    let iterator: AsyncIterator<A> | undefined
    const ask = async (): Promise<IteratorResult<A>> => {
      isWaiting = true
      try {
        iterator ??= items[Symbol.asyncIterator]()
        const result = await iterator.next()
        ended ||= result.done === true
        return result
      } catch (cause) {
        ended = true
        throw cause
      } finally {
        isWaiting = false
      }
    }
    const next: Next<A, E> = Effect.async((resume) => {
      if (signal.aborted) return resume(Effect.fail(Option.some(error())))
      const stop = aborts.listen(giveUp, () => resume(Effect.fail(Option.some(error()))))
      ask().then(
        (result) => {
          stop()
          resume(result.done === true ? end : Effect.succeed(Chunk.of(result.value)))
        },
        (cause) => {
          stop()
          resume(thrown(cause))
        }
      )
      return Effect.sync(stop)
    })
    const close = Effect.promise(async () => {
      if (ended || iterator === undefined) return
      // a generator that is waiting itself is closed when it no longer waits
      const closed = Promise.resolve(iterator).then((iterator) => iterator.return?.()).catch(closing.failed)
      if (!isWaiting) await closed
    })
    return Effect.as(Effect.addFinalizer(() => close), next)
  }))
