import {
  ApnsId,
  ChannelId,
  CollapseId,
  DeviceToken,
  KeyId,
  MessageStoragePolicy,
  Priority,
  PushType,
  TeamId,
  Topic
} from "@effect-apns/models"
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Either, FastCheck, Schema } from "effect"

const message = <A, I>(schema: Schema.Schema<A, I>, input: unknown): string =>
  Either.match(Schema.decodeUnknownEither(schema)(input), {
    onLeft: (error) => error.message,
    onRight: () => assert.fail(`${JSON.stringify(input)} was accepted`)
  })

// what would end a header, a path segment or a path, or begin another
const injections = ["\r\n", "\n", "\0", "\u2028", "\u00e9", "\ud83d\ude00", "\t", "\x7f"]

const suite = <A extends string>(
  name: string,
  schema: Schema.Schema<A, string>,
  is: (input: unknown) => input is A
) =>
  describe(name, () => {
    const accepts = Schema.is(schema)

    it("has a guard that agrees with its Schema", () => {
      FastCheck.assert(FastCheck.property(
        FastCheck.oneof(
          FastCheck.string(),
          FastCheck.string({ unit: "binary" }),
          FastCheck.stringMatching(/^[0-9a-fA-F]*$/),
          FastCheck.stringMatching(/^[A-Z0-9]{9,11}$/),
          FastCheck.uuid(),
          Arbitrary.make(schema),
          Arbitrary.make(schema).map((value) => `${value}\n`),
          Arbitrary.make(schema).map((value) => value.toUpperCase())
        ),
        (input) => {
          assert.strictEqual(is(input), accepts(input), JSON.stringify(input))
        }
      ))
    })

    it("make accepts the same values as the guard", () => {
      FastCheck.assert(FastCheck.property(Arbitrary.make(schema), (value) => is(value) && accepts(value)))
    })

    it("line breaks and other control characters -> refused", () => {
      FastCheck.assert(FastCheck.property(
        Arbitrary.make(schema),
        FastCheck.constantFrom(...injections),
        FastCheck.nat(),
        (value, injection, at) => {
          const where = at % (value.length + 1)
          assert.isFalse(is(value.slice(0, where) + injection + value.slice(where)))
        }
      ))
    })

    it("not a string -> refused, with that reason", () => {
      for (const input of [undefined, null, 7, {}, ["a"]]) {
        assert.isFalse(is(input))
        assert.include(message(schema, input), "a string")
      }
    })

    it("refuses the empty string", () => {
      assert.isFalse(is(""))
      assert.isNotEmpty(message(schema, ""))
    })
  })

suite("ApnsId", ApnsId.ApnsId, ApnsId.is)
suite("ChannelId", ChannelId.ChannelId, ChannelId.is)
suite("CollapseId", CollapseId.CollapseId, CollapseId.is)
suite("DeviceToken", DeviceToken.DeviceToken, DeviceToken.is)
suite("KeyId", KeyId.KeyId, KeyId.is)
suite("TeamId", TeamId.TeamId, TeamId.is)
suite("Topic", Topic.Topic, Topic.is)

describe("DeviceToken", () => {
  it("is used in a path unchanged", () => {
    FastCheck.assert(FastCheck.property(Arbitrary.make(DeviceToken.DeviceToken), (token) => {
      const url = new URL(`https://host/3/device/${token}`)
      assert.strictEqual(url.pathname, `/3/device/${token}`)
      assert.strictEqual(url.search + url.hash, "")
    }))
  })

  it("may have any length", () => {
    for (const bytes of [1, 8, 32, 80, 100, 156, 2048]) assert.isTrue(DeviceToken.is("ab".repeat(bytes)))
    assert.isFalse(DeviceToken.is("ab".repeat(2049)))
  })

  it("the error says what to change, without the token", () => {
    const secret = "0123456789abcdef".repeat(4)
    assert.include(message(DeviceToken.DeviceToken, `${secret}/../x`), "has \"/\" at position 65")
    assert.include(message(DeviceToken.DeviceToken, `<${secret}>`), "has \"<\" at position 1")
    assert.include(message(DeviceToken.DeviceToken, `${secret}\n`), "has U+000A at position 65")
    assert.include(message(DeviceToken.DeviceToken, `${secret}a`), "65 digits")
    assert.include(message(DeviceToken.DeviceToken, secret.repeat(65)), "4160 digits")
    for (const bad of [`${secret}/`, `${secret}a`, secret.repeat(65)]) {
      assert.notInclude(message(DeviceToken.DeviceToken, bad), secret)
    }
  })

  it("can be made from bytes", () => {
    assert.strictEqual(DeviceToken.fromBytes(new Uint8Array([0, 1, 0xab, 0xff])), "0001abff")
    assert.throws(() => DeviceToken.fromBytes(new Uint8Array(0)))
  })
})

describe("CollapseId", () => {
  it("has 64 bytes, not 65", () => {
    assert.isTrue(CollapseId.is("c".repeat(64)))
    assert.isFalse(CollapseId.is("c".repeat(65)))
    assert.include(message(CollapseId.CollapseId, "c".repeat(65)), "this one has 65")
  })

  it("is printable ASCII without spaces at its ends", () => {
    assert.isTrue(CollapseId.is("a b"))
    assert.isFalse(CollapseId.is(" a"))
    assert.include(message(CollapseId.CollapseId, "a "), "trim it")
    assert.include(message(CollapseId.CollapseId, "caf\u00e9"), "U+00E9")
  })
})

describe("ApnsId", () => {
  it("is a UUID in either case, sent in lower case and compared without case", () => {
    const upper = ApnsId.ApnsId.make("123E4567-E89B-12D3-A456-426655440000")
    assert.isTrue(ApnsId.is(upper))
    assert.strictEqual(ApnsId.toLowerCase(upper), "123e4567-e89b-12d3-a456-426655440000")
    assert.isTrue(ApnsId.Equivalence(upper, ApnsId.toLowerCase(upper)))
    assert.isFalse(ApnsId.Equivalence(upper, upper.replace("0", "1")))
    assert.include(message(ApnsId.ApnsId, "123e4567e89b12d3a456426655440000"), "8-4-4-4-12")
  })
})

describe("Topic", () => {
  it("a bundle ID that ends in the suffix of a push type -> the topic is given in full", () => {
    assert.strictEqual(Topic.forPushType("com.example.voip", "alert"), "com.example.voip")
    assert.strictEqual(Topic.forPushType("com.example.voip", "liveactivity"), "com.example.voip.push-type.liveactivity")
    assert.strictEqual(Topic.forPushType("com.example.voip.voip", "voip"), "com.example.voip.voip")
  })

  it("gets the suffix of each push type, once", () => {
    const suffixes = {
      alert: "",
      background: "",
      complication: ".complication",
      controls: ".push-type.controls",
      fileprovider: ".pushkit.fileprovider",
      liveactivity: ".push-type.liveactivity",
      location: ".location-query",
      mdm: "",
      pushtotalk: ".voip-ptt",
      voip: ".voip",
      widgets: ".push-type.widgets"
    } satisfies Record<PushType.PushType, string>
    for (const [pushType, suffix] of Object.entries(suffixes)) {
      assert.isTrue(PushType.is(pushType))
      if (!PushType.is(pushType)) continue
      const topic = Topic.forPushType("com.example.app", pushType)
      assert.strictEqual(topic, `com.example.app${suffix}`)
      assert.strictEqual(Topic.forPushType(topic, pushType), topic)
    }
    assert.sameMembers(Object.keys(suffixes), Object.keys(PushType.table))
  })

  it("cannot change the rest of a path", () => {
    for (const bad of ["../x", "a/b", "a b", "a?b", "a#b", "a%2fb", ".", "a:b", "a".repeat(256)]) {
      assert.isFalse(Topic.is(bad), bad)
      assert.isNotEmpty(message(Topic.Topic, bad))
    }
  })
})

describe("Priority", () => {
  it("is checked against the push type", () => {
    assert.isTrue(Either.isRight(Priority.forPushType(5, "background")))
    assert.include(
      Either.match(Priority.forPushType(10, "background"), { onLeft: (e) => e.message, onRight: () => "" }),
      "A push of type background has priority 5, not 10."
    )
    assert.isTrue(Either.isLeft(Priority.forPushType(1, "location")))
    assert.isTrue(Either.isLeft(Priority.forPushType(1, "liveactivity")))
    assert.isTrue(Either.isRight(Priority.forPushType(1, "alert")))
  })
})

describe("PushType", () => {
  it("has only the eleven push types", () => {
    assert.strictEqual(Object.keys(PushType.table).length, 11)
    for (const [key, { value }] of Object.entries(PushType.table)) assert.strictEqual(key, value)
    assert.isFalse(PushType.is("toString"))
    assert.isTrue(Object.keys(PushType.table).every(Schema.is(PushType.PushType)))
  })
})

describe("MessageStoragePolicy", () => {
  it("is a number in JSON", () => {
    const encode = Schema.encodeSync(MessageStoragePolicy.MessageStoragePolicy)
    assert.strictEqual(encode("no-message-stored"), 0)
    assert.strictEqual(encode("most-recent-message-stored"), 1)
  })
})
