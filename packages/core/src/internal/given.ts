import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Options } from "../Connection.js"
import type { Credentials } from "../Credentials.js"
import type { Proxy } from "../Proxy.js"
import { isEffect } from "./options.js"

interface Given {
  readonly credentials: Credentials
  readonly proxy: Proxy | "env" | undefined
}

const isProxyEffect = <E, R>(
  input: Options<never, never, E, R>["proxy"]
): input is Effect.Effect<Proxy | Option.Option<Proxy>, E, R> => isEffect(input)

const isCredentialsEffect = <E, R>(
  input: Options<E, R>["credentials"]
): input is Effect.Effect<Credentials, E, R> => isEffect(input)

/** The proxy as a value. */
export const resolveProxy = <E, R>(
  input: Options<never, never, E, R>["proxy"]
): Effect.Effect<Proxy | "env" | undefined, E, R> =>
  isProxyEffect(input)
    ? Effect.map(input, (found) => Option.isOption(found) ? Option.getOrUndefined(found) : found)
    : Effect.succeed(input)

/** Credentials and proxy as values: an Effect of them is run. */
export const resolve = <CE, CR, PE, PR>(
  { credentials, proxy }: Pick<Options<CE, CR, PE, PR>, "credentials" | "proxy">
): Effect.Effect<Given, CE | PE, CR | PR> =>
  Effect.zipWith(
    isCredentialsEffect(credentials) ? credentials : Effect.succeed(credentials),
    resolveProxy(proxy),
    (credentials, proxy): Given => ({ credentials, proxy })
  )
