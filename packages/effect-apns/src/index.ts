/**
 * Apple push notifications for Effect: one package that has everything, and a client for programs without Effect.
 *
 * @since 1.0.0
 */

/**
 * @since 1.0.0
 */
export * from "@effect-apns/core"

/**
 * @since 1.0.0
 */
export * from "@effect-apns/models"

/**
 * @since 1.0.0
 */
export * from "@effect-apns/pool"
