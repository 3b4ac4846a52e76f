/**
 * An HPACK decoder (RFC 7541) that sorts a response's fields as it goes.
 */
import { badValue, isBadValue, isSpace, Kind, nameOf } from "./fields.js"
import * as Huffman from "./huffman.js"
import * as StaticTable from "./staticTable.js"
import * as Text from "./text.js"

/** Every entry counts 32 bytes beside its name and value (RFC 7541 section 4.1). */
export const entryOverhead = 32

const emptyBytes = Buffer.alloc(0)

export interface DecoderLimits {
  /** The table size that we advertised: what the peer may use at most, in bytes. */
  readonly maxTableSize: number
  readonly maxHeaderListSize: number
  readonly maxHeaderCount: number
}

const staticKinds = new Uint8Array(StaticTable.size + 1)
for (let i = 1; i <= StaticTable.size; i++) staticKinds[i] = nameOf(StaticTable.names[i] as string).kind

export class HpackDecoder {
  // --- what the last block said

  /** Why {@link decode} returned false. */
  error = ""
  /** The block holds more than the limits allow; it was decoded to its end, but its fields were not all kept. */
  tooLarge = false
  /** Why the block is not a valid response or trailer section (RFC 9113 section 8), or "". */
  malformed = ""
  /** 0 without `:status`. */
  status = 0
  apnsId: string | undefined = undefined
  /** -1 without `content-length`. */
  contentLength = -1
  /** Every other field, or in `raw` mode every field. */
  fields: Array<string> | undefined = undefined

  // --- the dynamic table: a ring, newest entry at `next - 1`

  private names: Array<string>
  private values: Array<string>
  private kinds: Uint8Array
  private readonly mask: number
  private next = 0
  private count = 0
  private used = 0
  private capacity: number

  // --- the block being decoded

  private bytes: Buffer = emptyBytes
  private position = 0
  private end = 0
  private listSize = 0
  private listCount = 0
  private regularSeen = false
  private valueForbidden = false

  private scratch: Buffer = Buffer.allocUnsafeSlow(512)

  constructor(private readonly limits: DecoderLimits, private readonly raw: boolean) {
    this.capacity = limits.maxTableSize
    let slots = 1
    while (slots * entryOverhead < limits.maxTableSize) slots *= 2
    this.mask = slots - 1
    this.names = new Array<string>(slots).fill("")
    this.values = new Array<string>(slots).fill("")
    this.kinds = new Uint8Array(slots)
  }

  /** The size of the dynamic table in bytes. */
  get tableSize(): number {
    return this.used
  }

  /** The entries of the dynamic table, newest first, flat. */
  table(): Array<string> {
    const entries: Array<string> = []
    for (let i = 0; i < this.count; i++) {
      const slot = this.next - 1 - i & this.mask
      entries.push(this.names[slot] as string, this.values[slot] as string)
    }
    return entries
  }

  /**
   * Decodes the block `bytes[start, end)`. False is a COMPRESSION_ERROR: {@link error} says which, and the decoder must
   * not be used any more. In all other cases the dynamic table stays equal to that of the peer.
   */
  decode(bytes: Buffer, start: number, end: number): boolean {
    this.tooLarge = false
    this.malformed = ""
    this.status = 0
    this.apnsId = undefined
    this.contentLength = -1
    this.fields = undefined
    this.listSize = 0
    this.listCount = 0
    this.regularSeen = false
    this.bytes = bytes
    this.position = start
    this.end = end
    const complete = this.decodeFields()
    this.bytes = emptyBytes
    return complete
  }

  private decodeFields(): boolean {
    const bytes = this.bytes
    const end = this.end
    let fieldSeen = false
    while (this.position < end) {
      const first = bytes[this.position] as number
      if (first >= 0x80) {
        // indexed (RFC 7541 section 6.1)
        let index = first & 0x7f
        if (index === 0x7f) {
          index = this.integer(0x7f)
          if (index < 0) return false
        } else {
          this.position++
        }
        fieldSeen = true
        if (index <= StaticTable.size) {
          if (index === 0) return this.fail("an indexed field with index 0")
          this.emit(
            StaticTable.names[index] as string,
            StaticTable.values[index] as string,
            staticKinds[index] as number
          )
        } else {
          index -= StaticTable.size
          if (index > this.count) return this.fail("an index beyond the dynamic table")
          const slot = this.next - index & this.mask
          this.emit(this.names[slot] as string, this.values[slot] as string, this.kinds[slot] as number)
        }
        continue
      }
      if ((first & 0xe0) === 0x20) {
        // a table size update (RFC 7541 section 6.3) stands before the first field (section 4.2)
        const size = this.integer(0x1f)
        if (size < 0) return false
        if (fieldSeen) return this.fail("a table size update behind a field")
        if (size > this.limits.maxTableSize) return this.fail("a table size update above the size that was allowed")
        this.capacity = size
        while (this.used > size) this.evict()
        continue
      }
      // a literal (RFC 7541 section 6.2), to be inserted into the table or not
      const insert = first >= 0x40
      const prefix = insert ? 0x3f : 0x0f
      fieldSeen = true
      let index = first & prefix
      if (index === prefix) {
        index = this.integer(prefix)
        if (index < 0) return false
      } else {
        this.position++
      }
      let name: string
      let kind: number
      if (index === 0) {
        const text = this.string()
        if (text === undefined) return false
        const found = nameOf(text)
        name = found.text
        kind = found.kind
      } else if (index <= StaticTable.size) {
        name = StaticTable.names[index] as string
        kind = staticKinds[index] as number
      } else {
        index -= StaticTable.size
        if (index > this.count) return this.fail("a name index beyond the dynamic table")
        const slot = this.next - index & this.mask
        name = this.names[slot] as string
        kind = (this.kinds[slot] as number) & ~badValue
      }
      const value = this.string()
      if (value === undefined) return false
      if (this.valueForbidden) kind |= badValue
      if (insert) this.insert(name, value, kind)
      this.emit(name, value, kind)
    }
    return true
  }

  private fail(error: string): false {
    this.error = error
    return false
  }

  /** An integer (RFC 7541 section 5.1) whose prefix is at the current position; -1 after {@link fail}. */
  private integer(prefix: number): number {
    const bytes = this.bytes
    let value = (bytes[this.position++] as number) & prefix
    if (value < prefix) return value
    // at most four more bytes, 28 bits: no valid size or index is that large
    for (let shift = 0; shift < 28; shift += 7) {
      if (this.position >= this.end) {
        this.fail("an integer that the block cuts off")
        return -1
      }
      const byte = bytes[this.position++] as number
      value += (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
    this.fail("an integer that is too large")
    return -1
  }

  /** A string (RFC 7541 section 5.2) at the current position; `undefined` after {@link fail}. */
  private string(): string | undefined {
    if (this.position >= this.end) {
      this.fail("a string that the block cuts off")
      return undefined
    }
    const bytes = this.bytes
    const first = bytes[this.position] as number
    let length = first & 0x7f
    if (length === 0x7f) {
      length = this.integer(0x7f)
      if (length < 0) return undefined
    } else {
      this.position++
    }
    const start = this.position
    const stop = start + length
    if (stop > this.end) {
      this.fail("a string that the block cuts off")
      return undefined
    }
    this.position = stop
    if (first < 0x80) {
      if (length === 0) {
        this.valueForbidden = false
        return ""
      }
      const text = Text.read(bytes, start, stop)
      this.valueForbidden = isBadValue(text)
      return text
    }
    const room = length * 8 / 5 + 2
    if (this.scratch.length < room) this.scratch = Buffer.allocUnsafeSlow(Math.ceil(room * 2))
    const scratch = this.scratch
    const characters = Huffman.decode(bytes, start, stop, scratch)
    if (characters < 0) {
      this.fail("a string with an invalid Huffman code or padding")
      return undefined
    }
    if (characters === 0) {
      this.valueForbidden = false
      return ""
    }
    this.valueForbidden = Huffman.forbidden || isSpace(scratch[0] as number) ||
      isSpace(scratch[characters - 1] as number)
    return Text.read(scratch, 0, characters)
  }

  private insert(name: string, value: string, kind: number): void {
    const size = name.length + value.length + entryOverhead
    const room = this.capacity - size
    while (this.used > room && this.count > 0) this.evict()
    // an entry larger than the table empties it and is no error (RFC 7541 section 4.4)
    if (room < 0) return
    const slot = this.next & this.mask
    this.names[slot] = name
    this.values[slot] = value
    this.kinds[slot] = kind
    this.next = this.next + 1 & 0x3fff_ffff
    this.count++
    this.used += size
  }

  private evict(): void {
    const slot = this.next - this.count & this.mask
    this.used -= (this.names[slot] as string).length + (this.values[slot] as string).length + entryOverhead
    this.names[slot] = ""
    this.values[slot] = ""
    this.count--
  }

  private emit(name: string, value: string, kind: number): void {
    this.listSize += name.length + value.length + entryOverhead
    this.listCount++
    if (this.listSize > this.limits.maxHeaderListSize || this.listCount > this.limits.maxHeaderCount) {
      this.tooLarge = true
      return
    }
    if (this.raw) {
      if (this.fields === undefined) this.fields = [name, value]
      else this.fields.push(name, value)
      return
    }
    switch (kind) {
      case Kind.status: {
        if (this.regularSeen) this.malformed = "a pseudo-header behind a regular field"
        else if (this.status !== 0) this.malformed = "two :status fields"
        else this.status = this.parseStatus(value)
        return
      }
      case Kind.apnsId: {
        this.regularSeen = true
        if (this.apnsId === undefined) this.apnsId = value
        else this.other(name, value)
        return
      }
      case Kind.contentLength: {
        this.regularSeen = true
        this.parseContentLength(value)
        this.other(name, value)
        return
      }
      case Kind.other: {
        this.regularSeen = true
        this.other(name, value)
        return
      }
      default: {
        this.malformed = (kind & badValue) !== 0
          ? "a field value with a character that is not allowed"
          : name.startsWith(":")
          ? "a pseudo-header that responses do not have"
          : "a field name that HTTP/2 does not allow"
      }
    }
  }

  private other(name: string, value: string): void {
    if (this.fields === undefined) this.fields = [name, value]
    else this.fields.push(name, value)
  }

  private parseStatus(value: string): number {
    if (value === "200") return 200
    if (!/^[1-9][0-9][0-9]$/.test(value)) {
      this.malformed = "a :status that is not a number of three digits"
      return 0
    }
    return Number(value)
  }

  private parseContentLength(value: string): void {
    if (!/^[0-9]{1,15}$/.test(value)) {
      this.malformed = "a content-length that is not a number"
      return
    }
    const length = Number(value)
    if (this.contentLength !== -1 && this.contentLength !== length) {
      this.malformed = "two different content-length fields"
    }
    this.contentLength = length
  }
}
