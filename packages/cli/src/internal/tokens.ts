/** FNV-1a of 32 bits, from this start; without regard to case, as device tokens are. Never 0. */
const hash = (text: string, start: number): number => {
  let hash = start
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ (text.charCodeAt(i) | 0x20), 0x01000193)
  // the last digits reach all bits
  hash ^= hash >>> 15
  hash = Math.imul(hash, 0x2c1b3c6d)
  hash ^= hash >>> 13
  return hash >>> 0 === 0 ? 1 : hash >>> 0
}

/** 32 bits that stand for a token; 0 stands for none. */
export const fingerprint = (token: string): number => hash(token, 0x811c9dc5)

/**
 * Which line of the input has a token first. Tokens are told apart by 64 bits, in 12 bytes for each and as much room
 * again.
 */
export class FirstLines {
  private slots = new Uint32Array(3 * 1024)
  private size = 0

  /** The first line with this token: `line` itself, where it was not there before. */
  of(line: number, token: string): number {
    if (this.size * 2 >= this.slots.length / 3) this.grow()
    return this.put(this.slots, fingerprint(token), hash(token, 0x2545f491), line)
  }

  private put(slots: Uint32Array, low: number, high: number, line: number): number {
    const mask = slots.length / 3 - 1
    for (let at = low & mask;; at = (at + 1) & mask) {
      const i = at * 3
      if (slots[i] === 0) {
        slots[i] = low
        slots[i + 1] = high
        slots[i + 2] = line
        this.size++
        return line
      }
      if (slots[i] === low && slots[i + 1] === high) return slots[i + 2] ?? line
    }
  }

  private grow(): void {
    const old = this.slots
    const grown = new Uint32Array(old.length * 2)
    this.size = 0
    for (let i = 0; i < old.length; i += 3) {
      const low = old[i] ?? 0
      if (low !== 0) this.put(grown, low, old[i + 1] ?? 0, old[i + 2] ?? 0)
    }
    this.slots = grown
  }
}
