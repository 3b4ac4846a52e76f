import type { Processed } from "@effect-apns/models"
import { Reason, Rejection } from "@effect-apns/models"
import type { Broadcast, Channels, Receipt, Send } from "@effect-apns/pool"
import * as DateTime from "effect/DateTime"
import * as Either from "effect/Either"
import * as Option from "effect/Option"

/** What became of one notification, as one line of JSON. */
export type Outcome =
  | {
    readonly outcome: "accepted"
    readonly apnsId: string
    readonly uniqueId?: string
    readonly attempts: number
  }
  | {
    readonly outcome: "rejected"
    readonly apnsId?: string
    /** As APNs spells it. */
    readonly reason: string
    readonly status: number
    /** Since when the token is dead, where APNs says so. */
    readonly since?: string
    /** What to do about it. */
    readonly action: Rejection.Action
    readonly processed: Processed.Processed
    readonly attempts: number
    readonly message: string
  }
  | {
    readonly outcome: "failed"
    readonly apnsId?: string
    /** The tag of the error, such as `Timeout`. */
    readonly error: string
    /** Whether APNs can have processed it. */
    readonly processed: "no" | "unknown" | "yes"
    readonly attempts: number
    readonly message: string
  }

const idOf = (apnsId: string | undefined): { readonly apnsId?: string } => apnsId === undefined ? {} : { apnsId }

/** `apnsId` is the one that was sent, if any. */
export const outcomeOf = (
  result: Either.Either<Receipt.Receipt, Send.SendError | Channels.ChannelsError | Broadcast.BroadcastError>,
  apnsId: string | undefined
): Outcome => {
  if (Either.isRight(result)) {
    const { apnsId, attempts, uniqueId } = result.right
    return { outcome: "accepted", apnsId, ...(uniqueId === undefined ? undefined : { uniqueId }), attempts }
  }
  const error = result.left
  if (Rejection.isRejection(error)) {
    return {
      outcome: "rejected",
      ...idOf(error.apnsId ?? apnsId),
      reason: error.reason,
      status: error.status,
      ...(error.timestamp === undefined ? undefined : { since: DateTime.formatIso(error.timestamp) }),
      action: Rejection.action(error),
      processed: error.processed,
      attempts: error.attempts,
      message: error.message
    }
  }
  return error._tag === "ParseError"
    ? { outcome: "failed", error: error._tag, processed: "no", attempts: 0, message: error.message }
    : {
      outcome: "failed",
      ...idOf(apnsId),
      error: error._tag,
      processed: error.processed,
      attempts: error.attempts,
      message: error.message
    }
}

/** The reason of a rejection, or the tag of a failure; what outcomes are counted by. */
export const reasonOf = (outcome: Outcome): string =>
  outcome.outcome === "accepted" ? "accepted" : outcome.outcome === "rejected" ? outcome.reason : outcome.error

/**
 * What keeps notifications from being sent, whatever their token: refused credentials, or no way to reach APNs. Nothing
 * was processed, so they can be sent once it is repaired.
 */
export const obstacleOf = (
  error: Send.SendError | Channels.ChannelsError | Broadcast.BroadcastError
): Option.Option<string> => {
  if (error._tag === "ParseError") return Option.none()
  if (!Rejection.isRejection(error)) return error.processed === "no" ? Option.some(error.message) : Option.none()
  const known = Reason.info(error.reason, error.status)
  return known.class === "credential-fatal" || known.class === "entitlement"
    ? Option.some(error.message)
    : Option.none()
}

/** Whether something is in the way of every notification, as {@link obstacleOf} says, and not only of this one. */
export const isObstructed = (
  result: Either.Either<unknown, Send.SendError | Channels.ChannelsError | Broadcast.BroadcastError>
): boolean => Either.isLeft(result) && Option.isSome(obstacleOf(result.left))

/**
 * Whether sending it again could not end otherwise. What was rejected for a reason that passes, and what has failed,
 * can be sent again.
 */
export const isFinal = (line: {
  readonly outcome: "accepted" | "rejected" | "failed"
  readonly action?: string | undefined
  readonly error?: string | undefined
}): boolean => line.outcome === "failed" ? line.error === "ParseError" : line.action !== "retry"
