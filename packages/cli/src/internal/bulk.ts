import { Notification } from "@effect-apns/models"
import type { ApnsPool, Send } from "@effect-apns/pool"
import { sendEach } from "@effect-apns/pool"
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
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import type { NotPossible } from "./errors.js"
import { NotAccepted, notPossible, Unsaid } from "./errors.js"
import * as Flags from "./flags.js"
import type { Journal } from "./journal.js"
import * as Journals from "./journal.js"
import type { TokenLine } from "./lines.js"
import { tokens } from "./lines.js"
import type { Sending } from "./notification.js"
import { delivery, message, notificationOf, sendingOf } from "./notification.js"
import { obstacleOf, outcomeOf } from "./outcome.js"
import { optionsOf, size, target, withPool } from "./pool.js"
import * as Progress from "./progress.js"
import { json } from "./send.js"
import { signal } from "./signals.js"
import * as Subcommand from "./subcommand.js"

interface Item extends Send.SendOptions {
  readonly line: number
  readonly apnsId: string
}

type Line = Parameters<Journal["append"]>[0][number]

/** A bulk that has ended. */
export interface Summary {
  /** Every token of the input has its outcome. */
  readonly complete: boolean
  /** Why nothing could be sent any more. What it kept back has no line in the output. */
  readonly obstacle: string | undefined
  /** Outcomes of this run. */
  readonly settled: number
  readonly millis: number
}

export interface Input {
  readonly bytes: Stream.Stream<Uint8Array, NotPossible>
  /** Bytes, where it is known. */
  readonly size: number | undefined
}

/**
 * Ends the stream as soon as the deferred is done, while it waits for its source and however fast that is
 * (`Stream.interruptWhenDeferred` is never heard while the source has something to give).
 */
const until = (end: Deferred.Deferred<void>) => <A, E, R>(stream: Stream.Stream<A, E, R>): Stream.Stream<A, E, R> =>
  Stream.fromPull(
    Effect.map(Stream.toPull(stream), (pull) => {
      const ended = Effect.fail(Option.none())
      return Effect.flatMap(
        Deferred.isDone(end),
        (done) => done ? ended : Effect.raceFirst(pull, Effect.zipRight(Deferred.await(end), ended))
      )
    })
  )

/**
 * Sends to every token that has no outcome in the journal yet. `stop` ends the input and waits for what is under way;
 * interruption gives that up as well.
 */
export const run = (options: {
  readonly input: Input
  readonly journal: Journal
  readonly notification: Notification.Notification
  readonly sending: Sending
  readonly concurrency: number
  readonly quiet: boolean
  readonly stop: Deferred.Deferred<void>
}): Effect.Effect<Summary, NotPossible, ApnsPool.ApnsPool | Progress.Screen> =>
  Effect.scoped(Effect.gen(function*() {
    const { concurrency, input, journal, notification, sending, stop } = options
    const { counts, done } = journal
    const noMore = yield* Deferred.make<void>()
    const apnsIdOf = Journals.apnsIdOf(journal.run)
    const started = yield* Clock.currentTimeMillis
    let bytesRead = 0
    let ended = false
    let seen = 0
    let taken = 0
    let settled = 0
    let unsent = 0
    let obstacle: string | undefined = undefined

    const changed = ({ line }: TokenLine): NotPossible =>
      notPossible(
        `Line ${line} of the input holds another token than when it was sent: an input must not change before it is done. Give another --out to start anew`
      )
    // an alert that has to be sent again after a crash shows once
    const collapsible = notification.pushType === "alert" && sending.collapseId === undefined
    const itemOf = ({ line, token }: TokenLine): Item => {
      const apnsId = apnsIdOf(line)
      return { ...sending, ...(collapsible ? { collapseId: apnsId } : undefined), line, token, apnsId, notification }
    }
    const items = tokens(
      input.bytes,
      (line) => notPossible(`Line ${line} of the input is no device token: it has more than a million characters`),
      (bytes) => {
        bytesRead += bytes
      }
    ).pipe(
      Stream.mapChunksEffect((chunk) => {
        const open: Array<Item> = []
        for (const tokenLine of chunk) {
          if (!done.has(tokenLine.line)) open.push(itemOf(tokenLine))
          else if (!done.matches(tokenLine.line, tokenLine.token)) return Effect.fail(changed(tokenLine))
        }
        seen += chunk.length
        taken += open.length
        return Effect.succeed(Chunk.unsafeFromArray(open))
      }),
      Stream.concat(Stream.execute(Effect.sync(() => {
        ended = true
      }))),
      until(noMore)
    )

    const say = yield* Progress.show(
      options.quiet ? undefined : () => ({
        accepted: counts.accepted,
        rejected: counts.rejected,
        failed: counts.failed,
        settled,
        fraction: input.size === undefined || seen === 0
          ? undefined
          // what was read, without what is still under way
          : Math.min(1, bytesRead / input.size) * (1 - (taken - settled) / seen)
      })
    )
    yield* Deferred.await(stop).pipe(
      Effect.zipRight(Deferred.succeed(noMore, undefined)),
      Effect.zipRight(Effect.suspend(() =>
        say(
          `Stopping: waiting for ${
            Progress.count(taken - settled - unsent)
          } under way. Ctrl-C again gives them up; they are sent again, under the same apns-id, when you resume.`
        )
      )),
      Effect.forkScoped
    )
    yield* Effect.forkScoped(Effect.schedule(Effect.ignore(journal.sync), Schedule.spaced("1 second")))

    yield* sendEach(items, { concurrency }).pipe(
      Stream.runForEachChunk((chunk) =>
        Effect.gen(function*() {
          const outcomes: Array<Line> = []
          for (const { item, result } of chunk) {
            const blocked = Either.isLeft(result) ? obstacleOf(result.left) : Option.none()
            if (Option.isSome(blocked)) {
              unsent++
              obstacle ??= blocked.value
            } else outcomes.push({ line: item.line, token: item.token, outcome: outcomeOf(result, item.apnsId) })
          }
          if (obstacle !== undefined) yield* Deferred.succeed(noMore, undefined)
          yield* journal.append(outcomes)
          settled += outcomes.length
        })
      )
    )
    yield* journal.sync
    return {
      complete: ended && obstacle === undefined,
      obstacle,
      settled,
      millis: (yield* Clock.currentTimeMillis) - started
    }
  }))

const report = (
  summary: Summary,
  journal: Journal,
  file: string
): { readonly json: string; readonly text: string } => {
  const { complete, millis, obstacle, settled } = summary
  const { accepted, failed, reasons, rejected, total } = journal.counts
  const seconds = millis / 1000
  const { resumed } = journal
  return {
    json: JSON.stringify({
      complete,
      accepted,
      rejected,
      failed,
      reasons: Object.fromEntries(reasons),
      settled,
      resumed,
      seconds,
      out: file,
      ...(obstacle === undefined ? undefined : { outcome: "impossible", message: obstacle })
    }),
    text: [
      `${complete ? "Done" : "Stopped"}: ${Progress.count(total)} outcomes in ${file}` +
      (resumed > 0 ? `, ${Progress.count(resumed)} of them from before` : "") +
      `; ${Progress.count(settled)} in ${seconds.toFixed(1)} s`,
      `  ${Progress.count(accepted)} accepted`,
      ...rejected + failed === 0 ? [] : [`  ${Progress.count(rejected)} rejected, ${Progress.count(failed)} failed:`],
      ...Array.from(reasons).sort(([, a], [, b]) => b - a).map(([reason, n]) => `    ${Progress.count(n)} ${reason}`),
      ...complete ? [] : ["Run the same command again to go on."]
    ].join("\n")
  }
}

const inputOf = (file: string): Effect.Effect<Input, NotPossible, FileSystem.FileSystem> => {
  const failed = ({ message }: { readonly message: string }): NotPossible =>
    notPossible(`The tokens in ${file} cannot be read: ${message}`)
  return file === "-" || file === "/dev/stdin"
    ? Effect.succeed({
      bytes: NodeStream.fromReadable<NotPossible, Uint8Array>(
        () => process.stdin,
        (error) => notPossible(`Standard input cannot be read: ${String(error)}`),
        { closeOnDone: true }
      ),
      size: undefined
    })
    : Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const { size, type } = yield* Effect.mapError(fs.stat(file), failed)
      if (type === "Directory") {
        return yield* notPossible(`${file} is a directory: give a file with a token on each line`)
      }
      return {
        bytes: Stream.mapError(fs.stream(file), failed),
        size: type === "File" ? Number(size) : undefined
      }
    })
}

/**
 * Runs `work`, and turns the first interruption into `stop`: it goes on until `work` has ended by itself. After that,
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
  out: Flags.requiredFile("out", "what became of each, as JSON lines; the same to resume"),
  ...message,
  ...delivery,
  collapseId: Flags.text("collapse-id", "ID", "default: for alerts, one of its own for each token", { rare: true }),
  concurrency: Flags.whole("concurrency", "notifications under way at once. Default: 4000", 1, { rare: true }),
  size,
  quiet: Flags.toggle("quiet", "show no progress", { rare: true }),
  ...target,
  json
}, (options) =>
  gracefully((stop) =>
    Effect.gen(function*() {
      const { out, quiet } = options
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
        ])
      )
      const summary = yield* withPool(
        pool,
        run({
          input,
          journal,
          notification,
          concurrency,
          quiet,
          stop,
          sending: { ...sending, timeout: sending.timeout ?? defaultTimeout }
        })
      )
      const { json, text } = report(summary, journal, out)
      if (options.json) yield* Console.log(json)
      else yield* Console.log(text)
      if (summary.obstacle !== undefined) {
        return yield* options.json ? new Unsaid() : notPossible(summary.obstacle)
      }
      if (journal.counts.rejected + journal.counts.failed > 0) return yield* new NotAccepted()
    }).pipe(Effect.scoped, Effect.provide(Progress.layerStderr)), signal), {
  what: "Sends one notification to many devices. It can be stopped and resumed.",
  examples: [
    ["apns bulk tokens.txt --out results.ndjson --title News --body \"We are back\"", "an alert for everyone"],
    [
      "psql -Atc \"select ... order by id\" | apns bulk - --out r.ndjson --body Hi",
      "from a database"
    ],
    ["jq -r 'select(.action == \"delete-token\").token' results.ndjson", "the tokens to delete"]
  ],
  notes: [
    "Ctrl-C stops it: no more tokens are taken, and those under way are waited for. The same command, with the same tokens in the same order, goes on where it stopped, even after a crash: a token that has a line in the output is not sent again, and those that were under way are sent again under the same apns-id and collapse id.",
    "Where nothing can be sent, because APNs cannot be reached or refuses the credentials, it stops, and what was not sent has no line."
  ]
})

/** Longer than for one notification: a pool that has lost its connections has time to open new ones. */
const defaultTimeout = Duration.seconds(30)
