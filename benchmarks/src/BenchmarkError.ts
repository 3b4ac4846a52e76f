/**
 * @since 0.1.0
 */
import { Data } from "effect"

/**
 * The benchmark cannot go on, or must not: something is missing, a client failed, or a figure would have been bought
 * with a wrong byte.
 *
 * @since 0.1.0
 * @category errors
 */
export class BenchmarkError extends Data.TaggedError("BenchmarkError")<{
  /** The row or part that failed. */
  readonly where: string
  readonly reason: string
}> {
  override get message(): string {
    return `${this.where}: ${this.reason}`
  }
}
