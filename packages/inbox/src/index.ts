/**
 * A local APNs with a page in the browser that shows each push as a phone would.
 *
 * @since 1.0.0
 */
export {}
