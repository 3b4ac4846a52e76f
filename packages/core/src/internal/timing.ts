import { TimeSpan } from "@effect-apns/models"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import { ConnectError } from "../ConnectError.js"
import type { Endpoint } from "../Endpoint.js"

/** An option that is a span of time; `otherwise` if it is not given. */
export const spanOf = (
  endpoint: Endpoint,
  option: string,
  given: unknown,
  otherwise: Duration.Duration
): Effect.Effect<Duration.Duration, ConnectError> =>
  given === undefined ? Effect.succeed(otherwise) : Either.match(TimeSpan.decode(given), {
    onRight: Effect.succeed,
    onLeft: (advice) =>
      new ConnectError({
        reason: "InvalidOptions",
        phase: "setup",
        endpoint,
        message: `The option \`${option}\` is no span of time: ${advice}`
      })
  })

/**
 * Waits for `wait`, but no longer than `duration`: for finalizers.
 *
 * The fiber that runs a finalizer may have been interrupted, or may be interrupted while it waits. `Effect.interruptible`
 * in such a fiber stops at once and skips what comes after it, and a child fiber is interrupted together with its
 * parent. So a daemon fiber does the waiting, since nothing interrupts it.
 */
export const waitAtMost = (wait: Effect.Effect<void>, duration: Duration.Duration): Effect.Effect<void> =>
  Effect.uninterruptible(
    Effect.flatMap(
      Effect.forkDaemon(Effect.interruptible(Effect.timeoutOption(wait, duration))),
      (fiber) => Effect.asVoid(Fiber.await(fiber))
    )
  )

/**
 * `Effect.timeoutFail` that also works where the caller may not be interrupted, as in `Effect.acquireRelease`: there
 * `Effect.timeoutFail` would wait for `self` without limit. A caller that may be interrupted interrupts `self`, as usual.
 */
export const timeoutFail = <A, E, R, E2>(
  self: Effect.Effect<A, E, R>,
  options: { readonly duration: Duration.Duration; readonly onTimeout: () => E2 }
): Effect.Effect<A, E | E2, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(
      Effect.forkDaemon(Effect.interruptible(Effect.timeoutFail(self, options))),
      (fiber) => Effect.onInterrupt(restore(Fiber.join(fiber)), () => Fiber.interrupt(fiber))
    )
  )
