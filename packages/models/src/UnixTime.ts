/**
 * Instants as APNs counts them: whole seconds since 1970.
 *
 * @since 0.1.0
 */
import * as DateTime from "effect/DateTime"
import * as Schema from "effect/Schema"

/**
 * How a caller may give an instant: a `DateTime`, a `Date`, or whole Unix seconds.
 *
 * @since 0.1.0
 * @category models
 */
export type Input = DateTime.DateTime | Date | number

const max = 253_402_300_799

const refuse = (input: unknown): string | undefined =>
  typeof input !== "number" || !Number.isInteger(input) || input < 0
    ? "An instant is a DateTime, a Date or whole Unix seconds, not before 1970."
    : input > max
    ? `${input} lies beyond the year 9999 as Unix seconds: it looks like milliseconds, so divide it by 1000.`
    : undefined

/**
 * The Schema of an instant in whole Unix seconds, from 1970 to the year 9999. Milliseconds given by mistake are refused.
 *
 * @example
 * ```ts
 * import { UnixTime } from "@effect-apns/models"
 * import { DateTime } from "effect"
 *
 * console.log(UnixTime.fromInput(DateTime.unsafeMake("2024-01-01T00:00:00.900Z"))) // 1704067200
 * ```
 *
 * @since 0.1.0
 * @category schemas
 */
export const UnixTime: Schema.filter<typeof Schema.Number> = Schema.Number.pipe(
  Schema.filter((input) => refuse(input) ?? true, {
    identifier: "UnixTime",
    description: "Whole Unix seconds",
    jsonSchema: { type: "integer", minimum: 0, maximum: max },
    arbitrary: () => (fc) => fc.integer({ min: 0, max: 4_102_444_800 }),
    message: (issue) => ({ override: true, message: refuse(issue.actual) ?? "Expected Unix seconds." })
  })
)

/**
 * The seconds of an instant, its fraction dropped. Numbers pass as they are, and {@link UnixTime} checks them later; what
 * is no instant at all is `NaN`, which it refuses.
 *
 * @since 0.1.0
 * @category conversions
 */
export const fromInput = (input: Input): number => {
  if (typeof input === "number") return input
  if (DateTime.isDateTime(input)) return Math.floor(input.epochMillis / 1000)
  return isDate(input) ? Math.floor(input.getTime() / 1000) : Number.NaN
}

/**
 * The milliseconds since 1970 of a `DateTime` or a valid `Date`; `undefined` for anything else.
 *
 * @since 1.0.0
 * @category conversions
 */
export const toMillis = (input: unknown): number | undefined => {
  const millis = DateTime.isDateTime(input) ? input.epochMillis : isDate(input) ? input.getTime() : Number.NaN
  return Number.isNaN(millis) ? undefined : millis
}

const isDate = (input: unknown): input is Date => Object.prototype.toString.call(input) === "[object Date]"

/**
 * Whether the input is an instant in whole Unix seconds.
 *
 * @since 0.1.0
 * @category guards
 */
export const is = (input: unknown): input is number => refuse(input) === undefined
