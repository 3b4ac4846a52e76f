import { DeviceToken, Notification, Rejection } from "@effect-apns/models"
import type { Send, SendAll } from "@effect-apns/pool"
import { ApnsPool, sendEach } from "@effect-apns/pool"
import * as NodeStream from "@effect/platform-node/NodeStream"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as Take from "effect/Take"
import * as DryRun from "./dryRun.js"
import type { NotPossible } from "./errors.js"
import { check, NotAccepted, notPossible, Unsaid } from "./errors.js"
import { fileReason } from "./files.js"
import * as Flags from "./flags.js"
import type { Journal } from "./journal.js"
import * as Journals from "./journal.js"
import { jsonLine } from "./json.js"
import type { TokenLine } from "./lines.js"
import { plain, tokens } from "./lines.js"
import type { Sending } from "./notification.js"
import { delivery, message, notificationOf, pushTypeOf, sendingOf } from "./notification.js"
import { obstacleOf, outcomeOf } from "./outcome.js"
import { optionsOf, size, target, withPool } from "./pool.js"
import * as Progress from "./progress.js"
import * as Reach from "./reach.js"
import { Screen } from "./screen.js"
import { json } from "./send.js"
import { signal } from "./signals.js"
import * as Subcommand from "./subcommand.js"
import { FirstLines } from "./tokens.js"

/** One shape for all, which costs less to make and to read than a spread object. */
class Item implements Send.SendOptions {
  readonly topic: Sending["topic"]
  readonly priority: Sending["priority"]
  readonly expiration: Sending["expiration"]
  readonly timeout: Sending["timeout"]
  readonly retransmit: Sending["retransmit"]

  constructor(
    readonly line: number,
    readonly token: string,
    readonly apnsId: string,
    readonly collapseId: string | undefined,
    readonly notification: Notification.Notification,
    sending: Sending
  ) {
    this.topic = sending.topic
    this.priority = sending.priority
    this.expiration = sending.expiration
    this.timeout = sending.timeout
    this.retransmit = sending.retransmit
  }
}

/** A bulk that has ended. */
export interface Summary {
  /** Every token of the input has its outcome. */
  readonly complete: boolean
  /** Why nothing could be sent any more. Tokens that were not sent because of it have no line in the output. */
  readonly obstacle: string | undefined
  /** Outcomes of this run. */
  readonly settled: number
  /** Lines whose token is also in an earlier line. */
  readonly duplicates: number
  readonly millis: number
}

export interface Input {
  readonly bytes: Stream.Stream<Uint8Array, NotPossible>
  /** Bytes, if known. */
  readonly size: number | undefined
}

/** Wakes those who wait for something to change. */
class Bell {
  private waiting: Array<() => void> = []

  ring(): void {
    const { waiting } = this
    this.waiting = []
    for (const wake of waiting) wake()
  }

  readonly wait: Effect.Effect<void> = Effect.async<void>((resume) => {
    const wake = () => resume(Effect.void)
    this.waiting.push(wake)
    return Effect.sync(() => {
      this.waiting = this.waiting.filter((each) => each !== wake)
    })
  })
}

/** Items are passed on in pieces of this size, so that a stop or an outage also takes effect between them. */
const handed = 256

/** How often it checks whether there are connections. */
const look = Duration.millis(250)

/**
 * Sends to every token that has no outcome in the journal yet, or one that can be better: `retry` and `failed`.
 *
 * While APNs cannot be reached no more tokens are taken, and those that could not be sent wait, unless `once` is set.
 * `stop` ends the input and waits for requests in flight; interruption cancels them too.
 */
export const run = (options: {
  readonly input: Input
  readonly journal: Journal
  readonly notification: Notification.Notification
  readonly sending: Sending
  readonly concurrency: number
  readonly once: boolean
  readonly dropDuplicates: boolean
  readonly quiet: boolean
  readonly stop: Deferred.Deferred<void>
}): Effect.Effect<Summary, NotPossible, ApnsPool.ApnsPool> =>
  Effect.scoped(Effect.gen(function*() {
    const { concurrency, dropDuplicates, input, journal, notification, once, sending, stop } = options
    const { counts, known } = journal
    const pool = yield* ApnsPool.ApnsPool
    const apnsIdOf = Journals.apnsIdOf(journal.run)
    const started = yield* Clock.currentTimeMillis
    const firstLines = new FirstLines()
    const bell = new Bell()
    let bytesRead = 0
    let ended = false
    let stopping = false
    let seen = 0
    let taken = 0
    let settled = 0
    let unsent = 0
    let duplicates = 0
    let obstacle: string | undefined = undefined
    /** Items that could not be sent and wait for a connection. */
    let held: Array<Item> = []
    /** Items that were read and not passed on yet. */
    let ready: ReadonlyArray<Item> = []
    let waiting: Progress.Waiting | undefined = undefined

    const changed = ({ line }: TokenLine): NotPossible =>
      notPossible(
        `Line ${line} of the input holds another token than when it was sent: an input must not change before it is done. Give another --out to start anew`
      )
    // an alert that has to be sent again is shown once, also if its token is in the input twice
    const collapsible = notification.pushType === "alert" && sending.collapseId === undefined
    const repeatable = sending.retransmit === "always" ||
      (sending.retransmit !== "never" && (collapsible || sending.collapseId !== undefined))
    const itemOf = ({ line, token }: TokenLine, first: number): Item => {
      const apnsId = apnsIdOf(line)
      const collapseId = !collapsible ? sending.collapseId : first === line ? apnsId : apnsIdOf(first)
      return new Item(line, token, apnsId, collapseId, notification, sending)
    }
    /** The items of a piece of the input, or the line that was changed since the last run. */
    const open = (lines: Chunk.Chunk<TokenLine>): Effect.Effect<ReadonlyArray<Item>, NotPossible> => {
      const items: Array<Item> = []
      for (const tokenLine of lines) {
        const { line, token } = tokenLine
        const first = firstLines.of(line, token)
        const before = known.get(line)
        if (before !== undefined && !known.matches(line, token)) return Effect.fail(changed(tokenLine))
        if (first !== line) {
          duplicates++
          if (dropDuplicates) continue
        }
        if (before === undefined || !(before.final || once)) items.push(itemOf(tokenLine, first))
      }
      seen += lines.length
      taken += items.length
      return Effect.succeed(items)
    }

    // the input is read ahead a little, so that waiting for it can be stopped without losing items
    const ahead = yield* Stream.toQueue(
      Stream.chunks(tokens(
        input.bytes,
        tooLong,
        (bytes) => {
          bytesRead += bytes
        }
      )),
      { capacity: 1 }
    )
    const next: Effect.Effect<Chunk.Chunk<Item>, Option.Option<NotPossible>> = Effect.suspend(() => {
      if (stopping) return Effect.fail(Option.none())
      if (waiting !== undefined) return Effect.zipRight(bell.wait, next)
      if (held.length > 0) {
        const items = held
        held = []
        return Effect.succeed(Chunk.unsafeFromArray(items))
      }
      if (ready.length > 0) {
        const items = ready.slice(0, handed)
        ready = ready.slice(handed)
        return Effect.succeed(Chunk.unsafeFromArray(items))
      }
      if (ended) {
        return taken - settled - unsent > 0 ? Effect.zipRight(bell.wait, next) : Effect.fail(Option.none())
      }
      return Effect.raceFirst(
        Effect.flatMap(Queue.take(ahead), (take) =>
          Effect.matchEffect(Take.done(take), {
            onFailure: (end): typeof next => {
              if (Option.isSome(end)) return Effect.fail(end)
              ended = true
              return next
            },
            onSuccess: (chunks) =>
              Effect.matchEffect(open(Chunk.flatten(chunks)), {
                onFailure: (error): typeof next => Effect.fail(Option.some(error)),
                onSuccess: (items) => {
                  ready = items
                  return next
                }
              })
          })),
        Effect.zipRight(bell.wait, next)
      )
    })

    const screen = yield* Progress.show(
      options.quiet ? undefined : () => ({
        accepted: counts.accepted,
        rejected: counts.rejected,
        failed: counts.failed,
        settled,
        waiting,
        fraction: input.size === undefined || seen === 0
          ? undefined
          // the items that were read, without those in flight
          : Math.min(1, bytesRead / input.size) * (1 - (taken - settled) / seen)
      })
    )

    const giveUp = yield* Deferred.make<void>()
    const end = Effect.sync(() => {
      stopping = true
      bell.ring()
    })
    yield* Deferred.await(stop).pipe(
      Effect.zipRight(end),
      Effect.zipRight(Effect.suspend(() =>
        waiting === undefined
          ? screen.say(
            `Stopping: waiting for ${
              Progress.count(taken - settled - unsent - held.length - ready.length)
            } under way. Ctrl-C again gives them up; they are sent again, under the same apns-id, when you resume.`
          )
          // without a connection nothing is in flight
          : Effect.zipRight(
            screen.say("Stopping: there is no connection to wait for."),
            Deferred.succeed(giveUp, undefined)
          )
      )),
      Effect.forkScoped
    )
    yield* Effect.forkScoped(Effect.schedule(Effect.ignore(journal.sync), Schedule.spaced("1 second")))

    const connectedAgain = Effect.suspend(() => {
      waiting = undefined
      bell.ring()
      return screen.connected
    })
    if (!once) {
      yield* Effect.forkScoped(Effect.schedule(
        Effect.gen(function*() {
          const before = waiting
          const stats = yield* pool.stats
          waiting = Reach.waitingOf(stats)
          if (waiting === undefined) {
            if (before !== undefined) yield* connectedAgain
            else if (held.length > 0) bell.ring()
            return
          }
          if (stopping) yield* Deferred.succeed(giveUp, undefined)
          const hopeless = Reach.hopeless(stats)
          if (hopeless === undefined) return yield* before === undefined ? screen.waiting : Effect.void
          obstacle = hopeless
          yield* end
          yield* Deferred.succeed(giveUp, undefined)
        }),
        Schedule.spaced(look)
      ))
    }

    /** Items to send once there is a connection again. */
    const isHeld = (error: Send.SendError, away: boolean): boolean => {
      if (once || error._tag === "ParseError" || Rejection.isRejection(error)) return false
      if (error._tag === "Timeout" && error.limit !== "timeout") return false
      return error.processed === "no" || (error.processed === "unknown" && repeatable && away)
    }
    const settle = (chunk: Chunk.Chunk<SendAll.ItemOutcome<Item>>): Effect.Effect<void, NotPossible> =>
      Effect.gen(function*() {
        const batch = new Journals.Batch()
        const stats = yield* pool.stats
        const away = stats.unreachable !== undefined || stats.active === 0
        // outcomes are there, so the progress must not go on to say that it waits until the next look
        if (waiting !== undefined && stats.unreachable === undefined) yield* connectedAgain
        let troubled = false
        for (const { item, result } of chunk) {
          if (Either.isLeft(result)) {
            if (isHeld(result.left, away)) {
              held.push(item)
              troubled = true
              continue
            }
            const blocked = obstacleOf(result.left)
            if (Option.isSome(blocked)) {
              unsent++
              obstacle ??= blocked.value
              continue
            }
          }
          if (Either.isRight(result)) batch.accepted(item.line, item.token, result.right)
          else batch.add(item.line, item.token, outcomeOf(result, item.apnsId))
        }
        // a closed pool sends nothing any more
        if (troubled && stats.state !== "open") {
          obstacle ??= "The connections to APNs were closed for good"
        }
        if (obstacle !== undefined) yield* end
        yield* journal.append(batch)
        settled += batch.size
        if (ended) bell.ring()
      })
    yield* sendEach(Stream.fromPull(Effect.succeed(next)), { concurrency }).pipe(
      Stream.runForEachChunk(settle),
      Effect.raceFirst(Deferred.await(giveUp))
    )
    yield* journal.sync
    return {
      complete: ended && obstacle === undefined && taken === settled,
      obstacle,
      settled,
      duplicates,
      millis: (yield* Clock.currentTimeMillis) - started
    }
  }))

const report = (
  summary: Summary,
  journal: Journal,
  file: string,
  { collapsing, dropped }: { readonly collapsing: boolean; readonly dropped: boolean }
): { readonly json: string; readonly text: string } => {
  const { complete, duplicates, millis, obstacle, settled } = summary
  const { accepted, again, failed, reasons, rejected, total } = journal.counts
  const seconds = millis / 1000
  const { resumed } = journal
  return {
    json: JSON.stringify({
      complete,
      accepted,
      rejected,
      failed,
      reasons: Object.fromEntries(reasons),
      again,
      duplicates,
      settled,
      resumed,
      seconds,
      out: file,
      ...(obstacle === undefined ? undefined : { outcome: "impossible", message: obstacle })
    }),
    text: complete && total === 0 ? "There was no device token in the input: nothing was sent." : [
      `${complete ? "Done" : "Stopped"}: ${Progress.count(total)} outcomes in ${file}` +
      (resumed > 0 ? `, ${Progress.count(resumed)} of them from before` : "") +
      `; ${Progress.count(settled)} in ${seconds.toFixed(1)} s`,
      `  ${Progress.count(accepted)} accepted`,
      ...rejected + failed === 0 ? [] : [`  ${Progress.count(rejected)} rejected, ${Progress.count(failed)} failed:`],
      ...Array.from(reasons).sort(([, a], [, b]) => b - a).map(([reason, n]) => `    ${Progress.count(n)} ${reason}`),
      ...duplicates === 0 ? [] : [
        `${Progress.count(duplicates)} ${duplicates === 1 ? "line has" : "lines have"} the token of an earlier line: ${
          dropped
            ? "nothing was sent for them."
            : collapsing
            ? "sent as well, under the collapse id of the first, so that the device shows one. --drop-duplicates sends one."
            : "sent as well. --drop-duplicates sends one."
        }`
      ],
      ...complete ? [] : ["Run the same command again to go on."],
      ...complete && again > 0
        ? [`Run the same command again to send ${Progress.count(again)} of them again, under the same apns-id.`]
        : []
    ].join("\n")
  }
}

const inputOf = (file: string): Effect.Effect<Input, NotPossible, FileSystem.FileSystem> => {
  const failed = ({ message }: { readonly message: string }): NotPossible =>
    notPossible(`TOKENS: ${file} cannot be read: ${fileReason({ message })}`)
  return file === "-" || file === "/dev/stdin"
    ? Effect.succeed({
      bytes: plain(
        NodeStream.fromReadable<NotPossible, Uint8Array>(
          () => process.stdin,
          (error) => notPossible(`Standard input cannot be read: ${String(error)}`),
          { closeOnDone: true }
        ),
        (why) => notPossible(`Standard input holds no device tokens: ${why}`)
      ),
      size: undefined
    })
    : Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const { size, type } = yield* Effect.mapError(fs.stat(file), failed)
      if (type === "Directory") {
        return yield* notPossible(`TOKENS: ${file} is a folder: give a file with a token on each line`)
      }
      return {
        bytes: plain(
          Stream.mapError(fs.stream(file, { chunkSize: 256 * 1024 }), failed),
          (why) => notPossible(`TOKENS: ${file} holds no device tokens: ${why}`)
        ),
        size: type === "File" ? Number(size) : undefined
      }
    })
}

/** The result of a dry run. */
interface Inspected {
  readonly tokens: number
  readonly invalid: number
  /** The first lines that are not a device token. */
  readonly lines: ReadonlyArray<{ readonly line: number; readonly message: string }>
  readonly duplicates: number
  readonly first: string | undefined
}

/** At most so many lines are shown; the rest are counted. */
const shownLines = 20

/** Checks every line of the input. */
const inspect = (input: Input): Effect.Effect<Inspected, NotPossible> => {
  const firstLines = new FirstLines()
  const lines: Array<{ readonly line: number; readonly message: string }> = []
  let count = 0
  let invalid = 0
  let duplicates = 0
  let first: string | undefined = undefined
  const look = ({ line, token }: TokenLine): void => {
    count++
    if (firstLines.of(line, token) !== line) duplicates++
    if (DeviceToken.is(token)) {
      first ??= token
      return
    }
    invalid++
    if (lines.length < shownLines) {
      lines.push({
        line,
        message: Either.match(check(DeviceToken.DeviceToken, `line ${line}`, token), {
          onLeft: ({ message }) => message,
          onRight: () => ""
        })
      })
    }
  }
  return tokens(input.bytes, tooLong, () => {}).pipe(
    Stream.runForEachChunk((chunk) => Effect.sync(() => Chunk.forEach(chunk, look))),
    Effect.map(() => ({ tokens: count, invalid, lines, duplicates, first }))
  )
}

const tooLong = (line: number): NotPossible =>
  notPossible(`Line ${line} of the input is no device token: it has more than a million characters`)

/** Checks the notification and every token, and sends nothing. */
const dryRun = (
  given: Omit<DryRun.DryRun, "token" | "apnsId"> & { readonly file: string }
): Effect.Effect<void, NotPossible | NotAccepted, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const { file, json, notification } = given
    const { duplicates, first, invalid, lines, tokens } = yield* Effect.flatMap(inputOf(file), inspect)
    const examined = yield* DryRun.examine({ ...given, apnsId: undefined, token: first ?? "00" })
    if (json) {
      yield* Console.log(jsonLine({ outcome: "dry-run", tokens, invalid, lines, duplicates, ...examined.json }))
    } else {
      const from = file === "-" ? "standard input" : file
      const text = [
        `Nothing was sent. ${Progress.count(tokens)} ${tokens === 1 ? "line" : "lines"} in ${from}` +
        (invalid === 0 ? ", each of them a device token." : `, ${Progress.count(invalid)} of them no device token:`),
        ...lines.map(({ message }) => `  ${message}`),
        ...invalid > lines.length ? [`  and ${Progress.count(invalid - lines.length)} more`] : [],
        ...duplicates === 0 ? [] : [`${Progress.count(duplicates)} with the token of an earlier line.`],
        ...Either.isRight(notification) ? ["", "Each would be:", "", examined.words] : [examined.words]
      ].join("\n")
      yield* Console.log(text)
    }
    if (Either.isLeft(notification)) return yield* notification.left
    if (examined.wrong || invalid > 0) return yield* new NotAccepted()
  })

/**
 * Runs `work`, and turns the first interruption into `stop`: then it continues until `work` ends by itself. After that,
 * `again` interrupts it.
 */
export const gracefully = <A, E, R>(
  work: (stop: Deferred.Deferred<void>) => Effect.Effect<A, E, R>,
  again: Effect.Effect<void>
): Effect.Effect<A, E, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const stop = yield* Deferred.make<void>()
      const fiber = yield* Effect.forkDaemon(Effect.interruptible(work(stop)))
      return yield* restore(Fiber.join(fiber)).pipe(
        Effect.onInterrupt(() =>
          Deferred.succeed(stop, undefined).pipe(
            Effect.zipRight(
              Effect.raceFirst(
                Effect.interruptible(Fiber.await(fiber)),
                Effect.interruptible(Effect.zipRight(again, Fiber.interrupt(fiber)))
              )
            )
          )
        )
      )
    })
  )

export const bulk = Subcommand.make("bulk", {
  tokens: Flags.argument("TOKENS", "a file, a device token on each line; - for standard input"),
  out: Flags.requiredFile("out", "what became of each, as JSON lines; the same to resume", "--dry-run"),
  ...message,
  ...delivery,
  collapseId: Flags.text("collapse-id", "ID", "default: for alerts, one of its own for each token", { rare: true }),
  concurrency: Flags.whole("concurrency", "notifications under way at once. Default: 4000", 1, { rare: true }),
  size,
  once: Flags.toggle(
    "once",
    "send nothing a second time, and stop where APNs cannot be reached instead of waiting for it",
    { rare: true }
  ),
  dropDuplicates: Flags.toggle("drop-duplicates", "send nothing for a line that has the token of an earlier one", {
    rare: true
  }),
  repair: Flags.toggle("repair", "go on with an output that has damaged lines: as if they were not there", {
    rare: true
  }),
  quiet: Flags.toggle("quiet", "show no progress", { rare: true }),
  dryRun: Flags.toggle("dry-run", "send nothing: check every token and the notification", { rare: true }),
  ...target,
  json
}, (options) =>
  gracefully((stop) =>
    Effect.gen(function*() {
      const { dropDuplicates, once, quiet, repair } = options
      if (options.dryRun) {
        const pushType = pushTypeOf(options)
        return yield* dryRun({
          file: options.tokens,
          notification: yield* Effect.either(notificationOf(options)),
          pushType,
          sending: yield* sendingOf(options, pushType),
          payload: Option.getOrUndefined(options.payload),
          json: options.json
        })
      }
      if (Option.isNone(options.out)) return yield* notPossible("--out FILE is missing")
      const out = options.out.value
      const concurrency = Option.getOrElse(options.concurrency, () => 4000)
      const notification = yield* notificationOf(options)
      const sending = yield* sendingOf(options, notification.pushType)
      const pool = yield* optionsOf(options, sending.topic)
      const input = yield* inputOf(options.tokens)
      const prepared = yield* Either.mapLeft(Notification.prepare(notification), ({ message }) => notPossible(message))
      const journal = yield* Journals.open(
        out,
        Journals.requestOf([
          prepared.pushType,
          prepared.body,
          sending.topic ?? pool.topic,
          sending.priority?.toString(),
          sending.collapseId,
          pool.endpoint.origin
        ]),
        { repair, say: (message) => Console.error(message) }
      )
      const summary = yield* withPool(
        pool,
        run({
          input,
          journal,
          notification,
          concurrency,
          once,
          dropDuplicates,
          quiet,
          stop,
          sending: { ...sending, timeout: sending.timeout ?? defaultTimeout }
        })
      )
      const { json, text } = report(summary, journal, out, {
        collapsing: notification.pushType === "alert" || sending.collapseId !== undefined,
        dropped: dropDuplicates
      })
      if (options.json) yield* Console.log(json)
      else yield* Console.log((yield* Screen).fit(text))
      if (summary.obstacle !== undefined) {
        return yield* options.json ? new Unsaid() : notPossible(summary.obstacle)
      }
      if (journal.counts.rejected + journal.counts.failed > 0) return yield* new NotAccepted()
    }).pipe(Effect.scoped), signal), {
  what: "Sends one notification to many devices. It can be stopped and resumed.",
  examples: [
    ["apns bulk tokens.txt --out results.ndjson --title News --body \"We are back\"", "an alert for everyone"],
    [
      "psql -Atc \"select ... order by id\" | apns bulk - --out r.ndjson --body Hi",
      "from a database"
    ],
    ["apns bulk tokens.txt --payload news.json --dry-run", "sends nothing, and says what is wrong"],
    ["jq -r 'select(.action == \"delete-token\").token' results.ndjson", "the tokens to delete"]
  ],
  notes: [
    "While APNs cannot be reached it waits: no more tokens are taken, and none fails. Where it refuses the credentials it stops, and what was not sent has no line.",
    "Ctrl-C (or SIGTERM, or a terminal that is closed) stops it: no more tokens are taken, and those under way are waited for. A second one gives them up.",
    "The same command, with the same tokens in the same order, goes on where it stopped, even after a crash. What was accepted or rejected for good is not sent again. What was under way, or has failed, or was rejected for a reason that passes is sent again under the same apns-id and collapse id; the newest line of a token counts. --once sends nothing again that has a line."
  ]
})

/** Longer than for one notification: a pool that has lost its connections has time to open new ones. */
const defaultTimeout = Duration.seconds(30)
