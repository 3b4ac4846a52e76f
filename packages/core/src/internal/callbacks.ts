import { isPromise } from "node:util/types"

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
