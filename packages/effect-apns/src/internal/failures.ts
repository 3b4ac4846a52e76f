import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"

/** What the caller's iterable threw: it is thrown again unchanged. */
export class Thrown extends Data.TaggedError("Thrown")<{ readonly value: unknown }> {
  constructor(value: unknown) {
    super({ value })
  }
}

/** The stack frames of the caller of a function of the client. */
export interface Caller {
  readonly stack?: string
}

/** Captures the frames above `callee`. They are only formatted if an error needs them. */
export const callerOf = (callee: (...args: ReadonlyArray<never>) => unknown): Caller => {
  const caller: Caller = {}
  Error.captureStackTrace(caller, callee)
  return caller
}

const framesOf = ({ stack = "" }: Caller): string => {
  const start = stack.indexOf("\n    at ")
  return start < 0 ? "" : stack.slice(start)
}

const describe = (error: Error): string => error.message === "" ? error.name : `${error.name}: ${error.message}`

/** An error found before sending is found once for a notification, and several callers may get it. */
const isShared = (error: Error): boolean =>
  ParseResult.isParseError(error) || ("origin" in error && error.origin === "local")

/** Each caller gets its own error, with its own stack. */
const copyOf = <E extends Error>(error: E): E =>
  Object.create(Object.getPrototypeOf(error), {
    ...Object.getOwnPropertyDescriptors(error),
    // an error found before sending has `processed` like all others
    ...(ParseResult.isParseError(error)
      ? {
        name: { value: "ParseError", configurable: true, writable: true },
        processed: { value: "no", configurable: true, enumerable: true, writable: true }
      }
      : undefined)
  })

/** A refusal as part of an outcome. */
export const unsent = (error: ParseResult.ParseError): ParseResult.ParseError & { readonly processed: "no" } =>
  Object.assign(copyOf(error), { processed: "no" } as const)

/** The error for the caller: with a stack that leads to the call. */
export const withCaller = <E>(error: E, caller: Caller): E => {
  if (!(error instanceof Error)) return error
  const own = isShared(error) ? copyOf(error) : error
  Object.defineProperty(own, "stack", {
    value: `${describe(error)}${framesOf(caller)}`,
    configurable: true,
    writable: true
  })
  return own
}

/** The reason of a rejected promise: the typed error, the signal's reason, what the caller's code threw, or a defect. */
export const of = (cause: Cause.Cause<unknown>, signal: AbortSignal | undefined, caller: Caller): unknown => {
  const failure = Cause.failureOption(cause)
  if (Option.isSome(failure)) {
    return failure.value instanceof Thrown ? failure.value.value : withCaller(failure.value, caller)
  }
  if (Cause.isInterruptedOnly(cause) && signal?.aborted === true) return signal.reason
  return Cause.squash(cause)
}
