/**
 * See your pushes: a mock APNs on one port, and on another a page in the browser that shows each push as a phone would.
 *
 * @example
 * ```ts
 * import { Inbox } from "@effect-apns/inbox"
 * import { Console, Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const inbox = yield* Inbox.make({ topic: "com.example.app" })
 *   yield* Console.log(`open ${inbox.url}, and point your server at ${inbox.mock.origin}`)
 *   const push = yield* inbox.waitFor({ text: "Lunch" }, { timeout: "1 minute" })
 *   return push.title
 * }).pipe(Effect.scoped)
 * console.log(Effect.isEffect(program))
 * ```
 *
 * @since 1.0.0
 */
import type { Credentials, Endpoint } from "@effect-apns/core"
import type { TimeSpan } from "@effect-apns/models"
import type { MockApns } from "@effect-apns/testing"
import type * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as ParseResult from "effect/ParseResult"
import type * as Scope from "effect/Scope"
import type { NoSuchAnswer, NoSuchPush, NotArrived } from "./InboxApi.js"
import * as internal from "./internal/inbox.js"
import * as service from "./internal/service.js"
import type { Answer, AnswerOptions, Counts, Filter, Info, PushDetail, PushList, SendOptions, Sent } from "./Model.js"
import type { Strings } from "./Strings.js"

/**
 * @since 1.0.0
 * @category type ids
 */
export const TypeId: TypeId = service.TypeId

/**
 * @since 1.0.0
 * @category type ids
 */
export type TypeId = "~@effect-apns/inbox/Inbox"

/**
 * Which pushes `waitFor` looks at.
 *
 * @since 1.0.0
 * @category models
 */
export interface WaitOptions {
  /** Only pushes with a greater id than this. Defaults to 0: those that are here already count. */
  readonly after?: number | undefined
  /** Defaults to 30 seconds. */
  readonly timeout?: TimeSpan.TimeSpan | undefined
}

/**
 * What can be done with an inbox, in its own process ({@link Inbox}) and from elsewhere (`InboxClient`). `E` is what the
 * way there can fail with.
 *
 * @since 1.0.0
 * @category models
 */
export interface Access<E = never> {
  /** Pushes that match, newest first: at most `limit` (default 100, at most 1,000), with ids below `before`. */
  readonly list: (
    filter?: Filter,
    options?: { readonly limit?: number | undefined; readonly before?: number | undefined }
  ) => Effect.Effect<PushList, E>
  /** Everything about one push. */
  readonly get: (id: number) => Effect.Effect<PushDetail, NoSuchPush | E>
  /** The oldest processed push that matches: at once where it is here, else as soon as it comes. */
  readonly waitFor: (filter?: Filter, options?: WaitOptions) => Effect.Effect<PushDetail, NotArrived | E>
  /** Forgets all pushes and starts counting from zero. Ids go on. */
  readonly clear: Effect.Effect<void, E>
  readonly counts: Effect.Effect<Counts, E>
  /** The answers in force, newest first. */
  readonly answers: Effect.Effect<ReadonlyArray<Answer>, E>
  /** From now on pushes that match are answered so; of several answers that match, the newest holds. */
  readonly answer: (options: AnswerOptions) => Effect.Effect<Answer, ParseResult.ParseError | E>
  readonly removeAnswer: (id: number) => Effect.Effect<void, NoSuchAnswer | E>
  readonly resetAnswers: Effect.Effect<void, E>
  /** Sends a push through the library, to the inbox or to Apple's sandbox, and tells what became of it. */
  readonly send: (options: SendOptions) => Effect.Effect<Sent, E>
}

/**
 * A running inbox.
 *
 * @since 1.0.0
 * @category models
 */
export interface Inbox extends Access {
  readonly [TypeId]: TypeId
  /** The address of the page, with its token where one is asked for. */
  readonly url: string
  /** The port of the page. */
  readonly port: number
  /** The mock that receives the pushes. */
  readonly mock: MockApns.MockApns
  readonly info: Info
}

/**
 * @since 1.0.0
 * @category tags
 */
export const Inbox: Context.Tag<Inbox, Inbox> = service.tag

/**
 * The page could not be served; `message` says what to do.
 *
 * @since 1.0.0
 * @category errors
 */
export const InboxError = service.InboxError

/**
 * The page could not be served; `message` says what to do.
 *
 * @since 1.0.0
 * @category errors
 */
export type InboxError = service.InboxError

/**
 * How the page is set up. Every field may be left out.
 *
 * @since 1.0.0
 * @category models
 */
export interface PageOptions {
  /** The port of the page. Defaults to a free one. */
  readonly port?: number | undefined
  /**
   * The address to listen on. Defaults to `127.0.0.1`. Anything but loopback needs a `token`: the page shows what is sent
   * to people.
   */
  readonly host?: string | undefined
  /** What a browser or a program must know to use the page. Defaults to nothing on loopback. At least 16 characters. */
  readonly token?: string | undefined
  /** How many pushes are kept: the newest. Defaults to 10,000. */
  readonly keep?: number | undefined
  /** The app's strings, which localized pushes are shown with. */
  readonly strings?: Strings | undefined
  /** The topic that the page proposes. Defaults to `com.example.app`. */
  readonly topic?: string | undefined
  /** The variables that the page tells people to export beside `APNS_ENDPOINT`. Defaults to none, since it knows no files. */
  readonly variables?: Readonly<Record<string, string>> | undefined
  /** Credentials to send to Apple's sandbox with. Without them the page sends to the inbox alone. */
  readonly sandbox?: {
    readonly credentials: Credentials.Credentials
    /** Defaults to `Endpoint.development`, Apple's sandbox. */
    readonly endpoint?: Endpoint.Endpoint | undefined
    /** Authorities to trust in place of the usual ones, PEM. */
    readonly ca?: string | undefined
  } | undefined
}

/**
 * How an inbox is set up: its page, and its mock.
 *
 * @since 1.0.0
 * @category models
 */
export interface Options {
  readonly page?: PageOptions | undefined
  /** Its `onRequest`, `onReceived` and `onLost` are called as well, before the inbox sees the request. */
  readonly mock?: MockApns.Options | undefined
  /** The topic that the page proposes: short for `page.topic`. */
  readonly topic?: string | undefined
}

/**
 * Starts a mock APNs and its page. Both stop with the scope.
 *
 * @since 1.0.0
 * @category constructors
 */
export const make = (
  options: Options = {}
): Effect.Effect<Inbox, InboxError | MockApns.MockApnsError, Scope.Scope> => internal.make(options)

/**
 * {@link make} as a layer, which gives its mock as well.
 *
 * @since 1.0.0
 * @category layers
 */
export const layer = (
  options?: Options
): Layer.Layer<Inbox | MockApns.MockApns, InboxError | MockApns.MockApnsError> =>
  Layer.scopedContext(internal.context(options ?? {}))

/**
 * What `MockApns` of `@effect-apns/testing` needs in order to have an inbox of its own: call `onRequest`, `onReceived`
 * and `onLost` for its requests, then `start` it. `MockApns.layer({ inbox: true })` does that.
 *
 * @since 1.0.0
 * @category constructors
 */
export const attach: (options: PageOptions) => Effect.Effect<{
  readonly onRequest: NonNullable<MockApns.Options["onRequest"]>
  readonly onReceived: NonNullable<MockApns.Options["onReceived"]>
  readonly onLost: NonNullable<MockApns.Options["onLost"]>
  readonly start: (mock: MockApns.MockApns) => Effect.Effect<Inbox, InboxError, Scope.Scope>
}> = internal.attach
