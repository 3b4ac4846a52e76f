import * as Credentials from "@effect-apns/core/Credentials"
import * as Endpoint from "@effect-apns/core/Endpoint"
import * as Proxy from "@effect-apns/core/Proxy"
import * as Transport from "@effect-apns/core/Transport"
import { assert, describe, it } from "@effect/vitest"
import {
  DateTime,
  Deferred,
  Duration,
  Effect,
  Either,
  Exit,
  Fiber,
  Option,
  Random,
  Redacted,
  Scope,
  TestClock,
  TestContext
} from "effect"
import * as fs from "node:fs"
import * as http2 from "node:http2"
import * as net from "node:net"
import * as os from "node:os"
import * as nodePath from "node:path"
import * as tls from "node:tls"
import * as util from "node:util"
import { staggered } from "../src/internal/staggered.js"
import { timeoutFail } from "../src/internal/timing.js"
import * as fixtures from "./fixtures/index.js"
import { httpProxy, nothing, socksProxy } from "./fixtures/proxies.js"
import { deadPort, endpoint, listen, serverOptions, tlsServer } from "./fixtures/servers.js"
import { until } from "./utils/until.js"

const ca = fixtures.text("ca.pem")

const open = (port: number, options?: Partial<Transport.ConnectOptions>) =>
  Transport.connect({ endpoint: endpoint(port), ca, ...options })

const refused = (port: number, options?: Partial<Transport.ConnectOptions>) =>
  Effect.flip(Effect.scoped(open(port, options)))

/** Collects what a transport receives. */
const collect = (transport: Transport.Transport) => {
  const closed = Deferred.unsafeMake<Transport.TransportClose>(Fiber.id(Fiber.void))
  const received = { text: "", chunks: 0, closes: 0, closed: Deferred.await(closed) }
  transport.start({
    onData: (bytes) => {
      received.text += Buffer.from(bytes).toString("latin1")
      received.chunks++
    },
    onClose: (close) => {
      received.closes++
      Deferred.unsafeDone(closed, Exit.succeed(close))
    }
  })
  return received
}

const write = (transport: Transport.Transport, text: string) =>
  Effect.async<void>((resume) => transport.write(Buffer.from(text), () => resume(Effect.void)))

describe("Transport", () => {
  describe("connect", () => {
    it.scopedLive("a real server -> h2 over TLS 1.3, and what is known about the server", () =>
      Effect.gen(function*() {
        const server = http2.createSecureServer(serverOptions())
        const greeted = new Promise<void>((resolve) =>
          server.on("session", (session) => {
            session.on("error", () => {})
            session.on("remoteSettings", () => resolve())
          })
        )
        const port = yield* listen(server)
        const transport = yield* open(port)
        const received = collect(transport)
        yield* write(transport, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u0004\0\0\0\0\0")
        yield* Effect.promise(() => greeted)
        yield* until(() => received.text.length >= 9)
        assert.strictEqual(received.text.charCodeAt(3), 4, "the first frame is SETTINGS")
        assert.strictEqual(transport.info.alpn, "h2")
        assert.strictEqual(transport.info.protocol, "TLSv1.3")
        assert.match(transport.info.cipher ?? "", /^TLS_/)
        assert.strictEqual(transport.info.remoteAddress, `127.0.0.1:${port}`)
        assert.match(transport.info.localAddress ?? "", /^127\.0\.0\.1:\d+$/)
        assert.strictEqual(transport.info.peerSubject, "CN=localhost")
      }))

    it.scopedLive("bytes both ways arrive in order, and no buffer is kept", () =>
      Effect.gen(function*() {
        const port = yield* tlsServer((socket) => socket.pipe(socket))
        const transport = yield* open(port)
        const received = collect(transport)
        let sent = ""
        for (let i = 0; i < 50; i++) {
          const text = String.fromCharCode(97 + i % 26).repeat(1 + i * 997)
          sent += text
          yield* write(transport, text)
        }
        yield* until(() => received.text.length >= sent.length)
        assert.strictEqual(received.text, sent)
      }))

    it.scopedLive("data before start -> kept, and all 4 MiB arrive in order", () =>
      Effect.gen(function*() {
        const total = 4 * 1024 * 1024
        const sent = Buffer.from(Uint32Array.from({ length: total / 4 }, (_, i) => i).buffer)
        const port = yield* tlsServer((socket) => socket.write(sent))
        const transport = yield* open(port)
        yield* Effect.sleep("50 millis")
        const received = collect(transport)
        yield* until(() => received.text.length >= total)
        assert.isTrue(Buffer.from(received.text, "latin1").equals(sent))
      }))

    it.scopedLive("an IP address -> its own certificate check, no SNI", () =>
      Effect.gen(function*() {
        const names: Array<string | false> = []
        const port = yield* tlsServer((socket) => names.push(socket.servername ?? ""))
        yield* open(port, { endpoint: endpoint(port, "127.0.0.1") })
        yield* open(port)
        yield* until(() => names.length === 2)
        assert.deepStrictEqual(names, [false, "localhost"])
      }))

    it.scopedLive("connects over IPv6", () =>
      Effect.gen(function*() {
        const server = tls.createServer(serverOptions(), (socket) => socket.on("error", () => {}))
        const port = yield* listen(server, "::1")
        const transport = yield* open(port, { endpoint: endpoint(port, "[::1]") })
        assert.strictEqual(transport.info.remoteAddress, `[::1]:${port}`)
      }))

    it.scopedLive("TLS 1.2 -> accepted; older -> refused", () =>
      Effect.gen(function*() {
        const old = yield* tlsServer(() => {}, { maxVersion: "TLSv1.2" })
        assert.strictEqual((yield* open(old)).info.protocol, "TLSv1.2")
        const older = yield* tlsServer(() => {}, {
          minVersion: "TLSv1",
          maxVersion: "TLSv1.1",
          ciphers: "DEFAULT@SECLEVEL=0"
        })
        const error = yield* refused(older)
        assert.strictEqual(error.reason, "Tls")
        assert.include(error.message, "TLS 1.2 or later")
      }))

    it.scopedLive("only TLS 1.3 and 1.2 are offered", () =>
      Effect.gen(function*() {
        const hello = yield* Deferred.make<Buffer>()
        const port = yield* listen(net.createServer((socket) =>
          socket.once("data", (bytes) => {
            Deferred.unsafeDone(hello, Exit.succeed(bytes))
            socket.destroy()
          })
        ))
        yield* refused(port)
        // The extension supported_versions (43): its length, the length of the list, the list (RFC 8446 section 4.2.1).
        const bytes = (yield* Deferred.await(hello)).toString("hex")
        const [, list] = /002b0[0-9a-f]{3}0[0-9a-f]((?:03[0-9a-f]{2})+)/.exec(bytes) ?? []
        assert.strictEqual(list?.slice(0, 8), "03040303")
        assert.notMatch(list ?? "", /^(....)*(0301|0302)/)
      }))

    it.scopedLive("a server without h2 (ALPN) -> refused", () =>
      Effect.gen(function*() {
        const other = yield* tlsServer(() => {}, { ALPNProtocols: ["http/1.1"] })
        assert.strictEqual((yield* refused(other)).reason, "NoH2")
        const server = tls.createServer({ cert: fixtures.text("server.pem"), key: fixtures.text("server.key.pem") })
        const none = yield* listen(server)
        assert.strictEqual((yield* refused(none)).reason, "NoH2")
      }))

    it.scopedLive("an unknown authority, or a certificate for another name -> refused", () =>
      Effect.gen(function*() {
        const port = yield* tlsServer()
        const untrusted = yield* refused(port, { ca: undefined })
        assert.strictEqual(untrusted.reason, "UntrustedServer")
        assert.include(untrusted.message, "`ca`")
        assert.strictEqual(untrusted.phase, "tls")
        const elsewhere = yield* tlsServer(() => {}, {
          cert: fixtures.text("elsewhere.pem"),
          key: fixtures.text("elsewhere.key.pem")
        })
        assert.strictEqual((yield* refused(elsewhere)).reason, "HostnameMismatch")
        const byAddress = yield* refused(elsewhere, { endpoint: endpoint(elsewhere, "127.0.0.1") })
        assert.strictEqual(byAddress.reason, "HostnameMismatch")
        assert.strictEqual((yield* open(elsewhere, { dangerouslyTrustAnyServer: true })).info.alpn, "h2")
        assert.strictEqual((yield* open(port, { ca: undefined, dangerouslyTrustAnyServer: true })).info.alpn, "h2")
      }))

    it.scopedLive("an invalid ca -> an error that says what is wrong", () =>
      Effect.gen(function*() {
        const port = yield* tlsServer()
        for (const bad of ["ca.pem", "", fixtures.text("server.key.pem")]) {
          assert.strictEqual((yield* refused(port, { ca: bad })).reason, "InvalidCa")
        }
        yield* open(port, { ca: [fixtures.text("other.pem"), ca] })
        const shapes = [
          ca.replaceAll("\n", "\\n"),
          ca.replaceAll("\n", "\\\\n"),
          ca.replaceAll("\n", " "),
          ca.replaceAll("\n", ""),
          JSON.stringify(ca),
          Buffer.from(ca).toString("base64")
        ]
        for (const shape of shapes) yield* open(port, { ca: shape })
      }))

    it.scopedLive("unknown name, refused, no TLS, closed -> an error that says which", () =>
      Effect.gen(function*() {
        const dns = yield* refused(443, { endpoint: Endpoint.unsafeMake("https://does-not-exist.invalid") })
        assert.deepStrictEqual([dns.reason, dns.phase], ["Dns", "dns"])
        assert.include(dns.message, "does-not-exist.invalid")

        const nobody = yield* refused(yield* deadPort)
        assert.deepStrictEqual([nobody.reason, nobody.phase, nobody.code], ["Refused", "tcp", "ECONNREFUSED"])

        const plain = yield* listen(net.createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")))
        const noTls = yield* refused(plain)
        assert.strictEqual(noTls.reason, "Tls")
        assert.include(noTls.message, "does not speak TLS")

        const hangsUp = yield* listen(net.createServer((socket) => socket.destroy()))
        const reset = yield* refused(hangsUp)
        assert.strictEqual(reset.reason, "Reset")
      }))

    it.scopedLive("each TLS alert -> its own reason", () =>
      Effect.gen(function*() {
        // A fatal alert in the clear is what a server sends that gives up on the ClientHello (RFC 8446 section 6).
        const alerting = (code: number) =>
          listen(
            net.createServer((socket) => socket.once("data", () => socket.end(Buffer.from([21, 3, 3, 0, 2, 2, code]))))
          )
        const told: Record<string, number> = {
          ClientCertificateRefused: 45, // certificate_expired
          NoH2: 120, // no_application_protocol
          Tls: 70 // protocol_version
        }
        for (const [reason, code] of Object.entries(told)) {
          assert.strictEqual((yield* refused(yield* alerting(code))).reason, reason)
        }
        for (const code of [42, 43, 44, 46, 48, 49, 116]) {
          assert.strictEqual(
            (yield* refused(yield* alerting(code))).reason,
            "ClientCertificateRefused",
            `alert ${code}`
          )
        }
      }))

    it.scopedLive("errors to JSON and back -> the same reason, endpoint and message", () =>
      Effect.gen(function*() {
        const error = yield* refused(yield* deadPort)
        const json = JSON.parse(JSON.stringify(error))
        assert.deepInclude(json, { _tag: "ConnectError", reason: "Refused", phase: "tcp", code: "ECONNREFUSED" })
        assert.strictEqual(json.endpoint.origin, error.endpoint.origin)
        assert.strictEqual(json.message, error.message)
      }))
  })

  describe("addresses", () => {
    const v4 = { address: "127.0.0.1", family: 4 } as const
    const v6 = { address: "::1", family: 6 } as const

    it.scopedLive("the name is looked up for every connection", () =>
      Effect.gen(function*() {
        const port = yield* tlsServer()
        const asked: Array<string> = []
        const lookup = (host: string) =>
          Effect.sync(() => {
            asked.push(host)
            return [v4]
          })
        yield* open(port, { lookup })
        yield* open(port, { lookup })
        assert.deepStrictEqual(asked, ["localhost", "localhost"])
      }))

    it.scopedLive("an address refuses -> the next one is tried at once", () =>
      Effect.gen(function*() {
        const port = yield* tlsServer()
        const transport = yield* open(port, { lookup: () => Effect.succeed([v6, v4]) })
        assert.strictEqual(transport.info.remoteAddress, `127.0.0.1:${port}`)
      }))

    it.scopedLive("every address refuses, or there is none -> fails with the first error", () =>
      Effect.gen(function*() {
        const dead = yield* deadPort
        const error = yield* refused(dead, { lookup: () => Effect.succeed([v6, v4]) })
        assert.strictEqual(error.reason, "Refused")
        assert.strictEqual((yield* refused(dead, { lookup: () => Effect.succeed([]) })).reason, "Dns")
        const failed = yield* refused(dead, { lookup: () => Effect.fail(new Error("resolver is down")) })
        assert.strictEqual(failed.reason, "Dns")
        assert.include(failed.message, "resolver is down")
      }))

    it.scopedLive("many connections -> spread over the addresses", () =>
      Effect.gen(function*() {
        const server = tls.createServer(serverOptions(), (socket) => socket.on("error", () => {}))
        const port = yield* listen(server, "0.0.0.0")
        const addresses = [1, 2, 3, 4].map((n) => ({ address: `127.0.0.${n}`, family: 4 } as const))
        const used = new Set<string | undefined>()
        for (let seed = 0; seed < 24; seed++) {
          const info = yield* Effect.scoped(
            Effect.map(
              open(port, { lookup: () => Effect.succeed(addresses), dangerouslyTrustAnyServer: true }),
              (_) => _.info
            )
          ).pipe(Effect.withRandom(Random.make(`seed ${seed}`)))
          used.add(info.remoteAddress)
        }
        assert.strictEqual(used.size, 4)
      }))
  })

  describe("addresses that do not answer", () => {
    const delay = Duration.millis(250)

    /** An attempt that logs its start and its interruption. */
    const attempt = (log: Array<string>, name: string, outcome: Effect.Effect<string, string>) =>
      Effect.suspend(() => {
        log.push(`${name} starts`)
        return outcome
      }).pipe(Effect.onInterrupt(() => Effect.sync(() => log.push(`${name} stops`))))

    it.effect("the next address is tried after 250 ms; it answers -> the first is given up", () =>
      Effect.gen(function*() {
        const log: Array<string> = []
        const answer = yield* Deferred.make<string>()
        const fiber = yield* Effect.fork(staggered(
          attempt(log, "a", Effect.never),
          [attempt(log, "b", Deferred.await(answer)), attempt(log, "c", Effect.never)],
          delay
        ))
        yield* TestClock.adjust("249 millis")
        assert.deepStrictEqual(log, ["a starts"])
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(log, ["a starts", "b starts"])
        yield* Deferred.succeed(answer, "b")
        assert.strictEqual(yield* Fiber.join(fiber), "b")
        yield* TestClock.adjust("1 hour")
        assert.deepStrictEqual(log, ["a starts", "b starts", "a stops"])
      }))

    it.effect("the first address answers after others were tried -> it is used", () =>
      Effect.gen(function*() {
        const log: Array<string> = []
        const answer = yield* Deferred.make<string>()
        const fiber = yield* Effect.fork(
          staggered(attempt(log, "a", Deferred.await(answer)), [attempt(log, "b", Effect.never)], delay)
        )
        yield* TestClock.adjust(delay)
        yield* Deferred.succeed(answer, "a")
        assert.strictEqual(yield* Fiber.join(fiber), "a")
        assert.deepStrictEqual(log, ["a starts", "b starts", "b stops"])
      }))

    it.effect("one fails -> the next is tried at once; all fail -> only the first error", () =>
      Effect.gen(function*() {
        const log: Array<string> = []
        const failing = (name: string) => attempt(log, name, Effect.fail(name))
        const exit = yield* Effect.exit(staggered(failing("a"), [failing("b"), failing("c")], delay))
        assert.deepStrictEqual(exit, Exit.fail("a"))
        assert.deepStrictEqual(log, ["a starts", "b starts", "c starts"])
      }))

    it.effect("an attempt before the last one fails -> the next still waits 250 ms for the last one", () =>
      Effect.gen(function*() {
        const log: Array<string> = []
        const answer = yield* Deferred.make<string, string>()
        const fiber = yield* Effect.fork(staggered(
          attempt(log, "a", Deferred.await(answer)),
          [attempt(log, "b", Effect.never), attempt(log, "c", Effect.succeed("c"))],
          delay
        ))
        yield* TestClock.adjust(delay)
        yield* Deferred.fail(answer, "a")
        yield* TestClock.adjust("249 millis")
        assert.deepStrictEqual(log, ["a starts", "b starts"])
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(yield* Fiber.join(fiber), "c")
        assert.deepStrictEqual(log, ["a starts", "b starts", "c starts", "b stops"])
      }))

    const names = Array.from({ length: 1000 }, (_, i) => `${i + 2}`)

    it.effect(
      "1,001 addresses that fail at once -> all are tried at once, and the first error is reported",
      () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const failing = (name: string) => attempt(log, name, Effect.fail(name))
          const exit = yield* Effect.exit(staggered(failing("1"), names.map(failing), delay))
          assert.deepStrictEqual(exit, Exit.fail("1"))
          assert.deepStrictEqual(log, ["1", ...names].map((name) => `${name} starts`))
        }),
      5000
    )

    for (const where of ["interruptible", "uninterruptible"] as const) {
      it.effect(
        `1,001 addresses that hang, in an ${where} region -> a timeout interrupts them all at once`,
        () =>
          Effect.gen(function*() {
            let running = 0
            const hanging = Effect.async<string, string>(() => {
              running++
              return Effect.sync(() => running--)
            })
            const limited = timeoutFail(staggered(hanging, names.map(() => hanging), Duration.zero), {
              duration: Duration.seconds(1),
              onTimeout: () => "timeout"
            })
            const fiber = yield* Effect.fork(Effect.exit(Effect[where](limited)))
            yield* Effect.iterate(0, { while: () => running < 1001, body: () => Effect.as(Effect.yieldNow(), 0) })
            yield* TestClock.adjust("1 seconds")
            assert.deepStrictEqual(yield* Fiber.join(fiber), Exit.fail("timeout"))
            assert.strictEqual(running, 0)
          }),
        5000
      )
    }
  })

  describe("time", () => {
    const silent = Effect.suspend(() => listen(net.createServer()))

    it.scopedLive("connectTimeout passes -> an error that names the step, and no socket is left", () =>
      Effect.gen(function*() {
        const port = yield* silent
        const error = yield* refused(port, { connectTimeout: "300 millis" })
        assert.deepStrictEqual([error.reason, error.phase], ["Timeout", "tls"])
        assert.include(error.message, "300ms")
        const lookup = yield* refused(port, { connectTimeout: "300 millis", lookup: () => Effect.never })
        assert.deepStrictEqual([lookup.reason, lookup.phase], ["Timeout", "dns"])
      }))

    it.scopedLive("the timeout is of Effect's Clock", () =>
      Effect.gen(function*() {
        const accepted = yield* Deferred.make<void>()
        const port = yield* listen(net.createServer(() => Deferred.unsafeDone(accepted, Exit.void)))
        const error = yield* Effect.gen(function*() {
          const fiber = yield* Effect.fork(refused(port))
          yield* Deferred.await(accepted)
          // The fiber has armed its timeout before the server could see it.
          yield* TestClock.adjust("9999 millis")
          assert.isTrue(Option.isNone(yield* Fiber.poll(fiber)))
          yield* TestClock.adjust("1 millis")
          return yield* Fiber.join(fiber)
        }).pipe(Effect.provide(TestContext.TestContext))
        assert.deepStrictEqual([error.reason, error.phase], ["Timeout", "tls"])
      }))

    it.scopedLive("a failure -> the socket is closed at once, not at the end of the scope", () =>
      Effect.gen(function*() {
        const gone = yield* Deferred.make<void>()
        const port = yield* listen(net.createServer((socket) => {
          socket.resume()
          socket.on("close", () => Deferred.unsafeDone(gone, Exit.void))
        }))
        const error = yield* Effect.flip(open(port, { connectTimeout: "300 millis" }))
        assert.strictEqual(error.reason, "Timeout")
        yield* Deferred.await(gone)
        const closed = yield* Deferred.make<void>()
        const withoutAlpn = { cert: fixtures.text("server.pem"), key: fixtures.text("server.key.pem") }
        const server = tls.createServer(withoutAlpn).on("tlsClientError", () => {})
        server.on(
          "connection",
          (socket: net.Socket) => socket.on("close", () => Deferred.unsafeDone(closed, Exit.void))
        )
        const noH2 = yield* listen(server)
        assert.strictEqual((yield* Effect.flip(open(noH2))).reason, "NoH2")
        yield* Deferred.await(closed)
      }))

    it.scopedLive("interruption in any step -> the socket is closed", () =>
      Effect.gen(function*() {
        const accepted = yield* Deferred.make<void>()
        const gone = yield* Deferred.make<void>()
        const port = yield* listen(net.createServer((socket) => {
          Deferred.unsafeDone(accepted, Exit.void)
          socket.resume()
          socket.on("close", () => Deferred.unsafeDone(gone, Exit.void))
        }))
        const fiber = yield* Effect.fork(Effect.scoped(open(port)))
        yield* Deferred.await(accepted)
        assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
        yield* Deferred.await(gone)
      }))
  })

  describe("closing", () => {
    it.scopedLive("the server ends -> one Eof", () =>
      Effect.gen(function*() {
        const port = yield* tlsServer((socket) => socket.end("bye"))
        const received = collect(yield* open(port))
        assert.deepStrictEqual(yield* received.closed, { kind: "Eof", code: undefined, message: undefined })
        assert.strictEqual(received.text, "bye")
        yield* Effect.sleep("10 millis")
        assert.strictEqual(received.closes, 1)
      }))

    it.scopedLive("a TCP reset -> one Error with its code", () =>
      Effect.gen(function*() {
        const port = yield* tlsServer((socket) => socket.write("hello"))
        const clients: Array<net.Socket> = []
        const relay = yield* listen(net.createServer((client) => {
          clients.push(client)
          client.pipe(net.connect(port, "127.0.0.1").on("error", () => {})).pipe(client)
        }))
        const received = collect(yield* open(relay))
        yield* until(() => received.text === "hello")
        clients[0]?.resetAndDestroy()
        const close = yield* received.closed
        assert.deepStrictEqual([close.kind, close.code], ["Error", "ECONNRESET"])
        assert.strictEqual(received.closes, 1)
      }))

    it.scopedLive("the server closed before start -> still one Eof", () =>
      Effect.gen(function*() {
        const port = yield* tlsServer((socket) => socket.end("bye"))
        const transport = yield* open(port)
        yield* Effect.sleep("20 millis")
        const received = collect(transport)
        assert.strictEqual((yield* received.closed).kind, "Eof")
        assert.strictEqual(received.text, "bye")
      }))

    it.scopedLive("destroy -> one Destroyed; later writes complete at once", () =>
      Effect.gen(function*() {
        const port = yield* tlsServer()
        const transport = yield* open(port)
        const received = collect(transport)
        transport.destroy()
        transport.destroy()
        assert.strictEqual(received.closes, 0, "never from inside the call")
        assert.strictEqual((yield* received.closed).kind, "Destroyed")
        yield* write(transport, "too late")
        assert.strictEqual(received.closes, 1)
      }))

    it.scopedLive("the transport closes during a write -> the write completes", () =>
      Effect.gen(function*() {
        const port = yield* tlsServer((socket) => socket.pause())
        const transport = yield* open(port)
        collect(transport)
        const writing = yield* Effect.fork(
          Effect.async<void>((resume) => transport.write(Buffer.alloc(64 * 1024 * 1024), () => resume(Effect.void)))
        )
        yield* Effect.yieldNow()
        transport.destroy()
        yield* Fiber.join(writing)
      }))

    it.scopedLive("end -> everything written is sent, then FIN", () =>
      Effect.gen(function*() {
        const said = yield* Deferred.make<string>()
        const port = yield* tlsServer((socket) => {
          let text = ""
          socket.on("data", (bytes) => text += bytes.toString())
          socket.on("end", () => Deferred.unsafeDone(said, Exit.succeed(text)))
        })
        const transport = yield* open(port)
        const received = collect(transport)
        yield* write(transport, "last words")
        transport.end()
        yield* write(transport, "dropped")
        assert.strictEqual(yield* Deferred.await(said), "last words")
        yield* received.closed
      }))

    it.scopedLive("the scope is closed right after end() -> every byte is delivered", () =>
      Effect.gen(function*() {
        const said = yield* Deferred.make<number>()
        const size = 8 * 1024 * 1024
        const port = yield* tlsServer((socket) => {
          let length = 0
          socket.on("data", (bytes) => length += bytes.length)
          socket.on("end", () => Deferred.unsafeDone(said, Exit.succeed(length)))
        })
        yield* Effect.scoped(Effect.gen(function*() {
          const transport = yield* open(port)
          collect(transport)
          transport.write(Buffer.alloc(size), () => {})
          transport.end()
        }))
        assert.strictEqual(yield* Deferred.await(said), size)
      }))

    it.scopedLive("the scope is closed -> the socket is destroyed, no listener or handle is left", () =>
      Effect.gen(function*() {
        const port = yield* tlsServer()
        const countBefore = process.getActiveResourcesInfo().filter((_) => _.startsWith("TCPSocket")).length
        const scope = yield* Scope.make()
        const transport = yield* Scope.extend(open(port), scope)
        const received = collect(transport)
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual((yield* received.closed).kind, "Destroyed")
        // The server's side of the connection closes when it hears of it.
        yield* until(() =>
          process.getActiveResourcesInfo().filter((_) => _.startsWith("TCPSocket")).length <= countBefore
        )
        assert.strictEqual(received.closes, 1)
      }))
  })

  describe("client certificates", () => {
    const strict: tls.TlsOptions = { requestCert: true, rejectUnauthorized: true }
    const subjects: Array<string> = []
    const mutual = (options?: tls.TlsOptions) =>
      tlsServer((socket) => subjects.push(socket.getPeerX509Certificate()?.subject ?? "none"), {
        ...strict,
        ...options
      })
    const pem = Credentials.certificate({
      cert: fixtures.text("client.pem"),
      key: Redacted.make(fixtures.text("client.key.pem"))
    })
    const p12 = Credentials.pkcs12({ data: fixtures.bytes("client.p12"), passphrase: Redacted.make("secret") })

    for (const [name, make] of [["PEM", pem], ["PKCS#12", p12]] as const) {
      it.scopedLive(`from ${name} -> presented`, () =>
        Effect.gen(function*() {
          const port = yield* mutual()
          const credentials = yield* make
          const length = subjects.length
          yield* open(port, { credentials })
          yield* until(() => subjects.length > length)
          assert.include(subjects.at(-1), "UID=com.example.app")
        }))
    }

    it.scopedLive("a token signing key -> no client certificate", () =>
      Effect.gen(function*() {
        const port = yield* mutual({ requestCert: true, rejectUnauthorized: false })
        const credentials = yield* Credentials.token({
          key: Redacted.make(fixtures.text("AuthKey_ABC123DEFG.p8")),
          keyId: "ABC123DEFG",
          teamId: "DEF123GHIJ"
        })
        const length = subjects.length
        yield* open(port, { credentials })
        yield* until(() => subjects.length > length)
        assert.strictEqual(subjects.at(-1), "none")
      }))

    it.scopedLive("expired since it was read -> not even tried", () =>
      Effect.gen(function*() {
        const port = yield* mutual()
        const credentials = yield* pem
        const expired = { ...credentials, expiresAt: DateTime.unsafeMake("2021-01-02T03:04:05Z") }
        const error = yield* refused(port, { credentials: expired })
        assert.strictEqual(error.reason, "ClientCertificateExpired")
        assert.include(error.message, "2021-01-02")
      }))
  })

  describe("key log", () => {
    const directory = Effect.acquireRelease(
      Effect.sync(() => fs.mkdtempSync(nodePath.join(os.tmpdir(), "keylog-"))),
      (path) => Effect.sync(() => fs.rmSync(path, { recursive: true }))
    )

    it.scopedLive("keylog -> written to that function or file", () =>
      Effect.gen(function*() {
        const port = yield* tlsServer((socket) => socket.write("hello"))
        const lines: Array<string> = []
        const one = collect(yield* open(port, { keylog: (line) => lines.push(line) }))
        yield* until(() => one.text === "hello")
        assert.isTrue(lines.some((line) => line.startsWith("CLIENT_TRAFFIC_SECRET_0 ") && line.endsWith("\n")))

        const file = nodePath.join(yield* directory, "keys")
        // one that is there already, and that others may read
        fs.writeFileSync(file, "", { mode: 0o644 })
        const two = collect(yield* open(port, { keylog: file }))
        yield* until(() => two.text === "hello")
        assert.include(fs.readFileSync(file, "utf8"), "SERVER_TRAFFIC_SECRET_0 ")
        assert.strictEqual(fs.statSync(file).mode & 0o777, 0o600)
      }))

    it.scopedLive("SSLKEYLOGFILE is used only with keylog: \"env\"", () =>
      Effect.gen(function*() {
        const port = yield* tlsServer((socket) => socket.write("hello"))
        const file = nodePath.join(yield* directory, "keys")
        yield* Effect.acquireRelease(
          Effect.sync(() => {
            const before = process.env["SSLKEYLOGFILE"]
            process.env["SSLKEYLOGFILE"] = file
            return before
          }),
          (before) =>
            Effect.sync(() => {
              if (before === undefined) delete process.env["SSLKEYLOGFILE"]
              else process.env["SSLKEYLOGFILE"] = before
            })
        )
        const one = collect(yield* open(port))
        yield* until(() => one.text === "hello")
        assert.isFalse(fs.existsSync(file))
        const two = collect(yield* open(port, { keylog: true }))
        yield* until(() => two.text === "hello")
        assert.include(fs.readFileSync(file, "utf8"), "CLIENT_TRAFFIC_SECRET_0 ")
        // a new file is readable by its owner alone
        assert.strictEqual(fs.statSync(file).mode & 0o777, 0o600)
      }))

    it.scopedLive("an existing file -> keeps its content, and becomes readable by its owner only", () =>
      Effect.gen(function*() {
        const port = yield* tlsServer((socket) => socket.write("hello"))
        const file = nodePath.join(yield* directory, "keys")
        fs.writeFileSync(file, "before\n", { mode: 0o644 })
        const received = collect(yield* open(port, { keylog: file }))
        yield* until(() => received.text === "hello")
        assert.match(fs.readFileSync(file, "utf8"), /^before\nSERVER_HANDSHAKE_TRAFFIC_SECRET /)
        assert.strictEqual(fs.statSync(file).mode & 0o777, 0o600)
      }))

    it.scopedLive("an unusable file -> an error", () =>
      Effect.gen(function*() {
        const port = yield* tlsServer()
        const error = yield* refused(port, { keylog: "/does/not/exist" })
        assert.strictEqual(error.reason, "KeyLog")
      }))
  })

  describe("proxies", () => {
    const proxyAt = (url: string) => Either.getOrThrow(Proxy.make(url))

    const echo = (port: number, options: Partial<Transport.ConnectOptions>) =>
      Effect.scoped(Effect.gen(function*() {
        const transport = yield* open(port, options)
        const received = collect(transport)
        const text = "through the proxy ".repeat(20_000)
        yield* write(transport, text)
        yield* until(() => received.text.length >= text.length)
        assert.strictEqual(received.text, text)
        return transport.info
      }))

    const echoServer = tlsServer((socket) => socket.pipe(socket))

    it.scopedLive("HTTP CONNECT -> the name is sent to the proxy unresolved", () =>
      Effect.gen(function*() {
        const port = yield* echoServer
        const seen = nothing()
        const proxy = proxyAt(`http://127.0.0.1:${yield* listen(httpProxy(seen))}`)
        const info = yield* echo(port, { proxy, lookup: () => Effect.die("looked up") })
        assert.deepStrictEqual(seen, { targets: [`localhost:${port}`], authorizations: [undefined] })
        assert.deepStrictEqual([info.alpn, info.remoteAddress], ["h2", `127.0.0.1:${proxy.port}`])
      }))

    it.scopedLive("SOCKS5 -> the name is sent to the proxy unresolved", () =>
      Effect.gen(function*() {
        const port = yield* echoServer
        const seen = nothing()
        const proxy = proxyAt(`socks5://127.0.0.1:${yield* listen(socksProxy(seen))}`)
        yield* echo(port, { proxy, lookup: () => Effect.die("looked up") })
        assert.deepStrictEqual(seen.targets, [`localhost:${port}`])
      }))

    it.scopedLive("user name and password -> both kinds of proxy get them", () =>
      Effect.gen(function*() {
        const port = yield* echoServer
        const seen = nothing()
        const authorization = `Basic ${Buffer.from("user:p@ss").toString("base64")}`
        const one = yield* listen(httpProxy(seen, { authorization }))
        yield* echo(port, { proxy: proxyAt(`http://user:p%40ss@127.0.0.1:${one}`) })
        const two = yield* listen(socksProxy(seen, { user: "user", password: "p@ss" }))
        yield* echo(port, { proxy: proxyAt(`socks5://user:p%40ss@127.0.0.1:${two}`) })
        assert.deepStrictEqual(seen.authorizations, [authorization, "user:p@ss"])
      }))

    it.scopedLive("wrong or missing user name and password -> a typed error without the password", () =>
      Effect.gen(function*() {
        const port = yield* echoServer
        const http = yield* listen(httpProxy(nothing(), { authorization: "Basic other" }))
        const socks = yield* listen(socksProxy(nothing(), { user: "other", password: "other" }))
        for (const [scheme, at] of [["http", http], ["socks5", socks]] as const) {
          const wrong = yield* refused(port, { proxy: proxyAt(`${scheme}://someone:hunter2@127.0.0.1:${at}`) })
          assert.deepStrictEqual([wrong.reason, wrong.phase], ["ProxyAuthenticationRequired", "proxy"])
          assert.include(wrong.message, "correct them")
          const shown = util.inspect(wrong, { depth: 10, showHidden: true }) + JSON.stringify(wrong) + wrong.message
          assert.notMatch(shown, /someone|hunter2|c29tZW9uZ/)
          const missing = yield* refused(port, { proxy: proxyAt(`${scheme}://127.0.0.1:${at}`) })
          assert.strictEqual(missing.reason, "ProxyAuthenticationRequired")
          assert.include(missing.message, "wants a user name")
        }
      }))

    it.scopedLive("a proxy that refuses, is down, or is not a proxy -> a typed error", () =>
      Effect.gen(function*() {
        const port = yield* echoServer
        const forbids = yield* listen(httpProxy(nothing(), { status: 403 }))
        const forbidden = yield* refused(port, { proxy: proxyAt(`http://127.0.0.1:${forbids}`) })
        assert.deepStrictEqual([forbidden.reason, forbidden.code], ["Proxy", "HTTP_403"])
        const unreachable = yield* listen(socksProxy(nothing(), { user: "someone", password: "hunter2", reply: 4 }))
        const echoing = yield* listen(net.createServer((socket) => socket.on("error", () => {}).pipe(socket)))
        const echoed = yield* refused(port, { proxy: proxyAt(`http://someone:hunter2@127.0.0.1:${echoing}`) })
        assert.strictEqual(echoed.reason, "Proxy")
        assert.notMatch(
          util.inspect(echoed, { depth: 10, showHidden: true }),
          new RegExp(`someone|hunter2|rawPacket|${Buffer.from("someone:hunter2").toString("base64")}`)
        )
        const socks = yield* refused(port, { proxy: proxyAt(`socks5://someone:hunter2@127.0.0.1:${unreachable}`) })
        assert.strictEqual(socks.reason, "Proxy")
        assert.include(socks.message, "HostUnreachable")
        assert.notMatch(util.inspect(socks, { depth: 10, showHidden: true }), /someone|hunter2/)
        const down = yield* refused(port, { proxy: proxyAt(`http://127.0.0.1:${yield* deadPort}`) })
        assert.deepStrictEqual([down.reason, down.code], ["Proxy", "ECONNREFUSED"])
        const hangsUp = yield* listen(net.createServer((socket) => socket.on("data", () => socket.destroy())))
        assert.strictEqual((yield* refused(port, { proxy: proxyAt(`http://127.0.0.1:${hangsUp}`) })).reason, "Proxy")
        assert.strictEqual((yield* refused(port, { proxy: proxyAt(`socks5://127.0.0.1:${hangsUp}`) })).reason, "Proxy")
        const garbage = yield* listen(net.createServer((socket) => socket.end("SSH-2.0-OpenSSH_9.6\r\n")))
        assert.strictEqual((yield* refused(port, { proxy: proxyAt(`http://127.0.0.1:${garbage}`) })).reason, "Proxy")
        assert.strictEqual((yield* refused(port, { proxy: proxyAt(`socks5://127.0.0.1:${garbage}`) })).reason, "Proxy")
      }))

    for (const scheme of ["http", "socks5"]) {
      it.scopedLive(`a proxy (${scheme}) that closes at once -> an error at once, not the connect timeout`, () =>
        Effect.gen(function*() {
          const port = yield* echoServer
          const closes = yield* listen(net.createServer((socket) => socket.on("error", () => {}).end()))
          // it may close before something is sent to it, or afterwards
          for (let i = 0; i < 5; i++) {
            const error = yield* refused(port, {
              proxy: proxyAt(`${scheme}://127.0.0.1:${closes}`),
              connectTimeout: "5 seconds"
            })
            assert.deepStrictEqual([error.reason, error.phase], ["Proxy", "proxy"])
          }
        }))
    }

    it.scopedLive("a proxy that never answers -> the connect timeout, and its socket is closed", () =>
      Effect.gen(function*() {
        const port = yield* echoServer
        for (const scheme of ["http", "socks5"]) {
          const gone = yield* Deferred.make<void>()
          const silent = yield* listen(net.createServer((socket) => {
            socket.resume()
            socket.on("close", () => Deferred.unsafeDone(gone, Exit.void))
          }))
          const proxy = proxyAt(`${scheme}://user:secret@127.0.0.1:${silent}`)
          const error = yield* refused(port, { proxy, connectTimeout: "300 millis" })
          assert.deepStrictEqual([error.reason, error.phase], ["Timeout", "proxy"])
          assert.include(error.message, `${scheme}://127.0.0.1:${silent}`)
          assert.notInclude(error.message, "secret")
          yield* Deferred.await(gone)
        }
      }))

    it.scopedLive("a proxy that works again -> used again", () =>
      Effect.gen(function*() {
        const port = yield* echoServer
        const proxyPort = yield* deadPort
        const proxy = proxyAt(`http://127.0.0.1:${proxyPort}`)
        const down = yield* refused(port, { proxy })
        assert.strictEqual(down.reason, "Proxy")
        const server = httpProxy(nothing())
        yield* Effect.acquireRelease(
          Effect.async<void>((resume) => {
            server.listen(proxyPort, "127.0.0.1", () => resume(Effect.void))
          }),
          () => Effect.sync(() => server.close())
        )
        yield* echo(port, { proxy })
      }))

    it.scopedLive("TLS options through a proxy: authority, name, h2, client certificate", () =>
      Effect.gen(function*() {
        const subjects: Array<string> = []
        const strict = { requestCert: true, rejectUnauthorized: true }
        const port = yield* tlsServer((socket) => subjects.push(socket.getPeerX509Certificate()?.subject ?? ""), strict)
        const noH2 = yield* tlsServer(() => {}, { ALPNProtocols: ["http/1.1"] })
        const elsewhere = yield* tlsServer(() => {}, {
          cert: fixtures.text("elsewhere.pem"),
          key: fixtures.text("elsewhere.key.pem")
        })
        const credentials = yield* Credentials.certificate({ cert: Redacted.make(fixtures.text("client-both.pem")) })
        for (
          const url of [
            `http://127.0.0.1:${yield* listen(httpProxy(nothing()))}`,
            `socks5://127.0.0.1:${yield* listen(socksProxy(nothing()))}`
          ]
        ) {
          const proxy = proxyAt(url)
          const length = subjects.length
          yield* Effect.scoped(
            Effect.zipRight(open(port, { proxy, credentials }), until(() => subjects.length > length))
          )
          assert.include(subjects.at(-1), "UID=com.example.app")
          assert.strictEqual((yield* refused(port, { proxy, credentials, ca: undefined })).reason, "UntrustedServer")
          assert.strictEqual((yield* refused(noH2, { proxy })).reason, "NoH2")
          assert.strictEqual((yield* refused(elsewhere, { proxy })).reason, "HostnameMismatch")
        }
      }))

    it.scopedLive("the server ends, or the tunnel is destroyed -> reported; the scope closes both sockets", () =>
      Effect.gen(function*() {
        const port = yield* tlsServer((socket) => socket.on("data", () => socket.end("bye")))
        const server = httpProxy(nothing())
        const tunnels: Array<net.Socket> = []
        server.on("connection", (socket: net.Socket) => tunnels.push(socket))
        const proxy = proxyAt(`http://127.0.0.1:${yield* listen(server)}`)
        const one = yield* open(port, { proxy })
        const ended = collect(one)
        yield* write(one, "hello")
        assert.strictEqual((yield* ended.closed).kind, "Eof")
        assert.strictEqual(ended.text, "bye")

        const broken = collect(yield* open(port, { proxy }))
        tunnels[1]?.resetAndDestroy()
        assert.include(["Error", "Eof"], (yield* broken.closed).kind)

        const scope = yield* Scope.make()
        collect(yield* Scope.extend(open(port, { proxy }), scope))
        yield* Scope.close(scope, Exit.void)
        yield* until(() => tunnels.length === 3 && tunnels.every((_) => _.destroyed))
      }))

    it.scopedLive("the environment's proxy is used only when asked for", () =>
      Effect.gen(function*() {
        const port = yield* echoServer
        const seen = nothing()
        const url = `http://127.0.0.1:${yield* listen(httpProxy(seen))}`
        yield* Effect.acquireRelease(
          Effect.sync(() => {
            const before = { ...process.env }
            for (const name of Object.keys(process.env)) if (/_proxy$/i.test(name)) delete process.env[name]
            process.env["HTTPS_PROXY"] = url
            return before
          }),
          (before) =>
            Effect.sync(() => {
              delete process.env["HTTPS_PROXY"]
              Object.assign(process.env, before)
            })
        )
        yield* echo(port, {})
        assert.strictEqual(seen.targets.length, 0)
        yield* echo(port, { proxy: "env" })
        assert.strictEqual(seen.targets.length, 1)
        process.env["HTTPS_PROXY"] = "ftp://proxy"
        assert.strictEqual((yield* refused(port, { proxy: "env" })).reason, "InvalidProxy")
      }))
  })

  describe("makeTest", () => {
    it.effect("a transport in memory that the test controls", () =>
      Effect.gen(function*() {
        const test = Transport.makeTest({ remoteAddress: "far away" })
        const { transport } = test
        assert.deepStrictEqual([transport.info.alpn, transport.info.remoteAddress], ["h2", "far away"])
        test.receive(Buffer.from("early "))
        const received = collect(transport)
        assert.strictEqual(received.text, "", "never before start returned")
        yield* Effect.promise(() => Promise.resolve())
        test.receive(Buffer.from("late"))
        assert.strictEqual(received.text, "early late")

        yield* write(transport, "one")
        test.autoComplete = false
        let done = false
        transport.write(Buffer.from("two"), () => done = true)
        assert.throws(() => transport.write(Buffer.from("three"), () => {}), /outstanding/)
        yield* Effect.promise(() => Promise.resolve())
        assert.isFalse(done)
        test.completeWrite()
        assert.isTrue(done)
        assert.deepStrictEqual(test.written.map((_) => Buffer.from(_).toString()), ["one", "two"])

        transport.end()
        assert.isTrue(test.ended)
        yield* write(transport, "dropped")
        test.close({ code: "ECONNRESET" })
        test.close()
        transport.destroy()
        assert.deepStrictEqual(yield* received.closed, { kind: "Error", code: "ECONNRESET", message: undefined })
        assert.strictEqual(received.closes, 1)
        assert.strictEqual(test.written.length, 2)
      }))

    it.effect("written data is copied, received data (also a Buffer) is passed on unchanged", () =>
      Effect.gen(function*() {
        const test = Transport.makeTest()
        test.transport.start({ onData: () => {}, onClose: () => {} })
        yield* Effect.promise(() => Promise.resolve())
        const bytes = Buffer.from("one")
        yield* Effect.async<void>((resume) => test.transport.write(bytes, () => resume(Effect.void)))
        bytes.fill(0)
        assert.strictEqual(Buffer.from(test.written[0] ?? []).toString(), "one")
        const received = Buffer.from("two")
        test.receive(received)
        assert.strictEqual(received.toString(), "two")
      }))

    it.effect("received data is overwritten after the call, since a receiver must not keep it", () =>
      Effect.gen(function*() {
        const { receive, transport } = Transport.makeTest()
        const kept: Array<Uint8Array> = []
        transport.start({ onData: (bytes) => kept.push(bytes), onClose: () => {} })
        yield* Effect.promise(() => Promise.resolve())
        receive(Buffer.from("x"))
        assert.deepStrictEqual(kept.map((_) => [..._]), [[0xee]])
      }))

    it.effect("destroy -> closed once, after the call returns", () =>
      Effect.gen(function*() {
        const { transport } = Transport.makeTest()
        const received = collect(transport)
        transport.destroy()
        transport.destroy()
        assert.strictEqual(received.closes, 0)
        assert.strictEqual((yield* received.closed).kind, "Destroyed")
        yield* Effect.promise(() => Promise.resolve())
        assert.strictEqual(received.closes, 1)
      }))
  })
})
