/**
 * The parts that `send` is made of: for code that sends in another way, with the same meaning.
 *
 * Unstable: a minor version may change it.
 *
 * @example
 * ```ts
 * import { Notification } from "@effect-apns/models"
 * import * as Parts from "@effect-apns/pool/unstable/Send"
 *
 * const spec = Parts.specOf({ notification: Notification.alert({ alert: "Lunch" }), topic: "com.example.app" }, undefined)
 * console.log(spec._tag)
 * ```
 *
 * @since 1.0.0
 */
import type { Failure } from "@effect-apns/core"
import type { RequestSpec } from "@effect-apns/core/unstable/RequestSpec"
import type * as Either from "effect/Either"
import * as internal from "../Send.js"
import type { SendError, SendOptions } from "../Send.js"
import type { Delivery } from "./Delivery.js"

/**
 * Everything of a notification but its token, validated and encoded, or what is wrong with it.
 *
 * @since 1.0.0
 * @category encoding
 */
export const specOf = (
  options: Omit<SendOptions, "token">,
  /** The topic of notifications that do not name one. */
  defaultTopic: string | undefined
): Either.Either<RequestSpec, SendError> => internal.specOf(options, defaultTopic)

/**
 * The error that `send` fails with for a delivery that was answered with another status than 200.
 *
 * @since 1.0.0
 * @category errors
 */
export const errorOfAnswer = (delivery: Delivery): SendError => internal.errorOfAnswer(delivery)

/**
 * The error that `send` fails with for a delivery that got no answer.
 *
 * @since 1.0.0
 * @category errors
 */
export const errorOfFailure = (failure: Failure.PoolFailure, attempts: number): SendError =>
  internal.errorOfFailure(failure, attempts)
