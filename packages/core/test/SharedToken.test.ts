import * as Connection from "@effect-apns/core/Connection"
import * as Credentials from "@effect-apns/core/Credentials"
import * as ProviderToken from "@effect-apns/core/ProviderToken"
import * as Request from "@effect-apns/core/Request"
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Effect, FastCheck, Redacted, TestClock, TestContext } from "effect"
import { decodeJwt, decodeProtectedHeader, importSPKI, jwtVerify } from "jose"
import { execFile } from "node:child_process"
import * as crypto from "node:crypto"
import { fileURLToPath } from "node:url"
import { Peer, settled } from "./utils/peer.js"

const minute = 60_000
const window = 30 * minute
/** The beginning of a window, far from the epoch. */
const start = 944_445 * window

const pair = () =>
  crypto.generateKeyPairSync("ec", {
    namedCurve: "P-256",
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" }
  })

const keys = pair()
const options = { key: Redacted.make(keys.privateKey), keyId: "ABC123DEFG", teamId: "DEF123GHIJ" }

const signer = (extra?: Partial<ProviderToken.Options>) => ProviderToken.make({ ...options, ...extra })

/** Runs as if in another process: with a Clock, and therefore a signer, of its own. */
const elsewhere = <A, E>(at: number, effect: Effect.Effect<A, E>): Effect.Effect<A> =>
  Effect.promise(() =>
    Effect.runPromise(Effect.zipRight(TestClock.setTime(at), effect).pipe(Effect.provide(TestContext.TestContext)))
  )

const headerAt = (at: number, extra?: Partial<ProviderToken.Options>) =>
  elsewhere(at, Effect.flatMap(signer(extra), ({ current }) => Effect.map(current, ({ header }) => header)))

describe("provider tokens that all processes share", () => {
  for (const sharing of ["processes", "none"] as const) {
    it.effect(`TooManyProviderTokenUpdates every 5 minutes for 4 hours, sharing "${sharing}" -> no token is used after its hour`, () =>
      Effect.gen(function*() {
        yield* TestClock.setTime(start + 27 * minute)
        const { current, expired, signings, tooManyUpdates } = yield* signer({ sharing })
        const used = new Set<string>()
        for (let minutes = 0; minutes < 240; minutes++) {
          const token = yield* current
          used.add(token.header)
          const now = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
          assert.isBelow(now - token.issuedAt.epochMillis, 60 * minute)
          if (minutes % 5 === 0) yield* tooManyUpdates(token)
          // APNs calls a young token expired: it is not replaced while APNs wants no new ones
          if (minutes % 5 === 1) yield* Effect.ignore(expired(token))
          yield* TestClock.adjust("1 minute")
        }
        assert.isAtLeast(yield* signings, 4)
        assert.isAtMost(used.size, 9)
      }))
  }

  it.effect("iat is the start of a window of 30 minutes, and the signature verifies as ES256", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(start + 17 * minute + 123)
      const token = yield* (yield* signer()).current
      const jwt = Redacted.value(token.jwt)
      assert.deepStrictEqual({ ...decodeProtectedHeader(jwt) }, { alg: "ES256", kid: "ABC123DEFG" })
      assert.deepStrictEqual({ ...decodeJwt(jwt) }, { iss: "DEF123GHIJ", iat: start / 1000 })
      assert.deepStrictEqual(
        [...[token.issuedAt, token.refreshAt, token.expiresAt].map(DateTime.toEpochMillis), token.isRefused],
        [start, start + window, start + 60 * minute, false]
      )
      const key = yield* Effect.promise(() => importSPKI(keys.publicKey, "ES256"))
      yield* Effect.promise(() => jwtVerify(jwt, key, { currentDate: new Date(start) }))
    }))

  it.effect("r or s begins with a zero byte -> it is kept, and the signature verifies", () =>
    Effect.gen(function*() {
      const ecdh = crypto.createECDH("prime256v1")
      ecdh.setPrivateKey(crypto.createHash("sha256").update("a private key for tests").digest())
      const point = ecdh.getPublicKey()
      const [d, x, y] = [ecdh.getPrivateKey(), point.subarray(1, 33), point.subarray(33)]
      const base64url = (bytes: Buffer) => bytes.toString("base64url")
      const privateKey = crypto.createPrivateKey({
        format: "jwk",
        key: { kty: "EC", crv: "P-256", d: base64url(d), x: base64url(x), y: base64url(y) }
      })
      const key = Redacted.make(privateKey.export({ type: "pkcs8", format: "pem" }).toString())
      // found by trying one window after the other
      for (const [windows, zeroAt] of [[241, 0], [68, 32]] as const) {
        const header = yield* headerAt(start + windows * window, { key })
        const [head, body, signature] = header.replace("bearer ", "").split(".")
        const raw = Buffer.from(signature ?? "", "base64url")
        assert.strictEqual(raw.length, 64)
        assert.strictEqual(raw[zeroAt], 0)
        const publicKey = { key: crypto.createPublicKey(privateKey), dsaEncoding: "ieee-p1363" as const }
        assert.isTrue(crypto.verify("sha256", Buffer.from(`${head}.${body}`), publicKey, raw))
      }
    }))

  it.effect("any key -> the signature verifies", () =>
    Effect.gen(function*() {
      for (let i = 0; i < 8; i++) {
        const { privateKey, publicKey } = pair()
        const header = yield* headerAt(start, { key: Redacted.make(privateKey) })
        const [head, body, signature] = header.replace("bearer ", "").split(".")
        const key = { key: publicKey, dsaEncoding: "ieee-p1363" as const }
        assert.isTrue(
          crypto.verify("sha256", Buffer.from(`${head}.${body}`), key, Buffer.from(signature ?? "", "base64url"))
        )
      }
    }))

  it.effect("the same text in the whole window, another in the next", () =>
    Effect.gen(function*() {
      const first = yield* headerAt(start)
      for (const later of [1, 7 * minute, window - 1]) assert.strictEqual(yield* headerAt(start + later), first)
      assert.notStrictEqual(yield* headerAt(start + window), first)
      assert.notStrictEqual(yield* headerAt(start - 1), first)
    }))

  it.effect("another key, key id or team -> another token", () =>
    Effect.gen(function*() {
      const headers = yield* Effect.all([
        headerAt(start),
        headerAt(start, { keyId: "OTHERKEY12" }),
        headerAt(start, { teamId: "OTHERTEAM1" }),
        headerAt(start, { key: Redacted.make(pair().privateKey) })
      ])
      assert.strictEqual(new Set(headers).size, 4)
    }))

  it.effect("clocks that differ by seconds -> the same token, except for those seconds at the start of a window", () =>
    Effect.gen(function*() {
      for (const skew of [-5_000, -1_000, 1_000, 5_000]) {
        assert.strictEqual(yield* headerAt(start + minute + skew), yield* headerAt(start + minute))
      }
      assert.strictEqual(yield* headerAt(start + window - 1), yield* headerAt(start))
    }))

  it.live("two processes that do not communicate -> the same token", () =>
    Effect.gen(function*() {
      const made = Effect.async<{ readonly jwt: string; readonly iat: number }>((resume) => {
        const program = `
          import { Credentials, ProviderToken } from "@effect-apns/core"
          import { Effect, Redacted } from "effect"
          const credentials = Credentials.token({
            key: Redacted.make(process.env.KEY), keyId: "ABC123DEFG", teamId: "DEF123GHIJ"
          })
          const signer = await Effect.runPromise(Effect.flatMap(credentials, ProviderToken.make))
          const token = await Effect.runPromise(signer.current)
          console.log(JSON.stringify({ jwt: Redacted.value(token.jwt), iat: token.issuedAt.epochMillis }))
        `
        execFile(
          process.execPath,
          ["--conditions=@effect-apns/source", "--import", "tsx", "--input-type=module", "--eval", program],
          { cwd: fileURLToPath(new URL("..", import.meta.url)), env: { ...process.env, KEY: keys.privateKey } },
          (error, stdout) => resume(error === null ? Effect.sync(() => JSON.parse(stdout)) : Effect.die(error))
        )
      })
      const both = Effect.all([made, made], { concurrency: 2 })
      // started on both sides of a boundary they may differ, once in half an hour
      const [one, two] = yield* Effect.repeat(both, { until: ([one, two]) => one.iat === two.iat })
      assert.strictEqual(one.jwt, two.jwt)
    }))

  it.effect("a connection keeps its token for at least 20 minutes, and never longer than 55", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(start + 29 * minute)
      const token = yield* (yield* signer()).current
      const changes = [0, 5, 10, 11, 20, 29, 34, 50].map((opened) =>
        (token.changeAt(DateTime.unsafeMake(start + opened * minute)).epochMillis - start) / minute
      )
      assert.deepStrictEqual(changes, [30, 30, 30, 31, 40, 49, 54, 55])
    }))

  describe("on connections", () => {
    const tick = Effect.promise(settled)
    const request = Request.make({ path: "/3/device/4242", headers: { "apns-topic": "com.example.app" }, body: {} })

    const connect = Effect.gen(function*() {
      const peer = new Peer()
      const credentials = yield* Credentials.token(options)
      const connection = yield* Connection.fromTransport(peer.transport, { drainTimeout: "0 seconds", credentials })
      /** The token that the next request carries. */
      const used = Effect.gen(function*() {
        yield* tick
        yield* Effect.fork(connection.post(request))
        yield* tick
        const last = peer.requests.at(-1) ?? assert.fail("no request")
        peer.accept(last.id)
        yield* tick
        return last.headers["authorization"]
      })
      return { connection, used }
    })

    it.scoped("opened at minute 29 -> changes at minute 49; opened in between -> has the new token already", () =>
      Effect.gen(function*() {
        yield* TestClock.setTime(start + 29 * minute)
        const first = yield* connect
        const old = yield* first.used
        assert.strictEqual(old, yield* headerAt(start))
        yield* TestClock.setTime(start + 31 * minute)
        const second = yield* connect
        const fresh = yield* headerAt(start + window)
        assert.strictEqual(yield* second.used, fresh)
        assert.strictEqual(yield* first.used, old)
        yield* TestClock.setTime(start + 49 * minute - 1)
        assert.strictEqual(yield* first.used, old)
        yield* TestClock.setTime(start + 49 * minute)
        assert.strictEqual(yield* first.used, fresh)
        yield* TestClock.setTime(start + 60 * minute)
        const { current } = yield* signer()
        yield* current
        assert.strictEqual(yield* second.used, yield* headerAt(start + 2 * window))
        assert.strictEqual(yield* first.used, fresh)
        yield* TestClock.setTime(start + 69 * minute)
        assert.strictEqual(yield* first.used, yield* headerAt(start + 2 * window))
      }))

    it.scoped("APNs calls the token expired -> all connections change it at once", () =>
      Effect.gen(function*() {
        yield* TestClock.setTime(start + 5 * minute)
        const [first, second] = [yield* connect, yield* connect]
        const old = yield* first.used
        assert.strictEqual(yield* second.used, old)
        const { current, expired } = yield* signer()
        const own = yield* expired(yield* current)
        assert.strictEqual(yield* first.used, own.header)
        assert.strictEqual(yield* second.used, own.header)
      }))

    it.scoped("tokens signed for one process -> all connections change at 50 minutes", () =>
      Effect.gen(function*() {
        yield* TestClock.setTime(start)
        const peer = new Peer()
        const credentials = yield* Credentials.token({ ...options, sharing: "none" })
        const connection = yield* Connection.fromTransport(peer.transport, { drainTimeout: "0 seconds", credentials })
        const headers: Array<string | undefined> = []
        for (const at of [0, 40, 49, 50]) {
          yield* TestClock.setTime(start + at * minute)
          const { current } = yield* ProviderToken.make(credentials)
          yield* current
          yield* tick
          yield* Effect.fork(connection.post(request))
          yield* tick
          headers.push(peer.requests.at(-1)?.headers["authorization"])
        }
        assert.deepStrictEqual(headers.map((header) => header === headers[0]), [true, true, true, false])
      }))
  })

  it("opened at any time -> never two changes within 20 minutes, and never a token older than 55", async () => {
    await FastCheck.assert(
      FastCheck.asyncProperty(FastCheck.nat(window * 2), (opened) =>
        Effect.runPromise(elsewhere(
          start + opened,
          Effect.gen(function*() {
            const { current } = yield* signer()
            let token = yield* current
            let since = start + opened
            for (let changes = 0; changes < 10; changes++) {
              const at = token.changeAt(DateTime.unsafeMake(since)).epochMillis
              assert.isAtLeast(at - since, 20 * minute)
              assert.isAtMost(at - token.issuedAt.epochMillis, 55 * minute)
              yield* TestClock.setTime(at)
              const next = yield* current
              assert.notStrictEqual(next, token)
              token = next
              since = at
            }
          })
        ))),
      // each run signs ten times, which is what takes time here
      { numRuns: 12 }
    )
  })

  describe("ExpiredProviderToken", () => {
    it.effect("a token of an older window -> the token of this window, the same in all processes", () =>
      Effect.gen(function*() {
        yield* TestClock.setTime(start + 29 * minute)
        const { current, expired, signings } = yield* signer()
        const old = yield* current
        yield* TestClock.adjust("2 minutes")
        const fresh = yield* expired(old)
        assert.strictEqual(fresh.header, yield* headerAt(start + window))
        assert.deepStrictEqual([old.isRefused, fresh.isRefused], [true, false])
        assert.strictEqual(yield* signings, 2)
      }))

    it.effect("the token of this window -> one signed for this process, then none for 20 minutes", () =>
      Effect.gen(function*() {
        yield* TestClock.setTime(start + 12 * minute)
        const { current, expired, signings } = yield* signer()
        const shared = yield* current
        const own = yield* expired(shared)
        assert.strictEqual(own.issuedAt.epochMillis, start + 12 * minute)
        assert.strictEqual(yield* current, own)
        yield* TestClock.adjust("17 minutes")
        const refused = yield* Effect.flip(expired(own))
        assert.deepStrictEqual([refused.reason, refused.retryAt.epochMillis], ["SignedRecently", start + 32 * minute])
        yield* TestClock.adjust("1 minute")
        const next = yield* expired(own)
        assert.strictEqual(next.header, yield* headerAt(start + window))
        assert.strictEqual((yield* Effect.flip(expired(next))).reason, "SignedRecently")
        yield* TestClock.adjust("2 minutes")
        assert.strictEqual((yield* expired(next)).issuedAt.epochMillis, start + 32 * minute)
        assert.strictEqual(yield* signings, 4)
      }))

    it.effect("refused in the second in which it was issued -> still a different token", () =>
      Effect.gen(function*() {
        yield* TestClock.setTime(start)
        const { current, expired } = yield* signer()
        const shared = yield* current
        const own = yield* expired(shared)
        assert.notStrictEqual(own.header, shared.header)
        // APNs refuses tokens from the future
        assert.strictEqual(own.issuedAt.epochMillis, start - 1000)
        assert.strictEqual(yield* current, own)
      }))

    it.effect("makes exactly one new token for 100 concurrent reports", () =>
      Effect.gen(function*() {
        yield* TestClock.setTime(start + minute)
        const { current, expired, signings } = yield* signer()
        const old = yield* current
        const fresh = yield* Effect.all(Array.from({ length: 100 }, () => expired(old)), { concurrency: "unbounded" })
        assert.strictEqual(new Set(fresh).size, 1)
        assert.strictEqual(yield* signings, 2)
      }))
  })

  it.effect("TooManyProviderTokenUpdates -> none is signed for 20 minutes, also in the next window", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(start + 29 * minute)
      const { current, expired, signings, tooManyUpdates } = yield* signer()
      const token = yield* current
      yield* tooManyUpdates(token)
      const refused = yield* Effect.flip(expired(token))
      assert.strictEqual(refused.reason, "TooManyUpdates")
      assert.include(refused.message, "sharing")
      yield* TestClock.adjust("1199999 millis")
      assert.strictEqual(yield* current, token)
      assert.strictEqual((yield* Effect.flip(expired(token))).reason, "TooManyUpdates")
      assert.strictEqual(yield* signings, 1)
      yield* TestClock.adjust("1 millis")
      assert.notStrictEqual(yield* current, token)
    }))

  it.effect("the clock is set back a little -> the same token; set back far -> a token of that time", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(start + 5 * minute)
      const { current } = yield* signer()
      const first = yield* current
      yield* TestClock.setTime(start - 5 * minute)
      assert.strictEqual(yield* current, first)
      yield* TestClock.setTime(start - 24 * 60 * minute)
      assert.strictEqual((yield* current).issuedAt.epochMillis, start - 24 * 60 * minute)
    }))

  it.effect("refreshAfter or tokens for one process -> no shared token", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(start + minute)
      const issued = (extra: Partial<ProviderToken.Options>) =>
        Effect.flatMap(signer(extra), ({ current }) => Effect.map(current, ({ issuedAt }) => issuedAt.epochMillis))
      assert.strictEqual(yield* issued({}), start)
      assert.strictEqual(yield* issued({ sharing: "processes" }), start)
      assert.strictEqual(yield* issued({ sharing: "none" }), start + minute)
      assert.strictEqual(yield* issued({ refreshAfter: "30 minutes" }), start + minute)
      const one = yield* headerAt(start, { sharing: "none" })
      assert.notStrictEqual(yield* headerAt(start, { sharing: "none" }), one)
      const credentials = yield* Credentials.token({ ...options, sharing: "none" })
      assert.strictEqual((yield* (yield* ProviderToken.make(credentials)).current).issuedAt.epochMillis, start + minute)
    }))
})
