/**
 * Started in a fresh process: how long the imports take that a program needs anyway, and how much this project adds.
 *
 * @since 0.1.0
 */

/**
 * Milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface ImportTime {
  readonly effect: number
  readonly pool: number
}

const start = performance.now()
await import("effect")
await import("@effect/platform")
const between = performance.now()
await import("@effect-apns/pool")
const end = performance.now()
const message: ImportTime = { effect: between - start, pool: end - between }
process.send?.(message)
process.on("disconnect", () => process.exit())
