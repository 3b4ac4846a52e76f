/**
 * Connections for those who build pools: deadlines shared by many connections, and a listener that is called in the same
 * tick as something happens.
 *
 * Unstable: a minor version may change it.
 *
 * @example
 * ```ts
 * import type { Connection } from "@effect-apns/core"
 * import * as Unstable from "@effect-apns/core/unstable/Connection"
 *
 * declare const options: Connection.Options
 *
 * export const connection = Unstable.makeWith(options, {
 *   listener: {
 *     onCapacity: ({ unsafe }) => console.log(unsafe.available),
 *     onRetired: (_, cause) => console.log(cause._tag)
 *   }
 * })
 * ```
 *
 * @since 1.0.0
 */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ConnectError } from "../ConnectError.js"
import type { Connection, Options, Parts } from "../Connection.js"
import type { CredentialsError } from "../Credentials.js"
import * as internal from "../internal/connection.js"

/**
 * `Connection.make`, for pools: one set of deadlines for many connections, and news in the same tick.
 *
 * @since 1.0.0
 * @category constructors
 */
export const makeWith = (
  options: Options,
  parts: Parts
): Effect.Effect<Connection, ConnectError | CredentialsError, Scope.Scope> => internal.make(options, parts)
