/**
 * The sink's memory of what it received, and its judgment. It takes nothing on trust: every path, every body and every
 * header is compared with what was promised, so that no figure can be bought with a wrong byte.
 *
 * @since 0.1.0
 */
import { isDeepStrictEqual } from "node:util"
import { expectedAt, marked, markerLength, suffixBytes } from "../Workload.js"
import type { Behavior, Expectation, Report } from "./Protocol.js"

/**
 * One bit for each header field that a request must have once.
 *
 * @since 0.1.0
 * @category constants
 */
export const Field = {
  Method: 1,
  Scheme: 2,
  Authority: 4,
  Path: 8,
  Authorization: 16,
  Topic: 32,
  PushType: 64,
  Priority: 128,
  CollapseId: 256
} as const

/** The pseudo-header fields among them, which come first (RFC 9113 section 8.3). */
const pseudo = Field.Method | Field.Scheme | Field.Authority | Field.Path

const names: ReadonlyArray<readonly [bit: number, name: string]> = [
  [Field.Method, ":method"],
  [Field.Scheme, ":scheme"],
  [Field.Authority, ":authority"],
  [Field.Path, ":path"],
  [Field.Authorization, "authorization"],
  [Field.Topic, "apns-topic"],
  [Field.PushType, "apns-push-type"],
  [Field.Priority, "apns-priority"],
  [Field.CollapseId, "apns-collapse-id"]
]

/** Kinds of violations that a report tells. */
const maxTold = 20

const isMarker = /^[0-9a-f]{8}$/

/** RFC 9113 section 8.2.2. */
const connectionSpecific = new Set(["connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"])

const pathPrefix = Buffer.from("/3/device/", "latin1")

/** The value of a lower-case hex digit, 255 for any other byte. */
const hexValue = new Uint8Array(256).fill(255)
for (let value = 0; value < 16; value++) hexValue[value.toString(16).charCodeAt(0)] = value

/**
 * @since 0.1.0
 * @category models
 */
export class Ledger {
  requests = 0
  bodyBytes = 0
  bytesIn = 0
  bytesOut = 0
  connections = 0
  peakStreams = 0
  idSum = 0
  rejected = 0
  /** The request that was read last is the first one to its token. */
  firstOfToken = false

  private bodies: Behavior["bodies"] = "same"
  /** The sums of the markers in bodies and in collapse ids, which have to be those of the tokens. */
  private bodyMarks = 0
  private collapseMarks = 0
  private topic = ""
  private payload: unknown = undefined
  private required = 0
  private received = new Uint16Array(32_768)
  private distinct = 0
  private delays: Array<number> = []
  private readonly violations = new Map<string, number>()
  private readonly cpu = process.cpuUsage()

  expect(
    topic: string,
    payload: string,
    priority: "required" | "optional",
    bodies: Behavior["bodies"]
  ): void {
    this.topic = topic
    this.bodies = bodies
    this.payload = JSON.parse(payload)
    this.required = pseudo | Field.Authorization | Field.Topic | Field.PushType |
      (priority === "required" ? Field.Priority : 0) | (bodies === "each" ? Field.CollapseId : 0)
    this.connections = 0
    this.clear()
  }

  /** Forgets what was received; the connections, which go on, stay counted. */
  clear(): void {
    this.requests =
      this.bodyBytes =
      this.bytesIn =
      this.bytesOut =
      this.peakStreams =
        0
    this.idSum =
      this.distinct =
      this.rejected =
      this.bodyMarks =
      this.collapseMarks =
        0
    this.received.fill(0)
    this.delays = []
    this.violations.clear()
    const now = process.cpuUsage()
    this.cpu.user = now.user
    this.cpu.system = now.system
  }

  violation(message: string): void {
    this.violations.set(message, (this.violations.get(message) ?? 0) + 1)
  }

  delayed(milliseconds: number): void {
    this.delays.push(milliseconds)
  }

  /** Judges one header field and returns its bit, or 0 for one that means nothing here. */
  field(name: string, value: string): number {
    switch (name) {
      case ":method":
        return this.match(Field.Method, name, value, value === "POST")
      case ":scheme":
        return this.match(Field.Scheme, name, value, value === "https")
      case ":authority":
        return this.match(Field.Authority, name, value, /^localhost(:\d+)?$/.test(value))
      case "authorization":
        return this.match(Field.Authorization, name, value, /^bearer [\w-]+\.[\w-]+\.[\w-]+$/.test(value))
      case "apns-topic":
        return this.match(Field.Topic, name, value, value === this.topic)
      case "apns-push-type":
        return this.match(Field.PushType, name, value, value === "alert")
      case "apns-priority":
        return this.match(Field.Priority, name, value, value === "10")
      case "apns-collapse-id": {
        // `apns bulk` gives each notification one of its own
        if (this.bodies === "same") return 0
        const ok = isMarker.test(value)
        if (ok) this.collapseMarks = (this.collapseMarks + Number.parseInt(value, 16)) >>> 0
        return this.match(Field.CollapseId, name, value, ok)
      }
    }
    if (name.startsWith(":")) this.violation(`a pseudo-header field ${name}`)
    if (name !== name.toLowerCase()) this.violation(`an upper-case header field ${name}`)
    if (connectionSpecific.has(name)) this.violation(`a connection-specific header field ${name}`)
    return 0
  }

  private match(bit: number, name: string, value: string, ok: boolean): number {
    if (!ok) this.violation(`${name} is ${JSON.stringify(value.slice(0, 80))}`)
    return bit
  }

  /** Adds a field to those that a request has so far, and says what is wrong with that. */
  add(seen: number, bit: number): number {
    if (bit === 0) return seen
    if ((seen & bit) !== 0) this.violation(`${this.nameOf(bit)} twice in one request`)
    if ((bit & pseudo) !== 0 && (seen & ~pseudo) !== 0) {
      this.violation(`${this.nameOf(bit)} after a regular header field`)
    }
    return seen | bit
  }

  /** The header list of a request is complete. */
  headersDone(seen: number): void {
    const missing = this.required & ~seen
    if (missing === 0) return
    for (const [bit, name] of names) {
      if ((missing & bit) !== 0) this.violation(`${name} is missing`)
    }
  }

  private nameOf(bit: number): string {
    return names.find(([candidate]) => candidate === bit)?.[1] ?? "?"
  }

  /** Counts the device token in the `:path` that stands at `bytes[start, end)`. */
  path(bytes: Uint8Array, start: number, end: number): void {
    if (end - start !== 74) return this.violation(`a path of ${end - start} bytes`)
    for (let i = 0; i < 10; i++) {
      if (bytes[start + i] !== pathPrefix[i]) return this.violation("a path that does not start with /3/device/")
    }
    let at = start + 10
    let index = 0
    for (let i = 0; i < 8; i++) {
      const digit = hexValue[bytes[at++] ?? 0] ?? 255
      if (digit === 255) return this.violation("a token that is not hex")
      index = index * 16 + digit
    }
    let suffix = (index & 1023) * 56
    while (at < end) {
      if (bytes[at++] !== suffixBytes[suffix++]) return this.violation("a token with wrong digits")
    }
    if (index >= this.received.length) {
      if (index >= 1 << 26) return this.violation(`a token of number ${index}`)
      const grown = new Uint16Array(Math.max(this.received.length * 2, index + 1))
      grown.set(this.received)
      this.received = grown
    }
    const before = this.received[index] ?? 0
    this.firstOfToken = before === 0
    if (before === 0) this.distinct++
    this.received[index] = before + 1
  }

  /** Whether a body is the payload; a connection compares its later bodies with the first, byte for byte. */
  isPayload(body: Buffer): boolean {
    try {
      return isDeepStrictEqual(JSON.parse(body.toString("utf8")), this.payload)
    } catch {
      return false
    }
  }

  /** The marker of a body that is otherwise the payload. */
  markerOf(body: Buffer): string | undefined {
    try {
      const parsed: unknown = JSON.parse(body.toString("utf8"))
      const order = typeof parsed === "object" && parsed !== null && "order" in parsed ? parsed.order : undefined
      if (typeof order !== "string") return undefined
      const marker = order.slice(-markerLength)
      return isMarker.test(marker) && isDeepStrictEqual(parsed, marked(marker)) ? marker : undefined
    } catch {
      return undefined
    }
  }

  /** Counts a body with this marker. */
  mark(marker: string): void {
    if (!isMarker.test(marker)) return this.violation("a marker that is not hex")
    this.bodyMarks = (this.bodyMarks + Number.parseInt(marker, 16)) >>> 0
  }

  report(expectation: Expectation): Report {
    const violations = [...this.violations].slice(0, maxTold).map(([message, times]) => `${message} (${times} times)`)
    if (this.violations.size > maxTold) violations.push(`${this.violations.size - maxTold} more kinds of violations`)
    const requests = expectation.count * (expectation.attempts ?? 1)
    if (this.requests !== requests) violations.push(`${this.requests} requests instead of ${requests}`)
    if (!expectation.floor) violations.push(...this.wrongTokens(expectation))
    if (this.bodies === "each") violations.push(...this.wrongMarkers(expectation))
    const cpu = process.cpuUsage(this.cpu)
    const sorted = Float64Array.from(this.delays).sort()
    const quantile = (q: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0
    return {
      type: "report",
      requests: this.requests,
      distinctTokens: this.distinct,
      bodyBytes: this.bodyBytes,
      bytesIn: this.bytesIn,
      bytesOut: this.bytesOut,
      connections: this.connections,
      peakStreams: this.peakStreams,
      idSum: this.idSum,
      rejected: this.rejected,
      cpuSeconds: (cpu.user + cpu.system) / 1e6,
      delay: sorted.length === 0 ? undefined : { p50: quantile(0.5), p99: quantile(0.99), max: quantile(1) },
      violations
    }
  }

  private wrongMarkers({ count, distinct, first }: Expectation): Array<string> {
    let sum = 0
    for (let index = 0; index < distinct; index++) {
      sum = (sum + Math.imul(index, expectedAt(index, first, count, distinct))) >>> 0
    }
    return [
      ...(this.bodyMarks === sum ? [] : ["texts that are not those of their tokens"]),
      ...(this.collapseMarks === sum ? [] : ["collapse ids that are not those of their tokens"])
    ]
  }

  private wrongTokens({ attempts = 1, count, distinct, first }: Expectation): Array<string> {
    let wrong = 0
    let example = ""
    for (let index = 0; index < Math.max(distinct, this.received.length); index++) {
      const expected = index < distinct ? attempts * expectedAt(index, first, count, distinct) : 0
      const received = this.received[index] ?? 0
      if (received === expected) continue
      if (wrong++ === 0) example = `token ${index}: ${received} requests instead of ${expected}`
    }
    return wrong === 0 ? [] : [`${wrong} tokens with a wrong number of requests (${example})`]
  }
}
