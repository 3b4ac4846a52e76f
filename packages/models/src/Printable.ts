/**
 * Text that came from outside, made safe to show: what a server, a proxy or a file says can hold line breaks, terminal
 * commands and marks that turn the direction of writing, and can be as long as it likes.
 *
 * @since 1.0.0
 */

/**
 * How many characters of a text are shown unless told otherwise.
 *
 * @since 1.0.0
 * @category constants
 */
export const defaultMaxLength = 256

const plain = /^[ -~]*$/

// C0, DEL and C1; the soft hyphen, zero-width and bidirectional controls; the separators of lines and paragraphs; the
// byte order mark; language tags; halves of surrogate pairs.
const unprintable =
  // eslint-disable-next-line no-control-regex
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e0fff}]|\p{Cs}/u

const named: ReadonlyMap<string, string> = new Map([["\n", "\\n"], ["\r", "\\r"], ["\t", "\\t"]])

const escape = (char: string): string => {
  if (!unprintable.test(char)) return char
  const name = named.get(char)
  if (name !== undefined) return name
  const code = (char.codePointAt(0) ?? 0).toString(16)
  return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, "0")}`
}

/**
 * The text with line breaks, control characters and marks that change the direction of writing escaped as in a
 * JavaScript string, and cut after `maxLength` characters (default 256), with how long it was. Use it wherever a message,
 * a log line or a terminal shows what somebody else wrote.
 *
 * @example
 * ```ts
 * import { Printable } from "@effect-apns/models"
 *
 * console.log(Printable.text("Bad\r\n\u001b[2JToken")) // Bad\r\n\u001b[2JToken, on one line
 * console.log(Printable.text("x".repeat(60_000), 3)) // xxx... (60000 characters)
 * ```
 *
 * @since 1.0.0
 * @category conversions
 */
export const text = (input: string, maxLength: number = defaultMaxLength): string => {
  if (input.length <= maxLength && plain.test(input)) return input
  let out = ""
  for (const char of input.length > maxLength ? input.slice(0, maxLength + 1) : input) {
    const shown = escape(char)
    if (out.length + shown.length > maxLength) return `${out}... (${input.length} characters)`
    out += shown
  }
  return out
}

/**
 * What a thrown value says, safe to show as {@link text} makes it: the message of an error, else the value as a text. What
 * was thrown may be anything, so reading it may throw, too: then it says `it threw`.
 *
 * @since 1.0.0
 * @category conversions
 */
export const thrown = (cause: unknown, maxLength: number = defaultMaxLength): string => {
  try {
    return text(isError(cause) ? cause.message : String(cause), maxLength)
  } catch {
    return "it threw"
  }
}

// not instanceof: in Jest and in other realms the errors of Node are of another class
const isError = (cause: unknown): cause is { readonly message: string } =>
  typeof cause === "object" && cause !== null && "message" in cause && typeof cause.message === "string"
