/**
 * Apple push notifications for Effect: one package that has everything, and a client for programs without Effect.
 *
 * @since 1.0.0
 */
export {}
