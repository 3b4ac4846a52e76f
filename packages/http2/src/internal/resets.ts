/**
 * The streams that we reset. What the peer sent for them before it heard of that is ignored (RFC 9113 section 5.1), while
 * on any other closed stream it is an error.
 */

const maxRemembered = 4_096

export class Resets {
  private readonly ids = new Set<number>()
  /** No stream up to this one can be told from one that we reset. */
  private forgotten = 0

  add(id: number): void {
    this.ids.add(id)
    if (this.ids.size <= maxRemembered) return
    for (const oldest of this.ids) {
      this.ids.delete(oldest)
      this.forgotten = Math.max(this.forgotten, oldest)
      break
    }
  }

  /** Every stream up to `id` counts as reset. */
  addAll(id: number): void {
    this.ids.clear()
    this.forgotten = id
  }

  has(id: number): boolean {
    return id <= this.forgotten || this.ids.has(id)
  }
}
