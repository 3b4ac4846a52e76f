/**
 * The roster alone, with connections that do only what the test says, by a virtual clock: which connection is picked, when
 * another one is opened, and when none is. How often it connects to broken servers is in `scenarios/BackOff.test.ts`.
 */
import { ConnectError, type Connection, Endpoint, type Failure } from "@effect-apns/core"
import type { Listener, Parts, Unsafe } from "@effect-apns/core/unstable/Connection"
import * as Deadlines from "@effect-apns/core/unstable/Deadlines"
import { assert, describe, it } from "@effect/vitest"
import {
  Deferred,
  Duration,
  Effect,
  ExecutionStrategy,
  Exit,
  HashMap,
  Logger,
  LogLevel,
  Option,
  Schedule,
  Scope
} from "effect"
import { Member, type Owner, Roster } from "../src/internal/roster.js"
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

  get member(): Member {
    if (this.listener instanceof Member) return this.listener
    throw new Error("a member listens")
  }

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

type Network = "opens" | "hangs" | "late" | "refuses" | "dies"

const failedToConnect = new ConnectError.ConnectError({
  reason: "Refused",
  phase: "tcp",
  endpoint: Endpoint.development,
  message: "Nothing listens"
})

/** A roster of so many connections, and what it does. */
const make = (
  size: number,
  reconnect: Schedule.Schedule<unknown> = Schedule.spaced("5 seconds"),
  prepare: (fake: Fake) => void = () => {}
) =>
  Effect.gen(function*() {
    /** What was counted, told to the owner and logged, in that order. */
    const told: Array<string> = []
    /** The annotations of what was logged. */
    const notes = new Set<string>()
    const logger = Logger.make(({ annotations, logLevel, message }) => {
      for (const [key, value] of annotations) notes.add(`${key}: ${String(value)}`)
      const text = Array.isArray(message) ? message.join(" ") : String(message)
      const number = Option.match(HashMap.get(annotations, "connection"), {
        onNone: () => "",
        onSome: (n) => `#${n}: `
      })
      told.push(`${logLevel.label} ${number}${text}`)
    })
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
            return Effect.fail(failedToConnect)
          case "dies":
            return Effect.dieMessage("a bug of the transport")
          case "late":
            // it cannot be interrupted, and opens after a second
            return Effect.uninterruptible(Effect.gen(function*() {
              yield* Effect.sleep("1 second")
              const fake = new Fake(listener)
              fakes.push(fake)
              yield* Effect.addFinalizer(() => Effect.sync(() => fake.close({ _tag: "ScopeClosed" })))
              return fake.connection
            }))
          case "hangs":
            return Effect.onInterrupt(Effect.never, () => Effect.sync(() => network.given++))
          case "opens": {
            const fake = new Fake(listener)
            prepare(fake)
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
          updateAvailability: (down) => {
            told.push(down ? "down" : "up")
          },
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
          {
            connectionOpened: () => told.push("opened"),
            connectionFailed: (reason) => told.push(`failed: ${reason}`),
            connectionClosed: (cause) => told.push(`closed: ${cause}`)
          }
        )
        yield* Effect.addFinalizer(() => Effect.sync(() => made.end({ _tag: "ScopeClosed" })))
        yield* made.start(size)
        return made
      }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)), Logger.withMinimumLogLevel(LogLevel.All)),
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
    /** What was told since this was called last. */
    const news = (): ReadonlyArray<string> => told.splice(0)
    return { clock, fakes, network, news, notes, owner, pass, roster, wait }
  })

/** The connection brings its first answer. */
const answer = (
  { fakes, roster }: { readonly fakes: ReadonlyArray<Fake>; readonly roster: Roster },
  number: number
) => {
  const fake = fakes[number]
  if (fake === undefined) throw new Error("it is open")
  const { member } = fake
  member.used = true
  roster.onUseful(member)
}

const quiet = Effect.provide(Logger.minimumLogLevel(LogLevel.None))

/** The number of the connection that is picked, or -1. */
const pick = (made: { readonly roster: Roster; readonly fakes: ReadonlyArray<Fake> }, avoid?: Member): number => {
  const unsafe = made.roster.pick(avoid)?.unsafe
  return unsafe === undefined ? -1 : made.fakes.findIndex((fake) => fake === unsafe)
}

for (const size of [1, 2, 10]) {
  describe(`every connection of a pool of ${size} is suspect`, () => {
    it.scopedLive("after a pause of the process, with requests waiting -> another connection is opened at once, and replaces the first that ends", () =>
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

    it.scopedLive("the PONG comes before another connection is open -> opening it is given up", () =>
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

    it.scopedLive("the PONG comes after another connection is open -> that one is closed, the old ones stay", () =>
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

    it.scopedLive("without a pause of the process: PONG within a usual round trip -> no other connection is opened; a later PONG -> one is", () =>
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

    it.scopedLive("no request waits -> nothing is opened until one does", () =>
      Effect.gen(function*() {
        const { fakes, network, pass, wait } = yield* make(size)
        for (const fake of fakes) fake.ask(false)
        yield* pass(9_000)
        assert.strictEqual(network.attempts, size)
        wait()
        yield* pass(0)
        assert.strictEqual(network.attempts, size + 1)
      }).pipe(quiet))

    it.scopedLive("no connection can be opened -> it backs off; a PONG ends the back-off, and the next replacement is opened at once", () =>
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

    it.scopedLive("the pool is closed or resized to 0 -> the spare connection is closed too", () =>
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

describe("the only connection is suspect", () => {
  it.scopedLive("requests wait already -> its PONG is hastened and another connection is opened at once, without another request", () =>
    Effect.gen(function*() {
      for (const someWait of [true, false]) {
        const { fakes, network, owner, pass } = yield* make(1)
        owner.someWait = someWait
        fakes[0]?.ask(true)
        assert.strictEqual(fakes[0]?.hastened, someWait ? 1 : 0)
        yield* pass(0)
        assert.strictEqual(network.attempts, someWait ? 2 : 1)
      }
    }).pipe(quiet))

  for (const answered of [true, false]) {
    it.scopedLive(`no other can be opened, and the PONG comes -> the back-off ${answered ? "is over: it has brought an answer before" : "goes on: it has brought no answer yet"}`, () =>
      Effect.gen(function*() {
        const made = yield* make(1)
        const { fakes, network, owner, pass, wait } = made
        const [fake] = fakes
        if (fake === undefined) throw new Error("it is open")
        if (answered) answer(made, 0)
        else fake.member.used = true
        network.is = "refuses"
        fake.ask(true)
        wait()
        yield* pass(1_000)
        const { attempts } = network
        owner.someWait = false
        fake.pong()
        fake.retire(rotated)
        yield* pass(0)
        assert.strictEqual(network.attempts - attempts, answered ? 1 : 0)
      }).pipe(quiet))
  }
})

describe("a connection that is no longer, or not yet, among those that take requests", () => {
  it.scopedLive("is retired while it is being opened -> the others stay", () =>
    Effect.gen(function*() {
      let opened = 0
      const made = yield* make(1, Schedule.spaced("5 seconds"), (fake) => {
        if (opened++ === 1) fake.retire(refused)
      })
      answer(made, 0)
      yield* Effect.withClock(made.roster.resize(2), made.clock)
      yield* made.pass(0)
      assert.deepInclude(made.roster.counters, { size: 2, active: 1, connectionsOpened: 2 })
      assert.strictEqual(pick(made), 0)
      assert.isFalse(made.roster.down)
    }).pipe(quiet))

  it.scopedLive("is draining, and becomes suspect -> nothing changes for the others", () =>
    Effect.gen(function*() {
      const { fakes, network, owner, pass } = yield* make(1)
      const [first] = fakes
      if (first === undefined) throw new Error("it is open")
      first.member.used = true
      first.inFlight = 1
      first.retire(rotated)
      yield* pass(0)
      network.is = "hangs"
      owner.someWait = true
      fakes[1]?.ask(true)
      assert.strictEqual(fakes[1]?.hastened, 1)
      first.ask(true)
      assert.strictEqual(fakes[1]?.hastened, 1)
    }).pipe(quiet))

  it.scopedLive("is closed without an answer after the end -> no failure", () =>
    Effect.gen(function*() {
      const { fakes, pass, roster } = yield* make(1)
      const [first] = fakes
      if (first === undefined) throw new Error("it is open")
      first.member.used = true
      first.inFlight = 1
      first.retire(rotated)
      yield* pass(0)
      roster.end({ _tag: "CredentialsRefused", reason: "BadCertificate" })
      first.close(refused)
      yield* pass(0)
      assert.isUndefined(roster.failure)
      assert.isUndefined(roster.counters.unreachable)
    }).pipe(quiet))
})

describe("requests wait", () => {
  it.scopedLive("the server allows no streams -> it is not hastened, and no spare is opened; then it becomes suspect -> both", () =>
    Effect.gen(function*() {
      const { fakes, network, pass, roster, wait } = yield* make(1)
      const [fake] = fakes
      if (fake === undefined) throw new Error("it is open")
      fake.limit = 0
      fake.pong()
      assert.isTrue(roster.down)
      wait()
      yield* pass(1_000)
      assert.deepStrictEqual([fake.hastened, network.attempts], [0, 1])
      fake.ask(true)
      yield* pass(0)
      assert.deepStrictEqual([fake.hastened, network.attempts], [1, 2])
    }).pipe(quiet))

  it.scopedLive("the pool has no connections, as it was resized to 0 -> none is opened", () =>
    Effect.gen(function*() {
      const { network, pass, roster, wait } = yield* make(1)
      yield* roster.resize(0)
      wait()
      yield* pass(10_000)
      assert.strictEqual(network.attempts, 1)
    }).pipe(quiet))

  it.scopedLive("connections are opened for the first time -> all side by side", () =>
    Effect.gen(function*() {
      const { clock, network, pass, roster } = yield* make(1)
      network.is = "hangs"
      yield* Effect.withClock(roster.resize(10), clock)
      yield* pass(0)
      assert.strictEqual(network.attempts, 10)
      assert.deepInclude(roster.counters, { size: 10, active: 1, connecting: 9 })
    }).pipe(quiet))

  it.scopedLive("a back-off ends while the schedule itself takes its time -> the next attempt does not wait", () =>
    Effect.gen(function*() {
      const slow = Schedule.mapEffect(Schedule.spaced("20 seconds"), () => Effect.sleep("1 second"))
      const made = yield* make(2, slow)
      answer(made, 0)
      made.network.is = "refuses"
      made.fakes[0]?.close(rotated)
      yield* made.pass(500)
      assert.strictEqual(made.network.attempts, 3)
      answer(made, 1)
      yield* made.pass(500)
      assert.strictEqual(made.network.attempts, 4)
    }).pipe(quiet))
})

describe("the spare connection", () => {
  it.scopedLive("is being opened when a suspect one is asked again -> no second one is opened", () =>
    Effect.gen(function*() {
      const { fakes, network, pass, wait } = yield* make(1)
      network.is = "hangs"
      fakes[0]?.ask(true)
      wait()
      yield* pass(0)
      fakes[0]?.ask(true)
      yield* pass(1_000)
      assert.strictEqual(network.attempts, 2)
    }).pipe(quiet))

  it.scopedLive("is open when the pool becomes smaller, but not empty -> stays until a PONG comes", () =>
    Effect.gen(function*() {
      const { fakes, pass, roster, wait } = yield* make(2)
      for (const fake of fakes) fake.ask(true)
      wait()
      yield* pass(0)
      yield* roster.resize(1)
      yield* pass(0)
      assert.strictEqual(fakes[2]?.state, "active")
      fakes.slice(0, 2).find(({ state }) => state === "active")?.pong()
      yield* pass(0)
      assert.strictEqual(fakes[2]?.state, "closed")
    }).pipe(quiet))

  for (const replaced of [true, false]) {
    it.scopedLive(`could not be opened, a PONG comes, and ${replaced ? "another connection is being replaced -> the back-off goes on" : "one connection of two has brought answers -> the back-off is over"}`, () =>
      Effect.gen(function*() {
        const made = yield* make(2)
        const { fakes, network, owner, pass, wait } = made
        answer(made, 1)
        network.is = "refuses"
        for (const fake of fakes) fake.ask(false)
        wait()
        yield* pass(100)
        const [first] = fakes
        if (first === undefined) throw new Error("it is open")
        first.member.used = true
        if (replaced) first.close(rotated)
        yield* pass(1_000)
        owner.someWait = false
        const { attempts } = network
        fakes[1]?.pong()
        if (!replaced) first.close(rotated)
        yield* pass(0)
        assert.strictEqual(network.attempts - attempts, replaced ? 0 : 1)
      }).pipe(quiet))
  }

  it.scopedLive("is closed by the server before a PONG comes -> another one is opened, which still takes the place of the first that ends", () =>
    Effect.gen(function*() {
      const { fakes, network, pass, roster, wait } = yield* make(1)
      fakes[0]?.ask(true)
      wait()
      yield* pass(0)
      fakes[1]?.close(rotated)
      yield* pass(5_000)
      assert.strictEqual(network.attempts, 3)
      assert.deepInclude(roster.counters, { size: 1, active: 2, connecting: 0 })
      fakes[0]?.close(silent)
      yield* pass(60_000)
      assert.strictEqual(network.attempts, 3)
      assert.deepInclude(roster.counters, { size: 1, active: 1, connecting: 0 })
    }).pipe(quiet))

  it.scopedLive("has not begun to be opened when the suspect one ends -> that one is replaced at once, and no spare is opened", () =>
    Effect.gen(function*() {
      const { fakes, network, pass, roster, wait } = yield* make(1)
      fakes[0]?.ask(false)
      wait()
      yield* pass(100)
      assert.strictEqual(network.attempts, 1)
      const [fake] = fakes
      if (fake === undefined) throw new Error("it is open")
      fake.member.used = true
      fake.close(rotated)
      yield* pass(0)
      assert.strictEqual(network.attempts, 2)
      yield* pass(10_000)
      assert.strictEqual(network.attempts, 2)
      assert.deepInclude(roster.counters, { size: 1, active: 1, connecting: 0 })
    }).pipe(quiet))

  it.scopedLive("is needed again and again -> at most two a second, like other replacements", () =>
    Effect.gen(function*() {
      const made = yield* make(1)
      const { fakes, network, pass, wait } = made
      for (const number of [0, 1]) {
        answer(made, number)
        fakes[number]?.ask(true)
        wait()
        yield* pass(0)
        if (number === 0) fakes[0]?.close(silent)
        yield* pass(0)
      }
      assert.strictEqual(network.attempts, 2)
      yield* pass(499)
      assert.strictEqual(network.attempts, 2)
      yield* pass(1)
      assert.strictEqual(network.attempts, 3)
    }).pipe(quiet))
})

describe("a connection that is open only after it was given up", () => {
  for (const end of ["the pool shrinks", "the pool ends"] as const) {
    it.scopedLive(`since ${end} -> closed at once, and never used or counted`, () =>
      Effect.gen(function*() {
        const { clock, fakes, network, news, owner, pass, roster } = yield* make(1)
        network.is = "late"
        yield* Effect.withClock(roster.resize(2), clock)
        yield* pass(500)
        assert.deepInclude(roster.counters, { size: 2, active: 1, connecting: 1 })
        if (end === "the pool shrinks") yield* roster.resize(1)
        else roster.end({ _tag: "CredentialsRefused", reason: "BadCertificate" })
        news()
        const { pumped } = owner
        yield* pass(5_000)
        assert.strictEqual(fakes[1]?.state, "closed")
        assert.deepInclude(roster.counters, { connecting: 0, connectionsOpened: 1, connectionsFailed: 0 })
        assert.deepStrictEqual(news().filter((line) => line.includes("opened")), [])
        assert.strictEqual(owner.pumped, pumped)
        assert.strictEqual(network.attempts, 2)
      }))
  }
})

describe("one connection of two is suspect", () => {
  it.scopedLive("the other one takes all requests; nothing is opened", () =>
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

  it.scopedLive("another connection is being opened already -> no third one is opened", () =>
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
  it.scopedLive("the one with the fewest in flight; the one to avoid only if no other can; never one that is full, retired, or unproven with 8 in flight", () =>
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

  it.scopedLive("equally loaded connections take turns", () =>
    Effect.gen(function*() {
      const { fakes, roster } = yield* make(4)
      const picked = Array.from({ length: 4 }, () => pick({ fakes, roster }))
      assert.deepStrictEqual(picked.sort(), [0, 1, 2, 3])
    }).pipe(quiet))
})

describe("when another connection is opened", () => {
  it.scopedLive("after each rotation at once; after other ends, once as many were replaced as the pool is large, at most two a second", () =>
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

  it.scopedLive("the reconnect schedule is done -> no more connections, and the owner is told to close, with the reason", () =>
    Effect.gen(function*() {
      const { fakes, network, owner, pass } = yield* make(1, Schedule.recurs(2))
      network.is = "refuses"
      fakes[0]?.close(refused)
      yield* pass(60_000)
      assert.strictEqual(owner.closed?._tag, "ConnectFailed")
      assert.strictEqual(network.attempts, 1 + 2)
    }).pipe(quiet))
})

describe("what a roster logs and counts", () => {
  it.scopedLive("connections that open, drain and end: each is counted and logged once, with its number", () =>
    Effect.gen(function*() {
      const { fakes, news, owner, pass, roster } = yield* make(2)
      assert.deepStrictEqual(news().toSorted(), [
        "DEBUG #1: Connection to APNs opened",
        "DEBUG #2: Connection to APNs opened",
        "opened",
        "opened",
        "up"
      ])
      assert.strictEqual(owner.pumped, 2)
      assert.deepStrictEqual(roster.counters, {
        size: 2,
        active: 2,
        connecting: 0,
        draining: 0,
        connectionsOpened: 2,
        connectionsFailed: 0,
        connectionsLost: 0,
        unreachable: undefined
      })
      answer({ fakes, roster }, 0)
      const [fake] = fakes
      if (fake === undefined) throw new Error("it is open")
      fake.inFlight = 1
      fake.retire(rotated)
      yield* pass(0)
      assert.deepStrictEqual(news(), [
        "closed: Goaway",
        "INFO #1: Connection to APNs retired: the server sent GOAWAY NO_ERROR, last-stream-id 9",
        "opened",
        "DEBUG #3: Connection to APNs opened"
      ])
      assert.deepInclude(roster.counters, { size: 2, active: 2, draining: 1, connectionsOpened: 3, connectionsLost: 1 })
      fake.close(rotated)
      yield* pass(0)
      assert.deepStrictEqual(news(), [])
      assert.deepInclude(roster.counters, { size: 2, active: 2, draining: 0, connectionsOpened: 3, connectionsLost: 1 })
      roster.end({ _tag: "ScopeClosed" })
      yield* pass(0)
      assert.deepStrictEqual(news().toSorted(), [
        "DEBUG #2: Connection to APNs retired: its scope was closed",
        "DEBUG #3: Connection to APNs retired: its scope was closed",
        "closed: ScopeClosed",
        "closed: ScopeClosed",
        "down"
      ])
    }))

  const ends: ReadonlyArray<readonly [cause: Failure.CloseCause, level: string, text: string]> = [
    [rotated, "INFO", "the server sent GOAWAY NO_ERROR, last-stream-id 9"],
    [
      { ...rotated, code: 11, codeName: "ENHANCE_YOUR_CALM" },
      "WARN",
      "the server sent GOAWAY ENHANCE_YOUR_CALM, last-stream-id 9"
    ],
    [{ _tag: "Dropped", code: undefined }, "DEBUG", "the server closed the connection"],
    [refused, "INFO", "the connection was lost (ECONNRESET)"],
    [silent, "INFO", "the server did not answer a PING within 3s"],
    [
      { _tag: "ProtocolError", code: 1, codeName: "PROTOCOL_ERROR", description: "nonsense" },
      "WARN",
      "the server broke the HTTP/2 protocol (PROTOCOL_ERROR: nonsense)"
    ],
    [{ _tag: "Retired" }, "DEBUG", "the connection was retired"],
    [{ _tag: "Retired", timeouts: 5 }, "WARN", "the connection was retired: 5 requests in a row got no answer in time"],
    [{ _tag: "HeadersRefused" }, "DEBUG", "the request's headers are larger"]
  ]
  for (const [cause, level, text] of ends) {
    it.scopedLive(`a connection that ends by ${cause._tag}, "${text}" -> log level ${level}`, () =>
      Effect.gen(function*() {
        const made = yield* make(1)
        answer(made, 0)
        made.news()
        made.fakes[0]?.close(cause)
        yield* made.pass(0)
        const [line] = made.news().filter((line) => line.includes("retired: "))
        assert.isTrue(line?.startsWith(`${level} #1: Connection to APNs retired: ${text}`), line)
      }))
  }

  it.scopedLive("many connections that end with the same cause -> one line a minute, with the number of the others; other causes have their own", () =>
    Effect.gen(function*() {
      const made = yield* make(1)
      const told: Array<ReadonlyArray<string>> = []
      const end = (cause: Failure.CloseCause) =>
        Effect.gen(function*() {
          answer(made, made.fakes.length - 1)
          made.fakes.at(-1)?.close(cause)
          yield* made.pass(500)
          told.push(made.news().flatMap((line) => /(?<=^(?:INFO|WARN) .*retired: ).*/.exec(line)?.[0] ?? []))
        })
      yield* end(refused)
      yield* end(refused)
      yield* end(silent)
      yield* end(refused)
      yield* made.pass(57_999)
      yield* end(refused)
      yield* made.pass(1)
      yield* end(refused)
      yield* made.pass(59_500)
      yield* end(refused)
      assert.deepStrictEqual(told, [
        ["the connection was lost (ECONNRESET)"],
        [],
        ["the server did not answer a PING within 3s"],
        [],
        [],
        ["the connection was lost (ECONNRESET); and 3 others since this was last logged"],
        ["the connection was lost (ECONNRESET)"]
      ])
    }))

  it.scopedLive("it cannot connect -> one warning, one more when no connection is left, and one line when it can connect again", () =>
    Effect.gen(function*() {
      const made = yield* make(2)
      const said = () => made.news().filter((line) => /attempt|again|failed/.test(line))
      made.network.is = "refuses"
      for (const number of [0, 1]) answer(made, number)
      made.fakes[0]?.close(rotated)
      yield* made.pass(0)
      const why = "no connection could be opened: Nothing listens"
      assert.deepStrictEqual(said(), [
        "failed: ConnectError",
        "DEBUG An attempt to connect to APNs has failed",
        `WARN A connection to APNs cannot be replaced: ${why}; next attempt in 5s; 1 of 2 are left`
      ])
      yield* made.pass(5_000)
      assert.deepStrictEqual(said(), [
        "failed: ConnectError",
        "DEBUG An attempt to connect to APNs has failed",
        `DEBUG Still not connected to APNs as it should be: ${why}; next attempt in 5s`
      ])
      assert.isUndefined(made.roster.counters.unreachable)
      made.fakes[1]?.close(rotated)
      yield* made.pass(5_000)
      assert.deepStrictEqual(said(), [
        "failed: ConnectError",
        "DEBUG An attempt to connect to APNs has failed",
        `WARN No connection to APNs: ${why}; next attempt in 5s`
      ])
      yield* made.pass(10_000)
      assert.isTrue(said().every((line) => !line.startsWith("WARN")))
      assert.deepStrictEqual(made.roster.counters.unreachable, {
        sinceMillis: 1_800_000_005_000,
        cause: { _tag: "ConnectFailed", error: failedToConnect }
      })
      made.network.is = "opens"
      yield* made.pass(5_000)
      assert.deepStrictEqual(said().filter((line) => line.includes("again")), [])
      answer(made, 2)
      answer(made, 2)
      assert.deepStrictEqual(said(), ["INFO Connected to APNs again"])
      assert.isUndefined(made.roster.counters.unreachable)
      yield* made.pass(0)
      assert.deepInclude(made.roster.counters, { active: 2, connectionsOpened: 4, connectionsFailed: 5 })
    }))

  it.scopedLive("opening a transport fails with a defect -> an error in the log, and another attempt", () =>
    Effect.gen(function*() {
      const made = yield* make(1)
      made.network.is = "dies"
      made.fakes[0]?.close(refused)
      yield* made.pass(5_000)
      const news = made.news()
      assert.include(news, "failed: Defect")
      assert.include(news, "ERROR Opening a connection to APNs has died")
      assert.deepStrictEqual(made.roster.failure, { _tag: "Dropped", code: undefined })
      made.network.is = "opens"
      yield* made.pass(5_000)
      assert.deepInclude(made.roster.counters, { active: 1, connectionsFailed: 1 })
    }))

  for (const warned of [true, false]) {
    it.scopedLive(`the back-off is over before anything was said of it -> no line that it can connect again, ${warned ? "also after there was one" : "and no other"}`, () =>
      Effect.gen(function*() {
        const made = yield* make(2)
        const number = warned ? 2 : 0
        if (warned) {
          made.network.is = "refuses"
          made.fakes[0]?.close(refused)
          yield* made.pass(0)
          made.network.is = "opens"
          yield* made.pass(5_000)
          answer(made, 2)
          yield* made.pass(0)
          assert.include(made.news(), "INFO Connected to APNs again")
        }
        const fake = made.fakes[number]
        if (fake === undefined) throw new Error("it is open")
        fake.member.answered = false
        fake.member.used = true
        fake.inFlight = 1
        fake.retire(rotated)
        yield* made.pass(0)
        made.news()
        // it was replaced already, and has brought no answer
        fake.close(refused)
        yield* made.pass(0)
        assert.strictEqual(made.roster.failure, refused)
        answer(made, 1)
        yield* made.pass(0)
        assert.deepStrictEqual(made.news().filter((line) => /attempt|again/.test(line)), [])
      }))
  }

  it.scopedLive("the reconnect schedule fails now and then -> each time 30 seconds, and it goes on where it was", () =>
    Effect.gen(function*() {
      let steps = 0
      const schedule = Schedule.mapEffect(
        Schedule.exponential("1 second"),
        () => Effect.suspend(() => [2, 3, 5].includes(++steps) ? Effect.dieMessage("a bug") : Effect.void)
      )
      const made = yield* make(1, schedule)
      made.network.is = "refuses"
      made.fakes[0]?.close(refused)
      const waits: Array<number> = []
      for (let i = 0; i < 6; i++) {
        const { attempts } = made.network
        let millis = 0
        for (; made.network.attempts === attempts && millis < 60_000; millis += 500) yield* made.pass(500)
        waits.push(millis)
      }
      assert.deepStrictEqual(waits, [1_000, 30_000, 30_000, 2_000, 30_000, 4_000])
    }).pipe(quiet))

  it.scopedLive("the reconnect schedule fails -> an error in the log, and another attempt after 30 seconds", () =>
    Effect.gen(function*() {
      const broken = Schedule.makeWithState<void, unknown, void>(
        undefined,
        () => Effect.dieMessage("a bug of the program")
      )
      const made = yield* make(1, broken)
      made.fakes[0]?.close(refused)
      yield* made.pass(29_999)
      assert.include(made.news(), "ERROR The reconnect schedule has failed")
      assert.strictEqual(made.network.attempts, 1)
      yield* made.pass(1)
      assert.strictEqual(made.network.attempts, 2)
    }))
})

describe("when a connection that ended is replaced", () => {
  /** How long it takes until the next connection is attempted: 0, or the 5 seconds of the schedule. */
  const waits = (live: (made: Made) => Effect.Effect<void>, prepare?: (fake: Fake) => void) =>
    Effect.gen(function*() {
      const made = yield* make(1, Schedule.spaced("5 seconds"), prepare)
      yield* live(made)
      yield* made.pass(0)
      const atOnce = made.network.attempts
      yield* made.pass(4_999)
      assert.strictEqual(made.network.attempts, atOnce)
      yield* made.pass(1)
      return atOnce > 1 ? 0 : made.network.attempts > 1 ? 5_000 : Infinity
    })
  type Made = Effect.Effect.Success<ReturnType<typeof make>>
  const end = ({ fakes }: Made, cause: Failure.CloseCause) => Effect.sync(() => fakes[0]?.close(cause))
  const use = ({ fakes }: Made) =>
    Effect.sync(() => {
      const [fake] = fakes
      if (fake !== undefined) fake.member.used = true
    })

  const rows: Readonly<
    Record<
      string,
      readonly [expected: number, live: (made: Made) => Effect.Effect<void>, prepare?: (fake: Fake) => void]
    >
  > = {
    "it ended within ten seconds, unused": [5_000, (made) => Effect.zipRight(made.pass(9_999), end(made, refused))],
    "it was unused and lived for ten seconds": [0, (made) => Effect.zipRight(made.pass(10_000), end(made, refused))],
    "it was used, and ended after a minute without an answer": [
      5_000,
      (made) => Effect.zipRight(Effect.zipRight(use(made), made.pass(60_000)), end(made, refused))
    ],
    "it ended within ten seconds, and had answered": [
      0,
      (made) => Effect.zipRight(Effect.sync(() => answer(made, 0)), end(made, refused))
    ],
    "it was unused, lived for a minute, and answered a PING before the one that got no answer": [
      0,
      (made) => Effect.zipRight(made.pass(60_000), end(made, silent))
    ],
    "it was unused, lived for a minute, and has never answered a PING": [
      5_000,
      (made) => Effect.zipRight(made.pass(60_000), end(made, silent)),
      (fake) => {
        fake.proven = false
      }
    ],
    "it was unused, unproven, lived for a minute, and the server closed it": [
      0,
      (made) => Effect.zipRight(made.pass(60_000), end(made, refused)),
      (fake) => {
        fake.proven = false
      }
    ],
    "it was unused, and asked for another one by GOAWAY with NO_ERROR": [5_000, (made) => end(made, rotated)],
    "it was used, and asked for another one by GOAWAY with an error code": [
      5_000,
      (made) => Effect.zipRight(use(made), end(made, { ...rotated, code: 2, codeName: "INTERNAL_ERROR" }))
    ],
    "it was used, and asked for another one by GOAWAY without having processed a request": [
      5_000,
      (made) => Effect.zipRight(use(made), end(made, { ...rotated, lastStreamId: 0 }))
    ]
  }
  for (const [name, [expected, live, prepare]] of Object.entries(rows)) {
    it.scopedLive(`${name} -> the next one ${expected === 0 ? "is opened at once" : "waits for the schedule"}`, () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* waits(live, prepare), expected)
      }))
  }

  it.scopedLive("GOAWAY with NO_ERROR, then it ended without the answers to the requests that GOAWAY included -> this counts as a failure", () =>
    Effect.gen(function*() {
      const made = yield* make(1)
      yield* use(made)
      const [fake] = made.fakes
      if (fake === undefined) throw new Error("it is open")
      fake.inFlight = 1
      fake.retire(rotated)
      yield* made.pass(0)
      assert.strictEqual(made.network.attempts, 2)
      const failure = () => made.roster.failure?._tag
      assert.isUndefined(failure())
      fake.close(refused)
      yield* made.pass(0)
      assert.strictEqual(failure(), "Dropped")
    }))
})

describe("back-off", () => {
  const growing = Schedule.exponential("1 second")
  /** Ends connection `number`, which was of no use. */
  const drop = (
    { fakes }: { readonly fakes: ReadonlyArray<Fake> },
    number: number,
    cause: Failure.CloseCause = refused
  ) => Effect.sync(() => fakes[number]?.close(cause))
  type Made = Effect.Effect.Success<ReturnType<typeof make>>
  /** The milliseconds until the next attempt. */
  const wait = (made: Made) =>
    Effect.gen(function*() {
      const before = made.network.attempts
      for (let passed = 0; passed <= 64_000; passed += 500) {
        yield* made.pass(passed === 0 ? 0 : 500)
        if (made.network.attempts > before) return passed
      }
      return Infinity
    })
  /** Two connections of no use, so that the second wait of the schedule is over. */
  const twice = (prepare?: (fake: Fake) => void) =>
    Effect.gen(function*() {
      const made = yield* make(1, growing, prepare)
      yield* drop(made, 0)
      assert.strictEqual(yield* wait(made), 1_000)
      yield* drop(made, 1)
      assert.strictEqual(yield* wait(made), 2_000)
      return made
    })

  it.scopedLive("an answer comes -> the back-off is over, and the next failure starts with the shortest wait", () =>
    Effect.gen(function*() {
      const made = yield* twice()
      answer(made, 2)
      yield* made.pass(20_000)
      yield* drop(made, 2)
      assert.strictEqual(yield* wait(made), 0)
      yield* drop(made, 3)
      assert.strictEqual(yield* wait(made), 1_000)
    }))

  it.scopedLive("a connection lives for ten seconds -> the back-off is over; a failure within the next minute continues with the wait it had reached", () =>
    Effect.gen(function*() {
      const made = yield* twice()
      yield* made.pass(9_999)
      assert.isDefined(made.roster.counters.unreachable)
      yield* made.pass(1)
      assert.isUndefined(made.roster.counters.unreachable)
      yield* made.pass(50_000)
      yield* drop(made, 2)
      assert.strictEqual(yield* wait(made), 0)
      yield* drop(made, 3)
      assert.strictEqual(yield* wait(made), 4_000)
    }))

  it.scopedLive("a failure more than a minute after the back-off was over -> it starts with the shortest wait", () =>
    Effect.gen(function*() {
      const made = yield* twice()
      yield* made.pass(10_000 + 60_000)
      yield* drop(made, 2)
      assert.strictEqual(yield* wait(made), 0)
      yield* drop(made, 3)
      assert.strictEqual(yield* wait(made), 1_000)
    }))

  it.scopedLive("other connections live for ten seconds after the back-off was over -> it is over since then, not since they did", () =>
    Effect.gen(function*() {
      const made = yield* twice()
      yield* made.pass(10_000 + 40_000)
      yield* drop(made, 2)
      yield* made.pass(21_000)
      yield* drop(made, 3)
      assert.strictEqual(yield* wait(made), 0)
      yield* drop(made, 4)
      assert.strictEqual(yield* wait(made), 1_000)
    }))

  it.scopedLive("a connection lives for ten seconds and has answered no PING -> the back-off continues", () =>
    Effect.gen(function*() {
      const made = yield* twice((fake) => {
        fake.proven = false
      })
      const pumped = made.owner.pumped
      assert.strictEqual(made.roster.pick(undefined)?.most, 8)
      yield* made.pass(10_000)
      assert.isDefined(made.roster.counters.unreachable)
      // but it may carry more than 8 requests from now on
      assert.strictEqual(made.roster.pick(undefined)?.most, Infinity)
      assert.strictEqual(made.owner.pumped, pumped + 1)
    }))

  for (const errors of [0, 1, 3]) {
    it.scopedLive(`a connection lives for ten seconds, and ${errors} of its requests were answered, with errors of the server -> the back-off ${errors === 0 ? "continues until one is" : "is over"}`, () =>
      Effect.gen(function*() {
        const made = yield* twice()
        const [, , fake] = made.fakes
        if (fake === undefined) throw new Error("it is open")
        fake.member.used = true
        for (let i = 0; i < errors; i++) made.roster.onTrouble(fake.member)
        yield* made.pass(9_999)
        assert.isDefined(made.roster.counters.unreachable)
        yield* made.pass(1)
        assert.strictEqual(made.roster.counters.unreachable === undefined, errors > 0)
        yield* made.pass(5_000)
        made.roster.onTrouble(fake.member)
        assert.isUndefined(made.roster.counters.unreachable)
        assert.isFalse(fake.member.answered)
        // it was of no use: the next one waits
        yield* drop(made, 2)
        assert.strictEqual(yield* wait(made), 4_000)
      }))
  }

  for (const size of [1, 2, 10]) {
    it.scopedLive(`a pool of ${size}, GOAWAY in good order after a few requests and without a useful answer, again and again -> the first ${size + 20} are replaced at once, the next one is a failure; a useful answer ends it`, () =>
      Effect.gen(function*() {
        const made = yield* make(size, Schedule.spaced("5 seconds"))
        /** The newest connection takes so many requests and asks for another one; the answers may still come. */
        const rotate = (inFlight: number) =>
          Effect.gen(function*() {
            const fake = made.fakes.at(-1)
            if (fake === undefined) throw new Error("it is open")
            fake.member.used = true
            fake.inFlight = inFlight
            fake.retire(rotated)
            yield* made.pass(0)
            return fake
          })
        // many requests are worth a connection
        for (let i = 0; i < 50; i++) yield* rotate(9)
        assert.strictEqual(made.network.attempts, size + 50)
        for (let i = 0; i < size + 20; i++) yield* rotate(1 + i % 8)
        assert.strictEqual(made.network.attempts, 2 * size + 70)
        assert.isUndefined(made.roster.failure)
        const last = yield* rotate(8)
        assert.strictEqual(made.network.attempts, 2 * size + 70)
        assert.strictEqual(made.roster.failure, rotated)
        yield* made.pass(5_000)
        assert.strictEqual(made.network.attempts, 2 * size + 71)
        // it closes in the end: no second failure
        last.close(rotated)
        answer(made, made.fakes.length - 1)
        for (let i = 0; i < size + 21; i++) yield* rotate(1)
        // the one that had answered does not count
        assert.strictEqual(made.network.attempts, 3 * size + 92)
        yield* rotate(1)
        assert.strictEqual(made.network.attempts, 3 * size + 92)
      }).pipe(quiet))
  }

  it.scopedLive("a connection lives for ten seconds but is draining -> the back-off continues", () =>
    Effect.gen(function*() {
      const made = yield* twice()
      const [, , fake] = made.fakes
      if (fake === undefined) throw new Error("it is open")
      fake.inFlight = 1
      made.network.is = "hangs"
      fake.retire({ _tag: "Retired" })
      yield* made.pass(10_000)
      const { pumped } = made.owner
      fake.member.onDue()
      made.roster.onTrouble(fake.member)
      assert.strictEqual(made.owner.pumped, pumped)
      assert.isDefined(made.roster.counters.unreachable)
    }))

  it.scopedLive("during the back-off one connection is opened at a time; when it is over, four, also those that were waiting", () =>
    Effect.gen(function*() {
      const made = yield* make(10)
      for (let i = 0; i < 10; i++) answer(made, i)
      // the tenth one stays, nine have to be replaced
      made.network.is = "hangs"
      for (let i = 0; i < 9; i++) yield* drop(made, i, rotated)
      yield* made.pass(0)
      assert.strictEqual(made.network.attempts, 14)
      assert.deepInclude(made.roster.counters, { size: 10, active: 1, connecting: 9 })
      assert.isUndefined(made.roster.counters.unreachable)
    }))

  it.scopedLive("an attempt fails -> one attempt at a time; the first answer -> the attempts that wait for the schedule start at once", () =>
    Effect.gen(function*() {
      const made = yield* make(3)
      for (let i = 0; i < 3; i++) answer(made, i)
      made.network.is = "refuses"
      yield* drop(made, 0, rotated)
      yield* drop(made, 1, rotated)
      yield* made.pass(0)
      assert.strictEqual(made.network.attempts, 3 + 1)
      yield* made.pass(4_999)
      assert.strictEqual(made.network.attempts, 3 + 1)
      yield* made.pass(1)
      assert.strictEqual(made.network.attempts, 3 + 2)
      made.network.is = "hangs"
      yield* made.pass(1_000)
      answer(made, 2)
      yield* made.pass(0)
      assert.strictEqual(made.network.attempts, 3 + 4)
      assert.deepInclude(made.roster.counters, { size: 3, active: 1, connecting: 2, connectionsFailed: 2 })
    }))

  it.scopedLive("no connection can be opened -> the failure has its cause and the wall-clock time since when", () =>
    Effect.gen(function*() {
      const made = yield* make(1)
      made.network.is = "refuses"
      yield* made.pass(20_000)
      // the system's clock is set back an hour
      made.clock.jump(-3_600_000)
      yield* drop(made, 0, silent)
      yield* made.pass(0)
      const { unreachable } = made.roster.counters
      assert.strictEqual(unreachable?.sinceMillis, 1_800_000_020_000 - 3_600_000)
    }))

  it.scopedLive("all connections of a pool end again and again -> two replacements a second", () =>
    Effect.gen(function*() {
      const made = yield* make(1)
      const times: Array<number> = []
      for (let i = 0; i < 4; i++) {
        answer(made, i)
        yield* drop(made, i)
        times.push(yield* wait(made))
      }
      assert.deepStrictEqual(times, [0, 500, 500, 500])
    }))
})

describe("credentials that APNs refuses", () => {
  const told = (reason: string | undefined): Failure.CloseCause => ({ ...rotated, code: 0, reason })

  it.scopedLive("GOAWAY with such a reason -> the owner is told to close, with the reason, also if the connection was retired before", () =>
    Effect.gen(function*() {
      const expected = { _tag: "CredentialsRefused" as const, reason: "BadCertificate" }
      const retiring = yield* make(2)
      retiring.fakes[0]?.retire(told("BadCertificate"))
      assert.deepStrictEqual(retiring.owner.closed, expected)
      const before = yield* make(2)
      const [fake] = before.fakes
      if (fake === undefined) throw new Error("it is open")
      fake.inFlight = 1
      fake.retire(rotated)
      yield* before.pass(0)
      assert.isUndefined(before.owner.closed)
      fake.close(told("BadCertificate"))
      yield* before.pass(0)
      assert.deepStrictEqual(before.owner.closed, expected)
      const { attempts } = before.network
      yield* before.pass(60_000)
      assert.strictEqual(before.network.attempts, attempts)
      assert.deepInclude(before.roster.counters, { active: 0, connecting: 0 })
    }))

  it.scopedLive("GOAWAY with another reason, or with none -> it connects again", () =>
    Effect.gen(function*() {
      for (const reason of ["TooManyRequests", "Whatever", undefined]) {
        const made = yield* make(1)
        made.fakes[0]?.close(told(reason))
        yield* made.pass(5_000)
        assert.isUndefined(made.owner.closed)
        assert.strictEqual(made.network.attempts, 2)
      }
    }))
})

describe("changing the number of connections", () => {
  it.scopedLive("fewer: idle ones and those not open yet are closed first; the others still get their answers", () =>
    Effect.gen(function*() {
      const made = yield* make(3)
      const [a, b, c] = made.fakes
      if (a === undefined || b === undefined || c === undefined) throw new Error("they are open")
      a.inFlight = 2
      c.inFlight = 1
      made.news()
      yield* made.roster.resize(2)
      yield* made.pass(0)
      assert.deepStrictEqual([a.state, b.state, c.state], ["active", "closed", "active"])
      yield* made.roster.resize(1)
      yield* made.pass(0)
      assert.deepStrictEqual([a.state, b.state, c.state], ["active", "closed", "draining"])
      assert.deepInclude(made.roster.counters, { size: 1, active: 1, draining: 1, connecting: 0 })
      assert.deepStrictEqual(made.news().filter((line) => line.startsWith("closed")), [
        "closed: Retired",
        "closed: Retired"
      ])
      c.close({ _tag: "Retired" })
      yield* made.pass(60_000)
      // that they went was the pool's own wish, and is no failure
      assert.isUndefined(made.roster.failure)
      assert.strictEqual(made.network.attempts, 3)
      made.network.is = "hangs"
      yield* made.roster.resize(2)
      yield* made.pass(0)
      assert.deepInclude(made.roster.counters, { size: 2, active: 1, connecting: 1 })
      yield* made.roster.resize(1)
      yield* made.pass(60_000)
      assert.strictEqual(a.state, "active")
      assert.deepInclude(made.roster.counters, { size: 1, active: 1, connecting: 0, draining: 0 })
      assert.deepInclude(made.network, { attempts: 4, given: 1 })
    }))

  it.scopedLive("more: opened in parallel; the same number: nothing changes; after the end: none is opened", () =>
    Effect.gen(function*() {
      const made = yield* make(1)
      yield* made.roster.resize(4)
      yield* made.pass(0)
      assert.deepInclude(made.roster.counters, { size: 4, active: 4 })
      yield* made.roster.resize(4)
      yield* made.pass(0)
      assert.strictEqual(made.network.attempts, 4)
      made.roster.end({ _tag: "ScopeClosed" })
      yield* made.roster.resize(8)
      yield* made.pass(60_000)
      assert.deepInclude(made.roster.counters, { size: 4, active: 0, draining: 0 })
      assert.strictEqual(made.network.attempts, 4)
    }))

  it.scopedLive("the scope is closed -> all connections are closed, draining ones too; any other end lets draining ones finish", () =>
    Effect.gen(function*() {
      for (
        const cause of [{ _tag: "ScopeClosed" }, { _tag: "CredentialsRefused", reason: "BadCertificate" }] as const
      ) {
        const made = yield* make(2)
        for (const fake of made.fakes) fake.inFlight = 1
        made.fakes[0]?.retire(rotated)
        yield* made.pass(0)
        made.roster.end(cause)
        yield* made.pass(0)
        const [first, second] = made.fakes
        const state = cause._tag === "ScopeClosed" ? "closed" : "draining"
        assert.deepStrictEqual([first?.state, second?.state], [state, state])
        // that the first one asked for another before anybody used it was a failure, and the end adds none
        assert.strictEqual(made.roster.failure?._tag, "Goaway")
      }
    }))
})

describe("the server's limit of streams", () => {
  it.scopedLive("the server allows no streams -> the connection takes no request and counts as down until the limit is raised", () =>
    Effect.gen(function*() {
      const made = yield* make(1)
      const [fake] = made.fakes
      if (fake === undefined) throw new Error("it is open")
      made.news()
      fake.limit = 0
      fake.pong()
      assert.isTrue(made.roster.down)
      const { pumped } = made.owner
      fake.limit = 100
      fake.pong()
      assert.isFalse(made.roster.down)
      assert.deepStrictEqual(made.news(), ["down", "up"])
      assert.strictEqual(made.owner.pumped, pumped + 1)
    }))

  it.scopedLive("the first PONG comes after the connection was opened -> it may carry more than 8 requests", () =>
    Effect.gen(function*() {
      const made = yield* make(1, Schedule.spaced("5 seconds"), (fake) => {
        fake.proven = false
      })
      const member = made.roster.pick(undefined)
      if (member === undefined) throw new Error("it is open")
      assert.strictEqual(member.most, 8)
      const { pumped } = made.owner
      member.onProven()
      member.onProven()
      assert.strictEqual(member.most, Infinity)
      assert.strictEqual(made.owner.pumped, pumped + 1)
    }))
})

describe("a connection that is not useful", () => {
  it.scopedLive("ends while it is being opened -> never picked, and the next one waits", () =>
    Effect.gen(function*() {
      let opened = 0
      const made = yield* make(1, Schedule.spaced("5 seconds"), (fake) => {
        if (opened++ === 0) fake.retire(rotated)
      })
      assert.deepStrictEqual([pick(made), made.roster.down], [-1, true])
      assert.deepInclude(made.roster.counters, { active: 0, connectionsOpened: 1 })
      yield* made.pass(5_000)
      assert.deepStrictEqual([pick(made), made.roster.down], [1, false])
    }).pipe(quiet))

  it.scopedLive("is closed after another one has brought an answer -> does not count a second time", () =>
    Effect.gen(function*() {
      const made = yield* make(2)
      const [first, second] = made.fakes
      if (first === undefined || second === undefined) throw new Error("they are open")
      first.inFlight = 1
      first.retire(refused)
      yield* made.pass(0)
      answer(made, 1)
      yield* made.pass(0)
      first.close(refused)
      yield* made.pass(0)
      const { attempts } = made.network
      second.close(rotated)
      yield* made.pass(0)
      assert.strictEqual(made.network.attempts, attempts + 1)
    }).pipe(quiet))

  it.scopedLive("is closed with its scope -> no failure, and not counted as lost", () =>
    Effect.gen(function*() {
      const made = yield* make(1)
      made.fakes[0]?.close({ _tag: "ScopeClosed" })
      yield* made.pass(0)
      assert.strictEqual(made.network.attempts, 2)
      assert.deepInclude(made.roster.counters, { active: 1, connectionsLost: 0, unreachable: undefined })
      assert.isUndefined(made.roster.failure)
    }).pipe(quiet))
})

describe("a roster that has warned that no connection is left", () => {
  it.scopedLive("one opens, and the other cannot -> no second warning; what is logged has the cause and the reason", () =>
    Effect.gen(function*() {
      const made = yield* make(2)
      made.network.is = "refuses"
      for (const fake of made.fakes) fake.close(refused)
      yield* made.pass(5_000)
      const warnings = () => made.news().filter((line) => /^WARN.*(No connection|cannot be replaced)/.test(line))
      assert.lengthOf(warnings(), 1)
      made.network.is = "opens"
      yield* made.pass(5_000)
      assert.strictEqual(made.roster.counters.active, 1)
      made.network.is = "refuses"
      yield* made.pass(5_000)
      assert.strictEqual(made.roster.counters.active, 1)
      assert.deepStrictEqual(warnings(), [])
      assert.includeMembers([...made.notes], ["cause: Dropped", "cause: ConnectFailed", "reason: Refused"])
    }))
})

describe("a pool that shrinks while a connection is being opened", () => {
  for (const number of [0, 1]) {
    it.scopedLive(`in place of number ${number} -> that one is given up, and the idle one stays`, () =>
      Effect.gen(function*() {
        const made = yield* make(2)
        for (const other of [0, 1]) answer(made, other)
        made.network.is = "hangs"
        made.fakes[number]?.close(rotated)
        yield* made.pass(0)
        assert.deepInclude(made.roster.counters, { active: 1, connecting: 1 })
        yield* made.roster.resize(1)
        yield* made.pass(0)
        assert.deepInclude(made.roster.counters, { size: 1, active: 1, connecting: 0, draining: 0 })
        assert.strictEqual(made.fakes[1 - number]?.state, "active")
        assert.deepInclude(made.network, { attempts: 3, given: 1 })
      }).pipe(quiet))
  }

  it.scopedLive("a connection that is proven when it is opened -> takes any number of requests at once", () =>
    Effect.gen(function*() {
      const made = yield* make(1)
      assert.strictEqual(made.roster.pick(undefined)?.most, Infinity)
    }).pipe(quiet))
})
