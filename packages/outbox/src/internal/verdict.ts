/**
 * What an answer, or no answer, means for a campaign.
 */
import { Failure, Response } from "@effect-apns/core"
import { Reason } from "@effect-apns/models"
import type { Delivery } from "@effect-apns/pool/unstable/Delivery"
import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import type { Retry } from "./campaign.js"
import { cut } from "./codec.js"

/** Why a notification was not accepted: decides how long to wait. */
export type Obstacle = "throttled" | "server" | "unreachable"

export type Verdict =
  | {
    readonly _tag: "Rejected"
    readonly status: number
    readonly reason: string
    readonly timestampMillis: number | null
    /** The notification, its topic or the right to send is at fault, not the token. */
    readonly ofCampaign: boolean
    /** It can be sent again once that is repaired. */
    readonly isDead: boolean
  }
  | {
    readonly _tag: "Retry"
    readonly obstacle: Obstacle
    readonly retryAfterMillis: number
    readonly description: string
  }
  | { readonly _tag: "Unanswered"; readonly description: string }
  | { readonly _tag: "Expired"; readonly description: string }
  /** Its headers are not valid in a request: sending again would not change that. */
  | { readonly _tag: "Unsendable"; readonly description: string }
  /** Nothing can be sent with these credentials. */
  | { readonly _tag: "CredentialsRefused"; readonly description: string }
  /** The pool is closing: the runner ends, and another one continues. */
  | { readonly _tag: "Closing" }

/** Reasons that are about one token, although Apple says how to repair them. */
const ofToken: ReadonlySet<string> = new Set(["DeviceTokenNotForTopic", "MissingDeviceToken", "BadPath"])

/** A delivery that was answered with another status than 200. */
export const ofAnswer = (delivery: Delivery, nowMillis: number): Verdict => {
  const parsed = delivery.answer ?? Response.fromStream(delivery, delivery.attempts, nowMillis)
  if (Either.isLeft(parsed)) {
    const { status } = delivery
    return status === 429 || status >= 500
      ? retry(status === 429 ? "throttled" : "server", 0, `status ${status}, and ${parsed.left}`)
      : { _tag: "Rejected", status, reason: "", timestampMillis: null, ofCampaign: false, isDead: true }
  }
  const { retryAfter, status, timestamp } = parsed.right
  const retryAfterMillis = retryAfter === undefined ? 0 : Duration.toMillis(retryAfter)
  const reason = cut(parsed.right.reason ?? "", 200)
  const info = Reason.info(reason, status)
  switch (info.class) {
    case "throttle":
    case "credential-throttle":
      return retry(
        "throttled",
        Math.max(retryAfterMillis, info.retryDelay === undefined ? 0 : Duration.toMillis(info.retryDelay)),
        words(reason, status)
      )
    case "server":
    case "connection":
      return retry(info.class === "server" ? "server" : "unreachable", retryAfterMillis, words(reason, status))
    case "credential-fatal":
    case "credential-refresh":
      return { _tag: "CredentialsRefused", description: `${words(reason, status)}: ${info.meaning}; ${info.advice}` }
    default: {
      const ofCampaign = info.token === "keep" && !ofToken.has(reason) && reason !== ""
      const timestampMillis = timestamp?.epochMillis ?? null
      return { _tag: "Rejected", status, reason, timestampMillis, ofCampaign, isDead: ofCampaign }
    }
  }
}

const words = (reason: string, status: number): string => reason === "" ? `status ${status}` : `${reason} (${status})`

const retry = (obstacle: Obstacle, retryAfterMillis: number, description: string): Verdict => ({
  _tag: "Retry",
  obstacle,
  retryAfterMillis,
  description
})

/** A delivery that got no answer. */
export const ofFailure = (failure: Failure.PoolFailure, mayRepeat: boolean): Verdict => {
  const description = cut(describe(failure))
  if (failure._tag === "Closed") {
    const { closeCause } = failure
    switch (closeCause._tag) {
      case "CredentialsRefused":
        return { _tag: "CredentialsRefused", description }
      case "Goaway":
        if (closeCause.reason !== undefined && Reason.info(closeCause.reason, 403).class === "credential-fatal") {
          return { _tag: "CredentialsRefused", description }
        }
        break
      case "ConnectFailed":
        // a key file that cannot be read, an invalid certificate: waiting does not repair these
        if (closeCause.error._tag === "CredentialsError") return { _tag: "CredentialsRefused", description }
        break
      case "ScopeClosed":
        if (failure.processed === "no") return { _tag: "Closing" }
        break
      case "HeadersRefused":
        return { _tag: "Unsendable", description }
      default:
        break
    }
  }
  if (failure._tag === "Timeout" && failure.limit !== "timeout" && failure.processed === "no") {
    return { _tag: "Expired", description }
  }
  return failure.processed === "no" || (mayRepeat && failure.processed !== "yes")
    ? retry("unreachable", 0, description)
    : { _tag: "Unanswered", description }
}

const describe = (failure: Failure.PoolFailure): string => Failure.toError(failure, 1).message

const minute = 60_000

const delays = {
  throttled: { delay: minute, factor: 2, maxDelay: 15 * minute },
  server: { delay: 15 * minute, factor: 2, maxDelay: 60 * minute },
  unreachable: { delay: 10_000, factor: 2, maxDelay: 5 * minute }
} as const

/** Milliseconds until a batch is tried again, before jitter. */
export const delayMillis = (obstacle: Obstacle, passes: number, retry: Retry): number => {
  const usual = delays[obstacle]
  const { delay = usual.delay, factor = usual.factor, maxDelay = Math.max(delay, usual.maxDelay) } = retry
  return Math.min(maxDelay, delay * Math.pow(factor, Math.min(passes, 64)))
}
