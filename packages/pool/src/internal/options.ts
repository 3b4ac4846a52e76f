import type { Request } from "@effect-apns/core"
import { Request as Requests } from "@effect-apns/core"
import type { Expiration } from "@effect-apns/models"
import { Expiration as Expirations, TimeSpan, UnixTime } from "@effect-apns/models"
import * as Printable from "@effect-apns/models/Printable"
import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"

type Checked<A> = Either.Either<A, ParseResult.ParseError>

/** A refusal with the path of its option. */
const at = (option: string, actual: unknown, issue: ParseResult.ParseIssue): ParseResult.ParseError =>
  isPrintable(actual, issue)
    ? ParseResult.parseError(new ParseResult.Pointer(option, actual, issue))
    : at(option, undefined, new ParseResult.Type(Schema.Unknown.ast, undefined, "it throws when it is read"))

/** A message is made when it is read: printing the value, such as a Proxy, must not throw then. */
const isPrintable = (actual: unknown, issue: ParseResult.ParseIssue): boolean => {
  if ((typeof actual !== "object" && typeof actual !== "function") || actual === null) return true
  try {
    return ParseResult.TreeFormatter.formatIssueSync(issue) !== ""
  } catch {
    return false
  }
}

/** Refuses an option with a sentence. */
export const refuse = (option: string, actual: unknown, message: string): Checked<never> =>
  Either.left(at(option, actual, new ParseResult.Type(Schema.Unknown.ast, actual, message)))

/** A refusal of a part of an option, with the path of the option. */
export const under = (option: string, actual: unknown) => ({ issue }: ParseResult.ParseError): ParseResult.ParseError =>
  at(option, actual, issue)

/** The decoder of an option by a Schema, which is built when it is first used. */
export const decoder = <A, I>(
  option: string,
  schema: () => Schema.Schema<A, I>
): (input: unknown) => Checked<A> => {
  let decode: ((input: unknown) => Either.Either<A, ParseResult.ParseIssue>) | undefined
  return (input) => {
    decode ??= ParseResult.decodeUnknownEither(schema())
    return Either.mapLeft(decode(input), (issue) => at(option, input, issue))
  }
}

const defaultTimeout: Checked<number> = Either.right(Duration.toMillis(Requests.defaultTimeout))

export const timeoutMillis = (timeout: unknown): Checked<number> => {
  if (timeout === undefined) return defaultTimeout
  const span = TimeSpan.decode(timeout)
  if (Either.isLeft(span)) return refuse("timeout", timeout, span.left)
  const millis = Duration.toMillis(span.right)
  return millis > 0 ? Either.right(millis) : refuse("timeout", timeout, "give a time longer than 0")
}

const noDeadline: Checked<number> = Either.right(Infinity)

export const deadlineMillis = (deadline: unknown): Checked<number> => {
  if (deadline === undefined) return noDeadline
  const millis = UnixTime.toMillis(deadline)
  return millis === undefined
    ? refuse("deadline", deadline, "give a DateTime or a valid Date")
    : Either.right(millis)
}

export const expirationSeconds = (expiration: Expiration.Expiration): Checked<number> =>
  typeof expiration !== "number" && expiration !== "none" && UnixTime.toMillis(expiration) === undefined
    ? refuse("expiration", expiration, "give \"none\", a DateTime, a valid Date, or whole Unix seconds")
    : Either.mapLeft(Expirations.toSeconds(expiration), under("expiration", expiration))

export const retransmit = (value: unknown): Checked<Request.Retransmit | undefined> =>
  Requests.isRetransmit(value)
    ? Either.right(value)
    : refuse("retransmit", value, "give \"collapsible\", \"always\" or \"never\"")

/** The refusal if reading the options threw: they are not an object, or one of their getters throws. */
export const unreadable = (options: unknown, names: ReadonlyArray<string>): ParseResult.ParseError => {
  if (!Predicate.isObject(options)) {
    return ParseResult.parseError(
      new ParseResult.Type(
        Schema.Object.ast,
        options,
        `give an object with the options, not ${options === null ? "null" : `${typeof options}`}`
      )
    )
  }
  for (const name of names) {
    try {
      Reflect.get(options, name)
    } catch (cause) {
      return at(
        name,
        undefined,
        new ParseResult.Type(Schema.Unknown.ast, undefined, `cannot be read: ${Printable.thrown(cause)}`)
      )
    }
  }
  return ParseResult.parseError(new ParseResult.Type(Schema.Object.ast, undefined, "the options cannot be read"))
}

/** Checks options; reading them may throw. */
export const reading = <A, E>(
  options: unknown,
  names: ReadonlyArray<string>,
  check: () => Either.Either<A, E>
): Either.Either<A, E | ParseResult.ParseError> => {
  try {
    return check()
  } catch {
    return Either.left(unreadable(options, names))
  }
}
