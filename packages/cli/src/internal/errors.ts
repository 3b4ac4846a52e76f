import * as ConfigError from "effect/ConfigError"
import * as Data from "effect/Data"
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"

/** The request of the user cannot be done; the message says what to change. */
export class NotPossible extends Data.TaggedError("NotPossible")<{ readonly message: string }> {}

/** Rejections or failures that the output already shows. */
export class NotAccepted extends Data.TaggedError("NotAccepted")<{}> {}

/** Like {@link NotPossible}, if the output already shows it. */
export class Unsaid extends Data.TaggedError("Unsaid")<{}> {}

export const notPossible = (message: string): NotPossible => new NotPossible({ message })

export const describeConfigError = (error: ConfigError.ConfigError): string =>
  ConfigError.reduceWithContext(error, undefined, {
    andCase: (_, left, right) => `${left}\n${right}`,
    orCase: (_, left, right) => left === right ? left : `${left}\n${right}`,
    missingDataCase: (_, path, message) => `${path.join("_")} is not set: ${message}`,
    invalidDataCase: (_, path, message) => `${path.join("_")}: ${message}`,
    sourceUnavailableCase: (_, path, message) => `${path.join("_")}: ${message}`,
    unsupportedCase: (_, path, message) => `${path.join("_")}: ${message}`
  })

/** The decoded value; an error begins with the name of the option. */
export const check = <A, I>(
  schema: Schema.Schema<A, I>,
  option: string,
  value: unknown
): Either.Either<A, NotPossible> =>
  Either.mapLeft(
    Schema.decodeUnknownEither(schema)(value),
    (error) =>
      notPossible(
        `${option}: ${ParseResult.ArrayFormatter.formatErrorSync(error).map(({ message }) => message).join("; ")}`
      )
  )
