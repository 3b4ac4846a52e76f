import { getProxyForUrl } from "proxy-from-env"

const names = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]

/** The proxy's URL for `origin`, `undefined` for none. */
export const proxyFor = (origin: string): string | undefined => {
  const url = getProxyForUrl(origin)
  if (url === "") {
    return undefined
  }
  // The library gives a value without a scheme the one of the target; every other tool reads it as an HTTP proxy.
  const bare = url.startsWith("https://") ? url.slice("https://".length) : undefined
  return bare !== undefined && names.some((name) => process.env[name] === bare) ? `http://${bare}` : url
}
