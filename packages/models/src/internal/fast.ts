/**
 * @since 0.1.0
 */
import * as InterruptionLevel from "../InterruptionLevel.js"
import * as Json from "../Json.js"
import type * as Localized from "../Localized.js"
import type * as Notification from "../Notification.js"

/**
 * The payload text of a notification that is certainly valid, in one pass; `undefined` for all others, which the Schemas
 * then check and explain. If it returns a text, it is equal to that of the Schemas, byte for byte.
 *
 * @internal
 */
export const encode = (notification: Exclude<Notification.Notification, Notification.Raw>): string | undefined => {
  switch (notification.pushType) {
    case "alert":
      return encodeContent(notification, true)
    case "complication":
    case "location":
    case "pushtotalk":
    case "voip":
      return encodeContent(notification, false)
    case "background":
      return encodeBackground(notification)
    default:
      return undefined
  }
}

const contentKeys: ReadonlySet<PropertyKey> = new Set([
  "pushType",
  "alert",
  "badge",
  "sound",
  "threadId",
  "category",
  "contentAvailable",
  "mutableContent",
  "targetContentId",
  "interruptionLevel",
  "relevanceScore",
  "filterCriteria",
  "urlArgs",
  "custom"
])

const alertKeys: ReadonlySet<PropertyKey> = new Set([
  "title",
  "subtitle",
  "body",
  "launchImage",
  "action",
  "actionLocKey",
  "summaryArg",
  "summaryArgCount"
])

const localizedKeys: ReadonlySet<PropertyKey> = new Set(["key", "args"])

const soundKeys: ReadonlySet<PropertyKey> = new Set(["critical", "name", "volume"])

const backgroundKeys: ReadonlySet<PropertyKey> = new Set(["pushType", "custom"])

const hasOnly = (input: object, keys: ReadonlySet<PropertyKey>): boolean => {
  if (Array.isArray(input)) return false
  for (const key in input) {
    if (!keys.has(key)) return false
  }
  return true
}

// Each writer below returns the text so far, or undefined to give up; keys come in the order of their bytes.

const encodeContent = (content: Notification.Content, always: boolean): string | undefined => {
  if (!hasOnly(content, contentKeys)) return undefined
  const {
    alert,
    badge,
    category,
    contentAvailable,
    custom,
    filterCriteria,
    interruptionLevel,
    mutableContent,
    relevanceScore,
    sound,
    targetContentId,
    threadId,
    urlArgs
  } = content
  let out = ""
  if (alert !== undefined) {
    const text = encodeAlert(alert)
    if (text === undefined) return undefined
    out += `,"alert":${text}`
  }
  if (badge !== undefined) {
    if (!Number.isSafeInteger(badge) || badge < 0) return undefined
    out += `,"badge":${badge}`
  }
  if (category !== undefined) {
    if (typeof category !== "string") return undefined
    out += `,"category":${JSON.stringify(category)}`
  }
  if (contentAvailable !== undefined) {
    if (contentAvailable !== true) return undefined
    out += ",\"content-available\":1"
  }
  if (filterCriteria !== undefined) {
    if (typeof filterCriteria !== "string") return undefined
    out += `,"filter-criteria":${JSON.stringify(filterCriteria)}`
  }
  if (interruptionLevel !== undefined) {
    if (!InterruptionLevel.is(interruptionLevel)) return undefined
    out += `,"interruption-level":"${interruptionLevel}"`
  }
  if (mutableContent !== undefined) {
    if (mutableContent !== true) return undefined
    out += ",\"mutable-content\":1"
  }
  if (relevanceScore !== undefined) {
    if (!isFraction(relevanceScore)) return undefined
    out += `,"relevance-score":${relevanceScore}`
  }
  if (sound !== undefined) {
    const text = encodeSound(sound)
    if (text === undefined) return undefined
    out += `,"sound":${text}`
  }
  if (targetContentId !== undefined) {
    if (typeof targetContentId !== "string") return undefined
    out += `,"target-content-id":${JSON.stringify(targetContentId)}`
  }
  if (threadId !== undefined) {
    if (typeof threadId !== "string") return undefined
    out += `,"thread-id":${JSON.stringify(threadId)}`
  }
  if (urlArgs !== undefined) {
    if (!isStrings(urlArgs)) return undefined
    out += `,"url-args":${JSON.stringify(urlArgs)}`
  }
  return envelope(`{${out.slice(1)}}`, custom, always || out !== "")
}

const encodeBackground = (notification: Notification.Background): string | undefined =>
  hasOnly(notification, backgroundKeys) ? envelope("{\"content-available\":1}", notification.custom, true) : undefined

const envelope = (aps: string, custom: Json.JsonObject | undefined, always: boolean): string | undefined => {
  if (custom === undefined) return `{"aps":${aps}}`
  if (typeof custom !== "object" || custom === null || Array.isArray(custom) || !Json.is(custom)) return undefined
  let out = ""
  let due = true
  for (const key of Object.keys(custom).sort()) {
    if (key === "aps") return undefined
    const value = custom[key]
    if (value === undefined) continue
    if (always && due && key > "aps") {
      due = false
      out += `,"aps":${aps}`
    }
    out += `,${JSON.stringify(key)}:${Json.write(value)}`
  }
  if ((always && due) || out === "") out += `,"aps":${aps}`
  return `{${out.slice(1)}}`
}

const encodeAlert = (alert: NonNullable<Notification.Content["alert"]>): string | undefined => {
  if (typeof alert === "string") return JSON.stringify(alert)
  if (typeof alert !== "object" || alert === null || !hasOnly(alert, alertKeys)) return undefined
  const { action, actionLocKey, body, launchImage, subtitle, summaryArg, summaryArgCount, title } = alert
  if (
    !isText(title) || !isText(subtitle) || !isText(body) || !isOptionalString(launchImage) ||
    !isOptionalString(action) ||
    !isOptionalString(actionLocKey) || !isOptionalString(summaryArg) ||
    !(summaryArgCount === undefined || (Number.isSafeInteger(summaryArgCount) && summaryArgCount >= 0))
  ) return undefined
  let out = ""
  if (action !== undefined) out += `,"action":${JSON.stringify(action)}`
  if (actionLocKey !== undefined) out += `,"action-loc-key":${JSON.stringify(actionLocKey)}`
  if (typeof body === "string") out += `,"body":${JSON.stringify(body)}`
  if (launchImage !== undefined) out += `,"launch-image":${JSON.stringify(launchImage)}`
  if (typeof body === "object") out += lookup(body, "")
  if (typeof subtitle === "string") out += `,"subtitle":${JSON.stringify(subtitle)}`
  if (typeof subtitle === "object") out += lookup(subtitle, "subtitle-")
  if (summaryArg !== undefined) out += `,"summary-arg":${JSON.stringify(summaryArg)}`
  if (summaryArgCount !== undefined) out += `,"summary-arg-count":${summaryArgCount}`
  if (typeof title === "string") out += `,"title":${JSON.stringify(title)}`
  if (typeof title === "object") out += lookup(title, "title-")
  return `{${out.slice(1)}}`
}

const lookup = ({ args, key }: Localized.Localized, prefix: string): string =>
  (args === undefined ? "" : `,"${prefix}loc-args":${JSON.stringify(args)}`) +
  `,"${prefix}loc-key":${JSON.stringify(key)}`

const encodeSound = (sound: NonNullable<Notification.Content["sound"]>): string | undefined => {
  if (typeof sound === "string") return JSON.stringify(sound)
  if (typeof sound !== "object" || sound === null || !hasOnly(sound, soundKeys)) return undefined
  const { critical, name, volume } = sound
  let out = ""
  if (critical !== undefined) {
    if (typeof critical !== "boolean") return undefined
    out += `,"critical":${critical ? 1 : 0}`
  }
  if (name !== undefined) {
    if (typeof name !== "string") return undefined
    out += `,"name":${JSON.stringify(name)}`
  }
  if (volume !== undefined) {
    if (!isFraction(volume)) return undefined
    out += `,"volume":${volume}`
  }
  return `{${out.slice(1)}}`
}

const isText = (input: string | Localized.Localized | undefined): boolean =>
  input === undefined || typeof input === "string" || (
    typeof input === "object" && input !== null && hasOnly(input, localizedKeys) && typeof input.key === "string" &&
    (input.args === undefined || isStrings(input.args))
  )

const isOptionalString = (input: unknown): boolean => input === undefined || typeof input === "string"

const isStrings = (input: unknown): boolean => Array.isArray(input) && input.every((item) => typeof item === "string")

const isFraction = (input: unknown): boolean => typeof input === "number" && input >= 0 && input <= 1
