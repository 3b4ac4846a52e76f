/**
 * Makes the description of a push: what a phone would show of it, and everything else that is known.
 *
 * @internal
 */
import { Lint, PushType } from "@effect-apns/models"
import type { ConnectionInfo, Received } from "@effect-apns/testing"
import * as DateTime from "effect/DateTime"
import type { Activity, Change, Kind, Push, PushDetail } from "../Model.js"
import type { Strings } from "../Strings.js"
import type { Entry } from "./store.js"

/** @internal */
export interface Context {
  readonly strings: Strings
  readonly entry: (id: number) => Entry | undefined
}

type Fields = Readonly<Record<string, unknown>>

const isObject = (input: unknown): input is Fields =>
  typeof input === "object" && input !== null && !Array.isArray(input)

const field = (input: unknown, name: string): unknown =>
  isObject(input) && Object.hasOwn(input, name) ? input[name] : undefined

const string = (input: unknown): string | undefined => typeof input === "string" ? input : undefined

const number = (input: unknown): number | undefined =>
  typeof input === "number" && Number.isFinite(input) ? input : undefined

const cut = (text: string, max: number): string => {
  if (text.length <= max) return text
  // never half of a surrogate pair
  const end = /[\uD800-\uDBFF]/.test(text[max - 1] ?? "") ? max - 1 : max
  return `${text.slice(0, end)}…`
}

const maxWords = 600

const words = (text: string | undefined): string | undefined => text === undefined ? undefined : cut(text, maxWords)

const json = (value: unknown, max = 160): string => {
  const text: unknown = JSON.stringify(value)
  return cut(typeof text === "string" ? text : String(value), max)
}

// --------------------------------------------------------------------------------------------------------------- topic

const suffixes = Object.values(PushType.table).map(({ topicSuffix }) => topicSuffix)
  .filter((suffix) => suffix !== "")
  .sort((a, b) => b.length - a.length)

const bundleOf = (topic: string): string => {
  const suffix = suffixes.find((candidate) => topic.endsWith(candidate))
  return suffix === undefined ? topic : topic.slice(0, -suffix.length)
}

/** Last parts of bundle IDs that are not the name of an app. */
const general = new Set([
  "app",
  "ios",
  "iphone",
  "ipad",
  "mobile",
  "watchkitapp",
  "dev",
  "debug",
  "staging",
  "beta",
  "prod"
])

/** `com.example.weather-app` is shown as "Weather App". */
const appOf = (topic: string | undefined): string => {
  if (topic === undefined || topic === "") return "No topic"
  const parts = bundleOf(topic).split(".").filter((part) => part !== "")
  while (parts.length > 2 && general.has((parts.at(-1) ?? "").toLowerCase())) parts.pop()
  const spaced = (parts.at(-1) ?? topic).replace(/[-_]+/g, " ").replace(/([a-z0-9])([A-Z])/g, "$1 $2").trim()
  const name = spaced.split(" ").map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join(" ")
  return cut(name === "" ? topic : name, 60)
}

const appPath = /^\/[14]\/(?:broadcasts\/)?apps\/([^/?#]+)/

const topicOf = (request: Received.Received): string | undefined => request.topic ?? appPath.exec(request.path)?.[1]

const kinds: ReadonlyMap<string, Kind> = new Map(Object.values(PushType.table).map(({ value }) => [value, value]))

const kindOf = ({ path, pushType }: Received.Received): Kind =>
  path.startsWith("/3/device")
    ? pushType === undefined ? "alert" : kinds.get(pushType) ?? "other"
    : path.startsWith("/4/broadcasts/")
    ? "liveactivity"
    : path.startsWith("/1/apps/")
    ? "channel"
    : "other"

// --------------------------------------------------------------------------------------------------------------- words

interface Words {
  readonly title: string | undefined
  readonly subtitle: string | undefined
  readonly body: string | undefined
  readonly unresolved: ReadonlyArray<string>
}

const strings = (input: unknown): ReadonlyArray<string> =>
  Array.isArray(input) ? input.map((item: unknown) => typeof item === "string" ? item : json(item)) : []

/** A localized text: from the app's strings if they are known, otherwise the key with its arguments. */
const localized = (
  known: Strings,
  key: string,
  args: ReadonlyArray<string>,
  unresolved: Array<string>
): string => {
  const found = known.localize(key, args)
  if (found !== undefined) return found
  const shown = args.length === 0 ? key : `${key} (${args.join(", ")})`
  unresolved.push(shown)
  return shown
}

const alertWords = (alert: unknown, known: Strings): Words => {
  const unresolved: Array<string> = []
  const part = (literal: string, key: string, args: string): string | undefined => {
    const locKey = string(field(alert, key))
    if (locKey !== undefined) return localized(known, locKey, strings(field(alert, args)), unresolved)
    const value = field(alert, literal)
    const nested = string(field(value, "loc-key"))
    if (nested !== undefined) return localized(known, nested, strings(field(value, "loc-args")), unresolved)
    return value === undefined || value === null ? undefined : string(value) ?? json(value)
  }
  return typeof alert === "string"
    ? { title: undefined, subtitle: undefined, body: alert, unresolved }
    : {
      title: part("title", "title-loc-key", "title-loc-args"),
      subtitle: part("subtitle", "subtitle-loc-key", "subtitle-loc-args"),
      body: part("body", "loc-key", "loc-args"),
      unresolved
    }
}

/** Keys that apps use for the name of a caller: Apple prescribes none. */
const callerKeys = ["callerName", "caller_name", "displayName", "display_name", "caller", "name", "from", "handle"]

const callerOf = (payload: unknown): string | undefined => {
  for (const place of [payload, field(payload, "aps"), field(payload, "data"), field(payload, "call")]) {
    for (const key of callerKeys) {
      const value = field(place, key)
      if (typeof value === "string" && value !== "") return value
      const name = field(value, "name")
      if (typeof name === "string" && name !== "") return name
    }
  }
  return undefined
}

/** The app's own keys in a line. */
const customOf = (payload: unknown, said?: string): string | undefined => {
  if (!isObject(payload)) return undefined
  const own = Object.entries(payload).filter(([key, value]) => key !== "aps" && (said === undefined || value !== said))
  return own.length === 0
    ? undefined
    : own.slice(0, 6).map(([key, value]) => `${key}: ${typeof value === "string" ? value : json(value, 60)}`).join(", ")
}

const speakerOf = (payload: unknown): string | undefined => string(field(payload, "activeSpeaker")) ?? callerOf(payload)

const channelWords = (request: Received.Received): string => {
  switch (request.method) {
    case "POST":
      return "Creates a broadcast channel"
    case "DELETE":
      return "Deletes a broadcast channel"
    default:
      return request.path.endsWith("/all-channels") ? "Lists the broadcast channels" : "Reads a broadcast channel"
  }
}

const wordsOf = (kind: Kind, request: Received.Received, payload: unknown, known: Strings): Words => {
  const shown = alertWords(field(field(payload, "aps"), "alert"), known)
  const only = (title: string | undefined, body: string | undefined): Words => ({
    title: shown.title ?? title,
    subtitle: shown.subtitle,
    body: shown.body ?? body,
    unresolved: shown.unresolved
  })
  switch (kind) {
    case "voip":
      return only(callerOf(payload) ?? "Incoming call", customOf(payload, callerOf(payload)))
    case "pushtotalk":
      return only(speakerOf(payload) ?? "Push to Talk", customOf(payload, speakerOf(payload)))
    case "background":
      return only(undefined, customOf(payload))
    case "complication":
      return only("Updates a complication", customOf(payload))
    case "controls":
      return only("Reloads a control", customOf(payload))
    case "widgets":
      return only("Reloads widgets", customOf(payload))
    case "fileprovider":
      return only("Signals changed files", string(field(payload, "domain")))
    case "location":
      return only("Asks for the location", customOf(payload))
    case "mdm":
      return only("Asks a managed device to check in", undefined)
    case "channel":
      return only(channelWords(request), request.channelId)
    default:
      return shown
  }
}

// ------------------------------------------------------------------------------------------------------ Live Activities

const maxLeaves = 500

const maxShown = 50

/** Every value of a state that is not a dictionary, by its path. */
const leavesOf = (state: unknown): Map<string, string> => {
  const leaves = new Map<string, string>()
  const walk = (value: unknown, path: string, depth: number): void => {
    if (leaves.size >= maxLeaves) return
    if (isObject(value) && depth < 8 && Object.keys(value).length > 0) {
      for (const [key, inner] of Object.entries(value)) walk(inner, path === "" ? key : `${path}.${key}`, depth + 1)
    } else leaves.set(cut(path, 120), json(value))
  }
  if (isObject(state)) { for (const [key, value] of Object.entries(state)) walk(value, key, 1) }
  return leaves
}

const changesOf = (before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): ReadonlyArray<Change> => {
  const changes: Array<Change> = []
  for (const [path, to] of after) {
    const from = before.get(path)
    if (from !== to) changes.push(from === undefined ? { path, to } : { path, from, to })
  }
  for (const [path, from] of before) if (!after.has(path)) changes.push({ path, from })
  return changes.slice(0, maxShown)
}

/** How many pushes back the start of an activity is searched for. */
const maxBack = 100

const activityOf = (entry: Entry, payload: unknown, context: Context): Activity => {
  const aps = field(payload, "aps")
  const state = leavesOf(field(aps, "content-state"))
  const previous = entry.previous === undefined ? undefined : context.entry(entry.previous)
  const event = string(field(aps, "event")) ?? "no event"
  const starts = event === "start"
  const before = previous === undefined || starts
    ? new Map<string, string>()
    : leavesOf(field(field(previous.request.payload, "aps"), "content-state"))
  let attributesType = string(field(aps, "attributes-type"))
  let back = previous
  for (let steps = 0; attributesType === undefined && back !== undefined && steps < maxBack; steps++) {
    attributesType = string(field(field(back.request.payload, "aps"), "attributes-type"))
    back = back.previous === undefined ? undefined : context.entry(back.previous)
  }
  const ended = event === "end" && field(aps, "content-state") === undefined
  return {
    event: cut(event, 40),
    attributesType: attributesType === undefined ? undefined : cut(attributesType, 80),
    state: Array.from(ended ? before : state, ([path, value]) => ({ path, value })).slice(0, maxShown),
    changes: ended ? [] : changesOf(before, state),
    previous: starts ? undefined : previous?.id,
    staleDate: number(field(aps, "stale-date")),
    dismissalDate: number(field(aps, "dismissal-date"))
  }
}

// ---------------------------------------------------------------------------------------------------------------- push

const levels = new Set(["passive", "active", "time-sensitive", "critical"])

const lint = (entry: Entry): ReadonlyArray<Lint.Finding> => {
  const { request } = entry
  // a push that a fault took has no body to check, and requests about channels are not pushes
  if (entry.processedAt === undefined || request.path.startsWith("/1/")) return []
  return Lint.lint({
    payload: request.body,
    headers: request.headers,
    path: request.path,
    now: DateTime.unsafeMake(entry.arrivedAt)
  })
}

/** @internal */
export const pushOf = (entry: Entry, context: Context): Push => push(entry, context, entry.request.payload, lint(entry))

const push = (entry: Entry, context: Context, payload: unknown, findings: ReadonlyArray<Lint.Finding>): Push => {
  const { request } = entry
  const kind = kindOf(request)
  const aps = field(payload, "aps")
  const shown = wordsOf(kind, request, payload, context.strings)
  const sound = field(aps, "sound") ?? (kind === "liveactivity" ? field(field(aps, "alert"), "sound") : undefined)
  const level = string(field(aps, "interruption-level"))
  const topic = topicOf(request)
  const broadcast = request.path.startsWith("/4/broadcasts/")
  const type = broadcast ? "liveactivity" : request.pushType
  return {
    id: entry.id,
    time: entry.arrivedAt,
    kind,
    broadcast,
    method: request.method,
    path: cut(request.path, 300),
    token: request.token,
    topic,
    pushType: request.pushType,
    priority: number(request.priority),
    collapseId: request.collapseId,
    channelId: request.channelId,
    apnsId: request.apnsId,
    app: appOf(topic),
    outcome: entry.outcome,
    status: request.status,
    reason: request.reason,
    size: request.body.length,
    limit: broadcast
      ? PushType.broadcastMaxPayloadBytes
      : PushType.is(type)
      ? PushType.table[type].maxPayloadBytes
      : 4096,
    title: words(shown.title),
    subtitle: words(shown.subtitle),
    body: words(shown.body),
    unresolved: shown.unresolved,
    badge: number(field(aps, "badge")),
    sound: words(string(sound) ?? string(field(sound, "name"))),
    critical: field(sound, "critical") === 1 || level === "critical",
    level: level !== undefined && levels.has(level) ? level : undefined,
    threadId: words(string(field(aps, "thread-id"))),
    category: words(string(field(aps, "category"))),
    activity: kind === "liveactivity" ? activityOf(entry, payload, context) : undefined,
    replaces: entry.replaces,
    replacedBy: entry.replacedBy,
    errors: findings.filter(({ severity }) => severity === "error").length,
    warnings: findings.filter(({ severity }) => severity === "warning").length
  }
}

/** The words that a phone would show, for searching. */
export const spoken = (entry: Entry, context: Context): string => {
  if (context.strings.size === 0) return ""
  const { request } = entry
  const { body, subtitle, title } = wordsOf(kindOf(request), request, request.payload, context.strings)
  return [title, subtitle, body].filter((part) => part !== undefined).join("\n")
}

// -------------------------------------------------------------------------------------------------------------- detail

const part = (text: string | undefined): Fields | undefined => {
  if (text === undefined) return undefined
  try {
    const parsed: unknown = JSON.parse(Buffer.from(text, "base64url").toString("utf8"))
    return isObject(parsed) ? parsed : undefined
  } catch {
    return undefined
  }
}

/** The content of a provider token without its signature, so that it cannot be used. */
const jwtOf = (authorization: string | undefined, arrivedAt: number): PushDetail["jwt"] => {
  if (authorization === undefined) return undefined
  const [first, second] = authorization.replace(/^bearer\s+/i, "").split(".")
  const header = part(first)
  const claims = part(second)
  const issuedAt = number(claims?.["iat"])
  return {
    header: header ?? {},
    claims: claims ?? {},
    age: issuedAt === undefined ? undefined : Math.round(arrivedAt / 1000 - issuedAt),
    problem: header === undefined || claims === undefined
      ? "It is no JWT: a provider token has a header and claims in base64url, with a dot between them."
      : undefined
  }
}

const secret = new Set(["authorization", "proxy-authorization", "cookie"])

const headersOf = (request: Received.Received): PushDetail["headers"] =>
  Object.entries(request.headers).map(([name, value]) => ({
    name,
    value: secret.has(name.toLowerCase()) ? `${/^\s*(bearer|basic)\b/i.exec(value)?.[1] ?? ""} (hidden)`.trim() : value
  }))

const decoder = new TextDecoder()

/** @internal */
export const detailOf = (
  entry: Entry,
  context: Context,
  connections: ReadonlyArray<ConnectionInfo.ConnectionInfo>
): PushDetail => {
  const { request } = entry
  const { payload } = request
  const findings = lint(entry)
  const connection = connections.find(({ id }) => id === request.connection)
  return {
    ...push(entry, context, payload, findings),
    path: request.path,
    headers: headersOf(request),
    text: decoder.decode(request.body),
    payload,
    findings,
    jwt: jwtOf(request.headers["authorization"], entry.arrivedAt),
    connection: {
      id: request.connection,
      streamId: request.streamId,
      tls: connection?.tls,
      serverName: connection?.serverName,
      openedAt: connection?.openedAt,
      requests: connection?.requests,
      open: connection?.open,
      clientCertificate: connection?.clientCertificate === undefined
        ? undefined
        : connection.clientCertificate.bundleId ?? "without a bundle ID"
    },
    timing: {
      arrived: entry.arrivedAt,
      processed: entry.processedAt,
      took: entry.processedAt === undefined ? undefined : entry.processedAt - entry.arrivedAt
    },
    told: entry.told
  }
}
