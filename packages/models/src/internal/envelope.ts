/**
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type { ParseOptions } from "effect/SchemaAST"
import * as Json from "../Json.js"
import type * as PushType from "../PushType.js"
import { defined } from "./defined.js"
import { lazy, schema } from "./lazy.js"

/**
 * A misspelt key is an error, and not silently left out.
 *
 * @internal
 */
export const strict: ParseOptions = { onExcessProperty: "error", errors: "all" }

/**
 * The flags of `aps` are 1 or left out.
 *
 * @internal
 */
export const Flag: Schema.Schema<true, 1> = schema(() =>
  Schema.transform(
    Schema.Literal(1).annotations({ message: () => "Expected 1; leave the key out for \"no\"." }),
    Schema.Literal(true),
    { strict: true, decode: () => true as const, encode: () => 1 as const }
  )
)

/** @internal */
export const Custom: Schema.Schema<Json.JsonObject> = schema(() =>
  Json.JsonObject.pipe(
    Schema.filter((custom) =>
      Object.hasOwn(custom, "aps")
        ? {
          path: ["aps"],
          message: "A custom key named \"aps\" would replace what Apple reads: give it another name, " +
            "or use the notification's own fields."
        }
        : true, {
      arbitrary: () => (fc) =>
        fc.dictionary(fc.string().filter((key) => key !== "aps"), fc.jsonValue({ maxDepth: 2 }), {
          minKeys: 1,
          maxKeys: 4
        })
          .map((custom) => JSON.parse(JSON.stringify(custom)))
    })
  )
)

interface Model<P> {
  readonly pushType: P
  readonly custom?: Json.JsonObject | undefined
}

/**
 * The Schema between a notification, flat and in the spelling of TypeScript, and its payload: `aps` in Apple's
 * spelling, and the custom keys beside it.
 *
 * @internal
 */
export const make = <const P extends PushType.PushType, A extends object, I>(
  options: Options<P, A, I>
): Schema.Schema<A & Model<P>, Json.JsonObject> => schema(() => build(options))

interface Options<P, A, I> {
  readonly pushType: P
  readonly identifier: string
  readonly aps: Schema.Schema<A, I>
  /** Whether `aps` may be left out where it is empty and custom keys make a payload without it. */
  readonly omitEmptyAps: boolean
}

const build = <const P extends PushType.PushType, A extends object, I>(
  options: Options<P, A, I>
): Schema.Schema<A & Model<P>, Json.JsonObject> => {
  const head = Schema.Struct({ pushType: Schema.Literal(options.pushType), custom: Schema.optional(Custom) })
  const model = Schema.extend(head, Schema.typeSchema(options.aps)).annotations({ identifier: options.identifier })
  const decodeAps = lazy(() => ParseResult.decodeUnknownEither(options.aps))
  const encodeAps = lazy(() => ParseResult.encodeUnknownEither(options.aps))
  return Schema.transformOrFail(Json.JsonObject, model, {
    strict: false,
    decode: ({ aps = options.omitEmptyAps ? {} : undefined, ...custom }: Json.JsonObject, parseOptions, ast) =>
      aps === undefined
        ? Either.left(new ParseResult.Pointer("aps", custom, new ParseResult.Type(ast, custom, "\"aps\" is missing.")))
        : Either.mapBoth(decodeAps()(aps, parseOptions), {
          onLeft: (issue) => new ParseResult.Pointer("aps", aps, issue),
          onRight: (decoded) => ({
            pushType: options.pushType,
            ...defined(decoded),
            ...(Object.keys(custom).length === 0 ? undefined : { custom })
          })
        }),
    encode: ({ custom, pushType: _, ...rest }: Model<P>, parseOptions) =>
      Either.flatMap(
        encodeAps()(rest, parseOptions),
        (encoded) =>
          Either.map(validateObject()({ aps: encoded }), ({ aps }) => {
            const beside = custom === undefined ? {} : defined(custom)
            return options.omitEmptyAps && isEmpty(aps) && !isEmpty(beside) ? beside : { aps, ...beside }
          })
      )
  })
}

const validateObject = lazy(() => ParseResult.validateEither(Json.JsonObject))

const isEmpty = (input: Json.Json | undefined): boolean =>
  typeof input === "object" && input !== null && Object.values(input).every((value) => value === undefined)

/**
 * A payload of fixed keys, seen as any JSON object.
 *
 * @internal
 */
export const closed = <A, I>(schema: Schema.Schema<A, I>): Schema.Schema<A, Json.JsonObject> =>
  Schema.compose(Json.JsonObject, schema, { strict: false })

/**
 * The message for a key in the wrong place.
 *
 * @internal
 */
export const hint = (pushType: PushType.PushType): string =>
  pushType === "background"
    ? " A background push is silent: send an alert push with contentAvailable to show something and wake the app."
    : ""
