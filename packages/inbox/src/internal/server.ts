/**
 * The page and the API on a port of their own.
 *
 * @internal
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as OpenApi from "@effect/platform/OpenApi"
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { createServer } from "node:http"
import type { Inbox } from "../Inbox.js"
import { InboxApi } from "../InboxApi.js"
import type { Event, Filter } from "../Model.js"
import type { Asset } from "./assets.js"
import * as assets from "./assets.js"
import { guard, headersFor, maxBody } from "./guard.js"

/** @internal */
export class ServeError extends Data.TaggedError("ServeError")<{ readonly cause: unknown }> {}

/** @internal */
export interface Source {
  readonly inbox: Inbox
  /** The first event, and the revision from which later changes are sent. */
  readonly hello: (filter: Filter) => { readonly event: Event; readonly revision: number }
  /** The changes since then; waits until there are some. */
  readonly next: (filter: Filter, revision: number) => Effect.Effect<{
    readonly events: ReadonlyArray<Event>
    readonly revision: number
  }>
}

/** The shortest time between two updates of a page: faster than anybody can read. */
const pace = Duration.millis(50)

/** Shows to the page, and to proxies between, that the connection is open. */
const heartbeat = Duration.seconds(15)

const encoder = new TextEncoder()

const write = (event: Event): string => `event: ${event._tag}\ndata: ${JSON.stringify(event)}\n\n`

const events = (source: Source, filter: Filter): Stream.Stream<Uint8Array> =>
  Stream.suspend(() => {
    const { event, revision } = source.hello(filter)
    // a proxy that buffers a few kilobytes would delay the first event
    const hello = `retry: 1000\n\n${write(event)}`
    return Stream.concat(
      Stream.succeed(hello),
      Stream.unfoldEffect(revision, (last) =>
        source.next(filter, last).pipe(
          Effect.timeoutTo({
            duration: heartbeat,
            onSuccess: ({ events, revision }) => [events.map(write).join(""), revision] as const,
            onTimeout: () => [": alive\n\n", last] as const
          }),
          Effect.tap(() => Effect.sleep(pace)),
          Effect.asSome
        ))
    ).pipe(Stream.map((text) => encoder.encode(text)))
  })

const eventStream = (source: Source, filter: Filter): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.stream(events(source, filter), {
    contentType: "text/event-stream",
    headers: { "cache-control": "no-store", "x-accel-buffering": "no" }
  })

const handlers = (source: Source) => {
  const { inbox } = source
  return Layer.mergeAll(
    HttpApiBuilder.group(InboxApi, "pushes", (group) =>
      group
        .handle("list", ({ urlParams: { before, limit, ...filter } }) => inbox.list(filter, { before, limit }))
        .handle("next", ({ urlParams: { after, timeout, ...filter } }) =>
          inbox.waitFor(filter, {
            after,
            ...(timeout === undefined ? {} : { timeout: Duration.millis(timeout) })
          }))
        .handle("get", ({ path }) => inbox.get(path.id))
        .handle("clear", () => inbox.clear)),
    HttpApiBuilder.group(InboxApi, "answers", (group) =>
      group
        .handle("answers", () => inbox.answers)
        .handle("answer", ({ payload }) => Effect.orDie(inbox.answer(payload)))
        .handle("remove", ({ path }) => inbox.removeAnswer(path.id))
        .handle("reset", () => inbox.resetAnswers)),
    HttpApiBuilder.group(InboxApi, "inbox", (group) =>
      group
        .handle("info", () => Effect.map(inbox.counts, (counts) => ({ ...inbox.info, counts })))
        .handle("send", ({ payload }) => inbox.send(payload))
        .handleRaw("events", ({ urlParams }) => Effect.succeed(eventStream(source, urlParams))))
  )
}

const file = ({ body, etag, type }: Asset) =>
  Effect.map(HttpServerRequest.HttpServerRequest, ({ headers }) =>
    headers["if-none-match"] === etag
      ? HttpServerResponse.empty({ status: 304, headers: { etag } })
      : HttpServerResponse.uint8Array(body, { contentType: type, headers: { etag, "cache-control": "no-cache" } }))

const files = (loaded: assets.Assets) =>
  HttpApiBuilder.Router.use((router) =>
    Effect.gen(function*() {
      for (const [path, asset] of loaded.files) yield* router.get(`/${path.slice(1)}`, file(asset))
      const document = OpenApi.fromApi(InboxApi)
      yield* router.get("/openapi.json", HttpServerResponse.json(document).pipe(Effect.orDie))
    })
  )

/** The text of a refusal that would be empty otherwise. */
const explained = (
  request: HttpServerRequest.HttpServerRequest,
  response: HttpServerResponse.HttpServerResponse
): HttpServerResponse.HttpServerResponse => {
  if (response.status < 400 || response.body._tag !== "Empty") return response
  const why = response.status === 404
    ? `There is nothing at this address for ${request.method}: /docs tells what there is.`
    : response.status === 400
    ? "The body cannot be read: it must be JSON."
    : undefined
  return why === undefined ? response : HttpServerResponse.text(`${why}\n`, { status: response.status })
}

const guarded = (token: string | undefined, headers: Readonly<Record<string, string>>) => {
  const check = guard(token)
  const dress = (response: HttpServerResponse.HttpServerResponse): HttpServerResponse.HttpServerResponse => {
    const all = HttpServerResponse.setHeaders(response, headers)
    return response.headers["cache-control"] === undefined
      ? HttpServerResponse.setHeader(all, "cache-control", "no-store")
      : all
  }
  // what the app answers leaves inside of it, failures included: so it is dressed there
  const dressed = (app: HttpApp.Default): HttpApp.Default =>
    HttpApp.withPreResponseHandler(
      HttpServerRequest.withMaxBodySize(app, Option.some(maxBody)),
      (request, response) => Effect.succeed(dress(explained(request, response)))
    )
  return (app: HttpApp.Default): HttpApp.Default =>
    Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
      const verdict = check(request)
      switch (verdict._tag) {
        case "Pass":
          return dressed(app)
        case "Refuse":
          return Effect.succeed(dress(HttpServerResponse.text(`${verdict.why}\n`, { status: verdict.status })))
        case "Login":
          return Effect.succeed(dress(HttpServerResponse.empty({
            status: 303,
            headers: {
              location: "/",
              "set-cookie": `${verdict.cookie.name}=${
                encodeURIComponent(verdict.cookie.value)
              }; Path=/; HttpOnly; SameSite=Strict`
            }
          })))
      }
    })
}

/** @internal */
export interface Options {
  readonly host: string
  readonly port: number
  readonly token: string | undefined
}

/**
 * Serves until the scope closes; its port.
 *
 * @internal
 */
export const serve = (source: Source, options: Options): Effect.Effect<number, ServeError, Scope.Scope> =>
  Effect.gen(function*() {
    const loaded = yield* Effect.tryPromise({ try: () => assets.load(), catch: (cause) => new ServeError({ cause }) })
    const node = createServer({ keepAliveTimeout: 5000 })
    const server = yield* NodeHttpServer.make(() => node, { port: options.port, host: options.host }).pipe(
      Effect.mapError(({ cause }) => new ServeError({ cause }))
    )
    // pages keep their event streams open: without this, closing would wait for them
    yield* Effect.addFinalizer(() => Effect.sync(() => node.closeAllConnections()))
    const app = HttpApiBuilder.serve(guarded(options.token, headersFor(loaded.hashes))).pipe(
      Layer.provide(files(loaded)),
      Layer.provide(HttpApiBuilder.api(InboxApi)),
      Layer.provide(handlers(source)),
      Layer.provide(Layer.merge(Layer.succeed(HttpServer.HttpServer, server), NodeHttpServer.layerContext))
    )
    const scope = yield* Effect.scope
    // the program may use a TestClock, whose time stands still
    yield* Effect.withClock(Layer.buildWithScope(app, scope), Clock.make())
    const { address } = server
    return address._tag === "TcpAddress" ? address.port : options.port
  })
