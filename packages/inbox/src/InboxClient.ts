/**
 * A typed client for an inbox that runs elsewhere, such as `apns inbox` in another terminal: for end-to-end tests.
 *
 * @example
 * ```ts
 * import { InboxClient } from "@effect-apns/inbox"
 * import { Effect } from "effect"
 *
 * const test = Effect.gen(function*() {
 *   const inbox = yield* InboxClient.make({ url: "http://localhost:2198" })
 *   yield* inbox.clear
 *   // ... make the app under test send a push ...
 *   const push = yield* inbox.waitFor({ token: "0123456789abcdef", text: "Lunch" })
 *   return push.title === "Lunch" && push.errors === 0
 * })
 * console.log(Effect.isEffect(test))
 * ```
 *
 * @since 1.0.0
 */
import * as Schemas from "@effect-apns/models/unstable/Schemas"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpApiClient from "@effect/platform/HttpApiClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type { Access } from "./Inbox.js"
import { InboxApi, NotArrived } from "./InboxApi.js"

/**
 * The inbox could not be asked, or its answer not be read; `message` says why.
 *
 * @since 1.0.0
 * @category errors
 */
export class InboxClientError extends Schemas.taggedError<InboxClientError>()("InboxClientError", () => ({
  url: Schema.String,
  cause: Schema.optional(Schema.Defect)
})) {
  override get message(): string {
    const why = this.cause instanceof Error ? this.cause.message : String(this.cause)
    return `The inbox at ${this.url} cannot be asked: ${why}`
  }
}

/**
 * @since 1.0.0
 * @category models
 */
export interface InboxClient extends Access<InboxClientError> {}

/**
 * @since 1.0.0
 * @category tags
 */
export const InboxClient: Context.Tag<InboxClient, InboxClient> = Context.GenericTag<InboxClient>(
  "@effect-apns/inbox/InboxClient"
)

/**
 * Where the inbox is.
 *
 * @since 1.0.0
 * @category models
 */
export interface Options {
  /** Such as `http://localhost:2198`, the address of its page. A `token` in it counts. */
  readonly url: string
  /** What the inbox asks for, where it does. */
  readonly token?: string | undefined
}

/** How long one request waits at most; a longer wait is done by several requests. */
const longest = Duration.minutes(5)

/**
 * Makes a client. Nothing is sent before it is used.
 *
 * @since 1.0.0
 * @category constructors
 */
export const make = (options: Options): Effect.Effect<InboxClient, InboxClientError> =>
  Effect.gen(function*() {
    const address = yield* Effect.try({
      try: () => new URL(options.url),
      catch: (cause) => new InboxClientError({ url: options.url, cause })
    })
    const token = options.token ?? address.searchParams.get("token") ?? undefined
    const url = address.origin
    const client = yield* HttpApiClient.make(InboxApi, {
      baseUrl: url,
      transformClient: (client) =>
        token === undefined
          ? client
          : HttpClient.mapRequest(client, HttpClientRequest.bearerToken(token))
    })
    const failure = (cause: unknown): InboxClientError => new InboxClientError({ url, cause })
    const plain = <A, E extends { readonly _tag: string }>(effect: Effect.Effect<A, E>) =>
      Effect.mapError(effect, failure)
    const known = <A, E extends { readonly _tag: string }, K extends E["_tag"]>(
      effect: Effect.Effect<A, E>,
      tag: K
    ): Effect.Effect<A, Extract<E, { readonly _tag: K }> | InboxClientError> =>
      Effect.mapError(effect, (error) => isTagged(error, tag) ? error : failure(error))
    const { answers, inbox, pushes } = client
    const service: InboxClient = {
      list: (filter = {}, page = {}) => plain(pushes.list({ urlParams: { ...filter, ...page } })),
      get: (id) => known(pushes.get({ path: { id } }), "NoSuchPush"),
      waitFor: (filter = {}, { after, timeout = "30 seconds" } = {}) => {
        const total = Duration.toMillis(timeout)
        const wait = (left: number): ReturnType<InboxClient["waitFor"]> => {
          const now = Math.min(left, Duration.toMillis(longest))
          return known(pushes.next({ urlParams: { ...filter, after, timeout: now } }), "NotArrived").pipe(
            Effect.catchTag("NotArrived", (error) =>
              left > now
                ? wait(left - now)
                : Effect.fail(new NotArrived({ ...error, timeout: Duration.millis(total) })))
          )
        }
        return wait(total)
      },
      clear: plain(pushes.clear()),
      counts: Effect.map(plain(inbox.info()), ({ counts }) => counts),
      answers: plain(answers.answers()),
      answer: (payload) =>
        Effect.catchAll(
          answers.answer({ payload }),
          (error) => Effect.fail(ParseResult.isParseError(error) ? error : failure(error))
        ),
      removeAnswer: (id) => known(answers.remove({ path: { id } }), "NoSuchAnswer"),
      resetAnswers: plain(answers.reset()),
      send: (payload) => plain(inbox.send({ payload }))
    }
    return service
  }).pipe(Effect.provide(FetchHttpClient.layer))

const isTagged = <E extends { readonly _tag: string }, K extends E["_tag"]>(
  error: E,
  tag: K
): error is Extract<E, { readonly _tag: K }> => error._tag === tag

/**
 * {@link make} as a layer.
 *
 * @since 1.0.0
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<InboxClient, InboxClientError> =>
  Layer.effect(InboxClient, make(options))
