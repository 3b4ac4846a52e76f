/**
 * The streams that we reset. Frames that the peer sent for them before it received the RST_STREAM are ignored (RFC 9113
 * section 5.1), while on any other closed stream they are an error.
 */

const maxRemembered = 4_096

export class Resets {
  private readonly ids = new Set<number>()
  /** For streams up to this one it is no longer known whether we reset them. */
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
