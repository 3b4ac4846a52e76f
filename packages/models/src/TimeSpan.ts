/**
 * How spans of time are given: `"10 seconds"`, or a `Duration`. A bare number is not accepted, because
 * it could mean seconds or milliseconds.
 *
 * @since 1.0.0
 */
import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import * as Option from "effect/Option"

/**
 * A span of time: a `Duration`, or text with a number and its unit, such as `"500 millis"`, `"10 seconds"` or
 * `"5 minutes"`.
 *
 * @since 1.0.0
 * @category models
 */
export type TimeSpan = Duration.Duration | `${number} ${Duration.Unit}`

/** A value that is not a Duration may be anything, such as a Proxy that throws when it is read. */
const isDuration = (input: unknown): input is Duration.Duration => {
  try {
    return Duration.isDuration(input)
  } catch {
    return false
  }
}

/**
 * The `Duration` of a {@link TimeSpan}; for anything else a sentence that says what to give.
 *
 * @example
 * ```ts
 * import { TimeSpan } from "@effect-apns/models"
 *
 * console.log(TimeSpan.decode("10 seconds")) // right(10s)
 * console.log(TimeSpan.decode(10)) // left: give a Duration, or a number with its unit
 * ```
 *
 * @since 1.0.0
 * @category conversions
 */
export const decode = (input: unknown): Either.Either<Duration.Duration, string> => {
  if (isDuration(input)) return Either.right(input)
  // a Duration is never negative: of "-5 seconds" it would make no time at all
  const duration = typeof input === "string" && !input.startsWith("-") ? Duration.decodeUnknown(input) : Option.none()
  return Either.fromOption(duration, () => "give a Duration, or a number with its unit such as \"10 seconds\"")
}
