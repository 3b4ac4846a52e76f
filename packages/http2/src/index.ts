/**
 * @since 0.1.0
 */
export * as ErrorCode from "./ErrorCode.js"

/**
 * @since 0.1.0
 */
export * as Frame from "./Frame.js"

/**
 * @since 0.1.0
 */
export * as Hpack from "./Hpack.js"

/**
 * @since 0.1.0
 */
export * as Session from "./Session.js"
