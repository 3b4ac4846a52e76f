import { Json, LiveActivity, Notification, Payload, PushType, UnixTime } from "@effect-apns/models"
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Either, FastCheck, Schema } from "effect"
import * as vm from "node:vm"

const decoder = new TextDecoder("utf-8", { fatal: true })

const text = (notification: Notification.Notification): string =>
  decoder.decode(Either.getOrThrow(Notification.prepare(notification)).body)

const refusal = (notification: unknown): string => {
  // what plain JavaScript may pass
  const result: ReturnType<typeof Notification.prepare> = Reflect.apply(Notification.prepare, undefined, [notification])
  if (Either.isRight(result)) return assert.fail(`accepted ${JSON.stringify(notification)}`)
  assert.strictEqual(result.left._tag, "ParseError")
  return result.left.message
}

const plain = (input: unknown): unknown => JSON.parse(JSON.stringify(input))

const pushTypes = Object.keys(PushType.table).filter(PushType.is)

describe("prepare", () => {
  it("is compact, with sorted keys", () => {
    assert.strictEqual(
      text(Notification.alert({ alert: { title: "Test", body: "Content" } })),
      "{\"aps\":{\"alert\":{\"body\":\"Content\",\"title\":\"Test\"}}}"
    )
    assert.strictEqual(
      text(Notification.alert({ custom: { z: { b: 1, a: 2 }, a: [{ d: 1, c: 2 }] } })),
      "{\"a\":[{\"c\":2,\"d\":1}],\"aps\":{},\"z\":{\"a\":2,\"b\":1}}"
    )
  })

  it("keeps what is empty or 0, and leaves out what is undefined", () => {
    assert.strictEqual(
      text(Notification.alert({
        alert: { title: "", subtitle: undefined, body: Notification.localized("K", []) },
        badge: 0,
        sound: "",
        threadId: undefined,
        urlArgs: [],
        relevanceScore: 0,
        custom: { empty: "", none: null, list: [], object: {}, zero: 0, no: false, gone: undefined }
      })),
      "{\"aps\":{\"alert\":{\"loc-args\":[],\"loc-key\":\"K\",\"title\":\"\"},\"badge\":0,\"relevance-score\":0,\"sound\":\"\"," +
        "\"url-args\":[]},\"empty\":\"\",\"list\":[],\"no\":false,\"none\":null,\"object\":{},\"zero\":0}"
    )
    assert.strictEqual(text(Notification.alert({ alert: "" })), "{\"aps\":{\"alert\":\"\"}}")
    assert.strictEqual(text(Notification.alert({})), "{\"aps\":{}}")
  })

  it("a flag that is false -> left out", () => {
    assert.strictEqual(
      text(Notification.alert({ alert: "x", contentAvailable: false, mutableContent: false })),
      "{\"aps\":{\"alert\":\"x\"}}"
    )
  })

  it("puts the interruption level into aps", () => {
    assert.strictEqual(
      text(Notification.alert({ interruptionLevel: "critical" })),
      "{\"aps\":{\"interruption-level\":\"critical\"}}"
    )
  })

  it("a custom key named aps -> refused, with that reason", () => {
    for (const make of [Notification.alert, Notification.background, Notification.voip, Notification.widgets]) {
      assert.include(refusal(make({ custom: { aps: {} } })), "A custom key named \"aps\"")
    }
  })

  it("refuses a background push that shows something, and says what to do", () => {
    for (const extra of [{ alert: "x" }, { badge: 1 }, { sound: "default" }]) {
      assert.include(refusal({ pushType: "background", ...extra }), "A background push is silent")
    }
  })

  it("wrong fields -> an error with the path of each", () => {
    const message = refusal({
      pushType: "alert",
      alert: { title: 1, body: { key: "K", args: [2] } },
      badge: -1,
      sound: { volume: 2 },
      interruptionLevel: "loud",
      relevanceScore: 1.1,
      treadId: "t"
    })
    for (
      const path of [
        "[\"alert\"][\"title\"]",
        "[\"alert\"][\"body\"][\"args\"][0]",
        "[\"badge\"]",
        "[\"sound\"][\"volume\"]",
        "[\"interruptionLevel\"]",
        "[\"relevanceScore\"]",
        "\"treadId\" is not a key that belongs here"
      ]
    ) assert.include(message, path)
    assert.notInclude(message, "Expected undefined")
  })

  it("values that JSON does not have -> refused, with the path", () => {
    const cycle: Record<string, unknown> = {}
    cycle["self"] = cycle
    const cases: ReadonlyArray<readonly [unknown, string]> = [
      [{ at: new Date(0) }, "JSON has no Date"],
      [{ list: [1, NaN] }, "[\"custom\"][\"list\"][1]"],
      [{ n: Infinity }, "JSON has no Infinity"],
      [{ f: () => 1 }, "JSON has no function"],
      [{ b: 1n }, "JSON has no bigint"],
      [{ list: [undefined] }, "JSON has no undefined"],
      [cycle, "refers to itself"],
      [[1], "Expected a JSON object"]
    ]
    for (const [custom, expected] of cases) assert.include(refusal({ pushType: "alert", custom }), expected)
  })

  it("arguments of a localized text that are not strings -> refused", () => {
    for (const args of ["Jenna", [1], [null], {}]) {
      assert.include(refusal({ pushType: "alert", alert: { body: { key: "K", args } } }), "[\"args\"]")
    }
  })

  it("not a notification -> refused, without throwing", () => {
    for (const input of [undefined, null, 1, "alert", [], {}, { pushType: "nope" }, { pushType: "toString" }]) {
      assert.include(refusal(input), "push types alert, background")
    }
    for (const pushType of pushTypes) {
      const outcome = Reflect.apply(Notification.prepare, undefined, [{ pushType, bogus: 1 }])
      assert.isTrue(Either.isLeft(outcome), pushType)
    }
  })

  it("does not take the push type from the options", () => {
    const options = { pushType: "alert", custom: {} }
    assert.strictEqual(Notification.background(options).pushType, "background")
    assert.strictEqual(Notification.voip(options).pushType, "voip")
    assert.deepStrictEqual(Notification.voip({ ...options, contentAvailable: false }), {
      pushType: "voip",
      custom: {}
    })
  })

  it("encodes once", () => {
    const good = Notification.alert({ alert: "once" })
    assert.strictEqual(Notification.prepare(good), Notification.prepare(good))
    const bad = Notification.alert({ badge: -1 })
    assert.strictEqual(Notification.prepare(bad), Notification.prepare(bad))
    assert.strictEqual(text({ ...good, alert: "twice" }), "{\"aps\":{\"alert\":\"twice\"}}")
  })

  it("many different notifications -> each has its own body", () => {
    const texts = Array.from({ length: 2_000 }, (_, i) => `${"\u00e9".repeat(i % 3)}${i}`.repeat(1 + (i % 40)))
    const prepared = texts.map((alert) => Either.getOrThrow(Notification.prepare(Notification.alert({ alert }))).body)
    prepared.forEach((body, i) => {
      assert.strictEqual(decoder.decode(body), `{"aps":{"alert":${JSON.stringify(texts[i])}}}`)
    })
  })
})

describe("size", () => {
  const overhead = "{\"aps\":{\"alert\":{\"body\":\"\"}}}".length

  const alerts = {
    alert: Notification.alert,
    complication: Notification.complication,
    location: Notification.location,
    pushtotalk: Notification.pushToTalk,
    voip: Notification.voip
  }

  it("has the overhead that the table below assumes", () => assert.strictEqual(overhead, 29))

  for (const [pushType, make] of Object.entries(alerts)) {
    const limit = pushType === "voip" ? 5120 : 4096
    it(`${pushType}: a body of ${limit - overhead} bytes fits, one of ${limit - overhead + 1} does not`, () => {
      const at = (length: number) => Notification.prepare(make({ alert: { body: "x".repeat(length) } }))
      assert.strictEqual(Either.getOrThrow(at(limit - overhead)).body.length, limit)
      const over = at(limit - overhead + 1)
      assert.isTrue(Either.isLeft(over))
      if (Either.isRight(over) || over.left._tag !== "PayloadTooLarge") return assert.fail("expected PayloadTooLarge")
      assert.strictEqual(over.left.size, limit + 1)
      assert.strictEqual(over.left.limit, limit)
      assert.strictEqual(over.left.processed, "no")
      assert.strictEqual(over.left.attempts, 0)
      assert.include(over.left.message, `${limit + 1} bytes, limit ${limit}`)
    })
  }

  for (const pushType of pushTypes) {
    const limit = pushType === "voip" ? 5120 : 4096
    it(`${pushType}, raw: ${limit} bytes fit, ${limit + 1} do not`, () => {
      const body = (length: number) => `{"aps":{"alert":{"body":"${"x".repeat(length - overhead)}"}}}`
      const at = (length: number) => Notification.prepare(Notification.raw({ pushType, payload: body(length) }))
      assert.strictEqual(Either.getOrThrow(at(limit)).body.length, limit)
      const over = at(limit + 1)
      assert.strictEqual(Either.isLeft(over) ? over.left._tag : "", "PayloadTooLarge")
    })
  }

  it("is counted in bytes of UTF-8", () => {
    const fits = Notification.alert({ alert: { body: "\u00e9".repeat(2033) + "x" } })
    assert.strictEqual(Either.getOrThrow(Notification.prepare(fits)).body.length, 4096)
    const over = Notification.prepare(Notification.alert({ alert: { body: "\u00e9".repeat(2034) } }))
    assert.isTrue(Either.isLeft(over) && over.left._tag === "PayloadTooLarge" && over.left.size === 4097)
  })
})

describe("raw", () => {
  it("sends text and bytes as they are, and JSON compactly", () => {
    assert.strictEqual(text(Notification.raw({ pushType: "alert", payload: "{ \"b\": 1 }" })), "{ \"b\": 1 }")
    assert.strictEqual(
      text(Notification.raw({ pushType: "alert", payload: { b: 1, a: { aps: 1 } } })),
      "{\"a\":{\"aps\":1},\"b\":1}"
    )
    const bytes = new Uint8Array([0x7b, 0x7d])
    const { body } = Either.getOrThrow(Notification.prepare(Notification.raw({ pushType: "voip", payload: bytes })))
    bytes.fill(0)
    assert.deepStrictEqual(Array.from(body), [0x7b, 0x7d])
  })

  it("an empty payload, or not JSON -> refused", () => {
    assert.include(refusal(Notification.raw({ pushType: "alert", payload: "" })), "is empty")
    assert.include(refusal(Notification.raw({ pushType: "alert", payload: new Uint8Array(0) })), "is empty")
    assert.include(refusal({ pushType: "alert", payload: { at: new Date(0) } }), "JSON has no Date")
    assert.include(refusal({ pushType: "alert", payload: undefined }), "Expected a JSON object")
  })
})

describe("raw, of a push type that this library does not know", () => {
  const raw = (options: { readonly pushType: string; readonly topicSuffix?: string }) =>
    Notification.raw({ payload: { aps: {} }, ...options })

  it("is prepared with its own topic suffix, 4096 bytes and no priority", () => {
    const { defaultPriority, maxBytes, pushType, topicSuffix } = Either.getOrThrow(
      Notification.prepare(raw({ pushType: "newtype", topicSuffix: ".push-type.newtype" }))
    )
    assert.deepStrictEqual({ defaultPriority, maxBytes, pushType, topicSuffix }, {
      defaultPriority: undefined,
      maxBytes: 4096,
      pushType: "newtype",
      topicSuffix: ".push-type.newtype"
    })
    assert.strictEqual(Either.getOrThrow(Notification.prepare(raw({ pushType: "new+type.2" }))).topicSuffix, "")
  })

  it("may override the suffix of a known push type", () => {
    const suffixOf = (topicSuffix?: string) =>
      Either.getOrThrow(
        Notification.prepare(raw({ pushType: "voip", ...(topicSuffix === undefined ? {} : { topicSuffix }) }))
      )
        .topicSuffix
    assert.deepStrictEqual([suffixOf(), suffixOf(""), suffixOf(".other")], [".voip", "", ".other"])
  })

  it("a push type that is not a token, or a suffix that is not valid in a topic -> refused", () => {
    for (const pushType of ["", "new type", "new\r\ntype", "näh", "a,b", "a/b"]) {
      assert.include(refusal(raw({ pushType })), "is a token")
    }
    for (const topicSuffix of ["newtype", ". x", ".\r\n", "."]) {
      const message = refusal(raw({ pushType: "newtype", topicSuffix }))
      assert.include(message, "A topic suffix begins with")
      assert.include(message, "topicSuffix")
    }
  })

  it("as anything but a raw payload -> refused", () => {
    assert.include(refusal({ pushType: "newtype", alert: "x" }), "one of the push types")
  })
})

describe("constructors with invalid values", () => {
  const hostile = {
    get alert(): string {
      throw new Error("boom\u001b")
    },
    get timestamp(): number {
      throw new Error("boom")
    }
  }
  const makers: Record<string, (...args: ReadonlyArray<never>) => Notification.Notification> = {
    alert: Notification.alert,
    background: Notification.background,
    complication: Notification.complication,
    controls: Notification.controls,
    fileProvider: Notification.fileProvider,
    location: Notification.location,
    mdm: Notification.mdm,
    pushToTalk: Notification.pushToTalk,
    voip: Notification.voip,
    widgets: Notification.widgets,
    "liveActivity.start": Notification.liveActivity.start,
    "liveActivity.update": Notification.liveActivity.update,
    "liveActivity.end": Notification.liveActivity.end
  }
  for (const [name, make] of Object.entries(makers)) {
    it(`${name} does not throw; its result is refused`, () => {
      assert.include(refusal(Reflect.apply(make, undefined, [hostile])), "could not be read (boom")
      // a copy is refused as well
      assert.include(refusal({ ...Reflect.apply(make, undefined, [hostile]) }), "could not be read")
      for (const input of [null, 7, "x", [], () => 1]) Notification.prepare(Reflect.apply(make, undefined, [input]))
      Notification.prepare(Reflect.apply(make, undefined, []))
    })
  }

  it("a Live Activity without a timestamp is refused with the key", () => {
    for (const event of ["start", "update", "end"] as const) {
      const message = refusal(Reflect.apply(Notification.liveActivity[event], undefined, [{ contentState: {} }]))
      assert.include(message, "timestamp")
      assert.include(message, "An instant is a DateTime, a Date or whole Unix seconds")
    }
  })

  it("a Schema of the caller that throws is a refusal", () => {
    const Broken = LiveActivity.define({
      attributesType: "A",
      attributes: Schema.Struct({}),
      contentState: Schema.transform(Schema.String, Schema.Number, {
        strict: true,
        decode: (): number => 1,
        encode: (): string => {
          throw new Error("my own bug")
        }
      })
    })
    assert.include(refusal(Broken.update({ timestamp: 1, contentState: 1 })), "my own bug")
  })

  it("a notification whose properties throw is a refusal", () => {
    assert.include(
      refusal({
        get pushType() {
          throw new Error("trap")
        }
      }),
      "trap"
    )
    assert.include(
      refusal({
        pushType: "alert",
        get alert() {
          throw new Error("trap")
        }
      }),
      "trap"
    )
  })

  it("dates and bytes of another realm are dates and bytes", () => {
    const foreign = vm.runInNewContext("({ date: new Date(1000), bytes: new Uint8Array([123, 125]) })")
    assert.strictEqual(UnixTime.fromInput(foreign.date), 1)
    assert.strictEqual(text(Notification.raw({ pushType: "alert", payload: foreign.bytes })), "{}")
  })
})

describe("broadcast", () => {
  const update = (length: number) =>
    Notification.liveActivity.update({ timestamp: 1, contentState: { text: "x".repeat(length) } })
  const overhead = "{\"aps\":{\"content-state\":{\"text\":\"\"},\"event\":\"update\",\"timestamp\":1}}".length

  it("has 5120 bytes and no suffix, where a device has 4096", () => {
    const notification = update(5120 - overhead)
    const prepared = Either.getOrThrow(Notification.prepareBroadcast(notification))
    assert.strictEqual(prepared.body.length, 5120)
    assert.strictEqual(prepared.topicSuffix, "")
    assert.strictEqual(prepared.maxBytes, 5120)
    assert.isTrue(Either.isLeft(Notification.prepare(notification)))
    assert.isTrue(Either.isLeft(Notification.prepareBroadcast(update(5121 - overhead))))
    assert.strictEqual(Either.getOrThrow(Notification.prepare(update(1))).topicSuffix, ".push-type.liveactivity")
  })

  it("cannot start an activity, nor be anything else", () => {
    const start = Notification.liveActivity.start({
      timestamp: 1,
      attributesType: "A",
      attributes: {},
      contentState: {},
      alert: {}
    })
    const reasons = [[start, "cannot start"], [Notification.alert({}), "Only Live Activities"], [
      undefined,
      "Only Live"
    ]]
    for (const [notification, reason] of reasons) {
      const result: ReturnType<typeof Notification.prepareBroadcast> = Reflect.apply(
        Notification.prepareBroadcast,
        undefined,
        [notification]
      )
      assert.include(Either.isLeft(result) ? result.left.message : "", String(reason))
    }
  })
})

describe("decode", () => {
  const suite = <P extends PushType.PushType>(pushType: P) => {
    const schema: Schema.Schema<Payload.ByPushType[P], Json.JsonObject> = Payload.table[pushType]
    const notifications = Arbitrary.make(Schema.typeSchema(schema))
    const parse = Payload.decodeText(pushType)

    it(`${pushType}: what was encoded is decoded to the same`, () => {
      FastCheck.assert(
        FastCheck.property(notifications, (notification) => {
          const result = Notification.prepare(notification)
          if (Either.isLeft(result)) {
            assert.strictEqual(result.left._tag, "PayloadTooLarge", result.left.message)
            return
          }
          const read = parse(result.right.body)
          // a double beyond 2^53 is written as an integer, and an integer of that size is refused when it is read
          if (Either.isLeft(read) && /\d{16,}/.test(text(notification))) return
          const back = Either.getOrThrow(read)
          assert.deepStrictEqual(plain(back), plain(notification))
          assert.deepStrictEqual(Either.getOrThrow(Notification.prepare(back)).body, result.right.body)
        }),
        { numRuns: 200 }
      )
    })

    it(`${pushType}: the bytes are those of the Schema`, () => {
      const encode = Schema.encodeEither(schema)
      FastCheck.assert(
        FastCheck.property(notifications, (notification) => {
          const bySchema = Either.getOrThrow(Either.flatMap(encode(notification), Json.stringify))
          const result = Notification.prepare(notification)
          if (Either.isRight(result)) assert.strictEqual(decoder.decode(result.right.body), bySchema)
          else assert.strictEqual(result.left._tag, "PayloadTooLarge")
        }),
        { numRuns: 200 }
      )
    })
  }

  pushTypes.forEach(suite)

  it("broken notifications -> the same errors as of the Schema", () => {
    const schema = Payload.table.alert
    const accepts = Schema.encodeUnknownEither(schema, { onExcessProperty: "error" })
    const keys = [
      "alert",
      "badge",
      "sound",
      "threadId",
      "category",
      "contentAvailable",
      "mutableContent",
      "targetContentId",
      "interruptionLevel",
      "relevanceScore",
      "filterCriteria",
      "urlArgs",
      "custom",
      "other"
    ]
    const junk = FastCheck.oneof(
      FastCheck.anything({ maxDepth: 2, withBigInt: true, withDate: true, withNullPrototype: true }),
      FastCheck.constantFrom(-0, 0.5, 1, true, false, "active", "x", ["x"], { key: "k" }, { title: { key: "k" } }),
      FastCheck.record({ title: FastCheck.anything({ maxDepth: 1 }), volume: FastCheck.double() })
    )
    FastCheck.assert(
      FastCheck.property(
        Arbitrary.make(Schema.typeSchema(schema)),
        FastCheck.constantFrom(...keys),
        junk,
        (notification, key, value) => {
          const broken = { ...notification, [key]: value }
          const result: ReturnType<typeof Notification.prepare> = Reflect.apply(Notification.prepare, undefined, [
            broken
          ])
          const refused = Either.isLeft(result) && result.left._tag === "ParseError"
          assert.strictEqual(refused, Either.isLeft(accepts(broken)))
        }
      ),
      { numRuns: 2_000 }
    )
  })

  it("an error has the path of the key in the payload", () => {
    const message = (pushType: PushType.PushType, payload: unknown): string =>
      Either.match(Payload.decode(pushType)(payload), {
        onLeft: (error) => error.message,
        onRight: () => assert.fail("accepted")
      })
    assert.include(message("alert", { aps: { badge: "1" } }), "[\"aps\"][\"badge\"]")
    assert.include(message("alert", { aps: { treadId: "1" } }), "[\"aps\"][\"treadId\"]")
    assert.include(message("alert", { aps: { alert: { "loc-args": [1], "loc-key": "k" } } }), "[\"loc-args\"][0]")
    assert.include(message("alert", { aps: { alert: { "loc-args": [] } } }), "\"loc-key\", which is missing")
    assert.include(message("alert", { aps: { alert: { title: "t", "title-loc-key": "k" } } }), "keep one of the two")
    assert.include(message("alert", { aps: { "content-available": 0 } }), "Expected 1")
    assert.include(message("alert", { messageID: 1 }), "\"aps\" is missing")
    assert.include(message("alert", []), "Expected a JSON object, got an array")
    assert.include(message("background", { aps: { "content-available": 1, alert: "x" } }), "background push is silent")
    assert.include(message("background", { aps: {} }), "[\"aps\"][\"content-available\"]")
    assert.include(message("liveactivity", { aps: { event: "begin" } }), "[\"aps\"][\"event\"]")
    assert.include(message("mdm", { mdm: "m", aps: {} }), "\"aps\" is not a key that belongs here")
    assert.include(message("fileprovider", { domain: "d" }), "[\"container-identifier\"]")
  })

  it("drops unknown keys where asked to", () => {
    assert.deepStrictEqual(
      Either.getOrThrow(Payload.decode("alert", { onExcessProperty: "ignore" })({ aps: { badge: 1, treadId: "x" } })),
      { pushType: "alert", badge: 1 }
    )
  })

  it("text that is not JSON, bytes that are not UTF-8 -> refused", () => {
    for (const input of ["{", "", new Uint8Array([0x22, 0xff, 0x22])]) {
      const result = Payload.decodeText("alert")(input)
      assert.include(
        Either.isLeft(result) ? result.left.message : "",
        typeof input === "string" ? "is not JSON" : "not UTF-8"
      )
    }
  })

  it("keeps a key named __proto__ a key", () => {
    const payload = "{\"__proto__\":{\"a\":1},\"aps\":{\"alert\":\"x\"}}"
    assert.strictEqual(text(Either.getOrThrow(Payload.decodeText("alert")(payload))), payload)
  })
})

describe("jsonSchema", () => {
  it("describes each push type's payload", () => {
    const required = (pushType: PushType.PushType) => {
      const schema = Payload.jsonSchema(pushType)
      return "required" in schema ? [...schema.required] : assert.fail(`${pushType} is not described as an object`)
    }
    assert.deepStrictEqual(pushTypes.map((pushType) => [pushType, required(pushType)]), [
      ["alert", ["aps"]],
      ["background", ["aps"]],
      ["complication", []],
      ["controls", ["aps"]],
      ["fileprovider", ["container-identifier", "domain"]],
      ["liveactivity", ["aps"]],
      ["location", []],
      ["mdm", ["mdm"]],
      ["pushtotalk", []],
      ["voip", []],
      ["widgets", ["aps"]]
    ])
  })

  it("uses the keys of the payload, and allows custom keys beside aps", () => {
    const schema = JSON.stringify(Payload.jsonSchema("alert"))
    for (const key of ["thread-id", "interruption-level", "title-loc-key", "relevance-score", "url-args"]) {
      assert.include(schema, `"${key}"`)
    }
    assert.notInclude(schema, "threadId")
    assert.deepPropertyVal(Payload.jsonSchema("alert"), "additionalProperties", true)
    assert.deepPropertyVal(Payload.jsonSchema("mdm"), "additionalProperties", false)
  })
})

describe("truncate", () => {
  const size = (notification: Notification.Notification) =>
    Either.getOrThrow(Notification.prepare(notification)).body.length

  it("unchanged if it fits, has no literal body, or cannot fit", () => {
    const fits = Notification.alert({ alert: "short" })
    const localized = Notification.alert({ alert: { body: Notification.localized("K", ["x".repeat(5000)]) } })
    const bodyless = Notification.alert({ alert: { title: "x".repeat(5000) } })
    const hopeless = Notification.alert({ alert: "short", custom: { big: "x".repeat(5000) } })
    const wrong = Notification.alert({ alert: "x".repeat(5000), badge: -1 })
    for (const notification of [fits, localized, bodyless, hopeless, wrong]) {
      assert.strictEqual(Notification.truncate(notification), notification)
    }
  })

  it("fills the limit to the last byte", () => {
    const cut = Notification.truncate(Notification.alert({ alert: { title: "t", body: "x".repeat(5000) }, badge: 1 }))
    assert.strictEqual(size(cut), 4096)
    assert.strictEqual(size(Notification.truncate(Notification.voip({ alert: "x".repeat(6000) }))), 5120)
    assert.isTrue(text(cut).includes("x\u2026\""))
    assert.strictEqual(cut.badge, 1)
  })

  it("never cuts inside a grapheme", () => {
    const family = "\ud83d\udc68\u200d\ud83d\udc69\u200d\ud83d\udc67"
    for (let pad = 0; pad < 20; pad++) {
      const cut = Notification.truncate(Notification.alert({ alert: "a".repeat(pad) + family.repeat(400) }))
      const body = typeof cut.alert === "string" ? cut.alert : ""
      assert.match(body, new RegExp(`^a{${pad}}(?:${family})+\u2026$`, "u"))
      assert.isAtMost(size(cut), 4096)
    }
  })

  it("counts what JSON escapes", () => {
    for (const unit of ["\"", "\\", "\nz", "\u0001", "\ud800", "\u00e9", "\u20ac", "\ud83d\ude00"]) {
      const cut = Notification.truncate(Notification.alert({ alert: `a${unit.repeat(5000)}` }), { ellipsis: "~" })
      const bytes = size(cut)
      assert.isAtMost(bytes, 4096)
      assert.isAbove(bytes, 4096 - 8, JSON.stringify(unit))
    }
  })

  it("any text and ellipsis -> fits", () => {
    FastCheck.assert(FastCheck.property(
      FastCheck.string({ unit: "binary", minLength: 1, maxLength: 20 }),
      FastCheck.string({ unit: "grapheme", minLength: 1, maxLength: 20 }),
      FastCheck.string({ maxLength: 5 }),
      FastCheck.nat(4050),
      (binary, graphemes, ellipsis, title) => {
        const body = (binary + graphemes).repeat(400)
        const cut = Notification.truncate(Notification.alert({ alert: { title: "t".repeat(title), body } }), {
          ellipsis
        })
        assert.isAtMost(size(cut), 4096)
        const kept = typeof cut.alert === "object" && typeof cut.alert.body === "string"
          ? cut.alert.body
          : assert.fail()
        assert.isTrue(kept === "" || kept === body || kept.endsWith(ellipsis))
        assert.isTrue(kept === body || body.startsWith(kept.slice(0, Math.max(0, kept.length - ellipsis.length))))
      }
    ))
  })
})
