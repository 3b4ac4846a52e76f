import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/**
 * Runs the attempts one after the other, the next one as soon as the last one failed or `delay` has passed (RFC 8305
 * section 5), and interrupts the others when one succeeds. When all fail, so does the result: with the first error.
 */
export const staggered = <A, E>(
  first: Effect.Effect<A, E>,
  others: ReadonlyArray<Effect.Effect<A, E>>,
  delay: Duration.Duration
): Effect.Effect<A, E> => {
  const [second, ...rest] = others
  if (second === undefined) {
    return first
  }
  return Effect.flatMap(Deferred.make<void>(), (failed) =>
    Effect.race(
      Effect.tapError(first, () => Deferred.succeed(failed, void 0)),
      Effect.zipRight(Effect.raceFirst(Deferred.await(failed), Effect.sleep(delay)), staggered(second, rest, delay))
    )).pipe(
      // The race ends with the errors of all: the first is enough.
      Effect.catchAll((error) => Effect.fail(error))
    )
}
