import * as TimeSpan from "@effect-apns/models/TimeSpan"
import type * as Duration from "effect/Duration"
import * as Either from "effect/Either"

/** A span of time given by a test. An invalid one is a mistake in the test, so this throws. */
export const spanOf = (what: string, given: TimeSpan.TimeSpan): Duration.Duration =>
  Either.getOrThrowWith(TimeSpan.decode(given), (advice) => new TypeError(`${what} is no span of time: ${advice}`))
