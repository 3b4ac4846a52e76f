import type { Failure, Request } from "@effect-apns/core"
import { Failure as Failures, Response } from "@effect-apns/core"
import * as Exchange from "@effect-apns/core/unstable/Exchange"
import { ApnsId } from "@effect-apns/models"
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type * as ApnsPool from "../ApnsPool.js"
import type { SendError } from "../Send.js"
import * as Send from "../Send.js"
import * as Tracing from "../Tracing.js"
import { Delivery } from "../unstable/Delivery.js"

type Resume = (effect: Effect.Effect<Response.Response, SendError>) => void

/** A request whose answer, where it is a good one, says more than that it was accepted. */
class Calling extends Delivery {
  constructor(path: string, spec: Request.Spec, readonly pool: ApnsPool.Unsafe, private readonly resume: Resume) {
    super(path, spec)
  }

  onAnswered(): void {
    this.resume(
      this.status >= 200 && this.status < 300
        ? Exit.succeed(Response.fromAccepted(this, this.attempts))
        : Exit.fail(Send.errorOfAnswer(this))
    )
  }

  onFailed(failure: Failure.PoolFailure): void {
    this.resume(Exit.fail(Send.errorOfFailure(failure, this.attempts)))
  }
}

const cancel = (calling: Calling): void => calling.pool.cancel(calling)

/** Sends a request and fails, with the error of its reason, unless the answer is a good one. */
export const call = (
  pool: ApnsPool.ApnsPool,
  operation: string,
  bundleId: string,
  request: Request.Request
): Effect.Effect<Response.Response, SendError> => {
  const calling = Exchange.async((resume: Resume) => {
    const calling = new Calling(request.path, request.spec, pool.unsafe, resume)
    pool.unsafe.submit(calling)
    return calling
  }, cancel)
  return pool.spans ? Tracing.call(pool, operation, bundleId, request.spec, requestIdOf, calling) : calling
}

/** `apns-request-id`: the one that was sent, or the one that APNs made. */
export const requestIdOf = (response: Response.Response): string | undefined =>
  Response.header(response.headers, "apns-request-id")

/** An answer whose status is a good one and whose content makes no sense. */
export const malformed = (response: Response.Response, description: string): Failure.MalformedResponse =>
  new Failures.MalformedResponse({
    processed: "yes",
    attempts: response.attempts,
    status: response.status,
    description
  })

/** The decoder of a Schema, built when it is first used. */
export const decoder = <A, I>(
  schema: () => Schema.Schema<A, I>
): (input: unknown) => Either.Either<A, ParseResult.ParseError> => {
  let decode: ((input: unknown) => Either.Either<A, ParseResult.ParseIssue>) | undefined
  return (input) => {
    decode ??= ParseResult.decodeUnknownEither(schema())
    return Either.mapLeft(decode(input), ParseResult.parseError)
  }
}

export const invalid = (
  schema: Schema.Schema.All,
  actual: unknown,
  message: string
): Either.Either<never, ParseResult.ParseError> =>
  Either.left(ParseResult.parseError(new ParseResult.Type(schema.ast, actual, message)))

export const timeoutMillis = (
  timeout: Duration.DurationInput | undefined,
  otherwise: number
): Either.Either<number, ParseResult.ParseError> => {
  const millis = timeout === undefined ? otherwise : Duration.toMillis(timeout)
  return millis > 0 ? Either.right(millis) : invalid(Schema.Number, millis, "timeout must be longer than 0")
}

const decodeRequestId = decoder(() => ApnsId.ApnsId)

/** Adds `apns-request-id` to the headers of one request. */
export const pushRequestId = (
  extra: Array<string>,
  requestId: string | undefined
): Either.Either<void, ParseResult.ParseError> =>
  requestId === undefined
    ? Either.void
    : Either.map(decodeRequestId(requestId), (valid) => {
      extra.push("apns-request-id", valid.toLowerCase())
    })
