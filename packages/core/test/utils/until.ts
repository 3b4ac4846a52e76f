import { Effect } from "effect"

/** Waits for something that events bring about, with no say about when. */
export const until = (condition: () => boolean): Effect.Effect<void> =>
  Effect.async((resume) => {
    let turns = 0
    let stop = (): void => {}
    const look = (): void => {
      if (condition()) return resume(Effect.void)
      // in most cases it is there within a few turns of the event loop; another process takes longer
      if (++turns < 200) {
        const pending = setImmediate(look)
        stop = () => clearImmediate(pending)
      } else {
        const pending = setTimeout(look, 5)
        stop = () => clearTimeout(pending)
      }
    }
    const pending = setImmediate(look)
    stop = () => clearImmediate(pending)
    return Effect.sync(() => stop())
  })
