/**
 * Callbacks of the program that uses the mock: what they throw is reported, and neither ends the process nor leaves a request
 * without an answer.
 */
import { isPromise } from "node:util/types"
import type { Behavior } from "../Behavior.js"

/** @internal */
export type Report = (message: string, defect: unknown) => void

const tags: ReadonlySet<unknown> = new Set<Behavior["_tag"]>([
  "Accept",
  "Respond",
  "Reset",
  "Stall",
  "Drop",
  "GoAway",
  "Slow",
  "Written"
])

const isBehavior = (value: unknown): boolean =>
  typeof value === "object" && value !== null && "_tag" in value && tags.has(value._tag)

/** An async function may be given where nothing waits for its promise. A rejection that nothing handles ends the process. */
const catchRejection = (returned: unknown, onError: (error: unknown) => void): void => {
  if (isPromise(returned)) void Promise.prototype.then.call(returned, undefined, onError)
}

/** Returns a behavior as it is, and throws if what should be one is something else. @internal */
export const behaviorOf = (value: Behavior | undefined, what: string): Behavior | undefined => {
  if (value === undefined || isBehavior(value)) return value
  catchRejection(value, () => {})
  throw new TypeError(
    `${what} is no behavior: make it with MockApns.reject and the like${
      isPromise(value) ? ", and wrap what is async in Effect.promise" : ""
    }`
  )
}

/** Calls a callback whose result is of no interest. @internal */
export const guarded = (name: string, report: Report, callback: () => unknown): void => {
  const failed = (defect: unknown) => report(`The callback ${name} of the mock APNs has failed`, defect)
  try {
    catchRejection(callback(), failed)
  } catch (defect) {
    failed(defect)
  }
}

/** Returns bytes as they are, and throws if what should be bytes is something else. @internal */
export const bytesOf = (value: Uint8Array): Uint8Array => {
  if (ArrayBuffer.isView(value)) return value
  catchRejection(value, () => {})
  throw new TypeError("What MockApns.bytes was given has returned no bytes: return a Uint8Array")
}

/** Whether a condition holds; throws if it was not answered at once. @internal */
export const holds = (answer: boolean): boolean => {
  if (!isPromise(answer)) return answer
  catchRejection(answer, () => {})
  throw new TypeError("The condition of MockApns.until has returned a promise: return true or false")
}
