/**
 * Classes that are also Schemas: their instances can go through JSON, a queue or an Rpc, and come back as the same class. The
 * Schema is built when it is first asked for, so that importing a class does not pay for it.
 *
 * Unstable: a minor version may change it.
 *
 * @example
 * ```ts
 * import * as Schemas from "@effect-apns/models/unstable/Schemas"
 * import { Schema } from "effect"
 *
 * class OutOfStamps extends Schemas.taggedError<OutOfStamps>()("OutOfStamps", () => ({ left: Schema.Number })) {}
 *
 * const stored = JSON.stringify(Schema.encodeSync(OutOfStamps)(new OutOfStamps({ left: 0 })))
 * console.log(Schema.decodeUnknownSync(OutOfStamps)(JSON.parse(stored)) instanceof OutOfStamps) // true
 * ```
 *
 * @since 1.0.0
 */
import type * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import type * as AST from "effect/SchemaAST"
import type * as Types from "effect/Types"

/**
 * The class of an error: it is caught by its tag, and is also its Schema.
 *
 * @since 1.0.0
 * @category models
 */
export interface ErrorClass<Self, Tag extends string, Fields extends Schema.Struct.Fields>
  extends Schema.Schema<Self, Types.Simplify<{ readonly _tag: Tag } & Schema.Struct.Encoded<Fields>>>
{
  new(
    props: Types.Simplify<Schema.Struct.Type<Fields>>
  ): Types.Simplify<Schema.Struct.Type<Fields>> & { readonly _tag: Tag } & Cause.YieldableError
}

const fieldsOf = (self: object, names: ReadonlyArray<string>): object =>
  Object.fromEntries(
    names.flatMap((name) => {
      const value: unknown = Reflect.get(self, name)
      return value === undefined ? [] : [[name, value]]
    })
  )

const build = (
  identifier: string,
  stored: Schema.Schema.AnyNoContext & { readonly fields: Schema.Struct.Fields },
  isInstance: (input: unknown) => boolean,
  make: (stored: object) => object
): AST.AST => {
  const names = Object.keys(stored.fields)
  const check = (input: unknown, ast: AST.AST) =>
    isInstance(input) ? Either.right(input) : Either.left(new ParseResult.Type(ast, input))
  const instance = Schema.declare(
    [Schema.typeSchema(stored)],
    {
      decode: () => (input, _, ast) => check(input, ast),
      encode: () => (input, _, ast) => check(input, ast)
    },
    {
      identifier,
      pretty: () => (value) => `${identifier}(${JSON.stringify(value)})`,
      arbitrary: (props) => (fc) => props(fc).map((fields: object) => make(fields))
    }
  )
  return Schema.transform(stored, instance, {
    strict: false,
    decode: (fields: unknown) => make(Predicate.isObject(fields) ? fields : {}),
    encode: (value: unknown) => Predicate.isObject(value) ? fieldsOf(value, names) : {}
  }).ast
}

const asts = new WeakMap<object, AST.AST>()

/**
 * The AST of a class that is a Schema, built once.
 *
 * @since 1.0.0
 * @category combinators
 */
export const astOf = (
  self: object,
  identifier: string,
  stored: () => Schema.Schema.AnyNoContext & { readonly fields: Schema.Struct.Fields },
  isInstance: (input: unknown) => boolean,
  make: (stored: never) => object
): AST.AST => {
  const known = asts.get(self)
  if (known !== undefined) return known
  const ast = build(identifier, stored(), isInstance, (fields) => Reflect.apply(make, undefined, [fields]))
  asts.set(self, ast)
  return ast
}

/**
 * The base of an error class. Its fields are given by a function, which is called when its Schema is first used.
 *
 * @since 1.0.0
 * @category constructors
 */
export function taggedError<Self>(): <const Tag extends string, Fields extends Schema.Struct.Fields>(
  tag: Tag,
  fields: () => Fields
) => ErrorClass<Self, Tag, Fields>
export function taggedError(): object {
  return (tag: string, fields: () => Schema.Struct.Fields) => {
    class Tagged extends Data.TaggedError(tag)<{ readonly [field: string]: unknown }> {
      static readonly [Schema.TypeId] = Schema.String[Schema.TypeId]
      static readonly pipe = Schema.String.pipe
      static get ast(): AST.AST {
        return astOf(
          this,
          tag,
          () => Schema.Struct({ _tag: Schema.Literal(tag), ...fields() }),
          (input) => input instanceof this,
          ({ _tag: _, ...props }: { readonly _tag: string }) => new this(props)
        )
      }
      static annotations(annotations: Schema.Annotations.GenericSchema<unknown>) {
        return Schema.make(this.ast).annotations(annotations)
      }
    }
    return Tagged
  }
}

/**
 * The Schema of a `ParseError`: stored are the path and the message of each field at fault.
 *
 * @since 1.0.0
 * @category schemas
 */
export const ParseError: Schema.Schema<ParseResult.ParseError, ParseErrorEncoded> = Schema.suspend(() => {
  const stored = Schema.Struct({
    _tag: Schema.Literal("ParseError"),
    issues: Schema.NonEmptyArray(
      Schema.Struct({ path: Schema.Array(Schema.Union(Schema.String, Schema.Number)), message: Schema.String })
    )
  })
  return Schema.transform(stored, Schema.declare(ParseResult.isParseError, { identifier: "ParseError" }), {
    strict: true,
    decode: ({ issues: [first, ...others] }) => {
      const issues = [issueOf(first), ...others.map(issueOf)] as const
      return ParseResult.parseError(
        others.length === 0 ? issues[0] : new ParseResult.Composite(Schema.Unknown.ast, undefined, issues)
      )
    },
    encode: (error) => {
      const [first, ...others] = ParseResult.ArrayFormatter.formatErrorSync(error).map(({ message, path }) => ({
        path: path.map((key) => typeof key === "number" ? key : String(key)),
        message
      }))
      return { _tag: "ParseError", issues: [first ?? { path: [], message: error.message }, ...others] } as const
    }
  })
})

/**
 * How a `ParseError` is stored.
 *
 * @since 1.0.0
 * @category models
 */
export interface ParseErrorEncoded {
  readonly _tag: "ParseError"
  readonly issues: readonly [Issue, ...Array<Issue>]
}

/**
 * A field at fault.
 *
 * @since 1.0.0
 * @category models
 */
export interface Issue {
  readonly path: ReadonlyArray<string | number>
  readonly message: string
}

const issueOf = ({ message, path }: Issue): ParseResult.ParseIssue => {
  const issue = new ParseResult.Type(Schema.Unknown.ast, undefined, message)
  const [head, ...tail] = path
  return head === undefined ? issue : new ParseResult.Pointer([head, ...tail], undefined, issue)
}
