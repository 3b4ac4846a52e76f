import type { Refusal } from "@effect-apns/core/unstable/Connection"
import * as Schemas from "@effect-apns/models/unstable/Schemas"
import type * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as ApnsPool from "../ApnsPool.js"
import { exponential } from "./schedules.js"

export const TypeId: ApnsPool.TypeId = "~@effect-apns/pool/ApnsPool"

const fields = [
  "size",
  "name",
  "topic",
  "maxConnections",
  "idleTimeToLive",
  "retransmit",
  "maxRetransmits",
  "maxQueued",
  "retrySchedule",
  "backoffSchedule",
  "reconnectSchedule",
  "drainTimeout",
  "connectTimeout",
  "ping.interval",
  "ping.deadline",
  "ping.busyInterval",
  "ping.busyDeadline",
  "options",
  "endpoint",
  "credentials",
  "ca",
  "proxy",
  "keylog",
  "dangerouslyTrustAnyServer",
  "lookup",
  "limits",
  "ping",
  "spans"
] as const

/** The error for an option of a wrong type. */
export const refused = ({ description, field }: Refusal): InvalidPoolOptions => {
  const known = fields.find((name) => name === field)
  return known === undefined
    ? new InvalidPoolOptions({ field: "options", description: `${field}: ${description}` })
    : new InvalidPoolOptions({ field: known, description })
}

/**
 * Options that are not valid; `message` says what to change.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidPoolOptions extends Schemas.taggedError<InvalidPoolOptions>()("InvalidPoolOptions", () => ({
  field: Schema.Literal(...fields),
  description: Schema.String
})) {
  override get message(): string {
    return `Invalid ${this.field}: ${this.description}`
  }
}

export const retrySchedule: Schedule.Schedule<unknown> = exponential({
  firstMillis: 1,
  factor: Math.sqrt(10),
  maxMillis: 1_000
})

export const backoffSchedule: Schedule.Schedule<unknown> = exponential({
  firstMillis: 1_000,
  factor: 2,
  maxMillis: 60_000
})

export const reconnectSchedule: Schedule.Schedule<unknown> = exponential({
  firstMillis: 100,
  factor: 2,
  maxMillis: 30_000
})
