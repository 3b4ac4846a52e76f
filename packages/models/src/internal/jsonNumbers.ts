/**
 * @since 1.0.0
 */

/**
 * A number in a JSON text, and the keys that lead to it.
 *
 * @internal
 */
export interface Found {
  readonly path: ReadonlyArray<PropertyKey>
  readonly literal: string
}

const token = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|[[\]{},]/gs

/**
 * The first number in a JSON text that a JavaScript number cannot hold: an integer beyond 2^53 (the last digits would
 * change), or one that is too large altogether. The text must be JSON.
 *
 * @internal
 */
export const findUnsafe = (text: string): Found | undefined => {
  const path: Array<PropertyKey> = []
  let isKey = false
  for (const [lexeme] of text.matchAll(token)) {
    switch (lexeme) {
      case "{":
        path.push("")
        isKey = true
        break
      case "[":
        path.push(0)
        isKey = false
        break
      case "}":
      case "]":
        path.pop()
        isKey = false
        break
      case ",": {
        const last = path.at(-1)
        isKey = typeof last === "string"
        if (typeof last === "number") path[path.length - 1] = last + 1
        break
      }
      default:
        if (!lexeme.startsWith("\"")) {
          if (!isSafe(lexeme)) return { path: [...path], literal: lexeme }
        } else if (isKey) {
          path[path.length - 1] = String(JSON.parse(lexeme))
          isKey = false
        }
    }
  }
  return undefined
}

const isSafe = (literal: string): boolean => {
  const value = Number(literal)
  if (!Number.isFinite(value)) return false
  if (Number.isSafeInteger(value) || !Number.isInteger(value)) return true
  // with an exponent or a point it is a measurement, not an id: accepted if its value stays the same
  return (/[.eE]/.test(literal) || Math.abs(value) === 2 ** 53) && digits(literal) === digits(String(value))
}

/** The digits of a number and its power of ten. */
const digits = (literal: string): string => {
  const [, sign = "", whole = "", fraction = "", exponent = "0"] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(literal) ?? []
  const all = `${whole}${fraction}`.replace(/^0+/, "")
  const significant = all.replace(/0+$/, "")
  return `${sign}${significant}e${Number(exponent) - fraction.length + all.length - significant.length}`
}
