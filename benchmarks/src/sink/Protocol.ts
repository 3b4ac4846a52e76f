/**
 * What the benchmark and its sink server say to each other.
 *
 * @since 0.1.0
 */

/**
 * How the sink behaves towards the connections that come next.
 *
 * @since 0.1.0
 * @category models
 */
export interface Behavior {
  /** Milliseconds from the last byte of a request to its answer; 0 answers at once. */
  readonly delayMs: number
  /** SETTINGS_MAX_CONCURRENT_STREAMS. */
  readonly maxStreams: number
  /** Every so many-th request of a connection is answered with 410 Unregistered; 0 accepts all. */
  readonly rejectEvery: number
  /** The first request to each token is answered with 503 ServiceUnavailable, the later ones are accepted. */
  readonly refuseFirst: boolean
  /**
   * `"each"`: every notification carries its marker (see `Workload.marker`) in its text, in its `order` and as its
   * collapse id; `"same"`: every notification is the same.
   */
  readonly bodies: "each" | "same"
  /** Bytes of one request and of one answer on connections that speak no HTTP/2 (the TLS floor). */
  readonly floorRequestBytes: number
  readonly floorAnswerBytes: number
}

/**
 * @since 0.1.0
 * @category constants
 */
export const defaultBehavior: Behavior = {
  bodies: "same",
  delayMs: 0,
  floorAnswerBytes: 38,
  floorRequestBytes: 254,
  maxStreams: 1_000,
  refuseFirst: false,
  rejectEvery: 0
}

/**
 * What the sink must have received: notifications `first` to `first + count - 1`, spread over `distinct` tokens.
 *
 * @since 0.1.0
 * @category models
 */
export interface Expectation {
  readonly first: number
  readonly count: number
  readonly distinct: number
  /** Requests for each notification. Default 1. */
  readonly attempts?: number | undefined
  /** Connections that speak no HTTP/2: only the number of requests and their bytes can be checked. */
  readonly floor: boolean
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Reset {
  readonly type: "reset"
  readonly behavior: Behavior
  /** The payload every body must carry, as JSON. */
  readonly payload: string
  readonly topic: string
  /** Clients that leave `apns-priority: 10` out, because it is APNs's default, are told apart from those that forget it. */
  readonly priority: "required" | "optional"
}

/**
 * Forget what was received, keep connections and behavior.
 *
 * @since 0.1.0
 * @category models
 */
export interface Clear {
  readonly type: "clear"
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Ask {
  readonly type: "report"
  readonly expectation: Expectation
}

/**
 * @since 0.1.0
 * @category models
 */
export type Command = Reset | Clear | Ask

/**
 * What the sink received since the last reset or clear.
 *
 * @since 0.1.0
 * @category models
 */
export interface Report {
  readonly type: "report"
  readonly requests: number
  readonly distinctTokens: number
  readonly bodyBytes: number
  /** Decrypted bytes received and sent. */
  readonly bytesIn: number
  readonly bytesOut: number
  readonly connections: number
  /** The most streams open at a time on one connection. */
  readonly peakStreams: number
  /** Requests that were answered with 410 or 503. */
  readonly rejected: number
  /** The sum of the ids answered with, see `addId`. */
  readonly idSum: number
  /** CPU of the sink itself, in seconds. */
  readonly cpuSeconds: number
  /** What the delay really was, in milliseconds; only with `delayMs`. */
  readonly delay: { readonly p50: number; readonly p99: number; readonly max: number } | undefined
  /** Everything that was not as expected; empty when all is well. */
  readonly violations: ReadonlyArray<string>
}

/**
 * @since 0.1.0
 * @category models
 */
export type Message = { readonly type: "listening"; readonly port: number } | { readonly type: "done" } | Report
