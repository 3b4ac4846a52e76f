/**
 * JSON values, and their one compact spelling.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type * as AST from "effect/SchemaAST"
import { describeKind } from "./internal/identifier.js"
import * as jsonNumbers from "./internal/jsonNumbers.js"
import * as Printable from "./Printable.js"

/**
 * A JSON value. Keys of an object that hold `undefined` are left out.
 *
 * @since 0.1.0
 * @category models
 */
export type Json = null | boolean | number | string | ReadonlyArray<Json> | JsonObject

/**
 * A JSON object.
 *
 * @since 0.1.0
 * @category models
 */
export interface JsonObject {
  readonly [key: string]: Json | undefined
}

interface Problem {
  readonly path: ReadonlyArray<PropertyKey>
  readonly actual: unknown
  readonly message: string
}

// Payloads are a few kilobytes: deeper nesting is a value that refers to itself.
const maxDepth = 256

const isPlain = (input: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(input)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

const find = (input: unknown, path: ReadonlyArray<PropertyKey>): Problem | undefined => {
  switch (typeof input) {
    case "string":
    case "boolean":
      return undefined
    case "number":
      return Number.isFinite(input)
        ? undefined
        : { path, actual: input, message: `JSON has no ${input}: send a finite number or null.` }
    case "object":
      break
    default:
      return {
        path,
        actual: input,
        message: typeof input === "bigint"
          ? "JSON has no bigint: write it as a string."
          : `JSON has no ${describeKind(input).replace(/^an? /, "")}: leave it out or send null.`
      }
  }
  if (input === null) return undefined
  if (path.length > maxDepth) {
    return {
      path,
      actual: input,
      message: `This value is nested more than ${maxDepth} levels deep or refers to itself.`
    }
  }
  if (Array.isArray(input)) {
    for (let i = 0; i < input.length; i++) {
      const problem = find(input[i], [...path, i])
      if (problem !== undefined) return problem
    }
    return undefined
  }
  if (!isPlain(input)) {
    return {
      path,
      actual: input,
      message: `JSON has no ${input.constructor.name || "such object"}: turn it into plain values before sending it.`
    }
  }
  for (const [key, value] of Object.entries(input)) {
    if (value === undefined) continue
    const problem = find(value, [...path, key])
    if (problem !== undefined) return problem
  }
  return undefined
}

const issue = (ast: AST.AST, problem: Problem): ParseResult.ParseIssue => {
  const type = new ParseResult.Type(ast, problem.actual, problem.message)
  const [head, ...tail] = problem.path
  return head === undefined ? type : new ParseResult.Pointer([head, ...tail], problem.actual, type)
}

/**
 * The Schema of {@link Json}. It points at the value that JSON cannot express.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Json: Schema.Schema<Json> = Schema.declare(
  (input): input is Json => is(input),
  {
    identifier: "Json",
    jsonSchema: {},
    arbitrary: () => (fc) => fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.parse(JSON.stringify(value)))
  }
)

const isObject = (input: unknown): input is JsonObject =>
  typeof input === "object" && input !== null && !Array.isArray(input) && is(input)

const check = (input: unknown, ast: AST.AST): Either.Either<JsonObject, ParseResult.ParseIssue> => {
  if (isObject(input)) return Either.right(input)
  const problem = typeof input === "object" && input !== null && !Array.isArray(input) ? find(input, []) : undefined
  return Either.left(issue(
    ast,
    problem ?? {
      path: [],
      actual: input,
      message: `Expected a JSON object, got ${describeKind(input)}.`
    }
  ))
}

/**
 * The Schema of {@link JsonObject}. It points at the value that JSON cannot express.
 *
 * @since 0.1.0
 * @category schemas
 */
export const JsonObject: Schema.Schema<JsonObject> = Schema.declare(
  [],
  {
    decode: () => (input, _, ast) => check(input, ast),
    encode: () => (input, _, ast) => check(input, ast)
  },
  {
    identifier: "JsonObject",
    jsonSchema: { type: "object" },
    arbitrary: () => (fc) =>
      fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4 })
        .map((value) => JSON.parse(JSON.stringify(value)))
  }
)

/**
 * The compact JSON text of a value, its keys sorted, so that equal values are equal bytes. Keys that hold `undefined`
 * are left out.
 *
 * Fails with a `ParseError` that points at the value that JSON cannot express.
 *
 * @example
 * ```ts
 * import { Json } from "@effect-apns/models"
 *
 * console.log(Json.stringify({ b: 1, a: [true, null] })) // right({"a":[true,null],"b":1})
 * ```
 *
 * @since 0.1.0
 * @category conversions
 */
export const stringify = (input: Json): Either.Either<string, ParseResult.ParseError> => {
  const problem = find(input, [])
  return problem === undefined
    ? Either.right(write(input))
    : Either.left(ParseResult.parseError(issue(Json.ast, problem)))
}

/**
 * The value of a JSON text, without a change: an integer beyond 2^53, such as an id of a database, would lose its last
 * digits on its way through a JavaScript number, and is refused.
 *
 * Fails with a `ParseError` that points at the number, or says where the text stops being JSON.
 *
 * @example
 * ```ts
 * import { Json } from "@effect-apns/models"
 * import { Either } from "effect"
 *
 * console.log(Json.parse("{\"orderId\":\"653247040368672769\"}")) // right({ orderId: "653247040368672769" })
 * console.log(Either.isLeft(Json.parse("{\"orderId\":653247040368672769}"))) // true: would become ...672800
 * ```
 *
 * @since 1.0.0
 * @category conversions
 */
export const parse = (text: string): Either.Either<Json, ParseResult.ParseError> => {
  let value: Json
  try {
    value = JSON.parse(text)
  } catch (error) {
    const why = Printable.thrown(error)
    return Either.left(
      ParseResult.parseError(issue(Json.ast, { path: [], actual: text, message: `This is not JSON: ${why}` }))
    )
  }
  const unsafe = jsonNumbers.findUnsafe(text)
  return unsafe === undefined ? Either.right(value) : Either.left(ParseResult.parseError(issue(Json.ast, {
    path: unsafe.path,
    actual: unsafe.literal,
    message:
      `The number ${Printable.text(unsafe.literal, 40)} is too large for a JSON number and would be sent changed: ` +
      "write it as a string, or send the text as it is with Notification.raw."
  })))
}

/**
 * Whether the input is a JSON value.
 *
 * @since 0.1.0
 * @category guards
 */
export const is = (input: unknown): input is Json => test(input, 0)

// As `find`, without the path: this one runs for every notification that has custom keys.
const test = (input: unknown, depth: number): boolean => {
  if (typeof input === "string" || typeof input === "boolean" || input === null) return true
  if (typeof input === "number") return Number.isFinite(input)
  if (typeof input !== "object" || depth > maxDepth) return false
  if (Array.isArray(input)) {
    for (let i = 0; i < input.length; i++) {
      if (!test(input[i], depth + 1)) return false
    }
    return true
  }
  if (!isPlain(input)) return false
  for (const key of Object.keys(input)) {
    const value: unknown = input[key as keyof typeof input]
    if (value !== undefined && !test(value, depth + 1)) return false
  }
  return true
}

/**
 * The text of a value that is known to be JSON.
 *
 * @internal
 */
export const write = (input: Json): string => {
  if (typeof input === "string") return JSON.stringify(input)
  if (typeof input !== "object" || input === null) return String(input)
  if (isArray(input)) return `[${input.map(write).join(",")}]`
  let out = ""
  for (const key of Object.keys(input).sort()) {
    const value = input[key]
    if (value !== undefined) out += `${out === "" ? "" : ","}${JSON.stringify(key)}:${write(value)}`
  }
  return `{${out}}`
}

const isArray: (input: Json) => input is ReadonlyArray<Json> = Array.isArray
