/**
 * @since 0.1.0
 */
export * as Alert from "./Alert.js"

/**
 * @since 0.1.0
 */
export * as ApnsId from "./ApnsId.js"

/**
 * @since 0.1.0
 */
export * as Channel from "./Channel.js"

/**
 * @since 0.1.0
 */
export * as ChannelId from "./ChannelId.js"

/**
 * @since 0.1.0
 */
export * as CollapseId from "./CollapseId.js"

/**
 * @since 0.1.0
 */
export * as DeviceToken from "./DeviceToken.js"

/**
 * @since 0.1.0
 */
export * as Expiration from "./Expiration.js"

/**
 * @since 0.1.0
 */
export * as InterruptionLevel from "./InterruptionLevel.js"

/**
 * @since 0.1.0
 */
export * as Json from "./Json.js"

/**
 * @since 0.1.0
 */
export * as KeyId from "./KeyId.js"

/**
 * @since 1.0.0
 */
export * as Lint from "./Lint.js"

/**
 * @since 0.1.0
 */
export * as LiveActivity from "./LiveActivity.js"

/**
 * @since 0.1.0
 */
export * as Localized from "./Localized.js"

/**
 * @since 0.1.0
 */
export * as MessageStoragePolicy from "./MessageStoragePolicy.js"

/**
 * @since 0.1.0
 */
export * as Notification from "./Notification.js"

/**
 * @since 0.1.0
 */
export * as Payload from "./Payload.js"

/**
 * @since 1.0.0
 */
export * as Printable from "./Printable.js"

/**
 * @since 0.1.0
 */
export * as Priority from "./Priority.js"

/**
 * @since 1.0.0
 */
export * as Processed from "./Processed.js"

/**
 * @since 0.1.0
 */
export * as PushType from "./PushType.js"

/**
 * @since 0.1.0
 */
export * as Reason from "./Reason.js"

/**
 * @since 0.1.0
 */
export * as Rejection from "./Rejection.js"

/**
 * @since 0.1.0
 */
export * as Sound from "./Sound.js"

/**
 * @since 0.1.0
 */
export * as TeamId from "./TeamId.js"

/**
 * @since 1.0.0
 */
export * as TimeSpan from "./TimeSpan.js"

/**
 * @since 0.1.0
 */
export * as Topic from "./Topic.js"

/**
 * @since 0.1.0
 */
export * as UnixTime from "./UnixTime.js"
