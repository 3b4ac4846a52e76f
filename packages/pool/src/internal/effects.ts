import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Runtime from "effect/Runtime"
import type * as Schedule from "effect/Schedule"
import * as ScheduleDecision from "effect/ScheduleDecision"
import * as ScheduleIntervals from "effect/ScheduleIntervals"

/** The state of a schedule, which only that schedule can read. */
export interface Place {
  readonly state: unknown
  /** When, in milliseconds since the UNIX epoch; `undefined` when it is done. */
  readonly at: number | undefined
}

/** One step of a schedule, without sleeping. If the schedule throws, the effect dies. */
export const step = <In>(
  schedule: Schedule.Schedule<unknown, In>,
  nowMillis: number,
  input: In,
  before: Place | undefined
): Effect.Effect<Place> =>
  Effect.suspend(() =>
    Effect.map(
      schedule.step(nowMillis, input, before === undefined ? schedule.initial : before.state),
      ([state, , decision]) => {
        if (ScheduleDecision.isDone(decision)) return { state, at: undefined }
        const at = Math.max(nowMillis, ScheduleIntervals.start(decision.intervals))
        // not a number: a deadline without end
        if (Number.isNaN(at)) throw new TypeError("The schedule has returned an interval that begins at no time: NaN")
        return { state, at }
      }
    )
  )

/** Runs an effect in a new root fiber, synchronously until it first waits. */
export const run = <A, E>(
  runtime: Runtime.Runtime<never>,
  effect: Effect.Effect<A, E>,
  then?: (exit: Exit.Exit<A, E>) => void
): void => {
  Runtime.runCallback(runtime)(effect, then === undefined ? undefined : { onExit: then })
}

/** Writes to the log; what a logger of the program throws is ignored. */
export const log = (effect: Effect.Effect<void>): Effect.Effect<void> => Effect.catchAllCause(effect, () => Effect.void)
