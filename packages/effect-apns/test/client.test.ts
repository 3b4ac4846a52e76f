import type { Failure } from "@effect-apns/core"
import { MockApns } from "@effect-apns/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Either, Exit, ParseResult, Scope } from "effect"
import type { Client, ClientOptions, Settings } from "effect-apns/client"
import { createClient, Notification, Rejection } from "effect-apns/client"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
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

  it("one signal for 100 sends -> one listener, which is removed at the end: Node warns of more than 10", () =>
    withClient(async (client, mock) => {
      const { signal } = new AbortController()
      let now = 0
      let most = 0
      const { addEventListener, removeEventListener } = signal
      signal.addEventListener = (...given: Parameters<typeof addEventListener>) => {
        most = Math.max(most, ++now)
        addEventListener.apply(signal, given)
      }
      signal.removeEventListener = (...given: Parameters<typeof removeEventListener>) => {
        now--
        removeEventListener.apply(signal, given)
      }
      const send = () => client.send({ token, notification, signal })
      await Promise.all(Array.from({ length: 100 }, send))
      await send()
      assert.deepStrictEqual([most, now], [1, 0])
      assert.strictEqual(await Effect.runPromise(mock.acceptedCount), 101)
    }))

  it("a signal that is none, such as its controller -> a typed error, since it could never abort; null is none", () =>
    withClient(async (client, mock) => {
      for (const signal of [new AbortController(), "now", 7, {}]) {
        const options = { token, notification, signal }
        const calls: ReadonlyArray<(...given: ReadonlyArray<never>) => Promise<unknown>> = [
          client.send,
          client.broadcast,
          client.channels.list
        ]
        for (const call of calls) {
          const error = await rejection(untyped(call, options))
          assert.strictEqual(error._tag, "ParseError")
          assert.include(error.message, "AbortSignal")
          assert.include(error.stack, "client.test.ts")
        }
        const loop: AsyncIterator<unknown> = Reflect.apply(client.sendAll, undefined, [["aa"], options])
        const error = await rejection(loop.next())
        assert.strictEqual(error._tag, "InvalidOptions")
        assert.include(error.message, "AbortSignal")
      }
      await untyped(client.send, { token, notification, signal: null })
      assert.strictEqual(await Effect.runPromise(mock.acceptedCount), 1)
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

describe("what tokens are read from", () => {
  const generator = (made: { count: number; closed: number }) => {
    function* endless() {
      try {
        for (;;) yield (made.count++ % 256).toString(16).padStart(2, "0")
      } finally {
        made.closed++
      }
    }
    return endless
  }

  it("a generator -> closed when the loop is left, aborted or thrown out of; little is read ahead", () =>
    withClient(async (client) => {
      const ways: ReadonlyArray<(abort: () => void) => boolean> = [
        () => true,
        () => {
          throw new Error("thrown")
        },
        (abort) => {
          abort()
          return false
        }
      ]
      for (const leave of ways) {
        const made = { count: 0, closed: 0 }
        const controller = new AbortController()
        let seen = 0
        const loop = async () => {
          const options = { notification, concurrency: 8, signal: controller.signal }
          for await (const _ of client.sendAll(generator(made)(), options)) {
            if (++seen >= 20 && leave(() => controller.abort(new Error("aborted")))) break
          }
          return "left"
        }
        const ended = await loop().catch((error: unknown) => String(error))
        assert.include(["left", "Error: thrown", "Error: aborted"], ended)
        assert.strictEqual(made.closed, 1, ended)
        assert.isAtMost(made.count, seen + 60)
      }
    }))

  it("an async source that never gives its next token -> an abort, leaving and closing end the loop at once", () =>
    withMock(async (_, options) => {
      for (const way of ["abort", "return", "close"] as const) {
        const client = await createClient(options)
        let asked = () => {}
        const isAsked = new Promise<void>((resolve) => {
          asked = resolve
        })
        let closed = 0
        const source: AsyncIterable<string> = {
          [Symbol.asyncIterator]: () => ({
            next: () => {
              asked()
              return new Promise(() => {})
            },
            return: () => {
              closed++
              return new Promise(() => {})
            }
          })
        }
        const controller = new AbortController()
        const loop = client.sendAll(source, { notification, signal: controller.signal })
        const next = loop.next().catch((error: unknown) => error)
        await isAsked
        if (way === "abort") controller.abort("aborted")
        if (way === "return") assert.isTrue((await loop.return?.())?.done)
        const closing = way === "close" ? client.close() : undefined
        const ended = await next
        if (way === "abort") assert.strictEqual(ended, "aborted")
        if (way === "return") assert.deepInclude(ended, { done: true })
        if (way === "close") assert.deepInclude(ended, { _tag: "Closed", processed: "no" })
        assert.strictEqual(closed, 1, way)
        await closing
        await client.close()
      }
    }))

  it("a source that throws when it is closed -> the loop throws that, as any for await does", () =>
    withClient(async (client) => {
      const sources: ReadonlyArray<Iterable<string> | AsyncIterable<string>> = [
        (function*() {
          try {
            for (;;) yield "aa"
          } finally {
            // eslint-disable-next-line no-unsafe-finally
            throw new Error("the cursor is gone")
          }
        })(),
        (async function*() {
          try {
            for (;;) yield "aa"
          } finally {
            // eslint-disable-next-line no-unsafe-finally
            throw new Error("the cursor is gone")
          }
        })()
      ]
      for (const source of sources) {
        const loop = async () => {
          for await (const _ of client.sendAll(source, { notification, concurrency: 4 })) break
        }
        const error: unknown = await loop().catch((error: unknown) => error)
        assert.strictEqual(String(error), "Error: the cursor is gone")
      }
    }))
})

describe("close", () => {
  it("a loop that begins after it -> rejected with Closed", () =>
    withMock(async (_, options) => {
      const client = await createClient(options)
      await client.close()
      const loops = [client.sendAll(["aa"], { notification }), client.sendEach([{ token, notification }])]
      for (const loop of loops) {
        const error = await rejection(loop.next())
        assert.deepInclude(error, { _tag: "Closed", processed: "no" })
        assert.include(error.stack, "client.test.ts")
      }
    }))

  it("in the middle of a loop -> every token that was read has its outcome, then the loop is rejected with Closed", () =>
    withMock(async (mock, options) => {
      for (const isAsync of [false, true]) {
        const client = await createClient(options)
        const before = await Effect.runPromise(mock.acceptedCount)
        let made = 0
        let closed = 0
        function* tokens() {
          try {
            for (;;) yield (made++).toString(16).padStart(8, "0")
          } finally {
            closed++
          }
        }
        async function* asyncTokens() {
          yield* tokens()
        }
        const seen = new Map<string, string>()
        let closing: Promise<void> | undefined
        const loop = async () => {
          const given = { notification, concurrency: 50 }
          for await (const { result, token } of client.sendAll(isAsync ? asyncTokens() : tokens(), given)) {
            assert.isFalse(seen.has(token))
            seen.set(token, Either.isRight(result) ? "accepted" : result.left._tag)
            if (seen.size === 20) closing = client.close()
          }
        }
        assert.deepInclude(await rejection(loop()), { _tag: "Closed", processed: "no" })
        await closing
        assert.strictEqual(seen.size, made)
        assert.strictEqual(closed, 1)
        const accepted = Array.from(seen.values()).filter((outcome) => outcome === "accepted").length
        assert.strictEqual(await Effect.runPromise(mock.acceptedCount), before + accepted)
        for (const outcome of seen.values()) assert.include(["accepted", "Closed"], outcome)
      }
    }))

  it("while channel management is being opened -> every call has a typed answer", () =>
    withMock(async (_, options) => {
      const client = await createClient(options)
      const listing = client.channels.list().then(() => "listed", (error: Rejected) => error._tag)
      await client.close()
      assert.include(["listed", "Closed"], await listing)
    }))

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
  it("what is not given as undefined or as an empty text, as from the environment -> ignored", () =>
    withMock(async (mock, good) => {
      const { key, keyId, teamId, ...rest } = { key: "", keyId: "", teamId: "", ...good }
      const none = {
        keyFile: undefined,
        certFile: "",
        cert: "",
        pkcs12File: undefined,
        pkcs12: "",
        proxy: "",
        passphrase: undefined
      }
      const client: Client = await untyped(createClient, { ...none, ...rest, key, keyId, teamId })
      await client.send({ token, notification })
      await client.close()
      const error = await rejection(untyped(createClient, { ...rest, ...none, keyId, teamId }))
      assert.include(error.message, "exactly one")
      assert.strictEqual(await Effect.runPromise(mock.acceptedCount), 1)
    }))

  it("keys and authorities as the bytes of a file: PEM, UTF-16, DER -> read", () =>
    withMock(async (mock, good) => {
      const { ca, key, keyId, teamId, ...rest } = { ca: "", key: "", keyId: "", teamId: "", ...good }
      const der = (pem: string | Uint8Array) =>
        Buffer.from(String(pem).replace(/-----.*?-----/g, "").replace(/\s/g, ""), "base64")
      const shapes: ReadonlyArray<(pem: string) => Uint8Array> = [
        (pem) => Buffer.from(pem),
        (pem) => Buffer.from(`\ufeff${pem}`, "utf16le"),
        der,
        (pem) => new Uint8Array(der(pem))
      ]
      for (const shape of shapes) {
        const authority = shape(String(ca))
        const content = shape(String(key))
        const client = await createClient({ ...rest, ca: [authority], key: content, keyId, teamId })
        await client.send({ token, notification })
        await client.close()
      }
      const client = await createClient({ ...rest, ca: Buffer.from(String(ca)), key, keyId, teamId })
      await client.send({ token, notification })
      await client.close()
      assert.strictEqual(await Effect.runPromise(mock.acceptedCount), shapes.length + 1)
    }))

  it("a certificate and an archive as text or as bytes -> read", async () => {
    const fixture = (name: string) => readFile(new URL(`../../core/test/fixtures/${name}`, import.meta.url))
    const [cert, certKey, pkcs12] = await Promise.all([
      fixture("client.pem"),
      fixture("client.key.pem"),
      fixture("client-open.p12")
    ])
    const senders: ReadonlyArray<ClientOptions> = [
      { cert, certKey },
      { cert: String(cert), certKey: String(certKey) },
      { cert: Buffer.concat([cert, certKey]) },
      { pkcs12 },
      { pkcs12: pkcs12.toString("base64") }
    ]
    for (const sender of senders) {
      const client = await createClient({ endpoint: "https://127.0.0.1:1", ...sender })
      await client.close()
    }
  })

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
        [{ pkcs12: 7 }, "InvalidOptions", "base64"],
        [{ cert: 7 }, "InvalidOptions", "cert"],
        [{ ...good, ca: 7 }, "InvalidOptions", "ca"],
        [{ ...good, ca: ["", {}] }, "InvalidOptions", "ca"],
        [{ ...good, ca: "ca.pem" }, "InvalidPoolOptions", "not the name of a file"],
        [{ ...good, topic: "com example" }, "InvalidPoolOptions", "topic"],
        [{ ...good, topic: "" }, "InvalidPoolOptions", "topic"],
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
