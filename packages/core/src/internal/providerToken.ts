import { TimeSpan } from "@effect-apns/models"
import type * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import { globalValue } from "effect/GlobalValue"
import * as Redacted from "effect/Redacted"
import type { KeyObject } from "node:crypto"
import type { Sharing } from "../Credentials.js"
import { CredentialsError } from "../Credentials.js"
import type { Options, ProviderToken, Token, TypeId as ProviderTokenTypeId } from "../ProviderToken.js"
import { contentOf, noContent, tokenKey } from "./credentials.js"
import * as jwt from "./jwt.js"
import { TokenRefreshRefused } from "./tokenRefreshRefused.js"

// Not imported: the two modules import each other, and the class below needs it while they are being loaded.
const TypeId: ProviderTokenTypeId = "~@effect-apns/core/ProviderToken"

const minute = 60_000
// Apple, "Establishing a token-based connection to APNs": refresh not more than once every 20 minutes and not less than
// once every 60 minutes.
const quietPeriod = 20 * minute
const lifetime = 60 * minute
const defaultRefreshAfter = 50 * minute

/** All processes that have the key make the same token for each span of this length, counted from the epoch. */
const windowLength = 30 * minute
/** No connection sends an older token: an hour, less the difference of clocks and the time that a request may wait. */
const maxAge = 55 * minute

const windowOf = (now: number): number => Math.floor(now / windowLength) * windowLength

// The header is a private field behind a getter: it is read for every request, but JSON and inspection do not show it.
class SignedToken implements Token {
  readonly #header: string
  readonly jwt: Redacted.Redacted<string>
  readonly issuedAt: DateTime.Utc
  readonly refreshAt: DateTime.Utc
  readonly expiresAt: DateTime.Utc
  isRefused = false

  constructor(
    jwt: string,
    issuedAt: number,
    refreshAt: number,
    private readonly leastHold: number
  ) {
    this.#header = `bearer ${jwt}`
    this.jwt = Redacted.make(jwt)
    this.issuedAt = DateTime.unsafeMake(issuedAt)
    this.refreshAt = DateTime.unsafeMake(refreshAt)
    this.expiresAt = DateTime.unsafeMake(issuedAt + lifetime)
  }

  get header(): string {
    return this.#header
  }

  changeAt(since: DateTime.Utc): DateTime.Utc {
    const refreshAt = this.refreshAt.epochMillis
    const latest = Math.max(refreshAt, this.issuedAt.epochMillis + maxAge)
    return DateTime.unsafeMake(Math.min(Math.max(refreshAt, since.epochMillis + this.leastHold), latest))
  }
}

// If the clock was set back by more than the period, the period counts as over: otherwise signing would wait for hours.
const within = (period: number, since: number, now: number): boolean => Math.abs(now - since) < period

class Signer implements ProviderToken {
  readonly [TypeId]: ProviderTokenTypeId = TypeId
  readonly #clock: Clock.Clock
  readonly #key: KeyObject
  readonly #kept: Set<Signer>
  refreshAfter = lifetime
  #token: SignedToken | undefined
  #resignedAt = Number.NEGATIVE_INFINITY
  #heldUntil = Number.NEGATIVE_INFINITY
  /** The last token of which APNs said that it came too early. */
  #heldToken: SignedToken | undefined
  #pending: Deferred.Deferred<Token, CredentialsError> | undefined
  #count = 0

  constructor(
    clock: Clock.Clock,
    key: KeyObject,
    readonly keyId: string,
    readonly teamId: string,
    readonly sharing: Sharing,
    kept: Set<Signer>
  ) {
    this.#clock = clock
    this.#key = key
    this.#kept = kept
  }

  readonly unsafeCurrent = (): Token | undefined => this.#token

  readonly signings: Effect.Effect<number> = Effect.sync(() => this.#count)

  readonly current: Effect.Effect<Token, CredentialsError> = Effect.suspend(() => {
    const now = this.#clock.unsafeCurrentTimeMillis()
    if (this.#pending !== undefined) {
      return Deferred.await(this.#pending)
    }
    const token = this.#token
    if (token === undefined) {
      return this.sign(this.regular(now))
    }
    return this.isFresh(token, now) || this.isHeldBack(now)
      ? Effect.succeed(token)
      : this.sign(this.regular(now))
  })

  /**
   * Whether a second signer of the same key could make one token too many: while this one signs, while its token cannot be
   * made by others and is fresh, and for 20 minutes after a token was refused.
   */
  mustBeKept(now: number): boolean {
    if (this.#pending !== undefined || within(quietPeriod, this.#resignedAt, now)) return true
    if (this.isHeldBack(now)) return true
    const token = this.#token
    return this.sharing === "none" && token !== undefined && within(lifetime, token.issuedAt.epochMillis, now)
  }

  /** Whether APNs has seen too many tokens lately, so that none is signed. */
  private isHeldBack(now: number): boolean {
    const left = this.#heldUntil - now
    return left > 0 && left <= quietPeriod
  }

  private isFresh(token: Token, now: number): boolean {
    const age = now - token.issuedAt.epochMillis
    if (age <= -quietPeriod) return false
    return this.sharing === "processes" ? now < token.refreshAt.epochMillis : age < this.refreshAfter
  }

  readonly expired = (token: Token): Effect.Effect<Token, TokenRefreshRefused> =>
    Effect.suspend(() => {
      const now = this.#clock.unsafeCurrentTimeMillis()
      if (this.#pending !== undefined) {
        return this.orRefused(Deferred.await(this.#pending), token)
      }
      const last = this.#token
      if (last === undefined || last !== token) {
        return last === undefined ? this.orRefused(this.sign(this.regular(now)), token) : Effect.succeed(last)
      }
      if (this.isHeldBack(now)) {
        return this.refuse("TooManyUpdates", last, this.#heldUntil)
      }
      // The other processes have the token of the newest window. Only if that one was refused, sign one for this process.
      if (this.sharing === "processes" && now >= last.refreshAt.epochMillis) {
        return this.orRefused(this.sign(this.regular(now), last), last)
      }
      if (within(quietPeriod, this.#resignedAt, now)) {
        return this.refuse("SignedRecently", last, this.#resignedAt + quietPeriod)
      }
      return this.orRefused(this.sign(this.issuedForThisProcess(now, last), last, now), last)
    })

  readonly tooManyUpdates = (_token: Token): Effect.Effect<void> =>
    Effect.sync(() => {
      const now = this.#clock.unsafeCurrentTimeMillis()
      const token = this.#token
      // Said again of the same token, it puts off the next one only while this one can be used: where APNs says it all the
      // time, the token would expire otherwise, and none would ever follow.
      const latest = token !== undefined && token === this.#heldToken
        ? Math.max(this.#heldUntil, token.issuedAt.epochMillis + maxAge)
        : Number.POSITIVE_INFINITY
      this.#heldUntil = Math.min(now + quietPeriod, latest)
      this.#heldToken = token
      this.#kept.add(this)
    })

  /** When the token that is due now was issued. */
  private regular(now: number): number {
    return this.sharing === "processes" ? windowOf(now) : now
  }

  /** Like {@link regular}, for a token that must differ from the refused one. */
  private issuedForThisProcess(now: number, refused: Token): number {
    const isSameSecond = Math.floor(now / 1000) === Math.floor(refused.issuedAt.epochMillis / 1000)
    return this.sharing === "processes" && isSameSecond ? now - 1000 : now
  }

  // Signing runs in its own fiber: if one caller is interrupted, the others still get the token.
  private sign(issuedAt: number, refused?: SignedToken, resignedAt?: number): Effect.Effect<Token, CredentialsError> {
    return Effect.uninterruptibleMask((restore) => {
      const pending = Deferred.unsafeMake<Token, CredentialsError>(FiberId.none)
      this.#pending = pending
      return this.make(issuedAt).pipe(
        Effect.onExit((exit) =>
          Effect.sync(() => {
            this.#pending = undefined
            if (Exit.isSuccess(exit)) {
              if (refused !== undefined) refused.isRefused = true
              if (resignedAt !== undefined) this.#resignedAt = resignedAt
              this.#token = exit.value
              this.#count++
              if (resignedAt !== undefined || this.sharing === "none") this.#kept.add(this)
            }
            Deferred.unsafeDone(pending, exit)
          })
        ),
        Effect.forkDaemon,
        Effect.zipRight(restore(Deferred.await(pending)))
      )
    })
  }

  private make(issuedAt: number): Effect.Effect<SignedToken, CredentialsError> {
    const { keyId, teamId } = this
    const isShared = this.sharing === "processes"
    const refreshAt = isShared
      ? windowOf(this.#clock.unsafeCurrentTimeMillis()) + windowLength
      : issuedAt + this.refreshAfter
    const claims = { keyId, teamId, issuedAt: Math.floor(issuedAt / 1000) }
    return Effect.tryPromise({
      try: () => isShared ? jwt.deterministic(this.#key, claims) : jwt.randomized(this.#key, claims),
      catch: (cause) =>
        new CredentialsError({
          reason: "SigningFailed",
          source: `key ${keyId}`,
          message: `Signing with key ${keyId} failed: give the .p8 file of an APNs key`,
          cause
        })
    }).pipe(Effect.map((jwt) => new SignedToken(jwt, issuedAt, refreshAt, isShared ? quietPeriod : 0)))
  }

  private orRefused(
    signing: Effect.Effect<Token, CredentialsError>,
    token: Token
  ): Effect.Effect<Token, TokenRefreshRefused> {
    return Effect.catchAll(signing, (error) => this.refuse("SigningFailed", token, token.issuedAt.epochMillis, error))
  }

  private refuse(
    reason: TokenRefreshRefused["reason"],
    token: Token,
    retryAt: number,
    error?: CredentialsError
  ): Effect.Effect<never, TokenRefreshRefused> {
    const { keyId, teamId } = this
    const at = DateTime.unsafeMake(retryAt)
    const until = DateTime.formatIso(at)
    const message = reason === "SignedRecently"
      ? `APNs calls the token of key ${keyId} expired although it was signed at ${
        DateTime.formatIso(token.issuedAt)
      }: check the clock of this machine (no new token before ${until})`
      : reason === "TooManyUpdates"
      ? `APNs got too many new tokens of team ${teamId}: wait until ${until}, and let every process that signs with key ` +
        `${keyId} make the same tokens (sharing: "processes", the default here)`
      : `No new token for key ${keyId}: ${error?.message ?? "signing failed"}`
    return Effect.fail(
      new TokenRefreshRefused({
        reason,
        keyId,
        teamId,
        issuedAt: token.issuedAt,
        retryAt: at,
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
  () => new WeakMap<Clock.Clock, Signers>()
)

/**
 * The signers that are in use, and those that must not be made again yet: APNs accepts one new token of a key in 20
 * minutes, so a signer must remember the last ones. Others are removed: otherwise a process with a key for each of its
 * tenants would keep all signers that it ever used.
 */
class Signers {
  readonly #known = new Map<string, WeakRef<Signer>>()
  readonly kept = new Set<Signer>()
  #sweepAt = 64

  get(name: string): Signer | undefined {
    return this.#known.get(name)?.deref()
  }

  add(name: string, signer: Signer, now: number): void {
    if (this.#known.size >= this.#sweepAt) this.sweep(now)
    this.#known.set(name, new WeakRef(signer))
  }

  /** Checks every signer, but only each time that their number has doubled. */
  private sweep(now: number): void {
    for (const signer of this.kept) {
      if (!signer.mustBeKept(now)) this.kept.delete(signer)
    }
    for (const [name, signer] of this.#known) {
      if (signer.deref() === undefined) this.#known.delete(name)
    }
    this.#sweepAt = Math.max(64, 2 * this.#known.size)
  }
}

/** Milliseconds of the option `refreshAfter`. */
const refreshAge = (given: unknown): Effect.Effect<number, CredentialsError> => {
  const invalid = (message: string) =>
    new CredentialsError({ reason: "InvalidRefreshAge", source: "refreshAfter", message })
  if (given === undefined) return Effect.succeed(defaultRefreshAfter)
  return Either.match(TimeSpan.decode(given), {
    onLeft: (advice) => invalid(`The option \`refreshAfter\` is no span of time: ${advice}`),
    onRight: (age) => {
      const millis = Duration.toMillis(age)
      return millis >= quietPeriod && millis <= lifetime ? Effect.succeed(millis) : invalid(
        `Tokens cannot be refreshed at an age of ${Duration.format(age)}: give a span of time from 20 to 60 minutes`
      )
    }
  })
}

export const make = (options: Options): Effect.Effect<ProviderToken, CredentialsError> =>
  Effect.gen(function*() {
    if (typeof options !== "object" || options === null) {
      return yield* new CredentialsError(noContent("What is given to ProviderToken.make"))
    }
    const refreshAfter = yield* refreshAge(options.refreshAfter)
    // a caller with its own `refreshAfter` gets its own tokens
    const sharing = options.sharing ?? (options.refreshAfter === undefined ? "processes" : "none")
    const { identity, key } = yield* Either.mapLeft(
      Either.flatMap(
        Either.fromNullable(contentOf(options.key), () => noContent("the key given")),
        (text) => tokenKey(text, options.keyId, options.teamId, "the key given")
      ),
      (problem) => new CredentialsError(problem)
    )
    const clock = yield* Effect.clock
    const ofClock = signers.get(clock) ?? new Signers()
    signers.set(clock, ofClock)
    const name = `${sharing} ${identity}`
    const existing = ofClock.get(name)
    const signer = existing ?? new Signer(clock, key, options.keyId, options.teamId, sharing, ofClock.kept)
    if (existing === undefined) ofClock.add(name, signer, clock.unsafeCurrentTimeMillis())
    signer.refreshAfter = Math.min(signer.refreshAfter, refreshAfter)
    return signer
  })
