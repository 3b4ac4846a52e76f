/** Beside the public modules, which import what uses them. */
export const outbox = "~@effect-apns/outbox/Outbox"
export const runner = "~@effect-apns/outbox/OutboxRunner"
