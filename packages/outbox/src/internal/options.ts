/**
 * Options of any caller, also of programs without types: each is read once and checked, and if reading it throws, that is
 * a typed error too.
 */
import { TimeSpan } from "@effect-apns/models"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { InvalidOutboxOptions } from "../OutboxError.js"

/** Returns what is wrong with a value; `undefined` if nothing is. */
export type Check = (value: unknown) => string | undefined

/** Calls a function that may throw because of the value that it reads. */
export const guarded = <A>(use: () => A): Either.Either<A, undefined> => {
  try {
    return Either.right(use())
  } catch {
    return Either.left(undefined)
  }
}

/** A value for an error message, shortened. */
export const show = (value: unknown): string =>
  typeof value === "string"
    ? JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)
    : typeof value === "number" || typeof value === "boolean" || typeof value === "bigint" || value === null
    ? String(value)
    : value === undefined
    ? "undefined"
    : typeof value === "function"
    ? "a function"
    : typeof value === "symbol"
    ? "a symbol"
    : "an object"

export const throwsWhenRead = "it throws when it is read"

/** What is wrong with options, and with which of them; `undefined` if nothing is. */
export const problemOf = (
  options: unknown,
  checks: Readonly<Record<string, Check>>
): { readonly field: string; readonly description: string } | undefined => {
  if (typeof options !== "object" || options === null) {
    return { field: "options", description: `they must be an object, not ${show(options)}` }
  }
  const keys = guarded(() => Object.keys(options))
  if (Either.isLeft(keys)) return { field: "options", description: "they throw when they are read" }
  const unknown = keys.right.find((key) => !Object.hasOwn(checks, key))
  if (unknown !== undefined) {
    return {
      field: show(unknown).slice(1, -1),
      description: `there is no such option. There are ${Object.keys(checks).join(", ")}`
    }
  }
  for (const [field, check] of Object.entries(checks)) {
    const problem = guarded(() => check(Reflect.get(options, field)))
    const description = Either.isLeft(problem) ? throwsWhenRead : problem.right
    if (description !== undefined) return { field, description }
  }
  return undefined
}

/** The options, if all of them are valid. */
export const checked = <O extends object>(
  options: O,
  checks: { readonly [K in keyof O]-?: Check }
): Effect.Effect<O, InvalidOutboxOptions> =>
  Effect.suspend(() => {
    const problem = problemOf(options, checks)
    return problem === undefined ? Effect.succeed(options) : Effect.fail(new InvalidOutboxOptions(problem))
  })

export const optional = (check: Check): Check => (value) => value === undefined ? undefined : check(value)

/** The longest span that the database can store: longer than any useful wait. */
const maxMillis = 100 * 365 * 86_400_000

/** The milliseconds of a span of time, or what is wrong with it. */
export const spanMillis = (input: unknown, least = 0): Either.Either<number, string> => {
  const span = TimeSpan.decode(input)
  if (Either.isLeft(span)) return Either.left(`${span.left}, not ${show(input)}`)
  const millis = Duration.toMillis(span.right)
  return !(millis > 0)
    ? Either.left("it must be longer than 0")
    : millis < least
    ? Either.left(`it must be at least ${Duration.format(Duration.millis(least))}`)
    : millis > maxMillis
    ? Either.left("it must be at most 100 years")
    : Either.right(millis)
}

export const span = (least?: number): Check => (value) => {
  const millis = spanMillis(value, least)
  return Either.isLeft(millis) ? millis.left : undefined
}

/** The milliseconds of an option that is a span of time. */
export const positiveMillis = (
  field: string,
  input: TimeSpan.TimeSpan
): Effect.Effect<number, InvalidOutboxOptions> =>
  Effect.suspend(() => {
    const millis = guarded(() => spanMillis(input))
    const result = Either.isLeft(millis) ? Either.left(throwsWhenRead) : millis.right
    return Either.isRight(result)
      ? Effect.succeed(result.right)
      : Effect.fail(new InvalidOutboxOptions({ field, description: result.left }))
  })

export const whole: Check = (value) =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 1
    ? undefined
    : `it must be a whole number from 1, not ${show(value)}`

export const callable: Check = (value) =>
  typeof value === "function" ? undefined : `it must be a function, not ${show(value)}`

export const oneOf = (...values: ReadonlyArray<string>): Check => (value) =>
  values.some((known) => known === value)
    ? undefined
    : `it must be ${values.map((known) => JSON.stringify(known)).join(" or ")}, not ${show(value)}`

/** Options within options. */
export const record = (checks: Readonly<Record<string, Check>>): Check => (value) => {
  const problem = problemOf(value, checks)
  return problem === undefined
    ? undefined
    : problem.field === "options"
    ? problem.description
    : `${problem.field}: ${problem.description}`
}

/** What the names of tables begin with. */
export const prefix: Check = (value) =>
  typeof value === "string" && /^[a-z_][a-z0-9_]{0,39}$/.test(value)
    ? undefined
    : `a prefix has lower-case letters, digits and underscores, at most 40, not ${show(value)}`
