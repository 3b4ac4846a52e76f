import { Channel } from "@effect-apns/models"
import { assert, describe, it } from "@effect/vitest"
import { Either, Schema } from "effect"

describe("Channel", () => {
  const decode = Schema.decodeUnknownEither(Channel.Channel)

  it("is encoded with Apple's field names", () => {
    assert.strictEqual(
      JSON.stringify(Schema.encodeSync(Channel.Channel)({ messageStoragePolicy: "no-message-stored" })),
      "{\"message-storage-policy\":0,\"push-type\":\"LiveActivity\"}"
    )
  })

  it("is decoded from both of Apple's spellings, and no other", () => {
    for (const spelling of ["LiveActivity", "liveactivity"]) {
      assert.deepStrictEqual(
        decode({ "message-storage-policy": 1, "push-type": spelling }),
        Either.right<Channel.Channel>({ messageStoragePolicy: "most-recent-message-stored" })
      )
    }
    assert.isTrue(Either.isLeft(decode({ "message-storage-policy": 1, "push-type": "alert" })))
    assert.isTrue(Either.isLeft(decode({ "message-storage-policy": 2, "push-type": "LiveActivity" })))
  })

  it("is listed by its id", () => {
    const decode = Schema.decodeUnknownEither(Channel.List)
    assert.deepStrictEqual(Either.getOrThrow(decode({ channels: ["dHN0LXNyY2gtY2hubA=="] })).channels.length, 1)
    assert.deepStrictEqual(Either.getOrThrow(decode({ channels: [] })).channels, [])
    assert.isTrue(Either.isLeft(decode({ channels: ["a b"] })))
  })
})
