/**
 * One request on its way, at the level of callbacks: what a connection needs to send it and to say what became of
 * it. `Connection.post` and pools subclass it to carry their own state, so that a request costs one object and no
 * closure.
 *
 * @since 0.1.0
 */
import { Session } from "@effect-apns/http2"
import type { Connection } from "./Connection.js"
import type { Bucket, Entry } from "./Deadlines.js"
import type { Failure } from "./Failure.js"
import type { Token } from "./ProviderToken.js"
import type { Spec } from "./Request.js"

/**
 * A request and, in the fields of {@link Session.Stream}, its response.
 *
 * A connection calls exactly one of {@link Exchange.onAnswer} and {@link Exchange.onFailure} for each exchange that
 * it took, unless it is told to cancel it first.
 *
 * @since 0.1.0
 * @category models
 */
export abstract class Exchange extends Session.Stream implements Entry {
  /** @internal */
  dueBucket: Bucket | undefined = undefined
  /** @internal */
  duePrevious: Entry | undefined = undefined
  /** @internal */
  dueNext: Entry | undefined = undefined

  /** The connection that has the request now. */
  connection: Connection | undefined = undefined
  /** The provider token that the request was sent with. */
  token: Token | undefined = undefined

  constructor(readonly path: string, readonly spec: Spec) {
    super()
  }

  /** A deadline that the owner set with `Deadlines` has come. */
  abstract onDue(nowMillis: number): void

  /** The response is in `status`, `apnsId`, `headers`, `body` and `truncated`. */
  abstract onAnswer(connection: Connection): void

  /** There is no response and there will be none. */
  abstract onFailure(connection: Connection, failure: Failure): void

  /** Makes the exchange ready to be sent again. */
  protected clearAnswer(): void {
    this.id = 0
    this.status = 0
    this.apnsId = undefined
    this.headers = undefined
    this.body = undefined
    this.truncated = false
  }
}
