import { Failure, Response } from "@effect-apns/core"
import { Reason, type Rejection } from "@effect-apns/models"
import * as Either from "effect/Either"
import type { Delivery } from "../unstable/Delivery.js"

/** Makes the error of a rejection, of the kinds that one operation can get. */
export type Reject<R> = (options: Rejection.Options) => R

/** The error of an answer that is not successful. */
export const ofAnswer = <R>(delivery: Delivery, reject: Reject<R>): R | Failure.PoolError => {
  const parsed = delivery.answer ?? Response.fromStream(delivery, delivery.attempts, delivery.engineNow())
  if (Either.isLeft(parsed)) {
    return Failure.toError(Failure.malformed(delivery.status, parsed.left), delivery.attempts)
  }
  const { apnsId, headers, reason, retryAfter, status, timestamp, uniqueId } = parsed.right
  return reject({
    status,
    reason: reason ?? "",
    processed: "yes",
    attempts: delivery.attempts,
    apnsId,
    uniqueId,
    requestId: Response.header(headers, "apns-request-id"),
    timestamp,
    retryAfter
  })
}

/** The error of a failure. For GOAWAY with a reason about the credentials: the error of that reason, not `Closed`. */
export const ofFailure = <R>(
  failure: Failure.PoolFailure,
  attempts: number,
  reject: Reject<R>
): R | Failure.PoolError => {
  if (failure._tag === "Closed") {
    const { closeCause, processed } = failure
    const reason = closeCause._tag === "CredentialsRefused" || closeCause._tag === "Goaway"
      ? closeCause.reason
      : undefined
    if (reason !== undefined && Reason.isCredentialReason(reason)) {
      return reject({ reason, processed, attempts, origin: "goaway" })
    }
  }
  return Failure.toError(failure, attempts)
}
