import type { Refusal } from "@effect-apns/core/unstable/Connection"
import * as Schemas from "@effect-apns/models/unstable/Schemas"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as ApnsPool from "../ApnsPool.js"

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

/** The error for an option that is not of its kind. */
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

export const retrySchedule: Schedule.Schedule<unknown> = Schedule.exponential("1 millis", Math.sqrt(10)).pipe(
  Schedule.union(Schedule.spaced("1 second")),
  Schedule.jittered
)

export const backoffSchedule: Schedule.Schedule<unknown> = Schedule.exponential("1 second", 2).pipe(
  Schedule.union(Schedule.spaced("1 minute")),
  Schedule.jittered
)

export const reconnectSchedule: Schedule.Schedule<unknown> = Schedule.exponential("100 millis", 2).pipe(
  Schedule.union(Schedule.spaced("30 seconds")),
  Schedule.jittered
)
