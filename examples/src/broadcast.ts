/**
 * A goal on the Lock Screens of everyone who watches: a channel, and a broadcast to it.
 */
import { MockApns } from "@effect-apns/testing"
import { NodeRuntime } from "@effect/platform-node"
import { Console, DateTime, Effect, Layer, Redacted, Schema } from "effect"
import { Broadcast, Channels, Credentials, LiveActivity } from "effect-apns"

const Match = LiveActivity.define({
  attributesType: "MatchAttributes",
  attributes: Schema.Struct({ home: Schema.String, away: Schema.String }),
  contentState: Schema.Struct({ home: Schema.Int, away: Schema.Int })
})

const program = Effect.gen(function*() {
  const apns = yield* MockApns.MockApns
  const channels = yield* Channels.Channels

  const { channelId } = yield* channels.create({ messageStoragePolicy: "most-recent-message-stored" })
  yield* Console.log(
    `The channel of the match: ${channelId}; the app subscribes to it, or starts with inputPushChannel`
  )

  const now = yield* DateTime.now
  const { requestId } = yield* Broadcast.send({
    channelId,
    notification: Match.update({ timestamp: now, contentState: { home: 1, away: 0 } }),
    // until when APNs keeps it for devices that are offline
    expiration: DateTime.add(now, { hours: 2 })
  })
  yield* Console.log(`1:0, broadcast as ${requestId}`)

  yield* channels.delete({ channelId })
  const gone = yield* Effect.flip(Broadcast.send({
    channelId,
    notification: Match.end({ timestamp: now }),
    expiration: "none"
  }))
  yield* Console.log(`After the match: ${gone._tag}: ${gone.message}`)
  for (const { method, path, payload } of yield* apns.received) {
    yield* Console.log(method, path, JSON.stringify(payload))
  }
})

// in your program: Channels.layer({ endpoint: Endpoint.production, credentials, bundleId: "com.example.app" })
const ChannelsLive = Layer.unwrapEffect(Effect.gen(function*() {
  const apns = yield* MockApns.MockApns
  const { key, keyId, teamId } = apns.credentials
  const credentials = Credentials.token({ key: Redacted.make(key), keyId, teamId })
  return Channels.layer({ endpoint: apns.endpoint, ca: apns.ca, credentials, bundleId: "com.example.app" })
}))

NodeRuntime.runMain(Effect.provide(program, Layer.provideMerge(ChannelsLive, MockApns.layerPool({ size: 1 }))))
