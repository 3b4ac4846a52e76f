/**
 * How urgently APNs delivers.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as Printable from "./Printable.js"
import * as PushType from "./PushType.js"

/**
 * The value of the `apns-priority` header: 10 at once (what APNs assumes when the header is left out), 5 with regard to
 * the device's battery, 1 with battery above all and never waking the device.
 *
 * Source: Apple, "Sending notification requests to APNs".
 *
 * @since 0.1.0
 * @category models
 */
export type Priority = 10 | 5 | 1

/**
 * The Schema of {@link Priority}.
 *
 * @example
 * ```ts
 * import type { Priority } from "@effect-apns/models"
 *
 * const calm: Priority.For<"background"> = 5
 * // @ts-expect-error: APNs refuses a background notification of priority 10
 * const urgent: Priority.For<"background"> = 10
 *
 * console.log(calm, urgent)
 * ```
 *
 * @since 0.1.0
 * @category schemas
 */
export const Priority: Schema.Literal<[10, 5, 1]> = Schema.Literal(10, 5, 1).annotations({
  identifier: "Priority",
  // instead of one line for each literal
  message: () => ({
    message: "A priority is 10 (at once), 5 (with regard to the battery) or 1 (never wakes the device).",
    override: true
  })
})

/**
 * The priorities that Apple allows for a push type; any for one that `PushType.table` does not know.
 *
 * @since 0.1.0
 * @category models
 */
export type For<P extends string> = P extends PushType.PushType
  ? (typeof PushType.table)[P]["allowedPriorities"][number]
  : Priority

/**
 * Whether the input is a priority.
 *
 * @since 0.1.0
 * @category guards
 */
export const is = (input: unknown): input is Priority => input === 10 || input === 5 || input === 1

/**
 * The priority, if the push type allows it. Fails with a `ParseError` that names what Apple allows.
 *
 * @since 0.1.0
 * @category combinators
 */
export const forPushType = (
  priority: Priority,
  pushType: string
): Either.Either<Priority, ParseResult.ParseError> => {
  const allowed: ReadonlyArray<Priority> = PushType.info(pushType).allowedPriorities
  return allowed.includes(priority)
    ? Either.right(priority)
    : Either.left(ParseResult.parseError(
      new ParseResult.Type(
        Schema.Number.ast,
        priority,
        `A push of type ${Printable.text(pushType)} has priority ${allowed.join(" or ")}, not ${priority}.`
      )
    ))
}
