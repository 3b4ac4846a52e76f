/**
 * @since 0.1.0
 */
import * as Arr from "effect/Array"
import * as ParseResult from "effect/ParseResult"
import type * as AST from "effect/SchemaAST"

type Leaf = ParseResult.ArrayFormatterIssue

/**
 * The same error in short form: one line for each wrong field, with its path, without details of the Schemas. A key in
 * the wrong place gets the hint.
 *
 * @internal
 */
export const simplify =
  (ast: AST.AST, actual: unknown, hint = "") => (error: ParseResult.ParseError): ParseResult.ParseError => {
    const leaves = ParseResult.ArrayFormatter.formatErrorSync(error)
    const issues = merge(leaves.filter((leaf) => !isNoise(leaf, leaves)))
      .map((leaf) =>
        toIssue(ast, actual, leaf._tag === "Unexpected" ? { ...leaf, message: unknownKey(leaf, hint) } : leaf)
      )
    return Arr.isNonEmptyArray(issues)
      ? ParseResult.parseError(issues.length === 1 ? issues[0] : new ParseResult.Composite(ast, actual, issues))
      : error
  }

// Alternatives of a union that were not meant: an optional field that is present, a string if an object was given.
const isNoise = (leaf: Leaf, leaves: ReadonlyArray<Leaf>): boolean =>
  leaf.message.startsWith("Expected undefined,")
    ? leaves.some((other) => other !== leaf && startsWith(other.path, leaf.path))
    : leaf.message.startsWith("Expected ") &&
      leaves.some((other) => other.path.length > leaf.path.length && startsWith(other.path, leaf.path))

const unknownKey = ({ message, path }: Leaf, hint: string): string => {
  const key = JSON.stringify(String(path.at(-1)))
  const known = message.slice(message.indexOf(":") + 1).replaceAll(" |", ",")
  return `${key} is not a key that belongs here; these are:${known}.${hint}`
}

const startsWith = (path: Leaf["path"], prefix: Leaf["path"]): boolean =>
  path.length >= prefix.length && prefix.every((key, i) => key === path[i])

const merge = (leaves: ReadonlyArray<Leaf>): ReadonlyArray<Leaf> => {
  const byPath = new Map<string, Leaf>()
  for (const leaf of leaves) {
    const key = JSON.stringify(leaf.path.map(String))
    const before = byPath.get(key)
    byPath.set(key, before === undefined ? leaf : { ...leaf, message: join(before.message, leaf.message) })
  }
  return Array.from(byPath.values())
}

const join = (left: string, right: string): string => {
  if (left === right) return left
  const [, a, actual] = expected.exec(left) ?? []
  const [, b, same] = expected.exec(right) ?? []
  return a !== undefined && b !== undefined && actual === same
    ? `Expected ${a} or ${b}, actual ${actual}`
    : `${left} ${right}`
}

const expected = /^Expected (.*), actual (.*)$/s

const toIssue = (ast: AST.AST, actual: unknown, { message, path }: Leaf): ParseResult.ParseIssue => {
  const [head, ...tail] = path
  const issue = new ParseResult.Type(ast, at(actual, path), message)
  return head === undefined ? issue : new ParseResult.Pointer([head, ...tail], actual, issue)
}

const at = (input: unknown, path: ReadonlyArray<PropertyKey>): unknown =>
  path.reduce<unknown>(
    (value, key) => typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined,
    input
  )
