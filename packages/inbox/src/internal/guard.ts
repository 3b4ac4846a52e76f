/**
 * Who may use the page and the API. They show what an app sends to its users and send pushes themselves, and any website
 * can make a browser talk to a port of this machine: so only requests that name a loopback host are answered (a website
 * that rebinds its own name to 127.0.0.1 still names itself), none from another origin, and elsewhere than on loopback
 * only those that know the token.
 *
 * @internal
 */
import { createHash, timingSafeEqual } from "node:crypto"

/** @internal */
export interface Guarded {
  readonly method: string
  /** Path and query. */
  readonly url: string
  readonly headers: Readonly<Record<string, string | undefined>>
}

/** @internal */
export type Verdict =
  | { readonly _tag: "Pass" }
  | { readonly _tag: "Refuse"; readonly status: number; readonly why: string }
  | { readonly _tag: "Login"; readonly cookie: { readonly name: string; readonly value: string } }

const pass: Verdict = { _tag: "Pass" }

const refuse = (status: number, why: string): Verdict => ({ _tag: "Refuse", status, why })

const loopback = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/i

const digest = (text: string): Uint8Array => createHash("sha256").update(text).digest()

const same = (a: string, b: string): boolean => timingSafeEqual(digest(a), digest(b))

/**
 * Browsers keep one jar for all ports of a host: two inboxes with tokens would take each other's cookie away. The port is the
 * one that the browser knows, which a container may map to another.
 *
 * @internal
 */
export const cookieName = (host: string): string => `apns-inbox-${/:(\d{1,5})$/.exec(host)?.[1] ?? "80"}`

/**
 * The largest body that a request may have, in bytes. What APNs takes is 5 kB at most; the rest is for trying out what it
 * does not take.
 *
 * @internal
 */
export const maxBody = 1024 * 1024

/** The value of a cookie; `undefined` if another program set a cookie of the same name to something else. */
const decoded = (value: string): string | undefined => {
  try {
    return decodeURIComponent(value)
  } catch {
    return undefined
  }
}

const pages = new Set(["/", "/docs"])

/** @internal */
export const guard = (token: string | undefined) => ({ headers, method, url }: Guarded): Verdict => {
  const { host, origin } = headers
  if (host === undefined) return refuse(403, "There is no Host header.")
  if (token === undefined && !loopback.test(host)) {
    return refuse(403, `The inbox answers to localhost, 127.0.0.1 and [::1] only, not to the host of this request.`)
  }
  const mark = url.indexOf("?")
  const path = mark < 0 ? url : url.slice(0, mark)
  const query = mark < 0 ? "" : url.slice(mark + 1)
  if (origin !== undefined && origin.toLowerCase() !== `http://${host}`.toLowerCase()) {
    return refuse(403, "The inbox takes no requests from other origins.")
  }
  const site = headers["sec-fetch-site"]
  const opened = method === "GET" && pages.has(path) && headers["sec-fetch-mode"] === "navigate" &&
    headers["sec-fetch-dest"] === "document"
  if (site !== undefined && site !== "same-origin" && site !== "none" && !opened) {
    return refuse(403, "The inbox takes no requests from other sites.")
  }
  if (method === "POST" && !/^application\/json\b/i.test(headers["content-type"] ?? "")) {
    return refuse(415, "The body must be JSON, with content-type application/json.")
  }
  if (Number(headers["content-length"] ?? 0) > maxBody) {
    return refuse(413, `The body must not be larger than ${maxBody} bytes.`)
  }
  if (token === undefined) return pass
  const given = new URLSearchParams(query).get("token")
  if (method === "GET" && path === "/" && given !== null && same(given, token)) {
    return { _tag: "Login", cookie: { name: cookieName(host), value: token } }
  }
  const bearer = /^bearer\s+(.+)$/i.exec(headers["authorization"] ?? "")?.[1]
  if (bearer !== undefined && same(bearer, token)) return pass
  for (const cookie of (headers["cookie"] ?? "").split(";")) {
    const [name, value = ""] = cookie.trim().split("=", 2)
    const given = name === cookieName(host) ? decoded(value) : undefined
    if (given !== undefined && same(given, token)) return pass
  }
  return refuse(
    401,
    "This inbox asks for a token: open the address that it printed at its start, or send it as a bearer token."
  )
}

/** @internal */
export const headersFor = (hashes: ReadonlyArray<string>): Readonly<Record<string, string>> => ({
  "content-security-policy": [
    "default-src 'none'",
    `script-src 'self' ${hashes.join(" ")}`.trim(),
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'"
  ].join("; "),
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin"
})
