/**
 * Reads an app's strings: `.strings` files and string catalogs (`.xcstrings`), and fills placeholders.
 *
 * @internal
 */
import type { Strings } from "../Strings.js"

const isObject = (input: unknown): input is Readonly<Record<string, unknown>> =>
  typeof input === "object" && input !== null && !Array.isArray(input)

const field = (input: unknown, name: string): unknown =>
  isObject(input) && Object.hasOwn(input, name) ? input[name] : undefined

/** UTF-8, or UTF-16, which older versions of Xcode wrote. */
const textOf = (bytes: Uint8Array): string => {
  const [first, second] = bytes
  const encoding = first === 0xff && second === 0xfe
    ? "utf-16le"
    : first === 0xfe && second === 0xff
    ? "utf-16be"
    : "utf-8"
  return new TextDecoder(encoding).decode(bytes)
}

const escapes: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", "0": "\0" }

/** `"key" = "value";` with comments, quoted or bare words. */
const tokens = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"((?:[^"\\]|\\[\s\S])*)"|([A-Za-z0-9_.$/:-]+)|[=;]|\s+|([\s\S])/g

const unescape = (quoted: string): string =>
  quoted.replace(
    /\\(?:U([0-9a-fA-F]{4})|([\s\S]))/g,
    (_, hex: string | undefined, character: string | undefined) =>
      hex === undefined
        ? escapes[character ?? ""] ?? character ?? ""
        : String.fromCharCode(Number.parseInt(hex, 16))
  )

/** @internal */
export const parseStrings = (text: string): Map<string, string> | string => {
  const found = new Map<string, string>()
  let statement: Array<string> = []
  let line = 1
  for (const match of text.matchAll(tokens)) {
    const [whole, quoted, bare, other] = match
    if (quoted !== undefined) statement.push(unescape(quoted))
    else if (bare !== undefined) statement.push(bare)
    else if (whole === ";") {
      const [key, value] = statement
      if (key === undefined || value === undefined || statement.length !== 2) {
        return `line ${line} is not "key" = "value";`
      }
      found.set(key, value)
      statement = []
    } else if (other !== undefined && other !== "\ufeff") {
      return `line ${line} has an unexpected ${JSON.stringify(other)}`
    }
    line += whole.split("\n").length - 1
  }
  return statement.length === 0 ? found : `line ${line}: the last statement does not end`
}

const unit = (localization: unknown): string | undefined => {
  if (!isObject(localization)) return undefined
  const value = field(field(localization, "stringUnit"), "value")
  if (typeof value === "string") return value
  // only the device knows the plural form for a number: the general one is used for all
  for (const variation of ["plural", "device"]) {
    const forms = field(field(localization, "variations"), variation)
    for (const form of ["other", "iphone"]) {
      const found = unit(field(forms, form))
      if (found !== undefined) return found
    }
  }
  return undefined
}

/** @internal */
export const parseCatalog = (text: string, language: string | undefined): Map<string, string> | string => {
  let catalog: unknown
  try {
    catalog = JSON.parse(text)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
  const strings = field(catalog, "strings")
  if (!isObject(strings)) return "it has no \"strings\""
  const source = field(catalog, "sourceLanguage")
  const found = new Map<string, string>()
  for (const [key, entry] of Object.entries(strings)) {
    const localizations = field(entry, "localizations")
    const wanted = language === undefined ? undefined : unit(field(localizations, language))
    const original = typeof source === "string" ? unit(field(localizations, source)) : undefined
    // in a catalog, strings that are equal to their key are left out
    found.set(key, wanted ?? original ?? key)
  }
  return found
}

/** @internal */
export const parse = (name: string, bytes: Uint8Array, language: string | undefined): Map<string, string> | string => {
  const text = textOf(bytes)
  if (name.endsWith(".xcstrings")) return parseCatalog(text, language)
  return text.startsWith("bplist") ? "it is a compiled .strings file: give the source file" : parseStrings(text)
}

const placeholder = /%(?:(\d+)\$)?[-+ 0#]*\d*(?:\.\d+)?(?:hh|h|ll|l|q|L|z|t|j)?([@dDiuUxXoOfFeEgGcCsSaAp])|%%/g

/** @internal */
export const fill = (format: string, args: ReadonlyArray<string>): string => {
  let next = 0
  return format.replace(placeholder, (whole, position: string | undefined, type: string | undefined) => {
    if (type === undefined) return "%"
    return args[position === undefined ? next++ : Number(position) - 1] ?? whole
  })
}

/** @internal */
export const make = (strings: ReadonlyMap<string, string>): Strings => ({
  size: strings.size,
  localize: (key, args) => {
    const format = strings.get(key)
    return format === undefined ? undefined : fill(format, args)
  }
})
