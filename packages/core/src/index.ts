/**
 * @since 0.1.0
 */
export * as ConnectError from "./ConnectError.js"

/**
 * @since 0.1.0
 */
export * as Connection from "./Connection.js"

/**
 * @since 0.1.0
 */
export * as Credentials from "./Credentials.js"

/**
 * @since 0.1.0
 */
export * as Endpoint from "./Endpoint.js"

/**
 * @since 0.1.0
 */
export * as Failure from "./Failure.js"

/**
 * @since 0.1.0
 */
export * as ProviderToken from "./ProviderToken.js"

/**
 * @since 0.1.0
 */
export * as Proxy from "./Proxy.js"

/**
 * @since 0.1.0
 */
export * as Request from "./Request.js"

/**
 * @since 0.1.0
 */
export * as Response from "./Response.js"

/**
 * @since 0.1.0
 */
export * as Transport from "./Transport.js"
