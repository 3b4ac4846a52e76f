import * as Effect from "effect/Effect"

const names = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]

// Loaded when it is asked for: most programs have no proxy, and all of them would pay for it when they start.
const library = Effect.promise(() => import("proxy-from-env"))

/** The proxy's URL for `origin`, `undefined` for none. */
export const proxyFor = (origin: string): Effect.Effect<string | undefined> =>
  Effect.map(library, ({ getProxyForUrl }) => normalized(getProxyForUrl(origin)))

const normalized = (url: string): string | undefined => {
  if (url === "") {
    return undefined
  }
  // The library gives a value without a scheme the one of the target; every other tool reads it as an HTTP proxy.
  const bare = url.startsWith("https://") ? url.slice("https://".length) : undefined
  return bare !== undefined && names.some((name) => process.env[name] === bare) ? `http://${bare}` : url
}
