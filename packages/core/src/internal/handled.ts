import * as Printable from "@effect-apns/models/Printable"
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import * as Failure from "../Failure.js"
import * as Request from "../Request.js"
import type * as Response from "../Response.js"
import type { Listener } from "../unstable/Connection.js"
import type * as Deadlines from "../unstable/Deadlines.js"
import type * as Exchange from "../unstable/Exchange.js"
import { effectOf } from "./callbacks.js"
import { Lifecycle } from "./lifecycle.js"
import { waitAtMost } from "./timing.js"

/** What a handler written without types answers may be anything: it throws unless it is a response. */
const checked = ({ apnsId, body, headers, status }: Response.Response) => {
  const isResponse = Number.isInteger(status) && status >= 100 && status <= 999 &&
    (apnsId === undefined || typeof apnsId === "string") &&
    (body === undefined || ArrayBuffer.isView(body)) &&
    Array.isArray(headers) && Array.from(headers).every((text) => typeof text === "string")
  if (!isResponse) throw new TypeError("What the handler has answered is no Response: make it with Response.make")
  return { apnsId, body, headers: [...headers], status }
}

/** The fields of a failure, whatever class it is of: there may be two copies of this library in a program. */
const Fields: Schema.Schema<Failure.Failure> = Schema.suspend(() => {
  const processed = Schema.Literal("no", "unknown")
  const closeCause = Schema.typeSchema(Failure.CloseCause)
  const answered = {
    processed: Schema.Literal("unknown", "yes"),
    status: Schema.Int,
    description: Schema.String
  }
  return Schema.Union(
    Schema.Struct({ _tag: Schema.Literal("Blocked"), processed: Schema.Literal("no") }),
    Schema.Struct({ _tag: Schema.Literal("Closed"), processed, closeCause }),
    Schema.Struct({
      _tag: Schema.Literal("Timeout"),
      processed,
      limit: Schema.Literal("timeout", "deadline", "expiration"),
      closeCause: Schema.UndefinedOr(closeCause)
    }),
    Schema.Struct({ _tag: Schema.Literal("StreamReset"), processed, code: Schema.Number }),
    Schema.Struct({ _tag: Schema.Literal("MalformedResponse"), ...answered }),
    Schema.Struct({ _tag: Schema.Literal("ResponseTooLarge"), ...answered })
  )
})

/** What a handler written without types fails with may be anything: the failure as plain data, if it is one. */
const failureOf = (failed: unknown): Option.Option<Failure.Failure> => {
  try {
    return Schema.decodeUnknownOption(Fields)(failed)
  } catch {
    // a Proxy, or a getter that throws
    return Option.none()
  }
}

const noRequestError = (failed: unknown): TypeError =>
  new TypeError(
    "What the handler has failed with is no RequestError: give an error of the module Failure with all its fields, such as " +
      `new Failure.StreamReset({ processed: "unknown", attempts: 1, code: 2 }). It was: ${Printable.thrown(failed)}`
  )

/** A connection without a socket: a handler answers each request in a fiber. */
export class Handled extends Lifecycle {
  /** There is no server that could be gone. */
  override proven = true
  readonly trusted = true

  private readonly fibers = new Map<Exchange.Exchange, Fiber.RuntimeFiber<unknown, Failure.RequestError>>()

  constructor(
    private readonly handler: (request: Request.Request) => Effect.Effect<Response.Response, Failure.RequestError>,
    readonly limit: number,
    private readonly runtime: Runtime.Runtime<never>,
    listener: Listener,
    deadlines: Deadlines.Deadlines
  ) {
    super(listener, deadlines)
  }

  get available(): number {
    return this.state === "active" ? this.limit - this.fibers.size : 0
  }

  get inFlight(): number {
    return this.fibers.size
  }

  exchange(exchange: Exchange.Exchange): boolean {
    if (this.available <= 0) return false
    const request = Request.fromExchange(exchange)
    // a result that is not a response is a defect of the handler, like an exception; so is a failure that is no RequestError
    const answer = Effect.map(Effect.suspend(() => effectOf(this.handler(request), "The handler")), checked)
    const fiber = Runtime.runFork(this.runtime)(answer, { immediate: false })
    exchange.connection = this.connection
    this.fibers.set(exchange, fiber)
    fiber.addObserver((exit) => {
      if (this.fibers.get(exchange) !== fiber) return
      this.fibers.delete(exchange)
      if (Exit.isSuccess(exit)) {
        const { apnsId, body, headers, status } = exit.value
        exchange.status = status
        exchange.apnsId = apnsId
        exchange.headers = headers
        exchange.body = body
        this.guarded(() => exchange.onAnswer(this.connection, this.deadlines.now()))
      } else {
        const failure = Cause.failureOption(exit.cause)
        const defect = Cause.keepDefects(exit.cause)
        if (Option.isSome(failure)) {
          const known = failureOf(failure.value)
          if (Option.isSome(known)) this.fail(exchange, known.value)
          else this.guarded(() => exchange.onDefect(this.connection, Cause.die(noRequestError(failure.value))))
        } else if (Option.isSome(defect)) this.guarded(() => exchange.onDefect(this.connection, defect.value))
        else this.fail(exchange, Failure.closed("unknown", { _tag: "Dropped", code: undefined }))
      }
      this.settle()
      this.tellCapacity()
    })
    return true
  }

  holds(): boolean {
    return false
  }

  cancel(exchange: Exchange.Exchange): void {
    const fiber = this.fibers.get(exchange)
    if (fiber === undefined) return
    this.fibers.delete(exchange)
    fiber.unsafeInterruptAsFork(FiberId.none)
    this.settle()
    this.tellCapacity()
  }

  suspect(): void {}

  hasten(): void {}

  close(cause: Failure.CloseCause): void {
    if (this.state === "closed") return
    this.end(cause)
    const unknown = Failure.closed("unknown", cause)
    for (const [exchange, fiber] of [...this.fibers]) {
      this.fibers.delete(exchange)
      fiber.unsafeInterruptAsFork(FiberId.none)
      this.fail(exchange, unknown)
    }
    this.tellClosed(cause)
  }

  protected settle(): void {
    if (this.state === "draining" && this.fibers.size === 0) this.close(this.cause ?? { _tag: "Retired" })
  }

  shutdown(drainTimeout: Duration.Duration): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.retire({ _tag: "ScopeClosed" })
      return waitAtMost(this.drained, drainTimeout)
    }).pipe(Effect.zipRight(Effect.sync(() => this.close({ _tag: "ScopeClosed" }))))
  }
}
