import { TimeSpan } from "@effect-apns/models"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Scope from "effect/Scope"
import { ConnectError } from "../ConnectError.js"
import type * as Connection from "../Connection.js"
import type { Credentials, CredentialsError } from "../Credentials.js"
import * as Endpoint from "../Endpoint.js"
import * as Failure from "../Failure.js"
import * as ProviderToken from "../ProviderToken.js"
import * as Request from "../Request.js"
import type * as Response from "../Response.js"
import * as Transport from "../Transport.js"
import type { Parts } from "../unstable/Connection.js"
import * as Deadlines from "../unstable/Deadlines.js"
import { fromCode } from "./connectFailure.js"
import { Handled } from "./handled.js"
import type { Times } from "./keepAlive.js"
import { noListener } from "./lifecycle.js"
import { check, copy } from "./options.js"
import { spanOf, timeoutFail } from "./timing.js"
import { invalidOptions } from "./transport.js"
import { Wire } from "./wire.js"

interface TransportOptions extends Omit<Connection.Resolved, "endpoint" | "credentials"> {
  readonly authority?: string | undefined
  readonly credentials?: Credentials | undefined
}

const noSettings = (endpoint: Endpoint.Endpoint, timeout: Duration.Duration): ConnectError =>
  new ConnectError({
    reason: "Timeout",
    phase: "http2",
    endpoint,
    message: `${endpoint.origin}: the server sent no HTTP/2 SETTINGS within ${Duration.format(timeout)}`
  })

const unusable = (endpoint: Endpoint.Endpoint, cause: Failure.CloseCause | undefined): ConnectError =>
  cause?._tag === "Dropped"
    // under TLS 1.3 a server refuses a client certificate only after the handshake
    ? fromCode(endpoint, "http2", cause.code, undefined)
    : new ConnectError({
      reason: "Http2",
      phase: "http2",
      endpoint,
      message: `${endpoint.origin}: ${
        cause === undefined ? "the connection ended" : Failure.describeCause(cause)
      } before it was usable`,
      cause
    })

export const make = (
  given: Connection.Resolved,
  parts: Parts = {}
): Effect.Effect<Connection.Connection, ConnectError | CredentialsError, Scope.Scope> =>
  Effect.gen(function*() {
    const checked = check(given, ["endpoint", "credentials"])
    if (Either.isLeft(checked)) return yield* invalidOptions(given.endpoint, checked.left)
    const options = checked.right
    const spans = yield* spansOf(options, options.endpoint)
    const timeout = spans.connectTimeout
    const started = yield* Clock.currentTimeMillis
    const transport = yield* Transport.connect({ ...options, connectTimeout: timeout })
    const spent = (yield* Clock.currentTimeMillis) - started
    const wire = yield* open(transport, { ...options, authority: options.endpoint.authority }, spans, parts)
    const remaining = Duration.millis(Math.max(1, Duration.toMillis(timeout) - spent))
    yield* timeoutFail(wire.ready, { duration: remaining, onTimeout: () => noSettings(options.endpoint, timeout) })
      .pipe(
        Effect.zipRight(
          Effect.suspend(() => wire.state === "closed" ? unusable(options.endpoint, wire.cause) : Effect.void)
        ),
        // now, not at the end of the scope, which may be much later
        Effect.onError(() => Effect.zipRight(wire.shutdown(Duration.zero), Effect.sync(() => transport.destroy())))
      )
    return wire.connection
  })

export const fromTransport = (
  transport: Transport.Transport,
  given: TransportOptions,
  parts: Parts
): Effect.Effect<Connection.Connection, ConnectError | CredentialsError, Scope.Scope> =>
  Effect.gen(function*() {
    const checked = Either.flatMap(copy(given), (options) => check(options, []))
    if (Either.isLeft(checked)) return yield* invalidOptions(undefined, checked.left)
    const options = checked.right
    const authority = options.authority ?? "localhost"
    const endpoint = Either.getOrElse(Endpoint.make(`https://${authority}`), () => Endpoint.production)
    const wire = yield* open(transport, { ...options, authority }, yield* spansOf(options, endpoint), parts)
    yield* wire.ready
    return wire.connection
  })

const open = (
  transport: Transport.Transport,
  options: Omit<TransportOptions, "authority"> & { readonly authority: string },
  spans: Spans,
  parts: Parts
): Effect.Effect<Wire, CredentialsError, Scope.Scope> =>
  Effect.gen(function*() {
    const deadlines = parts.deadlines ?? (yield* Deadlines.make)
    const token = options.credentials?._tag === "Token" ? yield* ProviderToken.make(options.credentials) : undefined
    if (token !== undefined) yield* token.current
    const wire = new Wire(
      transport,
      {
        authority: options.authority,
        token,
        ping: spans.ping,
        limits: options.limits
      },
      parts.listener ?? noListener,
      deadlines
    )
    yield* Effect.addFinalizer(() => wire.shutdown(spans.drainTimeout))
    if (token !== undefined) yield* Effect.forkScoped(Effect.interruptible(wire.keepToken(token)))
    // a listener, such as a pool, logs this itself
    if (parts.listener === undefined) yield* Effect.forkScoped(Effect.interruptible(warnOfTimeouts(wire)))
    return wire
  })

/** A server that answers PINGs but no requests needs a warning: nothing else reports it. */
const warnOfTimeouts = ({ connection }: Wire): Effect.Effect<void> =>
  Effect.flatMap(connection.retired, (cause) =>
    cause._tag === "Retired" && cause.timeouts !== undefined
      ? Effect.annotateLogs(Effect.logWarning(`Connection to APNs retired: ${Failure.describeCause(cause)}`), {
        package: "@effect-apns/core",
        module: "Connection",
        cause: cause._tag
      })
      : Effect.void)

interface Spans {
  readonly connectTimeout: Duration.Duration
  readonly ping: Times
  readonly drainTimeout: Duration.Duration
}

const spansOf = (
  options: Pick<TransportOptions, "connectTimeout" | "ping" | "drainTimeout">,
  endpoint: Endpoint.Endpoint
): Effect.Effect<Spans, ConnectError> =>
  Effect.gen(function*() {
    const { connectTimeout, drainTimeout, ping } = options
    const interval = atLeastOne(yield* spanOf(endpoint, "ping.interval", ping?.interval, Duration.minutes(1)))
    const deadline = atLeastOne(yield* spanOf(endpoint, "ping.deadline", ping?.deadline, Duration.seconds(10)))
    const busyInterval = yield* spanOf(endpoint, "ping.busyInterval", ping?.busyInterval, Duration.seconds(2))
    const busyDeadline = yield* spanOf(endpoint, "ping.busyDeadline", ping?.busyDeadline, Duration.seconds(3))
    return {
      connectTimeout: yield* spanOf(endpoint, "connectTimeout", connectTimeout, Transport.defaultConnectTimeout),
      ping: {
        interval,
        deadline,
        busyInterval: Math.min(interval, atLeastOne(busyInterval)),
        busyDeadline: Math.min(deadline, atLeastOne(busyDeadline))
      },
      drainTimeout: yield* spanOf(endpoint, "drainTimeout", drainTimeout, defaultDrainTimeout)
    }
  })

/** Milliseconds, never 0, which would send PINGs in an endless loop. */
const atLeastOne = (duration: Duration.Duration): number => Math.max(1, Duration.toMillis(duration))

/** As long as the default timeout of a request, so that every request in flight can still be answered. */
const defaultDrainTimeout = Request.defaultTimeout

const defaultHandledLimit = 1000

export const fromHandler = (
  handler: (request: Request.Request) => Effect.Effect<Response.Response, Failure.RequestError>,
  options: { readonly limit?: number | undefined; readonly drainTimeout?: TimeSpan.TimeSpan | undefined },
  parts: Parts
): Effect.Effect<Connection.Connection, never, Scope.Scope> =>
  Effect.gen(function*() {
    const drainTimeout = Either.getOrThrowWith(
      options.drainTimeout === undefined ? Either.right(Duration.zero) : TimeSpan.decode(options.drainTimeout),
      (advice) => new TypeError(`The option \`drainTimeout\` is no span of time: ${advice}`)
    )
    const deadlines = parts.deadlines ?? (yield* Deadlines.make)
    const handled = new Handled(
      handler,
      options.limit ?? defaultHandledLimit,
      yield* Effect.runtime(),
      parts.listener ?? noListener,
      deadlines
    )
    yield* Effect.addFinalizer(() => handled.shutdown(drainTimeout))
    return handled.connection
  })
