import { MockApns } from "@effect-apns/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import * as net from "node:net"
import * as tls from "node:tls"
import { fileURLToPath } from "node:url"
import { connect, good } from "./utils/client.js"
import { connectRaw, frame, Type } from "./utils/raw.js"

const withMock = (options?: MockApns.Options) => Effect.provide(MockApns.layer(options))

/** Connects with TCP alone, says something, and collects what comes until the end. */
const tcp = (apns: MockApns.MockApns, say: string) =>
  Effect.async<{ readonly heard: string; readonly ended: string }>((resume) => {
    const socket = net.connect(apns.port, "127.0.0.1")
    let heard = ""
    let ended = "end"
    socket.on("connect", () => socket.write(say))
    socket.on("data", (chunk) => (heard += chunk.toString("latin1")))
    socket.on("error", (error: Error & { code?: string }) => (ended = error.code ?? error.message))
    socket.on("close", () => resume(Effect.succeed({ heard, ended })))
    return Effect.sync(() => socket.destroy())
  })

const failure = (apns: MockApns.MockApns, options?: tls.ConnectionOptions) =>
  Effect.map(Effect.flip(Effect.scoped(connectRaw(apns, options))), ({ code }) => code)

describe("TLS", () => {
  it.scopedLive("is trusted only with its own authority, by name and by address", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      assert.strictEqual(apns.origin, `https://localhost:${apns.port}`)
      assert.strictEqual(apns.endpoint.origin, apns.origin)
      const byName = yield* connectRaw(apns)
      assert.strictEqual(byName.socket.alpnProtocol, "h2")
      assert.isTrue(byName.socket.authorized)
      const byAddress = yield* connectRaw(apns, { servername: "" })
      assert.isTrue(byAddress.socket.authorized)
      assert.strictEqual(yield* failure(apns, { ca: [] }), "SELF_SIGNED_CERT_IN_CHAIN")
      const other = yield* MockApns.make()
      assert.match(
        yield* failure(apns, { ca: other.ca }),
        /^(CERT_SIGNATURE_FAILURE|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_.*)$/
      )
      const old = yield* connectRaw(apns, { maxVersion: "TLSv1.2" })
      assert.strictEqual(old.socket.getProtocol(), "TLSv1.2")
      yield* apns.until(({ openConnections }) => openConnections === 3)
      const infos = yield* apns.connections
      assert.deepStrictEqual(infos.map((info) => info.tls), ["TLSv1.3", "TLSv1.3", "TLSv1.2"])
      assert.strictEqual(infos[0]?.serverName, "localhost")
    }).pipe(withMock()))

  const handshakes = [
    ["untrusted", /^(SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_.*)$/],
    ["wrongHost", /^ERR_TLS_CERT_ALTNAME_INVALID$/],
    ["expired", /^CERT_HAS_EXPIRED$/],
    ["close", /^ECONNRESET$/],
    ["reset", /^ECONNRESET$/],
    ["closeInHandshake", /^ECONNRESET$/],
    ["garbage", /^ERR_SSL_WRONG_VERSION_NUMBER$/],
    ["oldVersion", /^(ERR_SSL_.*|ECONNRESET)$/],
    ["otherAlpn", /^(ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL|ECONNRESET)$/]
  ] as const
  for (const [fault, code] of handshakes) {
    it.scopedLive(`${fault} fails the handshake, as often as given`, () =>
      Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        yield* apns.failTls(fault, { times: 2 })
        assert.match(yield* failure(apns), code)
        assert.match(yield* failure(apns), code)
        const client = yield* connect(apns)
        assert.strictEqual((yield* client.send(yield* good(apns))).status, 200)
        yield* apns.failTls(fault)
        assert.match(yield* failure(apns), code)
        yield* apns.failTls(undefined)
        yield* connectRaw(apns)
        assert.strictEqual((yield* apns.stats).attempts, 5)
      }).pipe(withMock()))
  }

  it.scopedLive("silent accepts and never sends a byte", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      yield* apns.failTls("silent")
      const fiber = yield* Effect.fork(tcp(apns, "hello?"))
      yield* apns.until(({ attempts }) => attempts === 1)
      assert.strictEqual((yield* apns.stats).openConnections, 0)
      assert.isNull(yield* fiber.poll.pipe(Effect.map((exit) => exit._tag === "None" ? null : exit)))
      yield* fiber.interruptAsFork(yield* Effect.fiberId)
    }).pipe(withMock()))

  it.scopedLive("garbage answers with another protocol", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      yield* apns.failTls("garbage")
      assert.match((yield* tcp(apns, "\u0016\u0003\u0001")).heard, /^220 /)
    }).pipe(withMock()))

  it.scopedLive("noAlpn completes the handshake without h2", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      yield* apns.failTls("noAlpn", { times: 1 })
      const client = yield* connectRaw(apns)
      assert.isFalse(client.socket.alpnProtocol)
    }).pipe(withMock()))

  const afterTls = [
    ["silentHttp2", undefined],
    ["garbageHttp2", /this is not HTTP\/2/],
    ["http1", /^HTTP\/1\.1 400 Bad Request/]
  ] as const
  for (const [fault, said] of afterTls) {
    it.scopedLive(`${fault} agrees on h2 and sends no HTTP/2`, () =>
      Effect.gen(function*() {
        const apns = yield* MockApns.MockApns
        yield* apns.failTls(fault, { times: 1 })
        const client = yield* Effect.acquireRelease(
          Effect.async<{ socket: tls.TLSSocket; heard: Promise<string>; bytes: () => number }>((resume) => {
            const socket = tls.connect({ port: apns.port, host: "127.0.0.1", ca: apns.ca, ALPNProtocols: ["h2"] })
            const heard = new Promise<string>((resolve) =>
              socket.once("data", (chunk) => resolve(chunk.toString("latin1")))
            )
            let bytes = 0
            socket.on("data", (chunk: Buffer) => (bytes += chunk.length))
            socket.on("error", () => {})
            socket.once("secureConnect", () => resume(Effect.succeed({ socket, heard, bytes: () => bytes })))
          }),
          ({ socket }) => Effect.sync(() => socket.destroy())
        )
        assert.strictEqual(client.socket.alpnProtocol, "h2")
        if (said !== undefined) assert.match(yield* Effect.promise(() => client.heard), said)
        assert.strictEqual((yield* apns.stats).openConnections, 0)
        const next = yield* connect(apns)
        assert.strictEqual((yield* next.send(yield* good(apns))).status, 200)
        if (said === undefined) assert.strictEqual(client.bytes(), 0)
      }).pipe(withMock()))
  }

  it.scopedLive("closeAfterTls completes the handshake, then closes", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      yield* apns.failTls("closeAfterTls", { times: 1 })
      const client = yield* connectRaw(apns)
      assert.strictEqual(client.socket.alpnProtocol, "h2")
      assert.strictEqual(yield* client.ended, "end")
      assert.lengthOf(client.frames, 0)
      assert.strictEqual((yield* (yield* connect(apns)).send(yield* good(apns))).status, 200)
    }).pipe(withMock()))

  it.scopedLive("closeAfterSettings closes once its SETTINGS are acknowledged", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      yield* apns.failTls("closeAfterSettings", { times: 1 })
      const client = yield* connectRaw(apns)
      yield* client.until((frames) => frames.some(({ type }) => type === Type.SETTINGS))
      assert.strictEqual((yield* apns.stats).openConnections, 1)
      client.write(frame(Type.SETTINGS, 1, 0, Buffer.alloc(0)))
      assert.strictEqual(yield* client.ended, "end")
      assert.deepInclude((yield* apns.connections)[0], { open: false, settingsAcks: 1, requests: 0 })
      assert.strictEqual((yield* (yield* connect(apns)).send(yield* good(apns))).status, 200)
    }).pipe(withMock()))

  it.scopedLive("refuseConnections stops listening, keeps open connections, and later listens again on the same port", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const headers = yield* good(apns)
      const kept = yield* connect(apns)
      yield* apns.refuseConnections(true)
      assert.strictEqual(yield* failure(apns), "ECONNREFUSED")
      assert.strictEqual((yield* kept.send(headers)).status, 200)
      yield* apns.refuseConnections(false)
      yield* apns.refuseConnections(false)
      const again = yield* connect(apns)
      assert.strictEqual((yield* again.send(headers)).status, 200)
    }).pipe(withMock()))

  it.scopedLive("a port in use -> an error that says so", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const error = yield* Effect.flip(Effect.scoped(MockApns.make({ port: apns.port })))
      assert.strictEqual(error._tag, "MockApnsError")
      assert.include(error.message, `port ${apns.port}`)
    }).pipe(withMock()))

  it.scopedLive("accepts a custom certificate", () =>
    Effect.gen(function*() {
      const first = yield* MockApns.MockApns
      const apns = yield* MockApns.make({ tls: { ...first.authority.server(), ca: first.ca } })
      assert.strictEqual(apns.ca, first.ca)
      const client = yield* connect(apns)
      assert.strictEqual((yield* client.send(yield* good(apns))).status, 200)
    }).pipe(withMock()))
})

describe("the end", () => {
  it.live("leaves nothing open: a process that used it ends by itself", () =>
    Effect.gen(function*() {
      const { code, output } = yield* Effect.async<{ readonly code: number | null; readonly output: string }>(
        (resume) => {
          const child = spawn(process.execPath, [
            "--conditions=@effect-apns/source",
            "--import",
            "tsx",
            fileURLToPath(new URL("./fixtures/end.ts", import.meta.url))
          ], { stdio: ["ignore", "pipe", "inherit"] })
          let output = ""
          child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString("utf8")))
          child.on("close", (code) => resume(Effect.succeed({ code, output })))
          return Effect.sync(() => child.kill())
        }
      )
      assert.strictEqual(code, 0)
      assert.strictEqual(output, "during: 8 or more: true, after: []\n")
    }))
})
