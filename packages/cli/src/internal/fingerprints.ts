/** FNV-1a, 32 bits; 0 stands for "none". */
const fingerprint = (text: string): number => {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0 === 0 ? 1 : hash >>> 0
}

/**
 * Which lines of the input are done, and with which token: four bytes a line. The token is remembered so that an input
 * that was changed between two runs is noticed instead of the wrong lines being skipped.
 */
export class Fingerprints {
  private slots = new Uint32Array(1024)

  add(line: number, token: string): void {
    if (line >= this.slots.length) {
      const grown = new Uint32Array(Math.max(line + 1, this.slots.length * 2))
      grown.set(this.slots)
      this.slots = grown
    }
    this.slots[line] = fingerprint(token)
  }

  has(line: number): boolean {
    return (this.slots[line] ?? 0) !== 0
  }

  /** Whether the line is done, and was so with this token. */
  matches(line: number, token: string): boolean {
    return this.slots[line] === fingerprint(token)
  }
}
