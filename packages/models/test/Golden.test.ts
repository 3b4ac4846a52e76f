import { LiveActivity, Notification, Payload, PushType, Sound } from "@effect-apns/models"
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Either, Schema } from "effect"

const text = (notification: Notification.Notification): string =>
  new TextDecoder("utf-8", { fatal: true }).decode(Either.getOrThrow(Notification.prepare(notification)).body)

// The samples of Apple's pages, whitespace removed and keys sorted.
const golden: ReadonlyArray<
  readonly [name: string, pushType: PushType.PushType, notification: Notification.Notification, payload: string]
> = [
  [
    "Generating a remote notification: title, subtitle and body",
    "alert",
    Notification.alert({
      alert: { title: "Game Request", subtitle: "Five Card Draw", body: "Bob wants to play poker" },
      category: "GAME_INVITATION",
      custom: { gameID: "12345678" }
    }),
    "{\"aps\":{\"alert\":{\"body\":\"Bob wants to play poker\",\"subtitle\":\"Five Card Draw\",\"title\":\"Game Request\"}," +
    "\"category\":\"GAME_INVITATION\"},\"gameID\":\"12345678\"}"
  ],
  [
    "Generating a remote notification: badge and sound",
    "alert",
    Notification.alert({ badge: 9, sound: "bingbong.aiff", custom: { messageID: "ABCDEFGHIJ" } }),
    "{\"aps\":{\"badge\":9,\"sound\":\"bingbong.aiff\"},\"messageID\":\"ABCDEFGHIJ\"}"
  ],
  [
    "Generating a remote notification: localized",
    "alert",
    Notification.alert({ alert: { body: Notification.localized("GAME_PLAY_REQUEST_FORMAT", ["Shelly", "Rick"]) } }),
    "{\"aps\":{\"alert\":{\"loc-args\":[\"Shelly\",\"Rick\"],\"loc-key\":\"GAME_PLAY_REQUEST_FORMAT\"}}}"
  ],
  [
    "every key of the alert and of aps",
    "alert",
    Notification.alert({
      alert: {
        title: Notification.localized("T", ["1"]),
        subtitle: Notification.localized("S", []),
        body: Notification.localized("B"),
        launchImage: "launch.png",
        action: "View",
        actionLocKey: "VIEW",
        summaryArg: "Jo",
        summaryArgCount: 2
      },
      badge: 0,
      sound: Sound.critical({ name: "siren.aiff", volume: 0.5 }),
      threadId: "thread",
      category: "CATEGORY",
      contentAvailable: true,
      mutableContent: true,
      targetContentId: "window",
      interruptionLevel: "time-sensitive",
      relevanceScore: 0.25,
      filterCriteria: "work",
      urlArgs: ["boarding", "A998"]
    }),
    "{\"aps\":{\"alert\":{\"action\":\"View\",\"action-loc-key\":\"VIEW\",\"launch-image\":\"launch.png\",\"loc-key\":\"B\"," +
    "\"subtitle-loc-args\":[],\"subtitle-loc-key\":\"S\",\"summary-arg\":\"Jo\",\"summary-arg-count\":2," +
    "\"title-loc-args\":[\"1\"],\"title-loc-key\":\"T\"},\"badge\":0,\"category\":\"CATEGORY\",\"content-available\":1," +
    "\"filter-criteria\":\"work\",\"interruption-level\":\"time-sensitive\",\"mutable-content\":1,\"relevance-score\":0.25," +
    "\"sound\":{\"critical\":1,\"name\":\"siren.aiff\",\"volume\":0.5},\"target-content-id\":\"window\"," +
    "\"thread-id\":\"thread\",\"url-args\":[\"boarding\",\"A998\"]}}"
  ],
  [
    "Pushing background updates to your App",
    "background",
    Notification.background({ custom: { acme1: "bar", acme2: 42 } }),
    "{\"acme1\":\"bar\",\"acme2\":42,\"aps\":{\"content-available\":1}}"
  ],
  ["a bare background push", "background", Notification.background(), "{\"aps\":{\"content-available\":1}}"],
  ["a call", "voip", Notification.voip({ custom: { callId: "c1" } }), "{\"callId\":\"c1\"}"],
  ["a call without any key", "voip", Notification.voip(), "{\"aps\":{}}"],
  ["a complication", "complication", Notification.complication({ custom: { score: 3 } }), "{\"score\":3}"],
  [
    "Using push notifications to signal changes",
    "fileprovider",
    Notification.fileProvider({
      containerIdentifier: "NSFileProviderWorkingSetContainerItemIdentifier",
      domain: "domain-1"
    }),
    "{\"container-identifier\":\"NSFileProviderWorkingSetContainerItemIdentifier\",\"domain\":\"domain-1\"}"
  ],
  ["Sending MDM Commands to a Device", "mdm", Notification.mdm({ pushMagic: "magic" }), "{\"mdm\":\"magic\"}"],
  ["a location query", "location", Notification.location(), "{\"aps\":{}}"],
  [
    "Creating a Push to Talk app",
    "pushtotalk",
    Notification.pushToTalk({ custom: { activeSpeaker: "The name of the active speaker" } }),
    "{\"activeSpeaker\":\"The name of the active speaker\"}"
  ],
  ["Updating widgets", "widgets", Notification.widgets(), "{\"aps\":{\"content-changed\":true}}"],
  ["Updating controls", "controls", Notification.controls(), "{\"aps\":{\"content-changed\":true}}"],
  [
    "Live Activity: start",
    "liveactivity",
    Notification.liveActivity.start({
      timestamp: 1234,
      attributesType: "AdventureAttributes",
      attributes: { currentHealthLevel: 100, eventDescription: "Adventure has begun!" },
      contentState: { currentHealthLevel: 100, eventDescription: "Adventure has begun!" },
      alert: {
        title: Notification.localized("%@ is on an adventure!", ["Power Panda"]),
        body: Notification.localized("%@ found a sword!", ["Power Panda"]),
        sound: "chime.aiff"
      }
    }),
    "{\"aps\":{\"alert\":{\"body\":{\"loc-args\":[\"Power Panda\"],\"loc-key\":\"%@ found a sword!\"}," +
    "\"sound\":\"chime.aiff\",\"title\":{\"loc-args\":[\"Power Panda\"],\"loc-key\":\"%@ is on an adventure!\"}}," +
    "\"attributes\":{\"currentHealthLevel\":100,\"eventDescription\":\"Adventure has begun!\"}," +
    "\"attributes-type\":\"AdventureAttributes\",\"content-state\":{\"currentHealthLevel\":100," +
    "\"eventDescription\":\"Adventure has begun!\"},\"event\":\"start\",\"timestamp\":1234}}"
  ],
  [
    "Live Activity: start on a channel, with a token for updates",
    "liveactivity",
    Notification.liveActivity.start({
      timestamp: 1234,
      attributesType: "A",
      attributes: {},
      contentState: {},
      alert: { title: "t", body: "b" },
      inputPushToken: true,
      inputPushChannel: "dHN0LXNyY2gtY2hubA=="
    }),
    "{\"aps\":{\"alert\":{\"body\":\"b\",\"title\":\"t\"},\"attributes\":{},\"attributes-type\":\"A\",\"content-state\":{}," +
    "\"event\":\"start\",\"input-push-channel\":\"dHN0LXNyY2gtY2hubA==\",\"input-push-token\":1,\"timestamp\":1234}}"
  ],
  [
    "Live Activity: update",
    "liveactivity",
    Notification.liveActivity.update({
      timestamp: DateTime.unsafeMake(1685952000000),
      contentState: { currentHealthLevel: 0.941, eventDescription: "Power Panda found a sword!" }
    }),
    "{\"aps\":{\"content-state\":{\"currentHealthLevel\":0.941,\"eventDescription\":\"Power Panda found a sword!\"}," +
    "\"event\":\"update\",\"timestamp\":1685952000}}"
  ],
  [
    "Live Activity: update with an alert, a relevance and a stale date",
    "liveactivity",
    Notification.liveActivity.update({
      timestamp: 1685952000,
      contentState: {},
      alert: {
        title: "Power Panda is knocked down!",
        body: "Use a potion to heal Power Panda!",
        sound: "HeroDown.mp4"
      },
      relevanceScore: 100,
      staleDate: new Date(1685959200999)
    }),
    "{\"aps\":{\"alert\":{\"body\":\"Use a potion to heal Power Panda!\",\"sound\":\"HeroDown.mp4\"," +
    "\"title\":\"Power Panda is knocked down!\"},\"content-state\":{},\"event\":\"update\",\"relevance-score\":100," +
    "\"stale-date\":1685959200,\"timestamp\":1685952000}}"
  ],
  [
    "Live Activity: end, dismissed at once",
    "liveactivity",
    Notification.liveActivity.end({ timestamp: 1685952000, contentState: { done: true }, dismissalDate: 0 }),
    "{\"aps\":{\"content-state\":{\"done\":true},\"dismissal-date\":0,\"event\":\"end\",\"timestamp\":1685952000}}"
  ],
  [
    "Live Activity: end without a last state",
    "liveactivity",
    Notification.liveActivity.end({ timestamp: 1685952000 }),
    "{\"aps\":{\"event\":\"end\",\"timestamp\":1685952000}}"
  ]
]

describe("golden payloads", () => {
  for (const [name, pushType, notification, payload] of golden) {
    it(`${pushType}: ${name}`, () => {
      assert.strictEqual(text(notification), payload)
      assert.strictEqual(notification.pushType, pushType)
    })

    it(`${pushType}: ${name}, read back`, () => {
      const back = Either.getOrThrow(Payload.decodeText(pushType)(payload))
      assert.deepStrictEqual(back, { ...notification })
      assert.strictEqual(text(back), payload)
    })
  }

  it("has every push type", () => {
    assert.sameMembers([...new Set(golden.map(([, pushType]) => pushType))], Object.keys(PushType.table))
  })

  it("has the limits, suffixes and default priorities of the table", () => {
    for (const [, pushType, notification] of golden) {
      const prepared = Either.getOrThrow(Notification.prepare(notification))
      assert.strictEqual(prepared.pushType, pushType)
      assert.strictEqual(prepared.maxBytes, pushType === "voip" ? 5120 : 4096)
      assert.strictEqual(prepared.defaultPriority, pushType === "background" ? 5 : undefined)
      assert.strictEqual(prepared.topicSuffix, PushType.table[pushType].topicSuffix)
    }
  })
})

describe("Live Activities of the caller's own types", () => {
  const Adventure = LiveActivity.define({
    attributesType: "AdventureAttributes",
    attributes: Schema.Struct({ hero: Schema.String }),
    contentState: Schema.Struct({ health: Schema.NumberFromString, until: LiveActivity.SwiftDate })
  })
  const until = DateTime.unsafeMake("2024-01-01T00:00:00.500Z")

  it("are encoded by the caller's Schemas", () => {
    assert.strictEqual(
      text(Adventure.start({
        timestamp: 1,
        attributes: { hero: "Panda" },
        contentState: { health: 0.5, until },
        alert: { title: "t" }
      })),
      "{\"aps\":{\"alert\":{\"title\":\"t\"},\"attributes\":{\"hero\":\"Panda\"},\"attributes-type\":\"AdventureAttributes\"," +
        "\"content-state\":{\"health\":\"0.5\",\"until\":725760000.5},\"event\":\"start\",\"timestamp\":1}}"
    )
    assert.strictEqual(
      text(Adventure.update({ timestamp: 2, contentState: { health: 1, until } })),
      "{\"aps\":{\"content-state\":{\"health\":\"1\",\"until\":725760000.5},\"event\":\"update\",\"timestamp\":2}}"
    )
    assert.strictEqual(
      text(Adventure.end({ timestamp: 3, contentState: { health: 0, until } })),
      "{\"aps\":{\"content-state\":{\"health\":\"0\",\"until\":725760000.5},\"event\":\"end\",\"timestamp\":3}}"
    )
  })

  it("keep their Schemas when they are copied", () => {
    const update = Adventure.update({ timestamp: 2, contentState: { health: 1, until } })
    assert.include(text({ ...update, timestamp: 5 }), "\"health\":\"1\"")
    assert.include(text({ ...update, timestamp: 5 }), "\"timestamp\":5")
  })

  it("are decoded again, and refused under another name", () => {
    const decode = Schema.decodeUnknownEither(Adventure.payload)
    const start = {
      aps: {
        event: "start",
        timestamp: 1,
        "attributes-type": "AdventureAttributes",
        attributes: { hero: "Panda" },
        "content-state": { health: "0.5", until: 0 },
        alert: { title: "t" }
      }
    }
    const back = Either.getOrThrow(decode(start))
    assert.isTrue(back.event === "start" && back.contentState.health === 0.5)
    assert.isTrue(
      Either.isLeft(decode({ aps: { ...start.aps, "attributes-type": "OtherAttributes" } }))
    )
  })

  it("an invalid state -> an error with its path", () => {
    const update = {
      ...Adventure.update({ timestamp: 2, contentState: { health: 1, until } }),
      contentState: { until }
    }
    const result = Notification.prepare(update)
    assert.isTrue(Either.isLeft(result) && result.left._tag === "ParseError")
    assert.include(Either.isLeft(result) ? result.left.message : "", "[\"contentState\"][\"health\"]")
  })

  it("never become JSON that ActivityKit cannot read", () => {
    const Broken = LiveActivity.define({
      attributesType: "A",
      attributes: Schema.Struct({}),
      contentState: Schema.Struct({ at: Schema.DateFromSelf })
    })
    const result = Notification.prepare(Broken.update({ timestamp: 1, contentState: { at: new Date(0) } }))
    assert.include(Either.isLeft(result) ? result.left.message : "", "JSON has no Date")
  })
})
