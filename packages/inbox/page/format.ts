/** Numbers, times and names for people. */
import type { Outcome, Push } from "../src/Model.js"

const whole = new Intl.NumberFormat("en-US")

export const count = (value: number): string => whole.format(value)

export const plural = (value: number, one: string, many = `${one}s`): string =>
  `${count(value)} ${value === 1 ? one : many}`

/** As a lock screen says when. */
export const ago = (time: number, now: number): string => {
  const seconds = Math.max(0, Math.round((now - time) / 1000))
  if (seconds < 10) return "now"
  if (seconds < 60) return `${Math.floor(seconds / 10) * 10}s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`
  return `${Math.floor(seconds / 86_400)}d`
}

const pad = (value: number, digits = 2): string => String(value).padStart(digits, "0")

export const clock = (time: number): string => {
  const date = new Date(time)
  return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}.${pad(date.getMilliseconds(), 3)}`
}

export const day = (time: number): string => new Date(time).toISOString()

/** A span of time in the two largest units that say something. */
export const span = (seconds: number): string => {
  const value = Math.abs(seconds)
  if (value < 120) return `${Math.round(value)} s`
  if (value < 7200) return `${Math.round(value / 60)} min`
  if (value < 172_800) return `${Math.round(value / 3600)} h`
  return `${Math.round(value / 86_400)} days`
}

/** One of twelve hues, the same for the same text. */
export const hue = (text: string): string => {
  let sum = 0
  for (let i = 0; i < text.length; i++) sum = (sum * 31 + text.charCodeAt(i)) >>> 0
  return `hue-${sum % 12}`
}

export const initials = (name: string): string => {
  const words = name.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word))
  const first = Array.from(words[0] ?? "?")
  const second = Array.from(words[1] ?? "")
  return ((first[0] ?? "?") + (second[0] ?? "")).toUpperCase()
}

export const short = (token: string): string => token.length > 20 ? `${token.slice(0, 8)}…${token.slice(-6)}` : token

const said: Readonly<Record<Outcome, string>> = {
  accepted: "Accepted",
  rejected: "Rejected",
  unanswered: "Processed, answer withheld",
  lost: "Lost before it was processed",
  waiting: "Not processed yet"
}

export const outcome = (push: Pick<Push, "outcome" | "status" | "reason">): string =>
  push.outcome === "accepted"
    ? `${said.accepted}, ${push.status ?? 200}`
    : push.outcome === "rejected"
    ? `${push.status ?? ""} ${push.reason ?? said.rejected}`.trim()
    : said[push.outcome]

const kinds: Readonly<Record<string, string>> = {
  alert: "Alert",
  background: "Background",
  complication: "Complication",
  controls: "Control",
  fileprovider: "File Provider",
  liveactivity: "Live Activity",
  location: "Location",
  mdm: "Device management",
  pushtotalk: "Push to Talk",
  voip: "VoIP call",
  widgets: "Widgets",
  channel: "Channel",
  other: "Other"
}

export const kind = (push: Pick<Push, "kind" | "broadcast" | "pushType">): string =>
  push.broadcast ? "Broadcast" : push.kind === "other" ? push.pushType ?? "Other" : kinds[push.kind] ?? push.kind

/** What a screen reader says of a push. */
export const sentence = (push: Push): string =>
  [
    push.app,
    push.level === "time-sensitive" ? "time-sensitive" : undefined,
    push.critical ? "critical" : undefined,
    push.kind === "alert" ? undefined : kind(push),
    push.title,
    push.subtitle,
    push.body,
    push.outcome === "accepted" ? undefined : outcome(push),
    push.errors > 0 ? plural(push.errors, "error") : undefined
  ].filter((part) => part !== undefined && part !== "").join(", ")

/** JSON text cut into pieces by what they are. */
export interface Piece {
  readonly text: string
  readonly type: "key" | "string" | "number" | "word" | "mark"
}

const pieces = /("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|\b(true|false|null)\b|([^"\d\w-]+|[\w-])/g

export const highlight = (json: string): ReadonlyArray<Piece> => {
  const found: Array<Piece> = []
  for (const [whole, quoted, colon, digits, word] of json.matchAll(pieces)) {
    if (quoted !== undefined) {
      found.push({ text: quoted, type: colon === undefined ? "string" : "key" })
      if (colon !== undefined) found.push({ text: colon, type: "mark" })
    } else {
      found.push({ text: whole, type: digits !== undefined ? "number" : word !== undefined ? "word" : "mark" })
    }
  }
  return found
}
