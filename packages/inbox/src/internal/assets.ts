/**
 * The files of the page, read once. The page is TypeScript compiled to modules; preact and htm are served from their
 * packages as they are.
 *
 * @internal
 */
import { createHash } from "node:crypto"
import { readFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"

/** @internal */
export interface Asset {
  readonly type: string
  readonly body: Uint8Array
  readonly etag: string
}

/** @internal */
export interface Assets {
  readonly files: ReadonlyMap<string, Asset>
  /** Sources of the inline import maps, as a Content-Security-Policy takes them. */
  readonly hashes: ReadonlyArray<string>
}

const modules = ["app", "card", "detail", "docs", "dom", "format", "panels", "state"]

const types: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml"
}

const inline = /<script type="importmap">([\s\S]*?)<\/script>/g

const digest = (body: string | Uint8Array): string => createHash("sha256").update(body).digest("base64")

/** @internal */
export const load = async (): Promise<Assets> => {
  const require = createRequire(import.meta.url)
  // by its name, so that it is found from a bundle as well
  const root = dirname(require.resolve("@effect-apns/inbox/package.json"))
  const own = createRequire(join(root, "package.json"))
  const preact = dirname(own.resolve("preact/package.json"))
  const htm = dirname(own.resolve("htm"))
  const files = new Map<string, Asset>()
  const add = async (path: string, file: string): Promise<void> => {
    const body = await readFile(file).catch((cause: unknown) => {
      throw new Error(
        `The inbox misses ${file}, a file of its page; in a clone of the repository, build it first: npm run build`,
        { cause }
      )
    })
    files.set(path, {
      type: types[path.slice(path.lastIndexOf(".") + 1)] ?? "text/html; charset=utf-8",
      body,
      etag: `"${digest(body).slice(0, 22)}"`
    })
  }
  await Promise.all([
    add("/", join(root, "page", "index.html")),
    add("/docs", join(root, "page", "docs.html")),
    add("/assets/style.css", join(root, "page", "style.css")),
    add("/assets/icon.svg", join(root, "page", "icon.svg")),
    ...modules.map((name) => add(`/assets/${name}.js`, join(root, "dist", "page", `${name}.js`))),
    add("/assets/vendor/preact.js", join(preact, "dist", "preact.module.js")),
    add("/assets/vendor/hooks.js", join(preact, "hooks", "dist", "hooks.module.js")),
    add("/assets/vendor/htm.js", join(htm, "htm.module.js"))
  ])
  const hashes = new Set<string>()
  for (const { body, type } of files.values()) {
    if (!type.startsWith("text/html")) continue
    for (const [, map] of Buffer.from(body).toString("utf8").matchAll(inline)) {
      hashes.add(`'sha256-${digest(map ?? "")}'`)
    }
  }
  return { files, hashes: Array.from(hashes) }
}
