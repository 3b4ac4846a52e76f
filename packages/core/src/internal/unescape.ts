/** Removes escapes. PEM is not changed by that: it has no backslash, ampersand, percent sign or character beyond ASCII. */

const entities: ReadonlyMap<string, string> = new Map([
  ["amp", "&"],
  ["quot", "\""],
  ["apos", "'"],
  ["lt", "<"],
  ["gt", ">"],
  ["nbsp", " "],
  ["plus", "+"],
  ["sol", "/"],
  ["equals", "="],
  ["newline", "\n"],
  ["tab", "\t"],
  ["hyphen", "-"],
  ["dash", "-"],
  ["ndash", "-"],
  ["mdash", "-"],
  ["minus", "-"],
  ["bsol", "\\"],
  ["lowbar", "_"]
])

const character = (code: string, radix: number): string => {
  const point = Number.parseInt(code, radix)
  return point <= 0xffff ? String.fromCharCode(point) : ""
}

/**
 * Invisible characters, colors of a terminal, and wide or otherwise decorated forms of letters and signs, which editors,
 * chats and web pages add.
 */
const visible = (text: string): string =>
  /^[\n\r\x20-\x7e]*$/.test(text)
    ? text
    // eslint-disable-next-line no-control-regex
    : text.replace(/\u001b\[[0-9;?]*[A-Za-z]/g, "").normalize("NFKC").replace(
      // eslint-disable-next-line no-control-regex
      /[\p{Cf}\p{Mn}\u0000\u115f\u1160\u3164]/gu,
      ""
    )

const once = (text: string): string =>
  text
    .replace(/(?<!\\)\\+\r?\n/g, "\n")
    .replace(/(?<!\\)\\+u\{([0-9a-f]{1,6})\}/gi, (_, code: string) => character(code, 16))
    .replace(/(?<!\\)\\+(?:U0000|u)00([0-9a-f]{2})/g, (_, code: string) => character(code, 16))
    .replace(/(?<!\\)\\+(?:u00|x)([0-9a-f]{2})/gi, (_, code: string) => character(code, 16))
    .replace(/(?<!\\)\\+(?:[nr]|01[25])/gi, "\n")
    .replace(/(?<!\\)\\+t/g, "\t")
    .replaceAll("\\", "")
    .replace(/&#(?:x0*([0-9a-f]{1,4})|0*([0-9]{1,5}));/gi, (_, hex: string | undefined, decimal: string) =>
      hex === undefined ? character(decimal, 10) : character(hex, 16))
    .replace(/&([a-z]{2,8});/gi, (whole, name: string) =>
      entities.get(name.toLowerCase()) ?? whole)
    .replace(/%(?:25)*([0-7][0-9a-f])/gi, (_, code: string) => character(code, 16))

/** How many layers of escapes are removed at most: JSON in JSON, `\n` that is percent-encoded. */
const deepest = 10

/**
 * Undoes the escapes of JSON, YAML, programs, shells, secret managers, web forms, HTML and XML, some of which were applied
 * several times over.
 */
export const unescaped = (text: string): string => {
  let before = visible(text)
  for (let i = 0; i < deepest; i++) {
    const after = once(before)
    if (after === before) return after
    before = visible(after)
  }
  return before
}

/** Decodes quoted-printable (RFC 2045 section 6.7), as in mails; `undefined` if the text has no sign of it. */
const ofMail = (text: string): string | undefined =>
  /=(?:[0-9A-F]{2}|\r?\n)/i.test(text)
    ? text
      .replace(/=[\t ]*\r?\n/g, "")
      .replace(/=([0-7][0-9A-F])/gi, (_, code: string) => character(code, 16))
    : undefined

/** What the text may have been before it was escaped, the most likely first. */
export const readings = (text: string): ReadonlyArray<string> => {
  const mail = ofMail(text)
  return Array.from(
    new Set([
      unescaped(text),
      // a single backslash for each line end: here it escapes nothing
      ...(text.includes("\\") ? [visible(text).replaceAll("\\", "\n")] : []),
      ...(mail === undefined ? [] : [unescaped(mail)])
    ])
  )
}
