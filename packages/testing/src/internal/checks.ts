/**
 * What APNs checks, in one pass. The order is the mock's: Apple documents the reasons, not their order.
 *
 * @internal
 */
import * as PushType from "@effect-apns/models/PushType"
import type { Authority, Verified } from "./authority.js"
import type { Channels } from "./channels.js"
import * as reasons from "./reasons.js"
import type { ReceivedRequest } from "./receivedRequest.js"
import type { PushCertificate } from "./x509.js"

/** @internal */
export interface Verdict {
  readonly status: number
  readonly reason: string | undefined
  readonly timestamp: number | undefined
  readonly headers: Readonly<Record<string, string>> | undefined
  readonly body: string | undefined
}

/** @internal */
export const accepted: Verdict = {
  status: 200,
  reason: undefined,
  timestamp: undefined,
  headers: undefined,
  body: undefined
}

/** @internal */
export const rejected = (reason: string, timestamp?: number): Verdict => ({
  status: reasons.statusOf(reason),
  reason,
  timestamp,
  headers: undefined,
  body: undefined
})

/** @internal */
export interface DeadToken {
  readonly reason: string
  readonly timestamp: number | undefined
}

/** What is known so far about the sender of one connection. */
/** @internal */
export interface Principal {
  /** The certificate that the client showed; `trusted` where the mock's authority signed it and it is in date. */
  readonly certificate:
    | (PushCertificate & { readonly trusted: boolean; readonly userId: string | undefined })
    | undefined
  teamId: string | undefined
  keyId: string | undefined
  lastToken: string | undefined
  lastTokenAt: number
}

/** @internal */
export interface Rules {
  readonly auth: "token" | "certificate" | "any" | "none"
  readonly environment: "development" | "production"
  readonly authority: Authority
  readonly channels: Channels
  readonly topics: ReadonlySet<string> | undefined
  readonly tokenUpdateMillis: number
  readonly tokenLifetimeMillis: number
  readonly dead: Map<string, DeadToken>
  readonly tokenTopics: Map<string, string>
  readonly expiredTokens: Set<string>
  readonly now: () => number
}

const pushTypes = new Map<string, PushType.Info>(Object.entries(PushType.table))

const suffixes = Array.from(pushTypes.values(), ({ topicSuffix }) => topicSuffix).filter((suffix) => suffix !== "")

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const hex = /^(?:[0-9a-f]{2}){1,2048}$/i
const topicShape = /^[A-Za-z0-9][A-Za-z0-9._-]*$/
const seconds = /^\d{1,15}$/
const devicePrefix = "/3/device/"
const broadcastPath = /^\/4\/broadcasts\/apps\/([^/?#]+)$/
const channelsPath = /^\/1\/apps\/([^/?#]+)\/(channels|all-channels)$/

/** The bundle ID of a topic: without the suffix that this push type adds. */
const bundleOf = (topic: string, suffix: string): string =>
  suffix !== "" && topic.endsWith(suffix) ? topic.slice(0, -suffix.length) : topic

/** Whether a topic with a suffix was given as the bundle ID. The bundle ID of an app may end like a suffix, too. */
const isSuffixed = (rules: Rules, bundleId: string): boolean =>
  rules.topics?.has(bundleId) !== true && suffixes.some((suffix) => bundleId.endsWith(suffix))

/** @internal */
export const hasDuplicates = (rawHeaders: ReadonlyArray<string>): boolean => {
  for (let i = 2; i < rawHeaders.length; i += 2) {
    for (let j = 0; j < i; j += 2) if (rawHeaders[i] === rawHeaders[j]) return true
  }
  return false
}

const tooManyUpdates = (rules: Rules, principal: Principal, token: string, now: number): boolean =>
  principal.lastToken !== undefined && principal.lastToken !== token &&
  now - principal.lastTokenAt < rules.tokenUpdateMillis && !rules.expiredTokens.has(principal.lastToken)

/** How far in the future a token may have been issued, since clocks differ by seconds. Apple does not document a limit. */
const clockToleranceMillis = 300_000

const admit = (rules: Rules, principal: Principal, token: string, verified: Verified | string): Verified | string => {
  if (typeof verified === "string") return verified
  const now = rules.now()
  if (now - verified.issuedAt * 1000 > rules.tokenLifetimeMillis) return "ExpiredProviderToken"
  if (verified.issuedAt * 1000 - now > clockToleranceMillis) return "InvalidProviderToken"
  if (principal.teamId !== undefined && principal.teamId !== verified.teamId) return "UnrelatedKeyIdInToken"
  if (tooManyUpdates(rules, principal, token, now)) return "TooManyProviderTokenUpdates"
  if (principal.lastToken !== token) {
    principal.lastToken = token
    principal.lastTokenAt = now
    principal.teamId = verified.teamId
    principal.keyId = verified.keyId
  }
  return verified
}

interface Grant {
  /** The topics that the credentials allow; `undefined` for all of a team. */
  readonly topics: ReadonlyArray<string> | undefined
  /** Used if the request has no topic. */
  readonly defaultTopic: string | undefined
}

const everything: Grant = { topics: undefined, defaultTopic: undefined }

const authorize = (
  rules: Rules,
  principal: Principal,
  request: ReceivedRequest
): Grant | string | Promise<Grant | string> => {
  if (rules.auth === "none") return everything
  const { certificate } = principal
  if (certificate !== undefined && rules.auth !== "token") {
    if (!certificate.trusted) return "BadCertificate"
    const known = certificate.development || certificate.production
    if (known && !certificate[rules.environment]) return "BadCertificateEnvironment"
    return {
      topics: certificate.topics ?? (certificate.userId === undefined ? undefined : [certificate.userId]),
      defaultTopic: certificate.topics === undefined || certificate.topics.length < 2 ? certificate.userId : undefined
    }
  }
  if (rules.auth === "certificate") return "MissingProviderToken"
  const header = request.header("authorization")
  if (header === undefined || !/^bearer /i.test(header)) return "MissingProviderToken"
  const token = header.slice(7).trim()
  if (token === "") return "MissingProviderToken"
  const toGrant = (verified: Verified | string): Grant | string => {
    const admitted = admit(rules, principal, token, verified)
    return typeof admitted === "string" ? admitted : { topics: admitted.topics, defaultTopic: undefined }
  }
  const verified = rules.authority.verify(token)
  return verified instanceof Promise ? verified.then(toGrant) : toGrant(verified)
}

const covers = (rules: Rules, grant: Grant, topic: string, suffix: string): boolean => {
  const bundle = bundleOf(topic, suffix)
  if (rules.topics !== undefined && !rules.topics.has(topic) && !rules.topics.has(bundle)) return false
  return grant.topics === undefined || grant.topics.includes(topic) || grant.topics.includes(bundle)
}

const isPriority = (value: string, allowed: ReadonlyArray<number>): boolean =>
  (value === "10" || value === "5" || value === "1") && allowed.includes(Number(value))

const checkDevice = (rules: Rules, grant: Grant, request: ReceivedRequest): Verdict => {
  const token = request.path.slice(devicePrefix.length)
  if (token === "") return rejected("MissingDeviceToken")
  if (!hex.test(token)) return rejected("BadDeviceToken")
  const pushType = request.header("apns-push-type")
  const info = pushTypes.get(pushType ?? "alert")
  if (info === undefined) return rejected("InvalidPushType")
  const priority = request.header("apns-priority")
  if (priority !== undefined && !isPriority(priority, info.allowedPriorities)) return rejected("BadPriority")
  const expiration = request.header("apns-expiration")
  if (expiration !== undefined && !seconds.test(expiration)) return rejected("BadExpirationDate")
  const collapseId = request.header("apns-collapse-id")
  if (collapseId !== undefined && Buffer.byteLength(collapseId) > 64) return rejected("BadCollapseId")
  const topic = request.header("apns-topic") ?? grant.defaultTopic
  if (topic === undefined || topic === "") return rejected("MissingTopic")
  if (!topicShape.test(topic) || !topic.endsWith(info.topicSuffix)) return rejected("BadTopic")
  if (!covers(rules, grant, topic, info.topicSuffix)) return rejected("TopicDisallowed")
  if (request.body.length === 0) return rejected("PayloadEmpty")
  if (request.body.length > info.maxPayloadBytes) return rejected("PayloadTooLarge")
  const key = token.toLowerCase()
  const bound = rules.tokenTopics.size === 0 ? undefined : rules.tokenTopics.get(key)
  if (bound !== undefined && bound !== topic && bound !== bundleOf(topic, info.topicSuffix)) {
    return rejected("DeviceTokenNotForTopic")
  }
  const dead = rules.dead.size === 0 ? undefined : rules.dead.get(key)
  return dead === undefined ? accepted : rejected(dead.reason, dead.timestamp)
}

const checkBroadcast = (rules: Rules, grant: Grant, request: ReceivedRequest, bundleId: string): Verdict => {
  if (isSuffixed(rules, bundleId)) return rejected("TopicDisallowed")
  if (!covers(rules, grant, bundleId, "")) return rejected("TopicMismatch")
  const pushType = request.header("apns-push-type")
  if (pushType === undefined) return rejected("MissingPushType")
  if (pushType.toLowerCase() !== "liveactivity") return rejected("InvalidPushType")
  const priority = request.header("apns-priority")
  if (priority === undefined || !isPriority(priority, [10, 5, 1])) return rejected("BadPriority")
  const expiration = request.header("apns-expiration")
  if (expiration === undefined || !seconds.test(expiration)) return rejected("BadExpirationDate")
  const channel = rules.channels.find(bundleId, request.header("apns-channel-id"))
  if (typeof channel === "string") return rejected(channel)
  if (channel.storagePolicy === 0 && expiration !== "0") return rejected("BadExpirationDate")
  if (request.body.length === 0) return rejected("PayloadEmpty")
  if (request.body.length > 5120) return rejected("PayloadTooLarge")
  return accepted
}

const allowed = (path: string, method: string): string | undefined => {
  if (path.startsWith(devicePrefix) || path === "/3/device" || broadcastPath.test(path)) {
    return method === "POST" ? undefined : "MethodNotAllowed"
  }
  const channels = channelsPath.exec(path)
  if (channels === null) return "BadPath"
  const methods = channels[2] === "channels" ? ["POST", "GET", "DELETE"] : ["GET"]
  return methods.includes(method) ? undefined : "MethodNotAllowed"
}

/**
 * APNs's answer to a request. A promise only if a provider token is seen for the first time.
 *
 * @internal
 */
export const check = (
  rules: Rules,
  principal: Principal,
  request: ReceivedRequest,
  duplicates: boolean
): Verdict | Promise<Verdict> => {
  const { method, path } = request
  const misplaced = allowed(path, method)
  if (misplaced !== undefined) return rejected(misplaced)
  if (duplicates) return rejected("DuplicateHeaders")
  for (const name of ["apns-id", "apns-request-id"]) {
    const id = request.header(name)
    if (id !== undefined && !uuid.test(id)) return rejected("BadMessageId")
  }
  const grant = authorize(rules, principal, request)
  const decide = (result: Grant | string): Verdict => {
    if (typeof result === "string") return rejected(result)
    if (path.startsWith("/3/device")) return checkDevice(rules, result, request)
    const broadcast = broadcastPath.exec(path)
    if (broadcast !== null) return checkBroadcast(rules, result, request, broadcast[1] ?? "")
    const channels = channelsPath.exec(path)
    const bundleId = channels?.[1] ?? ""
    if (isSuffixed(rules, bundleId)) return rejected("TopicDisallowed")
    if (!covers(rules, result, bundleId, "")) return rejected("TopicMismatch")
    return rules.channels.manage(bundleId, channels?.[2] === "all-channels", request)
  }
  return grant instanceof Promise ? grant.then(decide) : decide(grant)
}
