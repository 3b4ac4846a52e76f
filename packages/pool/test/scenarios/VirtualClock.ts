import { Clock, Duration, Effect } from "effect"

interface Sleeper {
  readonly at: number
  readonly wake: () => void
}

/** Everything that can happen without time passing has happened. */
const settled = async (): Promise<void> => {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
}

/**
 * A clock that moves only when told to, as `TestClock` does, but looks at no fiber to find out that all of them wait: hours
 * with thousands of requests pass in seconds.
 */
export class VirtualClock implements Clock.Clock {
  readonly [Clock.ClockTypeId]: Clock.ClockTypeId = Clock.ClockTypeId
  private readonly sleepers = new Set<Sleeper>()

  constructor(private millis = 0) {}

  unsafeCurrentTimeMillis(): number {
    return this.millis
  }
  unsafeCurrentTimeNanos(): bigint {
    return BigInt(Math.round(this.millis * 1e6))
  }
  readonly currentTimeMillis = Effect.sync(() => this.unsafeCurrentTimeMillis())
  readonly currentTimeNanos = Effect.sync(() => this.unsafeCurrentTimeNanos())

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    return Duration.toMillis(duration) <= 0 ? Effect.void : Effect.async<void>((resume) => {
      const at = this.millis + Duration.toMillis(duration)
      const sleeper = { at, wake: () => resume(Effect.void) }
      this.sleepers.add(sleeper)
      return Effect.sync(() => this.sleepers.delete(sleeper))
    })
  }

  /** The process stands still for so long: nobody wakes up before it goes on. */
  jump(millis: number): void {
    this.millis += millis
  }

  /** Lets `millis` pass; whoever sleeps wakes up in order, each at its time. */
  async advance(millis: number): Promise<void> {
    const end = this.millis + millis
    for (;;) {
      await settled()
      let next: Sleeper | undefined
      for (const sleeper of this.sleepers) {
        if (sleeper.at <= end && (next === undefined || sleeper.at < next.at)) next = sleeper
      }
      if (next === undefined) break
      this.sleepers.delete(next)
      this.millis = Math.max(this.millis, next.at)
      next.wake()
    }
    this.millis = Math.max(this.millis, end)
  }
}
