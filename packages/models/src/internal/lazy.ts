/**
 * @since 0.1.0
 */

import type * as Schema from "effect/Schema"

/**
 * A value made when it is first asked for: Schemas and their parsers take their time to build, and an import should not.
 *
 * @internal
 */
export const lazy = <A>(make: () => A): () => A => {
  let made: { readonly value: A } | undefined
  return () => (made ??= { value: make() }).value
}

/**
 * A Schema that is built when somebody looks at it. It is the Schema in every way but one: importing the module that
 * holds it does not pay for it.
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
