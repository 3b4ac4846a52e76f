/**
 * Combines the parts: store, answers, mock, server.
 *
 * @internal
 */
import { Credentials, Endpoint } from "@effect-apns/core"
import { Reason } from "@effect-apns/models"
import { ApnsPool } from "@effect-apns/pool"
import { MockApns } from "@effect-apns/testing"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { randomUUID } from "node:crypto"
import type * as Inbox from "../Inbox.js"
import { maxListed, NoSuchAnswer, NoSuchPush, NotArrived } from "../InboxApi.js"
import type { Event, Filter, Info } from "../Model.js"
import { AnswerOptions } from "../Model.js"
import * as Strings from "../Strings.js"
import { Answers } from "./answers.js"
import type { Destination, Failed, Target } from "./sender.js"
import { sendFrom } from "./sender.js"
import type { ServeError } from "./server.js"
import { serve } from "./server.js"
import * as service from "./service.js"
import type { Entry } from "./store.js"
import { isEmpty, matcher, Store } from "./store.js"
import { detailOf, pushOf, spoken } from "./view.js"

const version = "1.0.0"

const defaultKeep = 10_000

const defaultTimeout = Duration.seconds(30)

/** How many pushes a page gets when it opens. */
const greeted = 200

const minToken = 16

const loopback = new Set(["127.0.0.1", "::1", "localhost"])

const explain = (host: string, port: number) => ({ cause }: ServeError): Inbox.InboxError => {
  const code = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined
  const why = cause instanceof Error ? cause.message : String(cause)
  return new service.InboxError({
    description: code === "EADDRINUSE"
      ? `The page cannot be served: port ${port} of ${host} is in use, perhaps by another inbox; choose another port, or 0 for a free one`
      : `The page cannot be served on ${host}, port ${port}: ${why}`,
    cause
  })
}

const checked = (page: Inbox.PageOptions): Effect.Effect<void, Inbox.InboxError> => {
  const { host, keep, token } = page
  const description = host !== undefined && !loopback.has(host) && token === undefined
    ? `The inbox shows what is sent to people: to listen on ${host}, which others can reach, it needs a token`
    : token !== undefined && !/^[\x21-\x7e]{16,512}$/.test(token)
    ? `The token must have at least ${minToken} printable characters without spaces`
    : keep !== undefined && !(Number.isInteger(keep) && keep > 0 && keep <= 1_000_000)
    ? "keep is a whole number from 1 to 1,000,000"
    : undefined
  return description === undefined ? Effect.void : Effect.fail(new service.InboxError({ description }))
}

/** A pool that is made when it is first used, and closed with the inbox. */
const lazyPool = (
  destination: Effect.Effect<Destination, Failed>,
  topic: string,
  scope: Scope.Scope
): Effect.Effect<Target["pool"]> =>
  Effect.cached(
    Effect.flatMap(destination, ({ ca, credentials, endpoint }) =>
      ApnsPool.make({ endpoint, credentials, topic, size: 1, ...(ca === undefined ? {} : { ca }) })).pipe(
        Scope.extend(scope)
      )
  )

type Attached = Effect.Effect.Success<ReturnType<typeof Inbox.attach>>

/** @internal */
export const attach = (page: Inbox.PageOptions): Effect.Effect<Attached> =>
  Effect.sync(() => {
    // the time of arrival is that of the wall clock, also if the program uses another clock
    const clock = Clock.make()
    const now = (): number => clock.unsafeCurrentTimeMillis()
    const keep = page.keep !== undefined && Number.isInteger(page.keep) && page.keep > 0 ? page.keep : defaultKeep
    const store = new Store(keep, now)
    const answers = new Answers(now, () => store.touch())
    return {
      onRequest: (request, planned) => {
        const decided = planned === undefined ? answers.decide(request) : undefined
        store.arrived(request, planned ?? decided?.behavior, decided?.told)
        return decided?.behavior
      },
      onReceived: (request) => store.received(request),
      onLost: (request) => store.lost(request),
      start: (mock) => start(page, mock, store, answers)
    }
  })

const start = (
  page: Inbox.PageOptions,
  mock: MockApns.MockApns,
  store: Store,
  answers: Answers
): Effect.Effect<Inbox.Inbox, Inbox.InboxError, Scope.Scope> =>
  Effect.gen(function*() {
    yield* checked(page)
    const scope = yield* Effect.scope
    const topic = page.topic ?? MockApns.bundleId
    const context = { strings: page.strings ?? Strings.none, entry: (id: number) => store.get(id) }
    const info: Info = {
      version,
      session: randomUUID(),
      origin: mock.origin,
      variables: { APNS_ENDPOINT: mock.origin, ...page.variables },
      topic,
      sandbox: page.sandbox !== undefined,
      keep: store.keep,
      reasons: Object.entries(Reason.table).map(([reason, { status }]) => ({ reason, status }))
    }
    const matches = (filter: Filter): (entry: Entry) => boolean =>
      isEmpty(filter) ? () => true : matcher(filter, (entry) => spoken(entry, context))
    const push = (entry: Entry) => pushOf(entry, context)
    const detail = (entry: Entry) =>
      Effect.map(mock.connections, (connections) => detailOf(entry, context, connections))

    const { key, keyId, teamId } = mock.credentials
    const own = yield* lazyPool(
      Effect.map(
        Credentials.token({ key: Redacted.make(key), keyId, teamId }),
        (credentials) => ({ endpoint: mock.endpoint, ca: mock.ca, credentials })
      ),
      topic,
      scope
    )
    const { sandbox } = page
    const apple = sandbox === undefined
      ? undefined
      : yield* lazyPool(
        Effect.succeed({
          endpoint: sandbox.endpoint ?? Endpoint.development,
          ca: sandbox.ca,
          credentials: sandbox.credentials
        }),
        topic,
        scope
      )
    const targets: { readonly inbox: Target; readonly sandbox: Target | undefined } = {
      inbox: { pool: own, createChannel: (bundleId) => mock.createChannel(bundleId) },
      sandbox: apple === undefined ? undefined : { pool: apple, createChannel: undefined }
    }

    const waitFor: Inbox.Inbox["waitFor"] = (filter = {}, options = {}) => {
      const timeout = Duration.decode(options.timeout ?? defaultTimeout)
      return Effect.async<Entry>((resume) => {
        const giveUp = store.wait(matches(filter), options.after ?? 0, (entry) => resume(Effect.succeed(entry)))
        return Effect.sync(giveUp)
      }).pipe(
        Effect.timeoutFail({
          duration: timeout,
          onTimeout: () => new NotArrived({ filter, timeout, total: store.counts().total })
        }),
        Effect.flatMap(detail)
      )
    }

    const inbox: Inbox.Inbox = {
      [service.TypeId]: service.TypeId,
      url: "",
      port: 0,
      mock,
      info,
      list: (filter = {}, options = {}) =>
        Effect.sync(() => {
          const limit = Math.min(Math.max(1, Math.floor(options.limit ?? 100)), maxListed)
          const { entries, more } = store.newest(matches(filter), limit, options.before)
          return { pushes: entries.map(push), counts: store.counts(), more }
        }),
      get: (id) => {
        const entry = store.get(id)
        return entry === undefined ? Effect.fail(new NoSuchPush({ id })) : detail(entry)
      },
      waitFor,
      clear: Effect.sync(() => store.clear()),
      counts: Effect.sync(() => store.counts()),
      answers: Effect.sync(() => answers.list()),
      answer: (options) => Effect.map(decodeAnswer(options), (valid) => answers.add(valid)),
      removeAnswer: (id) =>
        Effect.suspend(() => answers.remove(id) ? Effect.void : Effect.fail(new NoSuchAnswer({ id }))),
      resetAnswers: Effect.sync(() => answers.clear()),
      send: (options) => {
        const target = targets[options.to ?? "inbox"]
        return target === undefined
          ? Effect.succeed({
            outcome: "failed",
            error: "NoSandbox",
            message: "This inbox was started without credentials for Apple's sandbox.",
            processed: "no"
          })
          : sendFrom(target, options)
      }
    }

    const host = page.host ?? "127.0.0.1"
    const wanted = page.port ?? 0
    const port = yield* Effect.mapError(
      serve({
        inbox,
        hello: (filter) => ({
          event: {
            _tag: "hello",
            info,
            counts: store.counts(),
            pushes: store.newest(matches(filter), greeted).entries.map(push).reverse(),
            answers: answers.list()
          },
          revision: store.currentRevision
        }),
        next: (filter, revision) => {
          // a filter for waiting pushes is also notified when one no longer waits
          const leaving = filter.outcome === "waiting"
          const wanted = matches(leaving ? { ...filter, outcome: undefined } : filter)
          const stays = (entry: Entry): boolean => !leaving || entry.outcome === "waiting"
          const news = Effect.sync(() => {
            if (store.currentRevision === revision) return Option.none()
            const { cleared, entries, skipped, touched } = store.since(revision, wanted)
            const counts = store.counts()
            const events: Array<Event> = []
            if (cleared) events.push({ _tag: "cleared", counts })
            if (touched) events.push({ _tag: "answers", answers: answers.list() })
            events.push({
              _tag: "pushes",
              counts,
              pushes: entries.filter(stays).map(push),
              skipped,
              gone: entries.filter((entry) => !stays(entry)).map(({ id }) => id)
            })
            return Option.some({ events, revision: store.currentRevision })
          })
          const change = Effect.async<void>((resume) => {
            const giveUp = store.onChange(() => resume(Effect.void))
            return Effect.sync(giveUp)
          })
          return Effect.flatMap(
            news,
            Option.match({
              onSome: (found) => Effect.succeed(found),
              onNone: () =>
                Effect.zipRight(
                  change,
                  Effect.flatMap(
                    news,
                    Option.match({
                      onSome: (found) => Effect.succeed(found),
                      onNone: () => Effect.succeed({ events: [], revision })
                    })
                  )
                )
            })
          )
        }
      }, { host, port: wanted, token: page.token }),
      explain(host, wanted)
    )
    const shown = host === "0.0.0.0" || host === "::" || host === "127.0.0.1"
      ? "localhost"
      : host.includes(":")
      ? `[${host}]`
      : host
    const url = `http://${shown}:${port}/`
    return {
      ...inbox,
      port,
      url: page.token === undefined ? url : `${url}?token=${encodeURIComponent(page.token)}`
    }
  })

const decodeAnswer = Schema.decodeUnknown(AnswerOptions)

/** @internal */
export const make = (
  options: Inbox.Options
): Effect.Effect<Inbox.Inbox, Inbox.InboxError | MockApns.MockApnsError, Scope.Scope> =>
  Effect.gen(function*() {
    const page: Inbox.PageOptions = { ...options.page, topic: options.topic ?? options.page?.topic }
    yield* checked(page)
    const { onLost, onReceived, onRequest, start } = yield* attach(page)
    const mock = yield* MockApns.make({
      record: false,
      ...options.mock,
      onRequest: (request, planned) => {
        const decided = planned ?? options.mock?.onRequest?.(request, planned)
        return onRequest(request, decided) ?? decided
      },
      onReceived: (request) => {
        options.mock?.onReceived?.(request)
        onReceived(request)
      },
      onLost: (request) => {
        options.mock?.onLost?.(request)
        onLost(request)
      }
    })
    return yield* start(mock)
  })

/** @internal */
export const context = (
  options: Inbox.Options
): Effect.Effect<
  Context.Context<Inbox.Inbox | MockApns.MockApns>,
  Inbox.InboxError | MockApns.MockApnsError,
  Scope.Scope
> =>
  Effect.map(
    make(options),
    (inbox) => Context.make(service.tag, inbox).pipe(Context.add(MockApns.MockApns, inbox.mock))
  )
