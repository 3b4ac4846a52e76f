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
 * declare const options: Connection.Resolved
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
import type { Connection, Options, Parts, Resolved } from "../Connection.js"
import type { Credentials, CredentialsError } from "../Credentials.js"
import * as internal from "../internal/connection.js"
import * as given from "../internal/given.js"
import type { Proxy } from "../Proxy.js"

/**
 * `Connection.make`, for pools: one set of deadlines for many connections, and news in the same tick.
 *
 * @since 1.0.0
 * @category constructors
 */
export const makeWith = (
  options: Resolved,
  parts: Parts
): Effect.Effect<Connection, ConnectError | CredentialsError, Scope.Scope> => internal.make(options, parts)

/**
 * The credentials and the proxy of {@link Options} as values: what is an Effect is run.
 *
 * @since 1.0.0
 * @category combinators
 */
export const resolve: <CE, CR, PE, PR>(
  options: Pick<Options<CE, CR, PE, PR>, "credentials" | "proxy">
) => Effect.Effect<
  { readonly credentials: Credentials; readonly proxy: Proxy | "env" | undefined },
  CE | PE,
  CR | PR
> = given.resolve

/**
 * The proxy of `Connection.Options` as a value: an Effect is run.
 *
 * @since 1.0.0
 * @category combinators
 */
export const resolveProxy: <E, R>(
  proxy: Options<never, never, E, R>["proxy"]
) => Effect.Effect<Proxy | "env" | undefined, E, R> = given.resolveProxy
