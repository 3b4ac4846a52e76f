/**
 * The roster alone, with connections that do only what the test says, by a virtual clock: which connection is picked, when
 * another one is opened, and when none is. How often it connects to broken servers is in `scenarios/BackOff.test.ts`.
 */
import { ConnectError, type Connection, Endpoint, type Failure } from "@effect-apns/core"
import type { Listener, Parts, Unsafe } from "@effect-apns/core/unstable/Connection"
import * as Deadlines from "@effect-apns/core/unstable/Deadlines"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, ExecutionStrategy, Exit, Logger, LogLevel, Schedule, Scope } from "effect"
import { type Member, type Owner, Roster } from "../src/internal/roster.js"
import { VirtualClock } from "./scenarios/VirtualClock.js"

const refused: Failure.CloseCause = { _tag: "Dropped", code: "ECONNRESET" }
const silent: Failure.CloseCause = { _tag: "PingTimeout", after: Duration.seconds(3) }
const rotated: Failure.CloseCause = {
  _tag: "Goaway",
  code: 0,
  codeName: "NO_ERROR",
  lastStreamId: 9,
  reason: undefined,
  debugData: ""
}

/** A connection that is told what happens to it. */
class Fake implements Unsafe {
  state: Connection.State = "active"
  available = 100
  inFlight = 0
  limit = 100
  proven = true
  trusted = true
  hastened = 0
  readonly retired = Deferred.unsafeMake<Failure.CloseCause>(Effect.runSync(Effect.fiberId))
  readonly closed = Deferred.unsafeMake<Failure.CloseCause>(Effect.runSync(Effect.fiberId))
  readonly connection: Connection.Connection = {
    "~@effect-apns/core/Connection": "~@effect-apns/core/Connection",
    post: () => Effect.never,
    retired: Deferred.await(this.retired),
    closed: Deferred.await(this.closed),
    retire: Effect.sync(() => this.retire()),
    unsafe: this
  }

  constructor(private readonly listener: Listener) {}

  exchange(): boolean {
    this.inFlight++
    this.available--
    return true
  }
  holds(): boolean {
    return false
  }
  cancel(): void {}
  suspect(): void {}
  hasten(): void {
    this.hastened++
  }

  /** A PING goes out. */
  ask(paused: boolean): void {
    this.trusted = false
    this.available = 0
    this.listener.onSuspect?.(this.connection, paused)
  }
  pong(): void {
    this.trusted = true
    this.available = this.limit - this.inFlight
    this.listener.onCapacity(this.connection)
  }
  retire(cause: Failure.CloseCause = { _tag: "Retired" }): void {
    if (this.state !== "active") return
    this.state = "draining"
    this.available = 0
    Deferred.unsafeDone(this.retired, Exit.succeed(cause))
    this.listener.onRetired(this.connection, cause)
    if (this.inFlight === 0) this.close(cause)
  }
  close(cause: Failure.CloseCause): void {
    if (this.state === "closed") return
    this.retire(cause)
    if (Deferred.unsafeDone(this.closed, Exit.succeed(cause)) === undefined) this.state = "closed"
  }
}

type Network = "opens" | "hangs" | "refuses"

/** A roster of so many connections, and what it does. */
const make = (size: number, reconnect: Schedule.Schedule<unknown> = Schedule.spaced("5 seconds")) =>
  Effect.gen(function*() {
    const clock = new VirtualClock(1_800_000_000_000)
    const network = { is: "opens" as Network, attempts: 0, given: 0 }
    const fakes: Array<Fake> = []
    const owner = { someWait: false, closed: undefined as Failure.CloseCause | undefined, pumped: 0 }
    const connect = ({ listener }: Parts) =>
      Effect.suspend(() => {
        network.attempts++
        if (listener === undefined) return Effect.dieMessage("no listener")
        switch (network.is) {
          case "refuses":
            return Effect.fail(
              new ConnectError.ConnectError({
                reason: "Refused",
                phase: "tcp",
                endpoint: Endpoint.development,
                message: "Nothing listens"
              })
            )
          case "hangs":
            return Effect.onInterrupt(Effect.never, () => Effect.sync(() => network.given++))
          case "opens": {
            const fake = new Fake(listener)
            fakes.push(fake)
            return Effect.succeed(fake.connection)
          }
        }
      })
    const roster = yield* Effect.withClock(
      Effect.gen(function*() {
        const scope = yield* Effect.acquireRelease(
          Scope.make(ExecutionStrategy.parallel),
          (scope, exit) => Scope.close(scope, exit)
        )
        const calls: Owner = {
          get someWait() {
            return owner.someWait
          },
          pump: () => {
            owner.pumped++
          },
          updateAvailability: () => {},
          close: (cause) => {
            owner.closed = cause
            made.end(cause)
          }
        }
        const made: Roster = new Roster(
          calls,
          connect,
          reconnect,
          yield* Deadlines.make,
          yield* Effect.runtime(),
          scope,
          {},
          { connectionOpened: () => {}, connectionFailed: () => {}, connectionClosed: () => {} }
        )
        yield* Effect.addFinalizer(() => Effect.sync(() => made.end({ _tag: "ScopeClosed" })))
        yield* made.start(size)
        return made
      }),
      clock
    )
    const pass = (millis: number) => Effect.promise(() => clock.advance(millis))
    yield* pass(0)
    assert.lengthOf(fakes, size)
    /** Somebody sends, and finds no connection. */
    const wait = () => {
      owner.someWait = true
      if (roster.down) roster.onWaiting()
    }
    return { fakes, network, owner, pass, roster, wait }
  })

const quiet = Effect.provide(Logger.minimumLogLevel(LogLevel.None))

/** The number of the connection that is picked, or -1. */
const pick = (made: { readonly roster: Roster; readonly fakes: ReadonlyArray<Fake> }, avoid?: Member): number => {
  const unsafe = made.roster.pick(avoid)?.unsafe
  return unsafe === undefined ? -1 : made.fakes.findIndex((fake) => fake === unsafe)
}

for (const size of [1, 2, 10]) {
  describe(`every connection of ${size} is suspect`, () => {
    it.scopedLive("after a pause of the process: another one is opened at once for those who wait, and replaces the first that ends", () =>
      Effect.gen(function*() {
        const { fakes, network, pass, roster, wait } = yield* make(size)
        for (const fake of fakes) fake.ask(true)
        assert.isTrue(roster.down)
        yield* pass(0)
        assert.strictEqual(network.attempts, size)
        wait()
        wait()
        yield* pass(0)
        assert.strictEqual(network.attempts, size + 1)
        assert.deepStrictEqual(fakes.slice(0, size).map(({ hastened }) => hastened), fakes.slice(0, size).map(() => 1))
        assert.isFalse(roster.down)
        assert.strictEqual(pick({ fakes, roster }), size)
        assert.deepInclude(roster.counters, { size, active: size + 1, connecting: 0 })
        // the PINGs fail
        for (const fake of fakes.slice(0, size)) fake.close(silent)
        yield* pass(10_000)
        assert.deepInclude(roster.counters, { size, active: size, connecting: 0, draining: 0 })
        assert.strictEqual(network.attempts, 2 * size)
        assert.strictEqual(fakes[size]?.state, "active")
      }).pipe(quiet))

    it.scopedLive("and the PONG comes first: nothing is opened, and what was begun is given up", () =>
      Effect.gen(function*() {
        const { fakes, network, pass, roster, wait } = yield* make(size)
        network.is = "hangs"
        for (const fake of fakes) fake.ask(true)
        wait()
        yield* pass(50)
        assert.deepInclude(roster.counters, { size, active: size, connecting: 1 })
        fakes[0]?.pong()
        yield* pass(60_000)
        assert.deepInclude(roster.counters, { size, active: size, connecting: 0, connectionsOpened: size })
        assert.deepInclude(network, { attempts: size + 1, given: 1 })
        assert.strictEqual(pick({ fakes, roster }), 0)
      }).pipe(quiet))

    it.scopedLive("and the PONG comes when the other one is open: that one is closed, the old ones stay", () =>
      Effect.gen(function*() {
        const { fakes, network, pass, roster, wait } = yield* make(size)
        for (const fake of fakes) fake.ask(true)
        wait()
        yield* pass(0)
        assert.deepInclude(roster.counters, { size, active: size + 1 })
        for (const fake of fakes.slice(0, size)) fake.pong()
        yield* pass(60_000)
        assert.deepInclude(roster.counters, { size, active: size, connecting: 0, draining: 0 })
        assert.strictEqual(fakes[size]?.state, "closed")
        assert.isTrue(fakes.slice(0, size).every(({ state }) => state === "active"))
        assert.strictEqual(network.attempts, size + 1)
      }).pipe(quiet))

    it.scopedLive("in a process that runs: a PONG within a usual round trip costs no connection, a later one does", () =>
      Effect.gen(function*() {
        const { fakes, network, pass, wait } = yield* make(size)
        for (let round = 0; round < 5; round++) {
          for (const fake of fakes) fake.ask(false)
          wait()
          yield* pass(200)
          for (const fake of fakes) fake.pong()
          yield* pass(2_000)
        }
        assert.strictEqual(network.attempts, size)
        for (const fake of fakes) fake.ask(false)
        wait()
        yield* pass(249)
        assert.strictEqual(network.attempts, size)
        yield* pass(1)
        assert.strictEqual(network.attempts, size + 1)
      }).pipe(quiet))

    it.scopedLive("and nobody waits: nothing is opened until somebody does", () =>
      Effect.gen(function*() {
        const { fakes, network, pass, wait } = yield* make(size)
        for (const fake of fakes) fake.ask(false)
        yield* pass(9_000)
        assert.strictEqual(network.attempts, size)
        wait()
        yield* pass(0)
        assert.strictEqual(network.attempts, size + 1)
      }).pipe(quiet))

    it.scopedLive("and nothing can be opened: it backs off; the PONG ends that, and the next replacement does not wait", () =>
      Effect.gen(function*() {
        const { fakes, network, owner, pass, roster, wait } = yield* make(size)
        for (let i = 0; i < size; i++) {
          const member = roster.pick(undefined)
          if (member === undefined) throw new Error("all are open")
          member.used = true
          roster.onUseful(member)
          const fake = fakes.find((fake) => fake === member.unsafe)
          if (fake !== undefined) fake.inFlight++
        }
        network.is = "refuses"
        for (const fake of fakes) fake.ask(true)
        wait()
        yield* pass(60_000)
        assert.strictEqual(network.attempts, size + 1 + 12)
        owner.someWait = false
        for (const fake of fakes) fake.pong()
        yield* pass(60_000)
        assert.strictEqual(network.attempts, size + 1 + 12)
        assert.deepInclude(roster.counters, { size, active: size, connecting: 0, unreachable: undefined })
        network.is = "opens"
        fakes[0]?.retire(rotated)
        yield* pass(0)
        assert.strictEqual(network.attempts, size + 1 + 12 + 1)
      }).pipe(quiet))

    it.scopedLive("and the pool ends, or shrinks to nothing: the spare goes too", () =>
      Effect.gen(function*() {
        for (const network of ["opens", "hangs"] as const) {
          for (const end of ["end", "resize"] as const) {
            const made = yield* make(size)
            made.network.is = network
            for (const fake of made.fakes) fake.ask(true)
            made.wait()
            yield* made.pass(0)
            if (end === "end") made.roster.end({ _tag: "ScopeClosed" })
            else yield* made.roster.resize(0)
            yield* made.pass(60_000)
            assert.deepInclude(made.roster.counters, { size: end === "end" ? size : 0, active: 0, connecting: 0 })
            assert.isTrue(made.fakes.every(({ state }) => state === "closed"))
            assert.strictEqual(made.network.attempts, size + 1)
          }
        }
      }).pipe(quiet))
  })
}

describe("one connection of two is suspect", () => {
  it.scopedLive("the other one takes what comes; nothing is opened", () =>
    Effect.gen(function*() {
      const { fakes, network, pass, roster, wait } = yield* make(2)
      fakes[0]?.ask(true)
      assert.isFalse(roster.down)
      wait()
      for (let i = 0; i < 10; i++) assert.strictEqual(pick({ fakes, roster }), 1)
      yield* pass(11_000)
      fakes[0]?.close(silent)
      yield* pass(0)
      assert.strictEqual(network.attempts, 3)
    }).pipe(quiet))

  it.scopedLive("and a slot is connecting: that one is waited for", () =>
    Effect.gen(function*() {
      const { fakes, network, owner, pass, roster, wait } = yield* make(2)
      network.is = "hangs"
      fakes[1]?.close(refused)
      fakes[0]?.ask(true)
      wait()
      yield* pass(5_000)
      assert.strictEqual(network.attempts, 3)
      assert.deepInclude(roster.counters, { size: 2, active: 1, connecting: 1 })
      assert.strictEqual(owner.closed, undefined)
    }).pipe(quiet))
})

describe("which connection takes the next request", () => {
  it.scopedLive("the one with the fewest in flight; the one to avoid where no other can; none that is full, retired, or unproven with 8", () =>
    Effect.gen(function*() {
      const { fakes, roster } = yield* make(3)
      const [a, b, c] = fakes
      if (a === undefined || b === undefined || c === undefined) throw new Error("three connections")
      a.inFlight = 3
      b.inFlight = 2
      c.inFlight = 4
      assert.strictEqual(pick({ fakes, roster }), 1)
      const least = roster.pick(undefined)
      assert.strictEqual(pick({ fakes, roster }, least), 0)
      a.available = 0
      c.retire()
      assert.strictEqual(pick({ fakes, roster }, least), 1)
      if (least === undefined) throw new Error("there is one")
      least.most = 8
      b.inFlight = 7
      assert.strictEqual(pick({ fakes, roster }), 1)
      b.inFlight = 8
      assert.strictEqual(pick({ fakes, roster }), -1)
      roster.onProven(least)
      assert.strictEqual(pick({ fakes, roster }), 1)
    }).pipe(quiet))

  it.scopedLive("equally loaded ones take turns", () =>
    Effect.gen(function*() {
      const { fakes, roster } = yield* make(4)
      const picked = Array.from({ length: 4 }, () => pick({ fakes, roster }))
      assert.deepStrictEqual(picked.sort(), [0, 1, 2, 3])
    }).pipe(quiet))
})

describe("when another connection is opened", () => {
  it.scopedLive("after a rotation at once, after each; after other ends no more than two a second, when as many as there are were", () =>
    Effect.gen(function*() {
      const { fakes, network, pass, roster } = yield* make(2)
      const end = (cause: Failure.CloseCause) => {
        const member = roster.pick(undefined)
        if (member === undefined) throw new Error("a connection is open")
        member.used = true
        roster.onUseful(member)
        const fake = fakes.find((fake) => fake === member.unsafe)
        fake?.close(cause)
      }
      for (let i = 0; i < 20; i++) {
        end(rotated)
        yield* pass(0)
      }
      assert.strictEqual(network.attempts, 22)
      end(refused)
      end(refused)
      yield* pass(0)
      assert.strictEqual(network.attempts, 24)
      for (let i = 0; i < 20; i++) {
        end(refused)
        yield* pass(500)
      }
      assert.strictEqual(network.attempts, 44)
      assert.deepInclude(roster.counters, { size: 2, connectionsLost: 42, connectionsFailed: 0 })
    }).pipe(quiet))

  it.scopedLive("none after the schedule is done: the owner is told to close, with the reason", () =>
    Effect.gen(function*() {
      const { fakes, network, owner, pass } = yield* make(1, Schedule.recurs(2))
      network.is = "refuses"
      fakes[0]?.close(refused)
      yield* pass(60_000)
      assert.strictEqual(owner.closed?._tag, "ConnectFailed")
      assert.strictEqual(network.attempts, 1 + 2)
    }).pipe(quiet))
})
