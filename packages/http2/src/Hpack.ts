/**
 * HPACK header compression (RFC 7541): an encoder and a decoder that stand alone.
 *
 * Header lists are flat arrays: name, value, name, value. Strings hold one character for each byte (Latin-1). Both
 * sides of a connection keep state from block to block, so a connection needs one encoder and one decoder for each
 * direction, and every block has to pass through them in order.
 *
 * @example
 * ```ts
 * import * as Hpack from "@effect-apns/http2/Hpack"
 *
 * const encoder = new Hpack.Encoder({ sensitive: ["authorization"] })
 * const decoder = new Hpack.Decoder()
 * const block = encoder.encode([":status", "200", "apns-id", "eabeae54-14a8-11e5-b60b-1697f925ec7b"])
 * console.log(decoder.decode(block)) // [":status", "200", "apns-id", "eabeae54-14a8-11e5-b60b-1697f925ec7b"]
 * ```
 *
 * @since 0.1.0
 */
import { HpackDecoder } from "./internal/hpackDecoder.js"
import { HpackEncoder } from "./internal/hpackEncoder.js"
import { asBuffer } from "./internal/text.js"

/**
 * The initial size of the dynamic table in bytes (RFC 9113 section 6.5.2, SETTINGS_HEADER_TABLE_SIZE).
 *
 * @since 0.1.0
 * @category constants
 */
export const defaultTableSize = 4096

/**
 * A header block that cannot be decoded: the connection it came from is of no more use (RFC 9113 section 4.3,
 * COMPRESSION_ERROR), except after `kind: "too-large"`, which leaves the decoder in step.
 *
 * @since 0.1.0
 * @category errors
 */
export class HpackError extends Error {
  override readonly name = "HpackError"
  constructor(readonly kind: "malformed" | "too-large", message: string) {
    super(message)
  }
}

/**
 * How an {@link Encoder} encodes.
 *
 * @since 0.1.0
 * @category models
 */
export interface EncoderOptions {
  /** Size of the dynamic table in bytes that both sides start with. Default 4096. */
  readonly maxTableSize?: number | undefined
  /** Strings are Huffman-coded where that is not longer. Default true. */
  readonly huffman?: boolean | undefined
  /** Names of fields that do not enter the dynamic table (RFC 7541 section 6.2.2). Default none. */
  readonly unindexed?: ReadonlyArray<string> | undefined
  /** Names of fields that no intermediary may index either (RFC 7541 section 6.2.3). Default none. */
  readonly sensitive?: ReadonlyArray<string> | undefined
}

/**
 * The sending side. Every field enters the dynamic table, except those named in the options.
 *
 * @since 0.1.0
 * @category models
 */
export class Encoder {
  private readonly core: HpackEncoder
  private readonly unindexed: ReadonlySet<string>
  private readonly sensitive: ReadonlySet<string>

  constructor(options: EncoderOptions = {}) {
    this.core = new HpackEncoder(options.huffman ?? true, false, options.maxTableSize ?? defaultTableSize)
    this.unindexed = new Set(options.unindexed)
    this.sensitive = new Set(options.sensitive)
  }

  /** The size of the dynamic table in bytes (RFC 7541 section 4.1). */
  get tableSize(): number {
    return this.core.tableSize
  }

  /** Changes the size of the dynamic table; the next block tells the peer (RFC 7541 section 4.2). */
  setMaxTableSize(size: number): void {
    this.core.setCapacity(size)
  }

  /**
   * Encodes a flat header list as one header block. Throws a `TypeError` for a character above U+00FF, with nothing
   * changed.
   */
  encode(fields: ReadonlyArray<string>): Uint8Array {
    for (const text of fields) {
      for (let i = 0; i < text.length; i++) {
        if (text.charCodeAt(i) > 255) throw new TypeError(`The header text has a character above U+00FF at index ${i}`)
      }
    }
    this.core.begin()
    for (let i = 0; i + 1 < fields.length; i += 2) {
      const name = fields[i] as string
      this.core.field(
        name,
        fields[i + 1] as string,
        this.sensitive.has(name) ? "never" : this.unindexed.has(name) ? "literal" : "index"
      )
    }
    return this.core.copy()
  }
}

/**
 * What a {@link Decoder} accepts.
 *
 * @since 0.1.0
 * @category models
 */
export interface DecoderOptions {
  /** The size of the dynamic table that the peer may use, in bytes. Default 4096. */
  readonly maxTableSize?: number | undefined
  /** Uncompressed size of one header list in bytes, each field counting 32 more. Default 65536. */
  readonly maxHeaderListSize?: number | undefined
  /** Number of fields in one header list. Default 1000. */
  readonly maxHeaderCount?: number | undefined
}

/**
 * The receiving side. It only checks the encoding: what names and values mean is up to the caller.
 *
 * @since 0.1.0
 * @category models
 */
export class Decoder {
  private readonly core: HpackDecoder

  constructor(options: DecoderOptions = {}) {
    this.core = new HpackDecoder({
      maxTableSize: options.maxTableSize ?? defaultTableSize,
      maxHeaderListSize: options.maxHeaderListSize ?? 65_536,
      maxHeaderCount: options.maxHeaderCount ?? 1_000
    }, true)
  }

  /** The size of the dynamic table in bytes (RFC 7541 section 4.1). */
  get tableSize(): number {
    return this.core.tableSize
  }

  /** The dynamic table, newest entry first, flat. */
  get table(): Array<string> {
    return this.core.table()
  }

  /** Decodes one complete header block (`bytes[start, end)`) into a flat header list. Throws an {@link HpackError}. */
  decode(bytes: Uint8Array, start = 0, end: number = bytes.length): Array<string> {
    if (!this.core.decode(asBuffer(bytes), start, end)) {
      throw new HpackError("malformed", `The header block holds ${this.core.error}`)
    }
    const fields = this.core.fields ?? []
    this.core.fields = undefined
    if (this.core.tooLarge) throw new HpackError("too-large", "The header list is larger than the limits allow")
    return fields
  }
}
