/**
 * 100,000 pushes at full speed with the page open: how fast they come, how long the page takes to answer a click
 * meanwhile, and what server and page hold afterwards.
 *
 *   node --conditions=@effect-apns/source --import tsx packages/inbox/test/burst.ts [COUNT]
 */
import { Credentials, Endpoint } from "@effect-apns/core"
import { Inbox } from "@effect-apns/inbox"
import { Notification } from "@effect-apns/models"
import { ApnsPool, sendAll } from "@effect-apns/pool"
import { Effect, Either, Redacted, Stream } from "effect"
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { launch, open } from "./utils/browser.js"

const total = Number(process.argv[2] ?? 100_000)

const topic = "com.example.app"

const tokenOf = (i: number): string => i.toString(16).padStart(64, "0")

/** The sender is a process of its own, as in life. */
const sender = Effect.gen(function*() {
  const { CA = "", KEY = "", KEY_ID = "", ORIGIN = "", TEAM_ID = "" } = process.env
  const credentials = yield* Credentials.token({ key: Redacted.make(KEY), keyId: KEY_ID, teamId: TEAM_ID })
  const pool = yield* ApnsPool.make({
    endpoint: Either.getOrThrow(Endpoint.make(ORIGIN)),
    ca: CA,
    credentials,
    topic,
    size: 4
  })
  const tokens = Stream.range(1, total).pipe(Stream.map(tokenOf))
  const notification = Notification.alert({
    alert: { title: "Burst", body: "One of very many, of an ordinary length." },
    badge: 1,
    sound: "default"
  })
  yield* Stream.runDrain(sendAll(tokens, { notification })).pipe(Effect.provideService(ApnsPool.ApnsPool, pool))
}).pipe(Effect.scoped)

const megabytes = (bytes: number): string => `${Math.round(bytes / 1024 / 1024)} MB`

const quantile = (sorted: ReadonlyArray<number>, q: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? NaN

/** Clicks one of the cards at the top, and measures until the pane shows its push. As text: a compiler's helpers are not in the page. */
const click = `new Promise((resolve) => {
  const cards = document.querySelectorAll(".cards .card")
  const card = cards[Math.floor(Math.random() * Math.min(8, cards.length))]
  const id = card.dataset.id
  const begun = performance.now()
  card.click()
  const look = () => {
    const took = performance.now() - begun
    if (document.querySelector('article[aria-label="Push ' + id + '"]') !== null) resolve(took)
    else if (took > 5000) resolve(5000)
    else requestAnimationFrame(look)
  }
  requestAnimationFrame(look)
})`

const receiver = Effect.gen(function*() {
  const inbox = yield* Inbox.make({ topic })
  const browser = yield* Effect.acquireRelease(
    Effect.promise(launch),
    (browser) => Effect.promise(() => browser.close())
  )
  const { page, problems } = yield* Effect.promise(() => open(browser, inbox.url))
  yield* inbox.send({ token: tokenOf(0), topic, pushType: "alert", payload: { aps: { alert: "First" } } })
  const before = process.memoryUsage()
  yield* Effect.promise(() => page.waitForSelector(".card"))
  const { ca, credentials, origin } = inbox.mock
  const started = performance.now()
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      fork(fileURLToPath(import.meta.url), [String(total)], {
        execArgv: process.execArgv,
        env: {
          ...process.env,
          SENDER: "1",
          CA: ca,
          KEY: credentials.key,
          KEY_ID: credentials.keyId,
          ORIGIN: origin,
          TEAM_ID: credentials.teamId
        }
      })
    ),
    (child) => Effect.sync(() => child.kill())
  )
  let done = false
  const sent = Effect.async<void>((resume) => {
    child.once("exit", () => {
      done = true
      resume(Effect.void)
    })
  })
  const waits: Array<number> = []
  // in the page: a click on whatever stands at the top, until the pane shows that push
  const clicks = Effect.promise(async () => {
    while (!done) {
      const took = await page.evaluate<number>(click)
      waits.push(took)
      await page.waitForTimeout(50)
    }
  })
  let peak = 0
  const watch = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().rss)
  }, 100)
  yield* Effect.all([sent, clicks], { concurrency: 2 })
  clearInterval(watch)
  const seconds = (performance.now() - started) / 1000
  yield* Effect.promise(() =>
    page.waitForFunction((title) => document.title === title, `(${(total + 1).toLocaleString("en-US")}) Inbox`)
  )
  const counts = yield* inbox.counts
  const session = yield* Effect.promise(() => page.context().newCDPSession(page))
  yield* Effect.promise(() => session.send("HeapProfiler.collectGarbage"))
  const { usedSize } = yield* Effect.promise(() => session.send("Runtime.getHeapUsage"))
  const cards = yield* Effect.promise(() => page.locator(".cards .card").count())
  const after = process.memoryUsage()
  const sorted = waits.filter(Number.isFinite).sort((a, b) => a - b)
  console.log(`${total} pushes in ${seconds.toFixed(1)} s, the sender's start included`)
  console.log(`counts: ${JSON.stringify(counts)}`)
  console.log(
    `${sorted.length} clicks meanwhile: median ${quantile(sorted, 0.5).toFixed(0)} ms, 95 % ${
      quantile(sorted, 0.95).toFixed(0)
    } ms, worst ${quantile(sorted, 1).toFixed(0)} ms`
  )
  console.log(
    `server: heap ${megabytes(before.heapUsed)} before, ${megabytes(after.heapUsed)} after; resident ${
      megabytes(before.rss)
    } before, ${megabytes(peak)} at most`
  )
  console.log(`page: heap ${megabytes(usedSize)}, ${cards} cards drawn`)
  if (counts.total !== total + 1 || counts.accepted !== total + 1) throw new Error("The counts are wrong")
  if (problems.length > 0) throw new Error(problems.join("\n"))
}).pipe(Effect.scoped)

Effect.runPromise(process.env["SENDER"] === "1" ? sender : receiver).catch((error: unknown) => {
  console.error(error)
  process.exitCode = 1
})
