import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"

/**
 * Runs the attempts one after the other, the next one as soon as the last one failed or `delay` has passed (RFC 8305
 * section 5), and interrupts the others when one succeeds. When all fail, so does the result: with the error of the first
 * attempt that has one. The cost grows with the number of attempts, not with its square.
 */
export const staggered = <A, E>(
  first: Effect.Effect<A, E>,
  others: ReadonlyArray<Effect.Effect<A, E>>,
  delay: Duration.Duration
): Effect.Effect<A, E> => {
  if (others.length === 0) return first
  const attempts = [first, ...others]
  return Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const result = yield* Deferred.make<A, E>()
      const fibers: Array<Fiber.RuntimeFiber<A, E>> = []
      const causes = new Map<number, Cause.Cause<E>>()
      // daemons, which can be interrupted even where the caller cannot
      const start = (attempt: Effect.Effect<A, E>, index: number, failed: Deferred.Deferred<void>) =>
        Effect.map(Effect.forkDaemon(Effect.interruptible(attempt)), (fiber) => {
          fibers.push(fiber)
          fiber.addObserver((exit) => {
            if (Exit.isSuccess(exit)) return Deferred.unsafeDone(result, exit)
            causes.set(index, exit.cause)
            if (causes.size === attempts.length) Deferred.unsafeDone(result, firstError(causes, attempts.length))
            else Deferred.unsafeDone(failed, Exit.void)
          })
        })
      const starter = yield* Effect.forkDaemon(Effect.interruptible(
        Effect.forEach(attempts, (attempt, index) =>
          Effect.flatMap(Deferred.make<void>(), (failed) =>
            Effect.zipRight(
              Effect.uninterruptible(start(attempt, index, failed)),
              index === others.length ? Effect.void : Effect.raceFirst(Deferred.await(failed), Effect.sleep(delay))
            )), { discard: true })
      ))
      return yield* Effect.ensuring(
        restore(Deferred.await(result)),
        Effect.zipRight(Fiber.interrupt(starter), Effect.suspend(() => Fiber.interruptAll(fibers)))
      )
    })
  )
}

const firstError = <E>(causes: ReadonlyMap<number, Cause.Cause<E>>, count: number): Exit.Exit<never, E> => {
  for (let index = 0; index < count; index++) {
    const error = Option.flatMap(Option.fromNullable(causes.get(index)), Cause.failureOption)
    if (Option.isSome(error)) return Exit.fail(error.value)
  }
  return Exit.failCause(causes.get(0) ?? Cause.empty)
}
