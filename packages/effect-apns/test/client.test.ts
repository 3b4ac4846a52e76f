import type { Failure } from "@effect-apns/core"
import { MockApns } from "@effect-apns/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Either, Exit, ParseResult, Scope } from "effect"
import type { Client, ClientOptions, Settings } from "effect-apns/client"
import { createClient, Notification, Rejection } from "effect-apns/client"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

const token = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
const notification = Notification.alert({ alert: "Hello" })

const withMock = async (use: (mock: MockApns.MockApns, options: ClientOptions) => Promise<void>): Promise<void> => {
  const scope = Effect.runSync(Scope.make())
  try {
    const mock = await Effect.runPromise(Scope.extend(MockApns.make(), scope))
    const { ca, credentials: { key, keyId, teamId }, origin } = mock
    await use(mock, { endpoint: origin, ca, key, keyId, teamId, topic: MockApns.bundleId, size: 1 })
  } finally {
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

const withClient = (
  use: (client: Client, mock: MockApns.MockApns) => Promise<void>,
  settings: Settings = {}
): Promise<void> =>
  withMock(async (mock, options) => {
    const client = await createClient({ ...options, ...settings })
    try {
      await use(client, mock)
    } finally {
      await client.close()
    }
  })

interface Rejected extends Error {
  readonly _tag: string
  readonly processed: unknown
}

const isRejected = (error: unknown): error is Rejected => error instanceof Error && "_tag" in error

/** What a promise is rejected with. */
const rejection = async (promise: Promise<unknown>): Promise<Rejected> => {
  try {
    await promise
  } catch (error) {
    if (isRejected(error)) return error
    throw error
  }
  throw new Error("it was not rejected")
}

/** Calls as a program in JavaScript may. */
const untyped = <A>(f: (...args: ReadonlyArray<never>) => Promise<A>, ...given: ReadonlyArray<unknown>): Promise<A> =>
  Reflect.apply(f, undefined, given)

describe("send", () => {
  it("resolves to the receipt, and reads the key from a file", () =>
    withMock(async (mock, options) => {
      const folder = await mkdtemp(join(tmpdir(), "client-"))
      try {
        const keyFile = join(folder, "key.p8")
        await writeFile(keyFile, mock.credentials.key)
        const { key: _, ...rest } = { key: undefined, ...options }
        const client = await createClient({
          ...rest,
          keyFile,
          keyId: mock.credentials.keyId,
          teamId: mock.credentials.teamId
        })
        const { apnsId, attempts } = await client.send({ token, notification })
        assert.match(apnsId, /^[0-9A-F-]{36}$/i)
        assert.strictEqual(attempts, 1)
        await client.close()
      } finally {
        await rm(folder, { recursive: true })
      }
    }))

  it("is rejected with the typed error itself, with a stack that shows the caller", () =>
    withClient(async (client, mock) => {
      await Effect.runPromise(mock.next(MockApns.unregistered(1704067200000)))
      const sendingTheLunch = async () => {
        await client.send({ token, notification })
      }
      const error = await rejection(sendingTheLunch())
      assert.strictEqual(error._tag, "Unregistered")
      assert.strictEqual(error.name, "Unregistered")
      assert.strictEqual(error.processed, "yes")
      assert.isTrue(Rejection.isTokenDead(error) && error.timestamp !== undefined)
      assert.match(error.stack ?? "", /^Unregistered: .*410/)
      assert.include(error.stack, "sendingTheLunch")
      assert.include(error.stack, "client.test.ts")
      assert.notInclude(error.stack, "FiberFailure")
    }))

  it("an invalid token -> BadDeviceToken, any other invalid input -> ParseError, each with a stack that shows the caller", () =>
    withClient(async (client, mock) => {
      const cases: ReadonlyArray<readonly [given: unknown, tag: string]> = [
        [{ token: "xyz", notification }, "BadDeviceToken"],
        [{ notification }, "BadDeviceToken"],
        [{ token }, "ParseError"],
        [{ token, notification: null }, "ParseError"],
        [{ token, notification, timeout: 5 }, "ParseError"],
        [{ token, notification, deadline: "2020-01-01" }, "ParseError"],
        [undefined, "ParseError"],
        [null, "ParseError"],
        ["text", "ParseError"],
        [{
          get token() {
            throw new Error("boom")
          }
        }, "ParseError"]
      ]
      for (const [given, tag] of cases) {
        const error = await rejection(untyped(client.send, given))
        assert.strictEqual(error._tag, tag)
        assert.strictEqual(error.processed, "no")
        assert.include(error.stack, "client.test.ts", tag)
        assert.strictEqual(ParseResult.isParseError(error), tag === "ParseError")
      }
      assert.deepStrictEqual(await Effect.runPromise(mock.received), [])
    }))

  it("several callers with one broken notification -> an error for each, with its own stack", () =>
    withClient(async (client) => {
      const large = Notification.alert({ alert: "x".repeat(5000) })
      const first = async () => await client.send({ token, notification: large })
      const second = async () => await client.send({ token, notification: large })
      const [one, two] = await Promise.all([rejection(first()), rejection(second())])
      assert.strictEqual(one._tag, "PayloadTooLarge")
      assert.include(one.stack, "first")
      assert.include(two.stack, "second")
    }))

  it("an abort -> the notification is cancelled, and the promise rejects with the signal's reason", () =>
    withClient(async (client, mock) => {
      await Effect.runPromise(mock.next(MockApns.swallow))
      const controller = new AbortController()
      const sending = client.send({ token, notification, signal: controller.signal })
      while ((await client.stats()).inFlight === 0) await new Promise((resolve) => setImmediate(resolve))
      controller.abort(new Error("changed my mind"))
      assert.strictEqual((await sending.catch((error: unknown) => error) as Error).message, "changed my mind")
      const { inFlight, interrupted } = await client.stats()
      assert.deepStrictEqual([inFlight, interrupted], [0, 1])
      const aborted = await client.send({ token, notification, signal: AbortSignal.abort("at once") }).catch(
        (reason: unknown) => reason
      )
      assert.strictEqual(aborted, "at once")
    }))
})

describe("sendAll and sendEach", () => {
  const collect = async <A>(outcomes: AsyncIterable<A>): Promise<Array<A>> => {
    const all: Array<A> = []
    for await (const outcome of outcomes) all.push(outcome)
    return all
  }

  it("take arrays, generators and async iterables, and give one outcome for each item", () =>
    withClient(async (client, mock) => {
      const tokens = ["aa", "xyz", "bb"]
      const sources: ReadonlyArray<Iterable<string> | AsyncIterable<string>> = [
        tokens,
        new Set(tokens),
        (function*() {
          yield* tokens
        })(),
        (async function*() {
          yield* tokens
        })()
      ]
      for (const source of sources) {
        const outcomes = await collect(client.sendAll(source, { notification }))
        assert.sameMembers(outcomes.map(({ token }) => token), tokens)
        for (const { result, token } of outcomes) {
          assert.strictEqual(Either.isRight(result), token !== "xyz")
          if (Either.isLeft(result)) assert.strictEqual(result.left._tag, "BadDeviceToken")
        }
      }
      const items = tokens.map((token, line) => ({ token, notification, line }))
      const each = await collect(client.sendEach(items))
      assert.sameMembers(each.map(({ item }) => item.line), [0, 1, 2])
      assert.strictEqual(await Effect.runPromise(mock.acceptedCount), 10)
    }))

  it("an endless source -> only as much is read as can be in flight; leaving the loop stops it", () =>
    withClient(async (client) => {
      let made = 0
      let ended = false
      const endless = (async function*() {
        try {
          for (;;) yield (made++ % 256).toString(16).padStart(2, "0")
        } finally {
          ended = true
        }
      })()
      let seen = 0
      for await (const { result } of client.sendAll(endless, { notification, concurrency: 8 })) {
        assert.isTrue(Either.isRight(result))
        if (++seen === 100) break
      }
      assert.isTrue(ended)
      assert.isAtMost(made, 200)
      assert.strictEqual((await client.stats()).inFlight, 0)
    }))

  it("the source throws -> the same error; not an iterable -> a typed error", () =>
    withClient(async (client) => {
      const broken = new Error("the database is gone")
      const tokens = (async function*() {
        yield "aa"
        throw broken
      })()
      const thrown = await collect(client.sendAll(tokens, { notification })).catch((error: unknown) => error)
      assert.strictEqual(thrown, broken)
      for (const source of [null, undefined, 7, "aabb", {}]) {
        const iterator: AsyncIterable<unknown> = Reflect.apply(client.sendAll, undefined, [source, { notification }])
        assert.strictEqual((await rejection(collect(iterator)))._tag, "InvalidOptions")
      }
      const options: AsyncIterable<{ readonly result: Either.Either<unknown, Rejected> }> = Reflect
        .apply(
          client.sendAll,
          undefined,
          [["aa"], undefined]
        )
      const outcomes = await collect(options)
      assert.deepStrictEqual(
        outcomes.map(({ result }) => Either.isLeft(result) && [result.left._tag, result.left.processed]),
        [["ParseError", "no"]]
      )
    }))

  it("an abort -> the loop ends with the signal's reason", () =>
    withClient(async (client) => {
      const controller = new AbortController()
      const endless = (async function*() {
        for (;;) yield "aa"
      })()
      let seen = 0
      const loop = async () => {
        for await (const _ of client.sendAll(endless, { notification, concurrency: 8, signal: controller.signal })) {
          if (++seen === 20) controller.abort("enough")
        }
      }
      assert.strictEqual(await loop().catch((reason: unknown) => reason), "enough")
      assert.strictEqual((await client.stats()).inFlight, 0)
    }))
})

describe("channels and broadcast", () => {
  it("a channel is created, listed, used and deleted", () =>
    withClient(async (client) => {
      const { channelId } = await client.channels.create({ messageStoragePolicy: "no-message-stored" })
      assert.deepStrictEqual((await client.channels.list()).channelIds, [channelId])
      assert.strictEqual((await client.channels.read({ channelId })).messageStoragePolicy, "no-message-stored")
      const { requestId } = await client.broadcast({
        channelId,
        expiration: "none",
        notification: Notification.liveActivity.update({ timestamp: 1704067200, contentState: { home: 1 } })
      })
      assert.match(requestId, /^[0-9A-F-]{36}$/i)
      await client.channels.delete({ channelId })
      const error = await rejection(client.channels.read({ channelId }))
      assert.strictEqual(error._tag, "ChannelNotRegistered")
      assert.include(error.stack, "client.test.ts")
    }))
})

describe("close", () => {
  it("waits for the answers in flight; later sends are refused", () =>
    withMock(async (mock, options) => {
      const client = await createClient(options)
      await Effect.runPromise(mock.next(MockApns.slow("200 millis")))
      const sending = client.send({ token, notification })
      const closing = client.close()
      const late = await rejection(client.send({ token, notification }))
      assert.deepInclude(late, { _tag: "Closed", processed: "no" })
      assert.strictEqual((await sending).attempts, 1)
      await closing
      await client.close()
      const error = await rejection(client.channels.list())
      assert.strictEqual(error._tag, "Closed")
      for (const call of [() => client.stats(), () => untyped(client.send, null)]) {
        assert.strictEqual((await rejection(call()))._tag, "Closed")
      }
    }))

  it("is what `await using` calls", () =>
    withMock(async (_, options) => {
      const client = await createClient(options)
      await client[Symbol.asyncDispose]()
      const closed: { readonly processed: Failure.Failure["processed"] | unknown } = await rejection(client.stats())
      assert.strictEqual(closed.processed, "no")
    }))
})

describe("createClient", () => {
  it("any invalid options -> one typed error", () =>
    withMock(async (_, good) => {
      const { key, keyId, teamId } = { key: "", keyId: "", teamId: "", ...good }
      const cases: ReadonlyArray<readonly [given: unknown, tag: string, hint: string]> = [
        [undefined, "InvalidOptions", "object"],
        [null, "InvalidOptions", "object"],
        ["production", "InvalidOptions", "object"],
        [{}, "InvalidOptions", "keyFile"],
        [{ ...good, keyFile: "key.p8" }, "InvalidOptions", "exactly one"],
        [{ key, teamId }, "InvalidOptions", "keyId"],
        [{ key: 7, keyId, teamId }, "InvalidOptions", "key"],
        [{ ...good, endpoint: "http://localhost" }, "InvalidOptions", "endpoint"],
        [{ ...good, endpoint: 7 }, "InvalidOptions", "endpoint"],
        [{ ...good, proxy: "ftp://localhost" }, "InvalidOptions", "proxy"],
        [{ ...good, passphrase: 7 }, "InvalidOptions", "passphrase"],
        [{ credentials: "key.p8" }, "InvalidOptions", "credentials"],
        [{ pkcs12: "text" }, "InvalidOptions", "pkcs12"],
        [{ ...good, keyId: "short" }, "CredentialsError", "key id"],
        [{ keyFile: "/nowhere/key.p8", keyId, teamId }, "CredentialsError", "/nowhere/key.p8"],
        [{ ...good, size: 0 }, "InvalidPoolOptions", "size"],
        [
          {
            get keyFile() {
              throw new Error("boom")
            }
          },
          "InvalidOptions",
          "boom"
        ]
      ]
      for (const [given, tag, hint] of cases) {
        const error = await rejection(untyped(createClient, given))
        assert.strictEqual(error._tag, tag, error.message)
        assert.include(error.message.toLowerCase(), hint.toLowerCase())
        assert.include(error.stack, "client.test.ts", tag)
      }
    }))
})
