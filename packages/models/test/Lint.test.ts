import { Lint, Notification } from "@effect-apns/models"
import { assert, describe, it } from "@effect/vitest"
import { DateTime, FastCheck } from "effect"

const now = DateTime.unsafeMake("2026-01-15T00:00:00Z")
const seconds = now.epochMillis / 1000
const token = "/3/device/" + "0123456789abcdef".repeat(4)
const broadcastPath = "/4/broadcasts/apps/com.example.app"

const goodHeaders = { "apns-push-type": "alert", "apns-topic": "com.example.app" }
const activityHeaders = {
  "apns-push-type": "liveactivity",
  "apns-topic": "com.example.app.push-type.liveactivity",
  "apns-priority": "10"
}
const backgroundHeaders = { "apns-push-type": "background", "apns-topic": "com.example.app", "apns-priority": "5" }
const broadcastHeaders = {
  "apns-push-type": "liveactivity",
  "apns-priority": "10",
  "apns-expiration": "0",
  "apns-channel-id": "dHN0LXNyY2gtY2hubA=="
}
const state = { event: "update", timestamp: seconds, "content-state": { score: 1 } }
const start = {
  ...state,
  event: "start",
  "attributes-type": "Match",
  attributes: { home: "A" },
  alert: { title: "Kick-off", body: "Now" }
}

const ruled = (input: Lint.Input): ReadonlyArray<string> =>
  Lint.lint({ now, ...input }).map(({ key, rule }) => `${rule} ${key}`)

const alert = (aps: unknown, headers: Record<string, string | undefined> = goodHeaders): ReadonlyArray<string> =>
  ruled({ payload: { aps }, headers, path: token })

const activity = (aps: unknown, headers: Record<string, string | undefined> = activityHeaders) =>
  ruled({ payload: { aps }, headers, path: token })

const background = (aps: unknown, headers: Record<string, string | undefined> = backgroundHeaders) =>
  ruled({ payload: { aps }, headers, path: token })

const typed = (pushType: string, payload: unknown, headers: Record<string, string> = {}) =>
  ruled({ payload, path: token, headers: { "apns-push-type": pushType, "apns-topic": "com.example.app", ...headers } })

const broadcast = (aps: unknown, headers: Record<string, string | undefined> = broadcastHeaders) =>
  ruled({ payload: { aps }, headers, path: broadcastPath })

describe("Lint", () => {
  describe("valid pushes -> no findings", () => {
    const good: ReadonlyArray<readonly [string, Lint.Input]> = [
      ["an alert", {
        payload: {
          aps: {
            alert: { title: "Lunch", subtitle: "At noon", body: "Jenna invites you" },
            badge: 0,
            sound: "default",
            "thread-id": "lunch",
            category: "INVITE",
            "interruption-level": "time-sensitive",
            "relevance-score": 0.5,
            "target-content-id": "lunch",
            "filter-criteria": "work"
          },
          orderId: 7
        },
        headers: { ...goodHeaders, "apns-priority": "10", "apns-expiration": String(seconds + 60) }
      }],
      ["an alert that is a string", { payload: { aps: { alert: "Lunch" } }, headers: goodHeaders }],
      ["a localized alert", {
        payload: { aps: { alert: { "title-loc-key": "LUNCH", "loc-key": "INVITE", "loc-args": ["Jenna"] } } },
        headers: goodHeaders
      }],
      ["a badge alone", { payload: { aps: { badge: 3 } }, headers: goodHeaders }],
      ["a critical sound", {
        payload: { aps: { alert: "!", sound: { critical: 1, name: "default", volume: 1 } } },
        headers: goodHeaders
      }],
      ["an alert for a service extension", {
        payload: { aps: { alert: "x", "mutable-content": 1 } },
        headers: goodHeaders
      }],
      ["a background push", { payload: { aps: { "content-available": 1 }, id: 7 }, headers: backgroundHeaders }],
      ["the start of a Live Activity", { payload: { aps: start }, headers: activityHeaders }],
      ["an update of a Live Activity", {
        payload: { aps: { ...state, "stale-date": seconds + 60, "relevance-score": 75 } },
        headers: activityHeaders
      }],
      ["the end of a Live Activity", {
        payload: { aps: { ...state, event: "end", "dismissal-date": seconds + 60 } },
        headers: activityHeaders
      }],
      ["a broadcast", { payload: { aps: state }, headers: broadcastHeaders, path: broadcastPath }],
      ["a call", {
        payload: { caller: "Jenna" },
        headers: { "apns-push-type": "voip", "apns-topic": "com.example.app.voip", "apns-expiration": "0" }
      }],
      ["a push-to-talk push", {
        payload: { activeSpeaker: "Jenna" },
        headers: { "apns-push-type": "pushtotalk", "apns-topic": "com.example.app.voip-ptt" }
      }],
      ["a widgets push", {
        payload: { aps: { "content-changed": true } },
        headers: { "apns-push-type": "widgets", "apns-topic": "com.example.app.push-type.widgets" }
      }],
      ["a controls push", {
        payload: { aps: { "content-changed": true } },
        headers: { "apns-push-type": "controls", "apns-topic": "com.example.app.push-type.controls" }
      }],
      ["a fileprovider push", {
        payload: { "container-identifier": "NSFileProviderWorkingSetContainerItemIdentifier", domain: "d" },
        headers: { "apns-push-type": "fileprovider", "apns-topic": "com.example.app.pushkit.fileprovider" }
      }],
      ["an mdm push", {
        payload: { mdm: "magic" },
        headers: { "apns-push-type": "mdm", "apns-topic": "com.apple.mgmt.External.1" }
      }]
    ]
    for (const [name, input] of good) {
      it(name, () => assert.deepStrictEqual(Lint.lint({ path: token, now, ...input }), []))
      it(`${name}, headers unknown`, () => {
        const { headers, path, payload } = input
        assert.deepStrictEqual(Lint.lint({ payload, path, now, pushType: headers?.["apns-push-type"] }), [])
      })
    }
  })

  describe("body", () => {
    it("is empty", () => {
      assert.deepStrictEqual(ruled({ payload: "", headers: goodHeaders }), ["body-empty body"])
      assert.deepStrictEqual(ruled({ payload: new Uint8Array(), headers: goodHeaders }), ["body-empty body"])
      assert.deepStrictEqual(ruled({ payload: undefined }), ["body-empty body"])
    })
    it("is not JSON, as text or as bytes, or not UTF-8", () => {
      assert.deepStrictEqual(ruled({ payload: "{aps:1}" }), ["body-not-json body"])
      assert.deepStrictEqual(ruled({ payload: new TextEncoder().encode("{") }), ["body-not-json body"])
      assert.deepStrictEqual(ruled({ payload: Uint8Array.of(0x22, 0xff, 0x22) }), ["body-not-json body"])
    })
    it("is not a dictionary", () => {
      for (const payload of ["[]", "7", "null", "\"x\"", "true"]) {
        assert.deepStrictEqual(ruled({ payload }), ["body-not-dictionary body"])
      }
    })
    const sized = (size: number): string => {
      const empty = JSON.stringify({ aps: { alert: "" } })
      return JSON.stringify({ aps: { alert: "x".repeat(size - empty.length) } })
    }
    for (
      const [limit, headers, path] of [
        [4096, goodHeaders, token],
        [5120, { ...goodHeaders, "apns-push-type": "voip", "apns-topic": "com.example.app.voip" }, token]
      ] as const
    ) {
      it(`of ${limit} bytes is near the limit from nine tenths on and over it one byte later`, () => {
        const small = Math.ceil(limit * 0.9) - 1
        assert.deepStrictEqual(ruled({ payload: sized(small), headers, path }), [])
        assert.deepStrictEqual(ruled({ payload: sized(small + 1), headers, path }), ["body-near-limit body"])
        assert.deepStrictEqual(ruled({ payload: sized(limit), headers, path }), ["body-near-limit body"])
        assert.deepStrictEqual(ruled({ payload: sized(limit + 1), headers, path }), ["body-too-large body"])
      })
    }
    it("of a broadcast may have 5120 bytes", () => {
      const of = (size: number) => ({ aps: { ...state, "content-state": { text: "x".repeat(size) } } })
      const room = 5120 - JSON.stringify(of(0)).length
      assert.deepStrictEqual(ruled({ payload: of(room), headers: broadcastHeaders, path: broadcastPath }), [
        "body-near-limit body"
      ])
      assert.deepStrictEqual(ruled({ payload: of(room + 1), headers: broadcastHeaders, path: broadcastPath }), [
        "body-too-large body"
      ])
    })
    it("is counted in bytes of UTF-8", () => {
      assert.deepStrictEqual(ruled({ payload: { aps: { alert: "é".repeat(2040) } } }), ["body-too-large body"])
    })
  })

  describe("headers", () => {
    const withHeaders = (headers: Record<string, string | undefined>) => alert({ alert: "x" }, headers)
    it("without a push type", () => {
      assert.deepStrictEqual(withHeaders({ "apns-topic": "com.example.app" }), ["push-type-missing apns-push-type"])
    })
    it("with an unknown push type, and which one was meant", () => {
      const [finding] = Lint.lint({
        payload: { aps: { alert: "x" } },
        headers: { ...goodHeaders, "apns-push-type": "live-activity" }
      })
      assert.strictEqual(finding?.rule, "push-type-unknown")
      assert.include(finding?.why, "Was liveactivity meant?")
    })
    it("without a topic", () => {
      assert.deepStrictEqual(withHeaders({ "apns-push-type": "alert" }), ["topic-missing apns-topic"])
    })
    for (
      const [pushType, suffix] of [
        ["voip", ".voip"],
        ["complication", ".complication"],
        ["fileprovider", ".pushkit.fileprovider"],
        ["liveactivity", ".push-type.liveactivity"],
        ["location", ".location-query"],
        ["pushtotalk", ".voip-ptt"],
        ["widgets", ".push-type.widgets"],
        ["controls", ".push-type.controls"]
      ] as const
    ) {
      it(`a ${pushType} push without the topic's suffix ${suffix}, with it twice, or with another`, () => {
        const topics = (topic: string) =>
          typed(pushType, { x: 1 }, { "apns-topic": topic }).filter((rule) => rule.endsWith("apns-topic"))
        assert.deepStrictEqual(topics("com.example.app"), ["topic-suffix apns-topic"])
        assert.deepStrictEqual(topics(`com.example.app${suffix}`), [])
        assert.deepStrictEqual(topics(`com.example.app${suffix}${suffix}`), ["topic-suffix apns-topic"])
        assert.deepStrictEqual(topics(`com.example.app${suffix === ".voip" ? ".complication" : ".voip"}`), [
          "topic-suffix apns-topic"
        ])
      })
    }
    it("an alert to the topic of another push type", () => {
      assert.deepStrictEqual(withHeaders({ ...goodHeaders, "apns-topic": "com.example.app.voip" }), [
        "topic-suffix apns-topic"
      ])
    })
    it("the finding names the right topic", () => {
      const [finding] = Lint.lint({
        payload: { aps: state },
        headers: { ...activityHeaders, "apns-topic": "com.example.app.voip" },
        path: token
      })
      assert.include(finding?.why, "com.example.app.push-type.liveactivity")
    })
    for (const priority of ["", "0", "2", "11", "high", "10.0"]) {
      it(`priority "${priority}"`, () =>
        assert.deepStrictEqual(withHeaders({ ...goodHeaders, "apns-priority": priority }), [
          "priority-invalid apns-priority"
        ]))
    }
    it("a background push of priority 10, 1, or none, which means 10", () => {
      const aps = { "content-available": 1 }
      for (const priority of ["10", "1", undefined]) {
        assert.deepStrictEqual(background(aps, { ...backgroundHeaders, "apns-priority": priority }), [
          "background-priority apns-priority"
        ])
      }
    })
    it("a priority that the push type does not have", () => {
      assert.deepStrictEqual(activity(state, { ...activityHeaders, "apns-priority": "1" }), [
        "priority-not-allowed apns-priority"
      ])
    })
    for (const expiration of ["", "-1", "soon", "1.5"]) {
      it(`expiration "${expiration}"`, () =>
        assert.deepStrictEqual(withHeaders({ ...goodHeaders, "apns-expiration": expiration }), [
          "expiration-invalid apns-expiration"
        ]))
    }
    it("an expiration in milliseconds", () => {
      assert.deepStrictEqual(withHeaders({ ...goodHeaders, "apns-expiration": String(now.epochMillis) }), [
        "expiration-milliseconds apns-expiration"
      ])
    })
    it("an expiration that is over; 0 and the future are not, and nothing is when the time is unknown", () => {
      const at = (expiration: number) => ({ ...goodHeaders, "apns-expiration": String(expiration) })
      assert.deepStrictEqual(withHeaders(at(seconds)), ["expired apns-expiration"])
      assert.deepStrictEqual(withHeaders(at(1)), ["expired apns-expiration"])
      assert.deepStrictEqual(withHeaders(at(0)), [])
      assert.deepStrictEqual(withHeaders(at(seconds + 1)), [])
      assert.deepStrictEqual(Lint.lint({ payload: { aps: { alert: "x" } }, headers: at(1) }), [])
    })
    it("now as a DateTime, a Date or milliseconds -> the same findings", () => {
      const headers = { ...goodHeaders, "apns-expiration": "1" }
      const given: ReadonlyArray<unknown> = [now, DateTime.toDate(now), now.epochMillis]
      for (const time of given) {
        const input = Object.assign({ payload: { aps: { alert: "x" } }, headers }, { now: time })
        const found: unknown = Reflect.apply(Lint.lint, undefined, [input])
        assert.include(JSON.stringify(found), "\"expired\"", String(time))
      }
    })
    it("a call that may ring too late", () => {
      const headers = { "apns-topic": "com.example.app.voip", "apns-expiration": String(seconds + 3600) }
      assert.deepStrictEqual(typed("voip", {}, headers), ["voip-expiration apns-expiration"])
    })
    it("a collapse id over 64 bytes", () => {
      const collapse = (id: string) => withHeaders({ ...goodHeaders, "apns-collapse-id": id })
      assert.deepStrictEqual(collapse("x".repeat(64)), [])
      assert.deepStrictEqual(collapse("x".repeat(65)), ["collapse-id-too-long apns-collapse-id"])
      assert.deepStrictEqual(collapse("é".repeat(33)), ["collapse-id-too-long apns-collapse-id"])
    })
    it("an apns-id that is no UUID", () => {
      assert.deepStrictEqual(withHeaders({ ...goodHeaders, "apns-id": "7" }), ["id-invalid apns-id"])
    })
    it("names in any case", () => {
      assert.deepStrictEqual(
        ruled({
          payload: { aps: { alert: "x" } },
          headers: { "Apns-Push-Type": "alert", "APNS-Topic": "com.example.app" }
        }),
        []
      )
    })
    it("a device token that is not hexadecimal", () => {
      for (const path of ["/3/device/", "/3/device/xyz", "/3/device/abc", "/3/device/<ab cd>"]) {
        assert.deepStrictEqual(ruled({ payload: { aps: { alert: "x" } }, headers: goodHeaders, path }), [
          "device-token path"
        ])
      }
    })
  })

  describe("aps", () => {
    it("is missing, misspelt, or no dictionary", () => {
      assert.deepStrictEqual(ruled({ payload: { alert: "x" }, headers: goodHeaders }), [
        "aps-missing aps",
        "misplaced-key alert"
      ])
      const [finding] = Lint.lint({ payload: { APS: { alert: "x" } }, headers: goodHeaders })
      assert.include(finding?.why, "\"APS\"")
      for (const aps of [[], 7, null, "x"]) {
        assert.deepStrictEqual(ruled({ payload: { aps }, headers: goodHeaders }), ["wrong-type aps"])
      }
    })
    for (
      const [name, guess] of [
        ["treadId", "thread-id"],
        ["threadId", "thread-id"],
        ["content_available", "content-available"],
        ["contentAvailable", "content-available"],
        ["interuption-level", "interruption-level"],
        ["Badge", "badge"]
      ] as const
    ) {
      it(`knows that ${name} was meant to be ${guess}`, () => {
        const findings = Lint.lint({ payload: { aps: { alert: "x", [name]: 1 } }, headers: goodHeaders })
        assert.deepStrictEqual(findings.map(({ rule }) => rule), ["unknown-key"])
        assert.include(findings[0]?.why, `"${guess}"`)
      })
    }
    it("holds a key of the app's own", () => {
      const [finding] = Lint.lint({ payload: { aps: { alert: "x", orderId: 7 } }, headers: goodHeaders })
      assert.strictEqual(finding?.key, "aps.orderId")
      assert.include(finding?.why, "beside aps")
    })
    it("holds title and body, which belong in alert", () => {
      const [title, body] = Lint.lint({ payload: { aps: { badge: 1, title: "x", body: "y" } }, headers: goodHeaders })
      assert.include(title?.why, "aps.alert")
      assert.include(body?.why, "aps.alert")
    })
    it("holds keys of a Live Activity in an alert push", () => {
      const rules = alert({ alert: "x", ...state })
      assert.include(rules, "push-type-mismatch apns-push-type")
    })
    it("has keys that Apple lists no more", () => {
      const findings = Lint.lint({
        payload: { aps: { alert: { body: "x", "action-loc-key": "OPEN", "summary-arg": "y" }, "url-args": [] } },
        headers: goodHeaders
      })
      assert.deepStrictEqual(findings.map(({ rule, severity }) => `${severity} ${rule}`), [
        "info legacy-key",
        "info legacy-key",
        "info legacy-key"
      ])
    })
    for (const badge of ["3", null, true, [], {}]) {
      it(`a badge of ${JSON.stringify(badge)}`, () =>
        assert.deepStrictEqual(alert({ badge }), ["wrong-type aps.badge"]))
    }
    for (const badge of [-1, 1.5]) {
      it(`a badge of ${badge}`, () => assert.deepStrictEqual(alert({ badge }), ["badge aps.badge"]))
    }
    for (const name of ["thread-id", "category", "target-content-id", "filter-criteria"]) {
      it(`${name} that is no string`, () =>
        assert.deepStrictEqual(alert({ alert: "x", [name]: 7 }), [`wrong-type aps.${name}`]))
    }
    for (const name of ["content-available", "mutable-content"]) {
      it(`${name} that is not 1`, () => {
        for (const value of [true, "1", 2, null]) {
          assert.include(alert({ alert: "x", [name]: value }), `flag aps.${name}`)
        }
        const [off] = Lint.lint({ payload: { aps: { alert: "x", [name]: 0 } }, headers: goodHeaders })
        assert.strictEqual(off?.severity, "warning")
      })
    }
    for (const level of ["timeSensitive", "", 1, null, "urgent"]) {
      it(`an interruption level of ${JSON.stringify(level)}`, () =>
        assert.deepStrictEqual(alert({ alert: "x", "interruption-level": level }), [
          "interruption-level aps.interruption-level"
        ]))
    }
    it("a relevance score outside 0 to 1, which only a Live Activity may have", () => {
      for (const score of [-0.1, 1.1, 75]) {
        assert.deepStrictEqual(alert({ alert: "x", "relevance-score": score }), ["relevance-score aps.relevance-score"])
        assert.deepStrictEqual(activity({ ...state, "relevance-score": score }), [])
      }
      assert.deepStrictEqual(alert({ alert: "x", "relevance-score": "1" }), ["wrong-type aps.relevance-score"])
    })
    it("a service extension that has no alert to change", () => {
      assert.deepStrictEqual(alert({ badge: 1, "mutable-content": 1 }), ["mutable-without-alert aps.mutable-content"])
    })
    it("an alert that wakes the app as well", () => {
      assert.deepStrictEqual(alert({ alert: "x", "content-available": 1 }), [
        "alert-and-content-available aps.content-available"
      ])
    })
    it("a passive notification with a sound", () => {
      assert.deepStrictEqual(alert({ alert: "x", sound: "default", "interruption-level": "passive" }), [
        "passive-sound aps.sound"
      ])
    })
    it("keys that belong in aps beside it", () => {
      assert.deepStrictEqual(ruled({ payload: { aps: { alert: "x" }, badge: 1, sound: "x" }, headers: goodHeaders }), [
        "misplaced-key badge",
        "misplaced-key sound"
      ])
    })
  })

  describe("alert", () => {
    it("is of the wrong type", () => {
      for (const value of [7, null, [], true]) {
        assert.deepStrictEqual(alert({ alert: value }), ["wrong-type aps.alert"])
      }
    })
    it("says nothing", () => {
      for (const value of ["", {}, { title: "" }]) {
        assert.deepStrictEqual(alert({ alert: value }), ["alert-empty aps.alert"])
      }
    })
    it("has a key that belongs in aps", () => {
      const [finding] = Lint.lint({ payload: { aps: { alert: { body: "x", badge: 1 } } }, headers: goodHeaders })
      assert.strictEqual(finding?.key, "aps.alert.badge")
      assert.include(finding?.why, "in aps")
    })
    it("has text that is no string", () => {
      assert.deepStrictEqual(alert({ alert: { title: 7, body: {} } }), [
        "wrong-type aps.alert.title",
        "wrong-type aps.alert.body"
      ])
    })
    it("has arguments that are no strings, or no key for them, or both a literal and a key", () => {
      assert.deepStrictEqual(alert({ alert: { "loc-key": "X", "loc-args": [7] } }), ["wrong-type aps.alert.loc-args"])
      assert.deepStrictEqual(alert({ alert: { body: "x", "loc-args": ["a"] } }), [
        "loc-args-without-key aps.alert.loc-args"
      ])
      assert.deepStrictEqual(alert({ alert: { title: "x", "title-loc-key": "X" } }), [
        "literal-and-localized aps.alert.title"
      ])
    })
  })

  describe("sound", () => {
    for (const sound of [7, null, []]) {
      it(`is ${JSON.stringify(sound)}`, () => assert.deepStrictEqual(alert({ sound }), ["wrong-type aps.sound"]))
    }
    it("is empty", () => assert.deepStrictEqual(alert({ sound: "" }), ["sound-empty aps.sound"]))
    for (const volume of [-0.1, 1.1, 100]) {
      it(`has the volume ${volume}`, () =>
        assert.deepStrictEqual(alert({ sound: { name: "x", volume } }), ["sound-volume aps.sound.volume"]))
    }
    it("has the wrong types, an unknown key, or no name", () => {
      assert.deepStrictEqual(alert({ sound: { name: 7, volume: "1", critical: true, loud: 1 } }), [
        "wrong-type aps.sound.name",
        "flag aps.sound.critical",
        "wrong-type aps.sound.volume",
        "unknown-key aps.sound.loud"
      ])
      assert.deepStrictEqual(alert({ sound: { critical: 1 } }), ["sound-name aps.sound.name"])
    })
  })

  describe("push type and payload do not match", () => {
    it("a background push that shows something", () => {
      assert.deepStrictEqual(background({ "content-available": 1, alert: "x", badge: 1, sound: "x" }), [
        "push-type-mismatch aps.alert",
        "push-type-mismatch aps.badge",
        "push-type-mismatch aps.sound"
      ])
    })
    it("a background push without content-available", () => {
      assert.deepStrictEqual(background({}), ["background-content-available aps.content-available"])
    })
    it("an alert push that only wakes the app", () => {
      assert.deepStrictEqual(alert({ "content-available": 1 }), ["push-type-mismatch apns-push-type"])
    })
    it("an alert push that shows nothing", () => {
      assert.deepStrictEqual(alert({ "thread-id": "x" }), ["alert-shows-nothing aps"])
    })
    it("widgets without content-changed, with another value, or as an alert", () => {
      const topic = { "apns-topic": "com.example.app.push-type.widgets" }
      assert.deepStrictEqual(typed("widgets", { aps: {} }, topic), ["content-changed-missing aps.content-changed"])
      assert.deepStrictEqual(typed("widgets", { aps: { "content-changed": 1 } }, topic), [
        "wrong-type aps.content-changed"
      ])
      assert.include(alert({ "content-changed": true }), "push-type-mismatch apns-push-type")
    })
    it("mdm with aps, without its key, or as an alert", () => {
      assert.deepStrictEqual(typed("mdm", { mdm: "x", aps: {} }), ["mdm-key aps"])
      assert.deepStrictEqual(typed("mdm", {}), ["mdm-missing mdm"])
      assert.include(typed("alert", { mdm: "x" }), "push-type-mismatch apns-push-type")
    })
    it("fileprovider without its keys", () => {
      const topic = { "apns-topic": "com.example.app.pushkit.fileprovider" }
      assert.deepStrictEqual(typed("fileprovider", { domain: 7 }, topic), [
        "fileprovider-key-missing container-identifier",
        "wrong-type domain"
      ])
    })
  })

  describe("Live Activity", () => {
    for (const name of ["event", "timestamp", "content-state"] as const) {
      it(`without ${name}`, () => {
        const { [name]: _, ...rest } = state
        assert.include(activity(rest), `activity-key-missing aps.${name}`)
      })
    }
    for (const name of ["attributes-type", "attributes", "alert"] as const) {
      it(`a start without ${name}`, () => {
        const { [name]: _, ...rest } = start
        assert.deepStrictEqual(activity(rest), [`activity-key-missing aps.${name}`])
      })
    }
    it("an end without a last state is worth knowing", () => {
      const [finding] = Lint.lint({ payload: { aps: { event: "end", timestamp: seconds } }, headers: activityHeaders })
      assert.strictEqual(finding?.severity, "info")
    })
    for (const name of ["timestamp", "stale-date", "dismissal-date"]) {
      it(`${name} in milliseconds, or as a string`, () => {
        const ended = { ...state, event: "end" }
        assert.deepStrictEqual(activity({ ...ended, [name]: now.epochMillis }), [`milliseconds aps.${name}`])
        assert.deepStrictEqual(activity({ ...ended, [name]: String(seconds) }), [`wrong-type aps.${name}`])
      })
    }
    it("an unknown event", () => {
      assert.deepStrictEqual(activity({ ...state, event: "begin" }), ["activity-event aps.event"])
    })
    it("a state or attributes that are no dictionary", () => {
      assert.deepStrictEqual(activity({ ...state, "content-state": "x" }), ["wrong-type aps.content-state"])
      assert.deepStrictEqual(activity({ ...start, attributes: [] }), ["wrong-type aps.attributes"])
    })
    it("a dismissal date before the end, or far away", () => {
      assert.deepStrictEqual(activity({ ...state, "dismissal-date": seconds }), [
        "activity-dismissal aps.dismissal-date"
      ])
      assert.deepStrictEqual(activity({ ...state, event: "end", "dismissal-date": seconds + 5 * 3600 }), [
        "activity-dismissal aps.dismissal-date"
      ])
    })
    it("a stale date in the past", () => {
      assert.deepStrictEqual(activity({ ...state, "stale-date": seconds }), ["activity-stale aps.stale-date"])
    })
    it("a sound beside its alert, and an alert that is a string", () => {
      assert.deepStrictEqual(activity({ ...state, sound: "default" }), ["activity-sound aps.sound"])
      assert.deepStrictEqual(activity({ ...state, alert: "x" }), ["wrong-type aps.alert"])
    })
    it("an alert of localized texts", () => {
      assert.deepStrictEqual(activity({ ...state, alert: { title: { "loc-key": "X" }, body: "y", sound: "z" } }), [])
      assert.deepStrictEqual(activity({ ...state, alert: { title: {} } }), ["wrong-type aps.alert.title"])
    })
    it("attributes in an update", () => {
      assert.deepStrictEqual(activity({ ...start, event: "update" }), [
        "activity-attributes aps.attributes",
        "activity-attributes aps.attributes-type"
      ])
    })
  })

  describe("broadcast", () => {
    for (
      const [name, rule] of [
        ["apns-push-type", "push-type-missing"],
        ["apns-priority", "priority-missing"],
        ["apns-expiration", "expiration-missing"],
        ["apns-channel-id", "channel-id-missing"]
      ] as const
    ) {
      it(`without ${name}`, () => {
        const { [name]: _, ...rest } = broadcastHeaders
        assert.deepStrictEqual(broadcast(state, rest), [`${rule} ${name}`])
      })
    }
    it("that starts an activity", () => {
      assert.deepStrictEqual(broadcast(start), ["broadcast-start aps.event"])
    })
    it("of another push type", () => {
      assert.include(
        broadcast(state, { ...broadcastHeaders, "apns-push-type": "alert" }),
        "broadcast-push-type apns-push-type"
      )
    })
    it("with the suffix of a push type in its path", () => {
      assert.deepStrictEqual(
        ruled({ payload: { aps: state }, headers: broadcastHeaders, path: `${broadcastPath}.push-type.liveactivity` }),
        ["broadcast-bundle-id path"]
      )
    })
    it("with headers that it does not take", () => {
      assert.deepStrictEqual(
        broadcast(state, { ...broadcastHeaders, "apns-topic": "com.example.app", "apns-collapse-id": "x" }),
        ["broadcast-topic apns-topic", "broadcast-collapse-id apns-collapse-id"]
      )
    })
  })

  it("puts the most serious first", () => {
    const severities = Lint.lint({
      payload: { aps: { alert: { body: "x", "summary-arg": "y" }, foo: 1, badge: "3" } },
      headers: goodHeaders
    }).map(({ severity }) => severity)
    assert.deepStrictEqual(severities, ["error", "warning", "info"])
  })

  it("names a page of Apple's with its address in every finding", () => {
    for (const finding of Lint.lint({ payload: { aps: { badge: "3", foo: 1 }, alert: 1 }, headers: {}, now })) {
      assert.match(finding.url, /^https:\/\/developer\.apple\.com\/documentation\/[a-z]+\/[a-z-]+$/)
      assert.isAbove(finding.page.length, 10)
      assert.match(finding.what, /[.?]$/)
      assert.match(finding.why, /[.?]$/)
    }
  })

  it("escapes control characters, bounds its texts and the number of findings", () => {
    const name = "\u001b[2J\u202e" + "x".repeat(10_000)
    const aps = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`${name}${i}`, i]))
    const findings = Lint.lint({ payload: { aps }, headers: { ...goodHeaders, "apns-topic": name } })
    assert.isAtMost(findings.length, 100)
    for (const { key, what, why } of findings) {
      // eslint-disable-next-line no-control-regex
      for (const text of [key, what, why]) assert.notMatch(text, /[\u0000-\u001f\u202e]/)
      assert.isBelow(key.length, 3000)
    }
  })

  it("any input -> never throws", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.jsonValue(),
        FastCheck.dictionary(FastCheck.string(), FastCheck.string()),
        FastCheck.constantFrom(...["alert", "background", "liveactivity", "widgets", "mdm", "fileprovider", "x"]),
        (aps, headers, pushType) => {
          for (const payload of [aps, { aps }, { aps: { alert: aps, sound: aps, event: aps, timestamp: aps } }]) {
            Lint.lint({ payload, headers: { ...headers, "apns-push-type": pushType }, now })
          }
        }
      )
    )
    const circular: Record<string, unknown> = {}
    circular["aps"] = circular
    for (const payload of [circular, Symbol("x"), () => 1, 1n, new Proxy({}, {})]) Lint.lint({ payload })
  })

  it("hasErrors", () => {
    assert.isTrue(Lint.hasErrors(Lint.lint({ payload: "" })))
    assert.isFalse(Lint.hasErrors(Lint.lint({ payload: { aps: { alert: "x", foo: 1 } } })))
  })
})

describe("Notification.lint", () => {
  it("a valid notification -> no findings; the default priority is known", () => {
    assert.deepStrictEqual(
      Notification.lint(Notification.background(), { headers: { "apns-topic": "com.example.app" } }),
      []
    )
    assert.deepStrictEqual(Notification.lint(Notification.alert({ alert: "x" })), [])
  })
  it("compares the headers with the notification", () => {
    const findings = Notification.lint(Notification.voip({ custom: { id: 1 } }), {
      headers: { "apns-topic": "com.example.app" }
    })
    assert.deepStrictEqual(findings.map(({ rule }) => rule), ["topic-suffix"])
  })
  it("cannot be encoded -> a finding with the path", () => {
    const [finding] = Notification.lint(Notification.alert({ badge: -1 }))
    assert.strictEqual(finding?.rule, "not-encodable")
    assert.strictEqual(finding?.key, "badge")
  })
  it("too large -> a finding", () => {
    const [finding] = Notification.lint(Notification.alert({ alert: "x".repeat(5000) }))
    assert.strictEqual(finding?.rule, "body-too-large")
  })
  it("looks into raw payloads", () => {
    const raw = Notification.raw({ pushType: "alert", payload: { aps: { treadId: "x" } } })
    assert.include(Notification.lint(raw).map(({ rule }) => rule), "unknown-key")
  })
  it("allows a broadcast its 5120 bytes", () => {
    const update = Notification.liveActivity.update({ timestamp: 1, contentState: { text: "x".repeat(4500) } })
    assert.deepStrictEqual(Notification.lint(update).map(({ rule }) => rule), ["body-too-large"])
    assert.deepStrictEqual(Notification.lint(update, { path: broadcastPath }), [])
  })
})
