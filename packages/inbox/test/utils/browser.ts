import { existsSync } from "node:fs"
import type { Browser, BrowserContextOptions, Page } from "playwright-core"
import { chromium } from "playwright-core"

/** Debian's Chromium, or the one that CHROMIUM names. */
export const executable = [process.env["CHROMIUM"], "/usr/bin/chromium", "/usr/bin/chromium-browser"].find(
  (path) => path !== undefined && existsSync(path)
)

export const hasBrowser = executable !== undefined

if (!hasBrowser) console.warn("There is no Chromium here: the tests of the page are skipped")

/** A browser with a fresh profile that talks to nobody by itself. */
export const launch = (): Promise<Browser> =>
  chromium.launch({
    executablePath: executable ?? "chromium",
    headless: true,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync"
    ]
  })

/** A page, and what it complained about: whatever a test does, it must stay empty. */
export const open = async (
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {}
): Promise<{ readonly page: Page; readonly problems: Array<string> }> => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options })
  const page = await context.newPage()
  page.setDefaultTimeout(15_000)
  const problems: Array<string> = []
  page.on("pageerror", (error) => problems.push(String(error)))
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") problems.push(message.text())
  })
  await page.goto(url)
  await page.waitForSelector(".live.open")
  return { page, problems }
}
