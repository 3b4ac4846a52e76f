/**
 * `Connection.post` of `@effect-apns/core`, one connection.
 *
 * @since 0.1.0
 */
import * as Connection from "@effect-apns/core/Connection"
import { Effect, Layer, ManagedRuntime } from "effect"
import type { Client, Target } from "../Client.js"
import * as Workload from "../Workload.js"
import * as Apns from "./Apns.js"
import * as Workers from "./Workers.js"

/**
 * @since 0.1.0
 * @category constructors
 */
export const open = async (target: Target): Promise<Client> => {
  const runtime = ManagedRuntime.make(Layer.unwrapEffect(Effect.map(Apns.connection(target), Connection.layer)))
  const connection = await runtime.runPromise(Connection.Connection)
  const requests = Apns.requests()
  return {
    run: (first, count, ids) => {
      const post = (index: number) => {
        const request = requests[index % Workload.distinctTokens]
        return request === undefined
          ? Effect.void
          : Effect.map(connection.post(request), (response) => Apns.accept(response, ids))
      }
      return runtime.runPromise(Workers.run(target.inFlight + target.waiting, first, count, post))
    },
    close: () => runtime.dispose()
  }
}
