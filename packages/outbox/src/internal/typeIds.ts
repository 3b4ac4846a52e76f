/** Not in the public modules, since those import the code that uses these. */
export const outbox = "~@effect-apns/outbox/Outbox"
export const runner = "~@effect-apns/outbox/OutboxRunner"
