import type { Failure } from "@effect-apns/core"
import type { Reason } from "@effect-apns/models"

/**
 * What to do with a request that was not accepted:
 *
 * - `settle`: its caller gets the answer or the error;
 * - `repeat`: it is sent again at once, if possible on another connection;
 * - `retry`: it is sent again when the retry schedule says so;
 * - `backoff`: it is sent again when the server says so (`Retry-After`), else when the back-off schedule does;
 * - `resign`: the provider token is signed anew, then it is sent again;
 * - `keepToken`: like `backoff`, and no other provider token is signed for a while.
 */
export type Verdict = "settle" | "repeat" | "retry" | "backoff" | "resign" | "keepToken"

/** Earlier attempts of the request. */
export interface History {
  /** How often it was moved to another connection at once. */
  readonly moves: number
  /** How often it was sent again although an earlier attempt may have been processed. */
  readonly copies: number
  /** The provider token was signed again for it, or kept although APNs refused it. */
  readonly resigned: boolean
}

export const noHistory: History = { moves: 0, copies: 0, resigned: false }

/** How often a request that was not processed is moved at once, before a schedule decides. */
export const maxMoves = 2

/**
 * The verdict on an answer that is not 2xx.
 *
 * @param info what Apple documents about its reason and status
 * @param signed whether the request had a provider token of the pool
 */
export const ofAnswer = (
  info: Pick<Reason.Info, "class" | "retry">,
  history: History,
  signed: boolean
): Verdict => {
  switch (info.retry) {
    case "fresh-token":
      return signed && !history.resigned ? "resign" : "settle"
    case "same-token":
      return signed && !history.resigned ? "keepToken" : "settle"
    case "new-connection":
      if (info.class === "server") return "backoff"
      return history.moves < maxMoves ? "repeat" : "settle"
    case "delay":
      return "backoff"
    case "never":
    case "after-fix":
      return "settle"
  }
}

/** Whether a request that may have been processed is sent again, by the options of the pool and the request. */
export interface Rules {
  readonly retransmit: boolean
  readonly maxRetransmits: number
}

/** The verdict on an attempt that ended without an answer. */
export const ofFailure = (
  failure: Pick<Failure.PoolFailure, "_tag" | "processed">,
  history: History,
  rules: Rules
): Verdict => {
  switch (failure.processed) {
    case "no":
      return history.moves < maxMoves ? "repeat" : "retry"
    case "unknown":
      // its time is over: it cannot be sent again
      if (failure._tag === "Timeout") return "settle"
      return rules.retransmit && history.copies < rules.maxRetransmits ? "retry" : "settle"
    case "yes":
      return "settle"
  }
}
