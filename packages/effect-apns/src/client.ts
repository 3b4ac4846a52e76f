/**
 * A client for programs without Effect: promises, async iterables and `AbortSignal`. It uses the same pool as the
 * rest of the library.
 *
 * A promise is rejected with the typed error itself: it is an `Error`, its `_tag` names what went
 * wrong, `processed` says whether APNs can have processed the request, and its stack points at the caller.
 *
 * @example
 * ```ts
 * import { createClient, Notification, Rejection } from "effect-apns/client"
 *
 * declare const deleteToken: (token: string) => Promise<void>
 *
 * const client = await createClient({
 *   endpoint: "production",
 *   keyFile: "AuthKey_ABC123DEFG.p8",
 *   keyId: "ABC123DEFG",
 *   teamId: "DEF123GHIJ",
 *   topic: "com.example.app"
 * })
 * const token = "00fc13adff785122b4ad28809a3420982341241421348097878e577c991de8f0"
 * try {
 *   const { apnsId } = await client.send({ token, notification: Notification.alert({ alert: "Hello" }) })
 *   console.log("accepted as", apnsId)
 * } catch (error) {
 *   if (Rejection.isTokenDead(error)) await deleteToken(token)
 *   else console.error(error)
 * }
 * await client.close()
 * ```
 *
 * @since 1.0.0
 */
import { Credentials, Endpoint, Failure, Proxy } from "@effect-apns/core"
import type { Notification as Notifications } from "@effect-apns/models"
import * as Printable from "@effect-apns/models/Printable"
import * as Schemas from "@effect-apns/models/unstable/Schemas"
import type { Receipt, Send, SendAll } from "@effect-apns/pool"
import { ApnsPool, Broadcast, Channels, send, sendAll, sendEach } from "@effect-apns/pool"
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Eithers from "effect/Either"
import * as Exit from "effect/Exit"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as failures from "./internal/failures.js"
import * as files from "./internal/files.js"

export {
  /**
   * @since 1.0.0
   */
  LiveActivity,
  /**
   * @since 1.0.0
   */
  Notification,
  /**
   * @since 1.0.0
   */
  Rejection
} from "@effect-apns/models"

/**
 * Effect's `Either`, for the results of `sendAll`: `Either.isRight(result)`, `Either.isLeft(result)`.
 *
 * @since 1.0.0
 * @category outcomes
 */
export const Either: typeof Eithers = Eithers

/**
 * @since 1.0.0
 * @category outcomes
 */
export declare namespace Either {
  /**
   * A value of `right`, or a failure of `left`.
   *
   * @since 1.0.0
   * @category outcomes
   */
  export type Either<R, L = never> = Eithers.Either<R, L>
}

/**
 * Who is sending, in one of these ways: a token signing key, a client certificate as PEM, one as PKCS#12, or
 * credentials that were made before.
 *
 * @since 1.0.0
 * @category options
 */
export type Sender =
  | {
    /** The path of the `.p8` file that Apple's developer site gave. */
    readonly keyFile: string
    readonly keyId: string
    readonly teamId: string
    /** Opens an encrypted key. */
    readonly passphrase?: string | undefined
  }
  | {
    /** The content of the `.p8` file. */
    readonly key: string | Uint8Array
    readonly keyId: string
    readonly teamId: string
    /** Opens an encrypted key. */
    readonly passphrase?: string | undefined
  }
  | {
    /** The path of a PEM file: the certificate; may hold the key too. */
    readonly certFile: string
    /** The path of a PEM file with the private key. Default: the key in `certFile`. */
    readonly certKeyFile?: string | undefined
    readonly passphrase?: string | undefined
  }
  | {
    /** The certificate as PEM; may hold the key too. */
    readonly cert: string
    /** The private key as PEM. Default: the key in `cert`. */
    readonly certKey?: string | undefined
    readonly passphrase?: string | undefined
  }
  | {
    /** The path of the `.p12` or `.pfx` file. */
    readonly pkcs12File: string
    readonly passphrase?: string | undefined
  }
  | {
    /** The content of a `.p12` or `.pfx` file. */
    readonly pkcs12: Uint8Array
    readonly passphrase?: string | undefined
  }
  | { readonly credentials: Credentials.Credentials }

/**
 * Everything else that {@link createClient} takes; what is left out is as in `ApnsPool`.
 *
 * @since 1.0.0
 * @category options
 */
export interface Settings extends Omit<ApnsPool.Resolved, "endpoint" | "credentials" | "proxy"> {
  /** `"production"` (default), `"development"`, `"https://host[:port]"`, or an `Endpoint`. */
  readonly endpoint?: Endpoint.Endpoint | string | undefined
  /** The proxy to go through: its URL, a `Proxy`, or `"env"` for the one in the usual variables. Default: none. */
  readonly proxy?: Proxy.Proxy | string | undefined
}

/**
 * @since 1.0.0
 * @category options
 */
export type ClientOptions = Sender & Settings

/**
 * What can be aborted. The promise is then rejected with the signal's `reason`; what has not been sent yet is cancelled.
 *
 * @since 1.0.0
 * @category options
 */
export interface Abortable {
  readonly signal?: AbortSignal | undefined
}

/**
 * An invalid option of {@link createClient} or of a call; `field` names it and `message` says what to give.
 *
 * @since 1.0.0
 * @category errors
 */
export class InvalidOptions extends Schemas.taggedError<InvalidOptions>()("InvalidOptions", () => ({
  field: Schema.String,
  description: Schema.String,
  processed: Schema.Literal("no")
})) {
  override get message(): string {
    return `Invalid ${this.field}: ${this.description}`
  }
}

/**
 * What `createClient` is rejected with.
 *
 * @since 1.0.0
 * @category errors
 */
export type CreateError = InvalidOptions | ApnsPool.InvalidPoolOptions | Credentials.CredentialsError

/**
 * A notification, or an option of a call, that is refused before anything is sent; `message` names the field.
 *
 * @since 1.0.0
 * @category errors
 */
export type ParseError = ParseResult.ParseError & { readonly processed: "no" }

type WithProcessed<E> = E extends ParseResult.ParseError ? ParseError : E

/**
 * What `send` is rejected with. Each of them has `processed`: whether APNs can have processed the notification.
 *
 * @since 1.0.0
 * @category errors
 */
export type SendError = WithProcessed<Send.SendError>

/**
 * What `broadcast` is rejected with.
 *
 * @since 1.0.0
 * @category errors
 */
export type BroadcastError = WithProcessed<Broadcast.BroadcastError>

/**
 * What the methods of `channels` are rejected with.
 *
 * @since 1.0.0
 * @category errors
 */
export type ChannelsError =
  | WithProcessed<Channels.ChannelsError>
  | ApnsPool.InvalidPoolOptions
  | Credentials.CredentialsError

/**
 * What became of one notification of `sendAll`.
 *
 * @since 1.0.0
 * @category models
 */
export interface Outcome<out Token extends string = string> {
  readonly token: Token
  readonly result: Eithers.Either<Receipt.Receipt, SendError>
}

/**
 * What became of one item of `sendEach`.
 *
 * @since 1.0.0
 * @category models
 */
export interface ItemOutcome<out Item extends { readonly token: string }> extends Outcome<Item["token"]> {
  readonly item: Item
}

/**
 * Channel management by promises: see `Channels`.
 *
 * @since 1.0.0
 * @category models
 */
export interface ChannelsClient {
  /** Makes a channel. */
  readonly create: (options: Channels.CreateOptions & Abortable) => Promise<Channels.Created>
  /** What APNs knows of a channel. */
  readonly read: (options: Channels.ChannelOptions & Abortable) => Promise<Channels.Found>
  /** All channels of an app. */
  readonly list: (options?: Channels.RequestOptions & Abortable) => Promise<Channels.Listed>
  /** Deletes a channel. */
  readonly delete: (options: Channels.ChannelOptions & Abortable) => Promise<Channels.Answer>
}

/**
 * @since 1.0.0
 * @category models
 */
export interface Client {
  /** Sends one notification, and resolves when APNs has accepted it. */
  readonly send: <const N extends Notifications.Notification>(
    options: Send.SendOptions<N> & Abortable
  ) => Promise<Receipt.Receipt>

  /**
   * Sends one notification to many devices. Outcomes come as they arrive, one for each token; a failure is the `Left` of
   * its outcome and never ends the loop. No more tokens are read than can be in progress (`concurrency`), and leaving the
   * loop cancels those.
   */
  readonly sendAll: <Token extends string, const N extends Notifications.Notification>(
    tokens: Iterable<Token> | AsyncIterable<Token>,
    options: SendAll.BulkOptions<N> & Abortable
  ) => AsyncIterableIterator<Outcome<Token>>

  /** {@link Client.sendAll} with a notification for each device. */
  readonly sendEach: <Item extends Send.SendOptions>(
    items: Iterable<Item> | AsyncIterable<Item>,
    options?: SendAll.Concurrency & Abortable
  ) => AsyncIterableIterator<ItemOutcome<Item>>

  /** Sends one broadcast to a channel, and resolves when APNs has accepted it. */
  readonly broadcast: (options: Broadcast.Options & Abortable) => Promise<Broadcast.Receipt>

  /** Channel management, over its own connection, which is opened when it is first used. */
  readonly channels: ChannelsClient

  /** What the pool is doing. */
  readonly stats: () => Promise<ApnsPool.Stats>

  /** Waits for outcomes, up to `drainTimeout`, and closes every connection. What is sent later is rejected with `Closed`. */
  readonly close: () => Promise<void>

  /** {@link Client.close}, for `await using`. */
  readonly [Symbol.asyncDispose]: () => Promise<void>
}

const invalid = (field: string, description: string): InvalidOptions =>
  new InvalidOptions({ field, description, processed: "no" })

const secret = (text: string | undefined): Redacted.Redacted<string> | undefined =>
  text === undefined ? undefined : Redacted.make(text)

const senders = ["keyFile", "key", "certFile", "cert", "pkcs12File", "pkcs12", "credentials"]

/** Bytes of any realm: those of a test runner have another class. */
const isBytes = (input: unknown): input is Uint8Array => ArrayBuffer.isView(input) && "subarray" in input

const textOf = (content: string | Uint8Array): string =>
  typeof content === "string" ? content : new TextDecoder().decode(content)

const checkText = (
  options: object,
  names: ReadonlyArray<string>,
  optional: boolean
): Eithers.Either<void, InvalidOptions> => {
  for (const name of names) {
    const value: unknown = Reflect.get(options, name)
    if (typeof value !== "string" && !(optional && value === undefined)) {
      return Eithers.left(invalid(name, "give a string"))
    }
  }
  return Eithers.void
}

const credentialsOf = (
  options: Sender
): Effect.Effect<Credentials.Credentials, InvalidOptions | Credentials.CredentialsError, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const given = senders.filter((name) => Reflect.get(options, name) !== undefined)
    if (given.length !== 1) {
      return yield* invalid(
        given.join(" and ") || "credentials",
        `say who is sending by exactly one of ${senders.join(", ")}`
      )
    }
    yield* checkText(options, ["passphrase", "certKey", "certKeyFile"], true)
    if ("credentials" in options) {
      return Credentials.isCredentials(options.credentials)
        ? options.credentials
        : yield* invalid("credentials", "give what Credentials.token, certificate or pkcs12 has made")
    }
    const passphrase = secret(options.passphrase)
    if ("keyFile" in options) {
      yield* checkText(options, ["keyFile", "keyId", "teamId"], false)
      const { keyFile, keyId, teamId } = options
      return yield* Credentials.token({ keyFile, keyId, teamId, passphrase })
    }
    if ("key" in options) {
      yield* checkText(options, ["keyId", "teamId"], false)
      const { key, keyId, teamId } = options
      if (typeof key !== "string" && !isBytes(key)) {
        return yield* invalid("key", "give the content of the .p8 file, as a string or as bytes")
      }
      return yield* Credentials.token({ key: Redacted.make(textOf(key)), keyId, teamId, passphrase })
    }
    if ("certFile" in options) {
      yield* checkText(options, ["certFile"], false)
      return yield* Credentials.certificate({ certFile: options.certFile, keyFile: options.certKeyFile, passphrase })
    }
    if ("cert" in options) {
      yield* checkText(options, ["cert"], false)
      return yield* Credentials.certificate({ cert: options.cert, key: secret(options.certKey), passphrase })
    }
    if ("pkcs12File" in options) {
      yield* checkText(options, ["pkcs12File"], false)
      return yield* Credentials.pkcs12({ file: options.pkcs12File, passphrase })
    }
    return isBytes(options.pkcs12)
      ? yield* Credentials.pkcs12({ data: options.pkcs12, passphrase })
      : yield* invalid("pkcs12", "give the bytes of the .p12 file")
  })

const endpointOf = (given: unknown): Eithers.Either<Endpoint.Endpoint, InvalidOptions> =>
  given === undefined
    ? Eithers.right(Endpoint.production)
    : Endpoint.isEndpoint(given)
    ? Eithers.right(given)
    : typeof given === "string"
    ? Eithers.mapLeft(Endpoint.parse(given), ({ message }) => invalid("endpoint", message))
    : Eithers.left(invalid("endpoint", "give \"production\", \"development\", \"https://host[:port]\" or an Endpoint"))

const proxyOf = (given: unknown): Eithers.Either<Proxy.Proxy | "env" | undefined, InvalidOptions> =>
  given === undefined || given === "env" || Proxy.isProxy(given)
    ? Eithers.right(given)
    : typeof given === "string"
    ? Eithers.mapLeft(Proxy.make(given), ({ message }) => invalid("proxy", message))
    : Eithers.left(invalid("proxy", "give the URL of the proxy, a Proxy, or \"env\""))

const resolve = (
  options: ClientOptions
): Effect.Effect<ApnsPool.Resolved, InvalidOptions | Credentials.CredentialsError, FileSystem.FileSystem> =>
  Effect.suspend(() =>
    Effect.gen(function*() {
      if (!Predicate.isObject(options)) return yield* invalid("options", "give an object with the options")
      return {
        ...options,
        endpoint: yield* endpointOf(options.endpoint),
        proxy: yield* proxyOf(options.proxy),
        credentials: yield* credentialsOf(options)
      }
    })
  )

function* each<A>(items: Iterable<A>): Generator<A, void, undefined> {
  yield* items
}

const streamOf = <A>(items: Iterable<A> | AsyncIterable<A>): Stream.Stream<A, failures.Thrown | InvalidOptions> => {
  try {
    return itemsOf(items)
  } catch (thrown) {
    return Stream.fail(invalid("tokens", `they cannot be read: ${Printable.thrown(thrown)}`))
  }
}

const itemsOf = <A>(items: Iterable<A> | AsyncIterable<A>): Stream.Stream<A, failures.Thrown | InvalidOptions> => {
  if (Predicate.isObject(items) && Symbol.asyncIterator in items) {
    return Stream.fromAsyncIterable(items, (cause) => new failures.Thrown(cause))
  }
  // a string is an iterable too, but its characters are not tokens
  return Predicate.isObject(items) && Symbol.iterator in items
    ? Stream.suspend(() => Stream.fromIteratorSucceed(each(items), 256))
    : Stream.fail(invalid("tokens", "give an iterable or an async iterable, such as an array"))
}

/** A getter of the caller's options has thrown. */
const unreadable = (defect: unknown): Effect.Effect<never, InvalidOptions> =>
  Effect.fail(invalid("options", `they cannot be read: ${Printable.thrown(defect)}`))

type Runtime<R> = ManagedRuntime.ManagedRuntime<R, CreateError>

/** Runs an effect for a caller; a rejection has the stack of that caller. */
const run = async <A, E, R>(
  runtime: Runtime<R>,
  effect: Effect.Effect<A, E, R>,
  signal: AbortSignal | undefined,
  caller: failures.Caller
): Promise<A> => {
  if (signal?.aborted === true) throw signal.reason
  const exit = await runtime.runPromiseExit(effect, signal === undefined ? undefined : { signal })
  if (Exit.isSuccess(exit)) return exit.value
  throw failures.of(exit.cause, signal, caller)
}

/** Recognized by its methods: a signal of another realm, such as a test runner's, works too. */
const isSignal = (input: unknown): input is AbortSignal =>
  Predicate.hasProperty(input, "aborted") && Predicate.hasProperty(input, "addEventListener")

const signalOf = (options: unknown): AbortSignal | undefined => {
  try {
    const signal: unknown = Predicate.isObject(options) && "signal" in options ? options.signal : undefined
    return isSignal(signal) ? signal : undefined
  } catch {
    // options that throw when they are read are refused where they are checked
    return undefined
  }
}

/** The errors for a refused notification, of which nothing was sent. */
const told = (result: Eithers.Either<Receipt.Receipt, Send.SendError>): Eithers.Either<Receipt.Receipt, SendError> =>
  Eithers.mapLeft(result, (error) => ParseResult.isParseError(error) ? failures.unsent(error) : error)

/** The outcomes in chunks; leaving the loop closes the stream. */
async function* iterate<A, B, E>(
  runtime: Runtime<ApnsPool.ApnsPool>,
  stream: () => Stream.Stream<A, E, ApnsPool.ApnsPool>,
  tell: (outcome: A) => B,
  signal: AbortSignal | undefined,
  caller: failures.Caller
): AsyncGenerator<B, void, undefined> {
  const scope = Effect.runSync(Scope.make())
  try {
    const pull = await run(runtime, Scope.extend(Stream.toPull(Stream.suspend(stream)), scope), signal, caller)
    for (;;) {
      const chunk = await run(
        runtime,
        Effect.catchAll(pull, Option.match({ onNone: () => Effect.succeed(Chunk.empty<A>()), onSome: Effect.fail })),
        signal,
        caller
      )
      if (Chunk.isEmpty(chunk)) return
      for (const outcome of chunk) yield tell(outcome)
    }
  } finally {
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

const closed = (): Failure.PoolError => Failure.toError(Failure.closed("no", { _tag: "ScopeClosed" }), 0)

/**
 * A client with a pool of connections. The promise is rejected where the options or the credentials are not valid; connections are
 * opened in the background, and what is sent waits for them.
 *
 * Close it when you no longer need it: until then its connections keep the process running.
 *
 * @since 1.0.0
 * @category constructors
 */
export const createClient = async (options: ClientOptions): Promise<Client> => {
  const caller = failures.callerOf(createClient)
  const resolved = await Effect.runPromiseExit(
    Effect.catchAllDefect(Effect.provide(resolve(options), files.layer), unreadable)
  )
  if (Exit.isFailure(resolved)) throw failures.of(resolved.cause, undefined, caller)
  const settings = resolved.value
  const runtime: Runtime<ApnsPool.ApnsPool> = ManagedRuntime.make(ApnsPool.layer(settings))
  try {
    await run(runtime, Effect.void, undefined, caller)
  } catch (error) {
    await runtime.dispose()
    throw error
  }
  let management: Runtime<Channels.Channels> | undefined
  let closing: Promise<void> | undefined

  const call = <A, E>(
    effect: () => Effect.Effect<A, E, ApnsPool.ApnsPool>,
    given: unknown,
    caller: failures.Caller
  ): Promise<A> =>
    // a disposed runtime would fail with a defect, not with a typed error
    closing === undefined
      ? run(runtime, Effect.suspend(effect), signalOf(given), caller)
      : Promise.reject(failures.withCaller(closed(), caller))

  const manage = <A, E>(
    ask: (channels: Channels.Channels) => Effect.Effect<A, E>,
    given: unknown,
    caller: failures.Caller
  ): Promise<A> => {
    if (closing !== undefined) return Promise.reject(failures.withCaller(closed(), caller))
    const { topic, ...rest } = settings
    management ??= ManagedRuntime.make(Channels.layer({ ...rest, size: 1, bundleId: topic }))
    return run(management, Effect.flatMap(Channels.Channels, ask), signalOf(given), caller)
  }

  const client: Client = {
    send: (options) => call(() => send(options), options, failures.callerOf(client.send)),
    sendAll: (tokens, options) =>
      iterate(
        runtime,
        () => sendAll(streamOf(tokens), options),
        ({ result, token }) => ({ token, result: told(result) }),
        signalOf(options),
        failures.callerOf(client.sendAll)
      ),
    sendEach: (items, options = {}) =>
      iterate(
        runtime,
        () => sendEach(streamOf(items), options),
        ({ item, result, token }) => ({ item, token, result: told(result) }),
        signalOf(options),
        failures.callerOf(client.sendEach)
      ),
    broadcast: (options) => call(() => Broadcast.send(options), options, failures.callerOf(client.broadcast)),
    channels: {
      create: (options) => manage(({ create }) => create(options), options, failures.callerOf(client.channels.create)),
      read: (options) => manage(({ read }) => read(options), options, failures.callerOf(client.channels.read)),
      list: (options) => manage(({ list }) => list(options), options, failures.callerOf(client.channels.list)),
      delete: (options) =>
        manage((channels) => channels.delete(options), options, failures.callerOf(client.channels.delete))
    },
    stats: () =>
      call(() => Effect.flatMap(ApnsPool.ApnsPool, ({ stats }) => stats), undefined, failures.callerOf(client.stats)),
    close: () => closing ??= Promise.all([runtime.dispose(), management?.dispose()]).then(() => undefined),
    [Symbol.asyncDispose]: () => client.close()
  }
  return client
}
