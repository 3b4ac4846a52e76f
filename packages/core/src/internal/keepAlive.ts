/** Spans of time, in milliseconds; `Infinity` for never. */
export interface Times {
  /** Without a request in flight: a PING is sent after so long without a byte from the server. */
  readonly interval: number
  /** Without a request in flight: how long the server may take to answer the PING. */
  readonly deadline: number
  /** With requests in flight: a PING is sent after so long without a byte from the server. */
  readonly busyInterval: number
  /** With requests in flight, or one that waits for the PING: how long the server may take to answer it. */
  readonly busyDeadline: number
}

/** What to do now: nothing, send a PING with the payload {@link KeepAlive.payload}, or close the connection. */
export type Step = "wait" | "ping" | "close"

/** {@link KeepAlive.look} was called so much later than it was due: the process was frozen, or its clock was changed. */
const lateMillis = 1_000

/**
 * Finds out whether the server is still there. A state machine without a clock and a socket: the time is an argument.
 *
 * - The interval starts at the last byte that was read.
 * - From a PING until its answer the connection is suspect, and no new request is sent on it. Any byte counts as an
 *   answer, since it must have been sent after the PING was due.
 * - A running process sends the PING as soon as the interval is over. If more time has passed, the process was frozen or
 *   the clock has jumped, and bytes in the socket's buffer may be from before that. Then only the PONG is an answer.
 */
export class KeepAlive {
  /** When {@link KeepAlive.look} should be called. */
  due: number
  /** The payload of the PING that is to be sent. */
  payload = 0
  /** The process, or its clock, stood still: only the PONG counts as an answer to the PING that was sent. */
  paused = false

  private lastRead: number
  /** When the first of the requests that are in flight was sent. */
  private busySince: number
  private sentAt = 0
  /** When the PING that was sent must be answered; `Infinity` if none waits for its answer. */
  private answerBy = Infinity

  constructor(private readonly times: Times, now: number) {
    this.lastRead = now
    this.busySince = now
    this.due = now + times.interval
  }

  /** A PING waits for its answer: no request may be sent before that. */
  get suspect(): boolean {
    return this.answerBy !== Infinity
  }

  /** How long the server had to answer the PING, in milliseconds. */
  get answerTime(): number {
    return this.answerBy - this.sentAt
  }

  /** Bytes have been read. */
  read(now: number): void {
    this.lastRead = now
    if (!this.paused && this.answerBy !== Infinity) this.trust()
  }

  /** A PING has been answered. */
  pong(payload: number): void {
    if (payload === this.payload && this.answerBy !== Infinity) this.trust()
  }

  /**
   * May a request be sent now, with `inFlight` others in flight? If not "yes", it has to wait until the connection is no
   * longer {@link KeepAlive.suspect}; "ping": and a PING must be sent first.
   */
  admits(now: number, inFlight: number): "yes" | "no" | "ping" {
    const { busyDeadline, busyInterval, interval } = this.times
    if (this.answerBy !== Infinity) {
      this.hasten(now)
      return "no"
    }
    if (now - this.lastRead > interval) {
      this.ask(now, busyDeadline, true)
      return "ping"
    }
    if (inFlight === 0) {
      this.busySince = now
      this.due = Math.min(this.due, now + busyInterval)
    }
    return "yes"
  }

  /** A request waits for the answer to the PING. */
  hasten(now: number): void {
    if (this.answerBy === Infinity) return
    this.answerBy = Math.min(this.answerBy, now + this.times.busyDeadline)
    this.due = Math.min(this.due, this.answerBy)
  }

  /** A request was not answered in time. */
  doubt(now: number): Step {
    if (this.answerBy !== Infinity) return "wait"
    return this.ask(now, this.times.busyDeadline, now - this.lastRead > this.times.interval)
  }

  /** The time is {@link KeepAlive.due}, or later. */
  look(now: number, inFlight: number): Step {
    const { busyDeadline, busyInterval, deadline, interval } = this.times
    if (this.answerBy !== Infinity) {
      if (now < this.answerBy) {
        this.due = this.answerBy
        return "wait"
      }
      // an answer could not be read while the process stood still: send another PING
      if (!this.paused && now - this.answerBy > lateMillis) return this.ask(now, busyDeadline, true)
      return "close"
    }
    const silence = now - this.lastRead
    if (inFlight > 0) {
      this.due = Math.max(this.lastRead, this.busySince) + busyInterval
      return now < this.due ? "wait" : this.ask(now, busyDeadline, silence > interval)
    }
    this.due = this.lastRead + interval
    return now < this.due ? "wait" : this.ask(now, deadline, silence > interval + lateMillis)
  }

  private ask(now: number, answerTime: number, paused: boolean): "ping" {
    this.payload++
    this.sentAt = now
    this.answerBy = now + answerTime
    this.due = this.answerBy
    this.paused = paused
    return "ping"
  }

  private trust(): void {
    this.answerBy = Infinity
    this.paused = false
    this.due = Math.min(this.due, this.lastRead + this.times.busyInterval)
  }
}
