/**
 * How many frames that cause work without use a peer may send (RFC 9113 section 10.5): so many at once, and as many more
 * in each second. Useful frames allow more.
 */

/** The largest credit: expected frames may come late, but the credit must not be large enough for a flood. */
const maxCredit = 16_384

export class Allowance {
  /** Frames counted against the peer; below 0 it has credit. */
  private level = 0

  constructor(private readonly limit: number) {}

  /** Counts one frame. False when that was one too many. */
  spend(): boolean {
    return ++this.level <= this.limit
  }

  /** Time has passed, in milliseconds. */
  pass(millis: number): void {
    if (this.level > 0) this.level = Math.max(0, this.level - millis * this.limit / 1000)
  }

  /** A useful frame came: the count is reduced by up to `frames`. */
  reduce(frames: number): void {
    if (this.level > 0) this.level = Math.max(0, this.level - frames)
  }

  /** `frames` more are to be expected, sooner or later. */
  grant(frames: number): void {
    this.level = Math.max(-maxCredit, this.level - frames)
  }
}
