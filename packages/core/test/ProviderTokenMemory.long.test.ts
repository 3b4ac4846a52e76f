import * as ProviderToken from "@effect-apns/core/ProviderToken"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, TestClock } from "effect"
import * as crypto from "node:crypto"
import * as v8 from "node:v8"
import * as vm from "node:vm"

v8.setFlagsFromString("--expose-gc")
const collectGarbage: () => void = vm.runInNewContext("gc")

const key = Redacted.make(
  crypto.generateKeyPairSync("ec", {
    namedCurve: "P-256",
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" }
  }).privateKey
)

const teamId = (index: number) => index.toString(36).toUpperCase().padStart(10, "T")

const ofTeam = (index: number, sharing: "processes" | "none") =>
  ProviderToken.make({ key, keyId: "ABC123DEFG", teamId: teamId(index), sharing })

/** What is only reachable weakly goes when the job that looked at it has ended. */
const collected = Effect.promise(() => new Promise((resolve) => setImmediate(resolve))).pipe(
  Effect.zipRight(Effect.sync(collectGarbage)),
  Effect.repeatN(2)
)

const countAlive = (refs: ReadonlyArray<WeakRef<ProviderToken.ProviderToken>>) =>
  refs.filter((ref) => ref.deref() !== undefined).length

const used = (indices: ReadonlyArray<number>, sharing: "processes" | "none") =>
  Effect.forEach(indices, (index) =>
    Effect.gen(function*() {
      const signer = yield* ofTeam(index, sharing)
      if (sharing === "none") yield* signer.current
      return new WeakRef(signer)
    }))

const range = (from: number, count: number) => Array.from({ length: count }, (_, index) => from + index)

describe("the provider tokens of many tenants", () => {
  it.effect("not used any more -> forgotten, whatever their number", () =>
    Effect.gen(function*() {
      for (const round of range(0, 3)) {
        const refs = yield* used(range(round * 100, 100), "processes")
        yield* collected
        assert.isBelow(countAlive(refs), 5)
      }
    }))

  it.effect("still used -> the same token", () =>
    Effect.gen(function*() {
      const mine = yield* ofTeam(0, "processes")
      yield* used(range(1, 140), "processes")
      yield* collected
      assert.strictEqual(yield* ofTeam(0, "processes"), mine)
    }))

  it.effect("unused, with tokens signed for one process -> kept for the hour of the token, then forgotten", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(1_700_000_000_000)
      const refs = yield* used(range(0, 100), "none")
      yield* used(range(100, 100), "none")
      yield* collected
      assert.strictEqual(countAlive(refs), 100)
      yield* TestClock.adjust("61 minutes")
      // many others, so that the signers are looked through
      yield* used(range(1_000, 220), "processes")
      yield* collected
      assert.isBelow(countAlive(refs), 5)
    }))

  it.effect("after a refusal -> kept for 20 minutes, so that no second new token is made", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(1_700_000_000_000)
      const refused = Effect.gen(function*() {
        const signer = yield* ofTeam(0, "processes")
        const token = yield* signer.current
        yield* signer.expired(token)
        return new WeakRef(signer)
      })
      const ref = yield* refused
      yield* used(range(1, 140), "processes")
      yield* collected
      assert.isDefined(ref.deref())
      const again = yield* ofTeam(0, "processes")
      const error = yield* Effect.flip(Effect.flatMap(again.current, again.expired))
      assert.strictEqual(error.reason, "SignedRecently")
    }))

  it.effect("with a token that all processes share -> forgotten; 20 minutes after a refusal, too", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(1_700_000_000_000)
      const shared = (index: number, isRefused: boolean) =>
        Effect.gen(function*() {
          const signer = yield* ofTeam(index, "processes")
          const token = yield* signer.current
          if (isRefused) yield* signer.expired(token)
          return new WeakRef(signer)
        })
      const plain = yield* Effect.forEach(range(0, 20), (index) => shared(index, false))
      const refused = yield* Effect.forEach(range(20, 20), (index) => shared(index, true))
      yield* collected
      assert.deepStrictEqual([countAlive(plain) < 5, countAlive(refused)], [true, 20])
      yield* TestClock.adjust("21 minutes")
      yield* used(range(1_000, 140), "processes")
      yield* collected
      assert.isBelow(countAlive(refused), 5)
    }))

  it.effect("APNs asked for fewer tokens -> kept for 20 minutes, with a token or without, then forgotten", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(1_700_000_000_000)
      const token = yield* Effect.flatMap(ofTeam(999, "processes"), ({ current }) => current)
      const heldBack = (index: number, sharing: "processes" | "none") =>
        Effect.gen(function*() {
          const signer = yield* ofTeam(index, sharing)
          yield* signer.tooManyUpdates(token)
          return new WeakRef(signer)
        })
      const refs = [
        ...(yield* Effect.forEach(range(0, 10), (index) => heldBack(index, "processes"))),
        ...(yield* Effect.forEach(range(0, 10), (index) => heldBack(index, "none")))
      ]
      yield* used(range(1_000, 140), "processes")
      yield* collected
      assert.strictEqual(countAlive(refs), 20)
      yield* TestClock.adjust("21 minutes")
      yield* used(range(2_000, 220), "processes")
      yield* collected
      assert.isBelow(countAlive(refs), 5)
    }))
})
