/**
 * One request on its way, at the level of callbacks: what a connection needs to send it and to say what became of
 * it. `Connection.post` and pools subclass it to carry their own state, so that a request costs one object and no
 * closure.
 *
 * Unstable: a minor version may change it.
 *
 * @example
 * ```ts
 * import type { Connection, Failure, Request } from "@effect-apns/core"
 * import * as Exchange from "@effect-apns/core/unstable/Exchange"
 *
 * class Logged extends Exchange.Exchange {
 *   onAnswer(): void {
 *     console.log(this.status, this.apnsId)
 *   }
 *   onFailure(_: Connection.Connection, failure: Failure.Failure): void {
 *     console.log(failure._tag, failure.processed)
 *   }
 *   onDue(): void {}
 * }
 *
 * export const send = (connection: Connection.Connection, { path, spec }: Request.Request): boolean =>
 *   connection.unsafe.exchange(new Logged(path, spec))
 * ```
 *
 * @since 0.1.0
 */
import { Session } from "@effect-apns/http2"
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as RuntimeFlags from "effect/RuntimeFlags"
import type { Connection } from "../Connection.js"
import type { Failure } from "../Failure.js"
import type { Token } from "../ProviderToken.js"
import * as Request from "../Request.js"
import type { Bucket, Entry } from "./Deadlines.js"
import type { RequestSpec } from "./RequestSpec.js"

/**
 * A request and, in the fields of {@link Session.Stream}, its response.
 *
 * A connection calls exactly one of {@link Exchange.onAnswer} and {@link Exchange.onFailure} for each exchange that
 * it took, unless it is told to cancel it first.
 *
 * @since 0.1.0
 * @category models
 */
export abstract class Exchange extends Session.Stream implements Entry {
  /** The deadlines' own. */
  dueBucket: Bucket | undefined = undefined
  /** The deadlines' own. */
  dueAt = 0
  /** The deadlines' own. */
  duePrevious: Entry | undefined = undefined
  /** The deadlines' own. */
  dueNext: Entry | undefined = undefined

  /** The connection that has the request now. */
  connection: Connection | undefined = undefined
  /** The provider token that the request was sent with. */
  token: Token | undefined = undefined

  constructor(
    /** What follows `spec.head.pathPrefix` in the `:path`. */
    public path: string,
    public spec: RequestSpec
  ) {
    super()
  }

  /** A deadline that the owner set with `Deadlines` has come. */
  abstract onDue(nowMillis: number): void

  /**
   * The response is in `status`, `apnsId`, `headers`, `body` and `truncated`. `nowMillis` is the time at which it came, on
   * the scale of `Deadlines.now`.
   */
  abstract onAnswer(connection: Connection, nowMillis: number): void

  /** There is no response and there will be none. */
  abstract onFailure(connection: Connection, failure: Failure): void

  /**
   * The program that stands in for APNs has died (`Connection.fromHandler`): called instead of
   * {@link Exchange.onFailure}. Unless a subclass passes the defect on, it is a `Closed` whose fate is unknown.
   */
  onDefect(connection: Connection, _cause: Cause.Cause<never>): void {
    this.onFailure(connection, {
      _tag: "Closed",
      processed: "unknown",
      closeCause: { _tag: "Dropped", code: undefined }
    })
  }
}

/**
 * The request itself. Throws a TypeError that says what to give where it is none, as a program without types may pass.
 *
 * @since 1.0.0
 * @category combinators
 */
export const checkRequest = (request: Request.Request): Request.Request => {
  if (Request.isRequest(request)) return request
  throw new TypeError("What was posted is no request: give what Request.make or Request.validate returns")
}

/**
 * `Effect.async` with a canceler, at half its cost: what `post` and `send` pay for each notification.
 *
 * `Effect.async` wraps a canceler in `onInterrupt`, which builds a mask and a dozen closures for every call. Here the
 * region that may be interrupted is marked by hand; inside a region that may not be, nothing needs to be marked at all.
 *
 * @since 0.1.0
 * @category constructors
 */
export const async = <Handle, A, E>(
  /** Starts the work, and returns what it takes to cancel it, or nothing where it is over already. */
  register: (resume: (effect: Effect.Effect<A, E>) => void) => Handle | undefined,
  cancel: (handle: Handle) => void
): Effect.Effect<A, E> =>
  Effect.withFiberRuntime((_fiber, status) => {
    if (!RuntimeFlags.interruptible(status.runtimeFlags)) {
      return Effect.async<A, E>((resume) => {
        register(resume)
      })
    }
    let handle: Handle | undefined
    return Effect.uninterruptible(
      Effect.matchCauseEffect(
        Effect.interruptible(Effect.async<A, E>((resume) => {
          handle = register(resume)
        })),
        {
          onFailure: (cause) => {
            if (handle !== undefined) cancel(handle)
            return Effect.failCause(cause)
          },
          onSuccess: Effect.succeed
        }
      )
    )
  })
