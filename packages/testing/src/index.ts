/**
 * @since 0.1.0
 */

/**
 * @since 0.1.0
 */
export * as Behavior from "./Behavior.js"

/**
 * @since 0.1.0
 */
export * as Certificates from "./Certificates.js"

/**
 * @since 0.1.0
 */
export * as ConnectionInfo from "./ConnectionInfo.js"

/**
 * @since 1.0.0
 */
export * as Identity from "./Identity.js"

/**
 * @since 0.1.0
 */
export * as MockApns from "./MockApns.js"

/**
 * @since 0.1.0
 */
export * as ProviderKey from "./ProviderKey.js"

/**
 * @since 0.1.0
 */
export * as Received from "./Received.js"
