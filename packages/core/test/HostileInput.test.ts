import { Connection, type Failure, Proxy, Request, Transport } from "@effect-apns/core"
import * as Exchange from "@effect-apns/core/unstable/Exchange"
import { Frame } from "@effect-apns/http2"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Either, Exit, FastCheck as fc, Logger } from "effect"
import * as net from "node:net"
import type * as tls from "node:tls"
import * as vm from "node:vm"
import { fromError } from "../src/internal/connectFailure.js"
import * as fixtures from "./fixtures/index.js"
import { certificate, pushServer } from "./fixtures/push.js"
import { endpoint, listen, tlsServer } from "./fixtures/servers.js"
import { hostile } from "./utils/hostile.js"
import { Peer, settled } from "./utils/peer.js"
import { until } from "./utils/until.js"

const ca = fixtures.text("ca.pem")

const refused = (options: Partial<Transport.ConnectOptions>) =>
  Effect.flip(Effect.scoped(Transport.connect({ endpoint: endpoint(443, "apns.example"), ca, ...options })))

const boom = (): never => {
  throw new Error("boom")
}

/** What plain JavaScript passes for anything: a value without a type. */
const untyped = (value: unknown, key: string = "value") => Reflect.get({ value }, key)

describe("hostile input of callers", () => {
  describe("Request.validate", () => {
    /** As a caller in plain JavaScript calls it. */
    const validate = (options: unknown): Either.Either<Request.Request, Request.InvalidRequest> => {
      const result: unknown = Reflect.apply(Request.validate, undefined, [options])
      if (!Either.isEither(result)) throw new Error("no Either")
      return Either.isLeft(result) && result.left instanceof Request.InvalidRequest
        ? Either.left(result.left)
        : Either.map(result, () => Request.make({ path: "/" })).pipe(Either.mapLeft((left) => {
          throw new Error(`not an InvalidRequest: ${String(left)}`)
        }))
    }

    it("any input -> a request or an InvalidRequest", () => {
      fc.assert(fc.property(fc.anything(), (options) => {
        validate(options)
      }))
      fc.assert(fc.property(
        fc.record({
          path: fc.oneof(fc.constant("/x"), fc.anything()),
          method: fc.anything(),
          headers: fc.anything(),
          body: fc.anything(),
          timeout: fc.anything(),
          deadline: fc.anything(),
          retransmit: fc.anything()
        }, { requiredKeys: [] }),
        (options) => {
          validate(options)
        }
      ))
    })

    it("a property that throws -> an error that names it", () => {
      for (const field of ["path", "method", "headers", "body", "timeout", "deadline", "retransmit"] as const) {
        const options = { path: "/x" }
        Object.defineProperty(options, field, {
          enumerable: true,
          get: () => {
            throw new Error("getter")
          }
        })
        const result = validate(options)
        assert.strictEqual(Either.isLeft(result) ? result.left.field : "no refusal", field)
      }
    })

    it("headers that HTTP/2 forbids, or that the library sets -> refused", () => {
      const names = [
        "connection",
        "keep-alive",
        "proxy-connection",
        "transfer-encoding",
        "upgrade",
        "te",
        "authorization"
      ]
      for (const name of [...names, "content-length"]) {
        const result = validate({ path: "/", headers: { [name]: "1" } })
        assert.include(Either.isLeft(result) ? result.left.message : "no refusal", name)
      }
    })
  })

  it.scoped("post with a broken request -> only that caller gets the defect", () =>
    Effect.gen(function*() {
      const peer = new Peer()
      const connection = yield* Connection.fromTransport(peer.transport, { drainTimeout: "0 seconds" })
      for (const request of [undefined, null, 5, {}, { path: "/x" }, { path: 5, spec: {} }]) {
        const exit = yield* Effect.exit(Effect.suspend(() => connection.post(untyped(request))))
        assert.isTrue(Exit.isFailure(exit))
      }
      const fiber = yield* Effect.fork(connection.post(Request.make({ path: "/x" })))
      yield* Effect.promise(settled)
      peer.accept(...peer.ids)
      assert.strictEqual((yield* fiber).status, 200)
    }))

  it.scoped("callbacks of an exchange throw -> logged, and the other exchanges get their outcomes", () =>
    Effect.gen(function*() {
      const logged: Array<string> = []
      const logger = Logger.make(({ cause, logLevel }) => {
        if (logLevel.label === "ERROR") logged.push(Cause.pretty(cause))
      })
      yield* Effect.gen(function*() {
        for (const ending of ["answers", "failures", "close"] as const) {
          const peer = new Peer()
          const connection = yield* Connection.fromTransport(peer.transport, { drainTimeout: "0 seconds" }, {
            listener: { onCapacity: boom, onRetired: boom, onProven: boom, onSuspect: boom }
          })
          const heard: Array<string> = []
          class Bad extends Exchange.Exchange {
            constructor(private readonly good: boolean) {
              super("/x", Request.make({ path: "/x" }).spec)
            }
            onDue(): void {}
            onAnswer(): void {
              heard.push(`answer ${this.good}`)
              if (!this.good) boom()
            }
            onFailure(_: Connection.Connection, failure: Failure.Failure): void {
              heard.push(`${failure._tag} ${this.good}`)
              if (!this.good) boom()
            }
          }
          for (const good of [false, false, true, false, true]) connection.unsafe.exchange(new Bad(good))
          yield* Effect.promise(settled)
          if (ending === "answers") peer.accept(...peer.ids)
          else if (ending === "failures") peer.send(...peer.ids.map((id) => Frame.rstStream(id, 7)))
          else connection.unsafe.close({ _tag: "Dropped", code: undefined })
          const what = { answers: "answer", failures: "StreamReset", close: "Closed" }[ending]
          assert.deepStrictEqual(heard, [false, false, true, false, true].map((good) => `${what} ${good}`))
          if (ending !== "close") {
            const fiber = yield* Effect.fork(connection.post(Request.make({ path: "/y" })))
            yield* Effect.promise(settled)
            peer.accept(...peer.ids.slice(-1))
            assert.strictEqual((yield* fiber).status, 200)
          }
          yield* Effect.promise(settled)
        }
      }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
      assert.isAtLeast(logged.length, 9)
      assert.isTrue(logged.every((line) => line.includes("boom")))
    }))

  describe("lookup", () => {
    const cases: Readonly<Record<string, () => unknown>> = {
      "a function that throws": () => {
        throw new Error("boom")
      },
      "an Effect that dies": () => Effect.die(new Error("boom")),
      "no Effect": () => 5,
      // a rejection that nothing handles would end the process
      "an async function that rejects": () => Promise.reject(new Error("disk full")),
      "an Effect that interrupts itself": () => Effect.interrupt,
      "no array": () => Effect.succeed("boom"),
      "addresses that are none": () => Effect.succeed([{ address: "boom", family: 4 }])
    }
    for (const [name, lookup] of Object.entries(cases)) {
      it.live(`${name} -> a ConnectError that names the lookup`, () =>
        Effect.gen(function*() {
          const error = yield* refused({ lookup: () => untyped(lookup()) })
          assert.deepInclude(error, { _tag: "ConnectError", reason: "Dns", phase: "dns" })
          assert.include(error.message, "lookup")
          if (name.includes("throws") || name.includes("dies")) assert.include(error.message, "boom")
        }))
    }
  })

  describe("keylog", () => {
    for (
      const [name, keylog] of Object.entries({
        "a disk that is full": "/dev/full",
        "a function that throws": () => {
          throw new Error("boom")
        },
        "an async function that rejects": () => Promise.reject(new Error("boom")),
        "a function that returns a thenable that rejects": () =>
          untyped({ then: (_: unknown, reject: (error: string) => void) => reject("boom") }),
        "a function that returns a thenable that throws": () => untyped({ then: boom }),
        "a function that returns a thenable that is async and rejects": () =>
          untyped({ then: () => Promise.reject(new Error("boom")) }),
        "a function that returns a Proxy whose every property throws": () => hostile["a Proxy that throws"]?.(),
        "an async function that rejects with a Proxy whose every property throws": () =>
          Promise.reject(hostile["a Proxy that throws"]?.())
      })
    ) {
      it.scopedLive(`${name} -> one warning, and the connection works`, () =>
        Effect.gen(function*() {
          const warnings: Array<unknown> = []
          const logger = Logger.make(({ logLevel, message }) => {
            if (logLevel.label === "WARN") warnings.push(message)
          })
          const server = yield* pushServer
          const connection = yield* Effect.provide(
            Connection.make({ endpoint: endpoint(server.port), credentials: yield* certificate, ca, keylog }),
            Logger.replace(Logger.defaultLogger, logger)
          )
          const fiber = yield* Effect.fork(connection.post(Request.make({ path: "/a" })))
          yield* until(() => server.waiting.length === 1)
          server.accept("/a")
          assert.strictEqual((yield* fiber).status, 200)
          yield* until(() => warnings.length > 0)
          assert.lengthOf(warnings, 1)
        }))
    }
  })

  for (const [user, password] of [["u".repeat(256), "p"], ["u", "p".repeat(256)], ["ü".repeat(128), "p"]] as const) {
    it.scopedLive(`user or password of a SOCKS5 proxy longer than 255 bytes (${user.length}, ${password.length}) -> refused`, () =>
      Effect.gen(function*() {
        // it asks for user name and password (RFC 1928 section 3)
        const port = yield* listen(net.createServer((socket) => socket.once("data", () => socket.write("\x05\x02"))))
        const error = yield* refused({
          proxy: Either.getOrThrow(
            Proxy.make(`socks5h://${encodeURIComponent(user)}:${encodeURIComponent(password)}@127.0.0.1:${port}`)
          )
        })
        assert.deepInclude(error, { _tag: "ConnectError", reason: "InvalidProxy" })
        assert.notInclude(JSON.stringify(error) + error.message, user.repeat(2).slice(0, 100))
      }))
  }
})

describe("errors of another realm", () => {
  it("recognized by their fields", () => {
    const error: unknown = vm.runInNewContext("Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })")
    assert.isFalse(error instanceof Error)
    assert.deepInclude(fromError(endpoint(1), "tcp", error), { reason: "Refused", code: "ECONNREFUSED" })
    const plain: unknown = vm.runInNewContext("new Error('what happened')")
    assert.include(fromError(endpoint(1), "tcp", plain).message, "what happened")
  })
})

describe("TLS 1.2", () => {
  it.scopedLive("the server asks for renegotiation -> refused (RFC 9113 section 9.2.1)", () =>
    Effect.gen(function*() {
      const sockets: Array<tls.TLSSocket> = []
      const port = yield* tlsServer((socket) => sockets.push(socket), { maxVersion: "TLSv1.2" })
      const transport = yield* Transport.connect({ endpoint: endpoint(port), ca })
      const closes: Array<string> = []
      transport.start({ onData: () => {}, onClose: ({ kind }) => closes.push(kind) })
      yield* until(() => sockets.length === 1)
      const [socket] = sockets
      let outcome = ""
      socket?.on("error", () => outcome = "refused")
      socket?.on("close", () => outcome = "refused")
      socket?.renegotiate({ rejectUnauthorized: false, requestCert: false }, (error) => {
        outcome = error === null ? "renegotiated" : "refused"
      })
      yield* until(() => outcome !== "")
      assert.strictEqual(outcome, "refused")
    }))
})
