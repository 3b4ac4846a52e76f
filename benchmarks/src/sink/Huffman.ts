/**
 * The Huffman code of RFC 7541 appendix B, as far as visible ASCII and a receiver of push requests need it. Written
 * apart from the client's own tables on purpose: a mistake there cannot hide behind the same mistake here.
 *
 * @since 0.1.0
 */

/** Symbols by code length. The code is canonical: within a length, codes count up in symbol order. */
const byLength: ReadonlyArray<readonly [length: number, symbols: string]> = [
  [5, "012aceiost"],
  [6, " %-./3456789=A_bdfghlmnpru"],
  [7, ":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz"],
  [8, "&*,;XZ"],
  [10, "!\"()?"],
  [11, "'+|"],
  [12, "#>"],
  [13, "\0$@[]~"],
  [14, "^}"],
  [15, "<`{"]
]

const lengths = new Uint8Array(128)
const codes = new Uint16Array(128)

/** One table for every code of up to 15 bits: symbol << 4 | length; 0 where nothing starts with these bits. */
const table = new Uint16Array(1 << 15)

let next = 0
let width = 5
for (const [length, symbols] of byLength) {
  next <<= length - width
  width = length
  for (const symbol of [...symbols].map((char) => char.charCodeAt(0)).sort((a, b) => a - b)) {
    lengths[symbol] = length
    codes[symbol] = next
    const from = next << (15 - length)
    table.fill((symbol << 4) | length, from, from + (1 << (15 - length)))
    next++
  }
}

/**
 * Decodes `source[start, end)` into `target` and returns the number of bytes, or -1 when the code is invalid or holds
 * a byte outside visible ASCII.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decode = (source: Uint8Array, start: number, end: number, target: Uint8Array): number => {
  let bits = 0
  let held = 0
  let written = 0
  let at = start
  for (;;) {
    while (held < 15 && at < end) {
      bits = ((bits << 8) | (source[at++] ?? 0)) & 0xffffff
      held += 8
    }
    // fewer than 15 bits at the end are filled up with ones, which is the padding that RFC 7541 section 5.2 asks for
    const window = held >= 15
      ? (bits >>> (held - 15)) & 0x7fff
      : ((bits << (15 - held)) | ((1 << (15 - held)) - 1)) & 0x7fff
    const entry = table[window] ?? 0
    const length = entry & 15
    if (length === 0 || length > held) {
      return at === end && held < 8 && (bits & ((1 << held) - 1)) === (1 << held) - 1 ? written : -1
    }
    if (written === target.length) return -1
    target[written++] = entry >>> 4
    held -= length
    bits &= (1 << held) - 1
  }
}

/**
 * The code of one ASCII character and its length in bits.
 *
 * @since 0.1.0
 * @category encoding
 */
export const codeOf = (char: string): readonly [code: number, length: number] => {
  const symbol = char.charCodeAt(0)
  return [codes[symbol] ?? 0, lengths[symbol] ?? 0]
}
