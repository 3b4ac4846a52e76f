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
import * as Encoding from "effect/Encoding"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as aborts from "./internal/aborts.js"
import * as failures from "./internal/failures.js"
import * as files from "./internal/files.js"
import * as sources from "./internal/source.js"

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
 * credentials that were made before. An empty text counts as not given, as empty variables of the environment do.
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
    readonly cert: string | Uint8Array
    /** The private key as PEM. Default: the key in `cert`. */
    readonly certKey?: string | Uint8Array | undefined
    readonly passphrase?: string | undefined
  }
  | {
    /** The path of the `.p12` or `.pfx` file. */
    readonly pkcs12File: string
    readonly passphrase?: string | undefined
  }
  | {
    /** The content of a `.p12` or `.pfx` file: its bytes, or base64 of them. */
    readonly pkcs12: string | Uint8Array
    readonly passphrase?: string | undefined
  }
  | { readonly credentials: Credentials.Credentials }

/**
 * Everything else that {@link createClient} takes; what is left out is as in `ApnsPool`.
 *
 * @since 1.0.0
 * @category options
 */
export interface Settings extends Omit<ApnsPool.Resolved, "endpoint" | "credentials" | "proxy" | "ca"> {
  /** `"production"` (default), `"development"`, `"https://host[:port]"`, or an `Endpoint`. */
  readonly endpoint?: Endpoint.Endpoint | string | undefined
  /** The proxy to go through: its URL, a `Proxy`, or `"env"` for the one in the usual variables. Default: none. */
  readonly proxy?: Proxy.Proxy | string | undefined
  /** The authorities to trust, as PEM: text, the content of a file, or several of these. Default: those of Node. */
  readonly ca?: string | Uint8Array | ReadonlyArray<string | Uint8Array> | undefined
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
   * its outcome and never ends the loop. About as many tokens are read as can be in progress (`concurrency`), and leaving
   * the loop cancels those and closes the iterator of the tokens.
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

  /**
   * Waits for outcomes, up to `drainTimeout`, and closes every connection. What is sent later is rejected with `Closed`;
   * so is a loop over `sendAll` or `sendEach`, after the outcomes of the tokens that it had read.
   */
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

const isContent = (input: unknown): input is string | Uint8Array => typeof input === "string" || isBytes(input)

/** Control characters at the beginning, as DER and UTF-16 have, and text has not. */
const isBinary = (bytes: Uint8Array): boolean => bytes.subarray(0, 16).some((byte) => byte < 9)

/** What is no text as base64, which is read wherever PEM is. */
const textOf = (content: string | Uint8Array): string =>
  typeof content === "string"
    ? content
    : isBinary(content)
    ? Encoding.encodeBase64(content)
    : new TextDecoder().decode(content)

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

/** An option with the content of a file. */
const contentOf = (name: string, content: unknown, what: string): Eithers.Either<string, InvalidOptions> =>
  isContent(content)
    ? Eithers.right(textOf(content))
    : Eithers.left(invalid(name, `give ${what}, as a string or as bytes`))

/** The options of every kind of sender: which one is given is found by their values, since others may be `undefined`. */
interface Given {
  readonly keyFile?: string | undefined
  readonly key?: unknown
  readonly keyId?: string | undefined
  readonly teamId?: string | undefined
  readonly certFile?: string | undefined
  readonly certKeyFile?: string | undefined
  readonly cert?: unknown
  readonly certKey?: unknown
  readonly pkcs12File?: string | undefined
  readonly pkcs12?: unknown
  readonly passphrase?: string | undefined
  readonly credentials?: Credentials.Credentials | undefined
}

const isNothing = (value: unknown): boolean => value === undefined || value === ""

const credentialsOf = (
  options: Given
): Effect.Effect<Credentials.Credentials, InvalidOptions | Credentials.CredentialsError, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const given = senders.filter((name) => !isNothing(Reflect.get(options, name)))
    if (given.length !== 1) {
      return yield* invalid(
        given.join(" and ") || "credentials",
        `say who is sending by exactly one of ${senders.join(", ")}`
      )
    }
    yield* checkText(options, ["passphrase", "certKeyFile"], true)
    const {
      cert,
      certFile = "",
      certKey,
      credentials,
      key,
      keyFile = "",
      keyId = "",
      pkcs12,
      pkcs12File = "",
      teamId = ""
    } = options
    const certKeyFile = options.certKeyFile === "" ? undefined : options.certKeyFile
    const passphrase = secret(options.passphrase)
    switch (given[0]) {
      case "credentials":
        return Credentials.isCredentials(credentials)
          ? credentials
          : yield* invalid("credentials", "give what Credentials.token, certificate or pkcs12 has made")
      case "keyFile":
        yield* checkText(options, ["keyFile", "keyId", "teamId"], false)
        return yield* Credentials.token({ keyFile, keyId, teamId, passphrase })
      case "key": {
        yield* checkText(options, ["keyId", "teamId"], false)
        const text = yield* contentOf("key", key, "the content of the .p8 file")
        return yield* Credentials.token({ key: Redacted.make(text), keyId, teamId, passphrase })
      }
      case "certFile":
        yield* checkText(options, ["certFile"], false)
        return yield* Credentials.certificate({ certFile, keyFile: certKeyFile, passphrase })
      case "cert": {
        const text = yield* contentOf("cert", cert, "the content of the certificate's file")
        const keyText = isNothing(certKey)
          ? undefined
          : yield* contentOf("certKey", certKey, "the content of the key's file")
        return yield* Credentials.certificate({ cert: text, key: secret(keyText), passphrase })
      }
      case "pkcs12File":
        yield* checkText(options, ["pkcs12File"], false)
        return yield* Credentials.pkcs12({ file: pkcs12File, passphrase })
      default:
        if (isBytes(pkcs12)) return yield* Credentials.pkcs12({ data: pkcs12, passphrase })
        if (typeof pkcs12 !== "string") {
          return yield* invalid("pkcs12", "give the bytes of the .p12 file, or base64 of them")
        }
        return yield* Effect.catchIf(
          Credentials.pkcs12({ data: Redacted.make(pkcs12), passphrase }),
          ({ reason }) => reason === "NotPkcs12",
          ({ message }) => invalid("pkcs12", message)
        )
    }
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
  given === ""
    ? Eithers.right(undefined)
    : given === undefined || given === "env" || Proxy.isProxy(given)
    ? Eithers.right(given)
    : typeof given === "string"
    ? Eithers.mapLeft(Proxy.make(given), ({ message }) => invalid("proxy", message))
    : Eithers.left(invalid("proxy", "give the URL of the proxy, a Proxy, or \"env\""))

const authoritiesOf = (given: unknown): Eithers.Either<ReadonlyArray<string> | undefined, InvalidOptions> => {
  if (isNothing(given)) return Eithers.right(undefined)
  const several: ReadonlyArray<unknown> = Array.isArray(given) ? given : [given]
  return Eithers.all(several.map((one) => contentOf("ca", one, "the certificates of authorities as PEM")))
}

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
        ca: yield* authoritiesOf(options.ca),
        credentials: yield* credentialsOf(options)
      }
    })
  )

/** Items are read from an iterable in pieces, so that each costs little: of at most this size ... */
const mostRead = 256
/** ... and of this part of what can be under way. */
const readAtOnce = (concurrency: unknown): number =>
  Predicate.isNumber(concurrency) && concurrency >= 1
    ? Math.max(1, Math.min(mostRead, Math.floor(concurrency / 16)))
    : mostRead

const streamOf = <A>(
  items: Iterable<A> | AsyncIterable<A>,
  concurrency: unknown,
  stop: sources.Stop<Failure.PoolError>,
  closing: sources.Closing
): Stream.Stream<A, failures.Thrown | InvalidOptions | Failure.PoolError> => {
  try {
    if (Predicate.isObject(items) && Symbol.asyncIterator in items) {
      return sources.fromAsyncIterable(items, stop, closing)
    }
    // a string is an iterable too, but its characters are not tokens
    return Predicate.isObject(items) && Symbol.iterator in items
      ? sources.fromIterable(items, readAtOnce(concurrency), stop, closing)
      : Stream.fail(invalid("tokens", "give an iterable or an async iterable, such as an array"))
  } catch (thrown) {
    return Stream.fail(invalid("tokens", `they cannot be read: ${Printable.thrown(thrown)}`))
  }
}

/** A getter of the caller's options has thrown. */
const unreadable = (defect: unknown): Effect.Effect<never, InvalidOptions> =>
  Effect.fail(invalid("options", `they cannot be read: ${Printable.thrown(defect)}`))

/** What runs effects: a ManagedRuntime, or the Runtime that it has made. */
interface Runner<in R> {
  readonly runFork: <A, E>(effect: Effect.Effect<A, E, R>) => Fiber.RuntimeFiber<A, E | CreateError>
  readonly runPromiseExit: <A, E>(effect: Effect.Effect<A, E, R>) => Promise<Exit.Exit<A, E | CreateError>>
}

const runnerOf = <R>(runtime: Runtime.Runtime<R>): Runner<R> => ({
  runFork: Runtime.runFork(runtime),
  runPromiseExit: Runtime.runPromiseExit(runtime)
})

const aborted = (signals: ReadonlyArray<AbortSignal>): AbortSignal | undefined =>
  signals.find((signal) => signal.aborted)

const runUntil = <A, E, R>(
  runner: Runner<R>,
  effect: Effect.Effect<A, E, R>,
  signals: ReadonlyArray<AbortSignal>
): Promise<Exit.Exit<A, E | CreateError>> =>
  new Promise((resolve) => {
    const fiber = runner.runFork(effect)
    const forget = signals.map((signal) => aborts.listen(signal, () => fiber.unsafeInterruptAsFork(FiberId.none)))
    fiber.addObserver((exit) => {
      for (const each of forget) each()
      resolve(exit)
    })
  })

/** Runs an effect for a caller, until one of the signals is aborted; a rejection has the stack of that caller. */
const run = async <A, E, R>(
  runner: Runner<R>,
  effect: Effect.Effect<A, E, R>,
  signals: ReadonlyArray<AbortSignal>,
  caller: failures.Caller
): Promise<A> => {
  const before = aborted(signals)
  if (before !== undefined) throw before.reason
  const exit = signals.length === 0
    ? await runner.runPromiseExit(effect)
    : await runUntil(runner, effect, signals)
  if (Exit.isSuccess(exit)) return exit.value
  throw failures.of(exit.cause, aborted(signals), caller)
}

const noSignals: ReadonlyArray<AbortSignal> = []

/** Recognized by its methods: a signal of another realm, such as a test runner's, works too. */
const isSignal = (input: unknown): input is AbortSignal =>
  Predicate.hasProperty(input, "aborted") && Predicate.hasProperty(input, "addEventListener")

/** The signal of a call, as `fetch` takes it: `null` is none. `undefined`: it is no signal, and could never be aborted. */
const signalsOf = (options: unknown): ReadonlyArray<AbortSignal> | undefined => {
  try {
    const signal: unknown = Predicate.isObject(options) && "signal" in options ? options.signal : undefined
    return signal === undefined || signal === null ? noSignals : isSignal(signal) ? [signal] : undefined
  } catch {
    // options that throw when they are read are refused where they are checked
    return noSignals
  }
}

const noSignal = "give an AbortSignal, such as the `signal` of an AbortController"

/** The error for an option `signal` that is no signal. */
const signalError = (): ParseError =>
  failures.unsent(ParseResult.parseError(
    new ParseResult.Pointer("signal", undefined, new ParseResult.Type(Schema.Unknown.ast, undefined, noSignal))
  ))

/** The errors for a refused notification, of which nothing was sent. */
const told = (result: Eithers.Either<Receipt.Receipt, Send.SendError>): Eithers.Either<Receipt.Receipt, SendError> =>
  Eithers.mapLeft(result, (error) => ParseResult.isParseError(error) ? failures.unsent(error) : error)

/** What all calls of a client need. */
interface Open {
  readonly runner: Runner<ApnsPool.ApnsPool>
  /** Is aborted when the client is closed. */
  readonly closing: AbortSignal
}

/** Why a loop ends that is left while the next outcome is waited for. */
const left = Symbol("left")

/** The outcomes in chunks; leaving the loop closes the stream. */
async function* outcomes<A, B, E>(
  { closing, runner }: Open,
  stream: (source: sources.Closing) => Stream.Stream<A, E, ApnsPool.ApnsPool>,
  tell: (outcome: A) => B,
  options: unknown,
  leave: AbortSignal,
  caller: failures.Caller
): AsyncGenerator<B, void, undefined> {
  if (closing.aborted) throw failures.withCaller(closed(), caller)
  const given = signalsOf(options)
  if (given === undefined) throw failures.withCaller(invalid("signal", noSignal), caller)
  const signals = [...given, leave]
  const scope = Effect.runSync(Scope.make())
  const source = new sources.Closing()
  // a signal has its listener as long as the loop, and not anew for each chunk
  const forget = signals.map((signal) => aborts.listen(signal, () => {}))
  let isFailing = false
  try {
    const opened = Stream.toPull(Stream.suspend(() => stream(source)))
    const pull = await run(runner, Scope.extend(opened, scope), signals, caller)
    for (;;) {
      const chunk = await run(
        runner,
        Effect.catchAll(pull, Option.match({ onNone: () => Effect.succeed(Chunk.empty<A>()), onSome: Effect.fail })),
        signals,
        caller
      )
      if (Chunk.isEmpty(chunk)) return
      for (const outcome of chunk) yield tell(outcome)
    }
  } catch (error) {
    isFailing = true
    if (error !== left) throw error
  } finally {
    for (const each of forget) each()
    await close(scope, isFailing ? undefined : source)
  }
}

/** Is rejected with what the caller's iterator threw when it was closed, unless the loop has failed already. */
const close = async (scope: Scope.CloseableScope, source: sources.Closing | undefined): Promise<void> => {
  await Effect.runPromise(Scope.close(scope, Exit.void))
  if (source?.thrown !== undefined) throw source.thrown.value
}

/** {@link outcomes} that can also be left while the next one is waited for: a generator would wait for it first. */
const iterate = <A, B, E>(
  open: Open,
  stream: (source: sources.Closing) => Stream.Stream<A, E, ApnsPool.ApnsPool>,
  tell: (outcome: A) => B,
  options: unknown,
  caller: failures.Caller
): AsyncIterableIterator<B> => {
  const leave = new AbortController()
  const generator = outcomes(open, stream, tell, options, leave.signal, caller)
  const iterator: AsyncIterableIterator<B> = {
    next: () => generator.next(),
    return: () => {
      leave.abort(left)
      return generator.return()
    },
    throw: (error) => {
      leave.abort(left)
      return generator.throw(error)
    },
    [Symbol.asyncIterator]: () => iterator
  }
  return iterator
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
  const runtime = ManagedRuntime.make(ApnsPool.layer(settings))
  let runner: Runner<ApnsPool.ApnsPool>
  try {
    // this is used after the end, too: then the pool answers with typed errors, and the ManagedRuntime with a defect
    runner = runnerOf(await run(runtime, runtime.runtimeEffect, noSignals, caller))
  } catch (error) {
    await runtime.dispose()
    throw error
  }
  let management: ManagedRuntime.ManagedRuntime<Channels.Channels, CreateError> | undefined
  const ending = new AbortController()
  let closing: Promise<void> | undefined
  const open: Open = { runner, closing: ending.signal }
  const ended = new AbortController()
  const stop: sources.Stop<Failure.PoolError> = { signal: ending.signal, giveUp: ended.signal, error: closed }

  const start = <A, E, R>(
    runner: () => Runner<R>,
    effect: Effect.Effect<A, E, R>,
    given: unknown,
    caller: failures.Caller
  ): Promise<A> => {
    if (closing !== undefined) return Promise.reject(failures.withCaller(closed(), caller))
    const signals = signalsOf(given)
    return signals === undefined
      ? Promise.reject(failures.withCaller(signalError(), caller))
      : run(runner(), effect, signals, caller)
  }

  const call = <A, E>(
    effect: () => Effect.Effect<A, E, ApnsPool.ApnsPool>,
    given: unknown,
    caller: failures.Caller
  ): Promise<A> => start(() => runner, Effect.suspend(effect), given, caller)

  const manage = <A, E>(
    ask: (channels: Channels.Channels) => Effect.Effect<A, E>,
    given: unknown,
    caller: failures.Caller
  ): Promise<A> =>
    start(
      () => {
        const { topic, ...rest } = settings
        management ??= ManagedRuntime.make(Channels.layer({ ...rest, size: 1, bundleId: topic }))
        return management
      },
      Effect.flatMap(Channels.Channels, ask),
      given,
      caller
    )

  const concurrencyOf = (options: unknown): unknown => {
    try {
      return Predicate.hasProperty(options, "concurrency") ? options.concurrency : undefined
    } catch {
      return undefined
    }
  }

  const client: Client = {
    send: (options) => call(() => send(options), options, failures.callerOf(client.send)),
    sendAll: (tokens, options) =>
      iterate(
        open,
        (source) => sendAll(streamOf(tokens, concurrencyOf(options), stop, source), options),
        ({ result, token }) => ({ token, result: told(result) }),
        options,
        failures.callerOf(client.sendAll)
      ),
    sendEach: (items, options = {}) =>
      iterate(
        open,
        (source) => sendEach(streamOf(items, concurrencyOf(options), stop, source), options),
        ({ item, result, token }) => ({ item, token, result: told(result) }),
        options,
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
    close: () => {
      closing ??= Promise.all([runtime.dispose(), management?.dispose()]).then(() => ended.abort())
      ending.abort()
      return closing
    },
    [Symbol.asyncDispose]: () => client.close()
  }
  return client
}
