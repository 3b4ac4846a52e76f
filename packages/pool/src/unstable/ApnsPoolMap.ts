/**
 * Pools by tenant over connections of your own making: for tests, and for targets that are not APNs.
 *
 * Unstable: a minor version may change it.
 *
 * @example
 * ```ts
 * import { Connection, Response } from "@effect-apns/core"
 * import * as Unstable from "@effect-apns/pool/unstable/ApnsPoolMap"
 * import { Effect } from "effect"
 *
 * export const pools = Unstable.makeWith(({ topic }, parts) =>
 *   Connection.fromHandler(() => Effect.succeed(Response.make({ headers: { "x-tenant": topic ?? "" } })), {}, parts))
 * ```
 *
 * @since 1.0.0
 */
import type { ConnectError, Connection, Credentials } from "@effect-apns/core"
import type { Parts } from "@effect-apns/core/unstable/Connection"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as ApnsPool from "../ApnsPool.js"
import type { ApnsPoolMap, PoolMapOptions, ResolvedTenant } from "../ApnsPoolMap.js"
import { build } from "../ApnsPoolMap.js"
import * as pools from "../internal/apnsPool.js"

/**
 * Pools over connections of your own making.
 *
 * @since 1.0.0
 * @category constructors
 */
export const makeWith = (
  connect: (
    tenant: ResolvedTenant,
    parts: Parts
  ) => Effect.Effect<Connection.Connection, ConnectError.ConnectError | Credentials.CredentialsError, Scope.Scope>,
  options: PoolMapOptions = {}
): Effect.Effect<ApnsPoolMap, ApnsPool.InvalidPoolOptions, Scope.Scope> =>
  build(
    (tenant, around) => pools.makeSharedWith((parts) => around(connect(tenant, parts)), options),
    options
  )
