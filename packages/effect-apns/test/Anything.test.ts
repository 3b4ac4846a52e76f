/**
 * Anything at all through each method of the client of promises: an answer, or a rejection with a tag; and another
 * notification of the same client is accepted. What is left unhandled fails the test run.
 */
import { MockApns } from "@effect-apns/testing"
import { assert, it } from "@effect/vitest"
import { Effect, FastCheck as fc } from "effect"
import { createClient, Notification } from "effect-apns/client"

const anything = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withNullPrototype: true,
  withObjectString: true,
  withSet: true,
  withSparseArray: true,
  withTypedArray: true
})

/** All of the options are something else, or one of them is. A text as `keylog` names a file that cannot be created. */
const spoiled = (options: object, fields: ReadonlyArray<string>): fc.Arbitrary<unknown> =>
  fc.oneof(
    anything,
    ...fields.map((field) =>
      anything.map((value) => ({
        ...options,
        [field]: field === "keylog" && typeof value === "string" ? `no-such-directory/${value}` : value
      }))
    )
  )

const isIterable = (u: unknown): u is AsyncIterable<unknown> =>
  typeof u === "object" && u !== null && Symbol.asyncIterator in u

/** Calls as a program in plain JavaScript does, to the end of what comes. */
const call = async (self: unknown, method: unknown, ...args: ReadonlyArray<unknown>): Promise<void> => {
  if (typeof method !== "function") throw new Error("no function")
  try {
    const result: unknown = await Reflect.apply(method, self, args)
    if (!isIterable(result)) return
    for await (const _ of result) {
      // outcomes
    }
  } catch (error) {
    assert.isTrue(error instanceof Error && "_tag" in error && error.message !== "", String(error))
  }
}

const every = (
  arbitrary: fc.Arbitrary<unknown>,
  calls: (value: unknown) => ReadonlyArray<Promise<void>>,
  numRuns = 40
): Effect.Effect<void> =>
  Effect.promise(() =>
    fc.assert(
      fc.asyncProperty(arbitrary, async (value) => {
        await Promise.all(calls(value))
      }),
      { numRuns, seed: 42 }
    )
  )

const good = { token: "0123456789abcdef".repeat(4), notification: Notification.alert({ alert: "Hello" }) }
const sending = [
  "token",
  "notification",
  "topic",
  "priority",
  "expiration",
  "collapseId",
  "apnsId",
  "timeout",
  "deadline",
  "retransmit",
  "signal"
]
const channelId = "dHN0LXNyY2gtY2hubA=="
const broadcast = {
  bundleId: MockApns.bundleId,
  channelId,
  notification: Notification.liveActivity.update({ contentState: {}, timestamp: 1 })
}

const options = Effect.map(MockApns.MockApns, ({ ca, credentials: { key, keyId, teamId }, origin }) => ({
  endpoint: origin,
  ca,
  key,
  keyId,
  teamId,
  topic: MockApns.bundleId,
  size: 1
}))

it.scopedLive("anything, to each method of a client -> an answer or a typed rejection; the next send is accepted", () =>
  Effect.gen(function*() {
    const given = yield* options
    const client = yield* Effect.acquireRelease(
      Effect.promise(() => createClient(given)),
      (client) => Effect.promise(() => client.close())
    )
    const { broadcast: send, channels } = client
    yield* every(spoiled(good, sending), (value) => [
      call(client, client.send, value),
      call(client, client.sendEach, [value, good]),
      call(client, client.sendAll, [good.token], value)
    ])
    yield* every(spoiled(broadcast, [...Object.keys(broadcast), "expiration", "timeout"]), (value) => [
      call(client, send, value)
    ])
    yield* every(spoiled({ channelId }, ["channelId", "messageStorage", "requestId", "timeout"]), (value) => [
      call(channels, channels.create, value),
      call(channels, channels.read, value),
      call(channels, channels.list, value),
      call(channels, channels.delete, value)
    ])
    const receipt = yield* Effect.promise(() => client.send(good))
    assert.strictEqual(receipt.attempts, 1)
  }).pipe(Effect.provide(MockApns.layer())))

it.scopedLive("anything, as the options of createClient -> a client or a typed rejection", () =>
  Effect.gen(function*() {
    const given = { ...yield* options, drainTimeout: "1 millis" }
    const fields = [
      ...Object.keys(given),
      "proxy",
      "connectTimeout",
      "keylog",
      "lookup",
      "ping",
      "limits",
      "retransmit",
      "maxQueued",
      "retrySchedule"
    ]
    const open = async (value: unknown): Promise<void> => {
      const client: { readonly close: () => Promise<void> } = await Reflect.apply(createClient, undefined, [value])
      await client.close()
    }
    yield* every(spoiled(given, fields), (value) => [call(undefined, open, value)])
  }).pipe(Effect.provide(MockApns.layer())))
