/**
 * How many notifications may be sent before their outcomes are written: taken when one is sent, given back when its
 * outcome is in the database. So at most this many are sent again when the process dies, no matter how long the database
 * was down.
 */
export class Window {
  private used = 0
  /** Called when there is room again. */
  onRoom: () => void = () => {}

  constructor(readonly size: number) {}

  get free(): number {
    return this.size - this.used
  }

  get taken(): number {
    return this.used
  }

  take(): void {
    this.used++
  }

  give(count: number): void {
    if (count === 0) return
    this.used -= count
    this.onRoom()
  }
}
