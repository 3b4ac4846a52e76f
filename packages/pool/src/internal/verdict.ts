import type { Failure } from "@effect-apns/core"
import type { Reason } from "@effect-apns/models"

/**
 * What is done with a request that was not simply accepted:
 *
 * - `settle`: its caller gets what came;
 * - `repeat`: it is sent again at once, on another connection if there is one;
 * - `retry`: it is sent again when the retry schedule says so;
 * - `backoff`: it is sent again when the server says so (`Retry-After`), else when the back-off schedule does;
 * - `resign`: the provider token is signed anew, then it is sent again;
 * - `keepToken`: like `backoff`, and no other provider token is signed for a while.
 */
export type Verdict = "settle" | "repeat" | "retry" | "backoff" | "resign" | "keepToken"

/** What is known of the request's past. */
export interface History {
  /** Times that it was moved to another connection at once. */
  readonly moves: number
  /** Times that it was sent again although an earlier attempt may have been processed. */
  readonly copies: number
  /** The provider token was signed anew for it, or kept against the server's wish. */
  readonly resigned: boolean
}

export const noHistory: History = { moves: 0, copies: 0, resigned: false }

/** Times that a request which cost nothing (refused, or never looked at) is moved at once before a schedule decides. */
export const maxMoves = 2

/**
 * An answer that is no 2xx.
 *
 * @param info what Apple's table says of its reason and status
 * @param signed whether the request carried a provider token of the pool's
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

/** What the pool and the request say about sending again what may have been processed. */
export interface Rules {
  readonly retransmit: boolean
  readonly maxRetransmits: number
}

/** The end of an attempt without an answer. */
export const ofFailure = (
  failure: Pick<Failure.PoolFailure, "_tag" | "processed">,
  history: History,
  rules: Rules
): Verdict => {
  switch (failure.processed) {
    case "no":
      return history.moves < maxMoves ? "repeat" : "retry"
    case "unknown":
      // its time is over: there is none left to send it again
      if (failure._tag === "Timeout") return "settle"
      return rules.retransmit && history.copies < rules.maxRetransmits ? "retry" : "settle"
    case "yes":
      return "settle"
  }
}
