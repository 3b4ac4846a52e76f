import * as net from "node:net"

/** Lower case first, as curl and most others do; a variable that is set to nothing counts as unset. */
const variable = (name: string): string | undefined => {
  for (const value of [process.env[name.toLowerCase()], process.env[name.toUpperCase()]]) {
    const text = value?.trim()
    if (text !== undefined && text !== "") return text
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
 * (`10.0.0.0/8`, `fd00::/8`), or `*` for every host; separated by commas or white space, in any case; quotes around them
 * count as nothing. As other tools do,
 * `*.name` is read as `.name`, and `:port` restricts an entry to that port.
 */
export const isExcluded = (host: string, port: number, noProxy: string): boolean => {
  const name = withoutDots(host.toLowerCase())
  const family = net.isIP(name)
  return noProxy.toLowerCase().split(/[\s,"']+/).filter((_) => _ !== "").some((entry) => {
    const [, bracketed, plain = "", digits] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(entry) ?? []
    // an IPv6 address without brackets has no port
    const excluded = bracketed ?? (plain === "" ? entry : plain)
    if (digits !== undefined && Number(digits) !== port) return false
    if (excluded === "*") return true
    if (family !== 0) return covers(excluded, name, family)
    const suffix = withoutDots(excluded.replace(/^\*/, ""))
    return suffix !== "" && (name === suffix || name.endsWith(`.${suffix}`))
  })
}

const withoutDots = (name: string): string => name.replace(/^\./, "").replace(/\.$/, "")

const covers = (excluded: string, address: string, family: number): boolean => {
  const [network = "", prefix, ...rest] = excluded.replace(/^\[(.*)\]/, "$1").split("/")
  const kind = net.isIP(network)
  if (kind === 0 || rest.length > 0) return false
  const list = new net.BlockList()
  const type = kind === 6 ? "ipv6" : "ipv4"
  if (prefix === undefined) list.addAddress(network, type)
  else {
    const bits = /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1
    if (bits < 0 || bits > (kind === 6 ? 128 : 32)) return false
    list.addSubnet(network, bits, type)
  }
  return list.check(address, family === 6 ? "ipv6" : "ipv4")
}
