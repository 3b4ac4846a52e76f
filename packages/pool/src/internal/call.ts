import type { Failure, Request } from "@effect-apns/core"
import { Failure as Failures, Response } from "@effect-apns/core"
import * as Exchange from "@effect-apns/core/unstable/Exchange"
import type { RequestSpec } from "@effect-apns/core/unstable/RequestSpec"
import type { Rejection } from "@effect-apns/models"
import { ApnsId } from "@effect-apns/models"
import type * as Cause from "effect/Cause"
import type * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import type * as ParseResult from "effect/ParseResult"
import type * as ApnsPool from "../ApnsPool.js"
import * as Tracing from "../Tracing.js"
import type { Unsafe } from "../unstable/ApnsPool.js"
import { Delivery } from "../unstable/Delivery.js"
import * as errors from "./errors.js"
import * as options from "./options.js"

type Resume<R> = (effect: Effect.Effect<Response.Response, R | Failure.PoolError>) => void

/** A request whose successful answer has content beyond that it was accepted. */
class Calling<R> extends Delivery {
  constructor(
    path: string,
    spec: RequestSpec,
    readonly pool: Unsafe,
    private readonly resume: Resume<R>,
    private readonly reject: errors.Reject<R>
  ) {
    super(path, spec)
  }

  onAnswered(): void {
    this.resume(
      this.status >= 200 && this.status < 300
        ? Exit.succeed(Response.fromAccepted(this, this.attempts))
        : Exit.fail(errors.ofAnswer(this, this.reject))
    )
  }

  override onDied(cause: Cause.Cause<never>): void {
    this.resume(Exit.failCause(cause))
  }

  onFailed(failure: Failure.PoolFailure): void {
    this.resume(Exit.fail(errors.ofFailure(failure, this.attempts, this.reject)))
  }
}

const cancel = (calling: { readonly pool: Unsafe } & Delivery): void => calling.pool.cancel(calling)

/** Sends a request; fails with the error of its reason if the answer is not successful. */
export const call = <R extends Rejection.Rejection>(
  pool: ApnsPool.ApnsPool,
  operation: string,
  bundleId: string,
  request: Request.Request,
  reject: errors.Reject<R>
): Effect.Effect<Response.Response, R | Failure.PoolError> => {
  const calling = Exchange.async((resume: Resume<R>) => {
    const calling = new Calling(request.path, request.spec, pool.unsafe, resume, reject)
    pool.unsafe.submit(calling)
    return calling
  }, cancel)
  return pool.spans ? Tracing.call(pool, operation, bundleId, request.spec, requestIdOf, calling) : calling
}

/** `apns-request-id`: the one that was sent, or the one that APNs made. */
export const requestIdOf = (response: Response.Response): string | undefined =>
  Response.header(response.headers, "apns-request-id")

/** The error for an answer with a successful status whose content cannot be parsed. */
export const malformed = (response: Response.Response, description: string): Failure.MalformedResponse =>
  new Failures.MalformedResponse({
    processed: "yes",
    attempts: response.attempts,
    status: response.status,
    description
  })

const decodeRequestId = options.decoder("requestId", () => ApnsId.ApnsId)

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
