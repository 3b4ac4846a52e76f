/**
 * A pool over peers in memory, and the comparison of both with the model.
 */
import { ConnectError, Connection, Endpoint, type Failure, Request } from "@effect-apns/core"
import type { Parts } from "@effect-apns/core/unstable/Connection"
import type { ApnsPool } from "@effect-apns/pool"
import type { Unsafe } from "@effect-apns/pool/unstable/ApnsPool"
import * as UnstableApnsPool from "@effect-apns/pool/unstable/ApnsPool"
import * as Delivery from "@effect-apns/pool/unstable/Delivery"
import { assert } from "@effect/vitest"
import { Deferred, Effect, Fiber, FiberId, Runtime, Schedule, TestClock, type TestServices } from "effect"
import { backoffDelay, backoffs, type Expected, type Model, reconnectDelay, retries, retryDelay } from "./Model.js"
import { Peer } from "./Peer.js"

const body = new TextEncoder().encode("{\"aps\":{\"alert\":\"x\"}}")
const head = Request.make({ path: "/3/device/00", headers: { "apns-topic": "com.example.app" } }).spec.head

/** Writes down every outcome that it hears. */
class Recorded extends Delivery.Delivery {
  readonly outcomes: Array<Expected> = []

  onAnswered(): void {
    this.outcomes.push({ _tag: "Answered", status: this.status, attempts: this.attempts })
  }

  onFailed(failure: Failure.PoolFailure): void {
    if (
      failure._tag === "MalformedResponse" || failure._tag === "ResponseTooLarge" || failure._tag === "QueueFull"
    ) {
      throw new Error(`a failure that no peer here can cause: ${failure._tag}`)
    }
    const { _tag, processed } = failure
    this.outcomes.push({ _tag, processed, attempts: this.attempts })
  }
}

/** Everything that is due in this instant has happened. */
const quiet = async (): Promise<void> => {
  for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve))
}

export class Real {
  readonly peers: Array<Peer> = []
  readonly deliveries: Array<Recorded> = []
  refusing = false
  /** The server closes each connection as soon as it is open. */
  closing = false
  /** Connections that it has closed so. */
  closed = 0
  private owner: Fiber.RuntimeFiber<never> | undefined = undefined
  private pool: ApnsPool.ApnsPool | undefined = undefined
  limit = 2
  private queued: ReadonlyArray<number> = []

  private constructor(
    private readonly runtime: Runtime.Runtime<TestServices.TestServices>
  ) {}

  static async make(
    runtime: Runtime.Runtime<TestServices.TestServices>,
    size: number,
    meddle: (pool: Unsafe) => Unsafe
  ): Promise<Real> {
    const real = new Real(runtime)
    const connect = (parts: Parts) =>
      Effect.suspend(() => {
        if (real.refusing) {
          return Effect.fail(
            new ConnectError.ConnectError({
              reason: "Refused",
              phase: "tcp",
              endpoint: Endpoint.production,
              message: "refused"
            })
          )
        }
        // a storm need not last for ever to be seen
        if (real.closing && ++real.closed > 100) return Effect.never
        const peer = new Peer(real.peers.length, real.limit)
        real.peers.push(peer)
        return Effect.tap(
          Connection.fromTransport(
            peer.test.transport,
            { ping: { interval: "1 day" }, drainTimeout: "0 seconds" },
            parts
          ),
          (connection) =>
            Effect.sync(() => {
              peer.connection = connection
              if (real.closing) peer.drop()
            })
        )
      })
    // the pool's owner is a fiber, and ends as programs do that get a signal
    const opened = Deferred.unsafeMake<ApnsPool.ApnsPool>(FiberId.none)
    real.owner = Runtime.runFork(runtime)(
      UnstableApnsPool.makeWith(connect, {
        size,
        drainTimeout: "0 seconds",
        retrySchedule: Schedule.intersect(Schedule.spaced(retryDelay), Schedule.recurs(retries)),
        backoffSchedule: Schedule.intersect(Schedule.spaced(backoffDelay), Schedule.recurs(backoffs)),
        reconnectSchedule: Schedule.spaced(reconnectDelay)
      }).pipe(
        Effect.orDie,
        Effect.tap((pool) => Deferred.succeed(opened, pool)),
        Effect.zipRight(Effect.never),
        Effect.scoped
      )
    )
    const pool = await Effect.runPromise(Deferred.await(opened))
    real.pool = { ...pool, unsafe: meddle(pool.unsafe) }
    await quiet()
    return real
  }

  private get built(): ApnsPool.ApnsPool {
    if (this.pool === undefined) throw new Error("there is no pool yet")
    return this.pool
  }

  submit(index: number, timeout: number, deadline: number, mayRepeat: boolean): void {
    const delivery = new Recorded(`/3/device/${index.toString(16).padStart(4, "0")}`, {
      head,
      extra: undefined,
      body,
      timeoutMillis: timeout,
      deadlineMillis: deadline,
      expirationMillis: Infinity,
      collapsible: false,
      retransmit: mayRepeat ? "always" : "never"
    })
    this.deliveries.push(delivery)
    this.built.unsafe.submit(delivery)
  }

  interrupt(index: number): void {
    const delivery = this.deliveries[index]
    if (delivery !== undefined) this.built.unsafe.cancel(delivery)
  }

  resize(size: number): Promise<void> {
    return Runtime.runPromise(this.runtime)(Effect.orDie(this.built.resize(size)))
  }

  adjust(millis: number): Promise<void> {
    return Runtime.runPromise(this.runtime)(TestClock.adjust(millis))
  }

  async close(): Promise<void> {
    if (this.owner !== undefined) await Effect.runPromise(Fiber.interrupt(this.owner))
  }

  /** Peers that can still hear the pool. */
  get alive(): ReadonlyArray<Peer> {
    return this.peers.filter((peer) => peer.connection !== undefined && !peer.gone)
  }

  private get active(): ReadonlyArray<Peer> {
    return this.peers.filter((peer) => peer.active)
  }

  /** Takes into the model where the pool has put things, and compares all that both know. */
  async compare(model: Model): Promise<void> {
    await quiet()
    const down = !this.active.some(({ connection }) => connection !== undefined && connection.unsafe.limit > 0)

    // the peers' side: nothing is on two streams, and nothing is sent again that should not be
    const flying = new Set<number>()
    for (const peer of this.alive) {
      for (const [stream, index] of peer.open) {
        assert.isFalse(flying.has(index), `delivery ${index} is on two streams`)
        flying.add(index)
        const item = model.items[index]
        if (item?.phase === "waiting") item.sent({ peer: peer.id, stream }, model.now)
        assert.deepStrictEqual(item?.place, { peer: peer.id, stream }, `delivery ${index} is on a stream`)
      }
    }
    for (const item of model.flying) assert.isTrue(flying.has(item.index), `delivery ${item.index} left its stream`)
    const waiting = model.items.filter((item) => item.phase === "waiting")
    for (const item of waiting) item.waits(down, model.now)

    // outcomes: one for each that has to have one, none for the others
    for (const { expected, index } of model.items) {
      assert.deepStrictEqual(
        this.deliveries[index]?.outcomes,
        expected === undefined ? [] : [expected],
        `delivery ${index}`
      )
    }

    const stats = await Effect.runPromise(this.built.stats)
    const attempts = model.items.reduce((sum, item) => sum + item.attempts, 0)
    assert.deepInclude(stats, {
      queued: waiting.length,
      inFlight: model.count("flying"),
      retrying: model.count("retrying"),
      interrupted: model.count("interrupted"),
      completed: model.items.filter(({ expected }) => expected?._tag === "Answered").length,
      failed: model.items.filter(({ expected }) => expected !== undefined && expected._tag !== "Answered").length,
      attempts,
      state: model.closed ? "closed" : "open"
    })
    assert.strictEqual(
      this.peers.reduce((sum, peer) => sum + peer.received.length, 0),
      attempts,
      "requests on the wire"
    )

    // nobody waits beside a free stream, and whoever waits longest goes first
    const free = this.active.reduce((sum, { connection }) => sum + Math.max(0, connection?.unsafe.available ?? 0), 0)
    if (waiting.length > 0) assert.strictEqual(free, 0, "a free stream beside a queue")
    const left = this.queued.filter((index) => model.items[index]?.phase === "waiting")
    for (const index of this.queued) {
      if (model.items[index]?.phase !== "flying") continue
      assert.isTrue(left.every((other) => other > index), `delivery ${index} overtook ${left.join()}`)
    }
    this.queued = waiting.map(({ index }) => index)

    // connections
    for (const peer of this.active) {
      const inFlight = peer.connection?.unsafe.inFlight ?? 0
      assert.strictEqual(inFlight, peer.open.size, `requests on peer ${peer.id}`)
    }
    assert.strictEqual(stats.active, this.active.length)
    if (model.closed) assert.deepInclude(stats, { active: 0, connecting: 0, draining: 0 })
    else {
      assert.strictEqual(stats.size, model.size)
      assert.strictEqual(stats.active + stats.connecting, model.size)
    }
  }
}
