import type * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import { globalValue } from "effect/GlobalValue"
import * as Redacted from "effect/Redacted"
import type { KeyObject } from "node:crypto"
import { CredentialsError } from "../Credentials.js"
import type { Options, ProviderToken, Token, TypeId as ProviderTokenTypeId } from "../ProviderToken.js"
import { TokenRefreshRefused } from "../ProviderToken.js"
import { tokenKey } from "./credentials.js"

// Not imported: the two modules import each other, and the class below needs it while they are being loaded.
const TypeId: ProviderTokenTypeId = "~@effect-apns/core/ProviderToken"

const minute = 60_000
// Apple, "Establishing a token-based connection to APNs": refresh not more than once every 20 minutes and not less than
// once every 60 minutes.
const quietPeriod = 20 * minute
const lifetime = 60 * minute
const defaultRefreshAfter = 50 * minute

/** What made the signer sign: somebody asked for a token, or APNs called the last one expired. */
type Trigger = "regular" | "expired"

// Loaded when it is needed, and not by everyone who has the library: it would be a good part of what importing costs.
const loadJose = () => import("jose")

// The header is a private field behind a getter: it is read for every request, yet neither JSON nor inspection shows it.
class SignedToken implements Token {
  readonly #header: string
  readonly jwt: Redacted.Redacted<string>
  readonly expiresAt: number

  constructor(jwt: string, readonly issuedAt: number, readonly refreshAt: number) {
    this.#header = `bearer ${jwt}`
    this.jwt = Redacted.make(jwt)
    this.expiresAt = issuedAt + lifetime
  }

  get header(): string {
    return this.#header
  }
}

// A clock that was set back by more than the period counts as one that moved on: nobody waits for it to catch up.
const within = (period: number, since: number, now: number): boolean => Math.abs(now - since) < period

class Signer implements ProviderToken {
  readonly [TypeId]: ProviderTokenTypeId = TypeId
  readonly #clock: Clock.Clock
  readonly #key: KeyObject
  refreshAfter = lifetime
  #token: Token | undefined
  #lastTrigger: Trigger = "regular"
  #heldBackAt = Number.NEGATIVE_INFINITY
  #pending: Deferred.Deferred<Token, CredentialsError> | undefined
  #count = 0

  constructor(clock: Clock.Clock, key: KeyObject, readonly keyId: string, readonly teamId: string) {
    this.#clock = clock
    this.#key = key
  }

  readonly unsafeCurrent = (): Token | undefined => this.#token

  readonly signings: Effect.Effect<number> = Effect.sync(() => this.#count)

  readonly current: Effect.Effect<Token, CredentialsError> = Effect.suspend(() => {
    const now = this.#clock.unsafeCurrentTimeMillis()
    if (this.#pending !== undefined) {
      return Deferred.await(this.#pending)
    }
    if (this.#token === undefined) {
      return this.sign("regular")
    }
    const age = now - this.#token.issuedAt
    const isFresh = age < this.refreshAfter && age > -quietPeriod
    return isFresh || within(quietPeriod, this.#heldBackAt, now) ? Effect.succeed(this.#token) : this.sign("regular")
  })

  readonly expired = (token: Token): Effect.Effect<Token, TokenRefreshRefused> =>
    Effect.suspend(() => {
      const now = this.#clock.unsafeCurrentTimeMillis()
      if (this.#pending !== undefined) {
        return this.orRefused(Deferred.await(this.#pending), token)
      }
      const last = this.#token
      if (last === undefined || last !== token) {
        return last === undefined ? this.orRefused(this.sign("regular"), token) : Effect.succeed(last)
      }
      if (within(quietPeriod, this.#heldBackAt, now)) {
        return this.refuse("TooManyUpdates", last, this.#heldBackAt + quietPeriod)
      }
      if (this.#lastTrigger === "expired" && within(quietPeriod, last.issuedAt, now)) {
        return this.refuse("SignedRecently", last, last.issuedAt + quietPeriod)
      }
      return this.orRefused(this.sign("expired"), last)
    })

  readonly tooManyUpdates = (_token: Token): Effect.Effect<void> =>
    Effect.sync(() => {
      this.#heldBackAt = this.#clock.unsafeCurrentTimeMillis()
    })

  // The fiber that signs belongs to nobody: a caller that is interrupted leaves the others their token.
  private sign(trigger: Trigger): Effect.Effect<Token, CredentialsError> {
    return Effect.uninterruptibleMask((restore) => {
      const pending = Deferred.unsafeMake<Token, CredentialsError>(FiberId.none)
      this.#pending = pending
      return this.jwt(this.#clock.unsafeCurrentTimeMillis()).pipe(
        Effect.onExit((exit) =>
          Effect.sync(() => {
            this.#pending = undefined
            if (Exit.isSuccess(exit)) {
              this.#token = exit.value
              this.#lastTrigger = trigger
              this.#count++
            }
            Deferred.unsafeDone(pending, exit)
          })
        ),
        Effect.forkDaemon,
        Effect.zipRight(restore(Deferred.await(pending)))
      )
    })
  }

  private jwt(issuedAt: number): Effect.Effect<Token, CredentialsError> {
    return Effect.tryPromise({
      try: async () => {
        const { SignJWT } = await loadJose()
        return new SignJWT()
          .setProtectedHeader({ alg: "ES256", kid: this.keyId })
          .setIssuer(this.teamId)
          .setIssuedAt(Math.floor(issuedAt / 1000))
          .sign(this.#key)
      },
      catch: (cause) =>
        new CredentialsError({
          reason: "SigningFailed",
          source: `key ${this.keyId}`,
          message: `Signing with key ${this.keyId} failed: give the .p8 file of an APNs key`,
          cause
        })
    }).pipe(Effect.map((jwt) => new SignedToken(jwt, issuedAt, issuedAt + this.refreshAfter)))
  }

  private orRefused(
    signing: Effect.Effect<Token, CredentialsError>,
    token: Token
  ): Effect.Effect<Token, TokenRefreshRefused> {
    return Effect.catchAll(signing, (error) => this.refuse("SigningFailed", token, token.issuedAt, error))
  }

  private refuse(
    reason: TokenRefreshRefused["reason"],
    token: Token,
    retryAt: number,
    error?: CredentialsError
  ): Effect.Effect<never, TokenRefreshRefused> {
    const { keyId, teamId } = this
    const until = new Date(retryAt).toISOString()
    const message = reason === "SignedRecently"
      ? `APNs calls the token of key ${keyId} expired although it was signed at ${
        new Date(token.issuedAt).toISOString()
      }: check the clock of this machine (no new token before ${until})`
      : reason === "TooManyUpdates"
      ? `APNs got too many new tokens of team ${teamId}: sign in one process only, and wait until ${until}`
      : `No new token for key ${keyId}: ${error?.message ?? "signing failed"}`
    return Effect.fail(
      new TokenRefreshRefused({
        reason,
        keyId,
        teamId,
        issuedAt: token.issuedAt,
        retryAt,
        message,
        ...(error === undefined ? {} : { cause: error })
      })
    )
  }
}

// A global value, so that two copies of this module (ESM reloaded by a test runner, two versions of a dependency) still
// share one signer for each key. By Clock, so that every TestClock has tokens of its own.
const signers = globalValue(
  "@effect-apns/core/ProviderToken/signers",
  () => new WeakMap<Clock.Clock, Map<string, Signer>>()
)

export const make = (options: Options): Effect.Effect<ProviderToken, CredentialsError> =>
  Effect.gen(function*() {
    const refreshAfter = options.refreshAfter === undefined
      ? defaultRefreshAfter
      : Duration.toMillis(options.refreshAfter)
    if (!(refreshAfter >= quietPeriod && refreshAfter <= lifetime)) {
      return yield* new CredentialsError({
        reason: "InvalidRefreshAge",
        source: "refreshAfter",
        message: `Tokens cannot be refreshed at an age of ${
          Duration.format(Duration.millis(refreshAfter))
        }: give a duration from 20 to 60 minutes`
      })
    }
    const { identity, key } = yield* Either.mapLeft(
      tokenKey(Redacted.value(options.key), options.keyId, options.teamId, "the key given"),
      (problem) => new CredentialsError(problem)
    )
    const clock = yield* Effect.clock
    const ofClock = signers.get(clock) ?? new Map<string, Signer>()
    signers.set(clock, ofClock)
    const signer = ofClock.get(identity) ?? new Signer(clock, key, options.keyId, options.teamId)
    ofClock.set(identity, signer)
    signer.refreshAfter = Math.min(signer.refreshAfter, refreshAfter)
    return signer
  })
