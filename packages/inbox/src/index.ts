/**
 * A local APNs with a page in the browser that shows each push as a phone would.
 *
 * @since 1.0.0
 */

/**
 * @since 1.0.0
 */
export * as Inbox from "./Inbox.js"

/**
 * @since 1.0.0
 */
export * as InboxApi from "./InboxApi.js"

/**
 * @since 1.0.0
 */
export * as InboxClient from "./InboxClient.js"

/**
 * @since 1.0.0
 */
export * as Model from "./Model.js"

/**
 * @since 1.0.0
 */
export * as Strings from "./Strings.js"
