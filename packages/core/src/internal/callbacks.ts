import * as Effect from "effect/Effect"
import { isPromise } from "node:util/types"
import { isEffect } from "./options.js"

const ignore = (): void => {}

/**
 * Takes what a callback of a caller has returned. A callback that returns nothing may be an async function, too, as far as
 * the types say. Nothing waits for its promise, and a rejection that nothing handles ends the process: `onError` gets it
 * instead. It can be called more than once, and must not throw; this function never throws.
 */
export const catchRejection = (returned: unknown, onError: (error: unknown) => void): void => {
  if (returned === null || (typeof returned !== "object" && typeof returned !== "function")) return
  try {
    if (isPromise(returned)) return void Promise.prototype.then.call(returned, undefined, onError)
    const then: unknown = Reflect.get(returned, "then")
    if (typeof then !== "function") return
    // this `then` is code of the caller, and may be async itself
    const chained: unknown = Reflect.apply(then, returned, [ignore, onError])
    if (isPromise(chained)) Promise.prototype.then.call(chained, undefined, onError)
  } catch (error) {
    onError(error)
  }
}

/**
 * What a function of a caller has returned, which has to be an Effect. Without types it may be anything, such as the promise
 * of an async function: that is a defect that says so, and the promise's rejection is of no further interest.
 */
export const effectOf = <A, E>(returned: Effect.Effect<A, E>, what: string): Effect.Effect<A, E> => {
  if (isEffect(returned)) return returned
  catchRejection(returned, ignore)
  return Effect.die(new TypeError(`${what} returned no Effect: wrap what is async in Effect.promise`))
}
