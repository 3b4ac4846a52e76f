/**
 * @since 0.1.0
 */
import type * as Arbitrary from "effect/Arbitrary"
import type * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"

/** @internal */
export type Identifier<Name extends string> = Schema.brand<Schema.filter<typeof Schema.String>, Name>

/**
 * A branded string. Errors say what to change and never contain the whole value: invalid tokens and keys must not appear
 * in a log.
 *
 * @internal
 */
export const make = <const Name extends string>(options: {
  readonly name: Name
  readonly description: string
  readonly pattern: string
  readonly examples: readonly [string, ...Array<string>]
  readonly arbitrary: () => Arbitrary.LazyArbitrary<string>
  readonly refuse: (input: string) => string | undefined
}): Identifier<Name> =>
  Schema.String.pipe(
    Schema.filter((input) => options.refuse(input) ?? true, {
      identifier: options.name,
      description: options.description,
      examples: options.examples,
      jsonSchema: { type: "string", pattern: options.pattern },
      arbitrary: options.arbitrary,
      message: ({ actual }: ParseResult.ParseIssue) => ({
        override: true,
        message: typeof actual === "string"
          ? options.refuse(actual) ?? `Expected ${options.name}.`
          : `Expected ${options.name}, a string; got ${describeKind(actual)}.`
      })
    }),
    Schema.brand(options.name)
  )

/** @internal */
export const describeKind = (input: unknown): string =>
  input === null
    ? "null"
    : Array.isArray(input)
    ? "an array"
    : input === undefined
    ? "undefined"
    : typeof input === "object"
    ? "an object"
    : `a ${typeof input}`

/**
 * The first character outside the allowed set, named so that a person can find it: control characters by code point.
 *
 * @internal
 */
export const offender = (input: string, allowed: RegExp): string | undefined => {
  let index = 0
  for (const char of input) {
    if (!allowed.test(char)) {
      const code = char.codePointAt(0) ?? 0
      const shown = code > 0x20 && code < 0x7f
        ? JSON.stringify(char)
        : `U+${code.toString(16).toUpperCase().padStart(4, "0")}`
      return `${shown} at position ${index + 1}`
    }
    index += char.length
  }
  return undefined
}
