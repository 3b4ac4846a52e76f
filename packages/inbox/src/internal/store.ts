/**
 * The newest pushes, exact counts of all of them, and the callers that wait for one. Plain callbacks: a push costs a few
 * assignments, and what is expensive (parsing, linting) is only done for those that are looked at.
 *
 * @internal
 */
import type { Behavior, Received } from "@effect-apns/testing"
import type { Counts, Filter, Outcome } from "../Model.js"

/** @internal */
export class Entry {
  outcome: Outcome = "waiting"
  processedAt: number | undefined = undefined
  replaces: number | undefined = undefined
  replacedBy: number | undefined = undefined
  /** The push before, of the same Live Activity. */
  previous: number | undefined = undefined
  told: string | undefined = undefined
  /** When it changed last, in the order of changes. */
  revision = 0

  constructor(
    readonly id: number,
    readonly request: Received.Received,
    readonly arrivedAt: number,
    readonly epoch: number
  ) {}
}

interface Waiter {
  readonly matches: (entry: Entry) => boolean
  readonly resume: (entry: Entry) => void
}

/** At most so many bytes of bodies are kept: of large ones, fewer pushes are kept. */
const maxBytes = 64 * 1024 * 1024

const maxJournal = 4096

/** The largest number of changes in one update. */
const maxChanges = 200

const maxTracked = 10_000

/** Whether a behavior ends a request before it is processed. */
const loses = (behavior: Behavior.Behavior | undefined, streamId: number): boolean => {
  switch (behavior?._tag) {
    case "Reset":
    case "Stall":
    case "Written":
      return !behavior.processed
    case "Drop":
      return behavior.when === "before"
    case "GoAway":
      return behavior.when === "before" ||
        behavior.when === "instead" &&
          (behavior.lastStreamId ?? (behavior.reason === undefined ? streamId : 0)) < streamId
    case "Slow":
      return loses(behavior.then, streamId)
    default:
      return false
  }
}

/** Remembers the newest value of each key, and forgets the keys that were not used for the longest time. */
class Latest {
  private readonly ids = new Map<string, number>()

  /** The id before. */
  put(key: string, id: number): number | undefined {
    const before = this.ids.get(key)
    this.ids.delete(key)
    this.ids.set(key, id)
    if (this.ids.size > maxTracked) {
      for (const oldest of this.ids.keys()) {
        this.ids.delete(oldest)
        break
      }
    }
    return before
  }

  clear(): void {
    this.ids.clear()
  }
}

/** @internal */
export class Store {
  private readonly ring: Array<Entry | undefined> = []
  private nextId = 1
  private oldest = 1
  private bytes = 0
  private epoch = 0
  private revision = 0
  private cleared = 0
  private touched = 0
  private journal: Array<Entry> = []
  private tallies = { total: 0, accepted: 0, rejected: 0, unanswered: 0, lost: 0, waiting: 0 }
  private readonly entries = new WeakMap<Received.Received, Entry>()
  private readonly waiters = new Set<Waiter>()
  private listeners: Array<() => void> = []
  private readonly collapsed = new Latest()
  private readonly activities = new Latest()

  constructor(readonly keep: number, private readonly now: () => number) {}

  // ----------------------------------------------------------------------------------------------------------- filling

  arrived(request: Received.Received, behavior: Behavior.Behavior | undefined, told: string | undefined): void {
    const entry = new Entry(this.nextId++, request, this.now(), this.epoch)
    entry.told = told
    this.entries.set(request, entry)
    this.tallies.total++
    this.tallies.waiting++
    const slot = entry.id % this.keep
    this.evict(this.ring[slot])
    this.ring[slot] = entry
    if (entry.id - this.oldest >= this.keep) this.oldest = entry.id - this.keep + 1
    if (loses(behavior, request.streamId)) this.settle(entry, "lost")
    else if (behavior?._tag === "Slow") this.changed(entry)
  }

  received(request: Received.Received): void {
    const entry = this.entries.get(request)
    if (entry === undefined || entry.epoch !== this.epoch) return
    entry.processedAt = this.now()
    this.bytes += request.body.length
    while (this.bytes > maxBytes && this.oldest < entry.id) {
      const slot = this.oldest % this.keep
      this.evict(this.ring[slot])
      this.ring[slot] = undefined
      this.oldest++
    }
    const key = request.token ?? request.channelId ?? ""
    if (request.accepted) {
      if (request.collapseId !== undefined) {
        const replaced = this.collapsed.put(`${key} ${request.topic ?? ""} ${request.collapseId}`, entry.id)
        const before = replaced === undefined ? undefined : this.get(replaced)
        if (before !== undefined) {
          entry.replaces = before.id
          before.replacedBy = entry.id
          this.changed(before)
        }
      }
      if (request.pushType === "liveactivity" || request.path.startsWith("/4/")) {
        entry.previous = this.activities.put(`${key} ${request.topic ?? ""}`, entry.id)
      }
    }
    this.settle(entry, request.status === undefined ? "unanswered" : request.accepted ? "accepted" : "rejected")
  }

  /** Its stream is over, and it was never processed. */
  lost(request: Received.Received): void {
    const entry = this.entries.get(request)
    if (entry !== undefined && entry.epoch === this.epoch && entry.outcome === "waiting") this.settle(entry, "lost")
  }

  private settle(entry: Entry, outcome: Outcome): void {
    this.tallies[entry.outcome]--
    this.tallies[outcome]++
    entry.outcome = outcome
    this.changed(entry)
    for (const waiter of this.waiters) {
      if (!waiter.matches(entry)) continue
      this.waiters.delete(waiter)
      waiter.resume(entry)
    }
  }

  private evict(entry: Entry | undefined): void {
    if (entry?.processedAt !== undefined && entry.epoch === this.epoch) this.bytes -= entry.request.body.length
  }

  private changed(entry: Entry): void {
    entry.revision = ++this.revision
    this.journal.push(entry)
    if (this.journal.length > 2 * maxJournal) this.journal = this.journal.slice(-maxJournal)
    this.wake()
  }

  private wake(): void {
    if (this.listeners.length === 0) return
    const { listeners } = this
    this.listeners = []
    for (const listener of listeners) listener()
  }

  clear(): void {
    this.epoch++
    this.ring.length = 0
    this.oldest = this.nextId
    this.bytes = 0
    this.journal = []
    this.tallies = { total: 0, accepted: 0, rejected: 0, unanswered: 0, lost: 0, waiting: 0 }
    this.collapsed.clear()
    this.activities.clear()
    this.cleared = ++this.revision
    this.wake()
  }

  // ----------------------------------------------------------------------------------------------------------- reading

  counts(): Counts {
    return { ...this.tallies, kept: this.nextId - this.oldest }
  }

  get(id: number): Entry | undefined {
    return Number.isInteger(id) && id >= this.oldest && id < this.nextId ? this.ring[id % this.keep] : undefined
  }

  /** The newest that match, newest first. */
  newest(
    matches: (entry: Entry) => boolean,
    limit: number,
    before = Infinity
  ): { readonly entries: ReadonlyArray<Entry>; readonly more: boolean } {
    const entries: Array<Entry> = []
    for (let id = Math.min(this.nextId - 1, Math.ceil(before) - 1); id >= this.oldest; id--) {
      const entry = this.get(id)
      if (entry === undefined || !matches(entry)) continue
      if (entries.length === limit) return { entries, more: true }
      entries.push(entry)
    }
    return { entries, more: false }
  }

  /** The oldest settled one above `after` that matches, now or when it comes; the result stops waiting. */
  wait(matches: (entry: Entry) => boolean, after: number, resume: (entry: Entry) => void): () => void {
    const wanted = (entry: Entry): boolean => entry.id > after && entry.outcome !== "waiting" && matches(entry)
    for (let id = Math.max(this.oldest, Math.floor(after) + 1); id < this.nextId; id++) {
      const entry = this.get(id)
      if (entry !== undefined && wanted(entry)) {
        resume(entry)
        return () => {}
      }
    }
    const waiter: Waiter = { matches: wanted, resume }
    this.waiters.add(waiter)
    return () => this.waiters.delete(waiter)
  }

  get currentRevision(): number {
    return this.revision
  }

  /** What changed since, oldest first: the newest changes, and how many more there were. */
  since(revision: number, matches: (entry: Entry) => boolean): {
    readonly entries: ReadonlyArray<Entry>
    readonly skipped: number
    readonly cleared: boolean
    readonly touched: boolean
  } {
    const entries: Array<Entry> = []
    const cleared = this.cleared > revision
    const from = Math.max(revision, this.cleared)
    let order = this.revision
    for (let at = this.journal.length - 1; at >= 0 && entries.length < maxChanges; at--) {
      const entry = this.journal[at]
      if (entry === undefined || order <= from) break
      // an entry is in the list once, where it changed last
      if (entry.revision === order && this.get(entry.id) === entry && matches(entry)) entries.push(entry)
      order--
    }
    return {
      entries: entries.reverse(),
      skipped: Math.max(0, order - from),
      cleared,
      touched: this.touched > revision
    }
  }

  /** Calls back once, at the next change; the result stops waiting. */
  onChange(listener: () => void): () => void {
    this.listeners.push(listener)
    return () => {
      this.listeners = this.listeners.filter((other) => other !== listener)
    }
  }

  /** Something besides the pushes changed. */
  touch(): void {
    this.touched = ++this.revision
    // keeps the journal's order in step with the revisions
    this.journal.push(new Entry(0, nothing, 0, -1))
    this.wake()
  }
}

const nothing: Received.Received = {
  connection: 0,
  streamId: 0,
  time: 0,
  method: "",
  path: "",
  headers: {},
  token: undefined,
  topic: undefined,
  pushType: undefined,
  priority: undefined,
  expiration: undefined,
  collapseId: undefined,
  channelId: undefined,
  apnsId: "",
  body: new Uint8Array(),
  payload: undefined,
  accepted: false,
  status: undefined,
  reason: undefined
}

// ------------------------------------------------------------------------------------------------------------ filters

const decoder = new TextDecoder()

const bodyText = (request: Received.Received): string => {
  const text = decoder.decode(request.body)
  // escapes in the JSON would hide the text
  return text.includes("\\") ? JSON.stringify(request.payload) ?? text : text
}

/** Whether an entry matches; `words` is the text that the page shows besides the payload. */
export const matcher = (
  filter: Filter,
  words: (entry: Entry) => string
): (entry: Entry) => boolean => {
  const text = filter.text?.trim().toLowerCase()
  const token = filter.token?.toLowerCase()
  const isToken = (value: string | undefined): boolean =>
    value !== undefined && token !== undefined &&
    (token.length < 6 ? value.toLowerCase() === token : value.toLowerCase().startsWith(token))
  const topicOf = (request: Received.Received): string =>
    request.topic ?? /^\/[14]\/(?:broadcasts\/)?apps\/([^/]+)/.exec(request.path)?.[1] ?? ""
  return (entry) => {
    const { request } = entry
    if (filter.outcome !== undefined && entry.outcome !== filter.outcome) return false
    if (filter.pushType !== undefined && filter.pushType !== request.pushType) return false
    if (filter.collapseId !== undefined && filter.collapseId !== request.collapseId) return false
    if (filter.apnsId !== undefined && filter.apnsId.toLowerCase() !== request.apnsId.toLowerCase()) return false
    if (filter.topic !== undefined) {
      const topic = topicOf(request)
      if (topic !== filter.topic && !topic.startsWith(`${filter.topic}.`)) return false
    }
    if (token !== undefined && !isToken(request.token) && !isToken(request.channelId)) return false
    if (text === undefined || text === "") return true
    const { apnsId, channelId, collapseId, pushType, reason, topic } = request
    // "device" is in every path
    const path = request.token ?? request.path
    return [path, topic, pushType, collapseId, channelId, apnsId, reason, bodyText(request), words(entry)].some((
      part
    ) => part !== undefined && part.toLowerCase().includes(text))
  }
}

/** Whether a filter matches everything. */
export const isEmpty = (filter: Filter): boolean => Object.values(filter).every((value) => value === undefined)
