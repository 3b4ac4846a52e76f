/**
 * How many frames that cost work and bring nothing a peer may send (RFC 9113 section 10.5): so many at once, and as many
 * more in each second. What is useful earns more.
 */

/** Credit that can be saved at most: frames that were expected may come late, but no credit is large enough for a flood. */
const maxCredit = 16_384

export class Allowance {
  /** Frames counted against the peer; below 0 it has credit. */
  private level = 0

  constructor(private readonly limit: number) {}

  /** Counts one frame. False when that was one too many. */
  spend(): boolean {
    return ++this.level <= this.limit
  }

  /** Lets time pass, in milliseconds. */
  pass(millis: number): void {
    if (this.level > 0) this.level = Math.max(0, this.level - millis * this.limit / 1000)
  }

  /** Something useful came: up to `frames` of those that were counted are forgiven. */
  forgive(frames: number): void {
    if (this.level > 0) this.level = Math.max(0, this.level - frames)
  }

  /** `frames` more are to be expected, sooner or later. */
  grant(frames: number): void {
    this.level = Math.max(-maxCredit, this.level - frames)
  }
}
