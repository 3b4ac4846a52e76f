/**
 * Writes answers: HEADERS with END_STREAM, `:status: 200` from the static table and an `apns-id` of its own with
 * incremental indexing and Huffman coding, as nghttp2 and its kin send them.
 *
 * @since 0.1.0
 */
import * as Huffman from "./Huffman.js"

/** For every group of four hex digits its Huffman code (at most 24 bits) and the code's length. */
const groupCodes = new Uint32Array(65536)
const groupLengths = new Uint8Array(65536)
for (let group = 0; group < 65536; group++) {
  let code = 0
  let length = 0
  for (const digit of group.toString(16).padStart(4, "0")) {
    const [digitCode, digitLength] = Huffman.codeOf(digit)
    code = (code << digitLength) | digitCode
    length += digitLength
  }
  groupCodes[group] = code
  groupLengths[group] = length
}
const [dashCode, dashLength] = Huffman.codeOf("-")

/**
 * Room that one answer may need, in bytes.
 *
 * @since 0.1.0
 * @category constants
 */
export const maxAnswerBytes = 9 + 6 + 2 + 8 + 1 + 27

const rejections = {
  410: Buffer.from(JSON.stringify({ reason: "Unregistered", timestamp: 1_767_225_600_000 }), "latin1"),
  503: Buffer.from(JSON.stringify({ reason: "ServiceUnavailable" }), "latin1")
}

/**
 * The most bytes that an answer with a reason takes.
 *
 * @since 1.0.0
 * @category constants
 */
export const maxRejectionBytes = maxAnswerBytes + 9 + rejections[410].length

/**
 * The sum (mod 2^32) of the first eight digits of an `apns-id`, over which both sides agree that they mean the same ids.
 *
 * @since 0.1.0
 * @category accessors
 */
export const addId = (sum: number, id: string): number => (sum + Number.parseInt(id.slice(0, 8), 16)) >>> 0

const frameHead = (
  target: Buffer,
  at: number,
  length: number,
  type: number,
  flags: number,
  streamId: number
): number => {
  target[at] = length >>> 16
  target[at + 1] = length >>> 8
  target[at + 2] = length
  target[at + 3] = type
  target[at + 4] = flags
  target[at + 5] = streamId >>> 24
  target[at + 6] = streamId >>> 16
  target[at + 7] = streamId >>> 8
  target[at + 8] = streamId
  return at + 9
}

/**
 * One writer for each connection, because the dynamic table belongs to a connection.
 *
 * @since 0.1.0
 * @category models
 */
export class AnswerWriter {
  /** The sum of the ids written, see {@link addId}. */
  idSum = 0
  /** What the peer's SETTINGS_HEADER_TABLE_SIZE allows. */
  tableSize = 4096
  private named = false
  private counter = 0
  private state: number

  constructor(private readonly connection: number) {
    this.state = (0x2545f491 ^ Math.imul(connection + 1, 0x9e3779b1)) | 1
  }

  /** Writes a 410 or 503 with its reason to `streamId` at `at` and returns the offset after it. */
  reject(target: Buffer, at: number, streamId: number, status: 410 | 503): number {
    const rejection = rejections[status]
    at = this.write(target, at, streamId, status)
    at = frameHead(target, at, rejection.length, 0x0, 0x1, streamId)
    return at + rejection.copy(target, at)
  }

  /** Writes the answer to `streamId` at `at` and returns the offset after it. */
  write(target: Buffer, at: number, streamId: number, status: 200 | 410 | 503 = 200): number {
    const start = at
    at += 9
    if (status === 200) target[at++] = 0x88
    else {
      // a literal without indexing, its name that of entry 8 (RFC 7541 section 6.2.2)
      target[at++] = 0x08
      target[at++] = 3
      at += target.write(String(status), at, "latin1")
    }
    // `apns-id` is 7 + 36 + 32 = 75 octets in the dynamic table; the latest one is always entry 62
    if (this.tableSize < 75) {
      target[at++] = 0x00
      at = this.writeName(target, at)
    } else if (this.named) {
      target[at++] = 0x7e
    } else {
      target[at++] = 0x40
      at = this.writeName(target, at)
      this.named = true
    }
    at = this.writeId(target, at)
    frameHead(target, start, at - start - 9, 0x1, status === 200 ? 0x5 : 0x4, streamId)
    return at
  }

  private writeName(target: Buffer, at: number): number {
    target[at++] = 7
    return at + target.write("apns-id", at, "latin1")
  }

  private random(): number {
    this.state ^= this.state << 13
    this.state ^= this.state >>> 17
    this.state ^= this.state << 5
    return this.state >>> 0
  }

  /** A version 4 UUID whose last twelve digits are the connection and a counter, so that no two are alike. */
  private writeId(target: Buffer, at: number): number {
    const head = this.random()
    const middle = this.random()
    const count = this.counter++
    this.idSum = (this.idSum + head) >>> 0
    const lengthAt = at++
    this.bits = 0
    this.held = 0
    at = this.group(target, at, head >>> 16)
    at = this.group(target, at, head & 0xffff)
    at = this.dash(target, at)
    at = this.group(target, at, middle >>> 16)
    at = this.dash(target, at)
    at = this.group(target, at, 0x4000 | (middle & 0xfff))
    at = this.dash(target, at)
    at = this.group(target, at, 0x8000 | ((middle >>> 3) & 0x3fff))
    at = this.dash(target, at)
    at = this.group(target, at, this.connection & 0xffff)
    at = this.group(target, at, count >>> 16)
    at = this.group(target, at, count & 0xffff)
    if (this.held > 0) target[at++] = (this.bits << (8 - this.held)) | ((1 << (8 - this.held)) - 1)
    target[lengthAt] = 0x80 | (at - lengthAt - 1)
    return at
  }

  private bits = 0
  private held = 0

  private group(target: Buffer, at: number, group: number): number {
    return this.put(target, at, groupCodes[group] ?? 0, groupLengths[group] ?? 0)
  }

  private dash(target: Buffer, at: number): number {
    return this.put(target, at, dashCode, dashLength)
  }

  private put(target: Buffer, at: number, code: number, length: number): number {
    // at most 7 bits are held and at most 24 come in: 31 bits, which is what an integer holds
    let bits = (this.bits << length) | code
    let held = this.held + length
    while (held >= 8) {
      held -= 8
      target[at++] = bits >>> held
    }
    bits &= (1 << held) - 1
    this.bits = bits
    this.held = held
    return at
  }
}
