/**
 * Sending to many devices: a `Stream` in, a `Stream` of outcomes out.
 *
 * Everything runs per chunk: a notification costs no fiber and no effect of its own. There is back-pressure on both sides: no more
 * than `concurrency` notifications are in progress or waiting to be pulled at any time, so memory does not grow with the
 * number of tokens.
 *
 * @example
 * ```ts
 * import { Notification } from "@effect-apns/models"
 * import { sendAll } from "@effect-apns/pool"
 * import { Console, Either, Stream } from "effect"
 *
 * declare const tokens: Stream.Stream<string>
 *
 * const outcomes = sendAll(tokens, {
 *   topic: "com.example.app",
 *   notification: Notification.alert({ alert: "We are back" }),
 *   concurrency: 4000
 * })
 * const program = Stream.runForEach(outcomes, ({ result, token }) =>
 *   Either.isRight(result) ? Console.log(token, result.right.apnsId) : Console.log(token, result.left.message))
 * ```
 *
 * @since 0.1.0
 */
import type { Failure } from "@effect-apns/core"
import { peek } from "@effect-apns/core/unstable/Connection"
import type { RequestSpec } from "@effect-apns/core/unstable/RequestSpec"
import type { Notification } from "@effect-apns/models"
import type * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { dual } from "effect/Function"
import type * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"
import * as ApnsPool from "./ApnsPool.js"
import { log } from "./internal/effects.js"
import { Lane } from "./internal/waiting.js"
import type { Receipt } from "./Receipt.js"
import * as Receipts from "./Receipt.js"
import type { SendError, SendOptions } from "./Send.js"
import * as Send from "./Send.js"
import * as Tracing from "./Tracing.js"
import type { Unsafe } from "./unstable/ApnsPool.js"
import { Delivery } from "./unstable/Delivery.js"

/**
 * What became of one notification.
 *
 * @since 0.1.0
 * @category models
 */
export interface Outcome<out Token extends string = string> {
  readonly token: Token
  readonly result: Either.Either<Receipt, SendError>
}

/**
 * What became of one item of {@link sendEach}. `item` is the very object that came in, so whatever else it carries, such
 * as its place in a file, is available: the token alone does not distinguish two notifications to one device.
 *
 * @since 0.1.0
 * @category models
 */
export interface ItemOutcome<out Item extends SendOptions = SendOptions> extends Outcome<Item["token"]> {
  readonly item: Item
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Concurrency {
  /** Notifications in progress or waiting to be pulled at any time. Default 4000. */
  readonly concurrency?: number | undefined
}

/**
 * What to send to many devices.
 *
 * @since 0.1.0
 * @category models
 */
export interface BulkOptions<N extends Notification.Notification = Notification.Notification>
  extends Omit<SendOptions<N>, "token">, Concurrency
{}

const defaultConcurrency = 4000

/** One notification of a bulk, with its index among those in flight. */
class Part<In, Out> extends Delivery {
  index = 0

  constructor(token: string, spec: RequestSpec, public item: In, private readonly bulk: Bulk<In, Out, unknown>) {
    super(token, spec)
    this.lane = bulk.lane
  }

  onAnswered(nowMillis: number): void {
    if (this.status !== 200) return this.bulk.settled(this, Either.left(Send.errorOfAnswer(this)), nowMillis)
    this.bulk.settled(this, Either.right(Receipts.fromStream(this, this.attempts)), nowMillis)
    if (this.attempts === 1) this.bulk.recycle(this)
  }

  onFailed(failure: Failure.PoolFailure): void {
    this.bulk.settled(this, Either.left(Send.errorOfFailure(failure, this.attempts)))
  }
}

interface Source<in In, out Out> {
  readonly tokenOf: (item: In) => string
  readonly specOf: (item: In) => Either.Either<RequestSpec, SendError>
  readonly outcomeOf: (item: In, token: string, result: Either.Either<Receipt, SendError>) => Out
}

class Bulk<In, Out, E> {
  /** Takes turns with other bulks, and with those who send one at a time. */
  readonly lane = new Lane()
  private readonly underWay: Array<Part<In, Out>> = []
  private readonly idle: Array<Part<In, Out>> = []
  private outcomes: Array<Out> = []
  private input: ReadonlyArray<In> = []
  private position = 0
  private end: Cause.Cause<Option.Option<E>> | undefined = undefined
  private submitting = false
  private onOutcome: (() => void) | undefined = undefined
  private onHungry: (() => void) | undefined = undefined

  constructor(
    private readonly pool: Unsafe,
    private readonly source: Source<In, Out>,
    private readonly concurrency: number
  ) {}

  /** Sends as much of the input as the limit allows. */
  private refill(nowMillis?: number): void {
    // an outcome that comes while submitting must not call this again from inside
    if (this.submitting) return
    this.submitting = true
    const { concurrency, input, outcomes, source, underWay } = this
    while (this.position < input.length && underWay.length + outcomes.length < concurrency) {
      const item = input[this.position++] as In
      let token = ""
      let spec: Either.Either<RequestSpec, SendError>
      try {
        token = source.tokenOf(item)
        const invalid = Send.tokenError(token)
        spec = invalid === undefined ? source.specOf(item) : Either.left(invalid)
      } catch {
        // getters are the caller's code and may throw, and callers in JavaScript may pass any value
        spec = Either.left(Send.unreadable(item))
      }
      if (Either.isLeft(spec)) outcomes.push(source.outcomeOf(item, token, Either.left(spec.left)))
      else {
        const part = this.part(token, spec.right, item)
        part.index = underWay.length
        underWay.push(part)
        this.pool.submit(part, nowMillis)
      }
    }
    this.submitting = false
    if (this.outcomes.length > 0) this.onOutcome?.()
    if (this.position >= input.length) this.onHungry?.()
  }

  private part(token: string, spec: RequestSpec, item: In): Part<In, Out> {
    const part = this.idle.pop()
    if (part === undefined) return new Part(token, spec, item, this)
    part.reuse(token, spec)
    part.item = item
    return part
  }

  /** A part that was answered at its first attempt is forgotten by everybody else, and can carry another item. */
  recycle(part: Part<In, Out>): void {
    this.idle.push(part)
  }

  settled(part: Part<In, Out>, result: Either.Either<Receipt, SendError>, nowMillis?: number): void {
    const last = this.underWay.pop()
    if (last !== undefined && last !== part) {
      this.underWay[part.index] = last
      last.index = part.index
    }
    this.outcomes.push(this.source.outcomeOf(part.item, part.path, result))
    this.onOutcome?.()
    if (this.position < this.input.length) this.refill(nowMillis)
  }

  /** Takes one chunk after the other from upstream, each when the one before has been sent. */
  feed<R>(pull: Effect.Effect<Chunk.Chunk<In>, Option.Option<E>, R>): Effect.Effect<void, never, R> {
    const hungry = Effect.async<void>((resume) => {
      if (this.position >= this.input.length) resume(Effect.void)
      else {
        this.onHungry = () => {
          this.onHungry = undefined
          resume(Effect.void)
        }
      }
    })
    return pull.pipe(
      Effect.flatMap((chunk) => {
        this.input = Chunk.toReadonlyArray(chunk)
        this.position = 0
        this.refill()
        return hungry
      }),
      Effect.forever,
      Effect.catchAllCause((cause) =>
        Effect.sync(() => {
          this.end = cause
          this.onOutcome?.()
        })
      )
    )
  }

  /** All outcomes that have come since the last pull; waits for one where there is none. */
  readonly pull: Effect.Effect<Chunk.Chunk<Out>, Option.Option<E>> = Effect.suspend(() => {
    const { outcomes } = this
    if (outcomes.length > 0) {
      this.outcomes = []
      this.refill()
      return Effect.succeed(Chunk.unsafeFromArray(outcomes))
    }
    if (this.end !== undefined && this.underWay.length === 0) return Effect.failCause(this.end)
    return Effect.zipRight(
      Effect.async<void>((resume) => {
        this.onOutcome = () => {
          this.onOutcome = undefined
          resume(Effect.void)
        }
      }),
      this.pull
    )
  })

  cancel(): void {
    this.input = []
    for (const part of this.underWay.splice(0)) this.pool.cancel(part)
  }
}

/** A property of a value that may be anything; `null`, which is never an option, if it cannot be read. */
const read = (options: unknown, name: string): unknown => {
  try {
    return Predicate.hasProperty(options, name) ? options[name] : undefined
  } catch {
    return null
  }
}

/** Callers in JavaScript may pass any value: if it is not a number of notifications, the default is used and logged. */
const concurrencyOf = (options: unknown): Effect.Effect<number> =>
  Effect.suspend(() => {
    const given = read(options, "concurrency")
    if (given === undefined) return Effect.succeed(defaultConcurrency)
    if (Predicate.isNumber(given) && given >= 1) return Effect.succeed(Math.floor(given))
    return Effect.as(
      log(
        Effect.logWarning(`concurrency is a number, at least 1: ${defaultConcurrency} is taken`).pipe(
          Effect.annotateLogs({ package: "@effect-apns/pool", module: "SendAll" })
        )
      ),
      defaultConcurrency
    )
  })

/** A program without types may pass anything. */
const isStream = (input: unknown): boolean => peek(() => Predicate.hasProperty(input, Stream.StreamTypeId)) === true

const run = <In, Out, E, R>(
  items: Stream.Stream<In, E, R>,
  options: Concurrency,
  sourceOf: (pool: ApnsPool.ApnsPool) => Source<In, Out>
): Stream.Stream<Out, E, R | ApnsPool.ApnsPool> =>
  Stream.fromPull(
    Effect.gen(function*() {
      if (!isStream(items)) {
        return yield* Effect.die(
          new TypeError("What is to be sent is no Stream: give one, such as Stream.fromIterable(tokens)")
        )
      }
      const pool = yield* ApnsPool.ApnsPool
      const upstream = yield* Stream.toPull(items)
      const bulk = new Bulk<In, Out, E>(
        pool.unsafe,
        pool.spans ? yield* Tracing.bulk(pool, sourceOf(pool)) : sourceOf(pool),
        yield* concurrencyOf(options)
      )
      yield* Effect.addFinalizer(() => Effect.sync(() => bulk.cancel()))
      yield* Effect.forkScoped(bulk.feed(upstream))
      return bulk.pull
    })
  )

/** What a stream of tokens gives is a token, and what stands for the token of an unreadable item is taken for one. */
const isTokenOf = <Token extends string>(_token: string): _token is Token => true

const outcome = <Token extends string>(token: string, result: Either.Either<Receipt, SendError>): Outcome<Token> => {
  if (!isTokenOf<Token>(token)) throw new Error("every token is one")
  return { token, result }
}

/**
 * Sends one notification to many devices. The notification is validated and encoded once; outcomes come as they
 * arrive, exactly one for each token; a failure never ends the stream. Interrupting the stream cancels what is in
 * progress, as interrupting `send` does.
 *
 * @since 0.1.0
 * @category sending
 */
export const sendAll: {
  <const N extends Notification.Notification>(
    options: BulkOptions<N>
  ): <Token extends string, E, R>(
    tokens: Stream.Stream<Token, E, R>
  ) => Stream.Stream<Outcome<Token>, E, R | ApnsPool.ApnsPool>
  <Token extends string, E, R, const N extends Notification.Notification>(
    tokens: Stream.Stream<Token, E, R>,
    options: BulkOptions<N>
  ): Stream.Stream<Outcome<Token>, E, R | ApnsPool.ApnsPool>
} = dual(
  2,
  <Token extends string, E, R>(
    tokens: Stream.Stream<Token, E, R>,
    options: BulkOptions
  ): Stream.Stream<Outcome<Token>, E, R | ApnsPool.ApnsPool> =>
    run(tokens, options, (pool) => {
      const spec = Send.specOrRefusal(options, pool.topic)
      return {
        tokenOf: (token) => token,
        specOf: () => spec,
        outcomeOf: (token, _, result) => ({ token, result })
      }
    })
)

/**
 * {@link sendAll} with a notification for each device. Items that share a notification object and the other options
 * are validated and encoded once. An item that cannot be read at all, such as `null`, has the token `""` in its outcome.
 *
 * @since 0.1.0
 * @category sending
 */
export const sendEach: {
  (options?: Concurrency): <Item extends SendOptions, E, R>(
    items: Stream.Stream<Item, E, R>
  ) => Stream.Stream<ItemOutcome<Item>, E, R | ApnsPool.ApnsPool>
  <Item extends SendOptions, E, R>(
    items: Stream.Stream<Item, E, R>,
    options?: Concurrency
  ): Stream.Stream<ItemOutcome<Item>, E, R | ApnsPool.ApnsPool>
} = dual(
  // an array in place of the Stream is answered by a defect that says so
  (args) => args.length > 1 || isStream(args[0]) || Array.isArray(args[0]),
  <Item extends SendOptions, E, R>(
    items: Stream.Stream<Item, E, R>,
    options: Concurrency = {}
  ): Stream.Stream<ItemOutcome<Item>, E, R | ApnsPool.ApnsPool> =>
    run(items, options, (pool) => ({
      tokenOf: (item: Item) => {
        if (!Predicate.isObject(item)) throw new TypeError("an item is an object")
        return item.token
      },
      specOf: (item) => Send.specOf(item, pool.topic),
      outcomeOf: (item, token, result) => ({ item, ...outcome<Item["token"]>(token, result) })
    }))
)
