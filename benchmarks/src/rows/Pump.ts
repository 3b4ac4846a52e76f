/**
 * Keeps a number of sends in flight, for clients that answer by callback or promise.
 *
 * @since 0.1.0
 */

/**
 * Counts a run down: {@link Pump.next} hands out what to send, {@link Pump.done} takes what was answered.
 *
 * @since 0.1.0
 * @category models
 */
export class Pump {
  private index = 0
  private left = 0
  private unanswered = 0
  private resolve: () => void = () => {}
  private reject: (error: unknown) => void = () => {}
  /** Where the ids of accepted notifications go, if anywhere. */
  ids: Array<string> | undefined

  start(first: number, count: number, ids: Array<string> | undefined): Promise<void> {
    this.index = first
    this.left = this.unanswered = count
    this.ids = ids
    return new Promise<void>((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
  }

  /** There is something left to send. */
  get more(): boolean {
    return this.left > 0
  }

  /** The number of the next notification. */
  next(): number {
    this.left--
    return this.index++
  }

  done(id: string | undefined): void {
    if (this.ids !== undefined && id !== undefined) this.ids.push(id)
    if (--this.unanswered === 0) this.resolve()
  }

  fail(error: unknown): void {
    this.left = 0
    this.reject(error)
  }
}

/**
 * `width` loops side by side that send one notification after the other.
 *
 * @since 0.1.0
 * @category constructors
 */
export const loops = async (
  width: number,
  first: number,
  count: number,
  send: (index: number) => Promise<void>
): Promise<void> => {
  let next = first
  const loop = async (): Promise<void> => {
    while (next < first + count) await send(next++)
  }
  await Promise.all(Array.from({ length: Math.min(width, count) }, loop))
}
