import * as Printable from "@effect-apns/models/Printable"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import * as crypto from "node:crypto"
import * as dns from "node:dns"
import * as fs from "node:fs"
import * as net from "node:net"
import * as tls from "node:tls"
import type { Phase } from "../ConnectError.js"
import { ConnectError } from "../ConnectError.js"
import type { Credentials } from "../Credentials.js"
import { type Endpoint, isEndpoint, production } from "../Endpoint.js"
import * as Proxy from "../Proxy.js"
import type { Address, ConnectOptions, Transport } from "../Transport.js"
import { catchRejection, effectOf } from "./callbacks.js"
import { fromError, noH2 } from "./connectFailure.js"
import { check, copy, peek, type Refusal } from "./options.js"
import { mayBeSecret } from "./paths.js"
import { isCertificate, pemBlocks } from "./pem.js"
import { SocketTransport } from "./socketTransport.js"
import { staggered } from "./staggered.js"
import { spanOf, timeoutFail, waitAtMost } from "./timing.js"

export const defaultConnectTimeout: Duration.Duration = Duration.seconds(10)

/** RFC 8305 section 5: the recommended delay before the next address is tried. */
const attemptDelay = Duration.millis(250)

/** How long the end of the scope waits for sockets that were destroyed. */
const destroyTimeout = Duration.seconds(1)

/** Room for several TLS records (16 KiB at most, RFC 8446 section 5.1); used again for each read. */
const readBufferSize = 65_536

/** The state that the steps of one `connect` share. */
export interface Dialing {
  readonly endpoint: Endpoint
  /** Every socket opened and not yet closed. */
  readonly sockets: Set<net.Socket>
  phase: Phase
}

const track = (dialing: Dialing, socket: net.Socket): void => {
  dialing.sockets.add(socket)
  socket.once("close", () => dialing.sockets.delete(socket))
}

/** The error for invalid options, with the endpoint if that one is valid. */
export const invalidOptions = (endpoint: unknown, { description, field }: Refusal): ConnectError =>
  setupError(
    peek(() => isEndpoint(endpoint)) === true && isEndpoint(endpoint) ? endpoint : production,
    "InvalidOptions",
    field === "options" ? `The options: ${description}` : `The option \`${field}\`: ${description}`
  )

export const connect = (given: ConnectOptions): Effect.Effect<Transport, ConnectError, Scope.Scope> =>
  Effect.gen(function*() {
    const checked = Either.flatMap(copy(given), (options) => check(options, ["endpoint"]))
    if (Either.isLeft(checked)) return yield* invalidOptions(peek(() => given.endpoint), checked.left)
    const options = checked.right
    const dialing: Dialing = { endpoint: options.endpoint, sockets: new Set(), phase: "setup" }
    const opened = { transport: undefined as SocketTransport | undefined }
    yield* Effect.addFinalizer(() => close(dialing, opened.transport))
    const keylog = yield* Effect.flatMap(openKeylog(options), harmless)
    const secureContext = yield* makeSecureContext(options)
    const proxy = yield* findProxy(options)
    const tlsOptions: tls.ConnectionOptions = {
      secureContext,
      ALPNProtocols: ["h2"],
      rejectUnauthorized: options.dangerouslyTrustAnyServer !== true,
      ...(net.isIP(options.endpoint.host) === 0
        ? { servername: options.endpoint.host }
        : { checkServerIdentity: (_host, certificate) => checkAddress(options.endpoint.host, certificate) })
    }
    const timeout = yield* spanOf(options.endpoint, "connectTimeout", options.connectTimeout, defaultConnectTimeout)
    const dialed = proxy === undefined
      ? dialDirect(dialing, options, tlsOptions, keylog)
      : dialThrough(dialing, proxy, tlsOptions, keylog)
    const transport = yield* timeoutFail(Effect.tap(dialed, (transport) => handshake(dialing, transport)), {
      duration: timeout,
      onTimeout: () => timedOut(dialing, proxy, timeout)
    }).pipe(
      Effect.onExit((exit) => Exit.isSuccess(exit) ? Effect.void : Effect.sync(() => destroyAll(dialing)))
    )
    opened.transport = transport
    return transport
  })

/** Checked by OpenSSL, since the check of Node 22.23 treats an IPv6 address as a name. */
const checkAddress = (address: string, certificate: tls.PeerCertificate): Error | undefined =>
  new crypto.X509Certificate(certificate.raw).checkIP(address) === undefined
    ? Object.assign(new Error(`IP: ${address} is not in the cert's list: ${certificate.subjectaltname ?? ""}`), {
      code: "ERR_TLS_CERT_ALTNAME_INVALID"
    })
    : undefined

const destroyAll = (dialing: Dialing): void => {
  for (const socket of dialing.sockets) {
    socket.destroy()
  }
}

const close = (dialing: Dialing, transport: SocketTransport | undefined): Effect.Effect<void> =>
  Effect.gen(function*() {
    if (transport !== undefined) {
      // Closing before the other side has closed may reset the connection (RFC 9293 section 3.6.1), and then what it has
      // not read yet is lost.
      if (transport.ended) yield* waitAtMost(transport.closed, Duration.millis(transport.endWithin))
      transport.destroy()
    }
    destroyAll(dialing)
    yield* waitAtMost(Effect.forEach(Array.from(dialing.sockets), closed, { discard: true }), destroyTimeout)
  })

const closed = (socket: net.Socket): Effect.Effect<void> =>
  Effect.async((resume) => {
    if (socket.closed) {
      return resume(Effect.void)
    }
    socket.once("close", () => resume(Effect.void))
  })

// ---------------------------------------------------------------------------------------------------------------------
// before the first packet
// ---------------------------------------------------------------------------------------------------------------------

const setupError = (
  endpoint: Endpoint,
  reason: ConnectError["reason"],
  message: string,
  cause?: unknown
): ConnectError =>
  new ConnectError({ reason, phase: "setup", endpoint, message, ...(cause === undefined ? {} : { cause }) })

type Keylog = ((line: Buffer) => unknown) | undefined

/** A key log that throws or rejects, for example because the disk is full, causes one warning; the connection goes on. */
const harmless = (keylog: Keylog): Effect.Effect<Keylog> =>
  keylog === undefined ? Effect.succeed(undefined) : Effect.map(Effect.runtime<never>(), (runtime) => {
    let warned = false
    const warn = (error: unknown): void => {
      if (warned) return
      warned = true
      Runtime.runFork(runtime)(
        Effect.logWarning("TLS keys could not be logged, and may be missing", Cause.fail(error))
      )
    }
    return (line) => {
      try {
        catchRejection(keylog(line), warn)
      } catch (error) {
        warn(error)
      }
    }
  })

const openKeylog = (options: ConnectOptions): Effect.Effect<Keylog, ConnectError, Scope.Scope> => {
  const { endpoint, keylog } = options
  if (keylog === undefined) {
    return Effect.succeed(undefined)
  }
  if (typeof keylog === "function") {
    return Effect.succeed((line) => keylog(line.toString("latin1")))
  }
  const file = keylog === true ? process.env["SSLKEYLOGFILE"] : keylog
  if (file === undefined || file === "") {
    return Effect.fail(
      setupError(
        endpoint,
        "KeyLog",
        "There is no file to log TLS keys to: set SSLKEYLOGFILE, or name a file as `keylog`"
      )
    )
  }
  if (mayBeSecret(file)) {
    // opening it would create a file whose name is the secret
    return Effect.fail(
      setupError(endpoint, "KeyLog", "`keylog` does not look like the path of a file: nothing was written. Name a file")
    )
  }
  return Effect.acquireRelease(
    Effect.try({
      try: () => {
        const descriptor = fs.openSync(file, "a", 0o600)
        // an existing file would keep its mode, and with these keys all traffic can be decrypted
        if (fs.fstatSync(descriptor).isFile()) fs.fchmodSync(descriptor, 0o600)
        return descriptor
      },
      catch: (cause) =>
        setupError(
          endpoint,
          "KeyLog",
          `The key log file ${Printable.text(file)} cannot be written: name another file`,
          cause
        )
    }),
    (descriptor) => Effect.sync(() => fs.closeSync(descriptor))
  ).pipe(Effect.map((descriptor) => (line: Buffer) => {
    fs.writeSync(descriptor, line)
  }))
}

const makeSecureContext = (options: ConnectOptions): Effect.Effect<tls.SecureContext, ConnectError> =>
  Effect.gen(function*() {
    const { ca, credentials, endpoint } = options
    if (credentials !== undefined && credentials._tag !== "Token") {
      const now = yield* Clock.currentTimeMillis
      if (now >= credentials.expiresAt.epochMillis) {
        const when = DateTime.formatIso(credentials.expiresAt)
        return yield* setupError(
          endpoint,
          "ClientCertificateExpired",
          `The client certificate expired on ${when}: start again with a new one`
        )
      }
    }
    const known = contextsFor(credentials)
    const name = ca === undefined ? "none" : `given ${typeof ca === "string" ? ca : ca.join("\0")}`
    const existing = known.get(name)
    if (existing !== undefined) return existing
    const authorities = ca === undefined ? undefined : (typeof ca === "string" ? [ca] : [...ca]).map(authority)
    if (authorities !== undefined && !authorities.every(isDefined)) {
      return yield* setupError(
        endpoint,
        "InvalidCa",
        "The certificate authority given as `ca` holds no readable certificate: pass PEM text, not the name of a file"
      )
    }
    const context = yield* Effect.try({
      try: () =>
        tls.createSecureContext({
          minVersion: "TLSv1.2",
          // RFC 9113 section 9.2.1: no renegotiation
          secureOptions: crypto.constants.SSL_OP_NO_RENEGOTIATION,
          ...(authorities === undefined ? {} : { ca: authorities }),
          ...clientCertificate(credentials)
        }),
      catch: (cause) => setupError(endpoint, "Tls", "TLS could not be set up: load the credentials again", cause)
    })
    const [oldest] = known.keys()
    if (known.size >= maxContexts && oldest !== undefined) known.delete(oldest)
    known.set(name, context)
    return context
  })

type Contexts = Map<string, tls.SecureContext>

/** How many lists of authorities are remembered for the same credentials. */
const maxContexts = 8

const contextsWithoutCertificate: Contexts = new Map()
const contextsByCertificate = new WeakMap<Credentials, Contexts>()

/**
 * TLS contexts by their authorities. Each takes tens of kilobytes outside of the JavaScript heap, which the garbage
 * collector does not see and so is slow to free: connections with the same certificate and authorities share one.
 */
const contextsFor = (credentials: Credentials | undefined): Contexts => {
  if (credentials === undefined || credentials._tag === "Token") return contextsWithoutCertificate
  const existing = contextsByCertificate.get(credentials)
  if (existing !== undefined) return existing
  const contexts: Contexts = new Map()
  contextsByCertificate.set(credentials, contexts)
  return contexts
}

const isDefined = (text: string | undefined): text is string => text !== undefined

/** The certificates in a text as regular PEM, in any form that variables and files have; `undefined` if there is none. */
export const authority = (text: string): string | undefined => {
  const blocks = pemBlocks(text).filter(isCertificate)
  try {
    return blocks.length > 0 && blocks.every((block) => new crypto.X509Certificate(block.text).raw.length > 0)
      ? blocks.map((block) => block.text).join("")
      : undefined
  } catch {
    return undefined
  }
}

const clientCertificate = (credentials: Credentials | undefined): tls.SecureContextOptions => {
  switch (credentials?._tag) {
    case "Certificate":
      return { cert: credentials.cert, key: Redacted.value(credentials.key) }
    case "Pkcs12": {
      const { pem } = credentials
      if (pem !== undefined) return { cert: pem.cert, key: Redacted.value(pem.key) }
      const pfx = Buffer.from(Redacted.value(credentials.data))
      return credentials.passphrase === undefined
        ? { pfx }
        : { pfx, passphrase: Redacted.value(credentials.passphrase) }
    }
    default:
      return {}
  }
}

const findProxy = (options: ConnectOptions): Effect.Effect<Proxy.Proxy | undefined, ConnectError> =>
  options.proxy !== "env" ? Effect.succeed(options.proxy) : Proxy.fromEnv(options.endpoint).pipe(
    Effect.map(Option.getOrUndefined),
    Effect.mapError((error) => setupError(options.endpoint, "InvalidProxy", error.message, error))
  )

const timedOut = (
  { endpoint, phase }: Dialing,
  proxy: Proxy.Proxy | undefined,
  timeout: Duration.Duration
): ConnectError => {
  const waitedFor = phase === "dns"
    ? `the address of ${endpoint.host}`
    : phase === "proxy"
    ? `the proxy ${proxy}`
    : phase === "tls"
    ? `the TLS handshake with ${endpoint.origin}`
    : `an answer from ${endpoint.host}:${endpoint.port}`
  return new ConnectError({
    reason: "Timeout",
    phase,
    endpoint,
    message: `Gave up after ${Duration.format(timeout)} of waiting for ${waitedFor}: ${
      phase === "proxy" ? "check the proxy" : "let connections to it through, configure a proxy"
    }, or raise connectTimeout`
  })
}

// ---------------------------------------------------------------------------------------------------------------------
// direct
// ---------------------------------------------------------------------------------------------------------------------

const dialDirect = (
  dialing: Dialing,
  options: ConnectOptions,
  tlsOptions: tls.ConnectionOptions,
  keylog: Keylog
): Effect.Effect<SocketTransport, ConnectError> =>
  Effect.gen(function*() {
    const addresses = yield* resolve(dialing, options)
    dialing.phase = "tcp"
    const [first, ...others] = addresses.map((address) => dial(dialing, address, tlsOptions, keylog))
    if (first === undefined) {
      return yield* fromError(dialing.endpoint, "dns", new Error("no address"))
    }
    const transport = yield* staggered(first, others, attemptDelay)
    for (const socket of dialing.sockets) {
      if (!transport.isOver(socket)) {
        socket.destroy()
      }
    }
    return transport
  })

const systemLookup = (host: string): Effect.Effect<ReadonlyArray<Address>, Error> =>
  Effect.async((resume) => {
    dns.lookup(host, { all: true, verbatim: true }, (error, addresses) => {
      resume(
        error === null
          ? Effect.succeed(addresses.map(({ address, family }): Address => ({ address, family: family === 6 ? 6 : 4 })))
          : Effect.fail(error)
      )
    })
  })

/** The addresses of the endpoint in the order to try them: shuffled, then one of each family in turn. */
const resolve = (dialing: Dialing, options: ConnectOptions): Effect.Effect<ReadonlyArray<Address>, ConnectError> => {
  const { host } = options.endpoint
  const family = net.isIP(host)
  if (family === 4 || family === 6) {
    return Effect.succeed([{ address: host, family }])
  }
  dialing.phase = "dns"
  // an uninterruptible lookup must not delay the connect timeout
  return Effect.disconnect(Effect.suspend(() => effectOf((options.lookup ?? systemLookup)(host), "it"))).pipe(
    Effect.map((found) => {
      if (!Array.isArray(found) || !found.every(isAddress)) throw new TypeError("it returned what are no addresses")
      return found
    }),
    Effect.catchAllCause((cause) => {
      const failure = Cause.failureOption(cause)
      if (Option.isSome(failure)) return Effect.fail(fromError(options.endpoint, "dns", failure.value))
      const defect = Cause.dieOption(cause)
      // where this fiber is interrupted, nothing here runs: it was the lookup itself
      return Effect.fail(
        brokenLookup(options.endpoint, Option.getOrElse(defect, () => new Error("it has interrupted itself")))
      )
    }),
    Effect.flatMap((found) => Effect.map(Random.shuffle(found), (shuffled) => alternate(found, shuffled)))
  )
}

const isAddress = (address: unknown): boolean =>
  typeof address === "object" && address !== null && "address" in address && typeof address.address === "string" &&
  net.isIP(address.address) !== 0

const brokenLookup = (endpoint: Endpoint, defect: unknown): ConnectError =>
  new ConnectError({
    reason: "Dns",
    phase: "dns",
    endpoint,
    message: `The lookup of ${endpoint.host} broke (${
      Printable.thrown(defect)
    }): repair the function given as \`lookup\``,
    cause: defect
  })

// The family that the resolver prefers comes first (RFC 6724), then they alternate (RFC 8305 section 4).
const alternate = (found: ReadonlyArray<Address>, shuffled: Chunk.Chunk<Address>): ReadonlyArray<Address> => {
  const preferred = found[0]?.family
  const [others, first] = Chunk.toReadonlyArray(shuffled).reduce<[Array<Address>, Array<Address>]>((both, address) => {
    both[address.family === preferred ? 1 : 0].push(address)
    return both
  }, [[], []])
  return Array.from(
    { length: Math.max(first.length, others.length) },
    (_, i) => [...first.slice(i, i + 1), ...others.slice(i, i + 1)]
  ).flat()
}

const dial = (
  dialing: Dialing,
  address: Address,
  tlsOptions: tls.ConnectionOptions,
  keylog: Keylog
): Effect.Effect<SocketTransport, ConnectError> =>
  Effect.async((resume) => {
    // Documented for tls.connect, but missing in its types.
    const withBuffer: tls.ConnectionOptions & Pick<net.ConnectOpts, "onread"> = {
      ...tlsOptions,
      host: address.address,
      port: dialing.endpoint.port,
      onread: {
        buffer: new Uint8Array(readBufferSize),
        callback: (length, buffer) => transport.onRead(length, buffer)
      }
    }
    const socket = tls.connect(withBuffer)
    track(dialing, socket)
    const transport = new SocketTransport(socket, true, keylog)
    transport.onStage = () => {
      transport.onStage = undefined
      resume(
        transport.stage === "closed"
          ? Effect.fail(fromError(dialing.endpoint, "tcp", transport.error))
          : Effect.succeed(transport)
      )
    }
    return Effect.sync(() => {
      transport.onStage = undefined
      socket.destroy()
    })
  })

/** Waits for TLS, and checks what was agreed upon. */
const handshake = (dialing: Dialing, transport: SocketTransport): Effect.Effect<void, ConnectError> => {
  dialing.phase = "tls"
  return Effect.async<void, ConnectError>((resume) => {
    const check = () => {
      if (transport.stage === "closed") {
        const error = transport.error ?? Object.assign(new Error("closed during the handshake"), { code: "ECONNRESET" })
        resume(Effect.fail(fromError(dialing.endpoint, "tls", error)))
      } else if (transport.stage === "secure") {
        resume(transport.info.alpn === "h2" ? Effect.void : Effect.fail(noH2(dialing.endpoint)))
      } else {
        return
      }
      transport.onStage = undefined
    }
    transport.onStage = check
    check()
  })
}

// ---------------------------------------------------------------------------------------------------------------------
// through a proxy
// ---------------------------------------------------------------------------------------------------------------------

// Loaded only if there is a proxy: importing it always would make the start of every program much slower.
const proxyTunnel = Effect.promise(() => import("./proxyTunnel.js"))

const dialThrough = (
  dialing: Dialing,
  proxy: Proxy.Proxy,
  tlsOptions: tls.ConnectionOptions,
  keylog: Keylog
): Effect.Effect<SocketTransport, ConnectError> =>
  Effect.suspend(() => {
    dialing.phase = "proxy"
    return Effect.flatMap(
      proxyTunnel,
      ({ open }) => open(dialing.endpoint, proxy, (socket) => track(dialing, socket))
    )
  }).pipe(Effect.map((tunnel) => {
    const socket = tls.connect({ ...tlsOptions, socket: tunnel, host: dialing.endpoint.host })
    track(dialing, socket)
    return new SocketTransport(socket, false, keylog)
  }))
