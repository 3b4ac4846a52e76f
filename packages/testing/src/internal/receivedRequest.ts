/**
 * A request as the mock keeps it. Headers are stored unchanged and only parsed when they are read, which is rare.
 *
 * @internal
 */
import type { IncomingHttpHeaders } from "node:http2"
import type { Received } from "../Received.js"

const devicePath = "/3/device/"

const numeric = (value: string | undefined): number | undefined => value === undefined ? undefined : Number(value)

const empty = new Uint8Array()

/** @internal */
export class ReceivedRequest implements Received {
  body: Uint8Array = empty
  accepted = false
  status: number | undefined = undefined
  reason: string | undefined = undefined
  time = 0
  apnsId = ""

  constructor(
    readonly connection: number,
    readonly streamId: number,
    private incoming: IncomingHttpHeaders
  ) {}

  /**
   * Replaces the strings of `node:http2`: they are outside the heap, one for each header of each request, although nearly
   * all of them are equal.
   */
  settle(intern: (value: string) => string): void {
    const kept: Record<string, string> = {}
    for (const name of Object.keys(this.incoming)) kept[name] = intern(this.header(name) ?? "")
    this.incoming = kept
  }

  /** One header; joined where it was repeated. */
  header(name: string): string | undefined {
    const value = this.incoming[name]
    return value === undefined || typeof value === "string" ? value : value.join(", ")
  }

  get method(): string {
    return this.header(":method") ?? ""
  }

  get path(): string {
    return this.header(":path") ?? ""
  }

  get headers(): Readonly<Record<string, string>> {
    const all: Record<string, string> = {}
    for (const name of Object.keys(this.incoming)) all[name] = this.header(name) ?? ""
    return all
  }

  get token(): string | undefined {
    return this.path.startsWith(devicePath) ? this.path.slice(devicePath.length) : undefined
  }

  get topic(): string | undefined {
    return this.header("apns-topic")
  }

  get pushType(): string | undefined {
    return this.header("apns-push-type")
  }

  get priority(): number | undefined {
    return numeric(this.header("apns-priority"))
  }

  get expiration(): number | undefined {
    return numeric(this.header("apns-expiration"))
  }

  get collapseId(): string | undefined {
    return this.header("apns-collapse-id")
  }

  get channelId(): string | undefined {
    return this.header("apns-channel-id")
  }

  get payload(): unknown {
    try {
      return JSON.parse(Buffer.from(this.body).toString("utf8"))
    } catch {
      return undefined
    }
  }

  toJSON(): unknown {
    const { accepted, apnsId, connection, headers, method, path, payload, reason, status, streamId, time, token } = this
    return { connection, streamId, time, method, path, token, headers, apnsId, payload, accepted, status, reason }
  }
}
