import { TimeSpan } from "@effect-apns/models"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { InvalidOutboxOptions } from "../OutboxError.js"

/** The milliseconds of an option that is a span of time. */
export const positiveMillis = (
  field: string,
  input: TimeSpan.TimeSpan
): Effect.Effect<number, InvalidOutboxOptions> =>
  Effect.suspend(() => {
    const span = TimeSpan.decode(input)
    if (Either.isLeft(span)) return Effect.fail(new InvalidOutboxOptions({ field, description: span.left }))
    const millis = Duration.toMillis(span.right)
    return millis > 0 && Number.isFinite(millis)
      ? Effect.succeed(millis)
      : Effect.fail(new InvalidOutboxOptions({ field, description: "it must be longer than 0, and end" }))
  })
