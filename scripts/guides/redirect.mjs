// Loaded before a program of a guide: what it sends to Apple goes to the mock on this machine, and nothing else is changed.
// The mock shows a certificate for Apple's names, by an authority that is trusted beside Node's.
import { readFileSync } from "node:fs"
import { createRequire, syncBuiltinESMExports } from "node:module"

const require = createRequire(import.meta.url)
const dns = require("node:dns")
const tls = require("node:tls")

const port = Number(process.env.GUIDES_MOCK_PORT)
const ca = readFileSync(process.env.GUIDES_MOCK_CA, "utf8")
const isApple = (host) => /(^|\.)push\.apple\.com$/.test(host ?? "")

const { lookup } = dns
dns.lookup = (host, ...rest) => {
  if (!isApple(host)) return lookup(host, ...rest)
  const done = rest.at(-1)
  const [options] = rest
  process.nextTick(() => options.all ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4))
}

const { connect, createSecureContext } = tls
tls.createSecureContext = (options) =>
  createSecureContext({ ...options, ca: options?.ca ?? [...tls.rootCertificates, ca] })
tls.connect = (options, ...rest) =>
  isApple(options.servername) ? connect({ ...options, host: "127.0.0.1", port }, ...rest) : connect(options, ...rest)

syncBuiltinESMExports()
