/**
 * What the server and the network do in the storm: every fault that the mock has, at random. The server says nothing that
 * is not so: a GOAWAY never disowns a stream that was processed, and REFUSED_STREAM answers only what was not processed.
 */
import { type Behavior as Behaviors, MockApns } from "@effect-apns/testing"
import { Clock, Effect, Schedule, type Scope, type Utils } from "effect"

import { Roster } from "../../src/internal/roster.js"

type Behavior = Behaviors.Behavior

const errorCodes = [1, 2, 8, 11]
const maxStreamId = 2_147_483_647
const maxConnections = 64

interface Choice<A> {
  readonly name: string
  readonly weight: number
  readonly make: () => A
}

const choose = <A>(
  random: Utils.PCGRandom,
  choices: ReadonlyArray<Choice<A>>,
  total: number
): Choice<A> | undefined => {
  let left = random.number() * total
  for (const choice of choices) {
    left -= choice.weight
    if (left < 0) return choice
  }
  return choices[choices.length - 1]
}

const weigh = <A>(choices: ReadonlyArray<Choice<A>>): number => choices.reduce((sum, { weight }) => sum + weight, 0)

export interface Options {
  readonly random: Utils.PCGRandom
  /** Which part of the requests meets a fault of its own: 0 to 1. */
  readonly faultRate: number
  /** Requests between two events that hit connections, on average. */
  readonly eventEvery: number
  /** How long the server accepts and closes, in seconds, on average. */
  readonly spellSeconds: number
  /** The moment of all spells. Default: they take turns. */
  readonly moment?: Moment | undefined
}

/** What the mock processed on a connection, so that no GOAWAY disowns it. */
interface Seen {
  processed: number
  goaway: number
}

/**
 * When the server closes, in a spell of {@link Weather.acceptAndClose}. `"soon"`: 50 milliseconds after it accepted;
 * `"unanswered"`: likewise, and until then it answers no request.
 */
export type Moment = "close" | "closeAfterTls" | "closeAfterSettings" | "soon" | "unanswered" | "onRequest"

/**
 * The moments of the spells of one storm, which take turns. Even the shortest storm has a spell in which connections are
 * opened and are of no use, whether or not there is traffic, which is where a pool connects most often that does not back off.
 */
const turns: ReadonlyArray<Moment> = [
  "unanswered",
  "soon",
  "closeAfterSettings",
  "onRequest",
  "closeAfterTls",
  "close"
]

/**
 * How many times pools of these sizes may connect in one spell.
 *
 * Each replaces its connections once, and then backs off: a few short waits, and after them 0.8 to 1.2 seconds each. Where
 * connections answer before they are closed (`"soon"`), it need not back off, and the ceiling of two a second is what holds.
 * What the server asks for by GOAWAY comes on top.
 */
export const allowedConnects = (
  { moment, rotations, seconds, sizes }: Pick<Spell, "moment" | "rotations" | "seconds" | "sizes">
): number => {
  const soon = moment === "soon"
  const atOnce = sizes.reduce((sum, size) => sum + (soon ? 2 * size : size) + 9, 0)
  return Math.ceil(atOnce + (soon ? 2.5 : 1.25) * seconds) + rotations
}

/** What a spell of {@link Weather.acceptAndClose} saw. */
export interface Spell {
  readonly moment: Moment
  /** Of one pool after the other. */
  readonly sizes: ReadonlyArray<number>
  readonly seconds: number
  readonly connects: number
  /** How often the server asked in good order, by GOAWAY, for another connection, which it gets at once. */
  readonly rotations: number
  readonly allowed: number
}

/** The spells in which a pool connected more often than {@link allowedConnects}, in words. */
export const reconnectStorms = (spells: ReadonlyArray<Spell>): ReadonlyArray<string> =>
  spells.filter(({ allowed, connects }) => connects > allowed).map((spell) =>
    `${spell.moment}: a pool of ${spell.sizes.join(", then one of ")} connected ${spell.connects} times in ${
      spell.seconds.toFixed(1)
    } seconds to a server that ` +
    `accepts and closes, and has asked ${spell.rotations} times for another one; ${spell.allowed} are allowed`
  )

export class Weather {
  /** How often each fault was asked for, by name. */
  readonly counts = new Map<string, number>()
  /** Each time that the server accepted and closed for a while, what it saw of the pool. */
  readonly spells: Array<Spell> = []
  /** The number of connections that the pool keeps. */
  private current = 1
  /** The sizes of the pools that a spell has seen: one may end, and another begin, in the middle of it. */
  private sizes: Array<number> = []
  /** A spell is on: nothing else may decide how connecting goes. */
  private closing = false
  private closingOnRequest = false
  private unanswered = false
  private readonly ceilingMillis = Roster.ceilingMillis
  private readonly seen = new Map<number, Seen>()
  private readonly random: Utils.PCGRandom
  private readonly requestFaults: ReadonlyArray<Choice<Behavior>>
  private readonly requestTotal: number
  private requests = 0
  private nextEvent = 0
  private onEventDue: (() => void) | undefined = undefined

  constructor(private readonly options: Options) {
    this.random = options.random
    this.requestFaults = this.makeRequestFaults()
    this.requestTotal = weigh(this.requestFaults)
  }

  /** The mock has processed a request. */
  processed(connection: number, streamId: number): void {
    const known = this.seen.get(connection)
    if (known !== undefined) {
      if (streamId > known.processed) known.processed = streamId
      return
    }
    if (this.seen.size >= maxConnections) {
      for (const oldest of this.seen.keys()) {
        this.seen.delete(oldest)
        break
      }
    }
    this.seen.set(connection, { processed: streamId, goaway: maxStreamId })
  }

  get total(): number {
    let total = 0
    for (const count of this.counts.values()) total += count
    return total
  }

  private count(name: string): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1)
  }

  private integer(below: number): number {
    return this.random.integer(below)
  }

  private pick<A>(values: readonly [A, ...Array<A>]): A {
    return values[this.integer(values.length)] ?? values[0]
  }

  // --------------------------------------------------------------------------------------------- one request each

  private makeRequestFaults(): ReadonlyArray<Choice<Behavior>> {
    const fault = (weight: number, name: string, make: () => Behavior): Choice<Behavior> => ({ name, weight, make })
    const code = (): number => errorCodes[this.integer(errorCodes.length)] ?? 2
    return [
      fault(25, "refuse", () => MockApns.refuseStream),
      fault(6, "reset, processed", () => MockApns.resetStream(code())),
      fault(6, "reset, not processed", () => MockApns.resetStream(code(), { processed: false })),
      fault(2, "reset behind the headers", () => MockApns.resetStream(code(), { afterHeaders: true })),
      fault(1, "reset twice", () => MockApns.resetStream([7, 5], { processed: false })),
      fault(0.5, "stall", () => MockApns.stall),
      fault(0.5, "swallow", () => MockApns.swallow),
      fault(0.5, "stall in the body", () => MockApns.stallBody),
      fault(10, "429", () => MockApns.tooManyRequests()),
      fault(2, "429 with Retry-After", () => MockApns.tooManyRequests({ retryAfter: "1 second" })),
      fault(8, "503", () => MockApns.unavailable()),
      fault(2, "503 with Retry-After", () => MockApns.unavailable({ retryAfter: "1 second" })),
      fault(1, "503 for too long", () => MockApns.unavailable({ retryAfter: "1 hour" })),
      fault(4, "500", () => MockApns.internalServerError),
      fault(0.5, "503 Shutdown", () => MockApns.shutdown),
      fault(15, "slow", () => MockApns.slow(`${1 + this.integer(60)} millis`)),
      fault(2, "slow, then refused", () => MockApns.slow(`${1 + this.integer(60)} millis`, MockApns.refuseStream)),
      fault(0.3, "403 ExpiredProviderToken", () => MockApns.expiredProviderToken),
      fault(0.3, "429 TooManyProviderTokenUpdates", () => MockApns.tooManyProviderTokenUpdates),
      fault(4, "410", () => MockApns.unregistered(1_700_000_000_000)),
      fault(4, "400", () => MockApns.reject("BadDeviceToken")),
      fault(3, "body in pieces", () => MockApns.splitBody()),
      fault(2, "empty last DATA", () => MockApns.emptyLastData()),
      fault(2, "no body", () => MockApns.noBody()),
      fault(2, "not JSON", () => MockApns.notJson()),
      fault(3, "informational", () => MockApns.informational),
      fault(3, "trailers", () => MockApns.trailers),
      fault(2, "unknown frame", () => MockApns.unknownFrame),
      fault(0.5, "body too large", () => MockApns.bodyTooLarge(100_000)),
      fault(0.5, "headers too large", () => MockApns.headersTooLarge(32_000)),
      fault(1, "no status", () => MockApns.noStatus),
      fault(1, "bad status", () => MockApns.badStatus),
      fault(1, "upper-case header", () => MockApns.upperCaseHeader),
      fault(1, "DATA before HEADERS", () => MockApns.dataBeforeHeaders),
      fault(0.3, "PING flood", () => MockApns.pingFlood(200)),
      fault(0.3, "SETTINGS flood", () => MockApns.settingsFlood(100)),
      // these end the connection
      fault(0.15, "drop, not processed", () => MockApns.drop({ when: "before", reset: this.integer(2) === 0 })),
      fault(0.3, "drop, processed", () => MockApns.drop({ when: "after", reset: this.integer(2) === 0 })),
      fault(0.15, "drop in the answer", () => MockApns.drop({ when: "during", reset: this.integer(2) === 0 })),
      fault(0.05, "garbled headers", () => MockApns.garbledHeaders),
      fault(0.05, "oversize frame", () => MockApns.oversizeFrame),
      fault(0.05, "garbage", () => MockApns.garbage),
      fault(0.05, "push promise", () => MockApns.pushPromise),
      fault(0.05, "window overflow", () => MockApns.windowOverflow),
      fault(0.05, "CONTINUATION flood", () => MockApns.continuationFlood(1000)),
      fault(0.05, "empty DATA flood", () => MockApns.emptyDataFlood(2000))
    ]
  }

  /** The number of connections that the pool keeps. */
  get size(): number {
    return this.current
  }

  set size(size: number) {
    if (this.closing) this.sizes.push(size)
    this.current = size
  }

  /** GOAWAYs in good order so far. Faults of the spell itself make many requests, and these events come with requests. */
  private get rotations(): number {
    return ["GOAWAY", "GOAWAY, then closed", "GOAWAY before a request"].reduce(
      (sum, name) => sum + (this.counts.get(name) ?? 0),
      0
    )
  }

  /** For `MockApns.script`. */
  readonly decide = (): Behavior | undefined => {
    if (++this.requests >= this.nextEvent) this.onEventDue?.()
    if (this.closingOnRequest) return MockApns.dropBefore
    if (this.unanswered) return MockApns.swallow
    if (this.random.number() >= this.options.faultRate) return undefined
    const choice = choose(this.random, this.requestFaults, this.requestTotal)
    if (choice === undefined) return undefined
    this.count(choice.name)
    return choice.make()
  }

  // ----------------------------------------------------------------------------------------- connections and server

  /** A last-stream-id that disowns nothing that was processed, and what it is for. */
  private lastStreamId(): { readonly connection: number; readonly lastStreamId: number } | undefined {
    const ids = [...this.seen.keys()]
    const connection = ids[ids.length - 1 - this.integer(Math.max(1, Math.min(ids.length, 8)))]
    const seen = connection === undefined ? undefined : this.seen.get(connection)
    if (connection === undefined || seen === undefined) return undefined
    const wanted = this.integer(3) === 0 ? maxStreamId : seen.processed + 2 * this.integer(200)
    seen.goaway = Math.min(seen.goaway, wanted)
    return { connection, lastStreamId: seen.goaway }
  }

  private makeEvents(apns: MockApns.MockApns): ReadonlyArray<Choice<Effect.Effect<void, MockApns.MockApnsError>>> {
    const event = <E extends MockApns.MockApnsError>(
      weight: number,
      name: string,
      make: () => Effect.Effect<void, E>
    ): Choice<Effect.Effect<void, MockApns.MockApnsError>> => ({ name, weight, make })
    const during = (
      millis: number,
      on: Effect.Effect<void, MockApns.MockApnsError>,
      off: Effect.Effect<void, MockApns.MockApnsError>
    ): Effect.Effect<void, MockApns.MockApnsError> => Effect.zipRight(on, Effect.zipRight(Effect.sleep(millis), off))
    const some = (most: number, one: Behavior): Effect.Effect<void> =>
      apns.next(...Array.from({ length: 1 + this.integer(most) }, () => one))
    const goaway = (code: number, close: boolean): Effect.Effect<void> =>
      Effect.suspend(() => {
        const where = this.lastStreamId()
        return where === undefined ? Effect.void : apns.goaway({ ...where, code, close })
      })
    const connection = (): number | undefined => {
      const ids = [...this.seen.keys()]
      return ids[ids.length - 1 - this.integer(Math.max(1, Math.min(ids.length, 8)))]
    }
    return [
      event(10, "GOAWAY", () => goaway(0, false)),
      event(3, "GOAWAY, then closed", () => goaway(0, true)),
      event(4, "GOAWAY with an error", () => goaway(this.pick([1, 2, 11]), this.integer(2) === 0)),
      event(6, "GOAWAY before a request", () => apns.next(MockApns.goawayBefore())),
      event(2, "connection closed", () => apns.dropConnections({ connection: connection() ?? 0 })),
      event(2, "connection reset", () => apns.dropConnections({ connection: connection() ?? 0, reset: true })),
      event(0.3, "all connections lost", () => apns.dropConnections({ reset: this.integer(2) === 0 })),
      event(8, "refusals in a row", () => some(50, MockApns.refuseStream)),
      event(3, "drop before reading", () => apns.next(MockApns.dropBefore)),
      event(6, "stream limit", () =>
        apns.settings(
          { maxConcurrentStreams: this.pick([1, 10, 50, 100, 500, 1000]) },
          this.integer(4) === 0 ? {} : { connection: connection() ?? 0 }
        )),
      event(2, "no streams for a while", () =>
        during(
          50,
          apns.settings({ maxConcurrentStreams: 0 }, { connection: connection() ?? 0 }),
          apns.settings({ maxConcurrentStreams: 1000 })
        )),
      event(
        3,
        "stream window",
        () =>
          apns.settings({ initialWindowSize: this.pick([0, 10, 1000, 65_535, 1_000_000]) }, {
            connection: connection() ?? 0
          })
      ),
      event(3, "stream windows opened", () => apns.settings({ initialWindowSize: 65_535 })),
      event(4, "header table", () => apns.settings({ headerTableSize: this.pick([0, 64, 200, 4096, 65_536]) })),
      event(2, "frame size", () => apns.settings({ maxFrameSize: this.pick([16_384, 20_000, 16_777_215]) })),
      event(2, "windows kept back", () => during(60, apns.updateWindows(false), apns.updateWindows(true))),
      event(2, "PINGs unanswered", () => during(400, apns.answerPings(false), apns.answerPings(true))),
      event(0.5, "silence", () =>
        during(
          600,
          Effect.zipRight(apns.answerPings(false), apns.trickle({ bytes: 1, every: "300 millis" })),
          Effect.zipRight(apns.trickle(undefined), apns.answerPings(true))
        )),
      event(
        2,
        "bytes in small pieces",
        () => during(40, apns.trickle({ bytes: this.pick([1, 3, 17, 100]) }), apns.trickle(undefined))
      ),
      event(
        1,
        "bytes slowly",
        () => during(40, apns.trickle({ bytes: 500, every: "2 millis" }), apns.trickle(undefined))
      ),
      event(4, "slow server", () => apns.delay(`${this.pick([0, 0, 0, 1, 5, 20])} millis`)),
      event(3, "PING from the server", () => apns.ping()),
      event(
        1,
        "connecting refused",
        () => this.unlessClosing(during(40, apns.refuseConnections(true), this.listen(apns)))
      ),
      event(2, "TLS fails", () =>
        this.unlessClosing(apns.failTls(
          this.pick([
            "close",
            "reset",
            "garbage",
            "closeInHandshake",
            "noAlpn",
            "garbageHttp2",
            "http1",
            "closeAfterTls",
            "closeAfterSettings"
          ]),
          { times: 1 + this.integer(3) }
        ))),
      event(
        0.3,
        "connecting hangs",
        () => this.unlessClosing(apns.failTls(this.pick(["silent", "silentHttp2"]), { times: 1 }))
      ),
      event(1, "a connection freezes for a while", () => {
        const where = { connection: connection() ?? 0 }
        return during(this.pick([20, 200, 600]), apns.freeze(true, where), apns.freeze(false, where))
      }),
      event(
        0.2,
        "everything freezes for a while",
        () => during(this.pick([20, 200, 600]), apns.freeze(true), apns.freeze(false))
      ),
      event(0.3, "a black hole", () => {
        const where = { connection: connection() ?? 0 }
        // long after the pool has noticed, the flow is forgotten
        return during(6_000, apns.freeze(true, where), apns.dropConnections({ ...where, reset: true }))
      })
    ]
  }

  private unlessClosing<E>(effect: Effect.Effect<void, E>): Effect.Effect<void, E> {
    return Effect.suspend(() => this.closing ? Effect.void : effect)
  }

  /**
   * For a while the server accepts every connection and closes it, at some moment, and counts how often the pool comes
   * back: once for each of its connections, a few times while it backs off, and then a few times a second.
   */
  acceptAndClose(apns: MockApns.MockApns): Effect.Effect<void, MockApns.MockApnsError> {
    return Effect.suspend(() => {
      if (this.closing) return Effect.void
      this.closing = true
      this.count("accepts and closes")
      const seconds = this.options.spellSeconds * (0.8 + 0.4 * this.random.number())
      this.sizes = [this.current]
      const attempts = Effect.map(apns.stats, (stats) => stats.attempts)
      return Effect.gen(this, function*() {
        yield* this.listen(apns)
        yield* apns.freeze(false)
        const moment = this.options.moment ?? turns[this.spells.length % turns.length] ?? "soon"
        // what has to hold here is backing off alone
        if (moment !== "soon") Roster.ceilingMillis = 0
        const later = moment === "soon" || moment === "unanswered"
        if (moment === "onRequest") this.closingOnRequest = true
        else if (moment === "unanswered") this.unanswered = true
        else if (moment !== "soon") yield* apns.failTls(moment)
        yield* apns.dropConnections({ reset: this.integer(2) === 0 })
        const before = yield* attempts
        const rotated = this.rotations
        const since = yield* Clock.currentTimeMillis
        // the storm may be over before: then what was seen until then counts
        const note = Effect.map(Effect.zip(attempts, Clock.currentTimeMillis), ([after, now]) => {
          const spell = {
            moment,
            sizes: this.sizes,
            seconds: (now - since) / 1000,
            connects: after - before,
            rotations: this.rotations - rotated
          }
          this.spells.push({ ...spell, allowed: allowedConnects(spell) })
        })
        const end = Effect.sleep(seconds * 1000)
        const dropOld = Effect.flatMap(
          Effect.zip(apns.connections, Clock.currentTimeMillis),
          ([connections, now]) =>
            Effect.forEach(
              connections.filter(({ open, openedAt }) => open && now - openedAt >= 50),
              ({ id }) => apns.dropConnections({ connection: id }),
              { discard: true }
            )
        )
        yield* Effect.ensuring(
          later
            ? Effect.raceFirst(end, Effect.forever(Effect.zipRight(Effect.sleep("10 millis"), dropOld)))
            : end,
          note
        )
      }).pipe(
        Effect.ensuring(Effect.suspend(() => {
          this.closing = false
          this.closingOnRequest = false
          this.unanswered = false
          Roster.ceilingMillis = this.ceilingMillis
          return apns.failTls(undefined)
        }))
      )
    })
  }

  /** While nobody listened, something else may have taken the port for a moment. */
  private listen(apns: MockApns.MockApns): Effect.Effect<void, MockApns.MockApnsError> {
    return Effect.retry(
      apns.refuseConnections(false),
      Schedule.intersect(Schedule.spaced("20 millis"), Schedule.recurs(200))
    )
  }

  /** By the count of requests, so that a slow machine has the same weather; where none arrive, after a while. */
  private pause(): Effect.Effect<void> {
    const due = Effect.async<void>((resume) => {
      this.nextEvent = this.requests + this.options.eventEvery * 2 * this.random.number()
      this.onEventDue = () => {
        this.onEventDue = undefined
        resume(Effect.void)
      }
    })
    return Effect.raceFirst(due, Effect.sleep("500 millis"))
  }

  /** Until it is interrupted. */
  blow(apns: MockApns.MockApns): Effect.Effect<never, MockApns.MockApnsError, Scope.Scope> {
    const events = this.makeEvents(apns)
    const total = weigh(events)
    return Effect.forever(Effect.suspend(() => {
      const choice = choose(this.random, events, total)
      if (choice === undefined) return this.pause()
      return Effect.zipRight(
        this.pause(),
        Effect.suspend(() => {
          this.count(choice.name)
          return Effect.forkScoped(choice.make())
        })
      )
    }))
  }

  /** Ends every fault that lasts: the server behaves as APNs does from now on. */
  clear(apns: MockApns.MockApns): Effect.Effect<void, MockApns.MockApnsError> {
    return Effect.all([
      apns.script(undefined),
      apns.delay("0 millis"),
      apns.trickle(undefined),
      apns.answerPings(true),
      apns.updateWindows(true),
      apns.failTls(undefined),
      apns.freeze(false),
      this.listen(apns),
      apns.settings({ maxConcurrentStreams: 1000, initialWindowSize: 65_535, headerTableSize: 4096 })
    ], { discard: true })
  }
}
