/**
 * Whether a broadcast channel keeps its last message for devices that are offline.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * `"no-message-stored"`: only devices that are online get a message, which allows the most frequent updates and needs
 * expiration `"none"`. `"most-recent-message-stored"`: APNs keeps the last message, for 8 hours at most. A channel's
 * policy never changes.
 *
 * Source: Apple, "Sending channel management requests to APNs".
 *
 * @since 0.1.0
 * @category models
 */
export type MessageStoragePolicy = "no-message-stored" | "most-recent-message-stored"

/**
 * The Schema between the policy and the number of `message-storage-policy`: 0 or 1.
 *
 * @example
 * ```ts
 * import { MessageStoragePolicy } from "@effect-apns/models"
 * import { Schema } from "effect"
 *
 * console.log(Schema.encodeSync(MessageStoragePolicy.MessageStoragePolicy)("most-recent-message-stored")) // 1
 * ```
 *
 * @since 0.1.0
 * @category schemas
 */
export const MessageStoragePolicy: Schema.Schema<MessageStoragePolicy, 0 | 1> = Schema.transformLiterals(
  [0, "no-message-stored"],
  [1, "most-recent-message-stored"]
).annotations({
  identifier: "MessageStoragePolicy",
  message: () => ({
    message: "A message storage policy is \"no-message-stored\" or \"most-recent-message-stored\".",
    override: true
  })
})
