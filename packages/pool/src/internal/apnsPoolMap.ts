import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import type * as ApnsPool from "../ApnsPool.js"
import type { OpenError, ResolvedTenant, Stats } from "../ApnsPoolMap.js"
import { Budget } from "./budget.js"

/** Wraps the opening of a connection. */
export type Around = <A, E>(opening: Effect.Effect<A, E, Scope.Scope>) => Effect.Effect<A, E, Scope.Scope>

/** A pool with as many connections as its tenant's share of the budget: none at first. */
export interface Shared {
  readonly pool: ApnsPool.ApnsPool
  /** Opens or closes connections until there are this many. */
  readonly resize: (size: number, drainWithin: Duration.Duration) => Effect.Effect<void>
  /** It has closed by itself: APNs refuses its credentials, or its reconnect schedule is done. */
  readonly isClosed: () => boolean
}

/** Builds the pool of a tenant, without a connection. */
export type Open = (tenant: ResolvedTenant, around: Around) => Effect.Effect<Shared, OpenError, Scope.Scope>

export interface Policy {
  /** Connections that a pool gets if the budget allows it. */
  readonly size: number
  readonly maxConnections: number
  readonly idleMillis: number
}

/** If others wait, a tenant keeps its last connection at least this long after it was opened. */
const turnMillis = 1_000

/**
 * If very many wait, turns are shorter, so that all of them together take no more than half of the default timeout of a request.
 * But a turn must be long enough for a connection to be of use.
 */
const roundMillis = 5_000
const shortestTurnMillis = 250

/**
 * If others wait, a tenant keeps its share this long while it has not opened a connection yet: the connection that it replaces
 * may take {@link handOver} to close.
 */
const openingMillis = 2_000

/**
 * How long a connection that another tenant is to get may wait for answers. What has no answer by then fails with `Closed`, or
 * is sent again where that is allowed: the others must not wait for a tenant whose requests hang.
 */
const handOver = Duration.seconds(1)

class Entry {
  shared: Shared | undefined = undefined
  opener: Fiber.RuntimeFiber<void> | undefined = undefined
  /** How many callers use the pool, or wait for it. */
  users = 0
  idleSince = 0
  /** Its share of the budget. */
  size = 0
  /** Since when it has a share. */
  heldSince = 0
  /** When it opened the first connection with it, or an earlier time. */
  openedAt = -Infinity
  leaving = false

  constructor(
    readonly key: string,
    readonly tenant: ResolvedTenant,
    readonly scope: Scope.CloseableScope,
    readonly ready: Deferred.Deferred<ApnsPool.ApnsPool, OpenError>
  ) {}
}

/** Unique, since endpoints are origins and contain no space, and each team, key or certificate has its own identity. */
const keyOf = ({ credentials, endpoint }: ResolvedTenant): string => `${endpoint.origin} ${credentials.identity}`

type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/**
 * Pools by tenant. A pool is created when it is first asked for, and gets connections when the budget has some: until
 * then requests wait in the pool, as for any connection, and their timeouts and deadlines count.
 *
 * The budget is counted twice: pools get shares, and open no more connections than their share; `sockets` counts the
 * connections that exist, including those that are being opened or are draining.
 */
export class Tenants {
  private readonly entries = new Map<string, Entry>()
  private readonly sockets: Budget
  /** Shares that no pool has. */
  private free: number
  /** Pools that have no share and need one, the longest waiting first. */
  private readonly waiting = new Set<Entry>()
  private turnEnds = Infinity
  private opened = 0
  private closed = 0
  private open = true
  private wakeSweeper: (() => void) | undefined = undefined

  constructor(
    private readonly openPool: Open,
    private readonly policy: Policy,
    private readonly clock: Clock.Clock,
    private readonly runtime: Runtime.Runtime<never>,
    /** The scope of the pools. */
    private readonly pools: Scope.CloseableScope,
    /** The scope of the fibers that open and close pools. */
    private readonly workers: Scope.CloseableScope
  ) {
    this.free = policy.maxConnections
    this.sockets = new Budget(policy.maxConnections)
  }

  get stats(): Stats {
    let idle = 0
    for (const entry of this.entries.values()) if (entry.users === 0) idle++
    return {
      pools: this.entries.size,
      idle,
      waiting: this.waiting.size,
      connections: this.sockets.taken,
      maxConnections: this.policy.maxConnections,
      poolsOpened: this.opened,
      poolsClosed: this.closed
    }
  }

  // --- use ---

  /** Runs in an uninterruptible region; {@link release} must follow in every case. */
  acquire(tenant: ResolvedTenant): Effect.Effect<Entry> {
    return Effect.suspend(() => {
      const key = keyOf(tenant)
      if (!this.open) {
        return Effect.map(this.closedPool(tenant), (exit) => {
          const entry = new Entry(key, tenant, this.pools, Deferred.unsafeMake(FiberId.none))
          entry.leaving = true
          Deferred.unsafeDone(entry.ready, exit)
          return entry
        })
      }
      const known = this.entries.get(key)
      if (known !== undefined) {
        known.users++
        return Effect.succeed(known)
      }
      return Effect.flatMap(
        Scope.fork(this.pools, ExecutionStrategy.sequential),
        (scope) =>
          Effect.flatMap(Deferred.make<ApnsPool.ApnsPool, OpenError>(), (ready) => {
            const entry = new Entry(key, tenant, scope, ready)
            entry.users = 1
            this.entries.set(key, entry)
            entry.opener = this.fork(this.start(entry))
            return Effect.succeed(entry)
          })
      )
    })
  }

  release(entry: Entry): Effect.Effect<void> {
    return Effect.suspend(() => {
      entry.users--
      if (entry.users > 0 || entry.leaving) return Effect.void
      // a pool without connections, or whose connections others need, is not kept for later
      if (entry.size === 0 || this.waiting.size > 0) return this.retire(entry)
      entry.idleSince = this.now
      this.wakeSweeper?.()
      return Effect.void
    })
  }

  pool(entry: Entry, tenant: ResolvedTenant): Effect.Effect<ApnsPool.ApnsPool, OpenError> {
    const { shared } = entry
    return shared !== undefined
      ? Effect.succeed(withTopic(shared.pool, tenant.topic))
      : Effect.map(Deferred.await(entry.ready), (pool) => withTopic(pool, tenant.topic))
  }

  invalidate(tenant: ResolvedTenant): Effect.Effect<void> {
    return Effect.suspend(() => {
      const entry = this.entries.get(keyOf(tenant))
      // a pool without connections need not be replaced: its requests simply continue to wait
      return entry === undefined || (entry.size === 0 && entry.shared?.isClosed() !== true)
        ? Effect.void
        : this.retire(entry)
    })
  }

  private get now(): number {
    return this.clock.unsafeCurrentTimeMillis()
  }

  /** The fiber works for all tenants, so it must not inherit the context of the one that needed it first. */
  private fork<A, E>(effect: Effect.Effect<A, E>): Fiber.RuntimeFiber<A, E> {
    return Runtime.runFork(this.runtime)(effect, { scope: this.workers })
  }

  /** For those who come too late: a pool that was closed before it had a connection, so that they get the error that says so. */
  private closedPool(tenant: ResolvedTenant): Effect.Effect<Exit.Exit<ApnsPool.ApnsPool, OpenError>> {
    return Effect.exit(Effect.scoped(Effect.map(this.openPool(tenant, (opening) => opening), ({ pool }) => pool)))
  }

  // --- open ---

  private start(entry: Entry): Effect.Effect<void> {
    return Effect.uninterruptibleMask((restore: Restore) =>
      Effect.flatMap(
        Effect.exit(restore(Scope.extend(this.openPool(entry.tenant, this.around(entry)), entry.scope))),
        (exit) => this.started(entry, exit)
      )
    )
  }

  private started(entry: Entry, exit: Exit.Exit<Shared, OpenError>): Effect.Effect<void> {
    return Effect.suspend(() => {
      entry.opener = undefined
      if (Exit.isFailure(exit)) {
        const ended = !this.open && Cause.isInterrupted(exit.cause)
        return Effect.zipRight(
          ended
            ? Effect.flatMap(this.closedPool(entry.tenant), (closed) => Deferred.done(entry.ready, closed))
            : Deferred.failCause(entry.ready, exit.cause),
          this.retire(entry)
        )
      }
      entry.shared = exit.value
      this.opened++
      if (!entry.leaving) this.waiting.add(entry)
      return Effect.zipRight(this.settle, Deferred.succeed(entry.ready, exit.value.pool)).pipe(
        // its only user may have left just now
        Effect.zipRight(Effect.suspend(() => entry.users === 0 && !entry.leaving ? this.retire(entry) : Effect.void))
      )
    })
  }

  private readonly around = (entry: Entry): Around => (opening) =>
    Effect.uninterruptibleMask((restore) =>
      this.sockets.take(restore).pipe(
        Effect.zipRight(Effect.addFinalizer(() => Effect.sync(() => this.sockets.release()))),
        Effect.zipRight(restore(opening)),
        Effect.tap(() => Effect.sync(() => this.onOpened(entry)))
      )
    )

  private onOpened(entry: Entry): void {
    if (entry.openedAt >= entry.heldSince) return
    entry.openedAt = this.now
    // its turn has begun, and may be over earlier than was known
    if (this.waiting.size > 0 && this.open) this.waitForTurn()
  }

  // --- who gets which share ---

  /** Gives free shares to the pools that wait, and takes more for them from the others. */
  private readonly settle: Effect.Effect<void> = Effect.suspend(() => {
    const changed = new Set<Entry>()
    const closing: Array<Effect.Effect<void>> = []
    while (this.open) {
      const [next] = this.waiting
      if (next === undefined) {
        const poor = this.free > 0 ? this.poorest() : undefined
        if (poor === undefined) break
        this.give(poor, changed)
      } else if (this.free > 0) {
        this.waiting.delete(next)
        next.heldSince = this.now
        this.give(next, changed)
      } else {
        const idle = this.longestIdle()
        if (idle !== undefined) {
          changed.delete(idle)
          closing.push(this.close(idle))
          continue
        }
        const rich = this.richest() ?? this.longestHeld()
        if (rich === undefined) {
          this.waitForTurn()
          break
        }
        rich.size--
        this.free++
        changed.add(rich)
        // it is in use: it waits for another share
        if (rich.size === 0 && rich.shared?.isClosed() !== true) this.waiting.add(rich)
      }
    }
    const resizing = [...changed].map(({ shared, size }) => shared?.resize(size, handOver) ?? Effect.void)
    return Effect.all([...closing, ...resizing], { discard: true })
  })

  private give(entry: Entry, changed: Set<Entry>): void {
    entry.size++
    this.free--
    changed.add(entry)
  }

  /** The smallest pool that may get more. */
  private poorest(): Entry | undefined {
    let smallest: Entry | undefined
    for (const entry of this.entries.values()) {
      if (entry.size === 0 || entry.size >= this.policy.size || entry.shared?.isClosed() === true) continue
      if (smallest === undefined || entry.size < smallest.size) smallest = entry
    }
    return smallest
  }

  /** The pool that has been idle for the longest time. */
  private longestIdle(): Entry | undefined {
    let idle: Entry | undefined
    for (const entry of this.entries.values()) {
      if (entry.users > 0 || entry.size === 0) continue
      if (idle === undefined || entry.idleSince < idle.idleSince) idle = entry
    }
    return idle
  }

  /** A pool that has closed by itself, otherwise the one with the most connections, if it has more than one. */
  private richest(): Entry | undefined {
    let largest: Entry | undefined
    for (const entry of this.entries.values()) {
      if (entry.size === 0) continue
      if (entry.shared?.isClosed() === true) return entry
      if (entry.size > 1 && (largest === undefined || entry.size > largest.size)) largest = entry
    }
    return largest
  }

  /** When the tenant has had its only connection for long enough. */
  private turnEnd(entry: Entry): number {
    if (entry.openedAt < entry.heldSince) return entry.heldSince + openingMillis
    const { maxConnections } = this.policy
    const turn = roundMillis * maxConnections / (maxConnections + this.waiting.size)
    return entry.openedAt + Math.min(turnMillis, Math.max(shortestTurnMillis, turn))
  }

  /** The tenant with a share whose turn ends first. */
  private firstToEnd(): Entry | undefined {
    let first: Entry | undefined
    for (const entry of this.entries.values()) {
      if (entry.size === 0) continue
      if (first === undefined || this.turnEnd(entry) < this.turnEnd(first)) first = entry
    }
    return first
  }

  /** The one that has had its only connection for the longest time, when its turn is over. */
  private longestHeld(): Entry | undefined {
    const first = this.firstToEnd()
    return first !== undefined && this.turnEnd(first) <= this.now ? first : undefined
  }

  /** Runs again when the next turn is over. */
  private waitForTurn(): void {
    const first = this.firstToEnd()
    if (first === undefined) return
    const ends = this.turnEnd(first)
    if (ends >= this.turnEnds) return
    this.turnEnds = ends
    this.fork(Effect.zipRight(
      Effect.interruptible(Effect.sleep(Math.max(1, Math.ceil(ends - this.now)))),
      Effect.uninterruptible(Effect.suspend(() => {
        if (this.turnEnds === ends) this.turnEnds = Infinity
        return this.settle
      }))
    ))
  }

  // --- close ---

  /** Removes a pool and lets it drain; its share is free at once, its sockets when they are closed. */
  private retire(entry: Entry): Effect.Effect<void> {
    return Effect.suspend(() => entry.leaving ? Effect.void : Effect.zipRight(this.close(entry), this.settle))
  }

  private close(entry: Entry): Effect.Effect<void> {
    if (entry.leaving) return Effect.void
    entry.leaving = true
    if (this.entries.get(entry.key) === entry) this.entries.delete(entry.key)
    this.waiting.delete(entry)
    this.free += entry.size
    entry.size = 0
    const { opener } = entry
    return Effect.sync(() => {
      this.fork(Effect.uninterruptible(Effect.zipRight(
        opener === undefined ? Effect.void : Fiber.interrupt(opener),
        Effect.zipRight(
          Scope.close(entry.scope, Exit.void),
          Effect.sync(() => {
            if (entry.shared !== undefined) this.closed++
          })
        )
      )))
    })
  }

  /** Closes pools that were idle for long enough; sleeps while there are none. */
  readonly sweep: Effect.Effect<never> = Effect.suspend(() => {
    const now = this.now
    const expired: Array<Entry> = []
    let next = Infinity
    for (const entry of this.entries.values()) {
      if (entry.users > 0 || entry.shared === undefined) continue
      const at = entry.idleSince + this.policy.idleMillis
      if (at <= now) expired.push(entry)
      else if (at < next) next = at
    }
    const wait = next === Infinity
      ? Effect.async<void>((resume) => {
        this.wakeSweeper = () => {
          this.wakeSweeper = undefined
          resume(Effect.void)
        }
      })
      : Effect.sleep(next - now)
    return Effect.zipRight(Effect.forEach(expired, (entry) => this.retire(entry), { discard: true }), wait)
  }).pipe(Effect.forever)

  /** Closes all pools in parallel, even if its own owner is interrupted. */
  readonly shutdown: Effect.Effect<void> = Effect.suspend(() => {
    this.open = false
    return Effect.zipRight(Scope.close(this.workers, Exit.void), Scope.close(this.pools, Exit.void))
  }).pipe(Effect.uninterruptible)
}

/** Pools by tenant, which live as long as the scope. */
export const make = (openPool: Open, policy: Policy): Effect.Effect<Tenants, never, Scope.Scope> =>
  Effect.gen(function*() {
    const workers = yield* Scope.make(ExecutionStrategy.parallel)
    const tenants = new Tenants(
      openPool,
      policy,
      yield* Effect.clock,
      yield* Effect.runtime(),
      yield* Scope.make(ExecutionStrategy.parallel),
      workers
    )
    yield* Effect.addFinalizer(() => tenants.shutdown)
    if (policy.idleMillis !== Infinity) yield* Effect.forkIn(Effect.interruptible(tenants.sweep), workers)
    return tenants
  })

const withTopic = (pool: ApnsPool.ApnsPool, topic: string | undefined): ApnsPool.ApnsPool =>
  topic === undefined || topic === pool.topic ? pool : { ...pool, topic }
