/**
 * How long APNs goes on trying to deliver.
 *
 * @since 0.1.0
 */
import type * as DateTime from "effect/DateTime"
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { lazy } from "./internal/lazy.js"
import * as UnixTime from "./UnixTime.js"

/**
 * `"none"`: one attempt, nothing stored (`apns-expiration: 0`). An instant (a `DateTime`, a `Date` or whole Unix
 * seconds): APNs stores and repeats until then, 30 days at most. Leaving the expiration out leaves it to APNs.
 *
 * Source: Apple, "Sending notification requests to APNs".
 *
 * @since 0.1.0
 * @category models
 */
export type Expiration = "none" | DateTime.DateTime | Date | number

/**
 * The Schema of the header's value: whole Unix seconds, 0 for none.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Seconds: Schema.filter<typeof Schema.Number> = UnixTime.UnixTime

const decode = lazy(() => Schema.decodeUnknownEither(Seconds))

/**
 * The whole Unix seconds of an expiration; 0 stands for `"none"`. An instant's fraction is dropped, so nothing is
 * delivered later than asked.
 *
 * Fails with a `ParseError` for fractions, negative numbers, invalid dates, milliseconds, and for an instant so early
 * that it would mean `"none"`.
 *
 * @example
 * ```ts
 * import { Expiration } from "@effect-apns/models"
 * import { DateTime, Either } from "effect"
 *
 * console.log(Expiration.toSeconds("none")) // right(0)
 * console.log(Expiration.toSeconds(DateTime.unsafeMake("2024-01-01T00:00:00Z"))) // right(1704067200)
 * console.log(Either.isLeft(Expiration.toSeconds(1704067200.5))) // true
 * ```
 *
 * @since 0.1.0
 * @category conversions
 */
export const toSeconds = (expiration: Expiration): Either.Either<number, ParseResult.ParseError> => {
  if (expiration === "none") return none
  const seconds = typeof expiration === "object" ? UnixTime.fromInput(expiration) : expiration
  if (!UnixTime.is(seconds)) return decode()(seconds)
  return seconds === 0 && typeof expiration === "object" ? tooEarly(expiration) : Either.right(seconds)
}

const none: Either.Either<number, ParseResult.ParseError> = Either.right(0)

const tooEarly = (actual: unknown): Either.Either<number, ParseResult.ParseError> =>
  Either.left(ParseResult.parseError(
    new ParseResult.Type(
      Schema.Number.ast,
      actual,
      "An expiration in the first second of 1970 would mean \"none\": say \"none\" or give a later instant."
    )
  ))

/**
 * The value of the `apns-expiration` header. Fails as {@link toSeconds} does.
 *
 * @since 0.1.0
 * @category conversions
 */
export const toHeader = (expiration: Expiration): Either.Either<string, ParseResult.ParseError> =>
  expiration === "none" ? noneHeader : Either.map(toSeconds(expiration), String)

const noneHeader: Either.Either<string, ParseResult.ParseError> = Either.right("0")
