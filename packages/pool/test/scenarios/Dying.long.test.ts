import { Endpoint } from "@effect-apns/core"
import { ApnsPool, send } from "@effect-apns/pool"
import { MockApns } from "@effect-apns/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, type Scope } from "effect"
import type { ChildProcess } from "node:child_process"
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { relayTo } from "./relay.js"
import { brief, notification, opened, poolAt, tick, token, tokens, topic } from "./utils.js"

const through = (apns: MockApns.MockApns) =>
  Effect.map(relayTo(apns.endpoint.port), (relay) => ({
    relay,
    endpoint: Endpoint.unsafeMake(`https://localhost:${relay.port}`)
  }))

// side by side, since they wait
describe("a connection that dies silently", { concurrent: true }, () => {
  it.scopedLive("default options, notifications with a collapse id -> delivered within the timeout, both those in flight and later ones", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const { endpoint, relay } = yield* through(apns)
      const pool = yield* poolAt({ ...apns, endpoint })
      yield* opened(1)
      const one = (to: string) =>
        Effect.fork(Effect.either(Effect.provideService(
          send({ token: to, topic, notification, collapseId: to.slice(-8) }),
          ApnsPool.ApnsPool,
          pool
        )))
      // one answer, so that the connection carries as many as it is sent
      assert.strictEqual(brief(yield* Fiber.join(yield* one(token(1_000)))), "ok")
      yield* apns.delay("200 millis")
      const inFlight = yield* Effect.forEach(tokens(20), one)
      yield* apns.until(({ arrived }) => arrived === 21)
      relay.forget("silence")
      const later = yield* Effect.forEach(tokens(30, 21), one)
      for (const fiber of [...inFlight, ...later]) assert.strictEqual(brief(yield* Fiber.join(fiber)), "ok")
      assert.deepInclude(yield* pool.stats, { failed: 0, completed: 51, connectionsLost: 1 })
    }).pipe(Effect.provide(MockApns.layer())))

  it.scopedLive("a connected server that answers neither requests nor PINGs -> the connection is replaced", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const pool = yield* poolAt(apns, { ping: { busyInterval: "300 millis", busyDeadline: "500 millis" } })
      yield* opened(1)
      const one = (to: string) =>
        Effect.either(Effect.provideService(
          send({ token: to, topic, notification, collapseId: to.slice(-8) }),
          ApnsPool.ApnsPool,
          pool
        ))
      assert.strictEqual(brief(yield* one(token(1_000))), "ok")
      const [first] = yield* apns.connections
      yield* apns.freeze(true, { connection: first?.id })
      const fibers = yield* Effect.forEach(tokens(8), (to) => Effect.fork(one(to)))
      for (const fiber of fibers) assert.strictEqual(brief(yield* Fiber.join(fiber)), "ok")
      assert.strictEqual((yield* pool.stats).failed, 0)
    }).pipe(Effect.provide(MockApns.layer())))
})

/** `undefined`: the middlebox keeps the flow. */
const faults = [undefined, "FIN", "RST", "silence"] as const

/** In milliseconds. */
const ping = {
  interval: 300,
  // far beyond the timeout of a request: nobody waits for a PING that is not answered
  deadline: 60_000,
  busyDeadline: 60_000
}

describe("a process that is stopped for longer than the PING interval", () => {
  const program = fileURLToPath(new URL("../fixtures/sender.ts", import.meta.url))

  interface Sender {
    readonly child: ChildProcess
    readonly lines: () => ReadonlyArray<string>
    readonly errors: () => string
  }

  const start = (apns: MockApns.MockApns, ports: ReadonlyArray<number>): Effect.Effect<Sender, never, Scope.Scope> =>
    Effect.acquireRelease(
      Effect.sync(() => {
        const { key, keyId, teamId } = apns.credentials
        const child = spawn(
          process.execPath,
          ["--conditions=@effect-apns/source", "--import", "tsx", program],
          { env: { ...process.env, POOLS: JSON.stringify({ ports, ca: apns.ca, key, keyId, teamId, ping }) } }
        )
        let out = ""
        let err = ""
        child.stdout.setEncoding("utf8").on("data", (text: string) => out += text)
        child.stderr.setEncoding("utf8").on("data", (text: string) => err += text)
        return { child, lines: () => out.split("\n").filter((line) => line !== ""), errors: () => err }
      }),
      ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
    )

  const printed = (sender: Sender, count: number) =>
    Effect.repeat(Effect.delay(tick, "10 millis"), {
      until: () => sender.lines().length >= count || sender.child.exitCode !== null
    })

  it.scopedLive("a middlebox keeps the connections, or drops them with FIN, with RST or silently -> the first notifications after the pause are delivered once, without waiting for a failed PING", () =>
    Effect.gen(function*() {
      const apns = yield* MockApns.MockApns
      const relays = yield* Effect.forEach(
        faults,
        (fault) => Effect.map(through(apns), ({ relay }) => ({ fault, relay }))
      )
      const sender = yield* start(apns, relays.map(({ relay }) => relay.port))
      const each = (outcome: string) => faults.flatMap((_, i) => Array.from({ length: 2 }, () => `${i} ${outcome}`))
      sender.child.stdin?.write("\n")
      yield* printed(sender, 8)
      assert.deepStrictEqual([...sender.lines()].sort(), each("ok"), sender.errors())
      sender.child.kill("SIGSTOP")
      // longer than the interval by more than the second that a timer may be late on a busy machine
      yield* Effect.sleep("1500 millis")
      for (const { fault, relay } of relays) if (fault !== undefined) relay.forget(fault)
      // this is what it reads first when it goes on
      sender.child.stdin?.write("\n")
      sender.child.kill("SIGCONT")
      yield* printed(sender, 16)
      assert.deepStrictEqual(sender.lines().slice(8).sort(), each("ok"), sender.errors())
      assert.strictEqual(yield* apns.acceptedCount, 16)
      assert.strictEqual((yield* apns.stats).requests, 16)
    }).pipe(Effect.provide(MockApns.layer())))
})
