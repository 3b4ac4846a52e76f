import type { Unsafe } from "@effect-apns/pool/unstable/ApnsPool"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, LogLevel, TestContext, type TestServices } from "effect"
import * as fc from "fast-check"
import { Item, Model, reconnectDelay, tick } from "./Model.js"
import type { Peer } from "./Peer.js"
import { Real } from "./Real.js"

type Command = fc.AsyncCommand<Model, Real>

/** A command that does something, then waits until nothing moves, and compares. */
abstract class Step implements Command {
  check(model: Readonly<Model>): boolean {
    return !model.closed
  }
  abstract act(model: Model, real: Real): void | Promise<void>
  async run(model: Model, real: Real): Promise<void> {
    await this.act(model, real)
    await real.compare(model)
  }
  abstract toString(): string
}

class Send extends Step {
  constructor(readonly timeout: number, readonly within: number | undefined, readonly mayRepeat: boolean) {
    super()
  }
  override check(): boolean {
    return true
  }
  act(model: Model, real: Real): void {
    const deadline = this.within === undefined ? Infinity : model.now + this.within
    const index = model.items.length
    const item = new Item(index, this.timeout, deadline, this.mayRepeat)
    model.items.push(item)
    if (model.closed) item.failed("Closed", "no")
    real.submit(index, this.timeout, deadline, this.mayRepeat)
  }
  toString(): string {
    return `send(${this.timeout}, ${this.within}, ${this.mayRepeat ? "always" : "never"})`
  }
}

/** A command about one of the requests that a peer has. */
abstract class OnStream extends Step {
  constructor(readonly which: number) {
    super()
  }
  override check(model: Readonly<Model>): boolean {
    return model.flying.length > 0
  }
  act(model: Model, real: Real): void {
    const { flying } = model
    const item = flying[this.which % flying.length]
    const peer = item?.place === undefined ? undefined : real.peers[item.place.peer]
    if (item?.place === undefined || peer === undefined) throw new Error("check has said that there is one")
    this.treat(model, item, peer, item.place.stream)
  }
  abstract treat(model: Model, item: Item, peer: Peer, stream: number): void
}

const reasons = new Map([
  [400, "BadDeviceToken"],
  [410, "Unregistered"],
  [429, "TooManyRequests"],
  [500, "InternalServerError"],
  [503, "ServiceUnavailable"]
])

class Answer extends OnStream {
  constructor(which: number, readonly status: number, readonly retryAfter: number | undefined) {
    super(which)
  }
  treat(model: Model, item: Item, peer: Peer, stream: number): void {
    if (item.head !== 0) return
    const reason = reasons.get(this.status)
    if (this.status < 429) item.answered(this.status)
    else item.tooBusy(this.status, model.now, this.retryAfter)
    peer.answer(
      stream,
      this.status,
      reason === undefined ? undefined : JSON.stringify({ reason }),
      this.status < 429 ? undefined : this.retryAfter
    )
  }
  toString(): string {
    return `answer(${this.which}, ${this.status}, ${this.retryAfter})`
  }
}

class Head extends OnStream {
  constructor(which: number, readonly status: 200 | 400) {
    super(which)
  }
  treat(_model: Model, item: Item, peer: Peer, stream: number): void {
    if (item.head !== 0) return
    item.head = this.status
    peer.head(stream, this.status)
  }
  toString(): string {
    return `head(${this.which}, ${this.status})`
  }
}

class Refuse extends OnStream {
  treat(model: Model, item: Item, peer: Peer, stream: number): void {
    if (item.head !== 0) item.lost("StreamReset", model.now)
    else item.untouched("StreamReset", model.now)
    peer.reset(stream, 7)
  }
  toString(): string {
    return `refuse(${this.which})`
  }
}

class Reset extends OnStream {
  treat(model: Model, item: Item, peer: Peer, stream: number): void {
    item.lost("StreamReset", model.now)
    peer.reset(stream, 2)
  }
  toString(): string {
    return `reset(${this.which})`
  }
}

class Interrupt extends Step {
  constructor(readonly which: number) {
    super()
  }
  override check(model: Readonly<Model>): boolean {
    return model.open.length > 0
  }
  act(model: Model, real: Real): void {
    const { open } = model
    const item = open[this.which % open.length]
    if (item === undefined) return
    item.interrupt()
    real.interrupt(item.index)
  }
  toString(): string {
    return `interrupt(${this.which})`
  }
}

/** A command about a connection; nothing where there is none. */
abstract class OnConnection extends Step {
  constructor(readonly which: number) {
    super()
  }
  act(model: Model, real: Real): void {
    const { alive } = real
    const peer = alive[this.which % Math.max(1, alive.length)]
    if (peer !== undefined) this.treat(model, peer)
  }
  abstract treat(model: Model, peer: Peer): void
}

const carried = (model: Model, peer: Peer): ReadonlyArray<Item> =>
  model.flying.filter(({ place }) => place?.peer === peer.id)

class Drop extends OnConnection {
  treat(model: Model, peer: Peer): void {
    for (const item of carried(model, peer)) item.lost("Closed", model.now)
    peer.drop()
  }
  toString(): string {
    return `drop(${this.which})`
  }
}

class Goaway extends OnConnection {
  constructor(which: number, readonly keep: number, readonly code: 0 | 2) {
    super(which)
  }
  treat(model: Model, peer: Peer): void {
    const items = carried(model, peer)
    // a server that has begun to answer has processed it
    const heads = items.filter(({ head }) => head !== 0).map(({ place }) => place?.stream ?? 0)
    const streams = [...peer.open.keys()].sort((a, b) => a - b)
    const last = Math.max(this.keep === 0 ? 0 : streams[Math.min(this.keep, streams.length) - 1] ?? 0, ...heads)
    for (const item of items) {
      if ((item.place?.stream ?? 0) > last) item.untouched("Closed", model.now)
      else if (this.code !== 0) item.lost("Closed", model.now)
    }
    peer.goaway(last, this.code)
  }
  toString(): string {
    return `goaway(${this.which}, ${this.keep}, ${this.code})`
  }
}

class Limit extends OnConnection {
  constructor(which: number, readonly limit: number) {
    super(which)
  }
  treat(_model: Model, peer: Peer): void {
    peer.setLimit(this.limit)
  }
  toString(): string {
    return `limit(${this.which}, ${this.limit})`
  }
}

class Resize extends Step {
  constructor(readonly size: number) {
    super()
  }
  async act(model: Model, real: Real): Promise<void> {
    model.size = this.size
    await real.resize(this.size)
  }
  toString(): string {
    return `resize(${this.size})`
  }
}

class Refusing extends Step {
  constructor(readonly on: boolean) {
    super()
  }
  act(_model: Model, real: Real): void {
    real.refusing = this.on
  }
  toString(): string {
    return `refusing(${this.on})`
  }
}

/** The server accepts connections and closes them at once: while that goes on, only the schedule opens others. */
class Closing extends Step {
  constructor(readonly ticks: number) {
    super()
  }
  async act(model: Model, real: Real): Promise<void> {
    real.closing = true
    real.closed = 0
    const before = real.peers.length
    for (const peer of real.alive) {
      for (const item of carried(model, peer)) item.lost("Closed", model.now)
      peer.drop()
    }
    await real.compare(model)
    for (let i = 0; i < this.ticks; i++) {
      model.now += tick
      for (const item of model.items) item.elapsed(model.now)
      await real.adjust(tick)
      await real.compare(model)
    }
    real.closing = false
    // those that were of use are replaced at once; when the replacement is closed, the pool knows
    const most = 2 * model.size + Math.ceil(this.ticks * tick / reconnectDelay) + 1
    const opened = real.peers.length - before
    if (opened > most) throw new Error(`${opened} connections to a server that closes them; ${most} at most`)
  }
  toString(): string {
    return `closing(${this.ticks})`
  }
}

/** Time passes, tick by tick: everything that is due is due at one. */
class Wait extends Step {
  constructor(readonly ticks: number) {
    super()
  }
  async act(model: Model, real: Real): Promise<void> {
    for (let i = 0; i < this.ticks; i++) {
      model.now += tick
      for (const item of model.items) item.elapsed(model.now)
      await real.adjust(tick)
      await real.compare(model)
    }
  }
  toString(): string {
    return `wait(${this.ticks * tick})`
  }
}

class Close extends Step {
  async act(model: Model, real: Real): Promise<void> {
    for (const item of model.open) {
      if (item.head !== 0) item.answered(item.head)
      else item.failed("Closed", item.phase === "flying" ? "unknown" : "no")
    }
    model.closed = true
    await real.close()
  }
  toString(): string {
    return "close"
  }
}

const which = fc.nat(20)
const timeouts = fc.constantFrom(100, 250, 500, 1000, 5000)
const send = fc.tuple(timeouts, fc.option(fc.constantFrom(50, 300, 2000), { nil: undefined, freq: 4 }), fc.boolean())
  .map(([timeout, within, mayRepeat]) => new Send(timeout, within, mayRepeat))
const answer = fc.tuple(
  which,
  fc.constantFrom(200, 200, 200, 400, 410, 429, 500, 500, 503),
  fc.option(fc.constantFrom(1, 2), { nil: undefined })
).map(([which, status, retryAfter]) => new Answer(which, status, retryAfter))

const commands: Array<fc.Arbitrary<Command>> = [
  send,
  send,
  send,
  send,
  answer,
  answer,
  fc.tuple(which, fc.constantFrom<200 | 400>(200, 400)).map(([which, status]) => new Head(which, status)),
  which.map((which) => new Refuse(which)),
  which.map((which) => new Refuse(which)),
  which.map((which) => new Reset(which)),
  which.map((which) => new Interrupt(which)),
  which.map((which) => new Drop(which)),
  fc.tuple(which, fc.nat(3), fc.constantFrom<0 | 2>(0, 0, 2)).map(([which, keep, code]) =>
    new Goaway(which, keep, code)
  ),
  fc.tuple(which, fc.nat(4)).map(([which, limit]) => new Limit(which, limit)),
  fc.integer({ min: 1, max: 3 }).map((size) => new Resize(size)),
  fc.boolean().map((on) => new Refusing(on)),
  fc.integer({ min: 4, max: 20 }).map((ticks) => new Closing(ticks)),
  fc.nat(9).map((n) => n === 0 ? new Close() : new Wait(n)),
  fc.integer({ min: 1, max: 8 }).map((ticks) => new Wait(ticks)),
  fc.integer({ min: 1, max: 8 }).map((ticks) => new Wait(ticks))
]

/** Silence: a connection that cannot be opened is worth a warning, and here that is most of them. */
const runModel = (
  size: number,
  sequence: Iterable<Command>,
  meddle: (pool: Unsafe) => Unsafe = (pool) => pool
): Promise<void> =>
  Effect.flatMap(Effect.runtime<TestServices.TestServices>(), (runtime) =>
    Effect.promise(async () => {
      const real = await Real.make(runtime, size, meddle)
      try {
        await fc.asyncModelRun(() => ({ model: new Model(size), real }), sequence)
      } finally {
        await real.close()
      }
    })).pipe(
      Effect.provide(TestContext.TestContext),
      Effect.provide(Logger.minimumLogLevel(LogLevel.None)),
      Effect.runPromise
    )

const sizes = fc.integer({ min: 1, max: 3 })
const sequences = fc.commands(commands, { maxCommands: 60, size: "max" })
const seed = 20_260_101

describe("the pool compared with a model of it", () => {
  it("random commands -> the pool and the model agree on every outcome and counter", async () => {
    await fc.assert(
      fc.asyncProperty(sizes, sequences, (size, sequence) => runModel(size, sequence)),
      { numRuns: 80, seed }
    )
  }, 120_000)

  const broken: ReadonlyArray<readonly [what: string, meddle: (pool: Unsafe) => Unsafe]> = [
    ["forgets a request", (pool) => {
      let count = 0
      return { ...ways(pool), submit: (delivery) => ++count === 3 ? undefined : pool.submit(delivery) }
    }],
    ["reports an outcome twice", (pool) => ({
      ...ways(pool),
      submit: (delivery) => {
        const onAnswered = delivery.onAnswered.bind(delivery)
        Object.assign(delivery, {
          onAnswered: (now: number) => {
            onAnswered(now)
            onAnswered(now)
          }
        })
        pool.submit(delivery)
      }
    })],
    ["continues an interrupted request", (pool) => ({ ...ways(pool), cancel: () => {} })]
  ]
  for (const [what, meddle] of broken) {
    it(`a broken pool that ${what} -> the model finds it`, async () => {
      const { failed } = await fc.check(
        fc.asyncProperty(sizes, sequences, (size, sequence) => runModel(size, sequence, meddle)),
        { numRuns: 20, seed, endOnFailure: true }
      )
      assert.isTrue(failed)
    }, 120_000)
  }
})

const ways = (pool: Unsafe): Unsafe => ({
  submit: (delivery) => pool.submit(delivery),
  cancel: (delivery) => pool.cancel(delivery)
})
