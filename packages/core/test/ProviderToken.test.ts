import * as Credentials from "@effect-apns/core/Credentials"
import * as ProviderToken from "@effect-apns/core/ProviderToken"
import { assert, describe, it, vi } from "@effect/vitest"
import { Config, ConfigProvider, Duration, Effect, Exit, Fiber, Redacted, TestClock } from "effect"
import { decodeJwt, decodeProtectedHeader, importSPKI, jwtVerify } from "jose"
import * as crypto from "node:crypto"
import nodeCrypto from "node:crypto"
import { syncBuiltinESMExports } from "node:module"
import * as util from "node:util"

const pair = () =>
  crypto.generateKeyPairSync("ec", {
    namedCurve: "P-256",
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" }
  })

const keys = pair()
const options = { key: Redacted.make(keys.privateKey), keyId: "ABC123DEFG", teamId: "DEF123GHIJ" }

const start = 1_700_000_000_000

// Real clocks do not start at 0, and neither do these tests.
const signer = (extra?: Partial<ProviderToken.Options>) =>
  Effect.zipRight(TestClock.setTime(start), ProviderToken.make({ ...options, sharing: "none", ...extra }))

describe("ProviderToken signed for one process", () => {
  describe("the JWT", () => {
    it.effect("has what Apple requires and nothing else: ES256, kid, iss, a numeric iat", () =>
      Effect.gen(function*() {
        const { current } = yield* signer()
        const token = yield* current
        const jwt = Redacted.value(token.jwt)
        assert.deepStrictEqual({ ...decodeProtectedHeader(jwt) }, { alg: "ES256", kid: "ABC123DEFG" })
        assert.deepStrictEqual({ ...decodeJwt(jwt) }, { iss: "DEF123GHIJ", iat: 1_700_000_000 })
        assert.strictEqual(token.header, `bearer ${jwt}`)
        assert.strictEqual(token.issuedAt.epochMillis, start)
        assert.strictEqual(token.refreshAt.epochMillis, start + 50 * 60_000)
        assert.strictEqual(token.expiresAt.epochMillis, start + 60 * 60_000)
      }))

    it.effect("verifies with jose, and with node:crypto as the raw r||s of RFC 7518 section 3.4", () =>
      Effect.gen(function*() {
        const { current } = yield* signer()
        const jwt = Redacted.value((yield* current).jwt)
        const key = yield* Effect.promise(() => importSPKI(keys.publicKey, "ES256"))
        yield* Effect.promise(() => jwtVerify(jwt, key, { currentDate: new Date(start) }))
        const [header, payload, signature] = jwt.split(".")
        const raw = Buffer.from(signature ?? "", "base64url")
        assert.strictEqual(raw.length, 64)
        const verify = (text: string) =>
          crypto.verify("sha256", Buffer.from(text), { key: keys.publicKey, dsaEncoding: "ieee-p1363" }, raw)
        assert.isTrue(verify(`${header}.${payload}`))
        assert.isFalse(verify(`${header}.${payload}x`))
      }))

    it.effect("inspection and JSON contain neither the JWT nor the key", () =>
      Effect.gen(function*() {
        const made = yield* signer()
        const token = yield* made.current
        const jwt = Redacted.value(token.jwt)
        const shown = [String(token.jwt), JSON.stringify(token.jwt), util.inspect(token.jwt)].join()
        assert.notInclude(shown, jwt)
        const secret = keys.privateKey.split("\n")[1] ?? "?"
        const inspect = (u: unknown) => util.inspect(u, { depth: 10, showHidden: true })
        for (const text of [JSON.stringify([made, token]), inspect(made), inspect(token), String(made)]) {
          assert.notInclude(text, jwt)
          assert.notInclude(text, secret)
        }
      }))
  })

  describe("refresh", () => {
    it.effect("the token is reused at 48 minutes and replaced at 56", () =>
      Effect.gen(function*() {
        const { current, signings, unsafeCurrent } = yield* signer()
        assert.isUndefined(unsafeCurrent())
        const first = yield* current
        yield* TestClock.adjust("48 minutes")
        assert.strictEqual(yield* current, first)
        assert.strictEqual(unsafeCurrent(), first)
        assert.strictEqual(yield* signings, 1)
        yield* TestClock.adjust("8 minutes")
        const second = yield* current
        assert.strictEqual(second.issuedAt.epochMillis, first.issuedAt.epochMillis + 56 * 60_000)
        assert.notStrictEqual(second.header, first.header)
        assert.strictEqual(yield* signings, 2)
      }))

    it.effect("refreshAfter -> replaced exactly at that age", () =>
      Effect.gen(function*() {
        const { current } = yield* signer({ refreshAfter: "20 minutes" })
        const first = yield* current
        yield* TestClock.adjust("1199999 millis")
        assert.strictEqual(yield* current, first)
        yield* TestClock.adjust("1 millis")
        assert.notStrictEqual(yield* current, first)
      }))

    it.effect("refreshAfter from 20 to 60 minutes -> accepted, others refused", () =>
      Effect.gen(function*() {
        for (const refreshAfter of ["20 minutes", "60 minutes"] as const) {
          yield* signer({ refreshAfter })
        }
        const others = [
          "1199999 millis",
          "3600001 millis",
          "0 millis",
          Duration.infinity,
          Duration.millis(1e302)
        ] as const
        for (const refreshAfter of others) {
          const error = yield* Effect.flip(signer({ refreshAfter }))
          assert.strictEqual(error.reason, "InvalidRefreshAge")
          assert.include(error.message, "from 20 to 60 minutes")
        }
      }))

    it.effect("a number without a unit -> refused", () =>
      Effect.gen(function*() {
        const options: object = { refreshAfter: 30 * 60_000 }
        const error = yield* Effect.flip(signer(options))
        assert.strictEqual(error.reason, "InvalidRefreshAge")
        assert.include(error.message, "\"10 seconds\"")
      }))

    it.effect("the clock is set back far -> a new token", () =>
      Effect.gen(function*() {
        const { current } = yield* signer()
        const first = yield* current
        yield* TestClock.setTime(start - 5 * 60 * 60_000)
        assert.isBelow((yield* current).issuedAt.epochMillis, first.issuedAt.epochMillis)
      }))
  })

  describe("one signer", () => {
    it.effect("the same key and Clock -> shared", () =>
      Effect.gen(function*() {
        const one = yield* signer()
        const two = yield* signer()
        assert.strictEqual(yield* one.current, yield* two.current)
        assert.strictEqual(yield* two.signings, 1)
      }))

    it.effect("another team, key id or key -> not shared", () =>
      Effect.gen(function*() {
        const made = [
          yield* signer(),
          yield* signer({ teamId: "OTHERTEAM1" }),
          yield* signer({ keyId: "OTHERKEY12" }),
          yield* signer({ key: Redacted.make(pair().privateKey) })
        ]
        const headers = yield* Effect.forEach(made, (_) => Effect.map(_.current, ({ header }) => header))
        assert.strictEqual(new Set(headers).size, 4)
      }))

    it.effect("another Clock -> not shared", () =>
      Effect.gen(function*() {
        const { current, signings } = yield* signer()
        assert.strictEqual(yield* signings, 0)
        yield* current
        assert.strictEqual(yield* signings, 1)
      }))

    it.effect("any number of concurrent callers -> one signature", () =>
      Effect.gen(function*() {
        const { current, signings } = yield* signer()
        const tokens = yield* Effect.all(Array.from({ length: 100 }, () => current), { concurrency: "unbounded" })
        assert.strictEqual(new Set(tokens).size, 1)
        assert.strictEqual(yield* signings, 1)
      }))

    it.effect("the caller that started signing is interrupted -> the others still get their token", () =>
      Effect.gen(function*() {
        const { current, signings } = yield* signer()
        const leader = yield* Effect.fork(current)
        yield* Effect.yieldNow()
        const follower = yield* Effect.fork(current)
        yield* Effect.yieldNow()
        assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(leader)))
        assert.isString((yield* Fiber.join(follower)).header)
        assert.strictEqual(yield* signings, 1)
      }))
  })

  describe("ExpiredProviderToken", () => {
    it.effect("100 concurrent reports -> exactly one new token", () =>
      Effect.gen(function*() {
        const { current, expired, signings } = yield* signer()
        const old = yield* current
        const fresh = yield* Effect.all(Array.from({ length: 100 }, () => expired(old)), { concurrency: "unbounded" })
        assert.strictEqual(new Set(fresh).size, 1)
        assert.notStrictEqual(fresh[0], old)
        assert.strictEqual(yield* current, fresh[0])
        assert.strictEqual(yield* signings, 2)
      }))

    it.effect("a late report of an old token -> the current one", () =>
      Effect.gen(function*() {
        const { current, expired, signings } = yield* signer()
        const old = yield* current
        const fresh = yield* expired(old)
        yield* TestClock.adjust("30 minutes")
        assert.strictEqual(yield* expired(old), fresh)
        assert.strictEqual(yield* signings, 2)
      }))

    it.effect("a second report within 20 minutes of a new token -> refused, and no third token is made", () =>
      Effect.gen(function*() {
        const { current, expired, signings } = yield* signer()
        const fresh = yield* expired(yield* current)
        yield* TestClock.adjust("1199999 millis")
        const errors = yield* Effect.all(Array.from({ length: 100 }, () => Effect.flip(expired(fresh))), {
          concurrency: "unbounded"
        })
        for (const error of errors) {
          assert.strictEqual(error._tag, "TokenRefreshRefused")
          assert.strictEqual(error.reason, "SignedRecently")
          assert.strictEqual(error.retryAt.epochMillis, fresh.issuedAt.epochMillis + 20 * 60_000)
          assert.include(error.message, "check the clock")
          assert.notInclude(JSON.stringify(error) + error.message, Redacted.value(fresh.jwt))
        }
        assert.strictEqual(yield* signings, 2)
        yield* TestClock.adjust("1 millis")
        assert.strictEqual((yield* expired(fresh)).issuedAt.epochMillis, start + 20 * 60_000)
        assert.strictEqual(yield* signings, 3)
      }))

    it.effect("a report after a regular refresh -> a new token is allowed again", () =>
      Effect.gen(function*() {
        const { current, expired, signings } = yield* signer()
        yield* expired(yield* current)
        yield* TestClock.adjust("50 minutes")
        const regular = yield* current
        assert.notStrictEqual(yield* expired(regular), regular)
        assert.strictEqual(yield* signings, 4)
      }))

    it.effect("reported while a refresh is being signed -> waits for that token", () =>
      Effect.gen(function*() {
        const { current, expired, signings } = yield* signer()
        const old = yield* current
        yield* TestClock.adjust("50 minutes")
        const [refreshed, reported] = yield* Effect.all([current, expired(old)], { concurrency: "unbounded" })
        assert.strictEqual(refreshed, reported)
        assert.strictEqual(yield* signings, 2)
      }))

    it.effect("a refresh while a report is being served -> waits for that token", () =>
      Effect.gen(function*() {
        const { current, expired, signings } = yield* signer()
        const old = yield* current
        yield* TestClock.adjust("50 minutes")
        const [reported, refreshed] = yield* Effect.all([expired(old), current], { concurrency: "unbounded" })
        assert.strictEqual(refreshed, reported)
        assert.strictEqual(yield* signings, 2)
      }))
  })

  describe("TooManyProviderTokenUpdates", () => {
    it.effect("no signing for 20 minutes; the current token is used, even after its hour", () =>
      Effect.gen(function*() {
        const { current, expired, signings, tooManyUpdates } = yield* signer()
        const token = yield* current
        yield* TestClock.adjust("49 minutes")
        yield* tooManyUpdates(token)
        const refused = yield* Effect.flip(expired(token))
        assert.strictEqual(refused.reason, "TooManyUpdates")
        assert.strictEqual(refused.retryAt.epochMillis, start + 69 * 60_000)
        yield* TestClock.adjust("1199999 millis")
        assert.strictEqual(yield* current, token)
        assert.strictEqual(yield* signings, 1)
        yield* TestClock.adjust("1 millis")
        assert.notStrictEqual(yield* current, token)
        assert.strictEqual(yield* signings, 2)
      }))
  })

  it.effect("a key that cannot sign -> the same error as of Credentials.token", () =>
    Effect.gen(function*() {
      const rsa = crypto.generateKeyPairSync("rsa", {
        modulusLength: 2048,
        privateKeyEncoding: { type: "pkcs8", format: "pem" },
        publicKeyEncoding: { type: "spki", format: "pem" }
      })
      const error = yield* Effect.flip(signer({ key: Redacted.make(rsa.privateKey) }))
      assert.strictEqual(error.reason, "NotEcP256")
    }))

  it.effect("what is given is no object, or its key is no text -> refused, with what it is", () =>
    Effect.gen(function*() {
      for (const given of ["null", "\"key\""]) {
        assert.deepInclude(yield* Effect.flip(ProviderToken.make(JSON.parse(given))), {
          reason: "NotPem",
          source: "What is given to ProviderToken.make",
          message:
            "What is given to ProviderToken.make is neither text nor bytes: give the content of the file, as Redacted.make(text)"
        })
      }
      const noText = { ...options, key: JSON.parse("1") }
      assert.deepInclude(yield* Effect.flip(ProviderToken.make(noText)), { reason: "NotPem", source: "the key given" })
      const noKey = ProviderToken.make({ ...options, key: Redacted.make("x") })
      assert.deepInclude(yield* Effect.flip(noKey), { reason: "NotPem", source: "the key given" })
      const soon = ProviderToken.make({ ...options, refreshAfter: "1 minute" })
      assert.deepInclude(yield* Effect.flip(soon), {
        reason: "InvalidRefreshAge",
        source: "refreshAfter"
      })
    }))

  it.effect("refreshAfter of one caller is shorter than the token's own -> replaced at that age; its callers share it with sharing \"none\"", () =>
    Effect.gen(function*() {
      const first = yield* signer({ refreshAfter: "50 minutes" })
      const token = yield* first.current
      yield* TestClock.adjust("30 minutes")
      assert.strictEqual(yield* first.current, token)
      assert.strictEqual(yield* ProviderToken.make({ ...options, refreshAfter: "25 minutes" }), first)
      assert.strictEqual(yield* ProviderToken.make({ ...options, sharing: "none" }), first)
      assert.notStrictEqual(yield* first.current, token)
    }))

  it.effect("the clock is set back by less than 20 minutes -> the same token; by 20 -> a new one", () =>
    Effect.gen(function*() {
      const { current } = yield* signer()
      const token = yield* current
      yield* TestClock.setTime(start - 1_200_000 + 1)
      assert.strictEqual(yield* current, token)
      yield* TestClock.setTime(start - 1_200_000)
      assert.notStrictEqual(yield* current, token)
    }))

  it.effect("reported as expired at any age, and the next one again -> refused for 20 minutes", () =>
    Effect.gen(function*() {
      const { current, expired } = yield* signer()
      const token = yield* current
      yield* TestClock.adjust("70 minutes")
      const next = yield* expired(token)
      assert.strictEqual(next.issuedAt.epochMillis, start + 70 * 60_000)
      assert.strictEqual((yield* Effect.flip(expired(next))).reason, "SignedRecently")
    }))

  it.effect("too many updates of another signer's token, before there is one -> the first token is signed all the same", () =>
    Effect.gen(function*() {
      const other = yield* signer({ teamId: "ABC123DEFG" })
      const { current, signings, tooManyUpdates } = yield* signer()
      yield* tooManyUpdates(yield* other.current)
      yield* current
      assert.strictEqual(yield* signings, 1)
    }))

  it.effect("another signer's token is called expired, before there is one -> the first token is signed", () =>
    Effect.gen(function*() {
      const other = yield* signer({ teamId: "ABC123DEFG" })
      const { current, expired } = yield* signer()
      const token = yield* expired(yield* other.current)
      assert.strictEqual(token, yield* current)
    }))

  it.effect("too many updates, then the clock is set back by an hour -> a new token is signed", () =>
    Effect.gen(function*() {
      const { current, tooManyUpdates } = yield* signer()
      const token = yield* current
      yield* tooManyUpdates(token)
      yield* TestClock.setTime(start - 3_600_000)
      assert.notStrictEqual(yield* current, token)
    }))

  it.effect("too many updates, then the token is called expired -> refused, with what to do", () =>
    Effect.gen(function*() {
      const { current, expired, tooManyUpdates } = yield* signer()
      const token = yield* current
      yield* tooManyUpdates(token)
      const refused = yield* Effect.flip(expired(token))
      assert.strictEqual(
        refused.message,
        "APNs got too many new tokens of team DEF123GHIJ: wait until 2023-11-14T22:33:20.000Z, and let every process that signs with key ABC123DEFG make the same tokens (sharing: \"processes\", the default here)"
      )
      assert.isFalse("cause" in refused)
    }))

  it.effect("signing fails -> the error says of which key; the token there is stays, and the next attempt signs", () =>
    Effect.gen(function*() {
      const { current, expired, signings, unsafeCurrent } = yield* signer()
      const cause = new Error("the key store is gone")
      const fail = () => {
        vi.spyOn(nodeCrypto, "sign").mockImplementation(() => {
          throw cause
        })
        syncBuiltinESMExports()
      }
      const work = () => {
        vi.restoreAllMocks()
        syncBuiltinESMExports()
      }
      yield* Effect.addFinalizer(() => Effect.sync(work))
      const message = "Signing with key ABC123DEFG failed: give the .p8 file of an APNs key"
      fail()
      const first = yield* Effect.flip(current)
      assert.deepInclude(first, { reason: "SigningFailed", source: "key ABC123DEFG", message, cause })
      assert.deepStrictEqual([unsafeCurrent(), yield* signings], [undefined, 0])
      work()
      const token = yield* current
      fail()
      const refused = yield* Effect.flip(expired(token))
      assert.deepInclude(refused, {
        reason: "SigningFailed",
        keyId: "ABC123DEFG",
        issuedAt: token.issuedAt,
        retryAt: token.issuedAt,
        message: `No new token for key ABC123DEFG: ${message}`
      })
      assert.deepInclude(refused.cause, { reason: "SigningFailed" })
      assert.deepStrictEqual([unsafeCurrent(), token.isRefused, yield* signings], [token, false, 1])
      work()
      assert.notStrictEqual(yield* expired(token), token)
      assert.isTrue(token.isRefused)
    }).pipe(Effect.scoped))

  it.effect("Credentials.Token is accepted as it is, and the layer provides a ProviderToken", () =>
    Effect.gen(function*() {
      const credentials = yield* Credentials.token(options)
      const header = Effect.flatMap(ProviderToken.ProviderToken, (_) => Effect.map(_.current, (token) => token.header))
      const one = yield* Effect.provide(header, ProviderToken.layer(credentials))

      const two = yield* header.pipe(
        Effect.provide(ProviderToken.layerConfig({
          key: Config.redacted("KEY"),
          keyId: Config.string("KEY_ID"),
          teamId: Config.string("TEAM_ID")
        })),
        Effect.withConfigProvider(ConfigProvider.fromMap(
          new Map([["KEY", keys.privateKey], ["KEY_ID", options.keyId], ["TEAM_ID", options.teamId]])
        ))
      )
      assert.strictEqual(two, one)
    }))
})
