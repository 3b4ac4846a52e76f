/**
 * The open streams of a session, by identifier.
 *
 * Identifiers only grow, and most streams end in the order in which they began: a ring finds them without hashing. A
 * younger stream takes the place of an older one that is still open; that one moves to a map.
 */

const minRing = 256
const maxRing = 65_536

interface Identified {
  readonly id: number
}

export class StreamTable<S extends Identified> {
  /** How many streams are open. */
  size = 0
  private ring: Array<S | undefined> = new Array<S | undefined>(minRing).fill(undefined)
  private mask = minRing - 1
  private readonly displaced = new Map<number, S>()

  find(id: number): S | undefined {
    const stream = this.ring[id >>> 1 & this.mask]
    if (stream !== undefined && stream.id === id) return stream
    return this.displaced.size > 0 ? this.displaced.get(id) : undefined
  }

  /** `stream` is younger than every other. */
  add(stream: S): void {
    let slot = stream.id >>> 1 & this.mask
    let old = this.ring[slot]
    if (old !== undefined && this.grow()) {
      slot = stream.id >>> 1 & this.mask
      old = this.ring[slot]
    }
    if (old !== undefined) this.displaced.set(old.id, old)
    this.ring[slot] = stream
    this.size++
  }

  /** `stream` is in the table. */
  remove(stream: S): void {
    const slot = stream.id >>> 1 & this.mask
    if (this.ring[slot] === stream) this.ring[slot] = undefined
    else this.displaced.delete(stream.id)
    this.size--
  }

  /** All of them, oldest first. */
  list(): Array<S> {
    const all: Array<S> = []
    for (const stream of this.ring) {
      if (stream !== undefined) all.push(stream)
    }
    for (const stream of this.displaced.values()) all.push(stream)
    return all.sort((a, b) => a.id - b.id)
  }

  /** Doubles the ring when at least half of its places are taken; a few old streams are no reason to. */
  private grow(): boolean {
    if (this.size * 2 < this.ring.length || this.ring.length >= maxRing) return false
    const all = this.list()
    const length = this.ring.length * 2
    this.ring = new Array<S | undefined>(length).fill(undefined)
    this.mask = length - 1
    this.displaced.clear()
    for (const stream of all) {
      const slot = stream.id >>> 1 & this.mask
      const older = this.ring[slot]
      if (older !== undefined) this.displaced.set(older.id, older)
      this.ring[slot] = stream
    }
    return true
  }
}
