import * as net from "node:net"
import { unquoted } from "./quotes.js"

/** Lower case first, as curl and most others do; an empty variable counts as unset. */
const variable = (name: string): string | undefined => {
  for (const value of [process.env[name.toLowerCase()], process.env[name.toUpperCase()]]) {
    const text = unquoted(value?.trim() ?? "")
    if (text !== "") return text
  }
  return undefined
}

/**
 * The proxy's URL for a host, `undefined` for none. A value without a scheme is an HTTP proxy.
 */
export const proxyFor = (host: string, port: number): string | undefined => {
  const url = variable("https_proxy") ?? variable("all_proxy")
  if (url === undefined || isExcluded(host, port, variable("no_proxy") ?? "")) return undefined
  return url.includes("://") ? url : `http://${url}`
}

/**
 * Whether `NO_PROXY` names the host, as curl reads it: names, each with its sub-domains, addresses and networks
 * (`10.0.0.0/8`, `fd00::/8`), or `*` for every host; separated by commas or white space, in any case. Forms of other
 * tools work too: semicolons and `|` between entries, quotes around them, dots in front, `*` anywhere in a
 * name, `:port` or `:*` behind it, a whole URL.
 */
export const isExcluded = (host: string, port: number, noProxy: string): boolean => {
  const name = withoutDots(host.toLowerCase())
  const family = net.isIP(name)
  return noProxy.toLowerCase().split(/[\s,;|"']+/).filter((_) => _ !== "").some((written) => {
    // the host of a URL: the scheme does not matter, and there is no path
    const url = /^[a-z][a-z0-9+.-]*:\/\/(?:[^/@]*@)?([^/?#]*)/.exec(written)
    const entry = (url?.[1] ?? written).replace(/(?<!\/\d{0,3})\/$/, "")
    const [, bracketed, bits = "", plain = "", digits] =
      /^(?:\[([^\]]*)\](\/\d+)?|([^:]*))(?::(\d+|\*))?$/.exec(entry) ?? []
    // an IPv6 address without brackets has no port
    const excluded = bracketed === undefined ? plain === "" ? entry : plain : bracketed + bits
    if (digits !== undefined && digits !== "*" && Number(digits) !== port) return false
    if (excluded === "*") return true
    const suffix = withoutDots(excluded.replace(/^\*(?=\.|[^*]*$)/, ""))
    if (suffix.includes("*")) return glob(suffix).test(name)
    if (family !== 0) return covers(excluded, name, family)
    return suffix !== "" && (name === suffix || name.endsWith(`.${suffix}`))
  })
}

/** A name with `*` in it, for any characters. */
const glob = (pattern: string): RegExp =>
  new RegExp(`^(?:.*\\.)?${pattern.split(/\*+/).map((part) => part.replace(/[^a-z0-9]/g, "\\$&")).join(".*")}$`)

const withoutDots = (name: string): string => name.replace(/^\.+/, "").replace(/\.+$/, "")

const covers = (excluded: string, address: string, family: number): boolean => {
  const [network = "", prefix, ...rest] = excluded.split("/")
  // a zone (RFC 4007 section 11) is this machine's own name for a network
  const base = network.replace(/%.*$/, "")
  const kind = net.isIP(base)
  if (kind === 0 || rest.length > 0) return false
  const list = new net.BlockList()
  const type = kind === 6 ? "ipv6" : "ipv4"
  if (prefix === undefined) list.addAddress(base, type)
  else {
    const bits = /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1
    if (bits < 0 || bits > (kind === 6 ? 128 : 32)) return false
    list.addSubnet(base, bits, type)
  }
  return list.check(address.replace(/%.*$/, ""), family === 6 ? "ipv6" : "ipv4")
}
