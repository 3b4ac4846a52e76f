/**
 * A header block that came in parts: HEADERS without END_HEADERS, and the CONTINUATION frames behind it (RFC 9113
 * sections 4.3 and 6.10).
 */

const noBytes: Buffer = Buffer.alloc(0)

export class HeaderBlock {
  /** The stream that it belongs to; 0 while no block is open. */
  id = 0
  endsStream = false
  continuations = 0
  /** The parts so far are its first {@link length} bytes. */
  bytes: Buffer = noBytes
  length = 0

  begin(id: number, endsStream: boolean): void {
    this.id = id
    this.endsStream = endsStream
    this.continuations = 0
    this.length = 0
  }

  add(bytes: Buffer, start: number, end: number): void {
    const length = this.length + end - start
    if (length > this.bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(length, this.bytes.length * 2))
      larger.set(this.bytes.subarray(0, this.length))
      this.bytes = larger
    }
    this.bytes.set(bytes.subarray(start, end), this.length)
    this.length = length
  }

  /** Forgets the block and its memory. */
  drop(): void {
    this.id = 0
    this.bytes = noBytes
    this.length = 0
  }
}
