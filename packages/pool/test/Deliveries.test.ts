/**
 * The engine alone, with connections that do only what the test says, by a virtual clock: where each delivery is at any
 * time, which limit ends it, and which outcome it has.
 */
import { ConnectError, type Connection, Endpoint, Failure, type ProviderToken } from "@effect-apns/core"
import type { Listener, Parts, Unsafe } from "@effect-apns/core/unstable/Connection"
import * as Deadlines from "@effect-apns/core/unstable/Deadlines"
import type { Exchange } from "@effect-apns/core/unstable/Exchange"
import type { RequestSpec } from "@effect-apns/core/unstable/RequestSpec"
import { Session } from "@effect-apns/http2"
import * as Delivery from "@effect-apns/pool/unstable/Delivery"
import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  DateTime,
  Deferred,
  Duration,
  Effect,
  Either,
  ExecutionStrategy,
  Exit,
  Fiber,
  Logger,
  LogLevel,
  Redacted,
  Schedule,
  Scope
} from "effect"
import * as util from "node:util"
import { Engine, type Policy } from "../src/internal/engine.js"
import { exponential } from "../src/internal/schedules.js"
import { Lane } from "../src/internal/waiting.js"
import { VirtualClock } from "./scenarios/VirtualClock.js"

const start = 1_800_000_000_000

const head = new Session.Head("POST", [])
const spec: RequestSpec = {
  head,
  extra: undefined,
  body: new Uint8Array(2),
  timeoutMillis: 1_000,
  deadlineMillis: Infinity,
  expirationMillis: Infinity,
  collapsible: false,
  retransmit: undefined
}
const collapsible: RequestSpec = { ...spec, collapsible: true, timeoutMillis: 60_000 }
const patient: RequestSpec = { ...spec, timeoutMillis: 60_000 }

const refused = new ConnectError.ConnectError({
  reason: "Refused",
  phase: "tcp",
  endpoint: Endpoint.development,
  message: "Nothing listens"
})
const dropped: Failure.CloseCause = { _tag: "Dropped", code: "ECONNRESET" }
const scopeClosed: Failure.CloseCause = { _tag: "ScopeClosed" }
const unknown = Failure.closed("unknown", dropped)
const notProcessed = Failure.closed("no", dropped)

const tokenNamed = (name: string): ProviderToken.Token => ({
  jwt: Redacted.make(name),
  header: name,
  issuedAt: DateTime.unsafeMake(start),
  refreshAt: DateTime.unsafeMake(start),
  expiresAt: DateTime.unsafeMake(start),
  changeAt: () => DateTime.unsafeMake(start),
  isRefused: false
})

/** A delivery that writes down what becomes of it. */
class Push extends Delivery.Delivery {
  constructor(path: string, spec: RequestSpec, readonly outcomes: Array<string>) {
    super(path, spec)
  }
  onAnswered(now: number): void {
    const reason = this.answer === undefined || Either.isLeft(this.answer) ? undefined : this.answer.right.reason
    this.outcomes.push(
      `${this.path}: ${this.status}${this.truncated ? " truncated" : ""}${reason === undefined ? "" : ` ${reason}`}` +
        ` at ${now - start}, attempts ${this.attempts}`
    )
  }
  onFailed(failure: Failure.PoolFailure): void {
    const limit = failure._tag === "Timeout" ? ` (${failure.limit})` : ""
    const cause = failure._tag === "Closed" || failure._tag === "Timeout" ? failure.closeCause?._tag : undefined
    this.outcomes.push(
      `${this.path}: ${failure._tag}${limit}, processed ${failure.processed}` +
        `${cause === undefined ? "" : `, ${cause}`}, attempts ${this.attempts}`
    )
  }
}

/** One whose caller takes defects. */
class Dying extends Push {
  override onDied(cause: Cause.Cause<never>): void {
    this.outcomes.push(`${this.path}: died of ${Cause.pretty(cause).split("\n")[0]}, attempts ${this.attempts}`)
  }
}

/** A connection that takes requests and does nothing with them. */
class Fake implements Unsafe {
  state: Connection.State = "active"
  limit = 10
  proven = true
  trusted = true
  /** What it does when it is given a request. */
  mood: "takes" | "refuses" | "throws" = "takes"
  readonly sent: Array<Push> = []
  readonly calls: Array<string> = []
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

  constructor(
    private readonly listener: Listener,
    private readonly clock: VirtualClock,
    readonly name: string,
    private readonly tokens: { readonly current: ProviderToken.Token | undefined }
  ) {}

  get inFlight(): number {
    return this.sent.length
  }
  get available(): number {
    return this.state === "active" && this.trusted ? this.limit - this.sent.length : 0
  }

  exchange(exchange: Exchange, now?: number, hold?: boolean): boolean {
    if (this.mood === "throws") throw new Error("no request")
    if (this.mood === "refuses" || !this.trusted || !(exchange instanceof Push)) return false
    assert.deepStrictEqual([now, hold], [this.clock.unsafeCurrentTimeMillis() + ahead, false])
    exchange.connection = this.connection
    exchange.token = this.tokens.current
    this.sent.push(exchange)
    return true
  }
  holds(): boolean {
    return false
  }
  cancel(exchange: Exchange): void {
    this.calls.push(`cancel ${exchange.path}`)
    this.remove(exchange)
  }
  suspect(): void {
    this.calls.push("suspect")
  }
  hasten(): void {
    this.calls.push("hasten")
  }

  private remove(exchange: Exchange): void {
    const i = this.sent.findIndex((sent) => sent === exchange)
    if (i >= 0) this.sent.splice(i, 1)
    // a stream is free
    this.listener.onCapacity(this.connection)
  }

  answer(push: Push, status: number, reason?: string, headers?: Array<string>): void {
    this.sent.splice(this.sent.indexOf(push), 1)
    push.status = status
    push.headers = headers
    if (reason !== undefined) push.body = Buffer.from(JSON.stringify({ reason }))
    push.onAnswer(this.connection, this.clock.unsafeCurrentTimeMillis() + ahead)
    this.listener.onCapacity(this.connection)
  }
  fail(push: Push, failure: Failure.Failure): void {
    this.sent.splice(this.sent.indexOf(push), 1)
    push.onFailure(this.connection, failure)
    this.listener.onCapacity(this.connection)
  }
  /** A PING goes out. */
  ask(): void {
    this.trusted = false
    this.listener.onSuspect?.(this.connection, false)
  }
  pong(): void {
    this.trusted = true
    this.listener.onCapacity(this.connection)
  }
  retire(cause: Failure.CloseCause = { _tag: "Retired" }): void {
    if (this.state !== "active") return
    this.calls.push("retire")
    this.state = "draining"
    Deferred.unsafeDone(this.retired, Exit.succeed(cause))
    this.listener.onRetired(this.connection, cause)
  }
  close(cause: Failure.CloseCause, withinMillis?: number): void {
    if (this.state === "closed") return
    if (withinMillis !== undefined) this.calls.push(`close within ${withinMillis}`)
    this.retire(cause)
    this.state = "closed"
    Deferred.unsafeDone(this.closed, Exit.succeed(cause))
    for (const push of this.sent.splice(0)) push.onFailure(this.connection, Failure.closed("unknown", cause))
  }
}

/** What the pool's clock is ahead of the system's, as the test has made it. */
let ahead = 0

interface Setup extends Partial<Policy> {
  readonly size?: number
  readonly token?: boolean
}

const make = ({ size = 1, token, ...options }: Setup = {}) =>
  Effect.gen(function*() {
    ahead = 0
    const outcomes: Array<string> = []
    const logged: Array<string> = []
    const metrics: Array<string> = []
    const asked: Array<string> = []
    const logger = Logger.make(({ annotations, cause, logLevel, message }) => {
      const text = Array.isArray(message) ? message.map(String).join(" ") : String(message)
      if (text.includes("Connection to APNs") || text.includes("connection to APNs")) return
      const notes = [...annotations].map(([key, value]) => `${key}=${String(value)}`).join()
      const why = Cause.isEmpty(cause) ? "" : `: ${Cause.pretty(cause).split("\n")[0]}`
      logged.push(`${logLevel.label} ${text}${why} [${notes}]`)
    })
    const clock = new VirtualClock(start)
    const fakes: Array<Fake> = []
    const tokens = { current: token === true ? tokenNamed("old") : undefined }
    const network = { opens: true, refuses: false, attempts: 0 }
    const connect = ({ listener }: Parts) =>
      Effect.suspend(() => {
        network.attempts++
        if (network.refuses) return Effect.fail(refused)
        if (!network.opens) return Effect.never
        if (listener === undefined) return Effect.dieMessage("no listener")
        const fake = new Fake(listener, clock, `#${fakes.length}`, tokens)
        fakes.push(fake)
        return Effect.succeed(fake.connection)
      })
    const signing = { deferred: Deferred.unsafeMake<void>(Effect.runSync(Effect.fiberId)), works: true }
    const signer: ProviderToken.ProviderToken = {
      "~@effect-apns/core/ProviderToken": "~@effect-apns/core/ProviderToken",
      keyId: "ABC123DEFG",
      teamId: "DEF123GHIJ",
      current: Effect.die("not asked"),
      unsafeCurrent: () => undefined,
      expired: (token) =>
        Effect.suspend(() => {
          asked.push(`expired ${token.header}`)
          return Effect.flatMap(
            Deferred.await(signing.deferred),
            () => signing.works ? Effect.succeed(tokenNamed("new")) : Effect.die("no key")
          )
        }),
      tooManyUpdates: (token) => Effect.sync(() => asked.push(`too many ${token.header}`)),
      signings: Effect.succeed(0)
    }
    const policy: Policy = {
      retransmit: "collapsible",
      maxRetransmits: 2,
      maxQueued: Infinity,
      retrySchedule: Schedule.spaced("2 seconds"),
      backoffSchedule: Schedule.spaced("5 seconds"),
      reconnectSchedule: Schedule.spaced("1 millis"),
      drainTimeout: Duration.seconds(30),
      annotations: { pool: "mine" },
      metrics: {
        connectionOpened: () => {},
        connectionFailed: () => {},
        connectionClosed: () => {},
        answered: (status, millis) => metrics.push(`answered ${status} after ${millis}`),
        rejected: (reason) => metrics.push(`rejected ${reason}`),
        failed: (tag) => metrics.push(`failed ${tag}`)
      },
      ...options
    }
    const engine = yield* Effect.withClock(
      Effect.gen(function*() {
        const scope = yield* Effect.acquireRelease(
          Scope.make(ExecutionStrategy.parallel),
          (scope, exit) => Scope.close(scope, exit)
        )
        const deadlines = yield* Deadlines.make
        const made = new Engine(
          connect,
          policy,
          deadlines,
          token === true ? signer : undefined,
          yield* Effect.runtime(),
          scope,
          1
        )
        yield* Effect.addFinalizer(() => Effect.sync(() => made.close(scopeClosed)))
        yield* made.start(size)
        return made
      }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)), Logger.withMinimumLogLevel(LogLevel.All)),
      clock
    )
    const pass = (millis: number) => Effect.promise(() => clock.advance(millis))
    yield* pass(0)
    assert.lengthOf(fakes, size)
    const [fake] = fakes
    if (fake === undefined) return yield* Effect.dieMessage("none is open")
    const submit = (path: string, given: RequestSpec = spec, lane?: Lane): Push => {
      const push = new Push(path, given, outcomes)
      push.lane = lane
      engine.submit(push)
      return push
    }
    /** Ends the pool, in a fiber of its own. */
    const shutdown = Effect.forkDaemon(Effect.withClock(engine.shutdown, clock))
    /** The outcomes since this was called last. */
    const news = (): ReadonlyArray<string> => outcomes.splice(0)
    /** The paths of the requests that each connection has. */
    const sent = (): ReadonlyArray<string> => fakes.map(({ sent }) => sent.map(({ path }) => path).join())
    /** Where deliveries are. */
    const places = () => {
      const { completed, failed, inFlight, interrupted, queued, retrying } = engine.stats
      return { queued, inFlight, retrying, completed, failed, interrupted }
    }
    return {
      asked,
      clock,
      engine,
      fake,
      fakes,
      logged,
      metrics,
      network,
      news,
      outcomes,
      pass,
      places,
      sent,
      shutdown,
      signing,
      submit,
      tokens
    }
  })

const idle = { queued: 0, inFlight: 0, retrying: 0, completed: 0, failed: 0, interrupted: 0 }

describe("submit", () => {
  it.scoped("a stream is free -> sent at once; its answer is its outcome, and counted once", () =>
    Effect.gen(function*() {
      const { engine, fake, metrics, news, pass, places, submit } = yield* make()
      const push = submit("a")
      assert.deepStrictEqual([push.phase, push.attempts, push.sentAt, push.engine], ["inFlight", 1, start, engine])
      assert.deepStrictEqual(places(), { ...idle, inFlight: 1 })
      assert.strictEqual(engine.stats.attempts, 1)
      yield* pass(7)
      fake.answer(push, 200)
      assert.deepStrictEqual(news(), ["a: 200 at 7, attempts 1"])
      assert.deepStrictEqual(metrics, ["answered 200 after 7"])
      assert.deepStrictEqual([push.phase, push.answer, push.trouble], ["settled", undefined, undefined])
      assert.deepStrictEqual(places(), { ...idle, completed: 1 })
      // nothing that comes later changes its outcome
      push.onAnswer(fake.connection, start)
      push.onFailure(fake.connection, unknown)
      push.onDefect(fake.connection, Cause.die("late"))
      push.onDue(start)
      engine.cancel(push)
      yield* pass(5_000)
      assert.deepStrictEqual(news(), [])
      assert.deepStrictEqual(places(), { ...idle, completed: 1 })
      assert.deepStrictEqual(fake.calls, [])
    }))

  it.scoped("every stream is taken -> queued, and sent in the order of submission as streams become free", () =>
    Effect.gen(function*() {
      const { fake, pass, places, sent, submit } = yield* make()
      fake.limit = 1
      const [a, b] = [submit("a"), submit("b"), submit("c")]
      assert.deepStrictEqual(places(), { ...idle, inFlight: 1, queued: 2 })
      assert.strictEqual(b.phase, "queued")
      yield* pass(1)
      fake.answer(a, 200)
      assert.deepStrictEqual(sent(), ["b"])
      assert.strictEqual(b.sentAt, start + 1)
      fake.answer(b, 200)
      assert.deepStrictEqual(sent(), ["c"])
    }))

  it.scoped("somebody waits although a stream is free -> queued behind them, not before", () =>
    Effect.gen(function*() {
      const { engine, fake, pass, sent, submit } = yield* make()
      fake.limit = 1
      const a = submit("a")
      submit("b")
      engine.cancel(a)
      // the stream of a is free, and b is sent at the end of the tick
      submit("c")
      assert.deepStrictEqual(sent(), [""])
      yield* pass(0)
      assert.deepStrictEqual(sent(), ["b"])
    }))

  it.scoped("its deadline or expiration is over, or over in this millisecond -> a Timeout that was not processed, and nothing is sent", () =>
    Effect.gen(function*() {
      const { engine, fake, metrics, news, places, sent, submit } = yield* make()
      submit("deadline", { ...spec, deadlineMillis: start })
      submit("expiration", { ...spec, expirationMillis: start })
      submit("expiration first", { ...spec, expirationMillis: start - 2, deadlineMillis: start - 1 })
      submit("deadline first", { ...spec, expirationMillis: start - 1, deadlineMillis: start - 2 })
      submit("both", { ...spec, expirationMillis: start, deadlineMillis: start })
      assert.deepStrictEqual(news(), [
        "deadline: Timeout (deadline), processed no, attempts 0",
        "expiration: Timeout (expiration), processed no, attempts 0",
        "expiration first: Timeout (expiration), processed no, attempts 0",
        "deadline first: Timeout (deadline), processed no, attempts 0",
        "both: Timeout (deadline), processed no, attempts 0"
      ])
      assert.deepStrictEqual(sent(), [""])
      assert.deepStrictEqual(places(), { ...idle, failed: 5 })
      assert.strictEqual(engine.stats.attempts, 0)
      assert.deepStrictEqual(metrics, new Array(5).fill("failed Timeout"))
      // also where it would have to wait
      fake.limit = 0
      submit("deadline", { ...spec, deadlineMillis: start })
      submit("expiration", { ...spec, expirationMillis: start })
      assert.deepStrictEqual(news(), [
        "deadline: Timeout (deadline), processed no, attempts 0",
        "expiration: Timeout (expiration), processed no, attempts 0"
      ])
      fake.limit = 10
      submit("later", { ...spec, expirationMillis: start + 1, deadlineMillis: start + 1 })
      assert.deepStrictEqual(sent(), ["later"])
    }))

  it.scoped("the clock was set back -> deadline and expiration are of the world outside, the timeout is not", () =>
    Effect.gen(function*() {
      const { clock, engine, news, pass, submit } = yield* make()
      clock.jump(-500)
      ahead = 500
      assert.strictEqual(engine.now, start - 500)
      submit("over", { ...spec, deadlineMillis: start - 500 })
      submit("expired", { ...spec, expirationMillis: start - 500 })
      assert.deepStrictEqual(news(), [
        "over: Timeout (deadline), processed no, attempts 0",
        "expired: Timeout (expiration), processed no, attempts 0"
      ])
      submit("deadline", { ...spec, deadlineMillis: start - 400 })
      submit("expiration", { ...spec, expirationMillis: start - 300 })
      submit("timeout", { ...spec, timeoutMillis: 300 })
      yield* pass(99)
      assert.deepStrictEqual(news(), [])
      yield* pass(1)
      assert.deepStrictEqual(news(), ["deadline: Timeout (deadline), processed unknown, attempts 1"])
      yield* pass(99)
      assert.deepStrictEqual(news(), [])
      yield* pass(1)
      assert.deepStrictEqual(news(), ["expiration: Timeout (expiration), processed unknown, attempts 1"])
      yield* pass(99)
      assert.deepStrictEqual(news(), [])
      yield* pass(1)
      assert.deepStrictEqual(news(), ["timeout: Timeout (timeout), processed unknown, attempts 1"])
    }))

  it.scoped("maxQueued wait, in the queue or for another attempt -> QueueFull; a bulk has a bound of its own", () =>
    Effect.gen(function*() {
      const { fake, metrics, news, places, submit } = yield* make({ maxQueued: 2 })
      fake.limit = 1
      const a = submit("a", patient)
      fake.answer(a, 503, "ServiceUnavailable")
      submit("b", patient)
      submit("c", patient)
      assert.deepStrictEqual(places(), { ...idle, inFlight: 1, queued: 1, retrying: 1 })
      submit("d", patient)
      assert.deepStrictEqual(news(), ["d: QueueFull, processed no, attempts 0"])
      assert.deepStrictEqual(metrics, ["failed QueueFull"])
      submit("e", patient, new Lane())
      assert.deepStrictEqual(places(), { ...idle, inFlight: 1, queued: 2, retrying: 1, failed: 1 })
    }))

  it.scoped("a bulk waits, in the queue and for another attempt -> single ones do not count it as theirs", () =>
    Effect.gen(function*() {
      const { fake, news, places, submit } = yield* make({ maxQueued: 2 })
      fake.limit = 1
      const bulk = new Lane()
      const a = submit("a", patient, bulk)
      fake.answer(a, 503, "ServiceUnavailable")
      for (const path of ["b", "c", "d", "e"]) submit(path, patient, bulk)
      assert.deepStrictEqual(places(), { ...idle, inFlight: 1, queued: 3, retrying: 1 })
      submit("one", patient)
      submit("two", patient)
      assert.deepStrictEqual(news(), [])
      submit("three", patient)
      assert.deepStrictEqual(news(), ["three: QueueFull, processed no, attempts 0"])
    }))

  it.scoped("the pool is closing or closed -> Closed with the reason, not processed", () =>
    Effect.gen(function*() {
      const { engine, news, pass, shutdown, submit } = yield* make()
      submit("in flight", patient)
      yield* shutdown
      yield* pass(0)
      assert.strictEqual(engine.state, "closing")
      submit("late")
      assert.deepStrictEqual(news(), ["late: Closed, processed no, ScopeClosed, attempts 0"])
      const other = yield* make()
      other.engine.close({ _tag: "CredentialsRefused", reason: "BadCertificate" })
      other.submit("late")
      assert.deepStrictEqual(other.news(), ["late: Closed, processed no, CredentialsRefused, attempts 0"])
    }))
})

describe("a connection that does not take what it is given", () => {
  it.scoped("it refuses, and is trusted -> tried on others, at most twice, then Closed with HeadersRefused; no attempt is counted", () =>
    Effect.gen(function*() {
      const { engine, fakes, news, places, submit } = yield* make({ size: 3 })
      for (const fake of fakes) fake.mood = "refuses"
      const push = submit("a")
      assert.deepStrictEqual(news(), ["a: Closed, processed no, HeadersRefused, attempts 0"])
      assert.deepStrictEqual(places(), { ...idle, failed: 1 })
      assert.deepStrictEqual([engine.stats.attempts, push.trouble?.moves], [0, 2])
      for (const fake of fakes.slice(1)) fake.mood = "takes"
      for (let i = 0; i < 3; i++) submit("b")
      assert.strictEqual(fakes.flatMap(({ sent }) => sent).length, 3)
    }))

  it.scoped("it is suspect by now -> sent on another one, or queued; no attempt is counted", () =>
    Effect.gen(function*() {
      const { engine, fakes, places, sent, submit } = yield* make({ size: 2 })
      const [one, two] = fakes
      if (one === undefined || two === undefined) return assert.fail()
      two.limit = 0
      // it looks as if it would take requests, and asks for a PONG first
      const exchange = one.exchange.bind(one)
      let refusals = 1
      one.exchange = (...given) => {
        if (refusals-- <= 0) return exchange(...given)
        one.ask()
        return false
      }
      const push = submit("a")
      assert.deepStrictEqual([push.phase, push.attempts, push.trouble], ["queued", 0, undefined])
      assert.deepStrictEqual(places(), { ...idle, queued: 1 })
      assert.strictEqual(engine.stats.attempts, 0)
      one.pong()
      assert.deepStrictEqual([push.phase, push.attempts, engine.stats.attempts], ["inFlight", 1, 1])
      two.limit = 10
      refusals = 1
      submit("b")
      submit("c")
      assert.strictEqual(sent()[1], "b,c")
    }))

  it.scoped("it is suspect by now, and others wait -> what it did not take keeps its place before them", () =>
    Effect.gen(function*() {
      const { fake, network, sent, submit } = yield* make()
      network.opens = false
      fake.limit = 1
      const first = submit("first", patient)
      for (const path of ["a", "b", "c"]) submit(path, patient)
      const exchange = fake.exchange.bind(fake)
      fake.exchange = () => {
        fake.ask()
        return false
      }
      fake.answer(first, 200)
      fake.exchange = exchange
      fake.limit = 2
      fake.pong()
      assert.deepStrictEqual(sent(), ["a,b"])
    }))

  it.scoped("it throws -> the caller gets the defect if it takes one, else Closed, not processed, and it is logged", () =>
    Effect.gen(function*() {
      const { engine, fake, logged, metrics, news, outcomes, places, submit } = yield* make()
      fake.mood = "throws"
      submit("a")
      engine.submit(new Dying("b", spec, outcomes))
      assert.deepStrictEqual(news(), [
        "a: Closed, processed no, Dropped, attempts 0",
        "b: died of Error: no request, attempts 0"
      ])
      assert.deepStrictEqual(logged, [
        "ERROR The handler of a request has died, or the request is none: Error: no request [pool=mine]"
      ])
      assert.deepStrictEqual(metrics, ["failed Closed", "failed Defect"])
      assert.deepStrictEqual(places(), { ...idle, failed: 2 })
      assert.strictEqual(engine.stats.attempts, 0)
    }))

  it.scoped("the handler of a request dies -> the defect, or Closed, of unknown fate", () =>
    Effect.gen(function*() {
      const { engine, fake, news, outcomes, pass, places, submit } = yield* make()
      const a = submit("a")
      const b = new Dying("b", spec, outcomes)
      engine.submit(b)
      a.onDefect(fake.connection, Cause.die("bug"))
      b.onDefect(fake.connection, Cause.die("bug"))
      b.onDefect(fake.connection, Cause.die("again"))
      for (const push of [a, b]) engine.cancel(push)
      assert.deepStrictEqual(news(), [
        "a: Closed, processed unknown, Dropped, attempts 1",
        "b: died of Error: bug, attempts 1"
      ])
      assert.deepStrictEqual(places(), { ...idle, failed: 2 })
      yield* pass(2_000)
      assert.deepStrictEqual(news(), [])
    }))
})

describe("cancel", () => {
  it.scoped("wherever it is -> removed without an outcome; only in flight is the stream reset", () =>
    Effect.gen(function*() {
      const { engine, fake, metrics, news, outcomes, pass, places, submit } = yield* make()
      fake.limit = 1
      const parked = submit("parked", patient)
      fake.answer(parked, 503, "ServiceUnavailable")
      const inFlight = submit("in flight")
      const queued = submit("queued")
      const fresh = new Push("new", spec, outcomes)
      assert.deepStrictEqual(places(), { ...idle, inFlight: 1, queued: 1, retrying: 1 })
      for (const push of [parked, inFlight, queued, fresh]) {
        engine.cancel(push)
        engine.cancel(push)
      }
      assert.deepStrictEqual(fake.calls, ["cancel in flight"])
      assert.deepStrictEqual(places(), { ...idle, interrupted: 3 })
      assert.deepStrictEqual([fresh.phase, parked.phase, inFlight.phase, queued.phase], [
        "new",
        "settled",
        "settled",
        "settled"
      ])
      yield* pass(70_000)
      assert.deepStrictEqual([news(), metrics], [[], []])
    }))

  it.scoped("a delivery of another pool -> nothing", () =>
    Effect.gen(function*() {
      const one = yield* make()
      const two = yield* make()
      const push = one.submit("a")
      two.engine.cancel(push)
      assert.strictEqual(push.phase, "inFlight")
      assert.deepStrictEqual([one.places(), two.places()], [{ ...idle, inFlight: 1 }, idle])
    }))

  it.scoped("many in one tick -> none that waits is sent on a stream that became free before the end of the tick", () =>
    Effect.gen(function*() {
      const { engine, fake, pass, sent, submit } = yield* make()
      fake.limit = 2
      const pushes = ["a", "b", "c", "d", "e"].map((path) => submit(path))
      for (const push of pushes.slice(0, 4)) engine.cancel(push)
      assert.deepStrictEqual(fake.calls, ["cancel a", "cancel b"])
      assert.deepStrictEqual(sent(), [""])
      yield* pass(0)
      assert.deepStrictEqual(sent(), ["e"])
      // and again
      fake.limit = 1
      submit("f")
      engine.cancel(fake.sent[0] ?? pushes[0] ?? assert.fail())
      assert.deepStrictEqual(sent(), [""])
      yield* pass(0)
      assert.deepStrictEqual(sent(), ["f"])
    }))
})

describe("answers", () => {
  it.scoped("2xx is accepted; 199 and 300 are not", () =>
    Effect.gen(function*() {
      const { fake, metrics, news, submit } = yield* make()
      for (const status of [199, 200, 299, 300]) {
        const push = submit(`${status}`)
        fake.answer(push, status)
        assert.strictEqual(push.answer === undefined, status === 200 || status === 299)
      }
      assert.deepStrictEqual(news(), [
        "199: 199 at 0, attempts 1",
        "200: 200 at 0, attempts 1",
        "299: 299 at 0, attempts 1",
        "300: 300 at 0, attempts 1"
      ])
      assert.deepStrictEqual(metrics, [
        "answered 199 after 0",
        "answered 200 after 0",
        "answered 299 after 0",
        "rejected undefined",
        "answered 300 after 0"
      ])
    }))

  it.scoped("a rejection -> its reason is counted", () =>
    Effect.gen(function*() {
      const { fake, metrics, news, pass, submit } = yield* make()
      const push = submit("a")
      yield* pass(3)
      fake.answer(push, 410, "Unregistered")
      assert.deepStrictEqual(news(), ["a: 410 Unregistered at 3, attempts 1"])
      assert.deepStrictEqual(metrics, ["rejected Unregistered", "answered 410 after 3"])
    }))

  it.scoped("a body that cannot be understood -> MalformedResponse, processed", () =>
    Effect.gen(function*() {
      const { fake, metrics, news, submit } = yield* make()
      const push = submit("a")
      push.body = Buffer.from("<html>")
      fake.answer(push, 400)
      assert.deepStrictEqual(news(), ["a: MalformedResponse, processed yes, attempts 1"])
      assert.deepStrictEqual(metrics, ["failed MalformedResponse"])
    }))

  it.scoped("accepted or rejected -> its connection is useful; an error of the server -> not; where the connection itself is what is wrong -> retired", () =>
    Effect.gen(function*() {
      for (
        const [status, reason, answered, troubled, calls] of [
          [200, undefined, true, false, []],
          [400, "BadDeviceToken", true, false, []],
          [429, "TooManyRequests", true, false, []],
          [499, "Unknown", true, false, []],
          [500, "InternalServerError", false, true, []],
          [503, "ServiceUnavailable", false, true, []],
          [403, "ExpiredProviderToken", false, false, ["retire"]],
          [400, "IdleTimeout", false, false, ["retire"]],
          [503, "Shutdown", false, false, ["retire"]]
        ] as const
      ) {
        const { fake, submit } = yield* make()
        const push = submit("a", patient)
        const { member } = push
        assert.strictEqual(member?.answered, false)
        fake.answer(push, status, reason)
        assert.deepStrictEqual([member?.answered, member?.troubled, fake.calls], [answered, troubled, calls], reason)
      }
    }))

  it.scoped("the second answer of a connection, while others cannot be opened -> does not end the back-off", () =>
    Effect.gen(function*() {
      for (const [status, reason] of [[200, undefined], [400, "BadDeviceToken"]] as const) {
        const { fake, fakes, network, pass, submit } = yield* make({
          size: 2,
          reconnectSchedule: Schedule.spaced("10 seconds")
        })
        const push = submit("a")
        const used = fakes.find(({ sent }) => sent.includes(push)) ?? fake
        used.answer(push, 200)
        network.refuses = true
        fakes.find((each) => each !== used)?.close(dropped)
        yield* pass(1)
        const { attempts } = network
        used.answer(submit("b"), status, reason)
        yield* pass(1)
        assert.strictEqual(network.attempts, attempts)
        yield* pass(10_000)
        assert.strictEqual(network.attempts, attempts + 1)
      }
    }))

  it.scoped("requests were sent on a connection that ends without an answer after a long time -> it was of no use", () =>
    Effect.gen(function*() {
      for (const isUsed of [true, false]) {
        const { engine, fake, network, pass, submit } = yield* make({
          reconnectSchedule: Schedule.spaced("1 minute")
        })
        network.opens = false
        if (isUsed) submit("a", patient)
        yield* pass(11_000)
        fake.close(dropped)
        yield* pass(0)
        assert.strictEqual(engine.stats.unreachable?.cause, isUsed ? dropped : undefined)
      }
    }))

  it.scoped("a failure of a connection's own -> sent again at once on another connection, twice; then the answer is the outcome", () =>
    Effect.gen(function*() {
      const { fakes, news, submit } = yield* make({ size: 3 })
      const push = submit("a")
      const used: Array<Fake> = []
      for (let i = 0; i < 3; i++) {
        assert.deepStrictEqual(news(), [])
        const fake = fakes.find(({ sent }) => sent.includes(push))
        if (fake === undefined) return assert.fail()
        used.push(fake)
        fake.answer(push, 400, "IdleTimeout")
      }
      assert.strictEqual(new Set(used).size, 3)
      assert.deepStrictEqual(news(), ["a: 400 IdleTimeout at 0, attempts 3"])
    }))

  it.scoped("busy -> sent again after the wait of the back-off schedule, again and again while there is time", () =>
    Effect.gen(function*() {
      const { fake, news, pass, places, submit } = yield* make()
      const push = submit("a", { ...spec, timeoutMillis: 11_000 })
      for (let i = 1; i <= 2; i++) {
        fake.answer(push, 503, "ServiceUnavailable")
        yield* pass(4_999)
        assert.deepStrictEqual(places(), { ...idle, retrying: 1 })
        yield* pass(1)
        assert.deepStrictEqual(places(), { ...idle, inFlight: 1 })
        assert.deepStrictEqual([push.status, push.attempts], [0, i + 1])
      }
      fake.answer(push, 503, "ServiceUnavailable")
      yield* pass(0)
      assert.deepStrictEqual(news(), ["a: 503 ServiceUnavailable at 10000, attempts 3"])
    }))

  it.scoped("busy, with a schedule that the pool computes -> the same, with waits that grow", () =>
    Effect.gen(function*() {
      const growth = exponential({ firstMillis: 100, factor: 2, maxMillis: 1_000 })
      const { fake, pass, places, submit } = yield* make({ backoffSchedule: growth })
      const push = submit("a", patient)
      for (const wait of [100, 200, 400]) {
        fake.answer(push, 503, "ServiceUnavailable")
        // known at once, without a fiber
        assert.strictEqual(push.trouble?.schedule?.place.at, push.trouble?.retryAt)
        yield* pass(wait * 0.8 - 1)
        assert.deepStrictEqual(places(), { ...idle, retrying: 1 })
        yield* pass(wait * 0.4 + 1)
        assert.deepStrictEqual(places(), { ...idle, inFlight: 1 })
      }
    }))

  it.scoped("busy, with Retry-After -> sent again then; 0 or a time that is over -> after the wait of the schedule", () =>
    Effect.gen(function*() {
      for (const [value, wait] of [["9", 9_000], ["0", 5_000], ["Fri, 15 Jan 2027 07:59:59 GMT", 5_000]] as const) {
        const { fake, pass, places, submit } = yield* make()
        fake.answer(submit("a", patient), 429, "TooManyRequests", ["retry-after", value])
        yield* pass(wait - 1)
        assert.deepStrictEqual(places(), { ...idle, retrying: 1 }, value)
        yield* pass(1)
        assert.deepStrictEqual(places(), { ...idle, inFlight: 1 }, value)
      }
    }))

  it.scoped("busy, with a date as Retry-After, after the clock was set back -> a date of the world outside", () =>
    Effect.gen(function*() {
      const { clock, fake, pass, places, submit } = yield* make()
      clock.jump(-60_000)
      ahead = 60_000
      const headers = ["retry-after", "Fri, 15 Jan 2027 07:59:09 GMT"]
      fake.answer(submit("a", patient), 429, "TooManyRequests", headers)
      yield* pass(8_999)
      assert.deepStrictEqual(places(), { ...idle, retrying: 1 })
      yield* pass(1)
      assert.deepStrictEqual(places(), { ...idle, inFlight: 1 })
    }))

  it.scoped("busy, and the wait ends with its time, or after it -> the answer is the outcome at once", () =>
    Effect.gen(function*() {
      for (
        const [given, headers, waits] of [
          [{ timeoutMillis: 5_001 }, [], true],
          [{ timeoutMillis: 5_000 }, [], false],
          [{ deadlineMillis: start + 5_000 }, [], false],
          [{ expirationMillis: start + 5_000 }, [], false],
          [{ timeoutMillis: 9_000 }, ["retry-after", "9"], false],
          [{ timeoutMillis: 9_001 }, ["retry-after", "9"], true]
        ] as const
      ) {
        const { fake, news, pass, submit } = yield* make()
        fake.answer(submit("a", { ...patient, ...given }), 503, "ServiceUnavailable", [...headers])
        yield* pass(0)
        assert.deepStrictEqual(news(), waits ? [] : ["a: 503 ServiceUnavailable at 0, attempts 1"])
      }
    }))

  it.scoped("busy, and the schedule is over, or fails -> the answer is the outcome; a failure is logged", () =>
    Effect.gen(function*() {
      for (
        const [schedule, lines] of [
          [Schedule.recurs(0), []],
          [
            Schedule.mapEffect(Schedule.forever, () => Effect.dieMessage("bug")),
            ["ERROR The backoff schedule has failed: RuntimeException: bug [pool=mine]"]
          ]
        ] as const
      ) {
        const { fake, logged, news, pass, submit } = yield* make({ backoffSchedule: schedule })
        fake.answer(submit("a", patient), 503, "ServiceUnavailable")
        yield* pass(0)
        assert.deepStrictEqual(news(), ["a: 503 ServiceUnavailable at 0, attempts 1"])
        assert.deepStrictEqual(logged, [...lines])
      }
    }))

  it.scoped("busy, and the schedule itself takes time -> its time goes on; cancelled meanwhile -> nothing happens", () =>
    Effect.gen(function*() {
      const slow = Schedule.mapEffect(Schedule.spaced("1 millis"), () => Effect.sleep("10 seconds"))
      const { engine, fake, news, pass, places, submit } = yield* make({ backoffSchedule: slow })
      fake.answer(submit("a", { ...spec, timeoutMillis: 3_000 }), 503, "ServiceUnavailable")
      const b = submit("b", patient)
      fake.answer(b, 503, "ServiceUnavailable")
      assert.deepStrictEqual(places(), { ...idle, retrying: 2 })
      engine.cancel(b)
      yield* pass(2_999)
      assert.deepStrictEqual(news(), [])
      yield* pass(1)
      assert.deepStrictEqual(news(), ["a: Timeout (timeout), processed no, attempts 1"])
      yield* pass(20_000)
      assert.deepStrictEqual(places(), { ...idle, failed: 1, interrupted: 1 })
    }))

  it.scoped("an error inside APNs, then a failure that would be \"not processed\" -> processed unknown", () =>
    Effect.gen(function*() {
      for (const [status, processed] of [[500, "unknown"], [503, "no"]] as const) {
        const { engine, fake, news, pass, submit } = yield* make()
        fake.answer(submit("a", patient), status, status === 500 ? "InternalServerError" : "ServiceUnavailable")
        yield* pass(0)
        engine.close({ _tag: "CredentialsRefused", reason: "x" })
        assert.deepStrictEqual(news(), [`a: Closed, processed ${processed}, CredentialsRefused, attempts 1`])
      }
    }))

  it.scoped("a rejection while the pool is closed -> the outcome, whatever the verdict would be", () =>
    Effect.gen(function*() {
      const { engine, fake, news, pass, submit } = yield* make()
      const push = submit("a", patient)
      engine.close({ _tag: "CredentialsRefused", reason: "x" })
      fake.answer(push, 503, "ServiceUnavailable")
      yield* pass(0)
      assert.deepStrictEqual(news(), ["a: 503 ServiceUnavailable at 0, attempts 1"])
    }))
})

describe("provider tokens", () => {
  it.scoped("many are refused with the same token -> one new one is signed, and each is sent once more", () =>
    Effect.gen(function*() {
      const { asked, fakes, news, pass, places, signing, submit, tokens } = yield* make({ token: true, size: 2 })
      const pushes = ["a", "b", "c"].map((path) => submit(path, patient))
      const refuse = (): void => {
        for (const push of pushes) {
          fakes.find(({ sent }) => sent.includes(push))?.answer(push, 403, "ExpiredProviderToken")
        }
      }
      refuse()
      assert.deepStrictEqual(asked, [])
      yield* pass(10)
      assert.deepStrictEqual(asked, ["expired old"])
      assert.deepStrictEqual(places(), { ...idle, retrying: 3 })
      tokens.current = tokenNamed("new")
      yield* Deferred.succeed(signing.deferred, undefined)
      yield* pass(0)
      assert.deepStrictEqual(places(), { ...idle, inFlight: 3 })
      assert.deepStrictEqual(pushes.map(({ attempts, token }) => [attempts, token?.header]), [
        [2, "new"],
        [2, "new"],
        [2, "new"]
      ])
      // refused again: that is the outcome
      refuse()
      yield* pass(0)
      assert.deepStrictEqual(news(), [
        "a: 403 ExpiredProviderToken at 10, attempts 2",
        "b: 403 ExpiredProviderToken at 10, attempts 2",
        "c: 403 ExpiredProviderToken at 10, attempts 2"
      ])
      assert.deepStrictEqual(asked, ["expired old"])
    }))

  it.scoped("refused with the same token after a new one was signed -> asked again", () =>
    Effect.gen(function*() {
      const { asked, fakes, pass, signing, submit } = yield* make({ token: true })
      yield* Deferred.succeed(signing.deferred, undefined)
      for (const path of ["a", "b"]) {
        const push = submit(path, patient)
        yield* pass(10)
        fakes.find(({ sent }) => sent.includes(push))?.answer(push, 403, "ExpiredProviderToken")
        yield* pass(10)
      }
      assert.deepStrictEqual(asked, ["expired old", "expired old"])
    }))

  it.scoped("no new one can be signed -> the answer is the outcome; cancelled or timed out meanwhile -> no other", () =>
    Effect.gen(function*() {
      const { engine, fake, news, pass, places, signing, submit } = yield* make({ token: true })
      const [a, b, c] = [submit("a", patient), submit("b", patient), submit("c")] as const
      for (const push of [a, b, c]) fake.answer(push, 403, "ExpiredProviderToken")
      engine.cancel(b)
      signing.works = false
      yield* pass(1_000)
      assert.deepStrictEqual(news(), ["c: Timeout (timeout), processed no, attempts 1"])
      yield* Deferred.succeed(signing.deferred, undefined)
      yield* pass(0)
      assert.deepStrictEqual(news(), ["a: 403 ExpiredProviderToken at 1000, attempts 1"])
      assert.deepStrictEqual(places(), { ...idle, completed: 1, failed: 1, interrupted: 1 })
    }))

  it.scoped("the pool has no tokens, or the request was sent without one -> the answer is the outcome", () =>
    Effect.gen(function*() {
      for (const [token, sent] of [[false, tokenNamed("x")], [true, undefined]] as const) {
        for (const reason of ["ExpiredProviderToken", "TooManyProviderTokenUpdates"]) {
          const { asked, fake, news, pass, submit, tokens } = yield* make({ token })
          tokens.current = sent
          fake.answer(submit("a", patient), reason === "ExpiredProviderToken" ? 403 : 429, reason)
          yield* pass(0)
          assert.match(news().join(), new RegExp(`^a: 4.. ${reason} at 0, attempts 1$`))
          assert.deepStrictEqual(asked, [])
        }
      }
    }))

  it.scoped("too many new tokens -> the signer is told, once in a millisecond, and the request waits; the second time is the outcome", () =>
    Effect.gen(function*() {
      const { asked, fake, news, pass, places, submit } = yield* make({ token: true })
      const pushes = ["a", "b"].map((path) => submit(path, patient))
      for (const push of pushes) fake.answer(push, 429, "TooManyProviderTokenUpdates")
      yield* pass(0)
      assert.deepStrictEqual(asked, ["too many old"])
      assert.deepStrictEqual(places(), { ...idle, retrying: 2 })
      yield* pass(5_000)
      assert.deepStrictEqual(places(), { ...idle, inFlight: 2 })
      const c = submit("c", patient)
      fake.answer(c, 429, "TooManyProviderTokenUpdates")
      yield* pass(0)
      assert.deepStrictEqual(asked, ["too many old", "too many old"])
      for (const push of pushes) fake.answer(push, 429, "TooManyProviderTokenUpdates")
      assert.deepStrictEqual(news(), [
        "a: 429 TooManyProviderTokenUpdates at 5000, attempts 2",
        "b: 429 TooManyProviderTokenUpdates at 5000, attempts 2"
      ])
    }))
})

describe("failures", () => {
  it.scoped("not processed -> sent again at once, on another connection, twice; then after the wait of the retry schedule", () =>
    Effect.gen(function*() {
      const { engine, fakes, news, pass, places, submit } = yield* make({ size: 2 })
      const push = submit("a", patient)
      const used: Array<string> = []
      const fail = (failure: Failure.Failure) => {
        const fake = fakes.find(({ sent }) => sent.includes(push))
        used.push(fake?.name ?? "")
        fake?.fail(push, failure)
      }
      fail(notProcessed)
      fail(Failure.blocked)
      fail(notProcessed)
      assert.lengthOf(new Set(used.slice(0, 2)), 2)
      assert.strictEqual(used[0], used[2])
      yield* pass(1_999)
      assert.deepStrictEqual(places(), { ...idle, retrying: 1 })
      yield* pass(1)
      assert.deepStrictEqual(places(), { ...idle, inFlight: 1 })
      assert.deepStrictEqual([push.attempts, engine.stats.attempts, push.trouble?.doubtful, push.trouble?.copies], [
        4,
        4,
        false,
        0
      ])
      fail(Failure.malformed(200, "x"))
      assert.deepStrictEqual(news(), ["a: MalformedResponse, processed yes, attempts 4"])
    }))

  it.scoped("no stream was free, again and again, and the retry schedule is over -> Closed, as of a connection that was retired", () =>
    Effect.gen(function*() {
      const { fake, news, pass, submit } = yield* make({ retrySchedule: Schedule.recurs(0) })
      const push = submit("a", patient)
      for (let i = 0; i < 3; i++) fake.fail(push, Failure.blocked)
      yield* pass(0)
      assert.deepStrictEqual(news(), ["a: Closed, processed no, Retired, attempts 3"])
    }))

  it.scoped("others wait -> what failed keeps its place before them", () =>
    Effect.gen(function*() {
      const { fake, network, sent, submit } = yield* make()
      network.opens = false
      fake.limit = 2
      const [a, b] = [submit("a", patient), submit("b", patient), submit("c", patient)]
      fake.trusted = false
      // in the other order than they were submitted in
      fake.fail(b, notProcessed)
      fake.fail(a, notProcessed)
      fake.pong()
      assert.deepStrictEqual(sent(), ["a,b"])
    }))

  it.scoped("only one connection -> sent on that again", () =>
    Effect.gen(function*() {
      const { fake, sent, submit } = yield* make()
      fake.fail(submit("a"), notProcessed)
      assert.deepStrictEqual(sent(), ["a"])
    }))

  for (
    const [what, policy, given, copies] of [
      ["a request that is not collapsible", "collapsible", patient, 0],
      ["a collapsible request", "collapsible", collapsible, 2],
      ["any request, where the pool says always", "always", patient, 2],
      ["a collapsible request, where the pool says never", "never", collapsible, 0],
      ["a request that says always itself", "never", { ...patient, retransmit: "always" }, 2],
      ["a collapsible request that says never itself", "always", { ...collapsible, retransmit: "never" }, 0],
      ["a request that says collapsible itself, and is not", "always", { ...patient, retransmit: "collapsible" }, 0]
    ] as const
  ) {
    it.scoped(`${what} may have been processed -> sent again ${copies} times, after a wait each`, () =>
      Effect.gen(function*() {
        const { fake, news, pass, places, submit } = yield* make({ retransmit: policy })
        const push = submit("a", given)
        for (let i = 0; i < copies; i++) {
          fake.fail(push, unknown)
          yield* pass(1_999)
          assert.deepStrictEqual(places(), { ...idle, retrying: 1 })
          yield* pass(1)
          assert.deepStrictEqual(places(), { ...idle, inFlight: 1 })
        }
        fake.fail(push, unknown)
        yield* pass(0)
        assert.deepStrictEqual(news(), [`a: Closed, processed unknown, Dropped, attempts ${copies + 1}`])
      }))
  }

  it.scoped("it may have been processed before -> a later failure that is not processed is of unknown fate; one that is processed stays so", () =>
    Effect.gen(function*() {
      const other = yield* make()
      const push = other.submit("a", collapsible)
      other.fake.fail(push, unknown)
      yield* other.pass(2_000)
      other.fake.fail(push, Failure.malformed(200, "x"))
      assert.deepStrictEqual(other.news(), ["a: MalformedResponse, processed yes, attempts 2"])
      const { engine, fake, news, pass, submit } = yield* make()
      fake.fail(submit("a", collapsible), unknown)
      yield* pass(0)
      engine.close(dropped)
      assert.deepStrictEqual(news(), ["a: Closed, processed unknown, Dropped, attempts 1"])
    }))

  it.scoped("the retry schedule is over, or fails -> the failure is the outcome", () =>
    Effect.gen(function*() {
      for (
        const [schedule, lines] of [
          [Schedule.recurs(0), []],
          [
            Schedule.mapEffect(Schedule.forever, () => Effect.dieMessage("bug")),
            ["ERROR The retry schedule has failed: RuntimeException: bug [pool=mine]"]
          ]
        ] as const
      ) {
        const { fake, logged, news, pass, submit } = yield* make({ retrySchedule: schedule })
        fake.fail(submit("a", collapsible), Failure.streamReset(2))
        yield* pass(0)
        assert.deepStrictEqual(news(), ["a: StreamReset, processed unknown, attempts 1"])
        assert.deepStrictEqual(logged, [...lines])
      }
    }))

  it.scoped("each schedule goes on where it was, and another kind begins anew", () =>
    Effect.gen(function*() {
      const { fake, news, pass, places, submit } = yield* make({
        retrySchedule: Schedule.intersect(Schedule.recurs(1), Schedule.spaced("1 second")),
        maxRetransmits: 9
      })
      const push = submit("a", collapsible)
      fake.fail(push, unknown)
      yield* pass(1_000)
      fake.answer(push, 503, "ServiceUnavailable")
      yield* pass(5_000)
      // it has begun anew
      fake.fail(push, unknown)
      yield* pass(1_000)
      assert.deepStrictEqual(places(), { ...idle, inFlight: 1 })
      fake.fail(push, unknown)
      yield* pass(0)
      assert.deepStrictEqual(news(), ["a: Closed, processed unknown, Dropped, attempts 4"])
    }))

  it.scoped("the pool is closed -> the failure is the outcome, with its own cause", () =>
    Effect.gen(function*() {
      const { engine, fake, news, pass, submit } = yield* make()
      const [a, b] = [submit("a", patient), submit("b", collapsible)]
      engine.close({ _tag: "CredentialsRefused", reason: "BadCertificate" })
      fake.fail(a, notProcessed)
      fake.fail(b, unknown)
      yield* pass(0)
      assert.deepStrictEqual(news(), [
        "a: Closed, processed no, Dropped, attempts 1",
        "b: Closed, processed unknown, Dropped, attempts 1"
      ])
    }))

  it.scoped("the pool is closing, to end what is in flight -> still sent again", () =>
    Effect.gen(function*() {
      const { engine, fake, news, pass, places, shutdown, submit } = yield* make()
      const push = submit("a", patient)
      yield* shutdown
      yield* pass(0)
      fake.fail(push, notProcessed)
      assert.deepStrictEqual(places(), { ...idle, inFlight: 1 })
      fake.answer(push, 200)
      yield* pass(0)
      assert.deepStrictEqual(news(), ["a: 200 at 0, attempts 2"])
      assert.strictEqual(engine.state, "closed")
    }))
})

describe("time", () => {
  for (
    const [what, given, limit] of [
      ["its timeout", {}, "timeout"],
      ["its deadline", { deadlineMillis: start + 900 }, "deadline"],
      ["its expiration", { expirationMillis: start + 900 }, "expiration"],
      ["all at the same time", { deadlineMillis: start + 1_000, expirationMillis: start + 1_000 }, "timeout"],
      ["deadline and expiration", { deadlineMillis: start + 900, expirationMillis: start + 900 }, "deadline"]
    ] as const
  ) {
    it.scoped(`${what} ends in flight -> Timeout (${limit}) of unknown fate; then the stream is reset, and the connection asked`, () =>
      Effect.gen(function*() {
        const { fake, metrics, news, pass, places, submit } = yield* make()
        submit("a", { ...spec, ...given })
        const millis = limit === "timeout" ? 1_000 : 900
        yield* pass(millis - 1)
        assert.deepStrictEqual(news(), [])
        yield* pass(1)
        assert.deepStrictEqual(news(), [`a: Timeout (${limit}), processed unknown, attempts 1`])
        assert.deepStrictEqual(fake.calls, ["cancel a", "suspect"])
        assert.deepStrictEqual(metrics, ["failed Timeout"])
        assert.deepStrictEqual(places(), { ...idle, failed: 1 })
      }))
  }

  it.scoped("its time ends after the headers of the answer -> the answer, truncated, and the connection is not asked", () =>
    Effect.gen(function*() {
      const { fake, news, pass, submit } = yield* make()
      const push = submit("a")
      yield* pass(10)
      push.status = 200
      yield* pass(990)
      assert.deepStrictEqual(news(), ["a: 200 truncated at 1000, attempts 1"])
      assert.deepStrictEqual(fake.calls, ["cancel a"])
    }))

  it.scoped("waiting for a stream -> its timeout does not run; deadline and expiration do", () =>
    Effect.gen(function*() {
      const { fake, news, pass, sent, submit } = yield* make()
      fake.limit = 1
      const a = submit("a", { ...spec, timeoutMillis: 100_000 })
      submit("deadline", { ...spec, deadlineMillis: start + 5_000 })
      submit("expiration", { ...spec, expirationMillis: start + 6_000 })
      submit("b")
      yield* pass(5_000)
      assert.deepStrictEqual(news(), ["deadline: Timeout (deadline), processed no, attempts 0"])
      yield* pass(1_000)
      assert.deepStrictEqual(news(), ["expiration: Timeout (expiration), processed no, attempts 0"])
      yield* pass(20_000)
      assert.deepStrictEqual(news(), [])
      fake.answer(a, 200)
      news()
      assert.deepStrictEqual(sent(), ["b"])
      yield* pass(999)
      assert.deepStrictEqual(news(), [])
      yield* pass(1)
      assert.deepStrictEqual(news(), ["b: Timeout (timeout), processed unknown, attempts 1"])
    }))

  it.scoped("waiting while no connection works -> its timeout runs; it stops while one works, and goes on in flight", () =>
    Effect.gen(function*() {
      const { fake, network, news, pass, sent, submit } = yield* make()
      network.opens = false
      fake.ask()
      const [a, b] = [submit("a", { ...spec, timeoutMillis: 500 }), submit("b")]
      yield* pass(499)
      assert.deepStrictEqual([a.phase, b.phase], ["queued", "queued"])
      yield* pass(1)
      assert.deepStrictEqual(news(), ["a: Timeout (timeout), processed no, attempts 0"])
      fake.limit = 0
      yield* pass(100)
      fake.limit = 10
      fake.pong()
      // 600 of its 1,000 milliseconds are over
      assert.deepStrictEqual(sent(), ["b"])
      yield* pass(399)
      assert.deepStrictEqual(news(), [])
      yield* pass(1)
      assert.deepStrictEqual(news(), ["b: Timeout (timeout), processed unknown, attempts 1"])
    }))

  it.scoped("connections come and go while it waits -> only the time without one counts", () =>
    Effect.gen(function*() {
      const { fake, network, news, pass, submit } = yield* make()
      // no other one takes its place
      network.opens = false
      fake.limit = 1
      submit("first", { ...spec, timeoutMillis: 100_000 })
      submit("b")
      for (let i = 0; i < 3; i++) {
        yield* pass(5_000)
        fake.ask()
        yield* pass(300)
        assert.deepStrictEqual(news(), [])
        fake.pong()
      }
      yield* pass(5_000)
      fake.ask()
      yield* pass(99)
      assert.deepStrictEqual(news(), [])
      yield* pass(1)
      assert.deepStrictEqual(news(), ["b: Timeout (timeout), processed no, attempts 0"])
    }))

  it.scoped("no connection can be opened any more -> the Timeout says why the last one ended", () =>
    Effect.gen(function*() {
      const { fake, network, news, pass, submit } = yield* make()
      network.opens = false
      fake.close(dropped)
      yield* pass(0)
      submit("a")
      yield* pass(1_000)
      assert.deepStrictEqual(news(), ["a: Timeout (timeout), processed no, Dropped, attempts 0"])
      const other = yield* make()
      other.fake.limit = 1
      other.submit("first", patient)
      other.submit("deadline", { ...spec, deadlineMillis: start + 10 })
      yield* other.pass(10)
      assert.deepStrictEqual(other.news(), ["deadline: Timeout (deadline), processed no, attempts 0"])
    }))

  it.scoped("what is left of its time after an attempt is what it has for the next one", () =>
    Effect.gen(function*() {
      const { fake, network, news, pass, places, submit } = yield* make()
      network.opens = false
      const push = submit("a")
      yield* pass(400)
      fake.trusted = false
      fake.fail(push, notProcessed)
      assert.deepStrictEqual(places(), { ...idle, queued: 1 })
      fake.ask()
      yield* pass(599)
      assert.deepStrictEqual(news(), [])
      yield* pass(1)
      assert.deepStrictEqual(news(), ["a: Timeout (timeout), processed no, attempts 1"])
    }))

  it.scoped("waiting for another attempt when its time ends -> Timeout, with the limit; otherwise sent again, or queued", () =>
    Effect.gen(function*() {
      const { fake, news, pass, places, submit } = yield* make()
      const given = { ...collapsible, deadlineMillis: start + 1_500 }
      fake.fail(submit("a", given), notProcessed)
      for (let i = 0; i < 2; i++) fake.fail(fake.sent[0] ?? assert.fail(), notProcessed)
      yield* pass(1_499)
      assert.deepStrictEqual(places(), { ...idle, retrying: 1 })
      yield* pass(1)
      assert.deepStrictEqual(news(), ["a: Timeout (deadline), processed no, attempts 3"])
      // every stream is taken when its wait is over
      fake.limit = 1
      const b = submit("b", collapsible)
      fake.fail(b, unknown)
      const c = submit("c", patient)
      yield* pass(2_000)
      assert.deepStrictEqual(places(), { ...idle, queued: 1, inFlight: 1, failed: 1 })
      fake.answer(c, 200)
      assert.strictEqual(b.phase, "inFlight")
    }))

  it.scoped("its time ends before its wait, or with it, and every stream is taken -> Timeout at once", () =>
    Effect.gen(function*() {
      for (const timeoutMillis of [1_500, 2_000]) {
        const { fake, news, pass, submit } = yield* make()
        fake.limit = 1
        fake.fail(submit("a", { ...collapsible, timeoutMillis }), unknown)
        submit("b", patient)
        yield* pass(timeoutMillis - 1)
        assert.deepStrictEqual(news(), [])
        yield* pass(1)
        assert.deepStrictEqual(news(), ["a: Timeout (timeout), processed unknown, attempts 1"])
      }
    }))

  it.scoped("its wait is over while others wait for the end of the tick -> it does not overtake them", () =>
    Effect.gen(function*() {
      const { clock, engine, fake, pass, sent, submit } = yield* make()
      fake.limit = 1
      const a = submit("a", collapsible)
      fake.fail(a, unknown)
      const b = submit("b", patient)
      submit("c", patient)
      yield* pass(0)
      clock.jump(2_000)
      engine.cancel(b)
      engine.due(a, start + 2_000)
      assert.deepStrictEqual(sent(), [""])
      yield* pass(0)
      assert.deepStrictEqual(sent(), ["a"])
    }))

  it.scoped("the last connection becomes suspect -> it must answer sooner if somebody waits, now or later", () =>
    Effect.gen(function*() {
      for (const waits of ["before", "after", "never"] as const) {
        const { fake, network, submit } = yield* make()
        network.opens = false
        fake.limit = 1
        submit("a", patient)
        if (waits === "before") submit("b", patient)
        fake.ask()
        assert.deepStrictEqual(fake.calls, waits === "before" ? ["hasten"] : [])
        if (waits === "after") submit("b", patient)
        assert.deepStrictEqual(fake.calls, waits === "never" ? [] : ["hasten"])
      }
    }))

  it.scoped("a connection works again in the millisecond in which its time ends, without a free stream -> Timeout all the same", () =>
    Effect.gen(function*() {
      const { clock, fake, network, news, pass, places, submit } = yield* make()
      network.opens = false
      fake.limit = 1
      submit("first", patient)
      fake.ask()
      submit("a", { ...spec, timeoutMillis: 500 })
      yield* pass(499)
      clock.jump(1)
      fake.pong()
      assert.deepStrictEqual(places(), { ...idle, inFlight: 1, queued: 1 })
      yield* pass(0)
      assert.deepStrictEqual(news(), ["a: Timeout (timeout), processed no, attempts 0"])
    }))

  it.scoped("others wait when its wait is over -> it takes its old place in the queue, before those that came later", () =>
    Effect.gen(function*() {
      const { fake, pass, sent, submit } = yield* make()
      fake.limit = 1
      const a = submit("a", collapsible)
      const b = submit("b", patient)
      submit("c", patient)
      fake.fail(a, unknown)
      assert.deepStrictEqual(sent(), ["b"])
      yield* pass(2_000)
      fake.answer(b, 200)
      assert.deepStrictEqual(sent(), ["a"])
    }))

  it.scoped("its time ends in the millisecond in which a stream becomes free -> not sent, not processed", () =>
    Effect.gen(function*() {
      const { clock, fake, news, pass, sent, submit } = yield* make()
      fake.limit = 1
      const a = submit("a", { ...spec, timeoutMillis: 100_000 })
      submit("b", { ...spec, deadlineMillis: start + 50 })
      submit("c", { ...spec, timeoutMillis: 0 })
      yield* pass(40)
      clock.jump(10)
      fake.answer(a, 200)
      assert.deepStrictEqual(news(), [
        "a: 200 at 50, attempts 1",
        "b: Timeout (deadline), processed no, attempts 0",
        "c: Timeout (timeout), processed no, attempts 0"
      ])
      assert.deepStrictEqual(sent(), [""])
    }))
})

describe("the end", () => {
  it.scoped("close -> what waits fails, not processed, with the cause, once; it is logged unless the scope was closed", () =>
    Effect.gen(function*() {
      for (const cause of [dropped, scopeClosed]) {
        const { engine, fake, logged, news, pass, places, submit } = yield* make()
        fake.limit = 1
        const parked = submit("parked", patient)
        fake.answer(parked, 503, "ServiceUnavailable")
        yield* pass(0)
        const inFlight = submit("in flight", patient)
        submit("queued", patient)
        submit("queued too", patient)
        engine.close(cause)
        engine.close({ _tag: "Retired" })
        const isScope = cause === scopeClosed
        assert.deepStrictEqual([...news()].sort(), [
          ...(isScope ? ["in flight: Closed, processed unknown, ScopeClosed, attempts 1"] : []),
          `parked: Closed, processed no, ${cause._tag}, attempts 1`,
          `queued too: Closed, processed no, ${cause._tag}, attempts 0`,
          `queued: Closed, processed no, ${cause._tag}, attempts 0`
        ])
        assert.deepStrictEqual(
          logged,
          isScope ? [] : ["ERROR The pool is closed: the connection was lost (ECONNRESET) [pool=mine]"]
        )
        assert.strictEqual(engine.state, "closed")
        if (!isScope) fake.answer(inFlight, 200)
        yield* pass(70_000)
        assert.deepStrictEqual(places(), {
          ...idle,
          completed: isScope ? 0 : 1,
          failed: isScope ? 4 : 3
        })
        assert.strictEqual(fake.state, isScope ? "closed" : "draining")
      }
    }))

  it.scoped("shutdown -> waits for all, then closes; nothing is there -> closes at once", () =>
    Effect.gen(function*() {
      const { engine, fake, news, pass, places, shutdown, submit } = yield* make()
      fake.limit = 1
      const [a, b, c] = [submit("a", patient), submit("b", patient), submit("c", patient)] as const
      fake.answer(a, 503, "ServiceUnavailable")
      let over = false
      yield* Effect.flatMap(
        shutdown,
        (fiber) => Effect.forkScoped(Effect.andThen(Fiber.await(fiber), () => over = true))
      )
      yield* pass(0)
      assert.deepStrictEqual([engine.state, over], ["closing", false])
      assert.deepStrictEqual(places(), { ...idle, inFlight: 1, queued: 1, retrying: 1 })
      fake.answer(b, 200)
      fake.answer(c, 200)
      yield* pass(4_999)
      assert.isFalse(over)
      yield* pass(1)
      fake.answer(a, 200)
      yield* pass(0)
      assert.deepStrictEqual([engine.state, over], ["closed", true])
      assert.lengthOf(news(), 3)
      const other = yield* make()
      yield* Effect.flatMap(other.shutdown, Fiber.join)
      assert.strictEqual(other.engine.state, "closed")
    }))

  it.scoped("shutdown, with as many in flight as wait -> waits for them; connections close within the rest of drainTimeout", () =>
    Effect.gen(function*() {
      const { engine, fake, pass, shutdown, submit } = yield* make()
      fake.limit = 1
      const [a, b] = [submit("a", patient), submit("b", patient)]
      yield* shutdown
      yield* pass(4_000)
      assert.strictEqual(engine.state, "closing")
      fake.answer(a, 200)
      fake.answer(b, 200)
      yield* pass(0)
      assert.strictEqual(engine.state, "closed")
      assert.deepStrictEqual(fake.calls, ["close within 26000", "retire"])
    }))

  for (
    const [what, end] of [
      ["fails", (fake: Fake, push: Push) => fake.fail(push, unknown)],
      ["is cancelled", (_: Fake, push: Push) => push.engine?.cancel(push)],
      ["dies", (fake: Fake, push: Push) => push.onDefect(fake.connection, Cause.die("bug"))]
    ] as const
  ) {
    it.scoped(`shutdown, and the last request ${what} -> closes then`, () =>
      Effect.gen(function*() {
        const { engine, fake, outcomes, pass, shutdown } = yield* make()
        const push = new Dying("a", patient, outcomes)
        engine.submit(push)
        yield* shutdown
        yield* pass(0)
        assert.strictEqual(engine.state, "closing")
        end(fake, push)
        yield* pass(0)
        assert.strictEqual(engine.state, "closed")
      }))
  }

  it.scoped("shutdown, and something is left after drainTimeout -> closed then, also where the fiber was interrupted", () =>
    Effect.gen(function*() {
      const { engine, news, pass, shutdown, submit } = yield* make()
      submit("a", patient)
      const fiber = yield* shutdown
      yield* pass(0)
      fiber.unsafeInterruptAsFork(fiber.id())
      yield* pass(29_999)
      assert.deepStrictEqual([engine.state, news()], ["closing", []])
      yield* pass(1)
      assert.deepStrictEqual([engine.state, news()], ["closed", [
        "a: Closed, processed unknown, ScopeClosed, attempts 1"
      ]])
    }))

  it.scoped("shutdown of a pool that is closed -> it stays closed for its reason", () =>
    Effect.gen(function*() {
      const { engine, news, shutdown, submit } = yield* make()
      engine.close(dropped)
      yield* Effect.flatMap(shutdown, Fiber.join)
      submit("late")
      assert.deepStrictEqual(news(), ["late: Closed, processed no, Dropped, attempts 0"])
    }))

  it.scoped("resize -> that many connections, and only of a pool that is open", () =>
    Effect.gen(function*() {
      const { engine, pass, shutdown } = yield* make()
      yield* engine.resize(3)
      yield* pass(0)
      assert.deepInclude(engine.stats, { size: 3, active: 3 })
      yield* shutdown
      yield* pass(0)
      yield* engine.resize(5)
      assert.strictEqual(engine.stats.size, 3)
      const draining = yield* make()
      draining.submit("a", patient)
      yield* draining.shutdown
      yield* draining.pass(0)
      yield* draining.engine.resize(5)
      assert.strictEqual(draining.engine.stats.size, 1)
    }))
})

describe("what a pool says of itself", () => {
  it.scoped("stats, JSON and inspection are the same, and contain no request", () =>
    Effect.gen(function*() {
      const { engine, fake, network, pass, submit } = yield* make()
      submit("secret")
      const stats: typeof engine.stats = {
        state: "open",
        size: 1,
        active: 1,
        connecting: 0,
        draining: 0,
        connectionsOpened: 1,
        connectionsFailed: 0,
        connectionsLost: 0,
        queued: 0,
        inFlight: 1,
        retrying: 0,
        completed: 0,
        failed: 0,
        interrupted: 0,
        attempts: 1,
        unreachable: undefined
      }
      assert.deepStrictEqual({ ...engine.stats }, stats)
      assert.deepStrictEqual(engine.toJSON(), { _id: "@effect-apns/pool/ApnsPool", ...stats })
      assert.include(util.inspect(engine), "'@effect-apns/pool/ApnsPool'")
      assert.notInclude(util.inspect(engine, { depth: 9 }), "secret")
      network.opens = false
      fake.close(dropped)
      yield* pass(5)
      assert.deepStrictEqual(engine.stats.unreachable, { since: DateTime.unsafeMake(start), cause: dropped })
    }))

  const failures: ReadonlyArray<readonly [how: string, fail: (what: string) => void]> = [
    ["throw", (what) => {
      throw new Error(what)
    }],
    ["are async and reject", (what) => Promise.reject(new Error(what))]
  ]
  for (const [how, fail] of failures) {
    it.scoped(`callbacks that ${how} -> logged, with everything counted, and the next delivery is served`, () =>
      Effect.gen(function*() {
        const { engine, fake, logged, outcomes, places, submit } = yield* make()
        class Bad extends Dying {
          override onAnswered(): void {
            return fail("answered")
          }
          override onFailed(): void {
            return fail("failed")
          }
          override onDied(): void {
            return fail("died")
          }
        }
        const [a, b, c] = [
          new Bad("a", spec, outcomes),
          new Bad("b", spec, outcomes),
          new Bad("c", spec, outcomes)
        ] as const
        for (const push of [a, b, c]) engine.submit(push)
        fake.answer(a, 200)
        fake.fail(b, unknown)
        c.onDefect(fake.connection, Cause.die("bug"))
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
        assert.deepStrictEqual(
          logged,
          ["answered", "failed", "died"].map((what) =>
            `ERROR A callback of a delivery has thrown: Error: ${what} [pool=mine]`
          )
        )
        assert.deepStrictEqual(places(), { ...idle, completed: 1, failed: 2 })
        fake.answer(submit("d"), 200)
        assert.strictEqual(places().completed, 2)
      }))
  }
})
