import { Credentials } from "@effect-apns/core"
import { Notification } from "@effect-apns/models"
import { ApnsPool, send, sendAll, sendEach } from "@effect-apns/pool"
import type { Receipt, Send } from "@effect-apns/pool"
import { MockApns } from "@effect-apns/testing"
import type { ProviderKey } from "@effect-apns/testing"
import { Effect, Either, Redacted, Schedule, Stream } from "effect"

export const topic = "com.example.app"

export const token = (n: number): string => n.toString(16).padStart(64, "0")

export const tokens = (count: number, from = 1): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, i) => token(from + i))

export const notification = Notification.alert({ alert: "Hello" })

export const credentialsOf = (key: ProviderKey.ProviderKey) =>
  Credentials.token({ key: Redacted.make(key.key), keyId: key.keyId, teamId: key.teamId })

type PoolOptions = Partial<ApnsPool.Resolved>

/** A pool at this mock, which does not wait long before it connects again. */
export const poolAt = (
  apns: MockApns.MockApns,
  options: PoolOptions = {},
  key: ProviderKey.ProviderKey = apns.credentials
) =>
  Effect.flatMap(credentialsOf(key), (credentials) =>
    ApnsPool.make({
      endpoint: apns.endpoint,
      ca: apns.ca,
      credentials,
      size: 1,
      topic,
      reconnectSchedule: Schedule.spaced("5 millis"),
      ...options
    }))

/** A mock and a pool at it, over real TLS and HTTP/2 on loopback. */
export const live = (options: { readonly mock?: MockApns.Options; readonly pool?: PoolOptions } = {}) =>
  MockApns.layerPool({ size: 1, reconnectSchedule: Schedule.spaced("5 millis"), ...options.pool, mock: options.mock })

export const stats = Effect.flatMap(ApnsPool.ApnsPool, (pool) => pool.stats)

/** Waits until the pool has so many connections in use: they have acknowledged the server's SETTINGS. */
export const opened = (count: number) =>
  Effect.flatMap(MockApns.MockApns, (apns) => apns.until(({ settingsAcks }) => settingsAcks >= count))

/** Lets everything that is due in this turn of the event loop happen. */
export const tick = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

/** Waits until the pool has failed to connect, turn by turn of the event loop. */
export const connectFailed = (pool: ApnsPool.ApnsPool) =>
  Effect.repeat(Effect.zipRight(tick, pool.stats), { until: ({ connectionsFailed }) => connectionsFailed > 0 })

export type Result = Either.Either<Receipt.Receipt, Send.SendError>

export type SendSettings = Omit<Send.SendOptions, "notification" | "token">

/** One of the ways to send: results come in the order of the tokens, exactly one for each. */
export interface Way {
  readonly name: string
  readonly run: (
    tokens: ReadonlyArray<string>,
    settings?: SendSettings
  ) => Effect.Effect<ReadonlyArray<Result>, never, ApnsPool.ApnsPool>
}

const inOrder = (
  wanted: ReadonlyArray<string>,
  outcomes: Iterable<{ readonly token: string; readonly result: Result }>
): ReadonlyArray<Result> => {
  const byToken = new Map<string, Result>()
  let count = 0
  for (const { result, token } of outcomes) {
    count++
    byToken.set(token, result)
  }
  if (count !== wanted.length || byToken.size !== wanted.length) {
    throw new Error(`${wanted.length} tokens had ${count} outcomes, for ${byToken.size} of them`)
  }
  return wanted.map((token) => {
    const result = byToken.get(token)
    if (result === undefined) throw new Error(`${token} has no outcome`)
    return result
  })
}

export const ways: ReadonlyArray<Way> = [
  {
    name: "send",
    run: (tokens, settings) =>
      Effect.forEach(tokens, (token) => Effect.either(send({ token, notification, ...settings })), {
        concurrency: "unbounded"
      })
  },
  {
    name: "sendAll",
    run: (tokens, settings) =>
      sendAll(Stream.fromIterable(tokens), { notification, ...settings }).pipe(
        Stream.runCollect,
        Effect.map((outcomes) => inOrder(tokens, outcomes))
      )
  },
  {
    name: "sendEach",
    run: (tokens, settings) =>
      sendEach(Stream.fromIterable(tokens.map((token) => ({ token, notification, ...settings })))).pipe(
        Stream.runCollect,
        Effect.map((outcomes) => inOrder(tokens, outcomes))
      )
  }
]

/** Sends to one device. */
export const one = (way: Way, settings?: SendSettings, to = token(1)) =>
  Effect.map(way.run([to], settings), ([result]): Result => {
    if (result === undefined) throw new Error("no outcome")
    return result
  })

export const receiptOf = (result: Result): Receipt.Receipt =>
  Either.getOrThrowWith(result, (error) => new Error(`expected a receipt, got ${error._tag}: ${error.message}`))

export const errorOf = (result: Result): Send.SendError => {
  if (Either.isRight(result)) throw new Error("expected an error, got a receipt")
  return result.left
}

/** `"ok"`, or the error's tag and what became of the notification. */
export const brief = (result: Result): string =>
  Either.match(result, {
    onLeft: (error) => "processed" in error ? `${error._tag} ${error.processed}` : error._tag,
    onRight: () => "ok"
  })

/** How often each device got its notification. */
export const deliveries = Effect.map(
  Effect.flatMap(MockApns.MockApns, (apns) => apns.received),
  (received) => {
    const counts = new Map<string, number>()
    for (const { accepted, token = "" } of received) {
      if (accepted) counts.set(token, (counts.get(token) ?? 0) + 1)
    }
    return counts
  }
)

export const maxDeliveries = Effect.map(deliveries, (counts) => Math.max(0, ...counts.values()))
