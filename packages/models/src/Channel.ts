/**
 * Broadcast channels, as channel management speaks of them.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as ChannelId from "./ChannelId.js"
import { schema } from "./internal/lazy.js"
import * as MessageStoragePolicy from "./MessageStoragePolicy.js"

/**
 * What a channel is created with, and what reading it returns. Channels carry Live Activities only.
 *
 * Source: Apple, "Sending channel management requests to APNs".
 *
 * @since 0.1.0
 * @category models
 */
export interface Channel {
  readonly messageStoragePolicy: MessageStoragePolicy.MessageStoragePolicy
}

/**
 * How channel management spells a {@link Channel}.
 *
 * @since 0.1.0
 * @category models
 */
export interface Encoded {
  readonly "message-storage-policy": 0 | 1
  readonly "push-type": string
}

// Apple's pages spell the push type "LiveActivity" and "liveactivity": the first is sent, both are read.
const Wire = schema(() =>
  Schema.Struct({
    "message-storage-policy": MessageStoragePolicy.MessageStoragePolicy,
    "push-type": Schema.String.pipe(
      Schema.filter((pushType) =>
        pushType.toLowerCase() === "liveactivity" ? true : "A channel carries the push type \"LiveActivity\"."
      )
    )
  })
)

/**
 * The Schema of {@link Channel}.
 *
 * @example
 * ```ts
 * import { Channel } from "@effect-apns/models"
 * import { Schema } from "effect"
 *
 * console.log(Schema.encodeSync(Channel.Channel)({ messageStoragePolicy: "most-recent-message-stored" }))
 * // { 'message-storage-policy': 1, 'push-type': 'LiveActivity' }
 * ```
 *
 * @since 0.1.0
 * @category schemas
 */
export const Channel: Schema.Schema<Channel, Encoded> = schema(() =>
  Schema.transform(
    Wire,
    Schema.Struct({ messageStoragePolicy: Schema.typeSchema(MessageStoragePolicy.MessageStoragePolicy) }),
    {
      strict: true,
      decode: (wire) => ({ messageStoragePolicy: wire["message-storage-policy"] }),
      encode: ({ messageStoragePolicy }) => ({
        "message-storage-policy": messageStoragePolicy,
        "push-type": "LiveActivity"
      })
    }
  ).annotations({ identifier: "Channel" })
)

/**
 * The Schema of what listing an app's channels returns.
 *
 * Source: Apple, "Sending channel management requests to APNs".
 *
 * @since 0.1.0
 * @category schemas
 */
export const List: Schema.Schema<
  { readonly channels: ReadonlyArray<ChannelId.ChannelId> },
  { readonly channels: ReadonlyArray<string> }
> = schema(() =>
  Schema.Struct({ channels: Schema.Array(ChannelId.ChannelId) }).annotations({ identifier: "ChannelList" })
)
