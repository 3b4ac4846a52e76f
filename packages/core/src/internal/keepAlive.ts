/** Spans of time, in milliseconds; `Infinity` for never. */
export interface Times {
  /** Without a request in flight: silence for so long, and a PING goes out. */
  readonly interval: number
  /** Without a request in flight: time for the answer to that PING. */
  readonly deadline: number
  /** With requests in flight: silence for so long, and a PING goes out. */
  readonly busyInterval: number
  /** With requests in flight, or with one that waits for the PING: time for its answer. */
  readonly busyDeadline: number
}

/** What is to be done now: nothing, send a PING with the payload {@link KeepAlive.payload}, or close the connection. */
export type Step = "wait" | "ping" | "dead"

/** A look that comes so much later than it was due was held up: the process was frozen, or its clock was moved. */
const lateMillis = 1_000

/**
 * Is anybody there? A state machine without a clock and without a socket: time comes as an argument.
 *
 * - Silence is counted from the last byte that was read.
 * - While a PING is out the connection is suspect, and carries no new request until the PING is answered. Any byte is an
 *   answer, since it must have been sent after the PING was due.
 * - After silence for longer than the interval, which a running process cannot see (the process was frozen, or the clock
 *   has jumped), bytes may have waited in the socket's buffer since before. Then only the PONG is an answer.
 */
export class KeepAlive {
  /** When {@link KeepAlive.look} should be called. */
  due: number
  /** The payload of the PING that is to be sent. */
  payload = 0
  /** The process, or its clock, stood still: only the PONG is an answer to the PING that is out. */
  paused = false

  private lastRead: number
  /** When the first of the requests that are in flight was sent. */
  private busySince: number
  private sentAt = 0
  /** When a PING that is out has to be answered; `Infinity` when none is. */
  private answerBy = Infinity

  constructor(private readonly times: Times, now: number) {
    this.lastRead = now
    this.busySince = now
    this.due = now + times.interval
  }

  /** A PING is out: no request may be sent before its answer. */
  get suspect(): boolean {
    return this.answerBy !== Infinity
  }

  /** How long the PING that is out could be answered, in milliseconds. */
  get patience(): number {
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
   * May a request be sent now, while `inFlight` are? Where the answer is not "yes" it has to wait for {@link KeepAlive.suspect}
   * to be over; "ping": and a PING has to be sent.
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

  /** A request waits for the answer to the PING that is out. */
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
      // nobody could listen for the answer: it gets another chance
      if (!this.paused && now - this.answerBy > lateMillis) return this.ask(now, busyDeadline, true)
      return "dead"
    }
    const silence = now - this.lastRead
    if (inFlight > 0) {
      this.due = Math.max(this.lastRead, this.busySince) + busyInterval
      return now < this.due ? "wait" : this.ask(now, busyDeadline, silence > interval)
    }
    this.due = this.lastRead + interval
    return now < this.due ? "wait" : this.ask(now, deadline, silence > interval + lateMillis)
  }

  private ask(now: number, patience: number, paused: boolean): "ping" {
    this.payload++
    this.sentAt = now
    this.answerBy = now + patience
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
