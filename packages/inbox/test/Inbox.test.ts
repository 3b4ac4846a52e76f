import { Credentials } from "@effect-apns/core"
import { Inbox, InboxApi, InboxClient, Strings } from "@effect-apns/inbox"
import { Notification } from "@effect-apns/models"
import { ApnsPool, send } from "@effect-apns/pool"
import type { Behavior } from "@effect-apns/testing"
import { MockApns } from "@effect-apns/testing"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Either, Equal, Fiber, Redacted, Schema, TestClock } from "effect"
import { request } from "node:http"
import { demo, other, token } from "./utils/demo.js"

const topic = "com.example.app"

const alert = (inbox: Inbox.Inbox, text: string, options: Partial<Parameters<Inbox.Inbox["send"]>[0]> = {}) =>
  inbox.send({ token, topic, pushType: "alert", payload: { aps: { alert: text } }, ...options })

const poolTo = (mock: MockApns.MockApns, size = 1) =>
  Effect.gen(function*() {
    const { key, keyId, teamId } = mock.credentials
    const credentials = yield* Credentials.token({ key: Redacted.make(key), keyId, teamId })
    return yield* ApnsPool.make({ endpoint: mock.endpoint, ca: mock.ca, credentials, topic, size })
  })

interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  readonly body: string
}

/** By `node:http`, which sends whichever Host and Origin it is told to. */
const ask = (
  inbox: Inbox.Inbox,
  path: string,
  options: { readonly method?: string; readonly headers?: Record<string, string>; readonly body?: string } = {}
) =>
  Effect.async<Reply, Error>((resume) => {
    const outgoing = request(
      { host: "127.0.0.1", port: inbox.port, path, method: options.method ?? "GET", headers: options.headers },
      (incoming) => {
        const pieces: Array<Buffer> = []
        incoming.on("data", (piece: Buffer) => pieces.push(piece))
        incoming.on("end", () =>
          resume(Effect.succeed({
            status: incoming.statusCode ?? 0,
            headers: incoming.headers,
            body: Buffer.concat(pieces).toString("utf8")
          })))
      }
    )
    outgoing.on("error", (error) => resume(Effect.fail(error)))
    outgoing.end(options.body)
    return Effect.sync(() => outgoing.destroy())
  })

describe("Inbox", () => {
  describe("the description of a push", () => {
    it.scopedLive("lists pushes newest first, with exact counts by outcome", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        yield* alert(inbox, "first")
        yield* inbox.answer({ reason: "Unregistered", times: 1 })
        yield* alert(inbox, "second")
        yield* alert(inbox, "third")
        const { counts, more, pushes } = yield* inbox.list()
        assert.deepStrictEqual(pushes.map(({ body, id, outcome }) => [id, body, outcome]), [
          [3, "third", "accepted"],
          [2, "second", "rejected"],
          [1, "first", "accepted"]
        ])
        assert.isFalse(more)
        assert.deepStrictEqual(counts, {
          total: 3,
          accepted: 2,
          rejected: 1,
          unanswered: 0,
          lost: 0,
          waiting: 0,
          kept: 3
        })
      }))

    it.scopedLive("shows each kind as a phone would", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        yield* demo(inbox)
        const { pushes } = yield* inbox.list()
        const of = (app: string) => pushes.filter((push) => push.app === app)
        const [boarding] = of("Travel")
        assert.strictEqual(boarding?.title, "Boarding at gate B42")
        assert.strictEqual(boarding?.subtitle, "Flight 1701 to Lisbon")
        assert.strictEqual(boarding?.level, "time-sensitive")
        assert.strictEqual(boarding?.badge, 2)
        assert.strictEqual(boarding?.sound, "default")
        assert.isAbove(boarding?.errors ?? 0, 0)
        assert.isAbove(boarding?.warnings ?? 0, 0)
        const [alarm] = of("Home Guard")
        assert.isTrue(alarm?.critical)
        assert.strictEqual(alarm?.sound, "alarm.caf")
        const [call] = of("Phone")
        assert.strictEqual(call?.kind, "voip")
        assert.strictEqual(call?.title, "Jenna Ortiz")
        assert.strictEqual(call?.limit, 5120)
        const [silent] = of("News")
        assert.strictEqual(silent?.kind, "background")
        assert.strictEqual(silent?.body, "edition: 7, refresh: headlines")
        const [parcel] = of("Parcel")
        assert.strictEqual(parcel?.reason, "Unregistered")
        assert.deepStrictEqual(of("Messages").map(({ threadId }) => threadId), ["lunch", "lunch", "lunch"])
        const [update, start] = of("Kickoff")
        assert.strictEqual(start?.activity?.event, "start")
        assert.strictEqual(update?.activity?.attributesType, "MatchAttributes")
        assert.strictEqual(update?.activity?.previous, start?.id)
        assert.deepStrictEqual(update?.activity?.changes, [
          { path: "minute", from: "1", to: "23" },
          { path: "score.home", from: "0", to: "1" }
        ])
      }))

    it.scopedLive("values removed from a Live Activity are listed, and its last state is kept when it ends", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        const push = (aps: Record<string, unknown>) =>
          inbox.send({ token, topic, pushType: "liveactivity", payload: { aps: { timestamp: 1, ...aps } } })
        yield* push({ event: "update", "content-state": { a: 1, b: { c: [1, 2] } } })
        yield* push({ event: "update", "content-state": { b: { c: [1, 3] } } })
        yield* push({ event: "end" })
        const { pushes: [end, second, first] } = yield* inbox.list()
        assert.deepStrictEqual(first?.activity?.changes, [{ path: "a", to: "1" }, { path: "b.c", to: "[1,2]" }])
        assert.deepStrictEqual(second?.activity?.changes, [
          { path: "b.c", from: "[1,2]", to: "[1,3]" },
          { path: "a", from: "1" }
        ])
        assert.deepStrictEqual(end?.activity?.changes, [])
        assert.deepStrictEqual(end?.activity?.state, [{ path: "b.c", value: "[1,3]" }])
      }))

    it.scopedLive("finds the push that a collapse id replaced, separately for each token and topic", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        yield* alert(inbox, "1", { collapseId: "x" })
        yield* alert(inbox, "2", { collapseId: "x", token: other })
        yield* alert(inbox, "3", { collapseId: "x", topic: "com.example.other" })
        yield* alert(inbox, "4", { collapseId: "x" })
        const { pushes } = yield* inbox.list()
        assert.deepStrictEqual(pushes.map(({ id, replacedBy, replaces }) => [id, replaces, replacedBy]), [
          [4, 1, undefined],
          [3, undefined, undefined],
          [2, undefined, undefined],
          [1, undefined, 4]
        ])
      }))

    it.scopedLive("fills in localized texts if the strings are known, otherwise shows the keys", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make({
          page: { strings: Strings.fromRecord({ INVITE: "%1$@ invites you to lunch with %2$@" }) }
        })
        const payload = {
          aps: { alert: { "title-loc-key": "TITLE", "loc-key": "INVITE", "loc-args": ["Jenna", "Frank"] } }
        }
        yield* inbox.send({ token, topic, pushType: "alert", payload })
        const { pushes: [push] } = yield* inbox.list()
        assert.strictEqual(push?.body, "Jenna invites you to lunch with Frank")
        assert.strictEqual(push?.title, "TITLE")
        assert.deepStrictEqual(push?.unresolved, ["TITLE"])
        assert.lengthOf((yield* inbox.list({ text: "jenna invites" })).pushes, 1)
      }))

    it.scopedLive("shows broadcasts and the management of channels", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        const sent = yield* inbox.send({
          topic,
          pushType: "broadcast",
          priority: 10,
          payload: { aps: { event: "update", timestamp: 1, "content-state": { a: 1 } } }
        })
        assert.strictEqual(sent.outcome, "accepted")
        const { pushes: [push] } = yield* inbox.list()
        assert.isTrue(push?.broadcast)
        assert.strictEqual(push?.kind, "liveactivity")
        assert.strictEqual(push?.topic, topic)
        assert.strictEqual(push?.limit, 5120)
        assert.strictEqual(push?.errors, 0)
        assert.isString(push?.channelId)
        assert.lengthOf((yield* inbox.list({ token: push?.channelId })).pushes, 1)
      }))

    it.scopedLive("gives everything about a push, without the signature of its provider token", () =>
      Effect.gen(function*() {
        const tokens: Array<string> = []
        const inbox = yield* Inbox.make({
          mock: { onRequest: ({ headers }) => void tokens.push(headers["authorization"] ?? "") }
        })
        yield* alert(inbox, "x", { payload: { aps: { alert: "x", treadId: "y" } } })
        const detail = yield* inbox.get(1)
        assert.strictEqual(detail.jwt?.header["kid"], inbox.mock.credentials.keyId)
        assert.strictEqual(detail.jwt?.claims["iss"], inbox.mock.credentials.teamId)
        // a token is as old as the window of time that processes share it in
        const old = (yield* Clock.currentTimeMillis) / 1000 - Number(detail.jwt?.claims["iat"])
        assert.closeTo(detail.jwt?.age ?? Infinity, old, 60)
        assert.deepStrictEqual(detail.findings.map(({ key }) => key), ["aps.treadId"])
        assert.strictEqual(detail.connection.id, 1)
        assert.strictEqual(detail.connection.streamId, 1)
        assert.match(detail.connection.tls ?? "", /^TLSv1/)
        assert.deepStrictEqual(detail.payload, { aps: { alert: "x", treadId: "y" } })
        assert.isAtLeast(detail.timing.took ?? -1, 0)
        const signature = tokens[0]?.split(".")[2] ?? ""
        assert.isAbove(signature.length, 80)
        for (const path of ["/api/pushes/1", "/api/pushes", "/api/pushes/next", "/api/info"]) {
          const { body, status } = yield* ask(inbox, path)
          assert.strictEqual(status, 200)
          assert.notInclude(body, signature)
        }
      }))

    it.scopedLive("an unknown id -> NoSuchPush", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        for (const id of [0, 1, -1, 1.5, NaN, Infinity]) {
          assert.strictEqual((yield* Effect.flip(inbox.get(id)))._tag, "NoSuchPush")
        }
      }))

    it.scopedLive("bodies and headers of every kind -> shown without an error", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make({ mock: { auth: "none" } })
        const deep = "[".repeat(2000) + "]".repeat(2000)
        const bodies = [
          "",
          "null",
          "[]",
          "{",
          "\u0000\uffff",
          deep,
          JSON.stringify({ aps: null }),
          JSON.stringify({
            aps: { alert: { title: [], body: {}, "loc-args": {}, "loc-key": "X" }, sound: [], badge: "1" }
          }),
          "{\"__proto__\":{\"x\":1},\"aps\":{\"__proto__\":7,\"constructor\":1,\"content-state\":{\"__proto__\":1}}}"
        ]
        const pool = yield* poolTo(inbox.mock)
        for (const pushType of ["alert", "background", "liveactivity", "voip", "mdm", "fileprovider"] as const) {
          for (const body of bodies) {
            yield* Effect.either(
              send({ token, topic, notification: Notification.raw({ pushType, payload: body }) }).pipe(
                Effect.provideService(ApnsPool.ApnsPool, pool)
              )
            )
          }
        }
        const { pushes } = yield* inbox.list({}, { limit: 1000 })
        assert.isAbove(pushes.length, 40)
        for (const { id } of pushes) {
          assert.strictEqual((yield* ask(inbox, `/api/pushes/${id}`)).status, 200)
        }
      }))
  })

  describe("how many it keeps", () => {
    it.scopedLive("keeps the newest and counts all", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make({ page: { keep: 10 } })
        const pool = yield* poolTo(inbox.mock)
        yield* Effect.forEach(
          Array.from({ length: 105 }, (_, i) => i),
          (i) =>
            send({ token, notification: Notification.alert({ alert: `push ${i}` }) }).pipe(
              Effect.provideService(ApnsPool.ApnsPool, pool)
            ),
          { concurrency: 20 }
        )
        const { counts, more, pushes } = yield* inbox.list()
        assert.strictEqual(counts.total, 105)
        assert.strictEqual(counts.accepted, 105)
        assert.strictEqual(counts.kept, 10)
        assert.deepStrictEqual(pushes.map(({ id }) => id), [105, 104, 103, 102, 101, 100, 99, 98, 97, 96])
        assert.isFalse(more)
        assert.strictEqual((yield* Effect.flip(inbox.get(95)))._tag, "NoSuchPush")
        const page = yield* inbox.list({}, { limit: 3, before: 100 })
        assert.deepStrictEqual(page.pushes.map(({ id }) => id), [99, 98, 97])
        assert.isTrue(page.more)
      }))

    it.scopedLive("cleared -> counts start at 0, and no id is used twice", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        yield* alert(inbox, "old")
        yield* inbox.clear
        assert.strictEqual((yield* inbox.counts).total, 0)
        yield* alert(inbox, "new")
        const { counts, pushes } = yield* inbox.list()
        assert.deepStrictEqual(pushes.map(({ body, id }) => [id, body]), [[2, "new"]])
        assert.strictEqual(counts.total, 1)
        assert.strictEqual(counts.kept, 1)
      }))

    it.scopedLive("pushes in flight when it is cleared -> not counted", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        yield* inbox.answer({ delay: 200, times: 1 })
        const fiber = yield* Effect.fork(alert(inbox, "slow"))
        yield* inbox.mock.until(({ arrived }) => arrived === 1)
        assert.strictEqual((yield* inbox.counts).waiting, 1)
        yield* inbox.clear
        yield* Fiber.join(fiber)
        assert.deepStrictEqual(yield* inbox.counts, {
          total: 0,
          accepted: 0,
          rejected: 0,
          unanswered: 0,
          lost: 0,
          waiting: 0,
          kept: 0
        })
      }))
  })

  describe("search", () => {
    const cases = [
      [{ text: "TABLE" }, ["Frank"]],
      [{ text: "lisbon" }, ["Boarding at gate B42"]],
      [{ text: "7f1c0e0a" }, ["Jenna Ortiz"]],
      [{ text: "unregistered" }, ["Your parcel is on its way"]],
      [{ text: "no such words" }, []],
      [{ topic: "com.example.travel" }, ["Boarding at gate B42"]],
      [{ topic: "com.example" }, 10],
      [{ topic: "com.exam" }, 0],
      [{ topic: "com.example.kickoff", pushType: "liveactivity" }, 2],
      [{ token: other }, 3],
      [{ token: other.slice(0, 8).toUpperCase() }, 3],
      [{ token: other.slice(0, 5) }, 0],
      [{ pushType: "voip" }, ["Jenna Ortiz"]],
      [{ outcome: "rejected" }, ["Your parcel is on its way"]],
      [{ collapseId: "gate" }, ["Boarding at gate B42"]],
      [{ text: "jenna", pushType: "alert" }, ["Jenna", "Jenna"]]
    ] as const
    it.scopedLive("finds by text, topic, token, push type, outcome and collapse id", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        yield* demo(inbox)
        for (const [filter, expected] of cases) {
          const { pushes } = yield* inbox.list(filter)
          if (typeof expected === "number") assert.strictEqual(pushes.length, expected, JSON.stringify(filter))
          else assert.deepStrictEqual(pushes.map(({ title }) => title ?? ""), [...expected], JSON.stringify(filter))
        }
      }))
    it.scopedLive("finds text that is escaped in the payload", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        const pool = yield* poolTo(inbox.mock)
        const payload = "{\"aps\":{\"alert\":\"Caf\\u00e9\"}}"
        yield* send({ token, notification: Notification.raw({ pushType: "alert", payload }) }).pipe(
          Effect.provideService(ApnsPool.ApnsPool, pool)
        )
        assert.lengthOf((yield* inbox.list({ text: "café" })).pushes, 1)
      }))
  })

  describe("waitFor", () => {
    it.scopedLive("a matching push is already there -> the oldest one", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        yield* alert(inbox, "one")
        yield* alert(inbox, "two")
        assert.strictEqual((yield* inbox.waitFor()).body, "one")
        assert.strictEqual((yield* inbox.waitFor({ text: "two" })).id, 2)
        assert.strictEqual((yield* inbox.waitFor({}, { after: 1 })).body, "two")
      }))
    it.scopedLive("waits for a matching push, and ignores others", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        const fiber = yield* Effect.fork(inbox.waitFor({ token: other }))
        yield* alert(inbox, "not this")
        yield* alert(inbox, "this", { token: other })
        assert.strictEqual((yield* Fiber.join(fiber)).body, "this")
      }))
    it.scopedLive("returns a push only when its outcome is known", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        yield* inbox.answer({ delay: 50, times: 1 })
        const fiber = yield* Effect.fork(inbox.waitFor())
        yield* alert(inbox, "slow")
        const push = yield* Fiber.join(fiber)
        assert.strictEqual(push.outcome, "accepted")
        assert.isAtLeast(push.timing.took ?? 0, 45)
      }))
    it.scopedLive("none comes in time -> NotArrived with the filter and the number of other pushes", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        yield* alert(inbox, "x")
        const error = yield* Effect.flip(inbox.waitFor({ text: "lunch" }, { timeout: "20 millis" }))
        assert.strictEqual(error._tag, "NotArrived")
        assert.strictEqual(
          error.message,
          "No push with text \"lunch\" came within 20ms; the inbox has received 1 in all"
        )
        assert.isTrue(Equal.equals(error.timeout, Duration.millis(20)))
      }))
    it("NotArrived to JSON and back -> the same error, its timeout in milliseconds in between", () => {
      const error = new InboxApi.NotArrived({ filter: { topic }, timeout: Duration.minutes(2), total: 3 })
      const json: unknown = JSON.parse(JSON.stringify(Schema.encodeSync(InboxApi.NotArrived)(error)))
      assert.deepStrictEqual(json, { _tag: "NotArrived", filter: { topic }, timeout: 120_000, total: 3 })
      const back = Schema.decodeUnknownSync(InboxApi.NotArrived)(json)
      assert.instanceOf(back, InboxApi.NotArrived)
      assert.strictEqual(Duration.toMillis(back.timeout), 120_000)
      assert.strictEqual(
        back.message,
        "No push with topic \"com.example.app\" came within 2m; the inbox has received 3 in all"
      )
    })
    it.scoped("the timeout is measured by Effect's Clock", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        const fiber = yield* Effect.fork(Effect.flip(inbox.waitFor({}, { timeout: "1 hour" })))
        yield* TestClock.adjust("1 hour")
        assert.strictEqual((yield* Fiber.join(fiber))._tag, "NotArrived")
      }))
  })

  describe("answers", () => {
    it.scopedLive("a reason for one token, with its timestamp", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        const pool = yield* poolTo(inbox.mock)
        yield* inbox.answer({ token: other.toUpperCase(), reason: "Unregistered", timestamp: 1_700_000_000_000 })
        const to = (token: string) =>
          Effect.either(
            send({ token, notification: Notification.alert({ alert: "x" }) }).pipe(
              Effect.provideService(ApnsPool.ApnsPool, pool)
            )
          )
        assert.isTrue(Either.isRight(yield* to(token)))
        const gone = yield* to(other)
        assert.isTrue(Either.isLeft(gone) && gone.left._tag === "Unregistered")
        assert.isTrue(Either.isLeft(yield* to(other)))
        const { pushes: [push] } = yield* inbox.list({ outcome: "rejected" })
        assert.strictEqual(push?.status, 410)
        assert.strictEqual((yield* inbox.get(push?.id ?? 0)).told, "Unregistered")
      }))
    it.scopedLive("retryAfter -> the library waits that long", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        yield* inbox.answer({ reason: "TooManyRequests", retryAfter: 1, times: 1 })
        const sent = yield* alert(inbox, "x")
        assert.strictEqual(sent.outcome, "accepted")
        assert.strictEqual(sent.attempts, 2)
        const { pushes: [second, first] } = yield* inbox.list()
        assert.strictEqual(first?.status, 429)
        assert.isAtLeast((second?.time ?? 0) - (first?.time ?? 0), 950)
      }))
    it.scopedLive("times -> only the next pushes; of several answers the newest is used", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        yield* inbox.answer({ reason: "BadDeviceToken" })
        const two = yield* inbox.answer({ reason: "BadTopic", times: 2 })
        assert.strictEqual((yield* alert(inbox, "1")).error, "BadTopic")
        assert.deepStrictEqual((yield* inbox.answers).map(({ id, used }) => [id, used]), [[two.id, 1], [1, 0]])
        assert.strictEqual((yield* alert(inbox, "2")).error, "BadTopic")
        assert.strictEqual((yield* alert(inbox, "3")).error, "BadDeviceToken")
        assert.deepStrictEqual((yield* inbox.answers).map(({ id, used }) => [id, used]), [[1, 1]])
        yield* inbox.removeAnswer(1)
        assert.strictEqual((yield* alert(inbox, "4")).outcome, "accepted")
        assert.strictEqual((yield* Effect.flip(inbox.removeAnswer(1)))._tag, "NoSuchAnswer")
      }))
    it.scopedLive("matches a topic, a bundle ID with all its topics, or a push type", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        const call = (topic: string) => inbox.send({ token, topic, pushType: "voip", payload: {} })
        yield* inbox.answer({ topic: "com.example.app", reason: "BadTopic" })
        assert.strictEqual((yield* call("com.example.app")).error, "BadTopic")
        assert.strictEqual((yield* call("com.example.apple")).outcome, "accepted")
        yield* inbox.resetAnswers
        yield* inbox.answer({ pushType: "voip", reason: "BadPath", status: 418 })
        assert.strictEqual((yield* alert(inbox, "x")).outcome, "accepted")
        yield* call("com.example.app")
        assert.strictEqual((yield* inbox.list()).pushes[0]?.status, 418)
      }))
    const faults = [
      ["goaway", "lost", "accepted"],
      ["goaway-after", "accepted", "accepted"],
      ["refuse", "lost", "accepted"],
      ["reset", "unanswered", "failed"],
      ["drop", "lost", "failed"],
      ["drop-after", "unanswered", "failed"]
    ] as const
    for (const [fault, outcome, sent] of faults) {
      it.scopedLive(`${fault}: the push is ${outcome}, and what was sent is ${sent}`, () =>
        Effect.gen(function*() {
          const inbox = yield* Inbox.make()
          yield* inbox.answer({ fault, times: 1 })
          const result = yield* alert(inbox, "x")
          const { pushes } = yield* inbox.list()
          assert.strictEqual(pushes.at(-1)?.outcome, outcome)
          if (fault !== "drop") assert.strictEqual(result.outcome, sent)
          assert.strictEqual(pushes.length, outcome === "lost" && result.outcome === "accepted" ? 2 : 1)
        }))
    }
    it.scopedLive("black-hole: the push is lost and never answered", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        yield* inbox.answer({ fault: "black-hole", times: 1 })
        const fiber = yield* Effect.fork(alert(inbox, "x"))
        const push = yield* inbox.waitFor()
        assert.strictEqual(push.outcome, "lost")
        yield* Fiber.interrupt(fiber)
      }))
    it.scopedLive("invalid options -> refused", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        for (
          const options of [
            {},
            { reason: "X", fault: "drop" },
            { reason: "X", times: 0 },
            { reason: "X", times: 1.5 },
            { reason: "X", count: 1 },
            { delay: -1 },
            { delay: 1e9 },
            { reason: "" },
            { reason: "X", status: 99 },
            { fault: "explode" }
          ]
        ) {
          const { status } = yield* ask(inbox, "/api/answers", {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: JSON.stringify(options)
          })
          assert.strictEqual(status, 400, JSON.stringify(options))
        }
        assert.strictEqual((yield* Effect.flip(inbox.answer({})))._tag, "ParseError")
        assert.deepStrictEqual(yield* inbox.answers, [])
      }))
    it.scopedLive("the mock's own `next` and `script` are used first", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        yield* inbox.answer({ reason: "BadTopic", times: 1 })
        yield* inbox.mock.next(MockApns.reject("BadPath"))
        assert.strictEqual((yield* alert(inbox, "x")).error, "BadPath")
        assert.strictEqual((yield* alert(inbox, "x")).error, "BadTopic")
        yield* inbox.mock.script(() => MockApns.reject("BadMessageId"))
        assert.strictEqual((yield* alert(inbox, "x")).error, "BadMessageId")
      }))
  })

  describe("pushes that the mock loses", () => {
    const cases: ReadonlyArray<readonly [string, Behavior.Behavior]> = [
      ["swallowed", MockApns.swallow],
      ["refused", MockApns.refuseStream],
      ["reset before it was processed", MockApns.resetStream(8, { processed: false })],
      ["dropped", MockApns.dropBefore],
      ["left out by a GOAWAY", MockApns.goawayBefore()],
      ["slow, and cancelled by a drop of the connection", MockApns.slow("1 minute")],
      ["slow, and then dropped", MockApns.slow("1 millis", MockApns.dropBefore)]
    ]
    for (const how of ["next", "script"] as const) {
      for (const [what, behavior] of cases) {
        it.scopedLive(`a push with \`${how}\` that is ${what} -> lost`, () =>
          Effect.gen(function*() {
            const inbox = yield* Inbox.make()
            if (how === "next") yield* inbox.mock.next(behavior)
            else {
              let first = true
              yield* inbox.mock.script(() => {
                const decided = first ? behavior : undefined
                first = false
                return decided
              })
            }
            const fiber = yield* Effect.fork(alert(inbox, "x"))
            yield* inbox.mock.until(({ requests }) => requests >= 1)
            if (what === "swallowed" || what.endsWith("of the connection")) yield* inbox.mock.dropConnections()
            const push = yield* inbox.waitFor()
            assert.deepStrictEqual([push.id, push.outcome], [1, "lost"])
            yield* Fiber.interrupt(fiber)
          }))
      }
    }

    it.scopedLive("the sender gives up while the push waits -> lost", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        yield* inbox.answer({ delay: 60_000 })
        const fiber = yield* Effect.fork(alert(inbox, "x"))
        yield* inbox.mock.until(({ arrived }) => arrived === 1)
        yield* Fiber.interrupt(fiber)
        assert.strictEqual((yield* inbox.waitFor()).outcome, "lost")
      }))
  })

  describe("send", () => {
    it.scopedLive("a push that cannot be sent -> an error that says why", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        assert.strictEqual((yield* alert(inbox, "x", { token: "xyz" })).outcome, "failed")
        assert.strictEqual((yield* alert(inbox, "x", { pushType: "telegram" })).outcome, "failed")
        const large = yield* alert(inbox, "x".repeat(5000))
        assert.strictEqual(large.error, "PayloadTooLarge")
        assert.strictEqual(large.outcome, "failed")
        assert.strictEqual((yield* alert(inbox, "x", { to: "sandbox" })).error, "NoSandbox")
        assert.strictEqual((yield* inbox.counts).total, 0)
      }))
    it.scopedLive("sends to the sandbox with the credentials given", () =>
      Effect.gen(function*() {
        const apple = yield* MockApns.make()
        const { key, keyId, teamId } = apple.credentials
        const credentials = yield* Credentials.token({ key: Redacted.make(key), keyId, teamId })
        const inbox = yield* Inbox.make({
          page: { sandbox: { credentials, endpoint: apple.endpoint, ca: apple.ca } }
        })
        assert.isTrue(inbox.info.sandbox)
        assert.strictEqual((yield* alert(inbox, "x", { to: "sandbox" })).outcome, "accepted")
        assert.strictEqual(yield* apple.receivedCount, 1)
        assert.strictEqual((yield* inbox.counts).total, 0)
      }))
  })

  describe("who may use it", () => {
    const json = { "content-type": "application/json" }
    it.scopedLive("a Host that is not loopback -> refused on every path", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        for (
          const host of [
            "evil.example",
            `evil.example:${inbox.port}`,
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "127.0.0.2",
            "0.0.0.0",
            "localhost@evil.example"
          ]
        ) {
          for (
            const path of ["/", "/docs", "/assets/app.js", "/api/pushes", "/api/events", "/openapi.json", "/nothing"]
          ) {
            const { body, headers, status } = yield* ask(inbox, path, { headers: { host } })
            assert.strictEqual(status, 403, `${host} ${path}`)
            assert.include(String(headers["content-security-policy"]), "default-src 'none'")
            assert.notInclude(body, "evil")
          }
        }
        for (const host of ["localhost", `LOCALHOST:${inbox.port}`, "127.0.0.1", "[::1]:80"]) {
          assert.strictEqual((yield* ask(inbox, "/api/info", { headers: { host } })).status, 200, host)
        }
      }))
    it.scopedLive("other origins and sites -> refused", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        const host = `localhost:${inbox.port}`
        for (
          const headers of [
            { origin: "http://evil.example" },
            { origin: "null" },
            { origin: `https://${host}` },
            { origin: "http://localhost:1" },
            { "sec-fetch-site": "cross-site" },
            { "sec-fetch-site": "same-site" }
          ]
        ) {
          for (
            const [path, method] of [["/api/pushes", "GET"], ["/api/pushes", "DELETE"], ["/api/send", "POST"]] as const
          ) {
            const { status } = yield* ask(inbox, path, { method, headers: { host, ...json, ...headers } })
            assert.strictEqual(status, 403, JSON.stringify(headers))
          }
        }
        const { headers, status } = yield* ask(inbox, "/api/pushes", {
          headers: { host, origin: `http://${host}`, "sec-fetch-site": "same-origin" }
        })
        assert.strictEqual(status, 200)
        assert.isUndefined(headers["access-control-allow-origin"])
        // a link from elsewhere may open the page, not in a frame
        const opened = { host, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" }
        assert.strictEqual(
          (yield* ask(inbox, "/", { headers: { ...opened, "sec-fetch-dest": "document" } })).status,
          200
        )
        assert.strictEqual((yield* ask(inbox, "/", { headers: { ...opened, "sec-fetch-dest": "iframe" } })).status, 403)
        assert.strictEqual(
          (yield* ask(inbox, "/api/pushes", { headers: { ...opened, "sec-fetch-dest": "document" } })).status,
          403
        )
      }))
    it.scopedLive("takes bodies as JSON only, which no form of another site can send", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]) {
          const { status } = yield* ask(inbox, "/api/answers", {
            method: "POST",
            headers: { "content-type": type },
            body: "{\"reason\":\"X\"}"
          })
          assert.strictEqual(status, 415)
        }
        assert.deepStrictEqual(yield* inbox.answers, [])
      }))
    it.scopedLive("has a policy without unsafe-anything on every answer", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        for (
          const path of ["/", "/docs", "/assets/style.css", "/api/info", "/nothing", "/api/pushes/7", "/api/answers?x"]
        ) {
          const { headers } = yield* ask(inbox, path)
          const policy = String(headers["content-security-policy"])
          assert.include(policy, "default-src 'none'", path)
          assert.notInclude(policy, "unsafe")
          assert.notInclude(policy, "*")
          assert.notInclude(policy, "http:")
          assert.strictEqual(headers["x-content-type-options"], "nosniff")
          assert.strictEqual(headers["x-frame-options"], "DENY")
          assert.strictEqual(headers["referrer-policy"], "no-referrer")
        }
      }))
    it.scopedLive("a cookie of its name without a valid value -> refused; the token is found among other cookies", () =>
      Effect.gen(function*() {
        const secret = "a-long-enough-token?&%"
        const inbox = yield* Inbox.make({ page: { token: secret } })
        const own = `apns-inbox-7=${encodeURIComponent(secret)}`
        for (
          const [cookie, expected] of [
            ["apns-inbox-7=%zz", 401],
            ["apns-inbox-7", 401],
            ["apns-inbox-7=%E0%A4%A; other=1", 401],
            [`apns-inbox-7=%zz; ${own}`, 200],
            [`other=%zz; ${own}`, 200],
            [own.replace("-7", "-8"), 401],
            [`apns-inbox-8=another; ${own}; apns-inbox=another`, 200]
          ] as const
        ) {
          const { headers, status } = yield* ask(inbox, "/api/info", { headers: { host: "localhost:7", cookie } })
          assert.strictEqual(status, expected, cookie)
          assert.include(String(headers["content-security-policy"]), "default-src 'none'")
        }
        const typed = yield* ask(inbox, "/?token=a-long-enough-token?%26%25", { headers: { host: "localhost" } })
        assert.strictEqual(typed.status, 303)
      }))
    it.scopedLive("names its cookie by the port that the browser knows, so that inboxes of one host have one each", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make({ page: { token: "a-long-enough-token" } })
        for (
          const [host, name] of [["localhost:2198", "2198"], ["localhost:80", "80"], ["10.0.0.1", "80"], [
            "[::1]:99",
            "99"
          ]]
        ) {
          const { headers } = yield* ask(inbox, "/?token=a-long-enough-token", { headers: { host: String(host) } })
          assert.match(String(headers["set-cookie"]), new RegExp(`^apns-inbox-${name}=a-long-enough-token;`))
        }
      }))
    it.scopedLive("a body larger than 1 MiB, with or without content-length -> refused", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        const host = `localhost:${inbox.port}`
        const send = (body: string, headers: Record<string, string>) =>
          ask(inbox, "/api/send", { method: "POST", headers: { host, ...json, ...headers }, body })
        const of = (size: number) =>
          JSON.stringify({ token, topic, pushType: "alert", payload: { aps: { alert: "x".repeat(size) } } })
        const small = yield* send(of(500_000), {})
        assert.strictEqual(small.status, 200)
        assert.include(small.body, "PayloadTooLarge")
        const large = of(1_100_000)
        const told = yield* send(large, { "content-length": String(large.length) })
        assert.strictEqual(told.status, 413)
        assert.include(told.body, "1048576 bytes")
        // its end is never read: the connection ends instead
        assert.strictEqual((yield* Effect.either(send(large, { "transfer-encoding": "chunked" })))._tag, "Left")
        assert.strictEqual((yield* send(of(1), { "transfer-encoding": "chunked" })).status, 200)
      }))
    it.scopedLive("another address than loopback -> only with a token, which is then required", () =>
      Effect.gen(function*() {
        const refused = yield* Effect.flip(Inbox.make({ page: { host: "0.0.0.0" } }))
        assert.strictEqual(refused._tag, "InboxError")
        assert.include(refused.message, "token")
        assert.strictEqual((yield* Effect.flip(Inbox.make({ page: { token: "short" } })))._tag, "InboxError")
        const secret = "a-long-enough-token"
        const inbox = yield* Inbox.make({ page: { host: "0.0.0.0", token: secret } })
        const host = "build-machine:2198"
        for (
          const path of ["/", "/api/pushes", "/assets/app.js", "/?token=wrong", "/api/pushes?token=a-long-enough-token"]
        ) {
          assert.strictEqual((yield* ask(inbox, path, { headers: { host } })).status, 401, path)
        }
        const login = yield* ask(inbox, `/?token=${secret}`, { headers: { host } })
        assert.strictEqual(login.status, 303)
        assert.strictEqual(login.headers["location"], "/")
        const [cookie = ""] = login.headers["set-cookie"] ?? []
        assert.match(cookie, /HttpOnly; SameSite=Strict$/)
        const session = { host, cookie: cookie.split(";")[0] ?? "" }
        assert.strictEqual((yield* ask(inbox, "/", { headers: session })).status, 200)
        assert.strictEqual((yield* ask(inbox, "/api/pushes", { headers: session })).status, 200)
        const bearer = { host, authorization: `Bearer ${secret}` }
        assert.strictEqual((yield* ask(inbox, "/api/pushes", { headers: bearer })).status, 200)
        const wrong = { host, authorization: "Bearer a-long-enough-tokem" }
        assert.strictEqual((yield* ask(inbox, "/api/pushes", { headers: wrong })).status, 401)
        const client = yield* InboxClient.make({ url: `http://127.0.0.1:${inbox.port}/?token=${secret}` })
        assert.strictEqual((yield* client.counts).total, 0)
      }))
  })

  describe("over HTTP", () => {
    const setup = Effect.gen(function*() {
      const inbox = yield* Inbox.make()
      return { inbox, client: yield* InboxClient.make({ url: inbox.url }) }
    })
    it.scopedLive("the client can do everything that Inbox can", () =>
      Effect.gen(function*() {
        const { client, inbox } = yield* setup
        const waiting = yield* Effect.fork(client.waitFor({ text: "Lunch" }))
        assert.strictEqual(
          (yield* client.send({ token, topic, pushType: "alert", payload: { aps: { alert: "Lunch" } } })).outcome,
          "accepted"
        )
        const push = yield* Fiber.join(waiting)
        assert.deepStrictEqual(push, yield* client.get(push.id))
        assert.deepStrictEqual(JSON.parse(JSON.stringify(push)), JSON.parse(JSON.stringify(yield* inbox.get(push.id))))
        assert.strictEqual((yield* Effect.flip(client.get(99)))._tag, "NoSuchPush")
        const late = yield* Effect.flip(client.waitFor({ text: "Dinner" }, { timeout: "10 millis" }))
        assert.strictEqual(late._tag, "NotArrived")
        assert.strictEqual(
          late.message,
          "No push with text \"Dinner\" came within 10ms; the inbox has received 1 in all"
        )
        assert.isTrue(late._tag === "NotArrived" && Equal.equals(late.timeout, Duration.millis(10)))
        const answer = yield* client.answer({ reason: "Unregistered", token, times: 1 })
        assert.deepStrictEqual(yield* client.answers, [answer])
        yield* client.removeAnswer(answer.id)
        assert.strictEqual((yield* Effect.flip(client.removeAnswer(answer.id)))._tag, "NoSuchAnswer")
        yield* client.answer({ fault: "drop" })
        yield* client.resetAnswers
        assert.deepStrictEqual(yield* client.answers, [])
        assert.strictEqual((yield* client.list({ pushType: "alert" }, { limit: 5 })).pushes.length, 1)
        yield* client.clear
        assert.strictEqual((yield* client.counts).total, 0)
      }))
    it.scopedLive("no inbox there -> an error with the address", () =>
      Effect.gen(function*() {
        const client = yield* InboxClient.make({ url: "http://127.0.0.1:1" })
        const error = yield* Effect.flip(client.counts)
        assert.strictEqual(error._tag, "InboxClientError")
        assert.include(error.message, "http://127.0.0.1:1")
        assert.strictEqual((yield* Effect.flip(InboxClient.make({ url: "nowhere" })))._tag, "InboxClientError")
      }))
    it.scopedLive("unknown parameters and invalid numbers -> refused, with their names", () =>
      Effect.gen(function*() {
        const { inbox } = yield* setup
        yield* alert(inbox, "x")
        for (
          const [path, name] of [
            ["/api/pushes?tokne=abc", "tokne"],
            ["/api/pushes/next?pushtype=voip", "pushtype"],
            ["/api/events?outcom=lost", "outcom"],
            ["/api/pushes?before=NaN", "before"],
            ["/api/pushes/next?after=NaN", "after"],
            ["/api/pushes?outcome=", "outcome"],
            ["/api/pushes?token=a&token=b", "token"]
          ] as const
        ) {
          const { body, status } = yield* ask(inbox, path)
          assert.strictEqual(status, 400, path)
          assert.include(body, name, path)
        }
      }))
    it.scopedLive("ids between two pushes, as bounds -> accepted", () =>
      Effect.gen(function*() {
        const { client, inbox } = yield* setup
        for (const text of ["one", "two", "three"]) yield* alert(inbox, text)
        for (const access of [inbox, client]) {
          const { pushes } = yield* access.list({}, { before: 2.5 })
          assert.deepStrictEqual(pushes.map(({ id }) => id), [2, 1])
          assert.strictEqual((yield* access.waitFor({}, { after: 1.5, timeout: "1 second" })).id, 2)
        }
      }))
    it.scopedLive("a body that is not JSON, an unknown path or method -> an error that says why", () =>
      Effect.gen(function*() {
        const { inbox } = yield* setup
        const headers = { "content-type": "application/json" }
        const broken = yield* ask(inbox, "/api/answers", { method: "POST", headers, body: "{bad" })
        assert.strictEqual(broken.status, 400)
        assert.include(broken.body, "must be JSON")
        const nowhere = yield* ask(inbox, "/api/pushs")
        assert.strictEqual(nowhere.status, 404)
        assert.include(nowhere.body, "/docs")
        assert.include((yield* ask(inbox, "/api/pushes", { method: "PUT", headers, body: "{}" })).body, "PUT")
      }))
    it.scopedLive("errors of the API have a message beside their fields", () =>
      Effect.gen(function*() {
        const { inbox } = yield* setup
        for (
          const [method, path, fields, message] of [
            [
              "GET",
              "/api/pushes/99",
              { _tag: "NoSuchPush", id: 99 },
              /^There is no push 99, or it is not kept any more$/
            ],
            ["DELETE", "/api/answers/98", { _tag: "NoSuchAnswer", id: 98 }, /^There is no answer 98 in force$/],
            [
              "GET",
              "/api/pushes/next?text=nothing&timeout=1",
              { _tag: "NotArrived", timeout: 1 },
              /^No push with text "nothing" came within 1ms; the inbox has received \d+ in all$/
            ],
            ["GET", "/api/pushes?tokn=1", { _tag: "HttpApiDecodeError" }, /tokn/]
          ] as const
        ) {
          const { body, status } = yield* ask(inbox, path, { method })
          const error: Readonly<Record<string, unknown>> = JSON.parse(body)
          assert.strictEqual(status, path.includes("tokn") ? 400 : 404)
          assert.deepInclude(error, fields)
          assert.match(String(error["message"]), message)
        }
      }))
    it.scopedLive("names an address that leads to it, where it listens on the loopback of IPv6", () =>
      Effect.gen(function*() {
        const inbox = yield* Effect.option(Inbox.make({ page: { host: "::1" } }))
        // a machine may have no IPv6
        if (inbox._tag === "None") return
        assert.strictEqual(inbox.value.url, `http://[::1]:${inbox.value.port}/`)
        const client = yield* InboxClient.make({ url: inbox.value.url })
        assert.strictEqual((yield* client.counts).total, 0)
      }))
    it.scopedLive("describes itself by OpenAPI", () =>
      Effect.gen(function*() {
        const { inbox } = yield* setup
        const { body } = yield* ask(inbox, "/openapi.json")
        const document: { readonly openapi: string; readonly paths: Record<string, object> } = JSON.parse(body)
        assert.match(document.openapi, /^3\./)
        assert.sameMembers(Object.keys(document.paths), [
          "/api/pushes",
          "/api/pushes/next",
          "/api/pushes/{id}",
          "/api/answers",
          "/api/answers/{id}",
          "/api/info",
          "/api/send",
          "/api/events"
        ])
        assert.strictEqual((yield* ask(inbox, "/docs")).status, 200)
      }))
    it.scopedLive("server-sent events: the pushes that are there and later ones, filtered", () =>
      Effect.gen(function*() {
        const { inbox } = yield* setup
        yield* alert(inbox, "good before")
        const seen: Array<{ readonly _tag: string; readonly pushes?: ReadonlyArray<{ readonly body?: string }> }> = []
        const until = (count: number) =>
          Effect.async<void, Error>((resume) => {
            const outgoing = request(
              { port: inbox.port, host: "127.0.0.1", path: "/api/events?text=good" },
              (incoming) => {
                assert.match(String(incoming.headers["content-type"]), /^text\/event-stream/)
                let text = ""
                incoming.on("data", (piece: Buffer) => {
                  text += piece.toString("utf8")
                  const events = text.split("\n\n")
                  text = events.pop() ?? ""
                  for (const event of events) {
                    const data = /^data: (.*)$/m.exec(event)?.[1]
                    if (data !== undefined) seen.push(JSON.parse(data))
                  }
                  if (seen.flatMap(({ pushes = [] }) => pushes).length >= count) {
                    outgoing.destroy()
                    resume(Effect.void)
                  }
                })
              }
            )
            outgoing.on("error", () => {})
            outgoing.end()
            return Effect.sync(() => outgoing.destroy())
          })
        const fiber = yield* Effect.fork(until(2))
        while (seen.length === 0) yield* Effect.sleep("5 millis")
        yield* alert(inbox, "dull")
        yield* alert(inbox, "good late")
        yield* Fiber.join(fiber)
        assert.strictEqual(seen[0]?._tag, "hello")
        assert.deepStrictEqual(seen.flatMap(({ pushes = [] }) => pushes).map(({ body }) => body), [
          "good before",
          "good late"
        ])
      }))
    it.live("ends at once, although pages keep their streams open", () =>
      Effect.gen(function*() {
        const started = yield* Effect.scoped(Effect.gen(function*() {
          const inbox = yield* Inbox.make()
          yield* Effect.async<void>((resume) => {
            const outgoing = request({ port: inbox.port, host: "127.0.0.1", path: "/api/events" }, (incoming) =>
              incoming.once("data", () => resume(Effect.void)))
            outgoing.on("error", () => {})
            outgoing.end()
          })
          return Date.now()
        }))
        assert.isBelow(Date.now() - started, 4000)
      }))
    it.scopedLive("a port in use -> an error that says so", () =>
      Effect.gen(function*() {
        const { inbox } = yield* setup
        const error = yield* Effect.flip(Inbox.make({ page: { port: inbox.port } }))
        assert.include(error.message, `port ${inbox.port}`)
        assert.include(error.message, "in use")
      }))
  })

  it.scopedLive("the layer also provides its mock", () =>
    Effect.gen(function*() {
      const inbox = yield* Inbox.Inbox
      const mock = yield* MockApns.MockApns
      assert.strictEqual(inbox.mock, mock)
    }).pipe(Effect.provide(Inbox.layer())))

  describe("MockApns with an inbox", () => {
    it.scopedLive("shows what the mock received, and its answers are used", () =>
      Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        const pool = yield* poolTo(apns)
        const client = yield* InboxClient.make({ url: apns.inbox?.url ?? "" })
        const post = Effect.either(
          send({ token, notification: Notification.alert({ alert: "Hello" }) }).pipe(
            Effect.provideService(ApnsPool.ApnsPool, pool)
          )
        )
        assert.isTrue(Either.isRight(yield* post))
        assert.strictEqual((yield* client.waitFor({ text: "Hello" })).outcome, "accepted")
        assert.strictEqual(yield* apns.receivedCount, 1)
        yield* client.answer({ reason: "Unregistered", times: 1 })
        assert.isTrue(Either.isLeft(yield* post))
        yield* apns.next(MockApns.reject("BadTopic"))
        assert.isTrue(Either.isLeft(yield* post))
        assert.deepStrictEqual((yield* client.list()).pushes.map(({ reason }) => reason), [
          "BadTopic",
          "Unregistered",
          undefined
        ])
      }).pipe(Effect.provide(MockApns.layer({ inbox: true }))))
    it.scopedLive("calls the mock's own hooks first", () => {
      const seen: Array<string> = []
      return Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        const pool = yield* poolTo(apns)
        yield* Effect.either(
          send({ token, notification: Notification.alert({ alert: "Hello" }) }).pipe(
            Effect.provideService(ApnsPool.ApnsPool, pool)
          )
        )
        const client = yield* InboxClient.make({ url: apns.inbox?.url ?? "" })
        assert.strictEqual((yield* client.list()).pushes[0]?.reason, "BadPath")
        assert.deepStrictEqual(seen, ["asked", "received BadPath"])
      }).pipe(Effect.provide(MockApns.layer({
        inbox: { keep: 5, topic: "com.example.other" },
        onRequest: () => {
          seen.push("asked")
          return MockApns.reject("BadPath")
        },
        onReceived: ({ reason }) => void seen.push(`received ${reason}`)
      })))
    })
    it.scopedLive("the page cannot be served -> an error that says why", () =>
      Effect.gen(function*() {
        const taken = yield* Inbox.make()
        const error = yield* Effect.flip(MockApns.make({ inbox: { port: taken.port } }))
        assert.strictEqual(error._tag, "MockApnsError")
        assert.include(error.message, `port ${taken.port}`)
      }))
    it.scopedLive("no inbox unless it is turned on", () =>
      Effect.gen(function*() {
        assert.isUndefined((yield* MockApns.make()).inbox)
        assert.isUndefined((yield* MockApns.make({ inbox: false })).inbox)
      }))
  })
})
