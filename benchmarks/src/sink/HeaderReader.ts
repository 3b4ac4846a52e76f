/**
 * Reads request header blocks (RFC 7541): indexed fields, literals of every kind, the dynamic table with its eviction.
 * A field that is in a table was judged when it got there, so a request whose headers are all indexed costs a few
 * byte reads.
 *
 * @since 0.1.0
 */
import * as Huffman from "./Huffman.js"
import { Field, type Ledger } from "./Ledger.js"

interface Entry {
  readonly name: string
  readonly value: string
  readonly bit: number
}

/** RFC 7541 appendix A. */
const staticTable: ReadonlyArray<readonly [name: string, value: string]> = [
  [":authority", ""],
  [":method", "GET"],
  [":method", "POST"],
  [":path", "/"],
  [":path", "/index.html"],
  [":scheme", "http"],
  [":scheme", "https"],
  [":status", "200"],
  [":status", "204"],
  [":status", "206"],
  [":status", "304"],
  [":status", "400"],
  [":status", "404"],
  [":status", "500"],
  ["accept-charset", ""],
  ["accept-encoding", "gzip, deflate"],
  ["accept-language", ""],
  ["accept-ranges", ""],
  ["accept", ""],
  ["access-control-allow-origin", ""],
  ["age", ""],
  ["allow", ""],
  ["authorization", ""],
  ["cache-control", ""],
  ["content-disposition", ""],
  ["content-encoding", ""],
  ["content-language", ""],
  ["content-length", ""],
  ["content-location", ""],
  ["content-range", ""],
  ["content-type", ""],
  ["cookie", ""],
  ["date", ""],
  ["etag", ""],
  ["expect", ""],
  ["expires", ""],
  ["from", ""],
  ["host", ""],
  ["if-match", ""],
  ["if-modified-since", ""],
  ["if-none-match", ""],
  ["if-range", ""],
  ["if-unmodified-since", ""],
  ["last-modified", ""],
  ["link", ""],
  ["location", ""],
  ["max-forwards", ""],
  ["proxy-authenticate", ""],
  ["proxy-authorization", ""],
  ["range", ""],
  ["referer", ""],
  ["refresh", ""],
  ["retry-after", ""],
  ["server", ""],
  ["set-cookie", ""],
  ["strict-transport-security", ""],
  ["transfer-encoding", ""],
  ["user-agent", ""],
  ["vary", ""],
  ["via", ""],
  ["www-authenticate", ""]
]

/** SETTINGS_HEADER_TABLE_SIZE until a peer says otherwise (RFC 9113 section 6.5.2); the sink never does. */
const tableLimit = 4096

class Malformed extends Error {}

/**
 * One reader for each connection.
 *
 * @since 0.1.0
 * @category models
 */
export class HeaderReader {
  /** Newest first, as RFC 7541 section 2.3.3 counts. */
  private readonly dynamic: Array<Entry> = []
  private size = 0
  private capacity = tableLimit
  private readonly scratch = Buffer.allocUnsafe(16_384)
  private readonly lastAuthorization = Buffer.allocUnsafe(4_096)
  private lastAuthorizationLength = -1
  private at = 0

  constructor(private readonly ledger: Ledger) {}

  /** Judges the header block `block[start, end)`; false when it cannot be decoded, which ends the connection. */
  read(block: Buffer, start: number, end: number): boolean {
    try {
      this.at = start
      let seen = 0
      while (this.at < end) {
        const first = block[this.at] ?? 0
        if (first >= 0x80) {
          seen = this.ledger.add(seen, this.indexedBit(this.integer(block, 7, end)))
        } else if (first >= 0x40) {
          const name = this.name(block, 6, end)
          const value = this.string(block, end)
          seen = this.ledger.add(seen, this.insert(name, value))
        } else if (first >= 0x20) {
          this.resize(this.integer(block, 5, end))
        } else {
          seen = this.ledger.add(seen, this.literal(block, this.name(block, 4, end), end))
        }
      }
      if (this.at !== end) throw new Malformed("a header field that ends outside its block")
      this.ledger.headersDone(seen)
      return true
    } catch (error) {
      if (!(error instanceof Malformed)) throw error
      this.ledger.violation(error.message)
      return false
    }
  }

  private indexedBit(index: number): number {
    if (index > staticTable.length) return this.entry(index).bit
    const field = staticTable[index - 1]
    if (field === undefined) throw new Malformed(`header index ${index}`)
    return this.ledger.field(field[0], field[1])
  }

  private entry(index: number): Entry {
    const entry = this.dynamic[index - staticTable.length - 1]
    if (entry === undefined) throw new Malformed(`header index ${index} with ${this.dynamic.length} dynamic entries`)
    return entry
  }

  /** A literal that stays out of the table: a path or a bearer token on most, so these two are not made into strings. */
  private literal(block: Buffer, name: string, end: number): number {
    if (name === ":path") {
      const huffman = ((block[this.at] ?? 0) & 0x80) !== 0
      const length = this.integer(block, 7, end)
      const start = this.at
      this.skip(length, end)
      if (!huffman) {
        this.ledger.path(block, start, this.at)
      } else {
        const decoded = Huffman.decode(block, start, this.at, this.scratch)
        if (decoded < 0) throw new Malformed("a path with an invalid Huffman code")
        this.ledger.path(this.scratch, 0, decoded)
      }
      return Field.Path
    }
    if (name === "authorization") {
      const start = this.at
      const value = this.integer(block, 7, end)
      this.skip(value, end)
      const length = this.at - start
      if (
        length === this.lastAuthorizationLength &&
        block.compare(this.lastAuthorization, 0, length, start, this.at) === 0
      ) return Field.Authorization
      this.at = start
      const bit = this.ledger.field(name, this.string(block, end))
      this.lastAuthorizationLength = block.copy(this.lastAuthorization, 0, start, this.at)
      return bit
    }
    return this.ledger.field(name, this.string(block, end))
  }

  private insert(name: string, value: string): number {
    let bit: number
    if (name === ":path") {
      const path = Buffer.from(value, "latin1")
      this.ledger.path(path, 0, path.length)
      bit = Field.Path
    } else {
      bit = this.ledger.field(name, value)
    }
    const size = name.length + value.length + 32
    this.evict(this.capacity - size)
    if (size <= this.capacity) {
      this.dynamic.unshift({ bit, name, value })
      this.size += size
    }
    return bit
  }

  private resize(capacity: number): void {
    if (capacity > tableLimit) throw new Malformed(`a header table of ${capacity} bytes`)
    this.capacity = capacity
    this.evict(capacity)
  }

  private evict(limit: number): void {
    while (this.size > limit) {
      const entry = this.dynamic.pop()
      if (entry === undefined) break
      this.size -= entry.name.length + entry.value.length + 32
    }
  }

  private name(block: Buffer, prefix: 4 | 6, end: number): string {
    const index = this.integer(block, prefix, end)
    if (index === 0) return this.string(block, end)
    return index > staticTable.length ? this.entry(index).name : (staticTable[index - 1]?.[0] ?? "")
  }

  private skip(length: number, end: number): void {
    this.at += length
    if (this.at > end) throw new Malformed("a header field that ends outside its block")
  }

  private string(block: Buffer, end: number): string {
    const huffman = ((block[this.at] ?? 0) & 0x80) !== 0
    const length = this.integer(block, 7, end)
    const start = this.at
    this.skip(length, end)
    if (!huffman) return block.toString("latin1", start, this.at)
    const decoded = Huffman.decode(block, start, this.at, this.scratch)
    if (decoded < 0) throw new Malformed("a string with an invalid Huffman code")
    return this.scratch.toString("latin1", 0, decoded)
  }

  /** RFC 7541 section 5.1. */
  private integer(block: Buffer, prefix: number, end: number): number {
    const mask = (1 << prefix) - 1
    let value = (block[this.at++] ?? 0) & mask
    if (value < mask) return value
    for (let shift = 0; shift < 28; shift += 7) {
      if (this.at >= end) break
      const octet = block[this.at++] ?? 0
      value += (octet & 0x7f) << shift
      if (octet < 0x80) return value
    }
    throw new Malformed("an integer that does not end")
  }
}
