/**
 * What the rows of this project have in common: where to connect, as whom, and a pool to send through.
 *
 * @since 0.1.0
 */
import * as Credentials from "@effect-apns/core/Credentials"
import * as Endpoint from "@effect-apns/core/Endpoint"
import type { Request } from "@effect-apns/core/Request"
import * as Requests from "@effect-apns/core/Request"
import * as ApnsPool from "@effect-apns/pool/ApnsPool"
import { Effect, Layer, ManagedRuntime, Redacted, Schedule } from "effect"
import { keyId, teamId } from "../Bearer.js"
import type { Target } from "../Client.js"
import * as Workload from "../Workload.js"

/**
 * Options of a connection to the sink.
 *
 * @since 0.1.0
 * @category constructors
 */
export const connection = (target: Target) =>
  Effect.map(
    Credentials.token({ key: Redacted.make(target.signingKey), keyId, teamId }),
    (credentials) => ({
      ca: target.ca,
      credentials,
      endpoint: Endpoint.unsafeMake(`https://localhost:${target.port}`)
    })
  )

/**
 * A runtime with a pool in it, all of whose connections are open.
 *
 * @since 0.1.0
 * @category constructors
 */
export const openPool = async (
  target: Target
): Promise<ManagedRuntime.ManagedRuntime<ApnsPool.ApnsPool, unknown>> => {
  const layer = Layer.unwrapEffect(
    Effect.map(connection(target), (options) => ApnsPool.layer({ ...options, size: target.connections }))
  )
  const runtime = ManagedRuntime.make(layer)
  const settled = Effect.flatMap(ApnsPool.ApnsPool, (pool) => pool.stats).pipe(
    Effect.repeat({ schedule: Schedule.spaced("10 millis"), until: ({ active }) => active === target.connections })
  )
  await runtime.runPromise(Effect.timeout(settled, "10 seconds"))
  return runtime
}

/**
 * A request for every token, made beforehand: what a row that measures `post` posts.
 *
 * @since 0.1.0
 * @category constructors
 */
export const requests = (): ReadonlyArray<Request> =>
  Workload.tokens().map((token) =>
    Requests.make({
      body: Workload.body,
      headers: { "apns-priority": "10", "apns-push-type": "alert", "apns-topic": Workload.topic },
      path: `/3/device/${token}`
    })
  )

/**
 * Fails on what `post` answers unless it is 200, and keeps the id.
 *
 * @since 0.1.0
 * @category accessors
 */
export const accept = (
  response: { readonly apnsId?: string | undefined; readonly status: number },
  ids: Array<string> | undefined
): void => {
  if (response.status !== 200) throw new Error(`Answered ${response.status}.`)
  if (ids !== undefined && response.apnsId !== undefined) ids.push(response.apnsId)
}
