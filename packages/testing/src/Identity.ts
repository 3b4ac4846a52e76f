/**
 * What clients know a mock by: its key, its ids and its certificate. Kept in a directory, they are the same at its next
 * start, so that clients need no new settings.
 *
 * @example
 * ```ts
 * import { Identity, MockApns } from "@effect-apns/testing"
 * import { Effect } from "effect"
 *
 * const mock = Effect.flatMap(Identity.keep("./mock"), MockApns.make)
 * console.log(Effect.isEffect(mock))
 * ```
 *
 * @since 1.0.0
 */
import type * as PlatformError from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { X509Certificate } from "node:crypto"
import * as Certificates from "./Certificates.js"
import * as ProviderKey from "./ProviderKey.js"

/**
 * The options of `MockApns.make` that make it the same mock at each start.
 *
 * @since 1.0.0
 * @category models
 */
export interface Identity {
  readonly key: ProviderKey.ProviderKey
  readonly tls: { readonly cert: string; readonly key: string; readonly ca: string }
}

const Kept = Schema.Struct({
  key: Schema.Struct({ key: Schema.String, keyId: Schema.String, teamId: Schema.String }),
  tls: Schema.Struct({ cert: Schema.String, key: Schema.String, ca: Schema.String })
})

const decode = Schema.decodeUnknownOption(Schema.parseJson(Kept))

/**
 * The name of the file in the directory. It holds private keys, and only its owner can read it.
 *
 * @since 1.0.0
 * @category constants
 */
export const fileName = "identity.json"

const week = 7 * 24 * 60 * 60 * 1000

const isValidAt = (now: number, cert: string): boolean => {
  try {
    return new Date(new X509Certificate(cert).validTo).getTime() > now + week
  } catch {
    return false
  }
}

/**
 * The identity that is kept in a directory, made where there is none yet. A certificate that has less than a week left
 * is replaced, together with its authority; the key stays the same. A file that cannot be read is replaced.
 *
 * @since 1.0.0
 * @category constructors
 */
export const keep = (
  directory: string
): Effect.Effect<Identity, PlatformError.PlatformError, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const file = `${directory}/${fileName}`
    const kept = yield* fs.readFileString(file).pipe(
      Effect.map(decode),
      Effect.catchIf(
        (error) => error._tag === "SystemError" && error.reason === "NotFound",
        () => Effect.succeed(Option.none<typeof Kept.Type>())
      )
    )
    // the wall clock, which the TLS library uses to check the certificate
    const now = yield* Effect.withClock(Clock.currentTimeMillis, Clock.make())
    if (Option.isSome(kept) && isValidAt(now, kept.value.tls.cert)) return kept.value
    const authority = yield* Certificates.makeAuthority()
    const identity: Identity = {
      key: Option.isSome(kept) ? kept.value.key : yield* ProviderKey.make(),
      tls: { ...authority.server(), ca: authority.ca }
    }
    yield* fs.makeDirectory(directory, { recursive: true })
    // written completely or not at all, and never readable by others
    const draft = `${file}.${process.pid}`
    yield* fs.writeFileString(draft, JSON.stringify(identity, undefined, 2) + "\n", { mode: 0o600 })
    yield* fs.rename(draft, file)
    return identity
  })
