import type * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import type * as ApnsPool from "../ApnsPool.js"
import type { OpenError, ResolvedTenant, Stats } from "../ApnsPoolMap.js"
import { Budget } from "./budget.js"

/** Wraps the opening of a connection. */
export type Around = <A, E>(opening: Effect.Effect<A, E, Scope.Scope>) => Effect.Effect<A, E, Scope.Scope>

/** Builds the pool of a tenant with so many connections. */
export type Open = (
  tenant: ResolvedTenant,
  size: number,
  around: Around
) => Effect.Effect<ApnsPool.ApnsPool, OpenError, Scope.Scope>

export interface Policy {
  /** Connections that a pool gets where the budget allows. */
  readonly size: number
  readonly maxConnections: number
  readonly idleMillis: number
}

class Entry {
  readonly ready: Deferred.Deferred<ApnsPool.ApnsPool, OpenError>
  pool: ApnsPool.ApnsPool | undefined = undefined
  opener: Fiber.RuntimeFiber<void> | undefined = undefined
  /** Those who use the pool, or wait for it. */
  users = 0
  idleSince = 0
  /** Its share of the budget. */
  size = 0
  leaving = false

  constructor(
    readonly key: string,
    readonly tenant: ResolvedTenant,
    readonly scope: Scope.CloseableScope,
    ready: Deferred.Deferred<ApnsPool.ApnsPool, OpenError>
  ) {
    this.ready = ready
  }
}

/** Endpoints are origins, which hold no space; identities never are the same for two teams, keys or certificates. */
const keyOf = ({ credentials, endpoint }: ResolvedTenant): string => `${endpoint.origin} ${credentials.identity}`

type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/**
 * Pools by tenant. The budget is kept twice: `shares` are handed out to pools, which have no more connections than their
 * share; `sockets` counts connections from the first packet to the last, those too that only drain.
 */
export class Tenants {
  private readonly entries = new Map<string, Entry>()
  private readonly shares: Budget
  private readonly sockets: Budget
  /** Shares that pools on their way out will give back. */
  private returning = 0
  private opened = 0
  private closed = 0
  private open = true
  private wakeSweeper: (() => void) | undefined = undefined

  constructor(
    private readonly openPool: Open,
    private readonly policy: Policy,
    private readonly clock: Clock.Clock,
    private readonly runtime: Runtime.Runtime<never>,
    /** What pools live in. */
    private readonly pools: Scope.CloseableScope,
    /** What the fibers that open and close them live in. */
    private readonly workers: Scope.CloseableScope
  ) {
    this.shares = new Budget(policy.maxConnections)
    this.sockets = new Budget(policy.maxConnections)
  }

  get stats(): Stats {
    let idle = 0
    for (const entry of this.entries.values()) if (entry.users === 0) idle++
    return {
      pools: this.entries.size,
      idle,
      waiting: this.shares.waiting,
      connections: this.sockets.taken,
      maxConnections: this.policy.maxConnections,
      poolsOpened: this.opened,
      poolsClosed: this.closed
    }
  }

  // --- use ---

  /** Runs in a region that cannot be interrupted; {@link Tenants.leave} must follow, whatever becomes of the pool. */
  join(tenant: ResolvedTenant): Effect.Effect<Entry> {
    return Effect.suspend(() => {
      if (!this.open) return Effect.interrupt
      const key = keyOf(tenant)
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

  leave(entry: Entry): Effect.Effect<void> {
    return Effect.suspend(() => {
      entry.users--
      if (entry.users > 0 || entry.leaving) return Effect.void
      // a pool that nobody waits for any more need not be opened, and one that others need is not kept for later
      if (entry.pool === undefined || this.shares.waiting > this.returning) return this.retire(entry)
      entry.idleSince = this.clock.unsafeCurrentTimeMillis()
      this.wakeSweeper?.()
      return Effect.void
    })
  }

  pool(entry: Entry, tenant: ResolvedTenant): Effect.Effect<ApnsPool.ApnsPool, OpenError> {
    const { pool } = entry
    return pool !== undefined
      ? Effect.succeed(withTopic(pool, tenant.topic))
      : Effect.map(Deferred.await(entry.ready), (pool) => withTopic(pool, tenant.topic))
  }

  invalidate(tenant: ResolvedTenant): Effect.Effect<void> {
    return Effect.suspend(() => {
      const entry = this.entries.get(keyOf(tenant))
      return entry === undefined ? Effect.void : this.retire(entry)
    })
  }

  /** The fiber belongs to all tenants, and knows nothing of the one that happened to need it first. */
  private fork<A, E>(effect: Effect.Effect<A, E>): Fiber.RuntimeFiber<A, E> {
    return Runtime.runFork(this.runtime)(effect, { scope: this.workers })
  }

  // --- open ---

  private start(entry: Entry): Effect.Effect<void> {
    return Effect.uninterruptibleMask((restore: Restore) =>
      Effect.zipRight(
        this.shares.take(restore, this.makeRoom),
        Effect.suspend(() => {
          entry.size = 1
          while (entry.size < this.policy.size && this.shares.tryTake()) entry.size++
          return restore(Scope.extend(this.openPool(entry.tenant, entry.size, this.around), entry.scope))
        })
      ).pipe(
        Effect.exit,
        Effect.flatMap((exit) => this.started(entry, exit))
      )
    )
  }

  private started(entry: Entry, exit: Exit.Exit<ApnsPool.ApnsPool, OpenError>): Effect.Effect<void> {
    entry.opener = undefined
    if (exit._tag === "Success") {
      entry.pool = exit.value
      this.opened++
    }
    return Effect.zipRight(
      Deferred.done(entry.ready, exit),
      exit._tag === "Failure"
        ? this.retire(entry)
        // its only user may have left at this very moment
        : Effect.suspend(() => entry.users === 0 && !entry.leaving ? this.retire(entry) : Effect.void)
    )
  }

  private readonly around: Around = (opening) =>
    Effect.uninterruptibleMask((restore) =>
      this.sockets.take(restore).pipe(
        Effect.zipRight(Effect.addFinalizer(() => Effect.sync(() => this.sockets.release()))),
        Effect.zipRight(restore(opening))
      )
    )

  // --- close ---

  /** Takes a pool out of use and closes it in good order; its share is free when it is closed. */
  private retire(entry: Entry): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (entry.leaving) return Effect.void
      entry.leaving = true
      if (this.entries.get(entry.key) === entry) this.entries.delete(entry.key)
      this.returning += entry.size
      const { opener } = entry
      const counted = entry.size
      this.fork(Effect.uninterruptible(Effect.zipRight(
        opener === undefined ? Effect.void : Fiber.interrupt(opener),
        Effect.zipRight(
          Scope.close(entry.scope, Exit.void),
          Effect.suspend(() => {
            this.returning -= counted
            if (entry.pool !== undefined) this.closed++
            this.shares.release(entry.size)
            return Effect.zipRight(this.makeRoom, this.grow)
          })
        )
      )))
      return Effect.void
    })
  }

  /** Where tenants wait for a share: closes pools that nobody uses, the longest idle first, then takes from the largest. */
  private readonly makeRoom: Effect.Effect<void> = Effect.suspend(() => {
    if (!this.open || this.shares.waiting <= this.returning) return Effect.void
    let idle: Entry | undefined
    let largest: Entry | undefined
    for (const entry of this.entries.values()) {
      if (entry.pool === undefined) continue
      if (entry.users === 0 && (idle === undefined || entry.idleSince < idle.idleSince)) idle = entry
      if (entry.size > 1 && (largest === undefined || entry.size > largest.size)) largest = entry
    }
    if (idle !== undefined) return Effect.zipRight(this.retire(idle), this.makeRoom)
    if (largest !== undefined) return Effect.zipRight(this.shrink(largest), this.makeRoom)
    return Effect.void
  })

  private shrink(entry: Entry): Effect.Effect<void> {
    entry.size--
    return Effect.zipRight(
      this.resize(entry),
      Effect.sync(() => this.shares.release())
    )
  }

  /** Gives what nobody needs to the smallest pools. */
  private readonly grow: Effect.Effect<void> = Effect.suspend(() => {
    let smallest: Entry | undefined
    for (const entry of this.entries.values()) {
      if (entry.pool === undefined || entry.size >= this.policy.size) continue
      if (smallest === undefined || entry.size < smallest.size) smallest = entry
    }
    if (!this.open || smallest === undefined || !this.shares.tryTake()) return Effect.void
    smallest.size++
    return Effect.zipRight(this.resize(smallest), this.grow)
  })

  private resize(entry: Entry): Effect.Effect<void> {
    return entry.pool === undefined ? Effect.void : Effect.orDie(entry.pool.resize(entry.size))
  }

  /** Closes pools that were idle for long enough; asleep while there are none. */
  readonly sweep: Effect.Effect<never> = Effect.suspend(() => {
    const now = this.clock.unsafeCurrentTimeMillis()
    const expired: Array<Entry> = []
    let next = Infinity
    for (const entry of this.entries.values()) {
      if (entry.users > 0 || entry.pool === undefined) continue
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

  readonly shutdown: Effect.Effect<void> = Effect.suspend(() => {
    this.open = false
    return Effect.zipRight(Scope.close(this.workers, Exit.void), Scope.close(this.pools, Exit.void))
  })
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
