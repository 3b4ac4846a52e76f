import type * as Cause from "effect/Cause"
import type * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import type * as Connection from "../Connection.js"
import * as Failure from "../Failure.js"
import type * as Request from "../Request.js"
import * as Response from "../Response.js"
import type { Unsafe } from "../unstable/Connection.js"
import type * as Deadlines from "../unstable/Deadlines.js"
import * as Exchange from "../unstable/Exchange.js"

/** A request of one caller, whose fiber is resumed with its outcome. */
class Post extends Exchange.Exchange {
  constructor(
    request: Request.Request,
    private readonly deadlines: Deadlines.Deadlines,
    private readonly limit: Failure.TimeLimit,
    private readonly resume: (effect: Effect.Effect<Response.Response, Failure.RequestError>) => void
  ) {
    super(request.path, request.spec)
  }

  onAnswer(_connection: Connection.Connection, nowMillis: number): void {
    this.deadlines.remove(this)
    this.finish(() => {
      if (this.status >= 200 && this.status < 300) return Exit.succeed(Response.fromAccepted(this, 1))
      const response = Response.fromStream(this, 1, nowMillis - this.deadlines.ahead)
      return Either.isRight(response)
        ? Exit.succeed(response.right)
        : Exit.fail(Failure.toError(Failure.malformed(this.status, response.left), 1))
    })
  }

  onFailure(_connection: Connection.Connection, failure: Failure.Failure): void {
    this.deadlines.remove(this)
    this.finish(() => Exit.fail(Failure.toError(failure, 1)))
  }

  override onDefect(_connection: Connection.Connection, cause: Cause.Cause<never>): void {
    this.deadlines.remove(this)
    this.resume(Exit.failCause(cause))
  }

  onDue(nowMillis: number): void {
    const connection = this.connection
    if (connection === undefined) return
    if (this.status !== 0) {
      // the headers of the answer have arrived: APNs has processed the request, with any body
      connection.unsafe.cancel(this)
      this.truncated = true
      this.onAnswer(connection, nowMillis)
      return
    }
    const sent = !connection.unsafe.holds(this)
    connection.unsafe.cancel(this)
    if (sent) connection.unsafe.suspect()
    this.resume(Exit.fail(Failure.toError(Failure.timeout(sent ? "unknown" : "no", this.limit), sent ? 1 : 0)))
  }

  /** Nothing else resumes the caller, since the deadline is removed: so it is resumed even if the outcome cannot be read. */
  private finish(outcome: () => Exit.Exit<Response.Response, Failure.RequestError>): void {
    let exit: Exit.Exit<Response.Response, Failure.RequestError>
    try {
      exit = outcome()
    } catch (defect) {
      exit = Exit.die(defect)
    }
    this.resume(exit)
  }
}

const headersRefused: Failure.CloseCause = { _tag: "HeadersRefused" }

export const makePost = (
  connection: Unsafe & { readonly cause: Failure.CloseCause | undefined },
  deadlines: Deadlines.Deadlines
) => {
  const cancel = (post: Post): void => {
    deadlines.remove(post)
    connection.cancel(post)
  }
  return (request: Request.Request): Effect.Effect<Response.Response, Failure.RequestError> =>
    Exchange.async((resume: (effect: Effect.Effect<Response.Response, Failure.RequestError>) => void) => {
      const { spec } = Exchange.checkRequest(request)
      const now = deadlines.now()
      let at = now + spec.timeoutMillis
      let limit: Failure.TimeLimit = "timeout"
      if (spec.deadlineMillis + deadlines.ahead < at) {
        at = spec.deadlineMillis + deadlines.ahead
        limit = "deadline"
      }
      if (spec.expirationMillis + deadlines.ahead < at) {
        at = spec.expirationMillis + deadlines.ahead
        limit = "expiration"
      }
      if (at <= now) {
        resume(Exit.fail(Failure.toError(Failure.timeout("no", limit), 0)))
        return undefined
      }
      const post = new Post(request, deadlines, limit, resume)
      if (!connection.exchange(post, now)) {
        const cause = connection.cause ?? (connection.available > 0 ? headersRefused : undefined)
        resume(Exit.fail(Failure.toError(cause === undefined ? Failure.blocked : Failure.closed("no", cause), 0)))
        return undefined
      }
      deadlines.set(post, at)
      return post
    }, cancel)
}
