/**
 * The shape in which everything that costs a fiber is measured: a fixed number of fibers, each sending one notification
 * after the other.
 *
 * @since 0.1.0
 */
import { Effect } from "effect"

/**
 * @since 0.1.0
 * @category constructors
 */
export const run = <E, R>(
  fibers: number,
  first: number,
  count: number,
  send: (index: number) => Effect.Effect<void, E, R>
): Effect.Effect<void, E, R> => {
  let next = first
  const end = first + count
  const worker = Effect.whileLoop({
    while: () => next < end,
    body: () => send(next++),
    step: () => {}
  })
  return Effect.all(Array.from({ length: Math.min(fibers, count) }, () => worker), {
    concurrency: "unbounded",
    discard: true
  })
}
