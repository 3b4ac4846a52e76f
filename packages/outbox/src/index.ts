/**
 * Durable and scheduled delivery of Apple push notifications on SQL.
 *
 * @since 1.0.0
 */
export {}
