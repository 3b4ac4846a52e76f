import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs"
import * as Http from "node:http"
import { extname, join, normalize } from "node:path"
import { fileURLToPath } from "node:url"
import { type Browser, chromium, type Page } from "playwright-core"

const dist = fileURLToPath(new URL("../.vitepress/dist", import.meta.url))
const browserPath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) =>
  existsSync(path)
)

const missing = !existsSync(join(dist, "index.html"))
  ? "the site is not built: npm run site"
  : browserPath === undefined
  ? "there is no Chromium on this machine"
  : undefined

const types: Readonly<Record<string, string>> = {
  ".css": "text/css",
  ".html": "text/html",
  ".js": "text/javascript",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".woff2": "font/woff2"
}

const fileOf = (path: string): string | undefined =>
  [path, join(path, "index.html")].map((name) => join(dist, normalize(name)))
    .find((name) => name.startsWith(dist) && existsSync(name) && statSync(name).isFile())

/** The built files on a port of loopback, as any server of files serves them. */
const server = Effect.acquireRelease(
  Effect.async<Http.Server>((resume) => {
    const http = Http.createServer((request, response) => {
      const file = fileOf(decodeURIComponent(new URL(request.url ?? "/", "http://site").pathname))
      if (file === undefined) return response.writeHead(404).end()
      response.writeHead(200, { "content-type": types[extname(file)] ?? "application/octet-stream" })
      return response.end(readFileSync(file))
    })
    http.listen(0, "127.0.0.1", () => resume(Effect.succeed(http)))
  }),
  (http) =>
    Effect.async<void>((resume) => {
      http.close(() => resume(Effect.void))
      http.closeAllConnections()
    })
).pipe(
  Effect.map((http) => {
    const address = http.address()
    return `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`
  })
)

const browser = Effect.acquireRelease(
  Effect.promise(() =>
    chromium.launch({
      ...(browserPath === undefined ? undefined : { executablePath: browserPath }),
      args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]
    })
  ),
  (browser) => Effect.promise(() => browser.close())
)

const open = (browser: Browser, width: number, height: number, path: string, colorScheme: "light" | "dark" = "light") =>
  Effect.gen(function*() {
    const page = yield* Effect.acquireRelease(
      Effect.promise(() => browser.newPage({ viewport: { width, height }, colorScheme })),
      (page) => Effect.promise(() => page.close())
    )
    const foreign: Array<string> = []
    const errors: Array<string> = []
    page.on("request", (request) => {
      if (!request.url().startsWith(new URL(path).origin) && !request.url().startsWith("data:")) {
        foreign.push(request.url())
      }
    })
    page.on("pageerror", (error) => errors.push(error.message))
    yield* Effect.promise(() => page.goto(path, { waitUntil: "networkidle" }))
    return { errors, foreign, page }
  })

const overflow = (page: Page) =>
  Effect.promise(() =>
    page.evaluate<number>("document.documentElement.scrollWidth - document.documentElement.clientWidth")
  )

describe.skipIf(missing !== undefined)(`the website${missing === undefined ? "" : ` (skipped: ${missing})`}`, () => {
  it.scopedLive("search finds collapseId, without a request to another host", () =>
    Effect.gen(function*() {
      const url = yield* server
      const { errors, foreign, page } = yield* open(yield* browser, 1280, 900, `${url}/outcomes.html`)
      yield* Effect.promise(async () => {
        await page.locator("#local-search button").click()
        await page.locator("#localsearch-input").fill("collapseId")
        await page.locator("#localsearch-list a").first().waitFor()
      })
      const results = yield* Effect.promise(() => page.locator("#localsearch-list a").allTextContents())
      assert.isTrue(results.some((text) => text.toLowerCase().includes("collapseid")), results.join("\n"))
      yield* Effect.promise(async () => {
        await page.locator("#localsearch-list a").first().click()
        await page.waitForURL((to) => to.pathname !== "/outcomes.html")
      })
      assert.deepStrictEqual(foreign, [])
      assert.deepStrictEqual(errors, [])
    }))

  it.scopedLive("search finds the guide to a thing before its reference, and no words that are only similar", () =>
    Effect.gen(function*() {
      const url = yield* server
      const { page } = yield* open(yield* browser, 1280, 900, `${url}/start.html`)
      yield* Effect.promise(() => page.locator("#local-search button").click())
      for (
        const [words, guide] of [["outbox", "/outbox.html"], ["pause", "/outbox.html"], ["sendAll", ".html"]] as const
      ) {
        yield* Effect.promise(async () => {
          await page.locator("#localsearch-input").fill(words)
          await page.locator("#localsearch-list a.result mark").getByText(words, { exact: true }).first().waitFor()
        })
        const [first = ""] = yield* Effect.promise(() =>
          page.evaluate<Array<string>>(
            "[...document.querySelectorAll('#localsearch-list a.result')].map((a) => a.getAttribute('href'))"
          )
        )
        assert.include(first, guide)
        assert.notInclude(first, "/reference/")
      }
    }))

  for (const path of ["/", "/start.html", "/outcomes.html", "/benchmarks.html", "/reference/"]) {
    it.scopedLive(`${path} fits the width of a phone`, () =>
      Effect.gen(function*() {
        const url = yield* server
        const { errors, page } = yield* open(yield* browser, 375, 800, `${url}${path}`)
        assert.isAtMost(yield* overflow(page), 0)
        assert.deepStrictEqual(errors, [])
        assert.isAbove((yield* Effect.promise(() => page.locator("h1").first().textContent()))?.length ?? 0, 0)
      }))
  }

  it.scopedLive("a page is dark where the system is", () =>
    Effect.gen(function*() {
      const url = yield* server
      const { page } = yield* open(yield* browser, 1280, 900, `${url}/outcomes.html`, "dark")
      assert.isTrue(
        yield* Effect.promise(() =>
          page.evaluate<boolean>(
            "document.documentElement.classList.contains('dark')"
          )
        )
      )
    }))

  it("every guide says in its first line who it is for", () => {
    const folder = fileURLToPath(new URL("../../docs", import.meta.url))
    const guides = readdirSync(folder).filter((name) => name.endsWith(".md"))
    assert.isAbove(guides.length, 20)
    for (const name of guides) {
      const [title, , first] = readFileSync(join(folder, name), "utf8").split("\n")
      assert.match(title ?? "", /^# /, name)
      assert.match(first ?? "", /^For /, name)
    }
  })

  it.scopedLive("every guide of the sidebar is there", () =>
    Effect.gen(function*() {
      const url = yield* server
      const { page } = yield* open(yield* browser, 1280, 900, `${url}/outcomes.html`)
      const links = yield* Effect.promise(() =>
        page.evaluate<Array<string>>(
          "[...document.querySelectorAll('.VPSidebar a')].map((a) => a.getAttribute('href'))"
        )
      )
      assert.isAbove(links.length, 20)
      for (const link of links) {
        assert.strictEqual((yield* Effect.promise(() => fetch(`${url}${link}`))).status, 200, link)
      }
    }))

  it("no link, picture or script of any page leads to a file or a heading that is not there", () => {
    const pages = readdirSync(dist, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".html"))
    assert.isAbove(pages.length, 60)
    const htmlOf = new Map(pages.map((page) => [join(dist, page), readFileSync(join(dist, page), "utf8")]))
    const text = (attribute: string) =>
      attribute.replaceAll("&#39;", "'").replaceAll("&quot;", "\"").replaceAll("&amp;", "&")
    const idsOf = new Map(
      Array.from(htmlOf, ([file, html]) => [
        file,
        new Set(Array.from(html.matchAll(/\sid="([^"]+)"/g), ([, id = ""]) => text(id)))
      ])
    )
    const dead = pages.flatMap((page) => {
      const html = htmlOf.get(join(dist, page)) ?? ""
      const targets = Array.from(html.matchAll(/\s(?:href|src)="([^"]+)"/g), ([, target = ""]) => text(target))
      return targets.filter((target) => {
        const { hash, origin, pathname } = new URL(target, `http://site/${page}`)
        if (origin !== "http://site") return false
        const file = fileOf(decodeURIComponent(pathname))
        if (file === undefined) return true
        return hash.length > 1 && idsOf.get(file)?.has(decodeURIComponent(hash.slice(1))) === false
      }).map((target) => `${page}: ${target}`)
    })
    assert.deepStrictEqual(dead, [])
  })

  it.scopedLive("the home page shows the benchmark's chart, and finds its icon", () =>
    Effect.gen(function*() {
      const url = yield* server
      const { page } = yield* open(yield* browser, 1280, 900, `${url}/`)
      const width = yield* Effect.promise(() =>
        page.evaluate<number>("document.querySelector('.image-src').naturalWidth")
      )
      assert.isAbove(width, 0)
      const icon = yield* Effect.promise(() => page.getAttribute("link[rel=icon]", "href"))
      assert.strictEqual((yield* Effect.promise(() => fetch(`${url}${icon}`))).status, 200)
    }))

  it("the reference has the modules of every package", () => {
    const packages = readdirSync(fileURLToPath(new URL("../../packages", import.meta.url)))
    assert.deepStrictEqual(
      readdirSync(join(dist, "reference")).filter((name) => !name.includes(".")).sort(),
      packages.sort()
    )
  })
})
