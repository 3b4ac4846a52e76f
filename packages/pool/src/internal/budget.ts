import * as Effect from "effect/Effect"

interface Waiter {
  granted: boolean
  wake: (() => void) | undefined
}

/** So many may be had at a time; whoever asks first is served first. */
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

  /** From now on so many may be had; those that were handed out stay so. */
  resize(max: number): void {
    this.max = max
    this.release(0)
  }

  /** Runs an effect with one of them. For a region that cannot be interrupted, whose `restore` it is given. */
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
   * Takes one. For a region that cannot be interrupted, whose `restore` it is given: what was granted at the moment of an
   * interruption is given back.
   */
  take(
    restore: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>,
    /** Runs where there is none at the moment, when this one already counts as waiting. */
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
