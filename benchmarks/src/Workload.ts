/**
 * What every client sends: the same notification to the same device tokens, so that rows differ in nothing but code.
 *
 * @since 0.1.0
 */

/**
 * The `apns-topic` of every request.
 *
 * @since 0.1.0
 * @category constants
 */
export const topic = "com.example.benchmark"

/**
 * The notification: 150 bytes of JSON, the size of an everyday alert.
 *
 * @since 0.1.0
 * @category constants
 */
export const payload = {
  aps: {
    alert: { title: "Lunch at twelve", body: "Wakey-wakey, ham and bakey! The usual table is booked for us." },
    sound: "default"
  },
  order: "8c1f3e5a-7b42-4d90"
} as const

/**
 * The payload as bytes, for the rows that take them.
 *
 * @since 0.1.0
 * @category constants
 */
export const body: Buffer = Buffer.from(JSON.stringify(payload))

/**
 * Length of a {@link marker}.
 *
 * @since 1.0.0
 * @category constants
 */
export const markerLength = 8

/**
 * What notification `index` carries where every notification is different: the number of its token.
 *
 * @since 1.0.0
 * @category constructors
 */
export const marker = (index: number): string => (index % distinctTokens).toString(16).padStart(markerLength, "0")

/**
 * The payload with a marker in its text and in its own key.
 *
 * @since 1.0.0
 * @category constructors
 */
export const marked = (marker: string) => ({
  aps: {
    alert: {
      title: payload.aps.alert.title,
      body: `Wakey-wakey, ham and bakey! Your table ${marker} is booked for you.`
    },
    sound: payload.aps.sound
  },
  order: `8c1f3e5a-${marker}`
})

/**
 * Device tokens in use at a time; notification `i` goes to token `i % distinctTokens` unless a row says otherwise.
 *
 * @since 0.1.0
 * @category constants
 */
export const distinctTokens = 20_000

/**
 * Notifications in flight at a time.
 *
 * @since 0.1.0
 * @category constants
 */
export const inFlight = 1_000

const suffixes = ((): ReadonlyArray<string> => {
  let state = 0x9e3779b9
  const word = (): string => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0).toString(16).padStart(8, "0")
  }
  return Array.from({ length: 1024 }, () => Array.from({ length: 7 }, word).join(""))
})()

/**
 * Device token number `index` (0 to 2^32-1): 8 hex digits of the index, then 56 that follow from it, so that the
 * receiver can tell a token with one wrong digit from a right one.
 *
 * @since 0.1.0
 * @category constructors
 */
export const token = (index: number): string =>
  // through a Buffer, because a concatenation stays a tree of strings until its first use, and a row would pay for it
  Buffer.from(index.toString(16).padStart(8, "0") + suffixes[index & 1023], "latin1").toString("latin1")

/**
 * The tokens `0` to `count - 1`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const tokens = (count = distinctTokens): Array<string> =>
  Array.from({ length: count }, (_, index) => token(index))

/**
 * The last 56 digits of all tokens as bytes: those of token `i` start at `(i & 1023) * 56`.
 *
 * @since 0.1.0
 * @category constants
 */
export const suffixBytes: Buffer = Buffer.from(suffixes.join(""), "latin1")

/**
 * How many of the notifications `first` to `first + count - 1` go to token `index`, out of `distinct` tokens.
 *
 * @since 0.1.0
 * @category accessors
 */
export const expectedAt = (index: number, first: number, count: number, distinct: number): number => {
  const upTo = (end: number): number => end <= index ? 0 : Math.floor((end - 1 - index) / distinct) + 1
  return upTo(first + count) - upTo(first)
}
