/**
 * Broadcast channels and their management (Apple: "Sending channel management requests to APNs").
 *
 * @internal
 */
import { randomBytes } from "node:crypto"
import type { Verdict } from "./checks.js"
import * as reasons from "./reasons.js"
import type { ReceivedRequest } from "./receivedRequest.js"

/** @internal */
export interface Channel {
  readonly id: string
  readonly bundleId: string
  readonly storagePolicy: 0 | 1
}

const channelId = /^[A-Za-z0-9+/_-]{1,128}={0,2}$/

const answer = (status: number, body?: unknown, headers?: Readonly<Record<string, string>>): Verdict => ({
  status,
  reason: undefined,
  timestamp: undefined,
  headers,
  body: body === undefined ? undefined : JSON.stringify(body)
})

const refuse = (reason: string): Verdict => ({
  status: reasons.statusOf(reason),
  reason,
  timestamp: undefined,
  headers: undefined,
  body: undefined
})

/** @internal */
export class Channels {
  readonly all = new Map<string, Channel>()

  constructor(
    private readonly limit: number,
    private readonly enabled: ReadonlySet<string> | undefined
  ) {}

  create(bundleId: string, storagePolicy: 0 | 1): Channel {
    const channel: Channel = { id: randomBytes(16).toString("base64"), bundleId, storagePolicy }
    this.all.set(channel.id, channel)
    return channel
  }

  /** The channel, or the reason for the rejection. */
  find(bundleId: string, id: string | undefined): Channel | string {
    if (this.enabled !== undefined && !this.enabled.has(bundleId)) return "FeatureNotEnabled"
    if (id === undefined || id === "") return "MissingChannelId"
    if (!channelId.test(id)) return "BadChannelId"
    const channel = this.all.get(id)
    return channel === undefined || channel.bundleId !== bundleId ? "ChannelNotRegistered" : channel
  }

  of(bundleId: string): ReadonlyArray<Channel> {
    return Array.from(this.all.values()).filter((channel) => channel.bundleId === bundleId)
  }

  manage(bundleId: string, list: boolean, request: ReceivedRequest): Verdict {
    if (this.enabled !== undefined && !this.enabled.has(bundleId)) return refuse("FeatureNotEnabled")
    if (list) return answer(200, { channels: this.of(bundleId).map(({ id }) => id) })
    if (request.method === "POST") return this.add(bundleId, request)
    const channel = this.find(bundleId, request.header("apns-channel-id"))
    if (typeof channel === "string") return refuse(channel)
    if (request.method === "GET") {
      return answer(200, { "message-storage-policy": channel.storagePolicy, "push-type": "LiveActivity" })
    }
    this.all.delete(channel.id)
    return answer(204)
  }

  private add(bundleId: string, request: ReceivedRequest): Verdict {
    if (request.body.length === 0) return refuse("PayloadEmpty")
    if (request.body.length > 4096) return refuse("PayloadTooLarge")
    const body: unknown = request.payload
    if (typeof body !== "object" || body === null || Array.isArray(body)) return refuse("BadRequestPayload")
    const fields = new Map<string, unknown>(Object.entries(body))
    for (const name of fields.keys()) {
      if (name !== "message-storage-policy" && name !== "push-type") return refuse("BadRequestParams")
    }
    const pushType = fields.get("push-type")
    if (pushType === undefined) return refuse("MissingPushType")
    if (typeof pushType !== "string" || pushType.toLowerCase() !== "liveactivity") return refuse("InvalidPushType")
    const policy = fields.get("message-storage-policy")
    if (policy === undefined) return refuse("MissingChannelQueueSize")
    if (policy !== 0 && policy !== 1) return refuse("BadRequestParams")
    if (this.of(bundleId).length >= this.limit) return refuse("CannotCreateChannelConfig")
    return answer(201, undefined, { "apns-channel-id": this.create(bundleId, policy).id })
  }
}
