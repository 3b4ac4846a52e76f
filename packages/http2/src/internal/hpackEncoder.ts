/**
 * An HPACK encoder (RFC 7541) for blocks that repeat: it keeps in its dynamic table what many requests share.
 */
import { entryOverhead } from "./hpackDecoder.js"
import * as Huffman from "./huffman.js"
import * as StaticTable from "./staticTable.js"
import * as Text from "./text.js"

/** How a field may be represented (RFC 7541 section 6.2). */
export type Indexing = "index" | "literal" | "never"

interface Entry {
  readonly key: string
  readonly name: string
  readonly size: number
  /** The number of insertions up to and with this one. */
  readonly sequence: number
  /** The last generation that used this entry. */
  generation: number
}

export class HpackEncoder {
  /** Changes whenever an index that was handed out may have changed its meaning. */
  version = 0
  /** The block being built. */
  bytes: Buffer = Buffer.allocUnsafeSlow(1024)
  length = 0

  private readonly byKey = new Map<string, Entry>()
  private readonly byName = new Map<string, Entry>()
  /** Oldest first. */
  private readonly entries: Array<Entry> = []
  private sequence = 0
  private used = 0
  private generation = 0
  /** Bytes of the entries that were used in this generation. */
  private live = 0
  private capacity: number
  // size changes to send to the peer before the next field: the smallest, then the last (RFC 7541 section 4.2)
  private smallestChange = -1
  private lastChange = -1

  /**
   * @param huffman strings are Huffman-coded where that is not longer
   * @param keepLive a field that fits only at the expense of one in use is not inserted
   * @param capacity size of the dynamic table in bytes that both sides start with
   */
  constructor(private readonly huffman: boolean, private readonly keepLive: boolean, capacity: number) {
    this.capacity = capacity
  }

  get tableSize(): number {
    return this.used
  }

  get tableCapacity(): number {
    return this.capacity
  }

  /** Whether the next block has to start with a table size update. */
  get hasSizeUpdate(): boolean {
    return this.lastChange >= 0
  }

  /** Entries that are not used after this are no longer protected. */
  nextGeneration(): void {
    this.generation++
    this.live = 0
    this.version++
  }

  setCapacity(capacity: number): void {
    if (capacity === this.capacity) return
    this.smallestChange = this.smallestChange < 0 ? capacity : Math.min(this.smallestChange, capacity)
    this.lastChange = capacity
    this.capacity = capacity
    while (this.used > capacity) this.evict()
    this.version++
  }

  /** Starts a block. */
  begin(): void {
    this.length = 0
    if (this.lastChange < 0) return
    if (this.smallestChange < this.lastChange) this.integer(0x20, 0x1f, this.smallestChange)
    this.integer(0x20, 0x1f, this.lastChange)
    this.smallestChange = -1
    this.lastChange = -1
  }

  /** A copy of the block so far, from `start`. */
  copy(start = 0): Uint8Array {
    // (a Buffer's own slice would not copy)
    return new Uint8Array(this.bytes.subarray(start, this.length))
  }

  field(name: string, value: string, indexing: Indexing): void {
    if (indexing === "index") {
      const index = StaticTable.findPair(name, value) || this.find(name, value)
      if (index > 0) {
        this.integer(0x80, 0x7f, index)
        return
      }
    }
    const nameIndex = StaticTable.findName(name) || this.findName(name)
    const inserted = indexing === "index" && this.insert(name, value)
    if (inserted) this.integer(0x40, 0x3f, nameIndex)
    else this.integer(indexing === "never" ? 0x10 : 0x00, 0x0f, nameIndex)
    if (nameIndex === 0) this.string(name)
    this.string(value)
  }

  private find(name: string, value: string): number {
    const entry = this.byKey.get(`${name}\0${value}`)
    if (entry === undefined) return 0
    if (entry.generation !== this.generation) {
      entry.generation = this.generation
      this.live += entry.size
    }
    return this.indexOf(entry)
  }

  private findName(name: string): number {
    const entry = this.byName.get(name)
    return entry === undefined ? 0 : this.indexOf(entry)
  }

  private indexOf(entry: Entry): number {
    return StaticTable.size + 1 + this.sequence - entry.sequence
  }

  private insert(name: string, value: string): boolean {
    const size = name.length + value.length + entryOverhead
    // Entries of earlier generations are evicted in order of age, and with them younger ones that are in use: those are
    // inserted again at their next use. If all entries in use fit, this ends with the last unused entry; one that does not
    // fit is never inserted. So no sequence of heads makes the table evict and insert without end.
    if (this.keepLive && this.live + size > this.capacity) return false
    while (this.used + size > this.capacity && this.entries.length > 0) this.evict()
    this.version++
    if (size > this.capacity) return true
    const entry: Entry = {
      key: `${name}\0${value}`,
      name,
      size,
      sequence: ++this.sequence,
      generation: this.generation
    }
    this.entries.push(entry)
    this.byKey.set(entry.key, entry)
    this.byName.set(name, entry)
    this.used += size
    this.live += size
    return true
  }

  private evict(): void {
    const entry = this.entries.shift()
    if (entry === undefined) return
    this.used -= entry.size
    if (entry.generation === this.generation) this.live -= entry.size
    if (this.byKey.get(entry.key) === entry) this.byKey.delete(entry.key)
    if (this.byName.get(entry.name) === entry) this.byName.delete(entry.name)
    this.version++
  }

  private reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.length + count))
    larger.set(this.bytes.subarray(0, this.length))
    this.bytes = larger
  }

  private integer(pattern: number, prefix: number, value: number): void {
    this.reserve(8)
    this.length = writeInteger(this.bytes, this.length, pattern, prefix, value)
  }

  private string(text: string): void {
    if (this.huffman) {
      const length = Huffman.encodedLength(text)
      if (length <= text.length && length > 0) {
        this.integer(0x80, 0x7f, length)
        this.reserve(length)
        this.length = Huffman.encode(text, this.bytes, this.length)
        return
      }
    }
    this.integer(0x00, 0x7f, text.length)
    this.reserve(text.length)
    Text.write(this.bytes, text, this.length)
    this.length += text.length
  }
}

/**
 * Writes an integer (RFC 7541 section 5.1) of up to 31 bits and returns the offset behind it: at most 6 bytes.
 */
export const writeInteger = (
  target: Uint8Array,
  offset: number,
  pattern: number,
  prefix: number,
  value: number
): number => {
  if (value < prefix) {
    target[offset] = pattern | value
    return offset + 1
  }
  target[offset++] = pattern | prefix
  value -= prefix
  while (value >= 0x80) {
    target[offset++] = value & 0x7f | 0x80
    value >>>= 7
  }
  target[offset] = value
  return offset + 1
}
