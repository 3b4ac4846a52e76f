import { Connection, Proxy, Request, Response, Transport } from "@effect-apns/core"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Either, Exit, Fiber, ManagedRuntime, Option, Scope, TestClock } from "effect"
import * as net from "node:net"
import * as tls from "node:tls"
import * as fixtures from "./fixtures/index.js"
import { httpProxy, nothing, socksProxy } from "./fixtures/proxies.js"
import { certificate, pushServer } from "./fixtures/push.js"
import { endpoint, listen, serverOptions, tlsServer } from "./fixtures/servers.js"
import { settled } from "./utils/peer.js"
import { until } from "./utils/until.js"

const ca = fixtures.text("ca.pem")

/** Ways to the server: none, or the URL of a proxy that lives as long as the scope. */
const ways: Readonly<Record<string, Effect.Effect<Proxy.Proxy | undefined, never, Scope.Scope>>> = {
  "directly": Effect.succeed(undefined),
  "through an HTTP proxy": Effect.map(
    Effect.suspend(() => listen(httpProxy(nothing()))),
    (port) => Either.getOrThrow(Proxy.make(`http://127.0.0.1:${port}`))
  ),
  "through a SOCKS5 proxy": Effect.map(
    Effect.suspend(() => listen(socksProxy(nothing()))),
    (port) => Either.getOrThrow(Proxy.make(`socks5h://127.0.0.1:${port}`))
  )
}

/** Runs `acquire` in a scope that ends in one way when `end` is called; `done` waits until it has ended. */
interface Ending {
  readonly end: Effect.Effect<void>
  readonly done: Effect.Effect<unknown>
}

type Owner = <E>(acquire: Effect.Effect<void, E, Scope.Scope>) => Effect.Effect<Ending, never, Scope.Scope>

/** An owner that goes on when it is told to, with `rest`. */
const onCall = (rest: Effect.Effect<unknown, unknown>): Owner => (acquire) =>
  Effect.gen(function*() {
    const gate = yield* Deferred.make<void>()
    const fiber = yield* Effect.forkDaemon(
      Effect.scoped(Effect.zipRight(acquire, Effect.zipRight(Deferred.await(gate), rest)))
    )
    return { end: Effect.asVoid(Deferred.succeed(gate, void 0)), done: Fiber.await(fiber) }
  })

const interrupted = (times: number): Owner => (acquire) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkDaemon(Effect.scoped(Effect.zipRight(acquire, Effect.never)))
    const signal = Effect.flatMap(Effect.forkDaemon(Fiber.interrupt(fiber)), () => Effect.yieldNow())
    return { end: Effect.repeatN(signal, times - 1), done: Fiber.await(fiber) }
  })

const owners: Readonly<Record<string, Owner>> = {
  "succeeds": onCall(Effect.void),
  "fails": onCall(Effect.fail("failure")),
  "dies": onCall(Effect.die("defect")),
  "interrupts itself": onCall(Effect.interrupt),
  "is interrupted": interrupted(1),
  "is interrupted again while it drains": interrupted(2),
  "times out": (acquire) =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkDaemon(
        Effect.timeout(Effect.scoped(Effect.zipRight(acquire, Effect.never)), "1 second")
      )
      return { end: TestClock.adjust("1 second"), done: Fiber.await(fiber) }
    }),
  "loses a race": (acquire) =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const fiber = yield* Effect.forkDaemon(
        Effect.race(Effect.scoped(Effect.zipRight(acquire, Effect.never)), Deferred.await(gate))
      )
      return { end: Effect.asVoid(Deferred.succeed(gate, void 0)), done: Fiber.await(fiber) }
    }),
  "has a parent scope that is closed by a failure": (acquire) =>
    Effect.gen(function*() {
      const parent = yield* Scope.make()
      const scope = yield* Scope.fork(parent, parent.strategy)
      yield* Effect.orDie(Scope.extend(acquire, scope))
      const gate = yield* Deferred.make<void>()
      const fiber = yield* Effect.forkDaemon(
        Effect.zipRight(Deferred.await(gate), Scope.close(parent, Exit.fail("failure")))
      )
      return { end: Effect.asVoid(Deferred.succeed(gate, void 0)), done: Fiber.await(fiber) }
    }),
  "has a parent scope that an interrupted fiber closes": (acquire) =>
    Effect.gen(function*() {
      const parent = yield* Scope.make()
      yield* Effect.orDie(Scope.extend(acquire, parent))
      const fiber = yield* Effect.forkDaemon(
        Effect.ensuring(Effect.never, Scope.close(parent, Exit.void))
      )
      yield* Effect.yieldNow()
      return { end: Effect.asVoid(Effect.forkDaemon(Fiber.interrupt(fiber))), done: Fiber.await(fiber) }
    })
}

const request = (path: string) => Request.make({ path, body: { aps: {} }, timeout: "10 hours" })

const accepted = Response.make()

const outcome = <
  A extends { readonly status: number },
  E extends { readonly _tag: string; readonly processed: string }
>(
  result: Either.Either<A, E>
): string =>
  Either.match(result, {
    onLeft: ({ _tag, processed }) => `${_tag} ${processed}`,
    onRight: ({ status }) => String(status)
  })

/** A way to the server on which, from some time on, nobody reads and nobody closes. */
const freezable = (port: number) =>
  Effect.gen(function*() {
    const sockets = new Set<net.Socket>()
    const clients = new Set<net.Socket>()
    const own = yield* listen(net.createServer((client) => {
      const server = net.connect(port, "127.0.0.1")
      for (const socket of [client, server]) {
        sockets.add(socket)
        socket.on("error", () => {})
      }
      clients.add(client)
      client.on("close", () => clients.delete(client))
      client.pipe(server).pipe(client)
    }))
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        for (const socket of sockets) socket.destroy()
      })
    )
    return {
      port: own,
      /** No client is connected any more; whether one is there is found out by writing, since nobody reads. */
      get isLeft() {
        for (const client of clients) client.write("x")
        return clients.size === 0
      },
      freeze: () => {
        for (const socket of sockets) {
          socket.unpipe()
          socket.pause()
        }
      }
    }
  })

describe("the owner of an open connection ends", () => {
  for (const [way, proxied] of Object.entries(ways)) {
    for (const [ends, owner] of Object.entries(owners)) {
      it.scoped(`a connection ${way} whose owner ${ends} -> drains, every request gets its outcome, nothing is left open`, () =>
        Effect.gen(function*() {
          const server = yield* pushServer
          const proxy = yield* proxied
          const made = yield* Deferred.make<Connection.Connection>()
          const { done, end } = yield* owner(Effect.asVoid(Effect.tap(
            Connection.make({
              endpoint: endpoint(server.port),
              credentials: yield* certificate,
              ca,
              proxy,
              connectTimeout: "1 hour",
              drainTimeout: "20 seconds",
              // PINGs would race the clock of the test: their answers come over real sockets
              ping: { interval: "10 hours", busyInterval: "10 hours" }
            }),
            (connection) => Deferred.succeed(made, connection)
          )))
          const connection = yield* Deferred.await(made)
          const soon = yield* Effect.forkDaemon(Effect.either(connection.post(request("/soon"))))
          const never = yield* Effect.forkDaemon(Effect.either(connection.post(request("/never"))))
          yield* until(() => server.waiting.length === 2)
          yield* end
          yield* until(() => connection.unsafe.state === "draining")
          // neither of them is given up while there is time
          yield* TestClock.adjust("19 seconds")
          assert.isTrue(Option.isNone(yield* Fiber.poll(soon)))
          assert.isTrue(Option.isNone(yield* Fiber.poll(never)))
          server.accept("/soon")
          assert.strictEqual(outcome(yield* Fiber.join(soon)), "200")
          yield* TestClock.adjust("1 second")
          const result = yield* Fiber.join(never)
          assert.strictEqual(outcome(result), "Closed unknown")
          yield* done
          assert.strictEqual(connection.unsafe.state, "closed")
          yield* until(() => server.connections === 0)
          assert.strictEqual(outcome(yield* Effect.either(connection.post(request("/late")))), "Closed no")
        }))

      it.scoped(`a transport ${way} whose owner ${ends} -> closed`, () =>
        Effect.gen(function*() {
          const server = yield* pushServer
          const proxy = yield* proxied
          const closes: Array<string> = []
          const opened = yield* Deferred.make<void>()
          const { done, end } = yield* owner(Effect.asVoid(Effect.tap(
            Transport.connect({ endpoint: endpoint(server.port), ca, proxy, connectTimeout: "1 hour" }),
            (transport) => {
              transport.start({ onData: () => {}, onClose: ({ kind }) => closes.push(kind) })
              return Deferred.succeed(opened, void 0)
            }
          )))
          yield* Deferred.await(opened)
          yield* end
          yield* done
          yield* until(() => server.connections === 0)
          assert.deepStrictEqual(closes, ["Destroyed"])
        }))

      it.scoped(`a transport ${way} whose owner ${ends} right after end() -> every byte is delivered`, () =>
        Effect.gen(function*() {
          const seen = { bytes: 0, ended: false, closed: false }
          const port = yield* tlsServer((socket) => {
            socket.on("data", ({ length }: Buffer) => seen.bytes += length)
            socket.on("end", () => seen.ended = true)
            socket.on("close", () => seen.closed = true)
          })
          const proxy = yield* proxied
          const opened = yield* Deferred.make<void>()
          const { done, end } = yield* owner(Effect.asVoid(Effect.tap(
            Transport.connect({ endpoint: endpoint(port), ca, proxy, connectTimeout: "1 hour" }),
            (transport) => {
              transport.start({ onData: () => {}, onClose: () => {} })
              transport.write(Buffer.alloc(4_000_000), () => {})
              transport.end()
              return Deferred.succeed(opened, void 0)
            }
          )))
          yield* Deferred.await(opened)
          yield* end
          yield* done
          yield* until(() => seen.closed)
          assert.deepInclude(seen, { bytes: 4_000_000, ended: true })
        }))
    }
  }

  for (const [way, proxied] of Object.entries(ways)) {
    for (const [ends, owner] of Object.entries(owners)) {
      for (
        const { drainTimeout, requests } of [
          { requests: 20, drainTimeout: "20 seconds" },
          { requests: 20, drainTimeout: "0 seconds" },
          { requests: 0, drainTimeout: "0 seconds" }
        ] as const
      ) {
        // what is done behind a proxy does not depend on the time
        if (drainTimeout === "0 seconds" && way !== "directly") continue
        it.scoped(`a connection ${way} whose owner ${ends}, ${requests} requests and a server that hangs -> closed a tenth of a second after a drainTimeout of ${drainTimeout}`, () =>
          Effect.gen(function*() {
            const server = yield* pushServer
            const network = yield* freezable(server.port)
            const proxy = yield* proxied
            const made = yield* Deferred.make<Connection.Connection>()
            const { done, end } = yield* owner(Effect.asVoid(Effect.tap(
              Connection.make({
                endpoint: endpoint(network.port),
                credentials: yield* certificate,
                ca,
                proxy,
                connectTimeout: "1 hour",
                drainTimeout,
                ping: { interval: "10 hours", busyInterval: "10 hours" }
              }),
              (connection) => Deferred.succeed(made, connection)
            )))
            const connection = yield* Deferred.await(made)
            const posts = yield* Effect.forEach(
              Array.from({ length: requests }, (_, i) => `/${i}`),
              (path) => Effect.forkDaemon(Effect.either(connection.post(request(path))))
            )
            yield* until(() => server.waiting.length === requests)
            network.freeze()
            yield* end
            const ended = yield* Effect.forkDaemon(done)
            yield* until(() => connection.unsafe.state !== "active")
            yield* TestClock.adjust(drainTimeout)
            for (const post of posts) assert.strictEqual(outcome(yield* Fiber.join(post)), "Closed unknown")
            // the bytes leave by real events
            for (let i = 0; i < 5; i++) yield* Effect.promise(settled)
            yield* TestClock.adjust("100 millis")
            yield* Fiber.join(ended)
            yield* until(() => network.isLeft)
          }))
      }
    }
  }

  for (const [ends, owner] of Object.entries(owners)) {
    it.scoped(`a transport whose owner ${ends}, and a server that never closes -> closed after a while`, () =>
      Effect.gen(function*() {
        let closed = false
        const port = yield* tlsServer((socket) => {
          socket.resume()
          socket.on("end", () => {
            // whether the other side is gone is found out only by writing
            const write = () => {
              if (!socket.destroyed) socket.write("x", () => setImmediate(write))
            }
            write()
          })
          socket.on("close", () => closed = true)
        }, { allowHalfOpen: true })
        const opened = yield* Deferred.make<Transport.Transport>()
        const { done, end } = yield* owner(Effect.asVoid(Effect.tap(
          Transport.connect({ endpoint: endpoint(port), ca, connectTimeout: "1 hour" }),
          (transport) => {
            transport.start({ onData: () => {}, onClose: () => {} })
            transport.end()
            return Deferred.succeed(opened, transport)
          }
        )))
        yield* Deferred.await(opened)
        yield* end
        yield* Effect.fork(Effect.forever(Effect.zipRight(TestClock.adjust("1 second"), Effect.promise(settled))))
        yield* done
        yield* until(() => closed)
      }))
  }

  it.scopedLive("the runtime of a layer is disposed -> drains, every request gets its outcome, nothing is left open", () =>
    Effect.gen(function*() {
      const server = yield* pushServer
      const runtime = ManagedRuntime.make(Connection.layer({
        endpoint: endpoint(server.port),
        credentials: yield* certificate,
        ca,
        drainTimeout: "1 minute"
      }))
      const connection = yield* Effect.promise(() => runtime.runPromise(Connection.Connection))
      const posts = yield* Effect.forkDaemon(
        Effect.all([connection.post(request("/a")), connection.post(request("/b"))], { concurrency: 2 })
      )
      yield* until(() => server.waiting.length === 2)
      const disposed = runtime.dispose()
      yield* until(() => connection.unsafe.state === "draining")
      server.accept("/a")
      server.accept("/b")
      assert.deepStrictEqual((yield* Fiber.join(posts)).map(({ status }) => status), [200, 200])
      yield* Effect.promise(() => disposed)
      yield* until(() => server.connections === 0)
    }))

  it.scoped("a connection without a socket -> drains too", () =>
    Effect.gen(function*() {
      for (const owner of Object.values(owners)) {
        const answer = yield* Deferred.make<void>()
        const made = yield* Deferred.make<Connection.Connection>()
        const { done, end } = yield* owner(Effect.asVoid(Effect.tap(
          Connection.fromHandler(
            ({ path }) =>
              path === "/soon"
                ? Effect.as(Deferred.await(answer), accepted)
                : Effect.never,
            { drainTimeout: "20 seconds" }
          ),
          (connection) => Deferred.succeed(made, connection)
        )))
        const connection = yield* Deferred.await(made)
        const soon = yield* Effect.forkDaemon(Effect.either(connection.post(request("/soon"))))
        const never = yield* Effect.forkDaemon(Effect.either(connection.post(request("/never"))))
        yield* until(() => connection.unsafe.inFlight === 2)
        yield* end
        yield* until(() => connection.unsafe.state === "draining")
        yield* TestClock.adjust("19 seconds")
        yield* Deferred.succeed(answer, void 0)
        assert.strictEqual(outcome(yield* Fiber.join(soon)), "200")
        yield* TestClock.adjust("1 second")
        assert.strictEqual(outcome(yield* Fiber.join(never)), "Closed unknown")
        yield* done
        assert.strictEqual(connection.unsafe.state, "closed")
      }
    }))

  it.scoped("the default drainTimeout equals the default timeout of a request", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const server = yield* pushServer
      const connection = yield* Scope.extend(
        Connection.make({ endpoint: endpoint(server.port), credentials: yield* certificate, ca }),
        scope
      )
      const post = yield* Effect.forkDaemon(Effect.either(connection.post(request("/never"))))
      yield* until(() => server.waiting.length === 1)
      const closing = yield* Effect.forkDaemon(Scope.close(scope, Exit.void))
      yield* until(() => connection.unsafe.state === "draining")
      yield* TestClock.adjust(Duration.subtract(Request.defaultTimeout, "1 millis"))
      assert.strictEqual(connection.unsafe.state, "draining")
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(outcome(yield* Fiber.join(post)), "Closed unknown")
      yield* Fiber.join(closing)
    }))
})

describe("the owner of a connection that is being opened ends", () => {
  /** Each hangs in one step of connecting, and counts the sockets that reach it. */
  const steps: Readonly<Record<string, (sockets: Set<net.Socket>) => Effect.Effect<Hanging, never, Scope.Scope>>> = {
    "the lookup": () => Effect.succeed({ port: 443, lookup: () => Effect.never }),
    "the TLS handshake": (sockets) => Effect.map(silent(sockets), (port) => ({ port })),
    "the proxy's answer to CONNECT": (sockets) =>
      Effect.map(silent(sockets), (port) => ({ port: 443, proxy: `http://127.0.0.1:${port}` })),
    "the SOCKS5 greeting": (sockets) =>
      Effect.map(silent(sockets), (port) => ({ port: 443, proxy: `socks5h://127.0.0.1:${port}` })),
    "the server's SETTINGS": (sockets) =>
      Effect.map(
        listen(tls.createServer(serverOptions(), (socket) => hold(sockets, socket))),
        (port) => ({ port })
      )
  }

  interface Hanging {
    readonly port: number
    readonly proxy?: string
    readonly lookup?: () => Effect.Effect<never>
  }

  const hold = (sockets: Set<net.Socket>, socket: net.Socket) => {
    sockets.add(socket)
    socket.on("error", () => {})
    socket.on("close", () => sockets.delete(socket))
    socket.resume()
  }

  const silent = (sockets: Set<net.Socket>) => listen(net.createServer((socket) => hold(sockets, socket)))

  const connecting = (hanging: Hanging) =>
    Effect.flatMap(certificate, (credentials) =>
      Connection.make({
        endpoint: endpoint(hanging.port),
        credentials,
        ca,
        proxy: hanging.proxy === undefined ? undefined : Either.getOrThrow(Proxy.make(hanging.proxy)),
        lookup: hanging.lookup,
        connectTimeout: "10 seconds"
      }))

  /** It has come to the step: a socket is there, or the lookup was asked. */
  const reached = (step: string, sockets: Set<net.Socket>) =>
    step === "the lookup" ? Effect.yieldNow() : until(() => sockets.size === 1)

  for (const [step, hanging] of Object.entries(steps)) {
    for (
      const [ends, around] of Object.entries({
        "is interrupted": <A, E>(self: Effect.Effect<A, E>) => self,
        "times out": <A, E>(self: Effect.Effect<A, E>) => Effect.timeout(self, "1 second"),
        "is interrupted, in a scope of its parent": <A, E>(self: Effect.Effect<A, E>) => self
      })
    ) {
      it.scoped(`while it waits for ${step}, the owner ${ends} -> the socket is closed at once`, () =>
        Effect.gen(function*() {
          const sockets = new Set<net.Socket>()
          const made = connecting(yield* hanging(sockets))
          const scope = yield* Scope.make()
          const fiber = yield* Effect.forkDaemon(
            around(ends.includes("parent") ? Scope.extend(made, scope) : Effect.scoped(made))
          )
          yield* reached(step, sockets)
          if (ends === "times out") yield* TestClock.adjust("1 second")
          else yield* Fiber.interrupt(fiber)
          assert.isTrue(Exit.isFailure(yield* Fiber.await(fiber)))
          yield* until(() => sockets.size === 0)
          yield* Scope.close(scope, Exit.void)
        }))
    }

    it.scoped(`while it waits for ${step} in an uninterruptible region -> connectTimeout ends it`, () =>
      Effect.gen(function*() {
        const sockets = new Set<net.Socket>()
        const made = connecting(yield* hanging(sockets))
        const scope = yield* Scope.make()
        const fiber = yield* Effect.forkDaemon(Effect.uninterruptible(Scope.extend(made, scope)))
        yield* reached(step, sockets)
        yield* TestClock.adjust("10 seconds")
        const exit = yield* Fiber.await(fiber)
        assert.isTrue(Exit.isFailure(exit))
        // also those that failed behind the handshake do not wait for the end of the scope
        yield* until(() => sockets.size === 0)
        yield* Scope.close(scope, Exit.void)
      }))
  }

  it.scoped("an uninterruptible lookup -> connectTimeout ends it", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkDaemon(Effect.scoped(
        connecting({ port: 443, lookup: () => Effect.uninterruptible(Effect.never) })
      ))
      yield* Effect.yieldNow()
      yield* TestClock.adjust("10 seconds")
      assert.isTrue(Exit.isFailure(yield* Fiber.await(fiber)))
    }))
})
