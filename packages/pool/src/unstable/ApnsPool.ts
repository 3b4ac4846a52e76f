/**
 * Pools over connections of your own making: for targets that are not APNs, and for tests.
 *
 * Unstable: a minor version may change it.
 *
 * @example
 * ```ts
 * import { Connection, Response } from "@effect-apns/core"
 * import * as Unstable from "@effect-apns/pool/unstable/ApnsPool"
 * import { Effect } from "effect"
 *
 * export const pool = Unstable.makeWith((parts) =>
 *   Connection.fromHandler(({ path }) => Effect.succeed(Response.make({ apnsId: path })), {}, parts))
 * ```
 *
 * @since 1.0.0
 */
import type { ConnectError, Connection, Credentials } from "@effect-apns/core"
import type { Parts } from "@effect-apns/core/unstable/Connection"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ApnsPool, InvalidPoolOptions, PoolOptions } from "../ApnsPool.js"
import * as internal from "../internal/apnsPool.js"
import type { Delivery } from "./Delivery.js"

/**
 * A pool at the level of callbacks.
 *
 * @since 1.0.0
 * @category models
 */
export interface Unsafe {
  /**
   * Takes a delivery. Exactly one of its callbacks is called, once, possibly before this returns. Inside a callback that
   * receives the time, pass it on as `nowMillis`.
   */
  readonly submit: (delivery: Delivery, nowMillis?: number) => void
  /** Cancels a delivery. After this none of its callbacks is called. */
  readonly cancel: (delivery: Delivery) => void
}

/**
 * A pool over connections of your own making.
 *
 * @since 1.0.0
 * @category constructors
 */
export const makeWith = (
  connect: (
    parts: Parts
  ) => Effect.Effect<Connection.Connection, ConnectError.ConnectError | Credentials.CredentialsError, Scope.Scope>,
  options: PoolOptions = {}
): Effect.Effect<ApnsPool, InvalidPoolOptions, Scope.Scope> => internal.makeWith(connect, options)
