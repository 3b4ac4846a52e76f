import * as Printable from "@effect-apns/models/Printable"

/** The names that messages use for the identifiers: the option of the library, or the variable of the environment. */
export interface IdNames {
  readonly keyId: string
  readonly teamId: string
}

const pattern = /^[A-Z0-9]{10}$/

// The id itself is not secret, but a longer text may be.
const shown = (id: unknown): string =>
  typeof id !== "string"
    ? `(${id === null ? "null" : typeof id})`
    : id.length > 20
    ? `(${id.length} characters, not shown)`
    : Printable.text(JSON.stringify(id))

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** What was given instead of a key id or a team id, if it is a known mistake. */
const mistake = (kind: "Key ID" | "Team ID", id: string): string | undefined => {
  const bare = id.replace(/[\s"'`\u00a0\u200b-\u200f\u2060\ufeff]/g, "")
  const file = /(?:AuthKey|ApiKey|APNs?Key)[_-]?([A-Z0-9]{10})(?![A-Z0-9])/i.exec(bare)?.[1]
  if (file !== undefined) {
    return kind === "Key ID"
      ? `is the name of the key's file: give the 10 characters in it, ${file.toUpperCase()}`
      : "is the name of the key's file, which holds the Key ID: give the Team ID, shown on the membership page of Apple's developer site"
  }
  if (pattern.test(bare)) return `has quotes or white space in it: write ${bare}`
  if (pattern.test(bare.toUpperCase())) return `has lower-case letters: Apple writes it as ${bare.toUpperCase()}`
  if (uuid.test(bare)) {
    return `is an Issuer ID of App Store Connect, which APNs does not use: give the ${kind}, 10 upper-case letters and digits, shown on Apple's developer site`
  }
  const prefix = /^([A-Z0-9]{10})\.[\w.-]+$/.exec(bare)?.[1]
  if (prefix !== undefined && kind === "Team ID") {
    return `holds a bundle ID as well: give the 10 characters in front of it, ${prefix}, if they are your team's`
  }
  if (/^[\w-]+(?:\.[\w-]+)+$/.test(bare)) {
    return `looks like a bundle ID, which is the topic: give the ${kind}, 10 upper-case letters and digits, shown on Apple's developer site`
  }
  return undefined
}

const usual = (kind: "Key ID" | "Team ID", id: unknown): string => {
  const length = typeof id === "string" && /^[A-Z0-9]+$/.test(id) && id.length <= 20 ? `, it has ${id.length}` : ""
  return `is not 10 upper-case letters and digits${length}: give the ${kind} shown on Apple's developer site`
}

/** Why an identifier is not valid, and what to give instead; `name` is the name that the reader used. */
export const idProblem = (kind: "Key ID" | "Team ID", name: string, id: unknown): string =>
  `${name} ${shown(id)} ${(typeof id === "string" ? mistake(kind, id) : undefined) ?? usual(kind, id)}`
