/**
 * The Huffman code of RFC 7541 appendix B. It is canonical (code words of one length are consecutive, in symbol
 * order), so the lengths of its 257 code words, the last of them EOS, say everything.
 */

/** One base-36 digit for each symbol: the length of its code word in bits. */
const lengthDigits = "dnsssssssoussussssssssusssssssss" +
  "6aacd68baa8b8666555666666678f6ca" +
  "d67777777777777777777777878djde6" +
  "f56565666577666567655677777fbeds" +
  "kmkkmmmnmnnnnnonoomnonnnnlmnmnno" +
  "mlkmmnnlnmmolmnnllmlnmnnkmmmnmmn" +
  "qqkjmnmpqqqrrqopjlqrrqrollqqsrrr" +
  "koklmllnmmppooqnqrqqrrrrrsrrrrrq" +
  "u"

export const EOS = 256

const maxLength = 30

/** Bits that one look-up decodes. */
const lookupBits = 12
const lookupMask = (1 << lookupBits) - 1

const lengths = new Uint8Array(EOS + 1)
const codes = new Uint32Array(EOS + 1)

// the canonical code by length: its first code word, how many there are, and where their symbols start in `symbols`
const firstCode = new Uint32Array(maxLength + 1)
const countOf = new Uint16Array(maxLength + 1)
const firstSymbol = new Uint16Array(maxLength + 1)
const symbols = new Uint16Array(EOS + 1)

/**
 * What the next 12 bits decode to: one or two whole symbols, as
 * `first | second << 8 | bits of both << 16 | bits of the first << 20 | number of symbols << 24`; 0 for code words
 * longer than 12 bits.
 */
const lookup = new Int32Array(1 << lookupBits)

/** The tables are built for the first text, not when the library is imported. */
let built = false

const build = (): void => {
  built = true
  for (let symbol = 0; symbol <= EOS; symbol++) {
    const length = parseInt(lengthDigits.charAt(symbol), 36)
    lengths[symbol] = length
    countOf[length] = (countOf[length] as number) + 1
  }
  let code = 0
  let index = 0
  for (let length = 1; length <= maxLength; length++) {
    code = code * 2
    firstCode[length] = code
    firstSymbol[length] = index
    for (let symbol = 0; symbol <= EOS; symbol++) {
      if (lengths[symbol] === length) {
        codes[symbol] = code++
        symbols[index++] = symbol
      }
    }
  }
  const first = new Int32Array(1 << lookupBits)
  for (let symbol = 0; symbol < EOS; symbol++) {
    const length = lengths[symbol] as number
    if (length > lookupBits) continue
    const start = (codes[symbol] as number) << (lookupBits - length)
    first.fill(symbol | length << 20 | length << 16 | 1 << 24, start, start + (1 << (lookupBits - length)))
  }
  for (let bits = 0; bits <= lookupMask; bits++) {
    const one = first[bits] as number
    const length = one >>> 20 & 15
    // the bits after the first symbol, shifted up; the bits that are shifted in are unknown and must not be used
    const two = length === 0 ? 0 : first[bits << length & lookupMask] as number
    const both = length + (two >>> 20 & 15)
    lookup[bits] = two === 0 || both > lookupBits
      ? one
      : (one & 0xff) | (two & 0xff) << 8 | both << 16 | length << 20 | 2 << 24
  }
}

/**
 * Set by {@link decode} when the text holds a character that RFC 9113 section 8.2.1 forbids in field values: NUL, LF
 * or CR. Their code words are longer than 12 bits, so the fast path never meets one.
 */
export let forbidden = false

/**
 * Decodes `bytes[start, end)` into `target`, which has room for 8/5 of the length and two bytes more, and returns the
 * number of characters; -1 for an invalid code word, EOS, or invalid padding (RFC 7541 section 5.2).
 */
export const decode = (bytes: Uint8Array, start: number, end: number, target: Uint8Array): number => {
  if (!built) build()
  forbidden = false
  let position = start
  let out = 0
  // the lowest `bits` bits of `window` are those not decoded yet; what is above them is stale
  let window = 0
  let bits = 0
  for (;;) {
    if (bits < lookupBits) {
      if (position + 1 < end) {
        window = window << 16 | (bytes[position] as number) << 8 | (bytes[position + 1] as number)
        position += 2
        bits += 16
      } else if (position < end) {
        window = window << 8 | (bytes[position++] as number)
        bits += 8
      }
      if (bits < lookupBits) break
    }
    const found = lookup[window >>> (bits - lookupBits) & lookupMask] as number
    if (found !== 0) {
      target[out] = found
      target[out + 1] = found >>> 8
      out += found >>> 24
      bits -= found >>> 16 & 15
      continue
    }
    // a long code word, bit by bit from its start
    let code = 0
    let length = 0
    let symbol = -1
    while (length < maxLength) {
      if (bits === 0) {
        if (position === end) return -1
        window = bytes[position++] as number
        bits = 8
      }
      bits--
      code = code << 1 | window >>> bits & 1
      length++
      const index = code - (firstCode[length] as number)
      if (index >= 0 && index < (countOf[length] as number)) {
        symbol = symbols[(firstSymbol[length] as number) + index] as number
        break
      }
    }
    if (symbol === EOS || symbol < 0) return -1
    if (symbol === 0 || symbol === 10 || symbol === 13) forbidden = true
    target[out++] = symbol
  }
  // fewer than 12 bits are left: with ones behind them they decode to at most two symbols and less than a byte of ones
  while (bits > 0) {
    const ones = (1 << (lookupBits - bits)) - 1
    const found = lookup[(window << (lookupBits - bits) | ones) & lookupMask] as number
    const length = found >>> 20 & 15
    if (found === 0 || length > bits) {
      const rest = (1 << bits) - 1
      return bits < 8 && (window & rest) === rest ? out : -1
    }
    target[out++] = found
    bits -= length
  }
  return out
}

/**
 * The number of bytes that `text` (code units up to 255) takes.
 */
export const encodedLength = (text: string): number => {
  if (!built) build()
  let bits = 0
  for (let i = 0; i < text.length; i++) bits += lengths[text.charCodeAt(i)] as number
  return bits + 7 >>> 3
}

/**
 * Encodes `text` (code units up to 255) into `target` at `offset`, pads with ones, and returns the offset behind it.
 */
export const encode = (text: string, target: Uint8Array, offset: number): number => {
  if (!built) build()
  let current = 0
  let free = 8
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i)
    const code = codes[symbol] as number
    let left = lengths[symbol] as number
    while (left > 0) {
      const take = Math.min(free, left)
      left -= take
      current = current << take | code >>> left & (1 << take) - 1
      free -= take
      if (free === 0) {
        target[offset++] = current
        current = 0
        free = 8
      }
    }
  }
  if (free < 8) target[offset++] = current << free | (1 << free) - 1
  return offset
}
