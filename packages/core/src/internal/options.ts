import * as Printable from "@effect-apns/models/Printable"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Connection from "../Connection.js"
import { isCredentials } from "../Credentials.js"
import { isEndpoint } from "../Endpoint.js"
import { isProxy } from "../Proxy.js"

/** An option that is not what it should be, and what to give. */
export interface Refusal {
  readonly field: string
  readonly description: string
}

const refuse = (field: string, description: string): Refusal => ({ field, description })

export const isEffect = <E, A, R>(input: unknown): input is Effect.Effect<A, E, R> =>
  peek(() => Effect.isEffect(input)) === true

const kindOf = (input: unknown): string =>
  input === null ? "null" : peek(() => Array.isArray(input)) === true ? "an array" : typeof input

/** The result of `look`; `undefined` if it throws, since the object may be a Proxy or have getters. */
export const peek = <A>(look: () => A): A | undefined => {
  try {
    return look()
  } catch {
    return undefined
  }
}

/** A plain copy, so that each getter, which may throw or return something else each time, is read once. */
export const copy = <O extends object>(options: O): Either.Either<O, Refusal> => {
  if (typeof options !== "object" || options === null) {
    return Either.left(refuse("options", `give an object with the options, not ${kindOf(options)}`))
  }
  try {
    return Either.right({ ...options })
  } catch (thrown) {
    return Either.left(unreadable(options, thrown))
  }
}

const unreadable = (options: object, thrown: unknown): Refusal => {
  let names: ReadonlyArray<string> = []
  try {
    names = Object.keys(options)
  } catch {
    return refuse("options", `they cannot be read: ${Printable.thrown(thrown)}`)
  }
  for (const name of names) {
    try {
      Reflect.get(options, name)
    } catch (thrown) {
      return refuse(name, `it cannot be read: ${Printable.thrown(thrown)}`)
    }
  }
  return refuse("options", `they cannot be read: ${Printable.thrown(thrown)}`)
}

const isText = (input: unknown): input is string => typeof input === "string"

const isLimits = (limits: unknown): boolean => {
  if (typeof limits !== "object" || limits === null) return false
  return Object.values(limits).every((limit) =>
    limit === undefined || (typeof limit === "number" && limit >= 0 && (limit === Infinity || Number.isInteger(limit)))
  )
}

type Given =
  & { readonly [K in keyof Connection.Resolved]?: Connection.Resolved[K] | undefined }
  & { readonly authority?: string | undefined }

const kinds: ReadonlyArray<readonly [field: keyof Given, is: (value: unknown) => boolean, advice: string]> = [
  ["endpoint", isEndpoint, "give what Endpoint.make returns, or Endpoint.production or Endpoint.development"],
  ["credentials", isCredentials, "give what Credentials.token, certificate or pkcs12 makes"],
  [
    "ca",
    (ca) => isText(ca) || (Array.isArray(ca) && Array.from(ca).every(isText)),
    "give PEM text, or an array of such texts"
  ],
  ["proxy", (proxy) => proxy === "env" || isProxy(proxy), "give what Proxy.make returns, or \"env\""],
  [
    "keylog",
    (keylog) => keylog === true || isText(keylog) || typeof keylog === "function",
    "give a function, the name of a file, or true for the file that SSLKEYLOGFILE names"
  ],
  ["dangerouslyTrustAnyServer", (trust) => typeof trust === "boolean", "give true or false"],
  ["lookup", (lookup) => typeof lookup === "function", "give a function that returns an Effect with the addresses"],
  ["limits", isLimits, "give an object whose values are whole numbers, at least 0"],
  ["ping", (ping) => typeof ping === "object" && ping !== null, "give an object with spans of time"],
  [
    "authority",
    (authority) => isText(authority) && /^[!-~]+$/.test(authority),
    "give a host name, with a port or without"
  ]
]

/**
 * The first option for connecting that has a wrong type, of options read by {@link copy}; `ping` and `limits` are copied
 * too. Spans of time are checked where they are decoded.
 */
export const check = <O extends Given>(
  options: O,
  required: ReadonlyArray<keyof Given>
): Either.Either<O, Refusal> => {
  for (const [field, is, advice] of kinds) {
    const value = options[field]
    if (value === undefined ? required.includes(field) : peek(() => is(value)) !== true) {
      return Either.left(refuse(field, `${advice}, not ${kindOf(value)}`))
    }
  }
  const limits = nested("limits", options.limits)
  if (Either.isLeft(limits)) return Either.left(limits.left)
  const ping = nested("ping", options.ping)
  if (Either.isLeft(ping)) return Either.left(ping.left)
  return Either.right({ ...options, limits: limits.right, ping: ping.right })
}

const nested = <O extends object>(field: string, options: O | undefined): Either.Either<O | undefined, Refusal> =>
  options === undefined
    ? Either.right(undefined)
    : Either.mapLeft(copy(options), (refusal) => refuse(field, `${refusal.field}: ${refusal.description}`))
