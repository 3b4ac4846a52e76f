/**
 * The rules of `Lint`, section by section: body, headers, `aps`, and what each push type adds.
 *
 * @internal
 */
import type * as Lint from "../Lint.js"
import * as Printable from "../Printable.js"
import * as PushType from "../PushType.js"
import * as UnixTime from "../UnixTime.js"

const usernotifications = "https://developer.apple.com/documentation/usernotifications"

const pages = {
  payload: ["Generating a remote notification", `${usernotifications}/generating-a-remote-notification`],
  request: ["Sending notification requests to APNs", `${usernotifications}/sending-notification-requests-to-apns`],
  response: [
    "Handling notification responses from APNs",
    `${usernotifications}/handling-notification-responses-from-apns`
  ],
  background: [
    "Pushing background updates to your App",
    `${usernotifications}/pushing-background-updates-to-your-app`
  ],
  broadcast: [
    "Sending broadcast push notification requests to APNs",
    `${usernotifications}/sending-broadcast-push-notification-requests-to-apns`
  ],
  activity: [
    "Starting and updating Live Activities with ActivityKit push notifications",
    "https://developer.apple.com/documentation/activitykit/starting-and-updating-live-activities-with-activitykit-push-notifications"
  ],
  voip: [
    "Responding to VoIP Notifications from PushKit",
    "https://developer.apple.com/documentation/pushkit/responding-to-voip-notifications-from-pushkit"
  ],
  talk: [
    "Creating a Push to Talk app",
    "https://developer.apple.com/documentation/pushtotalk/creating-a-push-to-talk-app"
  ],
  widgets: [
    "Updating widgets with WidgetKit push notifications",
    "https://developer.apple.com/documentation/widgetkit/updating-widgets-with-widgetkit-push-notifications"
  ],
  controls: [
    "Updating controls locally and remotely",
    "https://developer.apple.com/documentation/widgetkit/updating-controls-locally-and-remotely"
  ],
  files: [
    "Using push notifications to signal changes",
    "https://developer.apple.com/documentation/fileprovider/using-push-notifications-to-signal-changes"
  ],
  mdm: [
    "Sending MDM Commands to a Device",
    "https://developer.apple.com/documentation/devicemanagement/sending-mdm-commands-to-a-device"
  ]
} as const satisfies Record<string, readonly [title: string, url: string]>

type Page = keyof typeof pages

type Fields = Readonly<Record<string, unknown>>

const isObject = (input: unknown): input is Fields =>
  typeof input === "object" && input !== null && !Array.isArray(input)

const field = (fields: Fields, name: string): unknown => Object.hasOwn(fields, name) ? fields[name] : undefined

const has = (fields: Fields, name: string): boolean => Object.hasOwn(fields, name)

const maxShown = 60

/** A value for a message. */
const show = (value: unknown): string => {
  const text = typeof value === "bigint" ? String(value) : stringify(value)
  return text.length > maxShown ? `${text.slice(0, maxShown)}...` : text
}

const stringify = (value: unknown): string => {
  try {
    return JSON.stringify(value) ?? String(value)
  } catch {
    return String(value)
  }
}

const quoted = (names: Iterable<string>): string => Array.from(names, (name) => `"${name}"`).join(", ")

interface Context {
  readonly findings: Array<Lint.Finding>
  readonly headers: Fields | undefined
  readonly path: string | undefined
  /** Milliseconds since the UNIX epoch. */
  readonly now: number | undefined
  readonly broadcast: boolean
  /** The push type whose rules are used: that of the header, or the one that fits the payload. */
  readonly pushType: string
}

type Report = (
  severity: Lint.Severity,
  rule: string,
  page: Page,
  key: string,
  what: string,
  why: string
) => void

/** At most so many findings: a push with thousands of unknown keys needs no more. */
const maxFindings = 100

const maxText = 400

/** Control characters and those that change the direction of text: messages are printed, and payloads are untrusted. */
// eslint-disable-next-line no-control-regex
const unprintable = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g

const printable = (value: string): string =>
  (value.length > maxText ? `${value.slice(0, maxText)}...` : value).replace(
    unprintable,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`
  )

const reporter = (findings: Array<Lint.Finding>): Report => (severity, rule, page, key, what, why) => {
  if (findings.length >= maxFindings) return
  const [title, url] = pages[page]
  findings.push({
    rule,
    severity,
    key: printable(key),
    what: printable(what),
    why: printable(why),
    page: title,
    url
  })
}

// ------------------------------------------------------------------------------------------------------------- names

const apsKeys = [
  "alert",
  "badge",
  "sound",
  "thread-id",
  "category",
  "content-available",
  "mutable-content",
  "target-content-id",
  "interruption-level",
  "relevance-score",
  "filter-criteria"
]

const activityKeys = [
  "timestamp",
  "event",
  "content-state",
  "stale-date",
  "dismissal-date",
  "attributes-type",
  "attributes",
  "input-push-token",
  "input-push-channel"
]

/** Keys that Apple's pages do not list any more, and what they were for. */
const legacyApsKeys = new Map([["url-args", "Safari's website pushes"]])

const alertKeys = [
  "title",
  "subtitle",
  "body",
  "launch-image",
  "title-loc-key",
  "title-loc-args",
  "subtitle-loc-key",
  "subtitle-loc-args",
  "loc-key",
  "loc-args"
]

const legacyAlertKeys = new Map([
  ["action", "Safari's website pushes"],
  ["action-loc-key", "systems before iOS 10"],
  ["summary-arg", "iOS 12 to 14"],
  ["summary-arg-count", "iOS 12 to 14"]
])

const soundKeys = ["critical", "name", "volume"]

const activityAlertKeys = ["title", "body", "sound", "subtitle", "launch-image"]

const plain = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, "")

/** Edits between two short words, up to 3. */
const distance = (a: string, b: string): number => {
  if (Math.abs(a.length - b.length) > 2) return 3
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(
        (row[j] ?? 0) + 1,
        (next[j - 1] ?? 0) + 1,
        (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      ))
    }
    row = next
  }
  return row[b.length] ?? 3
}

/** The known name that was probably meant: another spelling, or up to two typing errors. */
const meant = (name: string, known: ReadonlyArray<string>): string | undefined => {
  if (name.length > 40) return undefined
  const own = plain(name)
  const exact = known.find((candidate) => plain(candidate) === own)
  if (exact !== undefined) return exact
  if (own.length < 4) return undefined
  const slips = own.length > 6 ? 2 : 1
  return known.find((candidate) => distance(own, plain(candidate)) <= slips)
}

// -------------------------------------------------------------------------------------------------------------- body

const utf8 = new TextDecoder("utf-8", { fatal: true })
const encoder = new TextEncoder()

interface Body {
  readonly size: number | undefined
  readonly json: unknown
  readonly problem: string | undefined
}

/** Not `instanceof`: in Jest, bytes may be of another realm. */
const isBytes = (payload: unknown): payload is Uint8Array =>
  ArrayBuffer.isView(payload) && Object.prototype.toString.call(payload) === "[object Uint8Array]"

const readBody = (payload: unknown): Body => {
  if (typeof payload === "string" || isBytes(payload)) {
    const size = typeof payload === "string" ? encoder.encode(payload).length : payload.length
    if (size === 0) return { size, json: undefined, problem: undefined }
    try {
      return {
        size,
        json: JSON.parse(typeof payload === "string" ? payload : utf8.decode(payload)),
        problem: undefined
      }
    } catch (error) {
      return { size, json: undefined, problem: Printable.thrown(error) }
    }
  }
  if (payload === undefined) return { size: 0, json: undefined, problem: undefined }
  try {
    const text: unknown = JSON.stringify(payload)
    return {
      size: typeof text === "string" ? encoder.encode(text).length : undefined,
      json: payload,
      problem: typeof text === "string" ? undefined : "it cannot be written as JSON"
    }
  } catch (error) {
    return { size: undefined, json: payload, problem: Printable.thrown(error) }
  }
}

const limitOf = (context: Context): number =>
  context.broadcast
    ? PushType.broadcastMaxPayloadBytes
    : PushType.is(context.pushType)
    ? PushType.table[context.pushType].maxPayloadBytes
    : 4096

const near = 0.9

const tooLarge = (size: number, limit: number, page: Page, report: Report): void =>
  report(
    "error",
    "body-too-large",
    page,
    "body",
    `The body has ${size} bytes, ${size - limit} more than the ${limit} that APNs takes.`,
    "APNs answers 413 PayloadTooLarge. Send less, or send an id and let the app fetch the rest."
  )

const checkSize = (context: Context, size: number, report: Report): void => {
  const limit = limitOf(context)
  const page = context.broadcast ? "broadcast" : "payload"
  if (size > limit) tooLarge(size, limit, page, report)
  else if (size >= limit * near) {
    report(
      "warning",
      "body-near-limit",
      page,
      "body",
      `The body has ${size} of at most ${limit} bytes.`,
      "A longer name or a translation can take it over the limit, and then APNs answers 413 PayloadTooLarge."
    )
  }
}

// ----------------------------------------------------------------------------------------------------------- headers

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

const suffixes = new Map<string, string>(
  Object.values(PushType.table).filter(({ topicSuffix }) => topicSuffix !== "").map(({ topicSuffix, value }) => [
    topicSuffix,
    value
  ])
)

/** The suffix that a topic ends in; the longest where several do. */
const suffixOf = (topic: string): string | undefined => {
  let found: string | undefined
  for (const suffix of suffixes.keys()) {
    if (topic.endsWith(suffix) && topic.length > suffix.length && suffix.length > (found?.length ?? 0)) found = suffix
  }
  return found
}

const text = (fields: Fields | undefined, name: string): string | undefined => {
  const value = fields === undefined ? undefined : field(fields, name)
  return typeof value === "string" ? value : value === undefined ? undefined : String(value)
}

const checkPushType = (context: Context, report: Report): void => {
  const pushType = text(context.headers, "apns-push-type")
  if (pushType === undefined || pushType === "") {
    if (context.broadcast) {
      report(
        "error",
        "push-type-missing",
        "broadcast",
        "apns-push-type",
        "The broadcast has no apns-push-type.",
        "APNs answers 400 MissingPushType: send liveactivity."
      )
    } else {
      report(
        "warning",
        "push-type-missing",
        "request",
        "apns-push-type",
        "The request has no apns-push-type.",
        "APNs takes it for an alert. watchOS 6 and later get nothing without it: send the type that matches the payload."
      )
    }
    return
  }
  if (context.broadcast && pushType.toLowerCase() !== "liveactivity") {
    report(
      "error",
      "broadcast-push-type",
      "broadcast",
      "apns-push-type",
      `A broadcast of push type ${show(pushType)}.`,
      "Only Live Activities can be broadcast: APNs answers 400 InvalidPushType."
    )
  } else if (!PushType.is(pushType) && !context.broadcast) {
    const guess = meant(pushType, Object.keys(PushType.table))
    report(
      "error",
      "push-type-unknown",
      "request",
      "apns-push-type",
      `The push type ${show(pushType)} is not one of ${Object.keys(PushType.table).join(", ")}.`,
      `APNs answers 400 InvalidPushType, unless Apple has added it since.${
        guess === undefined ? "" : ` Was ${guess} meant?`
      }`
    )
  }
}

const checkTopic = (context: Context, report: Report): void => {
  const topic = text(context.headers, "apns-topic")
  if (context.broadcast) {
    if (topic !== undefined) {
      report(
        "info",
        "broadcast-topic",
        "broadcast",
        "apns-topic",
        "A broadcast with an apns-topic.",
        "A broadcast names the bundle ID in its path; the header is not needed."
      )
    }
    return
  }
  if (topic === undefined || topic === "") {
    report(
      "error",
      "topic-missing",
      "request",
      "apns-topic",
      "The request has no apns-topic.",
      "With a provider token APNs answers 400 MissingTopic. Only a certificate for one topic may leave it out."
    )
    return
  }
  if (!PushType.is(context.pushType) || context.pushType === "mdm") return
  const { topicSuffix } = PushType.table[context.pushType]
  const found = suffixOf(topic)
  if (topicSuffix !== "" && !topic.endsWith(topicSuffix)) {
    report(
      "error",
      "topic-suffix",
      "request",
      "apns-topic",
      `The topic ${show(topic)} of a push of type ${context.pushType} does not end in ${topicSuffix}.`,
      `Send ${
        (found === undefined ? topic : topic.slice(0, -found.length)) + topicSuffix
      }: APNs refuses the bundle ID alone.`
    )
  } else if (found !== undefined && found !== topicSuffix) {
    report(
      "error",
      "topic-suffix",
      "request",
      "apns-topic",
      `The topic ends in ${found}, the suffix of push type ${
        suffixes.get(found) ?? ""
      }, and the push type is ${context.pushType}.`,
      topicSuffix === ""
        ? `A push of type ${context.pushType} takes the bundle ID alone: send ${
          topic.slice(0, -found.length)
        }, or another push type.`
        : `Send ${topic.slice(0, -found.length) + topicSuffix}, or another push type.`
    )
  } else if (topicSuffix !== "" && topic.slice(0, -topicSuffix.length).endsWith(topicSuffix)) {
    report(
      "error",
      "topic-suffix",
      "request",
      "apns-topic",
      `The topic ${show(topic)} ends in ${topicSuffix} twice.`,
      "The suffix was added to a topic that already had it: give the bundle ID alone to whatever adds it."
    )
  }
}

const checkPriority = (context: Context, report: Report): void => {
  const { broadcast, pushType } = context
  const priority = text(context.headers, "apns-priority")
  const page = broadcast ? "broadcast" : pushType === "background" ? "background" : "request"
  if (priority === undefined) {
    if (broadcast) {
      report(
        "error",
        "priority-missing",
        page,
        "apns-priority",
        "The broadcast has no apns-priority.",
        "A broadcast must say its priority: 10, 5 or 1."
      )
    } else if (pushType === "background") {
      report(
        "error",
        "background-priority",
        page,
        "apns-priority",
        "A background push without apns-priority, which APNs takes for 10.",
        "Apple: always send a background push with priority 5; specifying 10 is an error."
      )
    }
    return
  }
  if (!["10", "5", "1"].includes(priority)) {
    report(
      "error",
      "priority-invalid",
      page,
      "apns-priority",
      `The priority ${show(priority)}.`,
      "APNs knows 10, 5 and 1, and answers 400 BadPriority to anything else."
    )
    return
  }
  if (broadcast || !PushType.is(pushType)) return
  const allowed: ReadonlyArray<number> = PushType.table[pushType].allowedPriorities
  if (allowed.includes(Number(priority))) return
  if (pushType === "background") {
    report(
      "error",
      "background-priority",
      page,
      "apns-priority",
      `A background push of priority ${priority}.`,
      "Apple: always send a background push with priority 5; specifying 10 is an error."
    )
  } else {
    report(
      "error",
      "priority-not-allowed",
      pushType === "liveactivity" ? "activity" : "request",
      "apns-priority",
      `A push of type ${pushType} with priority ${priority}.`,
      `Apple names ${allowed.join(" and ")} for this push type: APNs may answer 400 BadPriority.`
    )
  }
}

/** Above this a number of seconds is a date after the year 5138: they are milliseconds. */
const millisFrom = 100_000_000_000

const checkExpiration = (context: Context, report: Report): void => {
  const { broadcast, now, pushType } = context
  const expiration = text(context.headers, "apns-expiration")
  const page = broadcast ? "broadcast" : "request"
  if (expiration === undefined) {
    if (broadcast) {
      report(
        "error",
        "expiration-missing",
        page,
        "apns-expiration",
        "The broadcast has no apns-expiration.",
        "A broadcast must say it; 0 for a channel that stores no message."
      )
    }
    return
  }
  if (!/^\d{1,15}$/.test(expiration)) {
    report(
      "error",
      "expiration-invalid",
      page,
      "apns-expiration",
      `The expiration ${show(expiration)}.`,
      "APNs takes whole Unix seconds, or 0 for one attempt, and answers 400 BadExpirationDate to anything else."
    )
    return
  }
  const seconds = Number(expiration)
  if (seconds >= millisFrom) {
    report(
      "error",
      "expiration-milliseconds",
      page,
      "apns-expiration",
      `The expiration ${expiration} looks like milliseconds.`,
      `Unix seconds are expected: ${Math.floor(seconds / 1000)}.`
    )
    return
  }
  if (now !== undefined && seconds > 0 && seconds * 1000 <= now) {
    report(
      "warning",
      "expired",
      page,
      "apns-expiration",
      `The expiration ${new Date(seconds * 1000).toISOString()} is in the past.`,
      "APNs drops the notification if it cannot deliver it at once. Send a time to come, or 0 if one attempt is meant."
    )
  }
  if (pushType === "voip" && !broadcast && now !== undefined && seconds * 1000 > now + 60_000) {
    report(
      "warning",
      "voip-expiration",
      "voip",
      "apns-expiration",
      "A VoIP push that APNs may deliver more than a minute from now.",
      "The call is over by then, and the app must still report it to CallKit: Apple advises 0 or a few seconds."
    )
  }
}

const checkIds = (context: Context, report: Report): void => {
  const { broadcast, headers } = context
  for (const name of ["apns-id", "apns-request-id"]) {
    const id = text(headers, name)
    if (id !== undefined && !uuid.test(id)) {
      report(
        "error",
        "id-invalid",
        broadcast ? "broadcast" : "request",
        name,
        `The ${name} ${show(id)} is no UUID.`,
        "APNs answers 400 BadMessageId. Send 32 hexadecimal digits as 8-4-4-4-12, or leave it out."
      )
    }
  }
  const collapseId = text(headers, "apns-collapse-id")
  if (collapseId === undefined) return
  const bytes = encoder.encode(collapseId).length
  if (broadcast) {
    report(
      "info",
      "broadcast-collapse-id",
      "broadcast",
      "apns-collapse-id",
      "A broadcast with an apns-collapse-id.",
      "Apple's table of broadcast headers does not have it: do not count on it."
    )
  } else if (bytes > 64) {
    report(
      "error",
      "collapse-id-too-long",
      "request",
      "apns-collapse-id",
      `The collapse id has ${bytes} bytes, at most 64 are allowed.`,
      "APNs answers 400 BadCollapseId. Shorten it, or send a hash of it."
    )
  }
}

const broadcastPath = /^\/4\/broadcasts\/apps\/([^/?#]*)$/
const devicePath = "/3/device/"

const checkPath = (context: Context, report: Report): void => {
  const { broadcast, path } = context
  if (path === undefined) return
  if (broadcast) {
    const bundleId = broadcastPath.exec(path)?.[1] ?? ""
    const suffix = suffixOf(bundleId)
    if (suffix !== undefined) {
      report(
        "error",
        "broadcast-bundle-id",
        "broadcast",
        "path",
        `The bundle ID in the path ends in ${suffix}.`,
        `APNs answers 400 TopicDisallowed: the path takes the bundle ID alone, ${bundleId.slice(0, -suffix.length)}.`
      )
    }
    const channelId = text(context.headers, "apns-channel-id")
    if (context.headers !== undefined && (channelId === undefined || channelId === "")) {
      report(
        "error",
        "channel-id-missing",
        "broadcast",
        "apns-channel-id",
        "The broadcast has no apns-channel-id.",
        "APNs answers 400 MissingChannelId. Send the id that it gave when the channel was created."
      )
    }
    return
  }
  if (!path.startsWith(devicePath)) return
  const token = path.slice(devicePath.length)
  if (!/^(?:[0-9a-f]{2})+$/i.test(token)) {
    report(
      "error",
      "device-token",
      "request",
      "path",
      token === "" ? "The path has no device token." : `The device token ${show(token)} is not hexadecimal.`,
      "APNs answers 400 BadDeviceToken. Send the bytes that the app got as hexadecimal digits, without spaces or < >."
    )
  }
}

// --------------------------------------------------------------------------------------------------------------- aps

const kind = (value: unknown): string =>
  value === null
    ? "null"
    : Array.isArray(value)
    ? "an array"
    : typeof value === "object"
    ? "a dictionary"
    : typeof value === "string"
    ? "a string"
    : typeof value === "boolean"
    ? "a boolean"
    : typeof value === "number"
    ? "a number"
    : typeof value

const wrongType = (report: Report, page: Page, key: string, value: unknown, expected: string): void =>
  report(
    "error",
    "wrong-type",
    page,
    key,
    `${key} is ${kind(value)}: ${show(value)}.`,
    `Apple expects ${expected}; the device ignores what it cannot read.`
  )

const stringKeys = ["thread-id", "category", "target-content-id", "filter-criteria"]

const checkStrings = (
  fields: Fields,
  names: ReadonlyArray<string>,
  prefix: string,
  page: Page,
  report: Report
): void => {
  for (const name of names) {
    if (has(fields, name) && typeof field(fields, name) !== "string") {
      wrongType(report, page, `${prefix}.${name}`, field(fields, name), "a string")
    }
  }
}

const checkFlag = (aps: Fields, name: string, report: Report): void => {
  if (!has(aps, name)) return
  const value = field(aps, name)
  if (value === 1) return
  const off = value === 0 || value === false
  report(
    off ? "warning" : "error",
    "flag",
    "payload",
    `aps.${name}`,
    `aps.${name} is ${show(value)}.`,
    off ? "It means yes as the number 1, and no where it is left out: leave it out." : "Apple expects the number 1."
  )
}

const unknownKeys = (
  fields: Fields,
  known: ReadonlyArray<string>,
  prefix: string,
  page: Page,
  report: Report,
  elsewhere: (name: string) => string | undefined,
  legacy: ReadonlyMap<string, string>,
  otherwise: string
): void => {
  for (const name of Object.keys(fields)) {
    if (known.includes(name)) continue
    const key = `${prefix}.${name}`
    const was = legacy.get(name)
    if (was !== undefined) {
      report("info", "legacy-key", page, key, `${key} was for ${was}.`, "Apple's page does not list it any more.")
      continue
    }
    const guess = meant(name, known)
    const place = elsewhere(name)
    report(
      "warning",
      "unknown-key",
      page,
      key,
      `Apple knows no key "${name}" in ${prefix}.`,
      place ?? (guess === undefined ? otherwise : `It is ignored. Was "${guess}" meant?`)
    )
  }
}

const noLegacy: ReadonlyMap<string, string> = new Map()

const nowhere = (): undefined => undefined

const checkSound = (sound: unknown, report: Report): void => {
  if (typeof sound === "string") {
    if (sound === "") {
      report(
        "warning",
        "sound-empty",
        "payload",
        "aps.sound",
        "aps.sound is empty.",
        "Name a sound file of the app, or \"default\"; leave the key out for silence."
      )
    }
    return
  }
  if (!isObject(sound)) {
    return wrongType(report, "payload", "aps.sound", sound, "a string, or a dictionary for a critical alert")
  }
  unknownKeys(sound, soundKeys, "aps.sound", "payload", report, nowhere, noLegacy, "It is ignored.")
  const { critical, name, volume } = {
    critical: field(sound, "critical"),
    name: field(sound, "name"),
    volume: field(sound, "volume")
  }
  if (typeof name !== "string") {
    if (name === undefined) {
      report(
        "warning",
        "sound-name",
        "payload",
        "aps.sound.name",
        "The sound has no name.",
        "Name a sound file of the app, or \"default\"."
      )
    } else wrongType(report, "payload", "aps.sound.name", name, "a string")
  }
  if (critical !== undefined && critical !== 1 && critical !== 0) {
    report(
      "error",
      "flag",
      "payload",
      "aps.sound.critical",
      `aps.sound.critical is ${show(critical)}.`,
      "Apple expects the number 1 for a critical alert."
    )
  }
  if (volume !== undefined) {
    if (typeof volume !== "number") wrongType(report, "payload", "aps.sound.volume", volume, "a number from 0 to 1")
    else if (!(volume >= 0 && volume <= 1)) {
      report(
        "error",
        "sound-volume",
        "payload",
        "aps.sound.volume",
        `The volume ${volume} is not between 0 and 1.`,
        "0 is silent, 1 is full volume."
      )
    }
  }
}

const checkLocalized = (alert: Fields, literal: string, key: string, args: string, report: Report): void => {
  const hasKey = has(alert, key)
  if (hasKey && typeof field(alert, key) !== "string") {
    wrongType(report, "payload", `aps.alert.${key}`, field(alert, key), "a string")
  }
  if (has(alert, args)) {
    const list = field(alert, args)
    if (!Array.isArray(list) || !list.every((item) => typeof item === "string")) {
      wrongType(report, "payload", `aps.alert.${args}`, list, "an array of strings")
    }
    if (!hasKey) {
      report(
        "warning",
        "loc-args-without-key",
        "payload",
        `aps.alert.${args}`,
        `There is ${args} and no ${key}.`,
        `The arguments fill the placeholders of the string that ${key} names; without it they are ignored.`
      )
    }
  }
  if (hasKey && has(alert, literal)) {
    report(
      "info",
      "literal-and-localized",
      "payload",
      `aps.alert.${literal}`,
      `There are both ${literal} and ${key}.`,
      `A device shows the string of ${key}; ${literal} is not shown beside it.`
    )
  }
}

const localizable = (value: unknown): boolean =>
  typeof value === "string" || isObject(value) && typeof field(value, "loc-key") === "string"

const checkAlert = (context: Context, alert: unknown, report: Report): void => {
  const activity = context.pushType === "liveactivity"
  const page = activity ? "activity" : "payload"
  if (typeof alert === "string") {
    if (alert === "" && !activity) {
      report("warning", "alert-empty", page, "aps.alert", "aps.alert is empty.", "Nothing is shown: give it words.")
    }
    if (activity) wrongType(report, page, "aps.alert", alert, "a dictionary with title, body and sound")
    return
  }
  if (!isObject(alert)) return wrongType(report, page, "aps.alert", alert, "a dictionary or a string")
  if (activity) {
    unknownKeys(alert, activityAlertKeys, "aps.alert", page, report, nowhere, noLegacy, "It is ignored.")
    for (const name of ["title", "body"]) {
      if (has(alert, name) && !localizable(field(alert, name))) {
        wrongType(
          report,
          page,
          `aps.alert.${name}`,
          field(alert, name),
          "a string, or a dictionary with loc-key and loc-args"
        )
      }
    }
    checkStrings(alert, ["sound"], "aps.alert", page, report)
    return
  }
  unknownKeys(
    alert,
    alertKeys,
    "aps.alert",
    page,
    report,
    (name) => apsKeys.includes(name) ? `It is ignored here: "${name}" belongs in aps, beside alert.` : undefined,
    legacyAlertKeys,
    "It is ignored. The app's own keys stand beside aps."
  )
  checkStrings(alert, ["title", "subtitle", "body", "launch-image"], "aps.alert", page, report)
  checkLocalized(alert, "title", "title-loc-key", "title-loc-args", report)
  checkLocalized(alert, "subtitle", "subtitle-loc-key", "subtitle-loc-args", report)
  checkLocalized(alert, "body", "loc-key", "loc-args", report)
  const says = ["title", "subtitle", "body", "title-loc-key", "subtitle-loc-key", "loc-key"].some((name) => {
    const value = field(alert, name)
    return value !== undefined && value !== "" && value !== null
  })
  if (!says) {
    report(
      "warning",
      "alert-empty",
      page,
      "aps.alert",
      "aps.alert has no title, subtitle or body.",
      "Nothing is shown: give it words, or leave alert out."
    )
  }
}

const levels = ["passive", "active", "time-sensitive", "critical"]

const checkAps = (context: Context, aps: Fields, report: Report): void => {
  const activity = context.pushType === "liveactivity"
  const changes = context.pushType === "widgets" || context.pushType === "controls"
  const known = activity
    ? [...apsKeys, ...activityKeys]
    : changes
    ? [...apsKeys, "content-changed"]
    : apsKeys
  unknownKeys(
    aps,
    known,
    "aps",
    "payload",
    report,
    (name) =>
      alertKeys.includes(name)
        ? `It is ignored here: "${name}" belongs in aps.alert.`
        : activityKeys.includes(name)
        ? "It is for Live Activities, whose push type is liveactivity."
        : name === "content-changed"
        ? "It is for widgets and controls."
        : undefined,
    legacyApsKeys,
    "It is ignored. The app's own keys stand beside aps, not inside it."
  )
  if (has(aps, "alert")) checkAlert(context, field(aps, "alert"), report)
  if (has(aps, "badge")) {
    const badge = field(aps, "badge")
    if (typeof badge !== "number") wrongType(report, "payload", "aps.badge", badge, "a number")
    else if (!Number.isInteger(badge) || badge < 0) {
      report(
        "error",
        "badge",
        "payload",
        "aps.badge",
        `The badge is ${badge}.`,
        "Send a whole number: 0 removes the badge, and the key is left out to keep the one that is there."
      )
    }
  }
  if (has(aps, "sound")) {
    if (activity) {
      report(
        "warning",
        "activity-sound",
        "activity",
        "aps.sound",
        "A Live Activity with aps.sound.",
        "Its sound stands inside alert: aps.alert.sound."
      )
    }
    checkSound(field(aps, "sound"), report)
  }
  checkStrings(aps, stringKeys, "aps", "payload", report)
  checkFlag(aps, "content-available", report)
  checkFlag(aps, "mutable-content", report)
  const level = field(aps, "interruption-level")
  if (has(aps, "interruption-level") && (typeof level !== "string" || !levels.includes(level))) {
    const guess = typeof level === "string" ? meant(level, levels) : undefined
    report(
      "error",
      "interruption-level",
      "payload",
      "aps.interruption-level",
      `The interruption level is ${show(level)}.`,
      `It is one of ${quoted(levels)}.${guess === undefined ? "" : ` Was "${guess}" meant?`}`
    )
  }
  if (has(aps, "relevance-score")) {
    const score = field(aps, "relevance-score")
    if (typeof score !== "number") wrongType(report, "payload", "aps.relevance-score", score, "a number")
    else if (!activity && !(score >= 0 && score <= 1)) {
      report(
        "error",
        "relevance-score",
        "payload",
        "aps.relevance-score",
        `The relevance score ${score} is not between 0 and 1.`,
        "The notification with the highest score stands out in a summary. Only Live Activities take any number."
      )
    }
  }
  const shows = has(aps, "alert")
  if (has(aps, "mutable-content") && !shows) {
    report(
      "warning",
      "mutable-without-alert",
      "payload",
      "aps.mutable-content",
      "There is mutable-content and no alert.",
      "The app's notification service extension runs only for a notification that shows an alert."
    )
  }
  if (context.pushType !== "background" && has(aps, "content-available") && (shows || has(aps, "sound"))) {
    report(
      "info",
      "alert-and-content-available",
      "background",
      "aps.content-available",
      "The push is shown and wakes the app in the background as well.",
      "That works, but the waking is throttled to a few an hour and may not happen. Send a background push apart if the app must run."
    )
  }
  if (level === "passive" && has(aps, "sound")) {
    report(
      "info",
      "passive-sound",
      "payload",
      "aps.sound",
      "A passive notification with a sound.",
      "The system adds a passive notification to the list without lighting the screen or playing a sound."
    )
  }
}

// --------------------------------------------------------------------------------------------------- what types ask for

const checkTime = (aps: Fields, name: string, report: Report): number | undefined => {
  if (!has(aps, name)) return undefined
  const value = field(aps, name)
  const key = `aps.${name}`
  if (typeof value !== "number") {
    wrongType(report, "activity", key, value, "a number: Unix seconds")
    return undefined
  }
  if (value >= millisFrom) {
    report(
      "error",
      "milliseconds",
      "activity",
      key,
      `${key} ${value} looks like milliseconds.`,
      `Unix seconds are expected: ${Math.floor(value / 1000)}.`
    )
    return undefined
  }
  return value
}

const checkActivity = (context: Context, aps: Fields, report: Report): void => {
  const { now } = context
  const need = (name: string, severity: Lint.Severity, why: string): void => {
    if (has(aps, name)) return
    report(severity, "activity-key-missing", "activity", `aps.${name}`, `The Live Activity push has no ${name}.`, why)
  }
  const event = field(aps, "event")
  need("event", "error", "It says what to do: \"start\", \"update\" or \"end\". Without it the device drops the push.")
  if (has(aps, "event") && event !== "start" && event !== "update" && event !== "end") {
    report(
      "error",
      "activity-event",
      "activity",
      "aps.event",
      `The event is ${show(event)}.`,
      "It is \"start\", \"update\" or \"end\"."
    )
  }
  need("timestamp", "error", "The system shows the newest state by it, and ignores a push without. Send Unix seconds.")
  checkTime(aps, "timestamp", report)
  const stale = checkTime(aps, "stale-date", report)
  const dismissal = checkTime(aps, "dismissal-date", report)
  if (event !== "end" || has(aps, "content-state")) {
    need("content-state", "error", "It is what the activity shows.")
    const state = field(aps, "content-state")
    if (has(aps, "content-state") && !isObject(state)) {
      wrongType(report, "activity", "aps.content-state", state, "a dictionary that decodes to the ContentState")
    }
  } else {
    need("content-state", "info", "The activity ends with the state that it has. Send the last one to show it.")
  }
  if (event === "start") {
    need("attributes-type", "error", "It names the Swift type of the attributes; a start needs it.")
    need("attributes", "error", "They are the fixed part of the activity; a start needs them.")
    need("alert", "error", "A start must tell the person that an activity began.")
    if (has(aps, "attributes-type")) checkStrings(aps, ["attributes-type"], "aps", "activity", report)
    if (has(aps, "attributes") && !isObject(field(aps, "attributes"))) {
      wrongType(report, "activity", "aps.attributes", field(aps, "attributes"), "a dictionary")
    }
    if (context.broadcast) {
      report(
        "error",
        "broadcast-start",
        "broadcast",
        "aps.event",
        "A broadcast that starts a Live Activity.",
        "A broadcast updates and ends activities. Send the start to each device, with input-push-channel."
      )
    }
  } else if (event === "update" || event === "end") {
    for (const name of ["attributes", "attributes-type"]) {
      if (has(aps, name)) {
        report(
          "info",
          "activity-attributes",
          "activity",
          `aps.${name}`,
          `The event is ${show(event)} and there is ${name}.`,
          "The attributes of an activity are fixed when it starts: only a start needs them."
        )
      }
    }
  }
  if (has(aps, "dismissal-date") && event !== "end" && has(aps, "event")) {
    report(
      "warning",
      "activity-dismissal",
      "activity",
      "aps.dismissal-date",
      `There is dismissal-date and the event is ${show(event)}.`,
      "It says when an activity that ended leaves the Lock Screen: it goes with the event \"end\"."
    )
  }
  if (now !== undefined && stale !== undefined && stale * 1000 <= now && event !== "end") {
    report(
      "warning",
      "activity-stale",
      "activity",
      "aps.stale-date",
      "The stale-date is in the past.",
      "The activity is out of date as soon as it is shown. Send a time to come."
    )
  }
  if (now !== undefined && dismissal !== undefined && dismissal * 1000 > now + 4 * 3_600_000 + 60_000) {
    report(
      "info",
      "activity-dismissal",
      "activity",
      "aps.dismissal-date",
      "The dismissal-date is more than four hours away.",
      "The system removes an activity four hours after its end at the latest."
    )
  }
}

const checkBackground = (aps: Fields, report: Report): void => {
  if (!has(aps, "content-available")) {
    report(
      "error",
      "background-content-available",
      "background",
      "aps.content-available",
      "A background push without content-available.",
      "The device does not wake the app: send \"content-available\": 1."
    )
  }
  for (const name of ["alert", "badge", "sound"]) {
    if (has(aps, name)) {
      report(
        "error",
        "push-type-mismatch",
        "background",
        `aps.${name}`,
        `A background push with ${name}.`,
        "A background push shows nothing. Send it as an alert push; content-available there wakes the app as well."
      )
    }
  }
}

const checkChanges = (pushType: "widgets" | "controls", aps: Fields, report: Report): void => {
  if (!has(aps, "content-changed")) {
    report(
      "error",
      "content-changed-missing",
      pushType,
      "aps.content-changed",
      `A push of type ${pushType} without content-changed.`,
      "Send \"content-changed\": true."
    )
  } else if (field(aps, "content-changed") !== true) {
    wrongType(report, pushType, "aps.content-changed", field(aps, "content-changed"), "true")
  }
}

const shown = ["alert", "badge", "sound"]

const checkShown = (payload: Fields, aps: Fields, report: Report): void => {
  if (shown.some((name) => has(aps, name))) return
  if (has(aps, "content-available")) {
    report(
      "error",
      "push-type-mismatch",
      "background",
      "apns-push-type",
      "The payload is that of a background push, and the push type is alert.",
      "The system may delay or drop it: send push type background and priority 5."
    )
    return
  }
  for (const name of activityKeys) if (has(aps, name)) return
  if (has(aps, "content-changed") || has(payload, "mdm")) return
  if (Object.keys(aps).some((name) => meant(name, shown) !== undefined)) return
  report(
    "warning",
    "alert-shows-nothing",
    "payload",
    "aps",
    "An alert push without alert, badge or sound.",
    "The device has nothing to show, to play or to set."
  )
}

const mismatches = (context: Context, payload: Fields, aps: Fields | undefined, report: Report): void => {
  const { pushType } = context
  const mismatch = (page: Page, key: string, what: string, why: string): void =>
    report("error", "push-type-mismatch", page, key, what, why)
  if (aps !== undefined && pushType !== "liveactivity") {
    const found = ["event", "content-state", "attributes-type"].filter((name) => has(aps, name))
    if (found.length > 0) {
      mismatch(
        "activity",
        "apns-push-type",
        `The payload is that of a Live Activity (${found.join(", ")}), and the push type is ${pushType}.`,
        "Send push type liveactivity, to the topic that ends in .push-type.liveactivity and to the activity's own token."
      )
    }
  }
  if (aps !== undefined && has(aps, "content-changed") && pushType !== "widgets" && pushType !== "controls") {
    mismatch(
      "widgets",
      "apns-push-type",
      `The payload is that of a widget or a control (content-changed), and the push type is ${pushType}.`,
      "Send push type widgets or controls, with the topic's suffix."
    )
  }
  if (has(payload, "mdm") && pushType !== "mdm" && aps === undefined) {
    mismatch(
      "mdm",
      "apns-push-type",
      `The payload is that of device management (mdm), and the push type is ${pushType}.`,
      "Send push type mdm."
    )
  }
}

const checkMdm = (payload: Fields, report: Report): void => {
  const magic = field(payload, "mdm")
  if (typeof magic !== "string" || magic === "") {
    report(
      "error",
      "mdm-missing",
      "mdm",
      "mdm",
      "An mdm push without the key mdm.",
      "The body is {\"mdm\": PushMagic}, with the PushMagic that the device sent when it enrolled."
    )
  }
  for (const name of Object.keys(payload)) {
    if (name === "mdm") continue
    report(
      name === "aps" ? "error" : "warning",
      "mdm-key",
      "mdm",
      name,
      `An mdm push with the key "${name}".`,
      "The body of an mdm push is {\"mdm\": PushMagic} and nothing else, without aps."
    )
  }
}

const checkFileProvider = (payload: Fields, report: Report): void => {
  for (const name of ["container-identifier", "domain"]) {
    if (typeof field(payload, name) === "string") continue
    if (has(payload, name)) wrongType(report, "files", name, field(payload, name), "a string")
    else {
      report(
        "error",
        "fileprovider-key-missing",
        "files",
        name,
        `A fileprovider push without ${name}.`,
        "The body has container-identifier and domain."
      )
    }
  }
}

const needsAps = new Set(["alert", "background", "liveactivity", "widgets", "controls"])

const checkTopLevel = (context: Context, payload: Fields, report: Report): void => {
  if (context.pushType === "mdm" || context.pushType === "fileprovider") return
  const words = ["alert", "badge", "sound", "content-available", "mutable-content", "thread-id", "interruption-level"]
  for (const name of words) {
    if (!has(payload, name)) continue
    report(
      "warning",
      "misplaced-key",
      "payload",
      name,
      `"${name}" stands beside aps.`,
      "There it is a key of the app's own. For the system to read it, it must stand inside aps."
    )
  }
  const aps = field(payload, "aps")
  if (aps === undefined && !has(payload, "aps")) {
    if (!needsAps.has(context.pushType)) return
    const guess = Object.keys(payload).find((name) => plain(name) === "aps")
    report(
      "error",
      "aps-missing",
      context.pushType === "liveactivity" ? "activity" : "payload",
      "aps",
      "The payload has no \"aps\".",
      guess === undefined
        ? "The system reads only what is inside aps: without it nothing is shown."
        : `The system reads only what is inside "aps", and here it is spelt "${guess}".`
    )
  } else if (!isObject(aps)) wrongType(report, "payload", "aps", aps, "a dictionary")
}

const checkPayload = (context: Context, payload: Fields, report: Report): void => {
  const value = field(payload, "aps")
  const aps = isObject(value) ? value : undefined
  checkTopLevel(context, payload, report)
  mismatches(context, payload, aps, report)
  switch (context.pushType) {
    case "mdm":
      return checkMdm(payload, report)
    case "fileprovider":
      return checkFileProvider(payload, report)
  }
  if (aps === undefined) return
  checkAps(context, aps, report)
  switch (context.pushType) {
    case "liveactivity":
      return checkActivity(context, aps, report)
    case "background":
      return checkBackground(aps, report)
    case "widgets":
    case "controls":
      return checkChanges(context.pushType, aps, report)
    case "alert":
      return checkShown(payload, aps, report)
  }
}

/** The push type that fits a payload without headers. */
const guessed = (json: unknown): PushType.PushType => {
  if (!isObject(json)) return "alert"
  const aps = field(json, "aps")
  if (!isObject(aps)) return typeof field(json, "mdm") === "string" ? "mdm" : "alert"
  if (has(aps, "event") || has(aps, "content-state")) return "liveactivity"
  if (has(aps, "content-changed")) return "widgets"
  return has(aps, "content-available") && !shown.some((name) => has(aps, name)) ? "background" : "alert"
}

/**
 * Why a notification cannot be encoded.
 *
 * @internal
 */
export const refused = (
  issues: ReadonlyArray<{ readonly path: ReadonlyArray<PropertyKey>; readonly message: string }>
): ReadonlyArray<Lint.Finding> => {
  const findings: Array<Lint.Finding> = []
  const report = reporter(findings)
  for (const { message, path } of issues) {
    report(
      "error",
      "not-encodable",
      "payload",
      path.length === 0 ? "notification" : path.map(String).join("."),
      message,
      "Nothing is sent: preparing this notification fails."
    )
  }
  return findings
}

/** @internal */
export const oversize = (size: number, limit: number): ReadonlyArray<Lint.Finding> => {
  const findings: Array<Lint.Finding> = []
  tooLarge(size, limit, "payload", reporter(findings))
  return findings
}

const order: Record<Lint.Severity, number> = { error: 0, warning: 1, info: 2 }

const lower = (headers: Fields): Fields =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))

/** Programs without types may pass milliseconds, which `Date.now()` returns. */
const millisOf = (now: unknown): number | undefined => typeof now === "number" ? now : UnixTime.toMillis(now)

/** @internal */
export const check = (input: Lint.Input): ReadonlyArray<Lint.Finding> => {
  const { json, problem, size } = readBody(input.payload)
  const findings: Array<Lint.Finding> = []
  const report = reporter(findings)
  const headers = input.headers === undefined ? undefined : lower(input.headers)
  const broadcast = input.path?.startsWith("/4/broadcasts/") === true
  const pushType = text(headers, "apns-push-type")
  const context: Context = {
    findings,
    headers,
    path: input.path,
    now: millisOf(input.now),
    broadcast,
    pushType: broadcast
      ? "liveactivity"
      : headers === undefined
      ? input.pushType ?? guessed(json)
      : pushType === undefined || pushType === ""
      ? "alert"
      : pushType
  }
  if (size === 0) {
    report("error", "body-empty", "response", "body", "The request has no body.", "APNs answers 400 PayloadEmpty.")
  } else if (size !== undefined) checkSize(context, size, report)
  if (problem !== undefined) {
    report(
      "error",
      "body-not-json",
      "payload",
      "body",
      `The body is not JSON: ${problem}.`,
      "The device drops what it cannot read."
    )
  } else if (size !== 0 && !isObject(json)) {
    report(
      "error",
      "body-not-dictionary",
      "payload",
      "body",
      `The body is ${kind(json)}.`,
      "It must be a JSON dictionary: {\"aps\": {...}}."
    )
  }
  checkPath(context, report)
  if (headers !== undefined) {
    checkPushType(context, report)
    checkTopic(context, report)
    checkPriority(context, report)
    checkExpiration(context, report)
    checkIds(context, report)
  }
  if (problem === undefined && isObject(json)) checkPayload(context, json, report)
  return findings.sort((a, b) => order[a.severity] - order[b.severity])
}
