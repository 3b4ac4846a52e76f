/**
 * Makes the pictures of the README and of the guide, and fails where one is too large for a repository.
 *
 *   npm run screenshots
 */
import { Inbox } from "@effect-apns/inbox"
import { Effect } from "effect"
import { mkdirSync, statSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { hasBrowser, launch, open } from "./utils/browser.js"
import { demo } from "./utils/demo.js"

const folder = process.argv[2] ?? fileURLToPath(new URL("../../../docs/images/", import.meta.url))

const limit = 150 * 1024

const program = Effect.gen(function*() {
  if (!hasBrowser) return yield* Effect.fail(new Error("There is no Chromium here: install it, or name it in CHROMIUM"))
  mkdirSync(folder, { recursive: true })
  const inbox = yield* Inbox.make({ topic: "com.example.messages" })
  const browser = yield* Effect.acquireRelease(
    Effect.promise(launch),
    (browser) => Effect.promise(() => browser.close())
  )
  const shoot = (
    name: string,
    path: string,
    options: { readonly dark?: boolean; readonly width?: number; readonly height?: number } = {}
  ) =>
    Effect.promise(async () => {
      const { page } = await open(browser, `${inbox.url}${path}`, {
        colorScheme: options.dark === true ? "dark" : "light",
        viewport: { width: options.width ?? 1160, height: options.height ?? 740 },
        reducedMotion: "reduce",
        deviceScaleFactor: 1.5
      })
      await page.waitForTimeout(300)
      const file = `${folder}/${name}.webp`
      const session = await page.context().newCDPSession(page)
      const { data } = await session.send("Page.captureScreenshot", { format: "webp", quality: 88 })
      writeFileSync(file, Buffer.from(data, "base64"))
      await page.context().close()
      const { size } = statSync(file)
      console.log(`${name}.webp: ${Math.round(size / 1024)} kB`)
      if (size > limit) throw new Error(`${file} has ${size} bytes, more than ${limit}`)
    })
  yield* shoot("inbox-empty", "")
  yield* demo(inbox)
  const { pushes } = yield* inbox.list()
  const flagged = pushes.find(({ app }) => app === "Travel")?.id ?? 1
  const match = pushes.find(({ kind }) => kind === "liveactivity")?.id ?? 1
  yield* shoot("inbox-list", `#/push/${match}`)
  yield* shoot("inbox-detail", `#/push/${flagged}`, { dark: true })
  yield* inbox.answer({ reason: "TooManyRequests", retryAfter: 30, times: 3 })
  yield* shoot("inbox-answers", "#/answers")
  yield* shoot("inbox-send", "#/send")
  yield* shoot("inbox-phone", "", { width: 390, height: 844 })
})

Effect.runPromise(Effect.scoped(program)).catch((error: unknown) => {
  console.error(error)
  process.exitCode = 1
})
