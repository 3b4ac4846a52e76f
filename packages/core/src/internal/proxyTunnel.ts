import * as Printable from "@effect-apns/models/Printable"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as http from "node:http"
import * as net from "node:net"
import type * as Socks from "socks"
import { ConnectError } from "../ConnectError.js"
import type { Endpoint } from "../Endpoint.js"
import type { Proxy } from "../Proxy.js"
import { codeOf } from "./connectFailure.js"

const keepAliveDelay = 60_000

/** Much longer than any connect timeout, which comes first: this one only ends leftovers. */
const socksTimeout = 3_600_000

// Loaded for SOCKS only: it is CommonJS, which cannot simply be bundled into an ES module, and HTTP proxies do not need it.
const loadSocks = () => import("socks")

/** The useful part of an error: the HTTP parser's error contains everything that the proxy sent, perhaps our password. */
const causeOf = (error: Error): Error => {
  const code = codeOf(error)
  return Object.assign(new Error(Printable.text(error.message)), code === undefined ? {} : { code })
}

const failure = (
  endpoint: Endpoint,
  reason: ConnectError["reason"],
  code: string | undefined,
  message: string,
  cause?: unknown
): ConnectError =>
  new ConnectError({ reason, phase: "proxy", endpoint, code, message, ...(cause === undefined ? {} : { cause }) })

/** A TCP connection to `endpoint` through `proxy`; `onSocket` is called with every socket before it connects. */
export const open = (
  endpoint: Endpoint,
  proxy: Proxy,
  onSocket: (socket: net.Socket) => void
): Effect.Effect<net.Socket, ConnectError> =>
  Effect.flatMap(
    openSocket(endpoint, proxy, onSocket),
    (socket) => proxy.protocol === "http" ? viaHttp(endpoint, proxy, socket) : viaSocks(endpoint, proxy, socket)
  )

const openSocket = (
  endpoint: Endpoint,
  proxy: Proxy,
  onSocket: (socket: net.Socket) => void
): Effect.Effect<net.Socket, ConnectError> =>
  Effect.async((resume) => {
    const socket = net.connect({
      host: proxy.host,
      port: proxy.port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: keepAliveDelay,
      autoSelectFamily: true,
      autoSelectFamilyAttemptTimeout: 2_000
    })
    onSocket(socket)
    // Between two steps there is no other listener, and an error without a listener would end the process.
    socket.on("error", ignore)
    const off = () => {
      socket.off("connect", onConnect)
      socket.off("error", onError)
    }
    const onConnect = () => {
      off()
      resume(Effect.succeed(socket))
    }
    const onError = (error: Error) => {
      off()
      socket.destroy()
      const code = codeOf(error)
      resume(
        Effect.fail(failure(
          endpoint,
          "Proxy",
          code,
          `The proxy ${proxy} cannot be reached (${code ?? error.message}): check its address, and that it runs`,
          error
        ))
      )
    }
    socket.on("connect", onConnect)
    socket.on("error", onError)
    return Effect.sync(() => {
      off()
      socket.destroy()
    })
  })

const ignore = (): void => {}

const authenticationRequired = (endpoint: Endpoint, proxy: Proxy, code: string): ConnectError =>
  failure(
    endpoint,
    "ProxyAuthenticationRequired",
    code,
    proxy.credentials === undefined
      ? `The proxy ${proxy} wants a user name and a password: put them into its URL`
      : `The proxy ${proxy} refused the user name or the password: correct them in its URL`
  )

const viaHttp = (endpoint: Endpoint, proxy: Proxy, socket: net.Socket): Effect.Effect<net.Socket, ConnectError> =>
  Effect.async((resume) => {
    const target = `${net.isIPv6(endpoint.host) ? `[${endpoint.host}]` : endpoint.host}:${endpoint.port}`
    const { credentials } = proxy
    const request = http.request({
      method: "CONNECT",
      path: target,
      createConnection: () => socket,
      headers: {
        host: target,
        ...(credentials === undefined ? {} : {
          "proxy-authorization": `Basic ${
            Buffer.from(`${Redacted.value(credentials.username)}:${Redacted.value(credentials.password)}`)
              .toString("base64")
          }`
        })
      }
    })
    const refuse = (error: ConnectError) => {
      socket.destroy()
      resume(Effect.fail(error))
    }
    const onAnswer = ({ statusCode = 0 }: http.IncomingMessage, tunnel: net.Socket, head: Buffer) => {
      const code = `HTTP_${statusCode}`
      if (statusCode === 407) {
        return refuse(authenticationRequired(endpoint, proxy, code))
      }
      if (statusCode < 200 || statusCode > 299) {
        return refuse(
          failure(
            endpoint,
            "Proxy",
            code,
            `The proxy ${proxy} answered ${statusCode} to CONNECT ${target}: let it reach that host and port`
          )
        )
      }
      if (head.length > 0) {
        tunnel.unshift(head)
      }
      resume(Effect.succeed(tunnel))
    }
    request.on("connect", onAnswer)
    request.on("error", (error) =>
      refuse(failure(
        endpoint,
        "Proxy",
        codeOf(error),
        `The proxy ${proxy} did not answer CONNECT as HTTP (${
          Printable.text(codeOf(error) ?? error.message)
        }): check that it is one`,
        causeOf(error)
      )))
    request.end()
    return Effect.sync(() => {
      request.off("connect", onAnswer)
      request.on("error", ignore)
      socket.on("error", ignore)
      request.destroy()
      socket.destroy()
    })
  })

const viaSocks = (endpoint: Endpoint, proxy: Proxy, socket: net.Socket): Effect.Effect<net.Socket, ConnectError> =>
  Effect.tryPromise({
    try: loadSocks,
    catch: (error) => {
      socket.destroy()
      return failure(
        endpoint,
        "Proxy",
        "SOCKS5",
        "The package socks could not be loaded: install it beside the program, and leave it out of bundles " +
          "(esbuild --external:socks)",
        error
      )
    }
  }).pipe(
    Effect.onInterrupt(() => Effect.sync(() => socket.destroy())),
    Effect.flatMap(({ SocksClient }) => throughSocks(SocksClient, endpoint, proxy, socket))
  )

const isTooLong = (secret: Redacted.Redacted): boolean => Buffer.byteLength(Redacted.value(secret)) > 255

const throughSocks = (
  SocksClient: typeof Socks.SocksClient,
  endpoint: Endpoint,
  proxy: Proxy,
  socket: net.Socket
): Effect.Effect<net.Socket, ConnectError> =>
  Effect.async((resume) => {
    const { credentials } = proxy
    if (credentials !== undefined && [credentials.username, credentials.password].some(isTooLong)) {
      socket.destroy()
      return resume(Effect.fail(failure(
        endpoint,
        "InvalidProxy",
        undefined,
        `The user name or the password for the proxy ${proxy} is longer than SOCKS5 can say (255 bytes, RFC 1929)`
      )))
    }
    if (socket.destroyed) {
      // the client would wait for events of the socket that have passed
      return resume(Effect.fail(failure(
        endpoint,
        "Proxy",
        "SOCKS5",
        `The proxy ${proxy} closed the connection at once: check that it speaks SOCKS5 at this port, and lets this host in`
      )))
    }
    const client = new SocksClient({
      command: "connect",
      destination: { host: endpoint.host, port: endpoint.port },
      timeout: socksTimeout,
      proxy: {
        type: 5,
        host: proxy.host,
        port: proxy.port,
        ...(credentials === undefined ? {} : {
          userId: Redacted.value(credentials.username),
          password: Redacted.value(credentials.password)
        })
      }
    })
    const onEstablished = () => resume(Effect.succeed(socket))
    const onError = (error: Error) => {
      socket.destroy()
      // The error of the library contains its options with the password: only its text is used.
      const message = Printable.text(error.message)
      resume(Effect.fail(
        /auth/i.test(message)
          ? authenticationRequired(endpoint, proxy, "SOCKS5_AUTH")
          : failure(
            endpoint,
            "Proxy",
            "SOCKS5",
            `The proxy ${proxy} did not connect to ${endpoint.host}:${endpoint.port} (${message}): let it reach that host and port`,
            new Error(message)
          )
      ))
    }
    client.on("established", onEstablished)
    client.on("error", onError)
    client.connect(socket)
    return Effect.sync(() => {
      client.off("established", onEstablished)
      socket.destroy()
    })
  })
