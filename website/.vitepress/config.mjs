import { existsSync, readdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitepress"
import { guides } from "../guides.mjs"

const pages = fileURLToPath(new URL("../pages/", import.meta.url))

/** The modules of the reference, a group for each package. */
const reference = () => {
  const folder = `${pages}reference`
  if (!existsSync(folder)) return []
  const order = ["effect-apns", "pool", "models", "core", "testing", "inbox", "outbox", "cli", "http2"]
  return order.filter((name) => existsSync(`${folder}/${name}`)).map((name) => ({
    text: name,
    collapsed: true,
    items: readdirSync(`${folder}/${name}`, { recursive: true }).filter((file) => file.endsWith(".md")).sort().map(
      (file) => ({ text: file.replace(/\.md$/, ""), link: `/reference/${name}/${file.replace(/\.md$/, "")}` })
    )
  }))
}

/** As GitHub names headings: one link to a heading works there and here. */
const slugify = (text) => text.trim().toLowerCase().replace(/[^\p{L}\p{M}\p{N}_ -]/gu, "").replaceAll(" ", "-")

/** Guides come before the reference, which has more pages and says less on each; short words are not taken for similar ones. */
const searchOptions = {
  boostDocument: (id) => id.includes("/reference/") ? 1 : 3,
  fuzzy: (term) => term.length > 6 ? 0.2 : false
}

export default defineConfig({
  title: "effect-apns",
  description: "Apple push notifications for Effect and for Node: one honest outcome for each, microseconds of CPU",
  lang: "en-US",
  base: process.env.SITE_BASE ?? "/",
  srcDir: "pages",
  // every link names its file, so that any server of files will do
  cleanUrls: false,
  lastUpdated: false,
  // neither fonts nor scripts from elsewhere: the site works offline
  head: [
    ["meta", { name: "color-scheme", content: "light dark" }],
    ["link", { rel: "icon", type: "image/svg+xml", href: `${process.env.SITE_BASE ?? "/"}icon.svg` }]
  ],
  markdown: { anchor: { slugify }, theme: { light: "github-light", dark: "github-dark" } },
  themeConfig: {
    search: { provider: "local", options: { detailedView: true, miniSearch: { searchOptions } } },
    nav: [
      { text: "Start", link: "/start" },
      { text: "Guides", link: "/sending" },
      { text: "Reference", link: "/reference/" },
      { text: "Benchmarks", link: "/benchmarks" }
    ],
    sidebar: {
      "/reference/": [{ text: "Guides", link: "/start" }, ...reference()],
      "/": guides
    },
    outline: [2, 3],
    socialLinks: [{ icon: "github", link: "https://github.com/effect-apns/effect-apns" }],
    editLink: { pattern: "https://github.com/effect-apns/effect-apns/edit/main/docs/:path", text: "Edit this page" },
    footer: { message: "MIT licensed" }
  }
})
