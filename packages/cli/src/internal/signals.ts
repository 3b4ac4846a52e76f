import * as Effect from "effect/Effect"

const names = ["SIGINT", "SIGTERM"] as const

/** Waits for the next Ctrl-C or SIGTERM. */
export const signal: Effect.Effect<void> = Effect.async((resume) => {
  const off = () => {
    for (const name of names) process.off(name, on)
  }
  const on = () => {
    off()
    resume(Effect.void)
  }
  for (const name of names) process.on(name, on)
  return Effect.sync(off)
})
