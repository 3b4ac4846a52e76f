import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import { NodeInspectSymbol } from "effect/Inspectable"
import type * as Connection from "../Connection.js"
import type * as Failure from "../Failure.js"
import type { Listener, Unsafe } from "../unstable/Connection.js"
import type * as Deadlines from "../unstable/Deadlines.js"
import type * as Exchange from "../unstable/Exchange.js"
import { catchRejection } from "./callbacks.js"
import { makePost } from "./post.js"

const TypeId: Connection.TypeId = "~@effect-apns/core/Connection"

export const noListener: Listener = { onCapacity() {}, onRetired() {} }

/** What printing a connection shows: neither its provider token nor its requests. */
const describe = (connection: Unsafe): object => ({
  _id: "@effect-apns/core/Connection",
  state: connection.state,
  inFlight: connection.inFlight,
  limit: connection.limit
})

/**
 * The states of a connection with or without a socket: active, then draining, then closed. The listener is called once
 * for each, in that order.
 */
export abstract class Lifecycle implements Unsafe {
  readonly connection: Connection.Connection
  state: Connection.State = "active"
  proven = false
  cause: Failure.CloseCause | undefined = undefined

  private readonly retired = Deferred.unsafeMake<Failure.CloseCause>(FiberId.none)
  private readonly closed = Deferred.unsafeMake<Failure.CloseCause>(FiberId.none)
  private onClosed: (() => void) | undefined = undefined

  constructor(
    protected readonly listener: Listener,
    protected readonly deadlines: Deadlines.Deadlines
  ) {
    this.connection = {
      [TypeId]: TypeId,
      post: makePost(this, deadlines),
      retired: Deferred.await(this.retired),
      closed: Deferred.await(this.closed),
      retire: Effect.sync(() => this.retire()),
      unsafe: this,
      ...printable(this)
    }
  }

  abstract readonly available: number
  abstract readonly inFlight: number
  abstract readonly limit: number
  abstract readonly trusted: boolean
  abstract exchange(exchange: Exchange.Exchange, nowMillis?: number, hold?: boolean): boolean
  abstract hasten(): void
  abstract holds(exchange: Exchange.Exchange): boolean
  abstract cancel(exchange: Exchange.Exchange): void
  abstract suspect(): void
  abstract close(cause: Failure.CloseCause, withinMillis?: number): void

  /** Closes a connection that is draining and has nothing left to do. */
  protected abstract settle(): void

  retire(cause: Failure.CloseCause = { _tag: "Retired" }): void {
    if (this.state !== "active") return
    this.state = "draining"
    this.tellRetired(cause)
    this.settle()
  }

  /** Enters the last state; `cause` is used if there was none yet. */
  protected end(cause: Failure.CloseCause): void {
    const was = this.state
    this.state = "closed"
    if (was === "active") this.tellRetired(cause)
    else if (this.cause?._tag === "Retired") this.cause = cause
  }

  /** Completes `done`, since the last request has its outcome. */
  protected tellClosed(cause: Failure.CloseCause): void {
    this.onClosed?.()
    Deferred.unsafeDone(this.closed, Exit.succeed(cause))
  }

  private tellRetired(cause: Failure.CloseCause): void {
    this.cause = cause
    Deferred.unsafeDone(this.retired, Exit.succeed(cause))
    this.guarded(() => this.listener.onRetired(this.connection, cause))
  }

  /** Runs a callback of a caller: what it throws, or rejects with if it is async, is logged, and does not affect others. */
  protected guarded(callback: () => unknown): void {
    try {
      catchRejection(callback(), this.deadlines.report)
    } catch (defect) {
      this.deadlines.report(defect)
    }
  }

  protected tellCapacity(): void {
    if (this.state === "active") this.guarded(this.capacity)
  }

  private readonly capacity = (): void => this.listener.onCapacity(this.connection)

  protected fail(exchange: Exchange.Exchange, failure: Failure.Failure): void {
    this.guarded(() => exchange.onFailure(this.connection, failure))
  }

  protected prove(): void {
    if (this.proven) return
    this.proven = true
    this.guarded(() => this.listener.onProven?.(this.connection))
  }

  /** Every request has its outcome, and the connection is closed. */
  protected readonly drained: Effect.Effect<void> = Effect.async((resume) => {
    if (this.state === "closed") return resume(Effect.void)
    this.onClosed = () => resume(Effect.void)
  })

  toJSON(): object {
    return describe(this)
  }

  [NodeInspectSymbol](): object {
    return describe(this)
  }
}

const printable = (connection: Unsafe) => ({
  toJSON: () => describe(connection),
  [NodeInspectSymbol]: () => describe(connection)
})
