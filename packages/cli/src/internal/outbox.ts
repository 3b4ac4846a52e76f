import * as DeviceToken from "@effect-apns/models/DeviceToken"
import * as Printable from "@effect-apns/models/Printable"
import * as Reason from "@effect-apns/models/Reason"
import type { Outbox, OutboxError } from "@effect-apns/outbox"
import { ApnsPool } from "@effect-apns/pool"
import * as NodeStream from "@effect/platform-node/NodeStream"
import * as FileSystem from "@effect/platform/FileSystem"
import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Console from "effect/Console"
import * as DateTime from "effect/DateTime"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as HashSet from "effect/HashSet"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { existsSync } from "node:fs"
import { gracefully } from "./bulk.js"
import { NotAccepted, notPossible } from "./errors.js"
import type { NotPossible } from "./errors.js"
import { fileReason } from "./files.js"
import * as Flags from "./flags.js"
import { jsonLine } from "./json.js"
import { plain, tokens as tokensOf } from "./lines.js"
import { collapseId, delivery, durationOf, message, notificationOf, sendingOf } from "./notification.js"
import { optionsOf, size, target, withPool } from "./pool.js"
import { json } from "./send.js"
import { signal } from "./signals.js"
import * as Subcommand from "./subcommand.js"

const database = Flags.text(
  "database",
  "FILE",
  "a libSQL file, or the URL of a PostgreSQL. Default: APNS_OUTBOX_DATABASE, else apns-outbox.db",
  { rare: true }
)

const id = Flags.argument("ID", "the campaign, as it was enqueued")

const place = (given: Option.Option<string>): string =>
  Option.getOrElse(given, () => process.env["APNS_OUTBOX_DATABASE"] || "apns-outbox.db")

/** A PostgreSQL that is away is waited for by a runner; everybody else hears of it at once. */
const connect = (url: string, waits: boolean) =>
  Effect.gen(function*() {
    const { layer } = yield* Effect.promise(() => import("@effect/sql-pg/PgClient"))
    const client = layer({ url: Redacted.make(url), applicationName: "apns outbox" })
    const said = client.pipe(
      Layer.tapError((error) =>
        Console.error(`The database cannot be reached${waits ? ", and is waited for" : ""}: ${reason(error)}`)
      )
    )
    return Layer.mapError(
      waits ? Layer.retry(said, Schedule.spaced("2 seconds")) : client,
      (error) => notPossible(`The database cannot be reached: ${reason(error)}`)
    )
  })

const reason = (error: SqlError): string => error.cause instanceof Error ? error.cause.message : error.message

const databaseLayer = (
  given: Option.Option<string>,
  options: { readonly waits?: boolean; readonly mustExist?: boolean } = {}
): Layer.Layer<SqlClient, NotPossible> => {
  const where = place(given)
  if (/^postgres(ql)?:\/\//.test(where)) {
    return Layer.unwrapEffect(
      Effect.map(connect(where, options.waits === true), (layer): Layer.Layer<SqlClient, NotPossible> => layer)
    )
  }
  const file = where.replace(/^file:(\/\/)?/, "")
  const scheme = /^([a-z][a-z+.-]+):/i.exec(file)?.[1]
  if (scheme !== undefined || file === "") {
    return Layer.fail(notPossible(
      `--database must be a libSQL file, such as apns-outbox.db, or the URL of a PostgreSQL (postgres://...), not ${
        scheme === undefined ? "empty" : `a URL that begins with ${scheme}:`
      }`
    ))
  }
  if (options.mustExist === true && !existsSync(file)) {
    return Layer.fail(notPossible(
      `There is no file ${
        Printable.text(file)
      }: nothing was enqueued there. Give --database, or set APNS_OUTBOX_DATABASE`
    ))
  }
  return Layer.unwrapEffect(
    Effect.map(
      Effect.promise(() => import("@effect-apns/outbox/LibsqlFile")),
      ({ layer }) => Layer.mapError(layer({ file }), ({ message }) => notPossible(message))
    )
  )
}

type Problem =
  | OutboxError.CampaignBusy
  | OutboxError.CampaignConflict
  | OutboxError.CampaignNotFound
  | OutboxError.InvalidCampaign
  | OutboxError.InvalidOutboxOptions
  | OutboxError.SchemaMismatch
  | NotPossible
  | SqlError

const inWords = (problem: Problem): NotPossible =>
  problem._tag === "NotPossible"
    ? problem
    : problem._tag === "InvalidCampaign" && problem.path.length === 1 && problem.path[0] === "tokens"
    ? notPossible(`TOKENS: ${problem.description}; nothing was enqueued`)
    : notPossible(problem._tag === "SqlError" ? `The database refuses: ${reason(problem)}` : problem.message)

/** Does something with the outbox in the database. */
const withOutbox = <R>(
  given: Option.Option<string>,
  use: (outbox: Outbox.Outbox) => Effect.Effect<void, Problem, R>,
  options: { readonly mustExist: boolean } = { mustExist: true }
): Effect.Effect<void, NotPossible, Exclude<R, SqlClient>> =>
  Effect.gen(function*() {
    const { make } = yield* Effect.promise(() => import("@effect-apns/outbox/Outbox"))
    return yield* Effect.flatMap(make(), use)
  }).pipe(
    Effect.provide(databaseLayer(given, options)),
    Effect.mapError(inWords)
  )

const number = (count: number): string => count.toLocaleString("en-US")

const report = (progress: Outbox.Progress): string => {
  const { accepted, at, cancelled, expiresAt, failed, id, left, reason, rejected, retrying, state, total } = progress
  return [
    `${id}: ${state}${reason === undefined || state === "done" ? "" : ` (${reason})`}`,
    `  ${number(total)} devices: ${number(accepted)} accepted, ${number(rejected)} rejected, ${number(failed)} failed` +
    (cancelled > 0 ? `, ${number(cancelled)} cancelled` : "") + `; ${number(left)} left` +
    (retrying > 0 ? `, ${number(retrying)} of them wait to be sent again` : ""),
    `  due ${DateTime.formatIso(at)}, ${state === "cancelled" ? "cancelled" : "ends"} ${DateTime.formatIso(expiresAt)}`
  ].join("\n")
}

const show = (asJson: boolean, progress: Outbox.Progress): Effect.Effect<void> =>
  Console.log(asJson ? jsonLine(progress) : report(progress))

const input = (file: string): Stream.Stream<Uint8Array, NotPossible, FileSystem.FileSystem> =>
  plain(
    file === "-"
      ? NodeStream.fromReadable<NotPossible, Uint8Array>(
        () => process.stdin,
        (error) => notPossible(`Standard input cannot be read: ${String(error)}`)
      )
      : Stream.unwrap(Effect.map(
        FileSystem.FileSystem,
        (fs) =>
          Stream.mapError(
            fs.stream(file),
            ({ message }) => notPossible(`TOKENS: ${file} cannot be read: ${fileReason({ message })}`)
          )
      )),
    (why) => notPossible(`TOKENS: the input holds no device tokens: ${why}`)
  )

/** An ISO date, or a duration from now. */
const instant = (option: string, given: Option.Option<string>): Effect.Effect<DateTime.Utc | undefined, NotPossible> =>
  Effect.gen(function*() {
    if (Option.isNone(given)) return undefined
    const date = /^\d{4}-/.test(given.value) ? DateTime.make(given.value) : Option.none()
    if (Option.isSome(date)) return DateTime.toUtc(date.value)
    const duration = yield* Effect.mapError(
      durationOf(option, given.value),
      () =>
        notPossible(
          `${option}: ${
            Printable.text(given.value, 60)
          } is no time: write it as an ISO date, such as 2026-12-01T17:00Z, or as a duration from now, such as "2 hours"`
        )
    )
    return DateTime.addDuration(yield* DateTime.now, duration)
  })

/** Lines without a device token that are named. */
const shownLines = 20

const enqueue = Subcommand.make("outbox enqueue", {
  tokens: Flags.argument("TOKENS", "a file, a device token on each line; - for standard input"),
  id: Flags.requiredText("id", "ID", "the campaign: one, however often it is enqueued"),
  at: Flags.text("at", "TIME", "when: an ISO date, or \"2 hours\" from now. Default: now"),
  expires: Flags.text("expires", "TIME", "when it ends, in the same form. Default: a day later"),
  tenant: Flags.text("tenant", "NAME", "whose it is. Default: default", { rare: true }),
  database,
  ...message,
  badge: Flags.whole("badge", "the number on the app's icon; 0 removes it", 0, { rare: true }),
  sound: Flags.text("sound", "NAME", "a sound file of the app, or default", { rare: true }),
  ...delivery,
  collapseId,
  json
}, (options) =>
  Effect.gen(function*() {
    const { id } = options
    const notification = yield* notificationOf(options)
    const sending = yield* sendingOf(options, notification.pushType)
    const at = yield* instant("--at", options.at)
    const expiresAt = yield* instant("--expires", options.expires)
    const broken: Array<number> = []
    let brokenCount = 0
    const tokens = Stream.map(
      tokensOf(
        input(options.tokens),
        (line) => notPossible(`Line ${line} of the input is no device token: it has more than a million characters`),
        () => {}
      ),
      ({ line, token }) => {
        if (!DeviceToken.is(token)) {
          brokenCount++
          if (broken.length < shownLines) broken.push(line)
        }
        return token
      }
    )
    yield* withOutbox(options.database, (outbox) =>
      Effect.gen(function*() {
        const enqueued = yield* outbox.enqueueAll({
          ...sending,
          id,
          notification,
          tokens,
          at,
          expiresAt,
          tenant: Option.getOrUndefined(options.tenant)
        })
        if (enqueued.created && brokenCount > 0) {
          yield* Console.error(
            `No device token is in ${number(brokenCount)} of the lines (${broken.join(", ")}${
              brokenCount > broken.length ? ", ..." : ""
            }): each is reported as rejected with BadDeviceToken`
          )
        }
        yield* Console.log(
          options.json
            ? jsonLine(enqueued)
            : enqueued.created
            ? `${id}: ${number(enqueued.total)} devices are in the outbox; apns outbox run sends to them`
            : `${id}: is in the outbox already, with ${number(enqueued.total)} devices`
        )
      }), { mustExist: false })
  }), {
  what: "Puts a notification for many devices into the outbox. Can be interrupted.",
  examples: [
    ["apns outbox enqueue tokens.txt --id news-17 --title News --body Hi", "to be sent by the next run"],
    [
      "apns outbox enqueue tokens.txt --id tea --body Tea --at 2026-12-01T17:00Z",
      "to be sent then"
    ]
  ]
})

const status = Subcommand.make(
  "outbox status",
  { id, database, json },
  (options) =>
    withOutbox(
      options.database,
      (outbox) => Effect.flatMap(outbox.progress(options.id), (progress) => show(options.json, progress))
    ),
  {
    what: "Says how far a campaign is.",
    examples: [["apns outbox status news-17", "one campaign"]]
  }
)

const cancel = Subcommand.make(
  "outbox cancel",
  { id, database, json },
  (options) =>
    withOutbox(
      options.database,
      (outbox) => Effect.flatMap(outbox.cancel(options.id), (progress) => show(options.json, progress))
    ),
  {
    what: "Gives up what has not been sent of a campaign.",
    examples: [["apns outbox cancel news-17", "one campaign"]]
  }
)

const retry = Subcommand.make(
  "outbox retry",
  { id, database, json },
  (options) =>
    withOutbox(options.database, (outbox) =>
      Effect.gen(function*() {
        const before = yield* outbox.progress(options.id)
        const isResumed = before.state === "stopped" || before.state === "paused"
        if (isResumed) yield* outbox.resume(options.id)
        const count = yield* outbox.sendAgain(options.id)
        if (!options.json) {
          if (isResumed) {
            yield* Console.log(`${options.id} was ${before.state}, and is resumed: the next run goes on with it`)
          }
          if (!isResumed || count > 0) {
            yield* Console.log(`${number(count)} dead letters are sent again by the next run`)
          }
        }
        yield* show(options.json, yield* outbox.progress(options.id))
      })),
  {
    what:
      "Goes on with a campaign that was stopped or paused, and sends its dead letters again: what was not reached through no fault of its token.",
    examples: [["apns outbox retry news-17", "after the key was mended"]]
  }
)

/**
 * A runner lives for days: its lines have their time and their campaign, and say too when something is right again.
 * Standard output is for outcomes. Takes the place of the logger that the other subcommands have.
 */
const logged = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(FiberRef.get(FiberRef.currentMinimumLogLevel), (level) =>
    effect.pipe(
      Effect.locally(FiberRef.currentLoggers, HashSet.make(Logger.withConsoleError(Logger.logfmtLogger))),
      Logger.withMinimumLogLevel(level._tag === "Warning" ? LogLevel.Info : level)
    ))

const run = Subcommand.make("outbox run", {
  database,
  untilIdle: Flags.toggle("until-idle", "end when nothing is due any more"),
  topic: delivery.topic,
  concurrency: Flags.whole("concurrency", "notifications under way at once. Default: 4000", 1, { rare: true }),
  size,
  ...target,
  json
}, (options) =>
  gracefully((stop) =>
    Effect.gen(function*() {
      const topic = Option.getOrUndefined(options.topic)
      const pool = yield* optionsOf(options, topic)
      const { make } = yield* Effect.promise(() => import("@effect-apns/outbox/OutboxRunner"))
      const OutboxMetrics = yield* Effect.promise(() => import("@effect-apns/outbox/OutboxMetrics"))
      const counts = { accepted: 0, rejected: 0, failed: 0, cancelled: 0 }
      let refusals = 0
      const sending = withPool(
        topic === undefined ? pool : { ...pool, topic },
        Effect.scoped(Effect.gen(function*() {
          const runner = yield* make({
            pool: () => ApnsPool.ApnsPool,
            concurrency: Option.getOrUndefined(options.concurrency),
            onOutcomes: (outcomes) =>
              Effect.forEach(outcomes, (outcome) => {
                if (outcome._tag === "Accepted") counts.accepted++
                else if (outcome._tag === "Rejected") {
                  counts.rejected++
                  if (Reason.info(outcome.reason, outcome.status).token === "keep") refusals++
                } else if (outcome.reason === "Cancelled") counts.cancelled++
                else counts.failed++
                return options.json ? Console.log(jsonLine(outcome)) : Effect.void
              }, { discard: true })
          })
          if (!options.json) yield* Console.log(`Sending what is in ${shown(place(options.database))}; Ctrl-C ends it`)
          yield* options.untilIdle ? Effect.raceFirst(runner.idle, Deferred.await(stop)) : Deferred.await(stop)
        }))
      ).pipe(
        Effect.provide(databaseLayer(options.database, { waits: true })),
        logged,
        Effect.mapError(inWords)
      )
      const stoppedBefore = (yield* Metric.value(OutboxMetrics.stopped)).count
      yield* sending
      const stopped = (yield* Metric.value(OutboxMetrics.stopped)).count - stoppedBefore
      if (!options.json) {
        yield* Console.log(
          `${number(counts.accepted)} accepted, ${number(counts.rejected)} rejected, ${number(counts.failed)} failed` +
            (counts.cancelled > 0 ? `, ${number(counts.cancelled)} cancelled` : "")
        )
      }
      // a campaign that is refused for all its tokens has refusals that are not the fault of a token; refused credentials have none
      if (options.untilIdle && stopped > 0 && refusals === 0) {
        return yield* notPossible(
          `${number(stopped)} ${
            stopped === 1 ? "campaign was" : "campaigns were"
          } stopped, as APNs refuses the credentials: see above, mend them, then apns outbox retry`
        )
      }
      if (options.untilIdle && counts.rejected + counts.failed > 0) return yield* new NotAccepted()
    }), signal), {
  what:
    "Sends what is due in the outbox, until it is stopped. On PostgreSQL any number of them share the work; a libSQL file belongs to one process at a time.",
  examples: [
    ["apns outbox run --until-idle", "sends what is due, and ends"],
    ["apns outbox run --database postgres://localhost/shop --json | tee outcomes.ndjson", "a runner that goes on"]
  ]
})

/** Without a password, which may be a parameter of the URL, too. */
const shown = (where: string): string => {
  const url = /^(postgres(?:ql)?:\/\/)(?:([^:@/?#]*)(:?)[^/?#]*@)?([^?#]*)/.exec(where)
  if (url === null) return where
  const [, scheme = "", user, colon = "", rest = ""] = url
  return scheme + (user === undefined ? "" : `${user}${colon === "" ? "" : ":..."}@`) + rest
}

export const outbox = Subcommand.group("outbox", [
  ["enqueue", "puts a notification for many devices into the outbox", enqueue],
  ["run", "sends what is due", run],
  ["status", "says how far a campaign is", status],
  ["cancel", "gives up what has not been sent", cancel],
  ["retry", "goes on with what was stopped, and sends dead letters again", retry]
], {
  what:
    "Sends durably: notifications are written into a database first (a libSQL file, or PostgreSQL), and sent by whatever run is alive. A crash loses nothing.",
  examples: [
    ["apns outbox enqueue tokens.txt --id news-17 --title News --body \"We are back\"", "writes it down"],
    ["apns outbox run --until-idle", "sends it"],
    ["apns outbox status news-17", "says how far it is"]
  ]
})
