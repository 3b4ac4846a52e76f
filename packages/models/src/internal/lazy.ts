/**
 * @since 0.1.0
 */

import type * as Schema from "effect/Schema"

/**
 * A value made when it is first used: building Schemas and their parsers takes time, and importing must not.
 *
 * @internal
 */
export const lazy = <A>(make: () => A): () => A => {
  let made: { readonly value: A } | undefined
  return () => (made ??= { value: make() }).value
}

/**
 * A Schema that is built when it is first used. Otherwise it is the same as the Schema, but importing its module costs
 * nothing.
 *
 * @internal
 */
export const schema = <S extends Schema.Schema.All>(build: () => S): S => {
  const built = lazy(build)
  return new Proxy({} as S, {
    get: (_, key, receiver) => Reflect.get(built(), key, receiver),
    has: (_, key) => Reflect.has(built(), key)
  })
}
