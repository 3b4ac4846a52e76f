import { Inbox } from "@effect-apns/inbox"
import { MockApns } from "@effect-apns/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { readFileSync } from "node:fs"
import * as http2 from "node:http2"
import { createRequire } from "node:module"
import type { Browser, BrowserContextOptions, Page } from "playwright-core"
import { afterAll, beforeAll } from "vitest"
import { hasBrowser, launch, open } from "./utils/browser.js"
import { demo, other, token } from "./utils/demo.js"

const topic = "com.example.app"

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8")

const alert = (inbox: Inbox.Inbox, text: string, options: Partial<Parameters<Inbox.Inbox["send"]>[0]> = {}) =>
  inbox.send({ token, topic, pushType: "alert", payload: { aps: { alert: text } }, ...options })

describe.skipIf(!hasBrowser)("the page", () => {
  let browser: Browser

  beforeAll(async () => {
    browser = await launch()
  })

  afterAll(() => browser?.close())

  /** A page at a place of an inbox, which must not complain about anything until the test ends. */
  const visit = (inbox: Inbox.Inbox, place = "", options: BrowserContextOptions = {}) =>
    Effect.map(
      Effect.acquireRelease(
        Effect.promise(() => open(browser, inbox.url + place, options)),
        ({ page, problems }) =>
          Effect.promise(async () => {
            await page.context().close()
            assert.deepStrictEqual(problems, [])
          })
      ),
      ({ page }) => page
    )

  const does = <A>(action: () => Promise<A>): Effect.Effect<A> => Effect.promise(action)

  const texts = (page: Page, selector: string) =>
    does(() => page.locator(selector).evaluateAll((found) => found.map(({ textContent }) => textContent?.trim() ?? "")))

  const accessible = (page: Page) =>
    does(async () => {
      // through the protocol: the policy of the page lets no other script in
      const session = await page.context().newCDPSession(page)
      await session.send("Runtime.evaluate", { expression: axe })
      const { result } = await session.send("Runtime.evaluate", {
        expression: "axe.run().then(({ violations }) => JSON.stringify(violations.map(({ id, impact, nodes }) =>" +
          " ({ id, impact, nodes: nodes.map(({ html, failureSummary }) => html.slice(0, 200) + ' ' + failureSummary) }))))",
        awaitPromise: true
      })
      assert.deepStrictEqual(JSON.parse(String(result.value)), [])
    })

  const nowhereWider = (page: Page) =>
    does(async () => {
      const [scroll, client] = await page.evaluate(() => {
        const { clientWidth, scrollWidth } = document.documentElement
        return [scrollWidth, clientWidth] as const
      })
      assert.isAtMost(scroll, client)
    })

  describe("list", () => {
    it.scopedLive("says what to do while nothing has arrived, and shows a push as soon as it does", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make({
          page: { variables: { APNS_ENDPOINT: "https://localhost:2197", APNS_CA_FILE: "/tmp/it's here/ca.pem" } }
        })
        const page = yield* visit(inbox)
        const empty = yield* does(() => page.locator(".empty").innerText())
        assert.include(empty, "Nothing has arrived yet")
        assert.include(empty, "export APNS_ENDPOINT=https://localhost:2197")
        assert.include(empty, "export APNS_CA_FILE='/tmp/it'\\''s here/ca.pem'")
        assert.include(empty, "apns send")
        yield* alert(inbox, "Hello")
        yield* does(() => page.getByText("Hello", { exact: true }).first().waitFor())
        assert.strictEqual(yield* does(() => page.title()), "(1) Inbox")
        assert.deepStrictEqual(yield* texts(page, ".summary > span"), ["1 push"])
      }))

    it.scopedLive("shows each kind as a phone would, newest first", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        yield* demo(inbox)
        const page = yield* visit(inbox)
        assert.deepStrictEqual(yield* texts(page, ".cards > li > .card .app"), [
          "Messages",
          "Travel",
          "Home Guard",
          "Phone",
          "Kickoff",
          "Parcel",
          "Kickoff"
        ])
        assert.deepStrictEqual(yield* texts(page, ".is-critical .level"), ["Critical"])
        assert.deepStrictEqual(yield* texts(page, ".is-urgent .level"), ["Time Sensitive"])
        assert.deepStrictEqual(yield* texts(page, ".is-urgent .badge"), ["2"])
        assert.deepStrictEqual(yield* texts(page, ".call .title"), ["Jenna Ortiz"])
        assert.include((yield* texts(page, ".quiet"))[0], "Background News · edition: 7, refresh: headlines")
        assert.deepStrictEqual(yield* texts(page, ".rejected .verdict"), ["410 Unregistered"])
        const [update] = yield* texts(page, ".activity .changes")
        assert.match(update ?? "", /minute\s*1\s*is now\s*→\s*23/)
        assert.match(update ?? "", /score\.home\s*0\s*is now\s*→\s*1/)
        assert.deepStrictEqual(yield* texts(page, ".activity .event"), ["Updated", "Started"])
      }))

    it.scopedLive("shows Push to Talk as a speaker, not as a call that can be answered", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        yield* inbox.send({
          token: "0123456789abcdef",
          topic: "com.example.radio",
          pushType: "pushtotalk",
          payload: { activeSpeaker: "Jenna Ortiz", aps: {} }
        })
        const page = yield* visit(inbox)
        yield* does(() => page.locator(".card.talk").waitFor())
        assert.deepStrictEqual(yield* texts(page, ".talk .title"), ["Jenna Ortiz"])
        assert.deepStrictEqual(yield* texts(page, ".talk .level"), ["Push to Talk"])
        assert.deepStrictEqual(yield* texts(page, ".accept, .decline, .card.call"), [])
        yield* accessible(page)
      }))

    it.scopedLive("stacks a thread under its newest push, and opens it", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        yield* demo(inbox)
        const page = yield* visit(inbox)
        assert.deepStrictEqual(yield* texts(page, ".more"), ["2 more in thread lunch"])
        assert.deepStrictEqual(yield* texts(page, ".thread .body"), [])
        yield* does(() => page.locator(".more").click())
        assert.deepStrictEqual(yield* texts(page, ".thread .body"), [
          "Great, see you at noon!",
          "I booked the table by the window."
        ])
        yield* does(() => page.locator(".more").click())
        assert.deepStrictEqual(yield* texts(page, ".thread .body"), [])
      }))

    it.scopedLive("replaces a push by the next of the same collapse id, with a link to the one before", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        const page = yield* visit(inbox)
        yield* alert(inbox, "Gate B42", { collapseId: "gate" })
        yield* does(() => page.getByText("Gate B42").first().waitFor())
        yield* alert(inbox, "Gate C1", { collapseId: "gate" })
        yield* does(() => page.getByText("Gate C1").first().waitFor())
        assert.deepStrictEqual(yield* texts(page, ".cards .body"), ["Gate C1"])
        yield* does(() => page.locator(".card").click())
        yield* does(() => page.getByRole("link", { name: "push 1" }).click())
        yield* does(() => page.locator(".push h2", { hasText: "Gate B42" }).waitFor())
      }))

    it.scopedLive("marks broadcasts and pushes lost by a fault", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        const page = yield* visit(inbox)
        yield* inbox.send({
          topic,
          pushType: "broadcast",
          payload: { aps: { event: "update", timestamp: 1, "content-state": { a: 1 } } }
        })
        yield* does(() => page.locator(".activity .kind", { hasText: "Broadcast" }).waitFor())
        yield* inbox.answer({ fault: "refuse", times: 1 })
        yield* alert(inbox, "Again")
        yield* does(() => page.locator(".card.lost .verdict", { hasText: "Lost before it was processed" }).waitFor())
        yield* inbox.answer({ fault: "drop-after", times: 1 })
        yield* alert(inbox, "Silence")
        yield* does(() => page.locator(".card.unanswered").waitFor())
        assert.deepStrictEqual(yield* texts(page, ".summary > span"), ["4 pushes, 1 unanswered, 1 lost"])
      }))

    it.scopedLive("shows more and then older pushes when asked", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        yield* Effect.forEach(Array.from({ length: 320 }, (_, i) => i + 1), (i) => alert(inbox, `push ${i}`), {
          concurrency: 20
        })
        const page = yield* visit(inbox)
        const cards = page.locator(".cards .card")
        assert.strictEqual(yield* does(() => cards.count()), 100)
        yield* does(() => page.getByRole("button", { name: "Show more" }).click())
        yield* does(() => page.waitForFunction(() => document.querySelectorAll(".cards .card").length === 200))
        yield* does(() => page.getByRole("button", { name: "Load older pushes" }).click())
        yield* does(() => page.waitForFunction(() => document.querySelectorAll(".cards .card").length === 300))
        yield* does(() => page.getByRole("button", { name: "Load older pushes" }).click())
        yield* does(() => page.waitForFunction(() => document.querySelectorAll(".cards .card").length === 320))
        assert.strictEqual(yield* does(() => page.getByRole("button", { name: "Load older pushes" }).count()), 0)
      }))

    it.scopedLive("two pages show the same, and are both empty when one clears the list", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        const one = yield* visit(inbox)
        const two = yield* visit(inbox)
        yield* alert(inbox, "For both")
        for (const page of [one, two]) yield* does(() => page.getByText("For both").first().waitFor())
        yield* does(() => one.getByRole("button", { name: "Clear" }).click())
        for (const page of [one, two]) yield* does(() => page.getByText("Nothing has arrived yet").waitFor())
        assert.strictEqual((yield* inbox.counts).total, 0)
      }))

    it.scopedLive("the inbox was restarted -> the page connects again", () =>
      Effect.gen(function*() {
        const first = yield* Scope.make()
        const inbox = yield* Scope.extend(Inbox.make(), first)
        const { page, problems } = yield* Effect.acquireRelease(
          does(() => open(browser, inbox.url)),
          ({ page }) => does(() => page.context().close())
        )
        yield* alert(inbox, "From before")
        yield* does(() => page.getByText("From before").first().waitFor())
        yield* Scope.close(first, Exit.void)
        yield* does(() => page.locator(".live.lost").waitFor())
        const again = yield* Inbox.make({ page: { port: inbox.port } })
        yield* does(() => page.locator(".live.open").waitFor())
        assert.strictEqual(yield* does(() => page.getByText("From before").count()), 0)
        yield* alert(again, "From after")
        yield* does(() => page.getByText("From after").first().waitFor())
        // a connection that is refused is told in the console, and nothing else is
        for (const problem of problems) assert.match(problem, /ERR_/)
      }))
  })

  describe("detail", () => {
    it.scopedLive("has its own address, and shows everything", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        yield* demo(inbox)
        const { pushes: [push] } = yield* inbox.list({ text: "Boarding" })
        const page = yield* visit(inbox, `#/push/${push?.id}`)
        yield* does(() => page.locator(".push h2", { hasText: "Boarding at gate B42" }).waitFor())
        yield* does(() => page.locator(".pane .code").waitFor())
        const pane = yield* does(() => page.locator(".pane").innerText())
        for (
          const part of [
            "Accepted, 200",
            "com.example.travel",
            "time-sensitive",
            "The relevance score 1.5 is not between 0 and 1.",
            "Apple knows no key \"treadId\" in aps.",
            "Was \"thread-id\" meant?",
            "Apple: Generating a remote notification",
            "of 4,096 bytes",
            "apns-collapse-id",
            ":path",
            inbox.mock.credentials.keyId,
            inbox.mock.credentials.teamId,
            "The signature is not shown",
            "stream",
            "TLSv1"
          ]
        ) {
          assert.include(pane, part)
        }
        const code = yield* does(() => page.locator(".pane .code").innerText())
        assert.deepStrictEqual(JSON.parse(code), (yield* inbox.get(push?.id ?? 0)).payload)
        const links = yield* does(() =>
          page.locator(".finding a").evaluateAll((found) =>
            found.map((link) => [link.getAttribute("href"), link.getAttribute("rel")])
          )
        )
        for (const [href, rel] of links) {
          assert.match(href ?? "", /^https:\/\/developer\.apple\.com\//)
          assert.strictEqual(rel, "noopener noreferrer")
        }
      }))

    it.scopedLive("follows a push that is still being answered", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        yield* inbox.answer({ delay: 1500, times: 1 })
        const page = yield* visit(inbox)
        const fiber = yield* Effect.fork(alert(inbox, "Slowly"))
        yield* does(() => page.locator(".card.waiting").click())
        yield* does(() => page.locator(".pane .verdict.waiting").waitFor())
        yield* fiber
        yield* does(() => page.locator(".pane .verdict.accepted").waitFor())
      }))

    it.scopedLive("leads to the pushes of the same topic, token and collapse id", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        yield* demo(inbox)
        const { pushes: [push] } = yield* inbox.list({ text: "Boarding" })
        const page = yield* visit(inbox, `#/push/${push?.id}`)
        yield* does(() => page.getByRole("link", { name: "com.example.travel" }).click())
        yield* does(() => page.waitForFunction(() => document.querySelectorAll(".cards .card").length === 1))
        assert.deepStrictEqual(yield* texts(page, ".cards .title"), ["Boarding at gate B42"])
      }))

    it.scopedLive("a push that is no longer kept -> the page says so", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        const { page } = yield* Effect.acquireRelease(
          does(() => open(browser, `${inbox.url}#/push/77`)),
          ({ page }) => does(() => page.context().close())
        )
        yield* does(() => page.getByText("There is no such push here").waitFor())
      }))
  })

  describe("search", () => {
    it.scopedLive("filters by text, outcome and type, live, and keeps the filter in the address", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        yield* demo(inbox)
        const page = yield* visit(inbox)
        yield* does(() => page.getByRole("searchbox").fill("jenna"))
        yield* does(() => page.waitForFunction(() => document.querySelectorAll(".cards .card").length === 3))
        assert.include(page.url(), "text=jenna")
        yield* does(() => page.getByLabel("Push type").selectOption("alert"))
        yield* does(() => page.waitForFunction(() => document.querySelectorAll(".cards .card").length === 2))
        yield* alert(inbox, "Frank is late")
        yield* alert(inbox, "Jenna is late")
        yield* does(() => page.waitForFunction(() => document.querySelectorAll(".cards .card").length === 3))
        assert.notInclude((yield* texts(page, ".cards .body")).join(), "Frank is late")
        const same = yield* visit(inbox, new URL(page.url()).hash)
        assert.strictEqual(yield* does(() => same.locator(".cards .card").count()), 3)
        assert.strictEqual(yield* does(() => same.getByRole("searchbox").inputValue()), "jenna")
        yield* does(() => page.getByRole("searchbox").fill("nobody"))
        yield* does(() => page.getByText("No push matches").waitFor())
        yield* does(() => page.getByRole("link", { name: "Show all" }).click())
        yield* does(() => page.getByLabel("Outcome").selectOption("rejected"))
        yield* does(() => page.waitForFunction(() => document.querySelectorAll(".cards .card").length === 1))
        assert.deepStrictEqual(yield* texts(page, ".cards .title"), ["Your parcel is on its way"])
      }))

    it.scopedLive("with the filter for waiting pushes, one that no longer waits disappears", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        yield* inbox.answer({ delay: 60_000, token: other })
        yield* inbox.answer({ delay: 700, token })
        const page = yield* visit(inbox, "#/?outcome=waiting")
        yield* Effect.fork(alert(inbox, "for long", { token: other }))
        const fiber = yield* Effect.fork(alert(inbox, "for short"))
        yield* does(() => page.getByText("for short", { exact: true }).first().waitFor())
        yield* fiber
        yield* does(() => page.waitForFunction(() => document.querySelectorAll(".cards .card").length === 1))
        assert.deepStrictEqual(yield* texts(page, ".cards .body"), ["for long"])
      }))

    it.scopedLive("leads to the list on a phone", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        yield* demo(inbox)
        const viewport = { width: 390, height: 844 }
        for (
          const search of [
            (page: Page) => page.getByRole("searchbox").fill("basement"),
            (page: Page) => page.getByLabel("Outcome").selectOption("rejected")
          ]
        ) {
          const page = yield* visit(inbox, "#/push/1", { viewport })
          yield* does(() => page.locator(".push h2").waitFor())
          yield* does(async () => void await search(page))
          yield* does(() => page.waitForFunction(() => document.querySelectorAll(".cards .card").length === 1))
          yield* does(() => page.locator(".cards .card").waitFor())
        }
      }))

    it.scopedLive("filters by topic and token from the address, and can remove them", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        yield* demo(inbox)
        const page = yield* visit(inbox, `#/?token=${other}&topic=com.example.parcel`)
        assert.deepStrictEqual(yield* texts(page, ".cards .title"), ["Your parcel is on its way"])
        yield* does(() => page.getByRole("button", { name: "Remove the filter topic" }).click())
        yield* does(() => page.waitForFunction(() => document.querySelectorAll(".cards .card").length === 3))
      }))
  })

  describe("answers", () => {
    it.scopedLive("are given by a form, shown on every page, and ended", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        const page = yield* visit(inbox, "#/answers")
        const watching = yield* visit(inbox, "#/answers")
        yield* does(() => page.getByRole("combobox", { name: /^Answer/ }).selectOption("reason:TooManyRequests"))
        yield* does(() => page.getByLabel("Retry-After").fill("30"))
        yield* does(() => page.getByLabel("How many pushes").fill("2"))
        yield* does(() => page.getByRole("button", { name: "Answer so" }).click())
        yield* does(() => watching.getByText("TooManyRequests, Retry-After 30 s").waitFor())
        assert.deepStrictEqual((yield* inbox.answers).map(({ options }) => options), [
          { times: 2, reason: "TooManyRequests", retryAfter: 30 }
        ])
        yield* does(() => page.getByRole("button", { name: "End the answer" }).click())
        yield* does(() => watching.getByText("None: pushes are answered as APNs does.").waitFor())
        assert.deepStrictEqual(yield* inbox.answers, [])
      }))

    it.scopedLive("for one token, with its timestamp", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        yield* alert(inbox, "x")
        const page = yield* visit(inbox, "#/push/1")
        yield* does(() => page.getByRole("button", { name: "Answer this token…" }).click())
        yield* does(() => page.getByRole("combobox", { name: /^Answer/ }).selectOption("reason:Unregistered"))
        yield* does(() => page.getByLabel("Dead since").fill("2026-01-15T10:00:00"))
        yield* does(() => page.getByRole("button", { name: "Answer so" }).click())
        yield* does(() => page.locator(".rules li").waitFor())
        const [answer] = yield* inbox.answers
        assert.strictEqual(answer?.options.token, token)
        assert.strictEqual(answer?.options.timestamp, new Date("2026-01-15T10:00:00").getTime())
        assert.strictEqual((yield* alert(inbox, "y")).error, "Unregistered")
        yield* does(() => page.getByText("None: pushes are answered as APNs does.").waitFor())
      }))

    it.scopedLive("may be faults and delays", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        const page = yield* visit(inbox, "#/answers")
        const give = (option: string, delay: string) =>
          does(async () => {
            await page.getByRole("combobox", { name: /^Answer/ }).selectOption(option)
            await page.getByLabel("Delay").fill(delay)
            await page.getByRole("button", { name: "Answer so" }).click()
          })
        for (const fault of ["goaway", "goaway-after", "refuse", "reset", "drop", "drop-after", "black-hole"]) {
          yield* give(`fault:${fault}`, "")
        }
        yield* give("delay", "25")
        yield* does(() => page.waitForFunction(() => document.querySelectorAll(".rules li").length === 8))
        assert.deepStrictEqual((yield* inbox.answers).map(({ options }) => options.fault ?? options.delay), [
          25,
          "black-hole",
          "drop-after",
          "drop",
          "reset",
          "refuse",
          "goaway-after",
          "goaway"
        ])
        yield* does(() => page.getByRole("button", { name: "End all" }).click())
        yield* does(() => page.getByText("None: pushes are answered as APNs does.").waitFor())
      }))

    it.scopedLive("without a reason, fault or delay -> refused", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        const page = yield* visit(inbox, "#/answers")
        yield* does(() => page.getByRole("combobox", { name: /^Answer/ }).selectOption("delay"))
        yield* does(() => page.getByRole("button", { name: "Answer so" }).click())
        assert.isTrue(yield* does(() => page.getByLabel("Delay").evaluate((input) => input.matches(":invalid"))))
        assert.deepStrictEqual(yield* inbox.answers, [])
      }))
  })

  describe("sending", () => {
    it.scopedLive("sends every push type from its form, without findings", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        const page = yield* visit(inbox, "#/send")
        const types = yield* does(() =>
          page.getByLabel("Push type").last().evaluate((select) =>
            select instanceof HTMLSelectElement ? Array.from(select.options, ({ value }) => value) : []
          )
        )
        assert.lengthOf(types, 12)
        for (const type of types) {
          yield* does(() => page.getByLabel("Push type").last().selectOption(type))
          yield* does(() => page.getByRole("button", { name: "Send", exact: true }).click())
          const push = yield* inbox.waitFor({ pushType: type === "broadcast" ? "liveactivity" : type })
          // MDM goes to the topic of its certificate, which the form cannot know
          assert.deepStrictEqual(push.findings.filter(({ severity }) => severity === "error"), [], type)
          yield* does(() => page.locator(".result.accepted").waitFor())
        }
      }))

    it.scopedLive("writes the text into the payload, and shows the outcome", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        const page = yield* visit(inbox, "#/send")
        yield* does(() => page.getByRole("textbox", { name: "Title", exact: true }).fill("Dinner"))
        yield* does(() => page.getByLabel("Subtitle").fill(""))
        const payload = yield* does(() => page.getByLabel("Payload").inputValue())
        assert.deepStrictEqual(JSON.parse(payload).aps.alert, { title: "Dinner", body: "Jenna invites you to lunch." })
        yield* inbox.answer({ reason: "BadDeviceToken" })
        yield* does(() => page.getByRole("button", { name: "Send", exact: true }).click())
        yield* does(() => page.locator(".result.rejected", { hasText: "BadDeviceToken" }).waitFor())
        yield* does(() => page.getByLabel("Payload").fill("{"))
        yield* does(() => page.getByRole("button", { name: "Send", exact: true }).click())
        yield* does(() => page.getByText("The payload is not JSON").waitFor())
      }))

    it.scopedLive("sends a push again as it was", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        yield* alert(inbox, "Once more", { collapseId: "again", priority: 5, token: other })
        const page = yield* visit(inbox, "#/push/1")
        yield* does(() => page.getByRole("button", { name: "Send again…" }).click())
        yield* does(() => page.getByRole("button", { name: "Send", exact: true }).click())
        const push = yield* inbox.waitFor({}, { after: 1 })
        const first = yield* inbox.get(1)
        assert.deepStrictEqual(push.payload, first.payload)
        assert.strictEqual(push.token, other)
        assert.strictEqual(push.collapseId, "again")
        assert.strictEqual(push.priority, 5)
        assert.strictEqual(push.topic, topic)
      }))

    it.scopedLive("proposes the topic of the inbox, also where the form is opened first", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make({ topic: "com.example.lunch" })
        const page = yield* visit(inbox, "#/send")
        assert.strictEqual(yield* does(() => page.getByLabel("Bundle ID").inputValue()), "com.example.lunch")
      }))

    it.scopedLive("offers Apple's sandbox only where there are credentials for it", () =>
      Effect.gen(function*() {
        const plain = yield* Inbox.make()
        const page = yield* visit(plain, "#/send")
        assert.strictEqual(yield* does(() => page.getByText("Apple's sandbox").count()), 0)
      }))
  })

  describe("hostile pushes", () => {
    const script = "<img src=x onerror=\"window.hacked=1\"><script>window.hacked=1</script>"
    const path = "<img/src=x/onerror=\"window.hacked=1\">"
    const node = { type: "img", props: { src: "x", onerror: "window.hacked=1" }, __v: 1, constructor: undefined }
    const hostile = `${script}\u202e\u0000"'>\${1}{{1}}`

    const raw = (
      inbox: Inbox.Inbox,
      headers: Record<string, string>,
      body: string
    ) =>
      does(() =>
        new Promise<void>((resolve, reject) => {
          const session = http2.connect(inbox.mock.origin, { ca: inbox.mock.ca })
          session.on("error", reject)
          const stream = session.request({ ":method": "POST", ":path": `/3/device/${token}`, ...headers })
          // what HTTP/2 itself forbids never becomes a push
          stream.on("error", () => {})
          stream.on("close", () => {
            session.close()
            resolve()
          })
          stream.resume()
          stream.end(body)
        })
      )

    it.scopedLive("shows what is in any field as text", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make({ mock: { auth: "none" } })
        const base = { "apns-topic": topic, "apns-push-type": "alert" }
        const claims = Buffer.from(JSON.stringify({ iss: script, iat: script, [script]: node })).toString("base64url")
        const everywhere = {
          alert: { title: hostile, subtitle: hostile, body: hostile, [script]: script },
          sound: { name: hostile, critical: 1, [script]: 1 },
          badge: 7,
          "thread-id": hostile,
          category: hostile,
          "interruption-level": hostile,
          [script]: script
        }
        const pushes: ReadonlyArray<readonly [Record<string, string>, unknown]> = [
          [base, { aps: everywhere, [script]: { [script]: script } }],
          [base, { aps: { alert: node, sound: node, "thread-id": node, category: node, badge: node } }],
          [base, { aps: { alert: { title: node, subtitle: [node], body: node, "loc-key": node } } }],
          [base, { aps: { alert: { "title-loc-key": script, "title-loc-args": [script, node], "loc-key": script } } }],
          [{ ...base, "apns-push-type": "liveactivity", "apns-topic": `${topic}.push-type.liveactivity` }, {
            aps: {
              event: script,
              timestamp: script,
              "attributes-type": script,
              attributes: { [script]: script },
              "content-state": { [script]: script, node },
              "stale-date": 1e300,
              alert: { title: script, body: node, sound: script }
            }
          }],
          [{ ...base, "apns-push-type": "voip", "apns-topic": `${topic}.voip` }, { callerName: script, from: node }],
          [{ ...base, "apns-push-type": "background" }, { aps: {}, [script]: script }],
          [{ ...base, "apns-push-type": script }, { aps: { alert: "x" } }],
          [{ ...base, "apns-topic": script }, { aps: { alert: "x" } }],
          [{ ...base, "apns-collapse-id": script.slice(0, 60) }, { aps: { alert: "x" } }],
          [{ ...base, "apns-id": script, "apns-priority": script, "apns-expiration": script }, { aps: { alert: "x" } }],
          [{ ...base, [":path"]: `/3/device/${path}` }, { aps: { alert: "x" } }],
          [{ ...base, [":path"]: `/4/broadcasts/apps/${path}`, "apns-channel-id": script }, { aps: { alert: "x" } }],
          [{ ...base, [":path"]: `/1/apps/${path}/channels`, "apns-channel-id": script }, { aps: { alert: "x" } }],
          [{ ...base, "x-custom": script }, { aps: { alert: "x" } }],
          [{ ...base, authorization: `bearer ${claims}.${claims}.${claims}` }, { aps: { alert: "x" } }],
          [{ ...base, authorization: script }, { aps: { alert: "x" } }]
        ]
        for (const [headers, body] of pushes) yield* raw(inbox, headers, JSON.stringify(body))
        yield* raw(inbox, base, script)
        yield* raw(inbox, base, `"${script.replaceAll("\"", "\\\"")}"`)
        yield* inbox.answer({ reason: script, times: 1 })
        yield* raw(inbox, base, "{\"aps\":{\"alert\":\"x\"}}")
        yield* inbox.answer({ reason: script, token: script, topic: script })
        const page = yield* visit(inbox)
        const { total: count } = yield* inbox.counts
        assert.isAtLeast(count, pushes.length)
        const harmless = does(async () => {
          const state = await page.evaluate(() => ({
            hacked: "hacked" in window,
            images: document.querySelectorAll("#app img:not([src='/assets/icon.svg'])").length,
            scripts: document.querySelectorAll("#app script").length
          }))
          assert.deepStrictEqual(state, { hacked: false, images: 0, scripts: 0 })
        })
        yield* harmless
        for (let id = 1; id <= count; id++) {
          yield* does(() => page.evaluate((id) => void (location.hash = `#/push/${id}`), id))
          yield* does(() => page.locator(`article[aria-label='Push ${id}']:not([aria-busy])`).waitFor())
          yield* harmless
        }
        yield* does(() => page.evaluate(() => void (location.hash = "#/answers")))
        yield* does(() => page.locator(".rules li").waitFor())
        yield* harmless
        const list = yield* does(() => page.locator(".list").innerText())
        assert.include(list, "<img src=x onerror=\"window.hacked=1\">")
        yield* does(() =>
          page.evaluate(() =>
            void (location.hash = "#/?text=%3Cimg%20src=x%20onerror=%22window.hacked=1%22%3E&topic=<script>")
          )
        )
        yield* does(() => page.locator(".chip").waitFor())
        yield* harmless
      }))

    it.scopedLive("cannot be driven or framed by another site", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        const elsewhere = yield* Inbox.make()
        const page = yield* Effect.acquireRelease(
          does(async () => (await open(browser, elsewhere.url)).page),
          (page) => does(() => page.context().close())
        )
        // a page of another origin; the policy of the inbox itself is off for it, as it would be there
        const context = yield* Effect.acquireRelease(
          does(() => browser.newContext({ bypassCSP: true })),
          (context) => does(() => context.close())
        )
        const evil = yield* does(() => context.newPage())
        yield* does(() => evil.goto(elsewhere.url))
        const outcome = yield* does(() =>
          evil.evaluate(async (target) => {
            const tries = await Promise.allSettled([
              fetch(`${target}api/pushes`).then((response) => response.text()),
              fetch(`${target}api/pushes`, { method: "DELETE" }),
              fetch(`${target}api/answers`, { method: "POST", mode: "no-cors", body: "{\"reason\":\"X\"}" }).then(
                () => {
                  throw new Error("opaque")
                }
              )
            ])
            return tries.map(({ status }) => status)
          }, inbox.url)
        )
        assert.deepStrictEqual(outcome, ["rejected", "rejected", "rejected"])
        assert.deepStrictEqual(yield* inbox.answers, [])
        yield* does(() => page.title())
      }))
  })

  describe("for everybody", () => {
    const places = ["", "#/push/9", "#/push/6", "#/send", "#/answers"]

    for (const colorScheme of ["light", "dark"] as const) {
      for (const width of [1280, 390, 320]) {
        it.scopedLive(`is accessible in ${colorScheme} colors, ${width} pixels wide`, () =>
          Effect.gen(function*() {
            const inbox = yield* Inbox.make()
            const page = yield* visit(inbox, "", { colorScheme, viewport: { width, height: 800 } })
            yield* accessible(page)
            yield* nowhereWider(page)
            yield* demo(inbox)
            yield* inbox.answer({ reason: "Unregistered", token: other })
            for (const place of places) {
              yield* does(() => page.evaluate((place) => void (location.hash = place), place))
              yield* does(() => page.waitForTimeout(150))
              yield* accessible(page)
              yield* nowhereWider(page)
            }
          }))
      }
    }

    it.scopedLive("changes between light and dark, and remembers it", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        const page = yield* visit(inbox, "", { colorScheme: "light" })
        const paper = does(() => page.evaluate(() => getComputedStyle(document.body).backgroundColor))
        assert.strictEqual(yield* paper, "rgb(255, 255, 255)")
        yield* does(() => page.getByRole("button", { name: "Light or dark" }).click())
        assert.strictEqual(yield* paper, "rgb(23, 23, 28)")
        yield* does(() => page.reload())
        yield* does(() => page.waitForSelector(".live.open"))
        assert.strictEqual(yield* paper, "rgb(23, 23, 28)")
      }))

    it.scopedLive("shows one thing at a time on a phone, and the way back", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        yield* demo(inbox)
        const page = yield* visit(inbox, "", { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true })
        yield* does(() => page.locator(".card.call").tap())
        yield* does(() => page.locator(".push h2", { hasText: "Jenna Ortiz" }).waitFor())
        assert.isFalse(yield* does(() => page.locator(".list").isVisible()))
        yield* does(() => page.getByRole("link", { name: "Back to the list" }).tap())
        yield* does(() => page.locator(".card.call").waitFor())
        assert.isFalse(yield* does(() => page.locator(".pane").isVisible()))
      }))

    it.scopedLive("can be used by keyboard alone", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        yield* demo(inbox)
        const page = yield* visit(inbox)
        const press = (key: string) => does(() => page.keyboard.press(key))
        const heading = (text: string) => does(() => page.locator(".push h2", { hasText: text }).waitFor())
        yield* press("j")
        yield* heading("Jenna")
        yield* press("j")
        yield* press("ArrowDown")
        yield* press("k")
        yield* does(() =>
          page.waitForFunction(() =>
            document.activeElement?.textContent?.includes("Lisbon") ??
              document.activeElement?.getAttribute("aria-current") === "true"
          )
        )
        yield* press("/")
        assert.strictEqual(yield* does(() => page.evaluate(() => document.activeElement?.id)), "search")
        yield* does(() => page.keyboard.type("basement"))
        yield* does(() => page.waitForFunction(() => document.querySelectorAll(".cards .card").length === 1))
        yield* press("Escape")
        yield* press("j")
        yield* heading("Water in the basement")
        yield* press("Escape")
        yield* does(() => page.locator(".hint").waitFor())
        yield* press("s")
        yield* does(() => page.getByRole("heading", { name: "Send a push" }).waitFor())
        yield* press("a")
        yield* does(() => page.getByRole("heading", { name: "Answers" }).waitFor())
        yield* press("?")
        yield* does(() => page.getByRole("dialog").waitFor())
        yield* accessible(page)
        yield* press("Escape")
        assert.strictEqual(yield* does(() => page.getByRole("dialog").count()), 0)
        // what has the focus shows it
        yield* press("Tab")
        const outline = yield* does(() =>
          page.evaluate(() => {
            const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement ?? document.body)
            return `${outlineStyle} ${outlineWidth}`
          })
        )
        assert.strictEqual(outline, "solid 3px")
      }))

    it.scopedLive("keeps the focus in its help while that is open, and what is typed at Escape", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        yield* demo(inbox)
        const page = yield* visit(inbox)
        yield* does(() => page.keyboard.press("?"))
        yield* does(() => page.getByRole("link", { name: "read about it" }).focus())
        yield* alert(inbox, "meanwhile")
        yield* does(() => page.waitForFunction(() => document.body.innerText.includes("meanwhile")))
        const focused = does(() => page.evaluate(() => document.activeElement?.textContent))
        assert.strictEqual(yield* focused, "read about it")
        for (let i = 0; i < 8; i++) {
          yield* does(() => page.keyboard.press("Tab"))
          const outside = yield* does(() => page.evaluate(() => document.activeElement?.closest(".bar, main") !== null))
          assert.isFalse(outside)
        }
        yield* does(() => page.keyboard.press("Escape"))
        yield* does(() => page.keyboard.press("s"))
        const payload = page.getByLabel("Payload")
        yield* does(() => payload.fill("{ \"typed\": true }"))
        yield* does(() => page.keyboard.press("Escape"))
        assert.strictEqual(yield* does(() => payload.inputValue()), "{ \"typed\": true }")
        yield* does(() => page.keyboard.press("Escape"))
        yield* does(() => page.locator(".hint").waitFor())
      }))

    it.scopedLive("the inbox is stopped -> errors are shown; it is back -> they disappear", () =>
      Effect.gen(function*() {
        const first = yield* Scope.make()
        const inbox = yield* Inbox.make().pipe(Scope.extend(first))
        yield* alert(inbox, "before")
        const { page } = yield* Effect.acquireRelease(
          does(() => open(browser, inbox.url)),
          ({ page }) => does(() => page.context().close())
        )
        yield* Scope.close(first, Exit.void)
        yield* does(() => page.locator(".live.lost").waitFor())
        yield* does(() => page.getByRole("button", { name: "Clear" }).click())
        yield* does(() => page.getByRole("alert").waitFor())
        assert.include((yield* texts(page, "[role=alert]"))[0], "The pushes were not cleared")
        yield* does(() => page.evaluate("location.hash = '#/push/1'"))
        yield* does(() => page.locator(".push h2", { hasText: "before" }).waitFor())
        yield* does(() => page.getByRole("button", { name: "Clear" }).click())
        yield* does(() => page.getByRole("alert").waitFor())
        yield* Inbox.make({ page: { port: inbox.port } })
        yield* does(() => page.waitForSelector(".live.open"))
        yield* does(() => page.getByText("There is no such push here").waitFor())
        assert.strictEqual(yield* does(() => page.getByRole("alert").count()), 0)
      }))

    it.scopedLive("loads nothing from other hosts, and violates no rule of its policy", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        yield* demo(inbox)
        const context = yield* Effect.acquireRelease(
          does(() => browser.newContext()),
          (context) => does(() => context.close())
        )
        const page = yield* does(() => context.newPage())
        const loaded: Array<string> = []
        page.on("request", (request) => loaded.push(new URL(request.url()).origin))
        const violations: Array<string> = []
        yield* does(() => page.exposeFunction("violated", (what: string) => void violations.push(what)))
        yield* does(() =>
          page.addInitScript(
            "document.addEventListener('securitypolicyviolation', (event) => window.violated(event.violatedDirective))"
          )
        )
        for (const path of ["", "#/push/9", "#/send", "#/answers", "docs"]) {
          yield* does(() => page.goto(`${inbox.url}${path}`))
          yield* does(() => page.waitForSelector("h1"))
        }
        assert.deepStrictEqual([...new Set(loaded)], [inbox.url.slice(0, -1)])
        assert.deepStrictEqual(violations, [])
      }))

    it.scopedLive("has a page about its API", () =>
      Effect.gen(function*() {
        const inbox = yield* Inbox.make()
        const context = yield* Effect.acquireRelease(
          does(() => browser.newContext()),
          (context) => does(() => context.close())
        )
        const page = yield* does(() => context.newPage())
        yield* does(() => page.goto(`${inbox.url}docs`))
        yield* does(() => page.getByText("/api/pushes/next", { exact: true }).waitFor())
        yield* accessible(page)
      }))
  })

  it.scopedLive("after a very large burst of changes -> shows also those that were skipped", () =>
    Effect.gen(function*() {
      const inbox = yield* Inbox.make()
      const page = yield* visit(inbox)
      const total = 450
      yield* inbox.answer({ delay: 60_000 })
      const fiber = yield* Effect.fork(
        Effect.forEach(Array.from({ length: total }), (_, i) => alert(inbox, `push ${i}`), {
          concurrency: "unbounded",
          discard: true
        })
      )
      yield* does(() => page.waitForFunction(() => document.title === "(450) Inbox"))
      const more = page.getByRole("button", { name: "Show more" })
      while (yield* does(() => more.isVisible())) yield* does(() => more.click())
      // all of them are lost in one moment: more than one event tells
      yield* Fiber.interrupt(fiber)
      yield* does(() =>
        page.waitForFunction(() => document.querySelector(".summary")?.textContent?.includes("450 lost"))
      )
      yield* does(() => page.waitForFunction(() => document.querySelectorAll(".card.waiting").length === 0))
      const older = page.getByRole("button", { name: "Load older pushes" })
      for (let shown = 0; shown < total; shown = yield* does(() => page.locator(".cards .card").count())) {
        // the button goes while what was asked for before arrives: a click that comes too late is no fault
        yield* does(() => older.click({ timeout: 500 }).catch(() => undefined))
      }
      const ids = yield* does(() =>
        page.locator(".cards .card").evaluateAll((all) => all.map((card) => Number(card.getAttribute("data-id"))))
      )
      assert.deepStrictEqual(ids, Array.from({ length: total }, (_, i) => total - i))
    }))

  it.scopedLive("a burst -> keeps only the newest, and counts all", () =>
    Effect.gen(function*() {
      const inbox = yield* Inbox.make({ page: { keep: 300 } })
      const page = yield* visit(inbox)
      const total = 2000
      yield* Effect.forEach(Array.from({ length: total }, (_, i) => i), (i) => alert(inbox, `push ${i}`), {
        concurrency: 100
      })
      yield* does(() => page.waitForFunction(() => document.title === "(2,000) Inbox"))
      yield* does(() =>
        page.waitForFunction(() => document.querySelector(".summary")?.textContent?.includes("the newest 300 kept"))
      )
      assert.isAtMost(yield* does(() => page.locator(".cards .card").count()), 100)
      assert.strictEqual((yield* inbox.counts).accepted, total)
      assert.isDefined(MockApns.MockApns)
    }))
})
