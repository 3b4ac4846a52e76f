import * as Effect from "effect/Effect"

interface Waiter {
  granted: boolean
  wake: (() => void) | undefined
}

/** A number of permits; those who wait get one in the order in which they asked. */
export class Budget {
  private readonly waiters = new Set<Waiter>()
  taken = 0

  constructor(public max: number) {}

  /** How many wait. */
  get waiting(): number {
    return this.waiters.size
  }

  tryTake(): boolean {
    if (this.waiters.size > 0 || this.taken >= this.max) return false
    this.taken++
    return true
  }

  /** Changes the number of permits; those that are taken stay valid. */
  resize(max: number): void {
    this.max = max
    this.release(0)
  }

  /** Runs an effect with a permit. For an uninterruptible region, with its `restore`. */
  with<A, E, R>(
    restore: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>,
    effect: Effect.Effect<A, E, R>
  ): Effect.Effect<A, E, R> {
    return Effect.zipRight(
      this.take(restore),
      Effect.onExit(restore(effect), () => Effect.sync(() => this.release()))
    )
  }

  release(count = 1): void {
    this.taken -= count
    for (const waiter of this.waiters) {
      if (this.taken >= this.max) return
      this.waiters.delete(waiter)
      this.taken++
      waiter.granted = true
      waiter.wake?.()
    }
  }

  /**
   * Takes a permit. For an uninterruptible region, with its `restore`: a permit that is granted at the moment of an
   * interruption is given back.
   */
  take(
    restore: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>,
    /** Called if there is no permit at the moment, when this caller already counts as waiting. */
    onShortage: Effect.Effect<void> = Effect.void
  ): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.tryTake()) return Effect.void
      const waiter: Waiter = { granted: false, wake: undefined }
      this.waiters.add(waiter)
      const granted = Effect.async<void>((resume) => {
        if (waiter.granted) resume(Effect.void)
        else waiter.wake = () => resume(Effect.void)
      })
      return Effect.catchAllCause(Effect.zipRight(onShortage, restore(granted)), (cause) => {
        if (waiter.granted) this.release()
        else this.waiters.delete(waiter)
        return Effect.failCause(cause)
      })
    })
  }
}
